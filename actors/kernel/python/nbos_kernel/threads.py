"""Locks and other primitives that work between threads: rebuilt with their state."""

from __future__ import annotations

import concurrent.futures
import gc
import queue
import re
import subprocess
import threading
from typing import TYPE_CHECKING, Any

from nbos_kernel.registry import reduces, reduces_all, stays_all, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

_LOCK, _RLOCK = type(threading.Lock()), type(threading.RLock())
_OWNER = re.compile(r"owner=(\d+) count=(\d+)")


@reduces(_LOCK)
def reduce_lock(_pickler: StatePickler, held: Any) -> Any:
    return lock, (held.locked(),)


@reduces(_RLOCK)
def reduce_reentrant(pickler: StatePickler, held: Any) -> Any:
    owner, count = map(int, _OWNER.search(repr(held)).groups())  # type: ignore[union-attr]
    if count and owner != threading.main_thread().ident:
        return pickler.pin(held, "a thread holds it")
    return reentrant, (count,)


@reduces(threading.Condition)
def reduce_condition(pickler: StatePickler, condition: Any) -> Any:
    return pickler.pin(condition, "a thread waits for it") if condition._waiters else pickler.ordinary(condition)


@reduces(queue.Queue, queue.LifoQueue, queue.PriorityQueue)
def reduce_queue(pickler: StatePickler, waiting: Any) -> Any:
    """What is put into it elsewhere would never reach the thread that takes from it."""
    if any(it._waiters for it in (waiting.not_empty, waiting.not_full, waiting.all_tasks_done)):
        return pickler.pin(waiting, "a thread waits for it")
    return pickler.ordinary(waiting)


@reduces_all(threading.local)
def reduce_local(_pickler: StatePickler, local: Any) -> Any:
    return local_of, (type(local), *_made_with(local)), dict(local.__dict__), None, None, set_local


@reduces(concurrent.futures.Future)
def reduce_future(pickler: StatePickler, future: Any) -> Any:
    if not future.done() and (future.running() or _is_awaited_from(future)):
        return pickler.pin(future, "nothing will complete it elsewhere")
    return finished_future, (), dict(vars(future)), None, None, set_local


@reduces(subprocess.Popen)
def reduce_process(pickler: StatePickler, process: Any) -> Any:
    if process.returncode is None:
        return pickler.pin(process, "it works only in the process that made it")
    return finished_process, (), dict(vars(process)), None, None, set_local


@reduces_all(threading.Thread)
def reduce_thread(pickler: StatePickler, thread: Any) -> Any:
    """One that has ended, or was not started, is an object like others."""
    if thread is threading.main_thread():
        return threading.main_thread, ()
    if thread.is_alive():
        return pickler.pin(thread, "it works only in the process that made it")
    return idle_thread, (type(thread),), dict(vars(thread)), None, None, set_local


@stays_all(threading.Thread)
def stays_thread(thread: Any) -> bool:
    return bool(thread.is_alive())


@walks(threading.Thread)
def of_thread(thread: Any) -> list[Any]:
    return [] if thread.is_alive() else list(vars(thread).values())


@stays_all(concurrent.futures.Future)
def stays_future(future: Any) -> bool:
    return not future.done()


@walks(threading.local)
def of_local(local: Any) -> list[Any]:
    return list(local.__dict__.values())


@reduces(queue.SimpleQueue)
def reduce_simple_queue(_pickler: StatePickler, waiting: Any) -> Any:
    """Emptied and filled again: there is no other way to look into it."""
    items = []
    while True:
        try:
            items.append(waiting.get_nowait())
        except queue.Empty:
            break
    for item in items:
        waiting.put(item)
    return simple_queue, (), items, None, None, put_all


def _is_awaited_from(future: Any) -> bool:
    """Whether an executor is to complete it; one that the notebook made waits for the notebook."""
    return any(type(it).__name__ == "_WorkItem" or isinstance(it, dict) and type(it.get("future")) is type(future) for it in gc.get_referrers(future))


def _made_with(local: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What each thread's part of a thread-local object is made with; only the collector is told."""
    shown = gc.get_referents(local)
    args = next((it for it in shown if type(it) is tuple), ())
    kwargs = next((it for it in shown if type(it) is dict and it and all(type(key) is str for key in it) and it is not local.__dict__), {})
    return args, kwargs


# What payloads call.


def lock(held: bool) -> Any:
    made = threading.Lock()
    if held:
        made.acquire()
    return made


def reentrant(count: int) -> Any:
    made = threading.RLock()
    for _ in range(count):
        made.acquire()
    return made


def local_of(cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return cls.__new__(cls, *args, **kwargs)


def idle_thread(cls: Any) -> Any:
    return cls.__new__(cls)


def finished_future() -> Any:
    return concurrent.futures.Future()


def finished_process() -> Any:
    return subprocess.Popen.__new__(subprocess.Popen)


def set_local(made: Any, attributes: dict[str, Any]) -> None:
    made.__dict__.update(attributes)


def simple_queue() -> Any:
    return queue.SimpleQueue()


def put_all(waiting: Any, items: list[Any]) -> None:
    for item in items:
        waiting.put(item)
