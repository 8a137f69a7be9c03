"""ipykernel's debugger, loaded when a client first debugs.

Importing ``ipykernel.debugger`` loads debugpy, which is half of a kernel's start. A module of the same
name stands in until the first debug request; clients are still told that the kernel can debug.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import sys
import types
from typing import Any

_NAME = "ipykernel.debugger"


class Debugger:
    """Becomes the real debugger, with the same arguments, at its first request (on the control thread)."""

    def __init__(self, *args: Any) -> None:
        self._args = args
        self._real: Any = None
        self._started: asyncio.Event | None = None

    async def process_request(self, message: Any) -> Any:
        return await self._start().process_request(message)

    async def handle_stopped_event(self) -> None:
        """Polled from the start of the kernel, on the control thread's loop."""
        if self._real is None:
            self._started = asyncio.Event()
            await self._started.wait()
        await self._real.handle_stopped_event()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._start(), name)

    def _start(self) -> Any:
        if self._real is None:
            if isinstance(sys.modules.get(_NAME), _StandIn):
                del sys.modules[_NAME]
            self._real = importlib.import_module(_NAME).Debugger(*self._args)
            if self._started is not None:
                self._started.set()
        return self._real


class _StandIn(types.ModuleType):
    """What ipykernel asks of its debugger module before anyone debugs."""

    def __init__(self) -> None:
        super().__init__(_NAME, __doc__)
        self._is_debugpy_available = importlib.util.find_spec("debugpy") is not None
        self.Debugger = Debugger


def install() -> None:
    """Before the kernel is made."""
    sys.modules.setdefault(_NAME, _StandIn())
