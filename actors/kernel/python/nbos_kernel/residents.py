"""The memory that torch's tensors have on GPUs: moved as a whole, storage by storage.

The tensor objects stay: parameters, their gradients, what optimizers hold, views, whatever a closure or a list has. Each is
put over the memory's new place with the layout it had, so that what shared memory goes on sharing it. Tensors are found
through the garbage collector, which knows all that Python code can reach; what only a computation's history holds
(values saved for ``backward``) is not among them and stays on the device, which is reported.
"""

from __future__ import annotations

import gc
import itertools
import sys
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from nbos_kernel import tensors
from nbos_kernel.homes import HOMES
from nbos_kernel.offload import Failed, Left

_HISTORY = "the history of a computation (a loss that was kept, for one) holds values for backward()"
_HIDDEN = "something that is not a tensor of Python code holds it"


class Memory(Protocol):
    """Of the devices that the process sees: `cuda.Cuda`, or another in tests."""

    def started(self) -> bool:
        """False as long as the process has not used a device."""

    def settle(self) -> None:
        """Wait for all that is being computed."""

    def position(self, storage: Any) -> int | None:
        """The device a storage is on; None for host memory."""

    def to_host(self, storage: Any) -> Any:
        """A copy of a storage in host memory."""

    def to_device(self, storage: Any, position: int) -> Any:
        """A copy of a storage on a device."""

    def release(self) -> None:
        """Give caches back to the devices."""

    def held(self) -> list[int]:
        """Bytes in use, by device."""

    def fixing(self) -> tuple[tuple[type, str], ...]:
        """Classes of which no object may exist for anything to move, and why."""

    def begin(self, devices: int) -> None:
        """Raises `Failed` when the process cannot use the devices of this cell."""


class Residents:
    """A backend of ``offload``."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def bring_back(self, devices: int) -> None:
        if "torch" not in sys.modules:
            return
        self.memory.begin(devices)
        if not any(position < devices for position in HOMES):
            return
        alive, = _instances(sys.modules["torch"].Tensor)
        for storage, sharing in _by_storage(alive, lambda storage: HOMES.of(storage) is not None):
            position = HOMES.of(storage)
            if position is None or position >= devices:
                continue  # a cell with fewer GPUs than the one that made it
            try:
                made = self.memory.to_device(storage, position)
            except Exception as error:
                raise Failed(f"NB0910: the session's tensors do not go back to GPU {position}: {error}") from error
            _move(sharing, made)
            HOMES.forget(storage)

    def give_back(self) -> list[Left]:
        if "torch" not in sys.modules:
            return []
        try:
            return self._give_back() if self.memory.started() else []
        except Exception as error:  # noqa: BLE001 - a device that failed refuses everything
            return self._left(f"{type(error).__name__}: {error}")

    def _give_back(self) -> list[Left]:
        memory = self.memory
        memory.settle()
        failed: list[str] = []
        if any(memory.held()):
            fixing = memory.fixing()
            tensors_alive, *fixed = _instances(sys.modules["torch"].Tensor, *(cls for cls, _ in fixing))
            failed += [why for (_, why), found in zip(fixing, fixed) if found]
            if not failed:
                failed += [why for storage, sharing in _by_storage(tensors_alive, self._is_resident) if (why := self._to_host(storage, sharing))]
            del tensors_alive
            if any(memory.held()) and not failed:
                gc.collect()  # a cycle of objects that nobody has any more may hold a history
        memory.release()
        return self._left(failed[0] if failed else None)

    def _is_resident(self, storage: Any) -> bool:
        return self.memory.position(storage) is not None

    def _to_host(self, storage: Any, sharing: list[Any]) -> str | None:
        """Why it stays, if it does: host memory is full, a kind of tensor that cannot be moved."""
        position = self.memory.position(storage)
        assert position is not None
        try:
            host = self.memory.to_host(storage)
            _move(sharing, host)
        except Exception as error:  # noqa: BLE001
            return f"{type(error).__name__}: {error}"
        HOMES.note(host, position)
        return None

    def _left(self, why: str | None) -> list[Left]:
        try:
            held = self.memory.held()
        except Exception:  # noqa: BLE001 - a device that failed does not even say that
            return [Left(0, 0, why or _HIDDEN)]
        if not any(held):
            return []
        if why is None:
            alive, = _instances(sys.modules["torch"].Tensor)
            why = _HISTORY if any(map(_has_history, alive)) else _HIDDEN
        return [Left(position, size, why) for position, size in enumerate(held) if size]


def _instances(*bases: type) -> list[list[Any]]:
    """For each class the objects of it that the collector knows. Some hundred thousand others exist: no Python code runs for each."""
    objects = gc.get_objects()
    try:
        types = list(map(type, objects))
        return [_of_class(base, objects, types) for base in bases]
    finally:
        objects.clear()  # it may have what has it


def _of_class(base: type, objects: list[Any], types: list[type]) -> list[Any]:
    wanted = {cls for cls in set(types) if issubclass(cls, base)}
    return list(itertools.compress(objects, map(wanted.__contains__, types))) if wanted else []


def _by_storage(alive: list[Any], wanted: Callable[[Any], bool]) -> Iterator[tuple[Any, list[Any]]]:
    """The storages that are wanted, each with all tensors that lie in it."""
    found: dict[int, tuple[Any, list[Any]]] = {}
    for tensor in _with_parts(alive):
        try:
            storage = tensor.untyped_storage()
            if wanted(storage):
                found.setdefault(storage._cdata, (storage, []))[1].append(tensor)
        except (RuntimeError, NotImplementedError):
            continue  # sparse tensors and fake ones have no storage
    while found:
        _, (storage, sharing) = found.popitem()
        yield storage, sharing


def _with_parts(alive: list[Any]) -> Iterator[Any]:
    """Each of these tensors, and those that only they know, once."""
    work, seen = list(alive), set()
    with sys.modules["torch"]._C.DisableTorchFunctionSubclass():
        while work:
            tensor = work.pop()
            if id(tensor) in seen:
                continue
            seen.add(id(tensor))
            yield tensor
            try:
                # They may have no other object in Python.
                work += [it for it in (tensor._base, tensor.grad if tensor.is_leaf or tensor.retains_grad else None) if it is not None]
            except RuntimeError:
                continue  # see tensors._is_spoiled


def _has_history(tensor: Any) -> bool:
    try:
        return tensor.grad_fn is not None
    except RuntimeError:
        return True


def _move(sharing: list[Any], storage: Any) -> None:
    """Put tensors over another memory, with the layouts they have: all of them or none."""
    moved: list[tuple[Any, Any]] = []
    with sys.modules["torch"]._C.DisableTorchFunctionSubclass():
        try:
            for tensor in sharing:
                before = tensor.untyped_storage()
                _put(tensor, storage)
                moved.append((tensor, before))
        except BaseException:
            for tensor, before in moved:
                _put(tensor, before)
            raise


def _put(tensor: Any, storage: Any) -> None:
    torch = sys.modules["torch"]
    marks = (tensor.is_conj(), tensor.is_neg(), tensor.is_inference())
    made = tensors.over_storage(storage, tensor.dtype, tensor.storage_offset(), tuple(tensor.shape), tensor.stride(), marks)
    with torch.inference_mode(marks[2]), torch.no_grad():
        tensor.data = made
