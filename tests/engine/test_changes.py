"""What an edit does to an environment that runs: what is refused, what is left alone, that `up` does what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from infra.blueprint.edit import edited
from infra.cli.names import BLUEPRINTS, plan_of
from infra.engine.programs import EngineError
from infra.engine.project import stacks
from tests.engine.small import ENTRANCE, ONE
from tests.engine.world import World

REGION: Final = "cn-hangzhou"
HOST: Final = "acme-dev-cn-hangzhou-h-storage-1"
DISK: Final = "ecs/ecsDisk:EcsDisk"
HOSTS: Final = "ecs/instance:Instance"
ADOPTED_KEY: Final = "key-hzz65f1ba1a1a1a1a1a1a"


def quiet(step: str) -> None:
    """Nobody watches."""


@contextmanager
def _written(world: World, text: str) -> Iterator[None]:
    before = world.file.read_text()
    world.file.write_text(text)
    try:
        yield
    finally:
        world.file.write_text(before)


# --- one host, protected ---------------------------------------------------------------------------------------------
def test_what_up_refuses_leaves_alone_and_is_held_to(world: Callable[[str], World], tmp_path: Path) -> None:
    found = world(ONE)
    found.init("storage.drives_per_host=5")
    found.kakera("up", found.environment)
    before = found.things()
    _is_refused(found)
    assert found.things() == before, "what was refused was done"
    _is_said_and_not_done(found)
    _is_held_to_its_plan(found, tmp_path / "plan.json")


def _is_refused(world: World) -> None:
    """Everything in one run, though nothing is protected: a drive that goes, and all that would be replaced."""
    drives = {"storage.drives_per_host": 4}
    keys = {"keys": {"mode": "default-cmk", "existing": {REGION: ADOPTED_KEY}}}
    with _written(world, edited(world.file.read_text(), drives | keys)):
        log = len(world.acts())
        told = world.kakera("up", world.environment, code=2)
        assert told.count("would be replaced") == 4 and told.count("would be destroyed") == 1
        assert f"--release {HOST}-5 --confirm {HOST}-5" in told and "attachment would" not in told
        assert "would be destroyed" in world.kakera("preview", world.environment, code=2)
        assert len(world.acts()) == log


def _is_said_and_not_done(world: World) -> None:
    """Another type of a storage host: told at each run, until somebody changes it and `refresh` sees that."""
    wanted = "ecs.g7.4xlarge"
    with _written(world, edited(world.file.read_text(), {"storage.instance_type": wanted})):
        told = world.kakera("up", world.environment)
        assert "not done: instanceType" in told and wanted in told and HOST in told
        (host,) = world.of_type(HOSTS)
        assert host.inputs["instanceType"] != wanted
        world.cloud.drift(host.id, {"instanceType": wanted})
        world.kakera("refresh", world.environment)
        assert "not done" not in world.kakera("up", world.environment)
        (host,) = world.of_type(HOSTS)
        assert host.state["instanceType"] == wanted


def _is_held_to_its_plan(world: World, plan: Path) -> None:
    """An edit that comes after the judgement is not done."""
    stack = world.stack(REGION)
    stack.preview(quiet, plan=plan)
    before = world.things()
    with (
        _written(world, edited(world.file.read_text(), {"storage.drive_gib": 300})),
        pytest.raises(EngineError, match="plan"),
    ):
        stack.up(quiet, plan=plan)
    assert world.things() == before


def test_drives_outlive_their_host_and_are_let_go_by_name(world: Callable[[str], World]) -> None:
    found = world(ONE)
    found.init("protect=true", "storage.drives_per_host=4")
    found.kakera("up", found.environment)
    drives = {disk.id for disk in found.of_type(DISK)}
    told = found.kakera("destroy", found.environment, "--yes")
    assert "left: 4" in told and told.count("UNKNOWN") >= 6 and "acme-dev-cn-hangzhou-snapshots" in told
    assert set(found.things()) == drives
    found.kakera("up", found.environment)
    attached = {one.inputs["diskId"] for one in found.of_type("ecs/ecsDiskAttachment:EcsDiskAttachment")}
    assert attached == drives == {disk.id for disk in found.of_type(DISK)}
    _letting_go_takes_a_name_and_its_repetition(found)
    _a_host_is_let_go_and_its_drives_stay(found, drives)
    _release(found, f"{HOST}-2")
    assert len(found.of_type(DISK)) == 3 and len(found.of_type(HOSTS)) == 0


def _letting_go_takes_a_name_and_its_repetition(world: World) -> None:
    log = len(world.acts())
    told = world.kakera("destroy", world.environment, "--release", "nothing", code=2)
    assert all(name in told for name in (HOST, f"{HOST}-1", f"{HOST}-2", f"{HOST}-3"))
    world.kakera("destroy", world.environment, "--release", f"{HOST}-1", code=2)
    world.kakera("destroy", world.environment, "--release", f"{HOST}-1", "--confirm", f"{HOST}-2", code=2)
    world.kakera("destroy", world.environment, "--confirm", f"{HOST}-2", code=2)
    assert len(world.acts()) == log


def _a_host_is_let_go_and_its_drives_stay(world: World, drives: set[str]) -> None:
    (host,) = world.of_type(HOSTS)
    assert host.state["deletionProtection"] is True
    _release(world, HOST)
    assert not world.of_type(HOSTS) and {disk.id for disk in world.of_type(DISK)} == drives


def _release(world: World, name: str) -> None:
    world.kakera("destroy", world.environment, "--release", name, "--confirm", name)


# --- hosts without drives --------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_hosts_of_two_failure_domains_stop_one_after_the_other(world: Callable[[str], World]) -> None:
    found = world(ENTRANCE)
    found.init("gateways.per_zone=1")
    found.kakera("up", found.environment)
    gateways = [host.name for host in found.plan.hosts if host.role == "gateway"]
    found.init("gateways.instance_type=ecs.g7.2xlarge")
    told = found.kakera("up", found.environment, code=2)
    assert "2 failure domains" in told and f"--domain {gateways[0]}" in told
    found.kakera("up", found.environment, "--domain", "nowhere", code=2)
    for number, gateway in enumerate(gateways, start=1):
        found.kakera("up", found.environment, "--domain", gateway)
        types = [host.inputs["instanceType"] for host in found.of_type(HOSTS)]
        assert types.count("ecs.g7.2xlarge") == number
    assert "reboot" not in found.kakera("up", found.environment)


@pytest.mark.slow
def test_one_of_several_hosts_is_let_go_whatever_waits_for_it(world: Callable[[str], World]) -> None:
    """The order in which hosts are worked on holds none of them."""
    found = world(ENTRANCE)
    found.init("protect=true")
    found.kakera("up", found.environment)
    first, second = (host.name for host in found.plan.hosts)
    _release(found, first)
    assert [host.inputs["instanceName"] for host in found.of_type(HOSTS)] == [second]
    found.kakera("up", found.environment)
    assert len(found.of_type(HOSTS)) == 2


@pytest.mark.slow
def test_a_host_that_drives_are_in_is_kept_whole_and_let_go_by_name(world: Callable[[str], World]) -> None:
    found = world(ENTRANCE)
    found.init(
        "protect=true", "survive=host", "m=2", "storage.instance_type=ecs.d3s.2xlarge", "balancer.kind=none",
        "gateways.per_zone=1",
    )  # fmt: skip
    found.kakera("up", found.environment)
    made = {host.inputs["instanceName"]: host.id for host in found.of_type(HOSTS)}
    first, second = (host.name for host in found.plan.hosts if host.drives)
    hosts = {made[first], made[second]}
    told = found.kakera("destroy", found.environment, "--yes")
    assert told.count("none: drives in a host have none") == len(hosts) == 2 and len(made) == 4
    assert {host.id for host in found.of_type(HOSTS)} == hosts and found.of_type("vpc/switch:Switch")
    found.kakera("up", found.environment)
    assert hosts < {host.id for host in found.of_type(HOSTS)}
    _release(found, first)
    assert hosts & {host.id for host in found.of_type(HOSTS)} == {made[second]}
    _is_kept_whatever_nobody_judged(found, made[second])


def _is_kept_whatever_nobody_judged(world: World, host_id: str) -> None:
    """The edit takes the engine's protection of a host away, and leaves the machine as it is: with its drives."""

    def protected() -> bool:
        (there,) = (one for one in world.state(REGION).values() if one.get("id") == host_id)
        return bool(there.get("protect"))

    world.init("storage.instance_type=ecs.g7.large")
    assert protected()
    world.pulumi("up", "--stack", f"acme-dev-{REGION}", "--yes", "--skip-preview")
    assert not protected()
    world.kakera("destroy", world.environment, "--yes")
    (host,) = world.of_type(HOSTS)
    assert host.id == host_id and host.inputs["deletionProtection"] is True and protected()


@pytest.mark.slow
def test_what_nothing_asks_for_any_more_is_put_back_to_be_let_go(world: Callable[[str], World]) -> None:
    """Only a program that still asks for a host can lift the cloud's protection of it."""
    found = world(ONE)
    found.init("protect=true", "storage.hosts_per_zone=2")
    found.kakera("up", found.environment)
    going = f"{HOST.removesuffix('1')}2"
    found.init("storage.hosts_per_zone=1")
    assert f"--release {going}" in found.kakera("up", found.environment, code=2)
    told = found.kakera("destroy", found.environment, "--release", going, "--confirm", going, code=2)
    assert "put it back into the blueprint" in told and len(found.of_type(HOSTS)) == 2
    found.init("storage.hosts_per_zone=2")
    _release(found, going)
    for drive in (disk.inputs["diskName"] for disk in found.of_type(DISK) if disk.inputs["diskName"].startswith(going)):
        _release(found, drive)
    found.init("storage.hosts_per_zone=1")
    found.kakera("up", found.environment)
    assert [host.inputs["instanceName"] for host in found.of_type(HOSTS)] == [HOST]
    assert {disk.inputs["diskName"].rpartition("-")[0] for disk in found.of_type(DISK)} == {HOST}


def test_a_laptop_has_no_stack_to_change() -> None:
    assert stacks(plan_of(BLUEPRINTS / "laptop.yaml")) == ()
