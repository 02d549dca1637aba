"""Listings: pages of keys, versions and uploads in key order, with prefixes rolled up at a delimiter.

A page costs what it shows, not what the bucket holds: a group of keys that share a common prefix is one line and one
skip, however many keys it has. The semantics are those of the S3 API's ListObjectsV2, ListObjectVersions and
ListMultipartUploads:

- keys are bytes and order as bytes; everything starts strictly after the marker;
- a key with the delimiter behind the prefix belongs to the common prefix that ends with it (the first one), once;
- a marker that is itself such a common prefix skips all of it; a marker inside it does not hide what follows it;
- keys and common prefixes count alike to the limit; what is last on a page is where the next one starts after.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter
from typing import Generic

from kakera.base import limits
from kakera.core.values import Listed, ListPage, UploadInfo, UploadPage
from kakera.index.interface import Key, Rows, still
from kakera.index.tables import (
    ENTRIES,
    UPLOADS,
    VERSION_IDS,
    VERSIONS,
    Entry,
    EntryRow,
    R,
    Table,
    UploadRow,
    VersionRow,
)

_key = attrgetter("key")
_MIN_BATCH = 4
_SCAN_ROWS = 12  # a scan of its own costs as much as so many rows read for nothing


def successor(prefix: bytes) -> bytes | None:
    """The first byte string after everything that starts with `prefix`; None when there is none (only 0xff, or
    empty)."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes((stripped[-1] + 1,)) if stripped else None


def list_objects(rows: Rows, bucket_id: int, *, prefix: bytes, delimiter: bytes, after: bytes, limit: int) -> ListPage:
    """The newest versions that are not delete markers. after b"": from the start; limit is cut to MAX_LIST_KEYS."""
    limit = min(limit, limits.MAX_LIST_KEYS)
    low = _first(prefix, delimiter, after)
    if limit <= 0 or low is None:
        return ListPage([], [], truncated=False)
    high = _end(bucket_id, prefix)
    if not delimiter:
        found = rows.scan(ENTRIES, (bucket_id, low), high, limit=limit + 1)
        shown = [_listed(row) for row in found[:limit]]
        return _page(shown, [], shown[-1].key if len(found) > limit else None)
    with still(rows):
        return _grouped(_Stream(rows, ENTRIES, (bucket_id, low), high), _Grouping(prefix, delimiter), limit)


def _grouped(stream: _Stream[EntryRow], grouping: _Grouping, limit: int) -> ListPage:
    shown: list[Listed] = []
    prefixes: list[bytes] = []
    last = b""
    while (row := stream.head()) is not None:
        if len(shown) + len(prefixes) == limit:
            return _page(shown, prefixes, last)
        group = grouping.of(row.key)
        if group is None:
            shown.append(_listed(row))
            last = row.key
            stream.advance()
        else:
            prefixes.append(group)
            last = group
            stream.seek(successor(group))
    return _page(shown, prefixes, None)


def list_versions(
    rows: Rows,
    bucket_id: int,
    *,
    prefix: bytes,
    delimiter: bytes,
    key_marker: bytes,
    version_marker: bytes | None,
    limit: int,
) -> ListPage:
    """All versions and delete markers, newest first within a key.

    version_marker None: after all of key_marker. Else after that version of it; when that version is gone meanwhile the
    key starts
    again: a client that deletes page after page must not lose the rest of a key.
    """
    limit = min(limit, limits.MAX_LIST_KEYS)
    if limit <= 0:
        return ListPage([], [], truncated=False)
    with still(rows):
        places = _places(rows, bucket_id, (prefix, delimiter), key_marker, version_marker)
        if places is None:
            return ListPage([], [], truncated=False)
        high = _end(bucket_id, prefix)
        entries = _Stream(rows, ENTRIES, places[0], high)
        versions = _Stream(rows, VERSIONS, places[1], high)
        grouping = _Grouping(prefix, delimiter)
        return _merged(entries, versions, grouping, limit, seen=places[2])


def _places(
    rows: Rows, bucket_id: int, rolled: tuple[bytes, bytes], key: bytes, version: bytes | None
) -> tuple[Key, Key, bytes | None] | None:
    """Where entries and older versions start, and the key whose newest version an earlier page has shown. None: nothing
    is left."""
    if version is not None and key.startswith(rolled[0]) and _Grouping(*rolled).of(key) is None:
        after_key = (bucket_id, key + b"\0")
        entry = rows.get(ENTRIES, (bucket_id, key))
        if entry is not None and entry.version == version:
            return after_key, (bucket_id, key), key
        place = rows.get(VERSION_IDS, (bucket_id, key, version))
        if place is None:
            return (bucket_id, key), (bucket_id, key), None
        return after_key, (bucket_id, key, place.neg_order + 1), key
    low = _first(*rolled, key)
    return None if low is None else ((bucket_id, low), (bucket_id, low), None)


def _merged(
    entries: _Stream[EntryRow], versions: _Stream[VersionRow], grouping: _Grouping, limit: int, *, seen: bytes | None
) -> ListPage:
    """`seen`: the last key of which a version was shown; the next one of it is not the latest."""
    shown: list[Listed] = []
    prefixes: list[bytes] = []
    last_key, last_version = b"", None
    while True:
        entry, version = entries.head(), versions.head()
        newest = entry is not None and (version is None or entry.key <= version.key)
        row = entry if newest else version
        if row is None:
            return _page(shown, prefixes, None)
        if len(shown) + len(prefixes) == limit:
            return _page(shown, prefixes, last_key, last_version)
        group = grouping.of(row.key)
        if group is not None:
            prefixes.append(group)
            last_key, last_version = group, None
            entries.seek(successor(group))
            versions.seek(successor(group))
            continue
        shown.append(_listed_version(row, latest=row.key != seen))
        last_key, last_version, seen = row.key, row.version, row.key
        if newest:
            entries.advance()
        else:
            versions.advance()


def list_uploads(
    rows: Rows,
    bucket_id: int,
    *,
    prefix: bytes,
    delimiter: bytes,
    key_marker: bytes,
    upload_marker: bytes | None,
    limit: int,
) -> UploadPage:
    """Open multipart uploads by key, and within a key in the order they were initiated.

    upload_marker None or b"": after all of key_marker; else after that upload of it, and from the key's first when it
    is gone.
    """
    limit = min(limit, limits.MAX_LIST_KEYS)
    grouping = _Grouping(prefix, delimiter)
    resumed = bool(upload_marker) and key_marker.startswith(prefix) and grouping.of(key_marker) is None
    low = key_marker if resumed else _first(prefix, delimiter, key_marker)
    if limit <= 0 or low is None:
        return UploadPage([], [], truncated=False)
    shown: list[UploadRow] = []
    prefixes: list[bytes] = []
    last_key, last_upload = b"", None
    with still(rows):
        stream = _Stream(rows, UPLOADS, (bucket_id, low), _end(bucket_id, prefix))
        while (row := stream.head()) is not None:
            room = limit - len(shown) - len(prefixes)
            if not room:
                return _upload_page(shown, prefixes, last_key, last_upload)
            group = grouping.of(row.key)
            if group is not None:
                prefixes.append(group)
                last_key, last_upload = group, None
                stream.seek(successor(group))
                continue
            of_key = _of_key(rows, bucket_id, row.key, upload_marker if row.key == key_marker else None)
            shown += of_key[:room]
            if len(of_key) > room:
                return _upload_page(shown, prefixes, shown[-1].key, shown[-1].upload_id)
            if of_key:
                last_key, last_upload = row.key, of_key[-1].upload_id
            stream.seek(row.key + b"\0")
    return _upload_page(shown, prefixes, None, None)


def _of_key(rows: Rows, bucket_id: int, key: bytes, marker: bytes | None) -> Sequence[UploadRow]:
    """The uploads of one key behind `marker`, as initiated; by their ids when they are more than MAX_SCAN_ROWS, so that
    a page stays bounded and none is missed."""
    high = (bucket_id, key + b"\0")
    found = list(rows.scan(UPLOADS, (bucket_id, key), high, limit=limits.MAX_SCAN_ROWS + 1))
    if len(found) > limits.MAX_SCAN_ROWS:
        return rows.scan(UPLOADS, (bucket_id, key, (marker or b"") + b"\0"), high, limit=limits.MAX_LIST_KEYS + 1)
    found.sort(key=attrgetter("initiated_ms", "upload_id"))
    ids = [row.upload_id for row in found]
    return found[ids.index(marker) + 1 :] if marker in ids else found


# --- where a page starts and ends -------------------------------------------------------------------------------------


class _Grouping:
    """Which common prefix a key belongs to."""

    __slots__ = ("_delimiter", "_skip")

    def __init__(self, prefix: bytes, delimiter: bytes) -> None:
        self._delimiter = delimiter
        self._skip = len(prefix)

    def of(self, key: bytes) -> bytes | None:
        if not self._delimiter:
            return None
        place = key.find(self._delimiter, self._skip)
        return key[: place + len(self._delimiter)] if place >= 0 else None


def _first(prefix: bytes, delimiter: bytes, after: bytes) -> bytes | None:
    """The lowest key a page may show; None: there is none."""
    if not after or after < prefix:
        return prefix
    if after.startswith(prefix) and _Grouping(prefix, delimiter).of(after) == after:
        return successor(after)
    return after + b"\0"


def _end(bucket_id: int, prefix: bytes) -> Key:
    above = successor(prefix)
    return (bucket_id + 1,) if above is None else (bucket_id, above)


# --- rows in order, fetched as they are needed ------------------------------------------------------------------------


class _Stream(Generic[R]):
    """The rows of one table in key order, in batches whose size follows the lines made of them: it doubles while rows
    are shown and starts small again when more than _SCAN_ROWS are skipped for a line. Each batch yields a line at
    least, so a page takes at most limit + 1 scans."""

    __slots__ = ("_at", "_batch", "_buffer", "_ended", "_high", "_low", "_rows", "_skipped", "_table")

    def __init__(self, rows: Rows, table: Table[R], low: Key, high: Key) -> None:
        self._rows = rows
        self._table = table
        self._low: Key = low
        self._high = high
        self._batch = limits.LIST_FIRST_BATCH
        self._buffer: Sequence[R] = ()
        self._at = 0
        self._skipped = 0  # rows of the buffer that made no line
        self._ended = False

    def head(self) -> R | None:
        """The next row; None at the end."""
        if self._at < len(self._buffer):
            return self._buffer[self._at]
        if self._ended:
            return None
        if self._buffer:
            self._adapt()
        self._buffer = self._rows.scan(self._table, self._low, self._high, limit=self._batch)
        self._at = self._skipped = 0
        self._ended = len(self._buffer) < self._batch
        if not self._ended:
            self._low = self._after(self._buffer[-1])
        return self._buffer[0] if self._buffer else None

    def advance(self) -> None:
        """Past the head."""
        self._at += 1

    def seek(self, key: bytes | None) -> None:
        """To the first row whose key column is `key` or more, never back. None: to the end."""
        if key is None:
            self._at, self._ended = len(self._buffer), True
            return
        place = bisect_left(self._buffer, key, lo=self._at, key=_key)
        self._skipped += max(0, place - self._at - 1)
        self._at = place
        target = (self._low[0], key)
        if place == len(self._buffer) and target > self._low:
            self._low = target

    def _adapt(self) -> None:
        lines = len(self._buffer) - self._skipped
        small = len(self._buffer) > lines * _SCAN_ROWS
        self._batch = _MIN_BATCH if small else min(self._batch * 2, limits.MAX_LIST_KEYS + 1)

    def _after(self, row: R) -> Key:
        """The least key behind this row's: its last column one further."""
        *front, last = (getattr(row, name) for name in row.__struct_fields__[: self._table.keys])
        return (*front, last + 1 if isinstance(last, int) else last + b"\0")


# --- lines and pages --------------------------------------------------------------------------------------------------


def _listed(row: EntryRow) -> Listed:
    return Listed(row.key, row.version, row.mtime_ms, row.size, row.etag, row.owner, row.checksum)


def _listed_version(row: EntryRow | VersionRow, *, latest: bool) -> Listed:
    marker = bool(row.flags & Entry.MARKER)
    return Listed(
        row.key, row.version, row.mtime_ms, row.size, row.etag, row.owner, row.checksum, latest=latest, marker=marker
    )


def _page(
    shown: list[Listed], prefixes: list[bytes], next_key: bytes | None, next_version: bytes | None = None
) -> ListPage:
    return ListPage(shown, prefixes, next_key is not None, next_key, next_version)


def _upload_page(
    shown: list[UploadRow], prefixes: list[bytes], next_key: bytes | None, next_upload: bytes | None
) -> UploadPage:
    uploads = [UploadInfo(row.key, row.upload_id, row.initiated_ms, row.owner, row.checksum) for row in shown]
    return UploadPage(uploads, prefixes, next_key is not None, next_key, next_upload)
