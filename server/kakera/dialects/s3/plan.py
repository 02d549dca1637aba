"""What the head of a request announces of its body: lengths, digests, trailers. Pure; refuses what cannot be right
before a byte is read.

Sources: Amazon S3 API Reference, PutObject and UploadPart; User Guide, "Checking object integrity".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kakera.base import limits
from kakera.dialects import http
from kakera.dialects.s3 import checksums
from kakera.dialects.s3.auth import Identity, PayloadMode
from kakera.dialects.s3.checksums import Algorithm
from kakera.dialects.s3.refusals import BodyError
from kakera.dialects.s3.sigv4 import ChainSeed

_FRAMED = (PayloadMode.SIGNED_CHUNKS, PayloadMode.SIGNED_CHUNKS_TRAILER, PayloadMode.UNSIGNED_CHUNKS_TRAILER)
_WITH_TRAILER = (PayloadMode.SIGNED_CHUNKS_TRAILER, PayloadMode.UNSIGNED_CHUNKS_TRAILER)
# x-amz-checksum-* headers that carry no digest
_NOT_DIGESTS = frozenset(("x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-checksum-mode"))


@dataclass(slots=True)
class BodyPlan:
    """What a body must turn out to be. wire_bytes None: length of the framed body unknown (chunked transfer).

    algorithm: the checksum to compute; expected: its value from a header, None when it comes in a trailer or none
    was given.
    """

    mode: PayloadMode
    decoded_bytes: int
    wire_bytes: int | None
    sha256_hex: str = ""
    md5: bytes | None = None
    algorithm: Algorithm | None = None
    expected: bytes | None = None
    trailers: tuple[str, ...] = ()
    seed: ChainSeed | None = None

    @property
    def framed(self) -> bool:
        return self.mode in _FRAMED


def plan_body(
    request: http.Request, identity: Identity, *, max_bytes: int, default_algorithm: str | None = None
) -> BodyPlan:
    """`max_bytes` of the decoded body; `default_algorithm`: computed when the client asks for none. Raises
    BodyError.
    """
    headers = request.headers
    wire_bytes = _length(headers, "content-length")
    mode = identity.payload
    framed = mode in _FRAMED
    announced_bytes = _length(headers, "x-amz-decoded-content-length")
    decoded_bytes = announced_bytes if framed else wire_bytes
    if decoded_bytes is None:
        raise BodyError("MissingContentLength")
    if announced_bytes is not None and announced_bytes != decoded_bytes:
        # Framed by the look of its lengths, but not announced as such: storing it would store the framing
        raise BodyError(
            "InvalidRequest", "x-amz-decoded-content-length needs a STREAMING value of x-amz-content-sha256."
        )
    if decoded_bytes > max_bytes:
        raise BodyError("EntityTooLarge", extra={"ProposedSize": str(decoded_bytes), "MaxSizeAllowed": str(max_bytes)})
    plan = BodyPlan(mode, decoded_bytes, wire_bytes, identity.payload_sha256)
    if mode is PayloadMode.SIGNED_CHUNKS or mode is PayloadMode.SIGNED_CHUNKS_TRAILER:
        if identity.seed is None:
            raise BodyError("InvalidRequest", "A signed payload needs a signed request.")
        plan.seed = identity.seed
    if "content-md5" in headers:
        plan.md5 = _md5(headers["content-md5"])
    _plan_checksum(plan, headers)
    if plan.algorithm is None and default_algorithm:
        plan.algorithm = checksums.ALGORITHMS[default_algorithm]
    return plan


def announces_digest(headers: Mapping[str, str]) -> bool:
    """Content-MD5 or a checksum was given: what the vendor demands of DeleteObjects and of some configurations."""
    return (
        "content-md5" in headers
        or "x-amz-trailer" in headers
        or any(name.startswith(checksums.HEADER_PREFIX) and name not in _NOT_DIGESTS for name in headers)
    )


def stored_content_encoding(value: str | None) -> str | None:
    """Content-Encoding without aws-chunked, which is the wire's and not the object's; None when nothing is left."""
    if value is None:
        return None
    left = [token.strip() for token in value.split(",") if token.strip().lower() not in ("", "aws-chunked")]
    return ",".join(left) or None


def _length(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise BodyError("InvalidArgument", extra={"ArgumentName": name, "ArgumentValue": text[:64]})
    return int(text)


def _md5(text: str) -> bytes:
    digest = checksums.decode_base64(text.strip())
    if digest is None or len(digest) != 16:
        raise BodyError("InvalidDigest", extra={"Content-MD5": text[:64]})
    return digest


def _plan_checksum(plan: BodyPlan, headers: Mapping[str, str]) -> None:
    given = [name for name in headers if name.startswith(checksums.HEADER_PREFIX) and name not in _NOT_DIGESTS]
    plan.trailers = _announced_trailers(plan.mode, headers)
    in_trailer = [name for name in plan.trailers if name.startswith(checksums.HEADER_PREFIX)]
    names = given + in_trailer
    if len(names) > 1:
        raise BodyError(
            "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    if names:
        plan.algorithm = checksums.BY_HEADER.get(names[0])
        if plan.algorithm is None:
            raise _unsupported_algorithm()
    if given and plan.algorithm is not None:
        plan.expected = checksums.decode(plan.algorithm.name, headers[given[0]])
        if plan.expected is None:
            raise BodyError("BadDigest", f"Value for {given[0]} header is invalid.")
    named = headers.get("x-amz-sdk-checksum-algorithm")
    if named is not None:
        _check_named(named.upper(), plan, headers)


def _check_named(named: str, plan: BodyPlan, headers: Mapping[str, str]) -> None:
    """x-amz-sdk-checksum-algorithm only repeats what a checksum header or trailer says; it must not contradict it."""
    if named not in checksums.ALGORITHMS:
        raise _unsupported_algorithm()
    if plan.algorithm is None:
        if "content-md5" not in headers:
            raise BodyError(
                "InvalidRequest",
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer "
                "headers were found.",
            )
    elif plan.algorithm.name != named:
        raise BodyError("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")


def _announced_trailers(mode: PayloadMode, headers: Mapping[str, str]) -> tuple[str, ...]:
    value = headers.get("x-amz-trailer")
    if value is None:
        return ()
    names = tuple(name.strip().lower() for name in value.split(",") if name.strip())
    supported = all(name in checksums.BY_HEADER for name in names) and len(names) <= limits.MAX_TRAILERS
    if mode not in _WITH_TRAILER or not supported:
        raise BodyError("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
    return names


def _unsupported_algorithm() -> BodyError:
    return BodyError(
        "InvalidRequest",
        "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
        f"[{', '.join(checksums.ALGORITHMS)}]",
    )
