"""The report on disk: latest.json with every window, and a chart a table in docs/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.bench.goals import Goal
from tests.bench.results import FORMAT_VERSION, Report, Table, size_name
from tests.bench.terminal import LEGEND, goal_cells, lines, number

BEGIN, END = "<!-- generated: make bench -->", "<!-- end of the generated part -->"
PREFACE = f"""# Benchmarks

`make bench` measures, prints, and with `make bench BENCH=--write-docs` rewrites the part of this page between the two
marks; [tests/bench](../tests/bench/README.md) says how. Compare ratios, not rates: both sides of a ratio were measured
on the same machine within seconds of each other.

{BEGIN}
{END}
"""


def as_json(report: Report, goals: list[Goal]) -> dict[str, Any]:
    """The whole report. Rows carry the printed figures and, under `rounds`, every window they were made from."""
    return {
        "format": FORMAT_VERSION,
        "server": report.server,
        "durability": report.durability,
        "started_at": report.started_at,
        "settings": report.settings,
        "machine": report.machine,
        "versions": report.versions,
        "tables": [
            {
                "name": table.name,
                "title": table.title,
                "notes": table.notes,
                "rows": [row.figures() for row in table.rows],
            }
            for table in report.tables
        ],
        "space": [
            {
                "size_bytes": found.size_bytes,
                "objects": found.objects,
                "stored_bytes": found.stored_bytes,
                "stored_per_accepted": found.stored_per_accepted,
            }
            for found in report.footprint
        ],
        "goals": [goal.as_json() for goal in goals],
        "failures": report.failures,
        "others_cores": report.others_cores,
        "warnings": report.warnings,
    }


def write_json(report: Report, goals: list[Goal], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(as_json(report, goals), indent=1) + "\n")


def markdown(report: Report, goals: list[Goal], chart_folder: str) -> str:
    """The generated part, without its marks. `chart_folder` is relative to the page."""
    parts = [
        f"Server: {report.server}. Durability: {report.durability}. Measured {report.started_at[:10]}: windows of "
        f"{report.settings['window_s']:g} s, rounds: {report.settings['rounds']}.",
        *(f"**{warning}**" for warning in report.warnings),
        _grid(["machine", ""], [[name, value] for name, value in report.machine.items()]),
        _grid(["program", "version"], [[name, value] for name, value in report.versions.items()]),
        "## Goals",
        _grid(["goal", "figure", "wanted", "aim", "verdict"], [list(goal_cells(goal)) for goal in goals]),
    ]
    for table in report.tables:
        parts += _section(table, report.durability, chart_folder)
    if report.footprint:
        rows = [[size_name(f.size_bytes), f"{f.objects:,}", number(f.stored_per_accepted, 2)] for f in report.footprint]
        parts += [
            "## Space: allocated bytes on the drives for each byte accepted",
            f"Durability: {report.durability}.",
            _grid(["object size", "objects", "stored / accepted"], rows),
            f"![space]({chart_folder}/space.svg)",
        ]
    parts.append(LEGEND.replace(" · ", ";\n") + ".")
    if report.failures:
        parts += ["## Failed windows", "\n".join(f"- {failure}" for failure in report.failures)]
    return "\n\n".join(parts) + "\n"


def _section(table: Table, durability: str, chart_folder: str) -> list[str]:
    names, rows = lines(table)
    chart = f"![{table.name}]({chart_folder}/{table.name}.svg)"
    return [f"## {table.title}", f"Durability: {durability}.", _grid(names, rows), *table.notes, chart]


def _grid(names: list[str], rows: list[list[str]]) -> str:
    align = ["---", *["---:"] * (len(names) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [names, align, *rows])


def rewrite(page: str, generated: str) -> str:
    """The page with its generated part replaced; what is outside the marks stays. A page without marks is replaced."""
    before, begin, rest = (page or PREFACE).partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        return rewrite(PREFACE, generated)
    return f"{before}{BEGIN}\n\n{generated}\n{END}{after}"
