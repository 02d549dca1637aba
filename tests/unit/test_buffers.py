"""Buffers that are not zeroed are buffers like any other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kakera.base import buffers
from kakera.segments.drive import BULK, Identity, Strand
from kakera.segments.files import IDENTITY_FILE, encode_identity
from kakera.segments.local import LocalDrive


@pytest.mark.parametrize("size", [0, 1, 64 << 10, (64 << 10) + 1, 4 << 20])
@pytest.mark.parametrize("cpython", [True, False])
def test_it_has_its_size_and_can_be_filled(size: int, cpython: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not cpython:
        monkeypatch.setattr(buffers, "_make", None)
    made = buffers.unset(size)
    body = os.urandom(size)
    made[:] = body
    assert type(made) is bytearray
    assert bytes(made) == body


def test_what_was_not_filled_is_not_given_away(tmp_path: Path) -> None:
    identity = Identity("c", "d", 0, 1)
    (tmp_path / IDENTITY_FILE).write_bytes(encode_identity(identity))
    drive = LocalDrive(tmp_path, identity)
    (tmp_path / "bulk").mkdir()
    size = 100_000
    (tmp_path / "bulk" / f"{1:016x}").write_bytes(b"x" * size)
    drive._open(Strand(BULK, 1))
    assert drive.read_now(Strand(BULK, 1), 0, size) == b"x" * size
    assert drive.read_now(Strand(BULK, 1), 0, size + 1) is None
