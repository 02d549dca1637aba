"""The real server over HTTP for faults: the whole process tree with a plan of faults, killed whole, and a client whose
every answer is told apart: acknowledged, refused, unknown."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import psutil

from tests.bench.presign import Credentials, Presigner
from tests.fault.lincheck import durable
from tests.wire.whole import ENVIRONMENT, KAKERA, Whole

FULL = bool(os.environ.get("KAKERA_FULL"))
BUCKET = "faults"
SIZES = (0, 100, 4096, 60_000, 300_000, 2_500_000)  # replicated; coded in the record; a chunk of one and of more blocks
CLIENT_TIMEOUT_S = 45.0
UNKNOWN: dict[str, Any] = {"t1": None, "ok": None}  # of an operation until its answer is heard
SETTLE_S = 20.0  # a worker that has just started answers 503 until it has heard from the committer


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes


class Client:
    """One connection, for one thread; pre-signed URLs. Raises OSError or HTTPException when an answer does not come."""

    def __init__(self, port: int, timeout_s: float = CLIENT_TIMEOUT_S) -> None:
        self.port = port
        self._timeout_s = timeout_s
        self._signer = Presigner(Credentials("AK", "SECRETSECRET"), f"127.0.0.1:{port}")
        self._wire: http.client.HTTPConnection | None = None

    def target(self, method: str, path: str, query: dict[str, str] | None = None) -> str:
        return self._signer.target(method, path, query)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        if self._wire is None:
            self._wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self._timeout_s)
        try:
            self._wire.request(method, self.target(method, path, query), body or None, headers or {})
            got = self._wire.getresponse()
            answer = Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if got.will_close:
            self.close()
        return answer

    def object(self, method: str, key: str, body: bytes = b"", **more: Any) -> Answer:
        return self.ask(method, f"/{BUCKET}/{key}", body, **more)

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def keys(self, prefix: str = "") -> list[str]:
        """Every key of the bucket, page after page."""
        found: list[str] = []
        after = ""
        while True:
            query = {"list-type": "2", "prefix": prefix} | ({"continuation-token": after} if after else {})
            answer = settled(lambda query=query: self.ask("GET", f"/{BUCKET}", query=query))  # type: ignore[misc]
            assert answer.status == 200, answer
            tree = ElementTree.fromstring(answer.body)
            found += [str(line.text) for line in tree.iterfind("{*}Contents/{*}Key")]
            after = tree.findtext("{*}NextContinuationToken") or ""
            if not after:
                return found


def settled(ask: Callable[[], Answer]) -> Answer:
    """The first answer that is not 503, or the last one within SETTLE_S."""
    deadline = time.monotonic() + SETTLE_S
    while (answer := ask()).status == 503 and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def digest(body: bytes) -> str:
    return f"{len(body)}:{hashlib.sha256(body).hexdigest()[:24]}"


class Live(Whole):
    """`kakera serve` on folders of a test; `faults` is the plan (fields of faults.Plan) of every process from the next
    start on."""

    def __init__(self, folder: Path, *, workers: int = 1, settings: dict[str, dict[str, int]] | None = None) -> None:
        self.faults: dict[str, Any] = {}
        super().__init__(folder, workers=workers, settings=settings)

    def format(self) -> None:
        done = self.command("admin", "format")
        assert done.returncode == 0, done.stderr

    def start(self, *, until: str = "ready", within_s: float = 60.0) -> None:
        environment = ENVIRONMENT | ({"KAKERA_FAULTS": json.dumps(self.faults)} if self.faults else {})
        with (self.folder / "log").open("ab") as log:
            command = (*KAKERA, "serve", "--config", str(self.config))
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        if until:
            self.wait_until(until, within_s)

    def tree(self) -> list[psutil.Process]:
        if self.process is None or self.process.poll() is not None:
            return []
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]

    def kill(self) -> None:
        """SIGKILL of every process of this server at once; returns when the last one is gone."""
        tree = self.tree()
        for process in tree:
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        if self.process is not None:
            self.process.wait(30)
        psutil.wait_procs(tree, timeout=30)
        assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in tree)

    def committer(self) -> int:
        return self.children()["committer"]

    def workers(self) -> list[int]:
        """Process ids of the HTTP workers, oldest first."""
        return sorted(child.pid for child in psutil.Process(self.children()["http"]).children())

    def connect(self, timeout_s: float = CLIENT_TIMEOUT_S) -> Client:
        return Client(self.port, timeout_s)

    def reason(self) -> dict[str, str]:
        """What /health/ready says."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as wire:
            wire.sendall(b"GET /health/ready HTTP/1.0\r\n\r\n")
            found: dict[str, str] = json.loads(wire.makefile("rb").read().partition(b"\r\n\r\n")[2])
            return found

    def make_bucket(self) -> None:
        answer = settled(lambda: self.connect().ask("PUT", f"/{BUCKET}"))
        assert answer.status == 200, answer


def eventually(what: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.2)


class Verdict(NamedTuple):
    """acked: changes acknowledged; lost: keys whose last acknowledged state is gone; wrong: bytes nobody ever wrote, or
    refusals; unlisted: keys where listing and reading disagree."""

    acked: int
    lost: list[Any]
    wrong: list[str]
    unlisted: list[str]
    final: dict[str, Any]  # what every key holds now: the next round begins with it

    @property
    def clean(self) -> bool:
        return not (self.lost or self.wrong or self.unlisted)


class Writers:
    """Threads that put, overwrite and delete small and large objects until told to stop, and write down what they
    heard."""

    def __init__(self, live: Live, *, threads: int = 16, seed: int = 0, before: dict[str, Any] | None = None) -> None:
        self._live = live
        self._stop = threading.Event()
        self._lock = threading.Lock()
        now = time.monotonic()
        self.history: list[dict[str, Any]] = [
            {"key": key, "f": "write", "v": value, "t0": now, "t1": now, "ok": True}
            for key, value in (before or {}).items()
        ]
        self._before = len(self.history)
        self._names = iter(range(1 << 30))
        self._seed = seed
        self._threads = [threading.Thread(target=self._write, args=(n,), daemon=True) for n in range(threads)]

    def begin(self) -> None:
        self._stop.clear()
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(CLIENT_TIMEOUT_S + 15)
            assert not thread.is_alive(), "a writer hangs"

    @property
    def acked(self) -> int:
        return sum(line["ok"] is True for line in self.history[self._before :])

    def _write(self, number: int) -> None:
        chance = random.Random(f"{self._seed}/{number}")
        client = self._live.connect()
        keys = [f"own-{number}-{n}" for n in range(6)] + [f"shared-{n}" for n in range(4)]
        while not self._stop.is_set():
            key = chance.choice(keys)
            gone = chance.random() < 0.2
            size = chance.choices(SIZES, (1, 4, 8, 4, 2, 1))[0]
            body = b"" if gone else chance.randbytes(size)
            value = None if gone else digest(body)
            line: dict[str, Any] = {"key": key, "f": "write", "v": value, "t0": time.monotonic()} | UNKNOWN
            with self._lock:
                self.history.append(line)
            try:
                answer = client.object("DELETE" if gone else "PUT", key, body)
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
                continue
            line["t1"] = time.monotonic()
            if answer.status in (200, 204):
                line["ok"] = True
            elif answer.status < 500:
                line["ok"] = False

    def verify(self) -> Verdict:
        """Read everything ever written, and the listing, and compare."""
        client = self._live.connect()
        known: dict[str, set[Any]] = {}
        for line in self.history:
            known.setdefault(line["key"], {None}).add(line["v"])
        final: dict[str, Any] = {}
        wrong = []
        for key, bodies in sorted(known.items()):
            answer = settled(lambda key=key: client.object("GET", key))  # type: ignore[misc]
            if answer.status == 200:
                final[key] = digest(answer.body)
            elif answer.status == 404:
                final[key] = None
            else:
                wrong.append(f"{key}: {answer.status} {answer.body[:300]!r}")
                continue
            if final[key] not in bodies:
                wrong.append(f"{key}: bytes nobody wrote")
        listed = set(client.keys())
        there = {key for key, value in final.items() if value is not None}
        lost = durable([line for line in self.history if line["key"] in final], final)
        return Verdict(self.acked, lost, wrong, sorted(listed ^ there), final)
