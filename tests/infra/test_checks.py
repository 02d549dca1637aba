"""Every check fails where it should, passes one step beside it, and is waived only as long as its waiver holds."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from infra import checks
from infra.blueprint.expand import expand
from infra.blueprint.model import Blueprint
from infra.blueprint.plan import Plan
from infra.checks import Verdict, geometry, table, waivers
from infra.checks.outcome import Finding
from infra.checks.table import CHECKS
from kakera.base import limits

TODAY = datetime.date(2026, 6, 1)


def plan(hosts: list[tuple[str, int]] | None = None, **fields: Any) -> Plan:
    """Hosts as (zone, drives)."""
    shape = enumerate(hosts or [("z", 6)])
    specs = [{"name": f"h{number}", "zone": zone, "drives": drives} for number, (zone, drives) in shape]
    return expand(
        Blueprint.model_validate(
            {"blueprint": "x", "summary": "x", "k": 4, "m": 2, "accounts": ["main"], "hosts": specs, **fields}
        )
    )


def zones(*drives: int) -> Plan:
    """One host a zone."""
    return plan([(chr(ord("a") + number), count) for number, count in enumerate(drives)], survive="zone")


def verdicts(subject: Plan) -> dict[str, Verdict]:
    return {outcome.check: outcome.verdict for outcome in checks.run(subject, today=TODAY)}


def test_a_good_plan_passes_all() -> None:
    assert verdicts(plan()) == dict.fromkeys((*CHECKS, waivers.NAME), Verdict.PASS)


@pytest.mark.parametrize(
    ("check", "failing", "passing"),
    [
        ("drives-cover-profile", plan([("z", 5)]), plan([("z", 4), ("z", 2)], address="127.0.0.1")),
        ("profile-supported", plan(k=1, m=1), plan(k=2, m=1)),
        ("profile-supported", plan([("z", 20)], k=13, m=4), plan([("z", 20)], k=12, m=4)),
        ("profile-supported", plan([("z", 20)], m=0), plan([("z", 20)], m=4)),
        ("profile-supported", plan([("z", 20)], m=5), plan([("z", 20)], m=4)),
        ("domain-loss-survived", zones(3, 3), zones(2, 2, 2)),
        ("domain-loss-survived", zones(9, 2, 1), zones(9, 2, 1, 1)),
        ("domain-loss-survived", plan([("z", 9), ("z", 3)], survive="host"), plan([("z", 3)] * 3, survive="host")),
        ("ports-usable", plan(port=1023), plan(port=1024)),
        ("ports-usable", plan([("z", 3), ("z", 3)]), plan([("z", 6)])),
        ("plain-http-stays-home", plan(address="0.0.0.0"), plan(address="127.0.0.53")),
        ("plain-http-stays-home", plan(address="::"), plan(address="::1")),
        ("plain-http-stays-home", plan(address="1.2.3"), plan()),
    ],
)
def test_boundary(check: str, failing: Plan, passing: Plan) -> None:
    assert verdicts(failing)[check] is Verdict.FAIL
    assert verdicts(passing)[check] is Verdict.PASS


def waived(check: str, until: str, reason: str = "seen and accepted") -> Plan:
    return plan([("z", 5)], address="0.0.0.0", waivers=[{"check": check, "reason": reason, "until": until}])


def refused(subject: Plan) -> tuple[Finding, ...]:
    """What is said of the waivers themselves."""
    return next(found.findings for found in checks.run(subject, today=TODAY) if found.check == waivers.NAME)


def test_a_waiver_holds_to_its_last_day() -> None:
    assert verdicts(waived("plain-http-stays-home", "2026-06-01"))["plain-http-stays-home"] is Verdict.WAIVED
    assert verdicts(waived("plain-http-stays-home", "2026-05-31"))["plain-http-stays-home"] is Verdict.FAIL
    assert refused(waived("plain-http-stays-home", "2026-06-01")) == ()


@pytest.mark.parametrize(
    ("subject", "field", "said", "remedy"),
    [
        (waived("plain-http-stays-home", "2026-05-31"), "until", "ended on 2026-05-31", "a new last day"),
        (waived("plain-http-stays-home", "2030-01-01", " " * 10), "reason", "has no reason", "say why"),
        (waived("plain-htp-stays-home", "2030-01-01"), "check", "there is no check", "'plain-http-stays-home'?"),
        (waived("zzz", "2030-01-01"), "check", "there is no check", "known: profile-supported, "),
        (waived("ports-usable", "2030-01-01"), "check", "passes without a waiver", "leave the waiver out"),
        (waived("drives-cover-profile", "2030-01-01"), "check", "cannot be waived", "mend what it finds"),
        (waived("waivers-sound", "2030-01-01"), "check", "cannot be waived", "mend what it finds"),
    ],
)
def test_a_waiver_of_no_use_is_refused_at_its_place(subject: Plan, field: str, said: str, remedy: str) -> None:
    (found,) = refused(subject)
    assert found.where == ("waivers", subject.waivers[0].check, field)
    assert said in found.text
    assert remedy in found.hint
    assert verdicts(subject)[waivers.NAME] is Verdict.FAIL


def test_what_no_server_could_run_cannot_be_waived() -> None:
    assert verdicts(waived("drives-cover-profile", "2030-01-01"))["drives-cover-profile"] is Verdict.FAIL


def test_what_is_unknown_is_no_failure_and_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """All findings unknown: UNKNOWN; one that is not: FAIL. A waiver covers either."""
    said = [Finding("one", unknown=True), Finding("two", unknown=True)]
    rule = table.Rule(lambda plan: iter(said), "test", "none")
    monkeypatch.setitem(CHECKS, "ports-usable", rule)
    assert verdicts(plan())["ports-usable"] is Verdict.UNKNOWN
    assert verdicts(waived("ports-usable", "2030-01-01"))["ports-usable"] is Verdict.WAIVED
    assert verdicts(waived("ports-usable", "2026-05-31"))["ports-usable"] is Verdict.UNKNOWN
    said.append(Finding("three"))
    assert verdicts(plan())["ports-usable"] is Verdict.FAIL
    assert verdicts(waived("ports-usable", "2030-01-01"))["ports-usable"] is Verdict.WAIVED


def test_the_framework_and_the_store_agree_on_profiles() -> None:
    ours = (geometry.MIN_K, geometry.MAX_K, geometry.MIN_M, geometry.MAX_M)
    assert ours == (limits.MIN_K, limits.MAX_K, limits.MIN_M, limits.MAX_M)
