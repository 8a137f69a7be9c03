"""Every case of `sequences`, three ways: a standby that follows, a fresh process that is rebuilt, and an
executor that changes after every cell."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from replica import Child, Manifest, Result
from sequences import SESSIONS, Case

CASES = [(name, case) for name, cases in SESSIONS.items() for case in cases]
IDS = [f"{name}-{case.name}" for name, case in CASES]


def start(count: int, cwd: str) -> list[Child]:
    """Processes on different hosts that share a home directory."""
    return [child.ready() for child in [Child(f"h{i + 1}", cwd=cwd) for i in range(count)]]


def run(child: Child, cell: str) -> Result:
    result = child.execute(cell)
    expected = "error" if cell.startswith("# raises") else "ok"
    assert result.status == expected, f"{cell}\n{result.evalue}\n{result.stderr}\n{result.reply.get('traceback')}"
    assert "NB0904" not in result.stderr, result.stderr
    return result


def check(child: Child, code: str) -> str | None:
    """What is wrong, or None. Silent: a check leaves no trace in the history."""
    result = child.execute(code, silent=True)
    return None if result.status == "ok" else f"{result.ename}: {result.evalue}\n{code}\n{chr(10).join(result.reply['traceback'][-3:])}"


def guarded(problems: dict[str, str], case: Case, step: Callable[..., str | None], *args: Any) -> None:
    try:
        problem = step(*args)
    except AssertionError as error:
        problem = str(error)
    if problem:
        problems.setdefault(case.name, problem)


def followed(name: str) -> tuple[dict[str, str], dict[str, str]]:
    """The problems of a session's cases: on a standby, and on a fresh process at the end."""
    cwd = tempfile.mkdtemp(prefix="nbk")
    executor, standby = start(2, cwd)
    manifest, number = Manifest(), 0
    on_standby: dict[str, str] = {}
    on_fresh: dict[str, str] = {}
    try:
        for case in SESSIONS[name]:
            for cell in case.cells:
                number += 1
                try:
                    result = run(executor, cell)
                except AssertionError as error:
                    on_standby.setdefault(case.name, f"the cell itself: {error}")
                    continue
                frame = manifest.merge(result.delta, result.body, executor.host, number)
                failed = standby.apply(frame, result.body)
                if failed:
                    on_standby.setdefault(case.name, f"not applied: {failed}")
            guarded(on_standby, case, check, standby, case.check)
        (fresh,) = start(1, cwd)
        try:
            failed = fresh.apply(*manifest.rebuild())
            if failed:
                on_fresh.update(dict.fromkeys((c.name for c in SESSIONS[name]), f"not applied: {failed}"))
            for case in SESSIONS[name]:
                guarded(on_fresh, case, check, fresh, case.check)
        finally:
            finish(fresh)
    finally:
        finish(executor)
        finish(standby)
        shutil.rmtree(cwd, ignore_errors=True)
    return on_standby, on_fresh


def alternated(name: str) -> dict[str, str]:
    cwd = tempfile.mkdtemp(prefix="nbk")
    pair = start(2, cwd)
    manifest, number = Manifest(), 0
    problems: dict[str, str] = {}
    try:
        for case in SESSIONS[name]:
            for cell in case.cells:
                runner, other = pair[number % 2], pair[(number + 1) % 2]
                number += 1
                try:
                    result = run(runner, cell)
                except AssertionError as error:
                    if "PinnedError" not in str(error):  # a clear refusal is the right answer to a pinned variable
                        problems.setdefault(case.name, f"the cell itself: {error}")
                    result = None
                if result is not None:
                    frame = manifest.merge(result.delta, result.body, runner.host, number)
                    failed = other.apply(frame, result.body)
                    if failed:
                        problems.setdefault(case.name, f"not applied: {failed}")
            guarded(problems, case, check, pair[number % 2], case.check)
    finally:
        for child in pair:
            finish(child)
        shutil.rmtree(cwd, ignore_errors=True)
    return problems


def finish(child: Child) -> None:
    child.close()
    shutil.rmtree(child.dir, ignore_errors=True)


Outcome = Callable[[Callable[[str], Any], str], Any]


@pytest.fixture(scope="module")
def outcome() -> Iterator[Outcome]:
    """Runs every session once, two at a time: most of their time is spent waiting for processes to start."""
    with ThreadPoolExecutor(2) as pool:
        jobs = {(step, name): pool.submit(step, name) for name in SESSIONS for step in (followed, alternated)}
        yield lambda step, name: jobs[step, name].result()
        for job in jobs.values():
            job.cancel()


@pytest.mark.parametrize("name,case", CASES, ids=IDS)
def test_standby(name: str, case: Case, outcome: Outcome) -> None:
    problem = outcome(followed, name)[0].get(case.name)
    assert problem is None, problem


@pytest.mark.parametrize("name,case", CASES, ids=IDS)
def test_rebuild(name: str, case: Case, outcome: Outcome) -> None:
    problem = outcome(followed, name)[1].get(case.name)
    assert problem is None, problem


@pytest.mark.parametrize("name,case", CASES, ids=IDS)
def test_ping_pong(name: str, case: Case, outcome: Outcome) -> None:
    problem = outcome(alternated, name).get(case.name)
    assert problem is None, problem
