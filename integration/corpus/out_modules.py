# Modules and packages the notebook writes, imports, edits, reloads, builds at run time and changes from outside.
# %% case: mod_edit_and_reload_keeps_old_instances [alone]
%%writefile mod_shape.py
SIDES = 3
registry = []
class Shape:
    def __init__(self): registry.append(self)
    def area(self): return "v1", SIDES
# %%
import mod_shape, importlib
mod_s1 = mod_shape.Shape()
mod_old_cls = mod_shape.Shape
mod_old_reg = mod_shape.registry
# %%
%%writefile mod_shape.py
SIDES = 4
registry = []
class Shape:
    def __init__(self): registry.append(self)
    def area(self): return "v2", SIDES, "new source is longer"
# %%
mod_ret = importlib.reload(mod_shape)
mod_s2 = mod_shape.Shape()
# %% check
assert mod_ret is mod_shape
assert mod_s1.area() == ("v1", 4) and mod_s2.area() == ("v2", 4, "new source is longer")
assert type(mod_s1) is mod_old_cls and type(mod_s2) is mod_shape.Shape and mod_old_cls is not mod_shape.Shape
assert not isinstance(mod_s1, mod_shape.Shape)
assert mod_old_reg == [mod_s1] and mod_shape.registry == [mod_s2] and mod_old_reg is not mod_shape.registry
mod_s3 = mod_old_cls()
assert mod_shape.registry[-1] is mod_s3, "old __init__ must see the reloaded module's globals"
assert mod_old_cls.__init__.__globals__ is vars(mod_shape)
# %% case: mod_edited_but_not_reloaded [alone]
%%writefile mod_stale.py
VERSION = 1
def f(): return "one"
# %%
import mod_stale
from mod_stale import f as mod_f
# %%
%%writefile mod_stale.py
VERSION = 2
def f(): return "two, not yet imported"
# %% check
assert mod_stale.VERSION == 1 and mod_stale.f() == "one" and mod_f is mod_stale.f
import importlib
importlib.reload(mod_stale)
assert mod_stale.VERSION == 2 and mod_stale.f() == "two, not yet imported" and mod_f() == "one"
# %% case: mod_source_deleted_after_import [alone]
%%writefile mod_gone.py
state = {"n": 0}
class Counter:
    def tick(self):
        state["n"] += 1
        return state["n"]
# %%
import mod_gone, os
mod_gc = mod_gone.Counter(); mod_gc.tick()
os.remove("mod_gone.py")
# %%
mod_gc.tick()
import shutil
shutil.rmtree("__pycache__", ignore_errors=True)
# %% check
import sys, os
assert not os.path.exists("mod_gone.py")
assert mod_gone is sys.modules["mod_gone"] and mod_gone.state == {"n": 2}
assert type(mod_gc) is mod_gone.Counter and mod_gc.tick() == 3 and mod_gone.state["n"] == 3
from mod_gone import state as s_again
assert s_again is mod_gone.state
# %% case: mod_package_with_relative_imports [alone]
import os
os.makedirs("modpkg/sub", exist_ok=True)
open("modpkg/__init__.py", "w").write("from . import base\nfrom .sub import leaf\nfrom .base import Base\n__version__ = '0.1'\n")
open("modpkg/base.py", "w").write("class Base:\n    kids = []\n    def __init_subclass__(cls, **k):\n        super().__init_subclass__(**k)\n        Base.kids.append(cls)\n")
open("modpkg/sub/__init__.py", "w").write("")
open("modpkg/sub/leaf.py", "w").write("from ..base import Base\nfrom .. import base as b\nclass Leaf(Base):\n    pass\n")
# %%
import modpkg
class ModMine(modpkg.Base):
    tag = "nb"
# %%
mod_leaf, mod_mine = modpkg.sub.leaf.Leaf(), ModMine()
modpkg.__version__ += ".dev"
# %% check
import sys
assert modpkg.Base.kids == [modpkg.sub.leaf.Leaf, ModMine]
assert modpkg.sub.leaf.b is modpkg.base is sys.modules["modpkg.base"]
assert type(mod_leaf) is sys.modules["modpkg.sub.leaf"].Leaf and isinstance(mod_mine, modpkg.base.Base)
assert modpkg.__version__ == "0.1.dev"
class ModLate(modpkg.Base): pass
assert modpkg.base.Base.kids[-1] is ModLate and len(modpkg.Base.__subclasses__()) == 3
# %% case: mod_runtime_moduletype [alone]
import types, sys
mod_rt = types.ModuleType("mod_rt", "made at run time")
exec("total = 0\ndef add(x):\n    global total\n    total += x\n    return total\nclass P:\n    def go(self): return add(10)\n", mod_rt.__dict__)
sys.modules["mod_rt"] = mod_rt
# %%
from mod_rt import add as mod_add, P as ModP
mod_add(5)
mod_p = ModP()
# %%
mod_rt.add(2)
# %% check
import sys, mod_rt as again
assert again is mod_rt is sys.modules["mod_rt"] and mod_rt.__doc__ == "made at run time"
assert mod_rt.total == 7 and mod_add is mod_rt.add and mod_add.__globals__ is vars(mod_rt)
assert type(mod_p) is mod_rt.P and mod_p.go() == 17 and mod_rt.total == 17
# %% case: mod_anonymous_module_as_namespace
import types
mod_ns = types.ModuleType("settings_namespace")
mod_ns.layers = [1, 2]
mod_ns.inner = types.SimpleNamespace(layers=mod_ns.layers)
# %%
exec("def describe():\n    return len(layers), __name__", vars(mod_ns))
mod_ns.layers.append(3)
# %% check
import sys
assert "settings_namespace" not in sys.modules
assert mod_ns.describe() == (3, "settings_namespace")
assert mod_ns.inner.layers is mod_ns.layers == [1, 2, 3]
assert mod_ns.describe.__globals__ is mod_ns.__dict__
# %% case: mod_library_module_state_changed [alone]
import json, string, shlex
json.my_registry = {"dec": json.JSONDecoder}
string.ascii_vowels = "aeiou"
# %%
json.my_registry["self"] = json
shlex.default = shlex.split("a 'b c'")
# %%
del string.ascii_vowels
string.greek = ["α"]
# %% check
import json as j2, string as s2, sys
assert j2.my_registry["self"] is j2 and j2.my_registry["dec"] is j2.decoder.JSONDecoder
assert not hasattr(s2, "ascii_vowels") and s2.greek == ["α"]
assert sys.modules["shlex"].default == ["a", "b c"]
# %% case: mod_circular_imports_and_shared_list [alone]
open("modcirc_a.py", "w").write("items = []\nimport modcirc_b\ndef push(x):\n    items.append(x)\n    return modcirc_b.size()\n")
open("modcirc_b.py", "w").write("import modcirc_a\nview = modcirc_a.items\ndef size():\n    return len(view)\n")
# %%
import modcirc_a
from modcirc_b import view as modcirc_view
modcirc_a.push("x")
# %%
modcirc_view += ["y", "z"]
# %% check
import modcirc_b
assert modcirc_a.items is modcirc_b.view is modcirc_view
assert modcirc_a.items == ["x", "y", "z"] and modcirc_a.push(1) == 4 and modcirc_b.size() == 4
assert modcirc_a.modcirc_b is modcirc_b and modcirc_b.modcirc_a is modcirc_a
# %% case: mod_module_global_rebound_by_function [alone]
%%writefile mod_conn.py
_connection = None
class Conn:
    def __init__(self, url): self.url = url; self.log = []
def connect(url="db://default"):
    global _connection
    if _connection is None:
        _connection = Conn(url)
    return _connection
# %%
import mod_conn
mod_c1 = mod_conn.connect("db://first")
# %%
mod_c1.log.append("q1")
mod_c2 = mod_conn.connect("db://ignored")
# %% check
assert mod_c1 is mod_c2 is mod_conn._connection is mod_conn.connect()
assert mod_c1.url == "db://first" and mod_c1.log == ["q1"]
mod_conn._connection = None
assert mod_conn.connect().url == "db://default" and mod_c1 is not mod_conn.connect()
# %% case: mod_class_patched_from_notebook [alone]
%%writefile mod_bank.py
class Account:
    rate = 0.01
    def __init__(self, n): self.n = n
    def interest(self): return self.n * self.rate
class Savings(Account):
    pass
# %%
import mod_bank
mod_acc = mod_bank.Savings(200)
def interest(self):
    "patched in the notebook"
    return round(self.n * self.rate * mod_factor, 2), mod_orig(self)
mod_orig = mod_bank.Account.interest
mod_bank.Account.interest = interest
# %%
mod_factor = 10
mod_bank.Savings.rate = 0.5
# %% check
assert mod_acc.interest() == (1000, 100.0)
assert mod_bank.Account.interest is interest and mod_orig is not interest
assert "rate" in vars(mod_bank.Savings) and mod_bank.Account.rate == 0.01
globals()["mod_factor"] = 1
assert mod_acc.interest() == (100.0, 100.0), "the patch reads the notebook's globals"
# %% case: mod_main_dict_and_dunder_main
import __main__ as mod_main
mod_main.mod_injected = [1]
# %%
mod_injected.append(2)
mod_globals = globals()
class ModInMain: pass
# %% check
import sys
assert mod_main is sys.modules["__main__"] and mod_globals is globals() is vars(mod_main)
assert mod_main.mod_injected is mod_injected == [1, 2]
assert mod_main.ModInMain is ModInMain and ModInMain.__module__ == "__main__"
mod_globals["mod_from_dict"] = 7
assert mod_from_dict == 7
# %% case: mod_dataclass_enum_from_written_module [alone]
%%writefile mod_cards.py
from dataclasses import dataclass, field
from enum import Enum, Flag, auto
class Suit(Enum):
    SPADE = "s"; HEART = "h"
class Perm(Flag):
    R = auto(); W = auto()
@dataclass(frozen=True, order=True)
class Card:
    rank: int
    suit: Suit = field(compare=False, default=Suit.SPADE)
@dataclass(slots=True)
class Hand:
    cards: list = field(default_factory=list)
# %%
from mod_cards import *
import mod_cards
mod_hand = Hand([Card(3), Card(9, Suit.HEART)])
mod_by_card = {c: c.suit for c in mod_hand.cards}
mod_perm = Perm.R | Perm.W
# %%
Suit.HEART.note = "red"
mod_hand.cards.sort(reverse=True)
# %% check
assert mod_hand.cards[0].suit is Suit.HEART is mod_cards.Suit("h") and Suit.HEART.note == "red"
assert all(any(k is c for c in mod_hand.cards) for k in mod_by_card)
assert mod_by_card[Card(9)] is Suit.HEART and mod_perm is (Perm.R | Perm.W)
assert type(mod_hand) is mod_cards.Hand and not hasattr(mod_hand, "__dict__")
assert [c.rank for c in mod_hand.cards] == [9, 3]
# %% case: mod_namespace_package_and_late_submodule [alone]
import os
os.makedirs("modns/inner", exist_ok=True)
open("modns/one.py", "w").write("X = object()\n")
# %%
import modns.one as modns_one
modns_sentinel = modns_one.X
open("modns/inner/two.py", "w").write("from modns.one import X\npair = (X, X)\n")
# %%
import importlib; importlib.invalidate_caches()
import modns.inner.two
# %% check
assert modns_one.X is modns_sentinel is modns.one.X
assert modns.inner.two.pair[0] is modns.inner.two.pair[1] is modns_sentinel
assert getattr(modns, "__file__", None) is None
open("modns/three.py", "w").write("from .one import X\n")
import importlib; importlib.invalidate_caches()
import modns.three
assert modns.three.X is modns_sentinel
# %% case: mod_reload_fails_halfway [alone]
%%writefile mod_half.py
config = {"a": 1}
limit = 10
# %%
import mod_half, importlib
mod_half.config["b"] = 2
mod_cfg = mod_half.config
# %%
%%writefile mod_half.py
config = {"a": 100, "fresh": True}
raise RuntimeError("halfway through the module")
limit = 20
# %% raises RuntimeError
importlib.reload(mod_half)
# %%
mod_after = (mod_half.limit, dict(mod_half.config))
# %% check
import sys
assert sys.modules["mod_half"] is mod_half
assert mod_after == (10, {"a": 100, "fresh": True}) and mod_half.limit == 10
assert mod_half.config == {"a": 100, "fresh": True} and mod_half.config is not mod_cfg and mod_cfg == {"a": 1, "b": 2}
