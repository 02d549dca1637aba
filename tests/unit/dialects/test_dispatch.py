"""Which dialect a request speaks."""

from __future__ import annotations

import pytest
from lxml import etree

from kakera.dialects.dispatch import handle, speaks_oss
from kakera.dialects.http import NoBody, Request


def request(headers: dict[str, str], query: bytes = b"", method: str = "GET") -> Request:
    return Request(method, b"/b/k", query, headers, NoBody(), host="oss.test", request_id="R<1>")


@pytest.mark.parametrize(
    ("headers", "query", "oss"),
    [
        ({}, b"", False),
        ({"authorization": "AWS4-HMAC-SHA256 Credential=..."}, b"", False),
        ({"authorization": "AWS key:signature"}, b"", False),
        ({"authorization": "AWS4-HMAC-SHA256 Credential=...", "x-oss-date": "1"}, b"", False),
        ({}, b"X-Amz-Algorithm=AWS4-HMAC-SHA256", False),
        ({"authorization": "OSS key:signature"}, b"", True),
        ({"authorization": "OSS2 AccessKeyId:key"}, b"", True),
        ({"authorization": "OSS4-HMAC-SHA256 Credential=..."}, b"", True),
        ({}, b"OSSAccessKeyId=key&Expires=1&Signature=s", True),
        ({}, b"x-oss-signature-version=OSS4-HMAC-SHA256", True),
        ({"x-oss-date": "1"}, b"", True),
        ({"authorization": "OSSIFY everything"}, b"", False),
        ({"authorization": "Bearer x"}, b"", False),
    ],
)
def test_who_speaks(headers: dict[str, str], query: bytes, oss: bool) -> None:
    assert speaks_oss(request(headers, query)) is oss


async def test_oss_is_refused_in_its_own_words() -> None:
    response = await handle(request({"authorization": "OSS k:s"}), None)  # type: ignore[arg-type]
    assert response.status == 501 and isinstance(response.body, bytes)
    root = etree.fromstring(response.body)
    assert [child.tag for child in root] == ["Code", "Message", "RequestId", "HostId"]
    assert root.findtext("Code") == "NotImplemented" and root.findtext("RequestId") == "R<1>"


async def test_head_has_no_body() -> None:
    response = await handle(request({"authorization": "OSS k:s"}, method="HEAD"), None)  # type: ignore[arg-type]
    assert (response.status, response.body) == (501, None)
