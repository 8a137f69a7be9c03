# Classes with a will of their own: metaclasses, descriptors, slots, enums, dataclasses, typing, hooks that must not run twice.
# %% case: cl_metaclass_registry_counts
cl_events = []
class ClMeta(type):
    models = {}
    def __new__(mcls, name, bases, ns, **kw):
        cl_events.append(("new", name))
        fields = {k: v for k, v in ns.items() if isinstance(v, type)}
        cls = super().__new__(mcls, name, bases, {**ns, "_fields": fields})
        mcls.models[name] = cls
        return cls
    def __init__(cls, name, bases, ns, table=None):
        super().__init__(name, bases, ns)
        cls.table = table or name.lower()
    def __call__(cls, **kw):
        obj = super().__call__()
        for k, t in cls._fields.items():
            setattr(obj, k, t(kw[k]))
        return obj
    def __len__(cls): return len(cls._fields)
    def __getitem__(cls, k): return cls._fields[k]
# %%
class ClBase(metaclass=ClMeta): pass
class ClUser(ClBase, table="people"):
    name = str
    age = int
# %%
cl_u = ClUser(name="Ann", age="41")
class ClAdmin(ClUser):
    level = float
    def hello(self): return super().__repr__()[:1] + str(self.level)
cl_a = ClAdmin(level="1.5")
# %% check
assert cl_events == [("new", "ClBase"), ("new", "ClUser"), ("new", "ClAdmin")], cl_events
assert type(ClUser) is ClMeta and ClMeta.models["ClUser"] is ClUser and type(cl_u) is ClUser
assert list(ClMeta.models) == ["ClBase", "ClUser", "ClAdmin"]
assert ClUser.table == "people" and ClAdmin.table == "cladmin"
assert len(ClUser) == 2 and ClUser["age"] is int and cl_u.age == 41
assert ClAdmin.__mro__[1:3] == (ClUser, ClBase) and ClUser.__subclasses__() == [ClAdmin]
assert cl_a.level == 1.5 and cl_a.hello() == "<1.5"
class ClLate(ClUser): pass
assert cl_events[-1] == ("new", "ClLate") and ClMeta.models["ClLate"] is ClLate
# %% case: cl_init_subclass_plugins
cl_calls = []
class ClPlugin:
    registry = {}
    def __init_subclass__(cls, /, key=None, **kw):
        super().__init_subclass__(**kw)
        cl_calls.append(key)
        if key:
            cls.registry[key] = cls
        cls.key = key
class ClTyped:
    def __set_name__(self, owner, name):
        cl_calls.append((owner.__name__, name))
        self.name = name
    def __get__(self, obj, owner):
        return self if obj is None else obj.__dict__[self.name]
    def __set__(self, obj, v):
        if v < 0:
            raise ValueError(self.name)
        obj.__dict__[self.name] = v
# %%
class ClCsv(ClPlugin, key="csv"):
    width = ClTyped()
class ClJson(ClPlugin, key="json"):
    depth = ClTyped()
cl_c = ClCsv(); cl_c.width = 8
# %% raises ValueError
cl_c.width = -1
# %%
cl_pick = ClPlugin.registry["json"]()
cl_pick.depth = 2
# %% check
assert cl_calls == [("ClCsv", "width"), "csv", ("ClJson", "depth"), "json"], cl_calls
assert ClPlugin.registry == {"csv": ClCsv, "json": ClJson} and ClJson.registry is ClPlugin.registry
assert cl_c.width == 8 and type(cl_pick) is ClJson and cl_pick.depth == 2
assert ClCsv.width.name == "width" and vars(ClCsv)["width"] is ClCsv.width
try:
    cl_pick.depth = -3
except ValueError as e:
    assert e.args == ("depth",)
else:
    raise AssertionError
# %% case: cl_redefined_dataclass_keeps_old_instances
from dataclasses import dataclass, field, fields, replace, asdict
@dataclass
class ClRun:
    lr: float
    tags: list = field(default_factory=list)
    def label(self): return f"v1 lr={self.lr}"
cl_tags = ["base"]
cl_old = ClRun(0.1, cl_tags)
cl_old2 = replace(cl_old, lr=0.2)
# %%
@dataclass(order=True, frozen=True)
class ClRun:
    lr: float
    steps: int = 10
    tags: tuple = ()
    def label(self): return f"v2 lr={self.lr} steps={self.steps}"
cl_new = ClRun(0.3)
# %%
cl_runs = [cl_old, cl_new, cl_old2]
# %% check
assert [r.label() for r in cl_runs] == ["v1 lr=0.1", "v2 lr=0.3 steps=10", "v1 lr=0.2"]
assert type(cl_old) is type(cl_old2) is not ClRun and type(cl_new) is ClRun
assert not isinstance(cl_old, ClRun) and type(cl_old).__name__ == "ClRun"
assert cl_old.tags is cl_tags is cl_old2.tags
cl_old.lr = 9
assert asdict(cl_old) == {"lr": 9, "tags": ["base"]} and [f.name for f in fields(cl_old)] == ["lr", "tags"]
assert ClRun(0.3, 11) > cl_new and {cl_new: 1}[ClRun(0.3)] == 1
try:
    cl_new.lr = 1
except Exception as e:
    assert type(e).__name__ == "FrozenInstanceError"
else:
    raise AssertionError
assert type(cl_old)(1).tags is not type(cl_old)(1).tags
# %% case: cl_enum_identity_everywhere
from enum import Enum, IntEnum, Flag, auto, unique
@unique
class ClColor(Enum):
    RED = (255, 0, 0)
    GREEN = (0, 255, 0)
    def __init__(self, r, g, b):
        self.r, self.g, self.b = r, g, b
    @property
    def hex(self): return "#%02x%02x%02x" % self.value
    @classmethod
    def _missing_(cls, v):
        return cls.RED if v == "rouge" else None
class ClPerm(Flag):
    R = auto(); W = auto(); X = auto()
    RW = R | W
class ClOp(Enum):
    ADD = "add"
    SUB = "sub"
    def __call__(self, a, b): return {"add": a + b, "sub": a - b}[self.value]
# %%
ClColor.RED.note = ["primary"]
cl_palette = {ClColor.RED: "warm", "fav": ClColor("rouge"), "all": list(ClColor)}
cl_perm = ClPerm.R | ClPerm.X
cl_table = {op: op(5, 3) for op in ClOp}
# %% check
assert cl_palette["fav"] is ClColor.RED is ClColor((255, 0, 0)) and cl_palette[ClColor.RED] == "warm"
assert cl_palette["all"][1] is ClColor.GREEN and ClColor.GREEN.hex == "#00ff00" and ClColor.RED.r == 255
assert ClColor.RED.note == ["primary"] and not hasattr(ClColor.GREEN, "note")
assert cl_perm is ClPerm.R | ClPerm.X and ClPerm.X in cl_perm and ClPerm.W not in cl_perm
assert ClPerm.RW is ClPerm(3) and (cl_perm & ClPerm.RW) is ClPerm.R
assert cl_table == {ClOp.ADD: 8, ClOp.SUB: 2} and ClOp["SUB"] is list(cl_table)[1]
try:
    ClColor("bleu")
except ValueError:
    pass
else:
    raise AssertionError
# %% case: cl_slots_and_getstate_that_drops
import threading
class ClPoint:
    __slots__ = ("x", "y", "__weakref__")
    def __init__(self, x): self.x = x
class ClPoint3(ClPoint):
    __slots__ = ("z",)
class ClLoader:
    "drops its cache when pickled, as people write it for multiprocessing"
    made = 0
    def __init__(self, path):
        type(self).made += 1
        self.path, self.cache, self.lock = path, {}, threading.Lock()
    def __getstate__(self):
        d = self.__dict__.copy(); d["cache"] = None; del d["lock"]
        return d
    def __setstate__(self, d):
        self.__dict__.update(d); self.cache = {}; self.lock = threading.Lock()
    def get(self, k):
        with self.lock:
            return self.cache.setdefault(k, [self.path, k])
# %%
cl_p = ClPoint3(1); cl_p.z = [cl_p]
cl_ld = ClLoader("data")
cl_row = cl_ld.get("r1")
# %%
cl_ld.get("r2")
cl_pair = (cl_ld, cl_ld.cache)
# %% check
assert cl_p.z[0] is cl_p and cl_p.x == 1 and not hasattr(cl_p, "y") and not hasattr(cl_p, "__dict__")
assert list(cl_ld.cache) == ["r1", "r2"], cl_ld.cache
assert cl_ld.get("r1") is cl_row and cl_pair[1] is cl_ld.cache
assert ClLoader.made == 1 and not cl_ld.lock.locked()
import pickle
cl_copy = pickle.loads(pickle.dumps(cl_ld))
assert cl_copy.cache == {} and cl_copy.path == "data"
# %% case: cl_setattr_logger_and_del_logger
cl_trace = []
class ClWatched:
    def __init__(self, **k):
        for n, v in k.items():
            setattr(self, n, v)
    def __setattr__(self, n, v):
        cl_trace.append(("set", n))
        super().__setattr__(n, v)
    def __getattr__(self, n):
        if n.startswith("_"):
            raise AttributeError(n)
        cl_trace.append(("miss", n))
        return f"default {n}"
    def __del__(self):
        cl_trace.append(("del", self.__dict__.get("name")))
# %%
cl_w = ClWatched(name="w1", size=3)
cl_w2 = ClWatched(name="w2")
cl_alias = [cl_w]
# %%
cl_w.missing
del cl_w2
# %% check
assert cl_trace == [("set", "name"), ("set", "size"), ("set", "name"), ("miss", "missing"), ("del", "w2")], cl_trace
assert cl_alias[0] is cl_w and cl_w.__dict__ == {"name": "w1", "size": 3}
del cl_w
assert cl_trace[-1] == ("del", "w2")
cl_alias.clear()
assert cl_trace[-1] == ("del", "w1"), cl_trace
# %% case: cl_generics_and_protocols
from typing import Generic, TypeVar, Protocol, NamedTuple, TypedDict, Optional, NewType, get_type_hints, runtime_checkable, Annotated
import collections.abc
ClT = TypeVar("ClT")
ClUserId = NewType("ClUserId", int)
class ClStack(Generic[ClT]):
    def __init__(self): self.items: list[ClT] = []
    def push(self, x: ClT) -> "ClStack[ClT]":
        self.items.append(x); return self
class ClRow(NamedTuple):
    uid: ClUserId
    score: float = 0.0
    nxt: Optional["ClRow"] = None
    def better(self): return self._replace(score=self.score + 1)
class ClConf(TypedDict, total=False):
    name: str
    depth: Annotated[int, "levels"]
@runtime_checkable
class ClHasPush(Protocol):
    def push(self, x): ...
# %%
cl_s = ClStack[int]().push(3)
cl_row1 = ClRow(ClUserId(5))
cl_row2 = ClRow(ClUserId(6), 1.5, cl_row1)
cl_alias_t = dict[str, list[ClT]]
# %% check
assert cl_s.__orig_class__ == ClStack[int] and cl_s.items == [3] and ClStack.__parameters__ == (ClT,)
assert cl_alias_t.__args__[1].__args__[0] is ClT and cl_alias_t[int] == dict[str, list[int]]
assert cl_row2.nxt is cl_row1 and cl_row1.better() == (5, 1.0, None) and ClRow._field_defaults == {"score": 0.0, "nxt": None}
assert get_type_hints(ClRow)["nxt"] == Optional[ClRow] and get_type_hints(ClRow)["uid"] is ClUserId
assert get_type_hints(ClConf, include_extras=True)["depth"].__metadata__ == ("levels",)
assert ClConf.__optional_keys__ == frozenset({"name", "depth"})
assert isinstance(cl_s, ClHasPush) and not isinstance(3, ClHasPush)
assert get_type_hints(ClStack.push)["return"] == ClStack[ClT]
# %% case: cl_abc_virtual_and_hook
from abc import ABC, abstractmethod
import numbers, collections.abc
class ClShape(ABC):
    @property
    @abstractmethod
    def area(self): ...
    @classmethod
    def __subclasshook__(cls, C):
        if cls is ClShape and any("area_cm" in B.__dict__ for B in C.__mro__):
            return True
        return NotImplemented
class ClSquare(ClShape):
    def __init__(self, a): self.a = a
    @property
    def area(self): return self.a ** 2
class ClForeign:
    pass
class ClDuck:
    area_cm = 4
ClShape.register(ClForeign)
# %%
class ClMyInt:
    def __init__(self, v): self.v = v
    def __int__(self): return self.v
numbers.Integral.register(ClMyInt)
collections.abc.Sequence.register(ClForeign)
cl_shapes = [ClSquare(3), ClForeign(), ClDuck()]
# %% raises TypeError
ClShape()
# %% check
assert all(isinstance(s, ClShape) for s in cl_shapes)
assert issubclass(ClForeign, ClShape) and ClShape not in ClForeign.__mro__
assert isinstance(ClMyInt(3), numbers.Integral) and isinstance(cl_shapes[1], collections.abc.Sequence)
assert not isinstance(ClMyInt(3), ClShape) and not issubclass(int, ClShape)
assert cl_shapes[0].area == 9 and ClShape.__abstractmethods__ == frozenset({"area"})
class ClLateForeign: pass
assert not issubclass(ClLateForeign, ClShape)
ClShape.register(ClLateForeign)
assert isinstance(ClLateForeign(), ClShape)
# %% case: cl_hash_in_cycles_and_builtin_subclasses
class ClNode:
    def __init__(self, name):
        self.name = name
        self.peers = set()
        self.weights = {}
    def __hash__(self): return hash(("node", self.name))
    def __eq__(self, o): return isinstance(o, ClNode) and o.name == self.name
    def link(self, o, w):
        self.peers.add(o); o.peers.add(self)
        self.weights[o] = w; o.weights[self] = w
class ClBag(dict):
    def __init__(self, *a, **k):
        super().__init__(*a, **k)
        self.missed = []
    def __missing__(self, k):
        self.missed.append(k)
        return 0
class ClTagged(str):
    def __new__(cls, s, tag):
        o = super().__new__(cls, s); o.tag = tag
        return o
class ClSeries(list):
    unit = "m"
# %%
cl_na, cl_nb, cl_nc = ClNode("a"), ClNode("b"), ClNode("c")
cl_na.link(cl_nb, 1); cl_nb.link(cl_nc, 2); cl_nc.link(cl_na, 3); cl_na.link(cl_na, 0)
cl_bag = ClBag(x=1); cl_bag["y"]; cl_bag["self"] = cl_bag
cl_ser = ClSeries([1, 2]); cl_ser.unit = "cm"; cl_ser.append(cl_ser)
cl_keyed = {ClTagged("k", ["t"]): cl_ser}
# %% check
assert cl_nb in cl_na.peers and cl_na in cl_nb.peers and cl_na in cl_na.peers and len(cl_na.peers) == 3
assert cl_na.weights[ClNode("c")] == 3 and next(p for p in cl_nc.peers if p.name == "a") is cl_na
assert type(cl_bag) is ClBag and cl_bag["self"] is cl_bag and cl_bag.missed == ["y"] and cl_bag["zz"] == 0
assert cl_bag.missed == ["y", "zz"] and "zz" not in cl_bag
assert cl_ser[2] is cl_ser and cl_ser.unit == "cm" and ClSeries.unit == "m" and type(cl_ser) is ClSeries
assert next(iter(cl_keyed)).tag == ["t"] and cl_keyed["k"] is cl_ser
# %% case: cl_patched_class_and_swapped_class
import types
class ClRobot:
    count = 0
    __match_args__ = ("name",)
    def __init__(self, name):
        self.name = name
        ClRobot.count += 1
    def speak(self): return f"I am {self.name}"
cl_r1 = ClRobot("r1")
cl_bound_speak = cl_r1.speak
# %%
def _cl_shout(self): return self.speak().upper()
ClRobot.shout = _cl_shout
ClRobot.loud = property(lambda self: self.shout() + "!")
ClRobot.kinds = classmethod(lambda cls: [cls.__name__])
cl_r2 = ClRobot("r2")
cl_r2.speak = types.MethodType(lambda self: f"own {self.name}", cl_r2)
# %%
class ClDroid(ClRobot):
    def speak(self): return "beep " + super().speak()
cl_r1.__class__ = ClDroid
del ClRobot.kinds
# %% check
assert cl_r1.shout() == "BEEP I AM R1" and cl_r1.loud == "BEEP I AM R1!"
assert cl_bound_speak() == "I am r1" and cl_bound_speak.__self__ is cl_r1 and cl_bound_speak.__func__ is ClRobot.speak
assert cl_r2.speak() == "own r2" and cl_r2.loud == "OWN R2!" and cl_r2.speak.__self__ is cl_r2
assert type(cl_r1) is ClDroid and not hasattr(ClRobot, "kinds") and ClRobot.count == 2 == ClDroid.count
assert ClRobot.shout is _cl_shout
match cl_r1:
    case ClRobot(n):
        assert n == "r1"
ClRobot.speak = lambda self: "patched"
assert cl_r1.speak() == "beep patched" and cl_bound_speak() == "I am r1"
# %% case: cl_constructors_of_the_base_held
import datetime
class CcbDay(datetime.date):
    made = []
    def quarter(self): return (self.month + 2) // 3
class CcbBox(dict):
    notes = ["first"]
ccb_parse, ccb_keys, ccb_order = CcbDay.fromisoformat, CcbBox.fromkeys, CcbBox.mro
# %%
ccb_day = ccb_parse("2024-05-06"); ccb_notes = CcbBox.notes; CcbDay.made.append(ccb_day)
# %%
ccb_later = {"parse": CcbDay.fromisoformat, "kids": CcbBox.__subclasses__}
# %%
ccb_box = ccb_keys("ab", ccb_notes); CcbBox.notes.append("second")
# %% check
assert type(ccb_day) is CcbDay and ccb_day.quarter() == 2 and CcbDay.made[0] is ccb_day and type(ccb_parse("2024-01-01")) is CcbDay
assert type(ccb_box) is CcbBox and ccb_box["a"] is ccb_notes is CcbBox.notes == ["first", "second"]
assert ccb_parse.__self__ is CcbDay is ccb_later["parse"].__self__ and ccb_order()[0] is CcbBox and ccb_later["kids"]() == []
# %% case: cl_made_by_calling_type_on_abstract_bases
from abc import ABC, abstractmethod
from collections.abc import MutableMapping
CmcMap = type("CmcMap", (MutableMapping,), {
    "__init__": lambda self: setattr(self, "inner", {}), "__getitem__": lambda self, k: self.inner[k], "__len__": lambda self: len(self.inner),
    "__setitem__": lambda self, k, v: self.inner.__setitem__(k, v), "__delitem__": lambda self, k: self.inner.__delitem__(k), "__iter__": lambda self: iter(self.inner)})
class CmcTask(ABC):
    @abstractmethod
    def run(self): ...
CmcKid = type("CmcKid", (CmcTask,), {"run": lambda self: "ran", "log": []})
cmc_map, cmc_kid = CmcMap(), CmcKid(); cmc_map["k"] = [1]
# %%
cmc_map["k"].append(cmc_kid); CmcKid.log.append(cmc_map)
# %%
CmcGrand = type("CmcGrand", (CmcKid,), {"run": lambda self: super(CmcGrand, self).run() + "!"}); cmc_map["g"] = CmcGrand()
# %% check
assert cmc_map["k"][1] is cmc_kid and CmcKid.log[0] is cmc_map and type(cmc_map) is CmcMap and CmcGrand.log is CmcKid.log
assert cmc_map.pop("g").run() == "ran!" and isinstance(cmc_kid, CmcTask) and list(cmc_map) == ["k"]
