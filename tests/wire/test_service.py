"""Health, metrics, the access log, and the end of a worker."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from tests.wire.wire import Answer, Server, head


def test_live_and_ready(server: Server) -> None:
    assert json.loads(server.ask("GET", "/health/live").body) == {"status": "live"}
    ready = server.ask("GET", "/health/ready")
    assert ready.status == 200
    assert json.loads(ready.body) == {"status": "ready", "durability": "fdatasync on every strand, k+1 at least"}
    assert server.ask("HEAD", "/health/ready").status == 200


def test_ready_follows_the_committer_within_a_second(server: Server) -> None:
    server.ask("GET", "/mode/read-only")
    try:
        time.sleep(0.7)
        answer = server.ask("GET", "/health/ready")
        assert answer.status == 503
        assert json.loads(answer.body) == {"status": "read-only", "reason": "2 of 6 drives are away"}
    finally:
        server.ask("GET", "/mode/ready")


@pytest.mark.parametrize("target", ["/health/live", "/health/ready", "/metrics"])
@pytest.mark.parametrize(
    ("method", "query", "line"),
    [
        ("GET", "", "Authorization: AWS4-HMAC-SHA256 Credential=a"),
        ("GET", "?X-Amz-Signature=00&X-Amz-Algorithm=AWS4-HMAC-SHA256", "X: y"),
        ("GET", "?OSSAccessKeyId=a&Expires=1&Signature=b", "X: y"),
        ("PUT", "", "X: y"),
        ("DELETE", "", "X: y"),
    ],
)
def test_buckets_may_have_these_names(server: Server, target: str, method: str, query: str, line: str) -> None:
    seen = json.loads(server.ask(method, target + query, line).body)
    assert seen["raw_path"] == target


def test_metrics(server: Server) -> None:
    for _ in range(5):
        server.ask("GET", "/measured")
    server.ask("PUT", "/put/x", body=b"x" * 1000)
    time.sleep(0.5)
    text = server.ask("GET", "/metrics").body.decode()
    assert 'kakera_requests_total{operation="FakeMeasured",status="2xx"} 5.0' in text
    assert 'kakera_request_duration_seconds_bucket{le="+Inf",operation="FakeMeasured",status="2xx"} 5.0' in text
    assert 'kakera_request_duration_seconds_count{operation="FakeMeasured",status="2xx"} 5.0' in text
    assert 'kakera_received_bytes_total{operation="FakePut"}' in text
    assert "kakera_ready 1.0" in text
    assert 'kakera_drives{state="absent"} 1.0' in text


def test_access_lines(server: Server) -> None:
    request_id = server.ask(
        "GET", "/echo/%22k?X-Amz-Signature=verysecret", "Authorization: AWS4 hidden", "X-Amz-Security-Token: hidden"
    ).headers["x-amz-request-id"]
    time.sleep(0.5)
    log = server.log.read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    mine = next(line for line in lines if line.get("request_id") == request_id)
    assert (mine["event"], mine["method"], mine["status"]) == ("request", "GET", 200)
    assert (mine["operation"], mine["bucket"], mine["key"]) == ("FakeEcho", "echo", "%22k")
    assert mine["duration_ms"] < 5000
    assert "verysecret" not in log
    assert "hidden" not in log


def test_sigterm_finishes_what_is_under_way(tmp_path: Path) -> None:
    server = Server(tmp_path)
    idle, busy = server.wire(), server.wire()
    assert idle.say(head("GET", "/echo")).hear().status == 200
    busy.say(head("GET", "/slow/1.5"))
    time.sleep(0.2)
    answers: list[Answer] = []
    listener = threading.Thread(target=lambda: answers.append(busy.hear()))
    listener.start()
    server.process.terminate()
    assert idle.closed()
    listener.join(10)
    assert answers[0].body == b"done"
    assert answers[0].headers["connection"] == "close"
    assert server.process.wait(10) == 0
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]  # every line of every library is JSON
    assert any(line["event"] == "request" and line["key"] == "1.5" for line in lines)


def test_sigterm_does_not_wait_for_ever(tmp_path: Path) -> None:
    server = Server(tmp_path, DRAIN_LIMIT_S=1.0)
    busy = server.wire().say(head("GET", "/slow/60"))
    time.sleep(0.2)
    started = time.monotonic()
    server.process.terminate()
    server.process.wait(10)
    assert time.monotonic() - started < 8
    assert busy.closed()
