"""What the loops share: the drives, the committer, the index, and the few questions all of them ask."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from kakera.base import errors, limits
from kakera.base.ids import new_id
from kakera.config import Config
from kakera.index.interface import Rows
from kakera.index.tables import BULK
from kakera.journal.client import JournalClient
from kakera.journal.commands import Status, StatusReply
from kakera.segments.bulk import BulkWriter
from kakera.segments.census import Target
from kakera.segments.compact import Quiet
from kakera.segments.drive import JOURNAL
from kakera.segments.identity import Drives
from kakera.segments.pins import Pins
from kakera.segments.reader import Reader
from kakera.segments.reserve import FULL
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
    remembered: dict[str, dict[str, Any]] = field(default_factory=dict)

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
        if name in self.remembered:
            return {**default, **self.remembered[name]}
        try:
            found: dict[str, Any] = json.loads((self.jobs / name).read_text())
        except (OSError, ValueError):
            return default
        return {**default, **found} if isinstance(found, dict) else default

    def save(self, name: str, state: dict[str, Any]) -> None:
        """On a full disk only for as long as this process lives: what frees space must go on."""
        self.remembered[name] = dict(state)
        aside = self.jobs / f"{name}.new"
        try:
            self.jobs.mkdir(parents=True, exist_ok=True)
            aside.write_text(json.dumps(state))
            os.replace(aside, self.jobs / name)
        except OSError as error:
            if error.errno not in FULL:
                raise
