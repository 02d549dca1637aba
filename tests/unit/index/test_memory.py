"""What the memory engine has beyond the interface: going back to an earlier commit."""

from __future__ import annotations

import pytest

from kakera.index.interface import Mark
from kakera.index.memory import MemoryIndex
from kakera.index.tables import BULK, BulkRow


def commit(index: MemoryIndex, sequence: int, *rows: BulkRow) -> None:
    index.begin()
    for row in rows:
        index.put(BULK, row)
    index.commit(Mark(sequence, 1, 1))


def test_restore_goes_back_and_forth() -> None:
    index = MemoryIndex()
    commit(index, 1, BulkRow(1, 1))
    early = index.snapshot()
    commit(index, 2, BulkRow(1, 100), BulkRow(2, 2))
    late = index.snapshot()
    index.restore(early)
    assert index.mark().sequence == 1 and index.scan(BULK, (), None, limit=9) == [BulkRow(1, 1)]
    commit(index, 2, BulkRow(5, 5))
    index.restore(late)
    assert index.mark().sequence == 2
    assert index.scan(BULK, (), None, limit=9) == [BulkRow(1, 100), BulkRow(2, 2)]
    index.restore(early)
    assert index.get(BULK, (5,)) is None


def test_restore_ends_an_open_transaction() -> None:
    index = MemoryIndex()
    early = index.snapshot()
    index.begin()
    index.put(BULK, BulkRow(1, 1))
    index.restore(early)
    index.rollback()
    assert index.scan(BULK, (), None, limit=9) == []


def test_no_snapshot_of_what_is_not_committed() -> None:
    index = MemoryIndex()
    index.begin()
    with pytest.raises(RuntimeError):
        index.snapshot()
