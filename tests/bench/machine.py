"""The machine and the versions a run was measured with: figures without them are worth nothing."""

from __future__ import annotations

import mmap
import platform
import re
import subprocess
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import psutil

PACKAGES = ("falcon", "gunicorn", "uvicorn", "uvicorn-worker", "uvloop", "httptools", "pyeclib", "msgspec", "kakera")


def describe(folder: Path) -> dict[str, str]:
    """What matters of this machine; `folder` is where the drives lie. Host name and paths are left out."""
    return {
        "processor": _processor(),
        "cores": f"{psutil.cpu_count(logical=True)}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "file system of the drives": _file_system(folder),
        "load before": " ".join(f"{load:.1f}" for load in psutil.getloadavg()),
    }


TOUCHED_SHARE = 0.6  # of the free memory; the rest is what the run itself and others need
TOUCHED_AT_ONCE_BYTES = 256 << 20


def touch_memory(most_bytes: int) -> int:
    """Use memory once and give it back; returns how much.

    A virtual machine gets its memory from the host page by page at the first touch, which made the first write of a
    page into the cache five times as dear as the next: a raw baseline that deletes its files and so uses the same pages
    again would be compared with a store that keeps what it is given.
    """
    wanted = min(most_bytes, int(psutil.virtual_memory().free * TOUCHED_SHARE))
    pieces = []
    for _ in range(wanted // TOUCHED_AT_ONCE_BYTES):
        piece = mmap.mmap(-1, TOUCHED_AT_ONCE_BYTES)
        piece[:: mmap.PAGESIZE] = b"x" * (TOUCHED_AT_ONCE_BYTES // mmap.PAGESIZE)
        pieces.append(piece)
    for piece in pieces:
        piece.close()
    return len(pieces) * TOUCHED_AT_ONCE_BYTES


def versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0], "wrk": _wrk_version()}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _processor() -> str:
    with suppress(OSError):
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        if match:
            return match.group(1).strip()
    return platform.machine()


def _file_system(folder: Path) -> str:
    """The type of the file system that holds `folder`: the mount point that is its longest prefix."""
    best, kind = "", "unknown"
    for part in psutil.disk_partitions(all=True):
        mounted = part.mountpoint.rstrip("/") + "/"
        if f"{folder.resolve()}/".startswith(mounted) and len(mounted) >= len(best):
            best, kind = mounted, part.fstype
    return f"{kind}, all drives on one disk"


def _wrk_version() -> str:
    with suppress(OSError, subprocess.TimeoutExpired):
        said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, timeout=10, check=False)
        match = re.search(r"^wrk (\S+)", said.stdout + said.stderr)
        if match:
            return match.group(1)
    return "absent"
