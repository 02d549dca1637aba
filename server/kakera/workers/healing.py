"""Full redundancy: `census` finds what is short, `heal` makes it whole, `scrub` reads everything now and then (R2, R3,
R8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kakera.base import clock, errors, limits
from kakera.base.ids import new_id, segment_name
from kakera.index.interface import Rows
from kakera.index.tables import BULK as BULK_ROWS
from kakera.journal.commands import Clean, StatusReply
from kakera.observe.log import get_logger
from kakera.segments.census import SegmentCensus, Target, examine, list_segments
from kakera.segments.drive import BULK, JOURNAL, Strand
from kakera.segments.heal import drop_twins, heal_strand
from kakera.segments.identity import Drives
from kakera.segments.map import learn
from kakera.segments.scrub import Cursor, scrub_step
from kakera.segments.suspects import Suspects
from kakera.workers.context import Work
from kakera.workers.loop import IDLE, Progress
from kakera.workers.queue import Job
from kakera.workers.references import References, names_of

log = get_logger("workers")
SEALING = "the open journal segment is being sealed first"


class Short(NamedTuple):
    """A segment that lacks a strand, or the end of one, or has one that cannot be placed."""

    kind: str
    segment: int
    reason: str


def find_short(drives: Drives, journal: dict[int, int] | None = None) -> Iterator[Short]:
    """The quick look: headers and lengths of all strands, no bodies. Blocking.

    journal: segment -> bytes that count, of the chain; None: unknown, all journal segments on the drives are looked at.
    """
    for kind in (JOURNAL, BULK):
        for segment, lengths in list_segments(drives, kind).items():
            if kind == JOURNAL and journal is not None and segment not in journal:
                continue
            reason = _why_short(drives, kind, segment, lengths, journal)
            if reason:
                yield Short(kind, segment, reason)
    if journal:
        there = list_segments(drives, JOURNAL)
        yield from (Short(JOURNAL, segment, "on no present drive") for segment in journal if segment not in there)


def _why_short(drives: Drives, kind: str, segment: int, lengths: dict[int, int], journal: dict[int, int] | None) -> str:
    layout = learn(drives, Strand(kind, segment))
    if not layout.k:
        return "no strand has a readable header"
    absent = [index for index in range(layout.k + layout.m) if index not in layout.drives]
    if absent:
        return f"{len(absent)} of {layout.k + layout.m} strands are not there"
    if layout.twins:
        return f"{len(layout.twins)} strands are there twice"
    if layout.bad:
        return "; ".join(f"drive {slot}: {why}" for slot, why in layout.bad.items())
    need = (journal or {}).get(segment) if kind == JOURNAL else max(lengths.values())
    if need is None:
        return ""
    short = [slot for slot in (drive.slot for drive in layout.drives.values()) if lengths.get(slot, 0) < need]
    return f"drives {', '.join(map(str, short))} end before byte {need}" if short else ""


class CensusLoop:
    """Puts what is short into the heal queue: every CENSUS_INTERVAL_S (less while something is), and at once when a
    drive came or went."""

    name = "census"

    def __init__(self, work: Work) -> None:
        self._work = work
        self.interval_s = float(work.config.background.interval_s)
        self._due_at_s = 0.0
        self._drives_then: object = None

    async def step(self) -> Progress:
        work = self._work
        await work.apart(work.drives.refresh_if_old)
        now_s = clock.monotonic_s()
        if now_s < self._due_at_s and work.drives.present is self._drives_then:
            return Progress(left=len(work.queue.jobs()), unit="segments short")
        # Before the status: a suspect is of a segment that was there when the committer answers, or counts no more.
        suspects = Suspects.of(work.config).all()
        status = await work.status()
        present = work.drives.present
        ends = {info.segment: info.end for info in status.chain}
        # The open segment grows under our eyes: only its strands count, not their ends.
        ends[status.chain[-1].segment] = 0
        found = await work.apart(lambda: list(find_short(work.drives, ends)))
        for kind, segment, reason in found:
            if kind == JOURNAL or work.rows().get(BULK_ROWS, (segment,)) is not None:
                work.queue.add(kind, segment, reason)
        self._queue_suspects(suspects, status)
        wait_s = limits.CENSUS_SHORT_INTERVAL_S if found else limits.CENSUS_INTERVAL_S
        self._drives_then, self._due_at_s = present, now_s + wait_s
        return Progress(done=len(found), unit="segments short", left=len(work.queue.jobs()))

    def _queue_suspects(self, found: list[tuple[Strand, int]], status: StatusReply) -> None:
        """Strands that failed a sync read clean, so that no look finds them: they are healed by name (R2)."""
        suspects = Suspects.of(self._work.config)
        chain = {info.segment for info in status.chain}
        for strand, slot in found:
            if strand.segment in chain or self._work.rows().get(BULK_ROWS, (strand.segment,)) is not None:
                self._work.queue.add(strand.kind, strand.segment, f"a write or sync failed on drive {slot}")
            elif strand.kind == JOURNAL or self._work.pins.is_sealed(strand.segment):
                suspects.clear(strand)  # it counts no more


class HealLoop:
    """Takes the queue's jobs one by one. What cannot be healed now (no drive to spare, still written) is put off."""

    name = "heal"

    def __init__(self, work: Work) -> None:
        self._work = work
        self.interval_s = float(work.config.background.interval_s)
        self._not_before: dict[tuple[str, int], float] = {}
        self._failures: dict[tuple[str, int], int] = {}
        self._drives_then: object = None

    async def step(self) -> Progress:
        work = self._work
        if work.drives.present is not self._drives_then:
            self._drives_then = work.drives.present
            self._not_before.clear()
            self._failures.clear()
        now_s = clock.monotonic_s()
        jobs = work.queue.jobs()
        due = [job for job in jobs if self._not_before.get(job[:2], 0.0) <= now_s]
        if not due:
            return Progress(left=len(jobs), unit="segments")
        job = due[0]
        try:
            with work.queue.exclusive() as mine:
                why = await self._heal(job, await work.status()) if mine else "another process is healing"
        except (errors.ReadOnly, errors.Damaged, OSError) as error:
            why = str(error)
        if why:
            self._not_before[job[:2]] = now_s + self._wait_s(job, why)
            log.warning("heal put off", kind=job.kind, segment=segment_name(job.segment), reason=why)
        return Progress(more=len(due) > 1, done=int(not why), left=len(jobs) - int(not why), unit="segments", note=why)

    def _wait_s(self, job: Job, why: str) -> float:
        """Later and later: what cannot be healed is read as a whole at every try."""
        if why == SEALING:
            return limits.HEAL_SEALING_S
        failures = self._failures[job[:2]] = min(self._failures.get(job[:2], -1) + 1, limits.HEAL_DOUBLINGS)
        return limits.HEAL_RETRY_S * float(2**failures)

    async def _heal(self, job: Job, status: StatusReply) -> str:
        """Why it is not done; "" when it is."""
        work = self._work
        if job.kind == JOURNAL and job.segment == status.chain[-1].segment:
            usable = sum(state == "ok" for state in status.drives.values())
            strands = len(learn_slots(work.drives, job))
            # With all its strands there it is damage that was met: sealed, it can be read and healed.
            if usable <= strands < work.config.profile.k + work.config.profile.m:
                return "the open journal segment is on every drive that the committer trusts"
            await work.journal.submit(Clean(new_id(), "roll"))
            return SEALING
        target = work.target(status, job.kind, job.segment)
        if target is None:
            if job.kind == JOURNAL or work.rows().get(BULK_ROWS, (job.segment,)) is None:
                work.queue.done(job)  # it counts no more: what is left of it will be dropped
                return ""
            return "still being written"
        found = await self._examine(target)
        strand = Strand(job.kind, job.segment)
        suspects = Suspects.of(work.config)
        doubted = {index for index, slot in found.strands.items() if slot in suspects.slots(strand)}
        for index in sorted({*found.to_heal(), *doubted}):
            healed = await work.apart(
                lambda index=index: heal_strand(work.drives, strand, index, end=target.upto, throttle=work.throttle)
            )
            suspects.clear(strand, healed.slot)
            log.info("healed", kind=job.kind, segment=segment_name(job.segment), strand=index, drive=healed.slot)
        found = await self._examine(target)
        if not found.full:
            return _what_is_left(found, work.rows())
        for slot in await work.apart(drop_twins, work.drives, found):
            suspects.clear(strand, slot)
            log.info("twin dropped", kind=job.kind, segment=segment_name(job.segment), drive=slot)
        work.queue.done(job)
        self._failures.pop(job[:2], None)
        return ""

    async def _examine(self, target: Target) -> SegmentCensus:
        """Only what somebody refers to counts: dead DATA may be damaged, punched, or never have been whole."""
        work, refers = self._work, References(self._work)
        return await work.apart(lambda: examine(target, work.drives, refers=refers, throttle=work.throttle))


def learn_slots(drives: Drives, job: Job) -> set[int]:
    """The slots that hold a strand of the segment."""
    return {drive.slot for drive in learn(drives, Strand(job.kind, job.segment)).drives.values()}


def _what_is_left(found: SegmentCensus, rows: Rows) -> str:
    if found.lost:
        names = f": {names_of(rows, found.lost_bodies)}" if found.lost_bodies else ""
        return f"{len(found.lost)} records cannot be decoded from the present drives{names}"
    return f"strands {found.to_heal()} are still not whole"


class ScrubLoop:
    """One segment a step, at the throttle's pace; a pause after each round. The cursor survives restarts, under the
    name `state`."""

    name = "scrub"
    interval_s = float(limits.SCRUB_INTERVAL_S)

    def __init__(self, work: Work, *, state: str = "scrub.json", pause_s: float = limits.SCRUB_PAUSE_S) -> None:
        self._work = work
        self._state = state
        self._pause_s = pause_s

    async def step(self) -> Progress:
        work = self._work
        state = work.load(self._state, {"kind": JOURNAL, "after": -1, "next_round_ms": 0})
        if clock.now_ms() < state["next_round_ms"]:
            return IDLE
        status = await work.status()
        cursor = Cursor(state["kind"], state["after"])
        targets = {
            (kind, segment): work.target(status, kind, segment)
            for kind in (JOURNAL, BULK)
            for segment in await work.apart(list_segments, work.drives, kind)
            if kind != cursor.kind or segment > cursor.after
        }
        refers = References(work)
        step = await work.apart(
            lambda: scrub_step(
                work.drives,
                cursor,
                lambda kind, segment: targets.get((kind, segment)),
                throttle=work.throttle,
                on_damage=work.queue.report,
                refers=refers,
            )
        )
        pause_ms = clock.now_ms() + int(self._pause_s * 1000) if step.round_done else 0
        work.save(self._state, {"kind": step.cursor.kind, "after": step.cursor.after, "next_round_ms": pause_ms})
        return Progress(more=not step.round_done, left=len(targets), unit="segments")
