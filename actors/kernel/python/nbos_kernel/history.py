"""``In``, ``Out`` and the underscore names.

Inputs travel as text in blocks of eight cells: a block is small enough to be sent again with every
cell, and a long session does not become one group a cell. Outputs are the variables ``_1``, ``_2``…,
which keep their aliases like any others; ``Out`` is made from them. ``_``, ``__`` and ``___`` travel as
numbers of outputs while IPython manages them.
"""

from __future__ import annotations

import linecache
import re
from typing import Any

KEY_PREFIX = "@in:"
LAST_KEY = "@last"
BLOCK = 8
OUTPUT_NAME = re.compile(r"_\d+\Z")
_UNDERSCORES = ("_", "__", "___")

# One cell: its number, what Python compiled, what the user typed, and the file name in tracebacks.
Entry = tuple[int, str, str, "str | None"]


class History:
    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._manager = shell.history_manager
        self._sent = len(self._manager.input_hist_parsed)
        self._blocks = 0
        self._files: dict[int, str] = {}
        self._last: Any = None

    def ran(self, number: int, file_name: str) -> None:
        """A cell was compiled under a file name."""
        self._files[number] = file_name

    def managed(self, name: str, value: Any) -> bool:
        """True for ``_``, ``__`` and ``___`` while they are IPython's and not the user's."""
        return name in _UNDERSCORES and (value is getattr(self._shell.displayhook, name, None) or _empty(value))

    def changed(self) -> tuple[dict[str, list[Entry]], list[str]]:
        """Blocks that changed since the last call, and the keys of blocks that are gone."""
        parsed, raw = self._manager.input_hist_parsed, self._manager.input_hist_raw
        if len(parsed) < self._sent:  # %reset
            gone, self._sent = self._blocks, 1
        else:
            gone = 0
        changed: dict[str, list[Entry]] = {}
        if len(parsed) > self._sent or gone:
            for block in range((self._sent - 1) // BLOCK, (len(parsed) - 2) // BLOCK + 1):
                numbers = range(block * BLOCK + 1, min(len(parsed), (block + 1) * BLOCK + 1))
                changed[f"{KEY_PREFIX}{block}"] = [(n, parsed[n], raw[n], self._files.get(n)) for n in numbers]
            self._blocks = (len(parsed) - 2) // BLOCK + 1
            self._sent = len(parsed)
        return changed, [f"{KEY_PREFIX}{block}" for block in range(self._blocks, gone)]

    def last(self) -> Any:
        """Which outputs ``_``, ``__`` and ``___`` are, or None when that did not change."""
        names = self._shell.user_ns
        numbers = tuple(self._number(names.get(name)) if self.managed(name, names.get(name)) else None for name in _UNDERSCORES)
        if numbers == self._last or (self._last is None and not any(numbers)):
            return None
        self._last = numbers
        return numbers

    def behind(self, names: set[str]) -> set[str]:
        """The output variables that a cell reaches through ``_`` or ``Out``."""
        found: set[str] = set()
        if not names.isdisjoint(("Out", "_oh")):
            found.update(f"_{number}" for number in self._manager.output_hist)
        for name in names.intersection(_UNDERSCORES):
            number = self._number(self._shell.user_ns.get(name))
            if number is not None:
                found.add(f"_{number}")
        return found

    def _number(self, value: Any) -> int | None:
        if _empty(value):
            return None
        outputs = self._manager.output_hist
        return next((n for n in reversed(list(outputs)) if outputs[n] is value), None)

    def install(self, entries: list[Entry]) -> None:
        """Put inputs into the history as if the cells had run here."""
        manager = self._manager
        for number, parsed, raw, file_name in entries:
            if number < len(manager.input_hist_parsed):
                continue  # inputs do not change once they ran
            for inputs, text in ((manager.input_hist_parsed, parsed), (manager.input_hist_raw, raw)):
                inputs.extend([""] * (number - len(inputs)))
                inputs.append(text)
            with manager.db_input_cache_lock:
                manager.db_input_cache.append((number, parsed, raw))
            manager._iii, manager._ii, manager._i, manager._i00 = manager._ii, manager._i, manager._i00, raw
            self._shell.user_ns[f"_i{number}"] = raw
            if file_name is not None:
                self._files[number] = file_name
                lines = [line + "\n" for line in parsed.splitlines()]
                linecache.cache[file_name] = (len(parsed), None, lines, file_name)
                names = getattr(self._shell.compile, "_filename_map", None)
                if isinstance(names, dict):
                    names[file_name] = number
        self._shell.user_ns.update(_i=manager._i, _ii=manager._ii, _iii=manager._iii)
        self._sent = len(manager.input_hist_parsed)
        self._blocks = (self._sent - 2) // BLOCK + 1

    def forget(self, keep_blocks: int = 0) -> None:
        """The executor's history was reset."""
        for inputs in (self._manager.input_hist_parsed, self._manager.input_hist_raw):
            del inputs[keep_blocks * BLOCK + 1:]
        self._sent, self._blocks = len(self._manager.input_hist_parsed), keep_blocks

    def install_output(self, name: str, value: Any) -> None:
        outputs, hook, names = self._manager.output_hist, self._shell.displayhook, self._shell.user_ns
        old = outputs.get(int(name[1:]))
        for underscore in _UNDERSCORES:
            if old is not None and getattr(hook, underscore, None) is old:
                setattr(hook, underscore, value)
                if names.get(underscore) is old:
                    names[underscore] = self._shell.user_ns_hidden[underscore] = value
        outputs[int(name[1:])] = value
        self._shell.user_ns_hidden[name] = value

    def drop_output(self, name: str) -> None:
        self._manager.output_hist.pop(int(name[1:]), None)

    def install_last(self, numbers: Any) -> None:
        outputs, hook = self._manager.output_hist, self._shell.displayhook
        for name, number in zip(_UNDERSCORES, numbers):
            if number is not None and number in outputs:
                setattr(hook, name, outputs[number])
                self._shell.user_ns[name] = self._shell.user_ns_hidden[name] = outputs[number]
        self._last = tuple(numbers)


def _empty(value: Any) -> bool:
    return type(value) is str and value == ""
