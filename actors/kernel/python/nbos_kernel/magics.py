"""Magics: those the notebook defines, aliases, and extensions.

A magic is a function, or a method of an object that keeps state (``@magics_class``). Those of the notebook
are a place like callbacks are, so that such an object stays one with the variable that holds it. An extension
of an installed library is loaded again, on every host, by its name: what it registers is its own affair.
"""

from __future__ import annotations

import importlib.util
import operator
import sys
import sysconfig
import types
from typing import Any

from IPython.core.magic import Magics

from nbos_kernel.ambient import Provider
from nbos_kernel.hooks import Hook
from nbos_kernel.modules import TRACKED

_LIBRARY_PATHS = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_AUTORELOAD = "IPython.extensions.autoreload"


def of_a_library(module_name: Any) -> bool:
    """Whether a module is installed, and so the same on every host; the notebook's own files are not."""
    if not isinstance(module_name, str) or module_name == "__main__":
        return False
    file = getattr(sys.modules.get(module_name), "__file__", None)
    return isinstance(file, str) and file.startswith(_LIBRARY_PATHS)


class NotebookMagics(Hook):
    """The tables of line and cell magics, and the objects behind them."""

    name = "magics"

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._manager = shell.magics_manager
        self._start = {kind: dict(table) for kind, table in self._manager.magics.items()}
        self._objects = dict(self._manager.registry)
        # The tables as they were when they were looked through, and what was the notebook's in them.
        self._seen: list[dict[str, Any]] = []
        self._found: tuple[Any, ...] = ()
        self._parts = list(shell.configurables)

    def read(self) -> tuple[Any, ...]:
        tables = [*self._manager.magics.values(), self._manager.registry]
        if len(tables) != len(self._seen) or any(map(operator.ne, tables, self._seen)):
            self._seen = [dict(table) for table in tables]
            self._found = self._added()
        return self._found

    def _added(self) -> tuple[Any, ...]:
        found = []
        for kind, table in self._manager.magics.items():
            start = self._start[kind]
            new = tuple(
                (name, magic) for name, magic in list(table.items())
                if start.get(name) is not magic and not _of_a_library(magic)
            )
            gone = tuple(name for name in start if name not in table) if len(table) < len(start) + len(new) else ()
            if new or gone:
                found.append((kind, new, gone))
        objects = tuple(
            (name, it) for name, it in list(self._manager.registry.items())
            if self._objects.get(name) is not it and not of_a_library(type(it).__module__)
        )
        return (tuple(found), objects) if found or objects else ()

    def write(self, value: tuple[Any, ...]) -> None:
        tables, objects = value or ((), ())
        wanted = {kind: rest for kind, *rest in tables}
        for kind, table in self._manager.magics.items():
            new, gone = wanted.get(kind, ((), ()))
            start = self._start[kind]
            for name in [name for name, magic in table.items() if start.get(name) is not magic and not _of_a_library(magic)]:
                del table[name]
            for name in start.keys() - table.keys():  # one that IPython has loaded since stays loaded
                table[name] = start[name]
            for name in gone:
                table.pop(name, None)
            table.update(new)
        registry = self._manager.registry
        for name in [name for name, it in registry.items() if not of_a_library(type(it).__module__)]:
            if name not in self._objects:
                del registry[name]
        registry.update(objects)
        # %config finds them here.
        parts = self._shell.configurables
        parts[:] = [it for it in parts if it in self._parts or of_a_library(type(it).__module__) or not isinstance(it, Magics)]
        parts += [it for _, it in objects if it not in parts]


def _of_a_library(magic: Any) -> bool:
    """Whether IPython or an extension put it there: a method of its magics, or a function made by one of them."""
    if type(magic) is types.MethodType:
        return isinstance(magic.__self__, Magics) and of_a_library(type(magic.__self__).__module__)
    if type(magic) is types.FunctionType:
        return "<locals>" in magic.__qualname__ and of_a_library(magic.__module__)
    return type(magic).__name__ == "LazyMagic"


class Extensions(Provider):
    """``%load_ext``, the mode of ``%autoreload``, and figures shown below their cells."""

    key = "@ipython.extensions"
    rank = 1

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._start = frozenset(shell.extension_manager.loaded)
        self._used = False

    def read(self) -> Any:
        loaded = self._shell.extension_manager.loaded
        if loaded == self._start and not self._used and not self._shows_figures():
            return None
        self._used = True
        return sorted(loaded), self._autoreload(), self._shows_figures()

    def write(self, value: Any) -> None:
        loaded, autoreload, figures = value
        manager = self._shell.extension_manager
        self._used = True
        for name in sorted(manager.loaded - set(loaded)):
            if of_a_library(name):
                manager.unload_extension(name)
            else:
                manager.loaded.discard(name)
        for name in loaded:
            if name not in manager.loaded:
                if _of_a_library_to_import(name):
                    manager.load_extension(name)
                else:
                    manager.loaded.add(name)  # what the notebook's own file registered travels by itself
        if autoreload is not None:
            self._set_autoreload(autoreload)

        if figures and not self._shows_figures():
            self._shell.enable_matplotlib("inline")

    def _shows_figures(self) -> bool:
        """Whether matplotlib's inline backend is installed here, which happens at its first use."""
        module = sys.modules.get("matplotlib_inline.config")
        return module is not None and any(type(it) is module.InlineBackend for it in self._shell.configurables)

    def _magics(self) -> Any:
        return self._shell.magics_manager.registry.get("AutoreloadMagics") if _AUTORELOAD in sys.modules else None

    def _autoreload(self) -> Any:
        magics = self._magics()
        if magics is None:
            return None
        it = magics._reloader
        return (it.enabled, it.check_all, it.autoload_obj, getattr(it, "hide_errors", False), sorted(it.modules), sorted(it.skip_modules),
                self._loaded_from(it))

    @staticmethod
    def _loaded_from(reloader: Any) -> dict[str, tuple[Any, Any]]:
        """When the files of the notebook's own modules were written, and their text, as of the last time it looked."""
        texts = getattr(getattr(reloader, "deduper_reloader", None), "source_by_modname", {})
        loaded = ((name, sys.modules.get(name)) for name in reloader.modules_mtimes)
        own = [name for name, it in loaded if isinstance(it, types.ModuleType) and TRACKED.identity(it) is not None]
        return {name: (reloader.modules_mtimes[name], texts.get(name)) for name in own}

    def _set_autoreload(self, value: Any) -> None:
        magics = self._magics()
        if magics is not None:
            it = magics._reloader
            it.enabled, it.check_all, it.autoload_obj, it.hide_errors, modules, skipped, files = value
            it.modules, it.skip_modules = dict.fromkeys(modules, True), dict.fromkeys(skipped, True)
            getattr(magics, "loaded_modules", set()).update(files)
            texts = getattr(getattr(it, "deduper_reloader", None), "source_by_modname", {})
            for name, (written, text) in files.items():
                it.modules_mtimes[name] = written
                if text is not None:
                    texts[name] = text


def _of_a_library_to_import(name: str) -> bool:
    """As `of_a_library`, for a module that this process may not have loaded yet."""
    if name in sys.modules:
        return of_a_library(name)
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return False
    return spec is not None and isinstance(spec.origin, str) and spec.origin.startswith(_LIBRARY_PATHS)
