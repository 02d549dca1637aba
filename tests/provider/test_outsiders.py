"""What checkov says of every blueprint in production: nothing without a written waiver, and no waiver for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.export import configuration
from infra.rehearsal.metadata import Metadata
from tests.provider import outsiders
from tests.provider.folded import folded, folded_plan
from tests.provider.outsiders import Finding, standing, useless
from tests.provider.test_blueprints import IN_THE_CLOUD, plan_of, written
from tools.provider.judge import Judge


def test_checkov_finds_nothing_that_is_not_waived(judge: Judge, metadata: Metadata, tmp_path: Path) -> None:
    found: list[Finding] = []
    for path in IN_THE_CLOUD:
        folder = tmp_path / path.stem
        folder.mkdir()
        files = configuration.configuration(plan_of(path.read_text(), {"protect": True}), metadata)
        _, variables = written(files, folder)
        found += outsiders.checkov(folded_plan(judge.plan(folder, variables)), folder)
    waivers = outsiders.waived("checkov")
    assert standing(found, waivers) == []
    assert useless(found, waivers) == []


def test_checkov_sees_what_is_wrong(judge: Judge, metadata: Metadata, tmp_path: Path) -> None:
    """Without the fold it would see buckets without versions, and with an open group it must say so."""
    (path,) = (path for path in IN_THE_CLOUD if path.stem == "single-ecs")
    _, variables = written(configuration.configuration(plan_of(path.read_text(), {}), metadata), tmp_path)
    plan = judge.plan(tmp_path, variables)
    rules = {found.rule for found in outsiders.checkov(plan, tmp_path)}
    assert "CKV_ALI_10" in rules - {found.rule for found in outsiders.checkov(folded_plan(plan), tmp_path)}


def test_a_bucket_is_whole_again() -> None:
    given = '{"a": {"acs:SecureTransport": ["false"]}}'
    made = folded(
        {
            "alicloud_oss_bucket": {"b": {"bucket": "acme"}},
            "alicloud_oss_bucket_versioning": {"v": {"bucket": "acme", "status": "Enabled"}},
            "alicloud_oss_bucket_policy": {"p": {"bucket": "acme", "policy": given}},
            "alicloud_vpc": {"n": {}},
        }
    )
    policy = '{"a": {"acs:SecureTransport": "false"}}'
    bucket = {"bucket": "acme", "versioning": [{"status": "Enabled"}], "policy": policy}
    assert made == {"alicloud_oss_bucket": {"b": bucket}, "alicloud_vpc": {"n": {}}}


@pytest.mark.parametrize(("resource", "left"), [("acme-logs", 0), ("acme-tier", 1)])
def test_a_waiver_is_for_what_it_says(resource: str, left: int) -> None:
    waivers = {"CKV_ALI_12": {"reason": "r", "only": ".*-logs"}, "CKV_ALI_1": {"reason": "r"}}
    found = [Finding("CKV_ALI_12", resource)]
    assert len(standing(found, waivers)) == left
    assert ("CKV_ALI_12" in useless(found, waivers)) == bool(left)
