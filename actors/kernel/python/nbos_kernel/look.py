"""One look at some members of the session: which of them changed, which groups do they form now?

Most groups that are looked at are as they were, or hold other values in the same objects: these are *verified*,
each by itself. The others are walked together with all they share objects with, and grouped anew. An object that
cannot be captured costs its own group at most; a look that is interrupted leaves the groups as they were.
"""

from __future__ import annotations

import operator
import pickle
import sys
import time
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, Union

from xxhash import xxh3_128_digest

from nbos_kernel.chunks import Interrupted
from nbos_kernel.codec import stand_in
from nbos_kernel.delta import (
    RANK_DEFINITIONS,
    RANK_IMPORTS,
    RANK_VARIABLES,
    Delta,
    Packed,
    pack,
)
from nbos_kernel.groups import (
    CLASS_PREFIX,
    NOTHING,
    Group,
    class_member,
    guess,
    in_order,
    is_class,
    is_variable,
    key_of,
)
from nbos_kernel.kinds import ATOMS
from nbos_kernel.libraries import neutral
from nbos_kernel.pins import BOOK
from nbos_kernel.places import is_place
from nbos_kernel.session import Session
from nbos_kernel.streams import Payload
from nbos_kernel.walk import Facts, Walker, nans_of

# Containers up to this length are compared item by item with what was in them; of larger ones a digest is kept.
SNAPSHOT = 1 << 17
Content = Union[bytes, tuple[tuple[Any, ...], tuple[Any, ...]]]

INTERRUPTED = "NB0906: its replication was interrupted; it is sent after the next cell that touches it, or when the kernel is idle"


class Look:
    """`current` are the names of the notebook, `gone` those that do not exist any more. With `give_way` an
    interruption ends the look; else it costs the groups that could not be sent, which are pinned."""

    def __init__(self, session: Session, delta: Delta, current: set[str], *, give_way: bool = False) -> None:
        self._session = session
        self._delta = delta
        self._current = current
        self._give_way = give_way
        self._changed: list[tuple[Group, int, Packed]] = []
        self._old: dict[str, Group] = {}
        self._nans: frozenset[int] | None = None
        # Verified with other content than the manifest has; they may be grouped anew after that.
        self._dirty: set[str] = set()
        self._failed_classes: dict[str, str] = {}
        # Names that are pinned although they could be replicated: the next look must try again.
        self.again: set[str] = set()

    def run(self, touched: Iterable[str], gone: list[str]) -> None:
        """Raises `Interrupted` when it gave way; what it found until then is in the delta."""
        try:
            touched = self._unsettled(touched)
            if touched:
                with neutral():
                    rest = self._verify(touched)
                    if rest:
                        self._restructure(rest)
        except Interrupted:
            self._emit()
            raise
        if self._failed_classes:
            self._pin_users_of_failed_classes()
        for name in gone:
            self._session.ids.pop(name, None)
        self._delta.deleted += gone
        self._emit()

    def _emit(self) -> None:
        groups, delta = self._session.groups, self._delta
        delta.deleted += [key for key, group in self._old.items() if not group.names and key not in groups.by_key]
        if len(self._changed) > 1:  # new names come elsewhere in the order that the namespace has here
            places = {name: place for place, name in enumerate(list(self._session.namespace))}
            self._changed.sort(key=lambda it: min((places.get(name, -1) for name in it[0].names), default=-1))
        for group, rank, packed in self._changed:
            if groups.by_key.get(group.key) is group:
                delta.add(group.key, group.names, rank, packed)
        if BOOK.owns_any():
            BOOK.keep_only({pin.id for group in groups.by_key.values() for pin in group.pins})

    def _unsettled(self, members: Iterable[str]) -> list[str]:
        """Those for which it takes more than a comparison to say that they are as they were."""
        by_member, namespace, found = self._session.groups.by_member, self._session.namespace, []
        for member in members:
            group = by_member.get(member)
            if group is not None:
                if group.held is not NOTHING:
                    if group.held is namespace.get(member, self) and _stays(group.held):
                        continue
                elif group.flat is not None and self._still_flat(group, namespace.get(member)):
                    continue
            found.append(member)
        return found

    # What kept its shape.

    def _verify(self, touched: Iterable[str]) -> list[str]:
        """Look at groups one by one. Returns the members that need more than that."""
        by_member, rest = self._session.groups.by_member, []
        done: set[str] = set()
        for member in touched:
            group = by_member.get(member)
            if group is None:
                rest.append(member)
            elif group.key not in done:
                done.add(group.key)
                if not self._same_shape(group):
                    rest += group.members
        return rest

    def _same_shape(self, group: Group) -> bool:
        session = self._session
        start = time.perf_counter()
        try:
            values = {member: self._value(member, group.facts.classes) for member in group.members}
            walker = self._walker({})
            facts = self._walk(walker, values)
            known = group.facts
            if len(walker.groups()) > 1 or facts.tokens != known.tokens and set(facts.tokens) != set(known.tokens):
                return False
            facts.classes.update({m[len(CLASS_PREFIX):]: values[m] for m in values if is_class(m)})
            if facts.classes.keys() != known.classes.keys() or facts.uses != known.uses:
                return False
            payload = session.codec.dump(values, facts)
            before, layouts_before = group.fingerprint or group.received, group.layouts
            fingerprint = payload.fingerprint()
            layouts = [session.chunks.put(buffer) for buffer in payload.buffers]
            changed = layouts != layouts_before or (fingerprint != before and fingerprint != group.received)
            packed = pack(payload, layouts, session.chunks) if changed else None
        except Interrupted:
            if self._give_way:
                raise
            return False  # the other way pins it
        except Exception:  # noqa: BLE001 - the other way isolates what is wrong with it
            return False
        group.facts, group.fingerprint, group.layouts = facts, fingerprint, layouts
        for name in group.names:
            session.ids[name] = id(values[name])
        if payload.pins or group.pins:
            self._pins(group, payload)
            session.groups.repin(group)
        if packed is not None:
            group.received = None  # others have this content now
            self._dirty.add(group.key)
            self._changed.append((group, _rank(values), packed))
        _quick(group, values)
        took = time.perf_counter() - start
        session.groups.measured(group, 0.0 if group.held is not NOTHING else took if group.flat is None else _cost(group.flat))
        return True

    def _still_flat(self, group: Group, value: Any) -> bool:
        """The quick way for a container of values that cannot change: the same one with the same content?"""
        if id(value) != group.facts.tokens[0] or self._session.codec.distrusted:
            return False
        return _is_still(value, group.flat)

    def _value(self, member: str, classes: dict[str, Any]) -> Any:
        """Raises KeyError when the member is gone."""
        if is_class(member):
            return classes[member[len(CLASS_PREFIX):]]
        if is_place(member):
            return self._session.places.now[member]
        if member not in self._current:
            raise KeyError(member)
        return self._session.namespace[member]

    def _walker(self, owner: dict[int, Any]) -> Walker:
        session = self._session
        if self._nans is None:
            self._nans = nans_of(session.namespace)
        return Walker(session.namespace, session.codec.by_name, session.codec.singletons, owner, self._nans)

    @staticmethod
    def _walk(walker: Walker, values: dict[str, Any]) -> Facts:
        facts: Facts | None = None
        for member, value in values.items():
            found = _walk_one(walker, member, value)
            if facts is None:
                facts = found
            else:
                facts.merge(found)
        assert facts is not None
        return facts

    # What did not.

    def _restructure(self, touched: list[str]) -> None:
        groups, made = self._session.groups, []
        walker = self._walker(groups.owner)
        classes: dict[str, Any] = {}
        broken: dict[str, str] = {}
        try:
            self._walk_all(touched, walker, classes, broken)
            made = self._regroup(walker, classes, broken)
        except BaseException:
            for group in made:
                groups.remove(group)
            for group in self._old.values():
                groups.add(group)
            raise
        for member in walker.facts:
            if is_variable(member):
                self._session.ids[member] = id(self._session.namespace[member])
        self._drop_unneeded_classes()

    def _walk_all(self, touched: list[str], walker: Walker, classes: dict[str, Any], broken: dict[str, str]) -> None:
        session, groups, old = self._session, self._session.groups, self._old
        work = sorted(set(touched))
        while work or walker.met:
            for group in walker.met:  # shares an object with what was walked: its members join in
                work.extend(group.members)
            walker.met.clear()
            if not work:
                break
            member = work.pop()
            if member in walker.facts:
                continue
            group = groups.by_member.get(member)
            if group is not None and group.key not in old:
                old[group.key] = group
                groups.remove(group)
                work.extend(group.members)
                classes.update({class_member(tracker_id): cls for tracker_id, cls in group.facts.classes.items()})
            try:
                value = classes[member] if is_class(member) else self._value(member, {})
            except KeyError:
                continue
            try:
                facts = _walk_one(walker, member, value)
            except Exception as error:  # noqa: BLE001 - objects of the notebook are asked in there
                broken[member] = f"NB0904: it could not be looked through: {type(error).__name__}: {error}"
                facts = walker.facts[member]
            for name in facts.uses:
                if name not in walker.facts and session.places.also(name) and name not in groups.by_member:
                    work.append(name)
            for tracker_id, cls in facts.classes.items():
                name = class_member(tracker_id)
                classes[name] = cls
                if name not in walker.facts:
                    work.append(name)

    def _regroup(self, walker: Walker, classes: dict[str, Any], broken: dict[str, str]) -> list[Group]:
        session, made = self._session, []
        try:
            for members in walker.groups().values():
                ordered = in_order(members)
                facts = walker.facts[ordered[0]]
                for member in ordered[1:]:
                    facts.merge(walker.facts[member])
                facts.classes.update({m[len(CLASS_PREFIX):]: classes[m] for m in ordered if is_class(m)})
                values = {m: classes[m] if is_class(m) else self._value(m, {}) for m in ordered}
                group = Group(key_of(ordered), ordered, facts)
                made += self._capture(group, values, broken)
        except BaseException:
            for group in made:
                session.groups.remove(group)
            raise
        return made

    def _capture(self, group: Group, values: dict[str, Any], broken: dict[str, str]) -> list[Group]:
        """Pickle a new group. Returns the groups that came of it: more than one when it had to be pinned."""
        session = self._session
        try:
            sound = {m: stand_in(v, m, broken[m]) if m in broken and not is_class(m) else v for m, v in values.items()}
            payload = session.codec.dump_isolated(sound, group.facts)
            group.fingerprint = payload.fingerprint()
            group.layouts = [session.chunks.put(buffer) for buffer in payload.buffers]
            self._pins(group, payload)
            before = self._old.get(group.key)
            unchanged = before is not None and before.same(group) and before.key not in self._dirty
            packed = None if unchanged else pack(payload, group.layouts, session.chunks)
        except Interrupted:
            if self._give_way:
                raise
            self.again.update(group.names)
            return self._stand_ins(group, values, INTERRUPTED)
        except Exception as error:  # noqa: BLE001
            why = f"NB0904: it could not be captured: {error or type(error).__name__}"
            self._failed_classes.update({member: why for member in group.members if is_class(member)})
            return self._stand_ins(group, values, why)
        _quick(group, values)
        if group.held is NOTHING:
            group.cost = group.last = guess(payload.size, sum(map(len, payload.buffers))) if group.flat is None else _cost(group.flat)
        session.groups.add(group)
        if packed is not None:
            self._changed.append((group, _rank(values), packed))
        return [group]

    def _stand_ins(self, group: Group, values: dict[str, Any], why: str) -> list[Group]:
        """A placeholder for each variable of a group that cannot be replicated as it is."""
        session, made = self._session, []
        for name in group.names:
            payload = session.codec.dump({name: stand_in(values[name], name, why)}, Facts())
            pinned = Group(name, (name,), Facts(), payload.fingerprint())
            pinned.pins = list(payload.pins.values())
            pinned.pinned_names = [(name, pin) for pin in pinned.pins]
            session.groups.add(pinned)
            made.append(pinned)
            self._changed.append((pinned, RANK_VARIABLES, Packed(payload.inline(), payload.size + 1, [])))
        return made

    def _pins(self, group: Group, payload: Payload) -> None:
        group.pins = list({pin.id: pin for pin in payload.pins.values()}.values())
        group.pinned_names = self._session.pinned_below(group.names, group.pins)

    def _drop_unneeded_classes(self) -> None:
        groups = self._session.groups
        if groups.of_classes:
            needed = groups.reachable_classes()
            for group in list(groups.of_classes.values()):
                if needed.isdisjoint(group.members):
                    groups.remove(group)
                    self._old.setdefault(group.key, group)

    def _pin_users_of_failed_classes(self) -> None:
        """What has instances of a class that cannot be captured cannot be loaded elsewhere."""
        groups, failed = self._session.groups, self._failed_classes
        found = True
        while found:
            found = False
            for group in list(groups.by_key.values()):
                why = next((failed[m] for m in map(class_member, group.facts.classes) if m in failed), None)
                if why is None:
                    continue
                found = True
                groups.remove(group)
                self._old.setdefault(group.key, group)
                failed.update({member: why for member in group.members if is_class(member)})
                self._stand_ins(group, {name: self._session.namespace[name] for name in group.names}, why)
                self.again.update(group.names)

    def pin(self, names: Iterable[str], why: str) -> None:
        """Pin variables as they are, with all that is in a group with them: nothing is known of them."""
        groups, namespace = self._session.groups, self._session.namespace
        for name in sorted(set(names)):
            group = groups.by_member.get(name)
            if group is None:
                group = Group(name, (name,), Facts())
            else:
                groups.remove(group)
                self._old.setdefault(group.key, group)
            there = [member for member in group.names if member in self._current]
            gone = Group(group.key, tuple(there), Facts())
            self._stand_ins(gone, {member: namespace[member] for member in there}, why)
            self.again.update(there)


def _walk_one(walker: Walker, member: str, value: Any) -> Facts:
    how: Callable[[str, Any], Facts] = (
        walker.notebook_class if is_class(member) else walker.place if is_place(member) else walker.variable
    )
    return how(member, value)


def _quick(group: Group, values: dict[str, Any]) -> None:
    """Note what the next look at a lone variable can do without a pickle."""
    group.held, group.flat = NOTHING, None
    if len(values) == 1 and is_variable(group.members[0]):
        (value,) = values.values()
        facts = group.facts
        if type(value) in ATOMS:
            group.held = value
        elif type(value) is ModuleType:
            if not (facts.tokens or facts.uses or facts.by_name):
                group.held = value
        elif len(facts.tokens) == 1 and facts.tokens[0] == id(value) and not facts.by_name:
            group.flat = _content(value)


def _stays(held: Any) -> bool:
    """Whether what cannot change still travels as it did: a module by its name, while it is found there."""
    return type(held) is not ModuleType or sys.modules.get(held.__name__) is held


def _content(value: Any) -> Content | None:
    """What a list, set or dictionary of values that cannot change consists of; None for any other."""
    kind = type(value)
    if not (kind is list or kind is set or kind is dict) or not ATOMS.issuperset(map(type, value)):
        return None
    if kind is dict and not ATOMS.issuperset(map(type, value.values())):
        return None
    if len(value) <= SNAPSHOT:
        return tuple(value), tuple(value.values()) if kind is dict else ()
    try:
        return xxh3_128_digest(pickle.dumps(value, 5))
    except Exception:  # noqa: BLE001 - a code object, for one
        return None


def _is_still(value: Any, content: Content) -> bool:
    if type(content) is bytes:
        return _content(value) == content
    items, values = content
    if len(value) != len(items) or not all(map(operator.is_, value, items)):
        return False
    return not values or all(map(operator.is_, value.values(), values))


def _cost(content: Content) -> float:
    """Seconds that the quick comparison takes, about."""
    return 1e-3 if type(content) is bytes else 1.5e-6 + 20e-9 * (len(content[0]) + len(content[1]))


def _rank(values: dict[str, Any]) -> int:
    kinds = {"class" if is_class(m) or issubclass(type(v), type) else type(v).__name__ for m, v in values.items()}
    if kinds == {"module"}:
        return RANK_IMPORTS
    return RANK_DEFINITIONS if kinds <= {"class", "function"} else RANK_VARIABLES
