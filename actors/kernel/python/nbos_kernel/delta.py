"""What a cell changed, in the order it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nbos_kernel.chunks import Chunks, Layout
from nbos_kernel.streams import Payload
from nbos_kernel.wire import Buffer, as_bytes_view

# Ranks of the contract: a fresh process is rebuilt in this order.
RANK_IMPORTS, RANK_DEFINITIONS, RANK_VARIABLES, RANK_HISTORY = 1, 2, 3, 4
# Limits of the contract on the bytes that travel in the delta itself: its entry in the log stays small.
INLINE_GROUP = 64 << 10
INLINE_DELTA = 512 << 10


@dataclass
class Packed:
    """A group's payload, as it is sent."""

    inline: list[Buffer]
    size: int  # of the inline bytes
    buffers: list[Layout]


@dataclass
class Delta:
    groups: list[dict[str, Any]] = field(default_factory=list)
    inlines: list[list[Buffer]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    pinned: list[dict[str, Any]] = field(default_factory=list)

    @property
    def body(self) -> list[Buffer]:
        return [part for inline in self.inlines for part in inline]

    @property
    def empty(self) -> bool:
        return not self.groups and not self.deleted

    def clear(self) -> None:
        self.groups, self.inlines, self.deleted = [], [], []

    def add(self, key: str, names: list[str], rank: int, packed: Packed) -> None:
        self.groups.append({"key": key, "names": names, "rank": rank, "size": packed.size, "buffers": packed.buffers})
        self.inlines.append(packed.inline)

    def fit(self, chunks: Chunks) -> None:
        """Move inline bytes into chunks until the delta keeps its limit; the largest first, they make the fewest chunks."""
        total = sum(group["size"] for group in self.groups)
        if total <= INLINE_DELTA:
            return
        for index in sorted(range(len(self.groups)), key=lambda i: -self.groups[i]["size"]):
            group = self.groups[index]
            if self.inlines[index][0] != b"\0":
                continue  # its stream is in chunks already
            stream = Payload([b"".join(self.inlines[index])[1:]])
            spilled = spill(stream, chunks)
            total -= group["size"] - spilled.size
            group["size"], group["buffers"] = spilled.size, [*spilled.buffers, *group["buffers"]]
            self.inlines[index] = spilled.inline
            if total <= INLINE_DELTA:
                return


def pack(payload: Payload, layouts: list[Layout], chunks: Chunks) -> Packed:
    """A payload whose buffers were put already: `layouts` are theirs."""
    size = payload.size + 1
    if size <= INLINE_GROUP:
        return Packed(payload.inline(), size, layouts)
    packed = spill(payload, chunks)
    packed.buffers += layouts
    return packed


def spill(payload: Payload, chunks: Chunks) -> Packed:
    """The stream as chunks."""
    inline, pieces = payload.spilled()
    layouts = [chunks.put(parts[0] if len(parts) == 1 else b"".join(map(as_bytes_view, parts))) for parts in pieces]
    return Packed([inline], len(inline), layouts)
