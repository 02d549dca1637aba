"""The cloud of a rehearsal: one SQLite file, shared by every provider process and every region.

A region's things are seen only through that region; names that are taken in the whole world or account are refused to
all. Every change is one transaction that holds the write lock from its start, so processes wait for each other.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infra.rehearsal import computed, rules
from infra.rehearsal.refusal import Refusal

FILE: Final = "cloud.sqlite"
BUSY_TIMEOUT_S: Final = 30.0  # a whole `up` of several stacks at once never holds the lock nearly as long
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS thing (
    id TEXT PRIMARY KEY, region TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL, urn TEXT NOT NULL,
    state TEXT NOT NULL, inputs TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS thing_of_region ON thing (region);
CREATE TABLE IF NOT EXISTS claim (
    name TEXT PRIMARY KEY, id TEXT NOT NULL REFERENCES thing (id) ON DELETE CASCADE
) STRICT;
CREATE TABLE IF NOT EXISTS birth (region TEXT, urn TEXT, count INTEGER NOT NULL, PRIMARY KEY (region, urn)) STRICT;
"""
Json = dict[str, Any]  # what `sealed` makes: no secrets, no unknowns


@dataclass(frozen=True)
class Thing:
    """One live resource. `inputs`: what was asked for; `state`: that and what the cloud added."""

    id: str
    region: str
    type: str
    name: str
    urn: str
    state: Json
    inputs: Json


@dataclass(frozen=True)
class Birth:
    """What is to be made."""

    region: str
    type: str
    name: str
    urn: str


class Cloud:
    """The file. Safe in several threads and processes: each thread keeps a connection of its own."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._own = threading.local()
        connection = self._connection()
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_SCHEMA)

    def create(self, birth: Birth, inputs: Json, fill: Callable[[str], Json]) -> Thing:
        """A new thing; `fill` gives its state for its id. Raises: Refusal when a name is taken."""
        with self._writing() as connection:
            (count,) = connection.execute(
                "INSERT INTO birth VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count",
                (birth.region, birth.urn),
            ).fetchone()
            made = computed.identity(birth.region, birth.type, birth.urn, count)
            thing = Thing(made, birth.region, birth.type, birth.name, birth.urn, fill(made), inputs)
            try:
                connection.execute(
                    "INSERT INTO thing VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*_key(thing), json.dumps(thing.state), json.dumps(thing.inputs)),
                )
            except sqlite3.IntegrityError as error:
                raise Refusal(f"Code: AlreadyExists. {made} exists already in this rehearsal's cloud") from error
            _claim(connection, thing)
            return thing

    def read(self, region: str, name: str) -> Thing | None:
        """The thing with this id, or None when this region has none."""
        return _find(self._connection(), region, name)

    def update(self, region: str, name: str, changes: Json, inputs: Json) -> Thing:
        """Properties by name, None takes one away; what is not named keeps what the cloud has, drifted or not.

        Raises: Refusal when it is gone, or a name is taken.
        """
        with self._writing() as connection:
            thing = _find(connection, region, name)
            if thing is None:
                raise Refusal(f"Code: NotFound. {name} is gone from {region}: run a refresh")
            after = Thing(*_key(thing), state=_changed(thing.state, changes), inputs=inputs)
            _store(connection, after)
            return after

    def delete(self, region: str, name: str) -> None:
        """Gone already is no error. Raises: Refusal when it is protected, or something still needs it."""
        with self._writing() as connection:
            thing = _find(connection, region, name)
            if thing is None:
                return
            if reason := rules.held(thing.type, thing.state):
                raise Refusal(f"{name} cannot be deleted. {reason}")
            for other in _things(connection, region, containing=name):
                if other.id != name and rules.mentions(other.inputs, name):
                    raise Refusal(f"Code: DependencyViolation. {name} is still used by {other.id} ({other.name})")
            connection.execute("DELETE FROM thing WHERE id = ?", (name,))

    def things(self, region: str = "") -> tuple[Thing, ...]:
        """Everything that lives, of one region or of all, sorted by region, type and name."""
        return tuple(_things(self._connection(), region))

    def drift(self, name: str, changes: Mapping[str, Any]) -> Thing:
        """Someone changed it by hand: properties by name, None takes one away. Raises: Refusal."""
        with self._writing() as connection:
            thing = _find(connection, "", name)
            if thing is None:
                raise Refusal(f"{name} is not in this rehearsal's cloud")
            # What the cloud made up stays no argument, whoever changes it.
            asked = {key: value for key, value in changes.items() if key in thing.inputs or key not in thing.state}
            drifted = Thing(*_key(thing), state=_changed(thing.state, changes), inputs=_changed(thing.inputs, asked))
            _store(connection, drifted)
            return drifted

    def vanish(self, name: str) -> None:
        """Someone deleted it by hand, whatever needs it. Raises: Refusal when it is not there."""
        with self._writing() as connection:
            if not connection.execute("DELETE FROM thing WHERE id = ?", (name,)).rowcount:
                raise Refusal(f"{name} is not in this rehearsal's cloud")

    def _connection(self) -> sqlite3.Connection:
        """This thread's. It stays open: closing the last one would copy the whole log back each time."""
        kept: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if kept is None:
            kept = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            kept.execute("PRAGMA foreign_keys = ON")
            kept.execute("PRAGMA synchronous = OFF")  # a killed process loses nothing; a power cut may
            self._own.connection = kept
        return kept

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")  # waits here, and cannot fail later for a lock
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _key(thing: Thing) -> tuple[str, str, str, str, str]:
    return thing.id, thing.region, thing.type, thing.name, thing.urn


def _changed(values: Json, changes: Mapping[str, Any]) -> Json:
    return {key: value for key, value in {**values, **changes}.items() if value is not None}


def _find(connection: sqlite3.Connection, region: str, name: str) -> Thing | None:
    row = connection.execute("SELECT * FROM thing WHERE id = ? AND ? IN ('', region)", (name, region)).fetchone()
    return None if row is None else _thing(row)


def _things(connection: sqlite3.Connection, region: str, *, containing: str = "") -> Iterator[Thing]:
    """Of a region or of all; only those whose inputs contain a text anywhere."""
    rows = connection.execute(
        "SELECT * FROM thing WHERE ? IN ('', region) AND (? = '' OR instr(inputs, ?)) ORDER BY region, type, name, id",
        (region, containing, containing),
    )
    return (_thing(row) for row in rows.fetchall())


def _thing(row: tuple[str, str, str, str, str, str, str]) -> Thing:
    identity, region, kind, name, urn, state, inputs = row
    return Thing(identity, region, kind, name, urn, json.loads(state), json.loads(inputs))


def _store(connection: sqlite3.Connection, thing: Thing) -> None:
    connection.execute(
        "UPDATE thing SET state = ?, inputs = ? WHERE id = ?",
        (json.dumps(thing.state), json.dumps(thing.inputs), thing.id),
    )
    connection.execute("DELETE FROM claim WHERE id = ?", (thing.id,))
    _claim(connection, thing)


def _claim(connection: sqlite3.Connection, thing: Thing) -> None:
    claim = rules.claim(thing.type, thing.region, thing.inputs)
    if not claim:
        return
    try:
        connection.execute("INSERT INTO claim VALUES (?, ?)", (claim, thing.id))
    except sqlite3.IntegrityError as error:
        raise Refusal(f"Code: AlreadyExists. Taken by another: {claim}") from error
