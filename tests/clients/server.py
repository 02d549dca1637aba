"""The server the clients speak to: the laptop blueprint, rendered and formatted as `make up` does, on a folder and a
port of its own.

It is a child of the test run, in the same process group: a run that is killed takes it along.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.blueprint.expand import expand, override
from infra.blueprint.load import load
from infra.local import credentials, health
from infra.render import server_toml

ROOT = Path(__file__).parents[2]
KAKERA = (sys.executable, "-m", "kakera.cli.main")
FORMAT_LIMIT_S = 60.0
READY_LIMIT_S = 60.0
STOP_LIMIT_S = 30.0
LOG_LIMIT_S = 10.0  # a finished request is written to the log by a thread, a moment after its answer
POLL_S = 0.05


class Server:
    """`start`, then `endpoint`; `requests` says what the clients really asked for."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.endpoint = f"http://{self.host}"
        self.log = folder / "server.log"
        self._config = folder / "server.toml"
        self._read_bytes = 0
        self._process: subprocess.Popen[bytes] | None = None
        plan = expand(override(load(ROOT / "blueprints" / "laptop.yaml"), port=self.port))
        (host,) = plan.hosts
        self.region = plan.region
        self._config.write_text(server_toml(plan, host_name=host.name, data_root=str(folder)))
        self.main, self.alt = (credentials.keep(folder / one.credentials_path)[0] for one in plan.accounts)
        for path in (host.state_path, *(drive.path for drive in host.drives)):
            (folder / path).mkdir(parents=True)

    def start(self) -> None:
        """Format, serve, wait until it is ready. Raises: AssertionError with the end of the log."""
        kakera = (*KAKERA, "admin", "format", "--config", str(self._config))
        subprocess.run(kakera, env=_environment(), check=True, capture_output=True, timeout=FORMAT_LIMIT_S)
        with self.log.open("ab") as log:
            serve = (*KAKERA, "serve", "--config", str(self._config))
            self._process = subprocess.Popen(
                serve, env=_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until = time.monotonic() + READY_LIMIT_S
        while (found := health.probe("127.0.0.1", self.port)).status != "ready":
            over = time.monotonic() > until or self._process.poll() is not None
            assert not over, f"not ready: {found}\n{self.log.read_text()[-4000:]}"
            time.sleep(POLL_S)

    def stop(self) -> int:
        """The exit code of the supervisor after SIGTERM; one that does not end is killed and gives -SIGKILL."""
        process = self._process
        if process is None:
            return 0
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()  # its children end with it
            return process.wait(STOP_LIMIT_S)

    def doctor(self) -> dict[str, Any]:
        """What `kakera doctor --json` reports."""
        kakera = (*KAKERA, "doctor", "--json", "--config", str(self._config))
        done = subprocess.run(kakera, env=_environment(), check=False, capture_output=True, timeout=FORMAT_LIMIT_S)
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def lines(self, start_bytes: int = 0) -> list[dict[str, Any]]:
        """The whole lines of the log from an offset on; a line that is no JSON is an error of its own."""
        with self.log.open("rb") as file:
            file.seek(start_bytes)
            text = file.read()
        return [_parsed(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]

    def mark(self) -> int:
        return self.log.stat().st_size

    def operations(self, mark: int, bucket: str, enough: Callable[[Counter[str]], bool]) -> Counter[str]:
        """Operations on a bucket since the mark that succeeded, once they are `enough`. Raises: AssertionError."""
        until = time.monotonic() + LOG_LIMIT_S
        while True:
            found = Counter(
                str(line["operation"])
                for line in self.lines(mark)
                if line.get("event") == "request" and line["bucket"] == bucket and line["status"] < 300
            )
            if enough(found):
                return found
            assert time.monotonic() < until, f"{bucket}: {dict(found)}"
            time.sleep(POLL_S)

    def sent(self, mark: int, bucket: str, *, status: int, sent_bytes: int) -> None:
        """Wait for a request since the mark that was answered so. Raises: AssertionError."""
        wanted, until = (bucket, status, sent_bytes), time.monotonic() + LOG_LIMIT_S
        while True:
            asked = [line for line in self.lines(mark) if line.get("event") == "request"]
            if wanted in [(line["bucket"], line["status"], line["sent_bytes"]) for line in asked]:
                return
            assert time.monotonic() < until, (wanted, asked)
            time.sleep(POLL_S)

    def complaints(self) -> list[dict[str, Any]]:
        """Lines nobody has been shown yet that tell of a fault of the server: errors, and answers of 500 and above."""
        start, self._read_bytes = self._read_bytes, self.mark()
        return [line for line in self.lines(start) if _is_complaint(line)]


def _is_complaint(line: dict[str, Any]) -> bool:
    # 501 is an answer to a question about what is not built, as docs/compat says.
    status = line.get("status", 0)
    return line.get("level") in ("error", "critical") or (status >= 500 and status != 501)


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"level": "error", "event": line.decode(errors="replace")}


def _environment() -> dict[str, str]:
    """Nothing of the caller's cloud reaches the server."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**mine, "PYTHONPATH": os.pathsep.join([str(ROOT / "server"), str(ROOT)])}
