"""Two drives that hold the same strand of a segment: one was healed onto a spare while the other was away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kakera.segments.census import Target, examine
from kakera.segments.drive import BULK, Strand
from kakera.segments.heal import drop_twins, heal_strand
from kakera.segments.map import SegmentMap
from kakera.segments.walk import Throttle
from tests.unit.segments.cluster import Cluster, content, upload


@pytest.fixture
def seven(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path, drives=7)


async def twins(cluster: Cluster) -> tuple[Strand, int, tuple[int, int]]:
    """A segment with one strand on two drives: the strand's index, and the two slots."""
    writer = cluster.new_writer()
    (ref,) = await upload(writer, content(300_000))
    writer.close()
    strand = Strand(BULK, ref.segment)
    places = SegmentMap(cluster.drives).where(BULK, ref.segment)
    cluster.ref = ref  # type: ignore[attr-defined]
    index, slot = 2, places[2].slot
    cluster.away(slot)
    spare = heal_strand(cluster.drives, strand, index).slot
    cluster.back(slot)
    assert spare != slot
    return strand, index, (slot, spare)


@pytest.mark.parametrize("damaged", [0, 1])
async def test_the_good_one_counts(seven: Cluster, damaged: int) -> None:
    """Two other strands are gone: all rests on the one that is whole, wherever it lies."""
    strand, _, slots = await twins(seven)
    places = SegmentMap(seven.drives).where(BULK, strand.segment)
    lost = [places[at].slot for at in (0, 5)]
    for slot in lost:
        os.unlink(seven.path(slot, strand))
    seven.flip(slots[damaged], strand, 8 * 20_000)
    for drive in seven.drives.present.values():
        drive.close()  # type: ignore[attr-defined]
    ref = seven.ref  # type: ignore[attr-defined]
    assert await seven.new_reader().chunk(ref, 0, ref.size) == content(300_000)
    target = Target(BULK, strand.segment)
    found = examine(target, seven.drives, refers=None, throttle=Throttle(0))
    assert not found.lost and not found.full
    for at in found.to_heal():
        heal_strand(seven.drives, strand, at)
    found = examine(target, seven.drives, refers=None, throttle=Throttle(0))
    assert found.full
    drop_twins(seven.drives, found)
    assert sum(seven.path(slot, strand).exists() for slot in slots) == 1
    assert examine(target, seven.drives, refers=None, throttle=Throttle(0)).full
    assert await seven.new_reader().chunk(ref, 0, ref.size) == content(300_000)


async def test_a_twin_is_kept_while_anything_is_missing(seven: Cluster) -> None:
    strand, _, slots = await twins(seven)
    places = SegmentMap(seven.drives).where(BULK, strand.segment)
    os.unlink(seven.path(places[0].slot, strand))
    found = examine(Target(BULK, strand.segment), seven.drives, refers=None, throttle=Throttle(0))
    drop_twins(seven.drives, found)
    assert all(seven.path(slot, strand).exists() for slot in slots)
