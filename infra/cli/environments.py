"""`init`: from a blueprint to an environment of one's own, its stacks and its secrets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from infra.blueprint.edit import SettingError, edited, setting
from infra.blueprint.expand import expand
from infra.blueprint.load import parse
from infra.blueprint.stack import Mode
from infra.cli import local, show
from infra.cli.names import BLUEPRINTS, HERE, Folder, blueprints
from infra.cli.secrets import Secrets, given_secrets
from infra.cli.stop import Stop
from infra.engine import schemas
from infra.engine.programs import CHECKOUT
from infra.engine.project import DEFAULT_BACKEND, Project, StackName, account, stacks
from infra.engine.session import Session
from infra.local.report import Reporter

PROVIDER: Final = "alicloud"


def init(
    blueprint: Annotated[str, typer.Argument(help="a blueprint of this repository")],
    *,
    name: Annotated[str, typer.Option(help="begins the name of everything that is made")] = "kakera",
    environment: Annotated[str, typer.Option(help="dev, staging or prod")] = "dev",
    settings: Annotated[list[str] | None, typer.Option("--set", help="field=value, as often as needed")] = None,
    given: Annotated[
        list[str] | None, typer.Option("--secret", help="name=file: a secret that is yours to give, such as tls-key")
    ] = None,
    rehearsal: Annotated[bool, typer.Option("--rehearsal", help="play the cloud on this machine")] = False,
    backend: Annotated[str, typer.Option(help="where state lies: file://, s3:// or postgres://")] = DEFAULT_BACKEND,
    secrets_provider: Annotated[str, typer.Option(help="passphrase, or hashivault://KEY")] = "passphrase",
    project: Folder = HERE,
) -> None:
    """Write environments/NAME-ENVIRONMENT.yaml, its stack files and secrets. What is there stays."""
    home = Project(project.absolute())
    file = home.blueprint(f"{name}-{environment}")
    text = file.read_text() if file.exists() else _chosen(blueprint)
    own = {} if file.exists() else {"name": name, "environment": environment}
    try:
        text = edited(text, {**own, **dict(setting(words) for words in settings or ())})
    except SettingError as error:
        raise Stop(f"--set {error}") from error
    plan = expand(parse(text, name=str(file)))
    if plan.name != name or plan.environment != environment:
        raise Stop(f"{file} is for {plan.name}-{plan.environment}: name and environment are set by their own options")
    values = given_secrets(plan, given or ())
    home.make(backend=backend)
    schemas.write(home.environments)
    file.write_text(schemas.named(text, schemas.BLUEPRINT))
    reporter = Reporter()
    reporter.say(f"{file}")
    if local.is_local(plan):
        return
    mode: Mode = "rehearsal" if rehearsal else "real"
    session = Session.start(home, mode, os.environ)
    secrets = Secrets(session, plan, values)
    for stack in (*stacks(plan), account(mode)):
        made = _make(session, stack, secrets, file=file, secrets_provider=secrets_provider)
        show.line(stack.name, made)
    if secrets.awaited:
        reporter.warn(f"still to be given, by --secret NAME=FILE: {', '.join(sorted(secrets.awaited))}")
    reporter.say(f"next: kakera-infra check {file.stem}; kakera-infra preview {file.stem}")


def _chosen(blueprint: str) -> str:
    file = BLUEPRINTS / f"{blueprint}.yaml"
    if not file.exists():
        raise Stop(f"there is no blueprint {blueprint!r}; there are: {', '.join(blueprints())}")
    return file.read_text()


def _make(session: Session, name: StackName, secrets: Secrets, *, file: Path, secrets_provider: str) -> str:
    """The stack with its configuration; secrets that are there stay."""
    stack = session.stack(name)
    stack.make(secrets_provider=secrets_provider)
    path = file.relative_to(CHECKOUT) if file.is_relative_to(CHECKOUT) else file
    before = session.project.configuration(name.name)
    if (had := before.get("kakera:mode")) not in (None, session.mode):
        raise Stop(f"stack {name.name} was made for mode {had}: a stack never changes its mode; choose another name")
    stack.configure(
        {
            "kakera:blueprint": str(path),
            "kakera:part": name.part,
            "kakera:mode": session.mode,
            "pulumi:disable-default-providers[0]": PROVIDER,
        }
    )
    unwritten = secrets.unwritten(name)
    for secret, value in unwritten.items():
        stack.configure_secret(f"kakera:secrets.{secret}", value)
    schemas.mark(session.project.stack_file(name.name), schemas.STACK)
    return f"{name.part}, {session.mode}" + (f", {len(unwritten)} secrets written" if unwritten else "")
