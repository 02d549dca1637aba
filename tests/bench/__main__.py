"""`python -m tests.bench`, which is `make bench`: measure, print, keep the figures."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.bench import document, machine, operations, target, terminal
from tests.bench.baseline import BareServer
from tests.bench.client import ClientError, require_wrk
from tests.bench.goals import goals
from tests.bench.machine import touch_memory
from tests.bench.results import Report
from tests.bench.target import ROOT, Target, TargetError
from tests.bench.windows import Bench, RunError, Settings

TABLES = ("put", "get", "list", "stat", "delete", "space")
OUT = ROOT / "build" / "bench"
PAGE, CHARTS = ROOT / "docs" / "BENCHMARKS.md", ROOT / "docs" / "bench"
SPARE_BYTES_A_ROUND = 24 << 30
"""What a full round writes at most on a fast disk; less free space than that is worth a warning."""
NARROW_COLUMNS, WIDE_COLUMNS = 120, 170

app = typer.Typer(add_completion=False)


@app.command()
def bench(
    *,
    endpoint: Annotated[
        str | None, typer.Option(envvar="ENDPOINT", help="measure this S3 server instead; credentials from AWS_*")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="windows of 1 s, 10,000 keys: a look, not a figure")] = False,
    rounds: Annotated[int, typer.Option(min=1, help="repeat every window so often and take medians")] = 1,
    window: Annotated[int | None, typer.Option(min=1, help="seconds of a measured window (4)")] = None,
    only: Annotated[str, typer.Option(help=f"tables to run, of {','.join(TABLES)}")] = ",".join(TABLES),
    list_keys: Annotated[int | None, typer.Option(min=10, help="keys in the bucket that is listed (100,000)")] = None,
    workers: Annotated[int, typer.Option(min=1, help="HTTP workers of both servers")] = 2,
    bulk_client: Annotated[str, typer.Option(help="client for bodies of megabytes: sockets or wrk")] = "sockets",
    durability: Annotated[str | None, typer.Option(help="durability mode to print, if the server does not say")] = None,
    server_pid: Annotated[int | None, typer.Option(help="with ENDPOINT: pid whose process tree is the server")] = None,
    drive: Annotated[
        list[Path] | None, typer.Option(help="with ENDPOINT: a folder that the server stores in; repeat")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="with ENDPOINT: leave the objects there")] = False,
    write_docs: Annotated[bool, typer.Option("--write-docs", help="rewrite docs/BENCHMARKS.md and docs/bench")] = False,
    out: Annotated[Path, typer.Option(help="folder for latest.json")] = OUT,
) -> None:
    """Measure a server beside its baselines; every table says how durable the writes were."""
    chosen = [name for name in TABLES if name in only.split(",")]
    if unknown := sorted(set(only.split(",")) - set(TABLES)):
        raise typer.BadParameter(f"no such table: {', '.join(unknown)}")
    if bulk_client not in ("sockets", "wrk"):
        raise typer.BadParameter("--bulk-client is sockets or wrk")
    console = Console()
    if not console.is_terminal or console.width < NARROW_COLUMNS:
        console = Console(width=WIDE_COLUMNS)
    settings = _settings(quick=quick, rounds=rounds, window=window, list_keys=list_keys, bulk_client=bulk_client)
    try:
        require_wrk()
        with (
            _server(endpoint, workers, durability, server_pid, tuple(drive or ())) as server,
            BareServer(workers) as bare,
        ):
            report = measure(settings, server, bare, chosen, console, clean_up=endpoint is not None and not keep)
    except (ClientError, TargetError, RunError) as error:
        console.print(f"bench: {error}", style="bold red", markup=False, highlight=False)
        raise typer.Exit(2) from error
    finish(report, console, out, write_docs=write_docs)
    if report.failures:
        raise typer.Exit(1)


def measure(
    settings: Settings, server: Target, bare: BareServer, chosen: list[str], console: Console, *, clean_up: bool
) -> Report:
    """Run the chosen tables. Raises RunError, TargetError."""

    def say(text: str) -> None:
        console.print(text, style="dim", markup=False, highlight=False)

    OUT.mkdir(parents=True, exist_ok=True)
    report = _new_report(settings, server)
    raw_folder = server.drives[0].parent if server.drives else OUT
    if shutil.disk_usage(raw_folder).free < SPARE_BYTES_A_ROUND * settings.rounds:
        say("little free space: a round may write 24 GB, most of it in the 10 MiB rows and the raw baseline")
    touched_bytes = touch_memory(settings.touched_bytes)
    say(f"used {touched_bytes / 2**30:.0f} GiB of memory once, so that no window pays for its first touch")
    run = Bench(settings, server, bare, raw_folder, say)
    try:
        many = operations.ManyKeys(run)
        for name in chosen:
            if name == "space":
                report.footprint = operations.measure_space(run)
            elif name in ("put", "get"):
                report.tables.append({"put": operations.put_table, "get": operations.get_table}[name](run))
            else:
                of_many = {
                    "list": operations.list_table,
                    "stat": operations.stat_table,
                    "delete": operations.delete_table,
                }
                report.tables.append(of_many[name](run, many))
    finally:
        if clean_up:
            say("deleting what the run has written …")
            run.clean_up()
    return report


def finish(report: Report, console: Console, out: Path, *, write_docs: bool) -> None:
    """Print the tables and keep the report."""
    reached = goals(report)
    terminal.print_report(report, reached, console)
    document.write_json(report, reached, out / "latest.json")
    console.print(f"figures: {out / 'latest.json'}", markup=False, highlight=False)
    if write_docs:
        from tests.bench import charts  # matplotlib takes a second to import and is needed here only

        charts.draw_all(report, CHARTS)
        page = PAGE.read_text() if PAGE.exists() else ""
        PAGE.write_text(document.rewrite(page, document.markdown(report, reached, "bench")))
        console.print("written: docs/BENCHMARKS.md and its charts", markup=False, highlight=False)


def _settings(*, quick: bool, rounds: int, window: int | None, list_keys: int | None, bulk_client: str) -> Settings:
    settings = Settings(rounds=rounds, bulk_client=bulk_client)
    if quick:
        settings = dataclasses.replace(settings, window_s=1.0, warm_up_s=1.0, list_keys=10_000)
    if window is not None:
        settings = dataclasses.replace(settings, window_s=float(window))
    if list_keys is not None:
        settings = dataclasses.replace(settings, list_keys=list_keys)
    return settings


@contextmanager
def _server(
    endpoint: str | None, workers: int, durability: str | None, pid: int | None, drives: tuple[Path, ...]
) -> Iterator[Target]:
    if endpoint:
        yield target.existing(endpoint, durability=durability, pid=pid, drives=drives)
    else:
        with target.start_server(workers, durability) as started:
            yield started


def _new_report(settings: Settings, server: Target) -> Report:
    return Report(
        server=server.name,
        durability=server.durability,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        settings=dataclasses.asdict(settings),
        machine=machine.describe(server.drives[0] if server.drives else ROOT),
        versions=machine.versions(),
    )


if __name__ == "__main__":
    sys.exit(app())
