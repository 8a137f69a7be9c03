"""What counts as the notebook's change of an installed module, and what of it can be taken back."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator

import pytest

from nbos_kernel.modules import TRACKED, Modules
from nbos_kernel.originals import MISSING, ORIGINALS
from nbos_kernel.patches import PREFIX, Patches
from nbos_kernel.places import Scope
from nbos_kernel.tables import _change, _difference


@pytest.fixture
def library() -> Iterator[types.ModuleType]:
    """A module that nobody else uses, as if it were installed."""
    import colorsys

    saved = dict(vars(colorsys))
    yield colorsys
    vars(colorsys).clear()
    vars(colorsys).update(saved)


def made(library: types.ModuleType) -> tuple[Patches, dict[str, object]]:
    space: dict[str, object] = {"lib": library}
    patches = Patches(space)
    patches.before(Scope({"lib"}))
    return patches, space


def test_an_attribute_that_the_cell_sets_is_a_patch_until_it_is_put_back(library: types.ModuleType) -> None:
    patches, _ = made(library)
    scope = Scope({"lib", "rgb_to_hls"}, stores={"rgb_to_hls"})
    original = library.rgb_to_hls
    patches.before(scope)
    library.rgb_to_hls = len  # type: ignore[assignment]
    patches.look(scope)
    assert patches.members() == {f"{PREFIX}colorsys:rgb_to_hls": (len,)}
    assert ORIGINALS.get("colorsys", "rgb_to_hls") is original and ORIGINALS.names[id(original)] == ("colorsys", "rgb_to_hls")
    library.rgb_to_hls = original
    patches.look(Scope())
    assert patches.members() == {} and ORIGINALS.saved("colorsys", "rgb_to_hls") is MISSING and id(original) not in ORIGINALS.names


def test_what_the_library_does_to_itself_is_no_patch(library: types.ModuleType) -> None:
    patches, _ = made(library)
    library._cache = {}  # type: ignore[attr-defined]
    library.lazy = types.ModuleType("lazy")  # type: ignore[attr-defined]
    patches.look(Scope({"lib", "lazy"}))
    assert patches.members() == {}


def test_installing_and_removing(library: types.ModuleType) -> None:
    patches, _ = made(library)
    member = f"{PREFIX}colorsys:mine"
    patches.install(member, (7,))
    assert library.mine == 7
    patches.remove(member)
    assert not hasattr(library, "mine")
    patches.install(f"{PREFIX}colorsys:ONE_THIRD", ())
    assert not hasattr(library, "ONE_THIRD")
    patches.remove(f"{PREFIX}colorsys:ONE_THIRD")
    assert library.ONE_THIRD == 1 / 3


def test_modules_without_an_installation_travel_by_value() -> None:
    modules = Modules()
    made_here = types.ModuleType("nbos_test_made_here")
    sys.modules["nbos_test_made_here"] = made_here
    try:
        modules.look(Scope())
        identity = TRACKED.identity(made_here)
        assert identity is not None and TRACKED.identity(types) is None and TRACKED.of_globals(vars(made_here)) == identity
        assert any(value[0] == "nbos_test_made_here" and value[1] == ("nbos_test_made_here",) for value in modules.members().values())
    finally:
        del sys.modules["nbos_test_made_here"]


@pytest.mark.parametrize(
    "own,now",
    [({"a": 1}, {"a": 2, "b": 3}), ({"a": 1}, {}), ([1, 2], [2, 1]), ([1], []), ({1, 2}, {2, 3}), ({"a": 1}, {"a": 1})],
)
def test_a_table_becomes_what_it_was_elsewhere(own: object, now: object) -> None:
    difference = _difference(own, now)
    here = type(own)(own)  # type: ignore[call-arg]
    if difference is None:
        assert own == now
        return
    _change(here, own, difference)
    assert here == now
    _change(here, own, ((), ()))
    assert here == own
