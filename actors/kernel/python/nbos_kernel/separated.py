"""csv: a reader goes on at its line, a writer goes on writing to where it wrote."""

from __future__ import annotations

import csv
import gc
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nbos_kernel.pins import Placeholder
from nbos_kernel.registry import reduces, stays, stays_all, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

_DIALECT: Any = type(csv.get_dialect("excel"))
_READER: Any = type(csv.reader(()))
_WRITER: Any = type(csv.writer(types.SimpleNamespace(write=len)))
_OPTIONS = ("delimiter", "doublequote", "escapechar", "lineterminator", "quotechar", "quoting", "skipinitialspace", "strict")
# Each line that was read is counted once more where the reader is loaded: a second for some ten million.
_MOST_LINES = 10_000_000


@reduces(_DIALECT)
def reduce_dialect(_pickler: StatePickler, made: Any) -> Any:
    """Nothing of it can be changed; the one that is registered under a name is shared by all who use that name."""
    name = next((name for name in csv.list_dialects() if csv.get_dialect(name) is made), None)
    return dialect, (_options(made), name)


@reduces(_READER)
def reduce_reader(pickler: StatePickler, made: Any) -> Any:
    source = _source(made)
    if source is None or stays(made):
        return pickler.pin(made, "what it reads works only in the process that made it")
    if made.line_num > _MOST_LINES:
        return pickler.pin(made, "it has read too many lines to count them again")
    return reader, (made.dialect, made.line_num), source, None, None, set_source


@reduces(_WRITER)
def reduce_writer(pickler: StatePickler, made: Any) -> Any:
    write = next((it for it in gc.get_referents(made) if not isinstance(it, (type, _DIALECT))), None)
    return (writer, (made.dialect, write)) if write is not None else pickler.pin(made, "what it writes to is not known")


@stays_all(_READER)
def reads_what_stays(made: Any) -> bool:
    source = _source(made)
    return type(source) is Placeholder or stays(source)


@walks(_READER)
def of_reader(made: Any) -> tuple[Any, ...]:
    return (_source(made),)


def _options(made: Any) -> dict[str, Any]:
    return {name: getattr(made, name) for name in _OPTIONS}


def _source(made: Any) -> Any:
    """What a reader draws its lines from; only the collector is told. A row that it gave is never the source."""
    found = next((it for it in gc.get_referents(made) if not isinstance(it, (type, list, _DIALECT))), None)
    return found.source if type(found) is Lines else found


# What payloads call.


class Lines:
    """Lines that count and give nothing, then those of a source."""

    __slots__ = ("empty", "source")

    def __init__(self, empty: int) -> None:
        self.empty = empty
        self.source: Iterator[str] = iter(())

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        if self.empty:
            self.empty -= 1
            return ""
        return next(self.source)


def dialect(options: dict[str, Any], name: str | None) -> Any:
    found = csv.get_dialect(name) if name in csv.list_dialects() else None  # type: ignore[arg-type]
    return found if found is not None and _options(found) == options else _DIALECT(**options)


def reader(made_of: Any, lines: int) -> Any:
    made = csv.reader(Lines(lines), made_of)
    for _ in range(lines):
        next(made)
    return made


def set_source(made: Any, source: Any) -> None:
    lines: Any = next(it for it in gc.get_referents(made) if type(it) is Lines)
    lines.source = source


def writer(made_of: Any, write: Any) -> Any:
    return csv.writer(types.SimpleNamespace(write=write), made_of)
