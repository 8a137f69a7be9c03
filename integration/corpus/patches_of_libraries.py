# Attributes of installed modules and classes that the notebook sets, replaces, wraps, deletes and puts back.

# %% case: lib_patch_in_the_importing_cell [alone]
import statistics
patch_orig = statistics.mean
patch_calls = []
def patch_mean(data):
    patch_calls.append(len(data))
    return patch_orig(data) + 0.5
statistics.mean = patch_mean
# %%
patch_v = statistics.mean([1, 2, 3])
# %% check
import statistics
assert patch_v == 2.5 and statistics.mean([1, 3]) == 2.5 and patch_calls == [3, 2] and patch_orig is patch_mean.__globals__["patch_orig"]
statistics.mean = patch_orig
assert statistics.mean([1, 3]) == 2 and patch_orig.__module__ == "statistics" and patch_orig.__globals__ is vars(statistics)

# %% case: lib_patch_deleted_attribute [alone]
import colorsys, string
del string.digits
colorsys.mine = {"a": [1]}
patch_alias = colorsys.mine["a"]
# %%
patch_alias.append(2)
# %% check
import colorsys, string
assert not hasattr(string, "digits") and colorsys.mine == {"a": [1, 2]} and colorsys.mine["a"] is patch_alias

# %% case: lib_patch_setattr_and_loop [alone]
import fractions, textwrap
for patch_name in ("alpha", "beta"):
    setattr(textwrap, "own_" + patch_name, patch_name.upper())
setattr(fractions.Fraction, "half", property(lambda self: self / 2))
# %%
delattr(textwrap, "own_alpha")
# %% check
import fractions, textwrap
assert textwrap.own_beta == "BETA" and not hasattr(textwrap, "own_alpha")
assert fractions.Fraction(1, 2).half == fractions.Fraction(1, 4)

# %% case: lib_patch_classmethod_and_super [alone]
import http.cookies
class PatchBase: pass
patch_saved = vars(http.cookies.SimpleCookie)["value_decode"]
def patch_decode(self, val): return "patched:" + val, val
http.cookies.SimpleCookie.value_decode = patch_decode
http.cookies.SimpleCookie.make = classmethod(lambda cls, text: cls(text))
# %%
patch_cookie = http.cookies.SimpleCookie.make("a=1")
# %% check
import http.cookies
assert patch_cookie["a"].value == "patched:1" and type(patch_cookie) is http.cookies.SimpleCookie
http.cookies.SimpleCookie.value_decode = patch_saved
assert http.cookies.SimpleCookie("b=2")["b"].value == "2"

# %% case: lib_patch_mock_object_and_stopall [alone]
from unittest import mock
import shutil, platform
patch_m = mock.patch.object(shutil, "which", lambda name: "/own/" + name)
patch_m.start()
mock.patch("platform.python_version", return_value="9.9").start()
# %%
patch_seen = (shutil.which("ls"), platform.python_version())
# %% check
import shutil, platform, unittest.mock
assert patch_seen == ("/own/ls", "9.9") and shutil.which("x") == "/own/x" and platform.python_version() == "9.9"
unittest.mock.patch.stopall()
assert shutil.which("definitely-not-there") is None and platform.python_version() != "9.9"

# %% case: lib_patch_random_and_time [alone]
import random, time
random.random = lambda: 0.25
patch_sleep = time.sleep
time.sleep = lambda s: None
# %%
patch_r = random.random(); time.sleep(1000)
# %%
time.sleep = patch_sleep; del patch_sleep
# %% check
import random, time
assert patch_r == random.random() == 0.25 and time.sleep.__module__ == "time"
# %% case: pat_class_patched_in_a_cell_that_fails [alone]
import fractions as pcf_f
# %% raises ValueError
pcf_f.Fraction.percent = lambda self: f"{float(self):.0%}"
raise ValueError("after the patch")
# %% check
import fractions
assert fractions.Fraction(1, 4).percent() == "25%"
# %% case: pat_builtin_function_put_back_while_its_stand_in_lives [alone]
import time
# %%
def pbf_time(): return 1000.0
pbf_real = time.time; time.time = pbf_time
# %%
time.time = pbf_real
# %% check
assert time.time is pbf_real and pbf_real is not pbf_time and pbf_time() == 1000.0 and time.time() > 1e9
