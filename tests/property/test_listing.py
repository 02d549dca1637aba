"""Listings against the plainest model there is: look at everything, one after the other."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kakera.base import limits
from kakera.core import listing
from kakera.core.values import ListPage, UploadPage
from kakera.index.interface import Mark, Rows
from kakera.index.memory import MemoryIndex
from kakera.index.tables import (
    ENTRIES,
    UPLOADS,
    VERSION_IDS,
    VERSIONS,
    Entry,
    EntryRow,
    UploadRow,
    VersionIdRow,
    VersionRow,
)

BUCKET = 5
# Few letters, so that keys nest, collide and end in 0xff.
ALPHABET = [b"a", b"b", b"/", b"//", b"\xff", b"\0"]
KEYS = st.lists(st.sampled_from(ALPHABET), min_size=1, max_size=6).map(b"".join)
TEXTS = st.lists(st.sampled_from(ALPHABET), max_size=4).map(b"".join)
DELIMITERS = st.sampled_from([b"", b"/", b"//", b"a", b"ab", b"\xff", b"/\xff"])
LIMITS = st.integers(1, 8)

Line = tuple[bytes, bytes | None]  # key and version (or upload); a common prefix has None


def group_of(key: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    if delimiter and delimiter in key[len(prefix) :]:
        return key[: key.index(delimiter, len(prefix)) + len(delimiter)]
    return None


def naive(lines: list[Line], prefix: bytes, delimiter: bytes, after: bytes) -> list[Line]:
    """What a listing without a limit shows, given everything there is, in order."""
    shown: list[Line] = []
    for key, version in lines:
        group = group_of(key, prefix, delimiter)
        if not key.startswith(prefix) or (after and key <= after) or (group is not None and group == after):
            continue
        line = (key, version) if group is None else (group, None)
        if group is None or line not in shown:
            shown.append(line)
    return shown


def of_page(page: ListPage | UploadPage) -> list[Line]:
    """The lines of a page in their order; both halves must be in order already."""
    if isinstance(page, ListPage):
        plain: list[Line] = [(line.key, line.version) for line in page.entries]
    else:
        plain = [(line.key, line.upload_id) for line in page.uploads]
    assert page.prefixes == sorted(set(page.prefixes))
    assert [key for key, _ in plain] == sorted(key for key, _ in plain)
    merged = sorted([(key, 1, number) for number, (key, _) in enumerate(plain)] + [(p, 0, 0) for p in page.prefixes])
    return [plain[number] if kind else (key, None) for key, kind, number in merged]


def entry(key: bytes, version: bytes, order: int) -> EntryRow:
    return EntryRow(BUCKET, key, version, order, 1, order, "etag", "main", 0, "", 1, 2, 3, b"")


def index_of(*buckets: int) -> MemoryIndex:
    """Neighbours on both sides, whose keys must never show."""
    index = MemoryIndex()
    index.begin()
    for bucket in (BUCKET - 1, BUCKET + 1):
        for key in (b"a", b"a/b", b"\xff\xff\xff"):
            index.put(ENTRIES, EntryRow(bucket, key, b"", 1, 1, 1, "", "", 0, "", 1, 2, 3, b""))
            index.put(VERSIONS, VersionRow(bucket, key, -1, b"x", 1, 1, "", "", 0, "", 1, 2, 3, b""))
            index.put(UPLOADS, UploadRow(bucket, key, b"x", 1, "", "", 1, 2, 3))
    return index


class Counting:
    """Rows that count what is asked of them."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.scans = 0
        self.get = rows.get
        self.mark = rows.mark

    def scan(self, *arguments, **named):  # type: ignore[no-untyped-def]
        self.scans += 1
        return self.rows.scan(*arguments, **named)


# --- keys


@given(st.sets(KEYS, max_size=40), TEXTS, DELIMITERS, st.just(b"") | TEXTS, LIMITS, st.sampled_from([1, 2, 256]))
def test_pages_of_keys_together_show_what_the_model_shows(
    keys: set[bytes], prefix: bytes, delimiter: bytes, after: bytes, limit: int, first_batch: int
) -> None:
    index = index_of()
    for key in keys:
        index.put(ENTRIES, entry(key, b"", 1))
    index.commit(Mark(1, 1, 1))
    expected = naive([(key, b"") for key in sorted(keys)], prefix, delimiter, after)
    found: list[Line] = []
    before, limits.LIST_FIRST_BATCH = limits.LIST_FIRST_BATCH, first_batch
    try:
        while True:
            rows = Counting(index)
            page = listing.list_objects(
                rows,
                BUCKET,
                prefix=prefix,
                delimiter=delimiter,
                after=after,
                limit=limit,
            )
            assert rows.scans <= limit + 1 + 1
            lines = of_page(page)
            found += lines
            assert page.truncated == (found != expected) == (page.next_key is not None)
            assert len(lines) == limit if page.truncated else len(lines) <= limit
            if page.next_key is None:
                break
            assert page.next_key == lines[-1][0]
            after = page.next_key
    finally:
        limits.LIST_FIRST_BATCH = before
    assert found == expected


# --- versions

VERSION_SETS = st.dictionaries(KEYS, st.tuples(st.integers(1, 4), st.booleans()), max_size=15)


def with_versions(keys: dict[bytes, tuple[int, bool]]) -> tuple[MemoryIndex, list[Line], list[Line]]:
    """(index, every line in order, the lines that are the latest of their key). The flag: delete marker on top."""
    index = index_of()
    lines: list[Line] = []
    latest: list[Line] = []
    order = 10
    for key, (count, marked) in keys.items():
        of_key: list[Line] = []
        for number in range(count):
            order += 1
            version = b"" if number == 1 else bytes([count, number]) * 8  # ids say nothing about the order
            newest = number == count - 1
            of_key.insert(0, (key, version))
            if newest and not marked:
                index.put(ENTRIES, entry(key, version, order))
            else:
                flags = Entry.MARKER if newest else 0
                row = VersionRow(BUCKET, key, -order, version, 1, order, "", "main", flags, "", 1, 2, 3, b"")
                index.put(VERSIONS, row)
                index.put(VERSION_IDS, VersionIdRow(BUCKET, key, version, -order))
        lines += of_key
        latest.append(of_key[0])
    index.commit(Mark(1, 1, 1))
    lines.sort(key=lambda line: line[0])
    return index, lines, latest


@given(VERSION_SETS, TEXTS, DELIMITERS, st.just(b"") | TEXTS, LIMITS)
def test_pages_of_versions_together_show_what_the_model_shows(
    keys: dict[bytes, tuple[int, bool]], prefix: bytes, delimiter: bytes, after: bytes, limit: int
) -> None:
    index, lines, latest = with_versions(keys)
    expected = naive(lines, prefix, delimiter, after)
    found: list[Line] = []
    version: bytes | None = None
    while True:
        page = listing.list_versions(
            index, BUCKET, prefix=prefix, delimiter=delimiter, key_marker=after, version_marker=version, limit=limit
        )
        assert [line.latest for line in page.entries] == [(line.key, line.version) in latest for line in page.entries]
        assert all(line.marker == (keys[line.key][1] and line.latest) for line in page.entries)
        found += of_page(page)
        assert page.truncated == (found != expected)
        if page.next_key is None:
            break
        after, version = page.next_key, page.next_version
    assert found == expected


@given(VERSION_SETS, st.data())
def test_a_version_marker_that_is_gone_starts_its_key_again(
    keys: dict[bytes, tuple[int, bool]], data: st.DataObject
) -> None:
    index, lines, _ = with_versions(keys)
    if not keys:
        return
    key = data.draw(st.sampled_from(sorted(keys)))
    page = listing.list_versions(
        index, BUCKET, prefix=b"", delimiter=b"", key_marker=key, version_marker=b"gone" * 4, limit=1000
    )
    assert of_page(page) == [line for line in lines if line[0] >= key]


# --- uploads

UPLOAD_SETS = st.dictionaries(KEYS, st.lists(st.integers(0, 3), min_size=1, max_size=5), max_size=12)


@given(UPLOAD_SETS, TEXTS, DELIMITERS, st.just(b"") | TEXTS, LIMITS, st.sampled_from([2, 20_000]))
def test_pages_of_uploads_together_show_what_the_model_shows(
    keys: dict[bytes, list[int]], prefix: bytes, delimiter: bytes, after: bytes, limit: int, scan_rows: int
) -> None:
    index = index_of()
    lines: list[tuple[bytes, int, bytes]] = []
    for key, times in keys.items():
        for number, initiated_ms in enumerate(times):
            upload_id = bytes([250 - number]) * 16
            index.put(UPLOADS, UploadRow(BUCKET, key, upload_id, initiated_ms, "main", "", 1, 2, 3))
            many = len(times) > scan_rows  # then by their ids
            lines.append((key, 0 if many else initiated_ms, upload_id))
    index.commit(Mark(1, 1, 1))
    lines.sort()
    expected = naive([(key, upload_id) for key, _, upload_id in lines], prefix, delimiter, after)
    found: list[Line] = []
    upload: bytes | None = None
    before, limits.MAX_SCAN_ROWS = limits.MAX_SCAN_ROWS, scan_rows
    try:
        while True:
            page = listing.list_uploads(
                index, BUCKET, prefix=prefix, delimiter=delimiter, key_marker=after, upload_marker=upload, limit=limit
            )
            assert len(page.uploads) + len(page.prefixes) <= limit
            found += of_page(page)
            assert page.truncated == (found != expected)
            if page.next_key is None:
                break
            after, upload = page.next_key, page.next_upload
    finally:
        limits.MAX_SCAN_ROWS = before
    assert found == expected


# --- bounds of prefixes


@given(st.binary(max_size=4), st.binary(max_size=5))
def test_the_successor_is_the_least_string_behind_a_prefix(prefix: bytes, other: bytes) -> None:
    above = listing.successor(prefix)
    if above is None:
        assert prefix.strip(b"\xff") == b""
    else:
        assert prefix < above and not above.startswith(prefix)
    assert other.startswith(prefix) == (other >= prefix and (above is None or other < above))


def test_the_model_itself() -> None:
    lines: list[Line] = [(key, b"") for key in (b"a", b"b/1", b"b/2", b"c")]
    assert [key for key, _ in naive(lines, b"", b"/", b"")] == [b"a", b"b/", b"c"]
    assert [key for key, _ in naive(lines, b"", b"/", b"b/")] == [b"c"]
    assert [key for key, _ in naive(lines, b"", b"/", b"b/1")] == [b"b/", b"c"]
    assert all(low < high for low, high in pairwise(key for key, _ in naive(lines, b"", b"", b"a")))
