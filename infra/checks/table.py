"""The table of checks, and waivers applied to what they find. Pure: the day is an argument."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from typing import Final

from infra.blueprint.plan import Plan, PlannedWaiver
from infra.checks import geometry
from infra.checks.outcome import Outcome, Verdict

Check = Callable[[Plan], Iterator[str]]

CHECKS: Final[dict[str, Check]] = {
    "profile-supported": geometry.profile_supported,
    "drives-cover-profile": geometry.drives_cover_profile,
    "domain-loss-survived": geometry.domain_loss_survived,
    "ports-usable": geometry.ports_usable,
    "plain-http-stays-home": geometry.plain_http_stays_home,
}
# A server with such a profile does not start, whatever was waived.
NEVER_WAIVED: Final = frozenset({"profile-supported", "drives-cover-profile"})


def run(plan: Plan, *, today: datetime.date) -> tuple[Outcome, ...]:
    """Every check's outcome in the table's order, then a failure for each waiver that is of no use."""
    waivers = {waiver.check: waiver for waiver in plan.waivers}
    outcomes = [
        _judge(name, tuple(check(plan)), waiver=waivers.get(name), today=today) for name, check in CHECKS.items()
    ]
    for name in waivers:
        if name not in CHECKS:
            detail = f"there is no check {name!r}; known: {', '.join(CHECKS)}"
            outcomes.append(Outcome("waivers-known", Verdict.FAIL, detail))
    return tuple(outcomes)


def _judge(
    name: str, findings: tuple[str, ...], *, waiver: PlannedWaiver | None, today: datetime.date
) -> Outcome:
    if not findings:
        return Outcome(name, Verdict.PASS, (CHECKS[name].__doc__ or "").strip())
    found = "; ".join(findings)
    if waiver is None:
        return Outcome(name, Verdict.FAIL, found)
    if name in NEVER_WAIVED:
        return Outcome(name, Verdict.FAIL, f"{found} (cannot be waived)")
    if waiver.until < today:
        return Outcome(name, Verdict.FAIL, f"{found} (the waiver ended on {waiver.until})")
    return Outcome(name, Verdict.WAIVED, f"{found} (until {waiver.until}: {waiver.reason})")
