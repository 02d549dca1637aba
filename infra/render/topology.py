"""A Plan as boxes: region > VPC > zones > switches > hosts, and what stands around them. Pure.

Keys, by which arrows find a box: `region:NAME`, `vpc:NAME`, `zone:NAME`, `entry:REGION` (balancer), `scaling:REGION`,
`hosts:ZONE`, `host:NAME`, `endpoint:REGION`, `bucket:NAME`, `vpn:REGION`, `room`, `rack:ZONE`, `device`.
"""

from __future__ import annotations

from typing import Final

from infra.blueprint.cloud import PlannedBucket, PlannedNetwork, PlannedRegion, PlannedSwitch
from infra.blueprint.plan import Plan, PlannedHost
from infra.render.drawing import Box, Line

MOST_HOSTS: Final = 6  # of a zone and a role that are drawn; of more, all but the last place is taken
TARGET_LANE: Final = 16  # right of hosts: from the balancer to each
PEER_LANE: Final = 16  # left of hosts: from gateways to storage
SWITCH_LANE: Final = 34  # right of a shared switch: the way down to the hosts
LINK_LANE: Final = 30  # right of the last row of a region: from the VPC to what joins regions
BARS_GAP: Final = 26  # an arrow's length

_ROLES: Final = {"primary": "primary", "replica": "replica", "backup": "backup: cold copies"}
_BALANCERS: Final = {
    "nlb": "NLB: TLS ends at the hosts", "alb": "ALB: TLS ends here", "clb": "CLB: TLS ends at the hosts",
}  # fmt: skip
_KEYS: Final = {
    "service": "the cloud's own keys", "default-cmk": "the region's default key", "instance": "an instance of its own",
}  # fmt: skip


def here(plan: Plan) -> Box:
    """Machines that are there, of a Plan without a region."""
    hosts = tuple(_machine_here(host) for host in plan.hosts)
    return Box("", children=hosts, flow="row", pad=0, gap=20)


def _machine_here(host: PlannedHost) -> Box:
    folders = tuple(
        Box("folder", (Line(drive.path, "head"), Line(drive.name)), icon="folder", key=f"drive:{drive.name}", pad=12)
        for drive in host.drives
    )
    rows = tuple(Box("", children=folders[at : at + 3], flow="row", pad=0, gap=14) for at in range(0, len(folders), 3))
    lines = (Line(host.name, "head"), Line(f"{host.address}:{host.port}, {host.workers} workers, zone {host.zone}"))
    return Box("zone", lines, rows, key=f"host:{host.name}", icon="host", pad=18, gap=14)


# --- a region --------------------------------------------------------------------------------------------------------
def region(plan: Plan, found: PlannedRegion) -> Box:
    joined = plan.joint is not None and plan.joint.cen is not None
    role = _ROLES[found.role]
    if found.compute is not None:
        role += ", takes writes" if found.name == plan.active else ", read only"
    lines = (Line(found.name, "head"), Line(f"region, {role}"))
    last = Box("", children=_around(found), flow="row", pad=0, gap=12, lane=LINK_LANE if joined else 0)
    return Box(
        "region", lines, (_vpc(plan, found), last), key=f"region:{found.name}", icon="region", pad=16, gap=BARS_GAP
    )


def _vpc(plan: Plan, found: PlannedRegion) -> Box:
    network = found.network
    lines = (Line(f"VPC {network.cidr}", "head"), Line(network.existing or network.name))
    zones = Box("", children=_zones(plan, found), flow="row", pad=0, gap=14, even=True)
    middle = Box("", children=(*_vpn(found), zones), flow="row", pad=0, gap=14)
    parts = (*_entrances(found), middle, *_ways_out(found))
    return Box("vpc", lines, parts, key=f"vpc:{found.name}", pad=14, gap=BARS_GAP)


def _entrances(found: PlannedRegion) -> tuple[Box, ...]:
    boxes = []
    if found.balancer is not None:
        balancer = found.balancer
        reach = "from the Internet" if balancer.public else "private"
        lines = (
            Line(f"balancer, port {balancer.listener.port}, {reach}", "head"),
            Line(f"{_BALANCERS[balancer.kind]}; health on port {balancer.listener.health_port}"),
        )
        boxes.append(Box("balancer", lines, key=f"entry:{found.name}", icon="balancer", centred=True))
    if found.compute is not None and found.compute.scaling is not None:
        group = found.compute.scaling
        lines = (
            Line(f"scaling group: {group.min} to {group.max} gateways", "head"),
            Line(f"{group.machine.instance_type}, in the shared switch of each zone"),
        )
        boxes.append(Box("scaling", lines, key=f"scaling:{found.name}", icon="gateway", centred=True))
    # Without a balancer the lines from the clients part here.
    parting = () if boxes or found.compute is None else (Box("", pad=1),)
    return (*boxes, *parting)


def _ways_out(found: PlannedRegion) -> tuple[Box, ...]:
    if not found.network.oss_endpoint:
        return ()
    lines = (Line("gateway endpoint: traffic to OSS stays inside"),)
    return (Box("endpoint", lines, key=f"endpoint:{found.name}", icon="endpoint", centred=True, pad=6),)


def _vpn(found: PlannedRegion) -> tuple[Box, ...]:
    if found.vpn is None:
        return ()
    letters = " and ".join(_zone_of(found.network, name).rpartition("-")[2] for name in found.vpn.switches)
    lines = (
        Line("VPN gateway", "head"), Line(f"{found.vpn.bandwidth_mbps} Mbps"), Line(f"a tunnel each in {letters}"),
    )  # fmt: skip
    return (Box("link", lines, key=f"vpn:{found.name}", icon="vpn"),)


def _zone_of(network: PlannedNetwork, switch: str) -> str:
    return next(found.zone for found in network.switches if found.name == switch)


def _zones(plan: Plan, found: PlannedRegion) -> tuple[Box, ...]:
    by_zone: dict[str, list[PlannedSwitch]] = {}
    for switch in found.network.switches:
        by_zone.setdefault(switch.zone, []).append(switch)
    return tuple(_zone(plan, found, zone, switches) for zone, switches in sorted(by_zone.items()))


def _zone(plan: Plan, found: PlannedRegion, zone: str, switches: list[PlannedSwitch]) -> Box:
    order = sorted(switches, key=lambda switch: switch.purpose != "shared")
    children = tuple(
        _shared(found, switch) if switch.purpose == "shared" else _hosts(plan, zone, switch) for switch in order
    )
    return Box("zone", (Line(zone, "head"),), children, key=f"zone:{zone}", grow=True)


def _shared(found: PlannedRegion, switch: PlannedSwitch) -> Box:
    chips = []
    nat, database = found.network.nat, found.database
    if nat is not None and nat.switch == switch.name:
        chips.append(Box("link", (Line("NAT gateway", "head"), Line(f"{nat.bandwidth_mbps} Mbps")), icon="nat", pad=6))
    if database is not None and switch.name in database.switches:
        first = switch.name == database.switches[0]
        lines = (
            Line("index" if first else "its standby", "head"),
            Line(f"PostgreSQL {database.version}"),
            Line(f"{database.storage_gib} GiB"),
        )
        chips.append(Box("database", lines, icon="database", pad=6))
    names = (Line("shared switch"), Line(switch.cidr))
    return Box("switch", names, tuple(chips), pad=8, gap=8, lane=SWITCH_LANE, grow=True)


def _hosts(plan: Plan, zone: str, switch: PlannedSwitch) -> Box:
    mine = [host for host in plan.hosts if host.machine is not None and host.machine.switch == switch.name]
    gateways = [host for host in mine if host.role == "gateway"]
    storage = [host for host in mine if host.role == "storage"]
    boxes = (*_some(plan, gateways), *_some(plan, storage))
    margin = PEER_LANE if gateways else 0
    group = Box("", children=boxes, pad=0, gap=10, lane=TARGET_LANE, margin=margin)
    lines = (Line("switch of hosts"), Line(switch.cidr))
    return Box("switch", lines, (group,) if boxes else (), key=f"hosts:{zone}", pad=8, gap=8)


def _some(plan: Plan, hosts: list[PlannedHost]) -> tuple[Box, ...]:
    """All of a few; of many the first, and how many more there are."""
    order = sorted(hosts, key=lambda host: (len(host.name), host.name))  # 2 before 10
    shown = order if len(order) <= MOST_HOSTS else order[: MOST_HOSTS - 1]
    boxes = [_host(plan, host) for host in shown]
    if rest := len(hosts) - len(shown):
        boxes.append(Box("more", (Line(f"and {rest} more"),), pad=6, centred=True))
    return tuple(boxes)


def _host(plan: Plan, host: PlannedHost) -> Box:
    short = host.name.removeprefix(f"{plan.name}-{plan.environment}-").removeprefix(f"{host.zone}-")
    lines = [Line(short, "head"), Line(host.address)]
    if host.machine is not None:
        lines.append(Line(host.machine.instance_type))
    sizes = {drive.size_gib for drive in host.drives}
    if host.drives:
        each = f" × {sizes.pop()} GiB" if len(sizes) == 1 and None not in sizes else " drives"
        lines.append(Line(f"{len(host.drives)}{each}{' in it' if host.own_drives else ''}"))
    return Box(host.role, tuple(lines), key=f"host:{host.name}", marks=len(host.drives), pad=8)


def _around(found: PlannedRegion) -> tuple[Box, ...]:
    order = {"tier": 0, "artifacts": 1, "logs": 2, "state": 3}
    buckets = sorted(found.buckets, key=lambda bucket: order[bucket.purpose])
    boxes = [_bucket(bucket) for bucket in buckets]
    boxes.append(Box("key", (Line("KMS", "head"), Line(_KEYS[found.keys.mode])), icon="key"))
    return tuple(boxes)


def _bucket(bucket: PlannedBucket) -> Box:
    rules = [rule for rule in bucket.lifecycle if not rule.prefix]
    ages = [
        f"{word} after {days} d"
        for rule in rules
        for word, days in (("IA", rule.ia_days), ("Archive", rule.archive_days), ("gone", rule.expire_days))
        if days is not None
    ]
    keeps = [bucket.redundancy, bucket.encryption] + (["versions"] if bucket.versioning else [])
    lines = (Line(f"OSS {bucket.purpose}", "head"), Line(", ".join(keeps)), *(Line(age) for age in ages))
    return Box("bucket", lines, key=f"bucket:{bucket.name}", icon="bucket")


# --- a machine room --------------------------------------------------------------------------------------------------
def room(plan: Plan) -> Box | None:
    """Hosts that are there, of a Plan that has regions too."""
    mine = [host for host in plan.hosts if host.machine is None]
    if not mine:
        return None
    zones = sorted({host.zone for host in mine})
    racks = tuple(
        Box(
            "zone", (Line(zone, "head"),), _some(plan, [host for host in mine if host.zone == zone]), key=f"rack:{zone}"
        )
        for zone in zones
    )
    vpn = next((found.vpn for found in plan.regions if found.vpn is not None), None)
    inside = list(racks)
    if vpn is not None:
        inside.append(Box("link", (Line("VPN device", "head"), Line(vpn.customer_address)), key="device", icon="vpn"))
    ranges = ", ".join(vpn.remote_cidrs) if vpn is not None else "on premises"
    inner = Box("", children=tuple(inside), flow="row", pad=0, gap=14)
    blank = Box("", pad=4)  # for the lines that come from the clients
    lines = (Line("machine room", "head"), Line(ranges))
    return Box("room", lines, (blank, inner), key="room", icon="region", pad=16)


# --- what stands above all -------------------------------------------------------------------------------------------
def clients(plan: Plan) -> Box:
    public = any(found.balancer is not None and found.balancer.public for found in plan.regions)
    where = "anywhere, by HTTPS" if public else "in your networks, by HTTPS"
    if plan.regions and not any(found.balancer for found in plan.regions):
        where = "in the machine room" if room(plan) is not None else "in the same VPC, by HTTPS"
    if not plan.regions:
        where = "on this machine, by HTTP"
    return Box("clients", (Line("clients", "head"), Line(where)), key="clients", icon="clients")


def edge(plan: Plan) -> tuple[Box | None, Box | None]:
    """CDN and DNS."""
    joint = plan.joint
    cdn = dns = None
    if joint is not None and joint.cdn is not None:
        kept = max((rule.ttl_s for rule in joint.cdn.cache), default=0)
        lines = (Line(f"CDN {joint.cdn.domain}", "head"), Line(f"{joint.cdn.scope}, kept for {kept} s at the edge"))
        cdn = Box("edge", lines, key="cdn", icon="cdn")
    if joint is not None and joint.dns is not None:
        ttl = max((record.ttl_s for record in joint.dns.records), default=0)
        name = plan.base_domains[0] if plan.base_domains else joint.dns.domain
        switched = "regions by their health" if joint.dns.traffic_manager else f"TTL {ttl} s"
        dns = Box("edge", (Line(f"DNS {name}", "head"), Line(switched)), key="dns", icon="dns")
    return cdn, dns


def joins(plan: Plan) -> Box | None:
    """CEN."""
    if plan.joint is None or plan.joint.cen is None:
        return None
    cen = plan.joint.cen
    rates = sorted({peering.bandwidth_mbps for peering in cen.peerings})
    rate = ", ".join(f"{rate} Mbps" for rate in rates)
    lines = (Line(f"CEN: a transit router in each region, peered at {rate}", "head"),)
    return Box("link", lines, key="cen", icon="join", centred=True)
