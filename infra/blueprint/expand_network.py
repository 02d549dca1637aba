"""The network of a region: switches in fixed slots, the way out, the list of what may pass. Pure."""

from __future__ import annotations

from typing import Literal

from infra import subnets
from infra.blueprint.cloud import (
    PlannedAcl,
    PlannedAclEntry,
    PlannedFlowLog,
    PlannedNat,
    PlannedNetwork,
    PlannedSwitch,
    Purpose,
)
from infra.blueprint.scope import ANYWHERE, SERVICES, Scope

PURPOSES: tuple[Purpose, ...] = ("hosts", "shared")
ANSWERED = "1024/65535"  # where clients of any system await answers
ASKED_FROM = "32768/60999"  # where hosts await theirs: Linux, ip_local_port_range; nothing of ours listens there


def network(scope: Scope) -> PlannedNetwork:
    knobs = scope.blueprint.network
    return PlannedNetwork(
        name=scope.thing("vpc"),
        cidr=scope.region.cidr,
        existing=knobs.existing.get(scope.region.name),
        route_table=scope.thing("routes"),
        switches=_switches(scope),
        nat=_nat(scope) if knobs.nat else None,
        acl=PlannedAcl(name=scope.thing("acl"), entries=_entries(scope)),
        flow_log=PlannedFlowLog(name=scope.thing("flows"), log=scope.log_store("flows")) if knobs.flow_log else None,
        oss_endpoint=scope.thing("oss") if knobs.oss_endpoint else None,
    )


def _switches(scope: Scope) -> tuple[PlannedSwitch, ...]:
    ranges = {"hosts": subnets.hosts, "shared": subnets.shared}
    return tuple(
        PlannedSwitch(
            name=scope.switch(zone, purpose),
            zone=zone,
            purpose=purpose,
            cidr=ranges[purpose](scope.region.cidr, zone),
        )
        for zone in scope.zones
        for purpose in PURPOSES
    )


def _nat(scope: Scope) -> PlannedNat:
    return PlannedNat(
        name=scope.thing("nat"),
        address_name=scope.thing("nat", "address"),
        bandwidth_mbps=scope.blueprint.network.nat_bandwidth_mbps,
        switch=scope.switch(scope.home[0], "shared"),
        sources=tuple(scope.switch(zone, purpose) for zone in scope.zones for purpose in PURPOSES),
    )


def _entries(scope: Scope) -> tuple[PlannedAclEntry, ...]:
    """In the order in which they are judged; what none of them names is dropped. The list keeps no state, so answers
    need entries of their own: they go to ephemeral ports."""
    port, health = scope.blueprint.port, scope.blueprint.balancer.health_port
    # A CLB stands in no switch of ours, and hands its clients' own addresses on.
    listener = scope.blueprint.balancer.port if scope.has_balancer and not scope.shows_clients else port
    ssh = tuple(sorted(scope.blueprint.network.admin_cidrs))
    return (
        *_pass(scope, "inside", ("ingress", "all", "-1/-1"), (scope.region.cidr,), "between switches of this VPC"),
        *_pass(scope, "peer", ("ingress", "all", "-1/-1"), scope.peers, "joined networks"),
        *_pass(scope, "client", ("ingress", "tcp", f"{listener}/{listener}"), _outside(scope), "clients"),
        *_balancer(scope, "store", port),
        *_balancer(scope, "health", health),
        *_pass(scope, "admin", ("ingress", "tcp", "22/22"), ssh, "ssh of administrators"),
        *_pass(scope, "answer", ("ingress", "tcp", ASKED_FROM), (ANYWHERE,), "answers to what hosts asked for"),
        *_pass(scope, "service", ("ingress", "udp", ASKED_FROM), (SERVICES,), "answers of resolvers and clocks"),
        *_pass(scope, "inside", ("egress", "all", "-1/-1"), (scope.region.cidr,), "between switches of this VPC"),
        *_pass(scope, "peer", ("egress", "all", "-1/-1"), scope.peers, "joined networks"),
        *_pass(scope, "service", ("egress", "all", "-1/-1"), (SERVICES,), "the cloud's own services"),
        *_pass(scope, "https", ("egress", "tcp", "443/443"), (ANYWHERE,), "packages and APIs"),
        *_pass(scope, "answer", ("egress", "tcp", ANSWERED), (ANYWHERE,), "answers to clients"),
    )


def _balancer(scope: Scope, word: str, port: int) -> tuple[PlannedAclEntry, ...]:
    """Balancers look at hosts, and may speak to them, from the range of the cloud's services (its FAQ on NLB)."""
    sources = (SERVICES,) if scope.has_balancer else ()
    return _pass(scope, word, ("ingress", "tcp", f"{port}/{port}"), sources, f"{word} of hosts, from the balancer")


def _outside(scope: Scope) -> tuple[str, ...]:
    """Clients that no earlier entry lets in."""
    return tuple(cidr for cidr in scope.clients if cidr != scope.region.cidr and cidr not in scope.peers)


def _pass(
    scope: Scope,
    what: str,
    traffic: tuple[Literal["ingress", "egress"], Literal["tcp", "udp", "all"], str],
    cidrs: tuple[str, ...],
    description: str,
) -> tuple[PlannedAclEntry, ...]:
    direction, protocol, ports = traffic
    return tuple(
        PlannedAclEntry(
            name=scope.thing("acl", direction, what, cidr.replace(".", "-").replace("/", "-")),
            direction=direction,
            action="accept",
            protocol=protocol,
            ports=ports,
            cidr=cidr,
            description=description,
        )
        for cidr in cidrs
    )
