"""Modules that no installation can give: written by the notebook beside it, or made at run time.

Importing such a module again elsewhere would run it a second time, would find the file as it is now and not as
it was loaded, and would lose what the notebook did to it since. So it travels by value, as the notebook's own
code does: a module is a member (``@place:module:ID``) whose value is its dictionary; its functions are rebuilt
on that dictionary and its classes travel under their tracker ids. Modules of installed packages travel by name.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import site
import sys
import sysconfig
import uuid
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any

from cloudpickle import cloudpickle

from nbos_kernel.pins import Placeholder
from nbos_kernel.places import PLACE_PREFIX, Place, Scope

PREFIX = PLACE_PREFIX + "module:"
# Made by the import system; a module gets its own on every host.
_MACHINERY = frozenset({"__builtins__", "__spec__", "__loader__", "__cached__"})
# Names through which code reaches a module that it does not name.
_BY_NAME = frozenset({"modules", "import_module", "reload", "__import__", "run_path", "runpy"})
_FOREIGN = ("_cython_", "cython_runtime", "__mp_main__", "__main__", "nbos_kernel", "ipykernel", "debugpy", "pydev", "_pydev")
_PLAIN = (int, float, complex, str, bytes, bool, type(None), ModuleType, BuiltinFunctionType)
_COMPILED = (importlib.machinery.ExtensionFileLoader, type(importlib.machinery.BuiltinImporter))
_LOADERS = ("importlib", "_frozen_importlib", "zipimport")
# A container up to this size is compared item by item; what is larger is pickled to compare it.
_SMALL = 64


class Tracked:
    """The modules of this process that travel by value, by an id that all processes share."""

    def __init__(self) -> None:
        self.by_id: dict[str, ModuleType] = {}
        self._ids: dict[int, str] = {}
        self._globals: dict[int, str] = {}

    def track(self, module: ModuleType, identity: str = "") -> str:
        known = self._ids.get(id(module))
        if known is not None:
            return known
        identity = identity or uuid.uuid4().hex
        self.by_id[identity] = module
        self._ids[id(module)] = self._globals[id(vars(module))] = identity
        name = _name(module)
        if name and not _is_installed(sys.modules.get(name)):
            # Makes cloudpickle, and with it `is_notebook_class`, treat what the module defines as the notebook's own.
            cloudpickle._PICKLE_BY_VALUE_MODULES.add(name)
        return identity

    def identity(self, module: ModuleType) -> str | None:
        """The id of a module that travels by value. A module that only variables hold is found here first."""
        known = self._ids.get(id(module))
        if known is None and _may_travel(type(module)) and sys.modules.get(_name(module)) is not module:
            # Also one of an installed package that the notebook took out of ``sys.modules``, to load it again.
            if not _is_compiled(module) and not _name(module).startswith(_FOREIGN):
                known = self.track(module)
        return known

    def of_globals(self, names: dict[str, Any]) -> str | None:
        """The id of the module whose dictionary this is."""
        return self._globals.get(id(names))

    def made(self, identity: str, name: str) -> ModuleType:
        """The module of an id; made empty when its content has not arrived yet."""
        module = self.by_id.get(identity)
        if module is None:
            module = ModuleType(name)
            self.track(module, identity)
        return module


# One a process: pickles are loaded by functions that must find it.
TRACKED = Tracked()


# Named in payloads, as the functions of `rebuild` are.


def module(identity: str, name: str) -> ModuleType:
    """A module that travels by value; its content arrives with its own group."""
    return TRACKED.made(identity, name)


def library(name: str) -> ModuleType:
    return importlib.import_module(name)


def function(identity: str, home: str, code: CodeType, name: str, cells: tuple[CellType, ...] | None) -> FunctionType:
    """A function of a module that travels by value."""
    return FunctionType(code, vars(TRACKED.made(identity, home)), name, None, cells)


def is_made_here(it: Any) -> bool:
    """Whether a function or class is the notebook's own. Libraries, too, make classes that no module shows."""
    if isinstance(it, FunctionType):
        return it.__globals__ is vars(sys.modules["__main__"]) or TRACKED.of_globals(it.__globals__) is not None
    mock = sys.modules.get("unittest.mock")
    return isinstance(it, type) and (
        it.__module__ == "__main__" or it.__module__ in cloudpickle._PICKLE_BY_VALUE_MODULES
        or (mock is not None and issubclass(it, mock.NonCallableMock))
    )


def reduced(it: ModuleType) -> Any:
    """How a module is pickled; None when the rules for all objects apply."""
    identity = TRACKED.identity(it)
    if identity is not None:
        return module, (identity, _name(it))
    return (library, (_name(it),)) if isinstance(sys.modules.get(_name(it)), ModuleType) else None


class Modules(Place):
    def __init__(self) -> None:
        self._known = set(sys.modules)
        self._bound: dict[str, int] = {}
        # The names of each tracked module in `sys.modules`, and how many modules that are.
        self._names: dict[int, tuple[str, ...]] = {}
        self._listed = 0
        self._fresh = False
        self._signatures: dict[str, Any] = {}

    def look(self, scope: Scope) -> None:
        """Find the notebook's modules among those that are new."""
        self._fresh = False
        if len(sys.modules) == len(self._known) and not scope.reaches(_BY_NAME):
            return
        for name, module in list(sys.modules.items()):
            if (name not in self._known or self._bound.get(name, id(module)) != id(module)) and _is_the_notebooks(name, module):
                TRACKED.track(module)
                self._fresh = True
        self._settle()

    def hot(self, member: str, scope: Scope) -> bool:
        # A new submodule is an attribute of its package.
        return self._fresh or scope.reaches(_BY_NAME)

    def members(self) -> dict[str, Any]:
        if len(TRACKED.by_id) != self._listed:
            self._settle()
        names = self._names
        return {PREFIX + identity: _state(module, names.get(id(module), ())) for identity, module in TRACKED.by_id.items()}

    def also(self, member: str) -> Any:
        self._settle()
        module = TRACKED.by_id[member[len(PREFIX):]]
        return _state(module, self._names.get(id(module), ()))

    def owns(self, member: str) -> bool:
        return member.startswith(PREFIX)

    def same(self, member: str, value: Any) -> bool:
        """True when the module is surely as it was when asked last; for modules of plain definitions only."""
        now = _signature(value)
        before = self._signatures.get(member)
        self._signatures[member] = now
        return now is not None and now == before

    def install(self, member: str, value: Any) -> None:
        self._signatures.pop(member, None)
        if type(value) is Placeholder:
            return
        name, bound, spec, items, cls = value
        module = TRACKED.made(member[len(PREFIX):], name)
        if type(module) is not cls and isinstance(cls, type):
            module.__class__ = cls
        names = vars(module)
        wanted = dict(items)
        for gone in [key for key in names if key not in wanted and key not in _MACHINERY]:
            del names[gone]
        names.update(wanted)
        names.setdefault("__builtins__", __builtins__)
        _set_spec(module, spec)
        for other in [key for key, it in list(sys.modules.items()) if it is module and key not in bound]:
            sys.modules.pop(other, None)
        for key in bound:
            sys.modules[key] = module

    def remove(self, member: str) -> None:
        module = TRACKED.by_id.get(member[len(PREFIX):])
        for name in [key for key, it in list(sys.modules.items()) if it is module and module is not None]:
            sys.modules.pop(name, None)

    def _settle(self) -> None:
        self._known = set(sys.modules)
        self._bound = {name: id(module) for name, module in list(sys.modules.items())}
        self._names = _bound_names()
        self._listed = len(TRACKED.by_id)

    def applied(self) -> None:
        """What was loaded while something was applied is not the notebook's."""
        importlib.invalidate_caches()  # files may have been written elsewhere a moment ago
        self._settle()


def _bound_names() -> dict[int, tuple[str, ...]]:
    """The names under which each tracked module is in ``sys.modules``."""
    bound: dict[int, tuple[str, ...]] = {}
    if TRACKED.by_id:
        ours = {id(module) for module in TRACKED.by_id.values()}
        for name, module in list(sys.modules.items()):
            if id(module) in ours:
                bound[id(module)] = (*bound.get(id(module), ()), name)
    return bound


def _state(module: ModuleType, bound: tuple[str, ...]) -> tuple[Any, ...]:
    spec = _spec(module)
    hidden = _MACHINERY | {"__path__"} if spec and spec[0] == "namespace" else _MACHINERY
    items = tuple((key, value) for key, value in list(vars(module).items()) if key not in hidden)
    return _name(module), bound, spec, items, type(module)


def _spec(module: ModuleType) -> tuple[Any, ...] | None:
    spec = getattr(module, "__spec__", None)
    if not isinstance(spec, importlib.machinery.ModuleSpec):
        return None
    places = None if spec.submodule_search_locations is None else tuple(map(str, spec.submodule_search_locations))
    if type(spec.loader) in (importlib.machinery.SourceFileLoader, importlib.machinery.SourcelessFileLoader):
        return "file", spec.name, spec.origin, places
    if spec.loader is None or type(spec.loader).__name__ in ("NamespaceLoader", "_NamespaceLoader"):
        return "namespace", spec.name, None, places
    return "other", spec.name, spec, places


def _set_spec(module: ModuleType, spec: tuple[Any, ...] | None) -> None:
    if spec is None:
        return
    kind, name, origin, places = spec
    if kind == "file":
        made = importlib.util.spec_from_file_location(name, origin, submodule_search_locations=None if places is None else list(places))
    elif kind == "namespace":
        made = importlib.machinery.PathFinder.find_spec(name, _parent_path(name))
        if made is None:
            made = importlib.machinery.ModuleSpec(name, None, is_package=True)
            made.submodule_search_locations = list(places or ())
        module.__path__ = made.submodule_search_locations  # type: ignore[assignment]
    else:
        made = origin if isinstance(origin, importlib.machinery.ModuleSpec) else None
    module.__spec__ = made
    if made is not None:
        module.__loader__ = made.loader
        if made.cached:
            module.__cached__ = made.cached


def _parent_path(name: str) -> Any:
    parent = sys.modules.get(name.rpartition(".")[0])
    return getattr(parent, "__path__", None)


def _signature(state: Any) -> Any:
    """Identities of all that a module of plain definitions consists of; None when it holds anything deeper."""
    name, bound, spec, items, cls = state
    if spec is not None and spec[0] == "other" or cls is not ModuleType:
        return None
    parts: list[Any] = [name, bound]
    for key, value in items:
        part = _part(value, 0)
        if part is None:
            return None
        parts.append((key, part))
    return parts


def _part(value: Any, depth: int) -> Any:
    if isinstance(value, _PLAIN):
        return id(value)
    cls = type(value)
    if cls is FunctionType:
        plain = not value.__dict__ and value.__closure__ is None
        defaults = _part(value.__defaults__, depth + 1) if value.__defaults__ else 0
        return (id(value), id(value.__code__), defaults, id(value.__kwdefaults__)) if plain and defaults is not None else None
    if depth < 3 and cls in (tuple, list, set, frozenset, dict) and len(value) <= _SMALL:
        inner = [*value.keys(), *value.values()] if cls is dict else value
        parts = [_part(it, depth + 1) for it in inner]
        return None if None in parts else (id(value), *parts)
    # Classes are members of their own.
    return id(value) if isinstance(value, type) else None


# Which modules are the notebook's?


def _is_the_notebooks(name: Any, module: Any) -> bool:
    if not isinstance(name, str) or not _may_travel(type(module)) or name.startswith(_FOREIGN):
        return False
    if _is_installed(module):
        return False
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    if loader is not None and not type(loader).__module__.startswith(_LOADERS) and not is_made_here(type(loader)):
        return False  # made by a library, out of nothing
    if getattr(module, "__spec__", None) is None and getattr(module, "__file__", None) is None:
        # Compiled packages make submodules at run time, too.
        parent = sys.modules.get(name.partition(".")[0])
        return parent is module or not isinstance(parent, ModuleType) or TRACKED.identity(parent) is not None
    return True


def _may_travel(cls: type) -> bool:
    """Whether modules of this class can be the notebook's: it may have derived a class of its own, which takes the
    place of the usual one in a module that exists."""
    if cls is ModuleType or not issubclass(cls, ModuleType):
        return cls is ModuleType
    home = sys.modules.get(cls.__module__)
    ours = is_made_here(cls) or (isinstance(home, ModuleType) and not _is_installed(home) and not cls.__module__.startswith(_FOREIGN))
    return ours and cls.__basicsize__ == ModuleType.__basicsize__


def _is_installed(module: Any) -> bool:
    """Whether an installation gives this module: every host has it under its name."""
    if not isinstance(module, ModuleType):
        return False
    if _is_compiled(module):
        return True
    spec = getattr(module, "__spec__", None)
    file = getattr(module, "__file__", None) or getattr(spec, "origin", None)
    if not isinstance(file, str):
        places = list(getattr(spec, "submodule_search_locations", None) or ())
        file = str(places[0]) if places else None
    return file is not None and below_installation(file)


def _is_compiled(module: ModuleType) -> bool:
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    return isinstance(loader, _COMPILED) or loader in (importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter)


def below_installation(file: str) -> bool:
    path = os.path.abspath(file)
    return path.startswith(_ROOTS) or "/site-packages/" in path or "/dist-packages/" in path


def _roots() -> tuple[str, ...]:
    keys = ("stdlib", "platstdlib", "purelib", "platlib")
    paths = {sysconfig.get_paths()[key] for key in keys} | {site.getusersitepackages(), os.path.dirname(os.path.dirname(__file__))}
    paths |= {os.path.realpath(path) for path in paths} | {os.path.dirname(os.__file__)}
    return tuple(sorted(os.path.join(path, "") for path in paths if path))


_ROOTS = _roots()


def _name(module: ModuleType) -> str:
    name = vars(module).get("__name__")
    return name if isinstance(name, str) else ""
