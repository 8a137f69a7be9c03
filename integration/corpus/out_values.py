# Values: large arrays changed in one element, many small objects, deep nesting, big dicts, aliasing, views, iterators, set order, C objects.
# %% case: val_thirty_mb_one_element
import numpy as np
val_big = np.arange(3_900_000, dtype=np.float64)
val_view = val_big[1000:2000].reshape(10, 100)
# %%
val_big[1_234_567] = -1
val_sum0 = float(val_big.sum())
# %%
val_view[0, 5] = 777.5
val_t = val_view.T; val_ro = val_big[:5]; val_ro.flags.writeable = False
# %% check
assert val_big[1_234_567] == -1 and val_big[1005] == 777.5 and float(val_big.sum()) == val_sum0 - 1005 + 777.5
assert val_view.base is val_big and val_t.base is val_big
val_t[5, 0] = 1.0; assert val_big[1005] == 1.0 == val_view[0, 5]
assert not val_ro.flags.writeable and val_t.flags.f_contiguous and val_ro.base is val_big
val_big[0] = 3; assert val_ro[0] == 3
# %% case: val_twenty_thousand_objects
class ValP:
    __slots__ = ("i", "nxt", "tag")
    def __init__(self, i): self.i = i; self.tag = None
val_objs = [ValP(i) for i in range(20_000)]
for val_a, val_b in zip(val_objs, val_objs[1:] + val_objs[:1]): val_a.nxt = val_b
# %%
val_objs[777].tag = val_objs; val_objs[19_999].i = -1
val_index = {o.i: o for o in val_objs[::1000]}
# %% check
o = val_objs[0]; n = 0
while True:
    o = o.nxt; n += 1
    if o is val_objs[0]: break
assert n == 20_000 and val_objs[777].tag is val_objs and sum(x.i for x in val_objs) == 19_999 * 20_000 // 2 - 19_999 - 1
assert all(val_index[k] is val_objs[k] for k in val_index) and len(val_index) == 20 and val_a is val_objs[-1] and val_b is val_objs[0]
# %% case: val_deep_nested_list
val_deep = cur = []
for _lvl in range(20_000):
    nxt = [_lvl]; cur.append(nxt); cur = nxt
val_bottom = cur
del cur, nxt
# %%
val_bottom.append("end")
val_linked = None
for _lvl in range(5_000): val_linked = {"v": _lvl, "next": val_linked}
# %% check
x, d = val_deep, 0
while isinstance(x[-1], list): x = x[-1]; d += 1
assert d == 20_000 and x is val_bottom and x == [19_999, "end"]
y, d = val_linked, 0
while y: y, d = y["next"], d + 1
assert d == 5_000
while len(val_deep) and isinstance(val_deep[-1], list): val_deep = val_deep.pop()
# %% case: val_hundred_thousand_dict
val_dict = {f"key{i}": i for i in range(100_000)}
val_tup = {(i, str(i)): [i] for i in range(1000)}
# %%
val_dict.pop("key5"); val_dict["key5"] = "moved to the end"; val_dict["key77"] += 1
val_shared = val_tup[(3, "3")]; val_dict["shared"] = val_shared
# %% check
assert len(val_dict) == 100_001 and list(val_dict)[-2:] == ["key5", "shared"] and list(val_dict)[5] == "key6"
assert val_dict["key77"] == 78 and sum(v for v in val_dict.values() if type(v) is int) == 99_999 * 50_000 - 5 + 1
val_shared.append(4); assert val_tup[(3, "3")] == [3, 4] and val_dict["shared"] is val_shared
# %% case: val_set_iteration_order [open]
val_words = "the quick brown fox jumps over the lazy dog and runs away from every hungry wolf".split()
val_vocab = set(val_words); val_vocab.discard("the"); val_vocab |= {"extra%d" % i for i in range(20)}
for val_i in range(0, 20, 2): val_vocab.remove("extra%d" % val_i)
val_ids = {w: i for i, w in enumerate(val_vocab)}
# %%
val_vocab.add("late"); val_order = list(val_vocab); val_fro = frozenset(val_vocab); val_fro_order = list(val_fro)
# %% check
assert list(val_vocab) == val_order, "a set listed twice without changes gives the same order: ids assigned earlier depend on it"
assert list(val_fro) == val_fro_order and set(val_ids) == val_vocab - {"late"}
# %% case: val_iterators_half_consumed
import itertools
val_it = iter([10, 20, 30, 40]); next(val_it); val_same = val_it
val_cnt = itertools.count(5, 3); next(val_cnt); val_cyc = itertools.cycle("abc"); next(val_cyc)
val_zip = zip(val_it, val_cnt); val_src = [1, 2, 3]; val_rev = reversed(val_src); next(val_rev); val_en = enumerate(val_src, 7); next(val_en)
# %%
val_first = next(val_zip); val_src.append(4); val_isl = itertools.islice(val_cnt, 2); val_d = {"a": 1, "b": 2, "c": 3}; val_di = iter(val_d.items()); next(val_di)
# %% check
assert val_first == (20, 8) and val_same is val_it and next(val_zip) == (30, 11) and next(val_it) == 40 and next(val_cnt) == 14
assert list(val_isl) == [17, 20] and next(val_cyc) + next(val_cyc) + next(val_cyc) == "bca" and next(val_rev) == 2 and list(val_en) == [(8, 2), (9, 3), (10, 4)]
assert list(val_di) == [("b", 2), ("c", 3)] and next(val_same, None) is None
# %% case: val_tee_groupby_map_state
import itertools
val_calls = []
def val_probe(x): val_calls.append(x); return x * x
val_map = map(val_probe, range(5)); val_m0 = next(val_map)
val_acc = itertools.accumulate([1, 2, 3, 4]); next(val_acc); next(val_acc)
val_perm = itertools.permutations("abc"); next(val_perm); val_flt = filter(None, [0, 1, 0, 2, 3]); next(val_flt)
# %%
val_chain = itertools.chain.from_iterable([[1, 2], [3]]); next(val_chain)
# %% check
assert val_calls == [0] and list(val_map) == [1, 4, 9, 16] and val_calls == [0, 1, 2, 3, 4]
assert list(val_acc) == [6, 10] and next(val_perm) == ("a", "c", "b") and list(val_flt) == [2, 3] and list(val_chain) == [2, 3]
# %% case: val_generator_mid_iteration [alone] [pinned]
def val_gen(n):
    total = 0
    for i in range(n):
        got = yield total
        total += i if got is None else got
val_g = val_gen(10); next(val_g); next(val_g)
# %%
val_sent = val_g.send(100)
# %% check
assert val_sent == 100 and next(val_g) == 102 and val_g.gi_frame.f_locals["total"] == 102
val_g.close(); assert val_g.gi_frame is None
# %% case: val_closures_sharing_cells
def val_make():
    n, log = 0, []
    def inc(k=1):
        nonlocal n; n += k; log.append(n); return n
    def get(): return n
    def reset():
        nonlocal n, log; n = 0; log = log[:]; return log
    return inc, get, reset
val_inc, val_get, val_reset = val_make(); val_inc2, val_get2, _ = val_make()
# %%
val_inc(); val_inc(5); val_log = val_reset(); val_inc()
val_fns = [lambda: val_loop for val_loop in range(3)]; val_fns2 = [lambda k=k: k for k in range(3)]
def val_fact(n, memo={}):
    if n not in memo: memo[n] = 1 if n < 2 else n * val_fact(n - 1)
    return memo[n]
val_fact(5); val_memo = val_fact.__defaults__[0]
# %% check
assert val_get() == 1 and val_get2() == 0 and val_log == [1, 6, 1] and val_get.__closure__[0] in val_inc.__closure__ and any(c is val_get.__closure__[0] for c in val_inc.__closure__)
assert val_inc(10) == 11 == val_get() and val_log[-1] == 11 and val_inc2() == 1
assert [f() for f in val_fns] == [2, 2, 2] and [f() for f in val_fns2] == [0, 1, 2] and val_fns[0].__closure__[0] is val_fns[2].__closure__[0]
val_memo[6] = "planted"; assert val_fact(6) == "planted" and sorted(val_memo) == [1, 2, 3, 4, 5, 6]
# %% case: val_memoryview_of_bytearray
val_bytes = bytearray(b"0123456789"); val_mv = memoryview(val_bytes)[2:6]
# %%
val_mv[0] = ord("Z")
# %% check
assert val_bytes == b"01Z3456789" and val_mv.obj is val_bytes and bytes(val_mv) == b"Z345"
val_bytes[3] = ord("Q"); assert val_mv[1] == ord("Q")
try:
    val_bytes.append(1)
except BufferError:
    pass
else:
    raise AssertionError("the exported buffer keeps the size fixed")
val_mv.release(); val_bytes.append(0x41); assert val_bytes[-1:] == b"A"
# %% case: val_array_struct_and_ctypes
import array, ctypes, struct
val_arr = array.array("i", [1, 2, 3]); val_arrs = [val_arr, val_arr]
class ValRec(ctypes.Structure):
    _fields_ = [("id", ctypes.c_uint32), ("xy", ctypes.c_double * 2)]
val_rec = ValRec(7, (1.5, 2.5)); val_recs = (ValRec * 2)(); val_recs[1].id = 9; val_st = struct.Struct("<Ihb")
# %%
val_arr.append(4); val_rec.xy[1] = -1.0; val_part = val_rec.xy; val_packed = val_st.pack(1, 2, 3)
# %% check
assert val_arr.tolist() == [1, 2, 3, 4] and val_arr.typecode == "i" and val_arrs[0] is val_arrs[1] is val_arr
assert val_rec.xy[:] == [1.5, -1.0] and val_recs[1].id == 9 and type(val_recs[1]) is ValRec and type(val_rec) is ValRec
val_part[0] = 8.0; assert val_rec.xy[0] == 8.0, "the inner array is a view of the record"
assert val_st.unpack(val_packed) == (1, 2, 3) and val_st.size == 7
# %% case: val_hash_objects_incremental [pinned] [alone]
import hashlib, zlib, hmac
val_hash = hashlib.sha256(b"part one;")
# %%
val_hash.update(b"part two;"); val_mid = val_hash.hexdigest()
# %% check
import hashlib
val_hash.update(b"end"); assert val_hash.hexdigest() == hashlib.sha256(b"part one;part two;end").hexdigest() and val_mid == hashlib.sha256(b"part one;part two;").hexdigest()
# %% case: val_compiled_regexes_matches_scanners
import re
val_re = re.compile(r"(?P<k>\w+)=(?P<v>\d+)", re.I); val_match = val_re.search("xx A=1 b=22"); val_all = list(val_re.finditer("A=1 b=22"))
# %%
val_rules = {"num": (val_re, lambda m: int(m["v"]))}
# %% check
import re
assert val_match.group("k", "v") == ("A", "1") and val_match.span() == (3, 6) and val_match.re is val_re and val_match.string == "xx A=1 b=22"
assert [m.start() for m in val_all] == [0, 4] and all(m.re is val_re for m in val_all) and val_rules["num"][0] is val_re and val_rules["num"][1](val_match) == 1
assert re.compile(r"(?P<k>\w+)=(?P<v>\d+)", re.I) == val_re and val_re.flags & re.I
# %% case: val_subprocess_results_and_codes
import subprocess, sys, ast
val_cp = subprocess.run([sys.executable, "-S", "-c", "print('x'); raise SystemExit(3)"], capture_output=True, text=True)
try: val_cp.check_returncode()
except subprocess.CalledProcessError as e: val_cpe = e
val_code = compile("val_from_code = 6 * 7", "<gen>", "exec"); val_tree = ast.parse("a + b"); val_tree.body[0].value.op = ast.Mult()
# %%
exec(val_code); val_popen = subprocess.Popen(["true"]); val_popen.wait()
# %% check
assert val_cp.returncode == 3 and val_cp.stdout == "x\n" and val_cpe.returncode == 3 and val_cpe.stdout is val_cp.stdout and val_from_code == 42
assert val_popen.returncode == 0 and val_popen.poll() == 0 and val_popen.args == ["true"]
import ast; assert ast.unparse(val_tree) == "a * b" and eval(compile(ast.fix_missing_locations(ast.Expression(val_tree.body[0].value)), "", "eval"), {"a": 3, "b": 4}) == 12 and val_code.co_filename == "<gen>"
# %% case: val_numeric_oddities
import numpy as np, math
val_nan = float("nan"); val_nl = [val_nan, float("nan")]; val_negz = -0.0; val_nd = {val_nan: "me"}
val_nat = np.array(["2024-01-01", "NaT"], dtype="M8[D]"); val_obj = np.empty(3, dtype=object); val_obj[0] = val_nl; val_obj[1] = val_obj
val_rec2 = np.array([(1, "a"), (2, "b")], dtype=[("n", "i4"), ("s", "U1")]).view(np.recarray); val_ma = np.ma.masked_array([1, 2, 3], mask=[0, 1, 0], fill_value=-9)
# %%
val_field = val_rec2.n; val_field[0] = 50; val_ma[2] = np.ma.masked; val_scalar = np.float32(0.1); val_strided = np.arange(20)[::-3]; val_bc = np.broadcast_to(np.arange(3), (4, 3))
# %% check
import numpy as np, math
assert val_nl[0] is val_nan and val_nan in val_nl and val_nd[val_nan] == "me" and float("nan") not in val_nd and math.copysign(1, val_negz) == -1
assert val_obj[0] is val_nl and val_obj[1] is val_obj and val_obj[2] is None and np.isnat(val_nat[1])
assert val_rec2.n[0] == 50 and val_rec2[1].s == "b" and type(val_rec2) is np.recarray and val_ma.filled().tolist() == [1, -9, -9] and val_ma[2] is np.ma.masked
val_field[1] = 60; assert val_rec2["n"][1] == 60 and type(val_scalar) is np.float32 and val_strided.strides == (-24,) and val_bc.strides[0] == 0 and not val_bc.flags.writeable
# %% case: val_type_objects_and_generics
import typing, types, collections, enum, dataclasses
ValNT = collections.namedtuple("ValNT", "x y", defaults=[0]); ValT = typing.TypeVar("ValT", bound=ValNT)
class ValBox(typing.Generic[ValT]):
    items: "list[ValT]" = []
class ValTD(typing.TypedDict, total=False):
    a: int
ValDC = dataclasses.make_dataclass("ValDC", [("p", int), ("q", list, dataclasses.field(default_factory=list))]); ValDyn = type("ValDyn", (dict,), {"hello": lambda s: len(s)})
ValEnum = enum.IntFlag("ValEnum", "R W X")
# %%
val_alias = ValBox[ValNT]; val_hint = typing.Optional[list[ValNT]]; val_union = int | ValNT; val_dc = ValDC(1); val_dc.q.append(val_dc); val_ev = {ValEnum.R | ValEnum.X: ValNT(1)}
# %% check
import typing, dataclasses
assert val_alias.__origin__ is ValBox and val_alias.__args__ == (ValNT,) and ValT.__bound__ is ValNT and ValBox.__parameters__ == (ValT,)
assert typing.get_args(val_hint)[0].__args__[0] is ValNT and val_union.__args__ == (int, ValNT) and typing.get_type_hints(ValTD) == {"a": int} and ValTD.__total__ is False
assert val_dc.q[0] is val_dc and type(val_dc) is ValDC and dataclasses.replace(val_dc, p=2).q is val_dc.q and val_ev[ValEnum(5)] == (1, 0) and type(next(iter(val_ev.values()))) is ValNT
assert ValDyn(a=1).hello() == 1 and isinstance(1, val_union) and ValEnum.R in ValEnum(5)
