"""Recovery (R15): from the strands of whatever drives are there to a journal that may be appended to, or to read-only,
or to neither.

`plan` decides from what was surveyed and writes nothing; `opening` carries it out.
"""

from __future__ import annotations

from typing import NamedTuple

from kakera.base import errors, limits
from kakera.index.interface import Index, Mark
from kakera.journal import codec
from kakera.journal.apply import Fact, apply, execute, prune
from kakera.journal.reading import Survey, Union, View
from kakera.segments.record import Type

EMPTY = Mark(0, 0, 0)


class Plan(NamedTuple):
    """chain: segments from the floor to the newest. proven: last sequence of the newest that the index's mark proves
    durable, else where it starts. tail: accepted records behind that. index_valid False: the index is to be wiped and
    rebuilt."""

    chain: list[View]
    proven: int
    proven_bytes: int
    tail: list[Union]
    index_valid: bool

    @property
    def last(self) -> int:
        """Sequence of the last accepted record."""
        return self.proven + len(self.tail)


def may_start(present: int, absent: int, k: int) -> str:
    """ "full", "read-only" or "" (R15: more than k away could hide the newest segment itself)."""
    if present < k or absent > k:
        return ""
    return "full" if present >= k + 1 else "read-only"


def newest(views: Survey, absent: int, k: int) -> View | None:
    """The newest segment whose header cannot be shown to be unacked.

    Raises NotReady when a newer one may have been acked in, and no whole header of it is left on the present drives; or
    when drives that are present cannot even be listed and too few are left."""
    absent += views.blind
    if absent > k:
        raise errors.NotReady(f"{absent} drives are away or cannot be listed: the newest segment may be among them")
    last = _newest_whole(views)
    for segment, damaged in views.headless.items():
        if damaged + absent >= k + 1 and (last is None or segment > last.segment):
            raise errors.NotReady(
                f"journal segment {segment:016x} is damaged on {damaged} present drives: none has its header"
            )
    return last


def _newest_whole(views: Survey) -> View | None:
    for segment in sorted(views, reverse=True):
        if views[segment].accepted(len(views[segment].by_index)):
            return views[segment]
    return None


def chain_of(views: Survey, last: View) -> list[View]:
    """From the floor to `last`. Raises NotReady when a link cannot be read."""
    chain = [last]
    while chain[-1].segment > last.meta.floor:
        previous = chain[-1].meta.previous
        if previous not in views:
            raise errors.NotReady(f"journal segment {previous:016x} cannot be read on any present drive")
        chain.append(views[previous])
    return chain[::-1]


def end_of(chain: list[View], number: int, last_sequence: int) -> int:
    """The last sequence of the chain's segment `number` that counts."""
    return chain[number + 1].meta.previous_end if number + 1 < len(chain) else last_sequence


def _valid(chain: list[View], mark: Mark) -> bool:
    """True when the index's mark lies on the chain (else the index is discarded and rebuilt)."""
    return mark == EMPTY or any(
        view.segment == mark.segment and view.meta.previous_end <= mark.sequence <= end_of(chain, number, mark.sequence)
        for number, view in enumerate(chain)
    )


def plan(views: Survey, mark: Mark, *, absent: int, k: int) -> Plan | None:
    """What a full recovery will do; None when there is no journal at all.

    Raises NotReady when a record of the tail can be neither cut nor decoded until a drive returns."""
    last = newest(views, absent, k)
    if last is None:
        return None
    chain = chain_of(views, last)
    valid = _valid(chain, mark)
    if not valid and mark.segment >= chain[0].segment:
        # The index was moved there after the segment was durable: the journal was not always what is left of it now.
        raise errors.NotReady(
            f"the index knows journal segment {mark.segment:016x}, which the present drives do not have whole: "
            "return the drives, or discard the index with `kakera repair rebuild-index`"
        )
    proven, offset = last.meta.previous_end, last.start
    if valid and mark.segment == last.segment:
        proven, offset = mark.sequence, mark.end
    tail: list[Union] = []
    sequence, at = proven + 1, offset
    opening_end = last.meta.previous_end + last.meta.opening
    while (record := last.union(at, sequence)) is not None:
        if sequence > opening_end and not last.accepted(record.copies, record.doubtful):
            break
        if not record.decodable:
            raise errors.NotReady(
                f"journal record {sequence} is on {record.copies} present drives: "
                "neither cut nor readable until a drive returns"
            )
        tail.append(record)
        sequence, at = sequence + 1, at + record.header.length
    if record is None and last.may_hold(at):
        raise errors.NotReady(f"journal record {sequence} is damaged on too many drives to tell whether it was acked")
    return Plan(chain, proven, offset, tail, valid)


def undecided(views: Survey, mark: Mark, *, absent: int, k: int) -> list[tuple[int, bytes]]:
    """Read-only recovery: nothing is replayed; these are the (bucket id, key) of every record behind the index's mark
    that any present strand holds. Bucket id 0: the buckets themselves; key empty: the whole bucket.

    Raises NotReady when the index cannot be trusted without replay, or there is too much behind it."""
    last = newest(views, absent, k)
    if last is None or mark == EMPTY:
        raise errors.NotReady("the index is lost or empty: it can only be rebuilt with k+1 drives present")
    chain = chain_of(views, last)
    if not _valid(chain, mark):
        raise errors.NotReady(
            "the index does not belong to this journal: it can only be rebuilt with k+1 drives present"
        )
    keys: list[tuple[int, bytes]] = []
    for number, view in enumerate(chain):
        if view.segment < mark.segment:
            continue
        sealed = number + 1 < len(chain)
        end = end_of(chain, number, 1 << 62)
        at, sequence = (mark.end, mark.sequence + 1) if view.segment == mark.segment else (view.start, view.first)
        for fact in view.facts(end, start=(at, sequence)):
            if fact is None:
                if sealed or view.may_hold(at):  # not a proven end: something acked may stand there
                    raise errors.NotReady(f"journal record {sequence} is on no present drive")
                break
            keys.append(_key_of(fact))
            at, sequence = at + fact.location.length, sequence + 1
            if len(keys) > limits.MAX_UNDECIDED_KEYS:
                raise errors.NotReady("too many undecided records for read-only service: a drive must return")
    return keys


def _key_of(fact: Fact) -> tuple[int, bytes]:
    if fact.type == Type.SETTINGS:
        return 0, b""
    meta = codec.META[fact.type].decode(fact.meta)
    return meta.bucket_id, meta.key


def replay(chain: list[View], last_sequence: int, index: Index) -> int:
    """Apply everything behind the index's mark, up to `last_sequence`. Returns how many records were applied.

    Raises NotReady where a sequence that counts is on no readable strand (R15)."""
    count = 0
    for number, view in enumerate(chain):
        end = end_of(chain, number, last_sequence)
        mark = index.mark()
        if mark.sequence >= end and mark.segment >= view.segment:
            continue
        start = (mark.end, mark.sequence + 1) if mark.segment == view.segment else None
        count += _replay_segment(view, end, index, start)
        if view.meta.floor_sequence:
            index.begin()
            execute(prune(view.meta.floor_sequence, index), index)
            index.commit(index.mark())
    return count


def _replay_segment(view: View, end: int, index: Index, start: tuple[int, int] | None) -> int:
    count, pending, mark = 0, 0, index.mark()
    index.begin()
    try:
        for fact in view.facts(end, start=start):
            if fact is None:
                raise errors.NotReady(f"a record of journal segment {view.segment:016x} is on no present drive")
            if fact.sequence <= mark.sequence:
                continue
            execute(apply(fact, index), index)
            mark = Mark(fact.sequence, fact.location.segment, fact.location.offset + fact.location.length)
            count, pending = count + 1, pending + 1
            if pending >= limits.REPLAY_BATCH_RECORDS:
                index.commit(mark)
                index.begin()
                pending = 0
        index.commit(mark)
    except BaseException:
        index.rollback()
        raise
    return count
