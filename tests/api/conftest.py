"""One world a test: a fresh store, the dialect, clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.world import ALT, MAIN, World


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    assert made.store.open_reads == 0, "a read was opened and not closed"
    made.loop.close()


@pytest.fixture
def s3(world: World) -> Any:
    """The main account's client, with a bucket `bucket`."""
    client = world.client(MAIN)
    client.create_bucket(Bucket="bucket")
    return client


@pytest.fixture
def alt(world: World) -> Any:
    return world.client(ALT)
