# Frames, series and what refers to them.

# %% case: data_frame_column_added
import pandas as pd, numpy as np
df1 = pd.DataFrame({'a': [1, 2, 3], 'b': list('xyz')}, index=pd.date_range('2024-01-01', periods=3))
# %%
df1['c'] = df1['a'] * 2
# %%
df1.loc[df1.index[0], 'a'] = 100
# %% check
assert list(df1['c']) == [2, 4, 6] and df1['a'].iloc[0] == 100 and df1.index.freqstr == 'D'

# %% case: series_taken_from_a_frame
import pandas as pd
df2 = pd.DataFrame({'a': [100, 2, 3], 'b': list('xyz'), 'c': [2, 4, 6]})
s2 = df2['a']; g2 = df2.groupby('b')
# %%
s2.name = 'renamed'
# %% check
assert s2.name == 'renamed' and list(df2.columns) == ['a', 'b', 'c'] and g2['c'].sum()['x'] == 2

# %% case: objects_inside_a_frame
import pandas as pd
l3 = [1]; df3 = pd.DataFrame({'o': [l3, None]})
# %%
l3.append(2)
# %% check
assert df3['o'][0] == [1, 2] and df3['o'][0] is l3

# %% case: frame_bound_again
import pandas as pd
df4 = pd.DataFrame({'q': range(4)})
# %%
df4 = df4[df4.q > 1].reset_index(drop=True)
# %% check
assert df4.q.tolist() == [2, 3]
