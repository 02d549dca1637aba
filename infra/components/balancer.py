"""The one address of a region: an NLB, an ALB or a CLB, as the Plan says."""

from __future__ import annotations

import pulumi

from infra.components.balancer_alb import ApplicationBalancer
from infra.components.balancer_args import Balanced, BalancerArgs
from infra.components.balancer_clb import ClassicBalancer
from infra.components.balancer_nlb import NetworkBalancer

__all__ = ["Balancer", "BalancerArgs"]


class Balancer(pulumi.ComponentResource):
    """`address`: a name, of a CLB an address; `server_group_id`: where a scaling group enters its hosts.

    Raises: ValueError when the Plan's balancer ends TLS and has no certificate.
    """

    address: pulumi.Output[str]
    balancer_id: pulumi.Output[str]
    server_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:Balancer", name, None, opts)
        made = self._make(name, args)
        self.address, self.balancer_id, self.server_group_id = made.address, made.balancer_id, made.server_group_id
        self.register_outputs(
            {"address": self.address, "balancerId": self.balancer_id, "serverGroupId": self.server_group_id}
        )

    def _make(self, name: str, args: BalancerArgs) -> Balanced:
        opts = pulumi.ResourceOptions(parent=self)
        match args.plan.kind:
            case "nlb":
                return NetworkBalancer(f"{name}-nlb", args, opts)
            case "alb":
                return ApplicationBalancer(f"{name}-alb", args, opts)
            case "clb":
                return ClassicBalancer(f"{name}-clb", args, opts)
