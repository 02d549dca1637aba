"""Multipart uploads and copies through boto3."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Any
from urllib.parse import quote

import pytest

from kakera.base import limits
from kakera.dialects.s3.checksums import compute, encode
from tests.api.refusal import refused
from tests.api.world import ALT, World

PART = b"p" * limits.MIN_PART_BYTES
TAIL = b"tail"


def start(s3: Any, key: str = "k", **more: Any) -> str:
    upload: str = s3.create_multipart_upload(Bucket="bucket", Key=key, **more)["UploadId"]
    return upload


def send(s3: Any, upload: str, bodies: list[bytes], key: str = "k", **more: Any) -> list[dict[str, Any]]:
    sent = []
    for number, body in enumerate(bodies, 1):
        made = s3.upload_part(Bucket="bucket", Key=key, UploadId=upload, PartNumber=number, Body=body, **more)
        sent.append({"ETag": made["ETag"], "PartNumber": number})
    return sent


def complete(s3: Any, upload: str, parts: list[dict[str, Any]], key: str = "k", **more: Any) -> Any:
    document = {"Parts": parts}
    return s3.complete_multipart_upload(Bucket="bucket", Key=key, UploadId=upload, MultipartUpload=document, **more)


@pytest.fixture
def plain(world: World, s3: Any) -> Any:
    """A client that adds no checksum of its own."""
    assert s3
    return world.client(request_checksum_calculation="when_required", response_checksum_validation="when_required")


def test_an_upload_from_start_to_end(plain: Any) -> None:
    upload = start(plain, Metadata={"a": "1"}, ContentType="text/x", Tagging="t=u")
    parts = send(plain, upload, [PART, TAIL])
    listed = plain.list_parts(Bucket="bucket", Key="k", UploadId=upload)
    assert [(part["PartNumber"], part["Size"]) for part in listed["Parts"]] == [(1, len(PART)), (2, 4)]
    done = complete(plain, upload, parts)
    digests = hashlib.md5(PART).digest() + hashlib.md5(TAIL).digest()
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-2"'
    assert done["Location"] == "http://s3.test:9000/bucket/k"
    found = plain.get_object(Bucket="bucket", Key="k")
    assert found["Body"].read() == PART + TAIL
    assert (found["Metadata"], found["ContentType"], found["TagCount"]) == ({"a": "1"}, "text/x", 1)
    assert refused(plain.list_parts, Bucket="bucket", Key="k", UploadId=upload).code == "NoSuchUpload"
    # Once more: the same answer.
    assert complete(plain, upload, parts)["ETag"] == done["ETag"]


def test_parts_of_an_object(plain: Any) -> None:
    upload = start(plain)
    complete(plain, upload, send(plain, upload, [PART, TAIL]))
    for method in (plain.get_object, plain.head_object):
        first = method(Bucket="bucket", Key="k", PartNumber=1)
        assert (first["PartsCount"], first["ContentLength"]) == (2, len(PART))
        second = method(Bucket="bucket", Key="k", PartNumber=2)
        assert second["ContentRange"] == f"bytes {len(PART)}-{len(PART) + 3}/{len(PART) + 4}"
        assert refused(method, Bucket="bucket", Key="k", PartNumber=3).status == 400
    assert refused(plain.get_object, Bucket="bucket", Key="k", PartNumber=3).code == "InvalidPart"
    both = refused(plain.get_object, Bucket="bucket", Key="k", PartNumber=1, Range="bytes=0-1")
    assert both.code == "InvalidRequest"
    plain.put_object(Bucket="bucket", Key="one", Body=b"body")
    assert plain.get_object(Bucket="bucket", Key="one", PartNumber=1)["Body"].read() == b"body"
    assert refused(plain.get_object, Bucket="bucket", Key="one", PartNumber=2).code == "InvalidPart"


def test_attributes_page_through_the_parts(plain: Any) -> None:
    upload = start(plain)
    complete(plain, upload, send(plain, upload, [PART, PART, PART, TAIL]))
    wanted = ["ObjectParts", "ObjectSize"]
    page = plain.get_object_attributes(
        Bucket="bucket", Key="k", ObjectAttributes=wanted, MaxParts=2, PartNumberMarker=1
    )["ObjectParts"]
    assert [part["PartNumber"] for part in page["Parts"]] == [2, 3]
    assert (page["TotalPartsCount"], page["IsTruncated"], page["NextPartNumberMarker"]) == (4, True, 3)
    rest = plain.get_object_attributes(Bucket="bucket", Key="k", ObjectAttributes=wanted, PartNumberMarker=3)
    assert [part["Size"] for part in rest["ObjectParts"]["Parts"]] == [4]
    assert rest["ObjectParts"]["IsTruncated"] is False


def test_pages_of_list_parts(plain: Any) -> None:
    upload = start(plain)
    send(plain, upload, [b"1", b"2", b"3"])
    page = plain.list_parts(Bucket="bucket", Key="k", UploadId=upload, MaxParts=2)
    assert (page["IsTruncated"], page["NextPartNumberMarker"], page["MaxParts"]) == (True, 2, 2)
    rest = plain.list_parts(Bucket="bucket", Key="k", UploadId=upload, PartNumberMarker=2)
    assert [part["PartNumber"] for part in rest["Parts"]] == [3] and rest["PartNumberMarker"] == 2
    assert page["Owner"] == page["Initiator"] == {"ID": "main-id", "DisplayName": "Main"}


def test_what_complete_refuses(plain: Any, world: World) -> None:
    upload = start(plain)
    parts = send(plain, upload, [b"small", TAIL])
    small = refused(complete, s3=plain, upload=upload, parts=parts)
    assert (small.status, small.code) == (400, "EntityTooSmall")
    assert (small.error["PartNumber"], small.error["ProposedSize"]) == ("1", "5")
    assert refused(complete, s3=plain, upload=upload, parts=parts[::-1]).code == "InvalidPartOrder"
    missing = [{"ETag": parts[0]["ETag"], "PartNumber": 9999}]
    assert refused(complete, s3=plain, upload=upload, parts=missing).code == "InvalidPart"
    wrong = [{"ETag": "f" * 32, "PartNumber": 1}]
    assert refused(complete, s3=plain, upload=upload, parts=wrong).code == "InvalidPart"
    assert refused(complete, s3=plain, upload=upload, parts=[]).code == "MalformedXML"
    for unknown in ("abc1234def", "0" * 32):
        assert refused(complete, s3=plain, upload=unknown, parts=parts[1:]).code == "NoSuchUpload"
    assert refused(complete, s3=plain, upload=upload, parts=parts[1:], MpuObjectSize=5).code == "InvalidRequest"
    assert refused(complete, s3=plain, upload=upload, parts=parts[1:], IfMatch="*").code == "NoSuchKey"
    assert refused(plain.head_object, Bucket="bucket", Key="k").status == 404
    complete(plain, upload, parts[1:], MpuObjectSize=4, IfNoneMatch="*")
    assert world.raw("GET", "/bucket/k").body == TAIL


def test_a_part_named_twice_counts_as_named_last(plain: Any) -> None:
    upload = start(plain)
    old = send(plain, upload, [b"old"])
    new = send(plain, upload, [b"new"])
    complete(plain, upload, old + new)
    assert plain.get_object(Bucket="bucket", Key="k")["Body"].read() == b"new"


def test_abort(plain: Any) -> None:
    upload = start(plain)
    send(plain, upload, [b"x"])
    plain.abort_multipart_upload(Bucket="bucket", Key="k", UploadId=upload)
    assert refused(plain.abort_multipart_upload, Bucket="bucket", Key="k", UploadId=upload).code == "NoSuchUpload"
    part = {"Bucket": "bucket", "Key": "k", "UploadId": upload, "PartNumber": 1, "Body": b"x"}
    assert refused(plain.upload_part, **part).code == "NoSuchUpload"


@pytest.mark.parametrize("number", ["0", "10001", "-1", "x", ""])
def test_part_numbers_that_are_none(plain: Any, world: World, number: str) -> None:
    upload = start(plain)
    answer = world.raw("PUT", f"/bucket/k?partNumber={number}&uploadId={upload}", body=b"x")
    assert answer.status == 400 and b"InvalidArgument" in answer.body
    # Never the PUT of an object.
    assert world.raw("PUT", "/bucket/k?partNumber=1", body=b"x").status == 400
    assert world.raw("GET", "/bucket/k").status == 404


# --- checksums


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [("CRC32", "COMPOSITE"), ("CRC32", "FULL_OBJECT"), ("CRC32C", "FULL_OBJECT"), ("CRC64NVME", "FULL_OBJECT"),
     ("SHA1", "COMPOSITE"), ("SHA256", "COMPOSITE")],
)  # fmt: skip
def test_checksums_of_the_whole(s3: Any, algorithm: str, kind: str) -> None:
    made = s3.create_multipart_upload(Bucket="bucket", Key="k", ChecksumAlgorithm=algorithm, ChecksumType=kind)
    assert (made["ChecksumAlgorithm"], made["ChecksumType"]) == (algorithm, kind)
    parts = send(s3, made["UploadId"], [PART, TAIL], ChecksumAlgorithm=algorithm)
    if kind == "FULL_OBJECT":
        expected = encode(compute(algorithm, PART + TAIL))
    else:
        digests = compute(algorithm, PART) + compute(algorithm, TAIL)
        expected = f"{b64encode(compute(algorithm, digests)).decode()}-2"
    name = f"Checksum{algorithm}"
    assert refused(complete, s3=s3, upload=made["UploadId"], parts=parts, **{name: "bad"}).code == "BadDigest"
    done = complete(s3, made["UploadId"], parts, **{name: expected})
    assert (done[name], done["ChecksumType"]) == (expected, kind)
    assert complete(s3, made["UploadId"], parts)[name] == expected
    head = s3.head_object(Bucket="bucket", Key="k", ChecksumMode="ENABLED")
    assert (head[name], head["ChecksumType"]) == (expected, kind)
    part = s3.get_object(Bucket="bucket", Key="k", PartNumber=2)
    assert part[name] == encode(compute(algorithm, TAIL))
    assert part["Body"].read() == TAIL
    whole = s3.get_object(Bucket="bucket", Key="k")
    assert whole["Body"].read() == PART + TAIL


def test_a_part_without_a_checksum_gets_the_uploads(plain: Any) -> None:
    upload = start(plain, ChecksumAlgorithm="SHA256")
    made = plain.upload_part(Bucket="bucket", Key="k", UploadId=upload, PartNumber=1, Body=TAIL)
    assert made["ChecksumSHA256"] == encode(compute("SHA256", TAIL))


def test_claims_that_do_not_fit_the_upload(plain: Any) -> None:
    upload = start(plain, ChecksumAlgorithm="SHA256")
    parts = send(plain, upload, [TAIL], ChecksumAlgorithm="SHA256")
    other = encode(compute("SHA1", TAIL))
    assert refused(complete, s3=plain, upload=upload, parts=parts, ChecksumSHA1=other).code == "InvalidRequest"
    lying = [parts[0] | {"ChecksumSHA256": encode(bytes(32))}]
    assert refused(complete, s3=plain, upload=upload, parts=lying).code == "InvalidPart"
    bare = start(plain)
    none = send(plain, bare, [TAIL])
    assert refused(complete, s3=plain, upload=bare, parts=none, ChecksumSHA1=other).code == "InvalidRequest"


# --- copies


def test_copy(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="a b/é?", Body=b"x", Metadata={"k": "v"}, ContentType="t/x", Tagging="t=u")
    source = {"Bucket": "bucket", "Key": "a b/é?"}
    done = s3.copy_object(Bucket="bucket", Key="copy", CopySource=source)
    assert done["CopyObjectResult"]["ETag"] == '"9dd4e461268c8034f5c8564e155c67a6"'
    found = s3.get_object(Bucket="bucket", Key="copy")
    assert (found["Metadata"], found["ContentType"], found["TagCount"]) == ({"k": "v"}, "t/x", 1)
    s3.copy_object(
        Bucket="bucket", Key="copy", CopySource=source, Metadata={"new": "1"}, MetadataDirective="REPLACE",
        TaggingDirective="REPLACE", ContentType="u/y",
    )  # fmt: skip
    changed = s3.get_object(Bucket="bucket", Key="copy")
    assert (changed["Metadata"], changed["ContentType"]) == ({"new": "1"}, "u/y") and "TagCount" not in changed


def test_copy_onto_itself(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"x")
    source = {"Bucket": "bucket", "Key": "k"}
    refusal = refused(s3.copy_object, Bucket="bucket", Key="k", CopySource=source)
    assert (refusal.status, refusal.code) == (400, "InvalidRequest")
    s3.copy_object(Bucket="bucket", Key="k", CopySource=source, Metadata={"a": "b"}, MetadataDirective="REPLACE")
    assert s3.head_object(Bucket="bucket", Key="k")["Metadata"] == {"a": "b"}


def test_copy_of_versions(s3: Any) -> None:
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="bucket", Key="k", Body=b"1")["VersionId"]
    s3.put_object(Bucket="bucket", Key="k", Body=b"2")
    source = {"Bucket": "bucket", "Key": "k", "VersionId": first}
    # An old version may be copied over the newest: that is how it is brought back.
    done = s3.copy_object(Bucket="bucket", Key="k", CopySource=source)
    assert done["CopySourceVersionId"] == first and done["VersionId"] != first
    assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == b"1"
    marker = s3.delete_object(Bucket="bucket", Key="k")["VersionId"]
    gone = {"Bucket": "bucket", "Key": "k", "VersionId": marker}
    assert refused(s3.copy_object, Bucket="bucket", Key="l", CopySource=gone).code == "InvalidRequest"
    newest = {"Bucket": "bucket", "Key": "k"}
    assert refused(s3.copy_object, Bucket="bucket", Key="l", CopySource=newest).code == "NoSuchKey"


def test_conditions_of_copies(s3: Any) -> None:
    etag = s3.put_object(Bucket="bucket", Key="k", Body=b"x")["ETag"]
    source = {"Bucket": "bucket", "Key": "k"}
    for more in (
        {"CopySourceIfMatch": '"other"'},
        {"CopySourceIfNoneMatch": etag},
        {"CopySourceIfUnmodifiedSince": "Sat, 29 Oct 1994 19:43:31 GMT"},
        {"CopySourceIfModifiedSince": "Sat, 29 Oct 2033 19:43:31 GMT"},
    ):
        refusal = refused(s3.copy_object, Bucket="bucket", Key="l", CopySource=source, **more)
        assert (refusal.status, refusal.code) == (412, "PreconditionFailed")
    s3.copy_object(Bucket="bucket", Key="l", CopySource=source, CopySourceIfMatch=etag, IfNoneMatch="*")
    again = refused(s3.copy_object, Bucket="bucket", Key="l", CopySource=source, IfNoneMatch="*")
    assert again.status == 412


def test_copy_between_accounts(s3: Any, world: World) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"secret")
    alt = world.client(ALT)
    alt.create_bucket(Bucket="theirs")
    source = {"Bucket": "bucket", "Key": "k"}
    assert refused(alt.copy_object, Bucket="theirs", Key="k", CopySource=source).code == "AccessDenied"
    missing = {"Bucket": "no-bucket", "Key": "k"}
    assert refused(alt.copy_object, Bucket="theirs", Key="k", CopySource=missing).code == "NoSuchBucket"
    assert (
        refused(s3.copy_object, Bucket="bucket", Key="l", CopySource={"Bucket": "bucket", "Key": "no"}).code
        == "NoSuchKey"
    )


def test_copy_a_part(s3: Any, world: World) -> None:
    data = bytes(range(256)) * 40
    s3.put_object(Bucket="bucket", Key="?versionId", Body=data)
    upload = start(s3)
    source = {"Bucket": "bucket", "Key": "?versionId"}
    part = s3.upload_part_copy(
        Bucket="bucket", Key="k", UploadId=upload, PartNumber=1, CopySource=source, CopySourceRange="bytes=10-19"
    )["CopyPartResult"]
    complete(s3, upload, [{"ETag": part["ETag"], "PartNumber": 1}])
    assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == data[10:20]
    other = start(s3)
    far = f"bytes=0-{len(data)}"
    asked = {"Bucket": "bucket", "Key": "k", "UploadId": other, "PartNumber": 1, "CopySource": source}
    assert refused(s3.upload_part_copy, CopySourceRange=far, **asked).code == "InvalidRange"
    for bad in ("0-2", "bytes=0", "bytes=hello-world", "bytes=0-2,3-5"):
        assert refused(s3.upload_part_copy, CopySourceRange=bad, **asked).code == "InvalidArgument"
    target = f"/bucket/k?partNumber=1&uploadId={other}"
    named = {"x-amz-copy-source": quote("bucket/?versionId", safe="")}
    assert world.raw("PUT", target, headers=named).status == 200
