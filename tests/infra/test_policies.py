"""Policies on resources: each refuses what it should and takes what lies one step beside; every blueprint passes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.checks import Verdict
from infra.checks.policies import POLICIES, Resource, judged, refused
from infra.checks.policies.holders import (
    ACCOUNT_ACCESS,
    ACL,
    BUCKET,
    BUCKET_POLICY,
    CONNECTION,
    DATABASE,
    DISK,
    ENCRYPTION,
    OBJECT,
    PUBLIC_ACCESS,
    REPLICA,
)
from infra.checks.policies.identity import KEY, POLICY, TO_A_GROUP, TO_A_ROLE, TO_A_USER, USER
from infra.checks.policies.network import (
    ADDRESS,
    CLASSIC_BALANCER,
    FORWARD,
    INSTANCE,
    ROUTE,
    ROUTER_ROUTE,
    RULE,
    SCALED,
    TEMPLATE,
    VPN_POLICY_ROUTE,
    VPN_ROUTE,
)
from infra.checks.review import review
from infra.deploy.judged import refuse
from infra.export.graph import resources
from infra.rehearsal.metadata import Metadata
from tests.engine.test_options import OPTIONS
from tests.infra.cloud_blueprints import BLUEPRINTS, SHIPPED
from tests.infra.test_review import TODAY
from tests.provider.test_blueprints import plan_of

HOST: dict[str, Any] = {
    "vswitchId": "${alicloud_vswitch.a.id}", "systemDiskEncrypted": True, "securityEnhancementStrategy": "Active",
}  # fmt: skip
MADE: dict[str, Any] = {
    "networkType": "vpc", "systemDisk": {"encrypted": True}, "securityEnhancementStrategy": "Active",
}  # fmt: skip
SCALES: dict[str, Any] = {"systemDiskEncrypted": True, "securityEnhancementStrategy": "Active"}
OPEN: dict[str, Any] = {"type": "ingress", "policy": "accept", "ipProtocol": "tcp", "portRange": "22/22"}
BASE: dict[str, Any] = {
    "engine": "PostgreSQL", "vswitchId": "v", "sslAction": "Open", "securityIps": ["10.0.0.0/8"],
    "sqlCollectorStatus": "Enabled", "sqlCollectorConfigValue": 180,
    "parameters": [{"name": f"log_{what}", "value": "on"} for what in ("connections", "disconnections", "duration")],
}  # fmt: skip


WHOLE = ("acs:oss:*:*:a", "acs:oss:*:*:a/*")


def document(**statement: Any) -> dict[str, Any]:
    return {"policy": json.dumps({"Statement": [statement], "Version": "1"})}


def plain(tls: Any, *, effect: str = "Deny", who: Any = "*", over: Sequence[str] = ("*",)) -> dict[str, Any]:
    condition = {"Bool": {"acs:SecureTransport": tls}}
    return document(Effect=effect, Principal=[who], Action=["oss:*"], Resource=list(over), Condition=condition)


def account(action: Any, resource: Any, effect: str = "Allow") -> dict[str, Any]:
    statement = {"Action": action, "Effect": effect, "Resource": resource}
    return {"policyDocument": json.dumps({"Statement": statement})}


# policy, type, arguments that it refuses, arguments one step beside that it takes (None: it takes none of this type)
CASES: list[tuple[str, str, dict[str, Any], dict[str, Any] | None]] = [
    ("in-a-vpc", INSTANCE, {**HOST, "vswitchId": ""}, HOST),
    ("in-a-vpc", CLASSIC_BALANCER, {"addressType": "intranet"}, {"addressType": "internet"}),
    ("in-a-vpc", TEMPLATE, {**MADE, "networkType": "classic"}, MADE),
    ("hosts-private", INSTANCE, {**HOST, "internetMaxBandwidthOut": 1}, {**HOST, "internetMaxBandwidthOut": 0}),
    ("hosts-private", TEMPLATE, {**MADE, "internetMaxBandwidthOut": 100}, MADE),
    ("hosts-private", SCALED, {**SCALES, "internetMaxBandwidthOut": 100}, SCALES),
    ("hosts-private", ADDRESS, {"instanceType": "EcsInstance"}, {"instanceType": "Nat"}),
    ("hosts-private", FORWARD, {"internalPort": "22"}, None),
    ("in-a-vpc", DATABASE, {}, {"vswitchId": "${alicloud_vswitch.a.id}"}),
    ("ssh-closed", RULE, {**OPEN, "cidrIp": "0.0.0.0/0"}, {**OPEN, "cidrIp": "10.0.0.0/8"}),
    ("ssh-closed", RULE, {**OPEN, "ipv6CidrIp": "::/0"}, {**OPEN, "ipv6CidrIp": "fc00::/7"}),
    ("ssh-closed", RULE, {**OPEN, "cidrIp": "47.0.0.0/8"}, {**OPEN, "cidrIp": "47.1.0.0/16"}),
    ("ssh-closed", RULE, {**OPEN, "ipv6CidrIp": "2400::/8"}, {**OPEN, "ipv6CidrIp": "2400:3200::/32"}),
    ("ssh-closed", RULE, {**OPEN, "prefixListId": "pl-1"}, {**OPEN, "cidrIp": "100.64.0.0/10"}),
    ("ssh-closed", RULE, {**OPEN, "cidrIp": "everybody"}, {**OPEN, "sourceSecurityGroupId": "sg-1"}),
    (
        "ssh-closed",
        RULE,
        {**OPEN, "portRange": "1/22", "cidrIp": "0.0.0.0/1"},
        {**OPEN, "portRange": "23/80", "cidrIp": "0.0.0.0/1"},
    ),
    (
        "ssh-closed",
        RULE,
        {"type": "ingress", "ipProtocol": "all", "portRange": "-1/-1", "cidrIp": "0.0.0.0/0"},
        {"type": "ingress", "ipProtocol": "all", "portRange": "-1/-1", "cidrIp": "0.0.0.0/0", "policy": "drop"},
    ),
    (
        "ssh-closed",
        RULE,
        {"type": "ingress", "ipProtocol": "tcp", "cidrIp": "0.0.0.0/0"},
        {"type": "egress", "ipProtocol": "tcp", "cidrIp": "0.0.0.0/0"},
    ),
    (
        "rdp-closed",
        RULE,
        {**OPEN, "portRange": "3389/3389", "cidrIp": "0.0.0.0/0"},
        {**OPEN, "portRange": "3390/3390", "cidrIp": "0.0.0.0/0"},
    ),
    ("rules-narrow", RULE, {**OPEN, "ipProtocol": "all", "cidrIp": "10.0.0.0/8"}, {**OPEN, "cidrIp": "10.0.0.0/8"}),
    (
        "rules-narrow",
        RULE,
        {**OPEN, "portRange": "22/23", "cidrIp": "10.0.0.0/8"},
        {**OPEN, "portRange": "${a.b.c}", "cidrIp": "${a.b.c}"},
    ),
    ("rules-narrow", RULE, OPEN, {**OPEN, "sourceSecurityGroupId": "${alicloud_security_group.a.id}"}),
    (
        "routes-narrow",
        ROUTE,
        {"nexthopType": "Attachment", "destinationCidrblock": "0.0.0.0/0"},
        {"nexthopType": "NatGateway", "destinationCidrblock": "0.0.0.0/0"},
    ),
    ("routes-narrow", VPN_ROUTE, {"routeDest": "0.0.0.0/0"}, {"routeDest": "192.168.0.0/16"}),
    (
        "routes-narrow",
        ROUTER_ROUTE,
        {"transitRouterRouteEntryDestinationCidrBlock": "0.0.0.0/0"},
        {"transitRouterRouteEntryDestinationCidrBlock": "10.0.0.0/8"},
    ),
    ("routes-narrow", VPN_POLICY_ROUTE, {"routeDest": "0.0.0.0/1"}, {"routeDest": "10.0.0.0/8"}),
    ("disks-encrypted", DISK, {}, {"encrypted": True}),
    ("disks-encrypted", SCALED, {"systemDiskEncrypted": False}, SCALES),
    ("disks-encrypted", TEMPLATE, {"systemDiskCategory": "cloud_essd"}, MADE),
    ("disks-encrypted", INSTANCE, {**HOST, "systemDiskEncrypted": False}, HOST),
    (
        "disks-encrypted",
        INSTANCE,
        {**HOST, "dataDisks": [{"encrypted": True}, {"size": 40}]},
        {**HOST, "dataDisks": [{"encrypted": True}]},
    ),
    ("disks-encrypted", TEMPLATE, {"systemDisk": {"encrypted": False}}, {"systemDisk": {"encrypted": True}}),
    ("agent-installed", INSTANCE, {**HOST, "securityEnhancementStrategy": "Deactive"}, HOST),
    ("agent-installed", SCALED, {"systemDiskEncrypted": True}, SCALES),
    ("buckets-private", ACL, {"acl": "public-read"}, {"acl": "private"}),
    ("buckets-private", PUBLIC_ACCESS, {"blockPublicAccess": False}, {"blockPublicAccess": True}),
    (
        "buckets-private",
        BUCKET_POLICY,
        plain(["false"], effect="Allow"),
        plain(["false"], effect="Allow", who="123456"),
    ),
    ("buckets-private", BUCKET_POLICY, document(Effect="Allow", NotPrincipal=["1"]), document(Effect="Allow")),
    ("buckets-private", ACCOUNT_ACCESS, {"blockPublicAccess": False}, {"blockPublicAccess": True}),
    ("buckets-private", BUCKET, {"bucket": "a", "acl": "private"}, {"bucket": "a"}),
    ("objects-private", OBJECT, {"acl": "public-read-write"}, {}),
    ("buckets-over-tls", BUCKET_POLICY, plain(["true"]), plain(["false"])),
    ("buckets-over-tls", BUCKET_POLICY, plain(["false"], who="123456"), plain("false")),
    ("buckets-over-tls", BUCKET_POLICY, plain("false", over=["acs:oss:*:*:a/only/*", "acs:oss:*:*:a"]), plain("false")),
    ("buckets-over-tls", BUCKET_POLICY, plain("false", over=["acs:oss:*:*:a/*"]), plain("false", over=WHOLE)),
    ("buckets-over-tls", BUCKET_POLICY, {"policy": "{"}, {"policy": "${alicloud_oss_bucket.a.policy}"}),
    ("buckets-encrypted", ENCRYPTION, {"sseAlgorithm": "None"}, {"sseAlgorithm": "AES256"}),
    ("database-over-tls", DATABASE, {**BASE, "sslAction": "Close"}, BASE),
    ("database-closed", DATABASE, {**BASE, "securityIps": ["10.0.0.0/8", "0.0.0.0/0"]}, BASE),
    ("database-over-tls", REPLICA, {"sslEnabled": 0}, {"sslEnabled": 1}),
    ("database-closed", DATABASE, {**BASE, "securityIps": ["10.0.0.0/8,0.0.0.0/0"]}, BASE),
    ("database-closed", REPLICA, {"securityIps": ["everybody"]}, {"securityIps": ["10.0.0.1"]}),
    ("database-closed", CONNECTION, {"instanceId": "pgm-1"}, None),
    ("database-audited", DATABASE, {**BASE, "sqlCollectorStatus": "Disabled"}, BASE),
    ("database-audited", DATABASE, {**BASE, "sqlCollectorConfigValue": 30}, BASE),
    ("database-audited", DATABASE, {**BASE, "sqlCollectorConfigValue": "180"}, BASE),
    ("database-logs", DATABASE, {**BASE, "parameters": BASE["parameters"][:2]}, BASE),
    ("database-logs", DATABASE, {**BASE, "parameters": None}, {**BASE, "parameters": None, "engine": "MySQL"}),
    ("policies-least", POLICY, account("*", "*"), account(["oss:GetObject"], "*")),
    ("policies-least", POLICY, account(["oss:GetObject", "*:*"], ["*"]), account("*", "*", "Deny")),
    ("policies-least", POLICY, account("*", "acs:*:*:*:*"), account("*", "acs:oss:*:*:a")),
    ("policies-least", POLICY, {"document": account("*", "*")["policyDocument"]}, account("oss:*", "*")),
    ("policies-least", POLICY, {"statements": [{"effect": "Allow"}]}, {}),
    (
        "policies-least",
        POLICY,
        {"policyDocument": json.dumps({"Statement": [{"Effect": "Allow", "NotAction": ["ram:*"], "Resource": "*"}]})},
        {"policyDocument": json.dumps({"Statement": [{"Effect": "Deny", "NotAction": ["ram:*"], "Resource": "*"}]})},
    ),
    ("policies-least", TO_A_ROLE, {"policyName": "AdministratorAccess"}, {"policyName": "AliyunOSSReadOnlyAccess"}),
    ("policies-least", TO_A_GROUP, {"policyName": "AdministratorAccess"}, {"policyName": "mine"}),
    ("policies-on-roles", TO_A_USER, {"userName": "a"}, None),
    ("no-standing-keys", USER, {"name": "a"}, None),
    ("no-standing-keys", KEY, {"userName": "a"}, None),
]


def names(kind: str, properties: dict[str, Any]) -> list[str]:
    return [said.partition(":")[0] for said in refused(Resource(kind, "one", properties))]


@pytest.mark.parametrize(("policy", "kind", "wrong", "right"), CASES)
def test_boundary(policy: str, kind: str, wrong: dict[str, Any], right: dict[str, Any] | None) -> None:
    assert policy in names(kind, wrong)
    if right is not None:
        assert policy not in names(kind, right)


def test_every_policy_has_a_boundary_of_types_the_provider_has() -> None:
    assert {case[0] for case in CASES} == set(POLICIES)
    for policy in POLICIES.values():
        assert all(Metadata.load().resource(kind) for kind in (*policy.types, *policy.owed))
        assert set(policy.owed) <= set(policy.types)


def test_a_bucket_without_its_guards_is_found() -> None:
    guards: list[tuple[str, dict[str, Any]]] = [
        (ACL, {"acl": "private"}),
        (PUBLIC_ACCESS, {"blockPublicAccess": True}),
        (BUCKET_POLICY, plain(["false"])),
        (ENCRYPTION, {"sseAlgorithm": "KMS"}),
    ]
    whole = [Resource(BUCKET, "a", {"bucket": "a"})]
    whole += [Resource(kind, f"a-{number}", {**found, "bucket": "a"}) for number, (kind, found) in enumerate(guards)]
    assert {one.verdict for one in judged(whole)} == {Verdict.PASS}
    elsewhere = [Resource(BUCKET, "b", {"bucket": "b"}), *whole[1:]]
    failed = {one.check: one for one in judged(elsewhere) if one.verdict is Verdict.FAIL}
    assert set(failed) == {"buckets-private", "buckets-over-tls", "buckets-encrypted"}
    assert failed["buckets-encrypted"].detail == "b has no BucketServerSideEncryption"
    assert failed["buckets-encrypted"].findings[0].hint == POLICIES["buckets-encrypted"].remedy


@given(
    kind=st.sampled_from(sorted({kind for policy in POLICIES.values() for kind in policy.types})),
    properties=st.dictionaries(
        st.sampled_from(sorted({name for *_, wrong, right in CASES for name in {**wrong, **(right or {})}})),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["*", "0.0.0.0/0", "${a.b}", "on"]),
            lambda one: st.lists(one) | st.dictionaries(st.sampled_from(["encrypted", "name", "value"]), one),
            max_leaves=4,
        ),
    ),
)
def test_whatever_is_asked_for_is_judged(kind: str, properties: dict[str, Any]) -> None:
    """A policy never breaks down."""
    assert all(isinstance(said, str) for said in refused(Resource(kind, "one", properties)))
    assert len(judged([Resource(kind, "one", properties)])) == len(POLICIES)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(DISK, "encrypted"), (ACL, "acl"), (DATABASE, "securityIps"), (DATABASE, "sslAction"), (RULE, "portRange")],
)
def test_what_only_the_cloud_knows_is_not_judged(kind: str, name: str) -> None:
    whole = {**OPEN, **BASE, "acl": "private", "encrypted": True, "cidrIp": "10.0.0.0/8"}
    assert not names(kind, {**whole, name: "${alicloud_vpc.a.id}"})


@given(document=st.recursive(
    st.none() | st.booleans() | st.text() | st.sampled_from(["Allow", "*"]),
    lambda one: st.lists(one) | st.dictionaries(st.sampled_from(["Statement", "Effect", "Action", "Resource"]), one),
))  # fmt: skip
def test_whatever_a_policy_says_is_read(document: Any) -> None:
    for kind, name in ((POLICY, "policyDocument"), (BUCKET_POLICY, "policy")):
        assert list(refused(Resource(kind, "one", {name: json.dumps(document)}))) is not None


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "laptop"])
def test_every_blueprint_passes(name: str) -> None:
    plan = plan_of((BLUEPRINTS / f"{name}.yaml").read_text(), {"protect": True})
    assert {one.check: one.detail for one in judged(resources(plan)) if one.verdict is not Verdict.PASS} == {}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_passes(name: str) -> None:
    plan = plan_of(OPTIONS[name].blueprint, OPTIONS[name].settings)
    assert {one.check: one.detail for one in judged(resources(plan)) if one.verdict is not Verdict.PASS} == {}


def test_a_public_classic_balancer_passes() -> None:
    """It lies in no VPC, for the cloud has none that the Internet reaches in one."""
    plan = plan_of(OPTIONS["clb"].blueprint, {"balancer": {"kind": "clb", "public": True}})
    assert {one.check: one.detail for one in judged(resources(plan)) if one.verdict is not Verdict.PASS} == {}


def test_resources_are_judged_once_nothing_else_fails() -> None:
    def wrong(_plan: object) -> list[Resource]:
        return [Resource(DISK, "disk-1", {})]

    text = (BLUEPRINTS / "single-ecs.yaml").read_text()
    found = review(text, name="a.yaml", today=TODAY, graph=wrong)
    assert [problem.message for problem in found.problems] == ["disks-encrypted: disk-1 is not encrypted"]
    assert found.plan is not None
    broken = review(text.replace("ssh-ed25519", "ssh-dss"), name="a.yaml", today=TODAY, graph=wrong)
    assert not [one for one in broken.outcomes if one.check in POLICIES]
    local = review((BLUEPRINTS / "laptop.yaml").read_text(), name="a.yaml", today=TODAY, graph=wrong)
    assert not [one for one in local.outcomes if one.check in POLICIES]


def test_no_waiver_lets_a_resource_pass() -> None:
    text = (BLUEPRINTS / "single-ecs.yaml").read_text()
    waived = text + "waivers: [{check: disks-encrypted, reason: nobody reads disks, until: 2027-01-01}]\n"
    found = review(waived, name="a.yaml", today=TODAY)
    assert [problem.message for problem in found.problems] == ["waivers-sound: 'disks-encrypted' cannot be waived"]


def test_the_program_refuses_while_it_runs() -> None:
    """Whatever was added to it, of the arguments that are known by then; an output is not."""

    def registered(encrypted: object) -> None:
        props = {"zoneId": "cn-hangzhou-h", "encrypted": encrypted}
        opts = pulumi.ResourceOptions()
        refuse(pulumi.ResourceTransformArgs(custom=True, type_=DISK, name="disk-1", props=props, opts=opts))

    registered(encrypted=True)
    registered(encrypted=pulumi.Output)
    with pytest.raises(pulumi.RunError, match=r"disks-encrypted: disk-1 is not encrypted \(remedy: encrypted: true"):
        registered(encrypted=False)
