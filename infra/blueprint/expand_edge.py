"""What clients meet: the balancer of a region, the store's name, the edge. Pure."""

from __future__ import annotations

from typing import Literal

from infra import naming
from infra.blueprint.cloud import (
    FromOutput,
    Known,
    PlannedBalancer,
    PlannedCacheRule,
    PlannedCdn,
    PlannedDatabase,
    PlannedDns,
    PlannedListener,
    PlannedLogStore,
    PlannedRecord,
    PlannedTrafficManager,
)
from infra.blueprint.expand_hosts import entrances
from infra.blueprint.expand_security import group_name
from infra.blueprint.model import Blueprint
from infra.blueprint.scope import Scope
from infra.blueprint.sizes import DATABASES

HEALTH_PATH = "/health/ready"


def balancer(scope: Scope) -> PlannedBalancer | None:
    knobs = scope.blueprint.balancer
    if not scope.has_balancer or knobs.kind == "none":
        return None
    return PlannedBalancer(
        kind=knobs.kind,
        name=scope.thing("balancer"),
        public=knobs.public,
        switches=tuple(scope.switch(zone, "shared") for zone in scope.zones),
        security_group=None if scope.shows_clients else group_name(scope, "balancer"),
        listener=PlannedListener(
            name=scope.thing("listener"),
            port=knobs.port,
            target_port=scope.blueprint.port,
            health_port=knobs.health_port,
            health_path=HEALTH_PATH,
        ),
        targets=entrances(scope),
        certificate=knobs.certificate if knobs.kind == "alb" else None,
        # NLB has no access log of its own: the server's stands in.
        log=scope.log_store("balancer") if knobs.kind == "alb" else None,
        idle_timeout_s=knobs.idle_timeout_s,
    )


def database(scope: Scope) -> PlannedDatabase | None:
    knobs = scope.blueprint.database
    if not knobs.enabled or not scope.holds_store:
        return None
    first, second = scope.home
    return PlannedDatabase(
        name=scope.thing("index"),
        version=knobs.version,
        instance_type=knobs.instance_type or DATABASES[scope.blueprint.size],
        storage_gib=knobs.storage_gib,
        zones=scope.home,
        switches=(scope.switch(first, "shared"), scope.switch(second, "shared")),
        allowed_cidrs=(*scope.host_ranges(), *(scope.shared_ranges() if scope.blueprint.gateways.scaling else ())),
        database="kakera",
        account="kakera",
        secret=naming.DATABASE_SECRET,
        backup_days=knobs.backup_days,
    )


def dns(blueprint: Blueprint, *, stack: str, entrances: tuple[str, ...]) -> PlannedDns | None:
    """`entrances`: regions that have a balancer; the name follows the active one."""
    knobs = blueprint.dns
    if knobs is None:
        return None

    def record(label: str, word: str, target: tuple[Literal["A", "CNAME"], Known]) -> PlannedRecord:
        name = naming.thing(stack, "record", word)
        return PlannedRecord(name=name, record=label, type=target[0], value=target[1], ttl_s=knobs.ttl_s)

    records = [record(f"{knobs.record}-{region}", region, _entrance(blueprint, region)) for region in entrances]
    traffic = _traffic(blueprint, stack, entrances) if knobs.traffic_manager and entrances else None
    if blueprint.active in entrances:
        lead = _entrance(blueprint, str(blueprint.active))
        store = ("CNAME", f"{traffic.name}.{knobs.domain}") if traffic else lead
        records += [record(knobs.record, "store", store), record(f"*.{knobs.record}", "buckets", store)]
    records += _edge_record(blueprint, stack)
    if not records:
        return None
    ordered = tuple(sorted(records, key=lambda found: found.name))
    return PlannedDns(domain=knobs.domain, records=ordered, traffic_manager=traffic)


def _entrance(blueprint: Blueprint, region: str) -> tuple[Literal["A", "CNAME"], Known]:
    """What leads to a region's balancer: a CLB has an address, the others a name."""
    value = FromOutput(from_output="balancer_address", region=region)
    return ("A" if blueprint.balancer.kind == "clb" else "CNAME"), value


def _traffic(blueprint: Blueprint, stack: str, entrances: tuple[str, ...]) -> PlannedTrafficManager:
    """The region that takes writes comes first: clients are elsewhere only while it does not answer."""
    assert blueprint.dns is not None
    ordered = sorted(entrances, key=lambda region: (region != blueprint.active, region))
    return PlannedTrafficManager(
        name=naming.thing(stack, "traffic"),
        pools=tuple((region, _entrance(blueprint, region)[1]) for region in ordered),
        port=blueprint.balancer.port,
        serves=f"{blueprint.dns.record}.{blueprint.dns.domain}",
    )


def _edge_record(blueprint: Blueprint, stack: str) -> list[PlannedRecord]:
    """The readers' name, when it lies in the domain that is served."""
    if blueprint.cdn is None or blueprint.dns is None or not blueprint.cdn.domain.endswith(f".{blueprint.dns.domain}"):
        return []
    return [
        PlannedRecord(
            name=naming.thing(stack, "record", "edge"),
            record=blueprint.cdn.domain.removesuffix(f".{blueprint.dns.domain}"),
            type="CNAME",
            value=FromOutput(from_output="cdn_cname"),
            ttl_s=blueprint.dns.ttl_s,
        )
    ]


def cdn(blueprint: Blueprint, *, stack: str, origin: str) -> PlannedCdn | None:
    """`origin`: the region whose balancer it reads from."""
    knobs = blueprint.cdn
    if knobs is None:
        return None
    log = PlannedLogStore(
        project=naming.thing(stack, "logs"), store="edge", retention_days=blueprint.network.log_days
    )
    return PlannedCdn(
        domain=knobs.domain,
        origin=FromOutput(from_output="balancer_address", region=origin),
        origin_type="ipaddr" if blueprint.balancer.kind == "clb" else "domain",
        origin_port=blueprint.balancer.port,
        scope=knobs.scope,
        cache=(PlannedCacheRule(name=naming.thing(stack, "cache", "all"), path="/", ttl_s=knobs.ttl_s),),
        certificate=knobs.certificate,
        log=log if knobs.log else None,
    )
