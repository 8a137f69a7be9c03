# What makes a session a session: failing cells, classes defined twice, outputs, magics, modules on disk, await.
# %% case: ev_failing_cell_deletes_first [alone]
ev1_done = []
ev1_alias = ev1_done
ev1_tmp = 1
sum = lambda values: "mine"
ev1_said = sum([1])
# %% raises ZeroDivisionError
del ev1_tmp, sum
try:
    for ev1_i in (2, 1, 0):
        ev1_done.append(4 // ev1_i)
    ev1_after = True
finally:
    ev1_done.append("end")
# %% check
import builtins
assert ev1_said == "mine" and sum is builtins.sum
assert ev1_done == [2, 4, "end"] and ev1_alias is ev1_done and ev1_i == 0
assert "ev1_tmp" not in globals() and "ev1_after" not in globals()

# %% case: ev_class_defined_twice
class Ev2Shape:
    made = []

    def __init__(self, n):
        self.n = n
        self.made.append(self)

    def size(self):
        return self.n

class Ev2Square(Ev2Shape):
    def size(self):
        return super().size() ** 2

ev2_old, ev2_sq = Ev2Shape(3), Ev2Square(3)
# %%
class Ev2Shape:
    made = []

    def __init__(self, n):
        self.n = n

    def size(self):
        return -self.n

ev2_new = Ev2Shape(3)
# %% check
assert (ev2_old.size(), ev2_sq.size(), ev2_new.size()) == (3, 9, -3)
assert type(ev2_old) is Ev2Square.__base__ and type(ev2_old) is not Ev2Shape
assert isinstance(ev2_new, Ev2Shape) and not isinstance(ev2_sq, Ev2Shape)
assert type(ev2_old).made[0] is ev2_old and Ev2Shape.made == []

# %% case: ev_outputs_shift_along [alone]
[1, 2]
# %%
{"k": 1}
# %%
_["k"] = 2
# %%
(9,)
# %% check
assert _ == (9,) and __ == {"k": 2} and ___ == [1, 2]
assert __ is Out[2] and Out[1] is ___ and sorted(Out) == [1, 2, 4]
assert In[3].strip() == '_["k"] = 2' and _i4.strip() == "(9,)"

# %% case: ev_own_underscore_then_not [alone]
"shown"
# %%
_ = "mine"
# %%
42
# %%
ev4_kept = _
del _
# %%
43
# %% check
assert ev4_kept == "mine"
assert _ == 43

# %% case: ev_file_newer_than_the_module
%%writefile ev5_rates.py
RATE = 1.0
table = {}
def price(n):
    return n * RATE
# %%
import ev5_rates
from ev5_rates import table as ev5_table
ev5_rates.table["a"] = ev5_rates.price(2)
# %%
%%writefile ev5_rates.py
RATE = 100.0   # edited, not loaded again
table = {"new": 1}
def price(n):
    return -n * RATE
# %% check
assert ev5_rates.RATE == 1.0 and ev5_rates.price(3) == 3.0
assert ev5_rates.table == {"a": 2.0} and ev5_table is ev5_rates.table

# %% case: ev_reload_with_old_parts_alive
%%writefile ev6_units.py
legacy = ["first file"]
class Unit:
    pass
def convert(x):
    return x * 10
# %%
import importlib, ev6_units
from ev6_units import convert as ev6_convert
ev6_unit = ev6_units.Unit()
ev6_legacy = ev6_units.legacy
# %%
%%writefile ev6_units.py
# the second file has no list, and another factor
class Unit:
    label = "new"
def convert(x):
    return x * 1000
# %%
importlib.reload(ev6_units);
# %% check
assert (ev6_convert(1), ev6_units.convert(1)) == (10, 1000) and ev6_convert is not ev6_units.convert
assert type(ev6_unit) is not ev6_units.Unit and not hasattr(ev6_unit, "label")
assert ev6_units.legacy is ev6_legacy and ev6_convert.__globals__ is vars(ev6_units)

# %% case: ev_magic_alias_and_macro [alone]
from IPython.core.magic import register_line_magic

ev7_notes = []

@register_line_magic
def ev7_note(line):
    ev7_notes.append(line)
    return len(ev7_notes)

get_ipython().define_macro("ev7_twice", "ev7_notes.append('m')\nev7_notes.append('n')\n")
# %%
%alias_magic ev7_n ev7_note
ev7_len = %ev7_note one
# %%
def ev7_watch(info):
    if "ev7" + "_mark" in info.raw_cell:
        ev7_notes.append("seen")

get_ipython().events.register("pre_run_cell", ev7_watch)
# %%
ev7_mark = 1
# %% check
assert ev7_len == 1 and ev7_notes == ["one", "seen"], ev7_notes
get_ipython().run_line_magic("ev7_n", "two")
get_ipython().run_cell("ev7_twice")
assert ev7_notes == ["one", "seen", "two", "m", "n"], ev7_notes
get_ipython().events.unregister("pre_run_cell", ev7_watch)

# %% case: ev_await_across_cells
import asyncio

ev8_item = {"id": 1}
ev8_queue = asyncio.Queue(maxsize=3)
await ev8_queue.put(ev8_item)
ev8_ready = asyncio.Event()
# %%
async def ev8_drain():
    got = []
    while not ev8_queue.empty():
        got.append(await ev8_queue.get())
    ev8_ready.set()
    return got

await ev8_queue.put({"id": 2})
# %%
ev8_got = await asyncio.wait_for(ev8_drain(), 5)
# %% check
assert [i["id"] for i in ev8_got] == [1, 2] and ev8_got[0] is ev8_item
assert ev8_queue.empty() and ev8_queue.maxsize == 3
assert await asyncio.wait_for(ev8_ready.wait(), 5)

# %% case: ev_finished_task_kept
import asyncio

async def ev9_work(n):
    await asyncio.sleep(0)
    if n < 0:
        raise ValueError("negative", n)
    return [n]

ev9_tasks = [asyncio.create_task(ev9_work(n)) for n in (1, -1)]
ev9_results = await asyncio.gather(*ev9_tasks, return_exceptions=True)
# %%
ev9_results[0].append("later")
# %% check
assert all(t.done() for t in ev9_tasks)
assert ev9_tasks[0].result() is ev9_results[0] and ev9_results[0] == [1, "later"]
assert ev9_tasks[1].exception() is ev9_results[1] and ev9_results[1].args == ("negative", -1)
