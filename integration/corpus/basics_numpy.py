# Arrays and their views.

# %% case: array_changed_in_place
import numpy as np
a1 = np.zeros(5)
# %%
a1[2] = 3
# %% check
assert a1[2] == 3 and a1.flags.owndata and a1.flags.writeable

# %% case: view_of_an_array
import numpy as np
a2 = np.arange(10); b2 = a2[::2]; c2 = a2.reshape(2, 5).T
# %%
b2[0] = 99
# %% check
assert a2[0] == 99 and c2[0, 0] == 99 and b2.base is a2 and np.shares_memory(a2, c2)

# %% case: reversed_view_and_views_of_a_hidden_root
import numpy as np
r3 = np.arange(6); v3 = r3[::-1]; w3 = r3[1:3]
# %%
del r3
# %%
w3[:] = 7
# %% check
assert list(v3) == [5, 4, 3, 7, 7, 0] and np.shares_memory(v3, w3)

# %% case: read_only_fortran_zero_size_zero_dimensions
import numpy as np
a4 = np.ones((2, 3), order='F'); a4.flags.writeable = False; z4 = np.empty((0, 3)); s4 = np.array(5)
# %% check
assert not a4.flags.writeable and a4.flags.f_contiguous and z4.shape == (0, 3) and s4.shape == () and s4 == 5

# %% case: structured_dates_objects_strings
import numpy as np
t5 = np.array([(1, 2.5)], dtype=[('a', 'i4'), ('b', 'f8')]); f5 = t5['b']; d5 = np.array(['2020-01-01'], 'M8[D]')
l5 = [1]; o5 = np.array([l5, None], dtype=object); u5 = np.array(['ab', 'c'])
# %%
f5[0] = 9.5; l5.append(2)
# %% check
assert t5[0]['b'] == 9.5 and d5[0] == np.datetime64('2020-01-01') and o5[0] is l5 and list(o5[0]) == [1, 2] and u5[1] == 'c'

# %% case: masked_array_and_matrix
import numpy as np
m6 = np.ma.array([1, 2, 3], mask=[0, 1, 0]); x6 = np.ma.masked
# %%
m6[0] = 10
# %% check
assert m6.sum() == 13 and x6 is np.ma.masked

# %% case: generators
import numpy as np
rng7 = np.random.default_rng(3); np.random.seed(5)
# %%
v7 = rng7.random(), np.random.rand()
# %% check
assert np.random.RandomState(5).rand() == v7[1] and np.random.get_state()[2] == 2 and rng7.bit_generator.state != np.random.default_rng(3).bit_generator.state

# %% case: array_over_a_bytearray
import numpy as np
b8 = bytearray(8); a8 = np.frombuffer(b8, dtype='i4')
# %%
a8[0] = 1
# %% check
assert b8[0] == 1

# %% case: print_options
import numpy as np
np.set_printoptions(precision=3)
# %% check
assert np.get_printoptions()['precision'] == 3

# %% case: vectorised_user_function
import numpy as np
@np.vectorize
def dbl10(x): return x * 2
# %% check
assert list(dbl10(np.array([1, 2]))) == [2, 4]
