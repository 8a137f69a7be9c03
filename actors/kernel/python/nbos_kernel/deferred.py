"""Groups that exist but are not here yet: a new replica is useful before its last large object has arrived.

Their variables hold a placeholder that is never captured. Before a cell runs, static analysis says which of them
it can reach; these are asked for, and the cell waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nbos_kernel.history import OUTPUT_NAME
from nbos_kernel.pins import absent

ARRIVING = "NB0907: it has not arrived on this host yet; run the cell again"
# Names through which a cell reaches outputs.
_OUTPUTS = frozenset({"Out", "_oh", "_", "__", "___"})


class Deferred:
    def __init__(self) -> None:
        self._keys: dict[str, list[str]] = {}
        self._by_name: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def add(self, groups: Iterable[dict[str, Any]]) -> dict[str, Any]:
        """Note groups; returns a placeholder for each of their variables."""
        placeholders = {}
        for group in groups:
            self.arrived(group["key"], group["names"])
            self._keys[group["key"]] = list(group["names"])
            for name in group["names"]:
                self._by_name[name] = group["key"]
                placeholders[name] = absent(name, "object", ARRIVING)
        return placeholders

    def arrived(self, key: str, names: Iterable[str]) -> None:
        """A group was installed or deleted, or another one that takes a name of it."""
        for gone in {key, *(self._by_name[name] for name in names if name in self._by_name)}:
            for name in self._keys.pop(gone, ()):
                if self._by_name.get(name) == gone:
                    del self._by_name[name]

    def all_arrived(self, keys: Iterable[str]) -> bool:
        return all(key not in self._keys for key in keys)

    def behind(self, names: set[str], everything: bool) -> list[str]:
        """The keys of the groups that code can reach by these names."""
        if everything:
            return list(self._keys)
        outputs = not names.isdisjoint(_OUTPUTS)
        return [key for key, members in self._keys.items()
                if not names.isdisjoint(members) or (outputs and any(map(OUTPUT_NAME.match, members)))]
