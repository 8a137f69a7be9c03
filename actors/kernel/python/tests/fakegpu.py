"""Memory that counts as a GPU's: storages of torch on the host, in a pool. Whether a tensor is "on a device" is decided by its
storage alone, so that moving it, and all that shares memory with it, is what it is with a real device.

``install`` puts it in the place of CUDA in a process that has ``nbos_kernel``; in a notebook, ``cuda.fake`` of ``nbos_kernel``
is the pool then.
"""

from __future__ import annotations

import gc
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef


class Recorded:
    """Stands for a CUDA graph."""

    def __init__(self) -> None:
        self.steps: list[Any] = []


class Pool:
    def __init__(self, devices: int = 2) -> None:
        self.devices = devices
        self.known: dict[int, tuple[Any, int, int]] = {}
        self.moves = 0
        # What the next copies are to fail with.
        self.full: str | None = None

    def put(self, *wanted: Any, position: int = 0) -> None:
        """All memory of these tensors and modules, and of what shares it, is a device's from now on; without any, that of all tensors."""
        found = [it for one in wanted for it in ([one] if isinstance(one, torch.Tensor) else one.parameters())]
        for tensor in found or [it for it in gc.get_objects() if issubclass(type(it), torch.Tensor)]:
            for one in (tensor, tensor.grad if tensor.is_leaf else None):
                if one is not None and self.position(one.untyped_storage()) is None:
                    self._add(one.untyped_storage(), position)

    def _add(self, storage: Any, position: int) -> None:
        self.known[storage._cdata] = StorageWeakRef(storage), position, storage.nbytes()

    def started(self) -> bool:
        return True

    def begin(self, devices: int) -> None:
        assert devices <= self.devices

    def settle(self) -> None:
        pass

    def fixing(self) -> tuple[tuple[type, str], ...]:
        return ((Recorded, "a recording works with fixed addresses"),)

    def position(self, storage: Any) -> int | None:
        found = self.known.get(storage._cdata)
        return None if found is None or found[0].expired() else found[1]

    def to_host(self, storage: Any) -> Any:
        return self._copy(storage)

    def to_device(self, storage: Any, position: int) -> Any:
        made = self._copy(storage)
        self._add(made, position)
        return made

    def _copy(self, storage: Any) -> Any:
        if self.full is not None:
            raise RuntimeError(self.full)
        self.moves += 1
        return storage.clone()

    def release(self) -> None:
        self.known = {key: it for key, it in self.known.items() if not it[0].expired()}

    def held(self) -> list[int]:
        held = [0] * self.devices
        for reference, position, size in self.known.values():
            held[position] += 0 if reference.expired() else size
        return held


def install() -> None:
    from IPython import get_ipython
    from nbos_kernel import cuda

    pool = Pool()
    cuda.fake = pool  # type: ignore[attr-defined]
    get_ipython().kernel._offload._backends[0].memory = pool  # type: ignore[union-attr]
