"""Policies on what holds data: disks, buckets, the database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from infra.checks.policies.documents import allows, is_all, several, statements
from infra.checks.policies.network import INSTANCE, SCALED, TEMPLATE
from infra.checks.policies.resource import UNKNOWN, Properties, differs
from infra.checks.ranges import is_wide

DISK: Final = "alicloud:ecs/ecsDisk:EcsDisk"
BUCKET: Final = "alicloud:oss/bucket:Bucket"
ACL: Final = "alicloud:oss/bucketAcl:BucketAcl"
PUBLIC_ACCESS: Final = "alicloud:oss/bucketPublicAccessBlock:BucketPublicAccessBlock"
ACCOUNT_ACCESS: Final = "alicloud:oss/accountPublicAccessBlock:AccountPublicAccessBlock"
BUCKET_POLICY: Final = "alicloud:oss/bucketPolicy:BucketPolicy"
ENCRYPTION: Final = "alicloud:oss/bucketServerSideEncryption:BucketServerSideEncryption"
OBJECT: Final = "alicloud:oss/bucketObject:BucketObject"
DATABASE: Final = "alicloud:rds/instance:Instance"
REPLICA: Final = "alicloud:rds/readOnlyInstance:ReadOnlyInstance"
CONNECTION: Final = "alicloud:rds/connection:Connection"
# What a bucket could say in itself, and a resource beside it says: the provider deprecates these.
INLINE: Final = ("acl", "policy", "serverSideEncryptionRule", "logging")
AUDIT_DAYS: Final = 180
PLAIN_HTTP: Final = ({"Bool": {"acs:SecureTransport": ["false"]}}, {"Bool": {"acs:SecureTransport": "false"}})
# In a bucket's own policy: the bucket, and all of its objects.
WHOLE_BUCKET: Final = (re.compile(r"\*|acs:oss:[^:]*:[^:]*:[^/]+"), re.compile(r"\*|acs:oss:[^:]*:[^:]*:[^/]+/\*"))
LOGGED: Final = ("log_connections", "log_disconnections", "log_duration")


def disks_encrypted(kind: str, properties: Properties) -> Iterator[str]:
    """Every disk, of data or of a system, attached or not, is encrypted."""
    if kind == DISK and differs(properties, "encrypted", (True,)):
        yield "is not encrypted"
    if kind in (INSTANCE, SCALED) and differs(properties, "systemDiskEncrypted", (True,)):
        yield "its system disk is not encrypted"
    if kind == TEMPLATE and _plain(properties.get("systemDisk", {})):
        yield "its system disk is not encrypted"
    if any(_plain(disk) for disk in _list(properties.get("dataDisks"))):
        yield "a data disk of it is not encrypted"


def agent_installed(_kind: str, properties: Properties) -> Iterator[str]:
    """Every host is made with the agent of Security Center."""
    if differs(properties, "securityEnhancementStrategy", ("Active",)):
        yield "is made without the agent"


def buckets_private(kind: str, properties: Properties) -> Iterator[str]:
    """Every bucket is private, refuses whatever would make it or an object public, and its policy allows nobody that it
    does not name."""
    if kind == ACL and differs(properties, "acl", ("private",)):
        yield f"is {properties.get('acl')}"
    if kind in (PUBLIC_ACCESS, ACCOUNT_ACCESS) and differs(properties, "blockPublicAccess", (True,)):
        yield "takes what makes it public"
    if kind == BUCKET_POLICY:
        told = statements(properties.get("policy"))
        yield from ("allows everybody" for one in told if allows(one) and is_all(one, "Principal"))
    if kind == BUCKET:
        yield from (f"says {name} in itself, and not beside it" for name in INLINE if properties.get(name))


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


def database_over_tls(kind: str, properties: Properties) -> Iterator[str]:
    """Every database has a certificate and speaks TLS."""
    name, on = ("sslEnabled", (1,)) if kind == REPLICA else ("sslAction", ("Open",))
    if differs(properties, name, on):
        yield "speaks no TLS"


def database_closed(kind: str, properties: Properties) -> Iterator[str]:
    """No database has an address of the Internet or lets the Internet in."""
    if kind == CONNECTION:
        yield "is an address of the Internet"
    for listed in _list(properties.get("securityIps")):
        for cidr in listed.split(",") if isinstance(listed, str) else ():
            if is_wide(cidr.strip()):
                yield f"lets in {cidr.strip()}"


def database_audited(_kind: str, properties: Properties) -> Iterator[str]:
    """What is asked of every database is recorded, and kept for six months."""
    if differs(properties, "sqlCollectorStatus", ("Enabled",)):
        yield "records nothing"
    days = properties.get("sqlCollectorConfigValue")
    if days is not UNKNOWN and not (isinstance(days, int | float) and days >= AUDIT_DAYS):
        yield f"keeps its records for {days or 'no'} days"


def database_logs(_kind: str, properties: Properties) -> Iterator[str]:
    """PostgreSQL logs who comes, who goes, and how long each statement takes."""
    given = _list(properties.get("parameters"))
    on = [one.get("name") for one in given if isinstance(one, Mapping) and one.get("value") in ("on", UNKNOWN)]
    if properties.get("engine") == "PostgreSQL" and properties.get("parameters") is not UNKNOWN:
        yield from (f"{name} is off" for name in LOGGED if name not in on)


def _refuses_plain_http(statement: Mapping[str, Any]) -> bool:
    over = [one for one in several(statement.get("Resource")) if isinstance(one, str)]
    return (
        statement.get("Effect") == "Deny"
        and statement.get("Condition") in PLAIN_HTTP
        and "*" in several(statement.get("Principal"))
        and "oss:*" in several(statement.get("Action"))
        and all(any(part.fullmatch(one) for one in over) for part in WHOLE_BUCKET)
    )


def _plain(disk: Any) -> bool:
    """Of a block: whether it is known not to be encrypted."""
    return isinstance(disk, Mapping) and differs(disk, "encrypted", (True, "true"))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
