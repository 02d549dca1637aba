"""A whole environment as Terraform's configuration: one file a stack, and one for what they share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from infra.blueprint.plan import Plan
from infra.export import program, terraform
from infra.export.monitor import Registered
from infra.export.program import ExportError, Part
from infra.export.tokens import SHAPES, Tokens
from infra.rehearsal.metadata import Metadata, Resource

CONFIGURATION: Final = "kakera.tf.json"
ACCOUNT: Final = "account"
GLOBAL: Final = "global"
_HEADS: Final = ("terraform", "provider", "variable", "resource", "output")  # in the order in which people read them


def configuration(plan: Plan, metadata: Metadata) -> dict[str, str]:
    """File name -> text, the same bytes for the same Plan: every resource of its stacks, with their references.

    Raises: ExportError naming the resource that cannot be written, and each value that the program takes apart although
    only the cloud knows it.
    """
    return _files(plan, names(plan), metadata)


def names(plan: Plan) -> list[str]:
    """Of the parts of an environment, those that are told of others last."""
    return [*(region.name for region in plan.regions), *([GLOBAL] if plan.joint else [])]


def account(plan: Plan, metadata: Metadata) -> dict[str, str]:
    """What an account needs once. Raises: ExportError."""
    return _files(plan, [ACCOUNT], metadata)


def _files(plan: Plan, parts: Sequence[str], metadata: Metadata) -> dict[str, str]:
    first, second = (run(plan, parts, Tokens(shape), metadata) for shape in SHAPES)
    if taken := list(_taken_apart(first, second)):
        raise ExportError(
            "values that only the cloud knows are taken apart by the program, and Terraform cannot know them either:\n"
            + "\n".join(taken)
        )
    places = _places(parts, first, metadata)
    files = {
        f"{part}.tf.json": _text(
            {"resource": _resources(found, places, metadata), "output": _outputs(part, found.outputs)}
        )
        for part, found in zip(parts, first, strict=True)
    }
    return {CONFIGURATION: _text(_shared(plan, metadata, first)), **files}


def run(plan: Plan, parts: Sequence[str], tokens: Tokens, metadata: Metadata) -> list[Part]:
    """Every part in turn, each told what those before it told, with its stand-ins resolved."""
    told: dict[str, Mapping[str, Any]] = {}
    stacks = {region.name: region.stack for region in plan.regions}
    found = []
    for part in parts:
        ran = program.run(plan, part, tokens, told, metadata)
        told[stacks.get(part, part)] = ran.outputs
        found.append(_resolved(ran, tokens))
    return found


def _resolved(part: Part, tokens: Tokens) -> Part:
    resources = tuple(replace(found, inputs=tokens.resolve(found.inputs)) for found in part.resources)
    return Part(resources, tokens.resolve(part.outputs))


def _taken_apart(first: Sequence[Part], second: Sequence[Part]) -> Iterator[str]:
    """Where two runs differ that were told the same in two shapes."""
    for one, other in zip(first, second, strict=True):
        here, there = ({found.urn: found for found in part.resources} for part in (one, other))
        yield from (f"- {urn.rpartition('::')[2]}: made in one run alone" for urn in sorted(here.keys() ^ there.keys()))
        for urn in sorted(here.keys() & there.keys()):
            given, again = here[urn].inputs, there[urn].inputs
            names = sorted(name for name in given.keys() | again.keys() if given.get(name) != again.get(name))
            yield from (f"- {here[urn].name}: argument {name}" for name in names)
        names = sorted(name for name in one.outputs if one.outputs[name] != other.outputs.get(name))
        yield from (f"- output {name}" for name in names)


def _places(parts: Sequence[str], found: Sequence[Part], metadata: Metadata) -> dict[str, str]:
    """URN -> Terraform's address. Raises: ExportError when two resources would share one."""
    places: dict[str, str] = {}
    for part, ran in zip(parts, found, strict=True):
        for resource in ran.resources:
            place = terraform.address(_type(resource, metadata).terraform, resource.name)
            if place in places.values():
                raise ExportError(f"{part}: {resource.name}: another resource has this address already: {place}")
            places[resource.urn] = place
    return places


def _type(resource: Registered, metadata: Metadata) -> Resource:
    found = metadata.resource(resource.type)
    assert found is not None  # `program.run` refused it
    return found


def _resources(part: Part, places: Mapping[str, str], metadata: Metadata) -> dict[str, Any]:
    made: dict[str, dict[str, Any]] = {}
    for resource in part.resources:
        kind, _, name = places[resource.urn].partition(".")
        made.setdefault(kind, {})[name] = _resource(resource, places, metadata)
    return made


def _resource(resource: Registered, places: Mapping[str, str], metadata: Metadata) -> dict[str, Any]:
    known = _type(resource, metadata)
    try:
        made = terraform.arguments(resource.inputs, known.properties, resource.name)
    except KeyError as error:
        raise ExportError(f"{error.args[0]}: {known.terraform} has no such argument") from error
    said = json.dumps(made)
    first = sorted(places[urn] for urn in resource.depends_on if urn in places)
    waits = [place for place in first if f"${{{place}." not in said]
    lifecycle: dict[str, Any] = {"prevent_destroy": True} if resource.protect else {}
    if ignored := _ignored(resource, known):
        lifecycle["ignore_changes"] = ignored
    return {
        **made,
        **({"provider": f"alicloud.{resource.provider}"} if resource.provider else {}),
        **({"depends_on": waits} if waits else {}),
        **({"lifecycle": lifecycle} if lifecycle else {}),
    }


def _ignored(resource: Registered, known: Resource) -> list[str]:
    if missing := [name for name in resource.ignore_changes if name not in known.properties]:
        raise ExportError(f"{resource.name}: ignore_changes names {missing[0]}, which {known.terraform} lacks")
    return sorted(known.properties[name].terraform for name in resource.ignore_changes)


def _outputs(part: str, outputs: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{terraform.word(part)}_{name}": {"value": value} for name, value in sorted(outputs.items())}


def _shared(plan: Plan, metadata: Metadata, parts: Sequence[Part]) -> dict[str, Any]:
    regions = sorted({found.provider for part in parts for found in part.resources if found.provider})
    said = json.dumps([dict(found.inputs) for part in parts for found in part.resources])
    secrets = [secret for secret in plan.secrets if f"${{var.{terraform.variable(secret.name)}}}" in said]
    return {
        "terraform": {"required_providers": {"alicloud": {"source": terraform.SOURCE, "version": metadata.provider}}},
        "provider": {"alicloud": [{"alias": region, "region": region} for region in regions]},
        "variable": {
            terraform.variable(secret.name): {"type": "string", "sensitive": True, "description": secret.purpose}
            for secret in secrets
        },
    }


def _text(content: Mapping[str, Any]) -> str:
    ordered = {head: content[head] for head in _HEADS if content.get(head)}
    return json.dumps(ordered, indent=2, ensure_ascii=False) + "\n"
