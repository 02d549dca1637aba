"""Pins: what keeps a bulk segment from being dropped while an upload writes it or a stream reads it, in any process
(R7).

A pin is a shared flock on run/pins/<segment>; dropping takes it exclusively. The kernel releases the locks of a
process that dies.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from kakera.base import errors
from kakera.base.ids import segment_name


class Vanished(errors.Damaged):
    """What was to be read is no longer there:

    It was moved and its segment dropped, or its space given back. Look it up again (R3).
    """


class Pin:
    """One hold on a segment. `release` may be called more than once."""

    __slots__ = ("_pins", "segment")

    def __init__(self, pins: Pins, segment: int) -> None:
        self._pins: Pins | None = pins
        self.segment = segment

    def release(self) -> None:
        pins, self._pins = self._pins, None
        if pins is not None:
            pins.let_go(self.segment)


class Pins:
    """The pins of this process:

    One lock a segment, however many holds. Not to be carried over a fork once it holds anything.
    """

    def __init__(self, run_dir: Path | str) -> None:
        self._folder = Path(run_dir) / "pins"
        self._held: dict[int, list[int]] = {}  # segment -> [descriptor, holds]

    def hold(self, segment: int) -> Pin:
        """Raises Vanished while the segment is being dropped."""
        entry = self._held.get(segment)
        if entry is None:
            entry = self._held[segment] = [self._lock(segment, fcntl.LOCK_SH), 0]
        entry[1] += 1
        return Pin(self, segment)

    def let_go(self, segment: int) -> None:
        """One hold less; the last one unlocks."""
        entry = self._held[segment]
        entry[1] -= 1
        if entry[1] == 0:
            del self._held[segment]
            os.close(entry[0])

    def _lock(self, segment: int, how: int) -> int:
        """A locked descriptor of the file that has the name now. Raises Vanished when another holds one against it."""
        path = self._folder / segment_name(segment)
        while True:
            try:
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                self._folder.mkdir(parents=True, exist_ok=True)
                continue
            try:
                fcntl.flock(fd, how | fcntl.LOCK_NB)
            except BlockingIOError as error:
                os.close(fd)
                raise Vanished(f"segment {segment_name(segment)} is being dropped") from error
            if os.fstat(fd).st_nlink:
                return fd
            os.close(fd)  # the file was removed between open and lock: its lock keeps nobody out

    def try_exclusive(self, segment: int) -> AbstractContextManager[None] | None:
        """A context in which nobody holds or gets a pin on the segment; None when somebody holds one."""
        if segment in self._held:
            return None
        try:
            fd = self._lock(segment, fcntl.LOCK_EX)
        except Vanished:
            return None
        return self._exclusive(segment, fd)

    @contextmanager
    def _exclusive(self, segment: int, fd: int) -> Iterator[None]:
        try:
            yield
        finally:
            (self._folder / segment_name(segment)).unlink(missing_ok=True)
            os.close(fd)

    def held(self) -> dict[int, int]:
        """segment -> holds in this process."""
        return {segment: entry[1] for segment, entry in self._held.items()}
