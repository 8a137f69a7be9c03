"""The other side of the audit: applies what a standby would get, and says what came of it. No kernel: no sockets."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import sys
import time
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from nbos_kernel import wire
from nbos_kernel.apply import Apply
from nbos_kernel.digest import Digest, Own
from nbos_kernel.pins import BOOK
from nbos_kernel.session import Session
from nbos_kernel.streams import Body

WALK_WITHIN = 40.0


class Named(dict[str, Any]):
    """What travels by name. A scratch has no kernel: for what only a kernel has, an object that knows its name."""

    def __missing__(self, tag: str) -> Any:
        self[tag] = KernelPart()
        return self[tag]


class KernelPart:
    """Stands for a part of the executor's kernel."""


class Scratch:
    def __init__(self, sock: socket.socket) -> None:
        gc.disable()  # a collection that the notebook counts would be one that the executor had not
        # Streams of their own, as a kernel has beside those of its process.
        sys.stdout, sys.stderr = open(os.devnull, "w"), open(os.devnull, "w")  # noqa: SIM115
        config = Config()
        config.HistoryManager.hist_file = ":memory:"
        config.InteractiveShell.enable_tip = False
        self._socket = sock
        self._shell = InteractiveShell.instance(config=config)
        self._shell.extension_manager.load_extension("storemagic")  # as every kernel does
        self._session = Session(self._shell)
        self._parts, self._own = Named(), Own(self._shell)
        self._session.ready()
        self._session.places.ready()
        self._tags = self._session.codec.tags
        self._last: dict[str, Any] | None = None
        self._session.codec.tags = self._named
        self._apply = Apply(self._session)
        self._chunks: dict[str, bytes] = {}

    def _named(self) -> dict[str, Any]:
        tags = self._tags()
        if tags is not self._last:
            self._last, self._parts = tags, Named({**self._parts, **tags})
        return self._parts

    def serve(self) -> None:
        while (frame := wire.read_frame(self._socket)) is not None:
            header, body = frame
            if header["t"] == "chunk":
                self._chunks[header["id"]] = bytes(body)
            elif header["t"] == "detail":
                self._detail(header)
            else:
                self._frame(header, memoryview(body))

    def _frame(self, header: dict[str, Any], body: memoryview) -> None:
        header = {"deferred": [], "failed": [], "need": None, **header}
        bodies, at = [], 0
        for group in header["groups"]:
            inline = bytearray(body[at:at + group["size"]])
            at += group["size"]
            buffers = []
            for layout in group["buffers"]:
                if header["t"] == "apply":
                    buffers.append(bytearray(body[at:at + layout["size"]]))
                    at += layout["size"]
                    for place, name in enumerate(layout["chunks"]):
                        self._chunks[name] = bytes(buffers[-1][place << 22:(place + 1) << 22])
                else:
                    buffers.append(bytearray(b"".join(self._chunks[name] for name in layout["chunks"])))
            bodies.append(Body(inline, buffers))
        failed = self._apply.run(header, bodies)
        gc.disable()  # whatever the notebook chose
        for name in [name for name in self._chunks if not self._session.chunks.knows(name)]:
            del self._chunks[name]
        self._answer({"t": "digest", "failed": failed}, self._walk(()).variables(header.get("of", ()), _deadline()))

    def _detail(self, header: dict[str, Any]) -> None:
        walk = self._walk(header["names"])
        walk.variables(header["of"], _deadline())
        self._answer({"t": "detail", "failed": []}, walk.seen_of)

    def _walk(self, detail: Any) -> Digest:
        named = {**{id(it): tag for tag, it in self._named().items()}, **self._own.names}
        return Digest(self._session.namespace, {key: pin.id for key, pin in BOOK.owned_ids().items()}, named, detail)

    def _answer(self, header: dict[str, Any], body: dict[str, Any]) -> None:
        wire.write_frame(self._socket, header, [json.dumps(body).encode("utf-8", "replace")])


def _deadline() -> Any:
    end = time.monotonic() + WALK_WITHIN

    def check() -> None:
        if time.monotonic() > end:
            raise TimeoutError

    return check


async def main() -> None:
    # On a loop, as in a kernel: what it loads may ask for the running one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for the executor
    Scratch(socket.socket(fileno=int(sys.argv[1]))).serve()
    os._exit(0)  # whatever threads the notebook's libraries left


if __name__ == "__main__":
    asyncio.run(main())
