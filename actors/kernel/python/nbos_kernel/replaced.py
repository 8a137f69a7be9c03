"""What happens to the objects that an apply replaces or deletes.

Where the notebook runs they live on, or their finalizers have run there already. Here they only make room: no
``__del__`` and no callback of theirs may run. And a pinned object that worked with them has lost its company.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from nbos_kernel.groups import Group
from nbos_kernel.kinds import is_notebook_class
from nbos_kernel.pins import BOOK
from nbos_kernel.session import Session
from nbos_kernel.suspended import leave_options, leave_unawaited
from nbos_kernel.walk import Facts, Walker


@contextmanager
def quietly(session: Session, names: Iterable[str], finalizers: Iterable[Any] | None = None) -> Iterator[None]:
    """Variables are replaced or deleted inside; what they held goes without a sound. `finalizers`: those that there were
    before what replaces them was made; all that there are, if it was not made yet."""
    names = list(names)
    known = _facts_of(session, names)
    classes = [base for facts in known for cls in facts.classes.values() for base in cls.__mro__
               if "__del__" in vars(base) and is_notebook_class(base)]
    saved = [(cls, vars(cls)["__del__"]) for cls in dict.fromkeys(classes)]
    finalizers = list(known_finalizers() if finalizers is None else finalizers)
    tokens = {token for facts in known for token in facts.tokens}
    leave_options(tokens)
    leave_unawaited(tokens)
    if finalizers:
        for finalizer in finalizers:
            alive = finalizer.peek()
            if alive is not None and id(alive[0]) in tokens:
                finalizer.detach()
    for cls, _ in saved:
        type.__setattr__(cls, "__del__", lambda self: None)
    # References go first: their callbacks must not hear of the end of what they refer to.
    last = [value for value in map(session.namespace.get, names) if type(value) is not weakref.ref]
    try:
        yield
        last.clear()
        if saved:
            gc.collect()
    finally:
        for cls, method in saved:
            type.__setattr__(cls, "__del__", method)


def known_finalizers() -> list[Any]:
    return list(weakref.finalize._registry)  # type: ignore[attr-defined]


def let_go(session: Session, names: Iterable[str]) -> None:
    """These variables were changed elsewhere: an object pinned here that shares something with them would go on
    with what they were."""
    for group in _groups_of(session, names):
        for pin in group.pins:
            obj = BOOK.owned(pin.id)
            if obj is not None and _shares(session, group, obj):
                BOOK.let_go(pin.id)


def _facts_of(session: Session, names: list[str]) -> list[Facts]:
    """What hangs from the variables. One whose group fell apart earlier in the same frame is looked at again."""
    known = [group.facts for group in _groups_of(session, names)]
    walker = _walker(session)
    alone = [name for name in names if name in session.namespace and name not in session.groups.by_member]
    return known + [walker.variable(name, session.namespace[name]) for name in alone]


def _shares(session: Session, group: Group, obj: Any) -> bool:
    below = set(_walker(session).variable("", obj).tokens) - {id(obj)}
    if not below:
        return False
    walker = _walker(session)
    walker.pass_over(obj)
    for name in group.names:
        if name in session.namespace and not below.isdisjoint(walker.variable(name, session.namespace[name]).tokens):
            return True
    return False


def _walker(session: Session) -> Walker:
    return Walker(session.namespace, session.codec.by_name, session.codec.singletons, {})


def _groups_of(session: Session, names: Iterable[str]) -> list[Group]:
    found = {}
    for name in names:
        group = session.groups.by_member.get(name)
        if group is not None:
            found[group.key] = group
    return list(found.values())
