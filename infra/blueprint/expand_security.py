"""Security groups of a region: what is not described here is dropped (P5). Pure.

A rule's priority: 1 for what may pass, 100 for the drop behind it. A balancer's group lets everything in that no rule
names, so there the drop is what makes the allows mean anything; the other groups say it too, for the way out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from infra.blueprint.cloud import PlannedRule, PlannedSecurityGroup
from infra.blueprint.scope import ANYWHERE, SERVICES, Scope

LAST: Final = 100
Purpose = Literal["storage", "gateway", "balancer", "database"]
Protocol = Literal["tcp", "udp", "icmp", "all"]
DATABASE_PORT: Final = 5432


@dataclass(frozen=True)
class _Peer:
    """The other end of a rule: a word for its name, and a range or a group."""

    word: str
    cidr: str | None = None
    group: str | None = None


def group_name(scope: Scope, purpose: Purpose) -> str:
    return scope.thing("sg", purpose)


def security_groups(scope: Scope) -> tuple[PlannedSecurityGroup, ...]:
    if not scope.holds_store:
        return ()
    groups = [_storage(scope)]
    if scope.has_gateways:
        groups.append(_gateway(scope))
    if scope.has_balancer and not scope.shows_clients:  # a CLB takes no group
        groups.append(_balancer(scope))
    if scope.blueprint.database.enabled:
        groups.append(_database(scope))
    return tuple(sorted(groups, key=lambda group: group.name))


def _storage(scope: Scope) -> PlannedSecurityGroup:
    port, name = scope.blueprint.port, group_name(scope, "storage")
    own = _Peer("storage", group=group_name(scope, "storage"))
    peers = [own]
    entrance = () if scope.has_gateways else _entrance(scope, "storage")
    if scope.has_gateways:
        peers.append(_Peer("gateway", group=group_name(scope, "gateway")))
    return PlannedSecurityGroup(
        name=group_name(scope, "storage"),
        purpose="storage",
        description="Hosts that hold drives",
        rules=(
            *(_rule(name, "ingress", peer, ("tcp", port), f"the store, from {peer.word}") for peer in peers),
            *entrance,
            *_ssh(scope, "storage"),
            *_way_out(scope, "storage"),
            _rule(name, "egress", own, ("tcp", port), "the store, to other storage hosts"),
            *_to_database(scope, "storage"),
            *_drop_rest(scope, "storage"),
        ),
    )


def _gateway(scope: Scope) -> PlannedSecurityGroup:
    storage = _Peer("storage", group=group_name(scope, "storage"))
    port, name = scope.blueprint.port, group_name(scope, "gateway")
    return PlannedSecurityGroup(
        name=name,
        purpose="gateway",
        description="Hosts that speak to clients and hold no drives",
        rules=(
            *_entrance(scope, "gateway"),
            *_ssh(scope, "gateway"),
            *_way_out(scope, "gateway"),
            _rule(name, "egress", storage, ("tcp", port), "the store, to storage hosts"),
            *_to_database(scope, "gateway"),
            *_drop_rest(scope, "gateway"),
        ),
    )


def _balancer(scope: Scope) -> PlannedSecurityGroup:
    knobs = scope.blueprint.balancer
    ranges = (*scope.host_ranges(), *(scope.shared_ranges() if scope.blueprint.gateways.scaling else ()))
    return PlannedSecurityGroup(
        name=group_name(scope, "balancer"),
        purpose="balancer",
        description="The one address of the region",
        rules=(
            *(
                _rule(group_name(scope, "balancer"), "ingress", _range("client", cidr), ("tcp", knobs.port), "clients")
                for cidr in scope.clients
            ),
            *(
                _rule(group_name(scope, "balancer"), "egress", _range(word, cidr), ("tcp", port), f"{word} of hosts")
                for cidr in ranges
                for word, port in (("store", scope.blueprint.port), ("health", knobs.health_port))
            ),
            *_drop_rest(scope, "balancer"),
        ),
    )


def _database(scope: Scope) -> PlannedSecurityGroup:
    sources: tuple[Purpose, ...] = ("storage", "gateway") if scope.has_gateways else ("storage",)
    return PlannedSecurityGroup(
        name=group_name(scope, "database"),
        purpose="database",
        description="PostgreSQL of the index",
        rules=tuple(
            _rule(
                group_name(scope, "database"),
                "ingress",
                _Peer(source, group=group_name(scope, source)),
                ("tcp", DATABASE_PORT),
                f"the index, from {source}",
            )
            for source in sources
        ),
    )


def _entrance(scope: Scope, purpose: Purpose) -> tuple[PlannedRule, ...]:
    """Where clients come in: through the balancer, whose addresses are in the shared switches, or themselves.

    A CLB looks at hosts from the range of the cloud's own services, and clients come with their own addresses.
    """
    port, health, name = scope.blueprint.port, scope.blueprint.balancer.health_port, group_name(scope, purpose)
    open_to = () if scope.has_balancer and not scope.shows_clients else scope.clients
    looks_from = (SERVICES,) if scope.shows_clients else scope.shared_ranges() if scope.has_balancer else ()
    return (
        *(_rule(name, "ingress", _range("client", cidr), ("tcp", port), "clients") for cidr in open_to),
        *(
            _rule(name, "ingress", _range(f"balancer-{word}", cidr), ("tcp", number), f"{word}, from the balancer")
            for cidr in looks_from
            for word, number in (("store", port), ("health", health))
        ),
    )


def _ssh(scope: Scope, purpose: Purpose) -> tuple[PlannedRule, ...]:
    return tuple(
        _rule(group_name(scope, purpose), "ingress", _range("admin", cidr), ("tcp", 22), "ssh of administrators")
        for cidr in sorted(scope.blueprint.network.admin_cidrs)
    )


def _way_out(scope: Scope, purpose: Purpose) -> tuple[PlannedRule, ...]:
    name = group_name(scope, purpose)
    return (
        _rule(name, "egress", _range("services", SERVICES), ("all", None), "the cloud's resolvers, time, OSS"),
        _rule(name, "egress", _range("https", ANYWHERE), ("tcp", 443), "packages and APIs"),
    )


def _to_database(scope: Scope, purpose: Purpose) -> tuple[PlannedRule, ...]:
    if not scope.blueprint.database.enabled:
        return ()
    return tuple(
        _rule(group_name(scope, purpose), "egress", _range("database", cidr), ("tcp", DATABASE_PORT), "the index")
        for cidr in scope.shared_ranges()
    )


def _drop_rest(scope: Scope, purpose: Purpose) -> tuple[PlannedRule, ...]:
    return tuple(
        PlannedRule(
            name=f"{group_name(scope, purpose)}-{direction}-rest",
            direction=direction,
            action="drop",
            protocol="all",
            ports="-1/-1",
            cidr=ANYWHERE,
            priority=LAST,
            description="whatever no rule names",
        )
        for direction in _DIRECTIONS
    )


_DIRECTIONS: Final[tuple[Literal["ingress", "egress"], ...]] = ("ingress", "egress")


def _range(word: str, cidr: str) -> _Peer:
    return _Peer(f"{word}-{cidr.replace('.', '-').replace('/', '-')}", cidr=cidr)


def _rule(
    group: str,
    direction: Literal["ingress", "egress"],
    peer: _Peer,
    traffic: tuple[Protocol, int | None],
    description: str,
) -> PlannedRule:
    return PlannedRule(
        name=f"{group}-{direction}-{peer.word}",
        direction=direction,
        action="accept",
        protocol=traffic[0],
        ports="-1/-1" if traffic[1] is None else f"{traffic[1]}/{traffic[1]}",
        cidr=peer.cidr,
        group=peer.group,
        description=description,
    )
