"""What the cloud refuses whatever its arguments' types say: names taken, protection, things still in use. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from infra.rehearsal.wire import Value, is_empty, plain


class Scope(StrEnum):
    """Where a name may be taken only once."""

    WORLD = "world"  # of all accounts
    ACCOUNT = "account"
    REGION = "region"


@dataclass(frozen=True)
class Unique:
    """The arguments which together may exist once in a scope."""

    scope: Scope
    names: tuple[str, ...]


# From the product documentation of each service. An argument that is not given takes no name.
UNIQUE: Final[Mapping[str, tuple[Unique, ...]]] = {
    "alicloud:oss/bucket:Bucket": (Unique(Scope.WORLD, ("bucket",)),),
    "alicloud:log/project:Project": (Unique(Scope.WORLD, ("projectName",)), Unique(Scope.WORLD, ("name",))),
    "alicloud:cdn/domainNew:DomainNew": (Unique(Scope.WORLD, ("domainName",)),),
    "alicloud:ram/role:Role": (Unique(Scope.ACCOUNT, ("roleName",)), Unique(Scope.ACCOUNT, ("name",))),
    "alicloud:ram/policy:Policy": (Unique(Scope.ACCOUNT, ("policyName",)), Unique(Scope.ACCOUNT, ("name",))),
    "alicloud:dns/alidnsRecord:AlidnsRecord": (
        Unique(Scope.ACCOUNT, ("domainName", "rr", "type", "value", "line")),
        Unique(Scope.ACCOUNT, ("domainName", "rr", "type", "value")),
    ),
    "alicloud:ecs/ecsKeyPair:EcsKeyPair": (Unique(Scope.REGION, ("keyPairName",)),),
    "alicloud:ecs/instance:Instance": (Unique(Scope.REGION, ("vswitchId", "privateIp")),),
    "alicloud:kms/alias:Alias": (Unique(Scope.REGION, ("aliasName",)),),
    "alicloud:kms/secret:Secret": (Unique(Scope.REGION, ("secretName",)),),
    "alicloud:log/store:Store": (Unique(Scope.REGION, ("projectName", "logstoreName")),),
    "alicloud:vpc/switch:Switch": (Unique(Scope.REGION, ("vpcId", "cidrBlock")),),
    "alicloud:vpc/routeEntry:RouteEntry": (Unique(Scope.REGION, ("routeTableId", "destinationCidrblock")),),
}
# Arguments under which the real provider names things itself; one that is fixed frees its name before a replacement.
FIXED_NAMES: Final[Mapping[str, str]] = {"alicloud:oss/bucket:Bucket": "bucket"}
_PROTECTION: Final = (
    "deletionProtection", "deletionProtectionEnabled", "deleteProtection", "deletionProtectionConfig",
)  # fmt: skip
_ON: Final = frozenset({"on", "enabled", "true"})


def claims(token: str, region: str, inputs: Mapping[str, Value]) -> tuple[str, ...]:
    """The names that a resource takes, each one text that no other live resource may have."""
    found: list[str] = []
    for unique in UNIQUE.get(token, ()):
        values = [plain(inputs.get(name)) for name in unique.names]
        if all(isinstance(value, str) and value for value in values):
            where = region if unique.scope is Scope.REGION else unique.scope.value
            named = ", ".join(f"{name}={value}" for name, value in zip(unique.names, values, strict=True))
            found.append(f"{where}: {token} {named}")
    return tuple(found)


def frees_name_first(token: str, state: Mapping[str, Value], inputs: Mapping[str, Value]) -> bool:
    """Whether a replacement must delete the old one first: its name is fixed and stays."""
    name = FIXED_NAMES.get(token, "name")
    wanted = plain(inputs.get(name))
    return isinstance(wanted, str) and wanted == plain(state.get(name))


def protection(state: Mapping[str, Value]) -> str:
    """The argument that protects from deletion, or an empty text."""
    for name in _PROTECTION:
        value = plain(state.get(name))
        if isinstance(value, dict):
            value = value.get("enabled")
        if value is True or (isinstance(value, str) and value.lower() in _ON):
            return name
    return ""


def mentions(inputs: Value, identity: str) -> bool:
    """Whether any argument is exactly this id."""
    found = plain(inputs)
    if isinstance(found, dict):
        return any(mentions(value, identity) for value in found.values())
    if isinstance(found, list):
        return any(mentions(value, identity) for value in found)
    return found == identity and not is_empty(found)
