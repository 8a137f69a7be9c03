"""Attributes of installed modules, classes, functions and single objects that the notebook set, replaced or deleted.

``np.mean = wrapper`` changes what every later cell computes, on whichever host. A module or class that a cell can
reach is compared, value by value, with what it had before the cell; what differs is the notebook's doing if it is
made of the notebook's objects or if the cell names the attribute. Everything else is the library's own (lazy
loading, caches) and stays in its process. A function of a library, or an object that a module holds
(``reprlib.aRepr``), is compared when the cell sets attributes, and only in those.

Each such attribute is a member (``@place:patch:MODULE:PATH``). What was there before is kept in `ORIGINALS`: the
notebook may hold it, call it and put it back.
"""

from __future__ import annotations

import functools
import gc
import importlib._bootstrap as bootstrap
import logging
import math
import operator
import sys
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

from nbos_kernel.kinds import is_notebook_class
from nbos_kernel.modules import TRACKED, is_made_here
from nbos_kernel.originals import MISSING, ORIGINALS, owner_of
from nbos_kernel.pins import Placeholder
from nbos_kernel.places import PLACE_PREFIX, Place, Scope
from nbos_kernel.static import code_stores

PREFIX = PLACE_PREFIX + "patch:"
# Hooks: whatever replaces them counts. The last entry are the calls that set one; without any, every change counts.
_HOOKS: tuple[tuple[str, str, frozenset[str]], ...] = (
    *(("sys", name, frozenset()) for name in ("excepthook", "unraisablehook", "breakpointhook", "stdout", "stderr", "stdin")),
    ("threading", "excepthook", frozenset()), ("threading", "_trace_hook", frozenset()), ("threading", "_profile_hook", frozenset()),
    *(("warnings", name, frozenset()) for name in ("showwarning", "formatwarning", "_showwarnmsg_impl", "_formatwarnmsg_impl")),
    ("asyncio.events", "_event_loop_policy", frozenset({"set_event_loop_policy"})),
    ("urllib.request", "_opener", frozenset({"install_opener"})),
)
# They are the notebook's output while an apply mutes it: set when it is over.
_STREAMS = frozenset({"stdout", "stderr", "stdin"})
# Made by Python or IPython for themselves.
_NOISE = frozenset(
    "__builtins__ __warningregistry__ __dict__ __weakref__ __abstractmethods__ _abc_impl __annotations__ __spec__ __loader__ "
    "__static_attributes__ __firstlineno__ last_type last_value last_traceback last_exc displayhook _".split()
)
_ANY_NAME = frozenset({"setattr", "delattr", "__setattr__", "__delattr__", "__dict__", "vars"})
# Its objects are this process's; `options` and `hooks` take care of those that the notebook changes.
_SHELL = frozenset({"IPython", "ipykernel", "nbos_kernel", "__main__", "sys", "builtins"})
_PLAIN = frozenset({int, float, complex, str, bytes, bool, type(None), tuple, list, dict, set})
_SWEEP = 0.015  # seconds of one pass while the kernel is idle
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: the others cannot be changed

Key = tuple[str, str]
# Called with every module that was just loaded.
LISTENERS: list[Callable[[Any], None]] = []


class Patches(Place):
    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        # By identity: the module or class, the names of its attributes and their values.
        self._base: dict[int, tuple[Any, tuple[str, ...], tuple[Any, ...]]] = {}
        self._now: dict[Key, tuple[Any, str]] = {}
        self._hooks: dict[Key, Any] = {}
        self._modules = 0
        self._cursor = 0
        # Attributes that the cell, or a function it names, sets or deletes.
        self._stores: set[str] = set()
        self._texts: set[str] = set()
        self._names: frozenset[str] | set[str] = frozenset()
        self._late: list[tuple[Any, str, Any]] = []
        self._libraries: set[type] = set()
        # Functions and single objects of libraries that were reached, and under which name, by identity.
        self._named: dict[int, tuple[Any, Key]] = {}

    def ready(self) -> None:
        """The kernel serves: what modules have now is theirs."""
        for module, name, _ in _HOOKS:
            if module in sys.modules:
                self._hooks[module, name] = getattr(sys.modules[module], name, MISSING)
        for module in list(sys.modules.values()):
            self._note(module)
        self._modules = len(sys.modules)
        LISTENERS.append(self._loaded)
        _on_load()

    # What can be reached.

    def before(self, scope: Scope) -> None:
        self._names = scope.names
        self._stores = set(scope.stores)
        for name in scope.names:
            func = self._namespace.get(name)
            if type(func) is types.FunctionType:
                code_stores(func.__code__, self._stores)
        for owner in self._reached(scope):
            if id(owner) not in self._base:
                self._note(owner)

    def _loaded(self, module: Any) -> None:
        """A module was just loaded: as it is now is how it is installed."""
        self._note(module)
        names = vars(module)
        for name in self._names & names.keys():
            # One that another module had before may have been changed since.
            if isinstance(names[name], type) and id(names[name]) not in self._base:
                self._note(names[name])

    def look(self, scope: Scope) -> None:
        self._stores |= scope.stores
        self._texts = scope.texts
        if self._modules != len(sys.modules):
            self._modules = len(sys.modules)
            for module in list(sys.modules.values()):
                if id(module) not in self._base:
                    self._note(module)
        # First: a check takes what it finds as known.
        for module, name, setters in _HOOKS:
            self._check_hook(module, name, setters, scope)
        for owner in self._reached(scope):
            self._check(owner, scope)
        if scope.deep:
            self._sweep(scope)

    def _sweep(self, scope: Scope) -> None:
        """Go on through all modules, for a moment if a request may wait: with large libraries there are a hundred thousand values."""
        modules = list(sys.modules.values())
        end = time.perf_counter() + (math.inf if scope.whole else _SWEEP)
        for _ in range(len(modules)):
            self._cursor = (self._cursor + 1) % len(modules)
            module = modules[self._cursor]
            if isinstance(module, types.ModuleType) and vars(module) is not self._namespace and TRACKED.identity(module) is None:
                self._check(module, scope)
            if time.perf_counter() > end:
                return

    def owners(self, scope: Scope) -> Iterator[Any]:
        """The installed modules and classes that the cell can name."""
        found: dict[int, Any] = {id(sys.modules["builtins"]): sys.modules["builtins"]}
        names, space = scope.names, self._namespace
        if scope.everything:
            starts = [it for it in list(space.values()) if isinstance(it, (types.ModuleType, type))]
        else:
            starts = [space[name] for name in names if name in space]
            starts += [sys.modules[name] for name in names if name in sys.modules]
        if not names.isdisjoint(("type", "__class__", "__mro__", "mro", "__bases__")):
            starts += [type(it) for it in starts]
        starts += [owner for text in scope.texts for owner in _along(text)]
        explicit = bool(self._stores or scope.texts)
        while starts:
            it = starts.pop()
            if id(it) in found:
                continue
            if type(it) is types.ModuleType or isinstance(it, types.ModuleType):
                if vars(it) is space or TRACKED.identity(it) is not None:
                    continue
            elif not isinstance(it, type) or not self._is_library(it):
                if explicit:
                    self._name(it, None)
                continue
            found[id(it)] = it
            inside = vars(it)
            for name in (*names, *scope.texts):
                if name in inside:
                    starts.append(inside[name])
                    if explicit:
                        self._name(inside[name], key_of_attribute(it, name))
        found.update({id(owner): owner for owner, _ in self._now.values() if id(owner) not in self._named})
        return iter(found.values())

    def _reached(self, scope: Scope) -> list[Any]:
        owners = list(self.owners(scope))
        return owners + [it for it, _ in list(self._named.values())]

    def _name(self, it: Any, way: Key | None) -> None:
        """Note an object of a library that every process finds under one name. `way`: where this cell found it."""
        # A partial that was asked for its attributes behaves otherwise: one of it is not joined with it.
        if id(it) in self._named or isinstance(it, (types.ModuleType, type, logging.Logger, functools.partial)) or type(it) in _PLAIN:
            return
        if is_made_here(it) or is_notebook_class(type(it)) or type(getattr(it, "__dict__", None)) is not dict:
            return
        key = key_of_object(it) or way
        if key is None or ORIGINALS.known(*key) or key[0].partition(".")[0] in _SHELL or self._is_new(key, it):
            return
        self._named[id(it)] = it, key

    def _is_new(self, key: Key, it: Any) -> bool:
        """The notebook put it there (``install_opener``): the attribute is a patch, and the object is the notebook's."""
        _, names, values = self._base.get(id(sys.modules.get(key[0])), (None, (), ()))
        before = dict(zip(names, values))
        return key in self._now or ("." not in key[1] and bool(before) and before.get(key[1], MISSING) is not it)

    def _is_library(self, cls: type) -> bool:
        if cls in self._libraries:
            return True
        if not cls.__flags__ & _HEAP_TYPE or is_notebook_class(cls):
            return False  # asked again: a class of a module that is still loading is not found there yet
        self._libraries.add(cls)
        return True

    # What is different there.

    def _note(self, owner: Any) -> None:
        if isinstance(owner, (types.ModuleType, type)) or id(owner) in self._named:
            self._base[id(owner)] = (owner, tuple(vars(owner)), tuple(vars(owner).values()))

    def _check(self, owner: Any, scope: Scope) -> None:
        known = self._base.get(id(owner))
        now = vars(owner)
        if known is None:
            names = self._stores & now.keys()
            old: dict[str, Any] = {name: value for name, value in now.items() if name not in names}
        elif len(now) == len(known[2]) and all(map(operator.is_, now.values(), known[2])):
            return
        else:
            old = dict(zip(known[1], known[2]))
        for name in [*now, *(name for name in old if name not in now)]:
            before, value = old.get(name, MISSING), now.get(name, MISSING)
            if before is not value and isinstance(name, str) and name not in _NOISE:
                key = self._key(owner, name)
                if key is not None and key not in self._now and key not in self._hooks and (
                    id(owner) in self._named or self._is_patch(name, value, before, scope)
                ):
                    ORIGINALS.save(*key, before)
                    self._now[key] = (owner, name)
        self._note(owner)
        for key in [key for key, (it, _) in self._now.items() if it is owner]:
            self._unless_back(key)

    def _key(self, owner: Any, name: str) -> Key | None:
        if id(owner) not in self._named:
            return key_of_attribute(owner, name)
        module, path = self._named[id(owner)][1]
        plain = name.removeprefix("_")  # where a property keeps what is set
        return None if {name, plain}.isdisjoint(self._stores | self._texts) else (module, f"{path}.{name}")

    def _unless_back(self, key: Key) -> None:
        owner, name = self._now[key]
        if vars(owner).get(name, MISSING) is ORIGINALS.saved(*key):
            del self._now[key]
            ORIGINALS.drop(*key)

    def _is_patch(self, name: str, value: Any, before: Any, scope: Scope) -> bool:
        if isinstance(value, types.ModuleType) and (before is MISSING or isinstance(before, types.ModuleType)):
            return name in self._stores and before is not MISSING
        if name in self._stores or name in scope.texts or any(text.endswith("." + name) for text in scope.texts):
            return True
        if name in scope.names or not scope.names.isdisjoint(_ANY_NAME):
            # An object that a library made is the library's doing.
            return type(value) in _PLAIN or value is MISSING or self._of_notebook(value, 2)
        return self._of_notebook(value, 2)

    def _of_notebook(self, value: Any, depth: int) -> bool:
        """Whether a value is, or directly consists of, something that no installed module can have made."""
        cls = type(value)
        if cls is types.FunctionType or isinstance(value, type):
            return is_made_here(value)
        if value is MISSING or isinstance(value, types.ModuleType):
            return False
        if is_made_here(cls):
            return True
        return depth > 0 and any(self._of_notebook(it, depth - 1) for it in gc.get_referents(value)[:16] if it is not cls)

    def _check_hook(self, module: str, name: str, setters: frozenset[str], scope: Scope) -> None:
        home = sys.modules.get(module)
        if home is None:
            return
        value, key = getattr(home, name, MISSING), (module, name)
        if key not in self._hooks:  # the module was loaded since
            known = self._base.get(id(home))
            self._hooks[key] = value if known is None else dict(zip(known[1], known[2])).get(name, value)
        before = self._hooks[key]
        if key in self._now:
            self._unless_back(key)
        elif value is not before:
            if not setters or scope.reaches(setters) or self._of_notebook(value, 2):
                ORIGINALS.save(module, name, before)
                self._now[key] = (home, name)
            else:
                self._hooks[key] = value

    # As members.

    def members(self) -> dict[str, Any]:
        return {f"{PREFIX}{key[0]}:{key[1]}": _there(owner, name) for key, (owner, name) in self._now.items()}

    def owns(self, member: str) -> bool:
        return member.startswith(PREFIX)

    def install(self, member: str, value: Any) -> None:
        module, _, path = member[len(PREFIX):].partition(":")
        if type(value) is Placeholder or (value and type(value[0]) is Placeholder):
            return
        owner, name = owner_of(module, path)
        if not isinstance(owner, (types.ModuleType, type)):
            self._named.setdefault(id(owner), (owner, (module, path.rpartition(".")[0])))
        # While an apply mutes the notebook's streams, what is there is not what was there.
        muted = ORIGINALS.muted if owner is sys else {}
        ORIGINALS.save(module, path, muted[name] if name in muted else vars(owner).get(name, MISSING))
        self._now[module, path] = (owner, name)
        self._put(owner, name, value[0] if value else MISSING)

    def remove(self, member: str) -> None:
        module, _, path = member[len(PREFIX):].partition(":")
        found = self._now.pop((module, path), None)
        if found is not None:
            self._put(*found, ORIGINALS.drop(module, path))

    def _put(self, owner: Any, name: str, value: Any) -> None:
        if owner is sys and name in _STREAMS:
            self._late.append((owner, name, value))
            if name in ORIGINALS.muted:
                ORIGINALS.muted[name] = value  # for one that goes and comes again in this frame
        else:
            _set(owner, name, value)
            self._note(owner)

    def applied(self) -> None:
        late, self._late = self._late, []
        for owner, name, value in late:
            _set(owner, name, value)
        self._note(sys)


def _there(owner: Any, name: str) -> tuple[Any, ...]:
    """What is there now: one object, or nothing."""
    value = vars(owner).get(name, MISSING)
    return () if value is MISSING else (value,)


def _set(owner: Any, name: str, value: Any) -> None:
    if value is not MISSING:
        setattr(owner, name, value)
    elif name in vars(owner):
        delattr(owner, name)


def key_of_attribute(owner: Any, name: str) -> Key | None:
    """The name under which every process finds this attribute, if there is one."""
    if isinstance(owner, type):
        module, path = owner.__module__, f"{owner.__qualname__}.{name}"
        found: Any = sys.modules.get(module)
        for part in owner.__qualname__.split("."):
            found = getattr(found, part, None)
        return (module, path) if found is owner or ORIGINALS.known(module, owner.__qualname__) else None
    module = owner.__name__
    return (module, name) if sys.modules.get(module) is owner else None


def key_of_object(it: Any) -> Key | None:
    """The name under which every process finds a function of a library, or an object that its class's module holds."""
    own = {"__module__": it.__module__, "__qualname__": it.__qualname__} if type(it) is types.FunctionType else vars(it)
    places = [(own.get("__module__"), own.get("__qualname__"))]
    home = sys.modules.get(str(type(it).__module__))
    if type(it) is not types.FunctionType and isinstance(home, types.ModuleType):
        places += [(home.__name__, name) for name, value in list(vars(home).items()) if value is it]
    for module, path in places:
        if not isinstance(module, str) or not isinstance(path, str):
            continue
        found: Any = sys.modules.get(module)
        for part in path.split("."):
            found = getattr(found, part, None)
        if found is it:
            return module, path
    return None


def _along(text: str) -> Iterator[Any]:
    """The modules and classes on the way of a dotted name."""
    parts = text.split(".")
    for end in range(len(parts), 0, -1):
        it: Any = sys.modules.get(".".join(parts[:end]))
        if it is not None:
            yield it
            for part in parts[end:]:
                it = vars(it).get(part) if isinstance(it, (types.ModuleType, type)) else None
                if it is not None:
                    yield it
            return


def _on_load() -> None:
    """Be told of every module that is loaded. The wrapper takes the file name of the import system, whose frames
    Python leaves out of tracebacks."""
    load = getattr(bootstrap, "_load_unlocked", None)
    if load is None or hasattr(load, "__wrapped__"):
        return
    source = "def _load_unlocked(spec):\n    module = _load(spec)\n    _loaded(module)\n    return module\n"
    names = {"_load": load, "_loaded": _tell}
    exec(compile(source, "<frozen importlib._bootstrap>", "exec"), names)  # noqa: S102
    wrapper = names["_load_unlocked"]
    wrapper.__wrapped__ = load
    bootstrap._load_unlocked = wrapper  # type: ignore[attr-defined]


def _tell(module: Any) -> None:
    for listener in LISTENERS:
        try:
            listener(module)
        except Exception:  # noqa: BLE001, S112 - an import must not fail for it
            continue
