"""URLs that carry their own signature, used by a client that knows nothing else."""

from __future__ import annotations

import base64
import time
import zlib
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.api.world import ALT, MAIN, REGION, Answer, World


def use(world: World, method: str, url: str, *, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
    parts = urlsplit(url)
    target = parts.path + "?" + parts.query
    return world.raw(method, target, body=body, headers=headers, signer=None, host=parts.netloc)


@pytest.mark.parametrize("addressing", ["path", "virtual"])
def test_get_put_head_delete(world: World, addressing: str) -> None:
    s3 = world.client(addressing=addressing)
    s3.create_bucket(Bucket="bucket")
    named = {"Bucket": "bucket", "Key": "a b/é+?"}
    assert use(world, "PUT", s3.generate_presigned_url("put_object", named), body=b"hello").status == 200
    answer = use(world, "GET", s3.generate_presigned_url("get_object", named))
    assert (answer.status, answer.body) == (200, b"hello")
    assert use(world, "HEAD", s3.generate_presigned_url("head_object", named)).content_length == 5
    assert use(world, "DELETE", s3.generate_presigned_url("delete_object", named)).status == 204
    assert use(world, "GET", s3.generate_presigned_url("get_object", named)).status == 404


def test_a_url_is_for_one_request_only(s3: Any, world: World) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"x")
    url = s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "k"})
    assert use(world, "PUT", url, body=b"y").status == 403
    assert use(world, "DELETE", url).status == 403
    assert use(world, "GET", url.replace("/k?", "/l?")).status == 403
    assert use(world, "GET", url + "&versionId=null").status == 403
    # A header nobody signed would change what is asked.
    assert use(world, "GET", url, headers={"x-amz-checksum-mode": "ENABLED"}).status == 403
    assert use(world, "GET", url).body == b"x"


def test_a_url_ends(s3: Any, world: World) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"x")
    url = s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "k"}, ExpiresIn=60)
    later = time.time() + 61
    world.services.now = lambda: later
    answer = use(world, "GET", url)
    assert answer.status == 403 and b"Request has expired" in answer.body


def test_a_url_gives_its_makers_rights_only(s3: Any, world: World) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"x")
    url = world.client(ALT).generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "k"})
    assert use(world, "GET", url).status == 403


def test_the_maker_chooses_headers_of_the_answer(s3: Any, world: World) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"x")
    asked = {"Bucket": "bucket", "Key": "k", "ResponseContentDisposition": 'attachment; filename="é.txt"'}
    answer = use(world, "GET", s3.generate_presigned_url("get_object", asked))
    assert answer.headers["content-disposition"] == 'attachment; filename="é.txt"'


def test_an_upload_by_urls(s3: Any, world: World) -> None:
    upload = s3.create_multipart_upload(Bucket="bucket", Key="k")["UploadId"]
    named = {"Bucket": "bucket", "Key": "k", "UploadId": upload}
    url = s3.generate_presigned_url("upload_part", named | {"PartNumber": 1})
    etag = use(world, "PUT", url, body=b"part").headers["etag"]
    document = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    )
    done = use(world, "POST", s3.generate_presigned_url("complete_multipart_upload", named), body=document.encode())
    assert done.status == 200
    assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == b"part"


def _hoisted(world: World, **extra: str) -> str:
    """A URL as the JavaScript SDK's pre-signer makes it: headers of the request moved into its query, and signed."""
    request = AWSRequest("PUT", "http://localhost/bucket/k", params={n.replace("_", "-"): v for n, v in extra.items()})
    credentials = Credentials(MAIN.access_key_id, MAIN.secret_access_key)
    S3SigV4QueryAuth(credentials, "s3", REGION, expires=60).add_auth(request)
    return str(request.url)


@pytest.mark.parametrize(("body", "status"), [(b"hello", 200), (b"hellO", 400)])
def test_a_checksum_in_the_query_holds_as_in_a_header(s3: Any, world: World, body: bytes, status: int) -> None:
    value = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()
    url = _hoisted(world, x_amz_checksum_crc32=value, x_amz_sdk_checksum_algorithm="CRC32")
    assert use(world, "PUT", url, body=body).status == status
    if status == 200:
        head = s3.head_object(Bucket="bucket", Key="k", ChecksumMode="ENABLED")
        assert head["ChecksumCRC32"] == value


def test_an_algorithm_in_the_query_is_looked_at(s3: Any, world: World) -> None:
    assert use(world, "PUT", _hoisted(world, x_amz_sdk_checksum_algorithm="CRC9"), body=b"x").status == 400


@pytest.mark.parametrize("expires", [-1, 604_801])
def test_a_lifetime_no_url_may_have(s3: Any, world: World, expires: int) -> None:
    url = s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "k"}, ExpiresIn=60)
    answer = use(world, "GET", url.replace("X-Amz-Expires=60", f"X-Amz-Expires={expires}"))
    assert answer.status == 400 and b"AuthorizationQueryParametersError" in answer.body
