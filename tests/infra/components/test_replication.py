"""Replication: from where to where, and that what is encrypted by KMS is copied too."""

from __future__ import annotations

from infra.blueprint.cloud import PlannedReplication
from infra.components.replication import Replication, ReplicationArgs
from tests.infra.components.house import children, types
from tests.infra.components.recorder import Recorded, only, record

PLAN = PlannedReplication(
    name="g-replication-beijing",
    source="b-hangzhou",
    source_region="cn-hangzhou",
    target="b-beijing",
    target_region="cn-beijing",
    role="k-replication",
)


def rule(plan: PlannedReplication = PLAN, key_id: str | None = "key-bj") -> Recorded:
    made = children(record(lambda opts: Replication("r", ReplicationArgs(plan, key_id), opts)), "Replication")
    assert types(made) == ["BucketReplication"]
    return only(made, "BucketReplication")


def test_a_rule() -> None:
    assert rule().inputs == {
        "bucket": "b-hangzhou",
        "action": "ALL",
        "destination": {"bucket": "b-beijing", "location": "oss-cn-beijing"},
        "historicalObjectReplication": "disabled",
        "syncRole": "k-replication",
        "sourceSelectionCriteria": {"sseKmsEncryptedObjects": {"status": "Enabled"}},
        "encryptionConfiguration": {"replicaKmsKeyId": "key-bj"},
    }


def test_without_a_key_nothing_is_said_of_keys() -> None:
    assert not {"sourceSelectionCriteria", "encryptionConfiguration"} & rule(key_id=None).inputs.keys()


def test_what_was_there_before_is_copied_when_asked() -> None:
    assert rule(PLAN.model_copy(update={"history": True})).inputs["historicalObjectReplication"] == "enabled"
