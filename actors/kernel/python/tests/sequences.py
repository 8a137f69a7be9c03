"""Short notebooks, each with a check that must hold on another process.

A session is a list of cases that run one after the other in one kernel; its cases use different names.
A check changes nothing. Cells are separated by a line ``---``; a cell that starts with ``# raises`` fails.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    name: str
    cells: tuple[str, ...]
    check: str


def session(text: str) -> list[Case]:
    cases = []
    for block in text.strip().split("\n=== ")[0:]:
        name, _, rest = block.removeprefix("=== ").partition("\n")
        *cells, check = rest.split("\n---\n")
        cases.append(Case(name.strip(), tuple(cells), check))
    return cases


ALIASES = session("""
=== alias of a list
a1 = []; b1 = a1
---
a1.append(1)
---
assert a1 is b1 and b1 == [1]
=== alias made later
a2 = [1]
---
b2 = {'k': a2}
---
b2['k'].append(2)
---
assert b2['k'] is a2 and a2 == [1, 2]
=== alias broken
a3 = [1]; b3 = a3
---
b3 = list(a3); b3.append(2)
---
a3.append(3)
---
assert a3 == [1, 3] and b3 == [1, 2] and a3 is not b3
=== cycle
a4 = []; a4.append(a4)
---
a4.append(4)
---
assert a4[0] is a4 and a4[1] == 4
=== alias through a tuple
a5 = ([], 1); b5 = a5[0]
---
b5.append(5)
---
assert a5[0] is b5 == [5] and a5[1] == 1
=== the tuple itself
a6 = ([1],); b6 = a6
---
b6[0].append(2)
---
assert a6 is b6 and a6 == ([1, 2],)
=== dict of lists touched inside
a7 = {i: [i] for i in range(50)}; b7 = a7[7]
---
a7[7].append('x')
---
assert b7 == [7, 'x'] and a7[7] is b7
=== deleted alias
a8 = [8]; b8 = a8
---
del a8
---
b8.append(9)
---
assert b8 == [8, 9] and 'a8' not in globals()
=== rebound to another type
a9 = [9]
---
a9 = 'nine'
---
assert a9 == 'nine'
=== default dict and ordered dict
import collections
a10 = collections.defaultdict(list); a10['x'].append(1); b10 = collections.OrderedDict(z=a10)
---
a10['y'].append(2)
---
assert b10['z'] is a10 and a10['y'] == [2] and a10.default_factory is list
=== deque, set, frozenset
a11 = collections.deque([1, 2], maxlen=3); b11 = {1, 2}; c11 = frozenset('ab')
---
a11.append(3); a11.append(4); b11.add(3)
---
assert list(a11) == [2, 3, 4] and a11.maxlen == 3 and b11 == {1, 2, 3} and c11 == frozenset('ab')
=== walrus, for, with, star targets
import io
(w12 := [12])
for i12 in range(3): pass
with io.StringIO('t') as f12: t12 = f12.read()
h12, *r12 = [1, 2, 3]
---
assert w12 == [12] and i12 == 2 and t12 == 't' and h12 == 1 and r12 == [2, 3] and f12.closed
=== augmented assignment
a13 = [1]; b13 = a13; n13 = 1
---
a13 += [2]; n13 += 1
---
assert b13 is a13 and b13 == [1, 2] and n13 == 2
=== live views and iterators of a container
d15 = {'a': 1}; k15 = d15.keys(); v15 = d15.values(); l15 = [1]; it15 = iter(l15)
---
d15['b'] = 2; l15.append(2)
---
assert list(k15) == ['a', 'b'] and list(v15) == [1, 2] and it15.__reduce__()[1][0] is l15
=== two names for one long string
s16 = 'x' * 100000; t16 = s16; p16 = (1, [2]); q16 = [p16]
---
q16.append(1)
---
assert s16 is t16 and q16[0][1] is p16[1] and q16[1] == 1
=== star import and names from a module
from math import *
from collections import Counter as Counter17
c17 = Counter17('abca')
---
c17.update('a')
---
assert sin(0) == 0 and c17['a'] == 3 and type(c17) is Counter17
=== many names in one cell
exec(';'.join(f'm18_{i} = [{i}]' for i in range(200)))
---
for n18 in range(0, 200, 50): globals()[f'm18_{n18}'].append('x')
---
assert m18_50 == [50, 'x'] and m18_51 == [51] and m18_199 == [199]
=== a module made at run time
import types
mod19 = types.ModuleType('mod19'); mod19.value = [1]
---
mod19.value.append(2)
---
assert mod19.value == [1, 2] and mod19.__name__ == 'mod19'
=== mutation through a library call
import random as random14
a14 = list(range(20)); b14 = a14
---
random14.Random(0).shuffle(a14)
---
assert b14 is a14 and sorted(a14) == list(range(20)) and a14 != list(range(20))
""")

FUNCTIONS = session("""
=== function changes a global
x1 = 0
def bump1():
    global x1
    x1 += 1
---
bump1()
---
bump1()
---
assert x1 == 2
=== function mutates a global list through another function
l2 = []
def inner2(): l2.append(1)
def outer2(): inner2()
---
outer2()
---
assert l2 == [1]
=== a function sees names defined later
def f3(): return later3
---
later3 = 33
---
assert f3() == 33
=== closure counter
def make4():
    n = 0
    def inc():
        nonlocal n
        n += 1
        return n
    def get(): return n
    return inc, get
inc4, get4 = make4()
---
inc4(); inc4();
---
assert get4() == 2 and inc4.__closure__[0] is get4.__closure__[0]
=== lambda with default
k5 = [5]
lam5 = lambda v, box=k5: box.append(v)
---
lam5(6)
---
assert k5 == [5, 6] and lam5.__defaults__[0] is k5
=== recursion
def fact6(n): return 1 if n < 2 else n * fact6(n - 1)
---
assert fact6(5) == 120
=== recursive closure
def make7():
    def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
    return fib
fib7 = make7()
---
assert fib7(10) == 55
=== function redefined, old one kept
def f8(): return 'old'
old8 = f8
---
def f8(): return 'new'
---
assert old8() == 'old' and f8() == 'new'
=== function attributes
def f9(): f9.calls += 1
f9.calls = 0
---
f9(); f9()
---
assert f9.calls == 2
=== decorator with state
import functools
def count10(fn):
    @functools.wraps(fn)
    def wrapper(*a):
        wrapper.n += 1
        return fn(*a)
    wrapper.n = 0
    return wrapper
@count10
def sq10(x): return x * x
---
sq10(3); sq10(4);
---
assert sq10.n == 2 and sq10.__name__ == 'sq10' and sq10(5) == 25
=== lru_cache and partial
@functools.lru_cache(maxsize=None)
def slow11(x): return x + 1
p11 = functools.partial(slow11, 10)
---
p11()
---
assert p11() == 11 and slow11.cache_parameters()['maxsize'] is None
=== generator function
def gen12(n):
    for i in range(n): yield i * i
---
assert list(gen12(3)) == [0, 1, 4]
=== function with a mutable default
def f13(x, acc=[]):
    acc.append(x)
    return acc
---
f13(1); f13(2)
---
assert f13.__defaults__ == ([1, 2],)
=== exec and globals
exec('a14 = [1]')
globals()['b14'] = a14
---
globals()['a' + '14'].append(2)
---
assert a14 == [1, 2] and a14 is b14
=== name computed by a function that uses globals
t15 = [0]
def touch15(name): globals()[name].append(1)
---
touch15('t15')
---
assert t15 == [0, 1]
=== async function and await
import asyncio
async def work16(n):
    await asyncio.sleep(0)
    return n * 2
---
r16 = await work16(21)
---
r16b = await asyncio.gather(work16(1), work16(2))
---
assert r16 == 42 and r16b == [2, 4] and asyncio.iscoroutinefunction(work16)
=== bound and builtin methods
l17 = []; push17 = l17.append
---
push17(17)
---
assert l17 == [17] and push17.__self__ is l17
=== source is still known
def f18():
    return 'sought'
---
import inspect
assert 'sought' in inspect.getsource(f18)
""")

CLASSES = session("""
=== class and instance
class A1:
    def __init__(self): self.v = []
a1 = A1()
---
a1.v.append(1)
---
assert isinstance(a1, A1) and type(a1) is A1 and a1.v == [1]
=== redefined class keeps old instances
class B2:
    def who(self): return 'old'
b2 = B2()
---
class B2:
    def who(self): return 'new'
c2 = B2()
---
assert b2.who() == 'old' and c2.who() == 'new' and not isinstance(b2, B2) and isinstance(c2, B2)
=== class attribute changed
class C3:
    n = 0
    def __init__(self): C3.n += 1
---
x3 = C3(); y3 = C3()
---
assert C3.n == 2 and x3.n == 2
=== class attribute changed through type(self)
class C4:
    n = 0
    def bump(self): type(self).n += 1
o4 = C4()
---
o4.bump()
---
assert C4.n == 1
=== class shares a list with a variable
reg5 = []
class C5: items = reg5
---
C5.items.append(5)
---
assert reg5 is C5.items and reg5 == [5]
=== inheritance, super, property, static, class methods
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
---
assert q6.hi() == 'PQ' and q6.p == 'prop' and Q6.s() == 's' and q6.c() == 'Q6' and Q6.__mro__[1] is P6
=== base changed after the derived class
class P7:
    v = 1
class Q7(P7): pass
q7 = Q7()
---
P7.v = 2
P7.extra = lambda self: self.v
---
assert q7.v == 2 and q7.extra() == 2
=== classes that refer to each other
class A8: pass
class B8(A8): pass
A8.child = B8; B8.parent = A8; A8.example = B8()
---
assert A8.child is B8 and B8.parent is A8 and isinstance(A8.example, B8) and issubclass(B8, A8)
=== slots
class S9:
    __slots__ = ('x', '_S9__y')
    def __init__(self): self.x = [1]; self.__y = 2
    def y(self): return self.__y
s9 = S9()
---
s9.x.append(2)
---
assert s9.x == [1, 2] and s9.y() == 2 and not hasattr(s9, '__dict__')
=== dataclass
from dataclasses import dataclass, field
@dataclass(order=True)
class D10:
    a: int
    b: list = field(default_factory=list)
d10 = D10(1)
---
d10.b.append(3)
---
assert d10 == D10(1, [3]) and D10(1) < D10(2) and D10(5).b is not D10(5).b
=== enum
import enum
class E11(enum.Enum):
    RED = 1
    ROUGE = 1
    BLUE = 2
    def low(self): return self.name.lower()
e11 = E11.RED
---
l11 = [E11.BLUE]
---
assert e11 is E11.RED is E11.ROUGE and l11[0] is E11.BLUE and E11(2).low() == 'blue' and len(E11) == 2
=== functional enum, flags, int enum
F12 = enum.IntFlag('F12', 'A B C'); G12 = enum.IntEnum('G12', {'x': 10})
f12 = F12.A | F12.C
---
assert f12 == 5 and F12.A in f12 and G12.x == 10 and isinstance(G12.x, int)
=== named tuples
import collections, typing
N13 = collections.namedtuple('N13', 'a b')
class T13(typing.NamedTuple):
    a: int
    b: str = 'd'
n13 = N13(1, [2]); t13 = T13(3)
---
n13.b.append(4)
---
assert n13 == N13(1, [2, 4]) and t13 == T13(3, 'd') and isinstance(t13, T13)
=== metaclass and init_subclass
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
---
class J14(R14): pass
---
assert M14.made == ['R14', 'J14'] and type(J14) is M14 and H14.subs == [('I14', 't')]
=== abstract base
import abc
class A15(abc.ABC):
    @abc.abstractmethod
    def f(self): ...
class B15(A15):
    def f(self): return 15
class V15: pass
A15.register(V15)
---
b15 = B15()
---
assert b15.f() == 15 and isinstance(b15, A15) and issubclass(V15, A15) and A15.__abstractmethods__ == {'f'}
=== singleton in class state
class S16:
    _it = None
    @classmethod
    def get(cls):
        if cls._it is None: cls._it = cls()
        return cls._it
---
s16 = S16.get()
---
assert S16.get() is s16
=== own exception with other arguments
class X17(Exception):
    def __init__(self, *, code): super().__init__(f'code {code}'); self.code = code
x17 = X17(code=5)
try:
    try: 1/0
    except ZeroDivisionError as e: raise ValueError('outer') from e
except ValueError as e: y17 = e
---
assert x17.code == 5 and str(x17) == 'code 5' and type(x17) is X17 and isinstance(y17.__cause__, ZeroDivisionError)
=== getattr proxy
class P18:
    def __init__(self, t): self.t = t
    def __getattr__(self, n): return getattr(self.t, n)
p18 = P18([1])
---
p18.append(2)
---
assert p18.t == [1, 2]
=== instance with a lock
import threading
class L19:
    def __init__(self): self.lock = threading.Lock(); self.n = 0
    def inc(self):
        with self.lock: self.n += 1
l19 = L19()
---
l19.inc()
---
assert l19.n == 1 and l19.inc() is None
=== cached property and generic
class C20(typing.Generic[typing.TypeVar('T')]):
    import functools as _f
    @_f.cached_property
    def v(self): return [20]
c20 = C20()
---
c20.v.append(1)
---
assert c20.v == [20, 1]
""")

PINNED = session("""
=== generator beside other variables
g1 = (i for i in range(3)); n1 = 1; l1 = [g1, 2]
---
n1 = 2
---
assert n1 == 2 and l1[1] == 2 and l1[0] is g1
try:
    assert next(g1) == 0 and type(g1).__name__ == 'generator'  # at home
except RuntimeError as e:
    assert type(e).__name__ == 'PinnedError' and "'g1'" in str(e) and 'generator' in str(e) and 'host' in str(e) and 'cell [' in str(e), str(e)
=== a leaf in a dict
d2 = {'s': __import__('socket').socket(), 'n': [1]}
---
d2['n'].append(2)
---
assert d2['n'] == [1, 2] and ('pinned' in repr(d2['s']) or d2['s'].fileno() > 0)
=== the pinned variable is replaced
g3 = (i for i in 'a')
---
g3 = [3]
---
assert g3 == [3]
=== the pinned variable is deleted
g4 = (i for i in 'a')
---
del g4
---
assert 'g4' not in globals()
=== locks
import threading
k5 = threading.Lock(); r5 = threading.RLock(); e5 = threading.Event(); q5 = __import__('queue').Queue()
---
k5.acquire(); e5.set(); q5.put(5)
---
assert k5.locked() and e5.is_set() and q5.queue[0] == 5 and r5.acquire() is True
=== open file for reading
f6 = open('/proc/self/status'); f6.close()
p6 = __import__('pathlib').Path('t6.txt'); p6.write_text('abcdef')
f6 = open(p6.absolute()); f6.read(2)
---
assert f6.read(1) == 'c' and f6.seek(2) == 2
=== object whose pickling fails
class Bad7:
    def __reduce__(self): raise RuntimeError('no way')
bad7 = Bad7(); good7 = [7]; both7 = [bad7, good7]
---
good7.append(8)
---
assert both7[1] is good7 and good7 == [7, 8] and ('no way' in repr(both7[0]) or type(both7[0]) is Bad7)
=== weak reference and memoryview
import weakref
class W8: pass
w8 = W8(); r8 = weakref.ref(w8); b8 = bytearray(b'abc'); m8 = memoryview(b8)
---
m8[0] = 120
---
assert r8() is w8 and b8 == b'xbc' and m8[0] == 120
=== iterators go on
i9 = iter([1, 2, 3]); next(i9); e9 = enumerate('xy')
---
next(i9);
---
assert i9.__reduce__()[2] == 2 and e9.__reduce__()[1][1] == 0
=== deep list and linked nodes
d10 = []
for _ in range(3000): d10 = [d10]
class Node10:
    next = None
head10 = tail10 = Node10()
for _ in range(3000): tail10.next = Node10(); tail10 = tail10.next
---
tail10.end = True
---
def depth10(node, n=0):
    while node.next: node, n = node.next, n + 1
    return n, node
assert depth10(head10)[0] == 3000 and depth10(head10)[1] is tail10 and len(d10) == 1
=== types and structs of the notebook
import struct, typing
Id11 = typing.NewType('Id11', int); s11 = struct.Struct('<i')
---
p11 = s11.pack(Id11(5))
---
assert s11.unpack(p11) == (5,) and Id11.__supertype__ is int and Id11.__name__ == 'Id11'
=== the shell, its namespace, its streams
ip11 = get_ipython(); ns11 = globals(); out11 = __import__('sys').stdout; env11 = __import__('os').environ
---
assert ip11 is get_ipython() and ns11 is globals() and out11 is __import__('sys').stdout and env11 is __import__('os').environ
""")

ERRORS = session("""
=== exception in the middle
# raises
a1 = 1; l1 = [1]
1/0
b1 = 2
---
assert a1 == 1 and l1 == [1] and 'b1' not in globals()
=== mutation before an exception
l2 = []
---
# raises
l2.append(1); raise ValueError('x')
---
assert l2 == [1]
=== syntax error
l3 = [3]
---
# raises
l3.append(
---
assert l3 == [3]
=== caught exception kept
try: {}['k4']
except KeyError as e: e4 = e
---
assert e4.args == ('k4',)
=== system exit
# raises
x5 = 5; raise SystemExit(3)
---
assert x5 == 5
=== deletion before an exception
x6 = 6
---
# raises
del x6; 1/0
---
assert 'x6' not in globals()
=== unknown magic
# raises
%no_such_magic
---
assert True
""")

HISTORY = session("""
=== inputs and outputs
'first'
---
[1, 2]
---
_.append(3)
---
assert Out[1] == 'first' and Out[2] == [1, 2, 3] and _2 is Out[2] and _ is Out[2] and In[1] == "'first'" and _i1 == "'first'" and len(In) == 4
""")

RESET = session("""
=== reset forgets everything
r11 = [1]; r11
---
%reset -f
---
after11 = 1
---
assert 'r11' not in globals() and after11 == 1 and len(Out) == 0
""")

IPYTHON = session("""
=== outputs alias variables
x2 = [5]
x2
---
x2.append(6)
---
assert _1 is x2 and Out[1] == [5, 6]
=== time cell magic
%%time
t3 = [3]
---
%time t3.append(4)
---
assert t3 == [3, 4]
=== capture cell magic
%%capture c4
print('hidden'); v4 = 4
---
assert v4 == 4 and 'hidden' in c4.stdout
=== shell commands
s5 = !echo hi
---
!true
---
assert list(s5) == ['hi']
=== writefile and import from the working directory
%%writefile mod6_nbos.py
value = 6
def get(): return value
---
import sys; sys.path.insert(0, '.'); import mod6_nbos; g6 = mod6_nbos.get
---
assert g6() == 6
=== run magic
%%writefile s7_nbos.py
v7 = [7]
---
%run s7_nbos.py
---
assert v7 == [7]
=== user functions with the underscore
_ , y8 = (1, 2)
---
for _ in range(3): pass
---
assert _ == 2 and y8 == 2
=== dunder and private names
__mine__ = [9]; _p9 = 9
---
__mine__.append(1)
---
assert __mine__ == [9, 1] and _p9 == 9
=== line magic alias of env
%env NBOS_T10=yes
---
import os
assert os.environ['NBOS_T10'] == 'yes'
""")

AMBIENT = session("""
=== working directory
import os, pathlib
pathlib.Path('sub1').mkdir(exist_ok=True)
os.chdir('sub1')
---
assert os.getcwd().endswith('sub1')
=== cd magic
%cd -q ..
---
%cd -q sub1
---
assert os.getcwd().endswith('sub1') and len(_dh) >= 3
=== environment
os.environ['NBOS_A'] = '1'; os.environ['NBOS_B'] = '2'
---
del os.environ['NBOS_B']; os.environ.pop('LANG', None); os.environ['NBOS_A'] = '3'
---
assert os.environ['NBOS_A'] == '3' and 'NBOS_B' not in os.environ and os.getenv('LANG') is None
=== search path
import sys; sys.path.append('/nbos/extra')
---
assert sys.path[-1] == '/nbos/extra' and sys.path.count('/nbos/extra') == 1
=== imports
import json as j5, xml.etree.ElementTree
from os.path import join as join5
---
assert j5.loads('[1]') == [1] and xml.etree.ElementTree.fromstring('<a/>').tag == 'a' and join5('a', 'b') == 'a/b'
=== warning filters
import warnings
warnings.simplefilter('error', ImportWarning)
---
assert warnings.filters[0][0] == 'error' and warnings.filters[0][2] is ImportWarning
=== decimal and recursion limit
import decimal
decimal.getcontext().prec = 7; sys.setrecursionlimit(4321)
---
assert str(decimal.Decimal(1) / 3) == '0.3333333' and sys.getrecursionlimit() == 4321
=== random
import random
random.seed(1); r8 = [random.random() for _ in range(3)]
---
r8b = random.random()
---
state8 = random.getstate()
---
assert random.getstate() == state8 and random.Random(1).random() == r8[0] and r8b == (lambda r: [r.random() for _ in range(4)][3])(random.Random(1))
=== bound method of the global generator
from random import randint as randint9
---
assert randint9.__self__ is random._inst
=== annotations of the notebook
x10: int = 5
y10: 'str'
---
assert __annotations__['x10'] is int and __annotations__['y10'] == 'str' and x10 == 5
""")

NUMPY = session("""
=== array changed in place
import numpy as np
a1 = np.zeros(5)
---
a1[2] = 3
---
assert a1[2] == 3 and a1.flags.owndata and a1.flags.writeable
=== view of an array
a2 = np.arange(10); b2 = a2[::2]; c2 = a2.reshape(2, 5).T
---
b2[0] = 99
---
assert a2[0] == 99 and c2[0, 0] == 99 and b2.base is a2 and np.shares_memory(a2, c2)
=== reversed view and views of a hidden root
r3 = np.arange(6); v3 = r3[::-1]; w3 = r3[1:3]
---
del r3
---
w3[:] = 7
---
assert list(v3) == [5, 4, 3, 7, 7, 0] and np.shares_memory(v3, w3)
=== read only, fortran, zero size, zero dimensions
a4 = np.ones((2, 3), order='F'); a4.flags.writeable = False; z4 = np.empty((0, 3)); s4 = np.array(5)
---
assert not a4.flags.writeable and a4.flags.f_contiguous and z4.shape == (0, 3) and s4.shape == () and s4 == 5
=== structured, dates, objects, strings
t5 = np.array([(1, 2.5)], dtype=[('a', 'i4'), ('b', 'f8')]); f5 = t5['b']; d5 = np.array(['2020-01-01'], 'M8[D]')
l5 = [1]; o5 = np.array([l5, None], dtype=object); u5 = np.array(['ab', 'c'])
---
f5[0] = 9.5; l5.append(2)
---
assert t5[0]['b'] == 9.5 and d5[0] == np.datetime64('2020-01-01') and o5[0] is l5 and list(o5[0]) == [1, 2] and u5[1] == 'c'
=== masked array and matrix
m6 = np.ma.array([1, 2, 3], mask=[0, 1, 0]); x6 = np.ma.masked
---
m6[0] = 10
---
assert m6.sum() == 13 and x6 is np.ma.masked
=== generators
rng7 = np.random.default_rng(3); np.random.seed(5)
---
v7 = rng7.random(), np.random.rand()
---
assert np.random.RandomState(5).rand() == v7[1] and np.random.get_state()[2] == 2 and rng7.bit_generator.state != np.random.default_rng(3).bit_generator.state
=== array over a bytearray
b8 = bytearray(8); a8 = np.frombuffer(b8, dtype='i4')
---
a8[0] = 1
---
assert b8[0] == 1
=== print options
np.set_printoptions(precision=3)
---
assert np.get_printoptions()['precision'] == 3
=== vectorised user function
@np.vectorize
def dbl10(x): return x * 2
---
assert list(dbl10(np.array([1, 2]))) == [2, 4]
""")

PANDAS = session("""
=== data frame, column added
import pandas as pd, numpy as np
df1 = pd.DataFrame({'a': [1, 2, 3], 'b': list('xyz')}, index=pd.date_range('2024-01-01', periods=3))
---
df1['c'] = df1['a'] * 2
---
df1.loc[df1.index[0], 'a'] = 100
---
assert list(df1['c']) == [2, 4, 6] and df1['a'].iloc[0] == 100 and df1.index.freqstr == 'D'
=== series taken from a frame
s2 = df1['a']; g2 = df1.groupby('b')
---
s2.name = 'renamed'
---
assert s2.name == 'renamed' and list(df1.columns) == ['a', 'b', 'c'] and g2['c'].sum()['x'] == 2
=== objects inside a frame
l3 = [1]; df3 = pd.DataFrame({'o': [l3, None]})
---
l3.append(2)
---
assert df3['o'][0] == [1, 2] and df3['o'][0] is l3
=== frame bound again
df4 = pd.DataFrame({'q': range(4)})
---
df4 = df4[df4.q > 1].reset_index(drop=True)
---
assert df4.q.tolist() == [2, 3]
""")

SKLEARN = session("""
=== fit
import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
X1, y1 = load_iris(return_X_y=True); clf1 = LogisticRegression(max_iter=200)
---
clf1.fit(X1, y1)
---
p1 = clf1.predict(X1)
---
assert (clf1.predict(X1) == p1).all() and clf1.score(X1, y1) > 0.9
=== pipeline
from sklearn.pipeline import make_pipeline
from sklearn.base import clone
clf2 = clone(clf1)
from sklearn.preprocessing import StandardScaler
pipe2 = make_pipeline(StandardScaler(), clf2).fit(X1, y1)
---
assert pipe2.named_steps['logisticregression'] is clf2 and pipe2.score(X1, y1) > 0.9
=== matplotlib inline
%matplotlib inline
import matplotlib.pyplot as plt
fig3, ax3 = plt.subplots()
ax3.plot([1, 2, 3]);
---
ax3.set_title('t');
---
assert ax3.get_title() == 't' and ax3.figure is fig3 and len(ax3.lines) == 1
""")

SESSIONS = {
    "aliases": ALIASES, "functions": FUNCTIONS, "classes": CLASSES, "pinned": PINNED, "errors": ERRORS,
    "history": HISTORY, "reset": RESET, "ipython": IPYTHON, "ambient": AMBIENT, "numpy": NUMPY, "pandas": PANDAS, "sklearn": SKLEARN,
}
