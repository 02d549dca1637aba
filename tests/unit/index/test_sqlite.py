"""What only the SQLite engine can get wrong: plans, isolation between connections, checkpoints, foreign and damaged
files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kakera.base import errors, faults, limits
from kakera.index import sqlite, statements
from kakera.index.interface import Mark, TransactionFailed, Unusable, distrusted, still
from kakera.index.sqlite import SqliteIndex, discard
from kakera.index.tables import BULK, ENTRIES, TABLES, BulkRow, EntryRow, Row, Table


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "index.sqlite3")


@pytest.fixture
def writer(path: str) -> Iterator[SqliteIndex]:
    index = SqliteIndex(path)
    yield index
    faults.plan = None
    index.close()


def commit(index: SqliteIndex, sequence: int, *rows: BulkRow) -> None:
    index.begin()
    for row in rows:
        index.put(BULK, row)
    index.commit(Mark(sequence, 1, 1))


def segments(index: SqliteIndex) -> list[int]:
    return [row.segment for row in index.scan(BULK, (), None, limit=100_000)]


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


# --- files that are not ours


def _foreign(path: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (name)")
    connection.commit()
    connection.close()


def _text(path: str) -> None:
    Path(path).write_text("these are not the bytes you are looking for\n" * 100)


def _other_format(path: str) -> None:
    SqliteIndex(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {statements.FORMAT + 1}")
    connection.close()


def _other_tables(path: str) -> None:
    SqliteIndex(path).close()
    connection = sqlite3.connect(path)
    connection.execute("ALTER TABLE entries ADD COLUMN mood")
    connection.close()


def _cut(path: str) -> None:
    index = SqliteIndex(path)
    commit(index, 1, *(BulkRow(number, 1) for number in range(1000)))
    index.close()
    os.truncate(path, 700)


def _header_flipped(path: str) -> None:
    SqliteIndex(path).close()
    with open(path, "r+b") as file:
        file.seek(5)
        file.write(b"\xff")


@pytest.mark.parametrize("make", [_foreign, _text, _other_format, _other_tables, _cut, _header_flipped])
@pytest.mark.parametrize("read_only", [False, True])
def test_an_unsound_file_is_reported_and_can_be_discarded(
    path: str, make: Callable[[str], None], read_only: bool
) -> None:
    make(path)
    content = Path(path).read_bytes()
    with pytest.raises(Unusable):
        SqliteIndex(path, read_only=read_only)
    assert Path(path).read_bytes() == content  # somebody else's file is not touched
    discard(path)
    index = SqliteIndex(path)
    assert index.mark() == Mark(0, 0, 0)
    index.close()


def test_a_damaged_page_is_unusable_and_not_an_answer(path: str) -> None:
    index = SqliteIndex(path)
    rows = [EntryRow(1, b"%06d" % n, b"", n, 1, 1, "e", "o", 0, "", 1, 2, 3, b"") for n in range(2000)]
    index.begin()
    for row in rows:
        index.put(ENTRIES, row)
    index.commit(Mark(1, 1, 1))
    index.close()
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        for page in range(20, size // limits.INDEX_PAGE_BYTES):
            file.seek(page * limits.INDEX_PAGE_BYTES)
            file.write(b"\xee" * 64)
    damaged = SqliteIndex(path)
    with pytest.raises(Unusable):
        damaged.scan(ENTRIES, (), None, limit=5000)
    with pytest.raises(Unusable):
        damaged.begin()
    assert damaged.check()
    damaged.close()


def test_a_reader_notices_that_the_file_was_made_anew(writer: SqliteIndex, path: str) -> None:
    reader = SqliteIndex(path, read_only=True)
    assert not reader.replaced()
    writer.close()
    discard(path)
    assert reader.replaced()
    again = SqliteIndex(path)
    assert reader.replaced()
    reader.close()
    again.close()


@pytest.mark.parametrize("name", ["a?b", "50%", "a#b", "with space", "欠片"])
def test_any_folder_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    index = SqliteIndex(str(folder / "index.sqlite3"))
    commit(index, 1, BulkRow(1, 1))
    index.close()
    assert (folder / "index.sqlite3").exists()


@pytest.mark.parametrize("key", [None, ["list"], 1 << 63])
def test_a_key_of_no_possible_type_is_a_defect_and_not_stored(writer: SqliteIndex, key: object) -> None:
    writer.begin()
    with pytest.raises((sqlite3.Error, OverflowError)):
        writer.put(ENTRIES, EntryRow(1, key, b"", 1, 1, 1, "e", "o", 0, "", 1, 2, 3, b""))  # type: ignore[arg-type]
    writer.rollback()
    assert writer.scan(ENTRIES, (), None, limit=1) == []


# --- SQLite gives a transaction up by itself (FULL, IOERR, NOMEM), and is in autocommit from then on


@pytest.mark.parametrize("retried", [False, True])
def test_nothing_is_written_behind_a_transaction_that_sqlite_gave_up(
    writer: SqliteIndex, path: str, retried: bool
) -> None:
    commit(writer, 1, BulkRow(1, 1))
    pages = writer._connection.execute("PRAGMA page_count").fetchone()[0]
    writer._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    writer.begin()
    with pytest.raises(TransactionFailed):
        for number in range(2, 10_000):
            writer.put(BULK, BulkRow(number, 1))
    assert not writer._connection.in_transaction  # what makes it dangerous
    writer._connection.execute("PRAGMA max_page_count = 1000000")
    with pytest.raises(TransactionFailed):
        writer.put(BULK, BulkRow(20_000, 1))
    if retried:
        with pytest.raises(TransactionFailed):
            writer.get(BULK, (1,))
    with pytest.raises(TransactionFailed):
        writer.commit(Mark(2, 1, 1))
    reader = SqliteIndex(path, read_only=True)
    assert reader.mark() == writer.mark() == Mark(1, 1, 1) and segments(reader) == [1]
    commit(writer, 2, BulkRow(2, 2))
    assert reader.mark() == Mark(2, 1, 1) and segments(reader) == [1, 2]
    reader.close()


def test_a_transaction_that_ended_unseen_takes_no_write(writer: SqliteIndex) -> None:
    commit(writer, 1, BulkRow(1, 1))
    writer.begin()
    writer._connection.execute("ROLLBACK")
    with pytest.raises(TransactionFailed):
        writer.commit(Mark(2, 1, 1))
    assert writer.mark() == Mark(1, 1, 1)


# --- damage inside, seen by the writer or by a reader, is the end of the file; trouble of the moment is not


def _damaged(path: str) -> None:
    index = SqliteIndex(path)
    index.begin()
    for number in range(2000):
        index.put(ENTRIES, EntryRow(1, b"%06d" % number, b"", number, 1, 1, "e", "o", 0, "", 1, 2, 3, b""))
    index.commit(Mark(1, 1, 1))
    index.close()
    with open(path, "r+b") as file:
        at = file.read().find(b"001000") // limits.INDEX_PAGE_BYTES * limits.INDEX_PAGE_BYTES
        file.seek(at)
        file.write(b"\xff" * 16)


@pytest.mark.parametrize("step", ["get", "put"])
def test_whoever_follows_does_not_open_a_file_that_was_found_damaged(path: str, step: str) -> None:
    _damaged(path)
    index = SqliteIndex(path)
    index.begin()
    with pytest.raises(Unusable):
        if step == "get":
            index.get(ENTRIES, (1, b"001000"))
        else:
            index.put(ENTRIES, EntryRow(1, b"001000", b"", 1, 1, 1, "e", "o", 0, "", 1, 2, 3, b""))
    index.rollback()
    assert distrusted(index)
    index.close()
    with pytest.raises(Unusable):
        SqliteIndex(path)
    discard(path)
    again = SqliteIndex(path)
    assert not distrusted(again)
    again.close()


def test_a_reader_that_finds_damage_ends_the_writer(path: str) -> None:
    _damaged(path)
    writer = SqliteIndex(path)
    reader = SqliteIndex(path, read_only=True)
    writer.begin()
    writer.rollback()
    with pytest.raises(Unusable):
        reader.get(ENTRIES, (1, b"001000"))
    with pytest.raises(Unusable):
        writer.begin()
    discard(path)
    again = SqliteIndex(path)
    with pytest.raises(Unusable):
        reader.get(ENTRIES, (1, b"001000"))  # of the old file: nothing is said against the new one
    assert not distrusted(again)
    for index in (reader, writer, again):
        index.close()


@pytest.mark.parametrize(
    "code", ["SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_FULL", "SQLITE_BUSY", "SQLITE_NOMEM", "SQLITE_READONLY"]
)
def test_a_file_that_cannot_be_opened_now_is_not_condemned(
    path: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        error = sqlite3.OperationalError("not now")
        error.sqlite_errorcode = getattr(sqlite3, code)
        raise error

    made = SqliteIndex(path)
    commit(made, 1, BulkRow(1, 1))
    made.close()
    for place in ("_settings", "_create", "_verify"):
        with monkeypatch.context() as patched:
            patched.setattr(sqlite, place, fail)
            with pytest.raises((errors.NotReady, errors.Busy)):
                SqliteIndex(path)
    again = SqliteIndex(path)
    assert segments(again) == [1]
    again.close()


def test_no_descriptors_left_is_not_the_fault_of_the_file(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    SqliteIndex(path).close()

    def fail(*_: object) -> int:
        raise OSError(24, "too many open files")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(errors.NotReady):
        SqliteIndex(path)


def test_its_files_are_for_their_owner_alone(path: str) -> None:
    Path(path).touch(0o644)
    for _ in range(2):
        index = SqliteIndex(path)
        commit(index, index.mark().sequence + 1, BulkRow(1, 1))
        assert [os.stat(path + suffix).st_mode & 0o777 for suffix in ("", "-wal", "-shm")] == [0o600] * 3
        index.close()
        discard(path)
