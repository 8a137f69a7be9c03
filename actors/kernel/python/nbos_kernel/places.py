"""What the notebook hangs into places that are no variable: callbacks, magics, formatters, attributes.

A function registered with ``get_ipython().events`` may be a method of an object that a variable holds. Were
it sent by itself, the standby would have two such objects. So each place is a *member* beside the variables
(``@place:NAME``): it is walked, grouped and pickled with whatever it shares objects with.

A place gives its members as values that are made anew each time; they must be tuples, which the walk looks
through, and never lists or dicts, which would be taken for objects that two variables may share.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from nbos_kernel.kinds import ATOMS, is_notebook_class
from nbos_kernel.originals import ORIGINALS

PLACE_PREFIX = "@place:"
# Below this, places of things that IPython calls.
CALLBACKS = PLACE_PREFIX + "ipython."
# What a collection calls, at any moment.
COLLECTOR = PLACE_PREFIX + "registry:gc.callbacks"


def is_place(member: str) -> bool:
    return member.startswith(PLACE_PREFIX)


@dataclass
class Scope:
    """What the cell that ran could reach."""

    names: set[str] = field(default_factory=set)  # globals and attributes, also those of functions it could call
    texts: set[str] = field(default_factory=set)  # dotted names in its strings, when it has calls that take such
    stores: set[str] = field(default_factory=set)  # attributes it sets or deletes
    everything: bool = False  # it could reach anything
    deep: bool = False  # there is time to look beyond what the cell can reach
    whole: bool = False  # as long as it takes: the state moves after this look

    def reaches(self, names: Iterable[str]) -> bool:
        return self.everything or not self.names.isdisjoint(names)


class Place:
    """One kind of place. Members are read after every cell: reading must cost microseconds when there are none."""

    def ready(self) -> None:
        """The kernel serves: what is there now is not the notebook's."""

    def before(self, scope: Scope) -> None:
        """The cell is about to run: note how the things are that it may change."""

    def look(self, scope: Scope) -> None:
        """The cell ran; `members` is asked next."""

    def hot(self, member: str, scope: Scope) -> bool:
        """Whether any code may have used what is in this place: true for callbacks, which run unasked."""
        return True

    def same(self, member: str, value: Any) -> bool:
        """True when the member, although a cell could reach it, is surely as it was at the last capture."""
        return False

    def also(self, member: str) -> Any:
        """A member that came up after `members` was asked."""
        raise LookupError(member)

    def applied(self) -> None:
        """An apply is over, and the notebook's streams are back."""

    def members(self) -> dict[str, Any]:
        """What the notebook has put here, by member (``PLACE_PREFIX`` and the rest as this class likes)."""
        raise NotImplementedError

    def owns(self, member: str) -> bool:
        raise NotImplementedError

    def install(self, member: str, value: Any) -> None:
        """Make this process's place what it is where the member was captured."""
        raise NotImplementedError

    def remove(self, member: str) -> None:
        """The notebook took it away."""
        raise NotImplementedError


class Places:
    """All of them, as one collection of members."""

    def __init__(self, places: list[Place]) -> None:
        self._places = places
        # As of the last `look`; values stay alive until the next one, for the walk keeps their identities.
        self.now: dict[str, Any] = {}
        # As of the last `look`: nothing that the notebook put into a place can run or change by itself.
        self.quiet = False
        # Of the members that consist of what cannot change: the values of the last `look`, and those when `same` was asked last.
        self._fixed: dict[str, Any] = {}
        self._captured: dict[str, Any] = {}

    def add(self, place: Place) -> None:
        self._places.append(place)

    def ready(self) -> None:
        self._each("ready")

    def before(self, scope: Scope) -> None:
        self._each("before", scope)

    def applied(self) -> None:
        self.quiet = False
        self._each("applied")

    def forget(self) -> None:
        """What was looked at was not captured."""
        self._captured.clear()

    def _each(self, method: str, *args: Any) -> None:
        for place in self._places:
            try:
                getattr(place, method)(*args)
            except Exception:  # noqa: BLE001, S112 - objects of the notebook are asked in here
                continue

    def look(self, scope: Scope) -> dict[str, Any]:
        """Read all places. One that cannot be read stays as it was: it must not cost the variables."""
        now: dict[str, Any] = {}
        for place in self._places:
            try:
                place.look(scope)
                now.update(place.members())
            except Exception:  # noqa: BLE001 - objects of the notebook are asked in here
                now.update({member: value for member, value in self.now.items() if place.owns(member)})
        self.now = now
        self._fixed = {member: value for member, value in now.items() if self._is_fixed(member, value)}
        self.quiet = len(self._fixed) == len(now)
        return now

    def hot(self, scope: Scope) -> set[str]:
        """The members that any cell may have changed, whatever it names."""
        return {member for member in self.now if scope.everything or self._of(member).hot(member, scope)}

    def same(self, member: str) -> bool:
        """Whether a member need not be looked at although the cell could reach it."""
        if member not in self.now:
            return False
        value, place = self.now[member], self._of(member)
        if member not in self._fixed:
            self._captured.pop(member, None)
            return place.same(member, value)
        before, self._captured[member] = self._captured.get(member), value
        return before is not None and _equal(before, value)

    def _is_fixed(self, member: str, value: Any) -> bool:
        known = self._fixed.get(member)
        return (known is not None and _equal(known, value)) or _fixed(value)

    def also(self, member: str) -> bool:
        """Read a member that the walk met and that was not there before; False when there is none."""
        if member not in self.now:
            try:
                self.now[member] = self._of(member).also(member)
            except Exception:  # noqa: BLE001
                return False
        return True

    def install(self, member: str, value: Any) -> None:
        self._captured.pop(member, None)
        self._of(member).install(member, value)
        self.now[member] = value

    def remove(self, member: str) -> None:
        self.now.pop(member, None)
        self._captured.pop(member, None)
        self._of(member).remove(member)

    def _of(self, member: str) -> Place:
        for place in self._places:
            if place.owns(member):
                return place
        raise LookupError(f"no place takes {member}")


def _fixed(value: Any) -> bool:
    """Whether a value consists of nothing but tuples of what cannot change."""
    kind = type(value)
    if kind is tuple:
        return all(map(_fixed, value))
    return kind in ATOMS or (isinstance(value, type) and id(value) not in ORIGINALS.names and not is_notebook_class(value))


def _equal(a: Any, b: Any) -> bool:
    """For two values that cannot change."""
    if type(a) is tuple and type(b) is tuple:
        return len(a) == len(b) and all(map(_equal, a, b))
    return a is b or (type(a) is type(b) and type(a) in ATOMS and bool(a == b))
