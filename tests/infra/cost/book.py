"""A book of invented prices for tests, easy to add up by heart: they are no prices of anybody."""

from __future__ import annotations

from infra.blueprint import typed
from infra.blueprint.prices import PriceBook, PriceFile

SOURCE = "sources: {page: {title: t, at: 'https://example.com/p', date: 2026-11-27}}\n"


def prices(*lines: str, currency: str = "USD") -> PriceFile:
    """Each line the fields of a price without what all have: `item: nlb, per: hour, amount: 1`."""
    common = f"currency: {currency}, source: page"
    rows = [f"  - {{{line}, {common}{'' if 'regions' in line else ', regions: [all]'}}}\n" for line in lines]
    return typed.parse(SOURCE + ("prices:\n" + "".join(rows) if rows else ""), PriceFile, name="prices.yaml")


def book(*lines: str) -> PriceBook:
    return PriceBook((prices(*lines),))


FULL = (
    "item: host, sku: ecs.g7.large, per: hour, amount: 0.1",
    "item: host, sku: ecs.g7.large, per: month, amount: 50, charge: subscription, term_months: 1",
    "item: host, sku: ecs.g7.large, per: month, amount: 480, charge: subscription, term_months: 12",
    "item: disk, sku: cloud_essd.PL1, per: month, amount: 0.1",
    "item: disk, sku: cloud_essd.PL1, per: month, amount: 30, quantity: 1000, charge: package, term_months: 1",
    "item: snapshot, per: month, amount: 0.02",
    "item: nat-gateway, per: hour, amount: 0.05",
    "item: nat-capacity, per: hour, amount: 0.05",
    "item: public-address, per: hour, amount: 0.01",
    "item: internet-traffic, per: use, amount: 0.1",
    "item: bucket-storage, sku: Standard.LRS, per: month, amount: 0.02",
    "item: bucket-requests, sku: put, per: use, amount: 0.01",
    "item: bucket-requests, sku: get, per: use, amount: 0.01",
)
