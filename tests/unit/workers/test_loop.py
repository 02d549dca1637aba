"""The runner's pace and patience; the queue of what is to be healed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from kakera.base.errors import ReadOnly
from kakera.workers.loop import IDLE, Progress, Runner, read_progress
from kakera.workers.queue import HealQueue, Job


class Scripted:
    """A loop whose steps are told beforehand; it stops the runner after the last."""

    name, interval_s = "scripted", 0.001

    def __init__(self, *steps: Progress | Exception) -> None:
        self._steps = list(steps)
        self.runner: Runner | None = None
        self.taken = 0

    async def step(self) -> Progress:
        self.taken += 1
        if not self._steps:
            assert self.runner is not None
            self.runner.stop()
            return IDLE
        found = self._steps.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


async def test_failures_are_survived_and_shown(tmp_path: Path) -> None:
    path = tmp_path / "jobs" / "progress.json"
    loop = Scripted(
        Progress(more=True, done=1, left=2), ReadOnly("2 drives away"), RuntimeError("bug"), OSError(5, "EIO")
    )
    loop.runner = Runner([loop], path)
    await asyncio.wait_for(loop.runner.run(), 5)
    assert loop.taken == 5
    assert read_progress(path)["scripted"]["error"] == ""


async def test_one_bad_loop_does_not_stop_another(tmp_path: Path) -> None:
    bad, good = Scripted(*(RuntimeError("bug") for _ in range(100))), Scripted(*(IDLE for _ in range(3)))
    bad.interval_s, bad.name = 10.0, "bad"
    runner = Runner([bad, good], tmp_path / "progress.json")
    good.runner = bad.runner = runner
    await asyncio.wait_for(runner.run(), 5)
    assert (good.taken, bad.taken) == (4, 1)
    assert "bug" in str(read_progress(tmp_path / "progress.json")["bad"]["error"])


def test_no_progress_file_is_no_progress(tmp_path: Path) -> None:
    assert read_progress(tmp_path / "none") == {}
    (tmp_path / "torn").write_text('{"a": ')
    assert read_progress(tmp_path / "torn") == {}


def test_the_queue_is_shared_idempotent_and_ordered(tmp_path: Path) -> None:
    reporter, worker = HealQueue(tmp_path), HealQueue(tmp_path)
    assert worker.jobs() == []
    reporter.report("bulk", 7, 2, 3, "crc")
    reporter.report("bulk", 7, 2, 3, "crc")
    reporter.add("bulk", 5, "short")
    reporter.add("bulk", 5, "another reason")
    worker.add("journal", 9, "missing")
    (tmp_path / "heal" / "something else").touch()
    jobs = worker.jobs()
    assert [(job.kind, job.segment) for job in jobs] == [("journal", 9), ("bulk", 5), ("bulk", 7)]
    assert jobs[1].reason == "short"
    worker.done(jobs[1])
    worker.done(Job("bulk", 5, ""))
    assert [job.segment for job in worker.jobs()] == [9, 7]


def test_one_process_heals_at_a_time(tmp_path: Path) -> None:
    with HealQueue(tmp_path).exclusive() as first, HealQueue(tmp_path).exclusive() as second:
        assert (first, second) == (True, False)
    with HealQueue(tmp_path).exclusive() as again:
        assert again


def test_a_queue_that_cannot_write_does_not_stop_the_reader(tmp_path: Path) -> None:
    (tmp_path / "heal").write_text("a file where the folder should be")
    HealQueue(tmp_path).report("bulk", 7, 2, 3, "crc")
