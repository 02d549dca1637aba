"""Checksums of the S3 dialect: CRC32, CRC32C, CRC64NVME, SHA1, SHA256; running, one-shot, and of a whole from its
parts.

Values on the wire are base64 of the big-endian digest. A multipart object has either the FULL_OBJECT checksum (a
CRC, joined from the parts' CRCs and sizes) or the COMPOSITE one (the checksum of the parts' digests, followed by
"-N").

Source: Amazon S3 User Guide, "Checking object integrity"; combining CRCs: awscrt.
"""

from __future__ import annotations

import binascii
import hashlib
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from awscrt import checksums as crt

FULL_OBJECT = "FULL_OBJECT"
COMPOSITE = "COMPOSITE"
HEADER_PREFIX = "x-amz-checksum-"

Buffer = bytes | bytearray | memoryview
Crc = Callable[[Buffer, int], int]
Combine = Callable[[int, int, int], int]


class Running(Protocol):
    """A digest in the making."""

    def update(self, data: Buffer, /) -> None: ...
    def digest(self) -> bytes: ...


class _RunningCrc:
    __slots__ = ("_crc", "_size_bytes", "_value")

    def __init__(self, crc: Crc, size_bytes: int) -> None:
        self._crc = crc
        self._size_bytes = size_bytes
        self._value = 0

    def update(self, data: Buffer, /) -> None:
        self._value = self._crc(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size_bytes, "big")


class Algorithm(NamedTuple):
    """combine None: only COMPOSITE makes a whole of parts; composite False: only FULL_OBJECT does."""

    name: str
    header: str
    digest_bytes: int
    start: Callable[[], Running]
    combine: Combine | None
    composite: bool


def _crc_algorithm(name: str, size_bytes: int, crc: Crc, combine: Combine, *, composite: bool) -> Algorithm:
    return Algorithm(
        name, HEADER_PREFIX + name.lower(), size_bytes, lambda: _RunningCrc(crc, size_bytes), combine, composite
    )


def _sha1() -> Running:
    return hashlib.sha1(usedforsecurity=False)


ALGORITHMS: Mapping[str, Algorithm] = {
    "CRC32": _crc_algorithm("CRC32", 4, zlib.crc32, crt.combine_crc32, composite=True),
    "CRC32C": _crc_algorithm("CRC32C", 4, crt.crc32c, crt.combine_crc32c, composite=True),
    "CRC64NVME": _crc_algorithm("CRC64NVME", 8, crt.crc64nvme, crt.combine_crc64nvme, composite=False),
    "SHA1": Algorithm("SHA1", "x-amz-checksum-sha1", 20, _sha1, None, composite=True),
    "SHA256": Algorithm("SHA256", "x-amz-checksum-sha256", 32, hashlib.sha256, None, composite=True),
}
BY_HEADER: Mapping[str, Algorithm] = {algorithm.header: algorithm for algorithm in ALGORITHMS.values()}


def compute(name: str, data: Buffer) -> bytes:
    """The digest of `data` in one go. Raises KeyError for an algorithm that is not ours."""
    running = ALGORITHMS[name].start()
    running.update(data)
    return running.digest()


def encode(digest: bytes) -> str:
    return b64encode(digest).decode("ascii")


def decode(name: str, text: str) -> bytes | None:
    """A header's value to the digest; None unless it is exactly the base64 of a digest of that algorithm."""
    digest = decode_base64(text)
    return digest if digest is not None and len(digest) == ALGORITHMS[name].digest_bytes else None


def decode_base64(text: str) -> bytes | None:
    """Strict: the one canonical base64 spelling, nothing around it. None otherwise."""
    if not text.isascii():
        return None
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return None
    return raw if encode(raw) == text else None


def default_kind(name: str) -> str:
    """The kind a multipart upload gets when its creator names none."""
    return COMPOSITE if ALGORITHMS[name].composite else FULL_OBJECT


def kind_allowed(name: str, kind: str) -> bool:
    algorithm = ALGORITHMS[name]
    return algorithm.combine is not None if kind == FULL_OBJECT else kind == COMPOSITE and algorithm.composite


def full_object(name: str, parts: Iterable[tuple[bytes, int]]) -> str:
    """FULL_OBJECT from (digest, size in bytes) of each part, in order. Raises ValueError where only COMPOSITE is
    defined.
    """
    combine = ALGORITHMS[name].combine
    if combine is None:
        raise ValueError(f"{name} of a whole does not follow from its parts")
    value = 0
    for digest, size_bytes in parts:
        value = combine(value, int.from_bytes(digest, "big"), size_bytes)
    return encode(value.to_bytes(ALGORITHMS[name].digest_bytes, "big"))


def composite(name: str, digests: Sequence[bytes]) -> str:
    """COMPOSITE from the digest of each part, in order: base64, "-", number of parts. Raises ValueError where it is
    not defined.
    """
    if not ALGORITHMS[name].composite:
        raise ValueError(f"{name} has no composite form")
    return f"{encode(compute(name, b''.join(digests)))}-{len(digests)}"


def of_parts(name: str, kind: str, parts: Sequence[tuple[bytes, int]]) -> str:
    """The checksum of a completed multipart object, of either kind."""
    if kind == FULL_OBJECT:
        return full_object(name, parts)
    return composite(name, [digest for digest, _ in parts])
