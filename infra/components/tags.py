"""Tags on every resource that takes them (P4), added while resources are registered; components pass none."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

import pulumi

TAGGABLE: Final = "taggable.json"
Properties = Mapping[str, Any]  # as a transform is given them: plain values or outputs


@cache
def taggable() -> frozenset[str]:
    """Type tokens whose resources take `tags`, from the generated table. Raises: FileNotFoundError, ValueError."""
    found = json.loads(resources.files(__package__).joinpath(TAGGABLE).read_text(encoding="utf-8"))
    if not isinstance(found, list) or not all(isinstance(token, str) for token in found):
        raise ValueError(f"{TAGGABLE} is a list of type tokens: generate it again")
    return frozenset(found)


def tagged(
    type_token: str, properties: Properties, mandatory: Mapping[str, str], *, types: frozenset[str] | None = None
) -> Properties:
    """The properties with the mandatory tags, which win over a user's own. Unchanged for a type that takes none.

    `types`: those that take tags; None: `taggable()`.
    """
    if type_token not in (taggable() if types is None else types) or not mandatory:
        return properties
    return {**properties, "tags": _merged(properties.get("tags"), mandatory)}


def transform(
    mandatory: Mapping[str, str],
) -> Callable[[pulumi.ResourceTransformArgs], pulumi.ResourceTransformResult | None]:
    """For `pulumi.runtime.register_resource_transform`."""

    def add(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        made = tagged(args.type_, args.props, mandatory)
        return None if made is args.props else pulumi.ResourceTransformResult(props=dict(made), opts=args.opts)

    return add


def _merged(own: Any, mandatory: Mapping[str, str]) -> Any:
    if isinstance(own, pulumi.Output):
        return own.apply(lambda known: _merged(known, mandatory))
    return {**(own or {}), **mandatory}
