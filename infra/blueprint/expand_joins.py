"""What joins networks and regions: the VPN of a machine room, CEN, replication, the global stack. Pure."""

from __future__ import annotations

from itertools import combinations

from infra import naming
from infra.blueprint.cloud import (
    FromOutput,
    PlannedAttachment,
    PlannedCen,
    PlannedGlobal,
    PlannedPeering,
    PlannedReplication,
    PlannedTunnel,
    PlannedVpn,
)
from infra.blueprint.expand_edge import cdn, dns
from infra.blueprint.expand_identity import replication_role
from infra.blueprint.model import Blueprint
from infra.blueprint.scope import Scope


def vpn(scope: Scope) -> PlannedVpn | None:
    room = scope.blueprint.onprem
    if not scope.has_vpn or room is None:
        return None
    first, second = scope.home
    private = room.path == "private"
    return PlannedVpn(
        name=scope.thing("vpn"),
        bandwidth_mbps=scope.blueprint.interconnect.bandwidth_mbps,
        switches=(scope.switch(first, "shared"), scope.switch(second, "shared")),
        customer_gateway=scope.thing("room"),
        customer_address=room.gateway_address,
        # OSS answers from ranges of its own: without them in the tunnels no answer comes back.
        local_cidrs=(scope.region.cidr, *scope.oss_routes()) if private else (scope.region.cidr,),
        remote_cidrs=(room.cidr,),
        tunnels=(
            PlannedTunnel(
                role="master",
                secret=naming.tunnel_secret("master"),
                inside_cidr="169.254.10.0/30",
                inside_address="169.254.10.1",
            ),
            PlannedTunnel(
                role="slave",
                secret=naming.tunnel_secret("slave"),
                inside_cidr="169.254.11.0/30",
                inside_address="169.254.11.1",
            ),
        ),
    )


def primary(blueprint: Blueprint) -> str | None:
    """The region that takes writes when nothing has failed."""
    return next((spec.name for spec in blueprint.regions if spec.role == "primary"), None)


def copies_to(scope: Scope) -> tuple[Scope, ...]:
    """Regions to whose bucket this one's is replicated: from the primary to all others, whoever is active, so that a
    failover touches nothing of a region that is gone."""
    tier = scope.blueprint.tier
    if not (tier.enabled and tier.replicate) or scope.region.name != primary(scope.blueprint):
        return ()
    others = sorted((spec for spec in scope.blueprint.regions if spec is not scope.region), key=lambda spec: spec.name)
    return tuple(Scope(scope.blueprint, spec) for spec in others)


def joint(blueprint: Blueprint, *, tags: dict[str, str]) -> PlannedGlobal | None:
    """The global stack, when there is anything to join."""
    scopes = tuple(Scope(blueprint, spec) for spec in blueprint.regions)
    stack = naming.stack(blueprint.name, blueprint.environment, naming.GLOBAL)
    origin = primary(blueprint)
    found = PlannedGlobal(
        stack=stack,
        region=_seat(blueprint),
        tags=tags,
        cen=_cen(scopes, stack),
        replications=tuple(sorted((made for scope in scopes for made in _replications(scope, stack)), key=_name)),
        dns=dns(blueprint, stack=stack, entrances=tuple(scope.region.name for scope in scopes if scope.has_balancer)),
        cdn=cdn(blueprint, stack=stack, origin=origin) if origin else None,
        log_project=naming.thing(stack, "logs"),
    )
    parts = {"cen_id": found.cen, "cdn_cname": found.cdn, "names": found.dns}
    if not any(parts.values()) and not found.replications:
        return None
    return found.model_copy(update={"outputs": ("mode", *sorted(name for name, part in parts.items() if part))})


def _seat(blueprint: Blueprint) -> str:
    """Where the provider of the global stack speaks to: the first replica, which is there when the primary is not."""
    if blueprint.seat is not None:
        return blueprint.seat
    replicas = (spec.name for spec in blueprint.regions if spec.role == "replica")
    return next(replicas, blueprint.regions[0].name)


def _cen(scopes: tuple[Scope, ...], stack: str) -> PlannedCen | None:
    if scopes[0].blueprint.interconnect.kind != "cen":
        return None
    ordered = sorted(scopes, key=lambda scope: scope.region.name)
    return PlannedCen(
        name=naming.thing(stack, "cen"),
        attachments=tuple(_attachment(scope, stack) for scope in ordered),
        peerings=tuple(
            PlannedPeering(
                name=naming.thing(stack, "peering", one.region.name, other.region.name),
                region=one.region.name,
                peer_region=other.region.name,
                bandwidth_mbps=one.blueprint.interconnect.bandwidth_mbps,
            )
            for one, other in combinations(ordered, 2)
        ),
    )


def _attachment(scope: Scope, stack: str) -> PlannedAttachment:
    region = scope.region.name
    return PlannedAttachment(
        region=region,
        router=naming.thing(stack, "router", region),
        attachment=naming.thing(stack, "attachment", region),
        vpc=FromOutput(from_output="vpc_id", region=region),
        switches=tuple(
            (zone, FromOutput(from_output="switch_ids", region=region, key=scope.switch(zone, "shared")))
            for zone in scope.zones
        ),
        cidr=scope.region.cidr,
        route_table=FromOutput(from_output="route_table_id", region=region),
    )


def _replications(scope: Scope, stack: str) -> tuple[PlannedReplication, ...]:
    return tuple(
        PlannedReplication(
            name=naming.thing(stack, "replication", target.region.name),
            source=scope.bucket("tier"),
            source_region=scope.region.name,
            target=target.bucket("tier"),
            target_region=target.region.name,
            role=replication_role(scope),
        )
        for target in copies_to(scope)
    )


def _name(found: PlannedReplication) -> str:
    return found.name
