"""The check `cost-ceiling`: not set, kept, exceeded, not to be known; and files beside a blueprint."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from infra import checks
from infra.blueprint.load import BlueprintError
from infra.blueprint.plan import Plan
from infra.checks import Verdict
from infra.checks.cost import ceiling, cost_ceiling
from infra.cost import DEFAULT, Usage, files
from tests.infra.cost.book import FULL, SOURCE, book
from tests.infra.cost.test_estimate import small

TODAY = datetime.date(2026, 11, 27)
TEXT = """\
blueprint: x
summary: x
k: 4
m: 2
accounts: [main]
size: S
regions: [{name: cn-hangzhou, cidr: 10.20.0.0/16, zones: [cn-hangzhou-j]}]
balancer: {kind: none}
ssh_public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILwiFfXW me@kakera
"""


def found(plan: Plan, *lines: str, usage: Usage = DEFAULT) -> list[tuple[str, str]]:
    return [(finding.text, finding.hint) for finding in ceiling(book(*lines), usage)(plan)]


def limit(amount: int, currency: str = "USD") -> Plan:
    return small(max_monthly={"amount": amount, "currency": currency})


def test_not_set_passes_whatever_is_unknown() -> None:
    assert list(cost_ceiling(small())) == []
    assert found(small()) == []


def test_kept_and_exceeded_by_a_coin() -> None:
    """A month is 236.58."""
    assert found(limit(237), *FULL) == []
    [(text, hint)] = found(limit(236), *FULL)
    assert text == "a month costs 236.58 USD; max_monthly is 236"
    assert "storage-1 host 73.00" in hint


def test_not_to_be_known_fails_and_names_what_is_missing() -> None:
    [(text, hint)] = found(limit(1000), *(line for line in FULL if "snapshot" not in line and "put" not in line))
    assert "cannot be known: no price of snapshot in cn-hangzhou, pay-as-you-go, USD; bucket-requests put" in text
    assert "kakera-infra catalogue refresh" in hint and "prices.yaml" in hint


def test_exceeded_by_what_is_known_says_so_first() -> None:
    [(text, _)] = found(limit(50), FULL[0])
    assert text.startswith("a month costs 73.00 USD, and 9 prices are UNKNOWN")


def test_many_missing_prices_are_counted() -> None:
    [(text, _)] = found(limit(50))
    assert "; and 4 more; known: 0.00 USD" in text


def test_the_ceilings_currency_counts() -> None:
    [(text, _)] = found(limit(1000, "CNY"), *FULL)
    assert "CNY (known in USD)" in text


def test_what_it_is_used_for_counts() -> None:
    assert found(limit(237), *FULL, usage=Usage.model_validate({"traffic": {"internet_gib": 1000}})) != []


def test_it_can_be_waived_as_others_can() -> None:
    waiver = {"check": "cost-ceiling", "reason": "prices follow next week", "until": "2026-12-01"}
    plan = small(max_monthly={"amount": 1}, waivers=[waiver])
    outcome = next(one for one in checks.run(plan, today=TODAY) if one.check == "cost-ceiling")
    assert outcome.verdict is Verdict.WAIVED


# --- files beside it -------------------------------------------------------------------------------------------------
def judged(folder: Path, text: str) -> dict[str, str]:
    """Verdict by check, as the command line and the program find it."""
    path = folder / "acme-dev.yaml"
    path.write_text(text)
    known = files.beside(path)
    informed = {"cost-ceiling": ceiling(known.book, known.usage)}
    review = checks.review(text, name=str(path), today=TODAY, informed=informed, beside=known.problems)
    said = {outcome.check: str(outcome.verdict) for outcome in review.outcomes}
    return {**said, "problems": "\n".join(map(str, review.problems))}


def own(lines: tuple[str, ...]) -> str:
    rows = "".join(f"  - {{{line}, regions: [all], currency: USD, source: page}}\n" for line in lines)
    return f"{SOURCE}prices:\n{rows}"


def test_prices_of_ones_own_and_asked_ones_are_found_beside_it(tmp_path: Path) -> None:
    text = TEXT + "max_monthly: {amount: 237}\n"
    assert judged(tmp_path, text)["cost-ceiling"] == "FAIL"
    (tmp_path / "prices.yaml").write_text(own(FULL[:6]))
    assert "no price of nat-capacity" in judged(tmp_path, text)["problems"]
    (tmp_path / "prices.cn-hangzhou.yaml").write_text(own(FULL[5:]))
    assert judged(tmp_path, text)["cost-ceiling"] == "PASS"
    (tmp_path / "acme-dev.usage.yaml").write_text("traffic: {internet_gib: 1000}\n")
    assert judged(tmp_path, text)["cost-ceiling"] == "FAIL"


def test_a_bad_file_beside_it_is_told_with_all_else(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("prices: [{item: nlb}]\n")
    (tmp_path / "acme-dev.usage.yaml").write_text("months: 0\ntrafic: {}\n")
    problems = judged(tmp_path, TEXT + "max_monthly: {amount: 0}\nprot: 1\n")["problems"]
    for wanted in ("prices.yaml:1:", "usage.yaml:1:9: months", "did you mean 'traffic'?", "did you mean 'port'?"):
        assert wanted in problems
    assert "max_monthly.amount" in problems


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("months: 1.5\n", "months: a whole number"),
        ("storage: {standard_gib: -1}\n", "storage.standard_gib"),
        ("storage: {standard: 1}\n", "did you mean 'standard_gib'?"),
        ("snapshots: {used_percent: 101}\n", "snapshots.used_percent"),
        ("currency: dollars\n", "currency"),
        ("traffic: 5\n", "traffic: fields are expected here"),
        ("a: b: c\n", "YAML"),
        ("- 1\n", "lines are expected"),
    ],
)
def test_bad_usage_is_told_with_its_place(tmp_path: Path, text: str, wanted: str) -> None:
    file = tmp_path / "usage.yaml"
    file.write_text(text)
    with pytest.raises(BlueprintError) as caught:
        files.used(tmp_path / "x.yaml", file)
    assert wanted in str(caught.value) and f"{file}:1:" in str(caught.value)


def test_usage_that_is_not_there() -> None:
    assert files.used(Path("/nowhere/x.yaml")) == DEFAULT
    with pytest.raises(BlueprintError, match="cannot be read"):
        files.used(Path("/nowhere/x.yaml"), Path("/nowhere/usage.yaml"))
