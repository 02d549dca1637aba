"""Collecting enough agreeing pieces of one record from strands that may be missing, damaged, stale or slow."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable
from typing import NamedTuple

from kakera.base import clock, limits
from kakera.segments.drive import Drive, Strand
from kakera.segments.fragments import Bad, Piece
from kakera.segments.map import Layout
from kakera.segments.threads import DriveThreads

OnDamage = Callable[[str, int, int, int, str], None]  # kind, segment, strand index, drive slot, reason
Job = Callable[[Drive, Strand, int], Piece]


class Gathered(NamedTuple):
    """What was found: agreeing pieces by strand index; why the others failed, by slot."""

    pieces: dict[int, Piece]
    enough: bool
    reasons: dict[int, str]
    punched: int


def needed(piece: Piece, *, bodies: bool) -> int:
    """How many strands it takes: k for a coded body, else one. Pure."""
    return piece.header.k if bodies and piece.header.k and piece.header.body_bytes else 1


class _Search:
    """One record being gathered."""

    def __init__(self, layout: Layout, order: list[tuple[int, Drive]], *, bodies: bool) -> None:
        self.layout = layout
        self.left = order
        self.bodies = bodies
        self.pending: dict[asyncio.Future[Piece], tuple[int, Drive]] = {}
        self.groups: dict[tuple[object, ...], dict[int, Piece]] = {}
        self.bad: dict[tuple[int, int], str] = {}  # (strand index, slot) -> reason
        self.punched = 0
        self.gone: set[int] = set()  # slots without a file: dropped or moved; the map tells which strands are missing

    def best(self) -> tuple[dict[int, Piece], bool]:
        """The largest group of agreeing pieces, and whether it is enough."""
        group: dict[int, Piece] = max(self.groups.values(), key=len, default={})
        enough = bool(group) and len(group) >= needed(next(iter(group.values())), bodies=self.bodies)
        return group, enough

    def take(self, future: asyncio.Future[Piece]) -> None:
        index, drive = self.pending.pop(future)
        error = future.exception()
        if error is None:
            piece = future.result()
            self.groups.setdefault(piece.identity, {})[index] = piece
        elif isinstance(error, Bad):
            self.bad[index, drive.slot] = error.reason
            self.punched += error.punched
        elif isinstance(error, OSError):
            self.bad[index, drive.slot] = error.strerror or str(error)
            if isinstance(error, FileNotFoundError):
                self.gone.add(drive.slot)
        else:
            raise error

    def shortfall(self) -> int:
        """How many more reads to start, besides those under way."""
        group, enough = self.best()
        if enough:
            return 0
        need = needed(next(iter(group.values())), bodies=self.bodies) if group else 1
        if not group and self.bodies:
            need = max(self.layout.k, 1)
        return need - len(group) - len(self.pending)


class Gather:
    """Shared by all reads of a process: remembers which drives were slow, and what damage was reported."""

    def __init__(self, threads: DriveThreads, on_damage: OnDamage, hedge_s: float) -> None:
        self._threads = threads
        self._on_damage = on_damage
        self._hedge_s = hedge_s
        self._slow: dict[int, float] = {}
        self._reported: dict[tuple[str, int, int], float] = {}

    async def run(self, layout: Layout, job: Job, *, bodies: bool) -> Gathered:
        """Pieces of one record. Ends when there are enough, when no strand is left, or at `limits.READ_LIMIT_S`."""
        search = _Search(layout, self._order(layout), bodies=bodies)
        until_s = clock.monotonic_s() + limits.READ_LIMIT_S
        extra = 0
        while True:
            self._start(search, job, search.shortfall() + extra)
            left_s = until_s - clock.monotonic_s()
            if not search.pending or left_s <= 0:
                break
            done, _ = await asyncio.wait(
                search.pending, timeout=min(self._hedge_s, left_s), return_when=asyncio.FIRST_COMPLETED
            )
            for future in done:
                search.take(future)
            if search.best()[1]:
                break
            extra = 0
            if not done:
                # Whoever has not answered is passed by, not given up: for every late one another strand is asked.
                extra = len(search.pending)
                self._note_slow(search.pending.values())
        pieces, enough = search.best()
        self._report(search, pieces)
        reasons = {slot: reason for (_, slot), reason in search.bad.items()} | layout.bad
        return Gathered(pieces, enough, reasons, search.punched)

    def _order(self, layout: Layout) -> list[tuple[int, Drive]]:
        """Strand indices and drives, data first (they need no decoding), then twins, slow drives last."""
        now_s = clock.monotonic_s()
        slow = {slot for slot, until_s in self._slow.items() if until_s > now_s}
        places = (*layout.drives.items(), *layout.twins)
        return sorted(places, key=lambda place: (place[1].slot in slow, place in layout.twins, place[0]))

    def _start(self, search: _Search, job: Job, count: int) -> None:
        for _ in range(min(count, len(search.left))):
            index, drive = search.left.pop(0)
            task = functools.partial(job, drive, search.layout.strand, index)
            search.pending[self._threads.submit(drive.slot, task)] = index, drive

    def _note_slow(self, places: Iterable[tuple[int, Drive]]) -> None:
        until_s = clock.monotonic_s() + limits.SLOW_DRIVE_S
        for _, drive in places:
            self._slow[drive.slot] = until_s

    def _report(self, search: _Search, pieces: dict[int, Piece]) -> None:
        """Tell what is damaged, each strand once a minute.

        Pieces that disagree with the largest group are damage too.
        """
        found = {place: reason for place, reason in search.bad.items() if place[1] not in search.gone}
        for group in search.groups.values():
            if group is not pieces:
                places = [(index, search.layout.drives[index].slot) for index in group]
                found |= dict.fromkeys(places, "another record than on the other strands")
        strand = search.layout.strand
        for (index, slot), reason in found.items():
            self._tell(strand, index, slot, reason)
        for index, slot in search.layout.missing.items():
            self._tell(strand, index, slot, "the strand is missing")

    def _tell(self, strand: Strand, index: int, slot: int, reason: str) -> None:
        now_s = clock.monotonic_s()
        key = (strand.kind, strand.segment, slot)
        if self._reported.get(key, 0.0) > now_s:
            return
        if len(self._reported) >= limits.MAX_DAMAGE_REPORTS:
            self._reported.clear()
        self._reported[key] = now_s + limits.STRAND_MAP_S
        self._on_damage(strand.kind, strand.segment, index, slot, reason)
