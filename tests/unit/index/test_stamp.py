"""A reader remembers buckets only as long as nobody changed one (docs/spec/index.md)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from kakera.base import errors
from kakera.index.file import SUSPECT, discard
from kakera.index.interface import Mark, TransactionFailed
from kakera.index.sqlite import SqliteIndex
from kakera.index.stamp import SUFFIX, Remembered, Stamp
from kakera.index.tables import BUCKETS, BULK, ENTRIES, BucketRow, BulkRow

NAME = "photos"


def bucket(generation: int, name: str = NAME) -> BucketRow:
    return BucketRow(name, 7, "owner", 0, generation, 0, "", b"")


def put(index: SqliteIndex, row: BucketRow, sequence: int) -> None:
    index.begin()
    index.put(BUCKETS, row)
    index.commit(Mark(sequence, 1, sequence))


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "index.sqlite3")


def reads(reader: SqliteIndex, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements the reader runs from now on."""
    seen: list[str] = []
    execute = reader._execute

    def counted(sql: str, parameters: object = ()) -> sqlite3.Cursor:
        seen.append(sql)
        return execute(sql, parameters)

    monkeypatch.setattr(reader, "_execute", counted)
    return seen


def test_a_bucket_is_read_once_until_one_changes(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = SqliteIndex(path)
    put(writer, bucket(1), 1)
    reader = SqliteIndex(path, read_only=True)
    seen = reads(reader, monkeypatch)
    assert [reader.get(BUCKETS, (NAME,)) for _ in range(3)] == [bucket(1)] * 3
    assert len(seen) == 1
    put(writer, bucket(2), 2)
    assert [reader.get(BUCKETS, (NAME,)) for _ in range(3)] == [bucket(2)] * 3
    assert len(seen) == 2


def test_objects_leave_it_alone(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = SqliteIndex(path)
    put(writer, bucket(1), 1)
    reader = SqliteIndex(path, read_only=True)
    reader.get(BUCKETS, (NAME,))
    seen = reads(reader, monkeypatch)
    writer.begin()
    writer.put(BULK, BulkRow(1, 1))
    writer.commit(Mark(2, 1, 2))
    assert reader.get(BUCKETS, (NAME,)) == bucket(1)
    assert not seen


def test_a_bucket_that_goes_is_gone_at_once_and_what_is_not_there_is_asked_again(path: str) -> None:
    writer = SqliteIndex(path)
    put(writer, bucket(1), 1)
    reader = SqliteIndex(path, read_only=True)
    assert reader.get(BUCKETS, (NAME,)) == bucket(1)
    writer.begin()
    writer.delete(BUCKETS, (NAME,))
    writer.commit(Mark(2, 1, 2))
    assert reader.get(BUCKETS, (NAME,)) is None
    put(writer, bucket(3), 3)
    assert reader.get(BUCKETS, (NAME,)) == bucket(3)
    writer.wipe()
    assert reader.get(BUCKETS, (NAME,)) is None


def test_between_the_two_halves_of_a_change_nothing_is_remembered(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = SqliteIndex(path)
    put(writer, bucket(1), 1)
    reader = SqliteIndex(path, read_only=True)
    assert writer._stamp is not None
    writer._stamp.begin()  # and the writer is killed here: what it committed is not told to anybody
    seen = reads(reader, monkeypatch)
    assert [reader.get(BUCKETS, (NAME,)) for _ in range(2)] == [bucket(1)] * 2
    assert len(seen) == 2
    writer.close()
    successor = SqliteIndex(path)
    assert [reader.get(BUCKETS, (NAME,)) for _ in range(2)] == [bucket(1)] * 2
    assert len(seen) == 3
    successor.close()


def test_a_commit_that_fails_ends_the_change(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("not now")

    writer = SqliteIndex(path)
    put(writer, bucket(1), 1)
    reader = SqliteIndex(path, read_only=True)
    with monkeypatch.context() as patched:
        patched.setattr(writer, "_flush", fail)
        with pytest.raises(TransactionFailed):
            put(writer, bucket(2), 2)
    seen = reads(reader, monkeypatch)
    assert [reader.get(BUCKETS, (NAME,)) for _ in range(2)] == [bucket(1)] * 2
    assert len(seen) == 1


def test_a_row_read_while_a_change_was_committed_is_not_remembered(tmp_path: Path) -> None:
    writer = Stamp(str(tmp_path / "i"), write=True)
    remembered = Remembered(Stamp(str(tmp_path / "i"), write=False))
    before = remembered.now
    writer.begin()
    writer.end()
    remembered.put(NAME, bucket(1), before)
    assert remembered.get(NAME) is None
    remembered.put(NAME, bucket(2), remembered.now)
    assert remembered.get(NAME) == bucket(2)
    writer.begin()
    assert remembered.get(NAME) is None
    remembered.put(NAME, bucket(2), remembered.now)
    assert remembered.get(NAME) is None


def test_a_snapshot_that_is_older_than_the_stamp_is_not_remembered(path: str) -> None:
    writer = SqliteIndex(path)
    put(writer, bucket(1), 1)
    reader = SqliteIndex(path, read_only=True)
    with reader.still():
        reader.get(ENTRIES, (1, b"k"))  # the snapshot begins
        put(writer, bucket(2), 2)
        assert reader.get(BUCKETS, (NAME,)) == bucket(1)
    assert reader.get(BUCKETS, (NAME,)) == bucket(2)


def test_without_a_stamp_every_row_is_read(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = SqliteIndex(path)
    put(writer, bucket(1), 1)
    Path(path + SUFFIX).unlink()
    reader = SqliteIndex(path, read_only=True)
    seen = reads(reader, monkeypatch)
    assert [reader.get(BUCKETS, (NAME,)) for _ in range(2)] == [bucket(1)] * 2
    assert len(seen) == 2


def test_an_index_made_anew_moves_the_stamp_of_the_old_one(path: str) -> None:
    writer = SqliteIndex(path)
    put(writer, bucket(1), 1)
    reader = SqliteIndex(path, read_only=True)
    reader.get(BUCKETS, (NAME,))
    assert reader._remembered is not None
    under = reader._remembered.now
    writer.close()
    discard(path)
    SqliteIndex(path).close()
    assert reader._remembered.now != under
    assert reader.replaced()


def test_the_number_never_ends(tmp_path: Path) -> None:
    stamp = Stamp(str(tmp_path / "i"), write=True)
    stamp._words[0] = (1 << 62) - 1
    stamp.end()
    assert 0 < stamp.now < 1 << 63
    stamp._words[0] = (1 << 64) - 1
    stamp.begin()
    stamp.end()
    assert stamp.now % 2 == 0


def test_many_buckets_do_not_fill_the_memory(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from kakera.base import limits

    monkeypatch.setattr(limits, "BUCKETS_REMEMBERED", 3)
    writer = SqliteIndex(path)
    for number in range(5):
        put(writer, bucket(number, f"b{number}"), number + 1)
    reader = SqliteIndex(path, read_only=True)
    assert [reader.get(BUCKETS, (f"b{number}",)) for number in range(5)] == [bucket(n, f"b{n}") for n in range(5)]
    assert reader._remembered is not None
    assert len(reader._remembered._rows) <= 3


def test_a_stamp_that_is_another_file_counts_as_an_index_made_anew(path: str) -> None:
    """Removed by a clean-up, or put back from a copy: its number would never move again for who holds the old one."""
    writer = SqliteIndex(path)
    put(writer, bucket(1), 1)
    reader = SqliteIndex(path, read_only=True)
    assert not reader.replaced()
    Path(path + SUFFIX).unlink()
    assert reader.replaced()
    writer.close()
    SqliteIndex(path).close()
    assert reader.replaced()
    assert not SqliteIndex(path, read_only=True).replaced()


def test_damage_is_told_even_when_the_stamp_is_gone(path: str) -> None:
    SqliteIndex(path).close()
    reader = SqliteIndex(path, read_only=True)
    Path(path + SUFFIX).unlink()
    reader._distrust("a page is not what it was")
    assert Path(path + SUSPECT).exists()


def test_a_reader_that_was_closed_is_busy_and_not_broken(path: str) -> None:
    writer = SqliteIndex(path)
    put(writer, bucket(1), 1)
    reader = SqliteIndex(path, read_only=True)
    reader.get(BUCKETS, (NAME,))
    reader.close()
    with pytest.raises(errors.Busy):
        reader.get(BUCKETS, (NAME,))
