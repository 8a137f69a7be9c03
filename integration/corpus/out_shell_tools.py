# Shell conveniences as users meet them: %who, %store, %logstart, %save, %%bash variables, completion, source lookup, namespace order.
# %% case: she_who_ls_and_namespace_order [alone]
she_b = 1
import math as she_m
def she_a(): pass
# %%
she_c = she_d = [1]; del she_b
she_who = %who_ls
# %%
she_b = "back"; _she_private = 5
she_names = [n for n in globals() if not n.startswith("_")]
# %% check
she_now = %who_ls
assert she_who == ["she_a", "she_c", "she_d", "she_m"] and [n for n in she_now if n != "she_now"] == ["she_a", "she_b", "she_c", "she_d", "she_m", "she_names", "she_who"], she_now
assert [n for n in globals() if not n.startswith("_") and n not in ("she_now", "she_names")] == [n for n in she_names if n != "she_now"]
she_fn = %who_ls function
assert she_fn == ["she_a"] and __name__ == "__main__" and "__file__" not in globals() and __builtins__ is __import__("builtins")
# %% case: she_store_and_restore [alone] [local]
she_alpha = {"k": [1, 2]}; she_beta = "text"
%store she_alpha she_beta
# %%
she_alpha["k"].append(3); del she_beta
# %% check
get_ipython().run_line_magic("store", "-r she_beta")
assert she_beta == "text" and she_alpha == {"k": [1, 2, 3]}
get_ipython().run_line_magic("store", "-r she_alpha"); assert she_alpha == {"k": [1, 2]}
get_ipython().run_line_magic("store", "-z")
# %% case: she_save_load_append_writefile [alone]
she_v = 1
# %%
she_v += 10
# %%
%save -f she_saved 1-2
# %%
%%writefile -a she_saved.py
she_v *= 2
# %%
%run -i she_saved.py
# %% check
assert she_v == 22
she_text = open("she_saved.py").read()
assert she_text.split("\n")[-2:] == ["she_v *= 2", ""] and "she_v = 1\nshe_v += 10\n" in she_text and In[2].startswith("she_v += 10"), she_text
# %% case: she_logstart_file_keeps_growing [alone]
%logstart -o -q she_log.py over
she_l = "logged one"
# %%
she_l2 = "logged two"; "an output value"
# %% check
ip = get_ipython()
assert ip.logger.log_active and ip.logger.logfname.endswith("she_log.py") and ip.logger.log_output is True
ip.logger.log_write("# by " + "hand\n")
t = open("she_log.py").read()
assert t.count("logged" + " two") == 1 and t.count("logged" + " one") == 0 and t.count("an output" + " value") == 2 and t.count("# by " + "hand") == 1, t
ip.run_line_magic("logstop", "")
# %% case: she_bash_cells_and_python_vars [alone]
%%bash --out she_out --err she_err
echo from bash; echo oops >&2
# %%
she_words = she_out.split()
she_files = !ls nonexistent_dir 2>&1
# %%
%%time
she_timed = sum(range(1000))
# %% check
assert she_out == "from bash\n" and she_err == "oops\n" and she_words == ["from", "bash"] and she_timed == 499500
assert len(she_files) == 1 and she_files.n == she_files[0]
# %% case: she_source_of_notebook_code
import inspect
def she_square(x):
    # a comment that only the source has
    return x ** 2
class SheK:
    def meth(self): return "m"  # inline
# %%
she_src0 = inspect.getsource(she_square)
def she_square2(x): return she_square(x)
# %% check
import inspect
assert inspect.getsource(she_square) == she_src0 and "only the source has" in she_src0 and "# inline" in inspect.getsource(SheK.meth)
info = get_ipython().object_inspect("she_square", detail_level=1); assert "a comment that only" in info["source"]
import traceback
try:
    she_square2("x")
except TypeError as e:
    assert "return x ** 2" in "".join(traceback.format_exception(e)) and "she_square(x)" in "".join(traceback.format_exception(e))
# %% case: she_completion_and_inspection [alone]
class SheObj:
    """Doc of SheObj."""
    alpha_one = 1
    def _ipython_key_completions_(self): return ["key_x"]
she_obj = SheObj(); she_obj.alpha_two = 2
get_ipython().Completer.use_jedi = False
# %%
get_ipython().set_hook("complete_command", lambda self, ev: ["branch_a", "branch_b"], str_key="%switch")
# %% check
ip = get_ipython()
assert ip.Completer.use_jedi is False
assert {c.rpartition(".")[2] for c in ip.complete("she_obj.alpha", "she_obj.alpha")[1]} == {"alpha_one", "alpha_two"}, ip.complete("she_obj.alpha", "she_obj.alpha")
assert ip.object_inspect("SheObj")["docstring"] == "Doc of SheObj." and type(she_obj) is SheObj and ip.strdispatchers["complete_command"].strs["%switch"] is not None
# %% case: she_automagic_autocall_pdb_switches [alone]
%automagic off
%autocall 1
%pdb on
%xmode Verbose
# %%
get_ipython().separate_in = "\n--\n"; get_ipython().show_rewritten_input = False; get_ipython().sphinxify_docstring = True
%config IPCompleter.greedy = True
# %% check
ip = get_ipython()
assert ip.magics_manager.auto_magic is False and ip.autocall == 1 and ip.call_pdb and ip.InteractiveTB.mode == "Verbose"
assert ip.separate_in == "\n--\n" and ip.show_rewritten_input is False and ip.sphinxify_docstring is True and ip.Completer.greedy is True
ip.call_pdb = False
# %% case: she_user_expressions_and_run_cell_result
she_r = get_ipython().run_cell("she_inner = [4]; she_inner", store_history=False, silent=False)
# %%
she_expr = get_ipython().user_expressions({"a": "len(she_inner)", "b": "nope_name"})
she_ev = get_ipython().ev("she_inner"); get_ipython().ex("she_exd = she_inner")
# %% check
assert she_r.result is she_inner is she_ev is she_exd and she_r.success and she_r.info.raw_cell.startswith("she_inner")
assert she_expr["a"]["data"]["text/plain"] == "1" and she_expr["b"]["ename"] == "NameError"
# %% case: she_display_hooks_replaced [alone]
import builtins, IPython.display as D
she_shown = []
she_display0 = builtins.display
def she_display(*a, **k): she_shown.append(a)
builtins.display = she_display
display("caught", 1)
# %%
D.display_html_was = D.display_html; get_ipython().display_formatter.active_types = ["text/plain"]
class SheMime:
    def _repr_mimebundle_(self, include=None, exclude=None): return {"application/x-she": {"n": 1}}, {"m": 2}
# %% check
import builtins, IPython.display as D2
display("again"); assert she_shown == [("caught", 1), ("again",)] and builtins.display is she_display and D2.display is she_display0 and D2.display_html_was is D2.display_html
assert get_ipython().display_formatter.active_types == ["text/plain"]
assert get_ipython().display_formatter.format(SheMime())[0]["application/x-she"] == {"n": 1}
builtins.display = she_display0
# %% case: she_overwritten_shell_names [alone]
exit = "not the function"; In_copy = In
def display(*a): return ("mine", a)
quit = exit
# %%
get_ipython_was = get_ipython
def get_ipython(): return "fake"
# %% check
assert exit == quit == "not the function" and exit is quit and display(1) == ("mine", (1,)) and get_ipython() == "fake" and In_copy is In
ip = get_ipython_was(); assert ip.user_ns is globals() and ip.user_ns["get_ipython"] is get_ipython
del get_ipython; import builtins; assert "get_ipython" not in globals() and builtins.get_ipython() is ip
# %% case: she_user_module_and_hidden_names [alone]
get_ipython().user_ns_hidden["she_hidden"] = None; she_hidden = 1; she_visible = 2
get_ipython().user_module.__doc__ = "my notebook"; __doc__ = "my notebook 2"
# %%
she_w = %who_ls
__all__ = ["she_visible"]; __version__ = "1.0"
# %% check
she_w2 = %who_ls
assert "she_hidden" in globals() and ("she_hidden" in she_w) == ("she_hidden" in she_w2) and "she_visible" in she_w2
assert __doc__ == "my notebook 2" == get_ipython().user_module.__doc__ and __all__ == ["she_visible"] and __version__ == "1.0" and get_ipython().user_module is __import__("__main__")
