"""A drive: one small interface. The local one is in `local.py`; one reached over the network slots in here with
nothing changed above.

What a drive promises: bytes appended and synced are there after any crash; bytes not synced may be there or not; it
never changes what it was not told to. What it does not promise: that what it returns is right (records carry their
own crc, R3), or that it is there. Every method may raise OSError (EIO, ENOSPC, ENOENT ...) or DriveAbsent; nothing
above retries a failed sync (R2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from kakera.segments.record import Buffer

JOURNAL = "journal"
BULK = "bulk"


class DriveAbsent(OSError):
    """The drive is not there: no folder, no or another identity file, or it was declared dead."""


class Strand(NamedTuple):
    """Names a strand on a drive: kind is JOURNAL or BULK. One drive holds at most one strand of a segment."""

    kind: str
    segment: int


class Space(NamedTuple):
    total_bytes: int
    free_bytes: int


class Identity(NamedTuple):
    """What the identity file says (R8)."""

    cluster: str
    drive: str
    slot: int
    generation: int  # raised by replace-drive; for one slot the highest counts


class Drive(Protocol):
    """One drive. Methods block; callers on an event loop run them in threads, except `read_now`."""

    slot: int
    domain: str

    def identity(self) -> Identity:
        """Read afresh. Raises DriveAbsent."""
        ...

    def create(self, strand: Strand, header: bytes) -> None:
        """Make the strand with its first record, durable (file and folder entry) when it returns.

        FileExistsError if it is there.
        """
        ...

    def write(self, strand: Strand, offset: int, buffers: Sequence[Buffer]) -> None:
        """Write all buffers one after the other at `offset`; not durable."""
        ...

    def sync(self, strand: Strand) -> None:
        """All written to the strand is durable when it returns."""
        ...

    def read(self, strand: Strand, offset: int, length: int) -> bytes:
        """Up to `length` bytes (fewer only at the end of the file)."""
        ...

    def read_now(self, strand: Strand, offset: int, length: int) -> bytearray | None:
        """As `read`, but None when it would have to wait for the device (RWF_NOWAIT)."""
        ...

    def strands(self, kind: str) -> Iterator[tuple[int, int]]:
        """(segment, file length) of every strand of that kind: the census."""
        ...

    def install(self, strand: Strand, source: Iterator[Buffer]) -> None:
        """Make or replace a whole strand atomically (written aside, synced, renamed): heal."""
        ...

    def punch(self, strand: Strand, offset: int, length: int) -> None:
        """Give back the whole pages of a range; they read as zeros afterwards. Not durable before `sync`."""
        ...

    def drop(self, strand: Strand) -> None:
        """Remove the strand; no error if it is not there."""
        ...

    def epoch(self, raise_to: int | None = None) -> int:
        """The epoch on this drive; with `raise_to`, first made that, durably, if it is lower (R15)."""
        ...

    def space(self, keep_bytes: int = 0) -> Space:
        """Total and free bytes. With `keep_bytes`, first holds so many of the free ones against everybody else, for the
        journal when the drive is full; they still count as free (R7)."""
        ...
