"""Space (R7): `compact` moves what is live out of sparse bulk segments, `punch` gives back what is dead in the others,
`gc` drops what nothing refers to, `clean` keeps the journal short."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from kakera.base import clock, errors, limits
from kakera.base.ids import new_id, segment_name
from kakera.index.tables import BULK as BULK_ROWS
from kakera.journal import codec
from kakera.journal.cleaning import live
from kakera.journal.commands import Body, Clean, Rewrite, SegmentInfo, StatusReply
from kakera.journal.reading import survey
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
from kakera.workers.references import Holder, References, holder_of

log = get_logger("workers")
_PUNCHED = "punch.json"
_CLEANED = "clean.json"


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
        pressed = await work.apart(_pressed, work)
        ratio = limits.COMPACT_LIVE_RATIO
        due = [
            usage
            for number, usage in usages.items()
            if worth_punching(usage, done.get(str(number), usage.size_bytes), live_ratio=ratio, pressed=pressed)
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


def _pressed(work: Work) -> bool:
    """Is a drive near its reserve? Blocking."""
    for drive in work.drives.present.values():
        with contextlib.suppress(OSError):
            if drive.space().free_bytes < 2 * work.config.space.reserve_bytes:
                return True
    return False


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


class CleanLoop:
    """Keeps the journal within twice what is live in it, strictly oldest first.

    A *round* moves what is live out of every segment that was there when it began; what the journal then takes is what
    is live. The next round begins when it has doubled (and is worth it): each live byte is moved at most about once for
    each byte appended. On a drive that is running out of space only what pays is cleaned: moving writes before it
    frees, and what it writes there is the reserve that DELETE needs.
    """

    name = "clean"

    def __init__(self, work: Work) -> None:
        self._work = work
        self.interval_s = float(work.config.background.interval_s)
        self._pays_until = 0  # on a full drive: the segments before this one pay together
        self._moving = 0  # the segment there was room for
        self._looked_at = (0, 0)  # the journal's first segment and last sequence when nothing paid
        self._look_again_s = 0.0

    async def step(self) -> Progress:
        work = self._work
        status = await work.status()
        if await work.apart(_pressed, work):
            until = await self._paying(status)
        else:
            until = self._round(status)
            if not until:
                return IDLE
            if status.chain[0].segment >= until or len(status.chain) < 2:
                work.save(_CLEANED, {"until": 0, "live_bytes": sum(info.end for info in status.chain)})
                return Progress(done=1, unit="rounds")
        if not until:
            return IDLE
        more = await self._move(status)
        left = sum(info.segment < until for info in status.chain)
        return Progress(more=more, left=left, unit="segments")

    def _round(self, status: StatusReply) -> int:
        """Where the round under way ends, a new one included; 0: none is due."""
        state = self._work.load(_CLEANED, {"until": 0, "live_bytes": 0})
        if not state["until"] and self.due(status, state["live_bytes"]):
            state["until"] = status.chain[-1].segment
            self._work.save(_CLEANED, state)
        return int(state["until"])

    def due(self, status: StatusReply, live_bytes: int) -> bool:
        """Has the journal doubled since the last round?"""
        total = sum(info.end for info in status.chain)
        floor = limits.CLEAN_KEEP_SEGMENTS * self._work.config.journal.segment_bytes
        return len(status.chain) > 1 and total > max(floor, 2 * live_bytes)

    async def _paying(self, status: StatusReply) -> int:
        """On a full drive: up to where cleaning pays, while there is room for what it writes first; else 0. Looking
        takes at most a share of the time, and is not repeated while nothing changed."""
        work, oldest = self._work, status.chain[0]
        if oldest.segment == self._moving:
            return self._pays_until  # what it moved is written; what is left of it must go
        now_s, state = clock.monotonic_s(), (oldest.segment, status.chain[-1].last)
        if now_s < self._look_again_s or state == self._looked_at:
            return 0
        shares = await work.apart(_shares, work, status.chain[:-1])
        self._look_again_s = clock.monotonic_s() + limits.CLEAN_LOOK_PAUSE * (clock.monotonic_s() - now_s)
        count = paying(shares)
        if not count:
            self._looked_at = state
            return 0
        if not await work.apart(_have_room, work, shares[0].live_bytes):
            return 0
        self._moving, self._pays_until = oldest.segment, status.chain[count].segment
        return self._pays_until

    async def _move(self, status: StatusReply) -> bool:
        """Steps of the oldest segment; True when it is gone and the next may follow at once."""
        work = self._work
        while (await work.journal.submit(Clean(new_id(), "clean"))).value:
            await work.apart(work.throttle.take, limits.CLEAN_STEP_BYTES)
        await work.journal.submit(Clean(new_id(), "finish"))
        now = await work.status()
        return now.chain[0].segment != status.chain[0].segment


class Share(NamedTuple):
    """Bytes of a strand of a journal segment, and those of them that are live."""

    size_bytes: int
    live_bytes: int


def paying(shares: Sequence[Share]) -> int:
    """How many of the oldest segments it takes until a fair share of what they hold is dead; 0: all of them are too
    much alive. Pure."""
    size = live_bytes = 0
    for count, share in enumerate(shares, 1):
        size += share.size_bytes
        live_bytes += share.live_bytes
        if live_bytes <= size * limits.CLEAN_PAYING_RATIO:
            return count
    return 0


def _shares(work: Work, chain: Sequence[SegmentInfo]) -> list[Share]:
    """Of the oldest segments, up to the one that makes cleaning pay or cannot be read whole. Blocking."""
    found: list[Share] = []
    rows = work.rows()
    for info in chain:
        view = survey(work.drives.present.values(), work.drives.ids, only=info.segment).get(info.segment)
        live_bytes = 0
        for fact in view.facts(info.last) if view is not None else (None,):
            if fact is None:
                return found  # to be healed first
            live_bytes += fact.location.length if live(fact, rows) else 0
        work.throttle.take(info.end)
        found.append(Share(info.end, live_bytes))
        if paying(found):
            break
    return found


def _have_room(work: Work, size: int) -> bool:
    """Do k+1 drives have room for that and a piece of the reserve besides? What the open segment has ahead does not
    count: DELETE writes there. Blocking."""
    free = []
    for drive in work.drives.present.values():
        with contextlib.suppress(OSError):
            free.append(drive.space().free_bytes)
    need = work.drives.profile.k + 1
    return sum(have >= size + limits.RESERVE_PIECE_BYTES for have in free) >= need
