"""What a person at the terminal sees."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from infra.local.places import Places
    from infra.local.up import Running


class Reporter:
    """Lines to a console; tests hand in one that writes to memory."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        self._console.print(f"[dim]kakera:[/dim] {escape(text)}")

    def warn(self, text: str) -> None:
        self._console.print(f"[bold yellow]kakera:[/bold yellow] {escape(text)}")

    def fail(self, text: str) -> None:
        self._console.print(f"[bold red]kakera:[/bold red] {escape(text)}")

    @contextlib.contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """A spinner on a terminal, nothing in a log."""
        with self._console.status(text) if self._console.is_terminal else contextlib.nullcontext():
            yield

    def running(self, running: Running, places: Places) -> None:
        """The end of a successful `up`."""
        if running.status == "read-only":
            self.warn(f"read-only: {running.reason}")
        greeting = running.greeting
        if greeting.written:
            self.say(f"wrote and read back an object of {greeting.size_bytes:,} bytes")
        elif greeting.size_bytes:
            self.say(f"read back the object of an earlier start, {greeting.size_bytes:,} bytes")
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_row("endpoint", running.endpoint)
        table.add_row("region", running.region)
        for name, account in running.accounts.items():
            table.add_row(f"{name} access key", account.access_key_id)
            table.add_row(f"{name} secret key", account.secret_access_key)
        table.add_row("data", str(places.data))
        table.add_row("log", str(places.log))
        self._console.print()
        self._console.print(table)
        self._console.print("\nTry it, line by line:\n")
        for line in _lines(running, places):
            self._console.print(f"  {escape(line)}", style="cyan")
        self._console.print()


def _lines(running: Running, places: Places) -> list[str]:
    programs = Path(sys.executable).parent  # the environment of the lock has awscli and boto3
    return [
        f"set -a; . {shlex.quote(str(places.credentials_env))}; set +a",
        f"{programs}/aws s3 ls s3://kakera-hello",
        # signature_version: in us-east-1 boto3 pre-signs URLs with version 2 unless it is told
        f"{programs}/python -c \"import boto3, botocore.config as c;"
        " s3 = boto3.client('s3', config=c.Config(signature_version='s3v4'));"
        " print(s3.list_buckets()['Buckets'])\"",
        f"rclone lsl --s3-provider Other --s3-env-auth --s3-region {running.region}"
        f" --s3-endpoint {running.endpoint} :s3:kakera-hello",
    ]
