"""Drives that go, come back, are foreign or fail, under a real server with 4+2: served around, refused with the reason,
reported; never 404, never short, never wrong."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kakera.base import limits
from tests.fault.live import BUCKET, FULL, Client, Live, digest, eventually, settled

OBJECTS = 60
ANSWER_S = 2.0  # with too few drives a refusal comes at once; the bound is against waiting for what is not there


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    server = Live(tmp_path)
    server.format()
    yield server
    server.kill()


class Objects:
    """Sixty objects with coded bodies, in the record and in bulk, and what is heard when they are asked for. (A body
    that is replicated is rightly served from any one strand while the committer's view stands.)"""

    def __init__(self, live: Live) -> None:
        self.live = live
        chance = random.Random(60)
        sizes = [(1500, 5000, 60_000, 400_000)[n % 4] for n in range(OBJECTS)]
        self.bodies = {f"k{n}": chance.randbytes(size) for n, size in enumerate(sizes)}
        live.make_bucket()
        client = live.connect()
        for key, body in self.bodies.items():
            assert client.object("PUT", key, body).status == 200

    def wrong(self) -> list[str]:
        """Everything is to be there."""
        client = self.live.connect()
        found = []
        for key, body in self.bodies.items():
            answer = settled(lambda key=key: client.object("GET", key))  # type: ignore[misc]
            if answer.status != 200 or digest(answer.body) != digest(body):
                found.append(f"{key}: {answer.status} {len(answer.body)} of {len(body)}")
        if sorted(client.keys()) != sorted(self.bodies):
            found.append("the listing is not complete")
        return found

    def put(self, key: str, body: bytes) -> int:
        status = self.live.connect().object("PUT", key, body).status
        if status == 200:
            self.bodies[key] = body
        return status


def refusals(live: Live, keys: list[str]) -> list[str]:
    """What is not a quick 503 when every key is asked for."""
    client: Client = live.connect()
    found = []
    for key in keys:
        begun = time.monotonic()
        answer = client.object("GET", key)
        took_s = time.monotonic() - begun
        if answer.status != 503 or took_s > ANSWER_S:
            found.append(f"{key}: {answer.status} after {took_s:.1f} s")
    return found


def test_one_and_two_and_three_drives_gone(live: Live) -> None:
    live.start()
    objects = Objects(live)
    live.away(1)
    assert objects.put("one-away", b"1" * 5000) == 200
    assert objects.put("one-away-large", b"2" * 400_000) == 200
    assert objects.wrong() == []
    live.away(4)
    eventually(lambda: live.status() == "read-only")
    for _ in ("running", "started again"):
        assert objects.wrong() == []
        refused = live.connect().object("PUT", "x", b"x")
        assert (refused.status, b"<Code>ServiceUnavailable" in refused.body) == (503, True), refused
        said = live.reason()
        assert (said["status"], bool(said["reason"])) == ("read-only", True), said
        live.kill()
        live.start(until="read-only")
    live.away(5)
    for slot in (1, 4, 5):
        live.drive(slot).mkdir()
    eventually(lambda: live.status() not in ("ready", "read-only"))
    for _ in ("running", "started again"):
        assert refusals(live, list(objects.bodies)) == []
        live.kill()
        live.start(until="")
        eventually(lambda: live.status() not in ("silent", "ready", "read-only"))
    listing = live.connect().ask("GET", f"/{BUCKET}", query={"list-type": "2"})
    assert listing.status == 503, "a listing that may lack keys"
    for slot in (1, 4, 5):
        assert not list(live.drive(slot).iterdir()), "an empty folder is an absent drive"
        live.back(slot)
    live.wait_until("ready")
    assert objects.wrong() == []
    print(f"\ndrives gone: rounds 5, acked {len(objects.bodies)}, lost 0, wrong 0")


@pytest.mark.slow
def test_foreign_and_damaged_and_emptied_drives_are_absent(live: Live, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Live(tmp_path / "other")
    other.format()
    live.start()
    objects = Objects(live)
    live.kill()
    live.away(3)
    shutil.copytree(other.drive(3), live.drive(3))
    before = sorted((path.name, path.stat().st_mtime_ns) for path in live.drive(3).rglob("*"))
    live.start()
    assert objects.put("foreign", b"f" * 5000) == 200
    assert objects.wrong() == []
    assert live.doctor()["drives"]["3"] != "ok"
    assert sorted((path.name, path.stat().st_mtime_ns) for path in live.drive(3).rglob("*")) == before
    live.kill()
    live.back(3)
    identity = live.drive(2) / "kakera.json"
    whole = identity.read_bytes()
    identity.write_bytes(bytes([*whole[:20], whole[20] ^ 1, *whole[21:]]))
    live.start()
    assert objects.wrong() == []
    assert live.doctor()["drives"]["2"] != "ok"
    identity.write_bytes(whole)
    eventually(lambda: live.doctor()["drives"]["2"] == "ok")
    live.away(0)
    live.drive(0).mkdir()
    # The committer takes back drive 2 when it looks next; until then two are missing for writes.
    eventually(lambda: objects.put("emptied", b"e" * 5000) == 200, 10)
    time.sleep(2)
    assert not list(live.drive(0).iterdir())
    assert live.command("repair", "replace-drive", "0").returncode == 0
    eventually(lambda: live.doctor()["exposed"] is False, 90)
    assert objects.wrong() == []
    print(f"\ndrives that are not ours: rounds 3, acked {len(objects.bodies)}, lost 0, wrong 0")


def test_a_drive_whose_syncs_fail_is_written_around_and_reported(live: Live) -> None:
    live.start()
    objects = Objects(live)
    live.kill()
    live.faults = {"error": {"drive.sync": "EIO"}, "subject": "/d2/(journal|bulk)/"}
    live.start()
    for n in range(20):
        assert objects.put(f"eio{n}", bytes([n]) * (5000, 400_000)[n % 2]) == 200
    assert objects.wrong() == []
    report = live.doctor()
    assert report["exposed"] is True
    assert "drive 2" in str(report["exposures"]) + str(report["heal_queue"]), report
    live.kill()
    live.faults = {}
    live.start()
    assert objects.wrong() == []
    eventually(lambda: live.doctor()["exposed"] is False, 90)
    print(f"\nEIO on sync: rounds 1, acked {len(objects.bodies)}, lost 0, wrong 0")


def test_a_drive_that_cannot_be_read_is_read_around_reported_and_healed(live: Live) -> None:
    broken = live.folder / "broken"
    live.faults = {"error": {"drive.read": "EIO"}, "subject": "/d2/(journal|bulk)/", "while_there": str(broken)}
    live.start()
    objects = Objects(live)
    live.kill()  # no bulk segment is open any more: each can be healed without waiting for its writer to be idle
    live.start()
    broken.touch()
    for _ in range(2):
        assert objects.wrong() == []
    report = live.doctor()
    assert report["exposed"] is True
    told = str(report["exposures"]) + str(report["heal_queue"])
    assert "drive 2" in told and "Input/output error" in told, report
    broken.unlink()
    eventually(lambda: live.doctor()["exposed"] is False, 90)
    assert objects.wrong() == []
    print(f"\nEIO on reads: rounds 1, acked {len(objects.bodies)}, lost 0, wrong 0")


def test_a_slow_drive_costs_the_limit_once(live: Live) -> None:
    """R12: of a hundred PUTs in a row the one that meets it waits for the limit. The drive is tried again after
    DRIVE_REJOIN_S, doubling: each try may cost one more the same."""
    slow = live.folder / "slow"
    limit_s = 0.6
    live.config.write_text(
        live.config.read_text().replace("[journal]", f"[journal]\nlaggard_limit_ms = {limit_s * 1e3:.0f}")
    )
    live.faults = {"delay_s": {"drive.sync": 3.0}, "subject": "/d5/", "while_there": str(slow)}
    live.start()
    live.make_bucket()
    client = live.connect()
    body = b"s" * 20_000

    def put_for(count: int, within_s: float) -> list[float]:
        took_s = []
        begun = time.monotonic()
        while len(took_s) < count and time.monotonic() - begun < within_s:
            before = time.monotonic()
            assert client.object("PUT", f"slow{len(took_s)}", body).status == 200
            took_s.append(time.monotonic() - before)
        return took_s

    put_for(20, 10)
    slow.touch()
    first = put_for(100, limits.DRIVE_REJOIN_S - 0.5)
    late = [round(took, 2) for took in first if took > 0.8 * limit_s]
    assert len(first) == 100 or sum(first) > 4, "the machine is too slow to tell"
    assert len(late) == 1 and late[0] < limit_s + 1.0, late
    more, late_more = [], []
    if FULL:
        more = put_for(10_000, 3 * limits.DRIVE_REJOIN_S)
        late_more = [round(took, 2) for took in more if took > 0.8 * limit_s]
        assert len(late_more) <= 2, late_more  # tried again after 5 s, and 10 s after that
    report = live.doctor()
    assert report["exposed"] is True and "drive 5" in str(report["exposures"]), report
    slow.unlink()
    if FULL:
        eventually(lambda: live.doctor()["exposed"] is False, 90)
    print(f"\nslow drive: {len(first)} puts, late {late}; {len(more)} more, late {late_more}; lost 0, wrong 0")
