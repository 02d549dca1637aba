"""What every part of the blueprint language is made of: frozen strict models, words, ranges of addresses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from infra import subnets

WORD_PATTERN = r"^[a-z][a-z0-9-]{0,30}$"
PREFIX_PATTERN = r"^[a-z][a-z0-9]{0,14}$"  # leaves room for environment, region and purpose in the 63 of a bucket
ZONE_PATTERN = r"^[a-z]{2,}-[a-z0-9-]*[a-z]$"  # the last letter is the slot (infra/subnets.py)
DOMAIN_PATTERN = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$"

Survive = Literal["drive", "host", "zone"]
Environment = Literal["dev", "staging", "prod"]
Size = Literal["S", "M", "L"]
Role = Literal["primary", "replica", "backup"]
Workload = Literal["dense", "balanced"]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _range(text: str) -> str:
    try:
        return str(subnets.network(text))
    except ValueError as error:
        raise PydanticCustomError("cidr", "{why}", {"why": str(error)}) from error


def _region_range(text: str) -> str:
    try:
        return str(subnets.region_network(text))
    except ValueError as error:
        raise PydanticCustomError("cidr", "{why}", {"why": str(error)}) from error


Word = Annotated[str, Field(pattern=WORD_PATTERN)]
Prefix = Annotated[str, Field(pattern=PREFIX_PATTERN)]
Zone = Annotated[str, Field(pattern=ZONE_PATTERN)]
Domain = Annotated[str, Field(pattern=DOMAIN_PATTERN)]
Address = Annotated[str, Field(pattern=r"^[0-9A-Fa-f.:]+$")]
Range = Annotated[str, AfterValidator(_range)]
RegionRange = Annotated[str, AfterValidator(_region_range)]
