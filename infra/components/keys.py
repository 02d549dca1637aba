"""The key of a region: none of ours, an adopted one, or our own in a KMS instance (a purchase)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_alicloud as alicloud

from infra.blueprint.cloud import PlannedKeys
from infra.components.policy import policy

DAY_S: Final = 86_400
PENDING_DAYS: Final = 30  # between the wish to delete a key and its end: time to find out what it still opens
SOFTWARE: Final = "3"  # kinds of instance, as the purchase names them
HARDWARE: Final = "5"

# Managing, one by one; using the key is not among it, that is for the policies of roles.
ADMINISTRATION: Final = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:CreateKeyVersion",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DescribeKeyVersion",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:GetKeyPolicy",
    "kms:ListAliasesByKeyId",
    "kms:ListKeyVersions",
    "kms:ListResourceTags",
    "kms:ScheduleKeyDeletion",
    "kms:SetDeletionProtection",
    "kms:SetKeyPolicy",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
    "kms:UpdateRotationPolicy",
)


@dataclass(frozen=True)
class KeysArgs:
    """`switch_ids` by the switch's name. `protect`: neither `destroy` nor the cloud's console removes the key."""

    plan: PlannedKeys
    vpc_id: pulumi.Input[str]
    switch_ids: Mapping[str, pulumi.Input[str]]
    protect: bool


class Keys(pulumi.ComponentResource):
    """`key_id` and `key_arn` are None where the cloud uses keys of its own. Raises: ValueError for half a plan."""

    key_id: pulumi.Output[str] | None = None
    key_arn: pulumi.Output[str] | None = None

    def __init__(self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:Keys", name, None, opts)
        match args.plan.mode:
            case "service":
                pass
            case "default-cmk":
                self._adopt(args.plan)
            case "instance":
                self._make(args)
        self.register_outputs({"keyId": self.key_id, "keyArn": self.key_arn})

    def _adopt(self, plan: PlannedKeys) -> None:
        # A region has one default key, which no program of an environment may own: it is never a resource here.
        if not plan.existing:
            raise ValueError(f"{plan.name}: default-cmk adopts a key; give its id as keys.existing of this region")
        self.key_id = pulumi.Output.from_input(plan.existing)
        self.key_arn = pulumi.Output.from_input(f"acs:kms:*:*:key/{plan.existing}")

    def _make(self, args: KeysArgs) -> None:
        plan = args.plan
        opts = pulumi.ResourceOptions(parent=self, protect=args.protect)
        instance = alicloud.kms.Instance(f"{plan.name}-instance", instance_args(args), opts=opts)
        key = alicloud.kms.Key(
            plan.name,
            description=f"{plan.name}: disks and buckets",
            dkms_instance_id=instance.id,
            key_spec="Aliyun_AES_256",
            key_usage="ENCRYPT/DECRYPT",
            origin="Aliyun_KMS",
            protection_level="HSM" if plan.hsm else "SOFTWARE",
            automatic_rotation="Enabled",
            rotation_interval=f"{plan.rotation_days * DAY_S}s",  # in seconds, as it is read back
            pending_window_in_days=PENDING_DAYS,
            deletion_protection="Enabled" if args.protect else "Disabled",
            policy=key_policy(plan.administrators),
            opts=opts,
        )
        alias = plan.alias if plan.alias.startswith("alias/") else f"alias/{plan.alias}"
        alicloud.kms.Alias(f"{plan.name}-alias", alias_name=alias, key_id=key.id, opts=opts)
        self.key_id = key.id
        self.key_arn = key.arn


def instance_args(args: KeysArgs) -> alicloud.kms.InstanceArgs:
    """What is bought: by use for software keys; for a hardware module, which is sold so alone, by the month.

    Raises: ValueError for a plan without a switch or zones.
    """
    plan = args.plan
    if plan.switch is None or not plan.zones:
        raise ValueError(f"{plan.name}: a KMS instance lies in a switch and in zones, and the plan names none")
    bought = alicloud.kms.InstanceArgs(
        instance_name=f"{plan.name}-instance",
        vpc_id=args.vpc_id,
        vswitch_ids=[args.switch_ids[plan.switch]],
        zone_ids=list(plan.zones),
        product_version=HARDWARE if plan.hsm else SOFTWARE,
        payment_type="Subscription" if plan.hsm else "PayAsYouGo",
        deletion_protection=args.protect,
    )
    if plan.hsm:  # the smallest that is sold
        bought.key_num, bought.secret_num, bought.spec, bought.vpc_num = 1000, 0, 1000, 1
        bought.period, bought.renew_status = 1, "ManualRenewal"
    return bought


def key_policy(administrators: tuple[str, ...]) -> str | None:
    """JSON; None: the cloud's own. The resource of a key's policy is that key: the one way to write it is `*`."""
    if not administrators:
        return None
    statement = {
        "Action": list(ADMINISTRATION),
        "Effect": "Allow",
        "Principal": {"RAM": sorted(administrators)},
        "Resource": ["*"],
        "Sid": "administrators",
    }
    return policy(statement)
