"""Checks on what a loss leaves: writes, instances with local drives, entrances, the seat of the global stack. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.blueprint import catalogue
from infra.blueprint.cloud import PlannedMachine
from infra.blueprint.plan import Plan, PlannedHost
from infra.checks.geometry import by_domain, named, stores
from infra.checks.outcome import Finding

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
    known = catalogue.shipped()
    where, m, need = known.drives(kind), plan.profile.m, plan.profile.k + plan.profile.m
    most = max(min(len(host.drives), need) for host in hosts)
    # Where a host or a zone is the failure domain, the placement keeps m fragments or fewer on an instance, if it can.
    if plan.survive != "drive":
        room = sum(min(len(host.drives), m) for host in hosts)
        if where == "local" and room < need:
            text = f"{kind}: {len(hosts)} instances take {room} of {need} fragments, with at most m = {m} in one"
            yield Finding(text, ("storage", "hosts_per_zone"), "more hosts, or a larger m")
    elif most <= m or where == "cloud":
        return
    elif where == "local":
        text = f"{kind}: an instance that is lost takes its {most} drives with it, and only m = {m} may go"
        yield Finding(text, ("survive",), "survive: host, with m covering a host's fragments")
    elif known.type(kind) is not None:
        text = f"{kind}: whether its drives are in the instance is not known; {most} of them would be lost with it"
        yield Finding(text, ("storage", "instance_type"), "survive: host, which holds either way", unknown=True)


def local_drives_fit(plan: Plan) -> Iterator[Finding]:
    """Of drives in the instance the Plan asks for what the type has, and hosts without drives are of types without."""
    kinds = {(host.role, host.machine.instance_type): (host, host.machine) for host in plan.hosts if host.machine}
    for host, machine in kinds.values():  # those of a role and a type are alike
        if catalogue.shipped().drives(machine.instance_type) == "local":
            yield from _of_type(host, machine) if host.drives else _left_empty(machine)
    scaled = {region.compute.scaling.machine for region in plan.regions if region.compute and region.compute.scaling}
    for machine in sorted(scaled, key=lambda machine: machine.instance_type):
        if catalogue.shipped().drives(machine.instance_type) == "local":
            yield from _left_empty(machine)


def _left_empty(machine: PlannedMachine) -> Iterator[Finding]:
    text = f"{machine.instance_type} has drives of its own, which a host without drives would leave empty"
    yield Finding(text, ("gateways", "instance_type"), "a type without drives of its own")


def _of_type(host: PlannedHost, machine: PlannedMachine) -> Iterator[Finding]:
    kind = machine.instance_type
    known = catalogue.shipped().type(kind)
    if known and len(host.drives) > known.local_drives:
        text = f"{kind} has {known.local_drives} drives, and {len(host.drives)} are asked for"
        yield Finding(text, ("storage", "drives_per_host"), "leave it out, ask for fewer, or a type with more drives")
    sizes = {drive.size_gib for drive in host.drives}
    if known and known.local_drive_gib and sizes != {known.local_drive_gib}:
        text = f"{kind} has drives of {known.local_drive_gib} GiB, which have no other size"
        yield Finding(text, ("storage", "drive_gib"), f"leave it out, or write {known.local_drive_gib}")
    for field in ("disk_category", "performance_level"):
        if getattr(machine, field) != PlannedMachine.model_fields[field].default:
            text = f"{field}: {getattr(machine, field)!r} is said of disks of the cloud, and {kind} has none"
            yield Finding(text, ("storage", field), "leave it out, or use a type with disks of the cloud")


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
