"""The cloud's file: names, the order of deletion, drift, and several processes at once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.rehearsal.cloud import FILE, Birth, Cloud, Thing
from infra.rehearsal.refusal import Refusal
from tests.infra.rehearsal.data import BUCKET, INSTANCE, NETWORK, SWITCH

ROOT = Path(__file__).resolve().parents[3]


def make(cloud: Cloud, token: str, name: str, region: str = "cn-hangzhou", **inputs: Any) -> Thing:
    birth = Birth(region, token, name, f"urn:pulumi:dev::kakera::{token}::{name}")
    return cloud.create(birth, inputs, lambda identity: {**inputs, "status": "Available"})


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path)


def test_ids_are_stable_and_never_used_twice(tmp_path: Path, cloud: Cloud) -> None:
    first = make(cloud, NETWORK, "a")
    beside = make(cloud, NETWORK, "a")  # a replacement is made before the old one goes
    elsewhere = make(cloud, NETWORK, "a", region="cn-shanghai")
    cloud.delete("cn-hangzhou", first.id)
    again = make(cloud, NETWORK, "a")
    assert len({first.id, beside.id, elsewhere.id, again.id}) == 4
    assert all(thing.id.startswith("rehearsal-") for thing in (first, beside, elsewhere, again))
    (tmp_path / "other").mkdir()
    assert make(Cloud(tmp_path / "other"), NETWORK, "a").id == first.id


def test_a_region_sees_its_own_things_only(cloud: Cloud) -> None:
    thing = make(cloud, NETWORK, "a")
    assert cloud.read("cn-hangzhou", thing.id) == thing
    assert cloud.read("cn-shanghai", thing.id) is None
    cloud.delete("cn-shanghai", thing.id)
    assert cloud.things() == (thing,)
    assert cloud.things("cn-shanghai") == ()


def test_a_bucket_name_is_taken_in_every_region(cloud: Cloud) -> None:
    first = make(cloud, BUCKET, "a", bucket="one")
    with pytest.raises(Refusal, match="AlreadyExists.*bucket=one"):
        make(cloud, BUCKET, "b", region="cn-shanghai", bucket="one")
    assert cloud.things() == (first,)  # nothing is left of the refused one
    cloud.delete("cn-hangzhou", first.id)
    make(cloud, BUCKET, "b", region="cn-shanghai", bucket="one")


def test_an_address_is_taken_in_its_switch_only(cloud: Cloud) -> None:
    make(cloud, INSTANCE, "a", vswitchId="rehearsal-1", privateIp="10.0.0.10")
    make(cloud, INSTANCE, "b", vswitchId="rehearsal-2", privateIp="10.0.0.10")
    make(cloud, INSTANCE, "c", vswitchId="rehearsal-1")
    make(cloud, INSTANCE, "d", vswitchId="rehearsal-1")
    with pytest.raises(Refusal, match=r"privateIp=10\.0\.0\.10"):
        make(cloud, INSTANCE, "e", vswitchId="rehearsal-1", privateIp="10.0.0.10")


def test_an_update_moves_the_name_it_takes(cloud: Cloud) -> None:
    one = make(cloud, BUCKET, "a", bucket="one")
    two = make(cloud, BUCKET, "b", bucket="two")
    with pytest.raises(Refusal, match="AlreadyExists"):
        cloud.update("cn-hangzhou", two.id, {"bucket": "one"}, {"bucket": "one"})
    assert cloud.read("cn-hangzhou", two.id) == two
    cloud.update("cn-hangzhou", one.id, {"bucket": "three"}, {"bucket": "three"})
    cloud.update("cn-hangzhou", two.id, {"bucket": "one"}, {"bucket": "one"})


def test_an_update_keeps_what_it_does_not_name(cloud: Cloud) -> None:
    thing = make(cloud, NETWORK, "a", vpcName="a", description="b")
    cloud.drift(thing.id, {"tags": {"by": "hand"}})
    after = cloud.update("cn-hangzhou", thing.id, {"vpcName": "c", "description": None}, {"vpcName": "c"})
    assert after.state == {"vpcName": "c", "status": "Available", "tags": {"by": "hand"}}
    with pytest.raises(Refusal, match="NotFound"):
        cloud.update("cn-shanghai", thing.id, {}, {})


def test_what_is_needed_is_not_deleted(cloud: Cloud) -> None:
    network = make(cloud, NETWORK, "net")
    switch = make(cloud, SWITCH, "sw", vpcId=network.id, cidrBlock="10.0.0.0/24")
    make(cloud, BUCKET, "b", region="cn-shanghai", note=network.id)  # another region's mention holds nothing
    make(cloud, BUCKET, "c", policy=f'{{"Resource": "{network.id}"}}')  # a text that contains it neither
    with pytest.raises(Refusal, match=f"DependencyViolation.*{switch.id}"):
        cloud.delete("cn-hangzhou", network.id)
    cloud.delete("cn-hangzhou", switch.id)
    cloud.delete("cn-hangzhou", network.id)
    cloud.delete("cn-hangzhou", network.id)  # gone already is no error


@pytest.mark.parametrize(
    ("name", "on", "off"),
    [
        ("deletionProtection", True, False),
        ("deletionProtection", "Enabled", "Disabled"),
        ("deletionProtectionEnabled", True, False),
        ("deleteProtection", "on", "off"),
        ("deletionProtectionConfig", {"enabled": True}, {"enabled": False}),
    ],
)
def test_what_is_protected_is_not_deleted(cloud: Cloud, name: str, on: object, off: object) -> None:
    thing = make(cloud, INSTANCE, "a", **{name: on})
    with pytest.raises(Refusal, match=f"DeletionProtection.*{name}"):
        cloud.delete("cn-hangzhou", thing.id)
    cloud.update("cn-hangzhou", thing.id, {name: off}, {name: off})
    cloud.delete("cn-hangzhou", thing.id)
    assert cloud.things() == ()


def test_a_change_by_hand(cloud: Cloud) -> None:
    thing = make(cloud, NETWORK, "a", vpcName="a")
    drifted = cloud.drift(thing.id, {"vpcName": "b", "status": "Gone", "tags": {"x": "y"}})
    assert cloud.read("cn-hangzhou", thing.id) == drifted
    assert drifted.state == {"vpcName": "b", "status": "Gone", "tags": {"x": "y"}}
    assert drifted.inputs == {"vpcName": "b", "tags": {"x": "y"}}
    cloud.vanish(thing.id)
    assert cloud.read("cn-hangzhou", thing.id) is None
    with pytest.raises(Refusal):
        cloud.vanish(thing.id)
    with pytest.raises(Refusal):
        cloud.drift(thing.id, {})


PROCESS = """
import sys
from pathlib import Path
from infra.rehearsal.cloud import Birth, Cloud
from infra.rehearsal.refusal import Refusal
cloud, me, won = Cloud(Path(sys.argv[1])), sys.argv[2], 0
mine = cloud.create(Birth("r", "t:n/n:N", me, f"urn::{me}-mine"), {}, lambda identity: {}).id
for turn in range(20):
    cloud.create(Birth("r", "t:n/n:N", "same", "urn::same"), {}, lambda identity: {})
    try:
        birth = Birth("r", "alicloud:oss/bucket:Bucket", me, f"urn::{me}")
        cloud.create(birth, {"bucket": str(turn)}, lambda identity: {})
        won += 1
    except Refusal:
        pass
    cloud.update("r", mine, {"turn": turn}, {})  # reads, then writes: it must hold the lock from its start
print(won)
"""


def test_several_processes_at_once(tmp_path: Path) -> None:
    commands = [(sys.executable, "-c", PROCESS, str(tmp_path), str(number)) for number in range(3)]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for command in commands]
    won = [int(process.communicate(timeout=60)[0]) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    things = Cloud(tmp_path).things()
    assert sum(won) == 20  # each name once
    assert len(things) == 20 + 60 + 3
    assert [thing.state["turn"] for thing in things if thing.state] == [19] * 3
    assert len({thing.id for thing in things}) == len(things)
    with sqlite3.connect(tmp_path / FILE) as connection:
        assert connection.execute("SELECT count FROM birth WHERE urn = 'urn::same'").fetchone() == (60,)
