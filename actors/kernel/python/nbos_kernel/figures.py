"""matplotlib: figures with their callbacks, and the figures that pyplot keeps."""

from __future__ import annotations

import functools
import itertools
import sys
import types
from typing import TYPE_CHECKING, Any

from nbos_kernel.places import PLACE_PREFIX, Place, Scope
from nbos_kernel.rebuild import bare
from nbos_kernel.registry import reduces_all

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

# A figure that no variable holds is changed through pyplot.
_REACHED_BY = frozenset(
    "plt pyplot pylab gcf gca figure subplots subplot plot hist scatter bar imshow title xlabel ylabel savefig show close sns seaborn".split()
)
MEMBER = PLACE_PREFIX + "pyplot"
_WINDOWS = ("matplotlib.backend", "matplotlib._pylab_helpers", "matplotlib_inline", "ipympl")
# Of a canvas: kept by the backend while it draws.
_DRAWN = frozenset({"toolbar", "renderer", "_lastKey", "_blit_backgrounds"})
# Of a manager: made by its constructor for this canvas.
_CONNECTED = ("toolbar", "toolmanager", "key_press_handler_id", "button_press_handler_id", "scroll_handler_id", "_cidgcf")


@reduces_all("matplotlib.figure.Figure")
def reduce_figure(pickler: StatePickler, figure: Any) -> Any:
    """With its canvas, and without its place in pyplot: that is a place of its own, or every load would open another window."""
    reduced = pickler.ordinary(figure)
    if len(reduced) < 3 or any(it is not None for it in reduced[3:]) or not isinstance(reduced[2], dict):
        return reduced
    reduced[2].pop("_restore_to_pylab", None)
    return (*reduced[:2], (reduced[2], figure.canvas if _draws_alone(figure.canvas) else None), None, None, set_figure)


@reduces_all("matplotlib.backend_bases.FigureCanvasBase")
def reduce_canvas(pickler: StatePickler, canvas: Any) -> Any:
    """With what was drawn last, which the notebook may ask for without drawing again."""
    if not _draws_alone(canvas):
        return pickler.ordinary(canvas)
    state = {name: value for name, value in vars(canvas).items() if name not in _DRAWN}
    renderer = vars(canvas).get("renderer")
    drawn = None
    if type(renderer).__name__ == "RendererAgg":
        drawn = (renderer.width, renderer.height, renderer.dpi, bytes(renderer.buffer_rgba()), canvas._lastKey)
    return bare, (type(canvas),), (state, drawn), None, None, set_canvas


@reduces_all("matplotlib.backend_bases.FigureManagerBase")
def reduce_manager(pickler: StatePickler, manager: Any) -> Any:
    """What connects it is connected again when its figure gets its place in pyplot."""
    if not _draws_alone(manager.canvas):
        return pickler.ordinary(manager)
    return bare, (type(manager),), {**vars(manager), **dict.fromkeys(_CONNECTED)}, None, None, set_manager


@reduces_all("matplotlib.RcParams")
def reduce_parameters(pickler: StatePickler, parameters: Any) -> Any:
    """With the very values: set one by one, each would be made anew, and copies of the parameters share their lists."""
    known = pickler.singleton(parameters)
    if known is not None:
        return known
    values = dict(dict.items(parameters))
    open_backend = values.get("backend") is _no_backend()
    if open_backend:
        del values["backend"]
    return bare, (type(parameters),), (dict(vars(parameters)), values, open_backend), None, None, set_parameters


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
    """A colour bar follows its image by a callback; a window connects itself again when it is made."""
    while isinstance(func, functools.partial):
        func = func.func
    if isinstance(func, (types.MethodType, types.BuiltinMethodType)) and not isinstance(func.__self__, types.ModuleType):
        func = type(func.__self__)
    home = getattr(func, "__module__", None) or type(func).__module__
    return not home.startswith(_WINDOWS)


def _draws_alone(canvas: Any) -> bool:
    """A canvas of matplotlib itself that draws into memory, not into a window."""
    cls = type(canvas)
    return cls.__module__.startswith("matplotlib.") and getattr(cls, "required_interactive_framework", None) is None


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
            manager = _managed(backend, number, figure)
            if figure.get_label():
                manager.set_window_title(figure.get_label())
            Gcf._set_new_active_manager(manager)

    def remove(self, member: str) -> None:
        helpers = sys.modules.get("matplotlib._pylab_helpers")
        if helpers is not None:
            helpers.Gcf.figs.clear()


def _managed(backend: Any, number: int, figure: Any) -> Any:
    """The manager of a figure, with the canvas and as the object that came with the figure."""
    canvas = figure.canvas
    manager = backend.new_figure_manager_given_figure(number, figure)
    if type(canvas) is not type(manager.canvas):
        return manager
    known = canvas.manager
    manager.canvas = canvas
    figure.set_canvas(canvas)
    if type(known) is type(manager):
        vars(known).update(vars(manager))
        manager = known
    canvas.manager = manager
    return manager


# What payloads call.


def _no_backend() -> Any:
    """What stands for a backend that was not chosen yet."""
    return getattr(sys.modules.get("matplotlib.rcsetup"), "_auto_backend_sentinel", None)


def set_parameters(parameters: Any, state: tuple[dict[str, Any], dict[str, Any], bool]) -> None:
    own, values, open_backend = state
    vars(parameters).update(own)
    dict.update(parameters, values)
    if open_backend:
        dict.__setitem__(parameters, "backend", _no_backend())


def set_figure(figure: Any, state: tuple[dict[str, Any], Any]) -> None:
    own, canvas = state
    figure.__setstate__(own)
    if canvas is not None:
        figure.set_canvas(canvas)


def set_canvas(canvas: Any, state: tuple[dict[str, Any], Any]) -> None:
    own, drawn = state
    vars(canvas).update({"toolbar": None, "_blit_backgrounds": {}, **own})
    if drawn is not None:
        from matplotlib.backends.backend_agg import RendererAgg

        width, height, dpi, pixels, key = drawn
        canvas.renderer, canvas._lastKey = RendererAgg(width, height, dpi), key
        memoryview(canvas.renderer._renderer).cast("B")[:] = pixels


def set_manager(manager: Any, state: dict[str, Any]) -> None:
    vars(manager).update(state)
    vars(manager).pop("_cidgcf", None)
