"""The benchmark end to end with tiny windows: a complete report from a right store, all faults of a wrong one.

Nothing here asserts a speed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.bench import document
from tests.bench.__main__ import TABLES, measure
from tests.bench.baseline import BareServer, free_port, wait_for_port
from tests.bench.goals import goals
from tests.bench.presign import Credentials
from tests.bench.results import Report
from tests.bench.target import ROOT, Target, start_server
from tests.bench.windows import KIB, MIB, RunError, Settings

pytestmark = pytest.mark.needs("wrk")

TINY = Settings(
    window_s=1.0,
    warm_up_s=0.0,
    sizes_bytes=(4 * KIB,),
    clients=(2,),
    large_clients=(2,),
    list_clients=(2,),
    delete_clients=(2,),
    list_keys=2_500,
    seeded_bytes=256 * KIB,
    space_bytes=MIB,
    touched_bytes=0,
)


@pytest.fixture(scope="module")
def bare() -> Iterator[BareServer]:
    with BareServer(workers=1) as server:
        yield server


@contextmanager
def fake_store(fault: str, tmp_path: Path) -> Iterator[Target]:
    port = free_port()
    environment = {**os.environ, "FAKE_FAULT": fault, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.fake_store", str(port)], cwd=ROOT, env=environment)
    try:
        wait_for_port("127.0.0.1", port, process)
        yield Target(
            name="fake",
            host="127.0.0.1",
            port=port,
            credentials=Credentials("AKID", "secret"),
            durability="none: in memory",
            pid=process.pid,
            drives=(tmp_path,),
        )
    finally:
        process.kill()
        process.wait()


def run(settings: Settings, target: Target, bare: BareServer, tables: list[str], *, clean_up: bool = True) -> Report:
    return measure(settings, target, bare, tables, Console(quiet=True), clean_up=clean_up)


def test_a_right_store_gives_a_complete_report(bare: BareServer, tmp_path: Path) -> None:
    with fake_store("", tmp_path) as target:
        report = run(replace(TINY, sizes_bytes=(4 * KIB, MIB)), target, bare, list(TABLES))
    assert report.failures == []
    written = json.loads(json.dumps(document.as_json(report, goals(report))))
    assert [table["name"] for table in written["tables"]] == ["put", "get", "list", "stat", "delete"]
    assert written["durability"] == "none: in memory"
    assert written["versions"]["wrk"] != "absent"
    rows = [row for table in written["tables"] for row in table["rows"]]
    wanted = ("per_s", "p50_ms", "p99_ms", "bare_ratio", "server_cpu_s_per_1000", "server_peak_rss_mb", "client_cores")
    assert [(row["operation"], name) for row in rows for name in wanted if row[name] is None] == []
    assert all(row["raw_ratio"] for row in rows if row["operation"] == "PUT")
    assert {row["client_program"] for row in rows} == {"wrk", "sockets", "lister"}
    assert [space["objects"] for space in written["space"]] == [2000, 2000, 1024, 256, 16, 8, 4, 4]
    page = document.markdown(report, goals(report), "bench")
    assert all(f"bench/{name}.svg" in page for name in TABLES)
    assert page.count("Durability: none: in memory.") == 7


@pytest.mark.parametrize(
    ("fault", "table", "seen"),
    [
        ("error", "put", "status"),
        ("short", "get", "short"),
        ("swap", "get", "wrong body"),
        ("undead", "delete", "after the DELETE was acknowledged"),
    ],
)
def test_what_a_wrong_store_does_is_in_the_report(
    fault: str, table: str, seen: str, bare: BareServer, tmp_path: Path
) -> None:
    with fake_store(fault, tmp_path) as target:
        report = run(TINY, target, bare, [table], clean_up=fault != "undead")
    row = report.tables[0].rows[0]
    assert seen in " ".join(row.failures)
    assert row.figures()["failed"]
    if fault in ("error", "short"):
        assert row.per_s is None, "a window with errors must not become a figure"


def test_an_incomplete_listing_is_a_failed_row(bare: BareServer, tmp_path: Path) -> None:
    with fake_store("gap", tmp_path) as target:
        report = run(TINY, target, bare, ["list"], clean_up=False)
    assert "3 missing or surplus" in " ".join(report.tables[0].rows[0].failures)


def test_a_server_that_refuses_the_bucket_ends_the_run_with_its_words(bare: BareServer, tmp_path: Path) -> None:
    with fake_store("", tmp_path) as target, pytest.raises(RunError, match=r"bucket for put.*refused"):
        run(TINY, replace(target, port=1), bare, ["put"])


def test_the_repositorys_own_server_gives_a_complete_report(bare: BareServer) -> None:
    with start_server(workers=1) as target:
        report = run(replace(TINY, list_keys=1_200), target, bare, list(TABLES), clean_up=False)
        home = target.drives[0].parents[1]
    assert report.failures == []
    assert "fdatasync" in report.durability
    assert len(report.footprint) == 8
    assert all(found.stored_per_accepted >= 1.5 for found in report.footprint), "4+2 cannot store less"
    rows = [row for table in report.tables for row in table.rows]
    assert all(row.per_s and row.peak_rss_bytes for row in rows)
    assert not home.exists()
