"""Blueprint → Plan → rendered files, against folders that were read by a person when they were frozen.

After a change that is meant: `KAKERA_GOLDEN=write python -m pytest tests/golden`, then read the diff.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.blueprint import plan as plans
from infra.blueprint.load import load
from infra.blueprint.plan import Plan
from infra.render import everything, server_toml
from infra.render.template import toml
from kakera.config import load as load_config
from tests.golden.blueprints import BLUEPRINTS, names, planned

HERE = Path(__file__).parent
DATA = "/srv/kakera"
WRITES = os.environ.get("KAKERA_GOLDEN") == "write"


def chosen(plan: Plan, files: Mapping[str, str]) -> dict[str, str]:
    """What is frozen: of hosts that differ in their names alone the first, of its mounts the first."""
    first = {(host.role, host.region, host.read_only, host.machine is None): host for host in reversed(plan.hosts)}
    folders = {f"hosts/{host.name}/" for host in first.values()}
    kept = {}
    for path, text in files.items():
        of_host = path.startswith("hosts/")
        mount = path.endswith(".mount") and not path.endswith("-drive\\x2d1.mount")
        if not of_host or (any(path.startswith(folder) for folder in folders) and not mount):
            kept[path] = text
    return kept


@pytest.mark.parametrize("name", names())
def test_blueprint_to_plan_to_files(name: str) -> None:
    assert load(BLUEPRINTS / f"{name}.yaml").blueprint == name, "a blueprint is named as its file is"
    plan = planned(name)
    wanted = chosen(plan, everything(plan, {}))
    folder = HERE / name
    if WRITES:
        shutil.rmtree(folder, ignore_errors=True)
        for path, text in wanted.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    found = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert sorted(found) == sorted(wanted)
    for path, text in wanted.items():
        assert found[path] == text, path
    assert plans.parse(found["plan.json"]) == plan


@pytest.mark.parametrize("name", names())
def test_the_store_reads_what_is_rendered(name: str, tmp_path: Path) -> None:
    """The contract from both its sides: every planned fact arrives in the store's own settings."""
    plan = planned(name)
    for host in plan.hosts:
        root = host.data_root or DATA
        path = tmp_path / f"{host.name}.toml"
        path.write_text(server_toml(plan, host_name=host.name, data_root=DATA))
        config = load_config(path)
        server = config.server
        assert (server.host, server.port) == (host.address, host.port)
        assert (server.name, server.workers, server.read_only) == (host.name, host.workers, host.read_only)
        assert (server.region, server.base_domains) == (plan.region, plan.base_domains)
        assert server.state_dir == f"{root}/{host.state_path}"
        assert server.health_listen == (f"{host.address}:{host.health_port}" if host.health_port else "")
        assert (config.tls is not None) == host.tls
        http = config.http
        assert (http.graceful_timeout_s, http.keepalive_s, http.backlog) == tuple(host.http.model_dump().values())
        assert (config.profile.k, config.profile.m) == (plan.profile.k, plan.profile.m)
        assert config.profile.chunk_bytes == plan.profile.chunk_bytes
        own = [(drive.path, drive.domain) for drive in config.drives if config.is_own(drive)]
        assert own == [(f"{root}/{drive.path}", drive.domain) for drive in host.drives]
        holders = [other for other in plan.hosts if other.store == host.store]
        assert len(config.drives) == sum(len(other.drives) for other in holders)
        accounts = [(account.name, account.credentials_file) for account in config.accounts]
        assert accounts == [(account.name, f"{root}/{account.credentials_path}") for account in plan.accounts]


@pytest.mark.parametrize("name", names())
def test_all_hosts_of_a_store_name_the_same_drives_in_the_same_order(name: str, tmp_path: Path) -> None:
    plan = planned(name)
    seen: dict[str, set[tuple[tuple[str, str, str], ...]]] = {}
    for host in plan.hosts:
        path = tmp_path / "server.toml"
        path.write_text(server_toml(plan, host_name=host.name, data_root=DATA))
        drives = tuple((drive.host, drive.path, drive.domain) for drive in load_config(path).drives)
        seen.setdefault(host.store, set()).add(drives)
    assert all(len(lists) == 1 for lists in seen.values())


def test_no_frozen_folder_without_a_blueprint() -> None:
    assert sorted(path.name for path in HERE.iterdir() if path.is_dir() and path.name != "__pycache__") == names()


@pytest.mark.parametrize("data_root", ['/a"b', "/a\\b", "/a\nb\tc", "/a\x7fb", "/欠片/🗿", "/a'b#=[x]"])
def test_hostile_paths_arrive_unharmed(data_root: str, tmp_path: Path) -> None:
    path = tmp_path / "server.toml"
    path.write_text(server_toml(planned("laptop"), host_name="laptop", data_root=data_root))
    assert load_config(path).drives[0].path == f"{data_root}/drive-1"


def test_refusals() -> None:
    plan = planned("laptop")
    with pytest.raises(KeyError):
        server_toml(plan, host_name="other", data_root=DATA)
    with pytest.raises(ValueError, match="not absolute"):
        server_toml(plan, host_name="laptop", data_root="data")
    with pytest.raises(ValueError, match="not absolute"):
        server_toml(plan, host_name="laptop")
    with pytest.raises(TypeError):
        toml(1.5)
