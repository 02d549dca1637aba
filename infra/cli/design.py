"""Commands that need no engine: what there is, what fits, whether it holds, what it becomes."""

from __future__ import annotations

import datetime
import json
from enum import StrEnum
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
from infra.checks import Review
from infra.cli import show
from infra.cli.names import BLUEPRINTS, HERE, Folder, Found, Name, blueprints, environments, find, plan_of
from infra.cli.stop import BAD_INPUT, Stop
from infra.cost import files
from infra.engine.project import Project, stacks
from infra.export.graph import resources
from infra.export.program import ExportError
from infra.local.report import Reporter


class Style(StrEnum):
    """How `check` speaks."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


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


def check(
    name: Name,
    style: Annotated[
        Style, typer.Option("--format", help="text; json, versioned; sarif: 2.1.0, for hosts of code")
    ] = Style.TEXT,
    out: Annotated[Path | None, typer.Option(help="a file to write it to, instead of the terminal")] = None,
    project: Folder = HERE,
) -> None:
    """Say every check's verdict; exit code 2 when one fails."""
    if style is Style.TEXT and out is None:
        judged(find(name, project), quiet=False)
        return
    review, more = _looked_at(name, project)
    match style:
        case Style.TEXT:
            text = show.plain(review.outcomes, (*review.problems, *more))
        case Style.JSON:
            text = checks.as_json(review, blueprint=name, more=more)
        case Style.SARIF:
            text = checks.as_sarif(review, root=str(Path.cwd()), more=more)
    _put(text, out)
    if review.problems or more:
        if out is not None:
            count = len(review.problems) + len(more)
            show.complain(f"{count} problem{'s' if count != 1 else ''}; see {out}")
        raise typer.Exit(BAD_INPUT)


def _looked_at(name: str, folder: Path) -> tuple[Review, tuple[Problem, ...]]:
    """What is there to say of it, whatever is wrong: a name that nothing has is a problem among the others."""
    try:
        found = find(name, folder)
        review = reviewed(found)
    except Stop as stop:
        return Review(None, (), ()), (Problem(name, 1, 1, str(stop)),)
    except BlueprintError as error:
        return Review(None, (), ()), error.problems
    return review, tuple(_missing_secrets(found, review.plan)) if review.plan is not None else ()


def _put(text: str, out: Path | None) -> None:
    """Raises: Stop when the file cannot be written."""
    if out is None:
        print(text, end="")
        return
    try:
        out.write_text(text)
    except OSError as error:
        raise Stop(f"{out} cannot be written: {error.strerror}") from error


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
    """The Plan, when every field, check and secret is right. Raises: BlueprintError with all that is wrong, placed.

    `quiet`: of the verdicts only what is not known is shown, for it stops nothing and would go unseen.
    """
    review = reviewed(found)
    if quiet:
        show.doubts(review.outcomes)
    else:
        show.outcomes(review.outcomes)
    problems = list(review.problems)
    if review.plan is not None:
        problems += _missing_secrets(found, review.plan)
    if problems or review.plan is None:
        raise BlueprintError(tuple(problems))
    return review.plan


def reviewed(found: Found) -> Review:
    """All there is to say of its text, and of the resources it becomes. Raises: BlueprintError when it cannot be read;
    Stop when the program cannot be run without a cloud."""
    try:
        text = found.path.read_text()
    except OSError as error:
        raise BlueprintError((Problem(str(found.path), 1, 1, f"cannot be read: {error.strerror}"),)) from error
    except UnicodeDecodeError as error:
        raise BlueprintError((Problem(str(found.path), 1, 1, "is not UTF-8 text"),)) from error
    known = files.beside(found.path)
    try:
        return checks.review(
            text,
            name=str(found.path),
            today=datetime.date.today(),
            informed={"cost-ceiling": checks.ceiling(known.book, known.usage)},
            beside=known.problems,
            graph=resources,
        )
    except ExportError as error:
        raise Stop(str(error)) from error


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
