"""The one address of a region, of each kind."""

from __future__ import annotations

from typing import Any

import pytest

from infra.blueprint.cloud import PlannedBalancer, PlannedListener, PlannedLogStore
from infra.components.balancer import Balancer, BalancerArgs
from tests.infra.components.house import children, types
from tests.infra.components.recorder import Recorded, named, of_type, only, record

INNER = {"nlb": "NetworkBalancer", "alb": "ApplicationBalancer", "clb": "ClassicBalancer"}
ADDRESS = {"nlb": "nlb.example", "alb": "alb.example", "clb": "10.1.3.9"}
KINDS = sorted(INNER)
LOG = PlannedLogStore(project="logs", store="balancer", retention_days=365)


def plan(kind: Any, **other: Any) -> PlannedBalancer:
    given: dict[str, Any] = {
        "name": "entry",
        "public": False,
        "switches": ("h-shared", "i-shared"),
        "security_group": None if kind == "clb" else "sg-balancer",
        "listener": listener(),
        "targets": ("g1", "g2"),
        "certificate": "cert-1" if kind == "alb" else None,
        "log": LOG if kind == "alb" else None,
    }
    return PlannedBalancer(kind=kind, **{**given, **other})


def listener(**other: Any) -> PlannedListener:
    given = {"name": "listener", "port": 443, "target_port": 9000, "health_port": 9080, "health_path": "/health/ready"}
    return PlannedListener(**{**given, **other})


def built(planned: PlannedBalancer, **other: Any) -> list[Recorded]:
    """All but the outer component, which is checked here: the inner one is its child, and tells the same."""
    given: dict[str, Any] = {
        "vpc_id": "vpc-1",
        "switches": {
            "h-shared": ("cn-hangzhou-h", "vsw-h"),
            "i-shared": ("cn-hangzhou-i", "vsw-i"),
            "j-shared": ("cn-hangzhou-j", "vsw-j"),
        },
        "security_group_id": "sg-1" if planned.security_group else None,
        "targets": {"g1": "i-1", "g2": "i-2", "other": "i-3"},
        "protect": True,
        "log_project": "logs" if planned.log else None,
        "log_store": "balancer" if planned.log else None,
    }
    args = BalancerArgs(plan=planned, **{**given, **other})
    found = record(lambda opts: Balancer("balancer", args, opts))
    outer, inner = only(found, "Balancer"), only(found, INNER[planned.kind])
    assert inner.parent == outer.urn
    assert inner.outputs == outer.outputs
    rest = [one for one in found if one is not outer]
    children(rest, INNER[planned.kind])
    return rest


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_tells(kind: str) -> None:
    assert only(built(plan(kind)), INNER[kind]).outputs == {
        "address": ADDRESS[kind],
        "balancerId": "entry-id",
        "serverGroupId": "entry-servers-id",
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protect", [True, False])
def test_protected_on_both_sides_or_on_none(kind: str, protect: bool) -> None:
    found = built(plan(kind), protect=protect)
    assert {one.name for one in found if one.protect} == ({"entry"} if protect else set())
    sent = named(found, "entry").inputs
    switch = sent["deleteProtection"] == "on" if kind == "clb" else sent["deletionProtectionEnabled"]
    assert switch is protect


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("public", [True, False])
def test_public_when_asked_for_alone(kind: str, public: bool) -> None:
    sent = named(built(plan(kind, public=public)), "entry").inputs
    assert sent["addressType"].lower() == ("internet" if public else "intranet")


# --- NLB -------------------------------------------------------------------------------------------------------------
def test_an_nlb_spans_its_zones_and_lets_in_whom_its_group_names() -> None:
    found = built(plan("nlb"))
    assert types(found) == [
        "Listener",
        "LoadBalancer",
        "NetworkBalancer",
        "ServerGroup",
        "ServerGroupServerAttachment",
        "ServerGroupServerAttachment",
    ]
    sent = only(found, "LoadBalancer").inputs
    assert sent["zoneMappings"] == [
        {"zoneId": "cn-hangzhou-h", "vswitchId": "vsw-h"},
        {"zoneId": "cn-hangzhou-i", "vswitchId": "vsw-i"},
    ]
    assert (sent["crossZoneEnabled"], sent["securityGroupIds"]) == (True, ["sg-1"])


def test_an_nlb_passes_bytes_through() -> None:
    found = built(plan("nlb", idle_timeout_s=700))
    sent = only(found, "Listener").inputs
    assert (sent["listenerProtocol"], sent["listenerPort"], sent["idleTimeout"]) == ("TCP", 443, 700)
    assert (sent["loadBalancerId"], sent["serverGroupId"]) == ("entry-id", "entry-servers-id")
    assert sent["proxyProtocolEnabled"] is False, "the server does not speak it"
    assert not {"certificateIds", "caCertificateIds"} & set(sent)
    group = only(found, "ServerGroup").inputs
    assert (group["protocol"], group["vpcId"]) == ("TCP", "vpc-1")
    assert group["preserveClientIpEnabled"] is False, "the groups of the hosts admit the balancer's addresses alone"
    assert group["connectionDrainEnabled"] is True


def test_an_nlb_asks_the_health_port() -> None:
    check = only(built(plan("nlb")), "ServerGroup").inputs["healthCheck"]
    assert (check["healthCheckEnabled"], check["healthCheckType"], check["httpCheckMethod"]) == (True, "HTTP", "GET")
    assert (check["healthCheckConnectPort"], check["healthCheckUrl"]) == (9080, "/health/ready")
    assert check["healthCheckHttpCodes"] == ["http_2xx"]


@pytest.mark.parametrize("kind", ["nlb", "clb"])
def test_its_targets_are_the_plans(kind: str) -> None:
    found = of_type(built(plan(kind)), "ServerGroupServerAttachment")
    assert [(one.name, one.inputs["serverId"], one.inputs["port"]) for one in found] == [
        ("listener-g1", "i-1", 9000),
        ("listener-g2", "i-2", 9000),
    ]
    assert {one.inputs["serverGroupId"] for one in found} == {"entry-servers-id"}
    assert not of_type(built(plan(kind, targets=())), "ServerGroupServerAttachment")


# --- ALB -------------------------------------------------------------------------------------------------------------
def test_an_alb_ends_tls_and_changes_no_byte() -> None:
    found = built(plan("alb", idle_timeout_s=900))
    sent = only(found, "Listener").inputs
    assert (sent["listenerProtocol"], sent["listenerPort"]) == ("HTTPS", 443)
    assert sent["certificates"] == {"certificateId": "cert-1"}
    assert sent["securityPolicyId"] == "tls_cipher_policy_1_2_strict_with_1_3"
    assert (sent["gzipEnabled"], sent["http2Enabled"]) == (False, True)
    assert (sent["requestTimeout"], sent["idleTimeout"]) == (600, 600)
    (action,) = sent["defaultActions"]
    assert action["forwardGroupConfig"]["serverGroupTuples"] == [{"serverGroupId": "entry-servers-id"}]
    assert only(built(plan("alb", idle_timeout_s=60)), "Listener").inputs["idleTimeout"] == 60


def test_an_alb_writes_down_requests() -> None:
    found = built(plan("alb"))
    assert only(found, "LoadBalancer").inputs["accessLogConfig"] == {"logProject": "logs", "logStore": "balancer"}
    assert "accessLogConfig" not in only(built(plan("alb", log=None)), "LoadBalancer").inputs
    with pytest.raises(ValueError, match="access log is not given"):
        built(plan("alb"), log_store=None)


def test_an_alb_speaks_to_hosts_as_they_do() -> None:
    group = only(built(plan("alb")), "ServerGroup").inputs
    assert group["protocol"] == "HTTPS"
    assert group["servers"] == [
        {"serverId": "i-1", "serverType": "Ecs", "port": 9000, "weight": 100, "description": "g1"},
        {"serverId": "i-2", "serverType": "Ecs", "port": 9000, "weight": 100, "description": "g2"},
    ]
    check = group["healthCheckConfig"]
    assert (check["healthCheckProtocol"], check["healthCheckConnectPort"]) == ("HTTP", 9080)
    assert check["healthCheckPath"] == "/health/ready"


def test_of_an_alb_without_fixed_targets_a_scaling_group_writes_the_servers() -> None:
    assert only(built(plan("alb", targets=())), "ServerGroup").ignore_changes == ("servers",)
    assert only(built(plan("alb")), "ServerGroup").ignore_changes == ()


def test_an_alb_has_its_group() -> None:
    sent = only(built(plan("alb")), "LoadBalancerSecurityGroupAttachment").inputs
    assert sent == {"loadBalancerId": "entry-id", "securityGroupId": "sg-1"}
    assert not of_type(built(plan("alb", security_group=None)), "LoadBalancerSecurityGroupAttachment")


# --- CLB -------------------------------------------------------------------------------------------------------------
def test_a_clb_passes_through_what_the_hosts_end() -> None:
    found = built(plan("clb"))
    sent = only(found, "Listener").inputs
    assert (sent["protocol"], sent["frontendPort"], sent["establishedTimeout"]) == ("tcp", 443, 900)
    assert (sent["healthCheckType"], sent["healthCheckConnectPort"]) == ("http", 9080)
    assert (sent["healthCheckUri"], sent["serverGroupId"]) == ("/health/ready", "entry-servers-id")
    assert sent["loadBalancerId"] == "entry-id"
    assert "backendPort" not in sent, "the port is each server's"


def test_a_clb_has_two_zones_where_there_are_two() -> None:
    sent = only(built(plan("clb")), "ApplicationLoadBalancer").inputs
    assert (sent["masterZoneId"], sent["slaveZoneId"]) == ("cn-hangzhou-h", "cn-hangzhou-i")
    assert (sent["vswitchId"], sent["instanceChargeType"]) == ("vsw-h", "PayByCLCU")
    assert "slaveZoneId" not in only(built(plan("clb", switches=("h-shared",))), "ApplicationLoadBalancer").inputs
    assert "vswitchId" not in only(built(plan("clb", public=True)), "ApplicationLoadBalancer").inputs


def test_who_ends_tls_needs_a_certificate() -> None:
    with pytest.raises(ValueError, match=r"set balancer\.certificate"):
        built(plan("alb", certificate=None))
