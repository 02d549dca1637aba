"""Cleaning (R7): strictly the oldest journal segment; what is live is appended again as MOVED, then the floor rises,
then the segment goes. A step is one command in a batch like any other (R14), bounded so that no small ack waits for it
(R12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kakera.base import clock, errors, limits
from kakera.index.interface import Index, Rows
from kakera.index.tables import BUCKETS, ENTRIES, PARTS, UPLOADS, Location
from kakera.journal import codec, commands
from kakera.journal.apply import Fact
from kakera.journal.decide import Proposal, find_version
from kakera.journal.reading import View, survey
from kakera.segments.record import Flag, Type

if TYPE_CHECKING:
    from kakera.journal.chain import Journal


def live(fact: Fact, rows: Rows) -> bool:
    """True when a row still points at this record. Pure."""
    meta = codec.meta_of(fact.type, fact.meta)
    if fact.type in (Type.OBJECT, Type.MARKER):
        current = rows.get(ENTRIES, (meta.bucket_id, meta.key))
        row = find_version(rows, current, meta.bucket_id, meta.key, meta.version)
        return row is not None and Location(row.segment, row.offset, row.length) == fact.location
    if fact.type == Type.PART:
        part = rows.get(PARTS, (meta.upload_id, meta.part_number))
        return part is not None and Location(part.segment, part.offset, part.length) == fact.location
    if fact.type == Type.UPLOAD:
        upload = rows.get(UPLOADS, (meta.bucket_id, meta.key, meta.upload_id))
        return upload is not None and Location(upload.segment, upload.offset, upload.length) == fact.location
    if fact.type == Type.SETTINGS:
        bucket = rows.get(BUCKETS, (meta.name,))
        return bucket is not None and bucket.bucket_id == meta.bucket_id and bucket.generation == meta.generation
    return False


def moved(fact: Fact, proposal: Proposal, rows: Rows) -> Proposal:
    """The same record with its identity and order written out, so that it means the same wherever it lies. Pure."""
    meta = codec.meta_of(fact.type, fact.meta)
    if fact.type in (Type.OBJECT, Type.MARKER) and not meta.order:
        meta = msgspec.structs.replace(meta, order=fact.sequence)
    elif fact.type == Type.PART:
        part = rows.get(PARTS, (meta.upload_id, meta.part_number))
        meta = msgspec.structs.replace(meta, chosen=part.chosen if part else False)
    flags = (fact.flags & ~Flag.REPLICATED) | Flag.MOVED
    return proposal._replace(flags=flags, meta=codec.encode(meta))


class Cleaner:
    """Cursor over the oldest segment."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._view: View | None = None
        self._facts: Iterator[Fact | None] = iter(())
        self._exhausted = False  # every record was looked at; what was live is in the batch under way or committed
        self._done = False  # and that batch is committed
        self.left = 0  # 0: the step finished what there was to do

    def step(self, command: commands.Clean, index: Index) -> list[Proposal]:
        """Proposals of one step of "clean"; other kinds act at once. Raises Unavailable when the segment cannot be read
        whole.
        """
        if command.what != "clean":
            raise errors.InvalidArgument(argument="what", value=command.what)
        journal = self._journal
        self.left = 0
        if len(journal.chain) < 2:
            return []
        oldest = journal.chain[0]
        if self._view is None or self._view.segment != oldest.segment:
            self._begin(oldest)
        out: list[Proposal] = []
        size = 0
        for fact in self._facts:
            if fact is None:
                self._view = None
                raise errors.Damaged(f"journal segment {oldest.segment:016x} cannot be read whole: heal it first")
            if live(fact, index):
                out.append(self._proposal(fact, index))
                size += fact.location.length
            if len(out) >= limits.CLEAN_STEP_RECORDS or size >= limits.CLEAN_STEP_BYTES:
                self.left = 1
                break
        self._exhausted = not self.left
        return out

    def settled(self) -> None:
        """The batch under way was committed."""
        self._done = self._exhausted

    def reset(self) -> None:
        """The batch under way came to nothing: look at the segment again from its start."""
        self._view, self._exhausted, self._done = None, False, False

    def _begin(self, oldest: commands.SegmentInfo) -> None:
        drives = self._journal.drives
        views = survey(drives.present.values(), drives.ids(), only=oldest.segment)
        if oldest.segment not in views:
            raise errors.Damaged(f"journal segment {oldest.segment:016x} is on no present drive")
        self._view = views[oldest.segment]
        self._facts = self._view.facts(oldest.last)
        self._exhausted = self._done = False

    def _proposal(self, fact: Fact, rows: Rows) -> Proposal:
        assert self._view is not None
        union = self._view.union(fact.location.offset, fact.sequence)
        if union is None or not union.decodable:
            self._view = None
            raise errors.Damaged(f"journal record {fact.sequence} has too few good fragments to be moved")
        return moved(fact, union.proposal(), rows)

    def finish(self) -> bool:
        """Once everything live was moved and committed: raise the floor and drop. False: not yet, or a resend could
        still ask for a command in it (R16)."""
        journal = self._journal
        if len(journal.chain) < 2 or not self._done or self._view is None:
            return False
        oldest, after = journal.chain[0], journal.chain[1]
        sealed_at_s = journal.sealed_at_s.get(oldest.segment, journal.started_at_s)
        if self._view.segment != oldest.segment or clock.monotonic_s() - sealed_at_s < 2 * journal.resend_limit_s:
            return False
        journal.roll(floor=after.segment, floor_sequence=after.first)
        journal.index.sync()
        journal.chain.pop(0)
        journal.drives.drop_journal_below(after.segment)
        self.reset()
        return True
