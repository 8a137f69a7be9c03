"""What a cell changed: called before a cell runs, with what it can touch, and after it ran."""

from __future__ import annotations

import pickle
import sys
from typing import Any

from nbos_kernel import history
from nbos_kernel.background import Background
from nbos_kernel.codec import Payload, stand_in
from nbos_kernel.delta import RANK_DEFINITIONS, RANK_HISTORY, RANK_IMPORTS, RANK_VARIABLES, Delta
from nbos_kernel.groups import Group, class_member, is_class, key_of
from nbos_kernel.pins import BOOK, is_absent
from nbos_kernel.session import Session
from nbos_kernel.static import DYNAMIC, Plan
from nbos_kernel.walk import Facts, Walker


class Capture:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._plan = Plan()
        self._before: set[str] = set()
        self._before_reads: set[str] = set()
        # Set when something ran that no plan covers: the next capture looks at everything.
        self.look_at_everything = False
        self._unverified: set[str] = set()
        self._background = Background()

    def ready(self) -> None:
        """The kernel serves: threads that exist now are not the notebook's."""
        self._background = Background()

    # Before a cell.

    def begin(self) -> Plan:
        """A new cell; its statements are added to the plan as IPython runs them."""
        self._plan, self._before, self._before_reads = Plan(), set(), set()
        return self._plan

    def planned(self) -> None:
        """The plan has grown and its code is about to run: note what that code can reach as things
        are now, and what the groups that came from elsewhere look like in our own bytes."""
        session = self._session
        reads: set[str] = set()
        self._plan.names |= session.history.behind(self._plan.names)
        names = session.groups.by_member if self._everything() else self._plan.names
        self._before |= session.groups.closure(names, reads)
        self._before_reads |= reads
        if not self._plan.everything and not reads.isdisjoint(DYNAMIC):
            self._plan.everything = True
            self._before |= session.groups.closure(list(session.groups.by_member), reads)
        for member in self._before:
            group = session.groups.by_member.get(member)
            if group is not None and group.fingerprint is None:
                self._baseline(group)

    def _baseline(self, group: Group) -> None:
        try:
            values = {member: self._value(member, group.facts) for member in group.members}
            group.fingerprint = self._session.codec.dump(values, group.facts).fingerprint()
        except Exception:  # noqa: BLE001 - without a baseline the group is sent once more
            group.fingerprint = None

    # After a cell.

    def finish(self) -> Delta:
        """The delta of the cell. Never raises: what could not be looked at is pinned."""
        session = self._session
        session.codec.refresh()
        delta = Delta()
        try:
            self._variables(delta)
        except Exception as error:  # noqa: BLE001
            delta = self._give_up(error)
        for step in (self._ambient, self._modules, self._history):
            try:
                step(delta)
            except Exception as error:  # noqa: BLE001 - one provider must not cost the variables
                _warn(f"NB0904: {step.__name__.strip('_')} of this session was not replicated: {error}")
        delta.pinned = self._pinned()
        self.look_at_everything = False
        return delta

    def nothing(self) -> Delta:
        """The delta of a cell that could not be looked at now."""
        return Delta(pinned=self._pinned())

    def _everything(self) -> bool:
        return self._plan.everything or self.look_at_everything or self._background.runs()

    def _touched(self) -> tuple[set[str], set[str], list[str]]:
        """The notebook's names, members to look at, and names that are gone."""
        session, groups = self._session, self._session.groups
        current, rebound = session.tracked()
        gone = [name for name in session.ids if name not in current] if len(session.ids) > len(current) - len(rebound) else []
        if self._everything():
            return current, current | set(groups.by_member), gone
        reads: set[str] = set(self._before_reads)
        touched = groups.closure({*self._plan.names, *rebound, *gone}, reads) | self._before
        if not reads.isdisjoint(DYNAMIC):
            return current, current | set(groups.by_member), gone
        # A name that an old function reads and that is new has no group yet; rebound has it.
        return current, touched | rebound | (self._unverified & current), gone

    def _variables(self, delta: Delta) -> None:
        session, groups = self._session, self._session.groups
        current, touched, gone = self._touched()
        old: dict[str, Group] = {}
        walker = Walker(session.namespace, session.codec.by_name, session.codec.singletons, groups.owner)
        classes: dict[str, Any] = {}
        work = sorted(touched)
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
                classes.update(_classes_of(group))
            if is_class(member):
                if member in classes:
                    facts = walker.notebook_class(member, classes[member])
                else:
                    continue
            elif member in current:
                facts = walker.variable(member, session.namespace[member])
            else:
                continue
            for tracker_id, cls in facts.classes.items():
                name = class_member(tracker_id)
                classes[name] = cls
                if name not in walker.facts:
                    work.append(name)
        self._regroup(walker, old, classes, delta)
        for name in gone:
            session.ids.pop(name, None)
        for name in walker.facts:
            if not is_class(name):
                session.ids[name] = id(session.namespace[name])
        self._collect_garbage(old, gone, delta)
        self._unverified.clear()

    def _regroup(self, walker: Walker, old: dict[str, Group], classes: dict[str, Any], delta: Delta) -> None:
        session, groups = self._session, self._session.groups
        changed: list[tuple[Group, int, Payload]] = []
        for members in walker.groups().values():
            ordered = tuple(sorted(members))
            facts = walker.facts[ordered[0]]
            for member in ordered[1:]:
                facts.merge(walker.facts[member])
            facts.classes.update({m[len("@class:"):]: classes[m] for m in ordered if is_class(m)})
            group = Group(key_of(ordered), ordered, facts)
            values = {m: classes[m] if is_class(m) else session.namespace[m] for m in ordered}
            payload = self._payload(values, facts)
            group.fingerprint = payload.fingerprint()
            group.pins = list({pin.id: pin for pin in payload.pins.values()}.values())
            group.pinned_names = session.pinned_below(group.names, group.pins)
            groups.add(group)
            before = old.get(group.key)
            if before is None or before.members != ordered or before.fingerprint != group.fingerprint:
                changed.append((group, _rank(values), payload))
        self._drop_unneeded_classes(old)
        for group, rank, payload in changed:
            if groups.by_key.get(group.key) is group:
                delta.add(group.key, group.names, rank, payload.parts)

    def _payload(self, values: dict[str, Any], facts: Facts) -> Payload:
        codec = self._session.codec
        try:
            return codec.dump_isolated(values, facts)
        except Exception as error:  # noqa: BLE001
            why = f"NB0904: it could not be captured: {error or type(error).__name__}"
            pinned = {m: stand_in(v, m, why) for m, v in values.items() if not is_class(m)}
            return codec.dump(pinned, Facts())

    def _drop_unneeded_classes(self, old: dict[str, Group]) -> None:
        groups = self._session.groups
        if groups.of_classes:
            needed = groups.reachable_classes()
            for group in list(groups.of_classes.values()):
                if needed.isdisjoint(group.members):
                    groups.remove(group)
                    old.setdefault(group.key, group)

    def _collect_garbage(self, old: dict[str, Group], gone: list[str], delta: Delta) -> None:
        """Names, and groups of the manifest, that no longer exist."""
        groups = self._session.groups
        delta.deleted += gone
        delta.deleted += [key for key, group in old.items() if not group.names and key not in groups.by_key]
        if BOOK.owns_any():
            BOOK.keep_only({pin.id for group in groups.by_key.values() for pin in group.pins})

    def _value(self, member: str, facts: Facts) -> Any:
        return facts.classes[member[len("@class:"):]] if is_class(member) else self._session.namespace[member]

    def _give_up(self, error: Exception) -> Delta:
        """The capture itself failed. What the cell may have touched is pinned and not kept as it was:
        an old value on a standby would be silently wrong."""
        session, groups = self._session, self._session.groups
        delta = Delta()
        why = f"NB0904: the capture of the cell failed: {type(error).__name__}: {error}"
        try:
            names, touched, gone = self._touched()
        except Exception:  # noqa: BLE001
            names, touched, gone = set(session.namespace), set(session.namespace), []
        missing = [n for n in names if n not in groups.by_member]
        for name in sorted({*(n for n in touched if not is_class(n)), *missing} & names):
            group = groups.by_member.get(name)
            if group is not None:
                groups.remove(group)
                delta.deleted += [n for n in group.names if n not in names]
            try:
                placeholder = stand_in(session.namespace[name], name, why)
                payload = session.codec.dump({name: placeholder}, Facts())
            except Exception:  # noqa: BLE001
                delta.deleted.append(name)
                continue
            made = Group(name, (name,), Facts(), payload.fingerprint(), list(payload.pins.values()))
            made.pinned_names = [(name, pin) for pin in made.pins]
            groups.add(made)
            delta.add(name, [name], RANK_VARIABLES, payload.parts)
            self._unverified.add(name)
        delta.deleted += gone
        for name in gone:
            session.ids.pop(name, None)
        _warn(why)
        return delta

    # Beside the variables.

    def _ambient(self, delta: Delta) -> None:
        session = self._session
        for provider in session.ambient:
            if provider.unchanged():
                continue
            value = provider.read()
            if value != session.ambient_seen.get(provider.key):
                payload = session.codec.dump_value(value)
                session.ambient_seen[provider.key] = value
                delta.add(provider.key, [], provider.rank, payload.parts)

    def _modules(self, delta: Delta) -> None:
        for key, names in self._session.imports.changed().items():
            delta.add(key, [], RANK_IMPORTS, [pickle.dumps(names, 5)])

    def _history(self, delta: Delta) -> None:
        session = self._session
        changed, gone = session.history.changed()
        delta.deleted += gone
        for key, entries in changed.items():
            delta.add(key, [], RANK_HISTORY, [pickle.dumps(entries, 5)])
        last = session.history.last()
        if last is not None:
            delta.add(history.LAST_KEY, [], RANK_HISTORY, [pickle.dumps(last, 5)])

    def _pinned(self) -> list[dict[str, Any]]:
        """Everything that is pinned now; what is new is named on the cell's stderr."""
        entries: dict[str, dict[str, Any]] = {}
        fresh = []
        for group in self._session.groups.with_pins.values():
            for name, pin in group.pinned_names:
                if history.OUTPUT_NAME.match(name) or name in entries:
                    continue
                entries[name] = BOOK.entry(name, pin)
                mark = f"{name}\0{pin.id}"
                if mark not in self._session.announced:
                    self._session.announced.add(mark)
                    fresh.append(entries[name])
        for name, received in BOOK.received():
            if is_absent(self._session.namespace.get(name)):
                entries.setdefault(name, received)
        for entry in fresh:
            if entry["home"] is None:
                _warn(f"NB0901: variable '{entry['name']}' stays on this host: its {entry['type']} cannot be replicated ({entry['why']})")
        return [entries[name] for name in sorted(entries)]


def _classes_of(group: Group) -> dict[str, Any]:
    return {class_member(tracker_id): cls for tracker_id, cls in group.facts.classes.items()}


def _rank(values: dict[str, Any]) -> int:
    kinds = {"class" if is_class(m) or isinstance(v, type) else type(v).__name__ for m, v in values.items()}
    if kinds == {"module"}:
        return RANK_IMPORTS
    return RANK_DEFINITIONS if kinds <= {"class", "function"} else RANK_VARIABLES


def _warn(text: str) -> None:
    """On the cell's own stderr, and never an error of the cell."""
    try:
        print(f"nbos: {text}", file=sys.stderr)
    except Exception:  # noqa: BLE001, S110 - the notebook may have replaced sys.stderr
        pass
