# Matplotlib figures kept and edited across cells, pyplot's current figure, artists shared with variables; traitlets and observers.
# %% case: fig_current_figure_across_cells [alone]
import matplotlib; matplotlib.use("Agg")
import matplotlib.pyplot as plt
plt.figure("first", figsize=(3, 2)); plt.plot([1, 2, 3], label="a")
# %%
plt.figure("second"); plt.bar(["x", "y"], [1, 2])
fig_ax2 = plt.gca()
# %%
plt.figure("first"); plt.plot([3, 2, 1], label="b"); plt.title("edited later")
# %% check
import matplotlib.pyplot as p
assert p.get_figlabels() == ["first", "second"] and p.get_fignums() == [1, 2] and p.gcf().get_label() == "first"
assert len(p.gca().lines) == 2 and p.gca().get_title() == "edited later" and list(p.gcf().get_size_inches()) == [3, 2]
assert p.figure(2) is fig_ax2.figure and p.gca() is fig_ax2 and len(fig_ax2.patches) == 2
assert [l.get_text() for l in p.figure(1).gca().legend().get_texts()] == ["a", "b"]
p.close("second"); assert p.get_fignums() == [1]; p.close("all")
# %% case: fig_artists_are_the_same_objects [alone]
import matplotlib; matplotlib.use("Agg")
import matplotlib.pyplot as plt, numpy as np
fig_f, fig_axs = plt.subplots(2, 2, sharex=True)
fig_line, = fig_axs[0, 0].plot(np.arange(4), np.zeros(4))
fig_sc = fig_axs[1, 1].scatter([0, 1], [1, 0], c=[0.1, 0.9])
# %%
fig_line.set_ydata([4, 5, 6, 7]); fig_axs[0, 0].relim(); fig_axs[0, 0].autoscale_view()
fig_txt = fig_axs[0, 1].annotate("hi", (0, 0)); fig_axs[1, 0].set_xlim(-1, 9)
# %% check
assert fig_axs[0, 0].lines[0] is fig_line and fig_line.axes is fig_axs[0, 0] and fig_line.figure is fig_f is fig_axs[1, 1].figure
assert fig_f.axes[3] is fig_axs[1, 1] and fig_axs[1, 1].collections[0] is fig_sc and fig_axs[0, 1].texts[0] is fig_txt
assert fig_axs[0, 0].get_xlim() == (-1, 9) and fig_axs[0, 0].get_shared_x_axes().joined(fig_axs[0, 0], fig_axs[1, 1])
fig_axs[1, 1].set_xlim(0, 3); assert fig_axs[0, 1].get_xlim() == (0, 3), "shared axes came apart"
import io; b = io.BytesIO(); fig_f.savefig(b); assert b.getvalue()[:4] == b"\x89PNG"
fig_line.remove(); assert len(fig_axs[0, 0].lines) == 0
# %% case: fig_object_oriented_no_pyplot
from matplotlib.figure import Figure
fig_oo = Figure(figsize=(2, 2)); fig_oo_ax = fig_oo.subplots(); fig_bars = fig_oo_ax.bar(["a", "b", "c"], [3, 1, 2], color=["r", "g", "b"])
# %%
fig_bars[1].set_height(10); fig_oo_ax.bar_label(fig_bars); fig_twin = fig_oo_ax.twinx(); fig_twin.plot([0, 1], [5, 6])
# %% check
import io
assert fig_bars.patches[1] is fig_oo_ax.patches[1] and fig_oo_ax.containers[0] is fig_bars and fig_bars[1].get_height() == 10
assert fig_oo_ax.patches[0].get_facecolor()[:3] == (1, 0, 0) and fig_twin.figure is fig_oo and len(fig_oo.axes) == 2
assert fig_oo_ax.get_shared_x_axes().joined(fig_oo_ax, fig_twin); fig_twin.set_xlim(-5, 5); assert fig_oo_ax.get_xlim() == (-5, 5)
b = io.StringIO(); fig_oo.savefig(b, format="svg"); assert "<svg" in b.getvalue()
# %% case: fig_canvas_callbacks_and_events [alone]
import matplotlib; matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.backend_bases import MouseEvent
fig_ev, fig_eax = plt.subplots(); fig_clicks = []
def fig_on_click(e): fig_clicks.append(e.button)
fig_cid = fig_ev.canvas.mpl_connect("button_press_event", fig_on_click)
fig_eax.callbacks.connect("xlim_changed", lambda a: fig_clicks.append(a.get_xlim()))
# %%
fig_eax.set_xlim(0, 5)
fig_ev.canvas.callbacks.process("button_press_event", MouseEvent("button_press_event", fig_ev.canvas, 10, 10, 1))
# %% check
from matplotlib.backend_bases import MouseEvent
assert [tuple(map(float, c)) if isinstance(c, tuple) else c for c in fig_clicks] == [(0.0, 5.0), 1]
fig_ev.canvas.callbacks.process("button_press_event", MouseEvent("button_press_event", fig_ev.canvas, 10, 10, 3))
assert fig_clicks[-1] == 3
fig_ev.canvas.mpl_disconnect(fig_cid); n = len(fig_clicks)
fig_ev.canvas.callbacks.process("button_press_event", MouseEvent("button_press_event", fig_ev.canvas, 10, 10, 2))
assert len(fig_clicks) == n
fig_eax.set_xlim(1, 2); assert len(fig_clicks) == n + 1
# %% case: fig_interactive_state_and_plt_ion [alone]
import matplotlib; matplotlib.use("Agg")
import matplotlib.pyplot as plt
plt.ion(); plt.subplot(2, 1, 2); plt.plot([1]); plt.sca(plt.subplot(2, 1, 1)); plt.xlabel("t")
# %%
plt.imshow([[0, 1], [2, 3]], cmap="plasma"); fig_cb = plt.colorbar()
# %% check
import matplotlib.pyplot as p
assert p.isinteractive() and p.gca().get_xlabel() == "t" and len(p.gcf().axes) == 3
assert p.gci() is p.gca().images[0] is fig_cb.mappable
p.clim(0, 10); assert fig_cb.vmax == 10 and fig_cb.mappable.get_clim() == (0, 10), "the colour bar still follows its image"
p.ioff(); p.close("all")
# %% case: fig_inline_backend_figures [alone]
%matplotlib inline
import matplotlib.pyplot as plt
%config InlineBackend.close_figures = False
fig_in, fig_inax = plt.subplots(figsize=(1, 1))
# %%
%config InlineBackend.print_figure_kwargs = {"bbox_inches": None}
fig_inax.plot([1, 2])
# %% check
import matplotlib, matplotlib.pyplot as p
assert "inline" in matplotlib.get_backend() and p.get_fignums() == [1] and p.gcf() is fig_in
from matplotlib_inline.config import InlineBackend
ib = InlineBackend.instance()
assert ib.close_figures is False and ib.print_figure_kwargs == {"bbox_inches": None} and ib.shell is get_ipython()
d, m = get_ipython().display_formatter.format(fig_in); assert "image/png" in d
p.close("all")
# %% case: fig_animation_and_patch_transform
import matplotlib.transforms as mtr, matplotlib.path as mpath, numpy as np
from matplotlib.figure import Figure as FigureT
fig_tf = FigureT(); fig_tax = fig_tf.add_subplot()
fig_scale = mtr.Affine2D().scale(2); fig_pt, = fig_tax.plot([1], [1], transform=fig_scale + fig_tax.transData)
# %%
fig_scale.translate(3, 0)
# %% check
fig_tax.set_xlim(0, 10); fig_tax.set_ylim(0, 10)
a = fig_pt.get_transform().transform((1, 1)); b = fig_tax.transData.transform((5, 2))
assert abs(a - b).max() < 1e-9
fig_scale.clear(); assert abs(fig_pt.get_transform().transform((1, 1)) - fig_tax.transData.transform((1, 1))).max() < 1e-9, "the transform must still be watched"
# %% case: fig_traitlets_observers_and_links
import traitlets as T
class FigModel(T.HasTraits):
    lo = T.Int(0); hi = T.Int(10); tags = T.List(T.Unicode()); span = T.Int(read_only=True)
    @T.observe("lo", "hi")
    def _upd(self, ch): self.set_trait("span", self.hi - self.lo)
    @T.validate("lo")
    def _lo(self, p): return max(0, p["value"])
    @T.default("tags")
    def _tags(self): return ["d"]
fig_m1, fig_m2 = FigModel(), FigModel(hi=99); fig_changes = []
fig_m1.observe(fig_changes.append, names="hi")
fig_link = T.link((fig_m1, "hi"), (fig_m2, "hi")); fig_dl = T.dlink((fig_m1, "lo"), (fig_m2, "lo"), lambda v: v * 2)
# %%
fig_m1.lo = -5; fig_m1.lo = 4; fig_m2.hi = 20
# %% check
import traitlets as T
assert (fig_m1.lo, fig_m1.hi, fig_m1.span, fig_m2.lo, fig_m2.hi, fig_m2.span) == (4, 20, 16, 8, 20, 12) and fig_m1.tags == ["d"]
assert [c["new"] for c in fig_changes] == [20] and fig_changes[0]["owner"] is fig_m1
fig_m1.hi = 50; assert fig_m2.hi == 50 and [c.new for c in fig_changes] == [20, 50]
fig_link.unlink(); fig_m1.hi = 1; assert fig_m2.hi == 50
fig_m1.unobserve_all("hi"); fig_m1.hi = 2; assert len(fig_changes) == 3
try:
    fig_m1.hi = "x"
except T.TraitError:
    pass
else:
    raise AssertionError
# %% case: fig_traitlets_on_the_shell [alone] [open]
fig_shell_changes = []
def fig_watch(ch): fig_shell_changes.append((ch.name, ch.new))
get_ipython().observe(fig_watch, names=["autocall", "cache_size"])
get_ipython().autocall = 1
from traitlets.config import Config, Configurable
from traitlets import Int
class FigConf(Configurable):
    depth = Int(1).tag(config=True)
fig_cfg = Config(); fig_cfg.FigConf.depth = 7; fig_conf = FigConf(config=fig_cfg)
# %%
get_ipython().config.FigConf.depth = 9
# %% check
ip = get_ipython()
assert ip.autocall == 1 and fig_shell_changes == [("autocall", 1)]
ip.autocall = 0; assert fig_shell_changes[-1] == ("autocall", 0)
assert fig_conf.depth == 7 and fig_conf.config.FigConf.depth == 7 and FigConf(parent=ip).depth == 9
# %% case: fig_comm_targets_and_ipywidgets_like [alone]
import comm
fig_comm_msgs = []
def fig_target(c, msg): fig_comm_msgs.append(msg)
comm.get_comm_manager().register_target("fig-target", fig_target)
fig_c = comm.create_comm(target_name="fig-none", data={"x": 1})
fig_c.on_msg(lambda m: fig_comm_msgs.append(m["content"]["data"]))
# %%
fig_c.send({"hello": 1}); fig_cid2 = fig_c.comm_id
# %% check
import comm
mgr = comm.get_comm_manager()
assert mgr.targets["fig-target"] is fig_target and mgr.get_comm(fig_cid2) is fig_c
fig_c.handle_msg({"content": {"data": {"v": 5}}}); assert fig_comm_msgs == [{"v": 5}]
