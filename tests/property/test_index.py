"""SQLite against memory: any order of changes, scans, rollbacks and reopenings gives the same answers; and a process
killed at any passage of the commit leaves a state it had committed (R4)."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kakera.index.file import discard
from kakera.index.interface import Index, Key, Mark
from kakera.index.memory import MemoryIndex
from kakera.index.sqlite import SqliteIndex
from kakera.index.tables import BULK, TABLES, UPLOADS, BulkRow, Row, Table, UploadRow

NUMBERS = st.integers(-3, 3)
BYTES = st.sampled_from([b"", b"\0", b"a", b"a\0", b"a/", b"ab", b"\x7f", b"\x80", b"\xff", b"\xff\xff"])
KEYS = st.tuples(NUMBERS, BYTES, BYTES)
BOUNDS = KEYS.flatmap(lambda key: st.integers(0, 3).map(lambda count: key[:count]))


def upload(key: tuple[int, bytes, bytes], value: int) -> UploadRow:
    return UploadRow(*key, value, "main", "", 1, 2, 3)


class Engines(RuleBasedStateMachine):
    """The same calls to both engines."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "index.sqlite3")
        self.file = SqliteIndex(self.path)
        self.reader = SqliteIndex(self.path, read_only=True)
        self.memory = MemoryIndex()
        self.committed = self.memory.snapshot()
        self.open = False
        self.sequence = 0

    def teardown(self) -> None:
        self.file.close()
        self.reader.close()
        self.folder.cleanup()

    def both(self) -> tuple[Index, Index]:
        return self.file, self.memory

    @precondition(lambda self: not self.open)
    @rule()
    def begin(self) -> None:
        for index in self.both():
            index.begin()
        self.open = True

    @precondition(lambda self: self.open)
    @rule(keys=st.lists(KEYS, min_size=1, max_size=20), value=st.integers(0, 1 << 40))
    def put(self, keys: list[tuple[int, bytes, bytes]], value: int) -> None:
        for index in self.both():
            for key in keys:
                index.put(UPLOADS, upload(key, value))
                index.put(BULK, BulkRow(key[0], value))

    @precondition(lambda self: self.open)
    @rule(key=KEYS)
    def delete(self, key: tuple[int, bytes, bytes]) -> None:
        for index in self.both():
            index.delete(UPLOADS, key)
            index.delete(BULK, (key[0],))

    @precondition(lambda self: self.open)
    @rule(low=BOUNDS, high=BOUNDS)
    def delete_range(self, low: Key, high: Key) -> None:
        for index in self.both():
            index.delete_range(UPLOADS, low, high)

    @precondition(lambda self: self.open)
    @rule()
    def commit(self) -> None:
        self.sequence += 1
        for index in self.both():
            index.commit(Mark(self.sequence, 1 << 33, self.sequence * 7))
        self.open = False
        self.committed = self.memory.snapshot()

    @precondition(lambda self: self.open)
    @rule()
    def rollback(self) -> None:
        for index in self.both():
            index.rollback()
        self.open = False

    @rule()
    def reopen(self) -> None:
        """What was not committed is gone with the connection."""
        self.file.close()
        self.file = SqliteIndex(self.path)
        self.memory.rollback()
        self.open = False

    @precondition(lambda self: not self.open)
    @rule(step=st.sampled_from(["wipe", "discard", "checkpoint", "sync"]))
    def life(self, step: str) -> None:
        if step in ("checkpoint", "sync"):
            getattr(self.file, step)()
            return
        if step == "wipe":
            self.file.wipe()
        else:
            self.file.close()
            self.reader.close()
            discard(self.path)
            self.file = SqliteIndex(self.path)
            self.reader = SqliteIndex(self.path, read_only=True)
        self.memory.wipe()
        self.committed = self.memory.snapshot()

    @rule(low=BOUNDS, high=st.none() | BOUNDS, limit=st.integers(1, 30), reverse=st.booleans())
    def scan(self, low: Key, high: Key | None, limit: int, reverse: bool) -> None:
        found, expected = (index.scan(UPLOADS, low, high, limit=limit, reverse=reverse) for index in self.both())
        assert list(found) == list(expected)

    @rule(key=KEYS)
    def get(self, key: tuple[int, bytes, bytes]) -> None:
        assert self.file.get(UPLOADS, key) == self.memory.get(UPLOADS, key)
        assert self.reader.get(UPLOADS, key) == self.committed.tables["uploads"].get(key)

    @invariant()
    def same_marks(self) -> None:
        assert self.file.mark() == self.memory.mark()

    @invariant()
    def readers_see_the_last_commit(self) -> None:
        expected = [row for _, row in sorted(self.committed.tables["uploads"].items())]
        assert self.reader.scan(UPLOADS, (), None, limit=1000) == expected
        assert self.reader.mark() == self.committed.mark


TestEngines = Engines.TestCase
TestEngines.settings = settings(max_examples=25, stateful_step_count=40)


# --- kill -9


def changes(seed: int, sequence: int) -> list[tuple[str, Any]]:
    """The changes of one transaction, the same in every process."""
    made = random.Random(f"{seed} {sequence}")
    out: list[tuple[str, Any]] = []
    for _ in range(made.randint(1, 30)):
        key = (made.randint(0, 3), made.randbytes(made.randint(0, 3)), made.randbytes(made.choice([0, 1, 400])))
        kind = made.choices(["put", "delete", "delete_range"], [8, 2, 1])[0]
        out.append((kind, key))
    return out


def play(index: Index, seed: int, sequence: int) -> None:
    index.begin()
    for kind, key in changes(seed, sequence):
        if kind == "put":
            index.put(UPLOADS, upload(key, sequence))
        elif kind == "delete":
            index.delete(UPLOADS, key)
        else:
            index.delete_range(UPLOADS, key[:2], (key[0], key[1] + b"\x20"))
    index.commit(Mark(sequence, 1, sequence))


def writer(path: str, seed: int) -> None:
    """The victim: says each commit it has made. Checkpoints now and then, so that a WAL that starts over is met too."""
    from kakera.base import faults

    faults.from_environment()
    index = SqliteIndex(path)
    for sequence in range(index.mark().sequence + 1, 400):
        play(index, seed, sequence)
        os.write(1, b"%d\n" % sequence)
        if sequence % 7 == 0:
            index.checkpoint()


def content(index: Index) -> dict[str, list[Row]]:
    tables: tuple[Table[Row], ...] = TABLES
    return {table.name: list(index.scan(table, (), None, limit=100_000)) for table in tables}


def run_until_killed(path: str, seed: int, plan: dict[str, Any]) -> int:
    """Returns the last commit the victim said it made."""
    environment = {**os.environ, "KAKERA_FAULTS": json.dumps(plan), "PYTHONPATH": os.pathsep.join(sys.path)}
    code = f"from tests.property.test_index import writer; writer({path!r}, {seed})"
    done = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, timeout=60)
    assert done.returncode == -9, "the victim was to be killed"
    said = done.stdout.split()
    return int(said[-1]) if said else 0


def kill_from_outside(path: str, seed: int, after: int) -> int:
    """As `run_until_killed`, but wherever the victim is when it has said its commit number `after`."""
    code = f"from tests.property.test_index import writer; writer({path!r}, {seed})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE) as victim:
        assert victim.stdout is not None
        said = [victim.stdout.readline() for _ in range(after)]
        victim.kill()
        said += victim.stdout.read().splitlines()
    return int(said[-1])


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_passage_of_a_commit(tmp_path: Path, seed: int) -> None:
    path = str(tmp_path / "index.sqlite3")
    model = MemoryIndex()
    made = random.Random(seed)
    acked = 0
    for attempt in range(4):  # killed, and killed again in what was left
        match = made.choice(["index", "index.commit", "index.checkpoint"])
        plan = {"kill_at": made.randint(1, 8 if match == "index.checkpoint" else 60), "match": match}
        if attempt == 3:
            said = kill_from_outside(path, seed, made.randint(1, 40))
        else:
            said = run_until_killed(path, seed, plan)
        acked = max(acked, said)
        index = SqliteIndex(path)
        mark = index.mark()
        assert acked <= mark.sequence <= acked + 1
        for sequence in range(model.mark().sequence + 1, mark.sequence + 1):
            play(model, seed, sequence)
        assert model.mark() == mark
        assert content(index) == content(model)
        assert index.check() == []
        acked = mark.sequence
        index.close()
