"""What a cell changed: called before a cell runs, with what it can touch, and after it ran.

The look after a cell is part of every cell, so it is as small as what the cell can have done. A cell that reaches only
plain variables (``plain``) costs a look at those that it names; nothing else is read. Any other costs a look at what
its code can touch and at the state beside the variables, and a look at all variables while that is cheap
(`FULL_PASS`). What is left is looked at by the idle kernel right after the reply, and before a planned move.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from nbos_kernel import collector, history, reach, static
from nbos_kernel.background import Background
from nbos_kernel.chunks import Interrupted
from nbos_kernel.delta import RANK_HISTORY, RANK_IMPORTS, Delta, pack
from nbos_kernel.groups import NOTHING, is_variable
from nbos_kernel.look import Look
from nbos_kernel.pins import BOOK, is_absent
from nbos_kernel.places import CALLBACKS, Scope
from nbos_kernel.plain import Plain
from nbos_kernel.session import Session
from nbos_kernel.static import DYNAMIC, Plan
from nbos_kernel.streams import Payload

# The notebook's names, those bound to other objects than at the last look, and those that are gone.
Names = tuple[set[str], set[str], list[str]]

# While a look at everything takes less (seconds), every cell ends with one. Else the cell's own delta has what its
# code can touch, and the pass over the rest is left to the idle kernel, right after the reply (`scrub`): a cell is
# not to wait longer because the session is large. A planned move orders a full pass before, whatever it takes.
FULL_PASS = 0.0007
# As before, for groups whose bytes must be made once before a cell that may change them.
LEARN = 0.010


class Capture:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._plan = Plan()
        self._before: set[str] = set()
        self._before_reads: set[str] = set()
        # Set when something ran that no plan covers: the next capture looks at everything.
        self.look_at_everything = False
        self._unverified: set[str] = set()
        # There is time to look closely; as long as it takes.
        self._deep = self._whole = False
        self._plain = Plain(session)
        self._background = Background()
        # Threads or tasks of the notebook run, as of the last time it was asked.
        self._beside_cells = False

    def ready(self) -> None:
        """The kernel serves: threads that exist now are not the notebook's."""
        self._background = Background()
        self._session.places.ready()

    # Before a cell.

    def begin(self) -> Plan:
        """A new cell; its statements are added to the plan as IPython runs them."""
        self._plan, self._before, self._before_reads = Plan(), set(), set()
        self._plain.begin()
        # What began since the last cell was begun by something that has everything looked at.
        self._beside_cells = self._beside_cells and self._background.runs()
        self._before_callbacks()
        return self._plan

    def _before_callbacks(self) -> None:
        """Callbacks and transformers of the notebook run before the cell's own code does."""
        session = self._session
        if session.groups.unknown:
            session.learn_those(session.groups.closure([it for it in session.places.now if it.startswith(CALLBACKS)], set()))

    def deferred(self) -> list[str]:
        """The groups that have not arrived here yet and that the plan can reach."""
        session, plan, reads = self._session, self._plan, set()
        names = {*plan.names, *session.history.behind(plan.names), *session.places.hot(self._scope())}
        reached = session.groups.closure(names, reads) | names | reads
        return session.deferred.behind(reached, self._everything() or not reads.isdisjoint(DYNAMIC))

    def planned(self) -> None:
        """The plan has grown and its code is about to run: note what that code can reach as things
        are now, and what the groups that came from elsewhere look like in our own bytes."""
        session = self._session
        reads: set[str] = set()
        self._plan.names |= session.history.behind(self._plan.names)
        # Callbacks and formatters run without being named: what hangs from places is always in reach.
        hot = () if session.places.quiet else session.places.hot(self._scope())
        names = session.groups.by_member if self._everything() else {*self._plan.names, *hot}
        self._before |= session.groups.closure(names, reads)
        self._before_reads |= reads
        if not self._plan.everything and not reads.isdisjoint(DYNAMIC):
            self._plan.everything = True
            self._before |= session.groups.closure(list(session.groups.by_member), reads)
        self._plain.planned(self._plan.names | reads)
        if self._everything() or not self._plain.so_far:
            session.places.before(self._scope())
        if session.groups.unknown:
            session.learn_those(session.groups.by_member if session.groups.cost < LEARN else self._before)

    # After a cell.

    def finish(self, check: Callable[[], None]) -> Delta:
        """The delta of the cell. Never raises: what could not be looked at or sent is pinned. `check` may raise
        `Interrupted` before a chunk is sent."""
        with collector.held():
            names = self._names()
            plain = not self._everything() and self._plain.ended(self._plan.names | self._before_reads, names[1], names[2])
            delta = self._begin_look(check, plain)
            self._variables(delta, names, plain)
        if plain:
            self._step(self._history, delta)
        else:
            self._beside(delta)
        self.look_at_everything = False
        return self._end_look(delta)

    def full_pass(self) -> Delta:
        """Between cells: all that is not in the manifest, for whatever reason."""
        delta = self._begin_look(_no_check)
        self._plan = Plan(everything=True)
        self._deep = self._whole = True
        self._variables(delta, self._names())
        self._beside(delta)
        self._deep = self._whole = self.look_at_everything = False
        return self._end_look(delta)

    def idle_start(self, give_way: Callable[[], None]) -> tuple[Delta, list[str] | None]:
        """The first part of a full pass that gives way to requests: everything but the variables as they are.
        Returns the keys of the groups that are left to look at; None when this part was interrupted."""
        session, groups = self._session, self._session.groups
        delta = self._begin_look(give_way)
        self._plan, self._deep = Plan(everything=True), True
        try:
            places = self._look_at_places()
            current, rebound, gone = self._names()
            touched = {*rebound, *(self._unverified & current), *places}
            look = Look(session, delta, current, give_way=True)
            look.run(touched, gone)
            self._unverified = look.again
            self._beside(delta)
        except Interrupted:
            return self._end_look(delta), None
        finally:
            self._deep = False
        left = [key for key, group in groups.by_key.items() if group.held is NOTHING or type(group.held) is ModuleType]
        return self._end_look(delta), left

    def idle_groups(self, keys: Iterable[str], give_way: Callable[[], None]) -> tuple[Delta, bool]:
        """Another part: these groups. False when it was interrupted."""
        by_key = self._session.groups.by_key
        delta = self._begin_look(give_way)
        session = self._session
        session.codec.refresh()
        session.codec.check = give_way
        try:
            current, rebound, gone = self._names()
            members = [member for key in keys if key in by_key for member in by_key[key].members]
            Look(session, delta, current, give_way=True).run([*rebound, *members], gone)
        except Interrupted:
            return self._end_look(delta), False
        finally:
            session.codec.check = None
        return self._end_look(delta), True

    def touches(self, code: str, of: list[str]) -> list[str]:
        """Which of these names can a piece of code touch? On any thread; nothing is run for it."""
        shell, session = self._session.shell, self._session
        plan, reads = Plan(), set()
        if shell.ast_transformers or shell.input_transformers_post:
            return of
        for _ in range(3):
            try:
                static.add_source(code, TransformerManager().transform_cell, plan)
                names = {*plan.names, *session.history.behind(plan.names), *list(session.places.now)}
                reached = session.groups.closure(names, reads) | names
                everything = plan.everything or not reads.isdisjoint(DYNAMIC)
                return of if everything else [name for name in of if name in reached or name in reads]
            except RuntimeError:  # a cell changes the session at this moment
                continue
        return of

    def gpu(self, code: str) -> str | None:
        """Why a piece of code may touch a GPU; None when it provably does not. On any thread; nothing is run for it."""
        if self._beside_cells:
            return "threads or tasks of the notebook run beside its cells"
        return reach.gpu(self._session, code)

    def share(self, keys: list[str], seconds: float) -> int:
        """How many of these groups can be looked at in that time; at least one."""
        by_key = self._session.groups.by_key
        for number, key in enumerate(keys):
            if key in by_key:
                seconds -= by_key[key].cost
            if seconds < 0:
                return max(number, 1)
        return len(keys)

    def watched(self) -> bool:
        """Whether the session may change while no cell runs."""
        return self._background.runs()

    def _begin_look(self, check: Callable[[], None], plain: bool = False) -> Delta:
        session = self._session
        if not plain:
            self._beside_cells = self._background.runs()
        session.chunks.check, session.chunks.copies = check, self._beside_cells
        return Delta()

    def _end_look(self, delta: Delta) -> Delta:
        self._session.chunks.check = _no_check  # a few megabytes at most
        delta.fit(self._session.chunks)
        delta.pinned = self._pinned()
        return delta

    def _beside(self, delta: Delta) -> None:
        for step in (self._ambient, self._modules, self._history):
            self._step(step, delta)

    def _step(self, step: Callable[[Delta], None], delta: Delta) -> None:
        try:
            step(delta)
        except Exception as error:  # noqa: BLE001 - one provider must not cost the variables
            if isinstance(error, Interrupted) and self._deep:
                raise
            _warn(f"NB0904: {step.__name__.strip('_')} of this session was not replicated: {error}")

    def nothing(self) -> Delta:
        """The delta of a cell that could not be looked at now."""
        return Delta(pinned=self._pinned())

    def _everything(self) -> bool:
        return self._plan.everything or self.look_at_everything or self._beside_cells

    def _scope(self) -> Scope:
        plan = self._plan
        return Scope(plan.names | self._before_reads, plan.texts, plan.stores, self._everything(), self._deep, self._whole)

    def _names(self) -> Names:
        """The notebook's names, those bound to other objects than at the last look, and those that are gone."""
        ids = self._session.ids
        current, rebound = self._session.tracked()
        gone = [name for name in ids if name not in current] if len(ids) > len(current) - len(rebound) else []
        return current, rebound, gone

    def _touched(self, names: Names, plain: bool) -> set[str]:
        """Members to look at. A plain cell cannot have changed what it does not name."""
        session, groups = self._session, self._session.groups
        current, rebound, gone = names
        if self._everything():
            return current | set(groups.by_member)
        reads: set[str] = set(self._before_reads)
        hot = () if plain else session.places.hot(self._scope())
        touched = groups.closure({*self._plan.names, *rebound, *gone, *hot}, reads) | self._before
        if not reads.isdisjoint(DYNAMIC):
            return current | set(groups.by_member)
        if groups.cost < FULL_PASS and not plain:
            touched |= set(groups.by_member)
        # A name that an old function reads and that is new has no group yet; rebound has it.
        return touched | rebound | (self._unverified & current)

    def _variables(self, delta: Delta, names: Names, plain: bool = False) -> None:
        session, (current, _, gone) = self._session, names
        places = set() if plain else self._look_at_places()
        touched = self._touched(names, plain)
        now = session.places.now
        touched -= {member for member in now if member in touched and (plain or session.places.same(member))}
        touched |= places
        look = Look(session, delta, current)
        try:
            look.run(touched, gone)
            self._unverified = look.again
        except Exception as error:  # noqa: BLE001
            self._give_up(error, delta, current, touched)
            delta.deleted += gone

    def _look_at_places(self) -> set[str]:
        """Read the places; returns the members that are new or gone."""
        places = self._session.places
        before = set(places.now)
        now, known = places.look(self._scope()), self._session.groups.by_member
        self._session.codec.refresh()  # what the notebook put into a module is none of the objects that travel by name
        return {member for member in before.union(now) if member not in now or member not in known}

    def _give_up(self, error: Exception, delta: Delta, current: set[str], touched: set[str]) -> None:
        """The look itself failed. What the cell may have touched is pinned and not kept as it was:
        an old value on a standby would be silently wrong."""
        session = self._session
        why = f"NB0904: the capture of the cell failed: {type(error).__name__}: {error}"
        delta.clear()
        look = Look(session, delta, current)
        unknown = [name for name in current if name not in session.groups.by_member]
        look.pin({*filter(is_variable, touched), *unknown} & current, why)
        look.run((), [])
        session.places.forget()
        self._unverified = look.again
        _warn(why)

    # Beside the variables.

    def _ambient(self, delta: Delta) -> None:
        session = self._session
        scope = self._scope()
        for provider in session.ambient:
            try:
                if not self._deep and ((provider.calls and not scope.reaches(provider.calls)) or provider.unchanged(scope)):
                    continue
                value = provider.full() if self._deep else provider.read()
                if value != session.ambient_seen.get(provider.key):
                    self._add(delta, provider.key, provider.rank, session.codec.dump_value(value))
                    session.ambient_seen[provider.key] = value
            except Exception as error:  # noqa: BLE001 - one provider must not cost the variables
                if isinstance(error, Interrupted) and self._deep:
                    raise
                _warn(f"NB0904: {provider.key[1:]} of this session was not replicated: {type(error).__name__}: {error}")

    def _modules(self, delta: Delta) -> None:
        closely = self._deep or self._everything() or "modules" in self._plan.names
        for key, names in self._session.imports.changed(closely).items():
            self._add(delta, key, RANK_IMPORTS, Payload([pickle.dumps(names, 5)]))

    def _history(self, delta: Delta) -> None:
        session = self._session
        changed, gone = session.history.changed()
        delta.deleted += gone
        for key, entries in changed.items():
            self._add(delta, key, RANK_HISTORY, Payload([pickle.dumps(entries, 5)]))
        last = session.history.last()
        if last is not None:
            self._add(delta, history.LAST_KEY, RANK_HISTORY, Payload([pickle.dumps(last, 5)]))

    def _add(self, delta: Delta, key: str, rank: int, payload: Payload) -> None:
        chunks = self._session.chunks
        delta.add(key, [], rank, pack(payload, [chunks.put(buffer) for buffer in payload.buffers], chunks))

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


def _no_check() -> None:
    pass


def _warn(text: str) -> None:
    """On the cell's own stderr, and never an error of the cell."""
    try:
        print(f"nbos: {text}", file=sys.stderr)
    except Exception:  # noqa: BLE001, S110 - the notebook may have replaced sys.stderr
        pass
