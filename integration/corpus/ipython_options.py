# Switches of IPython: what %config, %xmode, %precision and their like set.

# %% case: io_precision [alone]
%precision 3
# %%
3.14159265
# %% check
assert get_ipython().display_formatter.formatters['text/plain'](2.718281828) == '2.718'

# %% case: io_precision_format [alone]
%precision %.2e
# %% check
assert get_ipython().display_formatter.formatters['text/plain'](1234.5) == '1.23e+03'

# %% case: io_precision_undone [alone]
%precision 2
# %%
%precision
# %% check
assert get_ipython().display_formatter.formatters['text/plain'](0.123456789) == '0.123456789'

# %% case: io_xmode [alone]
%xmode Plain
# %% check
assert get_ipython().InteractiveTB.mode == 'Plain'

# %% case: io_xmode_back [alone]
%xmode Minimal
# %%
%xmode Context
# %% check
assert get_ipython().InteractiveTB.mode == 'Context'

# %% case: io_colors [alone]
%colors nocolor
# %% check
assert get_ipython().colors.lower() == 'nocolor'

# %% case: io_pprint [alone]
%pprint
# %% check
assert get_ipython().display_formatter.formatters['text/plain'].pprint is False

# %% case: io_automagic [alone]
%automagic off
# %% check
assert get_ipython().automagic is False

# %% case: io_autocall [alone]
%autocall 1
# %%
io_len = len([1, 2])
# %% check
assert get_ipython().autocall == 1 and io_len == 2

# %% case: io_node_interactivity [alone]
get_ipython().ast_node_interactivity = 'all'
# %%
1
2
# %% check
assert get_ipython().ast_node_interactivity == 'all' and Out[2] == 2

# %% case: io_config_node_interactivity [alone]
from IPython.core.interactiveshell import InteractiveShell
InteractiveShell.ast_node_interactivity = 'last_expr_or_assign'
# %%
io_shown = [5]
# %% check
assert Out[2] == [5] and Out[2] is io_shown

# %% case: io_config_magic [alone]
%config InteractiveShell.ast_node_interactivity = 'last_expr_or_assign'
# %%
io_b = {'x': 1}
# %% check
assert Out[2] is io_b and get_ipython().ast_node_interactivity == 'last_expr_or_assign'

# %% case: io_config_completer [alone]
%config IPCompleter.greedy = True
%config IPCompleter.use_jedi = False
# %% check
assert get_ipython().Completer.greedy is True and get_ipython().Completer.use_jedi is False

# %% case: io_config_plain_formatter [alone]
get_ipython().display_formatter.formatters['text/plain'].max_width = 60
# %%
get_ipython().display_formatter.formatters['text/plain'].pprint = False
# %% check
assert get_ipython().display_formatter.formatters['text/plain'].max_width == 60
assert get_ipython().display_formatter.formatters['text/plain'].pprint is False

# %% case: io_active_types [alone]
get_ipython().display_formatter.active_types = ['text/plain']
# %% check
assert get_ipython().display_formatter.active_types == ['text/plain']
assert get_ipython().display_formatter.formatters['text/html'].enabled is False

# %% case: io_matplotlib_inline_formats [alone]
%matplotlib inline
%config InlineBackend.figure_formats = ['svg']
# %%
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
# %% check
import matplotlib
assert 'inline' in matplotlib.get_backend()
assert get_ipython().display_formatter.formatters['image/svg+xml'].lookup_by_type(Figure) is not None
try:
    get_ipython().display_formatter.formatters['image/png'].lookup_by_type(Figure)
except KeyError:
    pass
else:
    raise AssertionError('png is still shown')

# %% case: io_matplotlib_inline_rc [alone]
%matplotlib inline
import matplotlib.pyplot as plt
%config InlineBackend.print_figure_kwargs = {'bbox_inches': None}
# %%
plt.rcParams['figure.figsize'] = (3, 2)
# %% check
from matplotlib_inline.config import InlineBackend
assert InlineBackend.instance().print_figure_kwargs == {'bbox_inches': None} and list(plt.rcParams['figure.figsize']) == [3, 2]

# %% case: io_doctest_mode [alone]
%doctest_mode
# %% check
assert get_ipython().meta.doctest_mode.mode is True and get_ipython().InteractiveTB.mode == 'Plain'

# %% case: io_doctest_mode_back [alone]
%doctest_mode
# %%
%doctest_mode
# %% check
assert get_ipython().meta.doctest_mode.mode is False and get_ipython().InteractiveTB.mode == 'Context'
assert get_ipython().display_formatter.formatters['text/plain'].pprint is True

# %% case: io_pdb [alone]
%pdb off
# %%
get_ipython().call_pdb = True
# %%
get_ipython().call_pdb = False
# %% check
assert get_ipython().call_pdb is False or get_ipython().call_pdb == 0

# %% case: io_system_raise [alone]
get_ipython().system_raise_on_error = True
# %% check
assert get_ipython().system_raise_on_error is True

# %% case: io_autoawait [alone]
%autoawait off
# %% check
assert get_ipython().autoawait is False

# %% case: io_loop_runner [alone]
%autoawait asyncio
# %%
async def io_co(): return 5
io_five = await io_co()
# %% check
assert io_five == 5

# %% case: io_wildcards [alone]
%config InteractiveShell.wildcards_case_sensitive = False
# %% check
assert get_ipython().wildcards_case_sensitive is False

# %% case: io_script_defaults [alone]
%config ScriptMagics.script_magics = ['ruby', 'perl']
# %% check
assert get_ipython().magics_manager.registry['ScriptMagics'].script_magics == ['ruby', 'perl']
