"""What workers ask of the committer, and what it answers. One frame on the Unix socket = many of either
(docs/spec/journal.md).

A command's id is its identity for ever (R16): the version id of a PUT, the upload id of Create, its
complement of Complete (multipart_ids), the part id of a part.
"""

from __future__ import annotations

import msgspec

from kakera.index.tables import Location


class Condition(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Decided by the committer (R6). None = not asked. etags are hex without quotes; "*" = any.

    if_match fails with NoSuchKey when there is no object, as S3 does; a DELETE of nothing succeeds all the same, and a
    delete marker passes "*" only. For DELETE also: size, mtime_ms (DeleteObjects'
    conditions)."""

    if_match: list[str] | None = None
    if_none_match: list[str] | None = None
    size: int | None = None
    mtime_ms: int | None = None


class Body(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An inline body: one replicated piece, or k+m fragments, with the crc32c of each; empty fragments = no inline
    body.
    """

    fragments: list[bytes] = []
    crcs: list[int] = []
    size: int = 0
    k: int = 0
    m: int = 0


class Put(msgspec.Struct, array_like=True, tag=1, frozen=True, gc=False):
    """Append OBJECT. meta: an encoded ObjectMeta, whose version agrees with the bucket's versioning at `generation`."""

    id: bytes
    bucket: str
    bucket_id: int
    generation: int
    meta: bytes
    body: Body
    condition: Condition | None = None


class PutPart(msgspec.Struct, array_like=True, tag=2, frozen=True, gc=False):
    """Append PART if the upload is open. meta: PartMeta."""

    id: bytes
    bucket: str
    bucket_id: int
    meta: bytes
    body: Body


class CreateUpload(msgspec.Struct, array_like=True, tag=3, frozen=True, gc=False):
    """Append UPLOAD; id is the upload id. meta: UploadMeta."""

    id: bytes
    bucket: str
    bucket_id: int
    meta: bytes


class Complete(msgspec.Struct, array_like=True, tag=4, frozen=True, gc=False):
    """Append OBJECT (placement PARTS) if the upload is open and its parts are still those: part_ids in the order of
    part numbers.
    id: the upload id with its bits inverted (the upload id itself is CreateUpload's)."""

    id: bytes
    bucket: str
    bucket_id: int
    generation: int
    meta: bytes
    part_ids: list[bytes]
    condition: Condition | None = None


class Abort(msgspec.Struct, array_like=True, tag=5, frozen=True, gc=False):
    id: bytes
    bucket: str
    bucket_id: int
    key: bytes
    upload_id: bytes


class Delete(msgspec.Struct, array_like=True, tag=6, frozen=True, gc=False):
    """version None: "delete the key", which makes a marker or removes the null version as versioning says at that
    moment; else exactly that version (b"" the null one)."""

    id: bytes
    bucket: str
    bucket_id: int
    generation: int
    key: bytes
    version: bytes | None
    owner: str
    mtime_ms: int
    condition: Condition | None = None


class Rewrite(msgspec.Struct, array_like=True, tag=7, frozen=True, gc=False):
    """Append the same version or part again (other tags, other chunk places): accepted only if its row still points to
    `expected` (R7). record: Type.OBJECT or Type.PART."""

    id: bytes
    record: int
    meta: bytes
    body: Body
    expected: Location


class PutSettings(msgspec.Struct, array_like=True, tag=8, frozen=True, gc=False):
    """Create (meta.bucket_id 0), change (accepted at `generation` only) or end (alive False; if empty) a bucket."""

    id: bytes
    generation: int
    meta: bytes


class OpenBulk(msgspec.Struct, array_like=True, tag=9, frozen=True, gc=False):
    """Ask for a bulk segment id; nothing is appended."""

    id: bytes


class Status(msgspec.Struct, array_like=True, tag=10, frozen=True, gc=False):
    """Ask what the committer knows: see StatusReply."""

    id: bytes


class Clean(msgspec.Struct, array_like=True, tag=11, frozen=True, gc=False):
    """One step of the background (R14). what = "roll": seal the open journal segment, so that it can be healed;
    "clean": move what is live out of the oldest segment (value 1: again); "finish": raise the floor above it and drop
    it, once "clean" answered 0; "drop_bulk": no row refers to bulk segment `segment`, and from now on no command may:
    its strands can go; "close_bulk": from now on no command may name DATA there that no row refers to: what is dead
    stays dead (R7)."""

    id: bytes
    what: str
    segment: int = 0


Command = Put | PutPart | CreateUpload | Complete | Abort | Delete | Rewrite | PutSettings | OpenBulk | Status | Clean


class Ok(msgspec.Struct, array_like=True, tag=1, frozen=True, gc=False):
    """Done and durable. version: what was made or removed (b"" null); marker: it is a delete marker; sequence: its
    order; value: segment id for OpenBulk, bucket id for PutSettings; body: StatusReply for Status, encoded."""

    version: bytes = b""
    marker: bool = False
    sequence: int = 0
    value: int = 0
    body: bytes = b""


class No(msgspec.Struct, array_like=True, tag=2, frozen=True, gc=False):
    """Refused or not now: the class name in base.errors, its message and detail."""

    error: str
    message: str = ""
    detail: dict[str, str | int | bool] = {}


Reply = Ok | No


class SegmentInfo(msgspec.Struct, frozen=True):
    """One journal segment of the chain, oldest first. `end`: byte length that counts; first, last: its sequences."""

    segment: int
    end: int
    first: int
    last: int


READABLE = ("ready", "read-only")  # modes in which the index may be read
UNAVAILABLE = "unavailable"  # fewer than k drives, or more than k away: everything answers 503 (R15)


class StatusReply(msgspec.Struct, frozen=True):
    """mode: "ready", "read-only", "starting", "unavailable"; reason: why not ready. undecided: (bucket id, key)
    that read-only must not answer for; bucket id 0: buckets themselves. full: only DELETE is taken."""

    mode: str
    reason: str
    epoch: int
    chain: list[SegmentInfo]
    floor: int
    drives: dict[str, str]  # slot -> "ok", "absent: reason", "excluded: reason"
    batches: int
    commands: int
    full: bool = False
    undecided: list[tuple[int, bytes]] = []
    rebuilding: bool = False  # the index was wiped or made new, and does not hold everything yet: nobody reads it
