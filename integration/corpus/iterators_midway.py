# Things in mid-course: iterators, readers, buffers, streams, random states, heaps and windows.
# %% case: it_itertools_chain_in_course
import itertools as it
it_ids = it.count(100, 5)
it_wheel = it.cycle("abc")
it_mixed = it.chain([1, 2], (x for x in ()), "xy")
it_acc = it.accumulate([1, 2, 3, 4], lambda a, b: a * b)
it_perm = it.permutations("abc", 2)
# %%
it_first = [next(it_ids), next(it_ids), next(it_wheel), next(it_wheel), next(it_mixed), next(it_acc), next(it_acc)]
it_p = list(it.islice(it_perm, 3))
it_take = it.islice(it_ids, 2, 8, 2)
it_drop = it.dropwhile(lambda c: c != "c", it_wheel)
# %%
it_second = [next(it_take), next(it_drop)]
# %% check
assert it_first == [100, 105, "a", "b", 1, 1, 2]
assert it_second == [120, "c"], it_second
assert next(it_ids) == 125          # the slice drew from the very same counter
assert next(it_wheel) == "a" and next(it_drop) == "b"
assert list(it_mixed) == [2, "x", "y"] and list(it_acc) == [6, 24]
assert list(it_perm) == [("b", "c"), ("c", "a"), ("c", "b")]
assert list(it_take) == [135, 145]
assert next(it_ids) == 155, "islice consumes up to its stop"
# %% case: it_csv_reader_half_read
import csv, io
it_text = io.StringIO('id;name;note\r\n1;Ann;"a;b"\r\n2;Bob;"two\nlines"\r\n3;Cy;""\r\n')
class ItSemi(csv.excel):
    delimiter = ";"
csv.register_dialect("it-semi", ItSemi)
it_reader = csv.reader(it_text, dialect="it-semi")
it_header = next(it_reader)
# %%
it_rows = [next(it_reader)]
it_out = io.StringIO()
it_writer = csv.DictWriter(it_out, fieldnames=it_header, dialect="it-semi", extrasaction="ignore")
it_writer.writeheader()
# %%
it_rows.append(next(it_reader))
it_writer.writerow(dict(zip(it_header, it_rows[0])))
# %% check
assert it_rows == [["1", "Ann", "a;b"], ["2", "Bob", "two\nlines"]]
assert it_reader.line_num == 4 and it_reader.dialect.delimiter == ";"
assert next(it_reader) == ["3", "Cy", ""] and next(it_reader, None) is None
assert it_text.read() == ""
it_writer.writerow({"id": 9, "name": "Zed", "other": 1})
assert it_out.getvalue() == 'id;name;note\r\n1;Ann;"a;b"\r\n9;Zed;\r\n'
assert csv.get_dialect("it-semi").delimiter == ";"
# %% case: it_zip_of_one_shared_iterator
it_lines = iter(["k1", "v1", "k2", "v2", "k3", "v3", "odd"])
it_pairs = zip(it_lines, it_lines)
it_num = enumerate(it_lines, start=10)
it_base = [1, 2, 3, 4, 5, 6]
it_evens = filter(lambda x: x % 2 == 0, it_base)
it_sq = map(lambda x: (x, x * x), it_evens)
it_rev = reversed(it_base)
# %%
it_got = [next(it_pairs), next(it_num), next(it_sq), next(it_rev)]
# %%
it_base.extend([7, 8])
it_got.append(next(it_pairs))
# %% check
assert it_got == [("k1", "v1"), (10, "k2"), (2, 4), 6, ("v2", "k3")], it_got
assert next(it_num) == (11, "v3") and next(it_lines) == "odd" and list(it_pairs) == []
assert next(it_evens) == 4
assert list(it_sq) == [(6, 36), (8, 64)], "the list grew under the iterator"
assert next(it_rev) == 5
# %% case: it_tee_groupby_and_sentinel
import itertools as it, operator
it_src = iter(range(8))
it_a, it_b = it.tee(it_src)
it_queue = ["stop", 3, 2, 1]
it_until = iter(it_queue.pop, "stop")
it_exhausted = (c for c in "ab")
list(it_exhausted)
it_lst_it = iter([1])
list(it_lst_it)
# %%
it_seen = [next(it_a), next(it_a), next(it_a), next(it_b)]
it_x = next(it_until)
it_words = sorted(["apple", "avocado", "bean", "beet", "corn"])
it_groups = it.groupby(it_words, key=operator.itemgetter(0))
it_k1, it_g1 = next(it_groups)
it_g1_list = list(it_g1)
# %% check
assert it_seen == [0, 1, 2, 0] and it_x == 1
assert next(it_b) == 1 and next(it_a) == 3 and list(it_b) == [2, 3, 4, 5, 6, 7] and list(it_a) == [4, 5, 6, 7]
assert next(it_src, None) is None
assert list(it_until) == [2, 3] and it_queue == []
assert next(it_exhausted, "end") == "end" and next(it_lst_it, "end") == "end"
assert it_g1_list == ["apple", "avocado"] and [(k, list(g)) for k, g in it_groups] == [("b", ["bean", "beet"]), ("c", ["corn"])]
# %% case: it_stream_positions
import io
it_s = io.StringIO("line one\nline two\nline three\n")
it_by = io.BytesIO()
it_wrap = io.TextIOWrapper(it_by, encoding="utf-16", newline="\r\n", write_through=True)
it_first_line = it_s.readline()
# %%
it_wrap.write("añb\n")
it_by_len = len(it_by.getvalue())
it_raw = io.BytesIO(b"0123456789")
it_buf = io.BufferedReader(it_raw, 4)
it_head = it_buf.read(3)
it_s2 = it_s
# %%
it_s2.seek(0, 2); it_s2.write("line four\n"); it_s2.seek(9)
# %% check
assert it_s is it_s2 and it_first_line == "line one\n"
assert it_s.tell() == 9 and it_s.readline() == "line two\n" and list(it_s) == ["line three\n", "line four\n"]
assert it_by_len == 12, it_by_len
it_wrap.write("z"); it_wrap.flush()
assert it_by.getvalue().decode("utf-16") == "añb\r\nz" and it_wrap.buffer is it_by
assert it_head == b"012" and it_buf.raw is it_raw and it_buf.tell() == 3 and it_buf.read() == b"3456789"
# %% case: it_views_over_one_buffer
import array, struct
it_ba = bytearray(16)
it_mv = memoryview(it_ba)
it_tail = it_mv[8:]
it_ints = it_tail.cast("I")
it_arr = array.array("d", [1.0, 2.0, 3.0])
it_arr_view = memoryview(it_arr)[1:]
it_hdr = struct.Struct("<HHI")
# %%
it_hdr.pack_into(it_ba, 0, 1, 2, 3)
it_ints[0] = 0xDEADBEEF
it_arr_view[0] = 20.0
it_ro = it_mv.toreadonly()
# %%
it_fields = it_hdr.iter_unpack(it_ba)
it_f1 = next(it_fields)
# %% check
assert it_f1 == (1, 2, 3) and it_mv.obj is it_ba and it_tail.obj is it_ba and it_ints.obj is it_ba
assert struct.unpack_from("=I", it_ba, 8)[0] == 0xDEADBEEF
it_ba[0] = 255
assert it_mv[0] == 255 and it_ro[0] == 255 and it_ro.readonly and not it_tail.readonly
it_ints[1] = 7
assert it_ba[12:] == b"\x07\0\0\0" and it_ints.format == "I" and it_ints.itemsize == 4
assert it_arr[1] == 20.0 and it_arr.typecode == "d"
it_arr[2] = -1
assert it_arr_view.tolist() == [20.0, -1.0] and it_arr_view.obj is it_arr
try:
    it_ba.append(1)
except BufferError:
    pass
else:
    raise AssertionError("exported buffer could be resized")
assert it_hdr.size == 8
# %% case: it_regex_scan_in_course
import re
it_pat = re.compile(r"(?P<key>\w+)\s*=\s*(?P<val>\d+)", re.I | re.M)
it_src_text = "alpha = 1\nbeta=22\n gamma =333"
it_m1, it_m2, it_m3 = it_pat.finditer(it_src_text)
it_scanner = re.Scanner([(r"\d+", lambda s, t: int(t)), (r"\w+", lambda s, t: t), (r"\s+|=", None)])
# %%
it_hits = []
def it_double(m):
    it_hits.append(m)
    return f"{m['key']}={int(m['val']) * 2}"
it_new_text = it_pat.sub(it_double, it_src_text, count=2)
# %% check
assert it_m1.re is it_pat and it_m1.string == it_src_text == it_m2.string
assert it_m1.groupdict() == {"key": "alpha", "val": "1"} and it_m2.span("val") == (15, 17), it_m2.span("val")
assert it_m2.expand(r"\g<key>:\2") == "beta:22" and it_m2.lastgroup == "val"
assert it_m3["key"] == "gamma" and it_m3.start() == 19
assert it_new_text == "alpha=2\nbeta=44\n gamma =333" and it_hits[1].pos == 0 and len(it_hits) == 2
assert it_scanner.scan("ab = 12")[0] == ["ab", 12]
assert re.compile(r"(?P<key>\w+)\s*=\s*(?P<val>\d+)", re.I | re.M) == it_pat
# %% case: it_random_streams [alone]
import random, numpy as np
random.seed("notebook")
np.random.seed(7)
it_rng = random.Random(5)
it_gen = np.random.default_rng(42)
it_children = it_gen.spawn(2)
class ItLoud(random.Random):
    def __init__(self, s): self.drawn = 0; super().__init__(s)
    def random(self):
        self.drawn += 1
        return super().random()
it_loud = ItLoud(3)
# %%
it_draws = [random.random(), random.gauss(0, 1), it_rng.random(), it_rng.gauss(0, 1), np.random.rand(), np.random.standard_normal(), it_gen.normal(), it_loud.random()]
it_shuffle = it_rng.shuffle
it_saved = it_rng.getstate()
# %%
it_more = [random.random(), random.gauss(0, 1), it_rng.gauss(0, 1), it_children[0].integers(1000)]
# %% check
r = random.Random(); r.seed("notebook")
assert [r.random(), r.gauss(0, 1)] == it_draws[:2] and [r.random(), r.gauss(0, 1)] == it_more[:2]
assert random.random() == r.random() and random.randint(0, 10**9) == r.randint(0, 10**9)
r = random.Random(5)
assert [r.random(), r.gauss(0, 1)] == it_draws[2:4] and r.getstate() == it_saved and r.gauss(0, 1) == it_more[2]
assert it_rng.random() == r.random() and it_shuffle.__self__ is it_rng
s = np.random.RandomState(7)
assert [s.rand(), s.standard_normal()] == it_draws[4:6] and np.random.standard_normal() == s.standard_normal()
g = np.random.default_rng(42); kids = g.spawn(2)
assert g.normal() == it_draws[6] and it_gen.normal() == g.normal()
assert kids[0].integers(1000) == it_more[3] and it_children[0].integers(1000) == kids[0].integers(1000)
assert it_children[1].integers(1000) == kids[1].integers(1000)
assert it_gen.spawn(1)[0].integers(10**9) == g.spawn(1)[0].integers(10**9)
assert it_loud.drawn == 1 and it_loud.random() == (lambda q: (q.random(), q.random())[1])(random.Random(3)) and it_loud.drawn == 2
# %% case: it_heap_window_and_maps
import heapq, bisect, itertools
from collections import deque, defaultdict, Counter, OrderedDict, ChainMap
it_cnt = itertools.count()
it_heap, it_entry = [], {}
def it_push(task, prio):
    e = [prio, next(it_cnt), task]
    it_entry[task] = e
    heapq.heappush(it_heap, e)
for t, p in [("write", 5), ("test", 1), ("ship", 5)]:
    it_push(t, p)
it_win = deque([1, 2, 3], maxlen=3)
it_dd = defaultdict(lambda: defaultdict(list))
it_defaults, it_user = {"a": 1, "b": 2}, {"b": 3}
it_cfg = ChainMap(it_user, it_defaults)
it_keys = it_defaults.keys()
it_od = OrderedDict.fromkeys("abc")
# %%
it_entry["test"][-1] = "<removed>"
it_win.append(4); it_win.rotate(1)
it_dd["x"]["y"].append(1)
it_cfg["c"] = 9
it_inner = it_cfg.new_child()
it_od.move_to_end("a")
it_c = Counter("abracadabra"); it_c.subtract("aaaaaa")
# %% check
assert it_heap[0] is it_entry["test"] and heapq.heappop(it_heap)[2] == "<removed>"
it_push("late", 5)
assert [heapq.heappop(it_heap)[2] for _ in range(3)] == ["write", "ship", "late"]
assert it_win.maxlen == 3 and list(it_win) == [4, 2, 3]
it_win.append(0)
assert list(it_win) == [2, 3, 0]
assert it_dd["q"]["r"] == [] and it_dd["x"]["y"] == [1] and it_dd.default_factory().default_factory is list
assert it_user == {"b": 3, "c": 9} and it_cfg.maps[0] is it_user and it_inner.maps[1] is it_user
it_defaults["new"] = 0
assert "new" in it_cfg and "new" in it_keys and it_inner["b"] == 3 and it_inner.parents.maps[0] is it_user
assert list(it_od) == ["b", "c", "a"] and it_od.popitem(last=False) == ("b", None)
assert it_c["a"] == -1 and it_c.most_common(1) == [("b", 2)] and it_c["zz"] == 0
# %% case: it_suspended_generator [pinned]
def it_reader_gen(rows):
    total = 0
    for r in rows:
        total += r
        got = yield total
        if got:
            total = got
it_gen_run = it_reader_gen([1, 2, 3, 4])
it_gen_out = [next(it_gen_run), next(it_gen_run)]
# %%
it_gen_out.append(it_gen_run.send(100))
# %% check
assert it_gen_out == [1, 3, 103] and next(it_gen_run) == 107
# %% case: it_regex_search_in_course
import re
it_search = re.compile(r"\w+").finditer("alpha beta gamma")
it_word = next(it_search)
# %% check
assert it_word.group() == "alpha" and next(it_search).group() == "beta"
# %% case: it_regex_search_with_empty_matches_and_a_part_of_the_text
import re
ire_all = re.compile(r"\w*").finditer("alpha beta  gamma"); ire_same = [ire_all]
ire_part = re.compile(r"(?<=x)\d|^\d").finditer("1x2x3x4", 2, 6)
ire_end = re.finditer("a", "banana"); ire_had = list(ire_end)
ire_first = next(ire_all), next(ire_part)
# %%
ire_empty, ire_word = next(ire_all), next(ire_same[0])
ire_pairs = zip(ire_part, "ab")
# %% check
assert ire_empty.span() == (5, 5) and ire_word.group() == "beta" and ire_same[0] is ire_all
assert [it.span() for it in ire_all] == [(10, 10), (11, 11), (12, 17), (17, 17)]
assert ire_first[1].span() == (2, 3) and ire_first[1].endpos == 6
ire_match, ire_letter = next(ire_pairs)
assert ire_match.start() == 4 and ire_letter == "a" and next(ire_part, None) is None
assert len(ire_had) == 3 and next(ire_end, "ended") == "ended"
# %% case: it_lexer_that_matches_on
import re
class IreLexer:
    def __init__(self, text): self.scan, self.seen = re.compile(r"\s*(\d+|[+*])").scanner(text), []
    def step(self):
        match = self.scan.match(); self.seen.append(match and match[1]); return self
ire_lexer = IreLexer("1 + 23*4 !").step().step()
ire_raw = bytearray(b"a1b2c3"); ire_digit = re.finditer(rb"\d", ire_raw); next(ire_digit)
# %%
ire_lexer.step(); ire_raw[3] = ord("9")
# %% check
ire_lexer.step().step().step()
assert ire_lexer.seen == ["1", "+", "23", "*", "4", None]
assert next(ire_digit).group() == b"9" and next(ire_digit).group() == b"3"
# %% case: it_ordered_dictionary_views_and_steps
from collections import OrderedDict
ord_d = OrderedDict.fromkeys("pqrs"); ord_d.move_to_end("p")
ord_values, ord_keys, ord_items = ord_d.values(), ord_d.keys(), ord_d.items()
ord_step = iter(ord_d); next(ord_step)
ord_back = reversed(ord_d.values()); next(ord_back)
ord_pairs = iter(ord_items); next(ord_pairs)
# %%
ord_d["p"] = 9; ord_d["r"] = [7]
# %%
ord_seen = next(ord_step)
# %% check
assert list(ord_values) == [None, [7], None, 9] and list(ord_items)[-1] == ("p", 9) and list(ord_keys) == ["q", "r", "s", "p"]
assert ord_seen == "r" and next(ord_step) == "s" and next(ord_back) is None and next(ord_back) is ord_d["r"] and next(ord_pairs) == ("r", [7])
ord_d["new"] = 1
assert len(ord_keys) == 5 and "new" in ord_keys
try: next(ord_step); raise AssertionError("it goes on over a dictionary that grew")
except RuntimeError: pass
