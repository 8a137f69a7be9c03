"""The groups a session consists of, as this process knows them.

A group is a set of members (variable names, classes as ``@class:ID``, places as ``@place:NAME``) that share
mutable objects, with the fingerprint of the bytes that were last sent or received for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from nbos_kernel.chunks import Layout
from nbos_kernel.history import OUTPUT_NAME
from nbos_kernel.pins import Pin
from nbos_kernel.places import PLACE_PREFIX
from nbos_kernel.walk import Facts

CLASS_PREFIX = "@class:"
NOTHING: Any = object()


def class_member(tracker_id: str) -> str:
    return CLASS_PREFIX + tracker_id


def is_class(member: str) -> bool:
    return member.startswith(CLASS_PREFIX)


def is_variable(member: str) -> bool:
    return not member.startswith((CLASS_PREFIX, PLACE_PREFIX))


def in_order(members: Iterable[str]) -> tuple[str, ...]:
    """As a group lists and pickles its members. The first one that leads to an object gives a pin its name: outputs come last."""
    return tuple(sorted(members, key=lambda member: (OUTPUT_NAME.match(member) is not None, member)))


def key_of(members: Iterable[str]) -> str:
    """A group's name in the manifest: its first variable, else its first class, else its first place. Ties
    cannot occur: a member belongs to one group."""
    return min(members, key=lambda member: (not is_variable(member), member))


def guess(stream: int, beside: int) -> float:
    """Seconds that a look at a group of so many bytes takes, until it was measured: 100 MB/s of pickles, 5 GB/s of
    raw memory, and what a small object takes."""
    return 60e-6 + stream / 100e6 + beside / 5e9


@dataclass
class Group:
    key: str
    members: tuple[str, ...]
    facts: Facts
    # None: installed from another process. Our own bytes for the same objects may differ from the
    # ones we received, so there is nothing to compare with before we pickled it once.
    fingerprint: bytes | None = None
    # Of the bytes that were received, if they were and nothing was sent since: equal bytes need not be sent back.
    received: bytes | None = None
    # The memory beside the stream, in chunks.
    layouts: list[Layout] = field(default_factory=list)
    # The value of a lone variable that cannot change: while the name holds this very object there is nothing to look at.
    held: Any = NOTHING
    # What a container of values that cannot change consists of, where the value is one: quick to compare.
    flat: Any = None
    # Seconds that a look at it takes; a guess until there were two.
    cost: float = 0.0
    last: float = 0.0
    pins: list[Pin] = field(default_factory=list)
    # Names whose value, as a whole, is a pinned object: (name, pin).
    pinned_names: list[tuple[str, Pin]] = field(default_factory=list)
    names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = [member for member in self.members if is_variable(member)]

    def same(self, other: Group) -> bool:
        """Whether a standby that has this one needs the other."""
        return (
            self.members == other.members and self.layouts == other.layouts
            and other.fingerprint in (self.fingerprint, self.received)
        )

    @property
    def needed(self) -> bool:
        """False for classes alone: they are kept as long as something else has instances of them."""
        return bool(self.names) or not all(map(is_class, self.members))


class Groups:
    """All groups, with look-up by member and by shared object."""

    def __init__(self) -> None:
        self.by_key: dict[str, Group] = {}
        self.by_member: dict[str, Group] = {}
        self.owner: dict[int, Group] = {}
        # The few groups that every capture asks about, so that it need not go through all.
        self.with_pins: dict[str, Group] = {}
        self.of_classes: dict[str, Group] = {}
        self.unknown: dict[str, Group] = {}
        # Seconds that a look at all of them would take.
        self.cost = 0.0

    def add(self, group: Group) -> None:
        if group.key in self.by_key:
            self.remove(self.by_key[group.key])
        self.by_key[group.key] = group
        self.cost += group.cost
        if group.pinned_names:
            self.with_pins[group.key] = group
        if group.fingerprint is None:
            self.unknown[group.key] = group
        if not group.needed:
            self.of_classes[group.key] = group
        self.by_member.update(dict.fromkeys(group.members, group))
        self.owner.update(dict.fromkeys(group.facts.tokens, group))

    def remove(self, group: Group) -> None:
        if self.by_key.get(group.key) is group:
            del self.by_key[group.key]
            self.cost = max(0.0, self.cost - group.cost) if self.by_key else 0.0
            self.unknown.pop(group.key, None)
            self.with_pins.pop(group.key, None)
            self.of_classes.pop(group.key, None)
        for member in group.members:
            if self.by_member.get(member) is group:
                del self.by_member[member]
        owner = self.owner
        for token in group.facts.tokens:
            if owner.get(token) is group:
                del owner[token]

    def measured(self, group: Group, seconds: float) -> None:
        """A look at it took so long. Other processes make single looks slow; what two of them agree on counts."""
        cost, group.last = min(seconds, group.last), seconds
        if self.by_key.get(group.key) is group:
            self.cost += cost - group.cost
        group.cost = cost

    def repin(self, group: Group) -> None:
        """Its pinned names have changed."""
        if group.pinned_names:
            self.with_pins[group.key] = group
        else:
            self.with_pins.pop(group.key, None)

    def closure(self, names: Iterable[str], reads: set[str]) -> set[str]:
        """Members reachable from `names`: the rest of their groups, the classes of their objects, and what the
        functions among them use. Every name that any of these functions uses is added to `reads`."""
        reached: set[str] = set()
        work = [name for name in names if name in self.by_member]
        while work:
            member = work.pop()
            if member in reached:
                continue
            group = self.by_member[member]
            reached.update(group.members)
            reads |= group.facts.reads
            for other in (*group.facts.reads, *map(class_member, group.facts.classes), *group.facts.uses):
                if other not in reached and other in self.by_member:
                    work.append(other)
        return reached

    def reachable_classes(self) -> set[str]:
        """Class members that some variable still needs."""
        reached: set[str] = set()
        work = [t for g in self.by_key.values() if g.facts.classes and g.needed for t in g.facts.classes]
        while work:
            member = class_member(work.pop())
            if member not in reached:
                reached.add(member)
                group = self.by_member.get(member)
                if group is not None:
                    work += group.facts.classes
        return reached
