# Plots, library options, patched libraries, the process's own settings.
# %% case: d_plot_figure_continued
import matplotlib
import matplotlib.pyplot as plt
d_fig, d_axs = plt.subplots(1, 2, figsize=(6, 3))
d_line, = d_axs[0].plot([1, 2, 3], [1, 4, 9], label='squares')
# %%
d_axs[1].bar(['a', 'b'], [3, 5])
d_axs[0].set_title('left')
# %%
d_line.set_ydata([0, 0, 1])
# %% check
assert d_axs[0].lines[0] is d_line and d_line.axes is d_axs[0] and d_fig.axes[1] is d_axs[1]
assert list(d_line.get_ydata()) == [0, 0, 1] and d_axs[0].get_title() == 'left'
d_axs[0].legend()
d_fig.canvas.draw()
assert [p.get_height() for p in d_axs[1].patches] == [3, 5]
assert d_axs[0].get_legend().get_texts()[0].get_text() == 'squares'
plt.close(d_fig)
# %% case: d_plot_rc_settings [alone]
import matplotlib.pyplot as plt
plt.style.use('ggplot')
plt.rcParams['figure.figsize'] = (3, 2)
plt.rcParams['lines.linewidth'] = 4.5
# %%
d_rc_fig, d_rc_ax = plt.subplots()
# %% check
assert list(d_rc_fig.get_size_inches()) == [3, 2]
d_after_fig, d_after_ax = plt.subplots()
assert list(d_after_fig.get_size_inches()) == [3, 2]
assert d_after_ax.plot([1, 2])[0].get_linewidth() == 4.5
assert plt.rcParams['axes.facecolor'] == '#E5E5E5'
# %% case: d_misc_patched_library [alone]
import statistics
d_true_mean = statistics.mean
d_mean_calls = []
def d_counted_mean(data):
    d_mean_calls.append(len(data))
    return d_true_mean(data)
statistics.mean = d_counted_mean
# %%
d_avg = statistics.mean([1, 2, 3])
# %% check
assert statistics.mean([2, 4]) == 3 and d_mean_calls == [3, 2] and d_avg == 2
statistics.mean = d_true_mean
import importlib
assert importlib.import_module('statistics').mean([1]) == 1 and d_mean_calls == [3, 2]
assert statistics.mean.__module__ == 'statistics'
# %% case: d_misc_environment [alone]
import os
os.environ['D_MODE'] = 'test'
os.environ['D_GONE'] = '1'
# %%
del os.environ['D_GONE']
d_echo = !echo $D_MODE
# %% check
assert os.environ['D_MODE'] == 'test' and os.getenv('D_GONE') is None
assert list(d_echo) == ['test']
import subprocess, sys
assert subprocess.run([sys.executable, '-c', 'import os; print(os.environ.get("D_MODE"))'], capture_output=True, text=True).stdout.strip() == 'test'
# %% case: d_misc_folder_and_path [alone]
import os, sys
os.makedirs('d_project/lib', exist_ok=True)
with open('d_project/lib/d_misc_tools.py', 'w') as d_fh:
    d_fh.write('def area(r):\n    return 3 * r * r\n')
d_home_before = os.getcwd()
os.chdir('d_project')
sys.path.insert(0, os.path.abspath('lib'))
# %%
d_listing = os.listdir('.')
# %% check
assert os.path.basename(os.getcwd()) == 'd_project' and 'lib' in d_listing
import d_misc_tools
assert d_misc_tools.area(2) == 12
os.chdir('..')
assert os.getcwd() == d_home_before
# %% case: d_misc_warning_filters [alone]
import warnings
warnings.simplefilter('error', DeprecationWarning)
warnings.filterwarnings('ignore', message='d: boring.*')
# %%
warnings.warn('d: boring, again')
def d_old_api():
    warnings.warn('use the new one', DeprecationWarning)
    return 1
# %% raises DeprecationWarning
d_old_api()
# %% check
try:
    d_old_api()
    d_raised = False
except DeprecationWarning:
    d_raised = True
assert d_raised
with warnings.catch_warnings(record=True) as d_caught:
    warnings.warn('d: boring, third')
    warnings.warn('d: new')
assert [str(w.message) for w in d_caught] == ['d: new']
# %% case: d_misc_logging_to_list
import logging
d_records = []
class DListHandler(logging.Handler):
    def emit(self, record):
        d_records.append(self.format(record))
d_logger = logging.getLogger('d_misc.app')
d_logger.setLevel(logging.INFO)
d_logger.propagate = False
d_handler = DListHandler()
d_handler.setFormatter(logging.Formatter('%(levelname)s %(name)s: %(message)s'))
d_logger.addHandler(d_handler)
# %%
d_logger.info('started %d', 1)
d_logger.debug('not seen')
# %%
logging.getLogger('d_misc.app.part').warning('careful')
# %% check
logging.getLogger('d_misc.app').error('failed')
assert d_records == ['INFO d_misc.app: started 1', 'WARNING d_misc.app.part: careful', 'ERROR d_misc.app: failed']
assert logging.getLogger('d_misc.app') is d_logger and d_logger.handlers == [d_handler]
# %% case: d_misc_import_hook [alone]
import sys, types, importlib.abc, importlib.machinery
class DVirtualFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        if name.startswith('d_virtual_'):
            return importlib.machinery.ModuleSpec(name, self)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        module.title = module.__name__.removeprefix('d_virtual_')
d_finder = DVirtualFinder()
sys.meta_path.append(d_finder)
# %%
import d_virtual_apple
d_virtual_apple.colour = 'red'
# %% check
import d_virtual_pear
assert d_virtual_pear.title == 'pear' and d_finder in sys.meta_path
assert sys.modules['d_virtual_apple'] is d_virtual_apple
assert (d_virtual_apple.title, d_virtual_apple.colour) == ('apple', 'red')
