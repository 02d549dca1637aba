"""The app over ASGI as any server speaks it, and its pure parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakera.base.errors import Damaged
from kakera.dialects.http import Request, Response
from kakera.edge.app import create_app, encode_head, is_reserved
from kakera.edge.health import Readiness
from kakera.journal.commands import StatusReply
from kakera.observe.ledger import Ledger, Line


class Kept(Ledger):
    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Line] = []

    def note(self, line: Line) -> None:
        self.kept.append(line)


class Pieces(AsyncIterator[bytes]):
    def __init__(self, *pieces: bytes | Exception) -> None:
        self._pieces = list(pieces)
        self.closed = 0

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        piece = self._pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def aclose(self) -> None:
        self.closed += 1


class Services:
    def __init__(self, answer: Response) -> None:
        self.kept = Kept()
        self.ledger: Ledger = self.kept
        self.readiness = Readiness(self._status)
        self.reply = answer
        self.bodies: list[bytes] = []

    async def _status(self) -> StatusReply:
        return StatusReply("starting", "recovery", 0, [], 0, {}, 0, 0)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def metrics_text(self) -> bytes:
        return b"x 1\n"

    async def handle(self, request: Request) -> Response:
        if request.method == "PUT":
            while piece := await request.body.read():
                self.bodies.append(piece)
        return self.reply


async def call(
    services: Services, method: str = "GET", path: str = "/b/k", *events: dict[str, Any]
) -> list[dict[str, Any]]:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"s")],
        "client": ("::1", 1),
        "server": None,
        "root_path": "",
    }
    queue = list(events) or [{"type": "http.request", "body": b"", "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return queue.pop(0) if queue else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await create_app(services)(scope, receive, send)
    return sent


async def test_a_whole_answer() -> None:
    services = Services(Response(200, [("etag", '"x"')], b"hello"))
    start, body = await call(services)
    assert start["status"] == 200
    headers = dict(start["headers"])
    assert (headers[b"etag"], headers[b"content-length"]) == (b'"x"', b"5")
    assert headers[b"x-amz-request-id"].decode() == services.kept.kept[0].request.request_id
    assert body["body"] == b"hello"
    assert services.kept.kept[0].sent_bytes == 5


async def test_a_body_in_pieces_arrives_in_pieces() -> None:
    services = Services(Response(200))
    events: list[dict[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": piece != b"c"} for piece in (b"a", b"", b"b", b"c")
    ]
    await call(services, "PUT", "/b/k", *events)
    assert services.bodies == [b"a", b"b", b"c"]


async def test_client_gone_is_noted() -> None:
    services = Services(Response(200))
    gone: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.disconnect"},
    ]
    await call(services, "PUT", "/b/k", *gone)
    assert services.kept.kept[0].status == 499


async def test_a_stream_that_fails_first_is_503_and_later_has_no_end() -> None:
    early = Pieces(Damaged("gone"))
    start, _ = await call(Services(Response(200, [], early, 10)))
    assert (start["status"], early.closed) == (503, 1)
    late = Pieces(b"12345", Damaged("gone"))
    services = Services(Response(200, [], late, 10))
    sent = await call(services)
    assert sent[-1].get("more_body") is True
    assert (late.closed, services.kept.kept[0].status) == (1, 599)


async def test_a_header_that_breaks_out_closes_the_body() -> None:
    body = Pieces(b"x")
    start, _ = await call(Services(Response(200, [("x", "a\r\nb: c")], body, 1)))
    assert (start["status"], body.closed) == (500, 1)


async def test_health_and_metrics_are_falcon_s() -> None:
    services = Services(Response(404))
    assert (await call(services, "GET", "/health/live"))[0]["status"] == 200
    assert (await call(services, "GET", "/health/ready"))[0]["status"] == 503
    assert (await call(services, "GET", "/metrics"))[1]["body"] == b"x 1\n"
    assert (await call(services, "GET", "/health"))[0]["status"] == 404
    assert (await call(services, "PUT", "/metrics"))[0]["status"] == 404
    assert len(services.kept.kept) == 2


@pytest.mark.parametrize("query", [b"X-Amz-Signature=1", b"a=b&x-amz-algorithm=AWS4", b"Signature=1&OSSAccessKeyId=x"])
def test_signed_queries_are_not_reserved(query: bytes) -> None:
    assert is_reserved({"method": "GET", "query_string": b"verbose=1"}, {})
    assert not is_reserved({"method": "GET", "query_string": query}, {})
    assert not is_reserved({"method": "GET", "query_string": b""}, {"authorization": "x"})


first = "x-amz-request-id: 1\r\nx-amz-id-2: 2\r\n"


@given(st.lists(st.tuples(st.text(min_size=1), st.text())))
def test_a_head_is_as_many_lines_as_headers_or_refused(pairs: list[tuple[str, str]]) -> None:
    lines = [first, *(f"{name}: {value}\r\n" for name, value in pairs)]
    try:
        block = encode_head(lines)
    except ValueError:
        assert any(set("\r\n\0") & set(name + value) for name, value in pairs)
    else:
        assert block.count(b"\r\n") == block.count(b"\n") == block.count(b"\r") == len(pairs) + 2
        assert b"\0" not in block
