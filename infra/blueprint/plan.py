"""The Plan: the blueprint expanded to the last drive, port, name and path. Frozen, sorted, saved as JSON, diffable.

Paths are relative to the data root of a host, which the Plan does not know; secrets are named, never held.
"""

from __future__ import annotations

import datetime
import difflib
from typing import Literal

from infra.blueprint.model import Frozen, Survive

FORMAT: Literal[1] = 1


class Profile(Frozen):
    k: int
    m: int
    chunk_bytes: int


class PlannedDrive(Frozen):
    """`number` is its bay on the host; drives that share a domain are lost together."""

    name: str
    number: int
    path: str
    domain: str


class PlannedHost(Frozen):
    name: str
    zone: str
    address: str
    port: int
    workers: int
    state_path: str
    drives: tuple[PlannedDrive, ...]


class PlannedAccount(Frozen):
    name: str
    credentials_path: str


class PlannedWaiver(Frozen):
    check: str
    reason: str
    until: datetime.date


class Plan(Frozen):
    format: Literal[1] = FORMAT
    blueprint: str
    summary: str
    region: str
    base_domains: tuple[str, ...]
    survive: Survive
    profile: Profile
    hosts: tuple[PlannedHost, ...]
    accounts: tuple[PlannedAccount, ...]
    waivers: tuple[PlannedWaiver, ...] = ()

    def host(self, name: str) -> PlannedHost:
        """Raises: KeyError."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)


def dump(plan: Plan) -> str:
    """JSON text, one fact a line, the same bytes for the same Plan."""
    return plan.model_dump_json(indent=2) + "\n"


def parse(text: str) -> Plan:
    """Raises: pydantic.ValidationError."""
    return Plan.model_validate_json(text)


def diff(old: Plan, new: Plan) -> str:
    """A unified diff of two Plans, empty when equal."""
    lines = difflib.unified_diff(dump(old).splitlines(), dump(new).splitlines(), "plan before", "plan now", lineterm="")
    return "\n".join(lines)
