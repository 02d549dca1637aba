"""Space (R7): which bulk segments to rewrite, moving their live chunks, giving back the space of dead ones, dropping.

A segment is *quiet* when its writing pin has been free for twice the resend limit: no upload can still be about to name
DATA in it. Only quiet segments are compacted, punched or dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

from kakera.base import clock, limits
from kakera.segments.bulk import BulkWriter
from kakera.segments.census import Refers, longest
from kakera.segments.drive import BULK, Drive, Strand
from kakera.segments.fragments import Bad, read_head
from kakera.segments.identity import Drives
from kakera.segments.map import learn
from kakera.segments.meta import ChunkRef
from kakera.segments.pins import Pins
from kakera.segments.reader import Reader
from kakera.segments.record import HEADER_BYTES, Type
from kakera.segments.walk import Throttle, heads


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


class Dead(NamedTuple):
    """DATA that nobody refers to and nobody will: offset and length of its record, and the body it was of."""

    offset: int
    length: int
    body_id: bytes


def worth_punching(usage: Usage, live_before: int, *, live_ratio: float, pressed: bool) -> bool:
    """Is what died since the last punching (live_before: BulkRow then, or the size) worth a walk over the heads? Pure.

    Below `live_ratio` compaction wins all of it, headers and padding too, unless the drives are too full to copy.
    """
    died_bytes = min(live_before, usage.size_bytes) - usage.live_bytes
    if pressed:
        return died_bytes >= limits.PAGE_BYTES
    if usage.live_bytes < live_ratio * usage.size_bytes:
        return False
    return died_bytes * limits.PUNCH_SHARE >= usage.size_bytes


def find_dead(drives: Drives, segment: int, refers: Refers, throttle: Throttle) -> tuple[list[Dead], int]:
    """The dead DATA of a segment that takes nothing new, and the bytes of the others. Blocking."""
    dead, live_bytes = [], 0
    for offset, header in heads(learn(drives, Strand(BULK, segment)), longest(drives, BULK, segment), throttle):
        if header.type != Type.DATA:
            continue
        if refers(header.command_id, segment, offset):
            live_bytes += header.length
        else:
            dead.append(Dead(offset, header.length, header.command_id))
    return dead, live_bytes


def punch(drives: Drives, pins: Pins, segment: int, dead: Sequence[Dead], throttle: Throttle) -> int | None:
    """Give back the bodies of dead DATA of one quiet segment that takes nothing new. Header, meta and table stay, so
    that the strand can still be walked. Returns bytes given back over all drives, None while somebody holds it.

    Holding the lock for a moment is enough: who comes later looks its location up again once it has its pin, in an
    index where these chunks are dead already. A crash in between leaves some strands punched: nobody reads them.
    """
    exclusive = pins.try_exclusive(segment)
    if exclusive is None:
        return None
    with exclusive:
        pass
    won = 0
    strand = Strand(BULK, segment)
    for index, drive in learn(drives, strand).drives.items():
        with contextlib.suppress(FileNotFoundError):
            won += sum(_punch_one(drive, strand, index, one, throttle) for one in dead)
            drive.sync(strand)
    return won


def _punch_one(drive: Drive, strand: Strand, index: int, dead: Dead, throttle: Throttle) -> int:
    """Only what is provably that record's body: a strand whose header there is damaged is left alone."""
    throttle.take(limits.PAGE_BYTES)
    try:
        header = read_head(drive, strand, index, (dead.offset, dead.length)).header
    except Bad:
        return 0
    if header.type != Type.DATA or header.command_id != dead.body_id:
        return 0
    body_at = dead.offset + HEADER_BYTES + header.meta_bytes + header.table_bytes
    drive.punch(strand, body_at, header.body_bytes)
    return header.body_bytes // limits.PAGE_BYTES * limits.PAGE_BYTES
