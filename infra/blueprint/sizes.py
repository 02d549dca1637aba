"""The defaults that `size` and `environment` decide: one table each. Pure.

A knob that stands in the file is never touched: `resolve` fills only what was left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from infra.blueprint import catalogue
from infra.blueprint.model import Blueprint
from infra.blueprint.values import Environment, Size

Table = Mapping[str, Mapping[str, Any]]  # section ("" for the top) -> field -> value

# Disks are many and even rather than few and large: a chunk's fragments lie on k+m of them, and a lost one is healed
# from the others at their joint speed.
SIZES: Final[Mapping[Size, Table]] = {
    "S": {
        "": {"workers": 4},
        "network": {"nat_bandwidth_mbps": 10},
        "storage": {"hosts_per_zone": 1, "drives_per_host": 6, "drive_gib": 100},
        "gateways": {"per_zone": 0},
        "interconnect": {"bandwidth_mbps": 10},
        "database": {"storage_gib": 50},
    },
    "M": {
        "": {"workers": 8},
        "network": {"nat_bandwidth_mbps": 50},
        "storage": {"hosts_per_zone": 2, "drives_per_host": 6, "drive_gib": 1024},
        "gateways": {"per_zone": 1},
        "interconnect": {"bandwidth_mbps": 100},
        "database": {"storage_gib": 200},
    },
    "L": {
        "": {"workers": 16},
        "network": {"nat_bandwidth_mbps": 200},
        "storage": {"hosts_per_zone": 4, "drives_per_host": 12, "drive_gib": 4096},
        "gateways": {"per_zone": 2},
        "interconnect": {"bandwidth_mbps": 500},
        "database": {"storage_gib": 1000},
    },
}
ENVIRONMENTS: Final[Mapping[Environment, Table]] = {
    "dev": {
        "": {"protect": False},
        "network": {"flow_log": False, "log_days": 30},
        "storage": {"snapshot_days": 3},
        "tier": {"redundancy": "LRS"},
    },
    "staging": {
        "": {"protect": True},
        "network": {"flow_log": True, "log_days": 90},
        "storage": {"snapshot_days": 7},
        "tier": {"redundancy": "ZRS"},
    },
    "prod": {
        "": {"protect": True},
        "network": {"flow_log": True, "log_days": 365},
        "storage": {"snapshot_days": 14},
        "tier": {"redundancy": "ZRS"},
    },
}
# PostgreSQL of RDS in two zones; the catalogue has their source.
DATABASES: Final[Mapping[Size, str]] = {"S": "pg.n2.2c.2m", "M": "pg.n4.4c.2m", "L": "pg.n4.8c.2m"}


def resolve(blueprint: Blueprint) -> Blueprint:
    """The blueprint with every left-out knob filled from the two tables. A laptop is left as it is: it has no size.

    A type with drives of its own says itself how many there are, and how large.
    """
    if not blueprint.regions:
        return blueprint
    for table in (_own_drives(blueprint), SIZES[blueprint.size], ENVIRONMENTS[blueprint.environment]):
        blueprint = _filled(blueprint, table)
    return blueprint


def _own_drives(blueprint: Blueprint) -> Table:
    kind = catalogue.shipped().type(blueprint.storage.instance_type or "")
    if kind is None or not kind.local_drives:
        return {}
    size = {"drive_gib": kind.local_drive_gib} if kind.local_drive_gib else {}
    return {"storage": {"drives_per_host": kind.local_drives, **size}}


def _filled(blueprint: Blueprint, table: Table) -> Blueprint:
    changes: dict[str, Any] = {}
    for section, values in table.items():
        model = getattr(blueprint, section) if section else blueprint
        missing = {field: value for field, value in values.items() if field not in model.model_fields_set}
        changes |= {section: model.model_copy(update=missing)} if section else missing
    return blueprint.model_copy(update=changes)
