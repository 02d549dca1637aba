"""The power goes: every drive and the state folder are XFS of their own, shut down without flushing their logs at a
random moment under 16 writers; the server is killed; everything is mounted again, which replays the logs as after a
real cut. Acknowledged lost 0, wrong bytes 0, listing complete. The index falls back too."""

from __future__ import annotations

import fcntl
import os
import random
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fault.live import FULL, Live, Verdict, Writers

pytestmark = pytest.mark.needs("root", "loop", "mkfs.xfs", "mount")
ROUNDS = 20 if FULL else 2
IMAGE_BYTES = 384 << 20  # sparse; XFS wants 300 MB
XFS_IOC_GOINGDOWN = 0x8004587D
NO_LOG_FLUSH = 2  # XFS_FSOP_GOING_FLAGS_NOLOGFLUSH: what is neither on the device nor in its log is gone


class Mains:
    """Loop-mounted XFS under a server's folders, and the switch."""

    def __init__(self, live: Live) -> None:
        self.mounts = [*(live.drive(slot) for slot in range(6)), live.folder / "state"]
        for mount in self.mounts:
            mount.mkdir(exist_ok=True)
            with open(self._image(mount), "wb") as image:
                image.truncate(IMAGE_BYTES)
            subprocess.run(("mkfs.xfs", "-q", "-f", self._image(mount)), check=True)
            self._mount(mount)

    @staticmethod
    def _image(mount: Path) -> Path:
        return mount.with_name(mount.name + ".img")

    def _mount(self, mount: Path) -> None:
        subprocess.run(("mount", "-o", "loop", self._image(mount), mount), check=True)

    def cut(self) -> None:
        folders = [os.open(mount, os.O_RDONLY) for mount in self.mounts]
        random.shuffle(folders)
        for folder in folders:
            fcntl.ioctl(folder, XFS_IOC_GOINGDOWN, struct.pack("I", NO_LOG_FLUSH))
        for folder in folders:
            os.close(folder)

    def restore(self) -> None:
        for mount in self.mounts:
            subprocess.run(("umount", mount), check=True)
            self._mount(mount)

    def remove(self) -> None:
        for mount in self.mounts:
            subprocess.run(("umount", "-l", mount), check=False)
            self._image(mount).unlink(missing_ok=True)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    server = Live(tmp_path, workers=2)
    mains = Mains(server)
    try:
        server.format()
        server.mains = mains  # type: ignore[attr-defined]
        yield server
    finally:
        server.kill()
        mains.remove()


def one_round(live: Live, seed: int, load_s: float, before: dict[str, Any] | None = None) -> Writers:
    """Load, cut, kill, restore."""
    mains: Mains = live.mains  # type: ignore[attr-defined]
    writers = Writers(live, seed=seed, before=before)
    writers.begin()
    time.sleep(load_s)
    mains.cut()
    time.sleep(random.uniform(0, 0.3))  # whatever is answered now had to be durable before
    live.kill()
    writers.end()
    mains.restore()
    return writers


def look(live: Live, writers: Writers) -> Verdict:
    live.faults = {}
    live.start()
    return writers.verify()


def test_nothing_acknowledged_is_lost_when_the_power_goes(live: Live) -> None:
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    live.start()
    live.make_bucket()
    acked, bad = 0, []
    before: dict[str, Any] = {}
    for number in range(ROUNDS):
        verdict = look(live, one_round(live, seed + number, chance.uniform(1.0, 4.0), before))
        before = verdict.final
        acked += verdict.acked
        if not verdict.clean:
            bad.append((number, verdict))
    lost, wrong = sum(len(v.lost) for _, v in bad), sum(len(v.wrong) + len(v.unlisted) for _, v in bad)
    print(f"\npower cut: rounds {ROUNDS} (seed {seed}), acked {acked}, lost {lost}, wrong {wrong}")
    assert bad == []
    assert acked > 20 * ROUNDS, "too little was written to prove anything"


def test_the_saboteur_without_fdatasync_is_caught(live: Live) -> None:
    live.faults = {"skip": ["fdatasync"]}
    live.start()
    live.make_bucket()
    writers = one_round(live, 7, 2.0)
    try:
        verdict = look(live, writers)
    except AssertionError as refused:
        print(f"\npower cut, saboteur without fdatasync: caught, the store does not open: {str(refused)[:200]}")
        return
    found = f"acked {verdict.acked}, lost {len(verdict.lost)}, wrong {len(verdict.wrong)}"
    print(f"\npower cut, saboteur without fdatasync: {found}")
    assert not verdict.clean
