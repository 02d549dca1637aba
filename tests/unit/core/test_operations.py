"""The table of operations is complete, its rows can be told apart, and nothing unbuilt passes for something built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from kakera.core import operations
from kakera.core.operations import Catalogue, Operation

# The requests of the vendor's own SDKs (alibabacloud-oss-v2 1.4.1, alibabacloud-oss20190517 1.0.6), one a line.
OSS_REQUESTS = json.loads((Path(__file__).parent / "oss_requests.json").read_text())
BUILT = {
    "CreateBucket", "HeadBucket", "ListBuckets", "DeleteBucket", "GetBucketLocation", "GetBucketVersioning",
    "PutBucketVersioning", "PutObject", "GetObject", "HeadObject", "DeleteObject", "DeleteObjects", "CopyObject",
    "GetObjectAttributes", "GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging", "ListObjects",
    "ListObjectsV2", "ListObjectVersions", "CreateMultipartUpload", "UploadPart", "UploadPartCopy", "ListParts",
    "ListMultipartUploads", "CompleteMultipartUpload", "AbortMultipartUpload",
}  # fmt: skip


def s3(method: str, level: Any, query: str = "", **headers: str) -> str | None:
    """Name of what matches; query as in a URL."""
    parameters = dict(part.partition("=")[::2] for part in query.split("&")) if query else {}
    found = operations.match("s3", method, level, parameters, {k.replace("_", "-"): v for k, v in headers.items()})
    return found.name if found else None


# --- completeness


def _botocore_requests() -> list[tuple[str, str, str, dict[str, str], dict[str, str]]]:
    """Every operation of the vendor's model with what it must send."""
    model = botocore.session.Session().get_service_model("s3")
    out = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        path, _, text = operation.http["requestUri"].partition("?")
        query = dict(part.partition("=")[::2] for part in text.split("&")) if text else {}
        headers = {}
        for member in operation.input_shape.required_members if operation.input_shape else []:
            said = operation.input_shape.members[member].serialization
            if said.get("location") == "querystring":
                query[said["name"]] = "1"
            elif said.get("location") == "header":
                headers[said["name"].lower()] = "1"
        level = "object" if "{Key+}" in path else "bucket" if path != "/" else "service"
        if name == "ListDirectoryBuckets":
            query["max-directory-buckets"] = "1"  # else told by its host alone
        out.append((name, operation.http["method"], level, query, headers))
    return out


@pytest.mark.parametrize("request_", _botocore_requests(), ids=lambda request: request[0])
def test_every_request_of_the_vendors_model_is_known_by_its_name(request_: tuple[Any, ...]) -> None:
    name, method, level, query, headers = request_
    found = operations.match("s3", method, level, query, headers)
    assert found is not None and name in (found.name, *found.also)
    signed = {**query, "x-id": name, "X-Amz-Signature": "0", "X-Amz-Security-Token": "", "versionId": "v"}
    assert operations.match("s3", method, level, signed, headers) is found


def test_rows_that_no_model_has_are_named_here() -> None:
    modelled = {name for name, *_ in _botocore_requests()}
    rows = {
        row.name for row in operations.ALL.operations if row.vendor == "s3" and not {row.name, *row.also} & modelled
    }
    assert rows == {"PostObject", "OptionsObject", "OptionsBucket"}


@pytest.mark.parametrize("request_", OSS_REQUESTS, ids=lambda request: request["name"])
def test_every_request_of_the_oss_sdks_is_known_by_its_name(request_: dict[str, Any]) -> None:
    query, headers = request_["query"], dict.fromkeys(request_["headers"], "1")
    found = operations.match("oss", request_["method"], request_["level"], query, headers)
    assert found is not None and request_["name"] in (found.name, *found.also)
    signed = {**query, "x-oss-signature-version": "OSS4-HMAC-SHA256", "x-oss-security-token": "", "versionId": "v"}
    assert operations.match("oss", request_["method"], request_["level"], signed, headers) is found


def test_what_is_built() -> None:
    assert {row.name for row in operations.ALL.operations if row.built} == BUILT
    assert not any(row.built for row in operations.ALL.operations if row.vendor == "oss")


def test_every_row_says_what_a_policy_must_allow() -> None:
    for row in operations.ALL.operations:
        prefixes = ("s3:", "s3express:", "s3-object-lambda:") if row.vendor == "s3" else ("oss:",)
        assert row.method == "OPTIONS" or row.action.startswith(prefixes), row
        assert row.kind != "read" or row.method in ("GET", "HEAD", "OPTIONS", "POST"), row


# --- rows can be told apart


def row(name: str, query: tuple[str, ...] = (), **named: Any) -> Operation:
    return Operation(name, "s3", "GET", "bucket", query, "s3:X", "read", **named)


@pytest.mark.parametrize(
    "rows",
    [
        [row("A", ("x",)), row("B", ("x",))],
        [row("A"), row("B")],
        [row("A", ("x=1",)), row("B", ("x=1",))],
        [row("A", ("x",), headers=("h",)), row("B", ("x",), headers=("h",))],
        [row("A", ("x",)), row("A", ("y",))],
        [row("A", ("x",)), row("B", ("y",), also=("A",))],
    ],
)
def test_rows_that_collide_are_refused(rows: list[Operation]) -> None:
    with pytest.raises(ValueError):
        Catalogue(rows)


def test_rows_that_do_not_collide() -> None:
    made = Catalogue([row("A", ("x",)), row("B", ("x", "id")), row("C", ("x=1",)), row("D", ("x",), headers=("h",))])
    assert [made.match("s3", "GET", "bucket", q, h).name for q, h in [  # type: ignore[union-attr]
        ({"x": ""}, {}), ({"x": "", "id": "1"}, {}), ({"x": "1"}, {}), ({"x": ""}, {"h": ""}),
    ]] == ["A", "B", "C", "D"]  # fmt: skip


# --- plain requests


@pytest.mark.parametrize(
    ("method", "level", "query", "name"),
    [
        ("GET", "service", "", "ListBuckets"),
        ("GET", "service", "max-buckets=10&prefix=", "ListBuckets"),
        ("GET", "bucket", "", "ListObjects"),
        ("GET", "bucket", "prefix=&delimiter=/&marker=&max-keys=&encoding-type=url", "ListObjects"),
        ("GET", "bucket", "list-type=1", "ListObjects"),
        ("GET", "bucket", "list-type=2", "ListObjectsV2"),
        ("GET", "bucket", "list-type=2&start-after=&continuation-token=&fetch-owner=true", "ListObjectsV2"),
        ("PUT", "object", "x-id=PutObject", "PutObject"),
        ("GET", "object", "versionId=&partNumber=1&response-content-type=", "GetObject"),
        ("GET", "object", "_=1699999999&AWSAccessKeyId=k&Signature=s&Expires=1", "GetObject"),
        ("HEAD", "object", "partNumber=1", "HeadObject"),
        ("PUT", "object", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Security-Token=", "PutObject"),
        ("DELETE", "object", "versionId=null", "DeleteObject"),
        ("PUT", "object", "uploadId=u&partNumber=1", "UploadPart"),
        ("POST", "bucket", "", "PostObject"),
    ],
)
def test_plain_parameters_do_not_disturb(method: str, level: str, query: str, name: str) -> None:
    assert s3(method, level, query) == name


def test_copies_are_told_by_their_header() -> None:
    assert s3("PUT", "object", x_amz_copy_source="/b/k") == "CopyObject"
    assert s3("PUT", "object", "uploadId=u&partNumber=2", x_amz_copy_source="/b/k") == "UploadPartCopy"
    assert s3("PUT", "object", "tagging", x_amz_copy_source="/b/k") == "PutObjectTagging"
    assert s3("GET", "object", x_amz_copy_source="/b/k") == "GetObject"


# --- never mistaken


@pytest.mark.parametrize(
    ("method", "level", "query"),
    [
        ("PUT", "object", "mystery"),  # O2: nobody documents it
        ("GET", "object", "mystery"),
        ("GET", "bucket", "prefix=a&mystery"),
        ("PUT", "object", "acl&tagging"),  # O1: two at once
        ("PUT", "object", "tagging&uploadId=u"),
        ("DELETE", "bucket", "versioning"),  # O1: not with this method
        ("DELETE", "object", "acl"),
        ("PUT", "object", "uploads"),
        ("HEAD", "object", "acl"),
        ("PUT", "object", "policy"),  # a bucket's sub-resource on an object
        ("DELETE", "object", "lifecycle"),
        ("GET", "object", "versions"),
        ("PUT", "object", "partNumber=1"),  # the upload id is lost
        ("PUT", "object", "metadataTable"),
        ("POST", "object", ""),
        ("PUT", "service", ""),
        ("PATCH", "object", ""),
    ],
)
def test_what_is_no_operation_matches_nothing(method: str, level: str, query: str) -> None:
    assert s3(method, level, query) is None


def test_no_subresource_ever_selects_a_plain_row() -> None:
    """Every sub-resource of either vendor, with every method at every level, with and without a value."""
    for vendor in ("s3", "oss"):
        rows = [row for row in operations.ALL.operations if row.vendor == vendor]
        names = {row.selectors[0].partition("=")[0] for row in rows if row.selectors} - operations.PLAIN[vendor]
        assert len(names) > 30
        for name in names:
            for value in ("", "1"):
                for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
                    for level in ("service", "bucket", "object"):
                        found = operations.match(vendor, method, level, {name: value}, {})
                        assert found is None or found.selectors[0].partition("=")[0] == name


def test_not_implemented_is_told_from_method_not_allowed() -> None:
    assert operations.subresources("s3", {"acl": "", "prefix": "", "_": "1"}) == ["acl"]
    assert operations.subresources("s3", {"mystery": ""}) == ["mystery"]
    assert operations.subresources("s3", {"versionId": "", "cache": "bust"}) == []
    assert operations.subresources("oss", {"x-oss-process": "image/resize,w_10"}) == ["x-oss-process"]
    assert operations.match("oss", "GET", "object", {"x-oss-process": "image/resize,w_10"}, {}) is None


def test_former_names() -> None:
    assert operations.named("s3", "GetBucketLifecycle") is operations.named("s3", "GetBucketLifecycleConfiguration")
    with pytest.raises(KeyError):
        operations.named("s3", "GetBucket")


def test_what_changes_something() -> None:
    for name in ("PutObject", "DeleteObjects", "CreateMultipartUpload", "AbortMultipartUpload", "CreateBucket",
                 "DeleteBucket", "PutBucketVersioning", "PutObjectTagging"):  # fmt: skip
        assert operations.named("s3", name).changes, name
    for name in ("GetObject", "HeadObject", "ListObjectsV2", "ListParts", "GetBucketVersioning", "GetBucketLocation",
                 "ListBuckets", "SelectObjectContent"):  # fmt: skip
        assert not operations.named("s3", name).changes, name


def test_no_get_or_head_changes_anything() -> None:
    assert not [row.name for row in operations.ALL.operations if row.changes and row.method in ("GET", "HEAD")]
