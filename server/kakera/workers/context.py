"""What the loops share: the drives, the committer, the index, and the few questions all of them ask."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from kakera.base import errors, limits
from kakera.base.ids import new_id
from kakera.config import Config
from kakera.index.interface import Rows
from kakera.index.tables import BODIES, BULK, ENTRIES, PARTS, Location
from kakera.journal import codec
from kakera.journal.client import JournalClient
from kakera.journal.commands import Status, StatusReply
from kakera.journal.decide import find_version
from kakera.journal.records import ObjectMeta, PartMeta
from kakera.segments.bulk import BulkWriter
from kakera.segments.census import Target
from kakera.segments.compact import Quiet
from kakera.segments.drive import JOURNAL
from kakera.segments.identity import Drives
from kakera.segments.pins import Pins, Vanished
from kakera.segments.reader import Reader
from kakera.segments.record import Type
from kakera.segments.walk import Throttle
from kakera.workers.queue import HealQueue

T = TypeVar("T")
_STATUS = msgspec.msgpack.Decoder(StatusReply)


@dataclass
class Work:
    """One background process's parts. `rows` gives the index as it is now; raises NotReady while there is none."""

    config: Config
    drives: Drives
    pins: Pins
    quiet: Quiet
    reader: Reader
    bulk: BulkWriter
    journal: JournalClient
    queue: HealQueue
    throttle: Throttle
    jobs: Path
    rows: Callable[[], Rows]

    async def status(self) -> StatusReply:
        """The committer's view. Raises NotReady unless it is ready: nothing is moved, healed or dropped on an old
        view."""
        reply = await asyncio.wait_for(self.journal.submit(Status(id=new_id())), limits.READY_WAIT_S)
        status = _STATUS.decode(reply.body)
        if status.mode != "ready":
            raise errors.NotReady(status.reason)
        return status

    def target(self, status: StatusReply, kind: str, segment: int) -> Target | None:
        """What of a segment counts and is written no more; None: nothing, or not yet."""
        if kind == JOURNAL:
            for info in status.chain[:-1]:
                if info.segment == segment:
                    return Target(kind, segment, info.end)
            return None
        if self.rows().get(BULK, (segment,)) is None or not self.pins.is_sealed(segment):
            return None
        return Target(kind, segment)

    async def apart(self, work: Callable[..., T], *args: Any) -> T:
        """In a thread: what blocks on drives."""
        return await asyncio.to_thread(work, *args)

    def load(self, name: str, default: dict[str, Any]) -> dict[str, Any]:
        """A loop's small memory over restarts; losing it costs time only."""
        try:
            found: dict[str, Any] = json.loads((self.jobs / name).read_text())
        except (OSError, ValueError):
            return default
        return {**default, **found} if isinstance(found, dict) else default

    def save(self, name: str, state: dict[str, Any]) -> None:
        self.jobs.mkdir(parents=True, exist_ok=True)
        aside = self.jobs / f"{name}.new"
        aside.write_text(json.dumps(state))
        os.replace(aside, self.jobs / name)


@dataclass(frozen=True)
class Holder:
    """The record that holds a body in bulk, as it is now."""

    location: Location
    type: Type
    meta: ObjectMeta | PartMeta
    order: int  # of an OBJECT


async def holder_of(work: Work, body_id: bytes) -> Holder | None:
    """Who refers to the chunks of this body; None: nobody. Looked up again when it moves meanwhile (R3)."""
    for _ in range(limits.HOLDER_RETRIES):
        rows = work.rows()
        body = rows.get(BODIES, (body_id,))
        if body is None:
            return None
        order = 0
        if body.upload_id:
            part = rows.get(PARTS, (body.upload_id, body.part_number))
            if part is None or part.part_id != body_id:
                return None
            kind, location = Type.PART, Location(part.segment, part.offset, part.length)
        else:
            current = rows.get(ENTRIES, (body.bucket_id, body.key))
            row = find_version(rows, current, body.bucket_id, body.key, body.version)
            if row is None:
                return None
            kind, location = Type.OBJECT, Location(row.segment, row.offset, row.length)
            order = row.order if row is current else -row.neg_order  # type: ignore[union-attr]
        try:
            record = await work.reader.meta(location)
        except Vanished:
            await asyncio.sleep(limits.INDEX_WATCH_S)
            continue
        meta: ObjectMeta | PartMeta = codec.META[kind].decode(record.meta)
        held = meta.body_id if isinstance(meta, ObjectMeta) else meta.part_id
        return Holder(location, kind, meta, order) if held == body_id else None
    raise errors.Busy("a record keeps moving")


class References:
    """Answers `who refers to this DATA` for code that runs in a thread, through the event loop that owns the index."""

    def __init__(self, work: Work, segment: int) -> None:
        self._work = work
        self._segment = segment
        self._loop = asyncio.get_running_loop()
        self._known: dict[bytes, frozenset[int]] = {}

    def __call__(self, body_id: bytes, _number: int, offset: int) -> bool:
        """segments.census.Refers. Called in a thread."""
        known = self._known.get(body_id)
        if known is None:
            if len(self._known) > limits.REFERENCES_CACHED:
                self._known.clear()
            future = asyncio.run_coroutine_threadsafe(self._offsets(body_id), self._loop)
            known = self._known[body_id] = future.result()
        return offset in known

    async def _offsets(self, body_id: bytes) -> frozenset[int]:
        holder = await holder_of(self._work, body_id)
        if holder is None:
            return frozenset()
        return frozenset(chunk.offset for chunk in holder.meta.chunks if chunk.segment == self._segment)
