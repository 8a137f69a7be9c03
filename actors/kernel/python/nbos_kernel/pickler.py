"""One group to bytes, and back.

The payload of a group is ``u32le skeleton length | skeletons | state``. The skeletons are a pickled
list (empty for most groups), the state is one pickle of ``(variables, class states)``: one pickle, so
that aliases survive. An object that cannot be pickled is replaced where it hangs, never with the rest.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import copyreg
import functools
import gc
import io
import os
import pickle
import socket
import struct
import subprocess
import threading
import types
import typing
import weakref
from typing import Any

import cloudpickle as cloudpickle_package
from cloudpickle import cloudpickle
from IPython.core.interactiveshell import InteractiveShell

from nbos_kernel import arrays, rebuild
from nbos_kernel.pins import BOOK, Pin, Placeholder, pin_of
from nbos_kernel.singletons import Singletons
from nbos_kernel.kinds import is_notebook_class
from nbos_kernel.walk import Facts


# Their state pickles, or would: what makes them work does not travel with it.
_STAY = (
    threading.Thread, threading.local, socket.socket, subprocess.Popen, asyncio.Future, asyncio.AbstractEventLoop,
    concurrent.futures.Executor, concurrent.futures.Future,
)
_LOCK, _RLOCK = type(threading.Lock()), type(threading.RLock())
_LRU_CACHE = type(functools.lru_cache(lambda: 0))
_WHY_LENGTH = 200  # an exception's text goes into the log and on the cell's stderr


class Variable:
    """Marks in the pickled tree where a variable begins, so that a pin can name it."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: Any) -> None:
        self.name = name
        self.value = value


class StatePickler(cloudpickle_package.Pickler):
    """cloudpickle with the notebook's rules; see the package docstring for who does what."""

    def __init__(self, sink: Any, namespace: dict[str, Any], singletons: Singletons, facts: Facts) -> None:
        super().__init__(sink, protocol=5)
        self.pins: dict[tuple[str, str], Pin] = {}
        self.name = ""
        self._namespace = namespace
        self._singletons = singletons
        self._facts = facts
        self._filled_cells: set[int] = set()
        self._plain: set[type] = set()
        self._reducers: dict[type, Any] = {}

    def reducer_override(self, obj: Any) -> Any:
        cls = type(obj)
        if cls in self._plain:
            return self._ordinary(obj)
        special = _BY_TYPE.get(cls)
        if special is not None:
            return special(self, obj)
        if issubclass(cls, type):
            if is_notebook_class(obj):
                return rebuild.class_by_id, (cloudpickle._get_or_create_tracker_id(obj),)
            if obj.__module__ in ("builtins", "types") or cloudpickle._should_pickle_by_reference(obj):
                return super().reducer_override(obj)
            return self.pin(obj, "its module does not show it under its name")
        if cls.__module__ == "numpy" and cls.__name__ == "ndarray":
            reduced = arrays.reduce(obj, self._facts.arrays)
            return self._ordinary(obj) if reduced is NotImplemented else reduced
        if isinstance(obj, _STAY):
            return self.pin(obj, "it works only in the process that made it")
        if isinstance(obj, InteractiveShell):
            return rebuild.shell, ()
        if isinstance(obj, BaseException):
            return self._exception(obj)
        found = self._singletons.find(obj)
        if found is not None:
            return rebuild.singleton, found
        if is_notebook_class(cls):
            self._plain.add(cls)  # none of the above can hold for another instance
        return self._ordinary(obj)

    def pin(self, obj: Any, why: str) -> Any:
        """Replace an object by a placeholder."""
        return self._reduce_pin(BOOK.pin(obj, self.name, " ".join(why.split())[:_WHY_LENGTH]))

    def _reduce_pin(self, pin: Pin) -> Any:
        self.pins.setdefault((self.name, pin.id), pin)
        return rebuild.pinned, (pin.id, pin.name, pin.type, pin.why, *BOOK.home(pin))

    def _ordinary(self, obj: Any) -> Any:
        """What the pickle protocol says, asked here so that a refusal costs only this object."""
        try:
            cls = type(obj)
            if cls in self._reducers:
                by_type = self._reducers[cls]
            else:
                by_type = self._reducers[cls] = self.dispatch_table.get(cls)
            reduced = by_type(obj) if by_type is not None else obj.__reduce_ex__(5)
            if isinstance(reduced, str):
                if cloudpickle._lookup_module_and_qualname(obj, name=reduced) is None:
                    raise pickle.PicklingError(f"it is not found as {reduced}")
            elif not isinstance(reduced, tuple) or not 2 <= len(reduced) <= 6:
                raise pickle.PicklingError("its __reduce__ does not give a tuple")
            elif reduced[0] is copyreg.__newobj__ and hasattr(cls, "__getattr__") and len(reduced) > 2:  # type: ignore[attr-defined]
                if reduced[2] is not None and not hasattr(cls, "__setstate__"):
                    # The unpickler would ask the still empty object for __setstate__; a proxy recurses for ever.
                    reduced = (*reduced[:3], *reduced[3:5], *(None,) * (5 - len(reduced)), rebuild.set_state)
        except (RecursionError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - user code
            return self.pin(obj, str(error) or type(error).__name__)
        return reduced

    def _variable(self, variable: Variable) -> Any:
        self.name = variable.name
        return rebuild.value, (variable.value,)

    def _placeholder(self, obj: Placeholder) -> Any:
        return self._reduce_pin(pin_of(obj))

    def _function(self, func: types.FunctionType) -> Any:
        if func.__globals__ is not self._namespace:
            return self._function_reduce(func)
        cells = func.__closure__
        self._filled_cells.update(map(id, cells or ()))
        state = {
            "dict": func.__dict__,
            "cells": [_contents(cell) for cell in cells or ()],
            "__defaults__": func.__defaults__,
            "__kwdefaults__": func.__kwdefaults__,
            "__annotations__": func.__annotations__,
            "__qualname__": func.__qualname__,
            "__module__": func.__module__,
            "__doc__": func.__doc__,
        }
        if getattr(func, "__type_params__", ()):
            state["__type_params__"] = func.__type_params__
        return rebuild.function, (func.__code__, func.__name__, cells), state, None, None, rebuild.set_function

    def _cell(self, cell: types.CellType) -> Any:
        # The cells of a function are filled by the function, after it exists: it may be in one of them.
        if id(cell) in self._filled_cells:
            return rebuild.empty_cell, ()
        return rebuild.empty_cell, (), _contents(cell), None, None, rebuild.fill_cell

    def _exception(self, error: BaseException) -> Any:
        if not is_notebook_class(type(error)) and type(error).__reduce__ is not BaseException.__reduce__:
            return self._ordinary(error)
        state = {"args": error.args, "cause": error.__cause__, "context": error.__context__,
                 "suppress": error.__suppress_context__, "dict": error.__dict__}
        return rebuild.exception, (type(error), error.args), state, None, None, rebuild.set_exception

    def _lock(self, lock: Any) -> Any:
        return rebuild.lock, (lock.locked(),)

    def _rlock(self, _lock: Any) -> Any:
        return rebuild.rlock, ()

    def _lru_cache(self, wrapper: Any) -> Any:
        func = wrapper.__wrapped__
        if cloudpickle._should_pickle_by_reference(func):
            return self._ordinary(wrapper)
        attributes = {name: value for name, value in vars(wrapper).items() if name != "__wrapped__"}
        return rebuild.lru_cache, (wrapper.cache_parameters(), func), attributes, None, None, rebuild.set_lru_cache

    def _weak(self, reference: weakref.ref[Any]) -> Any:
        target = reference()
        return (rebuild.weak_reference, (target,)) if target is not None else self.pin(reference, "what it refers to is gone")

    def _memory(self, memory: memoryview) -> Any:
        whole = memory.c_contiguous and memory.format == "B" and memory.nbytes == memoryview(memory.obj).nbytes
        return memoryview, (memory.obj if whole else memory.tobytes(),)

    def _new_type(self, made: Any) -> Any:
        if cloudpickle._lookup_module_and_qualname(made, name=made.__qualname__) is not None:
            return self._ordinary(made)
        return rebuild.new_type, (made.__name__, made.__supertype__, made.__module__)

    def _struct(self, made: struct.Struct) -> Any:
        return struct.Struct, (made.format,)

    def _dict_view(self, view: Any) -> Any:
        owner = next((it for it in gc.get_referents(view) if isinstance(it, dict)), None)
        if owner is None:
            return self._ordinary(view)
        return rebuild.dict_view, (owner, type(view).__name__.rpartition("_")[2])

    def _memory_file(self, file: Any) -> Any:
        return (rebuild.closed_memory_file, (type(file),)) if file.closed else self._ordinary(file)

    def _file(self, file: Any) -> Any:
        found = self._singletons.find(file)
        if found is not None:
            return rebuild.singleton, found
        name, mode = getattr(file, "name", None), getattr(file, "mode", "r")
        if not isinstance(name, str) or not os.path.isfile(name):
            return self.pin(file, "it is not a regular file")
        if file.closed:
            return rebuild.closed_file, (name, mode)
        if mode not in ("r", "rb", "rt"):
            return self.pin(file, "a file open for writing belongs to one process")
        options = {"encoding": file.encoding, "errors": file.errors} if isinstance(file, io.TextIOWrapper) else {}
        try:
            return rebuild.read_file, (os.path.abspath(name), mode, file.tell(), options)
        except OSError as error:
            return self.pin(file, str(error))


_BY_TYPE = {
    Variable: StatePickler._variable, Placeholder: StatePickler._placeholder, types.FunctionType: StatePickler._function,
    types.CellType: StatePickler._cell, _LOCK: StatePickler._lock, _RLOCK: StatePickler._rlock,
    _LRU_CACHE: StatePickler._lru_cache, weakref.ref: StatePickler._weak, memoryview: StatePickler._memory,
    io.TextIOWrapper: StatePickler._file, io.BufferedReader: StatePickler._file, io.BufferedWriter: StatePickler._file,
    typing.NewType: StatePickler._new_type, struct.Struct: StatePickler._struct,
    **dict.fromkeys((type({}.keys()), type({}.values()), type({}.items())), StatePickler._dict_view),
    io.StringIO: StatePickler._memory_file, io.BytesIO: StatePickler._memory_file,
    io.BufferedRandom: StatePickler._file, io.FileIO: StatePickler._file,
}


class ByNamePickler(StatePickler):
    """For the few groups that reach an object of builtin type that travels by name (the namespace
    itself, ``sys.path``): asking for every list and dict costs too much for the others."""

    def __init__(self, sink: Any, namespace: dict[str, Any], singletons: Singletons, facts: Facts, by_name: dict[int, str]) -> None:
        super().__init__(sink, namespace, singletons, facts)
        self._by_name = by_name

    def persistent_id(self, obj: Any) -> str | None:
        return self._by_name.get(id(obj))


class StateUnpickler(pickle.Unpickler):
    def __init__(self, file: Any, named: dict[str, Any]) -> None:
        super().__init__(file)
        self._named = named

    def persistent_load(self, pid: str) -> Any:
        return self._named[pid]


def _contents(cell: types.CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()
