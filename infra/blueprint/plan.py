"""The Plan: the blueprint expanded to the last drive, port, name and path. Frozen, sorted, saved as JSON, diffable.

Paths are relative to the data root of a host, which the Plan does not know; secrets are named, never held.
"""

from __future__ import annotations

import datetime
import difflib
from typing import Literal

from infra.blueprint.cloud import PlannedGlobal, PlannedMachine, PlannedRegion
from infra.blueprint.model import Frozen, Survive

FORMAT: Literal[2] = 2


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
    size_gib: int | None = None  # None: a folder or a disk that is there, or one in an instance of unknown size


class PlannedHttp(Frozen):
    """How connections begin and end on a host."""

    graceful_timeout_s: int = 25  # requests under way may take so long when the server is told to stop
    keepalive_s: int = 75  # an idle connection; longer than the 60 s of the usual balancers, which then close first
    backlog: int = 2048  # connections the kernel holds while workers are busy


class PlannedHost(Frozen):
    """One machine: of the cloud when it has a `machine`, else one that is there (`region` is then where it belongs).

    `store` names the hosts that hold one store together: those with the same word share a profile and a journal.
    """

    name: str
    role: Literal["storage", "gateway"] = "storage"
    store: str = "main"
    region: str = ""
    zone: str
    address: str
    port: int
    health_port: int | None = None  # plain HTTP, health alone
    tls: bool = False
    read_only: bool = False
    workers: int
    data_root: str | None = None  # None: chosen where it is run
    state_path: str
    drives: tuple[PlannedDrive, ...]
    http: PlannedHttp = PlannedHttp()
    machine: PlannedMachine | None = None

    @property
    def own_drives(self) -> bool:
        """Whether its drives are in the instance, so that losing it is losing them."""
        return bool(self.drives) and self.machine is not None and self.machine.drives == "local"


class PlannedAccount(Frozen):
    name: str
    credentials_path: str


class PlannedWaiver(Frozen):
    check: str
    reason: str
    until: datetime.date


class PlannedCeiling(Frozen):
    """What a month may cost, in whole units of a currency."""

    amount: int
    currency: str


class PlannedSecret(Frozen):
    """A secret by name, with one value in the encrypted configuration of every stack that it is for.

    `generated`: `init` makes the value; else it is somebody's, and `init --secret NAME=FILE` takes it in. `stacks` are
    not built without it; those of `kept_in` hold it for the hosts, which they do not fill themselves.
    """

    name: str
    purpose: str
    stacks: tuple[str, ...] = ()
    kept_in: tuple[str, ...] = ()
    generated: bool = True


class Plan(Frozen):
    format: Literal[2] = FORMAT
    blueprint: str
    summary: str
    name: str
    environment: Literal["dev", "staging", "prod"] = "dev"
    region: str  # of signatures; the same after a failover
    active: str = ""  # the region of the cloud that takes writes, if one does
    base_domains: tuple[str, ...]
    survive: Survive
    profile: Profile
    hosts: tuple[PlannedHost, ...]
    accounts: tuple[PlannedAccount, ...]
    allow_purchase: bool = False
    max_monthly: PlannedCeiling | None = None
    waivers: tuple[PlannedWaiver, ...] = ()
    secrets: tuple[PlannedSecret, ...] = ()
    regions: tuple[PlannedRegion, ...] = ()
    joint: PlannedGlobal | None = None

    def part(self, name: str) -> PlannedRegion | None:
        """The region of this name."""
        return next((region for region in self.regions if region.name == name), None)

    def host(self, name: str) -> PlannedHost:
        """Raises: KeyError."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)


def failure_domain(survive: Survive, host: PlannedHost) -> str:
    """What fails with a host, as seen from what has to be survived: its zone, or the host itself."""
    return host.zone if survive == "zone" else host.name


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
