"""The baseline for requests: the least a Falcon app on the same Gunicorn can do with the same requests.

A PUT reads the whole body and drops it; a GET answers as many bytes as the second part of the path says
(`/bucket/4096/any-key`); a HEAD answers the headers of an empty object; a DELETE answers 204. Nothing is signed,
stored or hashed: what Kakera adds to these figures is what a store costs.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from functools import lru_cache

import falcon
import falcon.asgi

PIECE_SIZE_BYTES = 1 << 20
"""Pieces of a streamed body: of 64 KiB to 1 MiB the fastest at 4 and 16 clients (at one they are alike)."""

LARGEST_BODY_BYTES = 64 << 20


@lru_cache(maxsize=16)
def _body(size_bytes: int) -> bytes:
    if size_bytes > LARGEST_BODY_BYTES:
        raise falcon.HTTPBadRequest(title="body too large for the bare app")
    return os.urandom(size_bytes)


async def _pieces(size_bytes: int) -> AsyncIterator[bytes]:
    piece = _body(PIECE_SIZE_BYTES)
    left_bytes = size_bytes
    while left_bytes >= PIECE_SIZE_BYTES:
        yield piece
        left_bytes -= PIECE_SIZE_BYTES
    if left_bytes:
        yield piece[:left_bytes]


async def _sink(req: falcon.asgi.Request, resp: falcon.asgi.Response | None, **_parts: str) -> None:
    assert resp is not None  # it is None for a WebSocket only
    method = req.method
    if method == "PUT":
        await req.stream.exhaust()
    elif method == "GET":
        size_bytes = int(req.path.split("/", 3)[2])
        resp.content_type = "application/octet-stream"
        if size_bytes <= PIECE_SIZE_BYTES:
            resp.data = _body(size_bytes)
        else:
            resp.content_length = size_bytes
            resp.stream = _pieces(size_bytes)
    elif method == "HEAD":
        resp.content_length = 0
    elif method == "DELETE":
        resp.status = falcon.HTTP_204
    else:
        resp.status = falcon.HTTP_405


def create_app() -> falcon.asgi.App[falcon.asgi.Request, falcon.asgi.Response]:
    app = falcon.asgi.App()
    app.add_sink(_sink)
    return app


app = create_app()
