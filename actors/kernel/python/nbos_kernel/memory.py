"""ctypes: structures and arrays in their own memory, in that of a bytearray, or in one another's."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from nbos_kernel.rebuild import set_state
from nbos_kernel.registry import reduces_all, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

_DATA: Any = ctypes.Structure.__mro__[1]


@reduces_all(_DATA)
def reduce(pickler: StatePickler, data: Any) -> Any:
    attributes = dict(getattr(data, "__dict__", None) or {})
    data.__reduce__()  # refuses pointers, which mean nothing in another process
    owner = _owner(data)
    if owner is None:
        return own, (type(data), bytes(memoryview(data).cast("B"))), attributes or None, None, None, set_state
    start = ctypes.addressof(owner) if isinstance(owner, _DATA) else ctypes.addressof(ctypes.c_char.from_buffer(owner))
    return inside, (type(data), owner, ctypes.addressof(data) - start), attributes or None, None, None, set_state


@walks(_DATA)
def children(data: Any) -> list[Any]:
    owner = _owner(data)
    return [owner, getattr(type(data), "_type_", None), *(getattr(data, "__dict__", None) or {}).values()]


@reduces_all(ctypes.CDLL)
def reduce_library(pickler: StatePickler, library: Any) -> Any:
    return type(library), (library._name,)


def _owner(data: Any) -> Any:
    """What the memory of a ctypes object belongs to, if not to itself."""
    if data._b_base_ is not None:
        return data._b_base_
    kept = data._objects
    views = [it for it in kept.values() if type(it) is memoryview] if type(kept) is dict else []
    return views[0].obj if views and not views[0].readonly else None


def is_derived(cls: type) -> bool:
    """A class that ctypes makes from another one (``c_int * 3``): made again the same way."""
    return issubclass(cls, ctypes.Array) and cls.__bases__ == (ctypes.Array,) and cls.__name__.endswith(f"_Array_{cls._length_}")


# What payloads call.


def own(cls: Any, content: bytes) -> Any:
    return cls.from_buffer_copy(content)


def inside(cls: Any, owner: Any, offset: int) -> Any:
    return cls.from_buffer(owner, offset)


def array_of(item: Any, length: int) -> Any:
    made = item * length
    made.__module__ = "__main__"  # where a cell makes it
    return made
