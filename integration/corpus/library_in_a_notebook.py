# A small library grows inside the notebook over many cells: classes, decorators, registries, interpreters, later redefinitions.
# %% case: lib_plugin_registry_grows
LPR_PLUGINS = {}
def lpr_plugin(name, *, priority=0):
    def deco(obj):
        LPR_PLUGINS[name] = (priority, obj)
        obj.plugin_name = name
        return obj
    return deco
# %%
class LprBase:
    subclasses = []
    def __init_subclass__(cls, /, tag=None, **kw):
        super().__init_subclass__(**kw)
        cls.tag = tag
        LprBase.subclasses.append(cls)
    def run(self, x):
        return f"{self.tag}:{self.work(x)}"
# %%
@lpr_plugin("upper", priority=2)
class LprUpper(LprBase, tag="U"):
    def work(self, x):
        return x.upper()

@lpr_plugin("twice")
def lpr_twice(x):
    return x * 2
# %%
@lpr_plugin("rev", priority=5)
class LprRev(LprUpper, tag="R"):
    def work(self, x):
        return super().work(x)[::-1]
lpr_inst = LprRev()
# %%
lpr_order = [n for n, (p, o) in sorted(LPR_PLUGINS.items(), key=lambda kv: -kv[1][0])]
# %% raises KeyError
LPR_PLUGINS["late"] = (9, lambda x: x + "!")
LPR_PLUGINS["nosuch"]
# %% check
assert lpr_order == ["rev", "upper", "twice"]
assert LprBase.subclasses == [LprUpper, LprRev]
assert LPR_PLUGINS["rev"][1] is LprRev and LPR_PLUGINS["twice"][1] is lpr_twice
assert lpr_inst.run("abc") == "R:CBA" and isinstance(lpr_inst, LprUpper)
assert LPR_PLUGINS["late"][1]("x") == "x!"
assert LprBase.__subclasses__() == [LprUpper] and LprUpper.__subclasses__() == [LprRev]
class LprLast(LprBase, tag="L"):
    pass
assert LprBase.subclasses[-1] is LprLast and LprLast.tag == "L"
lpr_plugin("new")(lpr_inst.__class__)
assert "new" in LPR_PLUGINS and LprRev.plugin_name == "new"
# %% case: lib_redefined_function_old_closure
def lro_scale(x):
    return x * 10
def lro_make(n):
    helper = lro_scale
    def inner(x):
        return (helper(x) + n, lro_scale(x) + n)
    return inner
lro_old = lro_make(1)
lro_keep = lro_scale
# %%
def lro_scale(x):
    return x * 100
lro_new = lro_make(2)
# %%
class LroThing:
    def area(self):
        return 1
    def show(self):
        return ("old", self.area())
lro_t1 = LroThing()
lro_bound = lro_t1.show
# %%
LroThingOld = LroThing
class LroThing:
    def area(self):
        return 2
    def show(self):
        return ("new", self.area(), isinstance(self, LroThing))
lro_t2 = LroThing()
# %%
lro_t3 = type(lro_t1)()
lro_t3.__class__ = LroThing
# %% check
assert lro_old(1) == (11, 101) and lro_new(1) == (102, 102)
assert lro_keep is not lro_scale and lro_keep(1) == 10
assert lro_old.__closure__[0].cell_contents is lro_keep
assert type(lro_t1) is LroThingOld and type(lro_t1) is not LroThing
assert lro_bound() == ("old", 1) and lro_bound.__self__ is lro_t1
assert lro_t2.show() == ("new", 2, True) and lro_t3.show() == ("new", 2, True)
assert not isinstance(lro_t1, LroThing)
def lro_scale(x):
    return -x
assert lro_old(1) == (11, 0)
LroThingOld.area = lambda self: 77
assert lro_bound() == ("old", 77)
# %% case: lib_lisp_interpreter
import operator as lli_op, math as lli_math
class LliEnv(dict):
    def __init__(self, params=(), args=(), outer=None):
        self.update(zip(params, args))
        self.outer = outer
    def find(self, var):
        if var in self:
            return self
        if self.outer is None:
            raise NameError(var)
        return self.outer.find(var)
lli_genv = LliEnv()
lli_genv.update({"+": lli_op.add, "-": lli_op.sub, "*": lli_op.mul, "<": lli_op.lt, "sqrt": lli_math.sqrt})
# %%
def lli_parse(s):
    toks = s.replace("(", " ( ").replace(")", " ) ").split()
    def read():
        t = toks.pop(0)
        if t == "(":
            out = []
            while toks[0] != ")":
                out.append(read())
            toks.pop(0)
            return out
        try:
            return int(t)
        except ValueError:
            return t
    return read()
# %%
class LliProc:
    __slots__ = ("params", "body", "env", "__weakref__")
    def __init__(self, params, body, env):
        self.params, self.body, self.env = params, body, env
    def __call__(self, *args):
        return lli_eval(self.body, LliEnv(self.params, args, self.env))
def lli_eval(x, env=lli_genv):
    if isinstance(x, str):
        return env.find(x)[x]
    if not isinstance(x, list):
        return x
    op, *args = x
    if op == "define":
        env[args[0]] = lli_eval(args[1], env)
    elif op == "set!":
        env.find(args[0])[args[0]] = lli_eval(args[1], env)
    elif op == "if":
        return lli_eval(args[1] if lli_eval(args[0], env) else args[2], env)
    elif op == "lambda":
        return LliProc(args[0], args[1], env)
    elif op == "begin":
        for a in args:
            r = lli_eval(a, env)
        return r
    else:
        f = lli_eval(op, env)
        return f(*[lli_eval(a, env) for a in args])
# %%
def lli(s):
    return lli_eval(lli_parse(s))
lli("(define fact (lambda (n) (if (< n 2) 1 (* n (fact (- n 1))))))")
lli("(define mk (lambda (c) (lambda (d) (begin (set! c (+ c d)) c))))")
lli("(define acc (mk 100))")
# %%
lli_a = lli("(acc 5)")
# %% raises NameError
lli("(begin (define k 3) (acc 7) (undefinedthing 1))")
# %%
lli("(define acc2 (mk 0))")
lli_b = lli("(acc 1)")
# %% check
assert lli_a == 105 and lli_b == 113
assert lli("(fact 10)") == 3628800 and lli("(acc 0)") == 113 and lli("(acc2 4)") == 4 and lli("k") == 3
assert lli_eval.__defaults__[0] is lli_genv
assert lli_genv["acc"].env is not lli_genv["acc2"].env
assert lli_genv["acc"].env.outer is lli_genv
assert isinstance(lli_genv["acc"].env, LliEnv)
lli_genv["+"] = lambda a, b: a + b + 1000
assert lli("(acc 0)") == 1113
# %% case: lib_descriptor_and_metaclass_orm
class LdoField:
    counter = 0
    def __init__(self, typ, default=None):
        self.typ, self.default = typ, default
        self.order = LdoField.counter
        LdoField.counter += 1
    def __set_name__(self, owner, name):
        self.name = name
        self.owner = owner
    def __get__(self, obj, cls=None):
        if obj is None:
            return self
        return obj.__dict__.get("_" + self.name, self.default)
    def __set__(self, obj, value):
        if not isinstance(value, self.typ):
            raise TypeError(f"{self.name} wants {self.typ.__name__}")
        obj.__dict__["_" + self.name] = value
# %%
class LdoMeta(type):
    registry = {}
    def __new__(m, name, bases, ns, **kw):
        cls = super().__new__(m, name, bases, ns)
        cls.fields = [v for v in ns.values() if isinstance(v, LdoField)]
        m.registry[name] = cls
        return cls
    def __getitem__(cls, key):
        return cls.rows[key]
    def __len__(cls):
        return len(cls.rows)
class LdoModel(metaclass=LdoMeta):
    rows = {}
    def save(self):
        type(self).rows[self.id] = self
        return self
# %%
class LdoUser(LdoModel):
    rows = {}
    id = LdoField(int)
    name = LdoField(str, "anon")
ldo_u = LdoUser()
ldo_u.id = 1
ldo_u.save()
# %% raises TypeError
ldo_v = LdoUser()
ldo_v.id = 2
ldo_v.save()
ldo_v.name = 5
# %%
ldo_v.name = "vera"
class LdoAdmin(LdoUser):
    level = LdoField(int, 3)
ldo_w = LdoAdmin(); ldo_w.id = 9; ldo_w.save()
# %% check
assert len(LdoUser) == 3 and LdoUser[1] is ldo_u and LdoUser[2] is ldo_v and LdoUser[9] is ldo_w
assert ldo_u.name == "anon" and ldo_v.name == "vera" and ldo_w.level == 3
assert LdoMeta.registry == {"LdoModel": LdoModel, "LdoUser": LdoUser, "LdoAdmin": LdoAdmin}
assert [f.name for f in LdoUser.fields] == ["id", "name"] and LdoAdmin.fields[0].owner is LdoAdmin
assert LdoUser.name is LdoUser.__dict__["name"] and LdoAdmin.name is LdoUser.name
assert LdoField.counter == 3 and LdoAdmin.level.order == 2
try:
    ldo_u.id = "x"
except TypeError as e:
    assert str(e) == "id wants int"
else:
    raise AssertionError
assert LdoAdmin.rows is LdoUser.rows is not LdoModel.rows
# %% case: lib_decorators_with_state
import functools as lds_ft
lds_calls = []
def lds_trace(f):
    @lds_ft.wraps(f)
    def w(*a, **k):
        w.count += 1
        lds_calls.append((f.__name__, a))
        return f(*a, **k)
    w.count = 0
    return w
def lds_memo(f):
    cache = {}
    @lds_ft.wraps(f)
    def w(*a):
        if a not in cache:
            cache[a] = f(*a)
        return cache[a]
    w.cache = cache
    w.clear = cache.clear
    return w
# %%
@lds_memo
@lds_trace
def lds_fib(n):
    "fib doc"
    return n if n < 2 else lds_fib(n - 1) + lds_fib(n - 2)
lds_r = lds_fib(10)
# %%
@lds_ft.lru_cache(maxsize=4)
def lds_sq(n):
    lds_calls.append(("sq", n))
    return [n * n]
lds_sq4 = lds_sq(4); lds_sq(5); lds_sq(4)
# %%
class LdsOnce:
    def __init__(self, f):
        lds_ft.update_wrapper(self, f)
        self.f, self.n = f, 0
    def __call__(self, *a):
        self.n += 1
        return self.f(*a)
    def __get__(self, obj, cls):
        return self if obj is None else lds_ft.partial(self, obj)
class LdsK:
    def __init__(self): self.computes = 0
    @LdsOnce
    def m(self, x): return (self, x)
    @lds_ft.cached_property
    def heavy(self):
        self.computes += 1
        return object()
lds_k = LdsK()
lds_p = lds_k.m
lds_p(3)
lds_h = lds_k.heavy
# %% check
assert lds_r == 55 and lds_fib.__wrapped__.count == 11 and len(lds_fib.cache) == 11
assert lds_fib.__doc__ == "fib doc" and lds_fib.__name__ == "lds_fib"
n = len(lds_calls)
assert lds_fib(10) == 55 and len(lds_calls) == n
lds_fib.clear()
assert lds_fib(3) == 2 and lds_fib.__wrapped__.count == 15
info = lds_sq.cache_info()
assert (info.hits, info.misses, info.maxsize, info.currsize) == (1, 2, 4, 2), info
assert lds_sq(4) is lds_sq4
assert LdsK.m.n == 1 and lds_k.m(5) == (lds_k, 5) and LdsK.m.n == 2 and lds_p.func is LdsK.m and lds_p.args[0] is lds_k
assert lds_k.heavy is lds_h and lds_k.computes == 1
# %% case: lib_state_machine_enum_dispatch
import enum as lsm_enum
from functools import singledispatch as lsm_sd
class LsmState(lsm_enum.Enum):
    IDLE = lsm_enum.auto()
    RUN = lsm_enum.auto()
    DONE = lsm_enum.auto()
    @property
    def final(self): return self is LsmState.DONE
class LsmPerm(lsm_enum.IntFlag):
    R = 4; W = 2; X = 1
# %%
class LsmMachine:
    transitions = {}
    def __init__(self):
        self.state = LsmState.IDLE
        self.log = []
        self.hooks = {s: [] for s in LsmState}
    @classmethod
    def on(cls, src, event):
        def d(f):
            cls.transitions[src, event] = f
            return f
        return d
    def fire(self, event, *a):
        f = self.transitions[self.state, event]
        new = f(self, *a)
        self.log.append((self.state, event, new))
        self.state = new
        for h in self.hooks[new]:
            h(self)
# %%
@LsmMachine.on(LsmState.IDLE, "start")
def lsm_start(m, job):
    m.job = job
    return LsmState.RUN
@LsmMachine.on(LsmState.RUN, "tick")
def lsm_tick(m):
    m.job -= 1
    return LsmState.DONE if m.job == 0 else LsmState.RUN
lsm = LsmMachine()
lsm_finished = []
lsm.hooks[LsmState.DONE].append(lsm_finished.append)
lsm.fire("start", 2)
# %% raises KeyError
lsm.fire("tick")
lsm.fire("start", 5)
# %%
@lsm_sd
def lsm_show(x): return "obj"
@lsm_show.register
def _(x: LsmState): return "state " + x.name
@lsm_show.register(LsmMachine)
def _(x): return "machine in " + lsm_show(x.state)
lsm_perm = LsmPerm.R | LsmPerm.X
# %% check
assert lsm_show(lsm) == "machine in state RUN" and lsm_show(1) == "obj"
assert lsm.state is LsmState.RUN and lsm.hooks.keys() == set(LsmState)
lsm.fire("tick")
assert lsm.state is LsmState.DONE and lsm.state.final and lsm_finished == [lsm] and lsm_finished[0] is lsm
assert lsm.log[0] == (LsmState.IDLE, "start", LsmState.RUN)
assert LsmState(2) is LsmState.RUN and LsmState["RUN"] is LsmState.RUN
assert LsmPerm(5) is lsm_perm and LsmPerm.W not in lsm_perm
assert LsmMachine.transitions[LsmState.RUN, "tick"] is lsm_tick
lsm_show.register(int, lambda x: "int")
assert lsm_show(3) == "int" and lsm_show(True) == "int"
# %% case: lib_dataclass_protocol_generic
from __future__ import annotations
import dataclasses as ldp_dc, typing as ldp_t, abc as ldp_abc, collections as ldp_c
LdpT = ldp_t.TypeVar("LdpT")
LdpPair = tuple[int, str]
LdpAlias = dict[str, list["LdpNode"]]
@ldp_dc.dataclass(order=True)
class LdpNode:
    key: int
    tags: list = ldp_dc.field(default_factory=list, compare=False)
    parent: LdpNode | None = ldp_dc.field(default=None, compare=False, repr=False)
    counter: ldp_t.ClassVar[dict] = {}
    seed: ldp_dc.InitVar[int] = 0
    def __post_init__(self, seed):
        self.token = seed + 1
        LdpNode.counter[self.key] = self
# %%
@ldp_dc.dataclass(frozen=True, slots=True)
class LdpPoint:
    x: float
    y: float = 0.0
class LdpStack(ldp_t.Generic[LdpT]):
    def __init__(self): self.items: list[LdpT] = []
    def push(self, x: LdpT) -> None: self.items.append(x)
LdpIntStack = LdpStack[int]
ldp_s = LdpIntStack()
# %%
@ldp_t.runtime_checkable
class LdpSized(ldp_t.Protocol):
    def size(self) -> int: ...
class LdpAbs(ldp_abc.ABC):
    @ldp_abc.abstractmethod
    def go(self): ...
class LdpVirtual:
    def size(self): return 1
LdpAbs.register(LdpVirtual)
LdpRec = ldp_c.namedtuple("LdpRec", "a b", defaults=[7])
class LdpTyped(ldp_t.NamedTuple):
    p: LdpPoint
    n: int = 3
# %%
ldp_root = LdpNode(1, seed=41)
ldp_kid = LdpNode(2, parent=ldp_root, tags=ldp_root.tags)
ldp_pts = {LdpPoint(1.0): ldp_kid, LdpPoint(2.0, 3.0): ldp_root}
ldp_rec = LdpRec(ldp_root)
ldp_tp = LdpTyped(next(iter(ldp_pts)))
# %% raises FrozenInstanceError
ldp_s.push(ldp_rec)
list(ldp_pts)[0].x = 3
# %% check
import dataclasses, typing
assert ldp_kid.parent is ldp_root and ldp_kid.tags is ldp_root.tags and ldp_root.token == 42
assert LdpNode.counter[2] is ldp_kid and sorted([ldp_kid, ldp_root])[0] is ldp_root
assert ldp_pts[LdpPoint(1.0)] is ldp_kid and ldp_tp.p is next(iter(ldp_pts))
assert ldp_s.items == [ldp_rec] and ldp_s.items[0] is ldp_rec and ldp_rec.b == 7 and ldp_rec.a is ldp_root
assert ldp_s.__orig_class__ == LdpIntStack and typing.get_args(LdpIntStack) == (int,)
assert issubclass(LdpVirtual, LdpAbs) and isinstance(LdpVirtual(), LdpSized)
assert [f.name for f in dataclasses.fields(LdpNode)] == ["key", "tags", "parent"]
r = dataclasses.replace(list(ldp_pts)[1], y=9.0)
assert r == LdpPoint(2.0, 9.0) and not hasattr(r, "__dict__")
assert typing.get_type_hints(LdpNode)["parent"] == typing.Optional[LdpNode]
assert LdpNode.__annotations__["key"] == "int"
try: LdpAbs()
except TypeError: pass
else: raise AssertionError
assert LdpStack.__parameters__ == (LdpT,)
# %% case: lib_event_bus_weak
import weakref as leb_w, gc as leb_gc
class LebBus:
    def __init__(self):
        self.subs = {}
        self.alive = leb_w.WeakSet()
        self.names = leb_w.WeakKeyDictionary()
        self.byid = leb_w.WeakValueDictionary()
    def sub(self, ev, meth):
        self.subs.setdefault(ev, []).append(leb_w.WeakMethod(meth))
        self.alive.add(meth.__self__)
    def pub(self, ev, *a):
        return [m()(*a) for m in self.subs.get(ev, []) if m() is not None]
leb = LebBus()
# %%
class LebListener:
    def __init__(self, name):
        self.name, self.got = name, []
        leb.names[self] = name
        leb.byid[name] = self
    def on(self, x):
        self.got.append(x)
        return self.name
leb_a, leb_b = LebListener("a"), LebListener("b")
leb.sub("e", leb_a.on); leb.sub("e", leb_b.on)
# %%
leb_first = leb.pub("e", 1)
leb_dead = []
leb_fin = leb_w.finalize(leb_b, leb_dead.append, "b gone")
leb_ref = leb_w.ref(leb_b, lambda r: leb_dead.append("ref cb"))
leb_proxy = leb_w.proxy(leb_a)
# %%
leb.pub("e", 2)
# %%
leb_second = leb.pub("e", 3)
# %% check
assert leb_first == ["a", "b"] == leb_second and leb_a.got == [1, 2, 3]
assert len(leb.alive) == 2 and leb.byid["b"] is leb_b and leb.names[leb_a] == "a" and leb_ref() is leb_b
assert leb_fin.alive and leb_dead == [] and leb_proxy.name == "a"
del leb_b
leb_gc.collect()
assert sorted(leb_dead) == ["b gone", "ref cb"], leb_dead
assert leb_ref() is None and not leb_fin.alive
assert leb.pub("e", 4) == ["a"] and len(leb.alive) == 1 and list(leb.byid) == ["a"] and len(leb.names) == 1
leb_proxy.extra = 5
assert leb_a.extra == 5
# %% case: lib_monkeypatched_own_and_library [alone]
import json as lmp_json, collections as lmp_c, fractions as lmp_f, textwrap as lmp_t
class LmpAcc:
    total = 0
    def add(self, x):
        self.total += x
        return self
lmp_acc = LmpAcc().add(4)
lmp_orig_add = LmpAcc.add
# %%
def lmp_add2(self, x):
    lmp_log.append(x)
    return lmp_orig_add(self, x * 2)
LmpAcc.add = lmp_add2
LmpAcc.__add__ = lambda self, o: self.add(o)
lmp_log = []
lmp_acc.add = lambda x: "instance level"
# %%
lmp_orig_dumps = lmp_json.dumps
def lmp_dumps(obj, **kw):
    kw.setdefault("sort_keys", True)
    return lmp_orig_dumps(obj, **kw)
lmp_json.dumps = lmp_dumps
lmp_c.UserDict.first = property(lambda s: next(iter(s.data)))
# %% raises TypeError
lmp_f.Fraction.pct = lambda self: f"{float(self):.0%}"
lmp_t.TextWrapper.shout = lambda self, s: self.fill(s).upper()
int.pct = 3
# %%
lmp_acc + 10
def lmp_patch_default(self, o):
    if isinstance(o, LmpAcc): return {"acc": o.total}
    if isinstance(o, set): return sorted(o)
    raise TypeError("no " + type(o).__name__)
lmp_json.JSONEncoder.default = lmp_patch_default
# %% check
import json, fractions, textwrap
assert json.dumps is lmp_dumps and json.dumps({"b": 1, "a": {3, 2}}) == '{"a": [2, 3], "b": 1}'
assert json.dumps(LmpAcc()) == '{"acc": 0}'
import collections
assert collections.UserDict(q=1).first == "q"
assert fractions.Fraction(1, 4).pct() == "25%"
assert textwrap.TextWrapper(width=3).shout("ab cd") == "AB\nCD"
assert lmp_acc.add(1) == "instance level" and lmp_acc.total == 4
assert (LmpAcc() + 3).total == 6 and lmp_log == [3]
assert LmpAcc.add is lmp_add2 and lmp_orig_add.__qualname__ == "LmpAcc.add"
