"""Dictionaries, lists and sets of installed modules to which the notebook added, or in which it changed, something.

``xml.etree.ElementTree.register_namespace`` or ``plt.style.library["mine"] = …`` leave the module's attribute what it
is and change what is in it. Compared are the tables that the standard library is known to register things in, when
a cell registers something, and those that a cell names. Only the difference to the table as it was loaded travels:
the rest belongs to the process.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from nbos_kernel.originals import ORIGINALS, owner_of
from nbos_kernel.patches import LISTENERS, Key, Patches, key_of_attribute
from nbos_kernel.pins import Placeholder
from nbos_kernel.places import PLACE_PREFIX, Place, Scope

PREFIX = PLACE_PREFIX + "table:"
_KNOWN: dict[str, tuple[str, ...]] = {
    "sqlite3": ("adapters", "converters"),
    "shutil": ("_ARCHIVE_FORMATS", "_UNPACK_FORMATS"),
    "xml.etree.ElementTree": ("_namespace_map",),
    "encodings.aliases": ("aliases",),
    "doctest": ("OPTIONFLAGS_BY_NAME",),
    "webbrowser": ("_browsers",),
    "email.charset": ("CHARSETS", "ALIASES", "CODEC_MAP"),
    "urllib.parse": ("uses_netloc", "uses_relative", "uses_query"),
    "matplotlib.style": ("library",),
    "matplotlib.style.core": ("library",),
    "pandas.tseries.holiday": ("holiday_calendars",),
    "torch.distributions.kl": ("_KL_REGISTRY",),
    "torch._weights_only_unpickler": ("_marked_safe_globals_set",),
    "torch.utils.data._utils.collate": ("default_collate_fn_map",),
    "joblib.parallel": ("BACKENDS",),
    "joblib.numpy_pickle_utils": ("_COMPRESSORS",),
}
_REGISTERS = ("register", "unregister", "add_", "enable", "AbstractHolidayCalendar")
# Their tables describe the process, or other places take care of them.
_APART = frozenset("sys builtins gc linecache logging warnings os copyreg atexit signal threading typing mimetypes codecs __main__".split())
_LARGEST = 5000  # entries; a larger table is no register


class Tables(Place):
    def __init__(self, patches: Patches) -> None:
        self._patches = patches
        self._own: dict[Key, Any] = {}
        self._tables: dict[Key, Any] = {}
        self._now: dict[str, Any] = {}

    def ready(self) -> None:
        LISTENERS.append(self._loaded)
        for name in _KNOWN:
            self._loaded(sys.modules.get(name))

    def _loaded(self, module: Any) -> None:
        if isinstance(module, types.ModuleType):
            for name in _KNOWN.get(module.__name__, ()):
                self._note((module.__name__, name), vars(module).get(name))

    def _note(self, key: Key, table: Any) -> None:
        if key not in self._own and type(table) in (dict, list, set) and len(table) < _LARGEST:
            self._own[key] = table.copy()
            self._tables[key] = table

    def before(self, scope: Scope) -> None:
        for owner in self._patches.owners(scope):
            if not isinstance(owner, types.ModuleType) or owner.__name__ not in _APART:
                names = vars(owner)
                for name in scope.names:
                    if type(names.get(name)) in (dict, list, set) and not name.startswith("__"):
                        key = key_of_attribute(owner, name)
                        if key is not None and not ORIGINALS.known(*key):  # one that the notebook put there travels whole
                            self._note(key, names[name])

    def look(self, scope: Scope) -> None:
        registers = scope.everything or any(name.startswith(_REGISTERS) for name in scope.names)
        for key, table in self._tables.items():
            if ORIGINALS.known(*key):
                self._now.pop(self._member(key), None)
            elif registers or key[1].rpartition(".")[2] in scope.names or self._member(key) in self._now:
                difference = _difference(self._own[key], table)
                if difference is None:
                    self._now.pop(self._member(key), None)
                else:
                    self._now[self._member(key)] = difference

    @staticmethod
    def _member(key: Key) -> str:
        return f"{PREFIX}{key[0]}:{key[1]}"

    def members(self) -> dict[str, Any]:
        return dict(self._now)

    def owns(self, member: str) -> bool:
        return member.startswith(PREFIX)

    def install(self, member: str, value: Any) -> None:
        if type(value) is Placeholder:
            return
        module, _, path = member[len(PREFIX):].partition(":")
        owner, name = owner_of(module, path)
        key = (module, path)
        self._note(key, vars(owner).get(name))
        if key in self._tables:
            _change(self._tables[key], self._own[key], value)
            self._now[member] = value

    def remove(self, member: str) -> None:
        module, _, path = member[len(PREFIX):].partition(":")
        self._now.pop(member, None)
        if (module, path) in self._tables:
            _change(self._tables[module, path], self._own[module, path], ((), ()))


def _difference(own: Any, now: Any) -> tuple[Any, ...] | None:
    """What is new, and what is gone; None when it is the same. A list travels as a whole."""
    if type(now) is dict:
        new = tuple((key, value) for key, value in now.items() if key not in own or own[key] is not value)
        gone = tuple(key for key in own if key not in now)
    elif type(now) is set:
        new, gone = tuple(now - own), tuple(own - now)
    else:
        same = len(now) == len(own) and all(a is b for a, b in zip(now, own))
        new, gone = () if same else (tuple(now),), ()
    return (new, gone) if new or gone else None


def _change(table: Any, own: Any, difference: tuple[Any, ...]) -> None:
    """Make a table what it was when it was loaded, and then what the difference says."""
    new, gone = difference
    if type(table) is list:
        table[:] = [it for it in (new[0] if new else own) if type(it) is not Placeholder]
        return
    for key in [key for key in table if key not in own]:
        table.discard(key) if type(table) is set else table.pop(key)
    table.update(own)
    for key in gone:
        table.discard(key) if type(table) is set else table.pop(key, None)
    table.update(it for it in new if type(it) is not Placeholder and not (type(table) is dict and type(it[1]) is Placeholder))
