"""Which drives a bulk writer may use: present, not excluded for a failure, with room above the reserve (R2, R7, R8)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from kakera.base import clock, errors, limits
from kakera.segments.drive import Drive
from kakera.segments.identity import Drives
from kakera.segments.reserve import FULL
from kakera.segments.threads import Lane


class _Exclusion(NamedTuple):
    reason: str
    until_s: float
    backoff_s: float
    full: bool
    busy: Callable[[], int]


class Roster:
    """One a writer. Free space is looked at once in `limits.SPACE_CHECK_S`; what was written since is taken off."""

    def __init__(self, drives: Drives, reserve_bytes: int) -> None:
        self._drives = drives
        self._reserve = reserve_bytes
        self._excluded: dict[int, _Exclusion] = {}
        self._free: dict[int, int] = {}
        self._since = 0
        self._looked_s = -1e9
        self._prober: Lane | None = None
        self._probe: asyncio.Future[dict[int, int]] | None = None

    async def look(self) -> None:
        """Probe drives and their space when that is due. Only the first look is waited for: a hanging drive must not
        hold up appends on the others."""
        if self._probe is not None and self._probe.done():
            self._take(self._probe)
        if self._probe is None and clock.monotonic_s() - self._looked_s > limits.SPACE_CHECK_S:
            if self._prober is None:
                self._prober = Lane("probe", 1)
            self._probe = self._prober.submit(self._survey)
        if not self._free and self._probe is not None:
            await asyncio.wait([self._probe])
            self._take(self._probe)

    def _survey(self) -> dict[int, int]:
        self._drives.refresh_if_old()
        free = {}
        for slot, drive in self._drives.present.items():
            try:
                free[slot] = drive.space().free_bytes
            except OSError:
                continue
        return free

    def _take(self, probe: asyncio.Future[dict[int, int]]) -> None:
        self._probe = None
        self._free = probe.result()
        self._since = 0
        self._looked_s = clock.monotonic_s()

    def wrote(self, size: int) -> None:
        """Bytes that the last look at the drives has not seen. Drives may share one file system: all count for each."""
        self._since += size

    def has_room(self, slot: int, size: int) -> bool:
        return self._free.get(slot, 0) - self._since - size >= self._reserve

    def exclude(self, slot: int, error: BaseException, *, busy: Callable[[], int]) -> None:
        """The drive failed: not used for a while, doubling, and not while it still hangs in an earlier job."""
        before = self._excluded.get(slot)
        backoff_s = min(before.backoff_s * 2, limits.DRIVE_REJOIN_MAX_S) if before else limits.DRIVE_REJOIN_S
        full = isinstance(error, OSError) and error.errno in FULL
        if full:
            backoff_s = limits.DRIVE_REJOIN_S  # not a dying drive: it is soon used again when somebody makes room
        until_s = clock.monotonic_s() + backoff_s
        self._excluded[slot] = _Exclusion(str(error) or type(error).__name__, until_s, backoff_s, full, busy)

    def _barred(self, slot: int) -> bool:
        exclusion = self._excluded.get(slot)
        return exclusion is not None and (exclusion.until_s > clock.monotonic_s() or exclusion.busy() > 0)

    def usable(self, size: int) -> dict[int, Drive]:
        """Drives that may take a strand of a new segment whose first record has `size` bytes."""
        return {
            slot: drive
            for slot, drive in self._drives.present.items()
            if not self._barred(slot) and self.has_room(slot, size)
        }

    def why_not(self, need: int) -> errors.Unavailable:
        """The error for too few usable drives, with every drive's reason."""
        reasons = [f"drive {slot}: {reason}" for slot, reason in sorted(self._drives.absent.items())]
        full = 0
        for slot in sorted(self._drives.present):
            exclusion = self._excluded.get(slot)
            if not self.has_room(slot, 0) or (exclusion is not None and exclusion.full and self._barred(slot)):
                full += 1
                reasons.append(f"drive {slot}: no space above the reserve")
            elif exclusion is not None and self._barred(slot):
                reasons.append(f"drive {slot}: {exclusion.reason}")
        text = f"{need} drives must take the write ({'; '.join(reasons) or 'none did'})"
        # Without the full ones there would be enough: it is space that is missing, not drives.
        if full and len(self._drives.present) >= need:
            return errors.OutOfSpace(text)
        return errors.ReadOnly(text)
