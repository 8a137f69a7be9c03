"""What a variable is, as a digest that two processes can compare.

A walk of its own, which shares nothing with the walk that groups variables or with the pickler: an error of
theirs must not hide here. It goes through every variable in the order of their names and notes what the next
cell could notice: types, values, the memory and layout of arrays, functions by their code and what they close
over, classes by their members, and for each mutable object whether it was met before, and where. It leaves out
what two processes may differ in: addresses, the order of sets, modules, and objects that stay where they are.
"""

from __future__ import annotations

import collections
import contextvars
import enum
import functools
import gc
import hashlib
import io
import itertools
import re
import sys
import types
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from nbos_kernel import digest_libraries, instances

# A name, and what hangs there: joined they are the path from the variable.
Child = tuple[str, Any]

_ATOMS = (int, float, complex, bool, type(None), type(...), type(NotImplemented), range)
_TEXT = (str, bytes)
_ADDRESS = re.compile(r"0x[0-9a-f]+")
# What Python, its libraries or a debugger put into a class beside the notebook's own members.
_CLASS_NOISE = frozenset(
    "__dict__ __weakref__ __module__ __qualname__ __doc__ _abc_impl __abstractmethods__ __slotnames__ __static_attributes__ "
    "_is_protocol __parameters__ __firstlineno__ __annotate_func__ __annotations_cache__ _member_map_ _value2member_map_ __signature__".split()
)
_SHAPE_DEPTH = 6
# Members of a constant, so that one met often costs little each time.
_SMALL = 64


class Own:
    """What every process has its own of beside what travels by a tag: the shell and the streams it started with."""

    def __init__(self, shell: Any) -> None:
        streams = [(name, getattr(sys, name)) for name in ("__stdin__", "__stdout__", "__stderr__", "stdin", "stdout", "stderr")]
        self._kept = [("shell", shell), *streams]
        self.names = {id(it): name for name, it in self._kept if it is not None}


class Digest:
    """One walk over all variables of a process.

    `pinned` names objects that stay here (by identity), `named` those that every process has its own of: a kernel's
    parts and streams are stand-ins there, where no kernel is, under the same names.
    With `detail` the walk keeps what it saw of these variables, to find the first difference.
    """

    def __init__(self, namespace: dict[str, Any], pinned: dict[int, str], named: dict[int, str], detail: Iterable[str] = ()) -> None:
        self._namespace = namespace
        self._pinned = pinned
        self._named = named
        self._wanted = frozenset(detail)
        self.seen_of: dict[str, list[tuple[str, str]]] = {}
        self._met: dict[int, tuple[str, int, str]] = {}
        # Where the attributes of the object at hand are.
        self._at = ("", 0, "")
        self._keep: list[Any] = []
        self._classes: dict[type, bool] = {}
        self._singletons: dict[str, dict[int, str]] = {}

    def variables(self, names: Iterable[str], check: Callable[[], None]) -> dict[str, str]:
        """The digest of each variable. `check` is called often and may raise."""
        try:
            return {name: self._variable(name, check) for name in sorted(names) if name in self._namespace}
        finally:
            digest_libraries.Memory.forget()

    def _variable(self, name: str, check: Callable[[], None]) -> str:
        digest = hashlib.blake2b(digest_size=16)
        noted: list[tuple[str, str]] | None = [] if name in self._wanted else None
        if noted is not None:
            self.seen_of[name] = noted
        met, frozen, count, steps = self._met, set(), 0, 0
        stack: list[Child] = [(name, self._namespace[name])]
        while stack:
            path, obj = stack.pop()
            steps += 1
            if not steps & 1023:
                check()
            kind = type(obj)
            below: list[Child] = []
            if kind in _ATOMS:
                token = f"{kind.__name__} {obj!r}"
            elif kind in _TEXT:
                token = kind.__name__ + " " + (obj if kind is str else obj.hex())
            else:
                count += 1
                key = id(obj)
                pin = digest_libraries.pin_id(obj)
                if pin is None and key in self._pinned and key not in self._named and not (issubclass(kind, type) and count > 1) and not digest_libraries.travels(obj):
                    pin = self._pinned[key]
                if pin is not None:
                    token = "stays " + pin
                elif key in self._named:
                    token = "named " + self._named[key]
                elif kind is slice or digest_libraries.is_value(kind):
                    token, below = self._look(obj, kind)
                elif kind in (tuple, frozenset) and (not obj or key in frozen and not _is_constant(obj)):
                    token = f"{kind.__name__} again {len(obj)}"
                elif key in met:
                    other, index, where = met[key]
                    token = f"same as {where}" if noted is not None else f"same as {other} {index}"
                    if noted is not None and other not in self._wanted:
                        token = f"same as {other} {index}"
                else:
                    (frozen.add(key) if kind in (tuple, frozenset) else met.__setitem__(key, (name, count, path)))
                    self._keep.append(obj)
                    self._at = (name, count, path + ".__dict__")
                    try:
                        token, below = self._look(obj, kind)
                    except Exception as error:  # noqa: BLE001 - code of the notebook may be asked in there
                        token, below = f"unreadable {_name(kind)} {type(error).__name__}", []
            digest.update(token.encode("utf-8", "surrogatepass"))
            digest.update(b"\0")
            if noted is not None:
                noted.append((path, token))
                stack.extend((path + step, it) for step, it in reversed(below))
            else:
                stack.extend(("", it) for _, it in reversed(below))
        return digest.hexdigest()

    # One object.

    def _look(self, obj: Any, kind: type) -> tuple[str, list[Child]]:
        rule = _RULES.get(kind)
        if rule is not None:
            return rule(self, obj)
        if issubclass(kind, type):
            return self._class(obj)
        if issubclass(kind, types.ModuleType):
            return f"module {obj.__name__}", []
        found = digest_libraries.look(obj)
        if found is not None:
            return found
        if issubclass(kind, BaseException):
            return self._error(obj)
        return self._object(obj, kind)

    def _object(self, obj: Any, kind: type) -> tuple[str, list[Child]]:
        home = kind.__module__
        if isinstance(home, str):
            if home not in self._singletons:
                self._singletons[home] = digest_libraries.singletons(home)
            if id(obj) in self._singletons[home]:
                return f"named {self._singletons[home][id(obj)]}", []
        below: list[Child] = []
        token = f"object {_name(kind)}"
        if self._is_notebooks(kind):
            below.append((".__class__", kind))
            token += self._shared_attributes(obj)
        content = _content(obj)
        if content is not None:
            below += content
        attributes = getattr(obj, "__dict__", None)
        if isinstance(attributes, dict):
            skipped = _OF_FLAGS if issubclass(kind, enum.Flag) else _SKIPPED_ATTRIBUTES
            below += [(f".{name}", attributes[name]) for name in sorted(attributes, key=str) if name not in skipped]
        slots = _slots(obj, kind)
        below += slots
        if content is None and not isinstance(attributes, dict) and not slots and not self._is_notebooks(kind):
            return self._opaque(obj, kind)
        if content is None and self._hides(kind):
            # The protocol gives the attributes too, in a dictionary made for it: those are seen already.
            below += [(step, it) for step, it in self._opaque(obj, kind)[1] if it is not attributes and type(it) is not dict]
        return token, below

    def _shared_attributes(self, obj: Any) -> str:
        """Whether a variable or another object has its ``__dict__`` too."""
        attributes = instances.attributes_of(obj)
        if attributes is None:
            return ""
        self._keep.append(attributes)
        other, index, where = self._met.setdefault(id(attributes), self._at)
        if (other, index) == self._at[:2]:
            return ""
        return f", attributes {where if other in self._wanted else f'{other} {index}'}"

    def _hides(self, kind: type) -> bool:
        """Whether a base in C keeps state beside the attributes (``random.Random``, a date) and shows it to the pickle protocol."""
        for method in ("__reduce_ex__", "__reduce__", "__getstate__"):
            home = next((cls for cls in kind.__mro__ if method in vars(cls)), object)
            if home is object:
                continue
            if self._is_notebooks(home):
                return False  # its own code: not ours to call
            if method != "__getstate__" or not isinstance(vars(home)[method], types.FunctionType):
                return True
        return False

    def _opaque(self, obj: Any, kind: type) -> tuple[str, list[Child]]:
        """An object of a library written in C shows what it is only through the pickle protocol."""
        if kind.__reduce_ex__ is object.__reduce_ex__ and kind.__reduce__ is object.__reduce__ and not hasattr(kind, "__getstate__"):
            return f"opaque {_name(kind)}", []
        try:
            reduced = obj.__reduce_ex__(4)
        except Exception:  # noqa: BLE001 - most such objects have none
            return f"opaque {_name(kind)}", []
        if isinstance(reduced, str):
            return f"opaque {_name(kind)} {reduced}", []
        if _at_its_end(obj, reduced):
            return "iterator at its end", []
        parts = [list(it) if place > 1 and it is not None else it for place, it in enumerate(reduced[1:5])]
        return f"reduced {_name(kind)}", [(f"<state {i}>", it) for i, it in enumerate(parts) if it is not None]

    def _error(self, error: BaseException) -> tuple[str, list[Child]]:
        kind = type(error)
        below: list[Child] = [(".__class__", kind)] if self._is_notebooks(kind) else []
        below += [(".args", error.args), (".__cause__", error.__cause__), (".__dict__", dict(vars(error)))]
        below += _slots(error, kind)
        return f"error {_name(kind)} {error.__suppress_context__}", below

    def _class(self, cls: type) -> tuple[str, list[Child]]:
        if not self._is_notebooks(cls):
            return f"class {_name(cls)}", []
        if isinstance(cls, enum.EnumMeta):
            return self._enum(cls)
        members = {k: v for k, v in list(vars(cls).items()) if k not in _CLASS_NOISE}
        below: list[Child] = [(".__bases__", cls.__bases__), (".__class__", type(cls))]
        below += [
            (f".{name}", members[name]) for name in sorted(members)
            if not isinstance(members[name], (types.MemberDescriptorType, types.GetSetDescriptorType))
        ]
        abstract = sorted(getattr(cls, "__abstractmethods__", ()))
        protocol = getattr(cls, "_is_protocol", None)
        return f"class {_name(cls)} {sorted(members)} {abstract} {protocol} {cls.__doc__!r}", below

    def _enum(self, cls: Any) -> tuple[str, list[Child]]:
        """Its members and the notebook's methods; the rest is made by the metaclass again."""
        own = {k: v for k, v in vars(cls).items() if isinstance(v, (types.FunctionType, property, classmethod, staticmethod))}
        own = {k: v for k, v in own.items() if k not in vars(enum.Enum) and k not in vars(enum.Flag) and k not in vars(enum.ReprEnum)}
        below: list[Child] = [(".__bases__", cls.__bases__)]
        below += [(f".{name}", member._value_) for name, member in cls.__members__.items()]
        below += [(f".{name}", own[name]) for name in sorted(own)]
        return f"enum {_name(cls)} {list(cls.__members__)} {sorted(own)}", below

    def _function(self, func: types.FunctionType) -> tuple[str, list[Child]]:
        if func.__globals__ is not self._namespace and _found(func):
            return f"function {func.__module__}.{func.__qualname__}", []
        home = "the notebook" if func.__globals__ is self._namespace else func.__globals__.get("__name__")
        below: list[Child] = [
            (".__defaults__", func.__defaults__), (".__kwdefaults__", func.__kwdefaults__),
            (".__closure__", func.__closure__), (".__dict__", dict(func.__dict__)),
        ]
        if not _LAZY:
            below.append((".__annotations__", dict(func.__annotations__)))
        if home != "the notebook" and getattr(sys.modules.get(str(home)), "__dict__", None) is not func.__globals__:
            below += [(f".__globals__[{name!r}]", func.__globals__[name]) for name in sorted(_globals_of(func.__code__)) if name in func.__globals__]
        return f"function {func.__name__} {func.__qualname__} of {home} {_code(func.__code__)} {func.__doc__!r}", below

    def in_context(self, context: contextvars.Context) -> list[Child]:
        """The values of variables that the notebook has names for, in the order of those."""
        names = sorted((name, it) for name, it in self._namespace.items() if type(it) is contextvars.ContextVar)
        return [(f"[{name}]", context[it]) for name, it in names if it in context]

    def _is_notebooks(self, cls: type) -> bool:
        known = self._classes.get(cls)
        if known is None:
            known = self._classes[cls] = _is_notebooks(cls)
        return known

    def _set(self, it: Any) -> tuple[str, list[Child]]:
        shaped = sorted((self.shape(element, 0), self._met.get(id(element), ("", 0))[:2], i, element) for i, element in enumerate(it))
        return f"{_name(type(it))} {len(it)}", [(f"<element {i}>", element) for i, (*_, element) in enumerate(shaped)]

    def shape(self, obj: Any, depth: int) -> str:
        """A text to order the elements of a set by: equal in two processes for equal elements."""
        kind = type(obj)
        if kind in _ATOMS or kind in _TEXT:
            return f"{kind.__name__} {obj!r}"
        if depth < _SHAPE_DEPTH and kind in (tuple, list):
            return kind.__name__ + "(" + ",".join(self.shape(it, depth + 1) for it in obj) + ")"
        if depth < _SHAPE_DEPTH and kind in (frozenset, set):
            return kind.__name__ + "{" + ",".join(sorted(self.shape(it, depth + 1) for it in obj)) + "}"
        if isinstance(obj, (type, types.FunctionType)):
            return f"{kind.__name__} {obj.__module__}.{obj.__qualname__}"
        attributes = getattr(obj, "__dict__", None)
        if depth < _SHAPE_DEPTH and isinstance(attributes, dict) and len(attributes) < 64:
            return _name(kind) + "(" + ",".join(f"{k}={self.shape(attributes[k], depth + 1)}" for k in sorted(attributes, key=str)) + ")"
        try:
            return _name(kind) + _ADDRESS.sub("", repr(obj))
        except Exception:  # noqa: BLE001
            return _name(kind)


# Caches that libraries fill when they are asked, and what observers of traits are kept in by their class.
_SKIPPED_ATTRIBUTES = frozenset({"_trait_validators", "_trait_notifiers", "__weakref__", "_abc_impl", "__orig_class__"})
# A flag keeps its opposite once it was asked for it.
_OF_FLAGS = _SKIPPED_ATTRIBUTES | {"_inverted_"}


def _is_constant(obj: Any) -> bool:
    """Python keeps one or several of these as it likes: they are compared, not told apart."""
    return len(obj) <= _SMALL and all(type(it) in _ATOMS or type(it) in _TEXT or type(it) is slice for it in obj)


def _sequence(_: Digest, it: Any) -> tuple[str, list[Child]]:
    return f"{type(it).__name__} {len(it)}", [(f"[{i}]", value) for i, value in enumerate(it)]


def _mapping(_: Digest, it: Any) -> tuple[str, list[Child]]:
    return f"{type(it).__name__} {len(it)}", _items(it)


def _items(it: Any) -> list[Child]:
    below: list[Child] = []
    for i, (key, value) in enumerate(list(it.items())):
        below.append((f"<key {i}>", key))
        below.append((f"[{key!r}]" if type(key) in _ATOMS or type(key) is str else f"<value {i}>", value))
    return below


def _content(obj: Any) -> list[Child] | None:
    """What an object holds as a container, whatever its class made of the methods for it."""
    if isinstance(obj, dict):
        below = _items_of_dict(obj)
        if isinstance(obj, collections.defaultdict):
            below.append((".default_factory", obj.default_factory))
        return below
    if isinstance(obj, (list, tuple)):
        base: Any = list if isinstance(obj, list) else tuple
        return [(f"[{i}]", value) for i, value in enumerate(base.__iter__(obj))]
    if isinstance(obj, collections.deque):
        return [(".maxlen", obj.maxlen), *((f"[{i}]", value) for i, value in enumerate(collections.deque.__iter__(obj)))]
    if isinstance(obj, (set, frozenset)):
        base = set if isinstance(obj, set) else frozenset
        return [("<elements>", frozenset(base.__iter__(obj)))]
    for base in (int, float, complex, str, bytes, bytearray):
        if isinstance(obj, base):
            return [("<value>", bytes(obj) if base is bytearray else base.__new__(base, obj) if base is not str else str.__str__(obj))]
    return None


def _items_of_dict(obj: dict[Any, Any]) -> list[Child]:
    return _items(_Items(obj))


class _Items:
    def __init__(self, obj: dict[Any, Any]) -> None:
        self._obj = obj

    def items(self) -> Any:
        return dict.items(self._obj)


def _slots(obj: Any, kind: type) -> list[Child]:
    below: list[Child] = []
    for cls in kind.__mro__:
        for name, member in list(vars(cls).items()):
            if type(member) is types.MemberDescriptorType and cls.__flags__ & _HEAP_TYPE and name[:2] != "__":
                try:
                    below.append((f".{name}", member.__get__(obj, kind)))
                except AttributeError:
                    below.append((f".{name}", "<unset>"))
    return below


_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class made at run time
# From Python 3.14 on annotations are code, which is run when they are asked for.
_LAZY = sys.version_info >= (3, 14)


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _at_its_end(obj: Any, reduced: tuple[Any, ...]) -> bool:
    """Where an iterator was when nothing was left means nothing, and of many not even of which kind it was: they travel
    as an empty one."""
    kind, made = type(obj), reduced[1]
    if reduced[0] is iter and len(reduced) < 3:
        return len(made) == 1 and type(made[0]) in (list, tuple, str) and not made[0]
    if kind is itertools.chain:
        sources = reduced[2] if len(reduced) > 2 else ()
        return len(sources) == 0 or len(sources) == 1 and _is_empty(sources[0])
    return _is_empty(made[0] if kind in (enumerate, itertools.islice) else obj)


def _is_empty(iterator: Any) -> bool:
    return type(iterator) in _ITERATORS and iterator.__length_hint__() == 0


_ITERATORS = tuple(type(iter(it)) for it in ([], (), "", "\u0100", b"", range(1)))


def _is_notebooks(cls: type) -> bool:
    """Whether no module can give a class."""
    module = getattr(cls, "__module__", None)
    if not cls.__flags__ & _HEAP_TYPE or module == "pybind11_builtins":
        return False
    return module == "__main__" or not isinstance(module, str) or module not in sys.modules


def _found(func: Any) -> bool:
    """Whether a module shows a function under its name."""
    found: Any = sys.modules.get(getattr(func, "__module__", None) or "")
    for step in func.__qualname__.split("."):
        found = getattr(found, step, None)
    return found is func and func.__module__ != "__main__"


def _globals_of(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    return names.union(*(_globals_of(it) for it in code.co_consts if isinstance(it, types.CodeType)))


def _code(code: types.CodeType) -> str:
    consts = [_code(c) if isinstance(c, types.CodeType) else _constant(c) for c in code.co_consts]
    whole = (code.co_code.hex(), code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, consts, code.co_flags,
             code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_name, code.co_filename, code.co_firstlineno)
    return hashlib.blake2b(repr(whole).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _constant(value: Any) -> str:
    if isinstance(value, frozenset):
        return f"frozenset {sorted(map(_constant, value))}"
    if isinstance(value, tuple):
        return f"({','.join(map(_constant, value))})"
    return f"{type(value).__name__} {value!r}"


def _cell(_: Digest, cell: types.CellType) -> tuple[str, list[Child]]:
    try:
        return "cell", [("()", cell.cell_contents)]
    except ValueError:
        return "empty cell", []


def _method(_: Digest, method: types.MethodType) -> tuple[str, list[Child]]:
    return f"method {getattr(method.__func__, '__qualname__', '')}", [(".__self__", method.__self__), (".__func__", method.__func__)]


def _builtin(_: Digest, func: types.BuiltinFunctionType) -> tuple[str, list[Child]]:
    owner = func.__self__
    shared = owner is None or isinstance(owner, (type, types.ModuleType))
    return f"builtin {func.__module__}.{func.__qualname__}", [] if shared else [(".__self__", owner)]


def _wrapped(_: Digest, it: Any) -> tuple[str, list[Child]]:
    return type(it).__name__, [(".__func__", it.__func__)]


def _property(_: Digest, it: property) -> tuple[str, list[Child]]:
    return "property", [(".fget", it.fget), (".fset", it.fset), (".fdel", it.fdel)]


def _partial(_: Digest, it: functools.partial[Any]) -> tuple[str, list[Child]]:
    return "partial", [(".func", it.func), (".args", it.args), (".keywords", it.keywords)]


def _weak(_: Digest, it: weakref.ref[Any]) -> tuple[str, list[Child]]:
    return "reference", [("()", it())]


def _bytearray(_: Digest, it: bytearray) -> tuple[str, list[Child]]:
    return "bytearray " + hashlib.blake2b(it, digest_size=16).hexdigest(), []


def _weak_method(_: Digest, it: weakref.WeakMethod[Any]) -> tuple[str, list[Child]]:
    return "reference to a method", [("()", it())]


def _memory(_: Digest, it: memoryview) -> tuple[str, list[Child]]:
    try:
        content = hashlib.blake2b(it.tobytes(), digest_size=16).hexdigest()
    except ValueError:
        return "released memory", []
    return f"memory {it.format} {it.shape} {it.strides} {it.readonly} {content}", [(".obj", it.obj)]


def _string_io(_: Digest, it: Any) -> tuple[str, list[Child]]:
    return (f"{type(it).__name__} closed", []) if it.closed else (f"{type(it).__name__} {it.tell()}", [("<content>", it.getvalue())])


def _file(_: Digest, it: Any) -> tuple[str, list[Child]]:
    position = None if it.closed else it.tell()
    return f"file {getattr(it, 'name', None)} {getattr(it, 'mode', None)} {it.closed} {position}", []


def _proxy(_: Digest, it: types.MappingProxyType[Any, Any]) -> tuple[str, list[Child]]:
    """Most often the dictionary of a class."""
    if not all(type(name) is str for name in it):
        return f"mappingproxy {len(it)}", _items(it)
    names = sorted((name for name in it if name not in _CLASS_NOISE), key=str)
    return f"mappingproxy {names}", [(f"[{name!r}]", it[name]) for name in names if type(it[name]) not in _DESCRIPTORS]


def _is_librarys(variable: contextvars.ContextVar[Any]) -> bool:
    modules = [module for name, module in list(sys.modules.items()) if name != "__main__" and isinstance(module, types.ModuleType)]
    return any(value is variable for module in modules for value in list(vars(module).values()))


def _context_variable(_: Digest, it: contextvars.ContextVar[Any]) -> tuple[str, list[Child]]:
    """With its value in the context that cells run in. That of a library's is every process's own."""
    if _is_librarys(it):
        return f"variable {it.name} of a library", []
    missing = contextvars.Token.MISSING
    return f"variable {it.name}", [
        (path, value) for path, value in (("<value>", it.get(missing)), ("<default>", contextvars.Context().run(it.get, missing))) if value is not missing]


def _context(digest: Digest, it: contextvars.Context) -> tuple[str, list[Child]]:
    """What the notebook's own variables are in it; a kernel has more of them."""
    return "context", digest.in_context(it)


def _token(_: Digest, it: contextvars.Token[Any]) -> tuple[str, list[Child]]:
    missing = contextvars.Token.MISSING
    if _is_librarys(it.var):
        return f"token {' used ' in repr(it)}", [(".var", it.var)]
    return f"token {it.old_value is missing} {' used ' in repr(it)}", [(".var", it.var), *([] if it.old_value is missing else [(".old_value", it.old_value)])]


_DESCRIPTORS = (types.MemberDescriptorType, types.GetSetDescriptorType)


def _view(_: Digest, it: Any) -> tuple[str, list[Child]]:
    owner = next((owner for owner in gc.get_referents(it) if isinstance(owner, dict)), None)
    return f"{type(it).__name__} {len(it)}", [("<mapping>", dict(it.mapping) if owner is None else owner)]


def _slice(_: Digest, it: slice) -> tuple[str, list[Child]]:
    return "slice", [(".start", it.start), (".stop", it.stop), (".step", it.step)]


def _ordered(_: Digest, it: Any) -> tuple[str, list[Child]]:
    return f"deque {it.maxlen}", [(f"[{i}]", value) for i, value in enumerate(it)]


def _default(_: Digest, it: Any) -> tuple[str, list[Child]]:
    return f"defaultdict {len(it)}", [(".default_factory", it.default_factory), *_items(it)]


_ORDERED: Any = collections.OrderedDict()
_RULES: dict[type, Callable[[Digest, Any], tuple[str, list[Child]]]] = {
    list: _sequence, tuple: _sequence, dict: _mapping, collections.OrderedDict: _mapping, collections.Counter: _mapping,
    collections.deque: _ordered, collections.defaultdict: _default, set: Digest._set, frozenset: Digest._set,
    types.FunctionType: Digest._function, types.MethodType: _method, types.BuiltinFunctionType: _builtin, types.CellType: _cell,
    classmethod: _wrapped, staticmethod: _wrapped, property: _property, functools.partial: _partial, weakref.ref: _weak, weakref.WeakMethod: _weak_method,
    bytearray: _bytearray, memoryview: _memory, types.MappingProxyType: _proxy, io.StringIO: _string_io, io.BytesIO: _string_io,
    io.TextIOWrapper: _file, io.BufferedReader: _file, io.BufferedWriter: _file, io.FileIO: _file, io.BufferedRandom: _file,
    type({}.keys()): _view, type({}.values()): _view, type({}.items()): _view, slice: _slice,
    type(_ORDERED.keys()): _view, type(_ORDERED.values()): _view, type(_ORDERED.items()): _view,
    type({}.keys().__iter__()): lambda _, it: (type(it).__name__, []),
    contextvars.ContextVar: _context_variable, contextvars.Context: _context, contextvars.Token: _token,
    types.CodeType: lambda _, it: (f"code {_code(it)}", []),
    re.Pattern: lambda _, it: (f"pattern {it.pattern!r} {it.flags}", []),
}
