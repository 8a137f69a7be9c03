# Cells that fail in the middle keep what they did.

# %% case: exception_in_the_middle
# %% raises ZeroDivisionError
a1 = 1; l1 = [1]
1/0
b1 = 2
# %% check
assert a1 == 1 and l1 == [1] and 'b1' not in globals()

# %% case: mutation_before_an_exception
l2 = []
# %% raises ValueError
l2.append(1); raise ValueError('x')
# %% check
assert l2 == [1]

# %% case: syntax_error
l3 = [3]
# %% raises SyntaxError
l3.append(
# %% check
assert l3 == [3]

# %% case: caught_exception_kept
try: {}['k4']
except KeyError as e: e4 = e
# %% check
assert e4.args == ('k4',)

# %% case: system_exit
# %% raises SystemExit
x5 = 5; raise SystemExit(3)
# %% check
assert x5 == 5

# %% case: deletion_before_an_exception
x6 = 6
# %% raises ZeroDivisionError
del x6; 1/0
# %% check
assert 'x6' not in globals()

# %% case: unknown_magic
# %% raises UsageError
%no_such_magic
# %% check
assert True
