# Inputs and outputs as IPython keeps them.

# %% case: inputs_and_outputs [alone]
'first'
# %%
[1, 2]
# %%
_.append(3)
# %% check
assert Out[1] == 'first' and Out[2] == [1, 2, 3] and _2 is Out[2] and _ is Out[2] and In[1] == "'first'" and _i1 == "'first'" and len(In) == 5

# %% case: reset_forgets_everything [alone]
r11 = [1]; r11
# %%
%reset -f
# %%
after11 = 1
# %% check
assert 'r11' not in globals() and after11 == 1 and len(Out) == 0
