# Functions, closures and what they change beyond their arguments.

# %% case: function_changes_a_global
x1 = 0
def bump1():
    global x1
    x1 += 1
# %%
bump1()
# %%
bump1()
# %% check
assert x1 == 2

# %% case: function_mutates_a_global_list_through_another_function
l2 = []
def inner2(): l2.append(1)
def outer2(): inner2()
# %%
outer2()
# %% check
assert l2 == [1]

# %% case: a_function_sees_names_defined_later
def f3(): return later3
# %%
later3 = 33
# %% check
assert f3() == 33

# %% case: closure_counter
def make4():
    n = 0
    def inc():
        nonlocal n
        n += 1
        return n
    def get(): return n
    return inc, get
inc4, get4 = make4()
# %%
inc4(); inc4();
# %% check
assert get4() == 2 and inc4.__closure__[0] is get4.__closure__[0]

# %% case: lambda_with_default
k5 = [5]
lam5 = lambda v, box=k5: box.append(v)
# %%
lam5(6)
# %% check
assert k5 == [5, 6] and lam5.__defaults__[0] is k5

# %% case: recursion
def fact6(n): return 1 if n < 2 else n * fact6(n - 1)
# %% check
assert fact6(5) == 120

# %% case: recursive_closure
def make7():
    def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
    return fib
fib7 = make7()
# %% check
assert fib7(10) == 55

# %% case: function_redefined_old_one_kept
def f8(): return 'old'
old8 = f8
# %%
def f8(): return 'new'
# %% check
assert old8() == 'old' and f8() == 'new'

# %% case: function_attributes
def f9(): f9.calls += 1
f9.calls = 0
# %%
f9(); f9()
# %% check
assert f9.calls == 2

# %% case: decorator_with_state
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
# %%
sq10(3); sq10(4);
# %% check
assert sq10.n == 2 and sq10.__name__ == 'sq10' and sq10(5) == 25

# %% case: lru_cache_and_partial
import functools
@functools.lru_cache(maxsize=None)
def slow11(x): return x + 1
p11 = functools.partial(slow11, 10)
# %%
p11()
# %% check
assert p11() == 11 and slow11.cache_parameters()['maxsize'] is None

# %% case: generator_function
def gen12(n):
    for i in range(n): yield i * i
# %% check
assert list(gen12(3)) == [0, 1, 4]

# %% case: function_with_a_mutable_default
def f13(x, acc=[]):
    acc.append(x)
    return acc
# %%
f13(1); f13(2)
# %% check
assert f13.__defaults__ == ([1, 2],)

# %% case: exec_and_globals
exec('a14 = [1]')
globals()['b14'] = a14
# %%
globals()['a' + '14'].append(2)
# %% check
assert a14 == [1, 2] and a14 is b14

# %% case: name_computed_by_a_function_that_uses_globals
t15 = [0]
def touch15(name): globals()[name].append(1)
# %%
touch15('t15')
# %% check
assert t15 == [0, 1]

# %% case: async_function_and_await
import asyncio
async def work16(n):
    await asyncio.sleep(0)
    return n * 2
# %%
r16 = await work16(21)
# %%
r16b = await asyncio.gather(work16(1), work16(2))
# %% check
assert r16 == 42 and r16b == [2, 4] and asyncio.iscoroutinefunction(work16)

# %% case: bound_and_builtin_methods
l17 = []; push17 = l17.append
# %%
push17(17)
# %% check
assert l17 == [17] and push17.__self__ is l17

# %% case: source_is_still_known
def f18():
    return 'sought'
# %% check
import inspect
assert 'sought' in inspect.getsource(f18)
