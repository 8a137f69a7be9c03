"""Groups that arrive later: a cell that can touch them waits, others do not notice."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest
from replica import Child, Manifest
from test_kernel import names


class Late:
    """A fresh process that was given all but some groups, and what brings them."""

    def __init__(self, cells: list[str], late: set[str], child: Child) -> None:
        executor = Child("h0").ready()
        try:
            self.manifest = Manifest()
            for cell in cells:
                self.manifest.take(executor.execute(cell), executor.host)
        finally:
            executor.end()
        self.child = child
        header, body = self.manifest.rebuild()
        now, later, content, at = [], [], b"", 0
        for group in header["groups"]:
            size = group["size"] + sum(buffer["size"] for buffer in group["buffers"])
            if group["key"] in late:
                later.append({"key": group["key"], "names": group["names"], "rank": group["rank"], "size": size})
            else:
                now.append(group)
                content += body[at:at + size]
            at += size
        assert {group["key"] for group in later} == late
        assert child.apply({**header, "groups": now, "deferred": later}, content) == []

    def run(self, code: str) -> tuple[Any, list[str]]:
        """Execute a cell and bring what it needs; returns the result and the keys it asked for."""
        msg_id, asked = self.child.client.execute(code, allow_stdin=False), []
        while True:
            header, body = self.child.frame()
            if header["t"] == "delta":
                return self.child.result(msg_id, own=(header, body)), asked
            assert header["t"] == "need", header
            asked += header["keys"]
            self.bring(header)

    def bring(self, need: dict[str, Any]) -> None:
        groups = [self.manifest.groups[key] for key in need["keys"]]
        frame = {**self.manifest.rebuild()[0], "id": 8, "need": need["id"], "groups": [group for _, group, _ in groups]}
        self.child.send(frame, b"".join(body for _, _, body in groups))
        answer, _ = self.child.frame()
        assert answer["t"] == "applied" and answer["failed"] == []


CELLS = ["big = ['x' * 100_000]; twin = big; other = ['y' * 100_000]; small = [1]", "def use(): return len(big)", "def use_more(): return use()", "big"]


@pytest.mark.parametrize(("code", "asked", "text"), [
    ("small.append(2); small", [], "[1, 2]"),
    ("use_more()", ["_4"], "1"),
    ("twin.append(0); use()", ["_4"], "2"),
    ("len(other) if 'other' in globals() else None", ["_4", "other"], "1"),
    ("del other\n'other' in dir()", ["other"], "False"),
    ("_4 is big", ["_4"], "True"),
    ("len(Out[4])", ["_4"], "1"),
])
def test_a_cell_waits_for_what_it_can_touch(child: Child, code: str, asked: list[str], text: str) -> None:
    late = Late(CELLS, {"_4", "other"}, child)
    result, needed = late.run(code)
    assert (sorted(needed), result.text) == (asked, text), result.evalue
    assert names(result.delta) <= {"small", "_4", "big", "twin", "_5"} and set(result.delta["deleted"]) <= {"other"}


def test_functions_that_arrive_can_need_more(child: Child) -> None:
    late = Late(CELLS, {"_4", "use", "use_more"}, child)
    result, needed = late.run("use_more()")
    assert result.text == "1" and needed == ["use_more", "use", "_4"]


def test_an_interrupt_ends_the_waiting(child: Child) -> None:
    late = Late(CELLS, {"other"}, child)
    msg_id = child.client.execute("other.append(1)", allow_stdin=False)
    need, _ = child.frame()
    assert need["t"] == "need"
    time.sleep(0.05)
    os.kill(child.pid, signal.SIGINT)
    result = child.result(msg_id)
    assert result.ename == "KeyboardInterrupt" and names(result.delta) == set() and result.delta["deleted"] == []
    late.bring(need)  # late, but not in vain
    assert late.run("len(other)")[0].text == "1"


def test_later_groups_replace_the_placeholders(child: Child) -> None:
    late = Late(CELLS, {"other"}, child)
    frame, _ = late.manifest.rebuild()
    assert child.apply({**frame, "groups": [], "deleted": ["other"]}, b"") == []
    assert late.run("'other' in globals()")[0].text == "False"
    lost = {"key": "other", "names": ["other"], "why": "no host has it"}
    assert child.apply({**frame, "groups": [], "failed": [lost]}, b"") == []
    assert "no host has it" in late.run("other.append(1)")[0].evalue
