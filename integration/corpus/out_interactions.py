# Two or three features meeting in one notebook: the combinations that break when each feature was handled alone.
# %% case: mix_name_deleted_but_function_still_reads_it
import math
mix_cfg = {"k": 2}
def mix_area(r): return round(mix_cfg["k"] * math.pi * r)
# %%
mix_hold = mix_cfg; del mix_cfg
# %% raises NameError
mix_area(1)
# %%
mix_cfg = {"k": 1}
# %% check
assert mix_area(1) == 3 and mix_hold == {"k": 2} and mix_area.__globals__ is globals()
mix_cfg = mix_hold; assert mix_area(1) == 6
# %% case: mix_import_name_overwritten_by_value [alone]
import json, random as rnd
mix_json_mod = json
json = {"shadow": True}
def mix_dump(o): return mix_json_mod.dumps(o)
# %%
rnd.seed(3); rnd.random(); rnd = rnd.random
# %% check
import sys, random
assert json == {"shadow": True} and mix_json_mod is sys.modules["json"] and mix_dump(json) == '{"shadow": true}'
q = random.Random(3); q.random(); assert rnd() == q.random() and rnd.__self__ is random._inst
# %% case: mix_decorated_module_function_and_reload [alone]
import functools, importlib
open("mix_mod.py", "w").write("hits = []\ndef work(x):\n    hits.append(x)\n    return x * 2\n")
import mix_mod
mix_cached = mix_mod.work = functools.lru_cache(mix_mod.work)
# %%
mix_mod.work(4); mix_mod.work(4)
# %%
mix_wrapped = mix_mod.work.__wrapped__
importlib.reload(mix_mod)
# %% check
assert mix_cached.cache_info()[:2] == (1, 1) and mix_cached.__wrapped__ is mix_wrapped and mix_mod.work is not mix_cached
assert mix_cached(4) == 8 and mix_mod.hits == [] and mix_cached(5) == 10 and mix_mod.hits == [5], "the cached old function writes into the reloaded module"
# %% case: mix_out_history_keeps_patched_class_alive [alone]
import collections
class Row(collections.UserDict): pass
Row(a=1)
# %%
class Row(collections.UserDict):
    def __repr__(self): return "new"
Row(_)
# %%
collections.UserDict.first = lambda self: next(iter(self.data.items()))
# %% check
assert type(_1) is not type(_2) and type(_2) is Row and type(_1).__name__ == "Row" and _1 == {"a": 1} and _2.first() == ("a", 1) == _1.first()
assert Out[1] is _1 and _2.data is not _1.data and [c.__name__ for c in collections.UserDict.__subclasses__()].count("Row") == 2
# %% case: mix_pre_run_hook_with_rng_and_decimal [alone]
import random, decimal
random.seed(1)
mix_draws = []
def mix_hook(info): mix_draws.append(random.random()); decimal.getcontext().prec += 1
get_ipython().events.register("pre_run_cell", mix_hook)
# %%
mix_a = random.random()
# %%
mix_b = decimal.getcontext().prec
get_ipython().events.unregister("pre_run_cell", mix_hook)
# %% check
import random, decimal
q = random.Random(1); s = [q.random() for _ in range(3)]
assert mix_draws == [s[0], s[2]] and mix_a == s[1] and random.random() == q.random() and mix_b == 30 == decimal.getcontext().prec
# %% case: mix_chdir_then_open_file_and_import [alone]
import os, sys
os.makedirs("mix_d1", exist_ok=True); os.makedirs("mix_d2", exist_ok=True)
open("mix_d2/mix_local.py", "w").write("where = __file__\n")
os.chdir("mix_d1"); mix_fh = open("rel.txt", "w+"); mix_fh.write("hello"); sys.path.insert(0, "../mix_d2")
# %%
os.chdir("../mix_d2"); mix_fh.seek(1)
# %% check
import os, sys, mix_local
assert mix_fh.read() == "ello" and mix_fh.name == "rel.txt" and os.path.basename(os.getcwd()) == "mix_d2" and not os.path.exists("rel.txt")
assert sys.path[0] == "../mix_d2" and os.path.samefile(mix_local.where, "mix_local.py")
mix_fh.close(); os.chdir("..")
# %% case: mix_logging_handler_holds_figure_and_frame [alone]
import matplotlib; matplotlib.use("Agg")
import logging, matplotlib.pyplot as plt, pandas as pd
class MixHandler(logging.Handler):
    def __init__(self, ax, df): super().__init__(); self.ax, self.df = ax, df
    def emit(self, r): self.df.loc[len(self.df)] = [r.levelname, r.args[0]]; self.ax.plot(r.args[0], r.args[0], "o")
mix_fig, mix_ax = plt.subplots(); mix_df = pd.DataFrame({"lvl": pd.Series(dtype=str), "v": pd.Series(dtype=int)})
logging.getLogger("mix").addHandler(MixHandler(mix_ax, mix_df)); logging.getLogger("mix").propagate = False
# %%
logging.getLogger("mix").warning("%s", 3)
# %% check
import logging, matplotlib.pyplot as plt
logging.getLogger("mix").error("%s", 4)
assert mix_df["v"].tolist() == [3, 4] and len(mix_ax.lines) == 2 and logging.getLogger("mix").handlers[0].df is mix_df and plt.gca() is mix_ax
# %% case: mix_exception_with_frame_and_patched_class
class MixStop(Exception): pass
def mix_run(items, acc=[]):
    for i in items:
        acc.append(i)
        if i > 1: raise MixStop(items, acc)
mix_in = [0, 1, 2, 3]
try: mix_run(mix_in)
except MixStop as e: mix_exc = e
# %%
mix_acc = mix_exc.args[1]; MixStop.items = property(lambda s: s.args[0])
# %% check
import traceback
assert mix_exc.items is mix_in and mix_acc is mix_run.__defaults__[0] and mix_acc == [0, 1, 2] and type(mix_exc) is MixStop
assert [f.name for f in traceback.extract_tb(mix_exc.__traceback__)][-1] == "mix_run"
# %% case: mix_observer_writes_into_magic_state [alone]
import traitlets as T
from IPython.core.magic import register_line_magic
class MixModel(T.HasTraits): x = T.Int(0)
mix_model, mix_seen = MixModel(), []
mix_model.observe(lambda ch: mix_seen.append((ch.old, ch.new)), "x")
@register_line_magic
def setx(line):
    with mix_model.hold_trait_notifications(): mix_model.x = int(line); mix_model.x += 1
    return mix_model
# %%
%setx 5
# %%
mix_same = _
# %% check
assert mix_same is mix_model is Out[2] and mix_seen == [(0, 6)] and get_ipython().find_line_magic("setx")
assert get_ipython().run_line_magic("setx", "8") is mix_model and mix_seen == [(0, 6), (6, 9)]
# %% case: mix_pickle_file_of_notebook_class_written_mid_session
import pickle, copy
class MixRec:
    version = 1
    def __init__(self, v): self.v = v
mix_rec = MixRec([1]); mix_blob = pickle.dumps([mix_rec, mix_rec])
with open("mix_rec.pkl", "wb") as f: pickle.dump(mix_rec, f)
# %%
MixRec.version = 2; mix_rec.v.append(2); mix_shallow = copy.copy(mix_rec)
# %% check
import pickle
x, y = pickle.loads(mix_blob); assert x is y and type(x) is MixRec and x.v == [1] and x.version == 2
with open("mix_rec.pkl", "rb") as f: z = pickle.load(f)
assert type(z) is MixRec and z.v == [1] and mix_shallow.v is mix_rec.v == [1, 2] and pickle.loads(pickle.dumps(MixRec)) is MixRec
# %% case: mix_globals_manipulated_by_name
for mix_k in range(3): globals()[f"mix_var_{mix_k}"] = [mix_k]
exec("mix_ex = mix_var_0; del mix_var_1", globals())
# %%
mix_view = [n for n in sorted(globals()) if n.startswith("mix_var_")]
get_ipython().user_ns["mix_var_9"] = mix_var_2; get_ipython().user_global_ns
vars()["mix var with spaces"] = 1
# %% check
assert mix_view == ["mix_var_0", "mix_var_2"] and mix_ex is mix_var_0 and mix_var_9 is mix_var_2 and globals()["mix var with spaces"] == 1 and "mix_var_1" not in globals()
# %% case: mix_mutual_references_across_kinds
import types, functools, collections
class MixHub:
    def __init__(self): self.subs = collections.defaultdict(functools.partial(collections.deque, maxlen=2)); self.fn = None
    def emit(self, k, *a): return [f(*a) for f in self.subs[k]]
mix_hub = MixHub()
def mix_listener(x, hub=mix_hub): hub.last = x; return hub
mix_listener.hub = mix_hub; mix_hub.fn = mix_listener
mix_hub.subs["a"].append(mix_hub.emit.__func__.__get__(mix_hub, MixHub)); mix_hub.subs["b"] += [mix_listener, mix_hub.fn, mix_listener]
# %%
mix_ns = types.MappingProxyType(mix_hub.__dict__); mix_hub.subs["c"]
# %% check
assert mix_listener.__defaults__[0] is mix_hub is mix_listener.hub and mix_hub.fn is mix_listener and len(mix_hub.subs["b"]) == 2 and mix_hub.subs["b"].maxlen == 2
assert mix_hub.subs["a"][0].__self__ is mix_hub and mix_hub.emit("a", "b", 7) == [[mix_hub, mix_hub]] and mix_hub.last == 7 and mix_ns["last"] == 7
mix_hub.late = 1; assert mix_ns["late"] == 1 and list(mix_hub.subs) == ["a", "b", "c"]
# %% case: mix_error_inside_with_leaves_state [alone]
import decimal, warnings, numpy as np
mix_steps = []
class MixTx:
    def __enter__(self): mix_steps.append("begin"); self.old = np.seterr(all="raise"); return self
    def __exit__(self, t, v, tb): mix_steps.append(t and t.__name__); self.err = v; return False
mix_tx = MixTx()
# %% raises FloatingPointError
with mix_tx:
    np.float64(1.0) / np.float64(0.0)
# %% check
import numpy as np
assert mix_steps == ["begin", "FloatingPointError"] and type(mix_tx.err) is FloatingPointError and np.geterr()["divide"] == "raise" and mix_tx.old["divide"] == "warn"
try:
    np.float64(1.0) / np.float64(0.0)
except FloatingPointError:
    pass
else:
    raise AssertionError
# %% case: mix_lazy_import_inside_method_then_patch [alone]
class MixClient:
    def now(self):
        import datetime
        return datetime.date.today()
mix_client = MixClient()
import datetime
class MixDate(datetime.date):
    @classmethod
    def today(cls): return cls(2000, 1, 2)
datetime.date = MixDate
# %%
mix_today = mix_client.now()
# %% check
import datetime
assert mix_today == mix_client.now() and type(mix_today) is MixDate is datetime.date and mix_today.year == 2000 and MixDate.__mro__[1] is not MixDate and issubclass(datetime.datetime, MixDate.__mro__[1])
datetime.date = MixDate.__mro__[1]; assert mix_client.now().year > 2000
# %% case: mix_metaclass_conflict_free_reassigned_bases
class MixA:
    def who(self): return "A"
class MixB:
    def who(self): return "B"
class MixC(MixA): pass
mix_c = MixC()
# %%
MixC.__bases__ = (MixB,); MixC.__name__ = "Renamed"; MixC.__qualname__ = "Outer.Renamed"; MixC.__module__ = "elsewhere"
MixC.__doc__ = "doc"; MixA.__init_subclass__ = classmethod(lambda cls, **k: mix_subs.append(cls)); mix_subs = []
# %% check
assert mix_c.who() == "B" and type(mix_c) is MixC and MixA.__subclasses__() == [] and MixB.__subclasses__() == [MixC]
assert (MixC.__name__, MixC.__qualname__, MixC.__module__, MixC.__doc__) == ("Renamed", "Outer.Renamed", "elsewhere", "doc")
class MixD(MixA): pass
assert mix_subs == [MixD]
# %% case: mix_function_attributes_edited
def mix_f(a, b=2, *, c=3): "doc"; return a + b + c
mix_g = mix_f
def mix_other(a, b, *, c): return ("swapped", a, b, c)
# %%
mix_f.__defaults__ = (20,); mix_f.__kwdefaults__["c"] = 30; mix_f.__doc__ += "!"; mix_f.calls = [1]; mix_f.__annotations__["a"] = int
mix_bound = mix_f.__get__(5)
# %%
mix_f.__code__ = mix_other.__code__
# %% check
import inspect
assert mix_g is mix_f and mix_f(1) == ("swapped", 1, 20, 30) and mix_bound() == ("swapped", 5, 20, 30) and mix_f.__doc__ == "doc!" and mix_f.calls == [1] and mix_f.__annotations__ == {"a": int}
assert mix_bound.__func__ is mix_f and inspect.getsource(mix_other).startswith("def mix_other") and "swapped" in inspect.getsource(mix_f)
# %% case: mix_attributes_shared_with_containers
import types, argparse
class MixAt:
    kind = None
    def __init__(self): self.x = 1
class MixSl:
    __slots__ = ("a", "__dict__")
class MixSub(MixAt):
    kind = None
mix_at = MixAt(); mix_at_views = [vars(mix_at), types.MappingProxyType(vars(mix_at))]
mix_sl = MixSl(); mix_sl.a = 1; mix_sl.b = 2; mix_sl_d = (vars(mix_sl),)
mix_args = argparse.Namespace(q=1); mix_args_d = {"k": vars(mix_args)}
# %%
mix_at.y = 2
# %% check
assert mix_at_views[0] is vars(mix_at) and mix_at_views[1]["y"] == 2
assert mix_sl_d[0] is vars(mix_sl) and (mix_sl.a, mix_sl.b) == (1, 2) and mix_args_d["k"] is vars(mix_args) and mix_args.q == 1
MixAt.kind = 5; assert MixSub.kind is None
# %% case: mix_abstract_class_registers_what_shares_functions
import abc
class MixBeast:
    pass
class MixDog(MixBeast):
    pass
mix_rex = MixDog()
def mix_rename(self): return "renamed"
MixBeast.rename = mix_rename
# %%
class MixShape(abc.ABC): pass
MixShape.register(MixDog)
# %%
mix_sh = [MixShape]
# %% check
assert MixBeast.rename is mix_rename and mix_rex.rename() == "renamed" and issubclass(MixDog, MixShape) and not issubclass(MixBeast, MixShape)
