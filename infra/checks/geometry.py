"""Checks on shape and place. Each is a pure function: Plan -> findings, none when the check passes.

Hosts of one `store` hold their fragments together; every store is judged alone.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator

from infra.blueprint.plan import Plan, PlannedHost
from infra.checks.outcome import Finding, Where

# What pyeclib's code and the record format are tested for (the server has the same bounds, and says so at its start).
MIN_K, MAX_K, MIN_M, MAX_M = 2, 12, 1, 4
LAST_PRIVILEGED_PORT = 1023


def profile_supported(plan: Plan) -> Iterator[Finding]:
    """k+m lies within 2+1 to 12+4."""
    k, m = plan.profile.k, plan.profile.m
    if not (MIN_K <= k <= MAX_K and MIN_M <= m <= MAX_M):
        where: Where = ("k",) if not MIN_K <= k <= MAX_K else ("m",)
        yield Finding(f"profile {k}+{m}: k goes from {MIN_K} to {MAX_K}, m from {MIN_M} to {MAX_M}", where)


def drives_cover_profile(plan: Plan) -> Iterator[Finding]:
    """Every fragment of a chunk has a drive of its own."""
    need = plan.profile.k + plan.profile.m
    for hosts in stores(plan):
        drives = sum(len(host.drives) for host in hosts)
        if drives < need:
            text = f"{drives} drives for profile {plan.profile.k}+{plan.profile.m}: "
            yield Finding(f"{named(plan, hosts)}{text}add {need - drives} or lower k or m", _drives_place(hosts))


def domain_loss_survived(plan: Plan) -> Iterator[Finding]:
    """No failure domain need hold more than m fragments of a chunk, so that losing any one loses nothing."""
    m, need = plan.profile.m, plan.profile.k + plan.profile.m
    for hosts in stores(plan):
        domains = by_domain(hosts)
        room = sum(min(count, m) for count in domains.values())
        if room < need:
            yield Finding(
                f"{named(plan, hosts)}with at most {m} of {need} fragments in one {plan.survive}, "
                f"{len(domains)} of them take {room}: add a {plan.survive}, raise m, or survive less",
                ("survive",),
            )


def zone_holds_fragments(plan: Plan) -> Iterator[Finding]:
    """Where a zone may be lost, the drives outside of each zone leave it no more than m fragments to hold."""
    m, need = plan.profile.m, plan.profile.k + plan.profile.m
    if plan.survive != "zone":
        return
    for hosts in stores(plan):
        domains = by_domain(hosts)
        drives = sum(domains.values())
        for zone, count in sorted(domains.items()):
            forced = need - (drives - count)
            if count >= forced > m:
                yield Finding(
                    f"{zone} must hold {forced} of {need} fragments, and only {m} may be lost with it: "
                    f"add drives in other zones, or raise m",
                    _zone_place(hosts[0], zone),
                )


def writes_survive_zone(plan: Plan) -> Iterator[Finding]:
    """Where a zone may be lost, what is left still takes writes: k+1 fragments lie outside of each zone (R2)."""
    k, need = plan.profile.k, plan.profile.k + plan.profile.m
    if plan.survive != "zone":
        return
    for hosts in stores(plan):
        most = _most_in_one(by_domain(hosts), need)
        if most is not None and need - most < k + 1:
            yield Finding(
                f"{named(plan, hosts)}a lost zone takes {most} of {need} fragments; the {need - most} left are "
                f"readable, but writes stop below k+1 = {k + 1}: add a zone, raise m, or waive this check",
                ("m",),
            )


def ports_usable(plan: Plan) -> Iterator[Finding]:
    """The server, which is no root process, can bind every port, and no two listeners meet."""
    for host in plan.hosts:
        if host.port <= LAST_PRIVILEGED_PORT:
            text = f"{host.name}: port {host.port} is for root alone: choose one above {LAST_PRIVILEGED_PORT}"
            yield Finding(text, ("port",))
    # Hosts of one address are one machine; hosts of the cloud have addresses of their own, unless zones share a slot,
    # which is said elsewhere.
    listeners = Counter(
        (host.address, host.zone if host.machine else "", port)
        for host in plan.hosts
        for port in (host.port, host.health_port)
        if port
    )
    for (address, _, port), count in listeners.items():
        if count > 1:
            yield Finding(f"{count} listeners on {address} port {port}: give each its own", ("port",))


def plain_http_stays_home(plan: Plan) -> Iterator[Finding]:
    """Without TLS, credentials and data go only over loopback."""
    for host in plan.hosts:
        place: Where = ("hosts", host.name, "address") if plan.regions else ("address",)
        try:
            home = ipaddress.ip_address(host.address).is_loopback
        except ValueError:
            yield Finding(f"{host.name}: address {host.address!r} is no IP address", place)
            continue
        if not home and not host.tls:
            text = f"{host.name}: listens on {host.address} without TLS: use 127.0.0.1 or waive this check"
            yield Finding(text, place)


def stores(plan: Plan) -> list[tuple[PlannedHost, ...]]:
    """Storage hosts, those of one store together, by the store's name."""
    names = sorted({host.store for host in plan.hosts if host.role == "storage"})
    return [tuple(host for host in plan.hosts if host.store == name and host.role == "storage") for name in names]


def by_domain(hosts: tuple[PlannedHost, ...]) -> Counter[str]:
    return Counter(drive.domain for host in hosts for drive in host.drives)


def _most_in_one(domains: Counter[str], need: int) -> int | None:
    """Fragments in the fullest domain when they are spread as evenly as the drives allow; None when they do not fit."""
    for most in range(1, need + 1):
        if sum(min(count, most) for count in domains.values()) >= need:
            return most
    return None


def named(plan: Plan, hosts: tuple[PlannedHost, ...]) -> str:
    """`cn-beijing: ` where there are several stores."""
    return f"{hosts[0].store}: " if len({host.store for host in plan.hosts}) > 1 else ""


def _drives_place(hosts: tuple[PlannedHost, ...]) -> Where:
    return ("storage", "drives_per_host") if hosts[0].machine else ("hosts", hosts[0].name, "drives")


def _zone_place(host: PlannedHost, zone: str) -> Where:
    return ("regions", host.region, "zones", zone) if host.machine else ("hosts", host.name, "zone")
