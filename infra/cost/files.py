"""The files that may lie beside a blueprint. Reads them, and writes what the cloud was asked.

`prices.yaml`: prices of one's own, which count most; `prices.REGION.yaml`: what `catalogue refresh` was told;
`NAME.usage.yaml`: what the environment NAME is used for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.blueprint import catalogue, typed
from infra.blueprint.load import BlueprintError
from infra.blueprint.prices import PriceBook, PriceFile
from infra.blueprint.problem import Problem
from infra.cost import usage
from infra.cost.questions import Facts

PRICES: Final = "prices.yaml"
ASKED: Final = "prices.{region}.yaml"
USAGE: Final = ".usage.yaml"


def book(blueprint: Path) -> PriceBook:
    """The prices that count for a blueprint file: one's own, what was asked, the catalogue's.

    Raises: BlueprintError with every problem of the files.
    """
    names = [blueprint.parent / PRICES, *sorted(blueprint.parent.glob(ASKED.format(region="*")))]
    found: list[PriceFile] = []
    problems: list[Problem] = []
    for file in names:
        try:
            found += [own_prices(file)] if file.exists() else []
        except BlueprintError as error:
            problems += error.problems
    if problems:
        raise BlueprintError(tuple(problems))
    return PriceBook((*found, catalogue.shipped().prices))


def own_prices(file: Path) -> PriceFile:
    """Raises: BlueprintError."""
    return typed.parse(_text(file), PriceFile, name=str(file))


def asked_text(region: str, file: PriceFile, facts: Facts) -> str:
    """The text of `prices.REGION.yaml`: one price a line, and what was said of the region in comments."""
    sources = {name: source.model_dump(mode="json") for name, source in file.sources.items()}
    lines = [
        "# Written by `kakera-infra catalogue refresh`: what the cloud said. Prices of your own go into prices.yaml.",
        f"sources: {json.dumps(sources, ensure_ascii=False)}",
        "prices:" if file.prices else "prices: []",
    ]
    lines += [f"  - {json.dumps(price.model_dump(mode='json', exclude_defaults=True))}" for price in file.prices]
    lines += [f"# What it said of {region}, in the form of infra/catalogue:"]
    lines += [f"#   zones: {json.dumps(facts.zones)}", f"#   image: {json.dumps(facts.image)}"]
    lines += [f"#   - {json.dumps(dict(found))}" for found in facts.types]
    return "\n".join(lines) + "\n"


def used(blueprint: Path, given: Path | None = None) -> usage.Usage:
    """What is `given`, else what lies beside the blueprint, else the default. Raises: BlueprintError."""
    file = given or blueprint.with_name(blueprint.stem + USAGE)
    if given is None and not file.exists():
        return usage.DEFAULT
    return usage.parse(_text(file), name=str(file))


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise BlueprintError((Problem(str(file), 1, 1, f"cannot be read: {error.strerror}"),)) from error
    except UnicodeDecodeError as error:
        raise BlueprintError((Problem(str(file), 1, 1, "is not UTF-8 text"),)) from error


@dataclass(frozen=True)
class Beside:
    """What lies beside a blueprint. `problems` of those files; where there are any, the shipped values stand in."""

    book: PriceBook
    usage: usage.Usage
    problems: tuple[Problem, ...] = ()


def beside(blueprint: Path) -> Beside:
    """Never raises: what is wrong is told together with all else that is wrong."""
    prices, use = PriceBook((catalogue.shipped().prices,)), usage.DEFAULT
    problems: list[Problem] = []
    try:
        prices = book(blueprint)
    except BlueprintError as error:
        problems += error.problems
    try:
        use = used(blueprint)
    except BlueprintError as error:
        problems += error.problems
    return Beside(prices, use, tuple(problems))
