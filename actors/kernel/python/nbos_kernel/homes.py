"""Which memory of torch, now on the host, was on a GPU of its session, and on which of them.

Between two cells nothing of a session is on a GPU. A storage that was keeps the position that its device had among those
of its cell; the next cell with GPUs finds it on the device of the same position, on whichever host.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Homes:
    """By storage. Two tensors share memory if they have one storage; torch makes a new object for it whenever it is asked."""

    def __init__(self) -> None:
        # The weak references keep an address from being used again, not the memory.
        self._known: dict[int, tuple[Any, int]] = {}

    def note(self, storage: Any, position: int) -> None:
        from torch.multiprocessing.reductions import StorageWeakRef

        for key in [key for key, (reference, _) in self._known.items() if reference.expired()]:
            del self._known[key]
        self._known[storage._cdata] = StorageWeakRef(storage), position

    def of(self, storage: Any) -> int | None:
        found = self._known.get(storage._cdata)
        return None if found is None or found[0].expired() else found[1]

    def forget(self, storage: Any) -> None:
        self._known.pop(storage._cdata, None)

    def __iter__(self) -> Iterator[int]:
        """The positions of all memory that still exists."""
        return iter([position for reference, position in self._known.values() if not reference.expired()])


# One for the process: what a pickle brings is noted in it.
HOMES = Homes()
