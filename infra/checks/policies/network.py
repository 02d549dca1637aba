"""Policies on what can be reached, and from where."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from infra.checks.policies.resource import UNKNOWN, Properties, differs

RULE: Final = "alicloud:ecs/securityGroupRule:SecurityGroupRule"
INSTANCE: Final = "alicloud:ecs/instance:Instance"
ROUTE: Final = "alicloud:vpc/routeEntry:RouteEntry"
VPN_ROUTE: Final = "alicloud:vpn/routeEntry:RouteEntry"
IN_A_VPC: Final = {
    INSTANCE: "vswitchId",
    "alicloud:rds/instance:Instance": "vswitchId",
    "alicloud:slb/applicationLoadBalancer:ApplicationLoadBalancer": "vswitchId",
    "alicloud:nlb/loadBalancer:LoadBalancer": "vpcId",
    "alicloud:alb/loadBalancer:LoadBalancer": "vpcId",
    "alicloud:ecs/securityGroup:SecurityGroup": "vpcId",
}
SSH: Final = 22
RDP: Final = 3389
WIDEST: Final = 8  # a private network has no more: 10.0.0.0/8
WIDEST_V6: Final = 7  # and fc00::/7
IPV4: Final = 4
# Next hops behind which others' networks lie; a NAT gateway lets nobody in.
PEERS: Final = frozenset({"Attachment", "VpcPeer", "RouterInterface", "VpnGateway"})


def in_a_vpc(kind: str, properties: Properties) -> Iterator[str]:
    """Every host, balancer, group and database lies in a VPC, and no host has an address of the Internet."""
    if not properties.get(IN_A_VPC[kind]):
        yield "lies in the classic network"
    if kind == INSTANCE and differs(properties, "internetMaxBandwidthOut", (None, 0)):
        yield "has an address of the Internet"


def ssh_closed(_kind: str, properties: Properties) -> Iterator[str]:
    """No rule lets the Internet try ssh (port 22)."""
    yield from _opens(properties, SSH)


def rdp_closed(_kind: str, properties: Properties) -> Iterator[str]:
    """No rule lets the Internet try a remote desktop (port 3389)."""
    yield from _opens(properties, RDP)


def rules_narrow(_kind: str, properties: Properties) -> Iterator[str]:
    """Every rule that lets in names a protocol, one port and a peer."""
    if not _lets_in(properties):
        return
    if properties.get("ipProtocol") == "all":
        yield "lets in every protocol"
    first, last = _ports(properties)
    if first != last:
        yield f"lets in ports {first} to {last}"
    if not any(properties.get(peer) for peer in ("cidrIp", "ipv6CidrIp", "sourceSecurityGroupId", "prefixListId")):
        yield "names no peer"


def routes_narrow(kind: str, properties: Properties) -> Iterator[str]:
    """Every route to a peer, through a router, a VPN or a peering, names the peer's range."""
    peer = kind == VPN_ROUTE or properties.get("nexthopType") in PEERS
    cidr = properties.get("routeDest" if kind == VPN_ROUTE else "destinationCidrblock")
    if peer and isinstance(cidr, str) and is_wide(cidr):
        yield f"leads {cidr} to a peer"


def _opens(properties: Properties, port: int) -> Iterator[str]:
    first, last = _ports(properties)
    if not _lets_in(properties) or properties.get("ipProtocol") not in ("tcp", "all") or not first <= port <= last:
        return
    for peer in ("cidrIp", "ipv6CidrIp"):
        cidr = properties.get(peer)
        if isinstance(cidr, str) and is_wide(cidr):
            yield f"lets {cidr} reach port {port}"


def _lets_in(properties: Properties) -> bool:
    """As the cloud reads it: a rule without `policy` accepts."""
    return properties.get("type") == "ingress" and properties.get("policy") in (None, "accept")


def _ports(properties: Properties) -> tuple[int, int]:
    """First and last; every port where none is named or can be read, and none where they are not known."""
    ports = properties.get("portRange")
    if ports is UNKNOWN:
        return (0, 0)
    found = re.fullmatch(r"(\d+)/(\d+)", str(ports))
    return (int(found[1]), int(found[2])) if found else (1, 65535)


def is_wide(cidr: str) -> bool:
    """More than any private network has; what is no range is none."""
    try:
        found = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False
    return found.prefixlen < (WIDEST if found.version == IPV4 else WIDEST_V6)
