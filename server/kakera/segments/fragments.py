"""Reading one strand's part of a record and judging it:

What every reader, healer and scrubber does first (R3). Blocking, no state.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from kakera.base import faults, limits
from kakera.segments.codec import fragment_length
from kakera.segments.drive import Drive, Strand
from kakera.segments.meta import ChunkRef, DataMeta
from kakera.segments.record import (
    HEADER_BYTES,
    Header,
    Type,
    crc32c,
    parse_header,
    table_length,
    verify_body,
    verify_head,
)

_DATA = msgspec.msgpack.Decoder(DataMeta)
_CRC = struct.Struct("<I")


class Bad(Exception):
    """These bytes are not the record asked for.

    The message says what is wrong with them; `punched`: the body was given back.
    """

    def __init__(self, reason: str, *, punched: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.punched = punched


class Piece(NamedTuple):
    """One strand's part of a record, verified. body is None when only the meta was asked for."""

    header: Header
    meta: bytes
    body: bytes | None

    @property
    def identity(self) -> tuple[object, ...]:
        """What all strands of one record share:

        Pieces that differ here do not belong together (swapped or stale strands).
        """
        h = self.header
        sizes = (h.meta_bytes, h.body_bytes, h.body_size, h.k, h.m)
        return h.type, h.flags, h.sequence, h.command_id, sizes, self.meta


def looks_punched(body: bytes) -> bool:
    """True when only the ends of the body, less than a page each, are not zero: what a hole leaves. Pure."""
    return body.count(0) >= max(len(body) - 2 * (limits.PAGE_BYTES - 1), limits.PAGE_BYTES)


def trusting() -> bool:
    """True when the saboteur leaves verification out, to test the tests."""
    return faults.plan is not None and faults.skipped("crc")


def judge_head(data: bytes, strand: Strand, index: int, length: int) -> Header:
    """The header at the start of `data` if it is whole and says what its place says.

    `data` holds header and meta. Raises Bad.
    """
    header = parse_header(data)
    if header is None:
        raise Bad("no record here" if any(data[:HEADER_BYTES]) else "empty: the strand ends before it")
    if not verify_head(header, data) and not trusting():
        raise Bad("header or meta damaged")
    if header.segment != strand.segment or header.strand != index:
        raise Bad(f"another strand's record ({header.segment:016x}, strand {header.strand})")
    if length and header.length != length:
        raise Bad("another record")
    return header


def judge_record(data: bytes, strand: Strand, index: int, length: int = 0) -> Piece:
    """A whole record in `data`, verified to the last byte of its body. Raises Bad."""
    header = judge_head(data, strand, index, length)
    meta_end = HEADER_BYTES + header.meta_bytes
    body_at = meta_end + header.table_bytes
    body = data[body_at : body_at + header.body_bytes]
    if len(body) != header.body_bytes:
        raise Bad("cut short")
    if not verify_body(header, body, data[meta_end:body_at]) and not trusting():
        raise Bad("body damaged", punched=header.type == Type.DATA and looks_punched(body))
    return Piece(header, data[HEADER_BYTES:meta_end], body)


def read_record(drive: Drive, strand: Strand, index: int, place: tuple[int, int]) -> Piece:
    """The record at `place` (offset, length). Raises Bad, OSError."""
    offset, length = place
    data = drive.read(strand, offset, length)
    if len(data) < HEADER_BYTES:
        raise Bad("empty: the strand ends before it")
    return judge_record(data, strand, index, length)


def read_head(drive: Drive, strand: Strand, index: int, place: tuple[int, int]) -> Piece:
    """Header and meta of the record at `place`, without the body. Raises Bad, OSError."""
    offset, length = place
    data = drive.read(strand, offset, min(length, HEADER_BYTES + limits.MAX_META_BYTES, limits.CRC_BLOCK_BYTES))
    header = parse_header(data)
    if header is not None and len(data) < HEADER_BYTES + header.meta_bytes:
        data = drive.read(strand, offset, min(length, HEADER_BYTES + header.meta_bytes))
    header = judge_head(data, strand, index, length)
    return Piece(header, data[HEADER_BYTES : HEADER_BYTES + header.meta_bytes], None)


# --- parts of chunks
# --------------------------------------------------------------------------------------------------------


class Span(NamedTuple):
    """Bytes start..stop of data fragment `strand`."""

    strand: int
    start: int
    stop: int


def spans(k: int, size: int, start: int, stop: int) -> list[Span]:
    """Which data fragments hold bytes start..stop of a chunk of `size` bytes, and where in them. Pure."""
    length = fragment_length(k, size)
    out = []
    for index in range(start // length, min(k, -(-stop // length))):
        base = index * length
        out.append(Span(index, max(start - base, 0), min(stop - base, length)))
    return out


class Ranged(NamedTuple):
    """A verified part of a fragment, and what it says it belongs to."""

    data: memoryview
    sequence: int
    command_id: bytes
    number: int


def judge_data(header: Header, meta: bytes, ref: ChunkRef) -> DataMeta:
    """The meta of a DATA record if it is the chunk that `ref` names. Raises Bad."""
    try:
        data = _DATA.decode(meta)
    except msgspec.DecodeError as error:
        raise Bad("meta unreadable") from error
    if header.type != Type.DATA or header.body_size != ref.size or data.crc != ref.crc:
        raise Bad("another chunk's DATA")
    if header.body_bytes != fragment_length(header.k or 1, header.body_size):
        raise Bad("sizes disagree")
    return data


def read_span(drive: Drive, ref: ChunkRef, span: Span, *, k: int, wait: bool) -> Ranged | None:
    """The bytes of `span`, verified; only the blocks it touches are read when that saves something.

    Returns: None when `wait` is False and the bytes are not in memory. Raises Bad, OSError.
    """
    strand = Strand("bulk", ref.segment)
    length = fragment_length(k, ref.size)
    unit = limits.CRC_BLOCK_BYTES
    first, last = span.start // unit, -(-span.stop // unit)
    read: Callable[[Strand, int, int], bytes | bytearray | None] = drive.read if wait else drive.read_now
    if length <= unit or (last - first) * unit * 2 >= length:
        whole = read(strand, ref.offset, ref.length)
        if whole is None:
            return None
        head = bytes(whole[: ref.length - length])
        first, last = (0, 1) if length <= unit else (first, last)
    else:
        head_bytes = ref.length - length  # header, meta, table; the padding adds at most 7 bytes of the body
        part = read(strand, ref.offset, head_bytes)
        if part is None:
            return None
        whole, head = None, bytes(part)
    if len(head) < HEADER_BYTES:
        raise Bad("empty: the strand ends before it")
    header = judge_head(head, strand, span.strand, ref.length)
    meta_end = HEADER_BYTES + header.meta_bytes
    data = judge_data(header, head[HEADER_BYTES:meta_end], ref)
    table = head[meta_end : meta_end + table_length(length)]
    at = meta_end + len(table)
    if header.k != k or header.body_bytes != length:
        raise Bad("another profile")
    low, high = first * unit, min(last * unit, length)
    if whole is not None:
        body = memoryview(whole)[at + low : at + high]
    else:
        part = read(strand, ref.offset + at + low, high - low)
        if part is None:
            return None
        body = memoryview(part)
    if len(body) != high - low:
        raise Bad("cut short")
    if not trusting():
        _verify_span(header, table, body, first)
    return Ranged(body[span.start - low : span.stop - low], header.sequence, header.command_id, data.number)


def _verify_span(header: Header, table: bytes, body: memoryview, first: int) -> None:
    """Blocks `first`... of a body against its crc table (or, below one unit, the whole body). Raises Bad."""
    if not table:
        if crc32c(body) != header.body_crc:
            raise Bad("body damaged", punched=looks_punched(bytes(body)))
        return
    if crc32c(table) != header.body_crc:
        raise Bad("crc table damaged")
    unit = limits.CRC_BLOCK_BYTES
    for number, at in enumerate(range(0, len(body), unit), first):
        piece = body[at : at + unit]
        if crc32c(piece) != _CRC.unpack_from(table, 4 * number)[0]:
            raise Bad("body damaged", punched=looks_punched(bytes(piece)))
