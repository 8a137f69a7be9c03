# Names, containers, closures and views that refer to one object must go on referring to one object.
# %% case: alias_config_shared_by_runs
acr_cfg = {'lr': 0.1, 'tags': ['base']}
acr_runs = [{'id': i, 'cfg': acr_cfg} for i in range(3)]
acr_latest = acr_runs[-1]
# %%
acr_runs[0]['cfg']['lr'] = 0.05
acr_tags = acr_latest['cfg']['tags']
# %% check
acr_tags.append('x')
assert all(r['cfg'] is acr_cfg for r in acr_runs)
assert acr_latest is acr_runs[2]
assert acr_cfg == {'lr': 0.05, 'tags': ['base', 'x']}
# %% case: alias_cycles_of_two_kinds
class AcNode:
    def __init__(self, name, parent=None):
        self.name, self.parent, self.kids = name, parent, []
        if parent is not None:
            parent.kids.append(self)
ac_root = AcNode('root')
ac_leaf = AcNode('leaf', AcNode('mid', ac_root))
ac_self = [1]
ac_self.append(ac_self)
ac_left, ac_right = {}, {}
ac_left['other'], ac_right['other'] = ac_right, ac_left
# %%
ac_tup = ([],)
ac_tup[0].append(ac_tup)
# %% check
assert ac_leaf.parent.parent is ac_root and ac_root.kids[0].kids[0] is ac_leaf
assert ac_self[1] is ac_self and len(ac_self) == 2
assert ac_left['other'] is ac_right and ac_right['other'] is ac_left
assert ac_tup[0][0] is ac_tup
assert type(ac_leaf) is AcNode and type(ac_root.kids[0]) is AcNode
# %% case: alias_bound_method_and_builtin_method
class AbmCounter:
    def __init__(self): self.n = 0
    def step(self, k=1):
        self.n += k
        return self.n
abm_counter = AbmCounter()
abm_step = abm_counter.step
abm_log = []
abm_push = abm_log.append
abm_get = {'k': abm_log}.get
# %%
abm_step(); abm_push('one')
# %% check
assert abm_step(5) == 6 and abm_counter.n == 6
abm_push('two')
assert abm_log == ['one', 'two']
assert abm_step.__self__ is abm_counter and abm_push.__self__ is abm_log and abm_get('k') is abm_log
assert abm_step.__func__ is AbmCounter.step
# %% case: alias_sentinel_object_as_default
ASD_MISSING = object()
asd_store = {'a': 1, 'b': ASD_MISSING}
def asd_lookup(key, default=ASD_MISSING):
    v = asd_store.get(key, ASD_MISSING)
    if v is ASD_MISSING:
        if default is ASD_MISSING:
            raise KeyError(key)
        return default
    return v
class AsdField:
    empty = ASD_MISSING
# %%
asd_first = asd_lookup('b', 7)
# %% check
assert asd_lookup('a') == 1 and asd_lookup('b', 9) == 9
try:
    asd_lookup('b')
except KeyError:
    asd_raised = True
else:
    asd_raised = False
assert asd_raised
assert asd_lookup.__defaults__[0] is ASD_MISSING is AsdField.empty and asd_store['b'] is ASD_MISSING
# %% case: alias_nan_found_by_identity
import math, numpy as np
anf_nan = float('nan')
anf_list = [1.0, anf_nan, np.nan, math.nan]
anf_counts = {anf_nan: 'mine', np.nan: 'numpy'}
# %%
anf_counts[anf_nan] += '!'
# %% check
assert anf_nan in anf_list and float('nan') not in anf_list
assert anf_counts[anf_nan] == 'mine!' and anf_counts[np.nan] == 'numpy' and len(anf_counts) == 2
assert anf_list.index(anf_nan) == 1 and anf_list[2] is np.nan and anf_list[3] is math.nan
# %% case: alias_live_dict_views
adv_d = {'a': 1}
adv_keys, adv_items, adv_vals = adv_d.keys(), adv_d.items(), adv_d.values()
# %%
adv_d['b'] = 2
# %% check
assert list(adv_keys) == ['a', 'b']
adv_d['c'] = 3
assert len(adv_items) == 3 and ('c', 3) in adv_items and list(adv_vals) == [1, 2, 3]
assert adv_keys & {'c', 'z'} == {'c'}
assert type(adv_keys) is type({}.keys()) and adv_keys.mapping['c'] == 3
# %% case: alias_memoryview_over_bytearray
amv_buf = bytearray(b'0123456789')
amv_view = memoryview(amv_buf)[2:6]
amv_cast = memoryview(amv_buf)[:8].cast('H')
# %%
amv_view[0] = ord('X')
# %% check
assert bytes(amv_buf) == b'01X3456789'
amv_buf[3] = ord('Y')
assert bytes(amv_view) == b'XY45'
amv_view[3] = ord('Z')
assert amv_buf == bytearray(b'01XY4Z6789') and amv_cast.format == 'H' and amv_cast[1] == int.from_bytes(b'XY', 'little')
assert amv_view.obj is amv_buf
try:
    amv_buf.append(1)
except BufferError:
    amv_locked = True
else:
    amv_locked = False
assert amv_locked
# %% case: alias_globals_dict_captured
agd_ns = globals()
agd_ns['agd_made'] = [1]
agd_holder = {'ns': agd_ns, 'lookup': agd_ns.get}
# %%
def agd_set(name, value):
    agd_holder['ns'][name] = value
agd_set('agd_other', agd_made)
# %% check
agd_set('agd_late', 5)
assert agd_late == 5 and agd_other is agd_made
assert agd_ns is globals() and agd_holder['ns'] is agd_set.__globals__
assert agd_holder['lookup']('agd_late') == 5
# %% case: alias_modules_in_containers
import json, sys, types, collections.abc
import numpy as np
amc_backends = {'numpy': np, 'json': json, 'abc': collections.abc}
amc_helpers = types.ModuleType('amc_helpers')
exec("STATE = []\ndef add(x):\n    STATE.append(x)\n    return len(STATE)", amc_helpers.__dict__)
amc_add = amc_helpers.add
# %%
amc_add('a')
amc_state = amc_helpers.STATE
# %% check
assert amc_backends['numpy'] is np is sys.modules['numpy'] and amc_backends['json'] is json
assert amc_backends['abc'] is collections.abc
assert amc_helpers.add('b') == 2 and amc_state == ['a', 'b']
assert amc_add is amc_helpers.add and amc_add.__globals__ is amc_helpers.__dict__
assert isinstance(amc_helpers, types.ModuleType) and amc_helpers.__name__ == 'amc_helpers'
assert 'amc_helpers' not in sys.modules
# %% case: alias_equal_but_distinct_stay_distinct
aed_a = [0, 0]
aed_b = [0, 0]
aed_rows = [aed_a, aed_b, aed_a]
aed_grid = [[0] * 2] * 3
aed_big, aed_big_copy = 'ab' * 200, ''.join(['ab'] * 200)
aed_same_big = aed_big
# %%
aed_rows[0][0] = 1
aed_grid[1][1] = 7
# %% check
aed_rows[2][1] = 2
aed_grid[0][0] = 5
assert aed_a == [1, 2] and aed_b == [0, 0] and aed_rows[1] is aed_b
assert aed_grid == [[5, 7]] * 3
assert aed_same_big is aed_big and aed_big_copy is not aed_big and aed_big == aed_big_copy
# %% case: alias_cell_variable_and_global
def acg_make():
    shared = {'hits': 0}
    def hit():
        shared['hits'] += 1
        return shared['hits']
    return shared, hit
acg_stats, acg_hit = acg_make()
acg_copy = dict(acg_stats)
# %%
acg_hit(); acg_hit()
# %% check
assert acg_stats['hits'] == 2 and acg_copy['hits'] == 0
assert acg_hit() == 3 and acg_stats['hits'] == 3
acg_stats['hits'] = 10
assert acg_hit() == 11
assert acg_hit.__closure__[0].cell_contents is acg_stats
# %% case: alias_objects_as_dict_keys
class AokStation:
    def __init__(self, name): self.name = name
    def __repr__(self): return f'<{self.name}>'
aok_all = [AokStation(n) for n in 'abc']
aok_reading = {s: i for i, s in enumerate(aok_all)}
aok_edges = {(aok_all[0], aok_all[1]): 5.0}
aok_seen = frozenset(aok_all[:2])
# %%
aok_all[0].name = 'renamed'
aok_reading[aok_all[1]] += 10
# %% check
assert [aok_reading[s] for s in aok_all] == [0, 11, 2]
assert aok_edges[aok_all[0], aok_all[1]] == 5.0
assert aok_all[1] in aok_seen and aok_all[2] not in aok_seen
assert [s.name for s in aok_reading] == ['renamed', 'b', 'c']
assert next(iter(aok_reading)) is aok_all[0]
