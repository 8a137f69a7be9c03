# Changes that an equality test, a shallow look or a pickle of the name alone would not notice.
# %% case: mut_equal_values_of_other_type
mev_flags = [True, 0, 1.0]
mev_zero = {'z': 0.0}
mev_key = {1: 'int key'}
# %%
mev_flags[0] = 1
mev_flags[1] = False
mev_flags[2] = 1
mev_zero['z'] = -0.0
# %%
mev_key = {True: 'int key'}
# %% check
import math
assert [type(v) for v in mev_flags] == [int, bool, int]
assert math.copysign(1, mev_zero['z']) == -1
assert type(next(iter(mev_key))) is bool
# %% case: mut_alias_broken_with_equal_value
mab_pair = [[1, 2]] * 2
mab_second = mab_pair[1]
mab_sep = [[3], [3]]
# %%
mab_pair[1] = list(mab_pair[0])
mab_sep[1] = mab_sep[0]
# %% check
mab_pair[0].append(9)
mab_sep[0].append(9)
assert mab_pair == [[1, 2, 9], [1, 2]]
assert mab_second is mab_pair[0] and mab_second is not mab_pair[1]
assert mab_sep == [[3, 9], [3, 9]] and mab_sep[0] is mab_sep[1]
# %% case: mut_dict_order_only
mdo_cols = {'a': 1, 'b': 2, 'c': 3}
mdo_ref = mdo_cols
mdo_set_like = dict.fromkeys('xyz')
# %%
mdo_cols['a'] = mdo_cols.pop('a')
mdo_set_like['x'] = mdo_set_like.pop('x')
# %% check
assert list(mdo_cols) == ['b', 'c', 'a'] and mdo_ref is mdo_cols
assert mdo_cols.popitem() == ('a', 1)
assert ''.join(mdo_set_like) == 'yzx'
# %% case: mut_deep_inside_untouched_names
class MdiBox:
    def __init__(self, v): self.v = v
mdi_deep = ({'k': (MdiBox([{'n': [0]}]),)},)
mdi_ptr = mdi_deep[0]['k'][0].v[0]['n']
mdi_fn = lambda: mdi_deep[0]['k'][0]
# %%
def mdi_bump(xs):
    xs[0] += 1
    return xs
for _mdi_i in range(4):
    mdi_bump(mdi_ptr)
# %%
mdi_fn().v[0]['n'].append('tail')
# %% check
assert mdi_deep[0]['k'][0].v[0]['n'] == [4, 'tail']
assert mdi_ptr is mdi_fn().v[0]['n']
# %% case: mut_function_and_class_attributes
def mfa_f(x, acc=[], *, opts={'n': 0}):
    acc.append(x)
    opts['n'] += 1
    mfa_f.calls = getattr(mfa_f, 'calls', 0) + 1
    return list(acc)
class MfaBase:
    registry = {}
    count = 0
    def __init__(self, k):
        type(self).count += 1
        MfaBase.registry[k] = self
class MfaSub(MfaBase): pass
# %%
mfa_f('a'); mfa_f('b')
mfa_one, mfa_two, mfa_three = MfaBase('one'), MfaSub('two'), MfaSub('three')
mfa_f.tags = mfa_one
# %% check
assert mfa_f('c') == ['a', 'b', 'c'] and mfa_f.calls == 3
assert mfa_f.__kwdefaults__ == {'opts': {'n': 3}}
assert (MfaBase.count, MfaSub.count) == (1, 3)   # the first += of the subclass read the base's 1
assert MfaSub.registry is MfaBase.registry and MfaBase.registry['three'] is mfa_three
assert mfa_f.tags is mfa_one
# %% case: mut_by_c_code_containers
import heapq, bisect, array, collections, random
mcc_heap = [9, 7, 5, 3, 1]
mcc_arr = array.array('i', range(5))
mcc_dq = collections.deque([1, 2, 3], maxlen=3)
mcc_ba = bytearray(b'abcdef')
mcc_list = list(range(8))
mcc_rng = random.Random(4)
# %%
heapq.heapify(mcc_heap); heapq.heappush(mcc_heap, 0)
mcc_arr.byteswap(); mcc_dq.append(4); mcc_dq.rotate(1)
mcc_ba[1:3] = b''
mcc_rng.shuffle(mcc_list)
bisect.insort(mcc_heap, 100)
# %% check
import random as mcc_random
assert mcc_heap[0] == 0 and mcc_heap[-1] == 100 and heapq.heappop(mcc_heap) == 0
assert mcc_arr[1] == 1 << 24 and mcc_arr.typecode == 'i'
assert list(mcc_dq) == [4, 2, 3] and mcc_dq.maxlen == 3
mcc_dq.append(5)
assert list(mcc_dq) == [2, 3, 5] and mcc_ba == b'adef'
mcc_again = mcc_random.Random(4); mcc_l2 = list(range(8)); mcc_again.shuffle(mcc_l2)
assert mcc_list == mcc_l2 and mcc_rng.random() == mcc_again.random()
# %% case: mut_only_through_an_unnamed_base
import numpy as np
mub_evens = np.arange(10)[::2]
mub_odds = mub_evens.base[1::2]
mub_cell = (lambda a: (lambda: a))(mub_evens.base)
# %%
mub_cell()[:] *= 10
# %% check
mub_odds[0] = -1
assert mub_evens.tolist() == [0, 20, 40, 60, 80]
assert mub_cell().tolist() == [0, -1, 20, 30, 40, 50, 60, 70, 80, 90]
assert mub_evens.base is mub_cell() is mub_odds.base and mub_evens.strides == (16,)
# %% case: mut_numpy_out_and_at
import numpy as np
mno_acc = np.zeros(4)
mno_hist = np.zeros(4, dtype=np.int64)
mno_keep = {'acc': mno_acc, 'hist': mno_hist}
# %%
np.add(mno_acc, [1, 2, 3, 4], out=mno_acc)
np.add.at(mno_hist, [0, 0, 3, 3, 3], 1)
mno_acc[1:3].sort()
mno_acc[::-1].cumsum(out=mno_acc[::-1])
# %%
mno_acc.shape = (2, 2)
np.putmask(mno_hist, mno_hist == 0, -1)
# %% check
assert mno_keep['acc'] is mno_acc and mno_acc.tolist() == [[10.0, 9.0], [7.0, 4.0]]
assert mno_keep['hist'].tolist() == [2, -1, -1, 3] and mno_keep['hist'] is mno_hist
# %% case: mut_through_a_raw_buffer
import ctypes, numpy as np
mrb_store = bytearray(16)
mrb_ints = np.frombuffer(mrb_store, dtype='<i4')
mrb_struct = (ctypes.c_int32 * 4).from_buffer(mrb_store)
# %%
mrb_struct[2] = 77
mrb_ints[0] = 5
# %% check
assert mrb_ints.tolist() == [5, 0, 77, 0] and list(mrb_struct) == [5, 0, 77, 0]
mrb_store[4] = 9
assert mrb_ints[1] == 9 and mrb_struct[1] == 9
mrb_struct[3] = -1
assert mrb_store[12:] == b'\xff' * 4 and mrb_ints[3] == -1
# %% case: mut_set_members_and_frozen_owner
class MsmItem:
    def __init__(self, key): self.key, self.hits = key, 0
    def __hash__(self): return hash(self.key)
    def __eq__(self, o): return isinstance(o, MsmItem) and o.key == self.key
msm_items = [MsmItem(k) for k in 'pqr']
msm_set = set(msm_items)
msm_frozen = (frozenset(msm_items), 'label')
# %%
for msm_x in msm_set:
    msm_x.hits += 1
msm_twin = MsmItem('p')      # equal to a member, yet another object
msm_set.add(msm_twin)
# %% check
assert len(msm_set) == 3 and all(i.hits == 1 for i in msm_frozen[0])
assert any(x is msm_items[0] for x in msm_set) and not any(x is msm_twin for x in msm_set)
msm_items[1].hits = 50
assert max(i.hits for i in msm_frozen[0]) == 50
# %% case: mut_vars_and_slots_by_backdoor
class MvsFrozen:
    def __init__(self): object.__setattr__(self, 'w', [1])
    def __setattr__(self, k, v): raise AttributeError('frozen')
class MvsSlots:
    __slots__ = ('x', 'y', '__weakref__')
mvs_f = MvsFrozen()
mvs_d = vars(mvs_f)
mvs_s = MvsSlots(); mvs_s.x = mvs_f
# %%
mvs_d['extra'] = 'via dict'
mvs_f.w.append(2)
MvsSlots.y.__set__(mvs_s, mvs_d)
# %% check
assert mvs_f.extra == 'via dict' and mvs_f.w == [1, 2]
mvs_d['late'] = 1
assert mvs_f.late == 1 and vars(mvs_f) is mvs_d
assert mvs_s.x is mvs_f and mvs_s.y is mvs_d
try:
    mvs_f.z = 1
except AttributeError:
    mvs_ok = True
else:
    mvs_ok = False
assert mvs_ok and not hasattr(mvs_s, '__dict__')
# %% case: mut_changed_and_changed_back
import threading, collections
class MbbCounter:
    def __init__(self): self.count = 2
mbb_flat = [1, 2]; mbb_deep = {"of": [1, 2]}; mbb_object = MbbCounter(); mbb_number = 5
mbb_slots = threading.Semaphore(2); mbb_queue = collections.deque([1, [2]]); mbb_pair = mbb_deep["of"]
# %%
mbb_flat.append(3); mbb_deep["of"].append(3); mbb_object.count = 1; mbb_number = 6
mbb_slots.acquire(); mbb_queue.rotate(1)
# %%
mbb_between = 1
# %%
mbb_flat.pop(); mbb_deep["of"].pop(); mbb_object.count = 2; mbb_number = 5
mbb_slots.release(); mbb_queue.rotate(1)
# %% check
assert mbb_flat == [1, 2] and mbb_deep == {"of": [1, 2]} and mbb_pair is mbb_deep["of"] and mbb_object.count == 2 and mbb_number == 5
assert mbb_slots.acquire(blocking=False) and mbb_slots.acquire(blocking=False) and not mbb_slots.acquire(blocking=False)
assert list(mbb_queue) == [1, [2]]
