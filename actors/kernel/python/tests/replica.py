"""A replica's end of the side channel, for tests: starts real kernel processes and keeps a manifest."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.blocking import BlockingKernelClient

from nbos_kernel import wire

PACKAGE = Path(__file__).resolve().parents[1]
DEADLINE = 30.0


class Manifest:
    """The merge rule of the side channel, as small as it can be said.

    A delta's group replaces every group that has its key or shares a name with it; a deleted name or
    key removes the groups that have it. A fresh process gets the whole, ordered by rank and last change.
    """

    def __init__(self) -> None:
        self.groups: dict[str, tuple[int, dict[str, Any], bytes]] = {}
        self.pinned: dict[str, dict[str, Any]] = {}
        self.execution_count = 1
        self._changes = 0

    def merge(self, header: dict[str, Any], body: bytes, host: str, cell: int) -> dict[str, Any]:
        """Merge a delta; returns the apply frame that a standby gets for it."""
        for item in header["deleted"]:
            self._remove({item}, {item})
        at = 0
        for group in header["groups"]:
            self._remove({group["key"]}, set(group["names"]))
            self._changes += 1
            self.groups[group["key"]] = (self._changes, group, body[at:at + group["size"]])
            at += group["size"]
        assert at == len(body)
        pinned = {}
        for entry in header["pinned"]:
            if entry["home"] is None:
                known = self.pinned.get(entry["name"])
                same = known is not None and known["home"] == host and known["type"] == entry["type"]
                entry = {**entry, "home": host, "cell": known["cell"] if same and known else cell}
            pinned[entry["name"]] = entry
        self.pinned = pinned
        self.execution_count = header["execution_count"]
        return {"t": "apply", "groups": header["groups"], "deleted": header["deleted"],
                "pinned": list(pinned.values()), "execution_count": self.execution_count}

    def _remove(self, keys: set[str], names: set[str]) -> None:
        self.groups = {
            key: it for key, it in self.groups.items() if key not in keys and names.isdisjoint(it[1]["names"])
        }

    def rebuild(self) -> tuple[dict[str, Any], bytes]:
        ordered = sorted(self.groups.values(), key=lambda it: (it[1]["rank"], it[0]))
        header = {"t": "apply", "groups": [group for _, group, _ in ordered], "deleted": [],
                  "pinned": list(self.pinned.values()), "execution_count": self.execution_count}
        return header, b"".join(body for _, _, body in ordered)


@dataclass
class Result:
    status: str
    ename: str | None
    evalue: str
    text: str  # stdout, results and errors
    stderr: str
    reply: dict[str, Any]
    delta: dict[str, Any] = field(default_factory=dict)
    body: bytes = b""


class Child:
    """One kernel process."""

    def __init__(self, host: str = "h1", transport: str = "ipc", cwd: str | None = None, fork: bool = True) -> None:
        self.host = host
        self.dir = tempfile.mkdtemp(prefix="nbk")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        side = os.path.join(self.dir, "side")
        listener.bind(side)
        listener.listen(1)
        connection = {"transport": transport, "key": uuid.uuid4().hex, "signature_scheme": "hmac-sha256",
                      "ip": os.path.join(self.dir, "k") if transport == "ipc" else "127.0.0.1", "kernel_name": "python3"}
        names = ("shell", "iopub", "stdin", "control", "hb")
        ports = range(1, 6) if transport == "ipc" else _free_ports(5)
        connection |= {f"{name}_port": port for name, port in zip(names, ports)}
        self.connection_file = os.path.join(self.dir, "c.json")
        Path(self.connection_file).write_text(json.dumps(connection))
        self.log_path = os.path.join(self.dir, "log")
        order = {"connection": self.connection_file, "side": side, "log": self.log_path, "cwd": cwd or self.dir,
                 "ipython": os.path.join(self.dir, "ip")}
        self.process = None
        if fork:
            self.pid = _Forks.start(order)
        else:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nbos_kernel", "-f", self.connection_file, "--side", side],
                env={**_environment(), "IPYTHONDIR": order["ipython"]}, cwd=order["cwd"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.log_path, "wb"))
            self.pid = self.process.pid
        listener.settimeout(DEADLINE)
        self.side, _ = listener.accept()
        self.side.settimeout(DEADLINE)
        listener.close()
        self.client: Any = None

    def ready(self) -> Child:
        if self.client is None:
            hello, _ = self.frame()
            assert hello["t"] == "hello" and hello["pid"] == self.pid
            self.client = BlockingKernelClient()
            self.client.load_connection_file(self.connection_file)
            self.client.start_channels()
            self.client.wait_for_ready(timeout=DEADLINE)
        return self

    def frame(self) -> tuple[dict[str, Any], bytes]:
        got = wire.read_frame(self.side)
        assert got is not None, f"the side channel was closed: {self.log()}"
        return got[0], bytes(got[1])

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        wire.write_frame(self.side, header, [body])

    def pending(self) -> bool:
        return bool(select.select([self.side], [], [], 0)[0])

    def log(self) -> str:
        return Path(self.log_path).read_text(errors="replace")

    def execute(self, code: str, interrupt_when: Any = None, **kwargs: Any) -> Result:
        client = self.client
        kwargs.setdefault("allow_stdin", False)
        msg_id = client.execute(code, **kwargs)
        if interrupt_when is not None:
            interrupt_when()
            os.kill(self.pid, signal.SIGINT)
        return self.result(msg_id)

    def result(self, msg_id: str, delta: bool = True) -> Result:
        client = self.client
        frames, reply = [], None
        poller = zmq.Poller()
        poller.register(self.side, zmq.POLLIN)
        poller.register(client.shell_channel.socket, zmq.POLLIN)
        while reply is None:
            ready = dict(poller.poll(DEADLINE * 1000))
            assert ready, f"no reply to {msg_id}: {self.log()}"
            if self.side.fileno() in ready:
                frames.append(self.frame())
            else:
                message = client.get_shell_msg(timeout=DEADLINE)
                reply = message if message["parent_header"].get("msg_id") == msg_id else None
        text, stderr = [], []
        while True:
            message = client.get_iopub_msg(timeout=DEADLINE)
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            content, kind = message["content"], message["msg_type"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            if kind == "stream":
                (text if content["name"] == "stdout" else stderr).append(content["text"])
            elif kind in ("execute_result", "display_data"):
                text.append(content["data"].get("text/plain", ""))
        content = reply["content"]
        result = Result(content["status"], content.get("ename"), content.get("evalue", ""), "".join(text), "".join(stderr), content)
        if delta:
            if self.pending():
                frames.append(self.frame())
            assert len(frames) == 1, f"exactly one delta, before the reply: {len(frames)}"
            result.delta, result.body = frames[0]
            assert result.delta["t"] == "delta" and result.delta["msg_id"] == msg_id
        return result

    def apply(self, header: dict[str, Any], body: bytes) -> list[dict[str, Any]]:
        self.send({**header, "id": 7}, body)
        answer, _ = self.frame()
        assert answer["t"] == "applied" and answer["id"] == 7
        return answer["failed"]

    def close(self) -> None:
        if self.client is not None:
            self.client.stop_channels()
        self.side.close()
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ends by itself when the side channel closes
        if self.process is not None:
            self.process.wait()


class _Forks:
    """The fork server, started at first use and ended with the tests (its stdin closes)."""

    server: subprocess.Popen[str] | None = None
    lock = threading.Lock()

    @classmethod
    def start(cls, order: dict[str, str]) -> int:
        with cls.lock:
            return cls._start(order)

    @classmethod
    def _start(cls, order: dict[str, str]) -> int:
        if cls.server is None:
            cls.server = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("forkserver.py"))], env=_environment(), text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert cls.server.stdout is not None and cls.server.stdout.readline() == "ready\n"
        assert cls.server.stdin is not None and cls.server.stdout is not None
        cls.server.stdin.write(json.dumps(order) + "\n")
        cls.server.stdin.flush()
        return int(cls.server.stdout.readline())


def _environment() -> dict[str, str]:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "PYTHONHASHSEED": os.environ.get("NBOS_TEST_HASHSEED", "0"),
                   "MPLCONFIGDIR": os.path.join(tempfile.gettempdir(), "nbk-mpl"), "OMP_NUM_THREADS": "1"}
    environment.pop("PYTEST_CURRENT_TEST", None)
    return environment


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports
