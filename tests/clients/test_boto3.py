"""boto3, the client everybody's programs use: the widest of the suites."""

from __future__ import annotations

import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.clients import content, wire
from tests.clients.conftest import Connect, Many
from tests.clients.content import BIG_BYTES, MIB, ODD_KEYS, body, digest, etag
from tests.clients.server import Server

KIB = 1 << 10
# Around every change of place: inside the journal record, coded in it, chunks, several chunks.
SIZES_BYTES = (0, 1, KIB, KIB + 1, 128 * KIB, 128 * KIB + 1, 4 * MIB, 4 * MIB + 1, 9 * MIB + 7)


def read(s3: Any, bucket: str, key: str, **options: Any) -> bytes:
    data: bytes = s3.get_object(Bucket=bucket, Key=key, **options)["Body"].read()
    return data


def refusal(call: Any, **options: Any) -> tuple[int, str]:
    """Status and code of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        call(**options)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def keys(pages: Iterable[dict[str, Any]]) -> list[str]:
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def test_a_bucket_is_made_found_and_deleted(s3: Any, bucket: str) -> None:
    assert bucket in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    s3.head_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert refusal(s3.delete_bucket, Bucket=bucket) == (409, "BucketNotEmpty")
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)
    assert refusal(s3.head_bucket, Bucket=bucket)[0] == 404
    assert refusal(s3.list_objects_v2, Bucket=bucket) == (404, "NoSuchBucket")


@pytest.mark.parametrize("size_bytes", SIZES_BYTES)
def test_what_was_put_is_got(s3: Any, bucket: str, size_bytes: int) -> None:
    data = body(size_bytes)
    put = s3.put_object(
        Bucket=bucket, Key="k", Body=data, ContentType="x/y", CacheControl="no-store", Metadata={"who": "me", "n": "1"}
    )
    assert put["ETag"] == f'"{etag(data)}"'
    got = s3.get_object(Bucket=bucket, Key="k")
    assert digest(got["Body"].read()) == digest(data)
    head = s3.head_object(Bucket=bucket, Key="k")
    for answer in (got, head):
        assert (answer["ContentLength"], answer["ETag"]) == (size_bytes, put["ETag"])
        assert (answer["ContentType"], answer["CacheControl"]) == ("x/y", "no-store")
        assert answer["Metadata"] == {"who": "me", "n": "1"}


def test_an_overwrite_and_a_delete_are_seen_at_once(s3: Any, bucket: str) -> None:
    for size_bytes in (5 * MIB, 10, 200 * KIB):
        s3.put_object(Bucket=bucket, Key="k", Body=body(size_bytes))
        assert read(s3, bucket, "k") == body(size_bytes)
    s3.delete_object(Bucket=bucket, Key="k")
    assert refusal(s3.get_object, Bucket=bucket, Key="k") == (404, "NoSuchKey")


@pytest.mark.parametrize("size_bytes", [500, 100 * KIB, 9 * MIB + 7])
def test_ranges(s3: Any, bucket: str, size_bytes: int) -> None:
    data = body(size_bytes)
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    last = size_bytes - 1
    cases = {(0, 0), (0, last), (1, 99), (last, last), (size_bytes // 2 - 7, size_bytes // 2 + 7)}
    cases |= {(4 * MIB - 1, 4 * MIB), (64 * KIB - 1, 64 * KIB)} if size_bytes > 5 * MIB else set()
    for start, stop in cases:
        got = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={start}-{stop}")
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert got["ContentRange"] == f"bytes {start}-{stop}/{size_bytes}"
        assert got["Body"].read() == data[start : stop + 1]
    assert read(s3, bucket, "k", Range="bytes=-13") == data[-13:]
    assert read(s3, bucket, "k", Range=f"bytes={last - 2}-") == data[-3:]
    assert read(s3, bucket, "k", Range=f"bytes=7-{size_bytes * 2}") == data[7:]
    assert refusal(s3.get_object, Bucket=bucket, Key="k", Range=f"bytes={size_bytes}-") == (416, "InvalidRange")


def test_conditions(s3: Any, bucket: str) -> None:
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    again = refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    wrong = refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfMatch='"no"')
    assert again == wrong == (412, "PreconditionFailed")
    assert read(s3, bucket, "k") == b"1"
    assert refusal(s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=tag)[0] == 304
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=tag)
    assert read(s3, bucket, "k") == b"2"


def test_one_of_many_writers_creates_a_key(s3: Any, bucket: str) -> None:
    def create(number: int) -> int | None:
        try:
            s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % number, IfNoneMatch="*")
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412)
            return None
        return number

    with ThreadPoolExecutor(16) as pool:
        won = [number for number in pool.map(create, range(48)) if number is not None]
    assert [read(s3, bucket, "k")] == [b"%d" % number for number in won]


@pytest.mark.parametrize("version", ["list_objects_v2", "list_objects"])
def test_list_of_5000(s3: Any, many: Many, version: str) -> None:
    pages = list(s3.get_paginator(version).paginate(Bucket=many.bucket))
    assert len(pages) == 5
    found = [(entry["Key"], entry["Size"], entry["ETag"]) for page in pages for entry in page["Contents"]]
    assert found == [(key, len(many.bodies[key]), f'"{etag(many.bodies[key])}"') for key in many.keys]


@pytest.mark.parametrize("version", ["list_objects_v2", "list_objects"])
def test_list_with_prefix_and_delimiter(s3: Any, many: Many, version: str) -> None:
    pager = s3.get_paginator(version)
    folders = list(pager.paginate(Bucket=many.bucket, Delimiter="/", PaginationConfig={"PageSize": 7}))
    assert len(folders) == 8
    found = [entry["Prefix"] for page in folders for entry in page["CommonPrefixes"]]
    assert found == [f"{number:02d}/" for number in range(50)]
    assert keys(folders) == []
    inside = pager.paginate(Bucket=many.bucket, Prefix="07/", Delimiter="/", PaginationConfig={"PageSize": 9})
    assert keys(inside) == [key for key in many.keys if key.startswith("07/")]
    odd = pager.paginate(Bucket=many.bucket, Prefix="17/ü +&%")
    assert keys(odd) == [key for key in many.keys if key.startswith("17/ü +&%")] != []


def test_list_from_the_middle(s3: Any, many: Many) -> None:
    middle = many.keys[2500]
    found = s3.get_paginator("list_objects_v2").paginate(Bucket=many.bucket, StartAfter=middle)
    assert keys(found) == many.keys[2501:]
    page = s3.list_objects(Bucket=many.bucket, Marker=middle, MaxKeys=3)
    assert keys([page]) == many.keys[2501:2504]
    assert page["IsTruncated"]


def test_multipart_of_100_mb(s3: Any, bucket: str, tmp_path: Path, server: Server) -> None:
    wanted = content.make_file(tmp_path / "up", BIG_BYTES, "boto3")
    config = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=4)
    mark = server.mark()
    s3.upload_file(str(tmp_path / "up"), bucket, "big", Config=config, ExtraArgs={"Metadata": {"who": "me"}})
    head = s3.head_object(Bucket=bucket, Key="big")
    assert (head["ContentLength"], head["Metadata"]) == (BIG_BYTES, {"who": "me"})
    assert head["ETag"].endswith('-13"')
    s3.download_file(bucket, "big", str(tmp_path / "down"), Config=config)
    assert content.file_digest(tmp_path / "down") == wanted
    server.operations(mark, bucket, lambda done: done["UploadPart"] == 13 and done["GetObject"] >= 13)
    part = s3.get_object(Bucket=bucket, Key="big", PartNumber=13)
    data = (tmp_path / "up").read_bytes()
    assert part["PartsCount"] == 13
    assert part["Body"].read() == data[12 * 8 * MIB :]
    across = read(s3, bucket, "big", Range=f"bytes={8 * MIB - 10}-{8 * MIB + 9}")
    assert across == data[8 * MIB - 10 : 8 * MIB + 10]


def test_multipart_step_by_step(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    upload = {**where, "UploadId": s3.create_multipart_upload(**where, ContentType="x/y")["UploadId"]}
    bodies = {number: body(5 * MIB + number, number) for number in (3, 1)} | {7: b"the end"}
    tags = {number: s3.upload_part(**upload, PartNumber=number, Body=data)["ETag"] for number, data in bodies.items()}
    assert [part["PartNumber"] for part in s3.list_parts(**upload)["Parts"]] == [1, 3, 7]
    assert [entry["Key"] for entry in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["k"]
    assert refusal(s3.head_object, **where)[0] == 404
    parts = [{"PartNumber": number, "ETag": tags[number]} for number in (1, 3, 7)]
    wrong = {"Parts": [parts[0], {"PartNumber": 3, "ETag": tags[1]}]}
    assert refusal(s3.complete_multipart_upload, **upload, MultipartUpload=wrong) == (400, "InvalidPart")
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    again = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert done["ETag"] == again["ETag"]
    assert read(s3, bucket, "k") == bodies[1] + bodies[3] + bodies[7]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_an_aborted_upload_leaves_nothing(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    upload = {**where, "UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    s3.upload_part(**upload, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(**upload)
    assert refusal(s3.list_parts, **upload) == (404, "NoSuchUpload")
    s3.delete_bucket(Bucket=bucket)


def test_copy(s3: Any, bucket: str, server: Server) -> None:
    data = body(6 * MIB)
    s3.put_object(Bucket=bucket, Key="von ü+", Body=data, Metadata={"who": "me"}, ContentType="x/y")
    source = {"Bucket": bucket, "Key": "von ü+"}
    s3.copy_object(Bucket=bucket, Key="kept", CopySource=source)
    s3.copy_object(Bucket=bucket, Key="new", CopySource=source, Metadata={"n": "1"}, MetadataDirective="REPLACE")
    s3.delete_object(**source)
    for key, metadata in (("kept", {"who": "me"}), ("new", {"n": "1"})):
        got = s3.get_object(Bucket=bucket, Key=key)
        assert got["Metadata"] == metadata
        assert got["Body"].read() == data
    assert refusal(s3.copy_object, Bucket=bucket, Key="x", CopySource=source) == (404, "NoSuchKey")
    mark = server.mark()
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    s3.copy({"Bucket": bucket, "Key": "kept"}, bucket, "by parts", Config=config)
    assert read(s3, bucket, "by parts") == data
    server.operations(mark, bucket, lambda done: done["UploadPartCopy"] == 2 and not done["UploadPart"])


def test_versions(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    ids = [s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % number)["VersionId"] for number in range(3)]
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"]
    assert refusal(s3.get_object, Bucket=bucket, Key="k") == (404, "NoSuchKey")
    listed = s3.list_object_versions(Bucket=bucket)
    assert [entry["VersionId"] for entry in listed["Versions"]] == [*reversed(ids), "null"]
    assert [(entry["VersionId"], entry["IsLatest"]) for entry in listed["DeleteMarkers"]] == [
        (marker["VersionId"], True)
    ]
    assert [read(s3, bucket, "k", VersionId=one) for one in ("null", *ids)] == [b"before", b"0", b"1", b"2"]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert read(s3, bucket, "k") == b"2"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=ids[2])
    assert read(s3, bucket, "k") == b"1"
    s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k", "VersionId": ids[0]})
    assert read(s3, bucket, "k") == b"0"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"after")
    assert read(s3, bucket, "k", VersionId="null") == read(s3, bucket, "k") == b"after"
    assert read(s3, bucket, "k", VersionId=ids[1]) == b"1"


def test_versions_come_in_pages(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    made = [(key, s3.put_object(Bucket=bucket, Key=key, Body=key)["VersionId"]) for key in "ababcab"]
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
    found = [(entry["Key"], entry["VersionId"]) for page in pages for entry in page["Versions"]]
    newest_first = [one for key in "abc" for one in reversed(made) if one[0] == key]
    assert found == newest_first


def test_presigned_get_and_put(s3: Any, bucket: str) -> None:
    data, where = body(200 * KIB), {"Bucket": bucket, "Key": "ü +/x"}
    put = s3.generate_presigned_url("put_object", Params={**where, "ContentType": "x/y"})
    assert wire.ask("PUT", put, data, {"Content-Type": "x/z"}).status == 403
    assert refusal(s3.head_object, **where)[0] == 404
    assert wire.ask("PUT", put, data, {"Content-Type": "x/y"}).status == 200
    assert read(s3, bucket=bucket, key=where["Key"]) == data
    get = s3.generate_presigned_url("get_object", Params={**where, "ResponseContentType": "a/b"})
    answer = wire.ask("GET", get)
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "a/b", data)
    part = wire.ask("GET", get, headers={"Range": "bytes=5-9"})
    assert (part.status, part.body) == (206, data[5:10])
    assert wire.ask("PUT", get, b"other").status == 403
    assert wire.ask("GET", get.replace("x?", "y?")).status == 403
    assert wire.ask("GET", get[:-1] + ("0" if get[-1] != "0" else "1")).status == 403


def test_odd_keys_live_side_by_side(s3: Any, bucket: str) -> None:
    for key in ODD_KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key)
    for key in ODD_KEYS:
        assert read(s3, bucket, key) == key.encode()
        url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
        assert wire.ask("GET", url).body == key.encode()
    ordered = sorted(ODD_KEYS, key=str.encode)
    for version in ("list_objects_v2", "list_objects"):
        pager = s3.get_paginator(version)
        assert keys(pager.paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})) == ordered
        assert keys(pager.paginate(Bucket=bucket, Prefix="a/")) == [key for key in ordered if key.startswith("a/")]
    level = s3.list_objects_v2(Bucket=bucket, Prefix="a/", Delimiter="/")
    assert [entry["Prefix"] for entry in level["CommonPrefixes"]] == ["a/../", "a//"]
    assert keys([level]) == ["a/", "a/b"]
    for key in ODD_KEYS:
        s3.copy_object(Bucket=bucket, Key=f"copy/{key}", CopySource={"Bucket": bucket, "Key": key})
        s3.delete_object(Bucket=bucket, Key=key)
        assert read(s3, bucket, f"copy/{key}") == key.encode()
    assert keys(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)) == [f"copy/{key}" for key in ordered]


def test_many_are_deleted_at_once(s3: Any, bucket: str) -> None:
    for key in (*ODD_KEYS, "stays"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    wanted = [{"Key": key} for key in (*ODD_KEYS, "never was")]
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted})
    assert "Errors" not in done
    assert sorted(entry["Key"] for entry in done["Deleted"]) == sorted(entry["Key"] for entry in wanted)
    assert keys([s3.list_objects_v2(Bucket=bucket)]) == ["stays"]


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums(s3: Any, bucket: str, algorithm: str) -> None:
    data = body(300 * KIB)
    field = f"Checksum{algorithm}"
    put = s3.put_object(Bucket=bucket, Key="k", Body=io.BytesIO(data), ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got[field] == put[field]
    assert got["Body"].read() == data  # checked by botocore too
    other = s3.put_object(Bucket=bucket, Key="other", Body=b"other", ChecksumAlgorithm=algorithm)[field]
    refused = refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"wrong", **{field: other})
    assert refused == (400, "BadDigest")
    assert read(s3, bucket, "k") == data


def test_tags(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="a=1&b=%C3%BC%20%2B")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [
        {"Key": "a", "Value": "1"},
        {"Key": "b", "Value": "ü +"},
    ]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "c", "Value": "3"}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "c", "Value": "3"}]
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


def test_accounts_are_apart(s3: Any, connect: Connect, server: Server, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"mine")
    other = connect(server.alt)
    assert bucket not in [entry["Name"] for entry in other.list_buckets()["Buckets"]]
    assert refusal(other.get_object, Bucket=bucket, Key="k") == (403, "AccessDenied")
    assert refusal(other.put_object, Bucket=bucket, Key="k", Body=b"theirs") == (403, "AccessDenied")
    assert refusal(other.delete_object, Bucket=bucket, Key="k") == (403, "AccessDenied")
    assert refusal(other.create_bucket, Bucket=bucket)[0] == 409
    assert read(s3, bucket, "k") == b"mine"
