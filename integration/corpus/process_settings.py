# What a notebook changes around itself: contexts, filters, loggers, handlers, modules, patches.
# %% case: am_contextvars_and_decimal [alone]
import contextvars, decimal
from decimal import Decimal, getcontext, localcontext, setcontext
am_user = contextvars.ContextVar("am_user", default="nobody")
am_depth = contextvars.ContextVar("am_depth")
getcontext().prec = 9
getcontext().rounding = decimal.ROUND_UP
getcontext().traps[decimal.Inexact] = False
am_ctx = getcontext().copy()
am_ctx.prec = 3
# %%
am_x = Decimal(1) / Decimal(7)
am_snapshot = contextvars.copy_context()
am_inner = am_snapshot.run(lambda: (am_depth.set(4), am_depth.get())[1])
# %%
with localcontext() as c:
    c.prec = 50
    am_long = Decimal(2).sqrt()
am_y = am_ctx.divide(1, 3)
# %% check
assert str(am_x) == "0.142857143", am_x
assert getcontext().prec == 9 and getcontext().rounding == decimal.ROUND_UP
assert str(Decimal(2) / 3) == "0.666666667" and str(Decimal(1) / 3) == "0.333333334"
assert len(str(am_long)) == 51 and str(am_y) == "0.334" and am_ctx.flags[decimal.Inexact]
assert am_user.get() == "nobody" and am_inner == 4 and am_snapshot[am_depth] == 4
try:
    am_depth.get()
except LookupError:
    pass
else:
    raise AssertionError
assert am_snapshot.run(am_depth.get) == 4 and am_user.name == "am_user"
getcontext().traps[decimal.DivisionByZero] = False
assert Decimal(1) / 0 == Decimal("Infinity")
# %% case: am_logging_setup [alone]
import logging, io
am_stream = io.StringIO()
class AmRedact(logging.Filter):
    def __init__(self, word): super().__init__(); self.word, self.hits = word, 0
    def filter(self, rec):
        if self.word in rec.getMessage():
            self.hits += 1
            return False
        return True
class AmCounter(logging.Handler):
    def __init__(self): super().__init__(level=logging.WARNING); self.seen = []
    def emit(self, rec): self.seen.append((rec.name, rec.levelname, rec.getMessage()))
am_logger = logging.getLogger("am.app")
am_logger.setLevel(logging.DEBUG); am_logger.propagate = False
am_h = logging.StreamHandler(am_stream)
am_h.setFormatter(logging.Formatter("{levelname[0]}:{name}:{message}", style="{"))
am_red = AmRedact("secret"); am_h.addFilter(am_red)
am_count = AmCounter()
am_logger.addHandler(am_h); logging.getLogger("am").addHandler(am_count)
logging.addLevelName(25, "NOTICE")
# %%
am_child = logging.getLogger("am.app.db"); am_child.setLevel(logging.ERROR)
am_adapter = logging.LoggerAdapter(am_logger, {"run": 7})
am_logger.info("start"); am_logger.warning("the secret"); am_child.warning("quiet"); am_child.error("loud")
logging.disable(logging.DEBUG)
# %%
am_logger.propagate = True
am_logger.log(25, "note")
# %% check
assert logging.getLogger("am.app") is am_logger and am_child.parent is am_logger and am_logger.handlers == [am_h]
assert am_stream.getvalue() == "I:am.app:start\nE:am.app.db:loud\nN:am.app:note\n", am_stream.getvalue()
assert am_red.hits == 1 and am_h.stream is am_stream and am_count.seen == []
am_child.error("again"); am_logger.debug("disabled")
assert am_count.seen == [("am.app.db", "ERROR", "again")] and am_stream.getvalue().endswith("E:am.app.db:again\n")
assert am_adapter.logger is am_logger and logging.getLevelName(25) == "NOTICE" and logging.root.manager.disable == 10
assert am_child.getEffectiveLevel() == logging.ERROR and logging.getLogger("am").handlers == [am_count]
# %% case: am_warning_filters [alone]
import warnings
class AmDataWarning(UserWarning): pass
am_caught = []
warnings.filterwarnings("error", category=AmDataWarning)
warnings.filterwarnings("ignore", message="legacy .*", category=DeprecationWarning)
def am_show(message, category, filename, lineno, file=None, line=None):
    am_caught.append((category.__name__, str(message)))
warnings.showwarning = am_show
# %%
warnings.warn("plain one")
warnings.warn("legacy thing", DeprecationWarning)
# %% raises AmDataWarning
warnings.warn("bad row", AmDataWarning)
# %%
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    warnings.warn("inner", AmDataWarning)
warnings.warn("plain two", RuntimeWarning)
# %% check
assert am_caught == [("UserWarning", "plain one"), ("RuntimeWarning", "plain two")], am_caught
try:
    warnings.warn("x", AmDataWarning)
except AmDataWarning as e:
    assert str(e) == "x"
else:
    raise AssertionError("filter lost")
warnings.warn("legacy again", DeprecationWarning)
assert len(am_caught) == 2 and warnings.showwarning is am_show
assert warnings.filters[1][0] == "error" and warnings.filters[1][2] is AmDataWarning
# %% case: am_cwd_env_path_and_module_reload [alone]
import os, sys, importlib, pathlib
am_root = os.getcwd()
pathlib.Path("am_proj/pkg").mkdir(parents=True, exist_ok=True)
pathlib.Path("am_proj/pkg/__init__.py").write_text("from .core import Thing, VALUE\nloaded = []\n")
pathlib.Path("am_proj/pkg/core.py").write_text("VALUE = 1\nclass Thing:\n    tag = 'old'\n    def hi(self): return self.tag, VALUE\n")
os.chdir("am_proj")
sys.path.insert(0, os.getcwd())
os.environ["AM_MODE"] = "dev"; os.environ.setdefault("AM_KEEP", "k")
sys.dont_write_bytecode = True
import pkg, pkg.core
am_t1 = pkg.Thing()
pkg.loaded.append("first")
# %%
pathlib.Path("pkg/core.py").write_text("VALUE = 22\nclass Thing:\n    tag = 'new'\n    def hi(self): return self.tag, VALUE\n")
importlib.invalidate_caches()
am_core = importlib.reload(pkg.core)
am_t2 = am_core.Thing()
pkg.core.EXTRA = "patched in"
del os.environ["AM_KEEP"]
# %%
from pkg import VALUE as am_val
os.environ["AM_MODE"] += "+x"
# %% check
assert os.getcwd() == os.path.join(am_root, "am_proj") and sys.path[0] == os.getcwd()
assert os.environ["AM_MODE"] == "dev+x" and "AM_KEEP" not in os.environ
assert am_core is pkg.core is sys.modules["pkg.core"] and pkg.core.EXTRA == "patched in"
assert am_t1.hi() == ("old", 22) and am_t2.hi() == ("new", 22), (am_t1.hi(), am_t2.hi())
assert type(am_t1) is pkg.Thing is not pkg.core.Thing and type(am_t2) is pkg.core.Thing
assert am_val == 1 == pkg.VALUE and pkg.loaded == ["first"]
assert sys.dont_write_bytecode is True
import subprocess
assert subprocess.run([sys.executable, "-c", "import os; print(os.environ['AM_MODE'], os.path.basename(os.getcwd()))"], capture_output=True, text=True).stdout.split() == ["dev+x", "am_proj"]
# %% case: am_module_made_at_run_time
import sys, types, importlib
am_mod = types.ModuleType("am_helpers", "made in the notebook")
exec('''
_state = {"n": 0}
def bump(by=1):
    _state["n"] += by
    return _state["n"]
class Gadget:
    def __init__(self): self.n = bump()
    def __reduce__(self): return (Gadget, ())
''', am_mod.__dict__)
sys.modules["am_helpers"] = am_mod
# %%
import am_helpers
from am_helpers import bump as am_bump
am_helpers.bump(4)
am_gad = am_helpers.Gadget()
# %%
am_helpers.scale = lambda x: x * am_factor
am_factor = 3
# %% check
import am_helpers as am_again
assert am_again is am_mod is am_helpers and am_mod.__doc__ == "made in the notebook"
assert am_bump is am_mod.bump and am_bump.__globals__ is am_mod.__dict__ and am_bump.__module__ != "__main__"
assert am_mod._state == {"n": 5} and am_bump() == 6 and am_mod._state["n"] == 6
assert am_gad.n == 5 and type(am_gad) is am_mod.Gadget
assert am_mod.scale(2) == 6 and am_mod.scale.__globals__ is globals()
# %% case: am_stdlib_monkeypatch [alone]
import json, builtins, datetime, math
from unittest import mock
am_json_default = json.JSONEncoder.default
def am_default(self, o):
    if isinstance(o, datetime.date): return o.isoformat()
    if isinstance(o, set): return sorted(o)
    return am_json_default(self, o)
json.JSONEncoder.default = am_default
builtins.am_peek = lambda x: f"<{x}>"
am_patcher = mock.patch("math.sqrt", return_value=-1)
am_sqrt_mock = am_patcher.start()
# %%
am_dump = json.dumps({"d": datetime.date(2024, 2, 29), "s": {3, 1}})
am_vals = [math.sqrt(4), am_peek(2)]
# %%
am_envp = mock.patch.dict("os.environ", {"AM_FAKE": "1"})
am_envp.start()
# %% check
import os
assert am_dump == '{"d": "2024-02-29", "s": [1, 3]}' and am_vals == [-1, "<2>"]
assert json.dumps([{2, 1}]) == "[[1, 2]]" and json.JSONEncoder.default is am_default
assert math.sqrt is am_sqrt_mock and am_sqrt_mock.call_args_list == [mock.call(4)] and math.sqrt(9) == -1
assert am_peek("z") == "<z>" and builtins.am_peek is am_peek and os.environ["AM_FAKE"] == "1"
am_patcher.stop(); am_envp.stop()
assert math.sqrt(9) == 3.0 and "AM_FAKE" not in os.environ
# %% case: am_signals_atexit_and_hooks [alone]
import signal, atexit, sys, time, os
am_sig_log = []
def am_on_usr(signum, frame):
    am_sig_log.append(signal.Signals(signum).name)
am_prev = signal.signal(signal.SIGUSR1, am_on_usr)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
@atexit.register
def am_bye(): am_sig_log.append("bye")
sys.setrecursionlimit(4321)
os.environ["TZ"] = "Asia/Tokyo"; time.tzset()
# %%
signal.raise_signal(signal.SIGUSR1)
am_old_unraisable = sys.unraisablehook
sys.unraisablehook = lambda u: am_sig_log.append(type(u.exc_value).__name__)
class AmBadDel:
    def __del__(self): raise KeyError("in del")
# %%
am_bad = AmBadDel()
del am_bad
sys.set_int_max_str_digits(10000)
# %% check
assert am_sig_log == ["SIGUSR1", "KeyError"], am_sig_log
assert signal.getsignal(signal.SIGUSR1) is am_on_usr and signal.getsignal(signal.SIGUSR2) is signal.SIG_IGN
assert am_prev is signal.SIG_DFL
signal.raise_signal(signal.SIGUSR1); signal.raise_signal(signal.SIGUSR2)
assert am_sig_log[2:] == ["SIGUSR1"]
n = atexit._ncallbacks(); atexit.unregister(am_bye)
assert sys.getrecursionlimit() == 4321 and sys.get_int_max_str_digits() == 10000
assert time.tzname[0] == "JST" and time.localtime(0).tm_hour == 9
del AmBadDel.__del__
sys.unraisablehook = am_old_unraisable
assert am_sig_log[-1] == "SIGUSR1"
# %% case: am_thread_locals_locks_queues
import threading, queue
am_tl = threading.local(); am_tl.name = "main"; am_tl.stack = [1]
class AmLocal(threading.local):
    made = 0
    def __init__(self, base): AmLocal.made += 1; self.base = base
am_tl2 = AmLocal([5])
am_lock, am_rlock = threading.Lock(), threading.RLock()
am_sem = threading.BoundedSemaphore(2)
am_evt, am_cond = threading.Event(), threading.Condition(threading.Lock())
am_q, am_pq = queue.Queue(maxsize=3), queue.PriorityQueue()
# %%
am_lock.acquire(); am_sem.acquire(); am_evt.set()
am_results = []
def am_worker():
    am_results.append(getattr(am_tl, "name", "unset"))
    am_q.put("from worker")
am_th = threading.Thread(target=am_worker, name="am-w"); am_th.start(); am_th.join()
am_q.put([1]); am_pq.put((2, "b")); am_pq.put((1, "a"))
# %%
am_item = am_q.get(); am_rlock.acquire(); am_rlock.acquire(); am_rlock.release()
# %% check
assert am_tl.name == "main" and am_tl.stack == [1] and am_tl2.base == [5]
assert am_lock.locked() and not am_lock.acquire(blocking=False)
am_lock.release()
assert am_lock.acquire(blocking=False)
assert am_sem.acquire(blocking=False) and not am_sem.acquire(blocking=False)
am_sem.release(); am_sem.release()
try:
    am_sem.release()
except ValueError:
    pass
else:
    raise AssertionError("bound lost")
assert am_evt.is_set() and am_item == "from worker" and am_q.qsize() == 1 and am_q.unfinished_tasks == 2 and am_q.maxsize == 3
assert am_pq.get() == (1, "a") and am_results == ["unset"]
am_rlock.release()
try:
    am_rlock.release()
except RuntimeError:
    pass
else:
    raise AssertionError("rlock count lost")
assert not am_th.is_alive() and am_th.name == "am-w"
t = threading.Thread(target=am_worker); t.start(); t.join()
assert am_results == ["unset", "unset"] and am_q.qsize() == 2
# %% case: am_exitstack_half_open
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stdout, suppress
import io
am_trail = []
class AmRes:
    def __init__(self, n): self.n, self.open = n, False
    def __enter__(self): self.open = True; am_trail.append("+" + self.n); return self
    def __exit__(self, t, v, tb): self.open = False; am_trail.append("-" + self.n + (":" + t.__name__ if t else "")); return t is KeyError
am_stack = ExitStack()
am_ra = am_stack.enter_context(AmRes("a"))
am_stack.callback(am_trail.append, "cb")
# %%
am_rb = am_stack.enter_context(AmRes("b"))
@am_stack.push
def am_exit(t, v, tb): am_trail.append("pushed")
am_moved = ExitStack(); am_moved.enter_context(AmRes("m"))
am_kept = am_moved.pop_all()
am_moved.close()
# %%
am_sup = suppress(ZeroDivisionError)
with am_sup: 1 / 0
# %% check
assert am_trail == ["+a", "+b", "+m"] and am_ra.open and am_rb.open
am_kept.close()
assert am_trail[-1] == "-m"
with am_stack:
    raise KeyError("swallowed")
assert am_trail[4:] == ["pushed", "-b:KeyError", "cb", "-a"], am_trail
assert not am_ra.open and not am_rb.open
with am_sup: 1 / 0
# %% case: am_live_worker_thread [pinned]
import threading, queue
am_jobs, am_done = queue.Queue(), []
def am_serve():
    while (j := am_jobs.get()) is not None:
        am_done.append(j * 2)
        am_jobs.task_done()
am_server = threading.Thread(target=am_serve, daemon=True); am_server.start()
am_jobs.put(1); am_jobs.join()
# %%
am_jobs.put(2); am_jobs.join()
# %% check
assert am_server.is_alive()
am_jobs.put(3); am_jobs.join()
assert am_done == [2, 4, 6]
am_jobs.put(None); am_server.join(5)
