# Attributes set on functions and single objects of libraries, modules of a class of their own, slices of live objects, bases of views, dictionaries of attributes that variables hold.
# %% case: att_setting_of_a_library_object [alone]
from reprlib import aRepr
aRepr.maxlist = 2
# %% check
import reprlib
assert reprlib.aRepr is aRepr
assert reprlib.repr([1, 2, 3]) == "[1, 2, ...]"
# %% case: att_attributes_of_library_functions [alone]
import statistics, textwrap, numpy as np
textwrap.dedent.calls = afa_calls = [1]
np.linalg.norm.note = "checked"
statistics.mean.calls = 0
def afa_mean(x):
    statistics.mean.calls += 1
    return statistics.mean(x)
# %%
afa_mean([1, 2])
# %%
afa_mean([1, 3])
afa_seen = statistics.mean.calls
setattr(statistics.median, "tag", [afa_mean])
# %%
del statistics.mean.calls
statistics.mean.total = 3
# %% check
import statistics, textwrap, numpy as np
assert textwrap.dedent.calls is afa_calls and np.linalg.norm.note == "checked" and afa_seen == 2
assert not hasattr(statistics.mean, "calls") and statistics.mean.total == 3 and statistics.median.tag[0] is afa_mean
# %% case: att_attribute_behind_a_property [alone]
import calendar
calendar.c.firstweekday = 3
calendar.c.extra = [5]
abp_calendar = calendar.c
# %% check
import calendar
assert calendar.c.firstweekday == 3 == calendar.c._firstweekday and calendar.c is abp_calendar and calendar.c.extra == [5]
# %% case: att_class_patched_in_a_patched_module [alone]
import json
class AcpItem:
    size = 5
acp_dumps = json.dumps
json.dumps = lambda it, **options: acp_dumps(it, **options)
# %%
def acp_default(self, it):
    if isinstance(it, AcpItem):
        return {"size": it.size}
    raise TypeError("no")
json.JSONEncoder.default = acp_default
# %% check
import json
assert json.JSONEncoder.default is acp_default and json.dumps(AcpItem()) == '{"size": 5}'
# %% case: att_module_of_a_derived_class [alone]
import types, sys
class AmdModule(types.ModuleType):
    @property
    def answer(self): return self._half * 2
amd = AmdModule("amd_made"); amd._half = 21; sys.modules["amd_made"] = amd
# %%
import amd_made
amd_answer = amd_made.answer
# %% check
import amd_made as amd_again
assert amd_again is amd and amd_again.answer == 42 == amd_answer and type(amd_again) is AmdModule
# %% case: att_module_that_changes_its_class [alone]
open("amc_called.py", "w").write('''
import sys, types
class Called(types.ModuleType):
    def __call__(self, x): return x + self.base
    @property
    def twice(self): return self.base * 2
base = 10
sys.modules[__name__].__class__ = Called
''')
import amc_called
amc_first = amc_called(5)
# %%
amc_called.base = 20
# %% check
import amc_called as amc_again
assert amc_again is amc_called and amc_called(1) == 21 and amc_called.twice == 40 and amc_first == 15
# %% case: att_slice_of_a_live_object
asl_list = [1]
asl_slice = slice(0, asl_list); asl_options = {"w": slice(None, 5)}
# %% check
asl_list.append(2)
assert asl_slice.stop is asl_list and asl_options["w"] == slice(None, 5)
# %% case: att_bases_of_array_classes
import numpy as np
abc_map = np.memmap("abc_map.bin", "f8", "w+", shape=(10,)); abc_part = abc_map[2:5]; abc_part[:] = 3
class AbcUnits(np.ndarray): pass
abc_u = np.arange(6.).view(AbcUnits); abc_tail = abc_u[1:]; abc_back = abc_tail[::-1]; abc_table = abc_u.reshape(2, 3); abc_column = abc_table[:, 1]
abc_matrix = np.matrix([[1, 2], [3, 4]]); abc_row = abc_matrix[0]
abc_records = np.rec.array([(1, 2.0), (3, 4.0)], names="a,b"); abc_field = abc_records.b
abc_masked = np.ma.array([1., 2, 3], mask=[0, 1, 0]); abc_data = abc_masked.data
abc_days = np.array(["2024-01-01", "2024-01-02"], "M8[D]"); abc_day = abc_days[1:]
# %% check
assert abc_part.base is abc_map and abc_tail.base is abc_u and abc_table.base is abc_u and abc_row.base is abc_matrix
assert abc_part[0] == 3 and isinstance(abc_part, np.memmap) and abc_day.base is abc_days
abc_tail[0] = 77; assert abc_u[1] == 77 and abc_back[-1] == 77 and abc_table[0, 1] == 77 and abc_column[0] == 77
abc_row[0, 0] = 9; assert abc_matrix[0, 0] == 9
abc_field[0] = 8; assert abc_records.b[0] == 8
abc_data[0] = 5; assert abc_masked[0] == 5
abc_day[0] = "2025-05-05"; assert str(abc_days[1]) == "2025-05-05"
# %% case: att_object_that_answers_nothing
import pandas as pd
class AanProxy:
    def __init__(self, it): object.__setattr__(self, "it", it)
    def __getattribute__(self, name):
        if name in ("it", "__class__"): return object.__getattribute__(self, name)
        raise RuntimeError("asked " + name)
    def __setattr__(self, name, value): self.it[name] = value
aan = AanProxy({})
aan.x = 1
aan_frame = pd.DataFrame({"a": [1]}); aan_frame.note = [1]
# %%
aan.y = aan_frame.note
# %% check
assert aan.it["x"] == 1 and aan.it["y"] is aan_frame.note
# %% case: att_columns_written_through_their_arrays
import pandas as pd
acw_frame = pd.DataFrame({"k": ["a", "b", "a"], "age": pd.array([1, None, 3], dtype="Int64")})
acw_age, acw_key, acw_part = acw_frame["age"], acw_frame["k"], acw_frame[["age", "k"]]
acw_groups = acw_frame.groupby("k")
# %%
acw_sizes = acw_groups.size()
# %%
acw_sum = acw_age.sum()
acw_age.array[0] = 50
acw_key.array[0] = "z"
# %%
acw_seen = [acw_frame["age"][0], acw_frame["k"][0], acw_part["age"][0], acw_part["k"][0]]
# %% check
assert acw_seen == [50, "z", 50, "z"] and acw_sum == 4 and acw_sizes["a"] == 2
assert [acw_frame["age"][0], acw_frame["k"][0], acw_part["age"][0], acw_part["k"][0]] == [50, "z", 50, "z"]
# %% case: att_dictionary_of_an_instance_in_a_variable
class AdiPlain:
    def hello(self): return "class"
adi_empty = AdiPlain(); adi_shared = adi_empty.__dict__; adi_bound = adi_empty.hello
adi_full = AdiPlain(); adi_full.y = 3; adi_full_shared = adi_full.__dict__
adi_deep = {"of": [AdiPlain()]}; adi_deep["attributes"] = vars(adi_deep["of"][0])
# %%
adi_shared["x"] = [1]; adi_full_shared["x"] = adi_shared["x"]
AdiPlain.hello = lambda self: "patched"
# %%
adi_deep["attributes"]["z"] = 1; adi_deep["of"][0].w = 2
adi_full.y = 4; adi_empty.x.append(2)
# %% check
assert vars(adi_empty) is adi_shared and vars(adi_full) is adi_full_shared and vars(adi_deep["of"][0]) is adi_deep["attributes"]
assert adi_shared == {"x": [1, 2]} and adi_full_shared == {"y": 4, "x": [1, 2]} and adi_deep["attributes"] == {"z": 1, "w": 2}
assert adi_full.x is adi_empty.x and adi_bound() == "class" and adi_bound.__self__ is adi_empty and adi_empty.hello() == "patched"
del adi_shared["x"]; assert not hasattr(adi_empty, "x") and hasattr(adi_full, "x")
# %% case: att_dictionary_that_is_its_own_attributes
class AdoPlain(dict): pass
ado_apart = AdoPlain(); ado_apart_shared = ado_apart.__dict__
ado_late = AdoPlain(a=1); ado_late.__dict__ = ado_late
class AdoAttributes(dict):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.__dict__ = self
ado_empty = AdoAttributes()
ado_config = AdoAttributes(rate=0.1, model=AdoAttributes(layers=[1, 2]))
ado_model = ado_config.model; ado_alias = {"config": ado_config, "layers": ado_config["model"]["layers"]}
# %%
ado_apart_shared["x"] = [1]; ado_late.b = 2; ado_empty.first = 1
ado_config.rate = 0.2; ado_config["seed"] = 7
ado_model.layers.append(3)
# %%
ado_config.model.optimizer = AdoAttributes(name="adam"); ado_model["optimizer"]["momentum"] = 0.9
ado_config.back = ado_config
del ado_config["seed"]
# %% check
assert vars(ado_apart) is ado_apart_shared and ado_apart.x == [1] and dict(ado_apart) == {}
assert vars(ado_late) is ado_late == {"a": 1, "b": 2} and ado_late.a == 1 and ado_late["b"] == 2
assert vars(ado_empty) is ado_empty == {"first": 1} and vars(ado_config) is ado_config and vars(ado_model) is ado_model
assert ado_config.rate == ado_config["rate"] == 0.2 and not hasattr(ado_config, "seed") and ado_config.back is ado_config is ado_alias["config"]
assert ado_config.model is ado_model and ado_model.layers is ado_alias["layers"] and ado_model["layers"] == [1, 2, 3]
assert type(ado_model.optimizer) is AdoAttributes and ado_model.optimizer == {"name": "adam", "momentum": 0.9} and ado_model.optimizer.momentum == 0.9
ado_model.width = 5; assert ado_alias["config"]["model"]["width"] == 5
ado_config["depth"] = 6; assert ado_config.depth == 6
