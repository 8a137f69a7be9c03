"""The GPUs that are lent to the running cell.

The replica names them in the cell's request. Before the code runs they are put where CUDA and people look for them, and
afterwards the variables are as they were: no cell sees GPUs of another, and nothing of it is part of the session.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# CUDA reads the first when it starts; the second says the same on hosts whose devices are simulated.
_VARIABLES = ("CUDA_VISIBLE_DEVICES", "NBOS_GPUS")

_lent: tuple[Device, ...] = ()


@dataclass(frozen=True)
class Device:
    """One GPU of this host: its position, from 0, and its name in the whole cluster (``GPU-…``)."""

    index: int
    uuid: str
    # Of a simulated one: the directory that stands for its memory (see ``simulated``).
    simulated: str | None = None


def gpus() -> list[Device]:
    """The GPUs of the cell that runs now; empty for a cell without any, and between cells."""
    return list(_lent)


@contextmanager
def lent(metadata: Any) -> Iterator[tuple[Device, ...]]:
    """Makes known what a request's metadata says is lent to its cell."""
    global _lent
    devices = _devices(metadata)
    if not devices:
        yield ()
        return
    text = ",".join(device.uuid for device in devices)
    before = {name: os.environ.get(name) for name in _VARIABLES}
    _lent = devices
    os.environ.update(dict.fromkeys(_VARIABLES, text))
    try:
        yield devices
    finally:
        _lent = ()
        for name, value in before.items():
            if os.environ.get(name) != text:
                continue  # the notebook has set it
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _devices(metadata: Any) -> tuple[Device, ...]:
    nbos = metadata.get("nbos") if isinstance(metadata, dict) else None
    named = nbos.get("devices") if isinstance(nbos, dict) else None
    return tuple(Device(int(it["index"]), str(it["uuid"]), str(it["simulated"]) if it.get("simulated") else None) for it in named or ())
