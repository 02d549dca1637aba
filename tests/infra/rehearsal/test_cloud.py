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
from tests.infra.rehearsal.data import BALANCER, BUCKET, INSTANCE, NETWORK, SWITCH

KEY = "alicloud:kms/key:Key"
GROUP = "alicloud:ess/scalingGroup:ScalingGroup"
OLD_BALANCER = "alicloud:slb/applicationLoadBalancer:ApplicationLoadBalancer"
RECORD = "alicloud:dns/alidnsRecord:AlidnsRecord"
SERVER = "alicloud:nlb/serverGroupServerAttachment:ServerGroupServerAttachment"
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
    ("token", "path", "on", "off"),
    [
        (INSTANCE, "deletionProtection", {"deletionProtection": True}, {"deletionProtection": False}),
        (KEY, "deletionProtection", {"deletionProtection": "Enabled"}, {"deletionProtection": "Disabled"}),
        (BALANCER, "deletionProtectionEnabled",
         {"deletionProtectionEnabled": True}, {"deletionProtectionEnabled": False}),
        (BALANCER, r"deletionProtectionConfig\.enabled",
         {"deletionProtectionConfig": {"enabled": True}}, {"deletionProtectionConfig": {"enabled": False}}),
        (OLD_BALANCER, "deleteProtection", {"deleteProtection": "on"}, {"deleteProtection": "off"}),
        (GROUP, "groupDeletionProtection", {"groupDeletionProtection": True}, {"groupDeletionProtection": False}),
    ],
)  # fmt: skip
def test_what_is_protected_is_not_deleted(
    cloud: Cloud, token: str, path: str, on: dict[str, Any], off: dict[str, Any]
) -> None:
    thing = make(cloud, token, "a", pendingWindowInDays=7, **on)
    with pytest.raises(Refusal, match=f"{thing.id} cannot be deleted.*DeletionProtection.* {path} on"):
        cloud.delete("cn-hangzhou", thing.id)
    cloud.update("cn-hangzhou", thing.id, off, off)
    cloud.delete("cn-hangzhou", thing.id)
    assert cloud.things() == ()


def test_protection_of_what_a_type_makes_is_not_its_own(cloud: Cloud) -> None:
    thing = make(cloud, "alicloud:ess/scalingConfiguration:ScalingConfiguration", "a", deletionProtection=True)
    cloud.delete("cn-hangzhou", thing.id)


def test_what_the_provider_itself_refuses_to_delete(cloud: Cloud) -> None:
    bought = make(cloud, INSTANCE, "a", instanceChargeType="PrePaid", forceDelete=False)
    with pytest.raises(Refusal, match="make instanceChargeType PostPaid, or set forceDelete"):
        cloud.delete("cn-hangzhou", bought.id)
    cloud.update("cn-hangzhou", bought.id, {"forceDelete": True}, {})
    cloud.delete("cn-hangzhou", bought.id)
    key = make(cloud, KEY, "k")
    with pytest.raises(Refusal, match="set pendingWindowInDays"):
        cloud.delete("cn-hangzhou", key.id)
    cloud.update("cn-hangzhou", key.id, {"pendingWindowInDays": 7}, {})
    cloud.delete("cn-hangzhou", key.id)
    assert cloud.things() == ()


def test_a_name_of_several_arguments(cloud: Cloud) -> None:
    record = {"domainName": "a.example", "rr": "www", "type": "A", "value": "192.0.2.1"}
    make(cloud, RECORD, "a", **record)
    make(cloud, RECORD, "b", **record, line="oversea")  # the same in another line is another record
    with pytest.raises(Refusal, match="AlreadyExists.*line=default"):
        make(cloud, RECORD, "c", **record, line="default")
    server = {"serverGroupId": "rehearsal-g", "serverId": "rehearsal-i", "serverType": "Ecs"}
    make(cloud, SERVER, "a", **server, port=9000)
    make(cloud, SERVER, "b", **server, port=9001)
    make(cloud, SERVER, "c", **server)
    for port in ({"port": 9000}, {"port": 0}, {}):
        with pytest.raises(Refusal, match="AlreadyExists"):
            make(cloud, SERVER, "d", **server, **port)


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
