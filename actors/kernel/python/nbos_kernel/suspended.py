"""Generators. One that has not started is made again from its function, one that is finished is finished
everywhere; in between it is the stack of a process, and stays; so does an iterator that draws from it."""

from __future__ import annotations

import gc
import inspect
import itertools
import types
from typing import TYPE_CHECKING, Any

from nbos_kernel.pins import Placeholder
from nbos_kernel.registry import reduces, stays, stays_all

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

_WHY = "it works only in the process that made it"
_ITERATORS = (zip, map, filter, enumerate, *(it for it in vars(itertools).values() if isinstance(it, type)))


@reduces(types.GeneratorType)
def reduce(pickler: StatePickler, generator: types.GeneratorType[Any, Any, Any]) -> Any:
    state = inspect.getgeneratorstate(generator)
    if state == inspect.GEN_CLOSED:
        return finished, (generator.__name__, generator.__qualname__)
    function, arguments = _made_from(generator) if state == inspect.GEN_CREATED else (None, ())
    if function is None:
        return pickler.pin(generator, _WHY)
    return started_anew, (function, arguments, generator.__name__, generator.__qualname__)


@reduces(*_ITERATORS)
def reduce_iterator(pickler: StatePickler, iterator: Any) -> Any:
    """Copies of the parts would not draw from the same source, and making one draws from it."""
    return pickler.pin(iterator, _WHY) if stays(iterator) else pickler.ordinary(iterator)


@stays_all(*_ITERATORS)
def draws_from_what_stays(iterator: Any) -> bool:
    parts = gc.get_referents(iterator)
    parts += [part for it in parts if type(it) is tuple for part in it]
    return any(type(it) is Placeholder or stays(it) for it in parts)


@stays_all(types.GeneratorType)
def has_begun(generator: types.GeneratorType[Any, Any, Any]) -> bool:
    return inspect.getgeneratorstate(generator) not in (inspect.GEN_CLOSED, inspect.GEN_CREATED)


def _made_from(generator: types.GeneratorType[Any, Any, Any]) -> tuple[Any, tuple[Any, ...]]:
    """The function of a generator and what it was called with."""
    code = generator.gi_code
    function = next((it for it in gc.get_referents(generator) if type(it) is types.FunctionType and it.__code__ is code), None)
    if function is None or generator.gi_frame is None:
        return None, ()
    values = dict(generator.gi_frame.f_locals)
    names = code.co_varnames
    count = code.co_argcount + code.co_kwonlyargcount
    many = names[count] if code.co_flags & inspect.CO_VARARGS else None
    keywords = names[count + (many is not None)] if code.co_flags & inspect.CO_VARKEYWORDS else None
    if not all(name in values for name in names[:count]):
        return None, ()
    positional = [values[name] for name in names[:code.co_argcount]]
    named = {name: values[name] for name in names[code.co_argcount:count]}
    return function, ([*positional, *values.get(many, ())], {**named, **values.get(keywords, {})})


# What payloads call.


def _nothing() -> Any:
    yield from ()


def finished(name: str, qualified: str) -> Any:
    made = _nothing()
    list(made)
    made.__name__, made.__qualname__ = name, qualified
    return made


def started_anew(function: Any, arguments: tuple[list[Any], dict[str, Any]], name: str, qualified: str) -> Any:
    made = function(*arguments[0], **arguments[1])
    made.__name__, made.__qualname__ = name, qualified
    return made
