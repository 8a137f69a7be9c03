# Ambient process and interpreter state: environment, cwd, sys.path, argv, limits, locale, TZ, warnings, decimal context, RNG positions.
# %% case: amb_environ_set_changed_deleted [alone]
import os
os.environ["AMB_NEW"] = "ü=1"
amb_had_lang = os.environ.pop("PATH_TO_NOTHING", None)
# %%
os.environ["AMB_GONE"] = "x"; os.environ["AMB_NEW"] += ";2"
amb_snapshot = os.environ.copy()
# %%
del os.environ["AMB_GONE"]
os.putenv("AMB_PUTENV_ONLY", "raw")
%env AMB_MAGIC=from magic
# %% check
import os, subprocess, sys
assert os.environ["AMB_NEW"] == "ü=1;2" and "AMB_GONE" not in os.environ and os.environ["AMB_MAGIC"] == "from magic"
assert amb_snapshot["AMB_GONE"] == "x" and type(amb_snapshot) is dict
assert os.getenvb(b"AMB_NEW") == "ü=1;2".encode()
r = subprocess.run([sys.executable, "-S", "-c", "import os; print(ascii(os.environ['AMB_NEW']), 'AMB_GONE' in os.environ)"], capture_output=True, text=True)
assert r.stdout.split() == ["'\\xfc=1;2'", "False"], r
# %% case: amb_chdir_relative_and_back [alone]
import os
amb_home = os.getcwd()
os.makedirs("amb_proj/data", exist_ok=True)
os.chdir("amb_proj")
open("data/in.txt", "w").write("42")
# %%
amb_v = int(open("data/in.txt").read())
%cd data
# %%
amb_here = os.path.relpath(os.getcwd(), amb_home)
# %% check
import os
assert amb_here == os.path.join("amb_proj", "data") == os.path.relpath(os.getcwd(), amb_home)
assert open("in.txt").read() == "42" and amb_v == 42
assert [os.path.relpath(d, amb_home) for d in _dh] == [".", os.path.join("amb_proj", "data")] and _dh is get_ipython().user_ns["_dh"]
get_ipython().run_line_magic("cd", "-q -")
assert os.getcwd() == amb_home
# %% case: amb_sys_path_same_list_object [alone]
import sys, os
os.makedirs("amb_lib", exist_ok=True); open("amb_lib/amb_only_here.py", "w").write("v = 'from amb_lib'\n")
amb_path = sys.path
sys.path.append(os.path.abspath("amb_lib"))
# %%
amb_path.insert(0, "/nonexistent/amb")
amb_n = len(sys.path)
# %% check
import sys
assert amb_path is sys.path and sys.path[0] == "/nonexistent/amb" and len(sys.path) == amb_n
assert sys.path[-1].endswith("amb_lib")
import amb_only_here
assert amb_only_here.v == "from amb_lib"
# %% case: amb_sys_path_rebound [alone]
import sys
amb_before = sys.path
sys.path = [p for p in sys.path if p] + ["amb_tail"]
amb_argv0 = sys.argv
sys.argv = ["train.py", "--lr", "0.1"]
# %%
import argparse
amb_ap = argparse.ArgumentParser(); amb_ap.add_argument("--lr", type=float)
amb_args = amb_ap.parse_args()
# %% check
import sys
assert sys.path is not amb_before and "amb_tail" in sys.path and "amb_tail" not in amb_before
assert sys.argv == ["train.py", "--lr", "0.1"] and sys.argv is not amb_argv0
sys.argv[2] = "0.5"
assert amb_args.lr == 0.1 and amb_ap.parse_args().lr == 0.5 and type(amb_args) is argparse.Namespace
# %% case: amb_recursion_limit_and_switch_interval [alone]
import sys, gc
sys.setrecursionlimit(4321); sys.setswitchinterval(0.0123)
gc.set_threshold(901, 7, 6)
sys.set_int_max_str_digits(10000)
def amb_depth(n): return 0 if n == 0 else 1 + amb_depth(n - 1)
# %%
amb_d = amb_depth(2900)
amb_big = 7 ** 9000
gc.disable()
# %% check
import sys, gc
assert sys.getrecursionlimit() == 4321 and abs(sys.getswitchinterval() - 0.0123) < 1e-6
assert gc.get_threshold()[:2] == (901, 7) and not gc.isenabled()
assert sys.get_int_max_str_digits() == 10000 and len(str(amb_big)) == 7606
assert amb_depth(3000) == 3000 and amb_d == 2900
gc.enable()
# %% case: amb_timezone [alone]
import os, time, datetime
os.environ["TZ"] = "Asia/Tokyo"; time.tzset()
amb_stamp = datetime.datetime.fromtimestamp(0)
# %%
amb_local = time.localtime(86400)
amb_aware = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=5, minutes=30), "IST"))
# %% check
import time, datetime
assert time.tzname == ("JST", "JST") and time.timezone == -32400
assert amb_stamp.hour == 9 and datetime.datetime.fromtimestamp(0).hour == 9
assert amb_local.tm_zone == "JST" and amb_local.tm_gmtoff == 32400 and time.localtime(86400) == amb_local and amb_local.tm_isdst == 0
assert amb_aware.tzname() == "IST" and amb_aware.astimezone().hour == 3 and amb_aware.astimezone().tzname() == "JST"
# %% case: amb_locale_and_encoding [alone]
import locale, sys
amb_prev = locale.setlocale(locale.LC_NUMERIC)
locale.setlocale(locale.LC_ALL, "C")
amb_cv = locale.localeconv()["grouping"]
# %%
amb_over = locale._override_localeconv
locale._override_localeconv = {"thousands_sep": ".", "grouping": [3, 0], "decimal_point": ","}
amb_fmt = locale.format_string("%.2f", 1234567.5, grouping=True)
# %% check
import locale
assert locale.setlocale(locale.LC_ALL) == "C" and amb_cv == []
assert amb_fmt == "1.234.567,50" == locale.format_string("%.2f", 1234567.5, grouping=True)
assert locale.str(0.5) == "0,5" and amb_over == {}
# %% case: amb_warning_filters_in_order [alone]
import warnings
class AmbWarning(UserWarning): pass
warnings.filterwarnings("error", category=AmbWarning)
warnings.filterwarnings("ignore", message=r"quiet: .*")
amb_shown = []
amb_sw = warnings.showwarning
warnings.showwarning = lambda m, c, *a, **k: amb_shown.append((str(m), c))
# %%
warnings.warn("quiet: nothing"); warnings.warn("loud one", DeprecationWarning)
warnings.simplefilter("always", DeprecationWarning)
warnings.warn("loud two", DeprecationWarning)
# %% raises AmbWarning
warnings.warn("stop", AmbWarning)
# %% check
import warnings
assert [f[0] for f in warnings.filters[:3]] == ["always", "ignore", "error"]
assert warnings.filters[2][2] is AmbWarning and warnings.filters[1][1].match("quiet: x")
try:
    warnings.warn("again", AmbWarning)
except AmbWarning as e:
    assert type(e) is AmbWarning
else:
    raise AssertionError
n = len(amb_shown); assert ("loud two", DeprecationWarning) in amb_shown
warnings.warn("quiet: me", FutureWarning); warnings.warn("l3", DeprecationWarning)
assert len(amb_shown) == n + 1 and amb_shown[-1] == ("l3", DeprecationWarning)
# %% case: amb_catch_warnings_left_open [alone]
import warnings
amb_cw = warnings.catch_warnings(record=True)
amb_log = amb_cw.__enter__()
warnings.simplefilter("always")
# %%
warnings.warn("first"); warnings.warn("second", RuntimeWarning)
amb_n = len(amb_log)
# %% check
import warnings
warnings.warn("third", BytesWarning)
amb_cw.__exit__(None, None, None)
assert amb_n == 2 and [w.category for w in amb_log] == [UserWarning, RuntimeWarning, BytesWarning]
assert str(amb_log[0].message) == "first"
k = len(amb_log); 
with warnings.catch_warnings():
    warnings.simplefilter("ignore"); warnings.warn("outside")
assert len(amb_log) == k
# %% case: amb_decimal_context [alone]
import decimal
decimal.getcontext().prec = 7
decimal.getcontext().rounding = decimal.ROUND_DOWN
amb_ctx = decimal.getcontext()
amb_a = decimal.Decimal(2) / 3
# %%
amb_ctx.traps[decimal.Inexact] = False; amb_ctx.Emax = 50
amb_ctx.clear_flags(); decimal.Decimal(1) / 8
amb_flags0 = amb_ctx.flags[decimal.Inexact]
decimal.Decimal(1) / 7
# %% check
import decimal
assert decimal.getcontext() is amb_ctx
assert str(amb_a) == "0.6666666" and str(decimal.Decimal(2) / 3) == "0.6666666"
assert (amb_ctx.prec, amb_ctx.rounding, amb_ctx.Emax) == (7, decimal.ROUND_DOWN, 50)
assert amb_flags0 is False and amb_ctx.flags[decimal.Inexact] is True
amb_ctx.prec = 3
assert str(decimal.Decimal(1) / 7) == "0.142"
# %% case: amb_localcontext_left_open [alone] [pinned]
import decimal
amb_mgr = decimal.localcontext(prec=4)
amb_inner = amb_mgr.__enter__()
amb_x = decimal.Decimal(1) / 3
# %%
amb_y = decimal.Decimal(10) / 3
# %% check
import decimal
assert str(amb_x) == "0.3333" and str(amb_y) == "3.333" and decimal.getcontext().prec == 4
amb_inner.prec = 2
assert str(decimal.Decimal(1) / 3) == "0.33"
amb_mgr.__exit__(None, None, None)
assert decimal.getcontext().prec == 28
# %% case: amb_random_position_with_gauss_pending [alone]
import random
random.seed(2024)
amb_first = [random.random() for _ in range(5)]
amb_g = random.gauss(0, 1)
# %%
amb_state = random.getstate()
amb_own = random.Random(5); amb_own.shuffle(amb_first)
amb_bound = random.randint
# %% check
import random
r = random.Random(2024); [r.random() for _ in range(5)]; assert r.gauss(0, 1) == amb_g
assert random.getstate() == amb_state == r.getstate() and amb_state[2] is not None
assert random.gauss(0, 1) == r.gauss(0, 1), "the second half of the gauss pair was lost"
assert amb_bound(1, 10**9) == r.randint(1, 10**9) and random.random() == r.random()
q = random.Random(5); q.shuffle([0] * 5); assert amb_own.random() == q.random()
assert amb_bound.__self__ is random._inst
# %% case: amb_numpy_rngs_legacy_and_new [alone]
import numpy as np
np.random.seed(11); np.random.standard_normal()
amb_rs = np.random.RandomState(3)
amb_gen = np.random.default_rng(7)
amb_kids = amb_gen.spawn(2)
# %%
amb_draw = amb_gen.integers(0, 100, 3, dtype=np.uint8)
amb_alias = amb_gen.bit_generator
amb_global = np.random.mtrand._rand
# %% check
import numpy as np
l = np.random.RandomState(11); l.standard_normal()
assert np.random.standard_normal() == l.standard_normal() and np.random.randint(10**6) == l.randint(10**6)
assert np.random.mtrand._rand is amb_global and np.random.get_state()[1].tolist() == l.get_state()[1].tolist()
g = np.random.default_rng(7); kids = g.spawn(2); d = g.integers(0, 100, 3, dtype=np.uint8)
assert (d == amb_draw).all() and amb_alias is amb_gen.bit_generator
assert amb_gen.integers(0, 100, dtype=np.uint8) == g.integers(0, 100, dtype=np.uint8)
amb_alias.random_raw(); g.bit_generator.random_raw()
assert amb_gen.random() == g.random() and amb_kids[1].random() == kids[1].random()
assert amb_gen.spawn(1)[0].random() == g.spawn(1)[0].random(), "SeedSequence spawn counter"
assert amb_rs.rand() == np.random.RandomState(3).rand()
# %% case: amb_numpy_global_bit_generator_replaced [alone]
import numpy as np
amb_bg = np.random.PCG64(99)
np.random.set_bit_generator(amb_bg)
amb_v = np.random.random(2).tolist()
# %%
amb_w = float(np.random.uniform())
# %% check
import numpy as np
b = np.random.RandomState(np.random.PCG64(99))
assert np.random.get_bit_generator() is amb_bg
assert b.random_sample(2).tolist() == amb_v and b.uniform() == amb_w and np.random.uniform() == b.uniform()
