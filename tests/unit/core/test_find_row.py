"""A version that moves between the tables while it is looked up is found in one of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kakera.core import store
from kakera.index.interface import Mark
from kakera.index.sqlite import SqliteIndex
from kakera.index.tables import ENTRIES, VERSION_IDS, VERSIONS, EntryRow, VersionIdRow, VersionRow


def entry(version: bytes, order: int) -> EntryRow:
    return EntryRow(7, b"k", version, order, 1, 1, "e", "o", 0, "", 1, 2, 3, b"")


def test_a_version_is_found_while_the_newer_one_is_deleted(tmp_path: Path) -> None:
    path = str(tmp_path / "index.sqlite3")
    writer = SqliteIndex(path)
    writer.begin()
    writer.put(ENTRIES, entry(b"v2", 2))
    writer.put(VERSIONS, VersionRow(7, b"k", -1, b"v1", 1, 1, "e", "o", 0, "", 1, 2, 3, b""))
    writer.put(VERSION_IDS, VersionIdRow(7, b"k", b"v1", -1))
    writer.commit(Mark(1, 1, 1))
    reader = SqliteIndex(path, read_only=True)
    plain = reader.get

    def promoted_between_reads(table: Any, key: Any) -> Any:
        found = plain(table, key)
        if table is ENTRIES and writer.mark().sequence == 1:
            writer.begin()
            writer.put(ENTRIES, entry(b"v1", 1))
            writer.delete(VERSIONS, (7, b"k", -1))
            writer.delete(VERSION_IDS, (7, b"k", b"v1"))
            writer.commit(Mark(2, 1, 1))
        return found

    reader.get = promoted_between_reads  # type: ignore[method-assign]
    held: Any = SimpleNamespace(index=reader, journal=SimpleNamespace(state=SimpleNamespace(mode="ready")))
    bucket: Any = SimpleNamespace(bucket_id=7)
    found = store.find_row(held, bucket, b"k", b"v1")
    assert found is not None and found.version == b"v1" and writer.mark().sequence == 2
    assert store.find_row(held, bucket, b"k", b"v2") is None
    reader.close()
    writer.close()
