"""What the cloud refuses whatever its arguments' types say: names taken, protection, things still in use. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    """The arguments which together may exist once in a scope. `defaults`: what one that is not given stands for."""

    scope: Scope
    names: tuple[str, ...]
    defaults: Mapping[str, str] = field(default_factory=dict)


def _of(scope: Scope, *names: str, **defaults: str) -> Unique:
    return Unique(scope, names, defaults)


_WORLD, _ACCOUNT, _REGION = Scope.WORLD, Scope.ACCOUNT, Scope.REGION
# Beside each row, where it is from: `doc`, the type's page in the documentation of Alibaba Cloud's Terraform provider;
# `code`, its source; `id`, what that source makes the thing's id of, so that a second one would be the first one
# again; `api`, an error of the service's API; `?`, found in none of them and stricter rather than looser.
# An argument that is not given takes no name. A deprecated one never comes this far.
_NAMED: Final[Mapping[str, Unique]] = {
    "alicloud:oss/bucket:Bucket": _of(_WORLD, "bucket"),  # code: asks IsBucketExist, "shared by all users"
    "alicloud:oss/bucketCname:BucketCname": _of(_ACCOUNT, "bucket", "domain"),  # id
    "alicloud:oss/bucketObjectWormConfiguration:BucketObjectWormConfiguration": _of(_ACCOUNT, "bucketName"),  # id
    "alicloud:log/project:Project": _of(_WORLD, "projectName"),  # doc: "globally unique"
    "alicloud:log/store:Store": _of(_REGION, "projectName", "logstoreName"),  # id, doc: "unique in the same project"
    "alicloud:log/storeIndex:StoreIndex": _of(_REGION, "project", "logstore"),  # id
    "alicloud:cdn/domainNew:DomainNew": _of(_WORLD, "domainName"),  # id; that it is the world's: ?
    "alicloud:cdn/realTimeLogDelivery:RealTimeLogDelivery": _of(_ACCOUNT, "domain"),  # id
    "alicloud:ram/role:Role": _of(_ACCOUNT, "roleName"),  # id; code, of a service's role: EntityAlreadyExist.Role
    "alicloud:ram/policy:Policy": _of(_ACCOUNT, "policyName"),  # id
    "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment": _of(
        _ACCOUNT, "policyName", "policyType", "roleName"  # id
    ),
    "alicloud:dns/alidnsRecord:AlidnsRecord": _of(  # api: DomainRecordDuplicate; the same in another line is another
        _ACCOUNT, "domainName", "rr", "type", "value", "line", line="default"
    ),
    "alicloud:ecs/instance:Instance": _of(_REGION, "vswitchId", "privateIp"),  # ?
    "alicloud:ecs/ecsKeyPair:EcsKeyPair": _of(_REGION, "keyPairName"),  # id
    "alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment": _of(_REGION, "diskId", "instanceId"),  # id
    "alicloud:ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment": _of(
        _REGION, "autoSnapshotPolicyId", "diskId"  # id
    ),
    "alicloud:ecs/eipAssociation:EipAssociation": _of(_REGION, "allocationId", "instanceId"),  # id
    "alicloud:ecs/ramRoleAttachment:RamRoleAttachment": _of(_REGION, "instanceId", "ramRoleName"),  # id
    "alicloud:kms/alias:Alias": _of(_REGION, "aliasName"),  # id
    "alicloud:kms/secret:Secret": _of(_REGION, "secretName"),  # id
    "alicloud:rds/rdsAccount:RdsAccount": _of(_REGION, "dbInstanceId", "accountName"),  # id, doc: "must be unique"
    "alicloud:rds/database:Database": _of(_REGION, "instanceId", "dataBaseName"),  # id, doc: "within the instance"
    "alicloud:vpc/switch:Switch": _of(_REGION, "vpcId", "cidrBlock"),  # ?; that blocks overlap, the Plan's checks say
    "alicloud:vpc/routeEntry:RouteEntry": _of(  # code: RouterEntryConflict.Duplicated
        _REGION, "routeTableId", "destinationCidrblock"
    ),
    "alicloud:vpc/routeTableAttachment:RouteTableAttachment": _of(_REGION, "routeTableId", "vswitchId"),  # id
    "alicloud:vpc/vpcNetworkAclAttachment:VpcNetworkAclAttachment": _of(_REGION, "networkAclId", "resourceId"),  # id
    "alicloud:vpc/gatewayEndpointRouteTableAttachment:GatewayEndpointRouteTableAttachment": _of(
        _REGION, "gatewayEndpointId", "routeTableId"  # id
    ),
    "alicloud:alb/loadBalancerSecurityGroupAttachment:LoadBalancerSecurityGroupAttachment": _of(
        _REGION, "loadBalancerId", "securityGroupId"  # id
    ),
    "alicloud:nlb/serverGroupServerAttachment:ServerGroupServerAttachment": _of(
        _REGION, "serverGroupId", "serverId", "serverIp", "serverType", "port", serverIp="", port="0"  # id
    ),
    "alicloud:slb/listener:Listener": _of(_REGION, "loadBalancerId", "protocol", "frontendPort"),  # id
    "alicloud:slb/serverGroupServerAttachment:ServerGroupServerAttachment": _of(
        _REGION, "serverGroupId", "serverId", "port"  # id
    ),
    "alicloud:ess/scalingGroupVServerGroups:ScalingGroupVServerGroups": _of(_REGION, "scalingGroupId"),  # id
    "alicloud:ess/serverGroupAttachment:ServerGroupAttachment": _of(
        _REGION, "scalingGroupId", "serverGroupId", "type", "port", port="0"  # id
    ),
}  # fmt: skip
# A bucket's settings that are resources of their own. id: the bucket's name; a second one would overwrite the first.
_OF_A_BUCKET: Final = (
    "AccessMonitor", "Acl", "Cors", "HttpsConfig", "Logging", "MetaQuery", "OverwriteConfig", "Policy",
    "PublicAccessBlock", "Referer", "ServerSideEncryption", "TransferAcceleration", "UserDefinedLogFields",
    "Versioning",
)  # fmt: skip
UNIQUE: Final[Mapping[str, Unique]] = {
    **_NAMED,
    **{f"alicloud:oss/bucket{kind}:Bucket{kind}": _of(_ACCOUNT, "bucket") for kind in _OF_A_BUCKET},
}
# Arguments under which the real provider names things itself; one that is fixed frees its name before a replacement.
FIXED_NAMES: Final[Mapping[str, str]] = {"alicloud:oss/bucket:Bucket": "bucket"}
# What protects a thing from deletion, by its path. doc, each: "enable deletion protection" in one wording or another.
# Not `deletionProtection` of a scaling configuration: that one is for the instances which are made by it.
PROTECTION: Final[Mapping[str, tuple[str, ...]]] = {
    "alicloud:alb/loadBalancer:LoadBalancer": ("deletionProtectionEnabled", "deletionProtectionConfig.enabled"),
    "alicloud:nlb/loadBalancer:LoadBalancer": ("deletionProtectionEnabled", "deletionProtectionConfig.enabled"),
    "alicloud:slb/applicationLoadBalancer:ApplicationLoadBalancer": ("deleteProtection",),
    "alicloud:ecs/instance:Instance": ("deletionProtection",),
    "alicloud:ecs/eipAddress:EipAddress": ("deletionProtection",),
    "alicloud:ess/scalingGroup:ScalingGroup": ("groupDeletionProtection",),
    "alicloud:kms/instance:Instance": ("deletionProtection",),
    "alicloud:kms/key:Key": ("deletionProtection",),
    "alicloud:rds/instance:Instance": ("deletionProtection",),
    "alicloud:rds/readOnlyInstance:ReadOnlyInstance": ("deletionProtection",),
    "alicloud:vpc/commonBandwithPackage:CommonBandwithPackage": ("deletionProtection",),
    "alicloud:vpc/natGateway:NatGateway": ("deletionProtection",),
}
_INSTANCE: Final = "alicloud:ecs/instance:Instance"
_KEY: Final = "alicloud:kms/key:Key"
_ON: Final = frozenset({"on", "enabled", "true"})


def claim(token: str, region: str, inputs: Mapping[str, Value]) -> str:
    """The name that a resource takes, a text that no other live resource may have; empty when it takes none."""
    unique = UNIQUE.get(token)
    if unique is None:
        return ""
    values = [unique.defaults.get(name) if is_empty(inputs.get(name)) else plain(inputs[name]) for name in unique.names]
    if not all(isinstance(value, str | int) for value in values):
        return ""
    where = region if unique.scope is Scope.REGION else unique.scope.value
    return f"{where}: {token} {', '.join(f'{name}={value}' for name, value in zip(unique.names, values, strict=True))}"


def frees_name_first(token: str, state: Mapping[str, Value], inputs: Mapping[str, Value]) -> bool:
    """Whether a replacement must delete the old one first: its name is fixed and stays."""
    name = FIXED_NAMES.get(token, "name")
    wanted = plain(inputs.get(name))
    return isinstance(wanted, str) and wanted == plain(state.get(name))


def held(token: str, state: Mapping[str, Value]) -> str:
    """Why it cannot be deleted as it is, and what to do; empty when it can."""
    for path in PROTECTION.get(token, ()):
        value = _at(state, path)
        if value is True or (isinstance(value, str) and value.lower() in _ON):
            return f"Code: OperationDenied.DeletionProtection. It has {path} on: turn it off first"
    # code, both: the provider refuses before it asks the cloud.
    if token == _INSTANCE and state.get("instanceChargeType") == "PrePaid" and state.get("forceDelete") is not True:
        return "It is paid for in advance: make instanceChargeType PostPaid, or set forceDelete"
    if token == _KEY and state.get("pendingWindowInDays") is None:
        return "A key is deleted after some days only: set pendingWindowInDays"
    return ""


def _at(state: Mapping[str, Value], path: str) -> Value:
    first, _, rest = path.partition(".")
    value = plain(state.get(first))
    if not rest:
        return value
    return _at(value, rest) if isinstance(value, dict) else None


def mentions(inputs: Value, identity: str) -> bool:
    """Whether any argument is exactly this id."""
    found = plain(inputs)
    if isinstance(found, dict):
        return any(mentions(value, identity) for value in found.values())
    if isinstance(found, list):
        return any(mentions(value, identity) for value in found)
    return found == identity and not is_empty(found)
