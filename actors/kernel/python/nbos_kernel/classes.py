"""Classes defined in the notebook.

A class travels as a *skeleton* (metaclass, name, bases) and a *state* (its dictionary), under
cloudpickle's tracker id, so that ``isinstance`` holds on every replica and a class that changes is
changed in place. All skeletons of an apply are made before any state is loaded: classes may refer to
each other in circles.
"""

from __future__ import annotations

import enum
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cloudpickle import cloudpickle

from nbos_kernel.kinds import is_notebook_class

# What `type` itself puts into a class: neither sent nor removed.
_OWN = frozenset(
    "__dict__ __weakref__ __module__ __qualname__ __doc__ __slots__ _abc_impl __abstractmethods__ __static_attributes__ "
    "__firstlineno__ __annotate_func__ __annotations_cache__ __type_params__".split()
)
# What EnumMeta puts into an enum and makes again from its members.
_ENUM_MACHINERY = ("_generate_next_value_", "_member_names_", "_member_map_", "_member_type_", "_value2member_map_")

Skeleton = tuple[str, Any, str, tuple[Any, ...], dict[str, Any]]


def skeleton(cls: Any) -> Skeleton:
    """``(tracker id, metaclass or None for an enum, name, bases, extra)``"""
    tracker_id = cloudpickle._get_or_create_tracker_id(cls)
    extra = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
    if isinstance(cls, enum.EnumMeta):
        members = {name: member.value for name, member in cls.__members__.items()}
        return tracker_id, None, cls.__name__, cls.__bases__, extra | {"members": members}
    if "__slots__" in vars(cls):
        slots = vars(cls)["__slots__"]
        extra["__slots__"] = slots if isinstance(slots, str) else tuple(slots)
    if "__orig_bases__" in vars(cls):
        extra["__orig_bases__"] = vars(cls)["__orig_bases__"]  # typing.Generic looks for it while the class is made
    return tracker_id, type(cls), cls.__name__, cls.__bases__, extra


def state(cls: Any) -> dict[str, Any]:
    """What the class's dictionary holds beyond what making the class puts there."""
    attributes: dict[str, Any] = cloudpickle._class_getstate(cls)[0]
    hidden = {"__dict__", "__weakref__", "__slots__"}
    if isinstance(cls, enum.EnumMeta):
        hidden |= {*_ENUM_MACHINERY, *cls.__members__}
    return {
        name: value
        for name, value in attributes.items()
        if name not in hidden and not (isinstance(value, types.MemberDescriptorType) and value.__objclass__ is cls)
    }


def make(tracker_id: str, metaclass: Any, name: str, bases: tuple[Any, ...], extra: dict[str, Any]) -> type:
    """The class of a skeleton: the one we have, else a new one without content."""
    known = cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID.get(tracker_id)
    if known is not None:
        return known
    members = extra.pop("members", None)
    with _no_subclass_hooks(bases):
        if metaclass is None:
            made = cloudpickle._make_skeleton_enum(
                bases, name, extra["__qualname__"], members, extra["__module__"], tracker_id, None
            )
        else:
            # A metaclass of the notebook has already run, where the class was defined; running it again
            # would repeat what it did there.
            maker = next(meta for meta in metaclass.__mro__ if not is_notebook_class(meta))
            made = maker.__new__(metaclass, name, bases, dict(extra))
    return cloudpickle._lookup_class_or_track(tracker_id, made)


def fill(cls: Any, attributes: dict[str, Any]) -> None:
    """Make the class's dictionary what it is where the class was captured."""
    registered = attributes.pop("_abc_impl", ())
    if not isinstance(cls, enum.EnumMeta):
        for name, value in list(vars(cls).items()):
            if name not in attributes and name not in _OWN and not isinstance(value, types.MemberDescriptorType):
                type.__delattr__(cls, name)
    for name, value in attributes.items():
        type.__setattr__(cls, name, value)
    for subclass in registered:
        cls.register(subclass)


@contextmanager
def _no_subclass_hooks(bases: tuple[Any, ...]) -> Iterator[None]:
    """``__init_subclass__`` ran where the class was defined; what it did travels as state."""
    hooked = {c for base in bases for c in base.__mro__ if "__init_subclass__" in vars(c) and is_notebook_class(c)}
    saved = [(c, vars(c)["__init_subclass__"]) for c in hooked]
    for c, _ in saved:
        type.__setattr__(c, "__init_subclass__", classmethod(lambda cls, **kwargs: None))
    try:
        yield
    finally:
        for c, hook in saved:
            type.__setattr__(c, "__init_subclass__", hook)
