"""What is kept when an environment is destroyed, and how it is told: read from a state."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from infra.cli.removal import DISK, everything, holders, left
from infra.engine.changes import ATTACHMENT, INSTANCE
from infra.engine.project import StackName, stacks
from infra.engine.stacks import Kept, OnStep, Stack, Summary
from tests.infra.cloud_blueprints import cloud_plan


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


class Remembering(Stack):
    """A state, and what is done to it, without an engine."""

    def __init__(self, name: StackName, *state: Kept) -> None:
        self.name = name
        self.state = state
        self.lifted: set[str] = set()
        self.protected: set[str] = set()

    def kept(self) -> tuple[Kept, ...]:
        return self.state

    def let_go(self, released: Mapping[str, str], on_step: OnStep) -> None:
        self.lifted |= set(released.values())

    def destroy(self, on_step: OnStep, *, only: Collection[str] = (), keep: Collection[str] = ()) -> Summary:
        self.protected |= {urn.rpartition("::")[2] for urn in keep}
        return Summary()


def test_the_clouds_guard_is_never_lifted_of_a_host_that_drives_are_in() -> None:
    """Whatever the blueprint says of its type by now, and though the engine protects it no longer."""
    plan = cloud_plan()
    ours, theirs, open_ = (host.name for host in plan.hosts if host.drives)
    stack = Remembering(
        stacks(plan)[0],
        kept(INSTANCE, ours, instanceType="ecs.d3s.2xlarge", deletionProtection=True),
        kept(INSTANCE, theirs, instanceType="ecs.g7.large", deletionProtection=True),
        kept(INSTANCE, open_, instanceType="ecs.d3s.2xlarge", deletionProtection=False),
        kept(INSTANCE, "gone", instanceType="ecs.d3s.2xlarge", deletionProtection=True),
    )
    everything(plan, stack)
    assert stack.lifted == {theirs} and stack.protected == {ours, "gone"}
