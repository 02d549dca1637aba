"""Blueprint -> Plan. Pure: no clock, no environment, no I/O; the same blueprint gives the same bytes.

Adding a drive, a host, a zone, a region or an account changes nothing about those that exist (P2): every name, path
and address follows from the thing's own name and number. The planners of each topic stand beside this file.
"""

from __future__ import annotations

from infra import naming
from infra.blueprint import (
    expand_buckets,
    expand_edge,
    expand_hosts,
    expand_identity,
    expand_joins,
    expand_network,
    expand_security,
)
from infra.blueprint.cloud import PlannedRegion
from infra.blueprint.model import Blueprint
from infra.blueprint.plan import (
    Plan,
    PlannedAccount,
    PlannedCeiling,
    PlannedHost,
    PlannedSecret,
    PlannedWaiver,
    Profile,
)
from infra.blueprint.scope import Scope
from infra.blueprint.sizes import resolve


def override(blueprint: Blueprint, *, port: int | None = None, workers: int | None = None) -> Blueprint:
    """The blueprint with what the command line says instead; None leaves a field as it is.

    Raises: pydantic.ValidationError when a value is out of its range.
    """
    changes = {name: value for name, value in (("port", port), ("workers", workers)) if value is not None}
    return Blueprint.model_validate({**blueprint.model_dump(exclude_unset=True), **changes})


def expand(blueprint: Blueprint) -> Plan:
    blueprint = _with_active(resolve(blueprint))
    scopes = tuple(Scope(blueprint, spec) for spec in sorted(blueprint.regions, key=lambda spec: spec.name))
    regions = tuple(_region(scope) for scope in scopes)
    hosts = _hosts(blueprint, scopes)
    return Plan(
        blueprint=blueprint.blueprint,
        summary=blueprint.summary,
        name=blueprint.name,
        environment=blueprint.environment,
        region=_signature_region(blueprint),
        active=blueprint.active or "",
        base_domains=_base_domains(blueprint),
        survive=blueprint.survive,
        profile=Profile(k=blueprint.k, m=blueprint.m, chunk_bytes=blueprint.chunk_bytes),
        hosts=hosts,
        # The order of accounts is the architect's: the first is the one `up` greets with.
        accounts=tuple(
            PlannedAccount(name=name, credentials_path=naming.credentials_file(name)) for name in blueprint.accounts
        ),
        allow_purchase=blueprint.allow_purchase,
        max_monthly=PlannedCeiling(**blueprint.max_monthly.model_dump()) if blueprint.max_monthly else None,
        waivers=tuple(
            PlannedWaiver(check=waiver.check, reason=waiver.reason, until=waiver.until)
            for waiver in sorted(blueprint.waivers, key=lambda waiver: waiver.check)
        ),
        secrets=_secrets(blueprint, hosts, regions),
        regions=regions,
        joint=expand_joins.joint(blueprint, tags=_tags(blueprint, naming.GLOBAL)) if regions else None,
    )


def _with_active(blueprint: Blueprint) -> Blueprint:
    if blueprint.active is not None:
        return blueprint
    return blueprint.model_copy(update={"active": expand_joins.primary(blueprint)})


def _signature_region(blueprint: Blueprint) -> str:
    """Clients sign with it, so a failover does not change it."""
    if "region" in blueprint.model_fields_set or not blueprint.regions:
        return blueprint.region
    return expand_joins.primary(blueprint) or blueprint.regions[0].name


def _base_domains(blueprint: Blueprint) -> tuple[str, ...]:
    if "base_domains" in blueprint.model_fields_set or not blueprint.regions:
        return blueprint.base_domains
    return (f"{blueprint.dns.record}.{blueprint.dns.domain}",) if blueprint.dns else ()


def _hosts(blueprint: Blueprint, scopes: tuple[Scope, ...]) -> tuple[PlannedHost, ...]:
    found = [expand_hosts.there(blueprint, spec) for spec in blueprint.hosts]
    found += [host for scope in scopes for host in expand_hosts.hosts(scope)]
    return tuple(sorted(found, key=lambda host: host.name))


def _region(scope: Scope) -> PlannedRegion:
    planned = PlannedRegion(
        name=scope.region.name,
        role=scope.region.role,
        stack=scope.stack,
        tags=_tags(scope.blueprint, scope.region.name),
        log_project=scope.logs,
        network=expand_network.network(scope),
        security_groups=expand_security.security_groups(scope),
        identity=expand_identity.identity(scope, copies_to=expand_joins.copies_to(scope)),
        keys=expand_identity.keys(scope),
        buckets=expand_buckets.buckets(scope),
        compute=expand_hosts.compute(scope),
        balancer=expand_edge.balancer(scope),
        vpn=expand_joins.vpn(scope),
        oss_path=expand_buckets.oss_path(scope),
        database=expand_edge.database(scope),
        outputs=(),
        protect=scope.blueprint.protect,
    )
    return planned.model_copy(update={"outputs": _outputs(planned)})


def _outputs(region: PlannedRegion) -> tuple[str, ...]:
    """Exactly what the slices of a region produce."""
    made: dict[str, object] = {
        "mode": True,
        "vpc_id": True,
        "switch_ids": True,
        "route_table_id": True,
        "nat_address": region.network.nat,
        "security_group_ids": region.security_groups,
        "key_id": region.keys.mode != "service",
        "key_arn": region.keys.mode != "service",
        "bucket_endpoints": region.buckets,
        "host_ids": region.compute,
        "host_addresses": region.compute,
        "disk_ids": region.compute and region.compute.snapshots,  # of disks of the cloud, which have them
        "scaling_group_id": region.compute and region.compute.scaling,
        "balancer_id": region.balancer,
        "balancer_address": region.balancer,
        "database_address": region.database,
        "vpn_address": region.vpn,
        "vpn_standby_address": region.vpn,
    }
    return tuple(sorted(name for name, source in made.items() if source))


def _tags(blueprint: Blueprint, part: str) -> dict[str, str]:
    """The framework's own come last: an architect's never replace them."""
    own = {
        "kakera:blueprint": blueprint.blueprint,
        "kakera:environment": blueprint.environment,
        "kakera:name": blueprint.name,
        "kakera:part": part,
    }
    return dict(sorted({**blueprint.tags, **own}.items()))


def _secrets(
    blueprint: Blueprint, hosts: tuple[PlannedHost, ...], regions: tuple[PlannedRegion, ...]
) -> tuple[PlannedSecret, ...]:
    """What stacks must have, generated or given. A laptop keeps its credentials with its data."""
    everywhere = tuple(region.stack for region in regions)
    found = [
        PlannedSecret(
            name=naming.account_secret(account, half), purpose=f"{half} of account {account}", stacks=everywhere
        )
        for account in blueprint.accounts
        for half in ("access-key-id", "secret-access-key")
    ]
    if stacks := tuple(region.stack for region in regions if region.database):
        found.append(PlannedSecret(name=naming.DATABASE_SECRET, purpose="password of the index", stacks=stacks))
    for region in regions:
        for tunnel in region.vpn.tunnels if region.vpn else ():
            purpose = f"pre-shared key of the {tunnel.role} tunnel"
            found.append(PlannedSecret(name=tunnel.secret, purpose=purpose, stacks=(region.stack,)))
    found += _tls_secrets(hosts, regions)
    return tuple(sorted(found, key=lambda secret: secret.name)) if regions else ()


def _tls_secrets(hosts: tuple[PlannedHost, ...], regions: tuple[PlannedRegion, ...]) -> list[PlannedSecret]:
    """Hosts end TLS; nobody but the architect can say who signs for their name. A scaling group's hosts are given both
    by the stack, fixed ones by whoever configures them."""
    speaking = {host.region for host in hosts if host.tls}
    needed = tuple(region.stack for region in regions if region.compute and region.compute.scaling)
    kept = tuple(region.stack for region in regions if region.name in speaking and region.stack not in needed)
    if not needed and not kept:
        return []
    purposes = {
        naming.TLS_CERTIFICATE_SECRET: "certificate of the hosts and those that signed it, PEM",
        naming.TLS_KEY_SECRET: "key of the hosts' certificate, PEM",
    }
    return [
        PlannedSecret(name=name, purpose=purpose, stacks=needed, kept_in=kept, generated=False)
        for name, purpose in purposes.items()
    ]
