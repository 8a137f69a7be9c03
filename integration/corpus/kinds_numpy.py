# numpy arrays of every kind keep their memory, their relations and their flags.
# %% case: structured_field_views
import numpy as np
npsf = np.zeros(4, dtype=[('a', 'i4'), ('b', 'f8'), ('c', 'S3')]); npsf_a = npsf['a']; npsf_ac = npsf[['a', 'c']]
# %%
npsf_a[1] = 7; npsf['c'][2] = b'xy'
# %% check
assert npsf['a'][1] == 7 and npsf_ac['c'][2] == b'xy' and np.shares_memory(npsf, npsf_a) and np.shares_memory(npsf, npsf_ac) and npsf_a.base is not None
assert npsf.dtype.names == ('a', 'b', 'c')
npsf_a[3] = 5
assert npsf[3]['a'] == 5 and npsf_ac[3]['a'] == 5
# %% case: view_without_its_root
import numpy as np
npvr = np.arange(24).reshape(4, 6)[1:3, ::2]
npvr2 = npvr[:, 1]
# %%
npvr2[0] = 100
# %% check
assert npvr[0, 1] == 100 and npvr.shape == (2, 3) and np.shares_memory(npvr, npvr2)
npvr[1, 1] = -1
assert npvr2[1] == -1
# %% case: views_of_views
import numpy as np
npvv = np.arange(20.0); npvv_b = npvv[2:18]; npvv_c = npvv_b[::-3]; npvv_d = npvv_c[1:].view('i8')
# %%
npvv_c[1] = 3.5
# %% check
assert np.shares_memory(npvv, npvv_d) and npvv_d.view('f8')[0] == 3.5 and npvv_b.base is npvv and 3.5 in npvv
npvv[:] = 0
assert (npvv_c == 0).all() and (npvv_d == 0).all()
# %% case: negative_strides_alone
import numpy as np
npns = np.arange(6)[::-1]; npns2 = np.flip(np.arange(6).reshape(2, 3), axis=1)
# %%
npns[0] = 50
# %% check
assert list(npns) == [50, 4, 3, 2, 1, 0] and npns2.tolist() == [[2, 1, 0], [5, 4, 3]]
assert npns.strides == (-8,) and npns2.strides == (24, -8)
# %% case: broadcast_arrays
import numpy as np
npbr_s = np.array([1, 2, 3]); npbr = np.broadcast_to(npbr_s, (4, 3)); npbr_t = np.lib.stride_tricks.as_strided(npbr_s, (2, 2), (8, 8))
npbr_big = np.broadcast_to(np.array(0.0), (100000, 100000))
# %%
npbr_s[1] = 20
# %% check
assert npbr.shape == (4, 3) and npbr[3, 1] == 20 and not npbr.flags.writeable and npbr.strides == (0, 8) and npbr_t.tolist() == [[1, 20], [20, 3]]
assert npbr_big.shape == (100000, 100000) and npbr_big.strides == (0, 0) and np.shares_memory(npbr, npbr_s) and np.shares_memory(npbr_t, npbr_s)
# %% case: sliding_windows
import numpy as np
npsw = np.arange(8.0); npsw_w = np.lib.stride_tricks.sliding_window_view(npsw, 3)
# %%
npsw[3] = 30
# %% check
assert npsw_w.shape == (6, 3) and npsw_w[1, 2] == 30 and npsw_w[3, 0] == 30 and np.shares_memory(npsw, npsw_w) and not npsw_w.flags.writeable
# %% case: zero_dimensional_and_readonly_views
import numpy as np
npz = np.arange(3); npz0 = npz[1, ...]; npz_r = npz.view(); npz_r.flags.writeable = False
# %%
npz[1] = 11
# %% check
assert npz0.shape == () and npz0 == 11 and npz_r[1] == 11 and not npz_r.flags.writeable and npz.flags.writeable and np.shares_memory(npz0, npz)
npz0[...] = 12
assert npz[1] == 12
# %% case: owners_stay_owners
import numpy as np
npow = np.arange(6); npow_l = [np.zeros(3), np.ones((2, 2), order='F')]; npow_s = np.zeros(2, dtype=[('x', 'i4')]); npow_e = np.empty(0); npow_u = np.array(['aa', 'b'])
npow_o = np.array([None, 1], dtype=object); npow_m = np.array(['2020'], dtype='M8[Y]')
# %%
npow[0] = 9
# %% check
assert all(a.flags.owndata and a.base is None for a in (npow, *npow_l, npow_s, npow_e, npow_u, npow_o, npow_m))
assert npow_l[1].flags.f_contiguous and npow_s.dtype.names == ('x',)
# %% case: resize_in_place
import numpy as np
nprz = np.arange(4)
# %%
nprz.resize(6, refcheck=False)
# %%
nprz[5] = 5
# %% check
assert nprz.tolist() == [0, 1, 2, 3, 0, 5] and nprz.flags.owndata
# %% case: masked_arrays
import numpy as np
npma = np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0], fill_value=-9); npma_v = npma[1:]; npma_d = npma.data; npma_m = npma.mask
npma_h = np.ma.array([1, 2], mask=False, hard_mask=True); npma_n = np.ma.masked; npma_s = np.ma.masked_array([1, 2, 3]); npma_k = np.ma.nomask
# %%
npma[0] = 10; npma[2] = np.ma.masked
# %% check
assert npma.filled().tolist() == [10.0, -9.0, -9.0] and npma_v.mask.tolist() == [True, True] and npma_n is np.ma.masked and npma.fill_value == -9
assert npma_h.hardmask and npma_s.mask is np.ma.nomask and npma_k is np.ma.nomask and np.shares_memory(npma.data, npma_v.data) and np.shares_memory(npma_d, npma.data)
npma[1] = 4
assert npma_v[0] == 4 or npma_v.mask[0]
# %% case: masked_alias_of_data
import numpy as np
npmb = np.arange(5); npmb_m = np.ma.masked_array(npmb, mask=npmb > 2, copy=False)
# %%
npmb[0] = 42
# %% check
assert npmb_m[0] == 42 and npmb_m.mask.tolist() == [False, False, False, True, True] and np.shares_memory(npmb_m, npmb)
# %% case: memory_map
import numpy as np
npmm_w = np.memmap('npmm.bin', dtype='f4', mode='w+', shape=(3, 4)); npmm_w[:] = 1; npmm_w.flush()
npmm_r = np.memmap('npmm.bin', dtype='f4', mode='r', shape=(3, 4)); npmm_c = np.memmap('npmm.bin', dtype='f4', mode='c', shape=(3, 4))
# %%
npmm_w[1, 1] = 5; npmm_w.flush(); npmm_c[0, 0] = 77
# %% check
assert npmm_w[1, 1] == 5 and npmm_r[1, 1] == 5 and npmm_c[0, 0] == 77 and npmm_w[0, 0] == 1 and npmm_r[0, 0] == 1
assert type(npmm_w) is np.memmap and npmm_w.mode == 'w+' and npmm_r.mode == 'r' and not npmm_r.flags.writeable and npmm_w.filename == npmm_r.filename
# %% case: record_arrays
import numpy as np
npre = np.rec.array([(1, 'a'), (2, 'b')], names='n,s'); npre_n = npre.n; npre_1 = npre[0]
# %%
npre.n[1] = 20
# %% check
assert npre.n.tolist() == [1, 20] and type(npre) is np.recarray and npre.s[0] == 'a' and npre_n[1] == 20 and type(npre[0]) is np.record
npre_n[0] = 5
assert npre.n[0] == 5
# %% case: matrix_and_char
import numpy as np
npmx = np.matrix([[1, 2], [3, 4]]); npch = np.char.array(['a', 'bc']); npmx_v = npmx[0]
# %%
npmx[0, 0] = 9
# %% check
assert type(npmx) is np.matrix and (npmx * npmx).shape == (2, 2) and npmx_v[0, 0] == 9 and type(npch) is np.char.chararray and npch.upper()[1] == 'BC'
# %% case: subclass_of_ndarray
import numpy as np
class NpUnits(np.ndarray):
    def __new__(cls, data, unit=None):
        obj = np.asarray(data).view(cls); obj.unit = unit; return obj
    def __array_finalize__(self, obj):
        if obj is not None: self.unit = getattr(obj, 'unit', None)
npun = NpUnits([1.0, 2.0], unit='m'); npun_v = npun[1:]; npun_base = npun.view(np.ndarray); npun.notes = ['n']
npun_notes = npun.notes
# %%
npun[1] = 5; npun_notes.append('k')
# %% check
assert type(npun) is NpUnits and npun.unit == 'm' and npun_v.unit == 'm' and type(npun_v) is NpUnits and npun_v[0] == 5 and npun_base[1] == 5
assert np.shares_memory(npun, npun_v) and npun.notes is npun_notes and npun.notes == ['n', 'k'] and (npun * 2).unit == 'm'
# %% case: object_arrays_alias
import numpy as np
npoa_l = [1]; npoa_d = {}; npoa = np.empty((2, 2), dtype=object); npoa[0, 0] = npoa_l; npoa[1, 1] = npoa_d; npoa_v = npoa[1]; npoa_t = npoa.T
# %%
npoa_l.append(2); npoa_v[0] = 'set'
# %%
npoa[1, 1]['k'] = npoa
# %% check
assert npoa[0, 0] is npoa_l and npoa_l == [1, 2] and npoa_d['k'] is npoa and npoa[1, 0] == 'set' and npoa_t[0, 1] == 'set' and np.shares_memory(npoa, npoa_v)
# %% case: objects_in_a_structure
import numpy as np
npos_l = []; npos = np.zeros(2, dtype=[('o', object), ('n', 'i4')]); npos['o'][0] = npos_l; npos_n = npos['n']
# %%
npos_l.append(1); npos_n[1] = 4
# %% check
assert npos['o'][0] is npos_l and npos_l == [1] and npos['n'][1] == 4
# %% case: made_ufuncs
import numpy as np
npuf = np.frompyfunc(lambda a, b: a * 10 + b, 2, 1); npuv = np.vectorize(lambda x, k=3: x + k, otypes=[float], excluded=['k']); npuf_m = np.add; npuf_r = np.add.reduce
# %%
npuf_x = npuf.accumulate(np.array([1, 2, 3], dtype=object))
# %% check
assert list(npuf_x) == [1, 12, 123] and npuf(1, 2) == 12 and npuf.nin == 2 and npuv(np.array([1, 2])).tolist() == [4.0, 5.0] and npuf_m is np.add and npuf_r([1, 2]) == 3
# %% case: shared_generators
import numpy as np
npg = np.random.default_rng(1); npg_b = npg.bit_generator; npg2 = np.random.Generator(npg_b); npg_s = np.random.SeedSequence(5); npg_m = np.random.Generator(np.random.MT19937(3)); npg_rs = np.random.RandomState(7)
# %%
npg.random(3); npg_s.spawn(1); npg_m.normal(); npg_rs.rand()
# %%
npg2.random(2)
# %% check
assert npg.bit_generator is npg_b and npg2.bit_generator is npg_b
npg_ref = np.random.default_rng(1); npg_ref.random(5)
assert npg.bit_generator.state == npg_ref.bit_generator.state and npg_s.n_children_spawned == 1
npg_r7 = np.random.RandomState(7); npg_r7.rand(); assert npg_rs.rand() == npg_r7.rand()
npg_r3 = np.random.Generator(np.random.MT19937(3)); npg_r3.normal(); assert npg_m.normal() == npg_r3.normal()
# %% case: spawned_generators
import numpy as np
npgs = np.random.default_rng(4); npgs_k = npgs.spawn(2)
# %%
npgs_v = npgs_k[0].random()
# %% check
npgs_r = np.random.default_rng(4); npgs_rk = npgs_r.spawn(2)
assert npgs_rk[0].random() == npgs_v and npgs_k[1].random() == npgs_rk[1].random() and npgs.spawn(1)[0].random() == npgs_r.spawn(1)[0].random()
# %% case: module_random_parts
import numpy as np
npmr = np.random.mtrand._rand; npmr_f = np.random.rand; npmr_b = np.random.get_bit_generator()
# %%
np.random.seed(11)
# %% check
npmr_x = npmr_f(); np.random.seed(11)
assert npmr_x == np.random.RandomState(11).rand() and npmr is np.random.mtrand._rand and npmr_b is np.random.get_bit_generator() and npmr_f.__self__ is npmr
# %% case: dtypes_and_scalars
import numpy as np
npdt = np.dtype([('x', '<i2'), ('y', '>f4', (2,))], align=True); npdt_t = np.float64; npdt_s = np.float32(1.5); npdt_v = np.void(b'abcd'); npdt_d = np.datetime64('2024-05-01', 'D'); npdt_m = np.dtype('i4', metadata={'k': 1})
npdt_r = np.zeros(2, npdt)[1]
npdt_i = np.iinfo('i2'); npdt_f = np.finfo(float)
# %%
npdt_a = np.zeros(2, npdt)
# %% check
assert npdt == np.dtype([('x', '<i2'), ('y', '>f4', (2,))], align=True) and npdt.isalignedstruct and npdt_t is np.float64 and type(npdt_s) is np.float32 and npdt_s == 1.5
assert npdt_v.tobytes() == b'abcd' and npdt_d == np.datetime64('2024-05-01') and npdt_m.metadata == {'k': 1} and npdt_i.max == 32767 and npdt_f.eps == np.finfo(float).eps
# %% case: void_scalar_is_a_view
import numpy as np
npvs = np.zeros(3, dtype=[('x', 'i4')]); npvs_1 = npvs[1]
# %%
npvs[1]['x'] = 6
# %% check
assert npvs_1['x'] == 6
npvs['x'][1] = 7
assert npvs_1['x'] == 7
# %% case: iterators_over_arrays [pinned]
import numpy as np
npit = np.arange(4); npit_f = npit.flat; next(npit_f); npit_n = np.nditer(npit, op_flags=['readwrite']); npit_e = np.ndenumerate(npit); next(npit_e); npit_x = np.ndindex(2, 2); next(npit_x)
# %%
npit[3] = 9
# %% check
assert npit.tolist() == [0, 1, 2, 9]
assert npit_f.index == 1 and next(npit_f) == 1 and npit_f.base is npit
assert next(npit_e) == ((1,), 1) and next(npit_x) == (0, 1)
assert [int(x) for x in npit_n] == [0, 1, 2, 9]
# %% case: over_foreign_memory
import numpy as np, array, mmap
npfm_b = bytearray(16); npfm_a = np.frombuffer(npfm_b, 'i4'); npfm_a2 = np.frombuffer(npfm_b, 'u1')[4:8]; npfm_y = np.frombuffer(b'abcd', 'u1'); npfm_r = array.array('d', [1, 2, 3]); npfm_ra = np.frombuffer(npfm_r); npfm_mv = np.frombuffer(memoryview(npfm_b)[8:], 'i4')
npfm_as = np.asarray(npfm_r)
# %%
npfm_a[1] = 7; npfm_ra[2] = 30; npfm_mv[0] = 5
# %% check
assert npfm_b[4] == 7 and npfm_a2[0] == 7 and npfm_r[2] == 30 and npfm_as[2] == 30 and npfm_b[8] == 5 and npfm_a[2] == 5 and not npfm_y.flags.writeable and npfm_y.tolist() == [97, 98, 99, 100]
npfm_b[0] = 3; npfm_r[0] = 9
assert npfm_a[0] == 3 and npfm_ra[0] == 9 and npfm_as[0] == 9
# %% case: memoryview_of_an_array
import numpy as np
npmv = np.arange(6); npmv_m = memoryview(npmv); npmv_d = npmv.data
# %%
npmv_m[2] = 77
# %% check
assert npmv[2] == 77 and npmv_m[2] == 77 and npmv_d[2] == 77
npmv[0] = 5; assert npmv_m[0] == 5
# %% case: anonymous_mmap [pinned]
import numpy as np, mmap
npam = mmap.mmap(-1, 64); npam_a = np.frombuffer(npam, 'i4'); npam_ok = [1]
# %%
npam_a[0] = 3; npam_ok.append(2)
# %% check
assert npam_ok == [1, 2]
assert npam[0] == 3 and npam_a[0] == 3
# %% case: big_shared_views
import numpy as np
npbs = np.zeros((300, 300)); npbs_rows = [npbs[i] for i in range(300)]; npbs_col = npbs[:, 5]
# %%
npbs_rows[7][5] = 1
# %% check
assert npbs[7, 5] == 1 and npbs_col[7] == 1 and all(np.shares_memory(r, npbs) for r in npbs_rows)
# %% case: string_arrays
import numpy as np
npst = np.array(['a', 'long string here' * 5], dtype=np.dtypes.StringDType()); npst_v = npst[1:]
# %%
npst[0] = 'changed'
# %% check
assert npst[0] == 'changed' and npst_v[0] == 'long string here' * 5 and npst.dtype == np.dtypes.StringDType()
# %% case: half_open_slices_in_containers
import numpy as np
npho = {'all': np.arange(10)}; npho['head'] = npho['all'][:5]; npho_t = (npho['head'], npho['all'][5:]); npho_o = np.array([npho['head'], None], dtype=object)
# %%
npho['head'][0] = -1
# %% check
assert npho_t[0] is npho['head'] and npho_o[0] is npho['head'] and npho['all'][0] == -1 and np.shares_memory(npho_t[1], npho['all'])
# %% case: poly_and_lib_objects
import numpy as np
nppl = np.poly1d([1, 2]); nppl_p = np.polynomial.Polynomial([1, 2, 3]); nppl_h = np.histogram([1, 2, 2]); nppl_b = np.broadcast([1, 2], [[1], [2]]); nppl_e = np.errstate(all='ignore'); nppl_l = np.lib.mixins.NDArrayOperatorsMixin
# %%
nppl[0] = 5
# %% check
assert nppl(1) == 6 and nppl_p(1) == 6 and nppl_h[0].sum() == 3
# %% case: byte_order_and_alignment
import numpy as np
npbo = np.arange(3, dtype='>i4'); npbo_u = np.frombuffer(b'\0' + np.arange(3, dtype='f8').tobytes(), dtype='u1')[1:].view('f8'); npbo_c = np.array([1 + 2j]); npbo_r = npbo_c.real; npbo_b = np.array([True, False])
# %%
npbo[1] = 1000; npbo_r[0] = 9
# %% check
assert npbo.dtype.byteorder == '>' and npbo[1] == 1000 and npbo_u.tolist() == [0, 1, 2] and npbo_c[0] == 9 + 2j and npbo_b.dtype == bool
