"""The wheel's properties joined with the Terraform attributes behind them. Pure: data in, data out.

The bridge that made the wheel renames by rule (camel case; lists and sets in the plural) and leaves out most of what
the provider has removed. Anything these rules do not explain is an error here, unless it stands in `UNBRIDGED`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tools.provider.wheel import Field, Resource, Shape

Attribute = Mapping[str, Any]  # as facts/main.go prints it
Property = dict[str, Any]  # as infra/rehearsal/metadata.json has it

# Attributes the wheel lacks although the provider still has them, and why.
UNBRIDGED: Final[Mapping[str, str]] = {
    "alicloud_alb_listener.xforwarded_for_config": "the old spelling of x_forwarded_for_config; both map to one name",
}
# Lists the bridge sends as their one element although the provider sets no limit, and why.
BARE: Final[Mapping[str, str]] = {
    "alicloud_alb_listener.certificates": "a listener has one default certificate; more are attached apart",
    "alicloud_instance.network_interfaces": "the provider once allowed one, and a bridge keeps a shape it has had",
}
# Rules over several arguments: ours → the provider's.
GROUPS: Final = {
    "conflicts": "conflicts",
    "one_of": "exactly_one_of",
    "any_of": "at_least_one_of",
    "with": "required_with",
}


class Unexplained(Exception):
    """The wheel and the provider disagree in a way no rule explains; the message names the property."""


def resource(found: Resource, terraform: str, attributes: Mapping[str, Attribute]) -> dict[str, Property]:
    """One resource's properties by wire name. Raises: Unexplained."""
    made = _properties(found.state, attributes, terraform)
    for name, each in made.items():
        if (name in found.inputs) != bool(each.get("required") or each.get("optional")):
            raise Unexplained(f"{terraform}.{each['terraform']}: may be given in one of wheel and provider alone")
    return made


def names(properties: Mapping[str, Field], attributes: Mapping[str, Attribute], where: str) -> Mapping[str, str]:
    """Wire name → Terraform name, one to one. Raises: Unexplained."""
    found: dict[str, str] = {}
    for terraform, attribute in attributes.items():
        if f"{where}.{terraform}" in UNBRIDGED:
            continue
        name = next((each for each in _candidates(terraform, attribute) if each in properties), None)
        if name is None and attribute.get("removed"):
            continue
        if name is None:
            raise Unexplained(f"{where}.{terraform}: the wheel has no such property")
        if name in found:
            raise Unexplained(f"{where}: {name} stands for {found[name]} and {terraform}")
        found[name] = terraform
    if missing := sorted(properties.keys() - found.keys()):
        raise Unexplained(f"{where}: the provider has no attribute behind {', '.join(missing)}")
    return found


def _candidates(terraform: str, attribute: Attribute) -> Iterator[str]:
    first, *rest = terraform.split("_")
    name = first + "".join(part[:1].upper() + part[1:] for part in rest)
    yield name
    if attribute["type"] in ("list", "set"):
        yield name + "s"
        yield name + "es"
        if name.endswith("y"):
            yield name[:-1] + "ies"


def _properties(
    found: Mapping[str, Field], attributes: Mapping[str, Attribute], where: str, wire: Mapping[str, str] | None = None
) -> dict[str, Property]:
    known = names(found, attributes, where)
    # Rules name top-level arguments, from inside a block too.
    back = wire if wire is not None else {terraform: name for name, terraform in known.items()}
    return {
        name: _property(found[name], known[name], attributes[known[name]], f"{where}.{known[name]}", back)
        for name in sorted(found)
    }


def _property(found: Field, terraform: str, attribute: Attribute, where: str, wire: Mapping[str, str]) -> Property:
    made = {"terraform": terraform, **_kind(found.shape, attribute, where, wire)}
    for key in ("required", "optional", "computed", "sensitive"):
        if attribute.get(key):
            made[key] = True
    if found.required != bool(attribute.get("required")):
        if found.name != "name" or found.required:
            raise Unexplained(f"{where}: required in one of wheel and provider alone")
        del made["required"]  # the bridge makes up a name that is not given
        made["optional"] = True
    if replaces(attribute):
        made["replaces"] = True
    for ours, theirs in GROUPS.items():
        if others := _others(attribute.get(theirs, ()), where, wire):
            made[ours] = others
    if text := attribute.get("removed") or attribute.get("deprecated"):
        made["deprecated"] = text
    default = attribute.get("default")
    if default is not None and default != "":
        made["default"] = default
    return made


def replaces(attribute: Attribute) -> bool:
    """What the plan says, whatever the schema says: a change the provider never sees replaces nothing."""
    return bool(attribute.get("plan") == "replaces")


def _others(found: list[str] | tuple[()], where: str, wire: Mapping[str, str]) -> list[str]:
    own = where.rpartition(".")[2]
    return sorted({wire[each] for each in found if each != own and each in wire})


def _kind(shape: Shape, attribute: Attribute, where: str, wire: Mapping[str, str]) -> Property:
    kind: str = attribute["type"]
    if kind in ("list", "set"):
        return _collection(shape, attribute, where, wire)
    if kind == "map":
        _agree(shape.kind == "map", shape, kind, where)
        value = shape.element.kind if shape.element else "string"
        return {"type": "map", "element": {"type": value}}
    _agree(shape.kind == kind, shape, kind, where)
    return _scalar(kind, attribute)


def _collection(shape: Shape, attribute: Attribute, where: str, wire: Mapping[str, str]) -> Property:
    kind: str = attribute["type"]
    fields = attribute.get("fields")
    if shape.kind == "list":
        assert shape.element is not None
        if fields is None:
            inner = attribute.get("element") or {"type": "string"}
            return {"type": kind, "element": _kind(shape.element, inner, where, wire)}
        _agree(shape.element.kind == "object", shape.element, "block", where)
        inside = _properties(shape.element.fields, fields, where, wire)
        return {"type": kind, "element": {"type": "object", "fields": inside}}
    _agree(attribute.get("max_items") == 1 or where in BARE, shape, kind, where)  # one element, sent bare
    if fields is None:
        return _kind(shape, attribute["element"], where, wire)
    _agree(shape.kind == "object", shape, "block", where)
    return {"type": "object", "fields": _properties(shape.fields, fields, where, wire)}


def _scalar(kind: str, attribute: Attribute) -> Property:
    made: Property = {"type": kind}
    if values := attribute.get("values"):
        made["values"] = values
    if span := attribute.get("range"):
        made["range"] = span
    return made


def _agree(same: bool, shape: Shape, kind: str, where: str) -> None:
    if not same:
        raise Unexplained(f"{where}: {shape.kind} in the wheel, {kind} in the provider")
