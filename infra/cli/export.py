"""`export`: an environment in another tool's words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import local
from infra.cli.design import judged
from infra.cli.names import HERE, Folder, Name, find
from infra.cli.stop import Stop
from infra.export import configuration
from infra.export.program import ExportError
from infra.local.report import Reporter
from infra.rehearsal.metadata import Metadata

app = typer.Typer(no_args_is_help=True, help="An environment in another tool's words.")


@app.command()
def terraform(
    name: Name,
    out: Annotated[Path | None, typer.Option(help="the folder to write; build/NAME/terraform by default")] = None,
    account: Annotated[bool, typer.Option("--account", help="what an account needs once, instead")] = False,
    project: Folder = HERE,
) -> None:
    """Write Terraform's configuration of every stack: the same resources and references; secrets are variables."""
    found = find(name, project)
    plan = judged(found, quiet=True)
    if local.is_local(plan):
        raise Stop(f"{name}: has nothing in the cloud to export")
    try:
        files = (configuration.account if account else configuration.configuration)(plan, Metadata.load())
    except ExportError as error:
        raise Stop(str(error)) from error
    target = out or found.project.folder / "build" / found.path.stem / ("terraform-account" if account else "terraform")
    target.mkdir(parents=True, exist_ok=True)
    for stale in target.glob("*.tf.json"):  # of a region that is gone: Terraform would still read it
        stale.unlink()
    for file, text in files.items():
        (target / file).write_text(text)
    Reporter().say(f"{len(files)} files in {target}: terraform init && terraform plan")
