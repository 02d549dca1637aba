"""The embedded engine: one SQLite file in WAL mode; one writing process, any number of reading ones
(docs/spec/index.md).

A table holds the key columns and `row`, the encoded row: one column to fetch is three times cheaper than fourteen.
Commits are for visibility; durability is the journal's (R4), so synchronous=NORMAL: no sync in a commit, and after a
power cut the file is at some earlier commit, never at a torn one. Checkpoints never run inside a commit: a thread makes
them beside it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import msgspec

from kakera.base import errors, faults, limits
from kakera.index.file import BROKEN, SUSPECT, cannot_open, code_of, connect, create, inode, keep_private, verify
from kakera.index.interface import Key, Mark, TransactionFailed, Unusable, failing
from kakera.index.pending import Pending
from kakera.index.stamp import SUFFIX, Remembered, Stamp
from kakera.index.statements import Statements
from kakera.index.tables import BUCKETS, TABLES, BucketRow, R, Row, Table

_encode = msgspec.msgpack.Encoder().encode
_STATEMENTS = {table.name: Statements(table) for table in TABLES}
_COMMITS_A_LOOK = 64  # how often the length of the WAL is looked at
_PUT_MARK = "UPDATE mark SET sequence = ?, segment = ?, end = ?"
_UNKNOWN = object()
_GET_MARK = "SELECT sequence, segment, end FROM mark"


class SqliteIndex:
    """`Index` in a file. Beyond the interface: `still`, `distrusted`, `wal_bytes`, `checkpoint`, `replaced`,
    `check`.

    Args:
        path: the file; `path`-wal, -shm and -stamp lie beside it. Local file systems only (WAL needs shared memory).
        read_only: for workers: never creates, never writes.

    Raises:
        Unusable: damaged, foreign or another format: `discard(path)` and open again.
        NotReady: read_only, and the writer has not made the file yet; or it cannot be opened now (EIO, a full disk, no
            descriptors): nothing is said against the file, try again.
        Busy: locked by another.
    """

    def __init__(self, path: str, *, read_only: bool = False) -> None:
        self._path = path
        self._writing = self._closed = False
        self._commits = 0
        self._ending = threading.Event()  # clear while the end of a checkpoint keeps the writer out
        self._ending.set()
        self._lost = ""  # why nothing here may be believed any more
        # Why the open transaction can only be rolled back. On FULL, IOERR and NOMEM SQLite has already done so and is
        # back in autocommit: whatever was written after it would be visible at once, without the rest.
        self._failed = ""
        self._pending = Pending()
        self._wal = -1
        self._stamp: Stamp | None = None  # the writer's
        self._remembered: Remembered | None = None  # a reader's
        self._settings = False  # the open transaction changes buckets
        self._checkpointing = threading.Lock()
        if os.path.exists(path + SUSPECT):
            raise Unusable(f"{path}: it was found damaged, or a sync of it failed")
        if not read_only:
            keep_private(path)
            self._stamp = _stamp(path)  # before there is anything to read: whoever reads finds it
        self._connection = connect(path, "ro" if read_only else "rwc")
        try:
            if not read_only:
                create(self._connection, path)
            verify(self._connection, path)
            if read_only:
                self._remembered = _remembered(path)
            else:
                self._wal = os.open(path + "-wal", os.O_RDWR)
        except (sqlite3.Error, OSError, errors.Unavailable) as error:
            self._connection.close()
            self._forget_settings()
            if isinstance(error, errors.Unavailable):
                raise
            cannot_open(error, path)
        self._cursor = self._connection.cursor()
        self._execute: Callable[..., sqlite3.Cursor] = self._cursor.execute
        self._inode = inode(path)

    # --- reading

    def get(self, table: Table[R], key: Key) -> R | None:
        statements = _STATEMENTS[table.name]
        if len(key) != table.keys:
            raise ValueError(f"{table.name} has {table.keys} key columns")
        try:
            if self._failed:
                raise TransactionFailed(self._failed)
            if not self._writing:
                if table is BUCKETS and self._remembered is not None and not self._connection.in_transaction:
                    return self._bucket(self._remembered, key)  # type: ignore[return-value]
                found = self._execute(statements.get, key).fetchone()
                return statements.decode(found[0]) if found is not None else None
            row: R | None = self._pending.known(table.name, key, _UNKNOWN)
            if row is _UNKNOWN:
                found = self._execute(statements.get, key).fetchone()
                row = statements.decode(found[0]) if found is not None else None
                self._pending.learn(table.name, key, row)
            return row
        except (sqlite3.Error, msgspec.DecodeError) as error:
            self._reading_failed(error)

    def _bucket(self, remembered: Remembered, key: Key) -> BucketRow | None:
        name: str = key[0]  # type: ignore[assignment]
        row = remembered.get(name)
        if row is None:
            before = remembered.now
            found = self._execute(_STATEMENTS[BUCKETS.name].get, key).fetchone()
            if found is None:
                return None
            row = _STATEMENTS[BUCKETS.name].decode(found[0])
            remembered.put(name, row, before)
        return row

    def scan(self, table: Table[R], low: Key, high: Key | None, *, limit: int, reverse: bool = False) -> Sequence[R]:
        statements = _STATEMENTS[table.name]
        sql = statements.scan(len(low), -1 if high is None else len(high), reverse)
        try:
            if self._failed:
                raise TransactionFailed(self._failed)
            if self._writing:
                self._flush()
            found = self._execute(sql, (*low, *(high or ()), limit)).fetchall()
            decode = statements.decode
            return [decode(row) for (row,) in found]
        except (sqlite3.Error, msgspec.DecodeError) as error:
            self._reading_failed(error)

    def mark(self) -> Mark:
        try:
            found = self._execute(_GET_MARK).fetchone()
        except sqlite3.Error as error:
            self._reading_failed(error)
        return Mark(*found)

    # --- writing

    def begin(self) -> None:
        if self._writing or self._wal < 0:
            raise RuntimeError("a transaction is open" if self._writing else "opened for reading, or closed")
        if self.distrusted():
            raise Unusable(self._lost)
        self._ending.wait(limits.INDEX_BUSY_S)
        with failing():
            faults.hit("index.begin", self._path)
        try:
            self._execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._writing_failed(error)
        self._writing = True

    def put(self, table: Table[R], row: R) -> None:
        self._check_open()
        if self._pending.full:
            self._flush()
            self._pending.forget()
        self._settings |= table is BUCKETS
        try:
            key = _STATEMENTS[table.name].key_of(row)
            self._pending.put(table.name, key, row, _encode(row))
        except Exception as error:
            self._failed = f"{self._path}: {error}"
            raise

    def delete(self, table: Table[Row], key: Key) -> None:
        if len(key) != table.keys:
            raise ValueError(f"{table.name} has {table.keys} key columns")
        self._check_open()
        self._settings |= table is BUCKETS
        self._pending.delete(table.name, key)

    def delete_range(self, table: Table[Row], low: Key, high: Key) -> None:
        self._check_open()
        self._settings |= table is BUCKETS
        self._flush()
        self._pending.forget()
        self._write(_STATEMENTS[table.name].delete_range(len(low), len(high)), (*low, *high))

    def _check_open(self) -> None:
        """Changes happen inside the transaction, never outside: the first that fails is the last that is tried."""
        if not self._writing:
            raise RuntimeError("no transaction is open")
        if self._failed or not self._connection.in_transaction:
            self._failed = self._failed or f"{self._path}: SQLite has rolled the transaction back"
            raise TransactionFailed(self._failed)

    def _flush(self) -> None:
        """Hand the engine what is pending, so that it sees it in its order."""
        for table, puts, deletes in self._pending.take():
            if deletes:
                self._write(_STATEMENTS[table].delete, deletes, many=True)
            if puts:
                self._write(_STATEMENTS[table].put, puts, many=True)

    def _write(self, sql: str, parameters: Sequence[Any] = (), *, many: bool = False) -> None:
        self._check_open()
        try:
            (self._cursor.executemany if many else self._execute)(sql, parameters)
        except Exception as error:
            self._failed = f"{self._path}: {error}"
            if isinstance(error, sqlite3.Error):
                self._writing_failed(error)
            raise

    def commit(self, mark: Mark) -> None:
        if not self._writing:
            raise RuntimeError("no transaction is open")
        stamp = self._stamp if self._settings else None
        if stamp is not None:
            stamp.begin()
        try:
            with failing():
                faults.hit("index.commit", f"before {self._path}")
                self._flush()
                self._write(_PUT_MARK, mark)
                self._execute("COMMIT")
                self._writing = False
                self._commits += 1
                if not self._commits % _COMMITS_A_LOOK and self.wal_bytes() > limits.INDEX_WAL_BYTES:
                    self._checkpoint_aside()
                faults.hit("index.commit", f"after {self._path}")
        except sqlite3.Error as error:
            self._writing_failed(error)
        finally:
            if stamp is not None:
                stamp.end()
            self.rollback()

    def rollback(self) -> None:
        self._writing = self._settings = False
        self._failed = ""
        self._pending.forget()
        if self._connection.in_transaction:
            try:
                self._execute("ROLLBACK")
            except sqlite3.Error as error:
                self._writing_failed(error)

    # --- life

    def sync(self) -> None:
        """fdatasync of the WAL. Every commit since the last checkpoint lies in it, and a checkpoint syncs the database
        before the WAL starts over; so the two files together hold the last commit, whatever readers do (a FULL
        checkpoint would wait for them)."""
        if self._writing:
            raise RuntimeError("a transaction is open")
        if self._lost:
            raise Unusable(self._lost)
        try:
            faults.hit("index.sync", self._path)
            os.fdatasync(self._wal)
        except OSError as error:
            self._distrust(f"a sync failed ({error}): what it should have kept may be gone")
            raise Unusable(self._lost) from error

    def wipe(self) -> None:
        self.begin()
        self._settings = True
        try:
            for table in TABLES:
                self._write(_STATEMENTS[table.name].wipe)
        except BaseException:
            self.rollback()
            raise
        self.commit(Mark(0, 0, 0))

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.rollback()
        with self._checkpointing:
            self._connection.close()  # the last connection to go checkpoints
            self._forget_settings()
            if self._wal >= 0:
                os.close(self._wal)
                self._wal = -1

    def _forget_settings(self) -> None:
        for held in (self._stamp, self._remembered):
            if held is not None:
                held.close()
        self._stamp = self._remembered = None

    # --- beyond the interface

    def still(self) -> _Still:
        """One read transaction; see `interface.still`. It keeps checkpoints from starting the WAL over: milliseconds,
        not more."""
        return _Still(self._connection)

    def wal_bytes(self) -> int:
        """Length of the WAL: above INDEX_WAL_BYTES a `checkpoint` is due."""
        return os.fstat(self._wal).st_size

    def checkpoint(self) -> bool:
        """Bring the WAL into the database and start it over. For any thread, beside the writer: a connection of its own
        copies and syncs while commits go on; only for what came meanwhile is the writer kept out, at its next `begin`.

        False: a reader, a transaction longer than INDEX_CHECKPOINT_WAIT_S or a full disk was in the way; ask again
        later. Raises Unusable when a sync failed: pages may be lost in the cache though later calls look well (R2).
        """
        with self._checkpointing:
            connection = connect(self._path, "rw")
            try:
                faults.hit("index.checkpoint", self._path)
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                self._ending.clear()
                return _restart(connection)
            except sqlite3.OperationalError as error:
                if code_of(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL):
                    return False  # full: no write was lost, and the WAL still has every page
                self._distrust(f"a checkpoint failed ({error}): what it should have kept may be gone")
                raise Unusable(self._lost) from error
            except OSError as error:
                self._distrust(f"a checkpoint failed ({error}): what it should have kept may be gone")
                raise Unusable(self._lost) from error
            finally:
                self._ending.set()
                connection.close()

    def _checkpoint_aside(self) -> None:
        """A checkpoint in a thread of its own, unless one is under way. Its failure shows at the next `begin`."""
        if not self._checkpointing.locked():
            threading.Thread(target=self._checkpoint_quietly, name="index-checkpoint", daemon=True).start()

    def _checkpoint_quietly(self) -> None:
        with contextlib.suppress(errors.Unavailable):  # kept in _lost, or to be tried again
            self.checkpoint()

    def distrusted(self) -> str:
        """Why nothing here may be believed any more, or "": found here, or by a reader that left the mark."""
        if not self._lost and os.path.exists(self._path + SUSPECT):
            self._lost = f"{self._path}: another process found it damaged"
        return self._lost

    def _distrust(self, reason: str) -> None:
        """Nothing here may be believed any more, by this process or the next (R2): the mark beside the file says so.
        A file that has already been made anew is not marked for what its predecessor was."""
        self._lost = f"{self._path}: {reason}"
        if inode(self._path) != self._inode:
            return
        with contextlib.suppress(OSError):
            os.close(os.open(self._path + SUSPECT, os.O_CREAT | os.O_WRONLY, 0o600))

    def replaced(self) -> bool:
        """True when the file, or the stamp that tells of changed buckets, was made anew since it was opened here: a
        reader must open it again."""
        if self._remembered is not None and inode(self._path + SUFFIX) != self._remembered.inode:
            return True
        return inode(self._path) != self._inode

    def check(self) -> list[str]:
        """What `PRAGMA integrity_check` complains of; reads everything, for `doctor`."""
        try:
            return [line for (line,) in self._execute("PRAGMA integrity_check").fetchall() if line != "ok"]
        except sqlite3.Error as error:
            return [str(error)]

    # --- failures

    def _reading_failed(self, error: Exception) -> NoReturn:
        if isinstance(error, msgspec.DecodeError) or code_of(error) in BROKEN:
            self._distrust(str(error))
            raise Unusable(self._lost) from error
        if self._writing:  # what was written before may be rolled back: nothing is decided on what is left
            self._failed = f"{self._path}: {error}"
            raise TransactionFailed(self._failed) from error
        raise errors.Busy(f"{self._path}: {error}") from error

    def _writing_failed(self, error: sqlite3.Error) -> NoReturn:
        if isinstance(error, sqlite3.InterfaceError | sqlite3.ProgrammingError | sqlite3.IntegrityError):
            raise error  # a row of the wrong types: a defect
        if code_of(error) in BROKEN:
            self._distrust(str(error))
            raise Unusable(self._lost) from error
        raise TransactionFailed(f"{self._path}: {error}") from error


class _Still:
    """A read transaction. Inside another one, and for the writer in its transaction, nothing is to be done."""

    __slots__ = ("_connection", "_opened")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._opened = False

    def __enter__(self) -> None:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN")
            self._opened = True

    def __exit__(self, *_: object) -> None:
        if self._opened and self._connection.in_transaction:
            self._connection.execute("COMMIT")


def _stamp(path: str) -> Stamp:
    try:
        return Stamp(path, write=True)
    except OSError as error:
        cannot_open(error, path)


def _remembered(path: str) -> Remembered | None:
    """None where the writer has left no stamp yet: then every row is read."""
    try:
        return Remembered(Stamp(path, write=False))
    except (OSError, ValueError):
        return None


def _restart(connection: sqlite3.Connection) -> bool:
    """The end of a checkpoint: what came during it, then a WAL that starts over."""
    connection.execute(f"PRAGMA busy_timeout = {int(limits.INDEX_CHECKPOINT_WAIT_S * 1000)}")
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
    if busy:
        return False
    # The first write of a new WAL syncs its header: have it here and not in the committer's next batch.
    connection.execute("UPDATE mark SET checkpoints = checkpoints + 1")
    return True
