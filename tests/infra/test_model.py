"""The language itself: every knob is described, one level deep, and what one section names another must hold."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from infra.blueprint import sections
from infra.blueprint.load import BlueprintError, Problem, locate, parse
from infra.blueprint.model import Blueprint, json_schema
from infra.blueprint.sizes import ENVIRONMENTS, SIZES, resolve
from infra.blueprint.units import unit, whole
from tests.infra.cloud_blueprints import BEIJING, BLUEPRINTS, HANGZHOU, ROOM, cloud

MODELS = [Blueprint, *(m for m in vars(sections).values() if isinstance(m, type) and issubclass(m, BaseModel))]
GOOD = (BLUEPRINTS / "three-zone.yaml").read_text()


@pytest.mark.parametrize("model", MODELS)
def test_every_knob_is_described(model: type[BaseModel]) -> None:
    assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_the_schema_names_and_describes_every_knob() -> None:
    schema = json_schema()
    assert schema["title"] == "Kakera blueprint"
    assert schema["additionalProperties"] is False
    assert all("description" in field for field in schema["properties"].values())
    assert schema["properties"]["size"]["enum"] == ["S", "M", "L"]
    assert schema["$defs"]["BalancerSection"]["properties"]["kind"]["enum"] == ["nlb", "alb", "clb", "none"]


@pytest.mark.parametrize("table", [*SIZES.values(), *ENVIRONMENTS.values()])
def test_tables_of_defaults_hold_legal_values(table: Any) -> None:
    fields = {section: dict(values) for section, values in table.items() if section}
    cloud(**fields, **table[""])


def test_the_tables_are_of_the_same_shape() -> None:
    for tables in (SIZES, ENVIRONMENTS):
        shapes = [{(s, f) for s, values in table.items() for f in values} for table in tables.values()]
        assert all(shape == shapes[0] for shape in shapes)


def test_a_knob_in_the_file_is_never_touched() -> None:
    found = resolve(cloud(size="L", environment="prod", workers=3, network={"log_days": 5}, protect=False))
    assert (found.workers, found.network.log_days, found.protect) == (3, 5, False)
    assert (found.storage.hosts_per_zone, found.network.flow_log) == (4, True)


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(BlueprintError) as caught:
        parse(text, name="x.yaml")
    return caught.value.problems


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("record: s3", "recrod: s3", "unknown field 'recrod'", "did you mean 'record'?"),
        ("record: s3", "ttl_s: 10min", "dns.ttl_s: a whole number of seconds", "write 600"),
        ("record: s3", "ttl_s: soon", "dns.ttl_s: a whole number of seconds", "how long a failover"),
        ("size: M", "size: XL", "size: input should be 'S', 'M' or 'L'", ""),
        ("size: M", "environment: production", "environment: input should be", "did you mean 'prod'?"),
        ("10.20.0.0/16", "10.20.0.0/20", "is a /20: a region's range is a /16", "private /16"),
        ("10.20.0.0/16", "10.20.1.0/16", "has bits set behind its prefix: write 10.20.0.0/16", ""),
        ("10.20.0.0/16", "8.8.0.0/16", "is no private range", ""),
        ("10.20.0.0/16", "ten", "is no IPv4 range", ""),
        ("cn-hangzhou-k]", "cn-hangzhou-h]", "'cn-hangzhou-h' is there twice", ""),
        ("cn-hangzhou-k]", "cn-hangzhou-1]", "regions[0].zones[2]", ""),
        ("domain: example.com ", "domain: no_domain ", "dns.domain", "the zone that is served"),
        ("size: M", "size: M\nname: Kakera", "name: string should match", "first part of every name"),
        ("size: M", "size: M\nstorage: {instance_type: g7.large}", "storage.instance_type", "of the catalogue"),
        ("size: M", "size: M\nkeys:\n  existing: {cn-x: k}", "keys.existing: there is no region", "regions: cn-"),
    ],
)
def test_messages(old: str, new: str, message: str, hint: str) -> None:
    assert old in GOOD
    found = problems(GOOD.replace(old, new, 1))
    match = [problem for problem in found if message in problem.message]
    assert match, [problem.message for problem in found]
    assert hint in match[0].hint
    assert match[0].line > 1


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"active": "cn-beijing"}, "active: 'cn-beijing' is no region"),
        ({"active": "cn-beijing", "regions": [HANGZHOU, {**BEIJING, "role": "backup"}]}, "is no region that holds"),
        ({"seat": "cn-beijing"}, "seat: there is no region"),
        ({"network": {"existing": {"cn-beijing": "vpc-1"}}}, "network.existing: there is no region"),
        ({"interconnect": {"kind": "vpn"}}, "a VPN needs a region and a machine room"),
        ({"interconnect": {"kind": "cen"}}, "CEN joins two regions or more"),
        ({"onprem": ROOM, "interconnect": {"kind": "vpn"}}, "a machine room without `hosts`"),
        ({"onprem": ROOM, "hosts": [{"name": "a", "zone": "a", "drives": 1}]}, "leads through a VPN"),
        ({"onprem": {**ROOM, "path": "custom-domain"}}, "onprem.domain: missing"),
        (
            {"onprem": {**ROOM, "path": "custom-domain", "domain": "a.example.org"}, "dns": {"domain": "example.com"}},
            "is not in a domain that `dns` serves",
        ),
        ({"keys": {"mode": "default-cmk"}}, "keys.existing: no key for cn-hangzhou"),
        ({"keys": {"hsm": True}}, "a hardware module needs mode instance"),
        ({"gateways": {"min": 7}}, "gateways.min: 7 is more than max"),
        ({"balancer": {"kind": "alb"}}, "balancer.certificate: missing"),
        ({"cdn": {"domain": "a.kakera.test"}, "balancer": {"kind": "none"}}, "cdn: there is no balancer"),
        ({"gateways": {"scaling": True}, "balancer": {"kind": "none"}}, "nothing finds a gateway"),
    ],
)
def test_what_one_section_names_another_holds(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        cloud(**fields)
    findings = caught.value.errors()[0]["ctx"]["findings"]
    assert [finding for finding in findings if text in finding.text and finding.where and finding.hint]


def test_neither_machines_nor_regions() -> None:
    (found,) = problems("blueprint: x\nsummary: x\nk: 2\nm: 1\naccounts: [main]\n")
    assert "neither `hosts`" in found.message


def test_locate_finds_entries_by_name_and_falls_back_to_parents(tmp_path: Any) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(GOOD)
    lines = GOOD.splitlines()

    def line(*where: str) -> str:
        return lines[locate(path, where, "found").line - 1].strip()

    assert line("regions", "cn-hangzhou", "cidr").startswith("cidr:")
    zone = locate(path, ("regions", "cn-hangzhou", "zones", "cn-hangzhou-k"), "found", "hint")
    assert lines[zone.line - 1][zone.column - 1 :].startswith("cn-hangzhou-k")
    assert zone.hint == "hint"
    assert line("dns", "ttl_s").startswith("domain:"), "what was left out is shown where its section begins"
    assert locate(path, ("keys", "mode"), "found").line == 1
    assert locate(tmp_path / "none.yaml", ("k",), "found").line == 1


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("drive_gib", "2TB", 2048),
        ("drive_gib", "1.5 TiB", 1536),
        ("drive_gib", "100 GB", 100),
        ("drive_gib", "1 MB", None),
        ("drive_gib", "2 hours", None),
        ("nat_bandwidth_mbps", "1Gbps", 1000),
        ("drain_s", "5min", 300),
        ("log_days", "1 year", 365),
        ("chunk_bytes", "4MiB", 4_194_304),
        ("drives", "2TB", None),
        ("drive_gib", 5, None),
    ],
)
def test_units(field: str, text: object, value: int | None) -> None:
    assert whole(field, text) == value


def test_units_are_named() -> None:
    assert (unit("drive_gib"), unit("drives"), unit("log_days")) == ("GiB", None, "days")
