"""What a server's processes cost while a window runs: CPU seconds and the peak of their memory together."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import psutil

SAMPLE_EVERY_S = 0.1


@dataclass(frozen=True)
class Usage:
    """`busy_s`: CPU seconds of the whole machine in the same time, whoever used them."""

    cpu_s: float
    peak_rss_bytes: int
    processes: int
    busy_s: float = 0.0


class Watch:
    """Context manager: watches `pid` and all its descendants. After it, `usage` is set; None when there was no pid to
    watch.

    Resident memory is summed over processes, so pages they share are counted more than once: the figure is an upper
    bound.
    """

    def __init__(self, pid: int | None) -> None:
        self._root = psutil.Process(pid) if pid is not None else None
        self.usage: Usage | None = None
        self._peak_rss_bytes = 0
        self._busy_at_start_s = 0.0
        self._cpu_at_start_s: dict[int, float] = {}
        self._cpu_now_s: dict[int, float] = {}
        self._done = threading.Event()
        self._sampler = threading.Thread(target=self._sample_until_done, daemon=True)

    def __enter__(self) -> Watch:
        if self._root is not None:
            self._sample()
            self._busy_at_start_s = _busy_s()
            self._cpu_at_start_s = dict(self._cpu_now_s)
            self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._root is None:
            return
        self._done.set()
        self._sampler.join()
        self._sample()
        spent_s = sum(cpu_s - self._cpu_at_start_s.get(pid, 0.0) for pid, cpu_s in self._cpu_now_s.items())
        self.usage = Usage(spent_s, self._peak_rss_bytes, len(self._cpu_now_s), _busy_s() - self._busy_at_start_s)

    def _sample_until_done(self) -> None:
        while not self._done.wait(SAMPLE_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        """A process that ended between two samples keeps the CPU time it was last seen with."""
        assert self._root is not None
        rss_bytes = 0
        with suppress(psutil.NoSuchProcess):
            for process in [self._root, *self._root.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess), process.oneshot():
                    times = process.cpu_times()
                    self._cpu_now_s[process.pid] = times.user + times.system
                    rss_bytes += process.memory_info().rss
        self._peak_rss_bytes = max(self._peak_rss_bytes, rss_bytes)


def _busy_s() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)
