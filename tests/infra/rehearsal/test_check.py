"""What the real provider would not take, each with one that it would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.rehearsal.check import check, normalise
from infra.rehearsal.metadata import Metadata, Resource
from infra.rehearsal.wire import UNKNOWN, Secret, Value
from tests.infra.rehearsal.data import ACCOUNT, BALANCER, BUCKET, INSTANCE, NETWORK, RAW, STORE, SWITCH

GOOD: dict[str, dict[str, Value]] = {
    NETWORK: {"cidrBlock": "10.0.0.0/16", "vpcName": "a", "tags": {"team": "x"}, "enableIpv6": False},
    SWITCH: {"vpcId": UNKNOWN, "cidrBlock": "10.0.1.0/24"},
    BUCKET: {"bucket": "b", "lifecycleRules": [{"enabled": True, "expirations": [{"days": 3}]}]},
    INSTANCE: {"dataDisks": [{"size": 20, "category": UNKNOWN}], "securityGroups": [UNKNOWN]},
    ACCOUNT: {"dbInstanceId": "rehearsal-1", "accountName": "a", "accountPassword": Secret("x")},
    BALANCER: {"vpcId": Secret(UNKNOWN), "zoneMappings": UNKNOWN},
    STORE: {"projectName": "p", "ranges": [{"id": 9}], "hotTtl": 7, "coldTtl": UNKNOWN, "retentionPeriod": 1},
}
BAD: tuple[tuple[str, dict[str, Value], str, str], ...] = (
    (NETWORK, {"cidrBlok": "10.0.0.0/16"}, "cidrBlok", "did you mean cidrBlock?"),
    (NETWORK, {"zzz": 1}, "zzz", "unknown argument"),
    (NETWORK, {"status": "Available"}, "status", "an output of the cloud"),
    (NETWORK, {"name": "a"}, "name", "deprecated: use vpcName"),
    (NETWORK, {"cidrBlock": 10}, "cidrBlock", "must be a string, not a number (10)"),
    (NETWORK, {"enableIpv6": "true"}, "enableIpv6", "must be true or false"),
    (NETWORK, {"tags": {"n": 1}}, "tags['n']", "must be a string"),
    (NETWORK, {"tags": ["x"]}, "tags", "must be a map, not a list"),
    (SWITCH, {"cidrBlock": "10.0.1.0/24"}, "vpcId", "required argument is missing"),
    (SWITCH, {"cidrBlock": "10.0.1.0/24", "vpcId": None}, "vpcId", "required argument is missing"),
    (BUCKET, {"storageClass": "Cold"}, "storageClass", "'Cold' is not one of Standard, IA, Archive"),
    (BUCKET, {"lifecycleRules": [{"prefix": "a"}]}, "lifecycleRules[0].enabled", "required"),
    (BUCKET, {"lifecycleRules": [{"enabled": True, "prefx": "a"}]}, "lifecycleRules[0].prefx", "mean prefix?"),
    (BUCKET, {"lifecycleRules": {"enabled": True}}, "lifecycleRules", "must be a list, not a map"),
    (INSTANCE, {"dataDisks": [{"size": True}]}, "dataDisks[0].size", "must be a whole number, not a boolean"),
    (INSTANCE, {"dataDisks": [{"size": 1.5}]}, "dataDisks[0].size", "must be a whole number"),
    (INSTANCE, {"dataDisks": [{"size": 1, "category": "ssd"}]}, "dataDisks[0].category", "not one of"),
    (NETWORK, {"vpcName": Secret(3)}, "vpcName", "a secret that does not fit: a string"),
    (STORE, {"mode": "m"}, "projectName", "give exactly one of projectName"),  # `project` is deprecated: never told
    (STORE, {"mode": "m", "projectName": None}, "projectName", "give exactly one of"),
    (STORE, {"projectName": "p"}, "mode", "give at least one of mode, telemetryType, ranges"),
    (STORE, {"projectName": "p", "mode": "m", "hotTtl": 7}, "hotTtl", "only together with coldTtl"),
    (STORE, {"projectName": "p", "mode": "m", "retentionPeriod": 0}, "retentionPeriod", "0 is not a whole number from"),
    (STORE, {"projectName": "p", "mode": "m", "retentionPeriod": 3651}, "retentionPeriod", "from 1 to 3650"),
    (STORE, {"projectName": "p", "ranges": [{"id": 10}]}, "ranges[0].id", "10 is not a whole number from 0 to 9"),
    (STORE, {"projectName": "p", "mode": "m", "retentionPeriod": Secret(0)}, "retentionPeriod", "secret that"),
    (STORE, {"projectName": "p", "mode": "m", "userCmk": "k", "encryptConf": {"arn": "a"}}, "encryptConf.arn",
     "conflicts with userCmk"),
)  # fmt: skip


def resource(token: str) -> Resource:
    found = Metadata(RAW).resource(token)
    assert found is not None
    return found


@pytest.mark.parametrize("token", GOOD)
def test_good_arguments_pass(token: str) -> None:
    assert check(resource(token), GOOD[token]) == ()


@pytest.mark.parametrize(("token", "inputs", "path", "reason"), BAD)
def test_each_bad_argument_is_named(token: str, inputs: dict[str, Value], path: str, reason: str) -> None:
    failures = check(resource(token), inputs)
    assert [failure.path for failure in failures] == [path]
    assert reason in failures[0].reason


def test_conflicts_are_told_of_both_sides() -> None:
    found = check(resource(NETWORK), {"vpcName": "a", "name": "b"})
    assert {failure.path for failure in found if "conflicts" in failure.reason} == {"vpcName", "name"}


def test_what_excludes_each_other_is_not_both_given() -> None:
    found = check(resource(STORE), {"mode": "m", "projectName": "p", "project": "p"})
    assert [(failure.path, failure.reason) for failure in found] == [
        ("project", "deprecated: use projectName"),
        ("projectName", "projectName and project exclude each other: give one of them"),
    ]


@pytest.mark.parametrize("name", ["projectName", "project", "mode", "telemetryType", "ranges"])
def test_what_is_not_known_yet_is_given(name: str) -> None:
    """At preview, where it may be another resource's output."""
    told: dict[str, Value] = {"projectName": "p", "mode": "m"}
    beside = {key: value for key, value in told.items() if (key == "mode") == (name in ("projectName", "project"))}
    for value in (UNKNOWN, Secret(UNKNOWN)):
        failures = check(resource(STORE), {**beside, name: value})
        assert [failure.reason for failure in failures if not failure.reason.startswith("deprecated")] == []


def test_what_is_not_known_yet_excludes_nothing() -> None:
    """It may still turn out not to be given."""
    for one, other in (("a", UNKNOWN), (UNKNOWN, "a"), (UNKNOWN, UNKNOWN), (Secret(UNKNOWN), Secret("a"))):
        given_: dict[str, Value] = {"projectName": "p", "mode": "m", "encryptConf": {"arn": one}, "userCmk": other}
        assert check(resource(STORE), given_) == ()
        reasons = [failure.reason for failure in check(resource(NETWORK), {"vpcName": one, "name": other})]
        assert reasons == ["deprecated: use vpcName"]
        failures = check(resource(STORE), {"mode": "m", "projectName": one, "project": other})
        assert [failure.reason for failure in failures] == ["deprecated: use projectName"]


def test_conflicts_inside_a_block_are_with_the_resources_own() -> None:
    """`name` inside a block is another argument than the one that is excluded."""
    inside: Value = {"arn": "a", "userCmk": "k"}
    failures = check(resource(STORE), {"mode": "m", "projectName": "p", "encryptConf": inside})
    assert [failure.path for failure in failures] == ["encryptConf.userCmk"]  # unknown there, and no conflict


def test_everything_wrong_is_told_at_once() -> None:
    assert len(check(resource(SWITCH), {"a": 1, "b": 2})) == 4


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        (BUCKET, {"storageClass": Secret("4321")}),
        (BUCKET, {"bucket": Secret(4321)}),
        (BUCKET, {"lifecycleRules": Secret([{"4321": 4321}])}),
        (STORE, {"projectName": "p", "mode": "m", "retentionPeriod": Secret(4321)}),
    ],
)
def test_a_secret_value_is_never_told(token: str, inputs: dict[str, Value]) -> None:
    for failure in check(resource(token), inputs):
        assert "4321" not in failure.reason
        assert "a secret that does not fit: " in failure.reason


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_any_misspelt_argument_fails(token: str, data: st.DataObject) -> None:
    known = resource(token).properties
    name = data.draw(st.text("abcdefgXYZ", min_size=1, max_size=12).filter(lambda text: text not in known))
    failures = check(resource(token), {**GOOD[token], name: "x"})
    assert [failure.path for failure in failures] == [name]


def test_normalised_arguments_hide_what_is_sensitive() -> None:
    given_ = {"dbInstanceId": "r", "accountName": None, "accountPassword": "hush"}
    once = normalise(resource(ACCOUNT), given_)
    assert once == {"dbInstanceId": "r", "accountPassword": Secret("hush")}
    assert normalise(resource(ACCOUNT), once) == once
