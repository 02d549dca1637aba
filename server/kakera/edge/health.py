"""Ready means: the write quorum stands. The committer knows; its view is asked for at most every READY_CACHE_S."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from kakera.base import clock, limits
from kakera.base.errors import KakeraError
from kakera.journal.commands import StatusReply
from kakera.observe import metrics
from kakera.observe.metrics import Gauge

DURABILITY = "fdatasync on every strand, k+1 at least"
AskStatus = Callable[[], Awaitable[StatusReply]]


class Readiness:
    """Many questions, one to the committer at a time."""

    def __init__(self, ask_status: AskStatus, *, drain_mark: Path | None = None) -> None:
        """drain_mark: while this file is there, the server says "draining" and goes on serving: balancers send their
        clients elsewhere first."""
        self._ask_status = ask_status
        self._drain_mark = drain_mark
        self.stopping: Callable[[], bool] = lambda: False  # the server is about to stop, and nobody need be asked
        self._known: dict[str, str] = {"status": "starting", "reason": "the committer was not asked yet"}
        self._known_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None
        self.last: StatusReply | None = None

    async def ask(self) -> dict[str, str]:
        """{"status": "ready", "durability"} or {"status": "read-only" | "starting" | "unavailable" | "draining",
        "reason"}. Unavailable: too few drives are there, or the committer does not answer."""
        if self.stopping():
            return {"status": "draining", "reason": "the server is stopping"}
        if clock.monotonic_s() - self._known_at > limits.READY_CACHE_S:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.ensure_future(self._refresh())
            await asyncio.shield(self._asking)
        return self._known

    async def _refresh(self) -> None:
        try:
            status = await asyncio.wait_for(self._ask_status(), limits.READY_WAIT_S)
        except TimeoutError:
            self._known = {"status": "unavailable", "reason": "the committer does not answer"}
            self.last = None
        except (KakeraError, OSError) as error:
            self._known = {"status": "unavailable", "reason": str(error) or type(error).__name__}
            self.last = None
        else:
            self.last = status
            if self._drain_mark is not None and self._drain_mark.exists():
                self._known = {"status": "draining", "reason": f"asked to, by {self._drain_mark}"}
            elif status.mode == "ready":
                self._known = {"status": "ready", "durability": DURABILITY}
            else:
                self._known = {"status": status.mode, "reason": status.reason}
        self._known_at = clock.monotonic_s()


def gauges(status: StatusReply | None) -> list[Gauge]:
    """The committer's view as metrics; None: it does not answer."""
    ready = status is not None and status.mode == "ready"
    found = [Gauge(metrics.READY, "Write quorum stands", {"": float(ready)})]
    if status is None:
        return found
    states = Counter(text.split(":")[0] for text in status.drives.values())
    return [
        *found,
        Gauge(metrics.EPOCH, "Epoch of the committer (R15)", {"": status.epoch}),
        Gauge(metrics.SEGMENTS, "Journal segments in the chain", {"": len(status.chain)}),
        Gauge(metrics.FLOOR, "Oldest journal segment that counts (R7)", {"": status.floor}),
        Gauge(metrics.BATCHES, "Batches made durable since the committer began", {"": status.batches}, counter=True),
        Gauge(metrics.COMMANDS, "Commands answered since the committer began", {"": status.commands}, counter=True),
        Gauge(metrics.DRIVES, "Drives by state", {state: float(n) for state, n in states.items()}, label="state"),
    ]
