"""Objects whose state pickles, or would: what makes them work does not travel with it."""

from __future__ import annotations

import asyncio
import mmap
import multiprocessing.process
import selectors
import types
from typing import TYPE_CHECKING, Any

from nbos_kernel.kinds import STAY
from nbos_kernel.registry import reduces, reduces_all, stays_all, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler


@reduces_all(
    *STAY, asyncio.Handle, multiprocessing.process.BaseProcess, selectors.BaseSelector, mmap.mmap, types.FrameType,
)
def reduce(pickler: StatePickler, obj: Any) -> Any:
    known = pickler.singleton(obj)
    return known if known is not None else pickler.pin(obj, "it works only in the process that made it")


@stays_all(*STAY, mmap.mmap)
def always(_obj: Any) -> bool:
    return True


@reduces("IPython.core.display_trap.DisplayTrap", "IPython.core.history.HistoryManager")
def reduce_part(pickler: StatePickler, part: Any) -> Any:
    return pickler.pin(part, "it is a part of the shell")


@walks(types.TracebackType, types.FrameType)
def nothing(_frame: Any) -> tuple[Any, ...]:
    """A frame holds the whole namespace; nothing of it is pickled."""
    return ()
