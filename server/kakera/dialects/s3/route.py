"""Which bucket and key a request names: path style (/bucket/key) or virtual-hosted style (Host: bucket.<base domain>).

The key is what stands after the bucket, percent-decoded exactly once from the bytes of the wire: `a//b`, `../x` and
`/x` are keys like any other. A key that is not UTF-8 is InvalidURI, one beyond limits.MAX_KEY_BYTES KeyTooLongError.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from kakera.base import limits
from kakera.dialects.http import MalformedUri, Request
from kakera.dialects.s3.errors import Rejected


class Target(NamedTuple):
    """bucket "": the service itself; key b"": the bucket itself."""

    bucket: str
    key: bytes


def target(request: Request, base_domains: Sequence[str]) -> Target:
    """Raises MalformedUri, Rejected (KeyTooLongError, InvalidBucketName)."""
    raw = request.raw_path
    if raw[:1] != b"/":
        if raw != b"*":
            raise MalformedUri("a path starts with a slash")
        return Target("", b"")
    bucket = virtual_bucket(request.host, base_domains) if base_domains else ""
    if bucket:
        return Target(bucket, _key(raw[1:]))
    raw_bucket, _, raw_key = raw[1:].partition(b"/")
    if not raw_bucket:
        if raw_key:
            raise Rejected("InvalidBucketName", BucketName="")
        return Target("", b"")
    return Target(_decoded(raw_bucket).decode(), _key(raw_key) if raw_key else b"")


def virtual_bucket(host: str, base_domains: Sequence[str]) -> str:
    """The bucket that a Host header names, "" for none. The longest base domain that fits counts; its case does not."""
    name = host.lower()
    if ":" in name:
        name = name.rpartition(":")[0]
    name = name.rstrip(".")
    found = ""
    fit = -1
    for domain in base_domains:
        if len(domain) > fit and len(name) > len(domain) + 1 and name.endswith("." + domain):
            found, fit = name[: -len(domain) - 1], len(domain)
        elif name == domain:
            return ""
    return found


def _key(raw: bytes) -> bytes:
    key = _decoded(raw)
    if len(key) > limits.MAX_KEY_BYTES:
        raise Rejected("KeyTooLongError", Size=len(key), MaxSizeAllowed=limits.MAX_KEY_BYTES)
    return key


def _decoded(raw: bytes) -> bytes:
    decoded = unquote_to_bytes(raw) if b"%" in raw else raw
    if not decoded.isascii():  # most are, and ASCII is UTF-8
        try:
            decoded.decode()
        except UnicodeDecodeError:
            raise MalformedUri("not UTF-8 after percent-decoding") from None
    return decoded
