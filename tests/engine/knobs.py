"""Every knob of the blueprint language, and a value that differs from what each shipped blueprint has.

What follows when nothing else is edited is recorded a blueprint in `recorded/`, and told in docs/operate/knobs.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from infra.blueprint.load import model_of
from infra.blueprint.model import Blueprint

RECORDED: Final = Path(__file__).with_name("recorded")
ONE: Final = "single-ecs"
THREE: Final = "three-zone"
ROOM: Final = "hybrid"
TWO_REGIONS: Final = "multi-region"
EDGE: Final = "cdn-edge"
# Every blueprint of the cloud, and what it runs with.
RUNNING: Final[Mapping[str, tuple[str, ...]]] = {
    ONE: ("size=S", "protect=true"),
    THREE: ("size=S", "gateways.per_zone=1", "protect=true"),
    ROOM: ("protect=true",),
    TWO_REGIONS: ("size=S", "protect=true"),
    EDGE: ("size=S", "protect=true"),
}
LISTS: Final = frozenset({"hosts", "regions", "waivers"})
# What can follow beside a class of change.
SAME: Final = "same"  # the same Plan: this blueprint has no use of the knob
WRONG: Final = "wrong"  # the file, a check or the program says no, before the engine has a diff
REFUSED: Final = "refused"  # beside the class: `up` does not do it


@dataclass(frozen=True)
class Knob:
    """`value`: what it is changed to; `values`: by blueprint. `asked`: that a holder of data stops is what is asked
    for."""

    value: Any
    values: Mapping[str, Any] = field(default_factory=dict)
    asked: bool = False

    def given(self, blueprint: str) -> Any:
        return self.values.get(blueprint, self.value)


def names() -> tuple[str, ...]:
    """Every knob, from the model: `field`, or `section.field`."""
    found: list[str] = []
    for name, known in Blueprint.model_fields.items():
        section = model_of(known.annotation)
        found += [name] if section is None else [f"{name}.{inner}" for inner in section.model_fields]
    return tuple(found)


def path_of(knob: str) -> str:
    """Where it stands in a file: of a list, in its first entry."""
    section, dot, rest = knob.partition(".")
    return f"{section}.0.{rest}" if dot and section in LISTS else knob


def recorded(blueprint: str) -> dict[str, str]:
    """Knob -> what followed when this was last written."""
    found: dict[str, str] = json.loads((RECORDED / f"{blueprint}.json").read_text())
    return found


HEAD: Final = """\
# What a change of each knob does

Each knob of each blueprint of the cloud, changed alone in an environment that runs, as `kakera-infra preview` judges it
([changes.md](changes.md)). The value that was tried stands beside it; another one may do less, or more.

| word | what it means |
|---|---|
| same | this blueprint, as it is, has no use of the knob |
| none | files for the hosts change, and no resource of the cloud |
| online, unknown, reboot, replace, destroy | the class of the worst change |
| refused | `up` does not do it, for it would hurt what holds data, or stop hosts of two failure domains at once |
| wrong | it cannot be so, or not alone; with the checks that say why |

Recorded on the rehearsal by `tests/engine/test_knobs.py`, and held against it.
"""


def page() -> str:
    """Markdown: a row for each knob, a column for each blueprint."""
    by = {blueprint: recorded(blueprint) for blueprint in RUNNING}
    heads = ("knob", "tried", *RUNNING)
    rows = [(f"`{knob}`", _value(row), *(by[one][knob] for one in RUNNING)) for knob, row in KNOBS.items()]
    return "\n".join([HEAD, *(f"| {' | '.join(row)} |" for row in (heads, ("---",) * len(heads), *rows)), ""])


def _value(row: Knob) -> str:
    """As in a file, cut where it is long."""
    text = json.dumps(row.value if row.value != [] else next(iter(row.values.values())))
    return f"`{text if len(text) <= 40 else text[:37] + '...'}`"


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
    "blueprint": Knob("other"),
    "summary": Knob("Another line"),
    "name": Knob("other"),
    "environment": Knob("staging"),
    "size": Knob("M", asked=True),
    "k": Knob(3),
    "m": Knob(1),
    "survive": Knob("drive"),
    "address": Knob("127.0.0.2"),
    "port": Knob(9001),
    "workers": Knob(3),
    "region": Knob("us-west-1"),
    "chunk_bytes": Knob(1_048_576),
    "base_domains": Knob(["example.org"]),
    "accounts": Knob(["main", "other"]),
    "hosts.name": Knob("other"),
    "hosts.zone": Knob("rack-c"),
    "hosts.drives": Knob(7),
    "hosts.address": Knob("192.168.10.99"),
    "regions.name": Knob("cn-wulanchabu"),
    "regions.role": Knob("replica"),
    "regions.zones": Knob([], values=NEW_ZONES),
    "regions.cidr": Knob("10.99.0.0/16"),
    "active": Knob("cn-beijing"),
    "seat": Knob("cn-shanghai"),
    # --- network ------------------------------------------------------------------------------------------------------
    "network.existing": Knob({"cn-hangzhou": "vpc-bp1aevy8sofi8mh1q0000"}),
    "network.nat": Knob(False),
    "network.nat_bandwidth_mbps": Knob(11),
    "network.flow_log": Knob(True),
    "network.log_days": Knob(60),
    "network.oss_endpoint": Knob(False),
    "network.client_cidrs": Knob(["10.0.0.0/8", "172.16.0.0/12"]),
    "network.admin_cidrs": Knob(["10.7.0.0/24"]),
    # --- hosts --------------------------------------------------------------------------------------------------------
    "storage.workload": Knob("dense"),
    "storage.hosts_per_zone": Knob(2),
    "storage.drives_per_host": Knob(7),
    "storage.drive_gib": Knob(200),
    "storage.instance_type": Knob("ecs.g7.4xlarge"),
    "storage.disk_category": Knob("cloud_auto"),
    "storage.performance_level": Knob("PL0"),
    "storage.snapshot_days": Knob(9),
    "gateways.per_zone": Knob(2),
    "gateways.scaling": Knob(True),
    "gateways.min": Knob(3),
    "gateways.max": Knob(7),
    "gateways.instance_type": Knob("ecs.g7.2xlarge"),
    "gateways.wheel": Knob("kakera-0.2.0-py3-none-any.whl"),
    "gateways.wheel_sha256": Knob("1" * 64),
    "gateways.drain_s": Knob(400),
    # --- balancer -----------------------------------------------------------------------------------------------------
    "balancer.kind": Knob("clb"),
    "balancer.public": Knob(True),
    "balancer.port": Knob(8443),
    "balancer.health_port": Knob(9081),
    "balancer.idle_timeout_s": Knob(300),
    "balancer.certificate": Knob("12345678-cn-hangzhou"),
    # --- keys and the bucket ------------------------------------------------------------------------------------------
    "keys.mode": Knob("default-cmk"),
    "keys.existing": Knob({"cn-hangzhou": "key-hzz65f1ba1a1a1a1a1a1a"}),
    "keys.hsm": Knob(True),
    "keys.rotation_days": Knob(90),
    "keys.administrators": Knob(["acs:ram::1234567890123456:user/admin"]),
    "tier.enabled": Knob(False),
    "tier.ia_days": Knob(45),
    "tier.archive_days": Knob(200),
    "tier.noncurrent_days": Knob(60),
    "tier.redundancy": Knob("ZRS"),
    "tier.replicate": Knob(False),
    # --- edge, names, the room ----------------------------------------------------------------------------------------
    "cdn.domain": Knob("files.example.com"),
    "cdn.scope": Knob("global"),
    "cdn.certificate": Knob("12345678-cn-hangzhou"),
    "cdn.ttl_s": Knob(3600),
    "cdn.log": Knob(False),
    "dns.domain": Knob("example.org"),
    "dns.record": Knob("store"),
    "dns.ttl_s": Knob(900),
    "dns.traffic_manager": Knob(True),
    "onprem.cidr": Knob("192.168.0.0/16"),
    "onprem.gateway_address": Knob("203.0.113.11"),
    "onprem.path": Knob("custom-domain"),
    "onprem.domain": Knob("cold.example.com"),
    "onprem.certificate": Knob("12345678-cn-hangzhou"),
    "interconnect.kind": Knob("none"),
    "interconnect.bandwidth_mbps": Knob(200),
    # --- the index ----------------------------------------------------------------------------------------------------
    "database.enabled": Knob(True),
    "database.instance_type": Knob("pg.n4.4c.2m", asked=True),
    "database.storage_gib": Knob(60),
    "database.version": Knob("17.0", asked=True),
    "database.backup_days": Knob(10),
    # --- the rest -----------------------------------------------------------------------------------------------------
    "bucket_prefix": Knob("other"),
    "max_monthly.amount": Knob(100000),
    "max_monthly.currency": Knob("CNY"),
    "image": Knob("debian_12_99_x64_20G_alibase_20990101.vhd"),
    "ssh_public_key": Knob(OTHER_KEY),
    "allow_purchase": Knob(True),
    "protect": Knob(False),
    "tags": Knob({"team": "store"}),
    "waivers.check": Knob("nothing"),
    "waivers.reason": Knob("a sentence that a reviewer can judge"),
    "waivers.until": Knob("2099-01-01"),
}
