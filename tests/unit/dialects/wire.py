"""Requests as they come off a wire, for the tests of the dialects: vectors, signed requests, bodies in pieces."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from kakera.dialects.http import NoBody, Request
from kakera.dialects.s3 import sigv4
from kakera.dialects.s3.auth import Identity, authenticate

VECTORS = Path(__file__).parents[2] / "vectors" / "sigv4"
REGION = "us-east-1"
NOW_S = datetime.fromisoformat("2026-11-23T12:00:00+00:00").timestamp()
STAMP = "20261123T120000Z"
EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Key:
    access_key_id: str = "AKIDEXAMPLE"
    secret_access_key: str = "secret/with+signs"
    account_id: str = "main-id"
    display_name: str = "main"


KEY = Key()
KEYS: Mapping[str, Key] = {KEY.access_key_id: KEY}


class Pieces:
    """A body that arrives in the pieces given."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)

    async def read(self) -> bytes:
        return next(self._pieces, b"")


def cut(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """`data` in pieces of the sizes given, the rest as the last."""
    pieces, position = [], 0
    for size in sizes:
        pieces.append(data[position : position + size])
        position += size
    pieces.append(data[position:])
    return [piece for piece in pieces if piece]


def load(name: str) -> tuple[dict[str, Any], float]:
    document: dict[str, Any] = json.loads((VECTORS / name).read_text())
    return document, datetime.fromisoformat(document["now"].replace("Z", "+00:00")).timestamp()


def request(
    method: str = "GET",
    path: bytes = b"/bucket/key",
    query: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    body: Iterable[bytes] = (),
) -> Request:
    return Request(method, path, query, dict(headers or {}), Pieces(body) if body else NoBody())


def sign(
    method: str = "PUT",
    path: bytes = b"/bucket/key",
    query: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    payload: str = EMPTY,
    body: Iterable[bytes] = (),
    stamp: str = STAMP,
    scope: str = "",
    key: Key = KEY,
) -> Request:
    """A request with a header signature over every header given. botocore's signers are used in test_auth.py."""
    found = {"host": "localhost:8333", "x-amz-date": stamp, "x-amz-content-sha256": payload, **(headers or {})}
    scope = scope or f"{stamp[:8]}/{REGION}/s3/aws4_request"
    names = sorted(found)
    canonical = sigv4.canonical_request(
        method,
        path,
        sigv4.canonical_query(query),
        header_lines=sigv4.canonical_headers(found, names),
        signed_names=";".join(names),
        payload=payload,
    )
    date, region, service, _ = scope.split("/")
    derived = sigv4.signing_key(key.secret_access_key, date, region, service)
    signature = sigv4.sign(derived, sigv4.string_to_sign(stamp, scope, canonical))
    credential = f"Credential={key.access_key_id}/{scope}"
    found["authorization"] = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={';'.join(names)}, Signature={signature}"
    return request(method, path, query, found, body=body)


def identify(asked: Request, *, now: float = NOW_S) -> Identity:
    return authenticate(asked, KEYS, now=now, region=REGION)


def aws_chunks(data: bytes, size: int, identity: Identity | None = None) -> list[bytes]:
    """The frames of `data`, the closing one's line included; signed when `identity` has a seed."""
    chain = sigv4.SignatureChain(identity.seed) if identity is not None and identity.seed is not None else None
    frames = []
    for start in [*range(0, len(data), size), len(data)]:
        piece = data[start : start + size]
        line = f"{len(piece):x}"
        if chain is not None:
            line += f";chunk-signature={chain.next_chunk(hashlib.sha256(piece).hexdigest())}"
        frames.append(line.encode() + b"\r\n" + piece + (b"\r\n" if piece else b""))
    return frames


def trailer_signature(data: bytes, size: int, identity: Identity, canonical: bytes) -> str:
    """The signature of `canonical` trailers after `data` in aws-chunks of `size`."""
    assert identity.seed is not None
    chain = sigv4.SignatureChain(identity.seed)
    for start in [*range(0, len(data), size), len(data)]:
        chain.next_chunk(hashlib.sha256(data[start : start + size]).hexdigest())
    return chain.trailer(canonical)
