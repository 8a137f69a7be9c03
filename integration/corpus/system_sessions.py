# The surroundings: logging, warnings, registries of libraries, sqlite, environment, working directory, subprocess, pickles of __main__.
# %% case: sys_logging_records [alone]
import logging
slr_records = []
class SlrHandler(logging.Handler):
    def emit(self, rec): slr_records.append((rec.levelname, rec.getMessage(), getattr(rec, "extra_id", None)))
slr_log = logging.getLogger("slr.app"); slr_log.setLevel(logging.DEBUG); slr_log.propagate = False
slr_h = SlrHandler(); slr_log.addHandler(slr_h)
slr_log.info("start %d", 1)
# %%
slr_child = slr_log.getChild("db")
class SlrFilter(logging.Filter):
    n = 0
    def filter(self, rec):
        SlrFilter.n += 1
        rec.extra_id = SlrFilter.n
        return "secret" not in rec.getMessage()
slr_h.addFilter(SlrFilter())
slr_child.warning("child"); slr_child.error("secret")
# %%
logging.addLevelName(25, "NOTICE")
slr_old = logging.getLogRecordFactory()
def slr_factory(*a, **k):
    r = slr_old(*a, **k); r.session = "s1"; return r
logging.setLogRecordFactory(slr_factory)
slr_fh = logging.FileHandler("slr.log", mode="w"); slr_fh.setFormatter(logging.Formatter("%(session)s %(levelname)s %(message)s"))
slr_log.addHandler(slr_fh)
# %% raises KeyError
slr_log.log(25, "noticed")
try: {}["x"]
except KeyError: slr_log.exception("boom"); raise
# %%
logging.getLogger("slr.quiet").disabled = True
slr_adapter = logging.LoggerAdapter(slr_log, {"who": "me"}); logging.disable(logging.DEBUG)
slr_adapter.debug("dropped"); slr_adapter.info("kept")
# %% check
import logging as L
assert L.getLogger("slr.app") is slr_log and slr_child.parent is slr_log and L.getLogger("slr.app.db") is slr_child
assert slr_log.handlers == [slr_h, slr_fh] and not slr_log.propagate and L.getLevelName(25) == "NOTICE"
assert slr_records == [("INFO", "start 1", None), ("WARNING", "child", 1), ("NOTICE", "noticed", 3), ("ERROR", "boom", 4), ("INFO", "kept", 5)], slr_records
slr_child.info("late"); assert slr_records[-1] == ("INFO", "late", 6)
assert L.getLogRecordFactory() is slr_factory and L.root.manager.disable == L.DEBUG and L.getLogger("slr.quiet").disabled
slr_fh.flush(); lines = open("slr.log").read().splitlines()
assert lines[0] == "s1 NOTICE noticed" and lines[-1] == "s1 INFO late" and lines[1] == "s1 ERROR boom", lines
# %% case: sys_warnings_captured [alone]
import warnings
swc_cm = warnings.catch_warnings(record=True); swc_list = swc_cm.__enter__()
warnings.simplefilter("always")
class SwcWarning(UserWarning): level = 3
warnings.warn("first", SwcWarning)
# %%
def swc_old(): warnings.warn(SwcWarning("old api"), stacklevel=2); return 1
swc_v = swc_old()
# %%
warnings.warn("third", DeprecationWarning)
warnings.filterwarnings("error", message="fatal.*", category=SwcWarning)
# %% raises SwcWarning
warnings.warn("fatal one", SwcWarning)
# %%
swc_count = len(swc_list)
# %% check
import warnings as W
assert swc_count == 3 and [str(w.message) for w in swc_list[:3]] == ["first", "old api", "third"]
assert swc_list[0].category is SwcWarning and swc_list[1].message.level == 3
swc_old(); assert len(swc_list) == 4
swc_cm.__exit__(None, None, None)
n = len(swc_list)
with W.catch_warnings(record=True) as w2:
    W.simplefilter("always"); W.warn("now elsewhere")
assert len(w2) == 1 and len(swc_list) == n
assert not any(f[2] is SwcWarning for f in W.filters)
# %% case: sys_library_registries [alone]
import copyreg, codecs, json, atexit, functools, abc, copy, pickle, sys, gc
class SrgPoint:
    def __init__(self, x): self.x, self.seen = x, "init"
def srg_reduce(p): return (srg_build, (p.x,))
def srg_build(x): p = SrgPoint(x); p.seen = "rebuilt"; return p
srg_p = SrgPoint(4)
copyreg.pickle(SrgPoint, srg_reduce)
# %%
def srg_search(name):
    if name == "srgrot": return codecs.CodecInfo(lambda s, e="strict": (s[::-1].encode(), len(s)), lambda b, e="strict": (bytes(b).decode()[::-1], len(b)), name="srgrot")
codecs.register(srg_search)
codecs.register_error("srgstars", lambda e: ("*" * (e.end - e.start), e.end))
srg_enc = "abc".encode("srgrot")
# %%
srg_exit = []
@atexit.register
def srg_bye(): srg_exit.append("bye")
srg_prev_hook = sys.excepthook
def srg_hook(*a): srg_exit.append(a)
sys.excepthook = srg_hook
sys.srg_flag = {"p": srg_p}
# %%
import collections.abc
class SrgSeq:
    def __len__(self): return 2
    def __getitem__(self, i): return i
collections.abc.Sequence.register(SrgSeq)
import reprlib, pprint, mimetypes, string
mimetypes.add_type("text/srg", ".srg"); reprlib.aRepr.maxlist = 2
import sqlite3; sqlite3.register_adapter(SrgPoint, lambda p: p.x)
# %%
import numbers, fractions
class SrgNum: pass
numbers.Number.register(SrgNum)
import gc; gc.set_threshold(900, 11, 12); sys.setswitchinterval(0.01); sys.set_int_max_str_digits(9000)
# %% check
import copyreg, codecs, sys, copy, gc, mimetypes, reprlib, sqlite3
assert srg_p.seen == "init" and copy.copy(srg_p).seen == "rebuilt" and copyreg.dispatch_table[SrgPoint] is srg_reduce
assert srg_enc == b"cba" and "xy".encode("srgrot") == b"yx" and "aé".encode("ascii", "srgstars") == b"a*"
assert sys.srg_flag["p"] is srg_p
assert isinstance(SrgSeq(), collections.abc.Sequence) and isinstance(SrgNum(), numbers.Number)
assert mimetypes.guess_type("a.srg")[0] == "text/srg" and reprlib.repr([1, 2, 3]) == "[1, 2, ...]"
assert sqlite3.connect(":memory:").execute("select ?", (srg_p,)).fetchone() == (4,)
assert gc.get_threshold() == (900, 11, 12) and sys.getswitchinterval() == 0.01 and sys.get_int_max_str_digits() == 9000
srg_bye(); assert srg_exit == ["bye"]; atexit.unregister(srg_bye)
# %% case: sys_sqlite_file [pinned]
import sqlite3, os
if os.path.exists("ssf.db"): os.remove("ssf.db")
ssf_con = sqlite3.connect("ssf.db"); ssf_con.row_factory = sqlite3.Row
ssf_con.execute("create table t(id integer primary key, v text, n real)")
ssf_con.create_function("ssf_twice", 1, lambda x: x * 2)
ssf_con.commit()
# %%
with ssf_con:
    ssf_con.executemany("insert into t(v, n) values (?, ?)", [("a", 1.5), ("b", 2.5)])
ssf_rows = ssf_con.execute("select * from t").fetchall()
# %% raises IntegrityError
with ssf_con:
    ssf_con.execute("insert into t(v, n) values ('lost', 0)")
    ssf_con.execute("insert into t(id) values (1)")
# %%
def ssf_all(): return [tuple(r) for r in ssf_con.execute("select v, ssf_twice(n) from t order by id")]
ssf_seen = ssf_all()
ssf_dump = list(ssf_con.iterdump())
# %%
with ssf_con: ssf_con.execute("update t set n = 10 where v = 'b'")
# %% check
import sqlite3
assert ssf_rows[0]["v"] == "a" and ssf_rows[1].keys() == ["id", "v", "n"] and ssf_seen == [("a", 3.0), ("b", 5.0)]
assert ssf_all() == [("a", 3.0), ("b", 20.0)] and ssf_con.row_factory is sqlite3.Row
assert not ssf_con.in_transaction and any("CREATE TABLE" in s for s in ssf_dump)
other = sqlite3.connect("ssf.db"); assert other.execute("select count(*) from t").fetchone() == (2,); other.close()
ssf_con.close()
# %% case: sys_cwd_env_path [alone]
import os, sys, pathlib
sce_home = os.getcwd()
os.makedirs("sce_work/sub", exist_ok=True)
os.chdir("sce_work")
os.environ["SCE_MODE"] = "dev"; os.environ.setdefault("SCE_OTHER", "o")
sce_old_path = os.environ.pop("PWD", None)
# %%
pathlib.Path("here.txt").write_text("relative")
sys.path.append("/nonexistent/sce"); sys.path_hooks_copy = list(sys.path)
sce_umask = os.umask(0o027)
# %%
%cd -q sub
sce_out = !pwd
sce_env = !echo $SCE_MODE
# %% raises FileNotFoundError
os.environ["SCE_MODE"] = "prod"
open("here.txt")
# %%
sce_lines = (pathlib.Path("..") / "here.txt").open().readlines()
del os.environ["SCE_OTHER"]
sys.argv = ["sce", "--flag"]
# %% check
import os, sys, subprocess
assert os.getcwd() == os.path.join(sce_home, "sce_work", "sub") and sce_out[0].endswith("sce_work/sub")
assert os.environ["SCE_MODE"] == "prod" and "SCE_OTHER" not in os.environ and os.getenv("PWD") is None
assert sys.path[-1] == "/nonexistent/sce" and sce_env == ["dev"] and sce_lines == ["relative"] and sys.argv == ["sce", "--flag"]
assert os.umask(0o022) == 0o027
assert subprocess.run(["sh", "-c", "echo $SCE_MODE; pwd"], capture_output=True, text=True).stdout.split()[0] == "prod"
os.chdir(sce_home)
# %% case: sys_main_pickles
import pickle, shelve, copy, io, json
class SmpCfg:
    def __init__(self, **k): self.__dict__.update(k)
class SmpDb:
    def __init__(self): self.objs = {}
    def pickler(self, f):
        db = self
        class P(pickle.Pickler):
            def persistent_id(self, o):
                if isinstance(o, SmpCfg): db.objs[id(o)] = o; return id(o)
        return P(f)
smp_c = SmpCfg(a=[1], b=None); smp_c.b = smp_c
with open("smp.pkl", "wb") as f: pickle.dump([smp_c, smp_c.a], f)
# %%
smp_db = SmpDb(); smp_buf = io.BytesIO(); smp_p = smp_db.pickler(smp_buf); smp_p.dump({"c": smp_c, "n": 1})
class SmpUn(pickle.Unpickler):
    def persistent_load(self, i): return smp_db.objs[i]
# %%
with open("smp.pkl", "rb") as f: smp_back, smp_backa = pickle.load(f)
# %%
class SmpCfg:
    new = True
    def hi(self): return sorted(k for k in vars(self))
with open("smp.pkl", "rb") as f: smp_back2, _unused = pickle.load(f)
# %% raises PicklingError
smp_again = pickle.dumps(smp_back2)
pickle.dumps(smp_c)
# %%
with shelve.open("smp_shelf") as sh: sh["k"] = smp_back2
# %% check
import pickle, shelve
assert smp_back.b is smp_back and smp_back.a is smp_backa and type(smp_back) is type(smp_c) is not SmpCfg
assert smp_back2.new and smp_back2.hi() == ["a", "b"] and type(smp_back2) is SmpCfg
smp_buf.seek(0); got = SmpUn(smp_buf).load()
assert got["c"] is smp_c and len(smp_db.objs) == 1
assert pickle.loads(smp_again).b.hi() == ["a", "b"]
with shelve.open("smp_shelf") as sh: assert sh["k"].a == [1] and type(sh["k"]) is SmpCfg
try: pickle.dumps(smp_back)
except pickle.PicklingError: pass
else: raise AssertionError
# %% case: sys_threads_locals_results
import threading, queue, concurrent.futures as cf, time
stl_lock = threading.RLock(); stl_res = {}; stl_q = queue.PriorityQueue()
stl_tls = threading.local(); stl_tls.v = [1]
def stl_work(n):
    with stl_lock: stl_res[n] = n ** 2
    stl_q.put((-n, "job"))
    return stl_res
stl_ths = [threading.Thread(target=stl_work, args=(i,), name=f"stl-{i}") for i in range(4)]
for t in stl_ths: t.start()
for t in stl_ths: t.join()
# %%
with cf.ThreadPoolExecutor(2) as stl_pool:
    stl_futs = [stl_pool.submit(stl_work, i) for i in (10, 11)]
    stl_fail = stl_pool.submit(lambda: 1 / 0)
stl_ev = threading.Event(); stl_ev.set(); stl_cond = threading.Condition(stl_lock)
# %%
stl_first = stl_q.get(); stl_simple = queue.SimpleQueue(); stl_simple.put(stl_res)
stl_sem = threading.BoundedSemaphore(2); stl_sem.acquire()
stl_bar = threading.Barrier(1)
# %% raises ZeroDivisionError
stl_tls.w = stl_tls.v
stl_fail.result()
# %%
stl_lock.acquire()
stl_start = time.perf_counter(); stl_mono = time.monotonic()
# %% check
import threading, time
assert stl_res[3] == 9 and stl_futs[1].result() is stl_res and stl_fail.done() and isinstance(stl_fail.exception(), ZeroDivisionError)
assert stl_first == (-11, "job") and stl_q.get_nowait() == (-10, "job") and stl_q.qsize() == 4
assert [t.name for t in stl_ths] == ["stl-0", "stl-1", "stl-2", "stl-3"] and not any(t.is_alive() for t in stl_ths)
assert stl_tls.w is stl_tls.v and stl_ev.is_set() and stl_simple.get() is stl_res and stl_bar.wait() == 0
assert stl_lock._is_owned(); stl_lock.release(); assert not stl_lock._is_owned()
assert stl_sem.acquire(blocking=False) and not stl_sem.acquire(blocking=False)
with stl_cond: stl_cond.notify_all()
assert 0 <= time.perf_counter() - stl_start < 36000 and 0 <= time.monotonic() - stl_mono < 36000
th = []; t = threading.Thread(target=lambda: th.append(hasattr(stl_tls, "v"))); t.start(); t.join(); assert th == [False]
# %% case: sys_subprocess_tempfiles [pinned]
import subprocess, tempfile, os, io, contextlib, zipfile, hashlib, struct, glob
sst_run = subprocess.run(["python3", "-c", "print('out'); import sys; print('err', file=sys.stderr); sys.exit(3)"], capture_output=True, text=True)
sst_tmp = tempfile.NamedTemporaryFile("w+", dir=".", suffix=".sst", delete=False); sst_tmp.write("data"); sst_tmp.flush()
sst_hash = hashlib.sha256(b"part one "); sst_struct = struct.Struct("<if")
# %%
sst_zip = zipfile.ZipFile("sst.zip", "w"); sst_zip.writestr("a.txt", "alpha"); sst_zip.close()
sst_cap = io.StringIO()
with contextlib.redirect_stdout(sst_cap): print("redirected")
sst_hash.update(b"part two")
# %% raises CalledProcessError
sst_n = 1
subprocess.run("exit 4", shell=True, check=True)
# %%
import sys
sst_err = sys.last_value
sst_stack = contextlib.ExitStack(); sst_closed = []
sst_stack.callback(sst_closed.append, "cb"); sst_stack.push(lambda *a: sst_closed.append("push"))
# %%
sst_spool = tempfile.SpooledTemporaryFile(max_size=100); sst_spool.write(b"spool"); sst_spool.seek(2)
import zlib; sst_crc = zlib.crc32(b"x"); sst_zr = zipfile.ZipFile("sst.zip"); sst_names = sst_zr.namelist()
# %% check
import hashlib, os, subprocess
assert sst_run.returncode == 3 and sst_run.stdout == "out\n" and sst_run.stderr == "err\n"
assert sst_hash.hexdigest() == hashlib.sha256(b"part one part two").hexdigest()
assert sst_struct.unpack(sst_struct.pack(1, 2.0)) == (1, 2.0) and sst_cap.getvalue() == "redirected\n"
assert isinstance(sst_err, subprocess.CalledProcessError) and sst_err.returncode == 4 and sst_n == 1
assert os.path.exists(sst_tmp.name); sst_tmp.seek(0); assert sst_tmp.read() == "data"; sst_tmp.close(); os.remove(sst_tmp.name)
assert sst_closed == []; sst_stack.close(); assert sst_closed == ["push", "cb"]
assert sst_spool.read() == b"ool" and sst_names == ["a.txt"] and sst_zr.read("a.txt") == b"alpha"; sst_zr.close()
# %% case: sys_module_globals_patched [alone]
import math, random, time, string, calendar, builtins, collections, types, sys
math.TAU2 = math.tau * 2; smg_orig = random.random
random.random = lambda: 0.25
builtins.smg_helper = lambda x: x + 1
# %%
string.ascii_lowercase = "xyz"
calendar.setfirstweekday(6)
class SmgMod(types.ModuleType):
    @property
    def answer(self): return self._a * 2
    def __getattr__(self, n):
        if n.startswith("dyn_"): return n[4:]
        raise AttributeError(n)
smg_m = SmgMod("smg_dyn"); smg_m._a = 21; sys.modules["smg_dyn"] = smg_m
# %%
import smg_dyn; from smg_dyn import dyn_hello as smg_hello
def smg_time(): return 1000.0
smg_real = time.time; time.time = smg_time
# %%
time.time = smg_real
smg_has = getattr(math, "TAU2"), getattr(random, "nothing", "dflt")
class SmgFinder:
    hits = []
    def find_spec(self, name, path=None, target=None):
        if name.startswith("smg_"): SmgFinder.hits.append(name)
        return None
smg_finder = SmgFinder(); sys.meta_path.insert(0, smg_finder)
# %% raises ModuleNotFoundError
smg_display = sys.displayhook
import smg_nowhere
# %% check
import math, random, sys, time, calendar, string
assert math.TAU2 == math.tau * 2 and random.random() == 0.25 and 0 <= smg_orig() < 1 and smg_orig.__self__ is random._inst
assert smg_helper(2) == 3 and string.ascii_lowercase == "xyz" and calendar.firstweekday() == 6
import smg_dyn as d2
assert d2 is smg_m and d2.answer == 42 and type(d2) is SmgMod and d2.dyn_bye == "bye" and smg_hello == "hello"
assert time.time is smg_real and time.time() > 1e9
assert sys.meta_path[0] is smg_finder and "smg_nowhere" in SmgFinder.hits
try: import smg_other
except ImportError: pass
assert SmgFinder.hits[-1] == "smg_other"
random.random = smg_orig; del builtins.smg_helper
assert sys.displayhook is smg_display
