# Monkeypatching of library modules, classes and builtins, and taking the patches off again.
# %% case: pat_json_default_encoder_method [alone]
import json, datetime
pat_orig_default = json.JSONEncoder.default
def pat_default(self, o):
    if isinstance(o, datetime.date):
        return o.isoformat()
    return pat_orig_default(self, o)
json.JSONEncoder.default = pat_default
# %%
pat_doc = {"d": datetime.date(2024, 2, 29)}
pat_text = json.dumps(pat_doc)
# %% check
import json
assert json.dumps(pat_doc) == pat_text == '{"d": "2024-02-29"}'
assert json.JSONEncoder.default is pat_default
json.JSONEncoder.default = pat_orig_default
try:
    json.dumps(pat_doc)
except TypeError as e:
    assert "date" in str(e)
else:
    raise AssertionError("un-patching did not give the original back")
# %% case: pat_and_unpatch_time [alone]
import time
pat_real_time = time.time
pat_fake_now = [1000.0]
time.time = lambda: pat_fake_now[0]
# %%
pat_t0 = time.time(); pat_fake_now[0] += 5; pat_t1 = time.time()
# %%
time.time = pat_real_time
del pat_fake_now
# %% check
import time as t
assert pat_t1 - pat_t0 == 5 and t.time is pat_real_time and t.time() > 1_000_000
assert type(pat_real_time).__name__ == "builtin_function_or_method" and pat_real_time.__module__ == "time"
# %% case: pat_still_active_in_other_library [alone]
import calendar
pat_asked = []
pat_leap0 = calendar.isleap
def isleap(year, _log=pat_asked):
    _log.append(year)
    return True
isleap.__module__, isleap.original = "calendar", pat_leap0
calendar.isleap = pat_leap = isleap
del isleap
# %%
pat_mr = calendar.monthrange(2023, 2)
from calendar import isleap as pat_imported
# %% check
import calendar
assert pat_mr[1] == 29 and pat_asked == [2023]
assert calendar.isleap is pat_leap is pat_imported and pat_leap.__defaults__[0] is pat_asked
assert pat_leap.original is pat_leap0 and pat_leap0.__globals__ is vars(calendar)
assert calendar.monthrange(2021, 2)[1] == 29 and pat_asked == [2023, 2021]
assert "isleap" not in globals()
calendar.isleap = pat_leap.original
assert calendar.monthrange(2021, 2)[1] == 28
# %% case: pat_unittest_mock_started [alone]
from unittest import mock
import os, platform
pat_p = mock.patch("platform.node", return_value="fake-host")
pat_m = pat_p.start()
# %%
pat_seen = [platform.node(), platform.node()]
# %%
pat_p2 = mock.patch.dict(os.environ, {"PAT_MODE": "test"}); pat_p2.start()
# %% check
import platform, os
assert platform.node is pat_m and pat_seen == ["fake-host"] * 2 and pat_m.call_count == 2
assert os.environ["PAT_MODE"] == "test"
pat_p2.stop(); pat_p.stop()
assert "PAT_MODE" not in os.environ
assert platform.node is not pat_m and type(platform.node).__name__ == "function"
# %% case: pat_mock_objects_as_values
from unittest.mock import MagicMock, call, sentinel
pat_api = MagicMock(name="api")
pat_api.fetch.side_effect = [{"page": 1}, {"page": 2}, StopIteration]
pat_api.user.name = "ann"
# %%
pat_page1 = pat_api.fetch(url="/a")
pat_sent = [sentinel.DONE, sentinel.DONE]
# %% check
from unittest.mock import call, sentinel
assert pat_page1 == {"page": 1} and pat_api.user.name == "ann"
assert pat_api.fetch(url="/b") == {"page": 2}
assert pat_api.fetch.call_args_list == [call(url="/a"), call(url="/b")]
assert pat_sent[0] is pat_sent[1] is sentinel.DONE
pat_api.fetch.assert_any_call(url="/a")
# %% case: pat_pathlib_method_added [alone]
import pathlib
def pat_wc(self): return len(self.read_text().split())
pathlib.Path.wc = pat_wc
pathlib.Path.home_count = property(lambda self: len(self.parts))
# %%
pat_file = pathlib.Path("pat_words.txt"); pat_file.write_text("one two three")
# %% check
import pathlib
assert pat_file.wc() == 3 and pathlib.Path("a/b/c").home_count == 3
assert pathlib.Path.wc is pat_wc and isinstance(vars(pathlib.Path)["home_count"], property)
del pathlib.Path.wc
assert not hasattr(pat_file, "wc")
# %% case: pat_builtins_print_wrapped [alone]
import builtins
pat_printed = []
pat_print0 = builtins.print
def pat_print(*a, **k):
    pat_printed.append(a)
    return pat_print0(*a, **k)
builtins.print = pat_print
print("first")
# %%
print("second", 2)
builtins.DEBUG_LEVEL = 3
# %%
pat_lvl = DEBUG_LEVEL
# %% check
import builtins
assert pat_printed == [("first",), ("second", 2)]
assert print is pat_print and "print" not in globals() and pat_lvl == DEBUG_LEVEL == builtins.DEBUG_LEVEL == 3
print("third")
assert pat_printed[-1] == ("third",)
builtins.print = pat_print0; del builtins.DEBUG_LEVEL
assert type(print).__name__ == "builtin_function_or_method"
# %% case: pat_builtin_shadow_and_recover [alone]
list = [1, 2, 3]
sum = 10
def pat_use(): return max(sum, len(list))
# %%
pat_u = pat_use()
del sum
# %%
pat_total = sum(list)
max = min
# %% check
import builtins
assert list == [1, 2, 3] and pat_u == 10 and pat_total == 6
assert "sum" not in globals() and sum is builtins.sum and max is min and "max" in globals()
try:
    pat_use()
except TypeError:
    pass
else:
    raise AssertionError
del list, max
assert list("ab") == ["a", "b"] and max(1, 2) == 2
# %% case: pat_builtins_open_and_import_hooks [alone]
import builtins
pat_opened, pat_imports = [], []
pat_open0, pat_import0 = builtins.open, builtins.__import__
def pat_open(f, *a, **k):
    pat_opened.append(str(f)) if str(f).startswith("pat_") else None
    return pat_open0(f, *a, **k)
def pat_import(name, *a, **k):
    if name.startswith("this") or name == "colorsys": pat_imports.append(name)
    return pat_import0(name, *a, **k)
builtins.open, builtins.__import__ = pat_open, pat_import
# %%
with builtins.open("pat_hook.txt", "w") as f: f.write("x")
import colorsys
# %% check
import builtins, colorsys
assert builtins.open is pat_open and builtins.__import__ is pat_import
assert pat_imports == ["colorsys", "colorsys"] and pat_opened == ["pat_hook.txt"]
builtins.open, builtins.__import__ = pat_open0, pat_import0
import colorsys
assert pat_imports == ["colorsys", "colorsys"]
# %% case: pat_numpy_function_wrapped_and_removed [alone]
import numpy as np, functools
np_mean0 = np.mean
pat_calls = []
@functools.wraps(np.mean)
def pat_mean(*a, **k):
    pat_calls.append(a)
    return np_mean0(*a, **k)
np.mean = pat_mean
pat_partial = functools.partial(np.mean, axis=0)
# %%
pat_r = np.mean([1, 2, 3])
np.golden = (1 + 5 ** .5) / 2
# %%
np.mean = np_mean0
# %% check
import numpy
assert numpy.mean is np_mean0 is numpy._core.fromnumeric.mean
assert numpy.golden > 1.6 and pat_r == 2.0 and len(pat_calls) == 1
assert pat_partial.func is pat_mean and pat_mean.__wrapped__ is np_mean0
assert list(pat_partial([[1, 2], [3, 4]])) == [2, 3] and len(pat_calls) == 2
# %% case: pat_pandas_accessor_and_method [alone]
import pandas as pd
@pd.api.extensions.register_dataframe_accessor("geo")
class PatGeo:
    def __init__(self, df): self._df = df; self.hits = 0
    def center(self):
        self.hits += 1
        return float(self._df["lat"].mean())
pd.Series.double = lambda self: self * 2
# %%
pat_df = pd.DataFrame({"lat": [1.0, 3.0]})
pat_c = pat_df.geo.center()
# %% check
import pandas as pd
assert pat_c == 2.0 and pat_df.geo.center() == 2.0
assert pd.DataFrame.geo is PatGeo and "geo" in pd.DataFrame._accessors
assert type(pat_df.geo) is PatGeo and pat_df.geo._df is pat_df
pat_df.loc[0, "lat"] = 5.0
assert pat_df.geo.center() == 4.0
assert pat_df["lat"].double().tolist() == [10.0, 6.0]
# %% case: pat_sys_hooks [alone]
import sys
pat_shown, pat_unraisable = [], []
sys.unraisablehook = pat_hook = lambda args: pat_unraisable.append(type(args.exc_value).__name__)
pat_audit = sys.breakpointhook
def pat_bp(*a, **k): pat_shown.append(("bp", a))
sys.breakpointhook = pat_bp
# %%
class PatBad:
    def __del__(self): raise KeyError("in del")
pat_b = PatBad(); del pat_b
breakpoint("here")
# %% check
import sys, gc
assert sys.breakpointhook is pat_bp and sys.unraisablehook is pat_hook
assert pat_unraisable == ["KeyError"] and pat_shown == [("bp", ("here",))]
pat_b2 = PatBad(); del pat_b2
assert pat_unraisable == ["KeyError", "KeyError"]
breakpoint()
assert len(pat_shown) == 2
# %% case: pat_subclass_hook_abc_register [alone]
import collections.abc, numbers
class PatSeq:
    def __len__(self): return 3
    def __getitem__(self, i): return i
class PatNum: pass
collections.abc.Sequence.register(PatSeq)
# %%
numbers.Number.register(PatNum)
pat_seq, pat_num = PatSeq(), PatNum()
# %% check
import collections.abc, numbers
assert isinstance(pat_seq, collections.abc.Sequence) and issubclass(PatSeq, collections.abc.Collection)
assert isinstance(pat_num, numbers.Number) and not isinstance(pat_num, numbers.Real)
# %% case: pat_inside_instance_and_method_type
import types, argparse
pat_parser = argparse.ArgumentParser(prog="tool", exit_on_error=False)
pat_parser.add_argument("--n", type=int, default=3)
pat_errors = []
def pat_error(self, message): pat_errors.append((self.prog, message))
pat_parser.error = types.MethodType(pat_error, pat_parser)
# %%
pat_ns = pat_parser.parse_args([])
pat_parser.set_defaults(n=11)
# %% check
assert pat_ns.n == 3 and pat_parser.parse_args([]).n == 11
assert pat_parser.error.__self__ is pat_parser and pat_parser.error.__func__ is pat_error
pat_parser.error("boom")
assert pat_errors == [("tool", "boom")] and pat_parser.parse_args(["--n", "4"]).n == 4
