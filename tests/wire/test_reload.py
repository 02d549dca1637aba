"""The end of a worker and the beginning of the next: a drain waits for requests and for nobody else, a reload loses
none of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.wire import certificate
from tests.wire.wire import ClosedEarly, Server, Wire, head

KIB = 1 << 10
CUT = "timeout graceful shutdown exceeded"  # uvicorn's words for a drain that took all its time


def server_of(folder: Path, *, secure: bool, **limits: float) -> Server:
    return Server(folder, tls=certificate.make(folder) if secure else None, **limits)


def ready(server: Server) -> str:
    wire = Wire(server.health_port)
    try:
        return str(json.loads(wire.say(head("GET", "/health/ready")).hear().body)["status"])
    finally:
        wire.close()


def workers(server: Server) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=False)
    return sorted(map(int, found.stdout.split()))


def until(what: Callable[[], object], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.05)


def answerer(server: Server) -> str:
    """Each worker's request ids have their own beginning."""
    return server.ask("GET", "/empty").headers["x-amz-request-id"][:8]


def reload(server: Server) -> None:
    """SIGHUP, until a new worker is there."""
    before = workers(server)
    server.process.send_signal(signal.SIGHUP)
    until(lambda: set(workers(server)) - set(before))


# --- the end ----------------------------------------------------------------------------------------------------------


def test_clients_of_tls_that_never_say_goodbye_do_not_hold_up_the_end(tmp_path: Path) -> None:
    server = server_of(tmp_path, secure=True, DRAIN_LIMIT_S=12.0, LINGER_S=0.5)
    idle = server.wire()
    assert idle.say(head("GET", "/empty")).hear().status == 204
    silent = socket.create_connection(("127.0.0.1", server.port))  # no handshake either
    assert server.stop() == 0
    assert CUT not in server.log.read_text()
    silent.close()
    idle.close()


@pytest.mark.parametrize("secure", [False, True])
def test_who_reads_slowly_gets_all_of_the_last_answer(tmp_path: Path, secure: bool) -> None:
    """For the server it is written, and the connection idle; for the client it has hardly begun."""
    size = 12 * KIB * KIB
    server = server_of(
        tmp_path, secure=secure, DRAIN_LIMIT_S=25.0, LINGER_S=0.2, SWEEP_S=0.2, WRITE_BUFFER_BYTES=2 * size
    )
    wire = server.wire(timeout_s=20)
    wire.say(head("GET", f"/stream/{size}"))
    time.sleep(0.5)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(2)  # many times LINGER_S
    assert len(wire.hear().body) == size
    wire.close()
    assert server.process.wait(20) == 0


@pytest.mark.parametrize("secure", [False, True])
def test_a_connection_that_begins_while_the_worker_ends_has_one_request(tmp_path: Path, secure: bool) -> None:
    server = server_of(tmp_path, secure=secure, DRAIN_LIMIT_S=12.0, LAST_REQUEST_S=2.0)
    busy = server.wire().say(head("GET", "/slow/2"))
    begun = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    time.sleep(0.3)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    if server.tls is not None:
        begun = server.tls.wrap_socket(begun, server_hostname="127.0.0.1")
    begun.sendall(head("GET", "/empty"))
    answer = begun.recv(KIB)
    assert answer.startswith(b"HTTP/1.1 204 ") and b"connection: close" in answer
    begun.close()
    assert busy.hear().body == b"done"
    busy.close()
    assert server.process.wait(20) == 0
    assert CUT not in server.log.read_text()


# --- reload -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secure", [False, True])
def test_no_request_is_lost(tmp_path: Path, secure: bool) -> None:
    server = server_of(tmp_path, secure=secure, DRAIN_LIMIT_S=8.0)
    seen: Counter[object] = Counter()
    ended = threading.Event()

    def ask_again_and_again(number: int) -> None:
        wire: Wire | None = None
        while not ended.is_set():
            try:
                wire = wire or server.wire()
                answer = wire.say(head("PUT", "/put", "Content-Length: 9000"), bytes(9000)).hear()
            except (OSError, ClosedEarly) as error:
                seen[repr(error)] += 1
                wire = None
                continue
            seen[answer.status] += 1
            if answer.headers.get("connection") == "close" and wire is not None:
                wire.close()
                wire = None
            time.sleep(0.01 * number)  # at any moment some are idle, some are not

    def ask_for_health() -> None:
        while not ended.is_set():
            try:
                seen[ready(server)] += 1
            except (OSError, ClosedEarly) as error:
                seen[f"health: {error!r}"] += 1
            time.sleep(0.02)

    asking = [threading.Thread(target=ask_again_and_again, args=(number,)) for number in range(4)]
    asking.append(threading.Thread(target=ask_for_health))
    for thread in asking:
        thread.start()
    for _ in range(2):
        reload(server)
        time.sleep(1.0)
    ended.set()
    for thread in asking:
        thread.join()
    assert seen.keys() == {200, "ready"}
    assert server.stop() == 0


def test_a_new_worker_that_cannot_begin_changes_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path)
    old = workers(server)
    (tmp_path / "broken").touch()
    server.process.send_signal(signal.SIGHUP)
    until(lambda: "reload given up" in server.log.read_text())
    assert server.ask("GET", "/empty").status == 204
    assert workers(server) == old
    (tmp_path / "broken").unlink()
    reload(server)
    until(lambda: not set(workers(server)) & set(old))
    assert server.ask("GET", "/empty").status == 204
    assert server.stop() == 0


def test_while_old_workers_end_the_server_is_looked_after(tmp_path: Path) -> None:
    """The long request of an old worker puts off neither a new worker's replacement nor the server's own end."""
    server = Server(tmp_path, DRAIN_LIMIT_S=30.0)
    old = workers(server)
    long = server.wire(timeout_s=30).say(head("GET", "/slow/6"))
    time.sleep(0.3)
    first = answerer(server)
    server.process.send_signal(signal.SIGHUP)
    until(lambda: answerer(server) != first)
    time.sleep(0.5)  # the old one takes no more
    assert ready(server) == "ready"
    (killed,) = set(workers(server)) - set(old)
    os.kill(killed, signal.SIGKILL)
    assert server.ask("GET", "/empty").status == 204
    assert set(old) < set(workers(server)), "the old one is still at its request, and it is not who answered"
    server.process.send_signal(signal.SIGTERM)
    until(lambda: workers(server) == old, 5)  # those that have nothing to do end at once
    assert long.hear().body == b"done"
    long.close()
    assert server.process.wait(20) == 0


def test_a_key_that_is_a_folder_is_not_taken(tmp_path: Path) -> None:
    server = server_of(tmp_path, secure=True)
    (tmp_path / "tls.key").unlink()
    (tmp_path / "tls.key").mkdir()
    server.process.send_signal(signal.SIGHUP)
    until(lambda: "TLS certificate not taken" in server.log.read_text())
    assert server.ask("GET", "/empty").status == 204
    assert server.stop() == 0


# --- bodies that nobody signed for ------------------------------------------------------------------------------------


def test_a_body_at_health_is_not_waited_for(tmp_path: Path) -> None:
    server = Server(tmp_path)
    for line in ("Transfer-Encoding: chunked", "Content-Length: 9000000"):
        wire = Wire(server.health_port)
        assert wire.say(head("GET", "/health/live", line)).hear().status == 404, line
        wire.close()
        wire = server.wire()
        assert json.loads(wire.say(head("GET", "/health/live", line)).hear().body)["raw_path"] == "/health/live"
        wire.close()
    assert server.stop() == 0
