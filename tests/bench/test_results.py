"""Failed windows never become figures; ratios, goals and the documents made from them say what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import charts, document
from tests.bench.baseline import RawWindow, write_raw
from tests.bench.client import ClientError, ClientResult, Job, result_of
from tests.bench.goals import Goal, goals
from tests.bench.lister import digest_of, faults_in
from tests.bench.processes import Usage
from tests.bench.results import Footprint, Report, Row, Table, Window, size_name
from tests.bench.windows import surely_answered

JOB = Job("GET", "h", 1, ["/x"], 1, 1.0, answer_size_bytes=100)


def window(requests: int, errors: dict[str, int] | None = None, cpu_s: float | None = 0.5) -> Window:
    seen = ClientResult("wrk", requests, 1.0, 0, 1.0, 2.0, 3.0, 0, 0.25, errors or {})
    return Window(seen, Usage(cpu_s, 50_000_000, 3) if cpu_s is not None else None)


def report_of(*rows: Row) -> Report:
    table = Table("put", "PUT", list(rows), ["a note"])
    settings = {"window_s": 1.0, "rounds": 1}
    return Report(
        "a server", "fdatasync on every drive", "2026-11-23T19:00:00+00:00", settings, {"cores": "2"}, {}, [table]
    )


def test_a_window_with_errors_is_named_and_never_averaged_in() -> None:
    row = Row("PUT", 4096, 64, server=[window(1000), window(9000, {"status": 7})], bare=[window(2000), window(2000)])
    assert row.per_s == 1000
    assert row.bare_ratio == 0.5
    assert row.figures()["server_cpu_s_per_1000"] == 0.5
    assert row.failures == ["server: 7 status beside 9000 answers"]
    assert row.figures()["failed"]


def test_a_row_with_only_failed_windows_has_no_figures() -> None:
    row = Row("PUT", 4096, 64, server=[window(9000, {"read": 1})], bare=[window(2000)], raw=[RawWindow(10, 1.0, 1, 1)])
    figures = row.figures()
    names = ("per_s", "mb_per_s", "p50_ms", "p99_ms", "max_ms", "bare_ratio", "raw_ratio", "server_cpu_s_per_1000")
    assert [figures[name] for name in names] == [None] * len(names)


def test_a_failing_baseline_gives_no_ratio() -> None:
    row = Row("PUT", 4096, 64, server=[window(1000)], bare=[window(2000, {"timeout": 1})])
    assert row.bare_ratio is None
    assert row.failures == ["bare app: 1 timeout beside 2000 answers"]


def test_ratios_are_medians_of_rounds_not_ratios_of_medians() -> None:
    server, bare = [window(100), window(300), window(200)], [window(1000), window(1000), window(400)]
    assert Row("GET", 4096, 16, server=server, bare=bare).bare_ratio == 0.3


def test_raw_ratio_compares_bodies_a_second() -> None:
    row = Row("PUT", 10 << 20, 4, server=[window(30)], raw=[RawWindow(120, 2.0, 1, 1)])
    assert row.raw_ratio == 0.5
    assert row.mb_per_s == pytest.approx(314.5728)


def test_keys_of_a_page_count_in_rates_not_in_latency_or_cpu() -> None:
    row = Row(
        "LIST in order", 0, 1, server=[Window(window(100).seen, Usage(1.0, 1, 1), units_per_request=1000)], unit="keys"
    )
    assert row.per_s == 100_000
    assert row.figures()["server_cpu_s_per_1000"] == 10.0


def test_only_requests_that_were_surely_answered_are_spot_checked() -> None:
    paths = [f"/{number}" for number in range(100)]
    assert len(surely_answered(Row("PUT", 1, 4, server=[window(50)]), paths)) == 41
    assert surely_answered(Row("PUT", 1, 4, server=[window(50, {"status": 1})]), paths) == []


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ('{"requests": 10, "bytes_read": 999, "errors": {}}', "short"),
        ('{"requests": 0, "bytes_read": 0, "errors": {"connect": 3}}', "connect"),
        ('{"requests": 0, "bytes_read": 0, "errors": {}}', "no answers"),
    ],
)
def test_short_and_missing_answers_are_errors(text: str, seen: str) -> None:
    rest = '"seconds": 1, "p50_ms": 1, "p99_ms": 1, "max_ms": 1, "overran": 0, '
    assert seen in result_of("wrk", text.replace("{", "{" + rest, 1), JOB, 0.1).errors


@pytest.mark.parametrize("text", ["", "PANIC", "{}", "[]", '{"requests": 1}'])
def test_a_client_that_says_nonsense_is_a_client_error(text: str) -> None:
    with pytest.raises(ClientError, match="no usable result"):
        result_of("wrk", text, JOB, 0.1)


def test_listing_faults() -> None:
    keys = [b"a", b"b", b"c"]
    assert faults_in(keys, 3, digest_of(keys)) == {}
    assert faults_in([b"a", b"c", b"b"], 3, digest_of(keys)) == {"order": 1}
    assert faults_in([b"a", b"a", b"b"], 3, digest_of(keys)) == {"order": 1}
    assert faults_in([b"a", b"b"], 3, digest_of(keys)) == {"missing or surplus": 1}
    assert faults_in([b"a", b"b", b"d"], 3, digest_of(keys)) == {"other keys": 1}


def test_verdicts() -> None:
    assert Goal("g", None, 1.0).verdict == "not measured"
    assert Goal("g", 0.21, 0.22, 0.35).verdict == "miss"
    assert Goal("g", 0.22, 0.22, 0.35).verdict == "pass"
    assert Goal("g", 0.36, 0.22, 0.35).verdict == "aim"
    assert Goal("g", 0.36, 0.35, at_most=True).verdict == "miss"
    assert Goal("g", 0.35, 0.35, at_most=True).verdict == "pass"


def test_goals_pick_their_rows() -> None:
    put = Row("PUT", 4096, 64, server=[window(250)], bare=[window(1000)])
    verdicts = {goal.name: (goal.value, goal.verdict) for goal in goals(report_of(put))}
    assert verdicts["4 KiB PUT, 64 clients: ratio to the bare app"] == (0.25, "pass")
    assert verdicts["4 KiB PUT, 64 clients: server CPU s per 1,000"] == (2.0, "miss")
    assert verdicts["server RSS at 64 clients, MB, worst row"] == (50.0, "pass")
    assert verdicts["4 KiB GET, 16 clients: ratio to the bare app"] == (None, "not measured")


def test_raw_writes_leave_nothing_behind(tmp_path: Path) -> None:
    done = write_raw(tmp_path, body_size_bytes=10, k=4, m=2, clients=2, window_s=0.2)
    assert done.bodies > 0
    assert done.p50_ms <= done.p99_ms
    assert list(tmp_path.iterdir()) == []


def test_the_page_keeps_what_is_not_generated_and_is_stable() -> None:
    report = report_of(Row("PUT", 4096, 64, server=[window(250)], bare=[window(1000)]))
    report.footprint.append(Footprint(4096, 10, 81920))
    generated = document.markdown(report, goals(report), "bench")
    page = document.rewrite("", generated)
    mine = page.replace("# Benchmarks", "# Benchmarks of mine") + "\nmy words\n"
    assert document.rewrite(mine, generated) == mine
    assert document.rewrite(mine, "other\n").endswith("\nmy words\n")
    assert "| 4 KiB | 10 | 2.00 |" in page
    assert "Durability: fdatasync on every drive." in page


def test_charts_are_the_same_bytes_for_the_same_figures(tmp_path: Path) -> None:
    report = report_of(
        Row("PUT", 4096, 64, server=[window(250)], bare=[window(1000)], raw=[RawWindow(9, 1.0, 1, 1)]),
        Row("PUT", 4096, 1, server=[window(5, {"status": 1})], bare=[window(1000)]),
    )
    report.footprint.append(Footprint(1, 10, 81920))
    first, second = (charts.draw_all(report, tmp_path / name) for name in ("1", "2"))
    assert [path.name for path in first] == ["put.svg", "space.svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert all(path.stat().st_size < 60_000 for path in first)


def test_size_names() -> None:
    assert [size_name(size) for size in (1, 1000, 1024, 65536, 10 << 20)] == [
        "1 B",
        "1000 B",
        "1 KiB",
        "64 KiB",
        "10 MiB",
    ]


def test_a_run_on_a_busy_machine_says_so() -> None:
    def row(busy_s: float) -> Row:
        return Row("PUT", 4096, 64, server=[Window(window(100).seen, Usage(0.5, 1, 1, busy_s=busy_s))])

    assert report_of(row(0.9)).warnings == []
    busy = report_of(row(2.0))
    assert busy.others_cores == pytest.approx(1.25)
    assert "1.2 cores" in busy.warnings[0]
    assert busy.warnings[0] in document.markdown(busy, goals(busy), "bench")
