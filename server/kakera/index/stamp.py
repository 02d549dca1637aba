"""A number beside the index, in memory that all processes share, which tells readers that the settings have changed.

Every request reads its bucket's row, which changes next to never: a read of the file costs 7 microseconds and two file
locks, this number a fraction of one. The writer makes it odd before it commits a change of a bucket and even, another
one, after it (a seqlock; Lamport, "Concurrent Reading and Writing", 1977). A reader believes what it remembers only
while the number is even and the one it was read under: whoever was told of a change meets a newer number.
"""

from __future__ import annotations

import mmap
import os

from kakera.base import limits
from kakera.index.tables import BucketRow

SUFFIX = "-stamp"
_BYTES = mmap.PAGESIZE
_WRAP = 1 << 62


class Stamp:
    """The number. Made by the writer, which is one; a number of any value will do after a power cut, since nobody
    remembers anything then.

    Raises OSError."""

    def __init__(self, path: str, *, write: bool) -> None:
        flags = os.O_RDWR | os.O_CREAT if write else os.O_RDONLY
        fd = os.open(path + SUFFIX, flags | os.O_CLOEXEC, 0o600)
        try:
            status = os.fstat(fd)
            self.inode = (status.st_dev, status.st_ino)  # readers of another file would never hear of a change
            if write and status.st_size < _BYTES:
                os.posix_fallocate(fd, 0, _BYTES)  # a hole would end the process on a full disk
            self._map = mmap.mmap(fd, _BYTES, prot=mmap.PROT_READ | (mmap.PROT_WRITE if write else 0))
        finally:
            os.close(fd)
        self._words = memoryview(self._map).cast("Q")
        if write:
            self.end()  # the process before may have ended in between, and what it left is replayed

    @property
    def now(self) -> int:
        return self._words[0]

    def begin(self) -> None:
        """A change of settings is about to be committed: nobody may remember anything."""
        self._words[0] = (self._words[0] | 1) % _WRAP

    def end(self) -> None:
        """It was committed or given up: what was remembered before does not count."""
        self._words[0] = (self._words[0] | 1) % _WRAP + 1

    def close(self) -> None:
        self._words.release()
        self._map.close()


class Remembered:
    """The bucket rows a reader has met under the present number."""

    def __init__(self, stamp: Stamp) -> None:
        self._stamp = stamp
        self._under = -1
        self._rows: dict[str, BucketRow] = {}

    def get(self, name: str) -> BucketRow | None:
        """The row, None when it must be read. What is not there is never remembered."""
        return self._rows.get(name) if self._stamp.now == self._under else None

    @property
    def now(self) -> int:
        """The present number: to be asked before the row is read, and given to `put` with it."""
        return self._stamp.now

    def put(self, name: str, row: BucketRow, before: int) -> None:
        """The row as it was read after the number was `before`: remembered if nothing changed meanwhile."""
        if before & 1 or self._stamp.now != before:
            return
        if before != self._under or len(self._rows) >= limits.BUCKETS_REMEMBERED:
            self._under, self._rows = before, {}
        self._rows[name] = row

    @property
    def inode(self) -> tuple[int, int]:
        return self._stamp.inode

    def close(self) -> None:
        self._stamp.close()
