"""The table of checks, and waivers applied to what they find. Pure: the day is an argument."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from infra.blueprint.plan import Plan, PlannedWaiver
from infra.checks import cloud, cost, exposure, geometry, losses, production, quotas, regions, waivers
from infra.checks.outcome import Check, Finding, Outcome, Verdict, words
from infra.checks.policies import POLICIES


@dataclass(frozen=True)
class Rule:
    """A check of the table. `waivable` is False for what no server could run, no cloud take, no stack build."""

    check: Check
    topic: str
    remedy: str
    waivable: bool = True

    @property
    def proves(self) -> str:
        """What holds when it passes: the check's own words."""
        return words(self.check)


_GEOMETRY: Final[dict[str, Rule]] = {
    "profile-supported": Rule(geometry.profile_supported, "geometry", "k from 2 to 12, m from 1 to 4", waivable=False),
    "drives-cover-profile": Rule(
        geometry.drives_cover_profile, "geometry", "more drives or hosts, or a smaller k or m", waivable=False
    ),
    "ports-usable": Rule(geometry.ports_usable, "geometry", "a port of its own above 1023 for each listener"),
}
_DOMAINS: Final[dict[str, Rule]] = {
    "domain-loss-survived": Rule(
        geometry.domain_loss_survived, "failure domains", "a further domain, a larger m, or survive less"
    ),
    "zone-holds-fragments": Rule(
        geometry.zone_holds_fragments, "failure domains", "more drives in the other zones, or a larger m"
    ),
    "writes-survive-zone": Rule(
        geometry.writes_survive_zone, "failure domains", "a further zone, a larger m, or a waiver: reads alone go on"
    ),
    "writes-survive-loss": Rule(
        losses.writes_survive_loss, "failure domains", "a spare drive or host, a larger m, or a waiver: reads go on"
    ),
    "local-drives-geometry": Rule(
        losses.local_drives_geometry, "failure domains", "survive: host, with m covering the drives of an instance"
    ),
    "entrances-survive-zone": Rule(
        losses.entrances_survive_zone, "failure domains", "gateways.min: 2, which lie in different zones"
    ),
    "seat-apart": Rule(losses.seat_apart, "failure domains", "seat: a region that is not the primary"),
    "two-zones": Rule(regions.two_zones, "failure domains", "a second zone in the region", waivable=False),
}
_PLACES: Final[dict[str, Rule]] = {
    "regions-distinct": Rule(regions.regions_distinct, "regions and ranges", "one primary; known regions"),
    "zones-of-region": Rule(regions.zones_of_region, "regions and ranges", "zones of that region, each once"),
    "zones-apart": Rule(
        regions.zones_apart, "regions and ranges", "zones whose names end in different letters", waivable=False
    ),
    "cidrs-disjoint": Rule(
        regions.cidrs_disjoint, "regions and ranges", "a free /16 for the region: the finding names one", waivable=False
    ),
    "cidr-growth": Rule(
        regions.cidr_growth, "regions and ranges", "a wider range; of an adopted VPC, a waiver by who keeps slots free"
    ),
    "services-range-free": Rule(
        regions.services_range_free, "regions and ranges", "a private range (RFC 1918) for the room", waivable=False
    ),
    "hosts-in-room": Rule(regions.hosts_in_room, "regions and ranges", "the room's range, or the host's own address"),
    "existing-vpc-fits": Rule(
        regions.existing_vpc_fits, "regions and ranges", "the VPC's id under network.existing, its range as cidr"
    ),
}
_CLOUD: Final[dict[str, Rule]] = {
    "instance-types-known": Rule(
        cloud.instance_types_known, "types and quotas", "a type of the catalogue, or an entry with its source there"
    ),
    "local-drives-fit": Rule(
        losses.local_drives_fit,
        "types and quotas",
        "drives_per_host and drive_gib left out: the type says both",
        waivable=False,
    ),
    "disks-attachable": Rule(cloud.disks_attachable, "types and quotas", "fewer, larger disks, or a larger type"),
    "disk-sizes-sold": Rule(quotas.disk_sizes_sold, "types and quotas", "larger disks, or a lower performance_level"),
    "bandwidth-sold": Rule(quotas.bandwidth_sold, "types and quotas", "a bandwidth of the list: the finding names one"),
    "quotas-kept": Rule(
        quotas.quotas_kept, "types and quotas", "less of it, or a waiver with the number of the request for more"
    ),
    "image-known": Rule(cloud.image_known, "types and quotas", "an image of the catalogue, or one that was tried"),
    "outputs-produced": Rule(
        cloud.outputs_produced, "producers", "an output that the stack of that region gives", waivable=False
    ),
    "secrets-referenced": Rule(
        cloud.secrets_referenced, "producers", "the secret among those of the stack", waivable=False
    ),
    "wheel-digest-given": Rule(cloud.wheel_digest_given, "exposure", "gateways.wheel_sha256: what sha256sum prints"),
    "purchases-allowed": Rule(cloud.purchases_allowed, "purchases", "allow_purchase: true, or choose without it"),
    "names-legal": Rule(cloud.names_legal, "names and tags", "shorter names, small letters and digits", waivable=False),
    "names-distinct": Rule(cloud.names_distinct, "names and tags", "a name of its own for each", waivable=False),
    "records-distinct": Rule(cloud.records_distinct, "names and tags", "a name of its own for each", waivable=False),
    "tags-legal": Rule(quotas.tags_legal, "names and tags", "fewer, shorter tags; none begins with acs: or aliyun"),
    "tags-complete": Rule(production.tags_complete, "names and tags", "tags: {owner: those who are called}"),
}
_EXPOSURE: Final[dict[str, Rule]] = {
    "plain-http-stays-home": Rule(geometry.plain_http_stays_home, "exposure", "an address of loopback, or TLS"),
    "security-least-exposure": Rule(
        exposure.security_least_exposure, "exposure", "the ranges that need it, under client_cidrs and admin_cidrs"
    ),
    "admin-ranges-narrow": Rule(exposure.admin_ranges_narrow, "exposure", "the addresses of your own way out"),
    "health-port-guarded": Rule(
        exposure.health_port_guarded, "exposure", "the health port open to the balancer's ranges, and to no other"
    ),
    "ssh-key-given": Rule(exposure.ssh_key_given, "exposure", "ssh_public_key: the line in ~/.ssh/id_ed25519.pub"),
}
_PRODUCTION: Final[dict[str, Rule]] = {
    "placeholders-replaced": Rule(exposure.placeholders_replaced, "production", "values of your own"),
    "production-protected": Rule(exposure.production_protected, "production", "protect: true, which is the default"),
    "backups-kept": Rule(production.backups_kept, "backups and logs", "snapshot_days, noncurrent_days: 7 or more"),
    "logs-kept": Rule(production.logs_kept, "backups and logs", "flow_log: true and log_days: 365 or more"),
    "buckets-hardened": Rule(production.buckets_hardened, "backups and logs", "tier.redundancy: ZRS"),
    "database-encrypted": Rule(
        production.database_encrypted, "encryption", "keys.mode: default-cmk or instance, which have keys with an id"
    ),
    "edge-encrypted": Rule(production.edge_encrypted, "encryption", "cdn.certificate: the id of a certificate"),
    "disk-encryption-preflight": Rule(
        exposure.disk_encryption_preflight, "encryption", "the role that the account stack makes"
    ),
}
_COST: Final[dict[str, Rule]] = {
    "cost-ceiling": Rule(
        cost.cost_ceiling, "cost", "fewer or smaller machines, a higher max_monthly, or the prices that are UNKNOWN"
    ),
}
CHECKS: Final[dict[str, Rule]] = {**_GEOMETRY, **_DOMAINS, **_PLACES, **_CLOUD, **_EXPOSURE, **_PRODUCTION, **_COST}


def run(
    plan: Plan, *, today: datetime.date, informed: Mapping[str, Check] = MappingProxyType({}), draft: bool = False
) -> tuple[Outcome, ...]:
    """Every check's outcome in the table's order, then what is said of the waivers themselves.

    `informed`: checks that know more than the Plan says, such as prices of one's own, in place of those of their name.
    `draft`: the Plan is what was probably meant, so a check that passes says nothing of whether its waiver is needed.
    """
    found = {name: tuple(informed.get(name, rule.check)(plan)) for name, rule in CHECKS.items()}
    given = {waiver.check: waiver for waiver in plan.waivers}
    outcomes = [_judge(name, findings, waiver=given.get(name), today=today) for name, findings in found.items()]
    never = {*(name for name, rule in CHECKS.items() if not rule.waivable), *POLICIES}
    unsound = tuple(waivers.unsound(plan.waivers, found, never=never, today=today, draft=draft))
    verdict = Verdict.FAIL if unsound else Verdict.PASS
    outcomes.append(Outcome(waivers.NAME, verdict, _text(unsound) or waivers.PROVES, unsound))
    return tuple(outcomes)


def _judge(name: str, findings: tuple[Finding, ...], *, waiver: PlannedWaiver | None, today: datetime.date) -> Outcome:
    if not findings:
        return Outcome(name, Verdict.PASS, CHECKS[name].proves)
    unwaived = Verdict.UNKNOWN if all(finding.unknown for finding in findings) else Verdict.FAIL
    if waiver is None:
        return Outcome(name, unwaived, _text(findings), findings)
    if not CHECKS[name].waivable:
        return Outcome(name, unwaived, f"{_text(findings)} (cannot be waived)", findings)
    if waiver.until < today:
        return Outcome(name, unwaived, f"{_text(findings)} (the waiver ended on {waiver.until})", findings)
    text = f"{_text(findings)} (until {waiver.until}: {waiver.reason})"
    return Outcome(name, Verdict.WAIVED, text, findings, waiver)


def _text(findings: tuple[Finding, ...]) -> str:
    return "; ".join(finding.text for finding in findings)
