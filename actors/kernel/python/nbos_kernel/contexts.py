"""Context variables, contexts and the tokens that put a variable back.

A variable that an installed module shows is every process's own; one of the notebook travels with its value in the
context that cells run in.
"""

from __future__ import annotations

import contextvars
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nbos_kernel import rebuild
from nbos_kernel.modules import TRACKED
from nbos_kernel.registry import reduces, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

# Variables that were looked for in the modules, and where they are.
_HOMES: dict[int, tuple[Any, tuple[str, str] | None]] = {}
# What unsets a variable that was set here for the first time: there is no other way.
_FIRST: dict[Any, contextvars.Token[Any]] = {}


@reduces(contextvars.ContextVar)
def reduce_variable(_pickler: StatePickler, variable: Any) -> Any:
    home = _home(variable)
    if home is not None:
        return rebuild.singleton, home
    missing = contextvars.Token.MISSING
    default = _default(variable)
    return context_variable, (variable.name, *(() if default is missing else (default,))), variable.get(missing), None, None, set_variable


@reduces(contextvars.Context)
def reduce_context(_pickler: StatePickler, context: Any) -> Any:
    return contextvars.Context, (), list(context.items()), None, None, set_context


@reduces(type(contextvars.Token.MISSING))
def reduce_missing(_pickler: StatePickler, _missing: Any) -> Any:
    return missing_token, ()


@reduces(contextvars.Token)
def reduce_token(_pickler: StatePickler, made: Any) -> Any:
    return token, (made.var, made.old_value, repr(made).startswith("<Token used"))


@reduces("builtins.PyCapsule")
def reduce_capsule(pickler: StatePickler, capsule: Any) -> Any:
    """NumPy keeps its error state in one."""
    numpy = sys.modules.get("numpy")
    if numpy is None or "numpy.ufunc.extobj" not in repr(capsule):
        return pickler.pin(capsule, "it is memory of a compiled library")
    variable = sys.modules["numpy._core._ufunc_config"]._extobj_contextvar

    def read() -> dict[str, Any]:
        variable.set(capsule)
        return {**numpy.geterr(), "call": numpy.geterrcall(), "bufsize": numpy.getbufsize()}

    return numpy_errors, (contextvars.copy_context().run(read),)


@walks(contextvars.ContextVar)
def of_variable(variable: Any) -> tuple[Any, ...]:
    return () if _home(variable) is not None else _without_missing(variable.get(None), _default(variable))


@walks(contextvars.Context)
def of_context(context: Any) -> list[Any]:
    return [part for variable, value in context.items() for part in (*_own(variable), value)]


@walks(contextvars.Token)
def of_token(made: Any) -> tuple[Any, ...]:
    return (*_own(made.var), *_without_missing(made.old_value))


def _own(variable: Any) -> tuple[Any, ...]:
    return () if _home(variable) is not None else (variable,)


def _without_missing(*values: Any) -> tuple[Any, ...]:
    """Every variable without a value shows the same object; it joins nothing."""
    return tuple(it for it in values if it is not contextvars.Token.MISSING)


def _home(variable: Any) -> tuple[str, str] | None:
    """The installed module that shows a variable, and under which name."""
    known = _HOMES.get(id(variable))
    if known is None or known[0] is not variable:
        known = _HOMES[id(variable)] = (variable, _find(variable))
    return known[1]


def _find(variable: Any) -> tuple[str, str] | None:
    for module_name, module in list(sys.modules.items()):
        if module_name != "__main__" and isinstance(module, ModuleType) and TRACKED.identity(module) is None:
            for name, value in list(vars(module).items()):
                if value is variable:
                    return module_name, name
    return None


def _default(variable: Any) -> Any:
    """A context that has no value shows the default."""
    try:
        return contextvars.Context().run(variable.get)
    except LookupError:
        return contextvars.Token.MISSING


# What payloads call.


def missing_token() -> Any:
    return contextvars.Token.MISSING


def context_variable(name: str, *default: Any) -> Any:
    return contextvars.ContextVar(name, default=default[0]) if default else contextvars.ContextVar(name)


def set_variable(variable: Any, value: Any) -> None:
    if value is not contextvars.Token.MISSING:
        first = variable.set(value)
        if first.old_value is contextvars.Token.MISSING:
            _FIRST[variable] = first


def set_context(context: Any, items: list[tuple[Any, Any]]) -> None:
    for variable, value in items:
        context.run(variable.set, value)


def token(variable: Any, old: Any, used: bool) -> Any:
    """A token that puts the variable back to `old`, made by setting it to that for a moment."""
    missing = contextvars.Token.MISSING
    now = variable.get(missing)
    if now is missing:  # made in another context than that of cells: there the variable must stay without a value
        elsewhere = contextvars.Context()
        if old is not missing:
            elsewhere.run(variable.set, old)
        made: contextvars.Token[Any] = elsewhere.run(variable.set, None)
        if used:
            elsewhere.run(variable.reset, made)
        return made
    if old is missing and variable in _FIRST:
        variable.reset(_FIRST.pop(variable))
    elif old is not missing or _default(variable) is not missing:
        variable.set(_default(variable) if old is missing else old)
    made = variable.set(now)
    if used:
        variable.reset(made)
        set_variable(variable, now)
    return made


def numpy_errors(state: dict[str, Any]) -> Any:
    from numpy._core.umath import _make_extobj

    return _make_extobj(**state)
