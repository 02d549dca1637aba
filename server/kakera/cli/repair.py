"""`kakera repair`: what only an operator may decide."""

from __future__ import annotations

import fcntl
import os
from typing import Annotated

import typer

from kakera.base import errors, limits
from kakera.cli.terms import CONFIG, ConfigPath, Limit, Stop, load_store

repair = typer.Typer(no_args_is_help=True)
Slot = Annotated[int, typer.Argument(help="number of the drive in server.toml, from 0")]
Now = Annotated[bool, typer.Option("--now", help="do it in this process")]


@repair.command("replace-drive")
def replace_drive(slot: Slot, config: ConfigPath = CONFIG) -> None:
    """The folder of this slot holds a new, empty drive: take it. What the old one held is healed onto it."""
    from kakera.segments import identity

    settings = load_store(config)
    if not 0 <= slot < len(settings.drives):
        raise Stop(f"there is no drive {slot}: they are numbered 0 to {len(settings.drives) - 1}")
    try:
        found = identity.replace_drive(settings, slot)
    except errors.KakeraError as error:
        raise Stop(f"not replaced: {error.message}") from error
    except OSError as error:
        raise Stop(f"not replaced: {error.filename}: {error.strerror}") from error
    typer.echo(f"drive {slot} is now {found.drive} (generation {found.generation}); heal begins by itself")


@repair.command("rebuild-index")
def rebuild_index(config: ConfigPath = CONFIG) -> None:
    """Throw the index away; the next start makes it again from the journal (R4). The server must be stopped."""
    from kakera.assemble import Paths
    from kakera.index.file import discard

    paths = Paths.of(load_store(config))
    paths.make_private()
    lock = os.open(paths.lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        discard(str(paths.database))
    except BlockingIOError as error:
        raise Stop("the committer runs: stop the server first") from error
    finally:
        os.close(lock)
    typer.echo("the index is gone; `kakera serve` makes it again from the journal")


@repair.command()
def heal(config: ConfigPath = CONFIG, now: Now = False, limit_s: Limit = limits.NOW_LIMIT_S) -> None:
    """Read everything, and bring every segment back to full redundancy."""
    from kakera.cli.now import run_loops

    if not now:
        raise Stop("the background process does this by itself; --now does it at once")
    run_loops(load_store(config), ("census", "scrub", "heal"), limit_s)
