# Names that share mutable objects, and names that stop sharing them.

# %% case: alias_of_a_list
a1 = []; b1 = a1
# %%
a1.append(1)
# %% check
assert a1 is b1 and b1 == [1]

# %% case: alias_made_later
a2 = [1]
# %%
b2 = {'k': a2}
# %%
b2['k'].append(2)
# %% check
assert b2['k'] is a2 and a2 == [1, 2]

# %% case: alias_broken
a3 = [1]; b3 = a3
# %%
b3 = list(a3); b3.append(2)
# %%
a3.append(3)
# %% check
assert a3 == [1, 3] and b3 == [1, 2] and a3 is not b3

# %% case: cycle
a4 = []; a4.append(a4)
# %%
a4.append(4)
# %% check
assert a4[0] is a4 and a4[1] == 4

# %% case: alias_through_a_tuple
a5 = ([], 1); b5 = a5[0]
# %%
b5.append(5)
# %% check
assert a5[0] is b5 == [5] and a5[1] == 1

# %% case: the_tuple_itself
a6 = ([1],); b6 = a6
# %%
b6[0].append(2)
# %% check
assert a6 is b6 and a6 == ([1, 2],)

# %% case: dict_of_lists_touched_inside
a7 = {i: [i] for i in range(50)}; b7 = a7[7]
# %%
a7[7].append('x')
# %% check
assert b7 == [7, 'x'] and a7[7] is b7

# %% case: deleted_alias
a8 = [8]; b8 = a8
# %%
del a8
# %%
b8.append(9)
# %% check
assert b8 == [8, 9] and 'a8' not in globals()

# %% case: rebound_to_another_type
a9 = [9]
# %%
a9 = 'nine'
# %% check
assert a9 == 'nine'

# %% case: default_dict_and_ordered_dict
import collections
a10 = collections.defaultdict(list); a10['x'].append(1); b10 = collections.OrderedDict(z=a10)
# %%
a10['y'].append(2)
# %% check
assert b10['z'] is a10 and a10['y'] == [2] and a10.default_factory is list

# %% case: deque_set_frozenset
import collections
a11 = collections.deque([1, 2], maxlen=3); b11 = {1, 2}; c11 = frozenset('ab')
# %%
a11.append(3); a11.append(4); b11.add(3)
# %% check
assert list(a11) == [2, 3, 4] and a11.maxlen == 3 and b11 == {1, 2, 3} and c11 == frozenset('ab')

# %% case: walrus_for_with_star_targets
import io
(w12 := [12])
for i12 in range(3): pass
with io.StringIO('t') as f12: t12 = f12.read()
h12, *r12 = [1, 2, 3]
# %% check
assert w12 == [12] and i12 == 2 and t12 == 't' and h12 == 1 and r12 == [2, 3] and f12.closed

# %% case: augmented_assignment
a13 = [1]; b13 = a13; n13 = 1
# %%
a13 += [2]; n13 += 1
# %% check
assert b13 is a13 and b13 == [1, 2] and n13 == 2

# %% case: live_views_and_iterators_of_a_container
d15 = {'a': 1}; k15 = d15.keys(); v15 = d15.values(); l15 = [1]; it15 = iter(l15)
# %%
d15['b'] = 2; l15.append(2)
# %% check
assert list(k15) == ['a', 'b'] and list(v15) == [1, 2] and it15.__reduce__()[1][0] is l15

# %% case: two_names_for_one_long_string
s16 = 'x' * 100000; t16 = s16; p16 = (1, [2]); q16 = [p16]
# %%
q16.append(1)
# %% check
assert s16 is t16 and q16[0][1] is p16[1] and q16[1] == 1

# %% case: star_import_and_names_from_a_module
from math import *
from collections import Counter as Counter17
c17 = Counter17('abca')
# %%
c17.update('a')
# %% check
assert sin(0) == 0 and c17['a'] == 3 and type(c17) is Counter17

# %% case: many_names_in_one_cell
exec(';'.join(f'm18_{i} = [{i}]' for i in range(200)))
# %%
for n18 in range(0, 200, 50): globals()[f'm18_{n18}'].append('x')
# %% check
assert m18_50 == [50, 'x'] and m18_51 == [51] and m18_199 == [199]

# %% case: a_module_made_at_run_time
import types
mod19 = types.ModuleType('mod19'); mod19.value = [1]
# %%
mod19.value.append(2)
# %% check
assert mod19.value == [1, 2] and mod19.__name__ == 'mod19'

# %% case: mutation_through_a_library_call
import random as random14
a14 = list(range(20)); b14 = a14
# %%
random14.Random(0).shuffle(a14)
# %% check
assert b14 is a14 and sorted(a14) == list(range(20)) and a14 != list(range(20))
