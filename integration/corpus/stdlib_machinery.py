# Library objects with locks, handles, registries or weak links inside.
# %% case: lib_sqlite_in_memory
import sqlite3
lsm_db = sqlite3.connect(':memory:')
lsm_db.row_factory = sqlite3.Row
lsm_db.executescript("""
create table runs(id integer primary key, name text unique, score real);
create index by_score on runs(score);
create table log(msg text);
create trigger t after insert on runs begin insert into log values ('added ' || new.name); end;
""")
with lsm_db:
    lsm_db.executemany('insert into runs(name, score) values (?, ?)', [('a', .5), ('b', .9)])
class LsmStore:
    def __init__(self, db): self.db = db
    def names(self): return [r['name'] for r in self.db.execute('select name from runs order by score desc')]
lsm_store = LsmStore(lsm_db)
# %%
lsm_store.db.execute("insert into runs(name, score) values ('c', .7)")
lsm_db.commit()
# %% check
assert lsm_store.db is lsm_db and lsm_store.names() == ['b', 'c', 'a'] and lsm_db.row_factory is sqlite3.Row
lsm_db.execute("insert into runs(name) values ('d')")
assert lsm_db.execute('select count(*), max(id) from runs').fetchone()[:] == (4, 4)
assert [r[0] for r in lsm_db.execute('select msg from log')] == ['added a', 'added b', 'added c', 'added d']
try:
    lsm_db.execute("insert into runs(name) values ('a')")
except sqlite3.IntegrityError:
    lsm_unique = True
assert lsm_unique and lsm_db.in_transaction
lsm_db.rollback()
assert lsm_db.execute('select count(*) from runs').fetchone()[0] == 3
# %% case: lib_locks_inside_objects
import threading
class LloCache:
    def __init__(self):
        self._lock, self._cond = threading.RLock(), threading.Condition()
        self.local = threading.local(); self.local.depth = 3
        self.ready, self.slots, self.data = threading.Event(), threading.BoundedSemaphore(3), {}
    def put(self, k, v):
        with self._lock, self._cond:
            self.data[k] = v
            self._cond.notify_all()
llo_c = LloCache()
llo_lock = threading.Lock(); llo_c.outer = llo_lock
llo_cond = threading.Condition(llo_lock)
# %%
llo_c.put('a', llo_c); llo_c.ready.set(); llo_c.slots.acquire()
llo_got = llo_lock.acquire()
# %% check
assert llo_lock.locked() and llo_c.outer is llo_lock and not llo_lock.acquire(blocking=False)
llo_lock.release()
with llo_cond:
    assert llo_lock.locked()
llo_c.put('b', 2)
assert llo_c.data['a'] is llo_c and llo_c.ready.is_set() and llo_c.local.depth == 3
assert llo_c.slots.acquire(blocking=False) and llo_c.slots.acquire(blocking=False) and not llo_c.slots.acquire(blocking=False)
# %% case: lib_logging_tree_with_own_handlers
import logging, io
llt_buf = io.StringIO()
class LltKeep(logging.Handler):
    def __init__(self): super().__init__(); self.records = []
    def emit(self, r): self.records.append(r)
class LltFilter(logging.Filter):
    def filter(self, r): r.who = 'me'; return 'secret' not in r.getMessage()
llt_log = logging.getLogger('llt_corpus.app')
llt_log.setLevel(logging.DEBUG); llt_log.propagate = False
llt_h = logging.StreamHandler(llt_buf); llt_h.setFormatter(logging.Formatter('%(levelname)s|%(who)s|%(message)s'))
llt_keep = LltKeep(); llt_log.addFilter(LltFilter())
# %%
llt_log.addHandler(llt_h); llt_log.addHandler(llt_keep); llt_h.setLevel('WARNING')
llt_log.info('quiet'); llt_log.warning('loud %s', {'k': 1}); llt_log.error('secret')
llt_child = llt_log.getChild('sub')
# %% check
llt_child.addFilter(lambda r: setattr(r, 'who', 'child') or True)
llt_child.error('from child')
assert llt_buf.getvalue() == "WARNING|me|loud {'k': 1}\nERROR|child|from child\n"
assert [r.getMessage() for r in llt_keep.records] == ['quiet', "loud {'k': 1}", 'from child']
assert logging.getLogger('llt_corpus.app') is llt_log and llt_child is logging.getLogger('llt_corpus.app.sub') and llt_child.parent is llt_log
assert llt_log.handlers == [llt_h, llt_keep] and llt_h.stream is llt_buf and not llt_log.propagate and llt_child.getEffectiveLevel() == logging.DEBUG
# %% case: lib_weak_containers
import weakref, gc
class LwcObj:
    def __init__(self, n): self.n = n
    def hello(self): return f'hello {self.n}'
lwc_objs = [LwcObj(i) for i in range(3)]
lwc_vals = weakref.WeakValueDictionary({o.n: o for o in lwc_objs})
lwc_keys = weakref.WeakKeyDictionary({o: [o.n] for o in lwc_objs})
lwc_set = weakref.WeakSet(lwc_objs)
lwc_ref, lwc_meth, lwc_proxy = weakref.ref(lwc_objs[0]), weakref.WeakMethod(lwc_objs[1].hello), weakref.proxy(lwc_objs[2])
# %%
lwc_objs.pop(1)
_lwc = gc.collect()
# %% check
assert sorted(lwc_vals) == [0, 2] and len(lwc_set) == 2 and lwc_meth() is None
assert lwc_ref() is lwc_objs[0] is lwc_vals[0] and lwc_ref is weakref.ref(lwc_objs[0]) and lwc_keys[lwc_objs[1]] == [2]
lwc_proxy.n = 20
assert lwc_objs[1].n == 20 and lwc_objs[1].hello() == 'hello 20'
lwc_objs.clear(); gc.collect()
assert len(lwc_vals) == len(lwc_keys) == len(lwc_set) == 0 and lwc_ref() is None
# %% case: lib_contextvars
import contextvars
lcv_user = contextvars.ContextVar('lcv_user', default='nobody')
lcv_depth = contextvars.ContextVar('lcv_depth')
lcv_ctx = contextvars.copy_context()
lcv_box = ['shared']
# %%
def lcv_set(): lcv_user.set(lcv_box); lcv_depth.set(1)
lcv_ctx.run(lcv_set)
def lcv_inc():
    lcv_depth.set(lcv_depth.get() + 1); return lcv_depth.get()
lcv_two = lcv_ctx.run(lcv_inc)
# %% check
assert lcv_two == 2 and lcv_ctx.run(lcv_inc) == 3 and lcv_ctx[lcv_user] is lcv_box and lcv_ctx[lcv_depth] == 3
assert lcv_user.get() == 'nobody' and lcv_user.name == 'lcv_user' and lcv_ctx.run(lcv_user.get) is lcv_box
assert lcv_depth.get('unset') == 'unset'
# %% case: lib_contextvar_set_in_a_cell [alone]
import contextvars
lcs_var = contextvars.ContextVar('lcs_var', default=0)
lcs_tok = lcs_var.set({'request': 1})
# %%
lcs_seen = lcs_var.get()
# %% check
lcs_now = lcs_var.get()
assert lcs_now is lcs_seen
assert lcs_now == {'request': 1}
# %% case: lib_futures_and_queues
import concurrent.futures as lfq_cf, queue, threading
lfq_q = queue.Queue()
with lfq_cf.ThreadPoolExecutor(2) as lfq_pool:
    lfq_f = {k: lfq_pool.submit(pow, k, 2) for k in (2, 3)}
    lfq_bad = lfq_pool.submit(lambda: 1 / 0)
lfq_t = threading.Thread(target=lfq_q.put, args=('from thread',), name='lfq'); lfq_t.start(); lfq_t.join()
# %%
lfq_q.put(lfq_f)
lfq_open = lfq_cf.Future(); lfq_seen = []
lfq_open.add_done_callback(lfq_seen.append)
# %% check
assert lfq_q.get() == 'from thread' and lfq_q.get_nowait() is lfq_f and {k: f.result() for k, f in lfq_f.items()} == {2: 4, 3: 9}
assert type(lfq_bad.exception()) is ZeroDivisionError and not lfq_open.done() and not lfq_t.is_alive() and lfq_t.name == 'lfq'
lfq_open.set_result(5)
assert lfq_seen == [lfq_open] and lfq_seen[0].result() == 5
# %% case: lib_open_file_in_shared_directory
import pathlib
lof_path = pathlib.Path('corpus_lof_data.txt'); lof_path.write_text('one\ntwo\nthree\n')
lof_f = open(lof_path)
lof_first = lof_f.readline()
# %%
lof_size = lof_path.stat().st_size
# %% check
assert lof_first == 'one\n' and lof_f.readline() == 'two\n' and str(lof_f.name) == str(lof_path) and lof_size == 14
assert lof_f.read() == 'three\n' and not lof_f.closed and lof_f.fileno() > 2 and lof_f.mode == 'r'
lof_f.close(); lof_path.unlink()
# %% case: lib_cached_property_and_methods
import functools
class LcpModel:
    loads = 0
    def __init__(self, k): self.k = k
    @functools.cached_property
    def table(self):
        LcpModel.loads += 1
        return {'k': self.k}
    @functools.lru_cache(maxsize=None)
    def score(self, x):
        LcpModel.loads += 10
        return [self.k + x]
lcp_a, lcp_b = LcpModel(1), LcpModel(2)
# %%
lcp_tab = lcp_a.table; lcp_sc = lcp_a.score(5)
# %% check
assert lcp_a.table is lcp_tab and lcp_a.score(5) is lcp_sc and LcpModel.loads == 11
assert lcp_b.table == {'k': 2} and lcp_b.score(5) == [7] and LcpModel.loads == 22 and LcpModel.score.cache_info()[:2] == (1, 2)
# %% case: lib_module_written_and_imported_by_the_notebook [alone]
import pathlib, sys, importlib
pathlib.Path('corpus_lmw_mod.py').write_text('STATE = []\nclass Rec:\n    def __init__(self, v): self.v = v; STATE.append(self)\ndef total(): return sum(r.v for r in STATE)\n')
if '' not in sys.path and str(pathlib.Path.cwd()) not in sys.path: sys.path.insert(0, str(pathlib.Path.cwd()))
importlib.invalidate_caches()
import corpus_lmw_mod as lmw
from corpus_lmw_mod import Rec as LmwRec
lmw_a = LmwRec(3)
# %%
lmw_b = lmw.Rec(4); lmw.extra = lmw_b
# %% check
assert lmw.total() == 7 and lmw.STATE == [lmw_a, lmw_b] and lmw.extra is lmw_b and sys.modules['corpus_lmw_mod'] is lmw
assert type(lmw_a) is LmwRec is lmw.Rec and LmwRec(1) in lmw.STATE and lmw.total() == 8
# %% case: lib_environ_cwd_path_and_warnings [alone]
import os, sys, pathlib, warnings
lse_env = os.environ
os.environ['LSE_KEY'] = 'v1'; os.environ['LSE_TMP'] = 'x'; os.environ.pop('LANG', None)
pathlib.Path('corpus_lse_dir').mkdir(exist_ok=True)
lse_start = os.getcwd()
os.chdir('corpus_lse_dir'); sys.path.append('/lse/extra')
warnings.filterwarnings('error', message='lse.*')
# %%
lse_env['LSE_KEY'] += '+v2'; del lse_env['LSE_TMP']
pathlib.Path('rel.txt').write_text('relative')
# %% check
assert os.environ['LSE_KEY'] == 'v1+v2' == os.getenv('LSE_KEY') and 'LANG' not in os.environ and 'LSE_TMP' not in os.environ and lse_env is os.environ
assert os.getcwd() == os.path.join(lse_start, 'corpus_lse_dir') and open('rel.txt').read() == 'relative' and '/lse/extra' in sys.path
try:
    warnings.warn('lse trouble')
except UserWarning:
    lse_err = True
else:
    lse_err = False
assert lse_err
os.chdir(lse_start)
# %% case: lib_signal_handler [alone]
import signal
lsh_hits = []
def lsh_handler(n, frame): lsh_hits.append(n)
lsh_old = signal.signal(signal.SIGUSR2, lsh_handler)
# %%
signal.raise_signal(signal.SIGUSR2)
# %% check
assert signal.getsignal(signal.SIGUSR2) is lsh_handler and lsh_old is signal.SIG_DFL
signal.raise_signal(signal.SIGUSR2)
assert lsh_hits == [signal.SIGUSR2] * 2
# %% case: lib_interpreter_knobs [alone]
import sys, gc, builtins
sys.setrecursionlimit(2345); gc.set_threshold(650, 9, 8); sys.setswitchinterval(0.01)
lik_marker = []
gc.callbacks.append(lik_cb := (lambda phase, info: None))
builtins.lik_debug = lambda *a: lik_marker.extend(a)
# %%
def lik_use(): lik_debug('from cell')
lik_use()
# %% check
lik_use()
assert lik_marker == ['from cell'] * 2 and 'lik_debug' not in globals() and builtins.lik_debug is lik_debug
assert sys.getrecursionlimit() == 2345 and gc.get_threshold() == (650, 9, 8) and abs(sys.getswitchinterval() - 0.01) < 1e-6 and lik_cb in gc.callbacks
# %% case: lib_socket_pair [pinned]
import socket
lsp_a, lsp_b = socket.socketpair()
lsp_n = lsp_a.send(b'in flight')
# %% check
assert lsp_b.recv(20) == b'in flight'
# %% case: lib_waiting_thread [pinned]
import threading
lwt_go, lwt_log = threading.Event(), []
def lwt_run():
    lwt_go.wait(60); lwt_log.append('ran')
lwt_thread = threading.Thread(target=lwt_run, daemon=True)
lwt_thread.start()
# %% check
assert lwt_thread.is_alive()
lwt_go.set(); lwt_thread.join(5)
assert lwt_log == ['ran']
# %% case: lib_pending_asyncio_task [alone] [pinned]
import asyncio
lpa_ev, lpa_log = asyncio.Event(), []
async def lpa_work():
    lpa_log.append('start')
    await lpa_ev.wait()
    lpa_log.append('end')
# %%
lpa_task = asyncio.create_task(lpa_work())
await asyncio.sleep(0.01)
# %% check
assert not lpa_task.done()
lpa_ev.set()
assert lpa_log == ['start']
