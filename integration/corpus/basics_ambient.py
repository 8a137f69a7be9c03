# State of the process that is not a variable.

# %% case: working_directory [alone]
import os, pathlib
pathlib.Path('sub1').mkdir(exist_ok=True)
os.chdir('sub1')
# %% check
assert os.getcwd().endswith('sub1')

# %% case: cd_magic [alone]
import os
os.makedirs('sub2', exist_ok=True)
%cd -q sub2
# %%
%cd -q ..
# %%
%cd -q sub2
# %% check
assert os.getcwd().endswith('sub2') and len(_dh) >= 3

# %% case: environment [alone]
import os
os.environ['NBOS_A'] = '1'; os.environ['NBOS_B'] = '2'
# %%
del os.environ['NBOS_B']; os.environ.pop('LANG', None); os.environ['NBOS_A'] = '3'
# %% check
assert os.environ['NBOS_A'] == '3' and 'NBOS_B' not in os.environ and os.getenv('LANG') is None

# %% case: search_path [alone]
import sys; sys.path.append('/nbos/extra')
# %% check
assert sys.path[-1] == '/nbos/extra' and sys.path.count('/nbos/extra') == 1

# %% case: imports
import json as j5, xml.etree.ElementTree
from os.path import join as join5
# %% check
assert j5.loads('[1]') == [1] and xml.etree.ElementTree.fromstring('<a/>').tag == 'a' and join5('a', 'b') == 'a/b'

# %% case: warning_filters [alone]
import warnings
warnings.simplefilter('error', ImportWarning)
# %% check
assert warnings.filters[0][0] == 'error' and warnings.filters[0][2] is ImportWarning

# %% case: decimal_and_recursion_limit [alone]
import sys
import decimal
decimal.getcontext().prec = 7; sys.setrecursionlimit(4321)
# %% check
assert str(decimal.Decimal(1) / 3) == '0.3333333' and sys.getrecursionlimit() == 4321

# %% case: random [alone]
import random
random.seed(1); r8 = [random.random() for _ in range(3)]
# %%
r8b = random.random()
# %%
state8 = random.getstate()
# %% check
assert random.getstate() == state8 and random.Random(1).random() == r8[0] and r8b == (lambda r: [r.random() for _ in range(4)][3])(random.Random(1))

# %% case: bound_method_of_the_global_generator
import random
from random import randint as randint9
# %% check
assert randint9.__self__ is random._inst

# %% case: annotations_of_the_notebook
x10: int = 5
y10: 'str'
# %% check
assert __annotations__['x10'] is int and __annotations__['y10'] == 'str' and x10 == 5
