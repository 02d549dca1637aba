"""Expansion to the cloud: pure and sorted; nothing that exists moves; every name once; every output produced."""

from __future__ import annotations

import ipaddress
import json
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from infra.blueprint import plan as plans
from infra.blueprint.expand import expand
from infra.blueprint.model import Blueprint
from infra.blueprint.plan import Plan
from infra.checks.cloud import outputs_produced, secrets_referenced
from infra.render import server_toml
from tests.infra.cloud_blueprints import BEIJING, HANGZHOU, ROOM, SHIPPED, cloud, cloud_plan, clouds, shipped

# What is told apart by name and depends on nothing else: it must be the very same after anything was added.
FIXED = ("PlannedSwitch", "PlannedRule", "PlannedAclEntry", "PlannedBucket", "PlannedPeering", "PlannedHost")
# Of what is made of others, these fields grow; the rest must stay.
GROWS = {
    "PlannedNat": {"sources"},
    "PlannedBalancer": {"switches", "targets"},
    "PlannedDatabase": {"allowed_cidrs"},
    "PlannedScaling": {"switches"},
    "PlannedSnapshots": set(),
    "PlannedVpn": set(),
    "PlannedKeys": set(),
    "PlannedRamRole": {"policies"},
    "PlannedReplication": set(),
    "PlannedRecord": set(),
}


def walk(node: Any) -> Iterator[BaseModel]:
    if isinstance(node, BaseModel):
        yield node
        for field in type(node).model_fields:
            yield from walk(getattr(node, field))
    elif isinstance(node, (tuple, list)):
        for item in node:
            yield from walk(item)


def standing(plan: Plan) -> dict[tuple[str, str], Any]:
    """(kind, name) -> all that may not move."""
    found = {}
    for node in walk(plan):
        kind = type(node).__name__
        if kind in FIXED or kind in GROWS:
            fields = node.model_dump(exclude=GROWS.get(kind, set()))
            found[kind, fields["name"]] = fields
    for region in plan.regions:
        found["stack", region.name] = (region.stack, region.network.cidr, region.log_project, region.network.name)
    return found


def assert_nothing_moved(before: Blueprint, after: Blueprint) -> None:
    old, new = standing(expand(before)), standing(expand(after))
    assert {key: new.get(key) for key in old} == old


def with_regions(blueprint: Blueprint, regions: list[dict[str, Any]]) -> Blueprint:
    fields = json.loads(blueprint.model_dump_json(exclude_unset=True))
    return Blueprint.model_validate({**fields, "regions": regions})


def raw_regions(blueprint: Blueprint) -> list[dict[str, Any]]:
    return [json.loads(spec.model_dump_json()) for spec in blueprint.regions]


@given(clouds())
@settings(max_examples=40)
def test_pure_and_through_json(blueprint: Blueprint) -> None:
    plan = expand(blueprint)
    assert plans.dump(plan) == plans.dump(expand(blueprint))
    assert plans.parse(plans.dump(plan)) == plan


@given(clouds(), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_order_does_not_matter(blueprint: Blueprint, random: Any) -> None:
    """Of regions, and of zones but for the two that are home. The seat is named: by default it is the first replica."""
    regions = raw_regions(blueprint)
    seat = expand(blueprint).joint
    fixed = blueprint.model_copy(update={"seat": seat.region if seat else None})
    shuffled = [dict(spec) for spec in regions]
    for spec in shuffled:
        tail = spec["zones"][2:]
        random.shuffle(tail)
        spec["zones"] = spec["zones"][:2] + tail
    random.shuffle(shuffled)
    assert expand(with_regions(fixed, shuffled)) == expand(fixed)


@given(clouds(), st.sampled_from("abcdefghijklmnopqrstuvwxyz"))
@settings(max_examples=40)
def test_adding_a_zone_moves_nothing(blueprint: Blueprint, letter: str) -> None:
    regions = raw_regions(blueprint)
    zone = f"{regions[0]['name']}-{letter}"
    if zone not in regions[0]["zones"]:
        regions[0]["zones"].append(zone)
        assert_nothing_moved(blueprint, with_regions(blueprint, regions))


@given(clouds(), st.sampled_from(["hosts_per_zone", "drives_per_host"]), st.integers(1, 3))
@settings(max_examples=40)
def test_adding_hosts_and_drives_moves_nothing(blueprint: Blueprint, knob: str, more: int) -> None:
    storage = blueprint.storage.model_copy(update={knob: getattr(blueprint.storage, knob) + more})
    before, after = expand(blueprint), expand(blueprint.model_copy(update={"storage": storage}))
    for old in before.hosts:
        new = after.host(old.name)
        assert new.drives[: len(old.drives)] == old.drives
        assert new.model_copy(update={"drives": old.drives}) == old
    old_rest, new_rest = standing(before), standing(after)
    rest = {key: value for key, value in old_rest.items() if key[0] != "PlannedHost"}
    assert {key: new_rest.get(key) for key in rest} == rest


@given(clouds(), st.integers(1, 3))
@settings(max_examples=20)
def test_adding_gateways_moves_nothing(blueprint: Blueprint, more: int) -> None:
    """From none to some is another matter: then clients come in elsewhere."""
    start = blueprint.gateways.model_copy(update={"scaling": False, "per_zone": max(1, blueprint.gateways.per_zone)})
    grown = start.model_copy(update={"per_zone": start.per_zone + more})
    before = blueprint.model_copy(update={"gateways": start})
    after = blueprint.model_copy(update={"gateways": grown})
    assert_nothing_moved(before, after)
    # What a host reads, its list of drives above all, is the same to the last byte.
    old, new = expand(before), expand(after)
    for host in old.hosts[:2]:
        assert server_toml(new, host_name=host.name) == server_toml(old, host_name=host.name)
    # And from none to some, hosts and drives stay where they are.
    none = expand(blueprint.model_copy(update={"gateways": start.model_copy(update={"per_zone": 0})}))
    assert {host.name: host for host in none.hosts}.items() <= {host.name: host for host in new.hosts}.items()


@given(clouds(), st.integers(1, 5))
@settings(max_examples=20)
def test_a_group_that_may_grow_moves_nothing(blueprint: Blueprint, more: int) -> None:
    balancer = blueprint.balancer.model_copy(update={"kind": "nlb"})
    start = blueprint.gateways.model_copy(update={"scaling": True})
    before = blueprint.model_copy(update={"gateways": start, "balancer": balancer})
    grown = start.model_copy(update={"max": start.max + more})
    old, new = standing(expand(before)), standing(expand(before.model_copy(update={"gateways": grown})))
    assert {key for key in old if old[key] != new.get(key)} <= {key for key in old if key[0] == "PlannedScaling"}


@given(clouds())
@settings(max_examples=40)
def test_adding_a_region_moves_nothing(blueprint: Blueprint) -> None:
    regions = raw_regions(blueprint)
    new = {"name": "rz-south", "role": "replica", "zones": ["rz-south-a", "rz-south-b"], "cidr": "10.99.0.0/16"}
    assert_nothing_moved(blueprint, with_regions(blueprint, [*regions, new]))


@given(clouds())
@settings(max_examples=40)
def test_names_are_unique_in_a_stack_and_ranges_apart(blueprint: Blueprint) -> None:
    plan = expand(blueprint)
    for part in (*plan.regions, *((plan.joint,) if plan.joint else ())):
        names = [node.name for node in walk(part) if hasattr(node, "name") and node is not part]
        names += [host.name for host in plan.hosts if host.region == getattr(part, "name", None)]
        assert [name for name, count in Counter(names).items() if count > 1] == []
    for region in plan.regions:
        ranges = [ipaddress.IPv4Network(switch.cidr) for switch in region.network.switches]
        assert not any(one.overlaps(other) for one, other in combinations(ranges, 2))
        assert all(cidr.subnet_of(ipaddress.IPv4Network(region.network.cidr)) for cidr in ranges)
    addresses = [host.address for host in plan.hosts]
    assert len(set(addresses)) == len(addresses)


@given(clouds())
@settings(max_examples=40)
def test_hosts_lie_in_their_switch_and_references_are_kept(blueprint: Blueprint) -> None:
    plan = expand(blueprint)
    assert list(outputs_produced(plan)) == []
    assert list(secrets_referenced(plan)) == []
    for region in plan.regions:
        switches = {switch.name: switch for switch in region.network.switches}
        groups = {group.name for group in region.security_groups}
        roles = {role.name for role in region.identity}
        buckets = {bucket.name for bucket in region.buckets}
        for host in plan.hosts:
            if host.region == region.name and host.machine:
                assert ipaddress.IPv4Address(host.address) in ipaddress.IPv4Network(switches[host.machine.switch].cidr)
                assert host.machine.security_group in groups
                assert host.machine.role in roles
        assert {rule.group for group in region.security_groups for rule in group.rules if rule.group} <= groups
        assert {bucket.log_target for bucket in region.buckets if bucket.log_target} <= buckets
        if region.balancer:
            assert set(region.balancer.targets) <= {host.name for host in plan.hosts}
            assert set(region.balancer.switches) <= set(switches)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_blueprints_are_sorted(name: str) -> None:
    plan = expand(shipped(name))
    for things in (plan.hosts, plan.secrets, plan.regions):
        names = [thing.name for thing in things]
        assert names == sorted(names)


def test_slots_follow_the_letter() -> None:
    plan = cloud_plan()
    cidrs = {switch.name: switch.cidr for switch in plan.regions[0].network.switches}
    assert cidrs["kakera-dev-cn-hangzhou-h-hosts"] == "10.20.56.0/22"
    assert cidrs["kakera-dev-cn-hangzhou-h-shared"] == "10.20.60.0/23"
    assert plan.host("kakera-dev-cn-hangzhou-h-storage-1").address == "10.20.56.11"


def test_size_fills_what_was_left_out_and_nothing_else() -> None:
    plan = cloud_plan(size="L", storage={"drives_per_host": 5})
    storage = [host for host in plan.hosts if host.role == "storage"]
    assert len(storage) == 3 * 4
    assert {len(host.drives) for host in storage} == {5}
    assert {drive.size_gib for host in storage for drive in host.drives} == {4096}
    assert {host.machine.instance_type for host in storage if host.machine} == {"ecs.g7.4xlarge"}


@pytest.mark.parametrize(
    ("kind", "knobs", "drives"),
    [
        ("ecs.d3s.2xlarge", {}, [11_100] * 4),
        ("ecs.d3s.2xlarge", {"drives_per_host": 3}, [11_100] * 3),
        ("ecs.i4.4xlarge", {"workload": "dense"}, [3_576]),
        ("ecs.i2.2xlarge", {"drives_per_host": 2, "drive_gib": 99}, [None] * 2),  # no source: nobody knows its size
        ("ecs.g7.2xlarge", {"drives_per_host": 2}, [4_096] * 2),
    ],
)
def test_a_type_with_drives_of_its_own_says_how_many_and_how_large(
    kind: str, knobs: dict[str, Any], drives: list[int | None]
) -> None:
    """Whatever the size of the store; without disks of the cloud there are no snapshots, and no ids of disks."""
    plan = cloud_plan(size="L", storage={"instance_type": kind, **knobs})
    own = kind != "ecs.g7.2xlarge"
    for host in (host for host in plan.hosts if host.role == "storage"):
        assert [drive.size_gib for drive in host.drives] == drives
        assert host.own_drives is own
    assert not any(host.own_drives for host in plan.hosts if host.role == "gateway")
    region = plan.regions[0]
    assert region.compute is not None and (region.compute.snapshots is None) is own
    assert ("disk_ids" in region.outputs) is not own


@pytest.mark.parametrize(("environment", "protect"), [("dev", False), ("staging", True), ("prod", True)])
def test_environment_decides_protection_unless_told(environment: str, protect: bool) -> None:
    plan = cloud_plan(environment=environment)
    assert plan.regions[0].protect is protect
    assert {bucket.protect for bucket in plan.regions[0].buckets} == {protect}
    assert (plan.regions[0].network.flow_log is not None) is protect
    assert cloud_plan(environment=environment, protect=not protect).regions[0].protect is not protect


def test_a_failover_touches_nothing_of_the_lost_region() -> None:
    two = {"regions": [HANGZHOU, BEIJING], "dns": {"domain": "kakera.test"}, "interconnect": {"kind": "cen"}}
    before, after = cloud_plan(**two), cloud_plan(**two, active="cn-beijing")
    assert before.active == "cn-hangzhou"
    assert after.active == "cn-beijing"
    assert before.region == after.region == "cn-hangzhou", "clients go on signing as they did"
    assert before.regions == after.regions
    assert before.joint and after.joint and before.joint.dns and after.joint.dns
    assert before.joint.region == after.joint.region == "cn-beijing"
    assert before.joint.replications == after.joint.replications
    assert before.joint.cen == after.joint.cen
    values = {record.record: record.value for record in after.joint.dns.records}
    assert getattr(values["s3"], "region", None) == "cn-beijing"
    read_only = {host.region: host.read_only for host in after.hosts}
    assert read_only == {"cn-hangzhou": True, "cn-beijing": False}


def test_the_private_path_to_oss_has_its_way_back() -> None:
    plan = expand(shipped("hybrid"))
    region = plan.regions[0]
    assert region.vpn and region.oss_path
    assert set(region.oss_path.routes) <= set(region.vpn.local_cidrs)
    assert region.vpn.remote_cidrs == ("192.168.10.0/24",)
    assert "oss-cn-shanghai-internal.aliyuncs.com" in region.oss_path.names
    assert region.compute is None and not region.security_groups


def test_a_custom_domain_needs_no_tunnel() -> None:
    room = {**ROOM, "path": "custom-domain", "domain": "cold.eu.kakera.test", "certificate": "cert-1"}
    host = {"name": "one", "zone": "rack", "drives": 9, "address": "192.168.10.5"}
    backup = {**HANGZHOU, "role": "backup"}
    dns = {"domain": "kakera.test", "ttl_s": 300}
    plan = cloud_plan(regions=[backup], hosts=[host], onprem=room, survive="drive", dns=dns)
    assert plan.regions[0].vpn is None
    path = plan.regions[0].oss_path
    assert path and (path.endpoint, path.zone, path.ttl_s) == ("cold.eu.kakera.test", "kakera.test", 300)
    assert path.bucket in {bucket.name for bucket in plan.regions[0].buckets}
    assert plan.joint is None, "there is no balancer to give a name to"


def test_what_may_be_copied_is_encrypted_so_that_it_can_be() -> None:
    def tier(**fields: Any) -> str:
        region = cloud_plan(**fields).regions[0]
        return next(bucket.encryption for bucket in region.buckets if bucket.purpose == "tier")

    assert tier(regions=[HANGZHOU, BEIJING]) == "AES256"
    assert tier(regions=[HANGZHOU]) == "AES256", "a region that is added would find objects that cannot be copied"
    assert tier(tier={"replicate": False}) == "KMS"
    assert tier(keys={"mode": "instance"}, regions=[HANGZHOU, BEIJING]) == "KMS"


def test_behind_a_traffic_manager_the_stores_name_leads_to_it() -> None:
    dns = {"domain": "kakera.test", "traffic_manager": True}
    for order in (["cn-hangzhou", "cn-beijing"], ["cn-beijing", "cn-hangzhou"]):
        plan = cloud_plan(regions=[HANGZHOU, BEIJING], dns=dns, active=order[0], balancer={"port": 8443})
        assert plan.joint and plan.joint.dns and plan.joint.dns.traffic_manager
        traffic = plan.joint.dns.traffic_manager
        assert [region for region, _ in traffic.pools] == order
        assert (traffic.port, traffic.serves) == (8443, "s3.kakera.test")
        records = {record.record: (record.type, record.value) for record in plan.joint.dns.records}
        assert records["s3"] == records["*.s3"] == ("CNAME", f"{traffic.name}.kakera.test")
        assert records["s3-cn-hangzhou"][1] == dict(traffic.pools)["cn-hangzhou"]


@pytest.mark.parametrize(("kind", "origin"), [("nlb", "domain"), ("alb", "domain"), ("clb", "ipaddr")])
def test_the_edge_reads_from_what_the_balancer_has(kind: str, origin: str) -> None:
    balancer = {"kind": kind, "public": True, "certificate": "c"}
    plan = cloud_plan(cdn={"domain": "a.kakera.test"}, balancer=balancer)
    assert plan.joint and plan.joint.cdn and plan.joint.cdn.origin_type == origin


def test_the_server_may_use_its_bucket_and_its_key_and_nothing_else() -> None:
    plan = cloud_plan(keys={"mode": "instance"}, gateways={"scaling": True})
    roles = {role.name.rpartition("-")[2]: role for role in plan.regions[0].identity}
    texts = [str(r) for p in roles["server"].policies for s in p.statements for r in s.resources if isinstance(r, str)]
    assert texts and all("kakera-dev-cn-hangzhou-tier" in text for text in texts)
    actions = [action for policy in roles["server"].policies for s in policy.statements for action in s.actions]
    assert not [action for action in actions if "*" in action or action.startswith("ess:")]
    gateway = [action for policy in roles["gateway"].policies for s in policy.statements for action in s.actions]
    assert {action for action in gateway if action.startswith("ess:")} == {
        "ess:CompleteLifecycleAction",
        "ess:DescribeLifecycleActions",
        "ess:DescribeScalingActivities",
        "ess:DescribeScalingInstances",
    }, "what render/templates/gateway.py asks for"


def test_hosts_are_reached_from_the_balancer_alone() -> None:
    region = cloud_plan(balancer={"public": True}).regions[0]
    storage = next(group for group in region.security_groups if group.purpose == "storage")
    shared = {switch.cidr for switch in region.network.switches if switch.purpose == "shared"}
    entered = {rule.cidr for rule in storage.rules if rule.direction == "ingress" and rule.action == "accept"} - {None}
    assert entered == shared
    balancer = next(group for group in region.security_groups if group.purpose == "balancer")
    ingress = [rule for rule in balancer.rules if rule.direction == "ingress"]
    assert [(rule.action, rule.ports, rule.priority) for rule in ingress] == [
        ("accept", "443/443", 1),
        ("drop", "-1/-1", 100),
    ]


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, {"mode", "vpc_id", "switch_ids", "route_table_id", "nat_address", "security_group_ids", "bucket_endpoints",
              "host_ids", "host_addresses", "disk_ids", "balancer_id", "balancer_address"}),
        ({"balancer": {"kind": "none"}, "tier": {"enabled": False}, "network": {"nat": False}},
         {"mode", "vpc_id", "switch_ids", "route_table_id", "security_group_ids", "host_ids", "host_addresses",
          "disk_ids"}),
    ],
)
def test_outputs_are_those_of_the_slices(fields: dict[str, Any], wanted: set[str]) -> None:
    assert set(cloud_plan(**fields).regions[0].outputs) == wanted


def test_one_region_without_anything_to_join_has_no_global_stack() -> None:
    assert cloud_plan().joint is None
    assert expand(cloud(dns={"domain": "kakera.test"})).joint is not None


@pytest.mark.parametrize(("kind", "sees_clients"), [("nlb", False), ("alb", False), ("clb", True)])
def test_hosts_let_in_who_they_see(kind: str, sees_clients: bool) -> None:
    """Behind a CLB the clients' own addresses; behind the others the balancer's switches alone."""
    network = {"client_cidrs": ["172.30.0.0/16"]}
    (region,) = cloud_plan(balancer={"kind": kind, "certificate": "c"}, network=network).regions
    (storage,) = (group for group in region.security_groups if group.purpose == "storage")
    let_in = {(rule.cidr, rule.ports) for rule in storage.rules if rule.direction == "ingress" and rule.cidr}
    assert (("172.30.0.0/16", "9000/9000") in let_in) == sees_clients
    assert ("100.64.0.0/10", "9080/9080") in let_in or not sees_clients
    passed = [entry for entry in region.network.acl.entries if entry.direction == "ingress" and entry.cidr[0] == "1"]
    clients = [entry.ports for entry in passed if entry.cidr == "172.30.0.0/16"]
    assert clients == ["9000/9000" if sees_clients else "443/443"]
    looks = {entry.ports for entry in passed if (entry.cidr, entry.protocol) == ("100.64.0.0/10", "tcp")}
    assert looks == {"9000/9000", "9080/9080"}
