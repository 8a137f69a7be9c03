from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from replica import Child


@pytest.fixture
def child() -> Iterator[Child]:
    """A fresh kernel."""
    made = Child().ready()
    yield made
    made.close()
    shutil.rmtree(made.dir, ignore_errors=True)


@pytest.fixture
def pair() -> Iterator[tuple[Child, Child]]:
    """Two fresh kernels on two hosts."""
    made = [c.ready() for c in (Child("h1"), Child("h2"))]
    yield made[0], made[1]
    for one in made:
        one.close()
        shutil.rmtree(one.dir, ignore_errors=True)
