"""Background loops run at once, in a command, until they have nothing more to do, with a progress bar."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from kakera.base import clock, errors, limits
from kakera.cli.terms import Stop
from kakera.config import Config
from kakera.workers.healing import ScrubLoop
from kakera.workers.loop import Loop
from kakera.workers.space import CompactLoop

SETTLE_S = 1.0  # between two looks at what cannot be done yet


def run_loops(config: Config, names: Sequence[str], limit_s: float) -> None:
    """Run these loops one after the other, each until its work is done, all within the limit; a line for each.

    Raises: Stop when one cannot go on, or not all could be done in time. What was done stays done: to be repeated."""
    from kakera.assemble import BackgroundServices
    from kakera.workers.service import all_loops

    async def run() -> list[str]:
        services = BackgroundServices(config)
        await services.open()
        try:
            loops = {loop.name: loop for loop in all_loops(services.work)}
            # Asked for by hand, every dead byte is worth its copy.
            loops["scrub"] = ScrubLoop(services.work, state="scrub-now.json", pause_s=0.0)
            loops["compact"] = CompactLoop(services.work, live_ratio=limits.COMPACT_NOW_RATIO)
            until_s = clock.monotonic_s() + limit_s
            return [left for name in names if (left := await _exhaust(loops[name], config, until_s))]
        finally:
            await services.close()

    try:
        left = asyncio.run(run())
    except errors.KakeraError as error:
        raise Stop(f"not now: {error}") from error
    except OSError as error:
        raise Stop(str(error)) from error
    if left:
        raise Stop("; ".join(left))


async def _exhaust(loop: Loop, config: Config, until_s: float) -> str:
    """Steps until nothing is left, nothing changes any more, or the time is up. Returns what is left, "" = nothing."""
    patience_s = limits.BULK_IDLE_S + 2.0 * config.journal.resend_limit_s + limits.HEAL_RETRY_S
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(loop.name, total=None)
        done, changed_at_s = 0, clock.monotonic_s()
        while True:
            try:
                # A step may stop anywhere; a thread of it ends its piece.
                step = await asyncio.wait_for(loop.step(), max(until_s - clock.monotonic_s(), 0.0))
            except TimeoutError:
                return f"{loop.name}: not finished within the limit, {done} done"
            done += step.done
            bar.update(task, completed=done, total=done + step.left or None, description=f"{loop.name} {step.note}")
            if step.done or step.more:
                changed_at_s = clock.monotonic_s()
                if step.more or isinstance(loop, CompactLoop):
                    continue
            waits = step.left and loop.name in ("heal", "gc", "clean")
            if not waits and not (isinstance(loop, CompactLoop) and loop.waiting):
                typer.echo(f"{loop.name}: {done} {step.unit}".rstrip())
                return ""
            if clock.monotonic_s() - changed_at_s > patience_s:
                return f"{loop.name}: {step.left} {step.unit} left{': ' + step.note if step.note else ''}"
            waits_for = f"{loop.name} waits for what is still in use"
            bar.update(task, description=waits_for)
            await asyncio.sleep(SETTLE_S)
