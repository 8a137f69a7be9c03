"""What installed modules and classes had before the notebook put something else there.

A notebook that replaces ``np.mean`` mostly keeps the function that was there, to call it or to put it back. That
function can no longer be found under its name, so its name travels with the mark that the original is meant.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

MISSING = object()


class Originals:
    def __init__(self) -> None:
        # By module and dotted path; MISSING where there was nothing.
        self._saved: dict[tuple[str, str], Any] = {}
        # The notebook's streams while an apply mutes them.
        self.muted: dict[str, Any] = {}
        # Module and path of each original that something else stands in for now, by its identity.
        self.names: dict[int, tuple[str, str]] = {}
        # Those that were put back, and their names. Where a variable with one is loaded, it may not be back yet.
        self.back: dict[int, tuple[Any, tuple[str, str]]] = {}

    def save(self, module: str, path: str, value: Any) -> None:
        """The first value saved is the original."""
        if (module, path) not in self._saved:
            self._saved[module, path] = value
            if value is not MISSING:
                self.names[id(value)] = (module, path)

    def drop(self, module: str, path: str) -> Any:
        """The notebook's object is gone from there; returns the original."""
        value = self._saved.pop((module, path), MISSING)
        if self.names.pop(id(value), None) is not None:
            self.back[id(value)] = value, (module, path)
        return value

    def saved(self, module: str, path: str) -> Any:
        return self._saved.get((module, path), MISSING)

    def known(self, module: str, path: str) -> bool:
        return (module, path) in self._saved

    def is_back(self, value: Any) -> bool:
        """Whether an object that was put back is there still."""
        try:
            return self.get(*self.back[id(value)][1]) is value
        except (AttributeError, ImportError):
            return False

    def get(self, module: str, path: str) -> Any:
        """The original, whether anything stands in for it or not."""
        found = self._saved.get((module, path), MISSING)
        if found is not MISSING:
            return found
        if module == "sys" and path in self.muted:
            return self.muted[path]
        owner, attribute = owner_of(module, path)
        return vars(owner)[attribute] if isinstance(owner, type) and attribute in vars(owner) else getattr(owner, attribute)


def owner_of(module: str, path: str) -> tuple[Any, str]:
    """The module or class that has an attribute, and the attribute's name."""
    owner: Any = sys.modules.get(module) or importlib.import_module(module)
    *classes, attribute = path.split(".")
    for name in classes:
        owner = getattr(owner, name)
    return owner, attribute


# One a process: pickles ask for originals.
ORIGINALS = Originals()


def original(module: str, path: str) -> Any:
    """Named in payloads, as the functions of `rebuild` are."""
    return ORIGINALS.get(module, path)
