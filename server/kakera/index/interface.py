"""The index: ordered rows and one mark. A view of the journal (R4), written by the committer alone, read by everyone.

Rows, not business verbs. An engine promises:

1. Keys order by their columns left to right: integers as numbers, text and bytes as bytes.
2. Outside a transaction a reader sees the last committed state and nothing of a transaction under way; the writer sees
its own.
3. `commit(mark)` makes rows and mark visible together or not at all, also across a crash; it need not be durable before
`sync`
   returns: after a power cut the engine may be back at any earlier committed state, never at a torn one.
4. A scan costs what it returns, not what the table holds.
5. A change that raised spoils its transaction: what is asked of it from then on raises TransactionFailed until it is
rolled back, and nothing of it becomes visible. `commit` raises then, too.
6. Rows are replaced whole, so doing the same changes again is harmless. After a `commit` that raised, `mark()` says
whether it happened.

An index object belongs to one thread at a time, and never crosses a fork. Using it against its rules (a put outside a
transaction, a begin inside one) is a RuntimeError: a defect of the caller, never an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple, Protocol

from kakera.base import errors
from kakera.index.tables import R, Row, Table

Key = tuple[int | str | bytes, ...]


class TransactionFailed(errors.Unavailable):
    """begin, put, delete, commit or sync did not succeed (disk full, EIO, locked). Roll back, look at `mark()`, try
    again within INDEX_RETRY_LIMIT (R4)."""


class Unusable(errors.Unavailable):
    """The engine's file is damaged, foreign, of another format, or lost a sync: nothing in it may be believed. Discard
    it and rebuild (R15)."""


@contextmanager
def failing() -> Iterator[None]:
    """What the operating system or a fault point refuses inside becomes TransactionFailed."""
    try:
        yield
    except OSError as error:
        raise TransactionFailed(str(error)) from error


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
        """Up to `limit` rows with low <= key < high in key order (reverse: from the high end). `low` and `high` may be
        shorter than the key: they then compare by that prefix, low as "everything from", high as "everything before".
        high None: to the end."""
        ...

    def mark(self) -> Mark:
        """Mark(0, 0, 0) for an empty index."""
        ...


def still(rows: Rows) -> AbstractContextManager[None]:
    """Everything read inside comes from one commit. Needed wherever two reads belong together: a version on its way
    from one table to another between them would be missed. Never await inside.

    Only an engine whose rows another process changes brings a `still` of its own; the others stand still while nobody
    awaits.
    """
    hold = getattr(rows, "still", None)
    return hold() if hold is not None else nullcontext()


def distrusted(index: object) -> str:
    """Why nothing the index says may be believed any more, or "". For whoever owns the process: it must end, and its
    successor rebuilds (R4). Only an engine whose file can be damaged brings a `distrusted` of its own."""
    ask = getattr(index, "distrusted", None)
    return ask() if ask is not None else ""


class Index(Rows, Protocol):
    """The whole: one writer, one transaction at a time."""

    def begin(self) -> None:
        """Open the transaction. Raises TransactionFailed when another process holds it: there may be only one writer
        (R15)."""
        ...

    def put(self, table: Table[R], row: R) -> None:
        """Insert, or replace the row with the same key. What the engine has against it may be raised by `commit`."""
        ...

    def delete(self, table: Table[Row], key: Key) -> None:
        """Delete the row with exactly this key, if it is there."""
        ...

    def delete_range(self, table: Table[Row], low: Key, high: Key) -> None:
        """Delete low <= key < high, compared as in `scan`."""
        ...

    def commit(self, mark: Mark) -> None:
        """Rows and mark become visible together. Raises TransactionFailed: the transaction is over, see 6."""
        ...

    def rollback(self) -> None:
        """Forget the open transaction; nothing to do when none is open."""
        ...

    def sync(self) -> None:
        """Durable up to the last commit when it returns (R7: before a segment below the floor is dropped). Raises
        Unusable when it cannot be: a sync that failed once is not to be asked again (R2)."""
        ...

    def wipe(self) -> None:
        """Empty every table and the mark, in a transaction of its own: the index is to be rebuilt (R15)."""
        ...

    def close(self) -> None:
        """Give up an open transaction and let go of the file."""
        ...
