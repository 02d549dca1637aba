"""OSS buckets: private, versioned, encrypted, over TLS alone, logged.

Each property is a resource of its own where the provider has one, and a bucket's guards are protected with it: what
`destroy` leaves behind stays closed. The lifecycle has no resource of its own and is part of the bucket.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_alicloud import oss

from infra.blueprint.cloud import PlannedBucket, PlannedLifecycle
from infra.components.ordering import after
from infra.components.policy import policy

# What the bucket reads back of the resources beside it: without this, each run would undo them.
SPLIT: Final = ("acl", "logging", "policy", "server_side_encryption_rule", "versioning")
TLS: Final = ("TLSv1.2", "TLSv1.3")


@dataclass(frozen=True)
class BucketsArgs:
    """`key_id`: None, and KMS uses the cloud's own key for OSS."""

    buckets: tuple[PlannedBucket, ...]
    key_id: pulumi.Input[str] | None


class Buckets(pulumi.ComponentResource):
    """`names` and `endpoints` (inside the cloud's network) by the bucket's name. Who uses them waits for the guards:
    nobody writes into a bucket that is still open.

    Raises: ValueError when a log target is no bucket of this component.
    """

    names: dict[str, pulumi.Output[str]]
    endpoints: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: BucketsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:Buckets", name, None, opts)
        self._made = {planned.name: self._bucket(planned) for planned in args.buckets}
        guards = {planned.name: self._guards(planned, args.key_id) for planned in args.buckets}
        self.names = {name: after(made.bucket, guards[name]) for name, made in self._made.items()}
        self.endpoints = {name: after(made.intranet_endpoint, guards[name]) for name, made in self._made.items()}
        self.register_outputs({"names": self.names, "endpoints": self.endpoints})

    def _bucket(self, planned: PlannedBucket) -> oss.Bucket:
        return oss.Bucket(
            planned.name,
            bucket=planned.name,
            storage_class=planned.storage_class,
            redundancy_type=planned.redundancy,
            # What lies there is nobody's data, and everybody's bucket fills: unprotected, it goes with what is in it.
            force_destroy=planned.purpose in ("artifacts", "logs") and not planned.protect,
            lifecycle_rules=[lifecycle_rule(rule, versioned=planned.versioning) for rule in planned.lifecycle] or None,
            opts=pulumi.ResourceOptions(parent=self, protect=planned.protect, ignore_changes=list(SPLIT)),
        )

    def _guards(self, planned: PlannedBucket, key_id: pulumi.Input[str] | None) -> list[pulumi.CustomResource]:
        bucket = self._made[planned.name].bucket
        opts = pulumi.ResourceOptions(parent=self, protect=planned.protect)
        block = oss.BucketPublicAccessBlock(f"{planned.name}-block", bucket=bucket, block_public_access=True, opts=opts)
        return [
            block,
            oss.BucketAcl(f"{planned.name}-acl", bucket=bucket, acl="private", opts=opts),
            oss.BucketHttpsConfig(f"{planned.name}-tls", bucket=bucket, enable=True, tls_versions=list(TLS), opts=opts),
            oss.BucketPolicy(f"{planned.name}-policy", bucket=bucket, policy=https_only(planned.name), opts=opts),
            self._encryption(planned, key_id, opts),
            *self._versioning(planned, opts),
            *self._logging(planned, opts),
        ]

    def _encryption(
        self, planned: PlannedBucket, key_id: pulumi.Input[str] | None, opts: pulumi.ResourceOptions
    ) -> pulumi.CustomResource:
        return oss.BucketServerSideEncryption(
            f"{planned.name}-encryption",
            bucket=self._made[planned.name].bucket,
            sse_algorithm=planned.encryption,
            kms_master_key_id=key_id if planned.encryption == "KMS" else None,
            opts=opts,
        )

    def _versioning(self, planned: PlannedBucket, opts: pulumi.ResourceOptions) -> list[pulumi.CustomResource]:
        if not planned.versioning:
            return []
        made = self._made[planned.name]
        return [oss.BucketVersioning(f"{planned.name}-versioning", bucket=made.bucket, status="Enabled", opts=opts)]

    def _logging(self, planned: PlannedBucket, opts: pulumi.ResourceOptions) -> list[pulumi.CustomResource]:
        if planned.log_target is None:
            return []
        if planned.log_target not in self._made:
            raise ValueError(f"{planned.name}: logs go to {planned.log_target}, which is no bucket of this region")
        return [
            oss.BucketLogging(
                f"{planned.name}-logging",
                bucket=self._made[planned.name].bucket,
                target_bucket=self._made[planned.log_target].bucket,
                target_prefix=planned.log_prefix,
                opts=opts,
            )
        ]


def https_only(bucket: str) -> str:
    """JSON: whoever asks, and be it the owner, asks over TLS. It allows nothing."""
    statement = {
        "Action": ["oss:*"],
        "Condition": {"Bool": {"acs:SecureTransport": ["false"]}},
        "Effect": "Deny",
        "Principal": ["*"],
        "Resource": [f"acs:oss:*:*:{bucket}", f"acs:oss:*:*:{bucket}/*"],
    }
    return policy(statement)


def lifecycle_rule(rule: PlannedLifecycle, *, versioned: bool) -> oss.BucketLifecycleRuleArgs:
    """One rule. In a versioned bucket whose objects do not expire, delete markers with nothing under them do."""
    steps = (("IA", rule.ia_days), ("Archive", rule.archive_days))
    made = oss.BucketLifecycleRuleArgs(
        id=rule.name,
        prefix=rule.prefix,
        enabled=True,
        transitions=[
            oss.BucketLifecycleRuleTransitionArgs(storage_class=storage, days=days)
            for storage, days in steps
            if days is not None
        ]
        or None,
        abort_multipart_uploads=[
            oss.BucketLifecycleRuleAbortMultipartUploadArgs(days=rule.abort_multipart_days),
        ],
    )
    if rule.expire_days is not None:
        made.expirations = [oss.BucketLifecycleRuleExpirationArgs(days=rule.expire_days)]
    elif versioned:
        made.expirations = [oss.BucketLifecycleRuleExpirationArgs(expired_object_delete_marker=True)]
    if versioned and rule.noncurrent_expire_days is not None:
        made.noncurrent_version_expirations = [
            oss.BucketLifecycleRuleNoncurrentVersionExpirationArgs(days=rule.noncurrent_expire_days)
        ]
    return made
