# IPython machinery: magics, aliases, events, formatters, transformers, interactivity, autoreload, %run, macros, %reset, configurables.
# %% case: ipy_custom_line_and_cell_magic [alone]
from IPython.core.magic import register_line_magic, register_cell_magic, register_line_cell_magic
ipy_sql_log = []
@register_line_magic
def shout(line): return line.upper() + "!"
@register_cell_magic
def query(line, cell):
    ipy_sql_log.append((line, cell.strip()))
    return len(ipy_sql_log)
@register_line_cell_magic
def both(line, cell=None): return ("line", line) if cell is None else ("cell", line, cell.count("\n"))
# %%
ipy_s = %shout hello
# %%
%%query main
select 1
# %% check
ip = get_ipython()
assert ipy_s == "HELLO!" and ipy_sql_log == [("main", "select 1")] and ip.find_line_magic("shout") and ip.find_cell_magic("query") and ip.find_line_magic("both") and ip.find_cell_magic("both")
assert ip.run_cell_magic("query", "second", "select 2\n") == 2 and ipy_sql_log[-1] == ("second", "select 2")
assert ip.run_line_magic("both", "a") == ("line", "a") and ip.run_cell_magic("both", "a", "x\ny\n") == ("cell", "a", 2)
assert ip.find_line_magic("shout") is not None and ip.magics_manager.magics["cell"]["query"] is query
# %% case: ipy_magics_class_with_state [alone]
from IPython.core.magic import Magics, magics_class, line_magic
from traitlets import Int
@magics_class
class IpyTally(Magics):
    step = Int(1).tag(config=True)
    def __init__(self, shell, book):
        super().__init__(shell); self.book = book
    @line_magic
    def tally(self, line):
        self.book[line] = self.book.get(line, 0) + self.step
        return self.book[line]
ipy_book = {}
ipy_tally = IpyTally(get_ipython(), ipy_book)
get_ipython().register_magics(ipy_tally)
# %%
%tally a
%tally a
%config IpyTally.step = 10
# %%
%tally b
# %% check
assert ipy_book == {"a": 2, "b": 10} and ipy_tally.book is ipy_book and ipy_tally.step == 10 and get_ipython().find_line_magic("tally")
assert get_ipython().run_line_magic("tally", "a") == 12 and ipy_book["a"] == 12
assert ipy_tally.shell is get_ipython() and get_ipython().magics_manager.registry["IpyTally"] is ipy_tally
# %% case: ipy_shell_alias_and_magic_alias [alone]
%alias say echo alias-says %s
%alias_magic -l ttt time
%rehashx
# %%
%unalias ll
ipy_aliases = dict(get_ipython().alias_manager.aliases)
# %% check
from IPython.utils.capture import capture_output
ip = get_ipython()
assert "say" in ip.alias_manager.linemagics if hasattr(ip.alias_manager, "linemagics") else ip.alias_manager.is_alias("say")
assert not ip.alias_manager.is_alias("ll") and ip.alias_manager.get_alias("say").cmd == "echo alias-says %s"
assert dict(ip.alias_manager.aliases) == ipy_aliases and "ls" in ipy_aliases
assert ip.find_line_magic("ttt") is not None
# %% case: ipy_events_pre_post_run_cell [alone]
ipy_counts = {"pre": 0, "post": 0, "ok": []}
def ipy_pre(info): ipy_counts["pre"] += 1
def ipy_post(result):
    ipy_counts["post"] += 1
    ipy_counts["ok"].append((result.success, result.info.raw_cell.splitlines()[0]))
get_ipython().events.register("pre_run_cell", ipy_pre)
get_ipython().events.register("post_run_cell", ipy_post)
# %%
# cell two
ipy_x = 1
# %% raises ZeroDivisionError
# cell three
1 / 0
# %%
# cell four
get_ipython().events.unregister("pre_run_cell", ipy_pre)
# %% check
assert ipy_counts["pre"] == 3, ipy_counts
assert [o for o in ipy_counts["ok"] if "cell" in o[1]] == [(True, "# cell two"), (False, "# cell three"), (True, "# cell four")]
cbs = get_ipython().events.callbacks
assert ipy_post in cbs["post_run_cell"] and ipy_pre not in cbs["pre_run_cell"]
ip = get_ipython(); n = ipy_counts["post"]
assert n == 4
# %% case: ipy_formatters_for_notebook_class [alone]
class IpyMoney:
    def __init__(self, n): self.n = n
class IpyRich:
    def _repr_html_(self): return "<b>rich</b>"
def ipy_html(m): return f"<i>{m.n:.2f}{ipy_unit}</i>"
ipy_unit = "€"
ip_fmt = get_ipython().display_formatter.formatters
ip_fmt["text/html"].for_type(IpyMoney, ipy_html)
ip_fmt["text/plain"].for_type(IpyMoney, lambda m, p, cycle: p.text(f"Money<{m.n}>"))
# %%
ip_fmt["text/plain"].float_precision = 3
ip_fmt["text/html"].for_type_by_name("fractions", "Fraction", lambda f: f"<sup>{f.numerator}</sup>")
ipy_u0 = ipy_unit; ipy_unit = "$"
# %% check
ip = get_ipython(); f = ip.display_formatter.format
assert ip_fmt is ip.display_formatter.formatters
d, _ = f(IpyMoney(2)); assert d == {"text/plain": "Money<2>", "text/html": "<i>2.00$</i>"}, d
assert f(3.14159)[0]["text/plain"] == "3.142" and f(IpyRich())[0]["text/html"] == "<b>rich</b>"
from fractions import Fraction
assert f(Fraction(5, 7))[0]["text/html"] == "<sup>5</sup>"
assert ip_fmt["text/html"].lookup_by_type(IpyMoney) is ipy_html
assert ip_fmt["text/html"].pop(IpyMoney) is ipy_html and "text/html" not in f(IpyMoney(1))[0]
# %% case: ipy_pprint_precision_and_plain_off [alone]
import numpy as np
%precision 4
%pprint
# %%
ipy_p = np.get_printoptions()["precision"]
# %% check
ip = get_ipython()
assert ip.display_formatter.formatters["text/plain"].pprint is False
assert ip.display_formatter.format({2: 2 / 3})[0]["text/plain"] == repr({2: 2 / 3})
ip.run_line_magic("pprint", "")
assert ip.display_formatter.format({2: 2 / 3})[0]["text/plain"] == "{2: 0.6667}"
import numpy as np
assert np.get_printoptions()["precision"] == ipy_p == 4
# %% case: ipy_input_transformers [alone]
def ipy_arrow(lines):
    return [l.replace("→", "=") for l in lines]
def ipy_count(lines):
    ipy_lines.append(len(lines)); return lines
ipy_lines = []
get_ipython().input_transformers_cleanup.append(ipy_arrow)
get_ipython().input_transformers_post.append(ipy_count)
# %%
ipy_q → 5
# %%
ipy_r → ipy_q * 2
ipy_seen = list(ipy_lines)
# %% check
ip = get_ipython()
assert (ipy_q, ipy_r) == (5, 10) and ipy_arrow in ip.input_transformers_cleanup and ip.input_transformers_post[-1] is ipy_count
assert ipy_seen and ipy_seen[-1] == 2
ipy_w → 7
assert ipy_w == 7
# %% case: ipy_ast_transformer_integers [alone]
import ast
from fractions import Fraction
class IpyIntWrap(ast.NodeTransformer):
    seen = 0
    def visit_Constant(self, node):
        if isinstance(node.value, float):
            IpyIntWrap.seen += 1
            return ast.copy_location(ast.Call(func=ast.Name("Fraction", ast.Load()), args=[ast.Constant(str(node.value))], keywords=[]), node)
        return node
ipy_tr = IpyIntWrap()
get_ipython().ast_transformers.append(ipy_tr)
# %%
ipy_exact = 0.1 + 0.2
# %% check
assert ipy_exact == Fraction(3, 10) and type(ipy_exact) is Fraction
assert get_ipython().ast_transformers[-1] is ipy_tr and type(ipy_tr) is IpyIntWrap
assert type(0.5) is Fraction and IpyIntWrap.seen >= 3
get_ipython().ast_transformers.remove(ipy_tr)
assert type(eval("0.5")) is float
# %% case: ipy_node_interactivity_all [alone]
%config InteractiveShell.ast_node_interactivity = "all"
# %%
"one"
"two"
# %%
ipy_all = (_, __)
# %% check
ip = get_ipython()
assert ip.ast_node_interactivity == "all" and ipy_all[0] == "two", ipy_all
ip.ast_node_interactivity = "last_expr"
# %% case: ipy_interactivity_last_expr_or_assign [alone]
get_ipython().ast_node_interactivity = "last_expr_or_assign"
# %%
ipy_assigned = [7, 8]
# %%
ipy_n = len(Out)
# %% check
assert get_ipython().ast_node_interactivity == "last_expr_or_assign"
assert Out[2] is ipy_assigned and Out[3] == ipy_n and ipy_n == 1
# %% case: ipy_autoreload_two [alone]
%load_ext autoreload
%autoreload 2
open("ipy_auto.py", "w").write("class T:\n    def f(self): return 'old'\ndef g(): return 1\n")
import os; os.utime("ipy_auto.py", (1_600_000_000, 1_600_000_000))
# %%
import ipy_auto
from ipy_auto import g as ipy_g
ipy_t = ipy_auto.T()
# %%
open("ipy_auto.py", "w").write("class T:\n    def f(self): return 'new and longer'\ndef g(): return 22222\n")
os.utime("ipy_auto.py", (1_600_000_100, 1_600_000_100))
# %%
ipy_after = (ipy_t.f(), ipy_g())
# %%
open("ipy_auto.py", "w").write("class T:\n    def f(self): return 'newest and longest of all'\ndef g(): return 3\n")
os.utime("ipy_auto.py", (1_600_000_200, 1_600_000_200))
# %% check
assert ipy_after == ("new and longer", 22222)
assert ipy_t.f() == "newest and longest of all" and ipy_g() == 3 and isinstance(ipy_t, ipy_auto.T)
assert "autoreload" in str(get_ipython().extension_manager.loaded)
# %% case: ipy_own_extension_loaded [alone]
%%writefile ipy_ext.py
state = {"loads": 0}
def load_ipython_extension(ip):
    state["loads"] += 1
    ip.push({"ext_value": state})
def unload_ipython_extension(ip):
    state["unloaded"] = True
    ip.drop_by_id({"ext_value": state})
# %%
%load_ext ipy_ext
# %%
%load_ext ipy_ext
# %% check
import ipy_ext
assert ext_value is ipy_ext.state and ipy_ext.state == {"loads": 1}
assert "ipy_ext" in get_ipython().extension_manager.loaded
get_ipython().run_line_magic("unload_ext", "ipy_ext")
assert ipy_ext.state == {"loads": 1, "unloaded": True} and "ext_value" not in globals()
# %% case: ipy_run_script_shares_objects [alone]
%%writefile ipy_script.py
import sys
args = sys.argv[1:]
class Row:
    def __init__(self, v): self.v = v
rows = [Row(i) for i in range(3)]
def total(): return sum(r.v for r in rows) + len(args)
if __name__ == "__main__":
    ran_main = True
# %%
%run ipy_script.py a b
# %%
rows.append(Row(10))
ipy_tot = total()
# %% check
assert ran_main and args == ["a", "b"] and len(rows) == 4
assert all(type(r) is Row for r in rows)
assert ipy_tot == (15 if total.__globals__.get("rows") is rows else 5), (ipy_tot, total.__globals__.get("rows"))
ipy_again = total()
assert ipy_again == ipy_tot
import sys; assert sys.argv[1:] != ["a", "b"]
# %% case: ipy_run_i_uses_notebook_names [alone]
open("ipy_inter.py", "w").write("result = [base * k for k in (1, 2)]\nbase += 1\n")
base = 10
# %%
%run -i ipy_inter.py
ipy_r1 = result
# %%
%run -i ipy_inter.py
# %% check
assert ipy_r1 == [10, 20] and result == [11, 22] and base == 12 and ipy_r1 is not result
# %% case: ipy_macro_and_edit_history [alone]
ipy_m_n = 1
# %%
ipy_m_n = ipy_m_n * 3
# %%
%macro -q ipy_triple 2
# %%
ipy_triple
# %% check
from IPython.core.macro import Macro
assert ipy_m_n == 9 and type(ipy_triple) is Macro and ipy_triple.value.strip() == "ipy_m_n = ipy_m_n * 3"
# %% case: ipy_reset_selective_and_xdel [alone]
ipy_keep, ipy_tmp1, ipy_tmp2, ipy_obj = [1], 2, 3, {"k": 1}
ipy_alias = ipy_obj
# %%
%reset_selective -f ^ipy_tmp[12]
%xdel ipy_obj
# %% check
g = set(globals())
assert {"ipy_tmp1", "ipy_tmp2", "ipy_obj"} & g == set() and ipy_keep == [1]
assert "ipy_alias" not in g, "xdel removes every name of the object"
assert len(In) >= 3 and "ipy_tmp1" in In[1]
# %% case: ipy_reset_all_then_continue [alone]
ipy_before = "gone"
import json as ipy_js
class IpyOld: pass
# %%
"an output"
# %%
%reset -f
# %%
ipy_fresh = 5
# %%
ipy_fresh + 1
# %% check
g = globals()
assert "ipy_before" not in g and "ipy_js" not in g and "IpyOld" not in g and ipy_fresh == 5
assert list(Out.values()) == [6] and _ == 6, (dict(Out), _)
assert "an output" not in Out.values()
# %% case: ipy_reset_out_only [alone]
list(range(3))
# %%
ipy_k = _
# %%
%reset -f out
# %%
ipy_k + [9]
# %% check
assert ipy_k == [0, 1, 2] and list(Out) == [4] and Out[4] == [0, 1, 2, 9] and Out[4] is _4
assert _ == "", "IPython stops updating _ after the outputs were reset"
assert "_1" not in globals() and In[1] == "list(range(3))"
# %% case: ipy_shell_kept_in_objects [alone]
class IpyApp:
    def __init__(self):
        self.ip = get_ipython(); self.get = get_ipython; self.ns = self.ip.user_ns
    def define(self, k, v): self.ip.push({k: v}); return self.ns[k]
ipy_app = IpyApp()
ipy_handle = get_ipython()
# %%
ipy_v = ipy_app.define("ipy_pushed", [1])
ipy_kernel = get_ipython().kernel
# %% check
assert ipy_app.ip is get_ipython() is ipy_handle is ipy_app.get() and ipy_app.ns is globals()
assert ipy_pushed is ipy_v and ipy_kernel is get_ipython().kernel
ipy_app.define("ipy_pushed", "new"); assert ipy_pushed == "new"
# %% case: ipy_custom_exc_handler_and_xmode [alone]
ipy_caught = []
class IpyDomainError(Exception): pass
def ipy_handler(self, etype, value, tb, tb_offset=None):
    ipy_caught.append((etype.__name__, str(value)))
    print("handled", value)
get_ipython().set_custom_exc((IpyDomainError,), ipy_handler)
%xmode Minimal
# %%
try:
    raise IpyDomainError("in code")
except IpyDomainError as e:
    ipy_saved = e
# %% check
ip = get_ipython()
assert ip.custom_exceptions == (IpyDomainError,) and ip.InteractiveTB.mode == "Minimal"
assert ipy_caught == [] and type(ipy_saved) is IpyDomainError and ipy_saved.args == ("in code",)
r = ip.run_cell("raise IpyDomainError('late')", store_history=False)
assert ipy_caught == [("IpyDomainError", "late")] and isinstance(r.error_in_exec, IpyDomainError)
