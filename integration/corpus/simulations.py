# Simulations, games, random walks and algorithms that keep going over many cells.
# %% case: sim_game_of_life
import numpy as sgl_np
sgl_grid = sgl_np.zeros((8, 8), dtype=bool)
sgl_grid[0, 1] = sgl_grid[1, 2] = sgl_grid[2, 0:3] = True
sgl_view = sgl_grid[0:4]
sgl_hist = []
def sgl_step(g):
    n = sum(sgl_np.roll(g, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j)
    return (n == 3) | (g & (n == 2))
# %%
for _ in range(4):
    sgl_hist.append(sgl_grid.copy())
    sgl_grid[...] = sgl_step(sgl_grid.astype(int).astype(bool).astype(sgl_np.int8).astype(bool).view(sgl_np.int8).astype(int)).astype(bool)
# %%
for _ in range(4):
    sgl_hist.append(sgl_grid.copy())
    sgl_grid[:] = sgl_step(sgl_grid.astype(int)).astype(bool)
sgl_flat = sgl_grid.ravel()
sgl_T = sgl_grid.T
# %%
sgl_stack = sgl_np.stack(sgl_hist)
sgl_last = sgl_stack[-1]
sgl_ro = sgl_grid.view(); sgl_ro.flags.writeable = False
# %% check
import numpy as np
assert sgl_view.base is sgl_grid and np.shares_memory(sgl_T, sgl_grid) and np.shares_memory(sgl_flat, sgl_grid)
assert sgl_grid.sum() == 5 and (sgl_grid == np.roll(sgl_hist[0], (2, 2), (0, 1))).all()
sgl_grid[0, 0] = True
assert sgl_view[0, 0] and sgl_flat[0] and sgl_T[0, 0] and sgl_ro[0, 0]
assert not sgl_ro.flags.writeable and not sgl_hist[-1][0, 0]
sgl_last[0, 0] = True
assert sgl_stack[-1, 0, 0]
assert sgl_T.strides == (1, 8)
# %% case: sim_random_walks_continue [alone]
import random as srw_r, numpy as srw_np, torch as srw_t
srw_r.seed(5); srw_np.random.seed(6); srw_t.manual_seed(7)
srw_own = srw_r.Random(8); srw_gen = srw_np.random.default_rng(9); srw_tg = srw_t.Generator().manual_seed(10)
def srw_draw():
    return (srw_r.random(), srw_r.gauss(0, 1), float(srw_np.random.normal()), float(srw_t.randn(1)),
            srw_own.randint(0, 10**9), float(srw_gen.standard_normal()), float(srw_t.rand(1, generator=srw_tg)))
srw_path = [srw_draw()]
srw_choice = srw_own.choice
# %%
srw_path.append(srw_draw())
# %%
srw_state = srw_gen.bit_generator.state
srw_kids = srw_gen.spawn(2)
srw_path.append(srw_draw())
# %% raises ZeroDivisionError
srw_path.append(srw_draw())
srw_r.random() / 0
# %%
srw_path.append(srw_draw())
# %% check
import random, numpy as np, torch
for _ in range(2): srw_path.append(srw_draw())
kid = float(srw_kids[1].random())
assert srw_choice.__self__ is srw_own
got, gotc = list(srw_path), srw_choice(range(1000))
srw_r.seed(5); srw_np.random.seed(6); srw_t.manual_seed(7)
srw_own = random.Random(8); srw_gen = np.random.default_rng(9); srw_tg = torch.Generator().manual_seed(10)
ref = []
for i in range(7):
    if i == 2: kids = srw_gen.spawn(2)
    ref.append(srw_draw())
    if i == 3: random.random()
assert got == ref, [(a, b) for a, b in zip(got, ref) if a != b]
assert kid == float(kids[1].random()) and gotc == srw_own.choice(range(1000))
# %% case: sim_priority_event_loop
import heapq as spe_h, itertools as spe_it, collections as spe_c
class SpeSim:
    def __init__(self):
        self.now, self.q, self.ids = 0, [], spe_it.count()
        self.trace = spe_c.deque(maxlen=4)
        self.stats = spe_c.Counter()
        self.by_kind = spe_c.defaultdict(lambda: spe_c.defaultdict(list))
    def at(self, dt, fn, *a):
        spe_h.heappush(self.q, (self.now + dt, next(self.ids), fn, a))
    def run(self, n):
        for _ in range(n):
            self.now, i, fn, a = spe_h.heappop(self.q)
            self.trace.append((self.now, fn.__name__))
            self.stats[fn.__name__] += 1
            fn(self, *a)
# %%
def spe_arrive(sim, who):
    sim.by_kind["arrive"][who].append(sim.now)
    sim.at(3, spe_leave, who)
    sim.at(5, spe_arrive, who)
def spe_leave(sim, who):
    sim.by_kind["leave"][who].append(sim.now)
spe = SpeSim()
spe.at(1, spe_arrive, "ann"); spe.at(2, spe_arrive, "bob")
# %%
spe.run(5)
# %%
spe_cyc = spe_it.cycle("xyz"); next(spe_cyc)
spe_chain = spe_it.chain.from_iterable([[1, 2], [3]]); next(spe_chain)
spe_acc = spe_it.accumulate([1, 2, 3, 4]); next(spe_acc); next(spe_acc)
spe_isl = spe_it.islice(spe_it.count(10, 5), 1, None, 2); next(spe_isl)
spe_enum = enumerate("abcd"); next(spe_enum)
spe_zip = zip(range(4), spe_enum); next(spe_zip)
# %%
spe.run(4)
spe_tee1, spe_tee2 = spe_it.tee(iter([5, 6, 7])); next(spe_tee1)
# %% check
assert spe.now == 10 or spe.now == 9 or spe.now == 11, spe.now
assert sum(spe.stats.values()) == 9 and spe.trace.maxlen == 4 and len(spe.trace) == 4
before = next(spe.ids)
assert before == 2 + 2 * spe.stats["spe_arrive"], before
assert spe.by_kind["nokind"]["zz"] == [] and spe.by_kind["arrive"]["ann"][:2] == [1, 6]
assert next(spe_cyc) == "y" and list(spe_chain) == [2, 3] and list(spe_acc) == [6, 10]
assert next(spe_isl) == 25 and next(spe_zip) == (1, (2, "c")) and next(spe_enum) == (3, "d")
assert list(spe_tee1) == [6, 7] and list(spe_tee2) == [5, 6, 7]
spe.run(3)
assert spe.q[0][2] in (spe_arrive, spe_leave)
# %% case: sim_memo_recursion_graph
import sys as smr_sys, functools as smr_ft
smr_sys.setrecursionlimit(5000)
smr_memo = {}
def smr_collatz(n, memo=smr_memo):
    if n == 1: return 0
    if n not in memo:
        memo[n] = 1 + smr_collatz(n // 2 if n % 2 == 0 else 3 * n + 1)
    return memo[n]
# %%
smr_best = max(range(1, 200), key=smr_collatz)
smr_size = len(smr_memo)
# %%
class SmrNode:
    def __init__(self, name): self.name, self.out = name, []
    def __repr__(self): return f"<{self.name}>"
smr_nodes = {c: SmrNode(c) for c in "abcdef"}
for e in "ab bc ca cd de ef fd".split():
    smr_nodes[e[0]].out.append(smr_nodes[e[1]])
def smr_scc(nodes):
    idx, low, on, st, out = {}, {}, set(), [], []
    def visit(v):
        idx[v] = low[v] = len(idx); st.append(v); on.add(v)
        for w in v.out:
            if w not in idx: visit(w); low[v] = min(low[v], low[w])
            elif w in on: low[v] = min(low[v], idx[w])
        if low[v] == idx[v]:
            comp = []
            while True:
                w = st.pop(); on.discard(w); comp.append(w)
                if w is v: break
            out.append(comp)
    for v in nodes:
        if v not in idx: visit(v)
    return out
smr_comps = smr_scc(smr_nodes.values())
# %%
smr_long = None
for i in range(3000):
    smr_long = (i, smr_long)
smr_linked = SmrNode("h"); smr_tail = smr_linked
for i in range(1500):
    nxt = SmrNode(i); smr_tail.out.append(nxt); smr_tail = nxt
# %% raises RecursionError
def smr_inf(n): return smr_inf(n + 1)
smr_inf(0)
# %% check
import sys
assert sys.getrecursionlimit() == 5000
assert smr_collatz.__defaults__[0] is smr_memo and len(smr_memo) == smr_size and smr_best == 171
assert smr_collatz(27) == 111
smr_memo[27] = "patched"
assert smr_collatz(27) == "patched"
assert sorted(sorted(n.name for n in c) for c in smr_comps) == [["a", "b", "c"], ["d", "e", "f"]]
assert all(n is smr_nodes[n.name] for c in smr_comps for n in c)
assert smr_nodes["a"].out[0].out[0].out[0] is smr_nodes["a"]
d, p = 0, smr_long
while p: d += 1; p = p[1]
assert d == 3000
p, d = smr_linked, 0
while p.out: p = p.out[0]; d += 1
assert p is smr_tail and d == 1500
# %% case: sim_experiments_tracked
import copy as set_copy, time as set_time
SET_RUNS = {}
SET_CURRENT = None
class SetRun:
    _next = 0
    def __init__(self, **params):
        self.id = SetRun._next; SetRun._next += 1
        self.params, self.metrics, self.children = params, {}, []
    def __enter__(self):
        global SET_CURRENT
        self.prev, SET_CURRENT = SET_CURRENT, self
        SET_RUNS[self.id] = self
        if self.prev: self.prev.children.append(self)
        return self
    def __exit__(self, et, ev, tb):
        global SET_CURRENT
        self.failed = et
        SET_CURRENT = self.prev
    def log(self, **kw):
        for k, v in kw.items(): self.metrics.setdefault(k, []).append(v)
# %%
set_shared = {"lr": 0.1}
for set_i in range(3):
    with SetRun(opt=set_shared, i=set_i) as set_run:
        for s in range(3): set_run.log(loss=1 / (s + 1 + set_i))
# %% raises RuntimeError
with SetRun(opt=set_shared) as set_outer:
    set_outer.log(loss=9)
    with SetRun(kind="inner") as set_inner:
        set_inner.log(loss=8)
        raise RuntimeError("diverged")
# %%
set_open = SetRun(kind="left open")
set_open.__enter__()
# %%
set_snap = set_copy.deepcopy(SET_RUNS)
set_shallow = set_copy.copy(SET_RUNS)
SET_CURRENT.log(acc=0.5)
# %% check
assert SET_CURRENT is set_open and SET_RUNS[5] is set_open and set_open.metrics == {"acc": [0.5]}
assert set_snap[5].metrics == {} and set_shallow[5] is set_open
assert set_snap[0].params["opt"] is set_snap[1].params["opt"] and set_snap[0].params["opt"] is not set_shared
assert SET_RUNS[0].params["opt"] is set_shared and SET_RUNS[3].params["opt"] is set_shared
assert set_inner.failed is RuntimeError and set_inner.prev is set_outer and set_outer.children == [set_inner]
assert set_snap[3].children[0] is set_snap[4] and type(set_snap[3]) is SetRun
assert min(SET_RUNS, key=lambda i: min(SET_RUNS[i].metrics.get("loss", [99]))) == 2
with SetRun() as r: pass
assert r.id == 6 and set_open.children == [r] and SET_CURRENT is set_open and set_run.id == 2 and set_i == 2
# %% case: sim_iterators_half_consumed_files
sif_text = "\n".join(f"line {i}: {'x' * i}" for i in range(20)) + "\n"
with open("sif_in.txt", "w") as f: f.write(sif_text)
sif_r = open("sif_in.txt")
sif_head = [next(sif_r) for _ in range(3)]
# %%
sif_w = open("sif_out.txt", "w+", encoding="utf-8", newline="")
print("first", file=sif_w)
sif_w.write("é\r\n")
# %%
sif_line4 = sif_r.readline()
sif_b = open("sif_in.txt", "rb"); sif_b.seek(7)
print("second", file=sif_w, flush=True)
# %%
sif_a = open("sif_log.txt", "a"); sif_a.write("one\n")
import io as sif_io, csv as sif_csv
sif_buf = sif_io.StringIO("a,b\n1,2\n3,4\n")
sif_rd = sif_csv.DictReader(sif_buf)
sif_row1 = next(sif_rd)
sif_bio = sif_io.BytesIO(); sif_bio.write(b"abc"); sif_bio.seek(1)
sif_wr = sif_csv.writer(sif_w, delimiter=";")
# %%
sif_a.write("two\n")
sif_wr.writerow(["p", "q r"])
# %% check
assert sif_head[2].startswith("line 2") and sif_line4.startswith("line 3")
assert next(sif_r).startswith("line 4") and not sif_r.closed and sif_r.name == "sif_in.txt"
assert sif_b.tell() == 7 and sif_b.read(3) == sif_text.encode()[7:10]
sif_a.write("three\n"); sif_a.close()
assert open("sif_log.txt").read() == "one\ntwo\nthree\n"
sif_w.flush(); sif_w.seek(0)
assert sif_w.read() == "first\né\r\nsecond\np;q r\r\n" and sif_w.encoding == "utf-8" and sif_w.mode == "w+"
assert sif_row1 == {"a": "1", "b": "2"} and next(sif_rd) == {"a": "3", "b": "4"} and sif_rd.line_num == 3
assert sif_bio.tell() == 1 and sif_bio.read() == b"bc" and sif_bio.getvalue() == b"abc"
for f in (sif_r, sif_b, sif_w): f.close()
# %% case: sim_bank_contextvars_exceptions [alone]
import contextvars as sbc_cv, decimal as sbc_d, traceback as sbc_tb, locale as sbc_l
sbc_user = sbc_cv.ContextVar("sbc_user", default="nobody")
sbc_tok = sbc_user.set("ann")
sbc_d.getcontext().prec = 6
sbc_d.getcontext().rounding = sbc_d.ROUND_DOWN
# %%
class SbcError(Exception):
    def __init__(self, acct, need):
        super().__init__(f"{acct.owner} lacks {need}")
        self.acct, self.need = acct, need
class SbcAccount:
    def __init__(self): self.owner, self.balance, self.journal = sbc_user.get(), sbc_d.Decimal("0"), []
    def move(self, amt):
        amt = sbc_d.Decimal(amt)
        self.journal.append((sbc_user.get(), amt))
        if self.balance + amt < 0:
            raise SbcError(self, -(self.balance + amt))
        self.balance += amt
sbc_a = SbcAccount()
# %% raises SbcError
sbc_user.set("bob")
sbc_a.move("10.005")
sbc_a.move("-99")
# %%
try:
    try:
        sbc_a.move(-50)
    except SbcError as e:
        raise ValueError("bad transfer") from e
except ValueError as e:
    sbc_exc = e
    e.add_note("seen in cell")
sbc_ctx = sbc_cv.copy_context()
# %%
sbc_grp = ExceptionGroup("many", [sbc_exc, KeyError("k")])
sbc_third = sbc_d.Decimal(1) / 3
# %% check
import decimal
assert sbc_user.get() == "bob" and sbc_ctx[sbc_user] == "bob" and sbc_ctx.run(sbc_user.get) == "bob"
assert sbc_a.owner == "ann" and sbc_a.balance == decimal.Decimal("10.005") and [u for u, _ in sbc_a.journal] == ["bob"] * 3
assert decimal.getcontext().prec == 6 and str(decimal.Decimal(2) / 3) == "0.666666" and str(sbc_third) == "0.333333"
assert sbc_exc.__cause__.acct is sbc_a and sbc_exc.__notes__ == ["seen in cell"] and type(sbc_exc.__cause__) is SbcError
assert sbc_grp.exceptions[0] is sbc_exc and "lacks" in "".join(sbc_tb.format_exception(sbc_exc))
assert sbc_exc.__traceback__ is not None and sbc_exc.__traceback__.tb_frame is not None
sbc_user.reset(sbc_tok)
assert sbc_user.get() == "nobody"
# %% case: sim_turtle_operator_overload
import math as sto_m, copy as sto_c, pickle as sto_p
class StoVec:
    __slots__ = ("x", "y")
    __match_args__ = ("x", "y")
    def __init__(self, x, y): self.x, self.y = x, y
    def __add__(self, o): return StoVec(self.x + o.x, self.y + o.y)
    def __iadd__(self, o): self.x += o.x; self.y += o.y; return self
    def __eq__(self, o): return isinstance(o, StoVec) and (self.x, self.y) == (o.x, o.y)
    def __hash__(self): return hash((self.x, self.y))
    def __matmul__(self, o): return self.x * o.x + self.y * o.y
    def __getattr__(self, n):
        if n == "norm": return sto_m.hypot(self.x, self.y)
        raise AttributeError(n)
sto_pos = StoVec(0, 0)
sto_alias = sto_pos
# %%
sto_visited = {sto_pos + StoVec(0, 0): "home"}
sto_trail = []
def sto_go(*moves):
    global sto_pos
    for m in moves:
        match m:
            case StoVec(0, y): sto_pos += m; sto_trail.append(("v", y))
            case StoVec(x, 0): sto_pos += m; sto_trail.append(("h", x))
            case [a, *rest]: sto_go(a, *rest)
            case _: raise ValueError(m)
sto_go(StoVec(0, 3), [StoVec(4, 0)])
# %% raises ValueError
sto_go(StoVec(1, 0), "north")
# %%
sto_blob = sto_p.dumps({"pos": sto_pos, "again": sto_alias, "f": sto_go, "cls": StoVec})
sto_deep = sto_c.deepcopy([sto_pos, sto_alias])
# %%
class StoDummy:
    def __reduce__(self): return (StoVec, (7, 7))
sto_reduced = StoDummy()
class StoGet:
    def __init__(self): self.k = 1
    def __getstate__(self): return {"k": self.k + 100}
    def __setstate__(self, s): self.__dict__.update(s)
sto_get = StoGet()
# %% check
import pickle
assert sto_alias is sto_pos and (sto_pos.x, sto_pos.y) == (5, 3)
sto_go(StoVec(-1, 0))
assert sto_alias.norm == 5.0 and sto_alias @ StoVec(1, 1) == 7
back = pickle.loads(sto_blob)
assert back["pos"] is back["again"] and back["f"] is sto_go and back["cls"] is StoVec and back["pos"] == StoVec(5, 3)
assert sto_deep[0] is sto_deep[1] and sto_visited[StoVec(0, 0)] == "home"
assert sto_trail == [("v", 3), ("h", 4), ("h", 1), ("h", -1)]
assert type(sto_reduced) is StoDummy, type(sto_reduced)
assert sto_get.k == 1, sto_get.k
# %% case: sim_generators_pipeline [pinned]
def sgp_source():
    n = 0
    while True:
        got = yield n
        n += got or 1
sgp_g = sgp_source()
sgp_vals = [next(sgp_g), sgp_g.send(5)]
# %%
sgp_vals.append(sgp_g.send(10))
# %%
sgp_sum = sum(sgp_vals)
# %% check
assert sgp_sum == 20 and next(sgp_g) == 16
# %% case: sim_customers_that_make_customers
import dataclasses, heapq, random
@dataclasses.dataclass(order=True)
class ScmEvent:
    when: float
    name: str = dataclasses.field(compare=False)
    act: object = dataclasses.field(compare=False)
class ScmShop:
    def __init__(self, seed): self.rng = random.Random(seed); self.queue = []; self.now = 0.0; self.log = []; self.inside = []
    def at(self, after, name, act): heapq.heappush(self.queue, ScmEvent(self.now + after, name, act))
    def step(self):
        event = heapq.heappop(self.queue); self.now = event.when; self.log.append((event.when, event.name)); event.act()
# %%
class ScmCustomer:
    count = 0
    def __init__(self, shop): ScmCustomer.count += 1; self.shop = shop; self.id = ScmCustomer.count
    def arrive(self):
        self.shop.inside.append(self); self.shop.at(self.shop.rng.expovariate(1.0), f"leave {self.id}", self.leave)
        other = ScmCustomer(self.shop); self.shop.at(self.shop.rng.random(), f"arrive {other.id}", other.arrive)
    def leave(self): self.shop.inside.remove(self)
def scm_open(seed):
    ScmCustomer.count = 0; shop = ScmShop(seed); shop.at(0.1, "arrive 1", ScmCustomer(shop).arrive); return shop
scm_shop = scm_open(4)
# %%
def scm_run(n, step=scm_shop.step):
    for _ in range(n): step()
scm_run(7)
# %%
scm_run(10)
# %%
scm_run(8); scm_inside = list(scm_shop.inside); scm_count = ScmCustomer.count
# %% check
scm_again = scm_open(4)
for _scm in range(25): scm_again.step()
assert scm_again.log == scm_shop.log and len(scm_shop.log) == 25 and scm_again.rng.getstate() == scm_shop.rng.getstate()
assert ScmCustomer.count == scm_count and scm_inside == scm_shop.inside and all(it.shop is scm_shop for it in scm_inside)
assert all(event.act.__self__.shop is scm_shop for event in scm_shop.queue) and scm_run.__defaults__[0].__self__ is scm_shop
