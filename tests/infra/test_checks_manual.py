"""The page on checks says what the tables say."""

from __future__ import annotations

import os
from pathlib import Path

from infra.checks.manual import manual
from infra.checks.policies import POLICIES
from infra.checks.table import CHECKS

PAGE = Path(__file__).parents[2] / "docs" / "checks.md"


def test_the_page_is_up_to_date() -> None:
    if os.environ.get("KAKERA_GOLDEN") == "write":
        PAGE.write_text(manual())
    assert PAGE.read_text() == manual()


def test_every_check_has_a_row_with_its_remedy() -> None:
    rows = [line for line in manual().splitlines() if line.startswith("| `")]
    for name, rule in CHECKS.items():
        (row,) = (line for line in rows if line.startswith(f"| `{name}` |"))
        assert rule.remedy in row
        assert row.endswith("| yes |" if rule.waivable else "| no |")
    for name, policy in POLICIES.items():
        (row,) = (line for line in rows if line.startswith(f"| `{name}` |"))
        assert policy.remedy in row
    assert len(rows) == len(CHECKS) + len(POLICIES) + 1, "and one of the waivers"
