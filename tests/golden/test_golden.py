"""Blueprint → Plan → server.toml, against folders that were read by a person when they were frozen.

After a change that is meant: `KAKERA_GOLDEN=write python -m pytest tests/golden`, then read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.blueprint import plan as plans
from infra.blueprint.expand import expand
from infra.blueprint.load import load
from infra.render import server_toml
from infra.render.server import toml
from kakera.config import load as load_config

HERE = Path(__file__).parent
BLUEPRINTS = HERE.parents[1] / "blueprints"
DATA = "/srv/kakera"


def names() -> list[str]:
    return sorted(path.stem for path in BLUEPRINTS.glob("*.yaml"))


def compare(path: Path, text: str) -> None:
    if os.environ.get("KAKERA_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text


@pytest.mark.parametrize("name", names())
def test_blueprint_to_plan_to_settings(name: str) -> None:
    blueprint = load(BLUEPRINTS / f"{name}.yaml")
    assert blueprint.blueprint == name, "a blueprint is named as its file is"
    plan = expand(blueprint)
    compare(HERE / name / "plan.json", plans.dump(plan))
    for host in plan.hosts:
        compare(HERE / name / f"{host.name}.server.toml", server_toml(plan, host_name=host.name, data_root=DATA))


@pytest.mark.parametrize("name", names())
def test_the_store_reads_what_is_rendered(name: str, tmp_path: Path) -> None:
    """The contract from both its sides: every planned fact arrives in the store's own settings."""
    plan = expand(load(BLUEPRINTS / f"{name}.yaml"))
    for host in plan.hosts:
        path = tmp_path / f"{host.name}.toml"
        path.write_text(server_toml(plan, host_name=host.name, data_root=DATA))
        config = load_config(path)
        assert (config.server.host, config.server.port) == (host.address, host.port)
        assert (config.server.name, config.server.workers) == (host.name, host.workers)
        assert (config.server.region, config.server.base_domains) == (plan.region, plan.base_domains)
        assert config.server.state_dir == f"{DATA}/{host.state_path}"
        assert (config.profile.k, config.profile.m) == (plan.profile.k, plan.profile.m)
        assert config.profile.chunk_bytes == plan.profile.chunk_bytes
        drives = [(drive.path, drive.domain) for drive in config.drives]
        assert drives == [(f"{DATA}/{drive.path}", drive.domain) for drive in host.drives]
        accounts = [(account.name, account.credentials_file) for account in config.accounts]
        assert accounts == [(account.name, f"{DATA}/{account.credentials_path}") for account in plan.accounts]


def test_no_frozen_folder_without_a_blueprint() -> None:
    assert sorted(path.name for path in HERE.iterdir() if path.is_dir() and path.name != "__pycache__") == names()


@pytest.mark.parametrize("data_root", ['/a"b', "/a\\b", "/a\nb\tc", "/a\x7fb", "/欠片/🗿", "/a'b#=[x]"])
def test_hostile_paths_arrive_unharmed(data_root: str, tmp_path: Path) -> None:
    plan = expand(load(BLUEPRINTS / "laptop.yaml"))
    path = tmp_path / "server.toml"
    path.write_text(server_toml(plan, host_name="laptop", data_root=data_root))
    assert load_config(path).drives[0].path == f"{data_root}/drive-1"


def test_refusals() -> None:
    plan = expand(load(BLUEPRINTS / "laptop.yaml"))
    with pytest.raises(KeyError):
        server_toml(plan, host_name="other", data_root=DATA)
    with pytest.raises(ValueError, match="not absolute"):
        server_toml(plan, host_name="laptop", data_root="data")
    with pytest.raises(TypeError):
        toml(1.5)
