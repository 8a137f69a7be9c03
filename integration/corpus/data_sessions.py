# Exploratory data work: pandas cleaning, numpy structures, sklearn and torch in mid-course, figures held by helpers.
# %% case: dat_pandas_cleaning_session
import pandas as pd, numpy as np
dpc_raw = pd.DataFrame({"name": [" Ann", "bob ", None, "Dan"], "age": ["31", "x", "45", None], "city": ["A", "B", "A", "C"],
                        "when": ["2024-01-01", "2024-02-30", "2024-03-05", "2024-03-06"]})
dpc_steps = []
def dpc_step(f):
    dpc_steps.append(f)
    return f
# %%
@dpc_step
def dpc_strip(df): return df.assign(name=df["name"].str.strip().str.title())
@dpc_step
def dpc_num(df): return df.assign(age=pd.to_numeric(df["age"], errors="coerce").astype("Int64"))
@dpc_step
def dpc_cat(df): return df.assign(city=pd.Categorical(df["city"], categories=["C", "B", "A"], ordered=True))
dpc_clean = dpc_raw
for dpc_f in dpc_steps: dpc_clean = dpc_clean.pipe(dpc_f)
# %% raises ValueError
dpc_clean["when"] = pd.to_datetime(dpc_clean["when"], errors="coerce")
dpc_clean.attrs["source"] = {"file": "x", "raw": 1}
dpc_clean["bad"] = [1, 2]
# %%
dpc_by = dpc_clean.groupby("city", observed=True)
dpc_idx = dpc_clean.set_index(["city", "name"]).sort_index()
dpc_col = dpc_clean["age"]
dpc_clean.flags.allows_duplicate_labels = True
dpc_roll = pd.Series(range(6), dtype=float).rolling(3)
# %%
dpc_piv = dpc_clean.pivot_table(index="city", values="age", aggfunc=["mean", "count"], observed=False)
dpc_styled = dpc_clean.style.format({"age": "{:.1f}"}, na_rep="-")
dpc_iv = pd.interval_range(0, 4); dpc_per = pd.period_range("2024-01", periods=3, freq="M")
dpc_obj = pd.Series([dpc_steps, dpc_raw["city"].tolist()], dtype=object)
# %% check
assert list(dpc_clean.columns) == ["name", "age", "city", "when"] and dpc_clean["age"].dtype == "Int64"
assert dpc_clean["when"].isna().sum() == 1 and dpc_clean.attrs["source"]["file"] == "x"
assert list(dpc_clean["city"].cat.categories) == ["C", "B", "A"] and dpc_clean["city"].max() == "A"
assert dpc_by.size().to_dict() == {"C": 1, "B": 1, "A": 2} and dpc_by.obj is dpc_clean
assert dpc_idx.index.names == ["city", "name"] and dpc_idx.loc[("A", "Ann"), "age"] == 31
assert dpc_obj[0] is dpc_steps and dpc_steps[0] is dpc_strip and dpc_f is dpc_cat
assert dpc_roll.sum().iloc[-1] == 12 and dpc_iv.dtype == "interval[int64, right]" and dpc_per.freqstr == "M"
assert "-" in dpc_styled.to_html() and dpc_piv.loc["A", ("count", "age")] == 2
assert dpc_steps[1](dpc_raw)["age"].sum() == 76
assert dpc_raw["age"].tolist()[:3] == ["31", "x", "45"] and dpc_raw["age"].isna().tolist()[3]
# %% case: dat_pandas_accessor_options [alone]
import pandas as pd, numpy as np
@pd.api.extensions.register_dataframe_accessor("dpa")
class DpaAcc:
    def __init__(self, df): self._df, self.calls = df, 0
    def spread(self, col):
        self.calls += 1
        return self._df[col].max() - self._df[col].min()
@pd.api.extensions.register_series_accessor("dpa_s")
class DpaS:
    def __init__(self, s): self.s = s
    @property
    def double(self): return self.s * 2
# %%
dpa_df = pd.DataFrame({"a": [1, 5, 9]})
dpa_r = dpa_df.dpa.spread("a")
dpa_acc = dpa_df.dpa
# %%
pd.set_option("display.max_rows", 7)
pd.options.display.float_format = "{:.2f}".format
np.set_printoptions(precision=2, suppress=True)
np.seterr(divide="raise")
# %%
pd.DataFrame.dpa_shout = lambda self: self.columns.str.upper().tolist()
dpa_ctx = pd.option_context("display.max_columns", 3); dpa_ctx.__enter__()
# %% raises FloatingPointError
dpa_last = dpa_df.dpa.spread("a")
np.array([1.0]) / np.array([0.0])
# %% check
assert dpa_r == dpa_last == 8 and dpa_acc.calls == 0 and dpa_acc._df is dpa_df and type(dpa_acc) is DpaAcc
assert type(dpa_df.dpa) is DpaAcc and pd.DataFrame({"b": [1, 2]}).dpa.spread("b") == 1
assert pd.Series([1, 2]).dpa_s.double.tolist() == [2, 4]
assert pd.get_option("display.max_rows") == 7 and pd.get_option("display.max_columns") == 3
assert repr(pd.Series([1.23456])).startswith("0   1.23")
assert repr(np.array([1.23456])) == "array([1.23])" and np.geterr()["divide"] == "raise"
assert dpa_df.dpa_shout() == ["A"]
dpa_ctx.__exit__(None, None, None)
assert pd.get_option("display.max_columns") != 3
# %% case: dat_torch_training_in_course
import torch, torch.nn as nn, copy
torch.manual_seed(3)
class DttNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Linear(4, 8)
        self.out = nn.Linear(8, 4)
        self.drop = nn.Dropout(0.5)
        self.register_buffer("steps", torch.zeros(1))
        self.acts = []
    def forward(self, x):
        self.steps += 1
        return self.out(self.drop(torch.relu(self.emb(x))))
dtt_net = DttNet()
dtt_net.out.weight = nn.Parameter(dtt_net.emb.weight.detach().T.clone())
dtt_opt = torch.optim.Adam(dtt_net.parameters(), lr=0.05)
dtt_sched = torch.optim.lr_scheduler.StepLR(dtt_opt, 2, 0.5)
dtt_hook = dtt_net.emb.register_forward_hook(lambda m, i, o: dtt_net.acts.append(o.shape))
# %%
dtt_x = torch.randn(16, 4); dtt_losses = []
def dtt_epoch():
    dtt_opt.zero_grad()
    loss = ((dtt_net(dtt_x) - dtt_x) ** 2).mean()
    loss.backward(); dtt_opt.step(); dtt_sched.step()
    dtt_losses.append(loss.item())
for _ in range(3): dtt_epoch()
# %%
dtt_best = copy.deepcopy(dtt_net.state_dict())
dtt_w = dtt_net.emb.weight
dtt_view = dtt_w.data[0]
dtt_epoch()
# %% raises RuntimeError
dtt_epoch()
dtt_net(torch.randn(2, 5))
# %%
dtt_ema = copy.deepcopy(dtt_net).eval()
for p in dtt_ema.parameters(): p.requires_grad_(False)
dtt_leaf = torch.ones(3, requires_grad=True); (dtt_leaf * 2).sum().backward()
# %% check
assert len(dtt_losses) == 5 and dtt_net.steps.item() == 6 and dtt_sched.last_epoch == 5
assert dtt_opt.param_groups[0]["lr"] == 0.05 * 0.25
assert dtt_opt.param_groups[0]["params"][0] is dtt_w is dtt_net.emb.weight
assert dtt_opt.state[dtt_w]["step"] == 5 and dtt_sched.optimizer is dtt_opt
assert dtt_view.data_ptr() == dtt_w.data_ptr() and dtt_w.grad is not None
w0 = dtt_w.detach().clone(); n = len(dtt_net.acts)
dtt_epoch()
assert not torch.equal(w0, dtt_w) and len(dtt_net.acts) == n + 1 and torch.equal(dtt_view, dtt_w.data[0])
dtt_hook.remove(); dtt_epoch(); assert len(dtt_net.acts) == n + 1
assert not dtt_ema.training and dtt_net.training and dtt_ema.steps.item() == 6 and not dtt_ema.emb.weight.requires_grad
dtt_net.load_state_dict(dtt_best); assert dtt_net.steps.item() == 3
assert dtt_leaf.grad.tolist() == [2, 2, 2] and dtt_leaf.is_leaf
# %% case: dat_torch_reproducible_continuation [alone]
import torch, torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, random_split
torch.manual_seed(11); torch.set_default_dtype(torch.float64); torch.set_num_threads(1)
dtr_ds = TensorDataset(torch.arange(20).double().view(10, 2), torch.arange(10))
dtr_a, dtr_b = random_split(dtr_ds, [7, 3])
dtr_gen = torch.Generator().manual_seed(2)
dtr_dl = DataLoader(dtr_a, batch_size=3, shuffle=True, generator=dtr_gen)
# %%
dtr_order = [y.tolist() for _, y in dtr_dl]
# %%
dtr_order += [y.tolist() for _, y in dtr_dl]
dtr_noise = [torch.rand(1).item()]
# %%
dtr_lin = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Flatten())
dtr_lin(dtr_ds.tensors[0])
dtr_noise.append(torch.rand(1).item())
torch.use_deterministic_algorithms(True)
# %%
dtr_order += [y.tolist() for _, y in dtr_dl]
torch.set_grad_enabled(False)
# %% check
assert not torch.is_grad_enabled() and torch.get_default_dtype() is torch.float64 and torch.are_deterministic_algorithms_enabled()
torch.set_grad_enabled(True)
dtr_order += [y.tolist() for _, y in dtr_dl]; dtr_noise.append(torch.rand(1).item())
assert dtr_a.dataset is dtr_ds is dtr_b.dataset and dtr_dl.dataset is dtr_a and dtr_dl.generator is dtr_gen
run = dtr_lin[1].running_mean.clone()
torch.manual_seed(11)
a, b = random_split(dtr_ds, [7, 3])
dl = DataLoader(a, batch_size=3, shuffle=True, generator=torch.Generator().manual_seed(2))
o = [y.tolist() for _ in range(2) for _, y in dl]; noise = [torch.rand(1).item()]
l = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Flatten()); l(dtr_ds.tensors[0]); noise.append(torch.rand(1).item())
o += [y.tolist() for _ in range(2) for _, y in dl]; noise.append(torch.rand(1).item())
assert o == dtr_order, (o, dtr_order)
assert noise == dtr_noise and torch.equal(run, l[1].running_mean)
# %% case: dat_sklearn_search_in_course
import numpy as np, warnings
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import Pipeline, FeatureUnion
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.preprocessing import StandardScaler, FunctionTransformer
dss_rng = np.random.RandomState(0)
dss_X = dss_rng.randn(60, 3); dss_y = (dss_X[:, 0] + 0.2 * dss_rng.randn(60) > 0).astype(int)
class DssSelect(BaseEstimator, TransformerMixin):
    fitted = []
    def __init__(self, cols=(0,), scale=None): self.cols, self.scale = cols, scale
    def fit(self, X, y=None): self.n_ = X.shape[1]; DssSelect.fitted.append(self); return self
    def transform(self, X): return X[:, list(self.cols)]
# %%
def dss_sq(X): return X ** 2
dss_pipe = Pipeline([("sel", DssSelect()), ("sc", StandardScaler()), ("clf", LogisticRegression())])
dss_union = FeatureUnion([("raw", DssSelect((1,))), ("sq", FunctionTransformer(dss_sq))])
dss_cv = KFold(3, shuffle=True, random_state=dss_rng)
# %%
dss_grid = GridSearchCV(dss_pipe, {"sel__cols": [(0,), (1, 2)], "clf__C": [0.1, 1.0]}, cv=3, scoring=lambda e, X, y: e.score(X, y))
dss_grid.fit(dss_X, dss_y)
# %%
dss_inc = SGDClassifier(random_state=1, loss="log_loss")
dss_scores = []
for i in range(3):
    dss_inc.partial_fit(dss_X[i * 20:i * 20 + 20], dss_y[i * 20:i * 20 + 20], classes=[0, 1]); dss_scores.append(dss_inc.score(dss_X, dss_y))
# %% raises NotFittedError
dss_u = dss_union.fit_transform(dss_X)
clone(dss_pipe).predict(dss_X)
# %%
dss_split1 = [t.tolist() for _, t in dss_cv.split(dss_X)]
dss_board = {"grid": dss_grid, "best": dss_grid.best_estimator_, "x": dss_X}
# %% check
assert dss_grid.best_params_["sel__cols"] == (0,) and dss_board["best"] is dss_grid.best_estimator_ and dss_board["x"] is dss_X
assert type(dss_board["best"]["sel"]) is DssSelect and dss_board["best"]["sel"] is DssSelect.fitted[12]
assert dss_cv.random_state is dss_rng and dss_u.shape == (60, 4)
split2 = [t.tolist() for _, t in dss_cv.split(dss_X)]
r = np.random.RandomState(0); r.randn(60, 3); r.randn(60); k = KFold(3, shuffle=True, random_state=r)
assert dss_split1 == [t.tolist() for _, t in k.split(dss_X)] and split2 == [t.tolist() for _, t in k.split(dss_X)]
dss_inc.partial_fit(dss_X, dss_y)
ref = SGDClassifier(random_state=1, loss="log_loss")
for i in range(3): ref.partial_fit(dss_X[i * 20:i * 20 + 20], dss_y[i * 20:i * 20 + 20], classes=[0, 1])
ref.partial_fit(dss_X, dss_y)
assert np.allclose(ref.coef_, dss_inc.coef_) and dss_inc.t_ == ref.t_
assert dss_grid.scoring(dss_grid.best_estimator_, dss_X, dss_y) > 0.8 and dss_union.transformer_list[1][1].func is dss_sq
# %% case: dat_matplotlib_figures_held [alone]
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt, numpy as np
plt.rcParams["lines.linewidth"] = 4.5
dmf_figs = {}
def dmf_plot(name, ys, **kw):
    fig, ax = dmf_figs.get(name) or dmf_figs.setdefault(name, plt.subplots(num=name))
    (line,) = ax.plot(ys, label=f"{name}{len(ax.lines)}", **kw)
    return line
dmf_l1 = dmf_plot("loss", [3, 2, 1])
# %%
dmf_l2 = dmf_plot("loss", [4, 3, 2], color="red")
dmf_clicks = []
dmf_cid = dmf_figs["loss"][0].canvas.mpl_connect("button_press_event", lambda e: dmf_clicks.append(e.x))
# %%
dmf_im = plt.figure("img").add_subplot(111).imshow(np.eye(3), cmap="gray")
dmf_cb = dmf_im.figure.colorbar(dmf_im)
dmf_gca = plt.gca()
dmf_twin = dmf_figs["loss"][1].twinx()
# %%
plt.figure("loss")
dmf_l1.set_ydata([9, 9, 9])
dmf_ann = plt.annotate("peak", (1, 9))
plt.style.use({"axes.grid": True})
# %% check
fig, ax = dmf_figs["loss"]
assert plt.gcf() is fig and plt.figure("loss") is fig and sorted(plt.get_figlabels()) == ["img", "loss"]
assert ax.lines[0] is dmf_l1 and ax.lines[1] is dmf_l2 and list(dmf_l1.get_ydata()) == [9, 9, 9] and dmf_l1.get_linewidth() == 4.5
assert dmf_l2.get_color() == "red" and dmf_l1.axes is ax and dmf_l2.get_label() == "loss1"
assert dmf_plot("loss", [1]).axes is ax and len(ax.lines) == 3
assert dmf_twin.get_shared_x_axes().joined(dmf_twin, ax) and dmf_twin.figure is fig and dmf_cb.mappable is dmf_im
assert dmf_ann.get_text() == "peak" and dmf_ann.figure is fig and plt.rcParams["axes.grid"] and plt.rcParams["lines.linewidth"] == 4.5
from matplotlib.backend_bases import MouseEvent
fig.canvas.callbacks.process("button_press_event", MouseEvent("button_press_event", fig.canvas, 12, 13))
assert dmf_clicks == [12]
ax.set_xlim(0, 7); assert dmf_twin.get_xlim() == (0, 7)
fig.savefig("dmf.png")
# %% case: dat_numpy_structures
import numpy as np
dns_dt = np.dtype([("pos", "f4", (2,)), ("id", "i8"), ("tag", "U5")], align=True)
dns_rec = np.zeros(3, dns_dt); dns_rec["id"] = [3, 1, 2]
dns_field = dns_rec["pos"]; dns_ra = dns_rec.view(np.recarray)
dns_ma = np.ma.masked_greater(np.arange(5), 3)
# %%
class DnsUnits(np.ndarray):
    def __new__(cls, a, unit): o = np.asarray(a).view(cls); o.unit = unit; return o
    def __array_finalize__(self, o): self.unit = getattr(o, "unit", None)
dns_u = DnsUnits([1.0, 2.0, 3.0], "m")
dns_us = dns_u[1:]
dns_f = np.asfortranarray(np.arange(6).reshape(2, 3)); dns_neg = dns_f[::-1, ::2]
# %%
dns_mm = np.memmap("dns.bin", dtype="i4", mode="w+", shape=(4,)); dns_mm[:] = [1, 2, 3, 4]; dns_mm.flush()
dns_obj = np.empty(3, object); dns_obj[:] = [dns_obj, dns_rec, None]
dns_vec = np.vectorize(lambda x: x + dns_off, otypes=[float]); dns_off = 5
# %%
dns_poly = np.poly1d([1, 2]); dns_it = dns_rec.flat; dns_bc = np.broadcast_to(np.arange(3), (2, 3))
dns_mm[0] = 77
dns_lib = np.lib.stride_tricks.sliding_window_view(dns_u.view(np.ndarray), 2)
# %%
dns_field[0] = (4, 5)
dns_u[2] = 30
dns_scalar = dns_rec[1]
# %% check
assert dns_rec["pos"][0].tolist() == [4, 5] and np.shares_memory(dns_field, dns_rec) and dns_ra.id[1] == 1 and np.shares_memory(dns_ra, dns_rec)
assert dns_rec.dtype == dns_dt and dns_rec.dtype.isalignedstruct
dns_scalar["id"] = 50; assert dns_rec["id"][1] == 50
assert dns_ma.mask.tolist() == [False] * 4 + [True] and dns_ma.sum() == 6
assert type(dns_us) is DnsUnits and dns_us.unit == "m" and dns_us.base is dns_u and dns_us[1] == 30 and (dns_u * 2).unit == "m"
assert dns_f.flags.f_contiguous and np.shares_memory(dns_neg, dns_f) and dns_neg.tolist() == [[3, 5], [0, 2]]
assert isinstance(dns_mm, np.memmap) and dns_mm[0] == 77; dns_mm[1] = 5; dns_mm.flush()
assert np.fromfile("dns.bin", "i4").tolist() == [77, 5, 3, 4]
assert dns_obj[0] is dns_obj and dns_obj[1] is dns_rec
dns_off = 10; assert dns_vec([1]).tolist() == [11.0]
assert dns_poly(3) == 5 and dns_bc.strides[0] == 0 and not dns_bc.flags.writeable
dns_u[0] = 8; assert dns_lib[0, 0] == 8
# %% case: dat_text_pipeline [open]
import re, string, collections, itertools, unicodedata, difflib
dtp_text = "It was the best of times, it was the worst of times; café — naïve ﬁne."
dtp_tok = re.compile(r"(?P<word>[^\W\d_]+)|(?P<punct>[^\w\s])", re.U)
dtp_match = dtp_tok.search(dtp_text, 7)
dtp_count = collections.Counter(m.lastgroup for m in dtp_tok.finditer(dtp_text))
# %%
dtp_trans = str.maketrans({"é": "e", "ï": "i", "ﬁ": "fi"})
dtp_norm = [t.lower() for t in dtp_tok.findall(dtp_text.translate(dtp_trans)) for t in t if t.isalpha()]
class DtpTrie(dict):
    __missing__ = lambda self, k: self.setdefault(k, type(self)())
    end = False
    def add(self, w):
        node = self
        for c in w: node = node[c]
        node.end = True
        return node
dtp_trie = DtpTrie(); dtp_ends = {w: dtp_trie.add(w) for w in dtp_norm}
# %%
class DtpTemplate(string.Template): delimiter = "%"
dtp_tmpl = DtpTemplate("%who sees %what"); dtp_fmt = "{0.start_} {k!r:>8}".format
dtp_sm = difflib.SequenceMatcher(None, "notebook", "textbook"); dtp_sm.ratio()
dtp_chain = collections.ChainMap({}, {"a": 1}); dtp_chain["b"] = dtp_ends
# %%
dtp_markov = collections.defaultdict(collections.Counter)
for a, b in itertools.pairwise(dtp_norm): dtp_markov[a][b] += 1
dtp_scanner = dtp_tok.scanner(dtp_text); dtp_first = dtp_scanner.match().group()
# %% raises KeyError
dtp_count["seen"] = 1
dtp_tmpl.substitute(who="x")
# %%
class DtpStr(str):
    def shout(self): return DtpStr(self.upper() + self.mark)
dtp_s = DtpStr("hey"); dtp_s.mark = "!"
# %% check
assert dtp_match.group("word") == "the" and dtp_match.start() == 7 and dtp_match.re is dtp_tok and dtp_match.string == dtp_text
assert dtp_count["word"] == 15 and dtp_count["seen"] == 1 and dtp_count.most_common(1)[0][0] == "word", dtp_count
assert "fine" in dtp_ends and dtp_trie["t"]["h"]["e"] is dtp_ends["the"] and dtp_ends["the"].end and type(dtp_trie["t"]) is DtpTrie
assert not dtp_trie["q"]["q"].end
assert dtp_tmpl.safe_substitute(who="I") == "I sees %what" and dtp_chain.maps[0]["b"] is dtp_ends
assert dtp_markov["of"]["times"] == 2 and dtp_markov["nope"] == collections.Counter() and dtp_first == "It"
assert dtp_fmt(type("S", (), {"start_": 1}), k="z") == "1      'z'"
assert dtp_sm.find_longest_match().size == 4 and dtp_s.shout() == "HEY!" and dtp_s.shout().__class__ is DtpStr
# %% case: dat_shared_structures_identity
import copy, datetime as dsi_dt, zoneinfo, uuid, ipaddress, pathlib, fractions, decimal, array, types
dsi_leaf = []
dsi_cfg = {"a": dsi_leaf, "b": {"c": dsi_leaf, "self": None}}
dsi_cfg["b"]["self"] = dsi_cfg
dsi_tup = (dsi_leaf, dsi_cfg); dsi_leaf.append(dsi_tup)
dsi_sent = object()
def dsi_get(k, default=dsi_sent): return dsi_cfg.get(k, default)
# %%
dsi_tz = zoneinfo.ZoneInfo("Europe/Berlin"); dsi_when = dsi_dt.datetime(2024, 10, 27, 2, 30, tzinfo=dsi_tz, fold=1)
dsi_misc = {"u": uuid.UUID(int=5), "ip": ipaddress.ip_network("10.0.0.0/30"), "p": pathlib.Path("a/b"), "arr": array.array("d", [1, 2])}
dsi_mv = memoryview(dsi_misc["arr"]); dsi_ba = bytearray(b"hello"); dsi_bmv = memoryview(dsi_ba)[1:3]
# %%
dsi_proxy = types.MappingProxyType(dsi_misc); dsi_keys = dsi_cfg.keys(); dsi_sn = types.SimpleNamespace(me=None, cfg=dsi_cfg); dsi_sn.me = dsi_sn
dsi_fz = frozenset([dsi_sent, (1, "x")]); dsi_d = {dsi_sent: "sentinel", dsi_fz: "set"}
dsi_meth = dsi_leaf.append; dsi_cls = dsi_sn.__class__; dsi_slice = slice(1, dsi_leaf)
# %%
dsi_copy = copy.deepcopy(dsi_cfg)
dsi_meth("end")
dsi_bmv[0] = ord("E")
dsi_mv[0] = 9.5
# %%
dsi_nan = float("nan"); dsi_nans = [dsi_nan, dsi_nan]; dsi_set = {dsi_nan}
dsi_ell = (..., NotImplemented, None, dsi_get)
# %% check
assert dsi_cfg["b"]["self"] is dsi_cfg and dsi_leaf[0] is dsi_tup and dsi_tup[0] is dsi_leaf and dsi_leaf[1] == "end"
assert dsi_copy["b"]["self"] is dsi_copy and dsi_copy["a"] is dsi_copy["b"]["c"] is not dsi_leaf and len(dsi_copy["a"]) == 1
assert dsi_get("zz") is dsi_sent and dsi_d[dsi_sent] == "sentinel" and dsi_sent in dsi_fz and dsi_d[dsi_fz] == "set"
assert dsi_when.tzinfo is dsi_tz is zoneinfo.ZoneInfo("Europe/Berlin") and dsi_when.fold == 1 and dsi_when.utcoffset().seconds == 3600
assert dsi_ba == b"hEllo" and dsi_misc["arr"][0] == 9.5 and dsi_mv.obj is dsi_misc["arr"] and dsi_bmv.obj is dsi_ba
dsi_misc["new"] = 1; assert dsi_proxy["new"] == 1
dsi_cfg["k"] = 1; assert len(dsi_keys) == 3 and dsi_sn.me is dsi_sn and dsi_sn.cfg is dsi_cfg
assert dsi_meth.__self__ is dsi_leaf and dsi_slice.stop is dsi_leaf
assert dsi_nans.count(dsi_nan) == 2 and dsi_nan in dsi_set and dsi_ell[0] is Ellipsis and dsi_ell[1] is NotImplemented and dsi_ell[3] is dsi_get
# %% case: dat_short_text_held_twice [open]
import re
dst_text = "It was the best of times, it was the worst of times."
dst_match = re.search("best", dst_text)
# %%
dst_start = dst_match.start()
# %% check
assert dst_match.string == dst_text and dst_text[dst_start:].startswith("best")
assert dst_match.string is dst_text
