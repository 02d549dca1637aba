"""What every operation of the core works with, and the few lookups they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from kakera.base import clock, errors, limits
from kakera.base.ids import new_id
from kakera.core.copying import Running
from kakera.core.values import BucketInfo
from kakera.index.interface import Rows, still
from kakera.index.tables import BUCKETS, ENTRIES, BucketRow, EntryRow, Location, VersionRow
from kakera.journal.client import JournalClient
from kakera.journal.commands import Body
from kakera.journal.decide import find_version
from kakera.journal.records import Placement
from kakera.segments.bulk import BulkWriter
from kakera.segments.codec import Codec
from kakera.segments.pins import Pins
from kakera.segments.reader import Reader
from kakera.segments.record import crc32c

Row = EntryRow | VersionRow


class Profile(NamedTuple):
    """How bodies are coded."""

    k: int
    m: int
    chunk_bytes: int


@dataclass(frozen=True, slots=True)
class Store:
    """The parts, wired by assemble."""

    index: Rows
    journal: JournalClient
    reader: Reader
    bulk: BulkWriter
    pins: Pins
    codec: Codec
    profile: Profile
    region: str
    # a new running digest of that algorithm; its implementations belong to the dialects
    digest: Callable[[str], Running]


def check_readable(store: Store, bucket_id: int, key: bytes | None) -> None:
    """Raises NotReady before the committer said that the index may be read and while too few drives are there, ReadOnly
    for what is undecided (R15). key None: a listing or the bucket itself."""
    state = store.journal.state
    if state.mode == "ready":
        return
    if not state.readable:
        raise errors.NotReady(state.reason)
    undecided = state.undecided
    if not undecided:
        return
    touched = (bucket_id, key) in undecided or (bucket_id, b"") in undecided or (0, b"") in undecided
    if touched or (key is None and any(bucket == bucket_id for bucket, _ in undecided)):
        raise errors.ReadOnly(
            "a change of this was under way when drives were lost: it can be answered when one returns"
        )


def bucket_info(row: BucketRow) -> BucketInfo:
    return BucketInfo(
        row.name, row.bucket_id, row.owner, row.created_ms, row.region, row.versioning, row.generation, row.settings
    )


def get_bucket(store: Store, name: str) -> BucketInfo:
    """Raises NoSuchBucket; NotReady or ReadOnly when it cannot be known."""
    if store.journal.state.mode != "ready":
        check_readable(store, 0, None)
    row = store.index.get(BUCKETS, (name,))
    if row is None:
        raise errors.NoSuchBucket(bucket=name)
    return bucket_info(row)


def fresh_bucket(store: Store, bucket: BucketInfo) -> BucketInfo:
    """The same bucket with its settings as they are now. Raises NoSuchBucket also when another has its name by now:
    whoever asked was not asked about that one (R13)."""
    fresh = get_bucket(store, bucket.name)
    if fresh.bucket_id != bucket.bucket_id:
        raise errors.NoSuchBucket(bucket=bucket.name)
    return fresh


def find_row(store: Store, bucket: BucketInfo, key: bytes, version: bytes | None) -> Row | None:
    """The row of the newest version (None when it is a marker or nothing), or of exactly `version`."""
    if store.journal.state.mode != "ready":
        check_readable(store, bucket.bucket_id, key)
    if version is None:
        return store.index.get(ENTRIES, (bucket.bucket_id, key))
    with still(store.index):  # the version may be on its way from one table to the other
        current = store.index.get(ENTRIES, (bucket.bucket_id, key))
        return find_version(store.index, current, bucket.bucket_id, key, version)


def location(row: Row) -> Location:
    return Location(row.segment, row.offset, row.length)


async def read_meta(store: Store, place: Location) -> bytes:
    """The meta of a record, at once when it is in memory. Raises Vanished, Damaged."""
    found = store.reader.meta_now(place) or await store.reader.meta(place)
    return found.meta


def inline_body(store: Store, data: bytes) -> tuple[int, Body]:
    """(placement, body) of a body that rides in the record: nothing, one piece, or k+m fragments, with crcs (R3)."""
    size = len(data)
    if size == 0:
        return Placement.NONE, Body()
    if size <= limits.REPLICATED_BODY_BYTES:
        return Placement.REPLICATED, Body([data], [crc32c(data)], size)
    fragments = store.codec.encode(data)
    return Placement.CODED, Body(fragments, list(map(crc32c, fragments)), size, store.profile.k, store.profile.m)


__all__ = [
    "Profile",
    "Store",
    "check_readable",
    "clock",
    "find_row",
    "fresh_bucket",
    "get_bucket",
    "inline_body",
    "location",
    "new_id",
]
