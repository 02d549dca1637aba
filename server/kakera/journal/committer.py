"""The committer: the one owner of order in a partition. Takes commands in batches, decides, makes durable, commits,
answers.

No sockets here (service.py) and no thread but the lanes: `process` is one turn of the group commit, `tick` the
housekeeping between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kakera.base import clock, errors, faults, limits
from kakera.index.interface import Index, Mark, TransactionFailed, Unusable
from kakera.index.tables import BULK, Location
from kakera.journal import codec, commands, opening, strands
from kakera.journal.apply import Fact, apply, execute, reply_of
from kakera.journal.chain import Journal, Settings
from kakera.journal.cleaning import Cleaner
from kakera.journal.commands import READABLE, UNAVAILABLE, Ok, Reply, SegmentInfo, StatusReply
from kakera.journal.decide import Proposal, decide, refusal, segments_added
from kakera.journal.lanes import Lanes
from kakera.journal.members import Members
from kakera.journal.once import Applied
from kakera.journal.recovery import may_start
from kakera.journal.room import Room
from kakera.journal.strands import Placed
from kakera.observe.log import get_logger
from kakera.segments.record import record_length

log = get_logger("journal")
_ADDS = (commands.Put, commands.PutPart, commands.CreateUpload, commands.Complete)


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
        self.ids: dict[bytes, Ok] = {}
        self.closed: set[int] = set()
        self.taking = False  # between the first row of a record and its last


class Committer:
    """Order, durability and visibility of one partition."""

    def __init__(self, drives: Members, index: Index, settings: Settings, *, lanes: Lanes | None = None) -> None:
        self.index = index
        self.journal = Journal(drives, index, settings, lanes or Lanes(settings.laggard_limit_s))
        self._drives = drives
        self._settings = settings
        self._applied = Applied(settings.resend_limit_s)
        self._probed_at_s = 0.0
        self._retry_at_s, self._retry_after_s = 0.0, limits.DRIVE_PROBE_S
        self._wanted: set[str] = set()
        # Bulk segments that take nothing new: dropped, or being punched. A command that adds DATA there was sent by a
        # worker that died, its pin with it; the set may die with this process as the queue of such commands does (R7).
        self._closed: set[int] = set()
        self._batches = self._commands = 0
        self._room = Room(drives, settings.reserve_bytes, settings.k, settings.state)
        self.mode = "starting"
        self.reason = "recovery is not done"
        self.undecided: list[tuple[int, bytes]] = []
        self._cleaner = Cleaner(self.journal)

    def start(self) -> None:
        """Recover as far as the present drives allow (R15); sets mode and reason. May be called again while it is not
        "ready".
        """
        try:
            mode, reason, undecided = opening.open_journal(self.journal)
            if mode == "ready":
                self._applied.load(self.index)
                self._closed.clear()
            self.mode, self.reason, self.undecided = mode, reason, undecided
        except Unusable:
            raise  # a successor makes the index anew
        except errors.Unavailable as error:
            self.mode, self.reason = "starting", error.message
        journal = self.journal
        log.info(
            "journal.recovered", mode=self.mode, reason=self.reason, sequence=journal.sequence, epoch=journal.epoch
        )

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
            if turn.facts:
                faults.hit("journal.reply")
            deliver([reply for reply in turn.replies if reply is not None])

    def _ready_to_append(self) -> None:
        if self.mode != "ready" or self.journal.writer is None:
            return
        if not self.journal.broken and strands.fits(self.journal.writer, self._settings.segment_bytes):
            return
        self.index.rollback()
        try:
            self.journal.roll()
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
            return Ok(value=self.journal.next_segment_id())
        if isinstance(command, commands.Clean):
            return self._clean(command, turn)
        if self._room.full and isinstance(command, _ADDS):
            raise errors.OutOfSpace(self._room.full)
        closed = self._closed | turn.closed
        if closed and segments_added(command, self.index) & closed:
            raise errors.Unavailable("the bulk segment of this body takes nothing new any more")
        decision = decide(command, self.index, self.journal.sequence + len(turn.proposals) + 1)
        fact = None
        for proposal in decision.proposals:
            fact = self._take(proposal, turn)
        reply = decision.reply or (reply_of(fact) if fact else Ok())
        if fact is not None:
            turn.ids[command.id] = reply
        return reply

    def _clean(self, command: commands.Clean, turn: _Batch) -> Ok:
        """value 1: there is more to do. What must not happen inside a batch (rolling) happens after it, in `tick`."""
        if command.what in ("drop_bulk", "close_bulk"):
            if command.what == "drop_bulk" and self.index.get(BULK, (command.segment,)) is not None:
                raise errors.OperationAborted("the segment is referred to")
            turn.closed.add(command.segment)
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
        assert self.journal.writer is not None
        offset = self.journal.writer.offset
        if turn.facts:
            last = turn.facts[-1].location
            offset = last.offset + last.length
        length = record_length(len(proposal.meta), strands.body_bytes(proposal))
        location = Location(self.journal.writer.segment, offset, length)
        sequence = self.journal.sequence + len(turn.facts) + 1
        fact = Fact(proposal.type, proposal.flags, sequence, proposal.command_id, proposal.meta, location)
        turn.taking = True
        execute(apply(fact, self.index), self.index)
        turn.taking = False
        turn.proposals.append(proposal)
        turn.facts.append(fact)
        return fact

    def _append(self, turn: _Batch) -> None:
        """Durable on every strand of the open segment; on a failing or late drive roll, and append all again (R2)."""
        for _ in range(limits.MAX_CREATE_ATTEMPTS):
            assert self.journal.writer is not None
            placed = [Placed(p, f.sequence, f.location) for p, f in zip(turn.proposals, turn.facts, strict=True)]
            failed = self.journal.writer.write(placed, self.journal.lanes)
            if not failed:
                self.journal.writer.advance(placed)
                faults.hit("journal.synced")
                return
            self.journal.broken = True
            self.journal.exclude(failed, self.journal.writer.segment)
            self.index.rollback()
            try:
                self.journal.roll()
            finally:
                self.index.begin()
            self._take_again(turn)
        raise self._drives.why_not(self._settings.k + 1)

    def _take_again(self, turn: _Batch) -> None:
        """The same decisions at their new places: only locations change."""
        proposals = turn.proposals
        turn.proposals, turn.facts = [], []
        for proposal in proposals:
            self._take(proposal, turn)

    def _commit(self, turn: _Batch) -> None:
        self._closed |= turn.closed
        if not turn.facts:
            self.index.rollback()
            self._cleaner.settled()
            return
        assert self.journal.writer is not None
        last = turn.facts[-1]
        mark = Mark(last.sequence, self.journal.writer.segment, self.journal.writer.offset)
        for attempt in range(limits.INDEX_RETRY_LIMIT):
            try:
                self.index.commit(mark)
                break
            except Exception as error:
                log.error("index.commit_failed", attempt=attempt, error=str(error))
                self._room.help_index()
                self.index.rollback()
                if self.index.mark() == mark:
                    break  # it happened all the same; once more would count its bodies twice
                self.index.begin()
                for fact in turn.facts:
                    execute(apply(fact, self.index), self.index)
        else:
            raise IndexFailed("the index took no commit")
        self.journal.sequence = last.sequence
        info = self.journal.chain[-1]
        self.journal.chain[-1] = SegmentInfo(info.segment, self.journal.writer.offset, info.first, last.sequence)
        self._applied.add(turn.ids)
        self._cleaner.settled()

    def _answer_unavailable(self, batch: Sequence[commands.Command], turn: _Batch, error: errors.Unavailable) -> None:
        """Nothing of this turn counts: whoever changes something is told why, and every refusal that saw it."""
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
        changed = self._drives.refresh()
        if self.mode != "ready":
            self._start_again(came_or_went=changed)
            return
        s = self._settings
        self._room.look()
        if changed:
            self._drives.drop_journal_below(self.journal.chain[0].segment)
        assert self.journal.writer is not None
        better = len(self._drives.choose(s.k, s.m)) > len(self.journal.writer.members)
        gone = any(drive.slot not in self._drives.present for drive in self.journal.writer.members.values())
        if better or gone or self.journal.broken:
            try:
                self.journal.roll()
            except errors.Unavailable as error:
                self.journal.broken, self.reason = True, error.message

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
            if "roll" in wanted and self.journal.chain[-1].last >= self.journal.chain[-1].first:
                self.journal.roll()
            if "finish" in wanted:
                self._cleaner.finish()
        except errors.Unavailable as error:
            self.journal.broken, self.reason = True, error.message

    def status(self) -> StatusReply:
        journal, drives = self.journal, self._drives
        mode, reason = self.mode, self.reason
        if mode in READABLE and not may_start(len(drives.present), len(drives.absent), journal.settings.k):
            mode, reason = UNAVAILABLE, drives.shortage(journal.settings.k)  # the same answer as after a restart (R15)
        elif mode == "ready" and journal.broken:
            mode = "read-only"
        return StatusReply(
            mode, reason if mode != "ready" else "", journal.epoch, journal.chain,
            journal.chain[0].segment if journal.chain else 0, self._drives.report(), self._batches, self._commands,
            bool(self._room.full), self.undecided, journal.rebuilding,
        )  # fmt: skip

    def close(self) -> None:
        """Clean shutdown: everything the journal says is in the index, synced."""
        if self.mode == "ready":
            self.index.sync()
        self.journal.lanes.close()
