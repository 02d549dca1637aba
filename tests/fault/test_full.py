"""Full drives under the real server, each an XFS of its own: DELETE is acknowledged, GET is right, PUT is refused with
the reason, and all of it goes on without a restart when there is room again (R7)."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.live import FULL, Answer, Live, eventually, settled
from tests.fault.mains import Mains

pytestmark = pytest.mark.needs("root", "loop", "mkfs.xfs", "mount")
IMAGE_BYTES = 320 << 20
ONE_IMAGE_BYTES = 640 << 20
RESERVE_BYTES = 32 << 20
SIZES = (300, 50_000, 120_000, 3 << 20)
REFUSED = (503, 507)


class Small(Live):
    """Small segments and a small reserve, for drives of 320 MiB; nothing waits long before it is collected."""

    def _toml(self, workers: int, settings: dict[str, dict[str, int]]) -> str:
        text = super()._toml(workers, settings)
        text = text.replace("resend_limit_s = 2", "resend_limit_s = 1\nsegment_bytes = 8388608")
        text = text.replace("[background]\n", "[background]\nrate_bytes_per_s = 1073741824\n")
        return text + f"[space]\nreserve_bytes = {RESERVE_BYTES}\n"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Small]:
    server = Small(tmp_path)
    mains = Mains(server, image_bytes=IMAGE_BYTES)
    try:
        server.format()
        server.start()
        server.make_bucket()
        yield server
    finally:
        print("\n".join(line for line in server.log().splitlines() if '"info"' not in line)[-6000:])
        server.kill()
        mains.remove()


class Bodies:
    """What was acknowledged, and whether it is all there, and nothing else."""

    def __init__(self, live: Live, seed: int = 1) -> None:
        self.live = live
        self.client = live.connect()
        self.there: dict[str, tuple[int, int]] = {}  # key -> (seed, size)
        self.deleted = 0
        self._seed = seed

    @staticmethod
    def body(seed: int, size: int) -> bytes:
        return random.Random(seed).randbytes(size)

    def put(self, key: str, size: int) -> Answer:
        self._seed += 1
        answer = self.client.object("PUT", key, self.body(self._seed, size))
        if answer.status == 200:
            self.there[key] = (self._seed, size)
        return answer

    def delete(self, keys: list[str]) -> None:
        """Each of them acknowledged, at the first try."""
        for key in keys:
            answer = self.client.object("DELETE", key)
            assert answer.status == 204, (key, answer)
            del self.there[key]
        self.deleted += len(keys)

    def wrong(self) -> list[str]:
        found = []
        for key, (seed, size) in self.there.items():
            answer = settled(lambda key=key: self.client.object("GET", key))  # type: ignore[misc]
            if answer.status != 200 or answer.body != self.body(seed, size):
                found.append(f"{key}: {answer.status} {len(answer.body)} of {size}")
        if sorted(self.client.keys()) != sorted(self.there):
            found.append("the listing is not right")
        return found

    def some(self, prefix: str) -> None:
        for number in range(16):
            assert self.put(f"{prefix}-{number}", SIZES[number % 4]).status == 200


def fill(folder: Path) -> Path:
    """Somebody else's file takes every byte of the file system; the log of XFS may give some back, so it is asked
    twice."""
    path = folder / "foreign"
    with open(path, "ab", buffering=0) as file:
        for size in (1 << 20, 4096, 512):
            while True:
                try:
                    file.write(b"f" * size)
                except OSError:
                    os.fsync(file.fileno())
                    try:
                        file.write(b"f" * size)
                    except OSError:
                        break
    return path


def a_worker_that_starts_now_serves(bodies: Bodies) -> None:
    """It finds no room on the disk for anything, and does not die of it."""
    was = bodies.live.workers()
    for worker in was:
        os.kill(worker, signal.SIGKILL)
    eventually(lambda: len(set(bodies.live.workers()) - set(was)) == len(was), 20)
    bodies.client = bodies.live.connect()
    assert bodies.wrong() == []
    assert bodies.client.object("GET", "absent").status == 404
    time.sleep(0.5)  # the ledger counts
    now = bodies.live.workers()
    assert bodies.wrong() == []
    assert bodies.live.workers() == now, "a worker died"


def goes_on(bodies: Bodies, prefix: str, within_s: float = 40.0) -> float:
    """Seconds until bodies of every size are taken again."""
    begun = time.monotonic()
    for size in SIZES:
        eventually(lambda size=size: bodies.put(f"{prefix}-{size}", size).status == 200, within_s)  # type: ignore[misc]
    return time.monotonic() - begun


def has_room_again(bodies: Bodies, taken: list[Path]) -> float:
    """Somebody made room: writes are taken again after so many seconds, and nothing was lost."""
    for path in taken:
        path.unlink()
    took_s = goes_on(bodies, "after")
    assert bodies.wrong() == []
    return took_s


@pytest.mark.slow
def test_a_store_that_was_filled_frees_space_and_goes_on(live: Small) -> None:
    bodies = Bodies(live)
    number = 0
    sizes = (120_000, 3 << 20, 3 << 20, 3 << 20)
    while (answer := bodies.put(f"fill-{number}", sizes[number % 4])).status == 200:
        number += 1
    assert answer.status in REFUSED and (b"InsufficientStorage" in answer.body), answer
    assert b"only DELETE is taken" in answer.body or b"no space above the reserve" in answer.body, answer
    acked = len(bodies.there)
    while (answer := bodies.put(f"fill-{number}", 120_000)).status == 200:  # where a chunk does not fit, these still do
        number += 1
    assert answer.status == 507 and b"only DELETE is taken" in answer.body, answer
    for size in SIZES:
        assert bodies.put("refused", size).status == 507
    bodies.delete([key for n, key in enumerate(bodies.there) if n % 3])
    took_s = goes_on(bodies, "after", 60)
    assert bodies.wrong() == []
    print(f"\nfilled by PUTs: acked {acked}, deleted {bodies.deleted}, lost 0, wrong 0, goes on after {took_s:.1f} s")


def test_a_foreign_file_fills_drives_to_the_last_byte(live: Small) -> None:
    bodies = Bodies(live)
    bodies.some("before")
    time.sleep(2.5)  # the reserves are held
    taken: list[Path] = []
    for slots in ([0], [1], [2, 3, 4, 5]):
        taken += [fill(live.drive(slot)) for slot in slots]
        time.sleep(2.5)
        if len(taken) == 1:  # k+1 have room: everything goes on
            for size in SIZES:
                assert bodies.put(f"one-full-{size}", size).status == 200
        else:
            for size in SIZES:
                eventually(lambda size=size: bodies.put(f"full-{size}", size).status in REFUSED, 10)  # type: ignore[misc]
            refused = bodies.put("refused", 50_000)
            assert refused.status == 507 and b"<Code>InsufficientStorage" in refused.body, refused
            assert b"drives 0, 1" in refused.body and b"only DELETE is taken" in refused.body, refused
        bodies.delete(list(bodies.there)[:4])
        assert bodies.wrong() == []
    live.kill()  # a restart has to write on every drive, and finds room for it
    live.start()
    bodies.client = live.connect()
    assert bodies.wrong() == []
    assert bodies.put("refused", 50_000).status in REFUSED
    bodies.delete(list(bodies.there)[:2])
    took_s = has_room_again(bodies, taken)
    if FULL:
        eventually(lambda: live.doctor()["exposed"] is False, 120)
    print(f"\nforeign file on 1, 2, 6 drives: deleted {bodies.deleted}, lost 0, wrong 0, goes on after {took_s:.1f} s")


@pytest.mark.slow
def test_deletes_go_on_for_long_on_full_drives(live: Small) -> None:
    """Hundreds of DELETEs while all six are full; they do not fill the open segment."""
    bodies = Bodies(live)
    count = 4000 if FULL else 600
    for number in range(count):
        assert bodies.put(f"small-{number}", 20_000 if number % 8 else 300).status == 200
    time.sleep(2.5)
    taken = [fill(live.drive(slot)) for slot in range(6)]
    eventually(lambda: bodies.put("refused", 300).status in REFUSED, 10)
    bodies.delete([key for number, key in enumerate(bodies.there) if number % 6])
    assert bodies.wrong() == []
    has_room_again(bodies, taken)
    print(f"\nsix full drives: deleted {bodies.deleted}, lost 0, wrong 0")


@pytest.mark.slow
def test_starts_again_and_again_on_full_drives(live: Small) -> None:
    """What one committer took ahead for its open segment is there for the next: a killed one gives nothing back, and
    somebody else takes whatever is free meanwhile."""
    bodies, rounds = Bodies(live), 12
    for number in range(120):
        bodies.put(f"small-{number}", 300)
    time.sleep(2.5)
    taken = [fill(live.drive(slot)) for slot in range(6)]
    for _ in range(rounds):
        live.kill()
        for slot in range(6):
            fill(live.drive(slot))
        live.start()
        bodies.client = live.connect()
        bodies.delete(list(bodies.there)[:5])
        assert bodies.wrong() == []
    has_room_again(bodies, taken)
    print(f"\nfull drives, killed and started {rounds} times: deleted {bodies.deleted}, lost 0, wrong 0")


def test_the_folder_of_the_index_is_full(live: Small) -> None:
    bodies = Bodies(live)
    bodies.some("before")
    time.sleep(2.5)
    foreign = fill(live.folder / "state")
    eventually(lambda: bodies.put("refused", 50_000).status in REFUSED, 10)
    refused = bodies.put("refused", 50_000)
    assert refused.status == 507 and b"the state folder" in refused.body, refused
    assert bodies.wrong() == []
    bodies.delete(list(bodies.there)[:8])
    assert bodies.wrong() == []
    reserve = live.folder / "state" / "reserve"
    os.truncate(reserve, 0)  # the reserve is used up as well
    with open(foreign, "ab", buffering=0) as file:
        try:
            while True:
                file.write(b"f" * 4096)
        except OSError:
            pass
    a_worker_that_starts_now_serves(bodies)
    tried = 0
    unknown = set()
    for key in list(bodies.there)[:4]:
        answer = bodies.client.object("DELETE", key)
        assert answer.status in (204, *REFUSED), answer
        tried += answer.status != 204
        if answer.status == 204:
            del bodies.there[key]
        elif b"may or may not" in answer.body:
            unknown.add(key)
    foreign.unlink()
    live.wait_until("ready", 60)
    took_s = goes_on(bodies, "after")
    for key in unknown:
        if settled(lambda key=key: bodies.client.object("GET", key)).status == 404:  # type: ignore[misc]
            del bodies.there[key]
    assert bodies.wrong() == []
    print(
        f"\nstate folder full: deleted {bodies.deleted}, refused {tried}, lost 0, wrong 0, goes on after {took_s:.1f} s"
    )


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Small]:
    """Everything on one file system, as on a laptop: six drives, the state folder and the log."""
    disk = tmp_path / "disk"
    disk.mkdir()
    image = tmp_path / "disk.img"
    with open(image, "wb") as file:
        file.truncate(ONE_IMAGE_BYTES)
    subprocess.run(("mkfs.xfs", "-q", "-f", image), check=True)
    subprocess.run(("mount", "-o", "loop", image, disk), check=True)
    try:
        server = Small(disk)
        try:
            server.format()
            server.start()
            server.make_bucket()
            yield server
        finally:
            server.kill()
    finally:
        subprocess.run(("umount", "-l", disk), check=False)
        image.unlink()


def test_everything_on_one_full_file_system(one: Small) -> None:
    bodies = Bodies(one)
    bodies.some("before")
    time.sleep(2.5)  # the reserves are held
    foreign = fill(one.folder)
    eventually(lambda: bodies.put("refused", 50_000).status in REFUSED, 10)
    bodies.delete(list(bodies.there)[:8])
    assert bodies.wrong() == []
    a_worker_that_starts_now_serves(bodies)
    foreign.unlink()
    took_s = goes_on(bodies, "after")
    assert bodies.wrong() == []
    print(f"\none full file system: deleted {bodies.deleted}, lost 0, wrong 0, goes on after {took_s:.1f} s")
