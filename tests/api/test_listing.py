"""ListObjects v1 and v2, ListObjectVersions, ListMultipartUploads through boto3 and its paginators."""

from __future__ import annotations

from typing import Any

import pytest

from kakera.base import errors
from tests.api.refusal import refused
from tests.api.world import World

KEYS = ["asdf", "boo/bar", "boo/baz/xyzzy", "cquux/bla", "cquux/thud"]


def fill(s3: Any, keys: list[str]) -> None:
    for key in keys:
        s3.put_object(Bucket="bucket", Key=key, Body=key.encode())


def names(page: dict[str, Any]) -> list[str]:
    return [entry["Key"] for entry in page.get("Contents", [])]


def groups(page: dict[str, Any]) -> list[str]:
    return [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]


def test_pages_of_v1_by_marker(s3: Any) -> None:
    fill(s3, KEYS)
    first = s3.list_objects(Bucket="bucket", Delimiter="/", MaxKeys=1)
    assert (names(first), groups(first), first["NextMarker"]) == (["asdf"], [], "asdf")
    second = s3.list_objects(Bucket="bucket", Delimiter="/", MaxKeys=1, Marker="asdf")
    assert (names(second), groups(second), second["NextMarker"]) == ([], ["boo/"], "boo/")
    third = s3.list_objects(Bucket="bucket", Delimiter="/", MaxKeys=1, Marker="boo/")
    assert (groups(third), third["IsTruncated"]) == (["cquux/"], False)
    assert "NextMarker" not in third and third["Marker"] == "boo/"


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("method", ["list_objects", "list_objects_v2"])
def test_paginators_see_every_key_once(s3: Any, method: str, size: int) -> None:
    keys = sorted([*KEYS, "a b", "a+b", "é", "a%2Fb", "\n", "<&>"], key=str.encode)
    fill(s3, keys)
    found = []
    for page in s3.get_paginator(method).paginate(Bucket="bucket", PaginationConfig={"PageSize": size}):
        found += names(page)
    assert found == keys


def test_v2(s3: Any) -> None:
    fill(s3, KEYS)
    page = s3.list_objects_v2(Bucket="bucket", Prefix="boo/", Delimiter="/", StartAfter="boo/a")
    assert (names(page), groups(page), page["KeyCount"]) == (["boo/bar"], ["boo/baz/"], 2)
    assert (page["Prefix"], page["Delimiter"], page["StartAfter"], page["MaxKeys"]) == ("boo/", "/", "boo/a", 1000)
    assert "Owner" not in s3.list_objects_v2(Bucket="bucket")["Contents"][0]
    owner = s3.list_objects_v2(Bucket="bucket", FetchOwner=True)["Contents"][0]["Owner"]
    assert owner == {"ID": "main-id", "DisplayName": "Main"}
    entry = s3.list_objects(Bucket="bucket")["Contents"][0]
    assert (entry["Size"], entry["StorageClass"], entry["Owner"]["ID"]) == (4, "STANDARD", "main-id")
    assert entry["ETag"] == '"912ec803b2ce49e4a541068d495ab570"'


def test_tokens_continue_and_outweigh_start_after(s3: Any) -> None:
    fill(s3, ["bar", "baz", "foo", "quxx"])
    first = s3.list_objects_v2(Bucket="bucket", StartAfter="bar", MaxKeys=1)
    token = first["NextContinuationToken"]
    second = s3.list_objects_v2(Bucket="bucket", StartAfter="bar", ContinuationToken=token)
    assert names(second) == ["foo", "quxx"]
    assert (second["ContinuationToken"], second["StartAfter"]) == (token, "bar")
    empty = s3.list_objects_v2(Bucket="bucket", ContinuationToken="")
    assert (empty["ContinuationToken"], len(names(empty))) == ("", 4)
    assert refused(s3.list_objects_v2, Bucket="bucket", ContinuationToken="made up").code == "InvalidArgument"


def test_limits(s3: Any, world: World) -> None:
    fill(s3, KEYS)
    for method in (s3.list_objects, s3.list_objects_v2, s3.list_object_versions):
        page = method(Bucket="bucket", MaxKeys=0)
        assert not page["IsTruncated"] and "Contents" not in page and "Versions" not in page
        assert method(Bucket="bucket", MaxKeys=5000)["MaxKeys"] == 1000
    for bad in ("blah", "-1", "1.5", "99999999999"):
        answer = world.raw("GET", f"/bucket?max-keys={bad}")
        assert answer.status == 400 and b"InvalidArgument" in answer.body
    assert world.raw("GET", "/bucket?encoding-type=base64").status == 400
    assert world.raw("GET", "/bucket?max-keys=").status == 200


def test_without_encoding_the_keys_stand_as_they_are(s3: Any, world: World) -> None:
    fill(s3, ["a b+c/<&>"])
    assert b"<Key>a b+c/&lt;&amp;&gt;</Key>" in world.raw("GET", "/bucket").body
    assert b"<Key>a%20b%2Bc/%3C%26%3E</Key>" in world.raw("GET", "/bucket?encoding-type=url").body


def test_versions(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"null version")
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    second = s3.put_object(Bucket="bucket", Key="k", Body=b"2")["VersionId"]
    marker = s3.delete_object(Bucket="bucket", Key="k")["VersionId"]
    s3.put_object(Bucket="bucket", Key="l", Body=b"3")
    page = s3.list_object_versions(Bucket="bucket")
    assert [(entry["Key"], entry["VersionId"], entry["IsLatest"]) for entry in page["Versions"]][:2] == [
        ("k", second, False), ("k", "null", False),
    ]  # fmt: skip
    assert [(entry["VersionId"], entry["IsLatest"]) for entry in page["DeleteMarkers"]] == [(marker, True)]
    found = []
    for part in s3.get_paginator("list_object_versions").paginate(Bucket="bucket", PaginationConfig={"PageSize": 1}):
        found += [entry["VersionId"] for entry in part.get("Versions", []) + part.get("DeleteMarkers", [])]
    assert len(found) == 4 and found[:3] == [marker, second, "null"]
    assert refused(s3.list_object_versions, Bucket="bucket", VersionIdMarker=second).code == "InvalidArgument"
    assert (
        refused(s3.list_object_versions, Bucket="bucket", KeyMarker="k", VersionIdMarker="x").code == "InvalidArgument"
    )


def test_uploads(s3: Any) -> None:
    ids = {}
    for key in ("a/1", "b", "b", "c"):
        ids.setdefault(key, []).append(s3.create_multipart_upload(Bucket="bucket", Key=key)["UploadId"])
    page = s3.list_multipart_uploads(Bucket="bucket", Delimiter="/")
    assert [entry["Key"] for entry in page["Uploads"]] == ["b", "b", "c"] and groups(page) == ["a/"]
    assert page["Uploads"][0]["Initiator"] == {"ID": "main-id", "DisplayName": "Main"}
    found = []
    for part in s3.get_paginator("list_multipart_uploads").paginate(Bucket="bucket", PaginationConfig={"PageSize": 1}):
        found += [entry["UploadId"] for entry in part.get("Uploads", [])]
    assert sorted(found) == sorted(upload for many in ids.values() for upload in many)
    assert refused(s3.list_multipart_uploads, Bucket="bucket", KeyMarker="b", UploadIdMarker="x").status == 400
    s3.list_multipart_uploads(Bucket="bucket", UploadIdMarker="ignored without a key")


def test_a_listing_that_cannot_be_answered_is_503(s3: Any, world: World) -> None:
    assert s3

    def unreadable(store: Any, bucket_id: int, key: bytes | None) -> None:
        raise errors.ReadOnly("an undecided change")

    world.services.core = world.services.core._replace(check_readable=unreadable)
    for query in ("", "?list-type=2", "?versions", "?uploads"):
        assert world.raw("GET", f"/bucket{query}").status == 503
