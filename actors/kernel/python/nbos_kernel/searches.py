"""A search of a regular expression half-way through its text: what ``finditer`` gives, and ``Pattern.scanner``.

Python does not say where such a search is. Its memory does, laid out the same way in the versions this was tried
with; `_layout_holds` asks a search whose place is known, and without the right answer searches stay where they
are. Elsewhere the search is begun again and goes on to the same place.
"""

from __future__ import annotations

import ctypes
import functools
import re
import sys
from typing import TYPE_CHECKING, Any

from nbos_kernel.registry import reduces, stays_all, walks
from nbos_kernel.values import short_text

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

_SCANNER = type(re.compile("").scanner(""))
# Which of its two methods the notebook goes on with is not noted; mostly it is one of them all the way.
_METHODS = ("search", "match")
_WHY = "it does not tell where in its text it is"

Place = tuple[int | None, int]


class _Scanner(ctypes.Structure):
    """The head of ``ScannerObject`` in ``sre.h``."""

    _fields_ = (
        ("head", ctypes.c_byte * object.__basicsize__), ("pattern", ctypes.c_void_p),
        ("ptr", ctypes.c_void_p), ("beginning", ctypes.c_void_p), ("start", ctypes.c_void_p), ("end", ctypes.c_void_p),
        ("string", ctypes.c_void_p), ("buffer", ctypes.c_byte * (10 * ctypes.sizeof(ctypes.c_void_p))),
        ("pos", ctypes.c_ssize_t), ("endpos", ctypes.c_ssize_t), ("isbytes", ctypes.c_int), ("charsize", ctypes.c_int),
        ("match_all", ctypes.c_int), ("must_advance", ctypes.c_int),
    )


def _text(search: Any) -> Any:
    return ctypes.cast(_Scanner.from_address(id(search)).string, ctypes.py_object).value


def _bounds(search: Any) -> tuple[int, int]:
    found = _Scanner.from_address(id(search))
    return found.pos, found.endpos


def _place(search: Any) -> Place:
    """Where the next match may begin, in bytes (None: there is no further one), and whether an empty one there was had already."""
    found = _Scanner.from_address(id(search))
    return (None, 0) if found.start is None else (found.start - found.beginning, found.must_advance)


@functools.cache
def _layout_holds() -> bool:
    if sys.implementation.name != "cpython" or _SCANNER.__basicsize__ < ctypes.sizeof(_Scanner):
        return False
    text = "\u20acbxbb"  # two bytes a character
    search = re.compile("b*").scanner(text, 1, 99)
    found = _Scanner.from_address(id(search))
    if found.pattern != id(search.pattern) or found.string != id(text) or (found.pos, found.endpos, found.charsize) != (1, 5, 2):
        return False
    places = [_place(search)]
    while search.search():
        places.append(_place(search))
    return [*places, _place(search)] == [(2, 0), (4, 0), (4, 1), (10, 0), (10, 1), (None, 0)]


@stays_all(_SCANNER)
def stays_here(_search: Any) -> bool:
    return not _layout_holds()


@walks(_SCANNER)
def below(search: Any) -> tuple[Any, ...]:
    return (search.pattern, _text(search)) if _layout_holds() else ()


@reduces(_SCANNER)
def reduce(pickler: StatePickler, search: Any) -> Any:
    if not _layout_holds():
        return pickler.pin(search, _WHY)
    for how in _METHODS:
        where = (search.pattern, _text(search), *_bounds(search), how, _place(search))
        try:
            again(*where)
        except LookupError:
            continue
        return again, where
    return pickler.pin(search, "the matches it gave cannot be found again")


def shown(search: Any) -> tuple[str, list[tuple[str, Any]]]:
    """For the audit."""
    return f"search {_bounds(search)} {_place(search)}", [(".pattern", search.pattern), ("<text>", _text(search))]


# What payloads call.


def again(pattern: Any, text: Any, start: int, end: int, how: str, place: Place) -> Any:
    search = pattern.scanner(short_text(text), start, end)
    step = getattr(search, how)
    while _place(search) != place:
        if step() is None and _place(search) != place:
            raise LookupError(pattern)
    return search
