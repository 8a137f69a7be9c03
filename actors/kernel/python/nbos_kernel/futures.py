"""asyncio's futures and tasks: one that is done is its result; one that runs stays with its loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from nbos_kernel.registry import reduces_all, stays_all, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler


@reduces_all(asyncio.Future)
def reduce(pickler: StatePickler, future: Any) -> Any:
    if not future.done():
        return pickler.pin(future, "it works only on the loop that runs it")
    name = future.get_name() if isinstance(future, asyncio.Task) else None
    return done, (type(future), name), _outcome(future), None, None, settle


@stays_all(asyncio.Future)
def stays(future: Any) -> bool:
    return not future.done()


@walks(asyncio.Future)
def children(future: Any) -> list[Any]:
    return list(_outcome(future)) if future.done() else []


def _outcome(future: Any) -> tuple[str, Any]:
    if future.cancelled():
        return "cancelled", None
    error = future._exception
    return ("error", error) if error is not None else ("result", future._result)


# What payloads call.


def done(cls: Any, name: str | None) -> Any:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = asyncio.get_event_loop_policy().get_event_loop()
    made = cls.__new__(cls)
    asyncio.Future.__init__(made, loop=loop)
    if name is not None:
        made.set_name(name)
    return made


def settle(future: Any, outcome: tuple[str, Any]) -> None:
    kind, value = outcome
    if kind == "cancelled":
        asyncio.Future.cancel(future)
    elif kind == "error":
        asyncio.Future.set_exception(future, value)
        future._log_traceback = False  # nobody need be told that nobody asked
    else:
        asyncio.Future.set_result(future, value)
