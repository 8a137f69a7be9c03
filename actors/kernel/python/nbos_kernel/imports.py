"""Modules the notebook loaded, by package: ``import xml.etree.ElementTree`` binds only ``xml``, and
loading a module has effects that the next cell may rely on."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from nbos_kernel.modules import TRACKED
from nbos_kernel.patches import LISTENERS

KEY_PREFIX = "@modules:"


class Imports:
    def __init__(self) -> None:
        self._known = set(sys.modules)
        self._count = len(sys.modules)
        self._packages: dict[str, list[str]] = {}
        # Whether a module was loaded since the last look.
        self._loaded = True

    def ready(self) -> None:
        LISTENERS.append(self._on_load)

    def _on_load(self, _module: ModuleType) -> None:
        self._loaded = True

    def changed(self, closely: bool = True) -> dict[str, list[str]]:
        """Every package that has modules we did not know, with all it has loaded; in import order. Unless it is
        done closely, one that took the place of another in ``sys.modules``, without being imported, is not found."""
        if len(sys.modules) == self._count and not ((closely or self._loaded) and not self._known.issuperset(sys.modules)):
            self._loaded = False
            return {}
        self._loaded = False
        new = [name for name in list(sys.modules) if name not in self._known]
        self._known.update(new)
        self._count = len(sys.modules)
        changed: dict[str, list[str]] = {}
        for name in new:
            if _can_be_imported(name):
                package = name.partition(".")[0]
                changed[KEY_PREFIX + package] = self._packages.setdefault(package, [])
                self._packages[package].append(name)
        return changed

    def learn(self, key: str, names: list[str]) -> None:
        """Load what another process has loaded; what fails is left to the variables that need it."""
        for name in names:
            if name not in sys.modules:
                try:
                    importlib.import_module(name)
                except BaseException:  # noqa: BLE001, S110 - a platform-specific submodule, or a file only the executor has
                    pass
        self._packages[key.removeprefix(KEY_PREFIX)] = list(names)
        self._known.update(names)

    def settle(self) -> None:
        """After an apply: what was loaded on the way is not the notebook's doing."""
        self._known.update(sys.modules)
        self._count = len(sys.modules)


# Loaded by the kernel for itself.
_OURS = frozenset({"ipykernel", "nbos_kernel", "debugpy", "pydevd", "_pydevd_bundle", "_pydev_bundle", "_pydevd_frame_eval"})


def _can_be_imported(name: str) -> bool:
    if name.partition(".")[0] in _OURS:
        return False
    module = sys.modules.get(name)
    if isinstance(module, ModuleType) and TRACKED.identity(module) is not None:
        return False  # travels by value
    return isinstance(module, ModuleType) and getattr(module, "__spec__", None) is not None and module.__spec__.name == name
