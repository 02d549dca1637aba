"""Multipart uploads: UPLOAD and PART records; Complete makes an OBJECT that names the parts, so that no record grows
with the object.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from kakera.base import clock, errors, limits
from kakera.base.ids import NULL_VERSION, new_id
from kakera.core import bodies, listing, objects
from kakera.core.copying import Source, SourceBody, Target
from kakera.core.objects import part_info
from kakera.core.store import Store, check_readable, fresh_bucket, read_meta
from kakera.core.values import (
    Account,
    BodySource,
    BucketInfo,
    Combined,
    CompletePart,
    Condition,
    NewObject,
    PartInfo,
    PartPage,
    Stored,
    UploadInfo,
    UploadPage,
)  # fmt: skip
from kakera.index.interface import still
from kakera.index.tables import COMPLETED, PARTS, UPLOADS, CompletedRow, Location, PartRow, UploadRow
from kakera.journal import codec
from kakera.journal.commands import Abort, Complete, CreateUpload, Ok, PutPart
from kakera.journal.multipart_ids import complete_id
from kakera.journal.records import ObjectMeta, PartMeta, Placement, UploadMeta
from kakera.segments.reader import Vanished
from kakera.segments.record import Type


async def create(
    store: Store,
    bucket: BucketInfo,
    owner: Account,
    new: NewObject,
    *,
    checksum_algorithm: str = "",
    checksum_kind: str = "",
) -> UploadInfo:
    """Open an upload. Its id is the version id that Complete will give (R16)."""
    upload_id = new_id()
    meta = UploadMeta(
        bucket.bucket_id, new.key, upload_id, clock.now_ms(), owner.account_id, new.headers, new.user, new.tags,
        checksum_algorithm, checksum_kind,
    )  # fmt: skip
    await store.journal.submit(CreateUpload(upload_id, bucket.name, bucket.bucket_id, codec.encode(meta)))
    return UploadInfo(new.key, upload_id, meta.initiated_ms, meta.owner, checksum_algorithm, checksum_kind)


def _row(store: Store, bucket: BucketInfo, key: bytes, upload_id: bytes) -> UploadRow:
    if store.journal.state.mode != "ready":
        check_readable(store, bucket.bucket_id, key)
    row = store.index.get(UPLOADS, (bucket.bucket_id, key, upload_id))
    if row is None:
        raise errors.NoSuchUpload(upload_id=upload_id.hex())
    return row


async def get(store: Store, bucket: BucketInfo, key: bytes, upload_id: bytes) -> UploadInfo:
    """Raises NoSuchUpload."""
    meta = await _meta(store, bucket, key, upload_id)
    return UploadInfo(key, upload_id, meta.initiated_ms, meta.owner, meta.checksum_algorithm, meta.checksum_kind)


async def _meta(store: Store, bucket: BucketInfo, key: bytes, upload_id: bytes) -> UploadMeta:
    for _ in range(limits.MOVED_RETRIES):
        row = _row(store, bucket, key, upload_id)
        try:
            encoded = await read_meta(store, Location(row.segment, row.offset, row.length))
        except Vanished:
            continue
        meta: UploadMeta = codec.META[Type.UPLOAD].decode(encoded)
        return meta
    raise errors.Busy("the upload keeps moving")


async def put_part(
    store: Store, bucket: BucketInfo, key: bytes, upload_id: bytes, number: int, *, body: BodySource
) -> PartInfo:
    """Store (or replace) one part. Raises NoSuchUpload before and after the body was read, InvalidArgument for its
    number.
    """
    if not 1 <= number <= limits.MAX_PART_NUMBER:
        raise errors.InvalidArgument(argument="partNumber", value=number)
    _row(store, bucket, key, upload_id)
    part_id = new_id()
    try:
        placed = await bodies.take(store, part_id, body, maximum_bytes=limits.MAX_PUT_BYTES)
        digests = placed.digests
        meta = PartMeta(
            bucket.bucket_id, key, upload_id, number, part_id, clock.now_ms(), digests.size_bytes, digests.md5.hex(),
            placed.placement, digests.checksum, placed.chunks,
        )  # fmt: skip
        await store.journal.submit(PutPart(part_id, bucket.name, bucket.bucket_id, codec.encode(meta), placed.body))
    finally:
        store.bulk.release(part_id)
    return PartInfo(number, meta.size, meta.etag, meta.mtime_ms, meta.checksum)


async def copy_part(store: Store, source: Source, target: Target) -> PartInfo:
    """A part from a stored object, or a range of it. Raises as `objects.open_read` and `put_part`."""
    upload = await get(store, target.bucket, target.key, target.upload_id)
    read = await objects.open_source(store, source)
    algorithm = upload.checksum_algorithm
    body = SourceBody(read, algorithm, store.digest(algorithm) if algorithm else None)
    try:
        return await put_part(store, target.bucket, target.key, target.upload_id, target.number, body=body)
    finally:
        await body.close()


async def list_uploads(
    store: Store,
    bucket: BucketInfo,
    *,
    prefix: bytes,
    delimiter: bytes,
    key_marker: bytes,
    upload_marker: bytes,
    limit: int,
) -> UploadPage:
    """Open uploads by key, then by initiation."""
    check_readable(store, bucket.bucket_id, None)
    return listing.list_uploads(
        store.index, bucket.bucket_id, prefix=prefix, delimiter=delimiter, key_marker=key_marker,
        upload_marker=upload_marker, limit=limit,
    )  # fmt: skip


async def list_parts(
    store: Store, bucket: BucketInfo, key: bytes, upload_id: bytes, *, after: int, limit: int
) -> PartPage:
    """Parts with a number above `after`."""
    upload = await get(store, bucket, key, upload_id)
    rows = store.index.scan(PARTS, (upload_id, after + 1), (upload_id, limits.MAX_PART_NUMBER + 1), limit=limit + 1)
    parts = [part_info(r.part_number, r.size, r.etag, r.mtime_ms, r.checksum) for r in rows[:limit]]
    more = len(rows) > limit
    return PartPage(upload, parts, more, parts[-1].part_number if more and parts else None)


async def abort(store: Store, bucket: BucketInfo, key: bytes, upload_id: bytes) -> None:
    """Raises NoSuchUpload."""
    await store.journal.submit(Abort(new_id(), bucket.name, bucket.bucket_id, key, upload_id))


# --- complete ---------------------------------------------------------------------------------------------------------


def choose(rows: Sequence[PartRow], wanted: Sequence[CompletePart]) -> list[PartRow]:
    """The rows the client named, in its order. Pure. Raises InvalidPartOrder, InvalidPart, PartTooSmall."""
    if any(a.part_number >= b.part_number for a, b in pairwise(wanted)):
        raise errors.InvalidPartOrder()
    by_number = {row.part_number: row for row in rows}
    chosen: list[PartRow] = []
    for part in wanted:
        row = by_number.get(part.part_number)
        if row is None or part.etag != row.etag:
            raise errors.InvalidPart(part_number=part.part_number, etag=part.etag)
        algorithm, _, value = row.checksum.partition(":")
        given = part.checksums.get(algorithm)
        if part.checksums and (given is None or given != value):
            raise errors.InvalidPart(part_number=part.part_number, etag=part.etag)
        chosen.append(row)
    for row in chosen[:-1]:
        if row.size < limits.MIN_PART_BYTES:
            raise errors.PartTooSmall(
                part_number=row.part_number, size_bytes=row.size, minimum_bytes=limits.MIN_PART_BYTES, etag=row.etag
            )
    return chosen


def ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending numbers as inclusive runs. Pure."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


async def parts_for(
    store: Store, bucket: BucketInfo, key: bytes, upload_id: bytes, wanted: Sequence[CompletePart]
) -> list[PartRow]:
    """The chosen parts, checked; [] when this upload was completed before (its answer is remembered)."""
    with still(store.index):  # an upload that ends between two looks has no parts any more: that is no wrong part
        try:
            _row(store, bucket, key, upload_id)
        except errors.NoSuchUpload:
            _completed(store, bucket, key, upload_id)
            return []
        last = (upload_id, limits.MAX_PART_NUMBER + 1)
        rows = store.index.scan(PARTS, (upload_id,), last, limit=limits.MAX_PART_NUMBER)
    return choose(rows, wanted)


async def complete(
    store: Store, bucket: BucketInfo, key: bytes, upload_id: bytes, chosen: Sequence[PartRow], *, combined: Combined,
    condition: Condition | None = None,
) -> Stored:  # fmt: skip
    """Make the object of `chosen` (from `parts_for`). Repeated, also after a crash or a newer PUT, or by another at the
    same time, it answers as the first time: with that one's ETag, and checksum None where that is another object.
    """
    if not chosen:
        return _remembered(store, bucket, key, upload_id)
    size = sum(row.size for row in chosen)
    if size > limits.MAX_OBJECT_BYTES:
        raise errors.TooLarge(size_bytes=size, maximum_bytes=limits.MAX_OBJECT_BYTES)
    try:
        upload = await _meta(store, bucket, key, upload_id)
    except errors.NoSuchUpload:  # completed meanwhile by another request, or aborted
        return _remembered(store, bucket, key, upload_id)
    mtime_ms = clock.now_ms()
    for _ in range(limits.STALE_RETRIES):
        version = upload_id if bucket.versioning == 1 else NULL_VERSION
        meta = ObjectMeta(
            bucket.bucket_id, key, version, 0, mtime_ms, size, combined.etag, upload.owner, Placement.PARTS,
            upload.headers, upload.user, upload.tags, combined.checksum, upload_id, [], ranges([row.part_number for row
            in chosen]),
        )  # fmt: skip
        part_ids = [row.part_id for row in chosen]
        command = Complete(
            complete_id(upload_id),
            bucket.name,
            bucket.bucket_id,
            bucket.generation,
            codec.encode(meta),
            part_ids,
            condition,
        )
        try:
            reply: Ok = await store.journal.submit(command)
        except errors.Stale:
            fresh = fresh_bucket(store, bucket)
            if fresh.generation == bucket.generation:  # not the settings: a part was replaced while we chose
                raise errors.InvalidPart(upload_id=upload_id.hex()) from None
            bucket = fresh
            continue
        etag = reply.body.decode()
        checksum = combined.checksum if etag == combined.etag else None
        return Stored(etag, reply.version, bucket.versioning != 0, size, reply.value, checksum)
    raise errors.OperationAborted(key=key.decode(errors="replace"))


def _completed(store: Store, bucket: BucketInfo, key: bytes, upload_id: bytes) -> CompletedRow:
    """The upload's end, as long as it is remembered; NoSuchUpload also for an upload of another key."""
    row = store.index.get(COMPLETED, (upload_id,))
    if row is None or (row.bucket_id, row.key) != (bucket.bucket_id, key):
        raise errors.NoSuchUpload(upload_id=upload_id.hex())
    return row


def _remembered(store: Store, bucket: BucketInfo, key: bytes, upload_id: bytes) -> Stored:
    reply: Ok = codec.OK.decode(_completed(store, bucket, key, upload_id).reply)
    return Stored(reply.body.decode(), reply.version, bucket.versioning != 0, 0, reply.value, None)


__all__ = [
    "Account", "Combined", "abort", "choose", "complete", "copy_part", "create", "get", "list_parts", "list_uploads",
    "parts_for", "put_part", "ranges",
]  # fmt: skip
