"""The reader: right bytes or none (R3)."""

from __future__ import annotations

import asyncio
import shutil
import time

import pytest

from kakera.base import errors, faults, limits
from kakera.segments.drive import BULK, JOURNAL, Strand
from kakera.segments.meta import ChunkRef
from kakera.segments.reader import Reader, Vanished
from kakera.segments.record import HEADER_BYTES
from tests.unit.segments.cluster import Cluster, JournalSegment, Place, content, failing, upload

BODIES = [b"", b"x", content(700), content(1024), content(1025), content(4096), content(100_001), content(128 << 10)]


def is_replicated(body: bytes) -> bool:
    return len(body) <= limits.REPLICATED_BODY_BYTES


async def answer(reader: Reader, place: Place) -> bytes | None:
    """What a request would get: the body, or None for a 503."""
    found = reader.read_now(place)
    if found is None:
        try:
            found = await reader.read(place)
        except errors.Damaged:
            return None
    return found.body


@pytest.mark.parametrize("body", BODIES, ids=len)
async def test_both_ways_give_the_same(cluster: Cluster, body: bytes) -> None:
    segment = cluster.new_journal()
    segment.add(content(300), replicated=True)
    place = segment.add(body, replicated=is_replicated(body))
    reader = cluster.reader
    assert reader.read_now(place) is None  # nothing is known yet, and nothing is waited for
    slow = await reader.read(place)
    fast = reader.read_now(place)
    assert slow.body == body
    assert fast is not None
    assert (fast.body, fast.meta, fast.header.sequence) == (slow.body, slow.meta, slow.header.sequence)
    head = await reader.meta(place)
    assert (head.meta, head.body, head.header.body_size) == (b"meta of the record", None, len(body))
    assert cluster.damage == []


@pytest.mark.parametrize("away", [(0,), (0, 1), (2, 5), (4, 5)])
async def test_m_drives_away(cluster: Cluster, away: tuple[int, ...]) -> None:
    segment = cluster.new_journal()
    places = [(body, segment.add(body, replicated=is_replicated(body))) for body in BODIES]
    for slot in away:
        cluster.away(slot)
    for body, place in places:
        assert await answer(cluster.reader, place) == body


async def test_one_more_than_m_away_is_503_for_coded_bodies(cluster: Cluster) -> None:
    segment = cluster.new_journal()
    coded, copied = segment.add(content(5000)), segment.add(b"small", replicated=True)
    assert await answer(cluster.reader, coded) == content(5000)
    for slot in (0, 1, 2):
        cluster.away(slot)
    with pytest.raises(errors.Damaged) as caught:
        await cluster.reader.read(coded)
    assert not isinstance(caught.value, Vanished), "drives away do not make a segment gone: never a 404"
    assert await answer(cluster.reader, copied) == b"small"
    for slot in (0, 1, 2):
        cluster.back(slot)
    assert await answer(cluster.reader, coded) == content(5000)


def body_bits(segment: JournalSegment, place: Place) -> dict[str, int]:
    """One bit of each class of bytes of a 5000-byte coded record."""
    start = place[1] * 8
    meta = start + HEADER_BYTES * 8
    body = meta + len(b"meta of the record") * 8
    fields = {"magic": 0, "type": 4, "strand": 6, "segment": 8, "sequence": 16, "id": 30, "lengths": 41, "crc": 53}
    bits = {name: start + at * 8 + 1 for name, at in fields.items()}
    return bits | {"record crc": start + 61 * 8, "meta": meta + 9, "body": body + 77, "body end": body + 1249 * 8}


@pytest.mark.parametrize("hot", [True, False])
async def test_flips_in_each_class_of_bytes_are_read_around(cluster: Cluster, hot: bool) -> None:
    segment = cluster.new_journal()
    data = content(5000)
    place = segment.add(data)
    bits = body_bits(segment, place)
    for name, bit in bits.items():
        for second in (None, bits["meta"] + 3, bits["body"] + 5):
            flips = [bit] if second is None else [bit, second]
            for slot in (0, 3):
                cluster.flip(slot, segment.strand, *flips)
            cluster.damage.clear()
            reader = cluster.new_reader()
            if hot:
                await reader.read(place)
            assert await answer(reader, place) == data, name
            assert {entry[3] for entry in cluster.damage} == {0, 3}, name
            for slot in (0, 3):
                cluster.flip(slot, segment.strand, *flips)
    for slot in (0, 1, 3):
        cluster.flip(slot, segment.strand, bits["body"])
    assert await answer(cluster.new_reader(), place) is None


async def test_a_damaged_header_of_the_strand_does_not_hide_its_records(cluster: Cluster) -> None:
    """With two more strands gone, the records behind it are needed."""
    segment = cluster.new_journal()
    place = segment.add(content(5000))
    cluster.flip(1, segment.strand, 70)
    cluster.away(0)
    cluster.away(2)
    assert await answer(cluster.reader, place) == content(5000)


@pytest.mark.parametrize("length", range(0, 1500, 37))
async def test_a_strand_cut_anywhere(cluster: Cluster, length: int) -> None:
    segment = cluster.new_journal()
    place = segment.add(content(5000))

    def cut(data: bytearray) -> None:
        del data[place[1] + length if length < place[2] else len(data) :]

    cluster.edit(0, segment.strand, cut)
    cluster.edit(1, segment.strand, cut)
    assert await answer(cluster.reader, place) == content(5000)


async def test_swapped_strands(cluster: Cluster) -> None:
    """Files of two drives exchanged: each record says which strand it is, so they are found where they are now."""
    segment = cluster.new_journal()
    place = segment.add(content(5000))
    await cluster.reader.read(place)
    for drive in cluster.drives.present.values():
        drive.close()  # type: ignore[attr-defined]
    one, two = cluster.path(0, segment.strand), cluster.path(4, segment.strand)
    shutil.move(one, one.with_suffix(".x"))
    shutil.move(two, one)
    shutil.move(one.with_suffix(".x"), two)
    assert await answer(cluster.reader, place) == content(5000)
    assert await answer(cluster.new_reader(), place) == content(5000)


async def test_a_strand_of_another_segment_in_its_place(cluster: Cluster) -> None:
    first, second = cluster.new_journal(), cluster.new_journal()
    place = first.add(content(5000))
    second.add(content(5000, seed=9))
    shutil.copy(cluster.path(0, second.strand), cluster.path(0, first.strand))
    shutil.copy(cluster.path(1, second.strand), cluster.path(1, first.strand))
    for reader in (cluster.reader, cluster.new_reader()):
        assert await answer(reader, place) == content(5000)


async def test_stale_strands_of_an_earlier_time_never_mix_in(cluster: Cluster) -> None:
    """Two strands restored from a copy whose tail was rewritten since: same place, other record."""
    segment = cluster.new_journal()
    end = segment.end
    segment.add(content(5000, seed=1))
    for slot in (0, 1):
        shutil.copy(cluster.path(slot, segment.strand), cluster.root / f"copy{slot}")
    segment.end = end
    place = segment.add(content(5000, seed=2))
    for slot in (0, 1):
        shutil.copyfile(cluster.root / f"copy{slot}", cluster.path(slot, segment.strand))
    assert await answer(cluster.reader, place) == content(5000, seed=2)
    # Three against three: nobody can say, so nobody does.
    shutil.copyfile(cluster.path(0, segment.strand), cluster.root / "x")
    cluster.edit(2, segment.strand, lambda data: data.__setitem__(slice(end, None), bytes(len(data) - end)))
    assert await answer(cluster.new_reader(), place) is None


async def test_a_dropped_segment_has_vanished(cluster: Cluster) -> None:
    segment = cluster.new_journal()
    place = segment.add(content(5000))
    await cluster.reader.read(place)
    for drive in cluster.drives.present.values():
        drive.drop(segment.strand)
    for reader in (cluster.reader, cluster.new_reader()):
        assert reader.read_now(place) is None
        with pytest.raises(Vanished):
            await reader.read(place)
    assert cluster.damage == [], "what was dropped is not damaged"


async def test_a_slow_drive_is_read_around(cluster: Cluster) -> None:
    segment = cluster.new_journal()
    place = segment.add(content(5000))
    reader = cluster.new_reader(hedge_s=0.03)
    await reader.read(place)
    with failing(faults.Plan(delay_s={"drive.read": 1.0}, subject="/d1/")):
        started = time.monotonic()
        assert await answer(reader, place) == content(5000)
        assert await answer(reader, place) == content(5000)
        assert time.monotonic() - started < 0.9
    assert cluster.damage == [], "slow is not damaged"


async def test_a_hanging_drive_does_not_keep_new_segments_from_being_found(cluster: Cluster) -> None:
    segments = [cluster.new_journal() for _ in range(6)]
    places = [(content(5000, seed=n), segment.add(content(5000, seed=n))) for n, segment in enumerate(segments)]
    for drive in cluster.drives.present.values():
        drive.close()  # type: ignore[attr-defined]
    reader = cluster.new_reader(hedge_s=0.03)
    with failing(faults.Plan(delay_s={"drive.read": 0.8}, subject="/d1/")):
        started = time.monotonic()
        found = await asyncio.gather(*(answer(reader, place) for _, place in places))
        assert time.monotonic() - started < 0.75
    assert found == [body for body, _ in places]


async def test_failing_reads_are_read_around(cluster: Cluster) -> None:
    segment = cluster.new_journal()
    place = segment.add(content(5000))
    with failing(faults.Plan(error={"drive.read": "EIO"}, subject="/d[13]/")):
        assert await answer(cluster.reader, place) == content(5000)
    with failing(faults.Plan(error={"drive.read": "EIO"}, subject="/d[135]/")):
        assert await answer(cluster.new_reader(), place) is None


async def test_the_crc_saboteur_is_caught(cluster: Cluster) -> None:
    """The tests of the tests: without verification the very flip above gives wrong bytes."""
    segment = cluster.new_journal()
    place = segment.add(content(5000))
    cluster.flip(0, segment.strand, body_bits(segment, place)["body"])
    with failing(faults.Plan(skip=("crc",))):
        found = await cluster.new_reader().read(place)
        assert found.body is not None and found.body != content(5000)
    assert await answer(cluster.new_reader(), place) == content(5000)


# --- chunks ---------------------------------------------------------------------------------------------------------

SIZES = [200_000, 262_144, 262_145, 1_000_003, 3 << 20]


async def one_chunk(cluster: Cluster, size: int) -> tuple[ChunkRef, bytes]:
    writer = cluster.new_writer()
    (ref,) = await upload(writer, content(size))
    writer.close()
    return ref, content(size)


def edges(size: int, k: int) -> list[tuple[int, int]]:
    length = -(-size // k)
    points = {0, 1, length - 1, length, length + 1, 65535, 65536, 65537, 2 * length, size - 1, size}
    ordered = sorted(point for point in points if point <= size)
    return [(a, b) for a in ordered for b in ordered if a <= b]


@pytest.mark.parametrize("size", SIZES)
async def test_ranges(cluster: Cluster, size: int) -> None:
    ref, data = await one_chunk(cluster, size)
    for start, stop in edges(size, 4):
        assert await cluster.reader.chunk(ref, start, stop) == data[start:stop]
    for start, stop in [(-1, 3), (5, 4), (0, size + 1)]:
        with pytest.raises(ValueError, match="chunk of"):
            await cluster.reader.chunk(ref, start, stop)


@pytest.mark.parametrize("size", SIZES)
async def test_ranges_of_damaged_and_missing_strands(cluster: Cluster, size: int) -> None:
    ref, data = await one_chunk(cluster, size)
    strand = Strand(BULK, ref.segment)
    cluster.flip(cluster.slot_of(strand, 1), strand, (ref.offset + ref.length // 2) * 8 + 3)
    cluster.away(cluster.slot_of(strand, 0))
    for start, stop in edges(size, 4)[::3]:
        assert await cluster.reader.chunk(ref, start, stop) == data[start:stop]


async def test_every_part_of_a_chunks_record_is_verified(cluster: Cluster) -> None:
    """m+1 strands with a flip in the same part: 503 for whoever touches it."""
    ref, data = await one_chunk(cluster, 1_000_003)
    strand = Strand(BULK, ref.segment)
    length = -(-ref.size // 4)
    head = ref.length - length
    for at in (4, 20, 50, HEADER_BYTES + 1, head - 12, head + 10, head + length // 2, head + length - 9):
        for index in (0, 1, 4):
            cluster.flip(cluster.slot_of(strand, index), strand, (ref.offset + at) * 8 + 2)
        reader = cluster.new_reader()
        with pytest.raises(errors.Damaged):
            await reader.chunk(ref, 0, ref.size)
        for index in (0, 1, 4):
            cluster.flip(cluster.slot_of(strand, index), strand, (ref.offset + at) * 8 + 2)
        assert await reader.chunk(ref, 0, ref.size) == data


async def test_a_range_beside_the_damage_is_served_from_its_own_strands(cluster: Cluster) -> None:
    ref, data = await one_chunk(cluster, 3 << 20)
    strand = Strand(BULK, ref.segment)
    for index in range(4):  # the last 64 KiB of every data fragment
        cluster.flip(cluster.slot_of(strand, index), strand, (ref.offset + ref.length - 100) * 8)
    assert await cluster.reader.chunk(ref, 0, 300_000) == data[:300_000]
    with pytest.raises(errors.Damaged):
        await cluster.reader.chunk(ref, 700_000, ref.size)


async def test_a_reference_to_another_chunk_is_refused(cluster: Cluster) -> None:
    """The record is whole, but it is not what the reference says."""
    ref, _ = await one_chunk(cluster, 200_000)
    for wrong in (
        ChunkRef(ref.segment, ref.offset, ref.length, ref.size, ref.crc ^ 1),
        ChunkRef(ref.segment, ref.offset, ref.length, ref.size - 1, ref.crc),
        ChunkRef(ref.segment, ref.offset + 8, ref.length, ref.size, ref.crc),
        ChunkRef(ref.segment, ref.offset, ref.length - 8, ref.size, ref.crc),
    ):
        with pytest.raises(errors.Damaged):
            await cluster.new_reader().chunk(wrong, 0, 10)


async def test_chunks_wait_for_the_device_when_they_must(cluster: Cluster) -> None:
    """With a plan set nothing is served without waiting: the paths behind it give the same bytes."""
    ref, data = await one_chunk(cluster, 1_000_003)
    with failing(faults.Plan(match="nothing")):
        assert await cluster.reader.chunk(ref, 10, 999_999) == data[10:999_999]
        assert await cluster.reader.chunk(ref, 10, 20) == data[10:20]
    with failing(faults.Plan(delay_s={"drive.read": 0.5}, subject="/d1/")):
        reader = cluster.new_reader(hedge_s=0.03)
        await reader.chunk(ref, 0, 5)
        assert await reader.chunk(ref, 0, ref.size) == data


async def test_many_readers_at_once(cluster: Cluster) -> None:
    segment = cluster.new_journal()
    places = [(content(3000, seed=n), segment.add(content(3000, seed=n))) for n in range(40)]
    cluster.flip(2, segment.strand, (places[7][1][1] + 500) * 8)
    found = await asyncio.gather(*(answer(cluster.reader, place) for _, place in places for _ in range(3)))
    assert found == [body for body, _ in places for _ in range(3)]


async def test_kinds_are_apart(cluster: Cluster) -> None:
    segment = cluster.new_journal()
    place = segment.add(content(2000))
    with pytest.raises(Vanished):
        await cluster.reader.read(place, BULK)
    assert (await cluster.reader.read(place, JOURNAL)).body == content(2000)
