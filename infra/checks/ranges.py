"""How much of the Internet a range is: one place for the checks of a Plan and for the policies on resources. Pure."""

from __future__ import annotations

import ipaddress
from typing import Final

from infra.subnets import PRIVATE

LEAST_PREFIX: Final = 24  # what a company has for its way out
WIDEST_COMPANY: Final = {4: 16, 6: 32}  # what the larger of them have; more is a provider of access
WIDEST_PRIVATE: Final = {4: 8, 6: 7}  # 10.0.0.0/8, fc00::/7
_INSIDE: Final = (*PRIVATE, ipaddress.ip_network("100.64.0.0/10"), ipaddress.ip_network("fc00::/7"))
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def read(cidr: str) -> Network | None:
    """None for what is no range."""
    try:
        return ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return None


def is_wide(cidr: str) -> bool:
    """More than any private network has: whoever is meant, the Internet is among them. What is no range may be all."""
    found = read(cidr)
    return found is None or found.prefixlen < WIDEST_PRIVATE[found.version]


def is_public(cidr: str) -> bool:
    """Part of it is the Internet, and more of that than any company has. What is no range may be all."""
    found = read(cidr)
    if found is None:
        return True
    inside = any(one.version == found.version and found.subnet_of(one) for one in _INSIDE)  # type: ignore[arg-type]
    return not inside and found.prefixlen < WIDEST_COMPANY[found.version]
