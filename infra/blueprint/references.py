"""Rules between the sections of one blueprint: what one names, another must hold. Pure; each finding has its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from infra.blueprint.model import Blueprint

REFERENCES: Final = "references"  # the type of the error that carries them
DRAFT: Final = "draft"  # validation context in which they are not asked for
Where = tuple[str | int, ...]


@dataclass(frozen=True)
class Finding:
    """What is wrong, where in the blueprint (keys; an entry of a list by its name or number), and the remedy.

    `unknown`: it cannot be judged from what is known; no failure, and no pass either.
    """

    text: str
    where: Where = ()
    hint: str = ""
    unknown: bool = field(default=False, kw_only=True)


def findings(blueprint: Blueprint) -> Iterator[Finding]:
    yield from _regions(blueprint)
    yield from _joins(blueprint)
    yield from _room(blueprint)
    yield from _keys(blueprint)
    yield from _entrances(blueprint)


def _regions(blueprint: Blueprint) -> Iterator[Finding]:
    names = tuple(spec.name for spec in blueprint.regions)
    takers = tuple(spec.name for spec in blueprint.regions if spec.role != "backup")
    if blueprint.active is not None and blueprint.active not in takers:
        yield Finding(
            f"active: {blueprint.active!r} is no region that holds a store",
            ("active",),
            f"one of: {', '.join(takers)}" if takers else "no region holds a store",
        )
    if blueprint.seat is not None and blueprint.seat not in names:
        hint = f"regions: {', '.join(names) or 'none'}"
        yield Finding(f"seat: there is no region {blueprint.seat!r}", ("seat",), hint)
    for section, mapping in (("network", blueprint.network.existing), ("keys", blueprint.keys.existing)):
        for region in mapping:
            if region not in names:
                yield Finding(
                    f"{section}.existing: there is no region {region!r}",
                    (section, "existing", region),
                    f"regions: {', '.join(names) or 'none'}",
                )


def _joins(blueprint: Blueprint) -> Iterator[Finding]:
    kind = blueprint.interconnect.kind
    if kind == "vpn" and (blueprint.onprem is None or not blueprint.regions):
        yield Finding(
            "interconnect.kind: a VPN needs a region and a machine room",
            ("interconnect", "kind"),
            "add `onprem` with its cidr and gateway_address, or use none",
        )
    if kind == "cen" and len(blueprint.regions) < 2:
        yield Finding(
            "interconnect.kind: CEN joins two regions or more", ("interconnect", "kind"), "add a region, or use none"
        )


def _room(blueprint: Blueprint) -> Iterator[Finding]:
    room = blueprint.onprem
    if room is None:
        return
    if not blueprint.hosts:
        yield Finding("onprem: a machine room without `hosts`", ("onprem",), "list its machines under `hosts`")
    if room.path == "private" and blueprint.interconnect.kind != "vpn":
        yield Finding(
            "onprem.path: a private path to OSS leads through a VPN",
            ("onprem", "path"),
            "set interconnect.kind to vpn, or path to custom-domain",
        )
    if room.path == "custom-domain":
        for field in ("domain", "certificate"):
            if getattr(room, field) is None:
                yield Finding(
                    f"onprem.{field}: missing, which custom-domain needs",
                    ("onprem", "path"),
                    "a name of your own for the bucket, and the certificate for it",
                )
        yield from _served(room.domain, blueprint)


def _served(domain: str | None, blueprint: Blueprint) -> Iterator[Finding]:
    """Records prove that the name of a bucket is yours, and lead to it."""
    zone = blueprint.dns.domain if blueprint.dns else None
    if domain is not None and (zone is None or not domain.endswith(f".{zone}")):
        yield Finding(
            f"onprem.domain: {domain!r} is not in a domain that `dns` serves",
            ("onprem", "domain"),
            "dns.domain: the zone above it; the records that prove and lead are made there",
        )


def _keys(blueprint: Blueprint) -> Iterator[Finding]:
    knobs = blueprint.keys
    if knobs.mode == "default-cmk":
        for spec in blueprint.regions:
            if spec.name not in knobs.existing:
                yield Finding(
                    f"keys.existing: no key for {spec.name}",
                    ("keys", "mode"),
                    "default-cmk adopts a key of each region: give its id",
                )
    if knobs.hsm and knobs.mode != "instance":
        yield Finding("keys.hsm: a hardware module needs mode instance", ("keys", "hsm"), "set mode to instance")


def _entrances(blueprint: Blueprint) -> Iterator[Finding]:
    gateways = blueprint.gateways
    if gateways.min > gateways.max:
        yield Finding(
            f"gateways.min: {gateways.min} is more than max, {gateways.max}", ("gateways", "min"), "min is at most max"
        )
    balancer = blueprint.balancer
    if balancer.kind == "alb" and blueprint.regions and balancer.certificate is None:
        yield Finding(
            "balancer.certificate: missing, and alb ends TLS itself",
            ("balancer", "kind"),
            "give the id of a certificate, or use nlb",
        )
    if blueprint.cdn and (balancer.kind == "none" or not any(s.role == "primary" for s in blueprint.regions)):
        yield Finding("cdn: there is no balancer of a primary region to read from", ("cdn",), "give it one")
    if gateways.scaling and balancer.kind == "none":
        yield Finding(
            "gateways.scaling: without a balancer nothing finds a gateway",
            ("gateways", "scaling"),
            "use a balancer, or fixed gateways",
        )
