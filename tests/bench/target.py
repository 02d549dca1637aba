"""The server that is measured: the repository's own, started for the run, or any S3 server named by ENDPOINT."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from infra.blueprint.expand import expand, override
from infra.blueprint.load import BlueprintError, load
from infra.blueprint.plan import Plan
from infra.local import up as local
from infra.local.hello import HelloError
from infra.local.places import Places
from infra.local.report import Reporter
from tests.bench.baseline import free_port
from tests.bench.presign import Credentials

ROOT = Path(__file__).parents[2]
BLUEPRINT = ROOT / "blueprints" / "laptop.yaml"
LOG_TAIL_CHARS = 2_000
READY_TIMEOUT_S = 10.0
UNKNOWN_DURABILITY = "not stated by the server"


class TargetError(Exception):
    """There is no server to measure, and why."""


@dataclass(frozen=True)
class Target:
    """`pid` and `drives` are known only for a server on this machine; without them CPU, memory and space are left
    out."""

    name: str
    host: str
    port: int
    credentials: Credentials
    durability: str = UNKNOWN_DURABILITY
    pid: int | None = None
    drives: tuple[Path, ...] = ()
    k: int = 4
    m: int = 2
    server_toml: Path | None = None


def existing(endpoint: str, *, durability: str | None, pid: int | None, drives: tuple[Path, ...]) -> Target:
    """A server that runs already; credentials from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION. Raises
    TargetError."""
    parts = urlsplit(endpoint if "//" in endpoint else f"http://{endpoint}")
    if parts.scheme != "http" or not parts.hostname:
        raise TargetError(
            f"ENDPOINT must look like http://host:port, not {endpoint!r}: the client speaks plain HTTP only"
        )
    host, port = parts.hostname, parts.port or 80
    return Target(
        name=f"{parts.hostname}:{port}",
        host=host,
        port=port,
        credentials=credentials_from(dict(os.environ)),
        durability=durability or ready_durability(host, port),
        pid=pid,
        drives=drives,
    )


def credentials_from(environment: dict[str, str]) -> Credentials:
    """Raises TargetError when a key is missing."""
    access_key, secret_key = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key:
        raise TargetError("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for the server at ENDPOINT")
    return Credentials(access_key, secret_key, environment.get("AWS_REGION") or "us-east-1")


def ready_durability(host: str, port: int, default: str = UNKNOWN_DURABILITY) -> str:
    """The field `durability` of GET /health/ready, if the server has such a page."""
    with suppress(OSError, ValueError, AttributeError, urllib.error.URLError):
        with urllib.request.urlopen(f"http://{host}:{port}/health/ready", timeout=READY_TIMEOUT_S) as answer:
            said = json.loads(answer.read(65_536)).get("durability")
        if isinstance(said, str) and said:
            return said
    return default


@contextmanager
def start_server(workers: int, durability: str | None = None) -> Iterator[Target]:
    """The laptop blueprint on a fresh folder of this repository's disk, brought up as `make up` does; gone afterwards.

    Raises TargetError.
    """
    parent = ROOT / "build" / "bench"
    parent.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="server-", dir=parent))
    places = Places(build=home / "build", data=home / "data")
    reporter = Reporter(Console(quiet=True))
    try:
        plan = expand(override(load(BLUEPRINT), port=free_port(), workers=workers))
        running = local.up(plan, places, kakera=_kakera(), reporter=reporter)
        yield _target(plan, running, places, durability)
    except (BlueprintError, local.UpError, HelloError, OSError) as error:
        raise TargetError(f"the server did not come up: {error}\n{_tail(places.log)}") from error
    finally:
        local.down(places, reporter=reporter)
        shutil.rmtree(home, ignore_errors=True)


def _target(plan: Plan, running: local.Running, places: Places, durability: str | None) -> Target:
    parts = urlsplit(running.endpoint)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    account = next(iter(running.accounts.values()))
    return Target(
        name=f"kakera, {plan.profile.k}+{plan.profile.m}, {plan.hosts[0].workers} workers",
        host=host,
        port=port,
        credentials=Credentials(account.access_key_id, account.secret_access_key, running.region),
        durability=durability or ready_durability(host, port),
        pid=int(places.pid.read_text()),
        drives=tuple(places.data / drive.path for drive in plan.hosts[0].drives),
        k=plan.profile.k,
        m=plan.profile.m,
        server_toml=places.server_toml,
    )


def _kakera() -> tuple[str, ...]:
    """The installed console script, or the module when the package is only on the path."""
    script = Path(sys.executable).parent / "kakera"
    if script.exists():
        return (str(script),)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "server"), str(ROOT)])
    return (sys.executable, "-m", "kakera.cli.main")


def _tail(log: Path) -> str:
    try:
        return log.read_text(errors="replace")[-LOG_TAIL_CHARS:]
    except OSError:
        return ""
