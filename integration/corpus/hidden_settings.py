# State that no variable of the notebook holds.
# %% case: ea_half_used_gauss_pair [alone]
import random
import numpy as np

random.seed(11)
np.random.seed(12)
ea1_draw = random.random
# %%
ea1_first = random.gauss(0, 1), np.random.standard_normal()
# %% check
ea1_r, ea1_n = random.Random(11), np.random.RandomState(12)
assert ea1_first == (ea1_r.gauss(0, 1), ea1_n.standard_normal())
assert random.gauss(0, 1) == ea1_r.gauss(0, 1)
assert np.random.standard_normal() == ea1_n.standard_normal()
assert (ea1_draw(), random.random()) == (ea1_r.random(), ea1_r.random())

# %% case: ea_decimal_context_and_flags [alone]
import decimal

ea2_ctx = decimal.getcontext()
ea2_ctx.prec = 7
ea2_ctx.rounding = decimal.ROUND_DOWN
ea2_ctx.traps[decimal.DivisionByZero] = False
# %%
ea2_third = decimal.Decimal(1) / 3
# %% check
assert decimal.Decimal(2) / 3 == decimal.Decimal("0.6666666")
assert decimal.getcontext().flags[decimal.Inexact]
assert (decimal.Decimal(1) / 0).is_infinite()
ea2_ctx.prec = 3
assert decimal.Decimal(2) / 3 == decimal.Decimal("0.666")

# %% case: ea_warning_filters_and_show [alone]
import warnings

ea3_seen = []
warnings.showwarning = lambda message, *rest, **more: ea3_seen.append(str(message))
warnings.filterwarnings("once", message="slow path")
warnings.filterwarnings("error", message="never this")

def ea3_slow():
    warnings.warn("slow path", UserWarning)
# %%
ea3_slow()
ea3_slow()
# %%
ea3_slow()
# %% check
ea3_before = len(ea3_seen)
ea3_slow()
ea3_slow()
assert ea3_before >= 1 and ea3_seen[ea3_before:] == ["slow path"], ea3_seen
try:
    warnings.warn("never this")
except UserWarning:
    pass
else:
    raise AssertionError("the filter is gone")

# %% case: ea_logging_tree [alone]
import logging

class Ea4List(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))

ea4_handler = Ea4List()
ea4_handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
ea4_logger = logging.getLogger("ea4.shop")
ea4_logger.propagate = False
ea4_logger.setLevel(15)
ea4_logger.addHandler(ea4_handler)
logging.addLevelName(15, "TRACE")
# %%
ea4_handler.addFilter(lambda record: "secret" not in record.getMessage())
ea4_child = ea4_logger.getChild("cart")
ea4_child.log(15, "one")
ea4_child.log(15, "a secret")
logging.disable(14)
# %% check
logging.getLogger("ea4.shop.cart").log(15, "two")
ea4_logger.setLevel(1)
ea4_child.log(14, "held back by disable")
assert ea4_handler.lines == ["TRACE ea4.shop.cart one", "TRACE ea4.shop.cart two"], ea4_handler.lines
assert logging.getLogger("ea4.shop").handlers[0] is ea4_handler
assert ea4_child.parent is ea4_logger

# %% case: ea_codecs_and_adapters [alone]
import codecs, sqlite3

class Ea5Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

ea5_bad = []

def ea5_stars(error):
    ea5_bad.append(error.object[error.start:error.end])
    return "*", error.end

codecs.register_error("ea5_stars", ea5_stars)
codecs.register(
    lambda name: codecs.CodecInfo(
        lambda s, errors="strict": (s[::-1].encode(), len(s)),
        lambda b, errors="strict": (bytes(b).decode()[::-1], len(b)),
        name="ea5_mirror",
    )
    if name == "ea5_mirror"
    else None
)
# %%
sqlite3.register_adapter(Ea5Point, lambda p: f"{p.x};{p.y}")
sqlite3.register_converter("ea5point", lambda raw: Ea5Point(*map(int, raw.split(b";"))))
# %% check
assert "né".encode("ascii", "ea5_stars") == b"n*" and ea5_bad == ["é"]
assert "abc".encode("ea5_mirror") == b"cba"
ea5_row = sqlite3.connect(":memory:", detect_types=sqlite3.PARSE_COLNAMES).execute(
    'select ? as "p [ea5point]"', (Ea5Point(1, 2),)
).fetchone()
assert (ea5_row[0].x, ea5_row[0].y) == (1, 2)

# %% case: ea_interpreter_limits [alone]
import gc, sys

gc.set_threshold(512, 7, 6)
gc.disable()
sys.setrecursionlimit(6000)
# %%
sys.set_int_max_str_digits(9000)

def ea6_depth(n):
    return 0 if n == 0 else 1 + ea6_depth(n - 1)
# %% check
assert not gc.isenabled() and gc.get_threshold() == (512, 7, 6)
assert sys.getrecursionlimit() == 6000 and ea6_depth(4500) == 4500
assert len(str(10 ** 8000)) == 8001

# %% case: ea_zone_directory_umask [alone]
import os, time

os.environ["TZ"] = "XYZ-3"
time.tzset()
os.makedirs("ea7_dir", exist_ok=True)
os.chdir("ea7_dir")
# %%
del os.environ["TZ"]
with open("ea7.txt", "w") as ea7_f:
    ea7_f.write("kept")
del ea7_f
os.umask(0o027);
# %% check
assert time.strftime("%H %Z", time.localtime(0)) == "03 XYZ"
assert "TZ" not in os.environ
assert os.path.basename(os.getcwd()) == "ea7_dir" and open("ea7.txt").read() == "kept"
assert os.umask(0o022) == 0o027

# %% case: ea_builtins_and_patched_library [alone]
import builtins, json, statistics

ea8_log = []
builtins.ea8_say = ea8_log.append
ea8_plain_default = json.JSONEncoder.default

def ea8_default(self, value):
    if isinstance(value, set):
        return sorted(value)
    return ea8_plain_default(self, value)

json.JSONEncoder.default = ea8_default
# %%
ea8_say("patched")
statistics.mean = lambda values, plain=statistics.mean: (ea8_say("mean"), plain(values))[1]
# %% check
assert json.dumps({"s": {2, 1}}) == '{"s": [1, 2]}'
try:
    json.dumps(object())
except TypeError:
    pass
else:
    raise AssertionError("the old encoder is lost")
assert statistics.mean([1, 3]) == 2 and ea8_log == ["patched", "mean"]
assert json.JSONEncoder.default is ea8_default

# %% case: ea_context_object_and_variable [alone]
import contextvars

ea9_user = contextvars.ContextVar("ea9_user", default="nobody")
ea9_ctx = contextvars.copy_context()

def ea9_who():
    return ea9_user.get()
# %%
ea9_ctx.run(ea9_user.set, "anna")
# %% check
assert ea9_ctx[ea9_user] == "anna"
assert ea9_ctx.run(ea9_who) == "anna"
assert ea9_who() == "nobody"
