"""Functions that no module can give: the notebook's, and those that libraries make inside functions.

A function lives in a dictionary of globals. That of the notebook is the other process's namespace, that
of a library is its module there; only a dictionary that code made for itself travels with the function.
"""

from __future__ import annotations

import functools
import gc
import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cloudpickle import cloudpickle

from nbos_kernel import modules, rebuild
from nbos_kernel.modules import TRACKED
from nbos_kernel.registry import reduces, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

_LRU_CACHE = type(functools.lru_cache(lambda: 0))
# A cache that was hit more often starts with a smaller count: each hit is repeated where it is loaded.
_MOST_REPEATS = 100_000


@reduces(types.FunctionType)
def reduce_function(pickler: StatePickler, func: types.FunctionType) -> Any:
    tracked = TRACKED.of_globals(func.__globals__)
    outside = tracked is None and func.__globals__ is not pickler.namespace
    if outside and cloudpickle._should_pickle_by_reference(func):
        return pickler.by_reference(func)
    cells = func.__closure__
    rebuild.same_code(func.__code__)
    pickler.filled_cells.update(map(id, cells or ()))
    state = {
        "dict": func.__dict__,
        "cells": [contents(cell) for cell in cells or ()],
        "__defaults__": func.__defaults__,
        "__kwdefaults__": func.__kwdefaults__,
        "__annotations__": func.__annotations__,
        "__qualname__": func.__qualname__,
        "__module__": func.__module__,
        "__doc__": func.__doc__,
    }
    if getattr(func, "__type_params__", ()):
        state["__type_params__"] = func.__type_params__
    made: tuple[Any, ...] = (rebuild.function, (func.__code__, func.__name__, cells))
    if tracked is not None:
        made = (modules.function, (tracked, str(func.__globals__.get("__name__")), func.__code__, func.__name__, cells))
    elif outside:
        module = module_of(func.__globals__)
        home = func.__globals__ if module is None else module
        made = (rebuild.function, (func.__code__, func.__name__, cells, home))
    return *made, state, None, None, rebuild.set_function


@reduces(types.MethodType, types.BuiltinFunctionType)
def reduce_method(pickler: StatePickler, method: Any) -> Any:
    """``random.random`` is a method that its module holds: it is that very object everywhere."""
    owner = method.__self__
    if owner is not None and not isinstance(owner, types.ModuleType):
        home, name = sys.modules.get(type(owner).__module__), getattr(method, "__name__", "")
        if home is not None and home.__name__ != "__main__" and vars(home).get(name) is method:
            return rebuild.singleton, (home.__name__, name)
    return pickler.ordinary(method)


@reduces(super)
def reduce_super(_pickler: StatePickler, bound: Any) -> Any:
    parts = {name: object.__getattribute__(bound, name) for name in ("__thisclass__", "__self__")}
    return super, (parts["__thisclass__"], *(() if parts["__self__"] is None else (parts["__self__"],)))


@reduces(functools.partial)
def reduce_partial(pickler: StatePickler, made: Any) -> Any:
    """Not asked for its ``__dict__`` while it has none: a partial of one that has is not joined with it."""
    reduced = made.__reduce__()
    func, args, keywords, attributes = reduced[2]
    return (*reduced[:2], (func, args, keywords, None)) if not attributes else pickler.ordinary(made)


@reduces(types.CellType)
def reduce_cell(pickler: StatePickler, cell: types.CellType) -> Any:
    # The cells of a function are filled by the function, after it exists: it may be in one of them.
    if id(cell) in pickler.filled_cells:
        return rebuild.empty_cell, ()
    return rebuild.empty_cell, (), contents(cell), None, None, rebuild.fill_cell


@reduces(_LRU_CACHE)
def reduce_lru_cache(pickler: StatePickler, wrapper: Any) -> Any:
    func = getattr(wrapper, "__wrapped__", None)
    found = cloudpickle._lookup_module_and_qualname(wrapper, name=getattr(wrapper, "__qualname__", None))
    if func is None or (found is not None and TRACKED.of_globals(vars(found[0])) is None):
        return pickler.ordinary(wrapper)
    attributes = {name: value for name, value in vars(wrapper).items() if name not in ("__wrapped__", "cache_parameters")}
    info = wrapper.cache_info()
    parameters = wrapper.cache_parameters()
    state = (attributes, _cached(wrapper, parameters), info.hits, info.misses)
    return lru_cache, (parameters, func, bool(info.hits or info.misses)), state, None, None, set_lru_cache


def contents(cell: types.CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def module_of(names: dict[str, Any]) -> str | None:
    """The module whose dictionary this is."""
    name = names.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    return name if module is not None and getattr(module, "__dict__", None) is names else None


@reduces(type(functools.cmp_to_key(lambda a, b: 0)))
def reduce_key(_pickler: StatePickler, key: Any) -> Any:
    """What ``functools.cmp_to_key`` gives: a maker of keys, or a key."""
    parts = [it for it in gc.get_referents(key) if it is not type(key)]
    return compared, tuple(parts)


@walks(_LRU_CACHE)
def of_lru_cache(wrapper: Any) -> tuple[Any, ...]:
    """Not what the collector shows: the name of the attribute would join all caches."""
    entries = _cached(wrapper, wrapper.cache_parameters())
    return (*vars(wrapper).values(), *(part for args, kwargs, result in entries for part in (args, kwargs, result)))


def _cached(wrapper: Any, parameters: dict[str, Any]) -> list[tuple[tuple[Any, ...], dict[str, Any], Any]]:
    """Calls and results in a cache, the oldest first. The C code has no access to them; the garbage
    collector is told of each key and its result."""
    size = wrapper.cache_info().currsize
    if not size:
        return []
    shown = gc.get_referents(wrapper)
    entries: list[tuple[Any, Any]]
    if parameters["maxsize"] is None:
        entries = next((list(it.items()) for it in shown if type(it) is dict and len(it) == size and it is not vars(wrapper)), [])
    else:
        start = 1 if shown and isinstance(shown[0], type) else 0
        step = 3 if len(shown) > start + 2 and isinstance(shown[start + 2], type) else 2
        entries = [(shown[at], shown[at + 1]) for at in range(start, start + size * step, step)]
    return [(*_call(key, parameters["typed"]), result) for key, result in entries]


def _call(key: Any, typed: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments a cache key was made from."""
    if not isinstance(key, tuple):
        return (key,), {}
    mark = next((at for at, part in enumerate(key) if part is _KEYWORDS), None)
    if mark is None:
        return (key[:len(key) // 2] if typed else key), {}
    rest = key[mark + 1:]
    if typed:  # followed by the type of every argument and every keyword's value
        pairs = (len(rest) - mark) // 3
        rest = rest[:2 * pairs]
    return key[:mark], dict(zip(rest[::2], rest[1::2]))


def _keywords_mark() -> Any:
    """The object that C's cache puts before keywords in a key."""
    probe = functools.lru_cache(None)(lambda **k: 0)
    probe(k=1)
    (key,) = next(it for it in gc.get_referents(probe) if type(it) is dict and len(it) == 1)
    return key[0]


_KEYWORDS = _keywords_mark()


class Replayed:
    """Stands between a cache that was rebuilt and its function, to fill the cache once."""

    __slots__ = ("function", "results")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.results: list[Any] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.results:
            return self.function(*args, **kwargs)
        result = self.results.pop()
        if result is Replayed:
            raise _Missed
        return result


class _Missed(Exception):
    """Counts as a miss of a cache and leaves nothing in it."""


def lru_cache(parameters: dict[str, Any], func: Any, used: bool) -> Any:
    if not used:
        return functools.lru_cache(**parameters)(func)
    wrapper = functools.lru_cache(**parameters)(Replayed(func))
    wrapper.__wrapped__ = func
    return wrapper


def set_lru_cache(wrapper: Any, state: tuple[dict[str, Any], list[Any], int, int]) -> None:
    attributes, entries, hits, misses = state
    if hits or misses:
        _replay(wrapper, entries, hits, misses)
    wrapper.__dict__.update(attributes)


def _replay(wrapper: Any, entries: list[Any], hits: int, misses: int) -> None:
    replayed = next(it for it in gc.get_referents(wrapper) if type(it) is Replayed)
    for _ in range(min(misses - len(entries), _MOST_REPEATS)):
        replayed.results.append(Replayed)
        try:
            wrapper()
        except _Missed:
            pass
    for args, kwargs, result in entries:
        replayed.results.append(result)
        wrapper(*args, **kwargs)
    if entries:
        args, kwargs, _ = entries[-1]
        for _ in range(min(hits, _MOST_REPEATS)):
            wrapper(*args, **kwargs)
    replayed.results.clear()


def compared(function: Any, *obj: Any) -> Any:
    maker = functools.cmp_to_key(function)
    return maker(*obj) if obj else maker
