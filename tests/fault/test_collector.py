"""Compaction and collection running all the time, on segments so small that a body has several: an upload slower than
they are, and a download whose segments are emptied and dropped while it is read (R7)."""

from __future__ import annotations

import hashlib
import itertools
import random
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fault.contest import Upload, bucket, delete_keys, etag_of, seed_of, together
from tests.fault.leftovers import bulk_segments, collect, orphans, unreferred
from tests.fault.live import FULL, Live, eventually
from tests.wire.whole import ENVIRONMENT, KAKERA
from tests.wire.wire import Wire

MIB = 1 << 20
SMALL = {
    "profile": {"chunk_bytes": MIB // 4},
    "bulk": {"segment_bytes": MIB // 2},  # eight chunks
    "journal": {"resend_limit_s": 1},  # a segment is quiet after twice that
}
QUIET_S = 2.0 * SMALL["journal"]["resend_limit_s"]
TRICKLE_S = 60.0 if FULL else 5.0
PIECES = 40
UPLOAD_S = 3.0
BODY_BYTES = 5 * MIB
DOWNLOAD_BYTES = 16 * MIB  # far more than all buffers between the store and a client that does not read


@pytest.fixture(params=[1])
def live(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Live]:
    server = Live(tmp_path, workers=request.param, settings=SMALL)
    server.format()
    server.start()
    bucket(server, "slow")
    yield server
    server.kill()


def trickle(live: Live, path: str, body: bytes, query: dict[str, str] | None = None, *, seconds: float = 0.0) -> Any:
    """A PUT whose body takes that long (TRICKLE_S) to send."""
    wire = Wire(live.port, timeout_s=60.0)
    target = live.connect().target("PUT", path, query)
    wire.say(f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\n".encode())
    wire.say(f"Content-Length: {len(body)}\r\n\r\n".encode())
    step = -(-len(body) // PIECES)
    for start in range(0, len(body), step):
        wire.say(body[start : start + step])
        time.sleep((seconds or TRICKLE_S) / PIECES)
    answer = wire.hear()
    wire.close()
    return answer


def dropped(live: Live) -> int:
    return live.log().count("bulk segment dropped")


@pytest.mark.parametrize("live", [2], indirect=True)
def test_an_upload_slower_than_the_collector_is_whole(live: Live) -> None:
    chance = random.Random(seed_of("uploads slower than the collector"))
    bodies = [chance.randbytes(BODY_BYTES + n) for n in range(4)]
    done = threading.Event()
    client = live.connect()
    upload = Upload.open(client, "/slow/parts")
    etags = {1: etag_of(upload.part(client, 1, bodies[0]))}  # rests while the collector goes round

    def garbage(number: int) -> int:
        """What is put and deleted at once leaves segments that are sparse or dead, in some of them the slow bodies."""
        other, noise, turns = live.connect(), random.Random(number), 0
        while not done.is_set():
            turns += 1
            assert other.ask("PUT", f"/slow/garbage{number}", noise.randbytes(600_000)).status == 200
            if turns % 2:
                assert other.ask("DELETE", f"/slow/garbage{number}").status == 204
        return turns

    def uploads() -> Any:
        try:
            return together(
                lambda: trickle(live, "/slow/body", bodies[1]),
                lambda: trickle(live, upload.path, bodies[2], {"partNumber": "2", "uploadId": upload.id}),
            )
        finally:
            done.set()

    *turns, heard = together(lambda: garbage(0), lambda: garbage(1), lambda: garbage(2), uploads)
    assert [answer.status for answer in heard] == [200, 200], heard
    etags[2] = etag_of(heard[1])
    assert upload.complete(client, etags).status == 200
    rounds = dropped(live)
    assert rounds > 3, "the collector did not run"
    found = client.ask("GET", "/slow/body")
    assert hashlib.md5(found.body).digest() == hashlib.md5(bodies[1]).digest()
    found = client.ask("GET", "/slow/parts")
    assert hashlib.md5(found.body).digest() == hashlib.md5(bodies[0] + bodies[2]).digest()
    collect(live)
    left = orphans(live)
    found = live.connect().ask("GET", "/slow/parts")
    assert hashlib.md5(found.body).digest() == hashlib.md5(bodies[0] + bodies[2]).digest()
    print(
        f"slow uploads: 2 of {BODY_BYTES} bytes in {TRICKLE_S:.0f} s, bodies put and deleted meanwhile "
        f"{sum(turns)}, segments dropped {rounds}, wrong 0, orphans after gc {len(left)}"
    )
    assert left == []


def test_a_download_outlives_its_segments_and_then_they_go(live: Live) -> None:
    chance = random.Random(seed_of("a download while its segments are dropped"))
    body = chance.randbytes(DOWNLOAD_BYTES)
    client = live.connect()

    def garbage() -> int:
        """At a pace that leaves a third of each segment to the download, or less, and does not fill the drives."""
        other, noise = live.connect(), chance.randbytes(MIB)
        for n in itertools.count():
            if done.is_set():
                return n
            assert other.ask("PUT", f"/slow/g{n}", noise).status == 200
            time.sleep(0.02)
        raise AssertionError

    def big() -> None:
        assert trickle(live, "/slow/big", body, seconds=UPLOAD_S).status == 200
        done.set()

    # Side by side, so that they share segments: what is deleted leaves these sparse.
    done = threading.Event()
    count, _ = together(garbage, big)
    before = bulk_segments(live)
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    reader.settimeout(60)
    reader.connect(("127.0.0.1", live.port))
    target = client.target("GET", "/slow/big")
    reader.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\nConnection: close\r\n\r\n".encode())
    got = bytearray(reader.recv(4096))
    assert got.startswith(b"HTTP/1.1 200 ")
    for start in range(0, count, 1000):
        assert delete_keys(client, "slow", [f"g{n}" for n in range(start, min(start + 1000, count))]) == 0
    # What is in the old segments is moved or dead before long, and yet those that the download needs stay.
    pinned: set[str] = set()
    # Asked for by hand, every dead byte is worth its copy: also of segments that are mostly the download's.
    command = (*KAKERA, "admin", "gc", "--now", "--config", str(live.config))
    by_hand = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kept() -> bool:
        """Segments that nothing refers to, and that are there for longer than the collector needs without a reader."""
        pinned.update(before & unreferred(live))
        time.sleep(QUIET_S + 2.0)
        pinned.intersection_update(unreferred(live))
        return len(pinned) > 3

    try:
        eventually(kept, 45)
    finally:
        by_hand.kill()  # it would wait for the segment that the worker has open
        by_hand.wait()
    assert before - bulk_segments(live), "nothing was dropped: the collector did not run"
    fresh = client.ask("GET", "/slow/big")
    assert fresh.body == body
    while data := reader.recv(1 << 20):
        got += data
    reader.close()
    assert bytes(got.partition(b"\r\n\r\n")[2]) == body
    eventually(lambda: len(pinned & bulk_segments(live)) <= 1, 20)  # the one that the worker has open still
    collect(live)
    assert not pinned & bulk_segments(live)
    left = orphans(live)
    print(
        f"download: {DOWNLOAD_BYTES} bytes, deleted beside it {count} bodies, "
        f"segments before {len(before)}, kept for it {len(pinned)}, of these left "
        f"afterwards 0, wrong 0, orphans after gc {len(left)}"
    )
    assert left == []
    assert live.connect().ask("GET", "/slow/big").body == body
