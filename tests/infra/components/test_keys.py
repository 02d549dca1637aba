"""Keys: what is made in each mode, and who may manage it."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from infra.blueprint.cloud import PlannedKeys
from infra.components.keys import ADMINISTRATION, Keys, KeysArgs, key_policy
from tests.infra.components.house import children, statements, types
from tests.infra.components.recorder import Recorded, only, record

ADMIN = "acs:ram::1234567890:role/keys"
ARN = "acs:kms:cn-hangzhou:1234567890:key/key-1"


def plan(mode: str = "instance", **other: Any) -> PlannedKeys:
    given: dict[str, Any] = {
        "mode": mode,
        "name": "k-key",
        "alias": "alias/k-key",
        "zones": ("cn-hangzhou-h", "cn-hangzhou-i"),
        "switch": "shared-h",
    }
    return PlannedKeys(**{**given, **other})


def built(planned: PlannedKeys, *, protect: bool = True) -> tuple[list[Recorded], dict[str, Any]]:
    known: dict[str, Any] = {}

    def build(opts: pulumi.ResourceOptions) -> None:
        made = Keys("keys", KeysArgs(planned, "vpc-1", {"shared-h": "vsw-h"}, protect), opts)
        pulumi.Output.all(key_id=made.key_id, key_arn=made.key_arn).apply(known.update)

    return record(build, computed={"alicloud:kms/key:Key": {"arn": ARN}}), known


def test_the_clouds_own_keys_need_nothing() -> None:
    found, known = built(plan("service"))
    assert children(found, "Keys") == []
    assert known == {"key_id": None, "key_arn": None}


def test_the_default_key_is_adopted_and_never_a_resource() -> None:
    found, known = built(plan("default-cmk", existing="key-hz1"))
    assert children(found, "Keys") == []
    assert known == {"key_id": "key-hz1", "key_arn": "acs:kms:*:*:key/key-hz1"}


def test_adopting_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"keys\.existing"):
        built(plan("default-cmk"))


def test_a_key_of_our_own() -> None:
    found, known = built(plan(administrators=(ADMIN,), rotation_days=90))
    made = children(found, "Keys")
    assert types(made) == ["Alias", "Instance", "Key"]
    assert known == {"key_id": "k-key-id", "key_arn": ARN}
    key, instance, alias = only(made, "Key"), only(made, "Instance"), only(made, "Alias")
    assert key.inputs["dkmsInstanceId"] == "k-key-instance-id"
    assert (key.inputs["automaticRotation"], key.inputs["rotationInterval"]) == ("Enabled", "7776000s")
    assert key.inputs["deletionProtection"] == "Enabled"
    assert key.inputs["protectionLevel"] == "SOFTWARE"
    assert alias.inputs == {"aliasName": "alias/k-key", "keyId": "k-key-id"}
    assert instance.inputs["vpcId"] == "vpc-1"
    assert instance.inputs["vswitchIds"] == ["vsw-h"]
    assert instance.inputs["zoneIds"] == ["cn-hangzhou-h", "cn-hangzhou-i"]
    assert (instance.inputs["paymentType"], instance.inputs["productVersion"]) == ("PayAsYouGo", "3")
    assert not {"keyNum", "spec", "period"} & instance.inputs.keys()


def test_a_hardware_module_is_bought_by_the_month() -> None:
    made = children(built(plan(hsm=True))[0], "Keys")
    bought = only(made, "Instance").inputs
    assert only(made, "Key").inputs["protectionLevel"] == "HSM"
    assert (bought["paymentType"], bought["productVersion"], bought["period"]) == ("Subscription", "5", 1)
    assert {"keyNum", "secretNum", "spec", "vpcNum"} <= bought.keys()


@pytest.mark.parametrize("protect", [True, False])
def test_protection_is_said_to_the_engine_and_to_the_cloud(protect: bool) -> None:
    made = children(built(plan(), protect=protect)[0], "Keys")
    assert {one.protect for one in made} == {protect}
    assert only(made, "Instance").inputs["deletionProtection"] is protect
    assert only(made, "Key").inputs["deletionProtection"] == ("Enabled" if protect else "Disabled")


def test_an_alias_has_its_prefix_once() -> None:
    made = children(built(plan(alias="mine"))[0], "Keys")
    assert only(made, "Alias").inputs["aliasName"] == "alias/mine"


@pytest.mark.parametrize("missing", [{"switch": None}, {"zones": ()}])
def test_an_instance_that_lies_nowhere_is_refused(missing: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the plan names none"):
        built(plan(**missing))


def test_administrators_manage_and_do_not_use() -> None:
    (statement,) = statements(str(key_policy(("acs:ram::1:user/b", "acs:ram::1:user/a"))))
    assert statement["Principal"] == {"RAM": ["acs:ram::1:user/a", "acs:ram::1:user/b"]}
    assert statement["Action"] == sorted(ADMINISTRATION)
    used = {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"}
    assert not used & set(statement["Action"])
    assert not any("*" in action for action in statement["Action"])
    assert statement["Resource"] == ["*"]  # of a key's policy: the key


def test_without_administrators_the_clouds_own_policy_stands() -> None:
    assert "policy" not in only(children(built(plan())[0], "Keys"), "Key").inputs
