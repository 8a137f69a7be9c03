"""IPython's switches: ``%xmode``, ``%precision``, ``%config``, ``%pushd``…, and the small database of ``%store``."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import Any

from IPython.utils.ipstruct import Struct
from traitlets import HasTraits

from nbos_kernel.ambient import Provider
from nbos_kernel.places import Scope

# Traits that describe the process, or that other parts of the state take care of.
_NOT_OURS = frozenset(
    "execution_count user_ns last_execution_result last_execution_succeeded ipython_dir profile_dir profile logfile "
    "logappend hist_file session_number db_input_cache save_thread starting_dir exit_now kernel history_length "
    "input_hist_parsed input_hist_raw output_hist output_hist_reprs dir_hist comms targets loaded "
    "banner1 banner2 enable_tip filename _ih connection_options rc _i _ii _iii _i00 db_cache_size".split()
)
# Names through which a cell reaches IPython, and calls of libraries that change its settings.
_REACH = frozenset("get_ipython IPython set_matplotlib_formats set_matplotlib_close set_option reset_option run_line_magic run_cell_magic "
                   "config Config matplotlib_inline InteractiveShell ipykernel".split())
_PLAIN = frozenset({int, float, bool, str, type(None)})

Key = tuple[str, str]


def _plain(value: Any) -> bool:
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind in (list, tuple, set, frozenset):
        return all(map(_plain, value))
    return kind is dict and all(map(_plain, value)) and all(map(_plain, value.values()))


def _copy(value: Any) -> Any:
    """What a change in place would not change; other values are compared by identity first."""
    return type(value)(value) if type(value) in (list, set, dict) and len(value) < 64 else value


class Switches(Provider):
    """Traits of IPython's parts, and a few settings that are no trait, as changes to what the kernel started with."""

    key = "@ipython.switches"
    rank = 4

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._parts: dict[str, Any] = {}
        # Names of traits, by which code that holds a part in a container sets one; short words mean anything.
        self._traits: set[str] = set()
        self._start: dict[Key, Any] = {}
        self._extra = _extra(shell)
        self._start_extra = {name: read() for name, (read, _) in self._extra.items()}
        self._seen_extra: list[Any] | None = None
        self._changed = False
        self._known = -1
        # By part: its traits when they were last looked through, and what of them was changed.
        self._seen: dict[str, tuple[dict[str, Any], dict[Key, Any]]] = {}
        self._find_parts()

    def _find_parts(self) -> None:
        """The objects whose traits are settings. More come with the libraries (matplotlib's inline backend)."""
        shell, formatter = self._shell, self._shell.display_formatter
        if self._known == len(shell.configurables) + len(shell.magics_manager.registry):
            return
        at_start = self._known < 0
        self._known = len(shell.configurables) + len(shell.magics_manager.registry)
        parts = [*shell.configurables, *formatter.formatters.values(), formatter.ipython_display_formatter,
                 formatter.mimebundle_formatter, *shell.magics_manager.registry.values()]
        for part in parts:
            name = type(part).__name__
            if name in self._parts or type(part).__module__ == "__main__" or not hasattr(part, "_trait_values"):
                continue
            self._parts[name] = part
            self._traits |= {it for it in part.trait_names() if "_" in it}
            for trait, value in part._trait_values.items() if at_start else ():
                if trait not in _NOT_OURS and _plain(value):
                    self._start[name, trait] = _copy(value)

    def _part(self, name: str) -> Any:
        if name not in self._parts:
            try:
                self._shell.magics_manager.registry[name]  # loads a part of IPython that waits for its first use
            except KeyError:
                return None
            self._find_parts()
        return self._parts.get(name)

    def unchanged(self, scope: Scope) -> bool:
        """Traits of the shell's parts change through the shell, through an object that has some, or when a library comes."""
        if self._known != len(self._shell.configurables) + len(self._shell.magics_manager.registry):
            return False
        extra = [get() for get, _ in self._extra.values()]
        same, self._seen_extra = extra == self._seen_extra, extra
        variables = self._shell.user_ns
        reached = scope.reaches(_REACH) or not self._traits.isdisjoint(scope.names)
        return same and not reached and not any(_has_traits(variables.get(name)) for name in scope.names)

    def read(self) -> Any:
        self._find_parts()
        changes: dict[Key, Any] = {}
        for name, part in self._parts.items():
            values = part._trait_values
            seen = self._seen.get(name)
            if seen is None or seen[0] != values:
                seen = self._seen[name] = ({trait: _copy(value) for trait, value in values.items()}, self._changes(name, part))
            changes.update(seen[1])
        for extra, (get, _) in self._extra.items():
            value = get()
            if value != self._start_extra[extra]:
                changes["", extra] = value
        if not changes and not self._changed:
            return None
        self._changed = True
        return changes

    def _changes(self, name: str, part: Any) -> dict[Key, Any]:
        start, changes = self._start, {}
        for trait, value in list(part._trait_values.items()):
            key = (name, trait)
            if key in start:
                if value is not start[key] and _plain(value) and value != start[key]:
                    changes[key] = _copy(value)
            elif trait not in _NOT_OURS and _plain(value):
                # Of a part, or a trait, that is made at its first use: a default is not a change.
                default = _default(part, trait)
                start[key] = _copy(default)
                if value != default:
                    changes[key] = _copy(value)
        return changes

    def write(self, value: Any) -> None:
        self._find_parts()
        self._changed = True
        before = self.read() or {}
        for (name, trait), setting in {**{k: None for k in before if k not in value}, **value}.items():
            reset = (name, trait) not in value
            if name == "":
                if trait in self._extra:
                    self._extra[trait][1](self._start_extra[trait] if reset else setting)
                continue
            part = self._part(name)
            wanted = self._start.get((name, trait)) if reset else setting
            if part is not None and getattr(part, trait, None) != wanted:
                setattr(part, trait, _copy(wanted))


def _default(part: Any, trait: str) -> Any:
    try:
        return part.trait_defaults(trait)
    except Exception:  # noqa: BLE001 - a default that needs something this process lacks
        return None


Accessor = tuple[Callable[[], Any], Callable[[Any], None]]


def _extra(shell: Any) -> dict[str, Accessor]:
    def set_mode(mode: str) -> None:
        shell.InteractiveTB.set_mode(mode=mode)

    def set_pdb(on: bool) -> None:
        shell.call_pdb = on

    def set_stack(stack: list[str]) -> None:
        shell.dir_stack[:] = stack

    def set_doctest(saved: dict[str, Any] | None) -> None:
        shell.meta.pop("doctest_mode", None)
        if saved is not None:
            shell.meta["doctest_mode"] = Struct(saved)

    def set_cache(cache: tuple[int, int]) -> None:
        shell.displayhook.cache_size, shell.displayhook.do_full_cache = cache

    def set_succeeded(succeeded: bool) -> None:
        shell.last_execution_succeeded = succeeded

    def log() -> tuple[Any, ...] | None:
        it = shell.logger
        if it.logfile is None:
            return None
        if it.logfile.mode != "a":  # its position is this process's own: what others write would be overwritten
            it.logfile.close()
            it.logfile = open(it.logfile.name, "a", encoding="utf-8")  # noqa: SIM115
        return os.path.abspath(it.logfname), it.logfname, it.logmode, it.log_output, it.log_raw_input, it.timestamp, it.log_active

    def set_log(state: tuple[Any, ...] | None) -> None:
        it = shell.logger
        if it.logfile is not None:
            it.logstop()
        if state is not None:
            path, it.logfname, it.logmode, it.log_output, it.log_raw_input, it.timestamp, it.log_active = state
            it.logfile = open(path, "a", encoding="utf-8")  # noqa: SIM115

    return {
        "logstart": (log, set_log),
        "xmode": (lambda: shell.InteractiveTB.mode, set_mode),
        "pdb": (lambda: bool(shell.call_pdb), set_pdb),
        "dir_stack": (lambda: list(shell.dir_stack), set_stack),
        "doctest_mode": (lambda: dict(shell.meta["doctest_mode"]) if "doctest_mode" in shell.meta else None, set_doctest),
        "cache": (lambda: (shell.displayhook.cache_size, shell.displayhook.do_full_cache), set_cache),
        "succeeded": (lambda: shell.last_execution_succeeded, set_succeeded),
    }


class Hidden(Provider):
    """Names that ``%who`` does not list although they are the notebook's: ``push(…, interactive=False)``."""

    key = "@ipython.hidden"
    rank = 4

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._examined = set(shell.user_ns_hidden)
        self._candidates: set[str] = set()
        self._names: list[str] = []
        self._used = False

    def read(self) -> Any:
        hidden, variables = self._shell.user_ns_hidden, self._shell.user_ns
        new = hidden.keys() - self._examined
        self._examined |= new
        self._candidates.update(name for name in new if name[:1] != "_" or not _numbered(name))
        if not self._candidates:
            return None
        self._names = sorted(n for n in self._candidates if n in hidden and n in variables and hidden[n] is variables[n])
        self._used = self._used or bool(self._names)
        return list(self._names) if self._used else None

    def settle(self) -> None:
        """After an apply: the mark is the variable's value, which may have come anew."""
        for name in self._names:
            if name in self._shell.user_ns:
                self._shell.user_ns_hidden[name] = self._shell.user_ns[name]

    def write(self, value: Any) -> None:
        hidden = self._shell.user_ns_hidden
        for name in self._names:
            if name not in value:
                hidden.pop(name, None)
        self._names, self._used = list(value), True
        self._candidates.update(value)
        self.settle()


def _has_traits(value: Any) -> bool:
    try:
        return isinstance(value, HasTraits)
    except Exception:  # noqa: BLE001 - it says itself of which class it is: the proxy of an object that is gone
        return False


def _numbered(name: str) -> bool:
    """IPython's own: ``_``, ``_i``, ``_3``, ``_i3``."""
    rest = name.strip("_").removeprefix("i")
    return rest.strip("i") == "" or rest.isdigit() or name in ("_ih", "_oh", "_dh")


class Database(Provider):
    """``get_ipython().db``: files of this host's home directory, where ``%store`` and ``%bookmark`` keep things."""

    key = "@ipython.db"
    rank = 4

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._seen: Any = None
        self._values: dict[str, bytes | None] = {}

    def _open(self) -> Any:
        """The database if it was used: opening it costs imports and files."""
        return vars(self._shell).get("_db") or vars(self._shell).get("db")

    def read(self) -> Any:
        db = self._open()
        if db is None or not hasattr(db, "cache"):
            return dict(self._values) or None
        # What was written or read here is in its cache, under the file's path, with its time.
        seen = {str(path.relative_to(db.root)) if hasattr(path, "relative_to") else str(path): (id(entry[0]), entry[1])
                for path, entry in db.cache.items()}
        if seen != self._seen:
            for key in (self._seen or {}).keys() | seen.keys() | self._values.keys():
                self._values[key] = self._bytes(db, key)
            self._seen = seen
        return dict(self._values) or None

    def _bytes(self, db: Any, key: str) -> bytes | None:
        try:
            data = (db.root / key).read_bytes()
        except OSError:
            return None
        # Large things belong in variables or in files of the working directory.
        return data if len(data) <= 1 << 20 else None

    def write(self, value: Any) -> None:
        db = self._shell.db
        for key, data in value.items():
            if data is None:
                db.pop(key, None)
            elif self._bytes(db, key) != data:
                db[key] = pickle.loads(data)
        self._values = dict(value)


def settings(shell: Any) -> list[Provider]:
    return [Switches(shell), Database(shell)]
