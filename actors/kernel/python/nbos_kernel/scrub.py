"""A full pass over the session while the kernel is idle.

What a cell changed behind the back of static analysis (through a reference that a library holds, on a thread, in
C code) is found here and committed as a second delta; in a session in which a full pass takes more than
`capture.FULL_PASS`, cells leave it to this one. The pass is cut into parts of a few milliseconds; it gives way
to a request at once, in the middle of a part if need be, and goes on where it was when the kernel is idle again.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

from nbos_kernel.capture import Capture
from nbos_kernel.chunks import Interrupted
from nbos_kernel.delta import Delta

# Seconds without a request until the kernel counts as idle: a client that sends cell after cell is not slowed down.
IDLE = 0.05
# Seconds of work between two looks at the event loop.
PART = 0.005
# While threads or tasks of the notebook run, one pass follows the other after this many seconds, and at least
# after so many times what a pass takes.
AGAIN, REST = 1.0, 20.0

Send = Callable[[Delta, float], None]


class Scrub:
    """Belongs to the main thread. `arrivals` counts what arrived for this process, `busy` tells whether a cell runs."""

    def __init__(self, capture: Capture, send: Send, arrivals: Callable[[], int], busy: Callable[[], bool],
                 lock: threading.Lock) -> None:
        self._capture = capture
        self._send = send
        self._arrivals = arrivals
        self._busy = busy
        self._lock = lock
        self._seen = 0
        self._timer: Any = None
        self._task: asyncio.Task[None] | None = None
        # Keys of the groups that this pass has still to look at; None before its first part.
        self._left: list[str] | None = None
        self._took = 0.0

    def cell_ended(self) -> None:
        """Begin a new pass when the kernel has been idle for a while."""
        self._left, self._took = None, 0.0
        self._later(IDLE)

    def _later(self, seconds: float) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # a cell that was run without the event loop
        if self._timer is not None:
            self._timer.cancel()
        self._seen = self._arrivals()
        self._timer = loop.call_later(seconds, self._start)

    def _start(self) -> None:
        self._timer = None
        if self._task is not None and not self._task.done():
            return
        if self._busy() or self._arrivals() != self._seen:
            self._later(IDLE)
            return
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            while not self._part():
                await asyncio.sleep(0)  # requests, and whatever else waits for this thread
                self._check()
        except Interrupted:
            self._later(IDLE)

    def _check(self) -> None:
        if self._busy() or self._arrivals() != self._seen:
            raise Interrupted

    def _part(self) -> bool:
        """Do one part and send what it found. True when the pass is complete."""
        start = time.perf_counter()
        capture = self._capture
        with self._lock:
            if self._left is None:
                delta, self._left = capture.idle_start(self._check)
                complete = self._left is not None
            else:
                end = capture.share(self._left, PART)
                delta, complete = capture.idle_groups(self._left[:end], self._check)
                if complete:
                    del self._left[:end]
            self._send(delta, start)
        if not complete:
            raise Interrupted
        self._took += time.perf_counter() - start
        if self._left:
            return False
        self._left = None
        if capture.watched():
            self._later(max(AGAIN, REST * self._took))
        self._took = 0.0
        return True
