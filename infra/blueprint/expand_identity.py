"""Who may do what, and with which key: the least that each host needs. Pure."""

from __future__ import annotations

from infra.blueprint.cloud import (
    FromOutput,
    Known,
    PlannedKeys,
    PlannedRamPolicy,
    PlannedRamRole,
    PlannedStatement,
)
from infra.blueprint.scope import Scope

COMPUTE = "ecs.aliyuncs.com"
STORAGE = "oss.aliyuncs.com"
_OBJECTS = (
    "oss:AbortMultipartUpload",
    "oss:DeleteObject",
    "oss:GetObject",
    "oss:ListParts",
    "oss:PutObject",
    "oss:RestoreObject",
)
_USE_KEY = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey")


def server_role(scope: Scope) -> str:
    return scope.thing("server")


def gateway_role(scope: Scope) -> str:
    return scope.thing("gateway")


def replication_role(scope: Scope) -> str:
    """Taken by OSS to copy out of this region's bucket."""
    return scope.thing("replication")


def identity(scope: Scope, *, copies_to: tuple[Scope, ...]) -> tuple[PlannedRamRole, ...]:
    """The roles of a region; `copies_to`: the regions to whose bucket its own is replicated."""
    roles = []
    if scope.holds_store:
        roles.append(_role(server_role(scope), "Storage hosts", COMPUTE, _server_policies(scope, server_role(scope))))
    if scope.has_gateways:
        policies = (*_server_policies(scope, gateway_role(scope)), *_scaling_policies(scope))
        roles.append(_role(gateway_role(scope), "Gateways", COMPUTE, policies))
    if copies_to:
        roles.append(_role(replication_role(scope), "OSS, copying", STORAGE, (_replication(scope, copies_to),)))
    return tuple(sorted(roles, key=lambda role: role.name))


def keys(scope: Scope) -> PlannedKeys:
    knobs = scope.blueprint.keys
    instance = knobs.mode == "instance"
    return PlannedKeys(
        mode=knobs.mode,
        name=scope.thing("key"),
        alias=f"alias/{scope.thing('key')}",
        existing=knobs.existing.get(scope.region.name) if knobs.mode == "default-cmk" else None,
        rotation_days=knobs.rotation_days,
        hsm=knobs.hsm,
        administrators=tuple(sorted(knobs.administrators)),
        zones=scope.home if instance else (),
        switch=scope.switch(scope.home[0], "shared") if instance else None,
    )


def key_arn() -> Known:
    """Of the key of the same stack, known after `up`; only where it has one of its own."""
    return FromOutput(from_output="key_arn")


def _role(name: str, who: str, service: str, policies: tuple[PlannedRamPolicy, ...]) -> PlannedRamRole:
    return PlannedRamRole(name=name, description=who, service=service, policies=policies)


def _server_policies(scope: Scope, role: str) -> tuple[PlannedRamPolicy, ...]:
    """Its tier bucket, its key; nothing else."""
    found = []
    if scope.own_key:
        found.append(
            PlannedRamPolicy(
                name=f"{role}-key",
                description="Use of the region's key",
                statements=(PlannedStatement(actions=_USE_KEY, resources=(key_arn(),)),),
            )
        )
    if scope.blueprint.tier.enabled:
        bucket = scope.bucket("tier")
        found.append(
            PlannedRamPolicy(
                name=f"{role}-tier",
                description="Objects of the tier bucket",
                statements=(
                    PlannedStatement(actions=("oss:ListObjects",), resources=(f"acs:oss:*:*:{bucket}",)),
                    PlannedStatement(actions=_OBJECTS, resources=(f"acs:oss:*:*:{bucket}/*",)),
                ),
            )
        )
    return tuple(found)


def _scaling_policies(scope: Scope) -> tuple[PlannedRamPolicy, ...]:
    """What a host of the group needs to install itself and to leave in order."""
    if not scope.blueprint.gateways.scaling:
        return ()
    artifacts = scope.bucket("artifacts")
    return (
        PlannedRamPolicy(
            name=f"{gateway_role(scope)}-artifacts",
            description="Reading the wheel and the settings",
            statements=(PlannedStatement(actions=("oss:GetObject",), resources=(f"acs:oss:*:*:{artifacts}/*",)),),
        ),
        PlannedRamPolicy(
            name=f"{gateway_role(scope)}-hook",
            description="Seeing that it is to leave, and ending its own lifecycle hook",
            statements=(
                PlannedStatement(
                    actions=(
                        "ess:CompleteLifecycleAction",
                        "ess:DescribeLifecycleActions",
                        "ess:DescribeScalingActivities",
                        "ess:DescribeScalingInstances",
                    ),
                    resources=(f"acs:ess:{scope.region.name}:*:scalinggroup/*",),
                ),
            ),
        ),
    )


def _replication(scope: Scope, targets: tuple[Scope, ...]) -> PlannedRamPolicy:
    source = scope.bucket("tier")
    read = ("oss:GetReplication*", "oss:ReplicateGet", "oss:ReplicateList")
    write = ("oss:ReplicateDelete", "oss:ReplicateGet", "oss:ReplicateList", "oss:ReplicatePut")
    statements = [
        PlannedStatement(actions=read, resources=(f"acs:oss:*:*:{source}", f"acs:oss:*:*:{source}/*")),
        *(
            PlannedStatement(actions=write, resources=(f"acs:oss:*:*:{bucket}", f"acs:oss:*:*:{bucket}/*"))
            for bucket in (target.bucket("tier") for target in targets)
        ),
    ]
    if scope.own_key:
        # The other regions' keys are known to their stacks alone, and this one must not wait for them.
        theirs = tuple(f"acs:kms:{target.region.name}:*:key/*" for target in targets)
        use = ("kms:Decrypt", "kms:GenerateDataKey")
        statements.append(PlannedStatement(actions=use, resources=(key_arn(), *theirs)))
    return PlannedRamPolicy(
        name=f"{replication_role(scope)}-copy",
        description="Copying the tier bucket to other regions",
        statements=tuple(statements),
    )
