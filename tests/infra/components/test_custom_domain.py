"""A bucket under a name of its own: proved first, then bound with its certificate, then led to."""

from __future__ import annotations

from typing import Any

import pytest

from infra.blueprint.cloud import PlannedOssPath
from infra.components.custom_domain import CustomDomain, CustomDomainArgs
from tests.infra.components.house import children, types
from tests.infra.components.recorder import Recorded, named, only, record

PLAN = PlannedOssPath(
    kind="custom-domain",
    name="path",
    bucket="b-tier",
    endpoint="cold.eu.example.com",
    domain="cold.eu.example.com",
    zone="example.com",
    ttl_s=300,
    certificate="cert-7",
)


def built(**changes: Any) -> list[Recorded]:
    args = CustomDomainArgs(PLAN.model_copy(update=changes), "b-tier", "cn-shanghai")
    computed = {"alicloud:oss/bucketCnameToken:BucketCnameToken": {"token": "token-1"}}
    return record(lambda opts: CustomDomain("path", args, opts), computed=computed)


def test_what_is_made() -> None:
    made = children(built(), "CustomDomain")
    assert types(made) == ["AlidnsRecord", "AlidnsRecord", "BucketCname", "BucketCnameToken"]
    assert named(made, "path-token").inputs == {"bucket": "b-tier", "domain": "cold.eu.example.com"}
    assert named(made, "path-proof").inputs == {
        "domainName": "example.com",
        "rr": "_dnsauth.cold.eu",
        "type": "TXT",
        "value": "token-1",
        "ttl": 300,
    }
    assert named(made, "path-lead").inputs == {
        "domainName": "example.com",
        "rr": "cold.eu",
        "type": "CNAME",
        "value": "b-tier.oss-cn-shanghai.aliyuncs.com",
        "ttl": 300,
    }
    assert only(made, "BucketCname").inputs == {
        "bucket": "b-tier",
        "domain": "cold.eu.example.com",
        "certificate": {"certId": "cert-7"},
        "force": True,
    }


def test_the_name_is_bound_once_it_is_proved() -> None:
    made = children(built(), "CustomDomain")
    assert only(made, "BucketCname").waits_for("path-proof")
    assert named(made, "path-proof").ignore_changes == ("value",), "a newer token would be an update at every run"
    assert named(made, "path-lead").ignore_changes == ()


@pytest.mark.parametrize("part", ["domain", "zone", "certificate"])
def test_a_plan_without_a_part_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="path: a custom domain needs"):
        built(**{part: None})
