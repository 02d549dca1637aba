"""Which drives are ours (R8)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kakera.assemble import Paths
from kakera.base import errors, faults
from kakera.segments.drive import Identity
from kakera.segments.files import decode_identity, encode_identity
from kakera.segments.identity import Marker, format_drives, judge, open_drives, read_marker, replace_drive
from tests.unit.segments.cluster import Cluster, make_config


class Died(BaseException):
    """The process died at a fault point."""


def dying_at(number: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Raise Died at the `number`-th fault point; returns how many were passed."""
    passed = [0]

    def hit(point: str, subject: str = "") -> None:
        passed[0] += 1
        if passed[0] == number:
            raise Died

    monkeypatch.setattr(faults, "plan", faults.Plan())
    monkeypatch.setattr(faults, "hit", hit)
    return lambda: passed[0]


def test_formatting_once(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    assert format_drives(config)
    assert not format_drives(config)
    drives = open_drives(config)
    assert sorted(drives.present) == [0, 1, 2, 3, 4, 5]
    assert drives.absent == {}
    assert len({drives.ids[slot] for slot in drives.present}) == 6
    assert open_drives(config).cluster == drives.cluster


def test_formatting_killed_anywhere_is_finished_with_the_same_ids(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        passed = dying_at(0, patch)
        format_drives(make_config(tmp_path / "probe"))
        steps = passed()
    assert steps > 20
    for step in range(1, steps + 1):
        config = make_config(tmp_path / str(step))
        with pytest.MonkeyPatch.context() as patch:
            dying_at(step, patch)
            with pytest.raises(Died):
                format_drives(config)
        marker = read_marker(config)
        format_drives(config)
        drives = open_drives(config)
        assert len(drives.present) == 6, (step, drives.absent)
        if marker is not None:
            assert drives.cluster == marker.cluster
            assert {slot: entry[0] for slot, entry in marker.drives.items()} == drives.ids


def test_wiped_drives_are_absent_not_new(cluster: Cluster) -> None:
    """MinIO, with empty folders in the place of three drives, purged 53 of 60 objects."""
    for slot in (0, 1, 2):
        shutil.rmtree(cluster.root / f"d{slot}")
        (cluster.root / f"d{slot}").mkdir()
    assert not format_drives(cluster.config)
    drives = open_drives(cluster.config)
    assert sorted(drives.absent) == [0, 1, 2]
    assert not list((cluster.root / "d0").iterdir())


def test_all_drives_wiped_are_still_not_formatted(cluster: Cluster) -> None:
    for slot in range(6):
        shutil.rmtree(cluster.root / f"d{slot}")
    assert not format_drives(cluster.config)
    assert len(open_drives(cluster.config).absent) == 6


def test_a_folder_with_something_in_it_is_not_taken(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    (tmp_path / "d3").mkdir()
    (tmp_path / "d3/photos").mkdir()
    with pytest.raises(errors.NotReady, match="photos"):
        format_drives(config)
    assert not (tmp_path / "d0/kakera.json").exists()


def test_a_lost_state_folder_is_made_again_from_the_drives(cluster: Cluster) -> None:
    shutil.rmtree(cluster.root / "state")
    assert not format_drives(cluster.config)
    drives = open_drives(cluster.config)
    assert drives.cluster == cluster.drives.cluster
    assert len(drives.present) == 6
    marker = read_marker(cluster.config)
    assert marker is not None and marker.formatted


def test_nothing_to_open(tmp_path: Path) -> None:
    with pytest.raises(errors.NotReady, match="no drive has an identity"):
        open_drives(make_config(tmp_path))


def test_drives_of_two_clusters_decide_nothing_without_a_marker(tmp_path: Path) -> None:
    one, two = Cluster(tmp_path / "one"), Cluster(tmp_path / "two")
    shutil.rmtree(one.root / "state")
    for slot in (0, 1, 2):
        shutil.rmtree(one.root / f"d{slot}")
        shutil.copytree(two.root / f"d{slot}", one.root / f"d{slot}")
    with pytest.raises(errors.NotReady, match="different clusters"):
        open_drives(one.config)


def test_every_flipped_bit_of_an_identity_makes_an_absent_drive(cluster: Cluster) -> None:
    """One flipped bit there keeps RustFS from starting."""
    path = cluster.root / "d2/kakera.json"
    good = path.read_bytes()
    for bit in range(8 * len(good)):
        data = bytearray(good)
        data[bit // 8] ^= 1 << bit % 8
        assert decode_identity(bytes(data)) is None, bit
    path.write_bytes(good[:-5])
    cluster.drives.refresh()
    assert cluster.drives.absent == {2: "the identity file is damaged"}
    path.write_bytes(good)
    cluster.drives.refresh()
    assert cluster.drives.absent == {}


def test_swapped_drives_are_absent(cluster: Cluster) -> None:
    os.rename(cluster.root / "d0", cluster.root / "x")
    os.rename(cluster.root / "d1", cluster.root / "d0")
    os.rename(cluster.root / "x", cluster.root / "d1")
    cluster.drives.refresh()
    assert cluster.drives.absent == {0: "is the drive of slot 1", 1: "is the drive of slot 0"}


MARKER = Marker("c", formatted=True, drives={0: ("a", 2)})


@pytest.mark.parametrize(
    ("found", "slot", "why"),
    [
        (Identity("c", "a", 0, 2), 0, ""),
        (Identity("c", "new", 0, 3), 0, ""),
        (Identity("c", "first", 4, 1), 4, ""),
        (Identity("c", "a", 0, 1), 0, "was replaced"),
        (Identity("c", "b", 0, 2), 0, "another drive"),
        (Identity("d", "a", 0, 2), 0, "another cluster"),
        (Identity("c", "a", 0, 2), 1, "slot 0"),
        (None, 0, "because"),
    ],
)
def test_judging(found: Identity | None, slot: int, why: str) -> None:
    reason = judge(found, "because", slot, MARKER)
    assert why in reason and bool(reason) == bool(why)


def test_replacing(cluster: Cluster) -> None:
    before = cluster.drives.ids[3]
    with pytest.raises(errors.NotReady, match="has its drive"):
        replace_drive(cluster.config, 3)
    cluster.away(3)
    (cluster.root / "d3").mkdir()
    (cluster.root / "d3/letter").touch()
    with pytest.raises(errors.NotReady, match="not empty"):
        replace_drive(cluster.config, 3)
    (cluster.root / "d3/letter").unlink()
    made = replace_drive(cluster.config, 3)
    assert made.generation == 2 and made.drive != before
    cluster.drives.refresh()
    assert cluster.drives.ids[3] == made.drive
    # The old one comes back: it stays out, and is not written.
    shutil.rmtree(cluster.root / "d3")
    cluster.back(3)
    assert "was replaced" in cluster.drives.absent[3]
    with pytest.raises(errors.InvalidArgument):
        replace_drive(cluster.config, 6)


def test_replacing_killed_anywhere_is_repeated(tmp_path: Path) -> None:
    for step in range(1, 30):
        cluster = Cluster(tmp_path / str(step))
        shutil.rmtree(cluster.root / "d3")
        with pytest.MonkeyPatch.context() as patch:
            passed = dying_at(step, patch)
            try:
                replace_drive(cluster.config, 3)
            except Died:
                pass
            if passed() < step:
                return
        cluster.drives.refresh()
        if 3 not in cluster.drives.present:
            replace_drive(cluster.config, 3)
            cluster.drives.refresh()
        assert len(cluster.drives.present) == 6
    pytest.fail("more steps than were tried")


def test_a_damaged_marker_formats_nothing(cluster: Cluster) -> None:
    path = cluster.root / "state/cluster.json"
    path.write_bytes(path.read_bytes().replace(b"true", b"True"))
    with pytest.raises(errors.NotReady, match="damaged"):
        format_drives(cluster.config)
    cluster.drives.refresh()  # a running server goes on with what it knows
    assert len(cluster.drives.present) == 6


def test_refresh_keeps_what_did_not_change(cluster: Cluster) -> None:
    before = cluster.drives.present
    assert not cluster.drives.refresh()
    assert cluster.drives.present is before
    cluster.away(5)
    assert cluster.drives.present is not before
    assert cluster.drives.present[0] is before[0]


def test_identities_of_other_shapes_are_none() -> None:
    odd = encode_identity(Identity("c", "d", "0", 1))  # type: ignore[arg-type]
    assert decode_identity(odd) is None
    assert decode_identity(encode_identity(Identity("c", "d", 0, 1))) == Identity("c", "d", 0, 1)


def test_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Also those that were there before, whatever the umask says."""
    before = os.umask(0)
    try:
        config = make_config(tmp_path)
        state, first = Path(config.server.state_dir), Path(config.drives[0].path)
        for folder in (state, first):
            folder.mkdir(mode=0o777, parents=True, exist_ok=True)
            folder.chmod(0o777)
        format_drives(config)
        Paths.of(config).make_private()
    finally:
        os.umask(before)
    folders = [state, state / "run", *(Path(drive.path) for drive in config.drives)]
    folders += [folder for drive in config.drives for folder in Path(drive.path).iterdir() if folder.is_dir()]
    assert {oct(folder.stat().st_mode & 0o777) for folder in folders} == {"0o700"}
    assert len(folders) == 2 + 4 * len(config.drives)
