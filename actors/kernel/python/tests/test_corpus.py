"""The corpus, one pytest case for a case and a way: see `corpus` for the ways and for how to try one.

Everything in every way takes most of an hour on two cores, so by default about every second case runs in one way. The
names of a case and its theme alone say whether and which (`in_short_run`), so that a new case changes nothing for
the others; ``NBOS_CORPUS_ALL=1`` runs all of it. Cases that import torch are skipped where it is not installed.
"""

from __future__ import annotations

import importlib.util
import os
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import corpus
import pytest
from corpus import Case


def in_short_run(case: Case, way: str) -> bool:
    """The sum is the same in every process and on every machine, unlike ``hash``."""
    half, place = divmod(zlib.crc32(f"{case.theme}-{case.name}".encode()) % (2 * len(corpus.WAYS)), len(corpus.WAYS))
    return half == 0 and corpus.WAYS[place] == way


EVERY = [(case, way) for path in corpus.themes() for case in corpus.read(path) for way in corpus.WAYS]
CASES = EVERY if os.environ.get("NBOS_CORPUS_ALL") else [(case, way) for case, way in EVERY if in_short_run(case, way)]
HAS_TORCH = importlib.util.find_spec("torch") is not None
IDS = [f"{case.theme}-{case.name}-{way}" for case, way in CASES]

Outcome = Callable[[Case, str], "str | None"]


@pytest.fixture(scope="module")
def outcome(request: pytest.FixtureRequest) -> Iterator[Outcome]:
    """Runs the packs of the selected cases once, two at a time: much of their time is waiting for processes."""
    chosen = [item.callspec.params for item in request.session.items if item.module.__name__ == __name__ and hasattr(item, "callspec")]
    packs: dict[tuple[str, str], list[Case]] = {}
    for params in chosen:
        if not HAS_TORCH and needs_torch(params["case"]):
            continue
        packs.setdefault((params["case"].theme, params["way"]), []).append(params["case"])
    with ThreadPoolExecutor(2) as pool:
        jobs: dict[tuple[str, str, str], Future[dict[str, str | None]]] = {}
        for (theme, way), cases in packs.items():
            for pack in corpus.packs(cases):
                job = pool.submit(corpus.run, pack, way)
                jobs.update({(theme, case.name, way): job for case in pack})
        yield lambda case, way: jobs[case.theme, case.name, way].result().get(case.name)
        for job in jobs.values():
            job.cancel()


def needs_torch(case: Case) -> bool:
    return any("torch" in code for code in (case.check, *(cell.code for cell in case.cells)))


@pytest.mark.parametrize("case,way", CASES, ids=IDS)
def test_case(case: Case, way: str, outcome: Outcome, request: pytest.FixtureRequest) -> None:
    if "open" in case.marks and way != "control":
        request.applymarker(pytest.mark.xfail(reason="known not to hold yet", strict=False))
    if not HAS_TORCH and needs_torch(case):
        pytest.skip("torch is not installed")
    problem = outcome(case, way)
    assert problem is None, problem
