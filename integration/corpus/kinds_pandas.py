# pandas objects, scikit-learn estimators, scipy matrices and matplotlib figures.
# %% case: columns_alias_lists
import pandas as pd
pda_l = [1]; pda = pd.DataFrame({'o': [pda_l, {'k': pda_l}], 'n': [1, 2]}); pda_s = pda['o']; pda_v = pda[pda.n > 1]
# %%
pda_l.append(2)
# %% check
assert pda['o'][0] is pda_l and pda_s[0] is pda_l and pda_v['o'].iloc[0]['k'] is pda_l and pda_l == [1, 2]
# %% case: index_kinds
import pandas as pd
pdi = pd.MultiIndex.from_product([['a', 'b'], [1, 2]], names=['x', 'y']); pdi_f = pd.DataFrame({'v': range(4)}, index=pdi); pdi_c = pd.CategoricalIndex(['a', 'b'], ordered=True); pdi_p = pd.period_range('2024-01', periods=2, freq='M'); pdi_t = pd.date_range('2024-01-01', periods=3, tz='Europe/Berlin'); pdi_i = pd.interval_range(0, 3); pdi_r = pd.RangeIndex(3, name='r'); pdi_d = pd.timedelta_range('1h', periods=2); pdi_s = pdi_f.index
# %%
pdi_f.loc[('a', 2), 'v'] = 50
# %% check
assert pdi_f.loc[('a', 2), 'v'] == 50 and pdi_f.index.names == ['x', 'y'] and pdi_c.ordered and pdi_p.freqstr == 'M' and str(pdi_t.tz) == 'Europe/Berlin' and pdi_i[0].right == 1 and type(pdi_r) is pd.RangeIndex and pdi_r.name == 'r' and pdi_t.freqstr == 'D' and pdi_s.equals(pdi_f.index)
# %% case: extension_arrays
import pandas as pd, numpy as np
pde = pd.DataFrame({'i': pd.array([1, None], dtype='Int64'), 's': pd.array(['a', None], dtype='string'), 'b': pd.array([True, None], dtype='boolean'), 'c': pd.Categorical(['x', 'y'], categories=['y', 'x'], ordered=True), 'p': pd.arrays.SparseArray([0, 1])}); pde_a = pde['i'].array; pde_c = pd.Categorical(['q'])
# %%
pde.loc[1, 'i'] = 7
# %% check
assert pde['i'].tolist() == [1, 7] and str(pde.dtypes['i']) == 'Int64' and pde['s'][1] is pd.NA and pde['c'].cat.ordered and pde['c'].max() == 'x' and isinstance(pde['p'].dtype, pd.SparseDtype) and pde_a[0] == 1 and pde_c[0] == 'q'
# %% case: attrs_and_flags
import pandas as pd
pdt_l = ['m']; pdt = pd.DataFrame({'a': [1]}); pdt.attrs['l'] = pdt_l; pdt.flags.allows_duplicate_labels = False; pdt_s = pdt['a'].rename('z')
# %%
pdt_l.append('n')
# %% check
assert pdt.attrs['l'] is pdt_l and pdt_l == ['m', 'n'] and not pdt.flags.allows_duplicate_labels and pdt_s.name == 'z'
# %% case: accessor_of_the_notebook
import pandas as pd
@pd.api.extensions.register_dataframe_accessor('pdx')
class PdAcc:
    def __init__(self, obj): self._o = obj
    def total(self): return int(self._o.sum().sum())
pdx_f = pd.DataFrame({'a': [1, 2]})
# %%
pdx_f.loc[0, 'a'] = 10
# %% check
assert pdx_f.pdx.total() == 12
# %% case: frame_with_used_accessor
import pandas as pd
@pd.api.extensions.register_series_accessor('pdy')
class PdAcc2:
    def __init__(self, obj): self.o = obj; self.n = 0
    def hit(self): self.n += 1; return self.n
pdy_s = pd.Series([1, 2]); pdy_s.pdy.hit()
# %%
pdy_s.pdy.hit()
# %% check
assert pdy_s.pdy.hit() == 1 and pdy_s.pdy.o is pdy_s
# %% case: lazy_objects_over_a_frame
import pandas as pd
pdg = pd.DataFrame({'k': list('aab'), 'v': [1.0, 2.0, 3.0]}); pdg_g = pdg.groupby('k'); pdg_r = pdg['v'].rolling(2); pdg_e = pdg['v'].expanding(); pdg_w = pdg.resample; pdg_l = pdg.loc; pdg_sg = pdg_g['v']
# %%
pdg_n = 1
# %% check
assert pdg_g['v'].sum().to_dict() == {'a': 3.0, 'b': 3.0} and pdg_r.sum().iloc[1] == 3 and pdg_e.max().iloc[2] == 3 and pdg_l[0, 'v'] == 1 and pdg_sg.count()['a'] == 2
# %% case: frame_mutated_in_place
import pandas as pd
pdm = pd.DataFrame({'a': [3, 1, 2]}); pdm_2 = pdm; pdm_d = {'f': pdm}; pdm_c = pdm.copy(); pdm_s = pdm['a']
# %%
pdm.sort_values('a', inplace=True); pdm['b'] = 1; pdm.drop(index=0, inplace=True)
# %% check
assert pdm is pdm_2 is pdm_d['f'] and pdm['a'].tolist() == [1, 2] and pdm.columns.tolist() == ['a', 'b'] and pdm_c['a'].tolist() == [3, 1, 2] and pdm_s.tolist() == [3, 1, 2]
# %% case: styler
import pandas as pd
pds = pd.DataFrame({'a': [1.234]}); pds_s = pds.style.format('{:.1f}').set_caption('cap')
# %%
pds_n = [1]
# %% check
assert '1.2' in pds_s.to_html() and 'cap' in pds_s.to_html() and pds_s.data is not None
# %% case: frames_of_subclasses
import pandas as pd
class PdFrame(pd.DataFrame):
    _metadata = ['origin']
    @property
    def _constructor(self): return PdFrame
pdu = PdFrame({'a': [1, 2]}); pdu.origin = 'lab'; pdu_h = pdu.head(1)
# %%
pdu['b'] = 2
# %% check
assert type(pdu) is PdFrame and pdu.origin == 'lab' and type(pdu_h) is PdFrame and pdu_h.origin == 'lab' and type(pdu[pdu.a > 1]) is PdFrame
# %% case: scalars_of_pandas
import pandas as pd
pdn = [pd.Timestamp('2024-01-01', tz='UTC'), pd.Timedelta('1h'), pd.NaT, pd.NA, pd.Period('2024-01', 'M'), pd.Interval(0, 1), pd.offsets.BDay(2), pd.CategoricalDtype(['a'])]
pdn_k = pd.options; pdn_s = pd.IndexSlice; pdn_g = pd.Grouper(freq='D')
# %%
pdn.append(1)
# %% check
assert pdn[2] is pd.NaT and pdn[3] is pd.NA and pdn[0].tz is not None and pdn[6] == pd.offsets.BDay(2) and pdn_k is pd.options and pdn_s is pd.IndexSlice and pdn_g.freq is not None
# %% case: values_share_with_numpy
import pandas as pd, numpy as np
pdv_a = np.arange(3.0); pdv = pd.Series(pdv_a, copy=False); pdv_f = pd.DataFrame(np.zeros((2, 2)), copy=False)
# %%
pdv_a[1] = 50
# %% check
assert pdv[1] == 50, pdv
# %% case: sklearn_own_estimator
from sklearn.base import BaseEstimator, TransformerMixin, ClassifierMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import StandardScaler, FunctionTransformer
import numpy as np
class SkShift(TransformerMixin, BaseEstimator):
    def __init__(self, by=1): self.by = by
    def fit(self, X, y=None): self.seen_ = X.shape; return self
    def transform(self, X): return X + self.by
sk_x = np.arange(8.0).reshape(4, 2); sk_t = SkShift(3); sk_p = Pipeline([('s', sk_t), ('f', FunctionTransformer(lambda x: x * 2)), ('z', StandardScaler())]); sk_c = ColumnTransformer([('a', SkShift(), [0])])
# %%
sk_p.fit(sk_x); sk_c.fit(sk_x)
# %%
sk_k = clone(sk_p)
# %% check
assert sk_p.named_steps['s'] is sk_t and sk_t.seen_ == (4, 2) and sk_p.transform(sk_x).shape == (4, 2) and not hasattr(sk_k['s'], 'seen_') and sk_k['s'].by == 3 and sk_c.transform(sk_x).tolist()[0] == [1.0] and sk_p['f'].func(2) == 4
# %% case: sklearn_search_and_forest
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.tree import DecisionTreeClassifier
import numpy as np
skg_x = np.random.RandomState(0).rand(40, 3); skg_y = (skg_x[:, 0] > .5).astype(int); skg_k = KFold(3, shuffle=True, random_state=1); skg = GridSearchCV(DecisionTreeClassifier(random_state=0), {'max_depth': [1, 2]}, cv=skg_k)
# %%
skg.fit(skg_x, skg_y); skg_f = RandomForestClassifier(5, random_state=0, warm_start=True).fit(skg_x, skg_y)
# %%
skg_f.n_estimators = 7; skg_f.fit(skg_x, skg_y)
# %% check
assert skg.best_score_ > .8 and skg.cv is skg_k and len(skg_f.estimators_) == 7 and skg_f.predict(skg_x[:5]).tolist() == skg_y[:5].tolist() and skg_f.estimators_[0].tree_.node_count > 1
# %% case: joblib_memory_and_parallel
import joblib
jl = joblib.Parallel(n_jobs=1); jl_d = joblib.delayed(lambda x: x + 1)
# %%
jl_r = jl(jl_d(i) for i in range(3))
# %% check
assert jl_r == [1, 2, 3] and jl(jl_d(i) for i in range(2)) == [1, 2]
# %% case: scipy_sparse_and_friends
import scipy.sparse as spp, scipy.interpolate, scipy.stats, scipy.spatial, numpy as np
spm = spp.csr_matrix(np.eye(3)); spm_l = spp.lil_matrix((2, 2)); spm_d = spm.data; spm_i = scipy.interpolate.interp1d([0, 1], [0, 2]); spm_n = scipy.stats.norm(1, 2); spm_t = scipy.spatial.cKDTree(np.random.RandomState(0).rand(10, 2)); spm_s = scipy.interpolate.CubicSpline([0, 1, 2], [0, 1, 4]); spm_a = spp.coo_array(np.eye(2))
# %%
spm_d[0] = 5; spm_l[0, 1] = 3
# %% check
assert spm[0, 0] == 5 and spm.data is spm_d and spm_l[0, 1] == 3 and spm_i(.5) == 1 and spm_n.mean() == 1 and spm_t.n == 10 and abs(spm_s(1) - 1) < 1e-9 and spm_a.shape == (2, 2)
# %% case: figures_in_variables
import matplotlib; matplotlib.use('agg')
import matplotlib.pyplot as plt, numpy as np
mpf, mpf_a = plt.subplots(1, 2); mpf_l, = mpf_a[0].plot([1, 2, 3], label='one'); mpf_i = mpf_a[1].imshow(np.eye(3)); mpf_c = mpf.colorbar(mpf_i); mpf_t = mpf_a[0].set_title('t')
# %%
mpf_l.set_ydata([3, 2, 1]); mpf_a[0].legend(); mpf.suptitle('s')
# %% check
assert mpf_a[0].figure is mpf and mpf_a[0].lines[0] is mpf_l and list(mpf_l.get_ydata()) == [3, 2, 1] and mpf_a[0].get_legend() is not None and mpf_a[0].title is mpf_t and mpf_a[1].images[0] is mpf_i and mpf_c.mappable is mpf_i
mpf.canvas.draw()
# %% case: current_figure [alone]
import matplotlib; matplotlib.use('agg')
import matplotlib.pyplot as plt
mcf = plt.figure('mine', figsize=(2, 3)); mcf_2 = plt.figure(7); plt.plot([1, 2])
# %%
plt.figure('mine'); mcf_ax = plt.gca(); plt.title('now')
# %% check
assert plt.gcf() is mcf and plt.gca() is mcf_ax and mcf_ax.get_title() == 'now' and 7 in plt.get_fignums() and plt.figure(7) is mcf_2 and len(mcf_2.axes[0].lines) == 1
# %% case: closed_figures
import matplotlib; matplotlib.use('agg')
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
mcl, mcl_a = plt.subplots(); plt.close(mcl); mcl_o = Figure(); mcl_oa = mcl_o.subplots(); mcl_m = plt.cm.viridis; mcl_n = matplotlib.colors.Normalize(0, 1); mcl_p = matplotlib.patches.Circle((0, 0), 1)
# %%
mcl_a.scatter([1], [2]); mcl_oa.bar(['a'], [1]); mcl_p.set_radius(2)
# %% check
assert len(mcl_a.collections) == 1 and mcl_a.figure is mcl and len(mcl_oa.patches) == 1 and mcl_m.name == 'viridis' and mcl_n(.5) == .5 and mcl_p.radius == 2
# %% case: figure_callbacks
import matplotlib; matplotlib.use('agg')
import matplotlib.pyplot as plt
mcb_f, mcb_a = plt.subplots(); mcb_log = []; mcb_id = mcb_f.canvas.mpl_connect('draw_event', lambda e: mcb_log.append(1)); mcb_a.callbacks.connect('xlim_changed', lambda a: mcb_log.append('x'))
# %%
mcb_a.set_xlim(0, 5)
# %% check
assert 'x' in mcb_log and mcb_a.get_xlim() == (0, 5)
