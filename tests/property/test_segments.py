"""Segments under random damage, every profile: the right bytes or an error, never a wrong one (R3); heal is whole."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kakera.base import errors, faults, limits
from kakera.segments.census import Target, examine
from kakera.segments.codec import codec, fragment_length
from kakera.segments.drive import BULK, Strand
from kakera.segments.fragments import Bad, judge_record, spans
from kakera.segments.heal import heal_strand
from kakera.segments.meta import ChunkRef
from kakera.segments.reader import Reader
from kakera.segments.record import Draft, Encoder, Type, parse_header
from kakera.segments.walk import Throttle
from tests.unit.segments.cluster import Cluster, content, failing, upload

PROFILES = st.tuples(
    st.integers(limits.MIN_K, limits.MAX_K), st.integers(limits.MIN_M, limits.MAX_M)
)  # fmt: skip
SMALL = [(2, 1), (3, 2), (4, 2), (8, 3), (12, 4)]


@given(PROFILES, st.binary(min_size=1, max_size=3000), st.randoms(use_true_random=False))
def test_any_k_fragments_are_enough(profile: tuple[int, int], data: bytes, random) -> None:  # type: ignore[no-untyped-def]
    k, m = profile
    fragments = codec(k, m).encode(data)
    kept = random.sample(range(k + m), k)
    assert codec(k, m).decode({index: fragments[index] for index in kept}, len(data)) == data
    lost = random.choice([index for index in range(k + m) if index not in kept])
    assert codec(k, m).rebuild({index: fragments[index] for index in kept}, lost, len(data)) == fragments[lost]


@given(st.integers(2, 12), st.integers(1, 1 << 23), st.data())
def test_spans_cover_exactly_what_was_asked(k: int, size: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, size - 1))
    stop = data.draw(st.integers(start + 1, size))
    length = fragment_length(k, size)
    asked = spans(k, size, start, stop)
    at = start
    for span in asked:
        assert span.strand * length + span.start == at
        assert 0 <= span.start < span.stop <= length
        at += span.stop - span.start
    assert at == stop


@given(st.binary(max_size=400))
def test_noise_is_no_record(noise: bytes) -> None:
    parse_header(noise)
    for data in (noise, b"KKR\x01" + noise, (b"KKR\x01" + noise).ljust(600, b"\0")):
        try:
            judge_record(data, Strand(BULK, 1), 0)
        except Bad:
            continue
        raise AssertionError("noise was taken for a record")


@given(
    st.binary(max_size=60),
    st.binary(max_size=300),
    st.lists(st.integers(0, 10_000), min_size=1, max_size=2, unique=True),
)
def test_one_or_two_flips_are_always_noticed(meta: bytes, body: bytes, bits: list[int]) -> None:
    """crc32c has distance 4 or more at these lengths: one and two flips are certain to be seen."""
    draft = Draft(Type.DATA, 0, b"i" * 16, meta, len(body), len(body), 2, 1)
    record = bytearray(Encoder(draft, 5, 1).whole(0, body))
    used = 64 + len(meta) + len(body)
    places = {bit % (used * 8) for bit in bits}
    for place in places:
        record[place // 8] ^= 1 << place % 8
    try:
        judge_record(bytes(record), Strand(BULK, 5), 0)
    except Bad:
        return
    raise AssertionError(f"flips at {sorted(places)} were not noticed")


class World:
    """A sealed bulk segment, and the hand of fate on its files."""

    def __init__(self, root: Path, profile: tuple[int, int], sizes: list[int]) -> None:
        k, m = profile
        self.cluster = Cluster(root, k=k, m=m)
        self.bodies = [content(size, seed=n) for n, size in enumerate(sizes)]
        self.refs: list[ChunkRef] = []
        self.strand = Strand(BULK, 0)

    async def fill(self) -> None:
        writer = self.cluster.new_writer()
        with failing(faults.Plan(skip=("fdatasync",))):
            for body in self.bodies:
                self.refs += await upload(writer, body)
        writer.close()
        self.strand = Strand(BULK, self.refs[0].segment)

    def hurt(self, slot: int, how: str, at: int) -> None:
        path = self.cluster.path(slot, self.strand)
        data = bytearray(path.read_bytes())
        at %= max(len(data), 1)
        if how == "remove":
            path.unlink()
            return
        if how == "flip" and data:
            data[at] ^= 1 << at % 8
        elif how == "cut":
            del data[at:]
        elif how == "torn":
            data[at : at + 512] = bytes(len(data[at : at + 512]))
        elif how == "shift":
            data[at:at] = b"\0" * 8
        elif how == "swap":
            other = self.cluster.path((slot + 1) % (self.cluster.k + self.cluster.m), self.strand)
            if other.exists():
                mine = bytes(data)
                data = bytearray(other.read_bytes())
                other.write_bytes(mine)
        path.write_bytes(data)

    async def never_wrong(self) -> bool:
        """True when all could be read; what was read is always right."""
        reader = self.cluster.new_reader()
        try:
            return await self._never_wrong(reader)
        finally:
            reader.close()

    async def _never_wrong(self, reader: Reader) -> bool:
        whole = True
        for ref, body in zip(self.refs, self.bodies, strict=True):
            ranges = [
                (0, len(body)),
                (len(body) // 3, min(len(body) // 3 + 100, len(body))),
                (len(body) - 1, len(body)),
            ]
            for start, stop in ranges:
                try:
                    assert await reader.chunk(ref, start, stop) == body[start:stop]
                except errors.Damaged:
                    whole = False
        return whole


HURTS = st.lists(
    st.tuples(
        st.integers(0, 15),
        st.sampled_from(["flip", "cut", "torn", "shift", "remove", "swap"]),
        st.integers(0, 1 << 22),
    ),
    max_size=6,
)


@settings(max_examples=40)
@given(st.sampled_from(SMALL), st.lists(st.integers(1, 300_000), min_size=1, max_size=3), HURTS)
def test_random_damage(profile: tuple[int, int], sizes: list[int], hurts: list[tuple[int, str, int]]) -> None:
    """Whatever is done to the files: right or refused. Damage on at most m strands: right, and healed to full."""
    k, m = profile

    async def run(root: Path) -> None:
        world = World(root, profile, sizes)
        await world.fill()
        touched: set[int] = set()
        for slot, how, at in hurts:
            slot %= k + m
            if not world.cluster.path(slot, world.strand).exists():
                continue
            world.hurt(slot, how, at)
            touched |= {slot, (slot + 1) % (k + m)} if how == "swap" else {slot}
        readable = await world.never_wrong()
        if len(touched) > m:
            return
        assert readable
        target = Target(BULK, world.strand.segment)
        for _ in range(k + m):  # swapped strands change places as they are healed
            found = examine(target, world.cluster.drives, refers=None, throttle=Throttle(0))
            if found.full:
                break
            with failing(faults.Plan(skip=("fdatasync",))):
                heal_strand(world.cluster.drives, world.strand, found.to_heal()[0])
        assert found.full
        assert await world.never_wrong()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


@pytest.mark.parametrize("profile", SMALL)
def test_every_loss_of_m_drives(profile: tuple[int, int]) -> None:
    """Combinations of m drives away, fifteen of each profile: everything is read."""
    k, m = profile

    async def run(root: Path) -> None:
        world = World(root, profile, [150_000])
        await world.fill()
        ways = list(itertools.combinations(range(k + m), m))
        for away in ways[:: len(ways) // 15 + 1]:
            for slot in away:
                world.cluster.away(slot)
            assert await world.never_wrong()
            for slot in away:
                world.cluster.back(slot)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))
