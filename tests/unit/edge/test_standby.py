"""A server that cannot open its store says so, to everybody, and touches nothing."""

from __future__ import annotations

import pytest

from kakera.dialects.http import Request
from kakera.edge.standby import StandbyServices

REASON = "12 of 18 drives belong to other hosts, which this version cannot reach"


class Empty:
    async def read(self) -> bytes:
        return b""


def request(method: str, headers: dict[str, str]) -> Request:
    return Request(method, b"/bucket/key", b"", headers, Empty(), host="s", request_id="R1")


async def test_health_says_why() -> None:
    assert await StandbyServices(REASON).readiness.ask() == {"status": "unavailable", "reason": REASON}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
async def test_every_request_is_503_with_the_reason(method: str) -> None:
    answer = await StandbyServices(REASON).handle(request(method, {}))
    assert answer.status == 503
    body = bytes(answer.body) if isinstance(answer.body, (bytes, memoryview)) else b""
    assert (method == "HEAD") == (body == b"")
    assert method == "HEAD" or (b"<Code>ServiceUnavailable</Code>" in body and REASON.encode() in body)


async def test_a_client_of_oss_reads_its_own_form() -> None:
    answer = await StandbyServices(REASON).handle(request("GET", {"authorization": "OSS a:b"}))
    assert answer.status == 501 and dict(answer.headers)["x-oss-request-id"] == "R1"


async def test_metrics_say_not_ready() -> None:
    assert b"kakera" in await StandbyServices(REASON).metrics_text()
