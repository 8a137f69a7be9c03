"""Frames of the side channel: ``u32le header length | u64le body length | JSON header | body``."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Sequence
from typing import Any, Union

Buffer = Union[bytes, bytearray, memoryview]

PREFIX = struct.Struct("<IQ")
# A header names variables and says why something is pinned; 64 MiB is far above any real one and
# small enough that four garbage bytes cannot make us allocate gigabytes.
MAX_HEADER = 64 << 20
# A body is bounded by the memory of the machine; 1 TiB only tells garbage from a length.
MAX_BODY = 1 << 40
# Linux takes at most 1024 buffers a sendmsg (UIO_MAXIOV).
MAX_IOV = 512


class ProtocolError(Exception):
    """The peer sent something that is not a frame; the stream cannot be followed any further."""


def _fill(sock: socket.socket, view: memoryview) -> bool:
    """False when the peer closed before the first byte."""
    got = 0
    while got < len(view):
        n = sock.recv_into(view[got:])
        if n == 0:
            if got == 0:
                return False
            raise ProtocolError(f"the side channel ended inside a frame, {got} of {len(view)} bytes")
        got += n
    return True


def _read_exactly(sock: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    if size:
        read_into(sock, memoryview(data))
    return data


def read_into(sock: socket.socket, view: memoryview) -> None:
    """Fill `view` with what comes next."""
    if len(view) and not _fill(sock, view):
        raise ProtocolError(f"the side channel ended before the {len(view)} bytes that were announced")


def read_head(sock: socket.socket) -> tuple[dict[str, Any], int] | None:
    """The header of the next frame and the size of the body that follows it; None at a clean end of the stream."""
    prefix = bytearray(PREFIX.size)
    if not _fill(sock, memoryview(prefix)):
        return None
    header_len, body_len = PREFIX.unpack(prefix)
    if not 2 <= header_len <= MAX_HEADER or body_len > MAX_BODY:
        raise ProtocolError(f"frame lengths {header_len} and {body_len} are not possible")
    raw = _read_exactly(sock, header_len)
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a frame's header is not JSON: {error}") from error
    if not isinstance(header, dict) or not isinstance(header.get("t"), str):
        raise ProtocolError("a frame's header has no type")
    return header, body_len


def read_body(sock: socket.socket, size: int) -> bytearray:
    try:
        return _read_exactly(sock, size)
    except (MemoryError, OverflowError) as error:
        raise ProtocolError(f"a frame's body of {size} bytes does not fit in memory") from error


def read_frame(sock: socket.socket) -> tuple[dict[str, Any], bytearray] | None:
    """The next frame, or None at a clean end of the stream."""
    head = read_head(sock)
    return None if head is None else (head[0], read_body(sock, head[1]))


def as_bytes_view(part: Buffer) -> memoryview:
    view = memoryview(part)
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


def write_frame(sock: socket.socket, header: dict[str, Any], body: Sequence[Buffer] = ()) -> None:
    """Send one frame; large parts go to the kernel straight from the object that owns them."""
    # "replace": a lone surrogate may stand in a Python string, never in UTF-8.
    raw = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    parts = [view for part in body if len(view := as_bytes_view(part))]
    prefix = PREFIX.pack(len(raw), sum(map(len, parts)))
    queue: list[Any] = [prefix + raw, *parts]
    while queue:
        sent = sock.sendmsg(queue[:MAX_IOV])
        while sent:
            head = len(queue[0])
            if sent < head:
                queue[0] = memoryview(queue[0])[sent:]
                break
            sent -= head
            queue.pop(0)
