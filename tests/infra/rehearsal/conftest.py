"""A provider of one region, and its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from infra.rehearsal.metadata import Metadata
from infra.rehearsal.provider import Ask, Provider
from tests.infra.rehearsal.data import RAW

REGION = "cn-hangzhou"


@pytest.fixture
def metadata() -> Metadata:
    return Metadata(RAW)


@pytest.fixture
def provider_of(metadata: Metadata, tmp_path: Path) -> Callable[[str], Provider]:
    """A provider of any region, all with the same cloud."""

    def make(region: str) -> Provider:
        made = Provider(metadata, tmp_path)
        made.configure({"region": region})
        return made

    return make


@pytest.fixture
def provider(provider_of: Callable[[str], Provider]) -> Provider:
    return provider_of(REGION)


@pytest.fixture
def ask() -> Callable[[str, str, str], Ask]:
    """A question about a type and a name, and an id once there is one."""

    def make(token: str, name: str = "x", identity: str = "") -> Ask:
        return Ask(token, f"urn:pulumi:dev::kakera::{token}::{name}", identity)

    return make
