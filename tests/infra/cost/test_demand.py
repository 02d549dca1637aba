"""What is charged for, slice by slice: each thing a stack makes that costs, and what is left out of use."""

from __future__ import annotations

from decimal import Decimal

from infra.blueprint.plan import Plan
from infra.cost import Usage
from infra.cost.demand import demands
from infra.cost.usage import CapacityUsage, TrafficUsage
from tests.infra.cloud_blueprints import BEIJING, HANGZHOU, cloud_plan

Found = dict[tuple[str, str], Decimal]


def of(plan: Plan, usage: Usage | None = None, *, part: str = "cn-hangzhou") -> Found:
    return {(one.item, one.sku): one.quantity for one in demands(plan, usage or Usage()) if one.part == part}


def test_a_public_balancer_has_an_address_in_each_zone_and_traffic() -> None:
    nat = {"network": {"nat": False}}
    private = of(cloud_plan(**nat))
    assert ("nlb", "") in private and ("public-address", "") not in private
    public = of(cloud_plan(**nat, balancer={"public": True}))
    assert public["public-address", ""] == 3 and public["internet-traffic", ""] == 100
    classic = of(cloud_plan(**nat, balancer={"public": True, "kind": "clb"}))
    assert ("public-address", "") not in classic and classic["clb", ""] == 1


def test_a_scaling_group_counts_its_minimum_or_what_is_stated() -> None:
    plan = cloud_plan(gateways={"scaling": True, "min": 3})
    assert of(plan)["host", "ecs.c7.large"] == 3
    assert of(plan, Usage(capacity=CapacityUsage(scaled_hosts=5)))["host", "ecs.c7.large"] == 5
    assert ("host", "ecs.c7.large") not in of(plan, Usage(capacity=CapacityUsage(scaled_hosts=0)))


def test_database_logs_and_key_instance() -> None:
    keys = {"mode": "instance"}
    found = of(cloud_plan(database={"enabled": True}, environment="prod", keys=keys, allow_purchase=True))
    assert found["database", "pg.n2.2c.2m"] == 1 and found["database-storage", ""] == 50
    assert found["log-ingest", ""] == 30 and found["log-storage", ""] == 365
    assert found["kms-instance", "software"] == 1


def test_hardware_keys_are_sold_prepaid_alone() -> None:
    plan = cloud_plan(keys={"mode": "instance", "hsm": True}, allow_purchase=True)
    found = next(one for one in demands(plan, Usage()) if one.item == "kms-instance")
    assert (found.sku, found.charges) == ("hardware", ("subscription",))


def test_what_joins_regions() -> None:
    plan = cloud_plan(
        regions=[HANGZHOU, BEIJING],
        interconnect={"kind": "cen"},
        dns={"domain": "kakera.test", "traffic_manager": True},
        allow_purchase=True,
    )
    found = of(plan, part="global")
    assert found["cen-attachment", ""] == 1 and found["cen-processing", ""] == 100
    assert sum(sku != "" for item, sku in found if item == "cen-traffic") == 1
    assert found["bucket-replication", "cn-beijing"] == 100
    assert found["traffic-manager", ""] == 1
    quiet = of(plan, Usage(traffic=TrafficUsage(between_regions_gib=0, replicated_gib=0)), part="global")
    assert {item for item, _ in quiet} == {"cen-attachment", "traffic-manager"}


def test_drives_in_a_host_are_in_its_price() -> None:
    """What is left of disks is the host's system disk, and there is nothing to take snapshots of."""
    found = of(cloud_plan(survive="host", storage={"instance_type": "ecs.d3s.2xlarge"}))
    assert found["host", "ecs.d3s.2xlarge"] == 1 and found["disk", "cloud_essd.PL1"] == 40
    assert "snapshot" not in {item for item, _ in found}


def test_a_disk_of_another_kind_is_another_thing() -> None:
    assert ("disk", "cloud_auto") in of(cloud_plan(storage={"disk_category": "cloud_auto"}))
    assert ("disk", "cloud_essd.PL2") in of(cloud_plan(storage={"performance_level": "PL2"}))
