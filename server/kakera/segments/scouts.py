"""Learning layouts on an event loop: all drives asked at once, a slow one not waited for (R12)."""

from __future__ import annotations

import asyncio
import functools

from kakera.base import limits
from kakera.segments.drive import Drive, Strand
from kakera.segments.map import Answer, Layout, SegmentMap, StrandHeader, ask, assemble
from kakera.segments.threads import DriveThreads, Lane

LATE = "it does not answer"


class Scouts:
    """Fills a SegmentMap. A drive that has not answered in time is placed by the member list: it is asked last."""

    def __init__(self, segments: SegmentMap, threads: DriveThreads, hedge_s: float) -> None:
        self._map = segments
        self._threads = threads
        self._hedge_s = hedge_s
        self._prober: Lane | None = None
        self._probe: asyncio.Future[bool] | None = None

    async def find(self, kind: str, segment: int) -> Layout:
        """The layout, learned anew when it is not known."""
        await self._look_at_drives()
        known = self._map.known(kind, segment)
        if known is not None:
            return known
        strand = Strand(kind, segment)
        present, ids = self._map.drives.present, self._map.drives.ids
        answers = await self._ask(strand, present)
        layout = assemble(strand, present, ids, answers)
        self._map.remember(layout)
        return layout

    async def _ask(self, strand: Strand, present: dict[int, Drive]) -> dict[int, Answer]:
        """Every drive's header; the late are waited for only while fewer than k+1 have theirs."""
        futures = {
            slot: self._threads.submit(slot, functools.partial(ask, drive, strand)) for slot, drive in present.items()
        }
        if futures:
            _, late = await asyncio.wait(futures.values(), timeout=self._hedge_s)
            if late and not _enough(futures):
                await asyncio.wait(late, timeout=limits.READ_LIMIT_S)
        return {slot: future.result() if future.done() else TimeoutError(LATE) for slot, future in futures.items()}

    async def _look_at_drives(self) -> None:
        """See which drives came or went, unless a hanging one keeps us: then with what is known."""
        if self._probe is None or self._probe.done():
            if self._prober is None:
                self._prober = Lane("look", 1)
            self._probe = self._prober.submit(self._map.drives.refresh_if_old)
        await asyncio.wait([self._probe], timeout=self._hedge_s)

    def close(self) -> None:
        if self._prober is not None:
            self._prober.close()


def _enough(futures: dict[int, asyncio.Future[Answer]]) -> bool:
    """True when the headers that are there promise k pieces, and one to spare."""
    headers = [f.result() for f in futures.values() if f.done()]
    found = [header for header in headers if isinstance(header, StrandHeader)]
    return bool(found) and len(found) > found[0].meta.k
