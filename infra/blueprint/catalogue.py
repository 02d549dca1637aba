"""The catalogue: regions, zones, instance types, images and prices that are known, each with its source.

Read once from `infra/catalogue/*.yaml`, frozen. What a source does not say is None or missing: UNKNOWN, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Final, Literal, TypeVar

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from infra.blueprint import typed
from infra.blueprint.prices import Price, PriceBook, PriceFile, Source
from infra.blueprint.values import Frozen, Size

Use = Literal["dense", "balanced", "gateway"]
Drives = Literal["cloud", "local"]
# Storage-optimised families of ECS, with drives in the host: i with SSD, d with hard disks.
_LOCAL: Final = re.compile(r"^ecs\.(ebm)?[id][0-9]")
Model = TypeVar("Model", bound=BaseModel)


class Region(Frozen):
    """`oss_ranges`: where its internal OSS endpoint answers; empty: the source does not say."""

    name: str
    zones: tuple[str, ...]
    source: str = Field(description="a name of sources.yaml")
    oss_ranges: tuple[str, ...] = ()
    products: dict[str, tuple[str, ...]] = Field(default={}, description="zones of one product; left out: UNKNOWN")


class InstanceType(Frozen):
    """None: the source does not say."""

    type: str = Field(pattern=r"^(ecs|pg)\.[a-z0-9.-]+$", description="id of the type, such as ecs.g7.large")
    vcpu: int = Field(gt=0, description="virtual processors")
    memory_gib: int = Field(gt=0, description="GiB of memory")
    max_disks: int | None = Field(default=None, gt=0, description="data disks it takes; left out: UNKNOWN")
    network_gbps: float | None = Field(default=None, gt=0, description="Gbit/s at all times; left out: UNKNOWN")
    drives: Drives | None = Field(
        default=None, description="cloud: disks that outlive the host; local: lost with it; left out: UNKNOWN"
    )
    local_drives: int = Field(default=0, ge=0, description="how many drives are in the host, when they are local")
    local_drive_gib: int | None = Field(default=None, gt=0, description="GiB of each of them; left out: UNKNOWN")
    reason: str
    source: str = Field(description="a name of sources.yaml")

    @model_validator(mode="after")
    def _counts_what_it_has(self) -> InstanceType:
        if (self.drives == "local") != (self.local_drives > 0) or (self.local_drive_gib and not self.local_drives):
            text = f"{self.type}: `drives: local` comes with `local_drives`, their number, and none of them without"
            raise PydanticCustomError("drives", "{text}", {"text": text})
        return self


class Image(Frozen):
    name: str
    id: str
    system: str
    source: str = Field(description="a name of sources.yaml")


class Recommendation(Frozen):
    use: Use
    size: Size
    type: str
    reason: str


class _Sources(Frozen):
    sources: dict[str, Source]


class _Regions(Frozen):
    regions: tuple[Region, ...]


class _Types(Frozen):
    types: tuple[InstanceType, ...]


class _Images(Frozen):
    images: tuple[Image, ...]


class _Recommendations(Frozen):
    recommendations: tuple[Recommendation, ...]


class _Prices(Frozen):
    prices: tuple[Price, ...]


class Catalogue(Frozen):
    sources: dict[str, Source]
    regions: tuple[Region, ...]
    types: tuple[InstanceType, ...]
    recommendations: tuple[Recommendation, ...]
    images: tuple[Image, ...]
    prices: PriceFile

    @model_validator(mode="after")
    def _of_one_piece(self) -> Catalogue:
        for name, source in self._named():
            if source not in self.sources:
                known = ", ".join(self.sources)
                raise PydanticCustomError("source", "{text}", {"text": f"{name}: no source {source!r}; known: {known}"})
        if "default" not in (image.name for image in self.images):
            raise PydanticCustomError("image", "{text}", {"text": "images.yaml: no image is called default"})
        return self

    def _named(self) -> Iterator[tuple[str, str]]:
        for region in self.regions:
            yield region.name, region.source
        for found in self.types:
            yield found.type, found.source
        for image in self.images:
            yield image.name, image.source

    @property
    def image(self) -> str:
        """Id of the system image when a blueprint names none."""
        return next(image.id for image in self.images if image.name == "default")

    @property
    def image_source(self) -> str:
        return next(image.source for image in self.images if image.name == "default")

    @property
    def book(self) -> PriceBook:
        return PriceBook((self.prices,))

    def recommend(self, use: Use, size: Size) -> Recommendation:
        """Raises: KeyError when the catalogue has none, which a test rules out."""
        for found in self.recommendations:
            if (found.use, found.size) == (use, size):
                return found
        raise KeyError((use, size))

    def type(self, name: str) -> InstanceType | None:
        """None where it is not known."""
        return next((found for found in self.types if found.type == name), None)

    def drives(self, name: str) -> Drives | None:
        """Where a host of this type has its drives, of a type that is not here by its family; None: not known."""
        found = self.type(name)
        if found is None and _LOCAL.match(name):
            return "local"
        return found.drives if found else None

    def oss_ranges(self, region: str) -> tuple[str, ...]:
        """Empty where they are not known."""
        return next((found.oss_ranges for found in self.regions if found.name == region), ())

    def zones(self, region: str, product: str = "ecs") -> tuple[str, ...]:
        """Zones of a region, or those of one product where a source lists them; empty where nothing is known."""
        found = next((found for found in self.regions if found.name == region), None)
        if found is None:
            return ()
        return found.zones if product == "ecs" else found.products.get(product, ())


@cache
def shipped() -> Catalogue:
    """The catalogue of this release. Raises: BlueprintError with file, line and remedy, which a test rules out."""
    sources = _read("sources", _Sources).sources
    return Catalogue(
        sources=sources,
        regions=_read("regions", _Regions).regions,
        types=_read("types", _Types).types,
        recommendations=_read("recommendations", _Recommendations).recommendations,
        images=_read("images", _Images).images,
        prices=PriceFile(sources=sources, prices=_read("prices", _Prices).prices),
    )


def _read(name: str, model: type[Model]) -> Model:
    file = resources.files("infra").joinpath("catalogue", f"{name}.yaml")
    return typed.parse(file.read_text(), model, name=f"infra/catalogue/{name}.yaml")
