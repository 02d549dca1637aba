"""The page on the benchmark: every item once, covered by what there is, or with the reason why it is not ours."""

from __future__ import annotations

import os
from pathlib import Path

from infra.checks.policies import POLICIES
from infra.checks.policies.cis import ITEMS, page
from infra.checks.table import CHECKS

PAGE = Path(__file__).parents[2] / "docs" / "cis.md"
# How many items each section of the benchmark has.
SECTIONS = {"1": 16, "2": 23, "3": 5, "4": 6, "5": 9, "6": 9, "7": 9, "8": 8}


def test_the_page_is_up_to_date() -> None:
    if os.environ.get("KAKERA_GOLDEN") == "write":
        PAGE.write_text(page())
    assert PAGE.read_text() == page()


def test_every_item_is_there_once() -> None:
    assert [item.id for item in ITEMS] == [f"{s}.{n}" for s, count in SECTIONS.items() for n in range(1, count + 1)]


def test_every_item_is_covered_or_says_whose_it_is() -> None:
    for item in ITEMS:
        assert set(item.checks) <= set(CHECKS), item.id
        assert item.policies or item.checks or item.note, f"{item.id}: whose is it?"
    assert {item.status for item in ITEMS} == {"enforced", "checked", "not ours"}


def test_every_policy_covers_an_item() -> None:
    known = {item.id for item in ITEMS}
    for name, policy in POLICIES.items():
        assert policy.cis and set(policy.cis) <= known, name
