"""A bucket copied to another region. Made by the stack that joins the regions, at the source's provider."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.blueprint.cloud import PlannedReplication


@dataclass(frozen=True)
class ReplicationArgs:
    """`target_key_id`: what copies are encrypted with in the target's region. OSS leaves objects that are encrypted by
    KMS uncopied unless it is given."""

    plan: PlannedReplication
    target_key_id: pulumi.Input[str] | None = None


class Replication(pulumi.ComponentResource):
    """Both buckets are there and versioned; the role may read one and write the other."""

    rule_id: pulumi.Output[str]

    def __init__(self, name: str, args: ReplicationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:Replication", name, None, opts)
        plan = args.plan
        rule = alicloud.oss.BucketReplication(
            plan.name,
            bucket=plan.source,
            action="ALL",  # deletions too: a marker in a versioned bucket, and the version under it stays
            destination=alicloud.oss.BucketReplicationDestinationArgs(
                bucket=plan.target, location=f"oss-{plan.target_region}"
            ),
            historical_object_replication="enabled" if plan.history else "disabled",
            sync_role=plan.role,
            source_selection_criteria=_encrypted_too() if args.target_key_id is not None else None,
            encryption_configuration=alicloud.oss.BucketReplicationEncryptionConfigurationArgs(
                replica_kms_key_id=args.target_key_id
            )
            if args.target_key_id is not None
            else None,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.rule_id = rule.rule_id
        self.register_outputs({"ruleId": self.rule_id})


def _encrypted_too() -> alicloud.oss.BucketReplicationSourceSelectionCriteriaArgs:
    return alicloud.oss.BucketReplicationSourceSelectionCriteriaArgs(
        sse_kms_encrypted_objects=alicloud.oss.BucketReplicationSourceSelectionCriteriaSseKmsEncryptedObjectsArgs(
            status="Enabled"
        )
    )
