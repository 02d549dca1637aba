"""The generated data files are of the installed wheel, whole, and know what is known."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.provider import build, generate, wheel

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the wheel's own classes
DATA: Mapping[str, Any] = json.loads(generate.METADATA.read_text(encoding="utf-8"))
RESOURCES: Mapping[str, Any] = DATA["resources"]
KINDS = {"string", "bool", "int", "float", "list", "set", "map", "object"}
KEYS = {
    *("terraform", "type", "required", "optional", "computed", "sensitive", "replaces", "values", "range", "conflicts"),
    *("one_of", "any_of", "with", "deprecated", "default", "element", "fields"),
}
LIST, SET = {"list"}, {"list", "set"}


def test_the_file_is_of_the_installed_wheel_and_the_pinned_provider() -> None:
    assert DATA["bridge"] == f"pulumi-alicloud {wheel.version()}", "run tools/provider/generate.py"
    assert DATA["version"] == build.version()
    assert (DATA["format"], DATA["provider"]) == (1, "aliyun/alicloud")


def test_the_files_are_written_as_the_generator_writes_them() -> None:
    assert generate.METADATA.read_text(encoding="utf-8") == generate.lines(DATA) + "\n"
    assert generate.METADATA.stat().st_size < 600_000


def test_the_types_are_those_of_the_list() -> None:
    listed = generate.types()
    assert {token: each["terraform"] for token, each in RESOURCES.items()} == listed
    assert len(set(listed.values())) == len(listed), "two tokens stand for one Terraform resource"


@pytest.mark.parametrize("token", sorted(RESOURCES))
def test_every_property_is_the_wheels_and_the_wheels_are_all_there(token: str) -> None:
    found = wheel.resource(token)
    properties = RESOURCES[token]["properties"]
    _same(found.state, properties, token)
    for name, each in properties.items():
        given = found.inputs.get(name)
        assert (given is not None) == _settable(each), f"{token} {name}"
        assert (given is not None and given.required) == bool(each.get("required")), f"{token} {name}"


def test_the_configuration_is_the_wheels() -> None:
    _same(wheel.configuration().inputs, DATA["configuration"]["properties"], "configuration")


def _same(wanted: Mapping[str, wheel.Field], properties: Mapping[str, Any], where: str) -> None:
    assert properties.keys() == wanted.keys(), where
    for name, field in wanted.items():
        assert properties[name]["terraform"], f"{where} {name}"
        _fits(field.shape, properties[name], f"{where} {name}")


def _fits(shape: wheel.Shape, known: Mapping[str, Any], where: str) -> None:
    """The shape the wheel sends is the shape the file says, at every depth."""
    assert known["type"] in ({"list", "set"} if shape.kind == "list" else {shape.kind}), where
    if shape.element is not None:
        _fits(shape.element, known["element"], where)
    if shape.kind == "object":
        _same(shape.fields, known["fields"], where)


def _settable(known: Mapping[str, Any]) -> bool:
    return bool(known.get("required") or known.get("optional"))


def _all() -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Every property at every depth, with the top-level properties beside it."""
    for token, each in RESOURCES.items():
        for name, known in each["properties"].items():
            yield from ((where, inner, each["properties"]) for where, inner in _deep(f"{token} {name}", known))


def _deep(where: str, known: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield where, known
    if "element" in known:
        yield from _deep(where, known["element"])
    for name, inner in known.get("fields", {}).items():
        yield from _deep(f"{where}.{name}", inner)


def test_every_property_keeps_to_the_format() -> None:
    for where, known, siblings in _all():
        assert known["type"] in KINDS and known.keys() <= KEYS, where
        assert all(value not in (None, "", []) for value in known.values()), where
        assert all(known.get(key, True) is True for key in ("required", "optional", "computed", "replaces")), where
        assert ("element" in known) == (known["type"] in ("list", "set", "map")), where
        assert ("fields" in known) == (known["type"] == "object"), where
        assert not (known.get("required") and known.get("optional")), where
        for rule in ("conflicts", "one_of", "any_of", "with"):
            assert set(known.get(rule, ())) <= siblings.keys(), where
        assert "default" not in known or "values" not in known or known["default"] in known["values"], where


def _at(path: str) -> Mapping[str, Any]:
    """`vpc/Switch cidrBlock`; a dot goes into a block, of a list too."""
    resource, _, names = path.partition(" ")
    room, _, name = resource.partition("/")
    (token,) = (each for each in RESOURCES if each.startswith(f"alicloud:{room}/") and each.endswith(f":{name}"))
    first, *rest = names.split(".")
    found = RESOURCES[token]["properties"][first]
    for part in rest:
        found = found.get("element", found)["fields"][part]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("path", "replaced"),
    [
        ("vpc/Switch cidrBlock", True),
        ("vpc/Switch vpcId", True),
        ("vpc/Switch vswitchName", False),
        ("vpc/Network cidrBlock", False),
        ("ecs/Instance imageId", False),
        ("ecs/Instance userData", False),
        ("ecs/Instance privateIp", False),
        ("ecs/Instance systemDiskEncrypted", True),
        ("ecs/Instance dataDisks.encrypted", True),
        ("ecs/EcsDisk size", False),
        ("ecs/EcsDisk encrypted", True),
        ("ecs/SecurityGroupRule cidrIp", True),
        ("oss/Bucket bucket", True),
        ("oss/BucketServerSideEncryption sseAlgorithm", False),
        ("nas/FileSystem encryptType", True),
        ("kms/Key dkmsInstanceId", True),
        ("rds/Instance engine", True),
        ("rds/Instance instanceStorage", False),
        ("log/Store shardCount", False),  # the schema says so, the provider never sees the change
    ],
)
def test_what_replaces_a_resource(path: str, *, replaced: bool) -> None:
    assert bool(_at(path).get("replaces")) is replaced


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("nlb/Listener listenerProtocol", {"TCP", "UDP", "TCPSSL"}),
        ("ecs/Instance httpTokens", {"optional", "required"}),
        ("ecs/SecurityGroupRule type", {"ingress", "egress"}),
        ("oss/BucketServerSideEncryption sseAlgorithm", {"KMS", "AES256", "SM4"}),
        ("nas/FileSystem encryptType", {0, 1, 2}),
        ("kms/Key protectionLevel", {"SOFTWARE", "HSM"}),
    ],
)
def test_what_values_are_allowed(path: str, values: set[object]) -> None:
    assert set(_at(path)["values"]) == values


def test_what_the_bridge_flattens_and_what_it_does_not() -> None:
    assert _at("ess/ScalingRule alarmDimension")["type"] == "object"
    assert _at("alb/Listener certificates")["type"] == "object"
    assert _at("vpn/Connection ikeConfig")["type"] == "object"
    assert _at("nlb/LoadBalancer zoneMappings")["type"] in SET
    assert _at("ecs/Instance dataDisks")["type"] in LIST


def test_what_excludes_and_what_hides() -> None:
    assert _at("ecs/EcsDisk zoneId")["conflicts"] == ["availabilityZone"]
    assert _at("vpc/Switch zoneId")["one_of"] == ["availabilityZone"]
    assert _at("oss/Bucket redundancyType")["default"] == "LRS"
    assert _at("kms/Secret secretData")["sensitive"] is True
    assert _at("nlb/Listener listenerPort")["range"] == [0, 65535]
    assert "zone_id" in _at("vpc/Switch availabilityZone")["deprecated"]


def test_the_taggable_types_are_those_whose_class_takes_tags() -> None:
    listed = json.loads(generate.TAGGABLE.read_text(encoding="utf-8"))
    assert listed == sorted(set(listed)) == wheel.taggable()
    # The same question put another way: does the constructor take `tags`?
    for token in RESOURCES:
        home, name = wheel.classes()[token]
        arguments = inspect.signature(getattr(__import__(home, fromlist=[name]), name)._internal_init).parameters
        assert (token in listed) == ("tags" in arguments), token


def test_every_resource_the_components_make_is_in_the_file() -> None:
    known = {place: token for token, place in wheel.classes().items()}
    made = {place for file in sorted((generate.ROOT / "infra" / "components").glob("*.py")) for place in _made(file)}
    assert made, "no component makes anything"
    missing = {known[place] for place in made & known.keys()} - RESOURCES.keys()
    assert not missing, "add them to tools/provider/types.txt and run tools/provider/generate.py"


def _made(file: Path) -> Iterator[tuple[str, str]]:
    """(module, class) of each `alicloud.module.Class` in a component."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            root, _, rest = ast.unparse(node).partition(".")
            home, _, name = rest.rpartition(".")
            if root == "alicloud" and home:
                yield f"pulumi_alicloud.{home}", name
