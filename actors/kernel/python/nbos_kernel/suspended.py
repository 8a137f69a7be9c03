"""Generators, asynchronous ones and coroutines. One that has not started is made again from its function, one that is
finished is finished everywhere; in between it is the stack of a process, and stays; so does an iterator that draws from it."""

from __future__ import annotations

import asyncio
import dis
import gc
import inspect
import itertools
import sys
import types
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from nbos_kernel.pins import Placeholder
from nbos_kernel.registry import reduces, stays, stays_all

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

_WHY = "it works only in the process that made it"
_SUSPENDABLE = (types.GeneratorType, types.AsyncGeneratorType, types.CoroutineType)
_ITERATORS = (zip, map, filter, enumerate, type(iter(int, 0)), *(it for it in vars(itertools).values() if isinstance(it, type)))

# What waits inside an entered ``pandas.option_context``, as far as it was captured or made here.
_ENTERED: weakref.WeakSet[Any] = weakref.WeakSet()
# Coroutines nothing has awaited, captured or made here: Python warns when one goes.
_UNAWAITED: weakref.WeakSet[Any] = weakref.WeakSet()


@reduces(*_SUSPENDABLE)
def reduce(pickler: StatePickler, generator: Any) -> Any:
    if _frame(generator) is None:
        return finished, (generator.__name__, generator.__qualname__, *_other_kind(generator))
    if _is_options(generator):
        values = dict(generator.gi_frame.f_locals)
        _ENTERED.add(generator)
        return options_entered, (values["ops"], values["undo"])
    function, arguments = (None, ()) if has_begun(generator) else _made_from(generator)
    if function is None:
        return pickler.pin(generator, _WHY)
    if type(generator) is types.CoroutineType:
        _UNAWAITED.add(generator)
    return started_anew, (function, arguments, generator.__name__, generator.__qualname__)


@reduces(*_ITERATORS)
def reduce_iterator(pickler: StatePickler, iterator: Any) -> Any:
    """Copies of the parts would not draw from the same source, and making one draws from it."""
    return pickler.pin(iterator, _WHY) if stays(iterator) else pickler.ordinary(iterator)


@stays_all(*_ITERATORS)
def draws_from_what_stays(iterator: Any) -> bool:
    parts = gc.get_referents(iterator)
    parts += [part for it in parts if type(it) is tuple for part in it]
    return any(type(it) is Placeholder or stays(getattr(it, "__self__", it) if type(it) is types.BuiltinMethodType else it) for it in parts)


@stays_all(*_SUSPENDABLE)
def has_begun(generator: Any) -> bool:
    return _frame(generator) is not None and (_is_running(generator) or _is_suspended(generator)) and not _is_options(generator)


def _frame(generator: Any) -> Any:
    return getattr(generator, _prefix(generator) + "_frame")


def _is_running(generator: Any) -> bool:
    """Or about to: what a task has runs on from there as soon as the loop gets to it."""
    if getattr(generator, _prefix(generator) + "_running"):
        return True
    return type(generator) is types.CoroutineType and _has_a_task(generator)


def _is_suspended(generator: Any) -> bool:
    known: bool | None = getattr(generator, _prefix(generator) + "_suspended", None)
    if known is not None:
        return known
    # Asynchronous generators tell only since Python 3.12: before its first step a frame stands where it was made.
    frame = _frame(generator)
    return frame.f_lasti >= 0 and dis.opname[frame.f_code.co_code[frame.f_lasti]] != "RETURN_GENERATOR"


def _has_a_task(coroutine: Any) -> bool:
    try:
        return any(task.get_coro() is coroutine for task in asyncio.all_tasks())
    except RuntimeError:  # no loop runs in this thread
        return any(isinstance(it, asyncio.Task) for it in gc.get_referrers(coroutine))


def _prefix(generator: Any) -> str:
    return {types.CoroutineType: "cr", types.AsyncGeneratorType: "ag"}.get(type(generator), "gi")


def _other_kind(generator: Any) -> tuple[str, ...]:
    return () if type(generator) is types.GeneratorType else (_prefix(generator),)


def leave_unawaited(tokens: set[int]) -> None:
    """Those of these objects that are coroutines nothing has awaited end without a warning: elsewhere they live on."""
    for coroutine in [it for it in _UNAWAITED if id(it) in tokens and not has_begun(it)]:
        coroutine.close()


def _is_options(generator: Any) -> bool:
    """Whether it waits inside an entered ``pandas.option_context``, which can be entered again."""
    if type(generator) is not types.GeneratorType:
        return False
    pandas = sys.modules.get("pandas")
    function = getattr(getattr(pandas, "option_context", None), "__wrapped__", None)
    if getattr(function, "__code__", None) is not generator.gi_code or inspect.getgeneratorstate(generator) != inspect.GEN_SUSPENDED:
        return False
    return {"ops", "undo"} <= generator.gi_frame.f_locals.keys()


def leave_options(tokens: set[int]) -> None:
    """Those of these objects that wait inside an entered ``pandas.option_context`` end and put nothing back."""
    for generator in [it for it in _ENTERED if id(it) in tokens and _is_options(it)]:
        with _options_stay(dict(generator.gi_frame.f_locals)["undo"]):
            generator.close()


@contextmanager
def _options_stay(options: tuple[tuple[str, Any], ...]) -> Iterator[None]:
    import pandas

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some may be deprecated
        now = [(name, pandas.get_option(name)) for name, _ in options]
        try:
            yield
        finally:
            for name, value in now:
                pandas.set_option(name, value)


def _made_from(generator: Any) -> tuple[Any, tuple[Any, ...]]:
    """The function of a generator and what it was called with."""
    frame = _frame(generator)
    code = frame.f_code
    function = next((it for it in gc.get_referents(generator) if type(it) is types.FunctionType and it.__code__ is code), None)
    if function is None:
        return None, ()
    values = dict(frame.f_locals)
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


async def _nothing_awaited() -> None:
    pass


async def _nothing_later() -> Any:
    return
    yield


def finished(name: str, qualified: str, kind: str = "gi") -> Any:
    made: Any = {"gi": _nothing, "cr": _nothing_awaited, "ag": _nothing_later}[kind]()
    if kind == "ag":
        with suppress(StopAsyncIteration):
            made.asend(None).send(None)
    else:
        made.close()
    made.__name__, made.__qualname__ = name, qualified
    return made


def options_entered(options: tuple[tuple[str, Any], ...], undo: tuple[tuple[str, Any], ...]) -> Any:
    """Entered from the values that it was entered from; what the options are now stays."""
    import pandas

    with _options_stay(undo):
        for name, value in undo:
            pandas.set_option(name, value)
        made = pandas.option_context.__wrapped__(*[part for option in options for part in option])  # type: ignore[attr-defined]
        next(made)
    _ENTERED.add(made)
    return made


def started_anew(function: Any, arguments: tuple[list[Any], dict[str, Any]], name: str, qualified: str) -> Any:
    made = function(*arguments[0], **arguments[1])
    made.__name__, made.__qualname__ = name, qualified
    if type(made) is types.CoroutineType:
        _UNAWAITED.add(made)
    return made
