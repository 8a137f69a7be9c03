# What was deleted stays deleted, what was rebound keeps both its old and its new life.
# %% case: del_name_keeps_the_alias
dna_frame = {'rows': [1, 2, 3]}
dna_alias = dna_frame
dna_tmp = 'scratch'
# %%
del dna_frame, dna_tmp
dna_alias['rows'].append(4)
# %% check
assert 'dna_frame' not in globals() and 'dna_tmp' not in globals()
assert dna_alias == {'rows': [1, 2, 3, 4]}
try:
    dna_frame
except NameError as e:
    dna_name = e.name
assert dna_name == 'dna_frame'
# %% case: del_in_one_cell_and_back_in_the_next
dib_x = [1]
dib_see = lambda: dib_x
# %%
del dib_x
# %%
dib_before = 'dib_x' in globals()
dib_x = {'now': 'a dict'}
# %%
dib_y = dib_x
del dib_x
dib_x = dib_y
# %% check
assert dib_before is False
assert dib_see() is dib_x is dib_y and dib_x == {'now': 'a dict'}
# %% case: del_builtin_shadow [alone]
sum = 41
list = ['not', 'the', 'type']
max = min
# %%
del sum
sum_after = sum([1, 2, 3])
# %% check
import builtins
assert sum_after == 6 and sum is builtins.sum and 'sum' not in globals()
assert list == ['not', 'the', 'type'] and max is builtins.min and max(3, 1) == 1
del list, max
assert list('ab') == ['a', 'b'] and max(3, 1) == 3
# %% case: del_class_instances_live_on
class DciPoint:
    scale = 2
    def __init__(self, x): self.x = x
    def scaled(self): return self.x * self.scale
dci_p, dci_q = DciPoint(1), DciPoint(2)
# %%
del DciPoint
# %%
type(dci_p).scale = 10
# %% check
assert 'DciPoint' not in globals()
assert type(dci_p) is type(dci_q) and type(dci_p).__name__ == 'DciPoint'
assert (dci_p.scaled(), dci_q.scaled()) == (10, 20)
type(dci_q).scaled = lambda self: 'patched'
assert dci_p.scaled() == 'patched'
# %% case: del_last_strong_reference
import weakref, gc
class DlsThing: pass
dls_calls = []
dls_a, dls_b = DlsThing(), DlsThing()
dls_ref_a = weakref.ref(dls_a)
dls_ref_b = weakref.ref(dls_b, lambda r: dls_calls.append('b gone'))
dls_fin_a = weakref.finalize(dls_a, dls_calls.append, 'a final')
# %%
del dls_a
_ = gc.collect()
# %% check
assert dls_ref_a() is None and not dls_fin_a.alive
assert dls_calls == ['a final']
assert dls_ref_b() is dls_b
del dls_b
gc.collect()
assert dls_calls == ['a final', 'b gone'] and dls_ref_b() is None
# %% case: del_method_runs_exactly_once
import gc
ddo_events = []
class DdoHandle:
    def __init__(self, tag): self.tag = tag; ddo_events.append(('open', tag))
    def __del__(self): ddo_events.append(('close', self.tag))
ddo_h1, ddo_h2 = DdoHandle(1), DdoHandle(2)
ddo_pool = {'second': ddo_h2}
# %%
ddo_h1 = None
# %% check
gc.collect()
assert ddo_events == [('open', 1), ('open', 2), ('close', 1)]
del ddo_h2
assert len(ddo_events) == 3
ddo_pool.clear()
gc.collect()
assert ddo_events[-1] == ('close', 2) and len(ddo_events) == 4
# %% case: del_method_when_name_and_container_go_at_once
import gc
dgo_events = []
class DgoHandle:
    def __init__(self, tag): self.tag = tag; dgo_events.append(('open', tag))
    def __del__(self): dgo_events.append(('close', self.tag))
dgo_one, dgo_two, dgo_three = DgoHandle(1), DgoHandle(2), DgoHandle(3)
dgo_pool = {'second': dgo_two}
dgo_pair = [dgo_one, dgo_three]
# %%
del dgo_two
dgo_pool.clear()
gc.collect()
# %%
dgo_one = [dgo_pair.pop()]
dgo_pair = 'apart'
gc.collect()
dgo_one.clear()
# %% check
gc.collect()
assert dgo_events == [('open', 1), ('open', 2), ('open', 3), ('close', 2), ('close', 1)], dgo_events
assert dgo_pool == {} and dgo_one == [] and dgo_three.tag == 3
del dgo_three
gc.collect()
assert dgo_events[-1] == ('close', 3)
# %% case: del_underscored_user_names
_duu_private = {'kept': 1}
__duu_dunder = [_duu_private]
_duu_gone = 1
Ⅷ = 'normalised'
π_duu = 3.14
# %%
del _duu_gone
_duu_private['kept'] += 1
# %% check
assert _duu_private == {'kept': 2} and globals()['__duu_dunder'][0] is _duu_private
assert '_duu_gone' not in globals()
assert VIII == 'normalised' and π_duu == 3.14
# %% case: del_redefine_function_wrapping_its_old_self
def drf_area(r): return r * r
drf_orig = drf_area
drf_table = {'area': drf_area}
# %%
def drf_area(r, _prev=drf_area):
    return 3 * _prev(r)
# %%
drf_old, drf_area = drf_area, lambda r: drf_old(r) + 1
# %% check
assert drf_orig(2) == 4 and drf_old(2) == 12 and drf_area(2) == 13
assert drf_table['area'] is drf_orig is drf_old.__defaults__[0]
assert drf_orig is not drf_old and drf_orig.__name__ == drf_old.__name__ == 'drf_area'
assert drf_area.__name__ == '<lambda>'
# %% case: del_late_binding_of_a_global
dlb_rate = 0.1
def dlb_cost(x): return x * dlb_rate + dlb_fee()
class DlbModel:
    def predict(self, x): return dlb_cost(x) if dlb_enabled else None
dlb_model = DlbModel()
# %%
dlb_rate = 2
def dlb_fee(): return 1
dlb_enabled = True
dlb_got = dlb_model.predict(3)
# %%
del dlb_enabled
# %% check
assert dlb_got == 7
dlb_rate = 5
try:
    dlb_model.predict(1)
except NameError as e:
    dlb_miss = e.name
assert dlb_miss == 'dlb_enabled'
dlb_enabled = True
assert dlb_model.predict(1) == 6
# %% case: del_parts_of_things
dpt_d = {k: i for i, k in enumerate('abcd')}
dpt_l = list(range(6))
class DptC:
    a = 1; b = 2
    def m(self): return 1
dpt_o = DptC(); dpt_o.a = 10; dpt_o.c = 3
dpt_f = lambda: 1
dpt_f.note = 'x'
# %%
del dpt_d['a'], dpt_l[::2], DptC.b, DptC.m, dpt_o.a, dpt_f.note
dpt_d['a'] = 'again'
# %% check
assert list(dpt_d) == ['b', 'c', 'd', 'a'] and dpt_l == [1, 3, 5]
assert dpt_o.a == 1 and vars(dpt_o) == {'c': 3} and dpt_f.__dict__ == {}
assert not hasattr(dpt_o, 'b') and not hasattr(dpt_o, 'm') and 'b' not in vars(DptC)
# %% case: del_loop_and_except_variables
dlv_e = 'before'
dlv_sq = [dlv_k * 2 for dlv_k in range(3)]
for dlv_i, (dlv_a, *dlv_rest) in enumerate([(1, 2, 3), (4, 5, 6)]):
    with_last = dlv_rest
try:
    1 / 0
except ZeroDivisionError as dlv_e:
    dlv_msg = str(dlv_e)
if (dlv_walrus := len(dlv_sq)) > 2: pass
# %%
dlv_first, dlv_i = dlv_i, 'rebound'
# %% check
assert 'dlv_e' not in globals() and 'dlv_k' not in globals()
assert (dlv_first, dlv_i, dlv_a, dlv_walrus) == (1, 'rebound', 4, 3)
assert dlv_rest is with_last and dlv_rest == [5, 6] and dlv_msg == 'division by zero'
# %% case: del_import_name_but_function_uses_it
import statistics as din_st
import json as din_cfg
from math import sqrt as din_root
def din_spread(xs): return din_root(din_st.pvariance(xs))
def din_local():
    import fractions
    return fractions.Fraction(1, 3)
# %%
din_cfg = {'was': 'json'}
del din_st
# %% check
import sys, math
assert din_cfg == {'was': 'json'} and 'din_st' not in globals()
assert din_root is math.sqrt and din_local() * 3 == 1
try:
    din_spread([1, 3])
except NameError as e:
    din_miss = e.name
assert din_miss == 'din_st'
import statistics as din_st
assert din_spread([1, 3]) == 1.0 and din_st is sys.modules['statistics']
# %% case: del_method_of_a_base_runs_once
dmb_gone = []
class DmbBase:
    live = 0
    def __init__(self, name): DmbBase.live += 1; self.name = name
    def __del__(self): DmbBase.live -= 1; dmb_gone.append(self.name)
class DmbKid(DmbBase): pass
dmb_a, dmb_b = DmbKid("a"), DmbKid("b")
# %%
dmb_a.link = dmb_b; dmb_c = dmb_d = [DmbKid("c")]
# %%
dmb_b = None
# %%
del dmb_c, dmb_d
# %%
dmb_a.link = DmbKid("e")
# %% check
assert dmb_gone == ["c", "b"] and DmbBase.live == 2 and dmb_a.link.name == "e", dmb_gone
