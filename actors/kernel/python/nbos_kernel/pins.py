"""Objects that cannot leave this process, and what stands in for them elsewhere.

A generator, a socket or a thread cannot be replicated. The object itself is replaced, at the leaf,
by a `Placeholder`; the variable it hangs from is listed as pinned. On the host that has the real
object a placeholder that comes back is resolved to it again.
"""

from __future__ import annotations

import types
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


class PinnedError(RuntimeError):
    """A pinned variable was touched away from its home."""

    def __init__(self, message: str, pin: Pin | None = None) -> None:
        super().__init__(message)
        self.pin = pin


@dataclass
class Pin:
    """One object that stays where it is. `home` and `cell` are the replica's to know."""

    id: str
    name: str
    type: str
    why: str
    home: str | None = None
    cell: int | None = None


class PinBook:
    """The pins known here: real objects we own, and where the others live."""

    def __init__(self) -> None:
        self._owned: dict[int, tuple[Any, Pin]] = {}
        self._owned_by_id: dict[str, Any] = {}
        self._left_behind: set[str] = set()
        # Kept: with the last reference the rest of their code would run, and undo what the session still relies on.
        self._suspended: list[Any] = []
        self._homes: dict[str, tuple[str | None, int | None]] = {}
        self._received: dict[str, dict[str, Any]] = {}
        # Pins met since `start_load`: what a loaded group holds.
        self.loaded: list[Pin] = []

    def pin(self, obj: Any, name: str, why: str) -> Pin:
        """The pin of an object; the same object keeps its pin, so that fingerprints are stable."""
        known = self._owned.get(id(obj))
        if known is not None and known[0] is obj:
            known[1].name = name  # the variable may have been renamed since
            return known[1]
        pin = Pin(uuid.uuid4().hex, name, type(obj).__qualname__, why)
        self._owned[id(obj)] = (obj, pin)
        self._owned_by_id[pin.id] = obj
        return pin

    def owned_ids(self) -> dict[int, Pin]:
        """Pins by the identity of their objects."""
        return {key: pin for key, (_, pin) in self._owned.items()}

    def owned(self, pin_id: str) -> Any:
        """The real object of a pin, if it is here."""
        return self._owned_by_id.get(pin_id)

    def let_go(self, pin_id: str) -> None:
        """The object is here but has lost touch with what it worked with: it is no better than elsewhere."""
        obj = self._owned_by_id.pop(pin_id)
        if isinstance(obj, (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)):
            self._suspended.append(obj)
        self._owned = {key: it for key, it in self._owned.items() if it[0] is not obj}
        self._left_behind.add(pin_id)

    def left_behind(self, pin: Pin) -> bool:
        return pin.id in self._left_behind

    def owns_any(self) -> bool:
        return bool(self._owned)

    def keep_only(self, ids: set[str]) -> None:
        """Forget the objects nothing refers to any more, so that they can be freed."""
        self._owned = {key: (obj, pin) for key, (obj, pin) in self._owned.items() if pin.id in ids}
        self._owned_by_id = {pin.id: obj for obj, pin in self._owned.values()}

    def resolve(self, pin: Pin) -> Any:
        """What a placeholder becomes here: the real object where it lives, else a stand-in."""
        self.loaded.append(pin)
        return self._owned_by_id[pin.id] if pin.id in self._owned_by_id else Placeholder(pin)

    def learn_homes(self, entries: Iterable[dict[str, Any]]) -> None:
        """Remember where each pinned variable lives, as the replica tells it."""
        self._received = {e["name"]: e for e in entries}
        self._homes = {name: (e.get("home"), e.get("cell")) for name, e in self._received.items()}

    def received(self) -> Iterable[tuple[str, dict[str, Any]]]:
        """What the replica said about pinned variables."""
        return self._received.items()

    def home(self, pin: Pin) -> tuple[str | None, int | None]:
        """Where a pin's object lives, as far as this process was told; unknown for our own."""
        if pin.id in self._owned_by_id:
            return None, None
        return self._homes.get(pin.name, (pin.home, pin.cell))

    def entry(self, name: str, pin: Pin) -> dict[str, Any]:
        """A pinned variable as the side channel lists it."""
        home, cell = self.home(pin)
        return {"name": name, "type": pin.type, "why": pin.why, "home": home, "cell": cell}


# One book a process: a placeholder is loaded from a pickle and must find it.
BOOK = PinBook()


def absent(name: str, type_name: str, why: str) -> Placeholder:
    """A placeholder for a variable that exists elsewhere but could not be brought here. It has no
    pin of its own and must never be captured: that would replace the real one everywhere."""
    return Placeholder(Pin("", name, type_name, why))


def is_absent(value: Any) -> bool:
    return type(value) is Placeholder and not pin_of(value).id


def describe(pin: Pin) -> str:
    home, cell = BOOK.home(pin)
    where = f"lives on host {home} only" if home else "could not be brought to this host"
    again = f"run cell [{cell}] again to make it here" if cell else "run the cell that made it again"
    if BOOK.left_behind(pin):
        where = "was left behind when what it works with changed on another host"
    return f"variable '{pin.name}' ({pin.type}) {where}; {again} (NB0901: {pin.why})"


def _refuse(self: Any, *_args: Any, **_kwargs: Any) -> Any:
    raise PinnedError(describe(pin_of(self)), pin_of(self))


class Placeholder:
    """Stands where a pinned object would be; any use of it says where the object is.

    Comparison for identity, `repr` and hashing work: a list that holds one can still be shown and
    compared. Special names are absent rather than refused, so that protocol probes (copy, IPython's
    display) see a plain object.
    """

    __slots__ = ("_nbos_pin", "__weakref__")

    def __init__(self, pin: Pin) -> None:
        object.__setattr__(self, "_nbos_pin", pin)

    def __repr__(self) -> str:
        return f"<pinned: {describe(pin_of(self))}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("__", "_repr_", "_ipython_")):
            raise AttributeError(name)
        return _refuse(self)

    def __setattr__(self, name: str, value: Any) -> None:
        _refuse(self)

    def __delattr__(self, name: str) -> None:
        _refuse(self)


for _name in (
    "call iter next len getitem setitem delitem contains enter exit await aiter anext aenter aexit bool "
    "int float index lt le gt ge add radd sub rsub mul rmul truediv rtruediv floordiv mod pow neg and or xor "
    "matmul lshift rshift reversed reduce_ex"
).split():
    setattr(Placeholder, f"__{_name}__", _refuse)


def pin_of(placeholder: Placeholder) -> Pin:
    pin: Pin = object.__getattribute__(placeholder, "_nbos_pin")
    return pin
