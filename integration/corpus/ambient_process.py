# What the interpreter and the process are set to beside variables.

# %% case: proc_stdout_left_redirected [alone]
import contextlib, io
proc_text = io.StringIO()
proc_redirect = contextlib.redirect_stdout(proc_text)
proc_redirect.__enter__()
print("one")
# %%
print("two")
# %% check
import sys
assert sys.stdout is proc_text
print("three")
proc_redirect.__exit__(None, None, None)
assert proc_text.getvalue() == "one\ntwo\nthree\n" and sys.stdout is not proc_text
print("to the client")
assert "client" not in proc_text.getvalue()

# %% case: proc_tee_stream [alone]
import sys
class ProcTee:
    def __init__(self, *to): self.to, self.seen = to, []
    def write(self, text):
        self.seen.append(text)
        for it in self.to: it.write(text)
    def flush(self):
        for it in self.to: it.flush()
proc_real = sys.stdout
sys.stdout = proc_tee = ProcTee(proc_real)
# %%
print("x", end="")
# %%
sys.stdout = proc_real
# %% check
import sys
assert "".join(proc_tee.seen) == "x" and sys.stdout is proc_real and proc_tee.to[0] is sys.stdout

# %% case: proc_signal_handler [alone]
import os, signal
proc_got = []
def proc_handler(number, frame): proc_got.append(number)
proc_before = signal.signal(signal.SIGUSR1, proc_handler)
# %%
os.kill(os.getpid(), signal.SIGUSR1)
# %% check
import os, signal
assert signal.getsignal(signal.SIGUSR1) is proc_handler and proc_before == signal.SIG_DFL
os.kill(os.getpid(), signal.SIGUSR1)
assert proc_got == [signal.SIGUSR1] * 2

# %% case: proc_hooks [alone]
import sys, threading
proc_seen = []
sys.unraisablehook = lambda a: proc_seen.append(a.exc_type)
threading.excepthook = lambda args: proc_seen.append(args.exc_type)
# %%
proc_t = threading.Thread(target=lambda: 1 / 0); proc_t.start(); proc_t.join()
del proc_t
# %% check
import sys, threading
assert proc_seen == [ZeroDivisionError]
sys.unraisablehook(type("Args", (), {"exc_type": KeyError}))
t = threading.Thread(target=lambda: [][1]); t.start(); t.join()
assert proc_seen == [ZeroDivisionError, KeyError, IndexError]

# %% case: proc_limits_and_umask [alone]
import os, resource
os.umask(0o027)
proc_soft = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (200, proc_soft[1]))
# %% check
import os, resource
assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 200
old = os.umask(0); os.umask(old)
assert old == 0o027, oct(old)

# %% case: proc_csv_and_mimetypes [alone]
import csv, mimetypes
csv.register_dialect("proc_pipes", delimiter="|", quoting=csv.QUOTE_ALL)
csv.field_size_limit(1000)
mimetypes.add_type("application/x-notebook", ".ipynbx")
# %%
proc_limit = csv.field_size_limit()
# %% check
import csv, io, mimetypes
assert csv.get_dialect("proc_pipes").delimiter == "|" and csv.field_size_limit() == proc_limit == 1000
out = io.StringIO(); csv.writer(out, "proc_pipes").writerow([1, "a"])
assert out.getvalue() == '"1"|"a"\r\n' and mimetypes.guess_type("x.ipynbx")[0] == "application/x-notebook"

# %% case: proc_socket_timeout_and_opener [alone]
import socket, urllib.request
socket.setdefaulttimeout(7.5)
class ProcHandler(urllib.request.BaseHandler):
    calls = []
    def proc_open(self, request):
        self.calls.append(request.full_url)
        return "answered"
urllib.request.install_opener(urllib.request.build_opener(ProcHandler()))
# %%
proc_answer = urllib.request.urlopen("proc://here")
# %% check
import socket, urllib.request
assert socket.getdefaulttimeout() == 7.5 and proc_answer == "answered"
assert urllib.request.urlopen("proc://there") == "answered" and ProcHandler.calls == ["proc://here", "proc://there"]

# %% case: proc_codecs [alone]
import codecs
def proc_replace(error): return ("<?>", error.end)
codecs.register_error("proc_mark", proc_replace)
def proc_search(name):
    if name == "proc_rot":
        return codecs.CodecInfo(lambda s, e="strict": (s[::-1].encode(), len(s)), lambda b, e="strict": (bytes(b).decode()[::-1], len(b)), name="proc_rot")
codecs.register(proc_search)
# %%
proc_bytes = "abc".encode("proc_rot")
# %% check
assert "aä".encode("ascii", "proc_mark") == b"a<?>" and proc_bytes == b"cba"
assert "xyz".encode("proc_rot") == b"zyx" and b"zyx".decode("proc_rot") == "xyz"

# %% case: proc_copyreg [alone]
import copyreg, copy, pickle
class ProcPoint:
    def __init__(self, x): self.x = x
def proc_reduce(point): return ProcPoint, (point.x + 1,)
copyreg.pickle(ProcPoint, proc_reduce)
# %% check
import copy
assert copy.copy(ProcPoint(1)).x == 2

# %% case: proc_gc_callback_and_meta_path [alone]
import gc, sys, importlib.abc, importlib.util
proc_phases = []
def proc_cb(phase, info): proc_phases.append(phase)
gc.callbacks.append(proc_cb)
class ProcFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    made = []
    def find_spec(self, name, path, target=None):
        if name.startswith("procvirtual_"): return importlib.util.spec_from_loader(name, self)
    def exec_module(self, module):
        self.made.append(module.__name__); module.answer = 42
sys.meta_path.insert(0, ProcFinder())
# %%
import procvirtual_one
# %% check
import gc, sys
n = len(proc_phases); gc.collect(); assert len(proc_phases) == n + 2 and proc_cb in gc.callbacks
import procvirtual_two
assert procvirtual_one.answer == procvirtual_two.answer == 42
assert ProcFinder.made == ["procvirtual_one", "procvirtual_two"] and type(sys.meta_path[0]) is ProcFinder
gc.callbacks.remove(proc_cb)

# %% case: proc_collections_between_cells [alone]
import gc
pcb_phases = []
def pcb_cb(phase, info): pcb_phases.append(phase)
gc.callbacks.append(pcb_cb)
gc.set_threshold(40)
# %%
pcb_x = [[i] for i in range(300)]
# %%
pcb_y = [[i] for i in range(300)]
# %%
gc.disable()
# %%
pcb_z = 1
# %%
gc.enable()
# %% check
import gc
assert gc.isenabled() and gc.get_threshold()[0] == 40 and pcb_cb in gc.callbacks and set(pcb_phases) == {"start", "stop"}

# %% case: proc_context_variable [alone]
import contextvars
proc_var = contextvars.ContextVar("proc_var", default="unset")
proc_token = proc_var.set("first")
# %%
proc_var.set(["a", "list"])
# %% check
assert proc_var.get() == ["a", "list"] and proc_var.name == "proc_var"
import contextvars
assert contextvars.copy_context()[proc_var] == ["a", "list"]
assert contextvars.Context().run(proc_var.get) == "unset"

# %% case: proc_future_import [alone]
from __future__ import annotations
# %%
def proc_f(x: NotThere) -> AlsoNot: return x
# %% check
assert proc_f.__annotations__ == {"x": "NotThere", "return": "AlsoNot"}

# %% case: proc_atexit [alone]
import atexit
proc_done = []
def proc_bye(word, *, loud=False): proc_done.append((word, loud))
atexit.register(proc_bye, "bye", loud=True)
@atexit.register
def proc_other(): proc_done.append("other")
# %%
atexit.unregister(proc_other)
# %% check
import atexit
atexit.unregister(proc_bye)
assert proc_done == []

# %% case: proc_exec_source_lines [alone]
import linecache
proc_source = "def proc_made(x):\n    return x + 1\n"
linecache.cache["<proc made>"] = (len(proc_source), None, proc_source.splitlines(True), "<proc made>")
exec(compile(proc_source, "<proc made>", "exec"))
# %% check
import inspect
assert inspect.getsource(proc_made) == proc_source and proc_made(1) == 2

# %% case: proc_main_module_names [alone]
import sys
sys.ps9 = "prompt"; sys.tracebacklimit = 3
sys.setrecursionlimit(2345)
# %%
del sys.tracebacklimit
# %% check
import sys
assert sys.ps9 == "prompt" and not hasattr(sys, "tracebacklimit") and sys.getrecursionlimit() == 2345
# %% case: stream_of_the_notebook_changes_later [alone]
import sys
class AmTee:
    def __init__(self, real): self.real, self.seen = real, []
    def write(self, text): self.seen.append(text); return self.real.write(text)
    def __getattr__(self, name): return getattr(self.real, name)
am_real = sys.stdout
sys.stdout = sys.stderr = AmTee(am_real)
# %%
print("to both")
# %% check
assert type(sys.stdout) is AmTee and sys.stdout is sys.stderr and sys.stdout.real is am_real and type(am_real) is not AmTee
assert "".join(sys.stdout.seen).startswith("to both\n")
sys.stdout = am_real
# %% case: own_standard_input_changes_later [alone]
import sys
class AmTyped:
    def __init__(self, real): self.real, self.lines = real, ["one\n"]
    def readline(self): return self.lines.pop(0)
am_stdin = sys.stdin
sys.stdin = AmTyped(am_stdin)
# %%
sys.stdin.lines.append("two\n"); am_line = sys.stdin.readline()
# %% check
assert type(sys.stdin) is AmTyped and sys.stdin.real is am_stdin and am_line == "one\n" and sys.stdin.readline() == "two\n"
sys.stdin = am_stdin
assert type(sys.stdin) is not AmTyped
