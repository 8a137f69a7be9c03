"""torch optimizers, scalers of gradients and compiled modules: their pickle protocol forgets hooks, caches and what was added to them."""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any

from nbos_kernel import registry

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

# What torch puts there again.
_MADE_AGAIN = frozenset({"_zero_grad_profile_name", "_patch_step_function", "_warned_capturable_if_run_uncaptured"})


@registry.reduces_all("torch.optim.optimizer.Optimizer")
def optimizer(pickler: StatePickler, it: Any) -> Any:
    reduced = pickler.ordinary(it)
    if not isinstance(reduced, tuple) or len(reduced) < 3 or not isinstance(reduced[2], dict) or any(reduced[3:]):
        return reduced
    more = {name: value for name, value in vars(it).items() if name not in reduced[2] and name not in _MADE_AGAIN}
    # The step that a scheduler wrapped, to see that it is called: made again there.
    followed = hasattr(more.get("step"), "_wrapped_by_lr_sched") and more.pop("step") is not None
    return *reduced[:2], (reduced[2], more, followed), None, None, set_optimizer


@registry.reduces_all("torch._dynamo.eval_frame.OptimizedModule")
def compiled(pickler: StatePickler, it: Any) -> Any:
    """What its protocol gives makes one without what ``torch.compile`` puts on it."""
    reduced = pickler.ordinary(it)
    if not isinstance(reduced, tuple) or len(reduced) != 2 or "get_compiler_config" not in vars(it):
        return reduced
    return compile_again, reduced[1]


@registry.reduces_all("torch.amp.grad_scaler.GradScaler")
def scaler(pickler: StatePickler, it: Any) -> Any:
    """Its protocol gives numbers in place of its tensors, from which the next step makes others."""
    reduced = pickler.ordinary(it)
    if not isinstance(reduced, tuple) or len(reduced) < 3 or type(reduced[2]) is not dict or reduced[2].keys() != vars(it).keys():
        return reduced
    return *reduced[:2], dict(vars(it)), *reduced[3:]


# A context is made with these, or enters them.
_OF_CONTEXTS = frozenset({"callback", "_backend_ctx_ctor", "prior", "first_ctx", "enter_exit_hooks", "cleanup_fns", "_package"})


@registry.reduces_all("torch._dynamo.eval_frame.OptimizeContext")
def context(pickler: StatePickler, it: Any) -> Any:
    """Its protocol forgets most of what ``torch.compile`` was told (``fullgraph``)."""
    reduced = pickler.ordinary(it)
    if not isinstance(reduced, tuple) or len(reduced) != 3 or type(reduced[2]) is not dict:
        return reduced
    return *reduced[:2], {name: value for name, value in vars(it).items() if name not in _OF_CONTEXTS}


def compile_again(module: Any, context: Any) -> Any:
    """Named in payloads: see ``rebuild``."""
    return context(module)


def set_optimizer(it: Any, state: tuple[dict[str, Any], dict[str, Any], bool]) -> None:
    """Named in payloads: see ``rebuild``."""
    own, more, followed = state
    tables = [(table, dict(table)) for table in (own.get("defaults"), *own.get("param_groups", ())) if type(table) is dict]
    it.__setstate__(own)
    for table, content in tables:  # torch adds what optimizers of older versions lack
        if table.keys() != content.keys():
            table.clear()
            table.update(content)
    it.__dict__.update(more)
    if followed:
        _follow(it)


def _follow(it: Any) -> None:
    """As schedulers do: they warn about an optimizer whose first step came after theirs."""
    step, known = type(it).step, weakref.ref(it)

    @functools.wraps(step)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        optimizer = known()
        optimizer._opt_called = True
        return step.__get__(optimizer, type(optimizer))(*args, **kwargs)

    wrapper._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    it.step = wrapper
