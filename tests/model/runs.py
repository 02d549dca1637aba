"""What is run, by name: holes and mutants (a counterexample is wanted), wide plans (none may be found)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path
from typing import Any, NamedTuple

from tests.model.bulk import plans as bulk_plans
from tests.model.bulk.state import Rules as BulkRules
from tests.model.bulk.steps import MODEL as BULK
from tests.model.explore import Model, Outcome, explore, follow
from tests.model.journal import plans as journal_plans
from tests.model.journal.state import Rules as JournalRules
from tests.model.journal.steps import MODEL as JOURNAL

STORED = Path(__file__).parent / "counterexamples"
MODELS = {model.name: model for model in (JOURNAL, BULK)}


@dataclass(frozen=True)
class Mutant:
    """The protocol without one rule. `hole`: a sentence without which it reads well and is wrong."""

    model: str
    rule: str
    hole: bool
    plan: Callable[[Any], Iterable[Any]]
    whole: Any  # the rules with nothing removed

    def configurations(self, *, removed: bool = True) -> list[Any]:
        rules = self.whole._replace(**{self.rule: False}) if removed else self.whole
        return list(self.plan(rules))

    @property
    def path(self) -> Path:
        return STORED / f"{self.model}-{self.rule}.txt"


@dataclass(frozen=True)
class Wide:
    """Configurations of the whole protocol in which every promise has to hold."""

    model: str
    name: str
    plan: Callable[[], Iterable[Any]]


MUTANTS = [
    *(Mutant("journal", r, r in journal_plans.HOLES, plan, JournalRules()) for r, plan in journal_plans.PLANS.items()),
    *(Mutant("bulk", r, r in bulk_plans.HOLES, plan, BulkRules()) for r, plan in bulk_plans.PLANS.items()),
]
WIDES = [
    *(Wide("journal", name, plan) for name, plan in journal_plans.WIDE.items()),
    *(Wide("bulk", name, plan) for name, plan in bulk_plans.WIDE.items()),
]


class Total(NamedTuple):
    """All configurations of one plan together; `shortest` counterexample, if any."""

    configurations: int
    states: int
    steps: int
    seconds: float
    shortest: Outcome | None
    cut_short: int


def _explore(task: tuple[str, Any]) -> Outcome:
    return explore(MODELS[task[0]], task[1])


def total(model: str, configurations: Iterable[Any], jobs: int = 1) -> Total:
    """Explore them all, `jobs` at a time."""
    started = time.monotonic()
    tasks = [(model, cfg) for cfg in configurations]
    if jobs > 1 and len(tasks) > 1:
        with Pool(jobs, maxtasksperchild=8) as pool:
            outcomes = list(pool.imap_unordered(_explore, tasks))
    else:
        outcomes = [_explore(task) for task in tasks]
    found = sorted((o for o in outcomes if o.broken), key=lambda o: len(o.trace))
    return Total(
        len(tasks), sum(o.states for o in outcomes), sum(o.steps for o in outcomes), time.monotonic() - started,
        found[0] if found else None, sum(o.cut_short for o in outcomes),
    )  # fmt: skip


# --- stored counterexamples -----------------------------------------------------------------------------------------


def render(outcome: Outcome) -> Iterator[str]:
    """One line a step: what happened | the strands after it."""
    yield f"# {outcome.broken}"
    for line in outcome.trace:
        yield f"{line.label:<76} | {line.drawing}".rstrip()


def labels(text: str) -> list[str]:
    """The steps of a stored counterexample."""
    return [line.rpartition(" | ")[0].rstrip() for line in text.splitlines() if line and not line.startswith("#")]


def walk(model: Model, configurations: Iterable[Any], steps: list[str]) -> str | None:
    """The promise that these steps break in one of the configurations."""
    return next((broken for cfg in configurations if (broken := follow(model, cfg, steps))), None)
