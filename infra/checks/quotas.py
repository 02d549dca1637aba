"""Checks on how much of a thing is asked for: what the cloud takes, each figure with its source. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from infra.blueprint import catalogue, quotas
from infra.blueprint.cloud import PlannedRegion
from infra.blueprint.plan import Plan
from infra.checks.outcome import Finding, Where

CENTRE: Final = "ask Quota Center for more and waive this check with the number of the request"
MAX_TAG_KEY: Final = 64  # RDS and scaling groups take no longer one; ECS takes 128
MAX_TAG_VALUE: Final = 128
_RESERVED: Final = ("aliyun", "acs:", "http://", "https://")


def quotas_kept(plan: Plan) -> Iterator[Finding]:
    """No region asks for more of a thing than the cloud gives an account that never asked for more."""
    for region in plan.regions:
        yield from _of_network(region)
        yield from _of_hosts(plan, region)
        yield from _of_balancer(plan, region)


def _of_network(region: PlannedRegion) -> Iterator[Finding]:
    clients: Where = ("network", "client_cidrs")
    entries = Counter(entry.direction for entry in region.network.acl.entries)
    for direction, count in sorted(entries.items()):
        yield from _beyond("acl-entries", count, f"{region.network.acl.name}, {direction}", clients, "fewer ranges")
    for group in region.security_groups:
        yield from _beyond("group-rules", len(group.rules), group.name, clients, "fewer ranges")


def _of_hosts(plan: Plan, region: PlannedRegion) -> Iterator[Finding]:
    hosts = Counter(host.zone for host in plan.hosts if host.machine and host.region == region.name)
    for zone, count in sorted(hosts.items()):
        yield from _beyond("set-hosts", count, zone, ("storage", "hosts_per_zone"), "more disks a host, or more zones")


def _of_balancer(plan: Plan, region: PlannedRegion) -> Iterator[Finding]:
    if region.balancer is None or region.balancer.kind == "alb":
        return  # no Plan has the thousand hosts that an ALB takes
    name, scaling = f"{region.balancer.kind}-targets", region.compute.scaling if region.compute else None
    if scaling:
        yield from _beyond(name, scaling.max, region.balancer.name, ("gateways", "max"), "fewer gateways")
        return
    gateways = any(host.role == "gateway" for host in plan.hosts if host.region == region.name)
    where: Where = ("gateways", "per_zone") if gateways else ("storage", "hosts_per_zone")
    yield from _beyond(name, len(region.balancer.targets), region.balancer.name, where, "fewer and larger hosts")


def _beyond(name: str, count: int, thing: str, where: Where, remedy: str) -> Iterator[Finding]:
    quota = quotas.shipped()[name]
    if not quota.known:
        text = f"{thing}: {count} {quota.what}; no source says how many there may be"
        yield Finding(text, where, "look into Quota Center, and waive this check with what it says", unknown=True)
    elif not quota.takes(count):
        hint = f"{remedy}, or {CENTRE}" if quota.adjustable else remedy
        yield Finding(f"{thing}: {count} {quota.what}, {quota.figure} ({_source(quota)})", where, hint)


def _source(quota: quotas.Quota) -> str:
    return catalogue.shipped().sources[quota.source].title if quota.source else "UNKNOWN"


def disk_sizes_sold(plan: Plan) -> Iterator[Finding]:
    """Every disk has a size that its category and performance level are sold in."""
    asked = {
        (machine.performance_level if machine.disk_category == "cloud_essd" else machine.disk_category, drive.size_gib)
        for host in plan.hosts
        if (machine := host.machine) and machine.drives == "cloud"
        for drive in host.drives
        if drive.size_gib is not None
    }
    for level, size in sorted(asked):
        quota = quotas.shipped()[f"disk-{level}"]
        if not quota.takes(size):
            yield Finding(
                f"{size} {quota.what}: {quota.figure}",
                ("storage", "drive_gib"),
                f"drive_gib: {quota.least} or more, or a lower performance_level",
            )


def bandwidth_sold(plan: Plan) -> Iterator[Finding]:
    """The VPN has a bandwidth that it is sold in."""
    for region in plan.regions:
        quota = quotas.shipped()["vpn-mbps"]
        if region.vpn and not quota.takes(region.vpn.bandwidth_mbps):
            above = next((step for step in quota.among if step > region.vpn.bandwidth_mbps), quota.among[-1])
            text = f"{region.vpn.name}: {region.vpn.bandwidth_mbps} {quota.what}: {quota.figure}"
            yield Finding(text, ("interconnect", "bandwidth_mbps"), f"write {above}")


def tags_legal(plan: Plan) -> Iterator[Finding]:
    """Every tag is one that each service takes, and no resource has too many."""
    if not plan.regions:
        return
    tags, quota = plan.regions[0].tags, quotas.shipped()["tags"]  # the same in every part, but for the part's name
    if not quota.takes(len(tags)):
        yield Finding(f"{len(tags)} {quota.what}, with the framework's: {quota.figure}", ("tags",), "fewer tags")
    for key, value in tags.items():
        yield from _legal(key, value)


def _legal(key: str, value: str) -> Iterator[Finding]:
    place: Where = ("tags", key)
    if not key or len(key) > MAX_TAG_KEY:
        yield Finding(f"tag {key!r}: its key has {len(key)} characters, of 1 to {MAX_TAG_KEY}", place, "a shorter key")
    if len(value) > MAX_TAG_VALUE:
        text = f"tag {key!r}: its value has {len(value)} characters, of up to {MAX_TAG_VALUE}"
        yield Finding(text, place, "a shorter value")
    for word in (key, value):
        if word.lower().startswith(_RESERVED):
            yield Finding(f"tag {key!r}: {word!r} begins as the cloud's own do", place, f"not {', '.join(_RESERVED)}")
