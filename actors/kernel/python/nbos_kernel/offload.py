"""Between two cells nothing of a session stays on a GPU.

After a cell with GPUs, and before its change is captured, each *backend* moves what it knows of to host memory, in place:
every object stays the object that it is. Before the next cell with GPUs it moves back, to the devices of that cell, all of
it: what a cell will use is not known for certain, and a cell without GPUs does not pay for it. What is captured in
between remembers where it belongs, so that another host continues in the same manner.

A device is known by its *position* among those that are lent to a cell, as CUDA numbers what it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Failed(RuntimeError):
    """The GPUs of a cell cannot be used as the session needs them; the cell does not run."""


@dataclass(frozen=True)
class Left:
    """Bytes that could not leave a device."""

    position: int
    bytes: int
    why: str


class Backend(Protocol):
    def bring_back(self, devices: int) -> None:
        """The cell about to run has so many devices. Raises `Failed`."""

    def give_back(self) -> list[Left]:
        """The cell ended. Must not raise."""


class Offload:
    """All backends, in the order in which they were added."""

    def __init__(self) -> None:
        self._backends: list[Backend] = []

    def add(self, backend: Backend) -> None:
        self._backends.append(backend)

    def bring_back(self, devices: int) -> None:
        for backend in self._backends:
            backend.bring_back(devices)

    def give_back(self) -> list[Left]:
        return [left for backend in self._backends for left in backend.give_back()]
