"""What a blueprint costs, and the prices that are known: `cost`, `catalogue refresh`."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from infra import cost as costs
from infra import render as renders
from infra.blueprint import catalogue as known_catalogue
from infra.blueprint.catalogue import Catalogue
from infra.blueprint.load import BlueprintError, Problem
from infra.blueprint.plan import Plan
from infra.blueprint.prices import ITEMS
from infra.blueprint.values import WORD_PATTERN
from infra.cli import show
from infra.cli.names import HERE, Folder, Name, find, plan_of
from infra.cli.stop import Stop
from infra.cost import Demand, Difference, Estimate, Line, Usage, ask, files, shown
from infra.cost.questions import Facts

catalogue = typer.Typer(no_args_is_help=True, help="What is known of the cloud.")
Format = Literal["text", "json"]
Site = Literal["china", "international"]


def cost(
    name: Name,
    *,
    usage: Annotated[Path | None, typer.Option(help="what it is used for; by default NAME.usage.yaml")] = None,
    against: Annotated[str | None, typer.Option(help="another environment, blueprint or file: the difference")] = None,
    format: Annotated[Format, typer.Option(help="text, or json for programs")] = "text",
    svg: Annotated[Path | None, typer.Option(help="draw a month by each charge type into this file")] = None,
    project: Folder = HERE,
) -> None:
    """Estimate a month: list prices of the catalogue, UNKNOWN where no price is known."""
    problems: list[Problem] = []
    found = _estimate(name, usage, project, problems)
    old = _estimate(against, usage, project, problems) if against is not None else None
    if problems or found is None:
        raise BlueprintError(tuple(problems))
    try:
        change = costs.difference(old, found) if old is not None else None
    except ValueError as error:
        raise Stop(f"{error}: give one --usage for both") from error
    if svg is not None:
        _write(svg, renders.cost_chart(found))
    if format == "json":
        print(json.dumps(_document(found, change), indent=2))
        return
    _table(found)
    _charges(found)
    if change is not None:
        _changes(found.plan, change)


@catalogue.command()
def refresh(
    region: Annotated[str, typer.Option(help="id of the region, such as cn-hangzhou")],
    site: Annotated[Site, typer.Option(help="of the account: its price list and currency")] = "international",
    types: Annotated[list[str] | None, typer.Option("--type", help="default: those of the catalogue")] = None,
    project: Folder = HERE,
) -> None:
    """Ask the cloud for zones, types, image and list prices of a region, into prices.REGION.yaml. Needs an account."""
    if not re.fullmatch(WORD_PATTERN, region):
        raise Stop(f"--region {region!r} is no id of a region, such as cn-hangzhou")
    known = known_catalogue.shipped()
    wanted = tuple(types or (found.type for found in known.types))
    try:
        call = ask.client(ask.Endpoints.of(region, site=site))
        with show.progress(f"asking {region}") as told:
            answers = ask.ask(call, region, wanted, today=datetime.date.today(), told=told)
    except ask.AskError as error:
        raise Stop(str(error)) from error
    target = project.absolute() / "environments" / files.ASKED.format(region=region)
    target.parent.mkdir(parents=True, exist_ok=True)
    _write(target, files.asked_text(region, answers.file, answers.facts))
    for line in answers.refused:
        show.text(f"  not told: {line}")
    for line in _news(known, region, answers.facts):
        show.text(f"  the catalogue differs: {line}")
    show.text(f"{len(answers.file.prices)} prices in {target}")


def _news(known: Catalogue, region: str, facts: Facts) -> Iterator[str]:
    """What the cloud said and the catalogue does not: for a person to judge and move there."""
    if facts.zones and set(facts.zones) != set(known.zones(region)):
        yield f"zones of {region}: {', '.join(facts.zones)}"
    if facts.image and facts.image != known.image:
        yield f"the newest image is {facts.image}"
    for found in facts.types:
        entry = known.type(str(found["type"]))
        for field, value in found.items():
            before = getattr(entry, field, None)
            if before != value:
                yield f"{found['type']}: {field} is {value}, not {'UNKNOWN' if before is None else before}"


def _estimate(name: str, usage: Path | None, project: Path, problems: list[Problem]) -> Estimate | None:
    """None when something is wrong, which is then among the problems: all files are read before any is told."""
    path = find(name, project).path
    plan: Plan | None = None
    used: Usage | None = None
    book = None
    try:
        plan = plan_of(path)
    except BlueprintError as error:
        problems += error.problems
    try:
        used = files.used(path, usage)
    except BlueprintError as error:
        problems += (problem for problem in error.problems if problem not in problems)
    try:
        book = files.book(path)
    except BlueprintError as error:
        problems += (problem for problem in error.problems if problem not in problems)
    if plan is None or used is None or book is None:
        return None
    return costs.estimate(plan, used, book=book)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as error:
        raise Stop(f"{file} cannot be written: {error.strerror}") from error


# --- as text ---------------------------------------------------------------------------------------------------------
def _table(found: Estimate) -> None:
    """A row for what is alike: `NAME (and 5 more)` is six resources."""
    show.text(f"{found.plan}: a month of 730 hours, {found.months} months of use. List prices, an estimate.\n")
    show.table(("part", "resource", "what", "quantity", "unit", "unit price", found.currency), _rows(found))
    total = found.total
    more = f", and {total.unknown} of {len(found.base)} lines UNKNOWN" if total.unknown else ""
    show.text(f"\na month: {shown(total.known)} {found.currency}{more}")
    for why in dict.fromkeys(line.why for line in found.unknown):
        show.text(f"  UNKNOWN: no price of {why}")
    if total.unknown:
        show.text("  kakera-infra catalogue refresh asks the cloud; or write them into prices.yaml beside it")


def _rows(found: Estimate) -> Iterator[tuple[str, ...]]:
    groups: dict[tuple[object, ...], list[Line]] = {}
    for line in found.base:
        demand = line.demand
        groups.setdefault((demand.part, demand.item, demand.sku, demand.region, line.quantity), []).append(line)
    for lines in groups.values():
        first = lines[0]
        demand = first.demand
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        quantity = sum((line.quantity for line in lines), Decimal(0))
        month = None if first.month is None else sum((line.month or Decimal(0) for line in lines), Decimal(0))
        what = f"{ITEMS[demand.item].title} {demand.sku}".rstrip()
        name = _short(found.plan, demand) + more
        yield demand.part, name, what, f"{quantity.normalize():,f}", first.unit, _price(first), shown(month)


def _short(plan: str, demand: Demand) -> str:
    """The name without what every name of this part begins with."""
    return demand.resource.removeprefix(f"{plan}-").removeprefix(f"{demand.part}-")


def _price(line: Line) -> str:
    """As the source states it."""
    if line.price is None:
        return "UNKNOWN"
    return str(line.price.amount) + (f" for {line.price.quantity:f}" if line.price.quantity != 1 else "")


def _charges(found: Estimate) -> None:
    """Which charge type is cheapest for the stated months, and why, among what is known."""
    show.text(f"\nby charge type, over {found.months} months:")
    for row in found.comparisons():
        if row.comparable:
            words = "saves" if row.saves >= 0 else "costs more by"
            text = f"{words} {shown(abs(row.saves))} {found.currency} a month on {row.comparable} of {row.resources}"
        else:
            text = f"cannot be compared: of none of the {row.resources} that can be had so are both prices known"
        show.text(f"  {row.charge}: {text}" if row.resources else f"  {row.charge}: nothing can be had so")
    for choice in found.choices():
        if choice.charge is not None and not choice.why.startswith("alone"):
            demand = choice.demand
            show.text(f"  {demand.resource}, {ITEMS[demand.item].title}: {choice.charge}: {choice.why}")
    best = found.cheapest()
    more = f", and {best.unknown} lines UNKNOWN" if best.unknown else ""
    show.text(f"  each by what is known to be cheapest: {shown(best.known)} {found.currency} a month{more}")


def _changes(plan: str, change: Difference) -> None:
    show.text("\nagainst the other:")
    rows = (
        (
            found.change,
            found.demand.part,
            _short(plan, found.demand),
            f"{ITEMS[found.demand.item].title} {found.demand.sku}".rstrip(),
            "" if found.change == "added" else shown(found.before),
            "" if found.change == "removed" else shown(found.after),
            _signed(found.delta),
        )
        for found in change.changes
    )
    show.table(("change", "part", "resource", "what", "before", "now", change.currency), rows)
    more = f", and {change.unknown} changes UNKNOWN" if change.unknown else ""
    show.text(f"\nmore a month: {_signed(change.known)} {change.currency}{more}")


def _signed(amount: Decimal | None) -> str:
    return shown(amount) if amount is None or amount <= 0 else f"+{shown(amount)}"


# --- as JSON ---------------------------------------------------------------------------------------------------------
def _document(found: Estimate, change: Difference | None) -> dict[str, Any]:
    """Amounts are text, so that no reader rounds them; null: UNKNOWN."""
    document: dict[str, Any] = {
        "plan": found.plan,
        "currency": found.currency,
        "months": found.months,
        "total": {"known": str(found.total.known), "unknown": found.total.unknown},
        "cheapest": {"known": str(found.cheapest().known), "unknown": found.cheapest().unknown},
        "lines": [_line(line) for line in found.lines],
        "choices": [
            {
                "part": choice.demand.part,
                "resource": choice.demand.resource,
                "item": choice.demand.item,
                "charge": choice.charge,
                "month": _money(choice.month),
                "why": choice.why,
            }
            for choice in found.choices()
        ],
    }
    if change is not None:
        document["difference"] = {
            "known": str(change.known),
            "unknown": change.unknown,
            "changes": list(_changed(change)),
        }
    return document


def _line(line: Line) -> dict[str, Any]:
    demand = line.demand
    return {
        "part": demand.part,
        "region": demand.region,
        "resource": demand.resource,
        "item": demand.item,
        "sku": demand.sku,
        "charge": line.charge,
        "quantity": str(line.quantity),
        "unit": line.unit,
        "unit_price": _money(line.price.amount if line.price else None),
        "month": _money(line.month),
        "unknown": line.why,
    }


def _changed(change: Difference) -> Iterable[dict[str, Any]]:
    for found in change.changes:
        yield {
            "change": found.change,
            "part": found.demand.part,
            "resource": found.demand.resource,
            "item": found.demand.item,
            "sku": found.demand.sku,
            "before": _money(found.before),
            "after": _money(found.after),
            "delta": _money(found.delta),
        }


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
