"""numpy arrays: one copy of the memory, views stay views.

numpy's own pickles lose the relation between an array and its views, and give back arrays that do not
own their memory. Both can be noticed by the next cell.
"""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any


def reduce(array: Any, shared: Counter[int]) -> Any:
    """A reduce value for an exact ``numpy.ndarray``, or NotImplemented to let numpy do it.

    `shared` counts, for each owner of memory, the arrays of this pickle that lie in it.
    """
    if array.dtype.hasobject or array.size == 0 or array.dtype.itemsize == 0:
        return NotImplemented
    root = array
    while type(root.base) is type(array):
        root = root.base
    if root is not array and shared[id(root)] > 1 and not root.dtype.hasobject and root.size:
        order = "C" if root.flags.c_contiguous else "F" if root.flags.f_contiguous else None
        if order is not None:
            offset = array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
            layout = (offset, array.shape, array.strides, array.dtype, bool(array.flags.writeable))
            return view, (root, *layout)
    owner = root.base.obj if isinstance(root.base, memoryview) else root.base
    if isinstance(owner, bytearray) and array.flags.c_contiguous:
        offset = _offset_in(array, owner)
        if offset is not None:
            return over_bytearray, (owner, offset, array.shape, array.dtype)
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    flat = array.ravel(order=order).view("u1")  # no copy when contiguous
    return own, (pickle.PickleBuffer(flat), array.dtype, array.shape, order, bool(array.flags.writeable))


def _offset_in(array: Any, owner: bytearray) -> int | None:
    import numpy

    start = numpy.frombuffer(owner, "u1").__array_interface__["data"][0]
    offset = int(array.__array_interface__["data"][0] - start)
    return offset if 0 <= offset and offset + array.nbytes <= len(owner) else None


def own(data: Any, dtype: Any, shape: tuple[int, ...], order: str, writeable: bool) -> Any:
    """An array that owns its memory."""
    import numpy

    array = numpy.empty(shape, dtype, order)
    array.ravel(order="K").view("u1")[:] = numpy.frombuffer(data, "u1")
    if not writeable:
        array.flags.writeable = False
    return array


def view(root: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any, writeable: bool) -> Any:
    """An array in the memory of another one."""
    import numpy

    # Contiguous, so both are views; numpy then names the root itself as the base of what lies in them.
    memory = root.ravel(order="K").view("u1")
    made = numpy.ndarray(shape, dtype, memory, offset, strides)
    if not writeable:
        made.flags.writeable = False
    return made


def over_bytearray(owner: bytearray, offset: int, shape: tuple[int, ...], dtype: Any) -> Any:
    """An array in the memory of a bytearray."""
    import numpy

    return numpy.ndarray(shape, dtype, buffer=owner, offset=offset)
