"""A body of more chunks than a record can name is refused before a byte of it is read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kakera.base import errors, limits
from kakera.core import bodies


class Unread:
    """A body that nobody may touch."""

    def __init__(self, size: int) -> None:
        self.declared_bytes = size

    async def read(self) -> bytes:
        raise AssertionError("it was read")


@pytest.mark.parametrize(("chunk_bytes", "maximum"), [(1 << 16, limits.MAX_CHUNKS << 16), (4 << 20, 5 << 30)])
async def test_too_many_chunks_are_too_large(chunk_bytes: int, maximum: int) -> None:
    store: Any = SimpleNamespace(profile=SimpleNamespace(chunk_bytes=chunk_bytes))
    source: Any = Unread(maximum + 1)
    with pytest.raises(errors.TooLarge) as refused:
        await bodies.take(store, b"", source, maximum_bytes=limits.MAX_PUT_BYTES)
    assert refused.value.detail == {"size_bytes": maximum + 1, "maximum_bytes": maximum}
