"""A blueprint of one host, run on the machine it is typed on (docs/adr/0002)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from infra.blueprint import plan as plans
from infra.blueprint.plan import Plan
from infra.cli.names import HERE, Folder, Name
from infra.cli.stop import FAILED, NOT_RUNNING, Stop
from infra.local import up as runs
from infra.local.credentials import CredentialsError
from infra.local.hello import HelloError
from infra.local.places import Places
from infra.local.report import Reporter


def is_local(plan: Plan) -> bool:
    """Whether no cloud is needed: the Plan names no region to build in."""
    return not plan.regions


def run(plan: Plan, name: str, *, folder: Path, data: Path | None) -> None:
    """Start it, and greet it with a first object. Raises: Stop."""
    places = places_of(name, folder, data)
    reporter = Reporter()
    try:
        running = runs.up(plan, places, kakera=(str(Path(sys.executable).parent / "kakera"),), reporter=reporter)
    except (runs.UpError, CredentialsError, HelloError) as error:
        raise Stop(str(error), FAILED) from error
    except OSError as error:
        raise Stop(f"{error.filename or places.data}: {error.strerror}", FAILED) from error
    reporter.running(running, places)


def down(name: Name, project: Folder = HERE) -> None:
    """Stop a store on this machine; the data stays."""
    reporter = Reporter()
    try:
        stopped = runs.down(places_of(name, project, None), reporter=reporter)
    except runs.UpError as error:
        raise Stop(str(error), FAILED) from error
    reporter.say("stopped; the data stays" if stopped else "not running")


def status(name: Name, project: Folder = HERE) -> None:
    """How a store on this machine is; exit code 3 when it is not running."""
    places = places_of(name, project, None)
    reporter = Reporter()
    try:
        plan = plans.parse(places.plan.read_text())
        found = runs.state(places, runs.only_host(plan))
    except (OSError, ValueError):
        found = None
    if found is None:
        reporter.say("not running")
        raise typer.Exit(NOT_RUNNING)
    reporter.say(f"{found.status} {found.reason}".strip())


Data = Annotated[Path | None, typer.Option(help="where drives, credentials and state are kept")]


def places_of(name: str, folder: Path, data: Path | None) -> Places:
    """By the file's name alone: `down` and `status` must work when the blueprint no longer loads."""
    stem = Path(name).stem
    kept = data.expanduser() if data is not None else folder / "data" / stem
    return Places(build=folder.absolute() / "build" / stem, data=kept.absolute())
