"""What an answer looks like on the wire, and what a client sees when there cannot be a whole one."""

from __future__ import annotations

import json
import re
import time

import pytest

from kakera.base import limits
from tests.wire.wire import ClosedEarly, Server, Wire, head


def counts(server: Server) -> dict[str, int]:
    found: dict[str, int] = json.loads(server.ask("GET", "/counts").body)
    return found


def test_common_headers_once(server: Server) -> None:
    first, second = server.ask("GET", "/echo"), server.ask("GET", "/echo")
    for answer in (first, second):  # Wire.hear refuses a header that comes twice
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.headers["date"])
        assert answer.headers["server"] == "Kakera"
        assert len(answer.headers["x-amz-id-2"]) >= 16
        assert re.fullmatch("[0-9A-F]{16}", answer.headers["x-amz-request-id"])
    assert first.headers["x-amz-request-id"] != second.headers["x-amz-request-id"]


def test_head_has_no_body_and_the_connection_goes_on(server: Server) -> None:
    wire = server.wire().say(head("HEAD", "/echo"), head("GET", "/empty"), head("GET", "/echo/2"))
    assert int(wire.hear(bodiless=True).headers["content-length"]) > 0
    empty = wire.hear()
    assert empty.status == 204
    assert "content-length" not in empty.headers
    assert wire.hear().status == 200


def test_head_of_a_stream_releases_it(server: Server) -> None:
    before = counts(server)
    assert server.ask("HEAD", "/stream/1000000").headers["content-length"] == "1000000"
    after = counts(server)
    assert after["closed"] == before["closed"] + 1 == after["opened"]


@pytest.mark.parametrize("size", [0, 1, 65_536, 10 << 20])
def test_streams_with_and_without_length(server: Server, size: int) -> None:
    assert len(server.ask("GET", f"/stream/{size}").body) == size
    answer = server.ask("GET", f"/chunked/{size}")
    assert answer.headers["transfer-encoding"] == "chunked"
    assert len(answer.body) == size


def test_chunked_for_a_client_that_knows_no_chunks(server: Server) -> None:
    wire = server.wire().say(b"GET /chunked/100000 HTTP/1.0\r\n\r\n")
    answer = wire.hear()
    assert "transfer-encoding" not in answer.headers
    assert len(wire.exactly(100_000)) == 100_000
    assert wire.closed()


@pytest.mark.parametrize("target", ["/broken/1000000/200000", "/brokenchunked/1000000/200000", "/short/200000"])
def test_a_body_that_breaks_has_no_clean_end(server: Server, target: str) -> None:
    before = counts(server)
    wire = server.wire().say(head("GET", target))
    with pytest.raises(ClosedEarly):
        wire.hear()
    after = counts(server)
    assert after["closed"] == after["opened"] == before["opened"] + 1


def test_a_body_that_breaks_before_its_first_byte_is_503(server: Server) -> None:
    answer = server.ask("GET", "/broken/1000000/0")
    assert (answer.status, answer.body) == (503, b"")
    found = counts(server)
    assert found["closed"] == found["opened"]


def test_a_bug_is_500_without_its_text(server: Server) -> None:
    answer = server.ask("GET", "/raises")
    assert answer.status == 500
    assert b"bug" not in answer.raw_head + answer.body


def test_no_response_splitting(server: Server) -> None:
    answer = server.ask("GET", "/splitting")
    assert answer.status == 500
    assert "set-cookie" not in answer.headers


def test_client_gone_while_reading(server: Server) -> None:
    before = counts(server)
    wire = server.wire().say(head("GET", f"/stream/{1 << 30}"))
    wire.exactly(1000)
    wire.close()
    deadline = time.monotonic() + 5
    while counts(server)["closed"] == before["closed"] and time.monotonic() < deadline:
        time.sleep(0.05)
    after = counts(server)
    assert after["closed"] == after["opened"]


def test_client_gone_while_sending(server: Server) -> None:
    before = counts(server)["cut"]
    wire = server.wire().say(head("PUT", "/put/x", "Content-Length: 100000"), b"x" * 50_000)
    time.sleep(0.1)
    wire.close()
    time.sleep(0.3)
    assert counts(server)["cut"] == before + 1


def test_half_closed_in_a_body_is_gone(server: Server) -> None:
    before = counts(server)["cut"]
    wire = server.wire().say(head("PUT", "/put/x", "Content-Length: 100000"), b"x" * 50_000)
    wire.socket.shutdown(1)
    assert wire.closed()
    assert counts(server)["cut"] == before + 1


def test_a_small_unwanted_body_is_skipped(server: Server) -> None:
    wire = server.wire()
    for _ in range(3):
        assert wire.say(head("PUT", "/refuse/x", "Content-Length: 100000"), b"x" * 100_000).hear().status == 403


def test_a_large_unwanted_body_costs_the_connection(server: Server) -> None:
    wire = server.wire().say(head("PUT", "/refuse/x", f"Content-Length: {1 << 32}"))
    sent = 0
    try:
        while sent < 64 << 20:
            wire.say(b"x" * 65_536)
            sent += 65_536
    except OSError:
        pass
    assert wire.hear().status == 403
    assert wire.closed()


def test_an_endless_unwanted_chunked_body_costs_the_connection(server: Server) -> None:
    wire = server.wire().say(head("PUT", "/refuse/x", "Transfer-Encoding: chunked"))
    assert wire.hear().status == 403
    with pytest.raises(OSError):  # noqa: PT011: reset or broken pipe, as the kernels like it
        for _ in range(1000):
            wire.say(b"10000\r\n", b"x" * 65_536, b"\r\n")
            time.sleep(0.005)


def test_a_slow_reader_of_the_body_holds_the_client_back(server: Server) -> None:
    wire = server.wire(timeout_s=30)
    body = b"x" * (16 << 20)
    answer = wire.say(head("PUT", "/drip/x", f"Content-Length: {len(body)}"), body).hear()
    assert int(answer.headers["x-size"]) == len(body)
    assert int(answer.headers["x-ahead"]) <= limits.BODY_BUFFER_BYTES + (1 << 18)  # one read of the socket on top


def test_upgrades_are_not_taken(server: Server) -> None:
    wire = server.wire().say(head("GET", "/echo", "Connection: Upgrade", "Upgrade: h2c"), b"PRI * HTTP/2.0\r\n\r\n")
    answer = wire.hear()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert wire.closed()


def test_duplicate_headers_are_joined(server: Server) -> None:
    seen = json.loads(server.ask("GET", "/echo", "X-A: 1", "x-a: 2").body)
    assert seen["headers"]["x-a"] == "1,2"


def test_connection_close_is_honoured(server: Server) -> None:
    wire = server.wire().say(head("GET", "/echo", "Connection: close"), head("GET", "/echo/2"))
    assert wire.hear().headers["connection"] == "close"
    assert wire.closed()


# --- deadlines and bounds ---------------------------------------------------------------------------------------------


def test_a_head_that_drips_is_408(hasty: Server) -> None:
    wire = hasty.wire()
    wire.say(b"GET /echo HTTP/1.1\r\n")
    for _ in range(8):
        time.sleep(0.2)
        try:
            wire.say(b"X: y\r\n")
        except OSError:
            break
    assert wire.hear().status == 408


def test_silence_from_the_start(hasty: Server) -> None:
    assert hasty.wire().closed(within_s=3)


def test_an_idle_connection_is_closed(hasty: Server) -> None:
    wire = hasty.wire()
    assert wire.say(head("GET", "/echo")).hear().status == 200
    started = time.monotonic()
    assert wire.closed(within_s=4)
    assert time.monotonic() - started > 0.5


def test_a_working_connection_is_not(hasty: Server) -> None:
    wire = hasty.wire()
    for _ in range(4):
        assert wire.say(head("GET", "/echo")).hear().status == 200
        time.sleep(0.6)


def test_a_slow_application_is_waited_for(hasty: Server) -> None:
    assert hasty.ask("GET", "/slow/2.5").body == b"done"


def test_a_body_that_stalls(hasty: Server) -> None:
    wire = hasty.wire().say(head("PUT", "/put/x", "Content-Length: 100"), b"x" * 50)
    answer = wire.hear()
    assert (answer.status, answer.body, answer.headers["connection"]) == (400, b"IncompleteBody", "close")
    assert wire.closed()


def test_a_client_that_does_not_read(hasty: Server) -> None:
    before = counts(hasty)
    wire = hasty.wire().say(head("GET", f"/stream/{1 << 30}"))
    time.sleep(3)
    after = counts(hasty)
    assert after["closed"] == after["opened"] == before["opened"] + 1
    with pytest.raises(ClosedEarly):
        wire.hear()


def test_requests_at_once_are_bounded(hasty: Server) -> None:
    wires = [hasty.wire() for _ in range(12)]
    for wire in wires:
        wire.say(head("GET", "/slow/0.5"))
    answers = [wire.hear() for wire in wires]
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [200] * 4 + [503] * 8
    assert all(answer.headers["retry-after"] == "1" for answer in answers if answer.status == 503)
    assert counts(hasty)["peak"] <= 4


def test_connections_are_bounded(hasty: Server) -> None:
    time.sleep(1.5)  # those of earlier tests end
    wires: list[Wire] = [hasty.wire() for _ in range(60)]
    time.sleep(0.3)
    refused = 0
    for wire in wires[-15:]:
        refused += wire.hear().status == 503
    assert refused == 15
    for wire in wires:
        wire.close()
    time.sleep(0.3)
    assert hasty.ask("GET", "/echo").status == 200


def test_uploads_at_once_are_bounded_and_slow_ones_stand_aside(server: Server) -> None:
    """More slow uploads than places: all begun, none keeps a fast one out, all finish."""
    slow = [server.wire() for _ in range(3 * limits.UPLOADS_AT_ONCE)]
    size = limits.INLINE_BODY_BYTES + 1000
    for wire in slow:
        wire.say(head("PUT", "/put/slow", f"Content-Length: {size}", "Expect: 100-continue"))
    for wire in slow:
        assert wire.hear().status == 100
        wire.say(b"x" * 1000)
    time.sleep(2 * limits.INTAKE_PARK_S)
    fast = server.wire().say(head("PUT", "/put/fast", f"Content-Length: {4 * size}"), b"y" * 4 * size)
    assert fast.hear().headers["x-size"] == str(4 * size)
    for wire in slow:
        wire.say(b"x" * (size - 1000))
    assert [wire.hear().headers["x-size"] for wire in slow] == [str(size)] * len(slow)


def test_places_of_clients_that_went_away_are_given_back(server: Server) -> None:
    size = limits.INLINE_BODY_BYTES + 1000
    for _ in range(3 * limits.UPLOADS_AT_ONCE):
        server.wire().say(head("PUT", "/put/x", f"Content-Length: {size}"), b"x").close()
    for _ in range(3 * limits.UPLOADS_AT_ONCE):
        assert server.ask("PUT", "/refuse/x", body=b"x" * size).status == 403
        assert server.ask("PUT", "/put/x", body=b"x" * size).headers["x-size"] == str(size)
