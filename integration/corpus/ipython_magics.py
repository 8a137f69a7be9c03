# Magics the notebook uses, defines, aliases and loads.

# %% case: im_line_magic [alone]
from IPython.core.magic import register_line_magic
@register_line_magic
def im_double(line):
    return int(line) * 2
# %%
im_r = %im_double 21
# %% check
assert im_r == 42 and get_ipython().run_line_magic('im_double', '4') == 8

# %% case: im_cell_magic [alone]
from IPython.core.magic import register_cell_magic
im_log = []
@register_cell_magic
def im_note(line, cell):
    im_log.append((line, cell.strip()))
# %%
%%im_note first
body 1
# %%
%%im_note second
body 2
# %% check
get_ipython().run_cell_magic('im_note', 'third', 'body 3')
assert im_log == [('first', 'body 1'), ('second', 'body 2'), ('third', 'body 3')]

# %% case: im_line_cell_magic [alone]
from IPython.core.magic import register_line_cell_magic
@register_line_cell_magic
def im_both(line, cell=None):
    return (line, cell)
# %%
im_l = %im_both just line
# %%
%%im_both the line
the cell
# %% check
assert im_l == ('just line', None) and _ == ('the line', 'the cell\n')

# %% case: im_magics_class_with_state [alone]
from IPython.core.magic import Magics, magics_class, line_magic, cell_magic
@magics_class
class ImCounter(Magics):
    def __init__(self, shell, store):
        super().__init__(shell)
        self.count = 0
        self.store = store
    @line_magic
    def im_inc(self, line):
        self.count += int(line or 1)
        self.store.append(self.count)
        return self.count
    @cell_magic
    def im_run(self, line, cell):
        self.shell.run_cell(cell)
        self.count += 1
# %%
im_store = []
im_counter = ImCounter(get_ipython(), im_store)
get_ipython().register_magics(im_counter)
# %%
%im_inc 5
# %%
%im_inc
# %%
%%im_run
im_inner = 'ran'
# %% check
assert im_counter.count == 7 and im_store == [5, 6] and im_inner == 'ran'
assert get_ipython().run_line_magic('im_inc', '3') == 10 and im_counter.count == 10 and im_store[-1] == 10
assert im_counter.shell is get_ipython() and im_counter.store is im_store

# %% case: im_needs_local_scope [alone]
from IPython.core.magic import register_line_magic, needs_local_scope
@register_line_magic
@needs_local_scope
def im_peek(line, local_ns=None):
    return local_ns[line]
# %%
im_secret = 'seen'
im_p = %im_peek im_secret
# %% check
assert im_p == 'seen' and get_ipython().run_line_magic('im_peek', 'im_secret') == 'seen'

# %% case: im_magic_arguments [alone]
from IPython.core.magic import register_line_magic
from IPython.core import magic_arguments
@magic_arguments.magic_arguments()
@magic_arguments.argument('-n', '--number', type=int, default=1)
@magic_arguments.argument('word')
@register_line_magic
def im_rep(line):
    args = magic_arguments.parse_argstring(im_rep, line)
    return args.word * args.number
# %%
im_w = %im_rep -n 3 ab
# %% check
assert im_w == 'ababab' and get_ipython().run_line_magic('im_rep', 'x') == 'x'

# %% case: im_alias_magic [alone]
%alias_magic im_t time
# %%
%im_t im_timed = 1
# %% check
assert im_timed == 1
get_ipython().run_line_magic('im_t', 'im_timed = 2')
assert im_timed == 2

# %% case: im_alias [alone]
%alias im_hello echo hello %s
# %%
%%capture im_said
%im_hello world
# %% check
assert 'hello world' in im_said.stdout, im_said.stdout
assert get_ipython().alias_manager.is_alias('im_hello')

# %% case: im_alias_removed [alone]
%alias im_gone echo gone
# %%
%unalias im_gone
# %% check
assert not get_ipython().alias_manager.is_alias('im_gone')

# %% case: im_magic_redefined [alone]
from IPython.core.magic import register_line_magic
@register_line_magic
def im_v(line): return 1
# %%
@register_line_magic
def im_v(line): return 2
# %% check
assert get_ipython().run_line_magic('im_v', '') == 2

# %% case: im_magic_removed [alone]
from IPython.core.magic import register_line_magic
@register_line_magic
def im_tmp(line): return 1
# %%
del get_ipython().magics_manager.magics['line']['im_tmp']
# %% check
assert get_ipython().find_line_magic('im_tmp') is None

# %% case: im_register_magic_function [alone]
def im_plain(line):
    return line.upper()
get_ipython().register_magic_function(im_plain, 'line', 'im_shout')
# %%
im_s = %im_shout hey
# %% check
assert im_s == 'HEY' and get_ipython().find_line_magic('im_shout') is im_plain

# %% case: im_extension_of_the_notebook [alone]
%%writefile im_ext.py
state = {'loads': 0}
class Thing:
    def __init__(self): self.n = 0
thing = Thing()
def bump(line):
    thing.n += 1
    return thing.n
def load_ipython_extension(ip):
    state['loads'] += 1
    ip.register_magic_function(bump, 'line', 'im_bump')
    ip.push({'im_from_ext': [1]})
def unload_ipython_extension(ip):
    del ip.magics_manager.magics['line']['im_bump']
# %%
import sys
sys.path.insert(0, '.')
%load_ext im_ext
# %%
im_from_ext.append(2)
im_b = %im_bump
# %% check
assert im_from_ext == [1, 2] and im_b == 1
assert 'im_ext' in get_ipython().extension_manager.loaded and get_ipython().find_line_magic('im_bump') is not None
import im_ext
assert im_ext.state['loads'] == 1

# %% case: im_extension_unloaded [alone]
%%writefile im_ext2.py
def load_ipython_extension(ip):
    ip.register_magic_function(lambda line: 1, 'line', 'im_two')
def unload_ipython_extension(ip):
    del ip.magics_manager.magics['line']['im_two']
# %%
import sys
sys.path.insert(0, '.')
%load_ext im_ext2
# %%
%unload_ext im_ext2
# %% check
assert 'im_ext2' not in get_ipython().extension_manager.loaded and get_ipython().find_line_magic('im_two') is None

# %% case: im_autoreload_mode [alone]
%load_ext autoreload
# %%
%autoreload 2
# %% check
im_rel = get_ipython().magics_manager.registry['AutoreloadMagics']._reloader
assert im_rel.enabled and im_rel.check_all and 'IPython.extensions.autoreload' in get_ipython().extension_manager.loaded

# %% case: im_autoreload_works [alone]
%load_ext autoreload
%autoreload 2
import sys; sys.path.insert(0, '.')
# %%
open('im_mod.py', 'w').write('VALUE = 1\ndef f(): return VALUE\n')
import im_mod
# %%
import os, time
open('im_mod.py', 'w').write('VALUE = 22\ndef f(): return VALUE + 1\n')
os.utime('im_mod.py', (time.time() + 5, time.time() + 5))
# %%
im_seen = (im_mod.VALUE, im_mod.f())
# %% check
assert im_seen == (22, 23), im_seen

# %% case: im_capture [alone]
%%capture im_out
import sys
print('to out'); print('to err', file=sys.stderr)
from IPython.display import display, HTML
display(HTML('<b>x</b>'))
# %%
im_lines = im_out.stdout
# %% check
assert im_out.stdout == 'to out\n' and im_out.stderr == 'to err\n' and len(im_out.outputs) == 1 and im_lines == 'to out\n'
assert im_out.outputs[0].data['text/html'] == '<b>x</b>'

# %% case: im_timeit_result [alone]
im_res = %timeit -o -q -n 2 -r 2 sum(range(10))
# %%
im_best = im_res.best
# %% check
assert im_res.best == im_best and im_res.loops == 2 and len(im_res.all_runs) == 2

# %% case: im_prun_result [alone]
def im_work(): return sum(range(100))
# %%
im_stats = %prun -r -q im_work()
# %% check
assert any('im_work' in key[2] for key in im_stats.stats)

# %% case: im_time_assigns [alone]
%time im_q = [1, 2]
# %%
%%time
im_q.append(3)
im_z = im_q
# %% check
assert im_q == [1, 2, 3] and im_z is im_q

# %% case: im_run_script [alone]
%%writefile im_script.py
import sys
result = [int(a) for a in sys.argv[1:]]
def helper(): return sum(result)
if __name__ == '__main__':
    main_ran = True
# %%
%run im_script.py 1 2 3
# %%
result.append(4)
# %% check
assert result == [1, 2, 3, 4] and main_ran is True and helper() == 10

# %% case: im_run_interactive [alone]
im_base = 10
open('im_script_i.py', 'w').write('im_derived = im_base + 5\nim_base = 11\n')
# %%
%run -i im_script_i.py
# %% check
assert im_derived == 15 and im_base == 11

# %% case: im_load [alone]
open('im_snippet.py', 'w').write('im_loaded = 5\n')
# %%
%load im_snippet.py
# %% check
import os
assert os.path.exists('im_snippet.py')

# %% case: im_who [alone]
im_w1 = 1; im_w2 = 'x'
# %%
im_names = %who_ls
# %%
im_ints = %who_ls int
# %% check
assert 'im_w1' in im_names and 'im_w2' in im_names and 'im_w1' in im_ints and 'im_w2' not in im_ints
assert set(get_ipython().run_line_magic('who_ls', '')) >= {'im_w1', 'im_w2', 'im_names', 'im_ints'}
assert not {'In', 'Out', 'get_ipython', '_dh', 'exit'} & set(get_ipython().run_line_magic('who_ls', ''))

# %% case: im_shell_output [alone]
im_sl = !echo a b; echo c d
# %%
im_f = im_sl.fields(0)
im_g = im_sl.grep('c')
# %% check
assert list(im_sl) == ['a b', 'c d'] and list(im_f) == ['a', 'c'] and list(im_g) == ['c d'] and im_sl.n == 'a b\nc d'
assert type(im_sl).__name__ == 'SList' and im_sl.s == 'a b c d'

# %% case: im_exit_code [alone]
!exit 3
# %%
im_code = _exit_code
# %% check
assert im_code == 3 and _exit_code == 3

# %% case: im_env [alone]
%env IM_VAR=hello
# %%
%set_env IM_OTHER=world
# %%
im_e = %env IM_VAR
# %% check
import os
assert os.environ['IM_VAR'] == 'hello' == im_e and os.environ['IM_OTHER'] == 'world'

# %% case: im_store [alone]
im_saved = {'a': [1]}
%store im_saved
# %%
del im_saved
# %%
%store -r im_saved
# %% check
assert im_saved == {'a': [1]} and get_ipython().db['autorestore/im_saved'] == {'a': [1]}

# %% case: im_bookmark [alone]
import os
os.makedirs('im_marked', exist_ok=True)
%cd -q im_marked
# %%
%bookmark im_here
%cd -q ..
# %%
%cd -q -b im_here
# %% check
assert os.getcwd().endswith('im_marked') and 'im_here' in get_ipython().db['bookmarks']

# %% case: im_pushd [alone]
import os
os.makedirs('im_p1', exist_ok=True)
im_top = os.getcwd()
%pushd im_p1
# %%
im_deep = os.getcwd()
# %%
%popd
# %% check
assert im_deep.endswith('im_p1') and os.getcwd() == im_top and get_ipython().dir_stack == []

# %% case: im_pushd_pending [alone]
import os
os.makedirs('im_p2', exist_ok=True)
im_start = os.getcwd()
%pushd im_p2
# %% check
assert os.getcwd().endswith('im_p2') and len(get_ipython().dir_stack) == 1

# %% case: im_html_and_script [alone]
%%html
<p>nothing</p>
# %%
%%bash
echo "from bash"
# %%
%%bash --out im_bash
echo captured
# %%
%%script python3
print(1)
# %% check
assert im_bash == 'captured\n'

# %% case: im_python_magic_sideeffect [alone]
%%python
import os
os.environ['NEVER'] = '1'
# %% check
import os
assert 'NEVER' not in os.environ

# %% case: im_psource [alone]
def im_src(): return 'psource'
# %%
%%capture im_ps
%pinfo im_src
# %% check
assert im_src() == 'psource'
