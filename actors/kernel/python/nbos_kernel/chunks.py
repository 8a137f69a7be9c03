"""Large memory in content-addressed chunks: named, and sent to the replica once.

A chunk's name is its BLAKE3, which the replica checks and other hosts trust. To see that a chunk has not changed
since it was named a faster fingerprint is enough; with it, an unchanged array costs one pass over its memory at
the speed of the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from blake3 import blake3
from xxhash import xxh3_128_digest

from nbos_kernel.wire import Buffer, as_bytes_view

# Contract of the side channel: every chunk of a buffer has this size but its last.
CHUNK = 4 << 20

# {"size": bytes, "chunks": [names]}, as the side channel has it.
Layout = dict[str, Any]
Send = Callable[[str, memoryview], None]


class Interrupted(Exception):
    """Chunks are not to be sent any more; what was sent stays."""


class Chunks:
    """The chunks that the replica has because groups of the manifest refer to them.

    Mirrors the merge rule of the manifest for the groups that have chunks: what no group refers to any more is
    not known any more, for the cluster may have dropped it.
    """

    def __init__(self) -> None:
        # How a chunk leaves; before there is a side channel, nowhere.
        self.send: Send = lambda _name, _data: None
        # Asked before each chunk is looked at and before each is sent; it may raise Interrupted.
        self.check: Callable[[], None] = lambda: None
        # The notebook's own threads may write while chunks are named and sent: work on copies.
        self.copies = False
        self._references: dict[str, int] = {}
        self._by_group: dict[str, tuple[list[str], list[str]]] = {}
        self._group_of: dict[str, str] = {}
        self._names: dict[bytes, str] = {}
        self._fast: dict[str, bytes] = {}
        # Sent for the delta that is being made.
        self._sent: set[str] = set()

    def put(self, data: Buffer) -> Layout:
        """Name a buffer's chunks, and send those that are not known."""
        view = as_bytes_view(data)
        return {"size": len(view), "chunks": [self._put(view[at:at + CHUNK]) for at in range(0, len(view), CHUNK)]}

    def _put(self, view: memoryview) -> str:
        self.check()
        if self.copies:
            view = memoryview(bytes(view))
        # The length tells chunks of zeros apart for certain.
        fast = xxh3_128_digest(view) + len(view).to_bytes(4, "little")
        known = self._names.get(fast)
        if known is not None:
            return known
        name: str = blake3(view).hexdigest()
        if name not in self._references and name not in self._sent:
            self.check()
            self.send(name, view)
        self._sent.add(name)
        self._names[fast] = name
        self._fast[name] = fast
        return name

    def hold(self, groups: Iterable[dict[str, Any]], deleted: Iterable[str]) -> None:
        """A delta was sent or an apply received: from here on the manifest is this."""
        for item in deleted:
            self._drop(item)
            self._drop(self._group_of.get(item, ""))
        for group in groups:
            self._replace(group)
        for name in self._sent:
            if name not in self._references:
                self._forget(name)
        self._sent.clear()

    def knows(self, name: str) -> bool:
        """Whether a group of the manifest refers to a chunk."""
        return name in self._references

    def _replace(self, group: dict[str, Any]) -> None:
        chunks = [name for buffer in group.get("buffers", ()) for name in buffer["chunks"]]
        for name in chunks:
            self._references[name] = self._references.get(name, 0) + 1
        self._drop(group["key"])
        if self._group_of:
            for name in group["names"]:
                self._drop(self._group_of.get(name, ""))
        if chunks:
            self._by_group[group["key"]] = (list(group["names"]), chunks)
            self._group_of.update(dict.fromkeys(group["names"], group["key"]))

    def _drop(self, key: str) -> None:
        names, chunks = self._by_group.pop(key, ((), ()))
        for name in names:
            self._group_of.pop(name, None)
        for chunk in chunks:
            self._references[chunk] -= 1
            if not self._references[chunk]:
                del self._references[chunk]
                self._forget(chunk)

    def _forget(self, name: str) -> None:
        fast = self._fast.pop(name, None)
        if fast is not None:
            self._names.pop(fast, None)
