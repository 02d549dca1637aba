"""The chart of an estimate: a month by each charge type, as SVG. Pure, the same bytes for the same estimate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from infra.cost import Estimate, Line, Total, shown
from infra.cost.estimate import CHARGES, total
from infra.render.drawing import text_px, wrap
from infra.render.template import render

WIDTH: Final = 760
MARGIN: Final = 24
LABEL_PX: Final = 130
BAR_PX: Final = 22
STEP_PX: Final = 54
HATCH_PX: Final = 26  # of what is UNKNOWN: no scale could be true of it
NOTE: Final = (
    "{months} months of use, 730 hours each. List prices in {currency}, an estimate. What has no known price by a "
    "charge type is counted as it is built; hatched: what has no known price at all, and is not in the sum."
)
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "hosts": ("host", "database", "kms-instance"),
    "drives": ("disk", "snapshot", "database-storage"),
    "network": ("nat", "public", "internet", "traffic-manager", "nlb", "alb", "clb", "vpn", "cen", "cdn"),
    "storage": ("bucket",),
    "logs": ("log",),
}


@dataclass(frozen=True)
class Segment:
    group: str
    x: int
    width: int
    words: str


@dataclass(frozen=True)
class Bar:
    label: str
    y: int
    segments: tuple[Segment, ...]
    hatch_x: int
    hatch_px: int
    words: str


@dataclass(frozen=True)
class Sign:
    group: str
    x: int
    words: str


@dataclass(frozen=True)
class Chart:
    width: int
    height: int
    title: str
    description: str
    notes: tuple[tuple[int, str], ...]
    bars: tuple[Bar, ...]
    legend_y: int
    legend: tuple[Sign, ...]


def cost_chart(found: Estimate) -> str:
    """As SVG."""
    return render("cost.svg.j2", chart=chart(found))


def chart(found: Estimate) -> Chart:
    """Where everything lies. What is UNKNOWN both ways is a hatched end of one size, its number stands beside it."""
    rows = {charge: found.by(charge) for charge in CHARGES}
    widest = max(total(row).known for row in rows.values())
    lines = wrap(NOTE.format(months=found.months, currency=found.currency), "note", WIDTH - 2 * MARGIN)
    top = MARGIN + 34 + 15 * len(lines) + 12
    bars = tuple(
        _bar(charge, row, found, y=top + number * STEP_PX, widest=widest)
        for number, (charge, row) in enumerate(rows.items())
    )
    legend_y = top + len(bars) * STEP_PX + 8
    notes = tuple((MARGIN + 34 + 15 * number, line) for number, line in enumerate(lines))
    description = "; ".join(f"{bar.label}: {bar.words}" for bar in bars)
    title = f"{found.plan}: a month by charge type"
    return Chart(WIDTH, legend_y + 16 + MARGIN, title, description, notes, bars, legend_y, tuple(_legend()))


def _bar(label: str, lines: tuple[Line, ...], found: Estimate, *, y: int, widest: Decimal) -> Bar:
    room = WIDTH - 2 * MARGIN - LABEL_PX - HATCH_PX
    x = MARGIN + LABEL_PX
    segments = []
    for group in GROUPS:
        money = total(line for line in lines if _group(line) == group).known
        width = int(room * money / widest) if widest else 0
        if width:
            segments.append(Segment(group, x, width, f"{group}: {shown(money)} {found.currency}"))
            x += width
    whole = total(lines)
    return Bar(label, y, tuple(segments), x, HATCH_PX if whole.unknown else 0, _words(whole, found.currency))


def _words(whole: Total, currency: str) -> str:
    known = f"{shown(whole.known)} {currency}"
    return f"{known} and {whole.unknown} UNKNOWN" if whole.unknown else known


def _group(line: Line) -> str:
    """`database-storage` is a drive, `database` a host: the longest name that fits decides."""
    item = line.demand.item
    fitting = ((len(name), group) for group, names in GROUPS.items() for name in names if item.startswith(name))
    return max(fitting)[1]


def _legend() -> Iterable[Sign]:
    x = MARGIN + LABEL_PX
    for name in (*GROUPS, "UNKNOWN"):
        yield Sign(name, x, name)
        x += 12 + 6 + text_px(name, "note") + 18
