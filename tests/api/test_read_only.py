"""A store that is a copy of another: reads are served, everything that may change something is refused, for good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kakera.dialects.s3.handle import HANDLERS
from tests.api.refusal import refused
from tests.api.world import World

TOLD = "This store is a read-only copy: it takes no changes. Send them to https://s3.example.com."
CHANGES: dict[str, Callable[[Any], Any]] = {
    "CreateBucket": lambda s3: s3.create_bucket(Bucket="new"),
    "DeleteBucket": lambda s3: s3.delete_bucket(Bucket="bucket"),
    "PutBucketVersioning": lambda s3: s3.put_bucket_versioning(
        Bucket="bucket", VersioningConfiguration={"Status": "Enabled"}
    ),
    "PutObject": lambda s3: s3.put_object(Bucket="bucket", Key="new", Body=b"x" * 100_000),
    "CopyObject": lambda s3: s3.copy_object(Bucket="bucket", Key="new", CopySource="bucket/key"),
    "DeleteObject": lambda s3: s3.delete_object(Bucket="bucket", Key="key"),
    "DeleteObjects": lambda s3: s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "key"}]}),
    "PutObjectTagging": lambda s3: s3.put_object_tagging(
        Bucket="bucket", Key="key", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
    ),
    "DeleteObjectTagging": lambda s3: s3.delete_object_tagging(Bucket="bucket", Key="key"),
    "CreateMultipartUpload": lambda s3: s3.create_multipart_upload(Bucket="bucket", Key="new"),
    "UploadPart": lambda s3: s3.upload_part(Bucket="bucket", Key="new", UploadId="u", PartNumber=1, Body=b"x"),
    "UploadPartCopy": lambda s3: s3.upload_part_copy(
        Bucket="bucket", Key="new", UploadId="u", PartNumber=1, CopySource="bucket/key"
    ),
    "CompleteMultipartUpload": lambda s3: s3.complete_multipart_upload(
        Bucket="bucket", Key="new", UploadId="u", MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": "e"}]}
    ),
    "AbortMultipartUpload": lambda s3: s3.abort_multipart_upload(Bucket="bucket", Key="new", UploadId="u"),
}


@pytest.fixture
def replica(world: World, s3: Any) -> Any:
    s3.put_object(Bucket="bucket", Key="key", Body=b"body")
    world.services.refuses_changes = TOLD
    return s3


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_refused_and_told_where_to_go(name: str, world: World, replica: Any) -> None:
    refusal = refused(CHANGES[name], s3=replica)
    assert (refusal.status, refusal.code, refusal.error["Message"]) == (403, "AccessDenied", TOLD)
    world.services.refuses_changes = ""
    assert replica.get_object(Bucket="bucket", Key="key")["Body"].read() == b"body"
    assert [entry["Key"] for entry in replica.list_objects_v2(Bucket="bucket")["Contents"]] == ["key"]


def test_reads_are_served(replica: Any) -> None:
    assert replica.get_object(Bucket="bucket", Key="key")["Body"].read() == b"body"
    assert replica.head_object(Bucket="bucket", Key="key")["ContentLength"] == 4
    assert replica.list_objects_v2(Bucket="bucket")["KeyCount"] == 1
    assert [entry["Name"] for entry in replica.list_buckets()["Buckets"]] == ["bucket"]
    replica.get_bucket_versioning(Bucket="bucket")
    replica.get_bucket_location(Bucket="bucket")


def test_every_handler_is_on_one_side_or_the_other(world: World) -> None:
    reads = {name for name in HANDLERS if name.startswith(("Get", "Head", "List"))}
    assert HANDLERS.keys() - reads == CHANGES.keys()


def test_strangers_learn_nothing_of_it(world: World, replica: Any) -> None:
    answer = world.raw("PUT", "/bucket/key", headers={"Authorization": "AWS4-HMAC-SHA256 nonsense"}, signer=None)
    assert answer.status in (400, 403) and b"read-only" not in answer.body
    answer = world.raw("PUT", "/bucket/key", signer=None)
    assert answer.status == 403 and b"AccessDenied" in answer.body and b"example.com" not in answer.body
