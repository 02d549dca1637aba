"""The conformance suite: what `index/interface.py` promises, of every engine."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kakera.base import faults
from kakera.index.interface import Index, Key, Mark, TransactionFailed
from kakera.index.memory import MemoryIndex
from kakera.index.sqlite import SqliteIndex
from kakera.index.tables import (
    APPLIED,
    BUCKETS,
    BULK,
    ENTRIES,
    PARTS,
    TABLES,
    UPLOADS,
    VERSIONS,
    AppliedRow,
    BucketRow,
    BulkRow,
    EntryRow,
    PartRow,
    Row,
    Table,
    UploadRow,
    VersionRow,
)

FIRST = Mark(1, 1, 1)
ENGINES: dict[str, Callable[[Path], Index]] = {
    "memory": lambda folder: MemoryIndex(),
    "sqlite": lambda folder: SqliteIndex(str(folder / "index.sqlite3")),
}


@pytest.fixture(params=sorted(ENGINES))
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Index]:
    made = ENGINES[request.param](tmp_path)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def no_faults() -> Iterator[None]:
    yield
    faults.plan = None


def entry(bucket_id: int, key: bytes, size: int = 1) -> EntryRow:
    return EntryRow(bucket_id, key, b"", 7, 1000, size, "e" * 32, "main", 0, "", 1 << 40, 4096, 512, b"")


def version(bucket_id: int, key: bytes, order: int) -> VersionRow:
    return VersionRow(bucket_id, key, -order, b"v" * 16, 1000, 1, "", "main", 1, "", 1, 2, 3, b"")


def part(upload_id: bytes, number: int) -> PartRow:
    return PartRow(upload_id, number, b"p" * 16, 5, "e", 1000, False, "", 1, 2, 3)


def fill(index: Index, *rows: tuple[Table[Row], Row], mark: Mark = FIRST) -> None:
    index.begin()
    for table, row in rows:
        index.put(table, row)
    index.commit(mark)


def bulks(index: Index, low: int = 0, high: int | None = None) -> list[int]:
    return [row.segment for row in index.scan(BULK, (low,), None if high is None else (high,), limit=1000)]


# --- rows


def test_every_column_of_every_table_comes_back(index: Index) -> None:
    values = {int: -(1 << 63), str: "näme\0 欠片", bytes: b"\0\xff\x80", bool: True}
    index.begin()
    for number, table in enumerate(TABLES):
        types = table.row.__annotations__.values()
        row = table.row(*(values[{"int": int, "str": str, "bytes": bytes, "bool": bool}[kind]] for kind in types))
        index.put(table, row)
        key = tuple(getattr(row, name) for name in row.__struct_fields__[: table.keys])
        assert index.get(table, key) == row, number
        assert list(index.scan(table, (), None, limit=9)) == [row]
    index.commit(Mark(1, 2, 3))


def test_a_put_replaces_the_row_of_the_same_key_only(index: Index) -> None:
    fill(index, (ENTRIES, entry(1, b"a")), (ENTRIES, entry(1, b"a\0")), (ENTRIES, entry(2, b"a")))
    fill(index, (ENTRIES, entry(1, b"a", 99)))
    assert [row.size for row in index.scan(ENTRIES, (), None, limit=9)] == [99, 1, 1]
    assert index.get(ENTRIES, (1, b"a")) == entry(1, b"a", 99)


def test_get_of_what_is_not_there(index: Index) -> None:
    fill(index, (ENTRIES, entry(1, b"a")))
    assert index.get(ENTRIES, (1, b"")) is None
    assert index.get(ENTRIES, (2, b"a")) is None
    assert index.get(BUCKETS, ("a",)) is None


def test_a_key_of_the_wrong_length_is_a_defect(index: Index) -> None:
    with pytest.raises(ValueError):
        index.get(ENTRIES, (1,))
    index.begin()
    with pytest.raises(ValueError):
        index.delete(ENTRIES, (1,))


def test_delete_takes_one_row_and_forgives_none(index: Index) -> None:
    fill(index, (ENTRIES, entry(1, b"a")), (ENTRIES, entry(1, b"b")))
    index.begin()
    index.delete(ENTRIES, (1, b"a"))
    index.delete(ENTRIES, (1, b"zzz"))
    index.commit(Mark(2, 1, 1))
    assert [row.key for row in index.scan(ENTRIES, (1,), (2,), limit=9)] == [b"b"]


# --- order and bounds


def test_bytes_order_as_bytes(index: Index) -> None:
    keys = [b"", b"\0", b"\0\0", b"A", b"a", b"a\0", b"a/", b"a/b", b"aa", b"\x7f", b"\x80", b"\xff", b"\xff\xff"]
    fill(index, *((ENTRIES, entry(1, key)) for key in reversed(keys)))
    assert [row.key for row in index.scan(ENTRIES, (1,), (2,), limit=99)] == sorted(keys)
    assert [row.key for row in index.scan(ENTRIES, (1,), (2,), limit=99, reverse=True)] == sorted(keys)[::-1]


def test_integers_order_as_numbers(index: Index) -> None:
    numbers = [-(1 << 63), -256, -1, 0, 1, 9, 10, 255, 256, 1 << 40, (1 << 63) - 1]
    fill(index, *((BULK, BulkRow(number, 0)) for number in reversed(numbers)))
    assert [row.segment for row in index.scan(BULK, (), None, limit=99)] == numbers


def test_text_orders_by_code_point(index: Index) -> None:
    names = ["", "Z", "a", "a-b", "ab", "ä", "\ue000", "\U00010000"]  # UTF-16 would turn the last two round
    fill(index, *((BUCKETS, BucketRow(name, 1, "", 0, 0, 0, "", b"")) for name in reversed(names)))
    assert [row.name for row in index.scan(BUCKETS, (), None, limit=99)] == names


def test_newest_version_first(index: Index) -> None:
    fill(index, *((VERSIONS, version(1, b"k", order)) for order in (5, 900, 30)), (VERSIONS, version(1, b"k\0", 1000)))
    found = index.scan(VERSIONS, (1, b"k"), (1, b"k\0"), limit=9)
    assert [-row.neg_order for row in found] == [900, 30, 5]


def test_low_is_in_high_is_out(index: Index) -> None:
    fill(index, *((BULK, BulkRow(number, 0)) for number in range(10)))
    assert bulks(index, 3, 7) == [3, 4, 5, 6]
    assert bulks(index, 7) == [7, 8, 9]
    assert bulks(index, 7, 7) == []
    assert bulks(index, 8, 3) == []


SHORT_BOUNDS: list[tuple[Key, Key | None, list[tuple[int, bytes, int]]]] = [
    ((), None, [(1, b"a", 1), (1, b"a", 2), (1, b"b", 1), (2, b"", 1), (2, b"a", 1)]),
    ((1,), (2,), [(1, b"a", 1), (1, b"a", 2), (1, b"b", 1)]),
    ((1, b"a"), (1, b"b"), [(1, b"a", 1), (1, b"a", 2)]),
    ((1, b"a", b"\2"), (2,), [(1, b"a", 2), (1, b"b", 1)]),
    ((1,), (2, b"a"), [(1, b"a", 1), (1, b"a", 2), (1, b"b", 1), (2, b"", 1)]),
    ((1, b"a", b"\3"), (2, b"a", b"\1"), [(1, b"b", 1), (2, b"", 1)]),
    ((2,), None, [(2, b"", 1), (2, b"a", 1)]),
    ((), (), []),
    ((), (1, b"b"), [(1, b"a", 1), (1, b"a", 2)]),
    ((2,), (1,), []),
]


@pytest.mark.parametrize(("low", "high", "expected"), SHORT_BOUNDS)
def test_short_bounds_compare_by_their_prefix(
    index: Index, low: Key, high: Key | None, expected: list[tuple[int, bytes, int]]
) -> None:
    places = [(2, b"a", 1), (1, b"b", 1), (1, b"a", 2), (2, b"", 1), (1, b"a", 1)]
    rows = [UploadRow(b, k, bytes([n]), 0, "", "", 1, 2, 3) for b, k, n in places]
    fill(index, *((UPLOADS, row) for row in rows))

    def scan(limit: int, reverse: bool) -> list[tuple[int, bytes, int]]:
        found = index.scan(UPLOADS, low, high, limit=limit, reverse=reverse)
        return [(row.bucket_id, row.key, row.upload_id[0]) for row in found]

    assert scan(99, reverse=False) == expected
    assert scan(99, reverse=True) == expected[::-1]
    assert scan(2, reverse=False) == expected[:2]
    assert scan(2, reverse=True) == expected[::-1][:2]


def test_delete_range_compares_as_a_scan(index: Index) -> None:
    fill(index, *((PARTS, part(upload, number)) for upload in (b"a", b"b", b"c") for number in (1, 2, 3)))
    index.begin()
    index.delete_range(PARTS, (b"a", 2), (b"b", 2))
    index.delete_range(PARTS, (b"c",), (b"c", 3))
    index.delete_range(PARTS, (b"c", 3), (b"a",))
    index.commit(Mark(2, 1, 1))
    left = [(row.upload_id, row.part_number) for row in index.scan(PARTS, (), None, limit=99)]
    assert left == [(b"a", 1), (b"b", 2), (b"b", 3), (b"c", 3)]


# --- transactions


def test_the_writer_sees_its_own_changes(index: Index) -> None:
    index.begin()
    index.put(BULK, BulkRow(1, 1))
    index.put(BULK, BulkRow(2, 1))
    index.delete(BULK, (1,))
    assert bulks(index) == [2]
    assert index.get(BULK, (1,)) is None
    index.commit(Mark(1, 1, 1))
    assert bulks(index) == [2]


def test_a_rollback_takes_everything_back(index: Index) -> None:
    fill(index, *((BULK, BulkRow(number, number)) for number in range(5)), mark=Mark(3, 4, 5))
    index.begin()
    index.put(BULK, BulkRow(1, 77))
    index.put(BULK, BulkRow(9, 9))
    index.delete(BULK, (2,))
    index.delete_range(BULK, (3,), (10,))
    index.put(BULK, BulkRow(3, 33))
    index.delete(BULK, (1,))
    index.rollback()
    assert list(index.scan(BULK, (), None, limit=99)) == [BulkRow(number, number) for number in range(5)]
    assert index.mark() == Mark(3, 4, 5)
    index.rollback()  # nothing is open: nothing to do


def test_mark_of_an_empty_index(index: Index) -> None:
    assert index.mark() == Mark(0, 0, 0)


def test_rows_and_mark_move_together(index: Index) -> None:
    index.begin()
    index.put(BULK, BulkRow(1, 1))
    index.commit(Mark(5, 1 << 40, 7))
    assert index.mark() == Mark(5, 1 << 40, 7)


def test_misuse_is_a_defect(index: Index) -> None:
    outside: list[Callable[[], None]] = [
        lambda: index.put(BULK, BulkRow(1, 1)),
        lambda: index.delete(BULK, (1,)),
        lambda: index.delete_range(BULK, (1,), (2,)),
        lambda: index.commit(Mark(1, 1, 1)),
    ]
    for call in outside:
        with pytest.raises(RuntimeError):
            call()
    index.begin()
    for call in (index.begin, index.wipe):
        with pytest.raises(RuntimeError):
            call()
    index.rollback()
    assert bulks(index) == []


def test_wipe_empties_every_table_and_the_mark(index: Index) -> None:
    fill(index, (BULK, BulkRow(1, 1)), (ENTRIES, entry(1, b"a")), (APPLIED, AppliedRow(1, b"c", b"r")))
    index.wipe()
    assert all(not index.scan(table, (), None, limit=1) for table in TABLES)
    assert index.mark() == Mark(0, 0, 0)
    fill(index, (BULK, BulkRow(2, 1)))
    assert bulks(index) == [2]


def test_sync_is_possible_whenever_no_transaction_is_open(index: Index) -> None:
    index.sync()
    fill(index, (BULK, BulkRow(1, 1)))
    index.sync()
    assert bulks(index) == [1]


# --- failures


def test_a_commit_that_fails_did_not_happen(index: Index) -> None:
    fill(index, (BULK, BulkRow(1, 1)))
    index.begin()
    index.put(BULK, BulkRow(2, 2))
    faults.plan = faults.Plan(error={"index.commit": "ENOSPC"}, subject="^before")
    with pytest.raises(TransactionFailed) as caught:
        index.commit(Mark(2, 2, 2))
    faults.plan = None
    assert isinstance(caught.value.__cause__, OSError) and caught.value.__cause__.errno == errno.ENOSPC
    assert index.mark() == Mark(1, 1, 1) and bulks(index) == [1]
    index.rollback()
    fill(index, (BULK, BulkRow(2, 2)), mark=Mark(2, 2, 2))  # and it can be tried again
    assert index.mark() == Mark(2, 2, 2) and bulks(index) == [1, 2]


def test_after_a_failure_behind_the_commit_the_mark_says_that_it_happened(index: Index) -> None:
    index.begin()
    index.put(BULK, BulkRow(2, 2))
    faults.plan = faults.Plan(error={"index.commit": "EIO"}, subject="^after")
    with pytest.raises(TransactionFailed):
        index.commit(Mark(2, 2, 2))
    faults.plan = None
    index.rollback()
    assert index.mark() == Mark(2, 2, 2) and bulks(index) == [2]


def test_a_begin_that_fails_opens_nothing(index: Index) -> None:
    faults.plan = faults.Plan(error={"index.begin": "EIO"})
    with pytest.raises(TransactionFailed):
        index.begin()
    faults.plan = None
    fill(index, (BULK, BulkRow(1, 1)))
    assert bulks(index) == [1]


def test_a_commit_passes_two_fault_points(index: Index) -> None:
    faults.plan = faults.Plan(match="index")
    fill(index, (BULK, BulkRow(1, 1)))
    assert faults.plan.count == 3  # begin, before the commit, after it


def test_a_change_that_raised_spoils_its_transaction_until_it_is_rolled_back(index: Index) -> None:
    fill(index, (BULK, BulkRow(1, 1)))
    index.begin()
    index.put(BULK, BulkRow(2, 2))
    with pytest.raises(Exception) as first:
        index.put(BULK, BulkRow(["no number"], 3))  # type: ignore[arg-type]
    assert not isinstance(first.value, RuntimeError)
    steps: list[Callable[[], object]] = [
        lambda: index.put(BULK, BulkRow(4, 4)),
        lambda: index.delete(BULK, (1,)),
        lambda: index.delete_range(BULK, (0,), (9,)),
        lambda: index.get(BULK, (2,)),
        lambda: index.scan(BULK, (), None, limit=1),
        lambda: index.commit(Mark(2, 2, 2)),
    ]
    for step in steps:
        with pytest.raises(TransactionFailed):
            step()
    assert index.mark() == Mark(1, 1, 1) and bulks(index) == [1]
    index.rollback()
    fill(index, (BULK, BulkRow(2, 2)), mark=Mark(2, 2, 2))
    assert index.mark() == Mark(2, 2, 2) and bulks(index) == [1, 2]
