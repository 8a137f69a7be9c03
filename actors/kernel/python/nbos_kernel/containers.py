"""Views, iterators and proxies of the builtin containers, and memory views."""

from __future__ import annotations

import array
import collections
import ctypes
import gc
import sys
import types
from typing import TYPE_CHECKING, Any

from nbos_kernel.registry import reduces, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

_ORDERED: Any = collections.OrderedDict()
_DICT_VIEWS = tuple(type(view()) for owner in ({}, _ORDERED) for view in (owner.keys, owner.values, owner.items))


@reduces(*_DICT_VIEWS)
def reduce_dict_view(pickler: StatePickler, view: Any) -> Any:
    owner = next((it for it in gc.get_referents(view) if isinstance(it, dict)), None)
    if owner is None:
        return pickler.ordinary(view)
    return dict_view, (owner, type(view).__name__.rpartition("_")[2])


@reduces(*map(type, (make(view) for make in (iter, reversed) for view in ({}.keys(), {}.values(), {}.items()))))
def reduce_dict_iterator(pickler: StatePickler, iterator: Any) -> Any:
    """A live view: it fails when the dict grows, and sees values that change."""
    owner = next((it for it in gc.get_referents(iterator) if isinstance(it, dict)), None)
    if owner is None:
        return iter, ((),)
    name = type(iterator).__name__.rpartition("_")[2]
    kind = {"key": "keys", "value": "values", "item": "items"}[name.removeprefix("reverse").removesuffix("iterator")]
    left = iterator.__length_hint__()
    if not left and len(owner):
        return pickler.pin(iterator, "its dict was changed while it was used")
    return dict_iterator, (owner, kind, len(owner) - left, name.startswith("reverse"))


@reduces(type(iter(_ORDERED)))
def reduce_ordered_iterator(_pickler: StatePickler, iterator: Any) -> Any:
    """One class for keys, values and items, both ways: told apart by the key that is next, and by what is left."""
    shown = gc.get_referents(iterator)
    left = iterator.__reduce__()[1][0]
    if not shown or not left:
        return iter, ((),)
    owner, keys, steps = shown[0], list(collections.OrderedDict.keys(shown[0])), len(shown[0]) - len(left)
    for backwards, place in ((False, steps), (True, len(left) - 1)):
        for kind in ("keys", "values", "items") if any(it is keys[place] for it in shown[1:]) else ():
            view = getattr(collections.OrderedDict, kind)(owner)
            if _same_items(left, list(reversed(view) if backwards else view)[steps:]):
                return dict_iterator, (owner, kind, steps, backwards)
    return iter, (left,)


def _same_items(some: list[Any], others: list[Any]) -> bool:
    """Pairs of key and value are made anew each time."""
    return len(some) == len(others) and all(
        a is b or type(a) is type(b) is tuple and len(a) == len(b) == 2 and a[0] is b[0] and a[1] is b[1] for a, b in zip(some, others))


@reduces(types.MappingProxyType)
def reduce_mapping_proxy(_pickler: StatePickler, proxy: Any) -> Any:
    cls = _class_behind(proxy)
    return (class_dict, (cls,)) if cls is not None else (types.MappingProxyType, (gc.get_referents(proxy)[0],))


@walks(types.MappingProxyType)
def of_mapping_proxy(proxy: Any) -> list[Any]:
    cls = _class_behind(proxy)
    return [cls] if cls is not None else gc.get_referents(proxy)


def _class_behind(proxy: Any) -> Any:
    """The class whose ``__dict__`` this is."""
    names = gc.get_referents(proxy)[0]
    if type(names) is not dict or "__module__" not in names:
        return None
    for value in list(names.values()):
        cls = getattr(value, "__objclass__", None)
        if isinstance(cls, type) and gc.get_referents(vars(cls))[0] is names:
            return cls
    return next((it for it in gc.get_referrers(names) if isinstance(it, type) and gc.get_referents(vars(it))[0] is names), None)


@reduces(memoryview)
def reduce_memory(pickler: StatePickler, memory: memoryview) -> Any:
    try:
        owner = memory.obj
    except ValueError:
        return released_memory, ()
    if type(owner).__module__ == "mmap":
        return pickler.pin(memory, "it lies in mapped memory")
    numpy = sys.modules.get("numpy")
    if numpy is not None and type(owner) is numpy.ndarray and memory.shape == owner.shape and memory.nbytes == owner.nbytes:
        return memory_of, (owner, bool(memory.readonly), memory.format)
    if memory.c_contiguous and (
        type(owner) in (bytes, bytearray, array.array) or numpy is not None and type(owner) is numpy.ndarray and owner.flags.c_contiguous
    ):
        offset = _address(memory) - _address(owner) if memory.nbytes else 0
        return memory_in, (owner, offset, memory.nbytes, memory.format, bool(memory.readonly), *((memory.shape,) if memory.ndim > 1 else ()))
    if numpy is None:
        return pickler.pin(memory, "it views memory in a way that only numpy can describe")
    found = numpy.asarray(memory)
    return memory_of, (found, bool(memory.readonly), memory.format)


class _Buffer(ctypes.Structure):
    """``Py_buffer`` of the C API, which tells where memory lies."""

    _fields_ = (
        ("buf", ctypes.c_void_p), ("obj", ctypes.c_void_p), ("len", ctypes.c_ssize_t), ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int), ("ndim", ctypes.c_int), ("format", ctypes.c_void_p), ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p), ("suboffsets", ctypes.c_void_p), ("internal", ctypes.c_void_p),
    )


def _address(owner: Any) -> int:
    """Of the first byte of a contiguous buffer."""
    found = _Buffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(owner), ctypes.byref(found), 0)
    try:
        return int(found.buf or 0)
    finally:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(found))


@walks(memoryview)
def of_memory(memory: memoryview) -> tuple[Any, ...]:
    try:
        return (memory.obj,)
    except ValueError:
        return ()


# What payloads call.


def dict_view(owner: dict[Any, Any], kind: str) -> Any:
    return getattr(owner, kind)()


def memory_of(array: Any, readonly: bool, form: str = "B") -> memoryview:
    """The memory view of an array, and of whatever owns that array's memory."""
    made = memoryview(array)
    if made.format != form and made.c_contiguous:
        made = made.cast("B").cast(form, made.shape)  # type: ignore[arg-type]
    return made.toreadonly() if readonly and not made.readonly else made


def released_memory() -> memoryview:
    made = memoryview(b"")
    made.release()
    return made


def memory_in(owner: Any, offset: int, size: int, form: str, readonly: bool, shape: tuple[int, ...] | None = None) -> memoryview:
    """A part of the memory of a bytes-like object, which stays the object of the view."""
    made = memoryview(owner)
    if made.format != "B":
        made = made.cast("B")
    if offset or size != made.nbytes:
        made = made[offset:offset + size]
    if shape is not None:
        made = made.cast(form, shape)  # type: ignore[call-overload]
    elif form != "B":
        made = made.cast(form)  # type: ignore[call-overload]
    return made.toreadonly() if readonly and not made.readonly else made


def class_dict(cls: type) -> Any:
    return vars(cls)


def dict_iterator(owner: dict[Any, Any], kind: str, steps: int, backwards: bool = False) -> Any:
    view = getattr(owner, kind)()
    made = reversed(view) if backwards else iter(view)
    for _ in range(steps):
        next(made)
    return made
