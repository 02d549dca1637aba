"""Checks on what a loss leaves: writes, instances with local drives, entrances, the seat of the global stack. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from infra.blueprint import catalogue
from infra.blueprint.plan import Plan, PlannedHost
from infra.checks.geometry import by_domain, named, stores
from infra.checks.outcome import Finding

# Storage-optimised families of ECS, with drives in the host: i with SSD, d with hard disks.
_LOCAL: Final = re.compile(r"^ecs\.(ebm)?[id][0-9]")
LEAST_ENTRANCES: Final = 2


def writes_survive_loss(plan: Plan) -> Iterator[Finding]:
    """In production, where a drive or a host may be lost, what is left still takes writes: k+1 drives or more (R2)."""
    k = plan.profile.k
    if plan.environment != "prod" or plan.survive == "zone":
        return  # to try with, three drives of 2+1 will do; a zone has a check of its own
    for hosts in stores(plan):
        domains = by_domain(hosts)
        drives = sum(domains.values())
        lost, count = max(domains.items(), key=lambda item: item[1], default=("", 0))
        if drives - count < k + 1 <= drives:
            yield Finding(
                f"{named(plan, hosts)}without {plan.survive} {lost} {drives - count} drives are left; they are "
                f"readable, but writes stop below k+1 = {k + 1}",
                ("m",),
                f"a spare drive or host beside the {k + plan.profile.m} that a chunk needs, or raise m",
            )


def local_drives_geometry(plan: Plan) -> Iterator[Finding]:
    """Where drives are in the instance, losing one instance loses no more than m fragments of a chunk."""
    for hosts in stores(plan):
        for kind in sorted({host.machine.instance_type for host in hosts if host.machine}):
            of_kind = [host for host in hosts if host.machine and host.machine.instance_type == kind]
            yield from _local(plan, kind, of_kind)


def _local(plan: Plan, kind: str, hosts: list[PlannedHost]) -> Iterator[Finding]:
    known = catalogue.shipped().type(kind)
    where = known.drives if known else "local" if _LOCAL.match(kind) else None
    most = max(min(len(host.drives), plan.profile.k + plan.profile.m) for host in hosts)
    room = known.local_drives if known and where == "local" else 0
    if room and most > room:
        yield Finding(f"{kind} holds {room} drives, and {most} are asked for", ("storage", "drives_per_host"))
    # Where a host or a zone is the failure domain, the placement itself keeps m fragments or fewer on an instance.
    if plan.survive != "drive" or most <= plan.profile.m or where == "cloud":
        return
    if where == "local":
        text = f"{kind}: an instance that is lost takes its {most} drives with it, and only m = {plan.profile.m} may go"
        yield Finding(text, ("survive",), "survive: host, with m covering a host's fragments")
    elif known is not None:
        text = f"{kind}: whether its drives are in the instance is not known; {most} of them would be lost with it"
        yield Finding(text, ("storage", "instance_type"), "survive: host, which holds either way", unknown=True)


def entrances_survive_zone(plan: Plan) -> Iterator[Finding]:
    """Where a zone may be lost, a second gateway stands in another one before the first is gone."""
    for region in plan.regions:
        scaling = region.compute.scaling if region.compute else None
        if plan.survive == "zone" and scaling and scaling.min < LEAST_ENTRANCES:
            text = f"{scaling.name}: {scaling.min} gateways at least; a lost zone leaves nobody to speak to clients"
            yield Finding(text, ("gateways", "min"), f"min: {LEAST_ENTRANCES}, which lie in different zones")


def seat_apart(plan: Plan) -> Iterator[Finding]:
    """Where a replica can take over, the stack that switches names does not stand in the primary it replaces."""
    primary = next((region.name for region in plan.regions if region.role == "primary"), None)
    replicas = [region.name for region in plan.regions if region.role == "replica"]
    if plan.joint and replicas and plan.joint.region == primary:
        text = f"seat: {primary}, so that its loss takes what would switch names away from it"
        yield Finding(text, ("seat",), f"seat: {replicas[0]}, which is the default")
