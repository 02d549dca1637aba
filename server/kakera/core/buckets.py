"""Buckets: a name bound to an id (R13). Every change is a SETTINGS record; a change is accepted only at the generation
it was read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from kakera.base import clock, errors, limits
from kakera.base.ids import new_id
from kakera.core import store as stores
from kakera.core.store import Store
from kakera.core.values import Account, BucketInfo
from kakera.index.tables import BUCKETS, ENTRIES, UPLOADS, VERSIONS
from kakera.journal import codec
from kakera.journal.commands import Abort, Ok, PutSettings
from kakera.journal.records import SettingsMeta

get = stores.get_bucket


async def create(store: Store, account: Account, name: str, *, region: str = "") -> BucketInfo:
    """Raises BucketOwnedByYou, BucketExists, TooManyBuckets."""
    if len(list_owned(store, account)) >= limits.MAX_BUCKETS_PER_ACCOUNT:
        raise errors.TooManyBuckets(maximum=limits.MAX_BUCKETS_PER_ACCOUNT)
    meta = SettingsMeta(name, 0, account.account_id, clock.now_ms(), alive=True, region=region)
    reply = await store.journal.submit(PutSettings(new_id(), 0, codec.encode(meta)))
    return BucketInfo(name, reply.value, meta.owner, meta.created_ms, region, 0, reply.sequence, b"")


def list_owned(store: Store, account: Account) -> list[BucketInfo]:
    """The account's buckets by name."""
    if store.journal.state.mode != "ready":
        stores.check_readable(store, 0, None)
    owned: list[BucketInfo] = []
    low: tuple[str, ...] = ("",)
    while page := store.index.scan(BUCKETS, low, None, limit=limits.MAX_LIST_KEYS):
        owned += [stores.bucket_info(row) for row in page if row.owner == account.account_id]
        low = (page[-1].name + "\0",)
    return owned


async def delete(store: Store, bucket: BucketInfo) -> None:
    """Raises BucketNotEmpty. Uploads that are still open are aborted first, as S3 does; a bucket with objects keeps
    them.
    """

    async def end(bucket: BucketInfo) -> Ok:
        try:
            return await _change(store, bucket, alive=False)
        except errors.BucketNotEmpty:
            if not await _abort_uploads(store, bucket):
                raise
        return await _change(store, bucket, alive=False)

    await _settled(store, bucket, end)


async def _abort_uploads(store: Store, bucket: BucketInfo) -> bool:
    """True when there were uploads and nothing else kept the bucket."""
    low, high = (bucket.bucket_id,), (bucket.bucket_id + 1,)
    if store.index.scan(ENTRIES, low, high, limit=1):
        return False
    if store.index.scan(VERSIONS, low, high, limit=1):
        return False
    aborted = False
    while uploads := store.index.scan(UPLOADS, low, high, limit=limits.MAX_LIST_KEYS):
        for row in uploads:
            try:
                await store.journal.submit(Abort(new_id(), bucket.name, bucket.bucket_id, row.key, row.upload_id))
            except errors.NoSuchUpload:
                continue
            aborted = True
    return aborted


async def set_versioning(store: Store, bucket: BucketInfo, state: int) -> None:
    """state: 1 enabled, 2 suspended; it never goes back to 0."""
    await _settled(store, bucket, lambda now: _change(store, now, versioning=state))


async def _change(store: Store, bucket: BucketInfo, *, alive: bool = True, versioning: int | None = None) -> Ok:
    meta = SettingsMeta(
        bucket.name, bucket.bucket_id, bucket.owner, bucket.created_ms, alive,
        bucket.versioning if versioning is None else versioning, bucket.region, bucket.settings,
    )  # fmt: skip
    return await store.journal.submit(PutSettings(new_id(), bucket.generation, codec.encode(meta)))


async def _settled(store: Store, bucket: BucketInfo, change: Callable[[BucketInfo], Awaitable[Ok]]) -> Ok:
    """Try again with fresh settings when they changed in between (R6)."""
    for _ in range(limits.STALE_RETRIES):
        try:
            return await change(bucket)
        except errors.Stale:
            bucket = stores.fresh_bucket(store, bucket)
    raise errors.OperationAborted(bucket=bucket.name)
