"""The rows of the index: one Struct a table, key columns first (docs/spec/index.md). Every row is derived from the
journal by `journal.apply` alone (R4).

Rows are thin: they say where the record lies (segment, offset, length) and what a listing shows; everything else is
read from the record itself, which carries its own crc (R3).
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import msgspec


class Location(NamedTuple):
    """Where a record lies, the same on every strand of the segment."""

    segment: int
    offset: int
    length: int


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of all rows. Its encoded form is a msgpack array of the columns: new columns only at the end, with
    defaults."""


class BucketRow(Row, frozen=True):
    """A bucket that is alive. `bucket_id` = sequence of the record that created it (R13); `generation` = sequence of
    its last SETTINGS record (R6). versioning: 0 never, 1 enabled, 2 suspended. settings: msgpack map of the rest."""

    name: str
    bucket_id: int
    owner: str
    created_ms: int
    generation: int
    versioning: int
    region: str
    settings: bytes


class EntryRow(Row, frozen=True):
    """One listable key: its newest version, which is not a delete marker.

    version: 16 bytes, or b"" for the null version. order: sequence of the record that made it the newest; unchanged by
    MOVED.
    flags: see `Entry`. etag: hex, with "-N" for a multipart. checksum: name of the checksum algorithm or "".
    body_id: whose DATA or parts the body is, b"" when it is in the record.
    """

    bucket_id: int
    key: bytes
    version: bytes
    order: int
    mtime_ms: int
    size: int
    etag: str
    owner: str
    flags: int
    checksum: str
    segment: int
    offset: int
    length: int
    body_id: bytes


class VersionRow(Row, frozen=True):
    """Every other version and every delete marker, newest first: `neg_order` = -order. The rest as in EntryRow."""

    bucket_id: int
    key: bytes
    neg_order: int
    version: bytes
    mtime_ms: int
    size: int
    etag: str
    owner: str
    flags: int
    checksum: str
    segment: int
    offset: int
    length: int
    body_id: bytes


class VersionIdRow(Row, frozen=True):
    """From a version id to its place among the VersionRows of its key."""

    bucket_id: int
    key: bytes
    version: bytes
    neg_order: int


class UploadRow(Row, frozen=True):
    """A multipart upload that is open. Its metadata is in the UPLOAD record."""

    bucket_id: int
    key: bytes
    upload_id: bytes
    initiated_ms: int
    owner: str
    checksum: str
    segment: int
    offset: int
    length: int


class PartRow(Row, frozen=True):
    """The newest part of that number. chosen: it is part of the completed
    object; where it begins there follows from the sizes of those before it."""

    upload_id: bytes
    part_number: int
    part_id: bytes
    size: int
    etag: str
    mtime_ms: int
    chosen: bool
    checksum: str  # "ALGORITHM:base64" or ""
    segment: int
    offset: int
    length: int


class BodyRow(Row, frozen=True):
    """A body in bulk segments and who holds it: the OBJECT of (bucket_id, key, version) or PART `part_number` of
    `upload_id`.
    segments: msgpack list of [segment, bytes]."""

    body_id: bytes
    bucket_id: int
    key: bytes
    version: bytes
    upload_id: bytes
    part_number: int
    segments: bytes


class BulkRow(Row, frozen=True):
    """How many bytes of a bulk segment's strand are referred to."""

    segment: int
    live_bytes: int


class AppliedRow(Row, frozen=True):
    """A command that was applied and what it answered (R16). Gone when the floor passes its sequence."""

    sequence: int
    command_id: bytes
    reply: bytes


class CompletedRow(Row, frozen=True):
    """A multipart that was completed: a repeated Complete of the same key gives the same answer. Gone when the floor
    passes its sequence."""

    upload_id: bytes
    bucket_id: int
    key: bytes
    sequence: int
    reply: bytes


class CompletedAtRow(Row, frozen=True):
    """The CompletedRows in order of sequence, so that a raised floor finds those below it without reading the rest."""

    sequence: int
    upload_id: bytes


class Entry:
    """Bits of `flags` in EntryRow and VersionRow."""

    MARKER = 1  # a delete marker (VersionRow only)
    BULK = 2  # the body is in bulk segments: a BodyRow exists
    PARTS = 4  # the body is the parts of an upload


R = TypeVar("R", bound=Row)
R_co = TypeVar("R_co", bound=Row, covariant=True)


class Table(NamedTuple, Generic[R_co]):
    """Name, row type and how many leading columns are the key."""

    name: str
    row: type[R_co]
    keys: int


BUCKETS = Table("buckets", BucketRow, 1)
ENTRIES = Table("entries", EntryRow, 2)
VERSIONS = Table("versions", VersionRow, 3)
VERSION_IDS = Table("version_ids", VersionIdRow, 3)
UPLOADS = Table("uploads", UploadRow, 3)
PARTS = Table("parts", PartRow, 2)
BODIES = Table("bodies", BodyRow, 1)
BULK = Table("bulk", BulkRow, 1)
APPLIED = Table("applied", AppliedRow, 1)
COMPLETED = Table("completed", CompletedRow, 1)
COMPLETED_AT = Table("completed_at", CompletedAtRow, 1)
TABLES: tuple[Table[Row], ...] = (
    BUCKETS, ENTRIES, VERSIONS, VERSION_IDS, UPLOADS, PARTS, BODIES, BULK, APPLIED, COMPLETED,
    COMPLETED_AT,
)  # fmt: skip
