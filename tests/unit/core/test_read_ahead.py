"""Bodies on their way out: one run is read ahead, in order, and nothing outlives the reader (R3, R7, R11)."""

from __future__ import annotations

import asyncio
import gc
from types import SimpleNamespace
from typing import Any

import pytest

from kakera.base import errors, limits
from kakera.core import bodies
from kakera.index.tables import Location
from kakera.journal.records import ChunkRef, Placement
from kakera.segments.pins import Vanished

RUN = limits.STREAM_PIECE_BYTES


class Reads:
    """Stands in for the store's reader: a run comes when the test lets it."""

    def __init__(self, *, whole: bool = False) -> None:
        self.whole = whole
        self.gates: dict[tuple[int, int], asyncio.Future[None]] = {}
        self.started: list[tuple[int, int]] = []
        self.ended = 0
        self.auto = True

    def best_read_whole(self, _ref: ChunkRef) -> bool:
        return self.whole

    async def chunk(self, ref: ChunkRef, start: int, stop: int) -> bytes:
        name = (ref.segment, start)
        self.started.append(name)
        gate = self.gates.setdefault(name, asyncio.get_running_loop().create_future())
        if self.auto and not gate.done():
            gate.set_result(None)
        try:
            await gate
        finally:
            self.ended += 1
        return bytes([ref.segment + start // RUN]) * (stop - start)


def streamed(reads: Reads, *sizes: int) -> tuple[Any, bytes]:
    """The stream of a body in chunks of these sizes, and the bytes it must give."""
    chunks = [ChunkRef(10 * number, 0, 0, size, 0) for number, size in enumerate(sizes, 1)]
    piece = bodies.Piece(0, sum(sizes), Location(1, 0, 0), Placement.CHUNKS, chunks)
    whole = b"".join(
        bytes([10 * number + (at // RUN if not reads.whole else 0)]) * (min(RUN, size - at))
        for number, size in enumerate(sizes, 1)
        for at in range(0, size, RUN)
    )
    store: Any = SimpleNamespace(reader=reads)
    return bodies.stream(store, bodies.OpenBody([piece], []), 0, sum(sizes)), whole


async def test_all_of_it_comes_in_order() -> None:
    stream, whole = streamed(Reads(), 4 * RUN, 2 * RUN + 7)
    assert b"".join([bytes(piece) async for piece in stream]) == whole


async def test_one_run_is_read_ahead_and_no_more() -> None:
    reads = Reads()
    stream, _ = streamed(reads, 4 * RUN)
    await anext(stream)
    await asyncio.sleep(0)
    assert len(reads.started) == 2
    await anext(stream)
    await asyncio.sleep(0)
    assert len(reads.started) == 3
    await stream.aclose()


async def test_what_fits_one_run_needs_no_other_task() -> None:
    reads = Reads()
    stream, whole = streamed(reads, 1000)
    before = asyncio.all_tasks()
    assert bytes(await anext(stream)) == whole
    assert asyncio.all_tasks() == before
    await stream.aclose()


async def test_chunks_that_must_be_decoded_are_not_read_ahead() -> None:
    reads = Reads(whole=True)
    stream, whole = streamed(reads, 4 * RUN, 4 * RUN)
    first = await anext(stream)
    await asyncio.sleep(0)
    assert len(reads.started) == 1
    assert bytes(first) + b"".join([bytes(piece) async for piece in stream]) == whole


@pytest.mark.parametrize("taken", [1, 2])
async def test_who_goes_away_leaves_no_read_behind(taken: int) -> None:
    reads = Reads()
    stream, _ = streamed(reads, 8 * RUN)
    for _ in range(taken):
        await anext(stream)
    reads.auto = False
    await asyncio.sleep(0)
    await stream.aclose()
    assert reads.ended == len(reads.started), "the pins go next: nothing may be reading"


async def test_cancelled_while_it_waits_it_leaves_no_read_behind() -> None:
    reads = Reads()
    stream, _ = streamed(reads, 8 * RUN)
    await anext(stream)
    reads.auto = False
    waiting = asyncio.create_task(stream.__anext__())
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await stream.aclose()
    assert reads.ended == len(reads.started)


async def test_a_run_that_fails_fails_in_its_turn() -> None:
    reads = Reads()
    stream, whole = streamed(reads, 3 * RUN)
    reads.gates[10, RUN] = failed = asyncio.get_running_loop().create_future()
    failed.set_exception(Vanished("gone"))
    assert bytes(await anext(stream)) == whole[:RUN]
    with pytest.raises(errors.Damaged):
        await anext(stream)


async def test_a_failure_nobody_waits_for_is_not_complained_about() -> None:
    said: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: said.append(context))
    reads = Reads()
    stream, _ = streamed(reads, 3 * RUN)
    reads.gates[10, RUN] = failed = loop.create_future()
    failed.set_exception(errors.Damaged("too few"))
    await anext(stream)
    await asyncio.sleep(0)
    await stream.aclose()
    del stream, failed
    reads.gates.clear()
    gc.collect()
    await asyncio.sleep(0)
    assert said == []
