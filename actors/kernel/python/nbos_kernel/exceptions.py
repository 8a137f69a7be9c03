"""Exceptions with their causes, contexts and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbos_kernel.registry import reduces_all, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler


@reduces_all(BaseException)
def reduce(_pickler: StatePickler, error: BaseException) -> Any:
    state = {"args": error.args, "cause": error.__cause__, "context": error.__context__,
             "suppress": error.__suppress_context__, "dict": dict(error.__dict__), "fields": _fields(error),
             "traceback": error.__traceback__}
    return make, (type(error), *_new_arguments(error)), state, None, None, fill


def _new_arguments(error: BaseException) -> tuple[Any, ...]:
    if isinstance(error, BaseExceptionGroup):
        return (error.message, error.exceptions)
    return ()


# What C classes keep outside `__dict__`, by class.
_FIELDS: tuple[tuple[type[BaseException], tuple[str, ...]], ...] = (
    (OSError, ("errno", "strerror", "filename", "filename2")),
    (StopIteration, ("value",)),
    (SystemExit, ("code",)),
    (ImportError, ("msg", "name", "path")),
    (NameError, ("name",)),
    (AttributeError, ("name", "obj")),
    (SyntaxError, ("msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset", "print_file_and_line")),
    (UnicodeDecodeError, ("encoding", "object", "start", "end", "reason")),
    (UnicodeEncodeError, ("encoding", "object", "start", "end", "reason")),
    (UnicodeTranslateError, ("object", "start", "end", "reason")),
)


def _fields(error: BaseException) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for cls, names in _FIELDS:
        if isinstance(error, cls):
            for name in names:
                value = getattr(error, name, None)
                if value is not None:
                    fields[name] = value
    return fields


@walks(BaseException)
def children(error: BaseException) -> tuple[Any, ...]:
    """Not the traceback: its frames hold the whole namespace."""
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return (error.args, error.__cause__, error.__context__, error.__dict__, inner, *_fields(error).values())


# What payloads call.


def make(cls: type[BaseException], *arguments: Any) -> BaseException:
    """An exception without its constructor, which may take other arguments than ``args``."""
    maker = next(c.__new__ for c in cls.__mro__ if "__new__" in vars(c) and isinstance(c.__new__, type(object.__new__)))
    made: BaseException = maker(cls, *arguments)  # type: ignore[call-arg]
    return made


def fill(error: BaseException, state: dict[str, Any]) -> None:
    error.__cause__, error.__context__ = state["cause"], state["context"]
    error.__suppress_context__ = state["suppress"]
    error.args = state["args"]
    error.__traceback__ = state["traceback"]
    for name, value in state["fields"].items():
        try:
            setattr(error, name, value)
        except (AttributeError, TypeError):
            pass  # a property of the notebook's class, without a setter
    error.__dict__.update(state["dict"])
