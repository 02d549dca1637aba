"""The fault counter's points are where the kernel is asked: a sample of kills of the real committer by strace, at the
N-th fdatasync and the N-th write, under writers."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fault.live import FULL, Live, Writers, eventually

pytestmark = pytest.mark.needs("root", "strace")
CALLS = ("fdatasync", "pwritev2")  # the second is what os.pwritev asks of the kernel
NUMBERS = (1, 2, 3, 5, 6, 7, 11, 12, 13, 40, 80) if FULL else (9,)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    server = Live(tmp_path)
    server.format()
    yield server
    server.kill()


def kill_at(pid: int, call: str, number: int, log: Path) -> subprocess.Popen[bytes]:
    """strace on a process; returns once it watches every thread."""
    command = ("strace", "-f", "-qq", "-o", str(log), "-p", str(pid), "-e", f"trace={call}")
    tracer = subprocess.Popen(
        (*command, "-e", f"inject={call}:signal=SIGKILL:when={number}"), stderr=subprocess.DEVNULL
    )
    status = Path(f"/proc/{pid}/status")
    eventually(lambda: f"TracerPid:\t{tracer.pid}" in status.read_text(), 20)
    time.sleep(0.2)
    return tracer


def test_killed_by_strace_at_a_system_call(live: Live) -> None:
    seed = random.randrange(1 << 30)
    live.start()
    live.make_bucket()
    acked = killed = 0
    before: dict[str, Any] = {}
    bad = []
    rounds = [(call, number) for call in CALLS for number in NUMBERS]
    for call, number in rounds:
        victim = psutil.Process(live.committer())
        tracer = kill_at(victim.pid, call, number, live.folder / "strace")
        writers = Writers(live, threads=4, seed=seed + number, before=before)
        writers.begin()
        gone, _ = psutil.wait_procs([victim], timeout=15)
        killed += bool(gone)
        time.sleep(1.0)
        writers.end()
        tracer.terminate()
        tracer.wait(10)
        live.kill()
        live.start()
        verdict = writers.verify()
        before, acked = verdict.final, acked + verdict.acked
        if not verdict.clean:
            bad.append((call, number, verdict))
    lost, wrong = sum(len(v.lost) for *_, v in bad), sum(len(v.wrong) + len(v.unlisted) for *_, v in bad)
    print(f"\nstrace: rounds {len(rounds)} (seed {seed}), killed {killed}, acked {acked}, lost {lost}, wrong {wrong}")
    assert bad == []
    assert killed == len(rounds), "strace did not meet the calls: are they still the ones the committer makes?"
