"""What a digest knows of the libraries: arrays, tensors, frames, and objects with caches inside."""

from __future__ import annotations

import functools
import hashlib
import re
import sys
from types import ModuleType
from typing import Any, ClassVar

from nbos_kernel.pins import Placeholder, pin_of

Child = tuple[str, Any]
_ADDRESS = re.compile(r"0x[0-9a-f]+")
Found = tuple[str, list[Child]]


def pin_id(obj: Any) -> str | None:
    """The pin of a placeholder."""
    return pin_of(obj).id if type(obj) is Placeholder else None


def travels(obj: Any) -> bool:
    """A tensor of a live graph travels without its graph: the graph is pinned, not the tensor."""
    return "torch" in sys.modules and isinstance(obj, sys.modules["torch"].Tensor) and obj.grad_fn is not None


def singletons(home: str) -> dict[int, str]:
    """The objects that a module holds, by identity: ``random._inst``, ``numpy.ma.masked``. What
    ``fileinput`` holds is in use for the moment only."""
    module = sys.modules.get(home) if home not in ("__main__", "builtins", "fileinput") else None
    if not isinstance(module, ModuleType):
        return {}
    return {id(value): f"{home}.{name}" for name, value in list(vars(module).items())}


def look(obj: Any) -> Found | None:
    """None for what is no object of a library that needs a rule of its own."""
    rule = _rule(type(obj))
    return rule(obj) if rule is not None else None


@functools.lru_cache(maxsize=4096)
def _rule(kind: type) -> Any:
    for cls in kind.__mro__:
        rule = _RULES.get(f"{cls.__module__}.{cls.__qualname__}")
        if rule is not None:
            # A class of the notebook may hold more than what it is derived from.
            return None if rule is _shown and kind.__module__ == "__main__" else rule
    return None


def is_value(kind: type) -> bool:
    """Whether it means nothing which of two equal instances one has."""
    return _rule(kind) in _VALUES


def _hash(data: Any) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _array(array: Any) -> Found:
    import numpy

    kind = type(array)
    flags = f"{array.flags.c_contiguous}{array.flags.f_contiguous}{array.flags.writeable}"
    layout = f"{kind.__module__}.{kind.__qualname__} {array.dtype.str} {array.dtype} {array.shape} {array.strides} {flags}"
    below: list[Child] = [("<memory>", Memory.of(_owner(array)))] if array.size and array.dtype.itemsize else []
    if array.dtype.hasobject:
        below += [(f"[{i}]", it) for i, it in enumerate(array.ravel("K").tolist())] if not array.dtype.names else [("<items>", array.tolist())]
    else:
        layout += " " + _hash(numpy.ascontiguousarray(array).view("u1").reshape(-1).data if array.size and array.dtype.itemsize else b"")
    for name, value in sorted(getattr(array, "__dict__", {}).items()):
        if name != "_basedict":
            below.append((f".{name}", value))
    return layout, below


def _owner(array: Any) -> Any:
    """What the memory belongs to: the address where it starts, or a buffer of another kind."""
    owner = array
    while True:
        base = getattr(owner, "base", None)
        base = base.obj if isinstance(base, memoryview) else base
        if base is None or not hasattr(base, "__array_interface__"):
            break
        owner = base
    if isinstance(base, (bytes, bytearray)):
        return base
    return _Pointer.of(owner.__array_interface__["data"][0])


class Memory:
    """Stands for memory that several arrays lie in: one for each owner."""

    _made: ClassVar[dict[int, tuple[Any, Memory]]] = {}

    @classmethod
    def of(cls, owner: Any) -> Memory:
        known = cls._made.get(id(owner))
        if known is None or known[0] is not owner:
            known = cls._made[id(owner)] = (owner, cls())
        return known[1]

    @classmethod
    def forget(cls) -> None:
        """A walk is over."""
        cls._made.clear()
        _Pointer.made.clear()


def _masked(array: Any) -> Found:
    return f"masked {array.shape} {array.fill_value!r} {array.hardmask}", [(".data", array.data), (".mask", array.mask)]


def _scalar(value: Any) -> Found:
    return f"{type(value).__name__} {value.dtype} {value.tobytes().hex() if not value.dtype.hasobject else value!r}", []


def _random(generator: Any) -> Found:
    return f"{type(generator).__name__}", [("<state>", generator.bit_generator.state if hasattr(generator, "bit_generator") else generator.get_state())]


def _bits(generator: Any) -> Found:
    return type(generator).__name__, [("<state>", generator.state)]


def _frame(frame: Any) -> Found:
    columns = [(f".iloc[:, {i}]", frame.iloc[:, i].array) for i in range(frame.shape[1])]
    return f"{type(frame).__name__} {frame.shape} {frame.flags.allows_duplicate_labels}", [
        (".index", frame.index), (".columns", frame.columns), *columns, (".attrs", dict(frame.attrs))]


def _series(series: Any) -> Found:
    return f"{type(series).__name__} {series.shape} {series.name!r}", [
        (".index", series.index), (".array", series.array), (".attrs", dict(series.attrs))]


def _index(index: Any) -> Found:
    frequency = getattr(index, "freqstr", None) if hasattr(index, "freq") else None
    kind = type(index).__name__
    if kind == "MultiIndex":
        return f"MultiIndex {index.shape} {list(index.names)!r}", [
            ("<levels>", tuple(index.levels)), ("<codes>", tuple(tuple(c.tolist()) for c in index.codes))]
    return f"{kind} {index.dtype} {index.name!r} {frequency} {len(index)}", [("<values>", list(index))]


def _extension(array: Any) -> Found:
    kind = type(array).__name__
    if kind == "Categorical":
        return f"Categorical {array.ordered}", [(".categories", list(array.categories)), (".codes", array.codes.tolist())]
    if hasattr(array, "asi8"):
        return f"{kind} {array.dtype}", [("<values>", array.asi8.tolist())]
    return f"{kind} {array.dtype} {len(array)}", [("<values>", [_plain(it) for it in array])]


def _plain(it: Any) -> Any:
    return repr(it) if type(it).__module__.startswith("pandas.") else it


def _timestamp(it: Any) -> Found:
    return f"{type(it).__name__} {it!r}", []


def _tensor(tensor: Any) -> Found:
    kind = type(tensor)
    about = f"{kind.__module__}.{kind.__qualname__} {tensor.dtype} {tuple(tensor.shape)} {tensor.requires_grad} {tensor.device}"
    below: list[Child] = [(".grad", tensor.grad)] if tensor.is_leaf else []
    below += [(f".{name}", value) for name, value in sorted(vars(tensor).items())]
    if tensor.layout.__repr__() == "torch.strided" and str(tensor.device) == "cpu":
        plain = tensor.detach().contiguous()
        import torch

        about += f" {tensor.stride()} " + _hash(plain.reshape(-1).view(torch.uint8).numpy().data if plain.numel() else b"")
        below.append(("<memory>", Memory.of(_Pointer.of(tensor.untyped_storage().data_ptr()))))
    return about, below


class _Pointer:
    made: ClassVar[dict[int, _Pointer]] = {}

    @classmethod
    def of(cls, address: int) -> _Pointer:
        return cls.made.setdefault(address, cls())


def _generator(generator: Any) -> Found:
    return "generator", [("<state>", generator.get_state())]


def _figure(figure: Any) -> Found:
    axes = [
        (axis.get_title(), axis.get_xlabel(), axis.get_ylabel(), axis.get_xlim(), axis.get_ylim(),
         [(line.get_label(), list(map(float, line.get_xdata(True))), list(map(float, line.get_ydata(True)))) for line in axis.lines])
        for axis in figure.axes if hasattr(axis, "lines")
    ]
    return f"Figure {figure.get_size_inches().tolist()} {figure.dpi}", [(".axes", repr(axes))]


def _artist(artist: Any) -> Found:
    figure = artist.get_figure() if hasattr(artist, "get_figure") else None
    return f"artist {type(artist).__name__}", [(".figure", figure)] if figure is not None else []


def _weak_mapping(it: Any) -> Found:
    return f"{type(it).__name__} {len(it)}", [("<items>", frozenset(it.items()))]


def _weak_set(it: Any) -> Found:
    return f"{type(it).__name__} {len(it)}", [("<elements>", frozenset(it))]


def _hook(it: Any) -> Found:
    return "hook", [(".hook", it.hook), (".with_module", it.with_module)]


# What its own pickle protocol drops and its next step makes again.
_MADE_AGAIN = frozenset({"_warned_capturable_if_run_uncaptured", "_zero_grad_profile_name", "_patch_step_function", "step"})


def _optimizer(it: Any) -> Found:
    return f"optimizer {type(it).__name__}", [(f".{n}", v) for n, v in sorted(vars(it).items()) if n not in _MADE_AGAIN]


def _by_name(obj: Any) -> Found:
    return f"{type(obj).__module__}.{type(obj).__qualname__}", []


def _shown(obj: Any) -> Found:
    return f"{type(obj).__module__}.{type(obj).__qualname__} {_ADDRESS.sub('', repr(obj))}", []


def _bunch(it: Any) -> Found:
    return f"Bunch {len(it)}", [(f".{name}", value) for name, value in dict.items(it)]


def _tree(it: Any) -> Found:
    """The nodes of the tree are memory with addresses in it."""
    return f"{type(it).__name__} {getattr(it, 'leafsize', None)}", [(".data", memory_of(it.data))]


def memory_of(data: Any) -> Any:
    import numpy

    return numpy.asarray(data)


def _c_array(it: Any) -> Found:
    return f"ctypes array {type(it)._type_.__name__} {type(it)._length_}", [("<memory>", bytes(memoryview(it).cast("B")))]


_RULES: dict[str, Any] = {
    "sklearn.utils._bunch.Bunch": _bunch, "sklearn.utils.Bunch": _bunch, "scipy.spatial._ckdtree.cKDTree": _tree, "_ctypes.Array": _c_array,
    "sklearn.neighbors._kd_tree.BinaryTree64": _tree, "sklearn.neighbors._ball_tree.BinaryTree64": _tree,
    "numpy.ma.MaskedArray": _masked, "numpy.ma.core.MaskedArray": _masked, "numpy.ndarray": _array, "numpy.generic": _scalar,
    "numpy.dtype": _shown, "numpy.random._generator.Generator": _random, "numpy.random.mtrand.RandomState": _random,
    "numpy.random.bit_generator.BitGenerator": _bits, "numpy.ufunc": _shown,
    "pandas.DataFrame": _frame, "pandas.core.frame.DataFrame": _frame, "pandas.Series": _series, "pandas.core.series.Series": _series,
    "pandas.Index": _index, "pandas.core.indexes.base.Index": _index,
    "pandas.api.extensions.ExtensionArray": _extension, "pandas.core.arrays.base.ExtensionArray": _extension,
    "pandas.Timestamp": _timestamp, "pandas._libs.tslibs.timestamps._Timestamp": _timestamp, "pandas.Timedelta": _timestamp,
    "pandas._libs.tslibs.timestamps.Timestamp": _timestamp, "pandas._libs.tslibs.timedeltas._Timedelta": _timestamp,
    "pandas._libs.tslibs.nattype._NaT": _timestamp, "pandas._libs.missing.NAType": _timestamp,
    "pandas._libs.tslibs.offsets.BaseOffset": _shown, "pandas._libs.tslibs.period._Period": _shown,
    "torch.Tensor": _tensor, "torch.Generator": _generator, "torch._C.Generator": _generator, "torch.dtype": _shown,
    "torch.device": _shown, "torch.Size": _shown, "torch.layout": _shown, "torch.autograd.graph.Node": _by_name,
    "matplotlib.figure.Figure": _figure, "matplotlib.artist.Artist": _artist,
    "IPython.core.interactiveshell.InteractiveShell": _by_name, "logging.Logger": _shown, "threading.Thread": _by_name,
    "_thread.lock": lambda it: (f"lock {it.locked()}", []), "_thread.RLock": _by_name,
    "contextvars.ContextVar": lambda it: (f"ContextVar {it.name}", []), "sqlite3.Connection": _by_name, "sqlite3.Cursor": _by_name,
    "datetime.tzinfo": _shown, "decimal.Decimal": _shown, "fractions.Fraction": _shown, "uuid.UUID": _shown, "pathlib.PurePath": _shown,
    "typing._Final": _shown, "types.GenericAlias": _shown, "types.UnionType": _shown,
    "functools._lru_cache_wrapper": lambda it: ("lru_cache", [(".__wrapped__", it.__wrapped__), ("<size>", it.cache_info().maxsize)]),
    "weakref.WeakKeyDictionary": _weak_mapping, "weakref.WeakValueDictionary": _weak_mapping, "_weakrefset.WeakSet": _weak_set,
    "torch.nn.modules.module._WrappedHook": _hook, "torch.optim.optimizer.Optimizer": _optimizer, "torch.optim.Optimizer": _optimizer,
    "operator.attrgetter": _shown, "operator.itemgetter": _shown,
}
_VALUES = (_shown, _scalar, _timestamp, _index, _by_name)
