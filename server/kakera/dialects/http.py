"""Neutral HTTP values: what the edge hands to a dialect and what a dialect hands back. No framework, no vendor's word.

Shapes: paths and queries stay the bytes of the wire (signatures are computed over them); header names are lower
case, values latin-1 text, duplicates joined by ","; bodies are pulled, one piece a call, never whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Protocol
from urllib.parse import unquote_to_bytes

from kakera.base import limits
from kakera.base.errors import Invalid


class MalformedUri(Invalid):
    """A path or query that does not decode to UTF-8, or has more parameters than limits.MAX_QUERY_PARAMETERS."""


class BodySource(Protocol):
    """The body as it arrives. The edge may also answer a client that went away with an early b""; byte counts tell
    the difference.
    """

    async def read(self) -> bytes:
        """The next piece, of any size; b"" at the end and ever after."""
        ...


class NoBody:
    """A body of no bytes."""

    __slots__ = ()

    async def read(self) -> bytes:
        return b""


class Request:
    """One request. Built once per request on the hot path: plain slots, everything derived is lazy.

    principal, operation, bucket, key: what the dialect found out, for the log and the metrics; "" until then.
    """

    __slots__ = (
        "_pairs",
        "_query",
        "body",
        "bucket",
        "headers",
        "host",
        "key",
        "method",
        "operation",
        "principal",
        "raw_path",
        "raw_query",
        "remote",
        "request_id",
        "secure",
    )

    def __init__(
        self,
        method: str,
        raw_path: bytes,
        raw_query: bytes,
        headers: dict[str, str],
        body: BodySource,
        *,
        host: str = "",
        secure: bool = False,
        remote: str = "",
        request_id: str = "",
    ) -> None:
        self.method = method
        self.raw_path = raw_path
        self.raw_query = raw_query
        self.headers = headers
        self.body = body
        self.host = host
        self.secure = secure
        self.remote = remote
        self.request_id = request_id
        self.principal = self.operation = self.bucket = self.key = ""
        self._pairs: tuple[tuple[str, str], ...] | None = None
        self._query: dict[str, str] | None = None

    @property
    def query_pairs(self) -> tuple[tuple[str, str], ...]:
        """Parameters in wire order, decoded; a bare name has the value "". Raises MalformedUri."""
        if self._pairs is None:
            self._pairs = decode_query(self.raw_query)
        return self._pairs

    @property
    def query(self) -> dict[str, str]:
        """First value of every parameter. Raises MalformedUri."""
        if self._query is None:
            # dict() keeps the last of equal names, so it is fed backwards
            self._query = dict(reversed(self.query_pairs)) if self.raw_query else {}
        return self._query


class Response:
    """One answer. `body` is whole bytes, a stream, or None; `content_length` None with a stream means chunked
    transfer.
    """

    __slots__ = ("body", "content_length", "headers", "status")

    def __init__(
        self,
        status: int,
        headers: list[tuple[str, str]] | None = None,
        body: bytes | AsyncIterator[bytes | memoryview] | None = None,
        content_length: int | None = None,
    ) -> None:
        self.status = status
        self.headers = [] if headers is None else headers
        self.body = body
        if content_length is None and isinstance(body, bytes):
            content_length = len(body)
        self.content_length = content_length


def decode_query(raw_query: bytes) -> tuple[tuple[str, str], ...]:
    """Split on "&" and decode; "+" is a space, as S3 reads it (its SDKs send %20 and %2B). Raises MalformedUri."""
    if not raw_query:
        return ()
    pieces = raw_query.split(b"&")
    if len(pieces) > limits.MAX_QUERY_PARAMETERS:
        raise MalformedUri("too many query parameters")
    try:
        return tuple([_decode_pair(piece) for piece in pieces if piece])
    except UnicodeDecodeError:
        raise MalformedUri("not UTF-8 after percent-decoding") from None


def _decode_pair(piece: bytes) -> tuple[str, str]:
    if b"%" in piece or b"+" in piece:
        if len(piece) <= limits.CACHED_PARAMETER_BYTES:
            return _decode_short(piece)
        return _decode_escaped(piece)
    name, _, value = piece.decode().partition("=")
    return name, value


def _decode_escaped(piece: bytes) -> tuple[str, str]:
    name, _, value = piece.replace(b"+", b" ").partition(b"=")
    return unquote_to_bytes(name).decode(), unquote_to_bytes(value).decode()


# A client repeats its parameters (credential, delimiter); unquoting one costs more than the rest of the query
_decode_short = lru_cache(maxsize=limits.PARAMETERS_CACHED)(_decode_escaped)
