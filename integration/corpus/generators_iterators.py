# Iterators keep their place and their source; what is suspended in a frame stays where it is.
# %% case: iter_list_iterator_sees_appends
ila_src = [1, 2, 3]
ila_it = iter(ila_src)
ila_rev = reversed(ila_src)
ila_enum = enumerate(ila_src, start=10)
# %%
ila_a = next(ila_it), next(ila_rev), next(ila_enum)
ila_src.append(4)
# %% check
ila_src.append(5)
assert ila_a == (1, 3, (10, 1))
assert list(ila_it) == [2, 3, 4, 5] and list(ila_rev) == [2, 1] and list(ila_enum) == [(11, 2), (12, 3), (13, 4), (14, 5)]
assert next(ila_it, 'done') == 'done'
# %% case: iter_one_iterator_in_several_hands
ios_it = iter('abcdefgh')
ios_pairs = zip(ios_it, ios_it)
ios_upper = map(str.upper, ios_it)
ios_box = {'it': ios_it}
# %%
ios_first = next(ios_pairs), next(ios_upper), next(ios_box['it'])
# %% check
assert ios_first == (('a', 'b'), 'C', 'D'.lower())
assert next(ios_it) == 'e' and next(ios_upper) == 'F' and next(ios_pairs) == ('g', 'h')
assert ios_box['it'] is ios_it and list(ios_upper) == [] and next(ios_pairs, None) is None
# %% case: iter_dict_iterator_is_live
idl_d = {'a': 1, 'b': 2, 'c': 3}
idl_items, idl_keys = iter(idl_d.items()), iter(idl_d)
next(idl_items)
# %%
idl_d['b'] = [20]
# %% check
idl_d['c'] = 'changed'
assert list(idl_items) == [('b', [20]), ('c', 'changed')]
assert next(idl_keys) == 'a'
idl_d['new'] = 1
try:
    next(idl_keys)
except RuntimeError as e:
    idl_err = str(e)
else:
    idl_err = None
assert idl_err == 'dictionary changed size during iteration'
# %% case: iter_itertools_in_the_middle
import itertools as iim_it
iim_count = iim_it.count(10, 5)
iim_cycle = iim_it.cycle(['x', 'y', 'z'])
iim_chain = iim_it.chain.from_iterable([[1, 2], [3, 4], [5]])
iim_acc = iim_it.accumulate([1, 2, 3, 4], lambda a, b: a * 10 + b)
iim_prod = iim_it.product('ab', repeat=2)
iim_perm = iim_it.permutations([1, 2, 3], 2)
iim_isl = iim_it.islice(iim_count, 1, 8, 2)
# %%
iim_got = [next(i) for i in (iim_count, iim_cycle, iim_chain, iim_acc, iim_prod, iim_perm, iim_isl)]
next(iim_cycle); next(iim_acc); next(iim_chain)
# %% check
assert iim_got == [10, 'x', 1, 1, ('a', 'a'), (1, 2), 20]
assert next(iim_count) == 25 and next(iim_isl) == 35 and next(iim_count) == 40
assert [next(iim_cycle) for _i in range(3)] == ['z', 'x', 'y'] and list(iim_chain) == [3, 4, 5]
assert list(iim_acc) == [123, 1234] and next(iim_prod) == ('a', 'b') and next(iim_perm) == (1, 3)
# %% case: iter_tee_and_groupby
import itertools as itg_it
itg_src = iter(range(6))
itg_a, itg_b = itg_it.tee(itg_src)
itg_groups = itg_it.groupby(['x1', 'x2', 'y1', 'z1'], key=lambda s: s[0])
# %%
itg_x = [next(itg_a), next(itg_a), next(itg_b)]
itg_k, itg_g = next(itg_groups)
itg_first = list(itg_g)
# %% check
assert itg_x == [0, 1, 0] and itg_k == 'x' and itg_first == ['x1', 'x2']
assert next(itg_src) == 2                  # stolen from both
assert list(itg_b) == [1, 3, 4, 5] and list(itg_a) == [3, 4, 5]
assert [(k, list(g)) for k, g in itg_groups] == [('y', ['y1']), ('z', ['z1'])]
# %% case: iter_custom_and_sentinel
class IcsCountdown:
    def __init__(self, n): self.n = n
    def __iter__(self): return self
    def __next__(self):
        if self.n <= 0: raise StopIteration
        self.n -= 1
        return self.n
class IcsSeq:
    def __init__(self): self.asked = []
    def __getitem__(self, i):
        self.asked.append(i)
        if i > 3: raise IndexError
        return i * i
ics_c = IcsCountdown(5); ics_s = IcsSeq(); ics_old = iter(ics_s)
ics_queue = [3, 2, 1, 0]
ics_pop = iter(ics_queue.pop, 2)
ics_filter = filter(lambda v: v % 2 == 0, ics_c)
# %%
ics_got = next(ics_filter), next(ics_old), next(ics_old), next(ics_pop)
# %% check
assert ics_got == (4, 0, 1, 0) and ics_c.n == 4
ics_queue.append(9)
assert list(ics_pop) == [9, 1] and ics_queue == [3] and list(ics_old) == [4, 9] and ics_s.asked == [0, 1, 2, 3, 4]
assert next(ics_c) == 3 and list(ics_filter) == [2, 0]
# %% case: iter_finished_generator_beside_data
def ifg_read(rows):
    for r in rows:
        rows_seen.append(r)
        yield r
    return 'return value'
rows_seen = []
ifg_rows = [1, 2]
ifg_gen = ifg_read(ifg_rows)
ifg_all = list(ifg_gen)
# %%
ifg_rows.append(3)
# %% check
assert next(ifg_gen, 'empty') == 'empty' and rows_seen == [1, 2] and ifg_all == [1, 2]
assert ifg_gen.gi_frame is None and ifg_gen.__name__ == 'ifg_read'
# %% case: iter_asynchronous_generators_before_and_after
iter_async_log = []
async def iter_async_steps(n, *more, step=1, **named):
    for i in range(n):
        got = yield i * step
        iter_async_log.append((i, got, more, named))
iter_async_spent = iter_async_steps(2)
iter_async_items = [v async for v in iter_async_spent]
iter_async_fresh = iter_async_steps(3, "a", step=10, k=1); iter_async_same = {"it": iter_async_fresh}
iter_async_shut = iter_async_steps(1); await iter_async_shut.aclose()
iter_async_over = (v + 1 async for v in iter_async_steps(2))
# %%
iter_async_beside = [iter_async_fresh]
# %% check
assert iter_async_items == [0, 1] and [v async for v in iter_async_spent] == [] and [v async for v in iter_async_shut] == []
assert iter_async_same["it"] is iter_async_fresh is iter_async_beside[0] and iter_async_fresh.__qualname__ == "iter_async_steps"
iter_async_log.clear()
assert await iter_async_fresh.__anext__() == 0 and await iter_async_same["it"].asend("s") == 10 and iter_async_log == [(0, "s", ("a",), {"k": 1})]
assert [v async for v in iter_async_over] == [1, 2]
# %% case: iter_coroutines_awaited_in_later_cells
import asyncio
iter_fetched = []
async def iter_fetch(n):
    iter_fetched.append(n); await asyncio.sleep(0)
    return [n]
iter_one_call = iter_fetch(1); iter_calls = [iter_fetch(i) for i in (2, 3)]; iter_done_call = iter_fetch(0); iter_zero = await iter_done_call
iter_dropped_call = iter_fetch(9)
# %%
iter_call_alias = iter_one_call
iter_dropped_call.close(); del iter_dropped_call
# %%
iter_one_result = await iter_one_call
# %% check
import asyncio
assert iter_one_result == [1] and iter_zero == [0] and iter_call_alias is iter_one_call and iter_fetched == [0, 1]
assert await asyncio.gather(*iter_calls) == [[2], [3]] and iter_fetched == [0, 1, 2, 3]
for iter_again in (iter_one_call, iter_done_call):
    try:
        await iter_again
    except RuntimeError as e:
        assert "already awaited" in str(e), e
    else:
        raise AssertionError("awaited twice")
# %% case: iter_data_shared_with_a_live_generator
def idg_watch(buf, stats):
    while True:
        stats['n'] = len(buf)
        yield buf[-1]
idg_buf, idg_stats = [1, 2], {}
idg_gen = idg_watch(idg_buf, idg_stats)
next(idg_gen)
idg_again = {'buf': idg_buf, 'stats': idg_stats}
# %% check
idg_buf.append(3)                      # the names beside the generator are ordinary data
assert idg_again['buf'] is idg_buf and idg_again['stats'] is idg_stats and idg_stats == {'n': 2} and idg_buf == [1, 2, 3]
# %% case: iter_generator_replaced_by_plain_data
def irg_gen(): yield from range(5)
irg_g = irg_gen(); next(irg_g)
# %%
irg_g = list(irg_gen())
# %% check
irg_g.append('x')
assert irg_g == [0, 1, 2, 3, 4, 'x'] and list(irg_gen()) == [0, 1, 2, 3, 4]
# %% case: iter_suspended_generator [pinned]
isg_seen = []
def isg_numbers():
    total = 0
    for i in range(100):
        total += i
        isg_seen.append(i)
        yield total
# %%
isg_g = isg_numbers()
isg_first = [next(isg_g) for _i in range(4)]
# %% check
assert next(isg_g) == 10
assert isg_first == [0, 1, 3, 6] and isg_seen == [0, 1, 2, 3, 4]
# %% case: iter_generator_inside_an_object [pinned]
class IgoStream:
    def __init__(self):
        self.pos = 0
        self._it = self._run()
    def _run(self):
        while True:
            self.pos += 1
            yield self.pos
    def read(self): return next(self._it)
# %%
igo_s = IgoStream()
igo_s.read()
# %% check
assert igo_s.read() == 2 and igo_s.pos == 2
# %% case: iter_generator_in_a_closure_cell [pinned]
def igc_make():
    def squares():
        n = 0
        while True:
            n += 1
            yield n * n
    g = squares()
    next(g)
    return lambda: next(g)
# %%
igc_next = igc_make()
igc_one = igc_next()
# %% check
assert igc_next() == 9 and igc_one == 4
# %% case: iter_send_generator_under_map [pinned]
def isu_averager():
    total = n = 0
    avg = None
    while True:
        x = yield avg
        total += x; n += 1
        avg = total / n
# %%
isu_avg = isu_averager(); next(isu_avg)
isu_avg.send(10)
isu_lazy = map(lambda x: x * 2, (k for k in range(5)))
next(isu_lazy)
# %% check
assert isu_avg.send(20) == 15.0 and next(isu_lazy) == 2
# %% case: iter_entered_context_manager [pinned]
import contextlib
iec_log = []
@contextlib.contextmanager
def iec_cm():
    local = ['entered']
    yield local
    iec_log.extend(local)
# %%
iec_stack = contextlib.ExitStack()
iec_value = iec_stack.enter_context(iec_cm())
# %% check
iec_stack.close()
assert iec_log == ['entered']
