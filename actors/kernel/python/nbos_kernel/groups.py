"""The groups a session consists of, as this process knows them.

A group is a set of members (variable names, and classes as ``@class:ID``) that share mutable objects,
with the fingerprint of the bytes that were last sent or received for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from nbos_kernel.pins import Pin
from nbos_kernel.walk import Facts

CLASS_PREFIX = "@class:"


def class_member(tracker_id: str) -> str:
    return CLASS_PREFIX + tracker_id


def is_class(member: str) -> bool:
    return member.startswith(CLASS_PREFIX)


def key_of(members: Iterable[str]) -> str:
    """A group's name in the manifest: its first variable, else its first class. Ties cannot occur:
    a member belongs to one group."""
    return min(members, key=lambda member: (is_class(member), member))


@dataclass
class Group:
    key: str
    members: tuple[str, ...]
    facts: Facts
    # None: installed from another process. Our own bytes for the same objects may differ from the
    # ones we received, so there is nothing to compare with before we pickled it once.
    fingerprint: bytes | None = None
    pins: list[Pin] = field(default_factory=list)
    # Names whose value, as a whole, is a pinned object: (name, pin).
    pinned_names: list[tuple[str, Pin]] = field(default_factory=list)
    names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = [member for member in self.members if not is_class(member)]


class Groups:
    """All groups, with look-up by member and by shared object."""

    def __init__(self) -> None:
        self.by_key: dict[str, Group] = {}
        self.by_member: dict[str, Group] = {}
        self.owner: dict[int, Group] = {}
        # The few groups that every capture asks about, so that it need not go through all.
        self.with_pins: dict[str, Group] = {}
        self.of_classes: dict[str, Group] = {}

    def add(self, group: Group) -> None:
        self.by_key[group.key] = group
        if group.pinned_names:
            self.with_pins[group.key] = group
        if not group.names:
            self.of_classes[group.key] = group
        self.by_member.update(dict.fromkeys(group.members, group))
        self.owner.update(dict.fromkeys(group.facts.tokens, group))

    def remove(self, group: Group) -> None:
        if self.by_key.get(group.key) is group:
            del self.by_key[group.key]
            self.with_pins.pop(group.key, None)
            self.of_classes.pop(group.key, None)
        for member in group.members:
            if self.by_member.get(member) is group:
                del self.by_member[member]
        owner = self.owner
        for token in group.facts.tokens:
            if owner.get(token) is group:
                del owner[token]

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
            for other in (*group.facts.reads, *map(class_member, group.facts.classes)):
                if other not in reached and other in self.by_member:
                    work.append(other)
        return reached

    def reachable_classes(self) -> set[str]:
        """Class members that some variable still needs."""
        reached: set[str] = set()
        work = [t for g in self.by_key.values() if g.facts.classes and g.names for t in g.facts.classes]
        while work:
            member = class_member(work.pop())
            if member not in reached:
                reached.add(member)
                group = self.by_member.get(member)
                if group is not None:
                    work += group.facts.classes
        return reached
