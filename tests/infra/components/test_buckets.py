"""Buckets: each is closed on all sides, and stays so when it is left behind."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from infra.blueprint.cloud import PlannedBucket, PlannedLifecycle
from infra.components.buckets import Buckets, BucketsArgs, https_only
from tests.infra.components.house import children, types
from tests.infra.components.recorder import Recorded, named, of_type, only, record

LOGS = PlannedBucket(name="b-logs", purpose="logs", encryption="AES256")
TIER = PlannedBucket(
    name="b-tier",
    purpose="tier",
    log_target="b-logs",
    log_prefix="tier/",
    lifecycle=(PlannedLifecycle(name="rule", ia_days=30, archive_days=180, noncurrent_expire_days=90),),
)
GUARDS = [
    "BucketAcl",
    "BucketHttpsConfig",
    "BucketPolicy",
    "BucketPublicAccessBlock",
    "BucketServerSideEncryption",
]


def built(*planned: PlannedBucket, key_id: str | None = "key-1") -> tuple[list[Recorded], dict[str, Any]]:
    known: dict[str, Any] = {}

    def build(opts: pulumi.ResourceOptions) -> None:
        made = Buckets("buckets", BucketsArgs(planned, key_id), opts)
        pulumi.Output.all(**made.endpoints).apply(lambda found: known.update(endpoints=found))
        pulumi.Output.all(**made.names).apply(lambda found: known.update(names=found))

    inside = {"intranetEndpoint": "oss-cn-hangzhou-internal.aliyuncs.com"}
    return record(build, computed={"alicloud:oss/bucket:Bucket": inside}), known


def test_what_is_made_for_a_bucket() -> None:
    found, known = built(TIER, LOGS)
    made = children(found, "Buckets")
    assert types(made) == sorted(
        ["Bucket", "Bucket", *GUARDS, *GUARDS, "BucketVersioning", "BucketVersioning", "BucketLogging"]
    )
    inside = "oss-cn-hangzhou-internal.aliyuncs.com"
    assert known["endpoints"] == {"b-tier": inside, "b-logs": inside}
    assert known["names"] == {"b-tier": "b-tier", "b-logs": "b-logs"}


def test_a_bucket_is_closed() -> None:
    made = children(built(LOGS)[0], "Buckets")
    assert only(made, "BucketAcl").inputs == {"bucket": "b-logs", "acl": "private"}
    assert only(made, "BucketPublicAccessBlock").inputs == {"bucket": "b-logs", "blockPublicAccess": True}
    assert only(made, "BucketHttpsConfig").inputs == {
        "bucket": "b-logs",
        "enable": True,
        "tlsVersions": ["TLSv1.2", "TLSv1.3"],
    }
    assert only(made, "BucketVersioning").inputs == {"bucket": "b-logs", "status": "Enabled"}
    assert only(made, "BucketPolicy").inputs["policy"] == https_only("b-logs")
    assert only(made, "Bucket").inputs["forceDestroy"] is False


@pytest.mark.parametrize(
    ("purpose", "protect", "goes"),
    [("logs", False, True), ("artifacts", False, True), ("tier", False, False), ("logs", True, False)],
)
def test_only_what_is_nobodys_data_goes_with_its_bucket(purpose: Any, protect: bool, goes: bool) -> None:
    planned = LOGS.model_copy(update={"purpose": purpose, "protect": protect})
    assert only(children(built(planned)[0], "Buckets"), "Bucket").inputs["forceDestroy"] is goes


def test_plain_http_is_denied_to_all_and_nothing_is_allowed() -> None:
    (statement,) = json.loads(https_only("b"))["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Principal"] == ["*"]
    assert statement["Condition"] == {"Bool": {"acs:SecureTransport": ["false"]}}
    assert statement["Resource"] == ["acs:oss:*:*:b", "acs:oss:*:*:b/*"]


@pytest.mark.parametrize(
    ("encryption", "key_id", "sent"),
    [
        ("KMS", "key-1", {"sseAlgorithm": "KMS", "kmsMasterKeyId": "key-1"}),
        ("KMS", None, {"sseAlgorithm": "KMS"}),
        ("AES256", "key-1", {"sseAlgorithm": "AES256"}),
    ],
)
def test_encryption(encryption: str, key_id: str | None, sent: dict[str, str]) -> None:
    planned = LOGS.model_copy(update={"encryption": encryption})
    made = children(built(planned, key_id=key_id)[0], "Buckets")
    assert only(made, "BucketServerSideEncryption").inputs == {"bucket": "b-logs", **sent}


def test_logs_go_to_the_log_bucket_after_it_is_there() -> None:
    made = children(built(TIER, LOGS)[0], "Buckets")
    logging = only(made, "BucketLogging")
    assert logging.inputs == {"bucket": "b-tier", "targetBucket": "b-logs", "targetPrefix": "tier/"}
    assert logging.waits_for("b-logs")


def test_a_log_target_elsewhere_is_refused() -> None:
    with pytest.raises(ValueError, match="b-logs, which is no bucket of this region"):
        built(TIER)


def test_what_is_split_off_is_not_fought_over() -> None:
    bucket = only(children(built(LOGS)[0], "Buckets"), "Bucket")
    assert set(bucket.ignore_changes) == {"acl", "logging", "policy", "serverSideEncryptionRule", "versioning"}
    assert not set(bucket.ignore_changes) & bucket.inputs.keys()


@pytest.mark.parametrize("protect", [True, False])
def test_a_bucket_and_its_guards_are_protected_together(protect: bool) -> None:
    made = children(built(LOGS.model_copy(update={"protect": protect}))[0], "Buckets")
    assert {one.protect for one in made} == {protect}


def test_a_bucket_without_versions() -> None:
    made = children(built(LOGS.model_copy(update={"versioning": False, "lifecycle": TIER.lifecycle}))[0], "Buckets")
    assert not of_type(made, "BucketVersioning")
    (rule,) = only(made, "Bucket").inputs["lifecycleRules"]
    assert not {"expirations", "noncurrentVersionExpirations"} & rule.keys()


def test_the_lifecycle_is_the_plans() -> None:
    made = children(built(TIER, LOGS)[0], "Buckets")
    assert named(made, "b-tier").inputs["lifecycleRules"] == [
        {
            "id": "rule",
            "enabled": True,
            "prefix": "",
            "transitions": [{"storageClass": "IA", "days": 30}, {"storageClass": "Archive", "days": 180}],
            "expirations": [{"expiredObjectDeleteMarker": True}],
            "noncurrentVersionExpirations": [{"days": 90}],
            "abortMultipartUploads": [{"days": 7}],
        }
    ]
    assert "lifecycleRules" not in named(made, "b-logs").inputs


def test_what_expires_does_so_by_days_alone() -> None:
    rule = PlannedLifecycle(name="old", expire_days=365)
    made = children(built(LOGS.model_copy(update={"lifecycle": (rule,)}))[0], "Buckets")
    (sent,) = only(made, "Bucket").inputs["lifecycleRules"]
    assert sent["expirations"] == [{"days": 365}]
    assert "transitions" not in sent
