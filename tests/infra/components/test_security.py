"""Security groups: every rule described, accepts before drops, peers by id."""

from __future__ import annotations

from typing import Any

import pytest

from infra.blueprint.cloud import PlannedRule, PlannedSecurityGroup
from infra.components.security import Security, SecurityArgs
from tests.infra.components.house import children, types
from tests.infra.components.recorder import Recorded, named, of_type, record


def rule(name: str, **other: Any) -> PlannedRule:
    given: dict[str, Any] = {
        "direction": "ingress",
        "action": "accept",
        "protocol": "tcp",
        "ports": "9000/9000",
        "description": f"why {name}",
    }
    if "group" not in other:
        given["cidr"] = "10.1.0.0/16"
    return PlannedRule(name=name, **{**given, **other})


def drop(name: str, **other: Any) -> PlannedRule:
    given: dict[str, Any] = {"action": "drop", "protocol": "all", "ports": "-1/-1", "priority": 100}
    return rule(name, cidr="0.0.0.0/0", **{**given, **other})


def group(name: str, *rules: PlannedRule) -> PlannedSecurityGroup:
    return PlannedSecurityGroup(name=name, purpose="storage", description=f"the {name} group", rules=rules)


def built(*groups: PlannedSecurityGroup) -> list[Recorded]:
    return record(lambda opts: Security("security", SecurityArgs(groups, "vpc-1"), opts))


def test_groups_that_name_each_other() -> None:
    found = built(
        group("storage", rule("s-in", group="gateway"), rule("s-own", group="storage"), drop("s-rest")),
        group("gateway", rule("g-out", direction="egress", group="storage"), drop("g-rest", direction="egress")),
    )
    assert types(children(found, "Security")) == ["SecurityGroup"] * 2 + ["SecurityGroupRule"] * 5
    assert named(found, "storage").inputs == {
        "securityGroupName": "storage",
        "description": "the storage group",
        "vpcId": "vpc-1",
        "securityGroupType": "normal",
        "innerAccessPolicy": "Drop",
    }
    assert named(found, "s-in").inputs == {
        "securityGroupId": "storage-id",
        "sourceSecurityGroupId": "gateway-id",
        "type": "ingress",
        "policy": "accept",
        "ipProtocol": "tcp",
        "portRange": "9000/9000",
        "priority": 1,
        "nicType": "intranet",
        "description": "why s-in",
    }
    assert named(found, "g-out").inputs["type"] == "egress"
    assert named(found, "s-rest").inputs["cidrIp"] == "0.0.0.0/0"
    assert named(found, "security").outputs == {"groupIds": {"storage": "storage-id", "gateway": "gateway-id"}}


def test_every_rule_says_why_and_drops_come_last() -> None:
    found = of_type(built(group("storage", rule("in"), drop("rest"))), "SecurityGroupRule")
    assert all(one.inputs["description"] for one in found)
    assert [(one.inputs["policy"], one.inputs["priority"]) for one in found] == [("accept", 1), ("drop", 100)]


@pytest.mark.parametrize("priority", [1, 5])
def test_a_drop_that_hides_an_accept_is_refused(priority: int) -> None:
    with pytest.raises(ValueError, match="hides accepts of storage"):
        built(group("storage", rule("in", priority=5), drop("rest", priority=priority)))


def test_a_drop_of_one_direction_hides_nothing_of_the_other() -> None:
    assert built(group("storage", rule("in", priority=5), drop("rest", direction="egress", priority=1)))
    assert built(group("storage", rule("in", priority=5), drop("rest", priority=6)))


def test_a_rule_has_one_peer_that_is_there() -> None:
    with pytest.raises(ValueError, match="one peer"):
        built(group("storage", rule("in", cidr=None)))
    with pytest.raises(ValueError, match="one peer"):
        built(group("storage", rule("in", cidr="10.0.0.0/8", group="storage")))
    with pytest.raises(ValueError, match="no group gateway"):
        built(group("storage", rule("in", group="gateway")))
