"""Every knob of the blueprint language, a value that differs from what each shipped blueprint has, and the class of the
change that follows when nothing else is edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from infra.blueprint.load import model_of
from infra.blueprint.model import Blueprint
from infra.engine.changes import Harm

BLUEPRINTS: Final = ("laptop", "single-ecs", "three-zone", "hybrid", "multi-region", "cdn-edge")
ROOM: Final = "hybrid"
ONE: Final = "single-ecs"
THREE: Final = "three-zone"
TWO_REGIONS: Final = "multi-region"
EDGE: Final = "cdn-edge"
# What can follow beside a class of change.
WRONG: Final = "wrong"  # the file, a check or the program says no, before the engine has a diff
ONLINE, REBOOT, REPLACE, DESTROY = Harm.ONLINE, Harm.REBOOT, Harm.REPLACE, Harm.DESTROY
NONE: Final = Harm.NONE
Expected = Harm | str


@dataclass(frozen=True)
class Knob:
    """`value`: what it is changed to. `follows`: the class wherever the engine sees a difference. `but`: where it is
    another one. `values`: other values, by blueprint. `asked`: that a holder of data stops is what is asked for."""

    value: Any
    follows: Expected = Harm.NONE
    but: Mapping[str, Expected] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    asked: bool = False

    def expected(self, blueprint: str) -> Expected:
        return self.but.get(blueprint, self.follows)

    def given(self, blueprint: str) -> Any:
        return self.values.get(blueprint, self.value)


def names() -> tuple[str, ...]:
    """Every knob, from the model: `field`, or `section.field`."""
    found: list[str] = []
    for name, known in Blueprint.model_fields.items():
        section = model_of(known.annotation)
        found += [name] if section is None else [f"{name}.{inner}" for inner in section.model_fields]
    return tuple(found)


OTHER_KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILwiFfXW+Nw0238y3SFUIwFHFeLQWk1/8nxMVEOXBhaa other@example.com"
NEW_ZONES: Final = {
    ONE: ["cn-hangzhou-j", "cn-hangzhou-k"],
    THREE: ["cn-hangzhou-h", "cn-hangzhou-j", "cn-hangzhou-k", "cn-hangzhou-i"],
    ROOM: ["cn-shanghai-l", "cn-shanghai-m", "cn-shanghai-n"],
    TWO_REGIONS: ["cn-shanghai-l", "cn-shanghai-m", "cn-shanghai-n", "cn-shanghai-g"],
    EDGE: ["ap-southeast-1a", "ap-southeast-1b", "ap-southeast-1c", "ap-southeast-1d"],
}
KNOBS: Final[Mapping[str, Knob]] = {
    # --- what the file and the store are ------------------------------------------------------------------------------
    "blueprint": Knob("other", ONLINE),
    "summary": Knob("Another line"),
    "name": Knob("other", WRONG),
    "environment": Knob("staging", WRONG),
    "size": Knob("M", REBOOT, but={ROOM: ONLINE, ONE: ONLINE, TWO_REGIONS: ONLINE, EDGE: ONLINE}, asked=True),
    "k": Knob(3),
    "m": Knob(1),
    "survive": Knob("drive"),
    "address": Knob("127.0.0.2"),
    "port": Knob(9001, REPLACE, but={ROOM: NONE}),
    "workers": Knob(3),
    "region": Knob("us-west-1"),
    "chunk_bytes": Knob(1_048_576),
    "base_domains": Knob(["example.org"]),
    "accounts": Knob(["main", "other"], WRONG),
    "hosts.name": Knob("other"),
    "hosts.zone": Knob("rack-c"),
    "hosts.drives": Knob(7),
    "hosts.address": Knob("192.168.10.99"),
    "regions.name": Knob("cn-wulanchabu", WRONG),
    "regions.role": Knob("replica", WRONG),
    "regions.zones": Knob([], ONLINE, values=NEW_ZONES),
    "regions.cidr": Knob("10.99.0.0/16", DESTROY),
    "active": Knob("cn-beijing", ONLINE),
    "seat": Knob("cn-shanghai", ONLINE),
    # --- network ------------------------------------------------------------------------------------------------------
    "network.existing": Knob({"cn-hangzhou": "vpc-bp1aevy8sofi8mh1q0000"}, DESTROY),
    "network.nat": Knob(False, DESTROY),
    "network.nat_bandwidth_mbps": Knob(11, ONLINE),
    "network.flow_log": Knob(True, ONLINE),
    "network.log_days": Knob(60, ONLINE),
    "network.oss_endpoint": Knob(False, DESTROY),
    "network.client_cidrs": Knob(["10.0.0.0/8", "172.16.0.0/12"], ONLINE),
    "network.admin_cidrs": Knob(["10.7.0.0/24"], ONLINE),
    # --- hosts --------------------------------------------------------------------------------------------------------
    "storage.workload": Knob("dense"),
    "storage.hosts_per_zone": Knob(2, ONLINE),
    "storage.drives_per_host": Knob(7, ONLINE),
    "storage.drive_gib": Knob(200, ONLINE),
    "storage.instance_type": Knob("ecs.g7.4xlarge"),
    "storage.disk_category": Knob("cloud_auto", ONLINE),
    "storage.performance_level": Knob("PL2", ONLINE),
    "storage.snapshot_days": Knob(9, ONLINE),
    "gateways.per_zone": Knob(2, ONLINE),
    "gateways.scaling": Knob(True, DESTROY),
    "gateways.min": Knob(1, ONLINE),
    "gateways.max": Knob(7, ONLINE),
    "gateways.instance_type": Knob("ecs.g7.2xlarge", REBOOT, but={EDGE: ONLINE}),
    "gateways.wheel": Knob("kakera-0.2.0-py3-none-any.whl", ONLINE),
    "gateways.wheel_sha256": Knob("1" * 64, ONLINE),
    "gateways.drain_s": Knob(400, ONLINE),
    # --- balancer -----------------------------------------------------------------------------------------------------
    "balancer.kind": Knob("clb", DESTROY),
    "balancer.public": Knob(True, ONLINE),
    "balancer.port": Knob(8443, REPLACE),
    "balancer.health_port": Knob(9081, REPLACE, but={ROOM: NONE}),
    "balancer.idle_timeout_s": Knob(300, ONLINE),
    "balancer.certificate": Knob("12345678-cn-hangzhou"),
    # --- keys and the bucket ------------------------------------------------------------------------------------------
    "keys.mode": Knob("default-cmk", WRONG),
    "keys.existing": Knob({"cn-hangzhou": "key-hzz65f1ba1a1a1a1a1a1a"}),
    "keys.hsm": Knob(True),
    "keys.rotation_days": Knob(90),
    "keys.administrators": Knob(["acs:ram::1234567890123456:user/admin"]),
    "tier.enabled": Knob(False, DESTROY),
    "tier.ia_days": Knob(45, ONLINE),
    "tier.archive_days": Knob(200, ONLINE),
    "tier.noncurrent_days": Knob(60, ONLINE),
    "tier.redundancy": Knob("ZRS", REPLACE),
    "tier.replicate": Knob(False, DESTROY, but={ROOM: ONLINE}),
    # --- edge, names, the room ----------------------------------------------------------------------------------------
    "cdn.domain": Knob("files.example.com", REPLACE),
    "cdn.scope": Knob("global", ONLINE),
    "cdn.certificate": Knob("12345678-cn-hangzhou", ONLINE),
    "cdn.ttl_s": Knob(3600, ONLINE),
    "cdn.log": Knob(False, DESTROY),
    "dns.domain": Knob("example.org", REPLACE, but={ROOM: NONE, EDGE: DESTROY}),
    "dns.record": Knob("store", ONLINE),
    "dns.ttl_s": Knob(900, ONLINE),
    "dns.traffic_manager": Knob(True, WRONG),
    "onprem.cidr": Knob("192.168.0.0/16", DESTROY),
    "onprem.gateway_address": Knob("203.0.113.11", REPLACE),
    "onprem.path": Knob("custom-domain", WRONG),
    "onprem.domain": Knob("cold.example.com"),
    "onprem.certificate": Knob("12345678-cn-hangzhou"),
    "interconnect.kind": Knob("none", WRONG, but={TWO_REGIONS: DESTROY}),
    "interconnect.bandwidth_mbps": Knob(200, REPLACE, but={TWO_REGIONS: ONLINE}),
    # --- the index ----------------------------------------------------------------------------------------------------
    "database.enabled": Knob(True, ONLINE),
    "database.instance_type": Knob("pg.n4.4c.2m", REBOOT, asked=True),
    "database.storage_gib": Knob(60, ONLINE),
    "database.version": Knob("17.0", REBOOT, asked=True),
    "database.backup_days": Knob(10, ONLINE),
    # --- the rest -----------------------------------------------------------------------------------------------------
    "bucket_prefix": Knob("other", DESTROY),
    "max_monthly.amount": Knob(100000, WRONG),
    "max_monthly.currency": Knob("CNY", WRONG),
    "image": Knob("debian_12_99_x64_20G_alibase_20990101.vhd", but={EDGE: ONLINE}),
    "ssh_public_key": Knob(OTHER_KEY, ONLINE),
    "allow_purchase": Knob(True),
    "protect": Knob(False, ONLINE),
    "tags": Knob({"team": "store"}, ONLINE),
    "waivers.check": Knob("nothing", WRONG),
    "waivers.reason": Knob("a sentence that a reviewer can judge", WRONG),
    "waivers.until": Knob("2099-01-01", WRONG),
}
