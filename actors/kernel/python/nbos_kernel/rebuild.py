"""What the pickles of a group call when they are loaded.

Every function here is named in payloads that are kept by the cluster: renaming one, or changing what
its arguments mean, breaks sessions that are already stored.
"""

from __future__ import annotations

import functools
import importlib
import io
import threading
import types
import typing
import weakref
from typing import Any

from cloudpickle import cloudpickle

from nbos_kernel.pins import BOOK, Pin


class Context:
    """The process that loads: its namespace and its shell. Set once, at start."""

    namespace: dict[str, Any] = {}
    shell: Any = None
    # The notebook's streams while they are muted.
    streams: dict[str, Any] = {}
    # The tracker holds classes weakly; between its skeleton and its first use a class has no other holder.
    classes: dict[str, type] = {}


class ClassNotReady(Exception):
    """A class of the notebook is used before its definition was loaded; the load is tried again later."""


def value(it: Any) -> Any:
    """A variable's value. The pickler marks where each variable begins; nothing to undo."""
    return it


def namespace() -> dict[str, Any]:
    return Context.namespace


def shell() -> Any:
    return Context.shell


def singleton(module: str, attribute: str) -> Any:
    if module == "sys" and attribute in Context.streams:
        return Context.streams[attribute]
    return getattr(importlib.import_module(module), attribute)


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


def function(code: types.CodeType, name: str, cells: tuple[types.CellType, ...] | None) -> types.FunctionType:
    """A function of the notebook: its globals are this process's namespace, not a copy of the other's."""
    return types.FunctionType(code, Context.namespace, name, None, cells)


def set_function(func: types.FunctionType, state: dict[str, Any]) -> None:
    for cell, contents in zip(func.__closure__ or (), state.pop("cells")):
        fill_cell(cell, contents)
    func.__dict__.update(state.pop("dict"))
    for name, attribute in state.items():
        setattr(func, name, attribute)


def exception(cls: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    """An exception without its constructor, which may take other arguments than ``args``."""
    return cls.__new__(cls, *args)


def set_exception(error: BaseException, state: dict[str, Any]) -> None:
    error.__cause__, error.__context__ = state["cause"], state["context"]
    error.__suppress_context__ = state["suppress"]
    error.args = state["args"]
    error.__dict__.update(state["dict"])


def lock(held: bool) -> Any:
    made = threading.Lock()
    if held:
        made.acquire()
    return made


def rlock() -> Any:
    return threading.RLock()


def lru_cache(parameters: dict[str, Any], func: Any) -> Any:
    return functools.lru_cache(**parameters)(func)


def set_lru_cache(wrapper: Any, attributes: dict[str, Any]) -> None:
    wrapper.__dict__.update(attributes)


def weak_reference(target: Any) -> weakref.ref[Any]:
    return weakref.ref(target)


def read_file(path: str, mode: str, position: int, options: dict[str, Any]) -> Any:
    opened = open(path, mode, **options)  # noqa: SIM115 - the notebook owns it
    opened.seek(position)
    return opened


def closed_memory_file(cls: type) -> Any:
    made = cls()
    made.close()
    return made


def dict_view(owner: dict[Any, Any], kind: str) -> Any:
    return getattr(owner, kind)()


def new_type(name: str, supertype: Any, module: str) -> Any:
    made = typing.NewType(name, supertype)
    made.__module__ = module
    return made


def set_state(obj: Any, state: Any) -> None:
    """An instance's attributes, without asking the instance how."""
    attributes, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    if attributes:
        obj.__dict__.update(attributes)
    for name, attribute in (slots or {}).items():
        object.__setattr__(obj, name, attribute)


def closed_file(path: str, mode: str) -> Any:
    """A closed file object; its name is all that is left of it."""
    made = io.TextIOWrapper(io.BytesIO()) if "b" not in mode else io.BytesIO()
    try:
        made.name = path  # type: ignore[union-attr]
    except AttributeError:
        pass
    made.close()
    return made
