"""The process dies at the N-th fault point (write, fdatasync, rename, unlink, punch, index commit), for all N, during
PUT, overwrite, DELETE, CompleteMultipartUpload, compaction, heal and cleaning. Nothing acknowledged is lost, no wrong
byte is served, the listing is complete. `make test` runs a seeded sample, `make test-fault` every N."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import pytest

from kakera import assemble
from kakera.base import faults
from kakera.index.sqlite import SqliteIndex
from kakera.index.tables import BUCKETS, ENTRIES
from tests.fault import workload
from tests.fault.forked import child
from tests.fault.stack import Stack, config_of, make, run

SAMPLE = 60
FULL = bool(os.environ.get("KAKERA_FULL"))


def victim(root: Path, plan: faults.Plan) -> int:
    """Play the workload under a plan; the exit status of the process."""

    def work() -> None:
        faults.plan = plan
        stack = Stack(config_of(root))
        run(workload.play(stack, root / "acks"))

    return child(work, root / "victim.txt")


def inspect(root: Path) -> list[str]:
    """Recover in another process and look. Nobody is left to make threads here."""

    def work() -> None:
        stack = Stack(config_of(root))
        wrong = run(workload.look(stack, workload.expected(root / "acks")))
        (root / "wrong.json").write_text(json.dumps(wrong))

    status = child(work, root / "inspector.txt")
    if status:
        return [f"recovery failed: {(root / 'inspector.txt').read_text()[-2000:]}"]
    return list(json.loads((root / "wrong.json").read_text()))


def visible_before_recovery(root: Path) -> list[str]:
    """R1: an acknowledged change is in the index when its answer is heard, because workers read on while the committer
    is dead.
    """
    wanted = workload.expected(root / "acks")
    database = assemble.Paths.of(config_of(root)).database
    if not wanted.bucket or not database.exists():
        return []

    def work() -> None:
        index = SqliteIndex(str(database), read_only=True)
        bucket = index.get(BUCKETS, (workload.BUCKET,))
        assert bucket is not None
        wrong = []
        for key, allowed in wanted.bodies.items():
            there = index.get(ENTRIES, (bucket.bucket_id, key)) is not None
            if there not in {body is not None for body in allowed}:
                wrong.append(f"{key!r}: acknowledged, not visible")
        (root / "visible.json").write_text(json.dumps(wrong))

    assert child(work, root / "visible.txt") == 0, (root / "visible.txt").read_text()
    return list(json.loads((root / "visible.json").read_text()))


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many fault points the workload passes."""
    root = tmp_path_factory.mktemp("count")
    make(root)
    trace = root / "trace"
    status = victim(root, faults.Plan(trace=str(trace)))
    assert status == 0, (root / "victim.txt").read_text()
    assert inspect(root) == []
    return len(trace.read_text().splitlines())


def test_a_kill_at_each_point_loses_nothing(points: int, tmp_path: Path) -> None:
    assert points > 300, "the workload passes too few points to prove anything"
    seed = random.Random().randrange(1 << 30) if FULL else 20261123
    numbers = list(range(1, points + 1))
    chosen = numbers if FULL else sorted(random.Random(seed).sample(numbers, SAMPLE))
    found: dict[int, list[str]] = {}
    killed = 0
    for number in chosen:
        root = tmp_path / str(number)
        root.mkdir()
        make(root)
        status = victim(root, faults.Plan(kill_at=number))
        assert status in (0, -9), (number, (root / "victim.txt").read_text())
        killed += status == -9
        wrong = visible_before_recovery(root) + inspect(root)
        if wrong:
            found[number] = wrong
        shutil.rmtree(root)
    print(
        f"\nkill points: {points}, tried {len(chosen)} (seed {seed}), killed {killed}, "
        f"with something wrong: {len(found)}"
    )
    assert found == {}
    assert killed > len(chosen) * 0.9


def test_the_saboteur_that_acknowledges_before_the_index_commit_is_caught(tmp_path: Path) -> None:
    """The suite is tested: with the answer sent too early, a kill shows a client what it must never see."""
    caught = 0
    for number in range(1, 12):
        root = tmp_path / str(number)
        root.mkdir()
        make(root)
        victim(root, faults.Plan(kill_at=number, match="journal.reply|index.commit", skip=("ack_before_commit",)))
        caught += bool(visible_before_recovery(root))
    assert caught > 0
