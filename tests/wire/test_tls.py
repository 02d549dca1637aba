"""TLS that ends at the host, and the plain port for health beside it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire import certificate
from tests.wire.wire import Answer, ClosedEarly, Server, Wire, head

MIB = 1 << 20


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("tls")
    running = Server(folder, tls=certificate.make(folder), DRAIN_LIMIT_S=8.0, TLS_HANDSHAKE_S=1.0)
    yield running
    running.stop()


def health(port: int, target: str, method: str = "GET", *lines: str) -> Answer:
    wire = Wire(port)
    try:
        return wire.say(head(method, target, *lines)).hear(bodiless=method == "HEAD")
    finally:
        wire.close()


def test_a_request_and_its_answer(secure: Server) -> None:
    found = json.loads(secure.ask("GET", "/bucket/key?a=b").body)
    assert (found["method"], found["raw_path"], found["raw_query"]) == ("GET", "/bucket/key", "a=b")
    wire = secure.wire()
    assert isinstance(wire.socket, ssl.SSLSocket)
    assert wire.socket.version() == "TLSv1.3"
    for _ in range(3):  # one connection
        assert wire.say(head("GET", "/empty")).hear().status == 204


@pytest.mark.parametrize("size", [1, 16 * 1024 - 1, 70_000, 24 * MIB])
def test_bodies_both_ways(secure: Server, size: int) -> None:
    body = os.urandom(size)
    answer = secure.ask("PUT", "/put", body=body)
    assert answer.headers["x-sha256"] == hashlib.sha256(body).hexdigest()
    assert len(secure.ask("GET", f"/stream/{size}").body) == size


def test_a_slow_reader_of_much_is_served_whole(secure: Server) -> None:
    wire = secure.wire(timeout_s=30).say(head("GET", f"/stream/{12 * MIB}"))
    time.sleep(1)  # the server's buffers are full, and wait
    assert len(wire.hear().body) == 12 * MIB


def test_a_broken_answer_has_no_clean_end(secure: Server) -> None:
    with pytest.raises((ClosedEarly, ssl.SSLError, OSError)):
        secure.wire().say(head("GET", f"/broken/{MIB}/{MIB // 2}")).hear()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_below_tls_1_2_nothing_is_spoken(secure: Server) -> None:
    assert secure.tls is not None
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        Wire(secure.port, tls=old)
    new = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    new.check_hostname, new.verify_mode = False, ssl.CERT_NONE
    new.maximum_version = ssl.TLSVersion.TLSv1_2
    assert Wire(secure.port, tls=new).say(head("GET", "/empty")).hear().status == 204


def test_plain_words_on_the_port_of_tls_are_not_answered(secure: Server) -> None:
    wire = Wire(secure.port).say(head("GET", "/bucket/key"))
    with pytest.raises(ClosedEarly) as closed:
        wire.hear()
    assert b"HTTP/1.1" not in closed.value.got
    assert secure.ask("GET", "/empty").status == 204


def test_who_begins_no_handshake_is_let_go(secure: Server) -> None:
    silent = socket.create_connection(("127.0.0.1", secure.port), timeout=10)
    assert silent.recv(1) == b"", "TLS_HANDSHAKE_S is a second here"
    assert secure.ask("GET", "/empty").status == 204


def test_a_session_resumes(secure: Server) -> None:
    assert secure.tls is not None
    first = secure.wire()
    first.say(head("GET", "/empty")).hear()
    assert isinstance(first.socket, ssl.SSLSocket)
    again = socket.create_connection(("127.0.0.1", secure.port), timeout=10)
    with secure.tls.wrap_socket(again, server_hostname="127.0.0.1", session=first.socket.session) as resumed:
        assert resumed.session_reused


def test_the_health_port_is_plain_and_knows_nothing_else(secure: Server) -> None:
    live = health(secure.health_port, "/health/live")
    assert (live.status, json.loads(live.body)) == (200, {"status": "live"})
    assert health(secure.health_port, "/health/ready").status == 200
    assert health(secure.health_port, "/health/ready", "HEAD").status == 200
    for method, target, *lines in (
        ("GET", "/"),
        ("GET", "/metrics"),
        ("GET", "/bucket/key"),
        ("GET", "/health"),
        ("PUT", "/health/live", "Content-Length: 0"),
        ("DELETE", "/bucket/key"),
        ("GET", "/health/ready", "Authorization: AWS4-HMAC-SHA256 Credential=x"),
    ):
        answer = health(secure.health_port, target, method, *lines)
        assert (answer.status, answer.body) == (404, b""), (method, target)
    assert secure.ask("GET", "/health/ready").status == 200, "the first port answers for it as well"


def test_a_new_certificate_is_taken_at_sighup_and_a_bad_one_is_not(tmp_path: Path) -> None:
    first = certificate.make(tmp_path)
    server = Server(tmp_path, tls=first)
    try:
        serial = _serial(server.port)
        (tmp_path / "tls.key").write_text("no key")
        server.process.send_signal(signal.SIGHUP)
        _until(lambda: "TLS certificate not taken" in server.log.read_text())
        assert _serial(server.port) == serial
        second = certificate.make(tmp_path, name="another")
        server.process.send_signal(signal.SIGHUP)
        _until(lambda: _serial(server.port) not in (serial, ""))
        assert Wire(server.port, tls=second).say(head("GET", "/empty")).hear().status == 204
    finally:
        server.tls = None
        assert server.stop() == 0


def test_health_answers_until_the_last_request_under_way(tmp_path: Path) -> None:
    """A balancer that still looks is told 503, and live, while the worker drains."""
    server = Server(tmp_path)
    assert health(server.health_port, "/health/ready").status == 200
    wire = server.wire().say(head("GET", "/slow/3"))
    time.sleep(0.5)
    stopped: list[int] = []
    ending = threading.Thread(target=lambda: stopped.append(server.stop()))
    ending.start()
    time.sleep(1)
    answer = health(server.health_port, "/health/ready")
    assert (answer.status, json.loads(answer.body)["status"]) == (503, "draining")
    assert health(server.health_port, "/health/live").status == 200
    assert wire.hear().body == b"done"
    ending.join(20)
    assert stopped == [0]


def _serial(port: int) -> str:
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    try:
        wire = Wire(port, tls=blind)
    except OSError:
        return ""
    assert isinstance(wire.socket, ssl.SSLSocket)
    found = hashlib.sha256(wire.socket.getpeercert(binary_form=True) or b"").hexdigest()
    wire.close()
    return found


def _until(what: object, within_s: float = 20.0) -> None:
    assert callable(what)
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.2)
