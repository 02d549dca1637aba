"""The index's PostgreSQL: two zones, TLS, no way in but the hosts', a password that stays secret."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from infra.blueprint.cloud import PlannedDatabase
from infra.components.database import Database, DatabaseArgs
from tests.infra.components.house import children, types
from tests.infra.components.recorder import Recorded, only, record

PLAN = PlannedDatabase(
    name="k-index",
    version="15.0",
    instance_type="pg.x4.large.2c",
    storage_gib=100,
    zones=("cn-hangzhou-h", "cn-hangzhou-i"),
    switches=("shared-h", "shared-i"),
    allowed_cidrs=("10.0.0.0/20", "10.0.16.0/20"),
    database="kakera",
    account="kakera",
    secret="database",
    backup_days=14,
)
ADDRESS = "pgm-1.pg.rds.aliyuncs.com"


def built(**other: Any) -> tuple[list[Recorded], list[list[str]]]:
    addresses: list[list[str]] = []
    given: dict[str, Any] = {"password": "Sesame-9", "key_id": "key-1", "protect": True, **other}

    def build(opts: pulumi.ResourceOptions) -> None:
        switches = {"shared-i": pulumi.Output.from_input("vsw-i"), "shared-h": pulumi.Output.from_input("vsw-h")}
        made = Database("database", DatabaseArgs(PLAN, "vpc-1", switches, **given), opts)
        pulumi.Output.all(made.address, made.port).apply(addresses.append)

    computed = {"alicloud:rds/instance:Instance": {"connectionString": ADDRESS, "port": "5432"}}
    return record(build, computed=computed), addresses


def test_what_is_made() -> None:
    found, addresses = built()
    made = children(found, "Database")
    assert types(made) == ["AccountPrivilege", "BackupPolicy", "Database", "Instance", "RdsAccount"]
    assert addresses == [[ADDRESS, "5432"]]


def test_two_zones_each_with_its_switch_in_order() -> None:
    instance = only(children(built()[0], "Database"), "Instance").inputs
    assert (instance["engine"], instance["engineVersion"], instance["category"]) == (
        "PostgreSQL",
        "15.0",
        "HighAvailability",
    )
    assert (instance["zoneId"], instance["zoneIdSlaveA"]) == ("cn-hangzhou-h", "cn-hangzhou-i")
    assert instance["vswitchId"] == "vsw-h,vsw-i"


def test_it_is_closed_and_watched() -> None:
    instance = only(children(built()[0], "Database"), "Instance").inputs
    assert instance["securityIps"] == ["10.0.0.0/20", "10.0.16.0/20"]
    assert instance["sslAction"] == "Open"
    assert instance["encryptionKey"] == "key-1"
    assert instance["parameters"] == [
        {"name": name, "value": "on"} for name in ("log_connections", "log_disconnections", "log_duration")
    ]
    assert (instance["sqlCollectorStatus"], instance["sqlCollectorConfigValue"]) == ("Enabled", 180)
    assert not {"securityGroupId", "securityGroupIds"} & instance.keys()


def test_storage_grows_up_to_a_limit() -> None:
    instance = only(children(built()[0], "Database"), "Instance").inputs
    assert (instance["instanceStorage"], instance["storageUpperBound"]) == (100, 400)
    assert instance["storageAutoScale"] == "Enable"


def test_without_a_key_none_is_named() -> None:
    assert "encryptionKey" not in only(children(built(key_id=None)[0], "Database"), "Instance").inputs


def test_the_account_owns_its_database_and_nothing_else() -> None:
    made = children(built()[0], "Database")
    account, privilege, database = (only(made, kind) for kind in ("RdsAccount", "AccountPrivilege", "Database"))
    assert account.inputs["accountType"] == "Normal"
    assert database.inputs["characterSet"] == "UTF8,C,en_US.utf8"
    assert privilege.inputs == {
        "instanceId": "k-index-id",
        "accountName": "kakera",
        "dbNames": ["kakera"],
        "privilege": "DBOwner",
    }
    assert privilege.waits_for("k-index-account")
    assert privilege.waits_for("k-index-database")


def test_the_password_is_secret_even_when_it_comes_plain() -> None:
    found, _ = built(password="Sesame-9")
    account = only(children(found, "Database"), "RdsAccount")
    assert account.inputs["accountPassword"] == "Sesame-9"
    assert account.secrets == {"accountPassword"}
    assert "Sesame-9" not in str([one.inputs for one in found if one is not account])


def test_backups_reach_back_to_any_moment() -> None:
    policy = only(children(built()[0], "Database"), "BackupPolicy").inputs
    assert (policy["backupRetentionPeriod"], policy["logBackupRetentionPeriod"]) == (14, 14)
    assert policy["enableBackupLog"] is True
    assert len(policy["preferredBackupPeriods"]) == 7


@pytest.mark.parametrize("protect", [True, False])
def test_all_of_it_is_protected_together(protect: bool) -> None:
    made = children(built(protect=protect)[0], "Database")
    assert {one.protect for one in made} == {protect}
    assert only(made, "Instance").inputs["deletionProtection"] is protect
