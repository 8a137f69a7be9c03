# Classes defined in the notebook: changed, redefined, in circles, with state of their own.

# %% case: class_and_instance
class A1:
    def __init__(self): self.v = []
a1 = A1()
# %%
a1.v.append(1)
# %% check
assert isinstance(a1, A1) and type(a1) is A1 and a1.v == [1]

# %% case: redefined_class_keeps_old_instances
class B2:
    def who(self): return 'old'
b2 = B2()
# %%
class B2:
    def who(self): return 'new'
c2 = B2()
# %% check
assert b2.who() == 'old' and c2.who() == 'new' and not isinstance(b2, B2) and isinstance(c2, B2)

# %% case: class_attribute_changed
class C3:
    n = 0
    def __init__(self): C3.n += 1
# %%
x3 = C3(); y3 = C3()
# %% check
assert C3.n == 2 and x3.n == 2

# %% case: class_attribute_changed_through_type_self
class C4:
    n = 0
    def bump(self): type(self).n += 1
o4 = C4()
# %%
o4.bump()
# %% check
assert C4.n == 1

# %% case: class_shares_a_list_with_a_variable
reg5 = []
class C5: items = reg5
# %%
C5.items.append(5)
# %% check
assert reg5 is C5.items and reg5 == [5]

# %% case: inheritance_super_property_static_class_methods
class P6:
    def hi(self): return 'P'
class Q6(P6):
    def hi(self): return super().hi() + 'Q'
    @property
    def p(self): return 'prop'
    @staticmethod
    def s(): return 's'
    @classmethod
    def c(cls): return cls.__name__
q6 = Q6()
# %% check
assert q6.hi() == 'PQ' and q6.p == 'prop' and Q6.s() == 's' and q6.c() == 'Q6' and Q6.__mro__[1] is P6

# %% case: base_changed_after_the_derived_class
class P7:
    v = 1
class Q7(P7): pass
q7 = Q7()
# %%
P7.v = 2
P7.extra = lambda self: self.v
# %% check
assert q7.v == 2 and q7.extra() == 2

# %% case: classes_that_refer_to_each_other
class A8: pass
class B8(A8): pass
A8.child = B8; B8.parent = A8; A8.example = B8()
# %% check
assert A8.child is B8 and B8.parent is A8 and isinstance(A8.example, B8) and issubclass(B8, A8)

# %% case: slots
class S9:
    __slots__ = ('x', '_S9__y')
    def __init__(self): self.x = [1]; self.__y = 2
    def y(self): return self.__y
s9 = S9()
# %%
s9.x.append(2)
# %% check
assert s9.x == [1, 2] and s9.y() == 2 and not hasattr(s9, '__dict__')

# %% case: dataclass
from dataclasses import dataclass, field
@dataclass(order=True)
class D10:
    a: int
    b: list = field(default_factory=list)
d10 = D10(1)
# %%
d10.b.append(3)
# %% check
assert d10 == D10(1, [3]) and D10(1) < D10(2) and D10(5).b is not D10(5).b

# %% case: enum
import enum
class E11(enum.Enum):
    RED = 1
    ROUGE = 1
    BLUE = 2
    def low(self): return self.name.lower()
e11 = E11.RED
# %%
l11 = [E11.BLUE]
# %% check
assert e11 is E11.RED is E11.ROUGE and l11[0] is E11.BLUE and E11(2).low() == 'blue' and len(E11) == 2

# %% case: functional_enum_flags_int_enum
import enum
F12 = enum.IntFlag('F12', 'A B C'); G12 = enum.IntEnum('G12', {'x': 10})
f12 = F12.A | F12.C
# %% check
assert f12 == 5 and F12.A in f12 and G12.x == 10 and isinstance(G12.x, int)

# %% case: named_tuples
import collections, typing
N13 = collections.namedtuple('N13', 'a b')
class T13(typing.NamedTuple):
    a: int
    b: str = 'd'
n13 = N13(1, [2]); t13 = T13(3)
# %%
n13.b.append(4)
# %% check
assert n13 == N13(1, [2, 4]) and t13 == T13(3, 'd') and isinstance(t13, T13)

# %% case: metaclass_and_init_subclass
class M14(type):
    made = []
    def __new__(m, name, bases, ns):
        c = super().__new__(m, name, bases, ns); M14.made.append(name); return c
class R14(metaclass=M14): pass
class H14:
    subs = []
    def __init_subclass__(cls, tag, **k):
        super().__init_subclass__(**k); H14.subs.append((cls.__name__, tag))
class I14(H14, tag='t'): pass
# %%
class J14(R14): pass
# %% check
assert M14.made == ['R14', 'J14'] and type(J14) is M14 and H14.subs == [('I14', 't')]

# %% case: abstract_base
import abc
class A15(abc.ABC):
    @abc.abstractmethod
    def f(self): ...
class B15(A15):
    def f(self): return 15
class V15: pass
A15.register(V15)
# %%
b15 = B15()
# %% check
assert b15.f() == 15 and isinstance(b15, A15) and issubclass(V15, A15) and A15.__abstractmethods__ == {'f'}

# %% case: singleton_in_class_state
class S16:
    _it = None
    @classmethod
    def get(cls):
        if cls._it is None: cls._it = cls()
        return cls._it
# %%
s16 = S16.get()
# %% check
assert S16.get() is s16

# %% case: own_exception_with_other_arguments
class X17(Exception):
    def __init__(self, *, code): super().__init__(f'code {code}'); self.code = code
x17 = X17(code=5)
try:
    try: 1/0
    except ZeroDivisionError as e: raise ValueError('outer') from e
except ValueError as e: y17 = e
# %% check
assert x17.code == 5 and str(x17) == 'code 5' and type(x17) is X17 and isinstance(y17.__cause__, ZeroDivisionError)

# %% case: getattr_proxy
class P18:
    def __init__(self, t): self.t = t
    def __getattr__(self, n): return getattr(self.t, n)
p18 = P18([1])
# %%
p18.append(2)
# %% check
assert p18.t == [1, 2]

# %% case: instance_with_a_lock
import threading
class L19:
    def __init__(self): self.lock = threading.Lock(); self.n = 0
    def inc(self):
        with self.lock: self.n += 1
l19 = L19()
# %%
l19.inc()
# %% check
assert l19.n == 1 and l19.inc() is None

# %% case: cached_property_and_generic
import typing
class C20(typing.Generic[typing.TypeVar('T')]):
    import functools as _f
    @_f.cached_property
    def v(self): return [20]
c20 = C20()
# %%
c20.v.append(1)
# %% check
assert c20.v == [20, 1]
