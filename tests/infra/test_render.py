"""Rendered files as their readers take them: cloud-init and the inventory as YAML, units as systemd, and no secret."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from infra import naming
from infra.blueprint.outputs import Outputs
from infra.blueprint.plan import Plan
from infra.render import (
    KNOWN_AFTER_UP,
    cloud_init,
    cloud_init_gateway,
    endpoints,
    everything,
    gateway_settings,
    inventory,
    server_toml,
    units,
)
from infra.render.cloudinit import MAX_BYTES
from infra.render.units import mount_unit
from tests.golden.blueprints import names, planned
from tests.infra.cloud_blueprints import HANGZHOU, ROOM, cloud_plan

VPN_GUIDE = "onprem/path.md"
WANTED_BYTES = 16 * 1024
CLOUD_BYTES = 24 * 1024  # 32 KiB of base64


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def machines() -> list[tuple[str, str]]:
    return [(name, host.name) for name in names() for host in planned(name).hosts if host.machine is not None]


def groups() -> list[tuple[str, str]]:
    regions = [(name, region) for name in names() for region in planned(name).regions]
    return [(name, region.name) for name, region in regions if region.compute and region.compute.scaling]


# --- cloud-init ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "host_name"), machines())
def test_cloud_init_of_a_host(name: str, host_name: str) -> None:
    plan = planned(name)
    host = plan.host(host_name)
    text = cloud_init(plan, host)
    assert text == cloud_init(Plan.model_validate_json(plan.model_dump_json()), host), "the same Plan, the same bytes"
    assert text.startswith("#cloud-config\n") and len(text.encode()) < WANTED_BYTES
    found = read(text)
    assert found["hostname"] == host_name
    assert found["disable_root"] is True and found["ssh_pwauth"] is False
    users = {user["name"]: user for user in found["users"]}
    assert users.keys() == {naming.ADMIN_USER, naming.SERVER_USER}, "no default user of the image"
    assert all(user["lock_passwd"] for user in users.values())
    assert not {"passwd", "hashed_passwd", "plain_text_passwd"} & {key for user in users.values() for key in user}
    assert "sudo" not in users[naming.SERVER_USER]
    assert not {"disk_setup", "fs_setup", "mounts"} & found.keys(), "Ansible formats"
    files = {file["path"]: file["content"] for file in found["write_files"]}
    assert "PermitRootLogin no\n" in files["/etc/ssh/sshd_config.d/10-kakera.conf"]
    others = [other for other in plan.hosts if other.store == host.store]
    assert files["/etc/hosts"].splitlines() == [f"{other.address} {other.name}" for other in others]


def test_a_machine_room_has_no_cloud_init() -> None:
    plan = planned("laptop")
    with pytest.raises(ValueError, match="no machine of the cloud"):
        cloud_init(plan, plan.hosts[0])


def test_user_data_that_the_cloud_would_cut_is_refused() -> None:
    plan = planned("single-ecs")
    host = plan.hosts[0]
    many = tuple(host.model_copy(update={"name": f"{host.name}-{number}"}) for number in range(500))
    with pytest.raises(ValueError, match="the cloud would cut it"):
        cloud_init(plan.model_copy(update={"hosts": many}), many[0])
    assert MAX_BYTES < CLOUD_BYTES


@pytest.mark.parametrize(("name", "region"), groups())
def test_cloud_init_of_a_group(name: str, region: str) -> None:
    text = cloud_init_gateway(planned(name), region)
    assert len(text.encode()) < WANTED_BYTES
    found = read(text)
    assert "hostname" not in found, "hosts of a group are told apart by the cloud"
    files = {file["path"]: file["content"] for file in found["write_files"]}
    program = files["/usr/local/lib/kakera/gateway.py"]
    compile(program, "gateway.py", "exec")
    settings = json.loads(files["/etc/kakera/gateway.json"])
    scaling = next(r.compute.scaling for r in planned(name).regions if r.name == region and r.compute)
    assert scaling is not None
    assert settings["wheel_sha256"] == scaling.wheel_sha256 and settings["bucket"] == scaling.bucket
    placed = {Path(path).name for path in files if path.endswith(".service")}
    assert placed == {naming.UNIT, "kakera-install.service", "kakera-leave.service"}
    assert found["runcmd"][-1] == ["systemctl", "enable", "--now", "--no-block", "kakera-install.service"]


@pytest.mark.parametrize(("name", "region"), groups())
def test_the_settings_of_a_group(name: str, region: str) -> None:
    plan = planned(name)
    wanted = {account.credentials_path: "{}" for account in plan.accounts}
    if any(host.tls for host in plan.hosts if host.region == region):
        wanted |= {naming.CERTIFICATE_FILE: "C", naming.KEY_FILE: "K"}
    found = json.loads(gateway_settings(plan, region, wanted))
    assert found.keys() == {"server.toml", *wanted}
    assert json.loads(gateway_settings(plan, region, {**wanted, "requirements.lock": "x"}))["requirements.lock"] == "x"
    for path in wanted:
        with pytest.raises(ValueError, match=f"{path} missing"):
            gateway_settings(plan, region, {other: text for other, text in wanted.items() if other != path})
    with pytest.raises(ValueError, match="does not belong"):
        gateway_settings(plan, region, {**wanted, "../x": ""})
    with pytest.raises(KeyError):
        gateway_settings(plan, "no-region", wanted)


# --- units -----------------------------------------------------------------------------------------------------------


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("name", names())
def test_systemd_takes_the_units(name: str, tmp_path: Path) -> None:
    plan = planned(name)
    host = plan.hosts[0]
    paths = []
    for path, text in units(plan, host, data_root=naming.DATA_ROOT).items():
        paths.append(tmp_path / Path(path).name)
        paths[-1].write_text(text.replace(f"{naming.PROGRAM_ROOT}/bin/kakera", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True, timeout=60, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "kakera" in line]
    assert done.returncode == 0 and not ours, done.stderr


@pytest.mark.needs("systemd-escape")
@pytest.mark.parametrize("path", ["/srv/kakera/drive-1", "/.hidden/a.b", "/a b/é", "/x//y/", "/a_b:c"])
def test_names_of_mounts_are_those_of_systemd(path: str) -> None:
    done = subprocess.run(["systemd-escape", "--path", "--suffix=mount", path], capture_output=True, text=True)
    assert mount_unit(path) == done.stdout.strip()


def test_a_port_below_1024_needs_and_gets_one_capability() -> None:
    plan = planned("laptop")
    host = plan.hosts[0]
    service = f"/etc/systemd/system/{naming.UNIT}"
    assert "\nCapabilityBoundingSet=\n" in units(plan, host, data_root="/d")[service]
    low = units(plan, host.model_copy(update={"port": 443}), data_root="/d")[service]
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in low


def test_labels_fit_into_a_superblock() -> None:
    assert all(len(naming.drive_label(number)) <= 12 for number in range(1, 1000))


# --- inventory and endpoints -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names())
def test_the_inventory_before_up(name: str) -> None:
    plan = planned(name)
    found = read(inventory(plan, {}))["all"]
    assert list(found["hosts"]) == [host.name for host in plan.hosts]
    for group, members in found["children"].items():
        assert members["hosts"].keys() <= found["hosts"].keys(), group
        assert group.isidentifier()
    for host in plan.hosts:
        variables = found["hosts"][host.name]
        assert variables["ansible_host"] == host.address
        assert host.name in found["children"]["gateways" if host.role == "gateway" else "storage"]["hosts"]
        assert ("onprem" in found["children"] and host.name in found["children"]["onprem"]["hosts"]) == (
            host.machine is None
        )
        assert [drive["number"] for drive in variables["kakera_drives"]] == [drive.number for drive in host.drives]
        devices = {drive["device"] for drive in variables["kakera_drives"]}
        assert devices <= ({KNOWN_AFTER_UP} if host.machine else {None})


def test_the_inventory_after_up() -> None:
    plan = planned("single-ecs")
    host = plan.hosts[0]
    known = Outputs(
        host_ids={host.name: "i-1"},
        disk_ids={drive.name: f"d-bp{drive.number}" for drive in host.drives},
        bucket_endpoints={bucket.name: "https://b" for bucket in plan.regions[0].buckets},
        balancer_address="lb.example.com",
    )
    text = inventory(plan, {host.region: known})
    assert KNOWN_AFTER_UP not in text
    variables = read(text)["all"]["hosts"][host.name]
    assert variables["kakera_instance_id"] == "i-1"
    assert variables["kakera_drives"][1]["device"] == "/dev/disk/by-id/virtio-bp2"
    assert KNOWN_AFTER_UP not in endpoints(plan, {host.region: known})


def test_drives_of_an_instance_are_known_by_their_labels_alone() -> None:
    """No disk of the cloud has an id to tell; what is mounted where is said as ever."""
    plan = cloud_plan(survive="host", storage={"instance_type": "ecs.d3s.2xlarge"})
    hosts = read(inventory(plan, {}))["all"]["hosts"]
    for host in plan.hosts:
        variables = hosts[host.name]
        assert variables["kakera_own_drives"] is (host.role == "storage")
        assert [(drive["device"], drive["label"]) for drive in variables["kakera_drives"]] == [
            (None, naming.drive_label(drive.number)) for drive in host.drives
        ]
        paths = [drive["path"] for drive in variables["kakera_drives"]]
        settings = tomllib.loads(server_toml(plan, host_name=host.name))
        assert [drive["path"] for drive in settings["drives"] if drive["host"] == host.name] == paths


# --- all together ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names())
def test_everything_is_sorted_relative_and_the_same_each_time(name: str) -> None:
    files = everything(planned(name), {})
    assert list(files) == sorted(files)
    assert not any(path.startswith("/") or ".." in path for path in files)
    assert files == everything(planned(name), {})
    json.loads(files["endpoints.json"])


@pytest.mark.parametrize("name", names())
def test_no_output_that_a_template_does_not_name_is_rendered(name: str) -> None:
    """A secret that strayed into what a stack tells goes no further: of outputs only ids, addresses and names are."""
    plan = planned(name)
    marker = "S3CRET-MARKER"
    stray = Outputs(
        vpc_id=marker, key_id=marker, security_group_ids={"x": marker}, switch_ids={"x": marker},
        database_address=marker, nat_address=marker, vpn_address=marker, host_ids={"x": marker},
    )  # fmt: skip
    files = everything(plan, {region.name: stray for region in plan.regions} | {"global": stray})
    named = [path for path, text in files.items() if marker in text]
    assert named == ([VPN_GUIDE] if name == "hybrid" else []), "where the room's device finds the tunnels, alone"


@pytest.mark.parametrize("name", names())
def test_secrets_are_named_and_never_held(name: str) -> None:
    """No file but the Plan, and the guide to where a key is kept, so much as names a planned secret; settings name
    files, below one folder."""
    plan = planned(name)
    files = everything(plan, {})
    for path, text in files.items():
        assert "PRIVATE KEY" not in text and "secret_access_key =" not in text, path
        if path not in ("plan.json", VPN_GUIDE):
            assert not [secret.name for secret in plan.secrets if secret.name in text], path


def test_the_machine_room_is_told_every_route_name_and_resolver() -> None:
    plan = planned("hybrid")
    region = plan.regions[0]
    assert region.oss_path and region.vpn
    known = Outputs(vpn_address="198.18.0.7", vpn_standby_address="198.18.0.8")
    text = everything(plan, {region.name: known})[VPN_GUIDE]
    lines = text.splitlines()
    for fact in (*region.oss_path.routes, *region.oss_path.names):
        assert f"- `{fact}`" in lines
    for fact in (*region.oss_path.resolvers, *region.vpn.local_cidrs, *region.vpn.remote_cidrs, "192.168.10.14"):
        assert fact in text
    assert "| master | 198.18.0.7 | secret `vpn-master-key` |" in lines
    assert "| slave | 198.18.0.8 | secret `vpn-slave-key` |" in lines
    assert KNOWN_AFTER_UP in everything(plan, {})[VPN_GUIDE]
    assert all(VPN_GUIDE not in everything(planned(name), {}) for name in names() if name != "hybrid")


def test_the_machine_room_with_a_domain_of_its_own_needs_no_route() -> None:
    room = {**ROOM, "path": "custom-domain", "domain": "cold.kakera.test", "certificate": "cert-1"}
    host = {"name": "one", "zone": "rack", "drives": 9, "address": "192.168.10.5"}
    backup, dns = {**HANGZHOU, "role": "backup"}, {"domain": "kakera.test"}
    text = everything(cloud_plan(regions=[backup], hosts=[host], onprem=room, survive="drive", dns=dns), {})[VPN_GUIDE]
    assert "as `cold.kakera.test`" in text and "certificate cert-1" in text and "192.168.10.5" in text
    assert "tunnel" not in text and KNOWN_AFTER_UP not in text


def test_a_replica_names_the_store_that_takes_changes() -> None:
    plan = planned("multi-region")
    for host in plan.hosts:
        text = everything(plan, {})[f"hosts/{host.name}/server.toml"]
        assert ('primary = "https://s3.example.com"' in text) == host.read_only
