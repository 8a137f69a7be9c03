"""What this process knows of its session: shared by capture (what changed) and apply (what changed elsewhere)."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterable
from typing import Any

from nbos_kernel import rebuild
from nbos_kernel.ambient import Provider, providers
from nbos_kernel.codec import Codec
from nbos_kernel.groups import Groups
from nbos_kernel.history import OUTPUT_NAME, History
from nbos_kernel.imports import Imports
from nbos_kernel.pins import BOOK, Pin, is_absent, pin_of
from nbos_kernel.walk import Walker

_INPUT_NAME = re.compile(r"_(i|ii|iii|i\d+)\Z")


class Session:
    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.namespace: dict[str, Any] = shell.user_ns
        rebuild.Context.namespace = self.namespace
        rebuild.Context.shell = shell
        self.history = History(shell)
        self.imports = Imports()
        self.ambient: list[Provider] = providers(shell)
        # The environment and sys.path are changes already; everything else is sent once, so that replicas start alike.
        self.ambient_seen: dict[str, Any] = {}
        self.codec = Codec(self.namespace, self._by_name)
        self.groups = Groups()
        # Identity of every variable's value at the last capture or apply.
        self.ids: dict[str, int] = {}
        # Names that are not the notebook's, with their values; saves asking again.
        self._passed: dict[str, Any] = {}
        # Placeholders that the cell's stderr has told about.
        self.announced: set[str] = set()

    def tracked(self) -> tuple[set[str], set[str]]:
        """The names of the namespace that are the notebook's, and those bound to another object than last time."""
        hidden, managed = self.shell.user_ns_hidden, self.history.managed
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
            if hidden.get(name, missing) is value and not OUTPUT_NAME.match(name):
                continue
            del passed[name]
            names.add(name)
            rebound.add(name)
        return names, rebound

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
        }
        return {tag: obj for tag, obj in tagged.items() if obj is not None}
