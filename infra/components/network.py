"""The network of a region: a VPC of its own or an adopted one, switches, routes, the way out, what may pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_alicloud as alicloud

from infra.blueprint.cloud import PlannedAcl, PlannedFlowLog, PlannedNat, PlannedNetwork, PlannedSwitch
from infra.components.ordering import after
from infra.components.policy import policy

ANYWHERE: Final = "0.0.0.0/0"
AGGREGATION_S: Final = "10"  # the coarsest there is: flow logs are kept to look back, not to alarm
# Of the endpoint of OSS. Who may do what is for the policies of roles and buckets; the endpoint is only a way.
PASS_ALL: Final = policy({"Action": ["*"], "Effect": "Allow", "Principal": ["*"], "Resource": ["*"]})


@dataclass(frozen=True)
class NetworkArgs:
    """`region`: where the endpoint of OSS is asked for. `log_project`, `log_stores` (by store): of the flow log."""

    plan: PlannedNetwork
    region: str
    log_project: pulumi.Input[str]
    log_stores: Mapping[str, pulumi.Input[str]]


class Network(pulumi.ComponentResource):
    """`switch_ids` by the switch's name; what uses one waits for its routes and its list. `nat_address`: seen outside.

    In an adopted VPC only switches and what hangs on them are made: its flow log covers our switches alone.
    """

    vpc_id: pulumi.Output[str]
    switch_ids: dict[str, pulumi.Output[str]]
    route_table_id: pulumi.Output[str]
    nat_address: pulumi.Output[str] | None = None

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:Network", name, None, opts)
        self._args = args
        self._opts = pulumi.ResourceOptions(parent=self)
        plan = args.plan
        self.vpc_id = self._vpc(plan)
        self._bare = {planned.name: self._switch(planned).id for planned in plan.switches}
        self.route_table_id = table = self._route_table(plan)
        attached = self._attach(plan, table, self._acl(plan.acl))
        self.switch_ids = {found: after(self._bare[found], attached[found]) for found in self._bare}
        if plan.nat is not None:
            self.nat_address = self._way_out(plan.nat, table)
        if plan.oss_endpoint is not None:
            self._oss(plan.oss_endpoint, table)
        if plan.flow_log is not None:
            self._flows(plan.flow_log)
        self.register_outputs(
            {
                "vpcId": self.vpc_id,
                "switchIds": self.switch_ids,
                "routeTableId": self.route_table_id,
                "natAddress": self.nat_address,
            }
        )

    def _vpc(self, plan: PlannedNetwork) -> pulumi.Output[str]:
        if plan.existing is not None:
            return pulumi.Output.from_input(plan.existing)
        return alicloud.vpc.Network(plan.name, vpc_name=plan.name, cidr_block=plan.cidr, opts=self._opts).id

    def _switch(self, planned: PlannedSwitch) -> alicloud.vpc.Switch:
        return alicloud.vpc.Switch(
            planned.name,
            vswitch_name=planned.name,
            vpc_id=self.vpc_id,
            zone_id=planned.zone,
            cidr_block=planned.cidr,
            opts=self._opts,
        )

    def _route_table(self, plan: PlannedNetwork) -> pulumi.Output[str]:
        # Of our own, so that in an adopted VPC no route of others changes, and in ours none is there that we did not
        # write.
        return alicloud.vpc.RouteTable(
            plan.route_table,
            route_table_name=plan.route_table,
            vpc_id=self.vpc_id,
            associate_type="VSwitch",
            opts=self._opts,
        ).id

    def _acl(self, planned: PlannedAcl) -> pulumi.Output[str]:
        return alicloud.vpc.NetworkAcl(
            planned.name,
            network_acl_name=planned.name,
            vpc_id=self.vpc_id,
            ingress_acl_entries=ingress(planned),
            egress_acl_entries=egress(planned),
            opts=self._opts,
        ).id

    def _attach(
        self, plan: PlannedNetwork, table: pulumi.Output[str], acl: pulumi.Output[str]
    ) -> dict[str, list[pulumi.Resource]]:
        """Per switch: what must be in place before anything stands in it."""
        return {planned.name: [self._routed(planned, table), self._listed(planned, acl)] for planned in plan.switches}

    def _routed(self, planned: PlannedSwitch, table: pulumi.Output[str]) -> pulumi.Resource:
        return alicloud.vpc.RouteTableAttachment(
            f"{planned.name}-routes", route_table_id=table, vswitch_id=self._bare[planned.name], opts=self._opts
        )

    def _listed(self, planned: PlannedSwitch, acl: pulumi.Output[str]) -> pulumi.Resource:
        return alicloud.vpc.VpcNetworkAclAttachment(
            f"{planned.name}-acl",
            network_acl_id=acl,
            resource_id=self._bare[planned.name],
            resource_type="VSwitch",
            opts=self._opts,
        )

    def _way_out(self, planned: PlannedNat, table: pulumi.Output[str]) -> pulumi.Output[str]:
        """The address that the world sees."""
        nat = alicloud.vpc.NatGateway(
            planned.name,
            nat_gateway_name=planned.name,
            vpc_id=self.vpc_id,
            vswitch_id=self.switch_ids[planned.switch],
            nat_type="Enhanced",
            network_type="internet",
            payment_type="PayAsYouGo",
            internet_charge_type="PayByLcu",
            opts=self._opts,
        )
        address = alicloud.ecs.EipAddress(
            planned.address_name,
            address_name=planned.address_name,
            bandwidth=str(planned.bandwidth_mbps),
            internet_charge_type="PayByTraffic",
            payment_type="PayAsYouGo",
            opts=self._opts,
        )
        bound = alicloud.ecs.EipAssociation(
            f"{planned.address_name}-association",
            allocation_id=address.id,
            instance_id=nat.id,
            instance_type="Nat",
            opts=self._opts,
        )
        # The cloud writes the default route of a NAT gateway into the VPC's own table alone.
        alicloud.vpc.RouteEntry(
            f"{planned.name}-route",
            name=f"{planned.name}-route",
            route_table_id=table,
            destination_cidrblock=ANYWHERE,
            nexthop_type="NatGateway",
            nexthop_id=nat.id,
            # One destination, one entry: the old one goes before the new one comes.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        for source in planned.sources:
            self._translate(planned.name, source, nat=nat, address=after(address.ip_address, [bound]))
        return address.ip_address

    def _translate(self, name: str, source: str, *, nat: alicloud.vpc.NatGateway, address: pulumi.Output[str]) -> None:
        alicloud.vpc.SnatEntry(
            f"{name}-{source}",
            snat_entry_name=f"{name}-{source}",
            snat_table_id=nat.snat_table_ids,
            snat_ip=address,
            source_vswitch_id=self._bare[source],
            opts=self._opts,
        )

    def _oss(self, name: str, table: pulumi.Output[str]) -> None:
        endpoint = alicloud.vpc.GatewayEndpoint(
            name,
            gateway_endpoint_name=name,
            gateway_endpoint_descrption="traffic to OSS stays inside",
            service_name=f"com.aliyun.{self._args.region}.oss",
            vpc_id=self.vpc_id,
            policy_document=PASS_ALL,
            opts=self._opts,
        )
        alicloud.vpc.GatewayEndpointRouteTableAttachment(
            f"{name}-routes", gateway_endpoint_id=endpoint.id, route_table_id=table, opts=self._opts
        )

    def _flows(self, planned: PlannedFlowLog) -> None:
        if self._args.plan.existing is None:
            self._flow(planned, planned.name, kind="VPC", resource=self.vpc_id)
            return
        for switch, found in self._bare.items():
            self._flow(planned, f"{planned.name}-{switch}", kind="VSwitch", resource=found)

    def _flow(self, planned: PlannedFlowLog, name: str, *, kind: str, resource: pulumi.Output[str]) -> None:
        alicloud.vpc.FlowLog(
            name,
            flow_log_name=name,
            resource_type=kind,
            resource_id=resource,
            traffic_type="All",
            aggregation_interval=AGGREGATION_S,
            project_name=self._args.log_project,
            log_store_name=self._args.log_stores[planned.log.store],
            opts=self._opts,
        )


def ingress(planned: PlannedAcl) -> list[alicloud.vpc.NetworkAclIngressAclEntryArgs]:
    """What comes in, in the order in which it is judged."""
    return [
        alicloud.vpc.NetworkAclIngressAclEntryArgs(
            network_acl_entry_name=entry.name,
            description=entry.description,
            policy=entry.action,
            protocol=entry.protocol,
            port=entry.ports,
            source_cidr_ip=entry.cidr,
        )
        for entry in planned.entries
        if entry.direction == "ingress"
    ]


def egress(planned: PlannedAcl) -> list[alicloud.vpc.NetworkAclEgressAclEntryArgs]:
    """What goes out, in the order in which it is judged."""
    return [
        alicloud.vpc.NetworkAclEgressAclEntryArgs(
            network_acl_entry_name=entry.name,
            description=entry.description,
            policy=entry.action,
            protocol=entry.protocol,
            port=entry.ports,
            destination_cidr_ip=entry.cidr,
        )
        for entry in planned.entries
        if entry.direction == "egress"
    ]
