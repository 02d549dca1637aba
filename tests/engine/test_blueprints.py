"""Every blueprint of the cloud, from nothing to what `destroy` leaves, read from its state and its cloud."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pytest

from infra.components.tags import taggable
from infra.rehearsal.cloud import Thing
from tests.engine.world import NAME, World, held
from tests.rehearse.walk import Counts

INSTANCE: Final = "alicloud:ecs/instance:Instance"
DISK: Final = "alicloud:ecs/ecsDisk:EcsDisk"
POLICY: Final = "alicloud:ecs/autoSnapshotPolicy:AutoSnapshotPolicy"
# What holds data, or opens it: never replaced, whatever is changed (P3).
HOLDERS: Final = frozenset({
    INSTANCE, DISK, "alicloud:oss/bucket:Bucket", "alicloud:rds/instance:Instance", "alicloud:kms/key:Key",
    "alicloud:vpc/network:Network", "alicloud:vpc/switch:Switch",
})  # fmt: skip

SLOW: Final = pytest.mark.slow
NAMED_BY_USERS: Final = "alicloud:cdn/"  # a domain is named by who owns it


@dataclass(frozen=True)
class Change:
    """One value made larger, and the types that are updated for it, each so many times."""

    setting: str
    updated: dict[str, int]


CHANGES: Final = {
    "single-ecs": Change("storage.snapshot_days=9", {POLICY: 1}),
    "three-zone": Change("storage.snapshot_days=9", {POLICY: 1}),
    "hybrid": Change("tier.archive_days=60", {"alicloud:oss/bucket:Bucket": 1}),
    "multi-region": Change("storage.snapshot_days=9", {POLICY: 2}),
    "cdn-edge": Change("storage.snapshot_days=9", {POLICY: 1}),
}


# The others go their whole way in the full runs: an operation on each of their stacks is seconds.
LONG: Final = ("three-zone", "multi-region", "cdn-edge")


# Two regions start in test_failover too; the edge, and the two alone, are for the full runs.
@pytest.mark.parametrize("blueprint", [pytest.param(name, marks=() if name == "three-zone" else SLOW) for name in LONG])
def test_a_start_and_an_end(world: Callable[[str], World], blueprint: str) -> None:
    found = world(blueprint)
    _start(found)
    _destroy_leaves_what_is_held(found)


@pytest.mark.parametrize("blueprint", [pytest.param(name, marks=SLOW if name in LONG else ()) for name in CHANGES])
def test_a_life(world: Callable[[str], World], blueprint: str) -> None:
    found = world(blueprint)
    _start(found)
    second = Counts.read(found.kakera("up", found.environment))
    assert not second.changed and second.unchanged
    before = found.things()
    drifted, lost = _drift(found)
    _a_change_updates_and_repairs(found, CHANGES[blueprint], before, drifted=drifted, lost=lost)
    _destroy_leaves_what_is_held(found)
    rest = found.things()
    again = Counts.read(found.kakera("destroy", found.environment, "--yes"))
    assert not again.changed and found.things() == rest


def _start(found: World) -> None:
    """From nothing to an environment in which a plain `pulumi` changes nothing."""
    own = ("tags.team=store", "tags.kakera:name=mine", 'tags.kakera:part="none"')
    sizes = () if found.blueprint == "hybrid" else ("size=S",)
    found.init("protect=true", *sizes, *own)
    promised = Counts.read(found.kakera("preview", found.environment))
    assert not found.things(), "a preview created something"
    made = Counts.read(found.kakera("up", found.environment))
    assert promised == made and made.created == made.changed
    _everything_is_named_and_tagged(found)
    _nothing_has_a_public_address_but_by_the_plan(found)
    _a_plain_pulumi_changes_nothing(found)


def _everything_is_named_and_tagged(world: World) -> None:
    """P4, of each part with its own tags; a user's own are there and override nothing."""
    counted = 0
    for part, name in world.names().items():
        mandatory = world.tags(part)
        assert mandatory["kakera:name"] == NAME and mandatory["kakera:part"] == part and mandatory["team"] == "store"
        things = world.things(part)
        assert set(things) == world.state_ids(part), "state and cloud tell different things"
        for thing in things.values():
            assert thing.name.startswith(f"{NAME}-{world.stage}-") or thing.type.startswith(NAMED_BY_USERS), thing
            if thing.type in taggable():
                assert thing.state.get("tags") == mandatory, (name, thing.type, thing.name)
                counted += 1
    assert counted > 5


def _nothing_has_a_public_address_but_by_the_plan(world: World) -> None:
    hosts = world.of_type(INSTANCE)
    assert len(hosts) == sum(host.machine is not None for host in world.plan.hosts)
    for host in hosts:
        assert not host.inputs.get("internetMaxBandwidthOut") and not host.inputs.get("allocatePublicIp")
    attached = {thing.inputs["instanceId"] for thing in world.of_type("ecs/eipAssociation:EipAssociation")}
    assert not attached & {host.id for host in hosts}


def _a_plain_pulumi_changes_nothing(world: World) -> None:
    """What the Automation API made is whole to the plain command line."""
    log = len(world.acts())
    for name in world.names().values():
        world.pulumi("up", "--stack", name.name, "--yes", "--skip-preview", "--expect-no-changes")
    assert len(world.acts()) == log


def _drift(world: World) -> tuple[Thing, Thing]:
    """Someone renames the network and removes a rule of a group by hand; a refresh finds both, and nothing else."""
    part = next(iter(world.names()))
    (network,) = world.of_type("vpc/network:Network", part)
    lost = world.of_type("ecs/securityGroupRule:SecurityGroupRule", part) or world.of_type(
        "vpc/routeEntry:RouteEntry", part
    )
    world.cloud.drift(network.id, {"description": "by hand"})
    world.cloud.vanish(lost[0].id)
    seen = Counts.read(world.kakera("refresh", world.environment, "--part", part))
    assert (seen.updated, seen.deleted, seen.created, seen.replaced) == (1, 1, 0, 0)
    return network, lost[0]


def _a_change_updates_and_repairs(
    world: World, change: Change, before: dict[str, Thing], *, drifted: Thing, lost: Thing
) -> None:
    """One `up` after it: what was asked for, the two repairs, and not one thing more."""
    world.init(change.setting)
    done = Counts.read(world.kakera("up", world.environment))
    after = world.things()
    gone, new = set(before) - set(after), set(after) - set(before)
    assert gone == {lost.id} and [after[made].urn for made in new] == [lost.urn]
    changed = [after[same] for same in set(before) & set(after) if after[same].state != before[same].state]
    assert Counter(thing.type for thing in changed) == change.updated
    assert after[drifted.id].state == drifted.state
    repairs = Counts(created=1, updated=1)
    assert (done.created, done.updated) == (repairs.created, repairs.updated + sum(change.updated.values()))
    assert (done.replaced, done.deleted) == (0, 0)
    assert not {thing.type for thing in changed if thing.type in HOLDERS} - set(change.updated)
    drives = {same: thing.state for same, thing in before.items() if thing.type == DISK}
    assert drives == {same: after[same].state for same in drives}


def _destroy_leaves_what_is_held(world: World) -> None:
    """What is protected and what that depends on, to the last."""
    wanted = {part: held(world.state(part)) for part in world.names()}
    world.kakera("destroy", world.environment, "--yes")
    for part, kept in wanted.items():
        assert set(world.state(part)) == kept, part
        assert set(world.things(part)) == world.state_ids(part)
    rest = world.things()
    assert sum(thing.type == DISK for thing in rest.values()) == _drives(world)


def _drives(world: World) -> int:
    plan = world.plan
    return sum(len(host.drives) for host in plan.hosts if host.machine is not None)
