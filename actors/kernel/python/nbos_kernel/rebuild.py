"""What the pickles of a group call when they are loaded.

Every function here is named in payloads that are kept by the cluster: renaming one, or changing what
its arguments mean, breaks sessions that are already stored.
"""

from __future__ import annotations

import importlib
import types
from typing import Any

from cloudpickle import cloudpickle

from nbos_kernel.originals import original
from nbos_kernel.pins import BOOK, Pin


class Context:
    """The process that loads: its namespace and its shell. Set once, at start."""

    namespace: dict[str, Any] = {}
    shell: Any = None
    # The tracker holds classes weakly; between its skeleton and its first use a class has no other holder.
    classes: dict[str, type] = {}
    codes: dict[tuple[types.CodeType, str, str], types.CodeType] = {}


class ClassNotReady(Exception):
    """A class of the notebook is used before its definition was loaded; the load is tried again later."""


def value(it: Any) -> Any:
    """A variable's value. The pickler marks where each variable begins; nothing to undo."""
    return it


def namespace() -> dict[str, Any]:
    return Context.namespace


def shell() -> Any:
    return Context.shell


def singleton(module: str, attribute: str, kind: str = "") -> Any:
    found = original(module, attribute)
    if kind and type(found).__qualname__ != kind:
        raise LookupError(f"{module}.{attribute} is no {kind} here")
    return found


def pinned(pin_id: str, name: str, type_name: str, why: str, home: str | None, cell: int | None) -> Any:
    return BOOK.resolve(Pin(pin_id, name, type_name, why, home, cell))


def class_by_id(tracker_id: str) -> type:
    found = cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID.get(tracker_id)
    if found is None:
        raise ClassNotReady(tracker_id)
    return found


def empty_cell() -> types.CellType:
    return types.CellType()


def fill_cell(cell: types.CellType, contents: tuple[Any, ...]) -> None:
    if contents:
        cell.cell_contents = contents[0]


def function(
    code: types.CodeType, name: str, cells: tuple[types.CellType, ...] | None, home: str | dict[str, Any] | None = None
) -> types.FunctionType:
    """A function. `home`: its globals, or the module that has them; None: this process's namespace, not a
    copy of the other's."""
    if home is None:
        names = Context.namespace
    elif isinstance(home, str):
        names = vars(importlib.import_module(home))
    else:
        names = home
    return types.FunctionType(same_code(code), names, name, None, cells)


def same_code(code: types.CodeType) -> types.CodeType:
    """Functions that one ``def`` made share their code, also when they come in different payloads.

    Codes are equal when they do the same in the same lines, of whichever cell: a traceback must name the right one.
    """
    return Context.codes.setdefault((code, code.co_filename, getattr(code, "co_qualname", "")), code)


def set_function(func: types.FunctionType, state: dict[str, Any]) -> None:
    for cell, contents in zip(func.__closure__ or (), state.pop("cells")):
        fill_cell(cell, contents)
    func.__dict__.update(state.pop("dict"))
    for name, attribute in state.items():
        setattr(func, name, attribute)


def bare(cls: Any) -> Any:
    return cls.__new__(cls)


def set_state(obj: Any, state: Any) -> None:
    """An instance's attributes, without asking the instance how."""
    attributes, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    if attributes:
        obj.__dict__.update(attributes)
    for name, attribute in (slots or {}).items():
        object.__setattr__(obj, name, attribute)
