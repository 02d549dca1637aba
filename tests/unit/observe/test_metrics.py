"""Where the workers' counters are kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kakera.observe import metrics


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "memory"
    folder.mkdir()
    monkeypatch.setattr(metrics, "MEMORY", folder)
    monkeypatch.setenv(metrics.DIRECTORY_VARIABLE, "")
    return folder


def test_the_next_start_removes_what_the_last_one_left(memory: Path, tmp_path: Path) -> None:
    place = tmp_path / "run"
    metrics.prepare(place)
    (place / "counter_1.db").write_bytes(b"old")
    first = place.resolve()
    metrics.prepare(place)
    assert not first.exists()
    assert list(place.iterdir()) == []
    assert list(memory.iterdir()) == [place.resolve()]
    assert place.resolve().stat().st_mode & 0o777 == 0o700
    assert os.environ[metrics.DIRECTORY_VARIABLE] == str(place.resolve())


def test_a_folder_on_the_disk_gives_way(memory: Path, tmp_path: Path) -> None:
    place = tmp_path / "run"
    place.mkdir()
    (place / "counter_1.db").write_bytes(b"old")
    metrics.prepare(place)
    assert place.is_symlink()
    assert place.resolve().parent == memory


def test_a_link_to_somewhere_else_costs_only_itself(memory: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "kept").touch()
    place = tmp_path / "run"
    place.symlink_to(other)
    metrics.prepare(place)
    assert (other / "kept").exists()
    assert place.resolve().parent == memory
