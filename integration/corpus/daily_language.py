# The Python language as it is taught and used in notebooks: classes, closures, decorators, errors kept.
# %% case: d_lang_memo_decorator
import functools
def d_memo(f):
    cache = {}
    @functools.wraps(f)
    def inner(n):
        inner.calls += 1
        if n not in cache:
            cache[n] = f(n)
        return cache[n]
    inner.calls = 0
    inner.cache = cache
    return inner
# %%
@d_memo
def d_fib(n):
    "nth Fibonacci number"
    return n if n < 2 else d_fib(n - 1) + d_fib(n - 2)
d_fib(20)
d_calls_before = d_fib.calls
# %% check
assert d_fib(21) == 10946
assert d_fib.calls == d_calls_before + 3
assert d_fib.__name__ == 'd_fib' and d_fib.__doc__ == 'nth Fibonacci number'
assert d_fib.cache[20] == 6765 and len(d_fib.cache) == 22
# %% case: d_lang_enum_state_machine
import enum
class DLight(enum.Enum):
    RED = 1
    GREEN = 2
    AMBER = 3
    def after(self):
        order = [DLight.RED, DLight.GREEN, DLight.AMBER]
        return order[(order.index(self) + 1) % 3]
class DPerm(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()
# %%
d_light = DLight.GREEN
d_seen = {DLight.RED: 'stop', DLight.GREEN: 'go'}
d_perm = DPerm.READ | DPerm.WRITE
# %%
d_light = d_light.after()
# %% check
assert d_light is DLight.AMBER and d_light is DLight(3)
assert d_seen[d_light.after()] == 'stop'
assert DPerm.WRITE in d_perm and (d_perm & ~DPerm.WRITE) is DPerm.READ
# %% case: d_lang_dataclass_inventory
from dataclasses import dataclass, field, replace, asdict
@dataclass(order=True)
class DItem:
    price: float
    name: str = field(compare=False)
    tags: list = field(default_factory=list, compare=False)
@dataclass(frozen=True)
class DPoint:
    x: int
    y: int = 0
# %%
d_items = [DItem(3.5, 'pen'), DItem(1.2, 'nail'), DItem(9.0, 'book')]
d_cheapest = min(d_items)
d_cheapest.tags.append('metal')
d_where = {DPoint(1, 2): d_cheapest}
# %%
d_moved = replace(d_items[2], price=0.5)
# %% check
assert d_items[1] is d_cheapest and d_where[DPoint(1, 2)] is d_cheapest
assert min(d_items + [d_moved]) is d_moved and d_moved.tags is d_items[2].tags
assert asdict(d_cheapest) == {'price': 1.2, 'name': 'nail', 'tags': ['metal']}
try:
    list(d_where)[0].x = 5
except AttributeError as e:
    d_frozen = type(e).__name__
assert d_frozen == 'FrozenInstanceError'
# %% case: d_lang_plugin_metaclass
class DRegistry(type):
    table = {}
    def __new__(mcls, name, bases, ns, key=None):
        cls = super().__new__(mcls, name, bases, ns)
        if key:
            mcls.table[key] = cls
        return cls
    def __len__(cls):
        return len(cls.table)
class DPlugin(metaclass=DRegistry):
    pass
# %%
class DCsv(DPlugin, key='csv'):
    def read(self):
        return 'reading csv'
class DJson(DPlugin, key='json'):
    def read(self):
        return 'reading json'
# %%
d_reader = DRegistry.table['csv']()
# %% check
assert DRegistry.table['json'] is DJson and type(d_reader) is DCsv
assert d_reader.read() == 'reading csv'
class DXml(DPlugin, key='xml'):
    pass
assert len(DPlugin) == 3 and sorted(DRegistry.table) == ['csv', 'json', 'xml']
# %% case: d_lang_caught_error_kept
class DValidationError(Exception):
    def __init__(self, field_name, value):
        super().__init__(f'{field_name}: {value!r} is wrong')
        self.field_name = field_name
        self.value = value
def d_parse_age(text):
    try:
        return int(text)
    except ValueError as e:
        raise DValidationError('age', text) from e
# %%
d_failures = []
for d_text in ['31', 'old', '7', '']:
    try:
        d_parse_age(d_text)
    except DValidationError as d_e:
        d_failures.append(d_e)
# %%
d_first_failure = d_failures[0]
# %% check
assert [e.value for e in d_failures] == ['old', ''] and d_failures[0] is d_first_failure
assert str(d_first_failure) == "age: 'old' is wrong"
assert isinstance(d_first_failure.__cause__, ValueError)
import traceback
assert [f.name for f in traceback.extract_tb(d_first_failure.__traceback__)][-1] == 'd_parse_age'
# %% case: d_lang_cache_weakrefs
import weakref
class DImage:
    __slots__ = ('name', '__weakref__')
    def __init__(self, name):
        self.name = name
d_image_cache = weakref.WeakValueDictionary()
def d_get_image(name):
    image = d_image_cache.get(name)
    if image is None:
        image = d_image_cache[name] = DImage(name)
    return image
# %%
d_cat = d_get_image('cat')
d_dog = d_get_image('dog')
d_ref = weakref.ref(d_dog)
# %% check
assert d_get_image('cat') is d_cat and d_ref() is d_dog
assert len(d_image_cache) == 2
import gc
del d_dog
gc.collect()
assert d_ref() is None and list(d_image_cache) == ['cat']
assert not hasattr(d_cat, '__dict__')
# %% case: d_lang_vector_operators
class DVec:
    def __init__(self, *xs):
        self.xs = xs
    def __add__(self, o):
        return DVec(*(a + b for a, b in zip(self.xs, o.xs)))
    def __mul__(self, k):
        return DVec(*(a * k for a in self.xs))
    __rmul__ = __mul__
    def __matmul__(self, o):
        return sum(a * b for a, b in zip(self.xs, o.xs))
    def __eq__(self, o):
        return isinstance(o, DVec) and self.xs == o.xs
    def __hash__(self):
        return hash(self.xs)
    @property
    def size(self):
        return (self @ self) ** 0.5
    def __iter__(self):
        return iter(self.xs)
    def __repr__(self):
        return f'DVec{self.xs}'
# %%
d_u = DVec(1, 2)
d_v = 3 * d_u
d_names = {d_u: 'u', d_v: 'v'}
# %%
d_w = sum([d_u, d_v, d_u], DVec(0, 0))
# %% check
assert repr(d_w) == 'DVec(5, 10)' and d_names[DVec(3, 6)] == 'v'
assert d_u @ d_v == 15 and DVec(3, 4).size == 5
d_x, d_y = d_w + d_u
assert (d_x, d_y) == (6, 12)
# %% case: d_lang_headers_container
from collections.abc import MutableMapping
from typing import Generic, TypeVar
DValue = TypeVar('DValue')
class DHeaders(MutableMapping, Generic[DValue]):
    def __init__(self):
        self._items = {}
        self.locked = False
    def __getitem__(self, key):
        return self._items[key.lower()][1]
    def __setitem__(self, key, value):
        if self.locked:
            raise RuntimeError('locked')
        self._items[key.lower()] = (key, value)
    def __delitem__(self, key):
        del self._items[key.lower()]
    def __iter__(self):
        return (key for key, _ in self._items.values())
    def __len__(self):
        return len(self._items)
    def __enter__(self):
        self.locked = True
        return self
    def __exit__(self, *exc):
        self.locked = False
# %%
d_headers = DHeaders[str]()
d_headers.update({'Content-Type': 'text/html', 'Age': '5'})
# %% raises RuntimeError
with d_headers as d_locked_headers:
    d_headers['Age'] = '6'
# %% check
d_headers['AGE'] = '7'
assert d_locked_headers is d_headers and d_headers['age'] == '7' and len(d_headers) == 2
assert list(d_headers) == ['Content-Type', 'AGE'] and isinstance(d_headers, MutableMapping)
assert d_headers.__orig_class__ == DHeaders[str]
