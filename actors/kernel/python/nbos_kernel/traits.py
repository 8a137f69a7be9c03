"""Objects with traits (traitlets): their pickle protocol forgets who observes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbos_kernel import registry

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler


@registry.reduces_all("traitlets.traitlets.HasTraits")
def has_traits(pickler: StatePickler, obj: Any) -> Any:
    reduced = pickler._ordinary(obj)
    if not isinstance(reduced, tuple) or len(reduced) < 3 or not isinstance(reduced[2], dict) or any(reduced[3:]):
        return reduced
    observers = tuple(_observers(obj))
    if not observers:
        return reduced
    return *reduced[:2], (reduced[2], observers), None, None, set_traits


@registry.walks("traitlets.traitlets.HasTraits")
def below(obj: Any) -> Any:
    """Not what the class put among the observers: it would join every instance with the class."""
    attributes = {name: value for name, value in vars(obj).items() if name not in ("_trait_notifiers", "_trait_validators")}
    return [*attributes.pop("_trait_values", {}).values(), *attributes.values(), *(function for *_, function in _observers(obj))]


def _observers(obj: Any) -> Any:
    """``(trait, kind of event, function)`` of what the notebook registered; decorated methods register themselves."""
    from traitlets.traitlets import EventHandler

    for trait, kinds in getattr(obj, "_trait_notifiers", {}).items():
        for kind, functions in kinds.items():
            for function in functions:
                if not isinstance(function, EventHandler):
                    yield trait, kind, function


def set_traits(obj: Any, state: tuple[dict[str, Any], tuple[Any, ...]]) -> None:
    """Named in payloads: see ``rebuild``."""
    attributes, observers = state
    obj.__setstate__(attributes)
    for trait, kind, function in observers:
        obj._add_notifiers(function, trait, kind)
