"""Hosts of a region: machines spread over racks, with drives that outlive them, or that are in them (docs/adr/0012)."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pulumi
import pulumi_alicloud as alicloud

from infra.blueprint.cloud import PlannedCompute, PlannedMachine, PlannedSnapshots
from infra.blueprint.model import Survive
from infra.blueprint.plan import PlannedDrive, PlannedHost, failure_domain
from infra.naming import DRIVES_TAG

SYSTEM_CATEGORY: Final = "cloud_essd"
SYSTEM_LEVEL: Final = "PL1"
DAY_H: Final = 24
BEIJING_H: Final = 8  # the cloud reads the hours of a snapshot policy in UTC+8
WEEK: Final = frozenset(range(1, 8))

# An update of any of these stops the host, of the image it swaps the system disk too, and none does any good there:
# cloud-init reads its data once, at the first boot, and what is installed is Ansible's, and so are the keys of those
# who may log in. A host gets a new image when it is made again; so a newer image in the catalogue, or a line more in
# the user data, restarts no store (P3). An address is a slot of the Plan (P2) and moves only when a host is made again.
# The agent comes with the first boot as well, and the provider would replace a host to have it come.
FIRST_BOOT_ONLY: Final = ("image_id", "user_data", "key_name", "private_ip", "security_enhancement_strategy")
# Of hosts that hold drives these too: they stop, or are replaced, one by one and by hand (docs/operate/changes.md).
BY_HAND: Final = ("instance_type", "system_disk_encrypted", "system_disk_kms_key_id")
# What the cloud does when the machine below fails. Its own recovery would start the host elsewhere, with drives that
# come up empty; stopped, it keeps them, and is seen.
KEEPS_ITS_DRIVES: Final = "Stop"


@dataclass(frozen=True)
class ComputeArgs:
    """Everything by the Plan's names; `user_data` (by host) is plain text.

    `key_id`: of the disks; None: the service's own key. `protect`: `destroy` leaves the drives, and the cloud's console
    removes no host that holds some. Such a host is not protected in Pulumi: what it holds outlives it, it is paid for,
    and made again it finds its drives. A host whose drives are in it is: it is what holds the data.
    """

    plan: PlannedCompute
    hosts: tuple[PlannedHost, ...]
    user_data: Mapping[str, str]
    switch_ids: Mapping[str, pulumi.Input[str]]
    group_ids: Mapping[str, pulumi.Input[str]]
    key_id: pulumi.Input[str] | None
    protect: bool
    survive: Survive = "zone"
    role_names: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)  # missing: the role's name in the Plan


class Compute(pulumi.ComponentResource):
    """`host_ids`, `host_addresses` by the host's name, `disk_ids` by the drive's; `key_pair`: None when the Plan has no
    public key.

    Raises: ValueError for a host without a machine, a drive without a size, or snapshots no policy can express.
    """

    host_ids: dict[str, pulumi.Output[str]]
    host_addresses: dict[str, pulumi.Output[str]]
    disk_ids: dict[str, pulumi.Output[str]]
    key_pair: pulumi.Output[str] | None = None

    def __init__(self, name: str, args: ComputeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:Compute", name, None, opts)
        self._args = args
        self._opts = pulumi.ResourceOptions(parent=self)
        self._kept = pulumi.ResourceOptions(parent=self, protect=args.protect)
        if args.plan.public_key.strip():
            self.key_pair = self._key_pair(args.plan)
        self._spread = self._deployment_set(args.plan.deployment_set)
        self._snapshots = self._policy(args.plan.snapshots) if args.plan.snapshots else None
        self.disk_ids = {}
        made: dict[str, alicloud.ecs.Instance] = {}
        before: list[alicloud.ecs.Instance] = []
        for domain in in_order(args.hosts, survive=args.survive):
            found = {host.name: self._host(host, before) for host in domain}
            made |= found
            before = list(found.values())
        self.host_ids = {found: instance.id for found, instance in made.items()}
        self.host_addresses = {found: instance.private_ip for found, instance in made.items()}
        self.register_outputs(
            {
                "hostIds": self.host_ids,
                "hostAddresses": self.host_addresses,
                "diskIds": self.disk_ids,
                "keyPair": self.key_pair,
            }
        )

    def _key_pair(self, plan: PlannedCompute) -> pulumi.Output[str]:
        return alicloud.ecs.EcsKeyPair(
            plan.key_pair, key_pair_name=plan.key_pair, public_key=plan.public_key.strip(), opts=self._opts
        ).key_pair_name

    def _deployment_set(self, name: str) -> pulumi.Output[str]:
        return alicloud.ecs.EcsDeploymentSet(
            name,
            deployment_set_name=name,
            description="No two hosts on one physical machine",
            strategy="Availability",
            # Both of a pair on one machine is what the set is there to prevent: better stopped, and seen.
            on_unable_to_redeploy_failed_instance="KeepStopped",
            opts=self._opts,
        ).id

    def _policy(self, planned: PlannedSnapshots) -> pulumi.Output[str]:
        hours, weekdays = beijing(planned.time_points, planned.weekdays)
        return alicloud.ecs.AutoSnapshotPolicy(
            planned.name,
            auto_snapshot_policy_name=planned.name,
            time_points=[str(hour) for hour in hours],
            repeat_weekdays=[str(day) for day in weekdays],
            retention_days=planned.retention_days,
            opts=self._opts,
        ).id

    def _host(self, host: PlannedHost, before: Sequence[alicloud.ecs.Instance]) -> alicloud.ecs.Instance:
        """`before`: those whose turn is before this one's; nothing is done to this one while they change."""
        machine = _machine(host)
        instance = self._instance(host, machine, before)
        alicloud.ecs.RamRoleAttachment(
            f"{host.name}-role",
            instance_id=instance.id,
            ram_role_name=self._args.role_names.get(machine.role, machine.role),
            opts=self._opts,
        )
        for drive in () if host.own_drives else host.drives:
            self._drive(host, drive, instance)
        return instance

    def _instance(
        self, host: PlannedHost, machine: PlannedMachine, before: Sequence[alicloud.ecs.Instance]
    ) -> alicloud.ecs.Instance:
        args = self._args
        holds_data = bool(host.drives)
        return alicloud.ecs.Instance(
            host.name,
            instance_name=host.name,
            host_name=host.name,
            instance_type=machine.instance_type,
            image_id=machine.image,
            instance_charge_type="PostPaid",
            vswitch_id=args.switch_ids[machine.switch],
            private_ip=host.address,
            internet_max_bandwidth_out=0,  # no public address
            security_groups=[args.group_ids[machine.security_group]],
            key_name=self.key_pair,
            deployment_set_id=self._spread,
            http_endpoint="enabled",
            http_tokens="required",
            security_enhancement_strategy="Active",  # the agent of Security Center, which public images have
            system_disk_category=SYSTEM_CATEGORY,
            system_disk_performance_level=SYSTEM_LEVEL,
            system_disk_size=machine.system_disk_gib,
            system_disk_encrypted=True,
            system_disk_kms_key_id=args.key_id,
            user_data=encoded(args.user_data[host.name]),
            deletion_protection=args.protect and holds_data,
            maintenance_action=KEEPS_ITS_DRIVES if host.own_drives else None,
            tags=told_of_drives(host),
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect and host.own_drives,
                depends_on=before,
                ignore_changes=[*FIRST_BOOT_ONLY, *(BY_HAND if holds_data else ())],
            ),
        )

    def _drive(self, host: PlannedHost, drive: PlannedDrive, instance: alicloud.ecs.Instance) -> None:
        disk = self._disk(host, drive)
        self.disk_ids[drive.name] = disk.id
        # Not protected: it would hold the host, and with it all that a host needs, for a drive that outlives it.
        alicloud.ecs.EcsDiskAttachment(
            f"{drive.name}-attachment",
            disk_id=disk.id,
            instance_id=instance.id,
            delete_with_instance=False,
            opts=self._opts,
        )
        if self._snapshots is not None:
            alicloud.ecs.EcsAutoSnapshotPolicyAttachment(
                f"{drive.name}-snapshots", auto_snapshot_policy_id=self._snapshots, disk_id=disk.id, opts=self._opts
            )

    def _disk(self, host: PlannedHost, drive: PlannedDrive) -> alicloud.ecs.EcsDisk:
        machine = _machine(host)
        if drive.size_gib is None:
            raise ValueError(f"{drive.name}: a drive of the cloud has a size")
        return alicloud.ecs.EcsDisk(
            drive.name,
            disk_name=drive.name,
            description=f"drive {drive.number} of {host.name}",
            zone_id=host.zone,
            category=machine.disk_category,
            # Only this category has levels.
            performance_level=machine.performance_level if machine.disk_category == "cloud_essd" else None,
            size=drive.size_gib,
            type="online",  # it grows without a restart
            encrypted=True,
            kms_key_id=self._args.key_id,
            delete_with_instance=False,
            delete_auto_snapshot=False,
            opts=self._kept,
        )


def _machine(host: PlannedHost) -> PlannedMachine:
    if host.machine is None:
        raise ValueError(f"{host.name}: not a host of the cloud")
    return host.machine


def domains(hosts: Sequence[PlannedHost], *, survive: Survive) -> tuple[tuple[PlannedHost, ...], ...]:
    """The hosts by what fails together, in the order of the Plan: zones, or each host for itself. Pure."""
    found: dict[str, list[PlannedHost]] = {}
    for host in hosts:
        found.setdefault(failure_domain(survive, host), []).append(host)
    return tuple(map(tuple, found.values()))


def in_order(hosts: Sequence[PlannedHost], *, survive: Survive) -> tuple[tuple[PlannedHost, ...], ...]:
    """Whose turn it is, each waiting for those before: the failure domains of hosts that hold drives, then those of the
    rest. So no two domains change at once, and nothing that holds data needs a host that holds none: `destroy` leaves
    what a protected host waits for (P6), and a gateway left would run, and be paid for, for nobody. Pure."""
    with_drives = [host for host in hosts if host.drives]
    without = [host for host in hosts if not host.drives]
    return (*domains(with_drives, survive=survive), *domains(without, survive=survive))


def told_of_drives(host: PlannedHost) -> dict[str, str] | None:
    """The one tag that a component gives. How many of an instance's drives the store has is no argument of anything,
    and a lower number would change nothing that the engine sees: from the tag `up` knows what it would lose."""
    return {DRIVES_TAG: str(len(host.drives))} if host.own_drives else None


def encoded(text: str) -> str:
    """Base64, as the provider recommends: it compares such user data byte for byte, anything else by a hash."""
    return base64.b64encode(text.encode()).decode()


def beijing(hours: tuple[int, ...], weekdays: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Hours (0-23) and weekdays (1: Monday) of UTC as the cloud reads them, in UTC+8, sorted.

    Raises: ValueError when only some of the hours fall on the next day there, and not every day is meant.
    """
    shifted = sorted((hour + BEIJING_H) % DAY_H for hour in hours)
    later = {hour + BEIJING_H >= DAY_H for hour in hours}
    if later == {False} or set(weekdays) == WEEK:
        return tuple(shifted), tuple(sorted(weekdays))
    if later == {True}:
        return tuple(shifted), tuple(sorted(day % 7 + 1 for day in weekdays))
    raise ValueError(f"snapshots at {hours} UTC fall on two days in UTC+8: all before 16, all from 16 on, or every day")
