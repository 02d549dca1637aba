"""What the figures are meant to reach: information at the end of a run, never an assertion of a test (timed asserts
fail on a busy machine)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.bench.results import Report, Row

PUT_4K_BARE_RATIO, PUT_4K_BARE_RATIO_AIM = 0.22, 0.35
GET_4K_BARE_RATIO, GET_4K_BARE_RATIO_AIM = 0.28, 0.40
PUT_10M_RAW_RATIO = 0.5
GET_10M_BARE_RATIO = 0.5
LIST_KEYS_PER_S = 80_000.0
PUT_4K_CPU_S_PER_1000 = 0.35
RSS_AT_64_CLIENTS_MB = 400.0

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True)
class Goal:
    """One line of the summary. `value` is None when the run did not measure it; `at_most`: less is better."""

    name: str
    value: float | None
    bound: float
    aim: float | None = None
    at_most: bool = False

    @property
    def verdict(self) -> str:
        """ "pass", "aim" (pass and better than the aim), "miss" or "not measured"."""
        if self.value is None:
            return "not measured"
        if not self._reaches(self.bound):
            return "miss"
        return "aim" if self.aim is not None and self._reaches(self.aim) else "pass"

    def _reaches(self, bound: float) -> bool:
        assert self.value is not None
        return self.value <= bound if self.at_most else self.value >= bound

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": self.value,
            "bound": self.bound,
            "aim": self.aim,
            "at_most": self.at_most,
            "verdict": self.verdict,
        }


def goals(report: Report) -> list[Goal]:
    return list(_goals(report))


def _goals(report: Report) -> Iterator[Goal]:
    put, get = report.row("PUT", 4 * KIB, 64), report.row("GET", 4 * KIB, 16)
    yield Goal(
        "4 KiB PUT, 64 clients: ratio to the bare app",
        put.bare_ratio if put else None,
        PUT_4K_BARE_RATIO,
        PUT_4K_BARE_RATIO_AIM,
    )
    yield Goal(
        "4 KiB GET, 16 clients: ratio to the bare app",
        get.bare_ratio if get else None,
        GET_4K_BARE_RATIO,
        GET_4K_BARE_RATIO_AIM,
    )
    for row in _of_size(report, "PUT", 10 * MIB):
        yield Goal(f"10 MiB PUT, {row.clients} clients: ratio to raw synced writes", row.raw_ratio, PUT_10M_RAW_RATIO)
    for row in _of_size(report, "GET", 10 * MIB):
        yield Goal(f"10 MiB GET, {row.clients} clients: ratio to the bare app", row.bare_ratio, GET_10M_BARE_RATIO)
    pages = report.rows("LIST in order")
    yield Goal("LIST, page after page: keys per second", pages[0].per_s if pages else None, LIST_KEYS_PER_S)
    cpu_s = put.median(lambda window: window.server_cpu_s_per_1000) if put else None
    yield Goal("4 KiB PUT, 64 clients: server CPU s per 1,000", cpu_s, PUT_4K_CPU_S_PER_1000, at_most=True)
    yield Goal("server RSS at 64 clients, MB, worst row", _worst_rss_mb(report, 64), RSS_AT_64_CLIENTS_MB, at_most=True)


def _of_size(report: Report, operation: str, size_bytes: int) -> list[Row]:
    return [row for row in report.rows(operation) if row.size_bytes == size_bytes]


def _worst_rss_mb(report: Report, clients: int) -> float | None:
    peaks = [row.peak_rss_bytes for table in report.tables for row in table.rows if row.clients == clients]
    known = [peak for peak in peaks if peak is not None]
    return max(known) / 1e6 if known else None
