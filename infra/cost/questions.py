"""What `catalogue refresh` asks the cloud, and how its replies are read. Pure: questions and replies are values.

Interfaces: ECS 2014-05-26 (DescribeZones, DescribeInstanceTypes, DescribeImages, DescribePrice), BSS OpenAPI 2017-12-14
(GetPayAsYouGoPrice, GetSubscriptionPrice). Prices are those of the public list (`Original...`), not of an account.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

from infra.blueprint.prices import Charge, Per, Price

Service = Literal["ecs", "bss"]
Reply = Mapping[str, Any]
ASKED_GIB: Final = 2048  # of a disk: every level has this size, and rounding of the price does not show
LEVELS: Final = ("PL0", "PL1", "PL2", "PL3")
IMAGES: Final = "acs:debian_12_6_x64"  # the family whose newest is `default`


class ReplyError(Exception):
    """The cloud answered, and not with what was asked for."""


@dataclass(frozen=True)
class Question:
    """One call. `prices`: what its reply says the price of, as (module, what to make of it)."""

    service: Service
    action: str
    query: Mapping[str, str]
    prices: tuple[tuple[str, Wanted], ...] = field(default=())


@dataclass(frozen=True)
class Wanted:
    item: str
    sku: str
    charge: Charge
    per: Per
    quantity: Decimal = Decimal(1)
    term_months: int | None = None


@dataclass(frozen=True)
class Facts:
    """What the cloud said of itself: zones, ids of types it has in the region, id of the newest image."""

    zones: tuple[str, ...] = ()
    types: tuple[Mapping[str, Any], ...] = ()
    image: str | None = None


def facts(region: str) -> tuple[Question, ...]:
    return (
        Question("ecs", "DescribeZones", {"RegionId": region}),
        Question("ecs", "DescribeImages", {"RegionId": region, "ImageFamily": IMAGES, "ImageOwnerAlias": "system"}),
    )


def type_facts(region: str, types: tuple[str, ...]) -> Question:
    asked = {f"InstanceTypes.{number}": name for number, name in enumerate(types, 1)}
    return Question("ecs", "DescribeInstanceTypes", {"RegionId": region, **asked})


def prices(region: str, types: tuple[str, ...]) -> Iterator[Question]:
    """For each type, for each kind of disk, and for what BSS documents how to ask for."""
    for name in types:
        if name.startswith("ecs."):
            yield _instance(region, name, "Hour", Wanted("host", name, "pay-as-you-go", "hour"))
            yield _instance(region, name, "Month", Wanted("host", name, "subscription", "month", term_months=1))
            yield _instance(region, name, "Year", Wanted("host", name, "subscription", "month", term_months=12))
        else:
            yield from _database(region, name)
    for level in LEVELS:
        yield _disk(region, "cloud_essd", level)
    yield _disk(region, "cloud_auto", "")
    yield _address(region)


def _instance(region: str, name: str, unit: str, wanted: Wanted) -> Question:
    query = {"RegionId": region, "ResourceType": "instance", "InstanceType": name, "PriceUnit": unit, "Period": "1"}
    return Question("ecs", "DescribePrice", query, (("instanceType", wanted),))


def _disk(region: str, category: str, level: str) -> Question:
    query = {"RegionId": region, "ResourceType": "disk", "PriceUnit": "Hour"}
    query |= {"DataDisk.1.Category": category, "DataDisk.1.Size": str(ASKED_GIB)}
    query |= {"DataDisk.1.PerformanceLevel": level} if level else {}
    sku = f"{category}.{level}" if level else category
    wanted = Wanted("disk", sku, "pay-as-you-go", "hour", quantity=Decimal(ASKED_GIB))
    return Question("ecs", "DescribePrice", query, (("", wanted),))


def _address(region: str) -> Question:
    modules = (("InternetTrafficOut", "1", "Usage"), ("InstanceRent", "1", "Hour"))
    wanted = (
        ("InternetTrafficOut", Wanted("internet-traffic", "", "pay-as-you-go", "use")),
        ("InstanceRent", Wanted("public-address", "", "pay-as-you-go", "hour")),
    )
    return Question("bss", "GetPayAsYouGoPrice", {**_product("eip", "PayAsYouGo", region), **_modules(modules)}, wanted)


def _database(region: str, name: str) -> Iterator[Question]:
    config = f"{name},EngineVersion:16.0,Engine:postgresql,Series:HighAvailability"
    wanted = ("DBInstanceClass", Wanted("database", name, "pay-as-you-go", "hour"))
    query = {**_product("rds", "PayAsYouGo", region), **_modules((("DBInstanceClass", config, "Hour"),))}
    yield Question("bss", "GetPayAsYouGoPrice", query, (wanted,))
    term = {"OrderType": "NewOrder", "ServicePeriodQuantity": "1", "ServicePeriodUnit": "Month", "Quantity": "1"}
    prepaid = ("DBInstanceClass", Wanted("database", name, "subscription", "month", term_months=1))
    query = {**_product("rds", "Subscription", region), **_modules((("DBInstanceClass", config, ""),)), **term}
    yield Question("bss", "GetSubscriptionPrice", query, (prepaid,))


def _product(code: str, subscription: str, region: str) -> dict[str, str]:
    return {"ProductCode": code, "SubscriptionType": subscription, "Region": region}


def _modules(asked: tuple[tuple[str, str, str], ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, (code, config, per) in enumerate(asked, 1):
        found[f"ModuleList.{number}.ModuleCode"] = code
        found[f"ModuleList.{number}.Config"] = f"{code}:{config}"
        if per:
            found[f"ModuleList.{number}.PriceType"] = per
    return found


# --- replies ---------------------------------------------------------------------------------------------------------
def read_prices(question: Question, reply: Reply, *, region: str, source: str) -> tuple[Price, ...]:
    """What the reply states; a module that it does not price stays UNKNOWN. Raises: ReplyError."""
    amounts, currency = _ecs(reply) if question.service == "ecs" else _bss(reply)
    return tuple(
        Price(
            item=wanted.item,
            sku=wanted.sku,
            regions=(region,),
            charge=wanted.charge,
            per=wanted.per,
            amount=amounts[module],
            quantity=wanted.quantity,
            term_months=wanted.term_months,
            currency=currency,
            source=source,
        )
        for module, wanted in question.prices
        if amounts.get(module, Decimal(0)) > 0
    )


def _ecs(reply: Reply) -> tuple[dict[str, Decimal], str]:
    """By the resource it is the price of; "" for the whole."""
    price = _inside(reply, "PriceInfo", "Price")
    found = {"": _amount(price.get("OriginalPrice"))}
    for detail in _list(price, "DetailInfos", "DetailInfo"):
        found[str(detail.get("Resource", ""))] = _amount(detail.get("OriginalPrice"))
    return found, str(price.get("Currency", ""))


def _bss(reply: Reply) -> tuple[dict[str, Decimal], str]:
    if not reply.get("Success", True):
        raise ReplyError(f"{reply.get('Code')}: {reply.get('Message')}")
    data = _inside(reply, "Data")
    details = _list(data, "ModuleDetails", "ModuleDetail")
    amounts = {str(one.get("ModuleCode")): _amount(one.get("OriginalCost")) for one in details}
    return amounts, str(data.get("Currency", ""))


def read_facts(replies: Mapping[str, Reply]) -> Facts:
    """By the action that was asked. Raises: ReplyError."""
    zones = _list(replies.get("DescribeZones", {}), "Zones", "Zone")
    images = _list(replies.get("DescribeImages", {}), "Images", "Image")
    newest = max(images, key=lambda image: str(image.get("CreationTime", "")), default=None)
    types = _list(replies.get("DescribeInstanceTypes", {}), "InstanceTypes", "InstanceType")
    return Facts(
        zones=tuple(sorted(str(zone["ZoneId"]) for zone in zones)),
        types=tuple(_type(found) for found in types),
        image=None if newest is None else str(newest["ImageId"]),
    )


def _type(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """In the form of types.yaml. Baseline bandwidth comes in kbit/s."""
    local = int(found.get("LocalStorageAmount") or 0)
    known: dict[str, Any] = {
        "type": str(found["InstanceTypeId"]),
        "vcpu": int(found["CpuCoreCount"]),
        "memory_gib": int(found["MemorySize"]),
        "drives": "local" if local else "cloud",
    }
    if local:
        known["local_drives"] = local
        known |= {"local_drive_gib": int(found["LocalStorageCapacity"])} if found.get("LocalStorageCapacity") else {}
    if found.get("InstanceBandwidthRx"):
        known["network_gbps"] = round(int(found["InstanceBandwidthRx"]) / 1_000_000, 3)
    return known


def _inside(reply: Reply, *path: str) -> Reply:
    node: Any = reply
    for part in path:
        if not isinstance(node, Mapping) or part not in node:
            raise ReplyError(f"the reply has no {'.'.join(path)}")
        node = node[part]
    if not isinstance(node, Mapping):
        raise ReplyError(f"{'.'.join(path)} of the reply is no object")
    return node


def _list(reply: Reply, outer: str, inner: str) -> list[Mapping[str, Any]]:
    """RPC replies wrap a list in an object of its own."""
    wrapped = reply.get(outer) or {}
    found = wrapped.get(inner, []) if isinstance(wrapped, Mapping) else wrapped
    return [one for one in found if isinstance(one, Mapping)]


def _amount(value: object) -> Decimal:
    """0 for what is no figure: a price of nothing is not taken over."""
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)
