"""Finished requests: noted on the event loop by one append, written and counted by a thread of their own.

One access line a request (JSON) on standard output. The thread is born in `start`, after the fork. The queue is
bounded: what does not fit is dropped and counted, so that a slow disk under the log never slows a request.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections import deque
from json.encoder import encode_basestring_ascii as quoted
from typing import NamedTuple, Protocol

from kakera.base import limits

PIPE_BUF = 4096  # what Linux writes to a pipe in one piece: longer writes of several processes would mix


class Noted(Protocol):
    """What a line is made of: the neutral request, with what the dialect found out about it ("" = unknown)."""

    method: str
    remote: str
    request_id: str
    headers: dict[str, str]
    principal: str
    operation: str
    bucket: str
    key: str


class Line(NamedTuple):
    """A finished request. status 499: the client went away; 599: the answer was cut off."""

    request: Noted
    status: int
    sent_bytes: int
    duration_s: float


class Counting(Protocol):
    """metrics.RequestMetrics, or nothing."""

    def count(self, lines: list[Line], dropped: int) -> None: ...


class Ledger:
    """A bounded queue and its writer."""

    def __init__(self, metrics: Counting | None = None, *, descriptor: int = 1) -> None:
        self._lines: deque[Line] = deque()
        self._metrics = metrics
        self._descriptor = descriptor
        self._dropped = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, line: Line) -> None:
        if len(self._lines) < limits.MAX_LEDGER_ENTRIES:
            self._lines.append(line)
        else:
            self._dropped += 1

    def start(self) -> None:
        """Begin writing. After the fork only: threads do not survive one."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is left, within the thread's last round."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)
            self._thread = None

    def _run(self) -> None:
        pipe = stat.S_ISFIFO(os.fstat(self._descriptor).st_mode)
        while not self._stop.wait(limits.LEDGER_FLUSH_S):
            self._flush(pipe)
        self._flush(pipe)

    def _flush(self, pipe: bool) -> None:
        lines = self._lines
        batch = [lines.popleft() for _ in range(len(lines))]
        dropped, self._dropped = self._dropped, 0
        if not batch and not dropped:
            return
        opening = line_opening(time.time())
        texts = [access_line(line, opening) for line in batch]
        if dropped:
            texts.append(b'{"event":"access lines dropped","level":"warning","count":%d}\n' % dropped)
        try:
            _write(self._descriptor, texts, pipe)
        except OSError:
            dropped += len(batch)  # nowhere to say it but the metrics
        if self._metrics is not None:
            self._metrics.count(batch, dropped)


def line_opening(now_s: float) -> str:
    """How every line of a batch begins: the time it is written, at most LEDGER_FLUSH_S after the answer."""
    millis = int(now_s * 1000)
    when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(millis // 1000))
    return f'{{"timestamp":"{when}.{millis % 1000:03d}Z","level":"info","event":"request","request_id":"'


def access_line(line: Line, opening: str) -> bytes:
    """One JSON object and a line feed. The key is cut to MAX_LOGGED_KEY_BYTES and escaped to ASCII."""
    request = line.request
    text = (
        f'{opening}{request.request_id}","remote":{quoted(request.remote)},'
        f'"principal":{quoted(request.principal)},"method":{quoted(request.method)},'
        f'"operation":{quoted(request.operation)},"bucket":{quoted(request.bucket)},'
        f'"key":{quoted(request.key[: limits.MAX_LOGGED_KEY_BYTES])},"status":{line.status},'
        f'"received_bytes":{received_bytes(request)},"sent_bytes":{line.sent_bytes},'
        f'"duration_ms":{line.duration_s * 1000:.2f}}}\n'
    )
    return text.encode("ascii", "replace")


def received_bytes(request: Noted) -> int:
    """The body's announced length; 0 when it was not announced."""
    text = request.headers.get("content-length", "0")
    return int(text) if text.isascii() and text.isdigit() else 0


def _write(descriptor: int, texts: list[bytes], pipe: bool) -> None:
    """All lines, each in one piece: to a file by one write, to a pipe by writes of whole lines up to PIPE_BUF."""
    limit = PIPE_BUF if pipe else 1 << 20
    group: list[bytes] = []
    size = 0
    for text in [*texts, b""]:
        if group and (not text or size + len(text) > limit):
            data = memoryview(b"".join(group))
            while data:
                data = data[os.write(descriptor, data) :]
            group, size = [], 0
        group.append(text)
        size += len(text)
