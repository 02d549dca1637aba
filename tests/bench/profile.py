"""Where the CPU goes: cProfile of one HTTP worker and of the committer under a window of small requests.

    python -m tests.bench.profile run --operation put --size 4096 --clients 64

The server comes up as for the benchmark; then its supervisor is replaced by a committer and one HTTP worker, each
under cProfile and each in a process of its own, so that the figures are of the real protocol, sockets and drives.
cProfile slows Python down and C code not: read shares and calls, not rates. The .prof files stay in build/bench for
any viewer.
"""

from __future__ import annotations

import cProfile
import dataclasses
import os
import pstats
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.bench.baseline import free_port
from tests.bench.client import Job, measure
from tests.bench.loader import Request
from tests.bench.loader import run as send
from tests.bench.presign import Presigner
from tests.bench.target import ROOT, Target, ready_durability, start_server
from tests.bench.windows import spread_names

OUT = ROOT / "build" / "bench"
START_LIMIT_S = 20.0
STOP_LIMIT_S = 20.0
SORT_KEYS = ("tottime", "cumulative")

app = typer.Typer(add_completion=False)


@app.command("run")
def run(
    *,
    operation: Annotated[str, typer.Option(help="put, get, head, delete or list")] = "put",
    size: Annotated[int, typer.Option(help="bytes of a body")] = 4096,
    clients: Annotated[int, typer.Option()] = 64,
    seconds: Annotated[int, typer.Option(min=1)] = 5,
    rows: Annotated[int, typer.Option(help="functions to print")] = 40,
    sort: Annotated[str, typer.Option(help="tottime or cumulative")] = "tottime",
) -> None:
    """Profile one operation against a server of its own."""
    if sort not in SORT_KEYS:
        raise typer.BadParameter(f"--sort is one of {', '.join(SORT_KEYS)}")
    console = Console(width=200)
    OUT.mkdir(parents=True, exist_ok=True)
    with start_server(workers=1) as target, _profiled(target) as (profiled, profiles):
        job = _job(profiled, operation.upper(), size, clients, float(seconds))
        seen = measure(job)
        errors = seen.errors or "none"
        console.print(f"{operation}: {seen.requests / seen.seconds:,.0f} a second under cProfile, errors: {errors}")
    for profile in profiles:
        console.rule(profile.stem)
        pstats.Stats(str(profile)).sort_stats(sort).print_stats(rows)


def _job(target: Target, method: str, size_bytes: int, clients: int, window_s: float) -> Job:
    """Objects that the operation needs are written first: they are in the profile too, few beside the window's."""
    presigner = Presigner(target.credentials, f"{target.host}:{target.port}")
    body = os.urandom(size_bytes)
    setup = [Request("PUT", presigner.target("PUT", "/profile"))]
    paths = [f"/profile/{name}" for name in spread_names(50_000 if method in ("PUT", "DELETE") else 500, "p")]
    if method in ("GET", "HEAD", "LIST"):
        setup += [
            Request("PUT", target_, body if method != "HEAD" else b"") for target_ in presigner.targets("PUT", paths)
        ]
    outcome = send(target.host, target.port, setup, clients=1)
    if outcome.failed:
        raise SystemExit(f"setting up: {outcome.examples}")
    job = Job(method, target.host, target.port, presigner.targets(method, paths), clients, window_s)
    if method == "LIST":
        page = presigner.target("GET", "/profile", {"list-type": "2"})
        return dataclasses.replace(job, method="GET", targets=[page])
    return dataclasses.replace(job, body=body if method == "PUT" else b"")


@contextmanager
def _profiled(target: Target) -> Iterator[tuple[Target, list[Path]]]:
    """Committer and worker under cProfile instead of the supervisor's; their profiles are complete when this ends."""
    assert target.pid is not None and target.server_toml is not None
    os.kill(target.pid, signal.SIGTERM)
    port = free_port()
    profiles = [OUT / "committer.prof", OUT / "http.prof"]
    config = ["--config", str(target.server_toml)]
    python = [sys.executable, "-m"]
    committer = [*python, "cProfile", "-o", str(profiles[0]), "-m", "kakera.cli.process", "committer", *config]
    worker = [*python, "tests.bench.profile", "worker", *config, "--port", str(port), "--out", str(profiles[1])]
    started: list[subprocess.Popen[bytes]] = []
    try:
        _wait_until_gone(target)
        for command in (committer, worker):
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "server"), str(ROOT)])}
            with (OUT / "profile.log").open("ab") as log_file:
                started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log_file, stderr=log_file))
        profiled = dataclasses.replace(target, port=port)
        _wait_until_ready(profiled, started)
        yield profiled, profiles
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_gone(target: Target) -> None:
    ends_at = time.monotonic() + STOP_LIMIT_S
    while time.monotonic() < ends_at:
        try:
            if os.waitpid(target.pid or 0, os.WNOHANG)[0]:
                return
        except ChildProcessError:
            return
        time.sleep(0.05)
    raise SystemExit("the server did not stop")


def _wait_until_ready(target: Target, processes: list[subprocess.Popen[bytes]]) -> None:
    ends_at = time.monotonic() + START_LIMIT_S
    while time.monotonic() < ends_at:
        if any(process.poll() is not None for process in processes):
            raise SystemExit("a profiled process ended at once: see build/bench/profile.log")
        if ready_durability(target.host, target.port, default="") != "":
            return
        time.sleep(0.1)
    raise SystemExit("the profiled server is not ready")


@app.command("worker")
def worker(
    *,
    config: Annotated[Path, typer.Option()],
    port: Annotated[int, typer.Option()],
    out: Annotated[Path, typer.Option()],
) -> None:
    """One HTTP worker under cProfile, with the protocol and the loop that Gunicorn's worker uses. Used by `run`."""
    import uvicorn

    from kakera.assemble import HttpServices, Paths
    from kakera.config import load
    from kakera.edge.app import create_app
    from kakera.edge.worker import EdgeWorker
    from kakera.observe import log, metrics

    settings = load(config)
    log.configure(settings.log.level, "http")
    metrics.prepare(Paths.of(settings).metrics)
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises it again once stopped, before the profile is kept
    kwargs = {**EdgeWorker.CONFIG_KWARGS, "timeout_graceful_shutdown": 2}
    server = uvicorn.Server(
        uvicorn.Config(create_app(HttpServices(settings)), port=port, log_level="warning", **kwargs)
    )
    profiler = cProfile.Profile()
    profiler.runcall(server.run)
    profiler.dump_stats(out)


if __name__ == "__main__":
    app()
