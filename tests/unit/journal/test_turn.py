"""What goes wrong inside a turn: a failing index comes to nothing or ends the process, never to half a record (R4, R6,
R7).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kakera.base import errors, limits
from kakera.base.ids import new_id
from kakera.index.tables import BULK, ENTRIES, PARTS, BulkRow, Location
from kakera.journal import codec, commands
from kakera.journal.commands import No, Ok
from kakera.journal.decide import NO_BODY
from kakera.journal.multipart_ids import complete_id
from kakera.journal.records import ChunkRef, ObjectMeta, PartMeta, Placement, UploadMeta
from kakera.segments.record import Type
from kakera.segments.suspects import Suspects
from tests.fakes.world import World

BODY = bytes(range(256)) * 8


def ok(reply: object) -> Ok:
    assert isinstance(reply, Ok), reply
    return reply


def failing_once(call: Callable[..., Any], at: int, error: Exception) -> Callable[..., Any]:
    """`call`, but its `at`-th use raises."""
    uses = 0

    def wrapped(*args: Any, **named: Any) -> Any:
        nonlocal uses
        uses += 1
        if uses == at:
            raise error
        return call(*args, **named)

    return wrapped


@pytest.mark.parametrize("at", [1, 2, 3, 4])
@pytest.mark.parametrize("error", [errors.Busy("locked"), errors.Unavailable("disk full")])
def test_rows_half_put_are_never_committed(at: int, error: errors.Unavailable, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    first, second = world.put(b"a", BODY), world.put(b"b", BODY[::-1])
    monkeypatch.setattr(world.index, "put", failing_once(world.index.put, at, error))
    replies = world.batch([first, second])
    monkeypatch.undo()
    assert all(isinstance(reply, No) for reply in replies), "one turn, one fate"
    assert world.keys() == []
    ok(world.run(first))
    ok(world.run(second))
    assert world.get(b"a") == BODY and world.get(b"b") == BODY[::-1]


def test_a_failed_cleaning_step_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """R7: what the step had passed is looked at again before anything is dropped."""
    world = World(segment_bytes=6000)
    for number in range(10):
        ok(world.run(world.put(b"k%d" % number, BODY)))
    monkeypatch.setattr(world.index, "get", failing_once(world.index.get, 6, errors.Busy("EIO in a page")))
    assert isinstance(world.run(commands.Clean(new_id(), "clean")), No)
    monkeypatch.undo()
    for _ in range(3):
        world.clean_all()
    world.successor()
    assert [world.get(b"k%d" % number) for number in range(10)] == [BODY] * 10


def test_a_drop_whose_turn_failed_was_not_granted() -> None:
    world = World(k=2, m=1)
    world.index.begin()
    world.index.put(BULK, BulkRow(77, 5))
    world.index.delete(BULK, (77,))
    world.index.rollback()
    for drive in world.drives:
        drive.sync_fails = 3
    replies = world.batch([world.put(b"k", BODY), commands.Clean(new_id(), "drop_bulk", 77)])
    assert all(isinstance(reply, No) for reply in replies)
    assert world.committer._closed == set()


def test_a_strand_that_failed_a_sync_is_suspect_before_anybody_asks(tmp_path: Path) -> None:
    """R2: it reads clean from the cache. Whoever comes after a kill must know it all the same."""
    world = World(doubt=Suspects(tmp_path).add)
    ok(world.run(world.put(b"a", BODY)))
    strand = world.segment()
    world.drives[3].sync_fails = 1
    ok(world.run(world.put(b"b", BODY)))
    assert Suspects(tmp_path).all() == [(strand, 3)], "known on disk when the client hears of its PUT"
    world.successor()
    assert Suspects(tmp_path).slots(strand) == {3}
    assert any(info.segment == strand.segment for info in world.committer.journal.chain), "and it still counts"


def test_a_closed_segment_takes_nothing_new_and_keeps_what_it_has() -> None:
    """R7: before dead DATA is punched, no command that outlived its worker may bring it back to life."""
    world = World(k=2, m=1)
    here, there = ChunkRef(77, 64, 1000, 1500, 1), ChunkRef(77, 1064, 1000, 1500, 2)
    body_id = new_id()

    def meta(*chunks: ChunkRef, key: bytes = b"k", **fields: Any) -> ObjectMeta:
        return ObjectMeta(
            world.bucket_id, key, b"", 0, 1, 1500 * len(chunks), "e" * 32, "me", Placement.CHUNKS, chunks=list(chunks),
            **fields,
        )  # fmt: skip

    def put(wanted: ObjectMeta) -> commands.Put:
        return commands.Put(new_id(), "b", world.bucket_id, world.generation, codec.encode(wanted), NO_BODY)

    def rewrite(wanted: ObjectMeta) -> commands.Rewrite:
        row = world.entry(b"k")
        assert row is not None
        place = Location(row.segment, row.offset, row.length)
        return commands.Rewrite(new_id(), Type.OBJECT, codec.encode(wanted), NO_BODY, place)

    ok(world.run(put(meta(here, body_id=body_id))))
    ok(world.run(commands.Clean(new_id(), "close_bulk", 77)))
    assert isinstance(world.run(put(meta(there, key=b"late", body_id=new_id()))), No)
    assert isinstance(world.run(rewrite(meta(here, there, body_id=body_id))), No)
    ok(world.run(rewrite(meta(here, body_id=body_id, tags=[("a", "b")]))))
    assert world.keys() == [b"k"]
    assert isinstance(world.run(commands.Clean(new_id(), "drop_bulk", 77)), No)


def test_status_while_recovery_waits_moves_no_mark() -> None:
    """R15: only a complete index is marked further."""
    world = World(segment_bytes=4000)
    for number in range(6):
        ok(world.run(world.put(b"k%d" % number, BODY)))
    world.index.wipe()
    real = world.index.put
    world.index.put = failing_once(real, 3, errors.Unavailable("disk full"))  # type: ignore[method-assign]
    world.successor()
    assert world.committer.mode == "starting"
    for _ in range(3):
        world.run(commands.Status(new_id()))
    world.index.put = real  # type: ignore[method-assign]
    world.committer.start()
    assert world.committer.mode == "ready"
    assert [world.get(b"k%d" % number) for number in range(6)] == [BODY] * 6


def test_a_recovery_that_fails_again_and_again_writes_no_segments() -> None:
    """R11: a state folder that is full costs no drive anything."""
    world = World()
    ok(world.run(world.put(b"k", BODY)))
    world.index.wipe()
    real = world.index.commit
    world.index.commit = failing_once(real, 1, errors.Unavailable("disk full"))  # type: ignore[method-assign]
    before = [len(list(drive.strands("journal"))) for drive in world.drives]
    for _ in range(5):
        world.index.commit = failing_once(real, 1, errors.Unavailable("disk full"))  # type: ignore[method-assign]
        world.successor()
        assert world.committer.mode == "starting"
    assert [len(list(drive.strands("journal"))) for drive in world.drives] == before
    world.index.commit = real  # type: ignore[method-assign]
    world.successor()
    assert world.get(b"k") == BODY


def test_a_part_cleaned_before_its_complete_keeps_its_place_in_a_rebuild() -> None:
    """R4: Complete in one segment, its first part MOVED behind it; the order is that of the part numbers."""
    world = World(k=2, m=1, segment_bytes=2500)
    upload = new_id()
    ok(
        world.run(
            commands.CreateUpload(
                upload, "b", world.bucket_id, codec.encode(UploadMeta(world.bucket_id, b"k", upload, 1, "me"))
            )
        )
    )
    ids = []
    for number in (1, 2, 3):
        placement, body = world.body(BODY[: 500 + number])
        part_id = new_id()
        ids.append(part_id)
        meta = PartMeta(world.bucket_id, b"k", upload, number, part_id, 1, 500 + number, "e", placement)
        ok(world.run(commands.PutPart(part_id, "b", world.bucket_id, codec.encode(meta), body)))
    done = ObjectMeta(
        world.bucket_id, b"k", b"", 0, 1, 1506, "e-3", "me", Placement.PARTS, body_id=upload, parts=[(1, 3)]
    )
    ok(
        world.run(
            commands.Complete(complete_id(upload), "b", world.bucket_id, world.generation, codec.encode(done), ids)
        )
    )
    world.committer.journal.roll()
    world.clean_all()
    rebuilt = world.rebuilt()
    span = ((upload,), (upload, 99))
    kept = world.index.scan(PARTS, *span, limit=9)
    assert [(row.part_number, row.chosen) for row in kept] == [(1, True), (2, True), (3, True)]
    assert list(rebuilt.scan(PARTS, *span, limit=9)) == list(kept)
    assert rebuilt.get(ENTRIES, (world.bucket_id, b"k")) == world.entry(b"k")


def test_a_record_that_no_reader_takes_is_refused_and_not_acknowledged() -> None:
    """R1: its meta is beyond what a header may announce, so that every read would take it for damage."""
    world = World()
    upload, part_id = new_id(), new_id()
    meta = UploadMeta(world.bucket_id, b"k", upload, 1, "me")
    ok(world.run(commands.CreateUpload(upload, "b", world.bucket_id, codec.encode(meta))))
    before = world.committer.journal.sequence
    chunks = [ChunkRef(1 << 63, 1 << 40, 1 << 20, 1 << 16, 1 << 31)] * 12_000
    part = PartMeta(world.bucket_id, b"k", upload, 1, part_id, 1, 1, "e", Placement.CHUNKS, chunks=chunks)
    refused = world.run(commands.PutPart(part_id, "b", world.bucket_id, codec.encode(part), NO_BODY))
    assert isinstance(refused, No) and refused.error == "MetadataTooLarge", refused
    assert world.committer.journal.sequence == before
    assert not world.index.scan(PARTS, (upload,), (upload, 99), limit=9)
    assert world.rebuilt().mark().sequence == before


def test_the_largest_record_of_a_body_leaves_room_to_grow() -> None:
    """Moved, a record says its order; tagged anew, ten tags more: 15 KiB at most."""
    chunks = [ChunkRef((1 << 64) - 1, (1 << 64) - 1, (1 << 32) - 1, (1 << 32) - 1, (1 << 32) - 1)] * limits.MAX_CHUNKS
    words = {"h" * 20: "v" * limits.MAX_HEADER_BYTES}, {"m": "v" * limits.MAX_USER_METADATA_BYTES}
    tags = [("\U0001f600" * 128, "\U0001f600" * 256)] * limits.MAX_TAGS
    meta = ObjectMeta(
        1 << 63, b"k" * limits.MAX_KEY_BYTES, new_id(), 1 << 63, 1 << 48, limits.MAX_PUT_BYTES, "e" * 40, "o" * 64,
        Placement.CHUNKS, *words, tags, None, new_id(), chunks,
    )  # fmt: skip
    assert len(codec.encode(meta)) < limits.MAX_META_BYTES
    assert limits.MAX_CHUNKS * limits.MIB >= limits.MAX_PUT_BYTES
