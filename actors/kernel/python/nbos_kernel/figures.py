"""matplotlib: figures with their callbacks, and the figures that pyplot keeps."""

from __future__ import annotations

import itertools
import sys
import types
from typing import TYPE_CHECKING, Any

from cloudpickle import cloudpickle

from nbos_kernel.kinds import is_notebook_class
from nbos_kernel.places import PLACE_PREFIX, Place, Scope
from nbos_kernel.registry import reduces_all

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

# A figure that no variable holds is changed through pyplot.
_REACHED_BY = frozenset(
    "plt pyplot pylab gcf gca figure subplots subplot plot hist scatter bar imshow title xlabel ylabel savefig show close sns seaborn".split()
)
MEMBER = PLACE_PREFIX + "pyplot"


@reduces_all("matplotlib.figure.Figure")
def reduce_figure(pickler: StatePickler, figure: Any) -> Any:
    """Without its place in pyplot: that is a place of its own, or every load would open another window."""
    reduced = pickler.ordinary(figure)
    if len(reduced) > 2 and isinstance(reduced[2], dict):
        reduced[2].pop("_restore_to_pylab", None)
    return reduced


@reduces_all("matplotlib.cbook.CallbackRegistry")
def reduce_callbacks(pickler: StatePickler, callbacks: Any) -> Any:
    """matplotlib drops most callbacks; what they are about is here, so they are kept."""
    reduced = pickler.ordinary(callbacks)
    if len(reduced) < 3 or not isinstance(reduced[2], dict) or "callbacks" not in reduced[2]:
        return reduced
    kept = {
        signal: {number: func for number, func in _alive(connected) if number in callbacks._pickled_cids or _stays_valid(func)}
        for signal, connected in callbacks.callbacks.items()
    }
    # Asking for the state took a number: the next one to be given is the same here, there, and without a capture.
    callbacks._cid_gen = itertools.count(reduced[2]["_cid_gen"])
    return (*reduced[:2], {**reduced[2], "callbacks": kept}, *reduced[3:])


def _alive(connected: dict[int, Any]) -> list[tuple[int, Any]]:
    return [(number, func) for number, func in ((number, proxy()) for number, proxy in connected.items()) if func is not None]


def _stays_valid(func: Any) -> bool:
    if isinstance(func, types.MethodType):
        owner = type(func.__self__)
        # A colour bar follows its image by a callback; what belongs to a window is made with the window.
        return is_notebook_class(owner) or (owner.__module__.startswith("matplotlib.") and "backend" not in owner.__module__)
    return isinstance(func, types.FunctionType) and not cloudpickle._should_pickle_by_reference(func)


class Pyplot(Place):
    """The open figures and which is the current one."""

    def members(self) -> dict[str, Any]:
        helpers = sys.modules.get("matplotlib._pylab_helpers")
        figures = getattr(getattr(helpers, "Gcf", None), "figs", None)
        if not figures:
            return {}
        return {MEMBER: tuple((number, manager.canvas.figure) for number, manager in figures.items())}

    def hot(self, member: str, scope: Scope) -> bool:
        return scope.reaches(_REACHED_BY)

    def owns(self, member: str) -> bool:
        return member == MEMBER

    def install(self, member: str, value: Any) -> None:
        from matplotlib import pyplot
        from matplotlib._pylab_helpers import Gcf

        self.remove(member)
        backend = pyplot._get_backend_mod()
        for number, figure in value:
            manager = backend.new_figure_manager_given_figure(number, figure)
            if figure.get_label():
                manager.set_window_title(figure.get_label())
            Gcf._set_new_active_manager(manager)

    def remove(self, member: str) -> None:
        helpers = sys.modules.get("matplotlib._pylab_helpers")
        if helpers is not None:
            helpers.Gcf.figs.clear()
