"""`kakera admin`: format, status, drain, gc."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from kakera.base import errors, limits
from kakera.cli.terms import CONFIG, ConfigPath, Limit, Stop, load_config, load_store

admin = typer.Typer(no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="for programs")]
Now = Annotated[bool, typer.Option("--now", help="do it in this process, not at the background's leisure")]


@admin.command("format")
def format_(config: ConfigPath = CONFIG) -> None:
    """Make a new cluster on empty drives. Nothing happens, with exit code 0, when there is one already."""
    from kakera.segments.identity import format_drives

    settings = load_store(config)
    try:
        done = format_drives(settings)
    except errors.KakeraError as error:
        raise Stop(f"not formatted: {error.message}") from error
    except OSError as error:
        raise Stop(f"not formatted: {error.filename}: {error.strerror}") from error
    typer.echo("formatted" if done else "formatted already")


@admin.command()
def status(config: ConfigPath = CONFIG, as_json: Json = False) -> None:
    """What the committer says: readiness, epoch, journal, drives. Exit code 1 unless ready."""
    from kakera.cli.committer import status as ask

    found = ask(load_store(config))
    if as_json:
        typer.echo(json.dumps({name: getattr(found, name) for name in ("mode", "reason", "epoch", "floor", "drives")}))
    else:
        typer.echo(f"{found.mode}{': ' + found.reason if found.reason else ''}")
        typer.echo(f"epoch {found.epoch}, {len(found.chain)} journal segments, {found.commands} commands")
        for slot, state in sorted(found.drives.items(), key=lambda item: int(item[0])):
            typer.echo(f"drive {slot}: {state}")
    raise typer.Exit(0 if found.mode == "ready" else 1)


@admin.command()
def drain(
    config: ConfigPath = CONFIG, undo: Annotated[bool, typer.Option("--undo", help="take clients again")] = False
) -> None:
    """Say "draining" to balancers and go on serving: their clients go elsewhere, then the server may stop."""
    from kakera.assemble import Paths

    mark = Paths.of(load_config(config)).drain_mark
    try:
        if undo:
            mark.unlink(missing_ok=True)
        else:
            mark.touch()
    except OSError as error:
        raise Stop(f"{mark}: {error.strerror}: is the server running?") from error
    typer.echo("taking clients again" if undo else "draining")


@admin.command()
def gc(config: ConfigPath = CONFIG, now: Now = False, limit_s: Limit = limits.NOW_LIMIT_S) -> None:
    """Give back the space of what nothing refers to. Exit code 0: all of it; 1: some is left, or still in use."""
    from kakera.cli.now import run_loops

    if not now:
        raise Stop("the background process does this by itself; --now does it at once")
    run_loops(load_store(config), ("punch", "compact", "gc", "clean"), limit_s)
