"""Terraform's JSON syntax of what a program asked for. Pure. (Terraform: "JSON Configuration Syntax".)"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from infra.rehearsal.metadata import Kind, Property

_NOT_A_WORD: Final = re.compile(r"[^0-9A-Za-z_-]")
SOURCE: Final = "aliyun/alicloud"


def word(name: str) -> str:
    """A name that Terraform takes."""
    found = _NOT_A_WORD.sub("_", name)
    return found if found[:1].isalpha() or found[:1] == "_" else f"_{found}"


def variable(secret: str) -> str:
    return word(secret).replace("-", "_")


def address(kind: str, name: str) -> str:
    return f"{kind}.{word(name)}"


def arguments(inputs: Mapping[str, Any], properties: Mapping[str, Property], where: str) -> dict[str, Any]:
    """Inputs by their wire names as arguments by Terraform's. Raises: KeyError naming one the provider lacks."""
    made = {}
    for name, value in sorted(inputs.items()):
        if value is None or name.startswith("__"):
            continue
        if name not in properties:
            raise KeyError(f"{where}.{name}")
        found = properties[name]
        made[found.terraform] = _value(value, found, f"{where}.{name}")
    return made


def _value(value: Any, found: Property, where: str) -> Any:
    made = _bare(value, found, where)
    return [made] if found.kind is Kind.OBJECT else made


def _bare(value: Any, found: Property, where: str) -> Any:
    if isinstance(value, (list, tuple)) and found.element is not None:
        return [_element(inner, found.element, where) for inner in value]
    if isinstance(value, Mapping) and found.kind is Kind.OBJECT:
        return arguments(value, found.fields, where)
    if isinstance(value, float) and value.is_integer():  # the wire has one kind of number
        return int(value)
    return value


def _element(value: Any, found: Property, where: str) -> Any:
    """Of a list: a block is one of them already."""
    return arguments(value, found.fields, where) if found.kind is Kind.OBJECT else _bare(value, found, where)
