"""SQL made from the Table specs: one statement text per table and shape, so that the connection prepares each once.
Pure."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec

from kakera.index.tables import TABLES, Row, Table

APPLICATION_ID = 0x4B414B49  # "KAKI"
FORMAT = 4  # of the whole file; another number = rebuild from the journal
_TYPES = {int: "INTEGER", str: "TEXT", bytes: "BLOB"}


class Statements:
    """The statements of one table."""

    __slots__ = ("_key", "_name", "_scans", "create", "decode", "delete", "get", "key_of", "put", "wipe")

    def __init__(self, table: Table[Row]) -> None:
        columns = msgspec.structs.fields(table.row)[: table.keys]
        self._name = table.name
        self._key = [column.name for column in columns]
        self._scans: dict[tuple[int, int, bool], str] = {}
        exact = " AND ".join(f"{name} = ?" for name in self._key)
        marks = ", ".join("?" * (table.keys + 1))
        self.create = self._create([_TYPES[column.type] for column in columns])
        self.get = f"SELECT row FROM {table.name} WHERE {exact}"
        self.put = f"INSERT OR REPLACE INTO {table.name} VALUES ({marks})"
        self.delete = f"DELETE FROM {table.name} WHERE {exact}"
        self.wipe = f"DELETE FROM {table.name}"
        self.decode: Callable[[bytes], Any] = msgspec.msgpack.Decoder(table.row).decode
        self.key_of = _key_of(self._key)

    def scan(self, low: int, high: int, reverse: bool) -> str:
        """`low` and `high`: how many key columns bound it; high -1: open to the end."""
        shape = (low, high, reverse)
        sql = self._scans.get(shape)
        if sql is None:
            where = self._where(low, high)
            direction = " DESC" if reverse else ""
            order = ", ".join(name + direction for name in self._key)
            sql = self._scans[shape] = f"SELECT row FROM {self._name}{where} ORDER BY {order} LIMIT ?"
        return sql

    def delete_range(self, low: int, high: int) -> str:
        return f"DELETE FROM {self._name}{self._where(low, high)}"

    def _create(self, types: list[str]) -> str:
        if types == ["INTEGER"]:
            # the rowid itself
            return f"CREATE TABLE {self._name} ({self._key[0]} INTEGER PRIMARY KEY, row BLOB NOT NULL)"
        columns = "".join(f"{name} {kind} NOT NULL, " for name, kind in zip(self._key, types, strict=True))
        key = ", ".join(self._key)
        return f"CREATE TABLE {self._name} ({columns}row BLOB NOT NULL, PRIMARY KEY ({key})) WITHOUT ROWID"

    def _where(self, low: int, high: int) -> str:
        """Row values compare left to right, and by the primary key: a search, not a filter. With no column nothing is
        bounded from below; and nothing lies before an empty high."""
        terms = []
        if low:
            terms.append(self._compare(">=", low))
        if high >= 0:
            terms.append(self._compare("<", high) if high else "0")
        return f" WHERE {' AND '.join(terms)}" if terms else ""

    def _compare(self, operator: str, count: int) -> str:
        names, marks = ", ".join(self._key[:count]), ", ".join("?" * count)
        return f"{names} {operator} {marks}" if count == 1 else f"({names}) {operator} ({marks})"


def _key_of(names: list[str]) -> Callable[[Row], tuple[Any, ...]]:
    getter = attrgetter(*names)
    if len(names) > 1:
        return getter
    return lambda row: (getter(row),)


_MARK = (
    "CREATE TABLE mark (id INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, segment INTEGER NOT NULL, "
    "end INTEGER NOT NULL, checkpoints INTEGER NOT NULL)"  # one row; checkpoints: see SqliteIndex.checkpoint
)
SCHEMA: tuple[str, ...] = (*(Statements(table).create for table in TABLES), _MARK)
