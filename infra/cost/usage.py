"""What an environment is used for in a month: the part of its cost that no Plan can know. Values only.

What is left out has the default that stands here: a small store, a year long. Sizes in GiB; a GB of a price list is
counted as a GiB.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from infra.blueprint import typed
from infra.blueprint.values import Frozen

Amount = Annotated[int, Field(strict=True, ge=0, le=10**12)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Units = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]


class StorageUsage(Frozen):
    """In the bucket of what is cold, of each region."""

    standard_gib: Amount = Field(default=100, description="GiB in class Standard, on average over the month")
    ia_gib: Amount = Field(default=0, description="GiB in class IA")
    archive_gib: Amount = Field(default=0, description="GiB in class Archive")
    retrieved_gib: Amount = Field(default=0, description="GiB read back from IA, a month")


class RequestUsage(Frozen):
    """To the OSS buckets of each region, a month."""

    put: Amount = Field(default=100_000, description="requests that write, copy, delete or list")
    get: Amount = Field(default=1_000_000, description="requests that read")


class TrafficUsage(Frozen):
    """GiB a month. What comes in, and what stays inside a region, is free."""

    internet_gib: Amount = Field(default=100, description="out of each public balancer, NAT and VPN gateway")
    oss_internet_gib: Amount = Field(default=0, description="out of the OSS buckets of each region to the Internet")
    replicated_gib: Amount = Field(default=100, description="copied by each replication of buckets")
    between_regions_gib: Amount = Field(default=100, description="over each CEN peering, both ways together")
    cdn_gib: Amount = Field(default=100, description="served by the CDN")


class SnapshotUsage(Frozen):
    """A snapshot keeps what is used once, and for each day what changed."""

    used_percent: Percent = Field(default=50, description="of the drives that holds data")
    changed_percent: Percent = Field(default=1, description="of it that changes in a day")


class CapacityUsage(Frozen):
    """What is metered in units of capacity, on average over the month."""

    balancer_units: Units = Field(default=1, description="LCU of each balancer")
    nat_units: Units = Field(default=1, description="CU of each NAT gateway")
    scaled_hosts: int | None = Field(
        default=None, strict=True, ge=0, le=1000, description="hosts of each scaling group; its minimum when left out"
    )


class LogUsage(Frozen):
    gib_a_day: Amount = Field(default=1, description="GiB that each log store takes in a day")


class Usage(Frozen):
    """The whole file."""

    months: int = Field(default=12, strict=True, ge=1, le=60, description="how long it will be used")
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$", description="of the estimate; none is converted")
    storage: StorageUsage = Field(default=StorageUsage(), description="in the bucket of what is cold")
    requests: RequestUsage = Field(default=RequestUsage(), description="to OSS")
    traffic: TrafficUsage = Field(default=TrafficUsage(), description="what leaves")
    snapshots: SnapshotUsage = Field(default=SnapshotUsage(), description="of drives")
    capacity: CapacityUsage = Field(default=CapacityUsage(), description="of balancers, NAT and groups")
    logs: LogUsage = Field(default=LogUsage(), description="of SLS")


DEFAULT: Final = Usage()


def parse(text: str, *, name: str) -> Usage:
    """`name` stands in messages for the file. Raises: BlueprintError with every problem, each with its place."""
    return typed.parse(text, Usage, name=name)
