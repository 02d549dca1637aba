"""Compaction (R7): what lives moves, what is held stays, what is dead gives its space back."""

from __future__ import annotations

import functools
import os

import pytest

from kakera.base import clock, errors, faults
from kakera.segments.census import Target, examine
from kakera.segments.compact import Chunk, Dead, Quiet, Usage, choose, drop, find_dead, move, punch, worth_punching
from kakera.segments.drive import BULK, Strand
from kakera.segments.heal import heal_strand
from kakera.segments.meta import ChunkRef
from kakera.segments.pins import Pins
from kakera.segments.reader import Vanished
from kakera.segments.walk import Throttle
from tests.unit.segments.cluster import Cluster, content, upload


async def agree() -> bool:
    return True


async def filled(cluster: Cluster) -> list[ChunkRef]:
    writer = cluster.new_writer()
    refs = []
    for seed in range(4):
        refs += await upload(writer, content(300_000, seed=seed))
    writer.close()
    return refs


def test_choosing() -> None:
    usages = [Usage(1, 100, 90), Usage(2, 100, 10), Usage(3, 100, 40), Usage(4, 0, 0), Usage(5, 100, 50)]
    assert choose(usages, live_ratio=0.5, most=9) == [4, 2, 3]
    assert choose(usages, live_ratio=0.5, most=2) == [4, 2]
    assert choose([], live_ratio=0.5, most=2) == []


async def test_moving_then_dropping(cluster: Cluster) -> None:
    refs = await filled(cluster)
    writer = cluster.new_writer()
    chunks = [Chunk(bytes([n]) * 16, 0, refs[n]) for n in (0, 3)]
    moved = await move(cluster.reader, writer, chunks)
    assert [old for old, _ in moved] == [refs[0], refs[3]]
    assert all(new.segment != old.segment for old, new in moved)
    assert [(new.size, new.crc) for _, new in moved] == [(old.size, old.crc) for old, _ in moved]
    assert not cluster.pins.is_sealed(moved[0][1].segment), "held until the caller's commands were answered"
    for chunk in chunks:
        writer.release(chunk.body_id)
    assert await drop(cluster.drives, cluster.pins, refs[0].segment, agree)
    for (_, new), seed in zip(moved, (0, 3), strict=True):
        assert await cluster.reader.chunk(new, 0, new.size) == content(300_000, seed=seed)
    with pytest.raises(Vanished):
        await cluster.reader.chunk(refs[1], 0, 1)
    assert all(not cluster.path(slot, Strand(BULK, refs[0].segment)).exists() for slot in range(6))


async def test_what_is_held_or_not_agreed_is_not_dropped(cluster: Cluster) -> None:
    refs = await filled(cluster)
    segment = refs[0].segment
    stream = Pins(cluster.root / "state/run").hold(segment)

    async def never() -> bool:
        pytest.fail("the committer is asked only under the lock")

    async def refuse() -> bool:
        with pytest.raises(Vanished):
            Pins(cluster.root / "state/run").hold(segment)
        return False

    async def fail() -> bool:
        raise errors.NotReady("the committer is away")

    assert not await drop(cluster.drives, cluster.pins, segment, never)
    stream.release()
    assert not await drop(cluster.drives, cluster.pins, segment, refuse)
    with pytest.raises(errors.NotReady):
        await drop(cluster.drives, cluster.pins, segment, fail)
    assert await cluster.reader.chunk(refs[0], 0, 300_000) == content(300_000)
    assert await drop(cluster.drives, cluster.pins, segment, agree)


async def test_a_drive_that_fails_does_not_keep_the_others(cluster: Cluster) -> None:
    refs = await filled(cluster)
    strand = Strand(BULK, refs[0].segment)
    (cluster.root / "d2/kakera.json").rename(cluster.root / "identity")
    with pytest.raises(OSError):
        await drop(cluster.drives, cluster.pins, strand.segment, agree)
    assert [slot for slot in range(6) if cluster.path(slot, strand).exists()] == [2]
    (cluster.root / "identity").rename(cluster.root / "d2/kakera.json")
    assert await drop(cluster.drives, cluster.pins, strand.segment, agree)
    assert not cluster.path(2, strand).exists()


async def test_punching(cluster: Cluster) -> None:
    refs = await filled(cluster)
    strand = Strand(BULK, refs[0].segment)
    live = {refs[0].offset, refs[3].offset}

    def look() -> object:
        target = Target(BULK, strand.segment)
        return examine(target, cluster.drives, refers=lambda b, n, o: o in live, throttle=Throttle(0))

    def dead() -> list[Dead]:
        return find_dead(cluster.drives, strand.segment, lambda b, n, o: o in live, Throttle(0))[0]

    before = cluster.path(0, strand).stat().st_blocks
    stream = Pins(cluster.root / "state/run").hold(strand.segment)
    assert punch(cluster.drives, cluster.pins, strand.segment, dead(), Throttle(0)) is None
    assert cluster.path(0, strand).stat().st_blocks == before
    stream.release()
    won = punch(cluster.drives, cluster.pins, strand.segment, dead(), Throttle(0))
    assert won is not None and won >= 6 * 2 * (75_000 - 8192)
    assert cluster.path(0, strand).stat().st_blocks < before - 200
    for seed in (0, 3):
        assert await cluster.reader.chunk(refs[seed], 0, 300_000) == content(300_000, seed=seed)
    with pytest.raises(Vanished, match="given back"):  # look it up again: it is not damage
        await cluster.new_reader().chunk(refs[1], 0, 300_000)
    again = look()
    assert again.full and len(again.orphans) == 2  # type: ignore[attr-defined]
    # A strand healed beside the holes: the records that count are whole, the walk goes on behind the holes.
    cluster.path(1, strand).unlink()
    cluster.drives.present[1].close()  # type: ignore[attr-defined]
    index = look().to_heal()[0]  # type: ignore[attr-defined]
    assert heal_strand(cluster.drives, strand, index).lost == [refs[1].offset, refs[2].offset]
    assert look().full  # type: ignore[attr-defined]
    assert cluster.path(1, strand).stat().st_blocks < before - 200, "healing fills no holes"


async def test_a_crash_while_punching(cluster: Cluster) -> None:
    """At every fault point: what lives is whole, and the next round does the rest."""
    refs = await filled(cluster)
    segment = refs[0].segment
    live = {refs[0].offset, refs[3].offset}
    dead, live_bytes = find_dead(cluster.drives, segment, lambda b, s, o: o in live, Throttle(0))
    assert [one.offset for one in dead] == [refs[1].offset, refs[2].offset]
    assert live_bytes == refs[0].length + refs[3].length
    for at in range(1, 60):
        child = os.fork()
        if child == 0:
            faults.plan = faults.Plan(kill_at=at, match=r"drive\.(punch|sync)")
            punch(cluster.drives, cluster.pins, segment, dead, Throttle(0))
            os._exit(0)
        killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        reader = cluster.new_reader()
        for seed in (0, 3):
            assert await reader.chunk(refs[seed], 0, 300_000) == content(300_000, seed=seed)
        target = Target(BULK, segment)
        assert examine(target, cluster.drives, refers=lambda b, s, o: o in live, throttle=Throttle(0)).full
        if not killed:
            break
    assert at == 6 * (2 * 2 + 2) + 1, "two holes and a sync a drive, each between two points"
    with pytest.raises(Vanished):
        await cluster.new_reader().chunk(refs[1], 0, 300_000)


def test_when_punching_pays() -> None:
    worth = functools.partial(worth_punching, live_ratio=0.5, pressed=False)
    mib = 1 << 20
    assert worth(Usage(1, 64 * mib, 50 * mib), 64 * mib)
    assert not worth(Usage(1, 64 * mib, 62 * mib), 64 * mib), "too little is dead"
    assert not worth(Usage(1, 64 * mib, 50 * mib), 51 * mib), "most of it was punched before"
    assert not worth(Usage(1, 64 * mib, 30 * mib), 64 * mib), "compaction wins more"
    assert worth_punching(Usage(1, 64 * mib, 30 * mib), 64 * mib, live_ratio=0.5, pressed=True)
    assert not worth_punching(Usage(1, 64 * mib, 30 * mib), 30 * mib, live_ratio=0.5, pressed=True)


async def test_a_punched_record_that_counts_is_damage(cluster: Cluster) -> None:
    """Holes are not believed because they look like holes."""
    refs = await filled(cluster)
    drive = cluster.drives.present[0]
    drive.punch(Strand(BULK, refs[0].segment), refs[0].offset, refs[0].length)
    target = Target(BULK, refs[0].segment)
    assert not examine(target, cluster.drives, refers=lambda b, n, o: True, throttle=Throttle(0)).full
    assert not examine(target, cluster.drives, refers=None, throttle=Throttle(0)).full


async def test_quiet_takes_time(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload whose worker died may still be named by a command on its way."""
    now = [0.0]
    quiet = Quiet(Pins(cluster.root / "state/run"), quiet_s=60)
    writer = cluster.new_writer()
    ref = await writer.append(b"b" * 16, 0, content(200_000))
    monkeypatch.setattr(clock, "monotonic_s", lambda: now[0])
    assert not quiet.check(ref.segment)
    now[0] = 100
    assert not quiet.check(ref.segment)
    writer.close()
    assert not quiet.check(ref.segment)
    now[0] = 159
    assert not quiet.check(ref.segment)
    now[0] = 161
    assert quiet.check(ref.segment)
    quiet.keep_only([])
    assert not quiet.check(ref.segment)
