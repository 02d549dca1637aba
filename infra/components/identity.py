"""Roles of the account: who may take them, and the least they may do. No access key is ever made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_alicloud as alicloud

from infra.blueprint.cloud import FromOutput, Known, PlannedRamPolicy, PlannedRamRole, PlannedStatement
from infra.components.ordering import after
from infra.components.policy import policy

# Alibaba Cloud, "Permissions for encryption" of ECS: the names and the trust are theirs, once an account.
DISK_ROLE: Final = "AliyunECSDiskEncryptDefaultRole"
DISK_POLICY: Final = "AliyunECSDiskEncryptRolePolicy"
# A policy keeps five versions; without this the sixth change of one fails.
ROTATE: Final = "DeleteOldestNonDefaultVersionWhenLimitExceeded"


@dataclass(frozen=True)
class IdentityArgs:
    """`outputs`: what a statement's `from_output` names, of this stack."""

    roles: tuple[PlannedRamRole, ...]
    outputs: Mapping[str, pulumi.Input[str]]


class Identity(pulumi.ComponentResource):
    """`role_names` by the role's name in the Plan; who uses one waits until all of its policies are attached.

    Raises: ValueError when a statement names an output that is not there.
    """

    role_names: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:Identity", name, None, opts)
        self._args = args
        self.role_names = {planned.name: self._role(planned) for planned in args.roles}
        self.register_outputs({"roleNames": self.role_names})

    def _role(self, planned: PlannedRamRole) -> pulumi.Output[str]:
        role = alicloud.ram.Role(
            planned.name,
            role_name=planned.name,
            description=planned.description,
            assume_role_policy_document=trust(planned.service),
            opts=pulumi.ResourceOptions(parent=self),
        )
        attached = [self._policy(policy, role) for policy in planned.policies]
        return after(role.role_name, attached)

    def _policy(self, policy: PlannedRamPolicy, role: alicloud.ram.Role) -> alicloud.ram.RolePolicyAttachment:
        made = alicloud.ram.Policy(
            policy.name,
            policy_name=policy.name,
            description=policy.description,
            policy_document=document(policy.statements, self._args.outputs),
            rotate_strategy=ROTATE,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return alicloud.ram.RolePolicyAttachment(
            f"{policy.name}-attachment",
            role_name=role.role_name,
            policy_name=made.policy_name,
            policy_type="Custom",
            opts=pulumi.ResourceOptions(parent=self),
        )


class AccountRoles(pulumi.ComponentResource):
    """What an account needs once: without this role ECS cannot open a disk that a key of ours encrypts."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:AccountRoles", name, None, opts)
        kept = pulumi.ResourceOptions(parent=self, protect=True)
        role = alicloud.ram.Role(
            DISK_ROLE,
            role_name=DISK_ROLE,
            description="ECS opens encrypted disks with it",
            assume_role_policy_document=trust("ecs.aliyuncs.com"),
            opts=kept,
        )
        alicloud.ram.RolePolicyAttachment(
            f"{DISK_ROLE}-{DISK_POLICY}",
            role_name=role.role_name,
            policy_name=DISK_POLICY,
            policy_type="System",
            opts=kept,
        )
        self.register_outputs({"roleName": role.role_name})


def trust(service: str) -> str:
    """JSON: this service, and nobody else, may take the role."""
    statement = {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": [service]}}
    return policy(statement)


def document(
    statements: tuple[PlannedStatement, ...], outputs: Mapping[str, pulumi.Input[str]]
) -> pulumi.Output[str]:
    """JSON of the statements, the same bytes for the same statements. Raises: ValueError."""

    def written(resources: list[list[str]]) -> str:
        found = [
            {"Action": list(statement.actions), "Effect": statement.effect, "Resource": resource}
            for statement, resource in zip(statements, resources, strict=True)
        ]
        return policy(*found)

    return pulumi.Output.all(*([_known(one, outputs) for one in each.resources] for each in statements)).apply(written)


def _known(resource: Known, outputs: Mapping[str, pulumi.Input[str]]) -> pulumi.Input[str]:
    if not isinstance(resource, FromOutput):
        return resource
    if resource.from_output not in outputs:
        raise ValueError(f"a statement names output {resource.from_output!r}, and this stack has none of that name")
    return outputs[resource.from_output]
