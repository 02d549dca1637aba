"""A drive in memory that loses what was not synced, as a real one does (R2)."""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator, Sequence

from kakera.segments.drive import Drive, DriveAbsent, Identity, Space, Strand
from kakera.segments.record import Buffer

SECTOR = 512


class Crash(BaseException):
    """The process died here."""


class Countdown:
    """Passages until the next crash; shared by all drives and the index of one store."""

    def __init__(self) -> None:
        self.left = -1

    def hit(self) -> None:
        if self.left > 0:
            self.left -= 1
        elif self.left == 0:
            self.left = -1
            raise Crash


class _File:
    def __init__(self) -> None:
        self.cache = bytearray()  # what a read returns
        self.disk = bytearray()  # what a power cut leaves
        self.pending: list[tuple[int, bytes]] = []
        self.durable = False  # the folder entry


class FakeDrive:
    """`Drive` in memory. `away`: every call raises DriveAbsent. `sync_fails`: the next syncs raise EIO and what they
    should have made durable never will be, although it reads clean."""

    def __init__(self, slot: int, countdown: Countdown, *, cluster: str = "fake", domain: str = "") -> None:
        self.slot = slot
        self.domain = domain or f"domain-{slot}"
        self.away = False
        self.sync_fails = 0
        self.free_bytes = 1 << 40
        self._identity = Identity(cluster, f"drive-{slot}", slot, 1)
        self._countdown = countdown
        self._files: dict[Strand, _File] = {}
        self._epoch = 0

    def _file(self, strand: Strand) -> _File:
        if self.away:
            raise DriveAbsent(errno.ENODEV, "away")
        if strand not in self._files:
            raise FileNotFoundError(errno.ENOENT, "no such strand", str(strand))
        return self._files[strand]

    def identity(self) -> Identity:
        if self.away:
            raise DriveAbsent(errno.ENODEV, "away")
        return self._identity

    def create(self, strand: Strand, header: bytes) -> None:
        if self.away:
            raise DriveAbsent(errno.ENODEV, "away")
        if strand in self._files:
            raise FileExistsError(errno.EEXIST, "strand exists", str(strand))
        self._countdown.hit()
        self._files[strand] = _File()
        self.write(strand, 0, (header,))
        self.sync(strand)
        self._files[strand].durable = True
        self._countdown.hit()

    def write(self, strand: Strand, offset: int, buffers: Sequence[Buffer]) -> None:
        file = self._file(strand)
        data = b"".join(bytes(buffer) for buffer in buffers)
        self._countdown.hit()
        _put(file.cache, offset, data)
        file.pending.append((offset, data))
        self._countdown.hit()

    def sync(self, strand: Strand) -> None:
        file = self._file(strand)
        self._countdown.hit()
        if self.sync_fails:
            self.sync_fails -= 1
            file.pending.clear()  # a later sync has nothing to do and says so
            raise OSError(errno.EIO, "sync failed", str(strand))
        for offset, data in file.pending:
            _put(file.disk, offset, data)
        file.pending.clear()
        self._countdown.hit()

    def read(self, strand: Strand, offset: int, length: int) -> bytes:
        return bytes(self._file(strand).cache[offset : offset + length])

    def read_now(self, strand: Strand, offset: int, length: int) -> bytearray | None:
        return bytearray(self.read(strand, offset, length))

    def strands(self, kind: str) -> Iterator[tuple[int, int]]:
        if self.away:
            raise DriveAbsent(errno.ENODEV, "away")
        return iter([(s.segment, len(f.cache)) for s, f in sorted(self._files.items()) if s.kind == kind])

    def install(self, strand: Strand, source: Iterator[Buffer]) -> None:
        if self.away:
            raise DriveAbsent(errno.ENODEV, "away")
        data = b"".join(bytes(piece) for piece in source)
        self._countdown.hit()
        file = _File()
        file.cache, file.disk, file.durable = bytearray(data), bytearray(data), True
        self._files[strand] = file
        self._countdown.hit()

    def punch(self, strand: Strand, offset: int, length: int) -> None:
        file = self._file(strand)
        _put(file.cache, offset, bytes(length))
        _put(file.disk, offset, bytes(length))

    def drop(self, strand: Strand) -> None:
        if self.away:
            raise DriveAbsent(errno.ENODEV, "away")
        self._countdown.hit()
        self._files.pop(strand, None)
        self._countdown.hit()

    def epoch(self, raise_to: int | None = None) -> int:
        if self.away:
            raise DriveAbsent(errno.ENODEV, "away")
        if raise_to is not None and raise_to > self._epoch:
            self._countdown.hit()
            self._epoch = raise_to
        return self._epoch

    def space(self, keep_bytes: int = 0) -> Space:
        return Space(1 << 41, self.free_bytes)

    # --- what a test does to it

    def power_cut(self, rng: random.Random) -> None:
        """Unsynced writes are kept, lost or torn at a sector; a file whose folder entry was not synced may be gone."""
        for strand in list(self._files):
            file = self._files[strand]
            for offset, data in file.pending:
                fate = rng.randrange(3)
                if fate == 0:
                    _put(file.disk, offset, data)
                elif fate == 1 and len(data) > SECTOR:
                    _put(file.disk, offset, data[: rng.randrange(SECTOR, len(data), SECTOR)])
            file.pending.clear()
            file.cache = bytearray(file.disk)
            if not file.durable:
                if rng.randrange(2):
                    del self._files[strand]
                else:
                    file.durable = True

    def flip(self, strand: Strand, offset: int, bit: int) -> None:
        """One bit, on the platter and in the cache."""
        file = self._files[strand]
        for content in (file.cache, file.disk):
            if offset < len(content):
                content[offset] ^= 1 << bit

    def erase(self, strand: Strand, offset: int, length: int | None = None) -> None:
        """Zeros from `offset` on (to the end, or `length` bytes): as if it had never been written."""
        file = self._files[strand]
        for content in (file.cache, file.disk):
            stop = len(content) if length is None else min(len(content), offset + length)
            content[offset:stop] = bytes(max(0, stop - offset))

    def content(self, strand: Strand) -> bytes:
        """All of it; empty when it is not there."""
        return bytes(self._files[strand].disk) if strand in self._files else b""

    def replace(self, strand: Strand, content: bytes) -> None:
        """Other bytes in its place."""
        file = self._files[strand]
        file.cache, file.disk, file.pending = bytearray(content), bytearray(content), []


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _is_drive(drive: FakeDrive) -> Drive:
    """mypy proves that the fake has the interface's shape."""
    return drive
