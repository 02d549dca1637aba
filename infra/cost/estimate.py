"""An estimate: one line a resource and charge type, what is known of the sum, and what each resource is cheapest by.

Pure. Money is Decimal and never rounded before it is shown; what has no price is UNKNOWN and counted, never zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from infra.blueprint.plan import Plan
from infra.blueprint.prices import HOURS_A_MONTH, ITEMS, Charge, Price, PriceBook
from infra.cost.demand import Demand, demands
from infra.cost.usage import DEFAULT, Usage

CHARGES: Final[tuple[Charge, ...]] = ("pay-as-you-go", "subscription", "spot", "package")
CENT: Final = Decimal("0.01")


@dataclass(frozen=True)
class Line:
    """What a demand costs in an average month by one charge type; None: UNKNOWN, and `why` says what is missing.

    `quantity` in units of the price: hours for what is priced by the hour.
    """

    demand: Demand
    charge: Charge
    quantity: Decimal
    unit: str
    price: Price | None
    month: Decimal | None
    why: str = ""


@dataclass(frozen=True)
class Total:
    """Of an average month: what is known, and of how many lines nothing is."""

    known: Decimal
    unknown: int


@dataclass(frozen=True)
class Choice:
    """What a resource costs least by, among what is known; `charge` None where nothing is."""

    demand: Demand
    charge: Charge | None
    month: Decimal | None
    why: str


@dataclass(frozen=True)
class Comparison:
    """One charge type against pay-as-you-go, over those resources of which both prices are known."""

    charge: Charge
    resources: int  # that can be had by it
    comparable: int
    here: Decimal
    metered: Decimal

    @property
    def saves(self) -> Decimal:
        """A month; negative when it costs more."""
        return self.metered - self.here


@dataclass(frozen=True)
class Estimate:
    plan: str
    currency: str
    months: int
    lines: tuple[Line, ...]

    @property
    def base(self) -> tuple[Line, ...]:
        """One line a demand, as the framework builds it: metered, and prepaid only where nothing else is sold."""
        return tuple(line for line in self.lines if line.charge == line.demand.charges[0])

    @property
    def total(self) -> Total:
        return total(self.base)

    @property
    def unknown(self) -> tuple[Line, ...]:
        """What the total lacks."""
        return tuple(line for line in self.base if line.month is None)

    def of(self, resource: str) -> Total:
        """Of everything of one resource, by its name in the Plan."""
        return total(line for line in self.base if line.demand.resource == resource)

    def by(self, charge: Charge) -> tuple[Line, ...]:
        """One line a demand: by this charge type where its price is known, else as the framework builds it."""
        wanted = {line.demand.key: line for line in self.lines if line.charge == charge and line.month is not None}
        return tuple(wanted.get(line.demand.key, line) for line in self.base)

    def choices(self) -> tuple[Choice, ...]:
        """For each demand that can be had by more than one charge type."""
        groups: dict[tuple[str, str, str, str], list[Line]] = {}
        for line in self.lines:
            groups.setdefault(line.demand.key, []).append(line)
        return tuple(_choice(group, self.months) for group in groups.values() if len(group) > 1)

    def comparisons(self) -> tuple[Comparison, ...]:
        metered = {line.demand.key: line.month for line in self.lines if line.charge == "pay-as-you-go"}
        return tuple(_comparison(charge, self.lines, metered) for charge in CHARGES[1:])

    def cheapest(self) -> Total:
        """With each resource by what it is cheapest by, among what is known."""
        chosen = {choice.demand.key: choice.month for choice in self.choices()}
        months = [chosen.get(line.demand.key, line.month) for line in self.base]
        known = [month for month in months if month is not None]
        return Total(sum(known, Decimal(0)), len(months) - len(known))


def estimate(plan: Plan, usage: Usage = DEFAULT, *, book: PriceBook) -> Estimate:
    """What the Plan costs in an average month of `usage.months`, 730 hours each, at the prices of `book`."""
    found = demands(plan, usage)
    lines = [_line(demand, charge, usage, book=book, pool=found) for demand in found for charge in demand.charges]
    return Estimate(plan.name + "-" + plan.environment, usage.currency, usage.months, tuple(lines))


def total(lines: Iterable[Line]) -> Total:
    found = tuple(lines)
    known = [line.month for line in found if line.month is not None]
    return Total(sum(known, Decimal(0)), len(found) - len(known))


def _line(demand: Demand, charge: Charge, usage: Usage, *, book: PriceBook, pool: tuple[Demand, ...]) -> Line:
    found = book.find(demand.item, demand.sku, region=demand.region, charge=charge, currency=usage.currency)
    found = tuple(price for price in found if price.most is None or demand.quantity <= price.most)
    unit = ITEMS[demand.item].unit
    if not found:
        return Line(demand, charge, demand.quantity, unit, None, None, _missing(demand, charge, usage, book=book))
    # A package serves all of its kind in a region: it is bought for their sum, and each bears its share.
    shared = sum((other.quantity for other in pool if _together(demand, other)), Decimal(0))
    quantity = shared if charge == "package" else demand.quantity
    price = min(found, key=lambda candidate: _month(candidate, quantity, usage.months))
    month = _month(price, quantity, usage.months) * demand.quantity / quantity
    by_hour = price.per == "hour" and price.term_months is None
    metered = demand.quantity * HOURS_A_MONTH if by_hour else demand.quantity
    return Line(demand, charge, metered, f"{unit}-hours" if by_hour else unit, price, month)


def _together(one: Demand, other: Demand) -> bool:
    return (one.item, one.sku, one.region) == (other.item, other.sku, other.region)


def _month(price: Price, quantity: Decimal, months: int) -> Decimal:
    """Of what is prepaid, whole packs and whole terms are bought, used up or not."""
    if price.term_months is not None:
        packs, terms = math.ceil(quantity / price.quantity), math.ceil(Decimal(months) / price.term_months)
        return price.amount * packs * terms / months
    hours = HOURS_A_MONTH if price.per == "hour" else 1
    return price.amount * quantity * hours / price.quantity


def _missing(demand: Demand, charge: Charge, usage: Usage, *, book: PriceBook) -> str:
    sku = f" {demand.sku}" if demand.sku else ""
    known = book.currencies(demand.item, demand.sku, region=demand.region, charge=charge)
    if usage.currency in known:
        return f"{demand.item}{sku} in {demand.region}, {charge}, {usage.currency}, for so much of it"
    elsewhere = f" (known in {', '.join(known)})" if known else ""
    return f"{demand.item}{sku} in {demand.region}, {charge}, {usage.currency}{elsewhere}"


def _choice(group: list[Line], months: int) -> Choice:
    known = sorted((line for line in group if line.month is not None), key=lambda line: line.month or Decimal(0))
    others = [line.charge for line in group if line.month is None]
    demand = group[0].demand
    if not known:
        return Choice(demand, None, None, "no price is known")
    best = known[0]
    if len(known) == 1:
        return Choice(demand, best.charge, best.month, f"alone known; UNKNOWN: {', '.join(others)}")
    plural = "s" if months > 1 else ""
    against = ", ".join(f"{shown(line.month)} {line.charge}" for line in known[1:])
    why = f"{shown(best.month)} a month over {months} month{plural}, against {against}"
    return Choice(demand, best.charge, best.month, why + (f"; UNKNOWN: {', '.join(others)}" if others else ""))


def _comparison(
    charge: Charge, lines: tuple[Line, ...], metered: dict[tuple[str, str, str, str], Decimal | None]
) -> Comparison:
    offered = [line for line in lines if line.charge == charge]
    pairs = [(line.month, metered.get(line.demand.key)) for line in offered]
    both = [(here, there) for here, there in pairs if here is not None and there is not None]
    here, there = (sum((pair[side] for pair in both), Decimal(0)) for side in (0, 1))
    return Comparison(charge, len(offered), len(both), here, there)


def shown(amount: Decimal | None) -> str:
    """To the cent, and UNKNOWN for what is not known. What is less than a cent is not shown as nothing."""
    if amount is None:
        return "UNKNOWN"
    if 0 < abs(amount) < CENT:
        return f"{amount:f}"
    return f"{amount.quantize(CENT):,}"
