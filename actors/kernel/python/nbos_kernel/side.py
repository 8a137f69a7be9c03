"""The side channel: one unix stream socket to the replica that started this process."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

from nbos_kernel import wire

# sysexits.h: the replica reads the code to tell a lost node from a protocol error.
EXIT_NODE_GONE = 75
EXIT_PROTOCOL = 76

OnFrame = Callable[[dict[str, Any], bytearray], None]


class Side:
    """Owns the socket. Writes may come from any thread; one reader thread delivers frames."""

    def __init__(self, path: str) -> None:
        # ipykernel redirects descriptor 2 into the notebook; a last word must reach the real one.
        self._stderr = os.dup(2)
        os.set_inheritable(self._stderr, False)
        self._write_lock = threading.Lock()
        self._pid = os.getpid()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(path)
        except OSError as error:
            self.die(EXIT_NODE_GONE, f"NB0902: the side socket {path} does not answer: {error.strerror or error}")

    def listen(self, on_frame: OnFrame) -> None:
        """Deliver every frame to `on_frame`, on the reader thread. Pings are answered here: a
        ping asks whether the process is alive, not whether a cell is running."""
        thread = threading.Thread(target=self._read, args=(on_frame,), name="nbos-side", daemon=True)
        # debugpy and pydevd leave threads with this mark alone when a cell is stopped.
        thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
        thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
        thread.start()

    def send(self, header: dict[str, Any], body: Sequence[wire.Buffer] = ()) -> None:
        if os.getpid() != self._pid:
            return  # a child forked by user code must not speak for the kernel
        try:
            with self._write_lock:
                wire.write_frame(self._socket, header, body)
        except OSError as error:
            self.die(EXIT_NODE_GONE, f"NB0902: the node closed the side channel: {error.strerror or error}")

    def die(self, code: int, message: str) -> None:
        """End at once: without its node this process must not run one more line of user code."""
        try:
            os.write(self._stderr, f"nbos_kernel: {message}\n".encode(errors="replace"))
        finally:
            os._exit(code)

    def _read(self, on_frame: OnFrame) -> None:
        try:
            while (frame := wire.read_frame(self._socket)) is not None:
                header, body = frame
                if header["t"] == "ping":
                    self.send({"t": "pong", "id": header.get("id")})
                else:
                    on_frame(header, body)
        except wire.ProtocolError as error:
            self.die(EXIT_PROTOCOL, f"NB0903: {error}")
        except OSError as error:
            self.die(EXIT_NODE_GONE, f"NB0902: the side channel broke: {error.strerror or error}")
        self.die(EXIT_NODE_GONE, "NB0902: the node closed the side channel")
