"""The sections of a blueprint, one level deep. Descriptions are the manual: hints, schema and README quote them.

A default that depends on `size` or `environment` stands here as for `S` and `dev`; sizes.py has the others.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from infra.blueprint.values import Address, Domain, Frozen, Range, RegionRange, Role, Word, Workload, Zone

InstanceType = Annotated[str, Field(pattern=r"^(ecs|pg)\.[a-z0-9.-]+$")]
BySize = "; by size when left out"
OwnSay = f"{BySize}, of a type with drives of its own what that has"


def named_once(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """A list whose entries are told apart by name. Raises: PydanticCustomError."""
    names = [str(getattr(item, "name", getattr(item, "check", item))) for item in items]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise PydanticCustomError("duplicate", "{name} is there twice", {"name": repr(name), "item": number})
    return items


class HostSpec(Frozen):
    """One machine that is there and holds drives: the laptop, a server of the machine room."""

    name: Word = Field(description="lower-case letters, digits and hyphens")
    zone: Word = Field(description="hosts of one zone fail together: a rack, a room")
    drives: Annotated[int, Field(strict=True, ge=1, le=60, description="how many drives (folders on a laptop)")]
    address: Annotated[Address | None, Field(description="IP address to listen on, when hosts differ in it")] = None


class Waiver(Frozen):
    """A check that may fail, why, and until when."""

    check: Word = Field(description="name of the check, as `check` prints it")
    reason: Annotated[str, Field(min_length=10, description="a sentence a reviewer can judge")]
    until: Annotated[datetime.date, Field(description="the last day it holds, YYYY-MM-DD")]


class RegionSpec(Frozen):
    """A region of Alibaba Cloud that takes part; each is a stack of its own."""

    name: Word = Field(description="id of the region, such as cn-hangzhou")
    role: Annotated[
        Role, Field(description="primary: takes writes; replica: read only until a failover; backup: cold copies alone")
    ] = "primary"
    zones: Annotated[
        tuple[Zone, ...],
        Field(
            min_length=1,
            max_length=8,
            description="ids of zones; the first two are home to NAT, VPN and database, so list new ones last",
        ),
    ]
    cidr: Annotated[RegionRange, Field(description="private /16 of the region, apart from every other range in use")]

    @field_validator("zones")
    @classmethod
    def _zones_once(cls, zones: tuple[str, ...]) -> tuple[str, ...]:
        return named_once(zones)


class NetworkSection(Frozen):
    """The VPC of each region."""

    existing: dict[Word, str] = Field(
        default={}, description="region: id of a VPC to adopt instead of making one; its range is `cidr`"
    )
    nat: Annotated[bool, Field(strict=True, description="a way out for hosts without a public address")] = True
    nat_bandwidth_mbps: Annotated[
        int, Field(strict=True, ge=1, le=1000, description="of the way out" + BySize)
    ] = 10
    flow_log: Annotated[bool, Field(strict=True, description="keep a log of every flow; by environment")] = False
    log_days: Annotated[
        int, Field(strict=True, ge=1, le=3650, description="how long logs are kept; by environment")
    ] = 30
    oss_endpoint: Annotated[
        bool, Field(strict=True, description="a gateway endpoint: traffic to OSS stays inside the VPC")
    ] = True
    client_cidrs: Annotated[
        tuple[Range, ...], Field(description="who may speak to the store from outside; empty: the region's own range")
    ] = ()
    admin_cidrs: Annotated[tuple[Range, ...], Field(description="who may use ssh; empty: nobody")] = ()


class StorageSection(Frozen):
    """The hosts that hold drives, in every region that is no backup."""

    workload: Annotated[
        Workload, Field(description="dense: much data, few requests; balanced: small objects, many requests")
    ] = "balanced"
    hosts_per_zone: Annotated[int, Field(strict=True, ge=1, le=100, description="storage hosts a zone" + BySize)] = 1
    drives_per_host: Annotated[int, Field(strict=True, ge=1, le=16, description="disks a host" + OwnSay)] = 6
    drive_gib: Annotated[int, Field(strict=True, ge=20, le=32_768, description="GiB of a disk" + OwnSay)] = 100
    instance_type: Annotated[
        InstanceType | None, Field(description="of the catalogue; by workload and size when left out")
    ] = None
    disk_category: Annotated[
        Literal["cloud_essd", "cloud_auto"], Field(description="cloud_essd has levels, cloud_auto follows the load")
    ] = "cloud_essd"
    performance_level: Annotated[
        Literal["PL0", "PL1", "PL2", "PL3"], Field(description="IOPS class of a cloud_essd disk")
    ] = "PL1"
    snapshot_days: Annotated[
        int, Field(strict=True, ge=1, le=365, description="how long snapshots are kept; by environment")
    ] = 3


class GatewaySection(Frozen):
    """Hosts without drives that speak to clients; without any, the storage hosts do."""

    per_zone: Annotated[int, Field(strict=True, ge=0, le=50, description="fixed gateways a zone" + BySize)] = 0
    scaling: Annotated[bool, Field(strict=True, description="a group whose number varies, no fixed ones")] = False
    min: Annotated[int, Field(strict=True, ge=0, le=100, description="of the group")] = 2
    max: Annotated[int, Field(strict=True, ge=1, le=100, description="of the group")] = 6
    instance_type: Annotated[InstanceType | None, Field(description="of the catalogue; by size when left out")] = None
    wheel: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9_.+-]+\.whl$", description="object of the artifacts bucket a new host installs")
    ] = "kakera-0.1.0-py3-none-any.whl"
    wheel_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="its digest; another is refused")] = (
        "0" * 64
    )
    drain_s: Annotated[
        int, Field(strict=True, ge=30, le=3600, description="longest a leaving gateway may finish its requests")
    ] = 300


class BalancerSection(Frozen):
    """The one address of each region (SLB): `nlb` and `clb` pass bytes through, `alb` ends TLS itself."""

    kind: Annotated[
        Literal["nlb", "alb", "clb", "none"],
        Field(
            description="nlb: no limit of time or size on a request; alb: rules on paths; clb: the older kind, behind "
            "which hosts see, and let in, the clients' own addresses"
        ),
    ] = "nlb"
    public: Annotated[bool, Field(strict=True, description="reachable from the Internet")] = False
    port: Annotated[int, Field(strict=True, ge=1, le=65_535, description="TCP port of clients")] = 443
    health_port: Annotated[
        int, Field(strict=True, ge=1024, le=65_535, description="plain HTTP, health alone, closed to clients")
    ] = 9080
    idle_timeout_s: Annotated[
        int, Field(strict=True, ge=10, le=900, description="a connection without a byte is closed after this long")
    ] = 900
    certificate: Annotated[str | None, Field(description="id of the certificate in the cloud, for alb")] = None


class KeySection(Frozen):
    """What disks and buckets are encrypted with."""

    mode: Annotated[
        Literal["service", "default-cmk", "instance"],
        Field(
            description="service: the cloud's own keys, and none for the database, whose disk takes a key by its id "
            "alone; default-cmk: the region's default key, adopted by id, never destroyed; instance: keys of your own "
            "in a KMS instance (a purchase)"
        ),
    ] = "service"
    existing: dict[Word, str] = Field(default={}, description="region: id of its default key, for default-cmk")
    hsm: Annotated[bool, Field(strict=True, description="in a hardware module, for instance (a purchase)")] = False
    rotation_days: Annotated[int, Field(strict=True, ge=7, le=365, description="a new key version this often")] = 365
    administrators: Annotated[
        tuple[str, ...], Field(description="RAM principals that may manage the key, as acs:ram::ACCOUNT:user/NAME")
    ] = ()


class TierSection(Frozen):
    """The OSS bucket of each region for what is cold."""

    enabled: Annotated[bool, Field(strict=True, description="make it")] = True
    ia_days: Annotated[
        int | None, Field(strict=True, ge=1, le=3650, description="to infrequent access after so many days")
    ] = 30
    archive_days: Annotated[int | None, Field(strict=True, ge=1, le=3650, description="to archive after so many")] = 180
    noncurrent_days: Annotated[
        int, Field(strict=True, ge=1, le=3650, description="how long a replaced version is kept")
    ] = 30
    redundancy: Annotated[
        Literal["LRS", "ZRS"], Field(description="LRS: one zone; ZRS: three zones; by environment")
    ] = "LRS"
    replicate: Annotated[
        bool,
        Field(
            strict=True,
            description="the primary's bucket is copied to that of every other region; in keys.mode service OSS's own "
            "keys (AES256) encrypt it then, for OSS copies out of KMS only with a key of yours",
        ),
    ] = True


class CdnSection(Frozen):
    """Public read at the edge."""

    domain: Domain = Field(description="name that readers use; for edges in China it needs an ICP filing")
    scope: Annotated[Literal["domestic", "overseas", "global"], Field(description="where the edges are")] = "global"
    certificate: Annotated[str | None, Field(description="id of the certificate; none: HTTP alone")] = None
    ttl_s: Annotated[int, Field(strict=True, ge=0, le=31_536_000, description="how long an object is kept")] = 86_400
    log: Annotated[bool, Field(strict=True, description="deliver the log in real time")] = True


class DnsSection(Frozen):
    """The store's name, in a domain that Alibaba Cloud DNS serves."""

    domain: Domain = Field(description="the zone that is served, such as example.com")
    record: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$", description="the part before the domain")] = "s3"
    ttl_s: Annotated[
        int, Field(strict=True, ge=1, le=86_400, description="how long a failover may go unnoticed by resolvers")
    ] = 600
    traffic_manager: Annotated[
        bool, Field(strict=True, description="switch regions by their health (a purchase)")
    ] = False


class OnpremSection(Frozen):
    """The machine room in which `hosts` stand."""

    cidr: Annotated[Range, Field(description="range of the machine room")]
    gateway_address: Address = Field(description="public address of its VPN device")
    path: Annotated[
        Literal["private", "custom-domain"],
        Field(
            description="how the room reaches OSS. private: through the VPN, with return routes and DNS of the "
            "internal endpoint; custom-domain: over the Internet by a name and certificate of your own"
        ),
    ] = "private"
    domain: Annotated[
        Domain | None, Field(description="of the tier bucket, for custom-domain; in the zone that `dns` serves")
    ] = None
    certificate: Annotated[str | None, Field(description="id of its certificate, for custom-domain")] = None


class InterconnectSection(Frozen):
    """What joins networks: a VPN to the machine room, CEN between regions."""

    kind: Annotated[Literal["none", "vpn", "cen"], Field(description="vpn: room to region; cen: region to region")] = (
        "none"
    )
    bandwidth_mbps: Annotated[
        int, Field(strict=True, ge=2, le=1000, description="of the VPN or of each peering" + BySize)
    ] = 10


class DatabaseSection(Frozen):
    """PostgreSQL (RDS, two zones) for the index of a store of many hosts."""

    enabled: Annotated[bool, Field(strict=True, description="make it, in every region that holds a store")] = False
    instance_type: Annotated[InstanceType | None, Field(description="of RDS; by size when left out")] = None
    storage_gib: Annotated[int, Field(strict=True, ge=20, le=32_000, description="GiB" + BySize)] = 50
    version: Annotated[Literal["15.0", "16.0", "17.0"], Field(description="of PostgreSQL")] = "16.0"
    backup_days: Annotated[int, Field(strict=True, ge=7, le=730, description="how long backups are kept")] = 7


class CeilingSection(Frozen):
    """What a month may cost: the check `cost-ceiling` fails above it, and where the cost cannot be known."""

    amount: Annotated[int, Field(strict=True, ge=1, description="whole units of the currency, a month")]
    currency: Annotated[
        str, Field(pattern=r"^[A-Z]{3}$", description="that the prices are in, such as USD; none is converted")
    ] = "USD"
