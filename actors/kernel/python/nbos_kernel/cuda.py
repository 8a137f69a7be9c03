"""CUDA's devices, through torch, for ``residents``: what is there, how to copy, how to let go."""

from __future__ import annotations

import sys
from typing import Any

from nbos_kernel import tensors
from nbos_kernel.ambient import Provider
from nbos_kernel.devices import gpus
from nbos_kernel.offload import Failed

# A page-locked copy crosses the bus several times as fast (12.6 against 1.4 GB/s on an A100, pytorch issue 138018), but
# such memory is not the system's to move any more: as much as this at most, in all.
_PINNED = 4 << 30
# The sum that torch rounds an allocation of page-locked memory up to is the next power of two.
_ROUNDED = 2


class Cuda:
    """Every call is of the kernel's main thread. Until torch has started CUDA nothing here does."""

    def __init__(self) -> None:
        # The devices that CUDA was shown when it started: it does not look again.
        self._shown: tuple[str, ...] = ()
        # Page-locked storages that were made here, by size.
        self._pinned: list[tuple[Any, int]] = []
        # The random generators of the devices at the end of the last cell that had some.
        self.random: tuple[bytes, ...] = ()
        self.random_moved = False

    def started(self) -> bool:
        torch = sys.modules.get("torch")
        return torch is not None and bool(torch.cuda.is_initialized())

    def begin(self, devices: int) -> None:
        torch = sys.modules["torch"]
        lent = tuple(device.uuid for device in gpus())
        if self.started() and self._shown[:len(lent)] != lent:
            raise Failed(
                f"NB0911: CUDA started in this process with {', '.join(self._shown) or 'other GPUs'} and cannot change to {', '.join(lent)}")
        if self.random_moved and torch.version.cuda is not None:
            self.random_moved = False
            for position, state in enumerate(self.random[:devices]):
                # Done at once, or by torch when it starts CUDA.
                torch.cuda.set_rng_state(torch.frombuffer(bytearray(state), dtype=torch.uint8), position)

    def settle(self) -> None:
        torch = sys.modules["torch"]
        self._shown = self._shown or tuple(device.uuid for device in gpus())
        count = torch.cuda.device_count()
        for position in range(count):
            torch.cuda.synchronize(position)
        self.random = tuple(torch.cuda.get_rng_state(position).numpy().tobytes() for position in range(count))

    def position(self, storage: Any) -> int | None:
        return storage.device.index if storage.device.type == "cuda" else None

    def to_host(self, storage: Any) -> Any:
        import torch

        made = self._page_locked(storage.nbytes())
        if made is None:
            made = torch.empty(storage.nbytes(), dtype=torch.uint8, device="cpu")
        made.copy_(tensors.over(storage))
        return made.untyped_storage()

    def _page_locked(self, size: int) -> Any:
        """Memory of that kind, if there is some left."""
        import torch
        from torch.multiprocessing.reductions import StorageWeakRef

        self._pinned = [it for it in self._pinned if not it[0].expired()]
        if _ROUNDED * (size + sum(known for _, known in self._pinned)) > _PINNED:
            return None
        try:
            made = torch.empty(size, dtype=torch.uint8, device="cpu", pin_memory=True)
        except RuntimeError:
            return None  # the system grants no more
        self._pinned.append((StorageWeakRef(made.untyped_storage()), size))
        return made

    def to_device(self, storage: Any, position: int) -> Any:
        import torch

        made = torch.empty(storage.nbytes(), dtype=torch.uint8, device=f"cuda:{position}")
        made.copy_(tensors.over(storage))
        self._shown = self._shown or tuple(device.uuid for device in gpus())
        return made.untyped_storage()

    def release(self) -> None:
        torch = sys.modules["torch"]
        torch._C._cuda_clearCublasWorkspaces()  # a few megabytes for each thread that has multiplied matrices
        torch.cuda.empty_cache()
        torch.cuda.ipc_collect()

    def held(self) -> list[int]:
        torch = sys.modules["torch"]
        held = [torch.cuda.memory_allocated(position) for position in range(torch.cuda.device_count())]
        for position, size in _of_others(len(held)):
            held[position] += size
        return held

    def fixing(self) -> tuple[tuple[type, str], ...]:
        return ((sys.modules["torch"].cuda.CUDAGraph, "a recorded CUDA graph works with fixed addresses"),)


def _of_others(devices: int) -> list[tuple[int, int]]:
    """Bytes that libraries beside torch have on devices; these cannot be moved in place."""
    found: list[tuple[int, int]] = []
    cupy = sys.modules.get("cupy")
    if hasattr(cupy, "get_default_memory_pool"):
        for position in range(devices):
            with cupy.cuda.Device(position):  # type: ignore[union-attr]
                pool = cupy.get_default_memory_pool()  # type: ignore[union-attr]
                pool.free_all_blocks()
                found.append((position, int(pool.used_bytes())))
    jax = sys.modules.get("jax")
    if hasattr(jax, "live_arrays"):
        for array in jax.live_arrays():  # type: ignore[union-attr]
            for shard in array.addressable_shards:
                if shard.device.platform == "gpu" and shard.device.local_hardware_id < devices:
                    found.append((shard.device.local_hardware_id, int(shard.data.nbytes)))
    return found


class CudaRandom(Provider):
    """The default random generators of the GPUs. Where they come to, they are set when the next cell with GPUs runs."""

    key = "@torch.cuda.random"
    rank = 4

    def __init__(self, cuda: Cuda) -> None:
        self._cuda = cuda

    def read(self) -> Any:
        return self._cuda.random or None

    def write(self, value: Any) -> None:
        self._cuda.random, self._cuda.random_moved = tuple(value), True


# One for the process, as CUDA is.
CUDA = Cuda()
