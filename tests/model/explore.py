"""Breadth-first search of everything a model can do: the shortest path to a broken promise, or none within bounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

Step = tuple[str, Any]  # what happened, and the state after it

STATE_LIMIT = 4_000_000  # a configuration that needs more is reported as cut short, never as proven


@dataclass(frozen=True)
class Model:
    """A protocol as a transition system. States are immutable and hashable; `canon` makes symmetric ones the same."""

    name: str
    initial: Callable[[Any], Hashable]
    successors: Callable[[Any, Any], Iterator[Step]]
    problem: Callable[[Any, Any], str | None]
    canon: Callable[[Any], Any]
    draw: Callable[[Any], str]


class Line(NamedTuple):
    """One step of a counterexample."""

    label: str
    drawing: str


class Outcome(NamedTuple):
    """What one exploration found. `broken`: the promise that does not hold, or None; `trace`: how it came to that."""

    states: int
    steps: int
    broken: str | None
    trace: tuple[Line, ...]
    cut_short: bool = False


def explore(model: Model, cfg: Any, limit: int = STATE_LIMIT) -> Outcome:
    """Every state within the bounds of `cfg`, nearest first."""
    start = model.initial(cfg)
    parent: dict[Any, Any] = {start: None}
    todo, steps = deque([start]), 0
    while todo:
        state = todo.popleft()
        for _, raw in model.successors(cfg, state):
            steps += 1
            new = model.canon(raw)
            if new in parent:
                continue
            parent[new] = state
            broken = model.problem(cfg, new)
            if broken:
                return Outcome(len(parent), steps, broken, tuple(_trace(model, cfg, parent, new)))
            todo.append(new)
        if len(parent) > limit:
            return Outcome(len(parent), steps, None, (), True)
    return Outcome(len(parent), steps, None, ())


def _path(parent: dict[Any, Any], last: Any) -> list[Any]:
    path = [last]
    while parent[path[-1]] is not None:
        path.append(parent[path[-1]])
    return path[::-1]


def _trace(model: Model, cfg: Any, parent: dict[Any, Any], last: Any) -> Iterator[Line]:
    """Labels are not kept while searching (memory): they are found again along the path."""
    path = _path(parent, last)
    for before, after in pairwise(path):
        label = next(text for text, raw in model.successors(cfg, before) if model.canon(raw) == after)
        yield Line(label, model.draw(after))


def follow(model: Model, cfg: Any, labels: Sequence[str]) -> str | None:
    """Walk a known path by its labels: the promise broken at its end, or None (also when the path cannot be walked)."""
    here = {model.canon(model.initial(cfg))}
    broken: str | None = None
    for label in labels:
        after = {model.canon(raw) for state in here for text, raw in model.successors(cfg, state) if text == label}
        found = sorted(b for b in (model.problem(cfg, state) for state in after) if b)
        broken, here = (found[0] if found else None), {s for s in after if model.problem(cfg, s) is None}
        if broken or not here:
            break
    return broken
