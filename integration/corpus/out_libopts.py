# Options of numpy, pandas, matplotlib, sklearn, scipy and torch set by the notebook, and objects that depend on them.
# %% case: opt_numpy_print_and_err [alone]
import numpy as np
np.set_printoptions(precision=2, suppress=True, linewidth=40, formatter={"bool": lambda b: "T" if b else "F"})
opt_old = np.seterr(divide="raise", over="ignore")
# %%
opt_hits = []
np.seterrcall(lambda kind, flag: opt_hits.append(kind))
np.seterr(invalid="call")
opt_r = np.sqrt(np.array([-1.0]))
# %% check
import numpy as np
assert str(np.array([1.23456, 1e-9])) == "[1.23 0.  ]" and str(np.array([True, False])) == "[T F]"
assert np.geterr() == {**opt_old, "divide": "raise", "over": "ignore", "invalid": "call"}
try:
    np.array([1.0]) / 0
except FloatingPointError:
    pass
else:
    raise AssertionError
np.array([np.inf]) - np.inf
assert opt_hits == ["invalid value"] * 2, opt_hits
# %% case: opt_numpy_errstate_left_open [alone] [pinned]
import numpy as np
opt_es = np.errstate(all="raise"); opt_es.__enter__()
opt_po = np.printoptions(threshold=3); opt_po.__enter__()
# %%
opt_s = str(np.arange(10))
# %% check
import numpy as np
assert opt_s == "[0 1 2 ... 7 8 9]" == str(np.arange(10)) and np.geterr()["under"] == "raise"
opt_es.__exit__(None, None, None); opt_po.__exit__(None, None, None)
assert np.geterr()["under"] == "ignore" and "..." not in str(np.arange(10))
# %% case: opt_pandas_display_and_mode [alone]
import pandas as pd
pd.set_option("display.max_rows", 4, "display.precision", 1)
pd.options.display.float_format = "<{:.1f}>".format
opt_df = pd.DataFrame({"x": [1.26, 2.5, 3, 4, 5, 6]})
# %%
pd.set_option("mode.string_storage", "python")
pd.set_option("display.width", 33)
# %% check
import pandas as pd
assert pd.get_option("display.max_rows") == 4 and "<1.3>" in repr(opt_df) and ".." in repr(opt_df)
assert pd.options.mode.string_storage == "python" and pd.options.display.width == 33
pd.reset_option("display.width"); assert pd.options.display.width == 80
pd.reset_option("display.float_format"); assert "1.3" in repr(opt_df) and "<" not in repr(opt_df)
# %% case: opt_pandas_context_left_open [alone]
import pandas as pd
opt_pdctx = pd.option_context("display.max_colwidth", 9); opt_pdctx.__enter__()
# %%
opt_rep = repr(pd.Series(["a" * 30]))
# %% check
import pandas as pd
assert pd.get_option("display.max_colwidth") == 9 and opt_rep == repr(pd.Series(["a" * 30]))
opt_pdctx.__exit__(None, None, None); assert pd.get_option("display.max_colwidth") == 50
# %% case: opt_matplotlib_rc_and_style [alone]
import matplotlib; matplotlib.use("Agg")
import matplotlib.pyplot as plt
plt.style.use("ggplot")
plt.rcParams["lines.linewidth"] = 3.5
matplotlib.rc("font", size=9, family="monospace")
# %%
from cycler import cycler
plt.rcParams["axes.prop_cycle"] = cycler(color=["r", "k"]) * cycler(lw=[1, 2])
opt_saved = dict(plt.rcParams.copy())
# %% check
import matplotlib as mpl, matplotlib.pyplot as p
assert mpl.get_backend().lower() == "agg" and mpl.rcParams["lines.linewidth"] == 3.5 and mpl.rcParams["font.size"] == 9
assert mpl.rcParams["axes.facecolor"] == "#E5E5E5" and p.rcParams is mpl.rcParams
f, ax = p.subplots()
assert [ax.plot([1, 2])[0].get_color() for _ in range(4)] == ["r", "r", "k", "k"]
assert ax.lines[1].get_linewidth() == 2 and len(opt_saved) == len(mpl.rcParams)
p.close(f); p.rcdefaults(); assert mpl.rcParams["lines.linewidth"] == 1.5
# %% case: opt_matplotlib_registered_things [alone]
import matplotlib; matplotlib.use("Agg")
import matplotlib.pyplot as plt, matplotlib.colors as mc, matplotlib.scale, matplotlib.projections
opt_cm = mc.ListedColormap(["#000000", "#ffffff"], name="optbw")
matplotlib.colormaps.register(opt_cm)
class OptAxes(matplotlib.axes.Axes):
    name = "opt_axes"
    def mark(self): self.marked = True; return self
matplotlib.projections.register_projection(OptAxes)
# %%
plt.rcParams["image.cmap"] = "optbw"
opt_ax = plt.figure().add_subplot(projection="opt_axes").mark()
plt.style.library["optstyle"] = {"lines.linestyle": ":"}
# %% check
import matplotlib as mpl, matplotlib.pyplot as p
assert mpl.colormaps["optbw"](0) == (0, 0, 0, 1) and mpl.rcParams["image.cmap"] == "optbw"
assert type(opt_ax) is OptAxes and opt_ax.marked and p.gca() is opt_ax
assert "opt_axes" in mpl.projections.get_projection_names() and type(p.figure().add_subplot(projection="opt_axes")) is OptAxes
p.style.use("optstyle"); assert mpl.rcParams["lines.linestyle"] == ":"
p.close("all")
# %% case: opt_sklearn_config_and_sets [alone]
import sklearn, numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.linear_model import Ridge
sklearn.set_config(display="text", transform_output="pandas", enable_metadata_routing=True)
opt_pipe = make_pipeline(StandardScaler(), Ridge())
# %%
opt_pipe.set_params(ridge__alpha=0.0)
opt_pipe.fit(np.array([[0.], [1.], [2.]]), [1., 3., 5.])
opt_scaler = opt_pipe[0]
# %% check
import sklearn, pandas as pd, numpy as np
assert sklearn.get_config()["transform_output"] == "pandas" and sklearn.get_config()["enable_metadata_routing"]
assert opt_scaler is opt_pipe.named_steps["standardscaler"]
assert type(opt_scaler.transform(np.array([[3.]]))) is pd.DataFrame and repr(opt_pipe[1]) == "Ridge(alpha=0.0)"
opt_scaler.mean_[0] += 1.0
assert abs(opt_pipe.predict(np.array([[1.0]]))[0] - 1.0) < 1e-6, "pipeline and scaler must still be one object"
# %% case: opt_torch_defaults [alone]
import torch
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
torch.set_printoptions(precision=2, sci_mode=False)
torch.use_deterministic_algorithms(True, warn_only=True)
# %%
torch.set_grad_enabled(False)
opt_t = torch.tensor([1.0, 2.0])
opt_lin = torch.nn.Linear(2, 1)
# %% check
import torch
assert torch.get_default_dtype() is torch.float64 and opt_t.dtype is torch.float64 and opt_lin.weight.dtype == torch.float64
assert torch.get_num_threads() == 1 and not torch.is_grad_enabled() and opt_lin(opt_t).grad_fn is None
assert torch.are_deterministic_algorithms_enabled() and torch.is_deterministic_algorithms_warn_only_enabled()
assert repr(torch.tensor(3.14159)) == "tensor(3.14)" and torch.zeros(1).dtype is torch.float64
# %% case: opt_torch_device_and_flags [alone]
import torch
torch.set_default_device("meta")
opt_meta = torch.zeros(3)
torch.set_default_device("cpu")
torch.set_float32_matmul_precision("high")
torch.autograd.set_detect_anomaly(True)
# %%
opt_inf = torch.ones(2); torch.set_default_device("meta")
torch.set_flush_denormal(False); torch.backends.cudnn.benchmark = True
# %% check
import torch
assert torch.is_anomaly_enabled() and torch.ones(1).is_meta and opt_inf.device.type == "cpu"
assert opt_meta.is_meta and torch.get_default_device().type == "meta" and torch.get_float32_matmul_precision() == "high"
assert torch.backends.cudnn.benchmark is True
torch.set_default_device(None); assert torch.ones(1).device.type == "cpu"
# %% case: opt_torch_inference_mode_left_open [alone] [pinned]
import torch
opt_im = torch.inference_mode(); opt_im.__enter__()
# %%
opt_itensor = torch.ones(2)
# %% check
import torch
assert torch.is_inference_mode_enabled() and opt_itensor.is_inference() and torch.ones(1).is_inference()
opt_im.__exit__(None, None, None)
assert not torch.is_inference_mode_enabled() and not torch.ones(1).is_inference() and torch.is_grad_enabled()
# %% case: opt_torch_rng_position [alone]
import torch
torch.manual_seed(5); opt_a = torch.rand(3)
opt_gen = torch.Generator().manual_seed(9); torch.randn(2, generator=opt_gen)
# %%
opt_perm = torch.randperm(5); opt_state = torch.get_rng_state()
opt_dl_gen = torch.default_generator
# %% check
import torch
g = torch.Generator().manual_seed(5); a = torch.rand(3, generator=g); pm = torch.randperm(5, generator=g)
assert torch.equal(a, opt_a) and torch.equal(pm, opt_perm)
assert torch.equal(torch.get_rng_state(), opt_state) and torch.initial_seed() == 5 and opt_dl_gen is torch.default_generator
assert torch.equal(torch.rand(4), torch.rand(4, generator=g))
h = torch.Generator().manual_seed(9); torch.randn(2, generator=h)
assert torch.equal(torch.randn(3, generator=opt_gen), torch.randn(3, generator=h)) and opt_gen.initial_seed() == 9
# %% case: opt_torch_optimizer_shares_parameters
import torch
opt_net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
with torch.no_grad():
    for opt_p in opt_net.parameters(): opt_p.fill_(0.1)
opt_adam = torch.optim.Adam(opt_net.parameters(), lr=0.1)
opt_sched = torch.optim.lr_scheduler.StepLR(opt_adam, step_size=1, gamma=0.5)
# %%
opt_loss = opt_net(torch.ones(4, 2)).pow(2).mean(); opt_loss.backward(); opt_adam.step(); opt_sched.step()
opt_tied = opt_net[0].weight
opt_net[2].register_buffer("seen", torch.zeros(1))
# %% check
import torch
assert all(a is b for a, b in zip(opt_adam.param_groups[0]["params"], opt_net.parameters()))
assert opt_adam.state[opt_tied]["step"] == 1 and opt_sched.optimizer is opt_adam and opt_adam.param_groups[0]["lr"] == 0.05
assert opt_tied.grad is not None and opt_p is opt_net[2].bias and opt_tied is opt_net[0].weight
w0 = opt_net[0].weight.detach().clone(); opt_adam.zero_grad(); opt_net(torch.ones(1, 2)).sum().backward(); opt_adam.step()
assert not torch.equal(w0, opt_tied) and opt_net[2].seen is opt_net[2].get_buffer("seen") and opt_tied.requires_grad
# %% case: opt_torch_views_and_hooks
import torch
opt_base = torch.arange(6.0).reshape(2, 3); opt_row = opt_base[1]; opt_np = opt_base.numpy()
opt_mod = torch.nn.Linear(3, 3, bias=False); torch.nn.init.eye_(opt_mod.weight)
opt_acts = []
opt_hook = opt_mod.register_forward_hook(lambda m, i, o: opt_acts.append(float(o.sum())))
# %%
opt_mod(opt_row)
opt_np[1, 0] = 100
# %% check
assert opt_base[1, 0] == 100 == opt_row[0] and opt_acts == [12.0]
opt_row[2] = -1; assert opt_np[1, 2] == -1 and opt_base[1, 2] == -1
opt_mod(opt_row); assert opt_acts == [12.0, 103.0]
opt_hook.remove(); opt_mod(opt_row); assert len(opt_acts) == 2, "the handle must still belong to the module"
# %% case: opt_scipy_fft_backend_and_pandas_plot [alone]
import scipy.fft, scipy.special, numpy as np, pandas as pd
opt_w = scipy.fft.get_workers()
scipy.special.seterr(singular="raise")
pd.options.compute.use_numexpr = False
# %%
from scipy.interpolate import CubicSpline
opt_sp = CubicSpline([0, 1, 2, 3], [0, 1, 8, 27]); opt_dsp = opt_sp.derivative()
# %% check
import scipy.special, pandas as pd, numpy as np
assert scipy.special.geterr()["singular"] == "raise" and pd.options.compute.use_numexpr is False
try:
    scipy.special.gammaln(0.0)
except scipy.special.SpecialFunctionError:
    pass
else:
    raise AssertionError("scipy.special error handling was lost")
assert abs(float(opt_sp(1.5)) - 3.375) < 1e-9 and abs(float(opt_dsp(2)) - 12) < 1e-6
