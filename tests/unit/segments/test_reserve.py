"""Space that nobody else can fill."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kakera.segments import local
from kakera.segments.drive import BULK, JOURNAL, Strand
from kakera.segments.identity import format_drives, open_drives
from kakera.segments.reserve import Reserve, give_back_ahead, take_ahead
from tests.unit.segments.cluster import make_config

MIB = 1 << 20


def test_what_is_held_counts_as_free_and_is_given_in_pieces(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path)
    assert reserve.held_bytes() == 0 and reserve.give() == 0
    reserve.keep(8 * MIB)
    assert 8 * MIB <= reserve.held_bytes() < 9 * MIB
    assert reserve.space()[1] >= reserve.held_bytes()
    assert MIB <= reserve.give(MIB) < 2 * MIB
    assert 6 * MIB < reserve.held_bytes() <= 7 * MIB + MIB // 2
    reserve.keep(2 * MIB)
    assert 2 * MIB <= reserve.held_bytes() < 3 * MIB
    assert reserve.give() >= 2 * MIB
    assert reserve.held_bytes() == 0


def test_what_a_file_has_ahead_does_not_show_in_its_length(tmp_path: Path) -> None:
    with open(tmp_path / "file", "wb") as file:
        file.write(b"x" * 100)
        file.flush()
        assert take_ahead(file.fileno(), 100, MIB) == MIB
        assert os.fstat(file.fileno()).st_size == 100
        assert os.fstat(file.fileno()).st_blocks * 512 >= MIB
        give_back_ahead(file.fileno())
        assert os.fstat(file.fileno()).st_size == 100
        assert os.fstat(file.fileno()).st_blocks * 512 < MIB


@pytest.mark.parametrize(("kind", "served"), [(JOURNAL, True), (BULK, False)])
def test_the_journal_writes_out_of_the_reserve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, served: bool
) -> None:
    """The file system is full for as long as the reserve is held. Bodies get none of it."""
    config = make_config(tmp_path)
    format_drives(config)
    drive = open_drives(config).present[0]
    reserve = Reserve(Path(config.drives[0].path))
    strand, other = Strand(kind, 1 << 32 | 1), Strand(kind, 1 << 32 | 2)
    drive.create(strand, b"h" * 100)
    drive.space(keep_bytes=MIB)
    real = local.write_all

    def full(fd: int, buffers: list[bytes], offset: int) -> int:
        if reserve.held_bytes():
            raise OSError(errno.ENOSPC, "no space")
        return real(fd, buffers, offset)

    monkeypatch.setattr(local, "write_all", full)
    if not served:
        for call in (lambda: drive.write(strand, 100, (b"body",)), lambda: drive.create(other, b"h")):
            with pytest.raises(OSError, match="no space"):
                call()
        assert reserve.held_bytes() >= MIB and [number for number, _ in drive.strands(kind)] == [strand.segment]
        return
    drive.write(strand, 100, (b"body",))
    drive.sync(strand)
    assert drive.read(strand, 100, 4) == b"body"
    path = Path(config.drives[0].path) / kind / f"{strand.segment:016x}"
    assert (path.stat().st_size, path.stat().st_blocks * 512 >= MIB) == (104, True), "the space is the strand's now"
    drive.space(keep_bytes=MIB)
    drive.create(other, b"h" * 50)
    assert path.stat().st_blocks * 512 < MIB, "what it did not use went to the next one"
    assert [number for number, _ in drive.strands(kind)] == [strand.segment, other.segment]


def test_a_successor_finds_what_a_killed_committer_had_taken_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else is free: its epoch is written in that space, and the rest is the reserve again."""
    config = make_config(tmp_path)
    format_drives(config)
    strand = Strand(JOURNAL, 1 << 32 | 1)
    open_drives(config).present[0].create(strand, b"h" * 100)
    folder = Path(config.drives[0].path)
    path = folder / "journal" / f"{strand.segment:016x}"
    with open(path, "r+b") as file:
        assert take_ahead(file.fileno(), 100, 8 * MIB) == 8 * MIB
    real = local.replace_file

    def full(target: Path, data: bytes) -> None:
        if os.stat(path).st_blocks * 512 >= 8 * MIB:
            raise OSError(errno.ENOSPC, "no space")
        real(target, data)

    monkeypatch.setattr(local, "replace_file", full)
    assert open_drives(config).present[0].epoch(7) == 7
    assert open_drives(config).present[0].epoch() == 7
    assert path.read_bytes() == b"h" * 100
    assert Reserve(folder).held_bytes() >= 7 * MIB
