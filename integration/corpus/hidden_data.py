# Sharing and settings in numpy, pandas, scipy and scikit-learn.
# %% case: ed_series_over_an_array
import numpy as np, pandas as pd

ed1_arr = np.arange(5.0)
ed1_s = pd.Series(ed1_arr, copy=False)
ed1_head = ed1_s[:3]
# %%
ed1_arr[0] = 100
# %% check
ed1_arr[4] = 7
assert ed1_s.iloc[0] == 100 and ed1_s.iloc[4] == 7
assert np.shares_memory(ed1_arr, ed1_s.values)
ed1_head.iloc[1] = -1
assert ed1_s.iloc[1] == 1 and ed1_head.tolist() == [100, -1, 2]

# %% case: ed_frame_extras_and_options [alone]
import pandas as pd

pd.set_option("display.max_rows", 7)
pd.set_option("display.float_format", lambda v: f"<{v:.1f}>")

@pd.api.extensions.register_dataframe_accessor("ed2")
class Ed2Tools:
    def __init__(self, frame):
        self.frame = frame

    def total(self):
        return float(self.frame.to_numpy().sum())

ed2_df = pd.DataFrame({"a": [1.0, 2.0]}, index=["u", "v"]).set_flags(allows_duplicate_labels=False)
# %%
ed2_df.attrs["unit"] = "kg"
# %% check
assert pd.get_option("display.max_rows") == 7 and "<2.0>" in repr(ed2_df)
assert ed2_df.ed2.total() == 3.0
assert ed2_df.attrs == {"unit": "kg"}
try:
    ed2_df.rename(index={"v": "u"})
except ValueError:
    pass
else:
    raise AssertionError("the frame lets labels repeat")

# %% case: ed_many_views_of_one_base
import numpy as np

ed3_base = np.zeros(12)
ed3_rev = ed3_base[::-1]
ed3_win = np.lib.stride_tricks.sliding_window_view(ed3_base, 3)
ed3_col = ed3_base.reshape(3, 4)[:, 1]
ed3_ro = ed3_base.view()
ed3_ro.flags.writeable = False
ed3_rec = np.zeros(3, dtype=[("x", "i4"), ("y", "f8")])
ed3_ys = ed3_rec["y"]
# %%
ed3_col[:] = 5
ed3_ys[1] = 9
# %% check
assert ed3_base[[1, 5, 9]].tolist() == [5, 5, 5] and ed3_win[1, 0] == 5
ed3_rev[-1] = 2
assert ed3_base[0] == 2 and ed3_win[0, 0] == 2
assert ed3_ro[0] == 2 and not ed3_ro.flags.writeable and not ed3_win.flags.writeable
ed3_ys[2] = 4
assert ed3_rec["y"].tolist() == [0, 9, 4]

# %% case: ed_two_generators_one_source
import numpy as np

ed4_gen = np.random.default_rng(5)
ed4_twin = np.random.Generator(ed4_gen.bit_generator)
ed4_seq = np.random.SeedSequence(9)
ed4_kids = ed4_seq.spawn(2)
# %%
ed4_twin.random(3)
ed4_kids += ed4_seq.spawn(1)
# %% check
ed4_ref = np.random.default_rng(5)
ed4_ref.random(3)
assert ed4_gen.random() == ed4_ref.random()
assert ed4_twin.random() == ed4_ref.random()
assert ed4_twin.bit_generator is ed4_gen.bit_generator
assert ed4_seq.spawn(1)[0].spawn_key == (3,)

# %% case: ed_estimators_share_a_random_state
import numpy as np
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

ed5_rs = np.random.RandomState(0)
ed5_x = np.random.RandomState(1).normal(size=(40, 3))
ed5_y = (ed5_x[:, 0] > 0).astype(int)
ed5_scale = StandardScaler()
ed5_clf = SGDClassifier(random_state=ed5_rs, max_iter=5, tol=None)
ed5_folds = KFold(4, shuffle=True, random_state=ed5_rs)
ed5_pipe = Pipeline([("scale", ed5_scale), ("clf", ed5_clf)])
# %%
ed5_pipe.fit(ed5_x, ed5_y);
# %% check
assert ed5_pipe["scale"] is ed5_scale and ed5_pipe.named_steps["clf"] is ed5_clf
assert ed5_clf.random_state is ed5_rs and ed5_folds.random_state is ed5_rs
ed5_copy = np.random.RandomState(0)
ed5_again = SGDClassifier(random_state=ed5_copy, max_iter=5, tol=None)
ed5_again.fit(ed5_scale.transform(ed5_x), ed5_y)
assert np.allclose(ed5_again.coef_, ed5_clf.coef_)
ed5_a = [t.tolist() for _a, t in ed5_folds.split(ed5_x)]
assert ed5_a == [t.tolist() for _a, t in KFold(4, shuffle=True, random_state=ed5_copy).split(ed5_x)]
assert ed5_rs.randint(10**6) == ed5_copy.randint(10**6)

# %% case: ed_sparse_data_and_frozen_distribution
import numpy as np
from scipy import sparse, stats

ed6_vals = np.array([1.0, 2.0, 3.0])
ed6_m = sparse.csr_array((ed6_vals, np.array([0, 2, 1]), np.array([0, 2, 3])), shape=(2, 3), copy=False)
ed6_rng = np.random.default_rng(3)
ed6_norm = stats.norm(10, 2)
ed6_norm.random_state = ed6_rng
# %%
ed6_vals[0] = 10
ed6_two = ed6_norm.rvs(2)
# %% check
ed6_vals[2] = 30
assert ed6_m.toarray().tolist() == [[10, 0, 2], [0, 30, 0]]
ed6_ref = np.random.default_rng(3)
assert ed6_two.tolist() == stats.norm(10, 2).rvs(2, random_state=ed6_ref).tolist()
assert ed6_rng.random() == ed6_ref.random()
assert ed6_norm.rvs() == stats.norm(10, 2).rvs(random_state=ed6_ref)

# %% case: ed_numpy_error_log [alone]
import numpy as np

class Ed7Log:
    def __init__(self):
        self.lines = []

    def write(self, text):
        self.lines.append(text)

ed7_log = Ed7Log()
ed7_old = np.seterrcall(ed7_log)
ed7_was = np.seterr(divide="log", over="raise")
# %%
np.set_printoptions(precision=2, formatter={"bool": lambda b: "yes" if b else "no"})
ed7_inf = np.array([1.0]) / 0
# %% check
ed7_inf2 = np.array([1.0]) / 0
assert len(ed7_log.lines) == 2 and np.geterrcall() is ed7_log
assert np.geterr()["over"] == "raise" and np.geterr()["divide"] == "log"
assert repr(np.array([1.23456])) == "array([1.23])"
assert str(np.array([True, False])) == "[yes no]"

# %% case: ed_memmap_with_a_window
import numpy as np

ed8_map = np.memmap("ed8.bin", dtype="i4", mode="w+", shape=(6,))
ed8_tail = ed8_map[3:]
# %%
ed8_tail[0] = 42
ed8_map.flush()
# %% check
assert isinstance(ed8_map, np.memmap) and ed8_map[3] == 42
ed8_tail[1] = 7
assert ed8_map[4] == 7
ed8_map.flush()
assert np.fromfile("ed8.bin", "i4").tolist() == [0, 0, 0, 42, 7, 0]
