"""Strands that read clean and are not trusted (R2)."""

from __future__ import annotations

from pathlib import Path

from kakera.base import faults
from kakera.segments.drive import BULK, JOURNAL, Strand
from kakera.segments.suspects import Suspects
from tests.unit.segments.cluster import Cluster, content, failing, upload


def test_they_are_kept_over_restarts_until_cleared(tmp_path: Path) -> None:
    one, two = Strand(JOURNAL, 1 << 32 | 5), Strand(BULK, 7)
    suspects = Suspects(tmp_path)
    assert suspects.all() == []
    suspects.add(one, 3, "EIO")
    suspects.add(one, 3, "EIO again")
    suspects.add(two, 0, "late " * 1000)
    suspects.add(two, 12, "late")
    (tmp_path / "suspects/other").touch()
    again = Suspects(tmp_path)
    assert set(again.all()) == {(one, 3), (two, 0), (two, 12)}
    assert again.slots(two) == {0, 12}
    again.clear(two, 0)
    again.clear(two, 0)
    assert suspects.slots(two) == {12}
    suspects.clear(two)
    suspects.clear(one)
    assert suspects.all() == []


def test_a_state_folder_that_fails_does_not_stop_the_write(tmp_path: Path) -> None:
    (tmp_path / "suspects").touch()
    Suspects(tmp_path).add(Strand(BULK, 7), 1, "EIO")


async def test_a_failed_sync_makes_a_suspect_of_a_strand_that_reads_clean(cluster: Cluster) -> None:
    writer = cluster.new_writer()
    with failing(faults.Plan(error={"drive.sync": "EIO"}, subject="/d2/bulk/0")):
        writer_refs = await upload(writer, content(300_000))
    strand = Strand(BULK, writer_refs[0].segment)
    assert Suspects.of(cluster.config).all() == [(strand, 2)]
