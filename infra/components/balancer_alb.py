"""An ALB: TLS ends here, and requests can be told apart by path; a request has a limit of time."""

from __future__ import annotations

from typing import Final

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

MAX_TIMEOUT_S: Final = 600  # of a request, and of a connection without one
TLS_POLICY: Final = "tls_cipher_policy_1_2_strict_with_1_3"


class ApplicationBalancer(pulumi.ComponentResource):
    """Its access log goes to the Plan's store. Raises: ValueError without a certificate, or a log without a store."""

    address: pulumi.Output[str]
    balancer_id: pulumi.Output[str]
    server_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:ApplicationBalancer", name, None, opts)
        self._opts = pulumi.ResourceOptions(parent=self)
        certificate = args.certificate()
        balancer = self._balancer(args)
        servers = self._servers(args)
        self.address, self.balancer_id, self.server_group_id = balancer.dns_name, balancer.id, servers.id
        self._listener(args, certificate)
        if args.security_group_id is not None:
            alicloud.alb.LoadBalancerSecurityGroupAttachment(
                f"{args.plan.name}-group",
                load_balancer_id=balancer.id,
                security_group_id=args.security_group_id,
                opts=self._opts,
            )
        self.register_outputs(
            {"address": self.address, "balancerId": self.balancer_id, "serverGroupId": self.server_group_id}
        )

    def _balancer(self, args: BalancerArgs) -> alicloud.alb.LoadBalancer:
        return alicloud.alb.LoadBalancer(
            args.plan.name,
            load_balancer_name=args.plan.name,
            load_balancer_edition="Standard",
            load_balancer_billing_config=alicloud.alb.LoadBalancerLoadBalancerBillingConfigArgs(pay_type="PayAsYouGo"),
            address_type="Internet" if args.plan.public else "Intranet",
            vpc_id=args.vpc_id,
            zone_mappings=[
                alicloud.alb.LoadBalancerZoneMappingArgs(zone_id=zone, vswitch_id=switch)
                for zone, switch in args.zones()
            ],
            access_log_config=access_log(args),
            deletion_protection_enabled=args.protect,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )

    def _servers(self, args: BalancerArgs) -> alicloud.alb.ServerGroup:
        listener = args.plan.listener
        return alicloud.alb.ServerGroup(
            f"{args.plan.name}-servers",
            server_group_name=f"{args.plan.name}-servers",
            server_group_type="Instance",
            vpc_id=args.vpc_id,
            protocol="HTTPS",
            scheduler="Wlc",
            cross_zone_enabled=True,
            upstream_keepalive_enabled=True,
            connection_drain_config=alicloud.alb.ServerGroupConnectionDrainConfigArgs(
                connection_drain_enabled=True, connection_drain_timeout=DRAIN_S
            ),
            health_check_config=alicloud.alb.ServerGroupHealthCheckConfigArgs(
                health_check_enabled=True,
                health_check_protocol="HTTP",
                health_check_connect_port=listener.health_port,
                health_check_path=listener.health_path,
                health_check_method="GET",
                health_check_codes=["http_2xx"],
                health_check_interval=HEALTH_INTERVAL_S,
                health_check_timeout=HEALTH_TIMEOUT_S,
                healthy_threshold=HEALTHY_AFTER,
                unhealthy_threshold=UNHEALTHY_AFTER,
            ),
            servers=targets(args) or None,
            # Without fixed targets a scaling group writes them.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=None if args.plan.targets else ["servers"]),
        )

    def _listener(self, args: BalancerArgs, certificate: str) -> None:
        forward = alicloud.alb.ListenerDefaultActionForwardGroupConfigArgs(
            server_group_tuples=[
                alicloud.alb.ListenerDefaultActionForwardGroupConfigServerGroupTupleArgs(
                    server_group_id=self.server_group_id
                )
            ]
        )
        alicloud.alb.Listener(
            args.plan.listener.name,
            listener_description=args.plan.listener.name,
            load_balancer_id=self.balancer_id,
            listener_protocol="HTTPS",
            listener_port=args.plan.listener.port,
            certificates=alicloud.alb.ListenerCertificatesArgs(certificate_id=certificate),
            security_policy_id=TLS_POLICY,
            default_actions=[
                alicloud.alb.ListenerDefaultActionArgs(type="ForwardGroup", forward_group_config=forward)
            ],
            gzip_enabled=False,  # an object leaves with the bytes and the length it has
            http2_enabled=True,
            request_timeout=MAX_TIMEOUT_S,
            idle_timeout=min(args.plan.idle_timeout_s, MAX_TIMEOUT_S),
            opts=self._opts,
        )


def targets(args: BalancerArgs) -> list[alicloud.alb.ServerGroupServerArgs]:
    """The fixed ones: the provider has no resource for a single one."""
    return [
        alicloud.alb.ServerGroupServerArgs(
            server_id=instance,
            server_type="Ecs",
            port=args.plan.listener.target_port,
            weight=WEIGHT,
            description=host,
        )
        for host, instance in args.servers()
    ]


def access_log(args: BalancerArgs) -> alicloud.alb.LoadBalancerAccessLogConfigArgs | None:
    """Where requests are written down. Raises: ValueError when the Plan has a log and the store is not given."""
    if args.plan.log is None:
        return None
    if args.log_project is None or args.log_store is None:
        raise ValueError(f"{args.plan.name}: the store of its access log is not given")
    return alicloud.alb.LoadBalancerAccessLogConfigArgs(log_project=args.log_project, log_store=args.log_store)
