# scikit-learn and scipy as notebooks use them: pipelines built over cells, fitted models, shared random states, frozen objects.
# %% case: sk_pipeline_custom_transformer
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import Pipeline, FeatureUnion
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.linear_model import Ridge
pl_trace = []
class PlClip(TransformerMixin, BaseEstimator):
    def __init__(self, low=-1, high=1): self.low, self.high = low, high
    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        pl_trace.append('fit')
        return self
    def transform(self, X): return np.clip(X, self.low, self.high)
pl_scale = StandardScaler()
pl_union = FeatureUnion([('clip', PlClip()), ('sq', FunctionTransformer(lambda X: X ** 2))])
pl = Pipeline([('scale', pl_scale), ('feats', pl_union), ('ridge', Ridge(alpha=.1))])
pl_X = np.random.default_rng(0).normal(size=(40, 2)); pl_y = pl_X @ [1., -2.] + 3
# %%
pl.fit(pl_X, pl_y)
pl_ridge = pl['ridge']
# %%
pl.set_params(feats__clip__high=.5)
pl_pred = pl.predict(pl_X)
pl_fresh = clone(pl)
# %% check
assert pl.named_steps['scale'] is pl_scale and pl['ridge'] is pl_ridge
assert dict(pl_union.transformer_list)['clip'].high == .5
assert np.array_equal(pl.predict(pl_X), pl_pred)
assert pl_trace == ['fit']
assert hasattr(pl_scale, 'mean_') and not hasattr(pl_fresh['scale'], 'mean_')
pl_fresh.fit(pl_X, pl_y)
assert pl_trace == ['fit', 'fit']
assert type(pl_fresh['feats'].transformer_list[0][1]) is PlClip
pl_ridge.coef_ = pl_ridge.coef_ * 0
assert np.ptp(pl.predict(pl_X)) == 0
assert np.array_equal(pl[0].transform(pl_X), pl_scale.transform(pl_X))

# %% case: sk_partial_fit_over_cells
import numpy as np
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import GaussianNB
pf_rng = np.random.RandomState(3)
pf_ref_rng = np.random.RandomState(3)
pf_model = SGDClassifier(loss='log_loss', random_state=pf_rng, learning_rate='constant', eta0=.1)
pf_nb = GaussianNB()
def pf_batch(seed):
    r = np.random.default_rng(seed)
    X = r.normal(size=(30, 3)); return X, (X[:, 0] > 0).astype(int)
# %%
pf_model.partial_fit(*pf_batch(1), classes=[0, 1]); pf_nb.partial_fit(*pf_batch(1), classes=[0, 1])
# %%
pf_model.partial_fit(*pf_batch(2)); pf_nb.partial_fit(*pf_batch(2))
pf_coef = pf_model.coef_
# %%
pf_model.partial_fit(*pf_batch(3))
pf_best = {'w': pf_model.coef_, 'step': 3}
# %% check
pf_ref = SGDClassifier(loss='log_loss', random_state=pf_ref_rng, learning_rate='constant', eta0=.1)
for pf_i in (1, 2, 3):
    pf_ref.partial_fit(*pf_batch(pf_i), **({'classes': [0, 1]} if pf_i == 1 else {}))
assert np.allclose(pf_ref.coef_, pf_model.coef_, atol=0)
assert pf_model.random_state is pf_rng
assert pf_rng.rand() == pf_ref_rng.rand()
assert pf_best['w'] is pf_model.coef_
pf_model.partial_fit(*pf_batch(4)); pf_ref.partial_fit(*pf_batch(4))
assert np.array_equal(pf_ref.coef_, pf_model.coef_) and pf_model.t_ == pf_ref.t_
assert pf_nb.class_count_.sum() == 60

# %% case: sk_grid_search_and_scorer
import numpy as np
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.metrics import make_scorer
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor
gd_calls = 0
def gd_score(y, p, *, power=1):
    global gd_calls
    gd_calls += 1
    return -np.mean(np.abs(y - p) ** power)
gd_scorer = make_scorer(gd_score, power=2)
gd_cv = KFold(3, shuffle=True, random_state=0)
gd_X = np.linspace(0, 1, 30)[:, None]; gd_y = np.sin(6 * gd_X[:, 0])
gd = GridSearchCV(KNeighborsRegressor(), {'n_neighbors': [1, 5]}, scoring=gd_scorer, cv=gd_cv)
# %%
gd.fit(gd_X, gd_y)
gd_best = gd.best_estimator_
# %%
gd_tree = DecisionTreeRegressor(max_depth=3, random_state=1).fit(gd_X, gd_y)
gd_t = gd_tree.tree_
gd_split = gd_cv.split(gd_X)
gd_tr0, gd_te0 = list(gd_split)[0]
# %% check
assert gd_calls == 6
assert gd.scorer_ is gd_scorer or gd.scorer_._score_func is gd_score
assert gd.best_estimator_ is gd_best and gd.best_params_ == {'n_neighbors': gd_best.n_neighbors}
gd_s = gd.score(gd_X, gd_y)
assert gd_calls == 7 and gd_s <= 0
assert gd_tree.tree_ is gd_t and gd_t.node_count == len(gd_t.threshold)
assert np.allclose(gd_tree.predict(gd_X[:2]), gd_t.predict(gd_X[:2].astype(np.float32)).ravel())
assert gd.cv is gd_cv and np.array_equal(next(gd_cv.split(gd_X))[0], gd_tr0)
assert gd_best.kneighbors([[.5]])[1].shape[1] == gd_best.n_neighbors
assert gd.cv_results_['rank_test_score'].min() == 1

# %% case: sk_ambient_config [alone]
import sklearn, numpy as np, pandas as pd, warnings
from sklearn.preprocessing import StandardScaler
from sklearn.exceptions import ConvergenceWarning
sklearn.set_config(transform_output='pandas', display='text', enable_metadata_routing=True)
warnings.filterwarnings('error', category=ConvergenceWarning)
am_df = pd.DataFrame({'u': [1., 2., 3.], 'v': [0., 1., 0.]})
am_sc = StandardScaler()
# %%
sklearn.set_config(assume_finite=True)
am_out = am_sc.fit_transform(am_df)
# %%
am_np = StandardScaler().set_output(transform='default').fit(am_df)
# %% check
assert isinstance(am_out, pd.DataFrame) and list(am_out.columns) == ['u', 'v']
assert isinstance(am_sc.transform(am_df), pd.DataFrame)
assert isinstance(am_np.transform(am_df), np.ndarray)
am_c = sklearn.get_config()
assert am_c['transform_output'] == 'pandas' and am_c['display'] == 'text' and am_c['enable_metadata_routing']
assert am_c['assume_finite'] is True
sklearn.set_config(assume_finite=False)
assert sklearn.get_config()['assume_finite'] is False and sklearn.get_config()['transform_output'] == 'pandas'
from sklearn.linear_model import LogisticRegression
try:
    LogisticRegression(max_iter=1).fit(np.random.default_rng(0).normal(size=(50, 5)) * 100, np.arange(50) % 2)
    raise AssertionError('a warning should be an error')
except ConvergenceWarning:
    pass

# %% case: sk_column_transformer_estimator_zoo
import numpy as np, pandas as pd
from sklearn.compose import ColumnTransformer, make_column_selector, TransformedTargetRegressor
from sklearn.preprocessing import OneHotEncoder, MinMaxScaler
from sklearn.ensemble import RandomForestRegressor, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
zo_df = pd.DataFrame({'w': ['red fox', 'blue fox', 'red cat', 'sun'], 'c': list('xyxz'), 'n': [1., 2., 3., 4.]})
zo_tok = lambda s: s.split()
zo_tf = TfidfVectorizer(tokenizer=zo_tok, token_pattern=None)
zo_ct = ColumnTransformer([('cat', OneHotEncoder(handle_unknown='ignore'), ['c']), ('num', MinMaxScaler(), make_column_selector(dtype_include='number')), ('txt', zo_tf, 'w')])
# %%
zo_M = zo_ct.fit_transform(zo_df)
zo_rs = np.random.RandomState(5)
zo_rf = RandomForestRegressor(5, random_state=zo_rs, warm_start=True).fit(zo_df[['n']], [1, 2, 3, 4])
# %%
zo_rf.set_params(n_estimators=8).fit(zo_df[['n']], [1, 2, 3, 4])
zo_tt = TransformedTargetRegressor(zo_rf, func=np.log1p, inverse_func=np.expm1)
zo_first = zo_rf.estimators_[0]
# %% check
assert zo_M.shape == (4, 9)
zo_M2 = zo_ct.transform(pd.DataFrame({'w': ['fox fox'], 'c': ['q'], 'n': [4.]}))
assert zo_M2.shape == (1, 9) and zo_M2.toarray()[0, 3] == 1. if hasattr(zo_M2, 'toarray') else zo_M2[0, 3] == 1.
assert zo_ct.named_transformers_['txt'].vocabulary_['fox'] >= 0
assert zo_tf.tokenizer is zo_tok and zo_ct.named_transformers_['txt'].tokenizer('a b') == ['a', 'b']
assert zo_tt.regressor is zo_rf and zo_tt.func is np.log1p
assert len(zo_rf.estimators_) == 8 and zo_rf.estimators_[0] is zo_first
assert zo_rf.random_state is zo_rs
zo_r = np.random.RandomState(5)
zo_w = RandomForestRegressor(5, random_state=zo_r, warm_start=True).fit(zo_df[['n']], [1, 2, 3, 4])
zo_w.set_params(n_estimators=8).fit(zo_df[['n']], [1, 2, 3, 4])
assert np.allclose(zo_w.predict(zo_df[['n']]), zo_rf.predict(zo_df[['n']]))
assert zo_r.randint(10**6) == zo_rs.randint(10**6)

# %% case: sp_sparse_shared_data [pinned]
import numpy as np, scipy.sparse as sp
ss_data = np.array([1., 2., 3.])
ss_m = sp.csr_array((ss_data, [0, 2, 1], [0, 2, 3, 3]), shape=(3, 3), copy=False)
ss_t = ss_m.T
ss_lil = sp.lil_matrix((2, 2)); ss_dok = sp.dok_array((3, 3))
# %%
ss_data[0] = 10.
ss_lil[0, 1] = 5; ss_dok[2, 2] = 4.
# %%
ss_m.data *= 2
ss_op = sp.linalg.aslinearoperator(ss_m) if hasattr(sp, 'linalg') else None
import scipy.sparse.linalg as ss_la
ss_lin = ss_la.LinearOperator((3, 3), matvec=lambda v: ss_m @ v, dtype=float)
ss_lu = ss_la.splu(sp.csc_array(np.array([[4., 1.], [1., 3.]])))
# %% check
assert ss_m.toarray()[0, 0] == 20. and ss_data[0] == 20.
assert np.shares_memory(ss_m.data, ss_data) and np.shares_memory(ss_t.data, ss_data)
ss_data[2] = 7.
assert ss_m[1, 1] == 7. and ss_t[1, 1] == 7.
assert (ss_lin @ np.ones(3)).tolist() == [24., 7., 0.]
assert isinstance(ss_lil, sp.lil_matrix) and ss_lil[0, 1] == 5 and ss_dok[2, 2] == 4. and ss_dok.nnz == 1
ss_x = ss_lu.solve(np.array([1., 2.]))
assert np.allclose(np.array([[4., 1.], [1., 3.]]) @ ss_x, [1., 2.])
ss_m.data[0] = 0; ss_m.eliminate_zeros()
assert ss_m.nnz == 2

# %% case: sp_interpolators_and_trees
import numpy as np
from scipy.interpolate import CubicSpline, interp1d, RegularGridInterpolator, RBFInterpolator, make_interp_spline, BSpline
from scipy.spatial import cKDTree, KDTree, ConvexHull, Delaunay
it_x = np.linspace(0, 3, 7); it_y = np.sin(it_x)
it_cs = CubicSpline(it_x, it_y)
it_d = it_cs.derivative
it_old = interp1d(it_x, it_y, kind='quadratic', fill_value='extrapolate')
it_rg = RegularGridInterpolator((it_x, it_x), np.outer(it_y, it_y))
it_bs = make_interp_spline(it_x, it_y, k=3)
# %%
it_pts = np.array([[0., 0.], [1., 0.], [0., 1.], [1., 1.], [.5, .5]])
it_tree = cKDTree(it_pts); it_tree2 = KDTree(it_pts)
it_hull = ConvexHull(it_pts); it_tri = Delaunay(it_pts)
it_models = {'spline': it_cs, 'b': it_bs}
# %%
it_rbf = RBFInterpolator(it_pts, it_pts.sum(1))
it_v = float(it_cs(1.3))
# %% check
assert abs(float(it_cs(1.3)) - np.sin(1.3)) < .01 and float(it_cs(1.3)) == it_v
assert it_models['spline'] is it_cs and it_d.__self__ is it_cs
assert abs(float(it_d()(0.)) - float(it_cs(0., 1))) < 1e-12
assert abs(float(it_old(3.1)) - np.sin(3.1)) < .05
assert np.allclose(it_rg([[1., 1.]]), np.sin(1.) ** 2)
assert abs(float(it_bs(2.2)) - np.sin(2.2)) < .01 and isinstance(it_bs, BSpline)
assert it_tree.query([.9, .9])[1] == 3 and it_tree2.query_ball_point([0, 0], 1.01) == [0, 1, 2, 4]
assert it_tree.data.shape == (5, 2) and it_tree.n == 5
assert sorted(it_hull.vertices.tolist()) == [0, 1, 2, 3] and it_hull.volume == 1.
assert it_tri.find_simplex([[.5, .1]])[0] >= 0 and it_tri.simplices.shape == (4, 3)
assert np.allclose(it_rbf(it_pts), it_pts.sum(1))

# %% case: sp_distributions_and_results
import numpy as np
from scipy import stats, optimize, integrate
class DsTri(stats.rv_continuous):
    def _pdf(self, x): return 2 * x
    def _cdf(self, x): return x ** 2
ds_own = DsTri(a=0, b=1, name='dstri')
ds_frozen = stats.norm(loc=2, scale=3)
ds_rng = np.random.default_rng(12)
ds_frozen.random_state = ds_rng
ds_kde = stats.gaussian_kde([1., 2., 2.5, 4.])
ds_sob = stats.qmc.Sobol(2, scramble=False)
# %%
ds_s1 = ds_frozen.rvs(3)
ds_path = []
def ds_rosen_cb(xk): ds_path.append(xk.copy())
ds_res = optimize.minimize(lambda p: (p[0] - 1) ** 2 + (p[1] + 2) ** 2, [0, 0], callback=ds_rosen_cb, method='BFGS')
ds_p1 = ds_sob.random(2)
# %%
ds_ode = integrate.solve_ivp(lambda t, y: -y, (0, 1), [1.], dense_output=True)
ds_inv = ds_res.hess_inv
ds_p2 = ds_sob.random(2)
# %% check
ds_w = np.random.default_rng(12)
assert np.array_equal(ds_s1, stats.norm(2, 3).rvs(3, random_state=ds_w))
assert ds_frozen.random_state is ds_rng
assert ds_frozen.rvs() == stats.norm(2, 3).rvs(random_state=ds_w)
assert ds_rng.random() == ds_w.random()
assert type(ds_own) is DsTri and abs(ds_own.ppf(.25) - .5) < 1e-9 and abs(ds_own.mean() - 2/3) < 1e-6
assert ds_res.success and np.allclose(ds_res.x, [1, -2], atol=1e-4) and len(ds_path) == ds_res.nit
assert ds_res['hess_inv'] is ds_inv and ds_res.hess_inv is ds_inv
assert abs(ds_ode.sol(.5)[0] - np.exp(-.5)) < 1e-2
assert ds_kde.evaluate([2.])[0] > ds_kde.evaluate([6.])[0]
ds_q = stats.qmc.Sobol(2, scramble=False).random(8)
assert np.array_equal(np.vstack([ds_p1, ds_p2, ds_sob.random(4)]), ds_q)
assert ds_sob.num_generated == 8

# %% case: sk_redefined_estimator_and_memory
import numpy as np, shutil
from joblib import Memory
from sklearn.base import BaseEstimator, ClassifierMixin, is_classifier
from sklearn.utils.validation import check_is_fitted
rm_mem = Memory('b_joblib_cache', verbose=0)
rm_count = [0]
class RmMajor(ClassifierMixin, BaseEstimator):
    version = 1
    def fit(self, X, y):
        self.classes_, n = np.unique(y, return_counts=True)
        self.major_ = self.classes_[n.argmax()]
        return self
    def predict(self, X): return np.full(len(X), self.major_)
rm_old = RmMajor().fit([[0]] * 3, ['a', 'b', 'b'])
RmOldClass = RmMajor
# %%
class RmMajor(ClassifierMixin, BaseEstimator):
    version = 2
    def fit(self, X, y):
        super_old = RmOldClass().fit(X, y)
        self.__dict__.update(super_old.__dict__)
        return self
    def predict(self, X): return [self.major_] * len(X)
rm_new = RmMajor().fit([[0]] * 3, ['c', 'c', 'b'])
# %%
def rm_slow(n):
    rm_count[0] += 1
    return n ** 2
rm_v = rm_slow(4)
# %% check
assert type(rm_old) is RmOldClass and type(rm_new) is RmMajor and RmMajor is not RmOldClass
assert not isinstance(rm_old, RmMajor)
assert (rm_old.version, rm_new.version) == (1, 2)
assert rm_old.predict([[1]]).tolist() == ['b'] and rm_new.predict([[1], [2]]) == ['c', 'c']
assert is_classifier(rm_new) and check_is_fitted(rm_old) is None
assert rm_old.score([[0]], ['b']) == 1.0
assert rm_v == 16 and rm_slow(5) == 25 and rm_count == [2]
assert str(rm_mem.location).endswith('b_joblib_cache')
assert repr(rm_new) == 'RmMajor()'
# %% case: sk_memories_of_joblib
from joblib import Memory
smj_calls = []
smj_memory = Memory("smj_cache", verbose=0)
def smj_square(n):
    smj_calls.append(n)
    return n * n
smj_cached = smj_memory.cache(smj_square)
smj_four = smj_cached(2)
smj_since = smj_memory.timestamp
smj_ref = smj_cached.call_and_shelve(3)
# %%
smj_again = smj_cached(2)
# %%
@smj_memory.cache(ignore=["verbose"])
def smj_cube(n, verbose=0):
    smj_calls.append(-n)
    return n ** 3
smj_eight = [smj_cube(2), smj_cube(2, verbose=1)]
# %%
smj_ref2 = smj_cube.call_and_shelve(3)
# %% check
assert smj_calls == [2, 3, -2, -3] and smj_four == smj_again == 4 and smj_eight == [8, 8]
assert smj_memory.timestamp == smj_since and smj_ref.get() == 9 and smj_ref2.get() == 27
assert smj_cached(2) == 4 and smj_cube(2) == 8 and smj_calls == [2, 3, -2, -3] and smj_cached.store_backend is smj_memory.store_backend
# %% case: sp_lowlevel_and_signal_state
import numpy as np
from scipy import signal, fft, ndimage
sg_sos = signal.butter(4, .2, output='sos')
sg_zi = signal.sosfilt_zi(sg_sos) * 0
sg_in = np.random.default_rng(1).normal(size=90)
sg_stft = signal.ShortTimeFFT(signal.windows.hann(16), hop=8, fs=1.)
sg_out = np.empty(90)
sg_lti = signal.TransferFunction([1.], [1., 2., 1.])
sg_poly = np.poly1d([1, -3, 2]); sg_cheb = np.polynomial.Chebyshev([1, 2, 3], domain=[-2, 2])
# %%
sg_out[:30], sg_zi = signal.sosfilt(sg_sos, sg_in[:30], zi=sg_zi)
sg_first = sg_out[:30]
# %%
sg_out[30:60], sg_zi = signal.sosfilt(sg_sos, sg_in[30:60], zi=sg_zi)
sg_box = {'state': sg_zi, 'head': sg_first}
# %%
sg_out[60:], sg_zi = signal.sosfilt(sg_sos, sg_in[60:], zi=sg_zi)
# %% check
assert np.allclose(sg_out, signal.sosfilt(sg_sos, sg_in))
assert sg_box['head'] is sg_first and np.shares_memory(sg_first, sg_out)
assert sg_box['state'] is not sg_zi
sg_first[0] = 99
assert sg_out[0] == 99
assert sg_stft.stft(sg_in).shape[0] == 9 and sg_stft.hop == 8
assert np.allclose(sorted(sg_poly.r), [1, 2]) and sg_poly(0) == 2
assert sg_cheb.domain.tolist() == [-2, 2] and sg_cheb.deriv().degree() == 1
assert sg_lti.poles.tolist() == [-1., -1.] or np.allclose(sg_lti.poles, -1)
