# Functions as notebooks keep them: closures, decorators, caches, partials, dispatch, redefinition.
# %% case: fn_closure_trio_shares_cell
def fn_make_account(balance):
    history = []
    def deposit(x):
        nonlocal balance
        balance += x
        history.append(("in", x))
        return balance
    def withdraw(x):
        nonlocal balance
        if x > balance:
            raise ValueError(f"only {balance} left")
        balance -= x
        history.append(("out", x))
        return balance
    def report():
        return balance, history
    return {"deposit": deposit, "withdraw": withdraw, "report": report}
fn_acc = fn_make_account(100)
fn_other = fn_make_account(5)
# %%
fn_acc["deposit"](50)
fn_dep = fn_acc["deposit"]
fn_hist = fn_acc["report"]()[1]
# %% raises ValueError
fn_acc["deposit"](1)
fn_acc["withdraw"](1000)
# %%
fn_dep(9)
# %% check
assert fn_dep is fn_acc["deposit"]
assert fn_acc["report"]() == (160, [("in", 50), ("in", 1), ("in", 9)])
assert fn_acc["report"]()[1] is fn_hist
fn_acc["withdraw"](60)
assert fn_acc["report"]()[0] == 100 and fn_hist[-1] == ("out", 60)
assert fn_acc["deposit"].__closure__[0] is fn_acc["withdraw"].__closure__[0]
assert fn_other["report"]() == (5, [])
assert fn_acc["deposit"].__code__ is fn_other["deposit"].__code__
# %% case: fn_timing_decorator_registry
import functools
FN_REGISTRY = {}
def fn_task(name=None, *, retries=0):
    def deco(f):
        @functools.wraps(f)
        def inner(*a, **k):
            inner.calls += 1
            return f(*a, **k)
        inner.calls = 0
        inner.retries = retries
        FN_REGISTRY[name or f.__name__] = inner
        return inner
    return deco
# %%
@fn_task(retries=3)
def fn_load(n: int = 4) -> list:
    "Load n rows."
    return list(range(n))
@fn_task("clean-up")
def fn_clean(rows, *, keep=lambda r: r % 2 == 0):
    return [r for r in rows if keep(r)]
# %%
fn_pipeline_out = fn_clean(fn_load(6))
# %% check
assert fn_pipeline_out == [0, 2, 4]
assert list(FN_REGISTRY) == ["fn_load", "clean-up"]
assert FN_REGISTRY["fn_load"] is fn_load and FN_REGISTRY["clean-up"] is fn_clean
assert (fn_load.calls, fn_load.retries, fn_load.__doc__) == (1, 3, "Load n rows.")
assert fn_load.__wrapped__.__name__ == "fn_load" and fn_load.__wrapped__.__defaults__ == (4,)
assert fn_load.__annotations__ == {"n": int, "return": list}
FN_REGISTRY["fn_load"]()
assert fn_load.calls == 2
import inspect
assert str(inspect.signature(fn_load)) == "(n: int = 4) -> list"
assert "inner.calls += 1" in inspect.getsource(fn_load.__code__)
assert "return list(range(n))" in inspect.getsource(inspect.unwrap(fn_load))
# %% case: fn_lru_cache_stays_warm
from functools import lru_cache, cache
fn_slow_calls = []
@lru_cache(maxsize=3)
def fn_slow(x):
    fn_slow_calls.append(x)
    return [x, x * x]
@cache
def fn_fib(n):
    return n if n < 2 else fn_fib(n - 1) + fn_fib(n - 2)
# %%
fn_kept = fn_slow(2)
fn_slow(3); fn_slow(2); fn_slow(4)
fn_fib(40)
# %% check
assert fn_slow_calls == [2, 3, 4], fn_slow_calls
assert fn_slow(2) is fn_kept
assert fn_slow_calls == [2, 3, 4], fn_slow_calls
info = fn_slow.cache_info()
assert (info.misses, info.maxsize, info.currsize) == (3, 3, 3), info
assert fn_fib.cache_info().currsize == 41
fn_slow(5)        # evicts the least recently used: 3
fn_slow(4)
assert fn_slow_calls == [2, 3, 4, 5], fn_slow_calls
fn_slow(3)
assert fn_slow_calls == [2, 3, 4, 5, 3]
# %% case: fn_old_versions_in_callbacks
fn_scale = 2
fn_callbacks = []
def fn_transform(x):
    return x * fn_scale
fn_callbacks.append(fn_transform)
# %%
def fn_transform(x):
    return x + fn_scale + 1000
fn_callbacks.append(fn_transform)
fn_callbacks.append(lambda x: fn_transform(x) - 1)
# %%
fn_scale = 7
# %%
def fn_transform(x, y=fn_callbacks[0]):
    return y(x) - 1
# %% check
assert [c(10) for c in fn_callbacks] == [70, 1017, 68]
assert fn_transform(10) == 69
assert fn_transform.__defaults__[0] is fn_callbacks[0]
assert all(c.__globals__ is globals() for c in fn_callbacks)
fn_scale = 1
assert [c(10) for c in fn_callbacks] == [10, 1011, 8]
assert len({c.__code__ for c in fn_callbacks[:2]}) == 2
# %% case: fn_singledispatch_grows
from functools import singledispatch, singledispatchmethod
@singledispatch
def fn_show(x):
    return f"?{x!r}"
@fn_show.register
def _fn_show_int(x: int):
    return f"int {x}"
class FnVec:
    def __init__(self, *c): self.c = c
# %%
@fn_show.register(FnVec)
def _fn_show_vec(v):
    return "vec " + ",".join(fn_show(c) for c in v.c)
class FnVec3(FnVec):
    pass
fn_v = FnVec3(1, 2, "z")
# %%
class FnFormatter:
    @singledispatchmethod
    def fmt(self, x): return "obj"
    @fmt.register
    def _(self, x: str): return f"<{x}>"
    @fmt.register
    def _(self, x: list): return "[" + "".join(self.fmt(i) for i in x) + "]"
fn_f = FnFormatter()
# %%
@fn_show.register(list)
def _fn_show_list(x): return "list " + str(len(x))
# %% check
assert fn_show(fn_v) == "vec int 1,int 2,?'z'"
assert fn_show([1, 2]) == "list 2"
assert fn_show.dispatch(FnVec3) is _fn_show_vec
assert set(fn_show.registry) == {object, int, FnVec, list}
assert fn_show.registry[int] is _fn_show_int
assert fn_f.fmt(["a", ["b", 3]]) == "[<a>[<b>obj]]"
@fn_show.register(FnVec3)
def _fn_show_v3(v): return "v3"
assert fn_show(fn_v) == "v3"
# %% case: fn_partials_and_operators
from functools import partial, partialmethod, cmp_to_key, reduce
import operator as op
fn_log = []
def fn_emit(sink, level, *msg, sep=" "):
    sink.append((level, sep.join(msg)))
    return sink
fn_info = partial(fn_emit, fn_log, "INFO")
fn_warn = partial(fn_emit, fn_log, "WARN", sep="|")
class FnCell:
    def __init__(self): self.alive = False
    def set_state(self, s): self.alive = s; return self
    set_alive = partialmethod(set_state, True)
# %%
fn_info("a", "b"); fn_warn("c", "d")
fn_pick = op.itemgetter("name", "age")
fn_deep = op.attrgetter("alive")
fn_upper = op.methodcaller("replace", "a", "A")
fn_key = cmp_to_key(lambda a, b: (a > b) - (a < b) if len(a) == len(b) else len(a) - len(b))
fn_bound = FnCell().set_alive
fn_adders = [partial(op.add, i) for i in range(3)]
# %% check
assert fn_info.args[0] is fn_log and fn_warn.args[0] is fn_log
assert fn_info.func is fn_emit and fn_warn.keywords == {"sep": "|"}
assert fn_info("x") is fn_log and fn_log == [("INFO", "a b"), ("WARN", "c|d"), ("INFO", "x")]
assert fn_pick({"name": "n", "age": 3, "z": 0}) == ("n", 3)
assert fn_upper("banana") == "bAnAnA"
assert sorted(["ccc", "b", "aa", "a"], key=fn_key) == ["a", "b", "aa", "ccc"]
assert fn_deep(fn_bound()) is True
assert reduce(lambda a, f: f(a), fn_adders, 10) == 13
fn_p2 = partial(fn_info, "y")
assert fn_p2.func is fn_emit and fn_p2.args == (fn_log, "INFO", "y")
# %% case: fn_mutable_defaults_and_loop_lambdas
fn_seen_list = []
def fn_collect(x, into=fn_seen_list, *, tags={}):
    into.append(x)
    tags[x] = tags.get(x, 0) + 1
    return into
fn_lams_late = []
fn_lams_early = []
for fn_i in range(3):
    fn_lams_late.append(lambda: fn_i)
    fn_lams_early.append(lambda j=fn_i: j)
# %%
fn_collect("a"); fn_collect("b"); fn_collect("a")
fn_i = 77
# %%
def fn_build():
    fs = [lambda: k for k in range(4)]
    return fs
fn_same_cell = fn_build()
# %% check
assert fn_collect.__defaults__[0] is fn_seen_list
assert fn_seen_list == ["a", "b", "a"]
assert fn_collect.__kwdefaults__["tags"] == {"a": 2, "b": 1}
assert fn_collect("c") is fn_seen_list
assert [f() for f in fn_lams_late] == [77] * 3
assert [f() for f in fn_lams_early] == [0, 1, 2]
assert [f() for f in fn_same_cell] == [3] * 4
assert all(f.__closure__[0] is fn_same_cell[0].__closure__[0] for f in fn_same_cell)
fn_same_cell[1].__closure__[0].cell_contents = "new"
assert fn_same_cell[3]() == "new"
# %% case: fn_descriptor_decorator_with_state
import functools
class FnCountCalls:
    def __init__(self, f):
        functools.update_wrapper(self, f)
        self.f, self.n = f, 0
    def __call__(self, *a, **k):
        self.n += 1
        return self.f(*a, **k)
    def __get__(self, obj, owner=None):
        return self if obj is None else functools.partial(self, obj)
class FnModel:
    rate = 0.5
    def __init__(self, w): self.w = w
    @FnCountCalls
    def step(self, g):
        self.w -= self.rate * g
        return self
    @functools.cached_property
    def heavy(self):
        fn_heavy_log.append(self.w)
        return {"w": self.w}
fn_heavy_log = []
# %%
fn_m = FnModel(10)
fn_m.step(2).step(4)
fn_h = fn_m.heavy
fn_cb = fn_m.step
FnModel.rate = 1
# %% check
assert fn_m.w == 7
fn_cb(1)
assert fn_m.w == 6 and FnModel.step.n == 3 and FnModel.__dict__["step"].n == 3
assert fn_cb.args[0] is fn_m and fn_cb.func is FnModel.step
assert fn_m.heavy is fn_h == {"w": 7} and fn_heavy_log == [7]
del fn_m.heavy
assert fn_m.heavy == {"w": 6} and fn_heavy_log == [7, 6]
assert FnModel.step.__name__ == "step" and FnModel.step.__qualname__ == "FnModel.step"
# %% case: fn_recursive_inner_and_factory_classes
def fn_make_parser():
    depth = 0
    def expr(tokens):
        nonlocal depth
        depth = max(depth, len(tokens))
        t = tokens.pop(0)
        if t == "(":
            out = []
            while tokens[0] != ")":
                out.append(expr(tokens))
            tokens.pop(0)
            return out
        return atom(t)
    def atom(t):
        return int(t) if t.isdigit() else t
    return expr, (lambda: depth)
def fn_make_record(fields):
    class Record:
        __slots__ = tuple(fields)
        def __init__(self, *v):
            for k, x in zip(fields, v):
                setattr(self, k, x)
        def __repr__(self):
            return "Record(" + ", ".join(f"{k}={getattr(self, k)}" for k in fields) + ")"
        def grow(self):
            return __class__(*(getattr(self, k) * 2 for k in fields))
    return Record
# %%
fn_expr, fn_depth = fn_make_parser()
fn_tree = fn_expr("( + 1 ( * 2 3 ) )".split())
FnRecA = fn_make_record(["x", "y"])
FnRecB = fn_make_record(["name"])
fn_ra, fn_rb = FnRecA(1, 2), FnRecB("n")
# %%
fn_recs = {"a": fn_ra, "b": fn_rb, "cls": [type(fn_ra), type(fn_rb)]}
del FnRecB
# %% check
assert fn_tree == ["+", 1, ["*", 2, 3]] and fn_depth() == 9
fn_expr(["a"] + ["b"] * 20)
assert fn_depth() == 21
assert type(fn_ra) is FnRecA is fn_recs["cls"][0]
assert type(fn_rb) is fn_recs["cls"][1] is not FnRecA
assert repr(fn_ra.grow()) == "Record(x=2, y=4)" and type(fn_ra.grow()) is FnRecA
assert repr(fn_rb.grow()) == "Record(name=nn)"
assert fn_recs["b"] is fn_rb and "FnRecB" not in globals()
try:
    fn_rb.x = 1
except AttributeError:
    pass
else:
    raise AssertionError("slots lost")
# %% case: fn_global_dict_and_dunder_main
fn_g = globals()
fn_g["fn_made_by_key"] = [1]
exec("def fn_execd(a, *, b=2):\n    return a + b + fn_offset", fn_g)
fn_ns = {"k": 3}
exec("def in_ns(x):\n    global hits\n    hits = hits + 1 if 'hits' in globals() else 1\n    return x * k", fn_ns)
fn_offset = 100
# %%
fn_in_ns = fn_ns["in_ns"]
fn_in_ns(1); fn_in_ns(2)
fn_code = compile("fn_total = sum(range(fn_offset))", "<snippet>", "exec")
# %% check
assert fn_g is globals() and fn_made_by_key is fn_g["fn_made_by_key"]
assert fn_execd(1) == 103 and fn_execd.__globals__ is globals() and fn_execd.__module__ == "__main__"
assert fn_in_ns.__globals__ is fn_ns and fn_ns["hits"] == 2
fn_ns["k"] = 5
assert fn_in_ns(2) == 10 and fn_ns["hits"] == 3
fn_offset = 4
exec(fn_code)
assert fn_total == 6 and fn_code.co_filename == "<snippet>"
import sys
assert sys.modules["__main__"].fn_total == 6 and __name__ == "__main__"
