"""CompleteMultipartUpload whose answer never came: the whole process tree killed while it was under way, and repeated
after the restart, after a newer PUT, after another kill, and after the index was lost. The answer is the same every
time, and what was put since stays the newest."""

from __future__ import annotations

import hashlib
import http.client
import queue
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.contest import Upload, bucket, etag_of, seed_of, versions
from tests.fault.live import FULL, Answer, Client, Live, settled

HELD_S = 2.0  # how long a turn of the committer stands still at the fault point
# Between sync and index commit; between index commit and answer (of which test_resend has a bounded run too).
POINTS = ("journal.synced", pytest.param("journal.reply", marks=pytest.mark.slow))
ROUNDS = 10 if FULL else 1


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    server = Live(tmp_path)
    server.format()
    yield server
    server.kill()


def send(client: Client, upload: Upload, etags: dict[int, str]) -> queue.Queue[Answer | None]:
    """Send Complete; where its answer will be, None when none came."""
    answers: queue.Queue[Answer | None] = queue.Queue()

    def ask() -> None:
        try:
            answers.put(upload.complete(client, etags))
        except (OSError, http.client.HTTPException):
            answers.put(None)

    threading.Thread(target=ask, daemon=True).start()
    return answers


class Case:
    """One upload in one bucket, through everything that may come after its Complete."""

    def __init__(self, live: Live, name: str, chance: random.Random) -> None:
        self.live, self.name, self.path = live, name, f"/{name}/{chance.randrange(1 << 30)}"
        self.body = chance.randbytes(300_000)
        client = live.connect()
        self.upload = Upload.open(client, self.path)
        self.etags = {1: etag_of(self.upload.part(client, 1, self.body))}
        md5s = b"".join(bytes.fromhex(etag) for etag in self.etags.values())
        self.etag = f"{hashlib.md5(md5s).hexdigest()}-{len(self.etags)}"
        self.newest = self.body
        self.later: list[str] = []  # ETags of what was put since, newest first

    def there(self) -> bool:
        """Was it completed? Never half of it."""
        client = self.live.connect()
        found = settled(lambda: client.ask("GET", self.path))
        assert (found.status, found.body) == (200, self.body) or found.status == 404, found.status
        return found.status == 200

    def repeat(self) -> None:
        """The same answer as the first time would have been, and the key is as it was."""
        client = self.live.connect()
        answer = settled(lambda: self.upload.complete(client, self.etags))
        version = self.upload.id if self.name == "versioned" else None
        assert (answer.status, etag_of(answer), answer.headers.get("x-amz-version-id")) == (200, self.etag, version)
        assert client.ask("GET", self.path).body == self.newest
        if version:
            old = client.ask("GET", self.path, query={"versionId": version})
            assert (old.status, old.body) == (200, self.body)
        elsewhere = self.upload._replace(path=f"{self.path}-other").complete(client, self.etags)
        assert (elsewhere.status, b"NoSuchUpload" in elsewhere.body) == (404, True), elsewhere
        there = [line.etag for line in versions(client, self.name) if f"/{self.name}/{line.key}" == self.path]
        history = [*self.later, self.etag]
        assert there == (history if version else history[:1])

    def put(self, body: bytes) -> None:
        client = self.live.connect()
        assert settled(lambda: client.ask("PUT", self.path, body)).status == 200
        self.newest = body
        self.later.insert(0, hashlib.md5(body).hexdigest())


@pytest.mark.parametrize("point", POINTS)
def test_a_complete_repeated_after_a_crash_gives_the_same_version(live: Live, point: str) -> None:
    chance = random.Random(seed_of(f"Complete, killed at {point}"))
    live.start()
    bucket(live, "plain")
    bucket(live, "versioned", versioning="Enabled")
    unheard = completed = 0
    for _ in range(ROUNDS):
        cases = [Case(live, name, chance) for name in ("plain", "versioned", "plain", "versioned")]
        live.kill()
        live.faults = {"delay_s": {point: HELD_S}}
        live.start()
        asked = [send(live.connect(), case.upload, case.etags) for case in cases]
        # The first turn stands still, durable; what came too late for it waits behind it, and is not.
        time.sleep(0.5 * HELD_S)
        live.kill()
        heard = [answers.get(timeout=30) for answers in asked]
        assert [answer for answer in heard if answer is not None and answer.status != 200] == []
        unheard += heard.count(None)
        live.faults = {}
        live.start()
        durable = [case for case in cases if case.there()]
        for case in durable[::2]:
            case.put(chance.randbytes(4000))  # somebody's, before the client of the Complete asks again
        completed += len(durable)
        for case in cases:
            case.repeat()
        for case in cases[1::2]:
            case.put(chance.randbytes(4000))
            case.repeat()
        live.kill()
        (live.folder / "state" / "index.sqlite3").unlink()
        live.start()
        for case in cases:
            case.repeat()
    print(
        f"complete: rounds {ROUNDS}, kills {3 * ROUNDS}, uploads {4 * ROUNDS}, of them unheard {unheard}, durable "
        f"{completed}, "
        f"repeated {10 * ROUNDS}, wrong 0"
    )
    assert unheard == 4 * ROUNDS, "no crash before the answer"
    assert completed >= ROUNDS, "no crash after the sync"
