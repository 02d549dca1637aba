"""`python -m infra.rehearsal`: look at a rehearsal's cloud, change it by hand, and let things go wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.rehearsal.cloud import Cloud
from infra.rehearsal.faults import Fault, FaultKind, Faults
from infra.rehearsal.refusal import Refusal

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
Folder = Annotated[
    Path,
    typer.Option(envvar="KAKERA_REHEARSAL_DIR", exists=True, file_okay=False, help="the rehearsal's folder"),
]
Region = Annotated[str, typer.Argument(help="a region, such as cn-hangzhou")]


@app.command("list")
def list_(folder: Folder, region: Annotated[str, typer.Option(help="only this one")] = "") -> None:
    """Everything that lives in the cloud, a line each, and what is set to go wrong."""
    for thing in Cloud(folder).things(region):
        typer.echo(f"{thing.region}  {thing.id}  {thing.type}  {thing.name}")
    weather = Faults(folder).weather()
    for dark in sorted(weather.off):
        typer.echo(f"{dark} is switched off")
    for awaited in weather.faults:
        matchers = (awaited.operation, awaited.type, awaited.name, awaited.region)
        typer.echo(f"{awaited.count} to come: {awaited.kind} {' '.join(filter(None, matchers))}".rstrip())


@app.command()
def drift(
    folder: Folder,
    identity: Annotated[str, typer.Argument(metavar="ID")],
    changes: Annotated[list[str], typer.Argument(metavar="NAME=JSON...", help="null takes a property away")],
) -> None:
    """Change a resource behind the engine's back: drift vsw-1 'description="by hand"'."""
    with _refusing():
        Cloud(folder).drift(identity, dict(_assignment(text) for text in changes))


@app.command()
def vanish(folder: Folder, identity: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Delete a resource behind the engine's back, whatever needs it."""
    with _refusing():
        Cloud(folder).vanish(identity)


@app.command()
def off(folder: Folder, region: Region) -> None:
    """Let every call to a region's cloud fail."""
    Faults(folder).switch_off(region)


@app.command()
def on(folder: Folder, region: Region) -> None:
    """Let a region's cloud answer again."""
    Faults(folder).switch_on(region)


@app.command()
def fault(
    folder: Folder,
    kind: FaultKind,
    *,
    count: Annotated[int, typer.Option(min=1, help="how many calls")] = 1,
    operation: Annotated[str, typer.Option(help="create, read, update or delete; else all")] = "",
    type_: Annotated[str, typer.Option("--type", help="a type, or its last word; else all")] = "",
    name: Annotated[str, typer.Option(help="the resource's name in the program; else all")] = "",
    region: Annotated[str, typer.Option(help="else all")] = "",
) -> None:
    """Let calls go wrong."""
    Faults(folder).add(Fault(kind, count, operation, type_, name, region))


@app.command()
def calm(folder: Folder) -> None:
    """Let nothing go wrong any more: every region on, every fault gone."""
    Faults(folder).clear()


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} is no NAME=JSON")
    try:
        return name, json.loads(value)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: {error}: a text needs quotes, as in 'name=\"text\"'") from error


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except Refusal as refusal:
        typer.echo(f"kakera rehearsal: {refusal}", err=True)
        raise typer.Exit(2) from refusal


if __name__ == "__main__":
    app()
