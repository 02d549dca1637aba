"""Every row of the comparison of ASGI workers that led to this one: a change of worker or version must not lose any of
them."""

from __future__ import annotations

import hashlib
import json
import os

import pytest

from kakera.base import limits
from tests.wire.wire import ClosedEarly, Server, head


@pytest.mark.parametrize(
    "target",
    ["/b/a%2Fb", "/b//a", "/b/../x", "/b/%E6%AC%A0?x=%2F&y", "/b/a%2fb%41", "/b/a;p=1", "/%00", "/b/a+b?c+d=e+f", "/"],
)
def test_path_and_query_arrive_as_sent(server: Server, target: str) -> None:
    seen = json.loads(server.ask("GET", target).body)
    path, _, query = target.partition("?")
    assert (seen["raw_path"], seen["raw_query"]) == (path, query)


def test_absolute_target(server: Server) -> None:
    seen = json.loads(server.ask("GET", "http://other/b/k%2F?q=1").body)
    assert (seen["raw_path"], seen["raw_query"], seen["host"]) == ("/b/k%2F", "q=1", "s")


def test_continue_is_sent_when_the_body_is_wanted(server: Server) -> None:
    wire = server.wire()
    body = os.urandom(100_000)
    wire.say(head("PUT", "/put/x", f"Content-Length: {len(body)}", "Expect: 100-continue"))
    assert wire.hear().status == 100
    answer = wire.say(body).hear()
    assert (answer.status, answer.headers["x-sha256"]) == (200, hashlib.sha256(body).hexdigest())
    # and the connection lives on
    assert wire.say(head("GET", "/echo")).hear().status == 200


def test_refused_before_the_body_without_continue(server: Server) -> None:
    wire = server.wire().say(head("PUT", "/refuse/x", "Content-Length: 100000", "Expect: 100-continue"))
    answer = wire.hear()
    assert (answer.status, answer.headers["connection"]) == (403, "close")
    assert wire.closed()


def test_a_client_that_does_not_wait_for_continue(server: Server) -> None:
    wire = server.wire().say(head("PUT", "/put/x", "Content-Length: 5", "Expect: 100-continue"), b"hello")
    assert wire.hear().headers["x-size"] == "5"


def test_other_expectations_fail(server: Server) -> None:
    assert server.ask("PUT", "/put/x", "Expect: 200-ok", body=b"x").status == 417


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    wire = server.wire()
    wire.say(*(head("GET", f"/echo/{number}") for number in range(50)))
    for number in range(50):
        assert json.loads(wire.hear().body)["raw_path"] == f"/echo/{number}"


def test_pipelined_slow_then_fast_stay_in_order_with_bodies(server: Server) -> None:
    wire = server.wire()
    wire.say(head("GET", "/slow/0.2"), head("PUT", "/put/x", "Content-Length: 3"), b"abc", head("GET", "/echo/last"))
    assert wire.hear().body == b"done"
    assert wire.hear().headers["x-size"] == "3"
    assert json.loads(wire.hear().body)["raw_path"] == "/echo/last"


def test_pipelined_then_half_closed(server: Server) -> None:
    wire = server.wire().say(head("GET", "/slow/0.2"), head("GET", "/echo/last"))
    wire.socket.shutdown(1)
    assert wire.hear().body == b"done"
    assert json.loads(wire.hear().body)["raw_path"] == "/echo/last"
    assert wire.closed()


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 300_000, 1 << 20, 5 << 20])
def test_bodies_on_one_connection(server: Server, size: int) -> None:
    wire = server.wire()
    body = os.urandom(size)
    for _ in range(4):
        answer = wire.say(head("PUT", "/put/x", f"Content-Length: {size}"), body).hear()
        assert (answer.status, answer.headers["x-sha256"]) == (200, hashlib.sha256(body).hexdigest())
        assert answer.headers["content-length"] == "0"
        back = wire.say(head("GET", f"/stream/{size}")).hear()
        assert len(back.body) == size


def test_chunked_upload(server: Server) -> None:
    wire = server.wire()
    body = os.urandom(200_000)
    for _ in range(3):
        wire.say(head("PUT", "/put/x", "Transfer-Encoding: chunked"))
        for start in range(0, len(body), 70_000):
            piece = body[start : start + 70_000]
            wire.say(b"%x;ext=1\r\n" % len(piece), piece, b"\r\n")
        answer = wire.say(b"0\r\nX-Trailer: 1\r\n\r\n").hear()
        assert answer.headers["x-sha256"] == hashlib.sha256(body).hexdigest()


def test_bytes_one_at_a_time(server: Server) -> None:
    wire = server.wire()
    for byte in head("PUT", "/put/x?a=b", "Content-Length: 3") + b"abc":
        wire.say(bytes((byte,)))
    assert wire.hear().headers["x-size"] == "3"


MALFORMED = {
    "length and chunks": head("PUT", "/put/x", "Content-Length: 3", "Transfer-Encoding: chunked")
    + b"3\r\nabc\r\n0\r\n\r\n",
    "chunks and length": head("PUT", "/put/x", "Transfer-Encoding: chunked", "Content-Length: 3")
    + b"3\r\nabc\r\n0\r\n\r\n",
    "two lengths": head("PUT", "/put/x", "Content-Length: 3", "Content-Length: 3") + b"abc",
    "two different lengths": head("PUT", "/put/x", "Content-Length: 3", "Content-Length: 4") + b"abcd",
    "length list": head("PUT", "/put/x", "Content-Length: 3, 3") + b"abc",
    "negative length": head("PUT", "/put/x", "Content-Length: -3") + b"abc",
    "signed length": head("PUT", "/put/x", "Content-Length: +3") + b"abc",
    "huge length": head("PUT", "/put/x", "Content-Length: 99999999999999999999999") + b"abc",
    "bad chunk size": head("PUT", "/put/x", "Transfer-Encoding: chunked") + b"zz\r\nabc\r\n0\r\n\r\n",
    "bad chunk end": head("PUT", "/put/x", "Transfer-Encoding: chunked") + b"3\r\nabcd\r\n0\r\n\r\n",
    "negative chunk": head("PUT", "/put/x", "Transfer-Encoding: chunked") + b"-1\r\nabc\r\n0\r\n\r\n",
    "huge chunk": head("PUT", "/put/x", "Transfer-Encoding: chunked") + b"fffffffffffffffff\r\nabc",
    "bare line feeds": b"GET /echo HTTP/1.1\nHost: s\n\n",
    "bare line feed in a header": b"GET /echo HTTP/1.1\r\nHost: s\nX: y\r\n\r\n",
    "bare carriage return": b"GET /echo HTTP/1.1\r\nHost: s\rX: y\r\n\r\n",
    "blank before the colon": b"GET /echo HTTP/1.1\r\nHost: s\r\nX : y\r\n\r\n",
    "folded header": b"GET /echo HTTP/1.1\r\nHost: s\r\nX: y\r\n z\r\n\r\n",
    "zero byte in a header": b"GET /echo HTTP/1.1\r\nHost: s\r\nX: y\0z\r\n\r\n",
    "control byte in the target": b"GET /ec\x01ho HTTP/1.1\r\nHost: s\r\n\r\n",
    "no host": b"GET /echo HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /echo HTTP/1.1\r\nHost: s\r\nHost: t\r\n\r\n",
    "chunks in HTTP/1.0": b"PUT /put HTTP/1.0\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: s\r\n\r\n",
    "authority": b"CONNECT s:80 HTTP/1.1\r\nHost: s\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "unknown method": b"BREW /echo HTTP/1.1\r\nHost: s\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_is_400_and_closed(server: Server, name: str) -> None:
    wire = server.wire().say(MALFORMED[name])
    answer = wire.hear()
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    wire.socket.shutdown(1)
    assert wire.closed()


def test_what_follows_a_malformed_request_is_never_read(server: Server) -> None:
    """Request smuggling: the second request must not be answered."""
    wire = server.wire().say(MALFORMED["length and chunks"], head("GET", "/echo/smuggled"))
    assert wire.hear().status == 400
    wire.socket.shutdown(1)
    assert wire.closed()


@pytest.mark.parametrize(("coding", "status"), [("gzip, chunked", 501), ("chunked, chunked", 501), ("identity", 501)])
def test_unknown_transfer_codings(server: Server, coding: str, status: int) -> None:
    wire = server.wire().say(head("PUT", "/put/x", f"Transfer-Encoding: {coding}"), b"0\r\n\r\n")
    assert wire.hear().status in (status, 400)
    wire.socket.shutdown(1)
    assert wire.closed()


def test_bad_chunk_after_the_application_began(server: Server) -> None:
    before = json.loads(server.ask("GET", "/counts").body)
    wire = server.wire().say(head("PUT", "/put/x", "Content-Length: 10", "Expect: 100-continue"))
    assert wire.hear().status == 100
    wire.close()
    wire = server.wire().say(head("PUT", "/put/x", "Transfer-Encoding: chunked"), b"3\r\nabc\r\n")
    assert wire.silent(0.2)
    assert wire.say(b"xyz\r\n").hear().status == 400
    assert json.loads(server.ask("GET", "/counts").body)["cut"] == before["cut"] + 1


@pytest.mark.parametrize("in_one", [True, False])
def test_headers_within_the_bound_pass(server: Server, in_one: bool) -> None:
    line = "X-Long: " + "x" * (limits.MAX_HEADER_BYTES - 200)
    wire = server.wire()
    data = head("GET", "/echo", line)
    for part in [data] if in_one else [data[:10_000], data[10_000:20_000], data[20_000:]]:
        wire.say(part)
    assert wire.hear().status == 200


ENDLESS = {
    "one value": (b"GET /echo HTTP/1.1\r\nHost: s\r\nX: ", b"y" * 1000, 431),
    "one name": (b"GET /echo HTTP/1.1\r\nHost: s\r\nX", b"y" * 1000, 431),
    "many headers": (b"GET /echo HTTP/1.1\r\nHost: s\r\n", b"X: y\r\n" * 50, 431),
    "target": (b"GET /", b"y" * 1000, 414),
    "trailers": (head("PUT", "/put/x", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n", b"X: y\r\n" * 50, 431),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_heads_without_end_are_cut_at_the_bound(server: Server, name: str) -> None:
    start, more, status = ENDLESS[name]
    wire = server.wire().say(start)
    said = 0
    try:
        for _ in range(200):
            wire.say(more)
            said += len(more)
    except (BrokenPipeError, ConnectionResetError):
        pass
    wire_answer = wire.hear()
    assert (wire_answer.status, wire_answer.headers["connection"]) == (status, "close")


def test_header_of_100_kib_at_once(server: Server) -> None:
    wire = server.wire().say(head("GET", "/echo", "X: " + "y" * 100_000))
    assert wire.hear().status == 431


def test_hundred_thousand_pipelined_requests_do_not_pile_up(server: Server) -> None:
    """More than MAX_PIPELINED_REQUESTS ahead in one read: refused, after what was due."""
    wire = server.wire()
    wire.say(head("GET", "/slow/0.3"), head("GET", "/echo") * 2000)
    assert wire.hear().body == b"done"
    with pytest.raises(ClosedEarly):
        for _ in range(2000):
            wire.hear()
