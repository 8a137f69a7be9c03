"""What a digest knows of the libraries: arrays, tensors, frames, and objects with caches inside."""

from __future__ import annotations

import functools
import hashlib
import re
import sys
from types import ModuleType
from typing import Any, ClassVar

from nbos_kernel import searches
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
    kind = type(array)
    flags = f"{array.flags.c_contiguous}{array.flags.f_contiguous}{array.flags.writeable}"
    layout = f"{kind.__module__}.{kind.__qualname__} {array.dtype.str} {array.dtype} {array.shape} {array.strides} {flags}"
    below: list[Child] = []
    if array.size and array.dtype.itemsize:
        memory = Memory.of(_owner(array))
        below.append(("<memory>", memory))
        layout += f" at {memory.offset(array.__array_interface__['data'][0])}"
    if array.dtype.hasobject:
        below += [(f"[{i}]", it) for i, it in enumerate(array.ravel("K").tolist())] if not array.dtype.names else [("<items>", array.tolist())]
    else:
        layout += " " + _hash(_items_of(array) if array.size and array.dtype.itemsize else b"")
    for name, value in sorted(getattr(array, "__dict__", {}).items()):
        if name != "_basedict":
            below.append((f".{name}", value))
    return layout, below


def _items_of(array: Any) -> Any:
    """Its bytes, without those between the fields of a record."""
    import numpy

    if array.dtype.names:
        return b"".join(bytes(_items_of(numpy.asarray(array[name]))) for name in array.dtype.names)
    return numpy.ascontiguousarray(array).view("u1").reshape(-1).data


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

    def __init__(self) -> None:
        self._first: int | None = None

    def offset(self, address: int) -> int:
        """Where an array begins, from where the first one did: a view may travel without the rest of its memory."""
        self._first = address if self._first is None else self._first
        return address - self._first

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
        return f"{kind} {array.dtype} {len(array)} {_hash(array.asi8.tobytes())}", []
    if kind == "NumpyExtensionArray" and not array.dtype.numpy_dtype.hasobject:
        return f"{kind} {array.dtype} {len(array)} {_hash(array.to_numpy().tobytes())}", []
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

        about += f" {tensor.stride()} {tensor.storage_offset()} " + _hash(plain.reshape(-1).view(torch.uint8).numpy().data if plain.numel() else b"")
        below.append(("<memory>", Memory.of(_Pointer.of(tensor.untyped_storage().data_ptr()))))
    return about, below


def _storage(storage: Any) -> Found:
    import torch

    untyped = getattr(storage, "_untyped_storage", storage)
    if str(untyped.device) != "cpu":
        return f"storage {untyped.device} {untyped.nbytes()}", []
    content = torch.empty(0, dtype=torch.uint8).set_(untyped).numpy().data if untyped.nbytes() else b""
    return f"{type(storage).__name__} {getattr(storage, 'dtype', None)} {_hash(content)}", [("<memory>", Memory.of(_Pointer.of(untyped.data_ptr())))]


class _Pointer:
    made: ClassVar[dict[int, _Pointer]] = {}

    @classmethod
    def of(cls, address: int) -> _Pointer:
        return cls.made.setdefault(address, cls())


def _generator(generator: Any) -> Found:
    return "generator", [("<state>", generator.get_state())]


def _artist(artist: Any) -> Found:
    """A figure, and all that is drawn in it. Nothing is asked that makes ticks or chooses limits: that would change it."""
    about = {}
    below: list[Child] = []
    for name, value in sorted(vars(artist).items()):
        if not name.lstrip("_").startswith(_DRAWN) and name not in _CACHED_IN_ARTISTS:
            if isinstance(value, (bool, int, float, str, type(None))) or (type(value) is tuple and all(isinstance(it, (float, str)) for it in value)):
                about[name] = value
            elif type(value).__module__ == "numpy":
                below.append((f".{name}", _content_of(value)))
    if hasattr(artist, "dataLim"):
        below.append((".dataLim", _content_of(artist.dataLim._points)))
        for axis, on in (("x", artist.get_autoscalex_on()), ("y", artist.get_autoscaley_on())):
            if not on:
                about[axis] = tuple(map(float, artist._viewLim._points[:, axis == "y"]))
    if "axes" in vars(artist) or hasattr(artist, "dataLim"):
        below.append((".figure", artist.get_figure()))
    if hasattr(artist, "dataLim") or hasattr(artist, "suptitle"):
        below += [(f"<child {i}>", it) for i, it in enumerate(artist.get_children())]
    elif hasattr(artist, "label"):
        below.append((".label", artist.label))
    return f"{type(artist).__module__}.{type(artist).__qualname__} {about}", below


def _canvas(canvas: Any) -> Found:
    """The rest of it is how far its backend has come with drawing."""
    return f"{type(canvas).__module__}.{type(canvas).__qualname__}", [(".figure", canvas.figure)]


def _manager(manager: Any) -> Found:
    """Where it is connected, each process numbers by itself."""
    return f"{type(manager).__module__}.{type(manager).__qualname__} {manager.num}", [(".canvas", manager.canvas)]


def _content_of(array: Any) -> Any:
    return array.tolist() if array.dtype.hasobject else f"{array.dtype} {array.shape} {_hash(array.tobytes())}"


# What an artist notes while it is drawn.
_DRAWN = ("stale", "invalid", "cached", "mouseover", "remove_method", "layout", "renderer", "tight")
_CACHED_IN_ARTISTS = frozenset({"_x", "_y", "_xy", "_subslice", "_transformed_path", "_path", "_dpi", "_original_dpi", "number", "_us_lw"})


def _transform(it: Any) -> Found:
    """Matrices are kept once they are asked for, in all but those that are nothing else."""
    own = type(it).__name__ in ("Affine2D", "Bbox", "LockableBbox")
    skipped = _OF_TRANSFORMS if own else _OF_TRANSFORMS | {"_mtx", "_matrix", "_points", "_affine"}
    return f"{type(it).__module__}.{type(it).__qualname__}", [(f".{n}", v) for n, v in sorted(vars(it).items()) if n not in skipped]


_OF_TRANSFORMS = frozenset({"_invalid", "_inverted", "_parents", "_shorthand_name"})


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


def _compiled(it: Any) -> Found:
    """Its ``forward`` is made from the module and the context, and has a copy of what the module was then."""
    made = ("forward", "_forward", "_torchdynamo_wrapper_id")
    return "compiled module", [(f".{n}", v) for n, v in sorted(vars(it).items()) if n not in made]


def _memorized(it: Any) -> Found:
    """It knows its function's code by an address, and looks at it again where that is unknown."""
    made = ("_func_code_id", "_func_code_info")
    return f"{type(it).__module__}.{type(it).__qualname__}", [(f".{n}", v) for n, v in sorted(vars(it).items()) if n not in made]


def _vectorized(it: Any) -> Found:
    """It keeps the function that it made for its last call."""
    return f"{type(it).__module__}.{type(it).__qualname__}", [(f".{n}", v) for n, v in sorted(vars(it).items()) if n != "_ufunc"]


def _handle(it: Any) -> Found:
    """Of a hook. Where the table that it was in has none any more, the table need not be there."""
    about = {name: value for name, value in vars(it).items() if name != "hooks_dict_ref"}
    return "handle of a hook", [(".hooks_dict_ref()", it.hooks_dict_ref() or None), *((f".{n}", v) for n, v in sorted(about.items()))]


def _logger(it: Any) -> Found:
    """Its parent and its manager lead to all loggers of the process; how long it remembers its level is its own affair."""
    own = {name: value for name, value in vars(it).items() if name not in ("parent", "manager", "_cache", "name", "level", "propagate", "disabled")}
    about = f"{type(it).__module__}.{type(it).__qualname__} {it.name} {it.level} {it.propagate} {it.disabled}"
    return about, [(".__class__", type(it)), *((f".{name}", own[name]) for name in sorted(own))]


def _temporary(it: Any) -> Found:
    """It keeps what it was asked for."""
    return f"temporary file {it.name} {it.delete}", [(".file", it.file)]


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


def _compressed(it: Any) -> Found:
    """What it draws from is its own, and opened under its full name elsewhere."""
    return f"{type(it).__qualname__} {getattr(it, 'name', None)} {it.closed} {None if it.closed else it.tell()}", []


def _left(it: Any) -> Found:
    """The order of a set is each process's own: what an iterator over one has still to give is a list elsewhere."""
    reduced = it.__reduce__()
    left, at = reduced[1][0], reduced[2] if len(reduced) > 2 else 0
    return ("iterator at its end", []) if at >= len(left) else (f"iterator at {at}", [("<list>", left)])


_RULES: dict[str, Any] = {
    "nbos_kernel.digest_libraries.Memory": lambda _: ("memory", []),
    "sklearn.utils._bunch.Bunch": _bunch, "sklearn.utils.Bunch": _bunch, "scipy.spatial._ckdtree.cKDTree": _tree, "_ctypes.Array": _c_array,
    "sklearn.neighbors._kd_tree.BinaryTree64": _tree, "sklearn.neighbors._ball_tree.BinaryTree64": _tree,
    "numpy.ma.MaskedArray": _masked, "numpy.ma.core.MaskedArray": _masked, "numpy.ndarray": _array, "numpy.generic": _scalar,
    "numpy.dtype": _shown, "numpy.random._generator.Generator": _random, "numpy.random.mtrand.RandomState": _random,
    "numpy.random.bit_generator.BitGenerator": _bits, "numpy.ufunc": _shown, "numpy._ArrayFunctionDispatcher": lambda it: (f"function {it.__module__}.{it.__qualname__}", []),
   
    "pandas.DataFrame": _frame, "pandas.core.frame.DataFrame": _frame, "pandas.Series": _series, "pandas.core.series.Series": _series,
    "pandas.Index": _index, "pandas.core.indexes.base.Index": _index,
    "pandas.api.extensions.ExtensionArray": _extension, "pandas.core.arrays.base.ExtensionArray": _extension,
    "pandas.Timestamp": _timestamp, "pandas._libs.tslibs.timestamps._Timestamp": _timestamp, "pandas.Timedelta": _timestamp,
    "pandas._libs.tslibs.timestamps.Timestamp": _timestamp, "pandas._libs.tslibs.timedeltas._Timedelta": _timestamp,
    "pandas._libs.tslibs.nattype._NaT": _timestamp, "pandas._libs.missing.NAType": _timestamp,
    "pandas._libs.tslibs.offsets.BaseOffset": _shown, "pandas._libs.tslibs.period._Period": _shown,
    "torch.Tensor": _tensor, "torch.Generator": _generator, "torch._C.Generator": _generator, "torch.dtype": _shown,
    "torch._ops.OpOverloadPacket": _shown, "torch._ops.OpOverload": _shown, "torch.device": _shown, "torch.Size": _shown, "torch.storage.UntypedStorage": _storage, "torch.storage.TypedStorage": _storage,
    "torch.layout": _shown, "torch.autograd.graph.Node": _by_name,
    "matplotlib.backend_bases.FigureCanvasBase": _canvas, "matplotlib.backend_bases.FigureManagerBase": _manager,
    "matplotlib.artist.Artist": _artist, "matplotlib.transforms.TransformNode": _transform,
    "IPython.core.interactiveshell.InteractiveShell": _by_name, "logging.Logger": _logger, "logging.Manager": _by_name, "threading.Thread": _by_name,
    "_thread.lock": lambda it: (f"lock {it.locked()}", []), "_thread.RLock": _by_name,
    "sqlite3.Connection": _by_name, "sqlite3.Cursor": _by_name,
    "datetime.tzinfo": _shown, "decimal.Decimal": _shown, "fractions.Fraction": _shown, "uuid.UUID": _shown, "pathlib.PurePath": _shown,
    "typing._Final": _shown, "types.GenericAlias": _shown, "types.UnionType": _shown,
    "re.Scanner": lambda it: ("scanner", [(".lexicon", it.lexicon)]), "_sre.SRE_Scanner": searches.shown, "gzip.GzipFile": _compressed, "bz2.BZ2File": _compressed, "lzma.LZMAFile": _compressed,
    "ipaddress._IPAddressBase": _shown, "builtins.set_iterator": _left, "builtins.odict_iterator": _left, "builtins.list_iterator": _left,
    "functools._lru_cache_wrapper": lambda it: ("lru_cache", [(".__wrapped__", it.__wrapped__), ("<size>", it.cache_info().maxsize)]),
    "weakref.WeakKeyDictionary": _weak_mapping, "weakref.WeakValueDictionary": _weak_mapping, "_weakrefset.WeakSet": _weak_set,
    "torch.nn.modules.module._WrappedHook": _hook, "torch.optim.optimizer.Optimizer": _optimizer, "torch.optim.Optimizer": _optimizer,
    "torch._dynamo.eval_frame.OptimizedModule": _compiled, "tempfile._TemporaryFileWrapper": _temporary,
    "torch.utils.hooks.RemovableHandle": _handle, "numpy.vectorize": _vectorized, "joblib.memory.MemorizedFunc": _memorized, "operator.attrgetter": _shown, "operator.itemgetter": _shown,
}
_VALUES = (_shown, _scalar, _timestamp, _index, _by_name)
