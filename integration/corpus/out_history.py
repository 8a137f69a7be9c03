# History and outputs: In/Out/_/__/_iN/_N, deleted Out entries, captured outputs, display handles, errors kept as last exception.
# %% case: his_out_identity_and_underscores [alone]
[1, 2]
# %%
{"a": _}
# %%
_1.append(3); _
# %%
his_n = (_, __, ___)
# %% check
assert Out[1] == [1, 2, 3] and Out[2] is Out[3] and Out[2]["a"] is Out[1] is _1
assert _ is Out[3] and __ is Out[2] and ___ is Out[1]
assert his_n[0] is _ and his_n[2] is _1
assert _i1 == "[1, 2]" == In[1] and _i == "his_n = (_, __, ___)" and _ii == "_1.append(3); _" and _iii == '{"a": _}'
assert In[0] == "" and _ih is In and _oh is Out and 4 not in Out
# %% case: his_semicolon_suppression_and_none [alone]
"kept";
# %%
None
# %%
his_x = "shown"
his_x
# %%
print("no value")
# %% check
assert list(Out) == [3] and Out[3] is his_x is _3 and _ is his_x and __ == "" and ___ == "", (Out, _, __)
assert "_1" not in globals() and _i1 == '"kept";'
# %% case: his_deleted_out_entries [alone]
"big one"
# %%
"second"
# %%
del Out[1]
del _1
# %%
his_len = len(Out)
# %%
"third"
# %% check
assert sorted(Out) == [2, 5] and "_1" not in globals() and his_len == 1
assert _2 == "second" and _5 == "third" and _ == "third" and __ == "second" and ___ == "big one"
# %% case: his_underscore_taken_by_user [alone]
"before"
# %%
for _ in range(3):
    pass
# %%
"ignored by _"
# %%
his_u = _
# %% check
assert his_u == 2 and _ == 2, (_, his_u)
assert Out[3] == "ignored by _" and _3 == "ignored by _"
del globals()["_"]
# %% case: his_gettext_style_underscore [alone]
import gettext
his_tr = gettext.NullTranslations()
_ = his_tr.gettext
his_a = _("hello")
# %%
"an expression"
# %%
his_b = _("again")
# %% check
assert his_a == "hello" and his_b == "again" and _("x") == "x" and _.__self__ is his_tr
assert Out[2] == "an expression"
# %% case: his_in_list_edited_and_rerun [alone]
his_c = 0
# %%
his_c += 5
# %%
exec(In[2]); exec(_i2)
# %%
In[1] = "redacted"
his_magic = %history -n 1-2
# %% check
assert his_c == 15 and In[1] == "redacted" and _i1 == "his_c = 0"
assert len(In) >= 5 and In[3].startswith("exec(In[2])")
# %% case: his_execution_count_used [alone]
his_ec = [get_ipython().execution_count]
# %% raises SyntaxError
his_bad = = 1
# %%
his_ec.append(get_ipython().execution_count)
# %% raises NameError
his_never_defined
# %%
his_ec.append(get_ipython().execution_count)
"five"
# %% check
assert his_ec == [2, 4, 6] and get_ipython().execution_count > 6 and dict(Out) == {5: "five"} and _5 == "five"
assert In[2] == "his_bad = = 1" and "his_bad" not in globals() and In[4] == "his_never_defined"
# %% case: his_last_exception_kept [alone]
class HisError(ValueError):
    def __init__(self, code, payload): super().__init__(f"code {code}"); self.code = code; self.payload = payload
his_payload = {"rows": [1]}
def his_fail(n):
    if n == 0: raise HisError(7, his_payload)
    his_fail(n - 1)
# %% raises HisError
his_fail(3)
# %% check
import sys
e = sys.last_value
assert type(e) is HisError is sys.last_type and e.code == 7 and e.payload is his_payload and e.args == ("code 7",)
# %% case: his_exception_chain_stored [alone]
his_errs = []
class HisOuter(Exception): pass
for his_s in ("x", "1", "-1"):
    try:
        try:
            his_r = [10][int(his_s)]
        except (ValueError, IndexError) as inner:
            inner.add_note("while parsing " + his_s)
            raise HisOuter(his_s) from inner
    except HisOuter as outer:
        his_errs.append(outer)
# %%
his_group = ExceptionGroup("all", his_errs)
# %% check
assert [type(e) for e in his_errs] == [HisOuter, HisOuter] and his_group.exceptions[0] is his_errs[0]
c = his_errs[0].__cause__
assert type(c) is ValueError and c.__notes__ == ["while parsing x"] and his_errs[0].__suppress_context__
assert type(his_errs[1].__cause__) is IndexError and his_errs[1].__context__ is his_errs[1].__cause__
assert "inner" not in globals() and "outer" not in globals() and his_r == 10
# %% case: his_partial_effects_before_error [alone]
his_list, his_d = [], {}
# %% raises KeyError
his_list.append(1)
his_d["self"] = his_d
for his_i in range(5):
    his_list.append(his_i)
    if his_i == 2:
        {}["missing"]
his_unreached = True
# %% check
assert his_list == [1, 0, 1, 2] and his_i == 2 and his_d["self"] is his_d and "his_unreached" not in globals()
# %% case: his_capture_object_reused [alone]
%%capture his_cap
import sys
from IPython.display import display, HTML
print("line one"); print("to err", file=sys.stderr)
display(HTML("<b>x</b>"))
"value"
# %%
his_lines = his_cap.stdout.splitlines()
with __import__("IPython.utils.capture", fromlist=["x"]).capture_output() as his_cap2:
    print("inner")
# %% check
from IPython.utils.capture import CapturedIO
assert type(his_cap) is CapturedIO and his_cap.stdout == "line one\n" and his_cap.stderr == "to err\n"
assert his_lines == ["line one"] and his_cap2.stdout == "inner\n"
assert his_cap.outputs[0].data["text/html"] == "<b>x</b>" and len(his_cap.outputs) == 2
# %% case: his_display_handle_updated_later [alone]
from IPython.display import display, DisplayHandle, Markdown, Image
his_h = display({"step": 0}, display_id=True)
his_h2 = display("x", display_id="his-fixed-id")
# %%
his_h.update({"step": 1}); his_by_id = {his_h.display_id: his_h}
his_md = Markdown("# T")
# %% check
assert type(his_h) is DisplayHandle and his_h2.display_id == "his-fixed-id"
assert his_by_id[his_h.display_id] is his_h and len(his_h.display_id) == 32
his_h.update({"step": 2})
assert his_md.data == "# T" and type(his_md) is Markdown
# %% case: his_progress_like_output [alone]
from IPython.display import ProgressBar, JSON, Audio, Code
his_bar = ProgressBar(4)
next(his_bar); next(his_bar)
his_bar_id = his_bar._display_id
# %%
his_code = Code("x = 1", language="python"); his_json = JSON({"a": [1]})
next(his_bar)
# %% check
assert his_bar.progress == 3 and his_bar.total == 4, his_bar.progress
assert "x" in his_code._repr_html_() and his_json.data == {"a": [1]} and type(his_json) is JSON
assert his_bar._display_id == his_bar_id
# %% case: his_bang_and_slist [alone]
open("his_f.txt", "w").write("b 2\na 1\n")
his_out = !cat his_f.txt
# %%
his_sorted = his_out.sort(1, nums=True)
his_name = "his_f.txt"
his_wc = !wc -l < {his_name}
!exit 3
# %% check
from IPython.utils.text import SList
assert type(his_out) is SList and his_out.fields(0) == ["b", "a"] and his_out.s == "b 2 a 1"
assert list(his_sorted) == ["a 1", "b 2"] and his_wc[0].strip() == "2" and _exit_code == 3
# %% case: his_prun_timeit_objects [alone]
his_t = %timeit -n 2 -r 2 -o -q sum(range(10))
his_p = %prun -r -q sum([1, 2])
# %%
his_runs = list(his_t.all_runs)
# %% check
assert his_t.loops == 2 and his_t.repeat == 2 and his_runs == his_t.all_runs and len(his_runs) == 2
assert type(his_t).__name__ == "TimeitResult" and type(his_p).__name__ == "Stats" and his_p.total_calls >= 2
