"""Everything that is wrong with a blueprint, in one go: what it says, and what its Plan would be. Pure."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from infra.blueprint.expand import expand
from infra.blueprint.load import BlueprintError, parse, placed
from infra.blueprint.model import Blueprint
from infra.blueprint.plan import Plan
from infra.blueprint.problem import Problem
from infra.blueprint.references import Finding
from infra.checks.outcome import Outcome, Verdict
from infra.checks.table import run


@dataclass(frozen=True)
class Review:
    """`plan` is there when the text can be read as it is; `problems` in the order of the file, empty when all holds."""

    plan: Plan | None
    outcomes: tuple[Outcome, ...]
    problems: tuple[Problem, ...]


def review(text: str, *, name: str, today: datetime.date) -> Review:
    """Judge the text of a blueprint; `name` stands in messages for the file. Never raises for what the text holds.

    A text with errors is judged as it was probably meant, so that the checks on its Plan speak in the same run.
    """
    problems: tuple[Problem, ...] = ()
    blueprint: Blueprint | None
    try:
        blueprint = parse(text, name=name)
    except BlueprintError as error:
        blueprint, problems = error.draft, error.problems
    if blueprint is None:
        return Review(None, (), problems)
    plan = expand(blueprint)
    outcomes = run(plan, today=today)
    found = tuple(
        Finding(f"{outcome.check}: {finding.text}", finding.where, finding.hint)
        for outcome in outcomes
        if outcome.verdict is Verdict.FAIL
        for finding in outcome.findings
    )
    together = (*problems, *placed(text, name=name, found=found))
    ordered = tuple(sorted(together, key=lambda problem: (problem.line, problem.column)))
    return Review(None if problems else plan, outcomes, ordered)
