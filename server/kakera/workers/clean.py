"""Space of the journal (R7): `clean` keeps it short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kakera.base import clock, limits
from kakera.base.ids import new_id
from kakera.journal.cleaning import live
from kakera.journal.commands import Clean, SegmentInfo, StatusReply
from kakera.journal.reading import survey
from kakera.workers.context import Work
from kakera.workers.loop import IDLE, Progress
from kakera.workers.pressure import free_bytes, pressed

_CLEANED = "clean.json"


class CleanLoop:
    """Keeps the journal within twice what is live in it, strictly oldest first.

    A *round* moves what is live out of every segment that was there when it began; what the journal then takes is what
    is live. The next round begins when it has doubled (and is worth it): each live byte is moved at most about once for
    each byte appended. On a drive that is running out of space only what pays is cleaned: moving writes before it
    frees, and what it writes there is the reserve that DELETE needs.
    """

    name = "clean"

    def __init__(self, work: Work) -> None:
        self._work = work
        self.interval_s = float(work.config.background.interval_s)
        self._pays_until = 0  # on a full drive: the segments before this one pay together
        self._moving = 0  # the segment there was room for
        self._looked_at = (0, 0)  # the journal's first segment and last sequence when nothing paid
        self._look_again_s = 0.0

    async def step(self) -> Progress:
        work = self._work
        status = await work.status()
        until = await self._paying(status) if await work.apart(pressed, work) else self._round(status)
        if not until:
            return IDLE
        if status.chain[0].segment >= until or len(status.chain) < 2:
            work.save(_CLEANED, {"until": 0, "live_bytes": sum(info.end for info in status.chain)})
            return Progress(done=1, unit="rounds")
        more = await self._move(status)
        left = sum(info.segment < until for info in status.chain)
        return Progress(more=more, left=left, unit="segments")

    def _round(self, status: StatusReply) -> int:
        """Where the round under way ends, a new one included; 0: none is due."""
        state = self._work.load(_CLEANED, {"until": 0, "live_bytes": 0})
        if not state["until"] and self.due(status, state["live_bytes"]):
            state["until"] = status.chain[-1].segment
            self._work.save(_CLEANED, state)
        return int(state["until"])

    def due(self, status: StatusReply, live_bytes: int) -> bool:
        """Has the journal doubled since the last round?"""
        total = sum(info.end for info in status.chain)
        floor = limits.CLEAN_KEEP_SEGMENTS * self._work.config.journal.segment_bytes
        return len(status.chain) > 1 and total > max(floor, 2 * live_bytes)

    async def _paying(self, status: StatusReply) -> int:
        """On a full drive: up to where cleaning pays, while there is room for what it writes first; else 0. Looking
        takes at most a share of the time, and is not repeated while nothing changed."""
        work, oldest = self._work, status.chain[0]
        if oldest.segment == self._moving:
            return self._pays_until  # what it moved is written; what is left of it must go
        now_s, state = clock.monotonic_s(), (oldest.segment, status.chain[-1].last)
        if now_s < self._look_again_s or state == self._looked_at:
            return 0
        shares = await work.apart(_shares, work, status.chain[:-1])
        self._look_again_s = clock.monotonic_s() + limits.CLEAN_LOOK_PAUSE * (clock.monotonic_s() - now_s)
        count = paying(shares)
        if not count:
            self._looked_at = state
            return 0
        if not await work.apart(_have_room, work, shares[0].live_bytes):
            return 0
        self._moving, self._pays_until = oldest.segment, status.chain[count].segment
        return self._pays_until

    async def _move(self, status: StatusReply) -> bool:
        """Steps of the oldest segment; True when it is gone and the next may follow at once."""
        work = self._work
        while (await work.journal.submit(Clean(new_id(), "clean"))).value:
            await work.apart(work.throttle.take, limits.CLEAN_STEP_BYTES)
        await work.journal.submit(Clean(new_id(), "finish"))
        now = await work.status()
        return now.chain[0].segment != status.chain[0].segment


class Share(NamedTuple):
    """Bytes of a strand of a journal segment, and those of them that are live."""

    size_bytes: int
    live_bytes: int


def paying(shares: Sequence[Share]) -> int:
    """How many of the oldest segments it takes until a fair share of what they hold is dead; 0: all of them are too
    much alive. Pure."""
    size = live_bytes = 0
    for count, share in enumerate(shares, 1):
        size += share.size_bytes
        live_bytes += share.live_bytes
        if live_bytes <= size * limits.CLEAN_PAYING_RATIO:
            return count
    return 0


def _shares(work: Work, chain: Sequence[SegmentInfo]) -> list[Share]:
    """Of the oldest segments, up to the one that makes cleaning pay or cannot be read whole. Blocking."""
    found: list[Share] = []
    rows = work.rows()
    for info in chain:
        view = survey(work.drives.present.values(), work.drives.ids, only=info.segment).get(info.segment)
        live_bytes = 0
        for fact in view.facts(info.last) if view is not None else (None,):
            if fact is None:
                return found  # to be healed first
            live_bytes += fact.location.length if live(fact, rows) else 0
        work.throttle.take(info.end)
        found.append(Share(info.end, live_bytes))
        if paying(found):
            break
    return found


def _have_room(work: Work, size: int) -> bool:
    """Do k+1 drives have room for that and a piece of the reserve besides? What the open segment has ahead does not
    count: DELETE writes there. Blocking."""
    need = work.drives.profile.k + 1
    return sum(have >= size + limits.RESERVE_PIECE_BYTES for have in free_bytes(work.drives)) >= need
