"""The real edge (Gunicorn, worker, protocol, Falcon app) over a store that is a few lines of this file.

python -m tests.wire.fake_server PORT '{"limit name": value}' [HEALTH PORT] [FOLDER with tls.crt and tls.key]
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from kakera.base import limits
from kakera.base.errors import Damaged
from kakera.config import Http, Tls
from kakera.dialects.http import Request, Response
from kakera.edge.app import EdgeApp, create_app
from kakera.edge.health import Readiness, gauges
from kakera.edge.server import EdgeServer
from kakera.edge.tls import server_context
from kakera.journal.commands import StatusReply
from kakera.observe.ledger import Ledger
from kakera.observe.log import configure
from kakera.observe.metrics import RequestMetrics, exposition

PIECE = bytes(range(256)) * 256


class Pieces(AsyncIterator[memoryview]):
    """A body of `size` bytes that breaks at `broken_at`, and owns something that must be released."""

    def __init__(self, services: FakeServices, size: int, broken_at: int = -1) -> None:
        self._services, self._left, self._sent, self._broken_at = services, size, 0, broken_at
        services.opened += 1

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> memoryview:
        if 0 <= self._broken_at <= self._sent:
            raise Damaged("fewer than k good fragments")
        if not self._left:
            raise StopAsyncIteration
        piece = memoryview(PIECE)[: min(self._left, len(PIECE))]
        self._left -= len(piece)
        self._sent += len(piece)
        return piece

    async def aclose(self) -> None:
        self._services.closed += 1


class FakeServices:
    def __init__(self) -> None:
        self.ledger = Ledger(RequestMetrics())
        self.mode = "ready"
        self.readiness = Readiness(self.status)
        self.opened = self.closed = self.cut = self.peak = self.at_once = 0

    async def open(self) -> None:
        self.ledger.start()

    async def close(self) -> None:
        self.ledger.close()

    async def status(self) -> StatusReply:
        reason = "" if self.mode == "ready" else "2 of 6 drives are away"
        return StatusReply(self.mode, reason, 1, [], 0, {"0": "ok", "1": "absent: no folder"}, 7, 9)

    async def metrics_text(self) -> bytes:
        await self.readiness.ask()
        return exposition(gauges(self.readiness.last))

    async def handle(self, request: Request) -> Response:
        word, _, rest = request.raw_path[1:].decode("latin-1").partition("/")
        request.operation, request.bucket, request.key = f"Fake{word.title()[:12]}", word, rest
        answer = getattr(self, f"_{word}", self._echo)
        response: Response = await answer(request, rest)
        return response

    async def _echo(self, request: Request, _rest: str) -> Response:
        seen = {
            "method": request.method,
            "raw_path": request.raw_path.decode("latin-1"),
            "raw_query": request.raw_query.decode("latin-1"),
            "headers": request.headers,
            "host": request.host,
        }
        return Response(200, [("content-type", "application/json")], json.dumps(seen).encode())

    async def _put(self, request: Request, _rest: str) -> Response:
        digest, size = hashlib.sha256(), 0
        while piece := await request.body.read():
            digest.update(piece)
            size += len(piece)
        wanted = request.headers.get("content-length")
        if wanted is not None and int(wanted) != size:
            self.cut += 1
            return Response(400, [], b"IncompleteBody")
        return Response(200, [("x-size", str(size)), ("x-sha256", digest.hexdigest())])

    async def _drip(self, request: Request, _rest: str) -> Response:
        """Reads slowly, and tells how much lay ready at most."""
        first = await request.body.read()
        await asyncio.sleep(1.0)
        ahead = getattr(request.body, "_ahead_bytes", 0)
        size = len(first)
        while piece := await request.body.read():
            size += len(piece)
        return Response(200, [("x-ahead", str(ahead)), ("x-size", str(size))])

    async def _refuse(self, request: Request, _rest: str) -> Response:
        return Response(403, [], b"AccessDenied")

    async def _stream(self, request: Request, rest: str) -> Response:
        return Response(200, [], Pieces(self, int(rest)), int(rest))

    async def _chunked(self, request: Request, rest: str) -> Response:
        return Response(200, [], Pieces(self, int(rest)))

    async def _broken(self, request: Request, rest: str) -> Response:
        size, at = map(int, rest.split("/"))
        return Response(200, [], Pieces(self, size, at), size)

    async def _brokenchunked(self, request: Request, rest: str) -> Response:
        size, at = map(int, rest.split("/"))
        return Response(200, [], Pieces(self, size, at))

    async def _short(self, request: Request, rest: str) -> Response:
        return Response(200, [], Pieces(self, int(rest)), int(rest) + 1)

    async def _splitting(self, request: Request, _rest: str) -> Response:
        return Response(200, [("x-meta", "a\r\nset-cookie: b")], b"")

    async def _raises(self, request: Request, _rest: str) -> Response:
        raise RuntimeError("a bug")

    async def _empty(self, request: Request, _rest: str) -> Response:
        return Response(204)

    async def _slow(self, request: Request, rest: str) -> Response:
        self.at_once += 1
        self.peak = max(self.peak, self.at_once)
        await asyncio.sleep(float(rest))
        self.at_once -= 1
        return Response(200, [], b"done")

    async def _mode(self, request: Request, rest: str) -> Response:
        self.mode = rest
        return Response(200)

    async def _counts(self, request: Request, _rest: str) -> Response:
        counts = {"opened": self.opened, "closed": self.closed, "cut": self.cut, "peak": self.peak}
        return Response(200, [], json.dumps(counts).encode())


def make_app() -> EdgeApp:
    if Path(os.environ["PROMETHEUS_MULTIPROC_DIR"], "..", "broken").exists():
        raise OSError("a worker that cannot begin")
    return create_app(FakeServices())


def main(port: str, changed: str, health_port: str = "", folder: str = "") -> None:
    for name, value in json.loads(changed).items():
        assert hasattr(limits, name)
        setattr(limits, name, value)
    configure("info", "http")
    # The settings' defaults are these limits, as they were when kakera.config was imported.
    http = Http(graceful_timeout_s=int(limits.DRAIN_LIMIT_S), keepalive_s=int(limits.KEEP_ALIVE_S))
    tls = Tls(certificate_file=f"{folder}/tls.crt", key_file=f"{folder}/tls.key")
    EdgeServer(
        make_app,
        listen=f"127.0.0.1:{port}",
        workers=1,
        level="info",
        preload=lambda: None,
        health_listen=f"127.0.0.1:{health_port}" if health_port else "",
        http=http,
        make_tls=(lambda: server_context(tls)) if folder else None,
    ).run()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.argv[1:] = []  # Gunicorn's own command line is not ours
    main(*arguments)
