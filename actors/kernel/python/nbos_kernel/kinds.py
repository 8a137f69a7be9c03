"""What kind of object is this, to the walk and to the pickler?"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import functools
import importlib
import importlib.machinery
import logging
import math
import re
import socket
import subprocess
import sys
import types
import weakref
import zoneinfo
from typing import Any

from cloudpickle import cloudpickle

from nbos_kernel.originals import ORIGINALS
from nbos_kernel.pins import Placeholder

# Immutable and without children: never a reason to join two variables.
ATOMS = frozenset({
    int, float, bool, str, bytes, complex, type(None), type(...), type(NotImplemented), range, types.CodeType,
    types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType, re.Pattern, zoneinfo.ZoneInfo,
})
# Their state pickles, or would: what makes them work does not travel with it. What hangs from them is not looked
# at: a task leads to the event loop, and the loop to everything.
STAY = (
    socket.socket, subprocess.Popen, asyncio.AbstractEventLoop,
    concurrent.futures.Executor,
)
# Below this size two copies of an immutable value cost nothing; above, aliases share one.
SHARED_BYTES = 256
_HIDING = (importlib.machinery.ExtensionFileLoader, importlib.machinery.BuiltinImporter)
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class made at run time
CLASS_NOISE = frozenset("__dict__ __weakref__ _abc_impl __module__ __qualname__ __doc__".split())

(SKIP, SEQUENCE, MAPPING, FROZEN, FUNCTION, CLASS, ARRAY, CELL, BUILTIN, GENERATOR, PANDAS, TENSOR, WEAK, VIEW,
 STAND_IN, MODULE, STAYS, MEMBER, DTYPE, OBJECT) = range(20)

KINDS: dict[type, int] = dict.fromkeys(ATOMS, SKIP) | {
    list: SEQUENCE, set: SEQUENCE, collections.deque: SEQUENCE, dict: MAPPING, collections.OrderedDict: MAPPING,
    collections.defaultdict: OBJECT, tuple: FROZEN, frozenset: FROZEN, types.FunctionType: FUNCTION, types.CellType: CELL,
    types.BuiltinFunctionType: BUILTIN, types.GeneratorType: GENERATOR, types.CoroutineType: GENERATOR,
    types.AsyncGeneratorType: GENERATOR, weakref.ref: WEAK, types.ModuleType: MODULE, Placeholder: STAND_IN,
    types.MemberDescriptorType: MEMBER, types.GetSetDescriptorType: MEMBER,
}


@functools.lru_cache(maxsize=4096)
def kind_of(cls: type) -> int:
    """How to treat the instances of a class that is not in the table."""
    if issubclass(cls, type):
        return CLASS
    if issubclass(cls, types.ModuleType):
        return MODULE
    if issubclass(cls, logging.Logger):
        return SKIP
    if issubclass(cls, STAY):
        return STAYS
    names = {f"{c.__module__}.{c.__qualname__}" for c in cls.__mro__}
    if "numpy.ndarray" in names or "numpy.void" in names:
        return ARRAY
    if "numpy.generic" in names:
        return OBJECT if is_notebook_class(cls) else SKIP
    if "numpy.dtype" in names:
        return DTYPE
    if "IPython.core.interactiveshell.InteractiveShell" in names:
        return SKIP
    if any(n.startswith("pandas.") and n.endswith(".Index") for n in names):
        # Only its names can change. Before copy-on-write every frame made from another one has the same.
        return OBJECT if copy_on_write() else SKIP
    if any(n.startswith("pandas.") and n.endswith(".NDFrame") for n in names):
        return PANDAS
    if not names.isdisjoint(("torch.Tensor", "torch.storage.UntypedStorage", "torch.storage.TypedStorage")):
        return TENSOR
    return OBJECT


@functools.lru_cache(maxsize=1024)
def _loaded(name: str) -> None:
    """Libraries name modules as the home of their classes that they load only when they are asked for (numpy.rec)."""
    if name.partition(".")[0] in sys.modules:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001, S110 - no such module: the class is made at run time
            pass


def _home(name: str) -> types.ModuleType | None:
    if name not in sys.modules and "." in name and name.partition(".")[0] not in cloudpickle._PICKLE_BY_VALUE_MODULES:
        _loaded(name)  # a module of the notebook's own comes with its content, and does not run again
    return sys.modules.get(name)


def is_notebook_class(cls: type) -> bool:
    """True for a class that no module can give: it travels by value, under its tracker id."""
    if not cls.__flags__ & _HEAP_TYPE or cls in cloudpickle._BUILTIN_TYPE_NAMES or id(cls) in ORIGINALS.names:
        return False
    home = _home(cls.__module__) if isinstance(cls.__module__, str) else None
    if type(cls).__module__ == "_ctypes" and cls.__bases__[0].__module__ == "_ctypes" and hasattr(cls, "_length_") and "_Array_" in cls.__name__:
        return False
    if cls.__module__ == "torch.nn.utils.parametrize":
        return False  # made for one module each; the module is made again with it
    loader = getattr(getattr(home, "__spec__", None), "loader", None)
    if cls.__module__ != "__main__" and (isinstance(loader, _HIDING) or loader in _HIDING):
        return False  # made by C code, under a name its module does not show
    try:
        if cloudpickle._should_pickle_by_reference(cls):
            return False
    except Exception:  # noqa: BLE001 - a metaclass may refuse anything
        return True
    if cls.__module__ in cloudpickle._PICKLE_BY_VALUE_MODULES:
        return True
    # A library may show it under another name than its own.
    return cls.__module__ == "__main__" or not any(value is cls for value in list(getattr(home, "__dict__", {}).values()))


def is_loose(names: dict[str, Any]) -> bool:
    """Whether a function's globals are no module's: made by ``exec`` in a dictionary, or by ``%run``."""
    return getattr(sys.modules.get(names.get("__name__", "")), "__dict__", None) is not names


def copy_on_write() -> bool:
    """Whether pandas frames that share memory behave as copies (always since pandas 3)."""
    pandas = sys.modules.get("pandas")
    try:
        return int(pandas.__version__.split(".")[0]) >= 3 or bool(pandas.options.mode.copy_on_write)  # type: ignore[union-attr]
    except Exception:  # noqa: BLE001 - half-imported or patched: the careful answer
        return False


def nans() -> dict[str, float]:
    """Not-a-number is found in a list or a dictionary only as the very same object; libraries have one each."""
    numpy = sys.modules.get("numpy")
    return {"math.nan": math.nan} | ({"numpy.nan": numpy.nan} if hasattr(numpy, "nan") else {})  # type: ignore[union-attr]
