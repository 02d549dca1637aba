"""What a successor does before it serves (R15): raise the epoch, read what the drives hold, open a first segment of its
own, replay.

`recovery` decides and writes nothing; what it decided is carried out here.
"""

from __future__ import annotations

from kakera.base import errors
from kakera.index.interface import Index, Mark
from kakera.journal import recovery
from kakera.journal.chain import Journal
from kakera.journal.commands import UNAVAILABLE, SegmentInfo
from kakera.journal.reading import Survey, survey


def open_journal(journal: Journal) -> tuple[str, str, list[tuple[int, bytes]]]:
    """As far as the present drives allow. May be called again on the same journal after it failed.

    Returns: mode ("ready", "read-only", "unavailable"), its reason, and what is undecided (`recovery.undecided`).
    Raises Unavailable (NotReady, ReadOnly ...) when nothing can be served; Unusable when the index must be made anew.
    """
    drives, k = journal.drives, journal.settings.k
    drives.refresh()
    how = recovery.may_start(len(drives.present), len(drives.absent), k)
    if how == "full":
        _recover(journal)
        journal.rebuilding = False
        return "ready", "", []
    if how == "read-only":
        views = _survey(journal)
        undecided = recovery.undecided(views, journal.index.mark(), absent=len(drives.absent), k=k)
        return "read-only", drives.shortage(k + 1), undecided
    return UNAVAILABLE, drives.shortage(k), []


def _survey(journal: Journal) -> Survey:
    return survey(journal.drives.present.values(), journal.drives.ids())


def _recover(journal: Journal) -> None:
    journal.raise_epoch()
    index = journal.index
    views = _survey(journal)
    plan = recovery.plan(views, index.mark(), absent=len(journal.drives.absent), k=journal.settings.k)
    if plan is None:
        _first_segment(journal, views)
        return
    if not plan.index_valid:
        index.wipe()
    journal.rebuilding = index.mark() == recovery.EMPTY
    # What is proven is replayed before anything is written: a gap stops here, and not after one more segment.
    recovery.replay(plan.chain, plan.proven, index)
    _index_takes_commits(index)
    last = plan.chain[-1]
    journal.sequence = plan.last
    journal.chain = []
    for number, view in enumerate(plan.chain[:-1]):
        after = plan.chain[number + 1].meta
        journal.chain.append(
            SegmentInfo(view.segment, after.previous_bytes, view.meta.previous_end + 1, after.previous_end)
        )
    journal.chain.append(SegmentInfo(last.segment, plan.proven_bytes, last.meta.previous_end + 1, plan.proven))
    opening = [record.proposal() for record in plan.tail]
    journal.open(
        previous=journal.chain[-1], floor=last.meta.floor, opening=opening, floor_sequence=last.meta.floor_sequence
    )
    _finish(journal)


def _index_takes_commits(index: Index) -> None:
    """Before a segment is opened: a state folder that is full must not cost a segment a try."""
    index.begin()
    index.commit(index.mark())


def _first_segment(journal: Journal, views: Survey) -> None:
    """The first start of a new cluster, and of nothing else: any sign of an earlier life stops it."""
    if views.blind or views.headless or journal.index.mark() != recovery.EMPTY or journal.drives.hold_bulk():
        raise errors.NotReady(
            "no journal can be read on the present drives, yet this is no new cluster: return its drives"
        )
    _index_takes_commits(journal.index)
    journal.sequence = 0
    journal.chain = []
    journal.open(previous=None, floor=0, opening=[], floor_sequence=0)
    _finish(journal)


def _finish(journal: Journal) -> None:
    """Replay, then what the journal says is what the index shows. What lies outside the chain is never read; it stays
    until the floor has passed it, because an hour of an operator's time is cheaper than a deletion too many."""
    assert journal.writer is not None
    opened = journal.writer.segment
    # What lies before it was replayed before it was opened; its header says where that ends. Were there more to replay,
    # reading it alone would skip it.
    if journal.index.mark().sequence != journal.writer.meta.previous_end:
        raise errors.NotReady("the journal was not replayed up to its newest segment")
    views = survey(journal.drives.present.values(), journal.drives.ids(), only=opened)
    if opened not in views:
        raise errors.NotReady("the segment just opened cannot be read back: a drive must return")
    recovery.replay([views[opened]], journal.sequence, journal.index)
    if journal.index.mark().sequence != journal.sequence:
        raise errors.NotReady("the journal's tail cannot be read back: a drive must return")
    journal.index.begin()
    journal.index.commit(Mark(journal.sequence, journal.writer.segment, journal.writer.offset))
    journal.broken = False
    # A drive that came back while nobody looked, or a predecessor that died between raising the floor and this.
    journal.drives.drop_journal_below(journal.chain[0].segment)
