"""Every check on the cloud fails where it should, at its place in the blueprint, and passes one step beside it."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from infra import checks
from infra.blueprint.cloud import FromOutput, PlannedRule
from infra.blueprint.expand import expand
from infra.blueprint.plan import Plan
from infra.checks import Verdict
from infra.checks.outcome import Where
from tests.infra.cloud_blueprints import BEIJING, HANGZHOU, ROOM, SHIPPED, cloud_plan, shipped

TODAY = datetime.date(2026, 6, 1)
TWO_ZONES = {**HANGZHOU, "zones": HANGZHOU["zones"][:2]}
ROOM_HOSTS = [{"name": "one", "zone": "rack", "drives": 9, "address": "192.168.10.5"}]
HYBRID = {
    "hosts": ROOM_HOSTS,
    "onprem": ROOM,
    "interconnect": {"kind": "vpn"},
    "survive": "drive",
    "regions": [{**TWO_ZONES, "role": "backup"}],
}


def outcome(plan: Plan, check: str) -> checks.Outcome:
    return next(found for found in checks.run(plan, today=TODAY) if found.check == check)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_blueprints_pass_every_check(name: str) -> None:
    outcomes = checks.run(expand(shipped(name)), today=TODAY)
    assert {found.check: found.detail for found in outcomes if found.verdict is not Verdict.PASS} == {}


# check, fields where it fails, fields one step beside, and the place of the finding
BOUNDARIES: list[tuple[str, dict[str, Any], dict[str, Any], Where]] = [
    ("domain-loss-survived", {"regions": [TWO_ZONES]}, {"regions": [TWO_ZONES], "k": 4}, ("survive",)),
    (
        "writes-survive-zone",
        {"k": 6, "m": 3},  # three of nine are lost: six are left, seven needed
        {"k": 5, "m": 4},
        ("m",),
    ),
    (
        "drives-cover-profile",
        {"storage": {"drives_per_host": 2}},
        {"storage": {"drives_per_host": 3}},
        ("storage", "drives_per_host"),
    ),
    (
        "regions-distinct",
        {"regions": [HANGZHOU, {**BEIJING, "role": "primary"}]},
        {"regions": [HANGZHOU, BEIJING]},
        ("regions", "cn-hangzhou"),
    ),
    ("regions-distinct", {"regions": [{**HANGZHOU, "role": "replica"}]}, {}, ("regions", "cn-hangzhou")),
    ("regions-distinct", {"regions": [{**HANGZHOU, "role": "backup"}]}, HYBRID, ("regions", "cn-hangzhou")),
    (
        "regions-distinct",
        {"regions": [{**HANGZHOU, "name": "cn-hangzou"}]},
        {"regions": [HANGZHOU]},
        ("regions", "cn-hangzou", "name"),
    ),
    (
        "zones-of-region",
        {"regions": [{**HANGZHOU, "zones": ["cn-hangzhou-h", "cn-hangzhou-j", "cn-shanghai-l"]}]},
        {"regions": [{**HANGZHOU, "zones": ["cn-hangzhou-h", "cn-hangzhou-j", "cn-hangzhou-b"]}]},
        ("regions", "cn-hangzhou", "zones", "cn-shanghai-l"),
    ),
    (
        "zones-of-region",
        {"regions": [{**HANGZHOU, "zones": ["cn-hangzhou-h", "cn-hangzhou-j", "cn-hangzhou-x"]}]},
        {"regions": [HANGZHOU]},
        ("regions", "cn-hangzhou", "zones", "cn-hangzhou-x"),
    ),
    (
        "zones-apart",
        {"regions": [{**HANGZHOU, "zones": ["cn-hangzhou-h", "cn-hangzhou-j", "cn-beijing-h"]}]},
        {"regions": [{**HANGZHOU, "zones": ["cn-hangzhou-h", "cn-hangzhou-j", "cn-beijing-k"]}]},
        ("regions", "cn-hangzhou", "zones", "cn-hangzhou-h"),
    ),
    (
        "cidrs-disjoint",
        {"regions": [HANGZHOU, {**BEIJING, "cidr": HANGZHOU["cidr"]}]},
        {"regions": [HANGZHOU, BEIJING]},
        ("regions", "cn-hangzhou", "cidr"),
    ),
    (
        "cidrs-disjoint",
        {**HYBRID, "onprem": {**ROOM, "cidr": "10.20.128.0/24"}},
        {**HYBRID, "onprem": {**ROOM, "cidr": "10.21.128.0/24"}},
        ("onprem", "cidr"),
    ),
    (
        "hosts-in-room",
        {**HYBRID, "hosts": [{**ROOM_HOSTS[0], "address": "192.168.11.5"}]},
        HYBRID,
        ("hosts", "one", "address"),
    ),
    (
        "two-zones",
        {"regions": [{**HANGZHOU, "zones": ["cn-hangzhou-h"]}], "survive": "drive"},
        {"regions": [{**HANGZHOU, "zones": ["cn-hangzhou-h"]}], "survive": "drive", "balancer": {"kind": "none"}},
        ("regions", "cn-hangzhou", "zones"),
    ),
    (
        "two-zones",
        {**HYBRID, "regions": [{**TWO_ZONES, "role": "backup", "zones": ["cn-hangzhou-h"]}]},
        HYBRID,
        ("regions", "cn-hangzhou", "zones"),
    ),
    (
        "existing-vpc-fits",
        {"network": {"existing": {"cn-hangzhou": "my network"}}},
        {"network": {"existing": {"cn-hangzhou": "vpc-bp1aevy8sofi8mh1q"}}},
        ("network", "existing", "cn-hangzhou"),
    ),
    (
        "instance-types-known",
        {"storage": {"instance_type": "ecs.g7.2xlage"}},
        {"storage": {"instance_type": "ecs.g7.2xlarge"}},
        ("storage", "instance_type"),
    ),
    (
        "instance-types-known",
        {"gateways": {"scaling": True, "instance_type": "ecs.c7.huge"}},
        {"gateways": {"scaling": True, "instance_type": "ecs.c7.4xlarge"}},
        ("gateways", "instance_type"),
    ),
    (
        "instance-types-known",
        {"database": {"enabled": True, "instance_type": "pg.n2.3c.2m"}},
        {"database": {"enabled": True, "instance_type": "pg.n2.2c.2m"}},
        ("database", "instance_type"),
    ),
    (
        "purchases-allowed",
        {"keys": {"mode": "instance"}},
        {"keys": {"mode": "instance"}, "allow_purchase": True},
        ("keys", "mode"),
    ),
    (
        "purchases-allowed",
        {"dns": {"domain": "kakera.test", "traffic_manager": True}},
        {"dns": {"domain": "kakera.test", "traffic_manager": False}},
        ("dns", "traffic_manager"),
    ),
    ("names-legal", {**HYBRID, "hosts": [{**ROOM_HOSTS[0], "name": "one-"}]}, HYBRID, ("hosts", "one-", "name")),
    (
        "wheel-digest-given",
        {"gateways": {"scaling": True}},
        {"gateways": {"scaling": True, "wheel_sha256": "ab" * 32}},
        ("gateways",),
    ),
    (
        "security-least-exposure",
        {"network": {"client_cidrs": ["0.0.0.0/0"]}},
        {"network": {"client_cidrs": ["10.0.0.0/8"]}},
        ("network", "client_cidrs"),
    ),
    (
        "security-least-exposure",
        {"network": {"admin_cidrs": ["0.0.0.0/0"]}},
        {"network": {"admin_cidrs": ["198.18.0.0/24"]}},
        ("network", "admin_cidrs"),
    ),
    (
        "security-least-exposure",
        {"balancer": {"kind": "none"}, "network": {"client_cidrs": ["0.0.0.0/0"]}},
        {"balancer": {"public": True}, "network": {"client_cidrs": ["0.0.0.0/0"]}},
        ("network", "client_cidrs"),
    ),
    ("ssh-key-given", {"ssh_public_key": None}, {}, ("ssh_public_key",)),
    ("ssh-key-given", {"ssh_public_key": "-----BEGIN OPENSSH PRIVATE KEY-----"}, {}, ("ssh_public_key",)),
    (
        "placeholders-replaced",
        {"environment": "prod", "dns": {"domain": "example.com"}},
        {"environment": "prod", "dns": {"domain": "kakera.test"}},
        ("dns", "domain"),
    ),
    (
        "placeholders-replaced",
        {"environment": "prod", "ssh_public_key": "ssh-ed25519 AAAA replace-me@example.com"},
        {"environment": "dev", "ssh_public_key": "ssh-ed25519 AAAA replace-me@example.com"},
        ("ssh_public_key",),
    ),
    (
        "placeholders-replaced",
        {**HYBRID, "environment": "prod", "onprem": {**ROOM, "gateway_address": "203.0.113.10"}},
        {**HYBRID, "environment": "prod"},
        ("onprem", "gateway_address"),
    ),
    (
        "placeholders-replaced",
        {"environment": "prod", "gateways": {"scaling": True, "wheel_sha256": hashlib.sha256(b"").hexdigest()}},
        {"environment": "prod", "gateways": {"scaling": True, "wheel_sha256": hashlib.sha256(b"wheel").hexdigest()}},
        ("gateways", "wheel_sha256"),
    ),
    (
        "production-protected",
        {"environment": "prod", "protect": False},
        {"environment": "staging", "protect": False},
        ("protect",),
    ),
    ("ports-usable", {"port": 9080}, {"port": 9081}, ("port",)),
]


@pytest.mark.parametrize(("check", "failing", "passing", "where"), BOUNDARIES)
def test_boundary(check: str, failing: dict[str, Any], passing: dict[str, Any], where: Where) -> None:
    assert outcome(cloud_plan(**passing), check).verdict is Verdict.PASS, outcome(cloud_plan(**passing), check).detail
    found = outcome(cloud_plan(**failing), check)
    assert found.verdict is Verdict.FAIL
    assert where in {finding.where for finding in found.findings}


def test_a_zone_that_must_hold_too_much_is_named() -> None:
    """Nine drives in one zone and some in two others, which leave it five of nine fragments, then four = m."""

    def judged(others: int) -> checks.Outcome:
        zones = (("a", 9), ("b", 1), ("c", others))
        hosts = [{"name": f"h{zone}", "zone": zone, "drives": count} for zone, count in zones]
        return outcome(cloud_plan(regions=[{**TWO_ZONES, "role": "backup"}], hosts=hosts), "zone-holds-fragments")

    assert judged(3).verdict is Verdict.FAIL
    assert "a must hold 5 of 9 fragments" in judged(3).detail
    assert judged(3).where == ("hosts", "ha", "zone")
    assert judged(4).verdict is Verdict.PASS


# What expansion never does: a Plan that was broken on purpose.
def _without_output(plan: Plan) -> Plan:
    region = plan.regions[0]
    outputs = tuple(name for name in region.outputs if name != "balancer_address")
    return plan.model_copy(update={"regions": (region.model_copy(update={"outputs": outputs}),)})


def _with_unknown_output(plan: Plan) -> Plan:
    region = plan.regions[0]
    return plan.model_copy(update={"regions": (region.model_copy(update={"outputs": (*region.outputs, "x")}),)})


def _without_secrets(plan: Plan) -> Plan:
    return plan.model_copy(update={"secrets": ()})


def _with_rule(plan: Plan, **changes: Any) -> Plan:
    region = plan.regions[0]
    rule: PlannedRule = region.security_groups[0].rules[0].model_copy(update=changes)
    group = region.security_groups[0].model_copy(update={"rules": (rule,)})
    return plan.model_copy(update={"regions": (region.model_copy(update={"security_groups": (group,)}),)})


def _with_entrance(plan: Plan, change: Callable[[PlannedRule], PlannedRule | None]) -> Plan:
    """Each rule of the storage hosts as `change` has it; None: without it."""
    region = plan.regions[0]
    groups = tuple(
        group.model_copy(update={"rules": tuple(made for rule in group.rules if (made := change(rule)) is not None)})
        if group.purpose == "storage"
        else group
        for group in region.security_groups
    )
    return plan.model_copy(update={"regions": (region.model_copy(update={"security_groups": groups}),)})


def _with_health_open(plan: Plan) -> Plan:
    """To a client's range beside the balancer's."""
    return _with_entrance(
        plan, lambda rule: rule.model_copy(update={"cidr": "10.9.0.0/16"}) if rule.ports == "9080/9080" else rule
    )


def _with_all_ports_open(plan: Plan) -> Plan:
    opened = {"cidr": "10.0.0.0/8", "ports": "-1/-1", "protocol": "all"}
    return _with_entrance(plan, lambda rule: rule.model_copy(update=opened) if rule.ports == "9000/9000" else rule)


def _with_health_closed(plan: Plan) -> Plan:
    return _with_entrance(plan, lambda rule: None if rule.ports == "9080/9080" else rule)


def _with_disk_role(plan: Plan) -> Plan:
    region = plan.regions[0]
    keys = region.keys.model_copy(update={"disk_role": "mine"})
    return plan.model_copy(update={"regions": (region.model_copy(update={"keys": keys}),)})


def _with_disks(plan: Plan) -> Plan:
    host = plan.hosts[0]
    drives = tuple(host.drives[0].model_copy(update={"name": f"d{n}"}) for n in range(25))
    machine = host.machine.model_copy(update={"instance_type": "ecs.g7se.4xlarge"}) if host.machine else None
    return plan.model_copy(update={"hosts": (host.model_copy(update={"drives": drives, "machine": machine}),)})


@pytest.mark.parametrize(
    ("check", "damage"),
    [
        ("outputs-produced", _without_output),
        ("outputs-produced", _with_unknown_output),
        ("secrets-referenced", _without_secrets),
        ("security-least-exposure", lambda plan: _with_rule(plan, description="")),
        ("security-least-exposure", lambda plan: _with_rule(plan, description="only allows, nothing dropped")),
        ("health-port-guarded", _with_health_open),
        ("health-port-guarded", _with_all_ports_open),
        ("health-port-guarded", _with_health_closed),
        ("disk-encryption-preflight", _with_disk_role),
        ("disks-attachable", _with_disks),
    ],
)
def test_a_damaged_plan_is_found(check: str, damage: Callable[[Plan], Plan]) -> None:
    sound = cloud_plan(
        dns={"domain": "kakera.test"}, database={"enabled": True}, keys={"mode": "instance"}, allow_purchase=True
    )
    assert outcome(sound, check).verdict is Verdict.PASS
    assert outcome(damage(sound), check).verdict is Verdict.FAIL


@pytest.mark.parametrize("kind", ["nlb", "alb", "clb"])
@pytest.mark.parametrize("gateways", [{}, {"per_zone": 1}, {"scaling": True}])
def test_every_balancer_sees_the_health_of_its_hosts(kind: str, gateways: dict[str, Any]) -> None:
    plan = cloud_plan(balancer={"kind": kind, "certificate": "c", "public": True}, gateways=gateways)
    assert outcome(plan, "health-port-guarded").verdict is Verdict.PASS, outcome(plan, "health-port-guarded").detail
    closed = cloud_plan(balancer={"kind": kind, "certificate": "c"}, gateways=gateways)
    region = closed.regions[0]
    empty = tuple(group.model_copy(update={"rules": ()}) for group in region.security_groups)
    broken = closed.model_copy(update={"regions": (region.model_copy(update={"security_groups": empty}),)})
    assert "cannot see health port 9080" in outcome(broken, "health-port-guarded").detail


def test_outputs_are_asked_for_in_the_stack_that_makes_them() -> None:
    plan = cloud_plan(dns={"domain": "kakera.test"})
    assert plan.joint and plan.joint.dns
    value = FromOutput(from_output="vpc_id", region="elsewhere")
    record = plan.joint.dns.records[0].model_copy(update={"value": value})
    joint = plan.joint.model_copy(update={"dns": plan.joint.dns.model_copy(update={"records": (record,)})})
    found = outcome(plan.model_copy(update={"joint": joint}), "outputs-produced")
    assert "needs output 'vpc_id' of elsewhere" in found.detail
