"""minio, MinIO's own Python client: streams with its own chunk signatures, lists versions its own way."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import urllib3
from minio import Minio
from minio.commonconfig import ENABLED, ComposeSource, CopySource
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.versioningconfig import VersioningConfig

from tests.clients import content, wire
from tests.clients.conftest import Many
from tests.clients.content import MIB, ODD_KEYS, OTHERS_BIG_BYTES, body, etag
from tests.clients.server import Server

# The client itself refuses these: "." and ".." as a part of the path.
KEYS = tuple(key for key in ODD_KEYS if not {".", ".."} & set(key.split("/")))


@pytest.fixture(scope="module")
def mc(server: Server) -> Minio:
    return Minio(
        server.host,
        access_key=server.main.access_key_id,
        secret_key=server.main.secret_access_key,
        region=server.region,
        secure=False,
        http_client=urllib3.PoolManager(timeout=60, retries=False, maxsize=20),
    )


def put(mc: Minio, bucket: str, key: str, data: bytes, **options: Any) -> str | None:
    """The version id."""
    done = mc.put_object(bucket, key, io.BytesIO(data), len(data), **options)
    assert done.etag == etag(data)
    return done.version_id


def read(mc: Minio, bucket: str, key: str, **options: Any) -> bytes:
    response = mc.get_object(bucket, key, **options)
    try:
        return response.read()
    finally:
        response.close()
        response.release_conn()


@pytest.mark.parametrize("size_bytes", [0, 1, 1025, 300_000, 4 * MIB + 1])
def test_put_get_and_ranges(mc: Minio, bucket: str, size_bytes: int) -> None:
    data = body(size_bytes)
    put(mc, bucket, "k", data, content_type="x/y", metadata={"who": "me"})
    assert read(mc, bucket, "k") == data
    stat = mc.stat_object(bucket, "k")
    assert (stat.size, stat.etag, stat.content_type) == (size_bytes, etag(data), "x/y")
    assert stat.metadata is not None and stat.metadata["x-amz-meta-who"] == "me"
    for offset, length in ((0, 1), (size_bytes // 2, 100), (size_bytes - 1, 1)):
        if 0 <= offset < size_bytes:
            assert read(mc, bucket, "k", offset=offset, length=length) == data[offset : offset + length]
    mc.remove_object(bucket, "k")
    with pytest.raises(S3Error) as caught:
        mc.stat_object(bucket, "k")
    assert caught.value.code == "NoSuchKey"


@pytest.mark.parametrize("use_api_v1", [False, True])
def test_list_of_5000(mc: Minio, many: Many, use_api_v1: bool) -> None:
    found = [
        (one.object_name, one.size, one.etag) for one in mc.list_objects("many", None, True, use_api_v1=use_api_v1)
    ]
    assert found == [(key, len(many.bodies[key]), etag(many.bodies[key])) for key in many.keys]
    folders = mc.list_objects("many", use_api_v1=use_api_v1)
    assert [(one.object_name, one.is_dir) for one in folders] == [(f"{number:02d}/", True) for number in range(50)]
    inside = mc.list_objects("many", "17/ü +", use_api_v1=use_api_v1)
    assert [one.object_name for one in inside] == [key for key in many.keys if key.startswith("17/ü +")]


def test_multipart(mc: Minio, bucket: str, big_file: tuple[Path, str], tmp_path: Path, server: Server) -> None:
    path, digest = big_file
    mark = server.mark()
    mc.fput_object(bucket, "big", str(path), part_size=5 * MIB)
    mc.fget_object(bucket, "big", str(tmp_path / "down"))
    assert content.file_digest(tmp_path / "down") == digest
    server.operations(mark, bucket, lambda done: done["UploadPart"] == OTHERS_BIG_BYTES // (5 * MIB))


def test_a_stream_of_unknown_length(mc: Minio, bucket: str) -> None:
    data = body(11 * MIB)
    mc.put_object(bucket, "k", io.BytesIO(data), -1, part_size=5 * MIB)
    assert read(mc, bucket, "k") == data


def test_copy_and_compose(mc: Minio, bucket: str, server: Server) -> None:
    first, second = body(5 * MIB, 1), body(300_000, 2)
    put(mc, bucket, "von ü+", first, metadata={"who": "me"})
    put(mc, bucket, "b", second)
    mark = server.mark()
    mc.copy_object(bucket, "copy", CopySource(bucket, "von ü+"))
    mc.compose_object(
        bucket, "both", [ComposeSource(bucket, "von ü+"), ComposeSource(bucket, "b", offset=7, length=99)]
    )
    assert read(mc, bucket, "copy") == first
    assert (mc.stat_object(bucket, "copy").metadata or {})["x-amz-meta-who"] == "me"
    assert read(mc, bucket, "both") == first + second[7:106]
    server.operations(mark, bucket, lambda done: done["CopyObject"] == 1 and done["UploadPartCopy"] == 2)


def test_versions(mc: Minio, bucket: str) -> None:
    assert mc.get_bucket_versioning(bucket).status != ENABLED
    mc.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    assert mc.get_bucket_versioning(bucket).status == ENABLED
    ids = [put(mc, bucket, "ü/k", b"%d" % number) for number in range(3)]
    assert len(set(ids)) == 3
    mc.remove_object(bucket, "ü/k")
    assert list(mc.list_objects(bucket, recursive=True)) == []
    listed = list(mc.list_objects(bucket, recursive=True, include_version=True))
    versions = [one.version_id for one in listed if not one.is_delete_marker]
    markers = [(one.object_name, one.is_latest) for one in listed if one.is_delete_marker]
    assert versions == ids[::-1]
    assert [(name, str(latest).lower()) for name, latest in markers] == [("ü/k", "true")]
    assert [read(mc, bucket, "ü/k", version_id=one) for one in ids] == [b"0", b"1", b"2"]
    gone = [DeleteObject("ü/k", one.version_id) for one in listed if one.version_id != ids[0]]
    assert list(mc.remove_objects(bucket, gone)) == []
    assert read(mc, bucket, "ü/k") == b"0"


def test_presigned(mc: Minio, bucket: str) -> None:
    data = body(200_000)
    url = mc.presigned_put_object(bucket, "ü +/x")
    assert wire.ask("GET", url).status == 403
    assert wire.ask("PUT", url, data).status == 200
    assert read(mc, bucket, "ü +/x") == data
    got = wire.ask("GET", mc.presigned_get_object(bucket, "ü +/x", response_headers={"response-content-type": "a/b"}))
    assert (got.status, got.headers["content-type"], got.body) == (200, "a/b", data)


def test_odd_keys_live_side_by_side(mc: Minio, bucket: str) -> None:
    for key in KEYS:
        put(mc, bucket, key, key.encode())
    assert [read(mc, bucket, key) for key in KEYS] == [key.encode() for key in KEYS]
    listed = [one.object_name for one in mc.list_objects(bucket, recursive=True)]
    assert listed == sorted(KEYS, key=str.encode)
    errors = mc.remove_objects(bucket, [DeleteObject(key) for key in KEYS if key != "a//b"])
    assert list(errors) == []
    assert [one.object_name for one in mc.list_objects(bucket, recursive=True)] == ["a//b"]


def test_a_wrong_secret_is_refused(server: Server, bucket: str) -> None:
    wrong = Minio(
        server.host, access_key=server.main.access_key_id, secret_key="wrong", region=server.region, secure=False
    )
    with pytest.raises(S3Error) as caught:
        put(wrong, bucket, "k", b"x")
    assert caught.value.code == "SignatureDoesNotMatch"
