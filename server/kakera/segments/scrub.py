"""Scrub: reading everything now and then, so that damage is found while there is still redundancy to heal it. Blocking.

One step is one segment. The cursor is what comes next; the caller keeps it over a restart (R14).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kakera.segments.census import Refers, SegmentCensus, Target, examine, list_segments
from kakera.segments.drive import BULK, JOURNAL
from kakera.segments.gather import OnDamage
from kakera.segments.identity import Drives
from kakera.segments.walk import Throttle

KINDS = (JOURNAL, BULK)


class Cursor(NamedTuple):
    """The next segment to read is the first of `kind` above `after`."""

    kind: str = JOURNAL
    after: int = -1


class Step(NamedTuple):
    """One step: where to go on, what was found (None: nothing was due), whether the round is complete."""

    cursor: Cursor
    found: SegmentCensus | None
    round_done: bool


# What of a segment may be read now: the Target with its end; None: it is being written, or does not count.
Limits = Callable[[str, int], Target | None]


def scrub_step(
    drives: Drives,
    cursor: Cursor,
    limits_of: Limits,
    *,
    throttle: Throttle,
    on_damage: OnDamage,
    refers: Refers | None = None,
) -> Step:
    """Read the next segment that may be read and tell its damage."""
    for kind in KINDS[KINDS.index(cursor.kind) :]:
        after = cursor.after if kind == cursor.kind else -1
        for segment in list_segments(drives, kind):
            target = limits_of(kind, segment) if segment > after else None
            if target is None:
                continue
            found = examine(target, drives, refers=refers, throttle=throttle)
            report(found, on_damage)
            return Step(Cursor(kind, segment), found, round_done=False)
    return Step(Cursor(), None, round_done=True)


def report(found: SegmentCensus, on_damage: OnDamage) -> None:
    """One line of damage for each strand to heal; slot -1 where it is on no present drive."""
    kind, segment, _ = found.target
    for index, faults in found.faults.items():
        offset, reason = faults[0]
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        on_damage(kind, segment, index, found.strands.get(index, -1), f"{reason} at {offset}{more}")
    for index in found.missing:
        on_damage(kind, segment, index, -1, "the strand is missing")
