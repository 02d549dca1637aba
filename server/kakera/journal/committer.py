"""The committer: the one owner of order in a partition. Takes commands in batches, decides, makes durable, commits,
answers.

No sockets here (service.py) and no thread but the lanes: `process` is one turn of the group commit, `tick` the
housekeeping between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog

from kakera.base import clock, errors, faults, limits
from kakera.base.ids import segment_id
from kakera.index.interface import Index, Mark, TransactionFailed, Unusable
from kakera.index.tables import BULK, Location
from kakera.journal import codec, commands, recovery, strands
from kakera.journal.apply import Fact, apply, execute, prune, reply_of
from kakera.journal.cleaning import Cleaner
from kakera.journal.commands import Ok, Reply, SegmentInfo, StatusReply
from kakera.journal.decide import Proposal, decide, refusal, segments_named
from kakera.journal.lanes import Lanes
from kakera.journal.members import Members, reason_of
from kakera.journal.once import Applied
from kakera.journal.reading import Survey, survey
from kakera.journal.strands import Placed, SegmentWriter
from kakera.segments.drive import JOURNAL
from kakera.segments.meta import StrandMeta
from kakera.segments.record import record_length

log = structlog.get_logger()
_ADDS = (commands.Put, commands.PutPart, commands.CreateUpload, commands.Complete)


class Settings(NamedTuple):
    """What the committer is configured with."""

    cluster: str
    k: int
    m: int
    segment_bytes: int
    laggard_limit_s: float
    reserve_bytes: int
    resend_limit_s: float = limits.RESEND_LIMIT_S


class IndexFailed(Exception):
    """The index transaction failed again and again after the records were durable: the process must end, a successor
    replays (R4).
    """


class _Batch:
    """One turn: what was decided, in order."""

    def __init__(self, count: int) -> None:
        self.replies: list[Reply | None] = [None] * count
        self.proposals: list[Proposal] = []
        self.facts: list[Fact] = []
        self.ids: dict[bytes, Reply] = {}
        self.dropped: set[int] = set()
        self.taking = False  # between the first row of a record and its last


class Committer:
    """Order, durability and visibility of one partition."""

    def __init__(self, drives: Members, index: Index, settings: Settings, *, lanes: Lanes | None = None) -> None:
        self.drives = drives
        self.index = index
        self._settings = settings
        self._lanes = lanes or Lanes(settings.laggard_limit_s)
        self._writer: SegmentWriter | None = None
        self._broken = False  # the open segment's tail is not known: roll before anything is appended (R2)
        self._epoch = 0
        self._number = 0
        self._sequence = 0
        self._applied = Applied(settings.resend_limit_s)
        self._probed_at_s = 0.0
        self._retry_at_s, self._retry_after_s = 0.0, limits.DRIVE_PROBE_S
        self._wanted: set[str] = set()
        # Bulk segments whose drop was granted. A command that names one was sent by a worker that died, and its pin
        # with it; the set may die with this process because the queue of such commands does too (R7).
        self._dropped: set[int] = set()
        self._batches = self._commands = 0
        self._full = False
        self.chain: list[SegmentInfo] = []
        self.sealed_at_s: dict[int, float] = {}
        self.mode = "starting"
        self.reason = "recovery is not done"
        self.undecided: list[tuple[int, bytes]] = []
        self._rebuilding = False  # the index is behind what it has shown to readers before
        self.started_at_s = clock.monotonic_s()
        self.resend_limit_s = settings.resend_limit_s
        self._cleaner = Cleaner(self)

    # --- recovery -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Recover as far as the present drives allow (R15); sets mode and reason. May be called again while it is not
        "ready".
        """
        self.drives.refresh()
        s = self._settings
        how = recovery.may_start(len(self.drives.present), len(self.drives.absent), s.k)
        try:
            if how == "full":
                self._recover()
                self.mode, self.reason, self.undecided = "ready", "", []
                self._rebuilding = False
            elif how == "read-only":
                views = survey(self.drives.present.values(), self.drives.ids())
                self.undecided = recovery.undecided(views, self.index.mark(), absent=len(self.drives.absent), k=s.k)
                self.mode, self.reason = "read-only", self.drives.shortage(s.k + 1)
            else:
                raise errors.NotReady(self.drives.shortage(s.k))
        except Unusable:
            raise  # a successor makes the index anew
        except errors.Unavailable as error:
            self.mode, self.reason = "starting", error.message
        log.info("journal.recovered", mode=self.mode, reason=self.reason, sequence=self._sequence, epoch=self._epoch)

    def _recover(self) -> None:
        self._writer = None
        self._broken = False
        self._epoch = self.drives.raise_epoch(self._settings.k + 1)
        self._number = 0
        views = survey(self.drives.present.values(), self.drives.ids())
        plan = recovery.plan(views, self.index.mark(), absent=len(self.drives.absent), k=self._settings.k)
        if plan is None:
            self._first_segment(views)
            return
        if not plan.index_valid:
            self.index.wipe()
        self._rebuilding = self.index.mark() == recovery.EMPTY
        # What is proven is replayed before anything is written: a gap stops here, and not after one more segment.
        recovery.replay(plan.chain, plan.proven, self.index)
        self._index_takes_commits()
        last = plan.chain[-1]
        self._sequence = plan.last
        self.chain = []
        for number, view in enumerate(plan.chain[:-1]):
            after = plan.chain[number + 1].meta
            self.chain.append(
                SegmentInfo(view.segment, after.previous_bytes, view.meta.previous_end + 1, after.previous_end)
            )
        self.chain.append(SegmentInfo(last.segment, plan.proven_bytes, last.meta.previous_end + 1, plan.proven))
        opening = [record.proposal() for record in plan.tail]
        self._open(
            previous=self.chain[-1], floor=last.meta.floor, opening=opening, floor_sequence=last.meta.floor_sequence
        )
        self._finish_start()

    def _index_takes_commits(self) -> None:
        """Before a segment is opened: a state folder that is full must not cost a segment a try."""
        self.index.begin()
        self.index.commit(self.index.mark())

    def _first_segment(self, views: Survey) -> None:
        """The first start of a new cluster, and of nothing else: any sign of an earlier life stops it."""
        if views.blind or views.headless or self.index.mark() != recovery.EMPTY or self.drives.hold_bulk():
            raise errors.NotReady(
                "no journal can be read on the present drives, yet this is no new cluster: return its drives"
            )
        self._index_takes_commits()
        self._sequence = 0
        self.chain = []
        self._open(previous=None, floor=0, opening=[], floor_sequence=0)
        self._finish_start()

    def _finish_start(self) -> None:
        """Replay, then what the journal says is what the index shows. What lies outside the chain is never read; it
        stays until the floor has passed it, because an hour of an operator's time is cheaper than a deletion too
        many."""
        assert self._writer is not None
        views = survey(self.drives.present.values(), self.drives.ids())
        ordered = [views[info.segment] for info in self.chain]
        recovery.replay(ordered, self._sequence, self.index)
        if self.index.mark().sequence != self._sequence:
            raise errors.NotReady("the journal's tail cannot be read back: a drive must return")
        self.index.begin()
        self.index.commit(Mark(self._sequence, self._writer.segment, self._writer.offset))
        self._applied.load(self.index)
        self._broken = False
        self._dropped.clear()

    # --- segments -----------------------------------------------------------------------------------------------------

    def next_segment_id(self) -> int:
        """Never given out before: the epoch was raised at start, the number counts on (R7)."""
        self._number += 1
        return segment_id(self._epoch, self._number)

    def _open(
        self, *, previous: SegmentInfo | None, floor: int, opening: Sequence[Proposal], floor_sequence: int
    ) -> None:
        """A new segment on the drives that take it; at least k+1, or ReadOnly / OutOfSpace."""
        s = self._settings
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
            writer, placed, failed = strands.create(segment, meta, members, opening, first=first, lanes=self._lanes)
            if not failed:
                self._writer = writer
                self._broken = False
                last = placed[-1].sequence if placed else first - 1
                if previous:
                    self.sealed_at_s[previous.segment] = clock.monotonic_s()
                self.chain.append(SegmentInfo(segment, writer.offset, first, last))
                return
            self._exclude(failed, segment)
        raise self.drives.why_not(s.k + 1)

    def _exclude(self, failed: dict[int, BaseException], segment: int) -> None:
        for slot, error in failed.items():
            log.warning("drive.excluded", slot=slot, segment=f"{segment:016x}", reason=reason_of(error))
            self.drives.exclude(slot, error, segment)

    def roll(self, floor: int = 0, floor_sequence: int = 0) -> None:
        """Seal the open segment at what was acked and go on in a new one (R2); with `floor`, raised to it (R7)."""
        assert self._writer is not None
        assert self.index.mark().sequence == self._sequence, "only a complete index may be marked further"
        meta = self._writer.meta
        self._open(
            previous=self.chain[-1], floor=floor or meta.floor, opening=[],
            floor_sequence=floor_sequence or meta.floor_sequence,
        )  # fmt: skip
        assert self._writer is not None
        self.index.begin()
        try:
            if floor:
                execute(prune(floor_sequence, self.index), self.index)
            self.index.commit(Mark(self._sequence, self._writer.segment, self._writer.offset))
        except errors.Unavailable:
            self.index.rollback()
            if floor:
                raise
            # The mark stays in the segment before, which proves as much: nothing was appended to this one yet.

    # --- one turn of the group commit ---------------------------------------------------------------------------------

    def process(self, batch: Sequence[commands.Command], deliver: Callable[[list[Reply]], None]) -> None:
        """Decide all in order, one write and one sync a drive, one index transaction, then `deliver` (R1, R6).

        Raises IndexFailed: the caller must end the process without answering."""
        turn = _Batch(len(batch))
        self._batches += 1
        self._commands += len(batch)
        self.index.begin()
        try:
            self._ready_to_append()
            self._decide_all(batch, turn)
            if turn.proposals:
                self._append(turn)
        except errors.Unavailable as error:
            self.index.rollback()
            self._cleaner.reset()
            self._answer_unavailable(batch, turn, error)
            deliver([reply for reply in turn.replies if reply is not None])
            return
        if faults.skipped("ack_before_commit"):
            deliver([reply for reply in turn.replies if reply is not None])
            faults.hit("journal.reply")
        self._commit(turn)
        if not faults.skipped("ack_before_commit"):
            faults.hit("journal.reply")
            deliver([reply for reply in turn.replies if reply is not None])

    def _ready_to_append(self) -> None:
        if self.mode != "ready" or self._writer is None:
            return
        if not self._broken and strands.fits(self._writer, self._settings.segment_bytes):
            return
        self.index.rollback()
        try:
            self.roll()
        finally:
            self.index.begin()

    def _decide_all(self, batch: Sequence[commands.Command], turn: _Batch) -> None:
        for number, command in enumerate(batch):
            try:
                turn.replies[number] = self._decide_one(command, turn)
            except errors.KakeraError as error:
                if turn.taking or isinstance(error, TransactionFailed | Unusable):
                    raise  # rows may be half put: the whole turn comes to nothing
                turn.replies[number] = refusal(error)

    def _decide_one(self, command: commands.Command, turn: _Batch) -> Reply:
        if isinstance(command, commands.Status):
            return Ok(body=codec.encode(self.status()))
        earlier = self._applied.get(command.id) or turn.ids.get(command.id)
        if earlier is not None:
            return earlier
        if self.mode != "ready":
            raise (errors.ReadOnly if self.mode == "read-only" else errors.NotReady)(self.reason)
        if isinstance(command, commands.OpenBulk):
            return Ok(value=self.next_segment_id())
        if isinstance(command, commands.Clean):
            return self._clean(command, turn)
        if self._full and isinstance(command, _ADDS):
            raise errors.OutOfSpace("drives are full: only deletes are taken")
        dropped = self._dropped | turn.dropped
        if dropped and any(segment in dropped for segment in segments_named(command)):
            raise errors.Unavailable("the bulk segment of this body was dropped")
        decision = decide(command, self.index, self._sequence + len(turn.proposals) + 1)
        fact = None
        for proposal in decision.proposals:
            fact = self._take(proposal, turn)
        reply = decision.reply or (reply_of(fact) if fact else Ok())
        if fact is not None:
            turn.ids[command.id] = reply
        return reply

    def _clean(self, command: commands.Clean, turn: _Batch) -> Ok:
        """value 1: there is more to do. What must not happen inside a batch (rolling) happens after it, in `tick`."""
        if command.what == "drop_bulk":
            if self.index.get(BULK, (command.segment,)) is not None:
                raise errors.OperationAborted("the segment is referred to")
            turn.dropped.add(command.segment)
            return Ok(value=1)
        if command.what in ("roll", "finish"):
            self._wanted.add(command.what)
            return Ok()
        try:
            for proposal in self._cleaner.step(command, self.index):
                self._take(proposal, turn)
        except BaseException:
            self._cleaner.reset()  # its cursor has passed what this step did not move
            raise
        return Ok(value=self._cleaner.left)

    def _take(self, proposal: Proposal, turn: _Batch) -> Fact:
        """Give the record its place and show its rows to the commands behind it."""
        assert self._writer is not None
        offset = self._writer.offset
        if turn.facts:
            last = turn.facts[-1].location
            offset = last.offset + last.length
        length = record_length(len(proposal.meta), strands.body_bytes(proposal))
        location = Location(self._writer.segment, offset, length)
        sequence = self._sequence + len(turn.facts) + 1
        fact = Fact(proposal.type, proposal.flags, sequence, proposal.command_id, proposal.meta, location)
        turn.taking = True
        execute(apply(fact, self.index), self.index)
        turn.taking = False
        turn.proposals.append(proposal)
        turn.facts.append(fact)
        return fact

    def _append(self, turn: _Batch) -> None:
        """Durable on every strand of the open segment; on a failing or late drive roll, and append all of it again
        (R2).
        """
        for _ in range(limits.MAX_CREATE_ATTEMPTS):
            assert self._writer is not None
            placed = [Placed(p, f.sequence, f.location) for p, f in zip(turn.proposals, turn.facts, strict=True)]
            failed = self._writer.write(placed, self._lanes)
            if not failed:
                self._writer.advance(placed)
                faults.hit("journal.synced")
                return
            self._broken = True
            self._exclude(failed, self._writer.segment)
            self.index.rollback()
            try:
                self.roll()
            finally:
                self.index.begin()
            self._take_again(turn)
        raise self.drives.why_not(self._settings.k + 1)

    def _take_again(self, turn: _Batch) -> None:
        """The same decisions at their new places: only locations change."""
        proposals = turn.proposals
        turn.proposals, turn.facts = [], []
        for proposal in proposals:
            self._take(proposal, turn)

    def _commit(self, turn: _Batch) -> None:
        self._dropped |= turn.dropped
        if not turn.facts:
            self.index.rollback()
            self._cleaner.settled()
            return
        assert self._writer is not None
        last = turn.facts[-1]
        mark = Mark(last.sequence, self._writer.segment, self._writer.offset)
        for attempt in range(limits.INDEX_RETRY_LIMIT):
            try:
                self.index.commit(mark)
                break
            except Exception as error:
                log.error("index.commit_failed", attempt=attempt, error=str(error))
                self.index.rollback()
                if self.index.mark() == mark:
                    break  # it happened all the same; once more would count its bodies twice
                self.index.begin()
                for fact in turn.facts:
                    execute(apply(fact, self.index), self.index)
        else:
            raise IndexFailed("the index took no commit")
        self._sequence = last.sequence
        info = self.chain[-1]
        self.chain[-1] = SegmentInfo(info.segment, self._writer.offset, info.first, last.sequence)
        self._applied.add(turn.ids)
        self._cleaner.settled()

    def _answer_unavailable(self, batch: Sequence[commands.Command], turn: _Batch, error: errors.Unavailable) -> None:
        """Nothing of this turn counts: whoever changes something is told why, and so is every refusal that saw those
        changes.
        """
        for number, command in enumerate(batch):
            if not isinstance(command, commands.Status):
                turn.replies[number] = self._applied.get(command.id) or refusal(error)
            elif turn.replies[number] is None:
                turn.replies[number] = Ok(body=codec.encode(self.status()))

    # --- between batches ----------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Look at the drives; recover, rejoin, seal as they come and go. Cheap when nothing changed."""
        self._do_wanted()
        if clock.monotonic_s() - self._probed_at_s >= limits.DRIVE_PROBE_S:
            self.probe_now()

    def probe_now(self) -> None:
        """The part of `tick` that looks at the drives, at once."""
        self._do_wanted()
        self._probed_at_s = clock.monotonic_s()
        self._applied.forget()
        changed = self.drives.refresh()
        if self.mode != "ready":
            self._start_again(came_or_went=changed)
            return
        s = self._settings
        self._full = self.drives.roomy(s.reserve_bytes) < s.k + 1
        if changed:
            self.drives.drop_journal_below(self.chain[0].segment)
        assert self._writer is not None
        better = len(self.drives.choose(s.k, s.m)) > len(self._writer.members)
        gone = any(drive.slot not in self.drives.present for drive in self._writer.members.values())
        if better or gone or self._broken:
            try:
                self.roll()
            except errors.Unavailable as error:
                self._broken, self.reason = True, error.message

    def _start_again(self, *, came_or_went: bool) -> None:
        """At once when a drive came or went, else less and less often: a try may write a segment."""
        now_s = clock.monotonic_s()
        if came_or_went:
            self._retry_after_s = limits.DRIVE_PROBE_S
        elif now_s < self._retry_at_s:
            return
        self.start()
        self._retry_at_s = clock.monotonic_s() + self._retry_after_s
        self._retry_after_s = min(2 * self._retry_after_s, limits.START_RETRY_MAX_S)

    def _do_wanted(self) -> None:
        wanted, self._wanted = self._wanted, set()
        if self.mode != "ready":
            return
        try:
            if "roll" in wanted and self.chain[-1].last >= self.chain[-1].first:
                self.roll()
            if "finish" in wanted:
                self._cleaner.finish()
        except errors.Unavailable as error:
            self._broken, self.reason = True, error.message

    def status(self) -> StatusReply:
        mode, reason = self.mode, self.reason
        if mode == "ready" and self._broken:
            mode = "read-only"
        return StatusReply(
            mode, reason if mode != "ready" else "", self._epoch, self.chain, self.chain[0].segment if self.chain else
            0, self.drives.report(), self._batches, self._commands, self._full, self.undecided, self.drives.suspects(),
            self._rebuilding,
        )  # fmt: skip

    def close(self) -> None:
        """Clean shutdown: everything the journal says is in the index, synced."""
        if self.mode == "ready":
            self.index.sync()
        self._lanes.close()
