"""The machine and the versions a run was measured with: figures without them are worth nothing."""

from __future__ import annotations

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
