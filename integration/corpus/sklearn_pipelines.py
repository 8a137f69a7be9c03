# Estimators: nested objects, estimators of the notebook, warm starts, shared random states.
# %% case: skl_pipeline_steps_are_the_objects
import numpy as np, pandas as pd
from sklearn.pipeline import Pipeline, FeatureUnion
from sklearn.preprocessing import StandardScaler, FunctionTransformer
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge
skp_df = pd.DataFrame({'a': np.arange(12.), 'b': np.arange(12.) ** 2, 'c': list('xyz') * 4})
skp_scale = StandardScaler().set_output(transform='pandas')
skp_scale_add = lambda X: X * skp_factor['k']
skp_factor = {'k': 1.0}
skp_ct = ColumnTransformer([('num', skp_scale, ['a', 'b']), ('fn', FunctionTransformer(lambda X: skp_scale_add(X)), ['b'])], remainder='drop')
skp_pipe = Pipeline([('ct', skp_ct), ('reg', Ridge())])
# %%
skp_pipe.fit(skp_df, skp_df.a * 2)
skp_reg, skp_pred = skp_pipe[-1], skp_pipe.predict(skp_df)
# %% check
assert skp_pipe.named_steps['reg'] is skp_reg is skp_pipe.steps[1][1] and skp_pipe['ct'] is skp_ct and skp_ct.transformers[0][1] is skp_scale
assert skp_ct.named_transformers_['num'] is not skp_scale and not hasattr(skp_scale, 'mean_') and np.array_equal(skp_pipe.predict(skp_df), skp_pred)
skp_reg.intercept_ += 100
assert np.allclose(skp_pipe.predict(skp_df), skp_pred + 100)
skp_factor['k'] = 0.0
assert not np.allclose(skp_pipe.predict(skp_df), skp_pred + 100) and list(skp_ct.feature_names_in_) == ['a', 'b', 'c']
# %% case: skl_custom_estimator_redefined
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.pipeline import make_pipeline
class SceClip(TransformerMixin, BaseEstimator):
    fits = 0
    def __init__(self, q=0.1, log=None): self.q = q; self.log = log
    def fit(self, X, y=None):
        type(self).fits += 1
        self.lo_, self.n_features_in_ = np.quantile(X, self.q, axis=0), X.shape[1]; return self
    def transform(self, X): return np.maximum(X, self.lo_)
class SceMajority(ClassifierMixin, BaseEstimator):
    def fit(self, X, y): self.classes_, n = np.unique(y, return_counts=True); self.best_ = self.classes_[n.argmax()]; return self
    def predict(self, X): return np.full(len(X), self.best_)
sce_log = ['shared']
sce_old = SceClip(log=sce_log); sce_X = np.arange(20.).reshape(10, 2)
sce_pipe = make_pipeline(sce_old, SceMajority()).fit(sce_X, [0] * 7 + [1] * 3)
# %%
class SceClip(SceClip):
    def transform(self, X): return super().transform(X) * 0
sce_new = SceClip(q=0.5).fit(sce_X)
# %% check
assert sce_pipe[0] is sce_old and type(sce_old) is SceClip.__mro__[1] is not SceClip and type(sce_old).fits == 1 and SceClip.fits == 2
assert sce_pipe[0].transform(sce_X)[0, 0] == sce_old.lo_[0] and not sce_new.transform(sce_X).any() and sce_pipe.score(sce_X, [0] * 10) == 1.0
assert sce_pipe[0].log is sce_log and type(clone(sce_old)) is type(sce_old) and clone(sce_new).get_params() == {'q': 0.5, 'log': None} and sce_pipe.get_params()['sceclip__q'] == 0.1
# %% case: skl_warm_start_continues
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDRegressor
from sklearn.neural_network import MLPRegressor
swc_r = np.random.RandomState(0); swc_X = swc_r.normal(size=(60, 3)); swc_y = (swc_X[:, 0] > 0).astype(int)
def swc_make(): return RandomForestClassifier(3, warm_start=True, random_state=4), SGDRegressor(random_state=1), MLPRegressor(hidden_layer_sizes=(4,), random_state=2)
def swc_go(ms, n):
    ms[0].set_params(n_estimators=n).fit(swc_X, swc_y); ms[1].partial_fit(swc_X, swc_y); ms[2].partial_fit(swc_X, swc_y)
swc_ms = swc_make()
swc_go(swc_ms, 3)
swc_trees = list(swc_ms[0].estimators_)
# %%
swc_go(swc_ms, 5)
# %% check
swc_go(swc_ms, 7); swc_tw = swc_make()
for _swc in (3, 5, 7): swc_go(swc_tw, _swc)
assert all(np.array_equal(a.predict(swc_X), b.predict(swc_X)) for a, b in zip(swc_ms, swc_tw)) and np.array_equal(swc_ms[0].predict_proba(swc_X), swc_tw[0].predict_proba(swc_X))
assert len(swc_ms[0].estimators_) == 7 and all(a is b for a, b in zip(swc_trees, swc_ms[0].estimators_)) and swc_ms[1].t_ == swc_tw[1].t_ and swc_ms[2]._optimizer.t == swc_tw[2]._optimizer.t
# %% case: skl_random_state_shared_by_estimators
import numpy as np
from sklearn.model_selection import KFold, ShuffleSplit
from sklearn.cluster import KMeans
srs_rng = np.random.RandomState(8)
srs_cv, srs_km = KFold(3, shuffle=True, random_state=srs_rng), KMeans(2, n_init=1, random_state=srs_rng)
srs_sh = ShuffleSplit(2, test_size=2, random_state=3)
srs_X = np.random.RandomState(1).normal(size=(12, 2))
# %%
srs_a = [t.tolist() for _, t in srs_cv.split(srs_X)]
srs_km.fit(srs_X)
# %% check
srs_r = np.random.RandomState(8)
srs_c2, srs_k2 = KFold(3, shuffle=True, random_state=srs_r), KMeans(2, n_init=1, random_state=srs_r)
assert [t.tolist() for _, t in srs_c2.split(srs_X)] == srs_a
srs_k2.fit(srs_X)
assert srs_km.random_state is srs_rng is srs_cv.random_state and np.array_equal(srs_km.labels_, srs_k2.labels_)
assert [t.tolist() for _, t in srs_cv.split(srs_X)] == [t.tolist() for _, t in srs_c2.split(srs_X)] and srs_rng.randint(10 ** 6) == srs_r.randint(10 ** 6)
# %% case: skl_grid_search_with_local_scorer
import numpy as np, functools
from sklearn.model_selection import GridSearchCV
from sklearn.metrics import make_scorer
from sklearn.neighbors import KNeighborsClassifier
sgs_calls = []
def sgs_metric(y, p, bonus=0): sgs_calls.append(len(y)); return float((y == p).mean()) + bonus
sgs_X, sgs_y = np.r_[np.zeros((6, 1)), np.ones((6, 1))] + np.arange(12)[:, None] * .01, np.r_[[0] * 6, [1] * 6]
sgs_gs = GridSearchCV(KNeighborsClassifier(metric=lambda a, b: abs(a - b).sum()), {'n_neighbors': [1, 3]}, scoring=make_scorer(sgs_metric, bonus=1), cv=3)
# %%
sgs_gs.fit(sgs_X, sgs_y)
sgs_n = len(sgs_calls)
# %% check
assert sgs_n == 6 == len(sgs_calls) and sgs_gs.best_score_ == 2.0 and sgs_gs.cv_results_['params'] == [{'n_neighbors': 1}, {'n_neighbors': 3}]
assert sgs_gs.score(sgs_X, sgs_y) == 2.0 and len(sgs_calls) == 7 and sgs_gs.scorer_._score_func is sgs_metric and sgs_gs.best_estimator_ is not sgs_gs.estimator
assert np.ma.isMaskedArray(sgs_gs.cv_results_['param_n_neighbors']) and sgs_gs.predict([[0.0], [1.0]]).tolist() == [0, 1]
# %% case: skl_ensembles_with_shared_members
import numpy as np
from sklearn.ensemble import VotingRegressor, StackingRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.dummy import DummyRegressor
ses_X, ses_y = np.arange(10.)[:, None], np.arange(10.) * 3
ses_lin = LinearRegression()
ses_vote = VotingRegressor([('l', ses_lin), ('d', DummyRegressor())]); ses_stack = StackingRegressor([('l', ses_lin), ('v', ses_vote)], final_estimator=Ridge(1e-6))
# %%
ses_lin.fit(ses_X, ses_y); ses_vote.fit(ses_X, ses_y); ses_stack.fit(ses_X, ses_y)
ses_fit0 = ses_vote.estimators_[0]
# %% check
assert ses_vote.estimators[0][1] is ses_lin is ses_stack.estimators[0][1] and ses_stack.estimators[1][1] is ses_vote and ses_fit0 is not ses_lin and ses_vote.named_estimators_['l'] is ses_fit0
ses_fit0.coef_[0] = 0.0
assert np.allclose(ses_vote.predict(ses_X), ses_vote.predict(ses_X)[0]) and np.allclose(ses_lin.predict([[2.0]]), 6)
ses_lin.fit_intercept = False
assert ses_stack.get_params()['v__l__fit_intercept'] is False
# %% case: skl_text_with_custom_tokenizer
from sklearn.feature_extraction.text import TfidfVectorizer, CountVectorizer
stt_stop = {'the'}
class SttTok:
    seen = 0
    def __init__(self, stop): self.stop = stop
    def __call__(self, doc):
        SttTok.seen += 1
        return [w for w in doc.lower().split() if w not in self.stop]
stt_tok = SttTok(stt_stop)
stt_vec = TfidfVectorizer(tokenizer=stt_tok, token_pattern=None)
stt_cv = CountVectorizer(analyzer=str.split, vocabulary={'b': 0, 'a': 1})
# %%
stt_X = stt_vec.fit_transform(['the cat sat', 'a cat'])
stt_analyze = stt_vec.build_analyzer()
# %% check
assert stt_vec.tokenizer is stt_tok and stt_tok.stop is stt_stop and SttTok.seen == 2 and stt_analyze('THE dog') == ['dog']
stt_stop.add('dog')
assert stt_analyze('the dog') == [] and SttTok.seen == 4 and sorted(stt_vec.vocabulary_) == ['a', 'cat', 'sat']
assert abs(stt_vec.transform(['cat sat', 'cat a']).toarray() - [[0, .5797386715, .8148024747], [.8148024747, .5797386715, 0]]).max() < 1e-6 and stt_X.shape == (2, 3) and stt_cv.transform(['a a b']).toarray().tolist() == [[1, 2]]
# %% case: skl_global_configuration [alone]
import sklearn, numpy as np, pandas as pd
from sklearn.preprocessing import StandardScaler
sklearn.set_config(transform_output='pandas', display='text', assume_finite=True)
sgc_s = StandardScaler().fit(pd.DataFrame({'q': [1., 2., 3.]}))
# %%
sgc_ctx = sklearn.config_context(transform_output='default')
# %% check
assert sklearn.get_config()['assume_finite'] is True and sklearn.get_config()['display'] == 'text' and list(sgc_s.transform(pd.DataFrame({'q': [5.]})).columns) == ['q']
with sgc_ctx:
    sgc_arr = sgc_s.transform(pd.DataFrame({'q': [2.]}))
assert type(sgc_arr) is np.ndarray and sklearn.get_config()['transform_output'] == 'pandas' and sgc_arr[0, 0] == 0.0
# %% case: skl_search_trees_sparse_and_tree_struct
import numpy as np, scipy.sparse as sst_sp
from scipy.spatial import cKDTree
from scipy.interpolate import CubicSpline
from scipy.stats import norm, gaussian_kde
from sklearn.tree import DecisionTreeRegressor
from sklearn.neighbors import KDTree
sst_X = np.random.RandomState(2).rand(30, 2); sst_kd, sst_ck = KDTree(sst_X), cKDTree(sst_X)
sst_t = DecisionTreeRegressor(max_depth=3, random_state=0).fit(sst_X, sst_X[:, 0]); sst_tree = sst_t.tree_
sst_m = sst_sp.csr_array(np.diag([1., 2., 3.])); sst_mat = sst_sp.csr_matrix((sst_m.data, sst_m.indices, sst_m.indptr), copy=False)
sst_spl, sst_frozen, sst_kde = CubicSpline([0, 1, 2], [0, 1, 4]), norm(loc=1, scale=2), gaussian_kde([1., 2., 4.])
sst_lil = sst_sp.lil_array((2, 2))
# %%
sst_m.data[1] = 20; sst_lil[0, 1] = 5; sst_thr = sst_tree.threshold
sst_q = sst_ck.query([.5, .5], k=3)
# %% check
assert sst_mat[1, 1] == 20 and np.shares_memory(sst_mat.data, sst_m.data) and sst_lil.toarray()[0, 1] == 5 and sst_t.tree_ is sst_tree and np.array_equal(sst_t.tree_.threshold, sst_thr)
assert np.allclose(sst_kd.query([[.5, .5]], k=3)[0][0], sst_q[0]) and np.array_equal(sst_ck.query([.5, .5], k=3)[1], sst_q[1]) and float(sst_spl(1.5)) == 2.25 and sst_frozen.mean() == 1.0 and sst_kde.dataset.tolist() == [[1, 2, 4]]
sst_mat.data[0] = -1
assert sst_m[0, 0] == -1 and sst_frozen.dist.name == 'norm' and sst_t.get_depth() == 3
# %% case: skl_search_over_steps_that_note_their_calls
import numpy as np, pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
sns_rng = np.random.default_rng(0)
sns_X = pd.DataFrame({"a": sns_rng.normal(size=60), "b": sns_rng.normal(size=60), "c": list("xyz") * 20})
sns_y = (sns_X.a + (sns_X.c == "x") > 0.2).astype(int)
class SnsClip(BaseEstimator, TransformerMixin):
    def __init__(self, limit=2.0): self.limit = limit
    def fit(self, X, y=None): self.seen_ = len(X); return self
    def transform(self, X): return np.clip(X, -self.limit, self.limit)
# %%
sns_calls = []
def sns_note(X): sns_calls.append(len(X)); return X
sns_numbers = Pipeline([("clip", SnsClip()), ("note", FunctionTransformer(sns_note)), ("scale", StandardScaler())])
sns_pipe = Pipeline([("columns", ColumnTransformer([("numbers", sns_numbers, ["a", "b"]), ("words", OneHotEncoder(), ["c"])])), ("model", LogisticRegression())])
sns_search = GridSearchCV(sns_pipe, {"model__C": [0.1, 1.0], "columns__numbers__clip__limit": [1.0, 3.0]},
                          cv=StratifiedKFold(3, shuffle=True, random_state=np.random.RandomState(1)),
                          scoring=lambda model, X, y: float((model.predict(X) == y).mean()))
# %%
sns_search.fit(sns_X, sns_y); sns_fitted = len(sns_calls)
# %%
sns_guess = sns_search.predict(sns_X)
# %% check
assert len(sns_calls) == sns_fitted + 1 and (sns_guess == sns_y).mean() > 0.8 and sns_search.estimator is sns_pipe
sns_clip = sns_search.best_estimator_["columns"].named_transformers_["numbers"]["clip"]
assert type(sns_clip) is SnsClip and sns_clip.seen_ == 60 and not hasattr(sns_pipe["model"], "classes_")
sns_search.predict(sns_X[:5])
assert sns_calls[-1] == 5 and sns_search.get_params()["estimator__model"] is sns_pipe["model"]
