"""The supervisor over children of a few lines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# Each child writes "NAME PID" when it starts and "NAME end" when it is told to stop.
CHILD = """
import os, signal, sys, time
name, out, manner = sys.argv[1:4]
def note(text):
    with open(out, "a") as file:
        file.write(f"{name} {text}\\n")
def stop(*_):
    if manner == "deaf":
        return
    note("end")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGHUP, lambda *_: note("hangup"))
note(os.getpid())
if manner == "dies":
    sys.exit(7)
while True:
    time.sleep(0.02)
"""
PARENT = """
import json, sys
from kakera.cli import supervise
supervise.STOP_S = {name: 1.0 for name in supervise.NAMES}
sys.exit(supervise.Supervisor({k: tuple(v) for k, v in json.loads(sys.argv[1]).items()}, drain_s=0.0).run())
"""


class Running:
    def __init__(self, folder: Path, **manners: str) -> None:
        self.notes = folder / "notes"
        self.notes.touch()
        manner = {"committer": "", "http": "", "background": "", **manners}
        commands = {name: [sys.executable, "-c", CHILD, name, str(self.notes), how] for name, how in manner.items()}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PARENT, json.dumps(commands)],
            env={**os.environ, "PYTHONPATH": str(ROOT / "server")},
            stdout=subprocess.PIPE,
        )

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.notes.read_text().splitlines()]

    def pids(self, name: str) -> list[int]:
        return [int(pid) for child, pid in self.lines() if child == name and pid.isdigit()]

    def wait_for(self, name: str, starts: int, within_s: float = 10.0) -> list[int]:
        deadline = time.monotonic() + within_s
        while len(self.pids(name)) < starts:
            assert time.monotonic() < deadline, self.lines()
            time.sleep(0.01)
        return self.pids(name)

    def all_up(self) -> None:
        for name in ("committer", "http", "background"):
            self.wait_for(name, 1)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"


def gone(pids: list[int], within_s: float = 3.0) -> bool:
    deadline = time.monotonic() + within_s
    while any(alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_stops_in_order_and_exits_0(tmp_path: Path) -> None:
    running = Running(tmp_path)
    running.all_up()
    running.process.terminate()
    assert running.process.wait(10) == 0
    assert [name for name, what in running.lines() if what == "end"] == ["http", "background", "committer"]


def test_sighup_goes_to_http_alone_and_ends_nobody(tmp_path: Path) -> None:
    running = Running(tmp_path)
    running.all_up()
    running.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 5
    while ["http", "hangup"] not in running.lines():
        assert time.monotonic() < deadline, running.lines()
        time.sleep(0.02)
    running.process.terminate()
    assert running.process.wait(10) == 0
    assert sum(what == "hangup" for _, what in running.lines()) == 1


@pytest.mark.parametrize("name", ["committer", "http", "background"])
def test_a_killed_child_is_back_in_under_a_second(tmp_path: Path, name: str) -> None:
    running = Running(tmp_path)
    running.all_up()
    os.kill(running.pids(name)[0], signal.SIGKILL)
    started = time.monotonic()
    first, second = running.wait_for(name, 2)
    assert time.monotonic() - started < 1.0
    assert first != second
    running.process.terminate()
    assert running.process.wait(10) == 0


def test_a_child_that_keeps_dying_is_restarted_ever_more_slowly(tmp_path: Path) -> None:
    running = Running(tmp_path, background="dies")
    running.wait_for("background", 3, within_s=5)
    time.sleep(0.3)
    assert len(running.pids("background")) <= 4
    running.process.terminate()
    assert running.process.wait(10) == 0
    lines = [json.loads(line) for line in running.process.stdout or ()]
    assert {"child": "background", "code": 7}.items() <= next(x for x in lines if x["event"] == "child ended").items()


def test_who_does_not_listen_is_killed_and_said(tmp_path: Path) -> None:
    running = Running(tmp_path, http="deaf")
    running.all_up()
    running.process.terminate()
    assert running.process.wait(10) == 1
    assert gone(running.pids("http"))


def test_a_killed_supervisor_leaves_no_orphans(tmp_path: Path) -> None:
    running = Running(tmp_path)
    running.all_up()
    running.process.kill()
    running.process.wait(10)
    assert gone([running.pids(name)[0] for name in ("committer", "http", "background")])
    assert sorted(name for name, what in running.lines() if what == "end") == ["background", "committer", "http"]


def test_sighup_is_no_reason_to_stop(tmp_path: Path) -> None:
    running = Running(tmp_path)
    running.all_up()
    running.process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert running.process.poll() is None
    running.process.terminate()
    assert running.process.wait(10) == 0


def test_children_have_no_core_dumps_and_open_signals(tmp_path: Path) -> None:
    running = Running(tmp_path)
    running.all_up()
    proc = Path(f"/proc/{running.pids('committer')[0]}")
    core = next(line for line in (proc / "limits").read_text().splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    blocked = next(line for line in (proc / "status").read_text().splitlines() if line.startswith("SigBlk"))
    assert int(blocked.split()[1], 16) == 0
    running.process.terminate()
    running.process.wait(10)
