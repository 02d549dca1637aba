"""PUT, GET, HEAD, DELETE of objects as boto3 sees them."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kakera.base import errors, limits
from tests.api.refusal import refused
from tests.api.world import World, close

STRANGE_KEYS = [
    "a", "a/", "a/b", "a//b", "../x", "/x", "//", ".", "..", "a b", "a+b", "a%2Fb", "%", "é/欠片", "?versionId",
    "a&b=c", "#", "'\"<>", "a\nb", "~", "*",
]  # fmt: skip


def body_of(answer: dict[str, Any]) -> bytes:
    found: bytes = answer["Body"].read()
    return found


def test_put_and_get(s3: Any) -> None:
    made = s3.put_object(Bucket="bucket", Key="k", Body=b"bar", ContentType="text/plain", Metadata={"a": "1"})
    assert made["ETag"] == '"37b51d194a7513e45b56f6524f2d51f2"'
    assert "VersionId" not in made
    found = s3.get_object(Bucket="bucket", Key="k")
    assert body_of(found) == b"bar"
    assert (found["ContentType"], found["Metadata"], found["ContentLength"]) == ("text/plain", {"a": "1"}, 3)
    assert found["LastModified"].timestamp() == 1_700_000_000
    assert found["AcceptRanges"] == "bytes"


def test_strange_keys_coexist(s3: Any) -> None:
    for key in STRANGE_KEYS:
        s3.put_object(Bucket="bucket", Key=key, Body=key.encode())
    for key in STRANGE_KEYS:
        assert body_of(s3.get_object(Bucket="bucket", Key=key)) == key.encode()
    listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket="bucket")["Contents"]]
    assert listed == sorted(STRANGE_KEYS, key=str.encode)


@settings(max_examples=40)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_any_key_is_put_got_listed_and_deleted(s3: Any, key: str) -> None:
    s3.put_object(Bucket="bucket", Key=key, Body=b"x")
    assert body_of(s3.get_object(Bucket="bucket", Key=key)) == b"x"
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="bucket")["Contents"]] == [key]
    s3.delete_object(Bucket="bucket", Key=key)
    assert s3.list_objects_v2(Bucket="bucket")["KeyCount"] == 0


@pytest.mark.parametrize("addressing", ["path", "virtual"])
@pytest.mark.parametrize("size", [0, 1, 70_000, 300_000])
def test_bodies_of_all_sizes_in_both_styles(world: World, size: int, addressing: str) -> None:
    s3 = world.client(addressing=addressing)
    s3.create_bucket(Bucket="bucket")
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    s3.put_object(Bucket="bucket", Key="k", Body=data)
    assert body_of(s3.get_object(Bucket="bucket", Key="k")) == data
    assert s3.head_object(Bucket="bucket", Key="k")["ContentLength"] == size


def test_content_headers_come_back(s3: Any) -> None:
    given_headers = {
        "CacheControl": "public, max-age=14400",
        "ContentDisposition": "attachment; filename=x",
        "ContentEncoding": "gzip",
        "ContentLanguage": "ja",
        "ContentType": "text/html; charset=utf-8",
    }
    expires = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    s3.put_object(Bucket="bucket", Key="k", Body=b"", Expires=expires, **given_headers)
    found = s3.head_object(Bucket="bucket", Key="k")
    assert {name: found[name] for name in given_headers} == given_headers
    assert found["Expires"] == expires


def test_the_default_type(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"")
    assert s3.head_object(Bucket="bucket", Key="k")["ContentType"] == "binary/octet-stream"


def test_metadata_is_replaced_by_the_next_put(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"", Metadata={"a": "1"})
    s3.put_object(Bucket="bucket", Key="k", Body=b"")
    assert s3.head_object(Bucket="bucket", Key="k")["Metadata"] == {}


# --- ranges


@pytest.mark.parametrize("size", [11, 200_000])
@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=4-7", 4, 8),
        ("bytes=4-", 4, None),
        ("bytes=-7", -7, None),
        ("bytes=0-999999", 0, None),
        ("bytes=-999999", 0, None),
    ],
)
def test_ranges(s3: Any, size: int, wanted: str, start: int, stop: int | None) -> None:
    data = bytes(range(97, 108)) * (size // 11) + b"z" * (size % 11)
    s3.put_object(Bucket="bucket", Key="k", Body=data)
    found = s3.get_object(Bucket="bucket", Key="k", Range=wanted)
    part = data[start:stop]
    first = data.index(part) if size == 11 else start % size
    assert body_of(found) == part
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert found["ContentRange"] == f"bytes {first}-{first + len(part) - 1}/{size}"
    assert "ChecksumCRC32" not in found  # of the whole: it says nothing of a part
    head = s3.head_object(Bucket="bucket", Key="k", Range=wanted)
    assert (head["ContentLength"], head["ContentRange"]) == (len(part), found["ContentRange"])


@pytest.mark.parametrize("wanted", ["bytes=40-50", "bytes=11-", "bytes=-0"])
def test_a_range_outside_the_object(s3: Any, wanted: str) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"testcontent")
    refusal = refused(s3.get_object, Bucket="bucket", Key="k", Range=wanted)
    assert (refusal.status, refusal.code) == (416, "InvalidRange")
    assert refusal.headers["content-range"] == "bytes */11"
    assert refusal.error["ActualObjectSize"] == "11"
    assert refused(s3.head_object, Bucket="bucket", Key="k", Range=wanted).status == 416


@pytest.mark.parametrize("wanted", ["bytes=0-1,3-4", "bytes=9-2", "lines=1-2", "nonsense"])
def test_ranges_that_are_none_give_the_whole(s3: Any, wanted: str) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"testcontent")
    found = s3.get_object(Bucket="bucket", Key="k", Range=wanted)
    assert (body_of(found), found["ResponseMetadata"]["HTTPStatusCode"]) == (b"testcontent", 200)


def test_an_empty_object_has_no_range(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"")
    assert refused(s3.get_object, Bucket="bucket", Key="k", Range="bytes=0-1").status == 416
    assert s3.get_object(Bucket="bucket", Key="k", PartNumber=1)["ContentLength"] == 0


# --- conditions


def test_conditions_of_reads(s3: Any) -> None:
    etag = s3.put_object(Bucket="bucket", Key="k", Body=b"bar")["ETag"]
    before, after = "Sat, 29 Oct 1994 19:43:31 GMT", "Sat, 29 Oct 2033 19:43:31 GMT"
    for method in (s3.get_object, s3.head_object):
        assert method(Bucket="bucket", Key="k", IfMatch=etag)["ETag"] == etag
        assert method(Bucket="bucket", Key="k", IfNoneMatch='"other"')["ETag"] == etag
        assert method(Bucket="bucket", Key="k", IfModifiedSince=before)["ETag"] == etag
        assert method(Bucket="bucket", Key="k", IfUnmodifiedSince=after)["ETag"] == etag
        assert refused(method, Bucket="bucket", Key="k", IfMatch='"other"').status == 412
        assert refused(method, Bucket="bucket", Key="k", IfUnmodifiedSince=before).status == 412
        for more in ({"IfNoneMatch": etag}, {"IfNoneMatch": "*"}, {"IfModifiedSince": after}):
            refusal = refused(method, Bucket="bucket", Key="k", **more)
            assert (refusal.status, refusal.headers["etag"]) == (304, etag)
    # An ETag outweighs a date (RFC 9110 section 13.2.2).
    assert s3.get_object(Bucket="bucket", Key="k", IfMatch=etag, IfUnmodifiedSince=before)["ETag"] == etag
    assert s3.get_object(Bucket="bucket", Key="k", IfNoneMatch='"x"', IfModifiedSince=after)["ETag"] == etag


def test_conditions_of_writes(s3: Any) -> None:
    etag = s3.put_object(Bucket="bucket", Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    assert refused(s3.put_object, Bucket="bucket", Key="k", Body=b"2", IfNoneMatch="*").code == "PreconditionFailed"
    assert refused(s3.put_object, Bucket="bucket", Key="k", Body=b"2", IfMatch='"x"').status == 412
    s3.put_object(Bucket="bucket", Key="k", Body=b"2", IfMatch=etag)
    refusal = refused(s3.put_object, Bucket="bucket", Key="none", Body=b"2", IfMatch="*")
    assert (refusal.status, refusal.code) == (404, "NoSuchKey")


def test_conditions_of_deletes(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"123")
    assert refused(s3.delete_object, Bucket="bucket", Key="k", IfMatch='"x"').code == "PreconditionFailed"
    assert refused(s3.delete_object, Bucket="bucket", Key="k", IfMatchSize=9).code == "PreconditionFailed"
    bad = datetime.datetime(2015, 1, 1)
    assert refused(s3.delete_object, Bucket="bucket", Key="k", IfMatchLastModifiedTime=bad).status == 412
    modified = s3.head_object(Bucket="bucket", Key="k")["LastModified"]
    s3.delete_object(Bucket="bucket", Key="k", IfMatchSize=3, IfMatchLastModifiedTime=modified)
    # What is not there may be deleted on any condition.
    assert s3.delete_object(Bucket="bucket", Key="k", IfMatch='"x"')["ResponseMetadata"]["HTTPStatusCode"] == 204


# --- what is not there, and whose it is


def test_nothing_there(s3: Any, world: World) -> None:
    refusal = refused(s3.get_object, Bucket="bucket", Key="k")
    assert (refusal.status, refusal.code, refusal.error["Key"]) == (404, "NoSuchKey", "k")
    assert refused(s3.head_object, Bucket="bucket", Key="k").status == 404
    assert world.sent[-1].body == b""
    assert s3.delete_object(Bucket="bucket", Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 204
    for method in (s3.get_object, s3.delete_object, s3.put_object):
        refusal = refused(method, Bucket="no-bucket", Key="k")
        assert (refusal.status, refusal.code, refusal.error["BucketName"]) == (404, "NoSuchBucket", "no-bucket")


def test_another_account_gets_nothing(s3: Any, alt: Any, world: World) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"secret")
    anonymous = world.client(None)
    for client in (alt, anonymous):
        for call, more in (
            (client.get_object, {"Key": "k"}),
            (client.head_object, {"Key": "k"}),
            (client.put_object, {"Key": "k", "Body": b"mine"}),
            (client.delete_object, {"Key": "k"}),
            (client.get_object, {"Key": "not there"}),
            (client.list_objects, {}),
            (client.list_objects_v2, {}),
            (client.list_object_versions, {}),
            (client.delete_bucket, {}),
            (client.head_bucket, {}),
            (client.get_bucket_versioning, {}),
            (client.create_multipart_upload, {"Key": "k"}),
            (client.get_object_tagging, {"Key": "k"}),
            (client.delete_objects, {"Delete": {"Objects": [{"Key": "k"}]}}),
        ):
            assert refused(call, Bucket="bucket", **more).status == 403
    assert body_of(s3.get_object(Bucket="bucket", Key="k")) == b"secret"


def test_the_expected_owner_must_be_the_owner(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="k", ExpectedBucketOwner="main-id")
    assert refused(s3.put_object, Bucket="bucket", Key="k", ExpectedBucketOwner="other").code == "AccessDenied"


# --- headers this server does not do


@pytest.mark.parametrize(
    "more",
    [
        {"ServerSideEncryption": "AES256"},
        {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32},
        {"StorageClass": "GLACIER"},
        {"ACL": "public-read"},
        {"GrantRead": "id=x"},
        {"WebsiteRedirectLocation": "/x"},
        {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": datetime.datetime(2033, 1, 1)},
        {"ObjectLockLegalHoldStatus": "ON"},
        {"WriteOffsetBytes": 3},
    ],
)
def test_what_is_not_built_is_refused_not_ignored(s3: Any, more: dict[str, Any]) -> None:
    refusal = refused(s3.put_object, Bucket="bucket", Key="k", Body=b"x", **more)
    assert (refusal.status, refusal.code) == (501, "NotImplemented")
    assert refused(s3.head_object, Bucket="bucket", Key="k").status == 404


@pytest.mark.parametrize(
    "more", [{"ACL": "private"}, {"ACL": "bucket-owner-full-control"}, {"StorageClass": "STANDARD"}]
)
def test_what_is_done_anyway_is_taken(s3: Any, more: dict[str, Any]) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"x", **more)


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("get_object_acl", {"Key": "k"}),
        ("get_bucket_acl", {}),
        ("get_bucket_policy", {}),
        ("get_bucket_cors", {}),
        ("get_bucket_lifecycle_configuration", {}),
        ("get_bucket_encryption", {}),
        ("get_bucket_tagging", {}),
        ("get_object_retention", {"Key": "k"}),
        ("get_object_legal_hold", {"Key": "k"}),
        ("get_object_torrent", {"Key": "k"}),
        ("restore_object", {"Key": "k", "RestoreRequest": {"Days": 1}}),
        ("put_object_acl", {"Key": "k", "ACL": "private"}),
        ("delete_bucket_policy", {}),
        ("delete_bucket_lifecycle", {}),
    ],
)
def test_other_operations_are_not_implemented_and_change_nothing(s3: Any, method: str, more: dict[str, Any]) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"x")
    refusal = refused(getattr(s3, method), Bucket="bucket", **more)
    assert (refusal.status, refusal.code) == (501, "NotImplemented")
    assert body_of(s3.get_object(Bucket="bucket", Key="k")) == b"x"


# --- answers in other clothes


def test_response_headers_of_the_query(s3: Any, world: World) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"x", ContentType="text/plain")
    found = s3.get_object(
        Bucket="bucket", Key="k", ResponseContentType="foo/bar", ResponseCacheControl="no-cache",
        ResponseContentDisposition="bla", ResponseContentEncoding="aaa", ResponseContentLanguage="eo",
    )  # fmt: skip
    shown = found["ResponseMetadata"]["HTTPHeaders"]
    assert [shown[name] for name in ("content-type", "cache-control", "content-disposition")] == [
        "foo/bar",
        "no-cache",
        "bla",
    ]
    assert world.raw("GET", "/bucket/k?response-expires=123").headers["expires"] == "123"
    broken = world.raw("GET", "/bucket/k?response-content-type=a%0D%0Ax-evil%3A1")
    assert broken.status == 400


def test_an_anonymous_request_may_not_choose_headers(s3: Any, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kakera.core.authorize.allowed", lambda *_: True)
    s3.put_object(Bucket="bucket", Key="k", Body=b"x")
    assert world.raw("GET", "/bucket/k", signer=None).status == 200
    assert world.raw("GET", "/bucket/k?response-expires=1", signer=None).status == 400


def test_checksums(s3: Any) -> None:
    sha = "arcu6553sHVAiX4MjW0j7I7vD4w6R+Gz9Ok0Q9lTa+0="
    made = s3.put_object(Bucket="bucket", Key="k", Body=b"A" * 1024, ChecksumSHA256=sha)
    assert made["ChecksumSHA256"] == sha
    assert "ChecksumSHA256" not in s3.head_object(Bucket="bucket", Key="k")
    shown = s3.head_object(Bucket="bucket", Key="k", ChecksumMode="ENABLED")
    assert (shown["ChecksumSHA256"], shown["ChecksumType"]) == (sha, "FULL_OBJECT")
    assert body_of(s3.get_object(Bucket="bucket", Key="k", ChecksumMode="ENABLED")) == b"A" * 1024
    wrong = refused(s3.put_object, Bucket="bucket", Key="new", Body=b"B", ChecksumSHA256=sha)
    assert (wrong.status, wrong.code) == (400, "BadDigest")
    assert refused(s3.head_object, Bucket="bucket", Key="new").status == 404


def test_attributes(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"foo", ChecksumAlgorithm="SHA1")
    everything = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    found = s3.get_object_attributes(Bucket="bucket", Key="k", ObjectAttributes=everything)
    assert (found["ETag"], found["ObjectSize"], found["StorageClass"]) == (
        "acbd18db4cc2f85cedef654fccc4a4d8",
        3,
        "STANDARD",
    )
    assert found["Checksum"]["ChecksumSHA1"] and "ObjectParts" not in found
    some = s3.get_object_attributes(Bucket="bucket", Key="k", ObjectAttributes=["ObjectSize"])
    assert "ETag" not in some and some["ObjectSize"] == 3
    assert refused(s3.get_object_attributes, Bucket="bucket", Key="k", ObjectAttributes=["Colour"]).status == 400


# --- streams and failures


def test_a_stream_nobody_reads_gives_its_pins_back(s3: Any, world: World) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"x" * 200_000)

    async def leave(after: int) -> None:
        from kakera.dialects.s3.handle import handle

        response = await handle(world.request("GET", "/bucket/k"), world.services)
        assert response.body is not None and not isinstance(response.body, bytes)
        assert world.store.open_reads == 1
        for _ in range(after):
            await anext(response.body)
        await close(response.body)
        await close(response.body)
        assert world.store.open_reads == 0

    world.loop.run_until_complete(leave(0))
    world.loop.run_until_complete(leave(1))


def test_a_stream_that_breaks_raises_and_gives_its_pins_back(s3: Any, world: World) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"x" * 200_000)
    world.store.break_with("piece", errors.Damaged("three drives are away"))
    with pytest.raises(errors.Damaged):
        world.raw("GET", "/bucket/k")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.ReadOnly("two drives are away"), 503, "ServiceUnavailable"),
        (errors.Busy("queue full"), 503, "SlowDown"),
        (errors.OutOfSpace("full"), 507, "InsufficientStorage"),
        (errors.Unknown("no answer"), 503, "ServiceUnavailable"),
    ],
)
def test_not_now_is_told_with_its_reason(s3: Any, world: World, error: Exception, status: int, code: str) -> None:
    world.store.break_with("put", error)
    answer = world.raw("PUT", "/bucket/k", body=b"x")
    assert answer.status == status
    assert f"<Code>{code}</Code><Message>{error}</Message>".encode() in answer.body


def test_damage_before_the_first_byte_is_503_and_never_404(s3: Any, world: World) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"x")
    for operation, method in (("open_read", "GET"), ("head", "HEAD"), ("get_bucket", "GET")):
        world.store.break_with(operation, errors.Damaged("too few fragments"))
        assert world.raw(method, "/bucket/k").status == 503


def test_a_defect_is_500_and_tells_nothing(s3: Any, world: World) -> None:
    world.store.break_with("open_read", ZeroDivisionError("inner matters"))
    answer = world.raw("GET", "/bucket/k")
    assert answer.status == 500 and b"inner" not in answer.body


def test_nothing_of_a_broken_body_becomes_visible(s3: Any, world: World) -> None:
    data = b"x" * 100_000
    for cut in (0, 1, 50_000, 99_999):
        answer = world.raw("PUT", "/bucket/k", body=data, cut_after=cut)
        assert answer.status == 400 and b"IncompleteBody" in answer.body
    wrong = {"content-md5": "rL0Y20xC+Fzt72VPzMSk2A=="}
    assert b"BadDigest" in world.raw("PUT", "/bucket/k", body=data, headers=wrong).body
    short = {"content-md5": "YWJyYWNhZGFicmE="}
    assert b"InvalidDigest" in world.raw("PUT", "/bucket/k", body=data, headers=short).body
    huge = {"content-length": str(limits.MAX_PUT_BYTES + 1)}
    assert b"EntityTooLarge" in world.raw("PUT", "/bucket/k", body=data, headers=huge).body
    signed = world.request("PUT", "/bucket/k", body=data)
    signed.headers["x-amz-content-sha256"] = "0" * 64
    assert world.run(signed).status == 403
    assert world.raw("GET", "/bucket/k").status == 404


def test_the_requests_id_is_in_the_document(s3: Any, world: World) -> None:
    request = world.request("GET", "/bucket/none")
    assert f"<RequestId>{request.request_id}</RequestId>".encode() in world.run(request).body
