"""The commands in one list, and how they end: 0 done, 1 failed, 2 bad input, 3 not running."""

from __future__ import annotations

import os
import sys

import typer

from infra.blueprint.load import BlueprintError
from infra.cli import cloud, cost, design, environments, export, local
from infra.cli.stop import Stop
from infra.engine.environment import DOUBTFUL
from infra.engine.programs import EngineError
from infra.local.report import Reporter

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From a blueprint to an environment: choose, init, check, preview, up, render, destroy.",
)
for command in (
    design.list_blueprints, design.choose, environments.init, design.check, design.expand, design.graph, design.schema,
    cost.cost,
    cloud.preview, cloud.up, cloud.render, cloud.refresh, cloud.failover, cloud.destroy, cloud.bootstrap, cloud.shell,
    local.down, local.status,
):  # fmt: skip
    app.command(name=command.__name__.removesuffix("_blueprints"))(command)


app.add_typer(export.app, name="export")
app.add_typer(cost.catalogue, name="catalogue")


def main() -> None:
    # Left over from a rehearsal in the same shell, these would decide what a real run talks to (P7).
    for name in DOUBTFUL:
        os.environ.pop(name, None)
    try:
        app()
    except Stop as stop:
        Reporter().fail(str(stop))
        sys.exit(stop.code)
    except BlueprintError as error:
        Reporter().fail(str(error))
        sys.exit(2)
    except EngineError as error:
        Reporter().fail(str(error))
        sys.exit(1)
