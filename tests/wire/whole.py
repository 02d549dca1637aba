"""The real server, as `kakera serve` runs it, on folders of a test."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config as ClientConfig

from tests.wire.wire import ROOT

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'server'}:{ROOT}"}
KAKERA = (sys.executable, "-m", "kakera.cli.main")
SHORT_TIMES = {
    "profile": {"k": 4, "m": 2},
    "journal": {"resend_limit_s": 2},
    "background": {"interval_s": 1},
    "bulk": {"segment_bytes": 8 << 20},
}


class Whole:
    """One host, six drives, 4+2, short times. `settings`: section -> fields that are to be otherwise in server.toml."""

    def __init__(self, folder: Path, *, workers: int = 1, settings: dict[str, dict[str, int]] | None = None) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.config = folder / "server.toml"
        self.config.write_text(self._toml(workers, settings or {}))
        account = {"account_id": "a", "display_name": "a", "access_key_id": "AK", "secret_access_key": "SECRETSECRET"}
        (folder / "a.json").write_text(json.dumps(account))
        (folder / "a.json").chmod(0o600)
        for slot in range(6):
            self.drive(slot).mkdir()
        self.process: subprocess.Popen[bytes] | None = None

    def _toml(self, workers: int, settings: dict[str, dict[str, int]]) -> str:
        text = f'[server]\nname = "t"\nlisten = "127.0.0.1:{self.port}"\n'
        text += f'state_dir = "{self.folder}/state"\nworkers = {workers}\n'
        for section in SHORT_TIMES.keys() | settings.keys():
            text += f"[{section}]\n"
            for name, value in {**SHORT_TIMES.get(section, {}), **settings.get(section, {})}.items():
                text += f"{name} = {value}\n"
        text += f'[[accounts]]\nname = "a"\ncredentials_file = "{self.folder}/a.json"\n'
        return text + "".join(f'[[drives]]\npath = "{self.drive(n)}"\ndomain = "d{n}"\n' for n in range(6))

    def drive(self, slot: int) -> Path:
        return self.folder / f"d{slot}"

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        words = (*KAKERA, *words, "--config", str(self.config))
        return subprocess.run(words, capture_output=True, text=True, timeout=120, env=ENVIRONMENT, check=False)

    def doctor(self, *words: str) -> dict[str, Any]:
        done = self.command("doctor", "--json", *words)
        report: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == int(report["exposed"])
        return report

    def start(self, *, until: str = "ready", within_s: float = 30.0) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                (*KAKERA, "serve", "--config", str(self.config)), stdout=log, stderr=log, env=ENVIRONMENT
            )
        self.wait_until(until, within_s)

    def wait_until(self, status: str, within_s: float = 30.0) -> None:
        deadline = time.monotonic() + within_s
        while (found := self.status()) != status:
            assert time.monotonic() < deadline, (found, self.log()[-3000:])
            assert self.process is not None and self.process.poll() is None, self.log()
            time.sleep(0.1)

    def status(self) -> str:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=3) as wire:
                wire.sendall(b"GET /health/ready HTTP/1.0\r\n\r\n")
                return str(json.loads(wire.makefile("rb").read().partition(b"\r\n\r\n")[2])["status"])
        except (OSError, ValueError):
            return "silent"

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def children(self) -> dict[str, int]:
        """The running children by name."""
        found: dict[str, int] = {}
        for line in self.log().splitlines():
            said = json.loads(line)
            if said.get("event") == "child started":
                found[said["child"]] = said["pid"]
        return found

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id="AK",
            aws_secret_access_key="SECRETSECRET",
            region_name="us-east-1",
            config=ClientConfig(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def away(self, slot: int) -> None:
        self.drive(slot).rename(self.folder / f"away{slot}")

    def back(self, slot: int) -> None:
        shutil.rmtree(self.drive(slot), ignore_errors=True)
        (self.folder / f"away{slot}").rename(self.drive(slot))
