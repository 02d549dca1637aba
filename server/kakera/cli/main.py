"""`kakera`: the command line of the server. Commands import what they need when they run."""

from __future__ import annotations

import os
import socket
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kakera.cli.admin import admin
from kakera.cli.doctor import doctor
from kakera.cli.repair import repair
from kakera.cli.terms import CONFIG, WRONG_CONFIG, ConfigPath, Stop, load_config
from kakera.config import Config, ConfigError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(admin, name="admin", help="Format the drives, ask the committer, start background work.")
app.add_typer(repair, name="repair", help="Replace a drive, rebuild the index, heal now.")
app.command("doctor")(doctor)


class Process(StrEnum):
    COMMITTER = "committer"
    HTTP = "http"
    BACKGROUND = "background"


@app.command()
def serve(
    config: ConfigPath = CONFIG,
    only: Annotated[Process | None, typer.Option(help="one of the three processes, unsupervised (for systemd)")] = None,
) -> None:
    """Run the server: committer, HTTP workers and background process under one supervisor."""
    from kakera.assemble import Paths

    settings = load_config(config)
    path = str(config.resolve())
    sys.stdout.flush()
    if only in (None, Process.HTTP):
        _take_clients(Paths.of(settings).drain_mark)
    if only is not None:
        os.execv(sys.executable, [sys.executable, "-m", "kakera.cli.process", only.value, "--config", path])
    for place in filter(None, (settings.server.listen, settings.server.health_listen)):
        host, _, port = place.rpartition(":")
        _require_free(host.strip("[]"), int(port))
    _require_tls(settings)
    # Replaced by a process without the command line's libraries: the supervisor lives as long as the server does.
    drain_s = str(settings.http.graceful_timeout_s)
    os.execv(sys.executable, [sys.executable, "-m", "kakera.cli.supervise", path, drain_s])


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench() -> None:
    """Where the benchmark is: it needs the sources, not the installed package."""
    raise Stop("the benchmark lives in the source tree: make bench (ENDPOINT= for another server)")


def _take_clients(drain_mark: Path) -> None:
    """A server that is started is meant to serve. Not in the http process: it also begins in the place of one that
    died while it was draining. Raises: Stop."""
    try:
        drain_mark.unlink(missing_ok=True)
    except OSError as error:
        raise Stop(f"{drain_mark}: {error.strerror}") from error


def _require_free(host: str, port: int) -> None:
    """A taken port is said at once instead of again and again by a child. Raises: Stop."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Stop(f"cannot listen on {host}:{port}: {error.strerror}") from error


def _require_tls(settings: Config) -> None:
    """Likewise a certificate that cannot be used. Raises: Stop."""
    if settings.tls is None:
        return
    from kakera.edge.tls import server_context

    try:
        server_context(settings.tls)
    except ConfigError as error:
        raise Stop(str(error), WRONG_CONFIG) from error


def main() -> None:
    """The console script. Errors that are the user's end in one line, not in a traceback."""
    try:
        app()
    except Stop as stop:
        sys.stderr.write(f"kakera: {stop}\n")
        sys.exit(stop.code)


if __name__ == "__main__":
    main()
