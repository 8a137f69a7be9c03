"""The memory of simulated GPUs, for notebooks that try a cluster without a real one.

A simulated device is a directory. A process that has memory there has a file in it, named by its pid, whose content is the
number of bytes; whoever wants to know what is free adds them up::

    from nbos_kernel import simulated
    model = simulated.Buffer(0, 4 << 30)    # 4 GiB of the cell's first GPU, until it is let go of
    simulated.train(2.5, 8 << 30)           # 8 GiB of each of the cell's GPUs, for 2.5 seconds

As with real memory, nothing stays between cells: a buffer is moved to the host when its cell ends, and to the device of the
same position when the next cell with GPUs runs, on whichever host.
"""

from __future__ import annotations

import os
import time
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

from nbos_kernel.devices import Device, gpus
from nbos_kernel.offload import Left

# How often an interrupt is looked for.
_SLICE = 0.05


class Buffer:
    """So many bytes on the GPU at a position among those of the cell, as long as this object lives."""

    __slots__ = ("__weakref__", "nbytes", "position")

    def __init__(self, position: int, nbytes: int) -> None:
        if nbytes < 0:
            raise ValueError("a buffer has no negative size")
        device = _device(position)
        self.position, self.nbytes = position, nbytes
        MEMORY.occupy(self, device)

    @property
    def on_device(self) -> bool:
        """False between cells, and in cells without GPUs."""
        return MEMORY.has(self)

    def free(self) -> None:
        """Let go of the memory now; the buffer is empty then."""
        MEMORY.leave(self)
        self.nbytes = 0

    def __repr__(self) -> str:
        return f"Buffer(position={self.position}, nbytes={self.nbytes})"

    def __reduce__(self) -> Any:
        return arrived, (self.position, self.nbytes)


def train(seconds: float, nbytes: int) -> None:
    """Occupy so much of every GPU of the cell for so long; an interrupt ends it."""
    buffers = [Buffer(position, nbytes) for position in range(len(gpus()))]
    end = time.monotonic() + seconds
    try:
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE))
    finally:
        for buffer in buffers:
            buffer.free()


def arrived(position: int, nbytes: int) -> Buffer:
    """Named in payloads: a buffer from another process, in host memory."""
    buffer = Buffer.__new__(Buffer)
    buffer.position, buffer.nbytes = position, nbytes
    MEMORY.keep(buffer)
    return buffer


class Memory:
    """What this process has on simulated devices: a backend of ``offload``."""

    def __init__(self) -> None:
        # By identity, with what tells that a buffer is gone.
        self._buffers: dict[int, weakref.ref[Buffer]] = {}
        self._where: dict[int, tuple[str, int]] = {}
        self._told: dict[str, int] = {}

    def keep(self, buffer: Buffer) -> None:
        key = id(buffer)
        self._buffers[key] = weakref.ref(buffer, lambda _: self._gone(key))

    def occupy(self, buffer: Buffer, device: Device) -> None:
        assert device.simulated is not None
        self.keep(buffer)
        self._where[id(buffer)] = device.simulated, buffer.nbytes
        self._tell()

    def has(self, buffer: Buffer) -> bool:
        return id(buffer) in self._where

    def leave(self, buffer: Buffer) -> None:
        if self._where.pop(id(buffer), None) is not None:
            self._tell()

    def bring_back(self, devices: int) -> None:
        lent = gpus()[:devices]
        for reference in list(self._buffers.values()):
            buffer = reference()
            if buffer is not None and buffer.nbytes and buffer.position < len(lent) and lent[buffer.position].simulated is not None:
                self._where[id(buffer)] = str(lent[buffer.position].simulated), buffer.nbytes
        self._tell()

    def give_back(self) -> list[Left]:
        self._where.clear()
        try:
            self._tell()
        except OSError as error:
            return [Left(position, 0, f"the simulated device cannot be told: {error}") for position, it in enumerate(gpus()) if it.simulated]
        return []

    def _gone(self, key: int) -> None:
        self._buffers.pop(key, None)
        if self._where.pop(key, None) is not None:
            self._tell()

    def _tell(self) -> None:
        """Write what has changed to the devices."""
        held: Counter[str] = Counter()
        for directory, nbytes in list(self._where.values()):
            held[directory] += nbytes
        for directory in {*self._told, *held}:
            if self._told.get(directory, 0) != held[directory]:
                _write(Path(directory), held[directory])
                self._told[directory] = held[directory]


def _write(directory: Path, nbytes: int) -> None:
    """Replaced as a whole: whoever reads it sees a number. A process without memory on the device has no file."""
    if not nbytes:
        (directory / str(os.getpid())).unlink(missing_ok=True)
        return
    draft = directory / f".{os.getpid()}.new"
    draft.write_text(str(nbytes))
    draft.replace(directory / str(os.getpid()))


def _device(position: int) -> Device:
    lent = gpus()
    if not 0 <= position < len(lent):
        raise RuntimeError(f"NB0912: this cell has {len(lent)} GPUs, and none at position {position}")
    if lent[position].simulated is None:
        raise RuntimeError(f"NB0912: the GPU at position {position} is a real one: it has no simulated memory")
    return lent[position]


# One for the process: a pickle brings buffers into it.
MEMORY = Memory()
