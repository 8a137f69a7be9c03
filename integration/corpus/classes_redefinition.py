# Classes of the notebook: old versions beside new ones, patches, hooks and protocols that fool serialisers.
# %% case: cls_old_instances_keep_the_old_class
class CoiModel:
    version = 1
    def predict(self): return f'v{self.version}'
coi_old = CoiModel()
coi_OldModel = CoiModel
# %%
class CoiModel:
    version = 2
    def predict(self): return f'new v{self.version}'
coi_new = CoiModel()
# %%
coi_OldModel.version = 1.5
# %% check
assert coi_old.predict() == 'v1.5' and coi_new.predict() == 'new v2'
assert type(coi_old) is coi_OldModel is not CoiModel and type(coi_new) is CoiModel
assert not isinstance(coi_old, CoiModel) and not isinstance(coi_new, coi_OldModel)
assert coi_OldModel.__qualname__ == CoiModel.__qualname__ == 'CoiModel'
coi_old.__class__ = CoiModel
assert coi_old.predict() == 'new v2'
# %% case: cls_redefined_base_with_stale_subclass
class CrbBase:
    def hi(self): return 'old base'
class CrbSub(CrbBase):
    def hi(self): return 'sub of ' + super().hi()
crb_a = CrbSub()
# %%
class CrbBase:
    def hi(self): return 'new base'
class CrbSub2(CrbBase, ): pass
# %% check
assert crb_a.hi() == 'sub of old base' and CrbSub2().hi() == 'new base'
assert not issubclass(CrbSub, CrbBase) and issubclass(CrbSub2, CrbBase)
assert CrbSub.__mro__[1] is not CrbBase and CrbSub.__mro__[1].__name__ == 'CrbBase'
assert CrbSub in CrbSub.__mro__[1].__subclasses__() and CrbBase.__subclasses__() == [CrbSub2]
crb_cell = CrbSub.hi.__closure__[0].cell_contents
assert crb_cell is CrbSub
# %% case: cls_getstate_that_drops_a_field
class CgdLoader:
    def __init__(self, path):
        self.path, self.cache, self.pickled = path, {}, 0
    def load(self, k):
        if k not in self.cache:
            self.cache[k] = [k]
        return self.cache[k]
    def __getstate__(self):
        self.pickled += 1
        d = self.__dict__.copy(); d['cache'] = None
        return d
    def __setstate__(self, d):
        self.__dict__.update(d); self.cache = {}; self.restored = True
cgd_l = CgdLoader('p')
# %%
cgd_first = cgd_l.load('a')
# %% check
assert cgd_l.load('a') is cgd_first
assert not hasattr(cgd_l, 'restored') and cgd_l.pickled == 0
# %% case: cls_getattr_proxy_and_lazy
class CgpProxy:
    def __init__(self, target): self._target = target
    def __getattr__(self, name): return getattr(self._target, name)
class CgpRecord(dict):
    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__
class CgpNothing:
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
cgp_list = [3, 1, 2]
cgp_p = CgpProxy(cgp_list)
cgp_r = CgpRecord(a=1, own=cgp_list)
cgp_n = CgpNothing()
# %%
cgp_p.sort(); cgp_r.extra = cgp_p
# %% check
cgp_p.append(9)
assert cgp_list == [1, 2, 3, 9] and cgp_r.own is cgp_list and cgp_r.extra is cgp_p
assert cgp_p._target is cgp_list and list(cgp_r) == ['a', 'own', 'extra'] and vars(cgp_r) == {}
assert cgp_n.foo.bar(1)() is cgp_n and vars(cgp_n) == {} and type(cgp_n) is CgpNothing
# %% case: cls_hash_needs_state_in_a_cycle
class ChnNode:
    def __init__(self, name): self.name, self.peers, self.weight = name, set(), {}
    def __hash__(self): return hash(self.name)
    def __eq__(self, o): return self.name == o.name
    def link(self, o, w):
        self.peers.add(o); o.peers.add(self); self.weight[o] = o.weight[self] = w
chn_a, chn_b = ChnNode('a'), ChnNode('b')
chn_a.link(chn_b, 1)
# %%
chn_a.link(chn_a, 2)
chn_index = {n: n.peers for n in (chn_a, chn_b)}
# %% check
assert chn_a in chn_a.peers and chn_b in chn_a.peers and len(chn_a.peers) == 2
assert chn_index[chn_b] is chn_b.peers and chn_a.weight[chn_a] == 2
assert chn_b.weight[ChnNode('a')] == 1
assert {id(n) for n in chn_a.peers} == {id(chn_a), id(chn_b)}
chn_a.peers.discard(chn_b)
assert chn_index[chn_a] == {chn_a}
# %% case: cls_builtin_subclasses_with_attributes
import collections
class CbsList(list): pass
class CbsStr(str):
    def __new__(cls, v, unit=None):
        s = super().__new__(cls, v); s.unit = unit
        return s
class CbsInt(int):
    __slots__ = ()
    def __repr__(self): return f'#{int(self)}'
class CbsDict(collections.defaultdict):
    def __missing__(self, key):
        self[key] = v = self.default_factory(key)
        return v
class CbsTuple(tuple):
    def __new__(cls, *xs): return super().__new__(cls, xs)
cbs_l = CbsList([1]); cbs_l.owner = cbs_l
cbs_s = CbsStr('3', unit='kg')
cbs_d = CbsDict(lambda k: [k]); cbs_d.label = cbs_s
cbs_t = CbsTuple(cbs_l, cbs_d); cbs_t.meta = {'t': cbs_s}
# %%
cbs_d['x'].append(cbs_t); cbs_i = CbsInt(4)
# %% check
assert cbs_l.owner is cbs_l and cbs_s.unit == 'kg' and cbs_s + '1' == '31' and type(cbs_s) is CbsStr
assert cbs_d['x'][1] is cbs_t and cbs_d['new'] == ['new'] and cbs_d.label is cbs_s
assert cbs_t[0] is cbs_l and cbs_t.meta['t'] is cbs_s and len(cbs_t) == 2
assert repr(cbs_i) == '#4' and type(cbs_i + 0) is int and cbs_i == 4
# %% case: cls_monkeypatched_later
class CmpShape:
    def __init__(self, w): self.w = w
cmp_s = CmpShape(3)
cmp_log = []
def cmp_area(self):
    cmp_log.append(self)
    return self.w ** 2
# %%
CmpShape.area = cmp_area
CmpShape.__len__ = lambda self: self.w
CmpShape.__call__ = lambda self, k: k * self.w
cmp_s.only_here = cmp_area.__get__(cmp_s)
CmpShape.double = property(lambda self: self.w * 2, lambda self, v: setattr(self, 'w', v // 2))
# %% check
assert cmp_s.area() == 9 and cmp_s.only_here() == 9 and cmp_log == [cmp_s, cmp_s]
assert len(cmp_s) == 3 and cmp_s(2) == 6
cmp_s.double = 20
assert cmp_s.w == 10 and CmpShape(1).area() == 1 and CmpShape.area is cmp_area
assert not hasattr(CmpShape(1), 'only_here')
# %% case: cls_abc_protocol_virtual_subclass
import abc, collections.abc, typing
class CavSource(abc.ABC):
    @abc.abstractmethod
    def read(self): ...
    @property
    @abc.abstractmethod
    def name(self): ...
@CavSource.register
class CavVirtual: pass
class CavReal(CavSource):
    name = 'real'
    def read(self): return 1
@typing.runtime_checkable
class CavHasRead(typing.Protocol):
    def read(self): ...
# %%
class CavSized:
    def __len__(self): return 0
cav_objs = [CavVirtual(), CavReal(), CavSized()]
collections.abc.Sequence.register(CavSized)
# %% check
assert [isinstance(o, CavSource) for o in cav_objs] == [True, True, False]
assert [isinstance(o, CavHasRead) for o in cav_objs] == [False, True, False]
assert isinstance(cav_objs[2], collections.abc.Sequence) and isinstance(cav_objs[2], collections.abc.Sized)
assert CavSource.__abstractmethods__ == {'read', 'name'}
try:
    CavSource()
except TypeError:
    cav_abstract = True
else:
    cav_abstract = False
assert cav_abstract and issubclass(CavVirtual, CavSource)
# %% case: cls_generic_and_parametrised
import typing
CgeT = typing.TypeVar('CgeT', bound='CgeBox')
class CgeBox(typing.Generic[CgeT]):
    items: 'list[CgeT]'
    total: typing.ClassVar[int] = 0
    def __init__(self, *xs): self.items = list(xs)
cge_ints = CgeBox[int](1, 2)
CgeIntBox = CgeBox[int]
cge_alias = dict[str, list[CgeBox]]
CgeId = typing.NewType('CgeId', int)
# %%
class CgeSub(CgeBox[str]):
    extra = CgeT
cge_sub = CgeSub
cge_lit = typing.Literal['a', 'b']
# %% check
assert cge_ints.__orig_class__ == CgeIntBox and typing.get_origin(CgeIntBox) is CgeBox
assert CgeBox.__parameters__ == (CgeT,) and CgeBox.__parameters__[0] is CgeT is cge_sub.extra
assert typing.get_args(cge_alias)[1] == list[CgeBox] and CgeId(3) == 3 and CgeId.__supertype__ is int
assert cge_sub.__orig_bases__[0] == CgeBox[str] and issubclass(cge_sub, CgeBox)
assert typing.get_type_hints(CgeBox)['items'] == list[CgeT] and cge_lit == typing.Literal['a', 'b']
# %% case: cls_mock_objects
from unittest import mock
cmk_client = mock.MagicMock(name='client')
cmk_client.fetch.return_value = {'rows': 3}
cmk_client.fetch.side_effect = None
cmk_seq = mock.Mock(side_effect=[1, 2, ValueError('dry')])
# %%
cmk_row = cmk_client.fetch('q', limit=5)
cmk_first = cmk_seq()
# %% check
cmk_client.fetch.assert_called_once_with('q', limit=5)
assert cmk_client.fetch('again') is cmk_row and cmk_client.fetch.call_count == 2
assert cmk_first == 1 and cmk_seq() == 2
try:
    cmk_seq()
except ValueError as e:
    cmk_err = str(e)
assert cmk_err == 'dry' and cmk_client.mock_calls[0] == mock.call.fetch('q', limit=5)
# %% case: cls_hostile_comparison_and_truth
class ChcExpr:
    def __init__(self, op, *args): self.op, self.args = op, args
    def __eq__(self, o): return ChcExpr('==', self, o)
    def __lt__(self, o): return ChcExpr('<', self, o)
    def __bool__(self): raise TypeError('an expression has no truth value')
    def __len__(self): raise RuntimeError('nor length')
    def __repr__(self): ChcExpr.reprs += 1; return 'expr'
    def __contains__(self, x): raise RuntimeError
    __hash__ = None
    reprs = 0
chc_x = ChcExpr('x')
chc_q = (chc_x == 3)
# %%
chc_both = {'q': chc_q < chc_x, 'x': chc_x}
# %% check
assert ChcExpr.reprs == 0
assert chc_both['q'].args[0] is chc_q and chc_both['q'].args[1] is chc_x is chc_both['x']
assert chc_q.op == '==' and chc_q.args[1] == 3 and chc_q.args[0] is chc_x
# %% case: cls_singleton_new_and_counted_init
class CsnConfig:
    _inst = None
    inits = 0
    def __new__(cls, *a):
        if cls._inst is None:
            cls._inst = super().__new__(cls)
        return cls._inst
    def __init__(self, *a):
        type(self).inits += 1
        self.args = a
csn_a = CsnConfig('one')
# %%
csn_b = CsnConfig('two')
# %% check
assert csn_a is csn_b is CsnConfig._inst and CsnConfig.inits == 2 and csn_a.args == ('two',)
assert CsnConfig('three') is csn_a and CsnConfig.inits == 3
# %% case: cls_pickle_hooks_that_mislead
import copyreg
class CphMoney:
    def __init__(self, amount): self.amount = amount; self.notes = []
    def __reduce__(self): return (CphMoney, (self.amount,))        # forgets the notes
class CphTemp:
    def __init__(self, deg): self.deg = deg
    def __getnewargs__(self): return ()
    def __deepcopy__(self, memo): return self
class CphShared:
    def __eq__(self, o): return True
    def __hash__(self): return 1
cph_m = CphMoney(5); cph_t = CphTemp(20)
cph_s = [CphShared(), CphShared()]
# %%
cph_m.notes.append(cph_t); cph_t.owner = cph_m; cph_s[0].which = 'first'; cph_s[1].which = 'second'
# %% check
assert cph_m.notes == [cph_t] and cph_m.notes[0] is cph_t and cph_t.owner is cph_m
assert [s.which for s in cph_s] == ['first', 'second'] and cph_t.deg == 20
# %% case: cls_cell_copied_and_edited_below
class CceModel:
    count = 0
    def __init__(self, x): type(self).count += 1; self.x = x
    def check(self): raise KeyError(self.x)
    def score(self): return self.x
cce_first = CceModel(3); CceFirst = CceModel; cce_check = cce_first.check
# %%
class CceModel:
    count = 100
    def __init__(self, x): type(self).count += 1; self.x = x
    def check(self): raise KeyError(self.x)
    def score(self): return self.x * 10
cce_second = CceModel(3)
# %%
import inspect, traceback
cce_files = []
for cce_f in (cce_check, cce_second.check):
    try: cce_f()
    except KeyError as e: cce_files.append(traceback.extract_tb(e.__traceback__)[-1].filename)
cce_sources = [inspect.getsource(it.score) for it in (CceFirst, CceModel)]
# %% check
assert cce_first.score() == 3 and cce_second.score() == 30 and (CceFirst.count, CceModel.count) == (1, 101)
assert cce_files == [it.check.__code__.co_filename for it in (CceFirst, CceModel)] and cce_files[0] != cce_files[1]
assert "* 10" not in cce_sources[0] and "* 10" in cce_sources[1] and cce_check.__self__ is cce_first
