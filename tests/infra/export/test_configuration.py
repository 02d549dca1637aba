"""Every blueprint as Terraform's configuration: all of the program, its references kept."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pulumi
import pytest

from infra.blueprint.edit import edited
from infra.blueprint.expand import expand
from infra.blueprint.load import parse
from infra.components import network
from infra.export import configuration, program
from infra.export.program import ExportError
from infra.rehearsal.metadata import Metadata
from tests.golden.blueprints import BLUEPRINTS, names, planned

CLOUDS = [name for name in names() if name != "laptop"]
REFERENCE = re.compile(r"\$\{(alicloud_\w+\.[\w-]+)\.\w+\}")


@cache
def exported(name: str) -> Mapping[str, Any]:
    return parsed(configuration.configuration(planned(name), Metadata.load()))


def parsed(files: Mapping[str, str]) -> dict[str, Any]:
    return {file: json.loads(text) for file, text in files.items()}


def resources(name: str) -> dict[str, Mapping[str, Any]]:
    return by_address(exported(name))


def by_address(files: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {
        f"{kind}.{each}": content
        for file in files.values()
        for kind, found in file.get("resource", {}).items()
        for each, content in found.items()
    }


@pytest.mark.parametrize("name", CLOUDS)
def test_every_reference_leads_somewhere_and_nothing_is_left_open(name: str) -> None:
    found = resources(name)
    text = json.dumps(exported(name))
    pointed = set(REFERENCE.findall(text))
    assert pointed and pointed <= found.keys()
    for mark in ("rehearsal-", "~", "7-,", "null", "04da6b54-80e4-46f7-96ec-b56ff0331ba9"):
        assert mark not in text
    assert text.count("${") == len(re.findall(r"\$\{(?:alicloud_\w+\.[\w-]+\.\w+|var\.\w+)\}", text))
    awaited = {each for content in found.values() for each in content.get("depends_on", ())}
    assert awaited <= found.keys()


@pytest.mark.parametrize("name", CLOUDS)
def test_as_many_resources_as_the_program_has(name: str) -> None:
    plan = planned(name)
    found = resources(name)
    disks = [drive for host in plan.hosts if host.machine for drive in host.drives]
    assert len([place for place in found if place.startswith("alicloud_ecs_disk.")]) == len(disks)
    hosts = [host for host in plan.hosts if host.machine]
    assert len([place for place in found if place.startswith("alicloud_instance.")]) == len(hosts)
    for region in plan.regions:
        attached = [content for place, content in found.items() if content.get("provider") == f"alicloud.{region.name}"]
        assert attached, region.name
    aliases = {each["alias"] for each in exported(name)["kakera.tf.json"]["provider"]["alicloud"]}
    assert {content["provider"].removeprefix("alicloud.") for content in found.values()} == aliases


def test_the_same_bytes_each_time() -> None:
    one, other = (configuration.configuration(planned("hybrid"), Metadata.load()) for _ in range(2))
    assert one == other


def test_what_holds_data_is_kept_and_what_is_ignored_stays_ignored() -> None:
    text = edited((BLUEPRINTS / "three-zone.yaml").read_text(), {"protect": True})
    plan = expand(parse(text, name="three-zone.yaml"))
    found = by_address(parsed(configuration.configuration(plan, Metadata.load())))
    kept = {place for place, content in found.items() if content.get("lifecycle", {}).get("prevent_destroy")}
    holders = {place for place in found if place.startswith(("alicloud_ecs_disk.", "alicloud_db_instance."))}
    assert holders and holders <= kept
    hosts = [content for place, content in found.items() if place.startswith("alicloud_instance.")]
    assert all({"image_id", "user_data"} <= set(host["lifecycle"]["ignore_changes"]) for host in hosts)


def test_a_secret_is_a_sensitive_variable() -> None:
    shared = exported("hybrid")["kakera.tf.json"]
    assert shared["variable"] and all(each["sensitive"] for each in shared["variable"].values())
    tunnels = [content for place, content in resources("hybrid").items() if "vpn_connection" in place]
    assert tunnels and all("${var." in json.dumps(content) for content in tunnels)


def test_what_a_region_tells_leads_another_stack_to_it() -> None:
    records = [content for place, content in resources("cdn-edge").items() if "alidns_record" in place]
    assert any("${alicloud_nlb_load_balancer." in content["value"] for content in records)


def test_tags_are_on_what_takes_them() -> None:
    plan = planned("three-zone")
    (vpc,) = (content for place, content in resources("three-zone").items() if place.startswith("alicloud_vpc."))
    assert vpc["tags"] == plan.regions[0].tags


def test_an_account_has_its_role() -> None:
    files = configuration.account(planned("three-zone"), Metadata.load())
    assert "AliyunECSDiskEncryptDefaultRole" in files["account.tf.json"]


def test_a_value_taken_apart_fails_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that parses what only the cloud knows: every argument it ends in is named."""
    made = network.Network.__init__

    def parsing(self: network.Network, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        self.vpc_id = self.vpc_id.apply(lambda known: known.split("-")[0])

    monkeypatch.setattr(network.Network, "__init__", parsing)
    with pytest.raises(ExportError) as told:
        configuration.configuration(planned("single-ecs"), Metadata.load())
    assert "taken apart by the program" in str(told.value)
    assert "argument vpcId" in str(told.value) and "output vpc_id" in str(told.value)


def test_a_question_to_the_cloud_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def asking(*_: Any) -> dict[str, Any]:
        pulumi.runtime.invoke("alicloud:ecs/getImages:getImages", {})
        return {}

    monkeypatch.setattr(program, "region", asking)
    with pytest.raises(Exception, match="getImages"):
        configuration.configuration(planned("single-ecs"), Metadata.load())


def test_a_plan_that_components_refuse_is_an_error_of_its_part() -> None:
    """Two zones of one letter would share their place; the checks stop that before."""
    text = re.sub("zones: .*", "zones: [cn-hangzhou-h, cn-beijing-h]", (BLUEPRINTS / "three-zone.yaml").read_text())
    with pytest.raises(ExportError, match="^cn-hangzhou: .*: registered twice$"):
        configuration.configuration(expand(parse(text, name="a.yaml")), Metadata.load())
