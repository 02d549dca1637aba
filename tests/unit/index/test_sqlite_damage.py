"""Foreign and damaged files under the SQLite engine, and transactions that it gave up by itself."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from kakera.base import errors, limits
from kakera.index import file as index_file
from kakera.index import sqlite, statements
from kakera.index.interface import Mark, TransactionFailed, Unusable, distrusted
from kakera.index.sqlite import SqliteIndex
from kakera.index.tables import BULK, ENTRIES, BulkRow, EntryRow
from tests.unit.index.rows import commit, segments

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
    index_file.discard(path)
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
    index_file.discard(path)
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
    with pytest.raises((sqlite3.Error, OverflowError, TypeError)):
        writer.put(ENTRIES, EntryRow(1, key, b"", 1, 1, 1, "e", "o", 0, "", 1, 2, 3, b""))  # type: ignore[arg-type]
        writer.commit(Mark(1, 1, 1))  # where it is noticed: rows reach SQLite together
    writer.rollback()
    assert writer.mark() == Mark(0, 0, 0)
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
            index.commit(Mark(1, 1, 1))
    index.rollback()
    assert distrusted(index)
    index.close()
    with pytest.raises(Unusable):
        SqliteIndex(path)
    index_file.discard(path)
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
    index_file.discard(path)
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
    for module, place in ((index_file, "_settings"), (sqlite, "create"), (sqlite, "verify")):
        with monkeypatch.context() as patched:
            patched.setattr(module, place, fail)
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
        index_file.discard(path)
