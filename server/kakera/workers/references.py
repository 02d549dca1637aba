"""Who refers to DATA in bulk: asked of the index, and of the record it points to. For compaction, heal, scrub, punching
and `doctor`.

What the index and the record do not agree on counts as referred to: nothing is given up for it (R4: a view may be
wrong, the journal is not).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kakera.base import errors, limits
from kakera.index.interface import Rows, still
from kakera.index.tables import BODIES, BUCKETS, ENTRIES, PARTS, BodyRow, EntryRow, Location, PartRow, VersionRow
from kakera.journal import codec
from kakera.journal.decide import find_version
from kakera.journal.records import ObjectMeta, PartMeta
from kakera.segments.drive import JOURNAL, Strand
from kakera.segments.fragments import Bad, read_head
from kakera.segments.map import SegmentMap
from kakera.segments.pins import Vanished
from kakera.segments.record import Type

if TYPE_CHECKING:
    from kakera.workers.context import Work

Place = tuple[int, int]  # bulk segment, offset of the DATA


@dataclass(frozen=True)
class Holder:
    """The record that holds a body in bulk, as it is now."""

    location: Location
    type: Type
    meta: ObjectMeta | PartMeta
    order: int  # of an OBJECT

    def holds(self, body_id: bytes) -> bool:
        held = self.meta.body_id if isinstance(self.meta, ObjectMeta) else self.meta.part_id
        return held == body_id


def _row_of(rows: Rows, body: BodyRow) -> EntryRow | VersionRow | PartRow | None:
    if body.upload_id:
        part = rows.get(PARTS, (body.upload_id, body.part_number))
        return part if part is not None and part.part_id == body.body_id else None
    current = rows.get(ENTRIES, (body.bucket_id, body.key))
    return find_version(rows, current, body.bucket_id, body.key, body.version)


def _look_up(rows: Rows, body_id: bytes) -> tuple[BodyRow | None, EntryRow | VersionRow | PartRow | None]:
    """From one commit: a version that moves between two tables would be missed, and its DATA taken for dead."""
    with still(rows):
        body = rows.get(BODIES, (body_id,))
        return body, _row_of(rows, body) if body is not None else None


def _place(row: EntryRow | VersionRow | PartRow) -> Location:
    return Location(row.segment, row.offset, row.length)


def _holder(row: EntryRow | VersionRow | PartRow, meta: bytes) -> Holder:
    kind = Type.PART if isinstance(row, PartRow) else Type.OBJECT
    order = 0 if isinstance(row, PartRow) else row.order if isinstance(row, EntryRow) else -row.neg_order
    return Holder(_place(row), kind, codec.META[kind].decode(meta), order)


async def holder_of(work: Work, body_id: bytes) -> Holder | None:
    """Who refers to the chunks of this body; None: nobody, or the index is not of one mind. Looked up again when it
    moves meanwhile (R3)."""
    for _ in range(limits.HOLDER_RETRIES):
        _, row = _look_up(work.rows(), body_id)
        if row is None:
            return None
        try:
            record = await work.reader.meta(_place(row))
        except Vanished:
            await asyncio.sleep(limits.INDEX_WATCH_S)
            continue
        holder = _holder(row, record.meta)
        return holder if holder.holds(body_id) else None
    raise errors.Busy("a record keeps moving")


def _chunks(holder: Holder | None) -> frozenset[Place] | None:
    if holder is None:
        return None
    return frozenset((chunk.segment, chunk.offset) for chunk in holder.meta.chunks)


class References:
    """segments.census.Refers for code that runs in a thread, through the event loop that owns the index. To be made on
    that loop; for one segment, since what it learned of a body is not asked again."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._known: dict[bytes, frozenset[Place] | None] = {}

    def __call__(self, body_id: bytes, segment: int, offset: int) -> bool:
        """Called in a thread."""
        if body_id not in self._known:
            if len(self._known) > limits.REFERENCES_CACHED:
                self._known.clear()
            self._known[body_id] = asyncio.run_coroutine_threadsafe(self._places(body_id), self._loop).result()
        places = self._known[body_id]
        return places is None or (segment, offset) in places

    async def _places(self, body_id: bytes) -> frozenset[Place] | None:
        """None: something refers to the body, and where its DATA lies cannot be told."""
        try:
            holder = await holder_of(self._work, body_id)
        except errors.Damaged:
            return None
        if holder is None and self._work.rows().get(BODIES, (body_id,)) is None:
            return frozenset()
        return _chunks(holder)


class DirectReferences:
    """The same for a command that has an index open and may block. `seen`: what it was asked of and is referred to."""

    def __init__(self, rows: Rows, segments: SegmentMap) -> None:
        self._rows = rows
        self._segments = segments
        self._known: dict[bytes, frozenset[Place] | None] = {}
        self.seen: set[Place] = set()

    def __call__(self, body_id: bytes, segment: int, offset: int) -> bool:
        places = self.places(body_id)
        if places is not None and (segment, offset) not in places:
            return False
        self.seen.add((segment, offset))
        return True

    def places(self, body_id: bytes) -> frozenset[Place] | None:
        """Where the DATA of a body lies; None: something refers to it, and where cannot be told."""
        if body_id not in self._known:
            if len(self._known) > limits.REFERENCES_CACHED:
                self._known.clear()
            self._known[body_id] = self._find(body_id)
        return self._known[body_id]

    def _find(self, body_id: bytes) -> frozenset[Place] | None:
        for _ in range(limits.HOLDER_RETRIES):
            body, row = _look_up(self._rows, body_id)
            if body is None:
                return frozenset()
            meta = self._meta(_place(row)) if row is not None else None
            if row is not None and meta is not None:
                holder = _holder(row, meta)
                return _chunks(holder) if holder.holds(body_id) else None
        return None

    def _meta(self, place: Location) -> bytes | None:
        """From any strand that has it whole."""
        for index, drive in self._segments.where(JOURNAL, place.segment).items():
            try:
                piece = read_head(drive, Strand(JOURNAL, place.segment), index, (place.offset, place.length))
            except (Bad, OSError):
                continue
            return piece.meta
        self._segments.forget(JOURNAL, place.segment)
        return None

    def forget(self) -> None:
        """Before the next segment: what was learned may have moved."""
        self._known.clear()
        self.seen.clear()


def bodies_in(rows: Rows, segment: int) -> Iterator[bytes]:
    """The ids of all bodies that have DATA in a bulk segment. Reads the whole table: for when something is lost."""
    low = b""
    while page := rows.scan(BODIES, (low,), None, limit=limits.MAX_LIST_KEYS):
        for body in page:
            if any(number == segment for number, _ in codec.SEGMENT_BYTES.decode(body.segments)):
                yield body.body_id
        low = page[-1].body_id + b"\0"


def names_of(rows: Rows, bodies: Sequence[bytes]) -> str:
    """What an operator calls the objects that these bodies belong to: bucket/key, and the version or part."""
    named = [_name_of(rows, body_id) for body_id in dict.fromkeys(bodies)]
    more = len(named) - limits.MAX_NAMES_TOLD
    return ", ".join(named[: limits.MAX_NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")


def _name_of(rows: Rows, body_id: bytes) -> str:
    body = rows.get(BODIES, (body_id,))
    if body is None:
        return f"body {body_id.hex()}"
    name = f"{_bucket_name(rows, body.bucket_id)}/{body.key.decode(errors='backslashreplace')}"
    if body.upload_id:
        return f"{name} (part {body.part_number} of upload {body.upload_id.hex()})"
    return f"{name} (version {body.version.hex()})" if body.version else name


def _bucket_name(rows: Rows, bucket_id: int) -> str:
    buckets = rows.scan(BUCKETS, ("",), None, limit=limits.MAX_BUCKETS_LISTED)
    return next((row.name for row in buckets if row.bucket_id == bucket_id), f"bucket {bucket_id}")
