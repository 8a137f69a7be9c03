"""torch: tensors that share a storage go on sharing it, with their gradients and hooks.

torch's own pickles copy a storage through a file in memory, drop ``.grad`` and refuse what has a history.
A tensor in the middle of a live computation keeps its value everywhere; going backward through it is
possible only where the computation ran, and says so elsewhere.
"""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING, Any

from nbos_kernel import arrays
from nbos_kernel.homes import HOMES
from nbos_kernel.kinds import is_notebook_class
from nbos_kernel.pins import BOOK, Pin, PinnedError, Placeholder, describe, pin_of
from nbos_kernel.registry import reduces, reduces_all

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

# A graph of more nodes is not followed to the end: a pin needs no exact answer.
_MOST_NODES = 20_000
_WHY = "its history, through which gradients flow, exists only in the process that computed it"
_TYPES = ("torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer")


@reduces_all("torch.Tensor")
def reduce(pickler: StatePickler, tensor: Any) -> Any:
    torch = sys.modules["torch"]
    if not _is_ours(tensor, torch):
        return pickler.ordinary(tensor)
    meta = tensor.device.type == "meta"
    storage = None if meta else _storage(pickler, tensor.untyped_storage())
    layout = (storage, tensor.dtype, tensor.storage_offset(), tuple(tensor.shape), tensor.stride(),
              (tensor.is_conj(), tensor.is_neg(), tensor.is_inference()))
    cls = None if type(tensor) is torch.Tensor else type(tensor)
    spoiled = _is_spoiled(tensor)
    if not spoiled and tensor.grad_fn is not None:
        pin = _graph_pin(pickler, tensor)
        return in_graph, (cls, *layout, (pin.id, pin.name, pin.type, pin.why, *BOOK.home(pin))), _attributes(tensor), None, None, set_attributes
    state = _attributes(tensor)
    if not spoiled and tensor.grad is not None:
        state["grad"] = tensor.grad
    if spoiled or _is_plain_view(tensor):
        return view, (tensor._base, *layout[2:5], tensor.requires_grad, spoiled), state or None, None, None, set_attributes
    return make, (cls, *layout, tensor.requires_grad), state or None, None, None, set_attributes


@reduces("torch.storage.UntypedStorage")
def reduce_storage(pickler: StatePickler, storage: Any) -> Any:
    known = _storage(pickler, storage)
    if known is not storage:
        return same, (known,)
    if storage.device.type == "cpu" and not storage.resizable() and storage.nbytes():
        lender = lender_of(pickler.namespace, storage.data_ptr(), storage.nbytes())
        if lender is not None:
            return borrow, (lender, storage.data_ptr() - arrays.address(lender), storage.nbytes())
    here = storage if storage.device.type == "cpu" else storage.cpu()
    content = pickle.PickleBuffer(memory(here)) if here.nbytes() else b""
    position = HOMES.of(storage) if here is storage else storage.device.index if storage.device.type == "cuda" else None
    if position is not None:
        return of_device, (content, storage.nbytes(), position)
    return own, (content, storage.nbytes(), str(storage.device), bool(storage.device.type == "cpu" and storage.is_shared()))


@reduces("torch.storage.TypedStorage")
def reduce_typed(pickler: StatePickler, storage: Any) -> Any:
    return typed, (_storage(pickler, storage._untyped_storage), storage.dtype)


@reduces_all("torch.utils.data.dataloader._BaseDataLoaderIter", "torch.jit._script.ScriptModule", "torch.jit._script.ScriptFunction")
def reduce_live(pickler: StatePickler, obj: Any) -> Any:
    return pickler.pin(obj, "it works only in the process that made it")


@reduces_all("torch._ops.OpOverloadPacket", "torch._ops.OpOverload")
def reduce_operator(_pickler: StatePickler, operator: Any) -> Any:
    return find_operator, (str(operator),)


@reduces_all("torch.nn.modules.module.Module")
def reduce_module(pickler: StatePickler, module: Any) -> Any:
    cls = type(module)
    if cls.__module__ == "torch.nn.utils.parametrize" and "parametrizations" in module._modules:  # a class made for this module, that refuses to be pickled
        return parametrized, (cls.__bases__[0], list(module.parametrizations)), dict(module.__dict__), None, None, set_parametrized
    return pickler.ordinary(module)


def children(tensor: Any) -> list[Any]:
    """What hangs from a tensor, for the walk."""
    below = [tensor.__dict__]
    hooks = tensor._backward_hooks
    if hooks:
        below.append(hooks)
    if _is_spoiled(tensor):
        return below
    after = getattr(tensor, "_post_accumulate_grad_hooks", None) if tensor.is_leaf else None
    if after:
        below.append(after)
    if tensor.grad_fn is not None:
        below += _leaves(tensor.grad_fn)
    elif tensor.grad is not None:
        below.append(tensor.grad)
    return below


def lender_of(namespace: dict[str, Any], pointer: int, size: int) -> Any:
    """The array whose memory a storage borrows (``torch.from_numpy``), if a variable leads to it."""
    ndarray = getattr(sys.modules.get("numpy"), "ndarray", None)
    if ndarray is None:
        return None
    for value in list(namespace.values()):
        inner = value.values() if type(value) is dict else value if type(value) in (list, tuple) else ()
        for candidate in (value, *(inner if len(inner) < 1000 else ())):
            if isinstance(candidate, ndarray):
                root, lender = arrays.root_of(candidate)
                if lender is None and arrays.address(root) <= pointer and pointer + size <= arrays.address(root) + root.nbytes:
                    return root
    return None


def _is_ours(tensor: Any, torch: Any) -> bool:
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_nested:
        return False
    if type(tensor) in (torch.Tensor, torch.nn.Parameter, getattr(torch.nn, "Buffer", None)):
        return True
    return is_notebook_class(type(tensor)) and "__torch_dispatch__" not in vars(type(tensor))


def _is_spoiled(tensor: Any) -> bool:
    """A part of a parameter, taken without recording and changed since: torch refuses to say what its history is."""
    try:
        return bool(tensor.grad_fn is False)
    except RuntimeError:
        return True


def _is_plain_view(tensor: Any) -> bool:
    """A tensor that knows of which other one it is a part."""
    if type(tensor) is not sys.modules["torch"].Tensor or tensor.is_inference() or not tensor._is_view() or tensor.device.type == "meta":
        return False
    base = tensor._base
    if not _is_ours(base, sys.modules["torch"]):
        return False
    marks = (tensor.is_conj(), tensor.is_neg(), base.is_conj(), base.is_neg())
    return base.dtype == tensor.dtype and not any(marks) and base.grad_fn is None and base.untyped_storage()._cdata == tensor.untyped_storage()._cdata


def _storage(pickler: StatePickler, storage: Any) -> Any:
    """The one object that stands for a storage: torch makes a new one whenever it is asked."""
    known = pickler.made.setdefault(("storage", storage._cdata), storage)
    return known


def _attributes(tensor: Any) -> dict[str, Any]:
    state: dict[str, Any] = {}
    if tensor.__dict__:
        state["dict"] = tensor.__dict__
    if tensor._backward_hooks:
        state["hooks"] = tensor._backward_hooks
    after = getattr(tensor, "_post_accumulate_grad_hooks", None) if not _is_spoiled(tensor) and tensor.is_leaf else None
    if after:
        state["after"] = after
    return state


def _graph_pin(pickler: StatePickler, tensor: Any) -> Pin:
    received = getattr(tensor.grad_fn, "nbos_pin", None)
    return pickler.note(received) if received is not None else pickler.pinned(tensor, _WHY)


def _leaves(start: Any) -> list[Any]:
    """The tensors that gradients of a computation flow into."""
    found, seen, work = [], {start}, [start]
    while work and len(seen) < _MOST_NODES:
        node = work.pop()
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            found.append(leaf)
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                work.append(following)
    return found


# What payloads call.


def memory(lender: Any) -> Any:
    """The bytes of a tensor's storage, or of a storage, as an array in the same memory."""
    import torch

    storage = lender.untyped_storage() if isinstance(lender, torch.Tensor) else lender
    return torch.empty(0, dtype=torch.uint8).set_(storage, 0, (storage.nbytes(),), (1,)).numpy()


def same(storage: Any) -> Any:
    return storage


def own(content: Any, size: int, device: str, shared: bool) -> Any:
    import torch

    storage = torch.UntypedStorage(size)
    if size:
        memory(storage)[:] = __import__("numpy").frombuffer(content, "u1")
    if shared:
        storage.share_memory_()
    return storage if device == "cpu" else torch.empty(0, dtype=torch.uint8).set_(storage, 0, (size,), (1,)).to(device).untyped_storage()


def of_device(content: Any, size: int, position: int) -> Any:
    """What was on a GPU: here in host memory, until a cell with GPUs runs."""
    storage = own(content, size, "cpu", False)
    HOMES.note(storage, position)
    return storage


def borrow(array: Any, offset: int, size: int) -> Any:
    """A storage in the memory of an array."""
    import torch

    return torch.from_numpy(arrays.view(array, None, offset, (size,), (1,), __import__("numpy").dtype("u1"), True)).untyped_storage()


def typed(storage: Any, dtype: Any) -> Any:
    import torch

    return torch.storage.TypedStorage(wrap_storage=storage, dtype=dtype, _internal=True)


def over_storage(storage: Any, dtype: Any, offset: int, shape: Any, stride: Any, marks: tuple[bool, bool, bool]) -> Any:
    """A tensor without a history in a storage, conjugated, negated or of inference mode as `marks` say."""
    import torch

    conjugated, negated, inference = marks
    with torch.inference_mode(inference), torch.no_grad():
        if storage is None:
            return torch.empty_strided(shape, stride, dtype=dtype, device="meta")
        made = torch.empty(0, dtype=dtype, device=storage.device).set_(storage, offset, shape, stride)
        if conjugated:
            made = made.conj()
        return made._neg_view() if negated else made


def make(cls: Any, storage: Any, dtype: Any, offset: int, shape: Any, stride: Any, marks: Any, requires_grad: bool) -> Any:
    import torch

    made = over_storage(storage, dtype, offset, shape, stride, marks)
    if cls is torch.nn.Parameter:
        return torch.nn.Parameter(made, requires_grad)
    if cls is not None:
        made = torch.Tensor._make_subclass(cls, made, requires_grad)
    elif requires_grad:
        made.requires_grad_()
    return made


def view(base: Any, offset: int, shape: Any, stride: Any, requires_grad: bool, spoiled: bool) -> Any:
    import torch

    # A view that was made without recording refuses to be changed while recording.
    with torch.set_grad_enabled(not base.requires_grad):
        made = base.as_strided(shape, stride, offset)
        if spoiled:
            made.copy_(made.clone())
        return made if made.requires_grad or not requires_grad else made.requires_grad_()


def set_attributes(tensor: Any, state: dict[str, Any] | None) -> None:
    if not state:
        return
    if "dict" in state:
        tensor.__dict__.update(state["dict"])
    if "hooks" in state:
        tensor._backward_hooks = state["hooks"]
    if "after" in state:
        tensor._post_accumulate_grad_hooks = state["after"]
    if "grad" in state:
        tensor.grad = state["grad"]


def in_graph(cls: Any, storage: Any, dtype: Any, offset: int, shape: Any, stride: Any, marks: Any, pin: tuple[Any, ...]) -> Any:
    """A value in the middle of a computation: here the tensor itself, if the computation ran here."""
    import torch

    found = BOOK.resolve(Pin(*pin))
    if not isinstance(found, Placeholder):
        return found
    made = over_storage(storage, dtype, offset, shape, stride, marks)
    if cls is not None:
        made = made.as_subclass(cls)
    return _elsewhere().apply(torch.zeros((), requires_grad=True), made, pin_of(found))


def _elsewhere() -> Any:
    """The autograd function behind a value that was computed elsewhere. Made when torch is there."""
    global _ELSEWHERE
    if _ELSEWHERE is None:
        import torch

        class Elsewhere(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, _gate: Any, value: Any, pin: Pin) -> Any:
                ctx.nbos_pin = pin
                return value.view_as(value)

            @staticmethod
            def backward(ctx: Any, *_gradients: Any) -> Any:
                raise PinnedError(describe(ctx.nbos_pin), ctx.nbos_pin)

        _ELSEWHERE = Elsewhere
    return _ELSEWHERE


_ELSEWHERE: Any = None


def find_operator(name: str) -> Any:
    import torch

    found: Any = torch.ops
    for part in name.replace("::", ".").split("."):
        found = getattr(found, part)
    return found


def parametrized(cls: type, names: list[str]) -> Any:
    """A module of a class that torch makes for each module with parametrizations."""
    from torch.nn.utils import parametrize

    module = cls.__new__(cls)
    parametrize._inject_new_class(module)
    return module


def set_parametrized(module: Any, state: dict[str, Any]) -> None:
    from torch.nn.utils import parametrize

    module.__dict__.update(state)
    for name in module.parametrizations:
        parametrize._inject_property(module, name)


def over(storage: Any) -> Any:
    """A tensor in a storage."""
    import torch

    untyped = getattr(storage, "_untyped_storage", storage)
    return torch.empty(0, dtype=torch.uint8, device=untyped.device).set_(untyped, 0, (untyped.nbytes(),), (1,))
