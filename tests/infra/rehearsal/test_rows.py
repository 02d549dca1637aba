"""What is written by hand about types and arguments names ones that exist."""

from __future__ import annotations

import pytest

from infra.rehearsal import rules
from infra.rehearsal.computed import STATUS
from infra.rehearsal.metadata import DEFAULT_PATH, Metadata

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
        others = set(known.conflicts) - set(resource.properties)
        assert not others, f"{token}: {name} conflicts with {others}, which it has not"
        assert known.settable or known.computed, f"{token}: {name} is neither an argument nor an output"


@pytest.mark.parametrize("token", rules.UNIQUE)
def test_names_that_are_taken(token: str) -> None:
    resource = METADATA.resource(token)
    assert resource is not None
    for unique in rules.UNIQUE[token]:
        for name in unique.names:
            assert resource.properties[name].settable


def test_fixed_names_and_states() -> None:
    for token, name in rules.FIXED_NAMES.items():
        resource = METADATA.resource(token)
        assert resource is not None
        assert resource.properties[name].settable
    for token in STATUS:
        resource = METADATA.resource(token)
        assert resource is not None
        assert "status" in resource.properties
