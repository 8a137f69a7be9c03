"""Loading what can be loaded of a group that does not load as a whole.

The C unpickler ends at the first object that raises. Here that object becomes a placeholder and the rest goes on:
slower, and only used after the other has failed.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

from nbos_kernel.pins import PinnedError, Placeholder, absent
from nbos_kernel.rebuild import ClassNotReady

_Base: Any = pickle._Unpickler  # type: ignore[attr-defined]


class Salvager(_Base):  # type: ignore[misc]
    """An unpickler that replaces what raises."""

    dispatch = dict(_Base.dispatch)

    def __init__(self, file: Any, named: dict[str, Any], buffers: Iterator[Any], name: str) -> None:
        super().__init__(file, buffers=buffers)
        self._named = named
        self._nans: dict[str, float] = {}
        self._name = name

    def persistent_load(self, pid: str) -> Any:
        return self._nans.setdefault(pid, float("nan")) if pid.startswith("nan:") else self._named[pid]

    def lost(self, error: BaseException) -> Placeholder:
        """What stands for an object that could not be made. It is not the pinned object that it needs: its home must not
        put that one in its place."""
        return absent(self._name, "object", str(error) if isinstance(error, PinnedError) else f"{type(error).__name__}: {error}")


def _making(opcode: bytes, arguments: int) -> None:
    """An opcode that calls something and leaves its result."""
    original = _Base.dispatch[opcode[0]]

    def load(self: Any) -> None:
        if isinstance(self.stack[-arguments], Placeholder):
            del self.stack[1 - arguments:]
            return
        depth = len(self.stack) - arguments + 1
        try:
            original(self)
        except ClassNotReady:
            raise
        except Exception as error:  # noqa: BLE001 - constructors of the notebook and of libraries
            del self.stack[depth - 1:]
            self.stack.append(self.lost(error))

    Salvager.dispatch[opcode[0]] = load


def _filling(opcode: bytes, marked: bool) -> None:
    """An opcode that puts something into what is below it on the stack."""
    original = _Base.dispatch[opcode[0]]
    count = 2 if opcode == pickle.SETITEM else 1

    def load(self: Any) -> None:
        stack = self.metastack[-1] if marked else self.stack
        place = -1 if marked else -1 - count
        target = stack[place]
        if isinstance(target, Placeholder):
            if marked:
                self.pop_mark()
            else:
                del self.stack[-count:]
            return
        try:
            original(self)
        except ClassNotReady:
            raise
        except Exception as error:  # noqa: BLE001
            instead = self.lost(error)
            for key, known in self.memo.items():
                if known is target:
                    self.memo[key] = instead
            for pile in (self.stack, *self.metastack):
                pile[:] = [instead if it is target else it for it in pile]
            del self.stack[next(at for at, it in enumerate(self.stack) if it is instead) + 1:]

    Salvager.dispatch[opcode[0]] = load


_making(pickle.REDUCE, 2)
_making(pickle.NEWOBJ, 2)
_making(pickle.NEWOBJ_EX, 3)
_filling(pickle.BUILD, False)
_filling(pickle.APPEND, False)
_filling(pickle.SETITEM, False)
_filling(pickle.APPENDS, True)
_filling(pickle.SETITEMS, True)
_filling(pickle.ADDITEMS, True)
