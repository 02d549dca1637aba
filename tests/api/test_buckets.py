"""Buckets: names, creation, ownership, location, versioning settings, the account's list."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakera.base.errors import InvalidBucketName
from kakera.dialects.s3.bucket_ops import check_name
from tests.api.refusal import refused
from tests.api.world import ALT, World

GOOD = [
    "abc",
    "a" * 63,
    "a-b",
    "a.b",
    "0ab",
    "ab0",
    "1.2.3",
    "a.1.2.3",
    "192.168.5",
    "999.999.999.999.9",
    "health",
    "metrics",
]
BAD = [
    "", "a", "ab", "a" * 64, "Abc", "a_b", "-ab", "ab-", ".ab", "ab.", "a..b", "a.-b", "a-.b", "192.168.5.4", "a b",
    "a/b", "a\nb", "欠片欠", "abc!", "xn--abc", "sthree-abc", "amzn-s3-demo-abc", "abc-s3alias", "abc--ol-s3",
    "abc.mrap", "abc--x-s3", "abc--table-s3", "a%b",
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_good_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", BAD)
def test_bad_names(name: str) -> None:
    with pytest.raises(InvalidBucketName):
        check_name(name)


@given(st.text(max_size=70))
def test_a_name_that_passes_is_a_dns_name(name: str) -> None:
    try:
        check_name(name)
    except InvalidBucketName:
        return
    assert 3 <= len(name) <= 63 and name.isascii() and name == name.lower()
    assert all(label and label.strip("-") == label for label in name.split("."))


def test_a_bad_name_is_refused_before_anything_else(world: World) -> None:
    answer = world.raw("PUT", "/Bad_Name")
    assert answer.status == 400 and b"<Code>InvalidBucketName</Code>" in answer.body
    assert world.raw("PUT", "/192.168.5.4").status == 400
    assert world.raw("GET", "/Bad_Name").status == 404


def test_life_of_a_bucket(world: World) -> None:
    s3 = world.client()
    assert s3.create_bucket(Bucket="bucket")["Location"] == "/bucket"
    head = s3.head_bucket(Bucket="bucket")
    assert head["BucketRegion"] == "us-east-1"
    s3.put_object(Bucket="bucket", Key="k", Body=b"x")
    assert refused(s3.delete_bucket, Bucket="bucket").code == "BucketNotEmpty"
    s3.delete_object(Bucket="bucket", Key="k")
    s3.delete_bucket(Bucket="bucket")
    assert refused(s3.delete_bucket, Bucket="bucket").code == "NoSuchBucket"
    assert refused(s3.head_bucket, Bucket="bucket").status == 404


def test_create_again(world: World) -> None:
    s3, alt = world.client(), world.client(ALT)
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="k", Body=b"x")
    s3.create_bucket(Bucket="bucket")  # us-east-1: as if for the first time
    assert s3.list_objects_v2(Bucket="bucket")["KeyCount"] == 1
    refusal = refused(alt.create_bucket, Bucket="bucket")
    assert (refusal.status, refusal.code) == (409, "BucketAlreadyExists")


def test_create_again_in_another_region() -> None:
    world = World(region="ap-northeast-1")
    s3 = world.client()
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    constraint = {"LocationConstraint": "ap-northeast-1"}
    refusal = refused(s3.create_bucket, Bucket="bucket", CreateBucketConfiguration=constraint)
    assert (refusal.status, refusal.code) == (409, "BucketAlreadyOwnedByYou")
    assert s3.get_bucket_location(Bucket="bucket")["LocationConstraint"] == "ap-northeast-1"
    world.loop.close()


def test_location(world: World) -> None:
    s3 = world.client()
    s3.create_bucket(Bucket="plain")
    assert s3.get_bucket_location(Bucket="plain")["LocationConstraint"] is None
    s3.create_bucket(Bucket="named", CreateBucketConfiguration={"LocationConstraint": "us-east-1"})
    assert s3.get_bucket_location(Bucket="named")["LocationConstraint"] == "us-east-1"
    elsewhere = {"LocationConstraint": "eu-west-1"}
    assert (
        refused(s3.create_bucket, Bucket="far", CreateBucketConfiguration=elsewhere).code == "InvalidLocationConstraint"
    )
    assert refused(s3.head_bucket, Bucket="far").status == 404


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"ACL": "public-read"}, 501),
        ({"GrantRead": "id=x"}, 501),
        ({"ObjectLockEnabledForBucket": True}, 501),
        ({"ObjectLockEnabledForBucket": False}, 200),
        ({"ObjectOwnership": "ObjectWriter"}, 501),
        ({"ObjectOwnership": "BucketOwnerEnforced"}, 200),
        ({"ACL": "private"}, 200),
    ],
)
def test_settings_at_creation(world: World, more: dict[str, Any], status: int) -> None:
    s3 = world.client()
    if status == 200:
        s3.create_bucket(Bucket="bucket", **more)
    else:
        assert refused(s3.create_bucket, Bucket="bucket", **more).status == status
        assert refused(s3.head_bucket, Bucket="bucket").status == 404


def test_a_canned_acl_that_does_not_exist(world: World) -> None:
    assert world.raw("PUT", "/bucket", headers={"x-amz-acl": "public-ready"}).status == 400


def test_list_of_buckets(world: World) -> None:
    s3 = world.client()
    assert s3.list_buckets()["Buckets"] == []
    for name in ("ccc", "aaa", "bbb"):
        s3.create_bucket(Bucket=name)
    world.client(ALT).create_bucket(Bucket="alien")
    found = s3.list_buckets()
    assert [bucket["Name"] for bucket in found["Buckets"]] == ["aaa", "bbb", "ccc"]
    assert found["Owner"] == {"ID": "main-id", "DisplayName": "Main"}
    first = s3.list_buckets(MaxBuckets=2)
    assert [bucket["Name"] for bucket in first["Buckets"]] == ["aaa", "bbb"]
    rest = s3.list_buckets(MaxBuckets=2, ContinuationToken=first["ContinuationToken"])
    assert [bucket["Name"] for bucket in rest["Buckets"]] == ["ccc"] and "ContinuationToken" not in rest
    assert [bucket["Name"] for bucket in s3.list_buckets(Prefix="b")["Buckets"]] == ["bbb"]
    assert refused(s3.list_buckets, ContinuationToken="\u00e9").status == 400
    assert world.raw("GET", "/?max-buckets=0").status == 400
    assert world.raw("GET", "/", signer=None).status == 403


def test_versioning_settings(s3: Any) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket="bucket")
    for status in ("Suspended", "Enabled", "Enabled", "Suspended"):
        s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": status})
        assert s3.get_bucket_versioning(Bucket="bucket")["Status"] == status
    mfa = {"Status": "Enabled", "MFADelete": "Enabled"}
    assert refused(s3.put_bucket_versioning, Bucket="bucket", VersioningConfiguration=mfa).status == 501
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration=mfa | {"MFADelete": "Disabled"})


def test_bad_documents(s3: Any, world: World) -> None:
    assert s3
    for body in (b"", b"<Nonsense/>", b"<VersioningConfiguration>", b"<VersioningConfiguration/>", b"\xff"):
        answer = world.raw("PUT", "/bucket?versioning", body=body)
        assert answer.status == 400, body
    bomb = b'<!DOCTYPE a [<!ENTITY b "cc">]><CreateBucketConfiguration>&b;</CreateBucketConfiguration>'
    assert world.raw("PUT", "/other", body=bomb).status == 400
    assert b"MaxMessageLengthExceeded" in world.raw("PUT", "/other", body=b"<a>" + b" " * (3 << 20)).body


@pytest.mark.parametrize(("headers", "status"), [({}, 400), ({"origin": "http://x"}, 403)])
def test_preflights_are_refused(world: World, headers: dict[str, str], status: int) -> None:
    assert world.raw("OPTIONS", "/bucket/k", headers=headers, signer=None).status == status
