"""Who uses what a component tells waits for all that makes it true."""

from __future__ import annotations

from collections.abc import Callable

import pulumi
import pulumi_alicloud as alicloud
import pytest

from infra.components.buckets import Buckets, BucketsArgs
from infra.components.database import Database, DatabaseArgs
from infra.components.dns import Dns, DnsArgs
from infra.components.identity import Identity, IdentityArgs
from tests.infra.components.recorder import named, record
from tests.infra.components.test_buckets import LOGS
from tests.infra.components.test_database import PLAN as DATABASE
from tests.infra.components.test_dns import PLAN as NAMES
from tests.infra.components.test_dns import VALUES
from tests.infra.components.test_identity import ROLE

Told = Callable[[pulumi.ResourceOptions], pulumi.Output[str]]


def bucket(opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    return Buckets("c", BucketsArgs((LOGS,), "key-1"), opts).endpoints["b-logs"]


def database(opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    switches = {"shared-h": "vsw-h", "shared-i": "vsw-i"}
    return Database("c", DatabaseArgs(DATABASE, "vpc-1", switches, "Sesame-9", None, True), opts).address


def name(opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    return Dns("c", DnsArgs(NAMES, VALUES), opts).names["r-store"]


def role(opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    return Identity("c", IdentityArgs((ROLE,), {"key_arn": "acs:kms:*:*:key/k"}), opts).role_names["k-server"]


@pytest.mark.parametrize(
    ("told", "waited_for"),
    [
        (bucket, ("b-logs", "b-logs-acl", "b-logs-block", "b-logs-encryption", "b-logs-policy", "b-logs-tls")),
        (database, ("k-index", "k-index-privilege")),
        (name, ("r-store",)),
        (role, ("k-server", "k-server-key-attachment", "k-server-tier-attachment")),
    ],
)
def test_a_user_waits(told: Told, waited_for: tuple[str, ...]) -> None:
    def build(opts: pulumi.ResourceOptions) -> None:
        alicloud.log.Project("user", project_name=told(opts), opts=opts)

    inside = {
        "alicloud:oss/bucket:Bucket": {"intranetEndpoint": "inside"},
        "alicloud:rds/instance:Instance": {"connectionString": "inside"},
    }
    user = named(record(build, computed=inside), "user")
    assert user.inputs["projectName"]
    lost = [needed for needed in waited_for if not user.waits_for(needed)]
    assert not lost, f"not waited for: {lost}; {user.depends_on}"
