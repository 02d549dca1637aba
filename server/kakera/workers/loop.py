"""Background work as one small trait: a name, an interval, a step. The runner does the rest: pace, retry, progress
(R14)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path
from typing import NamedTuple, Protocol

from kakera.base import clock, limits
from kakera.base.errors import KakeraError
from kakera.observe.log import get_logger

log = get_logger("workers")


class Progress(NamedTuple):
    """What a step did. more: there is work left, the next step may follow at once; done, left: in whatever `unit`
    says."""

    more: bool = False
    done: int = 0
    left: int = 0
    unit: str = ""
    note: str = ""


IDLE = Progress()


class Loop(Protocol):
    """Each step may be repeated, and may stop anywhere: a crash in the middle costs time, never data."""

    name: str
    interval_s: float

    async def step(self) -> Progress: ...


class Runner:
    """Runs loops side by side until `stop`; a loop that fails tries again later and later, and never takes another
    with it."""

    def __init__(self, loops: list[Loop], progress_path: Path) -> None:
        self._loops = loops
        self._path = progress_path
        self._stopping = asyncio.Event()
        self._told: dict[str, tuple[dict[str, object], int]] = {}

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        await asyncio.gather(self._stopping.wait(), *(self._run(loop) for loop in self._loops))

    async def _run(self, loop: Loop) -> None:
        failures = 0
        while not self._stopping.is_set():
            progress, error = IDLE, ""
            try:
                progress = await loop.step()
                failures = 0
            except KakeraError as refused:
                error = f"{type(refused).__name__}: {refused}"
            except OSError as failed:
                error = str(failed)
            except Exception as bug:
                error = repr(bug)
                log.exception("step failed", loop=loop.name)
            if error:
                failures += 1
                log.warning("step put off", loop=loop.name, reason=error, failures=failures)
            self._note(loop.name, progress, error)
            if progress.more:
                await asyncio.sleep(0)
                continue
            wait_s = min(loop.interval_s * 2 ** min(failures, 10), max(loop.interval_s, limits.LOOP_RETRY_S))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait_s)

    def _note(self, name: str, progress: Progress, error: str) -> None:
        """For `kakera doctor`: one small file, replaced whole."""
        now_ms = clock.now_ms()
        fields: dict[str, object] = {**progress._asdict(), "error": error}
        told, at_ms = self._told.get(name, ({}, 0))
        if told == fields and now_ms - at_ms < limits.PROGRESS_INTERVAL_MS:
            return
        self._told[name] = (fields, now_ms)
        seen = {loop: {**said, "at_ms": when} for loop, (said, when) in self._told.items()}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            aside = self._path.with_suffix(".new")
            aside.write_text(json.dumps(seen))
            os.replace(aside, self._path)
        except OSError as failed:
            log.warning("progress not written", reason=str(failed))


def read_progress(path: Path) -> dict[str, dict[str, object]]:
    """What the runner last wrote; empty when it never ran."""
    try:
        found: dict[str, dict[str, object]] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found
