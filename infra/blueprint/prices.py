"""Prices as values: what is charged for, in which unit, and the books that prices are looked up in. Pure.

A price that no source states is in no book: it is UNKNOWN, never zero and never a guess.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from infra.blueprint.values import Frozen

Charge = Literal["pay-as-you-go", "subscription", "spot", "package"]
Per = Literal["hour", "month", "use"]
ANYWHERE: Final = "all"  # as a region: the source states one price for every region
UNKNOWN: Final = "UNKNOWN"
HOURS_A_MONTH: Final = 730


class Source(Frozen):
    """Where an entry was read, and when."""

    title: str
    at: str = Field(pattern=r"^[a-z]+://\S+$", description="address of the page or of the interface that said it")
    date: datetime.date = Field(description="the day it was read, YYYY-MM-DD")


@dataclass(frozen=True)
class Kind:
    """What is charged for: for as long as it is there (`lasting`), or by the amount that is used."""

    title: str
    unit: str
    basis: Literal["lasting", "used"]
    charges: tuple[Charge, ...]


_PAYG: Final[tuple[Charge, ...]] = ("pay-as-you-go",)
_SUBSCRIBED: Final[tuple[Charge, ...]] = ("pay-as-you-go", "subscription")
_PACKED: Final[tuple[Charge, ...]] = ("pay-as-you-go", "package")
ITEMS: Final[Mapping[str, Kind]] = {
    "host": Kind("ECS instance", "instance", "lasting", ("pay-as-you-go", "subscription", "spot")),
    "disk": Kind("cloud disk", "GiB", "lasting", ("pay-as-you-go", "subscription", "package")),
    "snapshot": Kind("snapshots", "GiB", "lasting", _PACKED),
    "nat-gateway": Kind("NAT gateway", "gateway", "lasting", _PACKED),
    "nat-capacity": Kind("NAT gateway, capacity", "CU", "lasting", _PACKED),
    "public-address": Kind("public address (EIP)", "address", "lasting", _PAYG),
    "internet-traffic": Kind("traffic to the Internet", "GiB", "used", _PACKED),
    "nlb": Kind("balancer (NLB)", "instance", "lasting", _PAYG),
    "nlb-capacity": Kind("balancer (NLB), capacity", "LCU", "lasting", _PACKED),
    "alb": Kind("balancer (ALB)", "instance", "lasting", _PAYG),
    "alb-capacity": Kind("balancer (ALB), capacity", "LCU", "lasting", _PACKED),
    "clb": Kind("balancer (CLB)", "instance", "lasting", _PAYG),
    "clb-capacity": Kind("balancer (CLB), capacity", "LCU", "lasting", _PACKED),
    "bucket-storage": Kind("OSS storage", "GiB", "lasting", _PACKED),
    "bucket-requests": Kind("OSS requests", "10,000 requests", "used", _PAYG),
    "bucket-traffic": Kind("OSS traffic to the Internet", "GiB", "used", _PACKED),
    "bucket-replication": Kind("OSS replication between regions", "GiB", "used", _PAYG),
    "bucket-retrieval": Kind("OSS retrieval", "GiB", "used", _PAYG),
    "database": Kind("RDS instance", "instance", "lasting", _SUBSCRIBED),
    "database-storage": Kind("RDS storage", "GiB", "lasting", _SUBSCRIBED),
    "vpn-gateway": Kind("VPN gateway", "gateway", "lasting", _PAYG),
    "cen-attachment": Kind("CEN, attachment of a VPC", "connection", "lasting", _PAYG),
    "cen-processing": Kind("CEN, data forwarded", "GiB", "used", _PAYG),
    "cen-traffic": Kind("CEN, traffic between regions", "GiB", "used", _PAYG),
    "log-ingest": Kind("logs taken in (SLS)", "GiB", "used", _PACKED),
    "log-storage": Kind("logs kept (SLS)", "GiB", "lasting", _PAYG),
    "cdn-traffic": Kind("CDN traffic", "GiB", "used", _PACKED),
    "kms-instance": Kind("KMS instance", "instance", "lasting", _SUBSCRIBED),
    "traffic-manager": Kind("Global Traffic Manager", "instance", "lasting", ("subscription",)),
}


class Price(Frozen):
    """`amount` buys `quantity` units: for an hour, a month or a use, or prepaid for whole terms of `term_months`."""

    item: str = Field(description="what is charged for: " + ", ".join(ITEMS))
    sku: str = Field(default="", description="which of its kind: an instance type, a disk category with its level")
    regions: tuple[str, ...] = Field(min_length=1, description="ids of regions, or `all` where one price is stated")
    charge: Charge = Field(default="pay-as-you-go", description="pay-as-you-go, subscription, spot or package")
    per: Per = Field(description="hour, month or use")
    amount: Decimal = Field(
        gt=0, allow_inf_nan=False, description="a price that is not known is left out, and is then UNKNOWN"
    )
    quantity: Annotated[Decimal, Field(gt=0, allow_inf_nan=False, description="how many units `amount` buys")] = (
        Decimal(1)
    )
    term_months: Annotated[
        int | None, Field(strict=True, ge=1, le=60, description="prepaid for so many months; left out: metered")
    ] = None
    most: Annotated[
        Decimal | None, Field(gt=0, description="units a month up to which it holds (a tier); beyond: UNKNOWN")
    ] = None
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="three letters, such as USD")
    source: str = Field(description="a name under `sources`")
    note: str = ""

    @model_validator(mode="after")
    def _makes_sense(self) -> Price:
        kind = ITEMS.get(self.item)
        if kind is None:
            raise _wrong(f"nothing called {self.item!r} is charged for", f"one of: {', '.join(ITEMS)}")
        if self.charge not in kind.charges:
            raise _wrong(f"{self.item} is not charged by {self.charge}", f"one of: {', '.join(kind.charges)}")
        if (kind.basis == "lasting") == (self.per == "use"):
            remedy = "use" if kind.basis == "used" else "hour or month"
            raise _wrong(f"{self.item} is not priced per {self.per}", remedy)
        if (self.charge in ("subscription", "package")) != (self.term_months is not None):
            raise _wrong(f"term_months does not fit charge {self.charge}", "what is prepaid has a term, nothing else")
        return self

    @property
    def key(self) -> tuple[str, str, Charge, str, int | None]:
        return self.item, self.sku, self.charge, self.currency, self.term_months


def _wrong(text: str, hint: str) -> PydanticCustomError:
    return PydanticCustomError("price", "{text}", {"text": text, "hint": hint})


class PriceFile(Frozen):
    """A file of prices: the shipped one, or `prices.yaml` beside an environment."""

    sources: dict[str, Source] = Field(default={}, description="name: title, at (its address) and date")
    prices: tuple[Price, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> PriceFile:
        seen: set[tuple[object, ...]] = set()
        for number, price in enumerate(self.prices):
            if price.source not in self.sources:
                known = ", ".join(self.sources) or "none"
                raise _at(number, f"there is no source {price.source!r}", f"sources: {known}")
            for region in price.regions:
                key = (*price.key, region)
                if key in seen:
                    raise _at(number, f"a second price of {price.item} in {region}", "one is enough")
                seen.add(key)
        return self


def _at(number: int, text: str, hint: str) -> PydanticCustomError:
    return PydanticCustomError("price", "{text}", {"where": ("prices", number), "text": text, "hint": hint})


@dataclass(frozen=True)
class PriceBook:
    """Files of prices, the one that counts more first."""

    files: tuple[PriceFile, ...]

    def find(self, item: str, sku: str, *, region: str, charge: Charge, currency: str) -> tuple[Price, ...]:
        """All terms of the first file that knows it; a price of the region itself before one of all regions."""
        for file in self.files:
            found = [price for price in file.prices if (price.item, price.sku, price.charge) == (item, sku, charge)]
            found = [price for price in found if price.currency == currency]
            for place in (region, ANYWHERE):
                if here := tuple(price for price in found if place in price.regions):
                    return here
        return ()

    def currencies(self, item: str, sku: str, *, region: str, charge: Charge) -> tuple[str, ...]:
        """In which currencies it is known."""
        found = (price for price in self._all() if (price.item, price.sku, price.charge) == (item, sku, charge))
        return tuple(sorted({price.currency for price in found if {region, ANYWHERE} & set(price.regions)}))

    def source(self, price: Price) -> Source:
        return next(file.sources[price.source] for file in self.files if price in file.prices)

    def _all(self) -> Iterable[Price]:
        return (price for file in self.files for price in file.prices)
