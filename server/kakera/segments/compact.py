"""Space (R7): which bulk segments to rewrite, moving their live chunks, giving back the space of dead ones, dropping.

A segment is *quiet* when its writing pin has been free for twice the resend limit: no upload can still be about to name
DATA in it. Only quiet segments are compacted, punched or dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

from kakera.base import clock, limits
from kakera.segments.bulk import BulkWriter
from kakera.segments.census import Orphan
from kakera.segments.drive import BULK, Strand
from kakera.segments.identity import Drives
from kakera.segments.meta import ChunkRef
from kakera.segments.pins import Pins
from kakera.segments.reader import Reader
from kakera.segments.record import HEADER_BYTES, parse_header


class Usage(NamedTuple):
    """size_bytes: of one strand. live_bytes: of it, what the index says is referred to (BulkRow)."""

    segment: int
    size_bytes: int
    live_bytes: int


def choose(usages: Iterable[Usage], *, live_ratio: float, most: int) -> list[int]:
    """The segments worth rewriting: those below `live_ratio`, the emptiest first, at most `most`. Pure.

    Cost of a byte won is live / (1 - live): greedy by ratio, as LFS cleaning without ages (Rosenblum, Ousterhout 1992).
    """
    ratios = sorted((u.live_bytes / max(u.size_bytes, 1), u.segment) for u in usages)
    return [segment for ratio, segment in ratios if ratio < live_ratio][:most]


class Quiet:
    """Since when each segment has had no writer. A writing pin that is free is never taken again."""

    def __init__(self, pins: Pins, quiet_s: float = 2 * limits.RESEND_LIMIT_S) -> None:
        self._pins = pins
        self._quiet_s = quiet_s
        self._since: dict[int, float] = {}

    def check(self, segment: int) -> bool:
        """True when the segment has been seen without a writer for long enough. To be asked again and again."""
        if not self._pins.is_sealed(segment):
            self._since.pop(segment, None)
            return False
        now_s = clock.monotonic_s()
        return now_s - self._since.setdefault(segment, now_s) >= self._quiet_s

    def keep_only(self, segments: Iterable[int]) -> None:
        """Forget segments that are gone."""
        keep = set(segments)
        self._since = {segment: since for segment, since in self._since.items() if segment in keep}


class Chunk(NamedTuple):
    """A live chunk to move: `number` of the body `body_id`."""

    body_id: bytes
    number: int
    ref: ChunkRef


async def move(reader: Reader, writer: BulkWriter, chunks: Sequence[Chunk]) -> list[tuple[ChunkRef, ChunkRef]]:
    """Copy chunks to the writer's segment; (old, new) for each, durable when this returns (R1).

    The caller commits the new references (Rewrite with MOVED, accepted only if nothing changed meanwhile), then calls
    `writer.release` for every body. Raises as Reader.chunk and BulkWriter do; nothing refers to what was copied then.
    """
    moved: list[tuple[ChunkRef, ChunkRef]] = []
    for chunk in chunks:
        data = await reader.chunk(chunk.ref, 0, chunk.ref.size)
        moved.append((chunk.ref, await writer.append(chunk.body_id, chunk.number, data)))
    if moved:
        await writer.sync([new for _, new in moved])
    return moved


Forget = Callable[[], Awaitable[bool]]  # asks the committer (Clean "drop_bulk"): True when no command may name it now


async def drop(drives: Drives, pins: Pins, segment: int, forget: Forget) -> bool:
    """Remove every strand of a segment that nothing refers to.

    Three steps under one lock: keep uploads and streams out; have the committer agree, who then refuses commands
    that name it; remove the strands.

    Returns: False when it is held, or the committer does not agree. Raises what `forget` raises; OSError when a drive
    fails: what is left is dropped in the next round.
    """
    exclusive = pins.try_exclusive(segment)
    if exclusive is None:
        return False
    with exclusive:
        if not await forget():
            return False
        await asyncio.to_thread(_remove, drives, segment)
    return True


def _remove(drives: Drives, segment: int) -> None:
    """Every drive is tried before the first failure is told."""
    failed: OSError | None = None
    for drive in drives.present.values():
        try:
            drive.drop(Strand(BULK, segment))
        except OSError as error:
            failed = error
    if failed is not None:
        raise failed


def punch(drives: Drives, pins: Pins, orphans: Sequence[Orphan]) -> int:
    """Give back the bodies of dead DATA of one quiet segment. Header, meta and table stay, so that the strand can still
    be walked. Returns bytes given back over all drives (0 while a stream holds the segment).

    Holding the lock for a moment is enough: a stream that comes later got its location from an index in which these
    chunks are dead already.
    """
    won = 0
    for segment in {orphan.segment for orphan in orphans}:
        exclusive = pins.try_exclusive(segment)
        if exclusive is None:
            continue
        with exclusive:
            pass
        strand = Strand(BULK, segment)
        for drive in drives.present.values():
            for orphan in orphans:
                if orphan.segment == segment:
                    won += _punch_one(drives, drive.slot, strand, orphan)
    return won


def _punch_one(drives: Drives, slot: int, strand: Strand, orphan: Orphan) -> int:
    """Only what is provably that record's body: a strand whose header there is damaged is left alone."""
    drive = drives.present[slot]
    try:
        header = parse_header(drive.read(strand, orphan.offset, HEADER_BYTES))
        if header is None or header.length != orphan.length or header.command_id != orphan.body_id:
            return 0
        body_at = orphan.offset + HEADER_BYTES + header.meta_bytes + header.table_bytes
        whole = header.body_bytes // limits.PAGE_BYTES * limits.PAGE_BYTES
        if whole:
            drive.punch(strand, body_at, header.body_bytes)
    except FileNotFoundError:
        return 0
    return whole
