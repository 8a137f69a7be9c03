# pandas as notebooks use it: frames and copies, group and window objects, accessors, options, custom types.
# %% case: pd_copy_on_write_and_series_cache
import pandas as pd, numpy as np
cw_df = pd.DataFrame({'a': [1, 2, 3], 'b': [4., 5., 6.]})
cw_alias = cw_df
cw_copy = cw_df.copy(deep=False)
cw_col = cw_df['a']
cw_vals = cw_df['b'].to_numpy()
# %%
cw_alias.loc[0, 'a'] = 100
cw_col.iloc[1] = 200
# %%
cw_df['c'] = cw_df['a'] * 2
cw_jobs = {'raw': cw_df, 'view': cw_copy}
# %% raises ValueError
cw_vals[0] = 9
# %% check
assert cw_alias is cw_df and cw_jobs['raw'] is cw_df and cw_jobs['view'] is cw_copy
assert cw_df['a'].tolist() == [100, 2, 3] and cw_copy['a'].tolist() == [1, 2, 3]
assert cw_col.tolist() == [1, 200, 3]
assert list(cw_copy.columns) == ['a', 'b'] and list(cw_df.columns) == ['a', 'b', 'c']
assert not cw_vals.flags.writeable
assert np.shares_memory(cw_copy['b'].to_numpy(), cw_vals)
cw_copy.loc[0, 'b'] = -1.
assert cw_df.loc[0, 'b'] == 4. and cw_vals[0] == 4.
cw_alias['d'] = 1
assert 'd' in cw_df.columns

# %% case: pd_registered_accessor
import pandas as pd
@pd.api.extensions.register_dataframe_accessor('bgeo')
class BGeo:
    made = 0
    def __init__(self, obj):
        if 'lat' not in obj.columns: raise AttributeError('needs lat')
        BGeo.made += 1
        self._obj = obj
        self.notes = obj.attrs.setdefault('notes', [])
    @property
    def center(self):
        return self._obj['lat'].mean()
    def note(self, t):
        self.notes.append(t)
        return self
@pd.api.extensions.register_series_accessor('btext')
class BText:
    def __init__(self, s): self.s = s
    def shout(self): return self.s.str.upper() + '!'
ac_df = pd.DataFrame({'lat': [10., 20.], 'city': ['oslo', 'bern']})
# %%
ac_df.bgeo.note('first')
ac_handle = ac_df.bgeo
# %%
ac_handle.note('second')
ac_s = ac_df['city']
# %% check
assert ac_handle.notes is ac_df.attrs['notes'] and ac_df.bgeo.notes == ['first', 'second']
assert ac_df.bgeo.center == 15.
assert type(ac_handle) is BGeo and BGeo.made >= 1
ac_n = BGeo.made
assert ac_handle._obj is ac_df
assert ac_s.btext.shout().tolist() == ['OSLO!', 'BERN!']
assert pd.DataFrame.bgeo is BGeo
ac_new = pd.DataFrame({'lat': [1.]})
assert ac_new.bgeo.center == 1. and BGeo.made == ac_n + 1
assert not hasattr(pd.DataFrame({'x': [1]}), 'bgeo')
assert 'bgeo' in pd.DataFrame._accessors

# %% case: pd_groupby_rolling_objects_kept
import pandas as pd, numpy as np
gr_df = pd.DataFrame({'k': list('abab'), 'v': [1., 2., 3., 4.], 't': pd.date_range('2024-01-01', periods=4, freq='D')})
gr_g = gr_df.groupby('k', sort=False, observed=True)
gr_roll = gr_df.set_index('t')['v'].rolling('2D', min_periods=1)
gr_ewm = gr_df['v'].ewm(alpha=.5)
gr_res = gr_df.set_index('t').resample('2D')
gr_sel = gr_g['v']
# %%
gr_sum = gr_sel.sum()
gr_parts = dict(list(gr_g))
# %%
gr_apply = gr_g.agg(lo=('v', 'min'), hi=('v', 'max'))
def gr_top(n):
    return gr_g.head(n)
# %% check
assert gr_sum.to_dict() == {'a': 4., 'b': 6.}
assert gr_g.obj is gr_df
assert gr_g.get_group('a')['v'].tolist() == [1., 3.]
assert list(gr_parts) == ['a', 'b'] and gr_parts['b']['v'].tolist() == [2., 4.]
assert gr_roll.sum().tolist() == [1., 3., 5., 7.]
assert gr_ewm.mean().iloc[-1] == gr_df['v'].ewm(alpha=.5).mean().iloc[-1]
assert gr_res['v'].sum().tolist() == [3., 7.]
assert gr_apply.loc['b', 'hi'] == 4. and len(gr_top(1)) == 2
assert gr_g.groups['b'].tolist() == [1, 3] and gr_g.ngroups == 2
assert gr_sel.transform('cumsum').tolist() == [1., 2., 4., 6.]

# %% case: pd_options_and_display [alone]
import pandas as pd
pd.set_option('display.max_rows', 6)
pd.options.display.float_format = lambda v: f'<{v:.1f}>'
pd.set_option('display.precision', 3)
pd.options.mode.use_inf_as_na if hasattr(pd.options.mode, 'use_inf_as_na') else None
op_df = pd.DataFrame({'x': [1.234, 5.678]})
# %%
op_before = {k: pd.get_option(k) for k in ('display.max_columns', 'display.width')}
pd.set_option('display.max_columns', 3, 'display.width', 40)
# %%
op_text = op_df.to_string()
pd.options.plotting.backend
# %% check
assert '<1.2>' in op_text
assert pd.get_option('display.max_rows') == 6 and pd.get_option('display.precision') == 3
assert pd.get_option('display.max_columns') == 3 and pd.get_option('display.width') == 40
assert '<5.7>' in repr(op_df)
for op_k, op_v in op_before.items():
    pd.set_option(op_k, op_v)
assert pd.get_option('display.width') == 80 and pd.get_option('display.max_columns') != 3
pd.reset_option('display.float_format')
assert '<' not in repr(op_df)

# %% case: pd_subclass_with_metadata
import pandas as pd
class LabSeries(pd.Series):
    _metadata = ['instrument']
    @property
    def _constructor(self): return LabSeries
    @property
    def _constructor_expanddim(self): return LabFrame
class LabFrame(pd.DataFrame):
    _metadata = ['lab', 'history']
    @property
    def _constructor(self): return LabFrame
    @property
    def _constructor_sliced(self): return LabSeries
    def logged(self, what):
        self.history.append(what)
        return self
lab_hist = []
lab_df = LabFrame({'t': [1, 2, 3], 'y': [2., 4., 6.]})
lab_df.lab = 'north'
lab_df.history = lab_hist
lab_df.attrs['source'] = {'file': 'run7.csv'}
# %%
lab_sub = lab_df[lab_df.t > 1]
lab_sub.logged('filtered')
lab_y = lab_df['y']
lab_y.instrument = 'scope'
# %%
lab_df.attrs['source']['checked'] = True
lab_src = lab_df.attrs['source']
# %% check
assert type(lab_df) is LabFrame and type(lab_sub) is LabFrame and type(lab_y) is LabSeries
assert lab_df.history is lab_hist and lab_sub.history is lab_hist and lab_hist == ['filtered']
assert lab_sub.lab == 'north' and lab_y.instrument == 'scope'
assert lab_df.attrs['source'] is lab_src and lab_src == {'file': 'run7.csv', 'checked': True}
assert 'checked' not in lab_sub.attrs['source']
assert type(lab_y * 2) is LabSeries and (lab_y * 2).instrument == 'scope'
assert type(lab_y.to_frame()) is LabFrame
assert lab_df.logged('x') is lab_df and lab_hist[-1] == 'x'
assert (lab_df + 1).attrs['source']['file'] == 'run7.csv'

# %% case: pd_own_extension_type
import pandas as pd, numpy as np
from pandas.api.extensions import ExtensionDtype, ExtensionArray, register_extension_dtype
@register_extension_dtype
class BMoneyDtype(ExtensionDtype):
    name = 'bmoney'
    type = int
    na_value = None
    @classmethod
    def construct_array_type(cls): return BMoneyArray
class BMoneyArray(ExtensionArray):
    def __init__(self, cents): self._c = np.asarray(cents, dtype='int64')
    @classmethod
    def _from_sequence(cls, s, *, dtype=None, copy=False): return cls([int(x) for x in s])
    @classmethod
    def _from_factorized(cls, v, o): return cls(v)
    def __getitem__(self, i):
        i = pd.api.indexers.check_array_indexer(self, i)
        r = self._c[i]
        return BMoneyArray(r) if isinstance(r, np.ndarray) else int(r)
    def __setitem__(self, i, v): self._c[i] = v
    def __len__(self): return len(self._c)
    def __eq__(self, o): return self._c == getattr(o, '_c', o)
    @property
    def dtype(self): return BMoneyDtype()
    @property
    def nbytes(self): return self._c.nbytes
    def isna(self): return self._c < 0
    def take(self, idx, *, allow_fill=False, fill_value=None):
        from pandas.api.extensions import take
        return BMoneyArray(take(self._c, idx, allow_fill=allow_fill, fill_value=-1))
    def copy(self): return BMoneyArray(self._c.copy())
    def _reduce(self, name, *, skipna=True, keepdims=False, **kw):
        return int(getattr(self._c, name)())
    def _formatter(self, boxed=False): return lambda c: f'${c/100:.2f}'
    @classmethod
    def _concat_same_type(cls, xs): return cls(np.concatenate([x._c for x in xs]))
mo_s = pd.Series([150, 275], dtype='bmoney')
# %%
mo_df = pd.DataFrame({'price': mo_s, 'n': [2, 1]})
mo_arr = mo_df['price'].array
# %%
mo_df2 = pd.concat([mo_df, mo_df], ignore_index=True)
# %% check
assert isinstance(mo_s.dtype, BMoneyDtype) and type(mo_arr) is BMoneyArray
assert mo_s.sum() == 425
assert str(mo_df2['price'].dtype) == 'bmoney' and len(mo_df2) == 4
assert '$2.75' in repr(mo_df)
assert pd.api.types.pandas_dtype('bmoney') == BMoneyDtype()
assert pd.Series([1, 2]).astype('bmoney').array.__class__ is BMoneyArray
assert mo_df.sort_values('n')['price'].tolist() == [275, 150]

# %% case: pd_categories_intervals_shared
import pandas as pd
ct_dt = pd.CategoricalDtype(['low', 'mid', 'high'], ordered=True)
ct_s = pd.Series(['mid', 'low', 'high', None], dtype=ct_dt)
ct_bins = pd.cut([1, 5, 9], bins=[0, 3, 6, 10], labels=None)
ct_idx = pd.MultiIndex.from_product([['x', 'y'], pd.period_range('2024-01', periods=2, freq='M')], names=['side', 'month'])
ct_df = pd.DataFrame({'v': range(4)}, index=ct_idx)
# %%
ct_s2 = ct_s.cat.rename_categories({'low': 'L'})
ct_un = ct_df.unstack('month')
ct_ix = ct_df.index
# %%
ct_df.loc[('y', '2024-02'), 'v'] = 99
ct_slice = pd.IndexSlice
ct_cat = ct_s.cat
# %% check
assert ct_s.dtype is ct_dt or ct_s.dtype == ct_dt
assert ct_s.cat.ordered and ct_s.max() == 'high' and ct_s.isna().sum() == 1
assert list(ct_s2.cat.categories) == ['L', 'mid', 'high']
assert ct_bins.categories[1] == pd.Interval(3, 6) and ct_bins.codes.tolist() == [0, 1, 2]
assert ct_df.index is ct_ix and ct_ix.names == ['side', 'month']
assert ct_df.loc[ct_slice[:, '2024-02'], 'v'].tolist() == [1, 99]
assert ct_slice is pd.IndexSlice
assert ct_un.columns.names == [None, 'month'] and ct_un.loc['y'].tolist() == [2, 3]
assert ct_ix.levels[1].freqstr == 'M' and ct_ix.get_level_values('month')[0] == pd.Period('2024-01', 'M')
assert ct_cat.codes.tolist() == [1, 0, 2, -1]
try:
    ct_s.iloc[0] = 'unknown'
    raise AssertionError
except TypeError:
    pass

# %% case: pd_time_zones_and_calendars
import pandas as pd, zoneinfo, datetime as dt
from pandas.tseries.offsets import CustomBusinessDay
from pandas.tseries.holiday import AbstractHolidayCalendar, Holiday, nearest_workday
tz_berlin = zoneinfo.ZoneInfo('Europe/Berlin')
class BTzCal(AbstractHolidayCalendar):
    rules = [Holiday('founding', month=3, day=5), Holiday('fest', month=6, day=1, observance=nearest_workday)]
tz_bday = CustomBusinessDay(calendar=BTzCal())
tz_idx = pd.date_range('2024-03-30', periods=4, freq='12h', tz=tz_berlin)
tz_s = pd.Series(range(4), index=tz_idx)
# %%
tz_stamp = tz_idx[0]
tz_utc = tz_s.tz_convert('UTC')
tz_days = pd.date_range('2024-03-04', periods=3, freq=tz_bday)
# %%
tz_delta = tz_idx[3] - tz_idx[0]
tz_freq = tz_idx.freq
tz_td = pd.to_timedelta(['1 days', '2h'])
# %% check
assert tz_idx.tz is tz_berlin and tz_stamp.tz is tz_berlin
assert zoneinfo.ZoneInfo('Europe/Berlin') is tz_berlin
assert tz_utc.index[0] == pd.Timestamp('2024-03-29 23:00', tz='UTC')
assert tz_utc.index.tz is dt.timezone.utc or str(tz_utc.index.tz) == 'UTC'
assert [d.day for d in tz_days] == [4, 6, 7]
assert tz_days.freq == tz_bday
assert tz_delta == pd.Timedelta('36h') and tz_freq == pd.offsets.Hour(12)
assert tz_td.sum() == pd.Timedelta('26h')
assert tz_bday.rollforward(pd.Timestamp('2024-03-05')) == pd.Timestamp('2024-03-06')
assert tz_stamp + pd.Timedelta(days=2) == pd.Timestamp('2024-04-01 01:00', tz='Europe/Berlin')

# %% case: pd_group_iterator_half_way [pinned]
import pandas as pd
gi_df = pd.DataFrame({'k': list('abc'), 'v': [1, 2, 3]})
gi_groups = iter(gi_df.groupby('k'))
gi_first = next(gi_groups)
# %%
gi_seen = [gi_first[0]]
# %% check
assert gi_seen == ['a'] and gi_first[1]['v'].tolist() == [1]
assert next(gi_groups)[0] == 'b'

# %% case: pd_styler_with_functions
import pandas as pd
st_df = pd.DataFrame({'gain': [1.5, -2.5], 'name': ['p', 'q']})
st_seen = []
def st_red(v):
    st_seen.append(v)
    return 'color: red' if isinstance(v, float) and v < 0 else ''
st_style = st_df.style.map(st_red, subset=['gain']).format({'gain': '{:+.1f}'}).set_caption('Gains').set_uuid('bst')
# %%
st_n0 = len(st_seen)
st_style.hide(axis='index')
# %%
st_df.loc[0, 'gain'] = -9.0
st_html = st_style.to_html()
# %% check
assert 'color: red' in st_html and 'Gains' in st_html and st_n0 == 0
assert st_style.data is st_df
st_k = len(st_seen)
assert st_k > 0
st_h2 = st_style.to_html()
assert len(st_seen) > st_k and '-9.0' in st_h2 and '<caption>Gains' in st_h2
assert 'row_heading' not in st_h2
assert 'T_bst' in st_h2

# %% case: pd_plot_backend_and_query_env [alone]
import pandas as pd, sys, types
bk_mod = types.ModuleType('bk_plots')
bk_calls = []
def bk_plot(data, kind, **kw):
    bk_calls.append((kind, len(data)))
    return ('plotted', kind)
bk_mod.plot = bk_plot
sys.modules['bk_plots'] = bk_mod
pd.options.plotting.backend = 'bk_plots'
bk_df = pd.DataFrame({'x': [1, 2, 3]})
# %%
bk_r = bk_df.plot(kind='line')
bk_limit = 2
# %%
bk_q = bk_df.query('x >= @bk_limit')
bk_pl = bk_df.plot
# %% check
assert bk_r == ('plotted', 'line')
assert pd.get_option('plotting.backend') == 'bk_plots'
assert bk_pl.bar() == ('plotted', 'bar') and bk_calls[-1] == ('bar', 3)
assert bk_df['x'].plot() == ('plotted', 'line')
bk_limit = 3
assert len(bk_q) == 2 and len(bk_df.query('x >= @bk_limit')) == 1
import bk_plots
assert bk_plots is bk_mod and bk_plots.plot is bk_plot
