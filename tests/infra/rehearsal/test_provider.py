"""Each operation, as the engine would ask for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from infra.rehearsal.cloud import FILE, Cloud
from infra.rehearsal.faults import Fault, FaultKind, Faults
from infra.rehearsal.provider import Ask, Provider
from infra.rehearsal.refusal import HalfMade, Refusal
from infra.rehearsal.wire import UNKNOWN, Secret, Values, has_unknown
from tests.infra.rehearsal.data import ACCOUNT, BALANCER, BUCKET, INSTANCE, NETWORK, SWITCH

Asking = Callable[..., Ask]


def test_preview_knows_what_was_given_and_nothing_else(provider: Provider, ask: Asking, tmp_path: Path) -> None:
    identity, state = provider.create(ask(BUCKET), {"bucket": "b"}, preview=True)
    assert identity == ""
    assert state == {
        "bucket": "b", "storageClass": "Standard", "redundancyType": "LRS",
        "intranetEndpoint": UNKNOWN, "extranetEndpoint": UNKNOWN, "owner": UNKNOWN,
    }  # fmt: skip
    assert Cloud(tmp_path).things() == ()


def test_preview_of_blocks(provider: Provider, ask: Asking) -> None:
    mapping: Values = {"vswitchId": UNKNOWN, "zoneId": "a"}
    _, state = provider.create(ask(BALANCER), {"vpcId": UNKNOWN, "zoneMappings": [mapping]}, preview=True)
    assert state["zoneMappings"] == [{**mapping, "allocationId": UNKNOWN, "eniId": UNKNOWN}]


def test_what_is_made_is_read(provider: Provider, ask: Asking) -> None:
    inputs: Values = {"bucket": "b", "tags": {"a": "b"}}
    identity, state = provider.create(ask(BUCKET), inputs, preview=False)
    assert identity.startswith("rehearsal-bucket-")
    assert not has_unknown(state)
    assert state["intranetEndpoint"] == "oss-cn-hangzhou-internal.aliyuncs.com"
    seen = provider.read(ask(BUCKET, "x", identity), state, inputs)
    assert seen is not None
    assert (seen.state, seen.inputs) == (state, inputs)
    assert provider.diff(ask(BUCKET, "x", identity), state, inputs).changes == ()


def test_nothing_is_bought_for_a_time_unless_it_is_said(provider: Provider, ask: Asking) -> None:
    identity, state = provider.create(ask(INSTANCE), {}, preview=False)
    assert state["instanceChargeType"] == "PostPaid"
    provider.delete(ask(INSTANCE, "x", identity))
    identity, _ = provider.create(ask(INSTANCE), {"instanceChargeType": "PrePaid"}, preview=False)
    with pytest.raises(Refusal, match="forceDelete"):
        provider.delete(ask(INSTANCE, "x", identity))


def test_an_import_knows_only_the_id(provider: Provider, ask: Asking) -> None:
    inputs: Values = {"bucket": "b", "forceDestroy": True}
    identity, state = provider.create(ask(BUCKET), inputs, preview=False)
    seen = provider.read(ask(BUCKET, "other", identity), {}, {})
    assert seen is not None
    assert (seen.state, seen.inputs) == (state, inputs)
    with pytest.raises(Refusal, match=f"{identity} is a {BUCKET}, not a {NETWORK}"):
        provider.read(ask(NETWORK, "x", identity), {}, {})


def test_drift_is_read(provider: Provider, ask: Asking, tmp_path: Path) -> None:
    inputs: Values = {"vpcId": "rehearsal-v", "zoneMappings": [{"vswitchId": "rehearsal-s", "zoneId": "a"}]}
    identity, state = provider.create(ask(BALANCER), inputs, preview=False)
    there = ask(BALANCER, "x", identity)
    unchanged = provider.read(there, state, inputs)
    assert unchanged is not None
    assert unchanged.inputs == inputs  # what the cloud added to a block is no argument
    Cloud(tmp_path).drift(identity, {"loadBalancerName": "by hand", "dnsName": "new.example"})
    seen = provider.read(there, state, inputs)
    assert seen is not None
    assert seen.state["dnsName"] == "new.example"
    assert [change.path for change in provider.diff(there, seen.state, inputs).changes] == ["loadBalancerName"]
    Cloud(tmp_path).vanish(identity)
    assert provider.read(there, state, inputs) is None


def test_an_update_merges(provider: Provider, ask: Asking, tmp_path: Path) -> None:
    identity, state = provider.create(ask(NETWORK), {"vpcName": "a", "description": "d"}, preview=False)
    there = ask(NETWORK, "x", identity)
    Cloud(tmp_path).drift(identity, {"tags": {"by": "hand"}})
    wanted: Values = {"vpcName": "b", "enableIpv6": True}
    planned = provider.update(there, state, wanted, preview=True)
    after = provider.update(there, state, wanted, preview=False)
    assert after == {**planned, "tags": {"by": "hand"}}
    assert {name: after[name] for name in ("vpcName", "status", "routeTableId")} == {
        "vpcName": "b", "status": state["status"], "routeTableId": state["routeTableId"]
    }  # fmt: skip
    assert "description" not in after
    assert Cloud(tmp_path).things()[0].inputs == wanted


def test_a_preview_of_an_update_keeps_what_is_known(provider: Provider, ask: Asking) -> None:
    identity, state = provider.create(ask(NETWORK), {"vpcName": "a"}, preview=False)
    after = provider.update(ask(NETWORK, "x", identity), state, {"vpcName": UNKNOWN}, preview=True)
    assert after == {**state, "vpcName": UNKNOWN}


def test_no_secret_reaches_a_file(provider: Provider, ask: Asking, tmp_path: Path) -> None:
    inputs: Values = {
        "dbInstanceId": "rehearsal-db", "accountName": Secret("name-hush"), "accountPassword": Secret("word-hush"),
    }  # fmt: skip
    identity, state = provider.create(ask(ACCOUNT), inputs, preview=False)
    there = ask(ACCOUNT, "x", identity)
    changed: Values = {**inputs, "accountPassword": Secret("other-hush")}
    after = provider.update(there, state, changed, preview=False)
    assert after["accountPassword"] == Secret("other-hush")
    seen = provider.read(there, after, changed)
    assert seen is not None
    assert (seen.state, seen.inputs) == (after, changed)
    imported = provider.read(there, {}, {})
    assert imported is not None
    assert "accountPassword" not in imported.inputs
    assert list(tmp_path.glob("*"))
    for file in tmp_path.glob("*"):
        assert b"hush" not in file.read_bytes(), file
    assert (tmp_path / FILE).exists()


def test_replacement_order(provider: Provider, ask: Asking) -> None:
    identity, state = provider.create(ask(BUCKET), {"bucket": "b"}, preview=False)
    there = ask(BUCKET, "x", identity)
    same_name = provider.diff(there, state, {"bucket": "b", "storageClass": "IA"})
    assert [change.replaces for change in same_name.changes] == [True]
    assert same_name.delete_first
    assert not provider.diff(there, state, {"bucket": "c"}).delete_first
    identity, state = provider.create(ask(SWITCH), {"vpcId": "rehearsal-v", "cidrBlock": "c"}, preview=False)
    moved: Values = {"vpcId": "rehearsal-w", "cidrBlock": "c"}
    assert not provider.diff(ask(SWITCH, "x", identity), state, moved).delete_first


@pytest.mark.parametrize("kind", [FaultKind.QUOTA, FaultKind.THROTTLED, FaultKind.TIMEOUT])
def test_a_fault_on_the_way_makes_nothing(kind: FaultKind, provider: Provider, ask: Asking, tmp_path: Path) -> None:
    Faults(tmp_path).add(Fault(kind, operation="create"))
    with pytest.raises(Refusal):
        provider.create(ask(NETWORK), {}, preview=False)
    assert Cloud(tmp_path).things() == ()
    identity, _ = provider.create(ask(NETWORK), {}, preview=False)
    assert [thing.id for thing in Cloud(tmp_path).things()] == [identity]


def test_a_partial_create_says_what_there_is(provider: Provider, ask: Asking, tmp_path: Path) -> None:
    Faults(tmp_path).add(Fault(FaultKind.PARTIAL))
    with pytest.raises(HalfMade) as caught:
        provider.create(ask(NETWORK), {"vpcName": "a"}, preview=False)
    (thing,) = Cloud(tmp_path).things()
    assert (caught.value.identity, caught.value.inputs) == (thing.id, {"vpcName": "a"})
    assert caught.value.state["status"] == thing.state["status"]


def test_a_lost_answer_leaves_an_orphan(provider: Provider, ask: Asking, tmp_path: Path) -> None:
    Faults(tmp_path).add(Fault(FaultKind.LOST))
    with pytest.raises(Refusal) as caught:
        provider.create(ask(BUCKET), {"bucket": "b"}, preview=False)
    assert not isinstance(caught.value, HalfMade)
    with pytest.raises(Refusal, match="AlreadyExists"):
        provider.create(ask(BUCKET), {"bucket": "b"}, preview=False)
    assert len(Cloud(tmp_path).things()) == 1


def test_a_region_that_is_off(provider_of: Callable[[str], Provider], ask: Asking, tmp_path: Path) -> None:
    dark, lit = provider_of("cn-hangzhou"), provider_of("cn-shanghai")
    identity, state = dark.create(ask(NETWORK), {}, preview=False)
    there = ask(NETWORK, "x", identity)
    Faults(tmp_path).switch_off("cn-hangzhou")
    for reach in (
        lambda: dark.create(ask(NETWORK), {}, preview=False),
        lambda: dark.read(there, {}, {}),
        lambda: dark.update(there, state, {}, preview=False),
        lambda: dark.delete(there),
    ):
        with pytest.raises(Refusal, match="connection refused"):
            reach()
    # What needs no cloud goes on, and so does the other region.
    assert dark.check(ask(NETWORK), {})[1] == ()
    assert dark.diff(there, state, {}).changes == ()
    dark.create(ask(NETWORK), {}, preview=True)
    dark.update(there, state, {}, preview=True)
    lit.create(ask(NETWORK), {}, preview=False)
    Faults(tmp_path).switch_on("cn-hangzhou")
    dark.delete(there)


def test_an_id_of_the_real_cloud_is_refused_everywhere(provider: Provider, ask: Asking) -> None:
    real = ask(INSTANCE, "x", "i-bp1234567890")
    for touch in (
        lambda: provider.diff(real, {}, {}),
        lambda: provider.read(real, {}, {}),
        lambda: provider.update(real, {}, {}, preview=True),
        lambda: provider.update(real, {}, {}, preview=False),
        lambda: provider.delete(real),
    ):
        with pytest.raises(Refusal, match=r"'i-bp1234567890' is no rehearsal's.*real provider"):
            touch()


def test_a_type_that_the_data_file_lacks(provider: Provider, ask: Asking) -> None:
    (failure,) = provider.check(ask("alicloud:cs/kubernetes:Kubernetes"), {})[1]
    assert "alicloud:cs/kubernetes:Kubernetes is not in the rehearsal's data file" in failure.reason
    with pytest.raises(Refusal, match="tools/provider"):
        provider.create(ask("alicloud:cs/kubernetes:Kubernetes"), {}, preview=True)


def test_configuration(provider: Provider) -> None:
    assert provider.check_configuration({"region": "cn-hangzhou", "version": "3.105.0"}) == ()
    assert [failure.path for failure in provider.check_configuration({})] == ["region"]
    (failure,) = provider.check_configuration({"region": "r", "acountType": "x"})
    assert failure.reason == "unknown argument: did you mean accountType?"
    with pytest.raises(Refusal, match="region"):
        provider.configure({"region": ""})


def test_an_unknown_value_is_never_made(provider: Provider, ask: Asking, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="not known although this is no preview: vpcName"):
        provider.create(ask(NETWORK), {"vpcName": UNKNOWN}, preview=False)
    assert Cloud(tmp_path).things() == ()
