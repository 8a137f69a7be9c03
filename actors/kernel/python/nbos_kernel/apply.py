"""Installing what was captured elsewhere: on a standby after every cell, on a fresh process all at once."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

from nbos_kernel import collector, history, imports, rebuild
from nbos_kernel.groups import (
    CLASS_PREFIX,
    Group,
    class_member,
    guess,
    in_order,
    is_class,
)
from nbos_kernel.kinds import SHARED_BYTES
from nbos_kernel.libraries import neutral
from nbos_kernel.originals import ORIGINALS
from nbos_kernel.pins import BOOK, Pin, Placeholder, absent, is_absent
from nbos_kernel.places import COLLECTOR, is_place
from nbos_kernel.replaced import known_finalizers, let_go, quietly
from nbos_kernel.session import Session
from nbos_kernel.streams import Body
from nbos_kernel.walk import Walker

# Applied in this order around the variables: random generators last, for loading may draw from them.
_LAST_AMBIENT_RANK = 4


# A group's description in the frame, and what it is made of.
Received = tuple[dict[str, Any], Body]


class Failure(dict[str, Any]):
    """A group that could not be installed, as the side channel reports it."""

    def __init__(self, group: dict[str, Any], error: BaseException) -> None:
        super().__init__(key=group["key"], names=group["names"], why=f"{type(error).__name__}: {error}"[:500])


class Apply:
    def __init__(self, session: Session) -> None:
        self._session = session

    def run(self, header: dict[str, Any], bodies: list[Body]) -> list[Failure]:
        """Install one frame. Returns what failed; its variables are placeholders then."""
        with collector.held():
            return self._run(header, bodies)

    def _run(self, header: dict[str, Any], bodies: list[Body]) -> list[Failure]:
        session = self._session
        parts = {group["key"]: (group, body) for group, body in zip(header["groups"], bodies)}
        session.codec.refresh()
        BOOK.learn_homes(header["pinned"])
        with _muted():
            self._delete(header["deleted"])
            self._leave_places()  # before what is loaded looks up the names that they hid
            failures = self._ambient(parts, early=True)
            with neutral():
                failures += self._groups([it for key, it in parts.items() if not key.startswith("@") or is_class(key) or is_place(key)])
            self._leave_places()
            failures += self._history(parts)
            self._elsewhere(header)
            self._pinned(header["pinned"])
            if header["need"] is None:  # else a cell is about to run, with a number of its own
                session.shell.execution_count = header["execution_count"]
                session.settle()
            failures += self._ambient(parts, early=False)
        session.places.applied()
        session.imports.settle()
        session.chunks.hold(header["groups"], header["deleted"])
        if COLLECTOR in session.places.now:
            # The next collection may change these, before any cell: what they are now is what other hosts have.
            session.learn_those(session.groups.closure([COLLECTOR], set()))
        return failures

    def _delete(self, deleted: list[str]) -> None:
        session = self._session
        for item in deleted:
            session.deferred.arrived(item, [item])
            if item.startswith(history.KEY_PREFIX):
                session.history.forget(min(int(i[len(history.KEY_PREFIX):]) for i in deleted if i.startswith(history.KEY_PREFIX)))
                continue
            with quietly(session, [item]):
                group = session.groups.by_member.get(item) or session.groups.by_key.get(item)
                if group is not None:
                    session.groups.remove(group)
                if not item.startswith("@"):
                    session.namespace.pop(item, None)
            if item.startswith(CLASS_PREFIX):
                rebuild.Context.classes.pop(item[len(CLASS_PREFIX):], None)
            elif not item.startswith("@"):
                session.ids.pop(item, None)
                if history.OUTPUT_NAME.match(item):
                    session.history.drop_output(item)

    def _ambient(self, parts: dict[str, Any], early: bool) -> list[Failure]:
        session, failures = self._session, []
        for provider in session.ambient:
            if provider.key in parts and (provider.rank < _LAST_AMBIENT_RANK) == early:
                group, payload = parts[provider.key]
                try:
                    value = session.codec.load_value(payload)
                    if value is not None:
                        provider.write(value)
                    session.ambient_seen[provider.key] = provider.read()
                except Exception as error:  # noqa: BLE001 - a directory that this host lacks, a library of another version
                    failures.append(Failure(group, error))
            if early and provider.key == "@path":  # before the libraries' own settings, after where they are found
                failures += self._modules(parts)
        return failures

    def _modules(self, parts: dict[str, Any]) -> list[Failure]:
        session = self._session
        keys = [key for key in parts if key.startswith(imports.KEY_PREFIX)]
        return _each(parts, keys, lambda key, payload: session.imports.learn(key, session.codec.load_value(payload)))

    def _groups(self, waiting: list[Received]) -> list[Failure]:
        """Load what can be loaded until nothing more can: a class may come after what derives from
        it, a constructor may call a function that is still to come."""
        codec = self._session.codec
        waiting.sort(key=lambda it: it[0]["rank"])  # classes before what they are needed for
        failures = _until_stuck(waiting, lambda group, payload: codec.skeletons(payload))
        failed = {failure["key"] for failure in failures}
        stuck = _until_stuck([it for it in waiting if it[0]["key"] not in failed], self._load)
        # One object that cannot be made here must not take the others of its group with it.
        stuck_keys = {failure["key"] for failure in stuck}
        failures += _until_stuck([it for it in waiting if it[0]["key"] in stuck_keys], self._salvage)
        for failure in failures:
            for name in failure["names"]:
                self._place(name, absent(name, "object", failure["why"]))
        return failures

    def _salvage(self, group: dict[str, Any], payload: Body) -> None:
        self._load(group, payload, (group["names"] or [group["key"]])[0])

    def _load(self, group: dict[str, Any], payload: Body, salvage: str | None = None) -> None:
        session = self._session
        let_go(session, group["names"])
        finalizers = known_finalizers()
        BOOK.loaded.clear()
        variables, made = session.codec.load(payload, salvage)
        pins = list(BOOK.loaded)
        with quietly(session, group["names"], finalizers):
            for name, value in variables.items():
                if is_place(name):
                    session.places.install(name, value)
                else:
                    self._place(name, value)
        self._learn(group, payload, list(variables), made, pins)

    def _leave_places(self) -> None:
        """A place whose member no group has any more is what it was before the notebook."""
        session = self._session
        for member in [member for member in session.places.now if member not in session.groups.by_member]:
            session.places.remove(member)

    def _place(self, name: str, value: Any) -> None:
        session = self._session
        if type(value) is str and len(value) < SHARED_BYTES:
            value = sys.intern(value)  # as constants of source are: equal ones are one object
        session.namespace[name] = value
        if not is_absent(value):
            session.ids[name] = id(value)
        if history.OUTPUT_NAME.match(name):
            session.history.install_output(name, value)

    def _learn(self, group: dict[str, Any], body: Body, names: list[str], made_here: list[str], pins: list[Pin]) -> None:
        """Know the group as if we had captured it: after a take-over its aliases must still hold."""
        session, groups = self._session, self._session.groups
        members = in_order([*names, *map(class_member, made_here)])
        for member in members:
            if member in groups.by_member:
                groups.remove(groups.by_member[member])
        walker = Walker(session.namespace, session.codec.by_name, session.codec.singletons, {})
        facts = None
        for member in members:
            if is_class(member):
                found = walker.notebook_class(member, rebuild.class_by_id(member[len(CLASS_PREFIX):]))
            elif is_place(member):
                found = walker.place(member, session.places.now[member])
            else:
                found = walker.variable(member, session.namespace[member])
            facts = found if facts is None else (facts.merge(found) or facts)
        if facts is None:
            return
        facts.classes.update({tid: rebuild.class_by_id(tid) for tid in made_here})
        made = Group(group["key"], members, facts)
        made.cost = made.last = guess(group["size"], sum(buffer["size"] for buffer in group["buffers"]))
        made.received, made.layouts = body.fingerprint(), group["buffers"][body.pieces:]
        made.pinned_names, made.pins = session.pinned_below(made.names, pins), pins
        groups.add(made)

    def _history(self, parts: dict[str, Any]) -> list[Failure]:
        session = self._session
        blocks = [key for key in parts if key.startswith(history.KEY_PREFIX)]
        blocks.sort(key=lambda key: int(key[len(history.KEY_PREFIX):]))
        last = [history.LAST_KEY] if history.LAST_KEY in parts else []
        failures = _each(parts, blocks, lambda _, payload: session.history.install(session.codec.load_value(payload)))
        return failures + _each(parts, last, lambda _, payload: session.history.install_last(session.codec.load_value(payload)))

    def _elsewhere(self, header: dict[str, Any]) -> None:
        """A placeholder for what did not come with this frame: it comes later, or its bytes exist nowhere any more."""
        deferred = self._session.deferred
        for group in header["groups"]:
            deferred.arrived(group["key"], group["names"])
        for name, placeholder in deferred.add(header["deferred"]).items():
            self._leave(name, placeholder)
        for group in header["failed"]:
            deferred.arrived(group["key"], group["names"])
            for name in group["names"]:
                self._leave(name, absent(name, "object", group["why"]))

    def _leave(self, name: str, placeholder: Placeholder) -> None:
        group = self._session.groups.by_member.get(name)
        if group is not None:
            self._session.groups.remove(group)
        self._session.ids.pop(name, None)
        self._place(name, placeholder)

    def _pinned(self, pinned: list[dict[str, Any]]) -> None:
        """A placeholder for each pinned variable that no group brought and that we do not have."""
        for entry in pinned:
            if entry["name"].isidentifier() and entry["name"] not in self._session.namespace:
                self._place(entry["name"], absent(entry["name"], entry["type"], entry["why"]))


@contextlib.contextmanager
def _muted() -> Iterator[None]:
    """Imports and constructors may print; a standby has no cell to show it in."""
    ORIGINALS.muted = {"stdout": sys.stdout, "stderr": sys.stderr, "stdin": sys.stdin}
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        ORIGINALS.muted = {}


def _each(parts: dict[str, Received], keys: list[str], step: Callable[[str, Body], None]) -> list[Failure]:
    failures = []
    for key in keys:
        group, body = parts[key]
        try:
            step(key, body)
        except Exception as error:  # noqa: BLE001 - one must not cost the others
            failures.append(Failure(group, error))
    return failures


def _until_stuck(waiting: list[Received], step: Any) -> list[Failure]:
    """Run `step` over all, again over those that failed, as long as any succeeds."""
    errors: list[tuple[Received, BaseException]] = []
    while waiting:
        errors = []
        for item in waiting:
            try:
                step(*item)
            except Exception as error:  # noqa: BLE001 - user code: constructors, __setstate__
                errors.append((item, error))
        if len(errors) == len(waiting):
            break
        waiting = [item for item, _ in errors]
    return [Failure(group, error) for (group, _), error in errors]

