"""The judge of what clients see: every linearization that is still possible, after each reply and each read.

A store is `None` or a value per register; a configuration is (store, the replies already fixed by a linearization).
A read at an instant keeps the configurations that could show it; when none is left, no order of the commands explains
what was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

Store = tuple[Any, ...]
Spec = Callable[["Call", Store], tuple[str, Store]]
UNSEEN = "unseen"  # in a read: this register was not looked at


class Call(NamedTuple):
    """A command a client has sent: its kind, its number (a PUT writes that), and what it expects to be there."""

    kind: str
    op: int
    expected: Any = None


class Monitor(NamedTuple):
    """`open`: calls without a reply; `possible`: (store, replies fixed so far) of every linearization left."""

    open: frozenset[Call]
    possible: frozenset[tuple[Store, frozenset[tuple[int, str]]]]


def fresh(store: Store) -> Monitor:
    """Nothing sent yet, and `store` visible."""
    return Monitor(frozenset(), frozenset({(store, frozenset())}))


class Judge:
    """Answers are kept: the same question comes back in thousands of states."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.known: dict[Hashable, Monitor | None] = {}

    def seen(self, monitor: Monitor, store: Store | None, reply: tuple[int, str] | None = None) -> Monitor | None:
        """A read of `store` (None: no read; UNSEEN: a register not looked at) after `reply`. None: impossible."""
        question = (monitor, store, reply)
        if question not in self.known:
            self.known[question] = self._answer(monitor, store, reply)
        return self.known[question]

    def _answer(self, monitor: Monitor, store: Store | None, reply: tuple[int, str] | None) -> Monitor | None:
        possible, calls = self._closure(monitor), monitor.open
        if reply:
            possible = {(s, fixed - {reply}) for s, fixed in possible if reply in fixed}
            calls = frozenset(c for c in calls if c.op != reply[0])
        if store is not None:
            possible = {p for p in possible if all(u in (UNSEEN, v) for u, v in zip(store, p[0], strict=True))}
        return Monitor(calls, frozenset(possible)) if possible else None

    def _closure(self, monitor: Monitor) -> set[tuple[Store, frozenset[tuple[int, str]]]]:
        """Any open call may have taken effect by now."""
        found, todo = set(monitor.possible), list(monitor.possible)
        while todo:
            store, fixed = todo.pop()
            done = {op for op, _ in fixed}
            for call in monitor.open:
                if call.op in done:
                    continue
                result, after = self.spec(call, store)
                new = (after, fixed | {(call.op, result)})
                if new not in found:
                    found.add(new)
                    todo.append(new)
        return found
