# What is shared between names: iterators on one source, cells, views, identities, cycles.
# %% case: es_grouper_shared_iterator
es1_src = iter(range(20))
es1_rows = zip(es1_src, es1_src, es1_src)
es1_head = next(es1_rows)
# %%
es1_peek = next(es1_src)
# %% check
assert es1_head == (0, 1, 2) and es1_peek == 3
assert next(es1_rows) == (4, 5, 6)
assert next(es1_src) == 7

# %% case: es_nan_found_by_identity
es2_nan = float("nan")
es2_seen = [1.0, es2_nan]
es2_names = {es2_nan: "missing"}
# %%
es2_probe = {"value": es2_nan}
# %% check
assert es2_probe["value"] in es2_seen
assert es2_names[es2_nan] == "missing"
assert es2_names.get(float("nan")) is None

# %% case: es_one_cell_three_functions
import types

def es3_make():
    total = 0

    def add(n):
        nonlocal total
        total += n

    def read():
        return total

    return add, read

def es3_template():
    total = None

    def double():
        return 2 * total

    return double

es3_add, es3_read = es3_make()
# %%
es3_cell = es3_read.__closure__[0]
es3_double = types.FunctionType(es3_template().__code__, globals(), "es3_double", None, (es3_cell,))
# %%
es3_cell.cell_contents = 100
es3_add(1)
# %% check
assert es3_read() == 101
assert es3_double() == 202
es3_add(1)
assert es3_cell.cell_contents == 102 and es3_double() == 204
assert es3_add.__closure__[0] is es3_double.__closure__[0]

# %% case: es_dict_views_and_proxy_live
import types

es4_stock = {"apple": 3}
es4_keys = es4_stock.keys()
es4_items = es4_stock.items()
es4_public = types.MappingProxyType(es4_stock)
# %%
es4_stock["pear"] = 5
# %% check
es4_stock["plum"] = 8
assert list(es4_keys) == ["apple", "pear", "plum"]
assert ("plum", 8) in es4_items
assert es4_public["plum"] == 8
try:
    es4_public["fig"] = 1
except TypeError:
    pass
else:
    raise AssertionError("the proxy became writable")

# %% case: es_module_made_at_run_time
import sys, types

es5_mod = types.ModuleType("es5_settings")
exec("limit = 3\ndef allowed(n, seen=[]):\n    seen.append(n)\n    return n < limit\n", es5_mod.__dict__)
sys.modules["es5_settings"] = es5_mod
# %%
import es5_settings as es5_s
from es5_settings import allowed as es5_allowed
es5_s.limit = 10
es5_first = es5_allowed(7)
# %% check
assert es5_first and es5_allowed(8)
es5_mod.limit = 1
assert not es5_allowed(7)
assert sys.modules["es5_settings"] is es5_mod is es5_s
assert es5_mod.allowed.__defaults__[0] == [7, 8, 7]

# %% case: es_memoryview_window
from array import array

es6_buf = array("i", range(8))
es6_view = memoryview(es6_buf)
es6_part = es6_view[2:6]
es6_ro = es6_view.toreadonly()
# %%
es6_part[0] = -1
# %% check
es6_part[1] = -2
assert es6_buf[2] == -1 and es6_buf[3] == -2
assert es6_ro[3] == -2 and es6_ro.readonly
try:
    es6_buf.append(1)
except BufferError:
    pass
else:
    raise AssertionError("the array forgot that it is looked at")

# %% case: es_cycle_through_hashed_set
class Es7Node:
    def __init__(self, name):
        self.name = name
        self.peers = set()

    def __hash__(self):
        return hash(self.name)

    def __eq__(self, other):
        return self.name == other.name

es7_a, es7_b = Es7Node("a"), Es7Node("b")
es7_index = {es7_a: "first", es7_b: "second"}
# %%
es7_a.peers.add(es7_b)
es7_b.peers.add(es7_a)
# %% check
assert es7_a in es7_b.peers and es7_b in es7_a.peers
assert next(iter(es7_b.peers)) is es7_a
assert next(iter(next(iter(es7_a.peers)).peers)) is es7_a
assert es7_index[Es7Node("b")] == "second"
