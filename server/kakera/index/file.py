"""The index's file: making it, opening it, and whose it is. Whoever opens it gets a connection that is set up alike."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import Any, NoReturn

from kakera.base import errors, limits
from kakera.index.interface import Unusable
from kakera.index.statements import APPLICATION_ID, FORMAT, SCHEMA

BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})  # not what was written
SUSPECT = "-suspect"  # beside the file: nothing in it may be believed any more


def discard(path: str) -> None:
    """Remove the files of an index nobody may believe any more. Readers that hold it open notice by `replaced`. The
    stamp stays: the next writer moves it, and who remembers something of this index forgets it."""
    for name in (path, path + "-wal", path + "-shm", path + SUSPECT):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def keep_private(path: str) -> None:
    """Names of keys are in the clear in it: for its owner alone. SQLite gives the WAL the mode of the database."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        # By name: to open and close the file here would drop the locks this process holds on it.
        for name in (path, path + "-wal", path + "-shm"):
            with contextlib.suppress(OSError):
                os.chmod(name, 0o600)
    except OSError as error:
        cannot_open(error, path)


def connect(path: str, mode: str) -> sqlite3.Connection:
    if mode != "rwc" and not os.path.exists(path):
        raise errors.NotReady(f"{path}: the index is not there yet")
    name = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    try:
        connection = sqlite3.connect(
            f"file:{name}?mode={mode}",
            uri=True,
            timeout=limits.INDEX_BUSY_S,
            isolation_level=None,  # transactions are begun by us alone
            # one thread at a time, see the interface; checkpoints have a connection of their own
            check_same_thread=False,
            cached_statements=limits.INDEX_STATEMENTS,
        )
    except sqlite3.Error as error:
        cannot_open(error, path)
    try:
        _settings(connection)
    except sqlite3.Error as error:
        connection.close()
        cannot_open(error, path)
    return connection


def _settings(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA page_size = {limits.INDEX_PAGE_BYTES}")  # acts on a new file only
    connection.execute(f"PRAGMA cache_size = -{limits.INDEX_CACHE_BYTES // 1024}")
    connection.execute(f"PRAGMA mmap_size = {limits.INDEX_MMAP_BYTES}")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA journal_size_limit = 0")  # a WAL that starts over is cut: its length says what is in it


def create(connection: sqlite3.Connection, path: str) -> None:
    """Format an empty file; leave any other alone."""
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        if _pragma(connection, "application_id") not in (0, APPLICATION_ID):
            raise Unusable(f"{path}: not an index of this store")
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise Unusable(f"{path}: this file system has no shared memory for a WAL")
        connection.execute("BEGIN IMMEDIATE")
        for statement in SCHEMA:
            connection.execute(statement)
        connection.execute("INSERT INTO mark VALUES (0, 0, 0, 0, 0)")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    if not os.path.exists(path + "-wal"):
        connection.execute("SELECT * FROM mark").fetchone()  # the first read makes the WAL
    directory = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
    try:
        os.fsync(directory)  # the names of file and WAL: `sync` then needs to care for their bytes only
    finally:
        os.close(directory)


def verify(connection: sqlite3.Connection, path: str) -> None:
    if _pragma(connection, "application_id") != APPLICATION_ID:
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise errors.NotReady(f"{path}: the index is being made")
        raise Unusable(f"{path}: not an index of this store")
    found = _pragma(connection, "user_version")
    if found != FORMAT:
        raise Unusable(f"{path}: format {found}, not {FORMAT}")
    if {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")} != set(SCHEMA):
        raise Unusable(f"{path}: its tables are not ours")
    if connection.execute("SELECT count(*) FROM mark").fetchone()[0] != 1:
        raise Unusable(f"{path}: no mark")


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def code_of(error: BaseException) -> int:
    """SQLite's primary result code."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def cannot_open(error: Exception, path: str) -> NoReturn:
    """Only what speaks against the file's bytes costs it its life; what speaks against the moment does not."""
    code = code_of(error)
    if code in BROKEN or code == sqlite3.SQLITE_ERROR:
        raise Unusable(f"{path}: {error}") from error
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise errors.Busy(f"{path}: {error}") from error
    raise errors.NotReady(f"{path}: the index cannot be opened now: {error}") from error


def inode(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return (0, 0)
    return (status.st_dev, status.st_ino)
