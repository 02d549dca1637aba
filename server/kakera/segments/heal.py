"""Making a strand again from the others (R2, R8): every record for its index, verified, the whole installed at once.

The segment must not be written meanwhile: a bulk segment whose writing pin is free, a journal segment that is sealed.
Blocking; throttled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kakera.base import errors
from kakera.base.ids import segment_name
from kakera.segments.census import SegmentCensus, longest
from kakera.segments.codec import CodingError, codec
from kakera.segments.drive import BULK, Drive, Strand
from kakera.segments.fragments import judge_record
from kakera.segments.identity import Drives
from kakera.segments.map import Layout, learn
from kakera.segments.record import Draft, Encoder
from kakera.segments.walk import Found, Throttle, walk


class Healed(NamedTuple):
    """A strand that was made again. lost: offsets of records that no k strands hold: left as they were, or empty."""

    kind: str
    segment: int
    strand: int
    slot: int
    length: int
    lost: list[int]


def heal_strand(
    drives: Drives, strand: Strand, index: int, *, end: int | None = None, throttle: Throttle | None = None
) -> Healed:
    """Make strand `index` again, where it is or on a drive that has none of this segment.

    Args:
        end: journal: bytes that count, beyond which nothing is copied. None: all there is (bulk).
    Raises: Damaged: no strand tells what the segment is, or a journal record that counts cannot be decoded.
        ReadOnly: no drive to put it on. OSError: the drive failed.
    """
    layout = learn(drives, strand)
    if not layout.k:
        raise errors.Damaged(f"no readable strand of segment {segment_name(strand.segment)}")
    drive = choose_drive(drives, layout, index)
    upto = end if end is not None else longest(drives, strand.kind, strand.segment)
    lost: list[int] = []
    made = _Made(layout, index, upto, throttle or Throttle(0), lost)
    drive.install(strand, made.records())
    return Healed(strand.kind, strand.segment, index, drive.slot, made.at, lost)


def choose_drive(drives: Drives, layout: Layout, index: int) -> Drive:
    """Where strand `index` belongs: where it is; else where it was; else the emptiest drive of a domain that has no
    strand of this segment; else the emptiest that has none. Raises ReadOnly."""
    if index in layout.drives:
        return layout.drives[index]
    present = drives.present
    if index in layout.missing and layout.missing[index] in present:
        return present[layout.missing[index]]
    taken = {drive.slot for drive in layout.drives.values()}
    domains = {drive.domain for drive in layout.drives.values()}
    spare = [drive for slot, drive in present.items() if slot not in taken and slot not in layout.bad]
    if not spare:
        raise errors.ReadOnly(f"no drive is free to take a strand of segment {segment_name(layout.strand.segment)}")
    return min(spare, key=lambda drive: (drive.domain in domains, -drive.space().free_bytes, drive.slot))


def drop_twins(drives: Drives, found: SegmentCensus) -> list[int]:
    """Remove what a second drive holds of a segment that was just found full without it. Returns the slots.

    Until then a twin may be the only good one, and stays.
    """
    if not found.full:
        return []
    strand = Strand(found.target.kind, found.target.segment)
    kept = set(found.strands.values())
    dropped = []
    for index, drive in learn(drives, strand).twins:
        if drive.slot not in kept and index in found.strands:
            drive.drop(strand)
            dropped.append(drive.slot)
    return dropped


def remake(found: Found, segment: int, index: int) -> bytes:
    """The whole record for strand `index`, from the pieces of any k strands. Pure. Raises CodingError."""
    header = found.header
    body = b""
    if header.body_bytes and header.k:
        fragments = {at: piece.body or b"" for at, piece in found.pieces.items()}
        body = codec(header.k, header.m).rebuild(fragments, index, header.body_size)
    elif header.body_bytes:
        body = next(iter(found.pieces.values())).body or b""
    draft = Draft(
        header.type, header.flags, header.command_id, found.meta,
        header.body_bytes, header.body_size, header.k, header.m,
    )  # fmt: skip
    return Encoder(draft, segment, header.sequence).whole(index, body)


class _Made:
    """The content of one strand, record by record."""

    def __init__(self, layout: Layout, index: int, upto: int, throttle: Throttle, lost: list[int]) -> None:
        self._layout = layout
        self._index = index
        self._upto = upto
        self._throttle = throttle
        self._lost = lost
        self.at = 0

    def records(self) -> Iterator[bytes]:
        strand = self._layout.strand
        for found in walk(self._layout, self._upto, self._throttle):
            yield from self._space(found.offset)
            data = self._record(found)
            self.at += len(data)
            yield data
        if strand.kind != BULK and self.at < self._upto:
            raise errors.Damaged(f"segment {segment_name(strand.segment)} cannot be read from byte {self.at} on")

    def _space(self, offset: int) -> Iterator[bytes]:
        """What lies between two records: a write that failed everywhere. Zeros, in pieces."""
        while self.at < offset:
            size = min(offset - self.at, 1 << 20)
            self.at += size
            yield bytes(size)

    def _record(self, found: Found) -> bytes:
        strand = self._layout.strand
        try:
            if not found.decodable:
                raise CodingError("too few good strands")
            data = remake(found, strand.segment, self._index)
        except CodingError as error:
            if strand.kind != BULK:
                where = f"segment {segment_name(strand.segment)} at {found.offset}"
                raise errors.Damaged(f"{where}: {error}") from error
            self._lost.append(found.offset)
            return self._as_it_was(found)
        # What is installed was checked as a reader will check it.
        judge_record(data, strand, self._index, found.length)
        return data

    def _as_it_was(self, found: Found) -> bytes:
        """The strand's own bytes where they are to be had: a damaged copy may still help a person."""
        drive = self._layout.drives.get(self._index)
        data = b""
        if drive is not None:
            try:
                data = drive.read(self._layout.strand, found.offset, found.length)
            except OSError:
                data = b""
        return data.ljust(found.length, b"\0")
