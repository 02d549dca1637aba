"""Access lines: always one JSON object a line, whatever a client named its key; bounded; counted in batches."""

from __future__ import annotations

import json
import os
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakera.base import limits
from kakera.dialects.http import NoBody, Request
from kakera.observe import ledger as room
from kakera.observe.ledger import Ledger, Line, access_line, line_opening


def request(key: str = "k", **headers: str) -> Request:
    found = Request("PUT", b"/b/k", b"X-Amz-Signature=secret", headers, NoBody(), remote="::1", request_id="0A")
    found.operation, found.bucket, found.key, found.principal = "PutObject", "b", key, "AKIA"
    return found


@given(st.text(), st.integers(100, 599), st.floats(0, 1000))
def test_one_object_one_line(key: str, status: int, duration_s: float) -> None:
    line = access_line(Line(request(key), status, 7, duration_s), line_opening(1_700_000_000.5))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    found = json.loads(line)
    assert found["status"] == status
    assert found["timestamp"] == "2023-11-14T22:13:20.500Z"
    if len(key) <= limits.MAX_LOGGED_KEY_BYTES and key.isascii():
        assert found["key"] == key
    assert b"secret" not in line


@pytest.mark.parametrize(("text", "size"), [("12", 12), ("", 0), ("-1", 0), ("٣", 0), ("1e3", 0)])
def test_announced_sizes(text: str, size: int) -> None:
    line = Line(request(**{"content-length": text}), 200, 0, 0.0)
    assert json.loads(access_line(line, line_opening(0.0)))["received_bytes"] == size


class Counted:
    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.dropped = 0

    def count(self, lines: list[Line], dropped: int) -> None:
        self.lines += lines
        self.dropped += dropped


def drain(fd: int) -> bytes:
    data = b""
    while piece := os.read(fd, 1 << 16):
        data += piece
    return data


@pytest.mark.parametrize("number", [0, 1, 3000])
def test_everything_is_written_and_counted_through_a_pipe(number: int) -> None:
    reading, writing = os.pipe()
    counted: Any = Counted()
    ledger = Ledger(counted, descriptor=writing)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(drain(reading)))
    reader.start()
    ledger.start()
    for at in range(number):
        ledger.note(Line(request(str(at)), 200, 0, 0.001))
    ledger.close()
    os.close(writing)
    reader.join()
    os.close(reading)
    assert [json.loads(line)["key"] for line in got[0].splitlines()] == [str(at) for at in range(number)]
    assert len(counted.lines) == number


def test_a_full_queue_drops_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_LEDGER_ENTRIES", 2)
    reading, writing = os.pipe()
    counted: Any = Counted()
    ledger = Ledger(counted, descriptor=writing)
    for _ in range(5):
        ledger.note(Line(request(), 200, 0, 0.001))
    ledger.start()
    ledger.close()
    os.close(writing)
    lines = [json.loads(line) for line in drain(reading).splitlines()]
    assert [line["event"] for line in lines] == ["request", "request", "access lines dropped"]
    assert lines[-1]["count"] == counted.dropped == 3


def test_pipe_writes_are_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[bytes] = []

    def write(_fd: int, data: memoryview) -> int:
        writes.append(bytes(data))
        return len(data)

    monkeypatch.setattr(os, "write", write)
    room._write(9, [b"x" * 1500 + b"\n"] * 10, True)
    assert all(len(data) <= room.PIPE_BUF and data.endswith(b"\n") for data in writes)
    assert len(b"".join(writes)) == 15_010
