"""`apply`: one record -> the row changes it means. Pure, and the same in the committer and in replay (R4).

It reads rows only by key or by a scan of one key's versions or one upload's parts; it never looks at a clock, a
condition or the settings: those were decided before the record was written (R6).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from kakera.base import limits
from kakera.index.interface import Index, Key, Rows
from kakera.index.tables import (
    APPLIED,
    BODIES,
    BUCKETS,
    BULK,
    COMPLETED,
    COMPLETED_AT,
    ENTRIES,
    PARTS,
    UPLOADS,
    VERSION_IDS,
    VERSIONS,
    AppliedRow,
    BodyRow,
    BucketRow,
    BulkRow,
    CompletedAtRow,
    CompletedRow,
    Entry,
    EntryRow,
    Location,
    PartRow,
    Row,
    Table,
    UploadRow,
    VersionIdRow,
    VersionRow,
)  # fmt: skip
from kakera.journal import codec
from kakera.journal.commands import Ok
from kakera.journal.records import ChunkRef, MarkerMeta, ObjectMeta, PartMeta, Placement, SettingsMeta
from kakera.segments.record import Flag, Type


class Fact(NamedTuple):
    """A record that counts, and where it lies."""

    type: int
    flags: int
    sequence: int
    command_id: bytes
    meta: bytes
    location: Location


class Put(NamedTuple):
    table: Table[Row]
    row: Row


class Remove(NamedTuple):
    table: Table[Row]
    key: Key


class RemoveRange(NamedTuple):
    table: Table[Row]
    low: Key
    high: Key


Change = Put | Remove | RemoveRange


class _Draft:
    """Row changes in the making: later steps of one record must see what earlier ones did to the bulk counters."""

    __slots__ = ("rows", "changes", "_live")

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.changes: list[Change] = []
        self._live: dict[int, int] = {}

    def put(self, table: Table[Row], row: Row) -> None:
        self.changes.append(Put(table, row))

    def remove(self, table: Table[Row], key: Key) -> None:
        self.changes.append(Remove(table, key))

    def live(self, segment: int, delta_bytes: int) -> None:
        if segment not in self._live:
            row = self.rows.get(BULK, (segment,))
            self._live[segment] = row.live_bytes if row else 0
        self._live[segment] += delta_bytes

    def done(self) -> list[Change]:
        for segment, live_bytes in self._live.items():
            self.changes.append(Put(BULK, BulkRow(segment, live_bytes)) if live_bytes else Remove(BULK, (segment,)))
        return self.changes


def apply(fact: Fact, rows: Rows) -> list[Change]:
    """The changes of `fact` on `rows`. Raises KeyError for a type that has no place in a journal: the caller must stop
    (R15).
    """
    draft = _Draft(rows)
    _HANDLERS[fact.type](draft, fact)
    if not fact.flags & Flag.MOVED:
        draft.put(APPLIED, AppliedRow(fact.sequence, fact.command_id, codec.encode(reply_of(fact))))
    return draft.done()


def prune(floor_sequence: int, rows: Rows) -> list[Change]:
    """What a raised floor takes from the tables that remember commands (R7, R16)."""
    changes: list[Change] = [RemoveRange(APPLIED, (0,), (floor_sequence,))]
    low = 0
    while page := rows.scan(COMPLETED_AT, (low,), (floor_sequence,), limit=limits.REPLAY_BATCH_RECORDS):
        changes.extend(Remove(COMPLETED, (row.upload_id,)) for row in page)
        low = page[-1].sequence + 1
    changes.append(RemoveRange(COMPLETED_AT, (0,), (floor_sequence,)))
    return changes


def execute(changes: Sequence[Change], index: Index) -> None:
    """Carry changes out inside the index's open transaction."""
    for change in changes:
        if type(change) is Put:
            index.put(change.table, change.row)
        elif type(change) is Remove:
            index.delete(change.table, change.key)
        elif type(change) is RemoveRange:
            index.delete_range(change.table, change.low, change.high)


def reply_of(fact: Fact) -> Ok:
    """What the command that made `fact` is answered, now and when it is sent again. A Complete: with the time and the
    ETag of the object too, since who asks again may have chosen other parts."""
    if fact.type == Type.OBJECT:
        made: ObjectMeta = codec.meta_of(Type.OBJECT, fact.meta)
        if made.placement == Placement.PARTS:
            return Ok(version=made.version, sequence=fact.sequence, value=made.mtime_ms, body=made.etag.encode())
        return Ok(version=made.version, sequence=fact.sequence)
    if fact.type in (Type.MARKER, Type.DELETE):
        meta = codec.meta_of(fact.type, fact.meta)
        return Ok(version=meta.version, marker=fact.type == Type.MARKER, sequence=fact.sequence)
    if fact.type == Type.SETTINGS:
        return Ok(sequence=fact.sequence, value=codec.meta_of(Type.SETTINGS, fact.meta).bucket_id)
    return Ok(sequence=fact.sequence)


# --- objects and their versions ---------------------------------------------------------------------------------------


def _object(draft: _Draft, fact: Fact) -> None:
    meta: ObjectMeta = codec.meta_of(Type.OBJECT, fact.meta)
    moved = bool(fact.flags & Flag.MOVED)
    entry = _entry(meta, fact)
    old: EntryRow | VersionRow | None = None
    if moved:
        old = _place_moved(draft, entry)
    else:
        _place(draft, entry, fact)
    if meta.placement == Placement.CHUNKS:
        if old is not None:
            _release_chunks(draft, meta.body_id)
        _hold_chunks(draft, meta.chunks, BodyRow(meta.body_id, meta.bucket_id, meta.key, meta.version, b"", 0, b""))
    elif meta.placement == Placement.PARTS and not moved:
        _take_parts(draft, meta, fact)


def _entry(meta: ObjectMeta, fact: Fact) -> EntryRow:
    flags = {Placement.CHUNKS: Entry.BULK, Placement.PARTS: Entry.PARTS}.get(Placement(meta.placement), 0)
    segment, offset, length = fact.location
    return EntryRow(
        meta.bucket_id, meta.key, meta.version, meta.order or fact.sequence, meta.mtime_ms, meta.size, meta.etag,
        meta.owner, flags, meta.checksum.algorithm if meta.checksum else "", segment, offset, length, meta.body_id,
    )  # fmt: skip


def _place(draft: _Draft, entry: EntryRow, fact: Fact) -> None:
    """A new newest version: what was newest moves among the older ones, the null version it replaces goes."""
    current = draft.rows.get(ENTRIES, (entry.bucket_id, entry.key))
    if current is not None and current.version == entry.version:
        _release(draft, current)
    else:
        if current is not None:
            _demote(draft, current)
        if not fact.flags & Flag.UNVERSIONED:
            _remove_older(draft, entry.bucket_id, entry.key, entry.version)
    draft.put(ENTRIES, entry)


def _place_moved(draft: _Draft, entry: EntryRow) -> EntryRow | VersionRow | None:
    """The same version at another place; in a rebuild it may not be there yet, and newer ones may. Returns the row it
    replaces.
    """
    rows = draft.rows
    current = rows.get(ENTRIES, (entry.bucket_id, entry.key))
    if current is not None and current.version == entry.version:
        draft.put(ENTRIES, entry)
        return current
    older = rows.get(VERSIONS, (entry.bucket_id, entry.key, -entry.order))
    if older is not None:
        draft.put(VERSIONS, _as_version(entry))
        return older
    if entry.order > _newest_order(rows, entry.bucket_id, entry.key, current):
        if current is not None:
            _demote(draft, current)
        draft.put(ENTRIES, entry)
    else:
        _demote(draft, entry)
    return None


def _newest_order(rows: Rows, bucket_id: int, key: bytes, current: EntryRow | None) -> int:
    if current is not None:
        return current.order
    older = rows.scan(VERSIONS, (bucket_id, key), (bucket_id, key + b"\0"), limit=1)
    return -older[0].neg_order if older else 0


def _as_version(entry: EntryRow) -> VersionRow:
    return VersionRow(
        entry.bucket_id, entry.key, -entry.order, entry.version, entry.mtime_ms, entry.size, entry.etag, entry.owner,
        entry.flags, entry.checksum, entry.segment, entry.offset, entry.length, entry.body_id,
    )  # fmt: skip


def _as_entry(row: VersionRow) -> EntryRow:
    return EntryRow(
        row.bucket_id, row.key, row.version, -row.neg_order, row.mtime_ms, row.size, row.etag, row.owner, row.flags,
        row.checksum, row.segment, row.offset, row.length, row.body_id,
    )  # fmt: skip


def _demote(draft: _Draft, entry: EntryRow) -> None:
    draft.put(VERSIONS, _as_version(entry))
    draft.put(VERSION_IDS, VersionIdRow(entry.bucket_id, entry.key, entry.version, -entry.order))


def _remove_older(draft: _Draft, bucket_id: int, key: bytes, version: bytes) -> bool:
    """Remove `version` from among the older ones; False when it is not there."""
    place = draft.rows.get(VERSION_IDS, (bucket_id, key, version))
    if place is None:
        return False
    row = draft.rows.get(VERSIONS, (bucket_id, key, place.neg_order))
    if row is not None:
        _release(draft, row)
        draft.remove(VERSIONS, (bucket_id, key, place.neg_order))
    draft.remove(VERSION_IDS, (bucket_id, key, version))
    return True


def _delete(draft: _Draft, fact: Fact) -> None:
    meta = codec.meta_of(Type.DELETE, fact.meta)
    place = (meta.bucket_id, meta.key)
    current = draft.rows.get(ENTRIES, place)
    if current is not None and current.version == meta.version:
        _release(draft, current)
        draft.remove(ENTRIES, place)
        if not fact.flags & Flag.UNVERSIONED:
            _promote(draft, place, None)
    elif _remove_older(draft, meta.bucket_id, meta.key, meta.version) and current is None:
        _promote(draft, place, meta.version)


def _promote(draft: _Draft, place: tuple[int, bytes], gone: bytes | None) -> None:
    """No entry any more: the newest of what is left becomes it, unless that is a delete marker. `gone` is on its way
    out.
    """
    bucket_id, key = place
    left = draft.rows.scan(VERSIONS, place, (bucket_id, key + b"\0"), limit=2)
    newest = next((row for row in left if gone is None or row.version != gone), None)
    if newest is not None and not newest.flags & Entry.MARKER:
        draft.remove(VERSIONS, (bucket_id, key, newest.neg_order))
        draft.remove(VERSION_IDS, (bucket_id, key, newest.version))
        draft.put(ENTRIES, _as_entry(newest))


def _marker(draft: _Draft, fact: Fact) -> None:
    meta: MarkerMeta = codec.meta_of(Type.MARKER, fact.meta)
    place = (meta.bucket_id, meta.key)
    current = draft.rows.get(ENTRIES, place)
    order = meta.order or fact.sequence
    newest = not fact.flags & Flag.MOVED or current is None or order > current.order
    if not fact.flags & Flag.MOVED:
        if current is not None and current.version == meta.version:
            _release(draft, current)
            draft.remove(ENTRIES, place)
            current = None
        else:
            _remove_older(draft, meta.bucket_id, meta.key, meta.version)
    if newest and current is not None:
        _demote(draft, current)
        draft.remove(ENTRIES, place)
    segment, offset, length = fact.location
    draft.put(
        VERSIONS,
        VersionRow(
            meta.bucket_id, meta.key, -order, meta.version, meta.mtime_ms, 0, "", meta.owner, Entry.MARKER, "", segment,
            offset, length, b"",
        ),
    )  # fmt: skip
    draft.put(VERSION_IDS, VersionIdRow(meta.bucket_id, meta.key, meta.version, -order))


# --- bodies -----------------------------------------------------------------------------------------------------------


def _hold_chunks(draft: _Draft, chunks: Sequence[ChunkRef], body: BodyRow) -> None:
    by_segment: dict[int, int] = {}
    for chunk in chunks:
        by_segment[chunk.segment] = by_segment.get(chunk.segment, 0) + chunk.length
    for segment, length in by_segment.items():
        draft.live(segment, length)
    draft.put(BODIES, msgspec.structs.replace(body, segments=codec.encode(list(by_segment.items()))))


def _release_chunks(draft: _Draft, body_id: bytes) -> None:
    body = draft.rows.get(BODIES, (body_id,))
    if body is not None:
        for segment, length in codec.SEGMENT_BYTES.decode(body.segments):
            draft.live(segment, -length)
        draft.remove(BODIES, (body_id,))


def _release(draft: _Draft, row: EntryRow | VersionRow) -> None:
    """The version goes: so does what holds its body."""
    if row.flags & Entry.BULK:
        _release_chunks(draft, row.body_id)
    elif row.flags & Entry.PARTS:
        _release_parts(draft, row.body_id)


def _parts(rows: Rows, upload_id: bytes) -> Sequence[PartRow]:
    return rows.scan(PARTS, (upload_id,), (upload_id, limits.MAX_PART_NUMBER + 1), limit=limits.MAX_PART_NUMBER)


def _release_parts(draft: _Draft, upload_id: bytes) -> None:
    for part in _parts(draft.rows, upload_id):
        _release_chunks(draft, part.part_id)
    draft.changes.append(RemoveRange(PARTS, (upload_id,), (upload_id, limits.MAX_PART_NUMBER + 1)))


def _take_parts(draft: _Draft, meta: ObjectMeta, fact: Fact) -> None:
    """Complete: the chosen parts get their place in the object, the others go, the upload is closed and remembered."""
    for part in _parts(draft.rows, meta.body_id):
        if any(first <= part.part_number <= last for first, last in meta.parts):
            draft.put(PARTS, msgspec.structs.replace(part, chosen=True))
        else:
            _release_chunks(draft, part.part_id)
            draft.remove(PARTS, (part.upload_id, part.part_number))
    draft.remove(UPLOADS, (meta.bucket_id, meta.key, meta.body_id))
    reply = codec.encode(reply_of(fact))
    draft.put(COMPLETED, CompletedRow(meta.body_id, meta.bucket_id, meta.key, fact.sequence, reply))
    draft.put(COMPLETED_AT, CompletedAtRow(fact.sequence, meta.body_id))


# --- uploads ----------------------------------------------------------------------------------------------------------


def _upload(draft: _Draft, fact: Fact) -> None:
    meta = codec.meta_of(Type.UPLOAD, fact.meta)
    draft.put(
        UPLOADS,
        UploadRow(
            meta.bucket_id,
            meta.key,
            meta.upload_id,
            meta.initiated_ms,
            meta.owner,
            meta.checksum_algorithm,
            *fact.location,
        ),
    )


def _part(draft: _Draft, fact: Fact) -> None:
    meta: PartMeta = codec.meta_of(Type.PART, fact.meta)
    old = draft.rows.get(PARTS, (meta.upload_id, meta.part_number))
    if old is not None:
        _release_chunks(draft, old.part_id)
    checksum = f"{meta.checksum.algorithm}:{meta.checksum.value}" if meta.checksum else ""
    draft.put(
        PARTS,
        PartRow(
            meta.upload_id, meta.part_number, meta.part_id, meta.size, meta.etag, meta.mtime_ms, meta.chosen, checksum,
            *fact.location,
        ),
    )  # fmt: skip
    if meta.placement == Placement.CHUNKS:
        body = BodyRow(meta.part_id, meta.bucket_id, meta.key, b"", meta.upload_id, meta.part_number, b"")
        _hold_chunks(draft, meta.chunks, body)


def _abort(draft: _Draft, fact: Fact) -> None:
    meta = codec.meta_of(Type.ABORT, fact.meta)
    _release_parts(draft, meta.upload_id)
    draft.remove(UPLOADS, (meta.bucket_id, meta.key, meta.upload_id))


# --- settings ---------------------------------------------------------------------------------------------------------


def _settings(draft: _Draft, fact: Fact) -> None:
    meta: SettingsMeta = codec.meta_of(Type.SETTINGS, fact.meta)
    if meta.alive:
        draft.put(
            BUCKETS,
            BucketRow(
                meta.name,
                meta.bucket_id,
                meta.owner,
                meta.created_ms,
                meta.generation,
                meta.versioning,
                meta.region,
                meta.settings,
            ),
        )
    else:
        draft.remove(BUCKETS, (meta.name,))


_HANDLERS: dict[int, Callable[[_Draft, Fact], None]] = {
    Type.OBJECT: _object,
    Type.DELETE: _delete,
    Type.MARKER: _marker,
    Type.PART: _part,
    Type.UPLOAD: _upload,
    Type.ABORT: _abort,
    Type.SETTINGS: _settings,
}
