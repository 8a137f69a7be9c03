# Longer notebooks: load, clean, plot, fit, look again, with helpers and objects that point at one another.
# %% case: exp_sales_notebook
import numpy as np, pandas as pd, io
exs_csv = """day,shop,units,price
2024-01-01,A,3,2.5
2024-01-01,B,,2.0
2024-01-02,A,5,2.5
2024-01-02,B,4,
2024-01-03,A,1,3.0
"""
exs_raw = pd.read_csv(io.StringIO(exs_csv), parse_dates=['day'])
exs_log = []
def exs_step(fn):
    def run(df, *a, **k):
        out = fn(df, *a, **k); exs_log.append((fn.__name__, len(df), len(out))); return out
    return run
@exs_step
def exs_clean(df): return df.dropna(subset=['units']).assign(price=lambda d: d.price.ffill(), units=lambda d: d.units.astype(int))
# %%
exs_df = exs_raw.pipe(exs_clean)
exs_df['revenue'] = exs_df.units * exs_df.price
exs_by = exs_df.groupby('shop', observed=True)
# %% raises KeyError
exs_log.append('trying')
exs_bad = exs_df['profit'].mean()
# %%
@exs_step
def exs_clean(df): return df.fillna({'units': 0})
exs_df2 = exs_raw.pipe(exs_clean)
exs_summary = {n: g.revenue.sum() for n, g in exs_by}
# %% check
assert exs_log == [('exs_clean', 5, 4), 'trying', ('exs_clean', 5, 5)] and 'exs_bad' not in globals()
assert exs_summary == {'A': 23.0, 'B': 10.0} == exs_by.revenue.sum().to_dict() and exs_by.obj is exs_df and exs_df.units.dtype == int and exs_df2.units.tolist() == [3, 0, 5, 4, 1]
exs_raw.pipe(exs_clean)
assert len(exs_log) == 4 and exs_df.day.dtype.kind == 'M' and exs_raw.units.isna().sum() == 1
# %% case: exp_figure_kept_and_extended
import matplotlib.pyplot as plt, numpy as np
efk_x = np.linspace(0, 1, 5)
efk_fig, (efk_a, efk_b) = plt.subplots(1, 2, sharex=True)
efk_line, = efk_a.plot(efk_x, efk_x ** 2, 'r--', label='sq')
efk_art = {'line': efk_line, 'sc': efk_b.scatter([0, 1], [2, 3], c=[0.0, 1.0])}
plt.close(efk_fig)
# %%
efk_line.set_ydata(efk_x ** 3); efk_a.set_title('cubes'); efk_b.axhline(2.5)
efk_a.set_xlim(0, 2)
# %% check
assert efk_fig.axes == [efk_a, efk_b] and efk_a.lines[0] is efk_line is efk_art['line'] and efk_line.axes is efk_a and efk_line.get_ydata()[1] == 0.25 ** 3 and efk_a.figure is efk_fig
assert efk_b.get_xlim() == (0, 2) and efk_a.get_title() == 'cubes' and efk_b.collections[0] is efk_art['sc'] and efk_line.get_color() == 'r'
efk_a.set_xlim(0, 3); efk_line.set_label('renamed'); efk_a.legend()
assert efk_b.get_xlim() == (0, 3) and efk_a.get_legend().get_texts()[0].get_text() == 'renamed'
import io as efk_io
efk_out = efk_io.BytesIO(); efk_fig.savefig(efk_out, format='png', dpi=30); assert len(efk_out.getvalue()) > 500
# %% case: exp_pyplot_state_and_rc [alone]
import matplotlib as mpl, matplotlib.pyplot as plt
get_ipython().run_line_magic('matplotlib', 'agg')
mpl.rcParams['lines.linewidth'] = 4.5
eps_f1, eps_f2 = plt.figure(7), plt.figure('named')
plt.figure(7); eps_ax = plt.gca(); plt.plot([1, 2], [3, 4])
# %%
plt.title('on seven')
eps_style = dict(mpl.rcParams)['lines.linewidth']
# %% check
assert plt.get_fignums() == [7, 8] and plt.gcf() is eps_f1 and plt.gca() is eps_ax and eps_ax.get_title() == 'on seven' and plt.figure('named') is eps_f2
assert mpl.rcParams['lines.linewidth'] == 4.5 == eps_style and eps_ax.lines[0].get_linewidth() == 4.5 and mpl.get_backend().lower() == 'agg'
# %% case: exp_experiment_tracker
import dataclasses, collections, functools, numpy as np, time
@dataclasses.dataclass
class ExtRun:
    params: dict
    scores: list = dataclasses.field(default_factory=list)
    model: object = None
    @property
    def best(self): return max(self.scores, default=None)
class ExtTracker:
    def __init__(self): self.runs, self.by, self.hooks, self._best = [], collections.defaultdict(list), [], None
    def start(self, **p):
        r = ExtRun(p); self.runs.append(r); self.by[p['kind']].append(r); return r
    def log(self, r, s):
        r.scores.append(s)
        self._best = max(self.runs, key=lambda x: x.best if x.best is not None else -1)
        for h in self.hooks: h(r, s)
ext_t = ExtTracker(); ext_seen = []
ext_t.hooks += [lambda r, s: ext_seen.append((r, s)), functools.partial(print, end='', file=__import__('io').StringIO())]
ext_rng = np.random.default_rng(0)
# %%
for ext_kind in ('ridge', 'tree'):
    ext_r = ext_t.start(kind=ext_kind, seed=int(ext_rng.integers(100)))
    for _ext in range(2): ext_t.log(ext_r, round(float(ext_rng.random()), 3))
# %%
@dataclasses.dataclass
class ExtRun(ExtRun):
    note: str = ''
ext_last = ext_t.start(kind='tree'); ext_last.model = ext_t.runs[0]
# %% check
ext_t.log(ext_last, 2.0)
assert ext_t._best is ext_last is ext_t.by['tree'][1] and type(ext_last) is ExtRun and type(ext_last) is not type(ext_t.runs[0]) and ext_last.model is ext_t.runs[0] is ext_t.by['ridge'][0]
assert len(ext_seen) == 5 and ext_seen[0][0] is ext_t.runs[0] and ext_seen[3][0] is ext_r and isinstance(ext_last, type(ext_r)) and ext_t.by['none'] == []
ext_c = np.random.default_rng(0)
for _ext in range(2): ext_c.integers(100); ext_c.random(); ext_c.random()
assert ext_rng.random() == ext_c.random()
# %% case: exp_history_and_outputs [alone]
exh_x = 6
exh_x * 7
# %%
exh_prev = _
[exh_prev, 'list']
# %%
exh_same = _
exh_hist = [s for s in In if 'exh_x * 7' in s]
# %% check
assert exh_prev == 42 and exh_same == [42, 'list'] and 42 in Out.values() and any(v is exh_same for v in Out.values()) and len(exh_hist) >= 1
assert In is get_ipython().user_ns['In'] is _ih and Out is _oh and globals() is get_ipython().user_ns
# %% case: exp_ipython_customised [alone]
from IPython.core.magic import register_line_magic, register_cell_magic
eic_log = []
@register_line_magic
def eic_note(line): eic_log.append(line); return len(eic_log)
@register_cell_magic
def eic_eval(line, cell): return eval(cell.strip(), globals())
class EicMoney:
    def __init__(self, v): self.v = v
get_ipython().display_formatter.formatters['text/html'].for_type(EicMoney, lambda m: f'<b>{m.v}</b>')
# %%
%eic_note first
eic_n = %eic_note second
eic_alias = get_ipython().ast_node_interactivity
get_ipython().ast_node_interactivity = 'none'
# %% check
eic_last = get_ipython().run_line_magic('eic_note', 'third')
assert eic_n == 2 and eic_last == 3 and eic_log == ['first', 'second', 'third'] and get_ipython().run_cell_magic('eic_eval', '', 'eic_n + 1') == 3
assert get_ipython().display_formatter.format(EicMoney(3))[0]['text/html'] == '<b>3</b>' and get_ipython().ast_node_interactivity == 'none' and eic_alias == 'last_expr'
# %% case: exp_simulation_with_callbacks
import heapq, itertools, random, collections
class EscSim:
    def __init__(self, seed):
        self.now, self.queue, self.ids, self.rng = 0.0, [], itertools.count(), random.Random(seed)
        self.trace = collections.deque(maxlen=3)
    def at(self, dt, fn, *a): heapq.heappush(self.queue, (self.now + dt, next(self.ids), fn, a))
    def run(self, n):
        for _ in range(n):
            self.now, i, fn, a = heapq.heappop(self.queue)
            self.trace.append((round(self.now, 6), i)); fn(*a)
def esc_build():
    sim = EscSim(3); state = {'n': 0, 'busy': set()}
    def arrive(who):
        state['n'] += 1; state['busy'].add(who)
        sim.at(sim.rng.expovariate(1.0), arrive, who); sim.at(0.1, leave, who)
    def leave(who): state['busy'].discard(who)
    for w in 'ab': sim.at(sim.rng.random(), arrive, w)
    return sim, state
esc_sim, esc_state = esc_build()
# %%
esc_sim.run(7)
# %% check
esc_sim.run(9)
esc_s2, esc_st2 = esc_build(); esc_s2.run(16)
assert esc_sim.trace == esc_s2.trace and esc_sim.trace.maxlen == 3 and esc_state == esc_st2 and esc_sim.now == esc_s2.now and next(esc_sim.ids) == next(esc_s2.ids) and esc_sim.rng.random() == esc_s2.rng.random()
# %% case: exp_fit_compare_and_monkeypatch [alone]
import numpy as np, json, math
from sklearn.linear_model import LinearRegression
from scipy import optimize
LinearRegression.r2_text = lambda self, X, y: f'{self.score(X, y):.2f}'
json.JSONEncoder.default = lambda self, o: o.tolist() if isinstance(o, np.ndarray) else repr(o)
math.golden = (1 + 5 ** .5) / 2
efc_X = np.arange(6.)[:, None]; efc_m = LinearRegression().fit(efc_X, efc_X.ravel() * 2 + 1)
# %%
efc_res = optimize.minimize(lambda p: ((efc_X.ravel() * p[0] + p[1] - efc_m.predict(efc_X)) ** 2).sum(), [0, 0])
efc_res.model = efc_m
efc_json = json.dumps({'x': np.arange(2)})
# %% check
assert efc_m.r2_text(efc_X, efc_X.ravel() * 2 + 1) == '1.00' and LinearRegression.r2_text is type(efc_m).r2_text and json.dumps({'x': np.arange(2)}) == efc_json == '{"x": [0, 1]}'
assert round(math.golden, 3) == 1.618 and efc_res.model is efc_m and efc_res['x'] is efc_res.x and np.allclose(efc_res.x, [2, 1], atol=1e-3) and efc_res.success
