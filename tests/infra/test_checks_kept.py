"""Checks on quotas, losses, names and what production keeps: each fails where it should and passes one step beside."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from infra import checks
from infra.blueprint import catalogue, quotas
from infra.blueprint.cloud import PlannedBucket
from infra.blueprint.plan import Plan
from infra.checks import Verdict
from infra.checks.outcome import Where
from infra.checks.table import CHECKS
from tests.infra.cloud_blueprints import BEIJING, HANGZHOU, ROOM, cloud_plan
from tests.infra.test_checks_cloud import BOUNDARIES, HYBRID, TWO_ZONES, outcome

PROD: dict[str, Any] = {"environment": "prod", "tags": {"owner": "storage@kakera.test"}}
CDN = {"domain": "static.kakera.test"}
DNS = {"domain": "kakera.test"}
TWINS: list[dict[str, Any]] = [{"name": "k-dev-cn-hangzhou-h-storage-1", "zone": "rack", "drives": 9}]


def ranges(count: int) -> dict[str, Any]:
    return {"network": {"client_cidrs": [f"172.16.{number}.0/24" for number in range(count)]}}


def cold_bucket(domain: str) -> dict[str, Any]:
    room = {**ROOM, "path": "custom-domain", "domain": domain, "certificate": "c"}
    return {**HYBRID, "regions": [TWO_ZONES], "dns": DNS, "onprem": room}


# check, fields where it does not pass, fields one step beside, and the place of the finding
KEPT: list[tuple[str, dict[str, Any], dict[str, Any], Where]] = [
    (
        "cidr-growth",
        {**HYBRID, "onprem": {**ROOM, "cidr": "192.168.10.4/31"}},
        {**HYBRID, "onprem": {**ROOM, "cidr": "192.168.10.4/30"}},
        ("onprem", "cidr"),
    ),
    (
        "services-range-free",
        {**HYBRID, "onprem": {**ROOM, "cidr": "100.64.10.0/24"}},
        {**HYBRID, "onprem": {**ROOM, "cidr": "100.128.10.0/24"}},
        ("onprem", "cidr"),
    ),
    (
        "services-range-free",
        {**HYBRID, "onprem": {**ROOM, "cidr": "169.254.10.0/24"}},
        {**HYBRID, "onprem": {**ROOM, "cidr": "169.254.12.0/24"}},
        ("onprem", "cidr"),
    ),
    (
        "writes-survive-loss",  # three drives of 2+1: without one there are two, and a write needs three
        {**PROD, "survive": "drive", "k": 2, "m": 1, "storage": {"drives_per_host": 1}},
        {**PROD, "survive": "drive", "k": 2, "m": 1, "storage": {"drives_per_host": 2}},
        ("m",),
    ),
    (
        "writes-survive-loss",  # two of three hosts hold ten drives between them, and a write of 9+1 needs ten
        {**PROD, "survive": "host", "k": 9, "m": 1, "storage": {"drives_per_host": 4}},
        {**PROD, "survive": "host", "k": 9, "m": 1, "storage": {"drives_per_host": 5}},
        ("m",),
    ),
    (
        "local-drives-geometry",
        {"survive": "drive", "storage": {"instance_type": "ecs.d3s.4xlarge"}},
        {"survive": "host", "storage": {"instance_type": "ecs.d3s.4xlarge"}},
        ("survive",),
    ),
    (
        "local-drives-geometry",  # as many drives as may be lost
        {"survive": "drive", "storage": {"instance_type": "ecs.d3s.4xlarge", "drives_per_host": 5}},
        {"survive": "drive", "storage": {"instance_type": "ecs.d3s.4xlarge", "drives_per_host": 4}},
        ("survive",),
    ),
    (
        "local-drives-geometry",  # of no catalogue: judged by its family
        {"survive": "drive", "storage": {"instance_type": "ecs.i2.2xlarge"}},
        {"survive": "drive", "storage": {"instance_type": "ecs.ic5.2xlarge"}},  # no drives of its own
        ("survive",),
    ),
    (
        "local-drives-geometry",  # 5+4: three instances of two drives take six fragments, of four they take twelve
        {"survive": "host", "storage": {"instance_type": "ecs.i4.8xlarge"}},
        {"survive": "host", "storage": {"instance_type": "ecs.i3.8xlarge"}},
        ("storage", "hosts_per_zone"),
    ),
    (
        "local-drives-fit",
        {"storage": {"instance_type": "ecs.d3s.2xlarge", "drives_per_host": 5}},
        {"storage": {"instance_type": "ecs.d3s.2xlarge", "drives_per_host": 3}},  # one stays empty
        ("storage", "drives_per_host"),
    ),
    (
        "local-drives-fit",
        {"storage": {"instance_type": "ecs.d3s.2xlarge", "drive_gib": 11_918}},  # its GB
        {"storage": {"instance_type": "ecs.d3s.2xlarge", "drive_gib": 11_100}},
        ("storage", "drive_gib"),
    ),
    (
        "local-drives-fit",
        {"storage": {"instance_type": "ecs.d3s.2xlarge", "disk_category": "cloud_auto"}},
        {"storage": {"instance_type": "ecs.g7.2xlarge", "disk_category": "cloud_auto"}},
        ("storage", "disk_category"),
    ),
    (
        "local-drives-fit",
        {"storage": {"instance_type": "ecs.d3s.2xlarge", "performance_level": "PL0"}},
        {"storage": {"instance_type": "ecs.d3s.2xlarge"}},
        ("storage", "performance_level"),
    ),
    (
        "local-drives-fit",
        {"gateways": {"per_zone": 1, "instance_type": "ecs.i4.2xlarge"}},
        {"gateways": {"per_zone": 1, "instance_type": "ecs.c7.2xlarge"}},
        ("gateways", "instance_type"),
    ),
    (
        "local-drives-fit",  # those of a group are no hosts of the Plan
        {"gateways": {"scaling": True, "instance_type": "ecs.i4.2xlarge"}},
        {"gateways": {"scaling": True, "instance_type": "ecs.c7.2xlarge"}},
        ("gateways", "instance_type"),
    ),
    (
        "entrances-survive-zone",
        {"gateways": {"scaling": True, "min": 1}},
        {"gateways": {"scaling": True, "min": 2}},
        ("gateways", "min"),
    ),
    (
        "entrances-survive-zone",
        {"gateways": {"scaling": True, "min": 0}},
        {"gateways": {"scaling": True, "min": 0}, "survive": "host"},
        ("gateways", "min"),
    ),
    (
        "seat-apart",
        {"regions": [HANGZHOU, BEIJING], "seat": "cn-hangzhou"},
        {"regions": [HANGZHOU, BEIJING], "active": "cn-beijing"},  # a failover moves no seat
        ("seat",),
    ),
    ("admin-ranges-narrow", {"network": {"admin_cidrs": ["8.8.8.0/23"]}}, {}, ("network", "admin_cidrs")),
    (
        "admin-ranges-narrow",
        {"network": {"admin_cidrs": ["11.0.0.0/8"]}},
        {"network": {"admin_cidrs": ["8.8.8.0/24", "10.0.0.0/8"]}},
        ("network", "admin_cidrs"),
    ),
    (
        "names-distinct",
        {"name": "k", "hosts": TWINS},
        {"name": "l", "hosts": TWINS},
        ("hosts", TWINS[0]["name"], "name"),
    ),
    (
        "records-distinct",
        {"dns": DNS, "cdn": {"domain": "s3.kakera.test"}},
        {"dns": DNS, "cdn": CDN},
        ("cdn", "domain"),
    ),
    (
        "records-distinct",  # the record of each region
        {"dns": DNS, "cdn": {"domain": "s3-cn-hangzhou.kakera.test"}},
        {"dns": {**DNS, "record": "oss"}, "cdn": {"domain": "s3.kakera.test"}},
        ("cdn", "domain"),
    ),
    (
        "records-distinct",
        cold_bucket("s3.kakera.test"),
        cold_bucket("cold.kakera.test"),
        ("onprem", "domain"),
    ),
    ("tags-legal", {"tags": {"acs:cost": "x"}}, {"tags": {"cost": "x"}}, ("tags", "acs:cost")),
    ("tags-legal", {"tags": {"page": "https://x"}}, {"tags": {"page": "x"}}, ("tags", "page")),
    ("tags-legal", {"tags": {"k" * 65: "x"}}, {"tags": {"k" * 64: "x"}}, ("tags", "k" * 65)),
    ("tags-legal", {"tags": {"": "x"}}, {}, ("tags", "")),
    ("tags-legal", {"tags": {"k": "x" * 129}}, {"tags": {"k": "x" * 128}}, ("tags", "k")),
    ("tags-legal", {"tags": {f"k{n}": "" for n in range(17)}}, {"tags": {f"k{n}": "" for n in range(16)}}, ("tags",)),
    ("tags-complete", {"environment": "prod"}, PROD, ("tags", "owner")),
    ("tags-complete", {**PROD, "tags": {"owner": " "}}, {"environment": "staging"}, ("tags", "owner")),
    (
        "disk-sizes-sold",
        {"storage": {"performance_level": "PL2", "drive_gib": 460}},
        {"storage": {"performance_level": "PL2", "drive_gib": 461}},
        ("storage", "drive_gib"),
    ),
    (
        "disk-sizes-sold",
        {"storage": {"disk_category": "cloud_auto", "drive_gib": 39}},
        {"storage": {"disk_category": "cloud_essd", "drive_gib": 39}},
        ("storage", "drive_gib"),
    ),
    (
        "bandwidth-sold",
        {**HYBRID, "interconnect": {"kind": "vpn", "bandwidth_mbps": 30}},
        {**HYBRID, "interconnect": {"kind": "vpn", "bandwidth_mbps": 50}},
        ("interconnect", "bandwidth_mbps"),
    ),
    ("quotas-kept", ranges(200), ranges(12), ("network", "client_cidrs")),
    (
        "quotas-kept",
        {"storage": {"hosts_per_zone": 21}},
        {"storage": {"hosts_per_zone": 20}},
        ("storage", "hosts_per_zone"),
    ),
    (
        "quotas-kept",
        {"gateways": {"per_zone": 20}},
        {"gateways": {"per_zone": 19}},
        ("storage", "hosts_per_zone"),
    ),
    (
        "backups-kept",
        {**PROD, "storage": {"snapshot_days": 6}},
        {**PROD, "storage": {"snapshot_days": 7}},
        ("storage", "snapshot_days"),
    ),
    (
        "backups-kept",
        {**PROD, "tier": {"noncurrent_days": 6}},
        {"environment": "staging", "tier": {"noncurrent_days": 6}},
        ("tier", "noncurrent_days"),
    ),
    ("logs-kept", {**PROD, "network": {"flow_log": False}}, PROD, ("network", "flow_log")),
    (
        "logs-kept",
        {**PROD, "network": {"log_days": 364}},
        {**PROD, "network": {"log_days": 365}},
        ("network", "log_days"),
    ),
    (
        "buckets-hardened",
        {**PROD, "tier": {"redundancy": "LRS"}},
        {"environment": "staging", "tier": {"redundancy": "LRS"}},
        ("tier", "redundancy"),
    ),
    (
        "database-encrypted",
        {**PROD, "database": {"enabled": True}},
        {**PROD, "database": {"enabled": True}, "keys": {"mode": "default-cmk", "existing": {"cn-hangzhou": "key-1"}}},
        ("keys", "mode"),
    ),
    (
        "edge-encrypted",
        {**PROD, "balancer": {"public": True}, "cdn": CDN},
        {**PROD, "balancer": {"public": True}, "cdn": {**CDN, "certificate": "c"}},
        ("cdn",),
    ),
    (
        "cost-ceiling",
        {"max_monthly": {"amount": 1}},
        {},
        ("max_monthly", "amount"),
    ),
]


@pytest.mark.parametrize(("check", "failing", "passing", "where"), KEPT)
def test_boundary(check: str, failing: dict[str, Any], passing: dict[str, Any], where: Where) -> None:
    assert outcome(cloud_plan(**passing), check).verdict is Verdict.PASS, outcome(cloud_plan(**passing), check).detail
    found = outcome(cloud_plan(**failing), check)
    assert found.verdict is Verdict.FAIL
    assert any(finding.where[: len(where)] == where for finding in found.findings), found.findings


def test_a_balancer_in_front_of_too_many_hosts() -> None:
    """Only what the balancer leads to is counted, and the finding names its knob."""
    zones = {**HANGZHOU, "zones": [f"cn-hangzhou-{letter}" for letter in "befgh"]}
    many = cloud_plan(balancer={"kind": "clb"}, gateways={"per_zone": 50}, regions=[zones])
    found = outcome(many, "quotas-kept")
    (behind,) = (finding for finding in found.findings if finding.where == ("gateways", "per_zone"))
    assert "250 hosts behind a CLB, at most 200" in behind.text
    assert "Quota Center" in behind.hint


@pytest.mark.parametrize(
    ("check", "fields", "where"),
    [
        ("cidr-growth", {"network": {"existing": {"cn-hangzhou": "vpc-bp1"}}}, ("network", "existing", "cn-hangzhou")),
        ("image-known", {"image": "m-bp1of-mine"}, ("image",)),
    ],
)
def test_what_cannot_be_judged_is_unknown(check: str, fields: dict[str, Any], where: Where) -> None:
    found = outcome(cloud_plan(**fields), check)
    assert (found.verdict, found.where) == (Verdict.UNKNOWN, where)
    assert found.findings[0].hint
    assert outcome(cloud_plan(), check).verdict is Verdict.PASS


def test_a_quota_without_a_figure_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = quotas.Quota(name="set-hosts", what="hosts of a deployment set in one zone")
    monkeypatch.setitem(quotas.shipped(), "set-hosts", unknown)
    assert outcome(cloud_plan(), "quotas-kept").verdict is Verdict.UNKNOWN


def test_drives_that_nobody_places_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A type of the catalogue of which no source says where its drives are."""
    known = catalogue.shipped()
    kind = known.types[0].model_copy(update={"type": "ecs.x.large", "drives": None})
    changed = known.model_copy(update={"types": (*known.types, kind)})
    monkeypatch.setattr(catalogue, "shipped", lambda: changed)

    def judged(name: str, survive: str) -> checks.Outcome:
        plan = cloud_plan(survive=survive, storage={"instance_type": name})
        return outcome(plan, "local-drives-geometry")

    assert judged("ecs.x.large", "drive").verdict is Verdict.UNKNOWN
    assert judged("ecs.x.large", "host").verdict is Verdict.PASS


def test_every_quota_has_a_source_that_is_there() -> None:
    for quota in quotas.shipped().values():
        assert quota.source in catalogue.shipped().sources
        assert (quota.most, quota.least, quota.among) != (None, None, ())


# What expansion never does: a Plan that was broken on purpose.
def _buckets(change: Callable[[PlannedBucket], dict[str, Any]]) -> Callable[[Plan], Plan]:
    def damaged(plan: Plan) -> Plan:
        region = plan.regions[0]
        buckets = tuple(bucket.model_copy(update=change(bucket)) for bucket in region.buckets)
        return plan.model_copy(update={"regions": (region.model_copy(update={"buckets": buckets}),)})

    return damaged


def _with_other_tags(plan: Plan) -> Plan:
    region = plan.regions[0]
    tags = {**region.tags, "kakera:part": "elsewhere"}
    return plan.model_copy(update={"regions": (region.model_copy(update={"tags": tags}),)})


@pytest.mark.parametrize(
    ("check", "damage"),
    [
        ("buckets-hardened", _buckets(lambda bucket: {"versioning": False})),
        ("buckets-hardened", _buckets(lambda bucket: {"log_target": None})),
        ("names-distinct", _buckets(lambda bucket: {"name": "one"})),
        ("tags-complete", _with_other_tags),
    ],
)
def test_a_damaged_plan_is_found(check: str, damage: Callable[[Plan], Plan]) -> None:
    assert outcome(cloud_plan(), check).verdict is Verdict.PASS
    assert outcome(damage(cloud_plan()), check).verdict is Verdict.FAIL


def test_production_with_everything_passes() -> None:
    """No check asks production for what another forbids."""
    whole = cloud_plan(
        **PROD, dns=DNS, database={"enabled": True}, keys={"mode": "default-cmk", "existing": {"cn-hangzhou": "key-1"}}
    )
    found = checks.run(whole, today=datetime.date(2026, 6, 1))
    assert {one.check: one.detail for one in found if one.verdict is not Verdict.PASS} == {}


def test_every_check_is_tested_and_says_what_it_proves() -> None:
    damaged = {
        "disk-encryption-preflight",
        "disks-attachable",
        "health-port-guarded",
        "image-known",
        "outputs-produced",
        "secrets-referenced",
    }
    elsewhere = {"zone-holds-fragments", "profile-supported", "plain-http-stays-home"}
    assert set(CHECKS) == {boundary[0] for boundary in (*BOUNDARIES, *KEPT)} | damaged | elsewhere
    for rule in CHECKS.values():
        assert rule.proves.endswith((".", ").")) and rule.remedy and rule.topic
        assert not rule.remedy.endswith(".")
