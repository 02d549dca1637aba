"""The blueprints of this repository, expanded once a process."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from infra.blueprint.expand import expand
from infra.blueprint.load import load
from infra.blueprint.plan import Plan

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"


def names() -> list[str]:
    return sorted(path.stem for path in BLUEPRINTS.glob("*.yaml"))


@cache
def planned(name: str) -> Plan:
    return expand(load(BLUEPRINTS / f"{name}.yaml"))
