"""What the journal's records say: the meta of each type (msgpack arrays; new fields only at the end, with defaults).

The body of an OBJECT or PART is placed by its size (docs/spec/segments.md): nothing, replicated in the record, coded in
the record, chunks in bulk segments, or the parts of an upload.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

from kakera.segments.meta import ChunkRef as ChunkRef
from kakera.segments.meta import DataMeta as DataMeta
from kakera.segments.meta import StrandMeta as StrandMeta


class Placement(IntEnum):
    NONE = 0  # empty body
    REPLICATED = 1  # whole in the record of every strand
    CODED = 2  # this strand's own fragment in the record
    CHUNKS = 3  # DATA records in bulk segments
    PARTS = 4  # the PART records of an upload


class Checksum(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """algorithm: CRC32 CRC32C CRC64NVME SHA1 SHA256; value: base64, for COMPOSITE with -N; kind: FULL_OBJECT or
    COMPOSITE.
    """

    algorithm: str
    value: str
    kind: str = "FULL_OBJECT"


class ObjectMeta(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """OBJECT: the full metadata of a version.

    version: the id, b"" for the null version. order: 0 = the sequence of this record; else the sequence that made it
    (MOVED).
    headers: content-type, cache-control, content-disposition, content-encoding, content-language, expires as given.
    parts: number ranges [[first, last], ...] of the upload `body_id`; body_id: owner of bulk DATA, or the upload.
    """

    bucket_id: int
    key: bytes
    version: bytes
    order: int
    mtime_ms: int
    size: int
    etag: str
    owner: str
    placement: int
    headers: dict[str, str] = {}
    user: dict[str, str] = {}
    tags: list[tuple[str, str]] = []
    checksum: Checksum | None = None
    body_id: bytes = b""
    chunks: list[ChunkRef] = []
    parts: list[tuple[int, int]] = []


class PartMeta(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """PART: one part of an open (later completed) upload; its id is the record's command id unless MOVED.
    chosen: the Complete took it, written out when the record is moved."""

    bucket_id: int
    key: bytes
    upload_id: bytes
    part_number: int
    part_id: bytes
    mtime_ms: int
    size: int
    etag: str
    placement: int
    checksum: Checksum | None = None
    chunks: list[ChunkRef] = []
    chosen: bool = False


class UploadMeta(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """UPLOAD: a multipart upload is open. checksum_algorithm and checksum_kind as asked for at creation, or ""."""

    bucket_id: int
    key: bytes
    upload_id: bytes
    initiated_ms: int
    owner: str
    headers: dict[str, str] = {}
    user: dict[str, str] = {}
    tags: list[tuple[str, str]] = []
    checksum_algorithm: str = ""
    checksum_kind: str = ""


class AbortMeta(msgspec.Struct, array_like=True, frozen=True, gc=False):
    bucket_id: int
    key: bytes
    upload_id: bytes


class DeleteMeta(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """DELETE: exactly this version (b"": the null version) is gone."""

    bucket_id: int
    key: bytes
    version: bytes


class MarkerMeta(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """MARKER: a delete marker is the newest version. order as in ObjectMeta."""

    bucket_id: int
    key: bytes
    version: bytes
    order: int
    mtime_ms: int
    owner: str


class SettingsMeta(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """SETTINGS: a bucket's settings as a whole, or (alive False) its end. bucket_id 0: it is created by this record.
    generation 0 likewise: this record's own sequence."""

    name: str
    bucket_id: int
    owner: str
    created_ms: int
    alive: bool
    versioning: int = 0
    region: str = ""
    settings: bytes = b""
    generation: int = 0
