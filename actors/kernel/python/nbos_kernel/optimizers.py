"""torch optimizers: their pickle protocol keeps three attributes and forgets hooks, caches and what a notebook added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbos_kernel import registry

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

# What a scheduler or torch's profiler puts there again.
_MADE_AGAIN = frozenset({"step", "_zero_grad_profile_name", "_patch_step_function", "_warned_capturable_if_run_uncaptured"})


@registry.reduces_all("torch.optim.optimizer.Optimizer")
def optimizer(pickler: StatePickler, it: Any) -> Any:
    reduced = pickler.ordinary(it)
    if not isinstance(reduced, tuple) or len(reduced) < 3 or not isinstance(reduced[2], dict) or any(reduced[3:]):
        return reduced
    more = {name: value for name, value in vars(it).items() if name not in reduced[2] and name not in _MADE_AGAIN}
    return *reduced[:2], (reduced[2], more), None, None, set_optimizer


def set_optimizer(it: Any, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Named in payloads: see ``rebuild``."""
    own, more = state
    it.__setstate__(own)
    it.__dict__.update(more)
