"""`init`: from a blueprint to an environment of one's own, its stacks and its secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from infra.blueprint.edit import SettingError, edited, setting
from infra.blueprint.expand import expand
from infra.blueprint.load import parse
from infra.blueprint.plan import Plan, PlannedSecret
from infra.blueprint.stack import Mode
from infra.cli import local, show
from infra.cli.names import BLUEPRINTS, HERE, Folder, blueprints
from infra.cli.stop import Stop
from infra.engine import schemas
from infra.engine.programs import CHECKOUT
from infra.engine.project import DEFAULT_BACKEND, Project, StackName, account, new_secret, stacks
from infra.engine.session import Session
from infra.local.report import Reporter

PROVIDER: Final = "alicloud"


def init(
    blueprint: Annotated[str, typer.Argument(help="a blueprint of this repository")],
    *,
    name: Annotated[str, typer.Option(help="begins the name of everything that is made")] = "kakera",
    environment: Annotated[str, typer.Option(help="dev, staging or prod")] = "dev",
    settings: Annotated[list[str] | None, typer.Option("--set", help="field=value, as often as needed")] = None,
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
    home.make(backend=backend)
    schemas.write(home.environments)
    file.write_text(schemas.named(text, schemas.BLUEPRINT))
    reporter = Reporter()
    reporter.say(f"{file}")
    if local.is_local(plan):
        return
    mode: Mode = "rehearsal" if rehearsal else "real"
    session = Session.start(home, mode, os.environ)
    secrets = _Secrets(session, plan)
    for stack in (*stacks(plan), account(mode)):
        made = _make(session, stack, secrets, file=file, secrets_provider=secrets_provider)
        show.line(stack.name, made)
    reporter.say(f"next: kakera-infra check {file.stem}; kakera-infra preview {file.stem}")


def _chosen(blueprint: str) -> str:
    file = BLUEPRINTS / f"{blueprint}.yaml"
    if not file.exists():
        raise Stop(f"there is no blueprint {blueprint!r}; there are: {', '.join(blueprints())}")
    return file.read_text()


class _Secrets:
    """Each of the Plan's secrets has one value in all stacks that need it: the one a stack has, else a new one."""

    def __init__(self, session: Session, plan: Plan) -> None:
        self._session = session
        self._plan = plan
        self._values: dict[str, str] = {}

    def missing(self, stack: StackName) -> dict[str, str]:
        """Name -> value of what `stack` needs and has not."""
        wanted = [secret for secret in self._plan.secrets if stack.name in secret.stacks]
        present = self._present(stack.name)
        return {secret.name: self._value(secret) for secret in wanted if secret.name not in present}

    def _present(self, stack: str) -> Mapping[str, object]:
        if not self._session.project.stack_file(stack).exists():
            return {}
        return self._session.project.configuration(stack).get("kakera:secrets") or {}

    def _value(self, secret: PlannedSecret) -> str:
        if secret.name not in self._values:
            holders = [stack for stack in secret.stacks if secret.name in self._present(stack)]
            if holders:
                holder = self._session.stack(StackName(holders[0], ""))
                self._values[secret.name] = holder.secret(f"kakera:secrets.{secret.name}")
            else:
                self._values[secret.name] = new_secret()
        return self._values[secret.name]


def _make(session: Session, name: StackName, secrets: _Secrets, *, file: Path, secrets_provider: str) -> str:
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
    missing = secrets.missing(name)
    for secret, value in missing.items():
        stack.configure_secret(f"kakera:secrets.{secret}", value)
    schemas.mark(session.project.stack_file(name.name), schemas.STACK)
    return f"{name.part}, {session.mode}" + (f", {len(missing)} secrets written" if missing else "")
