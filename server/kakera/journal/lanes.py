"""Lanes: one thread a drive, so that a batch reaches all drives at once and a slow one holds up nobody but itself
(R12).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from queue import SimpleQueue

from kakera.base import limits

Task = Callable[[], None]


class _Round:
    """One task a lane, waited for together."""

    def __init__(self, expected: int, need: int) -> None:
        self._left = expected
        self._need = need
        self._good = 0
        self._change = threading.Condition()
        self.errors: dict[int, BaseException | None] = {}

    def finish(self, slot: int, error: BaseException | None) -> None:
        with self._change:
            self.errors[slot] = error
            self._left -= 1
            self._good += error is None
            # Whoever waits has nothing to do at any other time, and each waking costs two changes of thread.
            if not self._left or (error is None and self._good == self._need):
                self._change.notify()

    def wait(self, limit_s: float) -> dict[int, BaseException | None]:
        """Until all are done; late ones only `limit_s` longer than the first `need` of them (R2, R12). A machine that
        is slow as a whole loses no drive early: when `need` never come, all are late after LANE_STALL_S. Returns slot
        -> outcome of those that came."""
        started_s = time.monotonic()
        enough_s = 0.0
        with self._change:
            while self._left:
                now_s = time.monotonic()
                if self._good >= self._need and not enough_s:
                    enough_s = now_s
                until_s = enough_s + limit_s if enough_s else started_s + max(limit_s, limits.LANE_STALL_S)
                if now_s >= until_s:
                    break
                self._change.wait(until_s - now_s)
            return dict(self.errors)


class _Lane:
    def __init__(self, slot: int) -> None:
        self.slot = slot
        self._queue: SimpleQueue[tuple[Task, _Round] | None] = SimpleQueue()
        self._late: _Round | None = None
        threading.Thread(target=self._run, name=f"lane-{slot}", daemon=True).start()

    def put(self, task: Task, round_: _Round) -> None:
        self._queue.put((task, round_))

    def busy_with(self, round_: _Round) -> None:
        """Its task of that round is late."""
        self._late = round_

    @property
    def stuck(self) -> bool:
        """The late task has not returned yet."""
        return self._late is not None and self.slot not in self._late.errors

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


class Late(OSError):
    """The drive did not answer within the laggard limit (R2)."""


class Lanes:
    """Runs one task on each of several drives at once."""

    def __init__(self, laggard_limit_s: float) -> None:
        self._limit_s = laggard_limit_s
        self._lanes: dict[int, _Lane] = {}

    def run(self, tasks: Mapping[int, Task], need: int) -> dict[int, BaseException]:
        """Run every task in its slot's lane; slot -> error for those that failed, Late for those too far behind the
        first `need`.

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
        round_ = _Round(len(free), min(need, len(free)))
        for slot, task in free.items():
            self._lanes[slot].put(task, round_)
        outcome = round_.wait(self._limit_s)
        for slot in free:
            if slot not in outcome:
                self._lanes[slot].busy_with(round_)
                failed[slot] = Late(f"drive {slot} is more than {self._limit_s:.1f} s behind the others")
            elif (error := outcome[slot]) is not None:
                failed[slot] = error
        return failed

    def close(self) -> None:
        for lane in self._lanes.values():
            lane.stop()
