"""Which module knows how an object of a class is taken apart, and what hangs from it.

A *reducer* gives the pickle protocol's reduce value of an object; a *walk rule* gives the objects that
hang from it, for the walk that finds what variables share. Both are found by exact class, by the full
name of the class (libraries that may never be loaded), or by the full name of a base class.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

Reducer = Callable[["StatePickler", Any], Any]
Children = Callable[[Any], Iterable[Any]]
Rule = TypeVar("Rule", bound=Callable[..., Any])

_REDUCERS: dict[type | str, Reducer] = {}
_BASE_REDUCERS: dict[type | str, Reducer] = {}
_STAYS: dict[type | str, Callable[[Any], bool]] = {}
_CHILDREN: dict[type | str, Children] = {}


def reduces(*classes: type | str) -> Callable[[Rule], Rule]:
    """The reducer of exactly these classes."""
    return _into(_REDUCERS, classes)


def reduces_all(*bases: type | str) -> Callable[[Rule], Rule]:
    """The reducer of these classes and of everything derived from them."""
    return _into(_BASE_REDUCERS, bases)


def walks(*bases: type | str) -> Callable[[Rule], Rule]:
    """The walk rule of these classes and of everything derived from them."""
    return _into(_CHILDREN, bases)


def stays_all(*bases: type | str) -> Callable[[Rule], Rule]:
    """Tells whether an object of these classes cannot leave this process."""
    return _into(_STAYS, bases)


def stays(obj: Any) -> bool:
    """Whether it is known beforehand that an object will be pinned."""
    asked = _asked(type(obj))
    return asked is not None and asked(obj)


@functools.lru_cache(maxsize=4096)
def _asked(cls: type) -> Callable[[Any], bool] | None:
    return _of_base(_STAYS, cls)


@functools.lru_cache(maxsize=4096)
def reducer(cls: type) -> Reducer | None:
    found = _REDUCERS.get(cls) or _REDUCERS.get(full_name(cls)) or _REDUCERS.get("*." + cls.__qualname__)
    return found or _of_base(_BASE_REDUCERS, cls)


@functools.lru_cache(maxsize=4096)
def children(cls: type) -> Children | None:
    return _of_base(_CHILDREN, cls)


def full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _of_base(rules: dict[type | str, Any], cls: type) -> Any:
    for base in cls.__mro__:
        found = rules.get(base) or rules.get(full_name(base))
        if found is not None:
            return found
    return None


def _into(rules: dict[type | str, Any], keys: tuple[type | str, ...]) -> Callable[[Rule], Rule]:
    def add(rule: Rule) -> Rule:
        rules.update(dict.fromkeys(keys, rule))
        return rule

    return add
