"""``python -m nbos_kernel.zygote SOCKET``: a process that has imported what a kernel needs and forks one for each order.

The imports are two thirds of a kernel's start, and what they make is half of a kernel's memory: forked kernels
share it. Nothing that a fork breaks exists here: no thread, no event loop, no ZeroMQ context. What starts threads
or reads the environment when it is imported (numpy's BLAS, torch) is left to the kernels.

Orders and answers are lines of JSON on the socket, in turns:

- ``{"t": "fork", "argv", "env", "cwd", "log"}`` → ``{"t": "forked", "pid"}`` or ``{"t": "failed", "why"}``
- ``{"t": "reap", "pid"}`` → ``{"t": "reaped", "status"}``: the wait status of a kernel that has ended (null: it has not).
  Until then it keeps its number, so that the node cannot mistake another process for it.

It ends when the socket closes, with its node.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import socket
import sys
import time
from contextlib import suppress
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from nbos_kernel import app
from nbos_kernel.given import move

def main() -> None:
    app.load()
    # Expressions that are compiled at their first use, in every kernel's first cell.
    TransformerManager().transform_cell("pass")
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    control.connect(sys.argv[1])
    # What is there now is never looked at by the collector, which would write to it: the kernels go on sharing it.
    gc.collect()
    gc.freeze()
    order = _serve(control)
    if order is not None:
        _become(order)
        app.main()


def _serve(control: socket.socket) -> dict[str, Any] | None:
    """Returns in each kernel, with its order; in the zygote when its node is gone."""
    with control, control.makefile("rb") as orders:
        _send(control, {"t": "ready", "pid": os.getpid()})
        for line in orders:
            order = json.loads(line)
            if order["t"] == "reap":
                _send(control, {"t": "reaped", "status": _status(order["pid"])})
                continue
            try:
                pid = os.fork()
            except OSError as error:
                _send(control, {"t": "failed", "why": str(error)})
                continue
            if pid == 0:
                return order
            _lead(pid)
            _send(control, {"t": "forked", "pid": pid})
    return None


def _send(control: socket.socket, answer: dict[str, Any]) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # the end of the orders tells
        control.sendall(json.dumps(answer).encode() + b"\n")


def _lead(pid: int) -> None:
    """A kernel leads a process group of its own. Said by both sides: whoever needs it first finds it done."""
    with suppress(OSError):  # it has ended already
        os.setpgid(pid, pid)


def _status(pid: int) -> int | None:
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None  # not a kernel of this zygote
    return status if ended else None


def _become(order: dict[str, Any]) -> None:
    """What an ordinary start would have given the process."""
    _lead(0)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    move(order["env"], order["cwd"])
    # As `python -m nbos_kernel` has them.
    sys.argv[:] = [os.path.join(os.path.dirname(app.__file__), "__main__.py"), *order["argv"]]
    sys.orig_argv[:] = [sys.executable, "-m", "nbos_kernel", *order["argv"]]
    # Times in log records count from here.
    start = time.time()
    logging._startTime = type(logging._startTime)(start if isinstance(logging._startTime, float) else start * 1e9)
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None:
        # Drawn when it was imported, and the same in all kernels: whoever has it can run code in the others' workers.
        multiprocessing.current_process().authkey = os.urandom(32)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
