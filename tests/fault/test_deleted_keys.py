"""A bucket whose keys were all deleted: a listing costs the page it shows, not what once was there. Counted in steps of
the index engine's machine and in rows, because time depends on the day."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kakera import config
from kakera.base.ids import new_id
from kakera.core import buckets, listing
from kakera.core.values import Account
from kakera.index.sqlite import SqliteIndex
from kakera.index.tables import BUCKETS
from kakera.journal import codec, commands
from kakera.journal.records import ObjectMeta, Placement
from tests.fault.contest import bucket, delete_keys, keys, together
from tests.fault.live import Live
from tests.fault.stack import Stack

BATCH = 500
NAMES = ("plain", "versioned")


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    server = Live(tmp_path, workers=2, settings={"journal": {"resend_limit_s": 30}})
    server.format()
    yield server
    server.kill()


def fill(live: Live, count: int) -> None:
    """`count` keys in each bucket, by a committer in this process: over HTTP it takes minutes and shows no more."""

    async def work() -> None:
        stack = Stack(config.load(live.config))
        for name in NAMES:
            made = await buckets.create(stack.store, Account("a", "a"), name)
            if name == "versioned":
                await buckets.set_versioning(stack.store, made, 1)
                made = buckets.get(stack.store, name)
            for start in range(0, count, BATCH):
                stack.committer.process([_put(made, n) for n in range(start, start + BATCH)], _all_well)
        stack.close()

    asyncio.run(work())


def _put(made: Any, number: int) -> commands.Put:
    version = new_id()
    meta = ObjectMeta(
        made.bucket_id, f"k{number:06}".encode(), version if made.versioning else b"", 0, 1_800_000_000_000, 0,
        "d41d8cd98f00b204e9800998ecf8427e", "a", Placement.NONE, {}, {}, [], None, b"", [],
    )  # fmt: skip
    return commands.Put(version, made.name, made.bucket_id, made.generation, codec.encode(meta), commands.Body())


def _all_well(replies: list[commands.Reply]) -> None:
    assert all(isinstance(reply, commands.Ok) for reply in replies), replies


class Counting:
    """Rows that count what is scanned."""

    def __init__(self, rows: SqliteIndex) -> None:
        self._rows = rows
        self.scanned = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    def scan(self, *args: Any, **more: Any) -> Any:
        found = self._rows.scan(*args, **more)
        self.scanned += len(found)
        return found


def cost(live: Live, name: str, delimiter: bytes) -> tuple[int, int]:
    """(rows scanned, thousand steps of the engine) of the first page of a listing."""
    index = SqliteIndex(str(live.folder / "state" / "index.sqlite3"), read_only=True)
    connection: sqlite3.Connection = index._connection
    rows: Any = Counting(index)
    steps = [0]

    def tick() -> int:
        steps[0] += 1
        return 0

    try:
        row = index.get(BUCKETS, (name,))
        assert row is not None
        connection.set_progress_handler(tick, 10)
        page = listing.list_objects(rows, row.bucket_id, prefix=b"", delimiter=delimiter, after=b"", limit=1000)
        connection.set_progress_handler(None, 0)
        assert (page.entries, page.prefixes) == ([], [])
        return rows.scanned, steps[0]
    finally:
        index.close()


def check(live: Live, count: int) -> None:
    begun = time.monotonic()
    fill(live, count)
    filled_s, begun = time.monotonic() - begun, time.monotonic()
    live.start()
    bucket(live, "never")

    def empty(name: str, first: int) -> None:
        client = live.connect()
        for start in range(first, count, 2000):
            assert delete_keys(client, name, [f"k{n:06}" for n in range(start, start + 1000)]) == 0

    together(*(lambda name=name, first=first: empty(name, first) for name in NAMES for first in (0, 1000)))  # type: ignore[misc]
    deleted_s = time.monotonic() - begun
    client = live.connect()
    took_ms: dict[str, float] = {}
    for name in ("never", *NAMES):
        for _ in range(3):
            begun = time.monotonic()
            assert keys(client, name) == []
            took = 1000 * (time.monotonic() - begun)
            took_ms[name] = round(min(took, took_ms.get(name, took)), 1)
    costs = {name: [cost(live, name, delimiter) for delimiter in (b"", b"/")] for name in ("never", *NAMES)}
    print(
        f"\ndeleted keys: {count} in each of {len(NAMES)} buckets (put in {filled_s:.0f} s, deleted in "
        f"{deleted_s:.0f} s), LIST in ms {took_ms}, (rows, tens of steps) {costs}"
    )
    for name in NAMES:
        for emptied, never in zip(costs[name], costs["never"], strict=True):
            assert emptied[0] == 0, "rows of what is not there"
            assert emptied[1] <= never[1] + 2, "the engine walks over what was deleted"
    answer = client.ask("DELETE", "/plain")
    assert answer.status == 204, answer
    assert client.ask("DELETE", "/versioned").status == 409, "its versions are still there"


def test_listing_a_bucket_of_10_000_deleted_keys_costs_nothing(live: Live) -> None:
    check(live, 10_000)


@pytest.mark.slow
def test_listing_a_bucket_of_100_000_deleted_keys_costs_nothing(live: Live) -> None:
    check(live, 100_000)
