# Imports of every kind: submodules, star imports, aliases, lazy imports in functions, and what they leave in sys.modules.
# %% case: imp_submodule_bound_on_parent
import xml
import xml.etree.ElementTree
imp_root = xml.etree.ElementTree.fromstring("<a><b x='1'/><b x='2'/></a>")
# %%
from xml.etree import ElementTree as IMP_ET
imp_first = imp_root.find("b")
# %% check
import sys
assert xml.etree.ElementTree is IMP_ET is sys.modules["xml.etree.ElementTree"]
assert imp_first is imp_root[0]
imp_first.set("x", "9")
assert IMP_ET.tostring(imp_root) == b'<a><b x="9" /><b x="2" /></a>'
assert type(imp_root) is IMP_ET.Element
# %% case: imp_lazy_inside_function [alone]
def imp_lazy(xs):
    import statistics as st
    global imp_lazy_mod
    imp_lazy_mod = st
    return st.median(xs)
# %%
imp_lazy_v = imp_lazy([3, 1, 2])
# %%
import sys
imp_lazy_names = sorted(n for n in ("statistics", "colorsys", "this_is_not_there") if n in sys.modules)
# %% check
import sys
assert imp_lazy_v == 2
assert imp_lazy_mod is sys.modules["statistics"]
assert imp_lazy_mod.StatisticsError is __import__("statistics").StatisticsError
assert sorted(n for n in ("statistics", "colorsys", "this_is_not_there") if n in sys.modules) == imp_lazy_names == ["statistics"]
assert "st" not in globals()
# %% case: imp_star_shadows_builtins [alone]
from math import *
imp_pow_a = pow(2, 3)
# %%
imp_pow_mine = pow
from operator import *
imp_pow_b = pow(2, 3)
# %%
del pow
imp_pow_c = pow(2, 3, 5)
# %% check
import math, operator, builtins
assert type(imp_pow_a) is float and type(imp_pow_b) is int and imp_pow_c == 3
assert imp_pow_mine is math.pow
assert "pow" not in globals() and pow is builtins.pow
assert floor is math.floor and add is operator.add and abs is operator.abs and abs is not builtins.abs
assert contains([1], 1) and e == math.e and tau == math.tau
# %% case: imp_star_then_rebinding_underscore_names [alone]
%%writefile imp_starmod.py
__all__ = ["_hidden", "shown", "Tool"]
_hidden = [1, 2]
shown = {"h": _hidden}
unlisted = 5
class Tool:
    cache = shown
# %%
from imp_starmod import *
_hidden.append(3)
# %%
shown["extra"] = Tool()
# %% check
import imp_starmod, sys
assert sys.modules["imp_starmod"] is imp_starmod
assert _hidden is imp_starmod._hidden is shown["h"] and _hidden == [1, 2, 3]
assert Tool is imp_starmod.Tool and Tool.cache is shown is imp_starmod.shown
assert type(shown["extra"]) is imp_starmod.Tool
assert "unlisted" not in globals() and imp_starmod.unlisted == 5
# %% case: imp_alias_of_function_and_method
from collections import OrderedDict as ImpOD, Counter as ImpC
imp_most = ImpC("mississippi").most_common
imp_new = ImpOD.fromkeys
imp_od = imp_new("abc", 0)
# %%
imp_od.move_to_end("a")
imp_counter = imp_most.__self__
imp_counter["z"] = 100
# %% check
import collections
assert ImpOD is collections.OrderedDict and ImpC is collections.Counter
assert imp_most(1) == [("z", 100)]
assert imp_most.__self__ is imp_counter and type(imp_counter) is collections.Counter
assert list(imp_od) == ["b", "c", "a"] and type(imp_new("x")) is collections.OrderedDict
# %% case: imp_conditional_fallback
try:
    import ujson_not_installed as imp_json
except ImportError as exc:
    import json as imp_json
    imp_err = (type(exc), exc.name)
# %%
imp_enc = imp_json.JSONEncoder(sort_keys=True, indent=None)
# %% check
import json, sys
assert imp_json is json and imp_err == (ModuleNotFoundError, "ujson_not_installed")
assert "exc" not in globals() and "ujson_not_installed" not in sys.modules
assert type(imp_enc) is json.JSONEncoder and imp_enc.encode({"b": 1, "a": 2}) == '{"a": 2, "b": 1}'
# %% case: imp_importlib_and_dunder_import
import importlib
imp_plugins = {n: importlib.import_module(n) for n in ("html.parser", "email.mime.text", "wsgiref.util")}
# %%
imp_top = __import__("email.mime.text")
imp_leaf = __import__("email.mime.text", fromlist=["MIMEText"])
# %%
imp_msg = imp_leaf.MIMEText("body", "plain", "utf-8")
imp_msg["Subject"] = "héllo"
# %% check
import sys, email
assert imp_top is email is sys.modules["email"]
assert imp_leaf is imp_plugins["email.mime.text"] is email.mime.text
assert all(sys.modules[k] is m for k, m in imp_plugins.items())
assert type(imp_msg) is email.mime.text.MIMEText and imp_msg["subject"] == "héllo"
assert imp_msg.get_payload(decode=True) == b"body"
# %% case: imp_modules_in_containers
import math as imp_m1, cmath as imp_m2, random as imp_rnd
imp_toolbox = {"real": imp_m1, "complex": [imp_m2, imp_m1]}
class ImpBackend:
    lib = imp_m1
    def sqrt(self, x): return self.lib.sqrt(x)
imp_backend = ImpBackend()
# %%
imp_backend.lib = imp_m2
# %% check
import math, cmath
assert imp_toolbox["real"] is math and imp_toolbox["complex"][0] is cmath and imp_toolbox["complex"][1] is math
assert ImpBackend.lib is math and imp_backend.lib is cmath and vars(imp_backend) == {"lib": cmath}
assert imp_backend.sqrt(-1) == 1j and ImpBackend().sqrt(4) == 2.0
# %% case: imp_from_zip_and_path_hook [alone]
import zipfile, sys
with zipfile.ZipFile("imp_bundle.zip", "w") as z:
    z.writestr("impzpkg/__init__.py", "from .core import Engine\nLOADED = ['init']\n")
    z.writestr("impzpkg/core.py", "class Engine:\n    made = 0\n    def __init__(self):\n        type(self).made += 1\n        self.no = self.made\n")
sys.path.insert(0, "imp_bundle.zip")
# %%
from impzpkg import Engine
import impzpkg
impz_engines = [Engine(), Engine()]
impzpkg.LOADED.append("notebook")
# %% check
import sys, impzpkg.core
assert sys.path[0] == "imp_bundle.zip"
assert Engine is impzpkg.core.Engine is sys.modules["impzpkg.core"].Engine
assert [x.no for x in impz_engines] == [1, 2] and Engine.made == 2
assert impzpkg.LOADED == ["init", "notebook"]
assert type(impz_engines[0]) is Engine and Engine().no == 3
# %% case: imp_removed_from_sys_modules [alone]
import sys, fractions
imp_old = fractions
imp_half = fractions.Fraction(1, 2)
# %%
del sys.modules["fractions"]
import fractions as imp_new_fr
# %%
imp_third = imp_new_fr.Fraction(1, 3)
# %% check
import sys
assert imp_old is not imp_new_fr and sys.modules["fractions"] is imp_new_fr
assert fractions is imp_old
assert type(imp_half) is imp_old.Fraction and type(imp_third) is imp_new_fr.Fraction
assert imp_old.Fraction is not imp_new_fr.Fraction
assert imp_half + 1 == imp_old.Fraction(3, 2)
# %% case: imp_blocked_module [alone]
import sys
sys.modules["tabnanny"] = None
# %%
try:
    import tabnanny
    imp_blocked = "imported"
except ImportError as ex:
    imp_blocked = str(ex)
# %% raises ModuleNotFoundError
import tabnanny
# %% check
import sys
assert sys.modules.get("tabnanny", 0) is None
assert "halted" in imp_blocked
try:
    import tabnanny
except ModuleNotFoundError:
    pass
else:
    raise AssertionError("block was lost")
# %% case: imp_custom_finder [alone]
import sys, importlib.abc, importlib.machinery
class ImpDictFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, sources): self.sources = sources; self.loaded = []
    def find_spec(self, name, path, target=None):
        if name in self.sources:
            return importlib.machinery.ModuleSpec(name, self)
    def exec_module(self, module):
        self.loaded.append(module.__name__)
        exec(self.sources[module.__name__], module.__dict__)
imp_finder = ImpDictFinder({"impmem_a": "import impmem_b\nval = impmem_b.val + 1", "impmem_b": "val = [41][0]", "impmem_c": "val = 'late'"})
sys.meta_path.append(imp_finder)
# %%
import impmem_a
impmem_a.extra = imp_finder.sources
# %%
imp_finder.sources["impmem_d"] = "val = 'later still'"
# %% check
import sys, impmem_b
assert sys.meta_path[-1] is imp_finder
assert imp_finder.loaded == ["impmem_a", "impmem_b"] and impmem_a.val == 42
assert impmem_a.impmem_b is impmem_b and impmem_a.extra is imp_finder.sources
import impmem_c, impmem_d
assert (impmem_c.val, impmem_d.val) == ("late", "later still") and imp_finder.loaded[-1] == "impmem_d"
assert impmem_a.__spec__.loader is imp_finder and isinstance(imp_finder, ImpDictFinder)
# %% case: imp_future_annotations_flag [alone]
from __future__ import annotations
# %%
def imp_ann(x: NotDefinedAnywhere) -> AlsoNot: return x
class ImpAnn:
    y: StillUndefined = 3
# %% check
def imp_ann_late(z: NeverDefined): return z
assert imp_ann.__annotations__ == {"x": "NotDefinedAnywhere", "return": "AlsoNot"}
assert ImpAnn.__annotations__ == {"y": "StillUndefined"}
assert imp_ann_late.__annotations__ == {"z": "NeverDefined"}
# %% case: imp_lazy_module_getattr [alone]
%%writefile imp_lazymod.py
import sys
calls = []
def __getattr__(name):
    calls.append(name)
    if name == "heavy":
        value = {"weights": [0.5, 0.25]}
        globals()["heavy"] = value
        return value
    raise AttributeError(name)
def __dir__():
    return ["heavy", "calls"]
# %%
import imp_lazymod
imp_h = imp_lazymod.heavy
imp_has = hasattr(imp_lazymod, "nothing")
# %%
imp_h["weights"].append(0.125)
# %% check
assert imp_lazymod.heavy is imp_h and imp_h["weights"] == [0.5, 0.25, 0.125]
assert [x for x in imp_lazymod.calls if not x.startswith("__")] == ["heavy", "nothing"], imp_lazymod.calls
assert imp_has is False and dir(imp_lazymod) == ["calls", "heavy"]
assert imp_lazymod.sys is __import__("sys")
