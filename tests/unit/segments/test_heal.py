"""Census, heal, scrub: full redundancy is proved, lost, regained (R2, R8)."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from kakera.base import errors, faults, ids
from kakera.segments.census import SegmentCensus, Target, census, list_segments
from kakera.segments.drive import BULK, JOURNAL, Strand
from kakera.segments.heal import heal_strand
from kakera.segments.identity import replace_drive
from kakera.segments.meta import ChunkRef
from kakera.segments.scrub import Cursor, scrub_step
from kakera.segments.walk import Throttle
from tests.unit.segments.cluster import Cluster, JournalSegment, content, failing, upload


class Filled:
    """A sealed bulk segment with a few bodies."""

    def __init__(self, cluster: Cluster, refs: list[ChunkRef]) -> None:
        self.cluster = cluster
        self.refs = refs
        self.strand = Strand(BULK, refs[0].segment)

    def census(self) -> SegmentCensus:
        return next(iter(census([Target(BULK, self.strand.segment)], self.cluster.drives)))

    def heal(self) -> list[int]:
        found = self.census()
        for index in found.to_heal():
            assert heal_strand(self.cluster.drives, self.strand, index).lost == []
        return found.to_heal()

    async def check(self) -> None:
        reader = self.cluster.new_reader()
        for seed, ref in enumerate(self.refs):
            assert await reader.chunk(ref, 0, ref.size) == content(ref.size, seed=seed)

    def bytes_of(self, index: int) -> bytes:
        return self.cluster.path(self.cluster.slot_of(self.strand, index), self.strand).read_bytes()


async def fill(cluster: Cluster) -> Filled:
    writer = cluster.new_writer()
    refs = []
    for seed, size in enumerate([200_000, 131_073, 700_000]):
        refs += await upload(writer, content(size, seed=seed))
    writer.close()
    return Filled(cluster, refs)


async def test_what_is_healed_is_byte_for_byte_what_it_was(cluster: Cluster) -> None:
    filled = await fill(cluster)
    assert filled.census().full
    before = {index: filled.bytes_of(index) for index in range(6)}
    random_ = random.Random(3)
    for _ in range(6):
        hurt = random_.sample(range(6), 2)
        for index in hurt:
            slot = cluster.slot_of(filled.strand, index)
            how = random_.choice(["flip", "cut", "remove", "zero"])
            if how == "remove":
                cluster.path(slot, filled.strand).unlink()
                cluster.drives.present[slot].close()  # type: ignore[attr-defined]
            else:
                at = random_.randrange(100, len(before[index]) - 200)
                change = {
                    "flip": lambda data, at=at: data.__setitem__(at, data[at] ^ 64),
                    "cut": lambda data, at=at: data.__delitem__(slice(at, None)),
                    "zero": lambda data, at=at: data.__setitem__(slice(at, at + 150), bytes(150)),
                }[how]
                cluster.edit(slot, filled.strand, change)
        await filled.check()
        found = filled.census()
        assert not found.full and set(found.to_heal()) <= set(hurt)
        filled.heal()
        assert filled.census().full
        assert {index: filled.bytes_of(index) for index in range(6)} == before


async def test_a_torn_write_is_neither_damage_nor_loss(cluster: Cluster) -> None:
    """A worker killed while it wrote: the record is whole on two strands, cut on one, not on the others."""
    filled = await fill(cluster)
    end = filled.refs[2].offset
    for index, keep in ((0, 5000), (3, 0), (4, 0), (5, 0)):
        slot = cluster.slot_of(filled.strand, index)
        cluster.edit(slot, filled.strand, lambda data, keep=keep: data.__delitem__(slice(end + keep, None)))
    found = filled.census()
    assert found.full and found.records == 3
    # One damaged instead of unwritten on each of two more: it may have been acked.
    filled = await fill(cluster)
    end = filled.refs[2].offset
    for index in (0, 1, 2):
        cluster.flip(cluster.slot_of(filled.strand, index), filled.strand, (end + 300) * 8)
    assert filled.census().lost == [end]


async def test_a_replaced_drive_is_filled_again(cluster: Cluster) -> None:
    filled = await fill(cluster)
    shutil.rmtree(cluster.root / "d3")
    cluster.drives.refresh()
    (index,) = filled.census().missing
    with pytest.raises(errors.ReadOnly):
        heal_strand(cluster.drives, filled.strand, index)
    replace_drive(cluster.config, 3)
    cluster.drives.refresh()
    assert filled.heal() == [index]
    assert filled.census().full
    assert cluster.slot_of(filled.strand, index) == 3
    for slot in (0, 1):
        cluster.away(slot)
    await filled.check()


async def test_a_spare_drive_takes_the_strand_of_one_that_is_away(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, k=2, m=1, drives=5)
    filled = await fill(cluster)
    away = cluster.slot_of(filled.strand, 1)
    cluster.away(away)
    assert filled.heal() == [1]
    assert filled.census().full
    cluster.back(away)
    assert filled.census().full
    await filled.check()


async def test_three_lost_strands_are_said_to_be_lost(cluster: Cluster) -> None:
    filled = await fill(cluster)
    ref = filled.refs[1]
    for index in (0, 2, 5):
        cluster.flip(cluster.slot_of(filled.strand, index), filled.strand, (ref.offset + 300) * 8)
    found = filled.census()
    assert found.lost == [ref.offset]
    assert found.to_heal() == [0, 2, 5]
    before = filled.bytes_of(2)
    healed = heal_strand(cluster.drives, filled.strand, 2)
    assert healed.lost == [ref.offset]
    assert filled.bytes_of(2) == before, "what cannot be made again is left for a person to look at"
    reader = cluster.new_reader()
    assert await reader.chunk(filled.refs[2], 0, 10) == content(700_000, seed=2)[:10]
    with pytest.raises(errors.Damaged):
        await reader.chunk(ref, 0, 10)


async def test_heal_interrupted_anywhere_leaves_the_strand_as_it_was_or_whole(cluster: Cluster) -> None:
    filled = await fill(cluster)
    good = filled.bytes_of(4)
    slot = cluster.slot_of(filled.strand, 4)
    cluster.flip(slot, filled.strand, (filled.refs[0].offset + 300) * 8)
    bad = filled.bytes_of(4)

    class Died(BaseException):
        pass

    for step in range(1, 200):
        passed = [0]

        def hit(point: str, subject: str = "", *, step: int = step, passed: list[int] = passed) -> None:
            if f"/d{slot}/" in subject:
                passed[0] += 1
                if passed[0] == step:
                    raise Died

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(faults, "plan", faults.Plan())
            patch.setattr(faults, "hit", hit)
            try:
                heal_strand(cluster.drives, filled.strand, 4)
            except Died:
                pass
        cluster.drives.present[slot].close()  # type: ignore[attr-defined]
        assert filled.bytes_of(4) in (good, bad)
        if passed[0] < step:
            break
    assert step > 10
    assert filled.bytes_of(4) == good


async def test_orphans_are_no_damage_and_damage_to_what_counts_is(cluster: Cluster) -> None:
    filled = await fill(cluster)
    live = {filled.refs[0].offset, filled.refs[2].offset}
    target = Target(BULK, filled.strand.segment)

    def look() -> SegmentCensus:
        return next(iter(census([target], cluster.drives, refers=lambda body, number, offset: offset in live)))

    assert [orphan.offset for orphan in look().orphans] == [filled.refs[1].offset]
    assert look().orphan_bytes == filled.refs[1].length
    cluster.flip(0, filled.strand, (filled.refs[1].offset + 300) * 8)
    assert look().full
    cluster.flip(0, filled.strand, (filled.refs[0].offset + 300) * 8)
    assert not look().full


def journal(cluster: Cluster) -> JournalSegment:
    segment = cluster.new_journal()
    for seed, size in enumerate([0, 500, 5000, 100_000, 3]):
        segment.add(content(size, seed=seed), replicated=size <= 1024)
    return segment


def test_a_journal_strand_is_healed_to_the_end_that_counts(cluster: Cluster) -> None:
    segment = journal(cluster)
    end = segment.end
    segment.add(content(900))  # never acked: beyond the end
    before = cluster.path(2, segment.strand).read_bytes()[:end]
    cluster.path(2, segment.strand).unlink()
    cluster.drives.present[2].close()  # type: ignore[attr-defined]
    target = Target(JOURNAL, segment.strand.segment, end)
    assert [found.to_heal() for found in census([target], cluster.drives)] == [[2]]
    heal_strand(cluster.drives, segment.strand, 2, end=end)
    assert cluster.path(2, segment.strand).read_bytes() == before
    (found,) = census([target], cluster.drives)
    assert found.full and found.records == 6


def test_a_journal_strand_is_not_healed_from_too_little(cluster: Cluster) -> None:
    """A strand with a hole where a record counts would look like one without it."""
    segment = journal(cluster)
    middle = segment.end - 100_000 // 4
    for slot in (0, 1, 2):
        cluster.edit(slot, segment.strand, lambda data: data.__delitem__(slice(middle, None)))
    before = cluster.path(0, segment.strand).read_bytes()
    with pytest.raises(errors.Damaged):
        heal_strand(cluster.drives, segment.strand, 0, end=segment.end)
    assert cluster.path(0, segment.strand).read_bytes() == before
    (found,) = census([Target(JOURNAL, segment.strand.segment, segment.end)], cluster.drives)
    assert found.lost and not found.full


def test_an_end_that_no_strand_reaches_is_lost(cluster: Cluster) -> None:
    segment = journal(cluster)
    (found,) = census([Target(JOURNAL, segment.strand.segment, segment.end + 400)], cluster.drives)
    assert found.lost == [segment.end]


def test_a_hole_on_every_strand_is_walked_over(cluster: Cluster) -> None:
    """A write that failed everywhere: what follows still counts."""
    segment = journal(cluster)
    segment.end += 8 * 1000
    segment.add(content(2000))
    (found,) = census([Target(JOURNAL, segment.strand.segment)], cluster.drives)
    assert found.records == 7 and found.full
    before = cluster.path(1, segment.strand).read_bytes()
    cluster.path(1, segment.strand).unlink()
    cluster.drives.present[1].close()  # type: ignore[attr-defined]
    heal_strand(cluster.drives, segment.strand, 1, end=segment.end)
    assert cluster.path(1, segment.strand).read_bytes() == before


def test_bytes_in_a_body_that_look_like_a_record_are_not_one(cluster: Cluster) -> None:
    """A walk that lost its way on every strand must not believe what a user wrote (threat model)."""
    segment = cluster.new_journal()
    forged_in = segment.add(content(100))
    fake = cluster.path(0, segment.strand).read_bytes()[forged_in[1] : forged_in[1] + forged_in[2]]
    segment.add((fake * 40).ljust(8000, b"\0"))
    last = segment.add(content(300))
    for slot in range(6):  # the head of the record with the forged ones is lost on all strands
        cluster.edit(slot, segment.strand, lambda data: data.__setitem__(forged_in[1] + forged_in[2] + 1, 0))
    (found,) = census([Target(JOURNAL, segment.strand.segment, segment.end)], cluster.drives)
    assert found.lost == [forged_in[1] + forged_in[2]]
    assert found.gaps == [(forged_in[1] + forged_in[2], last[1])]
    assert found.faults == {} and found.records == 3


def test_listing(cluster: Cluster) -> None:
    one, two = journal(cluster), journal(cluster)
    cluster.path(3, two.strand).unlink()
    found = list_segments(cluster.drives, JOURNAL)
    assert list(found) == [one.strand.segment, two.strand.segment]
    assert found[two.strand.segment].keys() == {0, 1, 2, 4, 5}


def test_an_empty_strand_is_no_strand(cluster: Cluster) -> None:
    """A crash between file and header."""
    cluster.drives.present[0].create(Strand(BULK, ids.segment_id(9, 9)), b"")
    (found,) = census([Target(BULK, ids.segment_id(9, 9))], cluster.drives)
    assert not found.full and found.records == 0
    with pytest.raises(errors.Damaged):
        heal_strand(cluster.drives, Strand(BULK, ids.segment_id(9, 9)), 1)


async def test_scrub_goes_round(cluster: Cluster) -> None:
    segment = journal(cluster)
    filled = await fill(cluster)
    skipped = journal(cluster)
    cluster.flip(1, segment.strand, (segment.end - 1500) * 8)
    cluster.path(4, filled.strand).unlink()
    ends = {segment.strand.segment: segment.end}
    damage: list[tuple[str, int, int, int, str]] = []

    def limits_of(kind: str, number: int) -> Target | None:
        if kind == BULK:
            return Target(kind, number)
        return Target(kind, number, ends[number]) if number in ends else None

    cursor, seen = Cursor(), []
    while True:
        step = scrub_step(
            cluster.drives, cursor, limits_of, throttle=Throttle(0), on_damage=lambda *a: damage.append(a)
        )
        cursor = step.cursor
        if step.round_done:
            break
        assert step.found is not None
        seen.append((step.found.target.kind, step.found.target.segment))
    assert seen == [(JOURNAL, segment.strand.segment), (BULK, filled.strand.segment)]
    assert skipped.strand.segment not in {entry[1] for entry in damage}
    assert {(entry[0], entry[3]) for entry in damage} == {(JOURNAL, 1), (BULK, -1)}
    assert cursor == Cursor()


async def test_a_drive_that_fails_is_damage_not_an_end(cluster: Cluster) -> None:
    filled = await fill(cluster)
    with failing(faults.Plan(error={"drive.read": "EIO"}, subject="/d2/bulk")):
        found = filled.census()
    assert not found.full


def test_the_throttle(monkeypatch: pytest.MonkeyPatch) -> None:
    now, slept = [100.0], []
    monkeypatch.setattr("kakera.base.clock.monotonic_s", lambda: now[0])
    monkeypatch.setattr("time.sleep", slept.append)
    throttle = Throttle(1000)
    for _ in range(5):
        throttle.take(100)
    assert slept == pytest.approx([0.1, 0.2, 0.3, 0.4])
    Throttle(0).take(1 << 40)
