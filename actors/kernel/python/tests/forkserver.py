"""Starts kernels quickly for the tests: imports once, forks for each. Reads one JSON line a kernel.

Nothing that a fork would break exists before it: no ZeroMQ context, no thread, no event loop.
"""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import sys
from typing import Any


def child(order: dict[str, Any]) -> None:
    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(log, 2)
    os.chdir(order["cwd"])
    os.environ["IPYTHONDIR"] = order["ipython"]
    random.seed()
    main(["-f", order["connection"], "--side", order["side"], *order["arguments"]])


if __name__ == "__main__":
    from nbos_kernel.app import main

    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the tests wait by the side channel, not by exit status
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                child(json.loads(line))
            finally:
                os._exit(1)
        print(pid, flush=True)
