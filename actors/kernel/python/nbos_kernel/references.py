"""Weak references: they do not keep their objects alive where they are loaded either."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from nbos_kernel.registry import reduces, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler


@reduces(weakref.ref)
def reduce_reference(_pickler: StatePickler, reference: weakref.ref[Any]) -> Any:
    return refer, (reference(),) if reference.__callback__ is None else (reference(), reference.__callback__)


@reduces(weakref.WeakMethod)
def reduce_method(_pickler: StatePickler, reference: Any) -> Any:
    return method, (reference(),)


@reduces(weakref.ProxyType, weakref.CallableProxyType)
def reduce_proxy(_pickler: StatePickler, proxy: Any) -> Any:
    return stand_for, (_behind(proxy),)


@reduces(weakref.WeakKeyDictionary, weakref.WeakValueDictionary)
def reduce_mapping(_pickler: StatePickler, mapping: Any) -> Any:
    return empty, (type(mapping),), None, None, iter(list(mapping.items()))


@reduces(weakref.WeakSet)
def reduce_set(_pickler: StatePickler, members: Any) -> Any:
    return empty, (type(members),), list(members), None, None, add_all


@reduces(weakref.finalize)
def reduce_finalize(_pickler: StatePickler, finalizer: Any) -> Any:
    alive = finalizer.peek()
    return (finalize, (*alive, finalizer.atexit)) if alive is not None else (finalize, (None, None, None, None, False))


@walks(weakref.ProxyType, weakref.CallableProxyType)
def of_proxy(proxy: Any) -> tuple[Any, ...]:
    return (_behind(proxy),)


@walks(weakref.WeakMethod)
def of_method(reference: Any) -> tuple[Any, ...]:
    return (reference(),)


@walks(weakref.WeakKeyDictionary, weakref.WeakValueDictionary)
def of_mapping(mapping: Any) -> list[Any]:
    return [part for item in list(mapping.items()) for part in item]


@walks(weakref.WeakSet)
def of_set(members: Any) -> list[Any]:
    return list(members)


@walks(weakref.finalize)
def of_finalize(finalizer: Any) -> tuple[Any, ...]:
    return finalizer.peek() or ()


def _behind(proxy: Any) -> Any:
    try:
        return proxy.__repr__.__self__
    except ReferenceError:
        return None


# What payloads call.


class _Gone:
    """What a reference to something that is gone refers to, for a moment."""

    def method(self) -> None:
        pass


def refer(target: Any, callback: Any = None) -> weakref.ref[Any]:
    return weakref.ref(_Gone() if target is None else target, callback)


def method(target: Any) -> Any:
    return weakref.WeakMethod(_Gone().method if target is None else target)


def stand_for(target: Any) -> Any:
    return weakref.proxy(_Gone() if target is None else target)


def empty(cls: type) -> Any:
    return cls()


def add_all(members: Any, items: list[Any]) -> None:
    for item in items:
        members.add(item)


def finalize(target: Any, func: Any, args: Any, kwargs: Any, at_exit: bool) -> Any:
    if func is None:
        gone = weakref.finalize(_Gone, int)
        gone.detach()
        return gone
    made = weakref.finalize(target, func, *args, **(kwargs or {}))
    made.atexit = at_exit
    return made
