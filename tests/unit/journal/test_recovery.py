"""Recovery and once, each test from the rule it belongs to (R1, R2, R4, R15, R16)."""

from __future__ import annotations

import pytest

from kakera.base import clock
from kakera.index.tables import TABLES
from kakera.journal.commands import Condition, No, Ok
from kakera.segments.drive import JOURNAL
from kakera.segments.record import HEADER_BYTES
from tests.fakes.drive import Crash
from tests.fakes.world import World

BODY = bytes(range(256)) * 8


def ok(reply: object) -> Ok:
    assert isinstance(reply, Ok), reply
    return reply


def steps_of(world: World, key: bytes) -> int:
    """How many fault points one PUT passes."""
    world.countdown.left = 1 << 30
    ok(world.run(world.put(key, BODY)))
    passed = (1 << 30) - world.countdown.left
    world.countdown.left = -1
    return passed


@pytest.mark.parametrize("size", [0, 20, 2048])
def test_a_kill_at_every_step_of_a_put_leaves_it_done_once_or_not_at_all(size: int) -> None:
    """R1, R16: the worker sends again and has one version and one ack."""
    steps = steps_of(World(), b"probe")
    for step in range(steps):
        world = World(seed=step)
        ok(world.run(world.put(b"before", BODY)))
        command = world.put(b"k", BODY[:size])
        world.countdown.left = step
        with pytest.raises(Crash):
            world.run(command)
        world.successor()
        first = ok(world.run(command))
        again = ok(world.run(command))
        assert first == again
        assert world.get(b"k") == BODY[:size]
        assert world.get(b"before") == BODY


def test_killed_between_sync_and_index_commit() -> None:
    """R4: the successor replays what the index never saw; the id answers the resend (R16)."""
    world = World()
    snapshot = world.index.snapshot()
    command = world.put(b"k", BODY, condition=Condition(if_none_match=["*"]))
    ok(world.run(command))
    world.index.restore(snapshot)  # durable on every strand, the index transaction never happened
    world.successor()
    assert world.get(b"k") == BODY
    ok(world.run(command))  # without R16 this would be PreconditionFailed: its own first try
    other = world.run(world.put(b"k", b"x", condition=Condition(if_none_match=["*"])))
    assert isinstance(other, No) and other.error == "PreconditionFailed"


def test_killed_between_index_commit_and_reply() -> None:
    world = World()
    world.versioning(1)
    command = world.put(b"k", BODY, versioned=True)
    ok(world.run(command))
    world.successor()
    ok(world.run(command))
    assert len(world.versions(b"k")) == 1


def test_power_cut_rolls_the_index_back() -> None:
    world = World()
    early = world.index.snapshot()
    for number in range(20):
        ok(world.run(world.put(b"k%d" % number, BODY)))
    world.power_cut()
    world.index.restore(early)
    world.successor()
    assert all(world.get(b"k%d" % number) == BODY for number in range(20))


def test_index_lost_is_rebuilt_whole() -> None:
    world = World(segment_bytes=8000)
    world.versioning(1)
    for number in range(40):
        key = b"k%d" % (number % 7)
        ok(world.run(world.put(key, BODY[: number * 10], versioned=True)))
        if number % 5 == 0:
            ok(world.run(world.delete(key)))
    kept = world.index.snapshot()
    fresh = world.rebuilt().snapshot()
    for table in TABLES:
        assert fresh.tables[table.name] == kept.tables[table.name]
    world.index.wipe()
    world.successor()
    assert world.keys() == sorted({key for (_, key) in kept.tables["entries"]})  # type: ignore[misc]


def test_two_recoveries_with_other_drives_away() -> None:
    """R15: what the first accepted, the second cannot cut."""
    world = World(k=4, m=2)
    ok(world.run(world.put(b"k", BODY)))
    world.away(0)
    world.successor()
    assert world.committer.mode == "ready"
    assert world.get(b"k") == BODY
    ok(world.run(world.put(b"l", BODY)))
    world.away(5)
    world.successor()
    assert world.committer.mode == "ready"
    assert world.get(b"k") == BODY and world.get(b"l") == BODY
    world.away()
    world.successor()
    assert world.get(b"k") == BODY and world.get(b"l") == BODY


def tear(world: World, keep: set[int]) -> None:
    """Take the last record from every strand but those of `keep`, cache and platter."""
    entry = world.entry(b"k")
    assert entry is not None
    for drive in world.drives:
        if drive.slot not in keep:
            drive.erase(world.segment(), entry.offset)


def test_a_tail_record_that_was_acked_is_never_cut() -> None:
    """Acked on 5 strands (one drive was away); now another is away: 4 readable + 1 unreadable = k+1: accepted."""
    world = World(k=4, m=2)
    world.away(5)
    world.successor()
    ok(world.run(world.put(b"k", BODY)))
    snapshot = world.index.snapshot()
    world.index.restore(snapshot)
    world.away(4, 5)
    world.successor()
    assert world.committer.mode == "read-only"  # four drives: nothing may be appended
    assert world.get(b"k") == BODY
    world.away(4)
    world.successor()
    assert world.committer.mode == "ready"
    assert world.get(b"k") == BODY


def test_a_tail_record_that_was_never_acked_is_cut() -> None:
    """On 3 of 6 readable strands, none unreadable: fewer than k+1, so nobody was told (R15)."""
    world = World(k=4, m=2)
    ok(world.run(world.put(b"kept", BODY)))
    before = world.index.snapshot()
    ok(world.run(world.put(b"k", BODY)))
    tear(world, {0, 1, 2})
    world.index.restore(before)
    world.successor()
    assert world.committer.mode == "ready"
    assert world.entry(b"k") is None
    assert world.get(b"kept") == BODY
    ok(world.run(world.put(b"k", b"later")))
    world.successor()
    assert world.get(b"k") == b"later"


def test_a_tail_record_that_can_be_neither_cut_nor_read_waits_for_a_drive() -> None:
    """3 have it, 2 are away in 3+3: 3 + 2 >= k+1 and decodable needs 3; with 2 and 2 it is neither."""
    world = World(k=4, m=3)
    before = world.index.snapshot()
    ok(world.run(world.put(b"k", BODY)))
    tear(world, {0, 1, 2, 5, 6})
    world.index.restore(before)
    world.away(5, 6)
    world.successor()
    assert world.committer.mode == "starting"
    assert "neither cut nor readable" in world.committer.reason
    world.away(6)
    world.successor()
    assert world.committer.mode == "ready"
    assert world.get(b"k") == BODY


def test_a_hole_in_the_middle_of_one_strand() -> None:
    """R15: the union is read; a strand with a hole counts for what it has."""
    world = World(k=4, m=2)
    for number in range(10):
        ok(world.run(world.put(b"k%d" % number, BODY)))
    row = world.entry(b"k4")
    assert row is not None
    world.drives[2].erase(world.segment(), row.offset, row.length)
    world.index.wipe()
    world.successor()
    assert all(world.get(b"k%d" % number) == BODY for number in range(10))


@pytest.mark.parametrize("damaged", [0, 3])
def test_of_two_drives_with_one_strand_the_whole_one_counts(damaged: int) -> None:
    """A strand was healed onto a spare, and the drive it was on came back: the other strands are gone."""
    world = World(k=2, m=1, spares=1)
    for number in range(6):
        ok(world.run(world.put(b"k%d" % number, BODY)))
    strand = world.segment()
    world.committer.journal.roll()
    there = [drive for drive in world.drives if strand.segment in dict(drive.strands(JOURNAL))]
    (spare,) = [drive for drive in world.drives if drive not in there]
    spare.install(strand, iter([there[0].read(strand, 0, 1 << 20)]))
    bad = there[0] if damaged == 0 else spare
    at = world.entry(b"k3").offset + HEADER_BYTES  # type: ignore[union-attr]
    bad.write(strand, at, [bytes(byte ^ 1 for byte in bad.read(strand, at, 8))])
    bad.sync(strand)
    there[2].drop(strand)
    world.index.wipe()
    world.successor()
    assert world.committer.mode == "ready", world.committer.reason
    assert [world.get(b"k%d" % number) for number in range(6)] == [BODY] * 6


def test_a_sequence_on_no_readable_strand_stops_replay() -> None:
    """R15: refuses rather than goes on without it."""
    world = World(k=4, m=2)
    for number in range(10):
        ok(world.run(world.put(b"k%d" % number, BODY)))
    row = world.entry(b"k4")
    assert row is not None
    world.committer.journal.roll()
    for drive in world.drives:
        drive.erase(world.segment(0), row.offset, row.length)
    world.index.wipe()
    world.successor()
    assert world.committer.mode == "starting"
    reply = world.run(world.put(b"new", BODY))
    assert isinstance(reply, No) and reply.error == "NotReady"


@pytest.mark.parametrize("damage", ["swapped", "stale"])
def test_a_strand_that_is_not_its_own_is_not_read(damage: str) -> None:
    """One copied over another, or an old one put back: the header names segment and index, so it is read around."""
    world = World(k=4, m=2)
    for number in range(5):
        ok(world.run(world.put(b"k%d" % number, BODY + bytes([number]))))
    old = world.drives[0].content(world.segment())
    for number in range(5):
        ok(world.run(world.put(b"k%d" % number, BODY + bytes([number + 100]))))
    source = world.drives[1].content(world.segment()) if damage == "swapped" else old
    world.drives[0].replace(world.segment(), source)
    world.index.wipe()
    world.successor()
    assert all(world.get(b"k%d" % number) == BODY + bytes([number + 100]) for number in range(5))


def test_a_drive_that_missed_deletes_and_a_cleaning_resurrects_nothing() -> None:
    """R7: below the floor nothing is replayed, whatever a returning drive holds."""
    world = World(k=4, m=2, segment_bytes=6000)
    for number in range(6):
        ok(world.run(world.put(b"k%d" % number, BODY)))
    world.away(3)
    world.committer.probe_now()
    for number in range(5):
        ok(world.run(world.delete(b"k%d" % number)))
    missed = world.committer.journal.chain[-1].segment
    while world.committer.journal.chain[0].segment <= missed:
        world.clean_all()
    world.away()
    world.successor()
    assert world.keys() == [b"k5"]
    world.index.wipe()
    world.successor()
    assert world.keys() == [b"k5"] and world.get(b"k5") == BODY
    floor = world.committer.journal.chain[0].segment
    world.committer.journal.drives.drop_journal_below(floor)
    assert all(segment >= floor for segment, _ in world.drives[3].strands("journal"))


def test_cleaning_keeps_what_is_live_in_its_order() -> None:
    """R5, R7: MOVED keeps identity and order; a rebuild from the floor gives the same rows."""
    world = World(k=2, m=1, segment_bytes=4000)
    world.versioning(1)
    made = [world.put(b"k", BODY[:300] + bytes([n]), versioned=True) for n in range(12)]
    for command in made:
        ok(world.run(command))
    ok(world.run(world.delete(b"k")))
    order = world.versions(b"k")
    for _ in range(3):
        world.clean_all()
    assert world.versions(b"k") == order
    fresh, kept = world.rebuilt().snapshot(), world.index.snapshot()
    for table in TABLES:
        assert fresh.tables[table.name] == kept.tables[table.name], table.name


def test_read_only_serves_the_index_and_names_what_is_undecided() -> None:
    """R15, last paragraph: k drives, nothing is written, what lies behind the mark is not answered for."""
    world = World(k=4, m=2)
    ok(world.run(world.put(b"proven", BODY)))
    proven = world.index.snapshot()
    ok(world.run(world.put(b"undecided", BODY)))
    world.index.restore(proven)
    before = [drive.content(world.segment()) for drive in world.drives]
    world.away(4, 5)
    world.successor()
    assert world.committer.mode == "read-only"
    assert world.committer.undecided == [(world.bucket_id, b"undecided")]
    reply = world.run(world.put(b"x", BODY))
    assert isinstance(reply, No) and reply.error == "ReadOnly" and "5 drives are needed" in reply.message
    assert world.get(b"proven") == BODY
    assert [drive.content(world.segment_named(0)) for drive in world.drives] == before
    world.away()
    world.successor()
    assert world.get(b"undecided") == BODY


@pytest.mark.parametrize("away", [(0, 1, 2), (0, 1, 2, 3), (0, 1, 2, 3, 4, 5)])
def test_fewer_than_k_drives_answer_nothing_and_lose_nothing(away: tuple[int, ...]) -> None:
    world = World(k=4, m=2)
    ok(world.run(world.put(b"k", BODY)))
    world.away(*away)
    world.successor()
    assert world.committer.mode == "unavailable"
    reply = world.run(world.put(b"k", b"other"))
    assert isinstance(reply, No) and reply.error == "NotReady"
    world.away()
    world.successor()
    assert world.get(b"k") == BODY


def test_the_clock_stepping_an_hour_both_ways_changes_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """R5: order is the journal's."""
    world = World()
    world.versioning(1)
    expected = []
    for number, step_s in enumerate((0, 3600, -3600, 7200, -7200)):
        monkeypatch.setattr(clock, "wall_s", lambda step_s=step_s: 1_800_000_000.0 + step_s)
        command = world.put(b"k", bytes([number]), versioned=True)
        ok(world.run(command))
        ok(world.run(command))
        expected.append((command.id, False))
        world.successor()
    assert world.versions(b"k") == expected


def test_a_failed_sync_is_never_retried_and_acked() -> None:
    """R2: the strand reads clean, but its tail is gone at the next power cut."""
    world = World(k=4, m=2)
    world.drives[1].sync_fails = 1
    ok(world.run(world.put(b"k", BODY)))
    assert len(world.committer.journal.chain) == 2, "rolled to a segment without the failed drive"
    assert all(segment != world.segment().segment for segment, _ in world.drives[1].strands("journal"))
    world.power_cut()
    world.index.wipe()
    world.successor()
    assert world.get(b"k") == BODY


def test_two_failing_drives_refuse_the_write() -> None:
    """R1: k+1 at least; the refusal says why, and the reads go on."""
    world = World(k=4, m=2)
    ok(world.run(world.put(b"before", BODY)))
    world.drives[0].sync_fails = world.drives[1].sync_fails = 9
    reply = world.run(world.put(b"k", BODY))
    assert isinstance(reply, No) and reply.error == "ReadOnly"
    assert world.entry(b"k") is None and world.get(b"before") == BODY


def test_one_refusal_in_a_batch_sees_the_batch_before_it() -> None:
    """R6: the second If-None-Match of one batch is refused, in the same turn."""
    world = World()
    condition = Condition(if_none_match=["*"])
    replies = world.batch([world.put(b"k", b"1", condition=condition), world.put(b"k", b"2", condition=condition)])
    assert isinstance(replies[0], Ok)
    assert isinstance(replies[1], No) and replies[1].error == "PreconditionFailed"
    assert world.get(b"k") == b"1"


def test_flipped_bits_in_every_part_of_the_tail_record_lose_nothing() -> None:
    """R3, R15: one strand damaged anywhere in its last record is read around, also by recovery without an index."""
    world = World(k=4, m=2)
    ok(world.run(world.put(b"k", BODY)))
    row = world.entry(b"k")
    assert row is not None
    for at in (*range(0, HEADER_BYTES, 3), *range(HEADER_BYTES, row.length, 97)):
        strand = world.segment_named(row.segment)
        world.drives[1].flip(strand, row.offset + at, at % 8)
        world.drives[4].flip(strand, row.offset + (at * 7) % row.length, 1)
        assert world.get(b"k") == BODY, at
        world.drives[1].flip(strand, row.offset + at, at % 8)
        world.drives[4].flip(strand, row.offset + (at * 7) % row.length, 1)
    for drive in (1, 4):
        world.drives[drive].flip(world.segment_named(row.segment), row.offset + HEADER_BYTES + 3, 2)
    world.index.wipe()
    world.successor()
    assert world.get(b"k") == BODY


@pytest.mark.parametrize("lose_index", [False, True])
@pytest.mark.parametrize("how", ["truncated", "deleted"])
def test_strands_cut_short_on_m_drives_lose_nothing(how: str, lose_index: bool) -> None:
    """R3, R15: k whole strands are enough, whatever the others look like and with or without an index."""
    world = World(k=4, m=2)
    for number in range(6):
        ok(world.run(world.put(b"k%d" % number, BODY)))
    row = world.entry(b"k2")
    assert row is not None
    for slot in (1, 4):
        if how == "truncated":
            world.drives[slot].erase(world.segment(), row.offset)
        else:
            world.drives[slot].drop(world.segment())
    if lose_index:
        world.index.wipe()
    world.successor()
    assert world.committer.mode == "ready", world.committer.reason
    assert [world.get(b"k%d" % number) for number in range(6)] == [BODY] * 6
