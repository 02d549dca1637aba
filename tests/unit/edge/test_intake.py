"""Places are never lost and never doubled, whoever gives up when."""

from __future__ import annotations

import asyncio
import random

import pytest

from kakera.base import limits
from kakera.base.errors import Busy
from kakera.edge.intake import Intake


async def test_never_more_than_there_are_places() -> None:
    intake = Intake(3)
    inside = peak = done = 0

    async def upload(chance: random.Random) -> None:
        nonlocal inside, peak, done
        await intake.enter()
        inside += 1
        peak = max(peak, inside)
        await asyncio.sleep(chance.random() / 1000)
        inside -= 1
        done += 1
        intake.leave()

    chance = random.Random(7)
    tasks = [asyncio.create_task(upload(chance)) for _ in range(200)]
    await asyncio.sleep(0.002)
    for task in chance.sample(tasks, 60):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    # A task cancelled inside never left: count those.
    assert peak == 3
    assert intake.free == 3 - inside


async def test_first_come_first_served() -> None:
    intake = Intake(1)
    await intake.enter()
    order: list[int] = []

    async def upload(number: int) -> None:
        await intake.enter()
        order.append(number)
        intake.leave()

    tasks = [asyncio.create_task(upload(number)) for number in range(5)]
    await asyncio.sleep(0)
    intake.leave()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4]
    assert intake.free == 1


async def test_waiting_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INTAKE_WAIT_S", 0.01)
    intake = Intake(1)
    await intake.enter()
    with pytest.raises(Busy):
        await intake.enter()
    intake.leave()
    assert intake.free == 1
    await intake.enter()
