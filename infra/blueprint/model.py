"""The blueprint as values: flat, frozen, strict. No field is read that is not named here.

Field descriptions are what `hint:` lines quote, and what a JSON Schema for editors will carry.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

WORD_PATTERN = r"^[a-z][a-z0-9-]{0,30}$"

Survive = Literal["drive", "host", "zone"]
Word = Annotated[str, Field(pattern=WORD_PATTERN)]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HostSpec(Frozen):
    """One machine that holds drives."""

    name: Word = Field(description="lower-case letters, digits and hyphens")
    zone: Word = Field(description="hosts of one zone fail together")
    drives: Annotated[int, Field(strict=True, ge=1, le=60, description="how many drives (folders on a laptop)")]


class Waiver(Frozen):
    """A check that may fail, why, and until when."""

    check: Word
    reason: Annotated[str, Field(min_length=10, description="a sentence a reviewer can judge")]
    until: Annotated[datetime.date, Field(description="the last day it holds, YYYY-MM-DD")]


class Blueprint(Frozen):
    """The whole file."""

    blueprint: Word = Field(description="its name: that of the file")
    summary: Annotated[str, Field(min_length=1, max_length=200)]
    k: Annotated[int, Field(strict=True, ge=1, le=64, description="data fragments of a chunk")]
    m: Annotated[int, Field(strict=True, ge=0, le=64, description="parity fragments: how many may be lost")]
    survive: Annotated[Survive, Field(description="what may be lost with nothing lost: drive, host or zone")] = "drive"
    address: Annotated[str, Field(pattern=r"^[0-9A-Fa-f.:]+$", description="IP address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(strict=True, ge=1, le=65_535, description="TCP port of the object API")] = 9000
    workers: Annotated[int, Field(strict=True, ge=1, le=128, description="HTTP workers a host; one or two a core")] = 2
    region: Word = "us-east-1"
    chunk_bytes: Annotated[int, Field(strict=True, ge=65_536, le=4_194_304)] = 4_194_304
    base_domains: tuple[str, ...] = ("localhost",)
    accounts: Annotated[tuple[Word, ...], Field(min_length=1, description="each gets credentials of its own")]
    hosts: Annotated[tuple[HostSpec, ...], Field(min_length=1)]
    waivers: tuple[Waiver, ...] = ()

    @field_validator("accounts", "hosts", "waivers")
    @classmethod
    def _named_once(cls, items: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [str(getattr(item, "name", getattr(item, "check", item))) for item in items]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise PydanticCustomError("duplicate", "{name} is there twice", {"name": repr(name), "item": number})
        return items
