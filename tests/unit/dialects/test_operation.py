"""The dialect does what the table says is built, and nothing else."""

from __future__ import annotations

import pytest

from kakera.core import operations
from kakera.dialects.http import NoBody, Request
from kakera.dialects.s3.errors import Rejected
from kakera.dialects.s3.handle import HANDLERS
from kakera.dialects.s3.operation import name_of


def request(method: str, query: bytes = b"", **headers: str) -> Request:
    return Request(method, b"/", query, {name.replace("_", "-"): value for name, value in headers.items()}, NoBody())


def test_what_is_built_has_a_handler_and_the_other_way_round() -> None:
    assert {row.name for row in operations.ALL.operations if row.vendor == "s3" and row.built} == set(HANDLERS)


PLACES = {operations.SERVICE: ("", b""), operations.BUCKET: ("b", b""), operations.OBJECT: ("b", b"k")}


@pytest.mark.parametrize(
    "row", [row for row in operations.ALL.operations if row.vendor == "s3"], ids=lambda row: row.name
)
def test_every_row_is_found(row: operations.Operation) -> None:
    query = "&".join(selector.partition("|")[0] for selector in row.selectors).encode()
    headers = dict.fromkeys(row.headers, "x")
    if row.method == "OPTIONS":
        with pytest.raises(Rejected):
            name_of(request("OPTIONS"), *PLACES[row.level])
        return
    found = name_of(Request(row.method, b"/", query, headers, NoBody()), *PLACES[row.level])
    assert found == row.name
    # Neither a signature in the query nor an SDK's tag changes what is asked.
    more = query + b"&x-id=" + row.name.encode() + b"&X-Amz-Signature=00"
    assert name_of(Request(row.method, b"/", more, headers, NoBody()), *PLACES[row.level]) == row.name


@pytest.mark.parametrize(
    ("method", "query", "code"),
    [
        ("GET", b"tomorrow", "NotImplemented"),
        ("PUT", b"acl&tagging", "NotImplemented"),
        ("PUT", b"partNumber=1", "InvalidArgument"),
        ("PUT", b"torrent", "NotImplemented"),
        ("PATCH", b"", "MethodNotAllowed"),
        ("POST", b"", "MethodNotAllowed"),
        ("TRACE", b"", "MethodNotAllowed"),
        ("OPTIONS", b"", "BadRequest"),
    ],
)
def test_what_is_no_operation(method: str, query: bytes, code: str) -> None:
    with pytest.raises(Rejected) as refusal:
        name_of(request(method, query), "b", b"k")
    assert refusal.value.code == code


def test_a_copy_is_no_put() -> None:
    assert name_of(request("PUT", x_amz_copy_source="b/k"), "b", b"k") == "CopyObject"
    assert name_of(request("PUT", b"x-id=CopyObject", x_amz_copy_source="b/k"), "b", b"k") == "CopyObject"
    assert name_of(request("PUT", b"partNumber=1&uploadId=x", x_amz_copy_source="b/k"), "b", b"k") == "UploadPartCopy"
    assert name_of(request("PUT", b"partNumber=1&uploadId=x"), "b", b"k") == "UploadPart"
