"""What an open transaction has changed and not yet handed to its engine.

Rows put one after the other cost a statement each; held until somebody must see them in order, or the transaction
ends, they are one statement a table and reach the tree in key order. What was read is remembered too: a bucket's row is
asked for by every command of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kakera.base import limits
from kakera.index.interface import Key
from kakera.index.tables import Row


class Flushed(NamedTuple):
    """The changes of one table, in key order."""

    table: str
    puts: Sequence[tuple[Any, ...]]
    deletes: Sequence[Key]


class Pending:
    """Changes and readings of one transaction, by table and key. Whoever fills it hands it over when it is `full`."""

    __slots__ = ("_changed", "_known")

    def __init__(self) -> None:
        self._known: dict[tuple[str, Key], Row | None] = {}
        self._changed: dict[str, dict[Key, bytes | None]] = {}

    def known(self, table: str, key: Key, otherwise: object) -> Any:
        """The row as this transaction sees it (None: there is none), `otherwise` when the engine must be asked."""
        return self._known.get((table, key), otherwise)

    def learn(self, table: str, key: Key, row: Row | None) -> None:
        self._known[table, key] = row

    def put(self, table: str, key: Key, row: Row, encoded: bytes) -> None:
        self._known[table, key] = row
        self._of(table)[key] = encoded

    def delete(self, table: str, key: Key) -> None:
        self._known[table, key] = None
        self._of(table)[key] = None

    @property
    def full(self) -> bool:
        return len(self._known) >= limits.INDEX_PENDING_ROWS

    def _of(self, table: str) -> dict[Key, bytes | None]:
        changed = self._changed.get(table)
        if changed is None:
            changed = self._changed[table] = {}
        return changed

    def take(self) -> Iterator[Flushed]:
        """Everything changed since the last `take`; what is known stays."""
        changed, self._changed = self._changed, {}
        for table, rows in changed.items():
            puts = sorted([(*key, encoded) for key, encoded in rows.items() if encoded is not None])
            yield Flushed(table, puts, [key for key, encoded in rows.items() if encoded is None])

    def forget(self) -> None:
        """The transaction is over, or a range of rows is gone: nothing read or changed before counts."""
        self._known.clear()
        self._changed.clear()
