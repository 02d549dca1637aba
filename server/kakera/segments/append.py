"""Parts of the bulk writer: an open segment, its group sync, a chunk coded for its strands, the rule who is late."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec

from kakera.base import clock
from kakera.segments.codec import codec, fragment_length
from kakera.segments.drive import BULK, Drive, Strand
from kakera.segments.meta import ChunkRef, DataMeta, StrandMeta
from kakera.segments.pins import Pin
from kakera.segments.record import (
    HEADER_BYTES,
    Buffer,
    Draft,
    Encoder,
    Type,
    as_bytes,
    crc32c,
    crc_table,
    record_length,
)

_ENCODE = msgspec.msgpack.Encoder().encode
LATE = "later than the laggard limit"


class Coded(NamedTuple):
    """A chunk ready for its strands: everything but segment and sequence."""

    draft: Draft
    fragments: list[memoryview]
    tables: list[bytes]
    crcs: list[int]  # of the table, or of the fragment when it has none
    crc: int  # of the chunk
    length: int  # of the record


def encode_chunk(k: int, m: int, body_id: bytes, number: int, data: Buffer) -> Coded:
    """Code and checksum one chunk: 1.5 ms for 4 MiB, 4+2."""
    whole = as_bytes(data)
    crc = crc32c(whole)
    fragments = codec(k, m).encode_chunk(whole)
    tables = [crc_table(fragment) for fragment in fragments]
    crcs = [crc32c(table or fragment) for table, fragment in zip(tables, fragments, strict=True)]
    meta = _ENCODE(DataMeta(number, crc))
    draft = Draft(Type.DATA, 0, body_id, meta, fragment_length(k, len(whole)), len(whole), k, m)
    return Coded(draft, fragments, tables, crcs, crc, record_length(len(meta), draft.body_bytes))


def strand_header(meta: StrandMeta, segment: int, index: int) -> bytes:
    """The first record of strand `index` of a bulk segment."""
    draft = Draft(Type.HEADER, 0, bytes(16), _ENCODE(meta), 0, 0, meta.k, meta.m)
    return Encoder(draft, segment, 0).whole(index)


class Segment:
    """One bulk segment this process writes.

    live: strands that have all that was appended so far; one that failed is out for good, its tail is not trusted (R2).
    """

    def __init__(self, number: int, members: Mapping[int, Drive], start: int, pins: tuple[Pin, ...]) -> None:
        self.number = number
        self.strand = Strand(BULK, number)
        self.live: dict[int, Drive] = dict(members)
        self.offset = start
        self.bodies: set[bytes] = set()
        self.sealed = False
        self.pins = pins
        self._sequence = 0
        self.group: Group | None = None

    def place(self, coded: Coded) -> tuple[ChunkRef, dict[int, list[Buffer]]]:
        """Give the record its place and lay it out: (reference, buffers by live strand). No waiting in between: a place
        that was given is written, so strands have no holes but where a drive failed."""
        self._sequence += 1
        encoder = Encoder(coded.draft, self.number, self._sequence)
        ref = ChunkRef(self.number, self.offset, coded.length, coded.draft.body_size, coded.crc)
        self.offset += coded.length
        used = HEADER_BYTES + len(coded.draft.meta) + len(coded.tables[0]) + coded.draft.body_bytes
        padding = bytes(coded.length - used)
        buffers: dict[int, list[Buffer]] = {}
        for index in self.live:
            head = b"".join((encoder.strand(index, coded.crcs[index]), coded.draft.meta, coded.tables[index]))
            buffers[index] = [head, coded.fragments[index], padding]
        return ref, buffers


class Settled(NamedTuple):
    """How a set of jobs ended: failed strands with their reasons."""

    failed: dict[int, BaseException]


async def settle(futures: Mapping[int, asyncio.Future[None]], *, need: int, limit_s: float, stall_s: float) -> Settled:
    """Wait for all strands, but for late ones only `limit_s` longer than for the first `need` (R2, R12).

    When that many never answer, the others are late after `stall_s`: a machine slow as a whole loses no strands early.
    """
    started_s = clock.monotonic_s()
    enough_s: float | None = None
    pending = {future for future in futures.values() if not future.done()}
    while pending:
        good = sum(1 for f in futures.values() if f.done() and not f.cancelled() and f.exception() is None)
        now_s = clock.monotonic_s()
        if good >= need and enough_s is None:
            enough_s = now_s
        until_s = started_s + stall_s if enough_s is None else enough_s + limit_s
        if now_s >= until_s:
            break
        _, pending = await asyncio.wait(pending, timeout=until_s - now_s, return_when=asyncio.FIRST_COMPLETED)
    failed: dict[int, BaseException] = {}
    for index, future in futures.items():
        if not future.done():
            failed[index] = TimeoutError(LATE)
        elif (error := future.exception()) is not None:
            failed[index] = error
    return Settled(failed)


class Group:
    """Group sync: whoever comes while a round runs is served by the next one; each round serves all who wait (R1)."""

    def __init__(self, round_: Callable[[], Awaitable[None]]) -> None:
        self._round = round_
        self._next: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def join(self) -> None:
        """Return when a round that began after this call has ended. Raises what the round raised."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        mine = self._next
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        # Shielded: one caller giving up must not take the round from the others.
        await asyncio.shield(mine)

    async def _run(self) -> None:
        try:
            while (serving := self._next) is not None:
                self._next = None
                try:
                    await self._round()
                except Exception as error:
                    serving.set_exception(error)
                    serving.exception()
                else:
                    serving.set_result(None)
        finally:
            self._task = None


class Budget:
    """Bytes in flight, first come first served; a request larger than all of it waits for an empty one."""

    def __init__(self, total_bytes: int) -> None:
        self._total = total_bytes
        self.used = 0
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def take(self, size: int) -> AsyncIterator[None]:
        size = min(size, self._total)
        if self._waiters or self.used + size > self._total:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append((size, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._give(size)  # its turn had come
                raise
        else:
            self.used += size
        try:
            yield
        finally:
            self._give(size)

    def _give(self, size: int) -> None:
        self.used -= size
        while self._waiters:
            wanted, turn = self._waiters[0]
            if turn.done():  # cancelled while it waited
                self._waiters.popleft()
                continue
            if self.used + wanted > self._total:
                return
            self._waiters.popleft()
            self.used += wanted
            turn.set_result(None)
