# Arrays share memory, carry layouts and flags, and random generators have a position.
# %% case: npv_family_of_views
import numpy as np
npf_base = np.arange(24.0).reshape(4, 6)
npf_row, npf_t, npf_rev = npf_base[1], npf_base.T, npf_base[::-1, ::-2]
npf_flat, npf_ov = npf_base.ravel(), npf_base[1:3, 2:5]
npf_copy = npf_base[[0, 1]]
npf_diag = np.einsum('ii->i', npf_base[:, :4])
# %%
npf_row[0] = 100; npf_diag[:] = -1
# %% check
npf_ov[0, 0] = 55
assert npf_base[1, 2] == npf_row[2] == npf_t[2, 1] == npf_flat[8] == 55 and npf_copy[1, 2] == 8.0
npf_rev[0, 0] = 77
assert npf_base[3, 5] == 77 and npf_base[1, 0] == 100 and npf_diag.tolist() == [-1, -1, -1, -1]
assert npf_t.flags.f_contiguous and npf_rev.strides == (-48, -16) and npf_row.base is npf_base.base is npf_ov.base
assert np.shares_memory(npf_rev, npf_t) and npf_copy.base is None
# %% case: npv_structured_and_records
import numpy as np
nps_dt = np.dtype([('id', '<i4'), ('pos', [('x', 'f4'), ('y', '>f8')]), ('tag', 'S3'), ('m', 'i2', (2, 2))], align=True)
nps_a = np.zeros(3, dtype=nps_dt)
nps_y, nps_rec, nps_two = nps_a['pos']['y'], nps_a.view(np.recarray), nps_a[['id', 'tag']]
nps_scalar = nps_a[1]
nps_union = np.zeros(2, np.dtype({'names': ['all', 'lo'], 'formats': ['<u4', '<u2'], 'offsets': [0, 0], 'titles': ['whole', None]}, metadata={'why': 'test'}))
# %%
nps_scalar['id'] = 9; nps_y[:] = [1, 2, 3]; nps_rec.tag[2] = b'abc'
nps_union['lo'] = 0xFFFF
# %% check
assert nps_a['id'].tolist() == [0, 9, 0] and nps_rec.pos.y.tolist() == [1, 2, 3] and nps_two['tag'][2] == b'abc'
nps_scalar['m'][0, 1] = 5
assert nps_a['m'][1, 0, 1] == 5 and nps_a.dtype is nps_a[1:].dtype and nps_dt.isalignedstruct and nps_a.dtype == nps_dt and nps_a.strides == nps_y.strides
assert nps_y.dtype.byteorder == '>' and nps_union['whole'][0] == 0xFFFF and nps_union.dtype.metadata == {'why': 'test'} and type(nps_rec) is np.recarray
nps_two['id'] = 4
assert nps_a['id'].tolist() == [4, 4, 4] and nps_scalar['id'] == 4
# %% case: npv_strided_broadcast_readonly
import numpy as np
nsb_x = np.arange(6.0)
nsb_win = np.lib.stride_tricks.sliding_window_view(nsb_x, 3, writeable=True)
nsb_bc = np.broadcast_to(nsb_x[:3], (4, 3))
nsb_ro = nsb_x.view(); nsb_ro.flags.writeable = False
nsb_f = np.asfortranarray(np.arange(6).reshape(2, 3))
nsb_const = np.frombuffer(b'abcd', 'u1')
# %%
nsb_win[0, 2] = 20
# %% check
assert nsb_win[2, 0] == nsb_x[2] == nsb_bc[3, 2] == nsb_ro[2] == 20
assert nsb_bc.strides == (0, 8) and nsb_win.strides == (8, 8) and nsb_f.flags.f_contiguous and nsb_f.strides == (8, 16)
nsb_x[0] = -1
assert nsb_bc[:, 0].tolist() == [-1] * 4 and not nsb_ro.flags.writeable and not nsb_bc.flags.writeable and nsb_x.flags.writeable and not nsb_const.flags.writeable
nsb_ro.flags.writeable = True
nsb_ro[5] = 9
assert nsb_x[5] == 9
# %% case: npv_masked_arrays
import numpy as np
nma_m = np.ma.array([1.0, 2.0, 3.0, 4.0], mask=[0, 1, 0, 0], fill_value=-9)
nma_view = nma_m[1:]
nma_data = nma_m.data
nma_hard = np.ma.array([1, 2, 3], mask=[1, 0, 0], hard_mask=True)
nma_none = np.ma.array([1, 2])
# %%
nma_m[2] = np.ma.masked; nma_data[0] = 50; nma_hard[0] = 99
nma_val = nma_m[1]
# %% check
assert nma_val is np.ma.masked and nma_view.mask.tolist() == [True, True, False] and nma_m[0] == 50
assert nma_hard.mask.tolist() == [True, False, False] and nma_hard.hardmask and nma_none.mask is np.ma.nomask
assert nma_m.filled().tolist() == [50, -9, -9, 4] and nma_m.fill_value == -9
nma_data[3] = 8
assert nma_view[2] == 8 and np.shares_memory(nma_view.mask, nma_m.mask)
# %% case: npv_object_arrays_hold_aliases
import numpy as np
noa_d = {'k': 1}
noa_a = np.empty((2, 2), dtype=object)
noa_a[0, 0] = noa_a[1, 1] = noa_d; noa_a[0, 1] = noa_a; noa_a[1, 0] = None
noa_v = noa_a[:, 0]
noa_rag = np.array([[1], [2, 3], noa_d], dtype=object)
noa_st = np.zeros(2, dtype=[('n', int), ('o', object)])
noa_st['o'][1] = noa_d
# %%
noa_v[1] = noa_rag[0]; noa_a[0, 0]['k'] = 2
# %% check
assert noa_a[1, 1] is noa_d is noa_rag[2] is noa_st['o'][1] and noa_d == {'k': 2} and noa_a[0, 1] is noa_a
assert noa_a[1, 0] is noa_rag[0] and noa_st['o'][0] == 0
noa_v[0] = 'via view'
assert noa_a[0, 0] == 'via view' and noa_v.base is noa_a
# %% case: npv_memmap_in_shared_directory
import numpy as np, os
nmm_path = 'corpus_nmm.dat'
nmm_w = np.memmap(nmm_path, dtype='i4', mode='w+', shape=(4, 3), offset=8)
nmm_w[:] = np.arange(12).reshape(4, 3); nmm_w.flush()
nmm_r = np.memmap(nmm_path, dtype='i4', mode='r', offset=8, shape=(12,))
nmm_c = np.memmap(nmm_path, dtype='i4', mode='c', offset=8, shape=(12,))
nmm_slice = nmm_w[1:, ::2]
# %%
nmm_slice[0, 0] = 300; nmm_c[1] = -1; nmm_w.flush()
# %% check
assert nmm_w[1, 0] == 300 == nmm_r[3] and nmm_r[1] == 1 and nmm_c[1] == -1
nmm_slice[0, 1] = 500; nmm_w.flush()
assert nmm_r[5] == 500 and np.fromfile(nmm_path, 'i4', offset=8)[5] == 500 and isinstance(nmm_slice, np.memmap)
assert not nmm_r.flags.writeable and nmm_w.mode == 'w+' and nmm_w.offset == 8 and os.path.basename(nmm_w.filename) == nmm_path
assert np.fromfile(nmm_path, 'i4', offset=8)[1] == 1
os.unlink(nmm_path)
# %% case: npv_generators_share_and_spawn
import numpy as np
ngs_g = np.random.default_rng(5)
ngs_alias = {'rng': ngs_g}
ngs_bit = ngs_g.bit_generator
ngs_second = np.random.Generator(ngs_bit)
ngs_kids = ngs_g.spawn(2)
ngs_old = np.random.RandomState(3); ngs_norm = ngs_old.normal()
ngs_seq = np.random.SeedSequence(9); ngs_seq.spawn(3)
# %%
ngs_x = ngs_g.integers(0, 100, 3, dtype=np.int32).tolist() + ngs_second.random(2).tolist()
ngs_pick = ngs_g.normal
# %% check
import numpy as np
ngs_c = np.random.default_rng(5); ngs_ck = ngs_c.spawn(2)
assert ngs_c.integers(0, 100, 3, dtype=np.int32).tolist() + ngs_c.random(2).tolist() == ngs_x
assert ngs_second.random() == ngs_c.random() and ngs_pick() == ngs_c.normal() and ngs_alias['rng'] is ngs_g and ngs_second.bit_generator is ngs_g.bit_generator is ngs_bit
assert ngs_g.integers(0, 100, 1, dtype=np.int32) == ngs_c.integers(0, 100, 1, dtype=np.int32)      # half a 64-bit word is buffered
assert ngs_g.spawn(1)[0].random() == ngs_c.spawn(1)[0].random() and ngs_kids[1].random() == ngs_ck[1].random()
ngs_oc = np.random.RandomState(3); assert ngs_oc.normal() == ngs_norm and ngs_old.normal() == ngs_oc.normal()
assert ngs_seq.n_children_spawned == 3 and ngs_seq.spawn(1)[0].spawn_key == (3,)
# %% case: npv_global_random_and_print_state [alone]
import numpy as np
np.random.seed(11); npg_a = np.random.normal(size=3)
np.set_printoptions(precision=2, suppress=True)
npg_old = np.seterr(divide='raise', over='ignore')
npg_mod = np.random.mtrand._rand
# %%
npg_b = np.random.permutation(6)
# %% check
npg_r = np.random.RandomState(11); assert (npg_r.normal(size=3) == npg_a).all() and (npg_r.permutation(6) == npg_b).all()
assert np.random.normal() == npg_r.normal() and np.random.rand() == npg_r.rand() and np.random.mtrand._rand is npg_mod
assert repr(np.array([1.23456])) == 'array([1.23])' and np.geterr()['divide'] == 'raise'
try:
    np.array([1.0]) / 0
except FloatingPointError:
    npg_fp = True
assert npg_fp
# %% case: npv_subclass_with_attributes
import numpy as np
class NswUnit(np.ndarray):
    made = 0
    def __new__(cls, data, unit=None, log=None):
        o = np.asarray(data, float).view(cls); o.unit, o.log = unit, log
        return o
    def __array_finalize__(self, obj):
        if obj is None: return
        self.unit, self.log = getattr(obj, 'unit', None), getattr(obj, 'log', None)
    def __array_ufunc__(self, uf, method, *ins, **kw):
        if self.log is not None: self.log.append(uf.__name__)
        ins = [np.asarray(i) for i in ins]
        return NswUnit(getattr(uf, method)(*ins, **kw), self.unit, self.log)
nsw_log = []
nsw_a = NswUnit([1, 2, 3, 4], 'm', nsw_log)
nsw_v = nsw_a[1:3]
# %%
nsw_s = nsw_a + 1
nsw_v.unit = 'cm'
# %% check
nsw_v[0] = 20
assert nsw_a.tolist() == [1, 20, 3, 4] and nsw_a.unit == 'm' and nsw_v.unit == 'cm' and type(nsw_v) is NswUnit
assert nsw_s.log is nsw_log is nsw_v.log and nsw_log == ['add'] and (nsw_s * 2).unit == 'm' and nsw_log == ['add', 'multiply']
# %% case: npv_scalars_strings_and_times
import numpy as np
nst_0d = np.array(5.0); nst_link = nst_0d[...]
nst_scalar = np.float32(1.5)
nst_str = np.array(['aé', None, 'longer than before ' * 3], dtype=np.dtypes.StringDType(na_object=None))
nst_time = np.array(['2024-01-01', 'NaT'], 'datetime64[ns]'); nst_int = nst_time.view('i8')
nst_u = np.array(['ab', 'cdef']); nst_bool = np.array([True, False])
nst_poly = np.polynomial.Polynomial([1, 2], domain=[0, 2]); nst_ld = np.longdouble(1) / 3
# %%
nst_link[...] = 6; nst_int[0] += 10 ** 9
nst_u[0] = 'too long'; nst_str[0] = 'changed to another'
# %% check
assert nst_0d == 6 and nst_0d.shape == () and type(nst_scalar) is np.float32 and nst_scalar + 1 == 2.5
assert str(nst_time[0]) == '2024-01-01T00:00:01.000000000' and np.isnat(nst_time[1]) and nst_u.tolist() == ['too ', 'cdef'] and nst_u.dtype == '<U4'
assert nst_str.tolist()[:2] == ['changed to another', None] and nst_str.dtype == np.dtypes.StringDType(na_object=None) and nst_str[2].startswith('longer')
assert nst_poly(1.0) == nst_poly.coef[0] + nst_poly.coef[1] * 0 and nst_poly.domain.tolist() == [0, 2] and nst_ld == np.longdouble(1) / 3
nst_int[1] = 0
assert str(nst_time[1]).startswith('1970') and nst_bool.dtype == bool
# %% case: npv_ufuncs_from_notebook_functions
import numpy as np
nuf_calls = []
def nuf_f(a, b=2):
    nuf_calls.append(a); return a * b
nuf_vec = np.vectorize(nuf_f, otypes=[float], excluded={'b'})
nuf_py = np.frompyfunc(lambda a, b: (a, b), 2, 1)
nuf_parts = {'add': np.add, 'red': np.add.reduce, 'meth': np.arange(3).sum}
# %%
nuf_out = nuf_vec([1, 2, 3], b=10)
nuf_tab = nuf_py.outer([1, 2], ['x'])
# %% check
assert nuf_out.tolist() == [10, 20, 30] and nuf_calls == [1, 2, 3] and nuf_tab.tolist() == [[(1, 'x')], [(2, 'x')]]
assert nuf_vec(5) == 10.0 and nuf_calls[-1] == 5 and nuf_vec.pyfunc is nuf_f and nuf_py(1, 2) == (1, 2) and nuf_py.nin == 2
assert nuf_parts['add'] is np.add and nuf_parts['red']([1, 2]) == 3 and nuf_parts['meth']() == 3
# %% case: npv_array_over_foreign_memory
import numpy as np, array
nfm_arr = array.array('d', [1, 2, 3, 4])
nfm_np = np.asarray(nfm_arr).reshape(2, 2)
nfm_src = np.zeros(4, 'u1'); nfm_mv = memoryview(nfm_src)[1:]
nfm_bytes = nfm_src.view('S4')
class NfmOwner:
    def __init__(self): self.buf = np.arange(4.0); self.head = self.buf[:2]
    @property
    def tail(self): return self.buf[2:]
nfm_o = NfmOwner(); nfm_tail = nfm_o.tail
# %%
nfm_mv[0] = 65; nfm_np[1] = [30, 40]
# %% check
assert nfm_arr.tolist() == [1, 2, 30, 40] and nfm_src.tolist() == [0, 65, 0, 0] and nfm_bytes[0] == b'\x00A'
nfm_arr[0] = -5
nfm_src[0] = 66
assert nfm_np[0, 0] == -5 and nfm_bytes[0] == b'BA' and nfm_mv.obj is nfm_src
nfm_o.head[0] = 9; nfm_tail[1] = 8
assert nfm_o.buf.tolist() == [9, 1, 2, 8]
# %% case: npv_numbers_of_own_classes_and_noted_types
import numpy as np
class NncPrice(np.float64):
    rates = [1.0]
    def half(self): return NncPrice(self / 2)
class NncWord(np.str_): pass
nnc_price = NncPrice(3.5); nnc_price.rates_then = NncPrice.rates; nnc_word = NncWord("hé"); nnc_list = [nnc_price, {"k": nnc_price}]
nnc_unit = {"unit": "m"}; nnc_type = np.dtype("f8", metadata={"of": nnc_unit}); nnc_array = np.zeros(3, nnc_type)
# %%
NncPrice.rates.append(2.0); nnc_unit["scale"] = 10
# %%
nnc_part = nnc_array[1:]; nnc_again = nnc_price
# %% check
assert type(nnc_price) is NncPrice and nnc_price is nnc_again is nnc_list[0] is nnc_list[1]["k"] and nnc_price == 3.5 and type(nnc_price.half()) is NncPrice
assert nnc_price.rates_then is NncPrice.rates == [1.0, 2.0] and type(nnc_word) is NncWord and nnc_word == "hé"
assert nnc_type.metadata["of"] is nnc_unit and nnc_array.dtype.metadata["of"] is nnc_unit and nnc_part.dtype.metadata["of"]["scale"] == 10
