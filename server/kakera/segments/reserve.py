"""Space that nobody else can fill: a file of that size in the folder, given back when what must go on (DELETE,
cleaning, a restart) finds the file system full (R7, docs/adr/0006)."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from kakera.base import limits

RESERVE_FILE = "reserve"
FULL = (errno.ENOSPC, errno.EDQUOT)
_KEEP_SIZE = 0x01  # FALLOC_FL_KEEP_SIZE, linux/falloc.h
_PUNCH_HOLE = 0x02  # FALLOC_FL_PUNCH_HOLE


class Reserve:
    """The reserve of one folder. Its file is the only state: any process may ask, one (the committer) keeps and
    gives."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / RESERVE_FILE

    def held_bytes(self) -> int:
        """What the file really holds."""
        try:
            return os.stat(self._path).st_blocks * 512
        except OSError:
            return 0

    def space(self) -> tuple[int, int]:
        """(total, free) bytes of the file system; what the reserve holds counts as free. Raises OSError."""
        now = os.statvfs(self._folder)
        return now.f_blocks * now.f_frsize, now.f_bavail * now.f_frsize + self.held_bytes()

    def keep(self, size: int) -> None:
        """Hold `size` bytes, as far as they are there. Never raises: what is missing shows in `space`, and is asked for
        again."""
        held = self.held_bytes()
        if size <= held <= size + limits.MIB:
            return
        with contextlib.suppress(OSError), self._opened() as fd:
            if held > size:
                os.ftruncate(fd, size)
            else:
                os.posix_fallocate(fd, 0, size)

    def give(self, most: int = 1 << 62) -> int:
        """Give back at most so many bytes; how many were. Cut, not removed: that is done when the call returns."""
        held = self.held_bytes()
        if not held:
            return 0
        with contextlib.suppress(OSError):
            os.truncate(self._path, max(0, held - most))
        return held - self.held_bytes()

    def take_back(self, size: int) -> None:
        """Hold again what was given and not used, as far as nobody else has taken it. Never raises."""
        with contextlib.suppress(OSError), self._opened() as fd:
            take_ahead(fd, self.held_bytes(), size)

    def ease(self) -> None:
        """Give a piece back when the file system has next to nothing left. Never raises."""
        with contextlib.suppress(OSError):
            if self.space()[1] - self.held_bytes() < limits.RESERVE_PIECE_BYTES:
                self.give(limits.RESERVE_PIECE_BYTES)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield fd
        finally:
            os.close(fd)


def take_ahead(fd: int, offset: int, size: int) -> int:
    """Give a file its space behind `offset` before it is written, the length unchanged: as much of `size` as there is.
    Returns how much."""
    taken, piece = 0, size
    while piece >= limits.PAGE_BYTES:
        code = _fallocate(fd, _KEEP_SIZE, offset + taken, piece)
        if not code:
            taken += piece
            piece = min(piece, size - taken)
        elif code in FULL:
            piece //= 2
        else:
            break
    return taken


def give_back_ahead(fd: int) -> int:
    """What the file holds behind its end. Bytes won. Raises OSError."""
    before = os.fstat(fd)
    os.ftruncate(fd, before.st_size)
    return (before.st_blocks - os.fstat(fd).st_blocks) * 512


def punch_hole(fd: int, offset: int, length: int) -> None:
    """Give back whole pages inside the range. A file system that cannot do so keeps them as they are."""
    first = -(-offset // limits.PAGE_BYTES) * limits.PAGE_BYTES
    last = (offset + length) // limits.PAGE_BYTES * limits.PAGE_BYTES
    if last <= first:
        return
    code = _fallocate(fd, _PUNCH_HOLE | _KEEP_SIZE, first, last - first)
    if code not in (0, errno.EOPNOTSUPP, errno.ENOSYS):
        raise OSError(code, os.strerror(code))


def _fallocate(fd: int, mode: int, offset: int, length: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    call = getattr(libc, "fallocate", None)
    if call is None:
        return errno.ENOSYS
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return 0 if call(fd, mode, offset, length) == 0 else ctypes.get_errno()
