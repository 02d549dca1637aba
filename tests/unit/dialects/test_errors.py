"""Every failure has S3's words, and the document that carries them is sound whatever the client sent."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from kakera.base import errors as base
from kakera.dialects.http import MalformedUri, NoBody, Request, Response
from kakera.dialects.s3 import errors, refusals
from kakera.dialects.s3.errors import Rejected, describe, respond


def request(method: str = "GET", path: bytes = b"/b/k") -> Request:
    return Request(method, path, b"", {}, NoBody(), request_id="REQ1")


def document(response: Response) -> dict[str, str]:
    assert isinstance(response.body, bytes)
    root = etree.fromstring(response.body)
    assert root.tag == "Error"
    names = [str(child.tag) for child in root]
    assert len(set(names)) == len(names), "an element stands twice"
    return {str(child.tag): child.text or "" for child in root}


def subclasses(kind: type[base.KakeraError]) -> set[type[base.KakeraError]]:
    found = set(kind.__subclasses__())
    return found | {deeper for sub in found for deeper in subclasses(sub)}


def leaves() -> set[type[base.KakeraError]]:
    ours = {kind for kind in subclasses(base.KakeraError) if kind.__module__ == base.__name__}
    return {kind for kind in ours if not any(issubclass(other, kind) and other is not kind for other in ours)}


def test_every_leaf_of_the_tree_is_in_the_table() -> None:
    assert leaves() - errors.TABLE.keys() == set()
    assert len(leaves()) > 20  # the walk itself works


@pytest.mark.parametrize("kind", sorted(errors.TABLE, key=lambda kind: kind.__name__))
def test_every_row_makes_an_answer(kind: type[base.KakeraError]) -> None:
    response = respond(kind("reason"), request(), bucket="b", key=b"k")
    row = errors.TABLE[kind]
    assert response.status == row.status
    if row.status == 304:
        assert response.body is None
        return
    found = document(response)
    assert (found["Code"], found["RequestId"], found["Resource"]) == (row.code, "REQ1", "/b/k")
    assert found["Message"] == ("reason" if row.speaks else row.message)


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (base.NoSuchBucket(), "NoSuchBucket", 404),
        (base.NoSuchKey(), "NoSuchKey", 404),
        (base.NoSuchVersion(), "NoSuchVersion", 404),
        (base.NoSuchUpload(), "NoSuchUpload", 404),
        (base.BucketExists(), "BucketAlreadyExists", 409),
        (base.BucketOwnedByYou(), "BucketAlreadyOwnedByYou", 409),
        (base.BucketNotEmpty(), "BucketNotEmpty", 409),
        (base.PreconditionFailed(), "PreconditionFailed", 412),
        (base.InvalidRange(), "InvalidRange", 416),
        (base.InvalidPartOrder(), "InvalidPartOrder", 400),
        (base.PartTooSmall(), "EntityTooSmall", 400),
        (base.TooLarge(), "EntityTooLarge", 400),
        (base.TooManyBuckets(), "TooManyBuckets", 400),
        (base.Denied(), "AccessDenied", 403),
        (base.MethodNotAllowed(), "MethodNotAllowed", 405),
        (base.Busy(), "SlowDown", 503),
        (base.ReadOnly(), "ServiceUnavailable", 503),
        (base.Damaged(), "ServiceUnavailable", 503),
        (base.Unknown(), "ServiceUnavailable", 503),
        (base.OutOfSpace(), "InsufficientStorage", 507),
        (MalformedUri(), "InvalidURI", 400),
        (refusals.AuthError("SignatureDoesNotMatch"), "SignatureDoesNotMatch", 403),
        (refusals.BodyError("XAmzContentSHA256Mismatch"), "XAmzContentSHA256Mismatch", 400),
        (refusals.XmlError("MalformedXML"), "MalformedXML", 400),
        (Rejected("NotImplemented"), "NotImplemented", 501),
    ],
)
def test_codes(error: Exception, code: str, status: int) -> None:
    failure = describe(error)
    assert (failure.code, failure.status) == (code, status)


def test_not_now_says_why() -> None:
    for kind in (base.ReadOnly, base.NotReady, base.Busy, base.OutOfSpace, base.Damaged, base.Unknown):
        assert describe(kind("two drives are away")).message == "two drives are away"
    # A denial never explains itself.
    assert describe(base.Denied("because of rule 7")).message == "Access Denied"


def test_a_refusal_nobody_listed_is_answered_as_its_ancestor() -> None:
    class Odd(base.Invalid):
        pass

    assert describe(Odd("odd")).code == "InvalidRequest"


def test_an_unforeseen_failure_tells_the_log_and_not_the_client(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        failure = describe(ZeroDivisionError("secret path /etc"))
    assert (failure.code, failure.status) == ("InternalError", 500)
    assert "secret" not in failure.message
    assert any(record.exc_info for record in caplog.records)


def test_head_and_304_have_no_body() -> None:
    assert respond(base.NoSuchKey(), request("HEAD")).body is None
    answer = respond(base.NotModified(etag="abc", mtime_ms=784111777999), request())
    assert (answer.status, answer.body) == (304, None)
    assert dict(answer.headers) == {"etag": '"abc"', "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT"}


def test_markers_are_named() -> None:
    version = bytes(range(16))
    gone = dict(respond(base.NoSuchKey(delete_marker_version=version), request()).headers)
    assert (gone["x-amz-delete-marker"], gone["x-amz-version-id"]) == ("true", version.hex())
    null = dict(respond(base.NoSuchKey(delete_marker_version=b""), request()).headers)
    assert null["x-amz-version-id"] == "null"
    assert dict(respond(base.NoSuchKey(), request()).headers)["x-amz-delete-marker"] == "false"
    asked = respond(base.MethodNotAllowed(delete_marker_version=version, mtime_ms=0), request())
    assert asked.status == 405
    assert dict(asked.headers)["allow"] == "DELETE"
    assert dict(asked.headers)["last-modified"] == "Thu, 01 Jan 1970 00:00:00 GMT"


def test_elements_beyond_code_and_message() -> None:
    ranged = respond(base.InvalidRange(size_bytes=11, requested="bytes=40-50"), request())
    assert dict(ranged.headers)["content-range"] == "bytes */11"
    found = document(ranged)
    assert (found["ActualObjectSize"], found["RangeRequested"]) == ("11", "bytes=40-50")
    small = document(respond(base.PartTooSmall(part_number=3, size_bytes=5, minimum_bytes=9, etag="e"), request()))
    assert (small["PartNumber"], small["ProposedSize"], small["MinSizeAllowed"], small["ETag"]) == ("3", "5", "9", "e")
    assert document(respond(base.PreconditionFailed(condition="if_match"), request()))["Condition"] == "If-Match"
    assert document(respond(base.NoSuchBucket(), request(), bucket="b"))["BucketName"] == "b"
    assert document(respond(base.NoSuchKey(), request(), key="欠".encode()))["Key"] == "欠"
    named = document(respond(Rejected("InvalidArgument", ArgumentName="a", ArgumentValue="<&>"), request()))
    assert (named["ArgumentName"], named["ArgumentValue"]) == ("a", "<&>")


XML_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=60)


@given(XML_TEXT, XML_TEXT)
def test_any_text_of_the_client_fits_into_the_document(path: str, value: str) -> None:
    answer = respond(Rejected("InvalidArgument", ArgumentValue=value), request(path=("/" + path).encode("utf-8")))
    found = document(answer)
    assert found["ArgumentValue"] == value
    # The path is shown as the bytes of the wire; it can be told again, whatever they were.
    assert found["Resource"].encode("latin-1").decode() == "/" + path
