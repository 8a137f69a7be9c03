"""Audit mode: what would be wrong on another host is found, named and kept from going there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from replica import Child, Manifest

# A rule of the pickler that is wrong, as one of ours might be.
LOSES = '''
from nbos_kernel import registry
class Loses:
    def __init__(self): self.x, self.lost = 1, [5]
@registry.reduces("__main__.Loses")
def loses(pickler, it): return Loses, (), {"x": it.x}
'''
COPIES = '''
from nbos_kernel import registry
class Copies:
    def __init__(self, of): self.of = of
@registry.reduces("__main__.Copies")
def copies(pickler, it): return Copies, (list(it.of),)
'''


@pytest.fixture
def audited() -> Iterator[Child]:
    made = Child(arguments=["--audit"]).ready()
    yield made
    made.close()
    shutil.rmtree(made.dir, ignore_errors=True)


def pinned(delta: dict) -> list[str]:
    return [entry["name"] for entry in delta["pinned"]]


def test_a_lost_attribute_is_named_and_pinned(audited: Child) -> None:
    audited.execute(LOSES)
    result = audited.execute("bad = Loses(); bad.lost.append(6); fine = [1]")
    assert result.status == "ok" and "NB0905: variable 'bad'" in result.stderr and "bad.lost is here list 2 and there list 1" in result.stderr
    assert pinned(result.delta) == ["bad"] and "NB0901" not in result.stderr
    # It works on here, is not reported again, and the others are not held up.
    again = audited.execute("bad.x = 7; fine.append(2); bad.lost")
    assert again.text == "[5, 6]" and "NB0905" not in again.stderr and pinned(again.delta) == ["bad"]
    assert pinned(audited.execute("bad = 0").delta) == []


def test_a_broken_alias_is_named_and_pinned(audited: Child) -> None:
    audited.execute(COPIES)
    result = audited.execute("base = [1]; copy = Copies(base)")
    assert "NB0905: variable 'copy'" in result.stderr and "same as base" in result.stderr
    assert pinned(result.delta) == ["copy"]
    assert pinned(audited.execute("base.append(2)").delta) == ["copy"]


def test_other_hosts_get_a_placeholder(audited: Child) -> None:
    other, manifest = Child("h2").ready(), Manifest()
    try:
        for cell in (LOSES, "bad = Loses(); bad.lost.append(6); beside = {'k': [bad]}; fine = [1]"):
            manifest.take(audited.execute(cell), audited.host)
            assert manifest.follow(other) == []
        assert other.execute("fine").text == "[1]"
        for cell in ("bad.lost", "beside['k']"):
            refused = other.execute(cell)
            assert refused.ename == "PinnedError" and "NB0905" in refused.evalue
    finally:
        other.close()


def test_ordinary_sessions_are_quiet(audited: Child) -> None:
    cells = (
        "import collections, enum, functools, numpy as np",
        "a = [1, {2, 'x'}]; b = {'a': a, 'n': float('nan')}; t = (a, b)",
        "class Node:\n    __slots__ = ('next', 'v')\nn = Node(); n.next, n.v = n, a",
        "class Kind(enum.Enum):\n    ONE = 1\n    TWO = 'two'\nk = {Kind.ONE: [Kind.TWO]}",
        "def outer():\n    count = 0\n    def inc():\n        nonlocal count\n        count += 1\n        return count\n    return inc\ninc = outer(); inc()",
        "m = np.arange(12.).reshape(3, 4); v = m[1:, ::2]; big = np.zeros(200_000)",
        "v[0] = 7; big[5] = 1; a.append(b)",
        "p = functools.partial(outer, *[]); d = collections.defaultdict(list, x=[a]); dq = collections.deque([1], maxlen=3)",
        "g = (i for i in range(3)); next(g)",
        "1/0",
        "e = ValueError('x', [1]); s = {frozenset({1, 2}), ('y', 3)}",
        "del a, b",
    )
    for cell in cells:
        result = audited.execute(cell)
        assert "NB0905" not in result.stderr, result.stderr
    cost = audited.execute("pass").delta["took_us"]
    print(f"audit: {cost} µs for a cell beside {len(cells)} small variables")


def test_what_came_from_elsewhere_is_known(audited: Child) -> None:
    other, manifest = Child("h2").ready(), Manifest()
    try:
        manifest.take(other.execute("import numpy as np; big = np.arange(3_000_000); shared = [1]; also = shared"), other.host)
        assert manifest.follow(audited) == []
        result = audited.execute("also.append(2); big[0] = 5; mine = shared")
        assert "NB0905" not in result.stderr
    finally:
        other.close()


def test_an_audit_that_ends_is_said_once(audited: Child) -> None:
    audited.execute("import os, signal; os.kill(get_ipython().kernel._audit._process.pid, signal.SIGKILL)")
    said = [audited.execute(f"x{i} = {i}") for i in range(3)]
    assert sum("the audit of this session ended" in it.stderr for it in said) <= 1
    assert all(it.status == "ok" and it.delta["groups"] for it in said)
