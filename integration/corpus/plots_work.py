# matplotlib as notebooks use it: figures held in names, current figure, settings, registries, artists and callbacks.
# %% case: mpl_artists_shared_between_names
import matplotlib.pyplot as plt, numpy as np
ma_fig, ma_axs = plt.subplots(2, 2, sharex='col', num='b_shared', figsize=(4, 3))
ma_ax = ma_axs[0, 0]
(ma_line,) = ma_ax.plot([0, 1, 2], [3, 1, 2], label='one', gid='L1')
ma_lines = {'one': ma_line}
# %%
ma_line.set_ydata([30, 10, 20])
ma_ax.relim(); ma_ax.autoscale_view()
ma_leg = ma_ax.legend(title='who')
# %%
ma_axs[1, 0].set_xlim(-5, 5)
ma_txt = ma_ax.annotate('peak', (0, 30), xytext=(10, 10), textcoords='offset points', arrowprops={'arrowstyle': '->'})
# %% check
assert ma_ax.lines[0] is ma_line and ma_lines['one'] is ma_line
assert ma_line.axes is ma_ax and ma_line.figure is ma_fig and ma_ax.figure is ma_fig
assert ma_fig.axes[0] is ma_axs[0, 0] and len(ma_fig.axes) == 4
assert ma_ax.get_xlim() == (-5, 5)
ma_ax.set_xlim(0, 9)
assert ma_axs[1, 0].get_xlim() == (0, 9) and ma_axs[1, 1].get_xlim() != (0, 9)
assert ma_ax.get_legend() is ma_leg and ma_leg.get_title().get_text() == 'who'
assert ma_txt in ma_ax.texts and ma_line.get_ydata().tolist() == [30, 10, 20] if hasattr(ma_line.get_ydata(), 'tolist') else True
assert ma_ax.get_shared_x_axes().joined(ma_ax, ma_axs[1, 0])
ma_fig.draw_without_rendering()
assert ma_leg.get_window_extent().width > 0
assert ma_fig.findobj(match=lambda a: a.get_gid() == 'L1') == [ma_line]

# %% case: mpl_current_figure_by_number [alone]
import matplotlib
matplotlib.use('agg')
import matplotlib.pyplot as plt
cf_a = plt.figure(71)
plt.plot([1, 2])
cf_b = plt.figure('named', figsize=(2, 2))
cf_ax = plt.subplot(1, 2, 2)
# %%
plt.figure(71)
plt.title('went back')
# %%
plt.figure('named')
plt.sca(cf_ax)
plt.scatter([1], [2])
# %% check
assert plt.gcf() is cf_b and plt.gca() is cf_ax
assert 71 in plt.get_fignums() and 'named' in plt.get_figlabels()
assert plt.figure(71) is cf_a and plt.gca().get_title() == 'went back' and len(plt.gca().lines) == 1
assert plt.fignum_exists('named') and cf_b.number == 72
assert cf_b.get_size_inches().tolist() == [2., 2.]
assert len(cf_ax.collections) == 1
plt.close('named')
assert not plt.fignum_exists(72) and plt.gcf() is cf_a
assert plt.figure().number == 72
plt.close('all')
assert plt.get_fignums() == []

# %% case: mpl_settings_saved_and_restored [alone]
import matplotlib as mpl, matplotlib.pyplot as plt
from cycler import cycler
plt.style.use('ggplot')
mpl.rcParams['axes.prop_cycle'] = cycler(color=['#112233', '#445566'], lw=[1, 4])
plt.rc('font', size=7.5)
rc_saved = dict(mpl.rcParams)
# %%
rc_before = mpl.rcParams.copy()
mpl.rcParams.update({'lines.linewidth': 9, 'figure.dpi': 55})
rc_alias = plt.rcParams
# %%
rc_fig, rc_ax = plt.subplots()
rc_l1, = rc_ax.plot([1, 2])
# %% check
assert rc_alias is mpl.rcParams and rc_alias is plt.rcParams
assert mpl.rcParams['lines.linewidth'] == 9 and mpl.rcParams['font.size'] == 7.5
assert rc_fig.dpi == 55 and rc_l1.get_color() == '#112233' and rc_l1.get_linewidth() == 1
rc_l2, = rc_ax.plot([2, 1])
assert rc_l2.get_color() == '#445566' and rc_l2.get_linewidth() == 4
assert rc_ax.get_facecolor()[:3] == mpl.colors.to_rgb('#E5E5E5')
assert type(rc_before) is mpl.RcParams
mpl.rcParams.update(rc_before)
assert mpl.rcParams['figure.dpi'] == rc_saved['figure.dpi'] and mpl.rcParams['lines.linewidth'] == rc_saved['lines.linewidth']
assert mpl.rcParams['font.size'] == 7.5 and mpl.rcParams['axes.facecolor'] == '#E5E5E5'
mpl.rcdefaults()
assert mpl.rcParams['font.size'] == 10.

# %% case: mpl_registered_map_and_norm
import matplotlib as mpl, matplotlib.pyplot as plt, numpy as np
from matplotlib.colors import LinearSegmentedColormap, ListedColormap, TwoSlopeNorm
cm_own = LinearSegmentedColormap.from_list('b_sunset', ['#000000', '#ff8800', '#ffffff'])
mpl.colormaps.register(cm_own)
cm_listed = ListedColormap(['r', 'g', 'b'], name='b_three')
cm_norm = TwoSlopeNorm(0, -1, 3)
# %%
cm_fig, cm_ax = plt.subplots(num='b_maps')
cm_data = np.array([[-1., 0.], [1., 3.]])
cm_im = cm_ax.imshow(cm_data, cmap='b_sunset', norm=cm_norm)
cm_bar = cm_fig.colorbar(cm_im, ax=cm_ax, label='heat')
cm_sm = mpl.cm.ScalarMappable(norm=cm_norm, cmap=cm_listed)
# %%
cm_seen = []
cm_cid = cm_norm.callbacks.connect('changed', lambda *a: cm_seen.append(cm_norm.vmax))
cm_norm.vmax = 6.
# %% check
assert mpl.colormaps['b_sunset'] == cm_own and plt.get_cmap('b_sunset')(1.0) == (1., 1., 1., 1.)
assert cm_im.norm is cm_norm and cm_bar.norm is cm_norm and cm_sm.norm is cm_norm
assert cm_bar.mappable is cm_im and cm_im.colorbar is cm_bar
assert cm_seen == [6.]
cm_norm.vmax = 8.
assert cm_seen == [6., 8.] and cm_im.get_clim() == (-1., 8.) and cm_bar.vmax == 8.
cm_norm.callbacks.disconnect(cm_cid)
cm_norm.vmin = -2.
assert cm_seen == [6., 8.]
assert cm_bar.ax.get_ylabel() == 'heat' and len(cm_fig.axes) == 2
try:
    mpl.colormaps.register(cm_own)
    raise AssertionError
except ValueError:
    pass
assert cm_sm.to_rgba(-2.)[0] == 1.0

# %% case: mpl_event_callbacks [open]
import matplotlib.pyplot as plt
from matplotlib.backend_bases import MouseEvent, KeyEvent, PickEvent
ev_fig, ev_ax = plt.subplots(num='b_events')
ev_log = []
class EvClicker:
    def __init__(self, fig):
        self.n = 0
        self.cid = fig.canvas.mpl_connect('button_press_event', self.on)
    def on(self, e):
        self.n += 1
        ev_log.append(('click', e.x, e.y))
ev_click = EvClicker(ev_fig)
def ev_key(e): ev_log.append(('key', e.key))
ev_kid = ev_fig.canvas.mpl_connect('key_press_event', ev_key)
ev_lim = ev_ax.callbacks.connect('xlim_changed', lambda a: ev_log.append(('lim', a.get_xlim())))
# %%
ev_fig.canvas.callbacks.process('button_press_event', MouseEvent('button_press_event', ev_fig.canvas, 10, 20, 1))
ev_ax.set_xlim(0, 5)
# %%
ev_fig.canvas.callbacks.process('key_press_event', KeyEvent('key_press_event', ev_fig.canvas, 'q'))
ev_canvas = ev_fig.canvas
# %% check
assert ev_log == [('click', 10, 20), ('lim', (0., 5.)), ('key', 'q')], ev_log
assert ev_fig.canvas is ev_canvas and ev_canvas.figure is ev_fig
ev_canvas.callbacks.process('button_press_event', MouseEvent('button_press_event', ev_canvas, 1, 2, 1))
assert ev_click.n == 2 and ev_log[-1] == ('click', 1, 2)
ev_canvas.mpl_disconnect(ev_kid)
ev_canvas.callbacks.process('key_press_event', KeyEvent('key_press_event', ev_canvas, 'z'))
assert len(ev_log) == 4
ev_ax.set_xlim(1, 2)
assert ev_log[-1] == ('lim', (1., 2.))
ev_ax.callbacks.disconnect(ev_lim)
ev_ax.set_xlim(2, 3)
assert len(ev_log) == 5

# %% case: mpl_custom_scale_projection_formatter
import matplotlib.pyplot as plt, numpy as np, matplotlib.scale as msc, matplotlib.transforms as mtr
from matplotlib.projections import register_projection
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MultipleLocator
class CpCube(msc.ScaleBase):
    name = 'b_cube'
    class Tr(mtr.Transform):
        input_dims = output_dims = 1
        def transform_non_affine(self, a): return np.cbrt(a)
        def inverted(self): return CpCube.Inv()
    class Inv(mtr.Transform):
        input_dims = output_dims = 1
        def transform_non_affine(self, a): return np.asarray(a) ** 3
        def inverted(self): return CpCube.Tr()
    def get_transform(self): return self.Tr()
    def set_default_locators_and_formatters(self, axis): axis.set_major_locator(MultipleLocator(8))
msc.register_scale(CpCube)
class CpAxes(Axes):
    name = 'b_proj'
    def stamp(self): return self.set_title('stamped by b')
register_projection(CpAxes)
# %%
cp_fig = plt.figure('b_proj')
cp_ax = cp_fig.add_subplot(projection='b_proj')
cp_ax.plot([1, 8, 27]); cp_ax.set_yscale('b_cube')
cp_unit = 'kg'
cp_fmt = FuncFormatter(lambda v, p: f'{v:.0f}{cp_unit}')
# %%
cp_ax.yaxis.set_major_formatter(cp_fmt)
cp_ax.set_ylim(0, 27)
cp_unit = 'lb'
# %% check
assert type(cp_ax) is CpAxes and cp_ax.stamp().get_text() == 'stamped by b'
assert cp_ax.get_yscale() == 'b_cube' and 'b_cube' in msc.get_scale_names()
cp_fig.canvas.draw()
assert '8lb' in [t.get_text() for t in cp_ax.get_yticklabels()]
assert cp_ax.yaxis.get_major_formatter() is cp_fmt
assert np.isclose(cp_ax.transData.transform((0, 8))[1] - cp_ax.transData.transform((0, 1))[1], cp_ax.transData.transform((0, 27))[1] - cp_ax.transData.transform((0, 8))[1])
cp_ax2 = plt.figure().add_subplot(projection='b_proj')
assert type(cp_ax2) is CpAxes
plt.close(cp_ax2.figure)

# %% case: mpl_image_data_views
import matplotlib.pyplot as plt, numpy as np, io
im_data = np.zeros((4, 4))
im_fig, im_ax = plt.subplots(num='b_img', figsize=(2, 2), dpi=50)
im_art = im_ax.imshow(im_data, vmin=0, vmax=1)
im_coll = im_ax.scatter([0, 1], [0, 1], c=[0., 1.])
im_quad = im_ax.pcolormesh(np.arange(9.).reshape(3, 3), alpha=.3)
# %%
im_data[:] = 1.
im_art.set_data(im_data)
im_off = im_coll.get_offsets()
# %%
im_buf = io.BytesIO()
im_fig.savefig(im_buf, format='png')
im_ax2 = im_ax.twinx(); im_in = im_ax.inset_axes([.5, .5, .4, .4])
# %% check
assert im_buf.getvalue()[:8] == b'\x89PNG\r\n\x1a\n' and im_buf.tell() == len(im_buf.getvalue())
assert im_art.get_array().sum() == 16
assert im_ax.images == [im_art] or im_ax.images[0] is im_art
assert im_ax2.bbox is not None and im_ax.get_shared_x_axes().joined(im_ax, im_ax2)
assert im_in in im_ax.child_axes
im_coll.set_offsets([[5, 5], [1, 1]])
assert im_coll.get_offsets()[0].tolist() == [5, 5]
im_quad.set_array(np.ones((3, 3)))
assert im_quad.get_array().sum() == 9 and im_quad in im_ax.collections
im_b2 = io.BytesIO(); im_fig.savefig(im_b2, format='svg')
assert b'<svg' in im_b2.getvalue()

# %% case: mpl_animation_and_widgets
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation
from matplotlib.widgets import Slider, Button
from matplotlib.backend_bases import MouseEvent
an_fig, (an_ax, an_sax) = plt.subplots(2, num='b_anim')
an_pt, = an_ax.plot([0], [0], 'o')
an_frames = []
def an_draw(i):
    an_frames.append(i)
    an_pt.set_data([i], [i * i])
    return (an_pt,)
an_sl = Slider(an_sax, 'gain', 0, 10, valinit=2)
an_vals = []
an_cid = an_sl.on_changed(an_vals.append)
# %%
an_sl.set_val(4)
an_draw(3)
# %%
an_sl.set_val(7)
an_box = [an_sl, an_pt]
# %% check
assert an_vals == [4, 7] and an_sl.val == 7
an_sl.set_val(1)
assert an_vals == [4, 7, 1]
assert an_box[0] is an_sl and an_box[1] is an_pt and an_ax.lines[0] is an_pt
assert an_frames == [3] and list(an_pt.get_data()[1]) == [9]
an_draw(4)
assert list(an_ax.lines[0].get_xdata()) == [4]
an_sl.disconnect(an_cid)
an_sl.reset()
assert an_sl.val == 2 and an_vals == [4, 7, 1]
assert an_sl.ax is an_sax

# %% case: mpl_gridspec_units_dates
import matplotlib.pyplot as plt, matplotlib.dates as md, matplotlib.units as mu, datetime as dt, numpy as np
class GuDeg:
    def __init__(self, v): self.v = v
class GuConv(mu.ConversionInterface):
    @staticmethod
    def convert(value, unit, axis):
        return [x.v for x in value] if isinstance(value, (list, tuple, np.ndarray)) else getattr(value, 'v', value)
    @staticmethod
    def axisinfo(unit, axis): return mu.AxisInfo(label='degrees')
mu.registry[GuDeg] = GuConv()
gu_fig = plt.figure('b_grid', layout='constrained')
gu_gs = gu_fig.add_gridspec(2, 3, width_ratios=[1, 2, 3])
gu_a = gu_fig.add_subplot(gu_gs[0, :])
# %%
gu_b = gu_fig.add_subplot(gu_gs[1, 1:])
gu_days = [dt.datetime(2024, 1, d) for d in (1, 2, 3)]
gu_line, = gu_a.plot(gu_days, [1, 2, 3])
# %%
gu_sub = gu_fig.subfigures(1, 1) if False else None
gu_b.plot([GuDeg(1), GuDeg(2)], [0, 1])
gu_loc = gu_a.xaxis.get_major_locator()
# %% check
assert gu_a.get_subplotspec().get_gridspec() is gu_gs and gu_b.get_subplotspec().get_gridspec() is gu_gs
assert gu_gs.get_width_ratios() == [1, 2, 3]
assert gu_a.lines[0] is gu_line and gu_line.get_xdata(orig=True)[0] == gu_days[0] and gu_line.get_xdata(orig=False)[0] == md.date2num(gu_days[0])
assert isinstance(gu_loc, md.AutoDateLocator) and gu_loc.axis is gu_a.xaxis
assert gu_b.lines[0].get_xdata(orig=False).tolist() == [1, 2] if hasattr(gu_b.lines[0].get_xdata(orig=False), 'tolist') else list(gu_b.lines[0].get_xdata(orig=False)) == [1, 2]
gu_b.plot([GuDeg(3)], [2])
assert gu_b.get_xlabel() in ('degrees', '') and len(gu_b.lines) == 2
assert type(mu.registry[GuDeg]) is GuConv
gu_fig.canvas.draw()
gu_a.plot([dt.datetime(2024, 1, 5)], [4])
assert gu_a.get_xlim()[1] > md.date2num(dt.datetime(2024, 1, 4))

# %% case: mpl_hidden_cycle_and_containers
import matplotlib.pyplot as plt, pandas as pd
hc_fig, hc_ax = plt.subplots(num='b_cont')
hc_bars = hc_ax.bar(['a', 'b', 'c'], [1, 2, 3])
hc_l1, = hc_ax.plot([0, 1])
hc_err = hc_ax.errorbar([0, 1], [1, 1], yerr=.1, label='err')
# %%
hc_df = pd.DataFrame({'p': [1, 2], 'q': [3, 1]})
hc_df.plot(ax=hc_ax, legend=False)
hc_ax.bar_label(hc_bars)
# %%
hc_bars[1].set_height(20)
hc_l2, = hc_ax.plot([1, 0])
hc_twin = hc_ax.containers
# %% check
assert hc_ax.containers[0] is hc_bars and hc_bars.patches[1] is hc_ax.patches[1] and hc_bars[1].get_height() == 20
assert hc_err in hc_ax.containers and hc_err.lines[0] in hc_ax.lines
assert hc_l1.get_color() != hc_l2.get_color()
assert [l.get_text() for l in hc_ax.texts] == ['1', '2', '3']
hc_l3, = hc_ax.plot([1, 0])
hc_cols = plt.rcParams['axes.prop_cycle'].by_key()['color']
assert hc_cols.index(hc_l3.get_color()) == (hc_cols.index(hc_l2.get_color()) + 1) % len(hc_cols)
hc_bars.remove()
assert len(hc_ax.patches) == 0 and hc_bars not in hc_ax.containers
assert hc_ax.get_legend_handles_labels()[1][-1] == 'err' or 'err' in hc_ax.get_legend_handles_labels()[1]
