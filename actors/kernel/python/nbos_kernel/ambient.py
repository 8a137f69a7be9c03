"""State that is not a variable but that the next cell would notice: directory, environment, random
generators, switches of the interpreter and of the process.

Each provider reads a value that can be compared cheaply after every cell. Values are relative where
hosts may differ: the environment and ``sys.path`` travel as changes to what the process started with.
"""

from __future__ import annotations

import csv
import ctypes
import faulthandler
import gc
import importlib
import linecache
import locale
import os
import random
import resource
import socket
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbos_kernel import collector
from nbos_kernel.modules import below_installation
from nbos_kernel.places import Scope


class Provider:
    """One piece of ambient state. `read` gives None while it does not apply (library not loaded)."""

    key = ""
    rank = 0
    # Names of which a cell must have one to change this; empty: it is read after every cell.
    calls: frozenset[str] = frozenset()

    def unchanged(self, scope: Scope) -> bool:
        """A quicker answer than `read`, where there is one."""
        return False

    def read(self) -> Any:
        raise NotImplementedError

    def moved(self) -> None:
        """Before the first cell the kernel was given its variables and its directory: they are its start."""

    def full(self) -> Any:
        """As `read`, in a full pass: there is time to look closely."""
        return self.read()

    def write(self, value: Any) -> None:
        raise NotImplementedError


class Directory(Provider):
    """The working directory and IPython's list of visited ones."""

    key = "@cwd"

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._start = os.getcwd()
        self._seen: Any = None

    def moved(self) -> None:
        self._start = os.getcwd()
        self._shell.starting_dir = self._start
        self._shell.user_ns["_dh"][:] = [Path(self._start)]

    def unchanged(self, scope: Scope) -> bool:
        try:
            seen = os.getcwd(), list(self._shell.user_ns.get("_dh", ()))
        except (OSError, TypeError):
            return False
        same, self._seen = seen == self._seen, seen
        return same

    def read(self) -> Any:
        try:
            here = os.getcwd()
        except FileNotFoundError:
            return None
        return self._pack(here), [self._pack(str(path)) for path in self._shell.user_ns.get("_dh", ())]

    def _pack(self, path: str) -> tuple[str, ...]:
        """Below the directory a kernel starts in, paths are relative to it: hosts may place it differently."""
        if path == self._start or path.startswith(self._start + os.sep):
            return "start", os.path.relpath(path, self._start)
        return (path,)

    def _unpack(self, packed: tuple[str, ...]) -> str:
        return packed[0] if len(packed) == 1 else os.path.normpath(os.path.join(self._start, packed[1]))

    def write(self, value: Any) -> None:
        here, visited = value
        os.chdir(self._unpack(here))
        history = self._shell.user_ns.get("_dh")
        if isinstance(history, list):
            history[:] = [Path(self._unpack(path)) for path in visited]


class Environment(Provider):
    """``os.environ``, as changes the notebook made: the rest belongs to the host."""

    key = "@environ"
    # What a shell sets to the command it starts.
    _IGNORED = frozenset({"_"})

    def __init__(self) -> None:
        self._seen = dict(os.environ)
        self._changes: dict[str, str | None] = {}
        self._raw: Any = None

    def moved(self) -> None:
        self._seen = dict(os.environ)

    def unchanged(self, scope: Scope) -> bool:
        raw = getattr(os.environ, "_data", None)  # the undecoded variables
        same = raw is not None and raw == self._raw
        self._raw = dict(raw) if raw is not None and not same else self._raw
        return same

    def read(self) -> Any:
        now = dict(os.environ)
        if now != self._seen:
            for name in self._seen.keys() - now.keys() - self._IGNORED:
                self._changes[name] = None
            for name, value in now.items():
                if self._seen.get(name) != value and name not in self._IGNORED:
                    self._changes[name] = value
            self._seen = now
        return dict(self._changes)

    def write(self, value: Any) -> None:
        for name, text in value.items():
            if text is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = text
        self._changes, self._seen = dict(value), dict(os.environ)


class SearchPath(Provider):
    """``sys.path``; entries the process started with travel as their number, for they name this host's files."""

    key = "@path"

    def __init__(self) -> None:
        self._start = list(sys.path)

    def moved(self) -> None:
        # The others have their numbers: IPython has put in one since, which travels as itself.
        self._start[0] = sys.path[0]

    def read(self) -> Any:
        places = {entry: index for index, entry in reversed(list(enumerate(self._start)))}
        return [places.get(entry, entry) if isinstance(entry, str) else str(entry) for entry in sys.path]

    def write(self, value: Any) -> None:
        start = self._start
        sys.path[:] = [start[e] if isinstance(e, int) else e for e in value if not isinstance(e, int) or e < len(start)]


class Random(Provider):
    key = "@random"
    # After everything that is imported or unpickled: either may draw.
    rank = 4

    def read(self) -> Any:
        return random.getstate()

    def write(self, value: Any) -> None:
        random.setstate(value)


class NumpyRandom(Provider):
    """numpy's global generator; generators held in variables are ordinary objects."""

    key = "@numpy.random"
    rank = 4
    _SIZE = 625 * 4  # the numbers of the generator and the position in them

    def __init__(self) -> None:
        self._owner: Any = None
        self._address = 0
        self._bits = b""
        self._pending = True

    def unchanged(self, scope: Scope) -> bool:
        """The generator's memory is as it was. Half of a pair of normal numbers may wait outside of it."""
        module = sys.modules.get("numpy.random.mtrand")
        generator = getattr(getattr(module, "_rand", None), "_bit_generator", None)
        if type(generator).__name__ != "MT19937":
            return module is None
        if generator is not self._owner:
            self._owner, self._address = generator, generator.ctypes.state_address
        bits = ctypes.string_at(self._address, self._SIZE)
        same = bits == self._bits and not self._pending
        self._bits = bits
        return same

    def read(self) -> Any:
        module = sys.modules.get("numpy.random.mtrand")
        if module is None or not hasattr(module, "_rand"):
            return None
        state = module._rand.get_state(legacy=False)
        self._pending = bool(state.get("has_gauss"))
        if state["bit_generator"] != "MT19937":
            return None  # the notebook has put a generator of its own there, which travels as an object
        return state["state"]["key"].tobytes(), state["state"]["pos"], state["has_gauss"], state["gauss"]

    def write(self, value: Any) -> None:
        import numpy

        keys, *rest = value
        if numpy.random.get_bit_generator().state["bit_generator"] != "MT19937":
            numpy.random.set_bit_generator(numpy.random.MT19937())
        numpy.random.set_state(("MT19937", numpy.frombuffer(keys, "u4"), *rest))


class TorchRandom(Provider):
    """torch's generator for the CPU."""

    key = "@torch.random"
    rank = 4

    def read(self) -> Any:
        torch = sys.modules.get("torch")
        generator = getattr(torch, "default_generator", None)
        return None if generator is None else generator.get_state().numpy().tobytes()

    def write(self, value: Any) -> None:
        import torch

        torch.default_generator.set_state(torch.frombuffer(bytearray(value), dtype=torch.uint8))


class Arguments(Provider):
    """``sys.argv``, as far as the notebook changed it."""

    key = "@argv"

    def __init__(self) -> None:
        self._start = list(sys.argv)

    def read(self) -> Any:
        return None if sys.argv == self._start else [*map(str, sys.argv)]

    def write(self, value: Any) -> None:
        sys.argv[:] = value


class Switches(Provider):
    """Settings with a function to ask and a function to set. Those that are as at the start are not sent; those
    that the notebook set back are, once they have been sent."""

    # Last: a low limit must not hinder an apply.
    rank = 4
    table: tuple[tuple[str, Callable[[], Any], Callable[[Any], Any]], ...] = ()

    def __init__(self) -> None:
        self._start = {name: _ask(get) for name, get, _ in self.table}
        self._sent: set[str] = set()

    def read(self) -> Any:
        now = {name: _ask(get) for name, get, _ in self.table}
        self._sent |= {name for name, value in now.items() if value != self._start[name]}
        return {name: now[name] for name in now if name in self._sent} or None

    def write(self, value: Any) -> None:
        problems = []
        for name, get, put in self.table:
            wanted = value.get(name, self._start[name])
            try:
                if _ask(get) != wanted:
                    put(wanted)
            except Exception as error:  # noqa: BLE001 - one that this host refuses must not cost the others
                problems.append(f"{name}: {error}")
        self._sent |= set(value)
        if problems:
            raise ValueError("; ".join(problems))


class Future(Provider):
    """``from __future__ import …``, which holds for all later cells."""

    key = "@future"

    def __init__(self, shell: Any) -> None:
        self._compile = shell.compile
        self._start = self._compile.flags

    def read(self) -> Any:
        return None if self._compile.flags == self._start else self._compile.flags

    def write(self, value: Any) -> None:
        self._compile.flags = value


def _thread_stack() -> int:
    """Asking for it sets it to the default."""
    size = threading.stack_size()
    threading.stack_size(size)
    return size


class Interpreter(Switches):
    key = "@interpreter"
    table = (
        ("recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
        ("switch interval", sys.getswitchinterval, sys.setswitchinterval),
        ("digits of integers", lambda: sys.get_int_max_str_digits(), lambda it: sys.set_int_max_str_digits(it)),
        ("collector", collector.is_on, collector.switch),
        ("thresholds of the collector", gc.get_threshold, lambda it: gc.set_threshold(*it)),
        ("flags of the collector", gc.get_debug, gc.set_debug),
        ("bytecode", lambda: sys.dont_write_bytecode, lambda it: setattr(sys, "dont_write_bytecode", it)),
        ("coroutine origins", sys.get_coroutine_origin_tracking_depth, sys.set_coroutine_origin_tracking_depth),
        ("thread stack", lambda: _thread_stack(), threading.stack_size),
        ("faults", faulthandler.is_enabled, lambda on: faulthandler.enable() if on else faulthandler.disable()),
        ("socket timeout", socket.getdefaulttimeout, socket.setdefaulttimeout),
        ("memory traces", lambda: tracemalloc.get_traceback_limit() if tracemalloc.is_tracing() else 0,
         lambda frames: (tracemalloc.stop(), tracemalloc.start(frames) if frames else None)),
        ("processes", lambda: _loaded("multiprocessing").get_start_method(allow_none=True),
         lambda method: importlib.import_module("multiprocessing").set_start_method(method, force=True)),
        ("csv field", csv.field_size_limit, csv.field_size_limit),
        ("locale", lambda: locale.setlocale(locale.LC_ALL), lambda it: locale.setlocale(locale.LC_ALL, it)),
        ("first day of a week", lambda: _calendar().firstweekday, lambda it: setattr(_calendar(), "firstweekday", it)),
    )


class Limits(Switches):
    """What the system allows this process. Reading them costs system calls."""

    key = "@limits"
    calls = frozenset({"umask", "setrlimit", "prlimit", "nice", "setpriority"})
    table = (
        ("umask", lambda: _status("Umask:", 8), os.umask),
        *((name, lambda it=getattr(resource, name): resource.getrlimit(it)[0],
           lambda soft, it=getattr(resource, name): resource.setrlimit(it, (soft, resource.getrlimit(it)[1])))
          for name in ("RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_STACK", "RLIMIT_AS", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NPROC")),
    )


class TimeZone(Provider):
    """Set by ``time.tzset`` from the environment, which is applied before."""

    key = "@timezone"
    rank = 1

    def __init__(self) -> None:
        self._start = self._there()
        self._sent = False

    def _there(self) -> Any:
        return time.tzname, time.timezone, time.altzone

    def read(self) -> Any:
        now = self._there()
        self._sent |= now != self._start
        return now if self._sent else None

    def write(self, value: Any) -> None:
        self._sent = True
        if value != self._there():
            time.tzset()


class Dialects(Provider):
    """csv dialects that the notebook registered."""

    key = "@csv"
    calls = frozenset({"register_dialect", "unregister_dialect"})
    _FIELDS = ("delimiter", "doublequote", "escapechar", "lineterminator", "quotechar", "quoting", "skipinitialspace", "strict")

    def __init__(self) -> None:
        self._own = set(csv.list_dialects())
        self._sent = False

    def read(self) -> Any:
        made = {name: {f: getattr(csv.get_dialect(name), f) for f in self._FIELDS} for name in csv.list_dialects() if name not in self._own}
        self._sent |= bool(made)
        return made if self._sent else None

    def write(self, value: Any) -> None:
        self._sent = True
        for name in set(csv.list_dialects()) - self._own - value.keys():
            csv.unregister_dialect(name)
        for name, fields in value.items():
            csv.register_dialect(name, **fields)


_LARGEST_SOURCE = 256 << 10  # bytes


class Sources(Provider):
    """Lines kept for tracebacks and ``inspect``: of code made at run time, and of files of the notebook's own as they were
    when they were read."""

    key = "@sources"
    rank = 1

    def __init__(self) -> None:
        self._count = 0
        self._start = set(linecache.cache)

    def unchanged(self, scope: Scope) -> bool:
        same = len(linecache.cache) == self._count
        self._count = len(linecache.cache)
        return same

    def read(self) -> Any:
        made = {}
        for name, entry in list(linecache.cache.items()):
            if name in self._start or len(entry) != 4 or "ipykernel_" in name:
                continue
            if not os.path.exists(name) if entry[1] is None else entry[0] < _LARGEST_SOURCE and not below_installation(entry[3]):
                made[name] = entry
        return made or None

    def write(self, value: Any) -> None:
        linecache.cache.update(value)


class MimeTypes(Provider):
    """Types that the notebook added."""

    key = "@mimetypes"
    calls = frozenset({"mimetypes", "add_type"})

    def __init__(self) -> None:
        self._host: Any = None
        self._sent = False

    def _tables(self) -> Any:
        mimetypes = sys.modules.get("mimetypes")
        database = getattr(mimetypes, "_db", None)
        if mimetypes is None or database is None:
            return None
        if self._host is None:  # what the host's files say is the host's
            self._host = mimetypes.MimeTypes()
            for file in filter(os.path.isfile, mimetypes.knownfiles):
                self._host.read(file)
        return zip(database.types_map, self._host.types_map)

    def read(self) -> Any:
        pairs = self._tables()
        made = [] if pairs is None else [{ext: it for ext, it in now.items() if own.get(ext) != it} for now, own in pairs]
        self._sent |= any(made)
        return made if self._sent else None

    def write(self, value: Any) -> None:
        import mimetypes

        self._sent = True
        mimetypes.init()
        for strict, (now, own) in enumerate(self._tables() or ()):
            for extension in [ext for ext in now if ext not in own and ext not in value[strict]]:
                del now[extension]
            for extension, text in value[strict].items():
                mimetypes.add_type(text, extension, strict=bool(strict))


def _ask(get: Callable[[], Any]) -> Any:
    try:
        return get()
    except Exception:  # noqa: BLE001 - not on this system, not in this version
        return None


def _loaded(module: str) -> Any:
    return sys.modules[module]  # one that is not loaded has no settings yet


def _calendar() -> Any:
    import calendar

    return calendar.c


def _status(field: str, base: int) -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1], base) for line in status if line.startswith(field))


def providers(shell: Any) -> list[Provider]:
    return [
        Directory(shell), Environment(), SearchPath(), Arguments(), Future(shell), TimeZone(), Dialects(), MimeTypes(), Sources(),
        Random(), NumpyRandom(), TorchRandom(), Interpreter(), Limits(),
    ]
