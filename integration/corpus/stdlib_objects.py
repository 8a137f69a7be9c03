# Standard library objects held in variables: errors, weak references, databases, futures, mocks, clocks, digests, parsers.
# %% case: ob_exceptions_kept
import traceback, sys
class ObApiError(Exception):
    def __init__(self, code, *, detail):
        super().__init__(f"HTTP {code}")
        self.code, self.detail = code, detail
def ob_fetch(n):
    payload = {"n": n}
    try:
        return payload["missing"]
    except KeyError as e:
        raise ObApiError(500 + n, detail=payload) from e
# %%
ob_errors = []
for ob_n in range(2):
    try:
        ob_fetch(ob_n)
    except ObApiError as e:
        e.add_note(f"attempt {ob_n}")
        ob_errors.append(e)
ob_last = ob_errors[-1]
# %% raises ObApiError
raise ob_last
# %%
ob_grp = ExceptionGroup("batch", [ob_errors[0], ExceptionGroup("inner", [TypeError("t"), ob_last])])
# %% check
assert ob_last is ob_errors[1] and type(ob_last) is ObApiError and ob_last.code == 501 and ob_last.detail == {"n": 1}
assert ob_last.args == ("HTTP 501",) and ob_last.__notes__ == ["attempt 1"]
assert isinstance(ob_last.__cause__, KeyError) and ob_last.__suppress_context__
ob_txt = "".join(traceback.format_exception(ob_errors[0]))
assert "ob_fetch" in ob_txt and 'payload["missing"]' in ob_txt and "attempt 0" in ob_txt and "direct cause" in ob_txt, ob_txt
assert [f.name for f in traceback.extract_tb(ob_errors[0].__traceback__)][-1] == "ob_fetch"
m, rest = ob_grp.split(ObApiError)
assert m.exceptions[0] is ob_errors[0] and rest.exceptions[0].exceptions[0].args == ("t",)
assert ob_grp.exceptions[1].exceptions[1] is ob_last
# %% case: ob_weak_registries
import weakref, gc
class ObImage:
    def __init__(self, n): self.n = n
    def scaled(self): return self.n * 2
ob_gone = []
ob_cache = weakref.WeakValueDictionary()
ob_meta = weakref.WeakKeyDictionary()
ob_set = weakref.WeakSet()
ob_i1, ob_i2 = ObImage(1), ObImage(2)
for ob_i in (ob_i1, ob_i2):
    ob_cache[ob_i.n] = ob_i; ob_meta[ob_i] = {"size": ob_i.n}; ob_set.add(ob_i)
del ob_i
ob_ref = weakref.ref(ob_i1, lambda r: ob_gone.append("ref"))
ob_fin = weakref.finalize(ob_i1, ob_gone.append, "fin")
ob_wm = weakref.WeakMethod(ob_i2.scaled)
ob_proxy = weakref.proxy(ob_i2)
# %%
ob_dead = weakref.ref(ObImage(0))
ob_i2.n = 20
# %% check
assert ob_ref() is ob_i1 and ob_cache[2] is ob_i2 and ob_meta[ob_i2] == {"size": 2} and len(ob_set) == 2
assert ob_dead() is None and ob_gone == [] and ob_fin.alive and ob_proxy.n == 20 and ob_wm()() == 40
assert ob_fin.peek()[0] is ob_i1
del ob_i1; gc.collect()
assert sorted(ob_gone) == ["fin", "ref"], ob_gone
assert ob_ref() is None and list(ob_cache) == [2] and len(ob_meta) == 1 and list(ob_set) == [ob_i2] and not ob_fin.alive
# %% case: ob_sqlite_in_memory
import sqlite3
ob_db = sqlite3.connect(":memory:")
ob_db.row_factory = sqlite3.Row
ob_db.execute("create table run(id integer primary key, name text, loss real)")
ob_db.executemany("insert into run(name, loss) values (?, ?)", [("a", 0.5), ("b", 0.25), ("c", 0.125)])
ob_db.commit()
# %%
ob_cur = ob_db.execute("insert into run(name, loss) values ('d', 0.0625)")
ob_rowid = ob_cur.lastrowid
ob_db.commit()
ob_rows = ob_db.execute("select name, loss from run where loss > 0.2 order by id").fetchall()
# %% check
assert ob_rowid == 4 and [tuple(r) for r in ob_rows] == [("a", 0.5), ("b", 0.25)] and ob_rows[0]["name"] == "a" and ob_rows[0].keys() == ["name", "loss"]
assert ob_db.row_factory is sqlite3.Row and ob_db.execute("select count(*) n from run").fetchone()["n"] == 4
assert not ob_db.in_transaction and ob_cur.connection is ob_db
ob_db.execute("delete from run where id < 3")
ob_db.rollback()
assert ob_db.execute("select count(*) from run").fetchone()[0] == 4 and ob_rows[1]["LOSS"] == 0.25
# %% case: ob_sqlite_settings_of_a_connection
import sqlite3
ob_q_set = sqlite3.connect(":memory:", timeout=7)
ob_q_set.execute("PRAGMA foreign_keys = ON"); ob_q_set.execute("PRAGMA recursive_triggers = ON"); ob_q_set.execute("PRAGMA case_sensitive_like = ON"); ob_q_set.execute("PRAGMA cache_size = -5000")
ob_q_set.executescript("create table parent(id integer primary key); create table child(pid references parent(id)); insert into parent values (1);")
if hasattr(ob_q_set, "setlimit"): ob_q_set.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, 5000)
# %%
ob_q_set.execute("insert into child values (1)"); ob_q_set.commit()
# %% check
import sqlite3
assert ob_q_set.execute("select 'a' like 'A'").fetchone() == (0,) and ob_q_set.execute("pragma cache_size").fetchone() == (-5000,)
assert ob_q_set.execute("pragma recursive_triggers").fetchone() == (1,) and ob_q_set.execute("pragma busy_timeout").fetchone() == (7000,)
assert not hasattr(ob_q_set, "getlimit") or ob_q_set.getlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH) == 5000
try:
    ob_q_set.execute("insert into child values (99)")
except sqlite3.IntegrityError:
    ob_q_set.rollback()
else:
    raise AssertionError("foreign keys are not enforced any more")
# %% case: ob_sqlite_cursors_say_what_they_did
import sqlite3
ob_q_cdb = sqlite3.connect(":memory:"); ob_q_cur = ob_q_cdb.cursor()
# %%
ob_q_cur.execute("create table t(v)")
# %%
ob_q_cur.execute("insert into t values (7)"); ob_q_cur.execute("insert into t values (8)")
ob_q_many = ob_q_cdb.cursor(); ob_q_many.executemany("insert into t values (?)", [(1,), (2,), (3,)])
ob_q_update = ob_q_cdb.cursor(); ob_q_update.execute("update t set v = v + 1"); ob_q_cdb.commit()
ob_q_many.arraysize = 4; ob_q_many.row_factory = sqlite3.Row
ob_q_shut = ob_q_cdb.cursor(); ob_q_shut.close()
ob_q_query = ob_q_cdb.execute("select v as value, 1 from t"); ob_q_values = [v for v, _ in ob_q_query]
# %%
ob_q_seen = {"cursor": ob_q_cur, "rows": ob_q_values}
# %% check
assert (ob_q_cur.lastrowid, ob_q_cur.rowcount, ob_q_update.rowcount) == (2, 1, 5) and ob_q_many.lastrowid is None
assert (ob_q_many.rowcount, ob_q_many.arraysize) == (3, 4) and ob_q_many.row_factory.__name__ == "Row"
assert ob_q_query.fetchall() == [] and [c[0] for c in ob_q_query.description] == ["value", "1"] and ob_q_values == [8, 9, 2, 3, 4]
assert ob_q_cur.connection is ob_q_cdb is ob_q_query.connection and ob_q_seen["cursor"] is ob_q_cur
assert ob_q_many.execute("select count(*) as n from t").fetchone()["n"] == 5 and [r[0] for r in ob_q_cdb.execute("pragma database_list")] == [0]
try:
    ob_q_shut.execute("select 1")
except Exception as e:
    assert "closed cursor" in str(e), e
else:
    raise AssertionError("it was closed")
# %% case: ob_sqlite_temporary_tables
import sqlite3
ob_q_tdb = sqlite3.connect(":memory:")
ob_q_tdb.executescript("""create table main_one(a); insert into main_one values (1);
create temp table s(a integer primary key autoincrement, b text unique, twice as (a * 2)); insert into s(b) values ('x'), ('y'), ('z'); delete from s where b = 'z';
create index temp.by_b on s(b); create temp view shown as select a, b, twice from s; create temp table w(k text primary key, v) without rowid; insert into w values ('k', 1);
create temp trigger after_one after insert on main_one begin insert into s(b) values ('by trigger'); end;""")
# %%
ob_q_tsame = [ob_q_tdb]
# %% check
assert ob_q_tsame[0] is ob_q_tdb and ob_q_tdb.isolation_level == "" and ob_q_tdb.execute("select * from shown").fetchall() == [(1, "x", 2), (2, "y", 4)]
assert ob_q_tdb.execute("select * from w").fetchall() == [("k", 1)] and ob_q_tdb.execute("select name from sqlite_master").fetchall() == [("main_one",)]
ob_q_tdb.execute("insert into main_one values (2)"); assert ob_q_tdb.execute("select a, b from s order by a").fetchall()[-1] == (4, "by trigger")
ob_q_tdb.rollback()
# %% case: ob_sqlite_attached_and_typed
import sqlite3
sqlite3.register_converter("obday", lambda b: "day " + b.decode())
ob_q_adb = sqlite3.connect(":memory:", detect_types=sqlite3.PARSE_DECLTYPES | sqlite3.PARSE_COLNAMES)
ob_q_adb.execute("attach ':memory:' as side"); ob_q_adb.execute("attach 'ob_q_disk.db' as disk")
ob_q_adb.executescript("create table if not exists disk.d(x); delete from disk.d; insert into disk.d values (5); create table side.s(y obday); insert into side.s values ('mon');")
ob_q_untyped = sqlite3.connect(":memory:"); ob_q_untyped.executescript("create temp table t(d obday); insert into t values ('wed')")
# %%
ob_q_beside = 1
# %% check
import sqlite3
assert ob_q_adb.execute("select x, y, 'tue' as \"n [obday]\" from d, s").fetchall() == [(5, "day mon", "day tue")]
assert ob_q_untyped.execute("select d, d as \"d [obday]\" from t").fetchall() == [("wed", "wed")] and ob_q_beside == 1
ob_q_adb.execute("insert into disk.d values (7)"); ob_q_adb.commit()
assert sqlite3.connect("ob_q_disk.db").execute("select count(*) from d").fetchone() == (2,)
# %% case: ob_sqlite_calls_the_notebook [pinned]
import sqlite3
ob_fdb = sqlite3.connect(":memory:")
ob_fdb.create_function("ob_pct", 1, lambda x: f"{x:.0%}")
# %% check
assert ob_fdb.execute("select ob_pct(0.25)").fetchone() == ("25%",)
# %% case: ob_futures_tasks_and_awaits
import asyncio, concurrent.futures as cf
class ObDown(RuntimeError): pass
def ob_work(n):
    if n == 2: raise ObDown(f"node {n}")
    return {"n": n}
with cf.ThreadPoolExecutor(2) as ob_pool:
    ob_futs = {n: ob_pool.submit(ob_work, n) for n in range(3)}
ob_payload = ob_futs[1].result()
# %%
async def ob_step(q, n):
    await asyncio.sleep(0)
    await q.put(n * n)
    return n
ob_aq = asyncio.Queue(maxsize=5)
ob_ev = asyncio.Event()
ob_res = await asyncio.gather(*(ob_step(ob_aq, i) for i in range(3)))
ob_task = asyncio.ensure_future(ob_step(ob_aq, 9))
await ob_task
# %%
ob_ev.set()
ob_got = await ob_aq.get()
ob_afut = asyncio.get_running_loop().create_future(); ob_afut.set_result(ob_payload)
# %% check
assert ob_futs[0].done() and ob_futs[1].result() is ob_payload == {"n": 1}
e = ob_futs[2].exception()
assert type(e) is ObDown and e.args == ("node 2",) and not ob_futs[2].cancelled()
assert ob_res == [0, 1, 2] and ob_got == 0 and ob_aq.qsize() == 3 and ob_aq.maxsize == 5
assert ob_task.done() and ob_task.result() == 9 and await ob_task == 9
assert await ob_afut is ob_payload and ob_ev.is_set() and await ob_ev.wait()
assert [await ob_aq.get() for _ in range(3)] == [1, 4, 81]
assert await ob_step(ob_aq, 5) == 5 and ob_aq.get_nowait() == 25
try:
    ob_pool.submit(ob_work, 1)
except RuntimeError:
    pass
else:
    raise AssertionError("pool was shut down")
# %% case: ob_mocks_with_history
from unittest import mock
class ObClient:
    retries = 3
    def get(self, url, timeout=1): ...
    def close(self): ...
ob_client = mock.create_autospec(ObClient, instance=True)
ob_client.get.side_effect = ["one", ValueError("boom"), "three"]
ob_m = mock.MagicMock(name="store")
ob_m.__getitem__.side_effect = lambda k: k * 2
ob_m.save.return_value.ok = True
# %%
ob_r1 = ob_client.get("http://a", timeout=5)
ob_tok = mock.sentinel.ob_token
ob_m.save(ob_tok, retry=mock.ANY)
# %% raises ValueError
ob_client.get("http://b")
# %%
ob_m["xy"]; ob_child = ob_m.save
# %% check
assert ob_r1 == "one" and ob_client.get("http://c") == "three"
assert ob_client.get.call_count == 3 and ob_client.get.call_args_list[0] == mock.call("http://a", timeout=5)
ob_client.get.assert_any_call("http://b")
try:
    ob_client.get("u", wrong=1)
except TypeError:
    pass
else:
    raise AssertionError("spec lost")
assert not hasattr(ob_client, "nothing") and isinstance(ob_client, ObClient)
assert ob_child is ob_m.save and ob_child.call_args.args[0] is mock.sentinel.ob_token is ob_tok
assert ob_m.mock_calls == [mock.call.save(ob_tok, retry=5), mock.call.__getitem__("xy")], ob_m.mock_calls
assert ob_m.save().ok is True and ob_m[3] == 6
# %% case: ob_clocks_and_exact_numbers
from datetime import datetime, timedelta, timezone, date, tzinfo
from zoneinfo import ZoneInfo
from fractions import Fraction
from decimal import Decimal, Context, ROUND_HALF_EVEN
ob_tz = ZoneInfo("Europe/Berlin")
ob_amb = datetime(2024, 10, 27, 2, 30, tzinfo=ob_tz)
ob_amb2 = ob_amb.replace(fold=1)
class ObHalf(tzinfo):
    def __init__(self, m): self.m = m
    def utcoffset(self, dt): return timedelta(minutes=self.m)
    def dst(self, dt): return timedelta(0)
    def tzname(self, dt): return f"H{self.m}"
ob_half = ObHalf(30)
ob_t3 = datetime(2024, 1, 1, 12, tzinfo=ob_half)
class ObDay(date):
    @property
    def quarter(self): return (self.month + 2) // 3
# %%
ob_nan = float("nan")
ob_bag = [ob_nan, Fraction(6, 4), Decimal("1.50"), -0.0, 10**30, ob_tz, timezone.utc]
ob_day = ObDay(2024, 5, 3)
ob_days = {ob_day: "d", date(2024, 5, 4): "e"}
ob_ctx = Context(prec=4, rounding=ROUND_HALF_EVEN)
# %% check
assert ob_amb.tzinfo is ob_tz is ZoneInfo("Europe/Berlin") is ob_bag[5] and ob_bag[6] is timezone.utc
assert ob_amb2.fold == 1 and ob_amb2.timestamp() - ob_amb.timestamp() == 3600 and ob_amb == ob_amb2
assert ob_t3.tzinfo is ob_half and ob_t3.tzname() == "H30" and ob_t3.astimezone(timezone.utc).minute == 30
assert ob_bag[0] is ob_nan and ob_nan in ob_bag and str(ob_bag[2]) == "1.50" and str(ob_bag[3]) == "-0.0"
assert ob_bag[1] == Fraction(3, 2) and ob_bag[4] == 10**30
assert type(ob_day) is ObDay and ob_day.quarter == 2 and ob_days[date(2024, 5, 3)] == "d" and ob_days[ob_day + timedelta(1)] == "e"
assert str(ob_ctx.create_decimal("2.00050")) == "2.000" and ob_ctx.flags[__import__("decimal").Inexact]
# %% case: ob_codecs_midway
import zlib, codecs, uuid
ob_dec = codecs.getincrementaldecoder("utf-8")()
ob_txt1 = ob_dec.decode("naïve €".encode()[:-2])
# %%
ob_ns = uuid.uuid5(uuid.NAMESPACE_DNS, "example.org")
ob_crc = zlib.crc32(b"abc")
# %% check
assert ob_txt1 == "naïve " and ob_dec.decode("€".encode()[1:]) == "€"
assert ob_ns == uuid.uuid5(uuid.NAMESPACE_DNS, "example.org") and ob_ns.version == 5
assert zlib.crc32(b"def", ob_crc) == zlib.crc32(b"abcdef")
# %% case: ob_digest_midway [pinned]
import hashlib
ob_sha = hashlib.sha256(b"part one ")
# %% check
ob_sha.update(b"part two")
assert ob_sha.hexdigest() == hashlib.sha256(b"part one part two").hexdigest()
# %% case: ob_parsers_templates_processes
import argparse, string, subprocess, sys, pathlib, copyreg, copy
class ObUpper(argparse.Action):
    def __call__(self, p, ns, v, opt=None): setattr(ns, self.dest, v.upper())
ob_parser = argparse.ArgumentParser("tool", exit_on_error=False)
ob_parser.add_argument("--lr", type=lambda s: round(float(s), 3), default=0.1)
ob_sub = ob_parser.add_subparsers(dest="cmd")
ob_train = ob_sub.add_parser("train"); ob_train.add_argument("name", action=ObUpper)
ob_train.set_defaults(func=lambda ns: f"train {ns.name}")
class ObTpl(string.Template):
    delimiter = "%"
    idpattern = r"[a-z.]+"
ob_tpl = ObTpl("hi %user.name, $5, %{n}")
class ObFmt(string.Formatter):
    def format_field(self, v, spec): return v.upper() if spec == "U" else super().format_field(v, spec)
ob_fmt = ObFmt()
# %%
ob_args = ob_parser.parse_args(["--lr", "0.12345", "train", "net"])
ob_cp = subprocess.run([sys.executable, "-c", "import sys; print('out'); sys.stderr.write('err'); sys.exit(3)"], capture_output=True, text=True)
try:
    ob_cp.check_returncode()
except subprocess.CalledProcessError as e:
    ob_cpe = e
class ObOpaque:
    def __init__(self, fh): self.fh = fh
copyreg.pickle(ObOpaque, lambda o: (ObOpaque, (o.fh + 1,)))
ob_opaque = ObOpaque(1); ob_opaque.extra = [ob_opaque]
# %%
ob_train.add_argument("--fast", action="store_true")
ob_path = pathlib.Path("ob_dir") / "x.tar.gz"
# %% check
assert ob_args.func(ob_args) == "train NET" and ob_args.lr == 0.123 and ob_args.cmd == "train"
assert ob_sub.choices["train"] is ob_train and ob_parser.parse_args(["train", "q", "--fast"]).fast is True
assert ob_tpl.substitute({"user.name": "Al", "n": 2}) == "hi Al, $5, 2" and ob_fmt.format("{0:U}-{1:>3}", "a", 1) == "A-  1"
assert (ob_cp.returncode, ob_cp.stdout, ob_cp.stderr) == (3, "out\n", "err") and ob_cpe.cmd is ob_cp.args and ob_cpe.returncode == 3
assert ob_path.suffixes == [".tar", ".gz"] and isinstance(ob_path, pathlib.PosixPath)
assert ob_opaque.fh == 1 and ob_opaque.extra[0] is ob_opaque, vars(ob_opaque)
assert copy.copy(ob_opaque).fh == 2 and ObOpaque in copyreg.dispatch_table
# %% case: ob_temp_things_and_open_files
import tempfile, os, pathlib
os.makedirs("ob_tmp", exist_ok=True)
ob_td = tempfile.TemporaryDirectory(dir="ob_tmp", prefix="work-")
ob_file = open(os.path.join(ob_td.name, "log.txt"), "w+", encoding="utf-8")
ob_file.write("one\ntwo\nthree\n"); ob_file.flush()
ob_sp = tempfile.SpooledTemporaryFile(max_size=1000, mode="w+t"); ob_sp.write("spool")
# %%
ob_file.seek(0); ob_line = ob_file.readline()
ob_app = open(os.path.join(ob_td.name, "app.bin"), "ab"); ob_app.write(b"\x01"); ob_app.flush()
# %%
ob_listing = sorted(os.listdir(ob_td.name))
ob_closed = open(os.path.join(ob_td.name, "app.bin"), "rb"); ob_closed.close()
# %% check
assert ob_line == "one\n" and ob_listing == ["app.bin", "log.txt"] and os.path.isdir(ob_td.name)
assert ob_file.tell() == 4 and ob_file.readline() == "two\n" and ob_file.mode == "w+" and ob_file.encoding == "utf-8"
ob_file.seek(0, 2); ob_file.write("four\n"); ob_file.flush()
assert pathlib.Path(ob_td.name, "log.txt").read_text() == "one\ntwo\nthree\nfour\n"
ob_app.write(b"\x02"); ob_app.flush()
assert pathlib.Path(ob_td.name, "app.bin").read_bytes() == b"\x01\x02" and ob_closed.closed
ob_sp.write("!"); ob_sp.seek(0)
assert ob_sp.read() == "spool!"
ob_file.close(); ob_app.close(); ob_td.cleanup()
assert not os.path.exists(ob_td.name) and not ob_td._finalizer.alive
# %% case: ob_modes_of_closed_files
omc_files = [open("omc.txt", mode) for mode in ("w", "a", "r", "r+", "w+", "a+", "wb", "ab", "rb", "rb+", "ab+")]
omc_files.append(open("omc.txt", "rb", buffering=0)); omc_files.append(open("omc.txt", "ab", buffering=0))
omc_modes = [it.mode for it in omc_files]; omc_kinds = [type(it) for it in omc_files]
for omc_it in omc_files: omc_it.close()
# %%
omc_again = [it.mode for it in omc_files]
# %% check
assert omc_again == omc_modes == [it.mode for it in omc_files] and all(it.closed and it.name == "omc.txt" for it in omc_files)
assert [type(it) for it in omc_files] == omc_kinds
# %% case: ob_proxy_of_what_is_gone
import weakref
class OpgBox:
    def __init__(self): self.items = [1]
opg_box = OpgBox(); opg_proxy = weakref.proxy(opg_box)
# %%
opg_proxy.items.append(2); opg_items = opg_proxy.items
# %%
del opg_box
# %%
opg_after = repr(type(opg_proxy)); opg_proxies = [opg_proxy]
# %% check
try:
    opg_proxy.items
except ReferenceError as error:
    opg_gone = str(error)
assert opg_gone and opg_items == [1, 2] and opg_proxies[0] is opg_proxy and "weak" in opg_after
# %% case: ob_deep_and_shared_structures
import types, copy
class ObLink:
    def __init__(self, v, nxt=None): self.v, self.nxt = v, nxt
ob_head = None
for ob_k in range(20000):
    ob_head = ObLink(ob_k, ob_head)
ob_nest = []
for ob_k in range(5000):
    ob_nest = [ob_nest]
ob_shared = {"w": [1, 2, 3]}
ob_grid = [[0] * 3] * 2
ob_tup = ([], ob_shared); ob_tup[0].append(ob_tup)
ob_ns2 = types.SimpleNamespace(cfg=ob_shared, me=None); ob_ns2.me = ob_ns2
ob_view = types.MappingProxyType(ob_shared)
# %%
ob_tmp_ref = ob_shared["w"]; ob_items = ob_shared.items()
ob_shared["w"] = ob_shared["w"] + [4]
ob_grid[0][1] = 5
ob_deep = copy.deepcopy(ob_tup)
# %%
ob_view2 = ob_view; ob_x = ob_y = ob_grid[1]; del ob_grid
# %% check
n, k = ob_head, 0
while n is not None:
    k += 1; n = n.nxt
assert k == 20000 and ob_head.v == 19999
d, x = 0, ob_nest
while x:
    x = x[0]; d += 1
assert d == 5000
assert ob_tup[0][0] is ob_tup and ob_tup[1] is ob_shared is ob_ns2.cfg and ob_ns2.me is ob_ns2
assert ob_deep[0][0] is ob_deep and ob_deep[1] is not ob_shared and ob_tmp_ref == [1, 2, 3] and ob_view["w"] == [1, 2, 3, 4]
assert ob_x is ob_y == [0, 5, 0] and "ob_grid" not in globals() and ob_view2 is ob_view
ob_shared["new"] = ob_view
assert "new" in ob_view and ("new", ob_view) in ob_items and ob_view["new"] is ob_view
try:
    ob_view["z"] = 1
except TypeError:
    pass
else:
    raise AssertionError
