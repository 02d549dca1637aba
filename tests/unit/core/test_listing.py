"""The semantics of S3's listings one by one, and what a page costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kakera.base import limits
from kakera.core import listing
from kakera.core.values import ListPage
from kakera.index.interface import Index, Mark
from kakera.index.memory import MemoryIndex
from kakera.index.sqlite import SqliteIndex
from kakera.index.tables import ENTRIES, VERSION_IDS, VERSIONS, Entry, EntryRow, VersionIdRow, VersionRow

BUCKET = 7


def entry(key: bytes, version: bytes = b"", order: int = 1) -> EntryRow:
    return EntryRow(BUCKET, key, version, order, 1000, 5, "etag", "main", 0, "CRC32", 1, 2, 3, b"")


def filled(keys: Iterable[bytes], index: Index | None = None) -> Index:
    index = index or MemoryIndex()
    index.begin()
    for key in keys:
        index.put(ENTRIES, entry(key))
    index.commit(Mark(1, 1, 1))
    return index


class Counted:
    """Counts scans and the rows they gave."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self.scans = 0
        self.rows = 0
        self.get = index.get
        self.mark = index.mark

    def scan(self, *arguments: Any, **named: Any) -> Sequence[Any]:
        found = self._index.scan(*arguments, **named)
        self.scans += 1
        self.rows += len(found)
        return found


def page(rows: Any, *, prefix: bytes = b"", delimiter: bytes = b"", after: bytes = b"", limit: int = 1000) -> ListPage:
    return listing.list_objects(rows, BUCKET, prefix=prefix, delimiter=delimiter, after=after, limit=limit)


def keys(found: ListPage) -> list[bytes]:
    return [line.key for line in found.entries]


def test_a_line_carries_the_row() -> None:
    line = page(filled([b"k"])).entries[0]
    assert (line.key, line.version, line.mtime_ms, line.size, line.etag, line.owner, line.checksum) == (
        b"k", b"", 1000, 5, "etag", "main", "CRC32",
    )  # fmt: skip
    assert line.latest and not line.marker


def test_keys_that_a_file_system_would_confuse_are_all_there() -> None:
    odd = [b"../x", b"a", b"a/", b"a//b", b"a/b", b"a\0b", "é".encode(), "e\u0301".encode(), b"A", b" ", b"a "]
    assert keys(page(filled(odd))) == sorted(odd)


def test_the_delimiter_rolls_up_behind_the_prefix_only() -> None:
    index = filled([b"asdf", b"boo/bar", b"boo/baz/xyzzy", b"cquux/thud", b"cquux/bla"])
    found = page(index, delimiter=b"/")
    assert (keys(found), found.prefixes) == ([b"asdf"], [b"boo/", b"cquux/"])
    found = page(index, delimiter=b"/", prefix=b"boo/")
    assert (keys(found), found.prefixes) == ([b"boo/bar"], [b"boo/baz/"])
    found = page(index, delimiter=b"/", prefix=b"boo")
    assert (keys(found), found.prefixes) == ([], [b"boo/"])


def test_paging_over_prefixes_and_keys() -> None:
    index = filled([b"asdf", b"boo/bar", b"boo/baz/xyzzy", b"cquux/thud", b"cquux/bla"])
    first = page(index, delimiter=b"/", limit=1)
    assert (keys(first), first.prefixes, first.next_key) == ([b"asdf"], [], b"asdf")
    second = page(index, delimiter=b"/", limit=1, after=b"asdf")
    assert (keys(second), second.prefixes, second.next_key) == ([], [b"boo/"], b"boo/")
    third = page(index, delimiter=b"/", limit=1, after=b"boo/")
    assert (keys(third), third.prefixes, third.truncated, third.next_key) == ([], [b"cquux/"], False, None)


def test_a_marker_inside_a_common_prefix_does_not_hide_the_rest_of_it() -> None:
    index = filled([b"a/1", b"a/2", b"b"])
    assert page(index, delimiter=b"/", after=b"a/1").prefixes == [b"a/"]
    assert page(index, delimiter=b"/", after=b"a/2").prefixes == []
    assert page(index, delimiter=b"/", after=b"a/").prefixes == []
    assert keys(page(index, after=b"a/")) == [b"a/1", b"a/2", b"b"]  # without a delimiter it is a key like any other


def test_a_key_that_ends_with_the_delimiter() -> None:
    index = filled([b"d/", b"d/x"])
    assert page(index, delimiter=b"/").prefixes == [b"d/"]
    found = page(index, delimiter=b"/", prefix=b"d/")
    assert (keys(found), found.prefixes) == ([b"d/", b"d/x"], [])


def test_delimiters_of_any_bytes() -> None:
    index = filled([b"aXYb", b"aXYc", b"aXd", b"b\xff\xffe", b"b\xff\xfff"])
    found = page(index, delimiter=b"XY")
    assert (keys(found), found.prefixes) == ([b"aXd", b"b\xff\xffe", b"b\xff\xfff"], [b"aXY"])
    found = page(index, delimiter=b"\xff")
    assert found.prefixes == [b"b\xff"]


def test_prefixes_of_nothing_but_0xff() -> None:
    index = filled([b"a", b"\xff", b"\xff\xff", b"\xff\xff/1", b"\xff\xff/2"])
    assert keys(page(index, prefix=b"\xff")) == [b"\xff", b"\xff\xff", b"\xff\xff/1", b"\xff\xff/2"]
    assert page(index, prefix=b"\xff\xff", delimiter=b"\xff", after=b"\xff\xff").truncated is False
    found = page(index, delimiter=b"\xff")
    assert (keys(found), found.prefixes) == ([b"a"], [b"\xff"])
    assert keys(page(index, delimiter=b"\xff", after=b"\xff")) == []


@pytest.mark.parametrize(
    ("limit", "truncated"), [(0, False), (-1, False), (1, True), (2, True), (3, False), (4, False)]
)
def test_limits(limit: int, truncated: bool) -> None:
    found = page(filled([b"a", b"b", b"c"]), limit=limit)
    assert len(found.entries) == max(0, min(limit, 3)) and found.truncated is truncated


def test_a_page_is_never_longer_than_the_limit_of_the_store() -> None:
    found = page(filled(b"%05d" % number for number in range(1100)), limit=5000)
    assert len(found.entries) == limits.MAX_LIST_KEYS and found.truncated


def test_a_marker_before_and_behind_the_prefix() -> None:
    index = filled([b"a", b"p1", b"p2", b"z"])
    assert keys(page(index, prefix=b"p", after=b"a")) == [b"p1", b"p2"]
    assert keys(page(index, prefix=b"p", after=b"p")) == [b"p1", b"p2"]
    assert keys(page(index, prefix=b"p", after=b"p1")) == [b"p2"]
    assert keys(page(index, prefix=b"p", after=b"q")) == []


# --- what it costs


@pytest.fixture(scope="module")
def big() -> Iterator[Counted]:
    """100,000 keys under one prefix, between two others."""
    index = MemoryIndex()
    index.begin()
    table = index._tables[ENTRIES.name]
    for number in range(100_000):
        key = b"logs/%08d" % number
        table.rows[(BUCKET, key)] = entry(key)
    table.keys = list(table.rows)
    index.commit(Mark(1, 1, 1))
    yield Counted(filled([b"a", b"z"], index))


def test_a_common_prefix_costs_a_skip_however_many_keys_it_has(big: Counted) -> None:
    big.scans = big.rows = 0
    found = page(big, delimiter=b"/")
    assert (keys(found), found.prefixes) == ([b"a", b"z"], [b"logs/"])
    assert big.scans <= 3 and big.rows <= 2 * limits.LIST_FIRST_BATCH


def test_a_plain_page_is_one_scan(big: Counted) -> None:
    big.scans = big.rows = 0
    found = page(big, after=b"logs/00050000", limit=1000)
    assert big.scans == 1 and big.rows == 1001 and found.entries[0].key == b"logs/00050001"


@pytest.mark.parametrize(("groups", "each"), [(1000, 1), (1000, 9), (1000, 20), (100, 300), (30, 1000)])
def test_groups_of_any_size_cost_little_more_than_the_page(groups: int, each: int) -> None:
    rows = Counted(filled(b"%04d/%04d" % (group, number) for group in range(groups) for number in range(each)))
    found = page(rows, delimiter=b"/")
    assert len(found.prefixes) == groups
    # a scan is worth about ten rows
    work = rows.scans * 10 + rows.rows
    assert work < groups * min(each + 2, 24) + 2 * limits.MAX_LIST_KEYS, (rows.scans, rows.rows)


def test_a_bucket_of_deleted_keys_lists_at_once() -> None:
    """Deleted without versioning: the rows are gone. With it: delete markers, which only a listing of versions sees."""
    index = MemoryIndex()
    index.begin()
    for number in range(20_000):
        key = b"%06d" % number
        row = VersionRow(BUCKET, key, -number, b"m" * 16, 1, 0, "", "", Entry.MARKER, "", 1, 2, 3, b"")
        index.put(VERSIONS, row)
    index.put(ENTRIES, entry(b"zzz"))
    index.commit(Mark(1, 1, 1))
    rows = Counted(index)
    assert keys(page(rows)) == [b"zzz"] and rows.rows == 1


# --- versions


def versioned() -> MemoryIndex:
    """k1: v3 v2 v1 · k2: marker, v4 · k3: v6 over the null version."""
    index = MemoryIndex()
    index.begin()
    marker = Entry.MARKER
    older = [
        (b"k1", 2, b"v2", 0),
        (b"k1", 1, b"v1", 0),
        (b"k2", 5, b"m5", marker),
        (b"k2", 4, b"v4", 0),
        (b"k3", 0, b"", 0),
    ]
    for key, order, version, flags in older:
        index.put(VERSIONS, VersionRow(BUCKET, key, -order, version, 1, 1, "e", "o", flags, "", 1, 2, 3, b""))
        index.put(VERSION_IDS, VersionIdRow(BUCKET, key, version, -order))
    index.put(ENTRIES, entry(b"k1", b"v3", 3))
    index.put(ENTRIES, entry(b"k3", b"v6", 6))
    index.commit(Mark(1, 1, 1))
    return index


def versions(index: Index, key: bytes = b"", version: bytes | None = None, limit: int = 1000) -> ListPage:
    return listing.list_versions(
        index, BUCKET, prefix=b"", delimiter=b"", key_marker=key, version_marker=version, limit=limit
    )


def shown(found: ListPage) -> list[tuple[bytes, bool, bool]]:
    return [(line.version, line.latest, line.marker) for line in found.entries]


ALL = [
    (b"v3", True, False), (b"v2", False, False), (b"v1", False, False),
    (b"m5", True, True), (b"v4", False, False),
    (b"v6", True, False), (b"", False, False),
]  # fmt: skip


def test_versions_newest_first_and_delete_markers_among_them() -> None:
    assert shown(versions(versioned())) == ALL
    assert keys(page(versioned())) == [b"k1", b"k3"]


@pytest.mark.parametrize("start", range(len(ALL)))
def test_resuming_behind_each_version(start: int) -> None:
    index = versioned()
    key = [b"k1"] * 3 + [b"k2"] * 2 + [b"k3"] * 2
    found = versions(index, key[start], ALL[start][0])
    assert shown(found) == ALL[start + 1 :]
    short = versions(index, key[start], ALL[start][0], limit=1)
    assert shown(short) == ALL[start + 1 : start + 2]
    assert short.truncated == (start + 2 < len(ALL))
    if short.truncated:
        assert (short.next_key, short.next_version) == (key[start + 1], ALL[start + 1][0])


def test_a_key_marker_alone_skips_all_of_its_versions() -> None:
    assert shown(versions(versioned(), b"k1")) == ALL[3:]
    assert shown(versions(versioned(), b"k")) == ALL


def test_deleting_page_after_page_reaches_every_version() -> None:
    """The marker's version is gone when the next page is asked for."""
    index = versioned()
    seen = []
    key, version = b"", None
    for _ in range(20):
        found = versions(index, key, version, limit=2)
        seen += shown(found)
        index.begin()
        for line in found.entries:
            current = index.get(ENTRIES, (BUCKET, line.key))
            if current is not None and current.version == line.version:
                index.delete(ENTRIES, (BUCKET, line.key))
                continue
            place = index.get(VERSION_IDS, (BUCKET, line.key, line.version))
            assert place is not None
            index.delete(VERSIONS, (BUCKET, line.key, place.neg_order))
            index.delete(VERSION_IDS, (BUCKET, line.key, line.version))
        index.commit(Mark(2, 1, 1))
        if found.next_key is None:
            break
        key, version = found.next_key, found.next_version
    assert [line[0] for line in seen] == [line[0] for line in ALL]
    assert not index.scan(VERSIONS, (), None, limit=1) and not index.scan(ENTRIES, (), None, limit=1)


def test_a_version_on_its_way_between_the_tables_is_not_missed(tmp_path: Path) -> None:
    """DELETE of the newest version promotes the one below it: a page sees it in one table or the other."""
    path = str(tmp_path / "index.sqlite3")
    writer = SqliteIndex(path)
    writer.begin()
    writer.put(ENTRIES, entry(b"k", b"v2", 2))
    writer.put(VERSIONS, VersionRow(BUCKET, b"k", -1, b"v1", 1, 1, "e", "o", 0, "", 1, 2, 3, b""))
    writer.commit(Mark(1, 1, 1))
    reader = SqliteIndex(path, read_only=True)
    plain = reader.scan

    def promoted_between_scans(table: Any, *arguments: Any, **named: Any) -> Sequence[Any]:
        found = plain(table, *arguments, **named)
        if table is ENTRIES and writer.mark().sequence == 1:
            writer.begin()
            writer.put(ENTRIES, entry(b"k", b"v1", 1))
            writer.delete(VERSIONS, (BUCKET, b"k", -1))
            writer.commit(Mark(2, 1, 1))
        return found

    reader.scan = promoted_between_scans  # type: ignore[method-assign]
    assert b"v1" in [line.version for line in versions(reader).entries]
    assert writer.mark().sequence == 2
    reader.close()
    writer.close()
