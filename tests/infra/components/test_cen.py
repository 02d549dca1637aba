"""CEN: a router and a table a region, everything of a region at its own provider, routes between the peered."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_alicloud as alicloud
import pytest

from infra.blueprint.cloud import FromOutput, Known, PlannedAttachment, PlannedCen, PlannedPeering
from infra.components.cen import Cen, CenArgs, reached
from tests.infra.components.house import children, types
from tests.infra.components.recorder import Recorded, named, of_type, only, record

OWN = {
    "alicloud:cen/transitRouter:TransitRouter": {"transitRouterId": "tr-x"},
    "alicloud:cen/transitRouterRouteTable:TransitRouterRouteTable": {"transitRouterRouteTableId": "vtb-x"},
    "alicloud:cen/transitRouterVpcAttachment:TransitRouterVpcAttachment": {"transitRouterAttachmentId": "tr-vpc"},
    "alicloud:cen/transitRouterPeerAttachment:TransitRouterPeerAttachment": {
        "transitRouterAttachmentId": "tr-attach-peer"
    },
}


def attachment(region: str, number: int, **other: Any) -> PlannedAttachment:
    given: dict[str, Any] = {
        "switches": tuple(
            (f"{region}-{zone}", FromOutput(from_output="switch_ids", region=region, key=zone)) for zone in "hi"
        )
    }
    return PlannedAttachment(
        region=region,
        router=f"router-{region}",
        attachment=f"attachment-{region}",
        vpc=FromOutput(from_output="vpc_id", region=region),
        cidr=f"10.{number}.0.0/16",
        **{**given, **other},
    )


def peering(one: str, other: str) -> PlannedPeering:
    return PlannedPeering(name=f"peering-{one}-{other}", region=one, peer_region=other, bandwidth_mbps=50)


PLAN = PlannedCen(
    name="g-cen",
    attachments=(attachment("cn-beijing", 1), attachment("cn-shanghai", 2)),
    peerings=(peering("cn-beijing", "cn-shanghai"),),
)


def known(value: Known) -> str:
    return value if isinstance(value, str) else f"{value.region}/{value.from_output}/{value.key}"


def built(plan: PlannedCen = PLAN, *, regions: tuple[str, ...] = ("cn-beijing", "cn-shanghai")) -> list[Recorded]:
    def build(opts: pulumi.ResourceOptions) -> None:
        providers = {region: alicloud.Provider(region, region=region) for region in regions}
        Cen("cen", CenArgs(plan, providers, known), opts)

    return record(build, computed=OWN)


def test_what_joins_two_regions() -> None:
    made = children(built(), "Cen", provider=None)
    assert types(made) == [
        "Instance",
        *["TransitRouter"] * 2,
        "TransitRouterPeerAttachment",
        *["TransitRouterRouteTable"] * 2,
        *["TransitRouterRouteTableAssociation"] * 4,
        *["TransitRouterRouteTablePropagation"] * 4,
        *["TransitRouterVpcAttachment"] * 2,
    ]


def test_each_region_is_asked_at_its_own_provider() -> None:
    made = children(built(), "Cen", provider=None)
    assert only(made, "Instance").provider == "cn-hangzhou"
    for one in made:
        if one.type.endswith(":Instance") or one.name == "peering-cn-beijing-cn-shanghai":
            continue
        last = max(("cn-beijing", "cn-shanghai"), key=one.name.rfind)  # a peering names both: its side is the last
        assert one.provider == last, one.name
    assert only(made, "TransitRouterPeerAttachment").provider == "cn-beijing"


def test_a_vpc_is_attached_in_two_zones() -> None:
    made = children(built(), "Cen", provider=None)
    assert named(made, "attachment-cn-beijing").inputs == {
        "cenId": "g-cen-id",
        "transitRouterId": "tr-x",
        "transitRouterVpcAttachmentName": "attachment-cn-beijing",
        "vpcId": "cn-beijing/vpc_id/",
        "zoneMappings": [
            {"zoneId": "cn-beijing-h", "vswitchId": "cn-beijing/switch_ids/h"},
            {"zoneId": "cn-beijing-i", "vswitchId": "cn-beijing/switch_ids/i"},
        ],
        "paymentType": "PayAsYouGo",
        "autoPublishRouteEnabled": True,
    }


def test_both_ends_of_a_peering_route_and_learn() -> None:
    made = children(built(), "Cen", provider=None)
    peer = only(made, "TransitRouterPeerAttachment").inputs
    assert (peer["bandwidth"], peer["bandwidthType"]) == (50, "DataTransfer")
    assert peer["peerTransitRouterRegionId"] == "cn-shanghai"
    for kind in ("TransitRouterRouteTableAssociation", "TransitRouterRouteTablePropagation"):
        joined = [one for one in of_type(made, kind) if one.inputs["transitRouterAttachmentId"] == "tr-attach-peer"]
        assert {one.provider for one in joined} == {"cn-beijing", "cn-shanghai"}
        assert all(one.waits_for(f"router-{one.provider}-routes") for one in joined)


def test_the_hosts_table_leads_to_the_peers() -> None:
    tables = tuple(
        found.model_copy(update={"route_table": FromOutput(from_output="route_table_id", region=found.region)})
        for found in PLAN.attachments
    )
    made = children(built(PLAN.model_copy(update={"attachments": tables})), "Cen", provider=None)
    assert len(of_type(made, "RouteEntry")) == 2
    route = named(made, "attachment-cn-beijing-to-cn-shanghai")
    assert route.provider == "cn-beijing"
    assert route.inputs == {
        "routeTableId": "cn-beijing/route_table_id/",
        "destinationCidrblock": "10.2.0.0/16",
        "nexthopType": "Attachment",
        "nexthopId": "tr-vpc",
    }


def test_who_is_reached_is_who_is_peered() -> None:
    plan = PlannedCen(
        name="g-cen",
        attachments=(attachment("a", 1), attachment("b", 2), attachment("c", 3)),
        peerings=(peering("a", "b"), peering("b", "c")),
    )
    assert [[one.region for one in reached(plan, region)] for region in "abc"] == [["b"], ["a", "c"], ["b"]]


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (PLAN.model_copy(update={"attachments": PLAN.attachments[:1]}), "peered but not attached: cn-shanghai"),
        (
            PLAN.model_copy(
                update={
                    "attachments": (
                        attachment("cn-beijing", 1, switches=(("cn-beijing-h", "vsw"), ("cn-beijing-h", "vsw2"))),
                        PLAN.attachments[1],
                    )
                }
            ),
            "attached in one zone",
        ),
    ],
)
def test_what_cannot_be_joined_is_refused_before_anything_is_made(plan: PlannedCen, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        built(plan)


def test_a_region_without_a_provider_is_refused() -> None:
    with pytest.raises(ValueError, match="no provider for cn-shanghai"):
        built(regions=("cn-beijing",))
