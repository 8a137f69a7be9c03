"""Frames without a kernel."""

from __future__ import annotations

import socket
import threading

import pytest

from nbos_kernel import wire


def roundtrip(header: dict, body: list) -> tuple[dict, bytes]:
    left, right = socket.socketpair()
    with left, right:
        thread = threading.Thread(target=wire.write_frame, args=(left, header, body))
        thread.start()
        got = wire.read_frame(right)
        thread.join()
    assert got is not None
    return got[0], bytes(got[1])


@pytest.mark.parametrize("body", [
    [], [b""], [b"a", b"", bytearray(b"bc")], [b"x" * 3_000_000, memoryview(b"y" * 5)],
    [bytes([n % 256]) for n in range(3000)], [memoryview(bytearray(16)).cast("d")],
])
def test_frames_arrive_as_they_were_sent(body: list) -> None:
    header = {"t": "delta", "name": "größe", "n": [1, None]}
    assert roundtrip(header, body) == (header, b"".join(bytes(memoryview(part).cast("B")) for part in body))


def test_a_lone_surrogate_does_not_break_the_header() -> None:
    assert roundtrip({"t": "x", "why": "\ud800"}, [])[0]["why"] == "?"


def test_a_clean_end_is_none_and_a_cut_one_is_an_error() -> None:
    left, right = socket.socketpair()
    left.close()
    assert wire.read_frame(right) is None
    left, right = socket.socketpair()
    left.sendall(wire.PREFIX.pack(10, 0) + b'{"t"')
    left.close()
    with pytest.raises(wire.ProtocolError):
        wire.read_frame(right)


@pytest.mark.parametrize("prefix", [(0, 0), (1, 0), (wire.MAX_HEADER + 1, 0), (2, wire.MAX_BODY + 1)])
def test_impossible_lengths_are_refused_before_anything_is_allocated(prefix: tuple[int, int]) -> None:
    left, right = socket.socketpair()
    with left, right:
        left.sendall(wire.PREFIX.pack(*prefix))
        with pytest.raises(wire.ProtocolError):
            wire.read_frame(right)
