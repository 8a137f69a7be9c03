"""A kernel that was forked, or started ahead and then told for whom it is, is like one that was started the ordinary way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from replica import Child, Manifest, Result

LOOK = """
import json, os, sys
print(json.dumps({
    "argv": [os.path.basename(word) for word in sys.argv[:2]], "orig_argv": sys.orig_argv[1:4], "path": sys.path[1:],
    "modules": sorted(sys.modules), "here": os.getcwd() == sys.path[0],
    "main": sorted(name for name in vars(sys.modules["__main__"]) if name.startswith("__")),
    "descriptors": len(os.listdir("/proc/self/fd")), "stdin": os.readlink("/proc/self/fd/0"),
}))
"""


@pytest.fixture
def pair() -> Iterator[tuple[Child, Child]]:
    made = Child("h1", fork=True).ready(), Child("h2", fork=False).ready()
    yield made
    for one in made:
        one.end()


def changes(result: Result) -> set[str]:
    """Keys of what a cell changed."""
    return {group["key"] for group in result.delta["groups"]}


def test_a_fork_cannot_be_told_from_a_start(pair: tuple[Child, Child]) -> None:
    forked, started = pair
    first = [changes(child.execute("pass")) for child in pair]
    assert first[0] == first[1]
    forked_look, started_look = (child.execute(LOOK).text for child in pair)
    assert forked_look == started_look
    assert forked.execute("__import__('random').random()").text != started.execute("__import__('random').random()").text


def test_forks_share_no_secrets_and_no_numbers() -> None:
    children = [Child(f"h{number}").ready() for number in (1, 2)]
    code = "import multiprocessing, random, uuid; print(bytes(multiprocessing.current_process().authkey).hex(), random.random(), uuid.uuid4())"
    seen = [child.execute(code).text.split() for child in children]
    assert all(one != other for one, other in zip(*seen, strict=True))
    for child in children:
        child.end()


def begin(child: Child, env: dict[str, str], cwd: Path) -> None:
    child.send({"t": "begin", "env": env, "cwd": str(cwd)})
    answer, _ = child.frame()
    assert answer == {"t": "begun"}


def test_what_a_kernel_is_given_is_its_start(child: Child, tmp_path: Path) -> None:
    begin(child, {"KERNEL_USERNAME": "ada"}, tmp_path)
    here: Any = str(tmp_path)
    look = "import os, sys; print([os.getcwd(), sys.path[0], str(_dh[0]), get_ipython().starting_dir, os.environ['KERNEL_USERNAME']])"
    result = child.execute(look)
    assert result.text == f"{[here, here, here, here, 'ada']}\n"
    other = Child("h2").ready()
    begin(other, {"KERNEL_USERNAME": "ada"}, tmp_path / "..")
    # Nothing of it is a change of the notebook: the other keeps its own place. What the notebook changes then is one.
    failed = other.apply(*merged(result))
    assert failed == [] and other.execute("import os; os.getcwd()").text == repr(os.path.realpath(tmp_path / ".."))
    moved = child.execute("os.environ['KERNEL_USERNAME'] = 'grace'")
    assert other.apply(*merged(moved)) == []
    assert other.execute("os.environ['KERNEL_USERNAME']").text == "'grace'"
    other.end()


def merged(result: Result) -> tuple[dict[str, Any], bytes]:
    return Manifest().merge(result.delta, result.body, "h1", 1)


def test_the_search_path_of_one_that_was_started_at_once_is_understood(tmp_path: Path) -> None:
    at_once, ahead = Child("h1").ready(), Child("h2").ready()
    begin(ahead, {}, tmp_path)
    before = ahead.execute("import sys; print(sys.path[1:])").text
    assert ahead.apply(*merged(at_once.execute("import sys; sys.path.append('/added')"))) == []
    assert ahead.execute("print(sys.path[1:])").text == before.rstrip("]\n") + ", '/added']\n"
    for child in (at_once, ahead):
        child.end()
