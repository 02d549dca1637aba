"""Time, by two seams that tests can move: the wall clock (a field, never an order: R5) and the monotonic clock
(limits).
"""

from __future__ import annotations

import time
from collections.abc import Callable

wall_s: Callable[[], float] = time.time
monotonic_s: Callable[[], float] = time.monotonic


def now_ms() -> int:
    """Wall clock in whole milliseconds."""
    return int(wall_s() * 1000)
