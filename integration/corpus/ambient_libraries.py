# Settings of numpy, pandas, matplotlib, scikit-learn and torch.

# %% case: lib_numpy_print_and_errors [alone]
import numpy as np
np.set_printoptions(precision=3, suppress=True, formatter={"bool": lambda b: "yes" if b else "no"})
lib_calls = []
lib_old = np.seterr(divide="call", over="ignore")
np.seterrcall(lambda kind, flag: lib_calls.append(kind))
# %%
np.array([1.0]) / 0
# %% check
import numpy as np
assert repr(np.array([1.23456])) == "array([1.235])" and "yes" in repr(np.array([True]))
np.array([1.0]) / 0
assert lib_calls == ["divide by zero"] * 2 and np.geterr()["over"] == "ignore" and lib_old["divide"] == "warn"

# %% case: lib_numpy_options_back_to_default [alone]
import numpy as np
np.set_printoptions(linewidth=40)
# %%
np.set_printoptions(linewidth=75)
# %% check
import numpy as np
assert np.get_printoptions()["linewidth"] == 75

# %% case: lib_pandas_options [alone]
import pandas as pd
pd.set_option("display.max_rows", 7)
pd.options.display.float_format = "{:.1f}".format
pd.set_option("display.precision", 2)
# %%
pd.reset_option("display.precision")
lib_ctx = pd.option_context("display.max_columns", 3)
lib_ctx.__enter__()
# %% check
import pandas as pd
assert pd.get_option("display.max_rows") == 7 and pd.get_option("display.precision") == 6
assert pd.options.display.float_format(2.345) == "2.3" and pd.get_option("display.max_columns") == 3
assert "1.2" in repr(pd.DataFrame({"a": [1.234]})) and "1.23" not in repr(pd.DataFrame({"a": [1.234]}))

# %% case: lib_matplotlib_rc [alone]
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
from cycler import cycler
plt.rcParams["figure.figsize"] = (3, 2)
plt.rc("axes", prop_cycle=cycler(color=["r", "g"]))
plt.style.use("ggplot")
plt.ioff()
# %%
matplotlib.rcParams.update({"font.size": 5.5, "axes.grid": False})
# %% check
import matplotlib, matplotlib.pyplot as plt
assert list(plt.rcParams["figure.figsize"]) == [3.0, 2.0] and plt.rcParams["font.size"] == 5.5
assert plt.rcParams["axes.facecolor"] == "#E5E5E5" and not plt.isinteractive() and plt.rcParams["axes.grid"] is False
assert matplotlib.get_backend().lower() == "agg" and plt.figure().get_size_inches().tolist() == [3, 2]
plt.close("all")

# %% case: lib_matplotlib_rc_back [alone]
import matplotlib.pyplot as plt
plt.rcParams["lines.linewidth"] = 9
# %%
plt.rcdefaults()
# %% check
import matplotlib.pyplot as plt
assert plt.rcParams["lines.linewidth"] == 1.5

# %% case: lib_matplotlib_colormap [alone]
import matplotlib
from matplotlib.colors import ListedColormap
lib_cmap = ListedColormap(["#000000", "#ff0000"], name="lib_redblack")
matplotlib.colormaps.register(lib_cmap)
# %% check
import matplotlib
assert matplotlib.colormaps["lib_redblack"].N == 2 and matplotlib.colormaps["lib_redblack"](1)[0] == 1.0

# %% case: lib_sklearn_config [alone]
import sklearn
sklearn.set_config(transform_output="pandas", display="text")
# %%
from sklearn.preprocessing import StandardScaler
import pandas as pd
lib_out = StandardScaler().fit_transform(pd.DataFrame({"a": [1.0, 2.0]}))
# %% check
import sklearn
assert sklearn.get_config()["transform_output"] == "pandas" and sklearn.get_config()["display"] == "text"
assert type(lib_out).__name__ == "DataFrame"

# %% case: lib_torch_switches [alone]
import torch
torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True, warn_only=True)
torch.set_printoptions(precision=2)
lib_first = torch.rand(2)
# %%
torch.set_grad_enabled(False)
lib_w = torch.ones(2, requires_grad=True)
lib_y = lib_w * 2
# %% check
import torch
assert torch.get_default_dtype() is torch.float64 and torch.tensor([1.5]).dtype is torch.float64
assert torch.get_num_threads() == 1 and torch.are_deterministic_algorithms_enabled() and not torch.is_grad_enabled()
assert not lib_y.requires_grad and repr(torch.tensor([1.23456])) == "tensor([1.23])"
g = torch.Generator().manual_seed(3); assert torch.equal(torch.rand(2, generator=g), lib_first)
assert torch.equal(torch.rand(3), torch.rand(3, generator=g))

# %% case: lib_torch_no_grad_left_open [alone]
import torch
lib_guard = torch.no_grad()
lib_guard.__enter__()
# %%
lib_z = (torch.ones(1, requires_grad=True) * 3).requires_grad
# %% check
import torch
assert lib_z is False and not torch.is_grad_enabled()
lib_guard.__exit__(None, None, None)
assert torch.is_grad_enabled()

# %% case: lib_pil_and_plain_module_switches [alone]
import tempfile, calendar, os
tempfile.tempdir = os.getcwd()
calendar.setfirstweekday(calendar.SUNDAY)
# %% check
import tempfile, calendar, os
assert tempfile.gettempdir() == os.getcwd() and calendar.firstweekday() == 6
assert calendar.weekheader(2).startswith("Su")
