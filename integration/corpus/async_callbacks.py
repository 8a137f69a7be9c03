# Cells that await, leave tasks behind, schedule callbacks, and objects that observe each other.

# %% case: ac_top_level_await
import asyncio
async def ac_add(a, b):
    await asyncio.sleep(0)
    return a + b
ac_sum = await ac_add(1, 2)
# %%
ac_list = await asyncio.gather(ac_add(1, 1), ac_add(2, 2))
# %% check
assert ac_sum == 3 and ac_list == [2, 4]

# %% case: ac_async_for_and_with
class AcCtx:
    def __init__(self): self.log = []
    async def __aenter__(self): self.log.append('in'); return self
    async def __aexit__(self, *a): self.log.append('out')
async def ac_gen(n):
    for i in range(n): yield i
# %%
ac_ctx = AcCtx(); ac_got = []
async with ac_ctx as c:
    async for i in ac_gen(3): ac_got.append(i)
del c
# %% check
assert ac_ctx.log == ['in', 'out'] and ac_got == [0, 1, 2]

# %% case: ac_finished_task_result
import asyncio
async def ac_slow():
    await asyncio.sleep(0.01); return 'done'
ac_res = []
async def ac_run(): ac_res.append(await ac_slow())
ac_unused = await asyncio.create_task(ac_run())
# %% check
assert ac_res == ['done'] and ac_unused is None

# %% case: ac_task_changes_variable_later [alone]
import asyncio
ac_later = []
async def ac_bg():
    for i in range(3):
        await asyncio.sleep(0.01); ac_later.append(i)
ac_started = asyncio.ensure_future(ac_bg()) and True
# %%
await asyncio.sleep(0.2)
# %%
ac_len = len(ac_later)
# %% check
assert ac_started and ac_len in (0, 1, 2, 3) and len(ac_later) == ac_len

# %% case: ac_queue_and_event_objects
import asyncio
ac_q = asyncio.Queue()
ac_q.put_nowait(1); ac_q.put_nowait([2])
ac_ev = asyncio.Event(); ac_ev.set()
ac_lock = asyncio.Lock()
# %%
ac_first = await ac_q.get()
# %% check
assert ac_first == 1 and ac_q.qsize() == 1 and ac_ev.is_set() and not ac_lock.locked()

# %% case: ac_task_object_is_pinned [alone] [pinned]
import asyncio
async def ac_forever(): await asyncio.sleep(1000)
ac_task = asyncio.create_task(ac_forever()); ac_plain = [1]
# %%
ac_plain.append(2)
# %% check
assert ac_plain == [1, 2]
assert not ac_task.done()

# %% case: ac_callback_effect_found [alone]
import asyncio
ac_state = {'n': 0}
class AcBox:
    def __init__(self, d): self.d = d
    def bump(self): self.d['n'] += 1
ac_loop_calls = AcBox(ac_state)
asyncio.get_running_loop().call_soon(ac_loop_calls.bump)
# %%
await asyncio.sleep(0.05)
# %%
ac_n = ac_state['n']
# %% check
assert ac_n == ac_state['n'] and ac_loop_calls.d is ac_state

# %% case: ac_traitlets_observer
import traitlets
class AcModel(traitlets.HasTraits):
    value = traitlets.Int(0)
    name = traitlets.Unicode('m')
    tags = traitlets.List(traitlets.Unicode())
ac_changes = []
ac_model = AcModel()
def ac_on(change): ac_changes.append((change['old'], change['new']))
ac_model.observe(ac_on, names='value')
# %%
ac_model.value = 5
# %%
ac_model.value = 6; ac_model.tags = ['a']
# %% check
assert ac_changes == [(0, 5), (5, 6)] and ac_model.tags == ['a']
ac_model.value = 9
assert ac_changes[-1] == (6, 9)

# %% case: ac_traitlets_observer_method_and_unobserve
import traitlets
class AcView(traitlets.HasTraits):
    seen = traitlets.List()
    def on_value(self, change): self.seen = self.seen + [change['new']]
class AcSource(traitlets.HasTraits):
    value = traitlets.Int(0)
ac_view, ac_src = AcView(), AcSource()
ac_src.observe(ac_view.on_value, 'value')
# %%
ac_src.value = 3
# %%
ac_src.unobserve(ac_view.on_value, 'value')
ac_src.value = 4
# %% check
assert ac_view.seen == [3] and ac_src.value == 4

# %% case: ac_traitlets_decorated
import traitlets
class AcDeco(traitlets.HasTraits):
    x = traitlets.Float(1.0)
    y = traitlets.Float()
    @traitlets.default('y')
    def _y(self): return 10.0
    @traitlets.validate('x')
    def _valid(self, p): return max(0.0, p['value'])
    @traitlets.observe('x')
    def _moved(self, change): self.y = change['new'] * 2
ac_deco = AcDeco()
# %%
ac_deco.x = -5
# %%
ac_deco.x = 2.5
# %% check
assert ac_deco.x == 2.5 and ac_deco.y == 5.0
ac_deco.x = -1
assert ac_deco.x == 0.0 and ac_deco.y == 0.0

# %% case: ac_traitlets_link
import traitlets
class AcLinked(traitlets.HasTraits):
    value = traitlets.Int(0)
ac_a, ac_b = AcLinked(), AcLinked()
ac_link = traitlets.link((ac_a, 'value'), (ac_b, 'value'))
# %%
ac_a.value = 7
# %%
ac_b.value = 8
# %% check
assert ac_a.value == ac_b.value == 8
ac_a.value = 11
assert ac_b.value == 11

# %% case: ac_traitlets_configurable_with_shell
import traitlets
from traitlets.config import Configurable
class AcConf(Configurable):
    level = traitlets.Int(1).tag(config=True)
    shell = traitlets.Any()
ac_conf = AcConf(parent=get_ipython(), shell=get_ipython())
# %%
ac_conf.level = 4
# %% check
assert ac_conf.level == 4 and ac_conf.shell is get_ipython() and ac_conf.parent is get_ipython()

# %% case: ac_observer_pattern_in_plain_python
class AcSubject:
    def __init__(self): self.listeners = []
    def emit(self, v): return [f(v) for f in self.listeners]
class AcListener:
    def __init__(self): self.got = []
    def hear(self, v): self.got.append(v); return len(self.got)
ac_subject, ac_listener = AcSubject(), AcListener()
ac_subject.listeners += [ac_listener.hear, lambda v: ac_changes2.append(v)]
ac_changes2 = []
# %%
ac_subject.emit('x')
# %%
ac_subject.emit('y')
# %% check
assert ac_listener.got == ['x', 'y'] and ac_changes2 == ['x', 'y'] and ac_subject.listeners[0].__self__ is ac_listener

# %% case: ac_async_generator_half_run [pinned]
async def ac_agen():
    for i in range(5): yield i
ac_ag = ac_agen()
ac_first_item = await ac_ag.__anext__()
# %%
ac_ok = True
# %% check
assert ac_first_item == 0 and ac_ok
ac_second = await ac_ag.__anext__()
assert ac_second == 1

# %% case: ac_contextvar
import contextvars
ac_var = contextvars.ContextVar('ac_var', default=0)
# %%
ac_default = ac_var.get()
# %% check
assert ac_default == 0 and ac_var.name == 'ac_var'
