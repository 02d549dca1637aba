"""The network: what is made, in which order, and how little of it in a VPC that is not ours."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from infra.blueprint.cloud import (
    PlannedAcl,
    PlannedAclEntry,
    PlannedFlowLog,
    PlannedLogStore,
    PlannedNat,
    PlannedNetwork,
    PlannedSwitch,
)
from infra.components.network import Network, NetworkArgs
from tests.infra.components.house import children, types
from tests.infra.components.recorder import Recorded, named, of_type, only, record

SWITCHES = ("h-hosts", "h-shared", "i-hosts", "i-shared")
FLOWS = PlannedFlowLog(name="flows", log=PlannedLogStore(project="logs", store="flows", retention_days=365))


def entry(name: str, direction: Any, **other: Any) -> PlannedAclEntry:
    given = {"action": "accept", "protocol": "tcp", "ports": "443/443", "cidr": "10.0.0.0/8", "description": name}
    return PlannedAclEntry(name=name, direction=direction, **{**given, **other})


def plan(**other: Any) -> PlannedNetwork:
    given: dict[str, Any] = {
        "name": "vpc",
        "cidr": "10.1.0.0/16",
        "route_table": "routes",
        "switches": tuple(
            PlannedSwitch(
                name=name,
                zone=f"cn-hangzhou-{name[0]}",
                purpose="hosts" if name.endswith("hosts") else "shared",
                cidr=f"10.1.{number}.0/24",
            )
            for number, name in enumerate(SWITCHES)
        ),
        "nat": PlannedNat(
            name="nat",
            address_name="nat-address",
            bandwidth_mbps=100,
            switch="h-shared",
            sources=("h-hosts", "i-hosts"),
        ),
        "acl": PlannedAcl(
            name="acl",
            entries=(
                entry("in-1", "ingress"),
                entry("out-1", "egress", cidr="0.0.0.0/0"),
                entry("in-2", "ingress", action="drop", protocol="all", ports="-1/-1"),
            ),
        ),
        "flow_log": FLOWS,
        "oss_endpoint": "oss",
    }
    return PlannedNetwork(**{**given, **other})


def built(planned: PlannedNetwork, provider: str = "cn-hangzhou") -> list[Recorded]:
    args = NetworkArgs(plan=planned, region=provider, log_project="logs", log_stores={"flows": "flows"})
    return record(lambda opts: Network("network", args, opts), region=provider)


def test_a_network_of_its_own() -> None:
    found = built(plan())
    assert types(children(found, "Network")) == sorted(
        ["Network", "RouteTable", "NetworkAcl"]
        + ["Switch", "RouteTableAttachment", "VpcNetworkAclAttachment"] * 4
        + ["NatGateway", "EipAddress", "EipAssociation", "RouteEntry", "SnatEntry", "SnatEntry"]
        + ["GatewayEndpoint", "GatewayEndpointRouteTableAttachment", "FlowLog"]
    )
    assert named(found, "vpc").inputs == {"vpcName": "vpc", "cidrBlock": "10.1.0.0/16"}
    assert named(found, "i-shared").inputs == {
        "vswitchName": "i-shared",
        "vpcId": "vpc-id",
        "zoneId": "cn-hangzhou-i",
        "cidrBlock": "10.1.3.0/24",
    }


def test_the_outputs_are_told() -> None:
    found = built(plan())
    assert named(found, "network").outputs == {
        "vpcId": "vpc-id",
        "switchIds": {name: f"{name}-id" for name in SWITCHES},
        "natAddress": "198.51.100.7",
        "routeTableId": "routes-id",
    }


def test_every_switch_has_our_routes_and_our_list_before_anything_uses_it() -> None:
    found = built(plan())
    for name in SWITCHES:
        assert named(found, f"{name}-routes").inputs == {"routeTableId": "routes-id", "vswitchId": f"{name}-id"}
        assert named(found, f"{name}-acl").inputs == {
            "networkAclId": "acl-id",
            "resourceId": f"{name}-id",
            "resourceType": "VSwitch",
        }
    assert named(found, "nat").waits_for("h-shared-routes") and named(found, "nat").waits_for("h-shared-acl")
    assert not named(found, "nat").waits_for("i-shared-routes")


def test_the_list_keeps_its_order_and_its_directions_apart() -> None:
    acl = only(built(plan()), "NetworkAcl").inputs
    assert [one["networkAclEntryName"] for one in acl["ingressAclEntries"]] == ["in-1", "in-2"]
    assert acl["ingressAclEntries"][1] == {
        "networkAclEntryName": "in-2",
        "description": "in-2",
        "policy": "drop",
        "protocol": "all",
        "port": "-1/-1",
        "sourceCidrIp": "10.0.0.0/8",
    }
    assert [one["destinationCidrIp"] for one in acl["egressAclEntries"]] == ["0.0.0.0/0"]


def test_the_way_out() -> None:
    found = built(plan())
    nat = only(found, "NatGateway").inputs
    assert (nat["natType"], nat["vswitchId"], nat["networkType"]) == ("Enhanced", "h-shared-id", "internet")
    assert only(found, "EipAddress").inputs["bandwidth"] == "100"
    assert only(found, "EipAssociation").inputs == {
        "allocationId": "nat-address-id",
        "instanceId": "nat-id",
        "instanceType": "Nat",
    }
    route = only(found, "RouteEntry").inputs
    assert (route["routeTableId"], route["nexthopId"], route["nexthopType"]) == ("routes-id", "nat-id", "NatGateway")
    assert route["destinationCidrblock"] == "0.0.0.0/0"
    entries = of_type(found, "SnatEntry")
    assert [one.inputs["sourceVswitchId"] for one in entries] == ["h-hosts-id", "i-hosts-id"]
    for one in entries:
        assert (one.inputs["snatIp"], one.inputs["snatTableId"]) == ("198.51.100.7", "stb-1")
        assert one.waits_for("nat-address-association"), "an address that is not bound cannot be translated to"


def test_without_a_way_out_no_address_is_paid_for() -> None:
    found = built(plan(nat=None))
    assert not {"NatGateway", "EipAddress", "EipAssociation", "RouteEntry", "SnatEntry"} & set(types(found))
    assert "natAddress" not in (named(found, "network").outputs or {})


def test_traffic_to_oss_stays_inside() -> None:
    found = built(plan(), provider="ap-northeast-1")
    assert children(found, "Network", provider="ap-northeast-1")
    endpoint = only(found, "GatewayEndpoint").inputs
    assert endpoint["serviceName"] == "com.aliyun.ap-northeast-1.oss"
    assert json.loads(endpoint["policyDocument"])["Statement"][0]["Effect"] == "Allow"
    assert only(found, "GatewayEndpointRouteTableAttachment").inputs == {
        "gatewayEndpointId": "oss-id",
        "routeTableId": "routes-id",
    }
    assert not of_type(built(plan(oss_endpoint=None)), "GatewayEndpoint")


def test_the_flow_log_covers_the_whole_vpc() -> None:
    flow = only(built(plan()), "FlowLog").inputs
    assert (flow["resourceType"], flow["resourceId"], flow["trafficType"]) == ("VPC", "vpc-id", "All")
    assert (flow["projectName"], flow["logStoreName"]) == ("logs", "flows")
    assert not of_type(built(plan(flow_log=None)), "FlowLog")


def test_of_an_adopted_vpc_only_our_own_part_is_touched() -> None:
    found = built(plan(existing="vpc-theirs"))
    children(found, "Network")
    assert [one.name for one in of_type(found, "Network")] == ["network"], "the component alone"
    assert {one.inputs["vpcId"] for one in of_type(found, "Switch")} == {"vpc-theirs"}
    assert only(found, "RouteTable").inputs["vpcId"] == "vpc-theirs"
    flows = of_type(found, "FlowLog")
    assert {one.inputs["resourceType"] for one in flows} == {"VSwitch"}
    assert [one.inputs["resourceId"] for one in flows] == [f"{name}-id" for name in SWITCHES]


def test_a_flow_log_without_its_store_is_refused() -> None:
    args = NetworkArgs(plan=plan(), region="cn-hangzhou", log_project="logs", log_stores={})
    with pytest.raises(KeyError, match="flows"):
        record(lambda opts: Network("network", args, opts))


def test_an_id_of_a_switch_is_told_without_what_hangs_on_it() -> None:
    """In a preview the attachments have no ids yet: what lies in the switch must not look changed for that."""
    known: dict[str, Any] = {}

    def build(opts: pulumi.ResourceOptions) -> None:
        args = NetworkArgs(plan=plan(), region="cn-hangzhou", log_project="logs", log_stores={"flows": "flows"})
        made = Network("network", args, opts)
        made.switch_ids["h-hosts"].apply(lambda found: known.update(found=found))

    record(build)
    assert known == {"found": "h-hosts-id"}
