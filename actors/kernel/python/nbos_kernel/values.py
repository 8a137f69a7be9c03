"""Small objects of the standard library that pickle refuses or that would lose what they are."""

from __future__ import annotations

import array
import datetime
import random
import re
import struct
import sys
import types
import typing
from typing import TYPE_CHECKING, Any

from cloudpickle import cloudpickle

from nbos_kernel import modules
from nbos_kernel.kinds import SHARED_BYTES
from nbos_kernel.registry import reduces, reduces_all, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler


@reduces(struct.Struct)
def reduce_struct(_pickler: StatePickler, made: struct.Struct) -> Any:
    return struct.Struct, (made.format,)


@reduces(typing.NewType)
def reduce_new_type(pickler: StatePickler, made: Any) -> Any:
    if cloudpickle._lookup_module_and_qualname(made, name=made.__qualname__) is not None:
        return pickler.ordinary(made)
    return new_type, (made.__name__, made.__supertype__, made.__module__)


@reduces(typing.TypeVar, typing.ParamSpec, typing.TypeVarTuple)
def reduce_type_variable(pickler: StatePickler, made: Any) -> Any:
    if cloudpickle._lookup_module_and_qualname(made, name=made.__name__) is not None:
        return pickler.ordinary(made)
    kind = type(made)
    if kind is typing.TypeVarTuple:
        return type_variable, (kind, made.__name__, (), {}, made.__module__)
    options = {"bound": made.__bound__, "covariant": made.__covariant__, "contravariant": made.__contravariant__}
    constraints = made.__constraints__ if kind is typing.TypeVar else ()
    return type_variable, (kind, made.__name__, constraints, options, made.__module__)


@reduces(re.Pattern)
def reduce_pattern(pickler: StatePickler, pattern: Any) -> Any:
    """As the notebook wrote it, so that the module's cache gives the same object for it."""
    if pattern.pattern is None:
        return pickler.pin(pattern, "it was put together from others, and has no text")
    return re.compile, (pattern.pattern, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, str) else pattern.flags)


@reduces(re.Match)
def reduce_match(pickler: StatePickler, match: Any) -> Any:
    for how in ("match", "fullmatch", "finditer"):
        where = (match.re, how, match.string, match.pos, match.endpos, match.regs)
        try:
            match_again(*where)
        except LookupError:
            continue
        return match_again, where
    return pickler.pin(match, "the search that made it cannot be repeated")


@reduces("re.Scanner")
def reduce_scanner(_pickler: StatePickler, scanner: Any) -> Any:
    """Its pattern is put together from the others, and has no text of its own."""
    return scanner_of, (scanner.lexicon, scanner.scanner.flags)


@reduces(array.array)
def reduce_array(_pickler: StatePickler, items: Any) -> Any:
    return array.array, (items.typecode, items.tobytes())


@reduces_all(types.ModuleType)
def reduce_module(pickler: StatePickler, module: Any) -> Any:
    return modules.reduced(module) or pickler.ordinary(module)


@reduces("_hashlib.HASH", "_hashlib.HMAC", "zlib.Compress", "zlib.Decompress", "_bz2.BZ2Compressor", "_lzma.LZMACompressor",
         "builtins.SuperLU")
def reduce_stream(pickler: StatePickler, stream: Any) -> Any:
    return pickler.pin(stream, "its state is inside a C library")


@reduces(random.SystemRandom)
def reduce_system_random(_pickler: StatePickler, _source: Any) -> Any:
    return random.SystemRandom, ()


@walks(datetime.datetime, datetime.time)
def of_time(moment: Any) -> tuple[Any, ...]:
    return (moment.tzinfo, *(getattr(moment, "__dict__", None) or {}).values())


@walks(typing.TypeVar, typing.ParamSpec)
def of_type_variable(made: Any) -> tuple[Any, ...]:
    return (made.__bound__, *getattr(made, "__constraints__", ()))


# What payloads call.


def new_type(name: str, supertype: Any, module: str) -> Any:
    made = typing.NewType(name, supertype)
    made.__module__ = module
    return made


def type_variable(kind: Any, name: str, constraints: tuple[Any, ...], options: dict[str, Any], module: str) -> Any:
    made = kind(name, *constraints, **options)
    made.__module__ = module
    return made


def scanner_of(lexicon: Any, flags: int) -> Any:
    return re.Scanner(lexicon, flags)  # type: ignore[attr-defined]


def short_text(text: Any) -> Any:
    """The one object that a variable with this text is, too (`apply`)."""
    return sys.intern(text) if type(text) is str and len(text) < SHARED_BYTES else text


def match_again(pattern: Any, how: str, text: Any, start: int, end: int, regs: Any) -> Any:
    text = short_text(text)
    found = getattr(pattern, how)(text, start, end)
    for match in found if how == "finditer" else (found,):
        if match is not None and match.regs == regs:
            return match
    raise LookupError(pattern)
