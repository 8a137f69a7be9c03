# Objects that end, refer weakly, count themselves, or are put together from parts that cannot travel.
# %% case: ko_finalizers_run_once
ko_log = []
class KoEnds:
    def __init__(self, n): self.n = n
    def __del__(self): ko_log.append(self.n)
ko_a = KoEnds('a'); ko_b = KoEnds('b'); ko_cycle = KoEnds('c'); ko_cycle.me = ko_cycle
# %%
ko_a.n = 'a2'; ko_b.n = 'b2'; ko_cycle.n = 'c2'
# %%
del ko_b
# %% check
assert ko_log == ['b2'], ko_log
del ko_a
assert ko_log == ['b2', 'a2']
# %% case: ko_weakref_finalize
import weakref
class KoBox: pass
kf_seen = []; kf_b = KoBox(); kf_f = weakref.finalize(kf_b, kf_seen.append, 'gone'); kf_r = weakref.ref(kf_b, lambda r: kf_seen.append('ref')); kf_p = weakref.proxy(kf_b)
# %%
kf_b.x = 1
# %% check
assert kf_f.alive and kf_r() is kf_b and kf_p.x == 1 and kf_seen == []
del kf_b
assert sorted(kf_seen) == ['gone', 'ref'] and not kf_f.alive
# %% case: ko_weak_containers
import weakref
class KoKey: pass
kw_k = KoKey(); kw_v = KoKey(); kw_wk = weakref.WeakKeyDictionary({kw_k: [1]}); kw_wv = weakref.WeakValueDictionary(v=kw_v); kw_ws = weakref.WeakSet([kw_k]); kw_m = weakref.WeakMethod(kf_seen.append) if False else None
# %%
kw_wk[kw_k].append(2)
# %% check
assert kw_wk[kw_k] == [1, 2] and kw_wv['v'] is kw_v and kw_k in kw_ws and len(kw_ws) == 1
del kw_v
assert 'v' not in kw_wv
# %% case: ko_one_bad_leaf_in_many_good [pinned]
import socket
kb_s = socket.socket(); kb_all = {'bad': kb_s, 'good': [1], 'nested': ({'deep': [kb_s, {'x': 1}]},)}; kb_ref = kb_all['nested'][0]['deep'][1]
# %%
kb_all['good'].append(2); kb_ref['x'] = 5
# %% check
assert kb_all['good'] == [1, 2] and kb_all['nested'][0]['deep'][1] is kb_ref and kb_ref == {'x': 5} and kb_all['bad'] is kb_all['nested'][0]['deep'][0]
kb_all['bad'].fileno()
# %% case: ko_map_over_a_running_generator [pinned]
def km_gen():
    yield 1
    yield 2
km_g = km_gen(); next(km_g); km_m = map(str, km_g); km_l = [km_m, [1]]
# %%
km_l[1].append(2)
# %% check
assert km_l[1] == [1, 2]
assert next(km_m) == '2'
# %% case: ko_generator_not_started
kg_log = []
def kg_gen(a, *rest, k=1, **kw):
    kg_log.append(a)
    yield from (a, *rest, k, *kw.items())
kg = kg_gen([1], 2, k=3, z=4); kg_x = (v * 2 for v in range(3)); kg_done = kg_gen(0); kg_n = len(list(kg_done))
# %%
kg_log.append('cell')
# %% check
assert kg_log == [0, 'cell'] and list(kg) == [[1], 2, 3, ('z', 4)] and list(kg_x) == [0, 2, 4] and list(kg_done) == [] and kg_n == 2
# %% case: ko_generator_left_behind [pinned]
kl_list = [1, 2, 3]
kl_gen = (x * 10 for x in kl_list); next(kl_gen)
# %%
kl_list.append(4)
# %% check
assert kl_list == [1, 2, 3, 4]
assert list(kl_gen) == [20, 30, 40]
# %% case: ko_structures_of_c
import ctypes
class KoPoint(ctypes.Structure):
    _fields_ = [('x', ctypes.c_int), ('y', ctypes.c_double)]
    def norm(self): return abs(self.x) + abs(self.y)
class KoPair(ctypes.Structure): _fields_ = [('a', KoPoint), ('b', KoPoint)]
kc_p = KoPoint(1, 2.5); kc_arr = (ctypes.c_int * 3)(1, 2, 3); kc_pair = KoPair(); kc_a = kc_pair.a; kc_buf = bytearray(16); kc_over = KoPoint.from_buffer(kc_buf); kc_i = ctypes.c_long(7)
# %%
kc_p.x = -3; kc_arr[1] = 20; kc_a.x = 9; kc_over.x = 5
# %% check
assert kc_p.norm() == 5.5 and list(kc_arr) == [1, 20, 3] and kc_pair.a.x == 9 and kc_buf[0] == 5 and kc_i.value == 7 and type(kc_arr) is ctypes.c_int * 3
kc_pair.a.x = 10; kc_over.x = 6
assert kc_a.x == 10 and kc_buf[0] == 6
# %% case: ko_cycles_and_hashes
class KoNode:
    def __init__(self, name): self.name = name; self.near = {self}; self.names = {self: name}
    def __hash__(self): return hash(self.name)
    def __eq__(self, other): return isinstance(other, KoNode) and self.name == other.name
kh = KoNode('n'); kh_set = {kh}; kh_map = {(kh, 1): 'v'}
# %%
kh.extra = [1]
# %% check
assert kh in kh.near and kh in kh_set and kh.names[kh] == 'n' and kh_map[(KoNode('n'), 1)] == 'v' and next(iter(kh_set)) is kh
# %% case: ko_nan_is_found_by_identity
import math, numpy as np
kn_l = [1.0, np.nan]; kn_d = {np.nan: 'v', 'm': math.nan}
# %%
kn_l.append(2.0)
# %% check
assert np.nan in kn_l and kn_l.index(np.nan) == 1 and kn_d[np.nan] == 'v' and kn_d['m'] is math.nan
# %% case: ko_files
ko_w = open('ko_out.txt', 'w'); ko_w.write('one\n'); ko_a2 = open('ko_app.txt', 'a+'); ko_b2 = open('ko_bin.dat', 'wb+'); ko_b2.write(b'12345'); ko_b2.seek(2)
# %%
ko_w.write('two\n'); ko_a2.write('x'); ko_b2.write(b'Z')
# %% check
ko_w.write('three\n'); ko_w.flush(); ko_a2.write('y'); ko_a2.flush()
assert open('ko_out.txt').read() == 'one\ntwo\nthree\n' and open('ko_app.txt').read().startswith('x') and ko_w.name == 'ko_out.txt' and ko_w.mode == 'w'
assert ko_b2.tell() == 3 and ko_b2.read() == b'45' and not ko_b2.closed
# %% case: ko_exceptions_kept
class KoErr(Exception):
    def __init__(self, *, code, detail=None): super().__init__(f'code {code}'); self.code = code; self.detail = detail
def ko_fail(): raise KoErr(code=3, detail=['d'])
try:
    try: ko_fail()
    except KoErr as e: raise OSError(2, 'no file', 'x.txt') from e
except OSError as e: ke = e; ke.add_note('a note')
try: raise ExceptionGroup('many', [ValueError(1), KeyError('k')])
except ExceptionGroup as e: ke_g = e
ke_d = ke.__cause__.detail
# %%
ke_d.append('more')
# %% check
import traceback
assert ke.errno == 2 and ke.filename == 'x.txt' and isinstance(ke, FileNotFoundError) and ke.__cause__.code == 3 and ke.__cause__.detail is ke_d == ['d', 'more'] and ke.__notes__ == ['a note']
assert [type(x) for x in ke_g.exceptions] == [ValueError, KeyError] and ke_g.message == 'many'
assert 'ko_fail' in ''.join(traceback.format_exception(ke)) and ke.__cause__.__traceback__ is not None
