"""Settings of the libraries that notebooks use most: how they show things, what they compute with.

A library is only asked once it is loaded. What travels is what differs from the library's own defaults, so that a
standby does not load a library, or overwrite a default of its host, for nothing. Settings may be functions of the
notebook (a float format), therefore they are members as callbacks are.
"""

from __future__ import annotations

import contextlib
import importlib
import operator
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from nbos_kernel.ambient import Switches
from nbos_kernel.kinds import is_notebook_class
from nbos_kernel.pins import Placeholder
from nbos_kernel.places import Scope
from nbos_kernel.registries import Registry

_ATOMS = frozenset({int, float, str, bytes, bool, complex, type(None)})


def _plain(value: Any) -> bool:
    return type(value) in _ATOMS or (type(value) is tuple and all(map(_plain, value)))


class Library(Registry):
    """The settings of one library, read while it is loaded."""

    module = ""

    def __init__(self) -> None:
        super().__init__()
        self._captured: Any = None
        self._modules = 0

    def look(self, scope: Scope) -> None:
        if len(sys.modules) != self._modules:  # what was loaded may have set something
            self._modules = len(sys.modules)
            self._now = self.read(scope)
        else:
            super().look(scope)

    def read(self, scope: Scope) -> tuple[Any, ...]:
        module = sys.modules.get(self.module)
        if module is None or getattr(getattr(module, "__spec__", None), "_initializing", False):
            return ()
        return self.differences(module)

    def differences(self, module: Any) -> tuple[Any, ...]:
        raise NotImplementedError

    def same(self, member: str, value: Any) -> bool:
        before, self._captured = self._captured, value
        return before is not None and _plain(value) and value == before

    def install(self, member: str, value: Any) -> None:
        self._captured = None
        super().install(member, value)


class Numpy(Library):
    name, module = "numpy", "numpy"
    calls = frozenset("set_printoptions printoptions set_string_function seterr seterrcall errstate setbufsize".split())
    _SHOWN = {
        "precision": 8, "threshold": 1000, "edgeitems": 3, "linewidth": 75, "suppress": False, "nanstr": "nan", "infstr": "inf",
        "sign": "-", "formatter": None, "floatmode": "maxprec", "legacy": False, "override_repr": None,
    }
    _ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}

    def differences(self, module: Any) -> tuple[Any, ...]:
        shown = module.get_printoptions()
        pairs = [("shown", k, tuple(v.items()) if k == "formatter" else v) for k, v in shown.items()
                 if k in self._SHOWN and self._SHOWN[k] != v]
        pairs += [("errors", k, v) for k, v in module.geterr().items() if self._ERRORS.get(k) != v]
        call, size = module.geterrcall(), module.getbufsize()
        return (*pairs, *((("call", "", call),) if call is not None else ()), *((("buffer", "", size),) if size != 8192 else ()))

    def write(self, value: tuple[Any, ...]) -> None:
        import numpy

        kept = [it for it in value if type(it[2]) is not Placeholder]
        shown = {**self._SHOWN, **{k: dict(v) if k == "formatter" else v for kind, k, v in kept if kind == "shown"}}
        numpy.set_printoptions(**shown)  # type: ignore[arg-type]
        numpy.seterr(**{**self._ERRORS, **{k: v for kind, k, v in kept if kind == "errors"}})  # type: ignore[arg-type]
        found = {kind: v for kind, _, v in kept}
        numpy.seterrcall(found.get("call"))
        if numpy.getbufsize() != found.get("buffer", 8192):
            numpy.setbufsize(found.get("buffer", 8192))


class NumpyGenerator(Library):
    """The generator behind ``np.random``, when it is another one than numpy's own."""

    name, module = "numpy.random", "numpy.random.mtrand"

    def differences(self, module: Any) -> tuple[Any, ...]:
        generator = module.get_bit_generator()
        return (generator,) if type(generator).__name__ != "MT19937" or generator is not self._own(module) else ()

    def _own(self, module: Any) -> Any:
        if not hasattr(self, "_first"):
            self._first = module.get_bit_generator()
        return self._first if type(self._first).__name__ == "MT19937" else None

    def write(self, value: tuple[Any, ...]) -> None:
        import numpy

        own = self._own(sys.modules[self.module])
        numpy.random.set_bit_generator(value[0] if value else own or numpy.random.MT19937())


class Pandas(Library):
    name, module = "pandas", "pandas._config.config"
    calls = frozenset({"set_option", "reset_option", "options", "option_context", "set_eng_float_format"})

    def differences(self, module: Any) -> tuple[Any, ...]:
        known = module._registered_options
        found = []
        for key, value in _flat(module._global_config, ""):
            option = known.get(key)
            if option is not None and option.defval is not value and not _equal(option.defval, value):
                found.append((key, value))
        return tuple(found)

    def write(self, value: tuple[Any, ...]) -> None:
        import pandas

        wanted = dict(value)
        for key, now in self.differences(sys.modules[self.module]):
            if key not in wanted:
                pandas.reset_option(f"^{key.replace('.', '[.]')}$")
        for key, it in value:
            if type(it) is not Placeholder:
                pandas.set_option(key, it)


class PandasAccessors(Library):
    """``df.geo`` of ``register_dataframe_accessor``."""

    name, module = "pandas.accessors", "pandas"
    calls = frozenset({"register_dataframe_accessor", "register_series_accessor", "register_index_accessor", "_accessors"})

    def differences(self, module: Any) -> tuple[Any, ...]:
        found = []
        for owner in ("DataFrame", "Series", "Index"):
            cls = getattr(module, owner, None)
            for name in sorted(getattr(cls, "_accessors", ())):
                accessor = getattr(cls, name, None)
                if isinstance(accessor, type) and is_notebook_class(accessor):
                    found.append((owner, name, accessor))
        return tuple(found)

    def write(self, value: tuple[Any, ...]) -> None:
        import pandas
        from pandas.core.accessor import CachedAccessor

        wanted = {(owner, name) for owner, name, _ in value}
        for owner, name, _ in self.differences(pandas):
            if (owner, name) not in wanted:
                getattr(pandas, owner)._accessors.discard(name)
                delattr(getattr(pandas, owner), name)
        for owner, name, accessor in value:
            cls = getattr(pandas, owner)
            if vars(cls).get(name) is None or getattr(cls, name) is not accessor:
                setattr(cls, name, CachedAccessor(name, accessor))
            cls._accessors.add(name)


class PandasTypes(Library):
    """Types of columns that pandas finds by their names (``register_extension_dtype``)."""

    name, module = "pandas.types", "pandas.core.dtypes.base"
    calls = frozenset({"register_extension_dtype"})

    def differences(self, module: Any) -> tuple[Any, ...]:
        return tuple(it for it in module._registry.dtypes if is_notebook_class(it))

    def write(self, value: tuple[Any, ...]) -> None:
        import pandas.core.dtypes.base

        known = pandas.core.dtypes.base._registry.dtypes
        known[:] = [it for it in known if not is_notebook_class(it)] + [it for it in value if type(it) is not Placeholder]


class Matplotlib(Library):
    """``rcParams``, with the backend in use."""

    name, module = "matplotlib", "matplotlib"
    _values: tuple[Any, ...] = ()
    _HOST = frozenset({"backend", "backend_fallback", "datapath", "savefig.directory"})

    def differences(self, module: Any) -> tuple[Any, ...]:
        default = getattr(module, "rcParamsDefault", None)
        if default is None:
            return ()
        values = tuple(dict.values(module.rcParams))
        if len(values) == len(self._values) and all(map(operator.is_, values, self._values)):
            return self._now
        self._values = values
        found = []
        for key, value in dict.items(module.rcParams):
            if key not in self._HOST and not _equal(dict.get(default, key), value):
                found.append((key, tuple(value) if type(value) is list else value))
        backend = dict.get(module.rcParams, "backend")
        if isinstance(backend, str):
            found.append(("backend", backend))
        return tuple(found)

    def write(self, value: tuple[Any, ...]) -> None:
        import matplotlib

        wanted = dict(value)
        default = matplotlib.rcParamsDefault
        self._values = ()
        backend = wanted.pop("backend", None)
        for key in list(dict.keys(default)):
            if key not in self._HOST and key not in wanted and not _equal(dict.get(matplotlib.rcParams, key), dict.get(default, key)):
                dict.__setitem__(matplotlib.rcParams, key, dict.get(default, key))
        for key, it in wanted.items():
            if type(it) is not Placeholder:
                like = dict.get(default, key)
                dict.__setitem__(matplotlib.rcParams, key, list(it) if type(it) is tuple and isinstance(like, list) else it)
        if backend is not None and dict.get(matplotlib.rcParams, "backend") != backend:
            matplotlib.use(backend)


class MatplotlibNames(Library):
    """Colormaps, sequences of colours, scales, projections, unit converters, handlers of legends and writers of animations
    that the notebook registered."""

    name, module = "matplotlib.names", "matplotlib"
    calls = frozenset({"register", "colormaps", "register_scale", "register_projection", "units", "register_cmap", "unregister", "color_sequences",
                       "update_default_handler_map", "set_default_handler_map"})

    def differences(self, module: Any) -> tuple[Any, ...]:
        found: list[tuple[Any, ...]] = []
        maps = getattr(sys.modules.get("matplotlib.cm"), "_colormaps", None)
        if maps is not None:
            found += [("map", name, maps._cmaps[name]) for name in maps._cmaps if name not in maps._builtin_cmaps]
        scales = getattr(sys.modules.get("matplotlib.scale"), "_scale_mapping", {})
        found += [("scale", name, cls) for name, cls in scales.items() if is_notebook_class(cls)]
        projections = getattr(sys.modules.get("matplotlib.projections"), "projection_registry", None)
        if projections is not None:
            found += [("projection", name, cls) for name, cls in projections._all_projection_types.items() if is_notebook_class(cls)]
        colours = getattr(sys.modules.get("matplotlib.colors"), "_color_sequences", None)
        if colours is not None:
            found += [("colours", name, tuple(it)) for name, it in colours._color_sequences.items() if name not in colours._BUILTIN_COLOR_SEQUENCES]
        for kind, table in _tables():
            found += [(kind, key, it) for key, it in table.items() if _made_here(key) or _made_here(it)]
        units = getattr(sys.modules.get("matplotlib.units"), "registry", {})
        found += [("units", cls, it) for cls, it in units.items() if is_notebook_class(cls) or is_notebook_class(type(it))]
        return tuple(found)

    def write(self, value: tuple[Any, ...]) -> None:
        import matplotlib
        import matplotlib.projections
        import matplotlib.scale
        import matplotlib.units

        for kind, home in (("legend", "matplotlib.legend"), ("writers", "matplotlib.animation")):
            if any(it[0] == kind for it in value):
                importlib.import_module(home)
        tables = dict(_tables())
        wanted = {it[:2] for it in value}
        for kind, name, _ in self.differences(matplotlib):
            if (kind, name) not in wanted:
                if kind == "map":
                    matplotlib.colormaps._cmaps.pop(name, None)
                elif kind == "scale":
                    matplotlib.scale._scale_mapping.pop(name, None)
                    getattr(matplotlib.scale, "_scale_has_axis_parameter", {}).pop(name, None)
                elif kind == "colours":
                    matplotlib.color_sequences.unregister(name)
                elif kind in tables:
                    tables[kind].pop(name, None)
                elif kind == "units":
                    matplotlib.units.registry.pop(name, None)
        for kind, name, it in value:
            if kind == "map":
                matplotlib.colormaps._cmaps[name] = it
            elif kind == "scale":
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # it was said where the notebook registered it
                    matplotlib.scale.register_scale(it)
            elif kind == "colours":
                matplotlib.color_sequences.register(name, list(it), force=True)
            elif kind in tables:
                tables[kind][name] = it
            elif kind == "projection":
                matplotlib.projections.register_projection(it)
            else:
                matplotlib.units.registry[name] = it


def _made_here(it: Any) -> bool:
    return is_notebook_class(it if isinstance(it, type) else type(it))


def _tables() -> Iterator[tuple[str, dict[Any, Any]]]:
    legend = getattr(sys.modules.get("matplotlib.legend"), "Legend", None)
    if legend is not None:
        yield "legend", legend._default_handler_map
    writers = getattr(sys.modules.get("matplotlib.animation"), "writers", None)
    if writers is not None:
        yield "writers", writers._registered


class Sklearn(Library):
    name, module = "sklearn", "sklearn._config"

    def differences(self, module: Any) -> tuple[Any, ...]:
        default = module._global_config
        if not hasattr(self, "_default"):
            self._default = dict(default)
        now = module._get_threadlocal_config()
        return tuple((k, v) for k, v in now.items() if self._default.get(k) != v)

    def write(self, value: tuple[Any, ...]) -> None:
        import sklearn

        self.differences(sys.modules[self.module])
        sklearn.set_config(**{**self._default, **dict(value)})


class Torch(Switches):
    """torch's switches for this thread and process, as far as the CPU knows them."""

    key = "@torch"

    def __init__(self) -> None:
        self._started = False
        self._seen: Any = None
        self._inference: Any = None
        self._start: dict[str, Any] = {}
        self._sent: set[str] = set()

    def read(self) -> Any:
        torch = sys.modules.get("torch")
        if torch is None or not hasattr(torch, "set_default_dtype") or not hasattr(torch, "set_printoptions"):
            return None
        if not self._started:
            self._begin(torch)
        return super().read()

    def unchanged(self, scope: Scope) -> bool:
        torch = sys.modules.get("torch")
        if torch is None or not self._started:
            return torch is None
        try:
            seen: Any = self._quickly(torch)
        except AttributeError:  # another version
            return False
        same, self._seen = seen == self._seen, seen
        return same

    @staticmethod
    def _quickly(torch: Any) -> Any:
        """All that the table asks for, as torch has it."""
        core, device = torch._C, getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
        return (
            torch.get_default_dtype(), None if device is None else device.device, torch.get_num_threads(), torch.is_grad_enabled(),
            core._get_deterministic_algorithms(), core._get_deterministic_algorithms_warn_only(),
            core._get_deterministic_fill_uninitialized_memory(), torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled(),
            core._get_float32_matmul_precision(), core._get_cudnn_benchmark(), core._get_cudnn_deterministic(), core._get_warnAlways(),
            torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu"), torch.is_inference_mode_enabled(),
            list(vars(torch._tensor_str.PRINT_OPTS).values()),
        )

    def write(self, value: Any) -> None:
        import torch

        if not self._started:
            self._begin(torch)
        super().write(value)

    def _begin(self, torch: Any) -> None:
        """Its defaults, which are the same everywhere but for the number of threads."""
        self._started = True
        shown = torch._tensor_str.PRINT_OPTS
        fields = ("precision", "threshold", "edgeitems", "linewidth", "sci_mode")
        self.table = (
            ("default dtype", lambda: str(torch.get_default_dtype()), lambda it: torch.set_default_dtype(_named(torch, it))),
            ("default device", lambda: str(torch.get_default_device()), lambda it: torch.set_default_device(it if it != "cpu" else None)),
            ("threads", torch.get_num_threads, torch.set_num_threads),
            ("gradients", torch.is_grad_enabled, torch._C._set_grad_enabled),
            ("deterministic", lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
             lambda it: torch.use_deterministic_algorithms(it[0], warn_only=it[1])),
            ("fill memory", lambda: torch.utils.deterministic.fill_uninitialized_memory,
             lambda it: setattr(torch.utils.deterministic, "fill_uninitialized_memory", it)),
            ("anomalies", lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
             lambda it: torch.autograd.set_detect_anomaly(*it)),
            ("matmul", torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
            ("cudnn", lambda: (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
             lambda it: (setattr(torch.backends.cudnn, "benchmark", it[0]), setattr(torch.backends.cudnn, "deterministic", it[1]))),
            ("warn always", torch.is_warn_always_enabled, torch.set_warn_always),
            ("autocast", lambda: (torch.is_autocast_enabled("cpu"), str(torch.get_autocast_dtype("cpu"))),
             lambda it: (torch.set_autocast_enabled("cpu", it[0]), torch.set_autocast_dtype("cpu", _named(torch, it[1])))),
            ("inference", torch.is_inference_mode_enabled, self._infer),
            ("shown", lambda: tuple(getattr(shown, name) for name in fields),
             lambda it: [setattr(shown, name, value) for name, value in zip(fields, it)]),
        )
        self._start = {
            "default dtype": "torch.float32", "default device": "cpu", "threads": torch.get_num_threads(), "gradients": True,
            "deterministic": (False, False), "fill memory": True, "anomalies": (False, True), "matmul": "highest",
            "cudnn": (False, False), "warn always": False, "inference": False, "autocast": (False, "torch.bfloat16"), "shown": (4, 1000, 3, 80, None),
        }


    def _infer(self, on: bool) -> None:
        import torch

        if on:
            self._inference = torch._C._InferenceMode(True)
            self._inference.__enter__()
        elif self._inference is not None:
            self._inference.__exit__(None, None, None)
            self._inference = None


class ScipySpecial(Library):
    name, module = "scipy.special", "scipy.special"
    _DEFAULT = {"memory": "raise"}

    def differences(self, module: Any) -> tuple[Any, ...]:
        return tuple(item for item in module.geterr().items() if item[1] != self._DEFAULT.get(item[0], "ignore")) if hasattr(module, "geterr") else ()

    def write(self, value: tuple[Any, ...]) -> None:
        import scipy.special

        scipy.special.seterr(**{**dict.fromkeys(scipy.special.geterr(), "ignore"), **self._DEFAULT, **dict(value)})


@contextlib.contextmanager
def neutral() -> Iterator[None]:
    """Captured and loaded is what there is, whatever the notebook has set for what it makes."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "inference_mode"):
        yield
        return
    moved = str(torch.get_default_device()) != "cpu"
    if not moved and torch.is_grad_enabled() and not torch.is_inference_mode_enabled():
        yield
        return
    with torch.inference_mode(False), torch.enable_grad(), torch.device("cpu") if moved else contextlib.nullcontext():
        yield


def _named(torch: Any, name: str) -> Any:
    return getattr(torch, name.removeprefix("torch."))


def _flat(tree: dict[str, Any], prefix: str) -> Any:
    for key, value in tree.items():
        if type(value) is dict:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _equal(a: Any, b: Any) -> bool:
    try:
        return a is b or bool(a == b)
    except Exception:  # noqa: BLE001 - arrays, objects of the notebook
        return False


def libraries() -> list[Registry]:
    return [Numpy(), NumpyGenerator(), Pandas(), PandasAccessors(), PandasTypes(), Matplotlib(), MatplotlibNames(), Sklearn(), ScipySpecial()]
