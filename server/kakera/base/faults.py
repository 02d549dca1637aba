"""One global fault counter for drives and index: tests set it, and it costs one attribute test when it is off.

A *point* is a place where the world may fail: before and after each write, fdatasync, rename, unlink, index commit.
Every passage of a point while a plan is set adds one to `count`; a plan acts when its number comes up, or with its
probability.

    faults.plan = Plan(kill_at=17)                 # SIGKILL of this process at the 17th passage
    faults.plan = Plan(error={"drive.sync": EIO})  # every sync of a matching subject fails
    if faults.plan: faults.hit("drive.write", subject=path)

KAKERA_FAULTS in the environment (JSON of Plan's fields) sets the plan of a new process; the configuration never does.
"""

from __future__ import annotations

import errno
import json
import os
import random
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kakera.base import clock


@dataclass
class Plan:
    """What goes wrong. `kill_at`: passage number (1-based) of points whose name matches `match`.

    error: point -> errno name ("EIO", "ENOSPC"); delay_s: point -> seconds; subject: regular expression on the subject
    (a path); while_there: a file, and nothing goes wrong while there is none, so that a test can turn the faults of a
    running server on and off; probability applies to errors and delays.
    """

    kill_at: int = 0
    match: str = ""
    subject: str = ""
    while_there: str = ""
    error: dict[str, str] = field(default_factory=dict)
    delay_s: dict[str, float] = field(default_factory=dict)
    probability: float = 1.0
    seed: int = 0
    # saboteurs: "fdatasync", "crc", "ack_before_commit" leave that step out, to test the tests
    skip: tuple[str, ...] = ()
    count: int = 0
    wall_step: str = ""  # a file that says by how many seconds this process's wall clock is off, read at every look
    trace: str = ""  # a file to which each passage is appended: how a test learns how many there are


plan: Plan | None = None
_random = random.Random(0)


def from_environment() -> None:
    """Set the plan of this process from KAKERA_FAULTS, if it is there, and its wall clock with it."""
    global plan
    text = os.environ.get("KAKERA_FAULTS")
    if text:
        plan = Plan(**json.loads(text))
        _random.seed(plan.seed)
        if plan.wall_step:
            clock.wall_s = _stepped(plan.wall_step)


def _stepped(path: str) -> Callable[[], float]:
    def wall_s() -> float:
        with open(path) as said:
            return time.time() + float(said.read() or 0)

    return wall_s


def skipped(step: str) -> bool:
    """True when a saboteur leaves `step` out."""
    return plan is not None and step in plan.skip


def hit(point: str, subject: str = "") -> None:
    """Pass a fault point. Raises OSError, sleeps, or kills this process, as the plan says."""
    current = plan
    if current is None:
        return
    if current.match and not re.search(current.match, point):
        return
    if current.subject and not re.search(current.subject, subject):
        return
    if current.while_there and not os.path.exists(current.while_there):
        return
    current.count += 1
    if current.trace:
        with open(current.trace, "a") as out:
            out.write(f"{os.getpid()} {current.count} {point} {subject}\n")
    if current.kill_at and current.count == current.kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    if point in current.delay_s and _random.random() < current.probability:
        time.sleep(current.delay_s[point])
    name = current.error.get(point)
    if name and _random.random() < current.probability:
        code = getattr(errno, name)
        raise OSError(code, os.strerror(code), subject)
