"""What a blueprint is, in tables: its defaults, its sizes, its secrets, what `destroy` leaves. Pure; Markdown.

A page keeps its words and has these tables between `<!-- generated: KIND NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, get_args

from infra.blueprint.choose import usable_tib
from infra.blueprint.expand import expand
from infra.blueprint.model import Blueprint
from infra.blueprint.plan import Plan, PlannedHost
from infra.blueprint.sizes import resolve
from infra.blueprint.values import Size

_GIB: Final = 1024
_SECTION: Final = re.compile(r"(<!-- generated: (\w+) ?([\w-]*) -->\n).*?(\n<!-- end -->)", re.DOTALL)
_KEYS: Final = {
    "service": "the cloud's own (`service`)",
    "default-cmk": "the region's default key (`default-cmk`)",
    "instance": "keys of your own in a KMS instance (`instance`)",
}


def filled(page: str, blueprints: Mapping[str, Blueprint]) -> str:
    """The page with every generated section made anew. Raises: KeyError for a kind or blueprint that is not there."""

    told = [name for kind, name in sections(page) if kind == "settings"]  # in the order of the page

    def section(found: re.Match[str]) -> str:
        begin, kind, name, end = found.groups()
        shown = (blueprints[each] for each in told)
        return f"{begin}{overview(shown) if kind == 'overview' else _KINDS[kind](blueprints[name])}{end}"

    return _SECTION.sub(section, page)


def sections(page: str) -> tuple[tuple[str, str], ...]:
    """(kind, blueprint) of each generated section."""
    return tuple((kind, name) for _, kind, name, _ in _SECTION.findall(page))


def overview(blueprints: Iterable[Blueprint]) -> str:
    """One row a blueprint, as it is shipped."""
    rows = []
    for blueprint in blueprints:
        plan = expand(blueprint)
        rows.append(
            (
                f"[`{blueprint.blueprint}`](#{blueprint.blueprint})",
                f"{plan.profile.k}+{plan.profile.m}",
                f"a {plan.survive}",
                _machines(plan.hosts),
                ", ".join(f"{region.name} ({region.role})" for region in plan.regions) or "none",
                blueprint.size if plan.regions else "–",
            )
        )
    return _table(("blueprint", "profile", "may be lost", "machines", "regions", "size"), rows)


def settings(blueprint: Blueprint) -> str:
    """What stands in the blueprint, or in the tables behind it."""
    plan, known = expand(blueprint), resolve(blueprint)
    rows = [("profile", f"{plan.profile.k}+{plan.profile.m}, chunks to {plan.profile.chunk_bytes // _GIB**2} MiB")]
    rows.append(("may be lost", f"a {plan.survive}"))
    for region in plan.regions:
        zones = sorted({switch.zone for switch in region.network.switches})
        rows.append((f"region {region.name}", f"{region.role}; {region.network.cidr}; zones {', '.join(zones)}"))
    rows += [("machines that are there", _machines(host for host in plan.hosts if host.machine is None))]
    rows += _entrance(known, plan)
    rows += _beside(known, plan) if plan.regions else []
    return _table(("setting", "default"), [row for row in rows if row[1]])


def sizes(blueprint: Blueprint) -> str:
    """What S, M and L change, in each region that has hosts; the shipped size is marked."""
    names: tuple[Size, ...] = get_args(Size)
    found = [_size(blueprint.model_copy(update={"size": size})) for size in names]
    rows = [(what, *(size[what] for size in found)) for what in found[0] if any(size[what] for size in found)]
    return _table(("", *(f"**{name}** (shipped)" if name == blueprint.size else name for name in names)), rows)


def secrets(blueprint: Blueprint) -> str:
    """What `init` makes, and what it asks for."""
    plan = expand(blueprint)
    rows = []
    for secret in plan.secrets:
        origin = "made by `init`" if secret.generated else f"yours: `init --secret {secret.name}=FILE`"
        parts = [_part(plan, stack) for stack in sorted({*secret.stacks, *secret.kept_in})]
        rows.append((f"`{secret.name}`", secret.purpose, origin, ", ".join(parts)))
    return _table(("secret", "is", "comes from", "kept in the stack of"), rows)


def _part(plan: Plan, stack: str) -> str:
    return stack.removeprefix(f"{plan.name}-{plan.environment}-")


def left(blueprint: Blueprint) -> str:
    """What `destroy` leaves of it where `protect` holds."""
    plan = expand(blueprint.model_copy(update={"environment": "prod"}))
    found = []
    for region in plan.regions:
        storage = [host for host in plan.hosts if host.region == region.name and host.machine and host.drives]
        drives = sum(len(host.drives) for host in storage)
        parts = [_count(drives, "disk")] if storage else []
        parts += [_count(len(region.buckets), "bucket")]
        parts += ["the database"] if region.database is not None else []
        parts += ["the balancer"] if region.balancer is not None else []
        parts += ["the scaling group"] if region.compute is not None and region.compute.scaling is not None else []
        parts += ["the keys"] if region.keys.mode == "instance" else []
        found.append(f"- {region.name}: {', '.join(parts)}.")
    return "\n".join(found)


def _entrance(known: Blueprint, plan: Plan) -> list[tuple[str, str]]:
    if not plan.regions:
        return [("listens on", f"{known.address}:{known.port}, {known.workers} workers")]
    balancer = known.balancer
    reach = "reachable from the Internet" if balancer.public else "reachable from your networks alone"
    entrance = f"{balancer.kind}, port {balancer.port}, {reach}; health on {balancer.health_port}"
    kept = any(host.machine is not None for host in plan.hosts)
    gateways = f"a scaling group of {known.gateways.min} to {known.gateways.max}" if known.gateways.scaling else ""
    return [
        ("balancer", ("none" if balancer.kind == "none" else entrance) if kept else ""),
        ("gateways", gateways or (f"{known.gateways.per_zone} a zone" if known.gateways.per_zone else "")),
        ("clients", ", ".join(known.network.client_cidrs) or ("the region's own range" if kept else "")),
    ]


def _beside(known: Blueprint, plan: Plan) -> list[tuple[str, str]]:
    ages = [(known.tier.ia_days, "infrequent access"), (known.tier.archive_days, "archive")]
    cold = ", ".join(f"to {where} after {days} days" for days, where in ages if days is not None)
    index = f"PostgreSQL {known.database.version} in two zones" if known.database.enabled else "on the host"
    link = f"{known.interconnect.kind}, {known.interconnect.bandwidth_mbps} Mbps"
    dns, cdn = known.dns, known.cdn
    return [
        ("index", index if any(region.compute is not None for region in plan.regions) else ""),
        ("tier bucket", cold if known.tier.enabled else "none"),
        ("keys", _KEYS[known.keys.mode]),
        ("way to OSS", "a gateway endpoint" if known.network.oss_endpoint else "over the NAT gateway"),
        ("joined by", link if known.interconnect.kind != "none" else ""),
        ("name", f"{dns.record}.{dns.domain}, TTL {dns.ttl_s} s" if dns is not None else ""),
        ("edge", f"{cdn.domain}, {cdn.scope}, kept for {cdn.ttl_s} s" if cdn is not None else ""),
    ]


def _size(blueprint: Blueprint) -> dict[str, str]:
    plan, known = expand(blueprint), resolve(blueprint)
    region = next((found for found in plan.regions if found.compute is not None), None)
    mine = [host for host in plan.hosts if region is not None and host.region == region.name and host.machine]
    storage, gateways = [host for host in mine if host.drives], [host for host in mine if not host.drives]
    drives = sum(len(host.drives) for host in storage)
    gib = known.storage.drive_gib
    usable = usable_tib(drives=drives, drive_gib=gib, k=known.k, m=known.m)
    database = region.database if region is not None else None
    scaling = region.compute.scaling if region is not None and region.compute is not None else None
    return {
        "storage hosts": _typed(storage),
        "disks": f"{drives} × {gib} GiB" if drives else "",
        "room for data": f"{usable:.1f} TiB" if drives else "",
        "gateways": (
            f"{scaling.min} to {scaling.max} × {scaling.machine.instance_type}" if scaling else _typed(gateways)
        ),
        "workers a host": str(known.workers),
        "way out (NAT)": f"{known.network.nat_bandwidth_mbps} Mbps",
        "link": f"{known.interconnect.bandwidth_mbps} Mbps" if known.interconnect.kind != "none" else "",
        "database": f"{database.instance_type}, {database.storage_gib} GiB" if database is not None else "",
    }


def _typed(hosts: list[PlannedHost]) -> str:
    types = sorted({host.machine.instance_type for host in hosts if host.machine is not None})
    return f"{len(hosts)} × {', '.join(types)}" if hosts else ""


def _machines(hosts: Iterable[PlannedHost]) -> str:
    """`6 hosts with 36 drives, 3 gateways`."""
    found = list(hosts)
    storage = [host for host in found if host.drives]
    parts = [f"{_count(len(storage), 'host')} with {_count(sum(len(host.drives) for host in storage), 'drive')}"]
    if len(found) > len(storage):
        parts.append(_count(len(found) - len(storage), "gateway"))
    return ", ".join(parts) if found else ""


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _table(heading: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    lines = [heading, tuple("---" for _ in heading), *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)


_KINDS: Final[dict[str, Callable[[Blueprint], str]]] = {
    "settings": settings, "sizes": sizes, "secrets": secrets, "left": left,
}  # fmt: skip
