"""Blueprint -> Plan. Pure: no clock, no environment, no I/O; the same blueprint gives the same bytes.

Adding a drive, a host or an account changes nothing about those that exist (P2): every name and path follows from the
thing's own name and number.
"""

from __future__ import annotations

from infra import naming
from infra.blueprint.model import Blueprint, HostSpec, Survive
from infra.blueprint.plan import Plan, PlannedAccount, PlannedDrive, PlannedHost, PlannedWaiver, Profile


def override(blueprint: Blueprint, *, port: int | None = None, workers: int | None = None) -> Blueprint:
    """The blueprint with what the command line says instead; None leaves a field as it is.

    Raises: pydantic.ValidationError when a value is out of its range.
    """
    changes = {name: value for name, value in (("port", port), ("workers", workers)) if value is not None}
    return Blueprint.model_validate({**blueprint.model_dump(), **changes})


def expand(blueprint: Blueprint) -> Plan:
    return Plan(
        blueprint=blueprint.blueprint,
        summary=blueprint.summary,
        region=blueprint.region,
        base_domains=blueprint.base_domains,
        survive=blueprint.survive,
        profile=Profile(k=blueprint.k, m=blueprint.m, chunk_bytes=blueprint.chunk_bytes),
        hosts=tuple(_host(blueprint, spec) for spec in sorted(blueprint.hosts, key=lambda spec: spec.name)),
        # The order of accounts is the architect's: the first is the one `up` greets with.
        accounts=tuple(
            PlannedAccount(name=name, credentials_path=naming.credentials_file(name)) for name in blueprint.accounts
        ),
        waivers=tuple(
            PlannedWaiver(check=waiver.check, reason=waiver.reason, until=waiver.until)
            for waiver in sorted(blueprint.waivers, key=lambda waiver: waiver.check)
        ),
    )


def _host(blueprint: Blueprint, spec: HostSpec) -> PlannedHost:
    drives = (
        PlannedDrive(
            name=naming.drive_name(spec.name, number),
            number=number,
            path=naming.drive_folder(number),
            domain=_domain(blueprint.survive, spec, number),
        )
        for number in range(1, spec.drives + 1)
    )
    return PlannedHost(
        name=spec.name,
        zone=spec.zone,
        address=blueprint.address,
        port=blueprint.port,
        workers=blueprint.workers,
        state_path=naming.STATE_FOLDER,
        drives=tuple(drives),
    )


def _domain(survive: Survive, spec: HostSpec, number: int) -> str:
    """What fails together with this drive, as seen from what has to be survived."""
    match survive:
        case "drive":
            return naming.drive_name(spec.name, number)
        case "host":
            return spec.name
        case "zone":
            return spec.zone
