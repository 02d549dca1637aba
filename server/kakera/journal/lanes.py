"""Lanes: one thread a drive, so that a batch reaches all drives at once and a slow one holds up nobody but itself (R12)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from queue import SimpleQueue

from kakera.base import clock

Task = Callable[[], None]


class _Round:
    """One task a lane, waited for together."""

    def __init__(self, expected: int) -> None:
        self._left = expected
        self._lock = threading.Lock()
        self._done = threading.Event()
        self.errors: dict[int, BaseException | None] = {}

    def finish(self, slot: int, error: BaseException | None) -> None:
        with self._lock:
            self.errors[slot] = error
            self._left -= 1
            if self._left == 0:
                self._done.set()

    def wait(self, timeout_s: float) -> None:
        self._done.wait(timeout_s)


class _Lane:
    def __init__(self, slot: int) -> None:
        self.slot = slot
        self._queue: SimpleQueue[tuple[Task, _Round] | None] = SimpleQueue()
        self.stuck = False
        threading.Thread(target=self._run, name=f"lane-{slot}", daemon=True).start()

    def put(self, task: Task, round_: _Round) -> None:
        self._queue.put((task, round_))

    def stop(self) -> None:
        self._queue.put(None)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            task, round_ = item
            error: BaseException | None = None
            try:
                task()
            except Exception as caught:  # whatever a drive raises is the drive's failure, told to whoever waits
                error = caught
            round_.finish(self.slot, error)
            self.stuck = False


class Late(OSError):
    """The drive did not answer within the laggard limit (R2)."""


class Lanes:
    """Runs one task on each of several drives at once."""

    def __init__(self, laggard_limit_s: float) -> None:
        self._limit_s = laggard_limit_s
        self._lanes: dict[int, _Lane] = {}

    def run(self, tasks: Mapping[int, Task]) -> dict[int, BaseException]:
        """Run every task in its slot's lane; slot -> error for those that failed, Late for those still under way at the limit.

        A late lane is marked stuck and refuses work (Late at once) until its task has returned."""
        failed: dict[int, BaseException] = {}
        free: dict[int, Task] = {}
        for slot, task in tasks.items():
            lane = self._lanes.get(slot)
            if lane is None:
                lane = self._lanes[slot] = _Lane(slot)
            if lane.stuck:
                failed[slot] = Late(f"drive {slot} is still busy with an earlier write")
            else:
                free[slot] = task
        round_ = _Round(len(free))
        for slot, task in free.items():
            self._lanes[slot].put(task, round_)
        if free:
            started_s = clock.monotonic_s()
            round_.wait(self._limit_s)
            waited_ms = (clock.monotonic_s() - started_s) * 1000
            for slot in free:
                if slot not in round_.errors:
                    self._lanes[slot].stuck = True
                    if slot in round_.errors:  # it came in between
                        self._lanes[slot].stuck = False
                    failed[slot] = Late(f"drive {slot} did not answer within {waited_ms:.0f} ms")
                elif (error := round_.errors[slot]) is not None:
                    failed[slot] = error
        return failed

    def close(self) -> None:
        for lane in self._lanes.values():
            lane.stop()
