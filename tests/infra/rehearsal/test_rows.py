"""What is written by hand about types and arguments names ones that exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from infra.rehearsal import rules
from infra.rehearsal.computed import STATUS
from infra.rehearsal.metadata import DEFAULT_PATH, Kind, Metadata, Property
from infra.rehearsal.wire import Value

METADATA = Metadata.load(DEFAULT_PATH)


def test_the_data_file_names_the_release_that_is_installed() -> None:
    from importlib.metadata import version

    assert METADATA.version == version("pulumi-alicloud")


@pytest.mark.parametrize("token", METADATA.tokens())
def test_every_type_is_understood(token: str) -> None:
    resource = METADATA.resource(token)
    assert resource is not None
    assert resource.properties
    for name, known in resource.properties.items():
        assert known.settable or known.computed, f"{token}: {name} is neither an argument nor an output"
    for path, known in _all("", resource.properties):
        others = {*known.conflicts, *known.one_of, *known.any_of, *known.with_} - {*resource.properties}
        assert not others, f"{token}: {path} speaks of {others}, which it has not"
        # What is asked of arguments together is asked of the resource's own.
        assert "." not in path or not (known.one_of or known.any_of or known.with_), f"{token}: {path}"
        if known.range:
            assert (known.kind, known.range[0] <= known.range[1]) == (Kind.INT, True), f"{token}: {path}"


def _all(path: str, properties: Mapping[str, Property]) -> Iterator[tuple[str, Property]]:
    for name, known in properties.items():
        where = f"{path}{name}"
        yield where, known
        inner = known.element or known
        yield from _all(f"{where}.", inner.fields)


@pytest.mark.parametrize("token", rules.UNIQUE)
def test_names_that_are_taken(token: str) -> None:
    resource = METADATA.resource(token)
    assert resource is not None
    unique = rules.UNIQUE[token]
    for name in unique.names:
        known = resource.properties[name]
        assert known.settable
        assert not known.deprecated
        assert known.kind in (Kind.STRING, Kind.INT)
    assert {*unique.defaults} <= {*unique.names}
    given: dict[str, Value] = dict.fromkeys(unique.names, "x")
    assert rules.claim(token, "cn-hangzhou", given)


def test_every_switch_that_protects_is_in_the_rules() -> None:
    """A type that can be protected from deletion and is not in the table would be deleted without a word."""
    switches = {"deletionProtection", "deletionProtectionEnabled", "deleteProtection", "groupDeletionProtection"}
    blocks = {"deletionProtectionConfig": "deletionProtectionConfig.enabled"}
    found: dict[str, set[str]] = {}
    for token in METADATA.tokens():
        resource = METADATA.resource(token)
        assert resource is not None
        names = {name for name, known in resource.properties.items() if known.settable}
        if paths := (names & switches) | {blocks[name] for name in names & {*blocks}}:
            found[token] = paths
    del found["alicloud:ess/scalingConfiguration:ScalingConfiguration"]  # it protects the instances it makes
    assert {token: set(paths) for token, paths in rules.PROTECTION.items()} == found


def test_fixed_names_and_states() -> None:
    for token, name in rules.FIXED_NAMES.items():
        resource = METADATA.resource(token)
        assert resource is not None
        assert resource.properties[name].settable
    for token in STATUS:
        resource = METADATA.resource(token)
        assert resource is not None
        assert "status" in resource.properties
