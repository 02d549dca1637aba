"""`decide`: command + rows -> records to append, or a refusal. Pure (R6).

The rows are the index as the batch so far leaves it. Nothing is read from a clock; what a record must say about time
came with the command. A decision may name a sequence it will have (`next_sequence`): the committer appends in exactly
that order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from kakera.base import errors, limits
from kakera.base.ids import NULL_VERSION
from kakera.index.interface import Rows
from kakera.index.tables import (
    BODIES,
    BUCKETS,
    COMPLETED,
    ENTRIES,
    PARTS,
    UPLOADS,
    VERSION_IDS,
    VERSIONS,
    BucketRow,
    Entry,
    EntryRow,
    Location,
    PartRow,
    VersionRow,
)
from kakera.journal import codec, commands
from kakera.journal.commands import Body, Condition, No, Ok
from kakera.journal.records import AbortMeta, DeleteMeta, MarkerMeta, ObjectMeta, PartMeta, SettingsMeta
from kakera.segments.record import Flag, Type

NO_BODY = Body()


class Proposal(NamedTuple):
    """One record to append."""

    type: int
    flags: int
    command_id: bytes
    meta: bytes
    body: Body


class Decision(NamedTuple):
    """Records to append (none: nothing changes) and what to answer once they are durable and committed."""

    proposals: Sequence[Proposal]
    reply: Ok | None  # None: what `apply.reply_of` says of the last record


NOTHING = Decision((), Ok())


def refusal(error: errors.KakeraError) -> No:
    """The wire form of an error of the tree."""
    detail = {name: value for name, value in error.detail.items() if isinstance(value, str | int | bool)}
    return No(type(error).__name__, error.message, detail)


def decide(command: commands.Command, rows: Rows, next_sequence: int) -> Decision:
    """Raises errors.Refused; never appends by itself. A record that no reader would believe is refused here, whoever
    asks for it: acknowledged it would be lost (R1).

    Args:
        next_sequence: the sequence of the first record this decision appends.
    """
    decision = _DECIDERS[type(command)](command, rows, next_sequence)
    for proposal in decision.proposals:
        if len(proposal.meta) > limits.MAX_META_BYTES:
            raise errors.MetadataTooLarge(size_bytes=len(proposal.meta), maximum_bytes=limits.MAX_META_BYTES)
    return decision


def segments_added(command: commands.Command, rows: Rows) -> set[int]:
    """Bulk segments in which the command would give its body DATA that the body does not have there yet."""
    if isinstance(command, commands.Put):
        record = Type.OBJECT
    elif isinstance(command, commands.PutPart):
        record = Type.PART
    elif isinstance(command, commands.Rewrite):
        record = Type(command.record)
    else:
        return set()
    meta: ObjectMeta | PartMeta = codec.meta_of(record, command.meta)
    named: Counter[int] = Counter()
    for chunk in meta.chunks:
        named[chunk.segment] += chunk.length
    if named and isinstance(command, commands.Rewrite):
        body = rows.get(BODIES, (meta.body_id if isinstance(meta, ObjectMeta) else meta.part_id,))
        named.subtract(dict(codec.SEGMENT_BYTES.decode(body.segments)) if body else {})
    return {segment for segment, length in named.items() if length > 0}


# --- conditions -------------------------------------------------------------------------------------------------------


def _bucket(rows: Rows, name: str, bucket_id: int) -> BucketRow:
    row = rows.get(BUCKETS, (name,))
    if row is None or row.bucket_id != bucket_id:
        raise errors.NoSuchBucket(bucket=name)
    return row


def _at_generation(rows: Rows, name: str, bucket_id: int, generation: int) -> BucketRow:
    row = _bucket(rows, name, bucket_id)
    if row.generation != generation:
        raise errors.Stale(bucket=name)
    return row


def _etag_matches(etags: Sequence[str], etag: str) -> bool:
    return "*" in etags or etag in etags


def check(condition: Condition | None, row: EntryRow | VersionRow | None) -> None:
    """The condition against the version it is about (None: there is none). Raises NoSuchKey or PreconditionFailed."""
    if condition is None:
        return
    if condition.if_match is not None:
        if row is None:
            raise errors.NoSuchKey()
        if not _etag_matches(condition.if_match, row.etag):
            raise errors.PreconditionFailed(condition="if_match")
    if condition.if_none_match is not None and row is not None and _etag_matches(condition.if_none_match, row.etag):
        raise errors.PreconditionFailed(condition="if_none_match")
    if row is not None and condition.size is not None and condition.size != row.size:
        raise errors.PreconditionFailed(condition="size")
    if row is not None and condition.mtime_ms is not None and condition.mtime_ms // 1000 != row.mtime_ms // 1000:
        raise errors.PreconditionFailed(condition="mtime")


# --- objects ----------------------------------------------------------------------------------------------------------


def _unversioned(bucket: BucketRow) -> int:
    return 0 if bucket.versioning else int(Flag.UNVERSIONED)


def _put(command: commands.Put, rows: Rows, _next: int) -> Decision:
    bucket = _at_generation(rows, command.bucket, command.bucket_id, command.generation)
    if command.condition is not None:
        meta: ObjectMeta = codec.meta_of(Type.OBJECT, command.meta)
        check(command.condition, rows.get(ENTRIES, (meta.bucket_id, meta.key)))
    return Decision((Proposal(Type.OBJECT, _unversioned(bucket), command.id, command.meta, command.body),), None)


def _delete(command: commands.Delete, rows: Rows, _next: int) -> Decision:
    bucket = _at_generation(rows, command.bucket, command.bucket_id, command.generation)
    current = rows.get(ENTRIES, (bucket.bucket_id, command.key))
    if command.version is not None:
        row = find_version(rows, current, bucket.bucket_id, command.key, command.version)
        if row is None:
            return NOTHING._replace(reply=Ok(version=command.version))
        check(command.condition, row)
        marker = bool(row.flags & Entry.MARKER)
        return Decision((_removal(command, bucket, command.version),), Ok(version=command.version, marker=marker))
    if current is not None:
        check(command.condition, current)
    elif command.condition is not None:
        _check_no_object(command.condition, rows, bucket.bucket_id, command.key)
        if command.condition.if_match is not None:
            return NOTHING
    if bucket.versioning:
        version = command.id if bucket.versioning == 1 else NULL_VERSION
        meta = MarkerMeta(bucket.bucket_id, command.key, version, 0, command.mtime_ms, command.owner)
        return Decision((Proposal(Type.MARKER, 0, command.id, codec.encode(meta), NO_BODY),), None)
    if current is None:
        return NOTHING
    return Decision((_removal(command, bucket, NULL_VERSION),), Ok())


def _check_no_object(condition: Condition, rows: Rows, bucket_id: int, key: bytes) -> None:
    """A conditional DELETE where there is no object: what is not there counts as deleted, whatever was demanded of it;
    a delete marker has no ETag, size or time to match, and passes If-Match: * alone. Raises PreconditionFailed."""
    newest = rows.scan(VERSIONS, (bucket_id, key), (bucket_id, key + b"\0"), limit=1)
    if not newest:
        return
    if condition.if_match is None or "*" not in condition.if_match:
        raise errors.PreconditionFailed(condition="if_match")
    if condition.size is not None or condition.mtime_ms is not None:
        raise errors.PreconditionFailed(condition="size" if condition.size is not None else "mtime")


def _removal(command: commands.Delete, bucket: BucketRow, version: bytes) -> Proposal:
    meta = DeleteMeta(bucket.bucket_id, command.key, version)
    return Proposal(Type.DELETE, _unversioned(bucket), command.id, codec.encode(meta), NO_BODY)


def find_version(
    rows: Rows, current: EntryRow | None, bucket_id: int, key: bytes, version: bytes
) -> EntryRow | VersionRow | None:
    """The row of exactly this version, current or older. Pure; also used by readers."""
    if current is not None and current.version == version:
        return current
    place = rows.get(VERSION_IDS, (bucket_id, key, version))
    return rows.get(VERSIONS, (bucket_id, key, place.neg_order)) if place is not None else None


def _rewrite(command: commands.Rewrite, rows: Rows, _next: int) -> Decision:
    """MOVED: only if the row still points where the worker read it (R7)."""
    meta = codec.meta_of(command.record, command.meta)
    row: PartRow | EntryRow | VersionRow | None
    if isinstance(meta, PartMeta):
        row = rows.get(PARTS, (meta.upload_id, meta.part_number))
    else:
        row = find_version(rows, rows.get(ENTRIES, (meta.bucket_id, meta.key)), meta.bucket_id, meta.key, meta.version)
    if row is None or Location(row.segment, row.offset, row.length) != Location(*command.expected):
        raise errors.OperationAborted("the version has changed or moved")
    # Order and choice are the row's own: what the worker read may be older than the Complete that gave a part its
    # place.
    if isinstance(row, PartRow):
        meta = msgspec.structs.replace(meta, chosen=row.chosen)
    else:
        meta = msgspec.structs.replace(meta, order=row.order if isinstance(row, EntryRow) else -row.neg_order)
    return Decision((Proposal(command.record, int(Flag.MOVED), command.id, codec.encode(meta), command.body),), Ok())


# --- uploads ----------------------------------------------------------------------------------------------------------


def _create_upload(command: commands.CreateUpload, rows: Rows, _next: int) -> Decision:
    _bucket(rows, command.bucket, command.bucket_id)
    return Decision((Proposal(Type.UPLOAD, 0, command.id, command.meta, NO_BODY),), Ok(version=command.id))


def _put_part(command: commands.PutPart, rows: Rows, _next: int) -> Decision:
    _bucket(rows, command.bucket, command.bucket_id)
    meta: PartMeta = codec.meta_of(Type.PART, command.meta)
    if rows.get(UPLOADS, (meta.bucket_id, meta.key, meta.upload_id)) is None:
        raise errors.NoSuchUpload(upload_id=meta.upload_id.hex())
    return Decision((Proposal(Type.PART, 0, command.id, command.meta, command.body),), None)


def _complete(command: commands.Complete, rows: Rows, _next: int) -> Decision:
    """A repeated Complete is answered as the first was, whatever happened to the key since (R16)."""
    meta: ObjectMeta = codec.meta_of(Type.OBJECT, command.meta)
    done = rows.get(COMPLETED, (meta.body_id,))
    if done is not None and (done.bucket_id, done.key) == (meta.bucket_id, meta.key):
        reply: Ok = msgspec.msgpack.decode(done.reply, type=Ok)
        return Decision((), reply)
    bucket = _at_generation(rows, command.bucket, command.bucket_id, command.generation)
    if rows.get(UPLOADS, (meta.bucket_id, meta.key, meta.body_id)) is None:
        raise errors.NoSuchUpload(upload_id=meta.body_id.hex())
    check(command.condition, rows.get(ENTRIES, (meta.bucket_id, meta.key)))
    parts = rows.scan(PARTS, (meta.body_id,), (meta.body_id, limits.MAX_PART_NUMBER + 1), limit=limits.MAX_PART_NUMBER)
    chosen = [p.part_id for p in parts if any(first <= p.part_number <= last for first, last in meta.parts)]
    if chosen != command.part_ids:
        raise errors.Stale(bucket=command.bucket)
    return Decision((Proposal(Type.OBJECT, _unversioned(bucket), command.id, command.meta, NO_BODY),), None)


def _abort(command: commands.Abort, rows: Rows, _next: int) -> Decision:
    _bucket(rows, command.bucket, command.bucket_id)
    if rows.get(UPLOADS, (command.bucket_id, command.key, command.upload_id)) is None:
        raise errors.NoSuchUpload(upload_id=command.upload_id.hex())
    meta = AbortMeta(command.bucket_id, command.key, command.upload_id)
    return Decision((Proposal(Type.ABORT, 0, command.id, codec.encode(meta), NO_BODY),), None)


# --- settings ---------------------------------------------------------------------------------------------------------


def _settings(command: commands.PutSettings, rows: Rows, next_sequence: int) -> Decision:
    meta: SettingsMeta = codec.meta_of(Type.SETTINGS, command.meta)
    row = rows.get(BUCKETS, (meta.name,))
    if meta.bucket_id == 0:
        if row is not None:
            raise (errors.BucketOwnedByYou if row.owner == meta.owner else errors.BucketExists)(bucket=meta.name)
        meta = msgspec.structs.replace(meta, bucket_id=next_sequence, generation=next_sequence)
    else:
        _at_generation(rows, meta.name, meta.bucket_id, command.generation)
        if not meta.alive and not _empty(rows, meta.bucket_id):
            raise errors.BucketNotEmpty(bucket=meta.name)
        meta = msgspec.structs.replace(meta, generation=next_sequence)
    return Decision((Proposal(Type.SETTINGS, 0, command.id, codec.encode(meta), NO_BODY),), None)


def _empty(rows: Rows, bucket_id: int) -> bool:
    """No version, no delete marker, no open upload (whoever deletes a bucket aborts its uploads first)."""
    low, high = (bucket_id,), (bucket_id + 1,)
    if rows.scan(ENTRIES, low, high, limit=1):
        return False
    if rows.scan(VERSIONS, low, high, limit=1):
        return False
    return not rows.scan(UPLOADS, low, high, limit=1)


_DECIDERS: dict[type, Callable[..., Decision]] = {
    commands.Put: _put,
    commands.Delete: _delete,
    commands.Rewrite: _rewrite,
    commands.CreateUpload: _create_upload,
    commands.PutPart: _put_part,
    commands.Complete: _complete,
    commands.Abort: _abort,
    commands.PutSettings: _settings,
}
