"""The dialect with a store behind it and clients before it, in one process: no socket, no server.

`World.client()` is a real boto3 client whose requests are handed to `handle` instead of the network, so that what is
tested is what an SDK sends and what it makes of the answer. `World.raw` sends one hand-made request.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable, Mapping
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.config
import botocore.session
from botocore import UNSIGNED
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials

from kakera.config import Account as KeyHolder
from kakera.dialects.http import Request, Response
from kakera.dialects.s3.core_api import Core
from kakera.dialects.s3.handle import handle
from tests.api.fake_core import FakeStore, fake_core

ENDPOINT = "http://s3.test:9000"
REGION = "us-east-1"


def account(name: str) -> KeyHolder:
    return KeyHolder(
        account_id=f"{name}-id",
        display_name=name.title(),
        access_key_id=f"{name.upper()}KEY",
        secret_access_key=f"{name}-secret",
        name=name,
    )


MAIN, ALT = account("main"), account("alt")


class Services:
    """What the dialect is given; plain values."""

    def __init__(self, core: Core, store: Any, *, region: str = REGION) -> None:
        self.core = core
        self.store = store
        self.region = region
        self.keys: Mapping[str, KeyHolder] = {holder.access_key_id: holder for holder in (MAIN, ALT)}
        self.names: Mapping[str, str] = {holder.account_id: holder.display_name for holder in (MAIN, ALT)}
        self.base_domains: tuple[str, ...] = ("s3.test",)
        self.now: Callable[[], float] = time.time
        self.refuses_changes = ""


class WireBody:
    """A body as the edge gives it: in pieces, then b"" for ever. cut_after: the client goes away after so many
    bytes."""

    def __init__(self, data: bytes, *, piece_bytes: int = 16_384, cut_after: int | None = None) -> None:
        self._data = data if cut_after is None else data[:cut_after]
        self._at = 0
        self._piece_bytes = piece_bytes

    async def read(self) -> bytes:
        piece = self._data[self._at : self._at + self._piece_bytes]
        self._at += len(piece)
        return piece


class Answer:
    """A Response with its body read, as a client sees it."""

    def __init__(self, response: Response, body: bytes) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers}
        self.body = body
        self.content_length = response.content_length
        assert len(self.headers) == len(response.headers), "a header was said twice"


async def read_body(response: Response) -> bytes:
    body = response.body
    if body is None or isinstance(body, bytes):
        return body or b""
    pieces = []
    try:
        async for piece in body:
            pieces.append(bytes(piece))
    finally:
        await close(body)
    return b"".join(pieces)


async def close(body: AsyncIterator[bytes]) -> None:
    aclose = getattr(body, "aclose", None)
    if aclose is not None:
        await aclose()


# One for all worlds: a session reads the models of the service from disk once.
_SESSION = boto3.Session(botocore_session=botocore.session.Session())


class World:
    """A store, the dialect, and clients. `sent`: every answer, newest last."""

    def __init__(self, *, region: str = REGION) -> None:
        self.store = FakeStore()
        self.services = Services(fake_core(), self.store, region=region)
        self.loop = asyncio.new_event_loop()
        self.sent: list[Answer] = []
        self._numbers = count(1)

    def run(self, request: Request) -> Answer:
        return self.loop.run_until_complete(self._run(request))

    async def _run(self, request: Request) -> Answer:
        response = await handle(request, self.services)
        answer = Answer(response, await read_body(response))
        self.sent.append(answer)
        return answer

    def request(
        self, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"",
        signer: KeyHolder | None = MAIN, cut_after: int | None = None, host: str = "s3.test:9000",
    ) -> Request:  # fmt: skip
        """target: path and query as they go on the wire. signer None: anonymous."""
        url = f"http://{host}{target}"
        sent = {"host": host, **{name.lower(): value for name, value in (headers or {}).items()}}
        if method in ("PUT", "POST") and "content-length" not in sent:
            sent["content-length"] = str(len(body))
        if signer is not None:
            unsigned = AWSRequest(method, url, {k: v for k, v in sent.items() if k != "content-length"}, body)
            credentials = Credentials(signer.access_key_id, signer.secret_access_key)
            S3SigV4Auth(credentials, "s3", self.services.region).add_auth(unsigned)
            sent |= {name.lower(): str(value) for name, value in unsigned.headers.items()}
        path, _, query = target.partition("?")
        return Request(
            method, path.encode("latin-1"), query.encode("latin-1"), sent, WireBody(body, cut_after=cut_after),
            host=host, request_id=f"REQ{next(self._numbers)}",
        )  # fmt: skip

    def raw(self, method: str, target: str, **more: Any) -> Answer:
        return self.run(self.request(method, target, **more))

    def client(self, holder: KeyHolder | None = MAIN, *, addressing: str = "path", **config: Any) -> Any:
        options = botocore.config.Config(
            signature_version=UNSIGNED if holder is None else "s3v4",
            s3={"addressing_style": addressing},
            retries={"max_attempts": 1},
            **config,
        )
        made = _SESSION.client(
            "s3",
            endpoint_url=ENDPOINT,
            region_name=self.services.region,
            aws_access_key_id=holder.access_key_id if holder else None,
            aws_secret_access_key=holder.secret_access_key if holder else None,
            config=options,
        )
        made.meta.events.register("before-send.s3", self._send)
        return made

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        parts = urlsplit(request.url)
        body = request.body
        if body is None:
            data = b""
        elif hasattr(body, "read"):
            data = body.read()
        else:
            data = body.encode() if isinstance(body, str) else bytes(body)
        headers = {
            name.lower(): value.decode("latin-1") if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        headers["host"] = parts.netloc
        if data and "content-length" not in headers:
            headers["content-length"] = str(len(data))
        answer = self.run(
            Request(
                request.method,
                (parts.path or "/").encode(),
                parts.query.encode(),
                headers,
                WireBody(data),
                host=parts.netloc,
                request_id=f"REQ{next(self._numbers)}",
            )
        )
        if answer.content_length is not None and request.method != "HEAD":
            assert answer.content_length == len(answer.body), "content-length must be the body's"
        given = dict(answer.headers)
        if answer.content_length is not None:
            given["content-length"] = str(answer.content_length)
        return AWSResponse(request.url, answer.status, given, _Raw(answer.body))


class _Raw(io.BytesIO):
    """What botocore reads a body from."""

    def stream(self, amount: int = 65_536, decode_content: bool = False) -> Any:
        while chunk := self.read(amount):
            yield chunk

    def read(self, amount: int | None = -1, decode_content: bool = False, **_: Any) -> bytes:  # type: ignore[override]
        return super().read(amount)

    def release_conn(self) -> None:
        pass
