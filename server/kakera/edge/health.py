"""Ready means: the write quorum stands. The committer knows; its view is asked for at most every READY_CACHE_S."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from kakera.base import clock, limits
from kakera.base.errors import KakeraError
from kakera.journal.commands import StatusReply

DURABILITY = "fdatasync on every strand, k+1 at least"
AskStatus = Callable[[], Awaitable[StatusReply]]


class Readiness:
    """Many questions, one to the committer at a time."""

    def __init__(self, ask_status: AskStatus) -> None:
        self._ask_status = ask_status
        self._known: dict[str, str] = {"status": "starting", "reason": "the committer was not asked yet"}
        self._known_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None
        self.last: StatusReply | None = None

    async def ask(self) -> dict[str, str]:
        """{"status": "ready", "durability"} or {"status": "read-only" | "starting" | "unavailable", "reason"}."""
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
            if status.mode == "ready":
                self._known = {"status": "ready", "durability": DURABILITY}
            else:
                self._known = {"status": status.mode, "reason": status.reason}
        self._known_at = clock.monotonic_s()
