"""A CLB, the older kind: bytes pass through it as they are, and TLS ends at the hosts."""

from __future__ import annotations

from typing import Final

import pulumi
import pulumi_alicloud as alicloud

from infra.components.balancer_args import (
    HEALTH_INTERVAL_S,
    HEALTH_TIMEOUT_S,
    HEALTHY_AFTER,
    UNHEALTHY_AFTER,
    WEIGHT,
    BalancerArgs,
)

UNLIMITED: Final = -1


class ClassicBalancer(pulumi.ComponentResource):
    """It takes no security group, and the provider has no access log for it: the server writes one."""

    address: pulumi.Output[str]
    balancer_id: pulumi.Output[str]
    server_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:ClassicBalancer", name, None, opts)
        self._opts = pulumi.ResourceOptions(parent=self)
        balancer = self._balancer(args)
        servers = alicloud.slb.ServerGroup(
            f"{args.plan.name}-servers",
            name=f"{args.plan.name}-servers",
            load_balancer_id=balancer.id,
            opts=self._opts,
        )
        self.address, self.balancer_id, self.server_group_id = balancer.address, balancer.id, servers.id
        self._listener(args)
        self._attach(args)
        self.register_outputs(
            {"address": self.address, "balancerId": self.balancer_id, "serverGroupId": self.server_group_id}
        )

    def _balancer(self, args: BalancerArgs) -> alicloud.slb.ApplicationLoadBalancer:
        zones = args.zones()
        (first, switch), second = zones[0], zones[min(1, len(zones) - 1)][0]
        return alicloud.slb.ApplicationLoadBalancer(
            args.plan.name,
            load_balancer_name=args.plan.name,
            address_type="internet" if args.plan.public else "intranet",
            vswitch_id=None if args.plan.public else switch,
            master_zone_id=first,
            slave_zone_id=None if second == first else second,
            payment_type="PayAsYouGo",
            instance_charge_type="PayByCLCU",
            internet_charge_type="PayByTraffic",
            delete_protection="on" if args.protect else "off",
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )

    def _listener(self, args: BalancerArgs) -> None:
        listener = args.plan.listener
        alicloud.slb.Listener(
            listener.name,
            load_balancer_id=self.balancer_id,
            server_group_id=self.server_group_id,
            protocol="tcp",
            frontend_port=listener.port,
            description=listener.name,
            bandwidth=UNLIMITED,
            scheduler="wrr",
            established_timeout=args.plan.idle_timeout_s,
            health_check_type="http",
            health_check_connect_port=listener.health_port,
            health_check_uri=listener.health_path,
            health_check_http_code="http_2xx",
            health_check_interval=HEALTH_INTERVAL_S,
            health_check_timeout=HEALTH_TIMEOUT_S,
            healthy_threshold=HEALTHY_AFTER,
            unhealthy_threshold=UNHEALTHY_AFTER,
            opts=self._opts,
        )

    def _attach(self, args: BalancerArgs) -> None:
        for host, instance in args.servers():
            alicloud.slb.ServerGroupServerAttachment(
                f"{args.plan.listener.name}-{host}",
                server_group_id=self.server_group_id,
                server_id=instance,
                type="ecs",
                port=args.plan.listener.target_port,
                weight=WEIGHT,
                description=host,
                opts=self._opts,
            )
