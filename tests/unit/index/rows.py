"""Rows put in and read back through a writer."""

from __future__ import annotations

from kakera.index.interface import Mark
from kakera.index.sqlite import SqliteIndex
from kakera.index.tables import BULK, BulkRow


def commit(index: SqliteIndex, sequence: int, *rows: BulkRow) -> None:
    index.begin()
    for row in rows:
        index.put(BULK, row)
    index.commit(Mark(sequence, 1, 1))


def segments(index: SqliteIndex) -> list[int]:
    return [row.segment for row in index.scan(BULK, (), None, limit=100_000)]
