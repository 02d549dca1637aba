"""Everything that is wrong with a blueprint, in one go: what it says, and what its Plan would be. Pure."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from infra.blueprint.expand import expand
from infra.blueprint.load import BlueprintError, parse, placed
from infra.blueprint.model import Blueprint
from infra.blueprint.plan import Plan
from infra.blueprint.problem import Problem
from infra.checks.outcome import Check, Outcome, Verdict
from infra.checks.policies import Resource, judged
from infra.checks.table import run

Graph = Callable[[Plan], Iterable[Resource]]  # every resource that the program asks for, with no cloud to ask


@dataclass(frozen=True)
class Review:
    """`plan` is there when the text can be read as it is; `problems` in the order of the file, empty when all holds.

    `places`: for each outcome, each of its findings in the file, also of what was waived or is UNKNOWN and so no
    problem. `unread`: what is wrong with the text itself, which is among the problems too.
    """

    plan: Plan | None
    outcomes: tuple[Outcome, ...]
    problems: tuple[Problem, ...]
    places: tuple[tuple[Problem, ...], ...] = ()
    unread: tuple[Problem, ...] = ()


def review(
    text: str,
    *,
    name: str,
    today: datetime.date,
    informed: Mapping[str, Check] = MappingProxyType({}),
    beside: tuple[Problem, ...] = (),
    graph: Graph | None = None,
) -> Review:
    """Judge the text of a blueprint; `name` stands in messages for the file. Never raises for what the text holds.

    A text with errors is judged as it was probably meant, so that the checks on its Plan speak in the same run.
    `informed`: as in `run`; `beside`: what is wrong with the files that informed them. `graph`: what the program asks
    for, of which the policies speak; it is run once nothing else fails, for it is made of Plans that can be built.
    """
    problems: tuple[Problem, ...] = beside
    blueprint: Blueprint | None
    try:
        blueprint = parse(text, name=name)
    except BlueprintError as error:
        blueprint, problems = error.draft, (*error.problems, *beside)
    if blueprint is None:
        return Review(None, (), problems, unread=problems)
    plan = expand(blueprint)
    outcomes = run(plan, today=today, informed=informed, draft=bool(problems))
    if graph is not None and plan.regions and not problems and not any(map(_failed, outcomes)):
        outcomes = (*outcomes, *judged(graph(plan)))
    found = iter(placed(text, name=name, found=tuple(one for outcome in outcomes for one in outcome.findings)))
    places = tuple(tuple(itertools.islice(found, len(outcome.findings))) for outcome in outcomes)
    failed = tuple(
        replace(problem, message=f"{outcome.check}: {problem.message}")
        for outcome, at in zip(outcomes, places, strict=True)
        if _failed(outcome)
        for problem in at
    )
    together = sorted((*problems, *failed), key=lambda problem: (problem.path != name, problem.line, problem.column))
    return Review(None if problems else plan, outcomes, tuple(together), places, problems)


def _failed(outcome: Outcome) -> bool:
    return outcome.verdict is Verdict.FAIL
