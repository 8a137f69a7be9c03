"""What the pickler writes to and the unpickler reads from, without copies of the whole.

A group's *payload* is a stream and the large memory beside it. It travels as *inline bytes* and *buffers*: the
inline bytes are ``0`` and the stream, or, for a large stream, ``1`` and the number of buffers it takes (u32le);
these come first, and after them the memory that the stream refers to, in its order.
"""

from __future__ import annotations

import pickle
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from xxhash import xxh3_128

from nbos_kernel.wire import Buffer, as_bytes_view

# Raw memory from here on leaves the stream: one changed element of it then changes one chunk.
BUFFER_MIN = 64 << 10
# A part of a stream from here on starts a buffer of its own, so that what comes before it does not move it.
PART_MIN = 1 << 20
_IN_BUFFERS = struct.Struct("<BI")


class Sink:
    """Collects what the pickler writes, without joining it: large buffers stay where they are."""

    def __init__(self, check: Callable[[], None] | None = None, whole: bool = False) -> None:
        self.parts: list[Buffer] = []
        self.buffers: list[memoryview] = []
        self._check = check
        self._whole = whole

    def write(self, data: Any) -> int:
        if self._check is not None:
            self._check()
        part = data.raw() if isinstance(data, pickle.PickleBuffer) else data
        self.parts.append(part)
        return memoryview(part).nbytes

    def take(self, buffer: pickle.PickleBuffer) -> bool:
        """The pickler's buffer callback: True leaves it in the stream."""
        try:
            view = buffer.raw()
        except BufferError:
            return True  # not contiguous: the pickler says so
        if self._whole or view.nbytes < BUFFER_MIN:
            return True
        self.buffers.append(view)
        return False


@dataclass
class Payload:
    """What a group is made of, as long as nothing changes."""

    stream: list[Buffer]
    buffers: list[memoryview] = field(default_factory=list)
    pins: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Of the stream."""
        return sum(memoryview(part).nbytes for part in self.stream)

    def fingerprint(self) -> bytes:
        """Of the stream. The buffers are compared by the names of their chunks."""
        digest = xxh3_128()
        for part in self.stream:
            digest.update(part)
        return digest.digest()

    def inline(self) -> list[Buffer]:
        return [b"\0", *self.stream]

    def spilled(self) -> tuple[bytes, list[list[Buffer]]]:
        """The inline bytes when the stream goes into buffers, and the parts of these."""
        pieces: list[list[Buffer]] = []
        after_large = True
        for part in self.stream:
            large = memoryview(part).nbytes >= PART_MIN
            if large or after_large:
                pieces.append([])
            pieces[-1].append(part)
            after_large = large
        return _IN_BUFFERS.pack(1, len(pieces)), pieces


@dataclass
class Body:
    """A group as it was received."""

    inline: Buffer
    buffers: list[Any]

    def open(self) -> tuple[Source, Iterator[Any]]:
        """The stream, and the memory beside it."""
        return Source(self._stream()), iter(self.buffers[self.pieces:])

    @property
    def pieces(self) -> int:
        """How many of the buffers hold the stream."""
        return 0 if self.inline[:1] == b"\0" else _IN_BUFFERS.unpack_from(self.inline)[1]

    def fingerprint(self) -> bytes:
        """As `Payload.fingerprint`."""
        return Payload(self._stream()).fingerprint()

    def _stream(self) -> list[Any]:
        if not self.pieces:
            return [as_bytes_view(self.inline)[1:]]
        return [as_bytes_view(buffer) for buffer in self.buffers[:self.pieces]]


class Source:
    """A file over received bytes: the unpickler takes pieces of it without a copy of the whole."""

    def __init__(self, pieces: list[memoryview]) -> None:
        self._pieces = [piece for piece in pieces if len(piece)]
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        if self._pieces and 0 <= size <= len(self._pieces[0]) - self._at:
            self._at += size
            return bytes(self._pieces[0][self._at - size:self._at])
        taken = bytearray(sum(map(len, self._pieces)) - self._at if size < 0 else size)
        return bytes(taken[:self.readinto(taken)])

    def readinto(self, target: Any) -> int:
        view, got = memoryview(target).cast("B"), 0
        while got < len(view) and self._pieces:
            piece = self._pieces[0][self._at:self._at + len(view) - got]
            view[got:got + len(piece)] = piece
            got += len(piece)
            self._at += len(piece)
            if self._at == len(self._pieces[0]):
                self._pieces.pop(0)
                self._at = 0
        return got

    def readline(self) -> bytes:
        """Asked for by text opcodes only, which protocol 5 does not write; bounded all the same."""
        rest = bytes(self._pieces[0][self._at:self._at + 4096]) if self._pieces else b""
        return self.read(rest.find(b"\n") + 1 or len(rest))


def memory(size: int, arrays: bool) -> Any:
    """Memory for a received buffer; numpy's where there may be `arrays`, for an array to own it without a copy."""
    if arrays or "numpy" in sys.modules:
        try:
            import numpy

            return numpy.empty(size, "u1")
        except Exception:  # noqa: BLE001, S110 - the arrays themselves will say what is wrong with numpy here
            pass
    return bytearray(size)
