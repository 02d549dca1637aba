"""The way to a machine room: a VPN gateway in two zones and one connection of two tunnels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_alicloud as alicloud
from pulumi_alicloud import vpn

from infra.blueprint.cloud import PlannedTunnel, PlannedVpn

# The strongest that both phases of the cloud's gateway take.
CIPHER, DIGEST, GROUP = "aes256", "sha256", "group14"
IKE_LIFETIME_S: Final = 28_800
IPSEC_LIFETIME_S: Final = 3_600
ACTIVE: Final = 100  # weights of a route: 100 or 0


@dataclass(frozen=True)
class VpnArgs:
    """`switch_ids` by the switch's name, `secrets` by the tunnel's. `route_table_id`: the table of the hosts; None: the
    VPC's own, which the gateway writes itself."""

    plan: PlannedVpn
    vpc_id: pulumi.Input[str]
    switch_ids: Mapping[str, pulumi.Input[str]]
    secrets: Mapping[str, pulumi.Input[str]]
    route_table_id: pulumi.Input[str] | None = None


class Vpn(pulumi.ComponentResource):
    """`address` and `standby_address`: where the machine room's device finds the two tunnels."""

    address: pulumi.Output[str]
    standby_address: pulumi.Output[str]

    def __init__(self, name: str, args: VpnArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:Vpn", name, None, opts)
        self._args = args
        gateway = self._gateway()
        self._routes(gateway, self._connection(gateway))
        self.address = gateway.internet_ip
        self.standby_address = gateway.disaster_recovery_internet_ip
        self.register_outputs({"address": self.address, "standbyAddress": self.standby_address})

    def _gateway(self) -> vpn.Gateway:
        plan = self._args.plan
        first, second = plan.switches
        return vpn.Gateway(
            plan.name,
            vpn_gateway_name=plan.name,
            vpn_type="Normal",
            network_type="public",
            payment_type="PayAsYouGo",
            bandwidth=plan.bandwidth_mbps,
            enable_ipsec=True,
            enable_ssl=False,
            vpc_id=self._args.vpc_id,
            vswitch_id=self._args.switch_ids[first],
            disaster_recovery_vswitch_id=self._args.switch_ids[second],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _connection(self, gateway: vpn.Gateway) -> vpn.Connection:
        plan = self._args.plan
        room = vpn.CustomerGateway(
            plan.customer_gateway,
            customer_gateway_name=plan.customer_gateway,
            ip_address=plan.customer_address,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return vpn.Connection(
            f"{plan.name}-connection",
            vpn_connection_name=f"{plan.name}-connection",
            vpn_gateway_id=gateway.id,
            network_type="public",
            local_subnets=list(plan.local_cidrs),
            remote_subnets=list(plan.remote_cidrs),
            auto_config_route=False,  # the routes are resources, below
            effect_immediately=True,
            enable_tunnels_bgp=False,
            tunnel_options_specifications=[
                tunnel_args(tunnel, room.id, self._args.secrets[tunnel.secret]) for tunnel in plan.tunnels
            ],
            # The provider does not call the pre-shared keys sensitive: state holds them encrypted all the same.
            opts=pulumi.ResourceOptions(parent=self, additional_secret_outputs=["tunnel_options_specifications"]),
        )

    def _routes(self, gateway: vpn.Gateway, connection: vpn.Connection) -> None:
        plan, opts = self._args.plan, pulumi.ResourceOptions(parent=self)
        for cidr in plan.remote_cidrs:
            entry = f"{plan.name}-to-{cidr.replace('/', '-')}"
            route = vpn.RouteEntry(
                entry,
                vpn_gateway_id=gateway.id,
                next_hop=connection.id,
                route_dest=cidr,
                publish_vpc=True,
                weight=ACTIVE,
                opts=opts,
            )
            if self._args.route_table_id is not None:
                alicloud.vpc.RouteEntry(
                    f"{entry}-hosts",
                    route_table_id=self._args.route_table_id,
                    destination_cidrblock=cidr,
                    nexthop_type="VpnGateway",
                    nexthop_id=gateway.id,
                    # One destination, one entry: the old one goes before the new one comes.
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[route], delete_before_replace=True),
                )


def tunnel_args(
    tunnel: PlannedTunnel, customer_gateway: pulumi.Input[str], secret: pulumi.Input[str]
) -> vpn.ConnectionTunnelOptionsSpecificationArgs:
    return vpn.ConnectionTunnelOptionsSpecificationArgs(
        role=tunnel.role,
        customer_gateway_id=customer_gateway,
        enable_dpd=True,
        enable_nat_traversal=True,
        tunnel_ike_config=vpn.ConnectionTunnelOptionsSpecificationTunnelIkeConfigArgs(
            ike_version="ikev2",
            ike_mode="main",
            ike_enc_alg=CIPHER,
            ike_auth_alg=DIGEST,
            ike_pfs=GROUP,
            ike_lifetime=IKE_LIFETIME_S,
            psk=pulumi.Output.secret(secret),
        ),
        tunnel_ipsec_config=vpn.ConnectionTunnelOptionsSpecificationTunnelIpsecConfigArgs(
            ipsec_enc_alg=CIPHER, ipsec_auth_alg=DIGEST, ipsec_pfs=GROUP, ipsec_lifetime=IPSEC_LIFETIME_S
        ),
    )
