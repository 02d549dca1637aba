"""Settings read again belong to the bucket that was asked about, or to none (R13)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kakera.base import errors
from kakera.core.store import fresh_bucket, get_bucket
from kakera.index.interface import Mark
from kakera.index.memory import MemoryIndex
from kakera.index.tables import BUCKETS, BucketRow


def test_another_bucket_of_the_same_name_is_not_it() -> None:
    index = MemoryIndex()
    store: Any = SimpleNamespace(index=index, journal=SimpleNamespace(state=SimpleNamespace(mode="ready")))

    def write(bucket_id: int, generation: int, owner: str) -> None:
        index.begin()
        index.put(BUCKETS, BucketRow("name", bucket_id, owner, 0, generation, 1, "", b""))
        index.commit(Mark(generation, 1, 1))

    write(1, 1, "main")
    asked = get_bucket(store, "name")
    write(1, 2, "main")
    assert fresh_bucket(store, asked).generation == 2
    write(3, 3, "alt")
    with pytest.raises(errors.NoSuchBucket):
        fresh_bucket(store, asked)
