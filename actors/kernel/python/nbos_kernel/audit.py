"""Audit mode: is what a standby would have what the executor has?

A process of its own, the *scratch*, applies every delta with the code a standby uses. Both walk all variables
(``digest``); a variable that differs is named on the cell's stderr and stays on this host from then on: other
hosts get a placeholder, never the wrong value.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from nbos_kernel import collector, wire
from nbos_kernel.background import Background
from nbos_kernel.capture import Capture
from nbos_kernel.chunks import Send
from nbos_kernel.delta import Delta
from nbos_kernel.digest import Digest, Own
from nbos_kernel.pins import BOOK, Placeholder, is_absent
from nbos_kernel.session import Session
from nbos_kernel.streams import Body

# A scratch imports what the notebook imports: the largest libraries take some ten seconds on a busy machine.
ANSWER_WITHIN = 60.0
WALK_WITHIN = 20.0
# A killed process is collected at once unless the disk holds it up.
END_WITHIN = 5.0
# Pinning one variable can show that another differs, which shared something with it.
ROUNDS = 3

# A variable, where it differs first, and how it is here and there.
Difference = tuple[str, str]


class TooSlow(Exception):
    """The variables are too large to be compared after every cell."""


class Audit:
    def __init__(self, session: Session, capture: Capture) -> None:
        self._session = session
        self._capture = capture
        self._own = Own(session.shell)
        self._background = Background()
        self._collecting = list(gc.callbacks)  # not the notebook's
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "nbos_kernel.scratch", str(theirs.fileno())], pass_fds=[theirs.fileno()], cwd=os.getcwd(),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([_package_path(), *filter(None, [os.environ.get("PYTHONPATH")])])})
        theirs.close()
        self._socket: socket.socket | None = ours
        ours.settimeout(ANSWER_WITHIN)
        # Differ although no cell named them: looked at closely with the next delta.
        self._suspects: set[str] = set()
        self.found = 0
        self.cells = 0
        self.seconds = 0.0

    # What the scratch must know.

    def tee(self, send: Send) -> Send:
        """What takes each chunk that leaves for the replica."""

        def both(name: str, data: memoryview) -> None:
            send(name, data)
            self._say({"t": "chunk", "id": name}, [data])

        return both

    def follow(self, header: dict[str, Any], bodies: list[Body]) -> None:
        """This process is about to apply a frame of the replica."""
        body = [part for it in bodies for part in (it.inline, *it.buffers)]
        self._say({**header, "t": "apply"}, body)
        self._answer()

    # After a cell.

    def checked(self, delta: Delta) -> Delta:
        """The delta as it may be sent, after a look at all that may have changed. Never raises."""
        return self._checked(delta, self._suspects)

    def checked_part(self, delta: Delta) -> Delta:
        """As `checked`, when there is more to come: what differs and is not in this delta may be in the next."""
        return self._checked(delta, set())

    def _checked(self, delta: Delta, suspects: set[str]) -> Delta:
        start = time.perf_counter()
        try:
            with collector.held():
                for turn in range(2 * ROUNDS):
                    if self._socket is None:
                        break
                    wrong = self._differences(delta, suspects)
                    if not wrong:
                        break
                    if turn < ROUNDS and self._moves():
                        # It may have changed since the capture: what is wrong is so each time.
                        delta = _replaced(delta, self._captured(wrong))
                    else:
                        delta = self._without(delta, wrong)
        except Exception as error:  # noqa: BLE001 - the audit must not cost the cell
            self._end(f"{type(error).__name__}: {error}")
        self.cells += 1
        self.seconds += time.perf_counter() - start
        return delta

    def _moves(self) -> bool:
        """Whether variables may change while no cell runs: by a thread, or by what a collection calls."""
        return self._background.runs() or any(all(it is not own for own in self._collecting) for it in gc.callbacks)

    def _differences(self, delta: Delta, suspects: set[str]) -> list[Difference]:
        names = self._names()
        header = {"t": "delta", "groups": delta.groups, "deleted": delta.deleted, "pinned": self._placed(delta.pinned),
                  "execution_count": self._session.shell.execution_count, "of": sorted(names)}
        ours = self._walk(names)
        self._say(header, delta.body)
        answer, theirs = self._answer()
        failed = {name: it["why"] for it in answer["failed"] for name in it["names"] if name in names}
        different = {name for name in names if ours.get(name) != theirs.get(name)}
        moving: set[str] = set()
        if different:
            # What a thread changes at this moment is neither right nor wrong there; it is looked at again with the next delta.
            again = self._walk(names)
            moving = {name for name in different if ours.get(name) != again.get(name)}
        sent = {name for group in delta.groups for name in group["names"]}
        certain = {name for name in different - moving if name in sent or name in failed or name in suspects}
        self._suspects = different - certain
        if self._suspects:
            self._capture.look_at_everything = True
        if not certain:
            return []
        return self._explained(names, sorted(certain), failed)

    def _explained(self, names: set[str], wrong: list[str], failed: dict[str, str]) -> list[Difference]:
        """Where each variable differs first. One that only refers into another wrong one is right itself."""
        self._say({"t": "detail", "of": sorted(names), "names": wrong})
        walk = Digest(self._session.namespace, *self._known(), detail=wrong)
        walk.variables(names, _until(WALK_WITHIN))
        _, theirs = self._answer()
        found: list[Difference] = []
        for name in wrong:
            if name in failed and "PinnedError" in failed[name]:
                continue  # hangs from something pinned, and says so there
            if name in failed:
                found.append((name, f"it cannot be made there: {failed[name]}"))
                continue
            if name not in theirs:
                found.append((name, "it is missing there"))
                continue
            where = _first(walk.seen_of.get(name, []), theirs[name])
            if where is not None:
                found.append((name, where))
        return found

    def _without(self, delta: Delta, wrong: list[Difference]) -> Delta:
        session = self._session
        for name, where in wrong:
            self.found += 1
            why = f"NB0905: another host would have it wrong: {where}"
            value = session.namespace[name]
            session.codec.distrusted[name] = (value, why)
            if type(value) is not Placeholder:
                session.announced.add(f"{name}\0{BOOK.pin(value, name, why).id}")
            _warn(f"NB0905: variable '{name}' would be wrong on another host, and stays on this one: {where}")
        return _replaced(delta, self._captured(wrong))

    def _captured(self, wrong: list[Difference]) -> Delta:
        """These variables once more."""
        plan = self._capture.begin()
        plan.names.update(name for name, _ in wrong)
        return self._capture.finish(lambda: None)

    def _names(self) -> set[str]:
        namespace = self._session.namespace
        return {name for name in self._session.ids if name in namespace and not is_absent(namespace[name])}

    def _walk(self, names: Iterable[str]) -> dict[str, str]:
        return Digest(self._session.namespace, *self._known()).variables(names, _until(WALK_WITHIN))

    def _known(self) -> tuple[dict[int, str], dict[int, str]]:
        """Objects that stay here, and those that travel by name."""
        session = self._session
        session.codec.refresh()
        return {key: pin.id for key, pin in BOOK.owned_ids().items()}, {**session.codec.by_name, **self._own.names}

    def _placed(self, pinned: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The list as a standby gets it: with the place where a pinned variable lives."""
        return [{**entry, "home": entry["home"] or "the executor", "cell": entry["cell"] or 0} for entry in pinned]

    # The scratch.

    def _say(self, header: dict[str, Any], body: Iterable[Any] = ()) -> None:
        if self._socket is None:
            return
        try:
            wire.write_frame(self._socket, header, list(body))
        except OSError as error:
            self._end(str(error))

    def _answer(self) -> tuple[dict[str, Any], dict[str, Any]]:
        if self._socket is None:
            return {"failed": []}, {}
        frame = wire.read_frame(self._socket)
        if frame is None:
            raise ConnectionError("the scratch process ended")
        return frame[0], json.loads(bytes(frame[1]) or b"{}")

    def _end(self, why: str) -> None:
        if self._socket is None:
            return
        self._socket.close()
        self._socket = None
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_WITHIN)
        _warn(f"NB0905: the audit of this session ended: {why}")


def _replaced(delta: Delta, again: Delta) -> Delta:
    """A delta and one made after it, as one."""
    keys = {group["key"] for group in again.groups} | set(again.deleted)
    names = {name for group in again.groups for name in group["names"]} | set(again.deleted)
    made = Delta(deleted=[*delta.deleted, *again.deleted], pinned=again.pinned)
    for group, inline in zip(delta.groups, delta.inlines):
        if group["key"] not in keys and names.isdisjoint(group["names"]):
            made.groups.append(group)
            made.inlines.append(inline)
    made.groups += again.groups
    made.inlines += again.inlines
    return made


def _warn(text: str) -> None:
    """On the cell's own stderr, and never an error of the cell."""
    with contextlib.suppress(Exception):
        print(f"nbos: {text}", file=sys.stderr)


def _first(ours: list[tuple[str, str]], theirs: list[list[str]]) -> str | None:
    for (path, here), (_, there) in zip(ours, theirs):
        if here != there and there.startswith("stays "):
            return None  # a placeholder says what it is: nothing is silently wrong
        if here != there:
            return f"{path} is here {_short(here)} and there {_short(there)}"
    if len(ours) != len(theirs):
        longer = ours if len(ours) > len(theirs) else theirs
        return f"{longer[min(len(ours), len(theirs))][0]} is only on one side"
    return None


def _short(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "…"


def _until(seconds: float) -> Callable[[], None]:
    end = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > end:
            raise TooSlow(f"comparing the variables takes longer than {seconds:.0f} s")

    return check


def _package_path() -> str:
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
