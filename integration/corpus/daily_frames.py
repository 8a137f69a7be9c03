# Everyday tables and arrays: views, indexes, groupings, dates, missing values.
# %% case: d_np_view_of_matrix
import numpy as np
d_m = np.arange(12).reshape(3, 4)
d_row = d_m[1]
d_block = d_m[:2, ::2]
# %%
d_row[:] = -1
d_flipped = d_m.T
# %% check
d_block[0, 0] = 100
assert d_m[0, 0] == 100 and d_flipped[0, 0] == 100
d_m[1, 3] = 7
assert d_row.tolist() == [-1, -1, -1, 7]
assert np.shares_memory(d_m, d_flipped) and d_block.strides == (32, 16)
# %% case: d_np_generator_stream
import numpy as np
d_gen = np.random.default_rng(42)
d_sample = d_gen.normal(size=5)
d_children = d_gen.spawn(2)
# %%
d_shuffled = d_gen.permutation(6)
d_children[1].random(3)
# %% check
d_ref = np.random.default_rng(42)
assert np.array_equal(d_ref.normal(size=5), d_sample)
d_rc = d_ref.spawn(2)
assert np.array_equal(d_ref.permutation(6), d_shuffled)
d_rc[1].random(3)
assert d_rc[1].random() == d_children[1].random() and d_gen.random() == d_ref.random()
# %% case: d_np_structured_and_masked
import numpy as np
d_people = np.array([('ann', 31, 1.7), ('bob', 25, 1.8)], dtype=[('name', 'U10'), ('age', 'i4'), ('height', 'f8')])
d_ages = d_people['age']
d_masked = np.ma.masked_greater(np.array([1., 2., 300., 4.]), 100)
# %%
d_ages += 1
d_rec = d_people[0]
# %% check
assert d_people['age'].tolist() == [32, 26]
d_rec['age'] = 50
assert d_people[0]['age'] == 50 and d_ages[0] == 50
assert d_masked.mean() == 7 / 3 and d_masked[2] is np.ma.masked
# %% case: d_pd_group_and_merge
import pandas as pd
d_sales = pd.DataFrame({'shop': ['a', 'b', 'a', 'c'], 'item': ['pen', 'pen', 'ink', 'ink'], 'n': [3, 1, 4, 1]})
d_shops = pd.DataFrame({'shop': ['a', 'b'], 'town': ['Bern', 'Basel']}).set_index('shop')
# %%
d_by_shop = d_sales.groupby('shop')
d_totals = d_by_shop['n'].sum()
# %%
d_joined = d_sales.join(d_shops, on='shop', how='left')
d_table = d_joined.pivot_table(index='shop', columns='item', values='n', fill_value=0)
# %% check
assert d_totals.to_dict() == {'a': 7, 'b': 1, 'c': 1}
assert d_by_shop.get_group('a')['n'].tolist() == [3, 4]
assert d_joined['town'].isna().sum() == 1 and d_table.loc['a', 'ink'] == 4
assert [k for k, _ in d_by_shop] == ['a', 'b', 'c']
# %% case: d_pd_time_series
import pandas as pd, numpy as np
d_idx = pd.date_range('2024-01-01', periods=60, freq='D', tz='Europe/Berlin')
d_ts = pd.Series(np.arange(60.0), index=d_idx, name='load')
d_roll = d_ts.rolling(7)
# %%
d_weekly = d_ts.resample('W').mean()
d_ts.iloc[5] = np.nan
# %% check
assert d_ts.index.equals(d_idx) and d_ts.index.freqstr == 'D' and str(d_ts.index.tz) == 'Europe/Berlin'
assert d_roll.mean().iloc[20] == 17.0
assert d_weekly.iloc[0] == 3.0 and d_weekly.index.freqstr == 'W-SUN'
assert d_ts.interpolate().iloc[5] == 5.0 and len(d_ts.loc['2024-02']) == 29
# %% case: d_pd_categories_and_dtypes
import pandas as pd
d_survey = pd.DataFrame({
    'size': pd.Categorical(['S', 'L', 'M', 'S'], categories=['S', 'M', 'L'], ordered=True),
    'age': pd.array([20, None, 40, 35], dtype='Int64'),
    'name': pd.array(['x', 'y', None, 'z'], dtype='string'),
})
# %%
d_survey['old'] = d_survey['age'] > 30
d_sorted = d_survey.sort_values('size')
# %% check
assert d_sorted['size'].tolist() == ['S', 'S', 'M', 'L'] and d_survey['size'].max() == 'L'
assert str(d_survey.dtypes['age']) == 'Int64' and str(d_survey.dtypes['old']) == 'boolean'
assert d_survey['name'].isna().tolist() == [False, False, True, False]
assert d_survey.loc[1, 'age'] is pd.NA
# %% case: d_pd_two_names_one_frame
import pandas as pd
d_df = pd.DataFrame({'x': [1, 2, 3]})
d_same = d_df
d_copy = d_df.copy()
d_frames = {'main': d_df, 'backup': d_copy}
# %%
d_same['y'] = d_same['x'] ** 2
d_df.attrs['source'] = 'survey 12'
# %%
d_df.loc[0, 'x'] = 50
# %% check
assert d_same is d_df and d_frames['main'] is d_df
d_frames['main']['z'] = 0
assert list(d_same.columns) == ['x', 'y', 'z'] and d_same.loc[0, 'x'] == 50
assert list(d_copy.columns) == ['x'] and d_copy.loc[0, 'x'] == 1
assert d_same.attrs == {'source': 'survey 12'}
# %% case: d_pd_display_options [alone]
import pandas as pd
pd.set_option('display.max_rows', 7)
pd.options.display.float_format = '{:.1f}'.format
d_long = pd.DataFrame({'v': [k / 3 for k in range(30)]})
# %%
d_long.head()
# %% check
assert pd.get_option('display.max_rows') == 7
assert len(repr(d_long).splitlines()) < 15 and '9.7' in repr(d_long) and '9.66' not in repr(d_long)
