"""The table of checks, and waivers applied to what they find. Pure: the day is an argument."""

from __future__ import annotations

import datetime
from typing import Final

from infra.blueprint.plan import Plan, PlannedWaiver
from infra.checks import cloud, exposure, geometry, regions
from infra.checks.outcome import Check, Finding, Outcome, Verdict

CHECKS: Final[dict[str, Check]] = {
    "profile-supported": geometry.profile_supported,
    "drives-cover-profile": geometry.drives_cover_profile,
    "domain-loss-survived": geometry.domain_loss_survived,
    "zone-holds-fragments": geometry.zone_holds_fragments,
    "writes-survive-zone": geometry.writes_survive_zone,
    "ports-usable": geometry.ports_usable,
    "plain-http-stays-home": geometry.plain_http_stays_home,
    "regions-distinct": regions.regions_distinct,
    "zones-of-region": regions.zones_of_region,
    "cidrs-disjoint": regions.cidrs_disjoint,
    "hosts-in-room": regions.hosts_in_room,
    "two-zones": regions.two_zones,
    "existing-vpc-fits": regions.existing_vpc_fits,
    "instance-types-known": cloud.instance_types_known,
    "disks-attachable": cloud.disks_attachable,
    "outputs-produced": cloud.outputs_produced,
    "purchases-allowed": cloud.purchases_allowed,
    "names-legal": cloud.names_legal,
    "secrets-referenced": cloud.secrets_referenced,
    "wheel-digest-given": cloud.wheel_digest_given,
    "security-least-exposure": exposure.security_least_exposure,
    "health-port-guarded": exposure.health_port_guarded,
    "ssh-key-given": exposure.ssh_key_given,
    "placeholders-replaced": exposure.placeholders_replaced,
    "production-protected": exposure.production_protected,
    "disk-encryption-preflight": exposure.disk_encryption_preflight,
}
# What no server could run with, no cloud would take or no stack could build, whatever was waived.
NEVER_WAIVED: Final = frozenset(
    {
        "profile-supported",
        "drives-cover-profile",
        "cidrs-disjoint",
        "names-legal",
        "outputs-produced",
        "secrets-referenced",
        "two-zones",
    }
)


def run(plan: Plan, *, today: datetime.date) -> tuple[Outcome, ...]:
    """Every check's outcome in the table's order, then a failure for each waiver that is of no use."""
    waivers = {waiver.check: waiver for waiver in plan.waivers}
    outcomes = [
        _judge(name, tuple(check(plan)), waiver=waivers.get(name), today=today) for name, check in CHECKS.items()
    ]
    for name in waivers:
        if name not in CHECKS:
            finding = Finding(f"there is no check {name!r}; known: {', '.join(CHECKS)}", ("waivers", name, "check"))
            outcomes.append(Outcome("waivers-known", Verdict.FAIL, finding.text, (finding,)))
    return tuple(outcomes)


def _judge(name: str, findings: tuple[Finding, ...], *, waiver: PlannedWaiver | None, today: datetime.date) -> Outcome:
    if not findings:
        return Outcome(name, Verdict.PASS, (CHECKS[name].__doc__ or "").strip())
    found = "; ".join(finding.text for finding in findings)
    if waiver is None:
        return Outcome(name, Verdict.FAIL, found, findings)
    if name in NEVER_WAIVED:
        return Outcome(name, Verdict.FAIL, f"{found} (cannot be waived)", findings)
    if waiver.until < today:
        return Outcome(name, Verdict.FAIL, f"{found} (the waiver ended on {waiver.until})", findings)
    return Outcome(name, Verdict.WAIVED, f"{found} (until {waiver.until}: {waiver.reason})", findings)
