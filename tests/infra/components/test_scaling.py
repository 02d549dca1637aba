"""Gateways whose number varies: as closed as the fixed ones, drained within a bound, behind the balancer."""

from __future__ import annotations

import base64
from typing import Any

import pulumi
import pulumi_alicloud
import pytest

from infra.blueprint.cloud import PlannedMachine, PlannedScaling
from infra.components.scaling import Entrance, Scaling, ScalingArgs
from tests.infra.components.house import children, types
from tests.infra.components.recorder import Recorded, named, of_type, only, record

PLAN = PlannedScaling(
    name="gateways",
    min=2,
    max=6,
    machine=PlannedMachine(
        instance_type="ecs.c8i.large",
        image="debian_12",
        switch="h-shared",
        security_group="sg-gateway",
        role="r-gateway",
    ),
    switches=("h-shared", "i-shared"),
    hook="gateways-drain",
    drain_s=300,
    bucket="artifacts",
    wheel="kakera.whl",
    wheel_sha256="0" * 64,
    settings_object="settings.json",
)
NLB = Entrance(kind="nlb", balancer_id="nlb-1", server_group_id="group-1", port=9000)


def built(entrance: Entrance | None = NLB, **other: Any) -> list[Recorded]:
    given: dict[str, Any] = {
        "user_data": "#cloud-config",
        "switch_ids": {"h-shared": "vsw-h", "i-shared": "vsw-i"},
        "group_ids": {"sg-gateway": "sg-1"},
        "key_id": "key-1",
        "key_pair": "pair",
        "protect": True,
    }
    args = ScalingArgs(plan=PLAN, entrance=entrance, **{**given, **other})
    return record(lambda opts: Scaling("scaling", args, opts))


def test_a_group_a_template_a_hook_a_rule_and_an_entrance() -> None:
    found = built()
    assert types(children(found, "Scaling")) == [
        "EcsLaunchTemplate",
        "LifecycleHook",
        "ScalingGroup",
        "ScalingRule",
        "ServerGroupAttachment",
    ]
    assert named(found, "scaling").outputs == {"scalingGroupId": "gateways-id"}


def test_the_group_spans_zones_within_its_bounds() -> None:
    sent = only(built(), "ScalingGroup").inputs
    assert (sent["minSize"], sent["maxSize"]) == (2, 6)
    assert (sent["vswitchIds"], sent["multiAzPolicy"]) == (["vsw-h", "vsw-i"], "BALANCE")
    assert (sent["launchTemplateId"], sent["launchTemplateVersion"]) == ("gateways-template-id", "Default")
    assert sent["healthCheckType"] == "LOAD_BALANCER"
    assert only(built(entrance=None), "ScalingGroup").inputs["healthCheckType"] == "ECS"


@pytest.mark.parametrize("protect", [True, False])
def test_the_group_is_protected_on_both_sides_or_on_none(protect: bool) -> None:
    found = built(protect=protect)
    assert only(found, "ScalingGroup").inputs["groupDeletionProtection"] is protect
    assert {one.name for one in found if one.protect} == ({"gateways"} if protect else set())


def test_a_gateway_is_as_closed_as_a_fixed_one() -> None:
    sent = only(built(), "EcsLaunchTemplate").inputs
    assert sent["internetMaxBandwidthOut"] == 0
    assert (sent["httpEndpoint"], sent["httpTokens"]) == ("enabled", "required")
    assert (sent["securityGroupIds"], sent["ramRoleName"], sent["keyPairName"]) == (["sg-1"], "r-gateway", "pair")
    disk = sent["systemDisk"]
    assert (disk["encrypted"], disk["kmsKeyId"], disk["deleteWithInstance"]) == (True, "key-1", True)
    assert base64.b64decode(sent["userData"]).decode() == "#cloud-config"
    assert sent["updateDefaultVersionNumber"] is True, "a new version would reach no gateway"


def test_no_gateway_starts_before_what_it_fetches_is_there() -> None:
    def build(opts: pulumi.ResourceOptions) -> None:
        bucket = pulumi_alicloud.oss.Bucket("artifacts", opts=opts)
        args = ScalingArgs(
            plan=PLAN,
            user_data="",
            switch_ids={"h-shared": "vsw-h", "i-shared": "vsw-i"},
            group_ids={"sg-gateway": "sg-1"},
            key_id=None,
            key_pair=None,
            entrance=None,
            protect=False,
            made=(bucket,),
        )
        Scaling("scaling", args, opts)

    group = only(record(build), "ScalingGroup")
    assert group.waits_for("artifacts")
    assert group.inputs["launchTemplateId"] == "gateways-template-id"


def test_without_a_key_or_a_pair_of_ours() -> None:
    sent = only(built(key_id=None, key_pair=None, role_names={"r-gateway": "made"}), "EcsLaunchTemplate").inputs
    assert sent["systemDisk"]["encrypted"] is True and "kmsKeyId" not in sent["systemDisk"]
    assert "keyPairName" not in sent
    assert sent["ramRoleName"] == "made"


def test_a_gateway_drains_within_a_bound() -> None:
    assert only(built(), "LifecycleHook").inputs == {
        "name": "gateways-drain",
        "scalingGroupId": "gateways-id",
        "lifecycleTransition": "SCALE_IN",
        "heartbeatTimeout": 300,
        "defaultResult": "CONTINUE",
    }


def test_the_number_follows_the_load() -> None:
    sent = only(built(), "ScalingRule").inputs
    assert (sent["scalingRuleType"], sent["metricName"]) == ("TargetTrackingScalingRule", "CpuUtilization")
    assert 0 < sent["targetValue"] < 100


@pytest.mark.parametrize("kind", ["nlb", "alb"])
def test_behind_a_group_of_servers(kind: Any) -> None:
    found = built(Entrance(kind=kind, balancer_id="b-1", server_group_id="group-1", port=9000))
    children(found, "Scaling")
    assert only(found, "ServerGroupAttachment").inputs == {
        "scalingGroupId": "gateways-id",
        "serverGroupId": "group-1",
        "type": kind.upper(),
        "port": 9000,
        "weight": 100,
        "forceAttach": True,
    }


def test_behind_a_clb() -> None:
    found = built(Entrance(kind="clb", balancer_id="clb-1", server_group_id="group-1", port=9000))
    children(found, "Scaling")
    (group,) = only(found, "ScalingGroupVServerGroups").inputs["vserverGroups"]
    assert group["loadbalancerId"] == "clb-1"
    assert group["vserverAttributes"] == [{"vserverGroupId": "group-1", "port": 9000, "weight": 100}]
    assert not of_type(found, "ServerGroupAttachment")
