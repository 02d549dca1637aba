"""The bulk writer: what was synced is on k+1 strands at least, whatever the drives do (R1, R2, R7, R12)."""

from __future__ import annotations

import asyncio
import errno
import random
from collections import Counter
from pathlib import Path

import pytest

from kakera.base import clock, errors, faults, ids, limits
from kakera.config import Bulk
from kakera.segments.append import Budget, Group, settle
from kakera.segments.census import Target, examine
from kakera.segments.drive import BULK, Strand
from kakera.segments.meta import ChunkRef
from kakera.segments.placement import place
from kakera.segments.walk import Throttle
from tests.unit.segments.cluster import Cluster, content, failing, same, upload


async def read(cluster: Cluster, refs: list[ChunkRef]) -> bytes:
    reader = cluster.new_reader()
    return b"".join([await reader.chunk(ref, 0, ref.size) for ref in refs])


def counted(trace: Path) -> Counter[str]:
    return Counter(line.split()[2] for line in trace.read_text().splitlines()) if trace.exists() else Counter()


async def test_a_body_comes_back(cluster: Cluster) -> None:
    writer = cluster.new_writer()
    data = content(2_500_000)
    refs = await upload(writer, data, chunk=1 << 20)
    assert [ref.size for ref in refs] == [1 << 20, 1 << 20, 2_500_000 - (2 << 20)]
    assert same(refs[0], data[: 1 << 20])
    assert await read(cluster, refs) == data
    found = examine(Target(BULK, refs[0].segment), cluster.drives, refers=None, throttle=Throttle(0))
    assert found.full and found.records == 4
    assert writer.accepted_bytes == len(data)
    assert 1.5 <= writer.stored_bytes / writer.accepted_bytes < 1.51


async def test_uploads_interleave_in_one_segment(cluster: Cluster) -> None:
    writer = cluster.new_writer()
    bodies = [content(700_000 + n, seed=n) for n in range(8)]
    done = await asyncio.gather(*(upload(writer, body, chunk=200_000) for body in bodies))
    assert len({ref.segment for refs in done for ref in refs}) == 1
    for body, refs in zip(bodies, done, strict=True):
        assert await read(cluster, refs) == body
    assert writer.state()["in_flight_bytes"] == 0


@pytest.mark.parametrize("size", [0, limits.CHUNK_BYTES + 1])
async def test_chunks_beyond_the_limits(cluster: Cluster, size: int) -> None:
    with pytest.raises(ValueError, match="chunk of"):
        await cluster.new_writer().append(ids.new_id(), 0, bytes(size))


async def test_syncs_are_grouped(cluster: Cluster, tmp_path: Path) -> None:
    """Sixteen uploads that end together cost a few rounds, not sixteen (R1)."""
    writer = cluster.new_writer()
    refs = [await writer.append(ids.new_id(), 0, content(150_000, seed=n)) for n in range(16)]
    trace = tmp_path / "trace"
    with failing(faults.Plan(trace=str(trace), match="drive.sync", subject="/d0/")):
        await asyncio.gather(*(writer.sync([ref]) for ref in refs))
    assert 2 <= counted(trace)["drive.sync"] <= 2 * 3


async def test_a_sync_is_a_round_that_began_after_the_call() -> None:
    """Joining a round under way would ack what it did not sync (R1)."""
    began: list[int] = []
    gate = asyncio.Semaphore(0)

    async def round_() -> None:
        began.append(len(began))
        await gate.acquire()

    group = Group(round_)
    first = asyncio.create_task(group.join())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert began == [0]
    late = [asyncio.create_task(group.join()) for _ in range(5)]
    await asyncio.sleep(0)
    gate.release()
    await first
    await asyncio.sleep(0.01)
    assert not any(task.done() for task in late)
    gate.release()
    await asyncio.gather(*late)
    assert began == [0, 1]


async def test_one_that_gives_up_does_not_take_the_round_along() -> None:
    rounds = []

    async def round_() -> None:
        await asyncio.sleep(0.01)
        rounds.append(1)

    group = Group(round_)
    first, second = asyncio.create_task(group.join()), asyncio.create_task(group.join())
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert rounds == [1]


@pytest.mark.parametrize("point", ["drive.write", "drive.sync"])
async def test_a_failing_drive_leaves_the_segment(cluster: Cluster, point: str) -> None:
    """R2: never tried again, reported, the segment sealed; what is acked is on the others."""
    writer = cluster.new_writer()
    first = await upload(writer, content(300_000))
    strand = Strand(BULK, first[0].segment)
    with failing(faults.Plan(error={point: "EIO"}, subject="/d2/bulk/")):
        second = await upload(writer, content(300_000, seed=2))
    assert second[0].segment == first[0].segment
    assert {(entry[0], entry[1], entry[3]) for entry in cluster.damage} == {(BULK, strand.segment, 2)}
    third = await upload(writer, content(300_000, seed=3))
    assert third[0].segment != first[0].segment
    assert not cluster.path(2, Strand(BULK, third[0].segment)).exists()
    for seed, refs in ((0, first), (2, second), (3, third)):
        assert await read(cluster, refs) == content(300_000, seed=seed)
    # The strand that failed is not needed for any of it.
    cluster.path(2, strand).unlink()
    cluster.away(0)
    assert await read(cluster, second) == content(300_000, seed=2)


async def test_fewer_than_k_and_one_is_read_only(cluster: Cluster) -> None:
    writer = cluster.new_writer()
    refs = [await writer.append(b"b" * 16, 0, content(300_000))]
    with failing(faults.Plan(error={"drive.sync": "EIO"}, subject="/d[24]/bulk/")):
        with pytest.raises(errors.ReadOnly, match="drive 2"):
            await writer.sync(refs)
        with pytest.raises(errors.ReadOnly):
            await upload(writer, content(300_000))
    with pytest.raises(errors.ReadOnly):  # what failed once is never acked later
        await writer.sync(refs)
    writer.release(b"b" * 16)
    assert cluster.pins.held() == {}


async def test_drives_that_come_back_are_used_again(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = cluster.new_writer()
    now = [clock.monotonic_s()]
    monkeypatch.setattr(clock, "monotonic_s", lambda: now[0])
    cluster.away(5)
    first = await upload(writer, content(200_000))
    assert len(cluster.reader._map.where(BULK, first[0].segment)) == 5
    cluster.away(4)
    with pytest.raises(errors.ReadOnly):
        await upload(writer, content(200_000))
    for slot in (4, 5):
        cluster.back(slot)
    now[0] += 10
    await upload(writer, content(200_000))
    now[0] += 10
    second = await upload(writer, content(200_000))
    found = examine(Target(BULK, second[0].segment), cluster.drives, refers=None, throttle=Throttle(0))
    assert found.full


async def test_a_slow_drive_costs_the_limit_once(cluster: Cluster) -> None:
    """R12."""
    writer = cluster.new_writer()
    await upload(writer, content(200_000))
    with failing(faults.Plan(delay_s={"drive.write": 0.6}, subject="/d3/bulk/")):
        started = clock.monotonic_s()
        refs = await upload(writer, content(200_000, seed=1))
        first_s = clock.monotonic_s() - started
        started = clock.monotonic_s()
        for _ in range(5):
            await upload(writer, content(200_000))
        later_s = clock.monotonic_s() - started
    assert first_s < 0.55
    assert later_s < 0.55
    assert await read(cluster, refs) == content(200_000, seed=1)
    assert [entry[3] for entry in cluster.damage] == [3]


async def test_a_machine_slow_as_a_whole_loses_no_drive() -> None:
    async def job(delay_s: float) -> None:
        await asyncio.sleep(delay_s)

    slow = {n: asyncio.ensure_future(job(0.1)) for n in range(6)}
    assert (await settle(slow, need=5, limit_s=0.02, stall_s=5)).failed == {}
    one = {n: asyncio.ensure_future(job(0.5 if n == 3 else 0.01)) for n in range(6)}
    assert set((await settle(one, need=5, limit_s=0.02, stall_s=5)).failed) == {3}
    none = {n: asyncio.ensure_future(job(0.5)) for n in range(6)}
    assert set((await settle(none, need=5, limit_s=0.02, stall_s=0.05)).failed) == set(range(6))
    for futures in (one, none):
        await asyncio.gather(*futures.values())


async def test_rolling_at_the_size(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, bulk=Bulk(segment_bytes=300_000))
    writer = cluster.new_writer()
    refs = await upload(writer, content(3_000_000), chunk=250_000)
    assert len({ref.segment for ref in refs}) > 2
    assert all(ref.offset + ref.length <= 300_000 for ref in refs)
    assert await read(cluster, refs) == content(3_000_000)
    assert len(writer.state()["segments"]) == 1  # type: ignore[arg-type]


async def test_a_full_drive_is_left_out_and_two_are_out_of_space(cluster: Cluster) -> None:
    """R7: DELETE needs the reserve; the writer stops above it."""
    writer = cluster.new_writer()
    with failing(faults.Plan(error={"drive.write": "ENOSPC"}, subject="/d1/bulk/")):
        refs = await upload(writer, content(300_000))
        assert await read(cluster, refs) == content(300_000)
    plan = faults.Plan(error={"drive.write": "ENOSPC", "drive.create": "ENOSPC"}, subject="/d[12]/bulk/")
    with failing(plan), pytest.raises(errors.OutOfSpace, match="no space"):
        await upload(writer, content(300_000))


async def test_the_reserve_is_kept(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, reserve_bytes=1 << 60)
    with pytest.raises(errors.OutOfSpace, match="reserve"):
        await upload(cluster.new_writer(), content(300_000))
    assert not list((tmp_path / "d0/bulk").iterdir())


async def test_an_upload_that_is_cancelled_leaves_the_writer_whole(cluster: Cluster) -> None:
    writer = cluster.new_writer()
    random_ = random.Random(5)
    for _ in range(20):
        task = asyncio.create_task(upload(writer, content(900_000), chunk=200_000))
        await asyncio.sleep(random_.random() * 0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    refs = await upload(writer, content(900_000, seed=1), chunk=200_000)
    assert await read(cluster, refs) == content(900_000, seed=1)
    assert writer.state()["in_flight_bytes"] == 0
    found = examine(Target(BULK, refs[0].segment), cluster.drives, refers=None, throttle=Throttle(0))
    assert found.faults == {} and found.lost == []


async def test_memory_in_flight_is_bounded() -> None:
    budget = Budget(100)
    most = 0

    async def use(size: int) -> None:
        nonlocal most
        async with budget.take(size):
            most = max(most, budget.used)
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(use(size)) for size in [30, 80, 500, 10, 60, 100, 1] * 20]
    await asyncio.sleep(0)
    for task in tasks[::7]:
        task.cancel()
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert most <= 100
    assert budget.used == 0


async def test_pins_last_from_creation_to_release(cluster: Cluster) -> None:
    writer = cluster.new_writer()
    body_id = ids.new_id()
    ref = await writer.append(body_id, 0, content(200_000))
    await writer.sync([ref])
    assert not cluster.pins.is_sealed(ref.segment)
    assert cluster.pins.try_exclusive(ref.segment) is None
    writer.close()
    assert cluster.pins.held() == {}
    assert cluster.pins.is_sealed(ref.segment)


async def test_no_segment_id_no_segment(cluster: Cluster) -> None:
    writer = cluster.new_writer()

    async def refuse() -> int:
        raise errors.NotReady("the committer is away")

    writer._grant = refuse
    with pytest.raises(errors.NotReady):
        await writer.append(ids.new_id(), 0, content(1000))
    writer._grant = cluster.grant
    await upload(writer, content(1000))


async def test_a_strand_that_cannot_be_made(cluster: Cluster) -> None:
    """The segment begins without it; a second such drive is the end."""
    writer = cluster.new_writer()
    with failing(faults.Plan(error={"drive.create": "EIO"}, subject="/d4/bulk/")):
        refs = await upload(writer, content(200_000))
    assert await read(cluster, refs) == content(200_000)
    assert [entry[3] for entry in cluster.damage] == [4]
    other = cluster.new_writer()
    with failing(faults.Plan(error={"drive.create": "EIO"}, subject="/d[45]/bulk/")), pytest.raises(errors.ReadOnly):
        await upload(other, content(200_000))
    await asyncio.sleep(0.05)
    left = [p.name for p in (cluster.root / "d0/bulk").iterdir()]
    assert left == [ids.segment_name(refs[0].segment)], "strands of a segment that never began are removed"


async def test_two_plus_one_with_a_spare(tmp_path: Path) -> None:
    """2+1 refuses writes with a drive gone unless a spare exists (R2)."""
    cluster = Cluster(tmp_path, k=2, m=1, drives=4)
    writer = cluster.new_writer()
    first = await upload(writer, content(300_000))
    slot = cluster.slot_of(Strand(BULK, first[0].segment), 0)
    with failing(faults.Plan(error={"drive.write": "EIO", "drive.create": "EIO"}, subject=f"/d{slot}/bulk/")):
        second = await upload(writer, content(300_000, seed=1))
    assert await read(cluster, second) == content(300_000, seed=1)
    found = examine(Target(BULK, second[0].segment), cluster.drives, refers=None, throttle=Throttle(0))
    assert found.full


# --- placement ------------------------------------------------------------------------------------------------------


class Room:
    """A drive as placement sees it."""

    def __init__(self, slot: int, domain: str, free_gib: int) -> None:
        self.slot, self.domain, self._free = slot, domain, free_gib << 30

    def space(self) -> object:
        if self._free < 0:
            raise OSError(errno.EIO, "broken")
        return type("S", (), {"free_bytes": self._free})


def slots(rooms: list[Room], k: int, m: int, turn: int = 0) -> list[int | None]:
    drives = {room.slot: room for room in rooms}
    return [drive.slot if drive else None for drive in place(drives, k, m, turn=turn)]  # type: ignore[arg-type]


def test_placement() -> None:
    six = [Room(n, f"h{n}", 100) for n in range(6)]
    assert slots(six, 4, 2) == [0, 1, 2, 3, 4, 5]
    assert slots(six, 4, 2, turn=8) == [2, 3, 4, 5, 0, 1]
    assert slots(six[:1] + six[2:], 4, 2) == [0, 2, 3, 4, 5, None]
    assert slots([], 2, 1) == [None, None, None]
    # Eight drives in four hosts, 4+2: no host takes a second strand before every host has one.
    hosts = [Room(n, f"h{n % 4}", 100 + n) for n in range(8)]
    chosen = [slot for slot in slots(hosts, 4, 2) if slot is not None]
    assert sorted(Counter(slot % 4 for slot in chosen).values()) == [1, 1, 2, 2]
    # Spares: the emptiest; a drive that cannot tell its space comes last.
    spares = [Room(0, "a", 10), Room(1, "b", 90), Room(2, "c", 80), Room(3, "d", -1)]
    assert slots(spares, 2, 1) == [0, 1, 2]
