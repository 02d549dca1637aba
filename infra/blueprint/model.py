"""The blueprint as values: flat, frozen, strict; sections one level deep. No field is read that is not named here.

Field descriptions are what `hint:` lines quote, and what the JSON Schema for editors and the READMEs carry.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from infra.blueprint.references import DRAFT, REFERENCES, findings
from infra.blueprint.sections import (
    BalancerSection,
    CdnSection,
    CeilingSection,
    DatabaseSection,
    DnsSection,
    GatewaySection,
    HostSpec,
    InterconnectSection,
    KeySection,
    NetworkSection,
    OnpremSection,
    RegionSpec,
    StorageSection,
    TierSection,
    Waiver,
    named_once,
)
from infra.blueprint.values import Address, Environment, Frozen, Prefix, Size, Survive, Word

__all__ = ["Blueprint", "Frozen", "HostSpec", "RegionSpec", "Survive", "Waiver", "Word", "json_schema"]


class Blueprint(Frozen):
    """The whole file."""

    blueprint: Word = Field(description="its name: that of the file")
    summary: Annotated[str, Field(min_length=1, max_length=200, description="one line: what it is and survives")]
    name: Prefix = Field(default="kakera", description="first part of every name in the cloud")
    environment: Annotated[Environment, Field(description="dev, staging and prod differ in protection and logs")] = (
        "dev"
    )
    size: Annotated[Size, Field(description="defaults of machines and disks; every knob overrides them")] = "S"
    k: Annotated[int, Field(strict=True, ge=1, le=64, description="data fragments of a chunk")]
    m: Annotated[int, Field(strict=True, ge=0, le=64, description="parity fragments: how many may be lost")]
    survive: Annotated[Survive, Field(description="what may be lost with nothing lost: drive, host or zone")] = "drive"
    address: Annotated[Address, Field(description="IP address that `hosts` listen on")] = "127.0.0.1"
    port: Annotated[int, Field(strict=True, ge=1, le=65_535, description="TCP port of the object API")] = 9000
    workers: Annotated[int, Field(strict=True, ge=1, le=128, description="HTTP workers a host; one or two a core")] = 2
    region: Word = Field(default="us-east-1", description="region in signatures; with `regions`: the primary's")
    chunk_bytes: Annotated[
        int, Field(strict=True, ge=65_536, le=4_194_304, description="largest piece of a body that is encoded at once")
    ] = 4_194_304
    base_domains: tuple[str, ...] = Field(
        default=("localhost",), description="BUCKET.NAME is a bucket, for each NAME here; with `dns`: its record"
    )
    accounts: Annotated[tuple[Word, ...], Field(min_length=1, description="each gets credentials of its own")]
    hosts: Annotated[tuple[HostSpec, ...], Field(min_length=1, description="machines that are there")] = ()
    regions: Annotated[tuple[RegionSpec, ...], Field(min_length=1, max_length=8, description="of the cloud")] = ()
    active: Annotated[Word | None, Field(description="region that takes writes; default: the primary")] = None
    seat: Annotated[
        Word | None,
        Field(description="region that makes what is global: names, edge, CEN; default: the first replica"),
    ] = None
    network: NetworkSection = Field(default=NetworkSection(), description="the VPC of each region")
    storage: StorageSection = Field(default=StorageSection(), description="hosts with drives, in the cloud")
    gateways: GatewaySection = Field(default=GatewaySection(), description="hosts without drives")
    balancer: BalancerSection = Field(default=BalancerSection(), description="the one address of a region")
    keys: KeySection = Field(default=KeySection(), description="what disks and buckets are encrypted with")
    tier: TierSection = Field(default=TierSection(), description="the bucket for what is cold")
    cdn: CdnSection | None = Field(default=None, description="public read at the edge")
    dns: DnsSection | None = Field(default=None, description="the store's name")
    onprem: OnpremSection | None = Field(default=None, description="the machine room in which `hosts` stand")
    interconnect: InterconnectSection = Field(default=InterconnectSection(), description="what joins networks")
    database: DatabaseSection = Field(default=DatabaseSection(), description="the index of a store of many hosts")
    bucket_prefix: Annotated[
        str | None,
        Field(
            pattern=r"^[a-z0-9][a-z0-9-]{1,29}$",
            description="of bucket names, which are unique in the world; default: NAME-ENVIRONMENT",
        ),
    ] = None
    max_monthly: CeilingSection | None = Field(default=None, description="what a month may cost")
    image: Annotated[str | None, Field(description="id of the system image; of the catalogue when left out")] = None
    ssh_public_key: Annotated[str | None, Field(description="one line, as in id_ed25519.pub")] = None
    allow_purchase: Annotated[bool, Field(strict=True, description="may buy what cannot be given back")] = False
    protect: Annotated[
        bool, Field(strict=True, description="what holds data survives `destroy`; by environment when left out")
    ] = False
    tags: dict[str, str] = Field(default={}, description="on every resource, beside those of the framework")
    waivers: tuple[Waiver, ...] = Field(default=(), description="checks that may fail, with a reason and a last day")

    @field_validator("accounts", "hosts", "regions", "waivers")
    @classmethod
    def _named_once(cls, items: tuple[Any, ...]) -> tuple[Any, ...]:
        return named_once(items)

    @model_validator(mode="after")
    def _refers_to_what_is_there(self, info: ValidationInfo) -> Blueprint:
        """Names in one section of what another holds. All findings travel in one error; load.py gives each a place."""
        found = [] if info.context == DRAFT else list(findings(self))
        if found:
            raise PydanticCustomError(REFERENCES, "{text}", {"text": found[0].text, "findings": found})
        return self

    @model_validator(mode="after")
    def _somewhere(self) -> Blueprint:
        if not self.hosts and not self.regions:
            raise PydanticCustomError(
                "somewhere", "there is neither `hosts` (machines that are there) nor `regions` (of the cloud)"
            )
        return self


def json_schema() -> dict[str, Any]:
    """JSON Schema of a blueprint file, for editors."""
    found = Blueprint.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": "Kakera blueprint"}
