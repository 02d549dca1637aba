from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kakera.base import faults
from tests.unit.segments.cluster import Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """Six drives, 4+2."""
    return Cluster(tmp_path)


@pytest.fixture(autouse=True)
def no_plan_is_left() -> Iterator[None]:
    yield
    faults.plan = None
