"""The shape of a run's results: windows, rows of medians and ratios, tables, and the report that becomes latest.json.

A window with any error never enters a median; a row with such a window says FAILED and what went wrong. Ratios are
taken round by round between windows that ran next to each other, and their median is printed: on a noisy machine that
holds better than the ratio of two medians.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.bench.baseline import RawWindow
from tests.bench.client import ClientResult
from tests.bench.processes import Usage

FORMAT_VERSION = 1
QUIET_CORES = 0.25
"""Cores that other programs may use without a warning; the kernel's writing back of pages is among them."""


@dataclass(frozen=True)
class Window:
    """One measured window against one server. `units_per_request` is 1, or the keys in a page of a listing."""

    seen: ClientResult
    usage: Usage | None = None
    units_per_request: float = 1

    @property
    def clean(self) -> bool:
        return not self.seen.errors

    @property
    def per_s(self) -> float:
        """Units (requests, or keys listed) a second."""
        return self.seen.requests * self.units_per_request / self.seen.seconds

    @property
    def server_cpu_s_per_1000(self) -> float | None:
        """Server CPU seconds per 1,000 requests."""
        return self.usage.cpu_s * 1000 / self.seen.requests if self.usage and self.seen.requests else None

    @property
    def others_cores(self) -> float | None:
        """Cores that neither server nor client used: other programs, and the kernel's own threads."""
        if self.usage is None:
            return None
        return max(0.0, self.usage.busy_s - self.usage.cpu_s - self.seen.client_cpu_s) / self.seen.seconds


@dataclass
class Row:
    """One operation at one size and concurrency: all its windows, and the figures printed."""

    operation: str
    size_bytes: int
    clients: int
    server: list[Window] = field(default_factory=list)
    bare: list[Window] = field(default_factory=list)
    raw: list[RawWindow] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unit: str = "ops"
    units_per_request: float = 1

    @property
    def key(self) -> str:
        return f"{self.operation} {size_name(self.size_bytes)} x{self.clients}"

    @property
    def failures(self) -> list[str]:
        """What went wrong in any window of the server or the baseline, in words."""
        said = [_errors_in_words("server", window) for window in self.server if not window.clean]
        said += [_errors_in_words("bare app", window) for window in self.bare if not window.clean]
        return said + self.wrong

    def median(self, pick: Callable[[Window], float | None]) -> float | None:
        return median(pick(window) for window in self.server if window.clean)

    @property
    def per_s(self) -> float | None:
        return self.median(lambda window: window.per_s)

    @property
    def mb_per_s(self) -> float | None:
        """Megabytes (10^6) of bodies a second; None for requests without a body."""
        per_s = self.per_s
        return per_s * self.size_bytes / 1e6 if per_s is not None and self.size_bytes else None

    @property
    def bare_ratio(self) -> float | None:
        pairs = zip(self.server, self.bare, strict=False)
        return median(mine.per_s / its.per_s for mine, its in pairs if mine.clean and its.clean and its.per_s)

    @property
    def raw_ratio(self) -> float | None:
        pairs = zip(self.server, self.raw, strict=False)
        return median(mine.per_s * its.seconds / its.bodies for mine, its in pairs if mine.clean and its.bodies)

    @property
    def client_share(self) -> float | None:
        """The client's part of all CPU time that client and server used together; None when the server's is not
        known."""
        return self.median(
            lambda window: (
                window.seen.client_cpu_s / (window.seen.client_cpu_s + window.usage.cpu_s)
                if window.usage and window.seen.client_cpu_s + window.usage.cpu_s
                else None
            )
        )

    @property
    def peak_rss_bytes(self) -> int | None:
        return max((window.usage.peak_rss_bytes for window in self.server if window.usage), default=None)

    def figures(self) -> dict[str, Any]:
        """The row as it is written to latest.json: what the tables print. Absent figures are None."""
        rss_bytes = self.peak_rss_bytes
        raw_per_s = median(window.bodies / window.seconds for window in self.raw)
        return {
            "operation": self.operation,
            "size_bytes": self.size_bytes,
            "clients": self.clients,
            "unit": self.unit,
            "client_program": self.server[0].seen.program if self.server else None,
            "per_s": self.per_s,
            "mb_per_s": self.mb_per_s,
            "p50_ms": self.median(lambda window: window.seen.p50_ms),
            "p99_ms": self.median(lambda window: window.seen.p99_ms),
            "max_ms": max((window.seen.max_ms for window in self.server if window.clean), default=None),
            "bare_per_s": median(window.per_s for window in self.bare if window.clean),
            "bare_ratio": self.bare_ratio,
            "raw_per_s": raw_per_s,
            "raw_mb_per_s": raw_per_s * self.size_bytes / 1e6 if raw_per_s is not None else None,
            "raw_ratio": self.raw_ratio,
            "server_cpu_s_per_1000": self.median(lambda window: window.server_cpu_s_per_1000),
            "server_peak_rss_mb": rss_bytes / 1e6 if rss_bytes is not None else None,
            "client_cores": self.median(lambda window: window.seen.client_cores),
            "client_share": self.client_share,
            "others_cores": self.median(lambda window: window.others_cores),
            "overwrites": self.operation == "PUT" and any(window.seen.overran for window in self.server),
            "failed": bool(self.failures),
            "failures": self.failures,
            "rounds": [asdict(window) for window in self.server],
            "bare_rounds": [asdict(window) for window in self.bare],
            "raw_rounds": [asdict(window) for window in self.raw],
        }


@dataclass
class Table:
    name: str
    title: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Footprint:
    """Space on the drives for `objects` objects of one size."""

    size_bytes: int
    objects: int
    stored_bytes: int

    @property
    def stored_per_accepted(self) -> float:
        return self.stored_bytes / (self.objects * self.size_bytes)


@dataclass
class Report:
    """Everything one run has to say. `started_at` is an ISO 8601 instant in UTC."""

    server: str
    durability: str
    started_at: str
    settings: dict[str, Any]
    machine: dict[str, str]
    versions: dict[str, str]
    tables: list[Table] = field(default_factory=list)
    footprint: list[Footprint] = field(default_factory=list)

    def rows(self, operation: str) -> list[Row]:
        return [row for table in self.tables for row in table.rows if row.operation == operation]

    def row(self, operation: str, size_bytes: int, clients: int) -> Row | None:
        return next(
            (row for row in self.rows(operation) if (row.size_bytes, row.clients) == (size_bytes, clients)), None
        )

    @property
    def others_cores(self) -> float | None:
        """Cores used by other programs, the median over all rows: a run on a busy machine has to say so."""
        return median(row.median(lambda window: window.others_cores) for table in self.tables for row in table.rows)

    @property
    def warnings(self) -> list[str]:
        others = self.others_cores
        if others is None or others <= QUIET_CORES:
            return []
        return [
            f"Other programs used {others:.1f} cores beside this run: do not trust its figures, nor much its ratios."
        ]

    @property
    def failures(self) -> list[str]:
        return [f"{row.key}: {what}" for table in self.tables for row in table.rows for what in row.failures]


def median(values: Iterable[float | None]) -> float | None:
    """Of the values that are there; None when there are none."""
    present = [value for value in values if value is not None]
    return statistics.median(present) if present else None


def size_name(size_bytes: int) -> str:
    """4096 -> "4 KiB"."""
    for step, unit in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if size_bytes >= step and size_bytes % step == 0:
            return f"{size_bytes // step} {unit}"
    return f"{size_bytes} B"


def _errors_in_words(who: str, window: Window) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(window.seen.errors.items()))
    return f"{who}: {kinds} beside {window.seen.requests} answers"
