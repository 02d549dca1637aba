"""The power goes: every drive and the state folder are XFS of their own, shut down without flushing their logs at a
random moment under 16 writers; the server is killed; everything is mounted again, which replays the logs as after a
real cut. Acknowledged lost 0, wrong bytes 0, listing complete. The index falls back too."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fault.live import FULL, Live, Verdict, Writers
from tests.fault.mains import Mains

pytestmark = pytest.mark.needs("root", "loop", "mkfs.xfs", "mount")
ROUNDS = 20 if FULL else 2


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    server = Live(tmp_path, workers=2)
    mains = Mains(server)
    try:
        server.format()
        server.mains = mains  # type: ignore[attr-defined]
        yield server
    finally:
        server.kill()
        mains.remove()


def one_round(live: Live, seed: int, load_s: float, before: dict[str, Any] | None = None) -> Writers:
    """Load, cut, kill, restore."""
    mains: Mains = live.mains  # type: ignore[attr-defined]
    writers = Writers(live, seed=seed, before=before)
    writers.begin()
    time.sleep(load_s)
    mains.cut()
    time.sleep(random.uniform(0, 0.3))  # whatever is answered now had to be durable before
    live.kill()
    writers.end()
    mains.restore()
    return writers


def look(live: Live, writers: Writers) -> Verdict:
    live.faults = {}
    live.start()
    return writers.verify()


def test_nothing_acknowledged_is_lost_when_the_power_goes(live: Live) -> None:
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    live.start()
    live.make_bucket()
    acked, bad = 0, []
    before: dict[str, Any] = {}
    for number in range(ROUNDS):
        verdict = look(live, one_round(live, seed + number, chance.uniform(1.0, 4.0), before))
        before = verdict.final
        acked += verdict.acked
        if not verdict.clean:
            bad.append((number, verdict))
    lost, wrong = sum(len(v.lost) for _, v in bad), sum(len(v.wrong) + len(v.unlisted) for _, v in bad)
    print(f"\npower cut: rounds {ROUNDS} (seed {seed}), acked {acked}, lost {lost}, wrong {wrong}")
    assert bad == []
    assert acked > 20 * ROUNDS, "too little was written to prove anything"


def test_the_saboteur_without_fdatasync_is_caught(live: Live) -> None:
    live.faults = {"skip": ["fdatasync"]}
    live.start()
    live.make_bucket()
    writers = one_round(live, 7, 2.0)
    try:
        verdict = look(live, writers)
    except AssertionError as refused:
        print(f"\npower cut, saboteur without fdatasync: caught, the store does not open: {str(refused)[:200]}")
        return
    found = f"acked {verdict.acked}, lost {len(verdict.lost)}, wrong {len(verdict.wrong)}"
    print(f"\npower cut, saboteur without fdatasync: {found}")
    assert not verdict.clean
