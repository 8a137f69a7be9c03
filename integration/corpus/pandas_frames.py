# Frames: copy-on-write links, dtypes, index objects, attributes, extension points.
# %% case: pd_copy_on_write_links
import pandas as pd, numpy as np
pcw_df = pd.DataFrame({'a': [1, 2, 3], 'b': [1.0, 2.0, 3.0]})
pcw_lazy = pcw_df.copy(deep=False)
pcw_col = pcw_df['a']
pcw_rows = pcw_df[1:]
pcw_ren = pcw_df.rename(columns={'a': 'A'})
# %%
pcw_more = pcw_ren.assign(c=lambda d: d.A * 2)
# %% check
pcw_df.loc[1, 'a'] = 99
assert pcw_lazy.loc[1, 'a'] == 2 and pcw_col[1] == 2 and pcw_rows.loc[1, 'a'] == 2 and pcw_ren.loc[1, 'A'] == 2
pcw_rows.iloc[0, 1] = -1.0
assert pcw_df.loc[1, 'b'] == 2.0 and pcw_lazy.loc[1, 'b'] == 2.0 and pcw_more.loc[1, 'b'] == 2.0
pcw_col.iloc[0] = 7
assert pcw_df.loc[0, 'a'] == 1 and pcw_ren.loc[0, 'A'] == 1 and pcw_more.c.tolist() == [2, 4, 6]
# %% case: pd_frame_over_a_numpy_array
import pandas as pd, numpy as np
pfn_arr = np.zeros((3, 2))
pfn_df = pd.DataFrame(pfn_arr, columns=list('xy'), copy=False)
pfn_s = pd.Series(pfn_arr[:, 0], copy=False)
pfn_vals = pfn_df.to_numpy()
# %%
pfn_arr[1, 0] = 5
# %% check
assert pfn_df.loc[1, 'x'] == 5 and pfn_s[1] == 5 and pfn_vals[1, 0] == 5
pfn_arr[2, 1] = 6
assert pfn_df.loc[2, 'y'] == 6 and pfn_vals[2, 1] == 6 and not pfn_vals.flags.writeable and pfn_arr.flags.writeable
assert np.shares_memory(pfn_vals, pfn_arr)
# %% case: pd_categories_kept_exactly
import pandas as pd
pce_t = pd.CategoricalDtype(['lo', 'mid', 'hi', 'unused'], ordered=True)
pce_df = pd.DataFrame({'c': pd.Categorical(['hi', None, 'lo'], dtype=pce_t), 'u': pd.Categorical(['z', 'a', 'z'])})
pce_cat = pd.Categorical(['x', 'y', 'x'])
# %%
pce_df['c'] = pce_df['c'].cat.add_categories('max').cat.set_categories(['max', 'hi', 'mid', 'lo'], ordered=True)
pce_cat[1] = 'x'
# %% check
assert list(pce_df.c.cat.categories) == ['max', 'hi', 'mid', 'lo'] and pce_df.c.cat.ordered and pce_df.c.cat.codes.tolist() == [1, -1, 3]
assert pce_df.c.max() == 'lo' and (pce_df.c > 'hi').tolist() == [False, False, True] and list(pce_t.categories)[-1] == 'unused' and pce_df.c.dtype != pce_t
assert list(pce_df.u.cat.categories) == ['a', 'z'] and not pce_df.u.cat.ordered and list(pce_cat) == ['x', 'x', 'x'] and list(pce_cat.categories) == ['x', 'y']
assert pce_df.groupby('u', observed=False).size().to_dict() == {'a': 1, 'z': 2}
# %% case: pd_multiindex_unused_levels_and_names
import pandas as pd, numpy as np
pmi_df = pd.DataFrame({'v': range(6)}, index=pd.MultiIndex.from_product([['a', 'b'], [3, 1, 2]], names=['k', None]))
pmi_sub = pmi_df.loc[['b']]
pmi_wide = pmi_df.unstack('k')
pmi_same = pd.Series(range(6), index=pmi_df.index)
# %%
pmi_sub.index = pmi_sub.index.set_names(['k', 'n'])
pmi_wide.columns.names = ['metric', 'key']
# %% check
assert pmi_df.index.names == ['k', None] and pmi_sub.index.names == ['k', 'n'] and list(pmi_sub.index.levels[0]) == ['a', 'b']
assert not pmi_df.index.is_monotonic_increasing and pmi_df.index.get_level_values(1).tolist() == [3, 1, 2] * 2 and pmi_same.index is pmi_same.index
assert pmi_wide.columns.names == ['metric', 'key'] and pmi_wide.loc[3, ('v', 'b')] == 3 and pmi_df.loc[('b', 2), 'v'] == 5
assert list(pmi_sub.index.remove_unused_levels().levels[0]) == ['b'] and pmi_wide.index.tolist() in ([1, 2, 3], [3, 1, 2])
# %% case: pd_index_objects_shared_and_cached
import pandas as pd
pix_idx = pd.Index([10, 20, 30], name='t')
pix_a, pix_b = pd.DataFrame({'x': [1, 2, 3]}, index=pix_idx), pd.Series([4, 5, 6], index=pix_idx)
pix_dates = pd.date_range('2024-01-29', periods=4, freq='BME', tz='Europe/Berlin')
pix_ts = pd.Series(range(4), index=pix_dates)
pix_rng, pix_int = pd.RangeIndex(1, 9, 3), pd.IntervalIndex.from_breaks([0, 1, 5], closed='left')
# %%
pix_b.index.name = 'renamed through the series'
pix_part = pix_ts.iloc[::2]
# %% check
assert pix_a.index.name == pix_idx.name == pix_b.index.name == 'renamed through the series'
assert pix_a.index is pix_idx and pix_b.index is pix_idx
assert pix_ts.index.freqstr == 'BME' and pix_part.index.freqstr == '2BME' and str(pix_ts.index.tz) == 'Europe/Berlin' and pix_dates.freq == pd.offsets.BMonthEnd()
assert isinstance(pix_rng, pd.RangeIndex) and pix_rng.step == 3 and pix_int.closed == 'left' and pix_int.get_loc(1) == 1
# %% case: pd_attrs_flags_and_shared_objects
import pandas as pd
pat_meta = {'source': ['a.csv']}
pat_df = pd.DataFrame({'o': [None, None], 'n': [1, 2]})
pat_df.attrs = pat_meta
pat_cfg = {'deep': 1}
pat_df['o'] = pd.Series([pat_cfg, pat_cfg], dtype=object)
pat_strict = pat_df.set_flags(allows_duplicate_labels=False)
# %%
pat_df.attrs['unit'] = 'm'; pat_df.at[0, 'o']['deep'] = 2
pat_derived = pat_df.head(1)
# %% check
assert pat_cfg == {'deep': 2} and pat_df.at[1, 'o'] is pat_cfg is pat_derived.at[0, 'o'] is pat_df.o.iloc[0]
assert pat_df.attrs == {'source': ['a.csv'], 'unit': 'm'} == pat_derived.attrs and 'unit' not in pat_strict.attrs
assert not pat_strict.flags.allows_duplicate_labels and pat_df.flags.allows_duplicate_labels
try:
    pd.concat([pat_strict, pat_strict])
except pd.errors.DuplicateLabelError:
    pat_dup = True
else:
    pat_dup = False
assert pat_dup
# %% case: pd_groupby_rolling_objects_wait
import pandas as pd
pgr_df = pd.DataFrame({'g': ['x', 'y', 'x', None], 'v': [1, 2, 3, 4]}, index=pd.date_range('2024', periods=4, freq='D'))
pgr_gb = pgr_df.groupby('g', sort=False, dropna=False)
pgr_roll, pgr_exp, pgr_res = pgr_df.v.rolling(2, min_periods=1), pgr_df.v.expanding(), pgr_df.v.resample('2D')
pgr_sel = pgr_gb['v']
pgr_loc = pgr_df.loc
pgr_str = pd.Series(['ab', 'cd']).str
# %%
pgr_df['w'] = pgr_df.v * 10
# %% check
assert pgr_sel.sum().tolist() == [4, 2, 4] and list(pgr_gb.groups)[:2] == ['x', 'y'] and pgr_gb.obj is pgr_df
assert pgr_roll.sum().tolist() == [1, 3, 5, 7] and pgr_exp.max().tolist() == [1, 2, 3, 4] and pgr_res.sum().tolist() == [3, 7]
pgr_loc[pgr_df.index[0], 'v'] = 100
assert pgr_df.v.iloc[0] == 100 and pgr_str.upper().tolist() == ['AB', 'CD'] and pgr_gb.get_group('y').v.tolist() == [2]
# %% case: pd_nullable_string_sparse_dtypes
import pandas as pd, numpy as np
pns_df = pd.DataFrame({'i': pd.array([1, None, 3], 'Int16'), 'b': pd.array([True, None, False], 'boolean'), 's': pd.array(['a', None, 'c'], 'string'),
    'p': pd.period_range('2024Q1', periods=3, freq='Q'), 'z': pd.arrays.SparseArray([0, 0, 5], fill_value=0), 'd': pd.to_timedelta([1, 2, None], 's'), 'plain': ['x', None, 'y']})
pns_na, pns_nat = pd.NA, pd.NaT
pns_obj = pd.Series([1, 'a', pd.NA, None, np.nan, pd.Timestamp('2024')], dtype=object)
# %%
pns_df.loc[0, 'i'] = pd.NA; pns_df.loc[3, 'i'] = 7
pns_types = {c: str(t) for c, t in pns_df.dtypes.items()}
# %% check
assert {c: str(t) for c, t in pns_df.dtypes.items()} == pns_types and pns_df.i.dtype == 'Int16' and pns_df.i.sum() == 10
assert pns_na is pd.NA is pns_df.loc[0, 'i'] and pns_nat is pd.NaT and pns_df.loc[1, 'b'] is pd.NA and pns_obj[2] is pd.NA and pns_obj[3] is None and pns_obj[4] is np.nan
assert pns_df.p.iloc[1] == pd.Period('2024Q2') and isinstance(pns_df.plain.dtype, pd.StringDtype) and pns_df.s.dtype.na_value is pd.NA and pns_df.plain.isna().sum() == 2
assert type(pns_obj[5]) is pd.Timestamp and type(pns_obj[0]) is int
# %% case: pd_registered_accessor_and_subclass
import pandas as pd
@pd.api.extensions.register_dataframe_accessor('psa_geo')
class PsaGeo:
    built = 0
    def __init__(self, obj): self._obj, self.cache = obj, {}; PsaGeo.built += 1
    def centre(self):
        self.cache.setdefault('c', float(self._obj['lat'].mean())); return self.cache['c']
class PsaFrame(pd.DataFrame):
    _metadata = ['unit', 'log']
    @property
    def _constructor(self): return PsaFrame
    @property
    def _constructor_sliced(self): return PsaSeries
class PsaSeries(pd.Series):
    @property
    def _constructor(self): return PsaSeries
psa_df = pd.DataFrame({'lat': [1.0, 3.0]})
psa_log = []
psa_f = PsaFrame({'a': [1, 2]}); psa_f.unit = 'kg'; psa_f.log = psa_log
# %%
psa_acc = psa_df.psa_geo
psa_c = psa_acc.centre(); psa_built = PsaGeo.built
psa_half = psa_f[psa_f.a > 1]
# %% check
assert psa_c == 2.0 and psa_acc.cache == {'c': 2.0} and PsaGeo.built == psa_built == 1 and psa_acc._obj is psa_df
assert type(psa_half) is PsaFrame and psa_half.unit == 'kg' and psa_half.log is psa_log is psa_f.log and type(psa_f['a']) is PsaSeries
assert pd.DataFrame({'lat': [5.0]}).psa_geo.centre() == 5.0 and pd.DataFrame.psa_geo is PsaGeo
# %% case: pd_options_and_plot_backend [alone]
import pandas as pd
pd.set_option('display.max_rows', 7, 'display.precision', 2)
pd.options.display.float_format = lambda v: f'<{v:.1f}>'
pop_df = pd.DataFrame({'x': [1.234, 5.678]})
pop_text = repr(pop_df)
# %%
pop_ctx = pd.option_context('display.max_rows', 3)
with pop_ctx:
    pop_in = pd.get_option('display.max_rows')
# %% check
assert pop_in == 3 and pd.get_option('display.max_rows') == 7 and pd.options.display.precision == 2
assert repr(pop_df) == pop_text and '<1.2>' in pop_text
with pd.option_context('mode.chained_assignment', None): pass
pd.reset_option('display.float_format')
assert '<' not in repr(pop_df)
# %% case: pd_iterators_over_frames [pinned]
import pandas as pd
pif_df = pd.DataFrame({'a': [1, 2, 3], 'b': list('xyz')}, index=[10, 20, 30])
pif_tuples = pif_df.itertuples(name='PifRow')
pif_first = next(pif_tuples)
pif_row = pif_df.iloc[1]
pif_dictrows = iter(pif_df.to_dict('records'))
# %%
pif_rec = next(pif_dictrows)
# %% check
pif_second = next(pif_tuples)
assert pif_first == (10, 1, 'x') and pif_first.b == 'x' and type(pif_first).__name__ == 'PifRow' and type(pif_second) is type(pif_first)
assert pif_second.Index == 20 and [t.a for t in pif_tuples] == [3]
assert pif_row.name == 20 and pif_rec == {'a': 1, 'b': 'x'} and next(pif_dictrows)['b'] == 'y'
# %% case: pd_generator_of_groups [pinned]
import pandas as pd, io
pgg_df = pd.DataFrame({'k': ['a', 'b', 'a'], 'v': [1, 2, 3]})
pgg_rows = pgg_df.iterrows()
pgg_one = next(pgg_rows)
# %% check
assert next(pgg_rows)[1]['v'] == 2 and pgg_one[1]['v'] == 1
# %% case: pd_extension_dtype_of_the_notebook
import pandas as pd, numpy as np
from pandas.api.extensions import ExtensionArray, ExtensionDtype, register_extension_dtype
@register_extension_dtype
class PedDtype(ExtensionDtype):
    name = 'ped_money'; type = float; na_value = np.nan
    @classmethod
    def construct_array_type(cls): return PedArray
class PedArray(ExtensionArray):
    def __init__(self, v): self._v = np.asarray(v, float); self._dtype = PedDtype()
    @classmethod
    def _from_sequence(cls, s, *, dtype=None, copy=False): return cls(list(s))
    @classmethod
    def _concat_same_type(cls, xs): return cls(np.concatenate([x._v for x in xs]))
    def __getitem__(self, i): r = self._v[i]; return r if np.isscalar(r) else PedArray(r)
    def __setitem__(self, i, v): self._v[i] = v
    def __len__(self): return len(self._v)
    def isna(self): return np.isnan(self._v)
    def take(self, idx, allow_fill=False, fill_value=None):
        return PedArray(pd.api.extensions.take(self._v, idx, allow_fill=allow_fill, fill_value=np.nan))
    def copy(self): return PedArray(self._v.copy())
    dtype = property(lambda self: self._dtype)
    nbytes = property(lambda self: self._v.nbytes)
ped_s = pd.Series([1.5, None, 3.0], dtype='ped_money')
# %%
ped_s[1] = 2.5
ped_df = pd.DataFrame({'m': ped_s, 'k': [1, 2, 3]})
# %% check
assert type(ped_s.dtype) is PedDtype and type(ped_df['m'].array) is PedArray and list(ped_df.m) == [1.5, 2.5, 3.0]
assert pd.Series([1], dtype='ped_money').array.dtype.name == 'ped_money' and ped_df.loc[ped_df.k > 1, 'm'].tolist() == [2.5, 3.0]
# %% case: pd_styler_grouper_and_offsets
import pandas as pd
pso_df = pd.DataFrame({'a': [1, -2]}, index=['p', 'q'])
pso_calls = []
def pso_paint(v):
    pso_calls.append(int(v)); return 'color: red' if v < 0 else ''
pso_off = pd.offsets.CustomBusinessDay(holidays=['2024-01-02'], weekmask='Mon Tue Wed Thu')
pso_q = pd.Grouper(key='t', freq='ME')
pso_cut = pd.cut([1, 5, 9], bins=3, retbins=True)
# %%
pso_buckets = dict(zip(['first', 'last'], pso_cut[0][[0, -1]]))
pso_window = pso_df.a.rolling(pd.api.indexers.FixedForwardWindowIndexer(window_size=2), min_periods=1)
# %% check
assert pd.Timestamp('2024-01-01') + pso_off == pd.Timestamp('2024-01-03') and pso_q.freq == pd.offsets.MonthEnd() and pso_q.key == 't'
assert pso_buckets['last'] == pso_cut[0].categories[2] and 5 in pso_cut[0].categories[1] and pso_cut[1].shape == (4,)
assert pso_window.sum().tolist() == [-1, -2] and pso_calls == [] and pso_df.a.map(pso_paint).tolist() == ['', 'color: red'] and pso_calls == [1, -2]
