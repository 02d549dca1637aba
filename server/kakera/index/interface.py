"""The index: ordered rows and one mark. A view of the journal (R4), written by the committer alone, read by everyone.

Rows, not business verbs. An engine promises:

1. Keys order by their columns left to right: integers as numbers, text and bytes as bytes.
2. Outside a transaction a reader sees the last committed state and nothing of a transaction under way; the writer sees its own.
3. `commit(mark)` makes rows and mark visible together or not at all, also across a crash; it need not be durable before `sync`
   returns: after a power cut the engine may be back at any earlier committed state, never at a torn one.
4. A scan costs what it returns, not what the table holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from kakera.index.tables import R, Row, Table

Key = tuple[int | str | bytes, ...]


class Mark(NamedTuple):
    """The last record applied: its sequence, the segment it lies in and where it ends there."""

    sequence: int
    segment: int
    end: int


class Rows(Protocol):
    """The reading half."""

    def get(self, table: Table[R], key: Key) -> R | None:
        """The row with exactly this key."""
        ...

    def scan(self, table: Table[R], low: Key, high: Key | None, *, limit: int, reverse: bool = False) -> Sequence[R]:
        """Up to `limit` rows with low <= key < high in key order (reverse: from the high end). `low` and `high` may be shorter than
        the key: they then compare by that prefix, low as "everything from", high as "everything before". high None: to the end."""
        ...

    def mark(self) -> Mark:
        """Mark(0, 0, 0) for an empty index."""
        ...


class Index(Rows, Protocol):
    """The whole: one writer, one transaction at a time."""

    def begin(self) -> None: ...

    def put(self, table: Table[R], row: R) -> None:
        """Insert, or replace the row with the same key."""
        ...

    def delete(self, table: Table[Row], key: Key) -> None: ...

    def delete_range(self, table: Table[Row], low: Key, high: Key) -> None:
        """Delete low <= key < high, compared as in `scan`."""
        ...

    def commit(self, mark: Mark) -> None: ...

    def rollback(self) -> None: ...

    def sync(self) -> None:
        """Durable up to the last commit when it returns (R7: before a segment below the floor is dropped)."""
        ...

    def wipe(self) -> None:
        """Empty every table and the mark: the index is to be rebuilt (R15)."""
        ...

    def close(self) -> None: ...
