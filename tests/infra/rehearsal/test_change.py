"""What an update would change: arguments against the state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.rehearsal import computed
from infra.rehearsal.change import Act, Change, changes
from infra.rehearsal.metadata import Metadata, Resource
from infra.rehearsal.wire import UNKNOWN, Secret, Value, Values
from tests.infra.rehearsal.data import ACCOUNT, BALANCER, BUCKET, INSTANCE, NETWORK, RAW, STORE, SWITCH

U, A, D = Act.UPDATE, Act.ADD, Act.DELETE


def resource(token: str) -> Resource:
    found = Metadata(RAW).resource(token)
    assert found is not None
    return found


def made(token: str, inputs: Values) -> Values:
    return computed.created(resource(token), computed.Subject("cn-hangzhou", token, "rehearsal-x-1", inputs))


MAPPINGS: list[Value] = [{"vswitchId": f"rehearsal-{zone}", "zoneId": zone} for zone in "abc"]
CASES: tuple[tuple[str, Values, Values, tuple[Change, ...]], ...] = (
    (NETWORK, {"vpcName": "a"}, {"vpcName": "b"}, (Change("vpcName", U, False),)),
    (NETWORK, {}, {"vpcName": "b"}, (Change("vpcName", A, False),)),
    (NETWORK, {"description": "a"}, {}, (Change("description", D, False),)),
    (NETWORK, {"cidrBlock": "10.0.0.0/16"}, {}, ()),  # computed: the cloud keeps it
    (NETWORK, {"enableIpv6": False}, {}, ()),
    (NETWORK, {"tags": {"a": "1", "b": "2"}}, {"tags": {"a": "3", "c": "4"}},
     (Change('tags["a"]', U, False), Change('tags["b"]', D, False), Change('tags["c"]', A, False))),
    (SWITCH, {"cidrBlock": "10.0.1.0/24"}, {"cidrBlock": "10.0.2.0/24"}, (Change("cidrBlock", U, True),)),
    (SWITCH, {"vpcId": "rehearsal-1"}, {"vpcId": UNKNOWN}, (Change("vpcId", U, True),)),
    (BUCKET, {"storageClass": "IA"}, {}, (Change("storageClass", U, True),)),  # back to its default
    (BUCKET, {}, {"storageClass": "Standard"}, ()),
    (BUCKET, {"lifecycleRules": [{"enabled": True}]}, {"lifecycleRules": [{"enabled": False}]},
     (Change("lifecycleRules[0].enabled", U, False),)),
    (BUCKET, {"lifecycleRules": [{"enabled": True}]}, {}, (Change("lifecycleRules", D, False),)),
    (INSTANCE, {"dataDisks": [{"size": 20}]}, {"dataDisks": [{"size": 40}]}, (Change("dataDisks[0].size", U, True),)),
    (INSTANCE, {"dataDisks": [{"size": 20}]}, {"dataDisks": [{"size": 20}, {"size": 20}]},
     (Change("dataDisks[1]", A, True),)),
    (INSTANCE, {"securityGroups": ["a", "b"]}, {"securityGroups": ["b", "c"]},
     (Change("securityGroups[1]", U, False),)),
    (INSTANCE, {"securityGroups": ["a"]}, {"securityGroups": ["a", UNKNOWN]}, (Change("securityGroups[1]", A, False),)),
    (INSTANCE, {"imageId": "a"}, {"imageId": "b"}, (Change("imageId", U, False),)),
    (INSTANCE, {"privateIp": "10.0.0.1"}, {}, ()),
    (ACCOUNT, {"accountPassword": Secret("a")}, {"accountPassword": Secret("b")},
     (Change("accountPassword", U, False),)),
    (ACCOUNT, {"accountPassword": Secret("a")}, {"accountPassword": "a"}, ()),
    (BALANCER, {"zoneMappings": MAPPINGS}, {"zoneMappings": MAPPINGS[:2]}, (Change("zoneMappings[2]", D, False),)),
    # A block that replaces: when it comes and goes; inside it, what says so itself.
    (STORE, {}, {"encryptConf": {"enable": True}}, (Change("encryptConf", A, True),)),
    (STORE, {"encryptConf": {"enable": True}}, {}, (Change("encryptConf", D, True),)),
    (STORE, {"encryptConf": {"enable": True}}, {"encryptConf": UNKNOWN}, (Change("encryptConf", U, True),)),
    (STORE, {"encryptConf": {"enable": True}}, {"encryptConf": {"enable": False, "encryptType": "a"}},
     (Change("encryptConf.enable", U, False), Change("encryptConf.encryptType", A, True))),
    # A list of blocks that replaces: its number, and inside as above.
    (STORE, {"ranges": [{"beginKey": "a"}]}, {"ranges": [{"beginKey": "b"}]},
     (Change("ranges[0].beginKey", U, False),)),
    (STORE, {"ranges": [{"id": 1}]}, {"ranges": [{"id": 2}]}, (Change("ranges[0].id", U, True),)),
    (STORE, {"ranges": [{"beginKey": "a"}]}, {"ranges": [{"beginKey": "a"}, {"beginKey": "b"}]},
     (Change("ranges[1]", A, True),)),
    (STORE, {"ranges": [{"beginKey": "a"}]}, {"ranges": []}, (Change("ranges[0]", D, True),)),
    (STORE, {}, {"ranges": [{"beginKey": "a"}]}, (Change("ranges", A, True),)),
    (STORE, {"zones": [{"zoneId": "a"}, {"zoneId": "b"}]}, {"zones": [{"zoneId": "c"}, {"zoneId": "a"}]},
     (Change("zones[0]", U, False),)),
    (STORE, {"zones": [{"zoneId": "a"}]}, {"zones": [{"zoneId": "a"}, {"zoneId": "b"}]},
     (Change("zones[1]", A, True),)),
    (STORE, {"zones": [{"zoneId": "a"}]}, {"zones": [{"zoneId": "b", "first": True}]},
     (Change("zones[0]", U, True),)),
    # False and 0 where nothing was: they count where they would replace, but tell no elements of a set apart.
    (NETWORK, {}, {"enableIpv6": False}, ()),
    (STORE, {}, {"appendMeta": False}, (Change("appendMeta", A, True),)),
    (STORE, {"appendMeta": False}, {}, ()),
    (STORE, {"appendMeta": False}, {"appendMeta": False}, ()),
    (STORE, {"ranges": [{"beginKey": "a"}]}, {"ranges": [{"beginKey": "a", "id": 0}]},
     (Change("ranges[0].id", A, True),)),
    (STORE, {"zones": [{"zoneId": "a"}]}, {"zones": [{"zoneId": "a", "first": False}]}, ()),
    # A list of texts or a map that replaces: any change.
    (STORE, {"keys": ["a"]}, {"keys": ["b"]}, (Change("keys[0]", U, True),)),
    (STORE, {"keys": ["a"]}, {"keys": ["a", "b"]}, (Change("keys[1]", A, True),)),
    (STORE, {"labels": {"a": "1"}}, {"labels": {"a": "2"}}, (Change('labels["a"]', U, True),)),
)  # fmt: skip


@pytest.mark.parametrize(("token", "before", "after", "expected"), CASES)
def test_each_change(token: str, before: Values, after: Values, expected: tuple[Change, ...]) -> None:
    # What is required and the same on both sides does not matter here.
    required = {name: "same" for name, known in resource(token).properties.items() if known.required}
    required.pop("zoneMappings", None)
    assert changes(resource(token), made(token, {**required, **before}), {**required, **after}) == expected


def test_ignored_paths() -> None:
    state = made(NETWORK, {"tags": {"a": "1", "b": "2"}, "vpcName": "x"})
    wanted: Values = {"tags": {"a": "2", "b": "3"}, "vpcName": "y"}
    found = changes(resource(NETWORK), state, wanted, ['tags["a"]', "vpc"])
    assert [change.path for change in found] == ["vpcName", 'tags["b"]']


TEXT = st.text("abc", min_size=1, max_size=3)
INPUTS = {
    NETWORK: st.fixed_dictionaries(
        {}, optional={"vpcName": TEXT, "description": TEXT, "tags": st.dictionaries(TEXT, TEXT, max_size=3),
                      "enableIpv6": st.booleans()}
    ),
    BUCKET: st.fixed_dictionaries(
        {"bucket": TEXT},
        optional={
            "storageClass": st.sampled_from(["Standard", "IA"]),
            "lifecycleRules": st.lists(
                st.fixed_dictionaries(
                    {"enabled": st.booleans()},
                    optional={"expirations": st.lists(st.fixed_dictionaries({"days": st.integers(0, 3)}), max_size=3)},
                ),
                max_size=3,
            ),
        },
    ),
    BALANCER: st.fixed_dictionaries(
        {"vpcId": TEXT, "zoneMappings": st.permutations(MAPPINGS)}, optional={"loadBalancerName": TEXT}
    ),
}  # fmt: skip
TOKENS = st.sampled_from(sorted(INPUTS))


@given(TOKENS, st.data())
def test_what_was_made_needs_no_change(token: str, data: st.DataObject) -> None:
    inputs = data.draw(INPUTS[token])
    assert changes(resource(token), made(token, inputs), inputs) == ()


@given(TOKENS, st.data())
def test_after_an_update_nothing_is_left_to_change(token: str, data: st.DataObject) -> None:
    before, after = data.draw(INPUTS[token]), data.draw(INPUTS[token])
    state = made(token, before)
    subject = computed.Subject("cn-hangzhou", token, "rehearsal-x-1", after)
    updated = computed.updated(resource(token), subject, state)
    assert changes(resource(token), updated, after) == ()
    # An update that changes nothing leaves the state as it was.
    if not changes(resource(token), state, after):
        assert changes(resource(token), updated, before) == ()


@given(st.permutations(MAPPINGS), st.permutations(MAPPINGS))
def test_the_order_of_a_set_is_no_change(one: list[Value], other: list[Value]) -> None:
    state = made(BALANCER, {"vpcId": "v", "zoneMappings": one})
    assert changes(resource(BALANCER), state, {"vpcId": "v", "zoneMappings": other}) == ()


@given(TOKENS, st.data())
def test_what_is_unknown_changes(token: str, data: st.DataObject) -> None:
    inputs = data.draw(INPUTS[token].filter(bool))
    name = data.draw(st.sampled_from(sorted(inputs)))
    found = changes(resource(token), made(token, inputs), {**inputs, name: UNKNOWN})
    assert {change.name for change in found} == {name}
