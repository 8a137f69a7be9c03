"""Holds the garbage collector off for a while.

What a look or an apply makes must not start collections: with a large session each goes through millions of objects.
And each runs what the notebook gave the collector to call, which may change variables.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# While it is held off: whether it is to be on afterwards.
_after: bool | None = None


def is_on() -> bool:
    """Whether the notebook has it on."""
    return gc.isenabled() if _after is None else _after


def switch(on: bool) -> None:
    global _after
    if _after is not None:
        _after = on
    elif on:
        gc.enable()
    else:
        gc.disable()


@contextmanager
def held() -> Iterator[None]:
    global _after
    if _after is not None:
        yield  # by a caller further out
        return
    _after = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if _after:
            gc.enable()
        _after = None
