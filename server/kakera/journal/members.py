"""The committer's view of its drives: which may take a strand of a new segment, which are excluded and for how long,
which strands are no longer trusted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from kakera.base import clock, errors, limits
from kakera.observe.log import get_logger
from kakera.segments.drive import BULK, JOURNAL, Drive, Strand
from kakera.segments.placement import place
from kakera.segments.reserve import FULL

if TYPE_CHECKING:
    from kakera.segments.identity import Drives

log = get_logger("journal")
Doubt = Callable[[Strand, int, str], None]  # strand, slot, reason


def reason_of(error: BaseException) -> str:
    """One short line for people."""
    return f"{type(error).__name__}: {error}"


class _Exclusion(NamedTuple):
    reason: str
    until_s: float
    backoff_s: float
    full: bool


def _ignore(strand: Strand, slot: int, reason: str) -> None:
    pass


class Members:
    """Drives less those that failed lately. doubt: told at once of every strand that is not trusted any more, so that
    the next process knows (segments.suspects)."""

    def __init__(self, drives: Drives, doubt: Doubt = _ignore) -> None:
        self._drives = drives
        self._doubt = doubt
        self._excluded: dict[int, _Exclusion] = {}

    @property
    def present(self) -> dict[int, Drive]:
        return self._drives.present

    @property
    def absent(self) -> dict[int, str]:
        return self._drives.absent

    def refresh(self) -> bool:
        """Probe all drives; True when one came or went."""
        before = set(self._drives.present)
        self._drives.refresh()
        return before != set(self._drives.present)

    def ids(self) -> dict[int, str]:
        """slot -> drive id of the present drives."""
        out = {}
        for slot, drive in self._drives.present.items():
            try:
                out[slot] = drive.identity().drive
            except OSError:
                continue
        return out

    def raise_epoch(self, need: int) -> int:
        """One above every epoch seen, synced on every present drive, at least `need` (R15); else ReadOnly."""
        epochs: dict[int, int] = {}
        for slot, drive in self.present.items():
            try:
                newest = max((segment >> 32 for segment, _ in drive.strands(JOURNAL)), default=0)
                epochs[slot] = max(drive.epoch(), newest)
            except OSError as error:
                self.exclude(slot, error, 0)
        if len(epochs) < need:
            raise errors.ReadOnly(self.shortage(need))
        epoch = max(epochs.values()) + 1
        raised = 0
        for slot in epochs:
            try:
                self.present[slot].epoch(epoch)
                raised += 1
            except OSError as error:
                self.exclude(slot, error, 0)
        if raised < need:
            raise errors.ReadOnly(self.shortage(need))
        return epoch

    def choose(self, k: int, m: int) -> dict[int, Drive]:
        """strand index -> drive for a new segment: as many of the k+m as there are drives to take them."""
        now_s = clock.monotonic_s()
        named = self.ids()  # a drive that does not say who it is takes no strand: its header could not name it (R15)
        usable = {
            slot: drive
            for slot, drive in self.present.items()
            if slot in named and (slot not in self._excluded or self._excluded[slot].until_s <= now_s)
        }
        return {index: drive for index, drive in enumerate(place(usable, k, m)) if drive is not None}

    def member_ids(self, members: dict[int, Drive], count: int) -> list[str]:
        """Drive ids by strand index, "" where there is none."""
        ids = self.ids()
        return [ids.get(members[index].slot, "") if index in members else "" for index in range(count)]

    def exclude(self, slot: int, error: BaseException, segment: int) -> None:
        """The drive failed: not used for a while, doubling; its strand of `segment` is not trusted any more (R2)."""
        before = self._excluded.get(slot)
        if before is not None and clock.monotonic_s() > before.until_s + limits.DRIVE_REJOIN_MAX_S:
            before = None  # it was good for long: not the same trouble
        backoff_s = min(before.backoff_s * 2, limits.DRIVE_REJOIN_MAX_S) if before else limits.DRIVE_REJOIN_S
        full = isinstance(error, OSError) and error.errno in FULL
        if full:
            backoff_s = limits.DRIVE_REJOIN_S  # not a dying drive: it is soon used again when somebody makes room
        self._excluded[slot] = _Exclusion(reason_of(error), clock.monotonic_s() + backoff_s, backoff_s, full)
        if segment:
            self._doubt(Strand(JOURNAL, segment), slot, reason_of(error))

    def without_room(self, reserve_bytes: int) -> list[int]:
        """Slots of the present drives that have no more than the reserve free; half of it is held in a file, so that
        nobody else can fill it (R7)."""
        found = []
        for slot, drive in self.present.items():
            try:
                if drive.space(keep_bytes=reserve_bytes // 2).free_bytes <= reserve_bytes:
                    found.append(slot)
            except OSError:
                found.append(slot)
        return sorted(found)

    def shortage(self, need: int) -> str:
        """Why there are too few drives, for the operator."""
        reasons = [f"drive {slot}: {reason}" for slot, reason in sorted(self.absent.items())]
        now_s = clock.monotonic_s()
        reasons += [f"drive {s}: {e.reason}" for s, e in sorted(self._excluded.items()) if e.until_s > now_s]
        others = "; ".join(reasons) or "no others configured"
        return f"{need} drives are needed, {len(self.present)} are present ({others})"

    def why_not(self, need: int) -> errors.Unavailable:
        """The error for a segment that could not be opened."""
        now_s = clock.monotonic_s()
        if any(exclusion.full and exclusion.until_s > now_s for exclusion in self._excluded.values()):
            return errors.OutOfSpace(self.shortage(need))
        return errors.ReadOnly(self.shortage(need))

    def report(self) -> dict[str, str]:
        """slot -> state, for status and doctor."""
        now_s = clock.monotonic_s()
        out = {str(slot): "ok" for slot in self.present}
        out |= {str(slot): f"absent: {reason}" for slot, reason in self.absent.items()}
        out |= {
            str(s): f"excluded: {e.reason}"
            for s, e in self._excluded.items()
            if e.until_s > now_s and s in self.present
        }
        return out

    def hold_bulk(self) -> bool:
        """True when a present drive has a bulk strand, or cannot say."""
        for drive in self.present.values():
            try:
                if any(True for _ in drive.strands(BULK)):
                    return True
            except OSError:
                return True
        return False

    def drop_journal(self, segment: int) -> None:
        """Remove a journal segment from every present drive."""
        for slot, drive in self.present.items():
            try:
                drive.drop(Strand(JOURNAL, segment))
            except OSError as error:
                log.warning("journal.drop_failed", slot=slot, segment=f"{segment:016x}", reason=reason_of(error))

    def drop_journal_below(self, floor: int) -> None:
        """What lies below the floor on a drive that came back is never replayed (R7)."""
        for drive in self.present.values():
            try:
                below = [segment for segment, _ in drive.strands(JOURNAL) if segment < floor]
            except OSError:
                continue
            for segment in below:
                self.drop_journal(segment)
