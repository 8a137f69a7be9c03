"""The side channel: one unix stream socket to the replica that started this process."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

from nbos_kernel import wire
from nbos_kernel.chunks import CHUNK
from nbos_kernel.streams import Body, memory

# sysexits.h: the replica reads the code to tell a lost node from a protocol error.
EXIT_NODE_GONE = 75
EXIT_PROTOCOL = 76

# A frame's header and, for an apply, its groups.
OnFrame = Callable[[dict[str, Any], list[Body]], None]


class Side:
    """Owns the socket. Writes may come from any thread; one reader thread delivers frames."""

    def __init__(self, path: str) -> None:
        # ipykernel redirects descriptor 2 into the notebook; a last word must reach the real one.
        self._stderr = os.dup(2)
        os.set_inheritable(self._stderr, False)
        self._write_lock = threading.Lock()
        self._pid = os.getpid()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # As much as the system allows: a chunk goes over in few turns with the node.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHUNK)
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

    def send_chunk(self, name: str, data: memoryview) -> None:
        self.send({"t": "chunk", "id": name, "size": len(data)}, [data])

    def die(self, code: int, message: str) -> None:
        """End at once: without its node this process must not run one more line of user code."""
        try:
            os.write(self._stderr, f"nbos_kernel: {message}\n".encode(errors="replace"))
        finally:
            os._exit(code)

    def _read(self, on_frame: OnFrame) -> None:
        try:
            while (head := wire.read_head(self._socket)) is not None:
                header, size = head
                if header["t"] == "apply":
                    on_frame(header, _groups(self._socket, header, size))
                    continue
                wire.read_body(self._socket, size)
                if header["t"] == "ping":
                    self.send({"t": "pong", "id": header.get("id")})
                else:
                    on_frame(header, [])
        except wire.ProtocolError as error:
            self.die(EXIT_PROTOCOL, f"NB0903: {error}")
        except OSError as error:
            self.die(EXIT_NODE_GONE, f"NB0902: the side channel broke: {error.strerror or error}")
        self.die(EXIT_NODE_GONE, "NB0902: the node closed the side channel")


def _groups(sock: socket.socket, header: dict[str, Any], size: int) -> list[Body]:
    """The body of an apply: for each group its inline bytes and then its buffers, each read into memory of its own."""
    try:
        sizes = [(group["size"], [buffer["size"] for buffer in group["buffers"]]) for group in header["groups"]]
        arrays = any(group["key"] == "@modules:numpy" for group in header["groups"])
        announced = sum(inline + sum(buffers) for inline, buffers in sizes)
    except (KeyError, TypeError) as error:
        raise wire.ProtocolError(f"an apply frame that cannot be read: {type(error).__name__}: {error}") from error
    if announced != size:
        raise wire.ProtocolError(f"the groups take {announced} bytes and the body has {size}")
    bodies = []
    for inline_size, buffer_sizes in sizes:
        inline, buffers = wire.read_body(sock, inline_size), []
        for buffer_size in buffer_sizes:
            try:
                buffers.append(memory(buffer_size, arrays))
            except (MemoryError, OverflowError, ValueError) as error:
                raise wire.ProtocolError(f"a buffer of {buffer_size} bytes does not fit in memory") from error
            wire.read_into(sock, memoryview(buffers[-1]))
        bodies.append(Body(inline, buffers))
    return bodies
