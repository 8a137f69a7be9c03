# numpy as notebooks use it: views and storage, random streams, iterators, ambient settings, subclasses.
# %% case: np_window_views_over_one_buffer
import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view
win_signal = np.arange(24, dtype=np.float64)
win_grid = win_signal.reshape(4, 6)
win_T = win_grid.T
win_rev = win_signal[::-2]
win_slide = sliding_window_view(win_signal, 3)
win_overlap = as_strided(win_signal, shape=(5, 4), strides=(16, 8))
# %%
win_grid[0, 1] = 100.0
win_T[5, 3] = -7.0
win_overlap[1, 0] = 55.0
# %%
win_bytes = win_signal.view(np.uint8)
win_bytes[:8] = 0
win_signal += 1
# %% check
assert win_signal[1] == 101.0 and win_signal[23] == -6.0 and win_signal[2] == 56.0
assert win_rev[0] == -6.0
assert win_slide[0].tolist() == [1.0, 101.0, 56.0]
assert not win_slide.flags.writeable
assert win_overlap[0, 2] == 56.0 and win_overlap[1, 0] == 56.0
assert win_overlap.strides == (16, 8)
assert win_T.flags.f_contiguous and not win_T.flags.c_contiguous
for win_v in (win_grid, win_T, win_rev, win_slide, win_overlap, win_bytes):
    assert np.shares_memory(win_signal, win_v) or np.may_share_memory(win_signal, win_v)
assert win_grid.base is win_signal and win_bytes.base is win_signal
win_bytes[-8:] = np.frombuffer(np.float64(3.5).tobytes(), dtype=np.uint8)
assert win_T[5, 3] == 3.5 and win_rev[0] == 3.5 and win_grid[3, 5] == 3.5

# %% case: np_structured_rows_and_fields
import numpy as np
sr_dt = np.dtype([('id', 'i4'), ('pos', 'f8', (3,)), ('name', 'U8')], align=True)
sr_tab = np.zeros(5, dtype=sr_dt)
sr_tab['id'] = range(5)
sr_pos = sr_tab['pos']
sr_row = sr_tab[2]
sr_rec = sr_tab.view(np.recarray)
sr_two = sr_tab[['id', 'name']]
# %%
sr_row['name'] = 'middle'
sr_pos[2] = [1, 2, 3]
sr_rec.id[4] = 40
# %%
def sr_norms():
    return np.sqrt((sr_tab['pos'] ** 2).sum(axis=1))
sr_rec[0].name = 'first'
# %% check
assert sr_tab.dtype is sr_dt or sr_tab.dtype == sr_dt
assert sr_dt.isalignedstruct and sr_tab.dtype.isalignedstruct
assert sr_tab[2]['name'] == 'middle' and sr_rec.name[2] == 'middle'
assert sr_two['id'].tolist() == [0, 1, 2, 3, 40]
assert type(sr_rec) is np.recarray
assert abs(sr_norms()[2] - 14 ** .5) < 1e-12
sr_row['pos'][0] = 9
assert sr_pos[2, 0] == 9 and sr_rec.pos[2, 0] == 9
sr_pos[1] = 1
assert sr_norms()[1] == 3 ** .5
sr_two['id'][1] = 77
assert sr_tab['id'][1] == 77
sr_row['id'] = -5
assert sr_tab['id'][2] == -5

# %% case: np_masked_shared_mask
import numpy as np
ma_raw = np.array([3., -1., 4., -1., 5.])
ma_x = np.ma.array(ma_raw, mask=ma_raw < 0, copy=False, fill_value=-99)
ma_view = ma_x[1:4]
ma_hard = np.ma.array(ma_raw, mask=[0, 1, 0, 0, 0], hard_mask=True, copy=False)
# %%
ma_raw[0] = 30.
ma_x[2] = np.ma.masked
ma_const = np.ma.masked
# %%
ma_hard[1] = 123.
ma_view[0] = 8.
# %% check
assert ma_x.data[0] == 30. and np.shares_memory(ma_x.data, ma_raw)
assert ma_const is np.ma.masked
assert ma_x.mask.tolist() == [False, ma_x.mask[1], True, True, False]
assert ma_x.fill_value == -99
assert ma_hard.hardmask and ma_hard.mask[1]
assert ma_raw[1] == 8.
assert ma_x[2] is np.ma.masked
ma_raw[4] = 50.
assert ma_x[4] == 50. and ma_hard[4] == 50.
ma_view.data[2] = 17.
assert ma_raw[3] == 17.
assert np.shares_memory(ma_view._data, ma_x._data)

# %% case: np_memmap_two_names_and_file
import numpy as np, os
mm_path = 'b_np_memmap.dat'
mm_big = np.memmap(mm_path, dtype='int32', mode='w+', shape=(6, 4))
mm_big[:] = np.arange(24).reshape(6, 4)
mm_row = mm_big[2]
mm_ro = np.memmap(mm_path, dtype='int32', mode='r', shape=(6, 4))
# %%
mm_row[0] = 800
mm_big[5, 3] = -1
mm_big.flush()
# %%
mm_cow = np.memmap(mm_path, dtype='int32', mode='c', offset=16, shape=(5, 4))
mm_cow[0, 0] = 4444
# %% check
assert type(mm_big) is np.memmap and type(mm_row) is np.memmap and mm_big.mode == 'w+'
assert mm_big[2, 0] == 800 and mm_ro[2, 0] == 800
assert np.shares_memory(mm_row, mm_big)
mm_row[1] = 801
mm_big.flush()
assert mm_big[2, 1] == 801
assert np.fromfile(mm_path, dtype='int32').reshape(6, 4)[2, :2].tolist() == [800, 801]
assert mm_ro[2, 1] == 801 and not mm_ro.flags.writeable
assert mm_cow[0, 0] == 4444 and mm_big[1, 0] == 4 and mm_cow.offset == 16
assert mm_big.filename == os.path.abspath(mm_path) or str(mm_big.filename).endswith(mm_path)

# %% case: np_generators_sharing_a_bit_stream
import numpy as np
gs_bits = np.random.PCG64(2024)
gs_a = np.random.Generator(gs_bits)
gs_b = np.random.Generator(gs_bits)
gs_seq = np.random.SeedSequence(99)
gs_kids = [np.random.default_rng(s) for s in gs_seq.spawn(2)]
gs_ref = np.random.default_rng(2024)
# %%
gs_first = (gs_a.random(), gs_b.random())
gs_kid0 = gs_kids[0].integers(1000)
gs_u32 = gs_a.integers(0, 2**31, dtype=np.uint32)
# %%
gs_draw = gs_a.normal
gs_third = gs_b.random()
gs_more = gs_seq.spawn(1)[0]
# %% check
gs_exp = [gs_ref.random(), gs_ref.random()]
assert list(gs_first) == gs_exp
assert gs_u32 == gs_ref.integers(0, 2**31, dtype=np.uint32)
assert gs_third == gs_ref.random()
assert gs_a.bit_generator is gs_b.bit_generator is gs_bits
assert gs_draw() == gs_ref.normal()
assert gs_draw.__self__ is gs_a
assert gs_b.integers(0, 2**31, dtype=np.uint32) == gs_ref.integers(0, 2**31, dtype=np.uint32)
assert gs_more.spawn_key == (2,) and gs_seq.n_children_spawned == 3
gs_w = [np.random.default_rng(s) for s in np.random.SeedSequence(99).spawn(2)]
assert gs_kid0 == gs_w[0].integers(1000)
assert gs_kids[0].integers(1000) == gs_w[0].integers(1000)
assert gs_kids[1].spawn(1)[0].random() == gs_w[1].spawn(1)[0].random()

# %% case: np_legacy_global_stream [alone]
import numpy as np
np.random.seed(7)
lg_private = np.random.RandomState(7)
lg_global = np.random.mtrand._rand
lg_one = np.random.randn()
# %%
from numpy.random import rand, shuffle
lg_two = rand(3)
lg_deck = list(range(10))
shuffle(lg_deck)
# %%
lg_state = np.random.get_state()
lg_three = np.random.normal(size=2)
# %% check
assert lg_one == lg_private.randn()
assert (lg_two == lg_private.rand(3)).all()
lg_d2 = list(range(10)); lg_private.shuffle(lg_d2)
assert lg_deck == lg_d2
assert (lg_three == lg_private.normal(size=2)).all()
assert np.random.randn() == lg_private.randn()
assert lg_global is np.random.mtrand._rand and rand.__self__ is lg_global
assert lg_global.random_sample() == lg_private.random_sample()
assert rand() == lg_private.rand()
np.random.set_state(lg_state)
assert (np.random.normal(size=2) == lg_three).all()

# %% case: np_errors_and_printing [alone]
import numpy as np
ep_log = []
ep_old = np.seterrcall(lambda kind, flag: ep_log.append(kind))
np.seterr(divide='call', invalid='ignore', over='raise')
np.set_printoptions(precision=2, suppress=True, threshold=5, edgeitems=1, formatter={'bool': lambda v: 'Y' if v else 'n'})
# %%
ep_r = np.array([1., 2.]) / 0
ep_ctx = np.errstate(divide='ignore')
# %% raises FloatingPointError
np.float64(1e300) * np.float64(1e300)
# %% check
assert ep_log == ['divide by zero'], ep_log
np.ones(2) / 0
assert ep_log == ['divide by zero'] * 2
assert np.geterrcall() is not None and np.geterr()['over'] == 'raise' and np.geterr()['invalid'] == 'ignore'
with ep_ctx:
    np.ones(2) / 0
assert len(ep_log) == 2
assert str(np.array([True, False])) == '[Y n]'
assert str(np.array([3.14159, 1e-9])) == '[3.14 0.  ]'
assert str(np.arange(10)) == '[0 ... 9]'
try:
    np.float64(1e300) * np.float64(1e300)
    raise AssertionError
except FloatingPointError:
    pass

# %% case: np_own_ufuncs_with_memory
import numpy as np
uf_calls = []
def uf_step(a, b):
    uf_calls.append((a, b))
    return a * 2 + b
uf_u = np.frompyfunc(uf_step, 2, 1, identity=0)
uf_reduce = uf_u.reduce
uf_add_at = np.add.at
@np.vectorize
def uf_sign(v):
    "sign words"
    return 'neg' if v < 0 else 'pos'
uf_piped = np.vectorize(lambda v, k=[]: (k.append(v), len(k))[1], otypes=[int], cache=False)
# %%
uf_r1 = uf_reduce(np.array([1, 2, 3], dtype=object))
uf_p1 = uf_piped([5, 6])
# %%
uf_hist = np.zeros(3, int)
uf_add_at(uf_hist, [0, 0, 2], 1)
# %% check
assert uf_r1 == 11 and uf_calls == [(1, 2), (4, 3)]
assert uf_u(1, 1) == 3 and uf_calls[-1] == (1, 1)
assert isinstance(uf_u, np.ufunc) and uf_u.nin == 2 and uf_u.identity == 0
assert uf_reduce.__self__ is uf_u
assert uf_sign([-1, 2]).tolist() == ['neg', 'pos'] and uf_sign.__doc__ == 'sign words'
assert uf_p1.tolist() == [1, 2] and uf_piped([9]).tolist() == [3]
assert uf_hist.tolist() == [2, 0, 1]
assert uf_add_at.__self__ is np.add
assert uf_u.accumulate(np.array([1, 1, 1], dtype=object)).tolist() == [1, 3, 7]

# %% case: np_object_array_graph
import numpy as np
oa_bag = ['shared']
oa = np.empty((2, 2), dtype=object)
oa[0, 0] = oa_bag
oa[0, 1] = oa
oa[1, 0] = lambda: len(oa_bag)
oa[1, 1] = {'row': oa[0], 'flat': None}
oa[1, 1]['flat'] = oa.ravel()
oa_col = oa[:, 0]
# %%
oa_bag.append('more')
oa_col[0].append('via col')
# %%
class OaNode:
    def __init__(self, arr): self.arr = arr
oa_node = OaNode(oa_col)
oa_rep = np.repeat(np.array([oa_node, None], dtype=object), 2)
# %% check
assert oa[0, 0] is oa_bag and oa_bag == ['shared', 'more', 'via col']
assert oa[0, 1] is oa
assert oa[1, 0]() == 3
assert np.shares_memory(oa[1, 1]['row'], oa) and np.shares_memory(oa[1, 1]['flat'], oa)
oa_col[0] = 'swapped'
assert oa[0, 0] == 'swapped' and oa[1, 1]['flat'][0] == 'swapped' and oa[1, 1]['row'][0] == 'swapped'
assert oa_rep[0] is oa_rep[1] is oa_node and oa_node.arr is oa_col
assert type(oa_rep[0]) is OaNode and oa_rep[3] is None

# %% case: np_iterators_half_way
import numpy as np
hi_a = np.arange(12).reshape(3, 4)
hi_flat = hi_a.flat
hi_head = [next(hi_flat) for _ in range(5)]
hi_enum = np.ndenumerate(hi_a)
hi_e = [next(hi_enum) for _ in range(2)]
hi_idx = np.ndindex(2, 3)
hi_i = [next(hi_idx) for _ in range(4)]
hi_bc = np.broadcast(np.arange(3)[:, None], np.arange(2))
hi_b = [next(hi_bc) for _ in range(3)]
# %%
hi_a[1, 1] = 500
hi_head.append(next(hi_flat))
hi_e.append(next(hi_enum))
# %%
hi_i.append(next(hi_idx))
hi_b.append(next(hi_bc))
# %% check
assert hi_head == [0, 1, 2, 3, 4, 500]
assert hi_flat.index == 6 and hi_flat.base is hi_a
assert next(hi_flat) == 6
hi_flat[0] = -3
assert hi_a[0, 0] == -3
assert hi_e == [((0, 0), 0), ((0, 1), 1), ((0, 2), 2)]
assert next(hi_enum) == ((0, 3), 3)
assert hi_i == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)] and list(hi_idx) == [(1, 2)]
assert [tuple(map(int, t)) for t in hi_b] == [(0, 0), (0, 1), (1, 0), (1, 1)]
assert hi_bc.index == 4 and [tuple(map(int, t)) for t in hi_bc] == [(2, 0), (2, 1)]

# %% case: np_subclass_with_units
import numpy as np
class UnArr(np.ndarray):
    log = []
    def __new__(cls, data, unit):
        obj = np.asarray(data, dtype=float).view(cls)
        obj.unit = unit
        return obj
    def __array_finalize__(self, obj):
        if obj is None: return
        self.unit = getattr(obj, 'unit', None)
    def __array_ufunc__(self, ufunc, method, *ins, out=None, **kw):
        UnArr.log.append(ufunc.__name__)
        ins = [np.asarray(i) for i in ins]
        if out is not None:
            kw['out'] = tuple(np.asarray(o) for o in out)
        r = getattr(ufunc, method)(*ins, **kw)
        if out is not None: return out[0]
        return UnArr(r, self.unit) if isinstance(r, np.ndarray) else r
un_len = UnArr([1, 2, 3, 4], 'm')
un_half = un_len[:2]
# %%
un_len += 1
un_sum = un_len + un_half[0]
un_plain = np.asarray(un_len)
# %%
un_half.unit = 'half-m'
un_half *= 10
# %% check
assert type(un_len) is UnArr and un_len.unit == 'm' and un_half.unit == 'half-m'
assert un_plain.tolist() == [20., 30., 4., 5.] and type(un_plain) is np.ndarray
assert un_half.base is un_len
un_plain[0] = 0
assert float(un_half[0]) == 0 and float(un_len[0]) == 0
assert UnArr.log[:3] == ['add', 'add', 'multiply'], UnArr.log
un_n = len(UnArr.log)
un_new = un_len * 2
assert isinstance(un_new, UnArr) and un_new.unit == 'm' and len(UnArr.log) == un_n + 1
assert un_sum.unit == 'm' and un_sum.tolist() == [4., 5., 6., 7.]

# %% case: np_buffers_shared_with_python
import numpy as np, array, io
bu_ba = bytearray(16)
bu_i = np.frombuffer(bu_ba, dtype='<i4')
bu_mv = memoryview(bu_ba)[4:12]
bu_arr = array.array('d', [1.0, 2.0, 3.0])
bu_d = np.asarray(bu_arr)
bu_mvd = memoryview(bu_d)
# %%
bu_i[1] = 0x01020304
bu_arr[0] = 11.0
# %%
bu_mv[4] = 0xff
bu_mvd[2] = 33.0
bu_bro = np.broadcast_to(bu_d[1:2], (3, 3))
# %% raises BufferError
bu_ba.extend(b'x')
# %% check
assert bu_ba[4:8] == b'\x04\x03\x02\x01' and bu_i[2] == 255
assert bu_d.tolist() == [11.0, 2.0, 33.0] and bu_arr[2] == 33.0
bu_ba[0] = 9
assert bu_i[0] == 9
bu_i[3] = 1
assert bu_ba[12] == 1
bu_arr[1] = -2.0
assert bu_bro.sum() == -18.0 and bu_bro.strides == (0, 0) and not bu_bro.flags.writeable
assert bu_mvd[1] == -2.0 and bu_mv.obj is bu_ba and bu_mvd.obj is bu_d
try:
    bu_arr.append(1.0)
    raise AssertionError('the array should be exported')
except BufferError:
    pass
