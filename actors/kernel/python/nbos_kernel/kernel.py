"""ipykernel's request handling, with the capture of every cell hooked in.

The rule of the side channel: exactly one delta for each ``execute_request`` that is handled, silent,
failing and interrupted ones too, and before its reply leaves. `Kernel.do_execute` is the one place
through which all of them pass; requests that ipykernel aborts never get there and have no delta.
"""

from __future__ import annotations

import asyncio
import collections
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGINT, signal
from typing import Any

from ipykernel import zmqshell
from ipykernel.ipkernel import IPythonKernel
from IPython.core.interactiveshell import ExecutionResult
from traitlets import Type

from nbos_kernel import devices, simulated, static
from nbos_kernel.apply import Apply
from nbos_kernel.audit import Audit
from nbos_kernel.capture import Capture
from nbos_kernel.chunks import Interrupted
from nbos_kernel.cuda import CUDA
from nbos_kernel.delta import Delta
from nbos_kernel.given import move
from nbos_kernel.offload import Failed, Offload
from nbos_kernel.residents import Residents
from nbos_kernel.scrub import Scrub
from nbos_kernel.session import Session
from nbos_kernel.shield import Shield
from nbos_kernel.side import EXIT_PROTOCOL, Side
from nbos_kernel.streams import Body

# Contract of the side channel: how long a cell waits for the variables it may touch, in seconds.
ARRIVE_WITHIN = 600.0

# ipykernel posts a mark of the same kind to end the aborting of requests; no Jupyter message has one frame.
_APPLY_MARK = b"nbos apply"


class ZMQInteractiveShell(zmqshell.ZMQInteractiveShell):
    """ipykernel's shell, under its own name (programs look for it), that tells what is about to run."""

    async def run_ast_nodes(self, nodelist: Any, cell_name: str, *args: Any, **kwargs: Any) -> Any:
        try:
            self.kernel.about_to_run(nodelist, cell_name)
        except (KeyboardInterrupt, TimeoutError, Failed) as error:  # while it waited for variables to arrive, or for its GPUs' memory
            result = kwargs.get("result", args[-1] if args else None)
            if isinstance(result, ExecutionResult):
                result.error_in_exec = error
            self.showtraceback()
            return True
        return await super().run_ast_nodes(nodelist, cell_name, *args, **kwargs)


class Kernel(IPythonKernel):
    shell_class = Type(ZMQInteractiveShell)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._side: Side | None = None
        # Received and not applied yet; the replica waits for each answer before it sends more.
        self._frames: collections.deque[tuple[dict[str, Any], list[Body]]] = collections.deque()
        self._shield = Shield()
        # How many GPUs the running cell has, and what is on them while it runs.
        self._devices = 0
        self._offload = Offload()
        self._offload.add(Residents(CUDA))
        self._offload.add(simulated.MEMORY)
        self._state = Session(self.shell)
        self._capture = Capture(self._state)
        self._apply = Apply(self._state)
        # Subshells run cells beside the main one. Counting them tells whether the namespace stands still.
        self._count_lock = threading.Lock()
        self._running = 0
        self._main_plan: static.Plan | None = None
        self._numbered = False
        self._capture_lock = threading.Lock()
        self._arrivals = 0
        self._arrived = threading.Condition()
        self._needs = 0
        self._scrub = Scrub(self._capture, self._send_scrub, lambda: self._arrivals, lambda: self._running > 0, self._capture_lock)
        self._audit: Audit | None = None

    def audit(self) -> None:
        """Compare what each delta makes elsewhere with what is here. Called once, when the side channel is served."""
        self._audit = Audit(self._state, self._capture)
        self._state.chunks.send = self._audit.tee(self._state.chunks.send)

    def serve_side(self, side: Side) -> None:
        """Start to serve the side channel."""
        self._side = side
        self._state.ready()
        self._state.chunks.send = side.send_chunk
        self._capture.ready()
        side.listen(self._on_frame)

    # Interrupts.

    def pre_handler_hook(self) -> None:
        if threading.current_thread() is threading.main_thread():
            message_type = self.get_parent("shell").get("header", {}).get("msg_type")
            self.saved_sigint_handler = self._shield.install(armed=message_type != "execute_request")

    def post_handler_hook(self) -> None:
        if threading.current_thread() is threading.main_thread():
            signal(SIGINT, self.saved_sigint_handler)

    @contextmanager
    def _cancel_on_sigint(self, future: asyncio.Future[Any]) -> Iterator[None]:
        """SIGINT cancels a cell that awaits. ipykernel's own handler puts the cancellation on the loop
        without waking it: the cell goes on until something else happens."""
        loop = asyncio.get_running_loop()
        saved = signal(SIGINT, lambda *_: loop.call_soon_threadsafe(future.cancel) and None)
        try:
            yield
        finally:
            signal(SIGINT, saved)

    # Cells.

    async def shell_channel_thread_main(self, msg: Any) -> None:
        """On the thread that receives shell messages."""
        self._arrivals += 1
        await super().shell_channel_thread_main(msg)

    def should_handle(self, stream: Any, msg: Any, idents: Any) -> Any:
        if msg["header"]["msg_type"].startswith("comm_"):
            self._capture.look_at_everything = True  # its handlers are code of the notebook
        return super().should_handle(stream, msg, idents)

    def about_to_run(self, nodes: Any, file_name: str) -> None:
        """Called by the shell with the statements it is going to run."""
        plan = self._main_plan
        if plan is None or threading.current_thread() is not threading.main_thread():
            self._capture.look_at_everything = True
            return
        try:
            if self._numbered:
                self._state.history.ran(self.shell.execution_count - 1, file_name)
                self._numbered = False  # a cell that this one runs inside has no number
            if self.shell.ast_transformers:
                plan.everything = True
            static.analyse(nodes, self.shell.transform_cell, plan)
        except Exception:  # noqa: BLE001 - code that cannot be analysed can still run
            plan.everything = True
        while self._state.deferred and (keys := self._capture.deferred()):
            self._bring(keys)  # more may be in reach of what arrives
        if self._devices:
            self._offload.bring_back(self._devices)
        try:
            self._capture.planned()
        except Exception:  # noqa: BLE001 - code that cannot be analysed can still run
            plan.everything = True

    def _bring(self, keys: list[str]) -> None:
        """Ask for groups that have not arrived here yet and wait for them."""
        assert self._side is not None
        self._needs += 1
        self._side.send({"t": "need", "id": self._needs, "keys": keys})
        end = time.monotonic() + ARRIVE_WITHIN
        while not self._state.deferred.all_arrived(keys):
            with self._arrived:
                frame = next((frame for frame in self._frames if frame[0].get("need") == self._needs), None)
                if frame is None:
                    if not self._arrived.wait(min(1.0, end - time.monotonic())) and time.monotonic() > end:
                        raise TimeoutError(f"NB0907: variables of this cell did not arrive within {ARRIVE_WITHIN:.0f} s; run it again")
                    continue
                self._frames.remove(frame)
            with self._capture_lock:
                self._install(*frame)

    async def execute_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """ipykernel drops a request without code and never answers it: one that waits for it waits for ever."""
        if isinstance(parent.get("content"), dict) and isinstance(parent["content"].get("code"), str):
            parent["metadata"] = parent.get("metadata") or {}
            await super().execute_request(stream, ident, parent)
            return
        what = {"kind": "cell", "msg_id": parent["header"]["msg_id"], "scrub": None}
        self._side_send(what, self._capture.nothing(), time.perf_counter())
        reply = self._error_reply(ValueError("the execute_request has no code"))
        self.session.send(stream, "execute_reply", reply, parent, ident)

    async def do_execute(
        self,
        code: str,
        silent: bool,
        store_history: bool = True,
        user_expressions: dict[str, str] | None = None,
        allow_stdin: bool = False,
        *,
        cell_meta: Any = None,
        cell_id: Any = None,
    ) -> dict[str, Any]:
        header = self.get_parent()["header"]
        # ipykernel's debugger sends itself a cell when it starts; no client and no replica knows of it.
        request = header["msg_id"] if header.get("session") != self.session.session else None
        on_main = threading.current_thread() is threading.main_thread()
        with self._count_lock:
            self._running += 1
        if on_main:
            self._main_plan = self._capture.begin()
            self._numbered = store_history and not silent
            for expression in (user_expressions or {}).values():
                static.add_source(str(expression), self.shell.transform_cell, self._main_plan)
        try:
            self._shield.arm()
            with self._gpus(request):
                reply = await super().do_execute(
                    code, silent, store_history, user_expressions, allow_stdin, cell_meta=cell_meta, cell_id=cell_id
                )
            self._shield.disarm()
        except BaseException as error:  # noqa: BLE001 - an interrupt between two statements of ipykernel
            self._shield.disarm()
            self._capture.look_at_everything = True
            reply = self._error_reply(error)
        finally:
            if on_main:
                self._main_plan = None
            with self._count_lock:
                self._running -= 1
                alone = self._running == 0
            if request is not None:
                self._send_delta(request, alone or on_main)
            else:
                self._state.pass_over_new_names()
        return reply

    @contextmanager
    def _gpus(self, request: str | None) -> Iterator[None]:
        """The GPUs of a cell, with what the session keeps on them. Between cells it is in host memory."""
        with devices.lent(self.get_parent().get("metadata")) as lent:
            self._devices = len(lent)
            try:
                yield
            finally:
                self._devices = 0
                if lent:
                    self._shield.disarm()
                    self._give_back(request, lent)

    def _give_back(self, request: str | None, lent: tuple[devices.Device, ...]) -> None:
        start = time.perf_counter()
        left = [{"index": lent[it.position].index, "bytes": it.bytes, "why": it.why}
                for it in self._offload.give_back() if it.position < len(lent)]
        took = int((time.perf_counter() - start) * 1e6)
        if self._side is not None and request is not None:
            self._side.send({"t": "released", "msg_id": request, "took_us": took, "left": left})

    def _error_reply(self, error: BaseException) -> dict[str, Any]:
        """ipykernel sends no reply at all when an exception leaves it here; a client would wait for ever."""
        return {
            "status": "error",
            "ename": type(error).__name__,
            "evalue": str(error),
            "traceback": traceback.format_exception_only(type(error), error),
            "execution_count": self.shell.execution_count - 1,
            "user_expressions": {},
            "payload": [],
        }

    def _send_delta(self, request: str, capture: bool) -> None:
        start = time.perf_counter()
        with self._capture_lock:
            if capture:
                delta = self._capture.finish(self._stop_sending)
                if self._audit is not None:
                    delta = self._audit.checked(delta)
            else:
                # Another cell is changing the namespace at this moment; the delta of that cell will hold both.
                self._capture.look_at_everything = True
                delta = self._capture.nothing()
            self._side_send({"kind": "cell", "msg_id": request, "scrub": None}, delta, start)
        if threading.current_thread() is threading.main_thread():
            self._scrub.cell_ended()

    def _stop_sending(self) -> None:
        if self._shield.interrupted:
            raise Interrupted

    def _send_scrub(self, delta: Delta, start: float) -> None:
        """What a part of a full pass found, if anything."""
        if delta.empty:
            self._state.chunks.hold([], [])
        else:
            if self._audit is not None:
                delta = self._audit.checked_part(delta)
            self._side_send({"kind": "scrub", "msg_id": None, "scrub": None}, delta, start)

    def _side_send(self, what: dict[str, Any], delta: Delta, start: float) -> None:
        if self._side is not None:
            self._side.send(self._header(what, delta, start), delta.body)
            self._state.chunks.hold(delta.groups, delta.deleted)

    def _header(self, what: dict[str, Any], delta: Delta, start: float) -> dict[str, Any]:
        return {
            "t": "delta",
            **what,
            "groups": delta.groups,
            "deleted": delta.deleted,
            "pinned": delta.pinned,
            "execution_count": self.shell.execution_count,
            "took_us": int((time.perf_counter() - start) * 1e6),
        }

    # Frames from the replica.

    def _on_frame(self, header: dict[str, Any], bodies: list[Body]) -> None:
        """On the reader thread. An apply goes through the main shell's own queue: it is done between
        requests, in their order, and in their context (decimal's and numpy's settings live in one)."""
        assert self._side is not None
        if header["t"] == "touches":
            code, names = _question(header)
            self._arrivals += 1  # a pass over the session gives way
            why = "another cell runs" if self._running else self._capture.gpu(code)
            self._side.send({"t": "touched", "id": header.get("id"), "names": self._capture.touches(code, names) if names else [],
                             "gpu": {"may": why is not None, "why": why}})
            return
        if header["t"] not in ("apply", "scrub", "begin"):
            self._side.die(EXIT_PROTOCOL, f"NB0903: a frame of unknown type {header['t']!r:.80}")
        self._arrivals += 1
        with self._arrived:
            self._frames.append((header, bodies))
            self._arrived.notify_all()
        self.shell_channel_thread.io_loop.add_callback(self._post_mark)

    def _post_mark(self) -> None:
        self.shell_channel_thread.manager.get_shell_channel_to_subshell_socket(None).send(_APPLY_MARK, copy=False)

    async def dispatch_shell(self, msg: Any, /, *args: Any, **kwargs: Any) -> None:
        if len(msg) == 1 and msg[0].buffer == _APPLY_MARK:
            with self._capture_lock:
                self._serve_next()
        else:
            await super().dispatch_shell(msg, *args, **kwargs)

    def _serve_next(self) -> None:
        with self._arrived:
            if not self._frames:
                return  # a cell has waited for it and took it
            header, bodies = self._frames.popleft()
        if header["t"] == "scrub":
            start = time.perf_counter()
            delta = self._capture.full_pass()
            if self._audit is not None:
                delta = self._audit.checked(delta)
            self._side_send({"kind": "scrub", "msg_id": None, "scrub": header.get("id")}, delta, start)
        elif header["t"] == "begin":
            self._begin(header)
        else:
            self._install(header, bodies)

    def _begin(self, header: dict[str, Any]) -> None:
        """A kernel that was started ahead is taken: now it is known for whom."""
        assert self._side is not None
        try:
            move(header["env"], header["cwd"])
        except (KeyError, TypeError, ValueError, OSError) as error:
            self._side.die(EXIT_PROTOCOL, f"NB0903: a begin frame that cannot be followed: {type(error).__name__}: {error}")
        self._state.moved()
        self._side.send({"t": "begun"})

    def _install(self, header: dict[str, Any], bodies: list[Body]) -> None:
        assert self._side is not None
        start = time.perf_counter()
        try:
            if self._audit is not None:
                self._audit.follow(header, bodies)
            failed = self._apply.run(header, bodies)
        except (KeyError, TypeError, ValueError) as error:
            self._side.die(EXIT_PROTOCOL, f"NB0903: an apply frame that cannot be read: {type(error).__name__}: {error}")
            return
        took = int((time.perf_counter() - start) * 1e6)
        self._side.send({"t": "applied", "id": header.get("id"), "failed": failed, "took_us": took})


def _question(header: dict[str, Any]) -> tuple[str, list[str]]:
    of = header.get("of")
    return str(header.get("code", "")), [str(name) for name in of] if isinstance(of, list) else []
