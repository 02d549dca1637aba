"""The committer dies between sync and index commit, and between index commit and answer, again and again, under writers
who speak HTTP: their workers send the commands again, and each is acknowledged once and is one version (R16)."""

from __future__ import annotations

import hashlib
import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fault.contest import Upload, bucket, etag_of, for_a_while, seed_of, together, versions
from tests.fault.live import FULL, Live

WRITERS = 8
WRITE_S = 60.0 if FULL else 3.0
PASSAGES = 120  # of the fault point in the life of one committer: some seconds, or less


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    server = Live(tmp_path, workers=2, settings={"journal": {"resend_limit_s": 30}})
    server.format()
    yield server
    server.kill()


@pytest.mark.parametrize("point", ["journal.synced", "journal.reply"])
def test_a_committer_killed_before_it_answers_is_asked_again_and_does_nothing_twice(live: Live, point: str) -> None:
    seed = seed_of(f"the committer killed at {point}")
    live.faults = {"kill_at": PASSAGES, "match": point}
    live.start()
    bucket(live, "once", versioning="Enabled")
    before = deaths(live)
    acked: list[tuple[str, str, str, float]] = []  # key, version, ETag, how long it took

    def writer(number: int) -> Any:
        client, chance, names = live.connect(), random.Random(f"{seed}/{number}"), itertools.count()

        def turn() -> None:
            path, kind = f"/once/{number}-{chance.randrange(3)}", chance.random()
            body, begun = chance.randbytes(chance.choice((100, 5000, 200_000))), time.monotonic()
            if kind < 0.1:
                answer = client.ask("DELETE", path)
            elif kind < 0.2:
                upload = Upload.open(client, path)
                begun = time.monotonic()
                answer = upload.complete(client, {1: etag_of(upload.part(client, 1, body))})
                assert answer.headers.get("x-amz-version-id") == upload.id
            elif kind < 0.8:
                # What was done and is decided again finds itself in its way: 412.
                path = f"/once/{number}-only-{next(names)}"
                answer = client.ask("PUT", path, body, headers={"If-None-Match": "*"})
            else:
                answer = client.ask("PUT", path, body)
            assert answer.status in (200, 204), answer
            etag = "" if kind < 0.1 else etag_of(answer)
            assert kind < 0.2 or etag == hashlib.md5(body).hexdigest()
            version = answer.headers["x-amz-version-id"]
            acked.append((path.rpartition("/")[2], version, etag, time.monotonic() - begun))

        return for_a_while(WRITE_S, turn)

    together(*(writer(number) for number in range(WRITERS)))
    kills = deaths(live) - before
    listed = sorted((line.key, line.version, line.etag) for line in versions(live.connect(), "once"))
    wanted = sorted(line[:3] for line in acked)
    slow = sum(line[3] > 0.3 for line in acked)
    twice, lost = len(set(listed) - set(wanted)), len(set(wanted) - set(listed))
    print(
        f"resend: kills {kills}, acked {len(acked)}, of them {slow} over 0.3 s, unknown 0, lost {lost}, "
        f"versions nobody was told of {twice}"
    )
    assert listed == wanted
    assert kills >= 2, "the committer did not die"


def deaths(live: Live) -> int:
    """Committers that were started so far."""
    return sum('"child started"' in line and '"committer"' in line for line in live.log().splitlines())
