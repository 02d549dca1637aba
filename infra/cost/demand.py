"""Plan × usage -> what is charged for: one demand a resource and thing that is charged. Pure.

Not here, for it is free: VPC, switches, route tables, security groups, network ACLs, the gateway endpoint of OSS,
deployment sets, key pairs, RAM, certificates, CEN itself. Records of a domain are part of the domain, which is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

from infra.blueprint.cloud import PlannedGlobal, PlannedMachine, PlannedRegion
from infra.blueprint.plan import Plan, PlannedHost
from infra.blueprint.prices import ITEMS, Charge
from infra.cost.usage import Usage

GLOBAL: Final = "global"
ALB_EDITION: Final = "Standard"  # as infra/components/balancer_alb.py builds it
DAYS: Final = Decimal(30)  # a month of what is counted by days
REQUESTS: Final = 10_000  # in which they are sold
NEVER_SPOT: Final = "a host that holds data is never on spot: it can be taken away"


@dataclass(frozen=True)
class Demand:
    """`quantity` of an item, by the unit of its kind (ITEMS), in a month; in `region` it is priced."""

    part: str  # the stack's part: a region or `global`
    region: str
    resource: str
    item: str
    sku: str
    quantity: Decimal
    charges: tuple[Charge, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.charges:
            object.__setattr__(self, "charges", ITEMS[self.item].charges)

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.part, self.resource, self.item, self.sku


def demands(plan: Plan, usage: Usage) -> tuple[Demand, ...]:
    """In the order of the Plan; what would be zero is left out."""
    found = [demand for region in plan.regions for demand in _region(plan, region, usage)]
    if plan.joint is not None:
        found += _joint(plan.joint, usage)
    return tuple(demand for demand in found if demand.quantity)


def disk_sku(category: str, level: str) -> str:
    """A cloud_auto disk has no level."""
    return category if category == "cloud_auto" else f"{category}.{level}"


@dataclass(frozen=True)
class _Place:
    part: str
    region: str

    def of(self, resource: str, item: str, quantity: int | float | Decimal, sku: str = "") -> Demand:
        return Demand(self.part, self.region, resource, item, sku, Decimal(str(quantity)))


def _region(plan: Plan, region: PlannedRegion, usage: Usage) -> Iterator[Demand]:
    place = _Place(region.name, region.name)
    for host in plan.hosts:
        if host.machine is not None and host.region == region.name:
            yield from _host(place, host, host.machine)
    yield from _compute(place, plan, region, usage)
    yield from _network(place, region, usage)
    yield from _balancer(place, region, usage)
    yield from _buckets(place, region, usage)
    if region.database is not None:
        yield place.of(region.database.name, "database", 1, region.database.instance_type)
        yield place.of(region.database.name, "database-storage", region.database.storage_gib)
    if region.keys.mode == "instance":
        yield _key_instance(place, region)
    yield from _logs(place, region, usage)


def _host(place: _Place, host: PlannedHost, machine: PlannedMachine) -> Iterator[Demand]:
    """The instance, its system disk, and its drives together; those in the instance are in its price."""
    charges: tuple[Charge, ...] = ("pay-as-you-go", "subscription", *_spot(host.role))
    yield Demand(place.part, place.region, host.name, "host", machine.instance_type, Decimal(1), charges)
    gib = machine.system_disk_gib + _disks_gib(host)
    yield place.of(host.name, "disk", gib, disk_sku(machine.disk_category, machine.performance_level))


def _disks_gib(host: PlannedHost) -> int:
    """Of its drives that are disks of the cloud."""
    return 0 if host.own_drives else sum(drive.size_gib or 0 for drive in host.drives)


def _spot(role: Literal["storage", "gateway"]) -> tuple[Charge, ...]:
    """NEVER_SPOT."""
    return ("spot",) if role == "gateway" else ()


def _compute(place: _Place, plan: Plan, region: PlannedRegion, usage: Usage) -> Iterator[Demand]:
    if region.compute is None:
        return
    snapshots = region.compute.snapshots
    if snapshots is not None:
        disks = sum(_disks_gib(host) for host in plan.hosts if host.name in region.compute.hosts)
        used = disks * Decimal(str(usage.snapshots.used_percent)) / 100
        daily = used * Decimal(str(usage.snapshots.changed_percent)) / 100
        yield place.of(snapshots.name, "snapshot", used + daily * snapshots.retention_days)
    scaling = region.compute.scaling
    if scaling is not None:
        hosts = usage.capacity.scaled_hosts if usage.capacity.scaled_hosts is not None else scaling.min
        machine = scaling.machine
        sku = disk_sku(machine.disk_category, machine.performance_level)
        yield place.of(scaling.name, "host", hosts, machine.instance_type)
        yield place.of(scaling.name, "disk", hosts * machine.system_disk_gib, sku)


def _network(place: _Place, region: PlannedRegion, usage: Usage) -> Iterator[Demand]:
    nat = region.network.nat
    if nat is not None:
        yield place.of(nat.name, "nat-gateway", 1)
        yield place.of(nat.name, "nat-capacity", usage.capacity.nat_units)
        yield place.of(nat.address_name, "public-address", 1)
        yield place.of(nat.address_name, "internet-traffic", usage.traffic.internet_gib)
    if region.vpn is not None:
        yield place.of(region.vpn.name, "vpn-gateway", 1, str(region.vpn.bandwidth_mbps))
        yield place.of(region.vpn.name, "internet-traffic", usage.traffic.internet_gib)


def _balancer(place: _Place, region: PlannedRegion, usage: Usage) -> Iterator[Demand]:
    balancer = region.balancer
    if balancer is None:
        return
    yield place.of(balancer.name, balancer.kind, 1, ALB_EDITION if balancer.kind == "alb" else "")
    yield place.of(balancer.name, f"{balancer.kind}-capacity", usage.capacity.balancer_units)
    if balancer.public:
        # A CLB's own address is in its fee; the others have one in each zone.
        addresses = 0 if balancer.kind == "clb" else len(balancer.switches)
        yield place.of(balancer.name, "public-address", addresses)
        yield place.of(balancer.name, "internet-traffic", usage.traffic.internet_gib)


def _buckets(place: _Place, region: PlannedRegion, usage: Usage) -> Iterator[Demand]:
    """Data and requests of the bucket of what is cold; the others hold next to nothing, and cost by the same prices."""
    tier = next((bucket for bucket in region.buckets if bucket.purpose == "tier"), None)
    if tier is None:
        return
    classes = {
        "Standard": usage.storage.standard_gib,
        "IA": usage.storage.ia_gib,
        "Archive": usage.storage.archive_gib,
    }
    for name, gib in classes.items():
        yield place.of(tier.name, "bucket-storage", gib, f"{name}.{tier.redundancy}")
    yield place.of(tier.name, "bucket-requests", Decimal(usage.requests.put) / REQUESTS, "put")
    yield place.of(tier.name, "bucket-requests", Decimal(usage.requests.get) / REQUESTS, "get")
    yield place.of(tier.name, "bucket-traffic", usage.traffic.oss_internet_gib)
    yield place.of(tier.name, "bucket-retrieval", usage.storage.retrieved_gib, "IA")


def _key_instance(place: _Place, region: PlannedRegion) -> Demand:
    """In hardware it is only sold prepaid."""
    charges: tuple[Charge, ...] = ("subscription",) if region.keys.hsm else ("pay-as-you-go", "subscription")
    sku = "hardware" if region.keys.hsm else "software"
    return Demand(place.part, place.region, region.keys.name, "kms-instance", sku, Decimal(1), charges)


def _logs(place: _Place, region: PlannedRegion, usage: Usage) -> Iterator[Demand]:
    stores = [region.network.flow_log.log if region.network.flow_log else None]
    stores.append(region.balancer.log if region.balancer else None)
    for store in stores:
        if store is not None:
            yield place.of(f"{store.project}/{store.store}", "log-ingest", DAYS * usage.logs.gib_a_day)
            kept = usage.logs.gib_a_day * store.retention_days
            yield place.of(f"{store.project}/{store.store}", "log-storage", kept)


def _joint(joint: PlannedGlobal, usage: Usage) -> Iterator[Demand]:
    place = _Place(GLOBAL, joint.region)
    if joint.cen is not None:
        for attached in joint.cen.attachments:
            there = _Place(GLOBAL, attached.region)
            yield there.of(attached.attachment, "cen-attachment", 1)
            passing = sum(attached.region in (peer.region, peer.peer_region) for peer in joint.cen.peerings)
            yield there.of(attached.attachment, "cen-processing", passing * usage.traffic.between_regions_gib)
        for peer in joint.cen.peerings:
            there = _Place(GLOBAL, peer.region)
            yield there.of(peer.name, "cen-traffic", usage.traffic.between_regions_gib, peer.peer_region)
    for copy in joint.replications:
        there = _Place(GLOBAL, copy.source_region)
        yield there.of(copy.name, "bucket-replication", usage.traffic.replicated_gib, copy.target_region)
    if joint.dns is not None and joint.dns.traffic_manager is not None:
        yield place.of(joint.dns.traffic_manager.name, "traffic-manager", 1)
    if joint.cdn is not None:
        yield place.of(joint.cdn.domain, "cdn-traffic", usage.traffic.cdn_gib, joint.cdn.scope)
        if joint.cdn.log is not None:
            store = f"{joint.cdn.log.project}/{joint.cdn.log.store}"
            yield place.of(store, "log-ingest", DAYS * usage.logs.gib_a_day)
            yield place.of(store, "log-storage", usage.logs.gib_a_day * joint.cdn.log.retention_days)
