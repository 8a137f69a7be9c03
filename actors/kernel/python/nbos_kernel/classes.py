"""Classes defined in the notebook.

A class travels as a *skeleton* (metaclass, name, bases) and a *state* (its dictionary), under
cloudpickle's tracker id, so that ``isinstance`` holds on every replica and a class that changes is
changed in place. All skeletons of an apply are made before any state is loaded: classes may refer to
each other in circles. A state is filled in in two steps, the methods first: what follows may hold
instances whose ``__hash__`` is one of them.
"""

from __future__ import annotations

import abc
import enum
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cloudpickle import cloudpickle

from nbos_kernel import rebuild
from nbos_kernel.kinds import is_notebook_class
from nbos_kernel.registry import reduces, reduces_all

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

# What `type` itself puts into a class: neither sent nor removed.
_OWN = frozenset(
    "__dict__ __weakref__ __module__ __qualname__ __doc__ __slots__ _abc_impl __abstractmethods__ __static_attributes__ "
    "__firstlineno__ __annotate_func__ __annotations_cache__ __type_params__".split()
)
# Attributes of these types are methods, to be in place before anything else.
_BUILTIN = type(object.__new__)
# What ctypes wants to know of a class when it is made.
_LAYOUT = ("_pack_", "_anonymous_", "_fields_", "_flags_", "_restype_", "_argtypes_", "_type_", "_length_")
_METHODS = (types.FunctionType, staticmethod, classmethod, property)

Skeleton = tuple[str, Any, str, tuple[Any, ...], dict[str, Any]]


def identity(cls: Any) -> str:
    tracker_id: str = cloudpickle._get_or_create_tracker_id(cls)
    return tracker_id


def skeleton(cls: Any) -> Skeleton:
    """``(tracker id, metaclass, name, bases, extra)``"""
    extra = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
    if "__slots__" in vars(cls):
        slots = vars(cls)["__slots__"]
        extra["__slots__"] = slots if isinstance(slots, str) else tuple(slots)
    if "__orig_bases__" in vars(cls) and not isinstance(cls, enum.EnumMeta):
        extra["__orig_bases__"] = vars(cls)["__orig_bases__"]  # typing.Generic looks for it while the class is made
    if type(cls).__module__ == "_ctypes":
        extra |= {name: vars(cls)[name] for name in _LAYOUT if name in vars(cls)}
    # ctypes does not show its metaclasses.
    metaclass = None if type(cls).__module__ == "_ctypes" else type(cls)
    return identity(cls), metaclass, cls.__name__, cls.__bases__, extra


def state(cls: Any) -> list[tuple[Any, ...]]:
    """What the class's dictionary holds beyond what making the class puts there, in the two steps."""
    tracker_id = identity(cls)
    attributes = {name: value for name, value in _attributes(cls).items() if not _is_made(name, value, cls)}
    if isinstance(cls, enum.EnumMeta):
        by_value = attributes.get("_value2member_map_", {})
        known = attributes.get("_member_map_", {})
        # Combinations of flags are made again when they are asked for.
        attributes["_value2member_map_"] = {v: m for v, m in by_value.items() if getattr(m, "_name_", None) in known}
    methods = {name: value for name, value in attributes.items() if isinstance(value, _METHODS)}
    rest = {name: value for name, value in attributes.items() if name not in methods}
    return [(tracker_id, methods, None), (tracker_id, rest, (cls.__bases__, _in_order(cls, attributes), _labels(cls)))]


def _labels(cls: Any) -> tuple[str, str]:
    return type.__dict__["__name__"].__get__(cls), type.__dict__["__qualname__"].__get__(cls)


def _in_order(cls: Any, attributes: dict[str, Any]) -> list[str]:
    """Names as the class has them; cloudpickle sorts them."""
    return [*(name for name in vars(cls) if name in attributes), *(name for name in attributes if name not in vars(cls))]


def _attributes(cls: Any) -> dict[str, Any]:
    attributes: dict[str, Any] = cloudpickle._class_getstate(cls)[0]
    # cloudpickle leaves out what a base has, too; either of them may be set to something else later.
    return attributes | {name: value for name, value in vars(cls).items() if name not in attributes and name not in _OWN}


def _is_made(name: str, value: Any, cls: Any) -> bool:
    if name in ("__dict__", "__weakref__", "__slots__"):
        return True
    if isinstance(value, types.MemberDescriptorType) and value.__objclass__ is cls:
        return True
    return type(cls).__module__ == "_ctypes" and (type(value).__name__ == "CField" or name in _LAYOUT)


def make(tracker_id: str, metaclass: Any, name: str, bases: tuple[Any, ...], extra: dict[str, Any]) -> type:
    """The class of a skeleton: the one we have, else a new one without content."""
    known = cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID.get(tracker_id)
    if known is not None:
        rebuild.Context.classes[tracker_id] = known
        return known
    with _no_subclass_hooks(bases):
        # Metaclasses have already run, where the class was defined; running them again would
        # repeat what they did to the content, which is missing here.
        if metaclass is None:
            metaclass = type(bases[0])
        maker = next(meta for meta in metaclass.__mro__ if meta is abc.ABCMeta or isinstance(vars(meta).get("__new__"), _BUILTIN))
        made = maker.__new__(metaclass, name, bases, dict(extra))
    rebuild.Context.classes[tracker_id] = made
    return cloudpickle._lookup_class_or_track(tracker_id, made)


def fill_part(tracker_id: str, attributes: dict[str, Any], whole: Any) -> None:
    fill(rebuild.class_by_id(tracker_id), attributes, whole)


def fill(cls: Any, attributes: dict[str, Any], whole: tuple[Any, ...] | None) -> None:
    """Make a part of the class's dictionary what it is where the class was captured; with the last part, all of it."""
    registered = attributes.pop("_abc_impl", ())
    if whole is not None:
        bases, names, labels = whole
        if _labels(cls) != labels:
            type.__dict__["__name__"].__set__(cls, labels[0])
            type.__dict__["__qualname__"].__set__(cls, labels[1])
        for name, value in list(vars(cls).items()):
            if name not in names and name not in _OWN and not _is_made(name, value, cls):
                _delete(cls, name)
        if cls.__bases__ != bases:
            with _no_subclass_hooks(bases):
                cls.__bases__ = bases
    for name, value in attributes.items():
        _set(cls, name, value)
    if whole is not None:
        _reorder(cls, [name for name in whole[1] if name in vars(cls) and name not in _OWN])
        if "__abstractmethods__" in attributes:
            cls.__abstractmethods__ = attributes["__abstractmethods__"]  # `type` keeps a flag beside it
    for subclass in registered:
        cls.register(subclass)


def _set(cls: Any, name: str, value: Any) -> None:
    """Without asking the metaclass, except one of C that allows nothing else."""
    (type.__setattr__ if type(cls).__setattr__ is type.__setattr__ or type(cls).__flags__ & 1 << 9 else setattr)(cls, name, value)


def _delete(cls: Any, name: str) -> None:
    (type.__delattr__ if type(cls).__delattr__ is type.__delattr__ or type(cls).__flags__ & 1 << 9 else delattr)(cls, name)


def _reorder(cls: Any, names: list[str]) -> None:
    """Code that goes through a class's dictionary sees the order of definition."""
    wanted = set(names)
    if [name for name in vars(cls) if name in wanted] != names:
        values = {name: vars(cls)[name] for name in names}
        for name in names:
            _delete(cls, name)
        for name, value in values.items():
            _set(cls, name, value)


@contextmanager
def _no_subclass_hooks(bases: tuple[Any, ...]) -> Iterator[None]:
    """``__init_subclass__`` ran where the class was defined; what it did travels as state."""
    hooked = [c for c in dict.fromkeys(c for base in bases for c in base.__mro__) if "__init_subclass__" in vars(c) and is_notebook_class(c)]
    saved = [(c, vars(c)["__init_subclass__"]) for c in hooked]
    for c, _ in saved:
        type.__setattr__(c, "__init_subclass__", classmethod(lambda cls, **kwargs: None))
    try:
        yield
    finally:
        for c, hook in saved:
            type.__setattr__(c, "__init_subclass__", hook)


# Slots, and what C code computes: the class of the other process has its own.


@reduces(types.MemberDescriptorType, types.GetSetDescriptorType)
def reduce_slot(pickler: StatePickler, slot: Any) -> Any:
    cls, name = slot.__objclass__, slot.__name__
    if vars(cls).get(name) is not slot:
        return pickler.pin(slot, "its class has something else under its name now")
    return slot_of, (cls, name)


def slot_of(cls: Any, name: str) -> Any:
    return vars(cls)[name]


# Members of enums: as much one of a kind as their class.


@reduces_all(enum.Enum)
def reduce_member(pickler: StatePickler, member: Any) -> Any:
    cls = type(member)
    if not is_notebook_class(cls):
        return pickler.ordinary(member)
    name = member._name_
    if name not in cls._member_map_:
        return combination, (cls, member._value_)
    if cls not in pickler.classes:
        return member_of, (cls, name)
    base = cls._member_type_
    arguments = () if base is object else (_plain(member, base),)
    return own_member, (cls, name, base, arguments), dict(member.__dict__), None, None, set_member


def _plain(member: Any, base: Any) -> Any:
    """The member as an instance of the data type it is mixed with."""
    if base in (int, float, str, bytes, tuple, complex):
        return base.__getnewargs__(member)[0] if hasattr(base, "__getnewargs__") else member._value_
    return member._value_


def member_of(cls: Any, name: str) -> Any:
    return cls._member_map_[name]


def combination(cls: Any, value: Any) -> Any:
    return cls(value)


def own_member(cls: Any, name: str, base: Any, arguments: tuple[Any, ...]) -> Any:
    """A member that comes with its class: the one we have, else a new one."""
    known = vars(cls).get("_member_map_", {}).get(name)
    if known is not None:
        return known
    return base.__new__(cls, *arguments)


def set_member(member: Any, attributes: dict[str, Any]) -> None:
    member.__dict__.clear()
    member.__dict__.update(attributes)

