"""What the edge serves while the store cannot be opened at all: health with the reason, and 503 to everything else."""

from __future__ import annotations

from kakera.base.errors import NotReady
from kakera.dialects import dispatch
from kakera.dialects.http import Request, Response
from kakera.edge.health import Readiness, gauges
from kakera.journal.commands import StatusReply
from kakera.observe.ledger import Ledger
from kakera.observe.metrics import RequestMetrics, exposition


class StandbyServices:
    """app.EdgeServices without a store: no drive, no index, no committer is touched."""

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self.ledger = Ledger(RequestMetrics())
        self.readiness = Readiness(self._status)

    async def open(self) -> None:
        self.ledger.start()

    async def close(self) -> None:
        self.ledger.close()

    async def handle(self, request: Request) -> Response:
        return dispatch.refuse(NotReady(self._reason), request)

    async def metrics_text(self) -> bytes:
        return exposition(gauges(None))

    async def _status(self) -> StatusReply:
        raise NotReady(self._reason)
