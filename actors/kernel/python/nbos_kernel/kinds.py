"""What kind of object is this, to the walk and to the pickler?"""

from __future__ import annotations

import collections
import functools
import importlib.machinery
import logging
import re
import sys
import types
import weakref

from cloudpickle import cloudpickle

from nbos_kernel.pins import Placeholder

# Immutable and without children: never a reason to join two variables.
ATOMS = frozenset({
    int, float, bool, str, bytes, complex, type(None), type(...), type(NotImplemented), range, slice, types.CodeType,
    types.WrapperDescriptorType, types.MethodDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType,
    types.ClassMethodDescriptorType, re.Pattern,
})
# Below this size two copies of an immutable value cost nothing; above, aliases share one.
SHARED_BYTES = 256
_COMPILED = (importlib.machinery.ExtensionFileLoader, type(importlib.machinery.BuiltinImporter))
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class made at run time
CLASS_NOISE = frozenset("__dict__ __weakref__ _abc_impl __module__ __qualname__ __doc__".split())

(SKIP, SEQUENCE, MAPPING, FROZEN, FUNCTION, CLASS, ARRAY, CELL, BUILTIN, GENERATOR, PANDAS, TENSOR, WEAK, VIEW,
 STAND_IN, OBJECT) = range(16)

KINDS: dict[type, int] = dict.fromkeys(ATOMS, SKIP) | {
    list: SEQUENCE, set: SEQUENCE, collections.deque: SEQUENCE, dict: MAPPING, collections.OrderedDict: MAPPING,
    collections.defaultdict: OBJECT, tuple: FROZEN, frozenset: FROZEN, types.FunctionType: FUNCTION, types.CellType: CELL,
    types.BuiltinFunctionType: BUILTIN, types.GeneratorType: GENERATOR, types.CoroutineType: GENERATOR,
    types.AsyncGeneratorType: GENERATOR, weakref.ref: WEAK, memoryview: VIEW, types.ModuleType: SKIP, Placeholder: STAND_IN,
}


@functools.lru_cache(maxsize=4096)
def kind_of(cls: type) -> int:
    """How to treat the instances of a class that is not in the table."""
    if issubclass(cls, type):
        return CLASS
    if issubclass(cls, (types.ModuleType, logging.Logger)):
        return SKIP
    names = {f"{c.__module__}.{c.__qualname__}" for c in cls.__mro__}
    if "numpy.ndarray" in names:
        return ARRAY
    if "numpy.dtype" in names or "numpy.generic" in names or "IPython.core.interactiveshell.InteractiveShell" in names:
        return SKIP
    if any(n.startswith("pandas.") and n.endswith(".Index") for n in names):
        return SKIP  # immutable, and shared by every frame made from another one
    if any(n.startswith("pandas.") and n.endswith(".NDFrame") for n in names):
        return PANDAS
    if "torch.Tensor" in names:
        return TENSOR
    return OBJECT


def is_notebook_class(cls: type) -> bool:
    """True for a class that no module can give: it travels by value, under its tracker id."""
    if not cls.__flags__ & _HEAP_TYPE or cls in cloudpickle._BUILTIN_TYPE_NAMES:
        return False
    home = sys.modules.get(cls.__module__) if isinstance(cls.__module__, str) else None
    if cls.__module__ != "__main__" and isinstance(getattr(getattr(home, "__spec__", None), "loader", None), _COMPILED):
        return False  # made by C code, under a name its module does not show
    try:
        return not cloudpickle._should_pickle_by_reference(cls)
    except Exception:  # noqa: BLE001 - a metaclass may refuse anything
        return True


def copy_on_write() -> bool:
    """Whether pandas frames that share memory behave as copies (always since pandas 3)."""
    pandas = sys.modules.get("pandas")
    try:
        return int(pandas.__version__.split(".")[0]) >= 3 or bool(pandas.options.mode.copy_on_write)  # type: ignore[union-attr]
    except Exception:  # noqa: BLE001 - half-imported or patched: the careful answer
        return False
