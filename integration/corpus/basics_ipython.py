# Magics, shell commands, outputs and underscore names.

# %% case: outputs_alias_variables
x2 = [5]
x2
# %%
x2.append(6)
# %% check
assert _1 is x2 and Out[1] == [5, 6]

# %% case: time_cell_magic
%%time
t3 = [3]
# %%
%time t3.append(4)
# %% check
assert t3 == [3, 4]

# %% case: capture_cell_magic
%%capture c4
print('hidden'); v4 = 4
# %% check
assert v4 == 4 and 'hidden' in c4.stdout

# %% case: shell_commands
s5 = !echo hi
# %%
!true
# %% check
assert list(s5) == ['hi']

# %% case: writefile_and_import_from_the_working_directory
%%writefile mod6_nbos.py
value = 6
def get(): return value
# %%
import sys; sys.path.insert(0, '.'); import mod6_nbos; g6 = mod6_nbos.get
# %% check
assert g6() == 6

# %% case: run_magic
%%writefile s7_nbos.py
v7 = [7]
# %%
%run s7_nbos.py
# %% check
assert v7 == [7]

# %% case: user_functions_with_the_underscore
_ , y8 = (1, 2)
# %%
for _ in range(3): pass
# %% check
assert _ == 2 and y8 == 2

# %% case: dunder_and_private_names
__mine__ = [9]; _p9 = 9
# %%
__mine__.append(1)
# %% check
assert __mine__ == [9, 1] and _p9 == 9

# %% case: line_magic_alias_of_env
%env NBOS_T10=yes
# %% check
import os
assert os.environ['NBOS_T10'] == 'yes'
