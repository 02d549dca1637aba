"""The bulk writer of one worker: bodies above 128 KiB, chunk by chunk, onto all strands of a segment of its own.

DATA has no standing until the journal refers to it: a crash between append and command leaves orphans, nothing else.
Order: pin, strands created (durable), DATA written, synced on every live strand, k+1 at least (R1), the command.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from kakera.base import clock, errors, limits
from kakera.config import Config
from kakera.segments.append import Budget, Coded, Group, Segment, encode_chunk, settle, strand_header
from kakera.segments.drive import BULK, Drive
from kakera.segments.gather import OnDamage
from kakera.segments.identity import Drives
from kakera.segments.meta import ChunkRef, StrandMeta
from kakera.segments.pins import Pins
from kakera.segments.placement import place
from kakera.segments.record import Buffer
from kakera.segments.roster import Roster
from kakera.segments.suspects import Suspects
from kakera.segments.threads import DriveThreads, Lane

Grant = Callable[[], Awaitable[int]]  # a new segment id from the committer


class BulkSettings(NamedTuple):
    """What the writer takes from the settings."""

    k: int
    m: int
    segment_bytes: int
    reserve_bytes: int
    laggard_limit_s: float

    @classmethod
    def of(cls, config: Config) -> BulkSettings:
        p = config.profile
        return cls(
            p.k, p.m, config.bulk.segment_bytes, config.space.reserve_bytes, config.journal.laggard_limit_ms / 1000
        )


def _ignore(kind: str, segment: int, strand: int, slot: int, reason: str) -> None:
    pass


class BulkWriter:
    """One a worker process, used on its event loop. Threads start at the first append, after every fork."""

    def __init__(
        self, drives: Drives, grant: Grant, *, pins: Pins, config: Config, on_damage: OnDamage = _ignore
    ) -> None:
        settings = BulkSettings.of(config)
        self._drives = drives
        self._pins = pins
        self._grant = grant
        self._settings = settings
        self._on_damage = on_damage
        self._suspects = Suspects.of(config)
        self._roster = Roster(drives, settings.reserve_bytes)
        self._threads = DriveThreads("bulk", limits.BULK_THREADS)
        self._coder: Lane | None = None
        self._open: Segment | None = None
        self._opening = asyncio.Lock()
        self._segments: dict[int, Segment] = {}
        self._budget = Budget(limits.BULK_IN_FLIGHT_BYTES)
        self._of_body: dict[bytes, asyncio.Semaphore] = {}
        self.accepted_bytes = 0
        self.stored_bytes = 0

    # --- appending -------------------------------------------------------------------------------------------------

    async def append(self, body_id: bytes, number: int, data: Buffer) -> ChunkRef:
        """Write chunk `number` of the body onto every live strand; not durable before `sync`.

        Raises: ReadOnly: fewer than k+1 drives take it. OutOfSpace: fewer than k+1 have room. Unavailable: no segment
        id is to be had. ValueError: empty, or larger than a chunk.
        """
        if not 0 < len(data) <= limits.CHUNK_BYTES:
            raise ValueError(f"a chunk of {len(data)} bytes")
        s = self._settings
        turn = self._of_body.setdefault(body_id, asyncio.Semaphore(limits.BULK_BODY_CHUNKS))
        size = len(data) * (s.k + s.m) // s.k + len(data)
        async with turn, self._budget.take(size):
            job = functools.partial(encode_chunk, s.k, s.m, body_id, number, data)
            coded = await self._in_coder(job)
            for _ in range(limits.SEGMENT_OPEN_ATTEMPTS):
                segment = await self._segment_for(coded.length)
                ref = await self._write(segment, coded)
                if ref is not None:
                    self.accepted_bytes += len(data)
                    self.stored_bytes += coded.length * len(segment.live)
                    return ref
            raise self._roster.why_not(s.k + 1)

    async def _write(self, segment: Segment, coded: Coded) -> ChunkRef | None:
        """The chunk's place, None when fewer than k+1 strands have it: it is appended again elsewhere."""
        segment.bodies.add(coded.draft.command_id)
        ref, buffers = segment.place(coded)
        futures = {}
        for index, drive in segment.live.items():
            job = functools.partial(drive.write, segment.strand, ref.offset, buffers[index])
            futures[index] = self._threads.submit(drive.slot, job)
            self._roster.wrote(coded.length)
        if await self._settle(segment, futures):
            self._seal(segment)
        return ref if len(segment.live) > self._settings.k else None

    async def _settle(self, segment: Segment, futures: dict[int, asyncio.Future[None]]) -> int:
        """Wait for the strands; those that failed or are late leave the segment (R2). Returns how many."""
        s = self._settings
        settled = await settle(
            futures, need=s.k + 1, limit_s=s.laggard_limit_s, stall_s=max(limits.BULK_STALL_S, s.laggard_limit_s)
        )
        for index, error in settled.failed.items():
            drive = segment.live.pop(index, None)
            if drive is not None:
                self._lost(segment, index, drive, error)
        return len(settled.failed)

    def _lost(self, segment: Segment, index: int, drive: Drive, error: BaseException) -> None:
        if not isinstance(error, (OSError, TimeoutError)):
            raise error
        self._roster.exclude(drive.slot, error, busy=functools.partial(self._threads.waiting, drive.slot))
        self._suspects.add(segment.strand, drive.slot, str(error))
        self._on_damage(BULK, segment.number, index, drive.slot, f"bulk write: {error}")

    def _in_coder(self, job: Callable[[], Coded]) -> asyncio.Future[Coded]:
        if self._coder is None:
            self._coder = Lane("encode", 1)
        return self._coder.submit(job)

    # --- segments --------------------------------------------------------------------------------------------------

    async def _segment_for(self, length: int) -> Segment:
        """The open segment if the record fits it and its drives, else a new one."""
        async with self._opening:
            await self._roster.look()
            segment = self._open
            if segment is not None and self._must_roll(segment, length):
                self._seal(segment)
                segment = None
            if segment is None or segment.sealed:
                segment = self._open = await self._create(length)
            return segment

    def _must_roll(self, segment: Segment, length: int) -> bool:
        s = self._settings
        if segment.sealed or segment.offset + length > s.segment_bytes:
            return True
        if not all(self._roster.has_room(drive.slot, length) for drive in segment.live.values()):
            return True
        usable = self._roster.usable(length)
        gone = any(self._drives.present.get(drive.slot) is not drive for drive in segment.live.values())
        return gone or len(segment.live) < min(len(usable), s.k + s.m)

    async def _create(self, length: int) -> Segment:
        """A new segment on the drives that can take it: its strands durable on k+1 drives at least."""
        s = self._settings
        for _ in range(limits.SEGMENT_OPEN_ATTEMPTS):
            usable = self._roster.usable(length)
            if len(usable) <= s.k:
                break
            number = await self._grant()
            chosen = place(usable, s.k, s.m, turn=number)
            members = {index: drive for index, drive in enumerate(chosen) if drive is not None}
            segment = await self._create_on(number, members)
            if segment is not None:
                return segment
        raise self._roster.why_not(s.k + 1)

    async def _create_on(self, number: int, members: dict[int, Drive]) -> Segment | None:
        """None when fewer than k+1 drives made their strand; what was made is removed again."""
        s = self._settings
        names = ["" if index not in members else self._drives.ids[members[index].slot] for index in range(s.k + s.m)]
        meta = StrandMeta(self._drives.cluster, BULK, s.k, s.m, names, clock.now_ms())
        headers = {index: strand_header(meta, number, index) for index in members}
        pins = (self._pins.hold_writing(number), self._pins.hold(number))
        segment = Segment(number, members, len(headers[next(iter(members))]), pins)
        segment.group = Group(functools.partial(self._sync_round, segment))
        futures = {
            index: self._threads.submit(drive.slot, functools.partial(drive.create, segment.strand, headers[index]))
            for index, drive in members.items()
        }
        self._segments[number] = segment
        # A strand that could not be made does not seal the segment: it never had anything to lose.
        await self._settle(segment, futures)
        if len(segment.live) > s.k:
            return segment
        for drive in segment.live.values():
            self._threads.submit(drive.slot, functools.partial(drive.drop, segment.strand))
        self._seal(segment)
        return None

    def _seal(self, segment: Segment) -> None:
        """Nothing is appended to it any more; it is kept until the bodies in it are released."""
        segment.sealed = True
        if self._open is segment:
            self._open = None
        self._retire(segment)

    def _retire(self, segment: Segment) -> None:
        if segment.sealed and not segment.bodies and self._segments.pop(segment.number, None) is not None:
            for pin in segment.pins:
                pin.release()

    # --- durability ------------------------------------------------------------------------------------------------

    async def sync(self, refs: Sequence[ChunkRef]) -> None:
        """Make these chunks durable on every strand still in their segments (R1). Grouped with whoever asks meanwhile.

        Raises: ReadOnly: fewer than k+1 strands are left in one of the segments: the chunks must be written again.
        """
        numbers = {ref.segment for ref in refs}
        await asyncio.gather(*(self._sync_segment(number) for number in numbers))

    async def _sync_segment(self, number: int) -> None:
        segment = self._segments.get(number)
        if segment is None or segment.group is None:
            raise errors.Unavailable("this segment is not written here any more")
        await segment.group.join()
        if len(segment.live) <= self._settings.k:
            raise self._roster.why_not(self._settings.k + 1)

    async def _sync_round(self, segment: Segment) -> None:
        futures = {
            index: self._threads.submit(drive.slot, functools.partial(drive.sync, segment.strand))
            for index, drive in segment.live.items()
        }
        if await self._settle(segment, futures):
            self._seal(segment)

    # --- the end ---------------------------------------------------------------------------------------------------

    def release(self, body_id: bytes) -> None:
        """The upload was acked or given up: what it wrote is the journal's business or an orphan now."""
        self._of_body.pop(body_id, None)
        for segment in list(self._segments.values()):
            segment.bodies.discard(body_id)
            self._retire(segment)

    def seal(self) -> None:
        """The open segment takes no new chunk: once its bodies are released it can be healed, compacted and dropped."""
        if self._open is not None:
            self._seal(self._open)

    def close(self) -> None:
        """Seal what is open; threads end when their jobs do."""
        for segment in list(self._segments.values()):
            segment.bodies.clear()
            self._seal(segment)
        self._threads.close()
        if self._coder is not None:
            self._coder.close()

    def state(self) -> dict[str, object]:
        """For metrics and doctor: open segments, bytes accepted and stored, bytes in flight."""
        return {
            "segments": {f"{n:016x}": len(segment.live) for n, segment in self._segments.items()},
            "accepted_bytes": self.accepted_bytes,
            "stored_bytes": self.stored_bytes,
            "in_flight_bytes": self._budget.used,
        }
