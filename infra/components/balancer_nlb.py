"""An NLB: bytes pass through it as they are, without a limit of time or size, and TLS ends at the hosts."""

from __future__ import annotations

import pulumi
import pulumi_alicloud as alicloud

from infra.components.balancer_args import (
    DRAIN_S,
    HEALTH_INTERVAL_S,
    HEALTH_TIMEOUT_S,
    HEALTHY_AFTER,
    UNHEALTHY_AFTER,
    WEIGHT,
    BalancerArgs,
)


class NetworkBalancer(pulumi.ComponentResource):
    """It has no access log: the server writes one.

    A host sees the balancer's address as its peer. With the client's address kept, every host would have to let all
    clients in (P5), and past the balancer's own group; the PROXY protocol is not spoken by the server.
    """

    address: pulumi.Output[str]
    balancer_id: pulumi.Output[str]
    server_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:NetworkBalancer", name, None, opts)
        self._opts = pulumi.ResourceOptions(parent=self)
        balancer = self._balancer(args)
        servers = self._servers(args)
        self.address, self.balancer_id, self.server_group_id = balancer.dns_name, balancer.id, servers.id
        listener = args.plan.listener
        alicloud.nlb.Listener(
            listener.name,
            listener_description=listener.name,
            load_balancer_id=balancer.id,
            server_group_id=servers.id,
            listener_protocol="TCP",
            listener_port=listener.port,
            idle_timeout=args.plan.idle_timeout_s,
            proxy_protocol_enabled=False,
            opts=self._opts,
        )
        self._attach(args)
        self.register_outputs(
            {"address": self.address, "balancerId": self.balancer_id, "serverGroupId": self.server_group_id}
        )

    def _balancer(self, args: BalancerArgs) -> alicloud.nlb.LoadBalancer:
        return alicloud.nlb.LoadBalancer(
            args.plan.name,
            load_balancer_name=args.plan.name,
            load_balancer_type="Network",
            address_type="Internet" if args.plan.public else "Intranet",
            vpc_id=args.vpc_id,
            zone_mappings=[
                alicloud.nlb.LoadBalancerZoneMappingArgs(zone_id=zone, vswitch_id=switch)
                for zone, switch in args.zones()
            ],
            cross_zone_enabled=True,  # a zone whose hosts are gone still answers
            security_group_ids=None if args.security_group_id is None else [args.security_group_id],
            deletion_protection_enabled=args.protect,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )

    def _servers(self, args: BalancerArgs) -> alicloud.nlb.ServerGroup:
        listener = args.plan.listener
        return alicloud.nlb.ServerGroup(
            f"{args.plan.name}-servers",
            server_group_name=f"{args.plan.name}-servers",
            server_group_type="Instance",
            vpc_id=args.vpc_id,
            protocol="TCP",
            scheduler="Wlc",  # transfers differ by hours: the host with the fewest connections is next
            preserve_client_ip_enabled=False,
            connection_drain_enabled=True,
            connection_drain_timeout=DRAIN_S,
            health_check=alicloud.nlb.ServerGroupHealthCheckArgs(
                health_check_enabled=True,
                health_check_type="HTTP",
                health_check_connect_port=listener.health_port,
                health_check_url=listener.health_path,
                http_check_method="GET",
                health_check_http_codes=["http_2xx"],
                health_check_interval=HEALTH_INTERVAL_S,
                health_check_connect_timeout=HEALTH_TIMEOUT_S,
                healthy_threshold=HEALTHY_AFTER,
                unhealthy_threshold=UNHEALTHY_AFTER,
            ),
            opts=self._opts,
        )

    def _attach(self, args: BalancerArgs) -> None:
        for host, instance in args.servers():
            alicloud.nlb.ServerGroupServerAttachment(
                f"{args.plan.listener.name}-{host}",
                server_group_id=self.server_group_id,
                server_id=instance,
                server_type="Ecs",
                port=args.plan.listener.target_port,
                weight=WEIGHT,
                description=host,
                opts=self._opts,
            )
