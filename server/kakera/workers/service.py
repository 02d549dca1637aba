"""The background process: its loops side by side over one throttle, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

from kakera.observe.log import get_logger
from kakera.workers.clean import CleanLoop
from kakera.workers.context import Work
from kakera.workers.healing import CensusLoop, HealLoop, ScrubLoop
from kakera.workers.loop import Loop, Runner
from kakera.workers.space import CompactLoop, GcLoop, PunchLoop

log = get_logger("workers")


def all_loops(work: Work) -> list[Loop]:
    """Every loop there is, in the order `doctor` shows them."""
    return [
        CensusLoop(work), HealLoop(work), ScrubLoop(work), CompactLoop(work), PunchLoop(work), GcLoop(work),
        CleanLoop(work),
    ]  # fmt: skip


async def serve(loops: Sequence[Loop], progress: Path) -> int:
    """Run until SIGTERM or SIGINT. A step under way is given a moment: it may be repeated, so it need not finish.
    Returns the exit code."""
    runner = Runner(list(loops), progress)
    running = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        running.add_signal_handler(number, runner.stop)
    log.info("background begins", loops=[loop.name for loop in loops])
    await runner.run()
    log.info("background ends")
    return 0
