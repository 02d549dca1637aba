"""The check on what a month costs. Pure: prices and usage are arguments; without them those that the release ships."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra import cost
from infra.blueprint import catalogue
from infra.blueprint.plan import Plan
from infra.blueprint.prices import PriceBook
from infra.blueprint.references import Finding
from infra.checks.outcome import Check
from infra.cost import Estimate, Usage

WHERE: Final = ("max_monthly", "amount")
NAMED: Final = 6  # of the prices that are missing; the command names them all
ASK: Final = (
    "kakera-infra catalogue refresh asks the cloud; or write the price into prices.yaml beside the environment, "
    "or leave max_monthly out"
)


def cost_ceiling(plan: Plan) -> Iterator[Finding]:
    """A month costs no more than `max_monthly`, where it is set."""
    yield from _judged(plan, catalogue.shipped().book, cost.DEFAULT)


def ceiling(book: PriceBook, usage: Usage) -> Check:
    """The same check, by prices and a usage of one's own."""

    def informed(plan: Plan) -> Iterator[Finding]:
        yield from _judged(plan, book, usage)

    return informed


def _judged(plan: Plan, book: PriceBook, usage: Usage) -> Iterator[Finding]:
    if plan.max_monthly is None:
        return
    limit = plan.max_monthly
    found = cost.estimate(plan, usage.model_copy(update={"currency": limit.currency}), book=book)
    total = found.total
    if total.known > limit.amount:
        more = f", and {total.unknown} prices are UNKNOWN" if total.unknown else ""
        text = f"a month costs {cost.shown(total.known)} {limit.currency}{more}; max_monthly is {limit.amount:,}"
        yield Finding(text, WHERE, f"dearest: {_dearest(found)}; kakera-infra cost shows all")
    elif total.unknown:
        missing = tuple(dict.fromkeys(line.why for line in found.unknown))
        named = "; ".join(missing[:NAMED]) + (f"; and {len(missing) - NAMED} more" if len(missing) > NAMED else "")
        text = f"a month's cost cannot be known: no price of {named}; known: {cost.shown(total.known)} {limit.currency}"
        yield Finding(text, WHERE, ASK)


def _dearest(found: Estimate) -> str:
    ordered = sorted((line for line in found.base if line.month is not None), key=lambda line: -(line.month or 0))
    return ", ".join(f"{line.demand.resource} {line.demand.item} {cost.shown(line.month)}" for line in ordered[:3])
