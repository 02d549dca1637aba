"""What no shipped blueprint asks for: each option on a stack of its own, made, made again, and taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

from infra.blueprint.edit import edited
from tests.engine.small import ENTRANCE, ONE, ROOM
from tests.engine.world import World
from tests.rehearse.walk import Counts

REGION: Final = "cn-hangzhou"
CERTIFICATE: Final = "12345678-cn-hangzhou"
ADOPTED: Final = "vpc-bp1aevy8sofi8mh1q0000"
ADOPTED_KEY: Final = "key-hzz65f1ba1a1a1a1a1a1a"
EMPTY_SHA256: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@dataclass(frozen=True)
class Option:
    """A small blueprint with some settings, and types that must be in the cloud after `up`, or must not."""

    blueprint: str
    settings: Mapping[str, Any]
    there: Iterable[str]
    absent: Iterable[str] = ()


BUY: Final = {"allow_purchase": True}
OPTIONS: Final = {
    "alb": Option(
        ENTRANCE, {"balancer": {"kind": "alb", "certificate": CERTIFICATE}},
        ("alb/loadBalancer:LoadBalancer", "alb/listener:Listener"), ("nlb/loadBalancer:LoadBalancer",),
    ),
    "clb": Option(
        ENTRANCE, {"balancer": {"kind": "clb"}},
        ("slb/applicationLoadBalancer:ApplicationLoadBalancer", "slb/listener:Listener"),
    ),
    "default-cmk": Option(
        ONE, {"keys": {"mode": "default-cmk", "existing": {REGION: ADOPTED_KEY}}, "tier.enabled": True},
        ("ecs/ecsDisk:EcsDisk", "oss/bucket:Bucket"), ("kms/key:Key", "kms/instance:Instance"),
    ),
    "keys-of-ones-own": Option(
        ENTRANCE, {"balancer": {"kind": "none"}, "keys": {"mode": "instance", "hsm": True}, **BUY},
        ("kms/instance:Instance", "kms/key:Key"),
    ),
    "adopted-network": Option(
        ONE, {"network.existing": {REGION: ADOPTED}}, ("vpc/switch:Switch",), ("vpc/network:Network",)
    ),
    "scaling": Option(
        ENTRANCE, {"gateways": {"scaling": True, "min": 1, "max": 3, "wheel_sha256": EMPTY_SHA256}},
        ("ess/scalingGroup:ScalingGroup", "ess/lifecycleHook:LifecycleHook"),
    ),
    "traffic-manager": Option(
        ENTRANCE, {"dns": {"domain": "example.com", "record": "s3", "traffic_manager": True}, **BUY},
        ("dns/gtmInstance:GtmInstance",),
    ),
    "drives-in-the-host": Option(
        ENTRANCE, {"survive": "host", "m": 2, "storage.instance_type": "ecs.d3s.2xlarge"},
        ("ecs/instance:Instance", "nlb/loadBalancer:LoadBalancer"),
        ("ecs/ecsDisk:EcsDisk", "ecs/ecsDiskAttachment:EcsDiskAttachment", "ecs/autoSnapshotPolicy:AutoSnapshotPolicy"),
    ),
    "custom-domain": Option(ROOM, {}, ("oss/bucket:Bucket",), ("vpn/gateway:Gateway", "ecs/instance:Instance")),
}  # fmt: skip
SHORT: Final = ("adopted-network",)


@pytest.mark.parametrize("name", [pytest.param(one, marks=() if one in SHORT else pytest.mark.slow) for one in OPTIONS])
def test_an_option(world: Callable[[str], World], name: str) -> None:
    option = OPTIONS[name]
    found = world(edited(option.blueprint, option.settings))
    found.init()
    promised = Counts.read(found.kakera("preview", found.environment))
    made = Counts.read(found.kakera("up", found.environment))
    assert made == promised and made.created == made.changed
    assert [kind for kind in option.there if not found.of_type(kind)] == []
    assert [kind for kind in option.absent if found.of_type(kind)] == []
    if name in _CLOSER:
        _CLOSER[name](found)
    for stack in found.names().values():
        found.pulumi("up", "--stack", stack.name, "--yes", "--skip-preview", "--expect-no-changes")
    found.kakera("destroy", found.environment, "--yes")
    assert not found.things() and not any(found.state_ids(part) for part in found.names())


def test_an_account_is_made_ready_once(world: Callable[[str], World]) -> None:
    found = world(ONE)
    found.init()
    told = Counts.read(found.kakera("bootstrap", found.environment))
    (role,) = found.of_type("ram/role:Role")
    assert role.inputs["roleName"] == "AliyunECSDiskEncryptDefaultRole" and told.created
    assert not Counts.read(found.kakera("bootstrap", found.environment)).changed
    assert len(found.things()) == len({thing.urn for thing in found.things().values()})


def _adopted_key(world: World) -> None:
    assert {disk.inputs["kmsKeyId"] for disk in world.of_type("ecs/ecsDisk:EcsDisk")} == {ADOPTED_KEY}


def _own_key(world: World) -> None:
    keys = {key.id for key in world.of_type("kms/key:Key")}
    assert {disk.inputs["kmsKeyId"] for disk in world.of_type("ecs/ecsDisk:EcsDisk")} <= keys


def _adopted_network(world: World) -> None:
    """It is named, and neither made nor known to the state."""
    assert {switch.inputs["vpcId"] for switch in world.of_type("vpc/switch:Switch")} == {ADOPTED}
    assert world.outputs(REGION)["vpc_id"] == ADOPTED
    assert ADOPTED not in world.state_ids(REGION)


def _listener_ends_tls(world: World) -> None:
    (listener,) = world.of_type("alb/listener:Listener")
    assert CERTIFICATE in str(listener.inputs["certificates"])


def _hosts_end_tls(world: World) -> None:
    (listener,) = world.of_type("slb/listener:Listener")
    assert (listener.inputs["protocol"], listener.inputs["frontendPort"]) == ("tcp", 443)


def _group_has_its_bounds(world: World) -> None:
    (group,) = world.of_type("ess/scalingGroup:ScalingGroup")
    assert (group.inputs["minSize"], group.inputs["maxSize"]) == (1, 3)


def _hosts_stay_with_their_drives(world: World) -> None:
    """Where their machine fails, and where the blueprint names another type, or would have the store leave some."""
    (one, _) = world.of_type("ecs/instance:Instance")
    assert (one.inputs["maintenanceAction"], one.inputs["tags"]["kakera:drives"]) == ("Stop", "4")
    before = world.file.read_text()
    larger = {"storage.instance_type": "ecs.d3s.4xlarge"}
    world.file.write_text(edited(before, {**larger, "storage.drives_per_host": 4}))
    assert "not done: instanceType" in world.kakera("up", world.environment)
    world.file.write_text(edited(before, {**larger, "storage.drives_per_host": 8}))
    assert "has 4: the rest are nowhere" in world.kakera("up", world.environment, code=2)
    world.file.write_text(edited(before, {"storage.drives_per_host": 3}))
    assert "has 4 drives in the host, and the Plan has 3" in world.kakera("up", world.environment, code=2)
    world.file.write_text(edited(before, {"storage.instance_type": "ecs.g7.large"}))
    assert "drives are in the host" in world.kakera("up", world.environment, code=2)
    world.file.write_text(before)


_CLOSER: Final[Mapping[str, Callable[[World], None]]] = {
    "alb": _listener_ends_tls,
    "clb": _hosts_end_tls,
    "default-cmk": _adopted_key,
    "drives-in-the-host": _hosts_stay_with_their_drives,
    "keys-of-ones-own": _own_key,
    "adopted-network": _adopted_network,
    "scaling": _group_has_its_bounds,
}
