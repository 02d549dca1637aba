"""A client that says exactly the bytes it is told, and a server to say them to."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    raw_head: bytes


class ClosedEarly(Exception):
    """The connection ended before the answer did. `got`: what came."""

    def __init__(self, got: bytes) -> None:
        super().__init__(f"{len(got)} bytes, then the end: {got[:200]!r}")
        self.got = got


class Wire:
    """One connection."""

    def __init__(self, port: int, timeout_s: float = 10.0, tls: ssl.SSLContext | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self._buffer = b""

    def say(self, *parts: bytes) -> Wire:
        self.socket.sendall(b"".join(parts))
        return self

    def until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._more()
        taken, _, self._buffer = self._buffer.partition(mark)
        return taken

    def exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _more(self) -> None:
        try:
            data = self.socket.recv(1 << 20)
        except (ConnectionResetError, BrokenPipeError):
            data = b""
        if not data:
            raise ClosedEarly(self._buffer)
        self._buffer += data

    def hear(self, *, bodiless: bool = False) -> Answer:
        """One answer, whole."""
        raw = self.until(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(": ")
            assert name.lower() not in headers, f"header {name} twice"
            headers[name.lower()] = value
        status = int(first.split(" ")[1])
        body = b""
        if bodiless or status in (100, 204, 304):
            pass
        elif headers.get("transfer-encoding") == "chunked":
            while size := int(self.until(b"\r\n"), 16):
                body += self.exactly(size)
                assert self.exactly(2) == b"\r\n"
            assert self.exactly(2) == b"\r\n"
        elif "content-length" in headers:
            body = self.exactly(int(headers["content-length"]))
        return Answer(status, headers, body, raw)

    def silent(self, seconds: float) -> bool:
        """Nothing arrives, and the connection stays, for that long."""
        self.socket.settimeout(seconds)
        try:
            return self._buffer == b"" and self.socket.recv(1, socket.MSG_PEEK) is None
        except TimeoutError:
            return not self._buffer
        finally:
            self.socket.settimeout(10.0)

    def closed(self, within_s: float = 5.0) -> bool:
        """The server ends the connection, with nothing more to say."""
        self.socket.settimeout(within_s)
        try:
            return self._buffer == b"" and self.socket.recv(1) == b""
        except (ConnectionResetError, BrokenPipeError):
            return True
        except TimeoutError:
            return False

    def close(self) -> None:
        self.socket.close()


def head(method: str, target: str, *lines: str) -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: s", *lines, "", ""]).encode("latin-1")


class Server:
    """tests.wire.fake_server in its own process. `tls`: how its clients trust the tls.crt in `folder`."""

    def __init__(self, folder: Path, *, tls: ssl.SSLContext | None = None, **changed_limits: Any) -> None:
        with socket.socket() as probe, socket.socket() as other:
            probe.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
            self.health_port: int = other.getsockname()[1]
        self.tls = tls
        metrics = folder / "metrics"
        metrics.mkdir()
        self.log = folder / "log"
        environment = dict(os.environ, PYTHONPATH=f"{ROOT / 'server'}:{ROOT}", PROMETHEUS_MULTIPROC_DIR=str(metrics))
        command = [sys.executable, "-m", "tests.wire.fake_server", str(self.port), dumps(changed_limits)]
        command += [str(self.health_port), *([str(folder)] if tls is not None else [])]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=ROOT)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                if self.ask("GET", "/health/live").status == 200:
                    return
            except (OSError, ClosedEarly):
                pass
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def wire(self, timeout_s: float = 10.0) -> Wire:
        return Wire(self.port, timeout_s, self.tls)

    def ask(self, method: str, target: str, *lines: str, body: bytes = b"") -> Answer:
        wire = self.wire()
        try:
            extra = [f"Content-Length: {len(body)}"] if body else []
            return wire.say(head(method, target, *lines, *extra), body).hear(bodiless=method == "HEAD")
        finally:
            wire.close()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)
