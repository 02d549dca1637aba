"""Every metric's name, in one place. Prometheus, one file a process (multiprocess mode), in shared memory.

The environment variable that switches the mode on is read when prometheus_client is imported: `prepare` before
anything imports it. Requests are counted in batches by the ledger's thread: one increment a batch and label set, none
on the event loop.
"""

from __future__ import annotations

import bisect
import os
import shutil
import tempfile
from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from kakera.observe.ledger import Line

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
MEMORY = Path("/dev/shm")
_PREFIX = "kakera-metrics-"
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

REQUESTS = "kakera_requests"  # _total; labels operation, status (2xx ... 5xx; 499 client gone; 599 answer cut)
SECONDS = "kakera_request_duration_seconds"  # labels operation, status
RECEIVED = "kakera_received_bytes"  # _total; announced bodies, by operation
SENT = "kakera_sent_bytes"  # _total; bodies of answers, by operation
DROPPED = "kakera_access_lines_dropped"  # _total
READY = "kakera_ready"  # 1: write quorum
EPOCH = "kakera_journal_epoch"
SEGMENTS = "kakera_journal_segments"
FLOOR = "kakera_journal_floor"
BATCHES = "kakera_journal_batches"  # _total, since the committer started
COMMANDS = "kakera_journal_commands"  # _total, likewise
DRIVES = "kakera_drives"  # label state: ok, absent, excluded


def prepare(place: Path) -> None:
    """Make the folder of this process's and its children's counters, anew, before the first child is born. `place`
    becomes a link to it, by which the next start finds and removes what this one leaves.

    In memory, not on the disk of the state: the files are sparse and mapped, and the kernel answers a write to a page
    that finds no room on its file system with SIGBUS, which ends the worker and every request in it.
    """
    was = place.resolve()
    if not place.is_symlink() or (was.parent == MEMORY and was.name.startswith(_PREFIX)):
        shutil.rmtree(was, ignore_errors=True)
    place.unlink(missing_ok=True)
    folder = tempfile.mkdtemp(prefix=_PREFIX, dir=MEMORY)
    place.symlink_to(folder)
    os.environ[DIRECTORY_VARIABLE] = folder


class RequestMetrics:
    """Counts batches of finished requests. Made after the fork: files are named by process id."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        registry = CollectorRegistry()
        self._requests = Counter(REQUESTS, "Requests answered", ("operation", "status"), registry=registry)
        self._seconds = Histogram(
            SECONDS, "From the head of a request to the end of its answer", ("operation", "status"),
            buckets=BUCKETS_S, registry=registry,
        )  # fmt: skip
        self._received = Counter(RECEIVED, "Bytes of bodies announced by clients", ("operation",), registry=registry)
        self._sent = Counter(SENT, "Bytes of bodies sent to clients", ("operation",), registry=registry)
        self._dropped = Counter(
            DROPPED, "Access lines that found the queue full or the log unwritable", registry=registry
        )

    def count(self, lines: list[Line], dropped: int) -> None:
        from kakera.observe.ledger import received_bytes

        times: dict[tuple[str, str], list[float]] = {}
        received: Tally[str] = Tally()
        sent: Tally[str] = Tally()
        for line in lines:
            operation = line.request.operation or "Unknown"
            times.setdefault((operation, status_class(line.status)), []).append(line.duration_s)
            received[operation] += received_bytes(line.request)
            sent[operation] += line.sent_bytes
        for labels, durations in times.items():
            self._requests.labels(*labels).inc(len(durations))
            _observe_all(self._seconds.labels(*labels), durations)
        for operation, size in received.items():
            self._received.labels(operation).inc(size)
        for operation, size in sent.items():
            self._sent.labels(operation).inc(size)
        if dropped:
            self._dropped.inc(dropped)


def status_class(status: int) -> str:
    """ "2xx" ... "5xx"; 499 and 599 stay themselves: they are no answers."""
    return str(status) if status in (499, 599) else f"{status // 100}xx"


def _observe_all(histogram: Any, durations: Iterable[float]) -> None:
    """Histogram.observe for many values with one write a bucket: what `observe` does, summed first."""
    tally: Tally[int] = Tally()
    total = 0.0
    for duration in durations:
        tally[bisect.bisect_left(BUCKETS_S, duration)] += 1
        total += duration
    histogram._sum.inc(total)
    for bucket, number in tally.items():
        histogram._buckets[bucket].inc(number)


class Gauge(NamedTuple):
    """A value known at the moment of the question, from another process. `values`: label value -> value; "" without
    label."""

    name: str
    help: str
    values: dict[str, float]
    label: str = ""
    counter: bool = False


def exposition(gauges: Iterable[Gauge]) -> bytes:
    """What /metrics answers: the sums of all workers' files, and `gauges`. Reads files: call it in a thread."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    if os.environ.get(DIRECTORY_VARIABLE):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(_Told(tuple(gauges)))
    return bytes(generate_latest(registry))


class _Told:
    """A prometheus collector over gauges."""

    def __init__(self, gauges: tuple[Gauge, ...]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for gauge in self._gauges:
            kind: Any = CounterMetricFamily if gauge.counter else GaugeMetricFamily
            family = kind(gauge.name, gauge.help, labels=(gauge.label,) if gauge.label else ())
            for value_of_label, value in gauge.values.items():
                family.add_metric((value_of_label,) if gauge.label else (), value)
            yield family
