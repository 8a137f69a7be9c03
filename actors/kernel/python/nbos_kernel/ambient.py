"""State that is not a variable but that the next cell would notice: directory, environment, random
generators, warning filters.

Each provider reads a value that can be compared cheaply after every cell. Values are relative where
hosts may differ: the environment and ``sys.path`` travel as changes to what the process started with.
"""

from __future__ import annotations

import decimal
import os
import random
import sys
import warnings
from pathlib import Path
from typing import Any


class Provider:
    """One piece of ambient state. `read` gives None while it does not apply (library not loaded)."""

    key = ""
    rank = 0

    def unchanged(self) -> bool:
        """A quicker answer than `read`, where there is one."""
        return False

    def read(self) -> Any:
        raise NotImplementedError

    def write(self, value: Any) -> None:
        raise NotImplementedError


class Directory(Provider):
    """The working directory and IPython's list of visited ones."""

    key = "@cwd"

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._start = os.getcwd()

    def read(self) -> Any:
        try:
            here = os.getcwd()
        except FileNotFoundError:
            return None
        return self._pack(here), [self._pack(str(path)) for path in self._shell.user_ns.get("_dh", ())]

    def _pack(self, path: str) -> tuple[str, ...]:
        """Below the directory a kernel starts in, paths are relative to it: hosts may place it differently."""
        if path == self._start or path.startswith(self._start + os.sep):
            return "start", os.path.relpath(path, self._start)
        return (path,)

    def _unpack(self, packed: tuple[str, ...]) -> str:
        return packed[0] if len(packed) == 1 else os.path.normpath(os.path.join(self._start, packed[1]))

    def write(self, value: Any) -> None:
        here, visited = value
        os.chdir(self._unpack(here))
        history = self._shell.user_ns.get("_dh")
        if isinstance(history, list):
            history[:] = [Path(self._unpack(path)) for path in visited]


class Environment(Provider):
    """``os.environ``, as changes the notebook made: the rest belongs to the host."""

    key = "@environ"
    # The shell's own bookkeeping; changes with every ``!command`` on some systems.
    _IGNORED = frozenset({"_", "PWD", "OLDPWD", "SHLVL"})

    def __init__(self) -> None:
        self._seen = dict(os.environ)
        self._changes: dict[str, str | None] = {}
        self._raw: Any = None

    def unchanged(self) -> bool:
        raw = getattr(os.environ, "_data", None)  # the undecoded variables
        same = raw is not None and raw == self._raw
        self._raw = dict(raw) if raw is not None and not same else self._raw
        return same

    def read(self) -> Any:
        now = dict(os.environ)
        if now != self._seen:
            for name in self._seen.keys() - now.keys() - self._IGNORED:
                self._changes[name] = None
            for name, value in now.items():
                if self._seen.get(name) != value and name not in self._IGNORED:
                    self._changes[name] = value
            self._seen = now
        return dict(self._changes)

    def write(self, value: Any) -> None:
        for name, text in value.items():
            if text is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = text
        self._changes, self._seen = dict(value), dict(os.environ)


class SearchPath(Provider):
    """``sys.path``; entries the process started with travel as their number, for they name this host's files."""

    key = "@path"

    def __init__(self) -> None:
        self._start = list(sys.path)

    def read(self) -> Any:
        places = {entry: index for index, entry in reversed(list(enumerate(self._start)))}
        return [places.get(entry, entry) if isinstance(entry, str) else str(entry) for entry in sys.path]

    def write(self, value: Any) -> None:
        start = self._start
        sys.path[:] = [start[e] if isinstance(e, int) else e for e in value if not isinstance(e, int) or e < len(start)]


class Random(Provider):
    key = "@random"
    # After everything that is imported or unpickled: either may draw.
    rank = 4

    def read(self) -> Any:
        return random.getstate()

    def write(self, value: Any) -> None:
        random.setstate(value)


class NumpyRandom(Provider):
    """numpy's global generator; generators held in variables are ordinary objects."""

    key = "@numpy.random"
    rank = 4

    def read(self) -> Any:
        module = sys.modules.get("numpy.random.mtrand")
        if module is None or not hasattr(module, "_rand"):
            return None
        name, keys, position, has_gauss, gauss = module._rand.get_state(legacy=True)
        return name, keys.tobytes(), position, has_gauss, gauss

    def write(self, value: Any) -> None:
        import numpy

        name, keys, *rest = value
        numpy.random.set_state((name, numpy.frombuffer(keys, "u4"), *rest))


class WarningFilters(Provider):
    key = "@warnings"
    rank = 1

    def read(self) -> Any:
        return list(warnings.filters)

    def write(self, value: Any) -> None:
        warnings.filters[:] = value  # type: ignore[index]
        mutated = getattr(warnings, "_filters_mutated_lock_held", None) or getattr(warnings, "_filters_mutated", None)
        if mutated is not None:
            mutated()


class Arithmetic(Provider):
    """How numbers are computed and shown: decimal context, recursion limit, numpy's print and error options."""

    key = "@arithmetic"
    rank = 4

    def read(self) -> Any:
        context = decimal.getcontext()
        traps = sorted(signal.__name__ for signal, on in context.traps.items() if on)
        numpy = sys.modules.get("numpy")
        options = errors = None
        if numpy is not None and hasattr(numpy, "get_printoptions") and hasattr(numpy, "geterr"):
            options = {k: v for k, v in numpy.get_printoptions().items() if k not in ("formatter", "override_repr")}
            errors = numpy.geterr()
        return context.prec, context.rounding, traps, sys.getrecursionlimit(), options, errors

    def write(self, value: Any) -> None:
        precision, rounding, traps, recursion, options, errors = value
        context = decimal.getcontext()
        context.prec, context.rounding = precision, rounding
        for signal in context.traps:
            context.traps[signal] = signal.__name__ in traps
        sys.setrecursionlimit(recursion)
        if options is not None:
            import numpy

            numpy.set_printoptions(**options)
            numpy.seterr(**errors)


def providers(shell: Any) -> list[Provider]:
    return [Directory(shell), Environment(), SearchPath(), WarningFilters(), Random(), NumpyRandom(), Arithmetic()]
