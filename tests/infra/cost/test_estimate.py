"""Estimates and their differences, with prices that are easy to add up; properties for any blueprint of the cloud."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings

from infra import cost
from infra.blueprint.catalogue import shipped as catalogue
from infra.blueprint.expand import expand
from infra.blueprint.model import Blueprint
from infra.blueprint.plan import Plan
from infra.blueprint.prices import ITEMS, PriceBook
from infra.cost import Usage
from infra.cost.demand import demands
from tests.infra.cloud_blueprints import SHIPPED, cloud_plan, clouds, shipped
from tests.infra.cost.book import FULL, book, prices

ONE_ZONE = {"name": "cn-hangzhou", "cidr": "10.20.0.0/16", "zones": ["cn-hangzhou-j"]}
EMPTY = PriceBook(())


def small(**fields: object) -> Plan:
    """One ECS host with six drives of 100 GiB and a system disk of 40, a NAT gateway, a bucket."""
    base = {"regions": [ONE_ZONE], "survive": "drive", "k": 4, "m": 2, "balancer": {"kind": "none"}}
    return cloud_plan(**{**base, **fields})


def month(found: cost.Estimate, item: str, sku: str = "") -> Decimal | None:
    return next(line.month for line in found.base if (line.demand.item, line.demand.sku) == (item, sku))


def test_a_month_adds_up() -> None:
    found = cost.estimate(small(), book=book(*FULL))
    assert month(found, "host", "ecs.g7.large") == Decimal("73")  # 730 hours
    assert month(found, "disk", "cloud_essd.PL1") == Decimal("64")  # 640 GiB
    assert month(found, "snapshot") == Decimal("6.18")  # half of 600 GiB, and 1 % of it for each of three days
    assert month(found, "nat-gateway") == Decimal("36.5")
    assert month(found, "internet-traffic") == Decimal("10")
    assert month(found, "bucket-requests", "get") == Decimal("1")  # a million, by ten thousands
    parts = ("73", "64", "6.18", "36.5", "36.5", "7.3", "10", "2", "1.1")
    assert found.total == cost.Total(sum(map(Decimal, parts), Decimal(0)), 0)
    assert found.of("kakera-dev-cn-hangzhou-j-storage-1") == cost.Total(Decimal(137), 0)


def test_what_has_no_price_is_unknown_and_never_nothing() -> None:
    found = cost.estimate(small(), book=EMPTY)
    assert found.total == cost.Total(Decimal(0), len(found.base)) and found.base
    assert all(line.month is None and line.why for line in found.lines)
    assert {cost.shown(line.month) for line in found.lines} == {"UNKNOWN"}
    assert all(choice.charge is None for choice in found.choices())


def test_one_price_is_missing_and_all_else_is_known() -> None:
    found = cost.estimate(small(), book=book(*(line for line in FULL if "snapshot" not in line)))
    assert found.total.unknown == 1
    assert [line.why for line in found.unknown] == ["snapshot in cn-hangzhou, pay-as-you-go, USD"]


def test_another_currency_is_named_and_not_converted() -> None:
    yuan = PriceBook((prices(*FULL, currency="CNY"),))
    found = cost.estimate(small(), book=yuan)
    assert found.total.known == 0
    assert found.unknown[0].why == "host ecs.g7.large in cn-hangzhou, pay-as-you-go, USD (known in CNY)"
    assert cost.estimate(small(), Usage(currency="CNY"), book=yuan).total.unknown == 0


def test_a_tier_reaches_as_far_as_it_says() -> None:
    tier = book("item: internet-traffic, per: use, amount: 0.1, most: 100")
    within, beyond = (Usage.model_validate({"traffic": {"internet_gib": gib}}) for gib in (100, 101))
    assert month(cost.estimate(small(), within, book=tier), "internet-traffic") == 10
    above = cost.estimate(small(), beyond, book=tier)
    assert month(above, "internet-traffic") is None
    whys = [line.why for line in above.unknown]
    assert "internet-traffic in cn-hangzhou, pay-as-you-go, USD, for so much of it" in whys


def test_another_region_has_prices_of_its_own() -> None:
    there = book(*(f"{line}, regions: [cn-beijing]" for line in FULL))
    assert cost.estimate(small(), book=there).total.known == 0


@pytest.mark.parametrize(
    ("months", "charge", "amount"),
    [
        (1, "subscription", "50"),  # a year of 480 for one month would cost more
        (9, "subscription", "50"),
        (10, "subscription", "48"),  # the whole year, 480, over ten months
        (12, "subscription", "40"),
        (13, "subscription", "50"),  # a second year, 960, would be 73.85 a month
    ],
)
def test_the_cheapest_term_for_the_months_of_use(months: int, charge: str, amount: str) -> None:
    found = cost.estimate(small(), Usage(months=months), book=book(*FULL))
    choice = next(choice for choice in found.choices() if choice.demand.item == "host")
    assert (choice.charge, choice.month) == (charge, Decimal(amount))
    assert choice.why == f"{amount}.00 a month over {months} month{'s' * (months > 1)}, against 73.00 pay-as-you-go"


def test_metered_is_cheapest_where_prepaid_costs_more() -> None:
    prepaid = "item: host, sku: ecs.g7.large, per: month, amount: 80, charge: subscription, term_months: 1"
    dear = book(FULL[0], prepaid)
    found = cost.estimate(small(), book=dear)
    assert next(choice for choice in found.choices() if choice.demand.item == "host").charge == "pay-as-you-go"
    assert next(row for row in found.comparisons() if row.charge == "subscription").saves == Decimal(-7)


def test_a_package_is_bought_whole_and_shared() -> None:
    """Three hosts with 640 GiB each need two packages of 1000, and each bears a third."""
    zones = {**ONE_ZONE, "zones": [f"cn-hangzhou-{zone}" for zone in "hjk"]}
    found = cost.estimate(small(regions=[zones]), book=book(*FULL))
    packed = [line.month for line in found.lines if line.demand.item == "disk" and line.charge == "package"]
    assert packed == [Decimal(20)] * 3
    row = next(row for row in found.comparisons() if row.charge == "package")
    assert (row.here, row.metered, row.saves) == (Decimal(60), Decimal(192), Decimal(132))
    assert row.comparable == 3 and row.resources > 3


def test_a_comparison_leaves_out_what_is_not_known_on_both_sides() -> None:
    found = cost.estimate(small(), book=book(FULL[0], FULL[4]))
    rows = {row.charge: row for row in found.comparisons()}
    assert rows["subscription"].comparable == 0 and rows["subscription"].resources == 2
    assert rows["package"].comparable == 0
    why = next(choice.why for choice in found.choices() if choice.demand.item == "host")
    assert why == "alone known; UNKNOWN: subscription"


def test_a_host_that_holds_data_is_never_on_spot() -> None:
    plan = small(gateways={"per_zone": 1, "instance_type": "ecs.c7.large"})
    spot = {line.demand.resource for line in cost.estimate(plan, book=EMPTY).lines if line.charge == "spot"}
    assert spot == {"kakera-dev-cn-hangzhou-j-gateway-1"}


def test_by_a_charge_type_what_has_no_price_so_is_counted_as_it_is_built() -> None:
    """One subscription is known, that of the host: 40 instead of 73."""
    found = cost.estimate(small(), book=book(*FULL))
    subscribed = cost.estimate(small(), book=book(*FULL)).by("subscription")
    assert sum(line.month or 0 for line in subscribed) == found.total.known - 33
    assert [line.demand for line in found.by("spot")] == [line.demand for line in found.base]


def test_the_cheapest_of_each_is_no_more_than_the_metered_sum() -> None:
    found = cost.estimate(small(), book=book(*FULL))
    assert found.cheapest().known == found.total.known - (73 - 40) - (64 - 30)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_blueprints_have_an_estimate(name: str) -> None:
    found = cost.estimate(expand(shipped(name)), book=catalogue().book)
    assert bool(found.base) == (name != "laptop")
    assert found.total.known > 0 or name == "laptop"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(clouds())
def test_any_blueprint(blueprint: Blueprint) -> None:
    """Every demand has lines, no line is counted twice, and two estimates of the same are equal."""
    plan = expand(blueprint)
    found = cost.estimate(plan, book=book(*FULL))
    keys = [demand.key for demand in demands(plan, cost.DEFAULT)]
    assert len(set(keys)) == len(keys) == len(found.base)
    assert all(line.demand.quantity > 0 and line.charge in ITEMS[line.demand.item].charges for line in found.lines)
    assert found.total.unknown == len(found.unknown)
    assert found == cost.estimate(plan, book=book(*FULL))
    assert cost.difference(found, found).changes == ()
    hosts = {host.name for host in plan.hosts if host.machine is not None}
    assert hosts <= {demand[1] for demand in keys}


# --- differences -----------------------------------------------------------------------------------------------------
def test_the_difference_of_two_plans_in_money() -> None:
    old = cost.estimate(small(), book=book(*FULL))
    new = cost.estimate(small(storage={"drive_gib": 200}, network={"nat": False}), book=book(*FULL))
    found = cost.difference(old, new)
    rows = {(row.change, row.demand.item): row.delta for row in found.changes}
    assert rows["changed", "disk"] == Decimal(60)
    assert rows["changed", "snapshot"] == Decimal("6.18")
    assert rows["removed", "nat-gateway"] == Decimal("-36.5")
    assert found.known == new.total.known - old.total.known and found.unknown == 0


def test_a_change_of_what_has_no_price_is_unknown() -> None:
    lacking = book(*(line for line in FULL if "disk" not in line))
    old, new = (cost.estimate(small(storage={"drive_gib": gib}), book=lacking) for gib in (100, 200))
    found = cost.difference(old, new)
    assert found.unknown == 1 and found.known == Decimal("6.18")
    assert [row.delta for row in found.changes if row.demand.item == "disk"] == [None]


def test_two_currencies_cannot_be_compared() -> None:
    old, new = (cost.estimate(small(), Usage(currency=name), book=EMPTY) for name in ("USD", "CNY"))
    with pytest.raises(ValueError, match="USD and CNY"):
        cost.difference(old, new)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "UNKNOWN"),
        ("0", "0.00"),
        ("0.004", "0.004"),
        ("1234.567", "1,234.57"),
        ("-3", "-3.00"),
        ("-0.001", "-0.001"),
    ],
)
def test_money_as_it_is_shown(amount: str | None, text: str) -> None:
    assert cost.shown(None if amount is None else Decimal(amount)) == text
