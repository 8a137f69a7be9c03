# Functions are objects with cells, defaults, attributes, caches and source text.
# %% case: fn_two_closures_one_cell
def fto_account(balance):
    history = []
    def deposit(x):
        nonlocal balance
        balance += x; history.append(x)
        return balance
    def peek(): return balance, history
    return deposit, peek
fto_dep, fto_peek = fto_account(100)
fto_dep2, fto_peek2 = fto_account(0)
# %%
fto_dep(5); fto_dep2(1)
# %% check
fto_dep(10)
assert fto_peek() == (115, [5, 10]) and fto_peek2() == (1, [1])
fto_cells = dict(zip(fto_dep.__code__.co_freevars, fto_dep.__closure__))
fto_cells_p = dict(zip(fto_peek.__code__.co_freevars, fto_peek.__closure__))
assert fto_cells['balance'] is fto_cells_p['balance']
fto_cells['balance'].cell_contents = -1
assert fto_peek()[0] == -1 and fto_dep.__code__ is fto_dep2.__code__
# %% case: fn_late_bound_loop_and_recursive_lambda
fll_fns = [lambda x: x * fll_i for fll_i in range(4)]
fll_bound = [lambda x, k=k: x * k for k in range(4)]
def fll_make():
    fs = []
    for i in range(3):
        fs.append(lambda: i)
    def fact(n): return 1 if n < 2 else n * fact(n - 1)
    def bump():
        nonlocal i
        i += 100
    return fs, fact, bump
fll_fs, fll_fact, fll_bump = fll_make()
# %%
fll_bump()
# %% check
assert [f(1) for f in fll_fns] == [3] * 4 and [f(1) for f in fll_bound] == [0, 1, 2, 3]
assert [f() for f in fll_fs] == [102] * 3
fll_bump()
assert {f() for f in fll_fs} == {202} and fll_fact(5) == 120
assert fll_fact.__closure__[0].cell_contents is fll_fact
# %% case: fn_lru_cache_contents_and_counters
import functools
flc_calls = []
@functools.lru_cache(maxsize=3)
def flc_load(k):
    flc_calls.append(k)
    return {'key': k}
@functools.cache
def flc_fib(n): return n if n < 2 else flc_fib(n - 1) + flc_fib(n - 2)
flc_one = flc_load(1)
# %%
flc_load(2); flc_load(1); flc_load(3); flc_load(4)     # 2 is evicted
flc_fib(30)
# %% check
assert flc_load.cache_info() == (1, 4, 3, 3)
assert flc_load(1) is flc_one and flc_calls == [1, 2, 3, 4]
flc_load(2)
assert flc_calls == [1, 2, 3, 4, 2]
assert flc_fib.cache_info().currsize == 31
flc_one['seen'] = True
assert flc_load(1)['seen'] and flc_load.__wrapped__.__name__ == 'flc_load'
# %% case: fn_decorator_stack_with_state
import functools
fds_registry = {}
def fds_count(fn):
    @functools.wraps(fn)
    def wrapper(*a, **k):
        wrapper.calls += 1
        return fn(*a, **k)
    wrapper.calls = 0
    fds_registry[fn.__name__] = wrapper
    return wrapper
def fds_retry(n):
    def deco(fn):
        left = [n]
        @functools.wraps(fn)
        def inner(*a):
            left[0] -= 1
            return fn(*a), left[0]
        inner.left = left
        return inner
    return deco
@fds_count
@fds_retry(5)
def fds_step(x: int) -> 'tuple':
    """Doc of step."""
    return x + 1
# %%
fds_a = fds_step(1)
# %% check
assert fds_a == (2, 4) and fds_step(2) == (3, 3) and fds_step.calls == 2
assert fds_registry['fds_step'] is fds_step
assert fds_step.__wrapped__.left == [3] and fds_step.__doc__ == 'Doc of step.'
assert fds_step.__annotations__ == {'x': int, 'return': 'tuple'} and fds_step.__wrapped__.__wrapped__(9) == 10
fds_step.__wrapped__.left[0] = 50
assert fds_step(0) == (1, 49)
# %% case: fn_source_and_signature_inspection
import inspect
def fss_norm(x, /, scale: float = 2.0, *rest, key=None, **kw):
    # a comment that only the source has
    return x * scale
fss_lam = lambda v: v ** 2  # noqa
class FssKlass:
    def meth(self):
        return 'unique text in the class'
# %%
fss_sig = inspect.signature(fss_norm)
fss_param = fss_sig.parameters['scale']
# %% check
assert 'only the source has' in inspect.getsource(fss_norm)
assert 'unique text in the class' in inspect.getsource(FssKlass.meth)
assert 'v ** 2' in inspect.getsource(fss_lam)
assert str(fss_sig) == '(x, /, scale: float = 2.0, *rest, key=None, **kw)'
assert fss_param.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and fss_sig.parameters['key'].default is None
assert fss_sig.parameters['x'].default is inspect.Parameter.empty and fss_sig == inspect.signature(fss_norm)
# %% case: fn_exec_in_custom_namespace
import types
fen_ns = {'base': 10, '__name__': 'plugin'}
exec("""
hits = []
def run(x):
    hits.append(x)
    return base + x
class P:
    def go(self): return run(1)
""", fen_ns)
fen_run = fen_ns['run']
fen_clone = types.FunctionType(fen_run.__code__, {'base': 1000, 'hits': fen_ns['hits']}, 'clone')
# %%
fen_ns['base'] = 20
fen_p = fen_ns['P']()
# %% check
assert fen_run(2) == 22 and fen_clone(2) == 1002 and fen_ns['hits'] == [2, 2]
assert fen_run.__globals__ is fen_ns and fen_run.__module__ == 'plugin'
fen_ns['base'] = 0
assert fen_p.go() == 1 and type(fen_p) is fen_ns['P'] and fen_clone.__name__ == 'clone'
assert fen_ns['hits'] == [2, 2, 1]
# %% case: fn_singledispatch_with_local_types
import functools
class FsdMetres(float): pass
@functools.singledispatch
def fsd_show(x): return f'any {x}'
@fsd_show.register
def _(x: int): return f'int {x}'
# %%
@fsd_show.register(FsdMetres)
def fsd_metres(x): return f'{float(x)} m'
fsd_got = fsd_show(FsdMetres(2))
class FsdView:
    @functools.singledispatchmethod
    def draw(self, x): return 'any'
    @draw.register
    def _(self, x: FsdMetres): return 'metres'
fsd_view = FsdView()
# %% check
assert fsd_got == '2.0 m' and fsd_show(True) == 'int True' and fsd_show('s') == 'any s'
assert fsd_show.dispatch(FsdMetres) is fsd_metres and set(fsd_show.registry) == {object, int, FsdMetres}
@fsd_show.register
def _(x: str): return f'str {x}'
assert fsd_show('s') == 'str s' and fsd_view.draw(FsdMetres(1)) == 'metres' and fsd_view.draw(1) == 'any'
# %% case: fn_empty_cell_and_patched_code
def fec_outer(flag):
    if flag:
        value = 'set'
    def get(): return value
    def put(v):
        nonlocal value
        value = v
    return get, put
fec_get, fec_put = fec_outer(False)
def fec_slow(x, y=1): return ('slow', x, y)
def fec_fast(x, y=1): return ('fast', x, y)
fec_user = [fec_slow]
# %%
fec_slow.__code__ = fec_fast.__code__
fec_slow.__defaults__ = (fec_user,)
# %% check
try:
    fec_get()
except NameError:
    fec_empty = True
else:
    fec_empty = False
assert fec_empty
fec_put('later')
assert fec_get() == 'later'
assert fec_user[0] is fec_slow and fec_slow(1)[0] == 'fast' and fec_slow(1)[2] is fec_user
assert fec_slow.__name__ == 'fec_slow'
# %% case: fn_partials_and_operators
import functools, operator
fpo_sink = []
fpo_put = functools.partial(fpo_sink.append)
def fpo_f(a, b, *, tag): return (a, b, tag)
fpo_p = functools.partial(fpo_f, 1, tag=fpo_sink)
fpo_p.note = 'extra attribute'
fpo_pp = functools.partial(fpo_p, 2)
fpo_key = functools.cmp_to_key(lambda x, y: len(x) - len(y))
fpo_get = operator.attrgetter('real', 'imag')
class FpoCell:
    def set_state(self, v): self.v = v
    set_on = functools.partialmethod(set_state, True)
# %%
fpo_put('a')
fpo_keys = [fpo_key('bb'), fpo_key('c')]
fpo_cell = FpoCell(); fpo_cell.set_on()
# %% check
fpo_put('b')
assert fpo_sink == ['a', 'b'] and fpo_pp()[2] is fpo_sink and fpo_pp()[:2] == (1, 2)
assert fpo_p.note == 'extra attribute' and fpo_pp.func is fpo_p and fpo_p.func is fpo_f
assert min(fpo_keys).obj == 'c' and fpo_get(3 + 4j) == (3.0, 4.0)
assert fpo_cell.v is True and sorted(['ccc', 'a'], key=fpo_key) == ['a', 'ccc']
# %% case: fn_async_functions_across_cells
import asyncio
fas_seen = []
async def fas_work(k):
    await asyncio.sleep(0)
    fas_seen.append(k)
    return k * 2
async def fas_numbers(n):
    for i in range(n):
        yield i
# %%
fas_r = await asyncio.gather(*(fas_work(k) for k in (3, 1, 2)))
fas_q = asyncio.Queue()
await fas_q.put('queued')
fas_event = asyncio.Event()
fas_event.set()
# %%
fas_q.put_nowait(fas_work)
fas_list = [i async for i in fas_numbers(3)]
# %% check
assert fas_r == [6, 2, 4] and sorted(fas_seen) == [1, 2, 3] and fas_list == [0, 1, 2]
assert fas_q.qsize() == 2 and fas_q.get_nowait() == 'queued' and fas_q.get_nowait() is fas_work
assert fas_event.is_set() and asyncio.iscoroutinefunction(fas_work)
# %% case: fn_contextmanager_and_exitstack
import contextlib
fce_log = []
@contextlib.contextmanager
def fce_step(name):
    fce_log.append('+' + name)
    try:
        yield fce_log
    finally:
        fce_log.append('-' + name)
fce_stack = contextlib.ExitStack()
fce_stack.callback(fce_log.append, 'cleanup')
fce_stack.push(lambda *exc: fce_log.append(exc[0]))
# %%
with fce_step('a') as fce_target:
    fce_inside = list(fce_log)
# %% check
assert fce_target is fce_log and fce_log == ['+a', '-a'] and fce_inside == ['+a']
fce_stack.close()
assert fce_log == ['+a', '-a', None, 'cleanup']
with fce_step('b'):
    pass
assert fce_log[-2:] == ['+b', '-b']
