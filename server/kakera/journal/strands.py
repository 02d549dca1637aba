"""The journal segment that is open for appending: laying records on its strands and making them durable on all of them
(R1, R2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kakera.base import faults, limits
from kakera.index.tables import Location
from kakera.journal import codec
from kakera.journal.decide import Proposal
from kakera.journal.lanes import Lanes, Task
from kakera.segments.drive import JOURNAL, Drive, Strand
from kakera.segments.meta import StrandMeta
from kakera.segments.record import HEADER_BYTES, Buffer, Draft, Encoder, Flag, Type, record_length


class Placed(NamedTuple):
    """A proposal with its sequence and its place in a segment."""

    proposal: Proposal
    sequence: int
    location: Location


def body_bytes(proposal: Proposal) -> int:
    """Bytes of this record's body on each strand."""
    fragments = proposal.body.fragments
    return len(fragments[0]) if fragments else 0


class SegmentWriter:
    """One open segment: which drive holds which strand, and where the next record goes."""

    def __init__(self, segment: int, meta: StrandMeta, members: dict[int, Drive], offset: int) -> None:
        self.segment = segment
        self.meta = meta
        self.members = members  # strand index -> drive
        self.offset = offset
        self.strand = Strand(JOURNAL, segment)

    def place(self, proposals: Sequence[Proposal], sequence: int) -> list[Placed]:
        """Sequences from `sequence` on, offsets from the present end; changes nothing."""
        placed, offset = [], self.offset
        for number, proposal in enumerate(proposals):
            length = record_length(len(proposal.meta), body_bytes(proposal))
            placed.append(Placed(proposal, sequence + number, Location(self.segment, offset, length)))
            offset += length
        return placed

    def write(self, placed: Sequence[Placed], lanes: Lanes) -> dict[int, BaseException]:
        """One write and one sync on every strand at once; slot -> error. `offset` moves only by `advance`."""
        if not placed:
            return {}
        buffers = lay(placed, self.segment, list(self.members))
        start = placed[0].location.offset
        tasks: dict[int, Task] = {}
        for index, drive in self.members.items():
            tasks[drive.slot] = self._task(drive, start, b"".join(buffers[index]))
        return lanes.run(tasks, self.meta.k + 1)

    def _task(self, drive: Drive, offset: int, data: bytes) -> Task:
        def task() -> None:
            drive.write(self.strand, offset, (data,))
            drive.sync(self.strand)

        return task

    def advance(self, placed: Sequence[Placed]) -> None:
        """What was written is durable: the next record goes behind it."""
        if placed:
            last = placed[-1].location
            self.offset = last.offset + last.length


def lay(placed: Sequence[Placed], segment: int, indexes: Sequence[int]) -> dict[int, list[Buffer]]:
    """The buffers of each strand: for every record its header, meta, own body, padding. Pure."""
    out: dict[int, list[Buffer]] = {index: [] for index in indexes}
    for proposal, sequence, location in placed:
        body = proposal.body
        size = body_bytes(proposal)
        replicated = len(body.fragments) == 1
        coded = len(body.fragments) > 1
        flags = proposal.flags | (Flag.REPLICATED if replicated else 0)
        draft = Draft(
            proposal.type,
            flags,
            proposal.command_id,
            proposal.meta,
            size,
            body.size,
            body.k if coded else 0,
            body.m if coded else 0,
        )
        encoder = Encoder(draft, segment, sequence)
        padding = bytes(location.length - HEADER_BYTES - len(proposal.meta) - size)
        for index in indexes:
            at = index if coded else 0
            crc = body.crcs[at] if size else 0
            buffers = out[index]
            buffers.append(encoder.strand(index, crc))
            buffers.append(proposal.meta)
            if size:
                buffers.append(body.fragments[at])
            if padding:
                buffers.append(padding)
    return out


def header_record(meta: StrandMeta, segment: int, index: int) -> bytes:
    """A strand's first record. Its sequence is the last of the segment before: the header itself takes none."""
    draft = Draft(Type.HEADER, 0, bytes(16), codec.encode(meta), 0, 0, meta.k, meta.m)
    return Encoder(draft, segment, meta.previous_end).whole(index)


def create(
    segment: int, meta: StrandMeta, members: dict[int, Drive], opening: Sequence[Proposal], *, first: int, lanes: Lanes
) -> tuple[SegmentWriter, list[Placed], dict[int, BaseException]]:
    """Make the segment on all its drives with header and opening as one durable write (R15).

    Args:
        first: sequence of the first opening record.
    Returns: the writer, the opening's places, and slot -> error for drives where it could not be made.
    """
    headers = {index: header_record(meta, segment, index) for index in members}
    offset = len(next(iter(headers.values())))
    writer = SegmentWriter(segment, meta, members, offset)
    placed = writer.place(opening, first)
    buffers = lay(placed, segment, list(members))
    tasks: dict[int, Task] = {}
    for index, drive in members.items():
        content = b"".join((headers[index], *buffers[index]))
        tasks[drive.slot] = _creation(drive, writer.strand, content)
    failed = lanes.run(tasks, meta.k + 1)
    writer.advance(placed)
    faults.hit("journal.created")
    return writer, placed, failed


def _creation(drive: Drive, strand: Strand, content: bytes) -> Task:
    return lambda: drive.create(strand, content)


def fits(writer: SegmentWriter, segment_bytes: int) -> bool:
    """False when the segment is full and the next batch should begin a new one."""
    return writer.offset < segment_bytes and writer.offset < (1 << 31) - limits.MAX_BATCH_BYTES
