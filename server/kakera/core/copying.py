"""A stored object as the body of a new one: read, verified, digested anew, placed like any other body."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import NamedTuple, Protocol

from kakera.core.values import BucketInfo, ByteRange, Digests, ObjectRead, ReadCondition
from kakera.journal.records import Checksum


class Running(Protocol):
    """A digest in the making."""

    def update(self, data: bytes | memoryview, /) -> None: ...
    def digest(self) -> bytes: ...


class Source(NamedTuple):
    """What is copied. version None: the newest."""

    bucket: BucketInfo
    key: bytes
    version: bytes | None = None
    condition: ReadCondition = ReadCondition()
    byte_range: ByteRange | None = None


class Target(NamedTuple):
    """The part that a copy is to make."""

    bucket: BucketInfo
    key: bytes
    upload_id: bytes
    number: int


class SourceBody:
    """`BodySource` over an object opened for reading. `close` must be called."""

    def __init__(self, read: ObjectRead, algorithm: str, running: Running | None) -> None:
        self._read = read
        self._pieces = None if isinstance(read.body, bytes) else aiter(read.body)
        self._whole = read.body if isinstance(read.body, bytes) else b""
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._algorithm = algorithm
        self._running = running
        self._size_bytes = 0
        self.declared_bytes = read.stop - read.start

    async def read(self) -> bytes | memoryview:
        piece: bytes | memoryview
        if self._pieces is None:
            piece, self._whole = self._whole, b""
        else:
            piece = await anext(self._pieces, b"")
        self._md5.update(piece)
        if self._running is not None:
            self._running.update(piece)
        self._size_bytes += len(piece)
        return piece

    def digests(self) -> Digests:
        checksum = None
        if self._running is not None:
            checksum = Checksum(self._algorithm, b64encode(self._running.digest()).decode())
        return Digests(self._size_bytes, self._md5.digest(), checksum)

    async def close(self) -> None:
        """What is read ahead ends before the pins go (R7)."""
        try:
            if (end := getattr(self._pieces, "aclose", None)) is not None:
                await end()
        finally:
            self._read.close()
