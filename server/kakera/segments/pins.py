"""Pins: what keeps a bulk segment from being dropped while an upload writes it or a stream reads it (R7).

A pin is a shared flock on run/pins/<segment>, in any process; dropping takes it exclusively. A writer holds another,
<segment>.w, so that healing need not wait for streams. The kernel releases the locks of a process that dies.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from kakera.base import errors, limits
from kakera.base.ids import segment_name
from kakera.segments.reserve import FULL, Reserve


class Vanished(errors.Damaged):
    """What was to be read is no longer there: moved and dropped, or its space given back. Look it up again (R3)."""


class Pin:
    """One hold. `release` may be called more than once."""

    __slots__ = ("_name", "_pins")

    def __init__(self, pins: Pins, name: str) -> None:
        self._pins: Pins | None = pins
        self._name = name

    def release(self) -> None:
        pins, self._pins = self._pins, None
        if pins is not None:
            pins.let_go(self._name)


class Pins:
    """The pins of this process: one lock a segment, however many holds. Not to be carried over a fork once it holds
    anything."""

    def __init__(self, run_dir: Path | str) -> None:
        self._folder = Path(run_dir) / "pins"
        self._reserve = Reserve(Path(run_dir).parent)
        self._held: dict[str, list[int]] = {}  # file name -> [descriptor, holds]

    def hold(self, segment: int) -> Pin:
        """Keep the segment from being dropped. Raises Vanished while it is being dropped."""
        return self._hold(segment_name(segment))

    def hold_writing(self, segment: int) -> Pin:
        """The writer's second pin, on a segment it was just granted: while it is held, the segment is not healed."""
        return self._hold(_writing(segment))

    def _hold(self, name: str) -> Pin:
        entry = self._held.get(name)
        if entry is None:
            entry = self._held[name] = [self._lock(name, fcntl.LOCK_SH), 0]
        entry[1] += 1
        return Pin(self, name)

    def let_go(self, name: str) -> None:
        """One hold less; the last one unlocks."""
        entry = self._held[name]
        entry[1] -= 1
        if entry[1] == 0:
            del self._held[name]
            os.close(entry[0])

    def _lock(self, name: str, how: int) -> int:
        """A locked descriptor of the file that has the name now. Raises Vanished when another holds one against it."""
        path = self._folder / name
        while True:
            try:
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                self._folder.mkdir(parents=True, exist_ok=True)
                continue
            except OSError as error:
                if error.errno not in FULL or not self._reserve.give(limits.RESERVE_PIECE_BYTES):
                    raise
                continue  # a pin is a file without bytes: what was deleted and what is read must not wait for space
            try:
                fcntl.flock(fd, how | fcntl.LOCK_NB)
            except BlockingIOError as error:
                os.close(fd)
                raise Vanished(f"segment {name} is being dropped") from error
            if os.fstat(fd).st_nlink:
                return fd
            os.close(fd)  # the file was removed between open and lock: its lock keeps nobody out

    def is_sealed(self, segment: int) -> bool:
        """True when no process writes the segment any more. Once true, always true: ids are never granted again."""
        name = _writing(segment)
        if name in self._held:
            return False
        try:
            fd = self._lock(name, fcntl.LOCK_EX)
        except Vanished:
            return False
        (self._folder / name).unlink(missing_ok=True)
        os.close(fd)
        return True

    def try_exclusive(self, segment: int) -> AbstractContextManager[None] | None:
        """A context in which nobody holds or gets a pin on the segment; None when somebody holds one."""
        name = segment_name(segment)
        if name in self._held:
            return None
        try:
            fd = self._lock(name, fcntl.LOCK_EX)
        except Vanished:
            return None
        return self._exclusive(name, fd)

    @contextmanager
    def _exclusive(self, name: str, fd: int) -> Iterator[None]:
        try:
            yield
        finally:
            (self._folder / name).unlink(missing_ok=True)
            os.close(fd)

    def held(self) -> dict[str, int]:
        """Pin file -> holds in this process."""
        return {name: entry[1] for name, entry in self._held.items()}


def _writing(segment: int) -> str:
    return f"{segment_name(segment)}.w"
