"""Threads a drive, for an event loop: a drive that hangs takes its own threads and nobody else's (R12).

Threads are daemons and are started at the first use, so never before a fork, and a hanging drive does not hold up the
end of the process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Lane:
    """`count` threads that take jobs in order."""

    def __init__(self, name: str, count: int) -> None:
        self._queue: SimpleQueue[tuple[asyncio.Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._count = count
        self.waiting = 0  # jobs given and not answered
        for number in range(count):
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True).start()

    def submit(self, job: Callable[[], T]) -> asyncio.Future[T]:
        """Run `job` in one of the threads; what it raises comes out of the future."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.waiting += 1
        self._queue.put((future, job))
        return future

    def close(self) -> None:
        for _ in range(self._count):
            self._queue.put(None)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            future, job = item
            del item
            result: Any = None
            error: BaseException | None = None
            try:
                result = job()
            except BaseException as caught:
                error = caught
            try:
                future.get_loop().call_soon_threadsafe(self._answer, future, result, error)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more
            # Nothing of the job may outlive it here: it holds chunks.
            del future, job, result, error

    def _answer(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        self.waiting -= 1
        if future.done():
            return  # given up
        if error is not None:
            future.set_exception(error)
            future.exception()  # may be nobody's any more: no complaint about that
        else:
            future.set_result(result)


class DriveThreads:
    """A lane for each drive slot."""

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self._count = count
        self._lanes: dict[int, Lane] = {}

    def lane(self, slot: int) -> Lane:
        lane = self._lanes.get(slot)
        if lane is None:
            lane = self._lanes[slot] = Lane(f"{self._name}-{slot}", self._count)
        return lane

    def submit(self, slot: int, job: Callable[[], T]) -> asyncio.Future[T]:
        return self.lane(slot).submit(job)

    def waiting(self, slot: int) -> int:
        """Jobs that the drive has not answered yet."""
        lane = self._lanes.get(slot)
        return lane.waiting if lane else 0

    def close(self) -> None:
        for lane in self._lanes.values():
            lane.close()
