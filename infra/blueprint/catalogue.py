"""The catalogue: regions, zones, instance types and images that are known, each with its source. Read once, frozen."""

from __future__ import annotations

import datetime
from functools import cache
from importlib import resources
from typing import Literal

from ruamel.yaml import YAML

from infra.blueprint.values import Frozen, Size

Use = Literal["dense", "balanced", "gateway"]


class Source(Frozen):
    """Where an entry was read, and when."""

    title: str
    at: str  # address or file of the source
    date: datetime.date


class Region(Frozen):
    """`oss_ranges`: where its internal OSS endpoint answers; empty: the source does not say."""

    name: str
    zones: tuple[str, ...]
    source: str
    oss_ranges: tuple[str, ...] = ()


class InstanceType(Frozen):
    type: str
    vcpu: int
    memory_gib: int
    max_disks: int | None = None  # data disks; None: the source does not say
    reason: str
    source: str


class Recommendation(Frozen):
    use: Use
    size: Size
    type: str
    reason: str


class Catalogue(Frozen):
    sources: dict[str, Source]
    regions: tuple[Region, ...]
    types: tuple[InstanceType, ...]
    recommendations: tuple[Recommendation, ...]
    image: str
    image_source: str

    def recommend(self, use: Use, size: Size) -> Recommendation:
        """Raises: KeyError when the catalogue has none, which a test rules out."""
        for found in self.recommendations:
            if (found.use, found.size) == (use, size):
                return found
        raise KeyError((use, size))

    def oss_ranges(self, region: str) -> tuple[str, ...]:
        """Empty where they are not known."""
        return next((found.oss_ranges for found in self.regions if found.name == region), ())

    def zones(self, region: str) -> tuple[str, ...]:
        """Empty for a region that is not known."""
        return next((found.zones for found in self.regions if found.name == region), ())


@cache
def shipped() -> Catalogue:
    """The catalogue of this release. Raises: pydantic.ValidationError, which a test rules out."""
    text = resources.files("infra.blueprint").joinpath("catalogue.yaml").read_text()
    return Catalogue.model_validate(YAML(typ="safe", pure=True).load(text))
