"""Hosts: nothing of them is public or plain, and what holds data stays."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from infra.blueprint.cloud import PlannedCompute, PlannedMachine, PlannedSnapshots
from infra.blueprint.plan import PlannedDrive, PlannedHost
from infra.components.compute import Compute, ComputeArgs, beijing
from infra.rehearsal.metadata import Metadata
from tests.engine.world import held
from tests.infra.components.house import children, types
from tests.infra.components.recorder import Recorded, named, of_type, only, record


def machine(**other: Any) -> PlannedMachine:
    given = {"instance_type": "ecs.g8i.xlarge", "image": "debian_12", "switch": "h-hosts", "role": "r-server"}
    return PlannedMachine(**{**given, "security_group": "sg-storage", **other})


def host(name: str, *, drives: int = 2, size_gib: int | None = 500, **other: Any) -> PlannedHost:
    given: dict[str, Any] = {
        "zone": "cn-hangzhou-h",
        "address": "10.1.0.11",
        "port": 9000,
        "workers": 4,
        "state_path": "state",
        "drives": tuple(
            PlannedDrive(name=f"{name}-{n}", number=n, path=f"drive-{n}", domain=name, size_gib=size_gib)
            for n in range(1, drives + 1)
        ),
        "machine": machine(),
    }
    return PlannedHost(name=name, **{**given, **other})


def plan(*hosts: PlannedHost, **other: Any) -> PlannedCompute:
    given: dict[str, Any] = {
        "deployment_set": "spread",
        "key_pair": "pair",
        "public_key": "ssh-ed25519 AAAA someone\n",
        "snapshots": PlannedSnapshots(
            name="snapshots", time_points=(17,), weekdays=(1, 2, 3, 4, 5, 6, 7), retention_days=7
        ),
        "hosts": tuple(one.name for one in hosts),
    }
    return PlannedCompute(**{**given, **other})


def built(*hosts: PlannedHost, protect: bool = True, key_id: str | None = "key-1", **other: Any) -> list[Recorded]:
    args = ComputeArgs(
        plan=plan(*hosts, **other),
        hosts=hosts,
        user_data={one.name: f"#cloud-config {one.name}" for one in hosts},
        switch_ids={"h-hosts": "vsw-h"},
        group_ids={"sg-storage": "sg-1"},
        key_id=key_id,
        protect=protect,
        role_names={"r-server": "role-made"},
    )
    return record(lambda opts: Compute("compute", args, opts))


def test_a_storage_host_and_its_drives() -> None:
    found = built(host("s1"))
    assert types(children(found, "Compute")) == [
        "AutoSnapshotPolicy",
        "EcsAutoSnapshotPolicyAttachment",
        "EcsAutoSnapshotPolicyAttachment",
        "EcsDeploymentSet",
        "EcsDisk",
        "EcsDisk",
        "EcsDiskAttachment",
        "EcsDiskAttachment",
        "EcsKeyPair",
        "Instance",
        "RamRoleAttachment",
    ]
    assert only(found, "Compute").outputs == {
        "hostIds": {"s1": "s1-id"},
        "hostAddresses": {"s1": "10.1.0.11"},
        "diskIds": {"s1-1": "s1-1-id", "s1-2": "s1-2-id"},
        "keyPair": "pair",
    }


def test_a_host_is_reached_from_inside_alone_and_tells_its_role_to_nobody_who_only_asks() -> None:
    sent = only(built(host("s1")), "Instance").inputs
    assert (sent["vswitchId"], sent["privateIp"], sent["securityGroups"]) == ("vsw-h", "10.1.0.11", ["sg-1"])
    assert sent["internetMaxBandwidthOut"] == 0
    assert not {"allocatePublicIp", "password", "dataDisks", "roleName"} & set(sent)
    assert (sent["httpEndpoint"], sent["httpTokens"]) == ("enabled", "required")
    assert (sent["keyName"], sent["deploymentSetId"]) == ("pair", "spread-id")
    assert (sent["systemDiskEncrypted"], sent["systemDiskKmsKeyId"]) == (True, "key-1")
    assert base64.b64decode(sent["userData"]).decode() == "#cloud-config s1"


def test_the_role_is_attached_when_it_is_there() -> None:
    assert only(built(host("s1")), "RamRoleAttachment").inputs == {"instanceId": "s1-id", "ramRoleName": "role-made"}
    other = built(host("s1", machine=machine(role="r-else")))
    assert only(other, "RamRoleAttachment").inputs["ramRoleName"] == "r-else"


def test_a_drive_outlives_its_host() -> None:
    found = built(host("s1", drives=1))
    disk = only(found, "EcsDisk").inputs
    assert (disk["zoneId"], disk["size"]) == ("cn-hangzhou-h", 500)
    assert (disk["category"], disk["performanceLevel"]) == ("cloud_essd", "PL1")
    assert (disk["encrypted"], disk["kmsKeyId"]) == (True, "key-1")
    assert (disk["deleteWithInstance"], disk["deleteAutoSnapshot"]) == (False, False)
    assert disk["type"] == "online"
    assert only(found, "EcsDiskAttachment").inputs == {
        "diskId": "s1-1-id",
        "instanceId": "s1-id",
        "deleteWithInstance": False,
    }
    assert only(found, "EcsAutoSnapshotPolicyAttachment").inputs == {
        "diskId": "s1-1-id",
        "autoSnapshotPolicyId": "snapshots-id",
    }


def test_only_one_category_has_levels() -> None:
    found = built(host("s1", drives=1, machine=machine(disk_category="cloud_auto")))
    assert "performanceLevel" not in only(found, "EcsDisk").inputs


def test_without_a_key_of_ours_disks_are_encrypted_all_the_same() -> None:
    found = built(host("s1", drives=1), key_id=None)
    assert only(found, "EcsDisk").inputs["encrypted"] is True and "kmsKeyId" not in only(found, "EcsDisk").inputs
    sent = only(found, "Instance").inputs
    assert sent["systemDiskEncrypted"] is True and "systemDiskKmsKeyId" not in sent


@pytest.mark.parametrize("protect", [True, False])
def test_what_holds_data_is_protected_and_what_does_not_is_not(protect: bool) -> None:
    found = built(host("s1", drives=1), host("g1", drives=0, role="gateway"), protect=protect)
    kept = {one.name for one in found if one.protect}
    assert kept == ({"s1-1"} if protect else set())
    assert named(found, "s1").inputs["deletionProtection"] is protect
    assert named(found, "g1").inputs["deletionProtection"] is False


OWN: dict[str, Any] = {"machine": machine(instance_type="ecs.d3s.2xlarge", drives="local"), "size_gib": 11_100}


def test_drives_in_a_host_are_no_disks_of_the_cloud() -> None:
    found = built(host("s1", **OWN), snapshots=None)
    made = ["EcsDeploymentSet", "EcsKeyPair", "Instance", "RamRoleAttachment"]
    assert types(children(found, "Compute")) == made
    assert only(found, "Compute").outputs["diskIds"] == {}  # type: ignore[index]


@pytest.mark.parametrize("protect", [True, False])
def test_a_host_that_drives_are_in_is_what_holds_the_data(protect: bool) -> None:
    """It is kept whole, and when its machine fails it stops: elsewhere it would come up with empty drives."""
    found = built(host("s1", **OWN), host("s2"), host("g1", drives=0, role="gateway"), protect=protect)
    assert {one.name for one in of_type(found, "Instance") if one.protect} == ({"s1"} if protect else set())
    own = named(found, "s1")
    assert own.inputs["deletionProtection"] is protect and own.inputs["maintenanceAction"] == "Stop"
    assert {"instanceType", "imageId", "userData", "systemDiskKmsKeyId"} <= set(own.ignore_changes)
    assert "maintenanceAction" not in named(found, "s2").inputs


def test_how_many_drives_of_its_own_the_store_has_is_told_by_a_tag() -> None:
    found = built(host("s1", drives=3, **OWN), host("s2"), host("g1", drives=0, role="gateway"))
    told = {one.name: one.inputs.get("tags") for one in of_type(found, "Instance")}
    assert told == {"s1": {"kakera:drives": "3"}, "s2": None, "g1": None}
    children(found, "Compute")


@pytest.mark.parametrize("own", [{}, OWN])
def test_nothing_of_a_host_that_holds_drives_replaces_it_later(own: dict[str, Any]) -> None:
    """Not an argument that a later version sends and an older one did not, such as the agent of Security Center."""
    found = built(host("s1", **own), host("g1", drives=0, role="gateway"))
    known = Metadata.load().resource("alicloud:ecs/instance:Instance")
    assert known is not None
    replacing = {name for name, one in known.properties.items() if one.replaces}

    def open_(name: str) -> set[str]:
        one = named(found, name)
        return (replacing & one.inputs.keys()) - set(one.ignore_changes)

    assert open_("s1") == {"systemDiskCategory"}  # always was the same
    assert open_("g1") == {"systemDiskCategory", "systemDiskEncrypted", "systemDiskKmsKeyId"}
    assert "securityEnhancementStrategy" in named(found, "s1").inputs


def test_a_newer_image_or_other_user_data_restarts_no_host() -> None:
    """Nor another address, or another key of those who may log in."""
    for one in of_type(built(host("s1"), host("g1", drives=0)), "Instance"):
        assert set(one.ignore_changes) >= {"imageId", "userData", "keyName", "privateIp"}
    by_hand = {"instanceType", "systemDiskKmsKeyId"}
    found = built(host("s1"), host("g1", drives=0))
    assert by_hand <= set(named(found, "s1").ignore_changes) and not by_hand & set(named(found, "g1").ignore_changes)


def test_hosts_are_spread() -> None:
    sent = only(built(host("s1")), "EcsDeploymentSet").inputs
    assert (sent["strategy"], sent["onUnableToRedeployFailedInstance"]) == ("Availability", "KeepStopped")


def test_without_a_public_key_no_pair_is_made_whose_other_half_nobody_has() -> None:
    found = built(host("s1"), public_key=" \n")
    assert not of_type(found, "EcsKeyPair")
    assert "keyName" not in only(found, "Instance").inputs
    assert only(built(host("s1")), "EcsKeyPair").inputs["publicKey"] == "ssh-ed25519 AAAA someone"


def test_what_is_no_host_of_the_cloud_is_refused() -> None:
    with pytest.raises(ValueError, match="s1: not a host of the cloud"):
        built(host("s1", machine=None))
    with pytest.raises(ValueError, match="s1-1: a drive of the cloud has a size"):
        built(host("s1", size_gib=None))


def test_snapshots_are_taken_at_the_hours_of_the_plan() -> None:
    sent = only(built(host("s1")), "AutoSnapshotPolicy").inputs
    assert (sent["timePoints"], sent["repeatWeekdays"]) == (["1"], ["1", "2", "3", "4", "5", "6", "7"])
    assert sent["retentionDays"] == 7


@pytest.mark.parametrize(
    ("hours", "weekdays", "there"),
    [
        ((15,), (1, 7), ((23,), (1, 7))),
        ((16,), (1, 7), ((0,), (1, 2))),
        ((23, 16), (6,), ((0, 7), (7,))),
        ((0, 20), (1, 2, 3, 4, 5, 6, 7), ((4, 8), (1, 2, 3, 4, 5, 6, 7))),
    ],
)
def test_hours_and_days_in_utc_plus_8(hours: Any, weekdays: Any, there: Any) -> None:
    assert beijing(hours, weekdays) == there


def test_hours_of_two_days_there_are_refused() -> None:
    with pytest.raises(ValueError, match="two days"):
        beijing((15, 16), (1,))


def test_a_failure_domain_waits_for_the_one_before_it() -> None:
    """So that even what nobody judged stops one zone after the other."""
    pairs = [("h1", "cn-hangzhou-h"), ("h2", "cn-hangzhou-h"), ("j1", "cn-hangzhou-j"), ("k1", "cn-hangzhou-k")]
    found = built(*(host(name, drives=1, zone=zone) for name, zone in pairs))
    waits = {name: {other for other, _ in pairs if named(found, name).waits_for(other)} for name, _ in pairs}
    assert waits == {"h1": set(), "h2": set(), "j1": {"h1", "h2"}, "k1": {"j1"}}
    assert not [one for one in of_type(found, "EcsDisk") if any(one.waits_for(name) for name, _ in pairs)]


def mixed(**own: Any) -> list[Recorded]:
    """A storage host and a gateway in each of two zones, as the Plan has them."""
    pairs = [("h", "cn-hangzhou-h"), ("j", "cn-hangzhou-j")]
    storage = [host(f"{name}-s", zone=zone, **{"drives": 1, **own}) for name, zone in pairs]
    gateways = [host(f"{name}-g", zone=zone, drives=0, role="gateway") for name, zone in pairs]
    return built(storage[0], gateways[0], storage[1], gateways[1])


def test_hosts_without_drives_have_their_turn_after_those_with_some() -> None:
    """Never two domains at once, and what holds data waits for nothing that holds none."""
    found = mixed()
    names = ["h-s", "j-s", "h-g", "j-g"]
    waits = {name: [other for other in names if named(found, name).waits_for(other)] for name in names}
    assert waits == {"h-s": [], "j-s": ["h-s"], "h-g": ["j-s"], "j-g": ["h-g"]}


def test_what_is_kept_for_its_drives_keeps_no_gateway() -> None:
    """A `destroy` leaves what a protected host waits for, and what that waits for (P6)."""
    found = mixed(**OWN)
    state = {one.urn: {"protect": one.protect, "parent": one.parent, "dependencies": one.depends_on} for one in found}
    kept = {urn.rpartition("::")[2] for urn in held(state)}
    assert {"h-s", "j-s"} <= kept and not {"h-g", "j-g"} & kept
