"""pandas: frames that share blocks go on sharing them, with the counts that copy-on-write needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbos_kernel.registry import reduces, reduces_all, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

# What is made again with a frame. Anything else that is in its dictionary and not in its state was put there by the
# notebook, or belongs to a class whose `_metadata` leaves out what pandas has in its own (a series' name).
_MADE_AGAIN = frozenset({"_mgr", "_flags", "_item_cache", "_is_copy", "_metadata"})


class Sharing:
    """Stands for the list of blocks that share one piece of memory."""

    __slots__ = ("references",)

    def __init__(self) -> None:
        self.references: Any = None

    def __reduce__(self) -> Any:
        return Sharing, ()


@reduces_all("pandas._libs.internals.Block")
def reduce_block(pickler: StatePickler, block: Any) -> Any:
    references = getattr(block, "refs", None)
    if references is None:
        return pickler.ordinary(block)
    sharing, _ = pickler.made.setdefault(("blocks", id(references)), (Sharing(), references))
    return make_block, (block.values, block.mgr_locs.indexer, block.ndim, sharing)


@reduces_all("pandas.core.internals.managers.SingleBlockManager")
def reduce_manager(_pickler: StatePickler, manager: Any) -> Any:
    """That of a series: what pandas says of it leaves out with whom it shares its memory."""
    return make_manager, (type(manager), manager.blocks[0], manager.axes[0])


@reduces_all("pandas.core.generic.NDFrame")
def reduce_frame(pickler: StatePickler, frame: Any) -> Any:
    reduced = pickler.ordinary(frame)
    if len(reduced) < 3 or any(it is not None for it in reduced[3:]) or not isinstance(reduced[2], dict):
        return reduced
    own = frame.__dict__
    # An attribute that was never set is None there, and `attrs` would become another dictionary.
    state = {name: value for name, value in reduced[2].items() if name != "attrs" and (name in own or name not in frame._metadata)}
    extras = {name: value for name, value in own.items() if name not in _MADE_AGAIN and name not in state}
    return (*reduced[:2], (state, extras), None, None, set_frame)


@reduces("pandas.core.flags.Flags", "pandas.Flags")
def reduce_flags(pickler: StatePickler, flags: Any) -> Any:
    frame = flags._obj()
    return (flags_of, (frame,)) if frame is not None and frame.flags is flags else pickler.ordinary(flags)


@walks("pandas.core.indexes.base.Index")
def of_index(index: Any) -> tuple[Any, ...]:
    """What is in it cannot change, but for objects."""
    return tuple(index) if index.dtype == object and index.nlevels == 1 else ()


# What payloads call.


def make_block(values: Any, places: Any, dimensions: int, sharing: Sharing) -> Any:
    from pandas._libs.internals import BlockPlacement
    from pandas.core.internals.blocks import ensure_block_shape, get_block_type

    values = ensure_block_shape(values, dimensions)
    made = get_block_type(values.dtype)(values, placement=BlockPlacement(places), ndim=dimensions, refs=sharing.references)
    sharing.references = made.refs
    return made


def flags_of(frame: Any) -> Any:
    return frame.flags


def make_manager(cls: Any, block: Any, axis: Any) -> Any:
    return cls(block, axis)


def set_frame(frame: Any, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    frame.__setstate__(state[0])
    for name, value in state[1].items():
        object.__setattr__(frame, name, value)
