"""A CLB, the older kind: passes bytes through where the hosts speak TLS, else ends TLS itself."""

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
MAX_REQUEST_S: Final = 180
MAX_IDLE_S: Final = 60
TLS_POLICY: Final = "tls_cipher_policy_1_2_strict_with_1_3"


class ClassicBalancer(pulumi.ComponentResource):
    """It takes no security group, and the provider has no access log for it: the server writes one.

    A CLB that ends TLS speaks plain HTTP to the hosts. Raises: ValueError when it has to and has no certificate.
    """

    address: pulumi.Output[str]
    balancer_id: pulumi.Output[str]
    server_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:ClassicBalancer", name, None, opts)
        self._opts = pulumi.ResourceOptions(parent=self)
        kind = listener_args(args)
        balancer = self._balancer(args)
        servers = alicloud.slb.ServerGroup(
            f"{args.plan.name}-servers",
            name=f"{args.plan.name}-servers",
            load_balancer_id=balancer.id,
            opts=self._opts,
        )
        self.address, self.balancer_id, self.server_group_id = balancer.address, balancer.id, servers.id
        kind.load_balancer_id, kind.server_group_id = balancer.id, servers.id
        alicloud.slb.Listener(args.plan.listener.name, kind, opts=self._opts)
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


def listener_args(args: BalancerArgs) -> alicloud.slb.ListenerArgs:
    """The listener without its ids. Raises: ValueError without the certificate that it needs."""
    listener = args.plan.listener
    made = alicloud.slb.ListenerArgs(
        load_balancer_id="",
        protocol="tcp" if listener.tls else "https",
        frontend_port=listener.port,
        description=listener.name,
        bandwidth=UNLIMITED,
        scheduler="wrr",
        health_check_connect_port=listener.health_port,
        health_check_uri=listener.health_path,
        health_check_http_code="http_2xx",
        health_check_interval=HEALTH_INTERVAL_S,
        health_check_timeout=HEALTH_TIMEOUT_S,
        healthy_threshold=HEALTHY_AFTER,
        unhealthy_threshold=UNHEALTHY_AFTER,
    )
    if listener.tls:
        made.health_check_type = "http"
        made.established_timeout = args.plan.idle_timeout_s
        return made
    made.server_certificate_id, made.tls_cipher_policy = args.certificate(), TLS_POLICY
    made.health_check, made.health_check_method = "on", "get"
    made.gzip = False  # an object leaves with the bytes and the length it has
    made.enable_http2 = "on"
    made.request_timeout = MAX_REQUEST_S
    made.idle_timeout = min(args.plan.idle_timeout_s, MAX_IDLE_S)
    return made
