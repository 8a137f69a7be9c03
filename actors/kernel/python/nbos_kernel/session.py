"""What this process knows of its session: shared by capture (what changed) and apply (what changed elsewhere)."""

from __future__ import annotations

import gc
import re
import sys
import warnings
from collections.abc import Collection, Iterable
from typing import Any

from nbos_kernel import memoizers, optimizers, rebuild, traits  # noqa: F401 - rules that register themselves
from nbos_kernel.ambient import Provider, providers
from nbos_kernel.chunks import Chunks
from nbos_kernel.codec import Codec
from nbos_kernel.cuda import CUDA, CudaRandom
from nbos_kernel.deferred import Deferred
from nbos_kernel.figures import Pyplot
from nbos_kernel.groups import CLASS_PREFIX, Group, Groups, is_class
from nbos_kernel.history import OUTPUT_NAME, History
from nbos_kernel.hooks import hooks
from nbos_kernel.imports import Imports
from nbos_kernel.kinds import nans
from nbos_kernel.libraries import Torch, libraries
from nbos_kernel.logs import Logging
from nbos_kernel.magics import Extensions, NotebookMagics
from nbos_kernel.modules import Modules
from nbos_kernel.options import Hidden, settings
from nbos_kernel.parts import Parts
from nbos_kernel.patches import Patches
from nbos_kernel.pins import BOOK, Pin, is_absent, pin_of
from nbos_kernel.places import Places, is_place
from nbos_kernel.registries import registries
from nbos_kernel.tables import Tables
from nbos_kernel.walk import Walker

_INPUT_NAME = re.compile(r"_(i|ii|iii|i\d+)\Z")


class Session:
    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self._parts: Parts | None = None
        self._hidden: Hidden | None = None
        self.namespace: dict[str, Any] = shell.user_ns
        rebuild.Context.namespace = self.namespace
        rebuild.Context.shell = shell
        self.history = History(shell)
        self.imports = Imports()
        self.ambient: list[Provider] = [*providers(shell), Torch(), CudaRandom(CUDA)]
        patches = Patches(self.namespace)
        self.places = Places([Modules(), patches, Tables(patches), Logging(), *registries(), *libraries(), Pyplot()])
        # The environment and sys.path are changes already; everything else is sent once, so that replicas start alike.
        self.ambient_seen: dict[str, Any] = {}
        # What travels by name, and what it was made from.
        self._tagged: tuple[Any, list[int]] = (None, [])
        self._tags: dict[str, Any] = {}
        self.codec = Codec(self.namespace, self._by_name)
        self.groups = Groups()
        self.chunks = Chunks()
        self.deferred = Deferred()
        # Identity of every variable's value at the last capture or apply.
        self.ids: dict[str, int] = {}
        # Names that IPython itself puts into a namespace.
        self._own_names: frozenset[str] = frozenset()
        # Names that are not the notebook's, with their values; saves asking again.
        self._passed: dict[str, Any] = {}
        # Placeholders that the cell's stderr has told about.
        self.announced: set[str] = set()

    def ready(self) -> None:
        """The kernel serves: what IPython holds now is the kernel's own."""
        shell = self.shell
        self._own_names = frozenset(shell.user_ns_hidden)
        for place in (*hooks(shell, self.history), NotebookMagics(shell)):
            self.places.add(place)
        self._hidden = Hidden(shell)
        self.imports.ready()
        self.ambient += [Extensions(shell), *settings(shell), self._hidden]
        self._parts = Parts(shell)
        self.codec.refresh()

    def moved(self) -> None:
        """The kernel was given its variables and its directory, before its first cell."""
        for provider in self.ambient:
            provider.moved()

    def settle(self) -> None:
        """After an apply."""
        self.history.settle()
        if self._hidden is not None:
            self._hidden.settle()

    def tracked(self) -> tuple[set[str], set[str]]:
        """The names of the namespace that are the notebook's, and those bound to another object than last time."""
        hidden, own, managed = self.shell.user_ns_hidden, self._own_names, self.history.managed
        ids, passed, missing = self.ids, self._passed, object()
        names: set[str] = set()
        rebound: set[str] = set()
        for name, value in list(self.namespace.items()):
            if ids.get(name) == id(value):
                names.add(name)
                continue
            if passed.get(name) is value and value is not None:
                continue
            passed[name] = value
            if isinstance(name, str) and name[:1] == "_" and (_INPUT_NAME.match(name) or managed(name, value)):
                continue
            if not isinstance(name, str) or is_absent(value):
                continue
            if name in own and hidden.get(name, missing) is value and not OUTPUT_NAME.match(name):
                continue
            del passed[name]
            names.add(name)
            rebound.add(name)
        return names, rebound

    def learn(self, group: Group) -> None:
        """Before a cell touches a group that came from elsewhere: what are our own bytes for it?"""
        try:
            values = {member: self._value(member, group) for member in group.members}
            group.fingerprint = self.codec.dump(values, group.facts).fingerprint()
            self.groups.unknown.pop(group.key, None)
        except Exception:  # noqa: BLE001 - not knowing them, it is sent once more
            group.fingerprint = None

    def learn_those(self, members: Collection[str]) -> None:
        """Every group that came from elsewhere and has one of these."""
        for group in list(self.groups.unknown.values()):
            if any(member in members for member in group.members):
                self.learn(group)

    def _value(self, member: str, group: Group) -> Any:
        if is_class(member):
            return group.facts.classes[member[len(CLASS_PREFIX):]]
        return self.places.now[member] if is_place(member) else self.namespace[member]

    def pass_over_new_names(self) -> None:
        """What is new in the namespace now is the kernel's own doing and not the notebook's."""
        for name in self.tracked()[1]:
            if name not in self.ids:
                self._passed[name] = self.namespace[name]

    def pinned_below(self, names: Iterable[str], pins: Iterable[Pin]) -> list[tuple[str, Pin]]:
        """For each of these variables one of `pins` that hangs from it, if any does."""
        wanted = {pin.id for pin in pins}
        if not wanted:
            return []
        owned = {key: pin for key, pin in BOOK.owned_ids().items() if pin.id in wanted}
        found: list[tuple[str, Pin]] = []
        for name in names:
            facts = Walker(self.namespace, self.codec.by_name, self.codec.singletons, {}).variable(name, self.namespace[name])
            below = [owned[token] for token in facts.tokens if token in owned]
            below += [pin_of(it) for it in facts.stand_ins if pin_of(it).id in wanted]
            if below:
                found.append((name, below[0]))
        return sorted(found, key=lambda item: item[0])

    def _by_name(self) -> dict[str, Any]:
        names = self.namespace
        tagged = {
            "namespace": names,
            "In": names.get("In"),
            "Out": names.get("Out"),
            "_dh": names.get("_dh"),
            "In.raw": self.shell.history_manager.input_hist_raw,
            "sys.path": sys.path,
            "sys.modules": sys.modules,
            "warnings.filters": warnings.filters,
            "sys.argv": sys.argv,
            "sys.meta_path": sys.meta_path,
            "sys.path_hooks": sys.path_hooks,
            "gc.garbage": gc.garbage,
            "gc.callbacks": gc.callbacks,
            **nans(),
        }
        parts = None if self._parts is None else self._parts.tags()
        ids = list(map(id, tagged.values()))
        if parts is not self._tagged[0] or ids != self._tagged[1]:
            self._tagged = (parts, ids)
            self._tags = {**(parts or {}), **{tag: obj for tag, obj in tagged.items() if obj is not None}}
        return self._tags
