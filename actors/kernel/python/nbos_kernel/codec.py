"""A group's members to a payload and back; see ``pickler`` for the layout."""

from __future__ import annotations

import concurrent.futures
import pickle
import struct
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeVar

from nbos_kernel import classes
from nbos_kernel.groups import is_class
from nbos_kernel.pickler import (
    ByNamePickler,
    ClassPart,
    StatePickler,
    StateUnpickler,
    Variable,
)
from nbos_kernel.pins import BOOK, Pin, Placeholder
from nbos_kernel.salvage import Salvager
from nbos_kernel.singletons import Singletons
from nbos_kernel.streams import Body, Payload, Sink, Source
from nbos_kernel.walk import Facts
from nbos_kernel.wire import Buffer

Result = TypeVar("Result")

SKELETON_LENGTH = struct.Struct("<I")

# The C pickler takes about 1 KiB of stack a level; memory is only taken as far as it is used.
DEEP_LIMIT = 100_000
DEEP_STACK = 512 << 20


class Codec:
    """Pickles and loads for one process. `by_name` maps tags to objects of builtin type that must
    not be copied: the namespace, ``In``, ``Out``, ``sys.path``."""

    def __init__(self, namespace: dict[str, Any], by_name: Callable[[], dict[str, Any]]) -> None:
        self.namespace = namespace
        self.tags = by_name
        self.singletons = Singletons()
        self.by_name: dict[int, str] = {}
        self._tagged: dict[str, Any] | None = None
        # Variables that an audit found wrong elsewhere, with their value then and why: they stay here.
        self.distrusted: dict[str, tuple[Any, str]] = {}
        # Asked for every 64 KiB or so of a stream; it may raise to give up.
        self.check: Callable[[], None] | None = None
        self.refresh()

    def refresh(self) -> None:
        """Look again at what travels by name: done once a capture."""
        self.singletons = Singletons()
        tags = self.tags()
        if tags is not self._tagged:
            self._tagged, self.by_name = tags, {id(obj): tag for tag, obj in tags.items()}

    def pickle(self, obj: Any, facts: Facts, name: str = "", *, whole: bool = False, of: Collection[Any] = (), skeletons: bool = False) -> tuple[Sink, StatePickler]:
        """One stream; with `whole` it holds large memory too, with `of` the content (or the skeletons) of these
        classes. Raises what the pickler could not isolate."""
        try:
            return self._pickle(obj, facts, name, Sink(self.check, whole), of, skeletons)
        except (RecursionError, pickle.PicklingError) as error:
            if isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError):
                return on_a_deep_stack(lambda: self._pickle(obj, facts, name, Sink(self.check, whole), of, skeletons))
            raise

    def _pickle(self, obj: Any, facts: Facts, name: str, sink: Sink, of: Collection[Any], skeletons: bool) -> tuple[Sink, StatePickler]:
        pickler = (
            ByNamePickler(sink, self.namespace, self.singletons, facts, self.by_name)
            if facts.by_name
            else StatePickler(sink, self.namespace, self.singletons, facts)
        )
        pickler.name, pickler.classes, pickler.skeletons = name, set(of), skeletons
        pickler.dump(obj)
        return sink, pickler

    def dump(self, values: dict[str, Any], facts: Facts) -> Payload:
        """A payload for members (variables, and classes by member name) and their values."""
        skeletons: list[Buffer] = []
        states: list[Any] = []
        variables: dict[str, Any] = {}
        made = []
        for member, value in values.items():
            if is_class(member):
                made.append(value)
                states += [ClassPart(value.__name__, part) for part in classes.state(value)]
            else:
                distrusted = self.distrusted.get(member)
                if distrusted is not None and distrusted[0] is value:
                    value = stand_in(value, member, distrusted[1])
                # Alone, a variable needs no mark: the pickler knows its name from the start.
                variables[member] = Variable(member, value) if len(values) > 1 else value
        pins: dict[tuple[str, str], Pin] = {}
        if made:
            sink, pickler = self.pickle(made, facts, made[0].__name__, whole=True, of=made, skeletons=True)
            skeletons, pins = sink.parts, dict(pickler.pins)
        # All methods come first, then the rest of the classes, then what may hold instances of them.
        states.sort(key=lambda part: part.part[2] is not None)
        sink, pickler = self.pickle(
            (states, variables, [classes.identity(cls) for cls in made]), facts, "".join(variables) if len(values) == 1 else "", of=made)
        length = sum(memoryview(part).nbytes for part in skeletons)
        return Payload([SKELETON_LENGTH.pack(length), *skeletons, *sink.parts], sink.buffers, pins | pickler.pins)

    def dump_isolated(self, values: dict[str, Any], facts: Facts) -> Payload:
        """As `dump`, but a member that cannot be pickled even with its leaves replaced becomes a
        placeholder as a whole: the others must not go down with it."""
        try:
            return self.dump(values, facts)
        except Exception as whole:  # noqa: BLE001 - user code runs in here
            sound: dict[str, Any] = {}
            for member, value in values.items():
                try:
                    self.dump({member: value}, facts)
                    sound[member] = value
                except Exception as error:  # noqa: BLE001
                    if is_class(member):
                        raise  # half a class is worse than none: the caller pins what needs it
                    sound[member] = stand_in(value, member, str(error) or type(error).__name__)
            if len(sound) == 1 and next(iter(sound.values())) is next(iter(values.values())):
                raise whole
            return self.dump(sound, facts)

    def skeletons(self, body: Body) -> None:
        """First pass of loading: make the classes, empty."""
        source, _ = body.open()
        (length,) = SKELETON_LENGTH.unpack(source.read(SKELETON_LENGTH.size))
        if length:
            self._load(source, iter(()))

    def load(self, body: Body, salvage: str | None = None) -> tuple[dict[str, Any], list[str]]:
        """Second pass: variables by name, and the tracker ids of the classes that are complete now. With `salvage`,
        the name of a variable, what cannot be loaded is replaced where it hangs."""
        source, buffers = body.open()
        (length,) = SKELETON_LENGTH.unpack(source.read(SKELETON_LENGTH.size))
        source.read(length)
        if salvage is None:
            _, variables, made = self._load(source, buffers)
        else:
            _, variables, made = Salvager(source, self.tags(), buffers, salvage).load()
        return variables, made

    def dump_value(self, value: Any) -> Payload:
        """A payload for state that is not a variable."""
        facts = Facts()
        facts.by_name = True
        sink, pickler = self.pickle(value, facts)
        return Payload(sink.parts, sink.buffers, pickler.pins)

    def load_value(self, body: Body) -> Any:
        return self._load(*body.open())

    def _load(self, source: Source, buffers: Iterator[Any]) -> Any:
        return StateUnpickler(source, self.tags(), buffers).load()


def on_a_deep_stack(call: Callable[[], Result]) -> Result:
    """Run something that recurses deeply (a linked list of thousands of nodes) on a thread with room for it."""
    limit, size = sys.getrecursionlimit(), threading.stack_size()
    with concurrent.futures.ThreadPoolExecutor(1, "nbos-deep") as pool:
        try:
            sys.setrecursionlimit(max(limit, DEEP_LIMIT))
            threading.stack_size(DEEP_STACK)
            return pool.submit(call).result()
        finally:
            threading.stack_size(size)
            sys.setrecursionlimit(limit)


def stand_in(value: Any, name: str, why: str) -> Any:
    """A placeholder for a whole value that is here but cannot be pickled."""
    if type(value) is Placeholder:
        return value
    return Placeholder(BOOK.pin(value, name, why))
