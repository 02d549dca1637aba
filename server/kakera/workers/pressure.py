"""How full the drives are, for the loops that give space back (R7)."""

from __future__ import annotations

import contextlib

from kakera.segments.identity import Drives
from kakera.workers.context import Work


def free_bytes(drives: Drives) -> list[int]:
    """Of each present drive that tells; what its reserve holds counts as free. Blocking."""
    found = []
    for drive in drives.present.values():
        with contextlib.suppress(OSError):
            found.append(drive.space().free_bytes)
    return found


def pressed(work: Work) -> bool:
    """Is a drive near its reserve? Blocking."""
    return any(free < 2 * work.config.space.reserve_bytes for free in free_bytes(work.drives))
