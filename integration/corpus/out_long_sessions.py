# Long notebooks of 12 to 20 cells that mix everything: cleaning, plotting, simulation, NLP, OOP teaching, experiment tracking, a game.
# %% case: lng_data_cleaning [alone]
import pandas as pd, numpy as np, io, re
from pathlib import Path
pd.set_option("display.max_columns", 7)
# %%
%%writefile lng_raw.csv
id;name;city;price;when
1; Ann ;paris;"1.200,50";2024-01-03
2;Bob;PARIS;n/a;2024-01-04
2;Bob;PARIS;n/a;2024-01-04
3;Çelik;rome;"30,00";03/02/2024
4;;Rome ;"7";
# %%
raw = pd.read_csv("lng_raw.csv", sep=";", dtype=str, keep_default_na=True)
raw
# %%
def parse_price(s, _num=re.compile(r"[\d.]*\d(?:,\d+)?")):
    stats["calls"] += 1
    if not isinstance(s, str) or not _num.fullmatch(s): return np.nan
    return float(s.replace(".", "").replace(",", "."))
stats = {"calls": 0}
# %%
df = raw.drop_duplicates().copy()
df["price"] = df["price"].map(parse_price)
df.columns = df.columns.str.strip()
# %%
df["city"] = df["city"].str.strip().str.title().astype("category")
cities = df["city"].cat.categories
# %% raises KeyError
df["prise"].mean()
# %%
df["when"] = pd.to_datetime(df["when"], format="mixed", dayfirst=True)
df = df.set_index("id").sort_index()
view = df[["name", "price"]]
# %%
class Cleaner:
    steps = []
    def __init__(self, df): self.df = df
    def step(self, f): self.steps.append(f.__name__); self.df = f(self.df); return self
def fill(d): return d.assign(name=d["name"].str.strip().fillna("?"))
clean = Cleaner(df).step(fill)
# %%
clean.step(lambda d: d.dropna(subset=["price"]))
grouped = clean.df.groupby("city", observed=True)["price"]
# %%
summary = grouped.agg(["sum", "count"]); summary
# %%
_.loc["Total"] = _.sum()
Path("lng_summary.json").write_text(summary.to_json())
# %%
df.attrs["source"] = {"file": "lng_raw.csv", "cleaner": "v1"}
df.flags.allows_duplicate_labels = False
# %% check
assert stats == {"calls": 4} and parse_price("1.200,50") == 1200.5 and stats["calls"] == 5
assert Out[11] is summary and list(summary.index) == ["Paris", "Rome", "Total"], summary
assert summary.loc["Total", "sum"] == 1237.5 and summary.loc["Rome", "count"] == 2
assert Cleaner.steps == ["fill", "<lambda>"] and clean.df is not df and list(clean.df["name"]) == ["Ann", "Çelik", "?"]
assert list(cities) == ["Paris", "Rome"] and df["city"].dtype.categories.equals(cities) and str(df["when"].dtype).startswith("datetime64")
assert pd.isna(df.loc["4", "when"]) and df.loc["3", "when"].month == 2 and df.index.name == "id"
assert df.attrs["source"]["cleaner"] == "v1" and df.flags.allows_duplicate_labels is False and pd.get_option("display.max_columns") == 7
assert len(raw) == 5 and _3 is raw and grouped.get_group("Rome").tolist() == [30.0, 7.0] and In[7] == 'df["prise"].mean()'
df.loc["1", "price"] = 5.0; assert view.loc["1", "price"] == 1200.5
# %% case: lng_plotting_report [alone]
import matplotlib; matplotlib.use("Agg")
import matplotlib.pyplot as plt, numpy as np
plt.rcParams.update({"figure.figsize": (4, 3), "axes.grid": True})
# %%
rng = np.random.default_rng(42)
data = {k: rng.normal(i, 1, 50).cumsum() for i, k in enumerate(["alpha", "beta"])}
# %%
palette = iter(plt.get_cmap("tab10").colors)
colors = {k: next(palette) for k in data}
# %%
fig, axes = plt.subplots(1, 2, num="report")
lines = {k: ax.plot(v, color=colors[k])[0] for ax, (k, v) in zip(axes, data.items())}
# %%
def decorate(ax, title, *, _done=set()):
    ax.set_title(title); _done.add(id(ax)); return len(_done)
n_dec = [decorate(ax, k) for ax, k in zip(axes, data)]
# %%
data["gamma"] = rng.uniform(size=5)
axes[1].plot(data["gamma"], color=next(palette), label="gamma")
# %%
from matplotlib.ticker import FuncFormatter
unit = "kg"
axes[0].yaxis.set_major_formatter(FuncFormatter(lambda v, pos: f"{v:.0f}{unit}"))
# %%
hist, edges = np.histogram(data["alpha"], bins=5); hist
# %%
plt.figure("extra"); plt.hist(data["beta"], bins=3)
# %%
plt.figure("report"); plt.sca(axes[0]); plt.axhline(0, ls="--")
# %%
saved = []
def save(name):
    plt.savefig(name, dpi=40); saved.append(name); return plt.gcf()
same = save("lng_report.png")
# %%
lines["alpha"].set_linewidth(4); unit = "t"
# %%
left, = [next(palette)]
# %% check
import os, io
assert same is fig is plt.gcf() and plt.gca() is axes[0] and plt.get_figlabels() == ["report", "extra"]
assert lines["alpha"] is axes[0].lines[0] and lines["alpha"].get_linewidth() == 4 and len(axes[0].lines) == 2 and axes[1].lines[1].get_label() == "gamma"
assert axes[0].yaxis.get_major_formatter()(3, 0) == "3t" and lines["beta"].get_color() == colors["beta"]
assert n_dec == [1, 2] and decorate.__kwdefaults__["_done"] and decorate(axes[0], "again") in (2, 3)
tab = plt.get_cmap("tab10").colors; assert left == tab[3] and next(palette) == tab[4]
r2 = np.random.default_rng(42); [r2.normal(i, 1, 50) for i in range(2)]; assert (r2.uniform(size=5) == data["gamma"]).all() and r2.random() == rng.random()
assert os.path.getsize("lng_report.png") > 500 and saved == ["lng_report.png"] and _8 is hist and plt.rcParams["axes.grid"]
b = io.BytesIO(); fig.savefig(b, dpi=30); plt.close("all"); assert plt.get_fignums() == []
# %% case: lng_simulation [alone]
import random, heapq, itertools, collections, math, decimal
random.seed("simulation")
# %%
Event = collections.namedtuple("Event", "time seq kind who")
seq = itertools.count()
agenda, trace = [], collections.deque(maxlen=6)
# %%
class Customer:
    pop = {}
    ids = itertools.count(100)
    def __init__(self): self.id = next(self.ids); self.waits = []; Customer.pop[self.id] = self
    def __lt__(self, o): return self.id < o.id
    def __repr__(self): return f"C{self.id}"
# %%
def schedule(dt, kind, who=None): heapq.heappush(agenda, Event(clock + dt, next(seq), kind, who))
clock = 0.0
# %%
for _k in range(4): schedule(random.expovariate(1), "arrive", Customer())
# %%
def step():
    global clock
    ev = heapq.heappop(agenda); clock = ev.time; trace.append(ev)
    HANDLERS[ev.kind](ev)
    return ev
HANDLERS = collections.defaultdict(lambda: lambda ev: unknown.append(ev)); unknown = []
# %%
def on_arrive(ev):
    ev.who.waits.append(random.gauss(1, 0.1)); schedule(ev.who.waits[-1] ** 2, "leave", ev.who)
HANDLERS["arrive"] = on_arrive
HANDLERS["leave"] = lambda ev: Customer.pop.pop(ev.who.id)
# %%
first = step(); step()
# %%
vip = first.who; vip.vip = True
schedule(0, "audit")
# %%
step()
# %%
snapshot = (random.getstate(), clock, list(agenda), next(itertools.tee(seq)[0]))
# %%
decimal.getcontext().prec = 6
price = sum(decimal.Decimal(str(round(w, 3))) for w in vip.waits) / 7
# %% raises KeyError
HANDLERS = dict(HANDLERS); schedule(-1, "boom"); step()
# %%
tail = list(trace)[-1]
# %% check
assert tail.kind == "boom" and HANDLERS["arrive"] is on_arrive and type(HANDLERS) is dict and "audit" in HANDLERS
assert unknown and unknown[0].kind == "audit" and unknown[0] in trace and trace.maxlen == 6 and list(trace)[0] is first
assert Customer.pop[vip.id] is vip and vip.vip and any(e.who is vip for e in agenda if e.kind == "leave")
assert next(Customer.ids) == 104 and next(seq) == snapshot[3] + 2 and random.getstate() == snapshot[0]
q = random.Random(); q.setstate(snapshot[0]); assert q.gauss(0, 1) == random.gauss(0, 1) and q.random() == random.random()
assert agenda[0] == min(agenda) and all(isinstance(e, Event) for e in agenda) and len(str(price)) <= 8 and str(decimal.Decimal(1) / 3) == "0.333333"
HANDLERS["leave"](next(e for e in agenda if e.who is vip)); assert vip.id not in Customer.pop
# %% case: lng_nlp_regex [alone]
import re, collections, string, unicodedata, functools, textwrap
TEXT = """Dr. Smith's e-mail (smith@example.org) arrived on 2024-03-05. “Naïve” approaches—they're fine! Visit https://ex.am/ple?q=1.
""" * 30
# %%
TOKEN = re.compile(r"""(?P<url>https?://\S+)|(?P<mail>[\w.]+@[\w.]+)|(?P<date>\d{4}-\d\d-\d\d)|(?P<word>\w+(?:[-'’]\w+)*)|(?P<punct>[^\w\s])""", re.X)
# %%
class Token(str):
    __slots__ = ("kind", "pos")
    def __new__(cls, m): self = super().__new__(cls, m.group()); self.kind = m.lastgroup; self.pos = m.start(); return self
# %%
tokens = [Token(m) for m in TOKEN.finditer(TEXT)]
tokens[:3]
# %%
@functools.lru_cache(maxsize=None)
def norm(w): return unicodedata.normalize("NFKD", w).encode("ascii", "ignore").decode().lower()
counts = collections.Counter(norm(t) for t in tokens if t.kind == "word")
# %%
index = collections.defaultdict(lambda: collections.defaultdict(list))
for t in tokens: index[t.kind][str(t)].append(t)
# %%
stop = frozenset("s on they re".split()); vocab = {w: i for i, w in enumerate(sorted(set(counts) - stop))}
# %%
trie = {}
for w in vocab:
    node = trie
    for ch in w: node = node.setdefault(ch, {})
    node["$"] = vocab[w]
# %%
def repl(m, _memo={}): return _memo.setdefault(m.group(), f"<{m.lastgroup}:{len(_memo)}>")
masked = TOKEN.sub(lambda m: repl(m) if m.lastgroup in ("url", "mail", "date") else m.group(), TEXT)
# %%
bigrams = collections.Counter(zip(tokens, tokens[1:])); top = bigrams.most_common(1)[0][0]
# %%
import sys
interned = sys.intern("smith's-special"); keep = {interned: 1}
table = str.maketrans({c: None for c in string.punctuation}); "it's ok".translate(table)
# %%
counts["smith's"] += 5; counts.subtract({"naive": 100})
# %%
%reset_selective -f ^(node|ch|w|t)$
# %% check
assert TOKEN.groupindex["mail"] == 2 and tokens[0].kind == "word" and type(tokens[0]) is Token and not hasattr(tokens[0], "__dict__")
assert all(any(t is u for u in index[t.kind][str(t)]) for t in tokens[:20]) and Out[4][0] is tokens[0] and index["nope"]["x"] == []
assert norm.cache_info().currsize == len({str(t) for t in tokens if t.kind == "word"}) and norm.cache_info().hits == 29 * norm.cache_info().currsize
assert counts["smith's"] == 35 and counts["naive"] == -70 and vocab["naive"] == sorted(vocab).index("naive") and trie["n"]["a"]["i"]["v"]["e"]["$"] == vocab["naive"]
assert repl.__defaults__[0] == {"smith@example.org": "<mail:0>", "2024-03-05": "<date:1>", "https://ex.am/ple?q=1.": "<url:2>"} and masked.count("<date:1>") == 30
assert any(top[0] is t for t in tokens) and bigrams[top] == 30 and Out[11] == "its ok" and keep[sys.intern("smith's-special")] == 1
assert not {"node", "ch", "w", "t"} & set(globals()) and "TEXT" in globals()
# %% case: lng_teaching_oop [alone]
class Animal:
    count = 0
    def __init__(self, name): self.name = name; Animal.count += 1
    def speak(self): raise NotImplementedError
    def __repr__(self): return f"{type(self).__name__}({self.name!r})"
# %%
class Dog(Animal):
    def speak(self): return "Woof"
rex = Dog("Rex"); rex
# %% raises NotImplementedError
Animal("generic").speak()
# %%
class Loud:
    def speak(self): return super().speak().upper() + "!"
class LoudDog(Loud, Dog): pass
max_ = LoudDog("Max"); max_.speak()
# %%
def rename(self, new): self.name, old = new, self.name; return old
Animal.rename = rename
rex.rename("Rexy")
# %%
class Dog(Animal):
    "Second version, as the lesson goes on."
    def __init__(self, name, age=1): super().__init__(name); self._age = age
    @property
    def age(self): return self._age
    @age.setter
    def age(self, v):
        if v < 0: raise ValueError("age")
        self._age = v
    def speak(self): return "Wuff"
# %%
bello = Dog("Bello", 3); bello.age += 1
# %% raises ValueError
bello.age = -1
# %%
pack = {rex: "old", bello: "new", max_: "loud"}
# %%
class Pack(list):
    def __getattr__(self, attr): return Pack(getattr(a, attr) for a in self)
    def __call__(self, *a): return Pack(f(*a) for f in self)
dogs = Pack(pack); dogs.leader = rex
# %%
import abc
class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...
Shape.register(type(rex))
# %% raises TypeError
Shape()
# %%
rex.__class__ = Dog; rex._age = 12
bello.speak = lambda: "special"
# %% check
OldDog = LoudDog.__mro__[2]
assert Animal.count == 4 and rex.age == 12 and type(rex) is Dog and OldDog is not Dog and OldDog.__name__ == "Dog"
assert isinstance(max_, OldDog) and not isinstance(max_, Dog) and max_.speak() == "WOOF!" and rex.speak() == "Wuff"
assert bello.speak() == "special" and bello.age == 4 and Animal.rename is rename and max_.rename("M") == "Max"
assert dogs.speak() == ["Wuff", "special", "WOOF!"] and dogs.leader is dogs[0] is rex is Out[2] and list(pack)[0] is rex and pack[rex] == "old"
assert issubclass(OldDog, Shape) and not issubclass(Dog, Shape) and type(dogs) is Pack
assert [c.__doc__ for c in Animal.__subclasses__()] == [None, "Second version, as the lesson goes on."] and Out[4] == "WOOF!" and Out[5] == "Rex"
# %% case: lng_ml_tracking [alone]
import numpy as np, json, time, copy, hashlib
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import ParameterGrid, KFold
np.random.seed(0)
# %%
X = np.random.randn(120, 4); w_true = np.array([1, -2, 0, 0.5]); y = (X @ w_true > 0).astype(int)
# %%
runs = {}; current = None; best = {"score": -1}
class Run:
    def __init__(self, **params): self.params = params; self.history = []; self.key = hashlib.md5(json.dumps(params, sort_keys=True).encode()).hexdigest()[:8]
    def __enter__(self):
        global current
        self.prev, current = current, self; runs[self.key] = self; return self
    def __exit__(self, *exc):
        global current
        current = self.prev; self.failed = exc[0]; return exc[0] is FloatingPointError
# %%
grid = ParameterGrid({"alpha": [1e-4, 1e-2], "lr": ["optimal", "constant"]}); kf = KFold(3, shuffle=True, random_state=np.random.RandomState(3))
# %%
for p in grid:
    with Run(**p) as run:
        m = SGDClassifier(alpha=p["alpha"], learning_rate=p["lr"], eta0=0.1, random_state=1, max_iter=20, tol=None).fit(X, y)
        run.model = m; run.history.append(m.score(X, y))
        if run.history[-1] > best["score"]: best = {"score": run.history[-1], "run": run}
# %%
with Run(bad=True) as broken: raise FloatingPointError
# %%
best["run"].model.coef_[0, 2] = 0; champion = best["run"].model
# %%
split0 = next(kf.split(X)); folds = kf.split(X); del folds
# %%
outer = Run(outer=1); outer.__enter__()
# %%
champion.partial_fit(X[:10], y[:10]); coef_ref = champion.coef_
# %%
board = sorted(runs.values(), key=lambda r: -max(r.history, default=-1)); board[0] is best["run"]
# %%
noise = np.random.randn(3); backup = copy.deepcopy(best)
# %% check
assert current is outer and runs[outer.key] is outer and outer.prev is None and broken.failed is FloatingPointError and runs[broken.key] is broken
assert len(runs) == 6 and champion is best["run"].model is board[0].model and coef_ref is champion.coef_ and Out[11] is True and list(board[-1].history) == []
assert backup["run"] is not best["run"] and (backup["run"].model.coef_ == coef_ref).all() and backup["run"].params == best["run"].params
r = np.random.RandomState(0); assert (r.randn(120, 4) == X).all(); r.randn(3); assert r.randn() == np.random.randn()
q = np.random.RandomState(3); s = next(KFold(3, shuffle=True, random_state=q).split(X)); assert (s[0] == split0[0]).all() and (next(kf.split(X))[1] == next(KFold(3, shuffle=True, random_state=q).split(X))[1]).all()
t0 = champion.t_; champion.partial_fit(X[:10], y[:10]); assert champion.t_ == t0 + 10 and run is list(runs.values())[3] and m is run.model
outer.__exit__(None, None, None); assert current is None
# %% case: lng_game_state_machine [alone]
import enum, random, functools, types, dataclasses as dc
class S(enum.Enum):
    IDLE = enum.auto(); PLAY = enum.auto(); OVER = enum.auto()
    @property
    def label(self): return self.name.title()
# %%
T = {}
def on(src, ev):
    def d(f): T[src, ev] = f; return f
    return d
# %%
@dc.dataclass(eq=False)
class Player:
    name: str
    hand: list = dc.field(default_factory=list)
    foe: "Player" = dc.field(default=None, repr=False)
# %%
rng = random.Random(1234); deck = [(s, r) for s in "SH" for r in range(1, 8)]; rng.shuffle(deck)
a, b = Player("a"), Player("b"); a.foe, b.foe = b, a
# %%
class Game:
    def __init__(self, *ps): self.players = list(ps); self.state = S.IDLE; self.log = []; self.turn = iter(())
    def fire(self, ev, *args):
        h = T.get((self.state, ev)) or T.get((None, ev))
        if h is None: raise RuntimeError(f"{ev} in {self.state.label}")
        self.log.append((self.state, ev)); self.state = h(self, *args) or self.state; return self
game = Game(a, b)
# %%
@on(S.IDLE, "deal")
def deal(g, n):
    for p in g.players: p.hand += [deck.pop() for _ in range(n)]
    return S.PLAY
@on(None, "quit")
def quit_game(g): return S.OVER
# %% raises RuntimeError
game.fire("draw")
# %%
game.fire("deal", 3)
# %%
Game.draw = functools.partialmethod(Game.fire, "draw")
@on(S.PLAY, "draw")
def draw(g, p): p.hand.append(deck.pop(rng.randrange(len(deck))))
game.draw(a)
# %%
undo = [types.SimpleNamespace(deck=list(deck), hands={p: list(p.hand) for p in game.players}, rng=rng.getstate())]
# %%
game.draw(b).draw(b); a.hand.sort(); before = list(b.hand)
# %%
u = undo.pop(); deck[:] = u.deck
for p, h in u.hands.items(): p.hand[:] = h
rng.setstate(u.rng)
# %%
game.draw(b)
# %%
watch = a.foe.hand; game.fire("quit")
# %% check
assert game.state is S.OVER and game.state.label == "Over" and game.log == [(S.IDLE, "deal")] + [(S.PLAY, "draw")] * 4 + [(S.PLAY, "quit")]
assert game.players[0] is a and a.foe is b and b.foe is a and watch is b.hand and T[None, "quit"] is quit_game and T[S.PLAY, "draw"] is draw
assert len(b.hand) == 4 and before[3] == b.hand[3] and len(deck) + len(a.hand) + len(b.hand) == 14 and set(deck) | set(a.hand) | set(b.hand) == {(s, r) for s in "SH" for r in range(1, 8)}
q = random.Random(); q.setstate(u.rng); q.randrange(8 - 1); assert q.getstate() == rng.getstate() and Out[8] is game and next(iter(u.hands)) is a
assert all(k is a or k is b for k in u.hands) and undo == [] and vars(Game)["draw"].func is Game.fire
game.state = S(2); assert game.draw(a) is game and len(a.hand) == 5 and next(game.turn, "none") == "none"
# %% case: lng_bank_with_modules_and_logging [alone]
import logging, sys, os, importlib, io
os.makedirs("lngbank", exist_ok=True); sys.path.insert(0, os.getcwd())
# %%
%%writefile lngbank/__init__.py
from .core import Account, ledger
from . import rules
# %%
%%writefile lngbank/core.py
import logging
log = logging.getLogger(__name__)
ledger = []
class Account:
    _next = 1
    def __init__(self, owner):
        self.owner, self.balance, self.no = owner, 0, Account._next
        Account._next += 1
    def move(self, amount):
        from .rules import check
        check(self, amount)
        self.balance += amount
        ledger.append((self, amount))
        log.info("%s %+d", self.owner, amount)
        return self
# %%
%%writefile lngbank/rules.py
LIMIT = 100
class RuleError(Exception): pass
def check(acc, amount):
    if abs(amount) > LIMIT: raise RuleError(acc.no, amount)
# %%
import lngbank
from lngbank import Account, ledger as book
ann, bob = Account("ann"), Account("bob")
# %%
buf = io.StringIO(); h = logging.StreamHandler(buf); h.setFormatter(logging.Formatter("%(name)s: %(message)s"))
logging.getLogger("lngbank").addHandler(h); logging.getLogger("lngbank").setLevel("INFO")
# %%
ann.move(50); bob.move(-20);
# %% raises RuleError
bob.move(1000)
# %%
lngbank.rules.LIMIT = 5000
bob.move(1000)
# %%
%%writefile lngbank/rules.py
LIMIT = 10
FEES = {}
class RuleError(Exception): pass
def check(acc, amount):
    FEES[acc] = FEES.get(acc, 0) + 1
    if abs(amount) > LIMIT: raise RuleError(acc.no, amount)
# %%
old_error = lngbank.rules.RuleError; old_check = lngbank.rules.check
importlib.reload(lngbank.rules); lngbank.rules.LIMIT
# %%
try: ann.move(11)
except lngbank.rules.RuleError as e: failure = e
# %%
class Premium(Account):
    def move(self, amount): return super().move(min(amount, 10))
vip = Premium("vip").move(500)
# %%
logging.getLogger("lngbank.core").disabled = True; ann.move(1)
# %% check
import lngbank.core
assert book is lngbank.ledger is lngbank.core.ledger and [(x.owner, n) for x, n in book] == [("ann", 50), ("bob", -20), ("bob", 1000), ("vip", 10), ("ann", 1)]
assert book[0][0] is ann and type(vip) is Premium and vip.no == 3 and Account._next == 4 and "_next" not in vars(Premium)
assert buf.getvalue() == "lngbank.core: ann +50\nlngbank.core: bob -20\nlngbank.core: bob +1000\nlngbank.core: vip +10\n"
assert type(failure) is lngbank.rules.RuleError is not old_error and failure.args == (1, 11) and lngbank.rules.FEES == {ann: 2, vip: 1} and Out[11] == 10
assert old_check.__globals__ is vars(lngbank.rules) and sys.path[0] == os.getcwd() and lngbank.core.log.disabled and sys.last_type is old_error
try:
    old_check(ann, 11)
except lngbank.rules.RuleError:
    pass
lngbank.core.log.disabled = False; bob.move(2); assert buf.getvalue().endswith("bob +2\n")
# %% case: lng_torch_training [alone]
import torch, torch.nn as nn, collections
torch.manual_seed(0); torch.set_num_threads(1)
# %%
from torch.utils.data import DataLoader, TensorDataset
xs = torch.randn(32, 3); ys = xs.sum(1, keepdim=True); ds = TensorDataset(xs, ys)
gen = torch.Generator().manual_seed(7); dl = DataLoader(ds, batch_size=8, shuffle=True, generator=gen)
# %%
class Net(nn.Module):
    def __init__(self):
        super().__init__(); self.a = nn.Linear(3, 3); self.b = nn.Linear(3, 3); self.b.weight = self.a.weight; self.drop = nn.Dropout(0.5); self.out = nn.Linear(3, 1); self.calls = 0
    def forward(self, x): self.calls += 1; return self.out(self.drop(torch.relu(self.b(self.a(x)))))
net = Net(); opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
# %%
hist = collections.defaultdict(list)
def epoch():
    for xb, yb in dl:
        opt.zero_grad(); loss = nn.functional.mse_loss(net(xb), yb); loss.backward(); opt.step(); hist["loss"].append(loss.item())
    return sum(hist["loss"][-4:])
# %%
e1 = epoch()
# %%
grads = {}
def hook(name): return lambda g: grads.__setitem__(name, g.norm().item())
handles = [p.register_hook(hook(n)) for n, p in net.named_parameters()]
# %%
e2 = epoch(); ckpt = {k: v.clone() for k, v in net.state_dict().items()}
# %%
net.eval(); frozen = net.out.weight; frozen.requires_grad_(False)
# %%
for g in opt.param_groups: g["lr"] *= 0.1
best_w = net.a.weight
# %%
with torch.no_grad(): pred = net(xs[:2]); xs[0, 0] = 99.0
# %%
net.train(); leaf = torch.ones(2, requires_grad=True); leaf.grad = torch.zeros(2); leaf_grad = leaf.grad
# %%
dl_it_first = next(iter(dl))[0]; torch.save(net.state_dict(), "lng_net.pt")
# %% check
assert net.b.weight is net.a.weight is best_w is opt.param_groups[0]["params"][0] and len(opt.param_groups[0]["params"]) == 5 and net.calls == 9 and net.training
assert ds.tensors[0] is xs and ds[0][0][0] == 99.0 and dl.dataset is ds and dl.generator is gen and opt.param_groups[0]["lr"] == 0.05 * 0.1
assert set(grads) == {n for n, _p in net.named_parameters()} and net.out.weight is frozen and not frozen.requires_grad and "momentum_buffer" in opt.state[best_w]
g2 = torch.Generator(); g2.set_state(gen.get_state()); r2 = torch.Generator(); r2.set_state(torch.get_rng_state())
mask = torch.rand(3, generator=r2); assert torch.equal(torch.rand(3), mask) and all(torch.equal(ckpt[k], v) for k, v in net.state_dict().items())
old = grads["a.weight"]; n = len(hist["loss"]); e3 = epoch(); assert grads["a.weight"] != old and len(hist["loss"]) == n + 4 == 12
(leaf * 3).sum().backward(); assert leaf.grad.tolist() == [3.0, 3.0] and leaf.grad is leaf_grad
handles[0].remove(); assert torch.equal(torch.load("lng_net.pt")["a.weight"], ckpt["a.weight"]) and not torch.equal(best_w, ckpt["a.weight"])
