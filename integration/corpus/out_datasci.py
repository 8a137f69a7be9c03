# Data-science objects whose identity matters: frames sharing arrays, memory maps, sparse matrices, categories, estimators with notebook classes.
# %% case: dsc_frame_columns_and_caches
import pandas as pd, numpy as np
dsc_arr = np.arange(6.0).reshape(3, 2); dsc_df = pd.DataFrame(dsc_arr, columns=["a", "b"], copy=False)
dsc_frames = {"x": dsc_df, "y": dsc_df}; dsc_ser = dsc_df["a"]
# %%
dsc_df["c"] = ["u", None, "w"]; dsc_idx = dsc_df.index; dsc_df.index.name = "row"
dsc_obj = pd.Series([dsc_frames, [1], dsc_df], dtype=object)
# %% check
assert dsc_frames["x"] is dsc_frames["y"] is dsc_df is dsc_obj[2] and dsc_obj[0] is dsc_frames and dsc_df.index.name == "row" and dsc_ser.index.name is None
dsc_df.loc[0, "a"] = 100.0; assert dsc_ser[0] == 0.0 and dsc_frames["y"].loc[0, "a"] == 100 and dsc_arr[0, 0] == 0.0
assert dsc_df.isna().sum().tolist() == [0, 0, 1] and dsc_df.index.is_(dsc_idx) and str(dsc_df["c"].dtype) == "str"
# %% case: dsc_multiindex_categorical_period
import pandas as pd
dsc_cat = pd.Categorical(["lo", "hi", "lo"], categories=["lo", "mid", "hi"], ordered=True); dsc_dtype = pd.CategoricalDtype(["z", "y"])
dsc_mi = pd.MultiIndex.from_product([["p", "q"], pd.period_range("2024Q1", periods=2, freq="Q")], names=["k", "q"])
dsc_ts = pd.Series(range(3), index=pd.date_range("2024-03-30", periods=3, freq="D", tz="Europe/Berlin"))
# %%
dsc_f = pd.DataFrame({"v": pd.array([1, None, 3, 4], dtype="Int64")}, index=dsc_mi); dsc_iv = pd.cut([1, 5, 9], [0, 4, 10]); dsc_cat[1] = "mid"
# %% check
import pandas as pd
assert dsc_cat.tolist() == ["lo", "mid", "lo"] and dsc_cat.max() == "mid" and dsc_dtype == pd.CategoricalDtype(["y", "z"])
assert dsc_f.loc[("p", pd.Period("2024Q2", "Q")), "v"] is pd.NA and dsc_f.index.levels[1].freqstr.startswith("Q") and dsc_ts.index.freq is not None and dsc_ts.index[2].utcoffset().seconds == 7200
assert dsc_iv[0] == pd.Interval(0, 4) and dsc_iv.categories[0] in dsc_iv and pd.isna(pd.NaT) and dsc_f["v"].sum() == 8
# %% case: dsc_groupby_rolling_objects_pending
import pandas as pd
dsc_g_src = pd.DataFrame({"k": list("abab"), "v": [1, 2, 3, 4.0]}); dsc_g = dsc_g_src.groupby("k"); dsc_roll = dsc_g_src["v"].rolling(2)
# %%
dsc_v = dsc_g["v"]; dsc_means = dsc_v.transform("mean")
# %% check
assert dsc_g.get_group("b")["v"].tolist() == [2, 4] and dsc_v.sum()["a"] == 4 and dsc_roll.sum().tolist()[1:] == [3, 5, 7] and dsc_g.ngroups == 2
assert dsc_g.obj is dsc_g_src and dsc_means.tolist() == [2, 3, 2, 3]
# %% case: dsc_rows_half_read [pinned]
import pandas as pd
dsc_i_src = pd.DataFrame({"k": list("abab"), "v": [1, 2, 3, 4.0]})
dsc_rows = dsc_i_src.itertuples(index=False); dsc_r0 = next(dsc_rows)
# %%
dsc_r_sum = dsc_i_src["v"].sum()
# %% check
assert dsc_r0 == ("a", 1.0) and dsc_r0.v == 1 and dsc_r_sum == 10
assert next(dsc_rows).k == "b" and [row.v for row in dsc_rows] == [3, 4]
# %% case: dsc_memmap_and_npz
import numpy as np
dsc_mm = np.memmap("dsc_mm.dat", dtype="i4", mode="w+", shape=(4, 5)); dsc_mm[1, 2] = 7; dsc_mrow = dsc_mm[1]
np.savez("dsc_z.npz", a=np.ones(3), b=np.arange(2)); dsc_npz = np.load("dsc_z.npz"); dsc_a = dsc_npz["a"]
# %%
dsc_mrow[0] = -3; dsc_mm.flush()
# %% check
import numpy as np
assert dsc_mm[1].tolist() == [-3, 0, 7, 0, 0] and type(dsc_mm) is np.memmap and dsc_mm.mode == "w+"
dsc_mrow[4] = 11; assert dsc_mm[1, 4] == 11; dsc_mm.flush(); assert np.fromfile("dsc_mm.dat", "i4").reshape(4, 5)[1, 4] == 11, "writes still reach the file"
assert dsc_npz["b"].tolist() == [0, 1] and sorted(dsc_npz.files) == ["a", "b"] and dsc_a.tolist() == [1, 1, 1]; dsc_npz.close()
# %% case: dsc_sparse_shared_buffers
import numpy as np, scipy.sparse as sp, scipy.sparse.linalg as spl
dsc_csr = sp.random(30, 30, 0.1, format="csr", random_state=np.random.RandomState(0)); dsc_data = dsc_csr.data
dsc_t = dsc_csr.T; dsc_lo = spl.aslinearoperator(dsc_csr)
# %%
dsc_data[0] = 50.0; dsc_csr.has_canonical_format
# %% check
assert dsc_csr.data is dsc_data and dsc_csr.max() == 50 and dsc_lo.A is dsc_csr
dsc_data[1] = 60.0; assert dsc_csr.max() == 60 and dsc_t.max() == 60, "the transpose shares the data"
import numpy as np; assert np.shares_memory(dsc_t.data, dsc_data) and dsc_lo.matvec(np.ones(30)).shape == (30,)
# %% case: dsc_sklearn_custom_estimator
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import Pipeline, FeatureUnion
from sklearn.linear_model import LinearRegression
class DscScale(TransformerMixin, BaseEstimator):
    fits = []
    def __init__(self, k=1.0, func=None): self.k = k; self.func = func
    def fit(self, X, y=None): self.m_ = X.mean(0); DscScale.fits.append(self); return self
    def transform(self, X): return (X - self.m_) * self.k if self.func is None else self.func(X)
def dsc_sq(X): return X ** 2
dsc_lin = LinearRegression(); dsc_pipe = Pipeline([("u", FeatureUnion([("s", DscScale(2.0)), ("q", DscScale(func=dsc_sq))])), ("lin", dsc_lin)])
# %%
dsc_X = np.arange(8.0).reshape(-1, 1); dsc_pipe.fit(dsc_X, dsc_X[:, 0] ** 2); dsc_clone = clone(dsc_pipe)
# %% check
assert dsc_pipe["lin"] is dsc_lin and dsc_lin.n_features_in_ == 2 and type(dsc_pipe["u"].transformer_list[0][1]) is DscScale and len(DscScale.fits) == 2
assert dsc_pipe["u"].transformer_list[1][1].func is dsc_sq is dsc_clone.get_params()["u__q__func"] and any(f is dsc_pipe["u"].transformer_list[0][1] for f in DscScale.fits)
assert abs(float(dsc_pipe.predict(dsc_X)[3]) - 9) < 1e-8
assert not hasattr(dsc_clone["lin"], "coef_") and dsc_clone["lin"] is not dsc_lin
# %% case: dsc_sklearn_random_state_instance_shared
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import ShuffleSplit
dsc_rs = np.random.RandomState(17); dsc_rf = RandomForestClassifier(3, random_state=dsc_rs); dsc_ss = ShuffleSplit(2, random_state=dsc_rs)
dsc_rx = np.arange(40.0).reshape(20, 2); dsc_ry = np.arange(20) % 2; dsc_rf.fit(dsc_rx, dsc_ry)
# %%
dsc_split = next(dsc_ss.split(dsc_rx))
# %% check
import numpy as np
assert dsc_rf.random_state is dsc_rs is dsc_ss.random_state
q = np.random.RandomState(); q.set_state(dsc_rs.get_state()); a = next(ShuffleSplit(2, random_state=q).split(dsc_rx))[1]; assert (next(dsc_ss.split(dsc_rx))[1] == a).all() and q.rand() == dsc_rs.rand()
assert dsc_rf.estimators_[0].tree_.node_count > 1 and dsc_rf.predict(dsc_rx[:3]).shape == (3,)
# %% case: dsc_scipy_frozen_rv_and_solvers
import numpy as np
from scipy import stats, integrate, optimize
dsc_rv = stats.gamma(2.0, scale=3.0); dsc_rv.random_state = np.random.default_rng(5); dsc_s0 = dsc_rv.rvs(2)
dsc_rate = [1.0]; dsc_ode = integrate.RK45(lambda t, y: -y * dsc_rate[0], 0, [1.0], 10)
# %%
dsc_ode.step(); dsc_kde = stats.gaussian_kde([1.0, 2, 4]); dsc_trace = []; dsc_opt = optimize.minimize(lambda x: (x[0] - 2) ** 2, [0.0], callback=lambda xk: dsc_trace.append(float(xk[0])))
# %% check
import numpy as np; from scipy import stats
r = stats.gamma(2.0, scale=3.0); g = np.random.default_rng(5); assert (r.rvs(2, random_state=g) == dsc_s0).all() and dsc_rv.rvs() == r.rvs(random_state=g)
t = dsc_ode.t; dsc_rate[0] = 0.0; y = dsc_ode.y.copy(); dsc_ode.step(); assert dsc_ode.t > t > 0 and dsc_ode.status == "running" and abs(dsc_opt.x[0] - 2) < 1e-5 and abs(dsc_trace[-1] - 2) < 1e-4
dsc_ode.step(); assert abs(dsc_ode.y - dsc_ode.y_old).max() < 1e-12, "the rate list is still read through the notebook's name" 
assert dsc_opt.success and dsc_kde(2.0)[0] > 0
# %% case: dsc_torch_dataset_scripted_and_params
import torch, io
class DscSet(torch.utils.data.Dataset):
    def __init__(self, n): self.n = n; self.reads = []
    def __len__(self): return self.n
    def __getitem__(self, i): self.reads.append(i); return torch.tensor([float(i)])
dsc_set = DscSet(5); dsc_sub = torch.utils.data.Subset(dsc_set, [4, 2]); dsc_loader = torch.utils.data.DataLoader(dsc_sub, batch_size=2)
dsc_pl = torch.nn.ParameterList([torch.nn.Parameter(torch.ones(2))]); dsc_p = dsc_pl[0]
# %%
dsc_batch = next(iter(dsc_loader)); dsc_sparse = torch.eye(3).to_sparse(); dsc_half = torch.ones(2, dtype=torch.bfloat16); dsc_nt = torch.ones(2, 3)[:, ::2]
# %% check
import torch
assert dsc_loader.dataset is dsc_sub and dsc_sub.dataset is dsc_set and dsc_set.reads == [4, 2] and dsc_batch.tolist() == [[4.0], [2.0]]
assert dsc_p is dsc_pl[0]; (dsc_p * 2).sum().backward(); assert dsc_p.grad.tolist() == [2, 2] and dsc_pl[0].grad is dsc_p.grad
assert dsc_sparse.is_sparse and dsc_sparse.to_dense()[1, 1] == 1 and dsc_half.dtype is torch.bfloat16 and dsc_nt.stride() == (3, 2) and dsc_nt._base is not None
# %% case: dsc_autograd_graph_across_cells [alone] [pinned]
import torch
dsc_leaf = torch.tensor([1.0, 2.0], requires_grad=True)
# %%
dsc_prod = (dsc_leaf * 3).sum()
# %% check
assert dsc_prod.item() == 9.0
dsc_prod.backward(); assert dsc_leaf.grad.tolist() == [3.0, 3.0]
