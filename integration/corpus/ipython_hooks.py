# What the notebook registers with IPython: events, formatters, transformers, handlers, attributes of the shell.

# %% case: ik_event_function [alone]
ik_log = []
def ik_pre(info):
    ik_log.append('pre')
get_ipython().events.register('pre_run_cell', ik_pre)
# %%
ik_n = 1
# %%
ik_m = 2
# %% check
assert ik_log.count('pre') >= 2 and ik_pre in get_ipython().events.callbacks['pre_run_cell']

# %% case: ik_event_method_keeps_identity [alone]
class IkWatch:
    def __init__(self): self.cells = 0
    def after(self, result): self.cells += 1
ik_watch = IkWatch()
get_ipython().events.register('post_run_cell', ik_watch.after)
# %%
1
# %%
2
# %%
ik_seen = ik_watch.cells
# %% check
assert ik_seen >= 2 and ik_watch.cells >= ik_seen
assert any(getattr(f, '__self__', None) is ik_watch for f in get_ipython().events.callbacks['post_run_cell'])

# %% case: ik_event_unregistered [alone]
ik_calls = []
def ik_post(): ik_calls.append(1)
get_ipython().events.register('post_execute', ik_post)
# %%
pass
# %%
get_ipython().events.unregister('post_execute', ik_post)
ik_at = len(ik_calls)
# %%
pass
# %% check
assert len(ik_calls) == ik_at and ik_post not in get_ipython().events.callbacks['post_execute']

# %% case: ik_event_lambda_closure [alone]
ik_count = {'n': 0}
def ik_make(counter):
    def hook(*a):
        counter['n'] += 1
    return hook
get_ipython().events.register('post_run_cell', ik_make(ik_count))
# %%
pass
# %%
ik_snapshot = ik_count['n']
# %% check
assert ik_snapshot >= 1 and ik_count['n'] >= ik_snapshot

# %% case: ik_formatter_for_a_notebook_class [alone]
class IkPoint:
    def __init__(self, x, y): self.x, self.y = x, y
def ik_fmt(p): return f'<b>{p.x},{p.y}</b>'
get_ipython().display_formatter.formatters['text/html'].for_type(IkPoint, ik_fmt)
# %%
ik_p = IkPoint(1, 2)
# %% check
ik_html = get_ipython().display_formatter.formatters['text/html']
assert ik_html(ik_p) == '<b>1,2</b>' and ik_html.lookup_by_type(IkPoint) is ik_fmt

# %% case: ik_plain_formatter_for_builtin [alone]
ik_plain = get_ipython().display_formatter.formatters['text/plain']
ik_old = ik_plain.for_type(int, lambda n, p, cycle: p.text(f'int:{n}'))
# %%
ik_plain.for_type(float, lambda n, p, cycle: p.text(f'{n:.1f}!'))
# %% check
assert get_ipython().display_formatter.formatters['text/plain'](3) == 'int:3'
assert get_ipython().display_formatter.formatters['text/plain'](1.25) in ('1.2!', '1.3!')
assert ik_plain is get_ipython().display_formatter.formatters['text/plain']

# %% case: ik_formatter_by_name [alone]
get_ipython().display_formatter.formatters['text/html'].for_type_by_name('fractions', 'Fraction', lambda f: f'<i>{f}</i>')
# %%
from fractions import Fraction
ik_f = Fraction(1, 3)
# %% check
assert get_ipython().display_formatter.formatters['text/html'](ik_f) == '<i>1/3</i>'

# %% case: ik_formatter_popped [alone]
class IkTmp: pass
ik_h = get_ipython().display_formatter.formatters['text/html']
ik_h.for_type(IkTmp, lambda o: 'x')
# %%
ik_h.pop(IkTmp)
# %% check
assert get_ipython().display_formatter.formatters['text/html'](IkTmp()) is None

# %% case: ik_repr_html [alone]
class IkRich:
    def __init__(self): self.shown = 0
    def _repr_html_(self):
        self.shown += 1
        return f'<p>{self.shown}</p>'
ik_rich = IkRich()
# %%
ik_rich
# %%
ik_rich
# %% check
assert ik_rich.shown == 2 and _ is ik_rich

# %% case: ik_mimebundle_and_ipython_display [alone]
class IkBundle:
    def __init__(self): self.calls = []
    def _repr_mimebundle_(self, include=None, exclude=None):
        self.calls.append('bundle'); return {'text/plain': 'bundle'}
class IkSelf:
    calls = 0
    def _ipython_display_(self): type(self).calls += 1
ik_b, ik_s = IkBundle(), IkSelf()
# %%
display(ik_b); display(ik_s)
# %% check
assert ik_b.calls == ['bundle'] and IkSelf.calls == 1

# %% case: ik_input_transformer [alone]
def ik_tr(lines):
    return [line.replace('€', '"euro"') for line in lines]
get_ipython().input_transformers_cleanup.append(ik_tr)
# %%
ik_money = €
# %% check
assert ik_money == 'euro' and get_ipython().input_transformers_cleanup[-1] is ik_tr
assert get_ipython().transform_cell('x = €') == 'x = "euro"\n'

# %% case: ik_input_transformer_removed [alone]
def ik_tr2(lines): return [line.replace('¥', '1') for line in lines]
get_ipython().input_transformers_post.append(ik_tr2)
# %%
ik_yen = ¥
# %%
get_ipython().input_transformers_post.remove(ik_tr2)
# %% check
assert ik_yen == 1 and get_ipython().input_transformers_post == []

# %% case: ik_ast_transformer [alone]
import ast
class IkInts(ast.NodeTransformer):
    def __init__(self): self.seen = 0
    def visit_Constant(self, node):
        if type(node.value) is int and node.value == 7:
            self.seen += 1
            return ast.copy_location(ast.Constant(77), node)
        return node
ik_tf = IkInts()
get_ipython().ast_transformers.append(ik_tf)
# %%
ik_seven = 7
# %%
ik_again = 7
# %% check
assert ik_seven == 77 and ik_again == 77 and ik_tf.seen >= 2 and get_ipython().ast_transformers[0] is ik_tf

# %% case: ik_custom_exception_handler [alone]
ik_caught = []
class IkError(Exception): pass
def ik_handler(self, etype, value, tb, tb_offset=None):
    ik_caught.append(str(value))
    return ['handled']
get_ipython().set_custom_exc((IkError,), ik_handler)
# %% raises IkError
raise IkError('one')
# %% raises IkError
raise IkError('two')
# %% check
assert ik_caught == ['one', 'two'] and get_ipython().custom_exceptions == (IkError,)

# %% case: ik_shell_attribute [alone]
get_ipython().ik_bag = {'k': [1]}
# %%
ik_alias = get_ipython().ik_bag
# %%
ik_alias['k'].append(2)
# %% check
assert get_ipython().ik_bag is ik_alias and ik_alias == {'k': [1, 2]}

# %% case: ik_shell_attribute_deleted [alone]
get_ipython().ik_gone = 1
# %%
del get_ipython().ik_gone
# %% check
assert not hasattr(get_ipython(), 'ik_gone')

# %% case: ik_shell_method_replaced [alone]
def ik_ask(prompt, default=None, interrupt=None): return True
get_ipython().ask_yes_no = ik_ask
# %%
ik_yes = get_ipython().ask_yes_no('?')
# %% check
assert ik_yes is True and get_ipython().ask_yes_no is ik_ask

# %% case: ik_shell_in_a_variable [alone]
ik_ip = get_ipython()
ik_box = {'shell': ik_ip, 'n': [1]}
class IkHolder:
    def __init__(self, shell): self.shell, self.made = shell, []
    def put(self, name, value): self.shell.user_ns[name] = value; self.made.append(name)
ik_holder = IkHolder(ik_ip)
# %%
ik_holder.put('ik_made', [5])
ik_box['n'].append(2)
# %%
ik_made.append(6)
# %% check
assert ik_ip is get_ipython() and ik_box == {'shell': ik_ip, 'n': [1, 2]} and ik_holder.shell is ik_ip
assert ik_made == [5, 6] and ik_holder.made == ['ik_made']

# %% case: ik_push_and_hidden [alone]
get_ipython().push({'ik_a': [1], 'ik_b': 2})
get_ipython().push({'ik_c': [3]}, interactive=False)
# %%
ik_c.append(4); ik_a.append(2)
# %% check
assert ik_a == [1, 2] and ik_b == 2 and ik_c == [3, 4]
assert 'ik_c' not in get_ipython().run_line_magic('who_ls', '') and 'ik_a' in get_ipython().run_line_magic('who_ls', '')

# %% case: ik_user_ns_writes [alone]
get_ipython().user_ns['ik_w'] = [1]
# %%
get_ipython().user_ns['ik_w'].append(2)
get_ipython().user_global_ns['ik_g'] = 'g'
# %%
get_ipython().del_var('ik_g')
# %% check
assert ik_w == [1, 2] and 'ik_g' not in globals()

# %% case: ik_run_cell_inside [alone]
ik_r = get_ipython().run_cell('ik_inside = [1]\nik_inside')
# %%
ik_ok = ik_r.success
get_ipython().run_cell('ik_inside.append(2)', store_history=True)
# %% check
assert ik_inside == [1, 2] and ik_ok

# %% case: ik_ex_and_ev [alone]
get_ipython().ex('ik_e = {"a": 1}')
# %%
ik_v = get_ipython().ev('ik_e')
ik_v['b'] = 2
# %% check
assert ik_e == {'a': 1, 'b': 2} and ik_v is ik_e

# %% case: ik_var_expand_and_getoutput [alone]
ik_word = 'expanded'
ik_o = get_ipython().getoutput('echo {ik_word}')
# %% check
assert list(ik_o) == ['expanded']

# %% case: ik_comm_target [alone]
ik_opened = []
def ik_target(comm, msg): ik_opened.append(comm)
get_ipython().kernel.comm_manager.register_target('ik_target', ik_target)
# %%
ik_x = 1
# %% check
assert get_ipython().kernel.comm_manager.targets['ik_target'] is ik_target

# %% case: ik_kernel_in_a_variable [alone]
ik_kernel = get_ipython().kernel
ik_parts = [get_ipython().events, get_ipython().display_formatter, get_ipython().history_manager]
# %%
ik_t = type(ik_kernel).__name__
# %% check
assert ik_kernel is get_ipython().kernel and ik_parts[0] is get_ipython().events
assert ik_parts[1] is get_ipython().display_formatter and ik_parts[2] is get_ipython().history_manager

# %% case: ik_display_handle [alone]
ik_handle = display('first', display_id=True)
ik_named = display({'a': 1}, display_id='ik-name')
# %%
ik_handle.update('second')
# %% check
assert ik_handle.display_id and ik_named.display_id == 'ik-name'
ik_handle.update('third')

# %% case: ik_display_objects [alone]
from IPython.display import HTML, Markdown, JSON, Image, Math
ik_objs = [HTML('<b>x</b>'), Markdown('# t'), JSON({'a': [1]}), Math('x^2'), Image(data=b'\x89PNG\r\n\x1a\n' + b'0' * 30, format='png')]
# %%
ik_objs[0].data += '!'
# %% check
assert ik_objs[0].data == '<b>x</b>!' and ik_objs[1].data == '# t' and ik_objs[4].data.startswith(b'\x89PNG')

# %% case: ik_displayhook_replaced [alone]
import sys
ik_shown = []
ik_orig = sys.displayhook
# %%
ik_orig is get_ipython().displayhook
# %% check
assert Out[2] in (True, False) and ik_shown == []

# %% case: ik_pprint_registered [alone]
from IPython.lib.pretty import pretty, for_type
class IkVec:
    def __init__(self, *xs): self.xs = list(xs)
    def _repr_pretty_(self, p, cycle): p.text('Vec' + repr(self.xs))
ik_vec = IkVec(1, 2)
# %%
ik_vec
# %% check
assert pretty(ik_vec) == 'Vec[1, 2]' and _ is ik_vec
