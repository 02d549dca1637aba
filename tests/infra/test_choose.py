"""The recommendation: what fits is chosen, everything else has a reason, and the capacity holds."""

from __future__ import annotations

import datetime
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra import checks
from infra.blueprint.choose import MAX_TIB, Answers, Budget, Survives, choose, usable_tib
from infra.blueprint.edit import edited
from infra.blueprint.expand import expand
from infra.blueprint.load import parse
from infra.checks import Verdict
from tests.infra.cloud_blueprints import BLUEPRINTS, SHIPPED

answers = st.builds(
    Answers,
    regions=st.integers(1, 8),
    survive=st.sampled_from(get_args(Survives)),
    capacity_tib=st.integers(1, MAX_TIB),
    budget=st.sampled_from(get_args(Budget)),
    onprem=st.booleans(),
    public_read=st.booleans(),
)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, "three-zone"),
        ({"survive": "host"}, "three-zone"),
        ({"survive": "drive"}, "single-ecs"),
        ({"survive": "drive", "budget": "low", "capacity_tib": 1}, "laptop"),
        ({"survive": "drive", "budget": "low", "capacity_tib": 2}, "single-ecs"),
        ({"survive": "drive", "capacity_tib": 68}, "single-ecs"),
        ({"survive": "drive", "capacity_tib": 69}, "three-zone"),
        ({"regions": 2}, "multi-region"),
        ({"survive": "region"}, "multi-region"),
        ({"onprem": True, "regions": 2}, "hybrid"),
        ({"public_read": True}, "cdn-edge"),
        ({"public_read": True, "regions": 2}, "multi-region"),
    ],
)
def test_choice(fields: dict[str, Any], wanted: str) -> None:
    assert choose(Answers(**fields)).blueprint == wanted


@given(answers)
def test_every_blueprint_is_chosen_or_rejected_with_a_reason(given_answers: Answers) -> None:
    found = choose(given_answers)
    assert sorted((found.blueprint, *found.rejected)) == sorted(SHIPPED)
    assert found.reasons and all(found.reasons) and all(found.rejected.values())


@given(answers)
@settings(max_examples=40)
def test_what_is_recommended_holds_the_capacity_and_passes_the_checks(given_answers: Answers) -> None:
    found = choose(given_answers)
    text = edited((BLUEPRINTS / f"{found.blueprint}.yaml").read_text(), found.settings)
    plan = expand(parse(text, name="x.yaml"))
    if any(drive.size_gib for host in plan.hosts for drive in host.drives):
        first = plan.regions[0].name
        sizes = [drive.size_gib or 0 for host in plan.hosts if host.region == first for drive in host.drives]
        usable = usable_tib(drives=len(sizes), drive_gib=sizes[0], k=plan.profile.k, m=plan.profile.m)
        assert usable >= given_answers.capacity_tib
    failed = [o.detail for o in checks.run(plan, today=datetime.date(2026, 6, 1)) if o.verdict is not Verdict.PASS]
    assert failed == []


@pytest.mark.parametrize(
    "fields", [{"survive": "rack"}, {"budget": "none"}, {"regions": 0}, {"regions": 9}, {"capacity_tib": 0}]
)
def test_answers_out_of_range_are_named(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        Answers(**fields)


def test_the_most_that_is_recommended_is_what_the_cloud_takes() -> None:
    """A capacity at the limit passes every check, a deployment set's twenty hosts of a zone among them."""
    found = choose(Answers(capacity_tib=MAX_TIB))
    plan = expand(parse(edited((BLUEPRINTS / f"{found.blueprint}.yaml").read_text(), found.settings), name="x.yaml"))
    failed = [o.detail for o in checks.run(plan, today=datetime.date(2026, 6, 1)) if o.verdict is not Verdict.PASS]
    assert (failed, found.settings["storage.hosts_per_zone"]) == ([], 18)
