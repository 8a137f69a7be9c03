"""What a cell changed, in the order it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nbos_kernel.wire import Buffer

# Ranks of the contract: a fresh process is rebuilt in this order.
RANK_IMPORTS, RANK_DEFINITIONS, RANK_VARIABLES, RANK_HISTORY = 1, 2, 3, 4


@dataclass
class Delta:
    groups: list[dict[str, Any]] = field(default_factory=list)
    body: list[Buffer] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    pinned: list[dict[str, Any]] = field(default_factory=list)

    def add(self, key: str, names: list[str], rank: int, parts: list[Buffer]) -> None:
        size = sum(memoryview(part).nbytes for part in parts)
        self.groups.append({"key": key, "names": names, "rank": rank, "size": size})
        self.body += parts
