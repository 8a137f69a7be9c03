# Changes made where the text of the cell does not show them.
# %% case: eb_del_writes_a_log
eb1_log = []

class Eb1Res:
    def __init__(self, name):
        self.name = name
        eb1_log.append("open " + name)

    def __del__(self):
        eb1_log.append("close " + self.name)

eb1_a = Eb1Res("a")
eb1_b = Eb1Res("b")
# %%
eb1_a = None
# %%
eb1_count = len(eb1_log)
# %% check
assert eb1_count == 3
assert eb1_log == ["open a", "open b", "close a"], eb1_log
del eb1_b
assert eb1_log == ["open a", "open b", "close a", "close b"], eb1_log

# %% case: eb_finalizer_and_weak_cache
import weakref

class Eb2Image:
    pass

eb2_gone = []
eb2_cache = weakref.WeakValueDictionary()
eb2_img = Eb2Image()
eb2_other = Eb2Image()
eb2_cache["x"] = eb2_img
eb2_cache["y"] = eb2_other
eb2_fin = weakref.finalize(eb2_img, eb2_gone.append, "x")
# %%
eb2_before = (sorted(eb2_cache), eb2_cache["x"] is eb2_img, eb2_fin.alive, list(eb2_gone))
# %%
del eb2_img
# %% check
assert eb2_before == (["x", "y"], True, True, [])
assert eb2_gone == ["x"] and not eb2_fin.alive
assert list(eb2_cache) == ["y"] and eb2_cache["y"] is eb2_other

# %% case: eb_registry_filled_from_exec
def eb3_route(path):
    def deco(f):
        eb3_route.table.setdefault(path, []).append(f)
        return f
    return deco

eb3_route.table = {}
eb3_calls = {"n": 0}
# %%
exec(
    "@route('/')\ndef eb3_home():\n    calls['n'] += 1\n    return calls['n']\n",
    {"route": eb3_route, "calls": eb3_calls},
)
# %%
for eb3_f in eb3_route.table["/"]:
    eb3_f()
# %% check
assert eb3_calls == {"n": 1}
assert eb3_route.table["/"][0]() == 2 and eb3_calls["n"] == 2
assert "eb3_home" not in globals()

# %% case: eb_threads_that_ended
import threading
from concurrent.futures import ThreadPoolExecutor

def eb4_collector():
    found = {}
    lock = threading.Lock()

    def put(future):
        name, value = future.result()
        with lock:
            found[name] = value

    return put, found.get

eb4_put, eb4_get = eb4_collector()
# %%
def eb4_run(jobs):
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(lambda j=j: (j, [len(j)])) for j in jobs]
        for f in futures:
            f.add_done_callback(eb4_put)
    return futures

eb4_futures = eb4_run(["ox", "bear"])
# %% check
assert eb4_get("bear") == [4]
assert eb4_futures[1].done() and eb4_futures[1].result()[1] is eb4_get("bear")
eb4_put(eb4_run(["ant"])[0])
assert eb4_get("ant") == [3]

# %% case: eb_operations_kept_in_a_dict
import functools, operator
import numpy as np

eb5_data = [3, 1, 2]
eb5_base = np.zeros(4)
eb5_ops = {
    "order": eb5_data.sort,
    "fill": functools.partial(np.copyto, eb5_base[1:3]),
    "bump": functools.partial(operator.iadd, eb5_data),
}
# %%
eb5_ops["order"](reverse=True)
eb5_ops["fill"]([7, 8])
# %%
eb5_ops["bump"]([0]);
# %% check
assert eb5_data == [3, 2, 1, 0]
assert eb5_base.tolist() == [0, 7, 8, 0]
eb5_ops["fill"](5)
eb5_ops["order"]()
assert eb5_base.tolist() == [0, 5, 5, 0] and eb5_data == [0, 1, 2, 3]

# %% case: eb_descriptor_holds_the_values
from weakref import WeakKeyDictionary

class Eb6Limit:
    def __init__(self):
        self.values = WeakKeyDictionary()

    def __get__(self, obj, owner=None):
        return self if obj is None else self.values.get(obj, 0)

    def __set__(self, obj, value):
        self.values[obj] = value

class Eb6Account:
    limit = Eb6Limit()

eb6_x, eb6_y = Eb6Account(), Eb6Account()
# %%
setattr(eb6_x, "lim" + "it", 50)
# %%
for eb6_o, eb6_v in [(eb6_y, 9)]:
    eb6_o.limit = eb6_v
del eb6_o
# %% check
assert (eb6_x.limit, eb6_y.limit) == (50, 9)
assert vars(eb6_x) == {} and len(Eb6Account.limit.values) == 2
eb6_y = None
assert len(Eb6Account.limit.values) == 1

# %% case: eb_names_made_by_other_doors
import sys

def eb7_set(**names):
    get_ipython().user_ns.update(names)

eb7_old = "here"
eb7_pair = ("eb7_two", "eb7_three")
# %%
eb7_set(**{"eb7_" + "two": [2]})
globals()[eb7_pair[1]] = globals()[eb7_pair[0]]
globals().pop("eb7_old");
# %%
getattr(sys.modules["__main__"], eb7_pair[0]).append(3)
# %% check
assert eb7_three is eb7_two and eb7_two == [2, 3]
assert "eb7_old" not in globals()
assert sys.modules["__main__"].eb7_three is eb7_two

# %% case: hc_code_cells_and_classes_swapped
import types, sys
globals()["hc_dyn_" + "one"] = [1]
hc_space = {"rate": 2}
exec("def scale(x): return x * rate", hc_space)
hc_scale = hc_space["scale"]
def hc_counter():
    n = 0
    def up(k=1):
        nonlocal n
        n += k; return n
    def peek(): return n
    return up, peek
hc_up, hc_peek = hc_counter()
class HcPlain: pass
class HcFancy(HcPlain):
    def hi(self): return "fancy " + self.tag
# %%
hc_obj = HcPlain(); vars(hc_obj).update(tag="T", back=hc_obj); hc_obj.__class__ = HcFancy
hc_space["rate"] = 50
hc_up(3); hc_up.calls = ["x"]; hc_up.__defaults__ = (7,)
hc_up.__closure__[0].cell_contents += 100
def hc_f(): return "original"
hc_alias = hc_f
# %%
hc_f.__code__ = (lambda: "swapped").__code__
vars()["hc_by_vars"] = hc_f
HcPlain.shared = property(lambda s: "late property")
del globals()["hc_counter"]
# %% check
assert hc_dyn_one == [1] and hc_scale(2) == 100 and hc_scale.__globals__ is hc_space
assert type(hc_obj) is HcFancy and hc_obj.hi() == "fancy T" and hc_obj.back is hc_obj and hc_obj.shared == "late property"
assert hc_peek() == 103 and hc_up() == 110 and hc_peek() == 110 and hc_up.calls == ["x"] and hc_up.__closure__[0] is hc_peek.__closure__[0]
assert hc_alias() == "swapped" and hc_by_vars is hc_f is hc_alias and "hc_counter" not in globals()
# %% case: eb_exit_stack_left_open
import contextlib

class Eb8Door:
    def __init__(self, name, order):
        self.name, self.order = name, order

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.order.append("exit " + self.name)

eb8_order = []
eb8_stack = contextlib.ExitStack()
eb8_stack.callback(eb8_order.append, "first")
eb8_door = eb8_stack.enter_context(Eb8Door("b", eb8_order))
# %%
eb8_stack.push(lambda *exc: eb8_order.append("pushed"))
eb8_kept = eb8_stack.pop_all()
# %%
eb8_stack.close()
eb8_before = list(eb8_order)
# %% check
assert eb8_before == []
eb8_door.name = "c"
eb8_kept.close()
assert eb8_order == ["pushed", "exit c", "first"], eb8_order
