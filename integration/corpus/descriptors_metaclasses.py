# Machinery of classes: hooks must not run a second time, registries must hold the very classes.
# %% case: meta_registry_not_run_again
class MrnMeta(type):
    registry = {}
    created = 0
    def __new__(m, name, bases, ns, **kw):
        cls = super().__new__(m, name, bases, ns)
        m.created += 1
        cls.options = kw
        m.registry.setdefault(name, []).append(cls)
        return cls
    def __init__(cls, name, bases, ns, **kw): super().__init__(name, bases, ns)
    def __call__(cls, *a):
        o = super().__call__(*a); o.made_by = MrnMeta
        return o
    def __len__(cls): return len(cls.registry)
class MrnBase(metaclass=MrnMeta): pass
class MrnPlug(MrnBase, kind='x'): pass
mrn_o = MrnPlug()
# %%
class MrnPlug(MrnBase, kind='y'): pass
# %% check
assert MrnMeta.created == 3 and [c.options for c in MrnMeta.registry['MrnPlug']] == [{'kind': 'x'}, {'kind': 'y'}]
assert MrnMeta.registry['MrnPlug'][1] is MrnPlug and type(mrn_o) is MrnMeta.registry['MrnPlug'][0]
assert mrn_o.made_by is MrnMeta and type(MrnPlug) is MrnMeta and len(MrnPlug) == 2 and MrnPlug.registry is MrnMeta.registry
class MrnNew(MrnBase): pass
assert MrnMeta.created == 4
# %% case: meta_init_subclass_and_set_name
misn_events = []
class MisnField:
    def __set_name__(self, owner, name):
        misn_events.append(('set_name', owner.__name__, name)); self.name = name; self.owner = owner
    def __get__(self, o, t=None): return self if o is None else o.__dict__.get(self.name, 'unset')
    def __set__(self, o, v): o.__dict__[self.name] = v
class MisnModel:
    subclasses = []
    def __init_subclass__(cls, /, table=None, **kw):
        super().__init_subclass__(**kw); cls.table = table
        misn_events.append(('subclass', cls.__name__)); MisnModel.subclasses.append(cls)
class MisnUser(MisnModel, table='users'):
    name, mail = MisnField(), MisnField()
misn_u = MisnUser()
# %%
misn_u.name = 'ann'
class MisnAdmin(MisnUser): pass
# %% check
assert misn_events == [('set_name', 'MisnUser', 'name'), ('set_name', 'MisnUser', 'mail'), ('subclass', 'MisnUser'), ('subclass', 'MisnAdmin')]
assert MisnModel.subclasses == [MisnUser, MisnAdmin] and MisnUser.name.owner is MisnUser
assert misn_u.name == 'ann' and misn_u.mail == 'unset' and MisnAdmin.mail is MisnUser.mail and MisnUser.table == 'users' and MisnAdmin.table is None
# %% case: meta_descriptor_with_weak_storage
import weakref, gc
class MdwTyped:
    def __init__(self, kind): self.kind, self.data = kind, weakref.WeakKeyDictionary()
    def __get__(self, o, t=None): return self if o is None else self.data[o]
    def __set__(self, o, v):
        if not isinstance(v, self.kind): raise TypeError(self.kind.__name__)
        self.data[o] = v
class MdwRow:
    count = MdwTyped(int)
    label = MdwTyped(str)
    def __init__(self, c, l): self.count, self.label = c, l
mdw_a, mdw_b = MdwRow(1, 'a'), MdwRow(2, 'b')
# %%
mdw_a.count += 10
mdw_keys = len(MdwRow.count.data)
del mdw_b
# %% check
gc.collect()
assert mdw_a.count == 11 and mdw_a.label == 'a' and mdw_keys == 2 and len(MdwRow.count.data) == 1
assert list(MdwRow.label.data) == [mdw_a] and vars(mdw_a) == {}
try:
    mdw_a.count = 'no'
except TypeError as e:
    mdw_err = str(e)
assert mdw_err == 'int'
del mdw_a
gc.collect()
assert len(MdwRow.count.data) == 0
# %% case: meta_property_family_identity
class MpfTemp:
    __slots__ = ('_c', '__dict__')
    def __init__(self, c): self._c = c
    def _get(self): return self._c
    def _set(self, v): self._c = v
    celsius = property(_get, _set, doc='degrees')
    alias = celsius
    fahrenheit = celsius.getter(lambda self: self._c * 9 / 5 + 32)
    @staticmethod
    def util(x): return x + 1
    @classmethod
    def make(cls, c): return cls(c)
mpf_t = MpfTemp.make(10)
mpf_raw = MpfTemp.__dict__['util'], MpfTemp.__dict__['make'], MpfTemp.celsius, MpfTemp._c
mpf_make = MpfTemp.make
# %%
mpf_t.alias = 20
mpf_raw[3].__set__(mpf_t, mpf_t._c + 1)
# %% check
assert MpfTemp.alias is MpfTemp.celsius is mpf_raw[2] and MpfTemp.celsius.fget is MpfTemp._get and MpfTemp.celsius.__doc__ == 'degrees'
assert mpf_t.celsius == 21 and abs(mpf_t.fahrenheit - 69.8) < 1e-9 and mpf_raw[3].__get__(mpf_t) == 21
assert isinstance(mpf_raw[0], staticmethod) and mpf_raw[0] is MpfTemp.__dict__['util'] and mpf_raw[0].__func__ is MpfTemp.util
assert mpf_make.__self__ is MpfTemp and type(mpf_make(3)) is MpfTemp and mpf_raw[1].__func__ is mpf_make.__func__
assert MpfTemp._c is mpf_raw[3]
# %% case: meta_class_level_property_and_prepare
import collections
class McpOrder(type):
    @classmethod
    def __prepare__(m, name, bases): return collections.OrderedDict(auto=iter_names(name))
    @property
    def fields(cls): return [k for k in vars(cls) if k.startswith('f_')]
    def __instancecheck__(cls, o): return getattr(o, 'quacks', False)
    def __getattr__(cls, name):
        if name.startswith('dyn_'): return f'{cls.__name__}:{name}'
        raise AttributeError(name)
    def __iter__(cls): return iter(cls.fields)
def iter_names(n): return [n]
class McpT(metaclass=McpOrder):
    f_b = 1; f_a = 2; z = 3
class McpDuck: quacks = True
# %%
McpT.f_0 = 'late'
McpT.auto.append('more')
# %% check
assert McpT.fields == ['f_b', 'f_a', 'f_0'] == list(McpT) and McpT.auto == ['McpT', 'more']
assert isinstance(McpDuck(), McpT) and not isinstance(3, McpT) and McpT.dyn_x == 'McpT:dyn_x' and not hasattr(McpT, 'other')
# %% case: meta_multiple_inheritance_and_super_objects
class MmiA:
    def who(self): return ['A']
class MmiB(MmiA):
    def who(self): return ['B'] + super().who()
class MmiC(MmiA):
    def who(self): return ['C'] + super().who()
class MmiD(MmiB, MmiC):
    def who(self): return ['D'] + super().who()
    def klass(self): return __class__
mmi_d = MmiD()
mmi_sup = super(MmiB, mmi_d)
mmi_m = mmi_sup.who
# %%
MmiC.who = lambda self: ['C!'] + super(MmiC, self).who()
class MmiE:
    def who(self): return ['E']
MmiA.__bases__
MmiB.__bases__ = (MmiE,)
# %% check
assert MmiD.__mro__[1:4] == (MmiB, MmiE, MmiC) and MmiB.__bases__ == (MmiE,)
assert mmi_d.who() == ['D', 'B', 'E'] and mmi_d.klass() is MmiD
assert mmi_m() == ['C', 'A'] and mmi_sup.__self__ is mmi_d and mmi_sup.__thisclass__ is MmiB
assert mmi_sup.who() == ['E'] and MmiC().who() == ['C!', 'A']
# %% case: meta_dynamic_class_factory
def mdf_make(base, **attrs):
    calls = []
    class Made(base):
        def run(self, x):
            calls.append((self, x))
            return super().run(x) + len(calls)
        calls_ = calls
    for k, v in attrs.items(): setattr(Made, k, v)
    return Made
class MdfRoot:
    def run(self, x): return x
mdf_K1, mdf_K2 = mdf_make(MdfRoot, tag=1), mdf_make(MdfRoot, tag=2)
mdf_o1, mdf_o2 = mdf_K1(), mdf_K2()
# %%
mdf_r = mdf_o1.run(10)
mdf_K3 = mdf_make(mdf_K1, tag=3)
# %% check
assert mdf_r == 11 and mdf_o1.run(10) == 12 and mdf_o2.run(10) == 11
assert mdf_K1.__qualname__ == 'mdf_make.<locals>.Made' and mdf_K1 is not mdf_K2 and type(mdf_o1) is mdf_K1
assert mdf_K1.calls_[0][0] is mdf_o1 and mdf_K3().run(1) == 1 + 3 + 1 and mdf_K3.tag == 3 and MdfRoot.__subclasses__() == [mdf_K1, mdf_K2]
assert mdf_K1.run.__code__ is mdf_K2.run.__code__
# %% case: meta_slots_inheritance_and_weakref_slot
import weakref
class MsiBase:
    __slots__ = ('a', '_hidden', '__weakref__')
class MsiKid(MsiBase):
    __slots__ = ('b',)
class MsiOpen(MsiKid): pass
class MsiMangled:
    __slots__ = ('__secret',)
    def __init__(self): self.__secret = 'mine'
    def tell(self): return self.__secret
msi_k, msi_o, msi_m = MsiKid(), MsiOpen(), MsiMangled()
msi_k.a = msi_o; msi_o.b = msi_k; msi_o.free = 1
msi_ref = weakref.ref(msi_k)
# %%
msi_k._hidden = None
msi_k.b = 'x'; del msi_k.b
# %% check
assert msi_k.a is msi_o and msi_o.b is msi_k and vars(msi_o) == {'free': 1} and msi_ref() is msi_k
assert msi_k._hidden is None and not hasattr(msi_k, 'b') and not hasattr(msi_o, 'a') and not hasattr(msi_k, '__dict__')
assert msi_m.tell() == 'mine' and msi_m._MsiMangled__secret == 'mine'
# %% case: meta_self_referring_class_and_instances_in_class
class MsrSpace:
    def __init__(self, name): self.name = name
    class Inner:
        def outer(self): return MsrSpace
MsrSpace.ORIGIN = MsrSpace('origin')
MsrSpace.again = MsrSpace
MsrSpace.table = {MsrSpace: [MsrSpace.ORIGIN], MsrSpace.Inner: MsrSpace.Inner()}
msr_fn = MsrSpace.__init__
# %%
MsrSpace.ORIGIN.kin = [MsrSpace.ORIGIN, MsrSpace]
msr_inner = MsrSpace.Inner()
# %% check
assert MsrSpace.again.again is MsrSpace and type(MsrSpace.ORIGIN) is MsrSpace
assert MsrSpace.ORIGIN.kin[0] is MsrSpace.ORIGIN is MsrSpace.table[MsrSpace][0] and MsrSpace.ORIGIN.kin[1] is MsrSpace
assert type(MsrSpace.table[MsrSpace.Inner]) is MsrSpace.Inner is type(msr_inner) and msr_inner.outer() is MsrSpace
assert MsrSpace.__init__ is msr_fn and MsrSpace.Inner.__qualname__ == 'MsrSpace.Inner'
# %% case: meta_slots_held_by_variables
import functools
class MshTyped:
    def __init__(self): self.values = {}
    def __set_name__(self, owner, name): self.owner, self.name = owner, name
    def __get__(self, obj, owner=None): return self if obj is None else self.values[obj.key]
    def __set__(self, obj, value): self.values[obj.key] = value
class MshNode:
    __slots__ = ("key", "__hidden")
    level = MshTyped()
    notes = []
    def __init__(self, key): self.key = key; self.__hidden = [key]; self.level = 1
class MshKid(MshNode):
    key_again = MshNode.key
    @functools.cached_property
    def large(self): msh_computed.append(self.key); return [self.key] * 2
msh_computed = []; msh_kid = MshKid("k"); msh_node = MshNode("n"); msh_large = msh_kid.large
# %%
msh_slot, msh_hidden = MshNode.key, MshNode.__dict__["_MshNode__hidden"]
msh_typed, msh_cached = MshNode.level, MshKid.__dict__["large"]
msh_dict_of = {"kid": MshKid.__dict__["__dict__"], "type": type.__dict__["__dict__"], "slots": [msh_slot]}
# %%
MshNode.notes.append(msh_dict_of); msh_kid.level = 5
# %%
msh_hidden.__get__(msh_node).append("more")
# %% check
assert msh_slot is MshNode.key is MshKid.key_again is msh_dict_of["slots"][0] and msh_slot.__get__(msh_node) == "n"
assert msh_hidden.__get__(msh_node) == ["n", "more"] and type(msh_node) is MshNode and MshNode.notes[0] is msh_dict_of
assert msh_typed is MshNode.level and msh_typed.owner is MshNode and msh_typed.values == {"k": 5, "n": 1}
assert msh_cached is MshKid.__dict__["large"] and msh_kid.large is msh_large and msh_computed == ["k"]
assert msh_dict_of["kid"].__get__(msh_kid) is vars(msh_kid) and "notes" in msh_dict_of["type"].__get__(MshNode)
