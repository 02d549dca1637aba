"""Names: short-lived records, and the traffic manager when it is bought."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from infra.blueprint.cloud import FromOutput, Known, PlannedDns, PlannedRecord, PlannedTrafficManager
from infra.components.dns import Dns, DnsArgs
from tests.infra.components.house import children, types
from tests.infra.components.recorder import Recorded, named, of_type, only, record


def balancer(region: str) -> FromOutput:
    return FromOutput(from_output="balancer_address", region=region)


def entry(name: str, label: str, value: Known, kind: Any = "CNAME") -> PlannedRecord:
    return PlannedRecord(name=name, record=label, type=kind, value=value, ttl_s=60)


RECORDS = (entry("r-a", "store-a", balancer("a")), entry("r-store", "store", balancer("a")), entry("r-top", "@", "x.y"))
PLAN = PlannedDns(domain="example.com", records=RECORDS)
TRAFFIC = PlannedTrafficManager(name="g-traffic", pools=(("a", balancer("a")), ("b", balancer("b"))))
NLB_A, NLB_B = "nlb-a.example.net", "nlb-b.example.net"
VALUES = {"r-a": NLB_A, "r-store": NLB_A, "a": NLB_A, "b": NLB_B}


def built(plan: PlannedDns = PLAN, values: dict[str, str] | None = None) -> tuple[list[Recorded], dict[str, str]]:
    names: dict[str, str] = {}

    def build(opts: pulumi.ResourceOptions) -> None:
        # Outputs belong to the loop that they are made in.
        plain = VALUES if values is None else values
        given = {name: pulumi.Output.from_input(value) for name, value in plain.items()}
        made = Dns("dns", DnsArgs(plan, given), opts)
        pulumi.Output.all(**made.names).apply(names.update)

    return record(build), names


def test_records() -> None:
    found, names = built()
    made = children(found, "Dns")
    assert types(made) == ["AlidnsRecord"] * 3
    assert named(made, "r-store").inputs == {
        "domainName": "example.com",
        "rr": "store",
        "type": "CNAME",
        "value": "nlb-a.example.net",
        "ttl": 60,
    }
    assert named(made, "r-top").inputs["value"] == "x.y"
    assert names == {"r-a": "store-a.example.com", "r-store": "store.example.com", "r-top": "example.com"}


def test_a_value_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match=r"r-store: its value is output 'balancer_address'"):
        built(values={"r-a": "x"})


def test_the_traffic_manager_prefers_the_first_pool() -> None:
    found, names = built(PLAN.model_copy(update={"traffic_manager": TRAFFIC}))
    made = children(found, "Dns")
    assert types(made) == ["AccessStrategy", *["AddressPool"] * 2, *["AlidnsRecord"] * 3, "GtmInstance"] + [
        "MonitorConfig"
    ] * 2
    bought, strategy = only(made, "GtmInstance").inputs, only(made, "AccessStrategy").inputs
    assert (bought["publicRr"], bought["publicZoneName"], bought["ttl"]) == ("g-traffic", "example.com", 60)
    assert names["g-traffic"] == "g-traffic.example.com"
    assert strategy["instanceId"] == "g-traffic-id"
    assert [pool["addrPoolId"] for pool in strategy["defaultAddrPools"]] == ["g-traffic-a-id"]
    assert [pool["addrPoolId"] for pool in strategy["failoverAddrPools"]] == ["g-traffic-b-id"]
    assert [one.inputs["addresses"][0]["address"] for one in of_type(made, "AddressPool")] == [
        "nlb-a.example.net",
        "nlb-b.example.net",
    ]
    assert {one.inputs["type"] for one in of_type(made, "AddressPool")} == {"DOMAIN"}


def test_the_stores_name_leads_to_the_traffic_manager_once_it_answers() -> None:
    store = entry("r-store", "store", "g-traffic.example.com")
    traffic = TRAFFIC.model_copy(update={"serves": "store.example.com"})
    plan = PLAN.model_copy(update={"records": (RECORDS[0], store), "traffic_manager": traffic})
    made = children(built(plan)[0], "Dns")
    assert named(made, "r-store").inputs["value"] == "g-traffic.example.com"
    assert named(made, "r-store").waits_for("g-traffic-strategy")
    assert not named(made, "r-a").waits_for("g-traffic-strategy")
    assert only(made, "GtmInstance").inputs["publicUserDomainName"] == "store.example.com"


def test_pools_are_probed_at_the_plans_port() -> None:
    traffic = TRAFFIC.model_copy(update={"port": 9000})
    made = children(built(PLAN.model_copy(update={"traffic_manager": traffic}))[0], "Dns")
    for probe in of_type(made, "MonitorConfig"):
        assert json.loads(probe.inputs["monitorExtendInfo"])["port"] == 9000
        assert probe.inputs["protocolType"] == "TCP"
        assert probe.waits_for(probe.name.removesuffix("-probe"))


def test_a_pool_holds_addresses_where_the_records_do() -> None:
    plan = PlannedDns(
        domain="example.com",
        records=(entry("r-a", "store", balancer("a"), "A"), entry("r-b", "other", balancer("b"), "A")),
        traffic_manager=TRAFFIC,
    )
    made = children(built(plan, {"r-a": "192.0.2.1", "r-b": "192.0.2.2", "a": "192.0.2.1", "b": "192.0.2.2"})[0], "Dns")
    assert {one.inputs["type"] for one in of_type(made, "AddressPool")} == {"IPV4"}
    assert only(made, "AccessStrategy").inputs["failoverAddrPoolType"] == "IPV4"


def test_one_pool_has_nothing_to_fail_over_to() -> None:
    alone = TRAFFIC.model_copy(update={"pools": TRAFFIC.pools[:1]})
    made = children(built(PLAN.model_copy(update={"traffic_manager": alone}))[0], "Dns")
    assert "failoverAddrPools" not in only(made, "AccessStrategy").inputs


def test_no_pool_is_refused() -> None:
    with pytest.raises(ValueError, match="without a pool"):
        built(PLAN.model_copy(update={"traffic_manager": TRAFFIC.model_copy(update={"pools": ()})}))
