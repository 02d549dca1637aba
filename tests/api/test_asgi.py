"""The same dialect behind the edge's ASGI app: what `handle` answered is what leaves the application."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kakera.base import errors
from kakera.dialects import dispatch
from kakera.dialects.http import Request, Response
from kakera.edge.app import create_app
from kakera.edge.exchange import BrokenAnswer
from tests.api.world import World


class Ledger:
    """Keeps the lines the edge would write."""

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def note(self, line: Any) -> None:
        self.lines.append(line)


class EdgeServices:
    """The edge over a world."""

    readiness: Any = None

    def __init__(self, world: World) -> None:
        self.world = world
        self.ledger: Any = Ledger()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def handle(self, request: Request) -> Response:
        return await dispatch.handle(request, self.world.services)

    async def metrics_text(self) -> bytes:
        return b""


@pytest.fixture
def asgi(world: World) -> Iterator[Any]:
    services = EdgeServices(world)
    app = create_app(services)

    def send(
        method: str, target: str, *, gone_after: int | None = None, **more: Any
    ) -> tuple[int, dict[str, str], bytes]:
        request = world.request(method, target, **more)
        return world.loop.run_until_complete(_exchange(app, request, gone_after))

    send.services = services  # type: ignore[attr-defined]
    yield send


async def _exchange(app: Any, request: Request, gone_after: int | None) -> tuple[int, dict[str, str], bytes]:
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": request.method,
        "path": request.raw_path.decode("latin-1"), "raw_path": request.raw_path, "query_string": request.raw_query,
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "root_path": "",
    }  # fmt: skip
    sent: list[dict[str, Any]] = []
    received = 0

    async def receive() -> dict[str, Any]:
        nonlocal received
        piece = await request.body.read()
        if gone_after is not None and received + len(piece) > gone_after:
            return {"type": "http.disconnect"}
        received += len(piece)
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


def test_a_round(asgi: Any) -> None:
    assert asgi("PUT", "/bucket")[0] == 200
    data = b"x" * 300_000
    status, headers, _ = asgi("PUT", "/bucket/a//b", body=data, headers={"content-type": "t/x", "x-amz-meta-m": "m"})
    assert status == 200 and headers["etag"].startswith('"') and headers["x-amz-request-id"]
    status, headers, body = asgi("GET", "/bucket/a//b")
    assert (status, body, headers["content-length"]) == (200, data, "300000")
    assert (headers["content-type"], headers["x-amz-meta-m"]) == ("t/x", "m")
    status, headers, body = asgi("HEAD", "/bucket/a//b")
    assert (status, body, headers["content-length"]) == (200, b"", "300000")
    status, headers, body = asgi("DELETE", "/bucket/a//b")
    assert (status, body) == (204, b"") and "content-length" not in headers
    status, headers, body = asgi("GET", "/bucket/a//b")
    assert status == 404 and headers["content-length"] == str(len(body))
    # One id, in the header and in the document.
    assert f"<RequestId>{headers['x-amz-request-id']}</RequestId>".encode() in body


def test_no_buckets_name_is_taken_by_the_edge(asgi: Any) -> None:
    for name in ("health", "metrics"):
        assert asgi("PUT", f"/{name}")[0] == 200
        assert asgi("PUT", f"/{name}/live", body=b"mine")[0] == 200
        assert asgi("GET", f"/{name}/live")[2] == b"mine"


def test_a_client_that_goes_leaves_nothing(asgi: Any, world: World) -> None:
    asgi("PUT", "/bucket")
    for after in (0, 1, 100_000, 299_999):
        asgi("PUT", "/bucket/k", body=b"x" * 300_000, gone_after=after)
    assert asgi("GET", "/bucket/k")[0] == 404
    assert world.store.by_id(1).keys == {}


def test_damage_in_the_middle_never_ends_well(asgi: Any, world: World) -> None:
    asgi("PUT", "/bucket")
    asgi("PUT", "/bucket/k", body=b"x" * 300_000)
    world.store.break_with("piece", errors.Damaged("at the first piece"))
    assert asgi("GET", "/bucket/k")[0] == 503  # nothing had been sent: it can still be said
    hits = []

    def second(operation: str) -> None:
        hits.append(operation)
        if hits.count("piece") == 2:
            raise errors.Damaged("at the second piece")

    world.store.hit = second  # type: ignore[method-assign]
    try:
        status, headers, body = asgi("GET", "/bucket/k")
    except BrokenAnswer:
        return
    assert status == 200 and len(body) < int(headers["content-length"]), "a broken answer must be seen to be broken"
