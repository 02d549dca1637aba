"""Lanes without threads: one task after the other, in a seeded order; a crash in one goes through to the caller."""

from __future__ import annotations

import random
from collections.abc import Mapping

from kakera.journal.lanes import Lanes, Task


class InlineLanes(Lanes):
    """Runs tasks in the caller's thread."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(1.0)
        self._rng = rng

    def run(self, tasks: Mapping[int, Task], need: int) -> dict[int, BaseException]:
        failed: dict[int, BaseException] = {}
        order = list(tasks.items())
        self._rng.shuffle(order)
        for slot, task in order:
            try:
                task()
            except OSError as error:
                failed[slot] = error
        return failed
