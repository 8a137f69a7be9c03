# Pickling customisation and objects that trip naive pickling: copyreg, __reduce__, __getstate__, proxies, singletons, registries, caches.
# %% case: pkl_lossy_getstate_must_not_lose
class PklConn:
    opened = 0
    def __init__(self, url):
        self.url = url; self.cache = {}; PklConn.opened += 1
    def __getstate__(self): return {"url": self.url}
    def __setstate__(self, st): self.__init__(st["url"])
pkl_c = PklConn("db://x")
pkl_c.cache["q"] = [1]
# %%
pkl_hot = pkl_c.cache["q"]; pkl_hot.append(2)
# %% check
assert pkl_c.cache == {"q": [1, 2]} and pkl_c.cache["q"] is pkl_hot, "the notebook must not see its own __getstate__ applied"
assert PklConn.opened == 1
# %% case: pkl_getstate_with_side_effects
class PklCounted:
    calls = []
    def __init__(self, v): self.v = v
    def __reduce__(self):
        PklCounted.calls.append(self.v)
        return (PklCounted, (self.v,))
pkl_items = [PklCounted(i) for i in range(3)]
# %%
pkl_items.append(pkl_items[0]); pkl_items[0].extra = "set later"
# %% check
assert pkl_items[3] is pkl_items[0] and pkl_items[0].extra == "set later" and [i.v for i in pkl_items] == [0, 1, 2, 0]
assert PklCounted.calls == [], PklCounted.calls
# %% case: pkl_refuses_pickling
class PklNo:
    def __init__(self): self.data = {"w": [1.5]}
    def __reduce_ex__(self, p): raise TypeError("do not pickle me")
class PklSecret:
    __slots__ = ("key",)
    def __getstate__(self): raise RuntimeError("secrets are not serialised")
pkl_no = PklNo(); pkl_sec = PklSecret(); pkl_sec.key = b"\x00\x01"
# %%
pkl_no.other = pkl_sec
# %% check
import pickle
assert pkl_no.data == {"w": [1.5]} and pkl_no.other is pkl_sec and pkl_sec.key == b"\x00\x01"
for o in (pkl_no, pkl_sec):
    try:
        pickle.dumps(o)
    except (TypeError, RuntimeError):
        pass
    else:
        raise AssertionError
# %% case: pkl_copyreg_for_foreign_class [alone]
import copyreg, fractions, copy, pickle
class PklUnit:
    def __init__(self, name): self.name = name
pkl_table = {n: PklUnit(n) for n in ("m", "kg")}
def pkl_find(n): return pkl_table[n]
copyreg.pickle(PklUnit, lambda u: (pkl_find, (u.name,)))
pkl_q = {"len": pkl_table["m"], "extra": PklUnit("m")}
# %%
pkl_copy = copy.deepcopy(pkl_q)
pkl_blob = pickle.dumps(pkl_table["kg"])
# %% check
import copyreg, copy, pickle
assert pkl_copy["len"] is pkl_table["m"] is pkl_q["len"] and pkl_q["extra"] is not pkl_table["m"]
assert PklUnit in copyreg.dispatch_table and pickle.loads(pkl_blob) is pkl_table["kg"]
assert copy.copy(pkl_q["extra"]) is pkl_table["m"]
# %% case: pkl_persistent_id_pickler
import pickle, io
pkl_store = {}
class PklP(pickle.Pickler):
    def persistent_id(self, o):
        if isinstance(o, bytearray):
            pkl_store[len(o)] = o; return ("blob", len(o))
class PklU(pickle.Unpickler):
    def persistent_load(self, pid): return pkl_store[pid[1]]
pkl_buf = io.BytesIO(); pkl_ba = bytearray(b"abc")
PklP(pkl_buf).dump({"x": pkl_ba, "y": pkl_ba})
# %%
pkl_buf.seek(0); pkl_back = PklU(pkl_buf).load(); pkl_pos = pkl_buf.tell()
# %% check
assert pkl_back["x"] is pkl_ba is pkl_store[3] is pkl_back["y"]
pkl_ba += b"d"; assert pkl_back["x"] == b"abcd" and pkl_buf.tell() == pkl_pos > 0 and pkl_buf.read() == b""
pkl_buf.seek(0); assert PklU(pkl_buf).load()["y"] is pkl_ba
# %% case: pkl_proxy_with_getattr
class PklProxy:
    def __init__(self, target): object.__setattr__(self, "_t", target); object.__setattr__(self, "_seen", [])
    def __getattr__(self, n):
        self._seen.append(n)
        return getattr(self._t, n)
    def __setattr__(self, n, v): setattr(self._t, n, v)
class PklTarget:
    def __init__(self): self.a = 1
pkl_tgt = PklTarget(); pkl_px = PklProxy(pkl_tgt); pkl_px2 = PklProxy(pkl_px)
# %%
pkl_px.b = 5
pkl_got = (pkl_px2.a, pkl_px.b)
# %% check
assert vars(pkl_tgt) == {"a": 1, "b": 5} and pkl_got == (1, 5)
assert object.__getattribute__(pkl_px2, "_t") is pkl_px and object.__getattribute__(pkl_px, "_t") is pkl_tgt
assert [n for n in object.__getattribute__(pkl_px, "_seen") if not n.startswith("_")] == ["a", "b"]
assert [n for n in object.__getattribute__(pkl_px2, "_seen") if not n.startswith("_")] == ["a"]
# %% case: pkl_infinite_getattr
class PklMagic:
    def __getattr__(self, n):
        child = PklMagic(); child.path = getattr(self, "__dict__").get("path", "") + "." + n
        return child
class PklAttrDict(dict):
    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__
pkl_mg = PklMagic().a.b; pkl_ad = PklAttrDict(x=1, child=PklAttrDict(y=2))
# %%
pkl_ad.child.up = pkl_ad; pkl_ad.z = pkl_mg
# %% check
assert pkl_mg.path == ".a.b" and pkl_mg.c.path == ".a.b.c" and vars(pkl_mg) == {"path": ".a.b"}
assert pkl_ad.child.up is pkl_ad and pkl_ad.z is pkl_mg and type(pkl_ad.child) is PklAttrDict and vars(pkl_ad) == {}
# %% case: pkl_singletons_new_and_metaclass
class PklSingle:
    _inst = None
    def __new__(cls):
        if cls._inst is None:
            cls._inst = super().__new__(cls); cls._inst.vals = []
        return cls._inst
class PklMeta(type):
    made = {}
    def __call__(cls, *a):
        if cls not in PklMeta.made: PklMeta.made[cls] = super().__call__(*a)
        return PklMeta.made[cls]
class PklConf(metaclass=PklMeta):
    def __init__(self, n): self.n = n
class PklNullType:
    __slots__ = ()
    def __bool__(self): return False
PKL_NULL = PklNullType()
pkl_sing = PklSingle(); pkl_conf = PklConf(3)
# %%
pkl_sing.vals.append(PKL_NULL); pkl_defaults = (lambda x=PKL_NULL: x is PKL_NULL)
# %% check
assert PklSingle() is pkl_sing is PklSingle._inst and pkl_sing.vals[0] is PKL_NULL
assert PklConf(99) is pkl_conf and pkl_conf.n == 3 and PklMeta.made == {PklConf: pkl_conf} and type(PklConf) is PklMeta
assert pkl_defaults() and not pkl_defaults(1)
# %% case: pkl_registry_init_subclass_and_decorator
PKL_REG, PKL_ORDER = {}, []
def pkl_register(name):
    def deco(f): PKL_REG[name] = f; f.tag = name; return f
    return deco
class PklPlugin:
    plugins = []
    def __init_subclass__(cls, /, key=None, **kw): super().__init_subclass__(**kw); cls.key = key; PklPlugin.plugins.append(cls); PKL_ORDER.append(key)
@pkl_register("add")
def pkl_add(a, b): return a + b
class PklA(PklPlugin, key="a"): pass
# %%
class PklB(PklA, key="b"):
    @pkl_register("meth")
    def m(self): return type(self).__name__
# %% check
assert PklPlugin.plugins == [PklA, PklB] and PKL_ORDER == ["a", "b"] and PklB.key == "b"
assert PKL_REG["add"] is pkl_add and pkl_add.tag == "add" and PKL_REG["meth"] is PklB.m is vars(PklB)["m"]
assert PklA.__subclasses__() == [PklB] and PklPlugin.__subclasses__() == [PklA] and PKL_REG["meth"](PklB()) == "PklB"
# %% case: pkl_lru_cache_contents_and_stats
import functools
pkl_runs = []
@functools.lru_cache(maxsize=3)
def pkl_slow(n): pkl_runs.append(n); return [n]
pkl_r1 = pkl_slow(1); pkl_slow(2); pkl_slow(1)
class PklHasCache:
    def __init__(self): self.n = 0
    @functools.lru_cache
    def val(self, k): self.n += 1; return (k, self.n)
    @functools.cached_property
    def heavy(self): self.n += 10; return {"h": self.n}
pkl_hc = PklHasCache(); pkl_hc.val("a"); pkl_heavy = pkl_hc.heavy
# %%
pkl_slow(3); pkl_slow(4)
# %% check
assert pkl_slow.cache_info() == (1, 4, 3, 3), pkl_slow.cache_info()
assert pkl_slow(1) is pkl_r1 and pkl_runs == [1, 2, 3, 4]
assert pkl_slow(2) == [2] and pkl_runs == [1, 2, 3, 4, 2] and pkl_slow(4) and pkl_runs[-1] == 2
assert pkl_hc.heavy is pkl_heavy == {"h": 11} and pkl_hc.val("a") == ("a", 1) and pkl_hc.n == 11
# %% case: pkl_singledispatch_extended
import functools, decimal
@functools.singledispatch
def pkl_show(x): return "obj"
@pkl_show.register
def _(x: int): return "int"
class PklThing: pass
pkl_int_impl = pkl_show.dispatch(int)
# %%
@pkl_show.register(PklThing)
def pkl_show_thing(x): return "thing"
pkl_show.register(decimal.Decimal, lambda x: "dec")
# %% check
import decimal
assert [pkl_show(v) for v in (1, True, 1.5, PklThing(), decimal.Decimal(1))] == ["int", "int", "obj", "thing", "dec"]
assert pkl_show.registry[PklThing] is pkl_show_thing and pkl_show.dispatch(bool) is pkl_int_impl
class PklThing2(PklThing): pass
assert pkl_show(PklThing2()) == "thing"
# %% case: pkl_weak_containers
import weakref
class PklNode:
    def __init__(self, n): self.n = n
pkl_strong = [PklNode(i) for i in range(3)]
pkl_wvd = weakref.WeakValueDictionary({n.n: n for n in pkl_strong}); pkl_wkd = weakref.WeakKeyDictionary({n: [n.n] for n in pkl_strong})
pkl_dead = []; pkl_ref = weakref.ref(pkl_strong[1], lambda r: pkl_dead.append("one died")); pkl_fin = weakref.finalize(pkl_strong[2], pkl_dead.append, "two died")
pkl_wset = weakref.WeakSet(pkl_strong[:2])
# %%
pkl_prox = weakref.proxy(pkl_strong[0]); pkl_wm = weakref.WeakMethod(pkl_strong[0].__init__)
# %% check
import gc
assert pkl_wvd[1] is pkl_strong[1] and pkl_ref() is pkl_strong[1] and pkl_wkd[pkl_strong[2]] == [2] and pkl_strong[0] in pkl_wset
assert pkl_prox.n == 0 and pkl_wm().__self__ is pkl_strong[0] and pkl_fin.alive and pkl_dead == []
del pkl_strong[1:]; gc.collect()
assert sorted(pkl_dead) == ["one died", "two died"]
assert list(pkl_wvd) == [0] and len(pkl_wkd) == 1 and pkl_ref() is None and not pkl_fin.alive and len(pkl_wset) == 1
# %% case: pkl_eq_hash_traps
class PklEqAll:
    def __eq__(self, o): return True
    def __hash__(self): return 7
class PklHashLate:
    def __init__(self, name): self.name = name
    def __hash__(self): return hash(self.name)
    def __eq__(self, o): return isinstance(o, PklHashLate) and self.name == o.name
class PklNoBool:
    def __bool__(self): raise ValueError("ambiguous")
pkl_ea = [PklEqAll(), PklEqAll()]
pkl_cyc = PklHashLate("k"); pkl_cyc.members = {pkl_cyc: "me"}; pkl_set = {pkl_cyc, PklHashLate("z")}; pkl_cyc.sets = pkl_set
# %%
pkl_nb = [PklNoBool(), PklNoBool(), None]; pkl_nb[2] = pkl_nb[0]
# %% check
assert pkl_ea[0] is not pkl_ea[1] and len(set(pkl_ea)) == 1
assert pkl_cyc.members[pkl_cyc] == "me" and next(iter(pkl_cyc.members)) is pkl_cyc and pkl_cyc in pkl_set and pkl_cyc.sets is pkl_set
assert PklHashLate("z") in pkl_set and pkl_nb[2] is pkl_nb[0] is not pkl_nb[1]
# %% case: pkl_classes_redefined_instances_stay_old
class PklVer:
    def who(self): return "v1"
pkl_v1 = PklVer(); pkl_v1_cls = PklVer; pkl_bound = pkl_v1.who
# %%
class PklVer:
    def who(self): return "v2"
pkl_v2 = PklVer()
# %%
class PklVer(pkl_v1_cls):
    def who(self): return "v3+" + super().who()
pkl_v3 = PklVer()
# %% check
assert [x.who() for x in (pkl_v1, pkl_v2, pkl_v3)] == ["v1", "v2", "v3+v1"] and pkl_bound() == "v1" and pkl_bound.__self__ is pkl_v1
assert type(pkl_v1) is pkl_v1_cls is PklVer.__mro__[1] and len({type(pkl_v1), type(pkl_v2), type(pkl_v3)}) == 3
assert not isinstance(pkl_v1, PklVer) and isinstance(pkl_v3, pkl_v1_cls) and pkl_v1_cls.__subclasses__() == [PklVer]
# %% case: pkl_class_machinery
class PklMetaCount(type):
    def __new__(m, n, b, ns, **k): c = super().__new__(m, n, b, ns); c.fields = [f for f in ns if not f.startswith("_")]; return c
    def __len__(cls): return len(cls.fields)
class PklDesc:
    def __set_name__(self, owner, name): self.name = "_" + name; self.owner = owner
    def __get__(self, o, t=None): return self if o is None else getattr(o, self.name, "unset")
    def __set__(self, o, v): setattr(o, self.name, v)
class PklModel(metaclass=PklMetaCount):
    a = PklDesc(); b = PklDesc()
    __slots__ = ("_a", "_b", "__weakref__")
    @classmethod
    def make(cls): o = cls(); o.a = cls; return o
    @staticmethod
    def st(): return __class__
    @property
    def ab(self): return (self.a, self.b)
# %%
pkl_mo = PklModel.make(); PklModel.a.note = "hi"; PklModel.extra = property(lambda s: PklModel)
# %% check
assert len(PklModel) == 5 and type(PklModel) is PklMetaCount and PklModel.fields[:2] == ["a", "b"]
assert PklModel.a.owner is PklModel and PklModel.a.note == "hi" and pkl_mo.a is PklModel and pkl_mo.b == "unset"
assert PklModel.st() is PklModel is pkl_mo.extra and not hasattr(pkl_mo, "__dict__") and pkl_mo.ab == (PklModel, "unset")
pkl_mo.b = 3; assert PklModel._b.__get__(pkl_mo) == 3
