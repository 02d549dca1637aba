"""What a worker makes of the committer's word: reads wait for an index that is rebuilt, and only for that (R15)."""

from __future__ import annotations

from pathlib import Path

import pytest

from kakera.base import errors, limits
from kakera.base.ids import new_id
from kakera.journal.client import JournalClient, State
from kakera.journal.commands import Body, Put, StatusReply


def status(mode: str, *, rebuilding: bool = False) -> StatusReply:
    return StatusReply(mode, "why", 1, [], 0, {}, 0, 0, rebuilding=rebuilding)


def test_nothing_is_read_before_the_first_word() -> None:
    assert State().mode == "starting"


def test_a_successor_that_recovers_does_not_stop_reads() -> None:
    state = State()
    state.heard(status("ready"))
    state.heard(status("starting"))
    assert state.mode == "ready"


def test_an_index_that_is_rebuilt_does() -> None:
    state = State()
    state.heard(status("ready"))
    state.heard(status("starting", rebuilding=True))
    assert state.mode == "starting"
    state.heard(status("ready"))
    assert state.mode == "ready"


def test_a_late_answer_of_the_dead_committer_is_dated_by_its_question() -> None:
    state = State()
    state.heard(status("ready"), asked_at_s=10.0)
    assert state.ready_asked_at_s == 10.0
    state.heard(status("ready"), asked_at_s=5.0)
    assert state.ready_asked_at_s == 10.0


async def test_what_waits_is_bounded_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_PENDING_BYTES", 1000)
    client = JournalClient(tmp_path / "nobody.sock")
    await client.open()
    try:
        with pytest.raises(errors.Busy):
            await client.submit(Put(new_id(), "b", 1, 1, b"m" * 2000, Body()))
    finally:
        await client.close()
