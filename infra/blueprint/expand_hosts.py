"""Hosts and the machines they are made of: those of the cloud in their slots, those that are there as written. Pure."""

from __future__ import annotations

from typing import Final

from infra import naming, subnets
from infra.blueprint import catalogue
from infra.blueprint.cloud import PlannedCompute, PlannedMachine, PlannedScaling, PlannedSnapshots
from infra.blueprint.expand_identity import gateway_role, server_role
from infra.blueprint.expand_security import group_name
from infra.blueprint.model import Blueprint, HostSpec, Survive
from infra.blueprint.plan import PlannedDrive, PlannedHost
from infra.blueprint.scope import Scope

SNAPSHOT_HOURS: Final = (17,)  # UTC: one at night in the regions of the catalogue
EVERY_DAY: Final = (1, 2, 3, 4, 5, 6, 7)
SETTINGS_OBJECT: Final = "settings.json"


def there(blueprint: Blueprint, spec: HostSpec) -> PlannedHost:
    """A machine that is there: the laptop, or one of the machine room, which is provisioned and speaks TLS."""
    room = blueprint.onprem is not None
    return PlannedHost(
        name=spec.name,
        region=blueprint.regions[0].name if blueprint.regions else "",
        zone=spec.zone,
        address=spec.address or blueprint.address,
        port=blueprint.port,
        health_port=blueprint.balancer.health_port if room else None,
        tls=room,
        workers=blueprint.workers,
        data_root=naming.DATA_ROOT if room else None,
        state_path=naming.STATE_FOLDER,
        drives=tuple(
            PlannedDrive(
                name=naming.drive_name(spec.name, number),
                number=number,
                path=naming.drive_folder(number),
                domain=domain(blueprint.survive, host=spec.name, zone=spec.zone, number=number),
            )
            for number in range(1, spec.drives + 1)
        ),
    )


def domain(survive: Survive, *, host: str, zone: str, number: int) -> str:
    """What fails together with drive `number` of a host, as seen from what has to be survived."""
    match survive:
        case "drive":
            return naming.drive_name(host, number)
        case "host":
            return host
        case "zone":
            return zone


def hosts(scope: Scope) -> tuple[PlannedHost, ...]:
    """Every fixed host of a region, by name."""
    if not scope.holds_store:
        return ()
    knobs = scope.blueprint
    gateways = 0 if knobs.gateways.scaling else knobs.gateways.per_zone
    found = [_host(scope, zone, n, "storage") for zone in scope.zones for n in _upto(knobs.storage.hosts_per_zone)]
    found += [_host(scope, zone, n, "gateway") for zone in scope.zones for n in _upto(gateways)]
    return tuple(sorted(found, key=lambda host: host.name))


def compute(scope: Scope) -> PlannedCompute | None:
    if not scope.holds_store:
        return None
    planned = hosts(scope)
    return PlannedCompute(
        deployment_set=scope.thing("spread"),
        key_pair=scope.thing("key-pair"),
        public_key=scope.blueprint.ssh_public_key or "",
        snapshots=_snapshots(scope) if any(host.drives and not host.own_drives for host in planned) else None,
        hosts=tuple(host.name for host in planned),
        scaling=_scaling(scope) if scope.blueprint.gateways.scaling else None,
    )


def _snapshots(scope: Scope) -> PlannedSnapshots:
    return PlannedSnapshots(
        name=scope.thing("snapshots"),
        time_points=SNAPSHOT_HOURS,
        weekdays=EVERY_DAY,
        retention_days=scope.blueprint.storage.snapshot_days,
    )


def entrances(scope: Scope) -> tuple[str, ...]:
    """Fixed hosts that clients are sent to: gateways where there are any."""
    role = "gateway" if scope.has_gateways else "storage"
    return tuple(host.name for host in hosts(scope) if host.role == role)


def _upto(count: int) -> range:
    return range(1, count + 1)


def _host(scope: Scope, zone: str, number: int, role: subnets.Role) -> PlannedHost:
    blueprint = scope.blueprint
    name = naming.host(blueprint.name, blueprint.environment, zone, role=role, number=number)
    active = blueprint.active or scope.region.name
    return PlannedHost(
        name=name,
        role=role,
        store=scope.region.name,
        region=scope.region.name,
        zone=zone,
        address=subnets.address(scope.region.cidr, zone, role=role, number=number),
        port=blueprint.port,
        health_port=blueprint.balancer.health_port,
        tls=True,
        read_only=scope.region.name != active,
        workers=blueprint.workers,
        data_root=naming.DATA_ROOT,
        state_path=naming.STATE_FOLDER,
        drives=_drives(scope, name, zone) if role == "storage" else (),
        machine=_machine(scope, switch=scope.switch(zone, "hosts"), role=role),
    )


def _drives(scope: Scope, host: str, zone: str) -> tuple[PlannedDrive, ...]:
    size = scope.blueprint.storage.drive_gib if _size_known(scope.blueprint.storage.instance_type or "") else None
    return tuple(
        PlannedDrive(
            name=naming.drive_name(host, number),
            number=number,
            path=naming.drive_folder(number),
            domain=domain(scope.blueprint.survive, host=host, zone=zone, number=number),
            size_gib=size,
        )
        for number in _upto(scope.blueprint.storage.drives_per_host)
    )


def _size_known(kind: str) -> bool:
    """Of drives in an instance the catalogue alone knows it."""
    known = catalogue.shipped()
    found = known.type(kind)
    return known.drives(kind) != "local" or (found is not None and found.local_drive_gib is not None)


def _machine(scope: Scope, *, switch: str, role: subnets.Role) -> PlannedMachine:
    blueprint = scope.blueprint
    storage = role == "storage"
    workload = blueprint.storage.workload if storage else "gateway"
    explicit = blueprint.storage.instance_type if storage else blueprint.gateways.instance_type
    kind = explicit or catalogue.shipped().recommend(workload, blueprint.size).type
    return PlannedMachine(
        instance_type=kind,
        image=blueprint.image or catalogue.shipped().image,
        switch=switch,
        security_group=group_name(scope, role),
        role=server_role(scope) if storage else gateway_role(scope),
        disk_category=blueprint.storage.disk_category,
        performance_level=blueprint.storage.performance_level,
        drives=(catalogue.shipped().drives(kind) if storage else None) or "cloud",
    )


def _scaling(scope: Scope) -> PlannedScaling:
    knobs = scope.blueprint.gateways
    return PlannedScaling(
        name=scope.thing("gateways"),
        min=knobs.min,
        max=knobs.max,
        machine=_machine(scope, switch=scope.switch(scope.home[0], "shared"), role="gateway"),
        switches=tuple(scope.switch(zone, "shared") for zone in scope.zones),
        hook=scope.thing("gateways", "drain"),
        drain_s=knobs.drain_s,
        bucket=scope.bucket("artifacts"),
        wheel=knobs.wheel,
        wheel_sha256=knobs.wheel_sha256,
        settings_object=SETTINGS_OBJECT,
    )
