"""The rules by which wheel and provider are joined, and that what they do not explain is an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tools.provider import generate, join, served
from tools.provider.wheel import Field, Resource, Shape

TEXT = Shape("string")
BLOCK = Shape("object", fields={"size": Field("size", "size", Shape("int"))})
SIZE = {"size": {"type": "int", "optional": True}}


def joined(
    shape: Shape, attribute: Mapping[str, Any], *, name: str = "theName", needed: bool = False
) -> dict[str, Any]:
    field = Field(name, "the_name", shape, needed)
    return join.resource(Resource("t", {name: field}, {name: field}), "alicloud_t", {"the_name": attribute})[name]


def test_a_list_is_called_in_the_plural_and_a_scalar_is_not() -> None:
    many = {"type": "list", "optional": True, "element": {"type": "string"}}
    found = joined(Shape("list", TEXT), many, name="theNames")
    assert found == {"terraform": "the_name", "type": "list", "element": {"type": "string"}, "optional": True}
    with pytest.raises(join.Unexplained, match="no such property"):
        joined(TEXT, {"type": "string", "optional": True}, name="theNames")


def test_a_block_of_one_is_an_object_and_a_block_of_many_is_not() -> None:
    one = {"type": "list", "optional": True, "max_items": 1, "fields": SIZE}
    assert joined(BLOCK, one)["type"] == "object"
    assert joined(BLOCK, one)["fields"]["size"]["type"] == "int"
    assert joined(Shape("list", BLOCK), {**one, "max_items": 2})["element"]["type"] == "object"
    with pytest.raises(join.Unexplained, match="object in the wheel"):
        joined(BLOCK, {**one, "max_items": 2})


@pytest.mark.parametrize(("said", "replaces"), [("replaces", True), ("updates", False), ("suppressed", False)])
def test_the_plan_is_believed_and_not_the_schema(said: str, *, replaces: bool) -> None:
    made = joined(TEXT, {"type": "string", "optional": True, "force_new": not replaces, "plan": said})
    assert made.get("replaces", False) is replaces


def test_a_type_that_differs_is_an_error() -> None:
    with pytest.raises(join.Unexplained, match=r"alicloud_t\.the_name: string in the wheel, int in the provider"):
        joined(TEXT, {"type": "int", "optional": True})


def test_what_must_be_given_must_be_so_on_both_sides_but_for_a_name() -> None:
    needed = {"type": "string", "required": True}
    assert joined(TEXT, needed, needed=True)["required"] is True
    with pytest.raises(join.Unexplained, match="required"):
        joined(TEXT, needed)
    field = Field("name", "name", TEXT)
    made = join.resource(Resource("t", {"name": field}, {"name": field}), "alicloud_t", {"name": needed})
    assert made["name"] == {"terraform": "name", "type": "string", "optional": True}


def test_what_may_be_given_may_be_so_on_both_sides() -> None:
    field = Field("theName", "the_name", TEXT)
    for inputs, attribute in (({}, {"optional": True}), ({"theName": field}, {"computed": True})):
        with pytest.raises(join.Unexplained, match="given in one"):
            join.resource(
                Resource("t", inputs, {"theName": field}), "alicloud_t", {"the_name": {"type": "string", **attribute}}
            )


def test_nothing_of_either_side_is_left_over() -> None:
    field = Field("a", "a", TEXT)
    given = {"type": "string", "optional": True}
    with pytest.raises(join.Unexplained, match=r"alicloud_t\.b"):
        join.names({"a": field}, {"a": given, "b": given}, "alicloud_t")
    with pytest.raises(join.Unexplained, match="no attribute behind c"):
        join.names({"a": field, "c": Field("c", "c", TEXT)}, {"a": given}, "alicloud_t")
    assert join.names({"a": field}, {"a": given, "b": {**given, "removed": "gone"}}, "alicloud_t") == {"a": "a"}


def test_rules_over_several_arguments_speak_of_others_by_their_wire_names() -> None:
    fields = {name: Field(name, name, TEXT) for name in ("oneName", "twoName")}
    attributes = {
        "one_name": {"type": "string", "optional": True, "exactly_one_of": ["one_name", "two_name"]},
        "two_name": {"type": "string", "optional": True, "conflicts": ["one_name"]},
    }
    made = join.resource(Resource("t", fields, fields), "alicloud_t", attributes)
    assert (made["oneName"]["one_of"], made["twoName"]["conflicts"]) == (["twoName"], ["oneName"])


def test_the_second_witness_is_heard() -> None:
    attributes = {
        "a": {"type": "int", "required": True},
        "b": {"type": "set", "optional": True, "max_items": 1, "fields": SIZE},
    }
    inner = {"attributes": {"size": {"type": "number", "optional": True}}}
    block = {"nesting_mode": "set", "max_items": 1, "block": inner}
    plain = {"a": {"type": "number", "required": True}, "id": {"type": "string", "computed": True}}
    said = {"attributes": plain, "block_types": {"b": block}}
    assert list(served.differences("t", said, attributes)) == []
    lies: list[tuple[dict[str, Any], str]] = [
        ({**said, "attributes": {**plain, "a": {"type": "string", "required": True}}}, "t.a: type"),
        ({**said, "attributes": {**plain, "a": {"type": "number", "optional": True}}}, "t.a: required"),
        ({**said, "attributes": {**plain, "c": {"type": "string", "computed": True}}}, "t.c: in one alone"),
        ({**said, "block_types": {"b": {**block, "max_items": 2}}}, "t.b: max_items"),
        ({**said, "block_types": {"b": {**block, "block": {}}}}, "t.b.size: in one alone"),
    ]
    for lie, heard in lies:
        assert heard in list(served.differences("t", lie, attributes))


def test_a_property_is_a_line_even_where_one_is_called_type() -> None:
    content = {"properties": {"type": {"type": "string"}, "a": {"type": "int"}}}
    assert generate.lines(content).splitlines() == [
        "{",
        ' "properties": {',
        '  "a": {"type": "int"},',
        '  "type": {"type": "string"}',
        " }",
        "}",
    ]
