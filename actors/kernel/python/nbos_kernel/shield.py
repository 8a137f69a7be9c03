"""Which moments of a request an interrupt may cut.

SIGINT belongs to user code. If it were raised while a delta is captured, sent or applied, the
notebook and its replicas would part ways; so outside user code the signal is only noted, as
ipykernel ignores it between cells.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType


class Shield:
    """A SIGINT handler with two modes. Only the main thread arms it: Python delivers signals there."""

    def __init__(self) -> None:
        self._armed = False
        # A signal came outside of user code since the cell ended.
        self.interrupted = False

    def install(self, armed: bool = False) -> object:
        """Become the process's handler; returns the handler that was there."""
        self._armed = armed
        return signal.signal(signal.SIGINT, self._handle)

    def arm(self) -> None:
        """From here on SIGINT raises KeyboardInterrupt."""
        if threading.current_thread() is threading.main_thread():
            self._armed = True

    def disarm(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._armed = self.interrupted = False

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._armed:
            signal.default_int_handler(signum, frame)
        else:
            self.interrupted = True
