"""A short history through everything that writes: small and large PUT, overwrite, DELETE, CompleteMultipartUpload,
cleaning, compaction, heal. Each step's acknowledgement is written down at the moment the client would hear it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from kakera.base import errors
from kakera.base.ids import new_id
from kakera.core import buckets, multipart, objects
from kakera.core.values import BucketInfo, CompletePart, NewObject
from kakera.journal import commands
from kakera.journal.commands import Command
from kakera.segments.drive import JOURNAL
from kakera.workers.healing import CensusLoop, HealLoop
from kakera.workers.space import CompactLoop, GcLoop
from tests.fault.stack import OWNER, Body, Stack, whole

BUCKET = "faults"
ENDS = (commands.Put, commands.Delete, commands.Complete)


def content(name: str, size: int) -> bytes:
    return random.Random(name).randbytes(size)


class Step(NamedTuple):
    """key None: nothing a client sees changes. after: the key's body once the step is acknowledged, None: gone."""

    name: str
    key: bytes | None
    after: bytes | None
    act: Callable[[Stack, BucketInfo], Awaitable[object]]


def _put(key: bytes, data: bytes) -> Callable[[Stack, BucketInfo], Awaitable[object]]:
    return lambda stack, bucket: objects.put(stack.store, bucket, OWNER, NewObject(key), Body(data))


def _delete(key: bytes) -> Callable[[Stack, BucketInfo], Awaitable[object]]:
    return lambda stack, bucket: objects.delete(stack.store, bucket, OWNER, key)


def _complete(key: bytes, data: bytes) -> Callable[[Stack, BucketInfo], Awaitable[object]]:
    async def act(stack: Stack, bucket: BucketInfo) -> object:
        upload = await multipart.create(stack.store, bucket, OWNER, NewObject(key))
        part = await multipart.put_part(stack.store, bucket, key, upload.upload_id, 1, body=Body(data))
        wanted = [CompletePart(1, part.etag)]
        chosen = await multipart.parts_for(stack.store, bucket, key, upload.upload_id, wanted)
        return await multipart.complete(
            stack.store, bucket, key, upload.upload_id, chosen, combined=multipart.Combined(f"{part.etag}-1", None)
        )

    return act


async def _clean(stack: Stack, bucket: BucketInfo) -> None:
    """Move what is live out of the oldest journal segment, raise the floor, drop it."""
    stack.committer.journal.resend_limit_s = 0.0
    stack.committer.journal.roll()
    while (await stack.journal.submit(commands.Clean(new_id(), "clean"))).value:
        pass
    await stack.journal.submit(commands.Clean(new_id(), "finish"))
    stack.committer.probe_now()


async def _compact(stack: Stack, bucket: BucketInfo) -> None:
    stack.store.bulk.seal()
    compact, gc = CompactLoop(stack.work, live_ratio=1.0), GcLoop(stack.work)
    for _ in range(3):
        await compact.step()
    stack.work.bulk.seal()
    await gc.step()


async def _heal(stack: Stack, bucket: BucketInfo) -> None:
    """A strand of a sealed segment is lost and made again."""
    stack.committer.journal.roll()
    drive = Path(stack.config.drives[2].path) / JOURNAL
    sealed = {f"{info.segment:016x}" for info in stack.committer.journal.chain[:-1]}
    for path in sorted(drive.iterdir()):
        if path.name in sealed:
            path.unlink()
            break
    census, heal = CensusLoop(stack.work), HealLoop(stack.work)
    await census.step()
    for _ in range(3):
        await heal.step()


SMALL = [content(f"small{n}", 4096) for n in range(3)]
BIG = [content(f"big{n}", 300_000) for n in range(3)]
STEPS = (
    Step("put small", b"a", SMALL[0], _put(b"a", SMALL[0])),
    Step("put big", b"big", BIG[0], _put(b"big", BIG[0])),
    Step("overwrite", b"a", SMALL[1], _put(b"a", SMALL[1])),
    Step("put to delete", b"d", b"tiny", _put(b"d", b"tiny")),
    Step("delete", b"d", None, _delete(b"d")),
    Step("overwrite big", b"big", BIG[1], _put(b"big", BIG[1])),
    Step("complete", b"parts", BIG[2], _complete(b"parts", BIG[2])),
    Step("compact", None, None, _compact),
    Step("heal", None, None, _heal),
    Step("clean", None, None, _clean),
    Step("put after", b"a", SMALL[2], _put(b"a", SMALL[2])),
)


async def play(stack: Stack, acks: Path, *, steps: tuple[Step, ...] = STEPS) -> None:
    """All steps in order; `acks` gets a line "begin N" before and "ack N" at the acknowledgement of each."""
    bucket = await buckets.create(stack.store, OWNER, BUCKET)
    with open(acks, "a", buffering=1) as out:
        out.write("bucket\n")
        for number, step in enumerate(steps):
            out.write(f"begin {number}\n")

            def heard(command: Command, number: int = number, step: Step = step) -> None:
                if step.key is not None and isinstance(command, ENDS):
                    out.write(f"ack {number}\n")

            stack.journal.on_ack = heard
            await step.act(stack, bucket)
            stack.journal.on_ack = lambda command: None
            out.write(f"done {number}\n")


class Expected(NamedTuple):
    """key -> the bodies it may have (None: absent)."""

    bodies: dict[bytes, set[bytes | None]]
    bucket: bool


def expected(acks: Path, *, steps: tuple[Step, ...] = STEPS) -> Expected:
    """What the client may find after what it heard: the last acknowledged state of each key, or the one under way."""
    lines = acks.read_text().split("\n") if acks.exists() else []
    bodies: dict[bytes, set[bytes | None]] = {step.key: {None} for step in steps if step.key is not None}
    for line in lines:
        word, _, number = line.partition(" ")
        step = steps[int(number)] if number else None
        if step is None or step.key is None:
            continue
        if word == "begin":
            bodies[step.key] = bodies[step.key] | {step.after}
        elif word == "ack":
            bodies[step.key] = {step.after}
    return Expected(bodies, "bucket" in lines)


async def look(stack: Stack, wanted: Expected) -> list[str]:
    """Every difference between what may be there and what is, through the store's own reads and listing."""
    if not wanted.bucket:
        return []
    bucket = buckets.get(stack.store, BUCKET)
    wrong: list[str] = []
    for key, allowed in wanted.bodies.items():
        try:
            opened = await objects.open_read(stack.store, bucket, key)
            try:
                found: bytes | None = await whole(opened.body)
            finally:
                opened.close()
        except errors.NoSuchKey:
            found = None
        if found not in allowed:
            what = (
                "lost"
                if found is None
                else "wrong bytes"
                if found not in {s.after for s in STEPS}
                else "another version"
            )
            wrong.append(f"{key!r}: {what}")
        listed = stack.committer.index.get(_entries(), (bucket.bucket_id, key)) is not None
        if listed != (found is not None):
            wrong.append(f"{key!r}: listing and reading disagree")
    return wrong


def _entries():  # type: ignore[no-untyped-def]
    from kakera.index.tables import ENTRIES

    return ENTRIES
