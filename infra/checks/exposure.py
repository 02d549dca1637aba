"""Checks on who may reach what, and on what a production environment must not be without. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final

from infra.blueprint.cloud import PlannedBalancer, PlannedRegion, PlannedRule, PlannedSecurityGroup
from infra.blueprint.plan import Plan
from infra.blueprint.scope import SERVICES
from infra.checks.cloud import DISK_ROLE
from infra.checks.outcome import Finding, Where
from infra.checks.ranges import LEAST_PREFIX, is_wide
from infra.subnets import PRIVATE

ANYWHERE: Final = "0.0.0.0/0"
SSH: Final = "22/22"
_KEYS: Final = ("ssh-ed25519 ", "ssh-rsa ", "ecdsa-sha2-nistp256 ", "ecdsa-sha2-nistp384 ", "ecdsa-sha2-nistp521 ")
# RFC 5737 and RFC 2606: what documentation may use, and nothing else.
_EXAMPLE_RANGES: Final = tuple(map(ipaddress.IPv4Network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")))
_EMPTY_FILE: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # its SHA-256: no wheel's
_EXAMPLE_DOMAINS: Final = ("example.com", "example.net", "example.org")


def security_least_exposure(plan: Plan) -> Iterator[Finding]:
    """Only a public balancer's port is open to all; what no rule names is dropped; every rule is described."""
    for region in plan.regions:
        for group in region.security_groups:
            for rule in group.rules:
                yield from _judged(region, group, rule)
            if group.purpose != "database" and not any(_drops_rest(rule) for rule in group.rules):
                yield Finding(f"{group.name}: nothing drops what no rule names")
            if group.purpose == "database" and any(rule.cidr for rule in group.rules):
                yield Finding(f"{group.name}: the database is for groups of hosts, not for ranges")


def _judged(region: PlannedRegion, group: PlannedSecurityGroup, rule: PlannedRule) -> Iterator[Finding]:
    if not rule.description:
        yield Finding(f"{rule.name}: a rule without a description")
    if rule.direction == "egress" or rule.action == "drop" or rule.cidr is None or not is_wide(rule.cidr):
        return
    public = region.balancer if region.balancer and region.balancer.public and group.purpose == "balancer" else None
    if public is None or rule.ports != f"{public.listener.port}/{public.listener.port}":
        place: Where = ("network", "admin_cidrs") if rule.ports == SSH else ("network", "client_cidrs")
        yield Finding(
            f"{rule.name}: {rule.cidr} may reach port {rule.ports.partition('/')[0]} of {group.purpose} hosts",
            place,
            "name the ranges that need it",
        )


def _drops_rest(rule: PlannedRule) -> bool:
    return (rule.direction, rule.action, rule.cidr, rule.protocol) == ("ingress", "drop", ANYWHERE, "all")


def admin_ranges_narrow(plan: Plan) -> Iterator[Finding]:
    """Of the Internet, ssh is open to 256 neighbouring addresses at the most for each range that is named."""
    asked = {
        rule.cidr
        for region in plan.regions
        for group in region.security_groups
        for rule in group.rules
        if rule.cidr and rule.ports == SSH and (rule.direction, rule.action) == ("ingress", "accept")
    }
    for cidr in sorted(asked):
        found = ipaddress.IPv4Network(cidr)
        if found.prefixlen < LEAST_PREFIX and not any(found.subnet_of(private) for private in PRIVATE):
            text = f"{cidr}: {found.num_addresses:,} addresses of the Internet may try ssh"
            yield Finding(text, ("network", "admin_cidrs"), "the addresses of your own way out, or a private range")


def health_port_guarded(plan: Plan) -> Iterator[Finding]:
    """The plain-HTTP health port of hosts is open to the balancer of their region, and to no other range."""
    for region in plan.regions:
        if region.balancer is None:
            continue
        port, sources = region.balancer.listener.health_port, _balancer_ranges(region, region.balancer)
        hosts = [group for group in region.security_groups if group.purpose in ("storage", "gateway")]
        # Clients are sent to gateways where there are any, and the balancer looks at those.
        entrance = next((group for group in hosts if group.purpose == "gateway"), hosts[0] if hosts else None)
        for group in hosts:
            opened = {rule.cidr for rule in group.rules if rule.cidr and _lets_in(rule, port)}
            for cidr in sorted(opened):
                if not any(ipaddress.IPv4Network(cidr).subnet_of(source) for source in sources):
                    yield Finding(f"{group.name}: {cidr} may reach health port {port}", ("balancer", "health_port"))
            unseen = [str(source) for source in sources if str(source) not in opened]
            if group is entrance and unseen:
                text = f"{group.name}: the balancer's {', '.join(unseen)} cannot see health port {port}"
                yield Finding(text, ("balancer", "health_port"))


def _balancer_ranges(region: PlannedRegion, balancer: PlannedBalancer) -> tuple[ipaddress.IPv4Network, ...]:
    """Where its looks and requests come from: its switches; a CLB speaks from the range of the cloud's services."""
    if balancer.kind == "clb":
        return (ipaddress.IPv4Network(SERVICES),)
    return tuple(
        ipaddress.IPv4Network(switch.cidr) for switch in region.network.switches if switch.name in balancer.switches
    )


def _lets_in(rule: PlannedRule, port: int) -> bool:
    if (rule.direction, rule.action) != ("ingress", "accept") or rule.protocol not in ("tcp", "all"):
        return False
    first, _, last = rule.ports.partition("/")
    return rule.ports == "-1/-1" or int(first) <= port <= int(last)


def ssh_key_given(plan: Plan) -> Iterator[Finding]:
    """Hosts of the cloud are made with an ssh key, so that no password is."""
    keys = {region.compute.public_key for region in plan.regions if region.compute}
    for key in keys:
        if not key.startswith(_KEYS):
            text = "no ssh key is given" if not key else "is no ssh public key"
            yield Finding(f"ssh_public_key: {text}", ("ssh_public_key",), "the line in ~/.ssh/id_ed25519.pub")


def placeholders_replaced(plan: Plan) -> Iterator[Finding]:
    """Production uses no value that only documentation may use: example domains, addresses, keys and digests."""
    if plan.environment != "prod":
        return
    for text, where in _values(plan):
        if _is_example(text):
            yield Finding(f"{'.'.join(map(str, where))}: {text!r} is a placeholder", where, "put your own value there")


def _values(plan: Plan) -> Iterator[tuple[str, Where]]:
    for key in sorted({region.compute.public_key for region in plan.regions if region.compute}):
        yield key, ("ssh_public_key",)
    for region in plan.regions:
        if region.compute and region.compute.scaling:
            yield region.compute.scaling.wheel_sha256, ("gateways", "wheel_sha256")
        if region.vpn:
            yield region.vpn.customer_address, ("onprem", "gateway_address")
        if region.oss_path and region.oss_path.domain:
            yield region.oss_path.domain, ("onprem", "domain")
    if plan.joint and plan.joint.dns:
        yield plan.joint.dns.domain, ("dns", "domain")
    if plan.joint and plan.joint.cdn:
        yield plan.joint.cdn.domain, ("cdn", "domain")


def _is_example(text: str) -> bool:
    try:
        return any(ipaddress.IPv4Address(text) in network for network in _EXAMPLE_RANGES)
    except ValueError:
        return text.endswith(_EXAMPLE_DOMAINS) or text == _EMPTY_FILE


def production_protected(plan: Plan) -> Iterator[Finding]:
    """What holds data in production survives `destroy` (P6)."""
    if plan.environment == "prod" and any(not region.protect for region in plan.regions):
        yield Finding("protect: false in production", ("protect",), "leave it out, or use staging")


def disk_encryption_preflight(plan: Plan) -> Iterator[Finding]:
    """Disks with a key of our own need role AliyunECSDiskEncryptDefaultRole, which the account stack makes once."""
    for region in plan.regions:
        if region.keys.mode != "service" and region.keys.disk_role != DISK_ROLE:
            yield Finding(
                f"{region.name}: disks would be encrypted by role {region.keys.disk_role!r}",
                ("keys", "mode"),
                f"ECS takes {DISK_ROLE} alone; the account stack makes it",
            )
