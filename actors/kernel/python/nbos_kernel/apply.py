"""Installing what was captured elsewhere: on a standby after every cell, on a fresh process all at once."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import Any

from nbos_kernel import classes, history, imports, rebuild
from nbos_kernel.groups import CLASS_PREFIX, Group, class_member, is_class
from nbos_kernel.pins import BOOK, Pin, absent, is_absent
from nbos_kernel.session import Session
from nbos_kernel.walk import Walker

# Applied in this order around the variables: random generators last, for loading may draw from them.
_LAST_AMBIENT_RANK = 4


class Failure(dict[str, Any]):
    """A group that could not be installed, as the side channel reports it."""

    def __init__(self, group: dict[str, Any], error: BaseException) -> None:
        super().__init__(key=group["key"], names=group["names"], why=f"{type(error).__name__}: {error}"[:500])


class Apply:
    def __init__(self, session: Session) -> None:
        self._session = session

    def run(self, header: dict[str, Any], body: bytearray) -> list[Failure]:
        """Install one frame. Returns what failed; its variables are placeholders then."""
        session = self._session
        view, parts, at = memoryview(body), {}, 0
        for group in header["groups"]:
            parts[group["key"]] = (group, view[at:at + group["size"]])
            at += group["size"]
        if at != len(view):
            raise ValueError(f"the groups take {at} bytes and the body has {len(view)}")
        session.codec.refresh()
        BOOK.learn_homes(header["pinned"])
        with _muted():
            self._delete(header["deleted"])
            failures = self._ambient(parts, early=True)
            failures += self._groups([it for key, it in parts.items() if not key.startswith("@") or is_class(key)])
            failures += self._history(parts)
            self._pinned(header["pinned"])
            session.shell.execution_count = header["execution_count"]
            failures += self._ambient(parts, early=False)
        session.imports.settle()
        return failures

    def _delete(self, deleted: list[str]) -> None:
        session = self._session
        for item in deleted:
            if item.startswith(history.KEY_PREFIX):
                session.history.forget(min(int(i[len(history.KEY_PREFIX):]) for i in deleted if i.startswith(history.KEY_PREFIX)))
                continue
            group = session.groups.by_member.get(item) or session.groups.by_key.get(item)
            if group is not None:
                session.groups.remove(group)
            if item.startswith(CLASS_PREFIX):
                rebuild.Context.classes.pop(item[len(CLASS_PREFIX):], None)
            elif not item.startswith("@"):
                session.namespace.pop(item, None)
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
                self._modules(parts)
        return failures

    def _modules(self, parts: dict[str, Any]) -> None:
        for key, (_, payload) in parts.items():
            if key.startswith(imports.KEY_PREFIX):
                self._session.imports.learn(key, self._session.codec.load_value(payload))

    def _groups(self, waiting: list[tuple[dict[str, Any], memoryview]]) -> list[Failure]:
        """Load what can be loaded until nothing more can: a class may come after what derives from
        it, a constructor may call a function that is still to come."""
        codec = self._session.codec
        failures = _until_stuck(waiting, lambda group, payload: codec.skeletons(payload))
        failed = {failure["key"] for failure in failures}
        failures += _until_stuck([it for it in waiting if it[0]["key"] not in failed], self._load)
        for failure in failures:
            for name in failure["names"]:
                self._place(name, absent(name, "object", failure["why"]))
        return failures

    def _load(self, group: dict[str, Any], payload: memoryview) -> None:
        session = self._session
        BOOK.loaded.clear()
        variables, states = session.codec.load(payload)
        pins = list(BOOK.loaded)
        for tracker_id, state in states.items():
            classes.fill(rebuild.class_by_id(tracker_id), state)
        for name, value in variables.items():
            self._place(name, value)
        self._learn(group, list(variables), states, pins)

    def _place(self, name: str, value: Any) -> None:
        session = self._session
        session.namespace[name] = value
        if not is_absent(value):
            session.ids[name] = id(value)
        if history.OUTPUT_NAME.match(name):
            session.history.install_output(name, value)

    def _learn(self, group: dict[str, Any], names: list[str], states: dict[str, Any], pins: list[Pin]) -> None:
        """Know the group as if we had captured it: after a take-over its aliases must still hold."""
        session, groups = self._session, self._session.groups
        members = tuple(sorted([*names, *map(class_member, states)]))
        for member in members:
            if member in groups.by_member:
                groups.remove(groups.by_member[member])
        walker = Walker(session.namespace, session.codec.by_name, session.codec.singletons, {})
        facts = None
        for member in members:
            if is_class(member):
                found = walker.notebook_class(member, rebuild.class_by_id(member[len(CLASS_PREFIX):]))
            else:
                found = walker.variable(member, session.namespace[member])
            facts = found if facts is None else (facts.merge(found) or facts)
        if facts is None:
            return
        facts.classes.update({tid: rebuild.class_by_id(tid) for tid in states})
        made = Group(group["key"], members, facts)
        made.pinned_names, made.pins = session.pinned_below(names, pins), pins
        groups.add(made)

    def _history(self, parts: dict[str, Any]) -> list[Failure]:
        session, failures = self._session, []
        blocks = [key for key in parts if key.startswith(history.KEY_PREFIX)]
        for key in sorted(blocks, key=lambda key: int(key[len(history.KEY_PREFIX):])):
            session.history.install(session.codec.load_value(parts[key][1]))
        if history.LAST_KEY in parts:
            session.history.install_last(session.codec.load_value(parts[history.LAST_KEY][1]))
        return failures

    def _pinned(self, pinned: list[dict[str, Any]]) -> None:
        """A placeholder for each pinned variable that no group brought and that we do not have."""
        for entry in pinned:
            if entry["name"].isidentifier() and entry["name"] not in self._session.namespace:
                self._place(entry["name"], absent(entry["name"], entry["type"], entry["why"]))


@contextlib.contextmanager
def _muted() -> Iterator[None]:
    """Imports and constructors may print; a standby has no cell to show it in."""
    rebuild.Context.streams = {"stdout": sys.stdout, "stderr": sys.stderr}
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        rebuild.Context.streams = {}


def _until_stuck(waiting: list[tuple[dict[str, Any], memoryview]], step: Any) -> list[Failure]:
    """Run `step` over all, again over those that failed, as long as any succeeds."""
    errors: list[tuple[tuple[dict[str, Any], memoryview], BaseException]] = []
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

