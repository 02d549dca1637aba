"""What the real server's drives hold that nobody refers to."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

import psutil

from kakera import config
from kakera.assemble import BackgroundServices
from kakera.index.sqlite import SqliteIndex
from kakera.index.tables import BULK as BULK_ROWS
from kakera.segments.census import Target, examine, list_segments
from kakera.segments.drive import BULK
from kakera.workers.references import References
from tests.fault.live import Live

REPLACED_S = 20.0  # for the arbiter to notice that its workers are gone, and for new ones to be ready


def replace_workers(live: Live) -> None:
    """SIGKILL every HTTP worker: their open bulk segments are sealed by it, where idle ones are only after a minute."""
    arbiter = psutil.Process(live.children()["http"])
    old = arbiter.children()
    for worker in old:
        worker.send_signal(signal.SIGKILL)
    psutil.wait_procs(old, timeout=REPLACED_S)
    deadline = time.monotonic() + REPLACED_S
    while len([worker for worker in arbiter.children() if worker not in old]) < len(old):
        assert time.monotonic() < deadline, "no new workers"
        time.sleep(0.1)
    live.wait_until("ready")


def collect(live: Live) -> None:
    """Everything that nobody refers to is given back now."""
    replace_workers(live)
    done = live.command("admin", "gc", "--now")
    assert done.returncode == 0, done.stderr


def orphans(live: Live) -> list[str]:
    """Every DATA record on the drives of the running server that no row refers to; what is not sealed yet included."""

    async def look() -> list[str]:
        services = BackgroundServices(config.load(live.config))
        await services.open()
        try:
            work = services.work
            await work.status()
            found: list[str] = []
            for segment in list_segments(work.drives, BULK):
                refers = References(work)
                seen = await work.apart(lambda s=segment, r=refers: _examine(work, s, r))  # type: ignore[misc]
                if seen.lost and segment not in list_segments(work.drives, BULK):
                    continue  # the background moved what lived there and dropped it while it was read
                found += [f"{segment:016x} at {orphan.offset}: {orphan.length} bytes" for orphan in seen.orphans]
                assert not seen.lost, seen
            return found
        finally:
            await services.close()

    return asyncio.run(look())


def _examine(work: Any, segment: int, refers: References) -> Any:
    return examine(Target(BULK, segment), work.drives, refers=refers, throttle=work.throttle)


def bulk_segments(live: Live) -> set[str]:
    """Names of the bulk segments that have a strand anywhere."""
    return {path.name for slot in range(6) for path in Path(live.drive(slot)).glob("bulk/*")}


def unreferred(live: Live) -> set[str]:
    """Names of the bulk segments that are there, and that no row of the index refers to."""
    index = SqliteIndex(str(live.folder / "state" / "index.sqlite3"), read_only=True)
    try:
        return {name for name in bulk_segments(live) if index.get(BULK_ROWS, (int(name, 16),)) is None}
    finally:
        index.close()
