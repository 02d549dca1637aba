"""What holds for every component: children are its own, of its provider, untagged by it; policies give the least.

The arguments are judged by what the real provider's schema says of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from infra.naming import DRIVES_TAG
from infra.rehearsal.check import check
from infra.rehearsal.metadata import Metadata
from tests.infra.components.recorder import Recorded

# What only the component knows: how many drives of its own an instance has for the store (docs/adr/0012).
_TAGS: Final[Mapping[str, frozenset[str]]] = {"alicloud:ecs/instance:Instance": frozenset({DRIVES_TAG})}


def children(found: Sequence[Recorded], component: str, *, provider: str | None = "cn-hangzhou") -> list[Recorded]:
    """All but the component, checked: parents, providers (None: whichever), names, tags, outputs, arguments."""
    own = [one for one in found if one.type == f"kakera:cloud:{component}"]
    assert len(own) == 1, [one.type for one in found]
    assert own[0].outputs is not None, "register_outputs was not called"
    rest = [one for one in found if one is not own[0]]
    assert all(one.type.startswith("alicloud:") for one in rest), [one.type for one in rest]
    assert all(one.parent == own[0].urn for one in rest), [one.name for one in rest if one.parent != own[0].urn]
    for one in rest:
        assert one.provider == (provider or one.provider) != "", f"{one.name}: provider {one.provider!r}"
        tags = set(one.inputs.get("tags", ()))
        assert tags <= _TAGS.get(one.type, frozenset()), f"{one.name}: tags are added while it is registered"
        resource = _metadata().resource(one.type)
        assert resource is not None, f"{one.type} is not rehearsed"
        wrong = check(resource, _whole(one.inputs))
        assert not wrong, f"{one.name}: {wrong}"
    names = [one.name for one in rest]
    assert len(names) == len(set(names)), sorted(names)
    return rest


@cache
def _metadata() -> Metadata:
    return Metadata.load()


def _whole(value: Any) -> Any:
    """On the wire every number is a float; 7.0 is 7."""
    if isinstance(value, dict):
        return {name: _whole(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def types(found: Iterable[Recorded]) -> list[str]:
    """The last parts of the tokens, sorted, as often as they occur."""
    return sorted(one.type.rsplit(":", 1)[1] for one in found)


def statements(document: str) -> list[dict[str, Any]]:
    """Of a policy: JSON with sorted keys, so that the same policy is the same text."""
    read = json.loads(document)
    assert document == json.dumps(read, sort_keys=True), "keys are not sorted"
    assert read["Version"] == "1"
    return list(read["Statement"])


def gives_the_least(document: str) -> None:
    """Nothing is allowed by a lone star: neither every action of a service nor every resource."""
    for statement in statements(document):
        if statement["Effect"] != "Allow":
            continue
        assert all(not action.endswith(":*") and action != "*" for action in statement["Action"]), statement
        assert all(resource != "*" for resource in statement["Resource"]), statement
