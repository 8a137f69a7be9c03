"""Does code of the notebook run beside its cells?"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

# Packages whose threads and tasks are the kernel's own.
_KERNEL_PARTS = ("ipykernel", "IPython", "tornado", "zmq", "nbos_kernel", "jupyter_client", "debugpy", "_pydev")


class Background:
    """Made while nothing of the notebook runs: the threads of that moment are the kernel's."""

    def __init__(self) -> None:
        self._own_threads = set(threading.enumerate())

    def runs(self) -> bool:
        """Whether a thread or a task of the notebook may change variables at any moment."""
        for thread in threading.enumerate():
            if thread not in self._own_threads and _is_the_notebooks(thread):
                return True
        try:
            tasks = asyncio.all_tasks()
        except RuntimeError:
            return False  # not asked on a loop
        return any(not _is_the_kernels(task) for task in tasks)


def _is_the_notebooks(thread: threading.Thread) -> bool:
    return thread.is_alive() and not type(thread).__module__.startswith(_KERNEL_PARTS) and not thread.name.startswith("nbos")


def _is_the_kernels(task: asyncio.Task[Any]) -> bool:
    if task.done():
        return True
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and any(f"/{part}/" in code.co_filename for part in _KERNEL_PARTS)
