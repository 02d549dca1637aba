"""What is about to be removed on purpose: its protection, Pulumi's and the cloud's own, is off for one run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import pulumi

# The argument that protects a thing of this type in the cloud, and what turns it off. Names as on the wire, as
# transforms see them.
PROTECTION: Final[Mapping[str, Mapping[str, Any]]] = {
    "alicloud:alb/loadBalancer:LoadBalancer": {"deletionProtectionEnabled": False},
    "alicloud:ecs/eipAddress:EipAddress": {"deletionProtection": False},
    "alicloud:ecs/instance:Instance": {"deletionProtection": False},
    "alicloud:ess/scalingGroup:ScalingGroup": {"groupDeletionProtection": False},
    "alicloud:kms/instance:Instance": {"deletionProtection": False},
    "alicloud:kms/key:Key": {"deletionProtection": "Disabled"},
    "alicloud:nlb/loadBalancer:LoadBalancer": {"deletionProtectionEnabled": False},
    "alicloud:rds/instance:Instance": {"deletionProtection": False},
    "alicloud:slb/applicationLoadBalancer:ApplicationLoadBalancer": {"deleteProtection": "off"},
    "alicloud:vpc/natGateway:NatGateway": {"deletionProtection": False},
}


def unprotected(type_token: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with the cloud's own protection off, where they have one. Pure."""
    off = PROTECTION.get(type_token, {})
    return {**properties, **{name: value for name, value in off.items() if properties.get(name) is not None}}


def transform(
    names: Collection[str],
) -> Callable[[pulumi.ResourceTransformArgs], pulumi.ResourceTransformResult | None]:
    """For `pulumi.runtime.register_resource_transform`: of resources with these names alone."""

    def let_go(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        if args.name not in names:
            return None
        args.opts.protect = False
        return pulumi.ResourceTransformResult(props=unprotected(args.type_, args.props), opts=args.opts)

    return let_go
