"""Bodies on their way in and out: placing a new body by its size, opening a stored one for reading."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import NamedTuple

from kakera.base import errors, limits
from kakera.core.store import Store, inline_body, read_meta
from kakera.core.values import BodySource, Digests
from kakera.index.tables import PARTS, Location, PartRow
from kakera.journal import codec
from kakera.journal.commands import Body
from kakera.journal.records import ChunkRef, ObjectMeta, PartMeta, Placement
from kakera.segments.pins import Pin
from kakera.segments.reader import RecordRead, Vanished
from kakera.segments.record import Type


class PlacedBody(NamedTuple):
    """Where a new body is: in the command itself, or durable in bulk segments."""

    placement: int
    body: Body
    chunks: list[ChunkRef]
    digests: Digests


async def take(store: Store, body_id: bytes, source: BodySource, *, maximum_bytes: int) -> PlacedBody:
    """Read the body to its end and place it. What is returned was verified by the source; bulk DATA is durable (R1).

    The caller must call `store.bulk.release(body_id)` once the command that names it was answered or given up.
    Raises TooLarge and whatever the source or the drives raise; then nothing refers to what was written."""
    size = source.declared_bytes
    maximum_bytes = min(maximum_bytes, limits.MAX_CHUNKS * store.profile.chunk_bytes)
    if size > maximum_bytes:
        raise errors.TooLarge(size_bytes=size, maximum_bytes=maximum_bytes)
    if size <= limits.INLINE_BODY_BYTES:
        data = await _whole(source, size)
        placement, body = inline_body(store, data)
        return PlacedBody(placement, body, [], source.digests())
    chunks = await _in_chunks(store, body_id, source)
    digests = source.digests()
    await store.bulk.sync(chunks)
    return PlacedBody(Placement.CHUNKS, Body(), chunks, digests)


async def _whole(source: BodySource, size: int) -> bytes:
    first = await source.read()
    if len(first) == size and not await source.read():
        return bytes(first)
    pieces = [bytes(first)]
    held = len(first)
    while piece := await source.read():
        held += len(piece)
        if held > size:
            raise errors.InvalidState("the body is longer than declared")
        pieces.append(bytes(piece))
    return b"".join(pieces)


async def _in_chunks(store: Store, body_id: bytes, source: BodySource) -> list[ChunkRef]:
    """Fill a chunk while the one before is coded and written: no more than two in memory (R11)."""
    chunks: list[ChunkRef] = []
    writing: asyncio.Task[ChunkRef] | None = None
    try:
        async for chunk in _cut(source, store.profile.chunk_bytes):
            if writing is not None:
                chunks.append(await writing)
            writing = asyncio.create_task(store.bulk.append(body_id, len(chunks), chunk))
            del chunk
        if writing is not None:
            chunks.append(await writing)
    finally:
        if writing is not None and not writing.done():
            writing.cancel()
            await asyncio.wait([writing])
    return chunks


async def _cut(source: BodySource, chunk_bytes: int) -> AsyncIterator[bytes]:
    """The body in chunks; all but the last are full. Each is copied once, when it is whole."""
    pieces: list[bytes | memoryview] = []
    held_bytes = 0
    while piece := await source.read():
        pieces.append(piece)
        held_bytes += len(piece)
        while held_bytes >= chunk_bytes:
            held_bytes -= chunk_bytes
            last = memoryview(pieces.pop())
            cut = len(last) - held_bytes
            chunk = b"".join((*pieces, last[:cut]))
            pieces = [last[cut:]] if held_bytes else []
            yield chunk
            del chunk
    if pieces:
        yield b"".join(pieces)


# --- out --------------------------------------------------------------------------------------------------------------


class Piece(NamedTuple):
    """A run of the object that one record holds: bytes start..stop of the object."""

    start: int
    stop: int
    location: Location
    placement: int
    chunks: Sequence[ChunkRef]


class OpenBody(NamedTuple):
    """Pieces in order, and the pins that keep them from being dropped until `close`."""

    pieces: list[Piece]
    pins: list[Pin]

    def close(self) -> None:
        while self.pins:
            self.pins.pop().release()


def hold(store: Store, chunks: Sequence[ChunkRef], pins: list[Pin]) -> None:
    """Pin every bulk segment these chunks lie in (R7)."""
    for segment in {chunk.segment for chunk in chunks}:
        pins.append(store.pins.hold(segment))


class PlacedPart(NamedTuple):
    """A part of a completed object and where it begins there."""

    start: int
    row: PartRow


def placed_parts(store: Store, upload_id: bytes) -> list[PlacedPart]:
    """The parts of a completed object, in order."""
    parts: list[PlacedPart] = []
    start = 0
    for row in store.index.scan(
        PARTS, (upload_id,), (upload_id, limits.MAX_PART_NUMBER + 1), limit=limits.MAX_PART_NUMBER
    ):
        if row.chosen:
            parts.append(PlacedPart(start, row))
            start += row.size
    return parts


async def open_parts(store: Store, meta: ObjectMeta, start: int, stop: int) -> OpenBody:
    """Pieces of an object made of parts. Raises Vanished when a part is gone or moved: look the object up again."""
    opened = OpenBody([], [])
    try:
        for begin, row in placed_parts(store, meta.body_id):
            end = begin + row.size
            if end <= start or begin >= stop:
                continue
            place = Location(row.segment, row.offset, row.length)
            part: PartMeta = codec.meta_of(Type.PART, await read_meta(store, place))
            if (part.upload_id, part.part_number) != (row.upload_id, row.part_number):
                raise errors.Damaged("the record is not the part's that the index says")
            hold(store, part.chunks, opened.pins)
            again = store.index.get(PARTS, (row.upload_id, row.part_number))
            if again is None or Location(again.segment, again.offset, again.length) != place:
                raise Vanished("the part moved before it was pinned")
            opened.pieces.append(Piece(begin, end, place, part.placement, part.chunks))
    except BaseException:
        opened.close()
        raise
    return opened


async def stream(store: Store, opened: OpenBody, start: int, stop: int) -> AsyncIterator[bytes | memoryview]:
    """start..stop of the object, a chunk at a time. Raises Damaged when the store cannot go on: the connection must
    break (R3).
    """
    at = start
    for piece in opened.pieces:
        low, high = max(start, piece.start), min(stop, piece.stop)
        if low >= high:
            continue
        if low != at:
            break
        at = high
        if piece.placement == Placement.CHUNKS:
            async with aclosing(_chunks(store, piece, low - piece.start, high - piece.start)) as runs:
                async for data in runs:
                    yield data
        else:
            record = await _read(store, piece.location)
            yield bytes(memoryview(record.body or b"")[low - piece.start : high - piece.start])
    if at != stop:
        raise errors.Damaged("the parts do not make up the object")


async def _read(store: Store, location: Location) -> RecordRead:
    try:
        return store.reader.read_now(location) or await store.reader.read(location)
    except Vanished as error:
        raise errors.Damaged("a part was cleaned away while it was read") from error


async def _chunks(store: Store, piece: Piece, start: int, stop: int) -> AsyncGenerator[bytes | memoryview, None]:
    """The next run is read while the one before is sent: a client that is alone waits for the slower of the two instead
    of for both. One is on its way while one is sent, two while the client waits, none where whole chunks must be
    decoded (R11)."""
    ahead: asyncio.Future[bytes | memoryview] | None = None
    try:
        for run in _runs(store, piece, start, stop):
            before, ahead = ahead, None
            if before is None:  # the first, often the only one
                ahead = _done(await _read_run(store, *run))
            elif store.reader.best_read_whole(run[0]):
                yield await before
                ahead = _done(await _read_run(store, *run))
            else:
                ahead = asyncio.create_task(_read_run(store, *run))
                yield await before
        if ahead is not None:
            yield await ahead
    finally:
        if ahead is not None:
            ahead.cancel()  # nothing happens to one that is done
            await asyncio.wait([ahead])
            if not ahead.cancelled():
                ahead.exception()  # looked at: whoever waits for nothing more need not hear of it


def _done(data: bytes | memoryview) -> asyncio.Future[bytes | memoryview]:
    future: asyncio.Future[bytes | memoryview] = asyncio.get_running_loop().create_future()
    future.set_result(data)
    return future


def _runs(store: Store, piece: Piece, start: int, stop: int) -> Iterator[tuple[ChunkRef, int, int]]:
    """(chunk, from, to) of start..stop, each as much as is read at once."""
    at = 0
    for chunk in piece.chunks:
        high = min(stop, at + chunk.size)
        step = chunk.size if store.reader.best_read_whole(chunk) else limits.STREAM_PIECE_BYTES
        for low in range(max(start, at), high, step):
            yield chunk, low - at, min(low + step, high) - at
        at += chunk.size


async def _read_run(store: Store, chunk: ChunkRef, start: int, stop: int) -> bytes | memoryview:
    try:
        return await store.reader.chunk(chunk, start, stop)
    except Vanished as error:
        raise errors.Damaged("a chunk is gone from its segment") from error
