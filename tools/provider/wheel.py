"""What the installed pulumi_alicloud says of its resources: tokens, names on the wire, shapes, what must be given.

Facts come from the classes themselves (`@pulumi.getter` names and annotations), never from text about them.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import types
import typing
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

import pulumi
import pulumi_alicloud

SCALARS: Final[Mapping[object, str]] = {str: "string", bool: "bool", int: "int", float: "float"}
NAMES: Final[Mapping[str, object]] = {"Output": pulumi.Output, "T": typing.TypeVar("T")}
# The wheel's module `config` is the provider's configuration object, so a class in it cannot be named by a program.
UNREACHABLE: Final = frozenset({"alicloud:config/reportTemplate:ReportTemplate"})
PROVIDER: Final = "pulumi:providers:alicloud"


class UnknownShape(Exception):
    """An annotation of the wheel has a form this module does not know."""


@dataclass(frozen=True)
class Shape:
    """`kind` is string, bool, int, float, list, map or object; `element` of list and map, `fields` of object."""

    kind: str
    element: Shape | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)


@dataclass(frozen=True)
class Field:
    """One property: `name` as on the wire, `python` as in the wheel's classes."""

    name: str
    python: str
    shape: Shape
    required: bool = False


@dataclass(frozen=True)
class Resource:
    """By wire name: what a program may give (`inputs`), what the engine's state can hold (`state`, inputs among it)."""

    token: str
    inputs: Mapping[str, Field]
    state: Mapping[str, Field]


def version() -> str:
    return metadata.version("pulumi_alicloud")


@cache
def classes() -> Mapping[str, tuple[str, str]]:
    """Every resource token → (module, class), from the table the wheel registers with the engine's SDK."""
    source = Path(inspect.getfile(pulumi_alicloud)).read_text(encoding="utf-8")
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "_utilities.register":
            table = next(json.loads(ast.literal_eval(k.value)) for k in call.keywords if k.arg == "resource_modules")
            found = {token: (entry["fqn"], name) for entry in table for token, name in entry["classes"].items()}
            return {token: found[token] for token in sorted(found.keys() - UNREACHABLE)}
    raise UnknownShape("the wheel registers no resources")


def resource(token: str) -> Resource:
    """Raises: KeyError for a token the wheel does not have."""
    home, name = classes()[token]
    owner = getattr(importlib.import_module(home), name)
    return _read(token, vars(inspect.getmodule(owner)), name)


def configuration() -> Resource:
    """The provider's own configuration."""
    return _read(PROVIDER, vars(importlib.import_module("pulumi_alicloud.provider")), "Provider")


def taggable() -> list[str]:
    """Sorted tokens of the resources that take `tags` as a map of strings."""
    return sorted(token for token in classes() if _takes_tags(token))


def _takes_tags(token: str) -> bool:
    tags = resource(token).inputs.get("tags")
    return tags is not None and tags.shape == Shape("map", Shape("string"))


def _read(token: str, module: Mapping[str, object], name: str) -> Resource:
    arguments = f"{name}InitArgs" if f"{name}InitArgs" in module else f"{name}Args"
    inputs = _fields(module[arguments])
    state = _fields(module[f"_{name}State"]) if f"_{name}State" in module else {}
    return Resource(token, inputs, {**state, **inputs})  # of the state's fields none says it is required


def _fields(owner: object) -> Mapping[str, Field]:
    assert isinstance(owner, type)
    return _fields_of(owner)


@cache
def _fields_of(owner: type) -> Mapping[str, Field]:
    needed = {p.name for p in inspect.signature(owner).parameters.values() if p.default is inspect.Parameter.empty}
    found = (
        Field(getattr(member.fget, "_pulumi_name", python), python, _shape(_hint(member)), python in needed)
        for python, member in vars(owner).items()
        if isinstance(member, property)
    )
    return {each.name: each for each in found}


def _hint(member: property) -> object:
    return typing.get_type_hints(member.fget, localns=dict(NAMES))["return"]


def _shape(hint: object) -> Shape:
    """Raises: UnknownShape."""
    hint = _bare(hint)
    if hint in SCALARS:
        return Shape(SCALARS[hint])
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return Shape("map", _shape(arguments[1]))
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return Shape("list", _shape(arguments[0]))
    if isinstance(hint, type) and hasattr(hint, "_pulumi_input_type"):
        return Shape("object", fields=_fields_of(hint))
    raise UnknownShape(f"{hint!r}")


def _bare(hint: object) -> object:
    """The one type inside optional, awaitable, output and typed-dict alternatives."""
    choices = {each: None for each in _choices(hint) if not typing.is_typeddict(each)}
    if len(choices) != 1:
        raise UnknownShape(f"{hint!r} offers {len(choices)} types")
    return next(iter(choices))


def _choices(hint: object) -> Iterator[object]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        for each in typing.get_args(hint):
            yield from _choices(each)
    elif hint is not type(None) and typing.get_origin(hint) not in (pulumi.Output, Awaitable):
        yield hint


