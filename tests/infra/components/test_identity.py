"""Identity: roles, their policies as text, what is attached to what; and the account's one role."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from infra.blueprint.cloud import FromOutput, PlannedRamPolicy, PlannedRamRole, PlannedStatement
from infra.components.identity import DISK_POLICY, DISK_ROLE, AccountRoles, Identity, IdentityArgs
from tests.infra.components.house import children, gives_the_least, statements, types
from tests.infra.components.recorder import Recorded, named, of_type, only, record

KEY = FromOutput(from_output="key_arn", region="cn-hangzhou")
ROLE = PlannedRamRole(
    name="k-server",
    description="Storage hosts",
    service="ecs.aliyuncs.com",
    policies=(
        PlannedRamPolicy(
            name="k-server-key",
            description="Use of the key",
            statements=(PlannedStatement(actions=("kms:Decrypt", "kms:GenerateDataKey"), resources=(KEY,)),),
        ),
        PlannedRamPolicy(
            name="k-server-tier",
            description="Objects of the tier bucket",
            statements=(
                PlannedStatement(actions=("oss:ListObjects",), resources=("acs:oss:*:*:tier",)),
                PlannedStatement(actions=("oss:GetObject",), resources=("acs:oss:*:*:tier/*",)),
            ),
        ),
    ),
)


def built(*roles: PlannedRamRole, outputs: dict[str, Any] | None = None) -> tuple[list[Recorded], dict[str, str]]:
    names: dict[str, str] = {}

    def build(opts: pulumi.ResourceOptions) -> None:
        known = {"key_arn": pulumi.Output.from_input("acs:kms:cn-hangzhou:1:key/k")} if outputs is None else outputs
        made = Identity("identity", IdentityArgs(roles, known), opts)
        pulumi.Output.all(**made.role_names).apply(names.update)

    return record(build), names


def test_a_role_its_policies_and_what_joins_them() -> None:
    found, names = built(ROLE)
    made = children(found, "Identity")
    assert types(made) == ["Policy", "Policy", "Role", "RolePolicyAttachment", "RolePolicyAttachment"]
    assert names == {"k-server": "k-server"}
    assert only(made, "Role").inputs["roleName"] == "k-server"
    for attachment in of_type(made, "RolePolicyAttachment"):
        assert attachment.inputs["policyType"] == "Custom"
        assert attachment.inputs["roleName"] == "k-server"
        assert attachment.waits_for(attachment.inputs["policyName"])
        assert attachment.waits_for("k-server")


def test_only_the_named_service_may_take_a_role() -> None:
    made = children(built(ROLE)[0], "Identity")
    (trusted,) = statements(only(made, "Role").inputs["assumeRolePolicyDocument"])
    assert trusted == {
        "Action": "sts:AssumeRole",
        "Effect": "Allow",
        "Principal": {"Service": ["ecs.aliyuncs.com"]},
    }


def test_policies_are_the_plans_statements_with_outputs_filled_in() -> None:
    made = children(built(ROLE)[0], "Identity")
    key, tier = (named(made, name).inputs["policyDocument"] for name in ("k-server-key", "k-server-tier"))
    assert statements(key) == [
        {
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Effect": "Allow",
            "Resource": ["acs:kms:cn-hangzhou:1:key/k"],
        }
    ]
    assert [statement["Resource"] for statement in statements(tier)] == [["acs:oss:*:*:tier"], ["acs:oss:*:*:tier/*"]]
    gives_the_least(key)
    gives_the_least(tier)


def test_an_output_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="key_arn"):
        built(ROLE, outputs={})


def test_no_access_key_is_ever_made() -> None:
    made = children(built(ROLE)[0], "Identity")
    assert not of_type(made, "AccessKey")
    assert "User" not in types(made)


def test_the_account_gets_the_role_that_opens_encrypted_disks() -> None:
    found = record(lambda opts: AccountRoles("account", opts=opts))
    made = children(found, "AccountRoles")
    assert types(made) == ["Role", "RolePolicyAttachment"]
    assert all(one.protect for one in made)
    role, attachment = only(made, "Role"), only(made, "RolePolicyAttachment")
    assert role.inputs["roleName"] == DISK_ROLE == "AliyunECSDiskEncryptDefaultRole"
    trusted = json.loads(role.inputs["assumeRolePolicyDocument"])["Statement"][0]
    assert trusted["Principal"] == {"Service": ["ecs.aliyuncs.com"]}
    assert attachment.inputs == {"roleName": DISK_ROLE, "policyName": DISK_POLICY, "policyType": "System"}
