"""The arithmetic of AWS Signature Version 4 for S3: canonical request, string to sign, keys, aws-chunk signatures.
Pure.

Sources: Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)": "Signature Calculations for
the Authorization Header" (single chunk, multiple chunks, multiple chunks with trailing headers) and "Authenticating
Requests: Using Query Parameters". S3's own rules differ from the other services': the path is neither normalised nor
encoded twice.

Text is latin-1 throughout: one character is one byte of the wire.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from kakera.base import limits

ALGORITHM = "AWS4-HMAC-SHA256"
CHUNK_ALGORITHM = "AWS4-HMAC-SHA256-PAYLOAD"
TRAILER_ALGORITHM = "AWS4-HMAC-SHA256-TRAILER"
SERVICE = "s3"
TERMINATOR = "aws4_request"
EMPTY_SHA256 = sha256(b"").hexdigest()
SIGNATURE_CHARS = 64
_TIMESTAMP_CHARS = 16
_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_PATH_CHARS = _UNRESERVED + b"/"
_HEX = "0123456789abcdef"


class Scope(NamedTuple):
    """The parts of a credential; `text` is what the string to sign and every aws-chunk repeat."""

    access_key_id: str
    date: str
    region: str
    service: str
    terminator: str
    text: str


@lru_cache(maxsize=limits.SIGNING_KEYS_CACHED)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The derived key of one day. Cached by the secret itself, so a changed secret never meets an old key."""
    key = hmac.digest(b"AWS4" + secret.encode(), date.encode("latin-1"), "sha256")
    for part in (region, service, TERMINATOR):
        key = hmac.digest(key, part.encode("latin-1"), "sha256")
    return key


def is_hex_digest(text: str) -> bool:
    """64 lower-case hex digits."""
    return len(text) == SIGNATURE_CHARS and not text.strip(_HEX)


def split_credential(text: str) -> Scope | None:
    """`AKID/YYYYMMDD/region/service/aws4_request`; the key id itself may contain slashes. None when it is not of
    that form.
    """
    # Length first: a cache of texts the network chose must bound the texts, too
    return _split_credential(text) if len(text) <= limits.MAX_CREDENTIAL_CHARS else None


@lru_cache(maxsize=limits.PARSED_CREDENTIALS_CACHED)
def _split_credential(text: str) -> Scope | None:
    parts = text.rsplit("/", 4)
    if len(parts) != 5 or not all(parts):
        return None
    return Scope(parts[0], parts[1], parts[2], parts[3], parts[4], "/".join(parts[1:]))


def parse_timestamp(text: str) -> int | None:
    """`20130524T000000Z` to seconds since the epoch; None when it is not exactly of that form or no such instant
    exists.
    """
    return _parse_timestamp(text) if len(text) == _TIMESTAMP_CHARS else None


@lru_cache(maxsize=limits.PARSED_TIMESTAMPS_CACHED)
def _parse_timestamp(text: str) -> int | None:
    digits = text[:8] + text[9:15]
    if text[8] != "T" or text[15] != "Z" or not (digits.isascii() and digits.isdigit()):
        return None
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:8])
    try:
        at = datetime(year, month, day, int(text[9:11]), int(text[11:13]), int(text[13:15]), tzinfo=UTC)
    except ValueError:
        return None
    return int(at.timestamp())


# --- canonical forms --------------------------------------------------------------------------------------------------


def canonical_query(raw_query: bytes, *, without: bytes = b"") -> str:
    """Parameters decoded, encoded the canonical way and sorted by name, then value. `without` names one to leave
    out.
    """
    if not raw_query:
        return ""
    left_out = without + b"="
    pairs = []
    for piece in raw_query.split(b"&"):
        if piece and not (without and (piece.startswith(left_out) or piece == without)):
            pairs.append(_pair_cached(piece) if len(piece) <= limits.CACHED_PARAMETER_BYTES else _pair(piece))
    if len(pairs) > 1:
        pairs.sort()
    return "&".join([f"{name}={value}" for name, value in pairs])


def _pair(piece: bytes) -> tuple[str, str]:
    name, _, value = piece.partition(b"=")
    return _canonical(name), _canonical(value)


_pair_cached = lru_cache(maxsize=limits.PARAMETERS_CACHED)(_pair)


def _canonical(raw: bytes) -> str:
    if not raw.translate(None, _UNRESERVED):
        return raw.decode("ascii")
    return quote_from_bytes(unquote_to_bytes(raw.replace(b"+", b" ")), safe="")


def recoded_path(raw_path: bytes) -> bytes:
    """The path a client signs that encodes it the canonical way but sends it another ("(" for %28). Slashes stay."""
    if not raw_path.translate(None, _PATH_CHARS):
        return raw_path
    return quote_from_bytes(unquote_to_bytes(raw_path), safe="/").encode("ascii")


def canonical_headers(headers: Mapping[str, str], signed: Sequence[str]) -> str:
    """One `name:value` line for each signed header, in the order given. A header that is absent counts as empty.

    Runs of blanks become one: ASCII blanks only, since 0x85 and 0xA0 are parts of UTF-8 letters here, not spaces.
    """
    lines = []
    for name in signed:
        value = headers.get(name, "")
        if "  " in value or "\t" in value:
            value = b" ".join(value.encode("latin-1").split()).decode("latin-1")
        else:
            value = value.strip(" ")
        lines.append(f"{name}:{value}\n")
    return "".join(lines)


def canonical_request(
    method: str, raw_path: bytes, query: str, *, header_lines: str, signed_names: str, payload: str
) -> bytes:
    """`query` and `header_lines` as the two functions above make them; `payload`: hex digest or one of S3's words
    for none.
    """
    path = raw_path.decode("latin-1") or "/"
    return f"{method}\n{path}\n{query}\n{header_lines}\n{signed_names}\n{payload}".encode("latin-1")


def string_to_sign(timestamp: str, scope: str, canonical: bytes) -> bytes:
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{sha256(canonical).hexdigest()}".encode("latin-1")


def sign(key: bytes, text: bytes) -> str:
    """The signature, 64 hex digits."""
    return hmac.digest(key, text, "sha256").hex()


def equal(ours: str, theirs: str) -> bool:
    """In constant time, whatever bytes the client sent."""
    return hmac.compare_digest(ours.encode("ascii"), theirs.encode("latin-1", "replace"))


# --- signatures of aws-chunks -----------------------------------------------------------------------------------------


class ChainSeed(NamedTuple):
    """What the chain of aws-chunk signatures starts from. `scope` is the text of Scope."""

    key: bytes
    timestamp: str
    scope: str
    signature: str

    def __repr__(self) -> str:  # R10: the key never reaches a log line
        return f"ChainSeed({self.timestamp}, {self.scope})"


class SignatureChain:
    """Each signature covers the one before it, so chunks can be neither left out nor swapped."""

    __slots__ = ("_key", "_prefix", "_previous")

    def __init__(self, seed: ChainSeed) -> None:
        self._key = seed.key
        self._prefix = f"{seed.timestamp}\n{seed.scope}\n"
        self._previous = seed.signature

    def next_chunk(self, chunk_sha256_hex: str) -> str:
        """The signature the next aws-chunk must carry; the chain moves on."""
        return self._step(f"{CHUNK_ALGORITHM}\n{self._prefix}{self._previous}\n{EMPTY_SHA256}\n{chunk_sha256_hex}")

    def trailer(self, canonical_trailers: bytes) -> str:
        """The signature of the trailing headers: `name:value` lines, each ended by a line feed."""
        digest = sha256(canonical_trailers).hexdigest()
        return self._step(f"{TRAILER_ALGORITHM}\n{self._prefix}{self._previous}\n{digest}")

    def _step(self, text: str) -> str:
        self._previous = sign(self._key, text.encode("latin-1"))
        return self._previous
