"""Security groups of a region and their rules: what no rule names is dropped (P5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.blueprint.cloud import PlannedRule, PlannedSecurityGroup
from infra.components.ordering import after


@dataclass(frozen=True)
class SecurityArgs:
    groups: tuple[PlannedSecurityGroup, ...]
    vpc_id: pulumi.Input[str]


class Security(pulumi.ComponentResource):
    """`group_ids` by the group's name; what uses one waits for its rules. Raises: ValueError, see `refuse_wrong`."""

    group_ids: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: SecurityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:Security", name, None, opts)
        refuse_wrong(args.groups)
        self._opts = pulumi.ResourceOptions(parent=self)
        self._vpc_id = args.vpc_id
        # Groups before rules: two groups may name each other.
        self._bare = {planned.name: self._group(planned).id for planned in args.groups}
        self.group_ids = {planned.name: self._ruled(planned) for planned in args.groups}
        self.register_outputs({"groupIds": self.group_ids})

    def _group(self, planned: PlannedSecurityGroup) -> alicloud.ecs.SecurityGroup:
        return alicloud.ecs.SecurityGroup(
            planned.name,
            security_group_name=planned.name,
            description=planned.description,
            vpc_id=self._vpc_id,
            security_group_type="normal",  # the other kind cannot name a group as a peer
            inner_access_policy="Drop",  # members of one group pass by a rule too
            opts=self._opts,
        )

    def _ruled(self, planned: PlannedSecurityGroup) -> pulumi.Output[str]:
        return after(self._bare[planned.name], [self._rule(planned.name, rule) for rule in planned.rules])

    def _rule(self, group: str, planned: PlannedRule) -> alicloud.ecs.SecurityGroupRule:
        return alicloud.ecs.SecurityGroupRule(
            planned.name,
            security_group_id=self._bare[group],
            type=planned.direction,
            policy=planned.action,
            ip_protocol=planned.protocol,
            port_range=planned.ports,
            priority=planned.priority,
            nic_type="intranet",
            cidr_ip=planned.cidr,
            source_security_group_id=None if planned.group is None else self._bare[planned.group],
            description=planned.description,
            opts=self._opts,
        )


def refuse_wrong(groups: Iterable[PlannedSecurityGroup]) -> None:
    """A rule has one peer, a group of this Plan or a range, and a drop lies behind every accept. Raises: ValueError."""
    found = {group.name: group for group in groups}
    for group in found.values():
        for rule in group.rules:
            if (rule.cidr is None) == (rule.group is None):
                raise ValueError(f"{rule.name}: one peer, a range or a group")
            if rule.group is not None and rule.group not in found:
                raise ValueError(f"{rule.name}: no group {rule.group} here")
        for direction in ("ingress", "egress"):
            _refuse_shadow(group.name, [rule for rule in group.rules if rule.direction == direction])


def _refuse_shadow(group: str, rules: list[PlannedRule]) -> None:
    # The lower number wins, and of two equal ones the drop.
    last = max((rule.priority for rule in rules if rule.action == "accept"), default=0)
    for rule in rules:
        if rule.action == "drop" and rule.priority <= last:
            raise ValueError(f"{rule.name}: this drop, of priority {rule.priority}, hides accepts of {group}")
