"""A plain ipykernel, started as every Jupyter front end starts it: what the shim is compared with."""

from __future__ import annotations

import os
import subprocess
import time

from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager
from replica import DEADLINE, Result, environment, outcome


class StockKernel:
    def __init__(self, cwd: str, deadline: float = DEADLINE) -> None:
        self.deadline = deadline
        self._manager = KernelManager(kernel_name="python3")
        # Not the tests' package: nothing of the shim is to be near.
        values = {**environment(), "IPYTHONDIR": os.path.join(cwd, ".ipython")}
        values.pop("PYTHONPATH")
        self._manager.start_kernel(cwd=cwd, env=values, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._client: BlockingKernelClient = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=deadline)

    def execute(self, code: str) -> Result:
        msg_id = self._client.execute(code, allow_stdin=False)
        until = time.monotonic() + self.deadline
        while True:
            reply = self._client.get_shell_msg(timeout=max(0.0, until - time.monotonic()))
            if reply["parent_header"].get("msg_id") == msg_id:
                return outcome(self._client, reply, self.deadline)

    def end(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
