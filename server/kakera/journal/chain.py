"""The journal as its committer holds it: the chain of its segments, the one that is open, and where the next record
goes.

Made by `opening`, appended to by `committer`, shortened by `cleaning`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kakera.base import clock, errors, limits
from kakera.base.ids import segment_id
from kakera.index.interface import Index, Mark
from kakera.journal import strands
from kakera.journal.apply import execute, prune
from kakera.journal.commands import SegmentInfo
from kakera.journal.decide import Proposal
from kakera.journal.lanes import Lanes
from kakera.journal.members import Members, reason_of
from kakera.journal.strands import SegmentWriter
from kakera.observe.log import get_logger
from kakera.segments.drive import JOURNAL
from kakera.segments.meta import StrandMeta
from kakera.segments.reserve import Reserve

log = get_logger("journal")


class Settings(NamedTuple):
    """What the committer is configured with."""

    cluster: str
    k: int
    m: int
    segment_bytes: int
    laggard_limit_s: float
    reserve_bytes: int
    resend_limit_s: float = limits.RESEND_LIMIT_S
    state: Reserve | None = None  # of the index's folder


class Journal:
    """One partition's segments, on its drives, and the index that shows them.

    chain: oldest first, the open one last. sequence: of the last record that is committed. writer: the open segment,
    None before the first opening. broken: its tail is not known, so roll before anything is appended (R2). rebuilding:
    the index is behind what it has shown to readers before."""

    def __init__(self, drives: Members, index: Index, settings: Settings, lanes: Lanes) -> None:
        self.drives = drives
        self.index = index
        self.settings = settings
        self.lanes = lanes
        self.chain: list[SegmentInfo] = []
        self.writer: SegmentWriter | None = None
        self.broken = False
        self.sequence = 0
        self.epoch = 0
        self._number = 0
        self.rebuilding = False
        self.sealed_at_s: dict[int, float] = {}
        self.started_at_s = clock.monotonic_s()
        self.resend_limit_s = settings.resend_limit_s

    def raise_epoch(self) -> None:
        """Begin anew, above everything any drive has seen (R15). Raises ReadOnly with fewer than k+1 drives."""
        self.writer = None
        self.broken = False
        self.epoch = self.drives.raise_epoch(self.settings.k + 1)
        self._number = 0

    def next_segment_id(self) -> int:
        """Never given out before: the epoch was raised at start, the number counts on (R7)."""
        self._number += 1
        return segment_id(self.epoch, self._number)

    def open(
        self, *, previous: SegmentInfo | None, floor: int, opening: Sequence[Proposal], floor_sequence: int
    ) -> None:
        """A new segment on the drives that take it; at least k+1, or ReadOnly / OutOfSpace."""
        s = self.settings
        first = (previous.last if previous else 0) + 1
        for _ in range(limits.MAX_CREATE_ATTEMPTS):
            members = self.drives.choose(s.k, s.m)
            if len(members) < s.k + 1:
                break
            segment = self.next_segment_id()
            meta = StrandMeta(
                s.cluster, JOURNAL, s.k, s.m, self.drives.member_ids(members, s.k + s.m), clock.now_ms(),
                previous.segment if previous else 0, previous.last if previous else 0, previous.end if previous else 0,
                floor or segment, floor_sequence, len(opening),
            )  # fmt: skip
            writer, placed, failed = strands.create(segment, meta, members, opening, first=first, lanes=self.lanes)
            if not failed:
                self.writer = writer
                self.broken = False
                last = placed[-1].sequence if placed else first - 1
                if previous:
                    self.sealed_at_s[previous.segment] = clock.monotonic_s()
                self.chain.append(SegmentInfo(segment, writer.offset, first, last))
                return
            self.exclude(failed, segment)
        raise self.drives.why_not(s.k + 1)

    def exclude(self, failed: dict[int, BaseException], segment: int) -> None:
        """The drives (slot -> error) that failed while `segment` was written."""
        for slot, error in failed.items():
            log.warning("drive.excluded", slot=slot, segment=f"{segment:016x}", reason=reason_of(error))
            self.drives.exclude(slot, error, segment)

    def roll(self, floor: int = 0, floor_sequence: int = 0) -> None:
        """Seal the open segment at what was acked and go on in a new one (R2); with `floor`, raised to it (R7)."""
        assert self.writer is not None
        assert self.index.mark().sequence == self.sequence, "only a complete index may be marked further"
        meta = self.writer.meta
        self.open(
            previous=self.chain[-1], floor=floor or meta.floor, opening=[],
            floor_sequence=floor_sequence or meta.floor_sequence,
        )  # fmt: skip
        assert self.writer is not None
        self.index.begin()
        try:
            if floor:
                execute(prune(floor_sequence, self.index), self.index)
            self.index.commit(Mark(self.sequence, self.writer.segment, self.writer.offset))
        except errors.Unavailable:
            self.index.rollback()
            if floor:
                raise
            # The mark stays in the segment before, which proves as much: nothing was appended to this one yet.
