"""Blueprints of the cloud for tests: the shipped ones, one to change field by field, a strategy for the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from infra.blueprint.expand import expand
from infra.blueprint.load import load
from infra.blueprint.model import Blueprint
from infra.blueprint.plan import Plan

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"
SHIPPED = tuple(sorted(path.stem for path in BLUEPRINTS.glob("*.yaml")))
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILwiFfXW me@kakera"
HANGZHOU = {"name": "cn-hangzhou", "cidr": "10.20.0.0/16", "zones": [f"cn-hangzhou-{z}" for z in "hjk"]}
BEIJING = {"name": "cn-beijing", "cidr": "10.21.0.0/16", "role": "replica", "zones": [f"cn-beijing-{z}" for z in "hkl"]}
ROOM = {"cidr": "192.168.10.0/24", "gateway_address": "198.18.0.1"}


def shipped(name: str) -> Blueprint:
    return load(BLUEPRINTS / f"{name}.yaml")


def cloud(**fields: Any) -> Blueprint:
    """Three zones of one region with everything left at its default, but for `fields`."""
    base = {
        "blueprint": "x",
        "summary": "x",
        "k": 5,
        "m": 4,
        "survive": "zone",
        "accounts": ["main"],
        "regions": [HANGZHOU],
        "ssh_public_key": KEY,
    }
    return Blueprint.model_validate({**base, **fields})


def cloud_plan(**fields: Any) -> Plan:
    return expand(cloud(**fields))


_LETTERS = st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=2, max_size=4, unique=True)


@st.composite
def regions(draw: st.DrawFn, count: int) -> list[dict[str, Any]]:
    """Regions apart from each other; the first is the primary, the others replicas."""
    known = st.sampled_from([f"r{letter}-south" for letter in "abcdef"])
    names = draw(st.lists(known, min_size=count, max_size=count, unique=True))
    found = []
    for number, name in enumerate(names):
        zones = [f"{name}-{letter}" for letter in draw(_LETTERS)]
        role = "primary" if number == 0 else "replica"
        found.append({"name": name, "role": role, "zones": zones, "cidr": f"10.{20 + number}.0.0/16"})
    return found


@st.composite
def clouds(draw: st.DrawFn) -> Blueprint:
    """Any blueprint of the cloud that the model takes."""
    count = draw(st.integers(1, 3))
    kind = draw(st.sampled_from(["nlb", "none"]))
    scaling = kind == "nlb" and draw(st.booleans())
    fields: dict[str, Any] = {
        "k": draw(st.integers(2, 12)),
        "m": draw(st.integers(1, 4)),
        "survive": draw(st.sampled_from(["drive", "host", "zone"])),
        "size": draw(st.sampled_from("SML")),
        "environment": draw(st.sampled_from(["dev", "staging", "prod"])),
        "regions": draw(regions(count)),
        "storage": {"hosts_per_zone": draw(st.integers(1, 3)), "drives_per_host": draw(st.integers(1, 4))},
        "gateways": {"per_zone": draw(st.integers(0, 2)), "scaling": scaling},
        "balancer": {"kind": kind, "public": draw(st.booleans())},
        "tier": {"enabled": draw(st.booleans())},
        "database": {"enabled": draw(st.booleans())},
        "interconnect": {"kind": "cen" if count > 1 and draw(st.booleans()) else "none"},
        "accounts": draw(st.lists(st.sampled_from(["main", "alt", "third"]), min_size=1, unique=True)),
    }
    if draw(st.booleans()):
        fields["dns"] = {"domain": "kakera.test"}
    if draw(st.booleans()):
        fields["keys"] = {"mode": "instance"}
    return cloud(**fields)
