"""The Falcon app: health and metrics by Falcon's routes, everything else to the object API.

The object API is answered before Falcon builds its own request and response, for two measured reasons: Falcon asks for
the first event of the body before it calls anybody (which would answer `100 Continue` to uploads about to be refused),
and costs 7 of the about 25 microseconds that the edge may spend on a request.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from os import urandom
from typing import Any, Protocol

import falcon
import falcon.asgi

from kakera.base.errors import KakeraError
from kakera.dialects.http import Request, Response
from kakera.edge.exchange import KEY, AsgiExchange, BrokenAnswer, Exchange
from kakera.edge.health import Readiness
from kakera.observe.ledger import Ledger, Line
from kakera.observe.log import get_logger

log = get_logger("edge")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

LIVE, READY, METRICS = "/health/live", "/health/ready", "/metrics"
RESERVED = frozenset((LIVE, READY, METRICS))
_SIGNED_QUERY = (b"x-amz-signature=", b"x-amz-algorithm=", b"signature=", b"x-oss-signature")
_NO_BODY = frozenset((204, 304))


class EdgeServices(Protocol):
    """What the edge is given. `handle` never raises: a dialect turns every failure into a Response."""

    ledger: Ledger
    readiness: Readiness

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def handle(self, request: Request) -> Response: ...

    async def metrics_text(self) -> bytes: ...


def create_app(services: EdgeServices) -> EdgeApp:
    """The whole edge over injected services."""
    return EdgeApp(services)


class EdgeApp(falcon.asgi.App):  # type: ignore[type-arg]
    def __init__(self, services: EdgeServices) -> None:
        super().__init__(middleware=[_Lifespan(services)])
        self._readiness = services.readiness
        self._objects = ObjectApi(services)
        self.add_route(LIVE, _Live())
        self.add_route(READY, _Ready(services))
        self.add_route(METRICS, _Metrics(services))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        exchange: Exchange | AsgiExchange = scope.get(KEY) or AsgiExchange(scope, receive, send)
        if scope["path"] in RESERVED and is_reserved(scope, exchange.headers):
            scope["headers"] = [(name.encode(), value.encode("latin-1")) for name, value in exchange.headers.items()]
            await super().__call__(scope, receive, send)
        else:
            await self._objects.serve(scope, exchange)

    def begin_drain(self, *, others_serve: Callable[[], bool]) -> None:
        """The worker is about to stop. From now on /health/ready says 503, unless others take connections: then this
        one is only being replaced, and balancers ask about the server."""
        self._readiness.stopping = lambda: not others_serve()

    async def health(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app of the health port: /health/live and /health/ready, and nothing else, above all no object."""
        exchange: Exchange = scope[KEY]
        if scope["path"] in (LIVE, READY) and is_reserved(scope, exchange.headers):
            await self(scope, receive, send)
            return
        await exchange.answer(404, b"content-length: 0\r\n", b"")
        exchange.leave()


def is_reserved(scope: Scope, headers: dict[str, str]) -> bool:
    """A plain, unsigned GET or HEAD: "health" and "metrics" are legal names of buckets, whose users sign.

    And without a body: Falcon would read it, in one of the places for uploads, for somebody who signs nothing.
    """
    if scope["method"] not in ("GET", "HEAD"):
        return False
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        return False
    query = scope["query_string"].lower()
    if query and any(word in query for word in _SIGNED_QUERY):
        return False
    return "authorization" not in headers


class ObjectApi:
    """From a scope to a dialect's Request, from its Response to bytes, and a line in the ledger."""

    def __init__(self, services: EdgeServices) -> None:
        self._handle = services.handle
        self._note = services.ledger.note
        prefix = urandom(4).hex().upper()
        self._ids = (f"{prefix}{number:08X}" for number in count(1))
        self._host_id = b64encode(urandom(24)).decode()

    async def serve(self, scope: Scope, exchange: Exchange | AsgiExchange) -> None:
        began = time.perf_counter()
        request = self._request(scope, exchange)
        status = 500
        try:
            response = await self._handle(request)
            status = response.status
            body = response.body
            try:
                head = self._head(request, response)
            except ValueError:
                await _close(body)
                raise
            if body is None or isinstance(body, (bytes, memoryview)):
                await exchange.answer(status, head, body or b"")
            else:
                await exchange.stream(status, head, body, length=response.content_length)
        except BrokenAnswer as broken:
            status = 599  # the ledger's word for: begun, then cut
            log.warning("answer broken", request_id=request.request_id, cause=repr(broken.__cause__))
        except KakeraError as error:
            # A body whose first piece could not be read: nothing was sent yet, so it can still be said (R3).
            status = 503
            log.warning("unavailable", request_id=request.request_id, cause=repr(error))
            await exchange.answer(503, self._plain_head(request, b"retry-after: 1\r\n"), b"")
        except Exception:
            log.exception("request failed", request_id=request.request_id, method=request.method)
            await exchange.answer(500, self._plain_head(request), b"")
        finally:
            exchange.leave()
            if exchange.gone and status < 500:
                status = 499  # the ledger's word for: the client went away
            self._note(Line(request, status, exchange.sent_bytes, time.perf_counter() - began))

    def _request(self, scope: Scope, exchange: Exchange | AsgiExchange) -> Request:
        headers = exchange.headers
        client = scope["client"]
        return Request(
            scope["method"],
            scope["raw_path"],
            scope["query_string"],
            headers,
            exchange,
            host=headers.get("host", ""),
            secure=scope["scheme"] == "https",
            remote=client[0] if client else "",
            request_id=next(self._ids),
        )

    def _head(self, request: Request, response: Response) -> bytes:
        lines = [f"x-amz-request-id: {request.request_id}\r\nx-amz-id-2: {self._host_id}\r\n"]
        lines += [f"{name}: {value}\r\n" for name, value in response.headers]
        status = response.status
        length = response.content_length
        if length is None and response.body is None and status not in _NO_BODY:
            length = 0
        if length is not None and status != 204:
            lines.append(f"content-length: {length}\r\n")
        return encode_head(lines)

    def _plain_head(self, request: Request, more: bytes = b"") -> bytes:
        return b"x-amz-request-id: %b\r\ncontent-length: 0\r\n%b" % (request.request_id.encode(), more)


async def _close(body: object) -> None:
    """A body that will not be sent may own pins."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()


def encode_head(lines: list[str]) -> bytes:
    """Header lines as bytes. Raises ValueError when a name or value would break out of its line (response
    splitting)."""
    text = "".join(lines)
    breaks = text.count("\n")
    expected = len(lines) + 1  # the first entry holds two lines
    if breaks != expected or text.count("\r") != breaks or "\0" in text:
        raise ValueError("a header holds a line break")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


class _Lifespan:
    """Falcon's hooks of a worker's life: services open after the fork, in the loop they will live in."""

    def __init__(self, services: EdgeServices) -> None:
        self._services = services

    async def process_startup(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        await self._services.open()

    async def process_shutdown(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        await self._services.close()


class _Live:
    """This process answers."""

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.media = {"status": "live"}

    on_head = on_get


class _Ready:
    """Writes are taken: the write quorum stands."""

    def __init__(self, services: EdgeServices) -> None:
        self._readiness = services.readiness

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        answer = await self._readiness.ask()
        resp.status = 200 if answer["status"] == "ready" else 503
        resp.media = answer
        resp.set_header("cache-control", "no-store")

    on_head = on_get


class _Metrics:
    def __init__(self, services: EdgeServices) -> None:
        self._services = services

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.content_type = "text/plain; version=0.0.4; charset=utf-8"
        resp.data = await self._services.metrics_text()
