"""Large memory: what is sent, what is not sent again, what an interrupt costs, and what a pass while idle finds."""

from __future__ import annotations

import os
import signal
import time

import pytest
from replica import DEADLINE, Child, Manifest, Store
from test_kernel import names

from nbos_kernel.chunks import CHUNK, Chunks, Interrupted
from nbos_kernel.delta import INLINE_DELTA, Delta, pack
from nbos_kernel.streams import BUFFER_MIN, Body, Payload, Sink


def wait_for(condition: object) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_one_changed_element_is_one_chunk_and_a_look_is_none(child: Child) -> None:
    made = child.execute(f"import numpy as np; a = np.arange({CHUNK}, dtype='u1').repeat(5); b = a[::2]")
    assert len(set(made.chunks)) == len(made.chunks) > 0
    group = next(g for g in made.delta["groups"] if g["key"] == "a")
    assert [len(buffer["chunks"]) for buffer in group["buffers"]] == [5] and group["names"] == ["a", "b"]
    read = child.execute("int(a.sum())")
    assert read.chunks == [] and "a" not in names(read.delta)
    changed = child.execute(f"a[{3 * CHUNK + 5}] += 1")
    assert len(changed.chunks) == 1 and "a" in names(changed.delta)
    assert child.execute("c = a.copy()").chunks == []  # the cluster has them
    assert child.execute("a, c = None, a; del b").chunks == []


def test_what_no_group_refers_to_is_sent_again(child: Child) -> None:
    first = child.execute("big = b'x' * 9_000_000")
    child.execute("del big")
    assert child.execute("big = b'x' * 9_000_000").chunks == first.chunks


def test_large_values_arrive_and_are_not_sent_back(pair: tuple[Child, Child]) -> None:
    executor, standby = pair
    manifest = Manifest()
    for cell in ("import numpy as np; a = np.zeros(2_000_000); a[7] = 7; f = np.asfortranarray(a.reshape(1000, 2000)); v = a[5:9]",
                 "text = 'ü' * 3_000_000; words = [str(i) for i in range(100_000)]; raw = bytearray(200_000); raw[3] = 3"):
        manifest.take(executor.execute(cell), executor.host)
    assert manifest.follow(standby) == []
    check = ("assert a[7] == 7 and a.flags.owndata and a.flags.writeable and v.base is a and f.flags.f_contiguous and f[0, 7] == 7\n"
             "assert len(text) == 3_000_000 and text[-1] == 'ü' and words[99_999] == '99999' and raw[3] == 3 and len(raw) == 200_000")
    assert standby.execute(check, silent=True).evalue == ""
    looked = standby.execute("a.sum(), len(words), len(text)")
    assert looked.chunks == [] and names(looked.delta) <= {"_3", "_1", "_2"}
    changed = standby.execute("a[1_999_999] = 1; words.append('new')")
    assert len(changed.chunks) == 2
    manifest.take(changed, standby.host)
    assert manifest.follow(executor) == []
    assert executor.execute("assert a[1_999_999] == 1 and words[-1] == 'new' and v.base is a", silent=True).evalue == ""


def test_many_small_groups_keep_the_limit_of_a_delta(child: Child) -> None:
    result = child.execute("for i in range(60): globals()[f'v{i}'] = ['%d' % i * 20_000]")
    assert len(result.body) <= INLINE_DELTA and len(result.chunks) > 0
    manifest = Manifest()
    manifest.take(result, "h1")
    fresh = Child("h2").ready()
    try:
        assert manifest.restore(fresh) == []
        assert fresh.execute("assert all(globals()[f'v{i}'] == ['%d' % i * 20_000] for i in range(60))", silent=True).evalue == ""
    finally:
        fresh.end()


def test_an_interrupt_stops_the_sending_and_the_idle_pass_makes_up_for_it(child: Child) -> None:
    child.execute("small = [1]")
    msg_id = child.client.execute("big = bytearray(64_000_000); big[::4096] = bytes(i % 251 for i in range(15625)); small.append(2)")
    wait_for(child.pending)  # the first chunk; nothing reads it, so the process waits
    os.kill(child.pid, signal.SIGINT)
    result = child.result(msg_id)
    assert result.status == "ok" and "small" in names(result.delta) and len(result.chunks) < 5
    entry = next(e for e in result.delta["pinned"] if e["name"] == "big")
    assert "interrupted" in entry["why"] and "big" in result.stderr
    wait_for(child.pending)
    deltas = child.scrub()
    assert any("big" in names(header) for header, _ in deltas) and deltas[-1][0]["pinned"] == []
    assert child.execute("len(big), small").text == "(64000000, [1, 2])"


def test_a_change_on_a_thread_is_found_while_idle(child: Child) -> None:
    child.execute("import threading; box = []\nthread = threading.Timer(0.2, lambda: box.append(1)); thread.start()")
    wait_for(child.pending)
    found = child.scrub()
    assert any("box" in names(header) for header, _ in found[:-1]), "before the order, by itself"
    assert names(found[-1][0]) == set()


def test_a_change_behind_a_library_is_found_by_an_order(child: Child) -> None:
    child.execute("import logging; seen = [0]; class_ = type('Sink', (logging.Handler,), {'emit': lambda self, record: seen.append(record.msg)})\n"
                  "logging.getLogger('t').addHandler(class_())")
    child.execute("get_ipython().kernel._state.groups.cost = 9.0")  # as if a look at everything took long
    missed = child.execute("logging.getLogger('t').warning('x')")
    found = [names(header) for header, _ in child.scrub()]
    assert "seen" in names(missed.delta) or any("seen" in it for it in found)
    assert all(names(header) == set() for header, _ in child.scrub())


def test_a_request_interrupts_the_idle_pass(child: Child) -> None:
    child.execute("class Item: pass\nitems = [Item() for _ in range(300_000)]\nfor i in items: i.n = [i]")
    time.sleep(0.1)  # it is busy with them now
    took = []
    for _ in range(3):
        start = time.monotonic()
        child.execute("1")
        took.append(time.monotonic() - start)
    assert min(took) < 0.5, took


def test_touches_answers_without_running_anything(child: Child) -> None:
    child.execute("def f(): return g\ng = [1]; h = [2]; alias = h")
    for code, expected in (("f()", ["g"]), ("alias", ["h"]), ("print(1)", []), ("exec('x')", ["g", "h"]), ("%time h", ["h"]), ("def (", ["g", "h"])):
        child.send({"t": "touches", "id": 3, "code": code, "of": ["g", "h"]})
        answer, _ = child.frame()
        assert (answer["t"], answer["id"], answer["names"]) == ("touched", 3, expected), code


# Without a process.


def chunks() -> tuple[Chunks, list[str]]:
    made, sent = Chunks(), []
    made.send = lambda name, data: sent.append(name)
    return made, sent


def test_known_chunks_follow_the_manifest() -> None:
    known, sent = chunks()
    layout = known.put(b"a" * (CHUNK + 1))
    assert layout["size"] == CHUNK + 1 and sent == layout["chunks"] and len(sent) == 2
    known.hold([{"key": "x", "names": ["x"], "buffers": [layout]}], [])
    assert known.put(b"a" * (CHUNK + 1)) == layout and len(sent) == 2
    known.hold([{"key": "x", "names": ["x"], "buffers": []}, {"key": "y", "names": ["y", "z"], "buffers": [layout]}], [])
    known.put(b"a" * CHUNK)
    assert len(sent) == 2
    known.hold([{"key": "q", "names": ["z"], "buffers": []}], [])  # takes a name of y away: y is gone
    known.put(b"a" * CHUNK)
    assert len(sent) == 3


def test_a_refused_chunk_leaves_nothing_behind() -> None:
    known, sent = chunks()

    def refuse() -> None:
        raise Interrupted

    known.check = refuse
    with pytest.raises(Interrupted):
        known.put(b"a")
    known.check = lambda: None
    known.put(b"a")
    assert len(sent) == 1


@pytest.mark.parametrize("sizes", [[10], [BUFFER_MIN * 3], [10, 3 << 20, 5, 5, 2 << 20], [5 << 20]])
def test_streams_travel_inline_or_in_chunks(sizes: list[int]) -> None:
    known, _ = chunks()
    store: dict[str, bytes] = {}
    known.send = lambda name, data: store.__setitem__(name, bytes(data))
    parts = [bytes([n % 251]) * size for n, size in enumerate(sizes)]
    packed = pack(Payload(list(parts)), [known.put(b"b" * BUFFER_MIN)], known)
    buffers = [bytearray(b"".join(store[name] for name in buffer["chunks"])) for buffer in packed.buffers]
    body = Body(b"".join(packed.inline), buffers)
    source, beside = body.open()
    assert source.read() == b"".join(parts) and [bytes(it) for it in beside] == [b"b" * BUFFER_MIN]
    assert body.fingerprint() == Payload(list(parts)).fingerprint()
    source, _ = body.open()
    target = bytearray(3)
    assert source.read(2) == b"".join(parts)[:2] and source.readinto(target) == 3 and target == b"".join(parts)[2:5]


def test_a_delta_spills_its_largest_groups_first() -> None:
    known, sent = chunks()
    delta = Delta()
    for number in range(20):
        payload = Payload([bytes([number]) * (50_000 if number < 11 else 1_000)])
        delta.add(f"g{number}", [f"g{number}"], 3, pack(payload, [], known))
    delta.fit(known)
    assert sum(map(len, delta.body)) <= INLINE_DELTA and len(sent) == 1
    Store.chunks.clear()


def test_small_buffers_stay_in_the_stream() -> None:
    import pickle

    sink = Sink()
    pickle.Pickler(sink, 5, buffer_callback=sink.take).dump([pickle.PickleBuffer(b"s" * 10), pickle.PickleBuffer(b"l" * BUFFER_MIN)])
    assert [len(buffer) for buffer in sink.buffers] == [BUFFER_MIN]
