"""A replica's end of the side channel, for tests: starts real kernel processes and keeps a manifest."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import zmq
from blake3 import blake3
from jupyter_client.blocking import BlockingKernelClient

from nbos_kernel import wire
from nbos_kernel.chunks import CHUNK
from nbos_kernel.delta import INLINE_DELTA, INLINE_GROUP

PACKAGE = Path(__file__).resolve().parents[1]
DEADLINE = 30.0


class Store:
    """The chunks of all replicas; in tests there is one store."""

    chunks: ClassVar[dict[str, bytes]] = {}

    @classmethod
    def put(cls, header: dict[str, Any], body: bytes) -> None:
        assert len(body) == header["size"] <= CHUNK and blake3(body).hexdigest() == header["id"]
        cls.chunks[header["id"]] = body

    @classmethod
    def content(cls, group: dict[str, Any]) -> bytes:
        """All the bytes of a group's buffers."""
        parts = []
        for buffer in group["buffers"]:
            chunks = [cls.chunks[name] for name in buffer["chunks"]]
            assert all(len(chunk) == CHUNK for chunk in chunks[:-1]) and sum(map(len, chunks)) == buffer["size"]
            parts += chunks
        return b"".join(parts)


Deltas = list[tuple[dict[str, Any], bytes]]


class Manifest:
    """The merge rule of the side channel, as small as it can be said.

    A delta's group replaces every group that has its key or shares a name with it; a deleted name or
    key removes the groups that have it. A fresh process gets the whole, ordered by rank and last change.
    """

    def __init__(self) -> None:
        self.groups: dict[str, tuple[int, dict[str, Any], bytes]] = {}
        self.pinned: dict[str, dict[str, Any]] = {}
        self.execution_count = 1
        self._changes = self._cells = 0
        self._frames: list[tuple[str, dict[str, Any], bytes]] = []
        self._followed: dict[str, int] = {}

    def take(self, result: Result, host: str) -> None:
        """Commit what a cell changed."""
        self._cells += 1
        self._take(result.deltas, host)

    def barrier(self, child: Child) -> Deltas:
        """A full pass and its answer, as before a planned move."""
        deltas = child.scrub()
        self._take(deltas, child.host)
        return deltas

    def _take(self, deltas: Deltas, host: str) -> None:
        for header, body in deltas:
            self._frames.append((host, *self.merge(header, body, host, self._cells)))

    def follow(self, child: Child) -> list[dict[str, Any]]:
        """Send a standby what was committed since it was last sent something; returns what failed there."""
        failed = []
        for host, frame, body in self._frames[self._followed.get(child.host, 0):]:
            if host != child.host:
                failed += child.apply(frame, body)
        self._followed[child.host] = len(self._frames)
        return failed

    def restore(self, child: Child) -> list[dict[str, Any]]:
        """Build a fresh process from the whole manifest."""
        return child.apply(*self.rebuild())

    def merge(self, header: dict[str, Any], inline: bytes, host: str, cell: int) -> tuple[dict[str, Any], bytes]:
        """Merge a delta; returns the apply frame that a standby gets for it."""
        for item in header["deleted"]:
            self._remove({item}, {item})
        at, body = 0, []
        assert len(inline) <= INLINE_DELTA
        for group in header["groups"]:
            assert group["size"] <= INLINE_GROUP
            self._remove({group["key"]}, set(group["names"]))
            self._changes += 1
            body.append(inline[at:at + group["size"]] + Store.content(group))
            self.groups[group["key"]] = (self._changes, group, body[-1])
            at += group["size"]
        assert at == len(inline)
        pinned = {}
        for entry in header["pinned"]:
            if entry["home"] is None:
                known = self.pinned.get(entry["name"])
                same = known is not None and known["home"] == host and known["type"] == entry["type"]
                entry = {**entry, "home": host, "cell": known["cell"] if same and known else cell}
            pinned[entry["name"]] = entry
        self.pinned = pinned
        self.execution_count = header["execution_count"]
        return self._apply(header["groups"], header["deleted"]), b"".join(body)

    def _remove(self, keys: set[str], names: set[str]) -> None:
        self.groups = {
            key: it for key, it in self.groups.items() if key not in keys and names.isdisjoint(it[1]["names"])
        }

    def rebuild(self) -> tuple[dict[str, Any], bytes]:
        ordered = sorted(self.groups.values(), key=lambda it: (it[1]["rank"], it[0]))
        return self._apply([group for _, group, _ in ordered], []), b"".join(body for _, _, body in ordered)

    def _apply(self, groups: list[dict[str, Any]], deleted: list[str]) -> dict[str, Any]:
        return {"t": "apply", "need": None, "groups": groups, "deferred": [], "failed": [], "deleted": deleted,
                "pinned": list(self.pinned.values()), "execution_count": self.execution_count}


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
    deltas: Deltas = field(default_factory=list)  # what was found before, and the cell's own
    chunks: list[str] = field(default_factory=list)  # sent with them
    reply_to: str = ""


def outcome(client: BlockingKernelClient, reply: dict[str, Any], deadline: float) -> Result:
    """What a cell showed and answered; `reply` is its execute_reply."""
    text, stderr = [], []
    while True:
        message = client.get_iopub_msg(timeout=deadline)
        if message["parent_header"].get("msg_id") != reply["parent_header"]["msg_id"]:
            continue
        content, kind = message["content"], message["msg_type"]
        if kind == "status" and content["execution_state"] == "idle":
            break
        if kind == "stream":
            (text if content["name"] == "stdout" else stderr).append(content["text"])
        elif kind in ("execute_result", "display_data"):
            text.append(content["data"].get("text/plain", ""))
    content = reply["content"]
    return Result(content["status"], content.get("ename"), content.get("evalue", ""), "".join(text), "".join(stderr), content)


class Child:
    """One kernel process."""

    def __init__(self, host: str = "h1", transport: str = "ipc", cwd: str | None = None, fork: bool = True,
                 deadline: float = DEADLINE, arguments: Sequence[str] = ()) -> None:
        self.host = host
        self.deadline = deadline
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
        self.cwd = cwd or self.dir
        argv = ["-f", self.connection_file, "--side", side, *arguments, *os.environ.get("NBOS_TEST_ARGUMENTS", "").split()]
        env = {"IPYTHONDIR": os.path.join(self.dir, "ip")}
        self.process, self.reaped = None, False
        if fork:
            self.pid = _Forks.start({"argv": argv, "env": env, "cwd": self.cwd, "log": self.log_path})
        else:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nbos_kernel", *argv], env={**environment(), **env}, cwd=self.cwd,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.log_path, "wb"))
            self.pid = self.process.pid
        listener.settimeout(self.deadline)
        self.side, _ = listener.accept()
        self.side.settimeout(self.deadline)
        listener.close()
        self.client: Any = None
        self.chunks: list[str] = []
        self.found: Deltas = []
        self.released: list[dict[str, Any]] = []

    def ready(self) -> Child:
        if self.client is None:
            hello, _ = self.frame()
            assert hello["t"] == "hello" and hello["pid"] == self.pid
            self.client = BlockingKernelClient()
            self.client.load_connection_file(self.connection_file)
            self.client.start_channels()
            self.client.wait_for_ready(timeout=self.deadline)
        return self

    def frame(self) -> tuple[dict[str, Any], bytes]:
        """The next frame that is the answer to something. Chunks go to the store, what was found between cells is kept."""
        while True:
            got = wire.read_frame(self.side)
            assert got is not None, f"the side channel was closed: {self.log()}"
            header, body = got[0], bytes(got[1])
            if header["t"] == "chunk":
                Store.put(header, body)
                self.chunks.append(header["id"])
            elif header["t"] == "delta" and header["kind"] == "scrub" and header["scrub"] is None:
                assert header["groups"] or header["deleted"]
                self.found.append((header, body))
            elif header["t"] == "released":
                self.released.append(header)
            else:
                return header, body

    def scrub(self) -> Deltas:
        """Order a full pass; returns what was found, and the answer."""
        self.send({"t": "scrub", "id": 5})
        answer = self.frame()
        assert answer[0]["t"] == "delta" and answer[0]["kind"] == "scrub" and answer[0]["scrub"] == 5 and answer[0]["msg_id"] is None
        deltas, self.found = [*self.found, answer], []
        return deltas

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

    def lend(self, code: str, devices: Sequence[dict[str, Any]], interrupt_when: Any = None) -> Result:
        """A cell with these GPUs."""
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False, "stop_on_error": True}
        message = self.client.session.msg("execute_request", content, metadata={"nbos": {"devices": list(devices)}})
        self.client.shell_channel.send(message)
        if interrupt_when is not None:
            interrupt_when()
            os.kill(self.pid, signal.SIGINT)
        return self.result(message["header"]["msg_id"])

    def result(self, msg_id: str, delta: bool = True, own: tuple[dict[str, Any], bytes] | None = None) -> Result:
        """The result of a cell; `own` is its delta, if that was read already."""
        client = self.client
        reply = None
        poller = zmq.Poller()
        if delta and own is None:
            poller.register(self.side, zmq.POLLIN)
        poller.register(client.shell_channel.socket, zmq.POLLIN)
        while reply is None:
            ready = dict(poller.poll(self.deadline * 1000))
            assert ready, f"no reply to {msg_id}: {self.log()}"
            if self.side.fileno() in ready:
                own = self.frame()
                poller.unregister(self.side)
            if client.shell_channel.socket in ready:
                message = client.get_shell_msg(timeout=self.deadline)
                reply = message if message["parent_header"].get("msg_id") == msg_id else None
        if delta and own is None:
            assert self.pending(), "the delta comes before the reply"
            own = self.frame()
        result = outcome(client, reply, self.deadline)
        if own is not None:
            assert own[0]["t"] == "delta" and own[0]["kind"] == "cell" and own[0]["msg_id"] == msg_id
            result.delta, result.body, result.reply_to = *own, msg_id
            result.deltas, result.chunks = [*self.found, own], self.chunks
            self.found, self.chunks = [], []
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
        elif not self.reaped:
            _Forks.reap(self.pid)
            self.reaped = True

    def end(self) -> None:
        """Close, and leave no files."""
        self.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class _Forks:
    """The zygote, started at first use and ended with the tests (its socket closes)."""

    control: socket.socket | None = None
    answers: Any = None
    lock = threading.Lock()

    @classmethod
    def start(cls, order: dict[str, Any]) -> int:
        with cls.lock:
            return int(cls._ask({"t": "fork", **order})["pid"])

    @classmethod
    def reap(cls, pid: int) -> None:
        """Of a process that was killed."""
        end = time.monotonic() + DEADLINE
        while True:
            with cls.lock:
                if cls._ask({"t": "reap", "pid": pid})["status"] is not None:
                    return
            assert time.monotonic() < end, f"{pid} does not end"
            time.sleep(0.005)

    @classmethod
    def _ask(cls, order: dict[str, Any]) -> dict[str, Any]:
        if cls.control is None:
            cls._open()
        assert cls.control is not None
        cls.control.sendall(json.dumps(order).encode() + b"\n")
        return json.loads(cls.answers.readline())

    @classmethod
    def _open(cls) -> None:
        with tempfile.TemporaryDirectory(prefix="nbz") as place, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(os.path.join(place, "zygote"))
            listener.listen(1)
            listener.settimeout(DEADLINE)
            subprocess.Popen(
                [sys.executable, "-m", "nbos_kernel.zygote", os.path.join(place, "zygote")], env=environment(), stdin=subprocess.DEVNULL)
            cls.control, _ = listener.accept()
        cls.control.settimeout(DEADLINE)
        cls.answers = cls.control.makefile("rb")
        assert json.loads(cls.answers.readline())["t"] == "ready"


def environment() -> dict[str, str]:
    """What test kernels see."""
    values = {**os.environ, "PYTHONPATH": str(PACKAGE), "PYTHONHASHSEED": os.environ.get("NBOS_TEST_HASHSEED", "0"),
                   "MPLCONFIGDIR": os.path.join(tempfile.gettempdir(), "nbk-mpl"), "OMP_NUM_THREADS": "1"}
    values.pop("PYTEST_CURRENT_TEST", None)
    return values


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports
