"""What only the SQLite engine can get wrong: plans, isolation between connections, checkpoints."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from kakera.base import errors, faults, limits
from kakera.index import statements
from kakera.index.file import discard
from kakera.index.interface import Mark, TransactionFailed, Unusable, still
from kakera.index.sqlite import SqliteIndex
from kakera.index.tables import BULK, ENTRIES, TABLES, BulkRow, Row, Table
from tests.unit.index.rows import commit, segments

# --- plans: every statement is a search by the primary key, never a scan or a sort


def plan(path: str, sql: str, count: int) -> str:
    connection = sqlite3.connect(path)
    try:
        found = connection.execute("EXPLAIN QUERY PLAN " + sql, (1,) * count).fetchall()
    finally:
        connection.close()
    return "; ".join(row[3] for row in found)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_shape_searches_by_the_primary_key(writer: SqliteIndex, path: str, table: Table[Row]) -> None:
    made = statements.Statements(table)
    counts = range(table.keys + 1)
    bounded = [(low, high) for low in counts for high in (-1, *counts[1:]) if low or high > 0]
    shapes = [(made.get, table.keys), (made.delete, table.keys)]
    for low, high in bounded:
        shapes += [(made.scan(low, high, reverse), low + max(high, 0) + 1) for reverse in (False, True)]
        if high > 0:
            shapes.append((made.delete_range(low, high), low + high))
    for sql, count in shapes:
        said = plan(path, sql, count)
        assert said.startswith(f"SEARCH {table.name} USING "), (sql, said)
        assert "PRIMARY KEY" in said and "TEMP B-TREE" not in said and "SCAN" not in said, (sql, said)


def test_both_bounds_of_a_full_key_are_used(writer: SqliteIndex, path: str) -> None:
    said = plan(path, statements.Statements(ENTRIES).scan(2, 2, reverse=False), 5)
    assert "(bucket_id,key)>(?,?) AND (bucket_id,key)<(?,?)" in said


# --- isolation


def test_a_reader_sees_commits_and_nothing_else(writer: SqliteIndex, path: str) -> None:
    reader = SqliteIndex(path, read_only=True)
    commit(writer, 1, BulkRow(1, 1))
    writer.begin()
    writer.put(BULK, BulkRow(2, 2))
    assert segments(reader) == [1] and reader.get(BULK, (2,)) is None and segments(writer) == [1, 2]
    writer.commit(Mark(2, 1, 1))
    assert segments(reader) == [1, 2] and reader.mark() == Mark(2, 1, 1)
    writer.wipe()
    assert segments(reader) == [] and reader.mark() == Mark(0, 0, 0)
    reader.close()


def test_a_get_leaves_no_read_transaction_behind(writer: SqliteIndex, path: str) -> None:
    """A statement that is not run to its end pins the WAL: checkpoints could never start it over."""
    reader = SqliteIndex(path, read_only=True)
    commit(writer, 1, *(BulkRow(number, 1) for number in range(100)))
    assert reader.get(BULK, (5,)) is not None and reader.get(BULK, (500,)) is None
    assert len(reader.scan(BULK, (), None, limit=3)) == 3 and reader.mark().sequence == 1
    assert writer.checkpoint()
    commit(writer, 2, BulkRow(1, 2))
    assert reader.get(BULK, (1,)) == BulkRow(1, 2)
    reader.close()


def test_a_reader_can_hold_still(writer: SqliteIndex, path: str) -> None:
    reader = SqliteIndex(path, read_only=True)
    commit(writer, 1, BulkRow(1, 1))
    with still(reader):
        assert segments(reader) == [1]
        commit(writer, 2, BulkRow(2, 2))
        with still(reader):  # within another: the outer one counts
            assert segments(reader) == [1] and reader.mark().sequence == 1
        assert segments(reader) == [1]
    assert segments(reader) == [1, 2]
    with pytest.raises(ZeroDivisionError), still(reader):
        segments(reader)
        raise ZeroDivisionError
    commit(writer, 3, BulkRow(3, 3))
    assert segments(reader) == [1, 2, 3] and writer.checkpoint()
    writer.begin()
    with still(writer):
        writer.put(BULK, BulkRow(4, 4))
    writer.commit(Mark(4, 1, 1))  # it did not end the writer's transaction
    assert segments(reader) == [1, 2, 3, 4]
    reader.close()


def test_a_reader_cannot_write(writer: SqliteIndex, path: str) -> None:
    reader = SqliteIndex(path, read_only=True)
    with pytest.raises(RuntimeError):
        reader.begin()
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._execute("DELETE FROM bulk")  # not only our own word
    reader.close()


def test_a_second_writer_is_refused(writer: SqliteIndex, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INDEX_BUSY_S", 0.01)
    other = SqliteIndex(path)
    writer.begin()
    with pytest.raises(TransactionFailed):
        other.begin()
    writer.rollback()
    other.close()


def test_a_reader_opens_before_the_writer_of_a_later_start(path: str) -> None:
    first = SqliteIndex(path)
    commit(first, 1, BulkRow(1, 1))
    first.close()  # checkpoints, and removes the WAL
    reader = SqliteIndex(path, read_only=True)
    assert segments(reader) == [1]
    second = SqliteIndex(path)
    commit(second, 2, BulkRow(2, 2))
    assert segments(reader) == [1, 2] and reader.mark().sequence == 2
    reader.close()
    second.close()


def test_no_file_yet(path: str) -> None:
    with pytest.raises(errors.NotReady):
        SqliteIndex(path, read_only=True)
    assert not os.path.exists(path)
    Path(path).touch()  # the writer has made the file and not yet its tables
    with pytest.raises(errors.NotReady):
        SqliteIndex(path, read_only=True)


# --- WAL and checkpoints


def test_a_commit_never_checkpoints_and_a_checkpoint_starts_the_wal_over(writer: SqliteIndex, path: str) -> None:
    for sequence in range(1, 30):
        commit(writer, sequence, *(BulkRow(sequence * 1000 + number, 1) for number in range(200)))
    grown = writer.wal_bytes()
    assert grown > 30 * limits.INDEX_PAGE_BYTES and grown == os.path.getsize(path + "-wal")
    before = os.path.getsize(path)
    assert writer.checkpoint()
    assert writer.wal_bytes() < grown // 4 and os.path.getsize(path) > before
    assert len(segments(writer)) == 29 * 200 and writer.mark() == Mark(29, 1, 1)
    commit(writer, 30, BulkRow(1, 1))
    assert writer.mark().sequence == 30 and not writer.check()


def test_a_reader_in_the_way_postpones_the_end_of_a_checkpoint(writer: SqliteIndex, path: str) -> None:
    commit(writer, 1, BulkRow(1, 1))
    slow = sqlite3.connect(path, isolation_level=None)
    slow.execute("BEGIN")
    slow.execute("SELECT count(*) FROM bulk").fetchall()
    commit(writer, 2, BulkRow(2, 2))
    assert not writer.checkpoint()
    commit(writer, 3, BulkRow(3, 3))  # nobody was kept out
    slow.execute("COMMIT")
    slow.close()
    assert writer.checkpoint() and segments(writer) == [1, 2, 3]


def test_checkpoints_in_a_thread_beside_the_writer(writer: SqliteIndex) -> None:
    failures: list[BaseException] = []
    stop = threading.Event()

    def run() -> None:
        try:
            while not stop.is_set():
                writer.checkpoint()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    for sequence in range(1, 200):
        commit(writer, sequence, BulkRow(sequence, 1))
    stop.set()
    thread.join()
    assert not failures and segments(writer) == list(range(1, 200)) and not writer.check()


def test_what_was_synced_is_in_the_files(writer: SqliteIndex, path: str, tmp_path: Path) -> None:
    """A copy of the two files is what a power cut leaves once their bytes are synced; shared memory is gone."""
    commit(writer, 1, BulkRow(1, 1))
    writer.checkpoint()
    commit(writer, 2, BulkRow(2, 2))
    writer.sync()
    for suffix in ("", "-wal"):
        shutil.copy(path + suffix, tmp_path / f"copy{suffix}")
    copy = SqliteIndex(str(tmp_path / "copy"))
    assert segments(copy) == [1, 2] and copy.mark() == Mark(2, 1, 1)
    copy.close()


@pytest.mark.parametrize("lost_bytes", [1, 24, 1000, 3000, 6000])
def test_a_torn_wal_is_an_earlier_commit(writer: SqliteIndex, path: str, tmp_path: Path, lost_bytes: int) -> None:
    for sequence in (1, 2, 3):
        commit(writer, sequence, BulkRow(sequence, 1))
    shutil.copy(path, tmp_path / "copy")
    wal = Path(path + "-wal").read_bytes()
    (tmp_path / "copy-wal").write_bytes(wal[:-lost_bytes] + b"\0" * (lost_bytes // 2))
    copy = SqliteIndex(str(tmp_path / "copy"))
    assert copy.mark().sequence < 3
    assert segments(copy) == list(range(1, copy.mark().sequence + 1))
    copy.close()


def test_a_wal_over_the_limit_is_checkpointed_beside_the_writer(
    writer: SqliteIndex, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that hardly leaves a gap between its transactions must not keep the WAL from starting over."""
    monkeypatch.setattr(limits, "INDEX_WAL_BYTES", 100_000)
    largest = 0
    for sequence in range(1, 2000):
        writer.begin()
        writer.put(BULK, BulkRow(sequence * 7919 % 1000, sequence))
        writer.commit(Mark(sequence, 1, 1))
        largest = max(largest, writer.wal_bytes())
    with writer._checkpointing:  # one may be under way
        assert writer.wal_bytes() < 2_000_000 and largest > 100_000
    checkpoints = sqlite3.connect(path).execute("SELECT checkpoints FROM mark").fetchone()[0]
    assert checkpoints >= 2 and writer.mark().sequence == 1999 and not writer.check()


@pytest.mark.parametrize("point", ["index.sync", "index.checkpoint"])
def test_after_a_failed_sync_neither_this_process_nor_the_next_believes_the_file(
    writer: SqliteIndex, path: str, point: str
) -> None:
    commit(writer, 1, BulkRow(1, 1))
    step = writer.sync if point == "index.sync" else writer.checkpoint
    faults.plan = faults.Plan(error={point: "EIO"})
    with pytest.raises(Unusable):
        step()
    faults.plan = None
    for again in (writer.sync, writer.begin):
        with pytest.raises(Unusable):
            again()
    writer.close()
    for read_only in (False, True):
        with pytest.raises(Unusable):
            SqliteIndex(path, read_only=read_only)
    discard(path)
    again_made = SqliteIndex(path)
    assert again_made.mark() == Mark(0, 0, 0)
    again_made.close()


def test_a_failure_of_the_thread_shows_at_the_next_begin(writer: SqliteIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INDEX_WAL_BYTES", 0)
    faults.plan = faults.Plan(error={"index.checkpoint": "EIO"})
    with pytest.raises(Unusable):
        for sequence in range(1, 100_000):
            commit(writer, sequence, BulkRow(1, sequence))
