"""Gateways whose number varies: an ESS scaling group from a launch template, behind the balancer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import pulumi
import pulumi_alicloud as alicloud

from infra.blueprint.cloud import PlannedScaling
from infra.components.compute import SYSTEM_CATEGORY, SYSTEM_LEVEL, encoded
from infra.components.ordering import after

CPU_PERCENT: Final = 60.0  # a gateway spends its time on TLS and hashing
WARMUP_S: Final = 300  # wheel, settings, start: no figure of a younger one counts
WEIGHT: Final = 100


@dataclass(frozen=True)
class Entrance:
    """The balancer that gateways stand behind; `port`: theirs."""

    kind: Literal["nlb", "alb", "clb"]
    balancer_id: pulumi.Input[str]
    server_group_id: pulumi.Input[str]
    port: int


@dataclass(frozen=True)
class ScalingArgs:
    """Everything by the Plan's names; `user_data` is plain text.

    `protect`: neither `destroy` nor the cloud's console removes the group. `made`: what a gateway fetches at its start.
    """

    plan: PlannedScaling
    user_data: str
    switch_ids: Mapping[str, pulumi.Input[str]]
    group_ids: Mapping[str, pulumi.Input[str]]
    key_id: pulumi.Input[str] | None
    key_pair: pulumi.Input[str] | None
    entrance: Entrance | None
    protect: bool
    role_names: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)  # missing: the role's name in the Plan
    made: Sequence[pulumi.Resource] = ()


class Scaling(pulumi.ComponentResource):
    """`scaling_group_id`.

    A launch template and not a scaling configuration: only the template can require IMDSv2. Its user data and image
    change freely: that is a new version of the template, for gateways yet to come; none is rebooted.
    """

    scaling_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: ScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:Scaling", name, None, opts)
        self._args = args
        self._opts = pulumi.ResourceOptions(parent=self)
        group = self._group(args.plan, after(self._template(args.plan), args.made))
        self.scaling_group_id = group.id
        self._drain(args.plan)
        self._rule(args.plan)
        if args.entrance is not None:
            self._enter(args.plan.name, args.entrance)
        self.register_outputs({"scalingGroupId": self.scaling_group_id})

    def _template(self, plan: PlannedScaling) -> pulumi.Output[str]:
        args, machine = self._args, plan.machine
        return alicloud.ecs.EcsLaunchTemplate(
            f"{plan.name}-template",
            launch_template_name=f"{plan.name}-template",
            description="Gateways: no drives, nothing to lose",
            update_default_version_number=True,  # the group takes the default version
            instance_name=plan.name,
            instance_type=machine.instance_type,
            image_id=machine.image,
            instance_charge_type="PostPaid",
            network_type="vpc",
            internet_max_bandwidth_out=0,  # no public address
            security_group_ids=[args.group_ids[machine.security_group]],
            ram_role_name=args.role_names.get(machine.role, machine.role),
            key_pair_name=args.key_pair,
            http_endpoint="enabled",
            http_tokens="required",
            security_enhancement_strategy="Active",
            system_disk=alicloud.ecs.EcsLaunchTemplateSystemDiskArgs(
                category=SYSTEM_CATEGORY,
                performance_level=SYSTEM_LEVEL,
                size=machine.system_disk_gib,
                encrypted=True,
                kms_key_id=args.key_id,
                delete_with_instance=True,
            ),
            user_data=encoded(args.user_data),
            opts=self._opts,
        ).id

    def _group(self, plan: PlannedScaling, template: pulumi.Output[str]) -> alicloud.ess.ScalingGroup:
        args = self._args
        return alicloud.ess.ScalingGroup(
            plan.name,
            scaling_group_name=plan.name,
            min_size=plan.min,
            max_size=plan.max,
            vswitch_ids=[args.switch_ids[switch] for switch in plan.switches],
            multi_az_policy="BALANCE",
            launch_template_id=template,
            launch_template_version="Default",
            removal_policies=["OldestScalingConfiguration", "OldestInstance"],
            # Without a balancer nothing else tells whether a gateway answers.
            health_check_type="ECS" if args.entrance is None else "LOAD_BALANCER",
            group_deletion_protection=args.protect,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )

    def _drain(self, plan: PlannedScaling) -> None:
        # A gateway that is done says so itself; one that cannot is removed when the time is over.
        alicloud.ess.LifecycleHook(
            plan.hook,
            name=plan.hook,
            scaling_group_id=self.scaling_group_id,
            lifecycle_transition="SCALE_IN",
            heartbeat_timeout=plan.drain_s,
            default_result="CONTINUE",
            opts=self._opts,
        )

    def _rule(self, plan: PlannedScaling) -> None:
        alicloud.ess.ScalingRule(
            f"{plan.name}-cpu",
            scaling_rule_name=f"{plan.name}-cpu",
            scaling_group_id=self.scaling_group_id,
            scaling_rule_type="TargetTrackingScalingRule",
            metric_name="CpuUtilization",
            target_value=CPU_PERCENT,
            estimated_instance_warmup=WARMUP_S,
            opts=self._opts,
        )

    def _enter(self, name: str, entrance: Entrance) -> None:
        if entrance.kind == "clb":
            self._enter_clb(name, entrance)
            return
        alicloud.ess.ServerGroupAttachment(
            f"{name}-entrance",
            scaling_group_id=self.scaling_group_id,
            server_group_id=entrance.server_group_id,
            type=entrance.kind.upper(),
            port=entrance.port,
            weight=WEIGHT,
            force_attach=True,  # those that started before the attachment too
            opts=self._opts,
        )

    def _enter_clb(self, name: str, entrance: Entrance) -> None:
        servers = alicloud.ess.ScalingGroupVServerGroupsVserverGroupVserverAttributeArgs(
            vserver_group_id=entrance.server_group_id, port=entrance.port, weight=WEIGHT
        )
        alicloud.ess.ScalingGroupVServerGroups(
            f"{name}-entrance",
            scaling_group_id=self.scaling_group_id,
            vserver_groups=[
                alicloud.ess.ScalingGroupVServerGroupsVserverGroupArgs(
                    loadbalancer_id=entrance.balancer_id, vserver_attributes=[servers]
                )
            ],
            force=True,
            opts=self._opts,
        )
