"""A group's members to a payload and back; see ``pickler`` for the layout."""

from __future__ import annotations

import concurrent.futures
import pickle
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from nbos_kernel import classes, rebuild
from nbos_kernel.groups import is_class
from nbos_kernel.pickler import ByNamePickler, StatePickler, StateUnpickler, Variable
from nbos_kernel.pins import BOOK, Pin, Placeholder
from nbos_kernel.singletons import Singletons
from nbos_kernel.streams import Sink, Source, fingerprint
from nbos_kernel.walk import Facts
from nbos_kernel.wire import Buffer


Result = TypeVar("Result")

SKELETON_LENGTH = struct.Struct("<I")

# The C pickler takes about 1 KiB of stack a level; memory is only taken as far as it is used.
DEEP_LIMIT = 100_000
DEEP_STACK = 512 << 20


@dataclass
class Payload:
    parts: list[Buffer]
    pins: dict[tuple[str, str], Pin]

    @property
    def size(self) -> int:
        return sum(memoryview(part).nbytes for part in self.parts)

    def fingerprint(self) -> bytes:
        return fingerprint(self.parts)


class Codec:
    """Pickles and loads for one process. `by_name` maps tags to objects of builtin type that must
    not be copied: the namespace, ``In``, ``Out``, ``sys.path``."""

    def __init__(self, namespace: dict[str, Any], by_name: Callable[[], dict[str, Any]]) -> None:
        self.namespace = namespace
        self.tags = by_name
        self.singletons = Singletons()
        self.by_name: dict[int, str] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look again at what travels by name: done once a capture."""
        self.singletons = Singletons()
        self.by_name = {id(obj): tag for tag, obj in self.tags().items()}

    def pickle(self, obj: Any, facts: Facts, name: str = "") -> tuple[Sink, StatePickler]:
        """One stream. Raises what the pickler could not isolate."""
        try:
            return self._pickle(obj, facts, name)
        except (RecursionError, pickle.PicklingError) as error:
            if isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError):
                return on_a_deep_stack(lambda: self._pickle(obj, facts, name))
            raise

    def _pickle(self, obj: Any, facts: Facts, name: str) -> tuple[Sink, StatePickler]:
        sink = Sink()
        pickler = (
            ByNamePickler(sink, self.namespace, self.singletons, facts, self.by_name)
            if facts.by_name
            else StatePickler(sink, self.namespace, self.singletons, facts)
        )
        pickler.name = name
        pickler.dump(obj)
        return sink, pickler

    def dump(self, values: dict[str, Any], facts: Facts) -> Payload:
        """A payload for members (variables, and classes by member name) and their values."""
        skeletons: list[Buffer] = []
        states: dict[str, Any] = {}
        variables: dict[str, Any] = {}
        made = []
        for member, value in values.items():
            if is_class(member):
                made.append(classes.skeleton(value))
                states[made[-1][0]] = Variable(value.__name__, classes.state(value))
            else:
                variables[member] = Variable(member, value)
        pins: dict[tuple[str, str], Pin] = {}
        if made:
            sink, pickler = self.pickle(made, facts, made[0][2])
            skeletons, pins = sink.parts, dict(pickler.pins)
        sink, pickler = self.pickle((variables, states), facts)
        length = sum(memoryview(part).nbytes for part in skeletons)
        return Payload([SKELETON_LENGTH.pack(length), *skeletons, *sink.parts], pins | pickler.pins)

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

    def skeletons(self, payload: memoryview) -> None:
        """First pass of loading: make the classes, empty."""
        (length,) = SKELETON_LENGTH.unpack_from(payload)
        if length:
            for skeleton in self._load(payload[SKELETON_LENGTH.size:SKELETON_LENGTH.size + length]):
                made = classes.make(*skeleton)
                rebuild.Context.classes[skeleton[0]] = made

    def load(self, payload: memoryview) -> tuple[dict[str, Any], dict[str, Any]]:
        """Second pass: variables by name, class states by tracker id."""
        (length,) = SKELETON_LENGTH.unpack_from(payload)
        variables, states = self._load(payload[SKELETON_LENGTH.size + length:])
        return variables, states

    def _load(self, data: memoryview) -> Any:
        return StateUnpickler(Source(data), self.tags()).load()

    def dump_value(self, value: Any) -> Payload:
        """A payload for state that is not a variable."""
        facts = Facts()
        facts.by_name = True
        sink, pickler = self.pickle(value, facts)
        return Payload(list(sink.parts), pickler.pins)

    def load_value(self, payload: memoryview) -> Any:
        return self._load(payload)


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
