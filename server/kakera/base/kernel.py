"""What is asked of the kernel once a process: to end with its parent, many descriptors, no core dumps. Standard
library only."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
import struct
import termios
from pathlib import Path

from kakera.base import limits

_PR_SET_PDEATHSIG = 1
_SYNC_FILE_RANGE_WRITE = 2
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    """SIGTERM when the process `parent` ends, even by SIGKILL. To be called in its child, which exits if it is too
    late already."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(0)


def resident_bytes() -> int:
    """This process's resident memory."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * _PAGE_BYTES


def give_back_free_memory() -> None:
    """Have the C library return what is free in the middle of its heaps, when the process has grown: it keeps
    freed chunk buffers for the next ones, which is fast and never ends by itself. A few milliseconds without the
    interpreter lock: call it in a thread, or while nobody waits. Nothing happens where there is no such call."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None and resident_bytes() > limits.TRIM_ABOVE_BYTES:
        trim(0)


def begin_writing_out(fd: int, offset: int, length: int) -> None:
    """Have the device begin with these bytes now (sync_file_range), so that the fdatasync to come finds less left to
    do. A hint and no durability: what it returns is nobody's business."""
    _libc.sync_file_range(fd, ctypes.c_int64(offset), ctypes.c_int64(length), _SYNC_FILE_RANGE_WRITE)


def unsent_bytes(fd: int) -> int:
    """Of a connection: written, and not yet taken by the other side's kernel. 0 of one that is gone."""
    try:
        found: tuple[int] = struct.unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, bytes(4)))
    except (OSError, ValueError):
        return 0
    return found[0]


def private_folder(path: Path) -> None:
    """Make the folder, or take away what others may do with it: sockets, keys and bodies lie inside (R10). One that
    belongs to somebody else is left as it is. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = path.stat()
    if now.st_mode & 0o077 and now.st_uid == os.geteuid():
        path.chmod(0o700)


def set_limits() -> None:
    """Many descriptors; no core dumps, in which keys would lie in the clear (R10)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, limits.OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
