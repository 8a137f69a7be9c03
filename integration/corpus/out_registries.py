# Hidden registries and process-wide switches of the standard library: codecs, signals, atexit, tracing, mimetypes, XML namespaces, timeouts.
# %% case: reg_codecs_and_error_handlers [alone]
import codecs
def reg_search(name):
    if name == "reg_rot1":
        return codecs.CodecInfo(lambda s, e="strict": (bytes((ord(c) + 1) % 256 for c in s), len(s)), lambda b, e="strict": ("".join(chr(x - 1) for x in bytes(b)), len(b)), name=name)
codecs.register(reg_search)
reg_bad = []
def reg_handler(exc): reg_bad.append(exc.object[exc.start:exc.end]); return ("?" * (exc.end - exc.start), exc.end)
codecs.register_error("reg_question", reg_handler)
# %%
reg_enc = "abc".encode("reg_rot1"); reg_dec = "né".encode("ascii", "reg_question")
# %% check
import codecs
assert reg_enc == b"bcd" and b"bcd".decode("reg_rot1") == "abc" and reg_dec == b"n?" and reg_bad == ["é"]
assert codecs.lookup_error("reg_question") is reg_handler and "à".encode("ascii", "reg_question") == b"?" and reg_bad == ["é", "à"]
# %% case: reg_signal_handlers [alone]
import signal
reg_got = []
def reg_on_usr1(num, frame): reg_got.append(num)
reg_prev = signal.signal(signal.SIGUSR1, reg_on_usr1)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
# %%
signal.raise_signal(signal.SIGUSR1)
# %% check
import signal, os
assert reg_got == [signal.SIGUSR1] and reg_prev == signal.SIG_DFL and signal.getsignal(signal.SIGUSR1) is reg_on_usr1
assert signal.getsignal(signal.SIGUSR2) == signal.SIG_IGN
os.kill(os.getpid(), signal.SIGUSR1); os.kill(os.getpid(), signal.SIGUSR2)
assert reg_got == [signal.SIGUSR1] * 2
# %% case: reg_settrace_profile_left_on [alone]
import sys, threading
reg_calls = []
def reg_prof(frame, event, arg):
    if event == "call" and frame.f_code.co_name.startswith("reg_traced"): reg_calls.append(frame.f_code.co_name)
def reg_traced_a(): return 1
def reg_traced_b(): return reg_traced_a() + 1
threading.setprofile(reg_prof)
# %%
sys.setprofile(reg_prof); reg_v = reg_traced_b(); sys.setprofile(None)
# %% check
import threading
assert reg_calls == ["reg_traced_b", "reg_traced_a"] and reg_v == 2 and threading.getprofile() is reg_prof
t = threading.Thread(target=reg_traced_a); t.start(); t.join()
assert reg_calls[2:] == ["reg_traced_a"]
# %% case: reg_sys_flags_and_own_attributes [alone]
import sys
sys.ps1 = "nb> "; sys.tracebacklimit = 2; sys.my_flag = {"x": 1}; sys.my_flag["sys"] = sys
reg_flag_alias = sys.my_flag
# %%
sys.dont_write_bytecode = True; sys.pycache_prefix = "reg_pyc"; sys.float_repr_style = "patched"
# %% check
import sys
assert sys.ps1 == "nb> " and sys.tracebacklimit == 2 and sys.my_flag is reg_flag_alias and sys.my_flag == {"x": 1, "sys": sys}
assert sys.dont_write_bytecode is True and sys.pycache_prefix == "reg_pyc" and sys.float_repr_style == "patched"
# %% case: reg_mimetypes_namespaces_dialects [alone]
import mimetypes, xml.etree.ElementTree as ET, xml.dom, csv
mimetypes.add_type("application/x-reg", ".reg1"); ET.register_namespace("rg", "urn:reg"); csv.field_size_limit(777)
# %%
reg_xml = ET.tostring(ET.Element("{urn:reg}a")).decode()
# %% check
import mimetypes, xml.etree.ElementTree as E2, csv
assert mimetypes.guess_type("x.reg1")[0] == "application/x-reg" and csv.field_size_limit() == 777
assert reg_xml == '<rg:a xmlns:rg="urn:reg" />' == E2.tostring(E2.Element("{urn:reg}a")).decode()
# %% case: reg_socket_url_defaults [alone]
import socket, urllib.request, http.client
socket.setdefaulttimeout(12.5)
class RegHandler(urllib.request.BaseHandler):
    seen = []
    def reg_open(self, req): self.seen.append(req.full_url); import io; return io.BytesIO(b"served")
reg_opener = urllib.request.build_opener(RegHandler()); reg_opener.addheaders = [("User-agent", "nb/1")]
urllib.request.install_opener(reg_opener)
# %%
reg_body = urllib.request.urlopen("reg://host/x").read()
# %% check
import socket, urllib.request
assert socket.getdefaulttimeout() == 12.5 and reg_body == b"served" and urllib.request._opener is reg_opener
assert urllib.request.urlopen("reg://host/y").read() == b"served" and RegHandler.seen == ["reg://host/x", "reg://host/y"] and reg_opener.addheaders == [("User-agent", "nb/1")]
# %% case: reg_gc_callbacks_and_freeze [alone]
import gc
reg_gc = []
def reg_gc_cb(phase, info): reg_gc.append(phase)
gc.collect(); gc.disable(); gc.callbacks.append(reg_gc_cb)
class RegCyc: pass
reg_c = RegCyc(); reg_c.me = reg_c; reg_garb = gc.garbage
# %%
gc.set_debug(0); gc.collect(); reg_saw = reg_gc[:2]
# %% check
import gc
assert reg_saw == ["start", "stop"] and reg_gc_cb in gc.callbacks and not gc.isenabled() and reg_garb is gc.garbage and reg_c.me is reg_c
n = len(reg_gc); gc.collect(); assert len(reg_gc) == n + 2; gc.callbacks.remove(reg_gc_cb); gc.enable()
# %% case: reg_tracemalloc_faulthandler_umask [alone]
import os, tracemalloc, faulthandler
reg_um = os.umask(0o077); tracemalloc.start(3)
# %%
open("reg_priv.txt", "w").close(); reg_mode = os.stat("reg_priv.txt").st_mode & 0o777
# %% check
import os, tracemalloc
open("reg_priv2.txt", "w").close()
assert reg_mode == 0o600 == os.stat("reg_priv2.txt").st_mode & 0o777 and tracemalloc.is_tracing() and tracemalloc.get_traceback_limit() == 3
tracemalloc.stop(); assert os.umask(reg_um) == 0o077
# %% case: reg_resource_limits [alone]
import resource
reg_soft, reg_hard = resource.getrlimit(resource.RLIMIT_CORE)
resource.setrlimit(resource.RLIMIT_NOFILE, (333, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
# %%
reg_nofile = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
# %% check
import resource
assert reg_nofile == 333 == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
# %% case: reg_calendar_textwrap_getpass_shutil [alone]
import calendar, shutil, webbrowser
calendar.setfirstweekday(calendar.SUNDAY)
shutil.register_archive_format("regfmt", lambda base, root, **k: base + ".regfmt", description="mine")
def reg_unpack(fn, d): open(d + "/unpacked.txt", "w").write("from " + fn)
shutil.register_unpack_format("regfmt", [".regfmt"], reg_unpack)
# %%
open("x.regfmt", "w").close(); shutil.unpack_archive("x.regfmt", ".")
# %% check
import calendar, shutil
assert calendar.firstweekday() == 6 and calendar.monthcalendar(2024, 9)[0][0] == 1 and open("unpacked.txt").read() == "from x.regfmt"
assert ("regfmt", "mine") in shutil.get_archive_formats() and shutil.make_archive("abc", "regfmt", ".").endswith("abc.regfmt")
# %% case: reg_sqlite_adapters_and_uuid_state [alone]
import sqlite3, uuid, decimal, contextlib
sqlite3.register_adapter(decimal.Decimal, str); sqlite3.register_converter("dec", lambda b: decimal.Decimal(b.decode()))
reg_node = uuid.getnode(); sqlite3.enable_callback_tracebacks(True)
# %%
with contextlib.closing(sqlite3.connect("reg.db", detect_types=sqlite3.PARSE_DECLTYPES)) as c, c:
    c.execute("drop table if exists p"); c.execute("create table p (d dec)"); c.execute("insert into p values (?)", (decimal.Decimal("1.25"),))
del c
# %% check
import sqlite3, decimal, contextlib, uuid
with contextlib.closing(sqlite3.connect("reg.db", detect_types=sqlite3.PARSE_DECLTYPES)) as con:
    v = con.execute("select d from p where d = ?", (decimal.Decimal("1.25"),)).fetchone()[0]
    assert type(v) is decimal.Decimal and str(v) == "1.25"
assert uuid.getnode() == reg_node
# %% case: reg_multiprocessing_asyncio_policy [alone]
import multiprocessing as mp, asyncio, selectors
mp.set_start_method("spawn", force=True)
class RegPolicy(asyncio.DefaultEventLoopPolicy):
    made = 0
    def new_event_loop(self): RegPolicy.made += 1; return super().new_event_loop()
reg_policy = RegPolicy(); asyncio.set_event_loop_policy(reg_policy)
# %%
reg_loop = asyncio.new_event_loop(); reg_loop.close(); del reg_loop
# %% check
import multiprocessing, asyncio
assert multiprocessing.get_start_method() == "spawn" and asyncio.get_event_loop_policy() is reg_policy and RegPolicy.made == 1
l = asyncio.new_event_loop(); l.close(); assert RegPolicy.made == 2
# %% case: reg_random_systemwide_helpers [alone]
import itertools, sys, types, string, re, doctest, pprint, unittest
re.template_note = "x"; doctest.ELLIPSIS_MARKER = "<...>"; reg_flag = doctest.register_optionflag("REG_FLAG")
pprint.sorted_default = 1; unittest.util._MAX_LENGTH = 12
# %%
reg_parser = doctest.DocTestParser(); reg_dt = reg_parser.get_doctest(">>> 1 + 1\n2\n", {}, "t", None, 0)
# %% check
import doctest, unittest.util
assert doctest.ELLIPSIS_MARKER == "<...>" and doctest.OPTIONFLAGS_BY_NAME["REG_FLAG"] == reg_flag and doctest.register_optionflag("REG_FLAG") == reg_flag
assert unittest.util._MAX_LENGTH == 12 and reg_dt.examples[0].want == "2\n" and doctest.DocTestRunner(verbose=False).run(reg_dt).failed == 0
# %% case: reg_ndarray_subclass_and_ufuncs [alone]
import numpy as np
class RegArr(np.ndarray):
    def __new__(cls, a, unit): o = np.asarray(a).view(cls); o.unit = unit; return o
    def __array_finalize__(self, o): self.unit = getattr(o, "unit", "none")
    def __array_ufunc__(self, uf, m, *ins, **k): RegArr.used.append(uf.__name__); return getattr(uf, m)(*[np.asarray(i) for i in ins], **k)
    used = []
reg_arr = RegArr([1.0, 2.0], "kg"); reg_sl = reg_arr[:1]
# %%
reg_added = reg_arr + 1; reg_sl[0] = 9; reg_uf = np.frompyfunc(lambda a, b: f"{a}-{b}", 2, 1); reg_vec = np.vectorize(reg_uf)
# %% check
assert type(reg_arr) is RegArr and reg_arr.unit == "kg" == reg_sl.unit and reg_arr[0] == 9 and np.shares_memory(reg_sl, reg_arr) and RegArr.used == ["add"]
reg_tw = reg_sl * 2; assert reg_tw.tolist() == [18.0] and RegArr.used[-1] == "multiply" and reg_uf([1], [2])[0] == "1-2" and reg_vec.pyfunc is reg_uf
