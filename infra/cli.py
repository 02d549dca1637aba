"""The command line of the framework: `python -m infra.cli COMMAND BLUEPRINT`. Not part of the installed package."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from infra import checks, render
from infra.blueprint import plan as plans
from infra.blueprint.expand import expand, override
from infra.blueprint.load import BlueprintError, load
from infra.local import up as local
from infra.local.credentials import CredentialsError
from infra.local.hello import HelloError
from infra.local.places import Places
from infra.local.report import Reporter

ROOT = Path(__file__).resolve().parent.parent
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Name = Annotated[str, typer.Argument(help="a blueprint of this repository, or the path of one")]
Port = Annotated[int | None, typer.Option(help="instead of the blueprint's")]
Workers = Annotated[int | None, typer.Option(help="HTTP workers, instead of the blueprint's")]
Data = Annotated[Path | None, typer.Option(help="where drives, credentials and state are kept")]


class Stop(Exception):
    """Ends a command with a message and a non-zero exit code."""


@app.command()
def up(blueprint: Name, port: Port = None, workers: Workers = None, data: Data = None) -> None:
    """Run a blueprint of one host on this machine."""
    plan = _plan(blueprint, port=port, workers=workers)
    places = _places(plan.blueprint, data)
    reporter = Reporter()
    try:
        running = local.up(plan, places, kakera=(str(Path(sys.executable).parent / "kakera"),), reporter=reporter)
    except (local.UpError, CredentialsError, HelloError) as error:
        raise Stop(str(error)) from error
    except OSError as error:
        raise Stop(f"{error.filename or places.data}: {error.strerror}") from error
    reporter.running(running, places)


@app.command()
def down(blueprint: Name) -> None:
    """Stop it; the data stays."""
    reporter = Reporter()
    try:
        stopped = local.down(_places(_name(blueprint), None), reporter=reporter)
    except local.UpError as error:
        raise Stop(str(error)) from error
    reporter.say("stopped; the data stays" if stopped else "not running")


@app.command()
def status(blueprint: Name) -> None:
    """How it is; exit code 3 when it is not running."""
    places = _places(_name(blueprint), None)
    reporter = Reporter()
    try:
        plan = plans.parse(places.plan.read_text())
        found = local.state(places, local.only_host(plan))
    except (OSError, ValueError):
        found = None
    if found is None:
        reporter.say("not running")
        raise typer.Exit(3)
    reporter.say(f"{found.status} {found.reason}".strip())


@app.command(name="expand")
def print_plan(blueprint: Name, port: Port = None, workers: Workers = None) -> None:
    """Print the Plan."""
    print(plans.dump(_plan(blueprint, port=port, workers=workers)), end="")


@app.command()
def check(blueprint: Name) -> None:
    """Print every check's verdict; exit code 1 when one fails."""
    outcomes = checks.run(_plan(blueprint), today=datetime.date.today())
    for outcome in outcomes:
        print(f"{outcome.verdict:6} {outcome.check}: {outcome.detail}")
    if any(outcome.verdict is checks.Verdict.FAIL for outcome in outcomes):
        raise typer.Exit(1)


@app.command(name="render")
def print_settings(
    blueprint: Name,
    host: Annotated[str, typer.Option(help="which of the Plan's hosts")],
    data: Annotated[Path, typer.Option(help="the data root on that host, absolute")],
) -> None:
    """Print a host's server.toml."""
    try:
        print(render.server_toml(_plan(blueprint), host_name=host, data_root=str(data)), end="")
    except KeyError as error:
        raise Stop(f"the Plan has no host {host!r}") from error
    except ValueError as error:
        raise Stop(str(error)) from error


def _plan(blueprint: str, *, port: int | None = None, workers: int | None = None) -> plans.Plan:
    path = Path(blueprint)
    if path.suffix not in (".yaml", ".yml"):
        path = ROOT / "blueprints" / f"{blueprint}.yaml"
        if not path.exists():
            known = ", ".join(sorted(found.stem for found in (ROOT / "blueprints").glob("*.yaml")))
            raise Stop(f"there is no blueprint {blueprint!r}; there are: {known}")
    try:
        return expand(override(load(path), port=port, workers=workers))
    except BlueprintError as error:
        raise Stop(str(error)) from error
    except ValidationError as error:
        found = [f"{str(item['loc'][0]).upper()}: {item['msg'].lower()}" for item in error.errors()]
        raise Stop("; ".join(found)) from error


def _name(blueprint: str) -> str:
    """`down` and `status` must work when the blueprint no longer loads."""
    return Path(blueprint).stem


def _places(name: str, data: Path | None) -> Places:
    kept = data.expanduser() if data is not None else ROOT / "data" / name
    return Places(build=ROOT / "build" / name, data=kept.absolute())


def main() -> None:
    try:
        app()
    except Stop as stop:
        Reporter().fail(str(stop))
        sys.exit(1)


if __name__ == "__main__":
    main()
