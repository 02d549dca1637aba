"""Readiness asks the committer once for many, and not too often."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kakera.base import clock, limits
from kakera.base.errors import Unknown
from kakera.edge.health import Readiness
from kakera.journal.commands import StatusReply


class FakeCommitter:
    def __init__(self) -> None:
        self.asked = 0
        self.mode = "ready"
        self.error: Exception | None = None
        self.silent = False

    async def status(self) -> StatusReply:
        self.asked += 1
        if self.silent:
            await asyncio.sleep(3600)
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        return StatusReply(self.mode, "why", 1, [], 0, {}, 0, 0)


async def test_many_ask_at_once_one_question() -> None:
    committer = FakeCommitter()
    readiness = Readiness(committer.status)
    answers = await asyncio.gather(*(readiness.ask() for _ in range(100)))
    assert {answer["status"] for answer in answers} == {"ready"}
    assert committer.asked == 1


async def test_the_answer_is_kept_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(clock, "monotonic_s", lambda: now)
    committer = FakeCommitter()
    readiness = Readiness(committer.status)
    await readiness.ask()
    committer.mode = "read-only"
    assert (await readiness.ask())["status"] == "ready"
    now += limits.READY_CACHE_S + 0.01
    assert await readiness.ask() == {"status": "read-only", "reason": "why"}


async def test_no_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "READY_WAIT_S", 0.01)
    committer = FakeCommitter()
    committer.silent = True
    assert (await Readiness(committer.status).ask())["status"] == "unavailable"
    committer.silent, committer.error = False, Unknown("no answer in time")
    assert await Readiness(committer.status).ask() == {"status": "unavailable", "reason": "no answer in time"}


async def test_a_mark_makes_it_draining_and_its_end_ready_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "READY_CACHE_S", -1.0)
    mark = tmp_path / "draining"
    readiness = Readiness(FakeCommitter().status, drain_mark=mark)
    assert (await readiness.ask())["status"] == "ready"
    mark.touch()
    assert (await readiness.ask())["status"] == "draining"
    assert readiness.last is not None, "metrics go on"
    mark.unlink()
    assert (await readiness.ask())["status"] == "ready"


async def test_a_stopping_worker_asks_nobody() -> None:
    committer = FakeCommitter()
    readiness = Readiness(committer.status)
    stops = [False]
    readiness.stopping = lambda: stops[0]
    assert (await readiness.ask())["status"] == "ready"
    stops[0] = True
    assert (await readiness.ask())["status"] == "draining"
    assert committer.asked == 1
