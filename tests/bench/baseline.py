"""The two baselines of every run: a bare Falcon app for requests, raw synced writes for bytes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

START_TIMEOUT_S = 20.0
RAW_FILE_LIMIT_BYTES = 4 << 30
"""A raw file that reached this size is written from its start again, so that a long run cannot fill the disk."""


class BareServer:
    """tests/bench/bare.py on Gunicorn with uvicorn-worker: the same server program, worker class and worker count as
    Kakera's."""

    def __init__(self, workers: int = 2) -> None:
        self.host, self.port = "127.0.0.1", free_port()
        self._home = tempfile.mkdtemp(prefix="kakera-bench-bare-")
        self._log = Path(self._home) / "log"
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "--worker-class",
            "uvicorn_worker.UvicornWorker",
            "--workers",
            str(workers),
        ]
        command += [
            "--bind",
            f"{self.host}:{self.port}",
            "--no-control-socket",
            "--log-level",
            "warning",
            "tests.bench.bare:app",
        ]
        root = str(Path(__file__).parents[2])
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=root, env={**os.environ, "PYTHONPATH": root}, stdout=log, stderr=log
            )
        try:
            wait_for_port(self.host, self.port, self._process)
        except RuntimeError:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    def __enter__(self) -> BareServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(host: str, port: int, process: subprocess.Popen[bytes]) -> None:
    """Raises RuntimeError when the process ends first or START_TIMEOUT_S passes."""
    ends_at = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < ends_at:
        if process.poll() is not None:
            raise RuntimeError(f"the bare app ended with {process.returncode} before it listened")
        with suppress(OSError), socket.create_connection((host, port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError("the bare app does not listen")


@dataclass(frozen=True)
class RawWindow:
    bodies: int
    seconds: float
    p50_ms: float
    p99_ms: float


def write_raw(folder: Path, *, body_size_bytes: int, k: int, m: int, clients: int, window_s: float) -> RawWindow:
    """Bodies per second that the drives' file system can take when nothing but the bytes is written.

    `clients` writers share k+m files; for each body a writer appends body/k bytes to every file and waits for an
    fdatasync of each, all k+m in parallel. This is what an acknowledged PUT with redundancy (k+m)/k costs at least if
    nobody shares a sync.
    """
    fragment = os.urandom(-(-body_size_bytes // k))
    with tempfile.TemporaryDirectory(prefix="raw-", dir=folder) as home:
        files = [os.open(os.path.join(home, str(number)), os.O_CREAT | os.O_WRONLY) for number in range(k + m)]
        try:
            return _RawRun(files, fragment).run(clients, window_s)
        finally:
            for file in files:
                os.close(file)


class _RawRun:
    def __init__(self, files: list[int], fragment: bytes) -> None:
        self._files = files
        self._fragment = fragment
        self._offset_bytes = 0
        self._latencies_s: list[float] = []
        self._lock = threading.Lock()

    def run(self, clients: int, window_s: float) -> RawWindow:
        started_at = time.monotonic()
        ends_at = started_at + window_s
        with ThreadPoolExecutor(clients) as writers:
            for done in [writers.submit(self._write_until, ends_at) for _ in range(clients)]:
                done.result()
        latencies_s = sorted(self._latencies_s)
        count = len(latencies_s)
        p50_ms, p99_ms = (
            latencies_s[min(count - 1, int(count * share))] * 1e3 if count else 0.0 for share in (0.5, 0.99)
        )
        return RawWindow(count, window_s, p50_ms, p99_ms)

    def _write_until(self, ends_at: float) -> None:
        with ThreadPoolExecutor(len(self._files)) as drives:
            while (started_at := time.monotonic()) < ends_at:
                with self._lock:
                    offset_bytes = self._offset_bytes
                    self._offset_bytes = (offset_bytes + len(self._fragment)) % RAW_FILE_LIMIT_BYTES
                for done in [drives.submit(self._append, file, offset_bytes) for file in self._files]:
                    done.result()
                ended_at = time.monotonic()
                if ended_at <= ends_at:
                    with self._lock:
                        self._latencies_s.append(ended_at - started_at)

    def _append(self, file: int, offset_bytes: int) -> None:
        os.pwrite(file, self._fragment, offset_bytes)
        os.fdatasync(file)
