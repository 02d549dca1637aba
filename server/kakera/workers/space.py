"""Space of bulk segments (R7): `compact` moves what is live out of sparse ones, `punch` gives back what is dead in the
others, `gc` drops what nothing refers to."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec

from kakera.base import errors, limits
from kakera.base.ids import new_id, segment_name
from kakera.index.tables import BULK as BULK_ROWS
from kakera.journal import codec
from kakera.journal.commands import Body, Clean, Rewrite
from kakera.journal.records import ObjectMeta
from kakera.observe.log import get_logger
from kakera.segments.census import list_segments, longest
from kakera.segments.compact import Chunk, Usage, choose, drop, find_dead, move, punch, worth_punching
from kakera.segments.drive import BULK, Strand
from kakera.segments.map import learn
from kakera.segments.meta import ChunkRef
from kakera.segments.record import Type
from kakera.segments.walk import heads
from kakera.workers.context import Work
from kakera.workers.loop import IDLE, Progress
from kakera.workers.pressure import pressed
from kakera.workers.references import Holder, References, holder_of

log = get_logger("workers")
_PUNCHED = "punch.json"


class CompactLoop:
    """Rewrites the emptiest quiet bulk segment below `live_ratio`: copy, make durable, Rewrite (accepted only if
    nothing changed)."""

    name = "compact"

    def __init__(self, work: Work, *, live_ratio: float = limits.COMPACT_LIVE_RATIO) -> None:
        self._work = work
        self._live_ratio = live_ratio
        self.waiting = 0  # sparse segments that are not quiet yet
        self.interval_s = float(work.config.background.interval_s)

    async def step(self) -> Progress:
        work = self._work
        await work.status()
        usages = await _usages(work)
        sparse = choose(usages, live_ratio=self._live_ratio, most=len(usages))
        sparse += [segment for segment in self._small(usages) if segment not in sparse]
        chosen = [segment for segment in sparse if work.quiet.check(segment)]
        self.waiting = len(sparse) - len(chosen)
        if not chosen:
            return IDLE
        moved, left = 0, len(chosen)
        try:
            # One that yields nothing (another process moves the same bodies, or they cannot be read now) must not keep
            # those behind it.
            while left and not moved:
                moved = await self._empty(chosen[-left])
                left -= 1
        finally:
            if not left:
                work.bulk.seal()  # nothing follows: what was copied must not wait for more to be healable itself
        return Progress(more=left > 0, done=moved, unit="bodies", left=left)

    def _small(self, usages: list[Usage]) -> list[int]:
        """Segments sealed early because their writer was idle or ended: many of them are worth being made into few."""
        small = [
            u.segment
            for u in usages
            if u.size_bytes * limits.COMPACT_SMALL_SHARE < self._work.config.bulk.segment_bytes
        ]
        return small if len(small) >= limits.COMPACT_SMALL_SEGMENTS else []

    async def _empty(self, segment: int) -> int:
        """Move every live chunk out of the segment; how many bodies were moved."""
        moved = 0
        for body_id in await self._work.apart(self._bodies, segment):
            moved += await self._move(segment, body_id)
        log.info("compacted", segment=segment_name(segment), bodies=moved)
        return moved

    def _bodies(self, segment: int) -> list[bytes]:
        """The ids of all bodies with DATA here, dead or alive. Blocking."""
        drives = self._work.drives
        upto = longest(drives, BULK, segment)
        found: dict[bytes, None] = {}
        for _, header in heads(learn(drives, Strand(BULK, segment)), upto, self._work.throttle):
            if header.type == Type.DATA:
                found[header.command_id] = None
        return list(found)

    async def _move(self, segment: int, body_id: bytes) -> bool:
        work = self._work
        holder = await holder_of(work, body_id)
        if holder is None:
            return False
        chunks = [Chunk(body_id, at, ref) for at, ref in enumerate(holder.meta.chunks) if ref.segment == segment]
        if not chunks:
            return False
        try:
            places: dict[ChunkRef, ChunkRef] = {}
            for start in range(0, len(chunks), limits.COMPACT_CHUNKS_AT_ONCE):
                group = chunks[start : start + limits.COMPACT_CHUNKS_AT_ONCE]
                await work.apart(work.throttle.take, 2 * sum(chunk.ref.size for chunk in group))
                places |= dict(await move(work.reader, work.bulk, group))
            meta = moved_meta(holder, places)
            await work.journal.submit(Rewrite(new_id(), holder.type, codec.encode(meta), Body(), holder.location))
        except errors.OperationAborted:
            return False  # deleted, overwritten or moved meanwhile: what was copied is an orphan now
        finally:
            work.bulk.release(body_id)
        return True


def moved_meta(holder: Holder, places: dict[ChunkRef, ChunkRef]) -> Any:
    """The same record with its chunks' new places; identity and order unchanged (R7). Pure."""
    chunks = [places.get(ref, ref) for ref in holder.meta.chunks]
    if isinstance(holder.meta, ObjectMeta):
        return msgspec.structs.replace(holder.meta, chunks=chunks, order=holder.order)
    return msgspec.structs.replace(holder.meta, chunks=chunks)


class PunchLoop:
    """Gives back the bodies of dead DATA in quiet segments that are too full of life to be rewritten, or when the
    drives are too full for copies. A segment is looked at again when enough has died in it since."""

    name = "punch"

    def __init__(self, work: Work) -> None:
        self._work = work
        self.interval_s = float(work.config.background.interval_s)

    async def step(self) -> Progress:
        work = self._work
        await work.status()
        usages = {usage.segment: usage for usage in await _usages(work)}
        done = work.load(_PUNCHED, {})  # segment -> live bytes when it was punched last
        crowded = await work.apart(pressed, work)
        ratio = limits.COMPACT_LIVE_RATIO
        due = [
            usage
            for number, usage in usages.items()
            if worth_punching(usage, done.get(str(number), usage.size_bytes), live_ratio=ratio, pressed=crowded)
            and work.quiet.check(number)
        ]
        for at, usage in enumerate(due):
            won_bytes = await self._punch(usage.segment)
            if won_bytes is None:
                continue  # a stream holds it: next time
            kept = {key: live for key, live in done.items() if int(key) in usages}
            work.save(_PUNCHED, {**kept, str(usage.segment): usage.live_bytes})
            left = len(due) - at - 1
            return Progress(left > 0, 1, left, "segments", f"{won_bytes} bytes given back")
        return Progress(left=len(due), unit="segments")

    async def _punch(self, segment: int) -> int | None:
        """In this order: nothing new may come to be alive here; what is dead is found; nobody who found it alive still
        reads; it goes (R7)."""
        work = self._work
        await work.journal.submit(Clean(new_id(), "close_bulk", segment))
        refers = References(work)
        dead, live_bytes = await work.apart(find_dead, work.drives, segment, refers, work.throttle)
        row = work.rows().get(BULK_ROWS, (segment,))
        if row is not None and live_bytes < row.live_bytes:
            # An index with an error in it, or DATA that no drive shows now: not a moment to throw anything away.
            raise errors.Damaged(f"{row.live_bytes - live_bytes} bytes of segment {segment_name(segment)} not found")
        won_bytes = await work.apart(punch, work.drives, work.pins, segment, dead, work.throttle)
        if won_bytes:
            log.info("punched", segment=segment_name(segment), chunks=len(dead), bytes=won_bytes)
        return won_bytes


async def _usages(work: Work) -> list[Usage]:
    """Every bulk segment that something refers to."""
    sizes = await work.apart(list_segments, work.drives, BULK)
    work.quiet.keep_only(sizes)
    usages = []
    for segment, lengths in sizes.items():
        row = work.rows().get(BULK_ROWS, (segment,))
        if row is not None:
            live_bytes = row.live_bytes + limits.STRAND_HEADER_ALLOWANCE_BYTES
            usages.append(Usage(segment, max(lengths.values()), live_bytes))
    return usages


class GcLoop:
    """Drops bulk segments that no row refers to, once no upload and no stream of any process can still need them."""

    name = "gc"

    def __init__(self, work: Work) -> None:
        self._work = work
        self.interval_s = float(work.config.background.interval_s)
        self.waiting = 0  # segments nothing refers to that are not quiet yet

    async def step(self) -> Progress:
        work = self._work
        await work.status()
        dropped = self.waiting = 0
        for segment in await work.apart(list_segments, work.drives, BULK):
            if work.rows().get(BULK_ROWS, (segment,)) is not None:
                continue
            if not work.quiet.check(segment):
                self.waiting += 1
            elif await drop(work.drives, work.pins, segment, lambda segment=segment: self._forget(segment)):  # type: ignore[misc]
                dropped += 1
                log.info("bulk segment dropped", segment=segment_name(segment))
        return Progress(done=dropped, left=self.waiting, unit="segments")

    async def _forget(self, segment: int) -> bool:
        """The committer agrees and refuses every later command that names it."""
        with contextlib.suppress(errors.OperationAborted):
            await self._work.journal.submit(Clean(new_id(), "drop_bulk", segment))
            return True
        return False
