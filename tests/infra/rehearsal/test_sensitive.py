"""What is sensitive, of every type in the data file that has it: a secret from the first preview on, and no drift."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from infra.rehearsal.cloud import FILE
from infra.rehearsal.metadata import Kind, Metadata, Property
from infra.rehearsal.provider import Ask, Provider
from infra.rehearsal.wire import Secret, Value

METADATA = Metadata.load()


def _any_sensitive(properties: Mapping[str, Property]) -> bool:
    return any(
        known.sensitive or _any_sensitive((known.element or known).fields) for known in properties.values()
    )


def _types() -> Iterator[str]:
    for token in METADATA.tokens():
        resource = METADATA.resource(token)
        assert resource is not None
        if _any_sensitive(resource.properties):
            yield token


def _sample(known: Property, name: str) -> Value:
    """Some value that fits; of a block, what is required and what is sensitive."""
    match known.kind:
        case Kind.STRING:
            return str(known.values[0]) if known.values else f"hush-{name}" if known.sensitive else f"a-{name}"
        case Kind.BOOL:
            return True
        case Kind.INT | Kind.FLOAT:
            return known.range[0] if known.range else 1
        case Kind.LIST | Kind.SET:
            return [_sample(known.element, name)] if known.element else []
        case Kind.MAP:
            return {}
        case Kind.OBJECT:
            return _whole(known.fields)


def _whole(properties: Mapping[str, Property]) -> dict[str, Value]:
    """What is required, and all that is sensitive or holds it."""
    return {
        name: _sample(known, name)
        for name, known in properties.items()
        if known.settable and not known.deprecated
        if known.required or _any_sensitive({name: known})
    }


def _required(properties: Mapping[str, Property]) -> dict[str, Value]:
    """Nothing sensitive, unless it must be: what the cloud makes up is sensitive all the same."""
    return {name: _sample(known, name) for name, known in properties.items() if known.required}


@pytest.mark.parametrize("token", list(_types()))
@pytest.mark.parametrize("arguments", [_whole, _required])
def test_a_refresh_finds_no_drift(token: str, arguments: object, tmp_path: Path) -> None:
    provider = Provider(METADATA, tmp_path)
    provider.configure({"region": "cn-hangzhou"})
    resource = METADATA.resource(token)
    assert resource is not None
    assert callable(arguments)
    new = Ask(token, f"urn:pulumi:dev::kakera::{token}::x")
    inputs, _ = provider.check(new, arguments(resource.properties))
    _, planned = provider.create(new, inputs, preview=True)
    identity, state = provider.create(new, inputs, preview=False)
    assert _secrets(inputs) <= _secrets(planned) <= _secrets(state)
    there = Ask(token, new.urn, identity)
    seen = provider.read(there, state, inputs)
    assert seen is not None
    assert (seen.state, seen.inputs) == (state, inputs)
    assert provider.diff(there, seen.state, seen.inputs).changes == ()
    assert provider.update(there, state, inputs, preview=False) == state
    assert b"hush" not in (tmp_path / FILE).read_bytes()
    imported = provider.read(there, {}, {})  # knows no secret; the program's are then a change, and no failure
    assert imported is not None
    assert _secrets(imported.state) == set()
    provider.diff(there, imported.state, inputs)


def _secrets(value: Value, path: str = "") -> set[str]:
    """Where the secrets are."""
    if isinstance(value, Secret):
        return {path}
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {found for key, held in inner for found in _secrets(held, f"{path}.{key}")}
