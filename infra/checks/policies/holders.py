"""Policies on what holds data: disks, buckets, the database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from infra.checks.policies.network import INSTANCE, is_wide
from infra.checks.policies.resource import UNKNOWN, Properties, differs

DISK: Final = "alicloud:ecs/ecsDisk:EcsDisk"
TEMPLATE: Final = "alicloud:ecs/ecsLaunchTemplate:EcsLaunchTemplate"
BUCKET: Final = "alicloud:oss/bucket:Bucket"
ACL: Final = "alicloud:oss/bucketAcl:BucketAcl"
PUBLIC_ACCESS: Final = "alicloud:oss/bucketPublicAccessBlock:BucketPublicAccessBlock"
BUCKET_POLICY: Final = "alicloud:oss/bucketPolicy:BucketPolicy"
ENCRYPTION: Final = "alicloud:oss/bucketServerSideEncryption:BucketServerSideEncryption"
OBJECT: Final = "alicloud:oss/bucketObject:BucketObject"
DATABASE: Final = "alicloud:rds/instance:Instance"
CONNECTION: Final = "alicloud:rds/connection:Connection"
AUDIT_DAYS: Final = 180
PLAIN_HTTP: Final = ({"Bool": {"acs:SecureTransport": ["false"]}}, {"Bool": {"acs:SecureTransport": "false"}})
LOGGED: Final = ("log_connections", "log_disconnections", "log_duration")


def disks_encrypted(kind: str, properties: Properties) -> Iterator[str]:
    """Every disk, of data or of a system, attached or not, is encrypted."""
    if kind == DISK and differs(properties, "encrypted", (True,)):
        yield "is not encrypted"
    if kind == INSTANCE and differs(properties, "systemDiskEncrypted", (True,)):
        yield "its system disk is not encrypted"
    if kind == TEMPLATE and _plain(properties.get("systemDisk")):
        yield "its system disk is not encrypted"
    if any(_plain(disk) for disk in _list(properties.get("dataDisks"))):
        yield "a data disk of it is not encrypted"


def agent_installed(_kind: str, properties: Properties) -> Iterator[str]:
    """Every host is made with the agent of Security Center."""
    if differs(properties, "securityEnhancementStrategy", ("Active",)):
        yield "is made without the agent"


def buckets_private(kind: str, properties: Properties) -> Iterator[str]:
    """Every bucket is private, refuses whatever would make it or an object public, and allows nobody by its policy."""
    if kind == ACL and differs(properties, "acl", ("private",)):
        yield f"is {properties.get('acl')}"
    if kind == PUBLIC_ACCESS and differs(properties, "blockPublicAccess", (True,)):
        yield "takes what makes it public"
    if kind == BUCKET_POLICY:
        yield from ("allows everybody" for one in statements(properties.get("policy")) if _allows_everybody(one))


def objects_private(_kind: str, properties: Properties) -> Iterator[str]:
    """No object that a stack writes is public."""
    if differs(properties, "acl", (None, "private", "default")):
        yield f"is {properties.get('acl')}"


def buckets_over_tls(_kind: str, properties: Properties) -> Iterator[str]:
    """The policy of every bucket refuses whoever does not ask over TLS, with a signed URL too."""
    document = properties.get("policy")
    if document is not UNKNOWN and not any(map(_refuses_plain_http, statements(document))):
        yield "answers plain HTTP"


def buckets_encrypted(_kind: str, properties: Properties) -> Iterator[str]:
    """Every bucket encrypts what it is given, with keys of the service where none of one's own are named."""
    if differs(properties, "sseAlgorithm", ("KMS", "AES256", "SM4")):
        yield "does not encrypt"


def database_over_tls(_kind: str, properties: Properties) -> Iterator[str]:
    """Every database speaks TLS."""
    if differs(properties, "sslAction", ("Open",)):
        yield "takes connections without TLS"


def database_closed(kind: str, properties: Properties) -> Iterator[str]:
    """No database has an address of the Internet or lets the Internet in."""
    if kind == CONNECTION:
        yield "is an address of the Internet"
    for cidr in _list(properties.get("securityIps")):
        if isinstance(cidr, str) and is_wide(cidr):
            yield f"lets in {cidr}"


def database_audited(_kind: str, properties: Properties) -> Iterator[str]:
    """What is asked of every database is recorded, and kept for six months."""
    if differs(properties, "sqlCollectorStatus", ("Enabled",)):
        yield "records nothing"
    days = properties.get("sqlCollectorConfigValue")
    if days is not UNKNOWN and (days is None or days < AUDIT_DAYS):
        yield f"keeps its records for {days or 'no'} days"


def database_logs(_kind: str, properties: Properties) -> Iterator[str]:
    """PostgreSQL logs who comes, who goes, and how long each statement takes."""
    given = _list(properties.get("parameters"))
    on = {one.get("name") for one in given if isinstance(one, Mapping) and one.get("value") in ("on", UNKNOWN)}
    if properties.get("engine") == "PostgreSQL" and properties.get("parameters") is not UNKNOWN:
        yield from (f"{name} is off" for name in LOGGED if name not in on)


def statements(document: Any) -> list[Mapping[str, Any]]:
    """Of a policy's JSON; none of what is not known, or no policy."""
    try:
        found = json.loads(document) if isinstance(document, str) else None
    except ValueError:
        return []
    told = several(found.get("Statement")) if isinstance(found, Mapping) else []
    return [one for one in told if isinstance(one, Mapping)]


def several(value: Any) -> list[Any]:
    """A policy's grammar: one value, or a list of them."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _allows_everybody(statement: Mapping[str, Any]) -> bool:
    return statement.get("Effect") == "Allow" and "*" in several(statement.get("Principal"))


def _refuses_plain_http(statement: Mapping[str, Any]) -> bool:
    whole = statement.get("Effect") == "Deny" and "*" in several(statement.get("Principal"))
    plain = statement.get("Condition") in PLAIN_HTTP
    return whole and plain and "oss:*" in several(statement.get("Action"))


def _plain(disk: Any) -> bool:
    """Of a block: whether it is known not to be encrypted."""
    return isinstance(disk, Mapping) and differs(disk, "encrypted", (True, "true"))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
