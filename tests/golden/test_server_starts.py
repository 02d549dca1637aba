"""The real server, started with what is rendered for each kind of host of every blueprint: paths below a folder of the
test, ports that are free. It is ready where it has all its drives, and says why not where they are elsewhere."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config as ClientConfig

from infra.blueprint.plan import Plan, PlannedHost
from infra.render import gateway_toml, server_toml
from infra.render.gateways import STOP_RESERVE_S
from infra.render.units import STOP_MARGIN_S
from kakera.cli.supervise import STOP_S
from kakera.config import load as load_config
from tests.golden.blueprints import names, planned
from tests.wire import certificate

ROOT = Path(__file__).parents[2]
KAKERA = (sys.executable, "-m", "kakera.cli.main")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "server")}
CREDENTIALS = {"account_id": "a", "display_name": "a", "secret_access_key": "SECRETSECRET"}


def kinds(name: str) -> list[str]:
    """Of hosts that differ in their names and addresses alone, the first."""
    found: dict[tuple[object, ...], str] = {}
    for host in planned(name).hosts:
        found.setdefault((host.role, host.region, host.read_only), host.name)
    return sorted(found.values())


def cases() -> list[tuple[str, str]]:
    return [(name, host) for name in names() for host in kinds(name)]


def here(plan: Plan, folder: Path, ports: list[int]) -> Plan:
    """The Plan with every host on this machine; each host has a folder of its own, with a short name: a socket's path
    has 107 bytes."""
    roots = {host.name: str(folder / str(number)) for number, host in enumerate(plan.hosts)}

    def moved(host: PlannedHost) -> PlannedHost:
        health = ports[1] if host.health_port is not None else None
        root = roots[host.name]
        changes = {"address": "127.0.0.1", "port": ports[0], "health_port": health, "data_root": root, "workers": 1}
        return host.model_copy(update=changes)

    return plan.model_copy(update={"hosts": tuple(map(moved, plan.hosts))})


@contextmanager
def free_ports(count: int) -> Iterator[list[int]]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        found = [one.getsockname()[1] for one in sockets]
    yield found


def prepare(plan: Plan, host: PlannedHost, folder: Path) -> Path:
    """What Ansible does on a host: the file, the secrets it names, folders in the place of drives."""
    root = Path(str(host.data_root))
    (root / "secrets").mkdir(parents=True)
    for number, account in enumerate(plan.accounts):
        path = root / account.credentials_path
        path.write_text(json.dumps({**CREDENTIALS, "access_key_id": f"AK{number}"}))
        path.chmod(0o600)
    if host.tls:
        certificate.make(root / "secrets")
    config = folder / "server.toml"
    config.write_text(server_toml(plan, host_name=host.name))
    return config


def first_object(host: PlannedHost, region: str) -> None:
    """What clients do, with an SDK that trusts the host's certificate alone."""
    root = Path(str(host.data_root))
    client = boto3.client(
        "s3",
        endpoint_url=f"{'https' if host.tls else 'http'}://127.0.0.1:{host.port}",
        aws_access_key_id="AK0",
        aws_secret_access_key=CREDENTIALS["secret_access_key"],
        region_name=region,
        verify=str(root / "secrets" / "tls.crt") if host.tls else None,
        config=ClientConfig(retries={"max_attempts": 1}, s3={"addressing_style": "path"}, proxies={}),
    )
    client.create_bucket(Bucket="first")
    body = os.urandom(300_000)
    client.put_object(Bucket="first", Key="object", Body=body)
    assert client.get_object(Bucket="first", Key="object")["Body"].read() == body


def ask(port: int, path: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON; 0 while nobody answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")
    except (OSError, ValueError):
        return 0, {}


@pytest.mark.parametrize(("name", "host_name"), cases(), ids=lambda value: str(value))
def test_the_server_starts_with_what_is_rendered(name: str, host_name: str, tmp_path: Path) -> None:
    with free_ports(2) as ports:
        plan = here(planned(name), tmp_path, ports)
    host = plan.host(host_name)
    config = prepare(plan, host, tmp_path)
    holders = [other for other in plan.hosts if other.store == host.store and other.drives]
    whole = holders == [host]
    formatted = subprocess.run(
        (*KAKERA, "admin", "format", "--config", config), env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )
    assert (formatted.returncode == 0) == whole, formatted.stderr
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen((*KAKERA, "serve", "--config", config), env=ENVIRONMENT, stdout=log, stderr=log)
    port = ports[1] if host.health_port is not None else ports[0]
    try:
        wanted, found = (200, "ready") if whole else (503, "unavailable"), (0, "")
        until = time.monotonic() + 30
        while found != wanted and time.monotonic() < until:
            assert server.poll() is None, (tmp_path / "log").read_text()
            status, said = ask(port, "/health/ready")
            found = (status, str(said.get("status", "")))
            time.sleep(0.1)
        assert found == wanted, (tmp_path / "log").read_text()[-3000:]
        assert ask(port, "/health/live")[0] == 200
        if whole:
            first_object(host, plan.region)
        else:
            total = sum(len(other.drives) for other in holders)
            away = total - len(host.drives)
            reason = f"{away} of {total} drives belong to other hosts, which this version cannot reach"
            assert said["reason"] == reason
            assert reason in (tmp_path / "log").read_text()
            assert not any(Path(str(host.data_root)).glob("drive-*")), "nothing of a store is begun with a part of it"
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            assert server.wait(40) == 0
        finally:
            server.kill()


def test_a_unit_waits_as_long_as_its_server_may_take() -> None:
    children_s = sum(STOP_S.values())
    assert children_s < STOP_MARGIN_S
    assert children_s <= STOP_RESERVE_S


def test_gateways_of_a_group_load(tmp_path: Path) -> None:
    found = 0
    for name in names():
        plan = planned(name)
        for region in plan.regions:
            if region.compute is not None and region.compute.scaling is not None:
                path = tmp_path / "server.toml"
                path.write_text(gateway_toml(plan, region.name))
                config = load_config(path)
                assert not any(config.is_own(drive) for drive in config.drives)
                assert config.http.graceful_timeout_s + STOP_RESERVE_S <= region.compute.scaling.drain_s
                found += 1
    assert found, "no blueprint has a group: this test tests nothing"
