"""Every case of the corpus in every way, one pytest case each: see `corpus` for the ways and for how to try one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import corpus
import pytest
from corpus import Case

CASES = [(case, way) for path in corpus.themes() for case in corpus.read(path) for way in corpus.WAYS]
IDS = [f"{case.theme}-{case.name}-{way}" for case, way in CASES]

Outcome = Callable[[Case, str], "str | None"]


@pytest.fixture(scope="module")
def outcome(request: pytest.FixtureRequest) -> Iterator[Outcome]:
    """Runs the packs of the selected cases once, two at a time: much of their time is waiting for processes."""
    chosen = [item.callspec.params for item in request.session.items if item.module.__name__ == __name__ and hasattr(item, "callspec")]
    packs: dict[tuple[str, str], list[Case]] = {}
    for params in chosen:
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


@pytest.mark.parametrize("case,way", CASES, ids=IDS)
def test_case(case: Case, way: str, outcome: Outcome) -> None:
    problem = outcome(case, way)
    assert problem is None, problem
