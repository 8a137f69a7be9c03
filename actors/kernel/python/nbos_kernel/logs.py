"""The logging set-up: levels, handlers and filters of all loggers.

Loggers exist once a process and travel by name; what the notebook attached to them is one member, so that a
handler that a variable holds, or the ``StringIO`` it writes to, stays the same object.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from types import ModuleType
from typing import Any

from nbos_kernel import registry
from nbos_kernel.modules import TRACKED, is_made_here
from nbos_kernel.originals import ORIGINALS
from nbos_kernel.pins import Placeholder
from nbos_kernel.places import PLACE_PREFIX, Place, Scope

MEMBER = PLACE_PREFIX + "logging"
# Calls that set up logging. Handlers that appear without one belong to the library that made the logger.
_SET_UP = frozenset(
    "logging addHandler removeHandler addFilter removeFilter basicConfig dictConfig fileConfig setLevel getLogger "
    "getChild disable propagate disabled handlers filters captureWarnings addLevelName logger log".split()
)
_SETS = frozenset("setLevel propagate disabled basicConfig dictConfig fileConfig".split())
_ATTACHES = frozenset("addHandler addFilter handlers filters basicConfig dictConfig fileConfig".split())
_KNOWN = frozenset("name level parent propagate handlers disabled filters manager _cache".split())
_FRESH = (logging.NOTSET, True, False, (), ())

Entry = tuple[int, bool, bool, tuple[Any, ...], tuple[Any, ...]]


class Logging(Place):
    def __init__(self) -> None:
        self._base: dict[str, Entry] = {}
        self._levels: dict[int, str] = {}
        self._now: tuple[Any, ...] = ()
        self._count = 0

    def ready(self) -> None:
        self._base = {name: _entry(logger) for name, logger in _loggers()}
        self._levels = dict(logging._levelToName)

    def look(self, scope: Scope) -> None:
        entries = []
        named = scope.reaches(_SET_UP)
        if not named and len(logging.root.manager.loggerDict) == self._count:
            return
        self._count = len(logging.root.manager.loggerDict)
        for name, logger in _loggers():
            entry = _entry(logger)
            base = self._base.get(name)
            if base is None:
                # A library that makes its logger with a handler does so in every process.
                home = sys.modules.get(name.partition(".")[0])
                library = isinstance(home, ModuleType) and TRACKED.identity(home) is None
                base = self._base[name] = (*(_FRESH if not scope.names.isdisjoint(_SETS) else entry)[:3],
                                           *(_FRESH if not library and not scope.names.isdisjoint(_ATTACHES) else entry)[3:])
            if entry != base or (type(logger) is not logging.Logger and is_made_here(type(logger))):
                entries.append((name, *entry[:3], entry[3] if entry[3] != base[3] else None,
                                entry[4] if entry[4] != base[4] else None, *_own(logger)))
        levels = tuple(item for item in logging._levelToName.items() if self._levels.get(item[0]) != item[1])
        captures = getattr(logging, "_warnings_showwarning", None) is not None
        threshold = logging.root.manager.disable
        self._now = (tuple(entries), levels, captures, threshold) if entries or levels or captures or threshold else ()

    def members(self) -> dict[str, Any]:
        return {MEMBER: self._now} if self._now else {}

    def owns(self, member: str) -> bool:
        return member == MEMBER

    def install(self, member: str, value: Any) -> None:
        if type(value) is Placeholder:
            return
        entries, levels, captures, threshold = value or ((), (), False, 0)
        found = dict(_loggers())
        for name in found.keys() - {entry[0] for entry in entries}:
            _set(found[name], *self._base.get(name, _FRESH))
        for name, level, propagate, disabled, handlers, filters, cls, extra in entries:
            logger = found.get(name) or logging.getLogger(name)
            base = self._base.setdefault(name, _FRESH if name not in found else _entry(logger))
            _set(logger, level, propagate, disabled, base[3] if handlers is None else handlers, base[4] if filters is None else filters)
            if isinstance(cls, type):
                logger.__class__ = cls
            vars(logger).update(extra)
        for number in [number for number in logging._levelToName if number not in self._levels]:
            logging._nameToLevel.pop(logging._levelToName.pop(number), None)
        for number, text in {**self._levels, **dict(levels)}.items():
            if logging._levelToName.get(number) != text:
                logging.addLevelName(number, text)
        logging._warnings_showwarning = (  # type: ignore[attr-defined]
            (ORIGINALS.saved("warnings", "showwarning") if ORIGINALS.known("warnings", "showwarning") else warnings.showwarning)
            if captures else None)
        logging.root.manager.disable = threshold
        logging.root.manager._clear_cache()  # type: ignore[attr-defined]
        self._now = value

    def remove(self, member: str) -> None:
        self.install(member, ())


def _loggers() -> list[tuple[str, logging.Logger]]:
    known = logging.root.manager.loggerDict
    return [("", logging.root), *((name, it) for name, it in list(known.items()) if isinstance(it, logging.Logger))]


def _entry(logger: logging.Logger) -> Entry:
    return logger.level, logger.propagate, logger.disabled, tuple(logger.handlers), tuple(logger.filters)


def _own(logger: logging.Logger) -> tuple[Any, tuple[Any, ...]]:
    """What a logger of the notebook's own class has beyond others."""
    extra = tuple((name, value) for name, value in vars(logger).items() if name not in _KNOWN)
    return (type(logger) if is_made_here(type(logger)) else None), extra


def _set(logger: logging.Logger, level: int, propagate: bool, disabled: bool, handlers: Any, filters: Any) -> None:
    logger.level, logger.propagate, logger.disabled = level, propagate, disabled
    handlers = [it for it in handlers if type(it) is not Placeholder]
    if logger.handlers != handlers:
        logger.handlers[:] = handlers
    if logger.filters != list(filters):
        logger.filters[:] = [it for it in filters if type(it) is not Placeholder]


def _register(handler: Any) -> None:
    """What ``Handler.__init__`` does beside setting attributes."""
    if not any(reference() is handler for reference in logging._handlerList):  # type: ignore[attr-defined]
        logging._addHandlerRef(handler)  # type: ignore[attr-defined]
    name = getattr(handler, "_name", None)
    if name:
        logging._handlers[name] = handler  # type: ignore[attr-defined]


# A handler's file is opened again, behind what is written.


def set_handler(handler: Any, state: dict[str, Any]) -> None:
    vars(handler).update(state)
    _register(handler)


def file_handler(cls: type) -> Any:
    return cls.__new__(cls)


def set_file_handler(handler: Any, state: dict[str, Any]) -> None:
    opened = state.pop("stream")
    set_handler(handler, state)
    handler.stream = None
    if opened is not None:
        try:
            handler.stream = open(handler.baseFilename, handler.mode.replace("w", "a").replace("x", "a"),  # noqa: SIM115
                                  encoding=handler.encoding, errors=handler.errors)
            handler.stream.mode = handler.mode
        except (OSError, ValueError):
            pass  # opened again when it is written to


@registry.reduces_all("logging.FileHandler")
def _reduce_file_handler(_pickler: Any, handler: logging.FileHandler) -> Any:
    state = {**vars(handler), "stream": None}
    if handler.stream is not None:
        handler.flush()
        state["stream"] = handler.stream.tell()  # changes with each record: the others must not write over it
    state["baseFilename"] = os.path.abspath(handler.baseFilename)
    return file_handler, (type(handler),), state, None, None, set_file_handler


@registry.reduces_all("logging.Handler")
def _reduce_handler(pickler: Any, handler: logging.Handler) -> Any:
    reduced = pickler.ordinary(handler)
    own = len(reduced) > 2 and type(reduced[2]) is dict and not any(reduced[3:])
    if own and not hasattr(type(handler), "__setstate__"):
        return *reduced[:3], None, None, set_handler
    return reduced
