"""The client for bodies of megabytes: one thread and one socket per connection, a MiB per system call, nothing kept.

Run as a process of its own (`python -m tests.bench.stream`): one JSON order on standard input, one JSON line of
figures on standard output (shape: client.Job, client.ClientResult). Python threads do here because all time is spent
in send and receive, which release the GIL.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.exchange import Connection, FramingError

LONGEST_REQUEST_S = 20.0


@dataclass
class Tally:
    """What all threads saw; `lock` guards it."""

    latencies_s: list[float] = field(default_factory=list)
    bytes_read: int = 0
    position: int = 0
    overran: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_target(self, targets: list[str]) -> str:
        with self.lock:
            if self.position == len(targets):
                self.position = 0
                self.overran += 1
            self.position += 1
            return targets[self.position - 1]


def percentile(sorted_values: list[float], share: float) -> float:
    """The nearest-rank percentile of a sorted list; 0 for an empty one."""
    if not sorted_values:
        return 0.0
    return sorted_values[min(len(sorted_values) - 1, max(0, round(share * len(sorted_values)) - 1))]


def serve_one(order: dict[str, Any], body: bytes, tally: Tally, ends_at: float) -> None:
    """One connection's work until the window ends. A request that ends after the window is not counted, as with wrk."""
    method, targets = order["method"], order["targets"]
    connection: Connection | None = None
    while time.monotonic() < ends_at:
        target = tally.next_target(targets)
        started_at = time.monotonic()
        try:
            connection = connection or Connection(order["host"], order["port"], LONGEST_REQUEST_S)
            connection.send(method, target, body)
            answer = connection.receive(method, keep_body=False)
        except (OSError, FramingError) as error:
            with tally.lock:
                tally.errors["timeout" if isinstance(error, TimeoutError) else "read"] += 1
            if connection is not None:
                connection.close()
            connection = None
            continue
        ended_at = time.monotonic()
        with tally.lock:
            if not 200 <= answer.status < 300:
                tally.errors["status"] += 1
            elif ended_at <= ends_at:
                tally.latencies_s.append(ended_at - started_at)
                tally.bytes_read += len(answer.head) + answer.body_size_bytes
    if connection is not None:
        connection.close()


def main() -> None:
    order = json.load(sys.stdin)
    body = Path(order["body"]).read_bytes()
    tally = Tally()
    ends_at = time.monotonic() + order["window_s"]
    threads = [threading.Thread(target=serve_one, args=(order, body, tally, ends_at)) for _ in range(order["clients"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    latencies_s = sorted(tally.latencies_s)
    figures = {
        "requests": len(latencies_s),
        "seconds": order["window_s"],
        "bytes_read": tally.bytes_read,
        "p50_ms": percentile(latencies_s, 0.50) * 1e3,
        "p99_ms": percentile(latencies_s, 0.99) * 1e3,
        "max_ms": (latencies_s[-1] if latencies_s else 0.0) * 1e3,
        "overran": tally.overran,
        "errors": dict(tally.errors),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
