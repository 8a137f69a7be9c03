# Working in a notebook: magics, history, display, files written from cells, errors, async cells, redefinitions.
# %% case: d_nb_output_history [alone]
6 * 7
# %%
[1, 2, 3]
# %%
d_twice = _ * 2
# %% check
assert d_twice == [1, 2, 3, 1, 2, 3]
assert Out[1] == 42 and _1 == 42 and Out[2] is _2
assert In[1].strip() == '6 * 7' and 'd_twice' in In[3]
# %% case: d_nb_writefile_and_reload
%%writefile d_nb_helpers.py
SCALE = 2
def scaled(x):
    return x * SCALE
# %%
import importlib
import d_nb_helpers
from d_nb_helpers import scaled as d_scaled_old
d_nb_before = d_nb_helpers.scaled(10)
# %%
%%writefile d_nb_helpers.py
SCALE = 5
EXTRA = 'longer than before'
def scaled(x):
    return x * SCALE + 1
# %%
importlib.reload(d_nb_helpers)
# %% check
assert d_nb_before == 20 and d_nb_helpers.scaled(10) == 51
assert d_scaled_old(10) == 50
assert d_nb_helpers.scaled is not d_scaled_old and d_nb_helpers.EXTRA.startswith('longer')
# %% case: d_nb_error_in_mid_cell
d_cleaned = []
d_raw = ['1', '2', 'x', '4']
# %% raises ValueError
d_stage = 'started'
for d_piece in d_raw:
    d_cleaned.append(int(d_piece))
d_stage = 'finished'
# %%
d_raw[2] = '3'
# %% check
assert d_stage == 'started' and d_cleaned == [1, 2] and d_piece == 'x'
d_cleaned.extend(int(p) for p in d_raw[2:])
assert d_cleaned == [1, 2, 3, 4]
# %% case: d_nb_own_magic [alone]
from IPython.core.magic import register_line_magic, register_cell_magic
d_magic_log = []
@register_line_magic
def d_double(line):
    return int(line) * 2
@register_cell_magic
def d_note(line, cell):
    d_magic_log.append((line, cell.strip()))
# %%
d_doubled = %d_double 21
# %%
%%d_note todo
buy milk
# %% check
assert d_doubled == 42 and d_magic_log == [('todo', 'buy milk')]
get_ipython().run_cell_magic('d_note', 'later', 'walk\n')
assert d_magic_log[-1] == ('later', 'walk')
assert get_ipython().run_line_magic('d_double', '4') == 8
# %% case: d_nb_post_run_event [alone]
d_ran = []
def d_after(result):
    d_ran.append(result.success)
get_ipython().events.register('post_run_cell', d_after)
# %%
1 + 1
# %% raises ZeroDivisionError
1 / 0
# %% check
assert d_ran == [True, True, False]
d_len_now = len(d_ran)
get_ipython().events.trigger('post_run_cell', type('R', (), {'success': 'x'})())
assert d_ran[-1] == 'x' and len(d_ran) == d_len_now + 1
get_ipython().events.unregister('post_run_cell', d_after)
# %% case: d_nb_await_in_cells
import asyncio
d_async_queue = asyncio.Queue()
d_async_lock = asyncio.Lock()
async def d_fetch(n):
    await asyncio.sleep(0)
    async with d_async_lock:
        await d_async_queue.put(n)
    return n * n
# %%
d_async_results = await asyncio.gather(*(d_fetch(k) for k in range(4)))
# %%
d_async_first = await d_async_queue.get()
# %% check
assert d_async_results == [0, 1, 4, 9] and d_async_first == 0
assert d_async_queue.qsize() == 3 and await d_fetch(7) == 49
assert [d_async_queue.get_nowait() for _ in range(4)] == [1, 2, 3, 7]
# %% case: d_nb_shadowed_builtin [alone]
list = [3, 1, 2]
def d_total():
    return sum(list)
# %%
sum = 10
# %% raises TypeError
d_total()
# %%
del sum
# %% check
assert list == [3, 1, 2] and d_total() == 6
del list
assert list('ab') == ['a', 'b'] and 'sum' not in globals()
# %% case: d_nb_run_script
%%writefile d_nb_script.py
import sys
def greet(name):
    return f'hello {name}, {COUNT}'
COUNT = len(sys.argv)
if __name__ == '__main__':
    d_nb_main_ran = True
# %%
%run d_nb_script.py one two
# %%
d_nb_greeting = greet('Ann')
COUNT = 99
# %% check
assert d_nb_greeting == 'hello Ann, 3' and d_nb_main_ran
assert greet('Bob') == 'hello Bob, 3' and COUNT == 99
# %% case: d_nb_rich_display
class DBadge:
    def __init__(self, label):
        self.label = label
        self.shown = 0
    def _repr_html_(self):
        self.shown += 1
        return f'<b>{self.label}</b>'
from IPython.display import HTML, Markdown, display
d_badge = DBadge('ok')
d_badge
# %%
display(d_badge, Markdown('# Title'))
d_html = HTML('<i>x</i>', metadata={'k': 1})
d_show_badge = get_ipython().display_formatter
# %% check
assert d_badge.shown == 2 and d_html.data == '<i>x</i>' and d_html.metadata == {'k': 1}
d_data, d_meta = d_show_badge.format(d_badge)
assert d_data['text/html'] == '<b>ok</b>' and d_badge.shown == 3
assert d_show_badge is get_ipython().display_formatter
