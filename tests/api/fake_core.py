"""A store in memory that keeps the promises of `kakera.core` the dialect relies on: versions, markers, conditions,
multipart.

It is a fake, not a mock: it holds state and refuses what the real store refuses. `break_with` makes the next call of
an operation raise, to see what the dialect tells a client of a failure.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

import msgspec

from kakera.base import errors, limits
from kakera.base.ids import new_id
from kakera.core.conditions import check_read, resolve_range
from kakera.core.copying import Source, Target
from kakera.core.values import (
    Account,
    BodySource,
    BucketInfo,
    ByteRange,
    Combined,
    CompletePart,
    Condition,
    Deleted,
    Digests,
    NewObject,
    ObjectInfo,
    ObjectRead,
    PartInfo,
    PartPage,
    ReadCondition,
    Stored,
    UploadInfo,
    UploadPage,
)
from kakera.dialects.s3.checksums import compute, encode
from kakera.dialects.s3.core_api import Core
from kakera.index.tables import PartRow
from kakera.journal.records import Checksum
from tests.api.fake_listing import FakeListing, grouped

PIECE_BYTES = 64 * limits.KIB


@dataclass
class Version:
    info: ObjectInfo
    data: bytes
    marker: bool = False
    parts: list[tuple[PartInfo, int]] = field(default_factory=list)  # with the offset each starts at


@dataclass
class Upload:
    info: UploadInfo
    new: NewObject
    parts: dict[int, tuple[PartRow, bytes]] = field(default_factory=dict)


@dataclass
class Bucket:
    info: BucketInfo
    keys: dict[bytes, list[Version]] = field(default_factory=dict)  # newest first
    uploads: dict[bytes, Upload] = field(default_factory=dict)
    completed: dict[bytes, Stored] = field(default_factory=dict)


class FakeStore:
    """`index` is what the listing reads. open_reads counts reads whose pins are still held. now_ms may be set."""

    def __init__(self) -> None:
        self.buckets: dict[str, Bucket] = {}
        self.open_reads = 0
        self.breaks: dict[str, Exception] = {}
        self.ids = count(1)
        self.now_ms: Callable[[], int] = lambda: 1_700_000_000_123
        self.stream_above = PIECE_BYTES

    @property
    def index(self) -> FakeStore:
        return self

    def by_id(self, bucket_id: int) -> Bucket:
        return next(bucket for bucket in self.buckets.values() if bucket.info.bucket_id == bucket_id)

    def break_with(self, operation: str, error: Exception) -> None:
        self.breaks[operation] = error

    def hit(self, operation: str) -> None:
        if operation in self.breaks:
            raise self.breaks.pop(operation)


async def drain(body: BodySource) -> tuple[bytes, Digests]:
    pieces = []
    while piece := await body.read():
        pieces.append(bytes(piece))
    data = b"".join(pieces)
    digests = body.digests()
    assert len(data) == digests.size_bytes == body.declared_bytes
    return data, digests


class FakeBuckets:
    async def create(self, store: FakeStore, account: Account, name: str, *, region: str) -> BucketInfo:
        found = store.buckets.get(name)
        if found is not None:
            same = found.info.owner == account.account_id
            raise errors.BucketOwnedByYou() if same else errors.BucketExists()
        info = BucketInfo(name, next(store.ids), account.account_id, store.now_ms(), region, 0, 1, b"")
        store.buckets[name] = Bucket(info)
        return info

    def get(self, store: FakeStore, name: str) -> BucketInfo:
        store.hit("get_bucket")
        if name not in store.buckets:
            raise errors.NoSuchBucket(bucket=name)
        return store.buckets[name].info

    def list_owned(self, store: FakeStore, account: Account) -> list[BucketInfo]:
        return sorted(
            (b.info for b in store.buckets.values() if b.info.owner == account.account_id), key=lambda info: info.name
        )

    async def delete(self, store: FakeStore, bucket: BucketInfo) -> None:
        if store.buckets[bucket.name].keys:
            raise errors.BucketNotEmpty()
        del store.buckets[bucket.name]

    async def set_versioning(self, store: FakeStore, bucket: BucketInfo, state: int) -> None:
        held = store.buckets[bucket.name]
        held.info = msgspec.structs.replace(held.info, versioning=state)


def check_write(condition: Condition | None, newest: Version | None, *, deleting: bool = False) -> None:
    """R6 in short. newest: the version the condition is about, None when there is none."""
    if condition is None:
        return
    current = None if newest is None or newest.marker else newest.info
    marker = newest.info.version if newest is not None and newest.marker else None
    if current is None:
        if deleting:
            if marker is not None and "*" not in (condition.if_match or ()):
                raise errors.PreconditionFailed(condition="if_match")
        elif condition.if_match is not None:
            raise errors.NoSuchKey(delete_marker_version=marker)
        return
    if condition.if_match is not None and "*" not in condition.if_match and current.etag not in condition.if_match:
        raise errors.PreconditionFailed(condition="if_match")
    none_match = condition.if_none_match
    if none_match is not None and ("*" in none_match or current.etag in none_match):
        raise errors.PreconditionFailed(condition="if_none_match")
    if condition.size is not None and condition.size != current.size:
        raise errors.PreconditionFailed(condition="if_match")
    if condition.mtime_ms is not None and condition.mtime_ms // 1000 != current.mtime_ms // 1000:
        raise errors.PreconditionFailed(condition="if_match")


class FakeObjects:
    def _find(self, store: FakeStore, bucket: BucketInfo, key: bytes, version: bytes | None) -> Version:
        found = store.by_id(bucket.bucket_id).keys.get(key, [])
        if version is None:
            if not found:
                raise errors.NoSuchKey(key=key, delete_marker_version=None)
            if found[0].marker:
                raise errors.NoSuchKey(key=key, delete_marker_version=found[0].info.version)
            return found[0]
        for candidate in found:
            if candidate.info.version == version:
                if candidate.marker:
                    raise errors.MethodNotAllowed(
                        key=key, delete_marker_version=version, mtime_ms=candidate.info.mtime_ms
                    )
                return candidate
        raise errors.NoSuchVersion(key=key, version=version)

    def add(self, store: FakeStore, bucket: BucketInfo, made: Version) -> None:
        versions = store.by_id(bucket.bucket_id).keys.setdefault(made.info.key, [])
        if made.info.version == b"":
            versions[:] = [v for v in versions if v.info.version != b""]
        versions.insert(0, made)

    def newest(self, store: FakeStore, bucket: BucketInfo, key: bytes) -> Version | None:
        found = store.by_id(bucket.bucket_id).keys.get(key)
        return found[0] if found else None

    async def put(
        self, store: FakeStore, bucket: BucketInfo, owner: Account, new: NewObject, body: BodySource, *,
        condition: Condition | None = None,
    ) -> Stored:  # fmt: skip
        data, digests = await drain(body)
        store.hit("put")
        check_write(condition, self.newest(store, bucket, new.key))
        return self.store(store, bucket, owner.account_id, new, data, etag=digests.md5.hex(), checksum=digests.checksum)

    def store(
        self, store: FakeStore, bucket: BucketInfo, owner: str, new: NewObject, data: bytes, *, etag: str,
        checksum: Checksum | None, parts: list[tuple[PartInfo, int]] | None = None,
    ) -> Stored:  # fmt: skip
        bucket = store.by_id(bucket.bucket_id).info
        version = new_id() if bucket.versioning == 1 else b""
        info = ObjectInfo(
            new.key, version, store.now_ms(), len(data), etag, owner, new.headers, new.user, new.tags, checksum,
            len(parts or ()), bucket.versioning != 0,
        )  # fmt: skip
        self.add(store, bucket, Version(info, data, parts=parts or []))
        return Stored(etag, version, bucket.versioning != 0, len(data), info.mtime_ms, checksum)

    def _shown(self, bucket: BucketInfo, found: Version) -> ObjectInfo:
        return msgspec.structs.replace(found.info, versioned=bucket.versioning != 0)

    async def open_read(
        self, store: FakeStore, bucket: BucketInfo, key: bytes, *, version: bytes | None = None,
        byte_range: ByteRange | None = None, condition: ReadCondition = ReadCondition(), part_number: int | None = None,  # noqa: B008
    ) -> ObjectRead:  # fmt: skip
        store.hit("open_read")
        found = self._find(store, bucket, key, version)
        info = self._shown(bucket, found)
        check_read(condition, info.etag, info.mtime_ms)
        start, stop = 0, info.size
        if byte_range is not None:
            start, stop = resolve_range(byte_range, info.size)
        if part_number is not None:
            if found.parts:
                spans = [
                    (offset, offset + part.size) for part, offset in found.parts if part.part_number == part_number
                ]
                if not spans:
                    raise errors.InvalidPart(part_number=part_number)
                start, stop = spans[0]
            elif part_number != 1:
                raise errors.InvalidPart(part_number=part_number)
        data = found.data[start:stop]
        store.open_reads += 1

        def close() -> None:
            store.open_reads -= 1

        if len(data) > store.stream_above:
            return ObjectRead(info, start, stop, _pieces(store, data), close, info.parts_count)
        return ObjectRead(info, start, stop, data, close, info.parts_count)

    async def head(
        self, store: FakeStore, bucket: BucketInfo, key: bytes, *, version: bytes | None = None,
        condition: ReadCondition = ReadCondition(),  # noqa: B008
    ) -> ObjectInfo:  # fmt: skip
        store.hit("head")
        found = self._find(store, bucket, key, version)
        check_read(condition, found.info.etag, found.info.mtime_ms)
        return self._shown(bucket, found)

    async def delete(
        self, store: FakeStore, bucket: BucketInfo, account: Account, key: bytes, *, version: bytes | None = None,
        condition: Condition | None = None,
    ) -> Deleted:  # fmt: skip
        store.hit("delete")
        keys = store.by_id(bucket.bucket_id).keys
        found = keys.get(key, [])
        versioned = bucket.versioning != 0
        if version is not None:
            target = next((v for v in found if v.info.version == version), None)
            if target is None:
                return Deleted(key, version, marker=False, versioned=versioned)
            check_write(condition, target, deleting=True)
            found.remove(target)
            if not found:
                del keys[key]
            return Deleted(key, version, marker=target.marker, versioned=versioned)
        check_write(condition, found[0] if found else None, deleting=True)
        gone = not found or found[0].marker
        if gone and condition is not None and condition.if_match is not None:
            return Deleted(key, b"", marker=False, versioned=False)
        if not versioned:
            keys.pop(key, None)
            return Deleted(key, b"", marker=False, versioned=False)
        made = new_id() if bucket.versioning == 1 else b""
        info = ObjectInfo(key, made, store.now_ms(), 0, "", account.account_id, {}, {}, [], None, 0, True)
        self.add(store, bucket, Version(info, b"", marker=True))
        return Deleted(key, made, marker=True, versioned=True)

    async def copy(
        self, store: FakeStore, source: Source, bucket: BucketInfo, owner: Account, new: NewObject, *,
        keep_metadata: bool, keep_tags: bool, condition: Condition | None = None, checksum_algorithm: str = "",
    ) -> Stored:  # fmt: skip
        found = self._find(store, source.bucket, source.key, source.version)
        info = found.info
        try:
            check_read(source.condition, info.etag, info.mtime_ms)
        except errors.NotModified:
            raise errors.PreconditionFailed(condition="if_none_match") from None
        check_write(condition, self.newest(store, bucket, new.key))
        made = NewObject(
            new.key,
            dict(info.headers) if keep_metadata else new.headers,
            dict(info.user) if keep_metadata else new.user,
            list(info.tags) if keep_tags else new.tags,
        )
        checksum = _checksum(checksum_algorithm, found.data) or info.checksum
        return self.store(
            store,
            bucket,
            owner.account_id,
            made,
            found.data,
            etag=hashlib.md5(found.data).hexdigest(),
            checksum=checksum,
        )

    async def set_tags(
        self, store: FakeStore, bucket: BucketInfo, key: bytes, version: bytes | None, tags: list[tuple[str, str]]
    ) -> ObjectInfo:
        found = self._find(store, bucket, key, version)
        found.info = msgspec.structs.replace(found.info, tags=tags)
        return self._shown(bucket, found)

    async def parts(
        self, store: FakeStore, bucket: BucketInfo, key: bytes, *, version: bytes | None, after: int, limit: int
    ) -> tuple[ObjectInfo, list[PartInfo], bool]:
        found = self._find(store, bucket, key, version)
        rest = [part for part, _ in found.parts if part.part_number > after]
        return self._shown(bucket, found), rest[:limit], len(rest) > limit


async def _pieces(store: FakeStore, data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), PIECE_BYTES):
        store.hit("piece")
        yield data[start : start + PIECE_BYTES]


def _checksum(algorithm: str, data: bytes) -> Checksum | None:
    return Checksum(algorithm, encode(compute(algorithm, data))) if algorithm else None


class FakeMultipart:
    def __init__(self, objects: FakeObjects) -> None:
        self._objects = objects

    def _upload(self, store: FakeStore, bucket: BucketInfo, key: bytes, upload_id: bytes) -> Upload:
        found = store.by_id(bucket.bucket_id).uploads.get(upload_id)
        if found is None or found.info.key != key:
            raise errors.NoSuchUpload(upload_id=upload_id.hex())
        return found

    async def create(
        self, store: FakeStore, bucket: BucketInfo, owner: Account, new: NewObject, *, checksum_algorithm: str = "",
        checksum_kind: str = "",
    ) -> UploadInfo:  # fmt: skip
        info = UploadInfo(new.key, new_id(), store.now_ms(), owner.account_id, checksum_algorithm, checksum_kind)
        store.by_id(bucket.bucket_id).uploads[info.upload_id] = Upload(info, new)
        return info

    async def get(self, store: FakeStore, bucket: BucketInfo, key: bytes, upload_id: bytes) -> UploadInfo:
        return self._upload(store, bucket, key, upload_id).info

    async def put_part(
        self, store: FakeStore, bucket: BucketInfo, key: bytes, upload_id: bytes, number: int, *, body: BodySource
    ) -> PartInfo:
        upload = self._upload(store, bucket, key, upload_id)
        data, digests = await drain(body)
        return self._keep(store, upload, number, data, digests.checksum)

    def _keep(self, store: FakeStore, upload: Upload, number: int, data: bytes, checksum: Checksum | None) -> PartInfo:
        etag = hashlib.md5(data).hexdigest()
        text = f"{checksum.algorithm}:{checksum.value}" if checksum else ""
        row = PartRow(upload.info.upload_id, number, new_id(), len(data), etag, store.now_ms(), False, text, 0, 0, 0)
        upload.parts[number] = (row, data)
        return PartInfo(number, len(data), etag, row.mtime_ms, checksum)

    async def copy_part(self, store: FakeStore, source: Source, target: Target) -> PartInfo:
        upload = self._upload(store, target.bucket, target.key, target.upload_id)
        found = self._objects._find(store, source.bucket, source.key, source.version)
        check_read(source.condition, found.info.etag, found.info.mtime_ms)
        data = found.data
        if source.byte_range is not None:
            last = source.byte_range.last
            if last is None or last >= len(data):
                raise errors.InvalidRange(size_bytes=len(data))
            start, stop = resolve_range(source.byte_range, len(data))
            data = data[start:stop]
        return self._keep(store, upload, target.number, data, _checksum(upload.info.checksum_algorithm, data))

    async def list_parts(
        self, store: FakeStore, bucket: BucketInfo, key: bytes, upload_id: bytes, *, after: int, limit: int
    ) -> PartPage:
        upload = self._upload(store, bucket, key, upload_id)
        rows = [upload.parts[number][0] for number in sorted(upload.parts) if number > after]
        more = len(rows) > limit
        page = [part_info(row) for row in rows[:limit]]
        return PartPage(upload.info, page, more, page[-1].part_number if more and page else None)

    async def list_uploads(
        self, store: FakeStore, bucket: BucketInfo, *, prefix: bytes, delimiter: bytes, key_marker: bytes,
        upload_marker: bytes, limit: int,
    ) -> UploadPage:  # fmt: skip
        found = sorted(
            (u.info for u in store.by_id(bucket.bucket_id).uploads.values()),
            key=lambda info: (info.key, info.upload_id),
        )
        uploads: list[UploadInfo] = []
        prefixes: list[bytes] = []
        for info in found:
            passed = (
                (info.key, info.upload_id) <= (key_marker, upload_marker) if upload_marker else info.key <= key_marker
            )
            if not info.key.startswith(prefix) or (key_marker and passed):
                continue
            group = grouped(info.key, prefix, delimiter)
            if group is not None and (group in prefixes or group <= key_marker):
                continue
            if len(uploads) + len(prefixes) == limit:
                last = uploads[-1] if uploads else None
                if last is None or (prefixes and prefixes[-1] > last.key):
                    return UploadPage(uploads, prefixes, True, prefixes[-1], None)
                return UploadPage(uploads, prefixes, True, last.key, last.upload_id)
            if group is not None:
                prefixes.append(group)
            else:
                uploads.append(info)
        return UploadPage(uploads, prefixes, False)

    async def parts_for(
        self, store: FakeStore, bucket: BucketInfo, key: bytes, upload_id: bytes, wanted: Sequence[CompletePart]
    ) -> list[PartRow]:
        if upload_id in store.by_id(bucket.bucket_id).completed:
            return []
        upload = self._upload(store, bucket, key, upload_id)
        from kakera.core.multipart import choose  # only here: it brings the whole core

        return choose([row for row, _ in upload.parts.values()], wanted)

    async def complete(
        self, store: FakeStore, bucket: BucketInfo, key: bytes, upload_id: bytes, chosen: Sequence[PartRow], *,
        combined: Combined, condition: Condition | None = None,
    ) -> Stored:  # fmt: skip
        held = store.by_id(bucket.bucket_id)
        if not chosen:
            return msgspec.structs.replace(held.completed[upload_id], checksum=None)
        upload = self._upload(store, bucket, key, upload_id)
        check_write(condition, self._objects.newest(store, bucket, key))
        data = b""
        parts = []
        for row in chosen:
            parts.append((part_info(row), len(data)))
            data += upload.parts[row.part_number][1]
        stored = self._objects.store(
            store,
            bucket,
            upload.info.owner,
            upload.new,
            data,
            etag=combined.etag,
            checksum=combined.checksum,
            parts=parts,
        )
        held.completed[upload_id] = stored
        del held.uploads[upload_id]
        return stored

    async def abort(self, store: FakeStore, bucket: BucketInfo, key: bytes, upload_id: bytes) -> None:
        self._upload(store, bucket, key, upload_id)
        del store.by_id(bucket.bucket_id).uploads[upload_id]


def part_info(row: PartRow) -> PartInfo:
    algorithm, _, value = row.checksum.partition(":")
    checksum = Checksum(algorithm, value) if algorithm else None
    return PartInfo(row.part_number, row.size, row.etag, row.mtime_ms, checksum)


def fake_core() -> Core:
    objects = FakeObjects()
    return Core(FakeBuckets(), objects, FakeMultipart(objects), FakeListing(), lambda store, bucket, key: None)
