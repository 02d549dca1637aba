"""The edge: the domain, what it does with a request, where its log goes."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from infra.blueprint.cloud import FromOutput, PlannedCacheRule, PlannedCdn
from infra.components.cdn import Cdn, CdnArgs, CdnLog
from tests.infra.components.house import children, types
from tests.infra.components.recorder import Recorded, named, of_type, only, record

PLAN = PlannedCdn(
    domain="files.example.com",
    origin=FromOutput(from_output="balancer_address", region="cn-hangzhou"),
    origin_port=443,
    scope="overseas",
    cache=(
        PlannedCacheRule(name="cache-media", path="/media/", ttl_s=86_400),
        PlannedCacheRule(name="cache-all", path="/", ttl_s=60),
    ),
    certificate="cert-7",
    log=None,
)


def built(plan: PlannedCdn = PLAN, **other: Any) -> tuple[list[Recorded], list[str]]:
    cnames: list[str] = []

    def build(opts: pulumi.ResourceOptions) -> None:
        made = Cdn("cdn", CdnArgs(plan, pulumi.Output.from_input("nlb.example.com"), **other), opts)
        made.cname.apply(cnames.append)

    computed = {"alicloud:cdn/domainNew:DomainNew": {"cname": "files.example.com.w.kunlun.com"}}
    return record(build, computed=computed), cnames


def configured(found: list[Recorded]) -> dict[str, dict[str, str]]:
    """Function -> its arguments; cache rules by their names."""
    return {
        (one.name if one.inputs["functionName"] == "path_based_ttl_set" else one.inputs["functionName"]): {
            given["argName"]: given["argValue"] for given in one.inputs["functionArgs"]
        }
        for one in of_type(found, "DomainConfig")
    }


def test_the_domain_reads_from_the_origin() -> None:
    found, cnames = built()
    made = children(found, "Cdn")
    assert types(made) == ["DomainConfig"] * 9 + ["DomainNew"]
    assert cnames == ["files.example.com.w.kunlun.com"]
    assert only(made, "DomainNew").inputs == {
        "domainName": "files.example.com",
        "cdnType": "web",
        "scope": "overseas",
        "sources": [{"type": "domain", "content": "nlb.example.com", "port": 443, "priority": 20, "weight": 10}],
        "certificateConfig": {
            "certType": "cas",
            "certId": "cert-7",
            "certRegion": "cn-hangzhou",
            "serverCertificateStatus": "on",
        },
    }
    assert all(one.waits_for("cdn") for one in of_type(made, "DomainConfig"))


def test_what_the_edge_does() -> None:
    done = configured(children(built()[0], "Cdn"))
    assert done["https_force"] == {"enable": "on"}
    assert done["https_tls_version"] == {"tls10": "off", "tls11": "off", "tls12": "on", "tls13": "on"}
    assert done["HSTS"]["enabled"] == "on"
    assert done["set_req_host_header"] == {"domain_name": "files.example.com"}
    assert done["forward_scheme"] == {"enable": "on", "scheme_origin": "https"}
    assert done["https_origin_sni"] == {"enabled": "on", "https_origin_sni": "files.example.com"}


def test_the_first_cache_rule_that_fits_wins() -> None:
    done = configured(children(built()[0], "Cdn"))
    assert done["cache-media"] == {"path": "/media/", "ttl": "86400", "weight": "99"}
    assert done["cache-all"] == {"path": "/", "ttl": "60", "weight": "98"}


def test_more_rules_than_weights_are_refused() -> None:
    rules = tuple(PlannedCacheRule(name=f"r{n}", path=f"/{n}/", ttl_s=1) for n in range(100))
    with pytest.raises(ValueError, match="100 cache rules"):
        built(PLAN.model_copy(update={"cache": rules}))


def test_without_a_certificate_https_is_not_promised() -> None:
    made = children(built(PLAN.model_copy(update={"certificate": None}))[0], "Cdn")
    assert not {"https_force", "https_tls_version", "HSTS"} & configured(made).keys()
    assert "certificateConfig" not in only(made, "DomainNew").inputs


def test_the_host_that_the_store_is_asked_for() -> None:
    plan = PLAN.model_copy(update={"origin_port": 80})
    done = configured(children(built(plan, host="store.example.com", origin_type="ipaddr")[0], "Cdn"))
    assert done["set_req_host_header"] == {"domain_name": "store.example.com"}
    assert not {"forward_scheme", "https_origin_sni"} & done.keys()


def test_the_log_goes_to_sls_at_once() -> None:
    log = CdnLog("g-logs", "edge", "cn-beijing")
    made = children(built(log=log)[0], "Cdn")
    assert named(made, "cdn-log").inputs == {
        "domain": "files.example.com",
        "project": "g-logs",
        "logstore": "edge",
        "slsRegion": "cn-beijing",
    }
