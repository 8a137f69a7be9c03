# Modules that the notebook writes, makes or changes: they are as they were loaded, wherever the next cell runs.

# %% case: own_counter_and_cache [alone]
open("own_state.py", "w").write("""
counter = 0
CACHE = {}
def bump(n=1):
    global counter
    counter += n
    CACHE[counter] = n
    return counter
class Box:
    made = []
    def __init__(self): Box.made.append(self); self.n = bump()
""")
import own_state
# %%
own_state.bump(); own_state.counter += 10
from own_state import CACHE as own_cache, bump as own_bump
# %%
own_box = own_state.Box(); own_bump(5)
# %% check
assert own_state.counter == 17 and own_state.CACHE is own_cache and own_cache == {1: 1, 12: 1, 17: 5}
assert own_state.bump is own_bump and own_bump.__globals__ is vars(own_state)
assert isinstance(own_box, own_state.Box) and own_state.Box.made == [own_box] and own_state.Box.made[0] is own_box
assert own_bump() == own_state.counter == 18

# %% case: own_imported_in_other_directory [alone] [local]
import importlib.util, os, tempfile
own_dir = tempfile.mkdtemp()
own_file = os.path.join(own_dir, "own_far.py")
open(own_file, "w").write("import json\nvalue = json.dumps([1])\ndef twice(x): return x * 2\nclass Far: pass\n")
own_spec = importlib.util.spec_from_file_location("own_far", own_file)
own_far = importlib.util.module_from_spec(own_spec); own_spec.loader.exec_module(own_far)
# %%
own_f = own_far.Far(); own_far.value += "!"
import shutil; shutil.rmtree(own_dir)
# %% check
import sys
assert own_far.value == "[1]!" and own_far.twice(4) == 8 and type(own_f) is own_far.Far and "own_far" not in sys.modules

# %% case: own_module_getattr_and_slots [alone]
open("own_lazy.py", "w").write("""
_made = []
def __getattr__(name):
    if name.startswith("lazy_"):
        _made.append(name)
        return name.upper()
    raise AttributeError(name)
def __dir__(): return ["lazy_one"]
""")
import own_lazy
# %%
own_lazy.lazy_one
# %% check
assert own_lazy.lazy_two == "LAZY_TWO" and own_lazy._made == ["lazy_one", "lazy_two"] and dir(own_lazy) == ["lazy_one"]

# %% case: own_module_removed_and_loaded_again [alone]
open("own_twice.py", "w").write("class Thing: pass\nversion = 1\n")
import own_twice, sys
own_first, own_thing = own_twice, own_twice.Thing()
# %%
del sys.modules["own_twice"]
open("own_twice.py", "w").write("class Thing: pass\nversion = 2  # changed\n")
import importlib; importlib.invalidate_caches()
import own_twice
# %% check
import sys
assert own_first is not own_twice is sys.modules["own_twice"] and (own_first.version, own_twice.version) == (1, 2)
assert type(own_thing) is own_first.Thing and not isinstance(own_thing, own_twice.Thing)

# %% case: own_package_with_state_and_logger [alone]
import os
os.makedirs("own_pkg/deep", exist_ok=True)
open("own_pkg/__init__.py", "w").write("from .core import run\nfrom . import core\n__all__ = ['run']\n")
open("own_pkg/core.py", "w").write("""
import logging, threading, re
from functools import lru_cache
log = logging.getLogger(__name__)
lock = threading.Lock()
PATTERN = re.compile("a+")
REGISTRY = {}
def register(f):
    REGISTRY[f.__name__] = f
    return f
@register
def run(x): return helper(x) + len(REGISTRY)
@lru_cache(maxsize=None)
def helper(x):
    with lock:
        log.debug("run")
        return x * 10
""")
open("own_pkg/deep/__init__.py", "w").write("")
open("own_pkg/deep/leaf.py", "w").write("from ..core import register\n@register\ndef leaf(): return 'leaf'\n")
import own_pkg
# %%
own_r = own_pkg.run(1)
import own_pkg.deep.leaf
# %% check
import sys
assert own_r == 11 and own_pkg.run(1) == 12 and own_pkg.core.REGISTRY["leaf"] is own_pkg.deep.leaf.leaf
assert own_pkg.run is own_pkg.core.run is own_pkg.core.REGISTRY["run"] and own_pkg.core.helper.cache_info().hits >= 1
assert own_pkg.core.log.name == "own_pkg.core" and own_pkg.core.PATTERN.match("aa") and not own_pkg.core.lock.locked()
assert own_pkg.deep.leaf.__package__ == "own_pkg.deep" and sys.modules["own_pkg.core"] is own_pkg.core

# %% case: own_fake_library [alone]
import sys, types
own_fake = types.ModuleType("own_requests")
class OwnResponse:
    def __init__(self, url): self.url = url
own_fake.get = lambda url: own_fake.calls.append(url) or OwnResponse(url)
own_fake.calls = []
sys.modules["own_requests"] = own_fake
# %%
import own_requests
own_answer = own_requests.get("a")
# %% check
from own_requests import get
assert own_requests is own_fake and own_fake.calls == ["a"] and type(own_answer) is OwnResponse
assert get("b").url == "b" and own_fake.calls == ["a", "b"]
