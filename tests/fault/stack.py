"""The whole store in one process, without HTTP: committer, core, bulk writer, background loops, over real folders. A
process that is to be killed at a fault point runs this, and so does the one that looks afterwards."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from kakera import assemble
from kakera.base import errors
from kakera.config import Background, Bulk, Config, Drive, Journal, Profile, Server, Space
from kakera.core.copying import SourceBody
from kakera.core.values import Account, Digests
from kakera.journal.client import State, error_of
from kakera.journal.commands import Command, No, Ok, Reply
from kakera.journal.committer import Committer
from kakera.segments.compact import Quiet
from kakera.segments.identity import format_drives
from kakera.segments.walk import Throttle
from kakera.workers.context import Work
from kakera.workers.queue import HealQueue

OWNER = Account("owner", "owner")
RATE_BYTES_PER_S = 1 << 33


def config_of(root: Path, *, k: int = 4, m: int = 2, drives: int = 6) -> Config:
    """Small segments and chunks, so that a short history rolls, seals and compacts."""
    return Config(
        server=Server(name="fault", listen="127.0.0.1:1", state_dir=str(root / "state")),
        profile=Profile(k=k, m=m, chunk_bytes=1 << 16),
        drives=tuple(Drive(path=str(root / f"drive-{n}"), domain="here") for n in range(drives)),
        accounts=(),
        journal=Journal(segment_bytes=1 << 20, resend_limit_s=1),
        bulk=Bulk(segment_bytes=1 << 20),
        space=Space(reserve_bytes=1 << 20),
        background=Background(rate_bytes_per_s=RATE_BYTES_PER_S),
    )


def make(root: Path) -> Config:
    config = config_of(root)
    format_drives(config)
    return config


class LocalJournal:
    """`JournalClient` without the socket: a command is one turn of a committer in this process. `on_ack` is called at
    the very moment a worker would get its answer."""

    def __init__(self, committer: Committer) -> None:
        self.committer = committer
        self.state = State()
        self.state.mode = committer.mode
        self.on_ack: Callable[[Command], None] = lambda command: None

    async def submit(self, command: Command) -> Ok:
        got: list[Reply] = []

        def deliver(replies: list[Reply]) -> None:
            got.extend(replies)
            if isinstance(replies[0], Ok):
                self.on_ack(command)

        self.committer.process([command], deliver)
        self.committer.tick()
        if isinstance(got[0], No):
            raise error_of(got[0])
        return got[0]


class Body:
    """A body source over bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._digests = Digests(len(data), hashlib.md5(data).digest(), None)
        self.declared_bytes = len(data)

    async def read(self) -> bytes:
        piece, self._data = self._data[: 1 << 18], self._data[1 << 18 :]
        return piece

    def digests(self) -> Digests:
        return self._digests


class Stack:
    """Everything, opened. Raises NotReady when recovery is not possible."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.committer = assemble.committer_services(config)
        self.committer.start()
        if self.committer.mode == "starting":
            raise errors.NotReady(self.committer.reason)
        self.journal = LocalJournal(self.committer)
        journal: Any = self.journal
        self.store = assemble.make_store(config, journal, self.committer.index)
        parts = assemble.make_segments(config, journal)
        paths = assemble.Paths.of(config)
        self.work = Work(
            config=config, drives=parts.drives, pins=parts.pins, quiet=Quiet(parts.pins, 0.0), reader=parts.reader,
            bulk=parts.bulk, journal=journal, queue=HealQueue(paths.jobs), throttle=Throttle(RATE_BYTES_PER_S),
            jobs=paths.jobs, rows=lambda: self.committer.index,
        )  # fmt: skip

    def close(self) -> None:
        self.store.bulk.close()
        self.store.reader.close()
        self.work.bulk.close()
        self.work.reader.close()
        self.committer.close()


async def whole(body: bytes | AsyncIterator[bytes]) -> bytes:
    """All of an opened object's body."""
    if isinstance(body, bytes):
        return body
    return b"".join([piece async for piece in body])


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


__all__ = ["OWNER", "Body", "LocalJournal", "SourceBody", "Stack", "config_of", "make", "run", "whole"]
