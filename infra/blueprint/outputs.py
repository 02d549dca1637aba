"""What a stack tells after `up`: each output's name, its producer and its type. One place for all three.

`from_output` in a Plan names one of these; `infra/deploy` exports them; `infra/render` reads them typed.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from infra.blueprint.model import Frozen

# output -> the component that produces it
PRODUCERS: Final[dict[str, str]] = {
    "mode": "program",
    "vpc_id": "network",
    "switch_ids": "network",
    "route_table_id": "network",
    "nat_address": "network",
    "security_group_ids": "security",
    "key_id": "keys",
    "key_arn": "keys",
    "bucket_endpoints": "buckets",
    "host_ids": "compute",
    "host_addresses": "compute",
    "disk_ids": "compute",
    "scaling_group_id": "compute",
    "balancer_id": "balancer",
    "balancer_address": "balancer",
    "database_address": "database",
    "vpn_address": "interconnect",
    "vpn_standby_address": "interconnect",
    "cen_id": "interconnect",
    "cdn_cname": "cdn",
    "names": "dns",
}


class Outputs(Frozen):
    """The outputs of one stack; what a blueprint does not make is None or empty."""

    mode: str = ""
    vpc_id: str | None = None
    switch_ids: dict[str, str] = Field(default={})
    route_table_id: str | None = None
    nat_address: str | None = None
    security_group_ids: dict[str, str] = Field(default={})
    key_id: str | None = None
    key_arn: str | None = None
    bucket_endpoints: dict[str, str] = Field(default={})
    host_ids: dict[str, str] = Field(default={})
    host_addresses: dict[str, str] = Field(default={})
    disk_ids: dict[str, str] = Field(default={})  # by name of the drive
    scaling_group_id: str | None = None
    balancer_id: str | None = None
    balancer_address: str | None = None
    database_address: str | None = None
    vpn_address: str | None = None
    vpn_standby_address: str | None = None
    cen_id: str | None = None
    cdn_cname: str | None = None
    names: dict[str, str] = Field(default={})
