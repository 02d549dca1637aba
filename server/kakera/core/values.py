"""Values that pass between the dialects and the core: no HTTP, no XML, no vendor's word."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from kakera.journal.commands import Condition
from kakera.journal.records import Checksum

__all__ = [
    "Account",
    "BodySource",
    "BucketInfo",
    "Checksum",
    "Condition",
    "Digests",
    "ObjectInfo",
    "ObjectRead",
    "ReadCondition",
]


class Account(msgspec.Struct, frozen=True):
    """Who asks. ANONYMOUS has an empty id."""

    account_id: str
    display_name: str


ANONYMOUS = Account("", "")


class Digests(NamedTuple):
    """What the dialect's body reader verified once the body was read to its end."""

    size_bytes: int
    md5: bytes
    checksum: Checksum | None


class BodySource(Protocol):
    """A body on its way in, freed of its wire framing. `declared_bytes`: its length, known before it is read."""

    declared_bytes: int

    async def read(self) -> bytes | memoryview:
        """The next piece; empty at the end. Raises the dialect's own error when the body is not what was signed or
        declared.
        """
        ...

    def digests(self) -> Digests:
        """Only after the end was read and everything verified."""
        ...


class BucketInfo(msgspec.Struct, frozen=True):
    name: str
    bucket_id: int
    owner: str
    created_ms: int
    region: str
    versioning: int  # 0 never, 1 enabled, 2 suspended
    generation: int
    settings: bytes


class ObjectInfo(msgspec.Struct, frozen=True):
    """A version as its record describes it. version b"" = null. versioned: the bucket has ever had versioning on (show
    the id).
    """

    key: bytes
    version: bytes
    mtime_ms: int
    size: int
    etag: str
    owner: str
    headers: Mapping[str, str]
    user: Mapping[str, str]
    tags: Sequence[tuple[str, str]]
    checksum: Checksum | None
    parts_count: int = 0  # 0: not a multipart
    versioned: bool = False


class ReadCondition(msgspec.Struct, frozen=True):
    """Conditions of GET and HEAD and of a copy's source (RFC 9110 section 13). etags without quotes; times in whole
    seconds.
    """

    if_match: list[str] | None = None
    if_none_match: list[str] | None = None
    if_modified_since_s: int | None = None
    if_unmodified_since_s: int | None = None


class ByteRange(NamedTuple):
    """As asked: first..last inclusive; first None = the last `last` bytes; last None = to the end."""

    first: int | None
    last: int | None


class ObjectRead(NamedTuple):
    """An object opened for reading. start, stop: the range served, stop exclusive. body: bytes when it was at hand,
    else pieces; the pieces raise Damaged when the store cannot go on: the connection must then break, never end early
    (R3). close: release pins; must be awaited or called exactly once, whether or not the body was read."""

    info: ObjectInfo
    start: int
    stop: int
    body: bytes | AsyncIterator[bytes | memoryview]
    close: Callable[[], None]
    part_count: int = 0


class NewObject(msgspec.Struct, frozen=True):
    """What the client says about the object it puts."""

    key: bytes
    headers: dict[str, str] = {}
    user: dict[str, str] = {}
    tags: list[tuple[str, str]] = []


class Stored(msgspec.Struct, frozen=True):
    """What a write made. versioned as in ObjectInfo."""

    etag: str
    version: bytes
    versioned: bool
    size: int
    mtime_ms: int
    checksum: Checksum | None = None


class Deleted(msgspec.Struct, frozen=True):
    """What a DELETE did: version removed or made, whether it is a delete marker. versioned False: say nothing of
    versions.
    """

    key: bytes
    version: bytes
    marker: bool
    versioned: bool


class Listed(msgspec.Struct, frozen=True):
    """One line of a listing. latest and marker only in a listing of versions."""

    key: bytes
    version: bytes
    mtime_ms: int
    size: int
    etag: str
    owner: str
    checksum: str
    latest: bool = True
    marker: bool = False


class ListPage(msgspec.Struct, frozen=True):
    """One page, entries and common prefixes each in order. next_key (and next_version) : where the next page starts
    *after*; None at the end. A common prefix as the last item makes next_key that prefix."""

    entries: list[Listed]
    prefixes: list[bytes]
    truncated: bool
    next_key: bytes | None = None
    next_version: bytes | None = None


class UploadInfo(msgspec.Struct, frozen=True):
    key: bytes
    upload_id: bytes
    initiated_ms: int
    owner: str
    checksum_algorithm: str = ""
    checksum_kind: str = ""


class UploadPage(msgspec.Struct, frozen=True):
    uploads: list[UploadInfo]
    prefixes: list[bytes]
    truncated: bool
    next_key: bytes | None = None
    next_upload: bytes | None = None


class PartInfo(msgspec.Struct, frozen=True):
    part_number: int
    size: int
    etag: str
    mtime_ms: int
    checksum: Checksum | None = None


class PartPage(msgspec.Struct, frozen=True):
    upload: UploadInfo
    parts: list[PartInfo]
    truncated: bool
    next_part: int | None = None


class CompletePart(msgspec.Struct, frozen=True):
    """A line of CompleteMultipartUpload. checksums: algorithm -> base64, as given."""

    part_number: int
    etag: str
    checksums: dict[str, str] = {}


class Combined(NamedTuple):
    """What the dialect makes of the chosen parts: ETag (hex, "-", number of parts) and checksum of the whole."""

    etag: str
    checksum: Checksum | None
