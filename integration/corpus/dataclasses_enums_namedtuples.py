# Generated classes: what the generators recorded about them, and the members that exist only once.
# %% case: den_dataclass_shapes
import dataclasses
from dataclasses import dataclass, field, InitVar
@dataclass
class DdsRun:
    name: str
    tags: list = field(default_factory=list)
    _: dataclasses.KW_ONLY
    seed: int = 0
    scale: InitVar[float] = 2.0
    size: float = field(init=False, repr=False, metadata={'unit': 'px'})
    def __post_init__(self, scale): self.size = self.seed * scale
@dataclass(frozen=True, slots=True, order=True)
class DdsPoint:
    x: int
    y: int = 0
dds_a = DdsRun('a', seed=3); dds_p = DdsPoint(1, 2)
# %%
dds_a.tags.append(dds_p); dds_b = dataclasses.replace(dds_a, scale=1.0, name='b')
# %% check
assert dds_a == DdsRun('a', [dds_p], seed=3) and dds_a.size == 6.0 and dds_b.size == 3.0
assert dds_b.tags is dds_a.tags and dds_b.tags[0] is dds_p and repr(dds_a).startswith("DdsRun(name='a', tags=[DdsPoint(x=1")
assert [f.name for f in dataclasses.fields(dds_a)] == ['name', 'tags', 'seed', 'size']
assert dataclasses.fields(DdsRun)[3].metadata['unit'] == 'px' and dataclasses.fields(DdsRun)[0].default is dataclasses.MISSING
assert dds_p < DdsPoint(1, 3) and not hasattr(dds_p, '__dict__') and {dds_p: 1}[DdsPoint(1, 2)] == 1
try:
    dds_p.x = 5
except dataclasses.FrozenInstanceError:
    dds_frozen = True
assert dds_frozen and DdsRun('z').tags == [] and DdsRun('z').tags is not DdsRun('z').tags
# %% case: den_dataclass_redefined_with_new_field
import dataclasses
@dataclasses.dataclass
class DdrCfg:
    lr: float = 0.1
ddr_old = DdrCfg(0.5)
# %%
@dataclasses.dataclass
class DdrCfg:
    lr: float = 0.1
    momentum: float = 0.9
    parent: 'DdrCfg' = None
ddr_new = DdrCfg(0.5, parent=ddr_old)
# %% check
assert dataclasses.asdict(ddr_old) == {'lr': 0.5} and not hasattr(ddr_old, 'momentum')
assert ddr_new.parent is ddr_old and type(ddr_old) is not DdrCfg and ddr_old != DdrCfg(0.5)
assert [f.name for f in dataclasses.fields(type(ddr_old))] == ['lr']
assert dataclasses.asdict(ddr_new)['parent'] == {'lr': 0.5} and type(ddr_old)(0.5) == ddr_old
# %% case: den_enum_members_are_unique
import enum
class DemColor(enum.Enum):
    RED = 1
    CRIMSON = 1
    GREEN = enum.auto()
    @property
    def hexed(self): return f'#{self.value}'
    @classmethod
    def default(cls): return cls.GREEN
class DemPerm(enum.Flag):
    R = enum.auto(); W = enum.auto(); X = enum.auto()
DemLevel = enum.IntEnum('DemLevel', {'LOW': 10, 'HIGH': 20})
class DemName(enum.StrEnum):
    ALPHA = enum.auto()
dem_now = {DemColor.RED: 'stop', DemPerm.R | DemPerm.X: 'rx'}
dem_vals = [DemColor.CRIMSON, DemPerm.R | DemPerm.W, DemLevel.HIGH, DemName.ALPHA]
# %%
DemColor.RED.note = 'attribute of a member'
dem_now[DemColor.default()] = 'go'
# %% check
assert dem_vals[0] is DemColor.RED is DemColor(1) is DemColor['CRIMSON'] and dem_vals[0].note == 'attribute of a member'
assert dem_vals[1] is DemPerm.R | DemPerm.W and DemPerm.W in dem_vals[1] and ~dem_vals[1] is DemPerm.X
assert dem_vals[2] is DemLevel.HIGH and dem_vals[2] + 1 == 21 and dem_vals[3] is DemName('alpha') and dem_vals[3] + '!' == 'alpha!'
assert dem_now[DemColor.GREEN] == 'go' and dem_now[DemPerm.X | DemPerm.R] == 'rx' and list(dem_now)[0] is DemColor.RED
assert DemColor.GREEN.hexed == '#2' and list(DemColor.__members__) == ['RED', 'CRIMSON', 'GREEN']
# %% case: den_enum_redefined_members_of_both
import enum
class DerState(enum.Enum):
    IDLE = 'idle'
    BUSY = 'busy'
der_jobs = {'j1': DerState.IDLE, 'j2': DerState.BUSY}
# %%
class DerState(enum.Enum):
    IDLE = 'idle'
    BUSY = 'busy'
    DONE = 'done'
der_jobs['j3'] = DerState.IDLE
# %% check
assert der_jobs['j1'] != der_jobs['j3'] and der_jobs['j3'] is DerState.IDLE
der_old = type(der_jobs['j1'])
assert der_old is type(der_jobs['j2']) and der_jobs['j1'] is der_old.IDLE and der_jobs['j2'] is der_old('busy')
assert len(der_old) == 2 and len(DerState) == 3
# %% case: den_flag_asked_for_its_opposite
import enum
class DfoPerm(enum.Flag):
    R = enum.auto(); W = enum.auto(); X = enum.auto()
dfo_vals = [DfoPerm.R | DfoPerm.W, DfoPerm.X]
# %%
dfo_not = ~dfo_vals[0]
# %%
dfo_again = [~dfo_vals[0], ~dfo_not]
# %% check
assert dfo_not is DfoPerm.X and dfo_again[0] is DfoPerm.X and dfo_again[1] is dfo_vals[0] is ~DfoPerm.X
# %% case: den_enum_with_rich_values
import enum, functools
class DrvOp(enum.Enum):
    ADD = functools.partial(lambda a, b: a + b)
    LIST = [1, 2]
    DICT = {'k': []}
    def __call__(self, *a): return self.value(*a)
class DrvPlanet(enum.Enum):
    def __new__(cls, mass, radius):
        o = object.__new__(cls); o._value_ = mass; o.radius = radius
        return o
    EARTH = (5.9, 6.3)
    MARS = (0.6, 3.3)
drv_d = DrvOp.DICT.value
# %%
drv_d['k'].append(DrvOp.ADD); DrvOp.LIST.value.append(3)
# %% check
assert DrvOp.ADD(2, 3) == 5 and DrvOp([1, 2, 3]) is DrvOp.LIST
assert DrvOp.DICT.value is drv_d and drv_d['k'][0] is DrvOp.ADD
assert DrvPlanet(0.6) is DrvPlanet.MARS and DrvPlanet.EARTH.radius == 6.3
# %% case: den_namedtuple_under_other_names
import collections, typing
DnoAlias = collections.namedtuple('DnoOriginal', 'x y class_', defaults=[0], rename=True)
class DnoRow(typing.NamedTuple):
    id: int
    payload: dict = {}
    def total(self): return self.id + len(self.payload)
class DnoPt(collections.namedtuple('DnoPt', 'a b')):
    __slots__ = ()
    @property
    def s(self): return self.a + self.b
dno_a, dno_r, dno_p = DnoAlias(1, [2]), DnoRow(5), DnoPt(1, 2)
# %%
dno_r.payload['k'] = dno_a
dno_q = dno_a._replace(x=9)
# %% check
assert type(dno_a).__name__ == 'DnoOriginal' and type(dno_a) is DnoAlias and 'DnoOriginal' not in globals()
assert DnoAlias._field_defaults == {'class_': 0} and dno_q == (9, [2], 0) and dno_q.y is dno_a.y
assert dno_r.total() == 6 and DnoRow(1).payload is dno_r.payload and dno_r.payload['k'] is dno_a
assert dno_p.s == 3 and isinstance(dno_p, DnoPt.__bases__[0]) and DnoPt.__bases__[0].__name__ == 'DnoPt' and dno_p._asdict() == {'a': 1, 'b': 2}
# %% case: den_dataclass_inheritance_hash_cached
import dataclasses, functools
@dataclasses.dataclass(eq=False)
class DihBase:
    name: str
    children: 'list[DihBase]' = dataclasses.field(default_factory=list)
    parent: 'DihBase | None' = dataclasses.field(default=None, repr=False)
    @functools.cached_property
    def path(self):
        dih_work.append(self.name)
        return (self.parent.path if self.parent else '') + '/' + self.name
@dataclasses.dataclass(eq=False)
class DihLeaf(DihBase):
    size: int = 0
dih_work = []
dih_root = DihBase('r'); dih_leaf = DihLeaf('l', parent=dih_root, size=3)
dih_root.children.append(dih_leaf)
dih_sizes = {dih_leaf: dih_leaf.size, dih_root: 0}
# %%
dih_path = dih_leaf.path
# %% check
assert dih_leaf.path == '/r/l' and dih_work == ['l', 'r']
assert dih_leaf.path == dih_path and 'path' in vars(dih_root)
assert dih_sizes[dih_root.children[0]] == 3 and dih_leaf.parent is dih_root and dih_root in dih_sizes
del dih_leaf.path
dih_leaf.path
assert dih_work == ['l', 'r', 'l']
# %% case: den_make_dataclass_and_simplenamespace
import dataclasses, types
DmdDyn = dataclasses.make_dataclass('Dynamic', [('a', int), ('b', list, dataclasses.field(default_factory=list))], namespace={'twice': lambda self: self.a * 2})
dmd_o = DmdDyn(4)
dmd_ns = types.SimpleNamespace(o=dmd_o, cls=DmdDyn)
dmd_ns.me = dmd_ns
# %%
dmd_ns.o.b.append(dmd_ns)
DmdSub = dataclasses.make_dataclass('Sub', ['z'], bases=(DmdDyn,), kw_only=True)
# %% check
assert dmd_o.twice() == 8 and dmd_o.b[0] is dmd_ns.me is dmd_ns and dmd_ns.cls is DmdDyn is type(dmd_o)
assert dataclasses.is_dataclass(DmdSub) and DmdSub(1, z=2).twice() == 2 and DmdSub.__mro__[1] is DmdDyn
assert repr(DmdDyn(1)) == 'Dynamic(a=1, b=[])' and DmdDyn(1) == DmdDyn(1)
# %% case: den_match_statement_and_orderings
import dataclasses, functools
@dataclasses.dataclass
class DmsCircle:
    r: float
@dataclasses.dataclass
class DmsRect:
    w: float; h: float
@functools.total_ordering
class DmsVer:
    __match_args__ = ('major',)
    def __init__(self, s): self.major, self.minor = map(int, s.split('.'))
    def __eq__(self, o): return (self.major, self.minor) == (o.major, o.minor)
    def __lt__(self, o): return (self.major, self.minor) < (o.major, o.minor)
dms_shapes = [DmsCircle(1), DmsRect(2, 3)]
# %%
def dms_area(s):
    match s:
        case DmsCircle(r): return 3 * r * r
        case DmsRect(w, h=h): return w * h
        case DmsVer(m): return f'v{m}'
        case {'shape': inner, **rest}: return dms_area(inner), rest
dms_vs = sorted([DmsVer('2.1'), DmsVer('1.9')])
# %% check
assert [dms_area(s) for s in dms_shapes] == [3, 6] and dms_area(dms_vs[1]) == 'v2'
assert dms_area({'shape': dms_shapes[1], 'k': 1}) == (6, {'k': 1})
assert DmsCircle.__match_args__ == ('r',) and dms_vs[0] >= DmsVer('1.9') and dms_vs[0].minor == 9
