"""Policies on what can be reached, and from where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from infra.checks.policies.resource import UNKNOWN, Properties, differs
from infra.checks.ranges import is_public, is_wide

RULE: Final = "alicloud:ecs/securityGroupRule:SecurityGroupRule"
INSTANCE: Final = "alicloud:ecs/instance:Instance"
TEMPLATE: Final = "alicloud:ecs/ecsLaunchTemplate:EcsLaunchTemplate"
SCALED: Final = "alicloud:ess/scalingConfiguration:ScalingConfiguration"
CLASSIC_BALANCER: Final = "alicloud:slb/applicationLoadBalancer:ApplicationLoadBalancer"
ADDRESS: Final = "alicloud:ecs/eipAssociation:EipAssociation"
FORWARD: Final = "alicloud:vpc/forwardEntry:ForwardEntry"
ROUTE: Final = "alicloud:vpc/routeEntry:RouteEntry"
ROUTER_ROUTE: Final = "alicloud:cen/transitRouterRouteEntry:TransitRouterRouteEntry"
VPN_ROUTE: Final = "alicloud:vpn/routeEntry:RouteEntry"
VPN_POLICY_ROUTE: Final = "alicloud:vpn/pbrRouteEntry:PbrRouteEntry"
# The argument that puts a thing of this type into a VPC.
IN_A_VPC: Final = {
    INSTANCE: "vswitchId",
    "alicloud:rds/instance:Instance": "vswitchId",
    "alicloud:nlb/loadBalancer:LoadBalancer": "vpcId",
    "alicloud:alb/loadBalancer:LoadBalancer": "vpcId",
    "alicloud:ecs/securityGroup:SecurityGroup": "vpcId",
}
HOSTS: Final = (INSTANCE, TEMPLATE, SCALED)
SSH: Final = 22
RDP: Final = 3389
# Next hops behind which others' networks lie; a NAT gateway lets nobody in.
PEERS: Final = ("Attachment", "VpcPeer", "RouterInterface", "VpnGateway")
DESTINATIONS: Final = {
    ROUTE: "destinationCidrblock",
    ROUTER_ROUTE: "transitRouterRouteEntryDestinationCidrBlock",
    VPN_ROUTE: "routeDest",
    VPN_POLICY_ROUTE: "routeDest",
}


def in_a_vpc(kind: str, properties: Properties) -> Iterator[str]:
    """Every host, group and database lies in a VPC, and every balancer but a CLB that the Internet reaches."""
    if kind in IN_A_VPC and not properties.get(IN_A_VPC[kind]):
        yield "lies in the classic network"
    if kind == TEMPLATE and differs(properties, "networkType", ("vpc",)):
        yield "makes hosts in the classic network"
    inside = kind == CLASSIC_BALANCER and differs(properties, "addressType", ("internet",))
    if inside and not properties.get("vswitchId"):
        yield "lies in the classic network"


def hosts_private(kind: str, properties: Properties) -> Iterator[str]:
    """No host has an address of the Internet, and nothing forwards from one to a host."""
    if kind in HOSTS and differs(properties, "internetMaxBandwidthOut", (None, 0)):
        yield "has an address of the Internet"
    if kind == ADDRESS and not differs(properties, "instanceType", ("EcsInstance",)):
        yield "gives a host an address of the Internet"
    if kind == FORWARD:
        yield "forwards from the Internet to a host"


def ssh_closed(_kind: str, properties: Properties) -> Iterator[str]:
    """No rule lets more of the Internet than one company try ssh (port 22)."""
    yield from _opens(properties, SSH)


def rdp_closed(_kind: str, properties: Properties) -> Iterator[str]:
    """No rule lets more of the Internet than one company try a remote desktop (port 3389)."""
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
    if kind == ROUTE and properties.get("nexthopType") not in PEERS:
        return
    cidr = properties.get(DESTINATIONS[kind])
    if isinstance(cidr, str) and is_wide(cidr):
        yield f"leads {cidr} to a peer"


def _opens(properties: Properties, port: int) -> Iterator[str]:
    first, last = _ports(properties)
    if not _lets_in(properties) or properties.get("ipProtocol") not in ("tcp", "all") or not first <= port <= last:
        return
    for peer in ("cidrIp", "ipv6CidrIp"):
        cidr = properties.get(peer)
        if isinstance(cidr, str) and cidr and is_public(cidr):
            yield f"lets {cidr} reach port {port}"
    if properties.get("prefixListId"):
        yield f"lets a list reach port {port}, and nobody says who is on it"


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
