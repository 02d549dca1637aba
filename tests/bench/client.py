"""The measured client, always a process of its own: wrk for many small requests, `stream.py` for bodies of megabytes.

Both are given pre-signed targets and answer with the same figures. Why two: wrk reads 8 KiB at a time and at 10 MiB
spends a whole core on system calls (1.5 GB/s at most when tried, where a bare server can give more than 3), and it
copies a large body three times before it sends it; sockets read a MiB at a time need a third of that. `stream.py` in
turn would be the bottleneck for small requests. `lister.py` is the third, for listings in order.
"""

from __future__ import annotations

import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

WRK_MISSING = "wrk is not on the PATH; on Debian or Ubuntu: apt-get install wrk"
WRK_TIMEOUT_S = 20
"""Later answers count as timeouts; wrk drops them from its latencies, so this is far above any p99 worth printing."""
WRK_PREBUILD_MIN_BODY_BYTES = 256 * 1024
"""From here on requests are joined with their body once, before the clock: joining them again each time would cost
the client more than sending."""
WRK_PREBUILD_LIMIT_BYTES = 1 << 29
"""All joined requests together; with more targets than that allows, keys are written again."""
STREAM_MIN_SENT_BYTES = 1 << 20
"""From this size on the socket client sends faster than wrk at every concurrency (measured on the bare app) ..."""
STREAM_MIN_READ_BYTES = 4 << 20
"""... and from this one on it reads faster; at 1 MiB and 64 clients wrk does."""
GRACE_S = 120.0
"""A client that is this much later than its window is stopped and the window counts as failed."""


class ClientError(Exception):
    """The client itself failed: no figure was measured."""


@dataclass(frozen=True)
class Job:
    """One window. `targets` are used in order by all connections together; with `once` the window ends when they are
    used up."""

    method: str
    host: str
    port: int
    targets: Sequence[str]
    clients: int
    window_s: float
    body: bytes = b""
    answer_size_bytes: int = 0
    once: bool = False


@dataclass(frozen=True)
class ClientResult:
    """What the client saw. `errors` holds only kinds that happened; if it is not empty the other figures are not to
    be used."""

    program: str
    requests: int
    seconds: float
    bytes_read: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    overran: int
    client_cpu_s: float
    errors: dict[str, int] = field(default_factory=dict)

    @classmethod
    def failed(cls, why: str, window_s: float) -> ClientResult:
        """The result of a client that could not measure anything."""
        return cls("none", 0, window_s, 0, 0.0, 0.0, 0.0, 0, 0.0, {why: 1})

    @property
    def client_cores(self) -> float:
        """Share of one core that the client used in the window; reading its targets before the window is in it."""
        return self.client_cpu_s / self.seconds if self.seconds else 0.0


def require_wrk() -> str:
    """The path of wrk. Raises ClientError with the way to get it."""
    found = shutil.which("wrk")
    if found is None:
        raise ClientError(WRK_MISSING)
    return found


def measure(job: Job, bulk_client: str = "sockets") -> ClientResult:
    """Run one window and return its figures. `bulk_client`: "sockets" or "wrk" for bodies of megabytes. Raises
    ClientError."""
    large = len(job.body) >= STREAM_MIN_SENT_BYTES or job.answer_size_bytes >= STREAM_MIN_READ_BYTES
    with tempfile.TemporaryDirectory(prefix="kakera-bench-") as folder:
        if large and bulk_client == "sockets":
            return _run_stream(job, Path(folder))
        return _run_wrk(job, Path(folder))


def _run_wrk(job: Job, folder: Path) -> ClientResult:
    out = folder / "out.json"
    prebuild = len(job.body) >= WRK_PREBUILD_MIN_BODY_BYTES
    kept = job.targets[: max(1, WRK_PREBUILD_LIMIT_BYTES // len(job.body))] if prebuild else job.targets
    (folder / "targets").write_text("\n".join(kept) + "\n")
    options = {
        "method": job.method,
        "host": f"{job.host}:{job.port}",
        "targets": str(folder / "targets"),
        "threads": "1",  # two cores, one of them at least the server's: 64 connections over one thread
        "once": _yes(job.once),
        "prebuild": _yes(prebuild),
        "out": str(out),
    }
    if job.body:
        (folder / "body").write_bytes(job.body)
        options["body"] = str(folder / "body")
    command = [require_wrk(), "-t", "1", "-c", str(job.clients), "-d", f"{max(1, math.ceil(job.window_s))}s"]
    command += [
        "--timeout",
        f"{WRK_TIMEOUT_S}s",
        "-s",
        str(Path(__file__).with_name("wrk.lua")),
        f"http://{job.host}:{job.port}",
        "--",
    ]
    command += [f"{name}={value}" for name, value in options.items()]
    cpu_s, said = run_process(command, b"", job.window_s)
    if not out.exists():
        raise ClientError(f"wrk left no result: {said[-500:]}")
    return result_of("wrk", out.read_text(), job, cpu_s)


def _run_stream(job: Job, folder: Path) -> ClientResult:
    (folder / "body").write_bytes(job.body)
    order = {
        "method": job.method,
        "host": job.host,
        "port": job.port,
        "targets": list(job.targets),
        "clients": job.clients,
        "window_s": job.window_s,
        "body": str(folder / "body"),
    }
    cpu_s, said = run_process([sys.executable, "-m", "tests.bench.stream"], json.dumps(order).encode(), job.window_s)
    return result_of("sockets", said, job, cpu_s)


def run_process(command: Sequence[str], given: bytes, window_s: float) -> tuple[float, str]:
    """Returns the client's CPU seconds and its standard output. Raises ClientError."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    root = str(Path(__file__).parents[2])
    try:
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            timeout=window_s + GRACE_S,
            check=False,
            cwd=root,
            env={**os.environ, "PYTHONPATH": root},
        )
    except subprocess.TimeoutExpired as error:
        raise ClientError(f"{command[0]} did not end {GRACE_S:.0f} s after its window") from error
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise ClientError(f"{command[0]} ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace')[-500:]}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu_s, done.stdout.decode()


def result_of(program: str, text: str, job: Job, cpu_s: float) -> ClientResult:
    """The figures in a client's JSON line. An answer set smaller than requested (a redirect, a short body) is an
    error of the kind "short"."""
    try:
        seen = json.loads(text)
        errors = {kind: count for kind, count in seen["errors"].items() if count}
        if seen["requests"] and seen["bytes_read"] < seen["requests"] * job.answer_size_bytes:
            errors["short"] = 1
        if not seen["requests"]:
            errors["no answers"] = 1
        return ClientResult(
            program=program,
            requests=seen["requests"],
            seconds=seen["seconds"],
            bytes_read=seen["bytes_read"],
            p50_ms=seen["p50_ms"],
            p99_ms=seen["p99_ms"],
            max_ms=seen["max_ms"],
            overran=seen["overran"],
            client_cpu_s=cpu_s,
            errors=errors,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ClientError(f"{program} wrote no usable result ({error}): {text[:300]}") from error


def _yes(value: bool) -> str:
    return "yes" if value else "no"
