"""The classes of a change, what is refused, and what is said to be left undone: pure."""

from __future__ import annotations

from typing import Any

import pytest

from infra.blueprint.plan import Plan, failure_domain
from infra.components.compute import domains as hosts_by_domain
from infra.components.released import PROTECTION, unprotected
from infra.engine.changes import (
    ATTACHMENT,
    INSTANCE,
    Harm,
    Row,
    Step,
    classified,
    classify,
    domains,
    postponed,
    refusals,
    stranded,
    table,
)
from infra.engine.stacks import blocked_steps
from infra.naming import DRIVES_TAG
from infra.rehearsal.metadata import Metadata
from infra.rehearsal.rules import held
from tests.infra.cloud_blueprints import cloud_plan

DISK = "alicloud:ecs/ecsDisk:EcsDisk"
RULE = "alicloud:ecs/securityGroupRule:SecurityGroupRule"
WITHOUT_ANY_ROW = "alicloud:nas/fileSystem:FileSystem"


def step(op: str, kind: str = DISK, name: str = "d1", **other: Any) -> Step:
    return Step(op=op, urn=f"urn:pulumi:s::kakera::{kind}::{name}", type=kind, **other)


def hosts(plan: Plan, role: str = "storage") -> list[str]:
    return [host.name for host in plan.hosts if host.role == role]


def attached(host: str) -> list[Step]:
    """A host that is there and has a drive."""
    inputs = {"instanceId": f"id-{host}", "diskId": "d"}
    return [step("same", ATTACHMENT, f"{host}-1-attachment", inputs=inputs)]


@pytest.mark.parametrize(
    ("found", "harm"),
    [
        (step("same"), Harm.NONE),
        (step("read"), Harm.NONE),
        (step("refresh"), Harm.NONE),
        (step("create"), Harm.ONLINE),
        (step("update", properties=("size", "category")), Harm.ONLINE),
        (step("update", RULE, properties=("whatever",)), Harm.ONLINE),
        (step("update", properties=("size", "snapshotId")), Harm.UNKNOWN),
        (step("update"), Harm.UNKNOWN),
        (step("update", WITHOUT_ANY_ROW, properties=("description",)), Harm.UNKNOWN),
        (step("update", INSTANCE, properties=("tags", "instanceType")), Harm.REBOOT),
        (step("update", INSTANCE, properties=("instanceType", "nobodyKnows")), Harm.REBOOT),
        (step("replace", replacing=("kmsKeyId",)), Harm.REPLACE),
        (step("create-replacement"), Harm.REPLACE),
        (step("delete-replaced"), Harm.REPLACE),
        (step("delete"), Harm.DESTROY),
        (step("discard"), Harm.DESTROY),
    ],
)
def test_the_class_of_a_step(found: Step, harm: Harm) -> None:
    change = classify(found)
    assert change.harm is harm and change.why


def test_classes_are_ordered_by_what_they_hurt() -> None:
    assert sorted(Harm) == [Harm.NONE, Harm.ONLINE, Harm.UNKNOWN, Harm.REBOOT, Harm.REPLACE, Harm.DESTROY]


def test_a_reason_names_every_argument_that_stops_it() -> None:
    why = classify(step("update", INSTANCE, properties=("tags", "userData", "privateIp"))).why
    assert "userData: " in why and "privateIp: " in why and "tags" not in why


def test_one_replacement_is_one_change_and_tells_its_reason() -> None:
    told = [step("create-replacement"), step("replace", replacing=("kmsKeyId",)), step("delete-replaced")]
    (change,) = classified(told)
    assert change.harm is Harm.REPLACE and "kmsKeyId" in change.why


def test_components_and_what_stays_are_no_changes() -> None:
    own = [step("delete", "kakera:cloud:Compute"), step("create", "pulumi:pulumi:Stack")]
    assert classified([step("same"), *own]) == ()


def test_the_worst_comes_first() -> None:
    found = classified([step("create", name="a"), step("delete", name="c"), step("delete", name="b")])
    assert [change.name for change in found] == ["b", "c", "a"]


def test_a_host_holds_what_its_drives_do_and_without_drives_nothing() -> None:
    going = [step("delete", INSTANCE, name, id=f"id-{name}") for name in ("s1", "g1")]
    found = {change.name: bool(change.holds) for change in classified([*going, *attached("s1")])}
    assert (found["s1"], found["g1"]) == (True, False)


OWN = {"instanceType": "ecs.d3s.2xlarge"}


def test_a_host_that_drives_are_in_holds_them() -> None:
    """By its type, for there is no attachment; where it is protected the engine tells neither id nor arguments."""
    for going in (step("delete", INSTANCE, "s1", id="i", inputs=OWN), step("delete", INSTANCE, "s1", protected=True)):
        (reason,) = refusals(cloud_plan(), classified([going]))
        assert reason.startswith("s1 would be destroyed") and "--release s1 --confirm s1" in reason
    gateway = step("delete", INSTANCE, "g1", id="i", inputs={"instanceType": "ecs.c7.large"})
    assert not refusals(cloud_plan(), classified([gateway]))


@pytest.mark.parametrize("argument", ["deploymentSetId", "instanceType"])
def test_what_moves_a_host_away_from_its_drives_is_a_loss(argument: str) -> None:
    moved = step("update", INSTANCE, "s1", id="i", properties=("tags", argument), inputs=OWN)
    (change,) = classified([moved])
    assert change.harm is Harm.REPLACE and argument in change.why and change.holds
    assert len(refusals(cloud_plan(), (change,))) == 1
    (other,) = classified([step("update", INSTANCE, "s1", id="i", properties=(argument,), inputs={})])
    assert other.harm < Harm.REPLACE


def test_a_host_with_drives_keeps_its_network() -> None:
    """Another switch is another address, by which nobody knows it; a gateway is stopped and goes on there."""
    moved = step("update", INSTANCE, "s1", id="i-1", properties=("vswitchId",))
    attached = step("same", ATTACHMENT, "s1-1", inputs={"instanceId": "i-1"})
    (change,) = classified([moved, attached])
    assert (change.harm, bool(change.holds)) == (Harm.REPLACE, True)
    assert "--release s1 --confirm s1" in refusals(cloud_plan(), (change,))[0]
    (gateway,) = classified([moved])
    assert (gateway.harm, gateway.holds) == (Harm.REBOOT, "")
    assert not refusals(cloud_plan(), (gateway,))


def test_a_host_that_drives_are_in_is_not_given_disks_in_their_place() -> None:
    """It would lose its protection by an edit that changes nothing of it."""
    plan = cloud_plan()
    name = hosts(plan)[0]
    (reason,) = stranded(plan, [step("same", INSTANCE, name, inputs=OWN)])
    assert reason.startswith(f"{name}: ") and "remedy: " in reason
    own = cloud_plan(survive="host", storage={"instance_type": "ecs.d3s.2xlarge"})
    assert not stranded(own, [step("same", INSTANCE, name, inputs=OWN)])
    assert not stranded(plan, [step("same", INSTANCE, name, inputs={"instanceType": "ecs.g7.large"})])


@pytest.mark.parametrize(
    ("planned", "there", "told", "reason"),
    [
        ({"instance_type": "ecs.i4.16xlarge"}, "ecs.d3s.4xlarge", "8", "has 8 drives in the host, and the Plan has 4"),
        ({"instance_type": "ecs.d3s.4xlarge", "drives_per_host": 7}, "ecs.d3s.4xlarge", "8", "and the Plan has 7"),
        ({"instance_type": "ecs.d3s.4xlarge", "drives_per_host": 7}, "ecs.d3s.4xlarge", None, "and the Plan has 7"),
        ({"instance_type": "ecs.d3s.2xlarge", "drives_per_host": 2}, "ecs.d3s.2xlarge", "3", "has 3 drives"),
        ({"instance_type": "ecs.d3s.4xlarge"}, "ecs.d3s.2xlarge", "4", "has 8 drives in the host, and a"),
        ({"instance_type": "ecs.d3s.4xlarge"}, "ecs.d3s.2xlarge", None, "a ecs.d3s.2xlarge has 4"),
        # Of no catalogue: the tag alone says what the store has, and nobody what there is.
        ({"instance_type": "ecs.i4.16xlarge"}, "ecs.i2.4xlarge", "8", "has 8 drives in the host"),
        ({"instance_type": "ecs.i4.16xlarge"}, "ecs.i2.4xlarge", None, ""),
        # More of those that are there, as many on another type, and what was tagged by hand after a drain.
        ({"instance_type": "ecs.d3s.2xlarge"}, "ecs.d3s.2xlarge", "3", ""),
        ({"instance_type": "ecs.d3s.4xlarge", "drives_per_host": 4}, "ecs.d3s.2xlarge", "4", ""),
        ({"instance_type": "ecs.d3s.4xlarge", "drives_per_host": 4}, "ecs.d3s.4xlarge", "4", ""),
    ],
)
def test_no_drive_in_a_host_leaves_the_store_or_is_missing_unsaid(
    planned: dict[str, Any], there: str, told: str | None, reason: str
) -> None:
    plan = cloud_plan(survive="host", storage=planned)
    inputs = {"instanceType": there, "tags": {DRIVES_TAG: told} if told else None}
    names = hosts(plan)[:2]
    found = stranded(plan, [step("update", INSTANCE, name, inputs=inputs) for name in names])
    assert len(found) == bool(reason)
    for one in found:
        assert one.startswith(f"{', '.join(names)}: ") and reason in one
        assert "remedy: undo the edit" in one and "destroy kakera-dev --release HOST --confirm HOST" in one


def test_a_host_that_comes_or_goes_is_stranded_nowhere() -> None:
    plan = cloud_plan(survive="host", storage={"instance_type": "ecs.d3s.4xlarge", "drives_per_host": 7})
    there = {"instanceType": "ecs.d3s.4xlarge"}
    assert not stranded(plan, [step("create", INSTANCE, hosts(plan)[0]), step("same", INSTANCE, "gone", inputs=there)])


def test_a_stop_and_a_start_leave_drives_in_a_host_as_they_are() -> None:
    (change,) = classified([step("update", INSTANCE, "s1", id="i", properties=("hostName",), inputs=OWN)])
    assert change.harm is Harm.REBOOT and not refusals(cloud_plan(), (change,))


def test_what_is_protected_holds_something_whatever_its_type() -> None:
    assert classify(step("delete", RULE)).holds == ""
    assert classify(step("delete", RULE, protected=True)).holds


# --- refusals --------------------------------------------------------------------------------------------------------
def test_a_lost_holder_is_refused_once_with_its_remedy() -> None:
    steps = [step("delete"), step("delete", ATTACHMENT, "d1-attachment"), step("delete", RULE, "d1-rule")]
    (reason,) = refusals(cloud_plan(), classified(steps))
    assert "d1-attachment" not in reason
    assert "d1 would be destroyed" in reason and "destroy kakera-dev --release d1 --confirm d1" in reason


def test_an_attachment_alone_is_not_taken_away_either() -> None:
    assert len(refusals(cloud_plan(), classified([step("delete", ATTACHMENT, "d1-attachment")]))) == 1


def test_a_drive_is_not_given_up_because_its_host_is_replaced() -> None:
    steps = [step("replace", INSTANCE, "s1", id="id-s1"), step("replace", ATTACHMENT, "s1-1-attachment",
             inputs={"instanceId": "id-s1"})]  # fmt: skip
    (reason,) = refusals(cloud_plan(), classified(steps))
    assert reason.startswith("s1 would be replaced")


def test_what_is_given_up_is_the_whole_and_never_a_guard_of_it() -> None:
    """Of a protected bucket that goes the engine tells the guards alone, for they would go first."""
    kinds = {"acl": "alicloud:oss/bucketAcl:BucketAcl", "policy": "alicloud:oss/bucketPolicy:BucketPolicy"}
    steps = [step("delete", kind, f"acme-logs-{word}", protected=True) for word, kind in kinds.items()]
    (reason,) = refusals(cloud_plan(), classified(steps))
    assert reason.startswith("acme-logs would be destroyed") and "--release acme-logs --confirm acme-logs" in reason


def test_every_reason_is_told_in_one_run() -> None:
    plan = cloud_plan()
    steps = [step("delete"), step("replace", name="e1")]
    steps += [step("update", INSTANCE, host, properties=("hostName",)) for host in hosts(plan)]
    assert len(refusals(plan, classified(steps))) == 3


@pytest.mark.parametrize("properties", [("instanceType",), ("somethingNew",)])
def test_hosts_of_two_zones_do_not_stop_at_once(properties: tuple[str, ...]) -> None:
    plan = cloud_plan()
    first, second, *_ = hosts(plan)
    one = classified([step("update", INSTANCE, first, properties=properties)])
    both = classified([step("update", INSTANCE, name, properties=properties) for name in (first, second)])
    assert refusals(plan, one) == ()
    (reason,) = refusals(plan, both)
    assert "2 failure domains" in reason and "up kakera-dev --domain cn-hangzhou-h" in reason


def test_all_hosts_of_one_zone_may_stop_where_a_zone_may_be_lost_and_not_where_a_host_may() -> None:
    zones = cloud_plan(storage={"hosts_per_zone": 2})
    here = [host.name for host in zones.hosts if host.zone == "cn-hangzhou-h" and host.drives]
    changes = classified([step("update", INSTANCE, name, properties=("instanceType",)) for name in here])
    assert len(here) == 2 and refusals(zones, changes) == ()
    by_host = cloud_plan(storage={"hosts_per_zone": 2}, survive="host")
    assert set(domains(by_host, changes)) == set(here)
    assert "failure domains" in refusals(by_host, changes)[0]


def test_hosts_that_come_or_change_online_stop_nothing() -> None:
    plan = cloud_plan()
    names = hosts(plan)
    changes = classified([
        step("create", INSTANCE, names[0]), step("update", INSTANCE, names[1], properties=("tags",)),
        step("update", INSTANCE, names[2], properties=("instanceType",)),
    ])  # fmt: skip
    assert list(domains(plan, changes)) == ["cn-hangzhou-k"] and refusals(plan, changes) == ()


def test_hosts_follow_each_other_by_what_fails_together() -> None:
    plan = cloud_plan(storage={"hosts_per_zone": 2}, gateways={"per_zone": 1})
    zones = hosts_by_domain(plan.hosts, survive="zone")
    assert [{host.zone for host in domain} for domain in zones] == [
        {"cn-hangzhou-h"}, {"cn-hangzhou-j"}, {"cn-hangzhou-k"}
    ]  # fmt: skip
    assert sum(map(len, zones)) == len(plan.hosts)
    alone = hosts_by_domain(plan.hosts, survive="host")
    assert [len(domain) for domain in alone] == [1] * len(plan.hosts)
    assert failure_domain("drive", plan.hosts[0]) == plan.hosts[0].name


# --- what is left undone ---------------------------------------------------------------------------------------------
def there(plan: Plan, name: str, **other: Any) -> Step:
    host = plan.host(name)
    assert host.machine is not None
    inputs = {"instanceType": host.machine.instance_type, "imageId": host.machine.image, "privateIp": host.address}
    return step("same", INSTANCE, name, inputs={**inputs, **other})


def test_a_type_that_the_plan_wants_and_up_leaves_is_said_once_for_all_hosts() -> None:
    plan = cloud_plan(gateways={"per_zone": 1})
    small = [there(plan, name, instanceType="ecs.old") for name in hosts(plan)]
    (line,) = postponed(plan, small)
    wanted = plan.host(hosts(plan)[0]).machine
    assert wanted is not None and f"wants {wanted.instance_type}, and ecs.old is there" in line
    assert all(name in line for name in hosts(plan))


def test_nothing_is_said_where_all_is_as_planned_or_of_what_up_changes() -> None:
    plan = cloud_plan(gateways={"per_zone": 1})
    assert postponed(plan, [there(plan, host.name) for host in plan.hosts]) == ()
    assert postponed(plan, [there(plan, hosts(plan, "gateway")[0], instanceType="ecs.old")]) == ()
    assert postponed(plan, [step("create", INSTANCE, hosts(plan)[0])]) == ()


# --- the table -------------------------------------------------------------------------------------------------------
def test_every_row_is_of_a_type_that_is_there_with_arguments_that_are() -> None:
    known = Metadata.load()
    for kind, row in table().items():
        resource = known.resource(kind)
        assert resource is not None, kind
        named = {*(row.reboot or {}), *row.online} - {"tags"}
        assert not named - resource.properties.keys(), (kind, named - resource.properties.keys())
        assert not set(row.reboot or {}) & row.online, kind
        assert row.source, kind


def test_no_argument_with_a_row_is_one_that_replaces() -> None:
    """The engine says those itself; a row would never be read."""
    known = Metadata.load()
    for kind, row in table().items():
        resource = known.resource(kind)
        assert resource is not None
        replaced = {name for name in {*(row.reboot or {}), *row.online} & resource.properties.keys()
                    if resource.properties[name].replaces}  # fmt: skip
        assert not replaced, (kind, replaced)


def test_a_table_of_ones_own() -> None:
    rows = {DISK: Row(holds="it", source="x", reboot={"size": "it stops"})}
    assert classify(step("update", properties=("size",)), rows).harm is Harm.REBOOT
    assert classify(step("update", RULE, properties=("port",)), rows).harm is Harm.UNKNOWN


def test_what_the_engine_stops_at_before_it_has_a_step_is_a_step_all_the_same() -> None:
    """A bucket's name is fixed, so the old one would go first: the engine refuses before it plans."""
    urn = "urn:pulumi:s::kakera::kakera:cloud:Buckets$alicloud:oss/bucket:Bucket::b"
    words = f'unable to replace resource "{urn}"\nas it is currently marked for protection. To unprotect …'
    (found,) = blocked_steps([words, "preview failed"])
    assert (found.type, found.name, found.protected) == ("alicloud:oss/bucket:Bucket", "b", True)
    assert refusals(cloud_plan(), classified([found]))


def test_what_is_let_go_has_the_protection_that_the_cloud_enforces_and_no_other() -> None:
    known = Metadata.load()
    for kind, off in PROTECTION.items():
        resource = known.resource(kind)
        assert resource is not None and off.keys() <= resource.properties.keys(), kind
        given = {"name": "x", **dict.fromkeys(off, "on")}
        assert held(kind, given) and not held(kind, {"pendingWindowInDays": 7, **unprotected(kind, given)}), kind
    assert unprotected("alicloud:ecs/ecsDisk:EcsDisk", {"size": 20}) == {"size": 20}
    assert unprotected(INSTANCE, {"hostName": "x"}) == {"hostName": "x"}
