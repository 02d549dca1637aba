"""What this dialect asks of the store, as protocols: in production the modules of `kakera.core` themselves stand
behind them (a module is an object with functions), in tests a small store in memory. The meaning of each call is
documented at the core."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

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
    ListPage,
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
from kakera.index.tables import PartRow

Store = Any  # the core's own; this room only passes it on
NO_CONDITION = ReadCondition()


class Buckets(Protocol):
    async def create(self, store: Store, account: Account, name: str, *, region: str) -> BucketInfo: ...
    def get(self, store: Store, name: str) -> BucketInfo: ...
    def list_owned(self, store: Store, account: Account) -> list[BucketInfo]: ...
    async def delete(self, store: Store, bucket: BucketInfo) -> None: ...
    async def set_versioning(self, store: Store, bucket: BucketInfo, state: int) -> None: ...


class Objects(Protocol):
    async def put(
        self,
        store: Store,
        bucket: BucketInfo,
        owner: Account,
        new: NewObject,
        body: BodySource,
        *,
        condition: Condition | None = None,
    ) -> Stored: ...

    async def open_read(
        self,
        store: Store,
        bucket: BucketInfo,
        key: bytes,
        *,
        version: bytes | None = None,
        byte_range: ByteRange | None = None,
        condition: ReadCondition = NO_CONDITION,
        part_number: int | None = None,
    ) -> ObjectRead: ...

    async def head(
        self,
        store: Store,
        bucket: BucketInfo,
        key: bytes,
        *,
        version: bytes | None = None,
        condition: ReadCondition = NO_CONDITION,
    ) -> ObjectInfo: ...

    async def delete(
        self,
        store: Store,
        bucket: BucketInfo,
        account: Account,
        key: bytes,
        *,
        version: bytes | None = None,
        condition: Condition | None = None,
    ) -> Deleted: ...

    async def copy(
        self,
        store: Store,
        source: Source,
        bucket: BucketInfo,
        owner: Account,
        new: NewObject,
        *,
        keep_metadata: bool,
        keep_tags: bool,
        condition: Condition | None = None,
        checksum_algorithm: str = "",
    ) -> Stored: ...

    async def set_tags(
        self, store: Store, bucket: BucketInfo, key: bytes, version: bytes | None, tags: list[tuple[str, str]]
    ) -> ObjectInfo | None: ...

    async def parts(
        self, store: Store, bucket: BucketInfo, key: bytes, *, version: bytes | None, after: int, limit: int
    ) -> tuple[ObjectInfo, list[PartInfo], bool]: ...


class Multipart(Protocol):
    async def create(
        self,
        store: Store,
        bucket: BucketInfo,
        owner: Account,
        new: NewObject,
        *,
        checksum_algorithm: str = "",
        checksum_kind: str = "",
    ) -> UploadInfo: ...

    async def put_part(
        self, store: Store, bucket: BucketInfo, key: bytes, upload_id: bytes, number: int, *, body: BodySource
    ) -> PartInfo: ...

    async def copy_part(self, store: Store, source: Source, target: Target) -> PartInfo: ...

    async def list_parts(
        self, store: Store, bucket: BucketInfo, key: bytes, upload_id: bytes, *, after: int, limit: int
    ) -> PartPage: ...

    async def list_uploads(
        self,
        store: Store,
        bucket: BucketInfo,
        *,
        prefix: bytes,
        delimiter: bytes,
        key_marker: bytes,
        upload_marker: bytes,
        limit: int,
    ) -> UploadPage: ...

    async def get(self, store: Store, bucket: BucketInfo, key: bytes, upload_id: bytes) -> UploadInfo: ...

    async def parts_for(
        self, store: Store, bucket: BucketInfo, key: bytes, upload_id: bytes, wanted: Sequence[CompletePart]
    ) -> list[PartRow]: ...

    async def complete(
        self,
        store: Store,
        bucket: BucketInfo,
        key: bytes,
        upload_id: bytes,
        chosen: Sequence[PartRow],
        *,
        combined: Combined,
        condition: Condition | None = None,
    ) -> Stored: ...

    async def abort(self, store: Store, bucket: BucketInfo, key: bytes, upload_id: bytes) -> None: ...


class Listing(Protocol):
    def list_objects(
        self, rows: Any, bucket_id: int, *, prefix: bytes, delimiter: bytes, after: bytes, limit: int
    ) -> ListPage: ...

    def list_versions(
        self,
        rows: Any,
        bucket_id: int,
        *,
        prefix: bytes,
        delimiter: bytes,
        key_marker: bytes,
        version_marker: bytes | None,
        limit: int,
    ) -> ListPage: ...


class Core(NamedTuple):
    """The store's vocabulary. check_readable(store, bucket id, key): raises when that key, or with None the bucket's
    listing, cannot be answered now (R15)."""

    buckets: Buckets
    objects: Objects
    multipart: Multipart
    listing: Listing
    check_readable: Callable[[Store, int, bytes | None], None]


class Services(Protocol):
    """What `handle` needs, made by the composition root. keys: as s3.auth reads it; names: account id -> display name;
    now: wall clock in seconds; base_domains: those under which BUCKET.<domain> names a bucket, lower case."""

    @property
    def store(self) -> Store: ...
    @property
    def core(self) -> Core: ...
    @property
    def keys(self) -> Mapping[str, Any]: ...
    @property
    def names(self) -> Mapping[str, str]: ...
    @property
    def region(self) -> str: ...
    @property
    def base_domains(self) -> Sequence[str]: ...
    @property
    def refuses_changes(self) -> str:
        """What a client is told that asks for a change; "" where changes are taken."""
        ...

    def now(self) -> float: ...
