"""What the notebook registers with IPython: callbacks of events, transformers, formatters, handlers of
exceptions, targets of comms, attributes of the shell.

Each is read as the difference to what the kernel had when it was ready to serve: what the kernel puts there
itself is there in every process.
"""

from __future__ import annotations

import sys
from typing import Any

from IPython.core.hooks import CommandChainDispatcher
from IPython.utils.strdispatch import StrDispatch

from nbos_kernel.history import History
from nbos_kernel.pins import Placeholder
from nbos_kernel.places import PLACE_PREFIX, Place, Scope

# Attributes that IPython itself sets on a shell while it works; so are all that begin with an underscore.
_TRANSIENT = frozenset(
    "builtin_trap_active data_pub user_ns_hidden kernel_pid meta CustomTB custom_exceptions dir_stack tempdirs tempfiles "
    "pylab_gui_select more showing_traceback indent_current_nsp Completer db last_execution_exception".split()
)


class Hook(Place):
    """A place with one member."""

    name = ""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._member = PLACE_PREFIX + "ipython." + self.name

    def members(self) -> dict[str, Any]:
        value = self.read()
        return {self._member: value} if value else {}

    def owns(self, member: str) -> bool:
        return member == self._member

    def install(self, member: str, value: Any) -> None:
        if type(value) is not Placeholder:
            self.write(value)

    def remove(self, member: str) -> None:
        self.write(())

    def read(self) -> tuple[Any, ...]:
        """What the notebook added; empty when nothing."""
        raise NotImplementedError

    def write(self, value: tuple[Any, ...]) -> None:
        raise NotImplementedError


class _Sequence:
    """A list whose first content is the kernel's. Read as a tuple in which an int stands for the kernel's n-th."""

    def __init__(self, items: list[Any]) -> None:
        self._start = list(items)

    def read(self, items: list[Any]) -> tuple[Any, ...] | None:
        """None while it is as it was."""
        start = self._start
        if len(items) == len(start) and all(map(_same, items, start)):
            return None
        own = {id(item): place for place, item in enumerate(start)}
        return tuple(own.get(id(item), (item,)) for item in list(items))

    def write(self, items: list[Any], value: tuple[Any, ...] | None) -> None:
        start = self._start
        items[:] = start if value is None else [it[0] if isinstance(it, tuple) else start[it] for it in value]


def _same(a: Any, b: Any) -> bool:
    return a is b


class Events(Hook):
    """``get_ipython().events``"""

    name = "events"

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._lists = {event: _Sequence(it) for event, it in shell.events.callbacks.items()}

    def read(self) -> tuple[Any, ...]:
        found = []
        for event, callbacks in self._shell.events.callbacks.items():
            value = self._of(event).read(callbacks)
            if value is not None:
                found.append((event, value))
        return tuple(found)

    def write(self, value: tuple[Any, ...]) -> None:
        wanted = dict(value)
        for event, callbacks in self._shell.events.callbacks.items():
            self._of(event).write(callbacks, wanted.get(event))

    def _of(self, event: str) -> _Sequence:
        return self._lists.setdefault(event, _Sequence([]))


class Transformers(Hook):
    """Functions that change the source of a cell, and visitors that change its syntax tree."""

    name = "transformers"

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._lists = {name: _Sequence(it) for name, it in self._all().items()}

    def _all(self) -> dict[str, list[Any]]:
        shell, manager = self._shell, self._shell.input_transformer_manager
        return {"cleanup": manager.cleanup_transforms, "line": manager.line_transforms, "token": manager.token_transformers,
                "post": shell.input_transformers_post, "ast": shell.ast_transformers}

    def read(self) -> tuple[Any, ...]:
        found = [(name, self._lists[name].read(it)) for name, it in self._all().items()]
        return tuple(it for it in found if it[1] is not None)

    def write(self, value: tuple[Any, ...]) -> None:
        wanted = dict(value)
        for name, items in self._all().items():
            self._lists[name].write(items, wanted.get(name))


class Formatters(Hook):
    """How objects are shown: ``get_ipython().display_formatter.formatters[…].for_type(…)``"""

    name = "formatters"

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        formatters = self._all()
        self._types = {name: dict(it.type_printers) for name, it in formatters.items()}
        self._deferred = {name: dict(it.deferred_printers) for name, it in formatters.items()}

    def _all(self) -> dict[str, Any]:
        formatter = self._shell.display_formatter
        return {"": formatter.ipython_display_formatter, "mime": formatter.mimebundle_formatter, **formatter.formatters}

    def read(self) -> tuple[Any, ...]:
        found = []
        for name, formatter in self._all().items():
            types_, deferred = formatter.type_printers, formatter.deferred_printers
            start, later = self._types.get(name, {}), self._deferred.get(name, {})
            if types_ == start and deferred == later:
                continue
            known = {id(printer) for printer in later.values()}  # a deferred one moves when its module is there
            new = tuple((cls, it) for cls, it in list(types_.items()) if start.get(cls) is not it and id(it) not in known)
            gone = tuple(cls for cls in start if cls not in types_)
            new_later = tuple((key, it) for key, it in list(deferred.items()) if later.get(key) is not it)
            if new or gone or new_later:
                found.append((name, new, gone, new_later))
        return tuple(found)

    def write(self, value: tuple[Any, ...]) -> None:
        wanted = {name: rest for name, *rest in value}
        for name, formatter in self._all().items():
            new, gone, later = wanted.get(name, ((), (), ()))
            known = {id(printer) for printer in self._deferred.get(name, {}).values()}
            for cls, printer in list(formatter.type_printers.items()):
                if self._types.get(name, {}).get(cls) is not printer and id(printer) not in known:
                    del formatter.type_printers[cls]
            formatter.type_printers.update(self._types.get(name, {}))
            for cls in gone:
                formatter.type_printers.pop(cls, None)
            formatter.type_printers.update(new)
            for key in [key for key in formatter.deferred_printers if key not in self._deferred.get(name, {})]:
                del formatter.deferred_printers[key]
            formatter.deferred_printers.update(later)


class Dispatchers(Hook):
    """``set_hook`` with a key: completers of one command."""

    name = "dispatchers"

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._start = {at: _Sequence(chain) for at, chain in self._all().items()}

    def _all(self) -> dict[tuple[str, str, Any], list[Any]]:
        return {(name, kind, key): chain.chain for name, it in self._shell.strdispatchers.items()
                for kind in ("strs", "regexs") for key, chain in getattr(it, kind).items()}

    def _of(self, at: tuple[str, str, Any]) -> _Sequence:
        return self._start.get(at) or _Sequence([])

    def read(self) -> tuple[Any, ...]:
        found = ((at, self._of(at).read(chain)) for at, chain in self._all().items())
        return tuple(it for it in found if it[1] is not None)

    def write(self, value: tuple[Any, ...]) -> None:
        wanted = dict(value)
        for at in [*self._all(), *(at for at in wanted if at not in self._all())]:
            name, kind, key = at
            table = getattr(self._shell.strdispatchers.setdefault(name, StrDispatch()), kind)
            self._of(at).write(table.setdefault(key, CommandChainDispatcher()).chain, wanted.get(at))
            if not table[key].chain and at not in self._start:
                del table[key]


class Handlers(Hook):
    """``set_custom_exc``: which exceptions are shown by a function of the notebook."""

    name = "custom_exc"

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._start = shell.CustomTB

    def read(self) -> tuple[Any, ...]:
        shell = self._shell
        if not shell.custom_exceptions or shell.CustomTB is self._start:
            return ()
        # IPython wraps the function; the wrapper's closure has it.
        wrapped = getattr(shell.CustomTB, "__func__", None)
        cells = dict(zip(wrapped.__code__.co_freevars, wrapped.__closure__ or ())) if wrapped is not None else {}
        handler = cells["handler"].cell_contents if "handler" in cells else None
        return tuple(shell.custom_exceptions), handler

    def write(self, value: tuple[Any, ...]) -> None:
        if value:
            self._shell.set_custom_exc(*value)
        else:
            self._shell.CustomTB, self._shell.custom_exceptions = self._start, ()


class Attributes(Hook):
    """What the notebook set on the shell object itself."""

    name = "attributes"

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._start = dict(vars(shell))
        self._size = len(self._start)

    def read(self) -> tuple[Any, ...]:
        start = self._start
        return tuple(
            (name, value) for name, value in list(vars(self._shell).items())
            if name[:1] != "_" and start.get(name, self) is not value and name not in _TRANSIENT
        )

    def write(self, value: tuple[Any, ...]) -> None:
        attributes, wanted = vars(self._shell), dict(value)
        for name in [name for name in attributes if name[:1] != "_" and name not in _TRANSIENT and name not in wanted]:
            if name not in self._start:
                del attributes[name]
            elif attributes[name] is not self._start[name]:
                attributes[name] = self._start[name]
        attributes.update(wanted)


class Comms(Hook):
    """Targets that front ends may open, and the comms that are open."""

    name = "comms"

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._manager = getattr(getattr(shell, "kernel", None), "comm_manager", None)
        self._targets = dict(self._manager.targets) if self._manager is not None else {}

    def read(self) -> tuple[Any, ...]:
        manager = self._manager
        if manager is None or (manager.targets == self._targets and not manager.comms):
            return ()
        targets = tuple(it for it in manager.targets.items() if self._targets.get(it[0]) is not it[1])
        comms = tuple(manager.comms.items())
        return (targets, comms) if targets or comms else ()

    def write(self, value: tuple[Any, ...]) -> None:
        manager = self._manager
        if manager is not None:
            targets, comms = value or ((), ())
            manager.targets.clear()
            manager.targets.update(self._targets)
            manager.targets.update(targets)
            manager.comms.clear()
            manager.comms.update(comms)


class LastError(Hook):
    """``sys.last_value``: the error of the last cell that failed."""

    name = "last_error"

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._seen: Any = None

    def hot(self, member: str, scope: Scope) -> bool:
        return getattr(sys, "last_value", None) is not self._seen or scope.reaches(("last_value", "last_exc", "debug", "tb"))

    def read(self) -> tuple[Any, ...]:
        self._seen = getattr(sys, "last_value", None)
        return (self._seen,) if isinstance(self._seen, BaseException) else ()

    def write(self, value: tuple[Any, ...]) -> None:
        for name in ("last_type", "last_value", "last_traceback"):
            vars(sys).pop(name, None)
        if value and isinstance(value[0], BaseException):
            sys.last_type, sys.last_value, sys.last_traceback = type(value[0]), value[0], value[0].__traceback__
        self._seen = getattr(sys, "last_value", None)


class Outputs(Hook):
    """Outputs that ``Out`` or ``_`` hold and no variable ``_N`` does."""

    name = "outputs"

    def __init__(self, shell: Any, history: History) -> None:
        super().__init__(shell)
        self._history = history

    def read(self) -> tuple[Any, ...]:
        return self._history.loose()

    def write(self, value: tuple[Any, ...]) -> None:
        self._history.install_loose(value)


def hooks(shell: Any, history: History) -> list[Place]:
    """Made when the kernel is ready: what is registered then is the kernel's own."""
    kinds = (Events, Transformers, Formatters, Dispatchers, Handlers, Attributes, Comms, LastError)
    return [Outputs(shell, history), *(kind(shell) for kind in kinds)]

