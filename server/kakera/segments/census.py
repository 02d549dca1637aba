"""The census: what of every segment is where, verified to the last byte; the proof of full redundancy. Blocking."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from kakera.segments.drive import BULK, JOURNAL, Strand
from kakera.segments.identity import Drives
from kakera.segments.map import Layout, learn
from kakera.segments.meta import DataMeta
from kakera.segments.record import Type
from kakera.segments.walk import Found, Throttle, walk

Refers = Callable[[bytes, int, int], bool]  # body id, segment, offset: does the journal refer to this DATA?
_DATA = msgspec.msgpack.Decoder(DataMeta)


class Target(NamedTuple):
    """A segment to look at. upto: bytes that count (journal: the end the committer tells); None: all there is."""

    kind: str
    segment: int
    upto: int | None = None


class Orphan(NamedTuple):
    """DATA that nobody refers to: of an upload that was given up, or of a body deleted since."""

    segment: int
    offset: int
    length: int
    body_id: bytes
    number: int


class SegmentCensus(NamedTuple):
    """What was found of one segment.

    strands: index -> slot. missing: indices without a strand on a present drive. faults: index -> [(offset, reason)] of
    records that count and are not whole there. lost: offsets of records that count and cannot be decoded; lost_bodies:
    the ids of those that are DATA. orphans: only
    when it was asked who refers to DATA. gaps: [start, stop) between records that no strand can tell anything about; in
    a journal segment what was there is lost, in bulk it may never have been written: live_bytes below what the index
    says tells. live_bytes, orphan_bytes: of each strand, its header not counted.
    """

    target: Target
    k: int
    m: int
    strands: dict[int, int]
    missing: list[int]
    faults: dict[int, list[tuple[int, str]]]
    lost: list[int]
    lost_bodies: list[bytes]
    orphans: list[Orphan]
    gaps: list[tuple[int, int]]
    records: int
    live_bytes: int
    orphan_bytes: int

    @property
    def full(self) -> bool:
        """True when every record that counts is whole on all k+m strands, each on a drive of its own."""
        on_own = len(set(self.strands.values())) == self.k + self.m
        return self.k > 0 and on_own and not self.missing and not self.faults and not self.lost

    def to_heal(self) -> list[int]:
        """Strand indices to be made again."""
        return sorted({*self.missing, *self.faults})


def list_segments(drives: Drives, kind: str) -> dict[int, dict[int, int]]:
    """segment -> {slot: file length} over the present drives. A drive that cannot be listed counts as having none."""
    found: dict[int, dict[int, int]] = {}
    for slot, drive in drives.present.items():
        try:
            for segment, length in drive.strands(kind):
                found.setdefault(segment, {})[slot] = length
        except OSError:
            continue
    return dict(sorted(found.items()))


def longest(drives: Drives, kind: str, segment: int) -> int:
    """Bytes of the longest strand of a segment."""
    best = 0
    for drive in drives.present.values():
        try:
            best = max(best, *(length for number, length in drive.strands(kind) if number == segment), 0)
        except OSError:
            continue
    return best


def census(
    targets: Iterable[Target], drives: Drives, *, refers: Refers | None = None, throttle: Throttle | None = None
) -> Iterator[SegmentCensus]:
    """Read and verify every record of every strand.

    Args:
        refers: tells whether DATA counts; without it all DATA counts that was not given back and may have been acked.
    """
    for target in targets:
        yield examine(target, drives, refers=refers, throttle=throttle or Throttle(0))


def examine(target: Target, drives: Drives, *, refers: Refers | None, throttle: Throttle) -> SegmentCensus:
    """One segment."""
    layout = learn(drives, Strand(target.kind, target.segment))
    upto = target.upto if target.upto is not None else longest(drives, target.kind, target.segment)
    faults: dict[int, list[tuple[int, str]]] = {}
    lost: list[int] = []
    lost_bodies: list[bytes] = []
    orphans: list[Orphan] = []
    gaps: list[tuple[int, int]] = []
    records = live_bytes = orphan_bytes = end = 0
    last = -1
    for found in walk(layout, upto, throttle):
        if found.offset > end:
            gaps.append((end, found.offset))
        if target.kind == JOURNAL and end and found.header.sequence != last + 1:
            lost.append(end)
        last = found.header.sequence
        end = found.offset + found.length
        orphan = _orphan(found, target, refers)
        if orphan is not None:
            orphans.append(orphan)
            orphan_bytes += found.length
            continue
        if (
            refers is None
            and target.kind == BULK
            and ((not found.pieces and found.punched) or never_acked(found, layout))
        ):
            continue
        records += 1
        live_bytes += found.length if found.offset else 0
        for index, reason in found.bad.items():
            faults.setdefault(index, []).append((found.offset, reason))
        if not found.decodable:
            lost.append(found.offset)
            if found.header.type == Type.DATA:
                lost_bodies.append(found.header.command_id)
    if target.upto is not None and end < target.upto:
        lost.append(end)  # the journal says that there is more
    strands = {index: drive.slot for index, drive in layout.drives.items()}
    missing = [index for index in range(layout.k + layout.m) if index not in strands]
    return SegmentCensus(
        target, layout.k, layout.m, strands, missing, faults, lost, lost_bodies, orphans, gaps, records, live_bytes,
        orphan_bytes,
    )  # fmt: skip


def never_acked(found: Found, layout: Layout) -> bool:
    """True for a torn write: k+1 strands were needed for an ack, and fewer can ever have had it (as R15 cuts). Pure."""
    away = layout.k + layout.m - len(layout.drives)
    damaged = len(found.bad) - len(found.unwritten)
    return not found.decodable and len(found.pieces) + damaged + away <= layout.k


def _orphan(found: Found, target: Target, refers: Refers | None) -> Orphan | None:
    """The DATA if nobody refers to it."""
    header = found.header
    if target.kind != BULK or header.type != Type.DATA or refers is None:
        return None
    try:
        number = _DATA.decode(found.meta).number
    except msgspec.DecodeError:
        return None
    if refers(header.command_id, target.segment, found.offset):
        return None
    return Orphan(target.segment, found.offset, found.length, header.command_id, number)
