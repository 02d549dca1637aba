"""Regions joined by CEN: a transit router in each, their VPCs attached in two zones, the routers peered.

Each region's part speaks to that region's provider. Routes are of one table a router, made here: the default one could
only be found by asking the cloud.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_alicloud as alicloud
from pulumi_alicloud import cen

from infra.blueprint.cloud import Known, PlannedAttachment, PlannedCen, PlannedPeering

ZONES_LIMIT: Final = 10  # switches of one attachment


@dataclass(frozen=True)
class CenArgs:
    """`providers` by region; `known` gives what the Plan leaves to other stacks' outputs."""

    plan: PlannedCen
    providers: Mapping[str, alicloud.Provider]
    known: Callable[[Known], pulumi.Input[str]]


@dataclass(frozen=True)
class _Router:
    """What is made for one region."""

    router_id: pulumi.Output[str]
    table_id: pulumi.Output[str]
    attachment_id: pulumi.Output[str]


class Cen(pulumi.ComponentResource):
    """`cen_id`: of the instance. Raises: ValueError for a region without a provider, or attached in one zone alone."""

    cen_id: pulumi.Output[str]

    def __init__(self, name: str, args: CenArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:Cen", name, None, opts)
        self._args = args
        check(args)
        instance = cen.Instance(
            args.plan.name, cen_instance_name=args.plan.name, opts=pulumi.ResourceOptions(parent=self)
        )
        self.cen_id = instance.id
        self._routers = {planned.region: self._router(planned) for planned in args.plan.attachments}
        for peering in args.plan.peerings:
            self._peer(peering)
        for planned in args.plan.attachments:
            self._vpc_routes(planned)
        self.register_outputs({"cenId": self.cen_id})

    def _opts(self, region: str) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, provider=self._args.providers[region])

    def _router(self, planned: PlannedAttachment) -> _Router:
        opts = self._opts(planned.region)
        router = cen.TransitRouter(
            planned.router, cen_id=self.cen_id, transit_router_name=planned.router, support_multicast=False, opts=opts
        )
        table = cen.TransitRouterRouteTable(
            f"{planned.router}-routes",
            transit_router_id=router.transit_router_id,
            transit_router_route_table_name=f"{planned.router}-routes",
            opts=opts,
        )
        attachment = cen.TransitRouterVpcAttachment(
            planned.attachment,
            cen_id=self.cen_id,
            transit_router_id=router.transit_router_id,
            transit_router_vpc_attachment_name=planned.attachment,
            vpc_id=self._args.known(planned.vpc),
            zone_mappings=[
                cen.TransitRouterVpcAttachmentZoneMappingArgs(zone_id=zone, vswitch_id=self._args.known(switch))
                for zone, switch in planned.switches[:ZONES_LIMIT]
            ],
            payment_type="PayAsYouGo",
            auto_publish_route_enabled=True,
            opts=opts,
        )
        made = _Router(
            router.transit_router_id, table.transit_router_route_table_id, attachment.transit_router_attachment_id
        )
        self._join(planned.attachment, planned.region, made.table_id, made.attachment_id)
        return made

    def _join(
        self, name: str, region: str, table_id: pulumi.Input[str], attachment_id: pulumi.Input[str]
    ) -> None:
        """What comes in by the attachment is routed by the table, and the table learns what lies behind it."""
        opts = self._opts(region)
        cen.TransitRouterRouteTableAssociation(
            f"{name}-association",
            transit_router_attachment_id=attachment_id,
            transit_router_route_table_id=table_id,
            opts=opts,
        )
        cen.TransitRouterRouteTablePropagation(
            f"{name}-propagation",
            transit_router_attachment_id=attachment_id,
            transit_router_route_table_id=table_id,
            opts=opts,
        )

    def _peer(self, planned: PlannedPeering) -> None:
        near, far = self._routers[planned.region], self._routers[planned.peer_region]
        peering = cen.TransitRouterPeerAttachment(
            planned.name,
            cen_id=self.cen_id,
            transit_router_id=near.router_id,
            peer_transit_router_id=far.router_id,
            peer_transit_router_region_id=planned.peer_region,
            transit_router_peer_attachment_name=planned.name,
            bandwidth=planned.bandwidth_mbps,
            bandwidth_type="DataTransfer",  # paid by what passes; the bandwidth is its limit, no plan is bought
            auto_publish_route_enabled=True,
            opts=self._opts(planned.region),
        )
        for region, router in ((planned.region, near), (planned.peer_region, far)):
            self._join(f"{planned.name}-{region}", region, router.table_id, peering.transit_router_attachment_id)

    def _vpc_routes(self, planned: PlannedAttachment) -> None:
        """The router writes the VPC's own table; the table of the hosts is written here."""
        if planned.route_table is None:
            return
        for other in reached(self._args.plan, planned.region):
            alicloud.vpc.RouteEntry(
                f"{planned.attachment}-to-{other.region}",
                route_table_id=self._args.known(planned.route_table),
                destination_cidrblock=other.cidr,
                nexthop_type="Attachment",
                nexthop_id=self._routers[planned.region].attachment_id,
                # One destination, one entry: the old one goes before the new one comes.
                opts=pulumi.ResourceOptions.merge(
                    self._opts(planned.region), pulumi.ResourceOptions(delete_before_replace=True)
                ),
            )


def reached(plan: PlannedCen, region: str) -> tuple[PlannedAttachment, ...]:
    """The attachments of the regions that are peered with this one."""
    ends = ({peering.region, peering.peer_region} for peering in plan.peerings)
    regions = {end for pair in ends if region in pair for end in pair} - {region}
    return tuple(planned for planned in plan.attachments if planned.region in regions)


def check(args: CenArgs) -> None:
    """Before anything is made. Raises: ValueError."""
    regions = {planned.region for planned in args.plan.attachments}
    named = regions | {end for peering in args.plan.peerings for end in (peering.region, peering.peer_region)}
    if lost := sorted(named - regions):
        raise ValueError(f"{args.plan.name}: peered but not attached: {', '.join(lost)}")
    if lost := sorted(regions - args.providers.keys()):
        raise ValueError(f"{args.plan.name}: no provider for {', '.join(lost)}")
    for planned in args.plan.attachments:
        if len({zone for zone, _ in planned.switches}) < 2:
            raise ValueError(f"{planned.attachment}: attached in one zone, and the zone can be lost: name two")
