"""One SVG a table, for docs/bench: small, and the same bytes for the same figures, so that a new run shows as a diff.

Drawn with matplotlib. Text stays text (the reader's font), no date, no random ids.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tests.bench.results import Report, Row, Table, size_name

matplotlib.use("svg")
WIDTH_IN, BAR_HEIGHT_IN, FRAME_IN = 7.2, 0.3, 1.1
SERVER_COLOUR, BARE_COLOUR, RAW_COLOUR = "#1f6f8b", "#c9c9c9", "#e0b589"
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "kakera",
    "path.simplify": True,
    "font.family": "sans-serif",
}


def draw_all(report: Report, folder: Path) -> list[Path]:
    """Writes one file for each table and one for space. Returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    with matplotlib.rc_context(SETTINGS):
        for table in report.tables:
            drawn.append(_save(_rates(table, report.durability), folder / f"{table.name}.svg"))
        if report.footprint:
            drawn.append(_save(_space(report), folder / "space.svg"))
    return drawn


def _rates(table: Table, durability: str) -> Figure:
    """Server and baselines side by side for each row; logarithmic, because rows differ by thousands."""
    rows = [row for row in table.rows if row.per_s]
    bars = 3 if any(row.raw for row in rows) else 2
    figure = Figure(figsize=(WIDTH_IN, FRAME_IN + BAR_HEIGHT_IN * max(1, len(rows)) * bars * 0.6))
    axes = figure.subplots()
    height = 0.8 / bars
    for place, row in enumerate(rows):
        for offset, (value, colour) in enumerate(_bars(row)):
            axes.barh(place + offset * height, value, height=height * 0.92, color=colour)
        ratio = row.bare_ratio
        label = f" {row.per_s:,.0f}" + (f"  ({ratio:.2f} x bare)" if ratio is not None else "")
        axes.text(row.per_s or 0, place, label, va="center", fontsize=7)
    axes.set_yticks(
        [place + height * (bars - 1) / 2 for place in range(len(rows))], [_label(row) for row in rows], fontsize=8
    )
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.margins(x=0.25)
    axes.set_xlabel(f"{rows[0].unit if rows else 'ops'} per second (log) · durability: {durability}", fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.set_title(table.title, fontsize=9, loc="left")
    names = ["server", "bare app", "raw synced writes"][:bars]
    colours = (SERVER_COLOUR, BARE_COLOUR, RAW_COLOUR)
    handles = [Patch(color=colour, label=name) for name, colour in zip(names, colours, strict=False)]
    axes.legend(handles=handles, fontsize=7, frameon=False, loc="lower right")
    _plain(figure)
    return figure


def _bars(row: Row) -> list[tuple[float, str]]:
    figures = row.figures()
    found = [
        (figures["per_s"], SERVER_COLOUR),
        (figures["bare_per_s"], BARE_COLOUR),
        (figures["raw_per_s"], RAW_COLOUR),
    ]
    return [(value, colour) for value, colour in found if value]


def _label(row: Row) -> str:
    size = f"{size_name(row.size_bytes)}, " if row.size_bytes else ""
    return f"{size or row.operation + ', '}{row.clients} client{'s' if row.clients > 1 else ''}"


def _space(report: Report) -> Figure:
    figure = Figure(figsize=(WIDTH_IN, 2.6))
    axes = figure.subplots()
    ratios = [found.stored_per_accepted for found in report.footprint]
    axes.bar(range(len(ratios)), ratios, color=SERVER_COLOUR)
    for place, ratio in enumerate(ratios):
        axes.text(place, ratio, f"{ratio:,.2f}", ha="center", va="bottom", fontsize=7)
    axes.set_xticks(range(len(ratios)), [size_name(found.size_bytes) for found in report.footprint], fontsize=8)
    axes.set_yscale("log")
    axes.margins(y=0.2)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_title("Bytes stored for each byte accepted (log)", fontsize=9, loc="left")
    _plain(figure)
    return figure


def _plain(figure: Figure) -> None:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    return path
