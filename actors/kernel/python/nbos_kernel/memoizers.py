"""joblib's memories and the functions in them: their pickle protocol forgets the moment their messages count from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbos_kernel.registry import reduces_all

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler


@reduces_all("joblib.memory.Memory", "joblib.memory.MemorizedFunc", "joblib.memory.MemorizedResult")
def reduce(pickler: StatePickler, it: Any) -> Any:
    reduced = pickler.ordinary(it)
    if not isinstance(reduced, tuple) or len(reduced) < 3 or not isinstance(reduced[2], dict) or "timestamp" not in reduced[2]:
        return reduced
    return *reduced[:2], {**reduced[2], "timestamp": it.timestamp}, *reduced[3:]
