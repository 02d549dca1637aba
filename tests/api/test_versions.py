"""Versions, delete markers and multi-delete through boto3."""

from __future__ import annotations

from typing import Any

import pytest

from kakera.base import errors, limits
from tests.api.refusal import refused
from tests.api.world import World


@pytest.fixture
def versioned(s3: Any) -> Any:
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    return s3


def test_each_put_is_a_version(versioned: Any) -> None:
    made = [versioned.put_object(Bucket="bucket", Key="k", Body=str(n).encode())["VersionId"] for n in range(3)]
    assert len(set(made)) == 3
    for number, version in enumerate(made):
        found = versioned.get_object(Bucket="bucket", Key="k", VersionId=version)
        assert (found["Body"].read(), found["VersionId"]) == (str(number).encode(), version)
    assert versioned.head_object(Bucket="bucket", Key="k")["VersionId"] == made[-1]


def test_the_null_version(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"old")
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_object(Bucket="bucket", Key="k")["VersionId"] == "null"
    s3.put_object(Bucket="bucket", Key="k", Body=b"new")
    assert s3.get_object(Bucket="bucket", Key="k", VersionId="null")["Body"].read() == b"old"
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Suspended"})
    assert "VersionId" not in s3.put_object(Bucket="bucket", Key="k", Body=b"again")
    assert s3.get_object(Bucket="bucket", Key="k")["VersionId"] == "null"
    assert len(s3.list_object_versions(Bucket="bucket")["Versions"]) == 2


def test_markers(versioned: Any) -> None:
    version = versioned.put_object(Bucket="bucket", Key="k", Body=b"x")["VersionId"]
    gone = versioned.delete_object(Bucket="bucket", Key="k")
    assert gone["DeleteMarker"] is True
    refusal = refused(versioned.get_object, Bucket="bucket", Key="k")
    assert (refusal.status, refusal.code) == (404, "NoSuchKey")
    assert refusal.headers["x-amz-delete-marker"] == "true"
    assert refusal.headers["x-amz-version-id"] == gone["VersionId"]
    assert refused(versioned.head_object, Bucket="bucket", Key="k").headers["x-amz-delete-marker"] == "true"
    asked = refused(versioned.get_object, Bucket="bucket", Key="k", VersionId=gone["VersionId"])
    assert (asked.status, asked.code, asked.headers["allow"]) == (405, "MethodNotAllowed", "DELETE")
    removed = versioned.delete_object(Bucket="bucket", Key="k", VersionId=gone["VersionId"])
    assert (removed["DeleteMarker"], removed["VersionId"]) == (True, gone["VersionId"])
    assert versioned.get_object(Bucket="bucket", Key="k")["VersionId"] == version


def test_conditions_of_deletes_meet_markers(versioned: Any) -> None:
    versioned.put_object(Bucket="bucket", Key="k", Body=b"x")
    versioned.delete_object(Bucket="bucket", Key="k")
    assert refused(versioned.delete_object, Bucket="bucket", Key="k", IfMatch='"x"').status == 412
    assert versioned.delete_object(Bucket="bucket", Key="k", IfMatch="*")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refused(versioned.delete_object, Bucket="bucket", Key="k", IfMatchSize=9).status == 412
    failed = versioned.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "k", "ETag": "x"}]})["Errors"]
    assert failed[0]["Code"] == "PreconditionFailed"


def test_versions_that_are_none(versioned: Any) -> None:
    versioned.put_object(Bucket="bucket", Key="k", Body=b"x")
    refusal = refused(versioned.get_object, Bucket="bucket", Key="k", VersionId="0" * 32)
    assert (refusal.status, refusal.code) == (404, "NoSuchVersion")
    assert refused(versioned.get_object, Bucket="bucket", Key="k", VersionId="nonsense").code == "InvalidArgument"
    assert refused(versioned.delete_object, Bucket="bucket", Key="k", VersionId="nonsense").status == 400
    assert versioned.delete_object(Bucket="bucket", Key="k", VersionId="0" * 32)["VersionId"] == "0" * 32


# --- many at once


def test_multi_delete(s3: Any) -> None:
    for key in ("a", "b", "c"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"x")
    objects = [{"Key": key} for key in ("a", "b", "not there")]
    done = s3.delete_objects(Bucket="bucket", Delete={"Objects": objects})
    assert [entry["Key"] for entry in done["Deleted"]] == ["a", "b", "not there"] and "Errors" not in done
    quiet = s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "c"}], "Quiet": True})
    assert "Deleted" not in quiet and "Errors" not in quiet
    assert s3.list_objects_v2(Bucket="bucket")["KeyCount"] == 0


def test_multi_delete_of_versions(versioned: Any) -> None:
    version = versioned.put_object(Bucket="bucket", Key="k", Body=b"x")["VersionId"]
    marked = versioned.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "k"}]})["Deleted"][0]
    assert marked["DeleteMarker"] is True and "VersionId" not in marked
    marker = marked["DeleteMarkerVersionId"]
    objects = [{"Key": "k", "VersionId": version}, {"Key": "k", "VersionId": marker}]
    for _ in range(2):
        done = versioned.delete_objects(Bucket="bucket", Delete={"Objects": objects})["Deleted"]
        assert [entry["VersionId"] for entry in done] == [version, marker]
    assert "Versions" not in versioned.list_object_versions(Bucket="bucket")


def test_each_key_fails_alone(s3: Any, world: World) -> None:
    etag = s3.put_object(Bucket="bucket", Key="a", Body=b"x")["ETag"]
    objects = [
        {"Key": "a", "ETag": '"other"'},
        {"Key": "a", "VersionId": "nonsense"},
        {"Key": "k" * (limits.MAX_KEY_BYTES + 1)},
        {"Key": "a", "Size": 9},
    ]
    failed = s3.delete_objects(Bucket="bucket", Delete={"Objects": objects, "Quiet": True})["Errors"]
    assert [entry["Code"] for entry in failed] == [
        "PreconditionFailed", "NoSuchVersion", "KeyTooLongError", "PreconditionFailed",
    ]  # fmt: skip
    world.store.break_with("delete", errors.ReadOnly("two drives away"))
    two = s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "x"}, {"Key": "a", "ETag": etag}]})
    assert [entry["Code"] for entry in two["Errors"]] == ["ServiceUnavailable"]
    assert [entry["Key"] for entry in two["Deleted"]] == ["a"]


def test_a_thousand_and_no_more(s3: Any) -> None:
    objects = [{"Key": f"k{number}"} for number in range(1000)]
    assert len(s3.delete_objects(Bucket="bucket", Delete={"Objects": objects})["Deleted"]) == 1000
    more = [*objects, {"Key": "one more"}]
    assert refused(s3.delete_objects, Bucket="bucket", Delete={"Objects": more}).code == "MalformedXML"
    assert refused(s3.delete_objects, Bucket="bucket", Delete={"Objects": []}).code == "MalformedXML"


# --- tags


def test_tags(versioned: Any) -> None:
    s3 = versioned
    first = s3.put_object(Bucket="bucket", Key="k", Body=b"x", Tagging="foo=bar&b%20c")["VersionId"]
    assert s3.get_object_tagging(Bucket="bucket", Key="k")["TagSet"] == [
        {"Key": "b c", "Value": ""}, {"Key": "foo", "Value": "bar"},
    ]  # fmt: skip
    assert s3.head_object(Bucket="bucket", Key="k")["ResponseMetadata"]["HTTPHeaders"]["x-amz-tagging-count"] == "2"
    s3.put_object(Bucket="bucket", Key="k", Body=b"y")
    tags = [{"Key": "z", "Value": "<&>".replace("<&>", "1")}]
    done = s3.put_object_tagging(Bucket="bucket", Key="k", VersionId=first, Tagging={"TagSet": tags})
    assert done["VersionId"] == first
    assert s3.get_object_tagging(Bucket="bucket", Key="k", VersionId=first)["TagSet"] == tags
    assert s3.get_object_tagging(Bucket="bucket", Key="k")["TagSet"] == []
    s3.delete_object_tagging(Bucket="bucket", Key="k", VersionId=first)
    assert s3.get_object_tagging(Bucket="bucket", Key="k", VersionId=first)["TagSet"] == []
    assert refused(s3.get_object_tagging, Bucket="bucket", Key="none").code == "NoSuchKey"


@pytest.mark.parametrize(
    "tags",
    [
        [{"Key": f"k{n}", "Value": ""} for n in range(limits.MAX_TAGS + 1)],
        [{"Key": "k" * (limits.MAX_TAG_KEY_CHARS + 1), "Value": ""}],
        [{"Key": "k", "Value": "v" * (limits.MAX_TAG_VALUE_CHARS + 1)}],
        [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}],
        [{"Key": "aws:k", "Value": ""}],
    ],
)
def test_tags_beyond_the_rules(s3: Any, tags: list[dict[str, str]]) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"x")
    refusal = refused(s3.put_object_tagging, Bucket="bucket", Key="k", Tagging={"TagSet": tags})
    assert (refusal.status, refusal.code) == (400, "InvalidTag")
    assert s3.get_object_tagging(Bucket="bucket", Key="k")["TagSet"] == []
