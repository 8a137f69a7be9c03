"""Start-up: IPKernelApp without what a kernel under a replica does not need.

What is left out, and why: the history database (a session's history travels in its deltas, and
the file would be shared by every replica on the host), the scan of network interfaces (the
connection file says where to bind) and the random tip in the banner (it draws from the user's
``random``, so that a reconnecting client would shift the notebook's numbers).
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from contextlib import suppress
from typing import Any

import ipykernel
from ipykernel.kernelapp import IPKernelApp
from tornado import ioloop
from traitlets import Type
from traitlets.config import Config

from nbos_kernel import debugger
from nbos_kernel.kernel import Kernel
from nbos_kernel.side import Side


# What a kernel imports while it boots, found by comparing `sys.modules`; a version that lacks one goes without.
_BOOT = (
    "IPython.core.completerlib", "IPython.core.debugger", "IPython.core.logger", "IPython.core.oinspect",
    "IPython.extensions.storemagic", "sqlite3", "tornado.gen", "tornado.platform.asyncio", "unicodedata",
)


class KernelApp(IPKernelApp):
    """IPKernelApp with a side channel. Reached by ``IPKernelApp.instance()`` too, as libraries expect."""

    kernel_class = Type(Kernel, klass="ipykernel.kernelbase.Kernel")
    side: Side
    audited = False

    def _ip_default(self) -> str:
        # The base class lists every network interface to find this; a connection file names its
        # own address, and one that does not can only mean this machine.
        return "127.0.0.1" if self.transport == "tcp" else super()._ip_default()

    def start(self) -> None:
        ioloop.IOLoop.current().add_callback(self._ready)
        super().start()

    def _ready(self) -> None:
        self.kernel.serve_side(self.side)
        if self.audited:
            self.kernel.audit()
        self.side.send({
            "t": "hello",
            "pid": os.getpid(),
            "python": sys.version.split()[0],
            "ipykernel": ipykernel.__version__,
        })


def load() -> None:
    """Import all of a kernel, so that nothing that comes later is taken for the notebook's doing."""
    for name in _BOOT:
        with suppress(ImportError):
            importlib.import_module(name)


def _settings() -> Config:
    config = Config()
    config.HistoryManager.hist_file = ":memory:"
    config.InteractiveShell.enable_tip = False
    return config


def _close_stdin() -> None:
    """``input()`` goes through Jupyter; nothing may read from a terminal the node was started on."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="nbos_kernel", description="an IPython kernel that reports what its cells change")
    parser.add_argument("-f", dest="connection_file", required=True, help="Jupyter connection file")
    parser.add_argument("--side", required=True, help="unix socket of the replica")
    parser.add_argument("--audit", action="store_true", help="compare what each delta makes in another process")
    args = parser.parse_args(argv)
    _close_stdin()
    # torch.cuda.is_available() in a cell without GPUs would else start CUDA, which reads CUDA_VISIBLE_DEVICES once only.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    load()
    debugger.install()
    side = Side(args.side)
    # As argv, not as a keyword: programs look for "IPKernelApp" in get_ipython().config.
    app: Any = KernelApp.instance(config=_settings())
    app.side, app.audited = side, args.audit
    app.initialize(["-f", args.connection_file])
    app.start()
