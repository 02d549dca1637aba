"""One run finds everything: typing errors, rules between sections, and the checks on what the Plan would be."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.checks import Verdict, review
from tests.infra.cloud_blueprints import BLUEPRINTS, SHIPPED

TODAY = datetime.date(2026, 6, 1)
BAD = """\
blueprint: bad
summary: everything wrong at once
k: 5
m: 4
survive: zone
accounts: [main]
regions:
  - name: cn-hangzhou
    zones: [cn-hangzhou-h, cn-hangzou-j, cn-hangzhou-k]
    cidr: 10.20.0.0/16
  - name: cn-beijing
    rolle: replica
    zones: [cn-beijing-h, cn-beijing-k]
    cidr: 10.20.0.0/16
active: cn-bejing
storage:
  drive_gib: 2TB
  instance_type: ecs.g7.2xlage
balancer: {kind: nbl}
keys: {mode: instance}
"""


def test_everything_at_once_each_at_its_place_with_a_remedy() -> None:
    found = review(BAD, name="bad.yaml", today=TODAY)
    places = {(problem.line, problem.column): problem for problem in found.problems}
    wanted = {
        (5, 10): ("domain-loss-survived: cn-beijing", ""),
        (9, 28): ("zones-of-region: zone 'cn-hangzou-j'", "did you mean 'cn-hangzhou-j'?"),
        (10, 11): ("cidrs-disjoint", "free: 10.10.0.0/16"),
        (12, 5): ("unknown field 'rolle'", "did you mean 'role'?"),
        (15, 9): ("active: 'cn-bejing' is no region", "one of: cn-hangzhou, cn-beijing"),
        (17, 14): ("storage.drive_gib: a whole number of GiB", "write 2048"),
        (18, 18): ("instance-types-known", "did you mean 'ecs.g7.2xlarge'?"),
        (19, 18): ("balancer.kind", "did you mean 'nlb'?"),
        (20, 14): ("purchases-allowed", "allow_purchase: true"),
    }
    for place, (message, hint) in wanted.items():
        assert message in places[place].message
        assert hint in places[place].hint
    assert found.plan is None, "what was meant is judged, never built"
    assert [problem.line for problem in found.problems] == sorted(problem.line for problem in found.problems)


def test_checks_alone_leave_the_plan() -> None:
    text = (BLUEPRINTS / "three-zone.yaml").read_text().replace("k: 5 ", "k: 9 ")
    found = review(text, name="x.yaml", today=TODAY)
    assert found.plan is not None
    assert any(problem.message.startswith("domain-loss-survived") for problem in found.problems)


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_has_no_problem(name: str) -> None:
    found = review((BLUEPRINTS / f"{name}.yaml").read_text(), name=name, today=TODAY)
    assert found.problems == ()
    assert found.plan is not None


def test_a_text_that_cannot_be_repaired_tells_what_it_can() -> None:
    found = review("k: 4\nm: 2\n", name="x.yaml", today=TODAY)
    assert (found.plan, found.outcomes) == (None, ())
    assert {"field 'blueprint' is missing", "field 'accounts' is missing"} <= {p.message for p in found.problems}


def test_a_waiver_of_no_check_is_shown_where_it_stands() -> None:
    waiver = "waivers:\n  - {check: prots-usable, reason: seen and accepted, until: 2027-01-01}\n"
    text = (BLUEPRINTS / "laptop.yaml").read_text() + waiver
    (problem,) = review(text, name="x.yaml", today=TODAY).problems
    assert text.splitlines()[problem.line - 1].strip().startswith("- {check: prots-usable")


@pytest.mark.parametrize(
    ("waiver", "marked", "said", "remedy"),
    [
        ("check: ports-usable, until: 2027-01-01", "{check", "'waivers[0].reason' is missing", "a sentence"),
        ("check: ports-usable, until: 2027-01-01, reason: short", "short", "at least 10 characters", "a sentence"),
        ("check: ports-usable, until: 2027-01-01, reason: '            '", "'   ", "has no reason", "say why"),
        ("check: ports-usable, until: 2026-05-31, reason: seen and accepted", "2026-05-31", "ended on", "a new last"),
        ("check: cidr-growth, until: 2027-01-01, reason: seen and accepted", "cidr-growth", "passes without", "leave"),
        ("check: names-legal, until: 2027-01-01, reason: seen and accepted", "names-legal", "cannot be waived", "mend"),
        ("check: ports-used, until: 2027-01-01, reason: seen and accepted", "ports-used", "no check", "'ports-usable'"),
    ],
)
def test_a_waiver_of_no_use_is_refused_where_it_stands(waiver: str, marked: str, said: str, remedy: str) -> None:
    """Without a reason, over, of a check that passes, of one that is never waived, of one that is not there."""
    text = (BLUEPRINTS / "laptop.yaml").read_text().replace("port: 9000", "port: 80") + f"waivers:\n  - {{{waiver}}}\n"
    line = text.splitlines().index(f"  - {{{waiver}}}")
    found = [problem for problem in review(text, name="x.yaml", today=TODAY).problems if problem.line == line + 1]
    assert [(problem.column - 1, said in problem.message, remedy in problem.hint) for problem in found] == [
        (text.splitlines()[line].index(marked), True, True)
    ]


def test_a_waiver_is_not_called_useless_where_the_text_has_errors() -> None:
    """What was meant by `eighty` is not known, and so not whether its waiver is needed."""
    waiver = "waivers:\n  - {check: ports-usable, reason: seen and accepted, until: 2027-01-01}\n"
    text = (BLUEPRINTS / "laptop.yaml").read_text().replace("port: 9000", "port: eighty") + waiver
    (problem,) = review(text, name="x.yaml", today=TODAY).problems
    assert problem.message.startswith("port: ")


def test_what_is_unknown_stops_nothing() -> None:
    text = (BLUEPRINTS / "single-ecs.yaml").read_text() + "image: m-bp1of-mine\n"
    found = review(text, name="x.yaml", today=TODAY)
    assert (found.problems, found.plan is not None) == ((), True)
    (unknown,) = (one for one in found.outcomes if one.verdict is Verdict.UNKNOWN)
    place = found.places[found.outcomes.index(unknown)][0]
    assert text.splitlines()[place.line - 1] == "image: m-bp1of-mine"


LINES = [line for name in SHIPPED for line in (BLUEPRINTS / f"{name}.yaml").read_text().splitlines()]


edits_of_a_line = st.tuples(st.integers(0, 60), st.sampled_from(["drop", "twice", "other"]), st.sampled_from(LINES))


@given(st.sampled_from(SHIPPED), st.lists(edits_of_a_line, max_size=4))
def test_no_text_breaks_it(name: str, edits: list[tuple[int, str, str]]) -> None:
    """Lines left out, written twice, or taken from another blueprint: there are problems or a Plan, always."""
    lines = (BLUEPRINTS / f"{name}.yaml").read_text().splitlines()
    for number, edit, other in edits:
        at = number % len(lines)
        lines[at : at + 1] = {"drop": [], "twice": [lines[at]] * 2, "other": [lines[at], other]}[edit]
        lines = lines or [other]
    found = review("\n".join(lines), name="x.yaml", today=TODAY)
    assert found.problems or found.plan
