"""Objects that exist once in every process and therefore travel by name, not by value.

``env = os.environ`` must be the standby's own environment, ``from random import randint`` must draw
from its own generator. The rule: an object that a module holds as an attribute, when the object's
class is defined in that same module (``random._inst``, ``numpy.ma.masked``, ``os.environ``), plus a
few that fall outside it.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from cloudpickle import cloudpickle

from nbos_kernel.originals import ORIGINALS

# Singletons whose class lives in another module than they do.
_ELSEWHERE = (
    ("sys", "modules"), ("sys", "path"), ("sys", "stdout"), ("sys", "stderr"), ("sys", "stdin"),
    ("sys", "argv"), ("sys", "meta_path"), ("sys", "path_hooks"), ("sys", "path_importer_cache"),
    ("warnings", "filters"), ("linecache", "cache"), ("builtins", "__dict__"), ("matplotlib", "rcParams"),
    ("matplotlib", "rcParamsDefault"), ("logging", "root"),
)
# What a module holds for a while: another process holds none, or another one.
_NOT_ONE = frozenset({("fileinput", "_state")})


class Singletons:
    """A look-up by identity, made anew for each capture: modules come and go."""

    def __init__(self) -> None:
        self._by_module: dict[str, dict[int, str]] = {}
        self._named: dict[int, tuple[str, str]] = {}
        for module, attribute in _ELSEWHERE:
            value = getattr(sys.modules.get(module), attribute, None)
            if ORIGINALS.known(module, attribute):
                value = ORIGINALS.get(module, attribute)
            if value is not None:
                self._named[id(value)] = (module, attribute)

    def find(self, obj: Any) -> tuple[str, ...] | None:
        """Module and attribute that hold exactly this object, and the name of its class where that tells it from
        another one that a module may hold there; or None."""
        named = self._named.get(id(obj))
        if named is not None:
            return named
        home = getattr(type(obj), "__module__", None)
        if not isinstance(home, str) or home in ("__main__", "builtins") or home in cloudpickle._PICKLE_BY_VALUE_MODULES:
            return None
        attributes = self._by_module.get(home)
        if attributes is None:
            attributes = self._by_module[home] = _instances(home)
        name = attributes.get(id(obj))
        # What the notebook itself put there is no library's.
        return (home, name, type(obj).__qualname__) if name is not None and not ORIGINALS.known(home, name) else None


def _instances(module_name: str) -> dict[int, str]:
    module = sys.modules.get(module_name)
    if not isinstance(module, ModuleType):
        return {}
    return {
        id(value): name
        for name, value in list(vars(module).items())
        if getattr(type(value), "__module__", None) == module_name and (module_name, name) not in _NOT_ONE
    }
