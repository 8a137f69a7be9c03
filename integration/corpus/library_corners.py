# Objects of all corners of the standard library.
# %% case: q_gzip
import gzip, bz2, lzma, io, zipfile, tarfile, pathlib
pathlib.Path("q_dir").mkdir(exist_ok=True)
with gzip.open("q_dir/a.txt.gz", "wt") as f: f.write("one\ntwo\nthree\n")
q_gf = gzip.open("q_dir/a.txt.gz", "rt")
q_l = q_gf.readline()
q_gi = gzip.open("q_dir/a.txt.gz", "rt")
q_l = next(q_gi)
q_gb = gzip.open("q_dir/a.txt.gz"); q_gb.readline(); q_gfc = gzip.open("q_dir/a.txt.gz"); q_gfc.close()
with bz2.open("q_dir/a.bz2", "wb") as f: f.write(b"one\ntwo\n")
with lzma.open("q_dir/a.xz", "wb") as f: f.write(b"one\ntwo\n")
q_bz = bz2.open("q_dir/a.bz2"); q_bz.read(4); q_xz = lzma.open("q_dir/a.xz", "rt"); q_xz.readline()
# %% check
assert q_gf.readline() == "two\n" and next(q_gi) == "two\n" and q_gb.readline() == b"two\n" and q_gb.name.endswith("a.txt.gz") and q_gfc.closed and q_bz.read() == b"two\n" and q_xz.read() == "two\n"
# %% case: q_zip
import zipfile, pathlib
pathlib.Path("q_dir").mkdir(exist_ok=True)
with zipfile.ZipFile("q_dir/a.zip", "w") as z: z.writestr("x.txt", "hello")
q_z = zipfile.ZipFile("q_dir/a.zip")
q_zi = q_z.infolist()
# %% check
assert q_z.read("x.txt") == b"hello" and q_zi[0] is q_z.infolist()[0]
# %% case: q_configparser
import configparser, io
q_cp = configparser.ConfigParser(interpolation=configparser.ExtendedInterpolation())
q_cp.read_string("[a]\nx=1\ny=${x}2\n[b]\nz=${a:y}\n")
q_sec = q_cp["b"]
# %% check
assert q_sec["z"] == "12" and q_sec.parser is q_cp; q_sec["n"] = "3"; assert q_cp.getint("b", "n") == 3
# %% case: q_etree
import xml.etree.ElementTree as ET
q_root = ET.fromstring("<a><b x='1'>t</b><c/></a>"); q_b = q_root.find("b"); q_tree = ET.ElementTree(q_root)
q_it = q_root.iter(); q_n = next(q_it)
# %% check
assert q_tree.getroot() is q_root and q_root[0] is q_b; q_b.text = "u"; assert b"u" in ET.tostring(q_root)
# %% case: q_minidom
import xml.dom.minidom as md
q_doc = md.parseString("<a><b>t</b></a>"); q_bb = q_doc.getElementsByTagName("b")[0]
# %% check
assert q_bb.ownerDocument is q_doc and q_bb.firstChild.data == "t"
# %% case: q_htmlparser
from html.parser import HTMLParser
class QP(HTMLParser):
    def __init__(self): super().__init__(); self.tags = []
    def handle_starttag(self, t, a): self.tags.append(t)
q_hp = QP(); q_hp.feed("<a><b")
# %% check
q_hp.feed(" x=1>"); assert q_hp.tags == ["a", "b"]
# %% case: q_shlex_textwrap_difflib
import shlex, textwrap, difflib, string, pprint
q_sh = shlex.shlex("a b 'c d'"); q_t1 = q_sh.get_token()
q_tw = textwrap.TextWrapper(width=10); q_sm = difflib.SequenceMatcher(None, "abcd", "bcde"); q_blocks = q_sm.get_matching_blocks()
q_pp = pprint.PrettyPrinter(width=10)
# %% check
assert q_sh.get_token() == "b" and q_tw.fill("aaaa bbbb cccc") == "aaaa bbbb\ncccc" and q_sm.ratio() == 0.75 and q_sm.a == "abcd"
assert q_pp.pformat([1]) == "[1]"
# %% case: q_ast_tokenize_inspect
import ast, inspect, dis, symtable, types
q_tree3 = ast.parse("x = f(1)"); q_call = q_tree3.body[0].value
def q_fn(a, b=2): return a
q_sig = inspect.signature(q_fn); q_ba = q_sig.bind(1, 3); q_by = dis.Bytecode(q_fn)
q_co = q_fn.__code__.replace(co_name="renamed")
# %% check
assert q_tree3.body[0].value is q_call and ast.unparse(q_tree3) == "x = f(1)"
assert q_ba.arguments == {"a": 1, "b": 3} and q_ba.signature is q_sig and q_sig.parameters["b"].default == 2
assert q_co.co_name == "renamed" and list(q_by)
# %% case: q_urllib_http_email
import urllib.parse, urllib.request, http.cookies, http.cookiejar, email.message, mailbox
q_u = urllib.parse.urlsplit("http://h/p?q=1"); q_req = urllib.request.Request("http://h/", headers={"A": "b"})
q_ck = http.cookies.SimpleCookie("a=1; b=2"); q_jar = http.cookiejar.CookieJar()
q_em = email.message.EmailMessage(); q_em["Subject"] = "s"; q_em.set_content("body")
q_op = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(q_jar))
# %% check
assert q_u.query == "q=1" and q_req.get_header("A") == "b" and q_ck["b"].value == "2" and q_em["Subject"] == "s" and "body" in q_em.get_content()
assert [h for h in q_op.handlers if type(h).__name__ == "HTTPCookieProcessor"][0].cookiejar is q_jar
# %% case: q_context_manager_open
from contextlib import contextmanager, ExitStack, closing, AsyncExitStack
@contextmanager
def q_cm(log):
    log.append("in"); yield log; log.append("out")
q_log = []
q_unused = q_cm(q_log)
q_dec = q_cm(q_log)
@q_cm(q_log)
def q_decorated(): return len(q_log)
q_st2 = ExitStack(); q_st2.callback(q_log.append, "cb"); q_ast = AsyncExitStack(); q_ast.callback(q_log.append, "acb")
# %% check
assert q_decorated() == 1 and q_log == ["in", "out"]
with q_unused as q_l2: assert q_l2 is q_log
q_st2.close(); await q_ast.aclose(); assert q_log[-2:] == ["cb", "acb"]
# %% case: q_unittest
import unittest
class QT(unittest.TestCase):
    def test_a(self): self.assertEqual(1, 1)
    def test_b(self): self.fail("no")
q_suite = unittest.defaultTestLoader.loadTestsFromTestCase(QT); q_res = unittest.TestResult(); q_suite.run(q_res)
# %% check
assert q_res.testsRun == 2 and len(q_res.failures) == 1 and type(q_res.failures[0][0]) is QT
# %% case: q_doctest_timeit_profile
import timeit, cProfile, pstats, trace, doctest
q_tm = timeit.Timer("pass"); q_pr = cProfile.Profile(); q_pr.enable(); sum(range(10)); q_pr.disable()
q_ps = pstats.Stats(q_pr)
# %% check
assert q_ps.total_calls >= 1 and q_tm.timeit(1) >= 0
# %% case: q_sched_graph_stat
import sched, graphlib, statistics, time
q_sc = sched.scheduler(time.monotonic, time.sleep); q_log3 = []; q_ev = q_sc.enter(1000, 1, q_log3.append, ("x",))
q_ts = graphlib.TopologicalSorter({"b": {"a"}, "c": {"b"}}); q_ts.prepare(); q_r0 = q_ts.get_ready(); q_ts.done(*q_r0)
q_nd = statistics.NormalDist(0, 1)
# %% check
assert q_sc.queue[0].action.__self__ is q_log3 and q_ts.get_ready() == ("b",) and q_nd.cdf(0) == 0.5
q_sc.cancel(q_sc.queue[0]); assert q_sc.empty()
# %% case: q_code_cmd
import code, cmd
q_ii = code.InteractiveInterpreter({"a": 1}); q_ii.runsource("b = a + 1")
# %% check
assert q_ii.locals["b"] == 2
# %% case: q_getsets
import operator, types, collections
q_sl = slice(1, None); q_m = [].append; q_bm = "x".join; q_um = str.upper; q_cls = dict.fromkeys; q_prop = property(lambda s: 1); q_sm2 = staticmethod(len); q_cmth = classmethod(lambda c: c)
q_ga = list[int]; q_un = int | None; q_g = types.GenericAlias(dict, (str, int))
# %% check
assert q_bm(["a", "b"]) == "axb" and q_um("a") == "A" and q_cls("ab") == {"a": None, "b": None} and q_prop.fget(0) == 1 and q_sm2([1]) == 1
assert q_ga == list[int] and q_un == (int | None) and q_g == dict[str, int]; q_m(1); assert q_m.__self__ == [1]
# %% case: q_memo_iters
q_d = {"a": 1, "b": 2, "c": 3}; q_di = iter(q_d); next(q_di); q_ri = reversed(q_d); next(q_ri); q_si = iter({5}); q_bi = iter(bytearray(b"abc")); next(q_bi); q_rg = iter(range(5)); next(q_rg); q_sti = iter("héllo"); next(q_sti)
from collections import deque, OrderedDict
q_dq = iter(deque([1, 2, 3])); next(q_dq); q_od = iter(OrderedDict(a=1, b=2)); next(q_od)
class QSeq:
    def __getitem__(self, i):
        if i > 3: raise IndexError
        return i * 2
q_sq = iter(QSeq()); next(q_sq)
# %% check
assert next(q_di) == "b" and next(q_si) == 5 and next(q_bi) == 98 and next(q_rg) == 1 and next(q_sti) == "é" and next(q_dq) == 2 and next(q_od) == "b" and list(q_sq) == [2, 4, 6]
assert next(q_ri) == "b"
# %% case: q_ipaddr_etc
import ipaddress, secrets, numbers, colorsys, calendar, gettext, locale, platform, getpass, fnmatch, glob, filecmp
q_net = ipaddress.ip_network("10.0.0.0/30"); q_hosts = list(q_net.hosts()); q_cal = calendar.TextCalendar(6); q_tr = gettext.NullTranslations()
# %% check
assert q_hosts[0] in q_net and q_cal.firstweekday == 6 and q_tr.gettext("a") == "a"
# %% case: q_user_subclasses
import datetime, random, collections, decimal, fractions, pathlib, uuid
class QDate(datetime.date):
    def __new__(cls, text, note=None):
        self = super().__new__(cls, *map(int, text.split("-"))); self.note = note; return self
class QCounter(collections.Counter):
    def __init__(self, words, label): self.label = label; super().__init__(words)
class QDec(decimal.Decimal):
    def __new__(cls, v, cur): self = super().__new__(cls, v); self.cur = cur; return self
class QRandom(random.Random):
    def __init__(self, name): self.name = name; super().__init__(name)
class QTd(datetime.timedelta):
    @property
    def hours(self): return self.total_seconds() / 3600
q_note = ["n"]
q_date = QDate("2024-02-29", q_note); q_cnt = QCounter("abca", "lbl"); q_decm = QDec("1.50", "EUR"); q_rnd = QRandom("n"); q_rnd.random(); q_td = QTd(hours=3)
q_rnd_next = random.Random("n"); q_rnd_next.random()
# %% check
assert type(q_date) is QDate and q_date.note is q_note and q_date.month == 2
assert type(q_cnt) is QCounter and q_cnt.label == "lbl" and q_cnt["a"] == 2
assert q_decm.cur == "EUR" and str(q_decm) == "1.50" and q_rnd.name == "n" and q_rnd.random() == q_rnd_next.random() and q_td.hours == 3 and type(q_td) is QTd
# %% case: q_stringio_subclass
import io, string, queue, threading, argparse
class QTee(io.StringIO):
    def __init__(self, label): super().__init__(); self.label = label; self.n = 0
    def write(self, s): self.n += 1; return super().write(s)
q_tee = QTee("x"); q_tee.write("ab")
class QQueue(queue.Queue):
    def __init__(self, name): super().__init__(); self.name = name
q_qq = QQueue("n"); q_qq.put(1)
# %% check
assert q_tee.n == 1 and q_tee.getvalue() == "ab" and q_tee.label == "x"; q_tee.write("c"); assert q_tee.getvalue() == "abc" and q_tee.n == 2
assert q_qq.name == "n" and q_qq.get() == 1
# %% case: q_array_views
import array, mmap, struct
q_ar = array.array("i", range(5)); q_ari = iter(q_ar); next(q_ari)
# %% check
q_ar.append(9); assert list(q_ari) == [1, 2, 3, 4, 9]
# %% case: q_zoneinfo
import zoneinfo, datetime
q_za = zoneinfo.ZoneInfo("Asia/Tokyo"); q_zb = zoneinfo.ZoneInfo.no_cache("Asia/Tokyo"); q_tzn = datetime.timezone(datetime.timedelta(hours=1), "X")
# %% check
assert q_za is zoneinfo.ZoneInfo("Asia/Tokyo") and q_zb is not q_za and q_zb.key == "Asia/Tokyo" and q_tzn.tzname(None) == "X"
# %% case: q_codecs
import codecs, io, json, base64
q_inc = codecs.getincrementalencoder("utf-16")(); q_b1 = q_inc.encode("a"); q_sr = codecs.getreader("utf-8")(io.BytesIO("é\nb\n".encode())); q_s1 = q_sr.readline(); q_ci = codecs.lookup("utf-8")
q_je = json.JSONEncoder(indent=1, default=str); q_ji = iter([1])
q_id = codecs.getincrementaldecoder("utf-8")(); q_p = q_id.decode(b"\xc3")
# %% check
assert q_inc.encode("b") == "b".encode("utf-16-le") and q_sr.readline() == "b\n" and q_ci.name == "utf-8" and q_je.encode({1}) == '"{1}"' and q_id.decode(b"\xa9") == "é"
# %% case: q_logging_objs
import logging, logging.handlers, io, queue
q_lq = queue.Queue(); q_qh = logging.handlers.QueueHandler(q_lq); q_rec = logging.LogRecord("n", 20, "p", 1, "m %s", ("a",), None)
q_mh = logging.handlers.MemoryHandler(10, target=logging.StreamHandler(io.StringIO())); q_mh.emit(q_rec)
# %% check
assert q_rec.getMessage() == "m a" and q_mh.buffer == [q_rec] and q_qh.queue is q_lq; q_mh.flush(); assert q_mh.target.stream.getvalue() == "m a\n"
# %% case: q_named_tmp
import tempfile, os
os.makedirs("q_dir", exist_ok=True)
q_nt = tempfile.NamedTemporaryFile("w", suffix=".csv", dir="q_dir", delete=False); q_nt.write("a,b\n"); q_nt.flush()
with tempfile.NamedTemporaryFile(dir="q_dir") as q_ntc: q_ntc.write(b"x")
# %% check
assert os.path.exists(q_nt.name); q_nt.write("c\n"); q_nt.close(); assert open(q_nt.name).read() == "a,b\nc\n"; os.unlink(q_nt.name)
assert q_ntc.closed
# %% case: q_asyncgen_tasks
import asyncio
async def q_ag():
    yield 1
q_agf = q_ag
q_loop = asyncio.get_running_loop(); q_alock = asyncio.Lock(); await q_alock.acquire(); q_sem = asyncio.Semaphore(2); await q_sem.acquire(); q_cond = asyncio.Condition()
async def q_fail(): raise ValueError("x")
q_task = asyncio.ensure_future(q_fail())
try: await q_task
except ValueError: pass
q_can = asyncio.ensure_future(asyncio.sleep(100)); q_can.cancel()
try: await q_can
except asyncio.CancelledError: pass
# %% check
assert [x async for x in q_agf()] == [1] and q_alock.locked() and q_sem._value == 1 and type(q_task.exception()) is ValueError and q_can.cancelled() and q_loop is asyncio.get_running_loop()
# %% case: q_subproc
import subprocess, sys, multiprocessing as mp
q_po = subprocess.Popen([sys.executable, "-c", "print(1)"], stdout=subprocess.PIPE, text=True); q_out = q_po.communicate()
q_mpq = None
# %% check
assert q_po.returncode == 0 and q_out == ("1\n", None) and q_po.poll() == 0
# %% case: q_typing_more
import typing
from typing import Annotated, Callable, Generic, Literal, ParamSpec, TypedDict, TypeVar, Union
import typing, collections.abc, dataclasses
QK = TypeVar("QK", bound="QBase"); QP2 = ParamSpec("QP2")
class QBase(Generic[QK]): pass
QLit = Literal["a", "b"]; QCall = Callable[QP2, int]; QAnn = Annotated[int, "m"]; QUn = Union[int, str]; QNT = typing.NamedTuple("QNT", [("a", int)])
QTD = TypedDict("QTD", {"x": int}); QDC = dataclasses.make_dataclass("QDC", [("x", int, 3)])
q_nt1 = QNT(1); q_dc = QDC()
# %% check
assert q_nt1.a == 1 and type(q_nt1) is QNT and q_dc.x == 3 and type(q_dc) is QDC and QCall.__args__[0] is QP2 and QLit.__args__ == ("a", "b") and QAnn.__metadata__ == ("m",)

# %% case: q_zip_member
import zipfile, pathlib, tarfile, io
pathlib.Path("q_dir").mkdir(exist_ok=True)
with zipfile.ZipFile("q_dir/b.zip", "w") as z: z.writestr("x.txt", "hello\nworld\n")
q_z2 = zipfile.ZipFile("q_dir/b.zip"); q_ze = q_z2.open("x.txt"); q_ze.readline()
q_mem = io.BytesIO(); q_zw = zipfile.ZipFile(q_mem, "w"); q_zw.writestr("a.txt", "A")
with tarfile.open("q_dir/b.tar", "w") as t: t.add("q_dir/b.zip")
q_tf = tarfile.open("q_dir/b.tar")
# %% check
import zipfile
assert q_tf.getnames() == ["q_dir/b.zip"]
q_zw.writestr("b.txt", "B"); q_zw.close(); assert zipfile.ZipFile(q_mem).namelist() == ["a.txt", "b.txt"]
# %% case: q_zip_member2
import zipfile, pathlib
pathlib.Path("q_dir").mkdir(exist_ok=True)
with zipfile.ZipFile("q_dir/c.zip", "w") as z: z.writestr("x.txt", "hello\nworld\n")
q_z3 = zipfile.ZipFile("q_dir/c.zip"); q_ze3 = q_z3.open("x.txt"); q_ze3.readline()
# %% check
assert q_ze3.readline() == b"world\n"
# %% case: q_codecs_open
import codecs, csv, os, io
os.makedirs("q_dir", exist_ok=True)
with codecs.open("q_dir/u.txt", "w", "utf-8") as f: f.write("é\nb\nc\n")
q_co2 = codecs.open("q_dir/u.txt", "r", "utf-8"); q_co2.readline()
with open("q_dir/t.csv", "w") as f: f.write("a,b\n1,2\n3,4\n")
q_cf = open("q_dir/t.csv"); q_dr = csv.DictReader(q_cf); q_r1 = next(q_dr)
q_wf = open("q_dir/o.csv", "w", newline=""); q_cw = csv.writer(q_wf, quoting=csv.QUOTE_ALL); q_cw.writerow([1, 2])
q_lr = csv.reader(["x,y", "1,2"]); next(q_lr)
# %%
q_cw.writerow([3, 4])
# %% check
assert q_co2.readline() == "b\n" and q_r1 == {"a": "1", "b": "2"} and next(q_dr) == {"a": "3", "b": "4"} and q_dr.line_num == 3
q_cw.writerow([5, 6]); q_wf.flush(); assert open("q_dir/o.csv").read().split() == ['"1","2"', '"3","4"', '"5","6"']
assert next(q_lr) == ["1", "2"] and q_lr.line_num == 2
