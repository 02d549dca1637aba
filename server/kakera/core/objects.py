"""Objects: put, read, head, delete, tags."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from kakera.base import clock, errors, limits
from kakera.base.ids import NULL_VERSION, new_id
from kakera.core import bodies
from kakera.core.conditions import check_read, resolve_range
from kakera.core.copying import Source, SourceBody
from kakera.core.store import Row, Store, find_row, fresh_bucket, location, read_meta
from kakera.core.values import (
    Account,
    BodySource,
    BucketInfo,
    ByteRange,
    Condition,
    Deleted,
    NewObject,
    ObjectInfo,
    ObjectRead,
    PartInfo,
    ReadCondition,
    Stored,
)  # fmt: skip
from kakera.index.tables import PARTS, VERSIONS, Entry
from kakera.journal import codec
from kakera.journal.commands import Body, Delete, Ok, Put, Rewrite
from kakera.journal.records import Checksum, ObjectMeta, Placement
from kakera.segments.reader import RecordRead, Vanished
from kakera.segments.record import Type, crc32c

_NO_CONDITION = ReadCondition()
_decode: Callable[[bytes], ObjectMeta] = codec.META[Type.OBJECT].decode
T = TypeVar("T")


async def put(
    store: Store,
    bucket: BucketInfo,
    owner: Account,
    new: NewObject,
    body: BodySource,
    *,
    condition: Condition | None = None,
) -> Stored:
    """Store a new version. Nothing is visible before it is durable and everything the source promised was verified
    (R1).

    Raises TooLarge, PreconditionFailed, NoSuchKey (If-Match of nothing), NoSuchBucket, Unavailable; what the source
    raises."""
    command_id = new_id()
    try:
        placed = await bodies.take(store, command_id, body, maximum_bytes=limits.MAX_PUT_BYTES)
        return await put_placed(store, bucket, owner, new, (command_id, placed), condition=condition)
    finally:
        store.bulk.release(command_id)


async def put_placed(
    store: Store, bucket: BucketInfo, owner: Account, new: NewObject, placed_as: tuple[bytes, bodies.PlacedBody], *,
    condition: Condition | None = None,
) -> Stored:  # fmt: skip
    """Send the command for a body that is already placed; decides again while the bucket's settings change (R6)."""
    command_id, placed = placed_as
    digests = placed.digests
    etag, mtime_ms = digests.md5.hex(), clock.now_ms()
    for _ in range(limits.STALE_RETRIES):
        version = command_id if bucket.versioning == 1 else NULL_VERSION
        meta = ObjectMeta(
            bucket.bucket_id, new.key, version, 0, mtime_ms, digests.size_bytes, etag, owner.account_id,
            placed.placement, new.headers, new.user, new.tags, digests.checksum, command_id if placed.chunks else b"",
            placed.chunks,
        )  # fmt: skip
        encoded = codec.encode(meta)
        command = Put(command_id, bucket.name, bucket.bucket_id, bucket.generation, encoded, placed.body, condition)
        try:
            await store.journal.submit(command)
        except errors.Stale:
            bucket = fresh_bucket(store, bucket)
            continue
        return Stored(etag, version, bucket.versioning != 0, digests.size_bytes, mtime_ms, digests.checksum)
    raise errors.OperationAborted(key=new.key.decode(errors="replace"))


async def copy(
    store: Store, source: Source, bucket: BucketInfo, owner: Account, new: NewObject, *, keep_metadata: bool,
    keep_tags: bool, condition: Condition | None = None, checksum_algorithm: str = "",
) -> Stored:  # fmt: skip
    """A new version from a stored one; what is kept comes from the source, the rest from `new`. Raises as `open_read`
    and `put`.
    """
    read = await open_source(store, source)
    info = read.info
    algorithm = checksum_algorithm or (info.checksum.algorithm if info.checksum else "")
    body = SourceBody(read, algorithm, store.digest(algorithm) if algorithm else None)
    try:
        if keep_metadata:
            new = msgspec.structs.replace(new, headers=dict(info.headers), user=dict(info.user))
        if keep_tags:
            new = msgspec.structs.replace(new, tags=list(info.tags))
        return await put(store, bucket, owner, new, body, condition=condition)
    finally:
        await body.close()


async def open_source(store: Store, source: Source) -> ObjectRead:
    """The source of a copy, opened. A range must lie within it, and "not modified" is a failed condition here."""
    wanted = source.byte_range
    try:
        read = await open_read(
            store, source.bucket, source.key, version=source.version, byte_range=wanted, condition=source.condition
        )
    except errors.NotModified:
        raise errors.PreconditionFailed(condition="if_none_match") from None
    if wanted is not None and (wanted.last is None or wanted.last >= read.info.size):
        read.close()
        raise errors.InvalidRange(size_bytes=read.info.size)
    return read


# --- reading ----------------------------------------------------------------------------------------------------------


def find(store: Store, bucket: BucketInfo, key: bytes, version: bytes | None) -> Row:
    """The row to be read. Raises NoSuchKey, NoSuchVersion, MethodNotAllowed (a delete marker asked for by its id)."""
    row = find_row(store, bucket, key, version)
    if row is None:
        if version is not None:
            raise errors.NoSuchVersion(key=key, version=version)
        raise errors.NoSuchKey(key=key, delete_marker_version=_newest_marker(store, bucket, key))
    if row.flags & Entry.MARKER:
        raise errors.MethodNotAllowed(key=key, delete_marker_version=row.version, mtime_ms=row.mtime_ms)
    return row


def _newest_marker(store: Store, bucket: BucketInfo, key: bytes) -> bytes | None:
    if not bucket.versioning:
        return None
    rows = store.index.scan(VERSIONS, (bucket.bucket_id, key), (bucket.bucket_id, key + b"\0"), limit=1)
    return rows[0].version if rows and rows[0].flags & Entry.MARKER else None


async def _followed(
    store: Store, bucket: BucketInfo, key: bytes, version: bytes | None, read: Callable[[Row], Awaitable[T]]
) -> T:
    """Look up and read; look up again when the record moved in between (R3)."""
    for _ in range(limits.MOVED_RETRIES):
        row = find(store, bucket, key, version)
        try:
            return await read(row)
        except Vanished:
            again = find_row(store, bucket, key, version)
            if again is not None and location(again) == location(row):
                raise errors.Damaged("the record is on no present drive") from None
    raise errors.Busy("the object keeps moving")


def info_of(meta: ObjectMeta, bucket: BucketInfo, parts_count: int = 0) -> ObjectInfo:
    return ObjectInfo(
        meta.key, meta.version, meta.mtime_ms, meta.size, meta.etag, meta.owner, meta.headers, meta.user, meta.tags,
        meta.checksum, parts_count, bucket.versioning != 0,
    )  # fmt: skip


def _parts_count(meta: ObjectMeta) -> int:
    return sum(last - first + 1 for first, last in meta.parts)


async def head(
    store: Store,
    bucket: BucketInfo,
    key: bytes,
    *,
    version: bytes | None = None,
    condition: ReadCondition = _NO_CONDITION,
) -> ObjectInfo:
    """The version's description, from a verified record (R3)."""

    async def read(row: Row) -> ObjectInfo:
        check_read(condition, row.etag, row.mtime_ms)
        meta = _meta_of(row, await read_meta(store, location(row)))
        return info_of(meta, bucket, _parts_count(meta))

    return await _followed(store, bucket, key, version, read)


async def open_read(
    store: Store, bucket: BucketInfo, key: bytes, *, version: bytes | None = None, byte_range: ByteRange | None = None,
    condition: ReadCondition = _NO_CONDITION, part_number: int | None = None,
) -> ObjectRead:  # fmt: skip
    """Open for reading. The first bytes are verified before this returns when the body is in the record.

    Raises what `find` raises; NotModified, PreconditionFailed, InvalidRange, InvalidPart; Damaged, NotReady,
    ReadOnly."""

    async def read(row: Row) -> ObjectRead:
        check_read(condition, row.etag, row.mtime_ms)
        if row.flags & (Entry.BULK | Entry.PARTS):
            return await _open_large(store, bucket, row, byte_range, part_number)
        record = store.reader.read_now(location(row)) or await store.reader.read(location(row))
        return _open_small(_meta_of(row, record.meta), record, bucket, byte_range, part_number)

    return await _followed(store, bucket, key, version, read)


def _meta_of(row: Row, encoded: bytes) -> ObjectMeta:
    """The record's meta, which must be about what the row says: a row that points elsewhere serves nothing (R3)."""
    meta = _decode(encoded)
    if (meta.bucket_id, meta.key, meta.version) != (row.bucket_id, row.key, row.version):
        raise errors.Damaged("the record is not the object's that the index says")
    return meta


def _nothing() -> None:
    """There is no pin on a body that is already in memory."""


def _open_small(
    meta: ObjectMeta, record: RecordRead, bucket: BucketInfo, byte_range: ByteRange | None, part_number: int | None
) -> ObjectRead:
    body = record.body or b""
    if len(body) != meta.size:
        raise errors.Damaged("the record's body has not the size its metadata says")
    start, stop = 0, meta.size
    if byte_range is not None:
        start, stop = resolve_range(byte_range, meta.size)
        body = body[start:stop]
    if part_number is not None and part_number != 1:
        raise errors.InvalidPart(part_number=part_number)
    return ObjectRead(info_of(meta, bucket), start, stop, body, _nothing, 0)


async def _open_large(
    store: Store, bucket: BucketInfo, row: Row, byte_range: ByteRange | None, part_number: int | None
) -> ObjectRead:
    meta = _meta_of(row, await read_meta(store, location(row)))
    start, stop = 0, meta.size
    if byte_range is not None:
        start, stop = resolve_range(byte_range, meta.size)
    if part_number is not None:
        start, stop = _part_range(store, meta, part_number)
    if meta.placement == Placement.PARTS:
        opened = await bodies.open_parts(store, meta, start, stop)
    else:
        opened = bodies.OpenBody([bodies.Piece(0, meta.size, location(row), meta.placement, meta.chunks)], [])
        bodies.hold(store, meta.chunks, opened.pins)
    again = find_row(store, bucket, meta.key, meta.version)
    # it moved before the pins were set: its old segments may be gone
    if again is None or location(again) != location(row):
        opened.close()
        raise Vanished("the object moved")
    info = info_of(meta, bucket, _parts_count(meta))
    return ObjectRead(info, start, stop, bodies.stream(store, opened, start, stop), opened.close, _parts_count(meta))


def _part_range(store: Store, meta: ObjectMeta, part_number: int) -> tuple[int, int]:
    if meta.placement != Placement.PARTS:
        if part_number != 1:
            raise errors.InvalidPart(part_number=part_number)
        return 0, meta.size
    for start, row in bodies.placed_parts(store, meta.body_id):
        if row.part_number == part_number:
            return start, start + row.size
    raise errors.InvalidPart(part_number=part_number)


async def parts(
    store: Store, bucket: BucketInfo, key: bytes, *, version: bytes | None, after: int, limit: int
) -> tuple[ObjectInfo, list[PartInfo], bool]:
    """(object, up to `limit` of its parts with a number above `after`, whether there are more)."""

    async def read(row: Row) -> tuple[ObjectInfo, list[PartInfo], bool]:
        meta = _meta_of(row, await read_meta(store, location(row)))
        info = info_of(meta, bucket, _parts_count(meta))
        if meta.placement != Placement.PARTS:
            return info, [], False
        span = ((meta.body_id, after + 1), (meta.body_id, limits.MAX_PART_NUMBER + 1))
        rows = store.index.scan(PARTS, *span, limit=limit + 1)
        return (
            info,
            [part_info(r.part_number, r.size, r.etag, r.mtime_ms, r.checksum) for r in rows[:limit]],
            len(rows) > limit,
        )

    return await _followed(store, bucket, key, version, read)


def part_info(number: int, size: int, etag: str, mtime_ms: int, checksum: str) -> PartInfo:
    algorithm, _, value = checksum.partition(":")
    return PartInfo(number, size, etag, mtime_ms, Checksum(algorithm, value) if algorithm else None)


# --- deleting and changing --------------------------------------------------------------------------------------------


async def delete(
    store: Store,
    bucket: BucketInfo,
    account: Account,
    key: bytes,
    *,
    version: bytes | None = None,
    condition: Condition | None = None,
) -> Deleted:
    """Remove the key (or make a delete marker), or exactly one version. What is not there is deleted with success."""
    command_id = new_id()
    for _ in range(limits.STALE_RETRIES):
        command = Delete(
            command_id,
            bucket.name,
            bucket.bucket_id,
            bucket.generation,
            key,
            version,
            account.account_id,
            clock.now_ms(),
            condition,
        )
        try:
            reply: Ok = await store.journal.submit(command)
        except errors.Stale:
            bucket = fresh_bucket(store, bucket)
            continue
        if version is not None:
            return Deleted(key, version, reply.marker, versioned=True)
        made = reply.marker or reply.sequence != 0  # else there was nothing, and there is no version to name
        return Deleted(key, reply.version, reply.marker, versioned=made and bucket.versioning != 0)
    raise errors.OperationAborted(key=key.decode(errors="replace"))


async def set_tags(
    store: Store, bucket: BucketInfo, key: bytes, version: bytes | None, tags: list[tuple[str, str]]
) -> ObjectInfo:
    """The same version with other tags: its record is written again, its order and identity unchanged (MOVED)."""
    for _ in range(limits.MOVED_RETRIES):

        async def change(row: Row) -> ObjectInfo:
            inline = not row.flags & (Entry.BULK | Entry.PARTS)
            record = await (store.reader.read if inline else store.reader.meta)(location(row))
            order = row.order if hasattr(row, "order") else -row.neg_order
            meta = msgspec.structs.replace(_meta_of(row, record.meta), tags=tags, order=order)
            await store.journal.submit(
                Rewrite(new_id(), Type.OBJECT, codec.encode(meta), _again(store, record), location(row))
            )
            return info_of(meta, bucket)

        try:
            return await _followed(store, bucket, key, version, change)
        except errors.OperationAborted:
            continue
    raise errors.OperationAborted(key=key.decode(errors="replace"))


def _again(store: Store, record: RecordRead) -> Body:
    """The inline body of a record as it is to be appended again; its placement does not change."""
    if not record.body:
        return Body()
    if not record.header.k:
        return Body([record.body], [crc32c(record.body)], len(record.body))
    fragments = store.codec.encode(record.body)
    return Body(fragments, list(map(crc32c, fragments)), len(record.body), store.profile.k, store.profile.m)
