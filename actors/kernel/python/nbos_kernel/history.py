"""``In``, ``Out`` and the underscore names.

Inputs travel as text in blocks of eight cells: a block is small enough to be sent again with every cell, and a
long session does not become one group a cell. Outputs are the variables ``_1``, ``_2``…, which keep their
aliases like any others; ``Out`` is made from them. What is left are *marks*: which outputs ``_``, ``__`` and ``___``
are, and what the notebook deleted. An output that only ``Out`` or ``_`` still holds is a place (``outputs``).
"""

from __future__ import annotations

import linecache
import re
from typing import Any

from IPython.core.interactiveshell import ExecutionResult

KEY_PREFIX = "@in:"
LAST_KEY = "@last"
BLOCK = 8
OUTPUT_NAME = re.compile(r"_\d+\Z")
_UNDERSCORES = ("_", "__", "___")
_RECENT = ("_i", "_ii", "_iii", "_i00")
# A shown text is kept for %history -o and for export; what is longer is a picture of data.
_SHOWN_BYTES = 8192

# One input: its place in In, what Python compiled, what the user typed, the file name in tracebacks, what was shown.
Entry = tuple[int, str, str, "str | None", "str | None"]


class History:
    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._manager = shell.history_manager
        # What was sent or received, to see what changed.
        self._parsed: list[str] = list(self._manager.input_hist_parsed)
        self._raw: list[str] = list(self._manager.input_hist_raw)
        self._files: dict[int, str] = {}
        self._last: Any = None
        self._input_names: list[str] = []
        self._output_names: dict[int, str] = {}

    def ran(self, number: int, file_name: str) -> None:
        """A cell was compiled under a file name."""
        self._files[number] = file_name

    def managed(self, name: str, value: Any) -> bool:
        """True for ``_``, ``__`` and ``___`` while they are IPython's and not the user's."""
        return name in _UNDERSCORES and (
            value is getattr(self._shell.displayhook, name, None) or _empty(value)
            or (name in self._shell.user_ns_hidden and self._shell.user_ns_hidden[name] is value)
        )

    # Inputs.

    def changed(self) -> tuple[dict[str, list[Entry]], list[str]]:
        """Blocks that changed since the last call, and the keys of blocks that are gone."""
        parsed, raw = self._manager.input_hist_parsed, self._manager.input_hist_raw
        sent = len(self._parsed)
        if len(parsed) == sent and len(raw) == len(self._raw) and parsed == self._parsed and raw == self._raw:
            return {}, []
        grown = parsed[:sent] == self._parsed and raw[:len(self._raw)] == self._raw
        first = max(sent - 1, 0) // BLOCK if grown else 0
        changed = {f"{KEY_PREFIX}{block}": self._block(block) for block in range(first, _blocks(len(parsed)))}
        gone = [f"{KEY_PREFIX}{block}" for block in range(_blocks(len(parsed)), _blocks(sent))]
        self._parsed, self._raw = list(parsed), list(raw)
        return changed, gone

    def _block(self, block: int) -> list[Entry]:
        parsed, raw, shown = self._manager.input_hist_parsed, self._manager.input_hist_raw, self._manager.output_hist_reprs
        entries = []
        for n in range(block * BLOCK + 1, min(len(parsed), (block + 1) * BLOCK + 1)):
            text = shown.get(n)
            entries.append((n, parsed[n], raw[n] if n < len(raw) else "", self._files.get(n),
                            text if text is not None and len(text) <= _SHOWN_BYTES else None))
        return entries

    def install(self, entries: list[Entry]) -> None:
        """Put inputs into the history as if the cells had run here."""
        manager, names = self._manager, self._shell.user_ns
        for number, parsed, raw, file_name, shown in entries:
            new = number >= len(manager.input_hist_parsed)
            for inputs, text in ((manager.input_hist_parsed, parsed), (manager.input_hist_raw, raw)):
                inputs.extend([""] * (number + 1 - len(inputs)))
                inputs[number] = text
            if new:
                with manager.db_input_cache_lock:
                    manager.db_input_cache.append((number, parsed, raw))
                name = f"_i{number}"
                names[name] = self._shell.user_ns_hidden[name] = raw
                manager._iii, manager._ii, manager._i, manager._i00 = manager._ii, manager._i, manager._i00, raw
                names.update(_i=manager._i, _ii=manager._ii, _iii=manager._iii)
            if shown is not None:
                manager.output_hist_reprs[number] = shown
            if file_name is not None:
                self._files[number] = file_name
                lines = [line + "\n" for line in parsed.splitlines()]
                linecache.cache[file_name] = (len(parsed), None, lines, file_name)
                file_names = getattr(self._shell.compile, "_filename_map", None)
                if isinstance(file_names, dict):
                    file_names[file_name] = number
        self._parsed, self._raw = list(manager.input_hist_parsed), list(manager.input_hist_raw)

    def forget(self, keep_blocks: int = 0) -> None:
        """The executor's history was cut."""
        for inputs in (self._manager.input_hist_parsed, self._manager.input_hist_raw):
            del inputs[keep_blocks * BLOCK + 1:]
        self._parsed, self._raw = list(self._manager.input_hist_parsed), list(self._manager.input_hist_raw)

    # Outputs.

    def last(self) -> Any:
        """The marks, or None when they did not change."""
        marks = (self._unders(), self._recent(), *self._gone())
        if marks == self._last or (self._last is None and marks == _NO_MARKS):
            return None
        self._last = marks
        return marks

    def loose(self) -> tuple[Any, ...]:
        """Outputs that no variable ``_N`` holds any more: ``(where, object)``, where a number stands for ``Out[number]``."""
        names, found = self._shell.user_ns, []
        outputs = self._manager.output_hist
        for number, value in list(outputs.items()):
            name = self._name(number)
            if name is None or names.get(name, found) is not value:
                found.append((number, value))
        hook = self._shell.displayhook
        for slot in _UNDERSCORES:
            value = getattr(hook, slot, None)
            if not _empty(value) and value is not None and self._number(value) is None:
                found.append((slot, value))
        return tuple(found)

    def install_loose(self, value: tuple[Any, ...]) -> None:
        outputs, hook = self._manager.output_hist, self._shell.displayhook
        wanted = {where for where, _ in value}
        for where, _ in self.loose():
            if where not in wanted and not isinstance(where, str):
                del outputs[where]
        for where, output in value:
            if isinstance(where, str):
                setattr(hook, where, output)
            else:
                outputs[where] = output

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

    def install_output(self, name: str, value: Any) -> None:
        outputs, hook, names = self._manager.output_hist, self._shell.displayhook, self._shell.user_ns
        old = outputs.get(int(name[1:]))
        for underscore in _UNDERSCORES:
            if old is not None and getattr(hook, underscore, None) is old:
                setattr(hook, underscore, value)
                if names.get(underscore) is old:
                    names[underscore] = self._shell.user_ns_hidden[underscore] = value
        self._name(int(name[1:]))
        if self._last is None or int(name[1:]) not in self._last[2]:
            outputs[int(name[1:])] = value
        self._shell.user_ns_hidden[name] = value

    def drop_output(self, name: str) -> None:
        self._manager.output_hist.pop(int(name[1:]), None)
        self._shell.user_ns_hidden.pop(name, None)

    def install_last(self, marks: Any) -> None:
        unders, recent, without_out, without_input = marks
        manager, hook = self._manager, self._shell.displayhook
        names, hidden = self._shell.user_ns, self._shell.user_ns_hidden
        for slot, (kind, number) in zip(_UNDERSCORES, unders[:3]):
            if kind == "empty":
                setattr(hook, slot, "")
            elif kind == "none":
                setattr(hook, slot, None)
            elif kind == "out" and number in manager.output_hist:
                setattr(hook, slot, manager.output_hist[number])
        for name, (kind, number, mark) in zip(_UNDERSCORES, unders[3:]):
            if kind == "absent":
                names.pop(name, None)
                hidden.pop(name, None)
                continue
            if kind == "hook":
                names[name] = getattr(hook, _UNDERSCORES[number])
            elif kind == "out" and number in manager.output_hist:
                names[name] = manager.output_hist[number]
            elif kind == "empty":
                names[name] = ""
            if mark == "none":
                hidden.pop(name, None)
            elif name in names:
                hidden[name] = names[name] if mark == "same" else _ANOTHER
        for slot, text in zip(_RECENT, recent):
            if isinstance(text, int):
                text = manager.input_hist_raw[text] if -len(manager.input_hist_raw) <= text else ""
            setattr(manager, slot, text)
        names.update(_i=manager._i, _ii=manager._ii, _iii=manager._iii)
        for number in without_out:
            manager.output_hist.pop(number, None)
        for number in without_input:
            names.pop(f"_i{number}", None)
        self._last = marks

    def settle(self) -> None:
        """After an apply: outputs in the order of their cells, whatever order they came in."""
        outputs = self._manager.output_hist
        if self._shell.last_execution_result is None and self._shell.execution_count > 1:
            # IPython asks for it as soon as one cell has run.
            self._shell.last_execution_result = ExecutionResult(None)
            self._shell.last_execution_result.result = outputs.get(self._shell.execution_count - 1)
        numbers = list(outputs)
        if numbers != sorted(numbers):
            ordered = sorted(outputs.items())
            outputs.clear()
            outputs.update(ordered)

    def _unders(self) -> tuple[tuple[Any, ...], ...]:
        """For each of the display hook's three slots, then of the three names, what it is."""
        hook, names = self._shell.displayhook, self._shell.user_ns
        slots = [getattr(hook, slot, None) for slot in _UNDERSCORES]
        marks: list[tuple[Any, ...]] = []
        for value in slots:
            if value is None:
                marks.append(("none", None))
            elif _empty(value):
                marks.append(("empty", None))
            else:
                number = self._number(value)
                marks.append(("loose", None) if number is None else ("out", number))
        hidden = self._shell.user_ns_hidden
        for name in _UNDERSCORES:
            if name not in names:
                marks.append(("absent", None, ""))
                continue
            value = names[name]
            # IPython goes on with its underscores only while this mark is what they are.
            mark = "none" if name not in hidden else "same" if hidden[name] is value else "other"
            place = next((place for place, slot in enumerate(slots) if slot is value), None)
            if not self.managed(name, value):
                marks.append(("user", None, mark))
            elif place is not None:
                marks.append(("hook", place, mark))
            elif _empty(value):
                marks.append(("empty", None, mark))
            else:
                marks.append(("out", self._number(value), mark))
        return tuple(marks)

    def _recent(self) -> tuple[Any, ...]:
        """``_i``, ``_ii``, ``_iii`` and the input of the cell itself, as places from the end of the inputs."""
        raw = self._manager.input_hist_raw
        found: list[Any] = []
        for place, slot in enumerate(("_i00", "_i", "_ii", "_iii"), 1):
            text = getattr(self._manager, slot)
            found.append(-place if len(raw) > place and raw[-place] == text else text)
        return (*found[1:], found[0])

    def _gone(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Numbers of outputs that are a variable but not in ``Out``, and of inputs that are no variable."""
        names, outputs = self._shell.user_ns, self._manager.output_hist
        count = self._shell.execution_count
        while len(self._input_names) < len(self._manager.input_hist_raw) - 1:
            self._input_names.append(f"_i{len(self._input_names) + 1}")
        wanted = self._input_names[:max(len(self._manager.input_hist_raw) - 1, 0)]
        without_input: tuple[int, ...] = ()
        if sum(map(names.__contains__, wanted)) != len(wanted):
            without_input = tuple(n for n, name in enumerate(wanted, 1) if name not in names)
        for number in outputs:
            self._name(number)
        without_out = tuple(n for n, name in self._output_names.items() if n not in outputs and name in names and n < count)
        return without_out, without_input

    def _name(self, number: Any) -> str | None:
        """``_N`` of an output, remembered: asked for every output after every cell."""
        name = self._output_names.get(number)
        if name is None and isinstance(number, int):
            name = self._output_names[number] = f"_{number}"
        return name

    def _number(self, value: Any) -> int | None:
        if _empty(value):
            return None
        outputs = self._manager.output_hist
        return next((n for n in reversed(outputs) if outputs[n] is value), None)


# In `user_ns_hidden`, a value that the variable does not have.
_ANOTHER = object()
# Of a process in which nothing was shown yet.
_NO_MARKS = ((("empty", None),) * 3 + (("hook", 0, "none"),) * 3, ("", "", "", ""), (), ())


def _blocks(length: int) -> int:
    """How many blocks a list of inputs of this length takes; its first element is no input."""
    return max(length - 2, -1) // BLOCK + 1


def _empty(value: Any) -> bool:
    return type(value) is str and value == ""
