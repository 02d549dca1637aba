"""Checks on regions, zones and ranges: what is where, and whether it can be. Pure."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterator
from itertools import combinations

from infra.blueprint import catalogue
from infra.blueprint.cloud import PlannedRegion
from infra.blueprint.plan import Plan
from infra.blueprint.scope import SERVICES
from infra.checks.outcome import Finding, Where
from infra.subnets import overlap


def regions_distinct(plan: Plan) -> Iterator[Finding]:
    """One region is the primary, every region is known, and a replica has a primary to follow."""
    primaries = [region.name for region in plan.regions if region.role == "primary"]
    for name in primaries[1:]:
        yield Finding(
            f"{name}: a second primary beside {primaries[0]}", ("regions", name), "one takes writes: role: replica"
        )
    for region in plan.regions:
        if region.role == "replica" and not primaries:
            yield Finding(f"{region.name}: a replica without a primary", ("regions", region.name), "role: primary")
        if region.role == "backup" and not primaries and not any(host.machine is None for host in plan.hosts):
            yield Finding(
                f"{region.name}: a backup of nothing", ("regions", region.name), "add a primary, or list `hosts`"
            )
        yield from _known_region(region)


def _known_region(region: PlannedRegion) -> Iterator[Finding]:
    known = [found.name for found in catalogue.shipped().regions]
    if region.name not in known:
        yield Finding(
            f"region {region.name!r} is not in the catalogue",
            ("regions", region.name, "name"),
            _meant(region.name, known),
        )


def zones_of_region(plan: Plan) -> Iterator[Finding]:
    """Every zone lies in its region."""
    for region in plan.regions:
        known = catalogue.shipped().zones(region.name)
        for zone in _zones(region):
            place: Where = ("regions", region.name, "zones", zone)
            if not zone.startswith(region.name):
                yield Finding(f"zone {zone!r} is not of region {region.name}", place, _meant(zone, known))
            elif known and zone not in known:
                yield Finding(f"zone {zone!r} is not in the catalogue", place, _meant(zone, known))


def zones_apart(plan: Plan) -> Iterator[Finding]:
    """No two zones of a region share a slot, which their last letters give them."""
    for region in plan.regions:
        for one, other in combinations(_zones(region), 2):
            if one[-1] == other[-1]:
                place: Where = ("regions", region.name, "zones", other)
                yield Finding(f"zones {one} and {other} share a slot", place, "zones of a region end differently")


def _zones(region: PlannedRegion) -> list[str]:
    return sorted({switch.zone for switch in region.network.switches})


def cidrs_disjoint(plan: Plan) -> Iterator[Finding]:
    """No two ranges that may be joined overlap: regions, and the machine room."""
    for one, other in combinations(plan.regions, 2):
        if overlap(one.network.cidr, other.network.cidr):
            yield Finding(
                f"{other.name}: {other.network.cidr} overlaps {one.network.cidr} of {one.name}",
                ("regions", other.name, "cidr"),
                f"free: {_free(plan)}",
            )
    for region in plan.regions:
        for room in region.vpn.remote_cidrs if region.vpn else ():
            if overlap(region.network.cidr, room):
                yield Finding(
                    f"onprem: {room} overlaps {region.network.cidr} of {region.name}",
                    ("onprem", "cidr"),
                    f"move the region, the machine room is hard to move; free: {_free(plan)}",
                )


def hosts_in_room(plan: Plan) -> Iterator[Finding]:
    """Machines of the machine room have addresses of its range."""
    for region in plan.regions:
        for room in region.vpn.remote_cidrs if region.vpn else ():
            for host in plan.hosts:
                if host.machine is None and not _inside(host.address, room):
                    yield Finding(
                        f"{host.name}: {host.address} is not in {room}",
                        ("hosts", host.name, "address"),
                        "the VPN carries the range of the room alone",
                    )


def cidr_growth(plan: Plan) -> Iterator[Finding]:
    """There is room for what comes later: twice the machines in the machine room, and every zone's slot in a VPC."""
    there = [host for host in plan.hosts if host.machine is None]
    for region in plan.regions:
        for room in region.vpn.remote_cidrs if region.vpn else ():
            usable = max(ipaddress.IPv4Network(room).num_addresses - 2, 1)  # neither the network's nor the broadcast
            if usable < 2 * len(there):
                text = f"onprem: {room} has {usable} addresses for {len(there)} machines, and none for as many again"
                yield Finding(text, ("onprem", "cidr"), "a wider range, as long as nothing else uses it")
        if region.network.existing:
            yield Finding(
                f"{region.name}: what else stands in {region.network.existing}, and in whose slot, is not known",
                ("network", "existing", region.name),
                f"keep {region.network.cidr} free of other switches, and waive this check with who saw to it",
                unknown=True,
            )


def services_range_free(plan: Plan) -> Iterator[Finding]:
    """The machine room uses no address that the cloud's own services or the VPN's tunnels have."""
    for region in plan.regions:
        for room in region.vpn.remote_cidrs if region.vpn else ():
            inside = [tunnel.inside_cidr for tunnel in region.vpn.tunnels] if region.vpn else []
            for taken in (SERVICES, *inside):
                if overlap(room, taken):
                    text = f"onprem: {room} overlaps {taken}, to which no host could then speak"
                    yield Finding(text, ("onprem", "cidr"), "a private range (RFC 1918)")


def two_zones(plan: Plan) -> Iterator[Finding]:
    """What stands in two zones has two: NLB and ALB, the VPN's tunnels, the database."""
    for region in plan.regions:
        zones = {switch.zone for switch in region.network.switches}
        kind = region.balancer.kind if region.balancer else "none"
        needing = {
            f"a balancer of kind {kind}": kind in ("nlb", "alb"),
            "a VPN": region.vpn is not None,
            "a database": region.database is not None,
        }
        for what, needed in needing.items():
            if needed and len(zones) < 2:
                yield Finding(f"{region.name}: {what} needs two zones", ("regions", region.name, "zones"), "add a zone")


def existing_vpc_fits(plan: Plan) -> Iterator[Finding]:
    """An adopted VPC is named by its id, and every switch lies in the range given for it."""
    for region in plan.regions:
        found = region.network.existing
        if found is None:
            continue
        if not found.startswith("vpc-"):
            yield Finding(
                f"{region.name}: {found!r} is no id of a VPC",
                ("network", "existing", region.name),
                "ids look like vpc-bp1aevy8sofi8mh1q****",
            )
        for switch in region.network.switches:
            if not ipaddress.IPv4Network(switch.cidr).subnet_of(ipaddress.IPv4Network(region.network.cidr)):
                text = f"{switch.name}: {switch.cidr} is outside of {region.network.cidr}"
                yield Finding(text, ("regions", region.name, "cidr"))


def _inside(address: str, room: str) -> bool:
    try:
        return ipaddress.IPv4Address(address) in ipaddress.IPv4Network(room)
    except ValueError:
        return False


def _free(plan: Plan) -> str:
    """A /16 of 10.0.0.0/8 that nothing here uses."""
    used = [region.network.cidr for region in plan.regions]
    used += [room for region in plan.regions if region.vpn for room in region.vpn.remote_cidrs]
    candidates = (f"10.{number}.0.0/16" for number in range(10, 256))
    return next((cidr for cidr in candidates if not any(overlap(cidr, other) for other in used)), "none left")


def _meant(word: str, known: tuple[str, ...] | list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
