"""Lanes: all drives at once, a late one left behind, a slow machine not mistaken for slow drives (R2, R12)."""

from __future__ import annotations

import threading
import time

import pytest

from kakera.base import limits
from kakera.journal.lanes import Lanes, Late


def test_tasks_run_side_by_side() -> None:
    lanes = Lanes(5.0)
    meeting = threading.Barrier(4, timeout=5)
    assert lanes.run({slot: lambda: (meeting.wait(), None)[1] for slot in range(4)}, need=3) == {}
    lanes.close()


def test_a_failure_is_told_and_the_others_count() -> None:
    lanes = Lanes(5.0)

    def fail() -> None:
        raise OSError(5, "broken")

    failed = lanes.run({0: fail, 1: lambda: None}, need=1)
    assert list(failed) == [0] and isinstance(failed[0], OSError)
    lanes.close()


def test_a_late_lane_is_left_behind_and_refuses_until_it_is_back() -> None:
    lanes = Lanes(0.05)
    hold = threading.Event()
    tasks = {0: lambda: (hold.wait(10), None)[1], 1: lambda: None, 2: lambda: None}
    began_s = time.monotonic()
    failed = lanes.run(tasks, need=2)
    assert time.monotonic() - began_s < 5
    assert isinstance(failed[0], Late) and len(failed) == 1
    assert isinstance(lanes.run({0: lambda: None, 1: lambda: None}, need=1)[0], Late), "still under way"
    hold.set()
    for _ in range(200):
        if not lanes.run({0: lambda: None}, need=1):
            break
        time.sleep(0.01)
    else:
        raise AssertionError("never came back")
    lanes.close()


def test_a_machine_slow_as_a_whole_loses_no_drive() -> None:
    lanes = Lanes(0.05)
    assert lanes.run({slot: lambda: time.sleep(0.3) for slot in range(3)}, need=2) == {}
    lanes.close()


def test_all_stuck_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LANE_STALL_S", 0.2)
    lanes = Lanes(0.05)
    hold = threading.Event()
    failed = lanes.run({slot: lambda: (hold.wait(10), None)[1] for slot in range(3)}, need=2)
    hold.set()
    assert set(failed) == {0, 1, 2}
    lanes.close()
