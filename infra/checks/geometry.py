"""Checks on shape and place. Each is a pure function: Plan -> findings, none when the check passes."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator

from infra.blueprint.plan import Plan

# What pyeclib's code and the record format are tested for (the server has the same bounds, and says so at its start).
MIN_K, MAX_K, MIN_M, MAX_M = 2, 12, 1, 4
LAST_PRIVILEGED_PORT = 1023


def profile_supported(plan: Plan) -> Iterator[str]:
    """k+m lies within 2+1 to 12+4."""
    k, m = plan.profile.k, plan.profile.m
    if not (MIN_K <= k <= MAX_K and MIN_M <= m <= MAX_M):
        yield f"profile {k}+{m}: k goes from {MIN_K} to {MAX_K}, m from {MIN_M} to {MAX_M}"


def drives_cover_profile(plan: Plan) -> Iterator[str]:
    """Every fragment of a chunk has a drive of its own."""
    drives = sum(len(host.drives) for host in plan.hosts)
    need = plan.profile.k + plan.profile.m
    if drives < need:
        yield f"{drives} drives for profile {plan.profile.k}+{plan.profile.m}: add {need - drives} or lower k or m"


def domain_loss_survived(plan: Plan) -> Iterator[str]:
    """No failure domain need hold more than m fragments of a chunk, so that losing any one loses nothing."""
    m, need = plan.profile.m, plan.profile.k + plan.profile.m
    domains = Counter(drive.domain for host in plan.hosts for drive in host.drives)
    room = sum(min(count, m) for count in domains.values())
    if room < need:
        yield (
            f"with at most {m} of {need} fragments in one {plan.survive}, {len(domains)} of them take {room}: "
            f"add a {plan.survive}, raise m, or survive less"
        )


def ports_usable(plan: Plan) -> Iterator[str]:
    """The server, which is no root process, can bind every port, and no two listeners meet."""
    for host in plan.hosts:
        if host.port <= LAST_PRIVILEGED_PORT:
            yield f"{host.name}: port {host.port} is for root alone: choose one above {LAST_PRIVILEGED_PORT}"
    # Hosts of one address are one machine.
    listeners = Counter((host.address, host.port) for host in plan.hosts)
    for (address, port), count in listeners.items():
        if count > 1:
            yield f"{count} hosts listen on {address} port {port}"


def plain_http_stays_home(plan: Plan) -> Iterator[str]:
    """Without TLS, credentials and data go only over loopback."""
    for host in plan.hosts:
        try:
            home = ipaddress.ip_address(host.address).is_loopback
        except ValueError:
            yield f"{host.name}: address {host.address!r} is no IP address"
            continue
        if not home:
            yield f"{host.name}: listens on {host.address} without TLS: use 127.0.0.1 or waive this check"
