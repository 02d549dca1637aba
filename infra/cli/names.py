"""What a name on the command line means: an environment, a blueprint of this repository, or a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from infra.blueprint.expand import expand, override
from infra.blueprint.load import load
from infra.blueprint.plan import Plan
from infra.cli.stop import Stop
from infra.engine.programs import CHECKOUT
from infra.engine.project import Project

BLUEPRINTS: Final = CHECKOUT / "blueprints"

Name = Annotated[str, typer.Argument(help="an environment, a blueprint of this repository, or the path of a file")]
Environment = Annotated[str, typer.Argument(help="an environment that `init` made, such as kakera-dev")]
Folder = Annotated[Path, typer.Option("--project", help="where environments/ lies", envvar="KAKERA_PROJECT")]
HERE: Final = CHECKOUT


@dataclass(frozen=True)
class Found:
    """A blueprint file, and the environment it is when it lies among a project's environments."""

    path: Path
    project: Project
    environment: str | None


def find(name: str, folder: Path) -> Found:
    """Raises: Stop with the known names."""
    project = Project(folder.absolute())
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        inside = path.absolute().parent == project.environments
        return Found(path, project, path.stem if inside else None)
    if project.blueprint(name).exists():
        return Found(project.blueprint(name), project, name)
    if (BLUEPRINTS / f"{name}.yaml").exists():
        return Found(BLUEPRINTS / f"{name}.yaml", project, None)
    known = ", ".join((*environments(project), *blueprints()))
    raise Stop(f"there is no environment or blueprint {name!r}; there are: {known}")


def find_environment(name: str, folder: Path) -> Found:
    """As `find`, for commands that need stacks. Raises: Stop."""
    found = find(name, folder)
    if found.environment is None:
        raise Stop(f"{name!r} is a blueprint, not an environment yet: run kakera-infra init {name}")
    return found


def plan_of(path: Path, *, port: int | None = None, workers: int | None = None) -> Plan:
    """Raises: BlueprintError with every problem of the file; Stop for a bad override."""
    try:
        return expand(override(load(path), port=port, workers=workers))
    except ValidationError as error:
        found = [f"{str(item['loc'][0]).upper()}: {item['msg'].lower()}" for item in error.errors()]
        raise Stop("; ".join(found)) from error


def blueprints() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in BLUEPRINTS.glob("*.yaml")))


def environments(project: Project) -> tuple[str, ...]:
    names = (path.stem for path in project.environments.glob("*.yaml"))
    return tuple(sorted(name for name in names if name != "prices" and "." not in name))  # stacks, usage
