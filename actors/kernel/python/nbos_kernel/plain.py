"""Which cells cannot have done anything beside changing plain variables?

Most state beside the variables is reached by calling something: a function, a method of an object, a module. A
cell whose names, and those of the functions it can call, lead to nothing but numbers, texts and flat containers of
these, or to nothing at all (attributes and built-in functions), calls nothing that could set the working directory,
a library's option or a random generator. After such a cell the state beside the variables is as it was.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from types import FunctionType
from typing import Any

from nbos_kernel.history import OUTPUT_NAME
from nbos_kernel.kinds import ATOMS
from nbos_kernel.session import Session

# Built-in functions that run code or reach objects of the process, and attributes that lead there from any object.
_FAR = frozenset("breakpoint help input open memoryview f_builtins gi_frame cr_frame ag_frame tb_frame".split())


class Plain:
    """For one cell: asked before each part of it runs, and after it ran."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.so_far = False

    def begin(self) -> None:
        """A new cell. After an apply, or with anything of the notebook that runs unasked, none is plain."""
        self.so_far = self._session.places.quiet and bool(self._session.shell.last_execution_succeeded)

    def planned(self, names: Collection[str]) -> None:
        """Code with these names is about to run."""
        self.so_far = self.so_far and self._session.places.quiet and all(map(self._leads_nowhere, names))

    def _leads_nowhere(self, name: str) -> bool:
        space = self._session.namespace
        if name not in space:
            return name not in sys.modules and name not in _FAR and name[:2] != "__"
        value: Any = space[name]
        if name[:1] == "_":
            return False
        if type(value) in ATOMS:
            return True
        if type(value) is FunctionType:  # what it reads is among the names
            return value.__globals__ is space and value.__closure__ is None and not value.__dict__ and _plain_defaults(value)
        group = self._session.groups.by_member.get(name)
        return group is not None and group.flat is not None and group.facts.tokens[0] == id(value)

    def ended(self, names: set[str], rebound: set[str], gone: list[str]) -> bool:
        """The cell ran. A module that it loaded has one of its names; variables that it did not name say that there was more."""
        return (
            self.so_far and not gone and bool(self._session.shell.last_execution_succeeded)
            and not any(name in sys.modules for name in names) and all(name in names or OUTPUT_NAME.match(name) for name in rebound)
        )


def _plain_defaults(function: FunctionType) -> bool:
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    return ATOMS.issuperset(map(type, defaults))
