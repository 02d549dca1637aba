"""What a drive or a clock that was elsewhere for a while must not bring about, under the real server: a drive that was
away during deletes and a cleaning resurrects nothing (R7), a clock that steps an hour both ways changes no order
(R5)."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kakera.base.ids import segment_name
from kakera.cli.committer import status
from kakera.config import load
from tests.bench.presign import Credentials, Presigner
from tests.fault.contest import bucket, delete_keys, keys, seed_of, versions
from tests.fault.live import FULL, Client, Live, eventually, settled

JOURNAL_BYTES = 1 << 17  # so that a short history fills segments enough to be cleaned
OBJECTS = 40
ROUNDS = 6 if FULL else 1
STEPS_S = (0, 3600, -3600, 0, -3600, 3600)  # from the right time


# --- a drive that was away --------------------------------------------------------------------------------------------


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    server = Live(tmp_path, settings={"journal": {"segment_bytes": JOURNAL_BYTES, "resend_limit_s": 1}})
    server.format()
    yield server
    server.kill()


def floor_of(live: Live) -> int:
    return status(load(live.config)).floor


def wrong(live: Live, bodies: dict[str, bytes | None]) -> list[str]:
    """Every difference between what is known and what is read and listed."""
    client = live.connect()
    found = []
    for key, body in bodies.items():
        answer = settled(lambda key=key: client.ask("GET", f"/away/{key}"))  # type: ignore[misc]
        if (answer.status, answer.body if body is not None else None) != (404 if body is None else 200, body):
            found.append(f"{key}: {answer.status}")
    if sorted(keys(client, "away")) != sorted(key for key, body in bodies.items() if body is not None):
        found.append("the listing is another one")
    return found


def test_a_drive_away_during_deletes_and_a_cleaning_resurrects_nothing(live: Live) -> None:
    chance = random.Random(seed_of("a drive away during deletes and a cleaning"))
    live.start()
    bucket(live, "away")
    bodies: dict[str, bytes | None] = {}
    deleted = 0

    def put(client: Client, key: str) -> None:
        body = chance.randbytes(chance.choice((500, 20_000, 60_000, 200_000)))
        assert settled(lambda: client.ask("PUT", f"/away/{key}", body)).status == 200
        bodies[key] = body

    for turn in range(ROUNDS):
        slot = chance.randrange(6)
        client = live.connect()
        for n in range(OBJECTS):
            put(client, f"k{n}")
        floor, stale = floor_of(live), set(live.drive(slot).glob("journal/*"))
        live.away(slot)
        gone = chance.sample(sorted(bodies), OBJECTS // 2)
        assert settled(lambda: client.ask("DELETE", f"/away/{gone[0]}")).status == 204  # noqa: B023
        assert delete_keys(client, "away", gone) == 0
        bodies.update(dict.fromkeys(gone))
        deleted += len(gone)

        def cleaned(client: Client = client, floor: int = floor, stale: set[Path] = stale) -> bool:
            """Nothing of what the drive took with it counts any more."""
            put(client, f"k{chance.randrange(OBJECTS)}")
            return floor_of(live) > max([floor, *(int(path.name, 16) for path in stale)])

        eventually(cleaned, 60)
        # It comes back while nobody looks, and another goes, so that what it holds is needed.
        live.kill()
        live.back(slot)
        assert {path.name for path in stale} <= {path.name for path in live.drive(slot).glob("journal/*")}
        other = (slot + 1) % 6
        live.away(other)
        if turn % 2 == 0:
            (live.folder / "state" / "index.sqlite3").unlink()
        live.start()
        assert wrong(live, bodies) == []
        names = {path.name for path in live.drive(slot).glob("journal/*")}
        assert all(name >= segment_name(floor_of(live)) for name in names), "below the floor, and kept"
        live.back(other)
        if FULL:
            eventually(lambda: live.doctor()["exposed"] is False, 90)
        assert wrong(live, bodies) == []
    print(f"away: rounds {ROUNDS}, objects {len(bodies)}, deleted meanwhile {deleted}, resurrected 0, wrong 0")


# --- a clock that steps -----------------------------------------------------------------------------------------------


def at(live: Live, step_s: int) -> Client:
    """A client whose clock is the server's."""
    client = live.connect()
    now = datetime.now(UTC) + timedelta(seconds=step_s)
    client._signer = Presigner(Credentials("AK", "SECRETSECRET"), f"127.0.0.1:{live.port}", now)
    return client


def test_a_clock_that_steps_an_hour_both_ways_changes_no_order(live: Live) -> None:
    chance = random.Random(seed_of("the clock steps"))
    clock = live.folder / "clock"
    clock.write_text("0")
    live.faults = {"wall_step": str(clock)}
    live.start()
    bucket(live, "steps", versioning="Enabled")
    bucket(live, "away")
    order: dict[str, list[str]] = {}
    bodies: dict[str, bytes | None] = {}
    told: list[Any] = []
    for step_s in STEPS_S * ROUNDS:
        clock.write_text(str(step_s))
        client = at(live, step_s)
        for n in range(6):
            body = chance.randbytes(chance.choice((100, 5000, 200_000)))
            answer = client.ask("PUT", f"/steps/k{n % 3}", body)
            assert answer.status == 200, answer
            order.setdefault(f"k{n % 3}", []).append(answer.headers["x-amz-version-id"])
            assert client.ask("PUT", f"/away/k{n % 3}", body).status == 200
            bodies[f"k{n % 3}"] = body
            found = client.ask("GET", f"/steps/k{n % 3}")
            assert hashlib.md5(found.body).hexdigest() == hashlib.md5(body).hexdigest()
            told.append(found.headers["last-modified"])
        assert client.ask("DELETE", "/away/k0").status == 204
        bodies["k0"] = None
    assert len({line[17:19] for line in told}) > 2, "the server's clock did not step"
    clock.write_text("0")
    for when in ("running", "without its index"):
        listed: dict[str, list[str]] = {}
        for line in versions(live.connect(), "steps"):
            listed.setdefault(line.key, []).insert(0, line.version)
            assert line.latest == (line.version == order[line.key][-1])
        assert listed == order
        assert wrong(live, bodies) == []
        if when == "running":
            live.kill()
            (live.folder / "state" / "index.sqlite3").unlink()
            live.start()
    assert set(live.doctor()["drives"].values()) == {"ok"}
    print(f"clock: steps {len(STEPS_S) * ROUNDS}, acked {2 * len(told)}, versions {len(told)}, out of order 0, wrong 0")
