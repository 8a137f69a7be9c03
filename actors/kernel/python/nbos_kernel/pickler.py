"""How one object is pickled: by the rules that the concern modules add to the registry, else as the
pickle protocol says, else, where it hangs, by a placeholder.

The payload of a group is ``u32le skeleton length | skeletons | state``. The skeletons are a pickled
list (empty for most groups), the state is one pickle of ``(variables, class states)``: one pickle, so
that aliases survive.
"""

from __future__ import annotations

import copyreg
import pickle
import sys
from collections.abc import Iterator
from typing import Any

import cloudpickle as cloudpickle_package
from cloudpickle import cloudpickle

from nbos_kernel import (  # noqa: F401 - they add their rules
    arrays,
    classes,
    compressed,
    containers,
    contexts,
    cursors,
    databases,
    exceptions,
    figures,
    files,
    frames,
    functions,
    futures,
    instances,
    library,
    memory,
    originals,
    rebuild,
    references,
    registry,
    searches,
    separated,
    stays,
    suspended,
    tensors,
    threads,
    tracebacks,
    values,
)
from nbos_kernel.kinds import is_notebook_class
from nbos_kernel.originals import ORIGINALS
from nbos_kernel.pins import BOOK, Pin, Placeholder, pin_of
from nbos_kernel.singletons import Singletons
from nbos_kernel.walk import Facts

_HEAP_TYPE = 1 << 9  # a class made by Python code
_WHY_LENGTH = 200  # an exception's text goes into the log and on the cell's stderr
# Classes whose instances `__new__` was seen to make from the arguments that pickle gives it.
_PROVEN: set[type] = set()


class Variable:
    """Marks in the pickled tree where a variable begins, so that a pin can name it."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: Any) -> None:
        self.name = name
        self.value = value


class ClassPart:
    """One step of filling a class, done as soon as it is loaded."""

    __slots__ = ("name", "part")

    def __init__(self, name: str, part: tuple[Any, ...]) -> None:
        self.name = name
        self.part = part


class StatePickler(cloudpickle_package.Pickler):
    """cloudpickle with the notebook's rules."""

    def __init__(self, sink: Any, namespace: dict[str, Any], singletons: Singletons, facts: Facts) -> None:
        super().__init__(sink, protocol=5, buffer_callback=sink.take)
        self.pins: dict[tuple[str, str], Pin] = {}
        self.name = ""
        self.namespace = namespace
        # Cells that the function they belong to fills.
        self.filled_cells: set[int] = set()
        # Classes whose content is in this stream.
        self.classes: set[Any] = set()
        # Only that the classes exist, not their content.
        self.skeletons = False
        # Objects that reducers made and that must be the same each time they are asked for.
        self.made: dict[Any, Any] = {}
        self._singletons = singletons
        self._facts = facts
        self._plain: set[type] = set()
        self._shapes: dict[type, instances.Shape] = {}
        self._reducers: dict[type, Any] = {}
        self._walked: frozenset[int] | None = None

    def reducer_override(self, obj: Any) -> Any:
        cls = type(obj)
        if cls in self._plain:
            return self.ordinary(obj)
        shape = self._shapes.get(cls)
        if shape is not None:
            return self._instance(obj, shape)
        if id(obj) in ORIGINALS.names:
            return originals.original, ORIGINALS.names[id(obj)]
        if id(obj) in ORIGINALS.back and ORIGINALS.is_back(obj):
            return originals.original, ORIGINALS.back[id(obj)][1]
        special = registry.reducer(cls)
        if special is not None:
            try:
                return special(self, obj)
            except (RecursionError, MemoryError):
                raise
            except Exception as error:  # noqa: BLE001 - libraries and user code run in there
                return self.pin(obj, f"{type(error).__name__}: {error}")
        if issubclass(cls, type):
            return self._class(obj)
        found = self._singletons.find(obj)
        if found is not None:
            return rebuild.singleton, found
        if not is_notebook_class(cls):
            return self.ordinary(obj)
        shape = instances.Shape(cls)
        if shape.raw:
            self._shapes[cls] = shape
            return self._instance(obj, shape)
        self._plain.add(cls)  # none of the above can hold for another instance
        return self.ordinary(obj)

    def _instance(self, obj: Any, shape: instances.Shape) -> Any:
        reduced = instances.reduce(obj, shape, shared=instances.shares_attributes(obj))
        return self.ordinary(obj) if reduced is NotImplemented else reduced

    def pin(self, obj: Any, why: str) -> Any:
        """Replace an object by a placeholder."""
        pin = self.pinned(obj, why)
        return rebuild.pinned, (pin.id, pin.name, pin.type, pin.why, *BOOK.home(pin))

    def pinned(self, obj: Any, why: str) -> Pin:
        """The pin of an object that stays here."""
        return self.note(BOOK.pin(obj, self.name, " ".join(why.split())[:_WHY_LENGTH]))

    def note(self, pin: Pin) -> Pin:
        """A pin below the variable that is being pickled."""
        return self.pins.setdefault((self.name, pin.id), pin)

    def ordinary(self, obj: Any) -> Any:
        """What the pickle protocol says, asked here so that a refusal costs only this object."""
        try:
            return self._ordinary(obj)
        except (RecursionError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - user code
            return self.pin(obj, str(error) or type(error).__name__)

    def _ordinary(self, obj: Any) -> Any:
        cls = type(obj)
        if cls in self._reducers:
            by_type = self._reducers[cls]
        else:
            by_type = self.dispatch_table.get(cls)
            if getattr(by_type, "__globals__", None) is self.namespace and cls.__flags__ & _HEAP_TYPE:
                by_type = None  # what the notebook registered with copyreg would run on other hosts
            self._reducers[cls] = by_type
        shared = instances.shares_attributes(obj)
        reduced = by_type(obj) if by_type is not None else obj.__reduce_ex__(5)
        if isinstance(reduced, str):
            if cloudpickle._lookup_module_and_qualname(obj, name=reduced) is None:
                raise pickle.PicklingError(f"it is not found as {reduced}")
        elif not isinstance(reduced, tuple) or not 2 <= len(reduced) <= 6:
            raise pickle.PicklingError("its __reduce__ does not give a tuple")
        elif reduced[0] is copyreg.__newobj__:  # type: ignore[attr-defined]
            if isinstance(obj, tuple) and not isinstance(cls.__new__, _BUILTIN_NEW):
                # A constructor may read meaning into the content that it does not have any more: mock's calls do.
                _PROVEN.add(cls)
                reduced = (instances.instance, (cls, tuple, tuple.__getitem__(obj, slice(None))), *reduced[2:])
            reduced = _constructed(cls, reduced)
            if shared and len(reduced) <= 5 and not hasattr(cls, "__setstate__"):
                make, arguments, state, *items = (*reduced, *(None,) * (5 - len(reduced)))
                own = instances.attributes_of(obj)
                if state is None and not own:
                    state = own  # the protocol leaves out what is empty
                if own is not None and (state[0] if isinstance(state, tuple) else state) is own:
                    return make, arguments, state, *items, instances.share_attributes
            return reduced
        elif reduced[0] is cls and is_notebook_class(cls):
            return instances.made_by_base(obj, reduced)
        return reduced

    def by_reference(self, func: Any) -> Any:
        """A function that a module shows under its name."""
        return self._function_reduce(func)

    def singleton(self, obj: Any) -> Any:
        """The reduce value of an object that every process has, or None."""
        found = self._singletons.find(obj)
        return (rebuild.singleton, found) if found is not None else None

    def walked(self, obj: Any) -> bool:
        """Whether the walk met this mutable object in the group."""
        if self._walked is None:
            self._walked = frozenset(self._facts.tokens)
        return id(obj) in self._walked

    def arrays_below(self, root: Any) -> int:
        """How many arrays of this group lie in the memory of `root`."""
        return self._facts.arrays[id(root)]

    def _class(self, cls: type) -> Any:
        if is_notebook_class(cls):
            if self.skeletons and cls in self.classes:
                return classes.make, classes.skeleton(cls)
            tracker_id = classes.identity(cls)
            if tracker_id in self._facts.classes:
                return rebuild.class_by_id, (tracker_id,)
            return super().reducer_override(cls)  # nothing else brings it: it is a part of what holds it
        if type(cls).__module__ == "_ctypes" and memory.is_derived(cls):
            return memory.array_of, (cls._type_, cls._length_)  # type: ignore[attr-defined]
        found = self._elsewhere(cls)
        if found is not None:
            return found
        if cls.__module__ in ("builtins", "types") or cloudpickle._should_pickle_by_reference(cls):
            return super().reducer_override(cls)
        return self.pin(cls, "its module does not show it under its name")


    def _elsewhere(self, cls: type) -> Any:
        """A class that its module shows under another name than its own."""
        home = sys.modules.get(cls.__module__)
        if home is None or getattr(home, cls.__name__, None) is cls or cloudpickle._should_pickle_by_reference(cls):
            return None
        name = next((name for name, value in list(vars(home).items()) if value is cls), None)
        return (rebuild.singleton, (cls.__module__, name)) if name is not None else None


def _constructed(cls: type, reduced: tuple[Any, ...]) -> Any:
    """A reduce value that calls ``cls.__new__``, made so that no code of the notebook runs and nothing
    raises where it is loaded."""
    if cls not in _PROVEN:
        if not isinstance(cls.__new__, _BUILTIN_NEW) and not is_notebook_class(cls):
            cls.__new__(*reduced[1])
        _PROVEN.add(cls)
    if hasattr(cls, "__getattr__") and len(reduced) > 2 and reduced[2] is not None and not hasattr(cls, "__setstate__"):
        # The unpickler would ask the still empty object for __setstate__; a proxy recurses for ever.
        return (*reduced[:3], *reduced[3:5], *(None,) * (5 - len(reduced)), rebuild.set_state)
    return reduced


_BUILTIN_NEW = type(object.__new__)


def _variable(pickler: StatePickler, variable: Variable) -> Any:
    pickler.name = variable.name
    return rebuild.value, (variable.value,)


def _class_part(pickler: StatePickler, it: ClassPart) -> Any:
    pickler.name = it.name
    return classes.fill_part, it.part


def _placeholder(pickler: StatePickler, obj: Placeholder) -> Any:
    pin = pickler.note(pin_of(obj))
    return rebuild.pinned, (pin.id, pin.name, pin.type, pin.why, *BOOK.home(pin))


registry.reduces(Variable)(_variable)
registry.reduces(ClassPart)(_class_part)
registry.reduces(Placeholder)(_placeholder)


class ByNamePickler(StatePickler):
    """For the few groups that reach an object of builtin type that travels by name (the namespace
    itself, ``sys.path``): asking for every list and dict costs too much for the others."""

    def __init__(self, sink: Any, namespace: dict[str, Any], singletons: Singletons, facts: Facts, by_name: dict[int, str]) -> None:
        super().__init__(sink, namespace, singletons, facts)
        self._by_name = by_name

        self._nans: dict[int, float] = {}

    def persistent_id(self, obj: Any) -> str | None:
        found = self._by_name.get(id(obj))
        if found is None and type(obj) is float and obj != obj:
            self._nans[id(obj)] = obj
            return f"nan:{list(self._nans).index(id(obj))}"
        return found


class StateUnpickler(pickle.Unpickler):
    def __init__(self, file: Any, named: dict[str, Any], buffers: Iterator[Any]) -> None:
        super().__init__(file, buffers=buffers)
        self._named = named
        self._nans: dict[str, float] = {}

    def persistent_load(self, pid: str) -> Any:
        return self._nans.setdefault(pid, float("nan")) if pid.startswith("nan:") else self._named[pid]
