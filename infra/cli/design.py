"""Commands that need no engine: what there is, what fits, whether it holds, what it becomes."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Annotated

import typer

from infra import checks
from infra import render as renders
from infra.blueprint import choose as choices
from infra.blueprint import plan as plans
from infra.blueprint.load import BlueprintError, Problem
from infra.blueprint.model import json_schema
from infra.blueprint.plan import Plan
from infra.cli import show
from infra.cli.names import BLUEPRINTS, HERE, Folder, Found, Name, blueprints, environments, find, plan_of
from infra.cli.stop import Stop
from infra.engine.project import Project, stacks
from infra.local.report import Reporter


def list_blueprints(project: Folder = HERE) -> None:
    """Blueprints to begin with, and the environments that were made."""
    rows = []
    for name in blueprints():
        plan = plan_of(BLUEPRINTS / f"{name}.yaml")
        regions = ", ".join(region.name for region in plan.regions) or "here"
        profile = f"{plan.profile.k}+{plan.profile.m}"
        rows.append((name, profile, plan.survive, str(len(plan.hosts)), regions, plan.summary))
    show.table(("blueprint", "profile", "survives", "hosts", "regions", "what"), rows)
    if made := environments(Project(project.absolute())):
        show.text("\nenvironments: " + ", ".join(made))


def choose(
    *,
    regions: Annotated[int | None, typer.Option(help="in how many regions data shall lie")] = None,
    survive: Annotated[str | None, typer.Option(help="what may be lost: drive, host, zone or region")] = None,
    capacity_tib: Annotated[int | None, typer.Option(help="what users may store, TiB")] = None,
    budget: Annotated[str | None, typer.Option(help="low, medium or high")] = None,
    onprem: Annotated[bool | None, typer.Option(help="whether own machines take part")] = None,
    public_read: Annotated[bool | None, typer.Option(help="whether the world reads")] = None,
) -> None:
    """Ask what is needed and recommend a blueprint, with reasons."""
    try:
        answers = choices.Answers(
            regions=regions if regions is not None else typer.prompt("Regions that hold data", default=1),
            survive=survive or typer.prompt("What may be lost: drive, host, zone or region", default="zone"),
            capacity_tib=capacity_tib if capacity_tib is not None else typer.prompt("TiB to store", default=10),
            budget=budget or typer.prompt("Budget: low, medium or high", default="medium"),
            onprem=onprem if onprem is not None else typer.confirm("Do machines of your own take part?", default=False),
            public_read=typer.confirm("Does the world read?", default=False) if public_read is None else public_read,
        )
    except ValueError as error:
        raise Stop(str(error)) from error
    found = choices.choose(answers)
    show.line(found.blueprint, f"size {found.size}")
    for reason in found.reasons:
        show.text(f"  because {reason}")
    for name, reason in found.rejected.items():
        show.text(f"  not {name}: {reason}")
    options = " ".join(f"--set {path}={value}" for path, value in found.settings.items())
    show.text(f"\nkakera-infra init {found.blueprint} {options}".rstrip())


def check(name: Name, project: Folder = HERE) -> None:
    """Print every check's verdict; exit code 2 when one fails."""
    found = find(name, project)
    judged(found, quiet=False)


def expand(name: Name, project: Folder = HERE) -> None:
    """Print the Plan."""
    print(plans.dump(plan_of(find(name, project).path)), end="")


def graph(
    name: Name,
    out: Annotated[Path | None, typer.Option(help="the SVG file; NAME.svg by default")] = None,
    project: Folder = HERE,
) -> None:
    """Draw the topology as SVG."""
    plan = plan_of(find(name, project).path)
    target = out or Path(f"{Path(name).stem}.svg")
    target.write_text(renders.picture(plan))
    Reporter().say(str(target))


def schema() -> None:
    """Print the JSON Schema of blueprint files, for editors."""
    print(json.dumps(json_schema(), indent=2))


def judged(found: Found, *, quiet: bool) -> Plan:
    """The Plan, when every field, check and secret is right. Raises: BlueprintError with all that is wrong, placed."""
    try:
        text = found.path.read_text()
    except OSError as error:
        raise BlueprintError((Problem(str(found.path), 1, 1, f"cannot be read: {error.strerror}"),)) from error
    review = checks.review(text, name=str(found.path), today=datetime.date.today())
    if not quiet:
        show.outcomes(review.outcomes)
    problems = list(review.problems)
    if review.plan is not None:
        problems += _missing_secrets(found, review.plan)
    if problems or review.plan is None:
        raise BlueprintError(tuple(problems))
    return review.plan


def _missing_secrets(found: Found, plan: Plan) -> list[Problem]:
    """For an environment: each stack file has the secrets that the Plan names."""
    if found.environment is None:
        return []
    problems = []
    for stack in stacks(plan):
        file = found.project.stack_file(stack.name)
        if not file.exists():
            problems.append(Problem(str(file), 1, 1, "is not there", hint=f"kakera-infra init makes it ({stack.part})"))
            continue
        present = found.project.configuration(stack.name).get("kakera:secrets") or {}
        rehearsal = found.project.mode(stack.name) == "rehearsal"
        problems += [
            Problem(str(file), 1, 1, finding.text, hint=finding.hint)
            for finding in checks.missing_secrets(plan, stack.name, present, rehearsal=rehearsal)
        ]
    return problems
