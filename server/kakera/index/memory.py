"""The memory engine: sorted lists, the same rules as every other engine; for tests.

Sorted lists and bisect carry the few hundred thousand rows of a test; nothing here is meant for a server.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from kakera.base import faults
from kakera.index.interface import Key, Mark, TransactionFailed, failing
from kakera.index.tables import TABLES, R, Row, Table

EMPTY = Mark(0, 0, 0)


class _Sorted:
    """One table: keys in order, rows by key."""

    __slots__ = ("keys", "rows")

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.rows: dict[Key, Row] = {}

    def put(self, key: Key, row: Row) -> None:
        if key not in self.rows:
            self.keys.insert(bisect_left(self.keys, key), key)
        self.rows[key] = row

    def remove(self, key: Key) -> None:
        if self.rows.pop(key, None) is not None:
            del self.keys[bisect_left(self.keys, key)]

    def span(self, low: Key, high: Key | None) -> slice:
        """A tuple sorts before its extensions, which is what the interface asks of short keys."""
        first = bisect_left(self.keys, low)
        return slice(first, len(self.keys) if high is None else max(first, bisect_left(self.keys, high)))


class Snapshot(NamedTuple):
    """A committed state, to go back to."""

    tables: dict[str, dict[Key, Row]]
    mark: Mark


class MemoryIndex:
    """`Index` in memory. `snapshot` and `restore` play the power cut that rolls an index back to an earlier commit."""

    def __init__(self) -> None:
        self._tables = {table.name: _Sorted() for table in TABLES}
        self._mark = EMPTY
        self._undo: list[tuple[_Sorted, Key, Row | None]] | None = None  # None: no transaction is open
        self._failed = ""  # why the open transaction can only be rolled back

    # --- reading

    def get(self, table: Table[R], key: Key) -> R | None:
        if len(key) != table.keys:
            raise ValueError(f"{table.name} has {table.keys} key columns")
        self._sound()
        return self._tables[table.name].rows.get(key)  # type: ignore[return-value]

    def scan(self, table: Table[R], low: Key, high: Key | None, *, limit: int, reverse: bool = False) -> Sequence[R]:
        self._sound()
        sorted_ = self._tables[table.name]
        span = sorted_.span(low, high)
        if reverse:
            keys = sorted_.keys[max(span.start, span.stop - limit) : span.stop][::-1]
        else:
            keys = sorted_.keys[span.start : min(span.stop, span.start + limit)]
        return [sorted_.rows[key] for key in keys]  # type: ignore[misc]

    def mark(self) -> Mark:
        return self._mark

    # --- writing

    def begin(self) -> None:
        if self._undo is not None:
            raise RuntimeError("a transaction is open")
        with failing():
            faults.hit("index.begin")
        self._undo = []

    def put(self, table: Table[R], row: R) -> None:
        sorted_ = self._tables[table.name]
        key = msgspec.structs.astuple(row)[: table.keys]
        try:
            self._remember(sorted_, key)
            sorted_.put(key, row)
        except (TypeError, ValueError) as error:
            self._failed = str(error)
            raise

    def delete(self, table: Table[Row], key: Key) -> None:
        if len(key) != table.keys:
            raise ValueError(f"{table.name} has {table.keys} key columns")
        sorted_ = self._tables[table.name]
        self._remember(sorted_, key)
        sorted_.remove(key)

    def delete_range(self, table: Table[Row], low: Key, high: Key) -> None:
        if self._undo is None:
            raise RuntimeError("no transaction is open")
        self._sound()
        sorted_ = self._tables[table.name]
        span = sorted_.span(low, high)
        for key in sorted_.keys[span]:
            self._remember(sorted_, key)
            del sorted_.rows[key]
        del sorted_.keys[span]

    def commit(self, mark: Mark) -> None:
        if self._undo is None:
            raise RuntimeError("no transaction is open")
        try:
            with failing():
                faults.hit("index.commit", "before")
                self._sound()
                self._mark = mark
                self._undo = None
                faults.hit("index.commit", "after")
        finally:
            self.rollback()

    def rollback(self) -> None:
        self._failed = ""
        for sorted_, key, row in reversed(self._undo or ()):
            if row is None:
                sorted_.remove(key)
            else:
                sorted_.put(key, row)
        self._undo = None

    def _remember(self, sorted_: _Sorted, key: Key) -> None:
        if self._undo is None:
            raise RuntimeError("no transaction is open")
        self._sound()
        self._undo.append((sorted_, key, sorted_.rows.get(key)))

    def _sound(self) -> None:
        if self._failed:
            raise TransactionFailed(self._failed)

    # --- life

    def sync(self) -> None:
        """Memory is as durable as it gets."""

    def wipe(self) -> None:
        if self._undo is not None:
            raise RuntimeError("a transaction is open")
        self._tables = {table.name: _Sorted() for table in TABLES}
        self._mark = EMPTY

    def close(self) -> None:
        self.rollback()

    def snapshot(self) -> Snapshot:
        """The last committed state; not inside a transaction."""
        if self._undo is not None:
            raise RuntimeError("a transaction is open")
        return Snapshot({name: dict(table.rows) for name, table in self._tables.items()}, self._mark)

    def restore(self, snapshot: Snapshot) -> None:
        """Back to `snapshot`, as a power cut may do to an index that was not synced (R4)."""
        self._undo = None
        self._mark = snapshot.mark
        for name, rows in snapshot.tables.items():
            table = self._tables[name] = _Sorted()
            table.rows = dict(rows)
            table.keys = sorted(rows)
