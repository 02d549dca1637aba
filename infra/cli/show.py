"""What the cloud commands print: tables, progress, one line a stack."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from infra.blueprint.problem import Problem
from infra.checks import Outcome, Verdict
from infra.engine.stacks import Stack, Summary
from infra.render import KNOWN_AFTER_UP

_COLOURS: Final = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.WAIVED: "yellow",
    Verdict.UNKNOWN: "magenta",
}
_console = Console(highlight=False, soft_wrap=True)
_LOG_WIDTH: Final = 160  # of a log, which has no width of its own: names are found whole by a search


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        made.add_column(heading, overflow="fold")
    for row in rows:
        made.add_row(*(escape(cell) for cell in row))
    (_console if _console.is_terminal else Console(width=_LOG_WIDTH, highlight=False)).print(made)


def text(words: str) -> None:
    _console.print(escape(words))


def line(name: str, words: str) -> None:
    _console.print(f"[bold]{escape(name)}[/bold]  {escape(words)}")


def outcomes(found: Iterable[Outcome]) -> None:
    """A line for each; of what is not known, the remedies below it."""
    for outcome in found:
        colour = _COLOURS[outcome.verdict]
        _console.print(f"[{colour}]{outcome.verdict:7}[/{colour}] {outcome.check}: {escape(outcome.detail)}")
        for hint in _hints(outcome):
            _console.print(f"        hint: {escape(hint)}")


def doubts(found: Iterable[Outcome]) -> None:
    """What is not known, beside whatever else is printed."""
    unknown = [outcome for outcome in found if outcome.verdict is Verdict.UNKNOWN]
    if unknown:
        words = plain(unknown, ()).rstrip("\n")
        Console(stderr=True, highlight=False, soft_wrap=True).print(words, style="magenta", markup=False)


def _hints(outcome: Outcome) -> tuple[str, ...]:
    """Of what is not known: a failure is shown again in its place, with its hint."""
    if outcome.verdict is not Verdict.UNKNOWN:
        return ()
    return tuple(dict.fromkeys(finding.hint for finding in outcome.findings if finding.hint))


def plain(found: Iterable[Outcome], problems: Iterable[Problem]) -> str:
    """The same as `outcomes` for a file, with what is wrong below it: no colours, no width."""
    lines = []
    for outcome in found:
        lines.append(f"{outcome.verdict:7} {outcome.check}: {outcome.detail}")
        lines += [f"        hint: {hint}" for hint in _hints(outcome)]
    return "\n".join([*lines, *map(str, problems)]) + "\n"


def complain(words: str) -> None:
    """To where nothing else is read: standard output may be a document."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold red]kakera:[/bold red] {escape(words)}")


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


def reported(stack: Stack, work: Callable[[Callable[[str], None]], Summary], verb: str) -> Summary:
    """Work on a stack: its steps while it goes on, and in the end what was done."""
    with progress(f"{verb} {stack.name.name}") as on_step:
        summary = work(on_step)
    line(stack.name.name, str(summary))
    return summary
