# What people do with IPython itself: magics, aliases, history, hooks, displays, written modules, namespaces, async.
# %% case: ipy_writefile_edit_reload [alone]
import sys, os
os.makedirs("iwr_dir", exist_ok=True)
sys.path.insert(0, os.path.abspath("iwr_dir"))
# %%
%%writefile iwr_dir/iwr_mod.py
COUNT = 0
REG = {}
class Thing:
    def hi(self): return "v1"
def bump():
    global COUNT
    COUNT += 1
    return COUNT
# %%
import iwr_mod
from iwr_mod import Thing as IwrThing, bump as iwr_bump
iwr_old = IwrThing()
iwr_bump(); iwr_mod.bump()
iwr_mod.REG["k"] = iwr_old
iwr_mod.injected = [1]
# %%
%%writefile iwr_dir/iwr_mod.py
COUNT = 100
class Thing:
    def hi(self): return "version two"
def bump():
    global COUNT
    COUNT += 10
    return COUNT
# %%
import importlib
iwr_ret = importlib.reload(iwr_mod)
iwr_new = iwr_mod.Thing()
iwr_mod.bump()
# %%
iwr_mod.__dict__["late"] = lambda: iwr_mod.COUNT
# %% check
import sys, iwr_mod as again
assert again is iwr_mod is iwr_ret is sys.modules["iwr_mod"]
assert iwr_mod.COUNT == 110 and iwr_mod.REG["k"] is iwr_old and iwr_mod.injected == [1]
assert iwr_old.hi() == "v1" and iwr_new.hi() == "version two" and type(iwr_old) is IwrThing
assert IwrThing is not iwr_mod.Thing and isinstance(iwr_new, iwr_mod.Thing)
assert iwr_bump is not iwr_mod.bump and iwr_bump() == 111 and iwr_mod.bump() == 121 and iwr_mod.late() == 121
assert iwr_bump.__globals__ is iwr_mod.__dict__
# %% case: ipy_custom_magics [alone]
from IPython.core.magic import register_line_magic, register_cell_magic, register_line_cell_magic, Magics, magics_class, line_magic, cell_magic
icm_notes = []
@register_line_magic
def icm_note(line):
    icm_notes.append(line)
    return len(icm_notes)
@register_cell_magic
def icm_rev(line, cell):
    icm_notes.append(("cell", line, cell.strip()[::-1]))
# %%
@magics_class
class IcmMagics(Magics):
    def __init__(self, shell, store):
        super().__init__(shell)
        self.store = store
    @line_magic
    def icm_put(self, line):
        k, v = line.split("=")
        self.store[k.strip()] = self.shell.ev(v)
    @cell_magic
    def icm_exec(self, line, cell):
        self.shell.ex(cell)
        self.store[line] = cell
icm_store = {}
icm_obj = IcmMagics(get_ipython(), icm_store)
get_ipython().register_magics(icm_obj)
# %%
icm_n = %icm_note hello world
%icm_put a = icm_n + 1
# %%
%%icm_rev x
desserts
# %%
%%icm_exec second
icm_made = 41 + 1
# %%
%alias icm_echo echo aliased %s
%alias_magic icm_t timeit
# %% check
ip = get_ipython()
assert icm_notes == ["hello world", ("cell", "x", "stressed")] and icm_made == 42
assert icm_store["a"] == 2 and "second" in icm_store
ip.run_line_magic("icm_note", "more")
assert icm_notes[-1] == "more"
ip.run_line_magic("icm_put", "z = icm_made")
assert icm_store["z"] == 42 and icm_obj.store is icm_store
assert ip.find_line_magic("icm_put").__self__ is icm_obj
ip.run_cell_magic("icm_rev", "y", "abc\n")
assert icm_notes[-1] == ("cell", "y", "cba")
assert ip.alias_manager.is_alias("icm_echo") and ip.find_line_magic("icm_t") is not None
# %% case: ipy_history_vars [alone]
6 * 7
# %%
ihv_doubled = _ * 2
_
# %%
"a string"; ihv_q = [1]
ihv_q
# %%
_.append(2)
ihv_saved_in = In[1]
Out[1]
# %%
ihv_sum = Out[1] + _2
In[-1]
# %% check
assert ihv_doubled == 84 and ihv_sum == 84 and Out[1] == 42 and _1 == 42
assert Out[3] is ihv_q and _3 is ihv_q and ihv_q == [1, 2]
assert ihv_saved_in == "6 * 7" and In[1] == "6 * 7" and _i1 == In[1]
assert In[3].startswith('"a string"') and _ih is In and _oh is Out
assert "ihv_sum = Out[1]" in Out[5] and _5 == Out[5]
assert sorted(Out)[:5] == [1, 2, 3, 4, 5]
assert get_ipython().execution_count >= 6
assert list(get_ipython().history_manager.get_range(0, 1, 2))[0][2] == "6 * 7"
# %% case: ipy_formatters_and_hooks [alone]
ip = get_ipython()
class IfhMoney:
    def __init__(self, v): self.v = v
ip.display_formatter.formatters["text/plain"].for_type(IfhMoney, lambda o, p, c: p.text(f"${o.v}"))
ifh_html = lambda o: f"<b>{o.v}</b>"
ip.display_formatter.formatters["text/html"].for_type(IfhMoney, ifh_html)
# %%
ifh_ran = []
def ifh_pre(info):
    ifh_ran.append(("pre", info.raw_cell.split("\n")[0]))
def ifh_post(result):
    ifh_ran.append(("post", result.success))
ip.events.register("pre_run_cell", ifh_pre)
ip.events.register("post_run_cell", ifh_post)
# %%
ifh_x = 1
# %% raises ZeroDivisionError
ifh_y = 2
1 / 0
# %%
def ifh_tr(lines):
    return [l.replace("IFH_MAGIC", "4242") for l in lines]
ip.input_transformers_cleanup.append(ifh_tr)
ifh_caught = []
def ifh_exc(self, et, ev, tb, tb_offset=None):
    ifh_caught.append(ev)
    return None
ip.set_custom_exc((LookupError,), ifh_exc)
# %%
ifh_z = IFH_MAGIC
ip.events.unregister("post_run_cell", ifh_post)
# %% raises KeyError
{}["handled"]
# %% check
assert ifh_z == 4242
assert ("pre", "ifh_x = 1") in ifh_ran and ("post", False) in ifh_ran and ("pre", "ifh_z = IFH_" + "MAGIC") in ifh_ran
assert ("pre", '{}["handled"]') in ifh_ran
n_pre = sum(k == "pre" for k, _ in ifh_ran); n_post = sum(k == "post" for k, _ in ifh_ran)
assert n_pre >= 6 and n_post == 4, ifh_ran
assert len(ifh_caught) == 1 and isinstance(ifh_caught[0], KeyError)
data, md = get_ipython().display_formatter.format(IfhMoney(5))
assert data["text/plain"] == "$5" and data["text/html"] == "<b>5</b>"
assert ip.display_formatter.formatters["text/html"].lookup_by_type(IfhMoney) is ifh_html
assert ifh_tr in ip.input_transformers_cleanup and ip is get_ipython()
# %% case: ipy_namespace_tricks
globals()["int_made"] = [1, 2]
exec("int_exec = int_made; def_f = None\ndef int_f(x): return int_made + [x]")
int_g = eval("lambda y: int_f(y)[-1]")
vars()["int_v"] = int_made
setattr(__import__("__main__"), "int_attr", int_made)
# %%
int_ns = {"seed": 3}
exec("""
def grow(n):
    global seed
    seed += n
    return seed
class K:
    base = seed
""", int_ns)
int_grow = int_ns["grow"]
int_grow(4)
int_k = int_ns["K"]()
# %%
get_ipython().push({"int_pushed": int_ns})
get_ipython().user_ns["int_user"] = int_k
for _i_name in ("p", "q"):
    globals()[f"int_{_i_name}"] = _i_name * 2
del _i_name
# %%
import types as int_types, sys as int_sys
int_mod = int_types.ModuleType("int_virtual", "doc here")
exec("state = []\ndef add(x):\n    state.append(x)\n    return state", int_mod.__dict__)
int_sys.modules["int_virtual"] = int_mod
from int_virtual import add as int_add
int_add(1)
# %% raises NameError
del int_exec
int_add(2)
int_exec
# %%
def int_outer():
    z = []
    def a(): z.append(len(z)); return z
    def b(): return z
    return a, b
int_a, int_b = int_outer()
int_a()
# %% check
import sys, __main__
assert "int_exec" not in globals() and int_v is int_made is int_attr and __main__.int_made is int_made
assert int_f(9) == [1, 2, 9] and int_g(5) == 5
assert int_ns["seed"] == 7 and int_grow(1) == 8 and int_ns["seed"] == 8 and int_grow.__globals__ is int_ns and int_pushed is int_ns
assert int_user is int_k and type(int_k) is int_ns["K"] and int_k.base == 3
assert int_p == "pp" and int_q == "qq"
import int_virtual
assert int_virtual is int_mod and int_virtual.state == [1, 2] and int_add(3) is int_mod.state and int_mod.__doc__ == "doc here"
assert int_a() is int_b() and int_b() == [0, 1]
assert globals() is get_ipython().user_ns and __name__ == "__main__"
# %% case: ipy_run_file_and_cell_outputs
%%writefile irf_script.py
import sys
irf_args = list(sys.argv)
irf_cfg = {"depth": 2}
def irf_walk(n): return n * irf_cfg["depth"]
class IrfNode:
    pass
irf_node = IrfNode()
if __name__ == "__main__":
    irf_was_main = True
# %%
%run irf_script.py one two
# %%
irf_cfg["depth"] = 5
irf_before = irf_walk(10)
# %%
%%capture irf_cap
print("captured out")
import sys; print("captured err", file=sys.stderr)
# %%
irf_shell = !echo hello; echo world
irf_n = 3
irf_shell2 = !echo {irf_n * 7}
# %%
%%bash --out irf_bash
echo from bash
# %%
irf_t = %timeit -o -n1 -r1 -q pass
# %% check
assert irf_args[1:] == ["one", "two"] and irf_was_main and irf_args[0].endswith("irf_script.py")
assert irf_before == irf_walk(10)
irf_cfg_seen = irf_walk.__globals__["irf_cfg"]
assert type(irf_node) is IrfNode and irf_node.__class__.__name__ == "IrfNode"
assert irf_cap.stdout == "captured out\n" and "captured err" in irf_cap.stderr
assert list(irf_shell) == ["hello", "world"] and irf_shell.n == "hello\nworld" and irf_shell.s == "hello world" and type(irf_shell).__name__ == "SList"
assert irf_shell2 == ["21"] and irf_bash.strip() == "from bash" and irf_shell.grep("wor") == ["world"]
assert irf_t.loops == 1 and irf_t.repeat == 1 and len(irf_t.all_runs) == 1
# %% case: ipy_async_top_level [alone]
import asyncio
iat_log = []
async def iat_job(n, d=0):
    await asyncio.sleep(d)
    iat_log.append(n)
    return n * n
iat_res = await asyncio.gather(*(iat_job(i) for i in range(4)))
# %%
iat_q = asyncio.Queue()
await iat_q.put("x"); iat_q.put_nowait({"y": iat_log})
iat_lock = asyncio.Lock()
iat_ev = asyncio.Event(); iat_ev.set()
iat_sem = asyncio.Semaphore(3); await iat_sem.acquire()
# %%
class IatRes:
    depth = 0
    async def __aenter__(self): IatRes.depth += 1; return self
    async def __aexit__(self, *a): IatRes.depth -= 1
    async def __aiter__(self):
        for i in range(3): yield i
async with IatRes() as iat_r:
    iat_in = [i async for i in iat_r]
iat_depth = IatRes.depth
# %% raises ValueError
iat_partial = await iat_job(9)
async def iat_bad():
    await asyncio.sleep(0)
    iat_log.append("bad")
    raise ValueError("async")
await iat_bad()
# %%
iat_task = asyncio.create_task(iat_job(11))
await iat_task
iat_fut = asyncio.get_running_loop().create_future(); iat_fut.set_result([iat_log])
# %% check
assert iat_res == [0, 1, 4, 9] and iat_log == [0, 1, 2, 3, 9, "bad", 11] and iat_partial == 81
assert iat_q.qsize() == 2 and await iat_q.get() == "x" and (await iat_q.get())["y"] is iat_log
assert iat_in == [0, 1, 2] and iat_depth == 0 and type(iat_r) is IatRes
assert iat_ev.is_set() and not iat_lock.locked() and not iat_sem.locked()
await iat_sem.acquire(); await iat_sem.acquire()
assert iat_sem.locked()
assert iat_task.done() and iat_task.result() == 121 and iat_fut.result()[0] is iat_log
async with iat_lock: assert await iat_job(2) == 4
# %% case: ipy_shadowing_and_unpacking [alone]
list_backup = list
def list(*a): return ("shadow", a)
isu_a, *isu_b, isu_c = range(6)
(isu_d, [isu_e, *isu_f]), isu_g = (1, "xyz"), {"k": isu_b}
# %%
isu_h = [isu_y := 5, isu_y ** 2]
isu_fs = [lambda: isu_i for isu_i in range(3)]
isu_gs = [lambda isu_i=isu_i: isu_i for isu_i in range(3)]
print_backup = print
isu_out = []
def print(*a, **k): isu_out.append(a)
# %%
print("one", 2)
isu_len = len
len = lambda x: 1000
# %% raises TypeError
sum = 5
sum([1])
# %%
del sum
isu_sum = sum([1, 2])
isu_loop = []
for isu_j in range(3):
    isu_loop.append(lambda: isu_j)
type = "not the builtin"
isu_x = isu_z = isu_w = []
isu_x += [1]
# %% check
import builtins
assert list(3) == ("shadow", (3,)) and list_backup is builtins.list and list is not builtins.list
assert isu_b == [1, 2, 3, 4] and isu_c == 5 and isu_e == "x" and isu_f == ["y", "z"] and isu_g["k"] is isu_b
assert isu_h == [5, 25] and isu_y == 5
assert [f() for f in isu_fs] == [2, 2, 2] and [f() for f in isu_gs] == [0, 1, 2]
assert isu_fs[0].__closure__ is not None and isu_fs[0].__closure__[0] is isu_fs[1].__closure__[0]
isu_j = "changed"
assert [f() for f in isu_loop] == ["changed"] * 3
print("two")
assert isu_out == [("one", 2), ("two",)] and print_backup is builtins.print
assert len([]) == 1000 and isu_len is builtins.len and isu_sum == 3 and sum is builtins.sum
assert type == "not the builtin" and isu_x is isu_z is isu_w and isu_w == [1]
del list, print, len, type
assert len(list((1, 2))) == 2
# %% case: ipy_autoreload_and_extension [alone]
%load_ext autoreload
%autoreload 2
import os
with open("iae_ext.py", "w") as f:
    f.write('''
loaded = []
def hello(line):
    loaded.append(line)
    return line.upper()
def load_ipython_extension(ip):
    loaded.append("loaded")
    ip.register_magic_function(hello, "line", "iae_hello")
    ip.user_ns["iae_from_ext"] = loaded
def unload_ipython_extension(ip):
    loaded.append("unloaded")
''')
# %%
%load_ext iae_ext
iae_r = %iae_hello abc
# %%
%config InlineBackend.figure_format = 'svg'
%config InteractiveShell.ast_node_interactivity = 'all'
%xmode Plain
%precision 3
# %%
1
iae_after = 2
iae_after
# %%
%env IAE_VAR=some value
os.environ["IAE_OTHER"] = "1"
%pushd .
%bookmark -l
# %% check
ip = get_ipython()
import iae_ext
assert iae_r == "ABC" and iae_from_ext is iae_ext.loaded and iae_ext.loaded == ["loaded", "abc"]
assert ip.run_line_magic("iae_hello", "z") == "Z" and iae_from_ext[-1] == "z"
assert "iae_ext" in ip.extension_manager.loaded and any("autoreload" in e for e in ip.extension_manager.loaded)
assert ip.ast_node_interactivity == "all" and ip.InteractiveTB.mode == "Plain"
assert os.environ["IAE_VAR"] == "some value" and os.environ["IAE_OTHER"] == "1"
assert ip.display_formatter.format(3.14159)[0]["text/plain"] == "3.142"
import subprocess
assert subprocess.check_output("echo $IAE_VAR", shell=True, text=True).strip() == "some value"
