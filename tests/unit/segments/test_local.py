"""A drive that is a folder: durable steps, presence, open strands, fault points."""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from kakera.base import clock, faults, limits
from kakera.base.ids import segment_id
from kakera.segments import files
from kakera.segments.drive import BULK, JOURNAL, DriveAbsent, Strand
from kakera.segments.local import LocalDrive
from tests.unit.segments.cluster import Cluster, content, failing

S = Strand(BULK, segment_id(1, 1))


@pytest.fixture
def drive(cluster: Cluster) -> LocalDrive:
    found = cluster.drives.present[0]
    assert isinstance(found, LocalDrive)
    return found


def test_write_sync_read(drive: LocalDrive) -> None:
    drive.create(S, b"h" * 64)
    drive.write(S, 64, [b"abc", bytearray(b"de"), memoryview(b"f")])
    drive.sync(S)
    assert drive.read(S, 60, 100) == b"hhhhabcdef"
    assert drive.read(S, 70, 5) == b""
    assert drive.read_now(S, 64, 6) == b"abcdef"
    assert drive.read_now(S, 64, 7) is None  # not all of it is there
    assert list(drive.strands(BULK)) == [(S.segment, 70)]
    assert list(drive.strands(JOURNAL)) == []


def test_a_strand_is_made_once(drive: LocalDrive) -> None:
    """Ids are never given out again: an existing file is somebody's data."""
    drive.create(S, b"first")
    with pytest.raises(FileExistsError):
        drive.create(S, b"second")
    assert drive.read(S, 0, 9) == b"first"


def test_short_writes_are_gone_on_with(drive: LocalDrive, monkeypatch: pytest.MonkeyPatch) -> None:
    real_v, real = os.pwritev, os.pwrite
    monkeypatch.setattr(os, "pwritev", lambda fd, buffers, at: real_v(fd, [b"".join(buffers)[:3]], at))
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, data[:2], at))
    drive.create(S, b"header")
    drive.write(S, 6, [b"abcd", b"efg"])
    assert drive.read(S, 0, 99) == b"headerabcdefg"


def test_a_device_that_takes_nothing_is_an_error(drive: LocalDrive, monkeypatch: pytest.MonkeyPatch) -> None:
    drive.create(S, b"header")
    monkeypatch.setattr(os, "pwritev", lambda fd, buffers, at: 0)
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: 0)
    with pytest.raises(OSError, match="takes no bytes"):
        drive.write(S, 6, [b"abcd"])


def test_more_buffers_than_one_call_takes(drive: LocalDrive) -> None:
    drive.create(S, b"")
    drive.write(S, 0, [bytes([n % 256]) for n in range(3000)])
    assert drive.read(S, 0, 4000) == bytes(n % 256 for n in range(3000))


def test_a_sync_into_a_removed_file_is_no_sync(cluster: Cluster, drive: LocalDrive) -> None:
    """R2: the bytes would be gone with the descriptor."""
    drive.create(S, b"h")
    cluster.path(0, S).unlink()
    drive.write(S, 1, [b"x"])
    with pytest.raises(DriveAbsent):
        drive.sync(S)


def test_a_sync_on_a_drive_that_is_another_now_is_no_sync(cluster: Cluster, drive: LocalDrive) -> None:
    """R8: the folder was emptied, or something else was mounted over it, while the strand was open."""
    drive.create(S, b"h")
    os.rename(cluster.root / "d0", cluster.root / "before")
    (cluster.root / "d0").mkdir()
    with pytest.raises(DriveAbsent):
        drive.sync(S)
    shutil.copytree(cluster.root / "d1", cluster.root / "d0", dirs_exist_ok=True)
    for act in (
        lambda: drive.sync(S),
        lambda: drive.create(Strand(BULK, 9), b"h"),
        lambda: drive.install(Strand(BULK, 9), iter([b"h"])),
        lambda: drive.drop(S),
        lambda: list(drive.strands(BULK)),
        lambda: drive.epoch(7),
        lambda: drive.read(Strand(BULK, 9), 0, 1),
    ):
        with pytest.raises(DriveAbsent, match="another drive"):
            act()
    assert not list((cluster.root / "d0/bulk").iterdir())


def test_it_is_present_again_when_its_folder_is(cluster: Cluster, drive: LocalDrive) -> None:
    drive.create(S, b"h")
    cluster.away(0)
    with pytest.raises(DriveAbsent):
        drive.identity()
    cluster.back(0)
    assert drive.read(S, 0, 1) == b"h"
    drive.sync(S)


def test_open_strands_are_bounded_and_never_mixed_up(cluster: Cluster, drive: LocalDrive) -> None:
    strands = [Strand(BULK, 100 + n) for n in range(limits.OPEN_STRANDS_PER_DRIVE + 30)]
    for number, strand in enumerate(strands):
        drive.create(strand, b"%06d" % number)
    assert len(drive._handles) == limits.OPEN_STRANDS_PER_DRIVE
    held = [handle.fd for handle in drive._handles.values()]
    assert len(set(held)) == len(held)
    for number, strand in enumerate(strands):
        assert drive.read(strand, 0, 9) == b"%06d" % number
    drive.close()
    assert not [fd for fd in held if _is_open(fd, cluster.root)]


def _is_open(fd: int, root: Path) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith(str(root))
    except OSError:
        return False


def test_what_others_dropped_is_let_go(cluster: Cluster, drive: LocalDrive, monkeypatch: pytest.MonkeyPatch) -> None:
    """The space of a dropped strand is not free while any process has it open (R7)."""
    now = [0.0]
    monkeypatch.setattr(clock, "monotonic_s", lambda: now[0])
    drive._swept_s = 0.0
    drive.create(S, b"old")
    cluster.path(0, S).unlink()
    assert drive.read(S, 1, 2) == b"ld"
    now[0] += limits.OPEN_STRAND_CHECK_S + 1
    with pytest.raises(FileNotFoundError):
        drive.read(S, 1, 2)


def test_a_drive_that_answers_nothing_is_swept_like_any_other(
    cluster: Cluster, drive: LocalDrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fstat of an open file fails on a file system that was shut down; who sweeps looks after other drives too."""
    drive.create(S, b"old")

    def fail(_fd: int) -> os.stat_result:
        raise OSError(errno.EIO, "shut down")

    monkeypatch.setattr(os, "fstat", fail)
    drive._swept_s = -limits.OPEN_STRAND_CHECK_S * 2
    monkeypatch.setattr(clock, "monotonic_s", lambda: 0.0)
    drive.sweep()
    monkeypatch.undo()
    assert drive.read_now(S, 0, 3) is None, "it is not open any more"
    assert drive.read(S, 0, 3) == b"old"


def test_a_header_is_read_from_the_file_of_that_name(cluster: Cluster, drive: LocalDrive) -> None:
    """A census that believed an open file that is gone would prove nothing."""
    drive.create(S, b"old")
    cluster.path(0, S).unlink()
    with pytest.raises(FileNotFoundError):
        drive.read(S, 0, 3)
    cluster.path(0, S).write_bytes(b"new")
    assert drive.read(S, 0, 3) == b"new"


def test_install_is_all_or_nothing(cluster: Cluster, drive: LocalDrive) -> None:
    drive.create(S, b"old")

    def torn() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        drive.install(S, torn())
    for point in ("drive.write", "drive.sync", "drive.rename", "drive.create"):
        with failing(faults.Plan(error={point: "EIO"}, subject="/tmp/bulk-|bulk/")), pytest.raises(OSError):
            drive.install(S, iter([b"new"]))
        if point != "drive.rename":
            assert cluster.path(0, S).read_bytes() == b"old"
        assert not list((cluster.root / "d0/tmp").iterdir())
    drive.install(S, iter([b"ne", b"w"]))
    assert drive.read(S, 0, 9) == b"new" == cluster.path(0, S).read_bytes()


def test_a_hole_reads_as_zeros_and_frees_space(cluster: Cluster, drive: LocalDrive) -> None:
    drive.create(S, b"h" * 4096)
    drive.write(S, 4096, [content(200_000)])
    drive.sync(S)
    before = cluster.path(0, S).stat().st_blocks
    drive.punch(S, 5000, 190_000)
    after = cluster.path(0, S).stat()
    assert after.st_size == 204_096
    assert after.st_blocks < before - 300
    assert drive.read(S, 8192, 4096) == bytes(4096)
    assert drive.read(S, 4096, 904) == content(200_000)[:904]  # pages that are only partly in the range stay
    drive.punch(S, 100, 200)
    assert drive.read(S, 0, 4096) == b"h" * 4096


def test_drop(drive: LocalDrive) -> None:
    drive.create(S, b"h")
    drive.drop(S)
    drive.drop(S)
    with pytest.raises(FileNotFoundError):
        drive.read(S, 0, 1)


def test_the_epoch_only_rises(cluster: Cluster, drive: LocalDrive) -> None:
    assert drive.epoch() == 0
    assert drive.epoch(5) == 5
    assert drive.epoch(3) == 5
    assert drive.epoch() == 5


@pytest.mark.parametrize("bit", range(0, 8 * 32, 3))
def test_a_damaged_epoch_is_never_believed(cluster: Cluster, drive: LocalDrive, bit: int) -> None:
    """It falls back to the epochs in the names of the journal's strands (R15)."""
    drive.epoch(5)
    drive.create(Strand(JOURNAL, segment_id(4, 1)), b"h")
    path = cluster.root / "d0/epoch"
    data = bytearray(path.read_bytes())
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    path.write_bytes(data)
    assert drive.epoch() == 4
    assert drive.epoch(6) == 6
    assert drive.epoch() == 6


def test_odd_names_are_no_strands(cluster: Cluster, drive: LocalDrive) -> None:
    drive.create(S, b"h")
    for name in ("x", "0" * 15, "0" * 17, "ABCDEF0123456789", "+000000000000001", "000000000000000g"):
        (cluster.root / "d0/bulk" / name).write_bytes(b"")
    assert [segment for segment, _ in drive.strands(BULK)] == [S.segment]
    with pytest.raises(ValueError, match="kind"):
        drive.read(Strand("../d1/bulk", 1), 0, 1)


def test_fault_points_come_in_pairs(cluster: Cluster, drive: LocalDrive, tmp_path: Path) -> None:
    """Before and after every step that the world can interrupt."""
    trace = tmp_path / "trace"
    drive.check()
    with failing(faults.Plan(trace=str(trace))):
        drive.create(S, b"h")
        drive.write(S, 1, [b"x"])
        drive.sync(S)
        drive.read(S, 0, 2)
        drive.punch(S, 0, 2)
        drive.drop(S)
    counts = Counter(line.split()[2] for line in trace.read_text().splitlines())
    assert counts == {
        "drive.create": 2,
        "drive.write": 2,
        "drive.sync": 6,  # two each: the new file, the sync; one each: the folder at create and at drop
        "drive.read": 2,
        "drive.punch": 2,
        "drive.unlink": 2,
    }


def test_the_saboteur_leaves_the_syncs_out(drive: LocalDrive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the power-cut tests could not show that they would notice."""
    calls: list[int] = []
    monkeypatch.setattr(os, "fdatasync", calls.append)
    monkeypatch.setattr(os, "fsync", calls.append)
    with failing(faults.Plan(skip=("fdatasync",))):
        drive.create(S, b"h")
        drive.sync(S)
        drive.install(S, iter([b"h"]))
        drive.epoch(3)
    assert calls == []
    drive.sync(S)
    assert len(calls) == 1


def test_a_read_only_file_system_still_serves(drive: LocalDrive, monkeypatch: pytest.MonkeyPatch) -> None:
    drive.create(S, b"h")
    drive.close()
    real = os.open

    def open_(path: object, flags: int, *rest: int) -> int:
        if flags & os.O_RDWR:
            raise OSError(errno.EROFS, "read-only")
        return real(path, flags, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", open_)
    assert drive.read(S, 0, 1) == b"h"
    with pytest.raises(OSError):
        drive.write(S, 1, [b"x"])


def test_space(drive: LocalDrive) -> None:
    space = drive.space()
    assert 0 < space.free_bytes <= space.total_bytes


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"1", b"{}", b'{"crc": 5}', b"\xff\xfe", b"[" * 100_000])
def test_sealed_files_that_are_none(text: bytes) -> None:
    assert files.unseal(text) is None
    assert files.decode_identity(text) is None
    assert files.decode_epoch(text) is None
