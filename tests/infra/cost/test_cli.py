"""`kakera-infra cost` and `catalogue refresh`: what is printed, and the exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.cost.book import FULL, SOURCE
from tests.infra.cost.test_ceiling import TEXT

ROOT = Path(__file__).parents[3]


def run(*arguments: str, home: Path | None = None) -> tuple[int, str]:
    """Exit code, and everything printed."""
    command = [sys.executable, "-m", "infra.cli", *arguments]
    env = {name: value for name, value in os.environ.items() if not name.startswith("ALIBABA_CLOUD")}
    env |= {"HOME": str(home)} if home else {}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env=env)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def priced(tmp_path: Path) -> Path:
    """A blueprint with prices beside it."""
    rows = "".join(f"  - {{{line}, regions: [all], currency: USD, source: page}}\n" for line in FULL)
    (tmp_path / "prices.yaml").write_text(f"{SOURCE}prices:\n{rows}")
    path = tmp_path / "x.yaml"
    path.write_text(TEXT)
    return path


def test_a_shipped_blueprint_says_what_is_unknown() -> None:
    code, text = run("cost", "three-zone")
    assert code == 0
    assert "a month: 43.07 USD, and 27 of 30 lines UNKNOWN" in text
    assert "no price of host ecs.g7.2xlarge in cn-hangzhou, pay-as-you-go, USD" in text
    assert "kakera-infra catalogue refresh" in text


def test_the_cheapest_charge_type_and_why(priced: Path) -> None:
    code, text = run("cost", str(priced))
    assert code == 0
    assert "a month: 236.58 USD\n" in text and "UNKNOWN" not in text.split("by charge type")[0]
    assert "subscription: saves 33.00 USD a month on 1 of 2" in text
    assert "subscription: 40.00 a month over 12 months, against 73.00 pay-as-you-go" in text
    assert "each by what is known to be cheapest: 169.58 USD a month" in text


def test_json_svg_and_the_difference(priced: Path, tmp_path: Path) -> None:
    other = tmp_path / "y.yaml"
    other.write_text(TEXT.replace("size: S", "size: S\nstorage: {drive_gib: 200}"))
    usage = tmp_path / "mine.yaml"
    usage.write_text("months: 1\n")
    svg = tmp_path / "cost.svg"
    arguments = ("--usage", str(usage), "--against", str(other), "--format", "json", "--svg", str(svg))
    code, text = run("cost", str(priced), *arguments)
    found = json.loads(text)
    assert (code, found["months"], found["total"]["unknown"]) == (0, 1, 0)
    assert float(found["total"]["known"]) == pytest.approx(236.58)
    assert float(found["difference"]["known"]) == pytest.approx(-66.18)
    assert {change["item"] for change in found["difference"]["changes"]} == {"disk", "snapshot"}
    assert svg.read_text().startswith("<svg")
    code, text = run("cost", str(priced), "--against", str(other))
    assert code == 0 and "more a month: -66.18 USD" in text


def test_all_that_is_wrong_is_told_in_one_run(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(TEXT + "prot: 1\n")
    (tmp_path / "prices.yaml").write_text("prices: [{item: moon}]\n")
    usage = tmp_path / "usage.yaml"
    usage.write_text("months: soon\n")
    code, text = run("cost", str(path), "--usage", str(usage))
    assert code == 2
    for wanted in ("did you mean 'port'?", "prices.yaml:1:", "usage.yaml:1:9: months: a whole number is expected here"):
        assert wanted in text


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("cost", "moon"), "there are: cdn-edge"),
        (("cost", "single-ecs", "--against", "moon"), "there are: cdn-edge"),
        (("cost", "single-ecs", "--usage", "/nowhere.yaml"), "/nowhere.yaml:1:1: cannot be read"),
        (("cost", "single-ecs", "--format", "xml"), "'xml' is not one of"),
        (("cost", "single-ecs", "--svg", "/nowhere/x.svg"), "/nowhere/x.svg cannot be written"),
        (("catalogue", "refresh", "--region", "../x"), "is no id of a region"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], wanted: str) -> None:
    code, text = run(*arguments)
    assert code == 2 and wanted in " ".join(text.split())


def test_refresh_without_an_account_says_what_is_missing(tmp_path: Path) -> None:
    code, text = run("catalogue", "refresh", "--region", "cn-hangzhou", "--project", str(tmp_path), home=tmp_path)
    assert code == 2
    assert "pip install 'kakera[catalogue]'" in text or "no credentials: set ALIBABA_CLOUD_ACCESS_KEY_ID" in text
    assert not (tmp_path / "environments").exists()


def test_prices_and_usage_are_no_environments(tmp_path: Path) -> None:
    folder = tmp_path / "environments"
    folder.mkdir()
    for name in ("acme-dev.yaml", "acme-dev.usage.yaml", "prices.yaml", "prices.cn-hangzhou.yaml", "Pulumi.x.yaml"):
        (folder / name).write_text("")
    _, text = run("list", "--project", str(tmp_path))
    assert text.rstrip().endswith("environments: acme-dev")
