"""PostgreSQL for the index of a cluster: two zones, TLS, encrypted, no way in but from the hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_alicloud import rds

from infra.blueprint.cloud import PlannedDatabase
from infra.checks.policies.holders import AUDIT_DAYS, LOGGED
from infra.components.ordering import after

GROWTH: Final = 4  # times the planned storage, at most, without being asked
FREE_PERCENT: Final = 20  # storage grows below this
WEEK: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# UTC: the small hours where these regions are.
BACKUP_TIME: Final = "18:00Z-19:00Z"
MAINTAIN_TIME: Final = "19:00Z-20:00Z"
# Keys are compared by their bytes, as the store orders them.
CHARACTER_SET: Final = "UTF8,C,en_US.utf8"


@dataclass(frozen=True)
class DatabaseArgs:
    """`switch_ids` by the switch's name. `key_id`: of disk encryption; None: not encrypted, for RDS takes a key of its
    own only once the instance is there."""

    plan: PlannedDatabase
    vpc_id: pulumi.Input[str]
    switch_ids: Mapping[str, pulumi.Input[str]]
    password: pulumi.Input[str]
    key_id: pulumi.Input[str] | None
    protect: bool


class Database(pulumi.ComponentResource):
    """`address`: a name inside the VPC; `port`. Who uses them waits until the account may use its database.

    All is protected with the instance: PostgreSQL drops no account that owns tables, and a database that `destroy`
    leaves behind is still backed up.
    """

    address: pulumi.Output[str]
    port: pulumi.Output[str]

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:Database", name, None, opts)
        plan = args.plan
        kept = pulumi.ResourceOptions(parent=self, protect=args.protect)
        instance = rds.Instance(plan.name, instance_args(args), opts=kept)
        database = rds.Database(
            f"{plan.name}-database",
            instance_id=instance.id,
            data_base_name=plan.database,
            character_set=CHARACTER_SET,
            opts=kept,
        )
        account = rds.RdsAccount(
            f"{plan.name}-account",
            db_instance_id=instance.id,
            account_name=plan.account,
            account_password=pulumi.Output.secret(args.password),
            account_type="Normal",
            opts=kept,
        )
        privilege = rds.AccountPrivilege(
            f"{plan.name}-privilege",
            instance_id=instance.id,
            account_name=account.account_name,
            db_names=[database.data_base_name],
            privilege="DBOwner",
            opts=kept,
        )
        rds.BackupPolicy(f"{plan.name}-backup", backup_args(plan, instance.id), opts=kept)
        self.address = after(instance.connection_string, [privilege])
        self.port = after(instance.port, [privilege])
        self.register_outputs({"address": self.address, "port": self.port})


def instance_args(args: DatabaseArgs) -> rds.InstanceArgs:
    plan = args.plan
    switches = pulumi.Output.all(*(args.switch_ids[switch] for switch in plan.switches))
    return rds.InstanceArgs(
        instance_name=plan.name,
        engine="PostgreSQL",
        engine_version=plan.version,
        instance_type=plan.instance_type,
        instance_charge_type="Postpaid",
        category="HighAvailability",
        zone_id=plan.zones[0],
        zone_id_slave_a=plan.zones[1],
        vpc_id=args.vpc_id,
        vswitch_id=switches.apply(",".join),  # in the order of the zones
        instance_storage=plan.storage_gib,
        db_instance_storage_type="cloud_essd",
        storage_auto_scale="Enable",
        storage_threshold=FREE_PERCENT,
        storage_upper_bound=plan.storage_gib * GROWTH,
        encryption_key=args.key_id,
        ssl_action="Open",
        security_ips=list(plan.allowed_cidrs),
        deletion_protection=args.protect,
        sql_collector_status="Enabled",
        sql_collector_config_value=AUDIT_DAYS,
        monitoring_period=60,
        auto_upgrade_minor_version="Auto",
        maintain_time=MAINTAIN_TIME,
        parameters=[rds.InstanceParameterArgs(name=name, value="on") for name in LOGGED],
    )


def backup_args(plan: PlannedDatabase, instance: pulumi.Input[str]) -> rds.BackupPolicyArgs:
    """Daily, with the log between: any moment of the kept days can be had back."""
    return rds.BackupPolicyArgs(
        instance_id=instance,
        preferred_backup_periods=list(WEEK),
        preferred_backup_time=BACKUP_TIME,
        backup_retention_period=plan.backup_days,
        enable_backup_log=True,
        log_backup_retention_period=plan.backup_days,
    )
