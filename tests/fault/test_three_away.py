"""Three of six drives gone with 4+2: every operation on objects answers 503 with the reason, quickly; never 404, never
short, never wrong; and when the drives return everything is there (R15)."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fault.live import BUCKET, FULL, Client, Live, eventually, settled

ANSWER_S = 1.0
SIZES = (0, 500, 20_000, 5 << 20)  # nothing; copied into every record; coded in the record; chunks in bulk
AWAY = (1, 3, 4)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    server = Live(tmp_path)
    server.format()
    yield server
    server.kill()


def rename(live: Live) -> None:
    for slot in AWAY:
        live.away(slot)


def empty(live: Live) -> None:
    """What an unmounted drive leaves: an empty folder in its place."""
    rename(live)
    for slot in AWAY:
        live.drive(slot).mkdir()


def cover(live: Live) -> None:
    """Another file system over the folder: what is open stays open, as after `umount -l`."""
    for slot in AWAY:
        subprocess.run(("mount", "-t", "tmpfs", "none", live.drive(slot)), check=True)


def come_back(live: Live) -> None:
    for slot in AWAY:
        live.back(slot)


def uncover(live: Live) -> None:
    for slot in AWAY:
        subprocess.run(("umount", live.drive(slot)), check=True)


class Asker:
    """Everything that can be asked about the objects, each with the time it took."""

    def __init__(self, live: Live, bodies: dict[str, bytes]) -> None:
        self.live = live
        self.bodies = bodies

    def requests(self) -> Iterator[tuple[str, Callable[[Client], int]]]:
        for key in self.bodies:
            yield f"GET {key}", lambda client, key=key: client.object("GET", key).status  # type: ignore[misc]
            yield f"HEAD {key}", lambda client, key=key: client.object("HEAD", key).status  # type: ignore[misc]
            yield f"DELETE {key}", lambda client, key=key: client.object("DELETE", key).status  # type: ignore[misc]
        for key, size in (("new", 500), ("new-large", 300_000)):
            body = bytes(size)
            yield f"PUT {key}", lambda client, key=key, body=body: client.object("PUT", key, body).status  # type: ignore[misc]
        yield "GET missing", lambda client: client.object("GET", "missing").status
        yield "LIST", lambda client: client.ask("GET", f"/{BUCKET}", query={"list-type": "2"}).status
        yield "LIST versions", lambda client: client.ask("GET", f"/{BUCKET}", query={"versions": ""}).status
        yield "LIST uploads", lambda client: client.ask("GET", f"/{BUCKET}", query={"uploads": ""}).status
        yield "LIST buckets", lambda client: client.ask("GET", "/").status
        yield "HEAD bucket", lambda client: client.ask("HEAD", f"/{BUCKET}").status
        yield "HEAD no bucket", lambda client: client.ask("HEAD", "/no-such-bucket").status
        yield "create bucket", lambda client: client.ask("PUT", "/another-bucket").status

    def answered(self) -> list[str]:
        """What was not a quick 503."""
        client = self.live.connect()
        found = []
        for name, ask in self.requests():
            begun = time.monotonic()
            status = ask(client)
            took_s = time.monotonic() - begun
            if status != 503 or took_s > ANSWER_S:
                found.append(f"{name}: {status} after {took_s:.2f} s")
        return found

    def wrong(self) -> list[str]:
        client = self.live.connect()
        found = []
        for key, body in self.bodies.items():
            answer = settled(lambda key=key: client.object("GET", key))  # type: ignore[misc]
            if answer.status != 200 or answer.body != body:
                found.append(f"{key}: {answer.status} {len(answer.body)} of {len(body)}")
        if sorted(client.keys()) != sorted(self.bodies):
            found.append("the listing is not right")
        return found

    def lies(self) -> list[str]:
        """Between the loss and its discovery an answer may still be right, never anything else."""
        client = self.live.connect()
        found = []
        for key, body in self.bodies.items():
            answer = client.object("GET", key)
            if answer.status != 503 and (answer.status, answer.body) != (200, body):
                found.append(f"{key}: {answer.status} {len(answer.body)} of {len(body)}")
        return found


WAYS = [(empty, come_back), (rename, come_back), (cover, uncover)]


@pytest.mark.needs("root", "mount")
def test_everything_is_unavailable_and_then_everything_is_there(live: Live) -> None:
    chance = random.Random(3)
    live.start()
    live.make_bucket()
    asker = Asker(live, {f"k{size}": chance.randbytes(size) for size in SIZES})
    for key, body in asker.bodies.items():
        assert live.connect().object("PUT", key, body).status == 200
    asked = 0
    for lose, restore in WAYS if FULL else WAYS[:: len(WAYS) - 1]:
        lose(live)
        try:
            while live.status() != "unavailable":
                assert asker.lies() == []
            said = live.reason()["reason"]
            assert "4 drives are needed, 3 are present" in said and "drive 3" in said, said
            for round_ in ("running", "started again"):
                time.sleep(1.0)  # the other processes hear of it within STATUS_S
                assert asker.answered() == [], (lose.__name__, round_)
                refused = live.connect().object("GET", "k500")
                assert b"<Code>ServiceUnavailable" in refused.body and b"4 drives are needed" in refused.body, refused
                asked += len(list(asker.requests()))
                if round_ == "running":
                    live.kill()
                    live.start(until="unavailable")
        finally:
            restore(live)
        live.wait_until("ready")
        assert asker.wrong() == []
    # Without a restart between, they are there again by themselves as well.
    empty(live)
    live.wait_until("unavailable")
    come_back(live)
    live.wait_until("ready")
    assert asker.wrong() == []
    eventually(lambda: live.doctor()["exposed"] is False, 90)
    print(f"\nthree away: asked {asked}, answered 503 {asked}, lost 0, wrong 0")
