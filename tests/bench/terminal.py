"""The tables as they are printed to a terminal. What a column means is said once, under the last table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

from tests.bench.goals import Goal
from tests.bench.results import Report, Row, Table, size_name

Cell = Callable[[dict[str, Any]], str]
MISSING = "–"
LEGEND = (
    "bare: a Falcon app without a store on the same Gunicorn, same requests, measured next to each row · "
    "raw: (k+m)/k of the body written to k+m files, each synced (fdatasync), k+m in parallel · "
    "x bare, x raw: server divided by baseline · CPU s/1000: server's CPU seconds for 1,000 requests · "
    "client: share of one core, and of all CPU used by client and server together"
)


def number(value: float | None, digits: int = 0) -> str:
    return MISSING if value is None else f"{value:,.{digits}f}"


COLUMNS: tuple[tuple[str, Cell], ...] = (
    ("size", lambda row: size_name(row["size_bytes"]) if row["size_bytes"] else MISSING),
    ("clients", lambda row: str(row["clients"])),
    ("per s", lambda row: number(row["per_s"])),
    ("MB/s", lambda row: number(row["mb_per_s"], 1)),
    ("p50 ms", lambda row: number(row["p50_ms"], 2)),
    ("p99 ms", lambda row: number(row["p99_ms"], 2)),
    ("bare per s", lambda row: number(row["bare_per_s"])),
    ("x bare", lambda row: number(row["bare_ratio"], 2)),
    ("raw MB/s", lambda row: number(row["raw_mb_per_s"], 1)),
    ("x raw", lambda row: number(row["raw_ratio"], 2)),
    ("CPU s/1000", lambda row: number(row["server_cpu_s_per_1000"], 3)),
    ("RSS MB", lambda row: number(row["server_peak_rss_mb"])),
    ("client", lambda row: _client(row)),
    ("errors", lambda row: "FAILED" if row["failed"] else "0"),
)


def cells(row: Row) -> list[str]:
    figures = row.figures()
    return [row.operation, *(cell(figures) for _, cell in COLUMNS)]


def used_columns(table: Table) -> list[str]:
    """Column names; those that are empty in every row (no raw baseline for reads, say) are left out."""
    rows = [cells(row) for row in table.rows]
    names = ["operation", *(name for name, _ in COLUMNS)]
    return [name for place, name in enumerate(names) if any(row[place] != MISSING for row in rows)]


def lines(table: Table) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table as text, for the terminal and for Markdown alike."""
    names = ["operation", *(name for name, _ in COLUMNS)]
    used = used_columns(table)
    places = [names.index(name) for name in used]
    return used, [[row[place] for place in places] for row in map(cells, table.rows)]


def _client(row: dict[str, Any]) -> str:
    if row["client_cores"] is None:
        return MISSING
    share = "" if row["client_share"] is None else f", {row['client_share']:.0%}"
    return f"{row['client_program']} {row['client_cores']:.0%}{share}"


def print_report(report: Report, goals: list[Goal], console: Console) -> None:
    for table in report.tables:
        _print_table(table, report.durability, console)
    _print_footprint(report, console)
    console.print(LEGEND, style="dim")
    _print_goals(goals, console)
    for warning in report.warnings:
        console.print(warning, style="bold yellow", markup=False)
    for failure in report.failures:
        console.print(f"FAILED {failure}", style="bold red", markup=False)


def _print_table(table: Table, durability: str, console: Console) -> None:
    names, rows = lines(table)
    grid = Grid(title=table.title, caption=f"durability: {durability}", title_justify="left", caption_justify="left")
    for place, name in enumerate(names):
        grid.add_column(name, justify="left" if place == 0 else "right", no_wrap=True)
    for row in rows:
        grid.add_row(*row, style="red" if "FAILED" in row else None)
    console.print(grid)
    for note in table.notes:
        console.print(note, style="dim", markup=False)


def _print_footprint(report: Report, console: Console) -> None:
    if not report.footprint:
        return
    title = "Space: allocated bytes on the drives for each byte accepted"
    grid = Grid(title=title, caption=f"durability: {report.durability}", title_justify="left", caption_justify="left")
    for name in ("object size", "objects", "stored / accepted"):
        grid.add_column(name, justify="right")
    for found in report.footprint:
        grid.add_row(size_name(found.size_bytes), f"{found.objects:,}", number(found.stored_per_accepted, 2))
    console.print(grid)


def _print_goals(goals: list[Goal], console: Console) -> None:
    grid = Grid(title="Goals (information, not a test)", title_justify="left")
    for name in ("goal", "figure", "wanted", "aim", "verdict"):
        grid.add_column(name, justify="left" if name == "goal" else "right")
    for goal in goals:
        style = {"miss": "red", "not measured": "dim"}.get(goal.verdict, "green")
        grid.add_row(*goal_cells(goal), style=style)
    console.print(grid)


def goal_cells(goal: Goal) -> tuple[str, str, str, str, str]:
    digits = 0 if goal.bound >= 10 else 2
    wanted = f"{'≤' if goal.at_most else '≥'} {number(goal.bound, digits)}"
    return goal.name, number(goal.value, digits), wanted, number(goal.aim, digits), goal.verdict
