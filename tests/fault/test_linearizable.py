"""Conditions under kills: 32 clients create and replace one key with If-None-Match and If-Match while the committer is
killed again and again. Every acknowledged change is one step of one order (Wing and Gong)."""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fault.lincheck import check
from tests.fault.live import FULL, UNKNOWN, Live, eventually, settled

CLIENTS = 32
ROUNDS = 6 if FULL else 1
KILLS = 3
ROUND_S = 8.0
PAUSE_S = 0.15  # between two tries of a client: what is unknown multiplies the search


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    server = Live(tmp_path, workers=2)
    server.format()
    yield server
    server.kill()


class Contest:
    """Clients that read the key and change what they read."""

    def __init__(self, live: Live, key: str, seed: int) -> None:
        self._live, self._key, self._seed = live, key, seed
        self._stop = threading.Event()
        self.history: list[dict[str, Any]] = []

    def run(self) -> None:
        threads = [threading.Thread(target=self._play, args=(n,), daemon=True) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        chance = random.Random(self._seed)
        for _ in range(KILLS):
            # The supervisor waits ever longer with one that keeps dying: only one that serves is worth a kill.
            self._live.wait_until("ready")
            time.sleep(chance.uniform(0.5, 1.0) * ROUND_S / (KILLS + 1))
            eventually(self._kill_committer, 10)
        self._live.wait_until("ready")
        time.sleep(ROUND_S / (KILLS + 1))
        self._stop.set()
        for thread in threads:
            thread.join(90)
            assert not thread.is_alive(), "a client hangs"

    def _kill_committer(self) -> bool:
        """False: the one that was killed before has no successor yet."""
        try:
            os.kill(self._live.committer(), signal.SIGKILL)
        except (KeyError, ProcessLookupError):
            return False
        return True

    def _play(self, number: int) -> None:
        client = self._live.connect()
        chance = random.Random(f"{self._seed}/{number}")
        turn = 0
        while not self._stop.is_set():
            turn += 1
            body = f"{number}-{turn}".encode()
            try:
                old = self._read()
                headers = {"If-None-Match": "*"} if old is None else {"If-Match": f'"{old}"'}
                line = self._line("cas", hashlib.md5(body).hexdigest(), old=old)
                answer = client.object("PUT", self._key, body, headers=headers)
            except (OSError, http.client.HTTPException, LookupError):
                time.sleep(PAUSE_S)
                continue
            line["t1"] = time.monotonic()
            if answer.status == 200:
                line["ok"] = True
            elif answer.status in (404, 409, 412):
                line["ok"] = False
            time.sleep(chance.uniform(0, 2 * PAUSE_S))

    def _read(self) -> str | None:
        """The ETag now, recorded. Raises LookupError when it cannot be told."""
        line = self._line("read", None)
        answer = self._live.connect().object("HEAD", self._key)
        if answer.status not in (200, 404):
            raise LookupError
        value = answer.headers["etag"].strip('"') if answer.status == 200 else None
        line.update(v=value, t1=time.monotonic(), ok=True)
        return value

    def _line(self, what: str, value: str | None, **more: Any) -> dict[str, Any]:
        line = {"key": self._key, "f": what, "v": value, "t0": time.monotonic()} | UNKNOWN | more
        self.history.append(line)
        return line


def test_conditions_under_kills_are_one_order(live: Live) -> None:
    seed = random.randrange(1 << 30)
    live.start()
    live.make_bucket()
    acked = 0
    for number in range(ROUNDS):
        contest = Contest(live, f"contest{number}", seed + number)
        contest.run()
        settled(lambda: live.connect().object("HEAD", f"contest{number}"))  # noqa: B023
        contest._read()
        won = sum(line["ok"] is True for line in contest.history if line["f"] == "cas")
        unknown = sum(line["ok"] is None for line in contest.history if line["f"] == "cas")
        lost = sum(line["ok"] is False for line in contest.history)
        acked += won
        print(
            f"\nlinearizable: {won} won, {lost} refused, {unknown} unknown, {len(contest.history)} in all (seed {seed})"
        )
        assert check(contest.history) == {f"contest{number}": True}
        assert (won > 10, lost > 10) == (True, True), "no contest"
    print(f"linearizable: rounds {ROUNDS}, kills {KILLS * ROUNDS}, acked {acked}, lost 0, wrong 0")
