"""Which variables share mutable objects?

Variables whose reachable mutable objects overlap must travel in one pickle, or an alias would become
two copies. The walk goes through every object that hangs from a variable, notes the identity of each
mutable one (a *token*) and joins the variables that meet at one. Classes are cut points: they are
members of their own, or all instances of a class would form one group.
"""

from __future__ import annotations

import abc
import gc
import types
from collections import Counter
from typing import Any

from cloudpickle import cloudpickle

from nbos_kernel import tensors
from nbos_kernel.arrays import root_of
from nbos_kernel.functions import module_of
from nbos_kernel.kinds import (
    ARRAY,
    ATOMS,
    BUILTIN,
    CELL,
    CLASS,
    CLASS_NOISE,
    DTYPE,
    FROZEN,
    FUNCTION,
    GENERATOR,
    KINDS,
    MAPPING,
    MEMBER,
    MODULE,
    OBJECT,
    PANDAS,
    SEQUENCE,
    SHARED_BYTES,
    SKIP,
    STAND_IN,
    TENSOR,
    WEAK,
    copy_on_write,
    is_loose,
    is_notebook_class,
    kind_of,
    nans,
)
from nbos_kernel.modules import PREFIX as MODULE_PREFIX
from nbos_kernel.modules import TRACKED
from nbos_kernel.pins import Placeholder
from nbos_kernel.registry import children
from nbos_kernel.singletons import Singletons
from nbos_kernel.static import code_names


class Facts:
    """What was found below one variable or class."""

    __slots__ = ("tokens", "reads", "classes", "arrays", "by_name", "stand_ins", "uses")

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.reads: set[str] = set()
        self.classes: dict[str, type] = {}
        self.arrays: Counter[int] = Counter()  # arrays below, by the identity of the array that owns their memory
        self.stand_ins: list[Placeholder] = []
        self.uses: set[str] = set()  # places whose content the objects below depend on: modules that travel by value
        self.by_name = False  # reaches an object of builtin type that travels by name (the namespace, sys.path)

    def merge(self, other: Facts) -> None:
        self.tokens += other.tokens
        self.reads |= other.reads
        self.classes |= other.classes
        self.arrays += other.arrays
        self.stand_ins += other.stand_ins
        self.uses |= other.uses
        self.by_name |= other.by_name


def nans_of(namespace: dict[str, Any]) -> frozenset[int]:
    """Not-a-number is found in a list or a dictionary only as the very same object: those of the libraries and of variables."""
    return frozenset(map(id, nans().values())).union(
        id(value) for value in list(namespace.values()) if type(value) is float and value != value)


class Walker:
    """One walk over any number of members; valid for one capture."""

    def __init__(self, namespace: dict[str, Any], by_name: dict[int, str], singletons: Singletons, owner: dict[int, Any],
                 nans: frozenset[int] | None = None) -> None:
        self.namespace = namespace
        self.facts: dict[str, Facts] = {}
        self.met: list[Any] = []  # known groups, not walked yet, that share an object with a walked member
        self._by_name = by_name
        self._singletons = singletons
        self._owner = owner
        self._seen: dict[int, str] = {}
        self._parent: dict[str, str] = {}
        self._keep: list[Any] = []  # ids must stay unique during the walk
        self._notebook_classes: dict[type, bool] = {}
        self._copy_on_write: bool | None = None
        self._nans = nans_of(namespace) if nans is None else nans
        self._roots: set[int] = set()  # arrays that only views have led to so far
        self._blocks: dict[int, list[str]] = {}  # memory of pandas frames, and the members that have it

    def find(self, member: str) -> str:
        parent = self._parent
        while parent[member] != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member

    def groups(self) -> dict[str, list[str]]:
        """The walked members, joined; keyed by any one of them."""
        joined: dict[str, list[str]] = {}
        for member in self.facts:
            joined.setdefault(self.find(member), []).append(member)
        return joined

    def variable(self, name: str, value: Any) -> Facts:
        kind = type(value)
        facts = self._start(name)
        if kind is float and value != value:
            self._nan((value,), name, facts)
            return facts
        if kind in ATOMS and not (kind in (str, bytes) and len(value) >= SHARED_BYTES):
            return facts
        if kind in ATOMS or kind is tuple or kind is frozenset:
            self._token(value, name, facts)
        self._walk(name, facts, [value])
        return facts

    def place(self, member: str, value: Any) -> Facts:
        """As a variable whose value is made anew each time: its own identity means nothing."""
        facts = self._start(member)
        self._walk(member, facts, [value])
        return facts

    def pass_over(self, obj: Any) -> None:
        """As if another variable led to this object."""
        self._parent[""] = ""
        self._seen[id(obj)] = ""

    def notebook_class(self, member: str, cls: type) -> Facts:
        facts = self._start(member)
        starts: list[Any] = [v for k, v in list(vars(cls).items()) if k not in CLASS_NOISE]
        self._walk(member, facts, [*starts, *registered(cls), *cls.__bases__, type(cls)])
        return facts

    def _start(self, member: str) -> Facts:
        self._parent[member] = member
        facts = self.facts[member] = Facts()
        return facts

    def _token(self, obj: Any, member: str, facts: Facts) -> bool:
        """Note a mutable object; False when another visit has been here."""
        key = id(obj)
        other = self._seen.get(key)
        if other is not None:
            if other is not member:
                self._parent[self.find(other)] = self.find(member)
            return False
        self._seen[key] = member
        facts.tokens.append(key)
        group = self._owner.get(key)
        if group is not None:
            self.met.append(group)
        return True

    def _walk(self, member: str, facts: Facts, stack: list[Any]) -> None:
        kinds, by_name, token = KINDS, self._by_name, self._token
        frozen: set[int] = set()
        classes: set[type] = set()
        while stack:
            obj = stack.pop()
            cls = type(obj)
            kind = kinds.get(cls)
            if kind is None:
                kind = kind_of(cls)
            if kind == SKIP:
                continue
            if id(obj) in by_name:
                facts.by_name = True
                continue
            if kind == FROZEN:  # no token of its own, but visited once for each member
                if id(obj) not in frozen:
                    frozen.add(id(obj))
                    stack.extend(obj)
                    if not self._nans.isdisjoint(map(id, obj)):
                        self._nan(obj, member, facts)
                continue
            if kind == CLASS:
                if obj not in classes:
                    classes.add(obj)
                    self._class(obj, facts)
                continue
            if kind == MODULE:
                self._module(TRACKED.identity(obj), facts)
                continue
            if kind == MEMBER:  # a slot, which its class makes again
                self._class(obj.__objclass__, facts)
                continue
            if kind == DTYPE:  # immutable, and shared by all arrays of numpy; not so what is noted on it
                stack.extend((obj.metadata or {}).values())
                continue
            if kind == FUNCTION and obj.__globals__ is not self.namespace and cloudpickle._should_pickle_by_reference(obj):
                continue
            if kind == OBJECT and not self._is_notebook_class(cls) and self._singletons.find(obj) is not None:
                continue
            if not token(obj, member, facts) and id(obj) not in self._roots:
                continue
            if kind == SEQUENCE:
                types_in = set(map(type, obj))
                if not ATOMS.issuperset(types_in):
                    stack.extend(obj)
                if float in types_in and not self._nans.isdisjoint(map(id, obj)):
                    self._nan(obj, member, facts)
            elif kind == MAPPING:
                types_in = set(map(type, obj.values()))
                if not ATOMS.issuperset(types_in):
                    stack.extend(obj.values())
                if float in types_in and not self._nans.isdisjoint(map(id, obj.values())):
                    self._nan(obj.values(), member, facts)
                types_in = set(map(type, obj))
                if not ATOMS.issuperset(types_in):
                    stack.extend(obj)
                if float in types_in and not self._nans.isdisjoint(map(id, obj)):
                    self._nan(obj, member, facts)
            elif kind == OBJECT:
                if cls not in classes and self._is_notebook_class(cls):
                    classes.add(cls)
                    self._class(cls, facts)
                rule = children(cls)
                if rule is None:
                    stack += [it for it in gc.get_referents(obj) if type(it) not in ATOMS and it is not cls]
                else:
                    try:
                        below = list(rule(obj))
                    except Exception:  # noqa: BLE001 - a proxy of something that is gone, a closed connection
                        below = []
                    self._keep.append(below)  # some were made for this walk
                    stack.extend(below)
            else:
                self._special(kind, obj, member, facts, stack)

    def _nan(self, values: Any, member: str, facts: Facts) -> None:
        facts.by_name = True
        for value in values:
            if id(value) in self._nans and id(value) not in self._by_name:
                self._token(value, member, facts)

    def _special(self, kind: int, obj: Any, member: str, facts: Facts, stack: list[Any]) -> None:
        if kind in (ARRAY, TENSOR, PANDAS):
            self._class(type(obj), facts)
        if kind == FUNCTION:
            if obj.__globals__ is self.namespace:
                code_names(obj.__code__, facts.reads)
            else:
                home = TRACKED.of_globals(obj.__globals__)
                self._module(home, facts)
                if home is None and is_loose(obj.__globals__):
                    stack.append(obj.__globals__)
            if obj.__globals__ is not self.namespace and module_of(obj.__globals__) is None:
                stack.append(obj.__globals__)
            stack += (obj.__defaults__, obj.__kwdefaults__, obj.__dict__, obj.__closure__, obj.__annotations__)
        elif kind == CELL:
            try:
                stack.append(obj.cell_contents)
            except ValueError:
                pass  # an empty cell
        elif kind == BUILTIN:
            if not isinstance(obj.__self__, types.ModuleType):
                stack.append(obj.__self__)
        elif kind == GENERATOR:
            # Running it on changes what its frame holds; nothing of the frame is pickled.
            code_names(getattr(obj, "gi_code", None) or getattr(obj, "cr_code", None) or obj.ag_code, facts.reads)
            stack.extend(gc.get_referents(obj))
            frame = getattr(obj, "gi_frame", None) or getattr(obj, "cr_frame", None) or getattr(obj, "ag_frame", None)
            if frame is not None:
                stack.extend(dict(frame.f_locals).values())
        elif kind == STAND_IN:
            facts.stand_ins.append(obj)
        elif kind == WEAK:
            stack += (obj(), obj.__callback__)
        elif kind == ARRAY:
            self._array(obj, member, facts, stack)
        elif kind == TENSOR:
            self._tensor(obj, facts, stack, member)
        elif kind == PANDAS:
            self._frame(obj, member, facts, stack)

    def _array(self, array: Any, member: str, facts: Facts, stack: list[Any]) -> None:
        root, base = root_of(array)
        facts.arrays[id(root)] += 1
        self._roots.discard(id(array))
        if root is not array:
            self._keep.append(root)
            if self._token(root, member, facts):
                self._roots.add(id(root))
            if getattr(root, "__dict__", None):
                stack.append(root)
            if array.base is not root and kind_of(type(array.base)) == ARRAY:
                stack.append(array.base)  # numpy leaves an array between only if it is of another class: it has attributes
        if base is not None:
            stack.append(base)
        if root.dtype.hasobject:
            self._elements(root, member, facts, stack)
        if array.dtype.metadata:
            stack.append(array.dtype)
        extra = getattr(array, "__dict__", None)
        if extra:
            stack.extend(value for name, value in extra.items() if name != "_mmap")
        for other in self._blocks.get(id(root), ()):
            if other is not member:
                self._parent[self.find(other)] = self.find(member)

    def _elements(self, array: Any, member: str, facts: Facts, stack: list[Any]) -> None:
        """The objects in an array of objects. Rows of a structured array are made for this."""
        elements = array.ravel("K").tolist()
        self._keep.append(elements)
        stack.extend(elements)
        if not self._nans.isdisjoint(map(id, elements)):
            self._nan(elements, member, facts)

    def _tensor(self, tensor: Any, facts: Facts, stack: list[Any], member: str) -> None:
        if not hasattr(tensor, "untyped_storage"):
            tensor = tensors.over(tensor)
        try:
            pointer = tensor.untyped_storage().data_ptr()
        except Exception:  # noqa: BLE001 - sparse, meta and functional tensors have no storage
            pointer = 0
        if pointer:
            other = self._seen.setdefault(pointer, member)
            if other is not member:
                self._parent[self.find(other)] = self.find(member)
            else:
                facts.tokens.append(pointer)
            group = self._owner.get(pointer)
            if group is not None:
                self.met.append(group)
            storage = tensor.untyped_storage()
            if not storage.resizable():
                lender = tensors.lender_of(self.namespace, pointer, storage.nbytes())
                if lender is not None:
                    stack.append(lender)
        below = tensors.children(tensor)
        self._keep.append(below)
        stack += below

    def _frame(self, frame: Any, member: str, facts: Facts, stack: list[Any]) -> None:
        if self._copy_on_write is None:
            self._copy_on_write = copy_on_write()
        manager = getattr(frame, "_mgr", None)
        if manager is None or not self._copy_on_write:
            stack.extend(gc.get_referents(frame))
            return
        # Under copy-on-write a shared buffer behaves as a copy: only objects inside cells are shared.
        for block in getattr(manager, "arrays", ()):
            if kind_of(type(block)) != ARRAY and not type(block).__module__.startswith("pandas."):
                stack.append(block)  # an array class of the notebook, or of another library
                continue
            if kind_of(type(block)) != ARRAY:
                self._token(block, member, facts)  # what is written through `frame["x"].array` is in all frames that have it
            for memory in arrays_in(block):  # `frame["x"].array` is the frame's own column, copy-on-write or not
                self._block(root_of(memory)[0], member, facts)
                if memory.dtype.hasobject:
                    self._elements(memory, member, facts, stack)
        stack += manager.axes  # their names can be changed
        stack.append(frame.attrs)
        stack.extend(value for name, value in frame.__dict__.items() if name not in ("_mgr", "_attrs", "_flags"))

    def _block(self, root: Any, member: str, facts: Facts) -> None:
        """Memory of a frame: a reason to join only where an array outside of frames lies in it too."""
        facts.arrays[id(root)] += 1
        self._keep.append(root)
        self._blocks.setdefault(id(root), []).append(member)
        other = self._seen.get(id(root))
        if other is not None and other is not member:
            self._parent[self.find(other)] = self.find(member)
        group = self._owner.get(id(root))
        if group is not None:
            self.met.append(group)

    def _is_notebook_class(self, cls: type) -> bool:
        known = self._notebook_classes.get(cls)
        if known is None:
            known = self._notebook_classes[cls] = is_notebook_class(cls)
        return known

    def _module(self, identity: str | None, facts: Facts) -> None:
        if identity is not None:
            facts.uses.add(MODULE_PREFIX + identity)

    def _class(self, cls: type, facts: Facts) -> None:
        if self._is_notebook_class(cls):
            facts.classes[cloudpickle._get_or_create_tracker_id(cls)] = cls


def arrays_in(block: Any) -> list[Any]:
    """The memory of one of pandas' own arrays."""
    if kind_of(type(block)) == ARRAY:
        return [block]
    parts = [getattr(block, name, None) for name in ("_ndarray", "_data", "_mask", "_sparse_values", "_left", "_right")]
    return [it for part in parts if part is not None and part is not block for it in arrays_in(part)]


def registered(cls: type) -> list[Any]:
    """The classes that an abstract class was told to take for derived from it."""
    found = [reference() for reference in abc._get_dump(cls)[0]] if isinstance(cls, abc.ABCMeta) else []  # type: ignore[attr-defined]
    return [it for it in found if it is not None]
