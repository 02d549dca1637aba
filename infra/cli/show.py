"""What the cloud commands print: tables, progress, one line a stack."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from infra.checks import Outcome, Verdict
from infra.engine.stacks import Kept
from infra.render import KNOWN_AFTER_UP

_COLOURS: Final = {Verdict.PASS: "green", Verdict.FAIL: "bold red", Verdict.WAIVED: "yellow"}
_console = Console(highlight=False, soft_wrap=True)
_LOG_WIDTH: Final = 160  # of a log, which has no width of its own: names are found whole by a search


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        made.add_column(heading, overflow="fold")
    for row in rows:
        made.add_row(*(escape(cell) for cell in row))
    _console.print(made, width=None if _console.is_terminal else _LOG_WIDTH)


def text(words: str) -> None:
    _console.print(escape(words))


def line(name: str, words: str) -> None:
    _console.print(f"[bold]{escape(name)}[/bold]  {escape(words)}")


def outcomes(found: Iterable[Outcome]) -> None:
    for outcome in found:
        colour = _COLOURS[outcome.verdict]
        _console.print(f"[{colour}]{outcome.verdict:6}[/{colour}] {outcome.check}: {escape(outcome.detail)}")


def kept(stack: str, resources: tuple[Kept, ...]) -> None:
    """What `destroy` left, and why each is there."""
    if not resources:
        return
    _console.print(f"[bold]{escape(stack)}[/bold]  left: {len(resources)} (protected, or needed by what is)")
    rows = (("protected" if found.protected else "needed", found.type, found.name, found.id) for found in resources)
    table(("why", "type", "name", "id"), rows)


def files(rendered: Mapping[str, str]) -> None:
    waiting = sum(KNOWN_AFTER_UP in content for content in rendered.values())
    text(f"renders {len(rendered)} files, of which {waiting} wait for what only the cloud knows ({KNOWN_AFTER_UP})")


@contextlib.contextmanager
def progress(title: str) -> Iterator[Callable[[str], None]]:
    """A moving line on a terminal; in a log nothing but the result."""
    if not _console.is_terminal:
        yield lambda step: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_console, transient=True) as shown:
        task = shown.add_task(title, total=None)
        yield lambda step: shown.update(task, description=f"{title}: {step}", advance=1)
