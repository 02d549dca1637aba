"""VPN: two tunnels from two zones, strong proposals, keys that stay secret, routes both ways."""

from __future__ import annotations

from typing import Any

import pulumi

from infra.blueprint.cloud import PlannedTunnel, PlannedVpn
from infra.components.interconnect import Vpn, VpnArgs
from tests.infra.components.house import children, types
from tests.infra.components.recorder import Recorded, named, only, record


def tunnel(role: Any) -> PlannedTunnel:
    return PlannedTunnel(
        role=role, secret=f"tunnel-{role}", inside_cidr="169.254.10.0/30", inside_address="169.254.10.1"
    )


PLAN = PlannedVpn(
    name="k-vpn",
    bandwidth_mbps=100,
    switches=("shared-h", "shared-i"),
    customer_gateway="k-room",
    customer_address="198.51.100.9",
    local_cidrs=("10.0.0.0/16", "100.64.0.0/10"),
    remote_cidrs=("192.168.0.0/16", "172.20.0.0/16"),
    tunnels=(tunnel("master"), tunnel("slave")),
)
SWITCHES = {"shared-h": "vsw-h", "shared-i": "vsw-i", "hosts-h": "vsw-x"}


def built(**other: Any) -> tuple[list[Recorded], list[list[str]]]:
    addresses: list[list[str]] = []

    def build(opts: pulumi.ResourceOptions) -> None:
        secrets = {f"tunnel-{role}": pulumi.Output.from_input(f"psk of {role}") for role in ("master", "slave")}
        made = Vpn("vpn", VpnArgs(PLAN, "vpc-1", SWITCHES, secrets, **other), opts)
        pulumi.Output.all(made.address, made.standby_address).apply(addresses.append)

    computed = {
        "alicloud:vpn/gateway:Gateway": {"internetIp": "203.0.113.1", "disasterRecoveryInternetIp": "203.0.113.2"}
    }
    return record(build, computed=computed), addresses


def test_a_gateway_in_two_zones() -> None:
    found, addresses = built()
    made = children(found, "Vpn")
    assert types(made) == ["Connection", "CustomerGateway", "Gateway", "RouteEntry", "RouteEntry"]
    assert addresses == [["203.0.113.1", "203.0.113.2"]]
    gateway = only(made, "Gateway").inputs
    assert (gateway["vswitchId"], gateway["disasterRecoveryVswitchId"]) == ("vsw-h", "vsw-i")
    assert (gateway["paymentType"], gateway["bandwidth"]) == ("PayAsYouGo", 100)
    assert (gateway["enableIpsec"], gateway["enableSsl"]) == (True, False)
    assert only(made, "CustomerGateway").inputs == {
        "customerGatewayName": "k-room",
        "ipAddress": "198.51.100.9",
    }


def test_two_tunnels_with_strong_proposals() -> None:
    connection = only(children(built()[0], "Vpn"), "Connection").inputs
    assert connection["localSubnets"] == ["10.0.0.0/16", "100.64.0.0/10"]
    assert connection["remoteSubnets"] == ["192.168.0.0/16", "172.20.0.0/16"]
    assert not {"ikeConfig", "ipsecConfig"} & connection.keys()
    tunnels = connection["tunnelOptionsSpecifications"]
    assert [one["role"] for one in tunnels] == ["master", "slave"]
    for one in tunnels:
        ike, ipsec = one["tunnelIkeConfig"], one["tunnelIpsecConfig"]
        assert (ike["ikeVersion"], ike["ikeMode"]) == ("ikev2", "main")
        assert (ike["ikeEncAlg"], ike["ikeAuthAlg"], ike["ikePfs"]) == ("aes256", "sha256", "group14")
        assert (ipsec["ipsecEncAlg"], ipsec["ipsecAuthAlg"], ipsec["ipsecPfs"]) == ("aes256", "sha256", "group14")
        assert one["customerGatewayId"] == "k-room-id"
        assert one["enableDpd"] is True


def test_each_tunnel_has_its_own_key_and_it_stays_secret() -> None:
    connection = only(children(built()[0], "Vpn"), "Connection")
    tunnels = connection.inputs["tunnelOptionsSpecifications"]
    assert [one["tunnelIkeConfig"]["psk"] for one in tunnels] == ["psk of master", "psk of slave"]
    assert "tunnelOptionsSpecifications" in connection.secrets


def test_a_route_to_each_range_of_the_room_and_no_other() -> None:
    made = children(built()[0], "Vpn")
    assert only(made, "Connection").inputs["autoConfigRoute"] is False
    routes = [one for one in made if one.type == "alicloud:vpn/routeEntry:RouteEntry"]
    assert {one.inputs["routeDest"] for one in routes} == set(PLAN.remote_cidrs)
    for one in routes:
        assert one.inputs["nextHop"] == "k-vpn-connection-id"
        assert (one.inputs["publishVpc"], one.inputs["weight"]) == (True, 100)


def test_the_hosts_own_table_is_written_too() -> None:
    made = children(built(route_table_id="vtb-1")[0], "Vpn")
    route = named(made, "k-vpn-to-192.168.0.0-16-hosts")
    assert route.type == "alicloud:vpc/routeEntry:RouteEntry"
    assert route.inputs == {
        "routeTableId": "vtb-1",
        "destinationCidrblock": "192.168.0.0/16",
        "nexthopType": "VpnGateway",
        "nexthopId": "k-vpn-id",
    }
    assert route.waits_for("k-vpn-to-192.168.0.0-16")
