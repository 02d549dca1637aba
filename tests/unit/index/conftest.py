"""A SQLite index of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kakera.base import faults
from kakera.index.sqlite import SqliteIndex


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "index.sqlite3")


@pytest.fixture
def writer(path: str) -> Iterator[SqliteIndex]:
    index = SqliteIndex(path)
    yield index
    faults.plan = None
    index.close()
