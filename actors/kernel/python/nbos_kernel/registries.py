"""Lists and tables of the standard library in which the notebook registers its own objects.

Each is one member: what the notebook put there beyond what was there when the kernel was ready. Only entries that
are the notebook's own travel; those of libraries are made again when the library is imported.
"""

from __future__ import annotations

import _abc
import abc
import atexit
import codecs
import copyreg
import decimal
import encodings
import functools
import gc
import importlib
import signal
import sys
import types
import warnings
from collections.abc import Callable
from typing import Any

from nbos_kernel.modules import is_made_here
from nbos_kernel.pins import Placeholder
from nbos_kernel.places import PLACE_PREFIX, Place, Scope


class Registry(Place):
    """A place with one member, `()` while the notebook has nothing there."""

    name = ""
    # Names of which the cell must have one, or nothing can have changed; empty: always read.
    calls: frozenset[str] = frozenset()
    # Only read when the cell has one of the names, not whenever it could reach anything.
    costly = False

    def __init__(self) -> None:
        self._now: tuple[Any, ...] = ()

    def read(self, scope: Scope) -> tuple[Any, ...]:
        raise NotImplementedError

    def write(self, value: tuple[Any, ...]) -> None:
        raise NotImplementedError

    @property
    def member(self) -> str:
        return PLACE_PREFIX + "registry:" + self.name

    def look(self, scope: Scope) -> None:
        if not self.calls or not scope.names.isdisjoint(self.calls) or (scope.everything and not self.costly):
            self._now = self.read(scope)

    def members(self) -> dict[str, Any]:
        return {self.member: self._now} if self._now else {}

    def owns(self, member: str) -> bool:
        return member == self.member

    def install(self, member: str, value: Any) -> None:
        if type(value) is not Placeholder:
            self.write(tuple(it for it in value if type(it) is not Placeholder))
            self._now = value

    def remove(self, member: str) -> None:
        self.write(())
        self._now = ()


class Listed(Registry):
    """A list that the notebook adds to: ``gc.callbacks``, ``sys.meta_path``. What was there at the start keeps its place."""

    def __init__(self, name: str, find: Callable[[], Any]) -> None:
        super().__init__()
        self.name = name
        self._find = find
        self._own: list[Any] = []

    def ready(self) -> None:
        self._own = list(self._find() or ())

    def read(self, scope: Scope) -> tuple[Any, ...]:
        there = self._find() or ()
        if len(there) == len(self._own) and all(a is b for a, b in zip(there, self._own)):
            return ()
        # Entries that every process has travel as their number.
        return tuple(next((n for n, own in enumerate(self._own) if own is it), it) for it in there)

    def write(self, value: tuple[Any, ...]) -> None:
        there = self._find()
        if there is not None:
            items = [self._own[it] if type(it) is int else it for it in value if type(it) is not int or it < len(self._own)]
            there[:] = items if value else self._own


class ModuleTable(Registry):
    """``sys.modules``: names that the notebook blocked with None, installed modules that it took out."""

    name = "sys.modules"
    calls = frozenset({"modules"})

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def before(self, scope: Scope) -> None:
        if scope.reaches(self.calls):
            self._seen = set(sys.modules)

    def read(self, scope: Scope) -> tuple[Any, ...]:
        gone = {name for name in self._seen if name not in sys.modules} | {name for name, there in self._now if not there}
        blocked = [name for name, it in list(sys.modules.items()) if it is None]
        return (*((name, False) for name in sorted(gone) if name not in sys.modules), *((name, None) for name in blocked))

    def look(self, scope: Scope) -> None:
        if self._now or scope.reaches(self.calls):
            self._now = self.read(scope)

    def write(self, value: tuple[Any, ...]) -> None:
        for name in [name for name, it in list(sys.modules.items()) if it is None and (name, None) not in value]:
            del sys.modules[name]
        for name, there in value:
            if there is None:
                sys.modules[name] = None  # type: ignore[assignment]
            else:
                sys.modules.pop(name, None)


class AbstractBases(Registry):
    """``Sequence.register(Mine)``: classes of the notebook that count as subclasses of a library's abstract class."""

    name = "abc"
    calls = frozenset({"register"})

    def __init__(self) -> None:
        super().__init__()
        self._bases: set[type] = set()

    def read(self, scope: Scope) -> tuple[Any, ...]:
        for name in ("collections.abc", "numbers", "io", "os", "contextlib", "typing", "importlib.abc"):
            self._add(sys.modules.get(name))
        for name in scope.names:
            self._add(sys.modules.get(name))
        found = []
        for base in self._bases:
            classes = [it for it in (reference() for reference in _abc._get_dump(base)[0]) if it is not None and is_made_here(it)]
            if classes:
                found.append((base.__module__, base.__qualname__, *sorted(classes, key=lambda it: it.__qualname__)))
        return tuple(sorted(found, key=lambda it: it[:2]))

    def _add(self, module: Any) -> None:
        if isinstance(module, types.ModuleType):
            self._bases |= {it for it in list(vars(module).values()) if isinstance(it, abc.ABCMeta) and not is_made_here(it)}

    def write(self, value: tuple[Any, ...]) -> None:
        for module, path, *classes in value:
            base = functools.reduce(getattr, path.split("."), importlib.import_module(module))
            for cls in classes:
                if isinstance(cls, type):
                    base.register(cls)


class Copyreg(Registry):
    name = "copyreg"
    calls = frozenset({"copyreg", "dispatch_table", "pickle"})

    def __init__(self) -> None:
        super().__init__()
        self._installed: set[type] = set()

    def read(self, scope: Scope) -> tuple[Any, ...]:
        return tuple((cls, by) for cls, by in list(copyreg.dispatch_table.items()) if cls.__module__ == "__main__" or _of_notebook(by))

    def write(self, value: tuple[Any, ...]) -> None:
        for cls in self._installed:
            copyreg.dispatch_table.pop(cls, None)
        self._installed = {cls for cls, _ in value}
        copyreg.dispatch_table.update(value)


class CodecErrors(Registry):
    name = "codecs.errors"
    costly = True
    calls = frozenset({"register_error"})

    def __init__(self) -> None:
        super().__init__()
        self._table: dict[str, Any] | None = None

    def read(self, scope: Scope) -> tuple[Any, ...]:
        if self._table is None:  # the interpreter's own, found by what is always in it
            strict = codecs.lookup_error("strict")
            tables = [it for it in _referrers(strict) if type(it) is dict and it.get("strict") is strict and "backslashreplace" in it]
            self._table = tables[0] if tables else {}
        return tuple((name, it) for name, it in self._table.items() if _of_notebook(it))

    def write(self, value: tuple[Any, ...]) -> None:
        for name, handler in value:
            codecs.register_error(name, handler)


class CodecSearch(Registry):
    name = "codecs.search"
    costly = True
    calls = frozenset({"codecs"})

    def __init__(self) -> None:
        super().__init__()
        self._path: list[Any] | None = None
        self._installed: tuple[Any, ...] = ()

    def read(self, scope: Scope) -> tuple[Any, ...]:
        if self._path is None:
            paths = [it for it in _referrers(encodings.search_function) if type(it) is list and it[0] is encodings.search_function]
            self._path = paths[0] if paths else []
        return tuple(it for it in self._path if _of_notebook(it))

    def write(self, value: tuple[Any, ...]) -> None:
        for search in self._installed:
            codecs.unregister(search)
        for search in value:
            codecs.register(search)
        self._installed = value


class ExitCalls(Registry):
    """``atexit``: Python does not tell what is registered, so registering is watched."""

    name = "atexit"

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[tuple[Any, tuple[Any, ...], tuple[Any, ...]]] = []
        self._register, self._unregister = atexit.register, atexit.unregister

    def ready(self) -> None:
        if not hasattr(atexit.register, "__wrapped__"):
            atexit.register = functools.wraps(self._register)(self._noted)
            atexit.unregister = functools.wraps(self._unregister)(self._forgotten)

    def _noted(self, func: Any, /, *args: Any, **kwargs: Any) -> Any:
        done = self._register(func, *args, **kwargs)
        if _of_notebook(func):
            self._calls.append((func, args, tuple(kwargs.items())))
        return done

    def _forgotten(self, func: Any) -> None:
        self._unregister(func)
        self._calls = [call for call in self._calls if call[0] is not func and call[0] != func]

    def read(self, scope: Scope) -> tuple[Any, ...]:
        return tuple(self._calls)

    def write(self, value: tuple[Any, ...]) -> None:
        for func, _, _ in self._calls:
            self._unregister(func)
        self._calls = list(value)
        for func, args, kwargs in value:
            self._register(func, *args, **dict(kwargs))


class Signals(Registry):
    """Handlers of signals; that of an interrupt is the kernel's."""

    name = "signals"
    calls = frozenset({"signal", "set_wakeup_fd", "siginterrupt"})

    def __init__(self) -> None:
        super().__init__()
        self._own: dict[int, Any] = {}

    def ready(self) -> None:
        self._own = {number: signal.getsignal(number) for number in signal.valid_signals() if number != signal.SIGINT}

    def read(self, scope: Scope) -> tuple[Any, ...]:
        there = {number: signal.getsignal(number) for number in self._own}
        return tuple((int(number), it) for number, it in there.items() if it is not self._own[number] and it is not None)

    def write(self, value: tuple[Any, ...]) -> None:
        wanted = {**self._own, **dict(value)}
        for number, handler in wanted.items():
            if handler is not None and type(handler) is not Placeholder and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


class Warnings(Registry):
    """Filters, and what was already said once. The filters may name the notebook's own warning classes."""

    name = "warnings"

    def __init__(self) -> None:
        super().__init__()
        self._own: tuple[Any, ...] = ()

    def ready(self) -> None:
        self._own = self._there()

    def _there(self) -> tuple[Any, ...]:
        said = getattr(warnings, "onceregistry", {})
        return tuple(warnings.filters), tuple(said.items()), getattr(warnings, "defaultaction", "default")

    def read(self, scope: Scope) -> tuple[Any, ...]:
        there = self._there()
        return () if there == self._own else there

    def write(self, value: tuple[Any, ...]) -> None:
        filters, said, action = value or self._own
        warnings.filters[:] = filters  # type: ignore[index]
        warnings.onceregistry.clear()  # type: ignore[attr-defined]
        warnings.onceregistry.update(said)  # type: ignore[attr-defined]
        warnings.defaultaction = action  # type: ignore[attr-defined]
        mutated = getattr(warnings, "_filters_mutated_lock_held", None) or getattr(warnings, "_filters_mutated", None)
        if mutated is not None:
            mutated()


class DecimalContext(Registry):
    """The context itself, which variables may hold, and the templates of new ones."""

    name = "decimal"

    def __init__(self) -> None:
        super().__init__()
        self._text: tuple[int, str] = (0, "")
        self._read: tuple[Any, ...] = ()
        self._own: tuple[Any, ...] = ()

    def ready(self) -> None:
        self._own = self._there()

    def _there(self) -> tuple[Any, ...]:
        templates = (decimal.DefaultContext, decimal.BasicContext, decimal.ExtendedContext)
        return _facts(decimal.getcontext()), *map(_facts, templates)

    def read(self, scope: Scope) -> tuple[Any, ...]:
        context = decimal.getcontext()
        text = repr(context)  # all of it, and quick
        if (id(context), text) != self._text or scope.reaches(("DefaultContext", "BasicContext", "ExtendedContext")):
            self._text = (id(context), text)
            there = self._there()
            self._read = () if there == self._own else (context, *there)
        return self._read

    def write(self, value: tuple[Any, ...]) -> None:
        self._text = (0, "")
        context, _, *templates = value or (None, *self._own)
        for template, facts in zip((decimal.DefaultContext, decimal.BasicContext, decimal.ExtendedContext), templates):
            _set_facts(template, facts)
        if context is None:
            context = decimal.getcontext()
            _set_facts(context, self._own[0])
        decimal.setcontext(context)


def _referrers(it: Any) -> list[Any]:
    """What holds an object, also among objects that the collector was told to pass over."""
    frozen = gc.get_freeze_count()
    if frozen:
        gc.unfreeze()
    found = gc.get_referrers(it)
    if frozen:
        gc.freeze()
    return found


def _facts(context: Any) -> tuple[Any, ...]:
    traps = tuple(kind.__name__ for kind, on in context.traps.items() if on)
    flags = tuple(kind.__name__ for kind, on in context.flags.items() if on)
    return context.prec, context.rounding, context.Emin, context.Emax, context.capitals, context.clamp, traps, flags


def _set_facts(context: Any, facts: tuple[Any, ...]) -> None:
    context.prec, context.rounding, context.Emin, context.Emax, context.capitals, context.clamp, traps, flags = facts
    for table, wanted in ((context.traps, traps), (context.flags, flags)):
        for kind in table:
            table[kind] = kind.__name__ in wanted


def _of_notebook(it: Any) -> bool:
    """A function, method or object whose code no installed module has."""
    it = getattr(it, "__func__", it)
    if isinstance(it, functools.partial):
        it = it.func
    if isinstance(it, (types.FunctionType, type)):
        return is_made_here(it)
    if isinstance(it, types.BuiltinFunctionType):
        return is_made_here(type(it.__self__))
    return is_made_here(type(it))


def registries() -> list[Place]:
    mock = "unittest.mock"
    return [
        Listed("gc.callbacks", lambda: gc.callbacks),
        Listed("sys.meta_path", lambda: sys.meta_path),
        Listed("sys.path_hooks", lambda: sys.path_hooks),
        Listed("mock.patches", lambda: sys.modules[mock]._patch._active_patches if mock in sys.modules else None),
        ModuleTable(), AbstractBases(), Copyreg(), CodecErrors(), CodecSearch(), ExitCalls(), Signals(), Warnings(), DecimalContext(),
    ]
