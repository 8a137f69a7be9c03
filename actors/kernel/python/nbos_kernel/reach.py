"""Can a piece of code touch a GPU? "None" is a proof; whatever is doubtful may.

A cell touches none when all that it can run is known to stay on the processor:

- Its code, and every function and class of the notebook that it can reach, does nothing by text or by detour (``exec``,
  ``getattr``, frames, ``sys.modules``), asks for no environment variable and starts no process.
- Every module that it imports or reaches is of a package in `_STDLIB` or `_PACKAGES`, which use a GPU only where they
  are given something that lives on one; with a library loaded that takes the place of such packages (`_TAKEOVERS`),
  none but the standard library is. All others may: torch, jax, cupy, tensorflow, and any that is not known.
- Every object that it can reach is plain data or an instance of a class of such a package or of the notebook.
- A torch tensor in host memory that is not of a GPU (``homes``) may be read: compared, computed with, shown, and asked what is in `_LOOKS`. Whatever else tensors can do, ``to`` and ``backward`` above all, may move it.

What hangs from IPython and from patched modules (``places``) runs unasked and counts as reached. Objects are looked
through as they are now, for `_BUDGET` at most: more than that may lead anywhere.
"""

from __future__ import annotations

import ast
import builtins
import collections
import dis
import functools
import gc
import importlib.machinery
import itertools
import sys
import time
import types
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from IPython.core.inputtransformer2 import TransformerManager

from nbos_kernel import static
from nbos_kernel.homes import HOMES
from nbos_kernel.kinds import ATOMS, is_loose, is_notebook_class
from nbos_kernel.modules import PREFIX as MODULE_PREFIX
from nbos_kernel.modules import TRACKED, below_installation
from nbos_kernel.pins import Placeholder
from nbos_kernel.places import PLACE_PREFIX
from nbos_kernel.session import Session

# Seconds of computing that an answer may take: it is waited for before each cell of a kernel with GPUs. An open figure takes 0.02.
_BUDGET = 0.1
# Steps between two looks at the clock.
_STRIDE = 256

# Parts of the standard library that run what is data for them, or reach memory, processes and devices.
_STDLIB = sys.stdlib_module_names - frozenset(
    "ctypes _ctypes importlib _imp imp runpy pkgutil subprocess _posixsubprocess multiprocessing _multiprocessing pickle _pickle "
    "pickletools shelve dbm marshal code codeop pdb bdb cProfile profile _lsprof trace tracemalloc timeit inspect gc contextvars "
    "_contextvars sqlite3 _sqlite3 tkinter _tkinter doctest unittest zipimport pty webbrowser site sysconfig venv ensurepip xmlrpc "
    "distutils lib2to3 idlelib faulthandler atexit signal _signal copyreg test turtle turtledemo fcntl mmap termios symtable "
    "compileall py_compile zipapp rlcompleter cgi cgitb wsgiref pydoc antigravity this __main__ _xxsubinterpreters".split()
)
# Libraries that compute on the processor, and those that these bring along.
_PACKAGES = frozenset(
    "numpy pandas scipy sklearn matplotlib mpl_toolkits seaborn statsmodels patsy PIL dateutil pytz tzdata six cycler kiwisolver "
    "contourpy pyparsing pyarrow packaging tqdm joblib threadpoolctl requests urllib3 certifi idna charset_normalizer tabulate "
    "matplotlib_inline".split()
)
# Of IPython, only what shows things.
_SHOWING = ("IPython.display", "IPython.core.display", "IPython.lib.display")
# They make pandas or scikit-learn compute on a GPU, or install another one in their place.
_TAKEOVERS = frozenset("cudf cuml cupy sklearnex daal4py fireducks modin".split())
# Attributes of those packages that run code from a file or a text, by package.
_RISKS = {
    "numpy": frozenset("load ctypeslib f2py read_array".split()),
    "pandas": frozenset("eval query read_pickle read_hdf".split()),
    "pyarrow": frozenset({"cuda", "flight", "deserialize", "read_serialized"}),
    "joblib": frozenset({"load", "Memory"}),
    "matplotlib": frozenset({"use", "switch_backend"}),
    "asyncio": frozenset({"all_tasks", "create_subprocess_exec", "create_subprocess_shell", "subprocess_exec", "subprocess_shell"}),
}
# Built-in functions that do something by a name that is data.
_BY_TEXT = frozenset("exec eval compile __import__ globals locals vars getattr breakpoint help __builtins__ __loader__ __spec__".split())
# Attributes that lead anywhere, whatever they are attributes of.
_FAR = static.DYNAMIC - frozenset({"eval", "exec", "locals", "vars", "globals", "builtins"}) | frozenset(
    "environ environb getenv getenvb putenv unsetenv system popen fork forkpty startfile posix_spawn posix_spawnp modules settrace "
    "setprofile _current_frames exc_info last_traceback last_value last_exc meta_path path_hooks tb_frame gi_frame cr_frame ag_frame "
    "f_builtins gi_code cr_code ag_code attrgetter methodcaller CodeType FunctionType import_module CUDA_VISIBLE_DEVICES NBOS_GPUS "
    "execl execle execlp execlpe execv execve execvp execvpe spawnl spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe".split()
)
# Special attributes that lead no further than what they are asked of.
_SPECIAL = frozenset(
    "__init__ __new__ __name__ __qualname__ __doc__ __version__ __class__ __len__ __repr__ __str__ __eq__ __hash__ __iter__ __next__ "
    "__call__ __getitem__ __setitem__ __delitem__ __contains__ __enter__ __exit__ __post_init__ __init_subclass__ __setattr__ __add__ "
    "__mul__ __sub__ __lt__ __le__ __gt__ __ge__ __abs__ __neg__ __bool__ __int__ __float__ __format__ __annotations__ __slots__ "
    "__array__ __module__ __file__ __all__ __path__ __package__ __aenter__ __aexit__ __set_name__ __get__ __set__".split()
)
# Classes whose instances are data, or do one known thing.
_DATA = frozenset({
    "ipykernel.iostream.OutStream", "builtins.getset_descriptor", "builtins.member_descriptor", "inspect.Signature", "inspect.Parameter",
    "inspect._empty", "ctypes.c_void_p",
})
# Magics that run nothing but themselves.
_HARMLESS = frozenset(
    "matplotlib who who_ls whos pwd cd history hist lsmagic precision pprint page colors xmode markdown html HTML latex javascript js "
    "svg SVG writefile".split()
)
# What a tensor may be asked for, where it stays.
_LOOKS = frozenset(
    "shape dtype ndim size numel dim nelement element_size nbytes itemsize item tolist numpy T mT H mean sum std var min max argmin "
    "argmax abs sqrt exp log clone detach reshape view flatten squeeze unsqueeze transpose permute round floor ceil any all norm median "
    "mode sort argsort topk cumsum cumprod prod pow clamp clip add sub mul div matmul dot eq ne lt le gt ge isnan isinf isfinite nonzero "
    "unique bincount histc float double half int long short bool char byte bfloat16 contiguous is_contiguous stride is_leaf "
    "requires_grad grad is_floating_point is_complex real imag diff quantile split chunk unbind expand repeat tile flip index_select "
    "masked_select gather count_nonzero allclose equal fill_ zero_ __len__ __iter__ __repr__ __str__ __getitem__ __setitem__ __array__ "
    "__add__ __sub__ __mul__ __eq__ __lt__ __le__ __gt__ __ge__ __contains__ __bool__ __int__ __float__ __abs__ __neg__ __format__ "
    "__class__ __doc__ __module__ __hash__ __init__ __new__ __dict__".split()
)
_WARNINGS, _FIGURES = PLACE_PREFIX + "registry:warnings", PLACE_PREFIX + "pyplot"
_PLAIN_CONTAINERS = frozenset({list, tuple, set, frozenset, collections.deque})
# Long lists of these are looked through as one, so many levels deep.
_ROWS, _MANY, _FLAT = frozenset({list, tuple, dict}), 100, 2
_TABLES = frozenset({dict, collections.OrderedDict, collections.defaultdict, collections.Counter, types.MappingProxyType})


class Doubt(Exception):
    """What leads to a GPU, or may."""


def gpu(session: Session, source: str) -> str | None:
    """Why this code may touch a GPU, for people; None when it provably does not. On any thread; nothing is run for it."""
    shell = session.shell
    if shell.ast_transformers or shell.input_transformers_post:
        return "code of the notebook changes each cell before it runs"
    try:
        _Search(session).run(source)
    except Doubt as doubt:
        return str(doubt)
    except (SyntaxError, ValueError):
        return "its code cannot be read before it runs"
    except Exception as error:  # noqa: BLE001 - objects of the notebook are asked, and may change meanwhile
        return f"it could not be looked through: {type(error).__name__}"
    return None


class Uses(NamedTuple):
    """What a code object does by name."""

    names: frozenset[str]
    attributes: frozenset[str]
    modules: frozenset[str]


_NAMES = frozenset({"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS", "DELETE_NAME", "DELETE_GLOBAL"})
_STORED = frozenset({"STORE_NAME", "STORE_GLOBAL"})


@functools.lru_cache(maxsize=4096)
def _uses(code: types.CodeType) -> Uses:
    names: set[str] = set()
    attributes: set[str] = set()
    modules: set[str] = set()
    for it in dis.get_instructions(code):
        if it.opcode not in dis.hasname:
            continue
        if it.opname == "IMPORT_NAME":
            modules.add(it.argval)
        elif it.opname in _STORED:
            if it.argval[:2] != "__":  # a method of a class, or a note of the compiler
                names.add(it.argval)
        else:
            (names if it.opname in _NAMES else attributes).add(it.argval)
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            inner = _uses(const)
            names |= inner.names
            attributes |= inner.attributes
            modules |= inner.modules
    return Uses(frozenset(names), frozenset(attributes), frozenset(modules))


class _Search:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._space = session.namespace
        self._packages = _STDLIB if not _TAKEOVERS.isdisjoint(sys.modules) else _STDLIB | _PACKAGES
        # What is to be looked at, each with the name that leads there.
        self._work: list[tuple[Any, str]] = []
        self._seen: set[int] = set()
        # Made for this search: identities must stay unique meanwhile.
        self._keep: list[Any] = []
        self._attributes: set[str] = set()
        self._modules: list[tuple[types.ModuleType, str, set[str]]] = []
        self._roots: set[str] = set()
        self._tensor: str | None = None
        self._end = time.thread_time() + _BUDGET

    def run(self, source: str) -> None:
        """Raises `Doubt`."""
        for code in _codes(source):
            self._code(code, self._space)
        self._whole()
        for member, value in list(self._session.places.now.items()):
            # Warnings are told apart by class, without a call. An open figure is drawn by cells that have changed it. What is
            # in a module of the notebook runs only where it is reached.
            if member != _WARNINGS and not member.startswith(MODULE_PREFIX) and (member != _FIGURES or "matplotlib" in self._roots):
                self._work.append((value, member.partition(":")[2]))
        self._whole()
        for root in self._roots & _RISKS.keys():
            for name in sorted(_RISKS[root] & self._attributes):
                raise Doubt(f".{name} of {root} can run any code")
        if self._tensor is not None:
            for name in sorted(self._attributes - _LOOKS):
                if hasattr(sys.modules["torch"].Tensor, name):
                    raise Doubt(f"'{self._tensor}' is a tensor, and .{name} may move it")

    def _whole(self) -> None:
        """Walk until nothing more is reached: attributes that come up late may be those of modules that came up early."""
        looked = -1
        while self._work or looked != len(self._attributes):
            looked = len(self._attributes)
            self._walk()
            for module, path, known in self._modules:
                inside = vars(module)
                self._work += [(inside[name], f"{path}.{name}") for name in self._attributes - known if name in inside]
                known |= self._attributes

    def _code(self, code: types.CodeType, space: dict[str, Any]) -> None:
        uses = _uses(code)
        for name in sorted(uses.names & _BY_TEXT | (uses.names | uses.attributes) & _FAR):
            raise Doubt(f"{name} can lead anywhere")
        for name in sorted(uses.attributes - _SPECIAL):
            if name[:2] == "__" == name[-2:]:
                raise Doubt(f".{name} can lead anywhere")
        self._attributes |= uses.attributes
        for name in sorted(uses.modules):
            self._import(name)
        shown = vars(builtins)
        for name in uses.names:
            if name in space:
                self._work.append((space[name], name))
            elif name in shown and name != "input":
                self._work.append((shown[name], name))

    def _import(self, name: str) -> None:
        module = sys.modules.get(name)
        if module is not None:
            self._work.append((module, name))
        elif self._trusts(name) and _is_installed(name.partition(".")[0]):
            self._roots.add(name.partition(".")[0])
        else:
            raise Doubt(f"it imports {name or 'a module beside it'}")

    def _trusts(self, name: Any) -> bool:
        return type(name) is str and (name.partition(".")[0] in self._packages or name.startswith(_SHOWING))

    # Objects.

    def _walk(self) -> None:
        work, seen, steps = self._work, self._seen, 0
        while work:
            steps += 1
            if steps % _STRIDE == 0 and time.thread_time() > self._end:
                raise Doubt(f"'{work[-1][1]}' leads to more than can be looked through")
            obj, path = work.pop()
            cls = type(obj)
            if cls in ATOMS or id(obj) in seen:
                continue
            seen.add(id(obj))
            if cls in _PLAIN_CONTAINERS:
                self._push(obj, path)
            elif cls in _TABLES:
                self._push(obj, path)
                self._push(obj.values(), path)
            elif isinstance(obj, types.ModuleType):
                self._module(obj, path)
            elif isinstance(obj, type):
                self._class(obj, path)
            elif cls is types.FunctionType:
                self._function(obj, path)
            elif cls is types.BuiltinFunctionType or cls is types.BuiltinMethodType:
                self._builtin(obj, path)
            else:
                self._instance(obj, cls, path)

    def _push(self, values: Iterable[Any], path: str, depth: int = 0) -> None:
        values = list(values)
        kinds = set(map(type, values)) - ATOMS
        if not kinds:
            return
        if depth < _FLAT and kinds <= _ROWS and len(values) > _MANY:
            # Rows of plain values, most likely: no Python code runs for each.
            rows = [value for value in values if type(value) in _ROWS]
            self._push(itertools.chain.from_iterable(rows), path, depth + 1)
            self._push(itertools.chain.from_iterable(row.values() for row in rows if type(row) is dict), path, depth + 1)
            return
        self._keep.append(values)
        self._work += [(value, path) for value in values if type(value) not in ATOMS]

    def _module(self, module: types.ModuleType, path: str) -> None:
        name = module.__name__
        if vars(module) is self._space:
            raise Doubt("it reaches the notebook as a module")
        if TRACKED.identity(module) is None:
            if not self._trusts(name):
                raise Doubt(f"'{path}' is of {name}")
            self._roots.add(name.partition(".")[0])
        self._modules.append((module, path, set()))

    def _class(self, cls: type, path: str) -> None:
        name = getattr(cls, "__module__", None)
        if f"{name}.{cls.__qualname__}" in _DATA:
            return
        if self._is_ours(cls, name):
            self._push(vars(cls).values(), path)
        elif self._trusts(name):
            self._roots.add(name.partition(".")[0])
            if cls.__name__ in ("_local", "local") and name in ("_thread", "threading", "_threading_local"):
                raise Doubt(f"'{path}' has values that only their threads see")
            # What the notebook has put into it.
            for value in list(vars(cls).values()):
                if type(value) is types.FunctionType and not self._is_installed(value):
                    self._work.append((value, path))
        else:
            raise Doubt(f"'{path}' leads to {name}.{cls.__qualname__}")
        self._push(cls.__bases__, path)
        if type(cls) is not type:
            self._work.append((type(cls), path))

    def _is_ours(self, cls: type, name: Any) -> bool:
        """A class of the notebook or of a module of its own."""
        home = sys.modules.get(name) if isinstance(name, str) else None
        if home is not None and self._trusts(name):
            return False  # a base of it may have been made there at run time
        return name == "__main__" or (home is not None and TRACKED.identity(home) is not None) or is_notebook_class(cls)

    def _is_installed(self, function: types.FunctionType) -> bool:
        """A function of a trusted package: its code runs nothing but what it is given."""
        names = function.__globals__
        home = names.get("__name__")
        return names is not self._space and self._trusts(home) and getattr(sys.modules.get(home), "__dict__", None) is names

    def _function(self, function: types.FunctionType, path: str) -> None:
        if not self._is_installed(function):
            names = function.__globals__
            if names.get("__name__") == "IPython.core.interactiveshell" and function.__name__ == "open":
                return  # the built-in one, with a check before it
            home = sys.modules.get(names.get("__name__", ""))
            if names is not self._space and not is_loose(names) and (home is None or TRACKED.identity(home) is None):
                raise Doubt(f"'{path}' leads to {names.get('__name__')}.{function.__qualname__}")
            self._code(function.__code__, names)
        else:
            self._roots.add(str(function.__globals__["__name__"]).partition(".")[0])
        below = [function.__defaults__, function.__kwdefaults__, function.__dict__]
        for cell in function.__closure__ or ():
            try:
                below.append(cell.cell_contents)
            except ValueError:
                pass  # an empty cell
        self._push(below, path)

    def _builtin(self, function: Any, path: str) -> None:
        owner = function.__self__
        if owner is None and not self._trusts(function.__module__):
            raise Doubt(f"'{path}' leads to {function.__module__}.{function.__qualname__}")
        if isinstance(owner, types.ModuleType):
            if not self._trusts(owner.__name__):
                raise Doubt(f"'{path}' leads to {owner.__name__}.{function.__qualname__}")
        elif owner is not None:
            self._work.append((owner, path))

    def _instance(self, obj: Any, cls: type, path: str) -> None:
        if cls is Placeholder:
            raise Doubt(f"'{path}' is not on this host")
        name = f"{cls.__module__}.{cls.__qualname__}"
        if name == "torch.Tensor":
            return self._look_at_tensor(obj, path)
        if name in _DATA or cls.__module__.startswith("numpy.random."):
            return None
        if cls.__module__.startswith("_cython_") and self._trusts(getattr(obj, "__module__", None)):
            return None  # a compiled function of a trusted package
        if name == "numpy.ufunc" and "(vectorized)" in obj.__name__:
            raise Doubt(f"'{path}' hides a function")
        if isinstance(obj, weakref.ReferenceType):
            self._push((obj(),), path)
        elif cls in (weakref.ProxyType, weakref.CallableProxyType):
            raise Doubt(f"'{path}' stands for another object")
        self._work.append((cls, path))
        dtype = getattr(obj, "dtype", None) if cls.__module__ == "numpy" else None
        if dtype is not None and getattr(dtype, "hasobject", False):
            elements = obj.ravel("K").tolist() if hasattr(obj, "ravel") else [obj.item()]
            self._push(elements, path)
        code = getattr(obj, "gi_code", None) or getattr(obj, "cr_code", None) or getattr(obj, "ag_code", None)
        if isinstance(code, types.CodeType):
            frame = getattr(obj, "gi_frame", None) or getattr(obj, "cr_frame", None) or getattr(obj, "ag_frame", None)
            self._code(code, frame.f_globals if frame is not None else self._space)
            self._push([] if frame is None else dict(frame.f_locals).values(), path)
            return None
        referents = gc.get_referents(obj)
        self._push([it for it in referents if it is not cls], path)
        return None

    def _look_at_tensor(self, tensor: Any, path: str) -> None:
        torch = sys.modules["torch"]
        if tensor.device.type not in ("cpu", "meta"):
            raise Doubt(f"'{path}' is a tensor on {tensor.device}")
        if HOMES.of(tensor.untyped_storage()) is not None:
            raise Doubt(f"'{path}' is a tensor of a GPU")
        if torch._C._len_torch_function_stack() or tensor._backward_hooks:
            raise Doubt(f"'{path}' is a tensor that calls functions")
        self._tensor = path
        self._push(tensor.__dict__.values(), path)
        if tensor.is_leaf and tensor.grad is not None:
            self._work.append((tensor.grad, path))


def _is_installed(package: str) -> bool:
    """Whether an import would find it where libraries are, not a file of that name beside the notebook. One that does not exist runs nothing."""
    if package in sys.builtin_module_names:
        return True
    spec = importlib.machinery.FrozenImporter.find_spec(package) or importlib.machinery.PathFinder.find_spec(package)
    return spec is None or spec.origin in ("frozen", "built-in") or (spec.origin is not None and below_installation(spec.origin))


# Sources.


def _codes(source: str) -> Iterator[types.CodeType]:
    """The code objects of a cell, and of the code in its magics. Raises `Doubt` or SyntaxError."""
    sources = [source]
    while sources:
        magics = _Magics()
        tree = magics.visit(ast.parse(TransformerManager().transform_cell(sources.pop())))
        yield compile(tree, "<nbos>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        sources += magics.sources


class _Magics(ast.NodeTransformer):
    """Takes out calls that stand for magics which do nothing but what is known."""

    def __init__(self) -> None:
        self.sources: list[str] = []

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.func, ast.Attribute) or not static.is_shell(node.func.value):
            return node
        texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if node.func.attr not in ("run_line_magic", "run_cell_magic") or len(texts) != len(node.args) or not texts:
            raise Doubt("it runs a command, or asks IPython for something")
        if texts[0] in static.CODE_MAGICS:
            self.sources += static.sources_in(texts)
        elif texts[0] not in _HARMLESS:
            raise Doubt(f"%{texts[0]} may do anything")
        return ast.copy_location(ast.Constant(None), node)
