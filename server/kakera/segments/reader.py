"""Reading records and chunks from the strands (R3): every byte verified, damage read around and reported, slow drives
passed by.

A piece counts only if its crc is right, it says the segment, strand and length of the place it was read from, and it
agrees with the other pieces in everything that strands share; so swapped and stale strands are damage like any other.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from kakera.base import errors, limits
from kakera.base.ids import segment_name
from kakera.segments.codec import CodingError, codec
from kakera.segments.drive import BULK, JOURNAL, Drive, Strand
from kakera.segments.fragments import Bad, Piece, Ranged, judge_data, read_head, read_record, read_span, spans, trusting
from kakera.segments.gather import Gather, Gathered, OnDamage
from kakera.segments.map import Layout, SegmentMap
from kakera.segments.meta import ChunkRef
from kakera.segments.pins import Vanished as Vanished
from kakera.segments.record import (
    CRCS,
    FULL,
    HEADER_BYTES,
    MAGIC,
    Header,
    crc32c,
    parse_header,
    record_length,
    verify_head,
)
from kakera.segments.scouts import Scouts
from kakera.segments.threads import DriveThreads, Lane

T = TypeVar("T")
Place = tuple[int, int, int]  # segment, offset, length: an index Location


class RecordRead(NamedTuple):
    """A verified record. body is None when only the meta was asked for; b"" when the record has none."""

    header: Header
    meta: bytes
    body: bytes | None


def _ignore(kind: str, segment: int, strand: int, slot: int, reason: str) -> None:
    pass


class Reader:
    """One a process. `read_now` belongs to the event loop; the others wait in threads of the drives' own."""

    def __init__(self, segments: SegmentMap, *, on_damage: OnDamage = _ignore, hedge_s: float = limits.HEDGE_S) -> None:
        self._map = segments
        self._threads = DriveThreads("read", limits.READ_THREADS)
        self._gather = Gather(self._threads, on_damage, hedge_s)
        self._hedge_s = hedge_s
        self._scouts = Scouts(segments, self._threads, hedge_s)
        self._coder: Lane | None = None

    def sweep(self) -> None:
        """See `Drives.sweep`."""
        self._map.drives.sweep()

    def read_now(self, place: Place, kind: str = JOURNAL) -> RecordRead | None:
        """The record, if all of it is in memory and right: a few microseconds on the event loop. None: ask `read`."""
        segment, offset, length = place
        layout = self._map.known(kind, segment)
        if layout is None or not layout.data:
            return None
        strand = layout.strand
        drives = layout.data
        turn = (offset >> 6) % len(drives)
        found = drives[turn].read_now(strand, offset, length)
        if found is None:
            return None
        first = bytes(found)
        (
            magic, type_, flags, index, k, named, sequence, command_id, meta_bytes, body_bytes, body_size, body_crc,
            mk, crc,
        ) = FULL.unpack_from(first)  # fmt: skip
        if magic != MAGIC or named != segment or index != turn or body_bytes > limits.CRC_BLOCK_BYTES:
            return None
        meta_end = HEADER_BYTES + meta_bytes
        body_end = meta_end + body_bytes
        if record_length(meta_bytes, body_bytes) != length:
            return None
        meta = first[HEADER_BYTES:meta_end]
        common = b"".join((first[8:52], first[56:60], meta))
        shared = crc32c(common)
        body = first[meta_end:body_end]
        if crc32c(first[:8] + first[52:56], shared) != crc or crc32c(body) != body_crc:
            return None
        header = Header(
            type_, flags, index, k, segment, sequence, command_id,
            meta_bytes, body_bytes, body_size, body_crc, mk >> 8 & 0xFF, crc,
        )  # fmt: skip
        if k == 0 or body_bytes == 0:
            return RecordRead(header, meta, body) if len(body) == body_size else None
        bodies: list[bytes] = [b""] * k
        bodies[turn] = body
        lead = first[:6]
        for at, drive in enumerate(drives):
            if at == turn:
                continue
            found = drive.read_now(strand, offset, length)
            if found is None:
                return None
            data = bytes(found)
            body = data[meta_end:body_end]
            body_crc, _, crc = CRCS.unpack_from(data, 52)
            if (
                data[:6] != lead
                or data[6] != at
                or crc32c(body) != body_crc
                or crc32c(data[:8] + data[52:56], shared) != crc  # over the first strand's meta: the same record
            ):
                return None
            bodies[at] = body
        whole = b"".join(bodies)
        return RecordRead(header, meta, whole if len(whole) == body_size else whole[:body_size])

    def meta_now(self, place: Place, kind: str = JOURNAL) -> RecordRead | None:
        """Header and meta from one strand, if that is in memory and right. None: ask `meta`."""
        segment, offset, length = place
        layout = self._map.known(kind, segment)
        if layout is None or not layout.data:
            return None
        turn = (offset >> 6) % len(layout.data)
        data = layout.data[turn].read_now(layout.strand, offset, min(length, limits.META_READ_BYTES))
        header = parse_header(data) if data else None
        if data is None or header is None or not verify_head(header, data):
            return None
        if (header.segment, header.strand, header.length) != (segment, turn, length):
            return None
        return RecordRead(header, bytes(data[HEADER_BYTES : HEADER_BYTES + header.meta_bytes]), None)

    async def read(self, place: Place, kind: str = JOURNAL) -> RecordRead:
        """The record with its body, from any k good strands.

        Raises: Vanished: no strand holds it any more, look the location up again. Damaged: it is there, and cannot be
        read now.
        """
        segment, offset, length = place
        job = functools.partial(_whole, offset=offset, length=length)
        gathered = await self._collect(kind, segment, job, bodies=True)
        return _join(gathered)

    async def meta(self, place: Place, kind: str = JOURNAL) -> RecordRead:
        """Header and meta, from any one good strand. Raises as `read`."""
        segment, offset, length = place
        job = functools.partial(_head, offset=offset, length=length)
        gathered = await self._collect(kind, segment, job, bodies=False)
        piece = next(iter(gathered.pieces.values()))
        return RecordRead(piece.header, piece.meta, None)

    async def chunk(self, ref: ChunkRef, start: int, stop: int) -> bytes | memoryview:
        """Bytes start..stop of a chunk (0 <= start <= stop <= ref.size). Reads and verifies the crc blocks touched
        only; decodes the whole chunk when a strand is missing, damaged or slow. Raises as `read`."""
        if not 0 <= start <= stop <= ref.size:
            raise ValueError(f"{start}..{stop} of a chunk of {ref.size} bytes")
        if start == stop:
            return b""
        layout = self._map.known(BULK, ref.segment) or await self._scouts.find(BULK, ref.segment)
        if layout.data:
            ready = functools.partial(_chunk_now, layout, ref, start, stop)
            small = stop - start <= limits.CRC_BLOCK_BYTES
            found = ready() if small else await self._in_coder(ready)
            if found is None:
                found = await self._chunk_waiting(layout, ref, start, stop)
            if found is not None:
                return found
        job = functools.partial(_data, ref=ref)
        gathered = await self._collect(BULK, ref.segment, job, bodies=True)
        whole = await self._in_coder(lambda: _decode_chunk(gathered, ref))
        return whole[start:stop]

    def best_read_whole(self, ref: ChunkRef) -> bool:
        """True when a data strand is known to be away: any range then costs the decoding of the whole chunk."""
        layout = self._map.known(BULK, ref.segment)
        return layout is not None and not layout.data

    async def _chunk_waiting(self, layout: Layout, ref: ChunkRef, start: int, stop: int) -> bytes | memoryview | None:
        """The healthy path when the device has to be asked. None: a strand failed or is late."""
        futures = [
            self._threads.submit(
                layout.data[span.strand].slot,
                functools.partial(read_span, layout.data[span.strand], ref, span, k=layout.k, wait=True),
            )
            for span in spans(layout.k, ref.size, start, stop)
        ]
        done, late = await asyncio.wait(futures, timeout=self._hedge_s)
        if late or any(future.exception() for future in done):
            return None
        return _join_ranges([future.result() for future in futures])

    async def _collect(
        self, kind: str, segment: int, job: Callable[[Drive, Strand, int], Piece], *, bodies: bool
    ) -> Gathered:
        """Enough agreeing pieces; the map is learned anew once before giving up. Raises Vanished, Damaged."""
        layout = self._map.known(kind, segment)
        if layout is not None:
            gathered = await self._gather.run(layout, job, bodies=bodies)
            if gathered.enough:
                return gathered
            self._map.forget(kind, segment)
        layout = await self._scouts.find(kind, segment)
        gathered = await self._gather.run(layout, job, bodies=bodies)
        if gathered.enough:
            return gathered
        self._map.forget(kind, segment)
        raise _verdict(layout, gathered, len(self._map.drives.absent))

    def _in_coder(self, job: Callable[[], T]) -> asyncio.Future[T]:
        if self._coder is None:
            self._coder = Lane("code", limits.CODE_THREADS)
        return self._coder.submit(job)

    def close(self) -> None:
        self._threads.close()
        self._scouts.close()
        if self._coder is not None:
            self._coder.close()


def _whole(drive: Drive, strand: Strand, index: int, *, offset: int, length: int) -> Piece:
    return read_record(drive, strand, index, (offset, length))


def _head(drive: Drive, strand: Strand, index: int, *, offset: int, length: int) -> Piece:
    return read_head(drive, strand, index, (offset, length))


def _data(drive: Drive, strand: Strand, index: int, *, ref: ChunkRef) -> Piece:
    piece = read_record(drive, strand, index, (ref.offset, ref.length))
    judge_data(piece.header, piece.meta, ref)
    return piece


def _verdict(layout: Layout, gathered: Gathered, absent: int) -> errors.Damaged:
    """Gone or damaged? Gone when it cannot be otherwise: no present drive has the file, or fewer than k can have it, or
    its space was given back on more strands than may be lost."""
    name = segment_name(layout.strand.segment)
    if layout.gone and not layout.drives and not layout.bad:
        return Vanished(f"no drive has segment {name}")
    if layout.k and len(layout.drives) + absent < layout.k and len(layout.gone) > layout.m:
        return Vanished(f"segment {name} is on fewer drives than are needed")
    if gathered.punched > layout.m:
        return Vanished(f"the space was given back in segment {name}")
    need = layout.k or 1
    why = "; ".join(sorted({f"drive {slot}: {reason}" for slot, reason in gathered.reasons.items()}))
    return errors.Damaged(f"{len(gathered.pieces)} good strands of {need} in segment {name} ({why or 'drives away'})")


def _join(gathered: Gathered) -> RecordRead:
    """The body from its pieces. Raises Damaged."""
    header, meta, body = next(iter(gathered.pieces.values()))
    if header.k and header.body_bytes:
        fragments = {index: piece.body or b"" for index, piece in gathered.pieces.items()}
        try:
            body = codec(header.k, header.m).decode(fragments, header.body_size)
        except (CodingError, ValueError) as error:
            raise errors.Damaged(str(error)) from error
    return RecordRead(header, meta, body)


def _decode_chunk(gathered: Gathered, ref: ChunkRef) -> bytes:
    whole = _join(gathered).body or b""
    if len(whole) != ref.size or (crc32c(whole) != ref.crc and not trusting()):
        raise errors.Damaged(f"a chunk in segment {segment_name(ref.segment)} is not what it was")
    return whole


def _chunk_now(layout: Layout, ref: ChunkRef, start: int, stop: int) -> bytes | memoryview | None:
    """The range when all of it is in memory and right, else None."""
    pieces = []
    try:
        for span in spans(layout.k, ref.size, start, stop):
            piece = read_span(layout.data[span.strand], ref, span, k=layout.k, wait=False)
            if piece is None:
                return None
            pieces.append(piece)
    except (Bad, OSError):
        return None
    return _join_ranges(pieces)


def _join_ranges(pieces: Sequence[Ranged | None]) -> bytes | memoryview | None:
    """The bytes in order; None when the pieces are of different chunks."""
    good = [piece for piece in pieces if piece is not None]
    if len(good) != len(pieces) or len({piece[1:] for piece in good}) != 1:
        return None
    if len(good) == 1:
        return good[0].data
    return b"".join([piece.data for piece in good])
