# Inputs and outputs of IPython follow the session: In, Out, the underscore names, resets and recalls.

# %% case: ih_numbers [alone]
ih_a = 1
# %%
ih_a + 1
# %%
ih_a + 2
# %%
assert _ == 3 and __ == 2 and _2 == 2 and _i2 == 'ih_a + 1' and _ii == 'ih_a + 1' and In[2] == 'ih_a + 1'
# %% check
assert _ == 3 and __ == 2 and ___ == '' and _2 == 2 and _3 == 3 and Out == {2: 2, 3: 3} and _oh is Out
assert In[1:4] == ['ih_a = 1', 'ih_a + 1', 'ih_a + 2'] and _ih is In and _i3 == 'ih_a + 2'
assert get_ipython().execution_count in (5, 6)

# %% case: ih_deleted_output_variable [alone]
[1, 2]
# %%
del _1
# %%
Out[1].append(3)
# %% check
assert '_1' not in globals() and Out[1] == [1, 2, 3] and _ is Out[1]

# %% case: ih_deleted_output_entry [alone]
[1, 2]
# %%
ih_dead = Out.pop(1)
# %%
ih_dead.append(9)
# %% check
assert 1 not in Out and _1 == [1, 2, 9] and _1 is ih_dead and _ is ih_dead

# %% case: ih_cleared_outputs [alone]
{'k': 1}
# %%
Out.clear()
# %%
_['k'] = 2
# %% check
assert _1 == {'k': 2} and _ is _1 and len(Out) == 0

# %% case: ih_alias_of_an_output [alone]
ih_list = []
# %%
ih_list
# %%
ih_list.append(1)
# %%
_2.append(2)
# %% check
assert _2 is ih_list and Out[2] is ih_list and _ is ih_list and ih_list == [1, 2]

# %% case: ih_user_underscore [alone]
41
# %%
_ = 'mine'
# %%
42
# %% check
assert _ == 'mine' and Out[3] == 42 and _3 == 42

# %% case: ih_user_underscore_deleted [alone]
41
# %%
_ = 'mine'
# %%
del _
# %%
43
# %% check
assert _4 == 43 and get_ipython().displayhook._ == 43

# %% case: ih_loop_variable_underscore [alone]
for _ in range(3): pass
# %%
ih_sum = sum(1 for _ in range(4))
# %%
5
# %% check
assert _ == 2 and _3 == 5 and ih_sum == 4

# %% case: ih_reset_all [alone]
ih_x = [1]
# %%
ih_x
# %%
%reset -f
# %%
ih_y = 2
# %% check
assert 'ih_x' not in globals() and ih_y == 2 and Out == {} and In[1] == 'ih_x = [1]' and '_2' not in globals()
assert get_ipython().execution_count in (5, 6)

# %% case: ih_reset_soft [alone]
ih_s = [1]
# %%
ih_s
# %%
%reset -s -f
# %% check
assert 'ih_s' not in globals() and Out[2] == [1] and In[1] == 'ih_s = [1]'

# %% case: ih_reset_out [alone]
ih_keep = [1]
# %%
ih_keep
# %%
%reset -f out
# %% check
assert ih_keep == [1] and Out == {} and '_2' not in globals() and _ == ''

# %% case: ih_reset_in [alone]
ih_in = 1
# %%
ih_in
# %%
%reset -f in
# %%
ih_in + 1
# %% check
assert ih_in == 1 and '_i1' not in globals() and In[1] == '' and len(In) in (5, 6) and "ih_in + 1" in In[-2:], In

# %% case: ih_reset_dhist [alone]
import os
os.makedirs('ih_dir', exist_ok=True)
%cd -q ih_dir
# %%
%reset -f dhist
# %% check
assert _dh == [] and os.getcwd().endswith('ih_dir')

# %% case: ih_reset_array [alone]
import numpy as np
ih_arr = np.arange(3); ih_lst = [1]
# %%
%reset -f array
# %% check
assert 'ih_arr' not in globals() and ih_lst == [1]

# %% case: ih_reset_selective [alone]
ih_tmp_a = 1; ih_tmp_b = [2]; ih_stay = 3
# %%
%reset_selective -f ^ih_tmp_
# %% check
assert 'ih_tmp_a' not in globals() and 'ih_tmp_b' not in globals() and ih_stay == 3

# %% case: ih_xdel [alone]
ih_obj = {'big': 1}; ih_also = ih_obj
# %%
ih_obj
# %%
%xdel ih_obj
# %% check
assert 'ih_obj' not in globals() and 'ih_also' not in globals() and 2 not in Out

# %% case: ih_history_text [alone]
ih_h1 = 1
# %%
ih_h2 = 2
# %%
%%capture ih_cap
%history
# %% check
assert ih_cap.stdout.splitlines()[:2] == ['ih_h1 = 1', 'ih_h2 = 2']

# %% case: ih_history_with_outputs [alone]
6 * 7
# %%
'text'
# %%
%%capture ih_shown
%history -o -n
# %% check
assert '42' in ih_shown.stdout and "'text'" in ih_shown.stdout, ih_shown.stdout
assert get_ipython().history_manager.output_hist_reprs[1] == '42'

# %% case: ih_macro [alone]
ih_m = []
# %%
ih_m.append(len(ih_m))
# %%
%macro -q ih_mac 2
# %%
ih_mac
# %%
ih_mac
# %% check
assert ih_m == [0, 1, 2] and 'ih_m.append' in ih_mac.value

# %% case: ih_rerun [alone]
ih_r = []
# %%
ih_r.append('x')
# %%
%rerun 2
# %% check
assert ih_r == ['x', 'x']

# %% case: ih_recall_by_number [alone]
ih_text = 'recall me'
# %%
%recall 1
# %%
ih_found = get_ipython().history_manager.input_hist_raw[1]
# %% check
assert ih_found == "ih_text = 'recall me'"

# %% case: ih_cache_disabled_by_config [alone]
%config InteractiveShell.cache_size = 1000
# %%
[1]
# %%
_.append(2)
# %% check
assert _2 == [1, 2] and get_ipython().cache_size == 1000

# %% case: ih_culled_outputs [alone]
get_ipython().displayhook.cache_size = 4
# %%
'a'
# %%
'b'
# %%
'c'
# %%
'd'
# %%
'e'
# %% check
assert get_ipython().displayhook.cache_size == 4 and len(Out) <= 4 and Out[6] == 'e' and '_2' not in globals()

# %% case: ih_output_of_a_loop_over_out [alone]
1
# %%
2
# %%
3
# %%
ih_total = sum(Out.values()); list(Out)
# %% check
assert ih_total == 6 and Out[4] == [1, 2, 3] and list(Out) == [1, 2, 3, 4]

# %% case: ih_semicolon [alone]
5;
# %%
6
# %% check
assert 1 not in Out and Out[2] == 6 and _ == 6

# %% case: ih_source_of_a_function [alone]
def ih_fn(a):
    """Doc."""
    return a + 1
# %%
class IhCls:
    def meth(self):
        return 'in source'
# %%
import inspect
ih_src = inspect.getsource(ih_fn)
# %% check
assert ih_src.startswith('def ih_fn(a):') and inspect.getsource(ih_fn) == ih_src
assert 'in source' in inspect.getsource(IhCls.meth)

# %% case: ih_output_is_a_figure_of_speech [alone]
class IhOut:
    def __init__(self): self.n = 0
    def __repr__(self): return f'IhOut({self.n})'
ih_o = IhOut()
ih_o
# %%
_.n += 1
# %%
Out[1].n += 1
# %% check
assert ih_o.n == 2 and _1 is ih_o and _ is ih_o

# %% case: ih_failing_cell_counts [alone]
ih_before = 1
# %% raises ZeroDivisionError
1 / 0
# %%
ih_after = len(In)
# %% check
assert ih_after == 4 and In[2] == '1 / 0' and get_ipython().execution_count in (4, 5)
