"""Instances of the notebook's classes, as they are.

A class's own pickle hooks say what its author wants to survive a file; here nothing may be lost, nothing may run
twice, and no code of the notebook has a reason to run at all. The hooks are used only where they are the
one way: when an attribute is of a kind that cannot leave this process.
"""

from __future__ import annotations

import collections
import copyreg
import sys
import types
from collections.abc import Callable
from typing import Any

from nbos_kernel import registry
from nbos_kernel.kinds import ATOMS, is_notebook_class

_HOOKS = ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__")
# Where the notebook defines one of these, making an instance the usual way would run it.
_INTERCEPTORS = ("__new__", "__setattr__", "__getattr__", "__getattribute__", "__hash__", *_HOOKS)

_IMMUTABLE: dict[type, Callable[[Any], Any]] = {
    int: int.__int__, float: float.__float__, str: str.__str__, complex: lambda it: complex.__add__(it, 0j),
    bytes: lambda it: bytes.__getitem__(it, slice(None)), tuple: lambda it: tuple.__getitem__(it, slice(None)),
    frozenset: lambda it: frozenset(frozenset.__iter__(it)),
}
_CONTENT: dict[type, Callable[[Any], Any]] = {
    collections.OrderedDict: lambda it: list(collections.OrderedDict.items(it)),
    collections.defaultdict: lambda it: (it.default_factory, dict.copy(it)),
    dict: dict.copy, list: lambda it: list.__getitem__(it, slice(None)), set: lambda it: list(set.__iter__(it)),
    collections.deque: lambda it: (collections.deque.maxlen.__get__(it), list(collections.deque.__iter__(it))),  # type: ignore[attr-defined]
    bytearray: lambda it: bytes(memoryview(it)),
}
_BUILTIN = (*_IMMUTABLE, *_CONTENT, object)


class Shape:
    """What is known of a class, for one pickle."""

    __slots__ = ("base", "early", "hooks", "raw", "slots")

    def __init__(self, cls: type) -> None:
        mro = cls.__mro__
        notebook = [c for c in mro if is_notebook_class(c)]
        others = [c for c in mro if c not in notebook]
        # The builtin type that gives the instances their memory.
        self.base: type = next((c for c in others if c in _BUILTIN and c is not object), object)
        definers = {name: next((c for c in mro if name in vars(c)), None) for name in _HOOKS}
        self.hooks = any(c in notebook for c in definers.values())
        of_library = any(c is not None and c not in notebook and c not in _BUILTIN for c in definers.values())
        compiled = any(not c.__flags__ & 1 << 9 and c not in _BUILTIN for c in others)
        defined = {name for c in notebook for name in vars(c)}
        # Looked up without asking the class, which may make up an answer (mock). A class that defines only __eq__
        # has None there: nothing to call.
        hashing = next((vars(c)["__hash__"] for c in mro if "__hash__" in vars(c)), None)
        self.early = hashing is not None and any("__hash__" in vars(c) for c in notebook)
        intercepted = not defined.isdisjoint(_INTERCEPTORS) or self.base is not object or cls in copyreg.dispatch_table
        self.raw = intercepted and not of_library and not compiled
        self.slots = [
            name for c in mro if c.__flags__ & 1 << 9 for name, it in vars(c).items()
            if isinstance(it, types.MemberDescriptorType) and it.__objclass__ is c
        ] if self.raw else []


def attributes_of(obj: Any) -> dict[str, Any] | None:
    try:
        found = object.__getattribute__(obj, "__dict__")
    except AttributeError:
        return None
    return found if isinstance(found, dict) else None


def _holders(obj: Any) -> int:
    try:
        return sys.getrefcount(object.__getattribute__(obj, "__dict__"))
    except AttributeError:
        return 0


class _Probe:
    pass


_ALONE = _holders(_Probe())


def shares_attributes(obj: Any) -> bool:
    """Whether something else than the instance, perhaps a variable or a list, holds its ``__dict__``. To be asked
    while nothing but the notebook can hold it."""
    return _holders(obj) > _ALONE


def reduce(obj: Any, shape: Shape, shared: bool) -> Any:
    """The reduce value; NotImplemented where the class's own hooks should decide. `shared`: something else holds its
    ``__dict__`` too."""
    cls = type(obj)
    attributes = attributes_of(obj)
    slots = {}
    for name in shape.slots:
        try:
            slots[name] = object.__getattribute__(obj, name)
        except AttributeError:
            pass
    if shape.hooks and any(map(registry.stays, (*(attributes or {}).values(), *slots.values()))):
        return NotImplemented
    base = shape.base
    arguments = (_IMMUTABLE[base](obj),) if base in _IMMUTABLE else ()
    content = _CONTENT[base](obj) if base in _CONTENT else None
    made: tuple[Any, ...] = (instance, (cls, base, *arguments))
    if shape.early:
        early = {name: value for name, value in (attributes or {}).items() if _is_simple(value)}
        early_slots = {name: value for name, value in slots.items() if _is_simple(value)}
        made = (hashable, (cls, base, early, early_slots, *arguments))
    return *made, (attributes if shared else attributes or None, slots or None, content, shared), None, None, set_instance


def made_by_base(obj: Any, reduced: tuple[Any, ...]) -> Any:
    """A reduce value that calls the class, as those of many types of the standard library do. The notebook's class may
    want other arguments than its base, and its constructor has run; what the base does not name would be lost."""
    cls = type(obj)
    base = next(c for c in cls.__mro__ if not is_notebook_class(c))
    definer = next((c for name in _HOOKS[:2] for c in cls.__mro__ if c is not object and name in vars(c)), base)
    if is_notebook_class(definer):
        return reduced  # its author says how
    arguments, rest = reduced[1], (*reduced[2:], None, None, None, None)[:4]
    names = attributes_of(obj)
    if rest[3] is not None or not names and cls.__new__ is base.__new__ and cls.__init__ is base.__init__:
        return reduced
    setter = rest[0] is not None and hasattr(base, "__setstate__")
    if rest[0] is not None and not setter and rest[0] != names:
        return reduced
    return of_base, (cls, base, not setter, *arguments), (names or None, rest[0] if setter else None), rest[1], rest[2], set_of_base


def _is_simple(value: Any) -> bool:
    return type(value) in ATOMS or (type(value) in (tuple, frozenset) and all(map(_is_simple, value)))


# What payloads call.


def share_attributes(obj: Any, state: Any) -> None:
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    object.__setattr__(obj, "__dict__", attributes)
    for name, value in (slots or {}).items():
        object.__setattr__(obj, name, value)


def instance(cls: type, base: type, *arguments: Any) -> Any:
    return base.__new__(cls, *arguments)  # type: ignore[call-overload]


def of_base(cls: type, base: Any, whole: bool, *arguments: Any) -> Any:
    """`whole`: nothing more will be set that is the base's."""
    made = base.__new__(cls, *arguments)
    if whole and base.__init__ is not object.__init__:
        base.__init__(made, *arguments)
    return made


def set_of_base(obj: Any, state: tuple[Any, Any]) -> None:
    attributes, inner = state
    base: Any = next(c for c in type(obj).__mro__ if not is_notebook_class(c))
    if inner is not None:
        base.__setstate__(obj, inner)
    if attributes:
        object.__getattribute__(obj, "__dict__").update(attributes)


def hashable(cls: type, base: type, attributes: dict[str, Any], slots: dict[str, Any], *arguments: Any) -> Any:
    """With what its hash may depend on, before it can become a key of something that hangs from it."""
    made = instance(cls, base, *arguments)
    if attributes:
        object.__getattribute__(made, "__dict__").update(attributes)
    for name, value in slots.items():
        object.__setattr__(made, name, value)
    return made


def set_instance(obj: Any, state: tuple[Any, Any, Any, bool]) -> None:
    attributes, slots, content, shared = state
    if attributes is not None:
        if shared:
            object.__setattr__(obj, "__dict__", attributes)
        else:
            own = object.__getattribute__(obj, "__dict__")
            own.clear()
            own.update(attributes)
    for name, value in (slots or {}).items():
        object.__setattr__(obj, name, value)
    if content is not None:
        _fill(obj, content)


def _fill(obj: Any, content: Any) -> None:
    if isinstance(obj, collections.OrderedDict):
        for key, value in content:
            collections.OrderedDict.__setitem__(obj, key, value)
    elif isinstance(obj, collections.defaultdict):
        obj.default_factory, items = content
        dict.update(obj, items)
    elif isinstance(obj, dict):
        dict.update(obj, content)
    elif isinstance(obj, list):
        list.extend(obj, content)
    elif isinstance(obj, set):
        set.update(obj, content)
    elif isinstance(obj, collections.deque):
        collections.deque.__init__(obj, content[1], content[0])
    else:
        bytearray.extend(obj, content)
