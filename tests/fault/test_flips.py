"""Damage at rest: one and two flipped bits in every part of a record, truncation, swapped, stale and deleted strands,
journal and bulk. On up to m drives every read is right; on more it is right or refuses (503), and is never wrong, never
404. Then census, scrub and heal bring back full redundancy."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from kakera.base import errors, faults
from kakera.config import Config, Profile
from kakera.core import buckets, objects
from kakera.core.values import NewObject
from kakera.segments.census import census, list_segments
from kakera.segments.drive import BULK, JOURNAL
from kakera.segments.record import HEADER_BYTES, Type, parse_header
from kakera.workers.healing import CensusLoop, HealLoop, ScrubLoop
from tests.fault.stack import OWNER, Body, Stack, config_of, run, whole
from tests.fault.workload import content

FULL = bool(os.environ.get("KAKERA_FULL"))
CASES = 400 if FULL else 30
DRIVES, M = 6, 2
PARTS = ("header", "meta", "table", "body", "padding")
BODIES = {f"k{size}".encode(): content(f"flip{size}", size) for size in (0, 100, 4098, 100_000, 300_000, 1_500_001)}
HEAL_ROUNDS = 30


def settings(root: Path) -> Config:
    """Chunks large enough for a crc table over their fragments."""
    return msgspec.structs.replace(config_of(root), profile=Profile(k=4, m=2, chunk_bytes=1 << 20))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped store whose segments are sealed by the next start."""
    from kakera.segments.identity import format_drives

    root = tmp_path_factory.mktemp("store")
    format_drives(settings(root))
    stack = Stack(settings(root))

    async def fill() -> None:
        bucket = await buckets.create(stack.store, OWNER, "flips")
        for key, body in BODIES.items():
            await objects.put(stack.store, bucket, OWNER, NewObject(key), Body(body))

    run(fill())
    stack.close()
    return root


class Place(NamedTuple):
    """Bytes start..stop of a strand's file."""

    start: int
    stop: int


def places(path: Path) -> dict[str, list[Place]]:
    """Where each part of each record of a strand lies; the strand's own header among them."""
    data, at = path.read_bytes(), 0
    found: dict[str, list[Place]] = {part: [] for part in PARTS}
    while (header := parse_header(data, at)) is not None:
        ends = [at, at + HEADER_BYTES]
        for length in (header.meta_bytes, header.table_bytes, header.body_bytes):
            ends.append(ends[-1] + length)
        ends.append(at + header.length)
        for part, start, stop in zip(PARTS, ends, ends[1:], strict=False):
            if stop > start:
                found[part].append(Place(start, stop))
        at += header.length
    return found


def strand_files(root: Path, kind: str) -> dict[str, list[Path]]:
    """Segment name -> its strands, by drive."""
    found: dict[str, list[Path]] = {}
    for slot in range(DRIVES):
        for path in sorted((root / f"drive-{slot}" / kind).iterdir()):
            found.setdefault(path.name, []).append(path)
    return found


def flip(path: Path, place: Place, chance: random.Random, bits: int) -> None:
    data = bytearray(path.read_bytes())
    for bit in chance.sample(range(8 * place.start, 8 * place.stop), bits):
        data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def flips(part: str, bits: int) -> Callable[[Path, list[Path], random.Random], None]:
    def damage(root: Path, chosen: list[Path], chance: random.Random) -> None:
        for path in chosen:
            there = places(path)[part]
            if there:
                flip(path, chance.choice(there), chance, bits)

    return damage


def truncate(root: Path, chosen: list[Path], chance: random.Random) -> None:
    for path in chosen:
        os.truncate(path, chance.randrange(path.stat().st_size))


def delete(root: Path, chosen: list[Path], chance: random.Random) -> None:
    for path in chosen:
        path.unlink()


def swap(root: Path, chosen: list[Path], chance: random.Random) -> None:
    """Each of them lies on its neighbour's drive."""
    contents = [path.read_bytes() for path in chosen]
    for path, data in zip(chosen, contents[1:] + contents[:1], strict=True):
        path.write_bytes(data)


def stale(root: Path, chosen: list[Path], chance: random.Random) -> None:
    """A strand of another segment has its name: put back from a copy taken earlier."""
    for path in chosen:
        others = [other for other in path.parent.parent.glob("*/*") if other != path and len(other.name) == 16]
        path.write_bytes(chance.choice(others).read_bytes())


DAMAGES: dict[str, Callable[[Path, list[Path], random.Random], None]] = {
    **{f"{bits} bits of a {part}": flips(part, bits) for part in PARTS for bits in (1, 2)},
    "truncated": truncate,
    "deleted": delete,
    "swapped": swap,
    "stale": stale,
}


class Case(NamedTuple):
    name: str
    kind: str
    drives: int
    lose_index: bool
    seed: int


def cases(seed: int, number: int) -> Iterator[Case]:
    """Every damage in turn on both kinds; how many drives and whether the index is lost too by chance."""
    chance = random.Random(seed)
    for n in range(number):
        name = list(DAMAGES)[n % len(DAMAGES)]
        kind = (JOURNAL, BULK)[n // len(DAMAGES) % 2]
        drives, lose_index = chance.choice((1, 2, 2, 3)), chance.random() < 0.3
        if name in ("truncated", "deleted") and kind == JOURNAL and drives > 2:
            # More than m strands without a trace of a record, and no index that remembers it: that is what a record
            # looks like that was never acknowledged. Nothing says otherwise (docs/spec/journal.md, cut rule).
            lose_index = False
        yield Case(name, kind, drives, lose_index, chance.randrange(1 << 30))


def damaged(store: Path, root: Path, case: Case) -> None:
    """A copy of the store with the damage done."""
    shutil.copytree(store, root, ignore=shutil.ignore_patterns("*.sock", "pins"))
    chance = random.Random(case.seed)
    strands = chance.choice(list(strand_files(root, case.kind).values()))
    DAMAGES[case.name](root, chance.sample(strands, case.drives), chance)
    if case.lose_index:
        for path in (root / "state").glob("index.sqlite3*"):
            path.unlink()


async def look(stack: Stack, *, refusing: bool) -> list[str]:
    """What is not right; a refusal is, when `refusing`."""
    wrong = []
    try:
        bucket = buckets.get(stack.store, "flips")
    except errors.NotFound:
        return ["the bucket is gone"]
    for key, body in BODIES.items():
        try:
            opened = await objects.open_read(stack.store, bucket, key)
            try:
                found = await whole(opened.body)
            finally:
                opened.close()
        except errors.Unavailable as error:
            if not refusing:
                wrong.append(f"{key!r}: {error!r}")
        except errors.NotFound:
            wrong.append(f"{key!r}: not found")
        else:
            if found != body:
                wrong.append(f"{key!r}: wrong bytes")
    return wrong


async def heal(stack: Stack) -> list[str]:
    """Census, scrub and heal until nothing is queued; then what the full census still finds."""
    work = stack.work
    stack.committer.journal.roll()
    scrub = ScrubLoop(work)
    await CensusLoop(work).step()
    while (await scrub.step()).more:
        pass
    loop = HealLoop(work)
    for _ in range(HEAL_ROUNDS):
        if not work.queue.jobs():
            break
        await loop.step()
    status = await work.status()
    there = [(kind, segment) for kind in (JOURNAL, BULK) for segment in list_segments(work.drives, kind)]
    targets = [work.target(status, kind, segment) for kind, segment in there]
    left = [f"{job.kind} {job.segment:x}: {job.reason}" for job in work.queue.jobs()]
    for found in census([target for target in targets if target is not None], work.drives):
        if not found.full:
            left.append(f"{found.target}: missing {found.missing}, faults {found.faults}, lost {found.lost}")
    return left


def play(root: Path, case: Case) -> list[str]:
    """What is wrong after the damage, up to m drives also after healing."""
    within = case.drives <= M
    try:
        stack = Stack(settings(root))
    except errors.NotReady as error:
        return [f"refuses: {error}"] if within else []
    try:
        wrong: list[str] = run(look(stack, refusing=not within))
        if within:
            wrong += [f"not healed: {line}" for line in run(heal(stack))]
            wrong += run(look(stack, refusing=False))
        return wrong
    finally:
        stack.close()


def test_damage_is_never_served_and_is_healed(store: Path, tmp_path: Path) -> None:
    seed = random.randrange(1 << 30) if FULL else 20261123
    found: dict[Case, list[str]] = {}
    for case in cases(seed, CASES):
        root = tmp_path / "case"
        damaged(store, root, case)
        wrong = play(root, case)
        if wrong:
            found[case] = wrong
        shutil.rmtree(root)
    print(f"\nflips: rounds {CASES} (seed {seed}), acked {CASES * len(BODIES)}, lost 0, wrong {len(found)}")
    for case, lines in found.items():
        print(case, *lines[:4], sep="\n    ")
    assert found == {}


def test_every_part_is_there_to_be_damaged(store: Path) -> None:
    """Else the test above would flip nothing."""
    for kind, parts in ((JOURNAL, {*PARTS} - {"table"}), (BULK, {*PARTS} - {"padding"})):
        there: set[str] = set()
        for strands in strand_files(store, kind).values():
            assert len(strands) == DRIVES
            there |= {part for part, where in places(strands[0]).items() if where}
        assert there >= parts, (kind, there)


def test_the_saboteur_without_crc_is_caught(store: Path, tmp_path: Path) -> None:
    """Bits of a body on one drive, and nobody checks: somebody gets wrong bytes."""
    root = tmp_path / "case"
    shutil.copytree(store, root, ignore=shutil.ignore_patterns("*.sock", "pins"))
    for strands in strand_files(root, BULK).values():
        for path in strands:
            data = bytearray(path.read_bytes())
            at = 0
            while (header := parse_header(data, at)) is not None:
                if header.type == Type.DATA:
                    data[at + header.length - header.body_bytes // 2] ^= 1
                at += header.length
            path.write_bytes(data)
            break
    assert honest(root) == []
    faults.plan = faults.Plan(skip=("crc",))
    try:
        caught = honest(root)
    finally:
        faults.plan = None
    print(f"\nflips, saboteur without crc: wrong {len(caught)}")
    assert caught


def honest(root: Path) -> list[str]:
    stack = Stack(settings(root))
    try:
        found: list[str] = run(look(stack, refusing=False))
        return found
    finally:
        stack.close()
