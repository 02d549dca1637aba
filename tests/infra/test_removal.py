"""What is kept when an environment is destroyed, and how it is told: read from a state."""

from __future__ import annotations

from typing import Any

from infra.cli.removal import DISK, holders, left
from infra.engine.changes import ATTACHMENT, INSTANCE
from infra.engine.stacks import Kept


def kept(kind: str, name: str, *, protected: bool = False, **inputs: Any) -> Kept:
    return Kept(kind, name, f"id-{name}", protected, urn=f"urn:pulumi:s::kakera::{kind}::{name}", inputs=inputs)


STATE = (
    kept(INSTANCE, "s1", instanceType="ecs.g7.large"),
    kept(DISK, "s1-1"),
    kept(ATTACHMENT, "s1-1-attachment", instanceId="id-s1", diskId="id-s1-1"),
    kept(INSTANCE, "s2", instanceType="ecs.d3s.2xlarge"),
    kept(INSTANCE, "g1", instanceType="ecs.c7.large"),
    kept("alicloud:ecs/securityGroup:SecurityGroup", "group"),
)


def test_hosts_with_drives_are_holders_wherever_those_are() -> None:
    assert [found.name for found in holders(STATE)] == ["s1", "s1-1", "s2"]


def test_of_drives_in_a_host_no_snapshot_is_promised(capsys: Any) -> None:
    own = [found for found in STATE if found.name == "s2"]
    left("acme", own, {})
    told = " ".join(capsys.readouterr().out.split())
    assert "left: 1" in told and "s2" in told and "none: drives in a host have none" in told
