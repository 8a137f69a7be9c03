"""What the capture of a cell costs. ``python -m bench_hook [PART_OF_NAME]…`` prints a Markdown table, one row a measurement.

*hook* is the time from the end of the user's code to the delta's last byte, as the kernel reports it (``took_us``), with a
reader that only takes the bytes away; *sent* is what the last of the cells put on the side channel.
"""

from __future__ import annotations

import argparse
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from replica import Child

from nbos_kernel import wire

DEADLINE = 300.0


@dataclass(frozen=True)
class Row:
    name: str
    setup: tuple[str, ...]
    cell: str
    repeat: int


_SMALL = "\n".join(f"v{i} = {i if i % 2 else [i]}" for i in range(100))
_LIBRARIES = "import numpy, pandas, torch"

ROWS = (
    Row("100 small variables, empty cell", (_SMALL,), "pass", 60),
    Row("100 small variables, one append", (_SMALL,), "v2.append(1)", 60),
    Row("100 small variables, a function called", (_SMALL, "def f(x): return len(x)"), "f(v2)", 60),
    Row("100 small variables, numpy, pandas and torch imported, empty cell", (_LIBRARIES, _SMALL), "pass", 60),
    Row("100 small variables, numpy, pandas and torch imported, one append", (_LIBRARIES, _SMALL), "v2.append(1)", 60),
    Row("100 small variables, numpy, pandas and torch imported, numpy called", (_LIBRARIES, _SMALL), "n = numpy.arange(3)", 60),
    Row("1000 small variables, one append", ("for i in range(1000): globals()[f'v{i}'] = i if i % 2 else [i]",), "v2.append(1)", 30),
    Row("list of 10k strings, untouched", ("L = [str(i) for i in range(10_000)]; x = [1]",), "x.append(1)", 30),
    Row("list of 10k strings, one append", ("L = [str(i) for i in range(10_000)]",), "L.append('x')", 20),
    Row("dict of 10k lists, one touched", ("D = {i: [i] for i in range(10_000)}",), "D[5].append(1)", 20),
    Row("10k instances, one attribute", ("class P: pass\nP10 = [P() for _ in range(10_000)]\nfor i, p in enumerate(P10): p.n = i; p.s = str(i)",),
        "P10[7].n += 1", 10),
    Row("10k instances, untouched", ("class P: pass\nP10 = [P() for _ in range(10_000)]\nfor i, p in enumerate(P10): p.n = i; p.s = str(i)\nx = [1]",),
        "x.append(1)", 30),
    Row("1 GiB array, untouched", ("import numpy as np; A = np.ones(1 << 27); x = [1]",), "x.append(1)", 20),
    Row("1 GiB array, read", ("import numpy as np; A = np.ones(1 << 27)",), "A[5]", 5),
    Row("1 GiB array, one element changed", ("import numpy as np; A = np.ones(1 << 27); n = 1",), "n += 1; A[77] = n", 5),
    Row("1 GiB array, new", ("import numpy as np; rng = np.random.default_rng(1)", "A = None"), "A = rng.random(1 << 27)", 1),
    Row("8 MB frame, one column", ("import numpy as np, pandas as pd; df = pd.DataFrame(np.random.rand(100_000, 10)); n = 1",),
        "n += 1; df['c'] = n", 10),
    Row("ResNet-18-sized model after a step",
        ("import torch\nfrom torch import nn\n"
         "model = nn.Sequential(*[nn.Linear(1024, 1024) for _ in range(11)]); opt = torch.optim.Adam(model.parameters())\n"
         "x = torch.ones(1, 1024)",),
        "opt.zero_grad(); model(x).sum().backward(); opt.step()", 3),
)


class Reader(threading.Thread):
    """Takes everything from the side channel; keeps the deltas' headers and counts bytes."""

    def __init__(self, side: socket.socket) -> None:
        super().__init__(daemon=True)
        self.side, self.bytes, self.chunks = side, 0, 0
        self.deltas: dict[str, dict[str, Any]] = {}
        self.scrubs: list[dict[str, Any]] = []
        self.came = threading.Condition()

    def run(self) -> None:
        scratch = memoryview(bytearray(4 << 20))
        while (head := wire.read_head(self.side)) is not None:
            header, size = head
            wire.read_into(self.side, scratch[:size] if size <= len(scratch) else memoryview(bytearray(size)))
            self.bytes += size
            self.chunks += header["t"] == "chunk"
            if header["t"] == "delta":
                with self.came:
                    if header["kind"] == "cell":
                        self.deltas[header["msg_id"]] = header
                    else:
                        self.scrubs.append(header)
                    self.came.notify_all()

    def delta(self, msg_id: str) -> dict[str, Any]:
        with self.came:
            assert self.came.wait_for(lambda: msg_id in self.deltas, DEADLINE)
            return self.deltas.pop(msg_id)


def execute(child: Child, reader: Reader, code: str) -> int:
    """Microseconds of the hook."""
    msg_id = child.client.execute(code, allow_stdin=False)
    while (reply := child.client.get_shell_msg(timeout=DEADLINE))["parent_header"].get("msg_id") != msg_id:
        pass
    assert reply["content"]["status"] == "ok", reply["content"]
    return int(reader.delta(msg_id)["took_us"])


def measure(row: Row, idle: float) -> str:
    child = Child(fork=False, deadline=DEADLINE).ready()
    try:
        child.side.settimeout(None)
        reader = Reader(child.side)
        reader.start()
        for cell in row.setup:
            execute(child, reader, cell)
        execute(child, reader, "pass")
        hooks, sent, chunks = [], 0, 0
        for _ in range(row.repeat):
            time.sleep(idle)
            bytes_before, chunks_before = reader.bytes, reader.chunks
            hooks.append(execute(child, reader, row.cell))
            sent, chunks = reader.bytes - bytes_before, reader.chunks - chunks_before
        hooks.sort()
        at: Callable[[list[Any], float], Any] = lambda values, q: values[min(len(values) - 1, int(len(values) * q))]
        amount = f"{sent:,} B" + (f" in {chunks} chunk{'s' if chunks > 1 else ''}" if chunks else "")
        return f"| {row.name} | {at(hooks, .5) / 1e3:.2f} | {at(hooks, .9) / 1e3:.2f} | {amount} |"
    finally:
        child.end()


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench_hook")
    parser.add_argument("rows", nargs="*", help="parts of the names of rows")
    parser.add_argument("--idle", type=float, default=0.0, help="seconds between two cells: from 0.05 on a pass while idle comes between them")
    args = parser.parse_args()
    print("| row | hook p50 ms | p90 | sent |\n|---|---:|---:|---|", flush=True)
    for row in ROWS:
        if not args.rows or any(part in row.name for part in args.rows):
            print(measure(row, args.idle), flush=True)


if __name__ == "__main__":
    main()
